/* SPDX-License-Identifier: MIT */
/*
 * What msync and fsync have confirmed is there, whenever the power fails.
 *
 * Rounds of random work on one file (stores through two shared mappings,
 * write(), truncation, punching, write-back that begins and ends in any order,
 * msync, fsync), on a disk that reorders, splits and fails transfers; then the
 * power goes off at some moment and the device is compared.
 *
 *   of each byte:   lo ............ hi        versions, counted up by one
 *                   confirmed       newest    a store: hi + 1, and that is what
 *                                             is stored; a sync: lo = hi
 *   afterwards the device has one of lo ... hi, everywhere.
 *
 * A write that failed has lost its page's changes, until the page is stored to
 * again (as on Linux: the page is clean afterwards).  That must have been told,
 * once, to each of the two openers; until they know, no sync may return 0.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define PAGES 6
#define BYTES (PAGES * PG)

/* What is compared after the failure; shared with a process that is killed. */
struct model {
	uint8_t lo[BYTES], hi[BYTES];
	uint64_t size; /* at most; and what a sync has confirmed: */
	uint64_t confirmed;
	uint64_t zero, zero_end;  /* being truncated or punched: may be 0 */
	uint32_t running, failed; /* the other process; atomic */
};

struct work {
	struct sim_machine *m;
	struct sim_task *t;
	struct sim_file *f[2]; /* two openers */
	uaddr_t map[2];
	struct model *md;
	bool lost[PAGES]; /* a write of it may have failed */
	/* errors of the device that each opener was told of: at least, at most
	 */
	uint64_t told[2], told_max[2];
	uint64_t rng;
	bool device_errors; /* ... may happen */
	bool threads;	    /* they also happen while a sync returns */
	unsigned syncs, failed_syncs, stores; /* for the test's own sake */
};

static uint64_t rnd(struct work *w, uint64_t n)
{
	uint64_t x = w->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	w->rng = x;
	return (x * 0x2545f4914f6cdd1dull >> 20) % n;
}

static struct sim_file_stats stats_of(struct work *w)
{
	struct sim_file_stats s;

	sim_file_get_stats(w->f[0], &s);
	return s;
}

/* ------------------------------------------------------------ the operations
 */

/* A random piece of the file, not empty; false: there is none. */
static bool piece(struct work *w, uint64_t *start, size_t *n)
{
	static const unsigned most[] = {8, 200, 5000};
	uint64_t i;

	if (!w->md->size)
		return false;
	*start = rnd(w, w->md->size);
	*n = 1 + (size_t)rnd(w, most[rnd(w, 3)]);
	if (*n > w->md->size - *start)
		*n = (size_t)(w->md->size - *start);
	for (i = *start; i < *start + *n; i++)
		if ((uint8_t)(w->md->hi[i] - w->md->lo[i]) > 250)
			return false; /* too many versions to tell apart */
	return true;
}

/* The newest version of n bytes, one more than before. */
static const uint8_t *next_version(struct work *w, uint64_t start, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		w->md->hi[start + i]++;
	return w->md->hi + start;
}

/* The first `done` of them were stored. */
static void stored(struct work *w, uint64_t start, size_t n, size_t done)
{
	size_t i;

	for (i = done; i < n; i++)
		w->md->hi[start + i]--;
	for (i = 0; i < done; i++)
		w->lost[(start + i) / PG] = false;
	w->stores += done != 0;
}

static void op_store(struct work *w, struct sim_task *t)
{
	uint64_t start;
	size_t n;
	int e;

	if (!piece(w, &start, &n))
		return;
	e = sim_write(t, w->map[rnd(w, 2)] + (uaddr_t)start,
		      next_version(w, start, n), n);
	CHECK(e == 0 || (e == SIGBUS && w->device_errors));
	stored(w, start, n, e ? t->done : n);
}

