/* SPDX-License-Identifier: MIT */
/*
 * Write-back: dirty pages from their first store to the disk; who is told of
 * errors; truncation while writes are under way; races.
 */
#include <tests/unit/writeback.h>

/* ------------------------------------------------------ one page's life */

/*
 * behaviours: C3 (dirty tracking by write-protect), F8
 * A page is dirty from its first store on and clean after the sync; the next
 * store makes it dirty again, and reaches the disk again.
 */
TEST(writeback_store_sync_store)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	uint64_t round, before;

	CHECK_EQ(get64(t, a), disk64(f, 0));
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	for (round = 1; round < 5; round++) {
		put64(t, a + 8, round);
		put64(t, a + 16, round);
		put64(t, a + 5 * PG, round);
		CHECK_EQ(sim_vmstat(m, "nr_dirty"), 2);
		CHECK_EQ(stats(f).writes, 2 * (round - 1));
		CHECK_EQ(stats(f).mkwrites, 2 * round);
		CHECK_EQ(stats(f).time_updates, 2 * round);
		CHECK(disk64(f, 8) != round);
		CHECK_SYSTEM(m);
		CHECK_EQ(fsync_all(f), 0);
		CHECK_EQ(disk64(f, 8), round);
		CHECK_EQ(disk64(f, 16), round);
		CHECK_EQ(disk64(f, 5 * PG), round);
		CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
		CHECK_EQ(sim_vmstat(m, "nr_writeback"), 0);
		CHECK_EQ(sim_vmstat(m, "nr_written"), 2 * round);
		CHECK_EQ(sim_vmstat(m, "nr_dirtied"), 2 * round);
		CHECK_SYSTEM(m);
	}
	/* nothing is dirty: nothing is written */
	before = stats(f).writes;
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(stats(f).writes, before);
	sim_exit(t);
	sim_file_close(f);
}

/*
 * behaviour: C3
 * While its write is under way a page can be stored to; it is dirty again, and
 * a sync that comes then waits for the first write and does another.
 */
TEST(writeback_redirtied_under_way)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);

	disk_mode(f, SIM_DISK_LAZY);
	put64(t, a, 1);
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), ALL, QUIRE_SYNC_START),
		 0);
	CHECK_EQ(sim_disk_pending(m), 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 1);
	CHECK_EQ(quire_mapping_dirty(sim_file_mapping(f)), 1);
	put64(t, a, 2); /* no stable pages: it does not wait */
	CHECK_EQ(sim_disk_pending(m), 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 1);
	/* to start only: the page is left to the one that waits */
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), ALL, QUIRE_SYNC_START),
		 0);
	CHECK_EQ(sim_disk_pending(m), 1);
	put64(t, a, 3);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(sim_disk_pending(m), 0);
	CHECK_EQ(disk64(f, 0), 3);
	CHECK_EQ(stats(f).writes, 2);
	/* so does sync(2) */
	put64(t, a, 4);
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), ALL, QUIRE_SYNC_START),
		 0);
	put64(t, a, 5);
	quire_sync(sim_quire(m));
	CHECK_EQ(disk64(f, 0), 5);
	CHECK_EQ(stats(f).writes, 4);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: C3 (runs of pages are one request) */
TEST(writeback_runs)
{
	struct sim_file *f = new_file(m, 300);
	static char buf[200 * PG];

	CHECK_EQ(sim_file_write(f, 10 * PG, buf, sizeof(buf)),
		 (long)sizeof(buf));
	CHECK_EQ(sim_file_write(f, 250 * PG, buf, PG), (long)PG);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 201);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(stats(f).writes, 201);
	CHECK_EQ(stats(f).write_requests, 200 / 64 + 1 + 1);
	/* a range: only what is in it */
	CHECK_EQ(sim_file_write(f, 0, buf, 10 * PG), (long)(10 * PG));
	CHECK_EQ(quire_file_fsync(sim_file_quire(f), 2 * PG + 5, 4 * PG, true),
		 0);
	CHECK_EQ(stats(f).writes, 204);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 7);
	CHECK_SYSTEM(m);
	sim_file_close(f);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
}

/*
 * behaviour: C3
 * What a mapping stores beyond the end of the file does not reach the disk, nor
 * the file when it becomes longer, and is gone after the write.
 */
