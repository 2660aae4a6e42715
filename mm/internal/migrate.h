/* SPDX-License-Identifier: MIT */
/*
 * migrate.h - moving pages, to the rest of mm/.
 */
#ifndef QUIRE_MM_MIGRATE_H
#define QUIRE_MM_MIGRATE_H

#include "mm.h"

/* Where moved pages go. */
struct migrate_target {
	/* a fresh page, refcount 1; NULL: there is none */
	struct page *(*get)(struct migrate_target *t);
	struct quire *q;
	unsigned node;
	void *arg;
};
/* (Hidden: their addresses are taken, and who embeds Quire may have no GOT.) */
__attribute__((visibility("hidden"))) struct page *
migrate_get_on_node(struct migrate_target *t); /* t->node's */
__attribute__((visibility("hidden"))) struct page *
migrate_get_anywhere(struct migrate_target *t);

/*
 * migrate_pages: pages[0 ... n) are isolated (isolate_lru_page); each moves to
 * a page of t's, with all that knows it: tables, page cache, swap cache.  The
 * references are dropped, what did not move is back on its list.  Returns how
 * many did not move; status (may be NULL): of each, 0 or -EAGAIN (in use),
 * -EBUSY (under write-back, or locked), -ENOMEM.
 * wait: sleep for page locks, write-back, and the locks of rmap_walk(); without
 * it, only for those that are on the way when a page has been unmapped.
 */
unsigned migrate_pages(struct quire *q, struct page **pages, unsigned n,
		       struct migrate_target *t, bool wait, int *status);

/*
 * For caches of pages that nobody has found: false: there are other references
 * than `expected`; else there are none (and no more can be had) until unfreeze.
 * migrate_contents: old, frozen, becomes new, which is locked and nobody's.
 */
bool page_freeze_refs(struct page *page, uint32_t expected);
void page_unfreeze_refs(struct page *page, uint32_t count);
void migrate_contents(struct quire *q, struct page *old, struct page *new);
/* All migration entries of `old`, locked, map page, which has its place (or is
 * it).  av: the family of private memory.  Sleeps. */
struct anon_vma;
void migrate_restore(struct quire *q, struct page *old, struct page *page,
		     struct anon_vma *av);
/* mm/swap_cache.c: new takes the place of old, locked and mapped nowhere, in
 * the swap cache.  False: somebody else has a reference to it. */
bool swap_cache_replace(struct quire *q, struct page *old, struct page *new);

/* mm/memory_failure.c: MADV_HWPOISON and (soft) MADV_SOFT_OFFLINE: as
 * madvise(2).  Sleeps. */
int madvise_inject_error(struct mm_struct *mm, uaddr_t start, uaddr_t end,
			 bool soft);

/* mm/compaction.c: true: node n has a free block of 2^order now.  Sleeps. */
bool compact_node(struct quire *q, struct quire_node *n, unsigned order);

#endif
