/* SPDX-License-Identifier: MIT */
/*
 * Fault-around: one read fault maps what the page cache has of 64 KiB, and no
 * more than that.
 */
#include "common.h"

#define SEED   11
#define AROUND 16u /* pages */

/* Faults that reading one byte of each page of [from, to) takes. */
static uint64_t faults_of(struct sim_task *t, uaddr_t a, unsigned from,
			  unsigned to, uint64_t file_page)
{
	uint64_t before = t->qt.min_flt + t->qt.maj_flt;
	uint8_t byte = 0;
	unsigned i;

	for (i = from; i < to; i++) {
		CHECK_EQ(sim_load8(t, a + i * PG + 3, &byte), 0);
		CHECK_EQ(byte, sim_file_byte(SEED, (file_page + i) * PG + 3));
	}
	return t->qt.min_flt + t->qt.maj_flt - before;
}

/* The file's pages [from, to) into the cache, by read(). */
static void warm(struct sim_file *f, unsigned from, unsigned to)
{
	static char buf[4096];
	unsigned i;

	for (i = from; i < to; i++)
		CHECK(sim_file_read(f, i * PG, buf, sizeof(buf)) > 0);
}

/* behaviour: F6 */
TEST(fault_around_maps_a_window)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/f", 64 * PG, SEED);
	uaddr_t a;

	warm(f, 0, 64);
	/* at a window's border, so that windows are whole */
	a = 0x10000000;
	CHECK_EQ(sim_mmap(t, a, 64 * PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, f,
			  0),
		 (sreg_t)a);
	CHECK_EQ(faults_of(t, a, 5, 6, 0), 1);
	CHECK_EQ(mm_stats(t).file_pages, AROUND);
	CHECK_EQ(faults_of(t, a, 0, AROUND, 0), 0);
	CHECK_EQ(faults_of(t, a, AROUND, AROUND + 1, 0), 1);
	CHECK_EQ(mm_stats(t).file_pages, 2 * AROUND);
	CHECK_EQ(t->qt.maj_flt, 0);
	CHECK_SYSTEM(m);
	/* what is there stays what it is: nothing is mapped twice */
	CHECK_EQ(sim_madvise(t, a + 3 * PG, PG, MADV_DONTNEED), 0);
	CHECK_EQ(mm_stats(t).file_pages, 2 * AROUND - 1);
	CHECK_EQ(faults_of(t, a, 3, 4, 0), 1);
	CHECK_EQ(mm_stats(t).file_pages, 2 * AROUND);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: F6 */
TEST(fault_around_keeps_within_bounds)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/f", 64 * PG, SEED);
	struct sim_file *part = sim_file_create(m, "/part", 8 * PG, SEED);
	uaddr_t a = 0x10000000, border = 0x20000000, b = 0x30000000;

	/* the VMA: two pages before a window's border to three after it */
	warm(f, 0, 64);
	CHECK_EQ(sim_mmap(t, a + 14 * PG, 5 * PG, PROT_READ,
			  MAP_PRIVATE | MAP_FIXED, f, 20 * PG),
		 (sreg_t)(a + 14 * PG));
	CHECK_EQ(faults_of(t, a + 14 * PG, 1, 2, 20), 1);
	/* the window is cut at the VMA's start, and then as long as ever */
	CHECK_EQ(mm_stats(t).file_pages, 5);
	CHECK_EQ(faults_of(t, a + 14 * PG, 0, 5, 20), 0);

	/* the table: 2 MiB */
	CHECK_EQ(sim_mmap(t, border - 2 * PG, 6 * PG, PROT_READ,
			  MAP_PRIVATE | MAP_FIXED, f, 0),
		 (sreg_t)(border - 2 * PG));
	CHECK_EQ(faults_of(t, border - 2 * PG, 0, 1, 0), 1);
	CHECK_EQ(mm_stats(t).file_pages, 5 + 2);
	CHECK_EQ(faults_of(t, border - 2 * PG, 2, 3, 0), 1);
	CHECK_EQ(mm_stats(t).file_pages, 5 + 6);

	/* the cache: what it does not hold is not read for the neighbours'
	 * sake, and a page past the end of the file is nobody's */
	CHECK_EQ(sim_mmap(t, b, 16 * PG, PROT_READ, MAP_PRIVATE | MAP_FIXED,
			  part, 0),
		 (sreg_t)b);
	warm(part, 2, 4);
	CHECK(quire_mapping_pages(sim_file_mapping(part)) >= 2);
	CHECK_EQ(faults_of(t, b, 2, 4, 0), 1);
	CHECK_SIGNAL(t, sim_load8(t, b + 8 * PG, &(uint8_t){0}), SIGBUS,
		     QUIRE_BUS_ADRERR, b + 8 * PG);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(part);
	sim_file_close(f);
}

/* behaviour: F6 */
TEST(fault_around_of_shared_memory)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = must_map(t, 32 * PG, RW, SHANON, NULL, 0);
	uint64_t before;
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < 32; i++)
		put64(t, a + i * PG, i + 1);
	/* the child has no entries for it: it finds them around */
	c = sim_fork(t);
	REQUIRE(c);
	before = c->qt.min_flt;
	for (i = 0; i < 32; i++) {
		CHECK_EQ(sim_load64(c, a + i * PG, &v), 0);
		CHECK_EQ(v, i + 1);
	}
	CHECK(c->qt.min_flt - before <= 3);
	CHECK(c->qt.min_flt - before >= 2);
	CHECK_EQ(mm_stats(c).shmem_pages, 32);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
}
