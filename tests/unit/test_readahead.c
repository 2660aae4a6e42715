/* SPDX-License-Identifier: MIT */
/*
 * Readahead: which windows are asked for, in how many requests, when memory is
 * short, when the device fails, and what advice does to it.
 */
#include "recorder.h"

#define SEED  77
#define PAGES 512u

static const struct quire_readahead_policy *policy_named(const char *name)
{
	const struct quire_readahead_policy *p;
	unsigned i;

	for (i = 0; (p = quire_readahead_policy(i)); i++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static struct sim_file *a_file(struct sim_machine *m, uint64_t pages)
{
	struct sim_file *f = sim_file_create(m, "/f", pages * PG, SEED);

	REQUIRE(f);
	record_file(f);
	return f;
}

/* read() of n bytes at pos gives them all, and the right ones. */
static void good_read(struct sim_file *f, uint64_t pos, size_t n)
{
	static unsigned char buf[64 * 4096];
	size_t i;

	REQUIRE(n <= sizeof(buf));
	CHECK_EQ(sim_file_read(f, pos, buf, n), (long)n);
	for (i = 0; i < n && buf[i] == sim_file_byte(SEED, pos + i); i++)
		;
	CHECK_EQ(i, n);
}

static void good_load(struct sim_task *t, uaddr_t a, uint64_t off)
{
	uint8_t byte = 0;

	CHECK_EQ(sim_load8(t, a + (uaddr_t)off, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(SEED, off));
}

/* -------------------------------------------------------------- windows */

/* behaviour: C2 (windows grow on sequential access, up to the limit) */
TEST(readahead_windows_grow)
{
	static const struct {
		uint64_t start;
		unsigned n;
		unsigned at; /* page whose reading asks for it */
	} want[] = {{0, 4, 0},	  {4, 8, 1},	{12, 16, 4},  {28, 32, 12},
		    {60, 32, 28}, {92, 32, 60}, {124, 32, 92}};
	struct sim_file *f = a_file(m, PAGES);
	unsigned i, w = 0;

	for (i = 0; i < 124; i++) {
		unsigned before = rec.n;

		good_read(f, i * PG, PG);
		if (w < ARRAY_LEN(want) && want[w].at == i) {
			CHECK_EQ(rec.n, before + 1);
			check_asked(w, want[w].start, want[w].n);
			w++;
		} else {
			CHECK_EQ(rec.n, before);
		}
	}
	CHECK_EQ(w, ARRAY_LEN(want));
	/* small pieces of a page are the same stream */
	for (i = 0; i < 64; i++)
		good_read(f, 124 * PG + i * 512, 512);
	CHECK_EQ(rec.n, ARRAY_LEN(want) + 1);
	check_asked(rec.n - 1, 156, 32);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* behaviour: C2 (the window ends with the file) */
TEST(readahead_ends_with_the_file)
{
	struct sim_file *f = a_file(m, 9);
	unsigned i;

	for (i = 0; i < 9; i++)
		good_read(f, i * PG, PG);
	CHECK_EQ(rec.n, 2);
	check_asked(0, 0, 4);
	check_asked(1, 4, 5);
	CHECK_EQ(quire_mapping_pages(sim_file_mapping(f)), 9);
	sim_file_close(f);
}

/* behaviour: C2 (single pages here and there are read alone) */
TEST(readahead_leaves_random_reads_alone)
{
	static const unsigned at[] = {300, 17, 400, 80, 81 + 60, 5, 333};
	struct sim_file *f = a_file(m, PAGES);
	unsigned i;

	for (i = 0; i < ARRAY_LEN(at); i++) {
		good_read(f, at[i] * PG + 100, 50);
		check_asked(i, at[i], 1);
	}
	CHECK_EQ(rec.n, ARRAY_LEN(at));
	/* what is asked for at once is read at once */
	good_read(f, 200 * PG + 5, 20 * PG);
	CHECK_EQ(rec.n, ARRAY_LEN(at) + 1);
	check_asked(rec.n - 1, 200, 21);
	sim_file_close(f);
}

/* behaviour: C2 (POSIX_FADV_RANDOM and _SEQUENTIAL) */
TEST(readahead_honours_fadvise)
{
	struct sim_file *f = a_file(m, PAGES);
	unsigned i, longest = 0;

	sim_file_quire(f)->ra_mode = POSIX_FADV_RANDOM;
	for (i = 0; i < 8; i++)
		good_read(f, i * PG, PG);
	CHECK_EQ(rec.n, 8);
	check_asked(7, 7, 1);
	/* a large piece is still one request */
	good_read(f, 20 * PG, 40 * PG);
	CHECK_EQ(rec.n, 9);
	check_asked(8, 20, 40);

	sim_file_quire(f)->ra_mode = POSIX_FADV_SEQUENTIAL;
	for (i = 100; i < 400; i++)
		good_read(f, i * PG, PG);
	for (i = 9; i < rec.n; i++)
		longest = rec.asked[i].n > longest ? rec.asked[i].n : longest;
	CHECK_EQ(longest, 64);
	sim_file_close(f);
}

/* behaviour: C2 (two streams through one open file, each with its windows) */
TEST(readahead_of_interleaved_streams)
{
	struct sim_file *f = a_file(m, PAGES);
	unsigned i, longest = 0;

	for (i = 0; i < 200; i++) {
		good_read(f, i * PG, PG);
		good_read(f, (300 + i) * PG, PG);
	}
	CHECK(rec.n <= 60); /* 400 pages */
	for (i = 0; i < rec.n; i++)
		longest = rec.asked[i].n > longest ? rec.asked[i].n : longest;
	CHECK(longest >= 16);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* behaviour: C2 (what was dropped unused makes the window smaller) */
TEST(readahead_is_careful_after_thrashing)
{
	struct sim_file *f = a_file(m, PAGES);
	struct address_space *as = sim_file_mapping(f);
	unsigned i, n;

	for (i = 0; i < 40; i++)
		good_read(f, i * PG, PG);
	/* the last window, [60, 92), goes with all the rest */
	n = rec.n;
	CHECK(quire_mapping_drop_clean(as, 0, UINT64_MAX) > 0);
	CHECK_EQ(quire_mapping_pages(as), 0);
	good_read(f, 40 * PG, PG);
	CHECK_EQ(rec.n, n + 1);
	CHECK_EQ(rec.asked[n].start, 40);
	CHECK(rec.asked[n].n < 32);
	/* and it grows again */
	for (; i < 200; i++)
		good_read(f, i * PG, PG);
	CHECK_EQ(rec.asked[rec.n - 1].n, 32);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* The limit; 0 is no readahead; a large window is one request. */
TEST(readahead_limit_is_tunable)
{
	struct quire *q = sim_quire(m);
	struct sim_file *f = a_file(m, 4096);
	struct sim_file_stats st;
	unsigned i;

	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_READAHEAD_BYTES), 131072);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_READAHEAD_BYTES, 8u << 20),
		 -EINVAL);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_READAHEAD_BYTES, 0), 0);
	for (i = 0; i < 8; i++)
		good_read(f, i * PG, PG);
	CHECK_EQ(rec.n, 8);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_READAHEAD_BYTES, 4u << 20),
		 0);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_READAHEAD_BYTES), 4u << 20);
	for (i = 8; i < 1500; i++)
		good_read(f, i * PG, PG);
	CHECK_EQ(rec.asked[rec.n - 1].n, 1024);
	CHECK(rec.n < 20);
	sim_file_get_stats(f, &st);
	CHECK_EQ(st.read_requests, rec.n);
	CHECK_EQ(st.reads, quire_mapping_pages(sim_file_mapping(f)));
	CHECK_EQ(sim_vmstat(m, "quire_readahead_pages"),
		 st.reads - 9); /* but the wanted: pages 0 ... 7, and 8 */
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* ------------------------------------------------------------- policies */

