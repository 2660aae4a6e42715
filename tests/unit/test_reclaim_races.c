/* SPDX-License-Identifier: MIT */
/*
 * All that takes a page from its users, at once: reclaim, migration,
 * compaction, locking in memory, swapoff; while its users store to it and fork.
 * Each of them has its own tests; this one is for what is between them.
 */
#include <quire/migrate.h>

#include <tests/unit/swap.h>

#define PAGES	8u
#define N_TASKS 5u

struct race {
	struct sim_machine *m;
	struct sim_task *t[N_TASKS];
	struct sim_file *f;
	uaddr_t a, b, s; /* private, a file's, shared: PAGES each */
	uint32_t started, over;
};

static bool over(struct race *r)
{
	return __atomic_load_n(&r->over, __ATOMIC_ACQUIRE);
}

static uaddr_t place(const struct race *r, unsigned kind)
{
	return kind == 0 ? r->a : kind == 1 ? r->b : r->s;
}

/* What is looked for has happened: pages were locked, or swap was off, at every
 * try of a few. */
static bool seen(struct race *r)
{
	return sim_vmstat(r->m, "pgmigrate_success") > 0 &&
	       sim_vmstat(r->m, "pswpout") > 0;
}

/* To and fro between the nodes, out, and into large blocks. */
static void mover(struct race *r)
{
	struct test_deadline d = test_deadline();
	struct quire *q = sim_quire(r->m);
	struct mm_struct *mm = r->t[1]->qt.mm;
	unsigned round;
	int err;

	while (__atomic_load_n(&r->started, __ATOMIC_ACQUIRE) < 2)
		sim_poll();
	sim_run(r->t[0]);
	for (round = 0; round < ROUNDS(12) || test_time_left(&d) ||
			(round < 1000 && !seen(r));
	     round++) {
		CHECK(quire_migrate_pages(mm, round & 1 ? 2 : 1,
					  round & 1 ? 1 : 2,
					  QUIRE_MF_MOVE_ALL) >= 0);
		/* (-EINVAL: a part of it is locked) */
		err = quire_madvise(mm, place(r, round % 3), PAGES * PG,
				    round & 4 ? MADV_COLD : MADV_PAGEOUT);
		CHECK(err == 0 || err == -EINVAL);
		(void)quire_reclaim(q, 32);
		if (round % 8 == 1)
			(void)quire_compact(q, 5);
	}
	__atomic_store_n(&r->over, 1, __ATOMIC_RELEASE);
}

/* Its own word of each page counts up; nobody else's store is lost. */
static void user(struct race *r, unsigned i)
{
	struct sim_task *t = r->t[i];
	uint64_t n = 0, v = 0;
	unsigned p, k;

	while (!over(r)) {
		n++;
		for (p = 0; p < PAGES; p++)
			for (k = 0; k < 3; k++) {
				uaddr_t w = place(r, k) + p * PG + i * 8;

				if (n > 1) {
					REQUIRE_EQ(sim_load64(t, w, &v), 0);
					REQUIRE_EQ(v, n - 1);
				}
				REQUIRE_EQ(sim_store64(t, w, n), 0);
			}
		if (n == 1)
			__atomic_fetch_add(&r->started, 1, __ATOMIC_RELEASE);
	}
}

/* Children that share all of it, look at it, and change their part. */
static void forker(struct race *r)
{
	struct sim_task *t = r->t[3], *c;
	uaddr_t own = anon(t, PAGES);
	uint64_t n = 0, v;
	unsigned p;

	while (!over(r)) {
		n++;
		for (p = 0; p < PAGES; p++)
			put64(t, own + p * PG, n + p);
		page_out(t, own, PAGES);
		c = sim_fork(t);
		REQUIRE(c);
		for (p = 0; p < PAGES; p += 2)
			put64(c, own + p * PG, ~n);
		page_out(c, own, PAGES);
		for (p = 0; p < PAGES; p++) {
			CHECK_EQ(get64(t, own + p * PG), n + p);
			CHECK_EQ(get64(c, own + p * PG), p & 1 ? n + p : ~n);
			CHECK_EQ(sim_load64(c, r->a + p * PG + 8, &v), 0);
			CHECK_EQ(sim_store64(c, r->a + p * PG + 8, 0), 0);
		}
		CHECK_EQ(sim_madvise(c, own, PAGES / 2 * PG, MADV_FREE), 0);
		sim_exit(c);
	}
}

/* Locked and not, part of it; swap off and on again. */
static void locker(struct race *r, unsigned area)
{
	struct sim_task *t = r->t[4];
	unsigned n;

	for (n = 0; !over(r); n++) {
		uaddr_t at = place(r, n % 3) + n % 4 * PG;

		sim_run(t);
		CHECK_EQ(quire_mlock(t->qt.mm, at, PAGES / 2 * PG, 0), 0);
		sim_poll();
		CHECK_EQ(quire_munlock(t->qt.mm, at, PAGES / 2 * PG), 0);
		if (n % 8 == 5) {
			CHECK_EQ(sim_swapoff(r->m, area), 0);
			CHECK_EQ(swap_on(r->m, 1500, 0, 0, NULL), area);
		}
	}
}

static void racer(unsigned i, void *arg)
{
	struct race *r = arg;

	if (i == 0)
		mover(r);
	else if (i == 3)
		forker(r);
	else if (i == 4)
		locker(r, 0);
	else
		user(r, i);
}

/* behaviours: R1, R2, R3, R6, R9, F11, F12 */
TEST_WITH(reclaim_races,
	  .config = {.ram_bytes = 32u << 20,
		     .nodes = 2,
		     .cpus = N_TASKS,
		     .jitter = 50,
		     .io_thread = true},
	  .seconds = 240)
{
	struct race r = {.m = m};
	unsigned area = swap_on(m, 1500, 0, 0, NULL), i;

	CHECK_EQ(area, 0);
	r.f = sim_file_create(m, "f", PAGES * PG, 9);
	REQUIRE(r.f);
	for (i = 0; i < N_TASKS; i++) {
		r.t[i] = i ? sim_thread(r.t[0]) : sim_task_create(m);
		REQUIRE(r.t[i]);
		if (!i) {
			r.a = anon(r.t[0], PAGES);
			r.b = must_map(r.t[0], PAGES * PG, RW, MAP_SHARED, r.f,
				       0);
			r.s = must_map(r.t[0], PAGES * PG, RW, SHANON, NULL, 0);
		}
		r.t[i]->qt.cap_sys_admin = true;
		r.t[i]->qt.cap_ipc_lock = true;
	}
	sim_parallel(m, N_TASKS, racer, &r);
	CHECK(sim_vmstat(m, "pgmigrate_success") > 0);
	CHECK(sim_vmstat(m, "pswpout") > 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < N_TASKS; i++)
		sim_exit(r.t[i]);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_swapoff(m, area), 0);
	CHECK_EQ(sim_vmstat(m, "nr_mlock"), 0);
	sim_file_close(r.f);
}
