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

/* ---------------------------------------------------------------- reclaim */

/*
 * Which page goes when memory is short.  Each node has up to QUIRE_LRU_LISTS
 * lists for each of two kinds of memory; pages come in at a list's head, and
 * reclaim looks at the tail.  The policy says which list a page enters, which
 * tail is looked at next, and whether the page there goes or where it stays.
 *
 *   enter --> head [ list 0 ] tail --> judge --> evict
 *                  [ list 1 ] tail -->       \-> head of any list of its kind
 *                    ...
 *
 * Unlike the others, a reclaim policy has state: a few words a node, which are
 * written under that node's lock; all its functions are called with it held.
 */
#define QUIRE_LRU_LISTS 4u

enum quire_lru_kind {
	QUIRE_LRU_ANON, /* swap is its device: private memory, shmem */
	QUIRE_LRU_FILE,
};

/* One page as a policy sees it. */
struct quire_lru_page {
	uint8_t kind; /* enum quire_lru_kind */
	uint8_t list; /* it is on, or is to enter: the policy may change it */
	uint8_t uses; /* 0 ... 3: the policy's own number, kept in the page */
	bool touched; /* by read() or the kernel since it was looked at last;
		       * the policy may change it */
	bool exec;    /* of a program's text */
	bool refault; /* (enter) it was evicted, and is wanted again */
	uint32_t referenced; /* (judge) mappings that used it since then */
	uint64_t distance;   /* (enter, refault) evictions of its kind on this
			      * node since its own */
};

/* A node, to a policy. */
struct quire_lru_state {
	unsigned long pages[2][QUIRE_LRU_LISTS]; /* on each list; read only */
	bool can_swap;	    /* there is a free slot; read only */
	uint8_t swappiness; /* 0 ... 200; read only */
	uint8_t priority;   /* 12 ... 0: how hard it is; read only */
	uint64_t scanned[2], evicted[2], refaulted[2]; /* ever, by kind */
	uint64_t own[8];     /* the policy's; 0 at first */
	uint64_t balance[8]; /* quire_lru_balance()'s */
};

enum quire_lru_verdict {
	QUIRE_LRU_EVICT,
	QUIRE_LRU_KEEP, /* at the head of page->list */
};

struct quire_reclaim_policy {
	const char *name;
	unsigned lists; /* used of each kind, 1 ... QUIRE_LRU_LISTS */
	/* A page comes into memory: set page->list and ->uses (both 0 at
	 * first).  NULL: list 0. */
	void (*enter)(struct quire_lru_state *s, struct quire_lru_page *page);
	/* The same for one that was evicted and is wanted again; NULL: `enter`
	 * is asked, with page->refault. */
	void (*refault)(struct quire_lru_state *s, struct quire_lru_page *page);
	/* read(), or the kernel by an access of its own, has used it, and has
	 * done so before since it was looked at last (`touched`): true: list,
	 * uses or touched were changed (it goes to its list's head).  Not asked
	 * while uses is 3.  NULL: only noted in `touched`. */
	bool (*used)(struct quire_lru_state *s, struct quire_lru_page *page);
	/* The next tail: *kind and *list; false: there is nothing more to be
	 * had at this priority. */
	bool (*choose)(struct quire_lru_state *s, unsigned *kind,
		       unsigned *list);
	/* The page at that tail. */
	enum quire_lru_verdict (*judge)(struct quire_lru_state *s,
					struct quire_lru_page *page);
};
const struct quire_reclaim_policy *quire_reclaim_policy(unsigned i);

/*
 * quire_lru_balance: for `choose` of a policy that leaves it to Quire which
 * kind gives the next page: *kind, by sizes, swappiness, and what it cost
 * lately to take pages of each.  False: there is none of either that could go.
 * Only from `choose`, once each time.
 */
bool quire_lru_balance(struct quire_lru_state *s, unsigned *kind);

#endif
