/* SPDX-License-Identifier: MIT */
/*
 * Broken frames: what can be had again is, what cannot is SIGBUS for those who
 * touch it, and the frame is never used again.
 */
#include <mm.h>

#include <tests/unit/swapout.h>
#include <tests/unit/writeback.h>

static uint64_t broken(struct sim_machine *m)
{
	struct quire_meminfo i;

	quire_get_meminfo(sim_quire(m), &i);
	return i.hardware_corrupted;
}

static paddr_t frame(struct sim_task *t, uaddr_t a)
{
	return frame_of(t, a) & ~(paddr_t)0xfff;
}

struct told {
	unsigned n;
	struct mm_struct *mm;
	uaddr_t addr;
};

static void tell(void *cookie, struct mm_struct *mm, uaddr_t addr)
{
	struct told *told = cookie;

	told->n++;
	told->mm = mm;
	told->addr = addr;
}

static int break_frame(struct sim_machine *m, paddr_t phys, struct told *told)
{
	memset(told, 0, sizeof(*told));
	return quire_memory_failure(sim_quire(m), phys, tell, told);
}

#define CHECK_BROKEN(t, access, at)                                            \
	do {                                                                   \
		CHECK_SIGNAL(t, access, SIGBUS, QUIRE_BUS_MCEERR_AR, at);      \
		CHECK_EQ((t)->sig.addr_lsb, 12);                               \
	} while (0)

/* behaviours: R8, F11, E7 (private memory is lost: SIGBUS for all who share it)
 */
TEST(memory_failure_private)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 4);
	struct told told;
	paddr_t phys;
	uint64_t v;

	put64(t, a, 1);
	put64(t, a + PG, 2);
	phys = frame(t, a);
	CHECK_EQ(break_frame(m, phys + 123, &told), 0);
	CHECK_EQ(told.n, 1);
	CHECK(told.mm == t->qt.mm && told.addr == a);
	CHECK_EQ(broken(m), 1);
	CHECK_SYSTEM(m);
	CHECK_BROKEN(t, sim_load64(t, a + 24, &v), a + 24);
	CHECK_BROKEN(t, sim_store64(t, a, 1), a);
	CHECK_EQ(get64(t, a + PG), 2);
	CHECK_EQ(sim_copy_from_user(t, a, &v, 8), 0);
	CHECK_EQ(quire_mm_read(t->qt.mm, a, &v, 8), 0);
	CHECK_EQ(mm_stats(t).anon_pages, 1);
	CHECK_EQ(break_frame(m, phys, &told), -EHWPOISON);
	/* the child inherits the loss, and can get rid of it */
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_BROKEN(c, sim_load64(c, a, &v), a);
	CHECK_EQ(sim_madvise(c, a, PG, MADV_DONTNEED), 0);
	CHECK_EQ(get64(c, a), 0);
	/* two users */
	CHECK_EQ(break_frame(m, frame(t, a + PG), &told), 0);
	CHECK_EQ(told.n, 2);
	CHECK_BROKEN(t, sim_load64(t, a + PG, &v), a + PG);
	CHECK_BROKEN(c, sim_load64(c, a + PG, &v), a + PG);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_mprotect(t, a, 4 * PG, PROT_READ), 0);
	CHECK_EQ(sim_mremap(t, a, 4 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
			    TEST_PLACE(3)),
		 (sreg_t)TEST_PLACE(3));
	CHECK_BROKEN(t, sim_load64(t, TEST_PLACE(3), &v), TEST_PLACE(3));
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	CHECK_EQ(broken(m), 2);
}

/* behaviour: R8 (a file's page: clean, it is read again; dirty, it is lost,
 * and the file's users are told) */
TEST(memory_failure_file)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 8);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	uint64_t reads, v;
	struct told told;
	paddr_t phys;

	CHECK_EQ(get64(t, a), disk64(f, 0));
	phys = frame(t, a);
	reads = stats(f).reads;
	CHECK_EQ(break_frame(m, phys, &told), 0);
	CHECK_EQ(told.n, 0); /* nothing is lost */
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a), disk64(f, 0));
	CHECK(stats(f).reads > reads);
	CHECK(frame(t, a) != phys);
	/* dirty */
	put64(t, a + 2 * PG, 55);
	CHECK_EQ(break_frame(m, frame(t, a + 2 * PG), &told), 0);
	CHECK_EQ(told.n, 1);
	CHECK_BROKEN(t, sim_load64(t, a + 2 * PG, &v), a + 2 * PG);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(fsync_all(f), -EIO);
	CHECK_EQ(fsync_all(f), 0);
	CHECK_EQ(broken(m), 2);
	CHECK_SYSTEM(m);
	/* a page that only the cache has */
	CHECK_EQ(sim_munmap(t, a, 8 * PG), 0);
	CHECK_EQ(sim_file_read(f, 5 * PG, &v, 8), 8);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: R8 (shared memory is lost: not zeroes) */
