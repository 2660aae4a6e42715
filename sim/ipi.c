/* SPDX-License-Identifier: MIT */
/*
 * Inter-processor interrupts: quire_host_cpu_call().
 *
 *   caller                          target, busy       target, idle or asleep
 *     push request, set flag  --->  polls: runs fn     (caller runs fn itself,
 *     spin (answering its own)      left--              as that CPU, under
 *     left == 0: return                                 that CPU's lock)
 *
 * A busy CPU polls at each access, each round of a spin, and when it enables
 * preemption; hence between two polls it cannot be interrupted, as a processor
 * cannot be within an instruction.  The lock of the target is the only one
 * held while fn runs; fn takes none, by contract.
 */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include <sim/internal.h>

/* Run fn as if on cpu; its lock is held, or it is this thread's own. */
static void run_as(struct sim_cpu *cpu, void (*fn)(void *arg), void *arg)
{
	struct sim_cpu *was = sim_self;

	sim_self = cpu;
	cpu->preempt++;
	fn(arg);
	cpu->preempt--;
	sim_self = was;
}

void cpu_poll_slow(struct sim_cpu *cpu)
{
	struct sim_ipi *ipi, *next;

	pthread_mutex_lock(&cpu->lock);
	ipi = cpu->pending;
	cpu->pending = NULL;
	__atomic_store_n(&cpu->ipi_flag, 0, __ATOMIC_RELAXED);
	for (; ipi; ipi = next) {
		/* The request is the caller's again once left is down. */
		next = ipi->next;
		run_as(cpu, ipi->fn, ipi->arg);
		__atomic_sub_fetch(ipi->left, 1u, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&cpu->lock);
}

/* true: done on its behalf; false: it will answer, *ipi is queued. */
static bool call_one(struct sim_cpu *cpu, struct sim_ipi *ipi)
{
	bool done = false;

	pthread_mutex_lock(&cpu->lock);
	if (!cpu->busy) {
		run_as(cpu, ipi->fn, ipi->arg);
		done = true;
	} else {
		ipi->next = cpu->pending;
		cpu->pending = ipi;
		__atomic_store_n(&cpu->ipi_flag, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&cpu->lock);
	return done;
}

/*
 * Wait a little: the one waited for may need this very processor.  A yield is
 * often no more than a hint to the scheduler, so it becomes a short sleep.
 */
static void back_off(unsigned spins)
{
	if (spins < 32) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#endif
	} else if (spins < 128) {
		sched_yield();
	} else {
		nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
	}
}

static void wait_for(struct sim_cpu *self, uint32_t *left)
{
	uint64_t end = 0;
	unsigned spins = 0;

	while (__atomic_load_n(left, __ATOMIC_ACQUIRE)) {
		cpu_poll(self);
		back_off(++spins);
		if (spins % 1024)
			continue;
		if (!end)
			end = quire_host_time_ns() +
			      self->m->config.wait_seconds * 1000000000ull;
		else if (quire_host_time_ns() > end)
			quire_host_panic(__FILE__, __LINE__,
					 "a CPU does not answer an IPI: does "
					 "its thread block while bound?");
	}
}

void cpu_call(cpumask_t cpus, void (*fn)(void *arg), void *arg)
{
	struct sim_cpu *self = sim_self;
	struct sim_ipi ipi[QUIRE_MAX_CPUS];
	uint32_t left = 0;
	unsigned i;

	/* Counted up first: an early answer must not reach 0 too soon. */
	for (i = 0; i < QUIRE_MAX_CPUS; i++)
		if ((cpus >> i & 1) && self->m->cpu[i] &&
		    self->m->cpu[i] != self)
			left++;
	for (i = 0; i < QUIRE_MAX_CPUS; i++) {
		struct sim_cpu *cpu = self->m->cpu[i];

		if (!(cpus >> i & 1) || !cpu || cpu == self)
			continue;
		ipi[i] = (struct sim_ipi){fn, arg, &left, NULL};
		if (call_one(cpu, &ipi[i]))
			__atomic_sub_fetch(&left, 1u, __ATOMIC_RELEASE);
	}
	wait_for(self, &left);
}

void quire_host_cpu_call(cpumask_t cpus, void (*fn)(void *arg), void *arg)
{
	unsigned i;

	for (i = 0; i < QUIRE_MAX_CPUS; i++)
		if ((cpus >> i & 1) && sim_self->m->cpu[i] &&
		    sim_self->m->cpu[i] != sim_self)
			__atomic_fetch_add(&sim_self->m->cpu[i]->stats.ipis, 1u,
					   __ATOMIC_RELAXED);
	cpu_call(cpus, fn, arg);
}

void quire_host_relax(unsigned spins)
{
	cpu_poll(sim_self);
	back_off(spins);
}

void quire_host_preempt_disable(void)
{
	sim_self->preempt++;
}

void quire_host_preempt_enable(void)
{
	struct sim_cpu *cpu = sim_self;

#ifdef QUIRE_DEBUG
	if (!cpu->preempt) {
		sim_violation("preemption enabled more often than disabled");
		return;
	}
#endif
	if (!--cpu->preempt)
		cpu_poll(cpu);
}
