/* SPDX-License-Identifier: MIT */
/*
 * What a fault on a swap entry leaves of the slot and of the cached page; and
 * MADV_WILLNEED, which reads before there is a fault.
 */
#include "swapout.h"

static uint64_t free_slots(struct sim_machine *m)
{
	uint64_t total, left;

	quire_swap_total(sim_quire(m), &total, &left);
	return left;
}

static bool cached(struct sim_task *t, uaddr_t a)
{
	return PageFlag(page_at(t, a), PG_swapcache);
}

/* behaviours: F12, R3 (a page that was only read keeps its slot, and goes out
 * again without a write; one that is written gives it up) */
TEST(swap_slot_is_kept_for_a_read)
{
	struct swapdev *d = swapdev_on(m, 64, 0, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	uint64_t all = free_slots(m);

	put64(t, a, 5);
	swap_out(t, a, true);
	CHECK_EQ(d->pages_written, 1);
	CHECK_EQ(free_slots(m), all - 1);
	CHECK_EQ(get64(t, a), 5);
	CHECK(cached(t, a));
	CHECK_EQ(free_slots(m), all - 1);
	swap_out(t, a, true);
	CHECK_EQ(d->pages_written, 1);
	put64(t, a, 6);
	CHECK(!cached(t, a));
	CHECK_EQ(free_slots(m), all);
	swap_out(t, a, true);
	CHECK_EQ(d->pages_written, 2);
	CHECK_EQ(get64(t, a), 6);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(free_slots(m), all);
}

/* behaviour: F12 (the slot is given up where swap is tight: more than half of
 * it is taken) */
TEST(swap_slot_is_freed_where_swap_is_tight)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 8), i;
	uint64_t all;

	swapdev_on(m, 11, 0, -1);
	CHECK_EQ(quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER, 0),
		 0);
	all = free_slots(m);
	for (i = 0; i < 8; i++) {
		put64(t, a + i * PG, i);
		swap_out(t, a + i * PG, true);
	}
	CHECK_EQ(free_slots(m), all - 8);
	for (i = 0; i < 8; i++) {
		CHECK_EQ(get64(t, a + i * PG), i);
		CHECK_EQ(cached(t, a + i * PG), i >= 3);
	}
	CHECK_EQ(free_slots(m), all - 5);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: F12, R6 (and where the mapping is locked) */
TEST(swap_slot_is_freed_where_memory_is_locked)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4), i;
	uint64_t all;

	swapdev_on(m, 64, 0, -1);
	all = free_slots(m);
	for (i = 0; i < 4; i++) {
		put64(t, a + i * PG, i);
		swap_out(t, a + i * PG, true);
	}
	sim_run(t);
	CHECK_EQ(quire_mlock(t->qt.mm, a, 2 * PG, MLOCK_ONFAULT), 0);
	CHECK_EQ(get64(t, a), 0);
	CHECK(!cached(t, a));
	CHECK_EQ(free_slots(m), all - 3);
	CHECK_EQ(get64(t, a + 3 * PG), 3);
	CHECK(cached(t, a + 3 * PG));
	sim_run(t);
	CHECK_EQ(quire_mlock(t->qt.mm, a, 4 * PG, 0), 0);
	CHECK_EQ(sim_vmstat(m, "nr_mlock"), 4);
	for (i = 0; i < 4; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(free_slots(m), all);
}

/* behaviour: F12 (the page counts as used, its neighbours that were only read
 * ahead do not) */
