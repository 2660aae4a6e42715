/* SPDX-License-Identifier: MIT */
/* A page's way out to swap, for tests. */
#ifndef QUIRE_TESTS_SWAPOUT_H
#define QUIRE_TESTS_SWAPOUT_H

#include <rmap.h>
#include <reclaim.h>

#include "swapdev.h"

/* The page of t at a goes out; drop: it leaves the swap cache as well. */
static inline void swap_out(struct sim_task *t, uaddr_t a, bool drop)
{
	struct page *page = page_at(t, a);
	struct quire *q = t->qt.q;

	sim_run(t);
	lru_add_drain(q);
	get_page(page);
	lock_page(page);
	if (!PageFlag(page, PG_swapcache))
		REQUIRE(add_to_swap(q, page));
	CHECK(try_to_unmap(q, page, 0));
	CHECK_EQ(page_mapcount(page), 0);
	if (PageFlag(page, PG_dirty))
		swap_writepage(q, page);
	else
		unlock_page(page);
	if (drop) {
		lock_page(page);
		REQUIRE(drop_swap_cache_page(q, page));
		unlock_page(page);
		put_page(q, page);
	}
	put_page(q, page);
}

#endif