TEST_WITH(readahead_policy_fixed, .plain = true)
{
	struct sim_config c = {.readahead = policy_named("fixed")};
	struct sim_file *f;
	unsigned i;

	REQUIRE(c.readahead);
	test_set_shape(&c);
	m = sim_machine_create(&c);
	REQUIRE(m);
	f = a_file(m, PAGES);
	for (i = 50; i < 100; i++)
		good_read(f, i * PG, PG);
	CHECK_EQ(rec.n, 2);
	check_asked(0, 50, 32);
	check_asked(1, 82, 32);
	sim_file_close(f);
	CHECK_EQ(sim_machine_destroy(m), 0);
}

TEST_WITH(readahead_policy_none, .plain = true)
{
	struct sim_config c = {.readahead = policy_named("none")};
	struct sim_task *t;
	struct sim_file *f;
	unsigned i;
	uaddr_t a;

	REQUIRE(c.readahead);
	test_set_shape(&c);
	m = sim_machine_create(&c);
	REQUIRE(m);
	f = a_file(m, PAGES);
	t = sim_task_create(m);
	a = must_map(t, PAGES * PG, PROT_READ, MAP_SHARED, f, 0);
	for (i = 0; i < 10; i++)
		good_read(f, i * PG, PG);
	for (; i < 20; i++)
		good_load(t, a, i * PG);
	CHECK_EQ(rec.n, 20);
	good_read(f, 100 * PG, 10 * PG);
	CHECK_EQ(rec.n, 21);
	check_asked(20, 100, 10);
	CHECK_EQ(quire_readahead_policy(3) == NULL, true);
	CHECK_STR(quire_readahead_policy(0)->name, "ondemand");
	sim_exit(t);
	sim_file_close(f);
	CHECK_EQ(sim_machine_destroy(m), 0);
}

