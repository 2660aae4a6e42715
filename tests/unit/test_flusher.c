/* SPDX-License-Identifier: MIT */
/*
 * How much may be dirty, and for how long: the flusher, and the writers that
 * are held up.
 */
#include <time.h>

#include <tests/unit/writeback.h>

static void sleep_ms(unsigned ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/*
 * f is older than ms - 10, g is not: true, and the flusher has written what it
 * was to.  Where g, too, was that old before the flusher had looked, on a busy
 * machine, false; both are clean then.
 */
static bool old_and_young(struct sim_machine *m, struct sim_file *f,
			  struct sim_file *g, unsigned ms)
{
	uint64_t old = stats(f).writes, young = stats(g).writes, since;
	struct quire *q = sim_quire(m);
	char byte = 1;

	set(m, QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, ms / 10 - 1);
	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	sleep_ms(ms);
	since = quire_host_time_ns();
	CHECK_EQ(sim_file_write(g, 0, &byte, 1), 1);
	CHECK_EQ(sim_file_write(f, PG, &byte, 1), 1); /* of an old file */
	(void)quire_flusher_work(q);
	since = quire_host_time_ns() - since;
	CHECK_EQ(stats(f).writes, old + 2);
	if (since >= (ms - 10) * 1000000ull && stats(g).writes != young)
		return false;
	CHECK_EQ(stats(g).writes, young);
	return true;
}

/* behaviour: C3 (the flusher: by age) */
TEST(writeback_flusher_by_age)
{
	struct sim_file *f = new_file(m, 8), *g = new_file(m, 8);
	struct quire *q = sim_quire(m);
	uint64_t writes;
	unsigned ms = 60;
	char byte = 1;

	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	CHECK_EQ(quire_flusher_work(q), 5000000000ull);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1); /* too young */
	CHECK_EQ(fsync_all(f), 0);
	while (!old_and_young(m, f, g, ms) && ms < 10000)
		ms *= 4;
	writes = stats(g).writes;
	sleep_ms(ms);
	set(m, QUIRE_TUNABLE_DIRTY_WRITEBACK_CENTISECS, 0);
	CHECK_EQ(quire_flusher_work(q), UINT64_MAX); /* not by time */
	CHECK_EQ(stats(g).writes, writes);
	set(m, QUIRE_TUNABLE_DIRTY_WRITEBACK_CENTISECS, 100);
	CHECK_EQ(quire_flusher_work(q), 1000000000ull);
	CHECK_EQ(stats(g).writes, writes + 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	/* sync(2) does not ask how old anything is */
	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	CHECK_EQ(sim_file_write(g, 0, &byte, 1), 1);
	disk_mode(g, SIM_DISK_LAZY);
	quire_sync(q);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 0);
	CHECK_SYSTEM(m);
	sim_file_close(f);
	sim_file_close(g);
}

/*
 * behaviour: C3
 * A page that is stored to while its write is under way is passed over by the
 * flusher, but not forgotten: it stays as old as it is, so that the next round,
 * and a sync(2) that has begun before, find it.
 */
TEST(writeback_flusher_passes_over)
{
	struct sim_file *f = new_file(m, 8);
	struct quire *q = sim_quire(m);
	char byte = 1;

	disk_mode(f, SIM_DISK_LAZY);
	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), ALL, QUIRE_SYNC_START),
		 0);
	CHECK_EQ(sim_file_write(f, 1, &byte, 1), 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 1);
	set(m, QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, 20);
	sleep_ms(210);
	(void)quire_flusher_work(q);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
	CHECK(sim_disk_step(m, 1000) > 0);
	(void)quire_flusher_work(q);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK(sim_disk_step(m, 1000) > 0);
	CHECK_EQ(stats(f).writes, 2);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* A task that is to die writes no more: it could pass every limit. */
TEST(writeback_killed_writer_stops)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	char buf[100] = "";

	sim_run(t);
	sim_kill(t);
	CHECK_EQ(sim_file_write(f, 0, buf, sizeof(buf)), -EINTR);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	sim_exit(t);
	CHECK_EQ(sim_file_write(f, 0, buf, sizeof(buf)), 100);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* behaviour: C3 (the flusher: above the background limit, oldest first) */
