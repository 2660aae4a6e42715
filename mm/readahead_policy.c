/* SPDX-License-Identifier: MIT */
/*
 * readahead_policy.c - which pages to read along with the one that is wanted.
 *
 *   ondemand   windows that grow while a file is read in order
 *   fixed      the largest window, always, from the wanted page on
 *   none       what is asked for and nothing else
 *
 * ondemand keeps one window in the open file's state.  Its last async_size
 * pages are those that are not needed yet; the first of them has the mark:
 *
 *        start                mark                 start + size
 *          |--- being used ----|#-- async_size -----|
 *
 * Who reaches the mark asks for the next window, which begins where this one
 * ends and is longer, up to the limit.  So the device is busy while its last
 * answer is still being used, and a file that is read in two places pays for a
 * small window only.
 *
 * Several streams through one open file overwrite each other's state.  Then
 * the page cache itself is asked: pages cached before a missing one are a
 * stream's past, and the first page missing after a mark is where that
 * stream's next window begins.
 *
 * Where pages of the window were dropped again before they were used (memory
 * is short), the miss falls inside the window: reading goes on with half of it.
 *
 * A fault that misses says little about what comes next: it reads around the
 * page.  When such guesses have been wrong for long (mmap_miss), it reads just
 * the page.
 *
 * Locks: none; page_cache_next_hole() and its twin take tree_lock.
 */
#include "filemap.h"

/* So many more faults have missed than hit: reading around does not pay. */
#define MMAP_LOTSAMISS 100u

static uint32_t to_power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1u << 31)
		p <<= 1;
	return p;
}

/* The first window of a stream that asks for `count` pages at a time. */
static uint32_t first_size(uint32_t count, uint32_t max)
{
	uint32_t size = to_power_of_two(count);

	if (size <= max / 32)
		return size * 4;
	if (size <= max / 4)
		return size * 2;
	return max;
}

/* The window after one of `size` pages: quickly at first, then doubling. */
static uint32_t next_size(uint32_t size, uint32_t max)
{
	if (size < max / 16)
		return size * 4;
	if (size <= max / 2)
		return size * 2;
	return max;
}

/* The window is the state's; its mark is where the async part begins. */
static void whole_window(const struct quire_ra_state *ra,
			 struct quire_ra_window *w)
{
	w->start = ra->start;
	w->count = ra->size;
	w->mark = ra->start + ra->size - ra->async_size;
}

/* Exactly what was asked for; the state stays what it is. */
static void exact_window(const struct quire_ra_request *req,
			 struct quire_ra_window *w)
{
	w->start = req->index;
	w->count = req->count;
	w->mark = UINT64_MAX;
}

static void first_window(struct quire_ra_state *ra,
			 const struct quire_ra_request *req)
{
	ra->start = req->index;
	ra->size = first_size(req->count, req->max);
	ra->async_size =
		ra->size > req->count ? ra->size - req->count : ra->size;
}

/* On from `start`, after a window of `size`. */
static void next_window(struct quire_ra_state *ra, uint64_t start,
			uint32_t size, const struct quire_ra_request *req)
{
	ra->start = start;
	ra->size = MIN(next_size(MAX(size, 1u), req->max), req->max);
	ra->async_size = ra->size;
}

/* Is index where the window's successor is due? */
static bool at_edge(const struct quire_ra_state *ra, uint64_t index)
{
	return ra->size && (index == ra->start + ra->size ||
			    index == ra->start + ra->size - ra->async_size);
}

/* The mark was reached. */
static bool mark_window(struct address_space *as, struct quire_ra_state *ra,
			const struct quire_ra_request *req)
{
	uint64_t hole;

	if (at_edge(ra, req->index)) {
		next_window(ra, ra->start + ra->size, ra->size, req);
		return true;
	}
	/* another stream's mark: its pages end at the first one missing */
	hole = page_cache_next_hole(as, req->index + 1, req->max);
	if (hole - req->index > req->max)
		return false; /* it is far ahead already */
	next_window(ra, hole, (uint32_t)(hole - req->index), req);
	return true;
}

/* In order, as far as the open file remembers? */
static bool continues(const struct quire_ra_state *ra,
		      const struct quire_ra_request *req)
{
	return ra->prev == req->index || ra->prev == req->index + 1;
}

/* A missing page; false: nothing but what is asked for. */
static bool miss_window(struct address_space *as, struct quire_ra_state *ra,
			const struct quire_ra_request *req)
{
	uint32_t past;

	if (req->index != 0 && at_edge(ra, req->index)) {
		next_window(ra, ra->start + ra->size, ra->size, req);
		if (req->index < ra->start) /* its mark's page was dropped */
			ra->start = req->index;
		return true;
	}
	if (continues(ra, req) && ra->size && req->index >= ra->start &&
	    req->index - ra->start < ra->size) {
		/* it was read, and dropped before it was used */
		ra->size = MAX(ra->size / 2, MIN(req->count, req->max));
		ra->start = req->index;
		ra->async_size =
			ra->size > req->count ? ra->size - req->count : 0;
		return true;
	}
	if (req->index == 0 || req->sequential || continues(ra, req) ||
	    req->count > req->max) {
		first_window(ra, req);
		return true;
	}
	past = (uint32_t)(req->index -
			  page_cache_prev_hole(as, req->index - 1, req->max));
	/* prev_hole is the page missing; those after it are the past */
	past -= 1;
	if (past < req->count)
		return false;
	if (past >= req->index) /* from the file's start on: a long stream */
		past *= 2;
	ra->start = req->index;
	ra->size = MIN(past + req->count, req->max);
	ra->async_size = ra->size > req->count ? ra->size - req->count : 1;
	return true;
}

/* A mapping's page is missing, and nothing is known of the order. */
static bool around_window(struct quire_ra_state *ra,
			  const struct quire_ra_request *req)
{
	if (ra->mmap_miss > MMAP_LOTSAMISS)
		return false;
	ra->start = req->index - MIN(req->index, (uint64_t)req->max / 2);
	ra->size = req->max;
	ra->async_size = req->max / 4;
	return true;
}

static void ondemand(struct address_space *as, struct quire_ra_state *ra,
		     const struct quire_ra_request *req,
		     struct quire_ra_window *w)
{
	bool more = false;

	if (req->max <= 1 || req->random || req->why == QUIRE_RA_ADVICE)
		more = false;
	else if (req->why == QUIRE_RA_MARK)
		more = mark_window(as, ra, req);
	else if (req->why == QUIRE_RA_FAULT && !req->sequential)
		more = around_window(ra, req);
	else
		more = miss_window(as, ra, req);
	if (more)
		whole_window(ra, w);
	else
		exact_window(req, w);
}

/* Always the most, from the wanted page on. */
static void fixed(struct address_space *as, struct quire_ra_state *ra,
		  const struct quire_ra_request *req, struct quire_ra_window *w)
{
	(void)as;
	(void)ra;
	exact_window(req, w);
	if (!req->random && req->why != QUIRE_RA_ADVICE)
		w->count = MAX(req->count, req->max);
}

static void none(struct address_space *as, struct quire_ra_state *ra,
		 const struct quire_ra_request *req, struct quire_ra_window *w)
{
	(void)as;
	(void)ra;
	exact_window(req, w);
}

static const struct quire_readahead_policy policies[] = {
	{"ondemand", ondemand},
	{"fixed", fixed},
	{"none", none},
};

const struct quire_readahead_policy *quire_readahead_policy(unsigned i)
{
	return i < ARRAY_LEN(policies) ? &policies[i] : NULL;
}
