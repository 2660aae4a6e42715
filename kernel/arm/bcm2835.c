/* SPDX-License-Identifier: MIT */
/*
 * bcm2835.c - the Raspberry Pi Zero's interrupt controller (BCM2835 ARM
 * Peripherals, chapter 7) and system timer (chapter 12).  One CPU.
 *
 * 64 interrupts in two words.  The timer is a 64-bit counter at 1 MHz with
 * four compare registers, two of which (1 and 3) are left to the ARM: one that
 * is passed before it is written matches only when the low word comes round.
 */
#include "board.h"
#include "irq.h"

#define IRQ_PENDING 0x204 / 4 /* two words */
#define IRQ_ENABLE  0x210 / 4
#define IRQ_DISABLE 0x21c / 4
#define BASIC_OFF   0x224 / 4
#define FIQ_CONTROL 0x20c / 4

#define TIMER_CS 0x00 / 4
#define TIMER_LO 0x04 / 4
#define TIMER_HI 0x08 / 4
#define TIMER_C3 0x18 / 4
#define MATCH_3	 8u
#define TIMER_HZ 1000000u
/* Ticks in which the compare register is surely written. */
#define SOON 5u

static volatile uint32_t *irqs, *timer;
static uint32_t enabled[2];

static unsigned chip_init(const struct board *b)
{
	irqs = mmio_map(b->irq_regs, 0x1000);
	irqs[FIQ_CONTROL] = 0;
	irqs[IRQ_DISABLE] = ~0u;
	irqs[IRQ_DISABLE + 1] = ~0u;
	irqs[BASIC_OFF] = ~0u;
	return 64;
}

static void chip_init_cpu(unsigned id)
{
	(void)id;
}

static void chip_enable(unsigned irq, bool level)
{
	(void)level;
	enabled[irq / 32] |= 1u << irq % 32;
	irqs[IRQ_ENABLE + irq / 32] = 1u << irq % 32;
}

static uint32_t chip_take(void)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		uint32_t now = irqs[IRQ_PENDING + i] & enabled[i];

		if (now)
			return 32 * i + (unsigned)__builtin_ctz(now);
	}
	return IRQ_NONE;
}

/* It goes when its cause does. */
static void chip_end(uint32_t taken)
{
	(void)taken;
}

const struct irq_chip bcm2835_irqs = {
	.init = chip_init,
	.init_cpu = chip_init_cpu,
	.enable = chip_enable,
	.take = chip_take,
	.end = chip_end,
};

static uint32_t timer_start_up(const struct board *b)
{
	timer = mmio_map(b->timer, 0x1000);
	timer[TIMER_CS] = MATCH_3;
	return TIMER_HZ;
}

static uint64_t timer_read(void)
{
	uint32_t lo, hi;

	do {
		hi = timer[TIMER_HI];
		lo = timer[TIMER_LO];
	} while (hi != timer[TIMER_HI]);
	return (uint64_t)hi << 32 | lo;
}

static void timer_arm(uint64_t ns)
{
	uint32_t ticks = (uint32_t)ns / (NSEC_PER_SEC / TIMER_HZ), at;

	ticks = K_MAX(ticks, SOON);
	do {
		at = timer[TIMER_LO] + ticks;
		timer[TIMER_C3] = at;
		ticks *= 2; /* in case it has passed */
	} while ((int32_t)(at - timer[TIMER_LO]) <= 0 &&
		 !(timer[TIMER_CS] & MATCH_3));
}

static void timer_quiet(void)
{
	timer[TIMER_CS] = MATCH_3;
}

const struct clock_source bcm2835_clock = {
	.start = timer_start_up,
	.read = timer_read,
	.arm = timer_arm,
	.quiet = timer_quiet,
};