/* A policy that answers anything at all. */
static uint64_t wild_state = 12345;

static void wild_window(struct address_space *as, struct quire_ra_state *ra,
			const struct quire_ra_request *req,
			struct quire_ra_window *w)
{
	(void)as;
	(void)ra;
	wild_state = wild_state * 6364136223846793005ull + 1442695040888963407;
	switch (wild_state >> 61) {
	case 0:
		*w = (struct quire_ra_window){req->end + 5, 100, req->end};
		break;
	case 1:
		*w = (struct quire_ra_window){UINT64_MAX, UINT32_MAX, 0};
		break;
	case 2:
		*w = (struct quire_ra_window){0, UINT32_MAX, req->index};
		break;
	case 3:
		*w = (struct quire_ra_window){req->index, 0, UINT64_MAX};
		break;
	default:
		*w = (struct quire_ra_window){wild_state >> 55,
					      (uint32_t)(wild_state >> 40) % 80,
					      wild_state >> 50 & 511};
		break;
	}
}

/* behaviour: C2 (a policy decides what is read, not whether it is right) */
TEST_WITH(readahead_policy_gone_wild, .plain = true)
{
	static const struct quire_readahead_policy wild = {"wild", wild_window};
	struct sim_config c = {.readahead = &wild};
	struct sim_file *f;
	struct sim_task *t;
	unsigned i;
	uaddr_t a;

	test_set_shape(&c);
	m = sim_machine_create(&c);
	REQUIRE(m);
	f = a_file(m, PAGES);
	t = sim_task_create(m);
	a = must_map(t, PAGES * PG, PROT_READ, MAP_SHARED, f, 0);
	for (i = 0; i < 400; i++) {
		uint64_t at = (i * 7919u) % PAGES;

		if (i % 2)
			good_read(f, at * PG, PG);
		else
			good_load(t, a, at * PG);
		if (i % 50 == 49)
			(void)quire_mapping_drop_clean(sim_file_mapping(f), 0,
						       UINT64_MAX);
		CHECK(quire_mapping_pages(sim_file_mapping(f)) <= PAGES);
	}
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
	CHECK_EQ(sim_machine_destroy(m), 0);
}

