/* SPDX-License-Identifier: MIT */
/*
 * call.c - making other CPUs run a function.
 *
 * A call: the caller writes fn and arg in its own struct cpu, sets its bit in
 * each target's call_pending, interrupts them, and waits until call_left is
 * empty.  A target takes all bits and answers each.  While the caller waits it
 * answers calls itself, so two CPUs that call each other both get on; so does
 * every spin loop (quire_host_relax, kspin_slow), with interrupts on or off.
 */
#include "cpu.h"

void cpu_call_answer(void)
{
	struct cpu *me = this_cpu();
	uint64_t bits =
		__atomic_exchange_n(&me->call_pending, 0, __ATOMIC_ACQ_REL);

	while (bits) {
		unsigned from = (unsigned)__builtin_ctzll(bits);
		struct cpu *c = &cpus[from];

		bits &= bits - 1;
		c->call_fn(c->call_arg);
		__atomic_fetch_and(&c->call_left, ~(1ull << me->id),
				   __ATOMIC_ACQ_REL);
	}
}

void quire_host_cpu_call(cpumask_t mask, void (*fn)(void *arg), void *arg)
{
	/* Interrupts stay off: one call of ours at a time, and this CPU does
	 * not change under us. */
	unsigned long flags = irq_save();
	struct cpu *me = this_cpu();
	uint64_t targets = mask & ~(1ull << me->id), left;

	for (left = targets; left; left &= left - 1)
		if (!cpus[__builtin_ctzll(left)].online)
			targets &= ~(left & -left);
	me->call_fn = fn;
	me->call_arg = arg;
	__atomic_store_n(&me->call_left, targets, __ATOMIC_RELEASE);
	for (left = targets; left; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctzll(left);

		__atomic_fetch_or(&cpus[n].call_pending, 1ull << me->id,
				  __ATOMIC_ACQ_REL);
		ipi_call(n);
	}
	while (__atomic_load_n(&me->call_left, __ATOMIC_ACQUIRE)) {
		if (K_READ(me->call_pending))
			cpu_call_answer();
		cpu_relax();
	}
	irq_restore(flags);
}

/* A spinlock of the kernel's is held by another CPU. */
void kspin_slow(struct spinlock *l)
{
	do {
		while (K_READ(l->locked)) {
			struct cpu *me = this_cpu();

			if (K_READ(me->call_pending)) {
				unsigned long flags = irq_save();

				cpu_call_answer();
				irq_restore(flags);
			}
			cpu_relax();
		}
	} while (__atomic_exchange_n(&l->locked, 1u, __ATOMIC_ACQUIRE));
}
