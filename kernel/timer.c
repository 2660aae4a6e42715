/* SPDX-License-Identifier: MIT */
/*
 * timer.c - the wall clock, timers, and the tick.
 *
 * Each CPU has a list of timers sorted by time and one hardware timer
 * (timer_hw_arm()), armed for the first of them or for the next tick, whichever
 * comes first.  The tick runs only while a task does; idle CPUs sleep.
 *
 * A CPU's timer_lock guards its list; timer functions run in the interrupt
 * with no lock held.
 */
#include <asm/ptrace.h>
#include "cpu.h"
#include "protocol.h"

#define TICK_NS 10000000ull

static uint64_t realtime_offset;

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

void time_init(void)
{
	const char *wall;

	clock_init();
	wall = init_record('T', 0);
	realtime_set(wall ? strtoull(wall, NULL, 10)
			  : rtc_seconds() * NSEC_PER_SEC);
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
	timer_hw_arm(next > now ? next - now : 1);
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