TEST(writeback_beyond_the_end)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", PG + 100, 9);
	uaddr_t a = must_map(t, 2 * PG, RW, MAP_SHARED, f, 0);
	char byte = 7, got[3] = {1, 1, 1};

	put64(t, a + PG + 200, ~0ull);
	put64(t, a + PG + 80, 42);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(disk64(f, PG + 80), 42);
	CHECK_EQ(disk64(f, PG + 200), 0);
	CHECK_EQ(get64(t, a + PG + 200), 0);
	/* longer by a write that leaves a gap */
	put64(t, a + PG + 200, ~0ull);
	CHECK_EQ(sim_file_write(f, PG + 300, &byte, 1), 1);
	CHECK_EQ(get64(t, a + PG + 200), 0);
	CHECK_EQ(sim_file_read(f, PG + 299, got, 3), 2);
	CHECK_EQ(got[0], 0);
	CHECK_EQ(got[1], 7);
	/* by a write in another page */
	put64(t, a + PG + 400, ~0ull);
	CHECK_EQ(sim_file_write(f, 5 * PG, &byte, 1), 1);
	CHECK_EQ(get64(t, a + PG + 400), 0);
	/* by truncation */
	sim_file_truncate(f, PG + 100);
	put64(t, a + PG + 400, ~0ull);
	sim_file_truncate(f, 2 * PG);
	CHECK_EQ(get64(t, a + PG + 400), 0);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(disk64(f, PG + 400), 0);
	CHECK_EQ(disk64(f, PG + 300), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* -------------------------------------------------------- page_mkclean */

struct mapper {
	struct sim_task *t;
	uaddr_t a;
};

/* Is page 0 writable for it, as its tables have it now? */
static bool writable(const struct mapper *p)
{
	struct sim_walk w;

	sim_run(p->t);
	return sim_translate(p->t->m, SIM_WRITE, 0, p->a, false, &w);
}

/*
 * behaviours: R1 (page_mkclean), C3
 * Three address spaces on three CPUs map one page shared, at different places,
 * one of them twice, one is a fork's; two more map it privately.  A sync makes
 * all shared entries read-only, and each CPU's TLB forgets the old one: the
 * store that follows there is noticed.  Private copies stay as they are.
 */
static void mkclean_exact(struct sim_machine *m)
{
	struct sim_file *f = new_file(m, 8);
	struct mapper shared[4], private[2];
	unsigned i, round;

	shared[0].t = sim_task_create(m);
	shared[0].a = must_map(shared[0].t, 4 * PG, RW, MAP_SHARED, f, 0);
	sim_bind(m, 1);
	shared[1].t = sim_fork(shared[0].t);
	shared[1].a = shared[0].a;
	shared[2].t = shared[1].t;
	shared[2].a = must_map(shared[1].t, 2 * PG, RW, MAP_SHARED, f, 0);
	shared[3].t = sim_task_create(m);
	shared[3].a = must_map(shared[3].t, 8 * PG, RW, MAP_SHARED, f, 0);
	private[0].t = sim_task_create(m);
	private[0].a = must_map(private[0].t, 2 * PG, RW, MAP_PRIVATE, f, 0);
	private[1] = private[0];
	private[1].t = sim_fork(private[0].t);
	sim_run(private[0].t);
	put64(private[0].t, private[0].a, 1234);
	CHECK_EQ(get64(private[1].t, private[1].a), disk64(f, 0));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4; i++) {
			/* each on a CPU that keeps its TLB afterwards */
			sim_bind(m, i == 3 ? 2 : i ? 1 : 0);
			put64(shared[i].t, shared[i].a + 8 * i, round + 100);
		}
		CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
		sim_bind(m, 3);
		sim_run(NULL);
		CHECK_EQ(fsync_all(f), 0);
		CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
		CHECK_EQ(disk64(f, 0), round + 100);
		CHECK_EQ(disk64(f, 24), round + 100);
		for (i = 0; i < 4; i++) {
			/* the TLB of its CPU first: a store that it lets
			 * through would not be noticed */
			sim_bind(m, i == 3 ? 2 : i ? 1 : 0);
			put64(shared[i].t, shared[i].a + 8 * i, round + 200);
			CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
			CHECK_EQ(fsync_all(f), 0);
			CHECK_EQ(disk64(f, 8 * i), round + 200);
			CHECK(!writable(&shared[i]));
		}
		CHECK_SYSTEM(m);
	}
	sim_bind(m, 0);
	CHECK_EQ(get64(private[0].t, private[0].a), 1234);
	CHECK(writable(&private[0]));
	CHECK_EQ(get64(private[1].t, private[1].a), 202);
	sim_exit(private[1].t);
	sim_exit(private[0].t);
	sim_exit(shared[3].t);
	sim_exit(shared[1].t);
	sim_exit(shared[0].t);
	sim_file_close(f);
}

