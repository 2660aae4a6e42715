/* SPDX-License-Identifier: MIT */
/*
 * entry_host.h - what arch/arm/entry.S needs to know of this kernel's tasks.
 */
#ifndef KERNEL_ENTRY_HOST_H
#define KERNEL_ENTRY_HOST_H

#include "task_offsets.h"

/* clang-format off */
/* rd = the current task's word of pending work; flags and rd only. */
.macro exception_work rd
	mrc	p15, 0, \rd, c13, c0, 4
	ldr	\rd, [\rd, #TASK_WORK]
.endm

#endif
