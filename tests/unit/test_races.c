/* SPDX-License-Identifier: MIT */
/*
 * Two and more CPUs in one address space, or in two that share pages.  Each
 * test says what contents each access may see, and checks that; under
 * ThreadSanitizer the same runs look for unordered accesses.
 *
 * Each runs in several machines: with and without address-space ids, with a
 * small TLB that loses entries at random, with yields in the locks.
 */
#include "common.h"

#define RACE(id, n)                                                            \
	static void race_##id(struct sim_machine *m);                          \
	TEST_WITH(id, .config = {.cpus = n, .jitter = 40, .seed = 11},         \
		  .seconds = 240)                                              \
	{                                                                      \
		race_##id(m);                                                  \
	}                                                                      \
	TEST_WITH(id##_pcid,                                                   \
		  .config = {.cpus = n,                                        \
			     .asids = TEST_ASIDS(6),                           \
			     .tlb_evict = 50},                                 \
		  .seconds = 240)                                              \
	{                                                                      \
		race_##id(m);                                                  \
	}                                                                      \
	static void race_##id(struct sim_machine *m)

struct race {
	struct sim_machine *m;
	struct sim_task *t[4];
	uaddr_t a;
	uint32_t stop, turn;
	uint64_t count[4];
	struct sim_file *f;
};

static struct race race_of(struct sim_machine *m, unsigned n)
{
	struct race r = {.m = m};
	unsigned i;

	r.t[0] = sim_task_create(m);
	for (i = 1; i < n; i++)
		r.t[i] = sim_thread(r.t[0]);
	sim_run(NULL);
	return r;
}

static void race_end(struct race *r, unsigned n)
{
	unsigned i;

	CHECK_SYSTEM(r->m);
	for (i = 0; i < n; i++)
		sim_exit(r->t[i]);
}

static bool stopped(struct race *r)
{
	return __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE);
}
static void stop(struct race *r)
{
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
}

/* ------------------------------------------------- fault against fault */

#define SAME_PAGES 400

/* Addresses that need new tables at every level now and then. */
static uaddr_t spread(uaddr_t a, unsigned k)
{
	uint64_t far = (k & 1) * (uint64_t)k * PMD_SIZE +
		       (uint64_t)(k / 16) * (1ull << 30);

	return a + (k % 7) * PG + (uaddr_t)(far % TEST_LARGE);
}

static void same_pages(unsigned i, void *arg)
{
	struct race *r = arg;
	unsigned k;

	for (k = 0; k < ROUNDS(SAME_PAGES); k++) {
		uaddr_t a = spread(r->a, k);

		if (k % 3 == 0)
			(void)get64(r->t[i], a + 8 * i);
		CHECK_EQ(sim_fetch_add64(r->t[i], a + 8 * i, k + 1, NULL), 0);
	}
}

/* behaviours: P4, P6, F4 (nothing lost, nothing leaked) */
RACE(faults_on_the_same_pages, 4)
{
	struct race r = race_of(m, 4);
	unsigned k, i;

	r.a = must_map(r.t[0], TEST_LARGE, RW, ANON | MAP_NORESERVE, NULL, 0);
	sim_run(NULL);
	sim_parallel(m, 4, same_pages, &r);
	for (k = 0; k < ROUNDS(SAME_PAGES); k++)
		for (i = 0; i < 4; i++)
			if (!CHECK(get64(r.t[0], spread(r.a, k) + 8 * i) >=
				   k + 1))
				k = SAME_PAGES;
	race_end(&r, 4);
}

/* ------------------------------------------------- fault against munmap */

static void unmapper(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	unsigned k;
	uint8_t byte;
	int e;

	if (i == 0) {
		for (k = 0; k < ROUNDS(300); k++) {
			CHECK_EQ(sim_munmap(t, r->a + (k % 3) * PG, 2 * PG), 0);
			CHECK_EQ(sim_mmap(t, r->a, 4 * PG, RW, ANON | MAP_FIXED,
					  NULL, 0),
				 (sreg_t)r->a);
		}
		stop(r);
		return;
	}
	while (!stopped(r)) {
		uaddr_t a = r->a + (uaddr_t)(r->count[i]++ % 4) * PG + i;

		e = sim_store8(t, a, (uint8_t)(0x10 + i));
		if (!e)
			e = sim_load8(t, a, &byte);
		if (e) {
			CHECK_EQ(e, SIGSEGV);
			CHECK_EQ(t->sig.code, QUIRE_SEGV_MAPERR);
			CHECK_EQ(t->sig.addr, a);
		} else if (byte && byte != 0x10 + i) {
			CHECK_EQ(byte, 0x10 + i);
		}
	}
}

