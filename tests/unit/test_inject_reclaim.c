/* SPDX-License-Identifier: MIT */
/*
 * Every allocation failed in turn, and every transfer of a swap device, in what
 * takes memory away, moves it and brings it back: advice, broken frames, a
 * device's memory, compaction, swap.  Who keeps a page keeps what is in it.
 * (mlock, migration, swapon and swapoff alone, memory that is short: beside
 * their other tests.)
 */
#include "swap.h"

#define SEED 5

static bool got(int r)
{
	if (!CHECK(r == 0 || r == SIM_OOM))
		test_failed(__FILE__, __LINE__, "the access returned %d", r);
	return r == 0;
}

/* Advice: done, or the memory for it was missing. */
static bool told(sreg_t r)
{
	if (!CHECK(r == 0 || r == -ENOMEM || r == -EAGAIN))
		test_failed(__FILE__, __LINE__, "the call returned %lld",
			    (long long)r);
	return r == 0;
}

static uaddr_t map(struct sim_task *t, uaddr_t pages, unsigned flags,
		   struct sim_file *f)
{
	sreg_t r = sim_mmap(t, 0, pages * PG, RW, flags, f, 0);

	CHECK(mapped_at(r) || r == -ENOMEM);
	return mapped_at(r) ? (uaddr_t)r : 0;
}

/* What is known to be in a range: v + i, where the store came through. */
struct range {
	struct sim_task *t;
	uaddr_t a;
	unsigned pages;
	uint64_t v;
	bool known[16];
};

static void fill(struct range *r)
{
	unsigned i;

	for (i = 0; r->a && i < r->pages; i++)
		r->known[i] = got(sim_store64(r->t, r->a + i * PG, r->v + i));
}

static void look(struct range *r)
{
	uint64_t w = 0;
	unsigned i;

	for (i = 0; r->a && i < r->pages; i++)
		if (r->known[i] && got(sim_load64(r->t, r->a + i * PG, &w)))
			CHECK_EQ(w, r->v + i);
}

/* So many pages from the first on are not known any more. */
static void forget(struct range *r, unsigned first, unsigned pages)
{
	memset(r->known + first, 0, pages * sizeof(r->known[0]));
}

static unsigned try(test_scenario scenario, uint64_t ram, void *arg)
{
	struct sim_config c = {.ram_bytes = ram, .check_ops = true};

	return test_every_failure(&c, scenario, arg);
}

/* ------------------------------------------------------------------ advice */

/* What keeps contents, in every kind of memory, over parts of mappings. */
static void advise_keeping(struct range *r)
{
	static const unsigned advice[] = {MADV_COLD, MADV_PAGEOUT,
					  MADV_WILLNEED, MADV_PAGEOUT};
	unsigned i;

	for (i = 0; r->a && i < 4; i++) {
		told(sim_madvise(r->t, r->a + i * PG, (r->pages - i) * PG,
				 (int)advice[i]));
		if (i != 2)
			look(r);
	}
}

static void advise_freeing(struct range *r)
{
	uint64_t w = 0;
	unsigned i;

	if (!r->a)
		return;
	told(sim_madvise(r->t, r->a + PG, 4 * PG, MADV_FREE));
	(void)quire_reclaim(r->t->qt.q, 8);
	for (i = 1; i < 5; i++)
		if (got(sim_load64(r->t, r->a + i * PG, &w)))
			CHECK(w == 0 || (r->known[i] && w == r->v + i));
	/* written again: it is as good as any */
	forget(r, 1, 4);
	r->known[2] = got(sim_store64(r->t, r->a + 2 * PG, r->v + 2));
	(void)quire_reclaim(r->t->qt.q, 8);
	look(r);
}

static void lock_some(struct range *r)
{
	struct mm_struct *mm = r->t->qt.mm;

	if (!r->a)
		return;
	sim_run(r->t);
	told(quire_mlock(mm, r->a + PG, 2 * PG, 0));
	told(quire_mlock(mm, r->a + 2 * PG, 4 * PG, MLOCK_ONFAULT));
	(void)sim_madvise(r->t, r->a, r->pages * PG, MADV_PAGEOUT);
	look(r);
	sim_run(r->t);
	told(quire_munlock(mm, r->a + 2 * PG, PG));
	told(quire_mlockall(mm, MCL_CURRENT | MCL_FUTURE));
	look(r);
	sim_run(r->t);
	told(quire_munlockall(mm));
}