TEST_WITH(writeback_mkclean_exact, .config = {.cpus = 4})
{
	mkclean_exact(m);
}
TEST_WITH(writeback_mkclean_exact_ids,
	  .config = {.cpus = 4, .asids = TEST_ASIDS(6)})
{
	mkclean_exact(m);
}

/* -------------------------------------------------------------- errors */

/*
 * behaviour: C3 (a write error is reported once to each file user)
 */
TEST(writeback_errors_once_each)
{
	struct sim_file *f = new_file(m, 8), *g, *h;
	char byte = 1;

	g = sim_file_reopen(f, true, true);
	REQUIRE(g);
	quire_file_opened(sim_file_quire(f));
	quire_file_opened(sim_file_quire(g));
	CHECK_EQ(fsync_all(f), 0);
	sim_file_fail_writes(f, 0, 1, -EIO);
	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), ALL,
				    QUIRE_SYNC_START | QUIRE_SYNC_WAIT),
		 0);
	/* it is not tried again, and nothing is dirty */
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	/* who opens now has not been told either */
	h = sim_file_reopen(f, true, false);
	REQUIRE(h);
	quire_file_opened(sim_file_quire(h));
	CHECK_EQ(fsync_all(f), -EIO);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(quire_file_check_error(sim_file_quire(g)), -EIO);
	CHECK_EQ(fsync_all(g), 0);
	CHECK_EQ(fsync_all(h), -EIO);
	sim_file_close(h);
	/* everyone who was open has been told: a new opener need not be */
	h = sim_file_reopen(f, true, false);
	quire_file_opened(sim_file_quire(h));
	CHECK_EQ(fsync_all(h), 0);
	/* the same error again is another one; no space is no space */
	sim_file_fail_writes(f, 0, 1, -EIO);
	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	CHECK_EQ(fsync_all(g), -EIO);
	sim_file_fail_writes(f, 0, 1, -ENOSPC);
	CHECK_EQ(sim_file_write(f, 0, &byte, 1), 1);
	CHECK_EQ(fsync_all(g), -ENOSPC);
	CHECK_EQ(fsync_all(f), -ENOSPC); /* the last one */
	CHECK_EQ(fsync_all(h), -ENOSPC);
	CHECK_EQ(fsync_all(f) | fsync_all(g) | fsync_all(h), 0);
	/* the device's own flush fails: told at once, nobody else concerned */
	sim_file_fail_flushes(f, 0, 1, -EIO);
	CHECK_EQ(fsync_all(f), -EIO);
	CHECK_EQ(fsync_all(g), 0);
	CHECK_SYSTEM(m);
	sim_file_close(h);
	sim_file_close(g);
	sim_file_close(f);
}

