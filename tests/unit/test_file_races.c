/* SPDX-License-Identifier: MIT */
/*
 * One file and everything that can happen to it at once: faults of all kinds,
 * read() and write(), write-back, fsync, truncation, hole punching, dropping of
 * the cache, fork and exit, on several CPUs and a disk with a thread of its
 * own that takes its time and reorders.
 *
 *   page 0 ... SAFE - 1 | ... PAGES - 1        each thread owns some words of
 *   stay as they are    | come and go          each page, nobody else writes
 *                                              them
 *   changer   epoch odd: truncates or punches     even: all stands still
 *   workers   store, load, write(), read(), private copies, msync, fork ...
 *
 * An owner knows what its words must be: what it stored last, for a page that
 * stays always, for another while the epoch has not moved since.  So a store
 * that is lost, wherever it went by, is found by the next load; and SIGBUS is
 * an error wherever the page was there all the time, as its absence is where
 * the page was not.
 *
 * QUIRE_TEST_MINUTES=n: for so long.
 */
#include "swap.h"

#define PAGES	12
#define SAFE	4
#define THREADS 4
#define SEED	77

/* Each thread's words in a page: stored by the mapping, and by write(). */
#define MAP_WORD(i)   ((i)*8u)
#define WRITE_WORD(i) (2048u + (i)*8u)

/* What one word must be. */
struct known {
	uint64_t value;
	uint32_t epoch; /* of the look; odd: no longer known */
};

struct race {
	struct sim_machine *m;
	struct sim_file *f[THREADS];
	struct sim_task *t[THREADS];
	uaddr_t shared[THREADS], private[THREADS];
	struct known map[THREADS][PAGES], wr[THREADS][PAGES],
		prv[THREADS][PAGES];
	uint64_t rng[THREADS], next[THREADS];
	uint64_t size; /* atomic; exact while the epoch is even */
	uint32_t epoch, stop;
	bool no_memory; /* allocations fail */
	bool reclaim;	/* memory is taken away all the time */
	bool shmem;	/* the file is memory only, its device is swap */
	uint64_t swap;	/* goes on until more pages than that were swapped out,
			 * and one came back */
};
#define SWAPPED (ROUNDS(100u) / 5)

static uint64_t rnd(struct race *r, unsigned i, uint64_t n)
{
	uint64_t x = r->rng[i];

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	r->rng[i] = x;
	return (x * 0x2545f4914f6cdd1dull >> 20) % n;
}

static uint32_t epoch_now(struct race *r)
{
	return __atomic_load_n(&r->epoch, __ATOMIC_SEQ_CST);
}

/* Nothing has changed since `e`, and nothing was changing then. */
static bool still(struct race *r, uint32_t e)
{
	return !(e & 1) && epoch_now(r) == e;
}

/* ----------------------------------------------------------- what is allowed
 */

/* The result of an access to page p that began in epoch e. True: it was done.
 */
static bool access_done(struct race *r, unsigned p, uint32_t e, int result)
{
	uint64_t size = __atomic_load_n(&r->size, __ATOMIC_SEQ_CST);
	bool there = p < SAFE || size > p * PG;

	if (result == SIM_OOM)
		CHECK(r->no_memory);
	else if (p < SAFE)
		CHECK_EQ(result, 0);
	else if (still(r, e))
		CHECK_EQ(result, there ? 0 : SIGBUS);
	else
		CHECK(result == 0 || result == SIGBUS);
	return result == 0;
}

/* Is the word at `at` inside the file?  Beyond its end, in the last page, it is
 * memory that is zeroed when the page is written. */
static bool inside(struct race *r, uint64_t at)
{
	return at + 8 <= __atomic_load_n(&r->size, __ATOMIC_SEQ_CST);
}

/* The owner has stored v at `at` of the file. */
static void now_is(struct race *r, uint64_t at, struct known *k, uint32_t e,
		   uint64_t v)
{
	k->value = v;
	k->epoch = inside(r, at) && still(r, e) ? e : 1;
}

/* The owner has read v there in a look that began in epoch e. */
static void must_be(struct race *r, const char *what, uint64_t at,
		    struct known *k, uint32_t e, uint64_t v)
{
	if (at < SAFE * PG || (still(r, e) && k->epoch == e)) {
		if (v == k->value)
			return;
		test_failed(__FILE__, __LINE__,
			    "%s: at %#llx is %llu, stored was %llu", what,
			    (unsigned long long)at, (unsigned long long)v,
			    (unsigned long long)k->value);
		k->value = v;
		return;
	}
	CHECK(v <= k->value);
	now_is(r, at, k, e, k->value);
	if (k->epoch == e)
		k->value = v;
}

