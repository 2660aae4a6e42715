/* SPDX-License-Identifier: MIT */
/*
 * time.c - the clock (TSC, measured against the 8254 at boot), timers, and
 * the tick.
 *
 * Each CPU has a list of timers sorted by time and one local APIC timer,
 * armed for the first of them or for the next tick, whichever comes first.
 * The tick runs only while a task does; idle CPUs sleep.
 *
 * A CPU's timer_lock guards its list; timer functions run in the interrupt
 * with no lock held.
 */
#include <asm/ptrace.h>
#include "cpu.h"
#include "protocol.h"

#define TICK_NS 10000000ull
#define PIT_HZ	1193182ull

uint64_t tsc_hz;
static uint64_t tsc_boot, ns_per_tick_fp; /* ns per TSC tick, 32.32 */
static uint64_t realtime_offset;

uint64_t ktime_ns(void)
{
	return (uint64_t)((__uint128_t)(rdtsc() - tsc_boot) * ns_per_tick_fp >>
			  32);
}

uint64_t realtime_ns(void)
{
	return ktime_ns() + K_READ(realtime_offset);
}

void realtime_set(uint64_t ns);
void realtime_set(uint64_t ns)
{
	K_WRITE(realtime_offset, ns - ktime_ns());
}

uint64_t quire_host_time_ns(void)
{
	return ktime_ns();
}

static uint32_t pit_read(void)
{
	uint32_t lo;

	outb(0x43, 0); /* latch channel 0 */
	lo = inb(0x40);
	return lo | (uint32_t)inb(0x40) << 8;
}

/* Count TSC ticks over 20 ms of the 8254's channel 0. */
static void calibrate(void)
{
	uint32_t want = (uint32_t)(PIT_HZ / 50), seen = 0, rounds = 0;
	uint64_t t0, t1;

	outb(0x43, 0x30); /* channel 0, both bytes, mode 0: count down once */
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	while (pit_read() > 0xfff0 && ++rounds < 100000)
		;
	seen = pit_read();
	t0 = rdtsc();
	for (rounds = 0; seen - pit_read() < want && rounds < 10000000;
	     rounds++)
		;
	t1 = rdtsc();
	seen -= pit_read();
	if (seen < want || seen > 0xffff) {
		printk("no 8254 to measure the TSC by: taking it for 1 GHz");
		tsc_hz = NSEC_PER_SEC;
	} else {
		tsc_hz = (t1 - t0) * PIT_HZ / seen;
	}
}

static unsigned cmos(unsigned reg)
{
	unsigned v;

	outb(0x70, (uint8_t)reg);
	v = inb(0x71);
	return (v >> 4) * 10 + (v & 15);
}

/* Seconds since 1970 from the MC146818 (BCD, UTC); 0: there is none. */
static uint64_t rtc_seconds(void)
{
	unsigned sec, min, hour, day, mon, year, tries = 0;
	int64_t y, era, yoe, doy, days;

	do {
		sec = cmos(0);
		min = cmos(2);
		hour = cmos(4);
		day = cmos(7);
		mon = cmos(8);
		year = cmos(9);
	} while (sec != cmos(0) && ++tries < 100);
	if (mon < 1 || mon > 12 || day < 1 || day > 31)
		return 0;
	/* Days of the civil calendar, years counted from March. */
	y = 2000 + year - (mon <= 2);
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * ((int)mon + (mon > 2 ? -3 : 9)) + 2) / 5 + (int)day - 1;
	days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
	return (uint64_t)days * 86400 + hour * 3600 + min * 60 + sec;
}

void time_init(void)
{
	const char *wall;

	calibrate();
	ns_per_tick_fp = (NSEC_PER_SEC << 32) / tsc_hz;
	tsc_boot = rdtsc();
	wall = init_record('T', 0);
	realtime_set(wall ? strtoull(wall, NULL, 10)
			  : rtc_seconds() * NSEC_PER_SEC);
	printk("TSC %llu kHz", (unsigned long long)(tsc_hz / 1000));
}

