/* SPDX-License-Identifier: MIT */
/*
 * swap.h - swap areas, their slots and the swap cache, to the rest of mm/.
 *
 *   swap_area --> clusters of 512 slots --> a page of struct swap_slot each:
 *                                           | users | frame in the swap cache |
 *
 * A slot is in use while users (table entries, places in shmem files) or a
 * cached page are left.  The swap cache is that frame number: no tree, and so
 * nothing to allocate while memory is short.  A page in it has PG_swapcache,
 * its entry in page->priv and a reference for it.
 *
 * Locks: a cluster's lock (SWAP) guards its slots and the pages' coming and
 * going in the cache; PG_swapcache and priv change under the page lock as well.
 */
#ifndef QUIRE_MM_SWAP_H
#define QUIRE_MM_SWAP_H

#include "mm.h"
#include "swapops.h"

/*
 * add_to_swap: give the locked page of private memory (or a shmem page taken
 * out of its file) a slot, and put it in the swap cache, dirty.  False: no slot
 * is free.  Does not sleep, allocates nothing.  add_to_swap_below: in an area
 * with a priority less than `below`.
 */
#define SWAP_ANY_PRIORITY 0x7fffffff
bool add_to_swap_below(struct quire *q, struct page *page, int below);
static inline bool add_to_swap(struct quire *q, struct page *page)
{
	return add_to_swap_below(q, page, SWAP_ANY_PRIORITY);
}
/* Is any slot free, in an area that does not rest (mm/swap_refused.c)? */
bool swap_has_room(struct quire *q);
/* Locked, not under write-back: out of the swap cache; its reference is
 * dropped.  The slot is freed if it has no users. */
void delete_from_swap_cache(struct quire *q, struct page *page);
/* The same if nobody but the swap cache and the caller has a reference to it,
 * it is mapped nowhere and its contents are not needed (it is clean, or its
 * slot has no users): true; then, as by drop_cached_page(), there are two
 * references to be dropped. */
bool drop_swap_cache_page(struct quire *q, struct page *page);
/* The entry's page in the cache, with a reference; NULL. */
struct page *swap_cache_get(struct quire *q, swp_entry_t entry);
static inline swp_entry_t page_swap_entry(const struct page *page)
{
	return (swp_entry_t){page->priv};
}

/*
 * swap_duplicate: one user more of a slot that has one (a page-table lock or
 * the page lock keeps it).  swap_free: one less.  Neither sleeps; spinlocks may
 * be held.
 */
void swap_duplicate(struct quire *q, swp_entry_t entry);
void swap_free(struct quire *q, swp_entry_t entry);
/* Users of the slot, without the cache; 0 also for an entry that is bad. */
uint32_t swap_users(struct quire *q, swp_entry_t entry);
/* Could the entry be a slot in use? */
bool swap_entry_valid(struct quire *q, swp_entry_t entry);
/*
 * reuse_swap_page: may the one entry that maps the locked page of private
 * memory keep it for writing: it is mapped once, and its slot has no users?  If
 * so it leaves the swap cache.
 */
bool reuse_swap_page(struct quire *q, struct page *page);
/* The slot is not needed for the locked page: no users left.  True: freed. */
bool try_to_free_swap(struct quire *q, struct page *page);
/*
 * free_swap_cache: the same for a page that is not locked, unless something
 * maps it or its lock cannot be had.  By whoever has had a page of the cache
 * locked, or was its last user, so that none stays there for nobody.  A
 * reference is held; does not sleep.
 */
void free_swap_cache(struct quire *q, struct page *page);
/* More than half of all slots are taken. */
bool vm_swap_full(struct quire *q);

/*
 * mm/swap_refused.c: what swap does not take.
 *
 * swap_refused: the page's last write to swap has failed.  swap_kept_off: and
 * it is back with its users: it is not to be offered again now.
 * swap_take_back: a refused page, locked, in the swap cache, not under
 * write-back, goes back to its users: false: not all of them could be reached;
 * it is in the cache as before.  Does not sleep.
 * swap_page_priority: that of the area whose slot the page has.
 * swap_end_rests: areas that rest are tried once more: somebody asks for it.
 */
static inline bool swap_refused(const struct page *page)
{
	return READ_ONCE(page->flags) &
	       (1u << PG_refused_low | 1u << PG_refused_high);
}
bool __swap_kept_off(struct quire *q, const struct page *page);
static inline bool swap_kept_off(struct quire *q, const struct page *page)
{
	return unlikely(swap_refused(page)) && __swap_kept_off(q, page);
}
bool swap_take_back(struct quire *q, struct page *page);
int swap_page_priority(struct quire *q, const struct page *page);
void swap_end_rests(struct quire *q);
/*
 * mm/shmem_swap.c: the same of a page of shared memory: to the file whose value
 * names its slot.
 */
