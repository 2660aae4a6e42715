/* SPDX-License-Identifier: MIT */
/*
 * swapoff beside everything that has pages in the area: shared memory, whole
 * processes that are born and end, frames that break.
 */
#include <quire/migrate.h>

#include "swapout.h"

#define PAGES 48u

struct off_race {
	struct sim_machine *m;
	struct swapdev *d;
	struct sim_task *t[2]; /* of one address space */
	struct sim_file *f;
	uaddr_t a;
	uint32_t done;
	unsigned broken, lost;
	unsigned rounds; /* use_shared() */
};

static void start(struct off_race *r, struct sim_machine *m)
{
	memset(r, 0, sizeof(*r));
	r->m = m;
	r->d = swapdev_on(m, 2000, 0, -1);
	r->t[0] = sim_task_create(m);
	REQUIRE(r->t[0]);
	r->t[1] = sim_thread(r->t[0]);
	REQUIRE(r->t[1]);
}

static void end(struct off_race *r)
{
	CHECK_SYSTEM(r->m);
	sim_exit(r->t[1]);
	sim_exit(r->t[0]);
	CHECK_EQ(quire_swapoff(r->d->q, 0), 0);
	CHECK_SYSTEM(r->m);
}

static bool over(struct off_race *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) != 0;
}

/* All out, the area off and on, again and again. */
static void off_and_on(struct off_race *r, unsigned rounds)
{
	struct quire_swap_config c = swapdev_config(r->d, 2000, 0, -1);
	struct test_deadline end_at = test_deadline();
	unsigned i;

	for (i = 0; i < rounds || test_time_left(&end_at); i++) {
		(void)sim_madvise(r->t[0], r->a, PAGES * PG, MADV_PAGEOUT);
		(void)quire_reclaim(r->d->q, 64);
		CHECK_EQ(quire_swapoff(r->d->q, 0), 0);
		CHECK_EQ(quire_swapon(r->d->q, &c), 0);
	}
	__atomic_store_n(&r->done, 1u, __ATOMIC_RELEASE);
	sim_run(NULL);
}

/* ------------------------------------------------------------ shared memory */

static void use_shared(struct off_race *r)
{
	struct sim_task *t = r->t[1];
	uint64_t i, k, v;

	for (i = 1; !over(r); i++) {
		__atomic_store_n(&r->rounds, (unsigned)i, __ATOMIC_RELEASE);
		for (k = 0; k < PAGES / 2; k++)
			put64(t, r->a + (uaddr_t)k * PG, i * 1000 + k);
		for (k = 0; k < PAGES / 2; k++) {
			CHECK_EQ(sim_file_read(r->f, k * 4096, &v, 8), 8);
			CHECK_EQ(v, i * 1000 + k);
			CHECK_EQ(get64(t, r->a + (uaddr_t)k * PG),
				 i * 1000 + k);
		}
		/* the other half comes and goes */
		for (k = PAGES / 2; k < PAGES; k++) {
			put64(t, r->a + (uaddr_t)k * PG, k);
			CHECK_EQ(get64(t, r->a + (uaddr_t)k * PG), k);
		}
		if (i % 2)
			(void)sim_madvise(t, r->a, PAGES * PG, MADV_PAGEOUT);
		if (i % 3)
			sim_file_punch(r->f, PAGES / 2 * 4096ul,
				       PAGES / 2 * 4096ul);
		else
			(void)sim_madvise(t, r->a, PAGES * PG, MADV_WILLNEED);
	}
	sim_run(NULL);
}

static void shared_and_off(unsigned cpu, void *arg)
{
	struct off_race *r = arg;

	if (cpu) {
		use_shared(r);
		return;
	}
	/* (the other thread may begin much later) */
	while (__atomic_load_n(&r->rounds, __ATOMIC_ACQUIRE) < 3)
		sim_poll();
	off_and_on(r, ROUNDS(60));
}

/* behaviours: R3, C5 */
TEST_WITH(swapoff_beside_shared_memory, .config = {.cpus = 2}, .seconds = 240)
{
	struct off_race r;

	start(&r, m);
	r.f = sim_file_shmem(m, "f", PAGES * PG);
	REQUIRE(r.f);
	r.a = must_map(r.t[0], PAGES * PG, RW, MAP_SHARED, r.f, 0);
	sim_run(NULL);
	sim_parallel(m, 2, shared_and_off, &r);
	CHECK(r.d->pages_written > 0 && r.d->pages_read > 0);
	end(&r);
	sim_file_close(r.f);
}

/* --------------------------------------------------------- fork and exit */

