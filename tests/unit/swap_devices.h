/* SPDX-License-Identifier: MIT */
/* A program that writes and verifies at random, whatever the swap device. */
#ifndef QUIRE_TESTS_SWAP_DEVICES_H
#define QUIRE_TESTS_SWAP_DEVICES_H

#include <unistd.h>

#include "common.h"

struct writer {
	struct sim_machine *m;
	struct sim_task *t;
	uaddr_t at;
	unsigned pages;
	uint32_t *version; /* of each page's contents */
	uint64_t rng;
};

static inline uint64_t writer_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x * 0x2545f4914f6cdd1dull;
}

/* What a page of that number and version has: of any kind that a compressor
 * tells apart. */
static inline void writer_fill(unsigned page, uint32_t version, char *to)
{
	uint64_t x = page * 0x9e3779b97f4a7c15ull ^ (version + 1ull) << 32 ^ 1;
	unsigned i;

	memset(to, version ? (int)(page + version) : 0, PG);
	for (i = 0; version && i < PG; i++) {
		if (page % 4 == 1 && i % 64 == 0)
			to[i] = (char)writer_random(&x);
		else if (page % 4 == 2)
			to[i] = (char)writer_random(&x);
		else if (page % 4 == 3 && i == version % PG)
			to[i]++;
	}
}

static inline void writer_start(struct writer *w, struct sim_machine *m,
				unsigned pages, uint64_t seed)
{
	w->m = m;
	w->t = sim_task_create(m);
	REQUIRE(w->t);
	w->pages = pages;
	w->at = anon(w->t, pages);
	w->version = calloc(pages, sizeof(*w->version));
	w->rng = seed * 2 + 1;
	REQUIRE(w->version);
}

static inline void writer_end(struct writer *w)
{
	sim_exit(w->t);
	free(w->version);
}

/* 0, or what the access ended in. */
static inline int writer_write(struct writer *w, unsigned page)
{
	char buf[PG];

	writer_fill(page, ++w->version[page], buf);
	return sim_write(w->t, w->at + page * PG, buf, PG);
}

static inline int writer_verify(struct writer *w, unsigned page)
{
	char buf[PG], want[PG];
	int e = sim_read(w->t, w->at + page * PG, buf, PG);

	if (e)
		return e;
	writer_fill(page, w->version[page], want);
	if (memcmp(buf, want, PG))
		test_failed(__FILE__, __LINE__, "page %u, version %u, is wrong",
			    page, w->version[page]);
	return 0;
}

/* Out it goes; the pages of one call follow each other on the device.  What is
 * not written yet stays in the swap cache, until writer_settle(). */
static inline void writer_page_out(struct writer *w, unsigned page, unsigned n)
{
	CHECK_EQ(sim_madvise(w->t, w->at + page * PG, n * PG, MADV_PAGEOUT), 0);
}

/* What is on its way out has gone; some of the rest may go as well. */
static inline void writer_settle(struct writer *w)
{
	CHECK_SYSTEM(w->m);
	(void)quire_reclaim(sim_quire(w->m), w->pages);
	CHECK_SYSTEM(w->m);
}

static inline void writer_fill_all(struct writer *w)
{
	unsigned i;

	for (i = 0; i < w->pages; i++)
		CHECK_EQ(writer_write(w, i), 0);
}

static inline void writer_verify_all(struct writer *w)
{
	unsigned i;

	for (i = 0; i < w->pages; i++)
		CHECK_EQ(writer_verify(w, i), 0);
}

/* So many rounds of writes, checks and going out. */
static inline void writer_run(struct writer *w, unsigned rounds)
{
	unsigned i, page, n;

	while (rounds--) {
		n = 1 + (unsigned)(writer_random(&w->rng) % 16);
		page = (unsigned)(writer_random(&w->rng) % (w->pages - n));
		switch (writer_random(&w->rng) % 4) {
		case 0:
			writer_page_out(w, page, n);
			(void)quire_reclaim(sim_quire(w->m), n);
			break;
		case 1:
			for (i = page; i < page + n; i++)
				CHECK_EQ(writer_write(w, i), 0);
			break;
		default:
			for (i = page; i < page + n; i++)
				CHECK_EQ(writer_verify(w, i), 0);
		}
	}
}

/* All of it on a device of this kind, that is then taken off. */
static inline void writer_on(struct sim_machine *m,
			     const struct sim_swap_config *config,
			     struct sim_swap_stats *stats)
{
	int area = sim_swapon(m, config);
	struct writer w;

	REQUIRE(area >= 0);
	writer_start(&w, m, 512, 7);
	writer_fill_all(&w);
	writer_page_out(&w, 0, w.pages);
	writer_settle(&w);
	writer_run(&w, ROUNDS(1500));
	CHECK_SYSTEM(m);
	sim_swap_get_stats(m, (unsigned)area, stats);
	CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	CHECK_EQ(mm_stats(w.t).swap_entries, 0);
	writer_verify_all(&w);
	CHECK(stats->writes > 512);
	CHECK(stats->reads > 256);
	CHECK_EQ(stats->read_errors + stats->write_errors, 0);
	CHECK_SYSTEM(m);
	writer_end(&w);
}

/* Pages of the writer that end in SIGBUS; the others are right. */
static inline unsigned writer_lost(struct writer *w)
{
	unsigned i, lost = 0;
	int e;

	for (i = 0; i < w->pages; i++) {
		e = writer_verify(w, i);
		if (!e)
			continue;
		CHECK_EQ(e, SIGBUS);
		CHECK_EQ(w->t->sig.code, QUIRE_BUS_ADRERR);
		lost++;
	}
	return lost;
}

/* An empty file's path for the device, until the end of the test. */
static inline const char *swap_path(void)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/quire-swap-XXXXXX");
	fd = mkstemp(path);
	REQUIRE(fd >= 0);
	close(fd);
	return path;
}

#endif