/* ------------------------------------------------------------ the operations
 */

static void map_store(struct race *r, unsigned i, unsigned p,
		      struct sim_task *t)
{
	uaddr_t at = p * PG + MAP_WORD(i);
	uint32_t e = epoch_now(r);
	uint64_t v = ++r->next[i];

	if (access_done(r, p, e, sim_store64(t, r->shared[i] + at, v)))
		now_is(r, at, &r->map[i][p], e, v);
}

static void map_load(struct race *r, unsigned i, unsigned p)
{
	uaddr_t at = p * PG + MAP_WORD(i);
	uint32_t e = epoch_now(r);
	uint64_t v = 0;

	if (access_done(r, p, e, sim_load64(r->t[i], r->shared[i] + at, &v)))
		must_be(r, "load", at, &r->map[i][p], e, v);
	if (p >= SAFE)
		return;
	at = p * PG + WRITE_WORD(i);
	if (access_done(r, p, e, sim_load64(r->t[i], r->shared[i] + at, &v)))
		must_be(r, "load of written", at, &r->wr[i][p], e, v);
}

/* Only inside the file: a write beyond the end would make it longer. */
static void file_write(struct race *r, unsigned i, unsigned p)
{
	uint64_t v = ++r->next[i];
	uint32_t e = epoch_now(r);
	long n;

	if (p >= SAFE)
		return;
	n = sim_file_write(r->f[i], p * PG + WRITE_WORD(i), &v, 8);
	if (n == 8)
		now_is(r, p * PG + WRITE_WORD(i), &r->wr[i][p], e, v);
	else
		CHECK(n == -ENOMEM && r->no_memory);
}

static void file_read(struct race *r, unsigned i, unsigned p)
{
	uint32_t e = epoch_now(r);
	uint64_t v = 0;
	long n;

	n = sim_file_read(r->f[i], p * PG + MAP_WORD(i), &v, 8);
	if (n == 8)
		must_be(r, "read()", p * PG + MAP_WORD(i), &r->map[i][p], e, v);
	else if (n == -ENOMEM)
		CHECK(r->no_memory);
	else
		CHECK(n >= 0 && n < 8 && p >= SAFE);
}

/* A copy of one's own: truncation takes it, nothing else. */
static void private_use(struct race *r, unsigned i, unsigned p)
{
	uaddr_t at = p * PG + MAP_WORD(i);
	struct known *k = &r->prv[i][p];
	uint32_t e = epoch_now(r);
	uint64_t v = ++r->next[i];

	if (rnd(r, i, 2)) {
		if (access_done(r, p, e,
				sim_store64(r->t[i], r->private[i] + at, v))) {
			k->value = v;
			k->epoch = still(r, e) ? e : 1;
		}
	} else if (access_done(r, p, e,
			       sim_load64(r->t[i], r->private[i] + at, &v)) &&
		   k->value && (p < SAFE || (k->epoch == e && still(r, e)))) {
		CHECK_EQ(v, k->value);
	}
}

/* Another process with the same mappings, for a moment. */
static void fork_store(struct race *r, unsigned i, unsigned p)
{
	struct sim_task *c = sim_fork(r->t[i]);

	if (!c) {
		CHECK(r->no_memory);
		return;
	}
	map_store(r, i, p, c);
	if (rnd(r, i, 2))
		(void)sim_store64(c, r->private[i] + p * PG, 1);
	sim_exit(c);
	map_load(r, i, p);
}

/* What a sync has confirmed, the device has. */
static void sync_and_look(struct race *r, unsigned i)
{
	uint64_t v;
	unsigned p;
	int e;

	e = rnd(r, i, 2)
		    ? sim_file_fsync(r->f[i], rnd(r, i, 2))
		    : sim_msync(r->t[i], r->shared[i], PAGES * PG, MS_SYNC);
	CHECK_EQ(e, 0);
	for (p = 0; p < SAFE && !e && !r->shmem; p++) {
		sim_file_peek(r->f[i], p * PG + MAP_WORD(i), &v, 8);
		CHECK_EQ(v, r->map[i][p].value);
		sim_file_peek(r->f[i], p * PG + WRITE_WORD(i), &v, 8);
		CHECK_EQ(v, r->wr[i][p].value);
	}
}