/* behaviour: F8 (page_mkwrite may refuse) */
TEST(writeback_mkwrite_refuses)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	uint64_t was;

	was = get64(t, a + PG);
	sim_file_fail_mkwrites(f, 0, 2, -ENOSPC);
	/* nothing mapped yet, and mapped read-only */
	CHECK_SIGNAL(t, sim_store64(t, a, 1), SIGBUS, QUIRE_BUS_ADRERR, a);
	CHECK_SIGNAL(t, sim_store64(t, a + PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(get64(t, a + PG), was);
	sim_file_fail_mkwrites(f, 0, 1, -ENOMEM);
	CHECK_EQ(sim_store64(t, a + PG, 1), SIM_OOM);
	put64(t, a + PG, 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* --------------------------------------------------------------- msync */

/* behaviours: C3 (msync SYNC, ASYNC, INVALIDATE), M2 */
TEST(writeback_msync)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 16);
	struct mm_struct *mm = t->qt.mm;
	uaddr_t a = TEST_PLACE(0), s;
	unsigned i;

	/* [0,4) shared from page 4 | hole | [6,8) private | [8,10) shared */
	CHECK_EQ(sim_mmap(t, a, 4 * PG, RW, MAP_SHARED | MAP_FIXED, f, 4 * PG),
		 a);
	CHECK_EQ(sim_mmap(t, a + 6 * PG, 2 * PG, RW, MAP_PRIVATE | MAP_FIXED, f,
			  0),
		 a + 6 * PG);
	CHECK_EQ(sim_mmap(t, a + 8 * PG, 2 * PG, RW, MAP_SHARED | MAP_FIXED, f,
			  8 * PG),
		 a + 8 * PG);
	for (i = 0; i < 10; i++)
		if (i < 4 || i > 5)
			put64(t, a + i * PG, 100 + i);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 6);
	CHECK_EQ(quire_msync(mm, a, 4 * PG, MS_ASYNC), 0);
	CHECK_EQ(quire_msync(mm, a, 4 * PG, MS_INVALIDATE), 0);
	CHECK_EQ(stats(f).writes, 0);
	/* only the range */
	CHECK_EQ(quire_msync(mm, a + PG, PG + 1, MS_SYNC), 0);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 4);
	CHECK_EQ(disk64(f, 5 * PG), 101);
	CHECK_EQ(disk64(f, 6 * PG), 102);
	CHECK(disk64(f, 4 * PG) != 100);
	CHECK_EQ(stats(f).flushes, 1);
	/* across the hole: what lies behind it is done too */
	CHECK_EQ(quire_msync(mm, a, 10 * PG, MS_SYNC), -ENOMEM);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(disk64(f, 8 * PG), 108);
	CHECK_EQ(disk64(f, 9 * PG), 109);
	CHECK(disk64(f, 0) != 106);
	/* an error ends it and is told */
	put64(t, a, 1);
	put64(t, a + 8 * PG, 1);
	sim_file_fail_writes(f, 0, 1, -EIO);
	CHECK_EQ(quire_msync(mm, a, 10 * PG, MS_SYNC), -EIO);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
	CHECK_EQ(quire_msync(mm, a, 4 * PG, MS_SYNC), 0);
	/* shared memory without a device */
	s = must_map(t, PG, RW, SHANON, NULL, 0);
	put64(t, s, 1);
	CHECK_EQ(quire_msync(mm, s, PG, MS_SYNC), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* ------------------------------------------------------------ truncation */

/*
 * behaviour: C4
 * A page whose write is under way leaves the file when that has ended; the
 * partial last page too is waited for.
 */
TEST(writeback_truncate_under_way)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	struct address_space *as = sim_file_mapping(f);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	unsigned i;

	for (i = 0; i < 8; i++)
		put64(t, a + i * PG, i + 1);
	disk_mode(f, SIM_DISK_LAZY);
	CHECK_EQ(quire_mapping_sync(as, 0, 3 * PG, QUIRE_SYNC_START), 0);
	CHECK_EQ(sim_disk_pending(m), 1);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 4);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 4);
	/* pages under way, dirty ones, and page 1 in part */
	sim_file_truncate(f, PG + 8);
	CHECK_EQ(sim_disk_pending(m), 0);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(quire_mapping_pages(as), 2);
	CHECK_EQ(get64(t, a + PG), 2);
	CHECK_SIGNAL(t, sim_store64(t, a + 2 * PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 2 * PG);
	CHECK_SYSTEM(m);
	/* a punch: dirty data of whole pages is forgotten, not written */
	sim_file_truncate(f, 8 * PG);
	for (i = 0; i < 8; i++)
		put64(t, a + i * PG, i + 11);
	CHECK_EQ(quire_mapping_sync(as, 2 * PG, 3 * PG, QUIRE_SYNC_START), 0);
	sim_file_punch(f, PG, 4 * PG + 16);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 0);
	CHECK_EQ(get64(t, a + 2 * PG), 0);
	CHECK_EQ(get64(t, a + 4 * PG), 0);
	CHECK_EQ(fsync_all(f), 0);
	for (i = 0; i < 8; i++)
		CHECK_EQ(disk64(f, i * PG), i >= 1 && i <= 4 ? 0 : i + 11);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/*
 * A store to a page that a hole covers in part, written back before the device
 * makes the hole: its zeroes are not the last word.
 */