TEST(memory_failure_shared_memory)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = must_map(t, 4 * PG, RW, SHANON, NULL, 0);
	struct told told;
	uint64_t v;

	put64(t, a, 1);
	put64(t, a + PG, 2);
	c = sim_fork(t); /* it has not touched it yet */
	REQUIRE(c);
	CHECK_EQ(break_frame(m, frame(t, a), &told), 0);
	CHECK_EQ(told.n, 1);
	CHECK_SYSTEM(m);
	CHECK_BROKEN(t, sim_load64(t, a, &v), a);
	CHECK_BROKEN(c, sim_load64(c, a, &v), a);
	CHECK_BROKEN(c, sim_store64(c, a, 4), a);
	CHECK_EQ(get64(c, a + PG), 2);
	/* a hole in its place makes it zero again */
	CHECK_EQ(sim_madvise(c, a, PG, MADV_REMOVE), 0);
	CHECK_EQ(get64(c, a), 0);
	CHECK_BROKEN(t, sim_load64(t, a, &v), a);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_DONTNEED), 0);
	CHECK_EQ(get64(t, a), 0);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
}

/* behaviours: R8, F11 (in the swap cache: clean, it is read again; changed
 * since, all users of its slot are told) */
TEST(memory_failure_swap_cache)
{
	struct swapdev *d = swapdev_on(m, 64, 0, 1);
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 4);
	struct told told;
	unsigned reads;
	uint64_t v;

	put64(t, a, 10);
	put64(t, a + PG, 20);
	c = sim_fork(t);
	REQUIRE(c);
	swap_out(t, a, false);
	CHECK_EQ(get64(t, a), 10);
	reads = d->reads;
	CHECK_EQ(break_frame(m, frame(t, a), &told), 0);
	CHECK_EQ(told.n, 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a), 10);
	CHECK_EQ(get64(c, a), 10);
	CHECK(d->reads > reads);
	CHECK_SYSTEM(m);
	/* in the cache, never written: t's entry is present, c's a slot's */
	memset(d->bad_write, 1, sizeof(d->bad_write));
	swap_out(t, a + PG, false);
	CHECK_EQ(get64(t, a + PG), 20);
	CHECK_EQ(break_frame(m, frame(t, a + PG), &told), 0);
	CHECK_EQ(told.n, 1);
	CHECK_SYSTEM(m);
	CHECK_BROKEN(t, sim_load64(t, a + PG, &v), a + PG);
	CHECK_BROKEN(c, sim_load64(c, a + PG, &v), a + PG);
	CHECK_EQ(sim_madvise(c, a + PG, PG, MADV_DONTNEED), 0);
	CHECK_EQ(get64(c, a + PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	CHECK_SYSTEM(m);
}

/* behaviour: R8 (a free frame is taken out; the kernel's own cannot be) */
TEST(memory_failure_of_others)
{
	struct quire *q = sim_quire(m);
	struct sim_task *t = sim_task_create(m);
	struct page *host = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0), *page;
	void *object = quire_kmalloc(q, 64, QUIRE_GFP_KERNEL);
	uint64_t free = sim_vmstat(m, "nr_free_pages");
	uaddr_t a = anon(t, 8192), i;
	struct told told;
	paddr_t phys;

	REQUIRE(host && object);
	phys = quire_page_phys(q, host);
	sim_quiet(m, true);
	CHECK_EQ(break_frame(m, phys, &told), -EBUSY);
	CHECK_EQ(break_frame(m, virt_to_phys(q, object), &told), -EBUSY);
	CHECK_EQ(break_frame(m, (paddr_t)page_to_pfn(q, q->zero_page) << 12,
			     &told),
		 -EBUSY);
	CHECK_EQ(break_frame(m, virt_to_phys(q, t->qt.mm->pgd), &told), -EBUSY);
	CHECK_EQ(break_frame(m, sim_ram_end(m) + (64 << 20), &told), -ENXIO);
	sim_quiet(m, false);
	quire_kfree(q, object);
	/* free, on this CPU's stack; then in the middle of a block */
	quire_free_pages(q, host, 0);
	CHECK_EQ(break_frame(m, phys, &told), 0);
	page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 4);
	REQUIRE(page);
	phys = quire_page_phys(q, page) + 5 * PG;
	quire_free_pages(q, page, 4);
	CHECK_EQ(break_frame(m, phys, &told), 0);
	CHECK_EQ(told.n, 0);
	CHECK_EQ(broken(m), 2);
	CHECK_SYSTEM(m);
	CHECK(sim_vmstat(m, "nr_free_pages") >= free - 2);
	/* nobody ever gets it */
	for (i = 0; i < 8192; i++) {
		if (sim_store8(t, a + i * PG, 1))
			break;
		REQUIRE(frame(t, a + i * PG) != phys);
	}
	CHECK(i > 1000);
	sim_exit(t);
	CHECK_SYSTEM(m);
}

