/* SPDX-License-Identifier: MIT */
/*
 * Faults on swap entries: what comes back, what kind of fault it was, who has
 * the page then; and each race between the look at an entry and its locking.
 */
#include "swapout.h"

struct counts {
	uint64_t min, maj, in, out, ra, cow, reuse;
};

static struct counts counts(struct sim_task *t)
{
	return (struct counts){.min = t->qt.min_flt,
			       .maj = t->qt.maj_flt,
			       .in = sim_vmstat(t->m, "pswpin"),
			       .out = sim_vmstat(t->m, "pswpout"),
			       .ra = sim_vmstat(t->m, "swap_ra"),
			       .cow = sim_vmstat(t->m, "quire_cow_copy"),
			       .reuse = sim_vmstat(t->m, "quire_cow_reuse")};
}

static uint64_t users_at(struct sim_task *t, uaddr_t a)
{
	return swap_users(t->qt.q, entry_at(t, a));
}

/* behaviours: F11, F12 (from the device: MAJOR; counters; the page is mapped;
 * from the cache: minor) */
TEST(comes_back)
{
	struct swapdev *d = swapdev_on(m, 64, 0, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	unsigned cached;

	for (cached = 0; cached < 2; cached++) {
		struct counts was;
		struct quire_mm_stats s;

		test_context("cached %u", cached);
		put64(t, a + 8, 77 + cached);
		swap_out(t, a, !cached);
		CHECK(is_swapped(t, a));
		CHECK_EQ(users_at(t, a), 1);
		CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 1);
		CHECK_SYSTEM(m);
		was = counts(t);
		CHECK_EQ(get64(t, a + 8), 77 + cached);
		CHECK_EQ(t->qt.maj_flt, was.maj + !cached);
		CHECK_EQ(t->qt.min_flt, was.min + cached);
		CHECK_EQ(sim_vmstat(m, "pswpin"), was.in + !cached);
		CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 0);
		s = mm_stats(t);
		(void)s;
		CHECK_EQ(get_mm_counter(t->qt.mm, MM_ANONPAGES), 1);
		CHECK_SYSTEM(m);
	}
	CHECK_EQ(d->pages_written, 2);
	sim_exit(t);
}

/* behaviours: F11, F12 (a device that answers at once: no page stays in the
 * cache, the slot is free as soon as the page is back, which is ours alone) */
TEST(synchronous_device)
{
	struct swapdev *d = swapdev_on(m, 64, QUIRE_SWAP_SYNC, -1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	unsigned write;

	for (write = 0; write < 2; write++) {
		struct counts was;

		test_context("write %u", write);
		put64(t, a, 5);
		swap_out(t, a, true);
		was = counts(t);
		if (write)
			put64(t, a, 6);
		CHECK_EQ(get64(t, a), 5 + write);
		CHECK_EQ(t->qt.maj_flt, was.maj + 1);
		CHECK_EQ(t->qt.min_flt, was.min);
		CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
		CHECK(PageFlag(page_at(t, a), PG_anon_exclusive));
		CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), was.cow);
		CHECK_SYSTEM(m);
	}
	CHECK_EQ(d->pages_read, 2);
	sim_exit(t);
}

/* ------------------------------------------------- what the entry keeps (P3)
 */

/* behaviours: P3, F12 (soft-dirty, uffd-wp and exclusive survive the way out
 * and back; fork takes exclusive from both) */