/* behaviours: C4, F8 */
TEST(writeback_store_beside_a_hole)
{
	const uint64_t start = PG + 100, end = 3 * PG + 100;
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 9);
	struct address_space *as = sim_file_mapping(f);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_SHARED, f, 0);
	uint64_t v = 0;

	CHECK_EQ(sim_store64(t, a + PG + 8, 1), 0);
	CHECK_EQ(sim_store64(t, a + 3 * PG, 1), 0);
	quire_mapping_freeze(as);
	quire_mapping_punch(as, start, end);
	CHECK_EQ(sim_store64(t, a + PG + 2048, 22), 0);
	CHECK_EQ(sim_store64(t, a + 3 * PG + 8, 33), 0);
	CHECK_EQ(sim_file_fsync(f, false), 0);
	sim_disk_zero(f, start, end);
	quire_mapping_punched(as, start, end);
	quire_mapping_thaw(as);
	CHECK_EQ(quire_mapping_invalidate(as, 0, UINT64_MAX), 0);
	CHECK_EQ(sim_load64(t, a + PG + 8, &v) + (v != 1), 0);
	CHECK_EQ(sim_load64(t, a + PG + 2048, &v) + (v != 22), 0);
	CHECK_EQ(sim_load64(t, a + 3 * PG + 8, &v) + (v != 33), 0);
	CHECK_EQ(sim_load64(t, a + 3 * PG, &v) + (v != 0), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: C4 (pages dropped for I/O past the cache) */
TEST(writeback_invalidate)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	struct address_space *as = sim_file_mapping(f);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	struct page *page;

	put64(t, a, 5);
	put64(t, a + PG, 6);
	CHECK_EQ(sim_touch_read(t, a, 8 * PG), 0);
	CHECK_EQ(quire_mapping_invalidate(as, 0, 2 * PG - 1), 0);
	CHECK_EQ(disk64(f, 0), 5);
	CHECK_EQ(disk64(f, PG), 6);
	CHECK(!page_tree_lookup(&as->pages, 0));
	CHECK(!page_tree_lookup(&as->pages, 1));
	CHECK(page_tree_lookup(&as->pages, 2));
	CHECK_EQ(get64(t, a), 5); /* read again */
	/* who has it pinned may store to it at any time */
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + 3 * PG, 1, true, &page), 1);
	CHECK_EQ(quire_mapping_invalidate(as, ALL), -EBUSY);
	CHECK_EQ(quire_mapping_pages(as), 1);
	memset(quire_page_address(sim_quire(m), page), 0x11, 8);
	quire_page_dirty(sim_quire(m), page);
	quire_page_put(sim_quire(m), page);
	CHECK_EQ(quire_mapping_invalidate(as, ALL), 0);
	CHECK_EQ(disk64(f, 3 * PG), 0x1111111111111111);
	CHECK_EQ(quire_mapping_pages(as), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* Dirty pages are not reclaimed; those under write-back are, when that is over,
 * and reclaim that finds nothing else waits for it. */
TEST(writeback_not_reclaimed)
{
	struct sim_file *f = new_file(m, 8);
	struct sim_stats before, after;
	char buf[64] = "x";
	unsigned i;

	disk_mode(f, SIM_DISK_LAZY);
	for (i = 0; i < 8; i++)
		CHECK_EQ(sim_file_write(f, i * PG, buf, 64), 64);
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), 0, 3 * PG,
				    QUIRE_SYNC_START),
		 0);
	sim_get_stats(m, &before);
	CHECK_EQ(quire_reclaim(sim_quire(m), 100), 4);
	CHECK(sim_vmstat(m, "pgscan_direct_throttle") > 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(quire_reclaim(sim_quire(m), 100), 0);
	sim_get_stats(m, &after);
	/* there is nothing else to have: the flusher is asked for */
	CHECK_EQ(after.flusher_wakes, before.flusher_wakes + 1);
	CHECK_EQ(quire_mapping_pages(sim_file_mapping(f)), 4);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(quire_reclaim(sim_quire(m), 100), 4);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/*
 * Memory is full of dirty pages and somebody needs more: they are written, by
 * him who needs it where nobody else does it, and nobody is out of memory.
 */
TEST_WITH(writeback_memory_full_of_dirty, .config = {.ram_bytes = 16u << 20})
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 4000);
	uint64_t free = sim_vmstat(m, "nr_free_pages");
	uint64_t n = free * 4 / 5, i;
	uaddr_t a = anon(t, (uaddr_t)free / 2);
	char byte = 1;

	CHECK_EQ(
		quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_DIRTY_RATIO, 100),
		0);
	disk_mode(f, SIM_DISK_LAZY);
	for (i = 0; i < n; i++)
		CHECK_EQ(sim_file_write(f, 4000 * PG + i * PG, &byte, 1), 1);
	CHECK(sim_vmstat(m, "nr_dirty") > n * 3 / 4);
	for (i = 0; i < free / 2; i++)
		CHECK_EQ(sim_store64(t, a + (uaddr_t)i * PG, i), 0);
	CHECK(stats(f).writes > 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(stats(f).writes, n);
	sim_exit(t);
	sim_file_close(f);
}