/* The file becomes two pages long after its length was looked at. */
static struct sim_file *cut_file;

static void cutting_window(struct address_space *as, struct quire_ra_state *ra,
			   const struct quire_ra_request *req,
			   struct quire_ra_window *w)
{
	(void)as;
	(void)ra;
	*w = (struct quire_ra_window){req->index, 16, UINT64_MAX};
	if (cut_file)
		sim_file_truncate(cut_file, 2 * PG);
	cut_file = NULL;
}

/*
 * behaviour: C4 (no page of the cache lies past the end of a file that was
 * truncated, however it came in: what the device still has there, or had, would
 * be seen when the file grows again)
 */
TEST_WITH(readahead_meets_truncation, .plain = true)
{
	static const struct quire_readahead_policy cut = {"cut",
							  cutting_window};
	struct sim_config c = {.readahead = &cut};
	unsigned char buf[8 * 4096];
	struct address_space *as;
	struct sim_file *f;
	struct sim_task *t;
	uint8_t byte;
	uaddr_t a;

	test_set_shape(&c);
	m = sim_machine_create(&c);
	REQUIRE(m);
	f = a_file(m, PAGES);
	as = sim_file_mapping(f);
	t = sim_task_create(m);
	a = must_map(t, PAGES * PG, PROT_READ, MAP_SHARED, f, 0);
	/* a read that was as long as the file ends where it does now */
	cut_file = f;
	CHECK_EQ(sim_file_read(f, PG, buf, sizeof(buf)), PG);
	CHECK(quire_mapping_pages(as) <= 2);
	sim_file_truncate(f, PAGES * PG);
	CHECK(quire_mapping_pages(as) <= 2);
	cut_file = f;
	CHECK_EQ(sim_file_read(f, 5 * PG, buf, PG), 0);
	CHECK(quire_mapping_pages(as) <= 2);
	/* a fault before and beyond the new end */
	sim_file_truncate(f, PAGES * PG);
	(void)quire_mapping_drop_clean(as, 0, UINT64_MAX);
	cut_file = f;
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK(quire_mapping_pages(as) <= 2);
	sim_file_truncate(f, PAGES * PG);
	cut_file = f;
	CHECK_SIGNAL(t, sim_load8(t, a + 9 * PG, &byte), SIGBUS,
		     QUIRE_BUS_ADRERR, a + 9 * PG);
	CHECK(quire_mapping_pages(as) <= 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
	CHECK_EQ(sim_machine_destroy(m), 0);
}

/* ------------------------------------------------------------- mappings */

/* behaviour: C2 (mmap read-around, centred on the fault) */
TEST(readahead_around_a_fault)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = a_file(m, PAGES);
	uaddr_t a = must_map(t, PAGES * PG, PROT_READ, MAP_SHARED, f, 0);
	unsigned i;

	good_load(t, a, 100 * PG);
	CHECK_EQ(rec.n, 1);
	check_asked(0, 84, 32);
	CHECK_EQ(rec.asked[0].mark, 108);
	/* at the mark the next window, while the rest is used */
	for (i = 100; i < 108; i++)
		good_load(t, a, i * PG);
	CHECK_EQ(rec.n, 1);
	good_load(t, a, 108 * PG);
	CHECK_EQ(rec.n, 2);
	check_asked(1, 116, 32);
	for (; i < 116 + 32; i++)
		good_load(t, a, i * PG);
	CHECK_EQ(rec.n, 3);
	check_asked(2, 148, 32);
	/* at the file's start there is nothing in front */
	good_load(t, a, 3 * PG);
	check_asked(3, 0, 32);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: C2, M2 (MADV_RANDOM and MADV_SEQUENTIAL) */
TEST(readahead_honours_madvise)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = a_file(m, PAGES);
	uaddr_t a = must_map(t, PAGES * PG, PROT_READ, MAP_SHARED, f, 0);
	unsigned i, longest = 0;

	CHECK_EQ(sim_madvise(t, a, 200 * PG, MADV_RANDOM), 0);
	CHECK_EQ(sim_madvise(t, a + 200 * PG, 200 * PG, MADV_SEQUENTIAL), 0);
	for (i = 0; i < 10; i++) {
		good_load(t, a, (10 + 13 * i) * PG);
		check_asked(i, 10 + 13 * i, 1);
	}
	CHECK_EQ(rec.n, 10);
	/* forward only, and growing */
	for (i = 200; i < 400; i++)
		good_load(t, a, i * PG);
	CHECK_EQ(rec.asked[10].start, 200);
	CHECK(rec.asked[10].n < 32);
	for (i = 11; i < rec.n; i++) {
		CHECK(rec.asked[i].start > rec.asked[i - 1].start);
		longest = rec.asked[i].n > longest ? rec.asked[i].n : longest;
	}
	CHECK_EQ(longest, 32);
	CHECK(rec.n <= 10 + 12);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: C2 (guesses that are always wrong are given up, and taken up
 * again when they would have been right) */
TEST(readahead_around_that_does_not_pay)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = a_file(m, 8192);
	uaddr_t a = must_map(t, 8192 * PG, PROT_READ, MAP_SHARED, f, 0);
	unsigned i, k;

	for (i = 0; i < 110; i++)
		good_load(t, a, (20 + 64 * i) * PG);
	CHECK_EQ(rec.asked[50].n, 32);
	CHECK_EQ(rec.asked[109].n, 1);
	/* now everything around is used */
	for (k = 0; k < 110; k++)
		for (i = 0; i < 32; i += 8)
			good_load(t, a, (4 + 64 * k + i) * PG);
	good_load(t, a, 8100 * PG);
	CHECK_EQ(rec.asked[rec.n - 1].n, 32);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* --------------------------------------------------------------- errors */

/* behaviours: C2, E7 (a page that was only read along is no error until it is
 * wanted; then SIGBUS, or EIO; and a later try succeeds) */
TEST(readahead_failure_is_nobodys_error)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = a_file(m, 64);
	uaddr_t a = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, f, 0);
	uint8_t byte;
	unsigned n;

	CHECK_EQ(sim_disk_fail_range(f, 5 * PG, 7 * PG, true, false, -EIO), 0);
	good_load(t, a, 4 * PG);
	check_asked(0, 0, 32);
	good_load(t, a, 7 * PG);
	good_read(f, 7 * PG, 10 * PG);
	CHECK_EQ(rec.n, 1);
	/* now they are wanted: the device is asked once more, each time */
	for (n = 1; n < 4; n++) {
		CHECK_SIGNAL(t, sim_load8(t, a + 5 * PG + 9, &byte), SIGBUS,
			     QUIRE_BUS_ADRERR, a + 5 * PG + 9);
		CHECK_EQ(rec.n, n + 1);
		check_asked(n, 5, 1);
	}
	CHECK_EQ(sim_file_read(f, 6 * PG, &byte, 1), -EIO);
	CHECK_EQ(rec.n, 5);
	CHECK_EQ(sim_file_read(f, 4 * PG, (char[4 * 4096]){0}, 4 * PG),
		 (long)PG);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_disk_fail_range(f, 0, 0, true, false, 0), 0);
	good_load(t, a, 5 * PG);
	good_load(t, a, 6 * PG);
	good_read(f, 0, 32 * PG);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* --------------------------------------------------------------- memory */