/* In the last page beyond the end: memory, but no part of the file. */
static void op_store_beyond(struct work *w)
{
	static const uint8_t junk[64] = {0xaa, 0xbb, 0xcc, 0xdd, 0xee};
	uint64_t size = w->md->size;
	int e;

	if (size % PG == 0 || PG - size % PG < sizeof(junk))
		return;
	e = sim_write(w->t, w->map[rnd(w, 2)] + (uaddr_t)size, junk,
		      sizeof(junk));
	CHECK(e == 0 || (e == SIGBUS && w->device_errors));
	if (!e)
		w->lost[size / PG] = false;
}

static void op_write(struct work *w)
{
	uint64_t start, size = w->md->size;
	size_t n;
	long r;

	if (rnd(w, 4) == 0) { /* beyond the end: the file grows */
		start = size + rnd(w, 3) * rnd(w, PG);
		n = 1 + (size_t)rnd(w, PG);
		if (start + n > BYTES)
			return;
	} else if (!piece(w, &start, &n)) {
		return;
	}
	if (start + n > size)
		w->md->size = start + n;
	r = sim_file_write(w->f[rnd(w, 2)], start, next_version(w, start, n),
			   n);
	CHECK_EQ(r, (long)n);
	stored(w, start, n, r > 0 ? (size_t)r : 0);
}

/* All three ways to read see the newest of each byte. */
static void op_read(struct work *w)
{
	static uint8_t buf[BYTES];
	uint64_t start, i;
	unsigned wrong = 0;
	uaddr_t p = 0;
	size_t n;

	if (!piece(w, &start, &n))
		return;
	switch (rnd(w, 3)) {
	case 0:
		CHECK_EQ(sim_read(w->t, w->map[rnd(w, 2)] + (uaddr_t)start, buf,
				  n),
			 0);
		break;
	case 1:
		CHECK_EQ(sim_file_read(w->f[rnd(w, 2)], start, buf, n),
			 (long)n);
		break;
	default:
		/* (at a place of the colour that the shared ones have, where
		 * caches have colours) */
		p = TEST_PLACE(3);
		CHECK_EQ(sim_mmap(w->t, p, BYTES, RW, MAP_PRIVATE | MAP_FIXED,
				  w->f[rnd(w, 2)], 0),
			 (sreg_t)p);
		CHECK_EQ(sim_read(w->t, p + (uaddr_t)start, buf, n), 0);
		/* never seen by anybody else */
		CHECK_EQ(sim_store8(w->t, p + (uaddr_t)start, 0x77), 0);
		CHECK_EQ(sim_munmap(w->t, p, BYTES), 0);
	}
	for (i = 0; i < n; i++)
		wrong += buf[i] != w->md->hi[start + i];
	CHECK_EQ(wrong, 0);
}

/* A sync of pages [first, last] by opener k has returned r; there were `before`
 * errors when it began. */
static void synced(struct work *w, unsigned k, uint64_t first, uint64_t last,
		   uint64_t before, int r)
{
	struct sim_file_stats s = stats_of(w);
	uint64_t i;

	w->syncs++;
	if (r) {
		w->failed_syncs++;
		CHECK(r == -EIO || r == -ENOSPC);
		/* something has failed that this opener did not know of */
		CHECK(s.write_errors > w->told[k] || s.flush_errors);
		w->told[k] = w->threads ? before : s.write_errors;
		w->told_max[k] = s.write_errors;
		for (i = 0; i < BYTES; i++)
			if (w->md->lo[i] != w->md->hi[i])
				w->lost[i / PG] = true;
		return;
	}
	CHECK((w->threads ? before : s.write_errors) <= w->told_max[k]);
	for (i = first * PG; i < (last + 1) * PG && i < BYTES; i++)
		if (!w->lost[i / PG])
			w->md->lo[i] = w->md->hi[i];
}

static void op_msync(struct work *w)
{
	uint64_t first = rnd(w, PAGES), n = 1 + rnd(w, PAGES - first);
	uint64_t before = stats_of(w).write_errors_told;
	unsigned k = (unsigned)rnd(w, 2);

	synced(w, k, first, first + n - 1, before,
	       sim_msync(w->t, w->map[k] + (uaddr_t)first * PG, (uaddr_t)n * PG,
			 MS_SYNC));
}