static void advise(struct race *r, unsigned i, unsigned p)
{
	static const int advice[] = {MADV_DONTNEED, MADV_WILLNEED, MADV_RANDOM,
				     MADV_NORMAL, MADV_SEQUENTIAL};
	int e = sim_madvise(r->t[i], r->shared[i] + p * PG,
			    (uaddr_t)(PAGES - p) * PG,
			    advice[rnd(r, i, sizeof(advice) / sizeof(int))]);

	CHECK(e == 0 || (r->no_memory && (e == -EAGAIN || e == -ENOMEM)));
}

static void map_anew(struct race *r, unsigned i)
{
	sreg_t a = sim_mmap(r->t[i], r->shared[i], PAGES * PG, RW,
			    MAP_SHARED | MAP_FIXED, r->f[i], 0);

	CHECK(a == (sreg_t)r->shared[i] || (r->no_memory && a == -ENOMEM));
}

static void worker(struct race *r, unsigned i)
{
	unsigned p = (unsigned)rnd(r, i, PAGES);
	uint64_t k = rnd(r, i, 100);

	if (r->reclaim && rnd(r, i, 12) == 0)
		(void)quire_reclaim(sim_quire(r->m), 1 + rnd(r, i, 16));
	if (k < 30)
		map_store(r, i, p, r->t[i]);
	else if (k < 55)
		map_load(r, i, p);
	else if (k < 63)
		file_write(r, i, p);
	else if (k < 73)
		file_read(r, i, p);
	else if (k < 82)
		private_use(r, i, p);
	else if (k < 86)
		sync_and_look(r, i);
	else if (k < 90)
		advise(r, i, p);
	else if (k < 93)
		fork_store(r, i, p);
	else if (k < 96)
		(void)quire_flusher_work(sim_quire(r->m));
	else if (k < 98 && !r->shmem)
		(void)quire_mapping_drop_clean(sim_file_mapping(r->f[i]), 0,
					       UINT64_MAX);
	else if (!r->no_memory)
		/* (one that fails leaves a hole: mmap has unmapped) */
		map_anew(r, i);
}

/* ---------------------------------------------------------------- the changer
 */

/* Its own words in pages that came anew, or were punched, are 0. */
static void look_for_zeroes(struct race *r, const char *what, uint64_t start,
			    uint64_t end)
{
	uint64_t size = r->size, v, p;

	for (p = SAFE; p < PAGES; p++) {
		uint64_t at = p * PG + MAP_WORD(0);

		/* (a word that is punched in part is a smaller number) */
		if (at < start || at + 8 > end || at + 8 > size)
			continue;
		v = 1;
		if (sim_file_read(r->f[0], at, &v, 8) != 8)
			CHECK(r->no_memory);
		else if (v)
			test_failed(__FILE__, __LINE__,
				    "page %u has %llu after %s of %#llx-%#llx",
				    (unsigned)p, (unsigned long long)v, what,
				    (unsigned long long)start,
				    (unsigned long long)end);
		r->map[0][p] = (struct known){0, 1};
	}
}

static void change(struct race *r)
{
	uint64_t a = SAFE * PG + rnd(r, 0, (PAGES - SAFE) * PG);
	uint64_t b = SAFE * PG + rnd(r, 0, (PAGES - SAFE) * PG + 1);
	bool punch = rnd(r, 0, 3) == 0;

	__atomic_fetch_add(&r->epoch, 1u, __ATOMIC_SEQ_CST);
	if (punch) {
		if (b < a + 1)
			b = a + 3 * PG;
		sim_file_punch(r->f[0], a, b);
	} else {
		sim_file_truncate(r->f[0], a);
		if (b < a)
			b = PAGES * PG;
		sim_file_truncate(r->f[0], b);
		__atomic_store_n(&r->size, b, __ATOMIC_SEQ_CST);
	}
	look_for_zeroes(r, punch ? "punching" : "truncation", a, b);
	__atomic_fetch_add(&r->epoch, 1u, __ATOMIC_SEQ_CST);
}

static bool swapped(struct race *r)
{
	return !r->swap || (sim_vmstat(r->m, "pswpout") > r->swap &&
			    sim_vmstat(r->m, "pswpin") > 0);
}

static void changer(struct race *r, unsigned n)
{
	struct test_deadline d = test_deadline();
	struct address_space *as = sim_file_mapping(r->f[0]);
	unsigned k;
	int e;

	for (k = 0;
	     (k < n || test_time_left(&d) || (k < 50 * n && !swapped(r))) &&
	     !test_failures();
	     k++) {
		worker(r, 0);
		if (k % 3 == 0)
			change(r);
		if (k % 16 == 5 && !r->shmem) {
			e = quire_mapping_invalidate(as, 0, UINT64_MAX);
			CHECK(e == 0 || e == -EBUSY);
		}
		if (k % 32 == 9)
			quire_sync(sim_quire(r->m));
	}
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
}