bool shmem_take_back(struct quire *q, struct page *page);

/*
 * swap_writepage: start the write of the locked page, which is in the swap
 * cache, dirty and not under write-back.  It is unlocked.  The error, if one
 * comes, leaves it dirty.  Sleeps where the device does.
 * swap_readpage: into the locked page of the swap cache; unlocked at the end.
 */
void swap_writepage(struct quire *q, struct page *page);
void swap_readpage(struct quire *q, struct page *page);
/*
 * swap_batch: pages to be written, kept until they no longer lie in a row (or
 * there are many): one request for each run.  As swap_writepage() otherwise; on
 * the stack, { .q = q } at first; flushed at the end.
 */
#define SWAP_BATCH 32u
struct swap_batch {
	struct quire *q;
	unsigned n;
	struct page *pages[SWAP_BATCH];
};
void swap_batch_add(struct swap_batch *b, struct page *page);
void swap_batch_flush(struct swap_batch *b);
/*
 * The entry's page, from the cache or read in with its neighbours (of the area,
 * or of vma around addr where it is not NULL), with a reference, perhaps still
 * under read.  NULL: there is none.  *found: how that went.  Sleeps.
 */
enum swap_found {
	SWAP_CACHED,	/* it was in the cache */
	SWAP_FRESH,	/* it is new there; its read was started */
	SWAP_GONE,	/* NULL: the entry has no users any more */
	SWAP_NO_MEMORY, /* NULL */
};
struct page *swapin_readahead(struct quire *q, swp_entry_t entry, gfp_t gfp,
			      struct vm_area_struct *vma, uaddr_t addr,
			      enum swap_found *found);

/*
 * MADV_WILLNEED: swap_read_ahead: start reading these slots' pages (those that
 * are none any more are passed over) as far as there is free memory; false: it
 * does not last.  swap_willneed: those that private memory has in
 * [start, end) of vma; shmem_willneed: a file of shared memory in pages
 * [index, end).  mmap_lock held for read (shmem_willneed: the file is kept).
 * Sleep where the device does, not for what is read.
 */
bool swap_read_ahead(struct quire *q, const swp_entry_t *entries, unsigned n);
void swap_willneed(struct vm_area_struct *vma, uaddr_t start, uaddr_t end);
struct address_space;
void shmem_willneed(struct address_space *as, uint64_t index, uint64_t end);
/* How many of these pages of a file of shared memory are in swap. */
uint64_t shmem_swapped(struct address_space *as, uint64_t index, uint64_t end);

/*
 * For tables: an entry that is not present, nor none, of any kind.  dup (fork):
 * one more user; returns the entry for the child, *src may change (exclusive);
 * free (zap): one user less.  ptl held.
 */
pte_t swap_pte_dup(struct mm_struct *dst, struct vm_area_struct *src,
		   pte_t *src_pte, uaddr_t addr);
void swap_pte_free(struct mm_struct *mm, pte_t pte);

/* One user less; the cached page goes, too, if it is of no use now. */
void free_swap_and_cache(struct quire *q, swp_entry_t entry);

/*
 * mm/shmem_swap.c: swapoff: bring back what shared memory has in this area,
 * where new slots are not given any more.  0, -ENOMEM, or -EINTR (killed). What
 * cannot be read is lost: who touches it gets SIGBUS or -EIO.  Sleeps.
 */
int shmem_unuse(struct quire *q, unsigned area);

/* The ends of I/O on a page of the swap cache (quire_page_end_read, _write). */
void swap_end_read(struct quire *q, struct page *page, int error);
void swap_end_write(struct quire *q, struct page *page, int error);

/*
 * swap_discard_work: tell the devices that want it of clusters that have become
 * free, which are held back until then; all of them, or until a slot can be
 * had, if need be by waiting for what others discard.  Part of reclaim; sleeps.
 */
void swap_discard_work(struct quire *q, bool all);

/* Bring-up and end, of all that hangs off q->swap. */
int swap_init(struct quire *q);
void swap_exit(struct quire *q);

/*
 * For quire_check(): an entry that is neither present nor none, found in a
 * table (a value in a file of shared memory): true if it names a slot, which
 * has one user more then.  check_swap: all slots and the cache, at the end.
 */
struct quire_check;
bool check_swap_entry(struct quire_check *c, swp_entry_t entry);
void check_swap(struct quire_check *c);

#endif
