/* SPDX-License-Identifier: MIT */
/* MADV_WILLNEED for what is in swap. */
#include "swapout.h"

/*
 * behaviour: M2 (WILLNEED: what is in swap is on its way, and nobody waits)
 */
TEST(advice_willneed_from_swap)
{
	struct swapdev *d = swapdev_on(m, 600, 0, 0);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 48), i;
	uint64_t major;

	for (i = 0; i < 40; i++)
		put64(t, a + i * PG, 100 + i);
	for (i = 0; i < 40; i++)
		if (i != 5)
			swap_out(t, a + i * PG, i != 6);
	d->hold = true;
	CHECK_EQ(sim_madvise(t, a, 36 * PG, MADV_WILLNEED), 0);
	/* 5 never went, 6 is in the cache still */
	CHECK_EQ(swapdev_pending(d), 34);
	CHECK(d->reads <= 4);
	CHECK_EQ(sim_madvise(t, a, 36 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(swapdev_pending(d), 34);
	CHECK_EQ(mm_stats(t).swap_entries, 39);
	CHECK_EQ(swapdev_end(d), 34);
	d->hold = false;
	CHECK_SYSTEM(m);
	major = t->qt.maj_flt;
	for (i = 0; i < 36; i++)
		CHECK_EQ(get64(t, a + i * PG), 100 + i);
	CHECK_EQ(t->qt.maj_flt, major);
	CHECK_EQ(d->pages_read, 34);
	CHECK_EQ(get64(t, a + 38 * PG), 138);
	CHECK(t->qt.maj_flt > major);
	/* an entry that names nothing, and no memory: no error */
	CHECK_EQ(sim_madvise(t, a + 40 * PG, 8 * PG, MADV_WILLNEED), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}

/* behaviours: M2, C5 (the same of shared memory) */
TEST_WITH(advice_willneed_from_shared_swap, .config = {.ram_bytes = 16 << 20})
{
	struct swapdev *d = swapdev_on(m, 600, 0, 0);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 40 * PG, RW, SHANON, NULL, 0), i;
	struct address_space *as;
	uint64_t major;
	unsigned tries;

	for (i = 0; i < 40; i++)
		put64(t, a + i * PG, 100 + i);
	as = vma_at(t, a)->vm_mapping;
	lru_add_drain(d->q);
	for (tries = 0; tries < 100 && as->nrswapped < 40; tries++)
		CHECK_EQ(sim_madvise(t, a, 40 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(as->nrswapped, 40);
	CHECK_EQ(d->pages_read, 0);
	CHECK_EQ(sim_madvise(t, a + 4 * PG, 32 * PG, MADV_WILLNEED), 0);
	CHECK_EQ(d->pages_read, 32);
	CHECK(d->reads <= 2);
	CHECK_EQ(as->nrswapped, 40);
	CHECK_SYSTEM(m);
	major = t->qt.maj_flt;
	for (i = 4; i < 36; i++)
		CHECK_EQ(get64(t, a + i * PG), 100 + i);
	CHECK_EQ(t->qt.maj_flt, major);
	for (i = 0; i < 40; i++)
		CHECK_EQ(get64(t, a + i * PG), 100 + i);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}
