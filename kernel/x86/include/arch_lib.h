/* SPDX-License-Identifier: MIT */
/*
 * arch_lib.h - x86's share of klib.h and sync.h: arithmetic that C lacks, and
 * interrupts on and off.
 */
#ifndef KERNEL_ARCH_LIB_H
#define KERNEL_ARCH_LIB_H

#include <quire/types.h>

/* a * b / c with a product of 128 bits; the quotient must fit in 64. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t q, hi;

	__asm__("mulq %3; divq %4"
		: "=&a"(q), "=&d"(hi)
		: "0"(a), "r"(b), "r"(c)
		: "cc");
	return q;
}

static inline unsigned long irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
	return flags;
}
static inline void irq_restore(unsigned long flags)
{
	if (flags & 0x200)
		__asm__ volatile("sti" ::: "memory");
}
static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
