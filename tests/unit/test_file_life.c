/* SPDX-License-Identifier: MIT */
/*
 * The whole life of a file under its mappings: who sees whose stores, and every
 * allocation on the way failed in turn, with the device compared at the end.
 */
#include "common.h"

#define PAGES 12
#define SEED  31

/* ------------------------------------------------------------- visibility */

static void see(struct sim_task *t, uaddr_t a, uint64_t v)
{
	CHECK_EQ(get64(t, a), v);
}

/* behaviours: C1, F8 (two address spaces of one file; a private one never) */
TEST(shared_file_is_one_memory)
{
	struct sim_file *f = sim_file_create(m, "/data", PAGES * PG, 0);
	struct sim_file *g = sim_file_reopen(f, true, true);
	struct sim_task *x = sim_task_create(m), *y = sim_task_create(m);
	uaddr_t a = must_map(x, PAGES * PG, RW, MAP_SHARED, f, 0);
	uaddr_t b = must_map(y, PAGES * PG, RW, MAP_SHARED, g, 0);
	uaddr_t p = must_map(y, PAGES * PG, RW, MAP_PRIVATE, g, 0);
	struct sim_task *c;
	uint64_t v;
	unsigned i;

	put64(y, p + 8, 1); /* copied: from now on apart */
	for (i = 0; i < PAGES; i++) {
		put64(x, a + i * PG, 100 + i);
		see(y, b + i * PG, 100 + i);
		put64(y, b + i * PG + 16, 200 + i);
		see(x, a + i * PG + 16, 200 + i);
	}
	see(y, p, 0);
	see(y, p + 16, 0);
	see(x, a + 8, 0);
	/* not copied yet: a private mapping shows the file as it is */
	see(y, p + PG, 101);
	v = 300;
	CHECK_EQ(sim_file_write(g, 2 * PG, &v, 8), 8);
	see(x, a + 2 * PG, 300);
	see(y, p + 2 * PG, 300);
	/* a child shares what is shared and owns what is private */
	c = sim_fork(y);
	REQUIRE(c);
	put64(c, b + 3 * PG, 400);
	put64(c, p + 3 * PG, 500);
	see(x, a + 3 * PG, 400);
	see(y, p + 3 * PG, 400);
	see(c, p + 3 * PG, 500);
	see(c, p + 8, 1);
	CHECK_EQ(sim_file_read(f, 3 * PG, &v, 8), 8);
	CHECK_EQ(v, 400);
	CHECK_EQ(sim_file_fsync(f, false), 0);
	sim_file_peek(f, 3 * PG, &v, 8);
	CHECK_EQ(v, 400);
	sim_exit(c);
	sim_exit(x);
	sim_exit(y);
	sim_file_close(f);
	sim_file_close(g);
}

/* behaviours: C5, M3 (shared anonymous memory is the family's) */
TEST(shared_anonymous_is_one_memory)
{
	struct sim_task *x = sim_task_create(m), *y;
	uaddr_t a = must_map(x, 4 * PG, RW, SHANON, NULL, 0);
	uaddr_t p = anon(x, 4);
	unsigned i;

	put64(x, p, 1);
	y = sim_fork(x);
	REQUIRE(y);
	for (i = 0; i < 4; i++) {
		put64(y, a + i * PG, 10 + i);
		see(x, a + i * PG, 10 + i);
		put64(x, a + i * PG + 8, 20 + i);
		see(y, a + i * PG + 8, 20 + i);
	}
	put64(y, p, 2);
	see(x, p, 1);
	sim_exit(x);
	see(y, a + 3 * PG, 13);
	sim_exit(y);
}

/* ---------------------------------------------- every allocation fails once */

/* What the test knows of one page's first word. */
struct life {
	struct sim_task *t;
	struct sim_file *f;
	uaddr_t a;
	uint64_t now[PAGES];
};

static bool no_memory(long r)
{
	return r == -ENOMEM || r == -EAGAIN;
}