TEST(bits_survive)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a = anon(t, 8);
	unsigned bits;

	swapdev_on(m, 64, 0, -1);
	for (bits = 0; bits < 8; bits++) {
		pte_t e;

		test_context("bits %u", bits);
		put64(t, a, 3);
		swap_out(t, a, true);
		e = ptep_get(pte_at(t, a));
		CHECK(pte_swp_exclusive(e));
		CHECK(pte_swp_soft_dirty(e));
		e = pte_swp_clear_exclusive(pte_swp_clear_soft_dirty(e));
		if (bits & 1)
			e = pte_swp_mkexclusive(e);
		if (bits & 2)
			e = pte_swp_mksoft_dirty(e);
		if (bits & 4)
			e = pte_swp_mkuffd_wp(e);
		poke(t, a, e);
		CHECK_EQ(pte_to_swp_entry(e).v, entry_at(t, a).v);
		CHECK_EQ(get64(t, a), 3);
		e = ptep_get(pte_at(t, a));
		CHECK_EQ(PageFlag(page_at(t, a), PG_anon_exclusive), bits & 1);
		CHECK_EQ(pte_soft_dirty(e), (bits & 2) != 0);
		CHECK_EQ(pte_uffd_wp(e), (bits & 4) != 0);
		CHECK(!pte_write(e));
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_munmap(t, a, PG), 0);
		CHECK_EQ(sim_mmap(t, a, PG, RW, ANON | MAP_FIXED, NULL, 0),
			 (sreg_t)a);
	}
	put64(t, a, 4);
	swap_out(t, a, true);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK(!pte_swp_exclusive(ptep_get(pte_at(t, a))));
	CHECK(!pte_swp_exclusive(ptep_get(pte_at(child, a))));
	CHECK_EQ(users_at(t, a), 2);
	CHECK_SYSTEM(m);
	sim_exit(child);
	CHECK_EQ(users_at(t, a), 1);
	sim_exit(t);
}

/* behaviours: P3, M1, M2, M3, M5 (the calls that go over tables take swap
 * entries along) */
TEST(tables_with_swap_entries)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 8), b;
	uint64_t map[2];
	unsigned char vec[2];
	swp_entry_t e;

	swapdev_on(m, 64, 0, -1);
	t->qt.cap_sys_admin = true;
	put64(t, a, 1);
	put64(t, a + PG, 2);
	swap_out(t, a, true);
	swap_out(t, a + PG, false); /* it is cached */
	e = entry_at(t, a);
	CHECK_EQ(quire_pagemap(t->qt.mm, a, 2, map), 2);
	CHECK_EQ(map[0] >> 61, 2); /* swapped */
	CHECK_EQ(map[0] & 31, swp_type(e));
	CHECK_EQ(map[0] << 9 >> 14, swp_offset(e));
	CHECK_EQ(quire_mincore(t->qt.mm, a, 2 * PG, vec), 0);
	CHECK_EQ(vec[0], 0);
	CHECK_EQ(vec[1], 1);
	CHECK_EQ(quire_clear_refs(t->qt.mm, 4), 0);
	CHECK(!pte_swp_soft_dirty(ptep_get(pte_at(t, a))));
	CHECK_EQ(sim_mprotect(t, a, 2 * PG, PROT_NONE), 0);
	CHECK_EQ(entry_at(t, a).v, e.v);
	CHECK_EQ(sim_mprotect(t, a, 2 * PG, RW), 0);
	b = TEST_PLACE(0);
	CHECK_EQ(sim_mremap(t, a, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
			    b),
		 (sreg_t)b);
	CHECK_EQ(entry_at(t, b).v, e.v);
	CHECK(pte_swp_soft_dirty(ptep_get(pte_at(t, b))));
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, b), 1);
	CHECK_EQ(get64(t, b + PG), 2);
	swap_out(t, b, true);
	e = entry_at(t, b);
	CHECK_EQ(sim_madvise(t, b, PG, MADV_DONTNEED), 0);
	CHECK_EQ(swap_users(q, e), 0);
	CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 0);
	CHECK_EQ(get64(t, b), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
}

/* ----------------------------------------------------------- who has the page
 */

/* behaviours: F10, F12 (shared after fork: a write copies, the last one reuses;
 * swap's own reference does not make a copy) */
TEST(write_after_swap_in)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a = anon(t, 4);
	struct counts was;
	swp_entry_t e;

	swapdev_on(m, 64, 0, -1);
	put64(t, a, 1);
	child = sim_fork(t);
	REQUIRE(child);
	swap_out(t, a, true);
	e = entry_at(t, a);
	CHECK_EQ(swap_users(t->qt.q, e), 2);
	was = counts(t);
	put64(t, a, 2); /* read, and copied: the child has it in swap */
	CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), was.cow + 1);
	CHECK_EQ(swap_users(t->qt.q, e), 1);
	CHECK_SYSTEM(m);
	was = counts(child);
	put64(child, a, 3); /* cached, nobody else's: no copy */
	CHECK_EQ(child->qt.min_flt, was.min + 1);
	CHECK_EQ(child->qt.maj_flt, was.maj);
	CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), was.cow);
	CHECK_EQ(swap_users(t->qt.q, e), 0);
	CHECK(!PageFlag(page_at(child, a), PG_swapcache));
	CHECK_EQ(get64(t, a), 2);
	CHECK_EQ(get64(child, a), 3);
	/* read first, written later: do_wp_page leaves the cache */
	sim_exit(child);
	child = sim_fork(t);
	swap_out(t, a, true);
	sim_exit(child);
	CHECK_EQ(get64(t, a), 2);
	CHECK(PageFlag(page_at(t, a), PG_swapcache));
	was = counts(t);
	put64(t, a, 5);
	CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), was.cow);
	CHECK_EQ(sim_vmstat(m, "quire_cow_reuse"), was.reuse + 1);
	CHECK(!PageFlag(page_at(t, a), PG_swapcache));
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: F11, R3 (a read that fails: SIGBUS for those that have the page,
 * nobody else; when it can be read again it is) */
