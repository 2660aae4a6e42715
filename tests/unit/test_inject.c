/* SPDX-License-Identifier: MIT */
/*
 * Every allocation failed in turn.  The scenarios go through every path that
 * allocates; each operation may fail for lack of memory, in the way that is
 * documented for it, and in no other; nothing is left behind.
 */
#include "common.h"

#define SEED 9

/* Result of an access: done, or no memory. */
static bool got(int r)
{
	if (!CHECK(r == 0 || r == SIM_OOM))
		test_failed(__FILE__, __LINE__, "the access returned %d", r);
	return r == 0;
}

/* Result of a map call: done, or -ENOMEM; madvise and mlock say -EAGAIN. */
static bool did(sreg_t r)
{
	if (!CHECK(mapped_at(r) || r == -ENOMEM || r == -EAGAIN))
		test_failed(__FILE__, __LINE__, "the call returned %lld",
			    (long long)r);
	return mapped_at(r);
}

static uaddr_t map(struct sim_task *t, uaddr_t addr, uaddr_t pages,
		   unsigned prot, unsigned flags, struct sim_file *f)
{
	sreg_t r = sim_mmap(t, addr, pages * PG, prot, flags, f, 0);

	return did(r) ? (uaddr_t)r : 0;
}

/* Write, and what was written is there. */
static bool store(struct sim_task *t, uaddr_t a, uint64_t v)
{
	uint64_t w = ~v;

	if (!got(sim_store64(t, a, v)))
		return false;
	if (got(sim_load64(t, a, &w)))
		CHECK_EQ(w, v);
	return true;
}

static void expect(struct sim_task *t, uaddr_t a, uint64_t v)
{
	uint64_t w = ~v;

	if (got(sim_load64(t, a, &w)))
		CHECK_EQ(w, v);
}

/* On machines that are small, and checked after each call. */
static unsigned fail_each(struct sim_machine *m, test_scenario scenario)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};
	unsigned n = test_every_failure(&c, scenario, NULL);

	sim_bind(m, 0);
	return n;
}

/* ------------------------------------------------------- anonymous memory */

static void anon_faults(struct sim_task *t)
{
	uaddr_t a = map(t, 0, 8, RW, ANON, NULL), b;

	if (!a)
		return;
	expect(t, a, 0);
	store(t, a, 1);
	store(t, a + PG, 2);
	/* far away: tables at every level */
	b = map(t, TEST_PLACE(0), 2, RW, ANON | MAP_FIXED, NULL);
	if (b) {
		store(t, b, 3);
		expect(t, b + PG, 0);
	}
	b = map(t, 0, 150, RW, ANON | MAP_POPULATE, NULL);
	if (b)
		did(sim_munmap(t, b + 10 * PG, 100 * PG));
	did(sim_madvise(t, a, 4 * PG, MADV_POPULATE_WRITE));
	did(sim_madvise(t, a, 4 * PG, MADV_DONTNEED));
	expect(t, a, 0);
}

/* The stack: no memory to grow it is SIGSEGV, as for a program on Linux. */
static void stack_faults(struct sim_task *t)
{
	uaddr_t top = sim_stack_top(t->m);
	int r = sim_store64(t, top - 8, 5);

	got(r);
	r = sim_store64(t, top - (400 << 10), 6);
	CHECK(r == 0 || r == SIM_OOM || r == SIGSEGV);
	if (!r)
		expect(t, top - (400 << 10), 6);
}

