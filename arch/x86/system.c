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
	struct page *page;

	q->levels = pgtable_levels(config->levels);
	if (!q->levels || q->max_pfn > max_pfn ||
	    !IS_ALIGNED(config->kernel_table, (paddr_t)PAGE_SIZE) ||
	    config->kernel_table >> PAGE_SHIFT >= PGD_MAX_PFN)
		return -EINVAL;
	q->arch.nr_asids =
		config->asids > MAX_ASIDS ? MAX_ASIDS : config->asids;
	q->arch.kernel_root = config->kernel_table;
	if (q->arch.kernel_root)
		return 0;
	page = alloc_pages_quiet(q, __GFP_ZERO | __GFP_RESERVE, 0);
	page = page_below(q, page, __GFP_ZERO | __GFP_RESERVE, PGD_MAX_PFN);
	if (!page)
		return -ENOMEM;
	__SetPageFlag(page, PG_reserved);
	q->arch.kernel_root = (paddr_t)page_to_pfn(q, page) << PAGE_SHIFT;
	return 0;
}

void arch_system_exit(struct quire *q)
{
	struct page *page;

	if (q->config.kernel_table)
		return;
	page = pfn_to_page(q, q->arch.kernel_root >> PAGE_SHIFT);
	ClearPageFlag(page, PG_reserved);
	put_page(q, page);
}