TEST(read_error)
{
	struct swapdev *d = swapdev_on(m, 64, 0, -1);
	struct sim_task *t = sim_task_create(m);
	struct quire_swap_info info;
	uaddr_t a = anon(t, 4);
	uint8_t b;

	put64(t, a, 9);
	put64(t, a + PG, 10);
	swap_out(t, a, true);
	swap_out(t, a + PG, true);
	d->bad_read[swp_offset(entry_at(t, a))] = 1;
	CHECK_SIGNAL(t, sim_load8(t, a + 5, &b), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 5);
	CHECK_SIGNAL(t, sim_store8(t, a + 6, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 6);
	CHECK_EQ(get64(t, a + PG), 10);
	CHECK_EQ(quire_swap_info(t->qt.q, 0, &info), 0);
	CHECK_EQ(info.read_errors, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
}

/* behaviours: R3, F11 (a write that fails: the page stays, in memory) */
TEST(write_error)
{
	struct swapdev *d = swapdev_on(m, 64, 0, -1);
	struct sim_task *t = sim_task_create(m);
	struct quire_swap_info info;
	uaddr_t a = anon(t, 4);
	uint64_t maj = t->qt.maj_flt;

	memset(d->bad_write, 1, sizeof(d->bad_write));
	put64(t, a, 9);
	swap_out(t, a, false);
	CHECK(is_swapped(t, a));
	CHECK_EQ(quire_swap_info(t->qt.q, 0, &info), 0);
	CHECK_EQ(info.write_errors, 1);
	CHECK_EQ(info.pages_out, 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a), 9);
	CHECK_EQ(t->qt.maj_flt, maj);
	sim_exit(t);
}

/* --------------------------------------------------------------- the races */

struct pair {
	struct sim_machine *m;
	struct swapdev *d;
	struct sim_task *t[2];
	uaddr_t a;
	int result;
	bool store;
	void (*meanwhile)(struct pair *p);
};

/* CPU 0 faults; CPU 1 acts once the read is under way and CPU 0 waits. */
static void fault_and_act(unsigned cpu, void *arg)
{
	struct pair *p = arg;
	uint8_t b;

	if (!cpu) {
		p->result = p->store ? sim_store8(p->t[0], p->a + 9, 7)
				     : sim_load8(p->t[0], p->a + 9, &b);
		sim_run(NULL);
		return;
	}
	while (!swapdev_pending(p->d))
		sim_poll();
	while (!__atomic_load_n(&p->t[0]->wait_word, __ATOMIC_SEQ_CST))
		sim_poll();
	p->meanwhile(p);
	while (swapdev_end(p->d))
		;
	sim_run(NULL);
}

static void run_pair(struct pair *p)
{
	p->d = swapdev_on(p->m, 64, 0, -1);
	p->t[0] = sim_task_create(p->m);
	REQUIRE(p->t[0]);
	p->t[1] = sim_thread(p->t[0]);
	REQUIRE(p->t[1]);
	p->a = anon(p->t[0], 4);
	CHECK_EQ(sim_store8(p->t[0], p->a + 9, 42), 0);
	swap_out(p->t[0], p->a, true);
	__atomic_store_n(&p->d->hold, true, __ATOMIC_RELEASE);
	sim_run(NULL);
	sim_parallel(p->m, 2, fault_and_act, p);
	__atomic_store_n(&p->d->hold, false, __ATOMIC_RELEASE);
	CHECK_SYSTEM(p->m);
}
static void end_pair(struct pair *p)
{
	sim_exit(p->t[1]);
	sim_exit(p->t[0]);
	CHECK_EQ(sim_vmstat(p->m, "nr_swapcached"), 0);
}

static void unmap_page(struct pair *p)
{
	CHECK_EQ(sim_munmap(p->t[1], p->a, PG), 0);
}
/* behaviours: F11, E7 (the entry is gone when the read has ended: the slot, and
 * the page read for nobody, are freed) */
TEST_WITH(unmapped_during_the_read, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = unmap_page};

	run_pair(&p);
	CHECK_EQ(p.result, SIGSEGV);
	CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
	end_pair(&p);
}

