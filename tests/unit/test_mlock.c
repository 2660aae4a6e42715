/* SPDX-License-Identifier: MIT */
/*
 * Locked memory stays (behaviour: R6): which pages are on the unevictable list,
 * when they come there and leave it again, by whatever way an entry of a locked
 * mapping appears or goes; and the figures.  quire_check() compares each page's
 * count with the entries that there are, so every step ends with it.
 */
#include <fault.h>
#include <filemap.h>
#include <gather.h>
#include <reclaim.h>
#include <rmap.h>
#include <tests/unit/common.h>

static uint64_t mlocked(struct sim_machine *m)
{
	return sim_vmstat(m, "nr_mlock");
}

static uint64_t unevictable(struct sim_machine *m)
{
	lru_add_drain(sim_quire(m));
	return sim_vmstat(m, "nr_unevictable");
}

/* So many pages are locked, in the books and on the list. */
#define CHECK_LOCKED(m, n)                                                     \
	do {                                                                   \
		CHECK_EQ(mlocked(m), n);                                       \
		CHECK_EQ(unevictable(m), n);                                   \
		CHECK_SYSTEM(m);                                               \
	} while (0)

static int lock_range(struct sim_task *t, uaddr_t a, uaddr_t pages, int flags)
{
	sim_run(t);
	return quire_mlock(t->qt.mm, a, pages * PG, flags);
}

static int unlock_range(struct sim_task *t, uaddr_t a, uaddr_t pages)
{
	sim_run(t);
	return quire_munlock(t->qt.mm, a, pages * PG);
}

/* behaviours: R6, M2 */
TEST(mlock_culls_and_munlock_rescues)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 100);
	/* some are on the lists, some in a batch, some are not there yet */
	CHECK_EQ(sim_touch_write(t, a, 70 * PG, 1), 0);
	CHECK_EQ(lock_range(t, a + 10 * PG, 80, 0), 0);
	CHECK_LOCKED(m, 80);
	CHECK_EQ(sim_vmstat(m, "unevictable_pgs_mlocked"), 80);
	CHECK_EQ(sim_vmstat(m, "unevictable_pgs_culled"), 80);
	/* once more changes nothing */
	CHECK_EQ(lock_range(t, a + 20 * PG, 10, 0), 0);
	CHECK_LOCKED(m, 80);
	CHECK_EQ(unlock_range(t, a + 30 * PG, 20), 0);
	CHECK_LOCKED(m, 60);
	CHECK_EQ(sim_vmstat(m, "unevictable_pgs_munlocked"), 20);
	CHECK_EQ(sim_vmstat(m, "unevictable_pgs_rescued"), 20);
	CHECK_EQ(sim_munmap(t, a + 10 * PG, 10 * PG), 0);
	CHECK_LOCKED(m, 50);
	CHECK_EQ(sim_munmap(t, a + 45 * PG, 10 * PG), 0); /* half are locked */
	CHECK_LOCKED(m, 45);
	CHECK_EQ(sim_madvise(t, a + 20 * PG, 5 * PG, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(sim_madvise(t, a + 20 * PG, 5 * PG, MADV_DONTNEED_LOCKED), 0);
	CHECK_LOCKED(m, 40);
	CHECK_EQ(sim_touch_write(t, a + 20 * PG, 2 * PG, 1), 0);
	CHECK_LOCKED(m, 42);
	sim_exit(t);
	CHECK_LOCKED(m, 0);
}

/* behaviours: R6, M2 */
TEST(mlock_on_fault_and_future)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a, b;

	REQUIRE(t);
	a = anon(t, 10);
	CHECK_EQ(sim_touch_write(t, a, 2 * PG, 1), 0);
	CHECK_EQ(lock_range(t, a, 10, MLOCK_ONFAULT), 0);
	CHECK_LOCKED(m, 2);
	CHECK_EQ(sim_touch_read(t, a, 3 * PG), 0); /* the zero page: not */
	CHECK_LOCKED(m, 2);
	CHECK_EQ(sim_touch_write(t, a + 2 * PG, 2 * PG, 1), 0);
	CHECK_LOCKED(m, 4);
	/* from ONFAULT to all of it, and back: the same pages */
	CHECK_EQ(lock_range(t, a, 10, 0), 0);
	CHECK_LOCKED(m, 10);
	CHECK_EQ(lock_range(t, a, 10, MLOCK_ONFAULT), 0);
	CHECK_LOCKED(m, 10);
	/* what fork shares is locked in the parent only */
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_LOCKED(m, 10);
	/* the child's copy is not; the parent's, by its write, is */
	CHECK_EQ(sim_touch_write(child, a, PG, 2), 0);
	CHECK_LOCKED(m, 10);
	CHECK_EQ(sim_touch_write(t, a + PG, PG, 2), 0);
	CHECK_LOCKED(m, 10);
	sim_exit(child);
	CHECK_LOCKED(m, 10);
	CHECK_EQ(quire_munlockall(t->qt.mm), 0);
	CHECK_LOCKED(m, 0);
	sim_run(t);
	CHECK_EQ(quire_mlockall(t->qt.mm, MCL_FUTURE | MCL_ONFAULT), 0);
	b = anon(t, 5);
	CHECK_LOCKED(m, 0);
	CHECK_EQ(sim_touch_write(t, b, 3 * PG, 1), 0);
	CHECK_LOCKED(m, 3);
	sim_run(t);
	CHECK_EQ(quire_mlockall(t->qt.mm, MCL_FUTURE), 0);
	b = must_map(t, 4 * PG, RW, ANON, NULL, 0);
	CHECK_EQ(mlocked(m), 7); /* populated */
	CHECK_EQ(quire_munlockall(t->qt.mm), 0);
	CHECK_LOCKED(m, 0);
	b = must_map(t, 4 * PG, RW, ANON | MAP_LOCKED, NULL, 0);
	CHECK_LOCKED(m, 4);
	sim_exit(t);
	CHECK_LOCKED(m, 0);
}

