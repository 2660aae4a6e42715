/* SPDX-License-Identifier: MIT */
/*
 * cache.c - contents and caches (P8).
 *
 * An ARM fetches instructions through a cache of its own, which does not see
 * what a store has left in the data cache.  The kernel writes pages through
 * its direct map: fresh zeroes, copies, what a file system has read.  Before a
 * user can execute one, its lines are cleaned and the instruction cache
 * invalidated; once, however many map it.  Two flags of the page:
 *
 *     PG_dcache_exec    somebody has made it executable since it was allocated
 *     PG_dcache_clean   and instruction fetch sees the contents
 *
 *     the kernel writes (flush_dcache_page)    an executable entry is made
 *     store                                    count the mapping
 *     full barrier                             full barrier
 *     not exec: done                           clean: done
 *     mapped: sync                             set exec; full barrier
 *     else clear clean; full barrier;          sync
 *          mapped now: sync                    set clean
 *
 * Writer and mapper cannot miss each other.  Either the writer sees exec, or
 * the mapper's sync has what the writer stored.  A writer that sees it leaves
 * nothing to others while the page is mapped; by the time it has cleared clean,
 * a mapper that had still found it set has been counted.  (One flag would not
 * do: a mapper that has synced and not yet set it would set it over what was
 * stored in between.)
 *
 * What a program itself writes and then executes is its own affair: it asks
 * for it by the cacheflush call, as on every ARM system.
 *
 * Aliases.  An ARMv6 data cache may be indexed by more bits of the virtual
 * address than a page has (DDI 0100I B6.6): then a line of a page can be in the
 * cache once for each colour of its addresses, and they do not see each other.
 * (ARM1176 has 16 KiB in 4 ways, so a way is a page, and no aliases; larger
 * ones have.  config.dcache_colours tells.)  User mappings of a page all have
 * one colour: private ones because fork copies addresses, shared ones because
 * mmap() places them so (arch_shared_colour).  The kernel's direct map has the
 * colour of the frame.  So lines change hands at these points:
 *
 *   an entry appears            the kernel's lines go  arch_flush_kernel_alias
 *   an entry stops allowing     the user's lines go, with the flush of the TLB:
 *   writes                      before the page is copied or freed
 *   the kernel reads or         both go before         arch_flush_user_lines
 *   writes a mapped page        and after a write      arch_page_written
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

	if (!pfn_valid(q, pfn) || (pte_special(pte) && !is_zero_pfn(q, pfn)))
		return; /* a device's: see arch_frame_written */
	page = pfn_to_page(q, pfn);
	smp_mb(); /* after the mapping was counted: see above */
	if (PageFlag(page, PG_dcache_clean))
		return;
	SetPageFlag(page, PG_dcache_exec);
	smp_mb();
	quire_host_sync_icache(page_address(q, page), PAGE_SIZE);
	SetPageFlag(page, PG_dcache_clean);
}

/* Does addr have another colour than the kernel's address of the frame? */
static bool aliases(const struct quire *q, uint64_t pfn, uaddr_t addr)
{
	return ((pfn ^ addr >> PAGE_SHIFT) & q->arch.alias_pages) != 0;
}

void arch_flush_kernel_alias(struct quire *q, uaddr_t addr, pte_t pte)
{
	uint64_t pfn = pte_pfn(pte);

	if (!pte_present(pte) || !aliases(q, pfn, addr) || !pfn_valid(q, pfn) ||
	    (pte_special(pte) && !is_zero_pfn(q, pfn)))
		return;
	quire_host_flush_dcache(phys_to_virt(q, (paddr_t)pfn << PAGE_SHIFT),
				PAGE_SIZE);
}

void arch_flush_user_lines(struct quire *q, struct page *page)
{
	if (page_mapcount(page))
		quire_host_flush_dcache_all();
	else /* left from the kernel's reading while it was mapped */
		quire_host_flush_dcache(page_address(q, page), PAGE_SIZE);
}

void arch_page_written(struct quire *q, struct page *page)
{
	if (q->arch.alias_pages && page_mapcount(page))
		quire_host_flush_dcache(page_address(q, page), PAGE_SIZE);
	if (!PageFlag(page, PG_dcache_exec))
		return;
	if (!page_mapcount(page)) {
		ClearPageFlag(page, PG_dcache_clean);
		smp_mb(); /* before we look again: see above */
		if (!page_mapcount(page))
			return;
	}
	quire_host_sync_icache(page_address(q, page), PAGE_SIZE);
}