/* -------------------------------------------------------------- livelock */

/* A file whose every write makes the next pages dirty, as a writer that is
 * always ahead of the sync. */
struct treadmill {
	struct quire *q;
	struct address_space *as;
	unsigned writes;
};

static int treadmill_read(struct address_space *as, struct quire_file *file,
			  struct page *page)
{
	(void)as;
	(void)file;
	quire_page_end_read(((struct treadmill *)quire_mapping_host(as))->q,
			    page, 0);
	return 0;
}

static size_t copy_nothing_new(void *cookie, void *kaddr, size_t done, size_t n)
{
	(void)done;
	memset(kaddr, *(char *)cookie, n);
	return n;
}

static int treadmill_write(struct address_space *as, struct page *page)
{
	struct treadmill *w = quire_mapping_host(as);
	uint64_t pos = quire_page_index(page) * PG;
	char byte = 1;

	if (++w->writes > 1000)
		return -EIO; /* it would never end */
	CHECK_EQ(
		quire_mapping_write(as, NULL, pos, PG, copy_nothing_new, &byte),
		(long)PG);
	CHECK_EQ(quire_mapping_write(as, NULL, pos + PG, PG, copy_nothing_new,
				     &byte),
		 (long)PG);
	quire_page_end_write(w->q, page, 0);
	return 0;
}

/* behaviour: C3 (a sync ends, however busily others write) */
TEST(writeback_sync_ends)
{
	static const struct quire_aops aops = {.readpage = treadmill_read,
					       .writepage = treadmill_write};
	struct treadmill w = {.q = sim_quire(m)};
	char byte = 1;

	w.as = quire_kmalloc(w.q, quire_mapping_size(), QUIRE_GFP_KERNEL);
	REQUIRE(w.as);
	quire_mapping_init(w.q, w.as, &aops, &w, 4 * PG);
	CHECK_EQ(quire_mapping_write(w.as, NULL, 0, 4 * PG, copy_nothing_new,
				     &byte),
		 (long)(4 * PG));
	CHECK_EQ(quire_mapping_sync(w.as, ALL,
				    QUIRE_SYNC_START | QUIRE_SYNC_WAIT),
		 0);
	CHECK_EQ(w.writes, 4);
	quire_sync(w.q);
	CHECK_EQ(w.writes, 9);
	CHECK_SYSTEM(m);
	quire_mapping_destroy(w.as);
	quire_kfree(w.q, w.as);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
}

/* ------------------------------------------------- memory running out */

static void write_back_scenario(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 70 * PG, 9);
	char byte[8] = "abcdefg";
	sreg_t a;
	int i;

	(void)arg;
	if (!t || !f)
		goto out;
	sim_run(t);
	a = sim_mmap(t, 0, 70 * PG, RW, MAP_SHARED, f, 0);
	if (mapped_at(a)) {
		for (i = 0; i < 70; i += 23)
			(void)sim_store64(t, (uaddr_t)a + (uaddr_t)i * PG,
					  (uint64_t)i + 5);
		i = quire_msync(t->qt.mm, (uaddr_t)a, 70 * PG, MS_SYNC);
		CHECK(i == 0 || i == -ENOMEM);
	}
	i = (int)sim_file_write(f, 100 * PG, byte, 8);
	CHECK(i == 8 || i == -ENOMEM);
	/* nothing that was confirmed needs memory to reach the disk */
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(quire_mapping_dirty(sim_file_mapping(f)), 0);
	if (i == 8)
		CHECK_EQ(disk64(f, 100 * PG) & 0xff, 'a');
	CHECK_EQ(quire_mapping_invalidate(sim_file_mapping(f), ALL), 0);