static void race_thread(unsigned i, void *arg)
{
	struct race *r = arg;

	if (i == 0) {
		changer(r, ROUNDS(1200));
		return;
	}
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
		worker(r, i);
}

/* ------------------------------------------------------------------ the frame
 */

/* Two threads in one address space, the others in their own. */
static void race_begin(struct race *r, struct sim_machine *m)
{
	unsigned i;

	r->m = m;
	r->size = PAGES * PG;
	for (i = 0; i < THREADS; i++) {
		r->rng[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
		r->f[i] = i ? sim_file_reopen(r->f[0], true, true)
			  : r->shmem
				  ? sim_file_shmem(m, "/memfd", PAGES * PG)
				  : sim_file_create(m, "/data", PAGES * PG, 0);
		r->t[i] = i == 2 ? sim_thread(r->t[1]) : sim_task_create(m);
		REQUIRE(r->f[i] && r->t[i]);
		r->shared[i] = must_map(r->t[i], PAGES * PG, RW, MAP_SHARED,
					r->f[i], 0);
		r->private[i] = must_map(r->t[i], PAGES * PG, RW, MAP_PRIVATE,
					 r->f[i], 0);
	}
	sim_run(NULL);
}

/* All is quiet: cache, device and memory of the owners agree. */
static void race_end(struct race *r)
{
	static unsigned char cache[PAGES * PG], device[PAGES * PG];
	unsigned i, p;

	sim_inject_reset(r->m);
	r->no_memory = false;
	for (i = 0; i < THREADS; i++)
		for (p = 0; p < PAGES; p++) {
			map_load(r, i, p);
			file_read(r, i, p);
			private_use(r, i, p);
		}
	CHECK_EQ(sim_file_fsync(r->f[0], false), 0);
	CHECK_EQ(sim_file_read(r->f[0], 0, cache, r->size), (long)r->size);
	if (!r->shmem) {
		CHECK_EQ(sim_vmstat(r->m, "nr_dirty"), 0);
		CHECK_EQ(sim_vmstat(r->m, "nr_writeback"), 0);
		sim_file_peek(r->f[0], 0, device, r->size);
		CHECK(!memcmp(cache, device, r->size));
	}
	CHECK_SYSTEM(r->m);
	for (i = 0; i < THREADS; i++) {
		sim_exit(r->t[i]);
		sim_file_close(r->f[i]);
	}
}

/* c NULL: a file in memory only. */
static void file_race(struct sim_machine *m, const struct sim_disk_config *c,
		      unsigned one_in, bool reclaim)
{
	static struct race r;

	r.reclaim = reclaim;
	r.shmem = !c;
	r.swap = reclaim && !one_in ? SWAPPED : 0;
	race_begin(&r, m);
	if (c)
		CHECK_EQ(sim_disk_configure(r.f[0], c), 0);
	(void)quire_set_tunable(sim_quire(m),
				QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, 0);
	if (one_in) {
		r.no_memory = true;
		sim_inject_random(m, one_in, 5);
	}
	sim_parallel(m, THREADS, race_thread, &r);
	race_end(&r);
}

/* behaviours: C1, C3, C4, F8, R1 (no byte lost, no page leaked) */
TEST_WITH(file_races, .config = {.cpus = THREADS, .io_thread = true},
	  .seconds = 240)
{
	struct sim_disk_config c = {
		.latency_us = 10, .latency_random_us = 100, .reorder = true};

	file_race(m, &c, 0, false);
}

/* Yields in the locks, a small TLB, transfers in pieces, little dirty memory.
 */
/* behaviours: C1, C3, C4, F8, R1 */
TEST_WITH(file_races_short_transfers,
	  .config = {.cpus = THREADS,
		     .io_thread = true,
		     .jitter = 40,
		     .asids = TEST_ASIDS(6),
		     .tlb_evict = 50},
	  .seconds = 240)
{
	struct sim_disk_config c = {.latency_random_us = 30,
				    .reorder = true,
				    .short_bytes = 3000,
				    .short_random = true};

	(void)quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_DIRTY_BYTES,
				4 * PG);
	file_race(m, &c, 0, false);
}

/* A device that answers at once: the other order of the same events. */
/* behaviours: C1, C3, C4, F8, R1 */
TEST_WITH(file_races_fast_device, .config = {.cpus = THREADS, .jitter = 20},
	  .seconds = 240)
{
	struct sim_disk_config c = {.mode = SIM_DISK_NOW};

	file_race(m, &c, 0, false);
}

