/* SPDX-License-Identifier: MIT */
/*
 * check.h - what the two halves of quire_check() share: mm/check.c walks the
 * address spaces and files, mm/check_pages.c the frames.
 */
#ifndef QUIRE_MM_CHECK_H
#define QUIRE_MM_CHECK_H

#include "mm.h"

struct quire_check {
	struct quire *q;
	struct check_count *count; /* one a frame, from min_pfn */
	unsigned bad;		   /* violations so far */
	/* sums over all address spaces */
	uint64_t tables, vmas, avcs, mms, committed, device_entries;
	/* sums over all mappings */
	uint64_t cached, shmem, tree_nodes, dirty, writeback, listed_files;
	uint64_t swapcached; /* pages of the swap cache */
	/* sums over all frames: slab pages, PG_lru; pages on the LRU lists */
	uint64_t slab, on_lru, listed, mlocked, poisoned;
};

/* One violation: count it, and log it unless there were very many. */
void check_fail(struct quire_check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline struct check_count *check_of(struct quire_check *c,
					   const struct page *page)
{
	return &c->count[page - c->q->mem_map];
}
/* A sum over all that was walked against the counter of that name. */
void check_sum(struct quire_check *c, const char *name, uint64_t want,
	       int64_t have);
/* mm/check_writeback.c: a cached page, its file, the list of files. */
void check_page_writeback(struct quire_check *c, struct address_space *as,
			  struct page *page);
void check_mapping_writeback(struct quire_check *c, struct address_space *as);
void check_wb_list(struct quire_check *c);
/* mm/check_pages.c: every frame against what was counted. */
void check_frames(struct quire_check *c);
void check_lru(struct quire_check *c);
/* mm/slab.c: each cache's pages and free objects against its counts. */
void check_slab(struct quire_check *c);

/* mm/page_lock.c: who waits without sleeping waits for a locked page. */
void check_page_waits(struct quire_check *c);

#endif