/* --------------------------------------------------------------- timers */

void timer_init(struct ktimer *t, void (*fn)(struct ktimer *))
{
	memset(t, 0, sizeof(*t));
	list_init(&t->node);
	t->fn = fn;
}

/* Arm the hardware for what comes first here; interrupts off. */
static void arm(struct cpu *c)
{
	uint64_t next = c->tick_on ? c->next_tick : UINT64_MAX, now;

	if (!list_empty(&c->timers)) {
		uint64_t e =
			list_first(&c->timers, struct ktimer, node)->expires;

		next = K_MIN(next, e);
	}
	if (next == UINT64_MAX || (c->timer_armed && c->timer_armed <= next))
		return; /* an early interrupt does no harm: it arms again */
	c->timer_armed = next;
	now = ktime_ns();
	apic_timer_arm(next > now ? next - now : 1);
}

/* A task begins to run on a CPU that was idle. */
void timer_rearm(void)
{
	struct cpu *c = this_cpu();

	if (c->tick_on)
		return;
	c->tick_on = true;
	c->next_tick = ktime_ns() + TICK_NS;
	spin_lock(&c->timer_lock);
	arm(c);
	spin_unlock(&c->timer_lock);
}

/* Take a timer out of its list; false: it was in none. */
static bool timer_detach(struct ktimer *t)
{
	uint32_t n;
	bool was = false;

	while ((n = __atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE))) {
		struct cpu *c = &cpus[n - 1];
		unsigned long flags = spin_lock_irqsave(&c->timer_lock);

		if (t->cpu == n) {
			list_del(&t->node);
			t->cpu = 0;
			was = true;
		}
		spin_unlock_irqrestore(&c->timer_lock, flags);
	}
	return was;
}

/* May be called by the timer's own function, to run again. */
void timer_start(struct ktimer *t, uint64_t expires)
{
	struct list_head *at;
	unsigned long flags;
	struct cpu *c;

	timer_detach(t);
	flags = irq_save();
	c = this_cpu();
	spin_lock(&c->timer_lock);
	t->expires = expires;
	__atomic_store_n(&t->cpu, c->id + 1, __ATOMIC_RELEASE);
	for (at = c->timers.prev; at != &c->timers; at = at->prev)
		if (list_entry(at, struct ktimer, node)->expires <= expires)
			break;
	list_add(&t->node, at);
	arm(c);
	spin_unlock_irqrestore(&c->timer_lock, flags);
}

bool timer_cancel(struct ktimer *t)
{
	bool was = timer_detach(t);

	while (__atomic_load_n(&t->running, __ATOMIC_ACQUIRE))
		cpu_relax();
	return was;
}

static void run_timers(struct cpu *c, uint64_t now)
{
	spin_lock(&c->timer_lock);
	while (!list_empty(&c->timers)) {
		struct ktimer *t = list_first(&c->timers, struct ktimer, node);

		if (t->expires > now)
			break;
		list_del(&t->node);
		t->running = true;
		t->cpu = 0;
		spin_unlock(&c->timer_lock);
		t->fn(t);
		/* The function may have let its owner go only after this. */
		__atomic_store_n(&t->running, false, __ATOMIC_RELEASE);
		spin_lock(&c->timer_lock);
	}
	spin_unlock(&c->timer_lock);
}

void timer_interrupt(struct pt_regs *regs)
{
	struct cpu *c = this_cpu();
	uint64_t now = ktime_ns();

	c->timer_armed = 0;
	run_timers(c, now);
	if (c->tick_on && c->next_tick <= now) {
		if (c->curr == c->idle) {
			c->tick_on = false;
		} else {
			c->next_tick = now + TICK_NS;
			sched_tick(regs);
		}
	}
	spin_lock(&c->timer_lock);
	arm(c);
	spin_unlock(&c->timer_lock);
}
