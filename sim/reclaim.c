/* SPDX-License-Identifier: MIT */
/*
 * The thread of background reclaim (config.reclaim_thread), on a CPU of its own
 * after the others: sleeps until quire_host_wake_reclaim(), and then has
 * quire_reclaim_work() do one round; what wakes it meanwhile makes another.
 *
 * Locks: m->reclaim.lock, not held while Quire is called.
 */
#include <string.h>

#include <sim/internal.h>

void quire_host_wake_reclaim(struct quire *q)
{
	struct sim_machine *m = sim_self->m;
	struct sim_reclaim *r = &m->reclaim;

	(void)q;
	__atomic_fetch_add(&sim_self->stats.reclaim_wakes, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&r->lock);
	r->wanted = true;
	pthread_cond_broadcast(&r->cond);
	pthread_mutex_unlock(&r->lock);
}

/* Whoever waits may be interrupted; a thread without a CPU need not say so. */
static void park(void)
{
	if (sim_self)
		cpu_park(sim_self);
}

static void unpark(void)
{
	if (sim_self)
		cpu_unpark(sim_self);
}

/* Until ready(r), which is asked again when something has changed. */
static void set_and_wait(struct sim_reclaim *r, bool *flag, bool value,
			 bool (*ready)(struct sim_reclaim *r))
{
	park();
	pthread_mutex_lock(&r->lock);
	*flag = value;
	pthread_cond_broadcast(&r->cond);
	while (!ready(r))
		pthread_cond_wait(&r->cond, &r->lock);
	pthread_mutex_unlock(&r->lock);
	unpark();
}

/* Work, or the end: either is taken. */
static bool take_work(struct sim_reclaim *r)
{
	if (!r->stop && (!r->wanted || r->held))
		return false;
	r->wanted = false;
	r->busy = !r->stop;
	return true;
}

static bool wanted(struct sim_reclaim *r)
{
	set_and_wait(r, &r->busy, false, take_work);
	return r->busy; /* nobody else sets it */
}

static void *reclaim_main(void *arg)
{
	struct sim_machine *m = arg;

	sim_bind(m, m->nr_cpus + m->config.io_thread);
	while (wanted(&m->reclaim)) {
		quire_reclaim_work(m->q);
		check_balance(sim_self, "quire_reclaim_work");
	}
	sim_unbind();
	return NULL;
}

static bool idle_if_held(struct sim_reclaim *r)
{
	return !r->held || !r->busy;
}

void sim_reclaim_hold(struct sim_machine *m, bool hold)
{
	struct sim_reclaim *r = &m->reclaim;

	if (r->running)
		set_and_wait(r, &r->held, hold, idle_if_held);
}

int sim_reclaim_start(struct sim_machine *m)
{
	if (pthread_create(&m->reclaim.thread, NULL, reclaim_main, m))
		return -ENOMEM;
	m->reclaim.running = true;
	return 0;
}

static bool at_once(struct sim_reclaim *r)
{
	(void)r;
	return true;
}

void sim_reclaim_stop(struct sim_machine *m)
{
	struct sim_reclaim *r = &m->reclaim;

	if (!r->running)
		return;
	set_and_wait(r, &r->stop, true, at_once);
	park();
	pthread_join(r->thread, NULL);
	unpark();
	r->running = false;
}
