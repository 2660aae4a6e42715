/* SPDX-License-Identifier: MIT */
/*
 * swap_cache.c - pages of memory that have a slot of swap as well.
 *
 *   on its way out: add_to_swap -> unmapped, written -> dropped, or
 *   on its way in:  swap_cache_add (locked) -> read -> mapped by who has it
 *
 * There is one page a slot at any time, so that all users of a slot come to the
 * same page; the slot itself says which (swap_slot.frame).  A page in the cache
 * that nobody's entry names any more (swap_users 0) is only in the way: it is
 * taken out by whoever sees it last.  That is either the one who dropped the
 * last entry, or, if he finds the page locked, the one who had it locked: both
 * look at users and lock after they have done their part (free_swap_cache).
 *
 * Locks: the page lock; the slot's cluster.
 */
#include "fault.h"
#include "filemap.h"
#include "migrate.h"
#include "special.h"
#include "swap_area.h"

/* Cluster locked: the page becomes the slot's. */
static void cache_insert(struct quire *q, struct page *page,
			 struct swap_slot *slot, swp_entry_t entry)
{
	get_page(page);
	page->priv = entry.v;
	SetPageFlag(page, PG_swapcache);
	WRITE_ONCE(slot->frame, page_to_slot_frame(q, page));
	mod_vmstat(q, VM_nr_swapcached, 1);
}

/* Cluster locked: out again; the cache's reference is the caller's. */
static void cache_remove(struct quire *q, struct page *page,
			 struct swap_slot *slot, struct swap_cluster *c)
{
	swp_entry_t entry = page_swap_entry(page);

	QUIRE_BUG_ON(slot_page(q, slot) != page);
	WRITE_ONCE(slot->frame, 0u);
	ClearPageFlag(page, PG_swapcache);
	page->priv = 0;
	mod_vmstat(q, VM_nr_swapcached, -1);
	if (!slot->users)
		swap_slot_free(q, entry, c);
}

bool add_to_swap_below(struct quire *q, struct page *page, int below)
{
	struct swap_cluster *c;
	struct swap_slot *slot;
	swp_entry_t entry;

	quire_host_preempt_disable();
	slot = swap_alloc_slot(q, below, &entry, &c);
	if (slot) {
		/* what others said of it before does not matter any more */
		if (unlikely(swap_refused(page)))
			__atomic_fetch_and(
				&page->flags,
				~(1u << PG_refused_low | 1u << PG_refused_high),
				__ATOMIC_RELAXED);
		/* no other copy of it exists yet */
		SetPageFlag(page, PG_dirty);
		cache_insert(q, page, slot, entry);
		spin_unlock(&c->lock);
	}
	quire_host_preempt_enable();
	return slot != NULL;
}

void delete_from_swap_cache(struct quire *q, struct page *page)
{
	struct swap_cluster *c;
	struct swap_slot *slot = lock_slot(q, page_swap_entry(page), &c);

	cache_remove(q, page, slot, c);
	spin_unlock(&c->lock);
	put_page(q, page);
}

bool swap_cache_replace(struct quire *q, struct page *old, struct page *new)
{
	struct swap_cluster *c;
	struct swap_slot *slot = lock_slot(q, page_swap_entry(old), &c);
	bool frozen = page_freeze_refs(old, 2); /* the cache's, the caller's */

	if (frozen) {
		migrate_contents(q, old, new);
		get_page(new);
		WRITE_ONCE(slot->frame, page_to_slot_frame(q, new));
		page_unfreeze_refs(old, 1);
	}
	spin_unlock(&c->lock);
	return frozen;
}

bool drop_swap_cache_page(struct quire *q, struct page *page)
{
	struct swap_cluster *c;
	struct swap_slot *slot;
	bool drop;

	if (!PageFlag(page, PG_swapcache) || page_mapcount(page) ||
	    PageFlag(page, PG_writeback))
		return false;
	slot = lock_slot(q, page_swap_entry(page), &c);
	/* nobody can find it without the cluster's lock */
	drop = smp_load_acquire(&page->_refcount) == 2 &&
	       (!slot->users || !PageFlag(page, PG_dirty));
	if (drop)
		cache_remove(q, page, slot, c);
	spin_unlock(&c->lock);
	return drop;
}

/* The page of an entry whose area is known to stay, with a reference. */
static struct page *cached_page(struct quire *q, swp_entry_t entry)
{
	struct swap_cluster *c;
	struct page *page = slot_page(q, lock_slot(q, entry, &c));

	if (page)
		get_page(page);
	spin_unlock(&c->lock);
	return page;
}

struct page *swap_cache_get(struct quire *q, swp_entry_t entry)
{
	struct swap_area *a = swap_area_get(q, entry);
	struct page *page;

