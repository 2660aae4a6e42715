/* SPDX-License-Identifier: MIT */
/*
 * smp.c - starting the other CPUs.
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
