/* SPDX-License-Identifier: MIT */
/*
 * Swap that fails: reads, writes, the whole device, no room in it, no memory
 * at any moment.  Who has lost a page gets SIGBUS there; all else goes on.
 */
#include "swap.h"

#define RAM   (8u << 20)
#define PAGES 64u

static void fill(struct sim_task *t, uaddr_t a, unsigned pages, uint64_t v)
{
	for (unsigned i = 0; i < pages; i++)
		put64(t, a + i * PG, v + i);
}

static void expect(struct sim_task *t, uaddr_t a, unsigned pages, uint64_t v)
{
	for (unsigned i = 0; i < pages; i++)
		CHECK_EQ(get64(t, a + i * PG), v + i);
}

/* The same where there may be no memory to read it to. */
static void expect_or_oom(struct sim_task *t, uaddr_t a, unsigned pages,
			  uint64_t v)
{
	uint64_t w = 0;
	unsigned i;
	int e;

	for (i = 0; i < pages; i++) {
		e = sim_load64(t, a + i * PG, &w);
		CHECK(e == 0 || e == SIM_OOM);
		if (!e && !CHECK_EQ(w, v + i))
			return;
	}
}

static uint64_t swapped(struct sim_task *t)
{
	return mm_stats(t).swap_entries;
}

/* From now on nothing can be read (written). */
static void fail_all(struct sim_machine *m, unsigned area, bool reads,
		     bool writes)
{
	CHECK_EQ(sim_swap_fail_range(m, area, 0, 1 << 20, reads, writes, -EIO),
		 0);
}

/* ------------------------------------------------------------------- reads */

/* How many of the pages are SIGBUS; the others must hold v + i. */
static unsigned count_lost(struct sim_task *t, uaddr_t a, unsigned pages,
			   uint64_t v)
{
	unsigned i, n = 0;
	uint64_t w;
	int e;

	for (i = 0; i < pages; i++) {
		e = sim_load64(t, a + i * PG, &w);
		if (e) {
			CHECK_EQ(e, SIGBUS);
			CHECK_EQ(t->sig.code, QUIRE_BUS_ADRERR);
			CHECK_EQ(t->sig.addr, a + i * PG);
			n++;
		} else {
			CHECK_EQ(w, v + i);
		}
	}
	return n;
}

/*
 * The device cannot be read while parent and child use memory that is there:
 * both get SIGBUS for their common pages, the child and a third process keep
 * what they have elsewhere.
 */
static void unreadable(struct sim_machine *m, unsigned flags)
{
	unsigned area = swap_on(m, 1024, 0, flags, NULL);
	struct sim_task *p = sim_task_create(m), *c, *other;
	uaddr_t a = anon(p, PAGES), b;

	/* neighbours that were read with a page would be there */
	CHECK_EQ(quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER, 0),
		 0);
	fill(p, a, PAGES, 1000);
	page_out(p, a, PAGES);
	CHECK_EQ(swapped(p), PAGES);
	c = sim_fork(p);
	other = sim_task_create(m);
	REQUIRE(c && other);
	b = anon(other, PAGES);
	fill(other, b, PAGES, 7000);
	CHECK_EQ(swapped(c), PAGES);
	fill(c, a, 8, 500); /* these are the child's own */
	CHECK_EQ(swapped(c), PAGES - 8);
	page_out(other, b, PAGES / 2);
	expect(other, b, PAGES, 7000);
	CHECK_SYSTEM(m);

	fail_all(m, area, true, false);
	CHECK_EQ(count_lost(p, a + 8 * PG, PAGES - 8, 1008), PAGES - 8);
	CHECK_EQ(count_lost(c, a + 8 * PG, PAGES - 8, 1008), PAGES - 8);
	expect(c, a, 8, 500);
	expect(other, b, PAGES, 7000);
	CHECK_SYSTEM(m);
	/* a store does not get by either */
	a += 8 * PG;
	CHECK_SIGNAL(p, sim_store64(p, a, 1), SIGBUS, QUIRE_BUS_ADRERR, a);
	/* the kernel's own access fails, and says so */
	CHECK_EQ(sim_copy_from_user(p, a, &(uint64_t){0}, 8), 0);
	/* what is there anew is as good as ever */
	CHECK_EQ(sim_madvise(p, a, 4 * PG, MADV_DONTNEED), 0);
	CHECK_EQ(get64(p, a), 0);
	fill(p, a, 4, 1);
	expect(p, a, 4, 1);
	CHECK_SYSTEM(m);
	sim_exit(c);
	/* swapoff loses the rest */
	swap_off(m, area);
	expect(p, a, 4, 1);
	CHECK_EQ(count_lost(p, a + 4 * PG, PAGES - 12, 1012), PAGES - 12);
	expect(other, b, PAGES, 7000);
	sim_exit(p);
	sim_exit(other);
}

