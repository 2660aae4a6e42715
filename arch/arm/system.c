/* SPDX-License-Identifier: MIT */
/*
 * system.c - what ARM sets up once for a memory system: the processor's
 * features, the ASIDs, and the reference table that every address space copies
 * its kernel half from.
 *
 * No locks: called by quire_create and quire_destroy alone.
 */
#include "fault.h"

/* The fewest ids with which a rollover always leaves a free one. */
static bool asids_suffice(unsigned asids, unsigned cpus)
{
	return asids == 0 || asids > cpus;
}

static void init_asids(struct quire *q, const struct quire_config *config)
{
	struct arch_system *a = &q->arch;
	unsigned n = MIN(config->asids, ARM_NR_ASIDS - 1);

	a->nr_asids = n ? n + 1 : 0;
	a->generation = ARM_NR_ASIDS;
	a->next_asid = 1;
	a->asid_map[0] = 1; /* ASID 0 is the kernel's */
	spin_lock_init(&a->asid_lock, LEAF);
	a->cpu_masks = config->cpus > 1 && !config->tlb_broadcast;
}

int arch_system_init(struct quire *q, const struct quire_config *config)
{
	const paddr_t table = (paddr_t)PAGE_SIZE << PGD_ORDER;

	if (config->levels != 0 && config->levels != 2)
		return -EINVAL;
	q->levels = 2;
	if (!IS_ALIGNED(config->kernel_table, table))
		return -EINVAL;
	/* 32-bit descriptors reach the first 4 GiB */
	if (q->max_pfn > (1ull << (32 - PAGE_SHIFT)))
		return -EINVAL;
	if (!asids_suffice(config->asids, config->cpus))
		return -EINVAL;
	/*
	 * colours: a power of two; ARMv6 has at most four (DDI 0100I B6.6).
	 * No multiprocessor has such a cache: flushes here are one CPU's.
	 */
	if (config->dcache_colours > 8 ||
	    (config->dcache_colours > 1 && config->cpus > 1) ||
	    (config->dcache_colours & (config->dcache_colours - 1)))
		return -EINVAL;
	q->arch.alias_pages =
		(uint8_t)(config->dcache_colours ? config->dcache_colours - 1
						 : 0);
	init_asids(q, config);
	arch_faults_init(&q->arch.faults);
	return kernel_root_init(q, config->kernel_table, &q->arch.kernel_root);
}

void arch_system_exit(struct quire *q)
{
	kernel_root_exit(q, q->arch.kernel_root);
}
