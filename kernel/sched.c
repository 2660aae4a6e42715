/* SPDX-License-Identifier: MIT */
/*
 * sched.c - which task runs where.
 *
 * Each CPU has a queue and takes its tasks in turn, a tick (10 ms) each; a
 * CPU with nothing to do takes from another's queue.  Tasks are woken to the
 * CPU where they ran last if that is idle, else to an idle one, else to the
 * former.  There is one lock for all queues, sched_lock: it is held across
 * the switch of stacks and let go by the task that comes next, so a task that
 * is being switched away from is never seen half way.
 *
 * Sleeping: a task sets its state, looks at its condition, and calls
 * schedule(), which takes it off the CPU unless its state is TASK_RUNNING
 * again.  A waker makes the condition true and then calls wake_task().
 */
#include "cpu.h"

static struct spinlock sched_lock;
static uint64_t all_switches;

struct task *switch_stacks(struct task *prev, struct task *next);

uint64_t nr_switches(void)
{
	return all_switches;
}

unsigned nr_cpus(void)
{
	return cpu_count;
}

uint64_t cpu_idle_ns(unsigned cpu)
{
	struct cpu *c = &cpus[cpu];
	uint64_t ns = c->idle_ns;

	if (K_READ(c->waiting))
		ns += ktime_ns() - c->idle_since;
	return ns;
}

void idle_waited(struct cpu *c)
{
	K_WRITE(c->waiting, false);
	c->idle_ns += ktime_ns() - c->idle_since;
}

void sched_init_cpu(unsigned id)
{
	list_init(&cpus[id].queue);
	list_init(&cpus[id].timers);
}

static bool cpu_is_idle(struct cpu *c)
{
	return c->online && c->curr == c->idle && !c->nr_queued;
}

static struct cpu *choose_cpu(struct task *t)
{
	struct cpu *last = &cpus[t->cpu], *any = NULL;
	unsigned i;

	if ((t->affinity & (1ull << t->cpu)) && cpu_is_idle(last))
		return last;
	for (i = 0; i < cpu_count; i++) {
		if (!(t->affinity & (1ull << i)) || !cpus[i].online)
			continue;
		if (cpu_is_idle(&cpus[i]))
			return &cpus[i];
		if (!any || cpus[i].nr_queued < any->nr_queued)
			any = &cpus[i];
	}
	if ((t->affinity & (1ull << t->cpu)) &&
	    (!any || last->nr_queued <= any->nr_queued))
		return last;
	return any ? any : &cpus[0];
}

static void set_work(struct task *t, uint32_t bits)
{
	__atomic_fetch_or(&t->work, bits, __ATOMIC_ACQ_REL);
}

/* Put a runnable task in a queue; sched_lock held. */
static void enqueue(struct task *t)
{
	struct cpu *c = choose_cpu(t), *me = this_cpu();

	t->cpu = c->id;
	t->on_rq = true;
	if (t->urgent)
		list_add(&t->run_node, &c->queue);
	else
		list_add_tail(&t->run_node, &c->queue);
	c->nr_queued++;
	if (c->curr == c->idle || t->urgent) {
		set_work(c->curr, TIF_RESCHED);
		if (c != me)
			ipi_resched(c->id);
	}
}

bool wake_task(struct task *t, unsigned states)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	bool woke = false;

	if (t->state & states) {
		t->state = TASK_RUNNING;
		/* Still on its CPU: it has not got to schedule() yet. */
		if (!t->on_cpu && !t->on_rq)
			enqueue(t);
		woke = true;
	}
	spin_unlock_irqrestore(&sched_lock, flags);
	return woke;
}

/* First run of a task whose stack was set up for it. */
void sched_start(struct task *t);
void sched_start(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);

	t->state = TASK_RUNNING;
	enqueue(t);
	spin_unlock_irqrestore(&sched_lock, flags);
}