/* behaviours: Z1, Z2, Z4 */
RACE(faults_against_munmap, 3)
{
	struct race r = race_of(m, 3);

	r.a = anon(r.t[0], 4);
	sim_run(NULL);
	sim_parallel(m, 3, unmapper, &r);
	race_end(&r, 3);
}

/* Whole tables come and go under the walkers. */
#define TABLES ((uaddr_t)(TEST_LARGE < 4ull << 30 ? TEST_LARGE : 4ull << 30))
static void table_unmapper(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	unsigned k;
	int e;

	if (i == 0) {
		for (k = 0; k < ROUNDS(400); k++) {
			CHECK_EQ(sim_munmap(t, r->a, TABLES), 0);
			CHECK_EQ(sim_mmap(t, r->a, TABLES, RW,
					  ANON | MAP_FIXED | MAP_NORESERVE,
					  NULL, 0),
				 (sreg_t)r->a);
			sim_touch_write(t, r->a + k % 7 * PMD_SIZE, PG, 1);
		}
		stop(r);
		return;
	}
	while (!stopped(r)) {
		uint64_t k2 = r->count[i]++;
		uaddr_t a = r->a + (uaddr_t)(k2 % 2) * (TABLES / 2) +
			    (uaddr_t)(k2 % 7) * PMD_SIZE + 8 * i;

		e = sim_store64(t, a, a);
		CHECK(!e || e == SIGSEGV);
	}
}

/* behaviours: Z2, P5 (tables are freed after the flush) */
RACE(faults_against_freed_tables, 3)
{
	struct race r = race_of(m, 3);

	r.a = TEST_PLACE(0);
	CHECK_EQ(sim_mmap(r.t[0], r.a, TABLES, RW,
			  ANON | MAP_FIXED | MAP_NORESERVE, NULL, 0),
		 (sreg_t)r.a);
	sim_run(NULL);
	sim_parallel(m, 3, table_unmapper, &r);
	race_end(&r, 3);
}

/* ----------------------------------------------- fault against fork's COW */

#define FORK_PAGES 6

static void forker(struct race *r)
{
	struct sim_task *t = r->t[0], *c;
	uint64_t first[FORK_PAGES], again;
	unsigned k, p;

	for (k = 0; k < ROUNDS(300); k++) {
		c = sim_fork(t);
		REQUIRE(c);
		for (p = 0; p < FORK_PAGES; p++)
			first[p] = get64(c, r->a + p * PG);
		/* the parent's threads go on; the child's memory stands still
		 */
		for (p = 0; p < FORK_PAGES; p++) {
			if (k & 1)
				put64(c, r->a + p * PG + 8, k);
			again = get64(c, r->a + p * PG);
			if (!CHECK_EQ(again, first[p]))
				break;
		}
		sim_exit(c);
	}
	stop(r);
}

static void fork_racer(unsigned i, void *arg)
{
	struct race *r = arg;

	if (i == 0) {
		forker(r);
		return;
	}
	while (!stopped(r)) {
		uint64_t k = r->count[i];

		CHECK_EQ(sim_fetch_add64(r->t[i],
					 r->a + (uaddr_t)(k % FORK_PAGES) * PG,
					 1, NULL),
			 0);
		r->count[i]++;
	}
}

/* behaviours: F10, M3, Z4 (no write is lost, none reaches the child) */
RACE(faults_against_fork, 3)
{
	struct race r = race_of(m, 3);
	uint64_t sum = 0;
	unsigned p;

	r.a = anon(r.t[0], FORK_PAGES);
	sim_run(NULL);
	sim_parallel(m, 3, fork_racer, &r);
	for (p = 0; p < FORK_PAGES; p++)
		sum += get64(r.t[0], r.a + p * PG);
	CHECK_EQ(sum, r.count[1] + r.count[2]);
	race_end(&r, 3);
}

