/* SPDX-License-Identifier: MIT */
/*
 * A large block of free memory is made where there are only small pieces.
 */
#include <system.h>

#include <tests/unit/common.h>

#define RAM    (16u << 20)
#define FRAMES (RAM / 4096)
#define SMALL                                                                  \
	{                                                                      \
		.ram_bytes = RAM, .overcommit = 1                              \
	}

/* Free blocks of at least this order. */
static unsigned long blocks(struct sim_machine *m, unsigned order)
{
	struct quire *q = sim_quire(m);
	unsigned long n = 0;

	pcp_drain_all(q);
	for (; order < MAX_ORDER; order++)
		n += q->node[0].nr_free_order[order];
	return n;
}

/*
 * All memory, then every other page of it given back.  Returns how many pages t
 * has left, the i-th at (*a) + 2 * i pages, holding i.
 */
static uaddr_t fragment(struct sim_task *t, uaddr_t *a)
{
	struct quire *q = t->qt.q;
	uaddr_t n = 0, i;

	*a = anon(t, FRAMES);
	/* tables cannot move: not between the pages */
	CHECK_EQ(sim_touch_read(t, *a, FRAMES * PG), 0);
	while (q->node[0].nr_free > q->node[0].watermark[WMARK_MIN] + 64) {
		put64(t, *a + n * PG, n / 2);
		n++;
	}
	for (i = 1; i < n; i += 2)
		CHECK_EQ(sim_madvise(t, *a + i * PG, PG, MADV_DONTNEED), 0);
	return (n + 1) / 2;
}

/* behaviour: R9 (half of memory is free, and no block of four pages: an
 * allocation of 2 MiB finds one all the same; nobody loses a page) */
TEST_WITH(compaction_order_9, .config = SMALL)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	struct page *page;
	uaddr_t a, n, i;

	n = fragment(t, &a);
	REQUIRE(n > FRAMES / 3);
	CHECK(blocks(m, 9) == 0);
	CHECK(q->node[0].nr_free > FRAMES / 3);
	CHECK_SYSTEM(m);
	CHECK(quire_alloc_pages(q, QUIRE_GFP_ATOMIC, 9) == NULL);
	page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 9);
	REQUIRE(page);
	CHECK_EQ(quire_page_phys(q, page) % (512 * PG), 0);
	memset(quire_page_address(q, page), 0xab, 512 * PG);
	CHECK(sim_vmstat(m, "compact_success") >= 1);
	CHECK(sim_vmstat(m, "compact_isolated") > 0);
	CHECK(sim_vmstat(m, "compact_migrate_scanned") > 0);
	CHECK(sim_vmstat(m, "compact_free_scanned") > 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < n; i++)
		REQUIRE_EQ(get64(t, a + 2 * i * PG), i);
	quire_free_pages(q, page, 9);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: R9 (as many as the free memory makes; then an honest failure) */
TEST_WITH(compaction_until_none, .config = SMALL)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	struct page *page[16];
	uint64_t fails;
	unsigned k = 0;
	uaddr_t a, n, i;

	n = fragment(t, &a);
	while (k < 16 && (page[k] = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 8)))
		k++;
	CHECK(k >= 3);
	fails = sim_vmstat(m, "compact_fail");
	CHECK(!quire_compact(q, 8) || blocks(m, 8));
	CHECK(!quire_compact(q, 11));
	CHECK(sim_vmstat(m, "compact_fail") >= fails);
	for (i = 0; i < n; i++)
		REQUIRE_EQ(get64(t, a + 2 * i * PG), i);
	CHECK_SYSTEM(m);
	while (k)
		quire_free_pages(q, page[--k], 8);
	sim_exit(t);
}

/* behaviour: R9 (blocks with pages that cannot move are left alone; memory of
 * files and shared memory moves as well) */
TEST_WITH(compaction_of_files_and_pins, .config = SMALL)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	struct sim_file *f = sim_file_create(m, "f", 512 * PG, 5);
	uaddr_t b = must_map(t, 512 * PG, RW, MAP_SHARED, f, 0);
	uaddr_t s = must_map(t, 256 * PG, RW, SHANON, NULL, 0);
	struct page *pin, *page;
	uaddr_t a, n, i;

	for (i = 0; i < 512; i++)
		put64(t, b + i * PG, 3000 + i);
	for (i = 0; i < 256; i++)
		put64(t, s + i * PG, 4000 + i);
	n = fragment(t, &a);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + 100 * PG, 1, true, &pin),
		 1);
	page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 9);
	CHECK(page != NULL);
	CHECK_EQ(frame_of(t, a + 100 * PG), quire_page_phys(q, pin));
	for (i = 0; i < n; i++)
		REQUIRE_EQ(get64(t, a + 2 * i * PG), i);
	for (i = 0; i < 512; i++)
		REQUIRE_EQ(get64(t, b + i * PG), 3000 + i);
	for (i = 0; i < 256; i++)
		REQUIRE_EQ(get64(t, s + i * PG), 4000 + i);
	CHECK_SYSTEM(m);
	quire_page_put(q, pin);
	if (page)
		quire_free_pages(q, page, 9);
	CHECK_EQ(sim_file_fsync(f, false), 0);
	sim_exit(t);
	sim_file_close(f);
}