static void drop_page(struct pair *p)
{
	CHECK_EQ(sim_madvise(p->t[1], p->a, PG, MADV_DONTNEED), 0);
}
/* behaviour: F11 (another page is wanted there by then) */
TEST_WITH(entry_emptied_during_the_read, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = drop_page};
	uint8_t b = 1;

	run_pair(&p);
	CHECK_EQ(p.result, 0);
	CHECK_EQ(sim_load8(p.t[0], p.a + 9, &b), 0);
	CHECK_EQ(b, 0);
	end_pair(&p);
}

static void move_page(struct pair *p)
{
	CHECK_EQ(sim_mremap(p->t[1], p->a, PG, PG,
			    MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(1)),
		 (sreg_t)TEST_PLACE(1));
}
/* behaviour: F11 (the entry is somewhere else: found there, in the cache) */
TEST_WITH(entry_moved_during_the_read, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = move_page};
	uint8_t b = 1;

	run_pair(&p);
	CHECK_EQ(p.result, SIGSEGV);
	CHECK_EQ(sim_load8(p.t[0], TEST_PLACE(1) + 9, &b), 0);
	CHECK_EQ(b, 42);
	CHECK_EQ(p.d->pages_read, 1);
	end_pair(&p);
}

static void break_device(struct pair *p)
{
	memset(p->d->bad_read, 1, sizeof(p->d->bad_read));
}
/* behaviour: F11 (waited for, and not up to date: SIGBUS) */
TEST_WITH(read_fails_while_waited_for, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = break_device};

	run_pair(&p);
	CHECK_EQ(p.result, SIGBUS);
	end_pair(&p);
}

static void change_the_map(struct pair *p)
{
	uaddr_t b = anon(p->t[1], 4);

	CHECK_EQ(sim_munmap(p->t[1], b, 4 * PG), 0);
}
/* behaviours: F11, E7, E8 (waits without the mmap_lock; one fault, a major one;
 * the wait is accounted) */
TEST_WITH(swap_waits_without_the_mmap_lock, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = change_the_map, .store = true};
	uint8_t b = 0;

	run_pair(&p);
	CHECK_EQ(p.result, 0);
	CHECK_EQ(p.t[0]->qt.maj_flt, 1);
	CHECK(p.t[0]->qt.swapin_ns > 0);
	CHECK_EQ(sim_load8(p.t[0], p.a + 9, &b), 0);
	CHECK_EQ(b, 7);
	end_pair(&p);
}

static void second_fault(struct pair *p)
{
	struct sim_task *t = p->t[1];
	uint8_t b = 0;
	int e;

	t->qt.nowait = true;
	CHECK_EQ(sim_load8(t, p->a + 9, &b), SIM_WAITS);
	CHECK_EQ(p->d->pages_read, 1);
	while (swapdev_end(p->d))
		;
	/* the other one may hold the page now, for a moment */
	for (e = SIM_WAITS; e == SIM_WAITS; sim_poll())
		e = sim_load8(t, p->a + 9, &b);
	CHECK_EQ(e, 0);
	CHECK_EQ(b, 42);
	t->qt.nowait = false;
}
/* behaviour: F11 (two faults on one entry read it once; the one that may not
 * wait is told) */
TEST_WITH(two_faults_one_read, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = second_fault};

	run_pair(&p);
	CHECK_EQ(p.result, 0);
	end_pair(&p);
}

/* behaviour: F11 (an entry that looked bad before it was locked, and is good:
 * its slot was freed and given to the same page again) */
