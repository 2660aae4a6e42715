/* SPDX-License-Identifier: MIT */
/*
 * reclaim.h - getting memory back: what goes, and how a page leaves its users.
 */
#ifndef QUIRE_MM_RECLAIM_H
#define QUIRE_MM_RECLAIM_H

#include "mm.h"

/* ------------------------------------------------------------ mm/vmscan.c */

/*
 * try_to_free_pages: direct reclaim: some pages (32 or so) on any node, written
 * first where they must be.  Returns how many became free; 0: nothing is to be
 * had now.  Sleeps; takes page locks, i_mmap and anon_vma by trylock, so that
 * the caller may hold any of them.
 */
uint64_t try_to_free_pages(struct quire *q, gfp_t gfp, unsigned order);
/* Below a low watermark: ask the host, unless that was done.  Any context. */
void wakeup_reclaim(struct quire *q);
/*
 * reclaim_pages: exactly these pages (MADV_PAGEOUT), which are isolated
 * (isolate_lru_page): out, or back on their lists.  Returns how many went.
 */
uint64_t reclaim_pages(struct quire *q, struct page **pages, unsigned n);

/* --------------------------------------------------------------- mm/lru.c */

/*
 * isolate_lru_page: off its list, with a reference of the caller's own; false:
 * it is on none (of a batch, free, isolated by another).  putback_lru_page:
 * back on the list that it belongs on now; the reference is dropped.
 * rotate_reclaimable_page: written at last: to the tail of its list, it is the
 * next to go.  Any context.
 */
bool isolate_lru_page(struct quire *q, struct page *page);
void putback_lru_page(struct quire *q, struct page *page);
void rotate_reclaimable_page(struct quire *q, struct page *page);
/* node n's lru_lock held: the page moves to, or from, the unevictable list. */
void lru_set_unevictable(struct quire *q, struct quire_node *n,
			 struct page *page, bool on);
/* An isolated page that cannot go now: from the first list to the second, or
 * back: so on neither it keeps those that can go from being looked at. */
void lru_keep_off(struct quire *q, struct page *page);
/* To the tail of list 0, not used: MADV_COLD. */
void deactivate_page(struct quire *q, struct page *page);
/* The same for n pages that are isolated. */
void putback_lru_pages(struct quire *q, struct page **pages, unsigned n);
/* MADV_FREE: clean private memory that may be dropped unwritten. */
void mark_page_lazyfree(struct quire *q, struct page *page);

/*
 * A page as the policy sees it, from its flags, and back; lru_lock held, and
 * the page is on no list when its list changes.
 */
static inline enum quire_lru_kind page_lru_kind(const struct page *page)
{
	return PageFlag(page, PG_swapbacked) ? QUIRE_LRU_ANON : QUIRE_LRU_FILE;
}
void lru_page_get(const struct page *page, struct quire_lru_page *lp);
void lru_page_set(struct quire *q, struct page *page,
		  const struct quire_lru_page *lp);
/* A page that is on no list yet was evicted `distance` evictions ago. */
void lru_note_refault(struct quire *q, struct page *page, uint64_t distance);

/* The policies that have a file of their own (quire_reclaim_policy). */
extern const struct quire_reclaim_policy s3fifo_policy; /* mm/lru_s3fifo.c */

/* --------------------------------------------------------- mm/cpu_steal.c */

/*
 * steal_cpu_pages: what every other CPU has in its LRU batch (batch), a
 * reference each, or on its stack of free pages, linked by their lru into the
 * list.  The CPUs are interrupted; one that keeps being busy with it may be
 * left out.  Preemption on, no spinlock held; does not sleep.
 */
void steal_cpu_pages(struct quire *q, bool batch, struct list_head *pages);

/* -------------------------------------------------------------- mm/rmap.c */

/*
 * page_referenced: how many mappings used the locked page since the last call
 * (their accessed bits are cleared); *flags: those VMAs' flags, or'ed.  A VMA
 * with VM_LOCKED ends it: *flags has that bit.  1, when the family's or the
 * file's lock is taken: who works on its mappings uses it.  Does not sleep.
 */
unsigned page_referenced(struct quire *q, struct page *page, vm_flags_t *flags);
/*
 * try_to_unmap: take the locked page, isolated from the LRU lists, out of the
 * tables: private memory's entries become swap entries (it is in the swap
 * cache) or, where it is lazily freed and clean, empty; a file's become empty,
 * dirty moves to the page.  No TLB has it any more on return.  True: nothing
 * maps it.  False: some entries may be left: a lock was taken, a VMA is
 * VM_LOCKED, private memory is pinned (page->pins), or lazily freed memory was
 * written to (it is PG_swapbacked again).  The caller has a reference; sleeps
 * with TTU_WAIT only.
 *
 * Of what becomes a migration or hwpoison entry the entry's reference and count
 * go, too, and it leaves its mm's counters (rss): who brings it back counts it.
 * A migration entry keeps soft-dirty, whether it was writable, and exclusive by
 * its type; the page keeps PG_anon_exclusive.
 */
#define TTU_IGNORE_MLOCK 1u /* VM_LOCKED does not keep it */
#define TTU_WAIT	 2u /* wait for i_mmap and anon_vma */
#define TTU_MIGRATION	 4u /* entries become migration entries */
#define TTU_HWPOISON	 8u /* entries become hwpoison entries */
bool try_to_unmap(struct quire *q, struct page *page, unsigned how);
/*
 * mm/shmem_swap.c: shmem_swap_out: a page of shared memory, locked, up to date,
 * mapped nowhere and not under write-back, leaves its file for the swap cache,
 * as by add_to_swap(): dirty, with one user of its slot, the file's place.
 * False: no slot is free, or the file has become shorter.  Does not sleep,
 * allocates nothing.  The caller has a reference.  below: as add_to_swap_below.
 */
bool shmem_swap_out(struct quire *q, struct page *page, int below);
/* An entry of private memory that has come back: rmap for a page that may be
 * mapped elsewhere; exclusive: it is this entry's alone. */
void page_add_anon_rmap_at(struct page *page, struct vm_area_struct *vma,
			   uaddr_t addr, bool exclusive);

/* --------------------------------------------------------- mm/workingset.c */

/*
 * Evicted pages leave a trace in a table of fixed size (8 bytes a frame of
 * memory): a hash of whose it was, and the node's count of evictions then.
 * workingset_eviction: `key, index` goes.  workingset_refault: it comes back:
 * true with *distance (evictions since then), if it was seen.
 */
void workingset_eviction(struct quire *q, struct page *page, uint64_t key,
			 uint64_t index);
bool workingset_refault(struct quire *q, struct page *page, uint64_t key,
			uint64_t index, uint64_t *distance);
#define WORKINGSET_SWAP UINT64_MAX /* index, where key is a swap entry */
/* Both at once, for a page that comes in and is on no list yet: what it means
 * is the policy's to say. */
void workingset_came_back(struct quire *q, struct page *page, uint64_t key,
			  uint64_t index);
/* At boot: the table's size, and where it is, all zero. */
uint64_t workingset_bytes(uint64_t frames);
void workingset_init(struct quire *q, void *table);

#endif
