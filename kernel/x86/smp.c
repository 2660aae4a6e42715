/* SPDX-License-Identifier: MIT */
/*
 * smp.c - starting the other CPUs, and making them run a function.
 *
 * A call: the caller writes fn and arg in its own struct cpu, sets its bit in
 * each target's call_pending, interrupts them, and waits until call_left is
 * empty.  A target takes all bits and answers each.  While the caller waits it
 * answers calls itself, so two CPUs that call each other both get on; so does
 * every spin loop (quire_host_relax, kspin_slow), with interrupts on or off.
 */
#include "cpu.h"

#define TRAMPOLINE 0x8000ull

extern uint64_t ap_stacks[MAX_CPUS];
extern uint32_t ap_next, ap_limit, ap_root, ap_cr4, ap_efer;

void smp_start(unsigned count)
{
	uint32_t *root = phys_to_virt(
		TRAMPOLINE + (uint64_t)((char *)&ap_root - ap_trampoline));
	uint32_t *cr4 = phys_to_virt(
		TRAMPOLINE + (uint64_t)((char *)&ap_cr4 - ap_trampoline));
	uint32_t *efer = phys_to_virt(
		TRAMPOLINE + (uint64_t)((char *)&ap_efer - ap_trampoline));
	uint64_t give_up = ktime_ns() + 20 * NSEC_PER_SEC;
	unsigned i;

	if (count < 2)
		return;
	memcpy(phys_to_virt(TRAMPOLINE), ap_trampoline,
	       (size_t)(ap_trampoline_end - ap_trampoline));
	*root = (uint32_t)boot_root;
	*cr4 = 0x20 | (paging_levels == 5 ? (uint32_t)CR4_LA57 : 0);
	*efer = 0x100 | (cpu_features.nx ? 0x800 : 0);
	for (i = 1; i < count; i++)
		ap_stacks[i] = cpus[i].idle->kstack_top;
	K_WRITE(ap_limit, count);
	apic_start_others(TRAMPOLINE);
	for (i = 1; i < count; i++)
		while (!__atomic_load_n(&cpus[i].online, __ATOMIC_ACQUIRE)) {
			if (ktime_ns() > give_up)
				panic("CPU %u does not start", i);
			cpu_relax();
		}
}

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
		apic_ipi(n, VEC_CALL);
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