/* behaviours: F11, R3 */
TEST_WITH(swap_cannot_be_read, .config = {.ram_bytes = 16 << 20})
{
	unreadable(m, 0);
}

/* behaviours: F11, R3 (without the swap cache) */
TEST_WITH(swap_cannot_be_read_synchronous, .config = {.ram_bytes = 16 << 20})
{
	unreadable(m, QUIRE_SWAP_SYNC);
}

/* The same for memory that is shared: of no use to any who maps it. */
/* behaviours: C5, F11, R3 */
TEST_WITH(shared_swap_cannot_be_read, .config = {.ram_bytes = 16 << 20})
{
	unsigned area = swap_on(m, 1024, 0, 0, NULL);
	struct sim_file *f = sim_file_shmem(m, "/memfd", PAGES * PG);
	struct sim_task *p = sim_task_create(m), *c;
	uaddr_t a = must_map(p, PAGES * PG, RW, MAP_SHARED, f, 0);
	unsigned tries = 0;
	uint64_t v;
	long r;

	fill(p, a, PAGES, 1000);
	c = sim_fork(p);
	REQUIRE(c);
	CHECK_EQ(quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER, 0),
		 0);
	/* mapped by two: PAGEOUT would leave it */
	while (swap_stats(m, area).writes < PAGES && tries++ < 100)
		(void)quire_reclaim(sim_quire(m), 64);
	CHECK(swap_stats(m, area).writes >= PAGES);
	fail_all(m, area, true, false);
	CHECK(count_lost(p, a, PAGES, 1000) >= PAGES / 2);
	CHECK(count_lost(c, a, PAGES, 1000) >= PAGES / 2);
	r = sim_file_read(f, 0, &v, 8);
	CHECK(r == -EIO || (r == 8 && v == 1000));
	CHECK_SYSTEM(m);
	/* a hole is made: zeroes, and it can be used again */
	sim_file_punch(f, 0, PAGES * PG);
	CHECK_EQ(get64(c, a + 3 * PG), 0);
	fill(p, a, PAGES, 1);
	expect(c, a, PAGES, 1);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(p);
	sim_file_close(f);
	swap_off(m, area);
}

/* ------------------------------------------------------------------ writes */

/*
 * Nothing can be written: the pages stay, and are right.  Once the device is
 * well again they go.
 *
 * behaviours: R3, R2
 */
TEST_WITH(swap_cannot_be_written, .config = {.ram_bytes = 16 << 20})
{
	unsigned area = swap_on(m, 1024, 0, 0, NULL);
	struct quire_swap_info info;
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, PAGES);

	fail_all(m, area, false, true);
	fill(t, a, PAGES, 1000);
	page_out(t, a, PAGES);
	CHECK(swap_stats(m, area).write_errors > 0);
	CHECK_EQ(quire_swap_info(sim_quire(m), area, &info), 0);
	CHECK_EQ(info.write_errors, swap_stats(m, area).write_errors);
	CHECK_SYSTEM(m);
	expect(t, a, PAGES, 1000);
	fill(t, a, PAGES / 2, 3000);
	page_out(t, a, PAGES);
	expect(t, a, PAGES / 2, 3000);
	expect(t, a + PAGES / 2 * PG, PAGES / 2, 1000 + PAGES / 2);
	CHECK_EQ(swap_stats(m, area).reads, 0);
	CHECK_SYSTEM(m);

	CHECK_EQ(sim_swap_fail_range(m, area, 0, 0, true, true, 0), 0);
	page_out(t, a, PAGES);
	CHECK_EQ(swapped(t), PAGES);
	CHECK_SYSTEM(m);
	expect(t, a, PAGES / 2, 3000);
	expect(t, a + PAGES / 2 * PG, PAGES / 2, 1000 + PAGES / 2);
	CHECK(swap_stats(m, area).reads > 0);
	sim_exit(t);
	swap_off(m, area);
}

/* ----------------------------------------------------------------- no room */

