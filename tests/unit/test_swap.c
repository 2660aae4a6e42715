/* SPDX-License-Identifier: MIT */
/* Swap areas and their slots: where pages go, and what is told to the device.
 */
#include "swapout.h"

/* A page of the swap cache in a slot of its own that nobody uses. */
static struct page *take(struct quire *q, swp_entry_t *entry)
{
	struct page *page = alloc_pages(q, GFP_KERNEL, 0);

	REQUIRE(page);
	lock_page(page);
	SetPageUptodate(page);
	SetPageFlag(page, PG_swapbacked);
	if (!add_to_swap(q, page)) {
		unlock_page(page);
		put_page(q, page);
		return NULL;
	}
	*entry = page_swap_entry(page);
	return page;
}
static void give_back(struct quire *q, struct page *page)
{
	delete_from_swap_cache(q, page);
	unlock_page(page);
	put_page(q, page);
}
/* Takes a slot, and leaves the slot used by nobody but one "entry". */
static swp_entry_t take_slot(struct quire *q)
{
	swp_entry_t e = {0};
	struct page *page = take(q, &e);

	REQUIRE(page);
	swap_duplicate(q, e);
	give_back(q, page);
	return e;
}

/* behaviour: R3 (areas by priority; -1: each less than those before it) */
TEST(areas_by_priority)
{
	struct quire *q = sim_quire(m);
	static const int prio[] = {-1, 5, -1, 7};
	static const unsigned order[] = {3, 1, 0, 2};
	struct quire_swap_info info;
	swp_entry_t e[4][10];
	uint64_t total, free;
	unsigned i, k;

	for (i = 0; i < 4; i++)
		swapdev_on(m, 11, 0, prio[i]);
	quire_swap_total(q, &total, &free);
	CHECK_EQ(total, 40);
	CHECK_EQ(free, 40);
	CHECK_EQ(quire_swap_info(q, 0, &info), 0);
	CHECK_EQ(info.priority, -2);
	CHECK_EQ(quire_swap_info(q, 2, &info), 0);
	CHECK_EQ(info.priority, -3);
	CHECK_EQ(quire_swap_info(q, 4, &info), -EINVAL);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(vm_swap_full(q), i > 2);
		for (k = 0; k < 10; k++) {
			e[i][k] = take_slot(q);
			CHECK_EQ(swp_type(e[i][k]), order[i]);
			/* one after the other, past the header */
			CHECK_EQ(swp_offset(e[i][k]), k + 1);
		}
	}
	CHECK(!swap_has_room(q));
	CHECK(!take(q, &(swp_entry_t){0}));
	for (i = 0; i < 4; i++)
		for (k = 0; k < 10; k++)
			swap_free(q, e[i][k]);
	quire_swap_total(q, &total, &free);
	CHECK_EQ(free, 40);
	CHECK_SYSTEM(m);
	for (i = 0; i < 4; i++)
		CHECK_EQ(quire_swapoff(q, i), 0);
}

/* behaviour: R3 (areas of one priority take turns; each CPU has a cluster) */
TEST_WITH(turns_and_clusters, .config = {.cpus = 2})
{
	struct quire *q = sim_quire(m);
	unsigned i, n[2] = {0, 0}, cluster[2];
	static swp_entry_t e[512];

	swapdev_on(m, 3000, 0, 3);
	swapdev_on(m, 3000, 0, 3);
	for (i = 0; i < 512; i++) {
		e[i] = take_slot(q);
		n[swp_type(e[i])]++;
		if (i % 64)
			CHECK_EQ(e[i].v, e[i - 1].v + 1);
	}
	CHECK_EQ(n[0], 256);
	CHECK_EQ(n[1], 256);
	for (i = 0; i < 512; i++)
		swap_free(q, e[i]);
	for (i = 0; i < 2; i++) {
		sim_bind(m, i);
		e[i] = take_slot(q);
		if (swp_type(e[i])) /* (CPU 0's turn is at the other area) */
			cluster[i] = UINT32_MAX - i;
		else
			cluster[i] = (unsigned)(swp_offset(e[i]) / 512);
	}
	CHECK(cluster[0] != cluster[1]);
	sim_bind(m, 0);
	swap_free(q, e[0]);
	swap_free(q, e[1]);
	CHECK_SYSTEM(m);
}

/* behaviour: R3 (a full area: holes are found, wherever other CPUs are) */
TEST_WITH(every_slot_is_found, .config = {.cpus = 2})
{
	struct quire *q = sim_quire(m);
	static swp_entry_t e[1599];
	unsigned i;

	swapdev_on(m, 1600, 0, -1);
	sim_bind(m, 1);
	e[0] = take_slot(q); /* this CPU's cluster has 510 more */
	sim_bind(m, 0);
	for (i = 1; i < 1599; i++)
		e[i] = take_slot(q);
	CHECK(!swap_has_room(q));
	for (i = 0; i < 1599; i += 7)
		swap_free(q, e[i]);
	for (i = 0; i < 1599; i += 7)
		e[i] = take_slot(q);
	CHECK(!swap_has_room(q));
	for (i = 0; i < 1599; i++)
		swap_free(q, e[i]);
	CHECK_SYSTEM(m);
}

