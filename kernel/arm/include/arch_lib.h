/* SPDX-License-Identifier: MIT */
/*
 * arch_lib.h - ARM's share of klib.h and sync.h: arithmetic that C lacks, and
 * interrupts on and off (ARM ARM DDI 0406C, B9.3.2: CPS).
 */
#ifndef KERNEL_ARCH_LIB_H
#define KERNEL_ARCH_LIB_H

#include <quire/types.h>

/* math.c */
uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c);

/* The I bit of the program status register. */
#define IRQS_OFF 0x80ul

static inline unsigned long irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("mrs %0, cpsr\n\tcpsid i" : "=r"(flags)::"memory");
	return flags;
}
static inline void irq_enable(void)
{
	__asm__ volatile("cpsie i" ::: "memory");
}
static inline void irq_disable(void)
{
	__asm__ volatile("cpsid i" ::: "memory");
}
static inline void irq_restore(unsigned long flags)
{
	if (!(flags & IRQS_OFF))
		irq_enable();
}
static inline void cpu_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}

#endif
