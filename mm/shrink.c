/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - what reclaim does with a page that is off its list (isolated).
 *
 *   isolated
 *     page lock, by trylock    somebody works on it: not now
 *     under write-back?        marked PG_reclaim: the end of the write puts it
 *                              to the tail, where it is the next to go
 *     page_referenced, policy  used lately: back to a list
 *     private memory           a slot of swap, swap cache
 *     try_to_unmap             nobody stores to it from here on
 *     dirty?                   a file's: the flusher is asked; swap: written,
 *                              comes back later
 *     clean                    and nobody has a reference but its cache and
 *                              reclaim: freed
 *
 * The last step is one under the lock by which the page would be found
 * (tree_lock, the slot's cluster), so no reference can come in between.
 *
 * Locks: the page lock; inside it those of rmap (by trylock), the page tree,
 * the swap slots and lru_lock.  No page lock is held where two pages are at
 * hand, so who calls may hold any of them.
 */
#include "vmscan.h"
#include "filemap.h"
#include "swap_area.h"

enum fate {
	PAGE_KEEP,
	PAGE_FREED,   /* the last reference is reclaim's */
	PAGE_WRITTEN, /* to swap: it may be clean by now */
};

/* The policy's word on the locked page. */
static bool is_used(struct scan_control *sc, struct page *page)
{
	struct quire *q = sc->q;
	struct quire_node *n = &q->node[page->node];
	enum quire_lru_verdict verdict;
	struct quire_lru_page lp;
	vm_flags_t flags;
	unsigned referenced = page_referenced(q, page, &flags);

	if (flags & VM_LOCKED)
		return true;
	spin_lock(&n->lru_lock);
	lru_page_get(page, &lp);
	lp.referenced = referenced;
	lp.exec = (flags & VM_EXEC) != 0;
	verdict = q->config.reclaim->judge(&n->state, &lp);
	lru_page_set(q, page, &lp);
	spin_unlock(&n->lru_lock);
	return verdict != QUIRE_LRU_EVICT;
}

/* Under write-back, or it will be: it goes as soon as that is over. */
static void reclaim_when_written(struct scan_control *sc, struct page *page)
{
	if (!PageFlag(page, PG_reclaim)) {
		SetPageFlag(page, PG_reclaim);
		count_vm_events(sc->q, VM_nr_vmscan_immediate_reclaim, 1);
	}
	if (!PageFlag(page, PG_writeback)) {
		sc->nr_dirty++;
		return;
	}
	sc->nr_writeback++;
	if (!sc->waited) {
		get_page(page);
		sc->waited = page;
	}
}

/*
 * Locked, mapped nowhere, clean: out of the cache that it is in.  True: the
 * caller's is the last reference.
 */
static bool drop_page(struct quire *q, struct page *page)
{
	struct address_space *as = READ_ONCE(page->mapping);
	uint64_t key, index = page->index;

	if (PageFlag(page, PG_swapcache)) {
		key = page_swap_entry(page).v;
		index = WORKINGSET_SWAP;
		if (!drop_swap_cache_page(q, page))
			return false;
	} else if (!as || PageAnon(page)) {
		return page_count(page) == 1; /* nobody can find it any more */
	} else {
		key = as->number;
		if (!drop_cached_page(page))
			return false;
	}
	workingset_eviction(q, page, key, index);
	put_page(q, page);
	return true;
}

/*
 * A locked page whose device is swap.  If that did not take it the last time,
 * and nobody has got it back since, its users do: true if areas of a priority
 * below *below may be asked now.
 */
static bool offer_again(struct scan_control *sc, struct page *page, int *below)
{
	struct quire *q = sc->q;

	if (likely(!swap_refused(page)) || !PageFlag(page, PG_swapcache) ||
	    !PageFlag(page, PG_dirty))
		return true;
	*below = swap_page_priority(q, page);
	if (swap_take_back(q, page))
		return true;
	/* in nobody's reach now: to its old place, when it is time */
	*below = SWAP_ANY_PRIORITY;
	if (sc->take_all || !swap_kept_off(q, page))
		return true;
	lru_keep_off(q, page);
	return false;
}

/*
 * A locked page of the swap cache that somebody uses, of an area that swapoff
 * is at: it has just been brought back, or is about to be.  If it went it would
 * only be read again, and swapoff would neither get done nor find out that
 * there is no room.
 */
static bool swapoff_wants(struct quire *q, struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);

	return !READ_ONCE(swap_area_of(q, entry)->writable) &&
	       (page_mapcount(page) || swap_users(q, entry));
}

/* A locked page whose device is swap: to where it can be written from.  False:
 * it stays. */
static bool unmap_to_swap(struct scan_control *sc, struct page *page)
{
	struct quire *q = sc->q;
	bool anon = PageAnon(page);
	int below = SWAP_ANY_PRIORITY;

	if (!offer_again(sc, page, &below))
		return false;
	if (!PageFlag(page, PG_swapcache)) {
		if (anon && !page_mapcount(page))
			return true; /* its last user has just gone */
		if (!sc->can_swap || READ_ONCE(page->pins))
			return false;
		if (anon && !add_to_swap_below(q, page, below))
			return false;
	} else if (unlikely(swapoff_wants(q, page))) {
		return false;
	}
	if (page_mapcount(page) && !try_to_unmap(q, page, 0)) {
		(void)try_to_free_swap(q, page);
		return false;
	}
	/* (shared memory whose file has just dropped it goes at once) */
	return anon || PageFlag(page, PG_swapcache) ||
	       !READ_ONCE(page->mapping) || shmem_swap_out(q, page, below);
}

