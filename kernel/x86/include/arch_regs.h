/* SPDX-License-Identifier: MIT */
/*
 * arch_regs.h - what portable code does with a user's registers (struct
 * pt_regs): where it is, what a system call gives back, how one is repeated.
 */
#ifndef KERNEL_ARCH_REGS_H
#define KERNEL_ARCH_REGS_H

#include <asm/ptrace.h>

static inline uaddr_t regs_ip(const struct pt_regs *r)
{
	return r->ip;
}
static inline void regs_set_ip(struct pt_regs *r, uaddr_t ip)
{
	r->ip = ip;
}
static inline uaddr_t regs_sp(const struct pt_regs *r)
{
	return r->sp;
}
static inline void regs_set_sp(struct pt_regs *r, uaddr_t sp)
{
	r->sp = sp;
}
/* The result of a system call. */
static inline long regs_result(const struct pt_regs *r)
{
	return (long)r->ax;
}
static inline void regs_set_result(struct pt_regs *r, long v)
{
	r->ax = (uint64_t)v;
}
/* The number of the system call that is being made. */
static inline uint64_t regs_syscall_nr(const struct pt_regs *r)
{
	return r->orig_ax;
}
/* A program's first registers: where it begins, and its stack. */
static inline void regs_start(struct pt_regs *r, uaddr_t ip, uaddr_t sp)
{
	*r = (struct pt_regs){.ip = ip,
			      .sp = sp,
			      .cs = 0x33, /* USER_CS, USER_DS: arch_cpu.h */
			      .ss = 0x2b,
			      .flags = X86_EFLAGS_IF};
}
/* Make the call again with the same arguments: SYSCALL has two bytes. */
static inline void regs_repeat_syscall(struct pt_regs *r)
{
	r->ax = r->orig_ax;
	r->ip -= 2;
}

#endif