/* What one read takes when nothing is read along. */
static uint64_t allocations_of_one(struct sim_machine *m)
{
	struct sim_file *f = sim_file_create(m, "/one", 64 * PG, SEED);
	uint64_t n;
	uint8_t byte;

	sim_file_quire(f)->ra_mode = POSIX_FADV_RANDOM;
	sim_inject_reset(m);
	CHECK_EQ(sim_file_read(f, 40 * PG, &byte, 1), 1);
	n = sim_inject_count(m);
	sim_file_close(f);
	return n;
}

/* behaviours: F15, C2 (short of memory the window shrinks; the wanted page
 * comes all the same) */
TEST(readahead_gives_up_its_window_first)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t one, k;
	uint8_t byte = 0;
	uaddr_t a;

	if (!sim_has_injection())
		return;
	one = allocations_of_one(m);
	CHECK(one >= 2); /* the page, and a node of the tree */
	for (k = one; k < one + 34; k++) {
		struct sim_file *f = a_file(m, 64);
		uint64_t pages;

		test_context("%u allocations", (unsigned)k);
		a = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, f, 0);
		/* so that the fault itself needs no table */
		CHECK_EQ(sim_mmap(t, a + 63 * PG, PG, RW, ANON | MAP_FIXED,
				  NULL, 0),
			 (sreg_t)(a + 63 * PG));
		CHECK_EQ(sim_store8(t, a + 63 * PG, 1), 0);
		sim_inject_nth(m, k + 1, false);
		sim_inject_reset(m);
		sim_inject_nth(m, k + 1, false);
		CHECK_EQ(sim_load8(t, a + 40 * PG, &byte), 0);
		sim_inject_reset(m);
		CHECK_EQ(byte, sim_file_byte(SEED, 40 * PG));
		pages = quire_mapping_pages(sim_file_mapping(f));
		CHECK(pages >= 1 && pages <= 32);
		if (k == one)
			CHECK_EQ(pages, 1);
		if (k == one + 33)
			CHECK_EQ(pages, 32);
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_munmap(t, a, 64 * PG), 0);
		sim_file_close(f);
	}
	test_context("%s", "");
	sim_exit(t);
}