static void map_changes(struct sim_task *t)
{
	uaddr_t a = map(t, 0, 64, RW, ANON, NULL);
	unsigned i;
	sreg_t r;

	if (!a)
		return;
	for (i = 0; i < 64; i += 8)
		store(t, a + i * PG, i);
	for (i = 1; i < 64; i += 6) {
		int e = sim_mprotect(t, a + i * PG, 2 * PG, PROT_READ);

		if (did(e))
			did(sim_mprotect(t, a + i * PG, PG, RW));
	}
	/* madvise(2): no memory for a split is EAGAIN */
	r = sim_madvise(t, a + 3 * PG, 9 * PG, MADV_RANDOM);
	CHECK(r == 0 || r == -EAGAIN || r == -ENOMEM);
	did(sim_munmap(t, a + 20 * PG, PG));
	r = sim_mremap(t, a + 40 * PG, 8 * PG, 24 * PG, MREMAP_MAYMOVE, 0);
	/* not one mapping any more where a change above succeeded */
	CHECK(mapped_at(r) || r == -ENOMEM || r == -EFAULT);
	r = sim_mmap(t, 0, 4 * PG, RW, ANON, NULL, 0);
	if (did(r)) {
		uaddr_t b = (uaddr_t)r;
		bool w = store(t, b, 70);

		r = sim_mremap(t, b, 4 * PG, 4 * PG,
			       MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(1));
		if (did(r))
			b = (uaddr_t)r;
		/* moved or not, the contents are whole */
		if (w)
			expect(t, b, 70);
	}
	sim_brk(t, sim_brk(t, 0) + 20 * PG);
	sim_brk(t, sim_brk(t, 0) - 10 * PG);
}

static void scenario_anon(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);

	(void)arg;
	if (!t)
		return;
	anon_faults(t);
	stack_faults(t);
	map_changes(t);
	sim_exit(t);
}

/* behaviours: F15, F4, M2, E6 */
TEST_WITH(every_allocation_fails_anonymous, .seconds = 500)
{
	if (sim_has_injection())
		CHECK(fail_each(m, scenario_anon) > 40);
}

/* -------------------------------------------------------------------- fork */

static void fork_writes(struct sim_task *p, struct sim_task *c, uaddr_t a,
			bool w)
{
	if (w)
		expect(c, a, 1);
	if (store(c, a, 2) && w)
		expect(p, a, 1);
	store(p, a + PG, 3);
	store(c, a + 2 * PG, 4);
	store(p, a + 2 * PG, 5);
}

static void scenario_fork(struct sim_machine *m, void *arg)
{
	struct sim_task *p = sim_task_create(m), *c, *g;
	struct page *pin = NULL;
	uaddr_t a, s;
	bool w;

	(void)arg;
	if (!p)
		return;
	a = map(p, 0, 8, RW, ANON, NULL);
	s = map(p, 0, 4, RW, SHANON, NULL);
	if (!a || !s)
		goto out;
	w = store(p, a, 1);
	/* fork has to copy this one */
	(void)quire_get_user_pages(p->qt.mm, a + 4 * PG, 1, true, &pin);
	expect(p, a + 5 * PG, 0);
	store(p, a + PG, 1);
	store(p, s, 1);
	c = sim_fork(p);
	if (!c) {
		if (w)
			expect(p, a, 1); /* a failed fork changes nothing */
		store(p, a, 9);
		goto out;
	}
	fork_writes(p, c, a, w);
	store(c, s + PG, 8);
	g = sim_fork(c);
	if (g) {
		store(g, a, 7);
		store(g, a + 6 * PG, 7);
		did(sim_execve(g));
		sim_exit(g);
	}
	g = sim_thread(c);
	if (g) {
		store(g, a + 7 * PG, 7);
		sim_exit(g);
	}
	sim_exit(c);
	store(p, a, 10); /* owned alone again */
out:
	if (pin)
		quire_page_put(sim_quire(m), pin);
	sim_exit(p);
}

/* behaviours: F15, F10, M3 */
TEST_WITH(every_allocation_fails_fork, .seconds = 500)
{
	if (sim_has_injection())
		CHECK(fail_each(m, scenario_fork) > 40);
}

/* ------------------------------------------------------------------- files */

static void file_byte(struct sim_task *t, uaddr_t a, uint64_t off)
{
	uint8_t b = 0;

	if (got(sim_load8(t, a, &b)))
		CHECK_EQ(b, sim_file_byte(SEED, off));
}

