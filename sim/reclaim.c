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

static bool wanted(struct sim_reclaim *r)
{
	bool stop;

	cpu_park(sim_self);
	pthread_mutex_lock(&r->lock);
	r->busy = false;
	pthread_cond_broadcast(&r->cond);
	while ((!r->wanted || r->held) && !r->stop)
		pthread_cond_wait(&r->cond, &r->lock);
	r->wanted = false;
	stop = r->stop;
	r->busy = !stop;
	pthread_mutex_unlock(&r->lock);
	cpu_unpark(sim_self);
	return !stop;
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

void sim_reclaim_hold(struct sim_machine *m, bool hold)
{
	struct sim_reclaim *r = &m->reclaim;

	if (!r->running)
		return;
	if (sim_self)
		cpu_park(sim_self);
	pthread_mutex_lock(&r->lock);
	r->held = hold;
	pthread_cond_broadcast(&r->cond);
	while (hold && r->busy)
		pthread_cond_wait(&r->cond, &r->lock);
	pthread_mutex_unlock(&r->lock);
	if (sim_self)
		cpu_unpark(sim_self);
}

int sim_reclaim_start(struct sim_machine *m)
{
	if (pthread_create(&m->reclaim.thread, NULL, reclaim_main, m))
		return -ENOMEM;
	m->reclaim.running = true;
	return 0;
}

void sim_reclaim_stop(struct sim_machine *m)
{
	struct sim_reclaim *r = &m->reclaim;

	if (!r->running)
		return;
	if (sim_self)
		cpu_park(sim_self);
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->cond);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
	r->running = false;
	if (sim_self)
		cpu_unpark(sim_self);
}
