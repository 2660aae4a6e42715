/* SPDX-License-Identifier: MIT */
/*
 * arch_task.h - ARM's part of struct task, and how the current task is found:
 * TPIDRPRW, the thread register that only the kernel reads (ARM ARM DDI 0406C,
 * B4.1.150; ARM1176JZF-S TRM DDI 0301H, 3.2.48), has its address.
 */
#ifndef KERNEL_ARCH_TASK_H
#define KERNEL_ARCH_TASK_H

#include <quire/types.h>

/* The first member is known to quire_host_inline.h: it lies right behind the
 * task's quire_task. */
struct task_arch {
	uint32_t cpu;	/* that runs it; stays while it is being moved */
	uint32_t tp;	/* TPIDRURO: the user's thread pointer */
	uint32_t tp_rw; /* TPIDRURW: one that user mode may write */
	bool fpu_used;	/* has floating-point state worth keeping */
};

/* task.fpu points to one (cpu.c). */
struct vfp_state {
	uint64_t d[32];
	uint32_t fpscr, fpexc, fpinst, fpinst2;
};

/* sizeof(struct pt_regs) (asm/ptrace.h) */
#define PT_REGS_BYTES 72u
/* Registers that switch_stacks() keeps on the stack: r4 to r11. */
#define SWITCH_REGS 8

struct task;
/* The task that runs here: one instruction. */
static inline struct task *current_task(void)
{
	struct task *t;

	__asm__("mrc p15, 0, %0, c13, c0, 4" : "=r"(t));
	return t;
}

#endif