/* A locked page that is to go.  PAGE_WRITTEN: it is not locked any more. */
static enum fate evict(struct scan_control *sc, struct page *page)
{
	struct quire *q = sc->q;
	bool lazy = PageAnon(page) && !PageFlag(page, PG_swapbacked);

	if (PageFlag(page, PG_swapbacked)) {
		if (!unmap_to_swap(sc, page))
			return PAGE_KEEP;
		if (PageFlag(page, PG_swapcache) && PageFlag(page, PG_dirty)) {
			count_vm_events(q, VM_nr_vmscan_write, 1);
			SetPageFlag(page, PG_reclaim);
			swap_batch_add(&sc->swap, page);
			return PAGE_WRITTEN;
		}
	} else {
		/* (it would only be mapped again before it is written) */
		if (!lazy && PageFlag(page, PG_dirty)) {
			reclaim_when_written(sc, page);
			return PAGE_KEEP;
		}
		if (page_mapcount(page) && !try_to_unmap(q, page, 0))
			return PAGE_KEEP;
		if (PageFlag(page, PG_dirty)) { /* by what the entries said */
			if (!lazy)
				reclaim_when_written(sc, page);
			return PAGE_KEEP;
		}
	}
	if (!drop_page(q, page))
		return PAGE_KEEP;
	if (lazy)
		count_vm_events(q, VM_pglazyfreed, 1);
	return PAGE_FREED;
}

/* The lock goes.  A page of the swap cache may have lost its last user while
 * others found it locked. */
static void unlock_looked_at(struct quire *q, struct page *page)
{
	unlock_page(page);
	if (PageFlag(page, PG_swapcache))
		free_swap_cache(q, page);
}

/* Is there anything to write it to, or need it not be written?  (A look.) */
static bool has_a_place(const struct scan_control *sc, const struct page *page)
{
	return sc->can_swap || PageFlag(page, PG_swapcache) ||
	       !PageFlag(page, PG_swapbacked);
}

static enum fate shrink_page(struct scan_control *sc, struct page *page)
{
	enum fate fate = PAGE_KEEP;

	if (!sc->take_all && !PageFlag(page, PG_swapcache) &&
	    swap_kept_off(sc->q, page)) {
		lru_keep_off(sc->q, page);
		sc->kept_off++;
		return PAGE_KEEP;
	}
	if (PageFlag(page, PG_unevictable) || !has_a_place(sc, page) ||
	    !trylock_page(page))
		return PAGE_KEEP;
	if (PageFlag(page, PG_writeback))
		reclaim_when_written(sc, page);
	else if (sc->take_all || !is_used(sc, page))
		fate = evict(sc, page);
	if (fate != PAGE_WRITTEN)
		unlock_looked_at(sc->q, page);
	return fate;
}

/*
 * Written to swap: where the device was quick, it can go at once; or somewhere
 * else, where it was refused.
 */
static bool finish_written(struct scan_control *sc, struct page *page)
{
	enum fate fate = PAGE_WRITTEN;

	while (fate == PAGE_WRITTEN) {
		if (!trylock_page(page))
			return false;
		fate = PAGE_KEEP;
		if (PageFlag(page, PG_writeback))
			reclaim_when_written(sc, page);
		else if (swap_refused(page) && PageFlag(page, PG_swapcache))
			fate = evict(sc, page);
		else if (!PageFlag(page, PG_dirty) && !page_mapcount(page) &&
			 drop_page(sc->q, page))
			fate = PAGE_FREED;
		if (fate == PAGE_WRITTEN)
			swap_batch_flush(&sc->swap);
	}
	unlock_looked_at(sc->q, page);
	return fate == PAGE_FREED;
}

unsigned shrink_pages(struct scan_control *sc, struct page **pages, unsigned n)
{
	struct page *dead[SWAP_CLUSTER_MAX];
	uint32_t written = 0; /* a bit a page */
	unsigned i, nr_dead = 0, kept = 0;
	enum fate fate;

	QUIRE_BUG_ON(n > SWAP_CLUSTER_MAX);
	for (i = 0; i < n; i++) {
		fate = shrink_page(sc, pages[i]);
		if (fate == PAGE_FREED) {
			dead[nr_dead++] = pages[i];
			continue;
		}
		written |= (uint32_t)(fate == PAGE_WRITTEN) << kept;
		pages[kept++] = pages[i];
	}
	swap_batch_flush(&sc->swap);
	for (i = n = 0; i < kept; i++)
		if ((written >> i & 1u) && finish_written(sc, pages[i]))
			dead[nr_dead++] = pages[i];
		else
			pages[n++] = pages[i];
	sc->freed += nr_dead;
	/* somebody may have looked at one just now: it is his to free */
	for (i = kept = 0; i < nr_dead; i++)
		if (put_page_testzero(dead[i]))
			dead[kept++] = dead[i];
	if (kept)
		free_page_batch(sc->q, dead, kept);
	return n;
}