/* behaviour: R3 (an area of which only freed slots are discarded) */
TEST(discard_only_what_is_freed)
{
	struct swapdev *d = swapdev_on(
		m, 600, QUIRE_SWAP_DISCARD | QUIRE_SWAP_DISCARD_FREED, -1);
	struct quire *q = sim_quire(m);
	static swp_entry_t e[511];
	unsigned i;

	CHECK_EQ(d->discards, 0);
	for (i = 0; i < 511; i++)
		e[i] = take_slot(q);
	for (i = 0; i < 511; i++)
		swap_free(q, e[i]);
	quire_reclaim_work(q);
	CHECK_EQ(d->discards, 1);
	CHECK_SYSTEM(m);
}

/* behaviour: R3 (freed slots are told at once; free clusters are discarded
 * later, and not used until then; the whole area is when it is added) */
TEST(discard_and_slot_free)
{
	struct swapdev *d = swapdev_on(m, 1200, QUIRE_SWAP_DISCARD, -1);
	struct quire *q = sim_quire(m);
	static swp_entry_t e[1199];
	uint64_t total, free;
	unsigned i;

	CHECK_EQ(d->discards, 1);
	CHECK_EQ(d->state[0], 0); /* the header stays */
	for (i = 1; i < 1200; i++)
		REQUIRE_EQ(d->state[i], 'd');
	for (i = 0; i < 1199; i++)
		e[i] = take_slot(q);
	for (i = 0; i < 1199; i++)
		if (swp_offset(e[i]) >= 512 && swp_offset(e[i]) < 1024) {
			swap_free(q, e[i]);
			CHECK_EQ(d->state[swp_offset(e[i])], 'f');
		}
	CHECK_EQ(d->discards, 1);
	quire_swap_total(q, &total, &free);
	CHECK_EQ(free, 0);
	CHECK(!take(q, &(swp_entry_t){0}));
	quire_reclaim_work(q);
	CHECK_EQ(d->discards, 2);
	for (i = 512; i < 1024; i++)
		REQUIRE_EQ(d->state[i], 'd');
	quire_swap_total(q, &total, &free);
	CHECK_EQ(free, 512);
	for (i = 0; i < 1199; i++)
		if (swp_offset(e[i]) < 512 || swp_offset(e[i]) >= 1024)
			swap_free(q, e[i]);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_swapoff(q, 0), 0);
}

/* behaviour: R3 (a cluster that its CPU goes on with after it was discarded is
 * discarded again) */
TEST(discarded_twice)
{
	struct swapdev *d = swapdev_on(m, 1200, QUIRE_SWAP_DISCARD, -1);
	struct quire *q = sim_quire(m);
	unsigned i;

	for (i = 1; i < 4; i++) {
		swp_entry_t e = take_slot(q);

		swap_free(q, e);
		quire_reclaim_work(q);
		CHECK_EQ(d->discards, 1 + i);
		CHECK_EQ(d->state[swp_offset(e)], 'd');
	}
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_swapoff(q, 0), 0);
}

struct discard {
	struct sim_task *t[2];
	uint32_t begun, awaited;
};
static struct discard discard;

/* Is not over before another has come to want the room. */
static void slow_discard(void *device, uint64_t slot, uint64_t n)
{
	unsigned i;

	__atomic_store_n(&discard.begun, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&discard.awaited, __ATOMIC_ACQUIRE))
		sim_poll();
	for (i = 0; i < 100; i++)
		sim_poll();
	swapdev_discard(device, slot, n);
}

static void want_room(unsigned cpu, void *arg)
{
	struct quire *q = arg;

	sim_run(discard.t[cpu]);
	while (cpu && !__atomic_load_n(&discard.begun, __ATOMIC_ACQUIRE))
		sim_poll();
	if (cpu)
		__atomic_store_n(&discard.awaited, 1, __ATOMIC_RELEASE);
	swap_discard_work(q, false);
	CHECK(swap_has_room(q));
	sim_run(NULL);
}