/* --------------------------------- parent and child break COW at one time */

static void cow_breaker(unsigned i, void *arg)
{
	struct race *r = arg;
	unsigned p;

	for (p = 0; p < 32; p++) {
		unsigned q = i & 1 ? 31 - p : p;
		uaddr_t a = r->a + q * PG;

		CHECK_EQ(get64(r->t[i], a), 1000 + q);
		put64(r->t[i], a, 2000 * (i + 1) + q);
		CHECK_EQ(get64(r->t[i], a), 2000 * (i + 1) + q);
	}
}

/* behaviour: F10 (reuse or copy, decided on both sides at once) */
RACE(cow_broken_on_both_sides, 2)
{
	unsigned k, p, i;

	for (k = 0; k < ROUNDS(60); k++) {
		struct race r = {.m = m};

		r.t[0] = sim_task_create(m);
		r.a = anon(r.t[0], 32);
		for (p = 0; p < 32; p++)
			put64(r.t[0], r.a + p * PG, 1000 + p);
		r.t[1] = sim_fork(r.t[0]);
		REQUIRE(r.t[1]);
		sim_run(NULL);
		sim_parallel(m, 2, cow_breaker, &r);
		for (i = 0; i < 2; i++)
			for (p = 0; p < 32; p++)
				CHECK_EQ(get64(r.t[i], r.a + p * PG),
					 2000 * (i + 1) + p);
		race_end(&r, 2);
	}
}

/* ----------------------------------------------- fault against mprotect */

static void protector(struct race *r)
{
	struct sim_task *t = r->t[0];
	uint64_t v, w;
	unsigned k, p, i;

	for (k = 0; k < ROUNDS(300); k++) {
		p = k % 4;
		CHECK_EQ(sim_mprotect(t, r->a + p * PG, PG, PROT_READ), 0);
		for (i = 1; i < 3; i++) {
			v = get64(t, r->a + p * PG + 8 * i);
			sim_poll();
			w = get64(t, r->a + p * PG + 8 * i);
			/* nobody may write there now */
			CHECK_EQ(w, v);
		}
		CHECK_EQ(sim_mprotect(t, r->a + p * PG, PG, RW), 0);
	}
	stop(r);
}

static void protect_racer(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	uint64_t done[4] = {0};
	unsigned p;
	int e;

	if (i == 0) {
		protector(r);
		return;
	}
	for (p = 0; !stopped(r); p = (p + 1) % 4) {
		e = sim_fetch_add64(t, r->a + p * PG + 8 * i, 1, NULL);
		if (e) {
			CHECK_EQ(e, SIGSEGV);
			CHECK_EQ(t->sig.code, QUIRE_SEGV_ACCERR);
		} else {
			done[p]++;
		}
	}
	for (p = 0; p < 4; p++)
		CHECK_EQ(get64(t, r->a + p * PG + 8 * i), done[p]);
}

/* behaviours: M2, Z4 */
RACE(faults_against_mprotect, 3)
{
	struct race r = race_of(m, 3);

	r.a = anon(r.t[0], 4);
	sim_run(NULL);
	sim_parallel(m, 3, protect_racer, &r);
	race_end(&r, 3);
}

/* ---------------------------------------------------- the stack grows */

static void stack_grower(unsigned i, void *arg)
{
	struct race *r = arg;
	unsigned k;

	for (k = 1; k < 1500; k++) {
		uaddr_t a = r->a - k * PG + 8 * i;

		put64(r->t[i], a, k + i);
		if (!CHECK_EQ(get64(r->t[i], a), k + i))
			return;
	}
}

/* behaviour: E6 */
RACE(two_threads_grow_one_stack, 2)
{
	struct race r = race_of(m, 2);
	unsigned k;

	r.a = sim_stack_top(m);
	sim_run(NULL);
	sim_parallel(m, 2, stack_grower, &r);
	for (k = 1; k < 1500; k++)
		CHECK_EQ(get64(r.t[1], r.a - k * PG), k);
	race_end(&r, 2);
}

/* -------------------------------------------- DONTNEED, mremap, truncate */

