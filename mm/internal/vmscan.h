/* SPDX-License-Identifier: MIT */
/*
 * vmscan.h - what one run of reclaim carries with it, between vmscan.c (how
 * hard, which node) and shrink.c (what happens to a page).
 */
#ifndef QUIRE_MM_VMSCAN_H
#define QUIRE_MM_VMSCAN_H

#include "reclaim.h"
#include "swap.h"

/* Pages that are isolated at a time; what direct reclaim wants to get. */
#define SWAP_CLUSTER_MAX 32u
#define DEF_PRIORITY	 12u

struct scan_control {
	struct quire *q;
	unsigned long want;	/* stop at so many freed */
	unsigned long freed;	/* out */
	uint8_t priority;	/* look at 1 / 2^priority of the pages */
	bool background;	/* kswapd's, for the statistics */
	bool can_swap;		/* a slot of swap is free */
	bool has_anon;		/* or pages are there that need none */
	bool file_wait;		/* may wait for what file systems write */
	bool take_all;		/* also what is in use (MADV_PAGEOUT) */
	struct swap_batch swap; /* pages about to be written to swap */
	unsigned long anon;	/* pages of private memory looked at so far, */
	unsigned long kept_off; /* and of them those that swap has refused */
	/* out: of one pass */
	unsigned long scanned;
	unsigned long nr_dirty;	    /* a file's, that have to be written */
	unsigned long nr_writeback; /* under write-back */
	struct page *waited;	    /* one of these, referenced; or NULL */
};

/*
 * shrink_pages: free what can be of n isolated pages.  The others stay, moved
 * to the front; returns how many.  Their list is what their flags say.  Sleeps
 * where swap's device does.
 */
unsigned shrink_pages(struct scan_control *sc, struct page **pages, unsigned n);

#endif