static void file_faults(struct sim_task *t, struct sim_file *f)
{
	uaddr_t a = map(t, 0, 6, RW, MAP_PRIVATE, f), s;
	struct sim_task *c;

	if (!a)
		return;
	file_byte(t, a + 5, 5);
	if (got(sim_store8(t, a + 6, 1)))
		file_byte(t, a + 7, 7);
	if (got(sim_store8(t, a + PG + 6, 1)))
		file_byte(t, a + PG + 7, PG + 7);
	s = map(t, 0, 6, PROT_READ, MAP_SHARED, f);
	if (s) {
		file_byte(t, s + 2 * PG, 2 * PG);
		file_byte(t, s + 6, 6);
		did(sim_munmap(t, s + PG, PG));
	}
	c = sim_fork(t);
	if (c) {
		file_byte(c, a + 3 * PG, 3 * PG);
		got(sim_store8(c, a + 3 * PG + 1, 2));
		sim_exit(c);
	}
}

static void shmem_faults(struct sim_task *t, struct sim_file *f)
{
	uaddr_t a = map(t, 0, 4, RW, MAP_SHARED, f);
	uint64_t v = 3;
	long r;

	if (!a)
		return;
	expect(t, a + PG, 0);
	if (store(t, a, 1) && sim_file_read(f, 0, &v, 8) == 8)
		CHECK_EQ(v, 1);
	v = 4;
	r = sim_file_write(f, 2 * PG, &v, 8);
	CHECK(r == 8 || r == -ENOMEM);
	if (r == 8)
		expect(t, a + 2 * PG, 4);
}

static void scenario_file(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f, *g, *z;
	char buf[3000];
	long r;

	(void)arg;
	if (!t)
		return;
	f = sim_file_create(m, "/data", 5 * PG + 100, SEED);
	g = sim_file_shmem(m, "/memfd", 4 * PG);
	z = sim_file_zero_dev(m);
	file_faults(t, f);
	shmem_faults(t, g);
	r = sim_file_read(f, 4 * PG, buf, sizeof(buf));
	CHECK(r > 0 || r == -ENOMEM);
	if (map(t, 0, 2, RW, MAP_SHARED, z))
		sim_file_truncate(f, PG + 10);
	sim_exit(t);
	sim_file_close(f);
	sim_file_close(g);
	sim_file_close(z);
}

/* behaviours: F15, F5, F7, F9 */
TEST_WITH(every_allocation_fails_files, .seconds = 500)
{
	if (sim_has_injection())
		CHECK(fail_each(m, scenario_file) > 40);
}

/* ------------------------------------------- mappings moved, grown, shrunk */

static void move_file(struct sim_task *t, struct sim_file *f)
{
	uaddr_t a = map(t, 0, 5, RW, MAP_PRIVATE, f);
	bool w;
	sreg_t r;

	if (!a)
		return;
	w = got(sim_store8(t, a + PG, 0x77));
	file_byte(t, a + 2 * PG, 2 * PG);
	r = sim_mremap(t, a, 5 * PG, 3 * PG, 0, 0);
	did(r);
	r = sim_mremap(t, a, 3 * PG, 5 * PG, MREMAP_MAYMOVE, 0);
	if (did(r))
		a = (uaddr_t)r;
	r = sim_mremap(t, a, 3 * PG, 3 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
		       TEST_PLACE(2));
	if (did(r))
		a = (uaddr_t)r;
	file_byte(t, a + 2 * PG, 2 * PG);
	if (w) {
		uint8_t b = 0;

		if (got(sim_load8(t, a + PG, &b)))
			CHECK_EQ(b, 0x77);
	}
}