static void discarder(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	uint64_t v;
	unsigned k;

	if (i == 0) {
		for (k = 0; k < ROUNDS(300); k++)
			CHECK_EQ(sim_madvise(t, r->a + (k % 3) * PG, 2 * PG,
					     MADV_DONTNEED),
				 0);
		stop(r);
		return;
	}
	while (!stopped(r)) {
		uaddr_t a = r->a + (uaddr_t)(r->count[i]++ % 4) * PG + 8 * i;

		put64(t, a, i);
		v = get64(t, a);
		if (v && v != i)
			CHECK_EQ(v, i);
	}
}

/* behaviours: M2, Z1 */
RACE(faults_against_dontneed, 3)
{
	struct race r = race_of(m, 3);

	r.a = anon(r.t[0], 4);
	sim_run(NULL);
	sim_parallel(m, 3, discarder, &r);
	race_end(&r, 3);
}

#define FAR ((uaddr_t)32 << 20) /* another table */

static void mover(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	uaddr_t from = r->a, to = r->a + FAR, x;
	unsigned k;
	int e;

	if (i == 0) {
		for (k = 0; k < ROUNDS(300); k++) {
			CHECK_EQ(sim_mremap(t, from, 4 * PG, 4 * PG,
					    MREMAP_MAYMOVE | MREMAP_FIXED, to),
				 (sreg_t)to);
			x = from;
			from = to;
			to = x;
		}
		r->count[0] = from;
		stop(r);
		return;
	}
	while (!stopped(r)) {
		uint64_t k2 = r->count[i + 1];
		uaddr_t a = r->a + (uaddr_t)(k2 & 1) * FAR;

		e = sim_fetch_add64(t, a + (uaddr_t)(k2 / 2 % 4) * PG, 1, NULL);
		r->count[i + 1]++;
		if (e)
			CHECK_EQ(e, SIGSEGV);
		else
			r->count[i]++;
	}
}

/* behaviours: M2, Z1 (a write lands at the old place or the new, never none) */
RACE(faults_against_mremap, 2)
{
	struct race r = race_of(m, 2);
	uint64_t sum = 0;
	unsigned p;

	r.a = TEST_PLACE(0);
	CHECK_EQ(sim_mmap(r.t[0], r.a, 4 * PG, RW, ANON | MAP_FIXED, NULL, 0),
		 (sreg_t)r.a);
	sim_run(NULL);
	sim_parallel(m, 2, mover, &r);
	/* count[0]: where the last move has left it */
	for (p = 0; p < 4; p++)
		sum += get64(r.t[0], (uaddr_t)r.count[0] + p * PG);
	CHECK_EQ(sum, r.count[1]);
	race_end(&r, 2);
}

#define SEED 3
static void truncater(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	uint8_t byte = 0;
	unsigned k;
	int e;

	if (i == 0) {
		for (k = 0; k < ROUNDS(400); k++) {
			sim_file_truncate(r->f, k % 5 * PG);
			sim_file_truncate(r->f, 8 * PG);
		}
		stop(r);
		return;
	}
	while (!stopped(r)) {
		uint64_t k2 = r->count[i]++;
		uaddr_t a = r->a + (uaddr_t)(k2 % 8) * PG + 3;

		e = k2 % 16 < 8 || i == 1 ? sim_load8(t, a, &byte)
					  : sim_store8(t, a + 64, 7);
		if (e) {
			CHECK_EQ(e, SIGBUS);
			CHECK_EQ(t->sig.code, QUIRE_BUS_ADRERR);
		}
	}
}

/* behaviours: C4, F7 */
RACE(faults_against_truncate, 3)
{
	struct race r = race_of(m, 3);

	r.f = sim_file_create(m, "/data", 8 * PG, SEED);
	r.a = must_map(r.t[0], 8 * PG, RW, MAP_PRIVATE, r.f, 0);
	sim_run(NULL);
	sim_parallel(m, 3, truncater, &r);
	race_end(&r, 3);
	sim_file_close(r.f);
}

/* -------------------------------------------------- files, many at once */

