/* SPDX-License-Identifier: MIT */
/*
 * Faults on swap entries: what comes back, what kind of fault it was, who has
 * the page then; and each race between the look at an entry and its locking.
 */
#include "swapout.h"

struct counts {
	uint64_t min, maj, in, out, ra, cow, reuse;
};

static struct counts counts(struct sim_task *t)
{
	return (struct counts){.min = t->qt.min_flt,
			       .maj = t->qt.maj_flt,
			       .in = sim_vmstat(t->m, "pswpin"),
			       .out = sim_vmstat(t->m, "pswpout"),
			       .ra = sim_vmstat(t->m, "swap_ra"),
			       .cow = sim_vmstat(t->m, "quire_cow_copy"),
			       .reuse = sim_vmstat(t->m, "quire_cow_reuse")};
}

static uint64_t users_at(struct sim_task *t, uaddr_t a)
{
	return swap_users(t->qt.q, entry_at(t, a));
}

/* behaviours: F11, F12 (from the device: MAJOR; counters; the page is mapped;
 * from the cache: minor) */
TEST(comes_back)
{
	struct swapdev *d = swapdev_on(m, 64, 0, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	unsigned cached;

	for (cached = 0; cached < 2; cached++) {
		struct counts was;
		struct quire_mm_stats s;

		test_context("cached %u", cached);
		put64(t, a + 8, 77 + cached);
		swap_out(t, a, !cached);
		CHECK(is_swapped(t, a));
		CHECK_EQ(users_at(t, a), 1);
		CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 1);
		CHECK_SYSTEM(m);
		was = counts(t);
		CHECK_EQ(get64(t, a + 8), 77 + cached);
		CHECK_EQ(t->qt.maj_flt, was.maj + !cached);
		CHECK_EQ(t->qt.min_flt, was.min + cached);
		CHECK_EQ(sim_vmstat(m, "pswpin"), was.in + !cached);
		CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 0);
		s = mm_stats(t);
		(void)s;
		CHECK_EQ(get_mm_counter(t->qt.mm, MM_ANONPAGES), 1);
		CHECK_SYSTEM(m);
	}
	CHECK_EQ(d->pages_written, 2);
	sim_exit(t);
}

/* behaviours: F11, F12 (a device that answers at once: no page stays in the
 * cache, the slot is free as soon as the page is back, which is ours alone) */
TEST(synchronous_device)
{
	struct swapdev *d = swapdev_on(m, 64, QUIRE_SWAP_SYNC, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	unsigned write;

	for (write = 0; write < 2; write++) {
		struct counts was;

		test_context("write %u", write);
		put64(t, a, 5);
		swap_out(t, a, true);
		was = counts(t);
		if (write)
			put64(t, a, 6);
		CHECK_EQ(get64(t, a), 5 + write);
		CHECK_EQ(t->qt.maj_flt, was.maj + 1);
		CHECK_EQ(t->qt.min_flt, was.min);
		CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
		CHECK(PageFlag(page_at(t, a), PG_anon_exclusive));
		CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), was.cow);
		CHECK_SYSTEM(m);
	}
	CHECK_EQ(d->pages_read, 2);
	sim_exit(t);
}