/* Every kind of reading, with advice; all may fail for lack of memory. */
static void read_all_ways(struct sim_machine *m, void *arg)
{
	struct sim_file *f = sim_file_create(m, "/f", 48 * PG, SEED);
	struct sim_task *t = sim_task_create(m);
	static unsigned char buf[8 * 4096];
	uint8_t byte;
	unsigned i;
	sreg_t a;
	long n;

	(void)arg;
	if (t && f) {
		a = sim_mmap(t, 0, 48 * PG, PROT_READ, MAP_SHARED, f, 0);
		for (i = 0; i < 8; i++) {
			n = sim_file_read(f, i * 2 * PG, buf, 2 * PG);
			CHECK(n > 0 || n == -ENOMEM);
			if (n > 0)
				CHECK_EQ(buf[n - 1],
					 sim_file_byte(
						 SEED,
						 i * 2 * PG + (uint64_t)n - 1));
		}
		quire_mapping_readahead(sim_file_mapping(f), sim_file_quire(f),
					30 * PG, 4 * PG);
		if (mapped_at(a)) {
			CHECK_EQ(sim_madvise(t, (uaddr_t)a + 36 * PG, 4 * PG,
					     MADV_WILLNEED),
				 0);
			for (i = 0; i < 48; i += 5)
				if (!sim_load8(t, (uaddr_t)a + i * PG, &byte))
					CHECK_EQ(byte,
						 sim_file_byte(SEED, i * PG));
		}
		(void)quire_mapping_drop_clean(sim_file_mapping(f), 0,
					       UINT64_MAX);
	}
	if (t)
		sim_exit(t);
	if (f)
		sim_file_close(f);
}