/* Many page tables' worth of contents, over a table's edge, and left behind. */
static void move_tables(struct sim_task *t)
{
	uaddr_t from = TEST_PLACE(3) - 6 * PG, to = TEST_PLACE(4) - 4 * PG;
	uaddr_t a = map(t, from, 12, RW, ANON | MAP_FIXED, NULL);
	bool w[12];
	unsigned i;
	sreg_t r;

	if (!a)
		return;
	for (i = 0; i < 12; i++)
		w[i] = store(t, a + i * PG, i + 1);
	r = sim_mremap(t, a, 12 * PG, 12 * PG,
		       MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
	if (did(r)) {
		expect(t, a + 3 * PG, 0);
		a = to;
	}
	for (i = 0; i < 12; i++)
		if (w[i])
			expect(t, a + i * PG, i + 1);
}

static void scenario_move(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f;

	(void)arg;
	if (!t)
		return;
	f = sim_file_create(m, "/data", 5 * PG, SEED);
	move_file(t, f);
	move_tables(t);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: F15, M2 */
TEST_WITH(every_allocation_fails_mremap, .seconds = 500)
{
	if (sim_has_injection())
		CHECK(fail_each(m, scenario_move) > 30);
}

/* ------------------------------------------------------ every read failed */

/* behaviours: C2, E7, F15 (each device read fails once, in turn) */
TEST(every_read_fails)
{
	struct sim_file_stats st = {0};
	struct sim_file *f;
	struct sim_task *t;
	unsigned i, p, bad;
	uint8_t b;
	uaddr_t a;
	int e;

	for (i = 0; i <= st.reads; i++) {
		test_context("read %u", i);
		t = sim_task_create(m);
		f = sim_file_create(m, "/data", 40 * PG, SEED);
		a = map(t, 0, 40, RW, MAP_PRIVATE, f);
		if (i)
			sim_file_fail_reads(f, i - 1, 1, -EIO);
		for (p = 0, bad = 0; p < 40; p += 3) {
			e = p & 1 ? sim_store8(t, a + p * PG, 5)
				  : sim_load8(t, a + p * PG, &b);
			bad += e == SIGBUS;
			CHECK(!e || e == SIGBUS);
			/* the next try reads it again, and it is right */
			file_byte(t, a + p * PG + 1, p * PG + 1);
		}
		CHECK(bad <= 1);
		if (i)
			CHECK(sim_file_read(f, 0, &b, 1) == 1);
		sim_file_get_stats(f, &st);
		CHECK(st.reads >= 14);
		sim_exit(t);
		sim_file_close(f);
		CHECK_SYSTEM(m);
	}
}

/* ------------------------------------------------- the kernel's user access */

static void scenario_kernel(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);
	struct page *pages[4];
	char buf[6000];
	uaddr_t a;
	size_t n;
	long r;

	(void)arg;
	if (!t)
		return;
	memset(buf, 7, sizeof(buf));
	a = map(t, 0, 8, RW, ANON, NULL);
	if (a) {
		n = sim_copy_to_user(t, a + 100, buf, sizeof(buf));
		CHECK(n == sizeof(buf) || n == PG - 100 || n == 0);
		n = quire_mm_write(t->qt.mm, a + 3 * PG, buf, sizeof(buf),
				   false);
		CHECK(n == sizeof(buf) || n == PG || n == 0);
		n = quire_mm_read(t->qt.mm, a + 5 * PG, buf, 8);
		CHECK(n == 8 || n == 0);
		r = quire_get_user_pages(t->qt.mm, a + 4 * PG, 4, true, pages);
		CHECK(r > 0 || r == -ENOMEM || r == -EFAULT);
		while (r > 0)
			quire_page_put(sim_quire(m), pages[--r]);
		r = quire_mlock(t->qt.mm, a, 8 * PG, 0);
		CHECK(r == 0 || r == -EAGAIN || r == -ENOMEM);
		did(sim_mincore(t, a, 8 * PG, (unsigned char *)buf));
	}
	sim_exit(t);
}

/* behaviours: F15, E14 */
TEST_WITH(every_allocation_fails_kernel_access, .seconds = 500)
{
	if (sim_has_injection())
		CHECK(fail_each(m, scenario_kernel) > 15);
}

/* ----------------------------------------------------------- random failures
 */

/* behaviour: F15 */
TEST_WITH(allocations_fail_at_random,
	  .config = {.ram_bytes = 16 << 20, .check_ops = true}, .seconds = 300)
{
	unsigned seed;

	if (!sim_has_injection())
		return;
	for (seed = 1; seed <= ROUNDS(60); seed++) {
		test_context("seed %u", seed);
		sim_inject_random(m, 3 + seed % 20, seed);
		scenario_anon(m, NULL);
		scenario_fork(m, NULL);
		scenario_file(m, NULL);
		scenario_kernel(m, NULL);
		sim_inject_reset(m);
		sim_run(NULL);
		if (!CHECK_SYSTEM(m))
			return;
	}
}