/* A page of a file that two lock and a third maps: it stays until the last has
 * let go, by whatever way.  behaviours: R6, M2 */
TEST(mlock_shared_file_pages)
{
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	struct sim_task *w = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	struct page *page;
	uaddr_t a, b, c;

	REQUIRE(t && u && w && f);
	a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	b = must_map(u, 8 * PG, RW, MAP_PRIVATE, f, 0);
	c = must_map(w, 8 * PG, PROT_READ, MAP_SHARED, f, 0);
	CHECK_EQ(sim_touch_read(w, c, 8 * PG), 0);
	CHECK_EQ(lock_range(t, a, 8, 0), 0);
	CHECK_LOCKED(m, 8);
	/* private and writable: populated by writing, so these are copies */
	CHECK_EQ(lock_range(u, b, 4, 0), 0);
	CHECK_LOCKED(m, 12);
	CHECK_EQ(sim_mprotect(u, b + 4 * PG, 4 * PG, PROT_READ), 0);
	CHECK_EQ(lock_range(u, b + 4 * PG, 4, 0), 0);
	CHECK_LOCKED(m, 12);
	page = quire_phys_page(u->qt.q, frame_of(u, b + 5 * PG));
	REQUIRE(page);
	CHECK_EQ(page->mlocks, 2);
	CHECK_EQ(unlock_range(t, a, 8), 0);
	CHECK_LOCKED(m, 8);
	/* the write makes a copy of its own: that is locked now */
	CHECK_EQ(sim_mprotect(u, b, 8 * PG, RW), 0);
	CHECK_EQ(sim_touch_write(u, b + 5 * PG, PG, 9), 0);
	CHECK_EQ(page->mlocks, 0);
	CHECK_LOCKED(m, 8);
	/* truncation takes locked pages away, too */
	sim_file_truncate(f, 3 * PG);
	CHECK_LOCKED(m, 3);
	CHECK_EQ(sim_munmap(u, b, 8 * PG), 0);
	CHECK_LOCKED(m, 0);
	sim_exit(w);
	sim_exit(u);
	sim_exit(t);
	sim_file_close(f);
}

/* Locked pages that move, whose mapping is split, or that are left behind.
 * behaviours: R6, M2 */
TEST(mlock_and_mremap)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a;
	sreg_t b;

	REQUIRE(t);
	a = anon(t, 12);
	CHECK_EQ(lock_range(t, a, 12, 0), 0);
	CHECK_LOCKED(m, 12);
	b = sim_mremap(t, a, 4 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
		       TEST_PLACE(2));
	REQUIRE(mapped_at(b));
	CHECK_LOCKED(m, 12);
	b = sim_mremap(t, (uaddr_t)b, 4 * PG, 6 * PG, MREMAP_MAYMOVE, 0);
	REQUIRE(mapped_at(b));
	CHECK_LOCKED(m, 14); /* the new ones are populated */
	b = sim_mremap(t, (uaddr_t)b, 6 * PG, 2 * PG, 0, 0);
	REQUIRE(mapped_at(b));
	CHECK_LOCKED(m, 10);
	CHECK_EQ(sim_mprotect(t, a + 6 * PG, 2 * PG, PROT_READ), 0);
	CHECK_LOCKED(m, 10);
	b = sim_mremap(t, a + 8 * PG, 4 * PG, 4 * PG,
		       MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	REQUIRE(mapped_at(b));
	CHECK_LOCKED(m, 10);
	CHECK_EQ(sim_touch_write(t, a + 8 * PG, 4 * PG, 1), 0);
	CHECK_LOCKED(m, 10); /* the place left behind is locked no more */
	sim_exit(t);
	CHECK_LOCKED(m, 0);
}

