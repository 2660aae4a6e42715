/* SPDX-License-Identifier: MIT */
/*
 * policy.h - the decisions that a system lets you replace: each policy is a
 * name and one or a few functions, chosen in struct quire_config.  A function
 * only decides; the mechanism (what is cached already, memory running out,
 * starting the I/O) stays Quire's.
 *
 * All are called with no lock held unless they say otherwise, must not sleep,
 * and keep no state but in what they are handed.
 */
#ifndef QUIRE_POLICY_H
#define QUIRE_POLICY_H

#include <quire/types.h>

/* -------------------------------------------------------------- readahead */

/*
 * What a policy remembers of one open file; all zero at first.  Threads that
 * share the open file may write it at the same time: each field is read and
 * written whole, and any combination of values must be harmless.
 */
struct quire_ra_state {
	uint64_t start;	     /* the last window, in pages */
	uint32_t size;	     /* its pages */
	uint32_t async_size; /* of which these lie behind the mark */
	uint64_t prev;	     /* page last read, plus 1; 0: none yet */
	uint32_t mmap_miss;  /* faults that missed, less those that hit */
};

enum quire_ra_why {
	QUIRE_RA_MISS,	 /* read(): the page is not cached */
	QUIRE_RA_MARK,	 /* the page with the mark was reached */
	QUIRE_RA_FAULT,	 /* a mapping's page is not cached */
	QUIRE_RA_ADVICE, /* MADV_WILLNEED, readahead(2): read it all */
};

struct quire_ra_request {
	uint64_t index; /* the page wanted */
	uint32_t count; /* pages that the caller wants from there on, >= 1 */
	uint32_t max;	/* largest window, pages; 0: no readahead */
	uint64_t end;	/* pages in the file; index < end */
	uint8_t why;	/* enum quire_ra_why */
	bool random;	/* MADV_RANDOM, POSIX_FADV_RANDOM */
	bool sequential;
};

/* The answer: read [start, start + count) (what is cached is passed over); the
 * page at `mark` asks again when it is reached (UINT64_MAX: none). */
struct quire_ra_window {
	uint64_t start;
	uint32_t count;
	uint64_t mark;
};

struct quire_readahead_policy {
	const char *name;
	void (*window)(struct address_space *as, struct quire_ra_state *ra,
		       const struct quire_ra_request *req,
		       struct quire_ra_window *w);
};
/* The policies that Quire has, in order; NULL past the last. */
const struct quire_readahead_policy *quire_readahead_policy(unsigned i);

/* ------------------------------------------------------------ fault-around */

struct quire_fa_request {
	uaddr_t address;	 /* that faulted, page aligned */
	uaddr_t low, high;	 /* limits: [low, high) of VMA and table */
	uint64_t bytes;		 /* window of the VMA, or of the system */
	bool random, sequential; /* madvise(2) */
};

struct quire_fault_around_policy {
	const char *name;
	/* [*start, *end) within [low, high), page aligned, with address in it;
	 * empty: no fault-around. */
	void (*window)(const struct quire_fa_request *req, uaddr_t *start,
		       uaddr_t *end);
};
const struct quire_fault_around_policy *quire_fault_around_policy(unsigned i);

#endif
