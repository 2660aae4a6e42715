/* SPDX-License-Identifier: MIT */
/*
 * time.c - the clocks.
 *
 *   ARMv7         the generic timer (ARM ARM DDI 0406C, B8): a 64-bit counter
 *                 and, for each CPU, a virtual timer of its own
 *   Versatile     the system registers' 24 MHz counter (DUI 0447J, 4.3.15),
 *   Express       32 bits that are made 64 here; and a Dual-Timer (SP804, DDI
 *                 0271D, 3.3) at 1 MHz.  One CPU.
 *
 * ns = ticks * ns_mult >> NS_SHIFT, without a division.
 */
#include "board.h"
#include "irq.h"

#define NS_SHIFT 22
/* No wait is longer: the 32-bit counter is to be looked at in its 178 s, and
 * ns fit in 32 bits. */
#define MAX_WAIT (4 * NSEC_PER_SEC)

static uint64_t counter_boot;
static uint32_t counter_hz, ns_mult;

uint64_t cycles_read(void)
{
	return board->clock->read();
}

uint64_t cycles_hz(void)
{
	return counter_hz;
}

uint64_t ktime_ns(void)
{
	uint64_t t = cycles_read() - counter_boot;

	/* The low half's product has 64 bits, and the high half's fits for
	 * centuries. */
	return ((t >> 32) * ns_mult << (32 - NS_SHIFT)) +
	       ((t & UINT32_MAX) * ns_mult >> NS_SHIFT);
}

void clock_start(void)
{
	counter_hz = board->clock->start(board);
	if (!counter_hz)
		panic("the clock has no frequency");
	ns_mult = (uint32_t)((NSEC_PER_SEC << NS_SHIFT) / counter_hz);
	counter_boot = cycles_read();
}

void clock_init_cpu(void)
{
	if (board->clock->init_cpu)
		board->clock->init_cpu();
}

void clock_init(void)
{
	board->irqs->enable(board->clock_irq, true);
	clock_init_cpu();
	printk("clock %u kHz", counter_hz / 1000);
}

void timer_hw_arm(uint64_t ns)
{
	board->clock->arm(K_MIN(ns, MAX_WAIT));
}

uint64_t rtc_seconds(void)
{
	const volatile uint32_t *rtc;

	if (!board->rtc)
		return 0;
	rtc = mmio_map(board->rtc, 4); /* PL031 (DDI 0224C): RTCDR */
	return rtc ? *rtc : 0;
}

/* ------------------------------------------------------------ generic timer */

#if KERNEL_ARMV7
static uint32_t ticks_per_ns; /* 32 fraction bits */

static uint32_t gentimer_start(const struct board *b)
{
	uint32_t hz;

	(void)b;
	__asm__ volatile("mrc p15, 0, %0, c14, c0, 0" : "=r"(hz));
	ticks_per_ns = (uint32_t)(((uint64_t)hz << 32) / NSEC_PER_SEC);
	return hz;
}

static void gentimer_init_cpu(void)
{
	/* user mode has no access: it asks the kernel */
	__asm__ volatile("mcr p15, 0, %0, c14, c1, 0" ::"r"(0));
	__asm__ volatile("mcr p15, 0, %0, c14, c3, 1" ::"r"(0));
	board->irqs->enable(board->clock_irq, true);
}

static uint64_t gentimer_read(void)
{
	uint64_t v;

	__asm__ volatile("isb\n\tmrrc p15, 1, %Q0, %R0, c14" : "=r"(v));
	return v;
}

static void gentimer_arm(uint64_t ns)
{
	uint32_t n = (uint32_t)((ns * ticks_per_ns) >> 32) + 1;

	__asm__ volatile("mcr p15, 0, %0, c14, c3, 0" ::"r"(n));
	__asm__ volatile("mcr p15, 0, %0, c14, c3, 1" ::"r"(1));
	isb();
}

static void gentimer_quiet(void)
{
	__asm__ volatile("mcr p15, 0, %0, c14, c3, 1" ::"r"(0));
	isb();
}

const struct clock_source generic_clock = {
	.start = gentimer_start,
	.init_cpu = gentimer_init_cpu,
	.read = gentimer_read,
	.arm = gentimer_arm,
	.quiet = gentimer_quiet,
};
#else
static uint32_t gentimer_start(const struct board *b)
{
	panic("%s needs ARMv7", b->name);
}

const struct clock_source generic_clock = {.start = gentimer_start};
#endif

/* -------------------------------------------------------- Versatile Express */

#define SP804_LOAD    0x00 / 4
#define SP804_CONTROL 0x08 / 4
#define SP804_INTCLR  0x0c / 4
#define SP804_ENABLE  0xa3u /* on, interrupt, 32 bits, one shot */
#define SP804_HZ      1000000u
#define COUNTER_HZ    24000000u

static volatile uint32_t *counter, *sp804;
static uint64_t counter_last; /* the counter's 64 bits, interrupts off */

static uint32_t sp804_start(const struct board *b)
{
	counter = mmio_map(b->counter, 4);
	sp804 = mmio_map(b->timer, 0x1000);
	sp804[SP804_CONTROL] = 0;
	return COUNTER_HZ;
}

static uint64_t sp804_read(void)
{
	unsigned long flags = irq_save();
	uint64_t v = counter_last + (*counter - (uint32_t)counter_last);

	counter_last = v;
	irq_restore(flags);
	return v;
}

static void sp804_arm(uint64_t ns)
{
	sp804[SP804_CONTROL] = 0;
	sp804[SP804_LOAD] = (uint32_t)ns / (NSEC_PER_SEC / SP804_HZ) + 1;
	sp804[SP804_CONTROL] = SP804_ENABLE;
}

static void sp804_quiet(void)
{
	sp804[SP804_INTCLR] = 1;
}

const struct clock_source sp804_clock = {
	.start = sp804_start,
	.read = sp804_read,
	.arm = sp804_arm,
	.quiet = sp804_quiet,
};