/* behaviours: C4, F15 (memory runs out again and again) */
TEST_WITH(file_races_without_memory,
	  .config = {.cpus = THREADS, .io_thread = true}, .seconds = 240)
{
	struct sim_disk_config c = {.latency_random_us = 30, .reorder = true};

	if (sim_has_injection())
		file_race(m, &c, 20, false);
}

/*
 * Reclaim takes pages of the file, which it may have to write first, and the
 * private copies, which go to swap and are truncated there.
 *
 * behaviours: R1, R2, R3, C4, F11
 */
TEST_WITH(file_races_and_reclaim,
	  .config = {.cpus = THREADS, .io_thread = true, .jitter = 60},
	  .seconds = 240)
{
	struct sim_disk_config c = {
		.latency_us = 10, .latency_random_us = 60, .reorder = true};
	unsigned area = swap_on(m, 1024, 0, 0, &c);

	file_race(m, &c, 0, true);
	CHECK(sim_vmstat(m, "pswpout") > SWAPPED);
	CHECK(sim_vmstat(m, "pswpin") > 0);
	swap_off(m, area);
}

/*
 * A file in memory, whose pages go to swap: truncated and punched there, read
 * back by faults and by read(), while others swap them out.
 *
 * behaviours: C5, R1, R3
 */
TEST_WITH(memory_file_races_and_reclaim,
	  .config = {.cpus = THREADS, .io_thread = true, .jitter = 60},
	  .seconds = 240)
{
	struct sim_disk_config c = {
		.latency_us = 10, .latency_random_us = 60, .reorder = true};
	unsigned area = swap_on(m, 1024, 0, 0, &c);

	file_race(m, NULL, 0, true);
	CHECK(sim_vmstat(m, "pswpout") > SWAPPED);
	CHECK(sim_vmstat(m, "pswpin") > 0);
	swap_off(m, area);
}

/* behaviours: C5, F15 (and memory runs out) */
TEST_WITH(memory_file_races_without_memory, .config = {.cpus = THREADS},
	  .seconds = 240)
{
	unsigned area = swap_on(m, 1024, 0, QUIRE_SWAP_SYNC, NULL);

	if (sim_has_injection())
		file_race(m, NULL, 20, true);
	swap_off(m, area);
}

/* behaviours: F15, R3, C4 (and memory runs out) */
TEST_WITH(file_races_and_reclaim_without_memory,
	  .config = {.cpus = THREADS, .io_thread = true}, .seconds = 240)
{
	struct sim_disk_config c = {.latency_random_us = 30, .reorder = true};
	unsigned area;

	if (!sim_has_injection())
		return;
	area = swap_on(m, 1024, 0, QUIRE_SWAP_SYNC, NULL);
	file_race(m, &c, 20, true);
	swap_off(m, area);
}

/* ------------------------------------- write-back while mappings are merged
 */

static void split_and_merge(struct race *r)
{
	uaddr_t a = r->shared[0];
	unsigned k;

	for (k = 0; k < ROUNDS(3000); k++) {
		CHECK_EQ(sim_madvise(r->t[0], a + 2 * PG, 2 * PG, MADV_RANDOM),
			 0);
		CHECK_EQ(sim_madvise(r->t[0], a, 6 * PG, MADV_NORMAL), 0);
	}
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
}

static void store_and_sync(unsigned i, void *arg)
{
	struct race *r = arg;
	uint64_t v = 0, on_disk = 0;
	unsigned p;

	if (i == 0) {
		split_and_merge(r);
		return;
	}
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		p = (unsigned)(++v % 6);
		CHECK_EQ(sim_store64(r->t[1], r->shared[0] + p * PG, v), 0);
		CHECK_EQ(sim_file_fsync(r->f[0], true), 0);
		sim_file_peek(r->f[0], p * PG, &on_disk, 8);
		if (!CHECK_EQ(on_disk, v))
			return;
	}
}

/* behaviours: R1, M1 (a reverse walk never misses a page that is mapped) */
TEST_WITH(write_back_against_split_and_merge,
	  .config = {.cpus = 2, .jitter = 10})
{
	static struct race r;

	r.t[0] = sim_task_create(m);
	r.t[1] = sim_thread(r.t[0]);
	r.f[0] = sim_file_create(m, "/data", 6 * PG, SEED);
	r.shared[0] = must_map(r.t[0], 6 * PG, RW, MAP_SHARED, r.f[0], 0);
	sim_run(NULL);
	sim_parallel(m, 2, store_and_sync, &r);
	CHECK_SYSTEM(m);
	sim_exit(r.t[0]);
	sim_exit(r.t[1]);
	sim_file_close(r.f[0]);
}