/* A process, its child, its grandchild: the elders end first. */
static void generations(struct off_race *r)
{
	struct sim_task *t[3];
	uaddr_t a, k;
	unsigned g;

	while (!over(r)) {
		t[0] = sim_task_create(r->m);
		REQUIRE(t[0]);
		a = anon(t[0], PAGES);
		for (k = 0; k < PAGES; k++)
			put64(t[0], a + k * PG, k);
		for (g = 0; g < 3; g++) {
			(void)sim_madvise(t[g], a, PAGES * PG, MADV_PAGEOUT);
			if (g < 2) {
				t[g + 1] = sim_fork(t[g]);
				REQUIRE(t[g + 1]);
				put64(t[g], a + g * PG, 7);
			}
			for (k = 2; k < PAGES; k++)
				REQUIRE_EQ(get64(t[g], a + k * PG), k);
			(void)sim_madvise(t[g], a, PAGES * PG, MADV_PAGEOUT);
			sim_exit(t[g]);
		}
	}
	sim_run(NULL);
}

static void generations_and_off(unsigned cpu, void *arg)
{
	if (cpu == 0)
		off_and_on(arg, ROUNDS(60));
	else
		generations(arg);
}

/* behaviours: R3, M3 */
TEST_WITH(swapoff_beside_fork_and_exit, .config = {.cpus = 2}, .seconds = 240)
{
	struct off_race r;

	start(&r, m);
	r.a = anon(r.t[0], PAGES);
	for (unsigned k = 0; k < PAGES; k++)
		put64(r.t[0], r.a + k * PG, 1000 + k);
	sim_run(NULL);
	sim_parallel(m, 2, generations_and_off, &r);
	for (unsigned k = 0; k < PAGES; k++)
		CHECK_EQ(get64(r.t[0], r.a + k * PG), 1000 + k);
	end(&r);
}

/* ------------------------------------------------------------ broken frames */

/*
 * behaviours: R3, R8
 * In the cache, and its frame is broken: what the device has is as good as
 * ever; what only the frame had is lost to its users, at swapoff as before.
 */
TEST(swapoff_of_a_poisoned_page)
{
	struct swapdev *d = swapdev_on(m, 64, 0, 1);
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 4);
	struct page *page;
	uint64_t v;
	unsigned i;

	for (i = 0; i < 4; i++)
		put64(t, a + i * PG, 10 + i);
	c = sim_fork(t);
	REQUIRE(c);
	for (i = 0; i < 4; i++)
		swap_out(t, a + i * PG, i == 3);
	for (i = 0; i < 2; i++) {
		page = swap_cache_get(d->q, entry_at(t, a + i * PG));
		REQUIRE(page);
		if (i)
			SetPageFlag(page, PG_dirty);
		put_page(d->q, page);
		CHECK_EQ(quire_memory_failure(d->q, quire_page_phys(d->q, page),
					      NULL, NULL),
			 0);
	}
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(mm_stats(t).swap_entries, 0);
	CHECK_EQ(mm_stats(c).swap_entries, 0);
	for (i = 0; i < 4; i++) {
		struct sim_task *u = i & 1 ? t : c;

		if (i == 1) {
			CHECK_EQ(sim_load64(t, a + PG, &v), SIGBUS);
			CHECK_EQ(sim_load64(c, a + PG, &v), SIGBUS);
		} else {
			CHECK_EQ(get64(u, a + i * PG), 10 + i);
		}
	}
	sim_exit(c);
	sim_exit(t);
	CHECK_SYSTEM(m);
}

#define BREAK 24u

/* Frames of pages in the cache break, one now and then. */
static void break_some(struct off_race *r)
{
	struct sim_task *t = r->t[1];
	struct page *page;
	unsigned i, k;
	uint64_t v;
	int e;

	for (i = 0; !over(r); i++) {
		k = i % PAGES;
		sim_run(t);
		page = swap_cache_get(r->d->q, swp_entry(0, 1 + i % 256));
		if (page && r->broken < BREAK &&
		    !quire_memory_failure(r->d->q,
					  quire_page_phys(r->d->q, page), NULL,
					  NULL))
			r->broken++;
		if (page)
			put_page(r->d->q, page);
		e = sim_load64(t, r->a + k * PG, &v);
		CHECK(e == 0 || e == SIGBUS);
		if (!e) {
			CHECK_EQ(v % 1000, k);
			e = sim_store64(t, r->a + k * PG, i * 1000ull + k);
			CHECK(e == 0 || e == SIGBUS);
		}
		if (e) {
			r->lost++;
			CHECK_EQ(sim_madvise(t, r->a + k * PG, PG,
					     MADV_DONTNEED),
				 0);
			put64(t, r->a + k * PG, i * 1000ull + k);
		}
	}
	sim_run(NULL);
}

static void break_and_off(unsigned cpu, void *arg)
{
	if (cpu == 0)
		off_and_on(arg, ROUNDS(60));
	else
		break_some(arg);
}

/* behaviours: R3, R8 */
TEST_WITH(swapoff_beside_broken_frames, .config = {.cpus = 2}, .seconds = 240)
{
	struct off_race r;

	start(&r, m);
	r.a = anon(r.t[0], PAGES);
	for (unsigned k = 0; k < PAGES; k++)
		put64(r.t[0], r.a + k * PG, k);
	sim_run(NULL);
	sim_parallel(m, 2, break_and_off, &r);
	CHECK(r.lost <= r.broken);
	end(&r);
}