/*
 * Promises of memory: swap counts, as on Linux.
 *
 * behaviours: M4, R3
 */
TEST_WITH(overcommit_counts_swap,
	  .config = {.overcommit = 2, .overcommit_ratio = 30})
{
	struct sim_task *t = sim_task_create(m);
	struct quire_meminfo before, i;
	unsigned area;
	uaddr_t more, a;

	quire_get_meminfo(sim_quire(m), &before);
	more = (uaddr_t)(before.commit_limit - before.committed + 1) * PG;
	CHECK_EQ(sim_mmap(t, 0, more, RW, ANON, NULL, 0), -ENOMEM);
	area = swap_on(m, 4096, 0, 0, NULL);
	quire_get_meminfo(sim_quire(m), &i);
	CHECK_EQ(i.commit_limit, before.commit_limit + 4095 - 4095 / 97);
	/* swapoff: what has been promised needs it */
	a = must_map(t, more, RW, ANON, NULL, 0);
	sim_run(t);
	CHECK_EQ(quire_swapoff(sim_quire(m), area), -ENOMEM);
	quire_get_meminfo(sim_quire(m), &i);
	CHECK_EQ(i.commit_limit, before.commit_limit + 4095 - 4095 / 97);
	CHECK_EQ(sim_munmap(t, a, more), 0);
	/* guess: what RAM and swap together can hold */
	(void)quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_OVERCOMMIT, 0);
	more = (uaddr_t)(before.total + 4095 - 4095 / 97) * PG;
	CHECK_EQ(sim_munmap(t, must_map(t, more, RW, ANON, NULL, 0), more), 0);
	CHECK_EQ(sim_mmap(t, 0, more + PG, RW, ANON, NULL, 0), -ENOMEM);
	swap_off(m, area);
	CHECK_EQ(sim_mmap(t, 0, more, RW, ANON, NULL, 0), -ENOMEM);
	sim_exit(t);
}

/* Write until it says no; how many pages hold v + i. */
static unsigned write_until_oom(struct sim_task *t, uaddr_t a, unsigned pages,
				uint64_t v)
{
	unsigned i;
	int e;

	for (i = 0; i < pages; i++) {
		e = sim_store64(t, a + i * PG, v + i);
		if (e) {
			CHECK_EQ(e, SIM_OOM);
			break;
		}
	}
	return i;
}

/*
 * Memory and swap are full: that is told, nothing hangs, nothing is lost; and
 * when another process ends there is room again.
 *
 * behaviours: R3, R5, F15
 */
TEST_WITH(swap_is_full, .config = {.ram_bytes = RAM, .overcommit = 1},
	  .seconds = 120)
{
	unsigned area = swap_on(m, 1024, 0, 0, NULL);
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	unsigned many = 2 * RAM / 4096, n, k;
	uaddr_t a = anon(t, many), b = anon(u, 512);
	uint64_t total, free_slots;

	fill(u, b, 512, 9000);
	n = write_until_oom(t, a, many, 1000);
	CHECK(n > 1024 && n < many);
	quire_swap_total(sim_quire(m), &total, &free_slots);
	CHECK_EQ(total, 1023 - 1023 / 97);
	CHECK(free_slots < 64);
	CHECK_SYSTEM(m);
	expect_or_oom(u, b, 512, 9000);
	expect_or_oom(t, a, n, 1000);
	CHECK_SYSTEM(m);
	sim_exit(u);
	expect(t, a, n, 1000);
	k = write_until_oom(t, a + n * PG, many - n, 1000 + n);
	CHECK(k > 256);
	expect_or_oom(t, a, n + k, 1000);
	CHECK_SYSTEM(m);
	/* without swap there is no room for that */
	CHECK_EQ(sim_swapoff(m, area), -ENOMEM);
	CHECK_SYSTEM(m);
	expect_or_oom(t, a, n + k, 1000);
	CHECK_EQ(sim_munmap(t, a + 256 * PG, (many - 256) * PG), 0);
	swap_off(m, area);
	expect(t, a, 256, 1000);
	CHECK_EQ(swapped(t), 0);
	sim_exit(t);
}

/*
 * Swap is full, of pages that are in memory as well and have not changed since:
 * these can go without a slot more.
 *
 * behaviours: R2, R3, R5
 */
