/* SPDX-License-Identifier: MIT */
/*
 * oom.c - the simulated machine's out-of-memory killer: sim_config.oom_kill.
 *
 *   one at a time --> short no longer? --> the last victim has more to give?
 *                 --> the largest: its tasks are killed, its memory is taken
 *
 * A victim's tasks belong to the test's threads, which learn of it by the
 * result of their next access (SIGKILL), and end them.  No victim is left, and
 * there still is no memory: SIM_OOM, as without a killer.
 */
#include <sched.h>
#include <time.h>

#include <sim/internal.h>

#define REAP_TRIES 10

/* All tasks of mm are to die; those that sleep wake up. */
static void kill_tasks(struct sim_machine *m, const struct mm_struct *mm)
{
	struct sim_task *t;

	pthread_mutex_lock(&m->lock);
	for (t = m->tasks; t; t = t->next)
		if (t->qt.mm == mm) {
			__atomic_store_n(&t->qt.oom_victim, true,
					 __ATOMIC_RELAXED);
			sim_kill(t);
		}
	pthread_mutex_unlock(&m->lock);
}

/* Its map stayed locked: its memory comes back when its tasks end. */
static void give_up(struct sim_machine *m, const struct mm_struct *mm)
{
	struct sim_task *t;

	pthread_mutex_lock(&m->lock);
	for (t = m->tasks; t; t = t->next)
		if (t->qt.mm == mm)
			t->oom_given_up = true;
	pthread_mutex_unlock(&m->lock);
}

/* quire_oom_victim(): by size alone, without those given up. */
static uint64_t points(struct mm_struct *mm, uint64_t badness, void *cookie)
{
	struct sim_machine *m = cookie;
	struct sim_task *t;
	bool any = false;

	pthread_mutex_lock(&m->lock);
	for (t = m->tasks; t; t = t->next)
		if (t->qt.mm == mm) {
			any = true;
			if (t->oom_given_up)
				badness = 0;
		}
	pthread_mutex_unlock(&m->lock);
	/* (a child that fork is still at has nobody to be killed) */
	return any ? badness : 0;
}

/* Somebody may keep its map locked for a while. */
static uint64_t reap(struct mm_struct *mm)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	uint64_t pages = 0;
	unsigned i;

	for (i = 0; i < REAP_TRIES && !pages; i++) {
		if (i) {
			(void)nanosleep(&ms, NULL);
			cpu_poll(sim_self);
		}
		pages = quire_oom_reap(mm);
	}
	return pages;
}

/* m->oom_lock held: true: memory has come back. */
static bool find_memory(struct sim_machine *m)
{
	struct mm_struct *mm;

	while (quire_memory_short(m->q)) {
		mm = quire_oom_victim(m->q, points, m);
		if (!mm)
			return false;
		__atomic_fetch_add(&m->oom_kills, 1, __ATOMIC_RELAXED);
		kill_tasks(m, mm);
		if (!reap(mm))
			give_up(m, mm);
		quire_mm_put(mm);
	}
	return true;
}

bool sim_oom_kill(struct sim_machine *m)
{
	bool found;

	while (pthread_mutex_trylock(&m->oom_lock)) {
		cpu_poll(sim_self); /* the one who has it may need us */
		sched_yield();
	}
	found = find_memory(m);
	pthread_mutex_unlock(&m->oom_lock);
	return found;
}
