/* SPDX-License-Identifier: MIT */
/*
 * smp.c - starting and stopping the other CPUs.
 */
#include "board.h"

extern uint32_t secondary_sp[MAX_CPUS];

void smp_start(unsigned count)
{
	uint64_t give_up = ktime_ns() + 20 * NSEC_PER_SEC;
	paddr_t entry = virt_to_phys((const void *)(uintptr_t)secondary_start);
	unsigned i;
	int err;

	for (i = 1; i < count; i++) {
		secondary_sp[i] = cpus[i].idle->kstack_top - 8;
		cpus[i].arch.mpidr = boot_info.mpidr[i];
		dsb();
		err = psci_cpu_on(boot_info.mpidr[i], entry, i);
		if (err)
			panic("CPU %u: PSCI error %d", i, err);
		while (!__atomic_load_n(&cpus[i].online, __ATOMIC_ACQUIRE)) {
			if (ktime_ns() > give_up)
				panic("CPU %u does not start", i);
			cpu_relax();
		}
	}
}

void halt_others(void)
{
	unsigned i;

	for (i = 0; i < cpu_count; i++)
		if (cpus[i].online && i != this_cpu_id())
			board->irqs->ipi(i, IPI_HALT);
}