/* smaps says what is locked.  behaviours: R6, M5 */
TEST(mlock_smaps)
{
	struct sim_task *t = sim_task_create(m);
	char *text;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 8);
	CHECK_EQ(sim_touch_write(t, a, 8 * PG, 1), 0);
	text = sim_smaps(t);
	REQUIRE(text);
	CHECK(!strstr(text, "Locked:               32 kB"));
	free(text);
	CHECK_EQ(lock_range(t, a, 8, 0), 0);
	text = sim_smaps(t);
	REQUIRE(text);
	CHECK(strstr(text, "Locked:               32 kB"));
	free(text);
	sim_exit(t);
}

/* ------------------------------------------------------------------ races */

struct race {
	struct sim_machine *m;
	struct sim_task *t[2];
	struct sim_file *f;
	uaddr_t a[2];
	uint32_t stop;
};

/* One locks and unlocks its mapping of the file ... */
static void lock_and_unlock(struct race *r)
{
	unsigned i;

	for (i = 0; i < ROUNDS(300); i++) {
		CHECK_EQ(lock_range(r->t[0], r->a[0], 16, i & 1), 0);
		CHECK_EQ(sim_touch_write(r->t[0], r->a[0], 8 * PG, 1), 0);
		CHECK_EQ(unlock_range(r->t[0], r->a[0] + i % 8 * PG, 8), 0);
		CHECK_EQ(unlock_range(r->t[0], r->a[0], 16), 0);
	}
	__atomic_store_n(&r->stop, 1u, __ATOMIC_RELEASE);
}

/* ... the other takes pages away from below it, in two ways. */
static void take_away(struct race *r)
{
	struct quire *q = sim_quire(r->m);
	struct address_space *as = sim_file_mapping(r->f);
	struct page *page;
	unsigned i;

	sim_run(r->t[1]);
	for (i = 0; !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE); i++) {
		if (i % 4 == 0)
			unmap_mapping_range(as, i % 8, i % 8 + 3, true);
		page = find_lock_page(as, i % 16);
		if (!page)
			continue;
		(void)try_to_unmap(q, page, i & 1 ? 0 : TTU_IGNORE_MLOCK);
		unlock_page(page);
		put_page(q, page);
	}
}

static void race_side(unsigned i, void *arg)
{
	if (i == 0)
		lock_and_unlock(arg);
	else
		take_away(arg);
}

/* behaviours: R1, R6 */
TEST_WITH(mlock_races_unmap, .config = {.cpus = 2}, .seconds = 120)
{
	struct race r = {.m = m};

	r.f = sim_file_shmem(m, "f", 16 * PG);
	r.t[0] = sim_task_create(m);
	r.t[1] = sim_task_create(m);
	REQUIRE(r.f && r.t[0] && r.t[1]);
	r.a[0] = must_map(r.t[0], 16 * PG, RW, MAP_SHARED, r.f, 0);
	r.a[1] = must_map(r.t[1], 16 * PG, RW, MAP_SHARED, r.f, 0);
	CHECK_EQ(sim_touch_write(r.t[1], r.a[1], 16 * PG, 1), 0);
	sim_run(NULL);
	sim_parallel(m, 2, race_side, &r);
	lru_add_drain_all(sim_quire(m));
	CHECK_LOCKED(m, 0);
	sim_exit(r.t[0]);
	sim_exit(r.t[1]);
	sim_file_close(r.f);
}

/* -------------------------------------------------------- out of memory */

static void lock_scenario(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);
	sreg_t a;

	(void)arg;
	if (!t)
		return;
	a = sim_mmap(t, 0, 24 * PG, RW, ANON, NULL, 0);
	if (mapped_at(a)) {
		uaddr_t at = (uaddr_t)a;

		(void)sim_touch_write(t, at, 12 * PG, 1);
		(void)lock_range(t, at + 4 * PG, 12, 0);
		CHECK_SYSTEM(m);
		(void)unlock_range(t, at + 6 * PG, 2);
		CHECK_SYSTEM(m);
		(void)lock_range(t, at, 24, MLOCK_ONFAULT);
		CHECK_SYSTEM(m);
	}
	sim_exit(t);
	CHECK_EQ(mlocked(m), 0);
}

/* behaviours: R6, F15 */
TEST_WITH(mlock_every_allocation_fails, .seconds = 300)
{
	UNUSED_MACHINE;
	CHECK(test_every_failure(NULL, lock_scenario, NULL) > 10);
}
