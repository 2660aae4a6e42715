/* SPDX-License-Identifier: MIT */
/* What a file's readahead asks the file system for, written down. */
#ifndef QUIRE_TESTS_RECORDER_H
#define QUIRE_TESTS_RECORDER_H

#include <filemap.h>

#include "common.h"

#define RECORDED_MAX 1024u

/* One file at a time; each test is a process of its own. */
static struct {
	const struct quire_aops *real;
	struct quire_aops ops;
	struct {
		uint64_t start;
		unsigned n;
		int64_t mark; /* index of the page with the mark, or -1 */
	} asked[RECORDED_MAX];
	unsigned n;
} rec;

static inline void record(struct page **pages, unsigned n)
{
	unsigned i;

	REQUIRE(rec.n < RECORDED_MAX);
	rec.asked[rec.n].start = quire_page_index(pages[0]);
	rec.asked[rec.n].n = n;
	rec.asked[rec.n].mark = -1;
	for (i = 0; i < n; i++) {
		CHECK_EQ(quire_page_index(pages[i]),
			 quire_page_index(pages[0]) + i);
		if (PageFlag(pages[i], PG_readahead)) {
			CHECK_EQ(rec.asked[rec.n].mark, -1);
			rec.asked[rec.n].mark =
				(int64_t)quire_page_index(pages[i]);
		}
	}
	rec.n++;
}

static int recorded_readpage(struct address_space *as, struct quire_file *file,
			     struct page *page)
{
	record(&page, 1);
	return rec.real->readpage(as, file, page);
}

static void recorded_readahead(struct address_space *as,
			       struct quire_file *file, struct page **pages,
			       unsigned n)
{
	record(pages, n);
	rec.real->readahead(as, file, pages, n);
}

/* From now on. */
static inline void record_file(struct sim_file *f)
{
	struct address_space *as = sim_file_mapping(f);

	rec.real = as->aops;
	rec.ops = *as->aops;
	rec.ops.readpage = recorded_readpage;
	rec.ops.readahead = recorded_readahead;
	as->aops = &rec.ops;
	rec.n = 0;
}

/* The i-th request was for [start, start + n). */
static inline void check_asked(unsigned i, uint64_t start, unsigned n)
{
	test_context("request %u", i);
	REQUIRE(i < rec.n);
	CHECK_EQ(rec.asked[i].start, start);
	CHECK_EQ(rec.asked[i].n, n);
	test_context("%s", "");
}

#endif