static void scenario_advice(struct sim_machine *m, void *arg)
{
	struct sim_swap_config c = {
		.slots = 256, .first = 1, .flags = *(unsigned *)arg};
	struct sim_task *t = sim_task_create(m);
	int area = sim_swapon(m, &c);
	struct sim_file *f = sim_file_create(m, "/data", 8 * PG, SEED);
	struct range r[3] = {{.v = 100}, {.v = 200}, {.v = 300}};
	unsigned i;

	CHECK(area == 0 || area == -ENOMEM);
	for (i = 0; t && i < 3; i++) {
		r[i].t = t;
		r[i].pages = 8;
	}
	if (t) {
		r[0].a = map(t, 8, ANON, NULL);
		r[1].a = map(t, 8, SHANON, NULL);
		r[2].a = map(t, 8, MAP_SHARED, f);
		for (i = 0; i < 3; i++) {
			fill(&r[i]);
			advise_keeping(&r[i]);
			lock_some(&r[i]);
		}
		advise_freeing(&r[0]);
		sim_exit(t);
	}
	if (area == 0)
		CHECK_EQ(sim_swapoff(m, 0), 0);
	sim_file_close(f);
}

/* behaviours: F15, M2, R6, C5 */
TEST_WITH(every_allocation_fails_advice, .seconds = 500)
{
	unsigned flags = 0;

	if (!sim_has_injection())
		return;
	CHECK(try(scenario_advice, 16u << 20, &flags) > 30);
	flags = QUIRE_SWAP_SYNC;
	CHECK(try(scenario_advice, 16u << 20, &flags) > 30);
	sim_bind(m, 0);
}

/* ----------------------------------------------------------- broken frames */

/* After a break the page is lost (SIGBUS), or the frame could not be broken for
 * lack of memory and it is whole. */
static void look_broken(struct range *r, unsigned i)
{
	uint64_t w = 0;
	int e = sim_load64(r->t, r->a + i * PG, &w);

	CHECK(e == SIGBUS || e == SIM_OOM ||
	      (e == 0 && (!r->known[i] || w == r->v + i)));
}

static void break_some(struct range *r)
{
	uaddr_t a = r->a;
	sreg_t e;

	if (!a)
		return;
	e = sim_madvise(r->t, a + PG, PG, MADV_HWPOISON);
	CHECK(e == 0 || e == -ENOMEM || e == -EAGAIN || e == -EFAULT ||
	      (e == -EBUSY && !r->known[1])); /* the zero page */
	look_broken(r, 1);
	forget(r, 1, 1);
	look(r);
	e = sim_madvise(r->t, a + 2 * PG, 3 * PG, MADV_SOFT_OFFLINE);
	CHECK(e == 0 || e == -ENOMEM || e == -EAGAIN || e == -EBUSY ||
	      e == -EFAULT);
	look(r);
}

static void scenario_broken(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct range r[2] = {{.v = 100}, {.v = 200}};

	(void)arg;
	if (!t)
		return;
	sim_quiet(m, true);
	t->qt.cap_sys_admin = true;
	r[0] = (struct range){.t = t, .pages = 6, .v = 100};
	r[1] = (struct range){.t = t, .pages = 6, .v = 200};
	r[0].a = map(t, 6, ANON, NULL);
	r[1].a = map(t, 6, SHANON, NULL);
	fill(&r[0]);
	fill(&r[1]);
	c = sim_fork(t);
	break_some(&r[0]);
	break_some(&r[1]);
	if (c) {
		r[0].t = c;
		look(&r[0]);
		sim_exit(c);
	}
	sim_exit(t);
}

/* behaviours: F15, R8, M2 */
TEST_WITH(every_allocation_fails_broken_frames, .seconds = 500)
{
	if (!sim_has_injection())
		return;
	CHECK(try(scenario_broken, 16u << 20, NULL) > 20);
	sim_bind(m, 0);
}

/* ------------------------------------------------------- a device's memory */

#define FRAMES 16u

struct device {
	struct quire *q;
	char data[FRAMES][4096];
};

