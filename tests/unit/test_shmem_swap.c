/* SPDX-License-Identifier: MIT */
/*
 * Shared memory in swap (behaviour: C5): a page goes from its file to the swap
 * cache and the device, and comes back by whatever looks for it: a fault,
 * read(), write(), the zeroing of a part, swapoff; or goes for good with a
 * truncation, a hole, the file.  Nobody sees anything but its contents.
 */
#include <fault.h>
#include <filemap.h>
#include <reclaim.h>
#include <rmap.h>
#include <swap.h>
#include <tests/unit/common.h>
#include <writeback.h>

static unsigned swap_disk(struct sim_machine *m, uint64_t slots)
{
	struct sim_swap_config c = {.slots = slots, .priority = -1};
	int area = sim_swapon(m, &c);

	REQUIRE(area >= 0);
	return (unsigned)area;
}

static uint64_t free_slots(struct sim_machine *m)
{
	uint64_t total, free;

	quire_swap_total(sim_quire(m), &total, &free);
	return free;
}

/*
 * The page of index, if it is in the file: out of all tables and to swap.
 * drop: out of the swap cache, too, once it is written.  False: it could not.
 */
static bool out(struct quire *q, struct address_space *as, uint64_t index,
		bool drop)
{
	struct page *page = find_lock_page(as, index);
	bool done;

	if (!page)
		return false;
	done = !PageFlag(page, PG_writeback) &&
	       try_to_unmap(q, page, TTU_WAIT) &&
	       shmem_swap_out(q, page, SWAP_ANY_PRIORITY);
	if (!done) {
		unlock_page(page);
		put_page(q, page);
		return false;
	}
	swap_writepage(q, page);
	if (drop) {
		lock_page(page);
		(void)wait_on_page_writeback(page, false);
		lru_add_drain(q);
		if (drop_swap_cache_page(q, page))
			put_page(q, page);
		unlock_page(page);
		free_swap_cache(q, page);
	}
	put_page(q, page);
	return true;
}

static struct address_space *mapping_of(struct sim_task *t, uaddr_t a)
{
	struct vm_area_struct *vma;

	sim_run(t);
	vma = find_vma(t->qt.mm, a);
	REQUIRE(vma && vma->vm_mapping);
	return vma->vm_mapping;
}

static void all_out(struct sim_task *t, struct address_space *as, uint64_t n,
		    bool drop)
{
	uint64_t i;

	sim_run(t);
	lru_add_drain(t->qt.q);
	for (i = 0; i < n; i++)
		(void)out(t->qt.q, as, i, drop);
}

/* Three mappings of the same pages: out of all of them once, and back.
 * behaviours: C5, R1, F11, R3 */
TEST(shmem_swap_round_trip)
{
	unsigned area = swap_disk(m, 64);
	struct sim_task *t = sim_task_create(m), *child;
	struct address_space *as;
	struct sim_swap_stats st;
	uint64_t i, maj;
	unsigned char in[8];
	uaddr_t a;
	bool drop;

	REQUIRE(t);
	a = must_map(t, 8 * PG, RW, SHANON, NULL, 0);
	for (i = 0; i < 8; i++)
		put64(t, a + (uaddr_t)i * PG + 8 * (uaddr_t)i, 100 + i);
	child = sim_fork(t);
	REQUIRE(child);
	as = mapping_of(t, a);
	for (drop = false;; drop = true) {
		for (i = 0; i < 8; i++)
			CHECK_EQ(get64(child,
				       a + (uaddr_t)i * PG + 8 * (uaddr_t)i),
				 100 + i);
		all_out(t, as, 8, drop);
		CHECK_EQ(as->nrpages, 0);
		CHECK_EQ(as->nrswapped, 8);
		CHECK_EQ(quire_mapping_pages(as), 8);
		CHECK_EQ(free_slots(m), 64 - 8);
		CHECK_EQ(sim_vmstat(m, "nr_shmem"), 0);
		CHECK_EQ(mm_stats(t).shmem_pages, 0);
		CHECK_EQ(mm_stats(child).shmem_pages, 0);
		CHECK_EQ(mm_stats(child).swap_entries, 0);
		CHECK_EQ(frame_of(t, a + PG), 0);
		CHECK_EQ(frame_of(child, a + PG), 0);
		CHECK_SYSTEM(m);
		/* in memory is what the swap cache has */
		CHECK_EQ(sim_mincore(t, a, 8 * PG, in), 0);
		for (i = 0; i < 8; i++)
			CHECK_EQ(in[i] & 1, !drop);
		maj = t->qt.maj_flt;
		for (i = 0; i < 8; i++)
			CHECK_EQ(get64(t, a + (uaddr_t)i * PG + 8 * (uaddr_t)i),
				 100 + i);
		if (drop)
			CHECK(t->qt.maj_flt > maj);
		else
			CHECK_EQ(t->qt.maj_flt, maj);
		CHECK_EQ(as->nrpages, 8);
		CHECK_EQ(as->nrswapped, 0);
		CHECK_EQ(free_slots(m), 64);
		CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
		CHECK_SYSTEM(m);
		if (drop)
			break;
	}
	sim_swap_get_stats(m, area, &st);
	CHECK_EQ(st.writes, 16);
	CHECK(st.reads >= 8);
	/* both still share it */
	put64(child, a, 5);
	CHECK_EQ(get64(t, a), 5);
	sim_exit(child);
	sim_exit(t);
}