TEST(writeback_flusher_by_amount)
{
	struct sim_file *f[3];
	struct quire *q = sim_quire(m);
	struct sim_stats s0, s1;
	static char buf[30 * PG];
	unsigned i;

	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 1000 * PG);
	set(m, QUIRE_TUNABLE_DIRTY_BACKGROUND_BYTES, 50 * PG);
	CHECK_EQ(sim_vmstat(m, "nr_dirty_threshold"), 1000);
	CHECK_EQ(sim_vmstat(m, "nr_dirty_background_threshold"), 50);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_DIRTY_RATIO), 0);
	sim_get_stats(m, &s0);
	for (i = 0; i < 3; i++) {
		f[i] = new_file(m, 64);
		CHECK_EQ(sim_file_write(f[i], 0, buf, sizeof(buf)),
			 (long)sizeof(buf));
		sleep_ms(2);
	}
	sim_get_stats(m, &s1);
	CHECK_EQ(s1.flusher_wakes, s0.flusher_wakes + 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 90);
	(void)quire_flusher_work(q);
	/* the oldest, then as much of the next as it takes */
	CHECK_EQ(stats(f[0]).writes, 30);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 50);
	CHECK_EQ(stats(f[1]).writes, 10);
	CHECK_EQ(stats(f[2]).writes, 0);
	(void)quire_flusher_work(q);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 50);
	/* and it is asked for again */
	CHECK_EQ(sim_file_write(f[0], 0, buf, sizeof(buf)), (long)sizeof(buf));
	CHECK_EQ(sim_file_write(f[0], 30 * PG, buf, sizeof(buf)),
		 (long)sizeof(buf));
	sim_get_stats(m, &s1);
	CHECK_EQ(s1.flusher_wakes, s0.flusher_wakes + 2);
	CHECK_SYSTEM(m);
	for (i = 0; i < 3; i++)
		sim_file_close(f[i]);
}

/*
 * behaviours: C3, F8 (the writer is throttled)
 * Nobody flushes: who passes the hard limit writes, and waits while all is
 * under way.  By write() and by stores.
 */
TEST(writeback_hard_limit)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 600);
	uaddr_t a = must_map(t, 600 * PG, RW, MAP_SHARED, f, 0);
	uint64_t dirty, most = 0, counted, faults = t->total_faults;
	static char buf[PG];
	unsigned i;

	counted = 0 - t->qt.min_flt - t->qt.maj_flt;
	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 100 * PG);
	disk_mode(f, SIM_DISK_LAZY);
	for (i = 0; i < 600; i++) {
		put64(t, a + i * PG, i + 1);
		dirty = sim_vmstat(m, "nr_dirty") +
			sim_vmstat(m, "nr_writeback");
		most = dirty > most ? dirty : most;
	}
	/* each CPU may dirty a few between two looks */
	CHECK(most >= 100 && most < 132);
	/* each fault was counted once, waited or not; one more where the page
	 * was written before the store could be made */
	counted += t->qt.min_flt + t->qt.maj_flt;
	CHECK_EQ(counted, t->total_faults - faults);
	CHECK(counted >= 600 && counted < 620);
	CHECK_EQ(fsync_all(f), 0);
	for (i = 0; i < 600; i++)
		CHECK_EQ(disk64(f, i * PG), i + 1);
	for (i = 0, most = 0; i < 600; i++) {
		CHECK_EQ(sim_file_write(f, i * PG, buf, PG), (long)PG);
		dirty = sim_vmstat(m, "nr_dirty") +
			sim_vmstat(m, "nr_writeback");
		most = dirty > most ? dirty : most;
	}
	CHECK(most >= 100 && most < 132);
	/* a limit of two pages still lets everyone through */
	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 2 * PG);
	for (i = 0; i < 50; i++) {
		put64(t, a + i * PG, i);
		CHECK(sim_vmstat(m, "nr_dirty") <= 3);
	}
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

struct throttled {
	struct sim_machine *m;
	struct sim_task *t[2];
	struct sim_file *f;
	uaddr_t a;
	uint32_t done;
	unsigned maps;
};