static int dev_store(void *device, uint64_t frame, struct page *page)
{
	struct device *d = device;

	memcpy(d->data[frame], quire_page_address(d->q, page), 4096);
	return 0;
}

static int dev_load(void *device, uint64_t frame, struct page *page)
{
	struct device *d = device;

	memcpy(quire_page_address(d->q, page), d->data[frame], 4096);
	return 0;
}

static void dev_release(void *device, uint64_t frame)
{
	struct device *d = device;

	memset(d->data[frame], 0xee, 4096);
}

static const struct quire_device_memory_ops dev_ops = {dev_store, dev_load,
						       dev_release};

static void scenario_device(struct sim_machine *m, void *arg)
{
	static struct device d;
	struct range r = {.pages = 8, .v = 100};
	struct sim_task *c;
	long n;
	int e;

	(void)arg;
	d.q = sim_quire(m);
	e = quire_device_memory_add(d.q, &dev_ops, &d, FRAMES);
	CHECK(e == 0 || e == -ENOMEM);
	r.t = sim_task_create(m);
	if (r.t)
		r.a = map(r.t, 8, ANON, NULL);
	if (r.a) {
		fill(&r);
		n = quire_device_memory_take(r.t->qt.mm, r.a, 8 * PG);
		CHECK(e ? n < 0 : n >= 0 || n == -ENOMEM);
		c = sim_fork(r.t);
		if (c) {
			got(sim_store64(c, r.a + PG, 1));
			sim_exit(c);
		}
		look(&r);
		look(&r);
	}
	if (r.t)
		sim_exit(r.t);
	if (!e)
		CHECK_EQ(quire_device_memory_remove(d.q), 0);
}

/* behaviours: F15, F11 */
TEST_WITH(every_allocation_fails_device_memory, .seconds = 300)
{
	if (!sim_has_injection())
		return;
	CHECK(try(scenario_device, 16u << 20, NULL) > 15);
	sim_bind(m, 0);
}

/* -------------------------------------------------------------- compaction */

static void scenario_compaction(struct sim_machine *m, void *arg)
{
	struct range r[2] = {{.pages = 12, .v = 100}, {.pages = 12, .v = 200}};
	struct sim_task *t = sim_task_create(m);
	struct page *page;
	unsigned i;

	(void)arg;
	if (!t)
		return;
	r[0].t = r[1].t = t;
	r[0].a = map(t, 12, ANON, NULL);
	r[1].a = map(t, 12, SHANON, NULL);
	fill(&r[0]);
	fill(&r[1]);
	(void)quire_compact(sim_quire(m), 9);
	look(&r[0]);
	look(&r[1]);
	for (i = 5; i < 11; i++) {
		page = quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, i);
		look(&r[0]);
		if (page)
			quire_free_pages(sim_quire(m), page, i);
	}
	look(&r[1]);
	sim_exit(t);
}

/* behaviours: F15, R9 */
TEST_WITH(every_allocation_fails_compaction, .seconds = 300)
{
	if (!sim_has_injection())
		return;
	CHECK(try(scenario_compaction, 8u << 20, NULL) > 20);
	sim_bind(m, 0);
}

/* ------------------------------------------------- every transfer of a swap
 */

/* Loads; the one page whose transfer failed may be SIGBUS, to all who have it,
 * and for good.  *lost: its address, 0: none yet. */
static void look_at_swap(struct range *r, uaddr_t *lost)
{
	unsigned i;
	uint64_t w = 0;
	uaddr_t at;
	int e;

	for (i = 0; i < r->pages; i++) {
		at = r->a + i * PG;
		e = sim_load64(r->t, at, &w);
		if (e) {
			CHECK_EQ(e, SIGBUS);
			CHECK(!*lost || *lost == at);
			*lost = at;
		} else {
			CHECK_EQ(w, r->v + i);
		}
	}
}

