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
_Static_assert(offsetof(struct cpu, curr) == 0, "entry.S");
_Static_assert(offsetof(struct cpu, kstack_top) == 8, "entry.S");
_Static_assert(offsetof(struct cpu, user_sp) == 16, "entry.S");
_Static_assert(offsetof(struct cpu, id) == 24, "cpu.h");
_Static_assert(sizeof(struct pt_regs) == PT_REGS_BYTES, "arch_task.h");