static void op_fsync(struct work *w)
{
	uint64_t size = w->md->size, before = stats_of(w).write_errors_told;
	unsigned k = (unsigned)rnd(w, 2);
	int r = sim_file_fsync(w->f[k], rnd(w, 2));

	synced(w, k, 0, PAGES - 1, before, r);
	if (!r)
		w->md->confirmed = size;
}

/* Zeroes are about to come; they are there, on the device too. */
static void zero_begin(struct work *w, uint64_t start, uint64_t end)
{
	w->md->zero = start;
	w->md->zero_end = end;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void zero_end(struct work *w, uint64_t start, uint64_t end)
{
	uint64_t p;

	memset(w->md->lo + start, 0, end - start);
	memset(w->md->hi + start, 0, end - start);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	w->md->zero_end = 0;
	for (p = (start + PG - 1) / PG; p < end / PG; p++)
		w->lost[p] = false;
}

static void op_truncate(struct work *w)
{
	uint64_t size = rnd(w, BYTES + 1);

	if (rnd(w, 3) == 0)
		size = size / PG * PG;
	if (size > w->md->size)
		w->md->size = size;
	if (size < w->md->confirmed)
		w->md->confirmed = size;
	zero_begin(w, size, BYTES);
	sim_file_truncate(w->f[0], size);
	w->md->size = w->md->confirmed = size;
	zero_end(w, size, BYTES);
}

static void op_punch(struct work *w)
{
	uint64_t start = rnd(w, BYTES), end = start + rnd(w, 3 * PG);

	if (rnd(w, 2)) {
		start = start / PG * PG;
		end = end / PG * PG;
	}
	if (end > w->md->size)
		end = w->md->size;
	if (start >= end)
		return;
	zero_begin(w, start, end);
	sim_file_punch(w->f[0], start, end);
	zero_end(w, start, end);
}

static void map_again(struct work *w, unsigned k)
{
	if (w->map[k])
		CHECK_EQ(sim_munmap(w->t, w->map[k], BYTES), 0);
	w->map[k] = must_map(w->t, BYTES, RW, MAP_SHARED, w->f[k], 0);
}

static void op_fork(struct work *w)
{
	struct sim_task *c = sim_fork(w->t);

	if (!CHECK(c))
		return;
	op_store(w, c);
	op_store(w, w->t);
	sim_exit(c);
}

static void one_op(struct work *w)
{
	uint64_t k = rnd(w, 100);

	if (k < 38)
		op_store(w, w->t);
	else if (k < 50)
		op_write(w);
	else if (k < 60)
		op_read(w);
	else if (k < 70)
		op_msync(w);
	else if (k < 75)
		op_fsync(w);
	else if (k < 83)
		(void)quire_flusher_work(sim_quire(w->m));
	else if (k < 90)
		(void)sim_disk_step(w->m, 1 + (unsigned)rnd(w, 3));
	else if (k < 92)
		op_truncate(w);
	else if (k < 94)
		op_punch(w);
	else if (k < 95)
		op_store_beyond(w);
	else if (k < 96)
		CHECK_EQ(sim_msync(w->t, w->map[0], BYTES, MS_ASYNC), 0);
	else if (k < 97)
		CHECK_EQ(sim_madvise(w->t, w->map[rnd(w, 2)], BYTES,
				     MADV_DONTNEED),
			 0);
	else if (k < 99)
		map_again(w, (unsigned)rnd(w, 2));
	else
		op_fork(w);
}

/* ------------------------------------------------------------- the comparison
 */

/* One of the versions that may be there? */
static bool allowed(const struct model *md, uint64_t i, uint8_t b)
{
	if (!b && i >= md->zero && i < md->zero_end)
		return true;
	return (uint8_t)(b - md->lo[i]) <= (uint8_t)(md->hi[i] - md->lo[i]);
}

/* The image of the device against the model. */
static void compare(const struct model *md, const uint8_t *image, uint64_t size)
{
	unsigned wrong = 0;
	uint64_t i;

	CHECK(size >= md->confirmed && size <= md->size);
	for (i = 0; i < BYTES; i++) {
		if (allowed(md, i, i < size ? image[i] : 0))
			continue;
		if (!wrong++)
			test_failed(__FILE__, __LINE__,
				    "byte %#llx is %u, of %u to %u",
				    (unsigned long long)i, image[i], md->lo[i],
				    md->hi[i]);
	}
	CHECK_EQ(wrong, 0);
}

static void open_both(struct work *w, struct sim_file *f)
{
	unsigned k;

	w->f[0] = f;
	w->f[1] = sim_file_reopen(f, true, true);
	REQUIRE(w->f[0] && w->f[1]);
	for (k = 0; k < 2; k++) {
		w->map[k] = 0;
		w->told[k] = w->told_max[k] = 0;
		map_again(w, k);
	}
	memset(w->lost, 0, sizeof(w->lost));
}

static void close_both(struct work *w)
{
	unsigned k;

	for (k = 0; k < 2; k++) {
		CHECK_EQ(sim_munmap(w->t, w->map[k], BYTES), 0);
		sim_file_close(w->f[k]);
	}
}

/* The power fails; on with what is on the device. */
static void crash(struct work *w)
{
	static uint8_t image[BYTES];
	struct sim_file *after;
	uint64_t size;

	after = sim_disk_crash(
		w->f[0], (unsigned)rnd(w, 4) /* LOSE, TEAR, both, none */);
	REQUIRE(after);
	size = quire_mapping_get_size(sim_file_mapping(after));
	REQUIRE(size <= BYTES);
	sim_file_peek(after, 0, image, BYTES);
	compare(w->md, image, size);
	close_both(w);
	memcpy(w->md->lo, image, BYTES);
	memcpy(w->md->hi, image, BYTES);
	w->md->size = w->md->confirmed = size;
	open_both(w, after);
}

/* --------------------------------------------------------------- simulated */

static void rounds(struct sim_machine *m, unsigned n, uint64_t seed,
		   const struct sim_disk_config *config)
{
	static struct model md;
	struct work w = {.m = m,
			 .md = &md,
			 .rng = seed * 0x9e3779b97f4a7c15ull | 1,
			 .device_errors = config->write_error_one_in != 0,
			 .threads = sim_get_config(m)->io_thread};
	struct test_deadline d = test_deadline();
	struct sim_disk_config c = *config;
	unsigned i, k;

	(void)quire_set_tunable(sim_quire(m),
				QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, 0);
	w.t = sim_task_create(m);
	md.size = BYTES;
	open_both(&w, sim_file_create(m, "/data", BYTES, 0));
	for (i = 0; (i < n || test_time_left(&d)) && !test_failures(); i++) {
		test_context("seed %llu, round %u", (unsigned long long)seed,
			     i);
		c.seed = w.rng;
		c.short_bytes = rnd(&w, 2) ? 0 : 1 + (unsigned)rnd(&w, 6000);
		CHECK_EQ(sim_disk_configure(w.f[0], &c), 0);
		if (w.device_errors && rnd(&w, 8) == 0)
			sim_file_fail_mkwrites(w.f[0], (unsigned)rnd(&w, 4), 1,
					       -EIO);
		for (k = 2 + (unsigned)rnd(&w, 16); k; k--)
			one_op(&w);
		if (i % 64 == 0) {
			(void)sim_disk_step(m, ~0u);
			CHECK_SYSTEM(m);
		}
		crash(&w);
	}
	CHECK(w.stores > n && w.syncs > n / 2);
	CHECK(w.failed_syncs ? w.device_errors : !w.device_errors);
	close_both(&w);
	sim_exit(w.t);
}

/* behaviour: C3 (data that msync said is stored is stored) */
TEST_WITH(durability_power_failures, .seconds = 300)
{
	struct sim_disk_config c = {.mode = SIM_DISK_LAZY,
				    .reorder = true,
				    .short_random = true,
				    .write_cache = true};

	rounds(m, ROUNDS(4000), 1, &c);
}

/* behaviour: C3 (what failed is told to each opener, and nothing else is) */
TEST_WITH(durability_power_failures_and_errors, .seconds = 300)
{
	struct sim_disk_config c = {.mode = SIM_DISK_LAZY,
				    .reorder = true,
				    .short_random = true,
				    .write_cache = true,
				    .write_error_one_in = 12,
				    .flush_error_one_in = 40};

	rounds(m, ROUNDS(5000), 2, &c);
}

/* The same with a thread that completes requests when it likes. */
/* behaviour: C3 */
TEST_WITH(durability_io_thread, .config = {.cpus = 2, .io_thread = true},
	  .seconds = 300)
{
	struct sim_disk_config c = {.latency_random_us = 60,
				    .reorder = true,
				    .short_random = true,
				    .write_cache = true,
				    .write_error_one_in = 30};

	rounds(m, ROUNDS(1000), 3, &c);
}

/* -------------------------------------------------- a program that is killed
 */

/* Works until it is killed; never returns. */
static _Noreturn void victim(struct model *md, const char *path, uint64_t seed)
{
	struct sim_config mc = {.cpus = 1, .io_thread = true, .seed = seed};
	struct sim_machine *m = sim_machine_create(&mc);
	struct sim_disk_config dc = {.latency_random_us = 100,
				     .reorder = true,
				     .short_random = true,
				     .seed = seed};
	struct work w = {.m = m,
			 .md = md,
			 .rng = seed * 0x9e3779b97f4a7c15ull | 1,
			 .threads = true};

	dc.short_bytes = seed % 3 ? 3000 : 0;
	dc.write_error_one_in = seed % 2 ? 20 : 0;
	w.device_errors = dc.write_error_one_in != 0;
	w.t = m ? sim_task_create(m) : NULL;
	if (w.t) {
		(void)quire_set_tunable(
			sim_quire(m), QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, 0);
		open_both(&w, sim_file_open_host(m, path, true));
		CHECK_EQ(sim_disk_configure(w.f[0], &dc), 0);
	}
	__atomic_store_n(&md->running, 1, __ATOMIC_SEQ_CST);
	while (w.t && !test_failures())
		one_op(&w);
	__atomic_store_n(&md->failed, 1, __ATOMIC_SEQ_CST);
	_exit(1);
}

/* One life of the program; false: something is wrong. */
static bool kill_one(struct model *md, const char *path, int fd, uint64_t seed)
{
	static uint8_t image[BYTES + 1];
	int status = 0;
	ssize_t n;
	pid_t pid;

	md->running = 0;
	pid = fork();
	if (!pid)
		victim(md, path, seed);
	REQUIRE(pid > 0);
	while (!__atomic_load_n(&md->running, __ATOMIC_SEQ_CST) &&
	       waitpid(pid, &status, WNOHANG) == 0)
		usleep(50);
	usleep((useconds_t)(seed * 7919 % 6000));
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(md->failed, 0);
	memset(image, 0, sizeof(image));
	n = pread(fd, image, sizeof(image), 0);
	REQUIRE(n >= 0 && n <= (ssize_t)BYTES);
	compare(md, image, (uint64_t)n);
	memcpy(md->lo, image, BYTES);
	memcpy(md->hi, image, BYTES);
	md->size = md->confirmed = (uint64_t)n;
	md->zero_end = 0;
	return !test_failures();
}

/* behaviour: C3 (a host file has all that msync has confirmed) */
TEST_WITH(durability_killed_program, .plain = true, .seconds = 300)
{
	char path[] = "/tmp/quire-durability-XXXXXX";
	struct test_deadline d = test_deadline();
	struct model *md;
	unsigned i;
	int fd;

	UNUSED_MACHINE;
	fd = mkstemp(path);
	REQUIRE(fd >= 0);
	md = mmap(NULL, sizeof(*md), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(md != MAP_FAILED);
	REQUIRE_EQ(ftruncate(fd, (off_t)BYTES), 0);
	md->size = md->confirmed = BYTES;
	for (i = 1; i <= ROUNDS(200) || test_time_left(&d); i++) {
		test_context("life %u", i);
		if (!kill_one(md, path, fd, i))
			break;
	}
	munmap(md, sizeof(*md));
	close(fd);
	unlink(path);
}