static void out_and_in(struct sim_machine *m, unsigned flags, int which,
		       unsigned nth, struct sim_swap_stats *s)
{
	unsigned area = swap_on(m, 256, 0, flags, NULL), k;
	struct range r[2] = {{.pages = 16, .v = 100}, {.pages = 16, .v = 200}};
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t lost = 0;

	CHECK_EQ(quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER, 0),
		 0);
	r[0].t = r[1].t = t;
	r[0].a = anon(t, 16);
	r[1].a = must_map(t, 16 * PG, RW, SHANON, NULL, 0);
	fill(&r[0]);
	fill(&r[1]);
	if (which == 'r' && nth)
		sim_swap_fail_reads(m, area, nth - 1, 1, -EIO);
	if (which == 'w' && nth)
		sim_swap_fail_writes(m, area, nth - 1, 1, -EIO);
	for (k = 0; k < 2; k++) {
		page_out(t, r[k].a, 16);
		CHECK_SYSTEM(m);
		look_at_swap(&r[k], &lost);
		page_out(t, r[k].a, 16);
	}
	c = sim_fork(t);
	REQUIRE(c);
	for (k = 0; k < 2; k++) {
		r[k].t = c;
		look_at_swap(&r[k], &lost);
		r[k].t = t;
		look_at_swap(&r[k], &lost);
	}
	CHECK(which == 'r' || !lost);
	sim_exit(c);
	page_out(t, r[0].a, 16);
	*s = swap_stats(m, area);
	swap_off(m, area);
	look_at_swap(&r[0], &lost);
	look_at_swap(&r[1], &lost);
	CHECK(which == 'r' || !lost);
	if (lost && lost < r[0].a + 16 * PG && lost >= r[0].a) {
		/* what is there anew is as good as ever */
		CHECK_EQ(sim_madvise(t, lost, PG, MADV_DONTNEED), 0);
		CHECK_EQ(get64(t, lost), 0);
	}
	CHECK_EQ(mm_stats(t).swap_entries, 0);
	sim_exit(t);
}

static void fail_each_transfer(struct sim_machine *m, unsigned flags)
{
	struct sim_swap_stats s;
	unsigned reads, writes, i;

	out_and_in(m, flags, 0, 0, &s);
	reads = (unsigned)s.reads;
	writes = (unsigned)s.writes;
	CHECK(reads >= 32 && writes >= 32);
	for (i = 1; i <= reads; i++) {
		test_context("read %u of %u failed", i, reads);
		out_and_in(m, flags, 'r', i, &s);
		CHECK_EQ(s.read_errors, 1);
	}
	for (i = 1; i <= writes; i++) {
		test_context("write %u of %u failed", i, writes);
		out_and_in(m, flags, 'w', i, &s);
		CHECK_EQ(s.write_errors, 1);
	}
}

/* behaviours: R3, F11, C5 (each transfer of swap fails once, in turn) */
TEST_WITH(every_swap_transfer_fails, .seconds = 300)
{
	fail_each_transfer(m, 0);
	fail_each_transfer(m, QUIRE_SWAP_SYNC);
}

/* swapoff reads what is out: whoever has the page that cannot be read loses it,
 * nobody else.
 *
 * behaviours: R3, F11, C5 */
TEST_WITH(every_read_of_swapoff_fails, .seconds = 300)
{
	struct range r[2] = {{.pages = 16, .v = 100}, {.pages = 16, .v = 200}};
	unsigned n, area, i, k, bad;
	struct sim_task *t;
	uint64_t w = 0;
	int e;

	for (n = 0; n < 33; n++) {
		test_context("read %u of swapoff failed", n);
		area = swap_on(m, 256, 0, 0, NULL);
		t = sim_task_create(m);
		r[0].t = r[1].t = t;
		r[0].a = anon(t, 16);
		r[1].a = must_map(t, 16 * PG, RW, SHANON, NULL, 0);
		fill(&r[0]);
		fill(&r[1]);
		page_out(t, r[0].a, 16);
		page_out(t, r[1].a, 16);
		sim_swap_fail_reads(m, area, n, 1, -EIO);
		swap_off(m, area);
		for (k = bad = 0; k < 2; k++)
			for (i = 0; i < 16; i++) {
				e = sim_load64(t, r[k].a + i * PG, &w);
				CHECK(e == SIGBUS ||
				      (e == 0 && w == r[k].v + i));
				bad += e != 0;
			}
		CHECK_EQ(bad, n < 32);
		CHECK_EQ(sim_madvise(t, r[0].a, 16 * PG, MADV_DONTNEED), 0);
		CHECK_EQ(get64(t, r[0].a + 3 * PG), 0);
		sim_exit(t);
		CHECK_SYSTEM(m);
	}
}
