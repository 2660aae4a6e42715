/* SPDX-License-Identifier: MIT */
/* Compiled to assembly only: the build makes task_offsets.h of the lines. */
#include <asm/ptrace.h>
#include "cpu.h"

#define OFFSET(name, type, member)                                             \
	__asm__ volatile(".ascii \"=> #define " #name                          \
			 " %c0\"" ::"i"(offsetof(type, member)))

void offsets(void);
void offsets(void)
{
	OFFSET(TASK_KSP, struct task, ksp);
	OFFSET(TASK_WORK, struct task, work);
}
_Static_assert(offsetof(struct task, arch) == sizeof(struct quire_task),
	       "quire_host_inline.h");
_Static_assert(offsetof(struct task_arch, cpu) == 0, "quire_host_inline.h");
_Static_assert(sizeof(struct pt_regs) == PT_REGS_BYTES, "arch_task.h");
