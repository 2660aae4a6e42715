/* SPDX-License-Identifier: MIT */
/*
 * arch_regs.h - what portable code does with a user's registers (struct
 * pt_regs): where it is, what a system call gives back, how one is repeated.
 *
 * The EABI's system call: number in r7, arguments in r0 to r6, result in r0;
 * the entry keeps the first argument in ORIG_r0.
 */
#ifndef KERNEL_ARCH_REGS_H
#define KERNEL_ARCH_REGS_H

#include <asm/ptrace.h>

static inline uaddr_t regs_ip(const struct pt_regs *r)
{
	return r->ARM_pc;
}
static inline void regs_set_ip(struct pt_regs *r, uaddr_t ip)
{
	r->ARM_pc = ip;
}
static inline uaddr_t regs_sp(const struct pt_regs *r)
{
	return r->ARM_sp;
}
static inline void regs_set_sp(struct pt_regs *r, uaddr_t sp)
{
	r->ARM_sp = sp;
}
/* The result of a system call. */
static inline long regs_result(const struct pt_regs *r)
{
	return (long)r->ARM_r0;
}
static inline void regs_set_result(struct pt_regs *r, long v)
{
	r->ARM_r0 = (uint32_t)v;
}
/* The number of the system call that is being made. */
static inline uint64_t regs_syscall_nr(const struct pt_regs *r)
{
	return r->ARM_r7;
}
/* A program's first registers: where it begins (bit 0: in Thumb state), and
 * its stack. */
static inline void regs_start(struct pt_regs *r, uaddr_t ip, uaddr_t sp)
{
	*r = (struct pt_regs){0};
	r->ARM_pc = ip & ~1u;
	r->ARM_sp = sp;
	r->ARM_cpsr = PSR_MODE_USR | (ip & 1 ? PSR_T_BIT : 0);
}
/* Make the call again with the same arguments: SVC has four bytes, in Thumb
 * state two. */
static inline void regs_repeat_syscall(struct pt_regs *r)
{
	r->ARM_r0 = r->ARM_ORIG_r0;
	r->ARM_pc -= r->ARM_cpsr & PSR_T_BIT ? 2 : 4;
}

#endif
