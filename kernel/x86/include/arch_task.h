/* SPDX-License-Identifier: MIT */
/*
 * arch_task.h - x86's part of struct task, and how the current task is found.
 */
#ifndef KERNEL_ARCH_TASK_H
#define KERNEL_ARCH_TASK_H

#include <quire/types.h>

struct task_arch {
	uint64_t fsbase, gsbase; /* user's */
};

/* sizeof(struct pt_regs) (asm/ptrace.h) */
#define PT_REGS_BYTES 168u
/* Registers that switch_stacks() keeps on the stack. */
#define SWITCH_REGS 6

struct task;
/* The task that runs here: one load. */
static inline struct task *current_task(void)
{
	struct task *t;

	__asm__("movq %%gs:0, %0" : "=r"(t));
	return t;
}

#endif
