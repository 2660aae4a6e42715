/* SPDX-License-Identifier: MIT */
/*
 * system.c - what x86 sets up once for a memory system: the number of
 * table levels, the hardware's address-space ids, and the reference table that
 * every address space copies its kernel half from.
 *
 * No locks: called by quire_create and quire_destroy alone.
 */
#include "fault.h"

int arch_system_init(struct quire *q, const struct quire_config *config)
{
	const uint64_t max_pfn = ((uint64_t)PTE_PFN_MASK >> PAGE_SHIFT) + 1;

	q->levels = pgtable_levels(config->levels);
	if (!q->levels || q->max_pfn > max_pfn ||
	    !IS_ALIGNED(config->kernel_table, (paddr_t)PAGE_SIZE) ||
	    config->kernel_table >> PAGE_SHIFT >= PGD_MAX_PFN)
		return -EINVAL;
	spin_lock_init(&q->arch.kmmio.lock, LEAF);
	q->arch.nr_asids =
		config->asids > MAX_ASIDS ? MAX_ASIDS : config->asids;
	return kernel_root_init(q, config->kernel_table, &q->arch.kernel_root);
}

void arch_system_exit(struct quire *q)
{
	kernel_root_exit(q, q->arch.kernel_root);
}