static void file_faulter(unsigned i, void *arg)
{
	struct race *r = arg;
	unsigned k;
	uint8_t byte;

	for (k = 0; k < 64; k++) {
		uaddr_t a = r->a + k * PG + 64 * i;

		if (i & 1) {
			CHECK_EQ(sim_store8(r->t[i], a, (uint8_t)i), 0);
			continue;
		}
		CHECK_EQ(sim_load8(r->t[i], a, &byte), 0);
		CHECK_EQ(byte, sim_file_byte(SEED, k * PG + 64 * i));
	}
}

/* behaviours: F5, F7, F9 */
RACE(file_faults_on_the_same_pages, 4)
{
	unsigned round, k;

	for (round = 0; round < ROUNDS(30) + 2; round++) {
		struct race r = race_of(m, 4);

		r.f = sim_file_create(m, "/data", 64 * PG, SEED);
		r.a = must_map(r.t[0], 64 * PG, RW, MAP_PRIVATE, r.f, 0);
		sim_run(NULL);
		sim_parallel(m, 4, file_faulter, &r);
		for (k = 0; k < 64; k++) {
			uint8_t b = 0;

			sim_load8(r.t[0], r.a + k * PG + 64, &b);
			CHECK_EQ(b, 1);
			sim_load8(r.t[0], r.a + k * PG + 192, &b);
			CHECK_EQ(b, 3);
			sim_load8(r.t[0], r.a + k * PG + 128, &b);
			CHECK_EQ(b, sim_file_byte(SEED, k * PG + 128));
		}
		race_end(&r, 4);
		sim_file_close(r.f);
	}
}

/* A slow disk: faults wait with the lock dropped while the map changes. */
static void slow_racer(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	unsigned k;
	uint8_t byte;
	int e;

	if (i == 0) {
		for (k = 0; k < 60; k++) {
			CHECK_EQ(sim_munmap(t, r->a, 4 * PG), 0);
			sim_file_truncate(r->f, 0);
			sim_file_truncate(r->f, 8 * PG);
			CHECK_EQ(sim_mmap(t, r->a, 8 * PG, RW,
					  MAP_PRIVATE | MAP_FIXED, r->f, 0),
				 (sreg_t)r->a);
		}
		stop(r);
		return;
	}
	while (!stopped(r)) {
		e = sim_load8(t, r->a + (uaddr_t)(r->count[i]++ % 8) * PG,
			      &byte);
		CHECK(!e || e == SIGSEGV || e == SIGBUS);
	}
}

/* behaviours: E7, C4 (RETRY finds another map, or none) */
TEST_WITH(slow_faults_against_munmap, .config = {.cpus = 3, .io_thread = true})
{
	struct race r = race_of(m, 3);

	r.f = sim_file_create(m, "/data", 8 * PG, SEED);
	sim_file_latency(r.f, 200);
	r.a = must_map(r.t[0], 8 * PG, RW, MAP_PRIVATE, r.f, 0);
	sim_run(NULL);
	sim_parallel(m, 3, slow_racer, &r);
	race_end(&r, 3);
	sim_file_close(r.f);
}

/* ------------------------------------------- processes come and go at once */

static void processes(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_machine *m = r->m;
	struct sim_task *t = r->t[i], *c;
	unsigned k, p;

	for (k = 0; k < ROUNDS(100); k++) {
		c = sim_fork(t);
		if (!CHECK(c))
			return;
		for (p = 0; p < 16; p++) {
			CHECK_EQ(get64(c, r->a + p * PG), p);
			put64(c, r->a + p * PG, 100 + k);
		}
		if (k % 4 == 0) {
			CHECK_EQ(sim_execve(c), 0);
			put64(c, sim_stack_top(m) - 8, k);
		}
		sim_exit(c);
		CHECK_EQ(get64(t, r->a + k % 16 * PG), k % 16);
	}
}

/* behaviours: M3, P5 */
RACE(processes_on_every_cpu, 4)
{
	struct race r = {.m = m};
	unsigned i, p;

	r.t[0] = sim_task_create(m);
	r.a = anon(r.t[0], 16);
	for (p = 0; p < 16; p++)
		put64(r.t[0], r.a + p * PG, p);
	for (i = 1; i < 4; i++)
		r.t[i] = sim_fork(r.t[0]);
	sim_run(NULL);
	sim_parallel(m, 4, processes, &r);
	race_end(&r, 4);
}