/* behaviour: R3 (two want room, and there is but one cluster to discard) */
TEST_WITH(discarded_for_two, .config = {.cpus = 2})
{
	struct quire *q = sim_quire(m);
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_ops ops = swapdev_ops;
	struct quire_swap_config c = swapdev_config(
		d, 400, QUIRE_SWAP_DISCARD | QUIRE_SWAP_DISCARD_FREED, -1);
	static swp_entry_t e[399];
	unsigned i;

	ops.discard = slow_discard;
	c.ops = &ops;
	REQUIRE(quire_swapon(q, &c) == 0);
	for (i = 0; i < 2; i++)
		REQUIRE(discard.t[i] = sim_task_create(m));
	for (i = 0; i < 399; i++)
		e[i] = take_slot(q);
	for (i = 0; i < 399; i++)
		swap_free(q, e[i]);
	CHECK(!swap_has_room(q));
	sim_run(NULL);
	sim_parallel(m, 2, want_room, q);
	CHECK_EQ(d->discards, 1);
	for (i = 0; i < 2; i++)
		sim_exit(discard.t[i]);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_swapoff(q, 0), 0);
}

/* behaviour: R3 (what cannot be an area; slots past what an entry can name are
 * left out, as are bad ones) */
TEST(swapon_refuses)
{
	struct quire *q = sim_quire(m);
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_config c = swapdev_config(d, 16, 0, -1), b;
	static const uint64_t bad[] = {2, 3, 9, 99};
	struct quire_swap_info info;
	struct page *page;
	swp_entry_t e;
	unsigned i;

	b = c, b.ops = NULL;
	CHECK_EQ(quire_swapon(q, &b), -EINVAL);
	b = c, b.slots = 1;
	CHECK_EQ(quire_swapon(q, &b), -EINVAL);
	b = c, b.priority = 32768;
	CHECK_EQ(quire_swapon(q, &b), -EINVAL);
	b = c, b.priority = -2;
	CHECK_EQ(quire_swapon(q, &b), -EINVAL);
	b = c, b.nr_bad = 1;
	CHECK_EQ(quire_swapon(q, &b), -EINVAL);
	CHECK_EQ(quire_swapon(q, NULL), -EINVAL);
	b = c, b.bad = bad, b.nr_bad = 4;
	CHECK_EQ(quire_swapon(q, &b), 0);
	CHECK_EQ(quire_swap_info(q, 0, &info), 0);
	CHECK_EQ(info.slots, 12);
	for (i = 0; i < 12; i++) {
		page = take(q, &e);
		REQUIRE(page);
		CHECK(swp_offset(e) != 0 && swp_offset(e) != 2 &&
		      swp_offset(e) != 3 && swp_offset(e) != 9);
		swap_duplicate(q, e);
		give_back(q, page);
	}
	CHECK(!take(q, &e));
	for (i = 1; i < 16; i++)
		if (swap_entry_valid(q, swp_entry(0, i)))
			swap_free(q, swp_entry(0, i));
	CHECK(!swap_entry_valid(q, swp_entry(0, 99)));
	CHECK(!swap_entry_valid(q, swp_entry(7, 1)));
	for (i = 1; i < QUIRE_MAX_SWAP_AREAS; i++)
		CHECK_EQ(quire_swapon(q, &c), i);
	CHECK_EQ(quire_swapon(q, &c), -EPERM);
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		CHECK_EQ(quire_swapoff(q, i), 0);
}

/*
 * behaviours: R3, P3
 * More slots than an entry of the format can name: the rest is left out.  (The
 * tables' size is told by the slots: where entries name more than memory could
 * have tables for, that is the answer.)
 */
TEST_WITH(swapon_clips_to_the_format, .config = {.ram_bytes = 96 << 20},
	  .seconds = 120)
{
	struct quire *q = sim_quire(m);
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_config c =
		swapdev_config(d, (uint64_t)SWP_MAX_OFFSET + 1001, 0, -1);
	struct quire_swap_info info;
	struct page *page;
	uint64_t *bad, i;
	swp_entry_t e;

	if (SWP_OFFSET_BITS > 24) {
		int err = quire_swapon(q, &c);

		CHECK(err == -ENOMEM || err == -EINVAL);
		CHECK_EQ(quire_swap_info(q, 0, &info), -EINVAL);
		return;
	}
	/* the last slot alone is good */
	bad = calloc(SWP_MAX_OFFSET, sizeof(*bad));
	REQUIRE(bad);
	for (i = 1; i < SWP_MAX_OFFSET; i++)
		bad[i - 1] = i;
	c.bad = bad;
	c.nr_bad = (unsigned)SWP_MAX_OFFSET - 1;
	CHECK_EQ(quire_swapon(q, &c), 0);
	free(bad);
	CHECK_EQ(quire_swap_info(q, 0, &info), 0);
	CHECK_EQ(info.slots, 1);
	page = take(q, &e);
	REQUIRE(page);
	CHECK_EQ(swp_offset(e), SWP_MAX_OFFSET);
	CHECK_EQ(pte_to_swp_entry(swp_entry_to_pte(e)).v, e.v);
	CHECK(!take(q, &e));
	swap_duplicate(q, e);
	give_back(q, page);
	swap_free(q, e);
	CHECK_EQ(quire_swapoff(q, 0), 0);
	/* none but those left out */
	c.bad = NULL;
	c.nr_bad = 0;
	c.first = (uint64_t)SWP_MAX_OFFSET + 1;
	CHECK_EQ(quire_swapon(q, &c), -EINVAL);
}