/* read() and write() of a file whose pages are out.  behaviours: C5, C1 */
TEST(shmem_swap_read_write)
{
	struct sim_file *f = sim_file_shmem(m, "f", 8 * PG);
	struct sim_task *t = sim_task_create(m);
	struct address_space *as;
	char buf[4096], want[4096];
	uint64_t i;

	REQUIRE(f && t);
	(void)swap_disk(m, 64);
	as = sim_file_mapping(f);
	sim_run(t);
	for (i = 0; i < 8; i += 2) {
		memset(buf, (int)(1 + i), PG);
		CHECK_EQ(sim_file_write(f, (uaddr_t)i * PG, buf, PG), PG);
	}
	all_out(t, as, 8, true);
	CHECK_EQ(as->nrswapped, 4);
	/* a hole is one, what is in swap is data */
	CHECK_EQ(quire_mapping_seek(as, 0, false), PG);
	CHECK_EQ(quire_mapping_seek(as, PG, true), 2 * PG);
	for (i = 0; i < 8; i++) {
		memset(want, i & 1 ? 0 : (int)(1 + i), PG);
		CHECK_EQ(sim_file_read(f, (uaddr_t)i * PG, buf, PG), PG);
		CHECK(!memcmp(buf, want, PG));
	}
	CHECK_EQ(as->nrpages, 4); /* reading makes no pages */
	CHECK_SYSTEM(m);
	all_out(t, as, 8, true);
	CHECK_EQ(sim_file_write(f, 2 * PG + 10, "abc", 3), 3);
	CHECK_EQ(sim_file_read(f, 2 * PG, buf, PG), PG);
	memset(want, 3, PG);
	memcpy(want + 10, "abc", 3);
	CHECK(!memcmp(buf, want, PG));
	/* a store that was made after the page went out once is not lost */
	all_out(t, as, 8, false);
	CHECK_EQ(sim_file_write(f, 4 * PG, "x", 1), 1);
	all_out(t, as, 8, true);
	CHECK_EQ(sim_file_read(f, 4 * PG, buf, 2), 2);
	CHECK(buf[0] == 'x' && buf[1] == 5);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
	CHECK_EQ(free_slots(m), 64);
}

/* Truncation, holes, and what is left of a page that is cut.
 * behaviours: C5, C4 */