TEST(entry_is_good_after_all)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	struct vm_fault vmf = {.address = a};

	swapdev_on(m, 64, 0, -1);
	put64(t, a, 5);
	swap_out(t, a, true);
	vmf.vma = find_vma(t->qt.mm, a);
	vmf.pmd = mm_find_pmd(t->qt.mm, a);
	vmf.pte = pte_at(t, a);
	vmf.orig_pte = ptep_get(vmf.pte);
	down_read(&t->qt.mm->mmap_lock);
	CHECK_EQ(bad_swap_entry(&vmf), 0);
	up_read(&t->qt.mm->mmap_lock);
	CHECK_EQ(get64(t, a), 5);
	sim_exit(t);
}

/* No page for an entry: for want of memory, or because nobody has it any more
 * (then the fault is repeated, and nobody is killed for it). */
TEST(no_page_for_the_entry)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 1);
	enum swap_found found;
	struct page *page;
	swp_entry_t entry;

	swapdev_on(m, 64, 0, -1);
	put64(t, a, 5);
	swap_out(t, a, true);
	entry = entry_at(t, a);
	if (sim_has_injection()) {
		sim_inject_reset(m);
		sim_inject_nth(m, 1, true);
		CHECK(!swapin_readahead(q, entry, GFP_HIGHUSER_MOVABLE, NULL, 0,
					&found));
		CHECK_EQ(found, SWAP_NO_MEMORY);
		sim_inject_reset(m);
	}
	page = swapin_readahead(q, entry, GFP_HIGHUSER_MOVABLE, NULL, 0,
				&found);
	CHECK_EQ(found, SWAP_FRESH);
	REQUIRE(page);
	put_page(q, page);
	page = swapin_readahead(q, entry, GFP_HIGHUSER_MOVABLE, NULL, 0,
				&found);
	CHECK_EQ(found, SWAP_CACHED);
	REQUIRE(page);
	put_page(q, page);
	CHECK_EQ(get64(t, a), 5);
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	CHECK_EQ(swap_users(q, entry), 0);
	CHECK(!swapin_readahead(q, entry, GFP_HIGHUSER_MOVABLE, NULL, 0,
				&found));
	CHECK_EQ(found, SWAP_GONE);
	sim_exit(t);
	CHECK_SYSTEM(m);
}

struct handover {
	struct sim_machine *m;
	struct swapdev *d;
	struct sim_task *t;
	uaddr_t a;
	unsigned begun, ended; /* rounds */
	unsigned left;	       /* pages for nobody */
};

/* CPU 0 drops the entry of a page whose write CPU 1 ends. */
static void drop_and_end(unsigned cpu, void *arg)
{
	struct handover *h = arg;
	unsigned i;

	for (i = 1; i <= ROUNDS(200); i++) {
		if (cpu) {
			while (__atomic_load_n(&h->begun, __ATOMIC_ACQUIRE) !=
			       i)
				sim_poll();
			(void)swapdev_end(h->d);
			__atomic_store_n(&h->ended, i, __ATOMIC_RELEASE);
			continue;
		}
		put64(h->t, h->a, i);
		swap_out(h->t, h->a, false);
		__atomic_store_n(&h->begun, i, __ATOMIC_RELEASE);
		CHECK_EQ(sim_madvise(h->t, h->a, PG, MADV_DONTNEED), 0);
		while (__atomic_load_n(&h->ended, __ATOMIC_ACQUIRE) != i)
			sim_poll();
		if (sim_vmstat(h->m, "nr_swapcached"))
			h->left++;
	}
	sim_run(NULL);
}

/* behaviours: F12, R3 (the last entry goes while the write ends: the page does
 * not stay in the cache for nobody) */
TEST_WITH(dropped_at_the_end_of_the_write, .config = {.cpus = 2, .jitter = 16})
{
	struct handover h = {.m = m, .d = swapdev_on(m, 4000, 0, -1)};

	h.t = sim_task_create(m);
	REQUIRE(h.t);
	h.a = anon(h.t, 1);
	__atomic_store_n(&h.d->hold, true, __ATOMIC_RELEASE);
	sim_run(NULL);
	sim_parallel(m, 2, drop_and_end, &h);
	CHECK_EQ(h.left, 0);
	CHECK_SYSTEM(m);
	sim_exit(h.t);
}

/* ------------------------------------------------------------- many rounds */

struct storm {
	struct sim_machine *m;
	struct sim_task *t[2];
	uaddr_t a;
};