static void on_and_off(struct sim_machine *m, void *arg)
{
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_config c = swapdev_config(d, 1200, 0, -1);
	int area = quire_swapon(sim_quire(m), &c);

	(void)arg;
	if (CHECK(area == 0 || area == -ENOMEM) && !area)
		CHECK_EQ(quire_swapoff(sim_quire(m), 0), 0);
	free(d->data);
	free(d);
}

/* behaviour: R3 (no memory for the tables: -ENOMEM, nothing is left) */
TEST(swapon_every_failure)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};

	if (sim_has_injection())
		CHECK_EQ(test_every_failure(&c, on_and_off, NULL), 5);
	sim_bind(m, 0);
}

/* ------------------------------------------------------- runs, readahead */

/* behaviours: R3, R2 (pages that go out together are written in one request) */
TEST(written_in_runs)
{
	struct swapdev *d = swapdev_on(m, 600, 0, -1);
	struct quire *q = sim_quire(m);
	struct swap_batch b = {.q = q};
	struct page *page[48];
	swp_entry_t e[48];
	unsigned i;

	for (i = 0; i < 48; i++) {
		page[i] = take(q, &e[i]);
		REQUIRE(page[i]);
		swap_duplicate(q, e[i]);
	}
	for (i = 0; i < 48; i++)
		if (i != 20)
			swap_batch_add(&b, page[i]);
	swap_batch_flush(&b);
	CHECK_EQ(d->writes, 2);
	CHECK_EQ(d->pages_written, 47);
	unlock_page(page[20]);
	for (i = 0; i < 48; i++) {
		CHECK_EQ(PageFlag(page[i], PG_dirty), i == 20);
		CHECK(!PageFlag(page[i], PG_writeback));
		swap_free(q, e[i]);
		free_swap_cache(q, page[i]);
		put_page(q, page[i]);
	}
	CHECK_SYSTEM(m);
}

static void out_pages(struct sim_task *t, uaddr_t a, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		swap_out(t, a + i * PG, true);
}

/* behaviour: R3 (readahead by address: it grows with what it is good for, goes
 * the way of the faults, stays in the mapping; page_cluster 0: none) */
TEST(readahead_by_address)
{
	struct swapdev *d = swapdev_on(m, 2000, 0, -1);
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 256);
	unsigned i;

	for (i = 0; i < 256; i++)
		put64(t, a + i * PG, i);
	out_pages(t, a, 256);
	for (i = 0; i < 256; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_EQ(d->pages_read, 256);
	/* 8 pages a request in the end */
	CHECK(d->reads < 256 / 8 + 10);
	CHECK_EQ(d->longest, 8);
	CHECK_EQ(t->qt.maj_flt, d->reads);
	CHECK(sim_vmstat(m, "swap_ra_hit") > 200);
	CHECK_EQ(sim_vmstat(m, "swap_ra_hit"), sim_vmstat(m, "swap_ra"));
	/* at random: one by one, after the first few */
	out_pages(t, a, 256);
	d->reads = d->pages_read = 0;
	for (i = 0; i < 16; i++)
		CHECK_EQ(get64(t, a + (i * 37 % 256) * PG), i * 37 % 256);
	CHECK(d->pages_read < 16 + 16);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_PAGE_CLUSTER, 0), 0);
	sim_exit(t);
	t = sim_task_create(m);
	a = anon(t, 32);
	for (i = 0; i < 32; i++)
		put64(t, a + i * PG, i);
	out_pages(t, a, 32);
	d->reads = d->pages_read = 0;
	for (i = 0; i < 32; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_EQ(d->reads, 32);
	sim_exit(t);
}

/* behaviour: R3 (readahead by slot, where neighbours on the device are cheap)
 */
TEST(readahead_by_slot)
{
	struct swapdev *d = swapdev_on(m, 2000, QUIRE_SWAP_ROTATIONAL, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 64);
	unsigned i;

	/* neighbours in slots are far from each other in memory */
	for (i = 0; i < 64; i++)
		put64(t, a + i * PG, i);
	for (i = 0; i < 64; i++)
		swap_out(t, a + i * 29 % 64 * PG, true);
	for (i = 0; i < 64; i++)
		CHECK_EQ(get64(t, a + i * 29 % 64 * PG), i * 29 % 64);
	CHECK(d->reads < 64 / 4);
	CHECK(sim_vmstat(m, "swap_ra_hit") > 40);
	CHECK_SYSTEM(m);
	sim_exit(t);
}