	if (!a)
		return NULL;
	page = cached_page(q, entry);
	swap_area_put(a);
	return page;
}

/*
 * Put fresh, which is nobody's yet, in as the entry's page.  The page that is
 * there: fresh, or another with a reference; NULL: the slot has no users.
 */
static struct page *insert_fresh(struct quire *q, swp_entry_t entry,
				 struct page *fresh)
{
	struct swap_cluster *c;
	struct swap_slot *slot = lock_slot(q, entry, &c);
	struct page *page = slot_page(q, slot);

	if (page) {
		get_page(page);
	} else if (slot->users && slot->users != SLOT_BAD) {
		page = fresh;
		WRITE_ONCE(page->flags,
			   page->flags | 1u << PG_locked | 1u << PG_swapbacked);
		cache_insert(q, page, slot, entry);
	}
	spin_unlock(&c->lock);
	return page;
}

struct page *swap_cache_add(struct quire *q, swp_entry_t entry, gfp_t gfp,
			    enum swap_found *found)
{
	struct swap_area *a = swap_area_get(q, entry);
	struct page *new, *page;

	*found = SWAP_GONE;
	if (!a)
		return NULL;
	page = cached_page(q, entry);
	if (page) {
		*found = SWAP_CACHED;
		goto put;
	}
	new = alloc_pages(q, gfp, 0);
	if (new) {
		page = insert_fresh(q, entry, new);
		if (page)
			*found = page == new ? SWAP_FRESH : SWAP_CACHED;
		if (page != new)
			put_page(q, new);
	} else {
		*found = SWAP_NO_MEMORY;
	}
put:
	swap_area_put(a);
	return page;
}

bool try_to_free_swap(struct quire *q, struct page *page)
{
	/* (acquire: who has ended a write looked at the entry until then) */
	uint32_t flags = smp_load_acquire(&page->flags);

	if (!(flags >> PG_swapcache & 1u) || (flags >> PG_writeback & 1u) ||
	    swap_users(q, page_swap_entry(page)))
		return false;
	/* its contents are nowhere else from now on */
	SetPageFlag(page, PG_dirty);
	delete_from_swap_cache(q, page);
	return true;
}

void free_swap_cache(struct quire *q, struct page *page)
{
	swp_entry_t entry;
	bool stays;

	/*
	 * Who drops the last entry, or ends the write, just after we have
	 * looked finds the page locked: so we look again when it is not.
	 */
	do {
		if (!PageFlag(page, PG_swapcache) || page_mapcount(page) ||
		    !trylock_page(page))
			return;
		entry = page_swap_entry(page);
		stays = PageFlag(page, PG_swapcache) &&
			(page_mapcount(page) || !try_to_free_swap(q, page));
		unlock_page(page);
		/* (acquire: of what was done by who found it locked) */
	} while (stays &&
		 !(smp_load_acquire(&page->flags) >> PG_writeback & 1u) &&
		 !swap_users(q, entry));
}

void free_swap_and_cache(struct quire *q, swp_entry_t entry)
{
	/* while we are a user the cached page, if any, stays the slot's */
	struct page *page = swap_cache_get(q, entry);

	swap_free(q, entry);
	if (!page)
		return;
	free_swap_cache(q, page);
	put_page(q, page);
}

bool reuse_swap_page(struct quire *q, struct page *page)
{
	if (page_mapcount(page) != 1)
		return false;
	return !PageFlag(page, PG_swapcache) || try_to_free_swap(q, page);
}

/* ------------------------------------------------------------- for tables */

pte_t swap_pte_dup(struct mm_struct *dst, struct vm_area_struct *src,
		   pte_t *src_pte, uaddr_t addr)
{
	pte_t pte = ptep_get(src_pte);
	swp_entry_t entry = pte_to_swp_entry(pte);
	struct quire *q = dst->q;

	if (!swap_entry_is_slot(entry))
		return special_pte_dup(dst, src, src_pte, addr);
	if (!swap_entry_valid(q, entry))
		return pte;
	swap_duplicate(q, entry);
	inc_mm_counter(dst, MM_SWAPENTS);
	if (pte_swp_exclusive(pte)) {
		pte = pte_swp_clear_exclusive(pte);
		set_pte_at(src->vm_mm, addr, src_pte, pte);
	}
	return pte;
}

void swap_pte_free(struct mm_struct *mm, pte_t pte)
{
	swp_entry_t entry = pte_to_swp_entry(pte);

	if (!swap_entry_is_slot(entry)) {
		special_pte_free(mm, pte);
		return;
	}
	if (!swap_entry_valid(mm->q, entry))
		return;
	free_swap_and_cache(mm->q, entry);
	dec_mm_counter(mm, MM_SWAPENTS);
}