static void map_while_throttled(unsigned i, void *arg)
{
	struct throttled *r = arg;
	unsigned n;
	sreg_t a;

	if (i == 0) {
		for (n = 0; n < 200; n++)
			put64(r->t[0], r->a + n * PG, n);
		__atomic_store_n(&r->done, 1u, __ATOMIC_RELEASE);
		return;
	}
	while (!__atomic_load_n(&r->done, __ATOMIC_ACQUIRE)) {
		sim_poll();
		if (!sim_disk_pending(r->m))
			continue;
		/* it waits for the disk, which waits for us */
		a = sim_mmap(r->t[1], 0, PG, RW, ANON, NULL, 0);
		REQUIRE(mapped_at(a));
		CHECK_EQ(sim_munmap(r->t[1], (uaddr_t)a, PG), 0);
		r->maps++;
		(void)sim_disk_step(r->m, 1);
	}
}

/* behaviour: F8 (the writer waits with the mmap lock dropped) */
TEST_WITH(writeback_throttled_without_the_lock, .config = {.cpus = 2})
{
	struct throttled r = {.m = m, .f = new_file(m, 200)};

	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 20 * PG);
	r.t[0] = sim_task_create(m);
	r.t[1] = sim_thread(r.t[0]);
	r.a = must_map(r.t[0], 200 * PG, RW, MAP_SHARED, r.f, 0);
	CHECK_EQ(sim_touch_read(r.t[0], r.a, 200 * PG), 0);
	disk_mode(r.f, SIM_DISK_HELD);
	sim_run(NULL);
	sim_parallel(m, 2, map_while_throttled, &r);
	CHECK(r.maps > 3);
	sim_bind(m, 0);
	while (sim_disk_pending(m))
		(void)sim_disk_step(m, 1);
	disk_mode(r.f, SIM_DISK_NOW);
	sim_exit(r.t[1]);
	sim_exit(r.t[0]);
	sim_file_close(r.f);
}

/* behaviour: F8 (a task that may not wait is not made to) */
TEST(writeback_nowait_is_not_throttled)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 200);
	uaddr_t a = must_map(t, 200 * PG, RW, MAP_SHARED, f, 0);
	struct sim_stats before, after;
	unsigned n;

	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 20 * PG);
	CHECK_EQ(sim_touch_read(t, a, 200 * PG), 0);
	disk_mode(f, SIM_DISK_HELD);
	t->qt.nowait = true;
	sim_get_stats(m, &before);
	for (n = 0; n < 200; n++)
		put64(t, a + n * PG, n);
	sim_get_stats(m, &after);
	CHECK_EQ(after.waits, before.waits);
	CHECK_EQ(after.flusher_wakes, before.flusher_wakes + 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 200);
	t->qt.nowait = false;
	disk_mode(f, SIM_DISK_LAZY);
	(void)quire_flusher_work(sim_quire(m));
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 10);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* The pages of one file are dirty, another's writer passes the limit. */
TEST(writeback_hard_limit_of_another)
{
	struct sim_file *f = new_file(m, 200), *g = new_file(m, 200);
	static char buf[150 * PG];

	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 160 * PG);
	CHECK_EQ(sim_file_write(f, 0, buf, sizeof(buf)), (long)sizeof(buf));
	CHECK_EQ(sim_file_write(g, 0, buf, 70 * PG), (long)(70 * PG));
	CHECK(sim_vmstat(m, "nr_dirty") <= 160 + 32);
	CHECK(stats(f).writes + stats(g).writes >= 28);
	CHECK_SYSTEM(m);
	sim_file_close(f);
	sim_file_close(g);
}

TEST(writeback_tunables)
{
	struct quire *q = sim_quire(m);

	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_DIRTY_RATIO), 20);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_DIRTY_BACKGROUND_RATIO),
		 10);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_DIRTY_BYTES), 0);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_DIRTY_RATIO, 101), -EINVAL);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_DIRTY_BYTES, PG), -EINVAL);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_DIRTY_BACKGROUND_BYTES, 0),
		 -EINVAL);
	/* a background limit above the other means half of it */
	set(m, QUIRE_TUNABLE_DIRTY_BYTES, 100 * PG);
	set(m, QUIRE_TUNABLE_DIRTY_BACKGROUND_BYTES, 200 * PG);
	CHECK_EQ(sim_vmstat(m, "nr_dirty_background_threshold"), 50);
	set(m, QUIRE_TUNABLE_DIRTY_RATIO, 50);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_DIRTY_BYTES), 0);
	CHECK(sim_vmstat(m, "nr_dirty_threshold") >
	      sim_vmstat(m, "nr_free_pages") / 3);
}