TEST(shmem_swap_truncate_and_punch)
{
	struct sim_file *f = sim_file_shmem(m, "f", 200 * PG);
	struct sim_task *t = sim_task_create(m);
	struct address_space *as;
	char buf[4096];
	uint64_t i;
	uaddr_t a;

	REQUIRE(f && t);
	(void)swap_disk(m, 256);
	as = sim_file_mapping(f);
	a = must_map(t, 200 * PG, RW, MAP_SHARED, f, 0);
	CHECK_EQ(sim_touch_write(t, a, 200 * PG, 7), 0);
	for (i = 0; i < 200; i += 1 + i % 2)
		REQUIRE(out(t->qt.q, as, i, i % 3 == 0));
	CHECK_SYSTEM(m);
	memset(buf, 7, PG);
	CHECK_EQ(sim_file_write(f, 20 * PG, buf, PG), PG);
	REQUIRE(out(t->qt.q, as, 20, true));
	/* a hole from inside one page to inside another */
	sim_file_punch(f, 20 * PG + 100, 31 * PG + 50);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_file_read(f, 20 * PG, buf, PG), PG);
	CHECK(buf[99] == 7 && buf[100] == 0);
	CHECK_EQ(get64(t, a + 25 * PG), 0);
	CHECK_EQ(sim_file_read(f, 31 * PG, buf, 1), 1);
	CHECK_EQ(buf[0], 0);
	CHECK_EQ(sim_madvise(t, a + 40 * PG, 10 * PG, MADV_REMOVE), 0);
	CHECK_EQ(get64(t, a + 41 * PG), 0);
	CHECK_SYSTEM(m);
	(void)out(t->qt.q, as, 100, true);
	sim_file_truncate(f, 100 * PG + 1);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_load8(t, a + 101 * PG, &(uint8_t){0}), SIGBUS);
	/* longer again: nothing old shows */
	sim_file_truncate(f, 120 * PG);
	CHECK_EQ(get64(t, a + 100 * PG) & ~0xffull, 0);
	CHECK_EQ(get64(t, a + 110 * PG), 0);
	CHECK_SYSTEM(m);
	all_out(t, as, 120, false);
	sim_file_truncate(f, 0);
	CHECK_EQ(quire_mapping_pages(as), 0);
	CHECK_EQ(free_slots(m), 256);
	CHECK_EQ(kmem_cache_inuse(t->qt.q->ptree_cache), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* What cannot be read back: an error for who touches it, and only for that.
 * behaviours: C5, R3 */
TEST(shmem_swap_read_error)
{
	unsigned area = swap_disk(m, 64);
	struct sim_task *t = sim_task_create(m);
	struct address_space *as;
	uaddr_t a;

	REQUIRE(t);
	a = must_map(t, 4 * PG, RW, SHANON, NULL, 0);
	CHECK_EQ(sim_touch_write(t, a, 4 * PG, 1), 0);
	as = mapping_of(t, a);
	all_out(t, as, 4, true);
	/* one page a request */
	(void)quire_set_tunable(t->qt.q, QUIRE_TUNABLE_PAGE_CLUSTER, 0);
	sim_swap_fail_reads(m, area, 0, 1, -EIO);
	CHECK_EQ(sim_load8(t, a + PG, &(uint8_t){0}), SIGBUS);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a + 2 * PG) & 0xff, 1);
	CHECK_EQ(get64(t, a) & 0xff, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(free_slots(m), 64);
}

/* Reclaim itself: shared memory goes out, and comes back, from memory so small
 * that it could not hold it.  behaviours: C5, R2, M2 */
TEST_WITH(shmem_swap_by_reclaim, .config = {.ram_bytes = 16u << 20})
{
	struct sim_task *t = sim_task_create(m), *child;
	struct address_space *as;
	uint64_t n = 5000, i;
	uaddr_t a;

	REQUIRE(t);
	(void)swap_disk(m, 8192);
	a = must_map(t, (uaddr_t)n * PG, RW, SHANON, NULL, 0);
	child = sim_fork(t);
	REQUIRE(child);
	as = mapping_of(t, a);
	for (i = 0; i < n; i++)
		REQUIRE_EQ(
			sim_store64(i & 1 ? child : t, a + (uaddr_t)i * PG, i),
			0);
	CHECK(as->nrswapped >= n - 4096);
	CHECK_SYSTEM(m);
	for (i = 0; i < n; i++)
		CHECK_EQ(get64(i & 1 ? t : child, a + (uaddr_t)i * PG), i);
	CHECK_EQ(as->nrpages + as->nrswapped, n);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_madvise(t, a, (uaddr_t)n * PG, MADV_PAGEOUT), 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a), 0);
	CHECK_EQ(get64(t, a + 4999 * PG), 4999);
	sim_exit(child);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(free_slots(m), 8192);
}

