/* SPDX-License-Identifier: MIT */
/*
 * time.c - the clocks.
 *
 *   ARMv7         the generic timer (ARM ARM DDI 0406C, B8): a 64-bit counter
 *                 and, for each CPU, a virtual timer of its own
 *   Versatile     the system registers' 24 MHz counter (DUI 0447J, 4.3.15),
 *   Express       32 bits that are made 64 here; and a Dual-Timer (SP804, DDI
 *                 0271D, 3.3) at 1 MHz.  One CPU.
 */
#include "board.h"
#include "irq.h"

#define PPI_VIRTUAL_TIMER 27u

#define SP804_LOAD    0x00 / 4
#define SP804_CONTROL 0x08 / 4
#define SP804_INTCLR  0x0c / 4
#define SP804_ENABLE  0xa3u /* on, interrupt, 32 bits, one shot */
#define SP804_HZ      1000000u
#define COUNTER_HZ    24000000u

unsigned clock_irq;
static uint64_t counter_boot;
static uint32_t counter_hz, ns_mult; /* ns = ticks * ns_mult >> NS_SHIFT */
#define NS_SHIFT 25
static volatile uint32_t *counter, *sp804;
static uint64_t counter_last; /* the counter's 64 bits, interrupts off */

static bool generic(void)
{
	return KERNEL_ARMV7 && board->clock == CLOCK_GENERIC;
}

uint64_t cycles_read(void)
{
	unsigned long flags;
	uint64_t v;

#if KERNEL_ARMV7
	if (k_likely(generic())) {
		__asm__ volatile("isb\n\tmrrc p15, 1, %Q0, %R0, c14" : "=r"(v));
		return v;
	}
#endif
	flags = irq_save();
	v = counter_last + (uint32_t)(*counter - (uint32_t)counter_last);
	counter_last = v;
	irq_restore(flags);
	return v;
}

uint64_t cycles_hz(void)
{
	return counter_hz;
}

uint64_t ktime_ns(void)
{
	uint64_t t = cycles_read() - counter_boot;

	/* The low half's product has 64 bits, the high half's fits: uptime
	 * overflows after 500 years. */
	return ((t >> 32) * ns_mult << (32 - NS_SHIFT)) +
	       ((t & UINT32_MAX) * ns_mult >> NS_SHIFT);
}

void clock_init_cpu(void)
{
#if KERNEL_ARMV7
	if (generic()) {
		/* user mode has no access: it asks the kernel */
		__asm__ volatile("mcr p15, 0, %0, c14, c1, 0" ::"r"(0));
		__asm__ volatile("mcr p15, 0, %0, c14, c3, 1" ::"r"(0));
		gic_enable(PPI_VIRTUAL_TIMER, true);
	}
#endif
}

/* The counter runs; ktime_ns() may be asked. */
void clock_start(void)
{
	if (generic()) {
#if KERNEL_ARMV7
		__asm__ volatile("mrc p15, 0, %0, c14, c0, 0"
				 : "=r"(counter_hz));
#endif
		clock_irq = PPI_VIRTUAL_TIMER;
	} else {
		counter = mmio_map(board->counter, 4);
		sp804 = mmio_map(board->timer, 0x1000);
		sp804[SP804_CONTROL] = 0;
		counter_hz = COUNTER_HZ;
		clock_irq = board->timer_irq;
	}
	if (!counter_hz)
		panic("the generic timer has no frequency");
	ns_mult = (uint32_t)((NSEC_PER_SEC << NS_SHIFT) / counter_hz);
	counter_boot = cycles_read();
}

void clock_init(void)
{
	if (generic())
		clock_init_cpu();
	else
		gic_enable(clock_irq, true);
	printk("clock %u kHz", counter_hz / 1000);
}

/* The interrupt was taken: no more of it until the timer is armed again. */
void clock_quiet(void)
{
#if KERNEL_ARMV7
	if (generic()) {
		__asm__ volatile("mcr p15, 0, %0, c14, c3, 1" ::"r"(0));
		isb();
		return;
	}
#endif
	sp804[SP804_INTCLR] = 1;
}

void timer_hw_arm(uint64_t ns)
{
	uint32_t n;

	/* An early interrupt does no harm, so a long wait may be cut; and the
	 * 32-bit counter is to be looked at once in its 178 s. */
	ns = K_MIN(ns, 20 * NSEC_PER_SEC);
#if KERNEL_ARMV7
	if (generic()) {
		uint64_t ticks = ns * (counter_hz / 1000) / 1000000 + 1;

		n = (uint32_t)K_MIN(ticks, (uint64_t)INT32_MAX);
		__asm__ volatile("mcr p15, 0, %0, c14, c3, 0" ::"r"(n));
		__asm__ volatile("mcr p15, 0, %0, c14, c3, 1" ::"r"(1));
		isb();
		return;
	}
#endif
	n = (uint32_t)(ns / (NSEC_PER_SEC / SP804_HZ)) + 1;
	sp804[SP804_CONTROL] = 0;
	sp804[SP804_LOAD] = n;
	sp804[SP804_CONTROL] = SP804_ENABLE;
}

uint64_t rtc_seconds(void)
{
	const volatile uint32_t *rtc;

	if (!board->rtc)
		return 0;
	rtc = mmio_map(board->rtc, 4); /* PL031 (DDI 0224C): RTCDR */
	return rtc ? *rtc : 0;
}
