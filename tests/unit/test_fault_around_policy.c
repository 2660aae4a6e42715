/* SPDX-License-Identifier: MIT */
/*
 * Fault-around as a matter of policy: how much is mapped by one fault, for a
 * system and for a single mapping, and that it is never more.
 */
#include "mappings.h"
#include "recorder.h"

#define SEED  31
#define PAGES 1024u

static const struct quire_fault_around_policy *policy_named(const char *name)
{
	const struct quire_fault_around_policy *p;
	unsigned i;

	for (i = 0; (p = quire_fault_around_policy(i)); i++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/* A file that is all cached, without a mark. */
static struct sim_file *warm_file(struct sim_machine *m)
{
	struct sim_file *f = sim_file_create(m, "/f", PAGES * PG, SEED);

	REQUIRE(f);
	quire_mapping_readahead(sim_file_mapping(f), NULL, 0, UINT64_MAX);
	REQUIRE_EQ(quire_mapping_pages(sim_file_mapping(f)), PAGES);
	return f;
}

static uint64_t faults_so_far(const struct sim_task *t)
{
	return t->qt.min_flt + t->qt.maj_flt;
}

/* Read a byte of the page; the number of pages that this maps. */
static unsigned maps_by(struct sim_task *t, uaddr_t a, unsigned page)
{
	uint64_t before = mm_stats(t).file_pages, faults = faults_so_far(t);
	uint8_t byte = 0;

	CHECK_EQ(sim_load8(t, a + page * PG + 5, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(SEED, page * PG + 5));
	CHECK(faults_so_far(t) - faults <= 1);
	return (unsigned)(mm_stats(t).file_pages - before);
}

static bool is_mapped(struct sim_task *t, uaddr_t a, unsigned page)
{
	return frame_of(t, a + page * PG) != 0;
}

/* Exactly [from, to) of the mapping's pages are mapped. */
static void check_mapped(struct sim_task *t, uaddr_t a, unsigned from,
			 unsigned to)
{
	unsigned i, wrong = 0;

	for (i = 0; i < PAGES; i++)
		wrong += is_mapped(t, a, i) != (i >= from && i < to);
	CHECK_EQ(wrong, 0);
}

static uaddr_t map_file_at(struct sim_task *t, struct sim_file *f, uaddr_t at)
{
	CHECK_EQ(sim_mmap(t, at, PAGES * PG, PROT_READ, MAP_SHARED | MAP_FIXED,
			  f, 0),
		 at);
	return at;
}

/* behaviour: F6 (the system's window, from one page to a whole table) */
TEST(fault_around_bytes_of_the_system)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = warm_file(m);
	struct quire *q = sim_quire(m);
	uint64_t bytes;
	unsigned k;

	for (k = 0; k < 8; k++) {
		static const unsigned bad[] = {0, 1, 4095, 5000, 12288};
		unsigned i;

		for (i = 0; i < ARRAY_LEN(bad); i++)
			CHECK_EQ(quire_set_tunable(
					 q, QUIRE_TUNABLE_FAULT_AROUND_BYTES,
					 bad[i]),
				 -EINVAL);
		bytes = 4096u << k;
		CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_FAULT_AROUND_BYTES,
					   bytes),
			 0);
		CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_FAULT_AROUND_BYTES),
			 bytes);
		map_file_at(t, f, TEST_PLACE(1));
		CHECK_EQ(maps_by(t, TEST_PLACE(1), 300), 1u << k);
		check_mapped(t, TEST_PLACE(1), 300u & ~((1u << k) - 1),
			     (300u & ~((1u << k) - 1)) + (1u << k));
		CHECK_SYSTEM(m);
	}
	/* more than a table is a table's */
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_FAULT_AROUND_BYTES,
				   64u << 20),
		 0);
	map_file_at(t, f, TEST_PLACE(1));
	CHECK_EQ(maps_by(t, TEST_PLACE(1), 300),
		 PMD_SIZE / PG < PAGES ? PMD_SIZE / PG : PAGES);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: F6 (a mapping's own; it goes with splits, merges and forks) */
TEST(fault_around_of_one_mapping)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = warm_file(m);
	uaddr_t a = map_file_at(t, f, A);
	struct mm_struct *mm = t->qt.mm;

	sim_run(t);
	CHECK_EQ(quire_set_fault_around(mm, a + 1, PG, 8192), -EINVAL);
	CHECK_EQ(quire_set_fault_around(mm, a, PG, 5000), -EINVAL);
	CHECK_EQ(quire_set_fault_around(mm, a, PG, 2048), -EINVAL);
	CHECK_EQ(quire_set_fault_around(mm, a, 0, 8192), 0);
	CHECK_EQ(quire_set_fault_around(mm, a + PAGES * PG, PG, 8192), -ENOMEM);
	CHECK_EQ(lines(t, A, A + PAGES * PG), 1);

	CHECK_EQ(quire_set_fault_around(mm, a + 256 * PG, 256 * PG, 4096), 0);
	CHECK_EQ(quire_set_fault_around(mm, a + 512 * PG, 256 * PG, 131072), 0);
	CHECK_EQ(lines(t, A, A + PAGES * PG), 4);
	CHECK_EQ(maps_by(t, a, 10), 16);
	CHECK_EQ(maps_by(t, a, 300), 1);
	CHECK_EQ(maps_by(t, a, 600), 32);
	/* the window of one does not reach into the next */
	CHECK_EQ(quire_set_fault_around(mm, a + 512 * PG, 4 * PG, 16384), 0);
	CHECK_EQ(maps_by(t, a, 513), 4);
	CHECK_EQ(maps_by(t, a, 517), 32);
	CHECK_EQ(lines(t, A, A + PAGES * PG), 5);
	CHECK_SYSTEM(m);

	/* the child has it too */
	CHECK_EQ(sim_madvise(t, a, PAGES * PG, MADV_DONTNEED), 0);
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(maps_by(c, a, 300), 1);
	CHECK_EQ(maps_by(c, a, 700), 32);
	sim_exit(c);

	/* mprotect and mremap leave it alone */
	CHECK_EQ(sim_mprotect(t, a + 256 * PG, 16 * PG, PROT_NONE), 0);
	CHECK_EQ(sim_mprotect(t, a + 256 * PG, 16 * PG, PROT_READ), 0);
	CHECK_EQ(maps_by(t, a, 260), 1);
	CHECK_EQ(sim_mremap(t, a + 600 * PG, 100 * PG, 100 * PG,
			    MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(2)),
		 TEST_PLACE(2));
	CHECK_EQ(sim_load8(t, TEST_PLACE(2) + 50 * PG, &(uint8_t){0}), 0);
	CHECK(frame_of(t, TEST_PLACE(2) + 33 * PG));
	CHECK(frame_of(t, TEST_PLACE(2) + 63 * PG));
	CHECK(!frame_of(t, TEST_PLACE(2) + 31 * PG));
	CHECK(!frame_of(t, TEST_PLACE(2) + 64 * PG));

	/* back to the system's: one mapping again */
	CHECK_EQ(sim_munmap(t, TEST_PLACE(2), 100 * PG), 0);
	map_file_at(t, f, A);
	CHECK_EQ(quire_set_fault_around(mm, a + 3 * PG, 5 * PG, 8192), 0);
	CHECK_EQ(lines(t, A, A + PAGES * PG), 3);
	CHECK_EQ(quire_set_fault_around(mm, a, 20 * PG, 0), 0);
	CHECK_EQ(lines(t, A, A + PAGES * PG), 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

static struct sim_machine *machine_with(const char *policy)
{
	struct sim_config c = {.fault_around = policy_named(policy)};
	struct sim_machine *m;

	REQUIRE(c.fault_around);
	test_set_shape(&c);
	m = sim_machine_create(&c);
	REQUIRE(m);
	return m;
}

/* behaviour: F6 (policies by name) */
TEST_PLAIN(fault_around_policies)
{
	static const struct {
		const char *name;
		unsigned from, to; /* what a fault at page 300 maps */
		unsigned random_from, random_to, seq_from, seq_to;
	} want[] = {
		{"aligned", 288, 304, 288, 304, 288, 304},
		{"forward", 300, 316, 300, 316, 300, 316},
		{"advised", 288, 304, 300, 301, 300, 332},
		{"none", 300, 301, 300, 301, 300, 301},
	};
	unsigned i;

	UNUSED_MACHINE;
	CHECK_STR(quire_fault_around_policy(0)->name, "aligned");
	CHECK(!quire_fault_around_policy(ARRAY_LEN(want)));
	for (i = 0; i < ARRAY_LEN(want); i++) {
		struct sim_machine *pm = machine_with(want[i].name);
		struct sim_task *t = sim_task_create(pm);
		struct sim_file *f = warm_file(pm);
		uaddr_t a = map_file_at(t, f, A);

		test_context("%s", want[i].name);
		maps_by(t, a, 300);
		check_mapped(t, a, want[i].from, want[i].to);
		map_file_at(t, f, A);
		CHECK_EQ(sim_madvise(t, a, PAGES * PG, MADV_RANDOM), 0);
		maps_by(t, a, 300);
		check_mapped(t, a, want[i].random_from, want[i].random_to);
		map_file_at(t, f, A);
		CHECK_EQ(sim_madvise(t, a, PAGES * PG, MADV_SEQUENTIAL), 0);
		maps_by(t, a, 300);
		check_mapped(t, a, want[i].seq_from, want[i].seq_to);
		/* the last page of the mapping */
		maps_by(t, a, PAGES - 1);
		CHECK_SYSTEM(pm);
		sim_exit(t);
		sim_file_close(f);
		CHECK_EQ(sim_machine_destroy(pm), 0);
	}
	test_context("%s", "");
}

/* A policy that answers anything at all. */
static uint64_t wild_state = 4242;

static void wild_window(const struct quire_fa_request *req, uaddr_t *start,
			uaddr_t *end)
{
	CHECK(req->low <= req->address && req->address < req->high);
	wild_state = wild_state * 6364136223846793005u + 1442695040888963407;
	*start = req->address - (uaddr_t)(wild_state >> 50) * PG;
	*end = req->address + (uaddr_t)(wild_state >> 40 & 0xfff) * PG;
	if (wild_state >> 62 == 0)
		*end = *start;
}

/* behaviour: F6 (within VMA and table, whatever the policy says) */
TEST_PLAIN(fault_around_policy_gone_wild)
{
	static const struct quire_fault_around_policy wild = {"wild",
							      wild_window};
	struct sim_config c = {.fault_around = &wild};
	struct sim_machine *pm;
	struct sim_file *f;
	struct sim_task *t;
	unsigned i;

	UNUSED_MACHINE;
	test_set_shape(&c);
	pm = sim_machine_create(&c);
	REQUIRE(pm);
	f = warm_file(pm);
	t = sim_task_create(pm);
	for (i = 0; i < 60; i++) {
		unsigned from = i * 37 % 700, n = 1 + i * 11 % 90;
		uaddr_t a = A + (uaddr_t)(i * 53 % 2000) * PG;

		CHECK_EQ(sim_mmap(t, a, n * PG, PROT_READ,
				  MAP_PRIVATE | MAP_FIXED, f, from * PG),
			 (sreg_t)a);
		CHECK_EQ(sim_load8(t, a + i % n * PG, &(uint8_t){0}), 0);
		CHECK_SYSTEM(pm);
		CHECK_EQ(sim_munmap(t, a, n * PG), 0);
		CHECK_EQ(mm_stats(t).file_pages, 0);
	}
	sim_exit(t);
	sim_file_close(f);
	CHECK_EQ(sim_machine_destroy(pm), 0);
}

/* behaviour: F6 (strided and random use: what is mapped is what is there) */
TEST(fault_around_strided_and_random)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = warm_file(m);
	uaddr_t a = map_file_at(t, f, A);
	uint64_t faults = faults_so_far(t), s = 7;
	unsigned i, page;

	/* each 32nd page: a fault each, 16 pages each */
	for (i = 0; i < PAGES; i += 32)
		CHECK_EQ(maps_by(t, a, i), 16);
	CHECK_EQ(faults_so_far(t) - faults, PAGES / 32);
	/* the other halves, at random: no page is mapped twice */
	for (i = 0; i < 4000; i++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		page = (unsigned)(s >> 33) % PAGES;
		CHECK(maps_by(t, a, page) <= 16);
	}
	CHECK_EQ(faults_so_far(t) - faults, PAGES / 16);
	CHECK_EQ(mm_stats(t).file_pages, PAGES);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: F6, C2 (a page with the mark is left to a fault of its own) */
TEST(fault_around_leaves_the_mark)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/f", PAGES * PG, SEED);
	uaddr_t a = map_file_at(t, f, A);

	record_file(f);
	CHECK_EQ(maps_by(t, a, 20), 15); /* the window is [4, 36) */
	CHECK_EQ(rec.asked[0].mark, 28);
	CHECK(!is_mapped(t, a, 28) && is_mapped(t, a, 27));
	sim_exit(t);
	sim_file_close(f);
}