/* Both CPUs send pages out, store, read, fork and exit, as they come. */
static void in_and_out(unsigned cpu, void *arg)
{
	struct storm *s = arg;
	struct sim_task *t = s->t[cpu], *child;
	unsigned i, k;

	for (i = 0; i < ROUNDS(400); i++) {
		uaddr_t mine = s->a + cpu * 8 * PG;

		sim_run(t);
		(void)quire_madvise(t->qt.mm, s->a, 16 * PG, MADV_PAGEOUT);
		child = i % 8 ? NULL : sim_fork(t);
		for (k = 0; k < 8; k++) {
			if (i)
				CHECK_EQ(get64(t, mine + k * PG),
					 (i - 1) * 100 + k);
			put64(t, mine + k * PG, i * 100 + k);
		}
		for (k = 0; child && k < 8 && i; k++)
			CHECK_EQ(get64(child, mine + k * PG),
				 (i - 1) * 100 + k);
		if (child)
			sim_exit(child);
	}
	sim_run(NULL);
}

/* behaviours: F11, F12, R3 (two CPUs, one address space, any order) */
TEST_WITH(swap_storm, .config = {.cpus = 2, .jitter = 50}, .seconds = 240)
{
	unsigned sync;

	for (sync = 0; sync < 2; sync++) {
		struct storm s = {.m = m};

		test_context("sync %u", sync);
		swapdev_on(m, 200, sync ? QUIRE_SWAP_SYNC : 0, -1);
		s.t[0] = sim_task_create(m);
		REQUIRE(s.t[0]);
		s.t[1] = sim_thread(s.t[0]);
		s.a = anon(s.t[0], 16);
		sim_run(NULL);
		sim_parallel(m, 2, in_and_out, &s);
		CHECK_SYSTEM(m);
		CHECK(sim_vmstat(m, "pswpout") > 0);
		sim_exit(s.t[1]);
		sim_exit(s.t[0]);
		CHECK_EQ(quire_swapoff(sim_quire(m), 0), 0);
	}
}

/* ------------------------------------------------ every allocation failed */

static void out_in_and_fork(struct sim_machine *m, void *arg)
{
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_config c = swapdev_config(d, 64, 0, -1);
	struct sim_task *t, *child;
	uint64_t v;
	sreg_t r;
	int i;

	(void)arg;
	if (quire_swapon(sim_quire(m), &c))
		return;
	t = sim_task_create(m);
	if (!t)
		return;
	r = sim_mmap(t, 0, 4 * PG, RW, ANON, NULL, 0);
	if (!mapped_at(r))
		goto out;
	for (i = 0; i < 4; i++)
		if (sim_store64(t, (uaddr_t)r + (uaddr_t)i * PG, 7) == 0 &&
		    i < 3)
			swap_out(t, (uaddr_t)r + (uaddr_t)i * PG, i & 1);
	child = sim_fork(t);
	for (i = 0; i < 4; i++) {
		int err = sim_load64(t, (uaddr_t)r + (uaddr_t)i * PG, &v);

		if (CHECK(!err || err == SIM_OOM) && !err)
			CHECK(v == 7 || v == 0);
		if (child) {
			err = sim_store64(child, (uaddr_t)r + (uaddr_t)i * PG,
					  8);
			CHECK(!err || err == SIM_OOM);
		}
	}
	if (child)
		sim_exit(child);
out:
	sim_exit(t);
}

/* behaviours: F11, R3 (no memory: VM_FAULT_OOM, nothing lost or left) */
TEST_WITH(swap_every_failure, .seconds = 120)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};

	if (sim_has_injection())
		CHECK(test_every_failure(&c, out_in_and_fork, NULL) > 20);
	sim_bind(m, 0);
}

/* behaviours: C4, R3 (a file is truncated: the private copies beyond go, from
 * the tables, from the swap cache and from swap) */
TEST(truncate_of_swapped_copies)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/f", 8 * PG, 1);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	uint64_t total, free;
	unsigned i;

	swapdev_on(m, 64, 0, -1);
	for (i = 0; i < 8; i++) {
		put64(t, a + i * PG, i);
		swap_out(t, a + i * PG, i & 1);
		if (i & 2)
			CHECK_EQ(get64(t, a + i * PG), i);
	}
	CHECK_SYSTEM(m);
	sim_file_truncate(f, PG);
	CHECK_SYSTEM(m);
	quire_swap_total(t->qt.q, &total, &free);
	CHECK_EQ(free, total - 1);
	CHECK_EQ(get64(t, a), 0);
	sim_exit(t);
	sim_file_close(f);
}