/* ------------------------------------------------------------------- races */

struct race {
	struct sim_machine *m;
	struct sim_task *t[2];
	struct sim_file *f;
	uaddr_t a[2];
	uint32_t stop;
};
#define RACE_PAGES 24u

/* Each word says which page it is, and counts up. */
static void use_pages(struct race *r)
{
	uint64_t count[RACE_PAGES] = {0}, v;
	unsigned i, k;

	for (i = 0; i < ROUNDS(6000); i++) {
		k = i * 7 % RACE_PAGES;
		if (i % 3 == 0) {
			v = ++count[k] << 8 | k;
			CHECK_EQ(sim_store64(r->t[0], r->a[0] + (uaddr_t)k * PG,
					     v),
				 0);
		} else if (i % 3 == 1) {
			v = ++count[k] << 8 | k;
			CHECK_EQ(sim_file_write(r->f, (uaddr_t)k * PG, &v, 8),
				 8);
		} else {
			CHECK_EQ(sim_load64(r->t[0], r->a[0] + (uaddr_t)k * PG,
					    &v),
				 0);
			CHECK_EQ(v, count[k] ? count[k] << 8 | k : 0);
		}
		if (i % 50 == 49) { /* the upper half goes, and comes anew */
			sim_file_truncate(r->f, RACE_PAGES / 2 * PG + 8);
			sim_file_truncate(r->f, RACE_PAGES * PG);
			for (k = RACE_PAGES / 2 + 1; k < RACE_PAGES; k++)
				count[k] = 0;
		}
	}
	__atomic_store_n(&r->stop, 1u, __ATOMIC_RELEASE);
}

static void push_out(struct race *r)
{
	struct address_space *as = sim_file_mapping(r->f);
	struct quire *q = sim_quire(r->m);
	unsigned i;

	sim_run(r->t[1]);
	for (i = 0; !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE); i++) {
		(void)out(q, as, i % RACE_PAGES, i & 1);
		if (i % 16 == 0)
			(void)sim_touch_read(r->t[1], r->a[1], PG);
	}
}

static void race_side(unsigned i, void *arg)
{
	if (i == 0)
		use_pages(arg);
	else
		push_out(arg);
}

/* behaviours: C5, R1 */
TEST_WITH(shmem_swap_races, .config = {.cpus = 2, .jitter = 64}, .seconds = 120)
{
	struct race r = {.m = m};

	(void)swap_disk(m, 256);
	r.f = sim_file_shmem(m, "f", RACE_PAGES * PG);
	r.t[0] = sim_task_create(m);
	r.t[1] = sim_task_create(m);
	REQUIRE(r.f && r.t[0] && r.t[1]);
	r.a[0] = must_map(r.t[0], RACE_PAGES * PG, RW, MAP_SHARED, r.f, 0);
	r.a[1] = must_map(r.t[1], RACE_PAGES * PG, RW, MAP_SHARED, r.f, 0);
	sim_run(NULL);
	sim_parallel(m, 2, race_side, &r);
	CHECK_SYSTEM(m);
	sim_exit(r.t[0]);
	sim_exit(r.t[1]);
	sim_file_close(r.f);
	CHECK_EQ(free_slots(m), 256);
}

/* ----------------------------------------------------------- out of memory */