/* behaviour: F15 */
TEST_WITH(readahead_every_allocation_fails, .plain = true, .seconds = 300)
{
	UNUSED_MACHINE;
	if (!sim_has_injection())
		return;
	CHECK(test_every_failure(NULL, read_all_ways, NULL) > 40);
}

/* --------------------------------------------------------------- advice */

static unsigned cached_of(struct sim_task *t, uaddr_t a, unsigned pages)
{
	static unsigned char vec[2048];
	unsigned i, n = 0;

	REQUIRE(pages <= sizeof(vec));
	CHECK_EQ(sim_mincore(t, a, pages * PG, vec), 0);
	for (i = 0; i < pages; i++)
		n += vec[i] & 1u;
	return n;
}

/* behaviour: M2 (MADV_WILLNEED, mincore for files) */
TEST(willneed_reads_the_range)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = a_file(m, 2000);
	struct sim_file *s = sim_file_shmem(m, "/s", 8 * PG);
	uaddr_t a = must_map(t, 1400 * PG, PROT_READ, MAP_PRIVATE, f, 100 * PG);
	uaddr_t b, faults;

	CHECK_EQ(cached_of(t, a, 1400), 0);
	CHECK_EQ(sim_madvise(t, a + 7 * PG, 50 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(rec.n, 1);
	check_asked(0, 107, 50);
	CHECK_EQ(cached_of(t, a, 1400), 50);
	CHECK_EQ(cached_of(t, a + 7 * PG, 50), 50);
	CHECK_EQ(mm_stats(t).file_pages, 0); /* read, not mapped */
	faults = (uaddr_t)t->qt.maj_flt;
	good_load(t, a - 100 * PG, 130 * PG);
	CHECK_EQ(t->qt.maj_flt, faults);
	/* more than one request, past what is there already */
	CHECK_EQ(sim_madvise(t, a, 1400 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(cached_of(t, a, 1400), 1400);
	CHECK(rec.n <= 5);
	/* errors as on Linux: anonymous memory has nothing to read */
	b = anon(t, 8);
	CHECK_EQ(sim_madvise(t, b, 8 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(sim_munmap(t, b + PG, PG), 0);
	CHECK_EQ(sim_madvise(t, b, 8 * PG, MADV_WILLNEED), -ENOMEM);
	b = must_map(t, 8 * PG, RW, MAP_SHARED, s, 0);
	CHECK_EQ(sim_madvise(t, b, 8 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(cached_of(t, b, 8), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
	sim_file_close(s);
}

TEST(readahead_call_keeps_to_the_file_and_to_memory)
{
	struct sim_file *f = a_file(m, 40);
	struct sim_file *big = sim_file_create(m, "/big", 1ull << 30, SEED);
	struct address_space *as = sim_file_mapping(f);

	quire_mapping_readahead(as, NULL, 35 * PG + 5, UINT64_MAX);
	CHECK_EQ(quire_mapping_pages(as), 5);
	quire_mapping_readahead(as, NULL, 40 * PG, PG);
	quire_mapping_readahead(as, NULL, UINT64_MAX, UINT64_MAX);
	quire_mapping_readahead(as, NULL, 0, 0);
	CHECK_EQ(quire_mapping_pages(as), 5);
	quire_mapping_readahead(as, NULL, PG - 1, 2);
	CHECK_EQ(quire_mapping_pages(as), 7);
	/* 64 MiB of memory do not go into one file by advice */
	quire_mapping_readahead(sim_file_mapping(big), NULL, 0, 1ull << 30);
	CHECK(quire_mapping_pages(sim_file_mapping(big)) > 1000);
	CHECK(quire_mapping_pages(sim_file_mapping(big)) < 9000);
	CHECK_EQ(quire_mapping_pages(as), 7);
	CHECK_SYSTEM(m);
	sim_file_close(big);
	sim_file_close(f);
}

/* What is mapped, dirty, pinned or under I/O stays; the rest goes. */
TEST(drop_clean_drops_what_can_be_read_again)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = a_file(m, 64);
	struct address_space *as = sim_file_mapping(f);
	uaddr_t a = must_map(t, 64 * PG, RW, MAP_SHARED, f, 0);
	struct page *pinned;
	char byte = 3;

	good_read(f, 0, 64 * PG);
	CHECK_EQ(quire_mapping_pages(as), 64);
	CHECK_EQ(sim_file_write(f, 40 * PG, &byte, 1), 1);
	CHECK_EQ(quire_set_fault_around(t->qt.mm, a, 64 * PG, PG), 0);
	good_load(t, a, 20 * PG);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + 30 * PG, 1, false, &pinned),
		 1);
	CHECK_EQ(sim_munmap(t, a + 30 * PG, PG), 0);
	/* pages that are whole in the range only */
	CHECK_EQ(quire_mapping_drop_clean(as, 10 * PG + 1, 15 * PG - 1), 3);
	CHECK_EQ(quire_mapping_pages(as), 61);
	CHECK_EQ(quire_mapping_drop_clean(as, 5, 5), 0);
	CHECK_EQ(quire_mapping_drop_clean(as, 63 * PG, 64 * PG - 1), 0);
	CHECK_EQ(quire_mapping_drop_clean(as, 0, UINT64_MAX), 61 - 3);
	CHECK_EQ(quire_mapping_pages(as), 3);
	quire_page_put(sim_quire(m), pinned);
	CHECK_EQ(quire_mapping_sync(as, 0, UINT64_MAX,
				    QUIRE_SYNC_START | QUIRE_SYNC_WAIT),
		 0);
	CHECK_EQ(quire_mapping_drop_clean(as, 0, UINT64_MAX), 2);
	good_load(t, a, 20 * PG);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: M2 (MADV_REMOVE), C4 (the hole is the file's, for everyone) */
TEST(remove_is_the_files_business)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = a_file(m, 16);
	struct sim_file *ro = sim_file_reopen(f, true, false);
	uaddr_t a = must_map(t, 16 * PG, RW, MAP_SHARED, f, 0);
	uaddr_t p = must_map(t, 16 * PG, RW, MAP_PRIVATE, f, 0);
	uaddr_t r = must_map(t, 16 * PG, PROT_READ, MAP_SHARED, ro, 0);
	unsigned char buf[64];
	uint8_t byte = 1;
	unsigned i;

	for (i = 0; i < 16; i++)
		CHECK_EQ(sim_store8(t, a + i * PG, 9), 0);
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(sim_madvise(t, p, PG, MADV_REMOVE), -EACCES);
	CHECK_EQ(sim_madvise(t, r, PG, MADV_REMOVE), -EACCES);
	CHECK_EQ(sim_madvise(t, anon(t, 1), PG, MADV_REMOVE), -EINVAL);
	CHECK_EQ(quire_mlock(t->qt.mm, a, PG, 0), 0);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_REMOVE), -EINVAL);
	CHECK_EQ(quire_munlock(t->qt.mm, a, PG), 0);
	CHECK_EQ(sim_madvise(t, a + 3 * PG, 5 * PG, MADV_REMOVE), 0);
	for (i = 0; i < 16; i++) {
		uint8_t want = i >= 3 && i < 8 ? 0 : 9;

		CHECK_EQ(sim_load8(c, a + i * PG, &byte), 0);
		CHECK_EQ(byte, want);
		CHECK_EQ(sim_load8(t, r + i * PG, &byte), 0);
		CHECK_EQ(byte, want);
	}
	/* on the device, too */
	memset(buf, 1, sizeof(buf));
	sim_file_peek(f, 5 * PG, buf, sizeof(buf));
	for (i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], 0);
	CHECK_EQ(quire_mapping_get_size(sim_file_mapping(f)), 16 * PG);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	sim_file_close(ro);
	sim_file_close(f);
}