out:
	if (t)
		sim_exit(t);
	if (f)
		sim_file_close(f);
}

/* behaviour: F15 (shared file memory and its way back) */
TEST_WITH(writeback_every_failure, .plain = true, .seconds = 240)
{
	UNUSED_MACHINE;
	CHECK(test_every_failure(NULL, write_back_scenario, NULL) > 20);
}

/* ---------------------------------------------------------------- races */

struct wb_race {
	struct sim_machine *m;
	struct sim_task *t[3];
	struct sim_file *f;
	uaddr_t a;
	uint32_t stop;
	uint64_t last[8];
};

static bool race_over(struct wb_race *r)
{
	return __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE);
}

/*
 * CPU 0 stores ascending numbers to eight pages, CPU 1 syncs and takes the
 * entries away (zap against write-back, both against the store through an old
 * TLB entry), CPU 2 is the flusher.
 */
static void store_zap_sync(unsigned i, void *arg)
{
	struct wb_race *r = arg;
	uint64_t n;

	if (i == 0) {
		for (n = 1; n <= ROUNDS(4000); n++) {
			put64(r->t[0], r->a + (uaddr_t)(n & 7) * PG, n);
			r->last[n & 7] = n;
		}
		__atomic_store_n(&r->stop, 1u, __ATOMIC_RELEASE);
	}
	while (i == 1 && !race_over(r)) {
		CHECK_EQ(sim_madvise(r->t[1], r->a, 8 * PG, MADV_DONTNEED), 0);
		CHECK_EQ(quire_mapping_sync(sim_file_mapping(r->f), ALL,
					    QUIRE_SYNC_START | QUIRE_SYNC_WAIT),
			 0);
	}
	while (i == 2 && !race_over(r))
		(void)quire_flusher_work(sim_quire(r->m));
	if (i)
		sim_run(NULL);
}

/* behaviours: C3, Z1 (no store is lost between entry, TLB and disk) */
TEST_WITH(writeback_race_zap, .config = {.cpus = 3, .jitter = 30, .seed = 3},
	  .seconds = 240)
{
	struct wb_race r = {.m = m, .f = new_file(m, 8)};
	unsigned i, round;

	set(m, QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, 0);
	r.t[0] = sim_task_create(m);
	r.t[1] = sim_thread(r.t[0]);
	r.a = must_map(r.t[0], 8 * PG, RW, MAP_SHARED, r.f, 0);
	for (round = 0; round < 4; round++) {
		r.stop = 0;
		sim_run(NULL);
		sim_parallel(m, 3, store_zap_sync, &r);
		sim_bind(m, 0);
		CHECK_EQ(fsync_all(r.f), 0);
		for (i = 0; i < 8; i++)
			CHECK_EQ(disk64(r.f, i * PG), r.last[i]);
		CHECK_SYSTEM(m);
	}
	sim_exit(r.t[1]);
	sim_exit(r.t[0]);
	sim_file_close(r.f);
}

/* Files come and go while the flusher and sync walk the list. */
static void files_come_and_go(unsigned i, void *arg)
{
	struct wb_race *r = arg;
	unsigned n;

	for (n = 0; i < 2 && n < ROUNDS(400); n++) {
		struct sim_file *f = sim_file_create(r->m, "g", 4 * PG, 1);
		char byte = (char)n;

		REQUIRE(f);
		CHECK_EQ(sim_file_write(f, (n & 3) * PG, &byte, 1), 1);
		sim_file_close(f);
	}
	if (i < 2)
		__atomic_fetch_add(&r->stop, 1u, __ATOMIC_RELEASE);
	while (i == 2 && __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE) < 2) {
		(void)quire_flusher_work(sim_quire(r->m));
		quire_sync(sim_quire(r->m));
	}
}

TEST_WITH(writeback_race_files, .config = {.cpus = 3, .jitter = 30, .seed = 5},
	  .seconds = 240)
{
	struct wb_race r = {.m = m};

	set(m, QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS, 0);
	sim_parallel(m, 3, files_come_and_go, &r);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_SYSTEM(m);
}