static void swap_scenario(struct sim_machine *m, void *arg)
{
	struct sim_swap_config c = {.slots = 64, .priority = -1};
	struct sim_file *f = sim_file_shmem(m, "f", 8 * PG);
	struct sim_task *t = sim_task_create(m);
	struct address_space *as;
	uint64_t v = 0;
	char buf[16];
	unsigned i;
	sreg_t a;

	(void)arg;
	if (f && t && sim_swapon(m, &c) >= 0) {
		as = sim_file_mapping(f);
		a = sim_mmap(t, 0, 8 * PG, RW, MAP_SHARED, f, 0);
		for (i = 0; mapped_at(a) && i < 8; i++)
			(void)sim_store64(t, (uaddr_t)a + (uaddr_t)i * PG,
					  i + 1);
		all_out(t, as, 8, true);
		for (i = 0; mapped_at(a) && i < 4; i++)
			if (!sim_load64(t, (uaddr_t)a + (uaddr_t)i * PG, &v))
				CHECK(v == i + 1 || v == 0);
		(void)sim_file_read(f, 5 * PG, buf, sizeof(buf));
		(void)sim_file_write(f, 6 * PG, "xy", 2);
		CHECK_SYSTEM(m);
		sim_file_truncate(f, 6 * PG + 5);
		CHECK_SYSTEM(m);
	}
	if (t)
		sim_exit(t);
	if (f)
		sim_file_close(f);
}

/* behaviours: C5, F15 */
TEST_WITH(shmem_swap_every_allocation_fails, .seconds = 300)
{
	UNUSED_MACHINE;
	CHECK(test_every_failure(NULL, swap_scenario, NULL) > 10);
}

/* What is cut off in the middle of a page that is in swap does not come to
 * light again, even if there was no memory to bring it back at once.
 * behaviours: C5, C4, F15 */
TEST(shmem_swap_cut_without_memory)
{
	struct sim_file *f = sim_file_shmem(m, "f", 2 * PG);
	struct sim_task *t = sim_task_create(m);
	char buf[4096];
	unsigned n;

	REQUIRE(f && t);
	(void)swap_disk(m, 64);
	memset(buf, 7, PG);
	for (n = 1; n < 8 && sim_has_injection(); n++) {
		CHECK_EQ(sim_file_write(f, 0, buf, PG), PG);
		CHECK_EQ(sim_file_write(f, PG, buf, PG), PG);
		all_out(t, sim_file_mapping(f), 2, true);
		sim_inject_nth(m, n, true);
		sim_file_punch(f, 100, 200);
		sim_inject_reset(m);
		sim_inject_nth(m, n, true);
		sim_file_truncate(f, PG + 1);
		sim_inject_reset(m);
		sim_file_truncate(f, 2 * PG);
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_file_read(f, 0, buf, PG), PG);
		CHECK(buf[99] == 7 && buf[100] == 0 && buf[199] == 0 &&
		      buf[200] == 7);
		CHECK_EQ(sim_file_read(f, PG, buf, PG), PG);
		CHECK(buf[0] == 7 && buf[1] == 0 && buf[PG - 1] == 0);
		memset(buf, 7, PG);
	}
	sim_exit(t);
	sim_file_close(f);
}

/* ----------------------------------------------------------------- swapoff */

/* Everything comes back; what cannot be read is an error for who touches it,
 * until it is truncated away or written anew.  behaviours: C5, R3 */
TEST(shmem_swap_off)
{
	unsigned area = swap_disk(m, 64);
	struct sim_file *f = sim_file_shmem(m, "f", 8 * PG);
	struct sim_task *t = sim_task_create(m);
	struct address_space *as;
	uint64_t i, v;
	uaddr_t a;

	REQUIRE(f && t);
	as = sim_file_mapping(f);
	a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	for (i = 0; i < 8; i++)
		put64(t, a + (uaddr_t)i * PG, i + 1);
	all_out(t, as, 8, true);
	CHECK_EQ(as->nrswapped, 8);
	CHECK_EQ(sim_swapoff(m, area), 0);
	CHECK_EQ(as->nrswapped, 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 8; i++)
		CHECK_EQ(get64(t, a + (uaddr_t)i * PG), i + 1);
	area = swap_disk(m, 64);
	all_out(t, as, 4, true);
	sim_swap_die(m, area);
	CHECK_EQ(sim_swapoff(m, area), 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_load8(t, a + PG, &(uint8_t){0}), SIGBUS);
	CHECK_EQ(sim_file_read(f, 2 * PG, &v, 8), -EIO);
	CHECK_EQ(get64(t, a + 5 * PG), 6);
	sim_file_punch(f, PG, 2 * PG);
	CHECK_EQ(get64(t, a + PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}
