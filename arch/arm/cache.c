/* SPDX-License-Identifier: MIT */
/*
 * cache.c - contents and caches (P8).
 *
 * An ARM fetches instructions through a cache of its own, which does not see
 * what a store has left in the data cache.  The kernel writes pages through
 * its direct map: fresh zeroes, copies, what a file system has read.  Before a
 * user can execute one, its lines are cleaned and the instruction cache
 * invalidated; once, however many map it:
 *
 *     kernel writes the page        PG_dcache_clean cleared (flush_dcache_page;
 *                                   a fresh page never has it)
 *     executable entry is made      flag clear: sync, set it
 *
 * What a program itself writes and then executes is its own affair: it asks
 * for it by the cacheflush call, as on every ARM system.
 *
 * Locks: none of its own.  Two CPUs that make entries at once may both sync;
 * neither's entry appears before its own sync is complete.
 */
#include "mm.h"
#include <asm/pgtable.h>

void arch_sync_exec(struct quire *q, pte_t pte)
{
	uint64_t pfn = pte_pfn(pte);
	struct page *page;

	if (!pfn_valid(q, pfn))
		return; /* a device's: not cached */
	page = pfn_to_page(q, pfn);
	if (PageFlag(page, PG_dcache_clean))
		return;
	quire_host_sync_icache(page_address(q, page), PAGE_SIZE);
	SetPageFlag(page, PG_dcache_clean);
}