TEST_WITH(swap_is_full_of_what_is_in_memory,
	  .config = {.ram_bytes = RAM, .overcommit = 1})
{
	const struct sim_disk_config disk = {.mode = SIM_DISK_NOW};
	unsigned area = swap_on(m, 1024, 0, 0, &disk), n = 0;
	struct sim_task *t = sim_task_create(m), *c;
	uint64_t total, free_slots;
	uaddr_t a = anon(t, 2048);

	quire_swap_total(sim_quire(m), &total, &free_slots);
	fill(t, a, (unsigned)total, 1000);
	c = sim_fork(t);
	REQUIRE(c);
	/* only what one process maps: so the rest of t's goes first */
	fill(c, a, 0, 0);
	sim_run(t);
	while (swapped(t) < total && n++ < 100)
		(void)quire_reclaim(sim_quire(m), total);
	CHECK_EQ(swapped(t), total);
	expect(t, a, (unsigned)total, 1000);
	CHECK_EQ(mm_stats(t).anon_pages, total);
	quire_swap_total(sim_quire(m), &total, &free_slots);
	CHECK_EQ(free_slots, 0);
	CHECK(quire_reclaim(sim_quire(m), 256) >= 256);
	CHECK_SYSTEM(m);
	expect(t, a, (unsigned)total, 1000);
	expect(c, a, (unsigned)total, 1000);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	swap_off(m, area);
}

/* The host's part: the largest dies, and its memory is there at once. */
/* behaviours: R5, R3 */
TEST_WITH(largest_is_reaped_when_swap_is_full,
	  .config = {.ram_bytes = RAM, .overcommit = 1}, .seconds = 120)
{
	unsigned area = swap_on(m, 1024, 0, 0, NULL);
	struct sim_task *big = sim_task_create(m), *t = sim_task_create(m);
	unsigned many = 2 * RAM / 4096, n, k;
	uaddr_t a = anon(big, many), b = anon(t, 1024);
	uint64_t badness;

	n = write_until_oom(big, a, many, 1);
	k = write_until_oom(t, b, 1024, 5000);
	CHECK(k < 1024);
	badness = quire_oom_badness(big->qt.mm);
	CHECK(badness >= n && badness < n + 64);
	CHECK(quire_oom_badness(t->qt.mm) < 64 + k);
	big->qt.oom_victim = true;
	sim_kill(big);
	CHECK(quire_oom_reap(big->qt.mm) > 256);
	CHECK_SYSTEM(m);
	CHECK_EQ(write_until_oom(t, b + k * PG, 1024 - k, 5000 + k), 1024 - k);
	expect(t, b, 1024, 5000);
	sim_exit(big);
	CHECK_SYSTEM(m);
	sim_exit(t);
	swap_off(m, area);
}

/* ------------------------------------------------------ the device is dead */

/*
 * Of two areas the better one dies while two processes are at work.  What was
 * there is lost, what is there no more can go to the other one.
 *
 * behaviours: R3, F11
 */
TEST_WITH(swap_device_dies, .config = {.ram_bytes = RAM}, .seconds = 120)
{
	unsigned dead = swap_on(m, 512, 10, 0, NULL);
	unsigned good = swap_on(m, 4096, 5, 0, NULL);
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	unsigned many = 3 * RAM / 8192, gone, later;
	uaddr_t a = anon(t, many), b;

	fill(t, a, 256, 1000);
	page_out(t, a, 256);
	CHECK_EQ(swap_stats(m, dead).writes, 256);
	CHECK_EQ(swap_stats(m, good).writes, 0);
	fill(t, a + 256 * PG, many - 256, 1256);
	CHECK(swap_stats(m, good).writes > 0); /* the first was full */
	sim_swap_die(m, dead);
	b = anon(u, 1500);
	fill(u, b, 1500, 50000);
	CHECK(swap_stats(m, good).writes > 256);
	expect(u, b, 1500, 50000);
	gone = count_lost(t, a, many, 1000);
	CHECK(gone >= 256 && gone <= 512);
	CHECK(swap_stats(m, dead).read_errors >= 256);
	CHECK_SYSTEM(m);
	/* nobody else is troubled, for all that goes on */
	fill(u, b, 1500, 60000);
	expect(u, b, 1500, 60000);
	swap_off(m, dead);
	later = count_lost(t, a, many, 1000);
	/* (pages that were still in memory as well can be lost later) */
	CHECK(later >= gone && later <= 512);
	expect(u, b, 1500, 60000);
	sim_exit(t);
	expect(u, b, 1500, 60000);
	sim_exit(u);
	swap_off(m, good);
}

