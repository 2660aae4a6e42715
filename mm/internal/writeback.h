/* SPDX-License-Identifier: MIT */
/*
 * writeback.h - how what is newer in memory than on a file's device gets there.
 *
 *                set_page_dirty              write_mapping: begin, aops
 *      clean ---------------------> dirty ---------------------> write-back
 *        ^                            ^                              |
 *        |                            '-- set_page_dirty (again) ----|
 *        '-------------- quire_page_end_write -----------------------'
 *
 * The flags PG_dirty and PG_writeback are any context's to look at; they, the
 * tags in the page tree, by which such pages are found, and the counts that go
 * with them change together under the file's tree_lock.  So who has stored to a
 * page and finds PG_dirty set knows that a sync that begins now will find the
 * page.  PG_dirty is cleared under the page lock as well.
 *
 * Of a file without a device (shmem), or that nobody can write (aops without
 * writepage), PG_dirty is only a flag: no tag, no count.
 *
 * Order: page lock, i_mmap_lock, page-table lock, tree_lock, wb_lock.
 */
#ifndef QUIRE_MM_WRITEBACK_H
#define QUIRE_MM_WRITEBACK_H

#include "filemap.h"

/* Pages that one call of aops->writepages gets at most. */
#define WB_BATCH 64u

/* mm/writeback.c */
/*
 * set_page_dirty: the page is newer than its device.  The file does not go
 * away meanwhile: the page is mapped and its table locked, or the page is
 * locked, or the caller uses the file.  Any lock down to tree_lock may be held;
 * does not sleep.  True when it was clean.  (Declared in filemap.h.)
 * cancel_dirty: a page leaves its file for good, tree_lock held; what was not
 * written is forgotten.
 */

/* What is to be written of one file. */
struct wb_control {
	uint64_t first, last; /* pages, both inclusive */
	uint64_t nr;	      /* this many at most; UINT64_MAX: all */
	bool again; /* what is under write-back and dirty once more: wait for it
		     * and write it again; otherwise it is left alone */
	bool background;  /* only while more than that limit is dirty */
	uint64_t written; /* out: pages handed to the file system */
	bool left;	  /* out: some that were dirty were left alone */
};
/*
 * write_mapping: start writing what is dirty now in the range; what becomes
 * dirty meanwhile is not waited for.  Sleeps; no page lock held; the file does
 * not go away.
 */
void write_mapping(struct address_space *as, struct wb_control *wb);
/*
 * Sleep until the page, referenced, is not under write-back.  killable: -EINTR
 * when a fatal signal comes first.  It may be so again at once, unless the
 * caller has the page locked.
 */
int wait_on_page_writeback(struct page *page, bool killable);
/* The same for every page that is under write-back in [first, last]. */
int wait_on_mapping_writeback(struct address_space *as, uint64_t first,
			      uint64_t last, bool killable);
/*
 * Between them the file's last page beyond its end belongs to a write() that is
 * about to make the file longer: it is not cleared.
 */
void mapping_begin_write(struct address_space *as);
void mapping_end_write(struct address_space *as);

/* mm/flusher.c */
/* tree_lock held: nrdirty has become 1; nrdirty or nrwriteback have become
 * less.
 */
void wb_first_dirty(struct address_space *as);
void wb_cleaned(struct address_space *as);
/* The file is to go: no flusher works on it any more. Sleeps. */
void wb_forget(struct address_space *as);
/* Limits in pages: where the flusher starts, and writers are stopped. */
void dirty_limits(struct quire *q, unsigned long *background,
		  unsigned long *hard);
/* Is more dirty than the background limit? */
bool over_background(struct quire *q);
/* Ask the host for its flusher, unless that was done already. Any context. */
void wake_flusher(struct quire *q);
/*
 * balance_dirty_due: this CPU has dirtied so much that the limits are to be
 * looked at; if so the caller calls balance_dirty_pages soon, which writes and
 * waits while more is dirty than may be.  That sleeps: no lock but mmap_lock
 * (for read) may be held.  as: the file whose pages it dirtied.
 */
bool balance_dirty_due(struct quire *q);
void balance_dirty_pages(struct address_space *as);
static inline void balance_dirty_pages_ratelimited(struct address_space *as)
{
	if (unlikely(balance_dirty_due(as->q)))
		balance_dirty_pages(as);
}

/* mm/filemap_sync.c: remember an error (-errno) for those who ask. */
void mapping_set_error(struct address_space *as, int error);

/* mm/rmap.c */
/*
 * page_mkclean: the page, locked, is written to by no mapping from now on
 * without a fault (which waits for the page lock): each shared mapping's entry
 * is made read-only and clean, and no TLB has another.  Returns how many
 * entries that were.  Takes i_mmap_lock; sleeps.
 */
unsigned page_mkclean(struct page *page);

#endif