void set_current_state(unsigned state)
{
	__atomic_store_n(&current->state, state, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static struct task *take_from(struct cpu *c, unsigned for_cpu)
{
	struct task *t;

	list_for_each_entry (t, &c->queue, run_node) {
		if (!(t->affinity & (1ull << for_cpu)))
			continue;
		list_del(&t->run_node);
		c->nr_queued--;
		t->on_rq = false;
		t->cpu = for_cpu;
		return t;
	}
	return NULL;
}

static struct task *pick(struct cpu *c)
{
	struct task *t = take_from(c, c->id);
	unsigned i;

	for (i = 1; !t && i < cpu_count; i++)
		t = take_from(&cpus[(c->id + i) % cpu_count], c->id);
	return t ? t : c->idle;
}

static void account(struct task *prev, struct task *next)
{
	uint64_t now = ktime_ns();

	prev->runtime += now - prev->last_run;
	next->last_run = now;
	all_switches++;
}

/* What the next task does first, in its own context. */
static void finish_switch(struct task *prev)
{
	bool dead = prev->state == TASK_DEAD;

	prev->on_cpu = false;
	spin_unlock(&sched_lock);
	if (dead)
		task_put(prev);
}

void schedule_tail(struct task *prev)
{
	finish_switch(prev);
	irq_enable();
}

static void switch_to(struct cpu *c, struct task *prev, struct task *next)
{
	account(prev, next);
	next->on_cpu = true;
	fpu_save(prev);
	c->curr = next;
	cpu_load_current(c->id, next);
	machine_set_stack(c, next);
	if (next->qt.mm != prev->qt.mm)
		quire_switch_mm(the_quire, next->qt.mm);
	if (next->fpu) {
		user_state_switch(c, next);
		fpu_restore(next);
		timer_rearm();
		if (next->rseq)
			set_work(next, TIF_NOTIFY);
	}
	BUG_ON(prev->kstack_canary != 0x51ed5afe57ac0000ull);
	prev = switch_stacks(prev, next);
	finish_switch(prev);
}

void schedule(void)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);
	struct cpu *c = this_cpu();
	struct task *prev = c->curr, *next;

	__atomic_fetch_and(&prev->work, ~TIF_RESCHED, __ATOMIC_ACQ_REL);
	if (prev->state != TASK_RUNNING && wait_interrupted(prev->state))
		prev->state = TASK_RUNNING;
	if (prev->state == TASK_RUNNING && prev != c->idle) {
		if (!c->nr_queued && (prev->affinity & (1ull << c->id))) {
			spin_unlock_irqrestore(&sched_lock, flags);
			return;
		}
		prev->nivcsw++;
		if (prev->affinity & (1ull << c->id)) {
			prev->on_rq = true;
			list_add_tail(&prev->run_node, &c->queue);
			c->nr_queued++;
		} else {
			enqueue(prev);
		}
	} else if (prev != c->idle) {
		prev->nvcsw++;
	}
	next = pick(c);
	if (next == prev)
		spin_unlock(&sched_lock);
	else
		switch_to(c, prev, next);
	irq_restore(flags);
}

struct sleep_timer {
	struct ktimer timer;
	struct task *task;
	bool fired;
};

static void sleep_over(struct ktimer *t)
{
	struct sleep_timer *s = container_of(t, struct sleep_timer, timer);

	K_WRITE(s->fired, true);
	wake_task(s->task,
		  TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE | TASK_KILLABLE);
}

bool schedule_until(uint64_t deadline)
{
	struct sleep_timer s;

	if (deadline == UINT64_MAX) {
		schedule();
		return true;
	}
	if (deadline <= ktime_ns()) {
		set_current_state(TASK_RUNNING);
		return false;
	}
	timer_init(&s.timer, sleep_over);
	s.task = current;
	s.fired = false;
	timer_start(&s.timer, deadline);
	schedule();
	timer_cancel(&s.timer);
	return !s.fired;
}

void yield(void)
{
	schedule();
}

void cond_resched(void)
{
	if (k_unlikely(K_READ(current->work) & TIF_RESCHED))
		schedule();
}

/* Move a task whose affinity has changed; it may be the current one. */
void sched_affinity_changed(struct task *t);
void sched_affinity_changed(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);

	if (t->on_rq && !(t->affinity & (1ull << t->cpu))) {
		list_del(&t->run_node);
		cpus[t->cpu].nr_queued--;
		enqueue(t);
	} else if (t->on_cpu && !(t->affinity & (1ull << t->cpu))) {
		set_work(t, TIF_RESCHED);
		if (t->cpu != this_cpu()->id)
			ipi_resched(t->cpu);
	}
	spin_unlock_irqrestore(&sched_lock, flags);
}

/* Make a task that runs in user mode look at its work soon. */
void sched_kick(struct task *t);
void sched_kick(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&sched_lock);

	if (t->on_cpu && t->cpu != this_cpu()->id)
		ipi_resched(t->cpu);
	spin_unlock_irqrestore(&sched_lock, flags);
}

_Noreturn void idle_loop(void)
{
	struct cpu *c = this_cpu();

	for (;;) {
		unsigned i;
		bool work = K_READ(c->curr->work) & TIF_RESCHED;

		for (i = 0; i < cpu_count && !work; i++)
			work = K_READ(cpus[i].nr_queued) != 0;
		if (work) {
			irq_enable();
			schedule();
			cpu_relax();
			continue;
		}
		irq_disable();
		if (!(K_READ(c->curr->work) & TIF_RESCHED)) {
			c->idle_since = ktime_ns();
			K_WRITE(c->waiting, true);
			cpu_wait_interrupt();
			idle_end();
		}
		irq_enable();
	}
}
