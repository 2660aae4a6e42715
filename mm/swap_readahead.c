/* SPDX-License-Identifier: MIT */
/*
 * swap_readahead.c - reading from swap what a fault wants.
 *
 * Locks: none; it sleeps.
 */
#include "reclaim.h"
#include "swap_area.h"

struct page *swapin_readahead(struct quire *q, swp_entry_t entry, gfp_t gfp,
			      struct vm_area_struct *vma, uaddr_t addr,
			      bool *major)
{
	struct page *page;
	bool fresh;

	(void)vma;
	(void)addr;
	*major = false;
	page = swap_cache_add(q, entry, gfp, &fresh);
	if (!fresh)
		return page;
	*major = true;
	workingset_came_back(q, page, entry.v, WORKINGSET_SWAP);
	lru_cache_add(q, page, false);
	swap_readpage(q, page);
	return page;
}