/* ------------------------------------------- every allocation failed in turn
 */

static bool got(int r)
{
	CHECK(r == 0 || r == SIM_OOM);
	return r == 0;
}

static void keep(struct sim_task *t, uaddr_t a, bool *known, uint64_t v)
{
	*known = got(sim_store64(t, a, v)) || *known;
}

static void look(struct sim_task *t, uaddr_t a, bool known, uint64_t v)
{
	uint64_t w = ~v;

	if (known && got(sim_load64(t, a, &w)))
		CHECK_EQ(w, v);
}

/* A life on swap: out, fork, in, written, moved, locked, out again, off. */
static void life(struct sim_machine *m, struct sim_task *t)
{
	sreg_t a = sim_mmap(t, 0, 12 * PG, RW, ANON, NULL, 0);
	sreg_t s = sim_mmap(t, 0, 4 * PG, RW, SHANON, NULL, 0), r;
	bool known[16] = {false};
	struct sim_task *c;
	uaddr_t at, sh;
	unsigned i;

	if (!mapped_at(a) || !mapped_at(s))
		return;
	at = (uaddr_t)a;
	sh = (uaddr_t)s;
	for (i = 0; i < 12; i++)
		keep(t, at + i * PG, &known[i], 100 + i);
	for (i = 0; i < 4; i++)
		keep(t, sh + i * PG, &known[12 + i], 200 + i);
	r = sim_madvise(t, at, 12 * PG, MADV_PAGEOUT);
	CHECK(r == 0 || r == -EAGAIN || r == -ENOMEM);
	r = sim_madvise(t, sh, 4 * PG, MADV_PAGEOUT);
	CHECK(r == 0 || r == -EAGAIN || r == -ENOMEM);
	c = sim_fork(t);
	if (c) {
		look(c, at, known[0], 100);
		if (got(sim_store64(c, at + PG, 1)))
			look(t, at + PG, known[1], 101);
		look(c, sh, known[12], 200);
		(void)quire_reclaim(sim_quire(m), 16);
		look(c, at + 2 * PG, known[2], 102);
		sim_exit(c);
	}
	r = sim_mremap(t, at, 12 * PG, 12 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
		       TEST_PLACE(1));
	if (mapped_at(r))
		at = TEST_PLACE(1);
	sim_run(t);
	r = quire_mlock(t->qt.mm, at + 4 * PG, 2 * PG, 0);
	CHECK(r == 0 || r == -ENOMEM || r == -EAGAIN);
	for (i = 0; i < 12; i++)
		look(t, at + i * PG, known[i], 100 + i);
	for (i = 0; i < 4; i++)
		look(t, sh + i * PG, known[12 + i], 200 + i);
	(void)sim_madvise(t, at, 4 * PG, MADV_PAGEOUT);
	(void)sim_madvise(t, at, 2 * PG, MADV_WILLNEED);
	look(t, at, known[0], 100);
}

static void scenario_swap(struct sim_machine *m, void *arg)
{
	struct sim_swap_config c = {
		.slots = 256, .first = 1, .flags = *(unsigned *)arg};
	struct sim_task *t = sim_task_create(m);
	int area = sim_swapon(m, &c), r;

	if (t)
		life(m, t);
	CHECK(area == 0 || area == -ENOMEM);
	r = area < 0 ? 0 : sim_swapoff(m, 0);
	CHECK(r == 0 || r == -ENOMEM);
	if (t)
		sim_exit(t);
	/* with nobody there it is not a matter of memory */
	if (r)
		CHECK_EQ(sim_swapoff(m, 0), 0);
}

/* behaviours: F15, R3, C5 */
TEST_WITH(every_allocation_fails_swap, .seconds = 500)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};
	unsigned flags = 0;

	if (!sim_has_injection())
		return;
	CHECK(test_every_failure(&c, scenario_swap, &flags) > 30);
	sim_bind(m, 0);
}

/* behaviours: F15, R3, F11 */
TEST_WITH(every_allocation_fails_swap_synchronous, .seconds = 500)
{
	struct sim_config c = {.ram_bytes = 16 << 20};
	unsigned flags = QUIRE_SWAP_SYNC;

	if (!sim_has_injection())
		return;
	CHECK(test_every_failure(&c, scenario_swap, &flags) > 30);
	sim_bind(m, 0);
}
