/* SPDX-License-Identifier: MIT */
/*
 * struct pt_regs: the registers of the context that a trap interrupted, as the
 * entry stub has them on the kernel stack.  From error_code upward it is the
 * processor's own frame (Intel SDM vol. 3A, 6.14.2); below it, what the stub
 * pushes, rdi first.
 */
#ifndef QUIRE_X86_PTRACE_H
#define QUIRE_X86_PTRACE_H

#include <quire/types.h>

#if QUIRE_UADDR_BITS == 64
struct pt_regs {
	uint64_t r15, r14, r13, r12, bp, bx;
	uint64_t r11, r10, r9, r8, ax, cx, dx, si, di;
	uint64_t orig_ax; /* error code, or number of the system call */
	uint64_t ip, cs, flags, sp, ss;
};
#else
/*
 * i386: ebx first.  The processor pushes esp and ss only when it comes from
 * user mode (SDM vol. 3A, 6.12.1).
 */
struct pt_regs {
	uint32_t bx, cx, dx, si, di, bp, ax;
	uint32_t ds, es, fs, gs;
	uint32_t orig_ax; /* error code, or number of the system call */
	uint32_t ip, cs, flags, sp, ss;
};
#endif

#define X86_EFLAGS_TF (1ull << 8)  /* a debug trap after one instruction */
#define X86_EFLAGS_IF (1ull << 9)  /* interrupts are on */
#define X86_EFLAGS_AC (1ull << 18) /* SMAP: user pages may be accessed */

/* The two low bits of CS are the privilege level (SDM vol. 3A, 5.5). */
static inline bool user_mode(const struct pt_regs *regs)
{
	return (regs->cs & 3) == 3;
}

#endif