static void store(struct life *l, struct sim_task *t, unsigned p, uint64_t v)
{
	int r = sim_store64(t, l->a + p * PG, v);

	CHECK(r == 0 || r == SIM_OOM);
	if (!r)
		l->now[p] = v;
}

static void check_page(struct life *l, struct sim_task *t, unsigned p)
{
	uint64_t v = 0;
	int r = sim_load64(t, l->a + p * PG, &v);

	CHECK(r == 0 || r == SIM_OOM);
	if (!r)
		CHECK_EQ(v, l->now[p]);
}

static void calls(struct life *l)
{
	struct address_space *as = sim_file_mapping(l->f);
	uint64_t v = 77;
	long r;

	r = sim_madvise(l->t, l->a + 4 * PG, 4 * PG, MADV_WILLNEED);
	CHECK(r == 0 || no_memory(r));
	r = sim_file_write(l->f, 2 * PG, &v, 8);
	CHECK(r == 8 || r == -ENOMEM);
	if (r == 8)
		l->now[2] = v;
	r = sim_madvise(l->t, l->a + 3 * PG, 2 * PG, MADV_RANDOM);
	CHECK(r == 0 || no_memory(r));
	store(l, l->t, 3, 33);
	/* writing back needs no memory, nor does dropping */
	CHECK_EQ(sim_msync(l->t, l->a, 4 * PG, MS_SYNC), 0);
	CHECK_EQ(sim_madvise(l->t, l->a, PAGES * PG, MADV_DONTNEED), 0);
	(void)quire_mapping_drop_clean(as, 0, UINT64_MAX);
	r = quire_mapping_invalidate(as, 0, UINT64_MAX);
	CHECK(r == 0 || r == -EBUSY);
	(void)quire_flusher_work(sim_quire(l->t->m));
	sim_file_punch(l->f, 5 * PG + 8, 7 * PG);
	l->now[6] = 0;
	sim_file_truncate(l->f, 9 * PG + 100);
	sim_file_truncate(l->f, PAGES * PG);
	l->now[10] = l->now[11] = 0;
}

static void life_ends(struct life *l)
{
	uint64_t v;
	unsigned p;

	for (p = 0; p < PAGES; p++)
		check_page(l, l->t, p);
	CHECK_EQ(sim_file_fsync(l->f, false), 0);
	for (p = 0; p < PAGES; p++) {
		sim_file_peek(l->f, p * PG, &v, 8);
		CHECK_EQ(v, l->now[p]);
	}
}

static void scenario_life(struct sim_machine *m, void *arg)
{
	struct sim_disk_config c = {.mode = SIM_DISK_NOW, .short_bytes = 3000};
	struct life l = {.t = sim_task_create(m)};
	struct sim_task *child;
	unsigned p;
	sreg_t a;

	(void)arg;
	if (!l.t)
		return;
	l.f = sim_file_create(m, "/data", PAGES * PG, 0);
	REQUIRE(l.f);
	CHECK_EQ(sim_disk_configure(l.f, &c), 0);
	a = sim_mmap(l.t, 0, PAGES * PG, RW, MAP_SHARED, l.f, 0);
	if (!mapped_at(a)) {
		CHECK_EQ(a, -ENOMEM);
		goto out;
	}
	l.a = (uaddr_t)a;
	for (p = 0; p < PAGES; p += 2)
		store(&l, l.t, p, p + 1);
	check_page(&l, l.t, 1);
	store(&l, l.t, 1, 11); /* mapped read-only before */
	child = sim_fork(l.t);
	if (child) {
		store(&l, child, 3, 44);
		check_page(&l, child, 0);
		sim_exit(child);
	}
	calls(&l);
	store(&l, l.t, 0, 99); /* clean by now: dirty again */
	life_ends(&l);
out:
	sim_exit(l.t);
	sim_file_close(l.f);
}

/* behaviours: F15, C3, C4 (what was stored is stored, whatever failed) */
TEST_WITH(every_allocation_fails_file_life, .seconds = 500)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};

	if (sim_has_injection())
		CHECK(test_every_failure(&c, scenario_life, NULL) > 30);
	sim_bind(m, 0);
}