/* behaviours: R8, M2 (MADV_HWPOISON and MADV_SOFT_OFFLINE) */
TEST(memory_failure_madvise)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 8);
	paddr_t phys;
	uint64_t v;

	for (v = 0; v < 8; v++)
		put64(t, a + (uaddr_t)v * PG, 100 + v);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_HWPOISON), -EPERM);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_SOFT_OFFLINE), -EPERM);
	CHECK_EQ(broken(m), 0);
	t->qt.cap_sys_admin = true;
	CHECK_EQ(sim_madvise(t, a + 1, PG, MADV_HWPOISON), -EINVAL);
	CHECK_EQ(sim_madvise(t, a, 0, MADV_HWPOISON), 0);
	CHECK_EQ(sim_madvise(t, a, 2 * PG, MADV_HWPOISON), 0);
	CHECK_EQ(broken(m), 2);
	CHECK_BROKEN(t, sim_load64(t, a, &v), a);
	CHECK_BROKEN(t, sim_load64(t, a + PG, &v), a + PG);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_HWPOISON), -EHWPOISON);
	/* only suspicious: nothing is lost */
	phys = frame(t, a + 2 * PG);
	CHECK_EQ(sim_madvise(t, a + 2 * PG, 3 * PG, MADV_SOFT_OFFLINE), 0);
	CHECK_EQ(broken(m), 5);
	for (v = 2; v < 8; v++)
		CHECK_EQ(get64(t, a + (uaddr_t)v * PG), 100 + v);
	CHECK(frame(t, a + 2 * PG) != phys);
	put64(t, a + 2 * PG, 1);
	/* nothing is mapped */
	CHECK_EQ(sim_madvise(t, TEST_PLACE(4), PG, MADV_HWPOISON), -EFAULT);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: R8 (a dirty page of a file moves, or stays, where all other memory
 * is dirty as well: nobody waits for the page that he has locked himself) */
TEST(soft_offline_among_dirty_pages)
{
	struct quire *q = sim_quire(m);
	struct sim_file *f = new_file(m, 64);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 64 * PG, RW, MAP_SHARED, f, 0), i;
	struct page *all = NULL, *page, **next;
	paddr_t phys;
	int e;

	set(m, QUIRE_TUNABLE_DIRTY_RATIO, 100);
	for (i = 0; i < 64; i++)
		put64(t, a + i * PG, 700 + i);
	phys = frame(t, a);
	sim_quiet(m, true);
	while ((page = quire_alloc_pages(q, QUIRE_GFP_ATOMIC, 0))) {
		next = quire_page_address(q, page);
		*next = all;
		all = page;
	}
	e = quire_soft_offline(q, phys);
	CHECK(e == 0 || e == -EBUSY);
	sim_quiet(m, false);
	CHECK_SYSTEM(m);
	while ((page = all)) {
		all = *(struct page **)quire_page_address(q, page);
		quire_free_pages(q, page, 0);
	}
	for (i = 0; i < 64; i++)
		CHECK_EQ(get64(t, a + i * PG), 700 + i);
	CHECK_EQ(quire_soft_offline(q, frame(t, a)), 0);
	CHECK_EQ(get64(t, a), 700);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(fsync_all(f), 0);
	sim_file_close(f);
}

/* ------------------------------------------------------------------ races */

struct race {
	struct sim_task *t[3];
	uaddr_t a;
	uint32_t over;
};

#define PAGES 64u

static void racer(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	unsigned n, round;
	uint64_t v = 0;
	int e;

	if (i == 0) {
		sim_run(t);
		for (n = 0; n < PAGES; n += 2) {
			e = quire_madvise(t->qt.mm, r->a + n * PG, PG,
					  n & 2 ? MADV_SOFT_OFFLINE
						: MADV_HWPOISON);
			CHECK(e == 0 || e == -EBUSY || e == -EHWPOISON ||
			      e == -EFAULT);
		}
		__atomic_store_n(&r->over, 1, __ATOMIC_RELEASE);
		return;
	}
	for (round = 1; !__atomic_load_n(&r->over, __ATOMIC_ACQUIRE); round++)
		for (n = 0; n < PAGES; n++) {
			uaddr_t at = r->a + n * PG + i * 8;

			e = sim_store64(t, at, round);
			if (!e)
				e = sim_load64(t, at, &v);
			CHECK(e == SIGBUS || (e == 0 && v == round));
			CHECK(e == 0 || (n & 3) == 0);
		}
}

/* behaviour: R8 (frames break under stores: those to others are not lost) */
TEST_WITH(memory_failure_races, .config = {.cpus = 3, .jitter = 40})
{
	struct race r = {.over = 0};
	unsigned i;

	r.t[0] = sim_task_create(m);
	r.a = anon(r.t[0], PAGES);
	for (i = 0; i < PAGES; i++)
		put64(r.t[0], r.a + i * PG, 0);
	r.t[0]->qt.cap_sys_admin = true;
	r.t[1] = sim_thread(r.t[0]);
	r.t[2] = sim_thread(r.t[0]);
	REQUIRE(r.t[1] && r.t[2]);
	sim_quiet(m, true);
	sim_parallel(m, 3, racer, &r);
	CHECK(broken(m) > 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 3; i++)
		sim_exit(r.t[i]);
}