TEST(swap_in_is_a_use)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 8), i;
	struct page *page;
	unsigned ahead = 0;

	swapdev_on(m, 64, 0, -1);
	for (i = 0; i < 8; i++) {
		put64(t, a + i * PG, i);
		swap_out(t, a + i * PG, true);
	}
	CHECK_EQ(get64(t, a), 0);
	CHECK_EQ(get64(t, a + PG), 1);
	lru_add_drain(sim_quire(m));
	for (i = 0; i < 2; i++) {
		page = page_at(t, a + i * PG);
		CHECK(PageFlag(page, PG_referenced) ||
		      PageFlag(page, PG_active));
	}
	for (; i < 8; i++) {
		page = swap_cache_get(t->qt.q, entry_at(t, a + i * PG));
		if (!page)
			continue;
		ahead++;
		CHECK(!PageFlag(page, PG_referenced) &&
		      !PageFlag(page, PG_active));
		put_page(t->qt.q, page);
	}
	CHECK(ahead > 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* ---------------------------------------------------------------- WILLNEED */

/* behaviours: M2, R3 (MADV_WILLNEED reads what is in swap of the range, in runs
 * of slots; the faults are minor then) */
TEST(willneed_reads_swap)
{
	struct swapdev *d = swapdev_on(m, 256, 0, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 100), i;
	uint64_t maj;

	for (i = 0; i < 100; i++) {
		put64(t, a + i * PG, i);
		swap_out(t, a + i * PG, true);
	}
	CHECK_EQ(get64(t, a + 50 * PG), 50); /* and what came with it */
	CHECK_EQ(sim_madvise(t, a + 60 * PG, 20 * PG, MADV_DONTNEED), 0);
	d->reads = d->pages_read = 0;
	CHECK_EQ(sim_madvise(t, a, 40 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(d->pages_read, 40);
	CHECK(d->reads <= 3);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_madvise(t, a, 40 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(d->pages_read, 40);
	maj = t->qt.maj_flt;
	for (i = 0; i < 40; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_EQ(t->qt.maj_flt, maj);
	CHECK_EQ(d->pages_read, 40);
	/* over a hole: the rest is read all the same */
	CHECK_EQ(sim_munmap(t, a + 82 * PG, 4 * PG), 0);
	CHECK_EQ(sim_madvise(t, a + 80 * PG, 20 * PG, MADV_WILLNEED), -ENOMEM);
	CHECK_EQ(d->pages_read, 56);
	for (i = 86; i < 100; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_EQ(t->qt.maj_flt, maj);
	/* what cannot be read is told when it is touched, not before */
	swap_out(t, a + 90 * PG, true);
	memset(d->bad_read, 1, sizeof(d->bad_read));
	CHECK_EQ(sim_madvise(t, a + 90 * PG, PG, MADV_WILLNEED), 0);
	CHECK_EQ(sim_load8(t, a + 90 * PG, &(uint8_t){0}), SIGBUS);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* ------------------------------------------------------------------- smaps */

/* The figure of a row of t's mapping at a, in KiB. */
static unsigned long smaps_row(struct sim_task *t, uaddr_t a, const char *row)
{
	char *text = sim_smaps(t), start[32], *at;
	unsigned long kib = ~0ul;

	REQUIRE(text);
	snprintf(start, sizeof(start), "%llx-", (unsigned long long)a);
	at = strstr(text, start);
	at = at ? strstr(at, row) : NULL;
	if (CHECK(at))
		kib = strtoul(at + strlen(row), NULL, 10);
	free(text);
	return kib;
}

/* behaviour: M5 (smaps: what of a mapping is in swap, and its share of slots
 * that several have) */
TEST(smaps_tells_of_swap)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a = anon(t, 6), i;

	swapdev_on(m, 64, 0, -1);
	for (i = 0; i < 6; i++)
		put64(t, a + i * PG, i);
	CHECK_EQ(smaps_row(t, a, "\nSwap:"), 0);
	for (i = 0; i < 4; i++)
		swap_out(t, a + i * PG, true);
	CHECK_EQ(smaps_row(t, a, "\nSwap:"), 16);
	CHECK_EQ(smaps_row(t, a, "\nSwapPss:"), 16);
	CHECK_EQ(smaps_row(t, a, "\nRss:"), 8);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_EQ(smaps_row(t, a, "\nSwap:"), 16);
	CHECK_EQ(smaps_row(t, a, "\nSwapPss:"), 8);
	CHECK_EQ(smaps_row(child, a, "\nSwapPss:"), 8);
	CHECK_EQ(get64(t, a), 0);
	CHECK_EQ(smaps_row(t, a, "\nSwap:"), 12);
	CHECK_EQ(smaps_row(child, a, "\nSwap:"), 16);
	sim_exit(child);
	CHECK_EQ(smaps_row(t, a, "\nSwapPss:"), 12);
	/* shared memory: of the part that is mapped */
	a = must_map(t, 8 * PG, RW, SHANON, NULL, 0);
	for (i = 0; i < 8; i++)
		put64(t, a + i * PG, i);
	CHECK_EQ(sim_madvise(t, a, 6 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(smaps_row(t, a, "\nSwap:"), 24);
	CHECK_EQ(smaps_row(t, a, "\nSwapPss:"), 0);
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	CHECK_EQ(smaps_row(t, a + PG, "\nSwap:"), 20);
	sim_exit(t);
}

/* behaviour: M5 (of a private mapping of shared memory, what has no copy) */
TEST(smaps_tells_of_swapped_originals)
{
	struct sim_file *f = sim_file_shmem(m, "shm", 8 * PG);
	struct sim_task *t = sim_task_create(m);
	uaddr_t shared, private, far, i;

	swapdev_on(m, 64, 0, -1);
	shared = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	for (i = 0; i < 8; i++)
		put64(t, shared + i * PG, i);
	private = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	far = must_map(t, 8 * PG, PROT_READ, MAP_PRIVATE, f, 0);
	put64(t, private + PG, 1);
	CHECK_EQ(sim_madvise(t, shared, 6 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(smaps_row(t, shared, "\nSwap:"), 24);
	CHECK_EQ(smaps_row(t, private, "\nSwap:"), 20);
	CHECK_EQ(smaps_row(t, private, "\nSwapPss:"), 0);
	CHECK_EQ(smaps_row(t, far, "\nSwap:"), 24);
	CHECK_EQ(get64(t, shared + 2 * PG), 2);
	CHECK_EQ(smaps_row(t, private, "\nSwap:"), 16);
	sim_exit(t);
	sim_file_close(f);
	CHECK_SYSTEM(m);
}
