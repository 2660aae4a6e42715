/* SPDX-License-Identifier: MIT */
/*
 * reclaim.c - getting memory back when an allocation finds none.
 *
 * So far from one source: pages of files that are clean and mapped nowhere,
 * which can always be read again.
 *
 *     active file --(too many)--> inactive file --tail--> isolated
 *                                      ^                     |  page lock,
 *                                      |  in use, dirty,     |  nobody else
 *                                      '-- used lately ------+--> freed
 *
 * An isolated page has a reference and is on no list, so that two CPUs do not
 * work on one.  It is dropped only when, under its lock and the tree_lock (so
 * nobody can find it), the references are the cache's and ours.
 *
 * What is dirty has to be written first: the flusher is asked to, and who needs
 * memory for user pages writes or waits himself when there is nothing else
 * (reclaim_writeback).
 *
 * Locks: lru_lock to isolate and put back; page lock, by trylock since the
 * caller may hold any; tree_lock inside it.
 */
#include "reclaim.h"
#include "writeback.h"

#define ISOLATE 32u

/* lru_lock held: take one page off its list, with a reference. */
static bool isolate_page(struct quire_node *n, struct page *page)
{
	if (!try_get_page(page))
		return false; /* its last user is about to take it off */
	lru_unlink(n, page);
	ClearPageFlag(page, PG_lru);
	return true;
}

static unsigned isolate(struct quire_node *n, enum lru_list list,
			struct page **pages, unsigned max)
{
	struct page *page, *next;
	unsigned nr = 0, seen = 0;

	spin_lock(&n->lru_lock);
	for (page = list_entry(n->lru[list].prev, struct page, lru);
	     &page->lru != &n->lru[list] && nr < max && seen < 2 * ISOLATE;
	     page = next, seen++) {
		next = list_entry(page->lru.prev, struct page, lru);
		if (isolate_page(n, page))
			pages[nr++] = page;
	}
	spin_unlock(&n->lru_lock);
	return nr;
}

/* One round on the inactive list of a node.  *left: pages looked at. */
static uint64_t shrink_inactive(struct quire *q, struct quire_node *n,
				unsigned want, unsigned *looked)
{
	struct page *pages[ISOLATE];
	unsigned i, nr, keep = 0, freed = 0;

	nr = isolate(n, LRU_INACTIVE_FILE, pages, MIN(want, ISOLATE));
	*looked = nr;
	for (i = 0; i < nr; i++) {
		struct page *page = pages[i];
		bool dropped = false;

		/* used since it came to the tail: a second chance */
		if (!TestClearPageFlag(page, PG_referenced) &&
		    trylock_page(page)) {
			dropped = drop_cached_page(page);
			unlock_page(page);
		}
		if (!dropped) {
			pages[keep++] = page;
			continue;
		}
		freed++;
		put_page(q, page); /* the cache's; ours is left */
		put_page(q, page);
	}
	if (keep)
		putback_lru_pages(q, pages, keep);
	mod_vmstat(q, VM_pgscan_direct, (long)nr);
	mod_vmstat(q, VM_pgsteal_direct, (long)freed);
	return freed;
}

/* Keep the inactive list at least as long as the active one. */
static void refill_inactive(struct quire *q, struct quire_node *n)
{
	struct page *pages[ISOLATE];
	unsigned i, nr;

	if (READ_ONCE(*lru_count(n, LRU_INACTIVE_FILE)) >=
	    READ_ONCE(*lru_count(n, LRU_ACTIVE_FILE)))
		return;
	nr = isolate(n, LRU_ACTIVE_FILE, pages, ISOLATE);
	for (i = 0; i < nr; i++) {
		ClearPageFlag(pages[i], PG_active);
		ClearPageFlag(pages[i], PG_referenced);
	}
	if (nr)
		putback_lru_pages(q, pages, nr);
	mod_vmstat(q, VM_pgdeactivate, (long)nr);
}

/* One node: up to nr pages, looking at each page of its lists twice at most. */
static uint64_t shrink_node(struct quire *q, struct quire_node *n, uint64_t nr)
{
	uint64_t budget, freed = 0;
	unsigned looked;

	budget = 2 * (READ_ONCE(*lru_count(n, LRU_INACTIVE_FILE)) +
		      READ_ONCE(*lru_count(n, LRU_ACTIVE_FILE))) +
		 ISOLATE;
	while (freed < nr) {
		refill_inactive(q, n);
		freed += shrink_inactive(q, n, ISOLATE, &looked);
		if (!looked || looked >= budget)
			break;
		budget -= looked;
	}
	return freed;
}

uint64_t shrink_page_cache(struct quire *q, uint64_t nr)
{
	uint64_t freed = 0;
	unsigned i;

	lru_add_drain(q);
	for (i = 0; i < q->nodes && freed < nr; i++)
		freed += shrink_node(q, &q->node[i], nr - freed);
	if (freed < nr && vmstat_sum(q, VM_nr_dirty) > 0) {
		/* what is dirty can be had once it is written */
		__atomic_fetch_or(&q->wb_wanted, 1u, __ATOMIC_RELAXED);
		wake_flusher(q);
	}
	return freed;
}
