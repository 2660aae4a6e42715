/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory from the program's side: first touch, zero page, fork and
 * copy on write, shared memory, stack, limits, out of memory.
 */
#include "common.h"

/* behaviours: F4, E8 */
TEST(anon_first_touch)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	uint64_t min = t->qt.min_flt;
	uint64_t rss = mm_stats(t).anon_pages;

	CHECK_EQ(get64(t, a), 0);
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(get64(t, a + PG + 8), 0);
	/* reads share one zero page, which nobody may count as memory used */
	CHECK_EQ(frame_of(t, a), frame_of(t, a + PG));
	CHECK_EQ(mm_stats(t).anon_pages, rss);
	CHECK_EQ(t->qt.min_flt, min + 2);

	put64(t, a, 42);
	CHECK_EQ(t->faults, 1);
	CHECK(frame_of(t, a) != frame_of(t, a + PG));
	CHECK_EQ(get64(t, a), 42);
	CHECK_EQ(get64(t, a + 8), 0);
	CHECK_EQ(get64(t, a + PG), 0);
	put64(t, a + 2 * PG, 7);
	CHECK_EQ(get64(t, a + 2 * PG + 8), 0);
	CHECK_EQ(mm_stats(t).anon_pages, rss + 2);
	CHECK_EQ(t->qt.min_flt, min + 4);
	CHECK_EQ(t->qt.maj_flt, 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: F10, M3 */
TEST(fork_copies_on_write)
{
	struct sim_task *p = sim_task_create(m), *c, *g;
	uaddr_t a = anon(p, 8);
	unsigned i;

	for (i = 0; i < 8; i++)
		put64(p, a + i * PG, 100 + i);
	c = sim_fork(p);
	REQUIRE(c);
	CHECK_SYSTEM(m);
	CHECK_EQ(frame_of(p, a), frame_of(c, a));
	put64(c, a, 1);
	put64(p, a + PG, 2);
	CHECK_EQ(get64(p, a), 100);
	CHECK_EQ(get64(c, a), 1);
	CHECK_EQ(get64(p, a + PG), 2);
	CHECK_EQ(get64(c, a + PG), 101);
	CHECK(frame_of(p, a) != frame_of(c, a));
	CHECK_EQ(frame_of(p, a + 2 * PG), frame_of(c, a + 2 * PG));
	g = sim_fork(c);
	REQUIRE(g);
	put64(g, a + 2 * PG, 3);
	put64(c, a + 3 * PG, 4);
	CHECK_SYSTEM(m);
	sim_exit(c);
	CHECK_EQ(get64(g, a), 1);
	CHECK_EQ(get64(g, a + 2 * PG), 3);
	CHECK_EQ(get64(g, a + 3 * PG), 103);
	for (i = 2; i < 8; i++)
		CHECK_EQ(get64(p, a + i * PG), 100 + i);
	sim_exit(p);
	CHECK_EQ(get64(g, a + 7 * PG), 107);
	CHECK_SYSTEM(m);
	sim_exit(g);
}

/* behaviour: F10 (owned alone: reused, not copied) */
TEST(sole_owner_reuses_its_page)
{
	struct sim_task *p = sim_task_create(m), *c;
	uaddr_t a = anon(p, 1);
	uint64_t reuse;
	paddr_t frame;

	put64(p, a, 5);
	frame = frame_of(p, a);
	c = sim_fork(p);
	REQUIRE(c);
	sim_exit(c);
	reuse = sim_vmstat(m, "quire_cow_reuse");
	put64(p, a, 6);
	CHECK_EQ(p->faults, 1);
	CHECK_EQ(frame_of(p, a), frame);
	CHECK_EQ(sim_vmstat(m, "quire_cow_reuse"), reuse + 1);
	/* and the other way: the parent goes, the child is left alone */
	c = sim_fork(p);
	REQUIRE(c);
	sim_exit(p);
	put64(c, a, 7);
	CHECK_EQ(frame_of(c, a), frame);
	CHECK_SYSTEM(m);
	sim_exit(c);
}

/*
 * A device that was given a page writes to what its owner sees, whoever forks
 * meanwhile: the child gets a copy at once.
 *
 * behaviours: M3, F10
 */
TEST(fork_copies_pinned_pages)
{
	struct sim_task *p = sim_task_create(m), *c;
	uaddr_t a = anon(p, 4);
	struct page *page;
	unsigned i;

	for (i = 0; i < 4; i++)
		put64(p, a + i * PG, 10 + i);
	REQUIRE_EQ(quire_get_user_pages(p->qt.mm, a + PG, 1, true, &page), 1);
	c = sim_fork(p);
	REQUIRE(c);
	CHECK_SYSTEM(m);
	CHECK_EQ(frame_of(p, a), frame_of(c, a));
	CHECK(frame_of(p, a + PG) != frame_of(c, a + PG));
	CHECK_EQ(mm_stats(c).anon_pages, mm_stats(p).anon_pages);
	/* no fault: neither lost its permission */
	put64(p, a + PG, 21);
	CHECK_EQ(p->faults, 0);
	CHECK_EQ(get64(c, a + PG), 11);
	put64(c, a + PG, 31);
	CHECK_EQ(c->faults, 0);
	CHECK_EQ(frame_of(p, a + PG), quire_page_phys(sim_quire(m), page));
	CHECK_EQ(get64(p, a + PG), 21);
	CHECK_SYSTEM(m);
	sim_exit(p);
	quire_page_put(sim_quire(m), page);
	for (i = 0; i < 4; i++)
		CHECK_EQ(get64(c, a + i * PG), i == 1 ? 31 : 10 + i);
	CHECK_SYSTEM(m);
	sim_exit(c);
}

/* behaviours: M2, M3, C5 */
TEST(shared_anonymous_memory_is_shared)
{
	struct sim_task *p = sim_task_create(m), *c;
	uaddr_t a = must_map(p, 4 * PG, RW, SHANON, NULL, 0);

	put64(p, a, 1);
	c = sim_fork(p);
	REQUIRE(c);
	CHECK_EQ(get64(c, a), 1);
	put64(c, a, 2);
	put64(c, a + PG, 3); /* not there before the fork */
	CHECK_EQ(get64(p, a), 2);
	CHECK_EQ(get64(p, a + PG), 3);
	CHECK_EQ(frame_of(p, a), frame_of(c, a));
	CHECK_SYSTEM(m);
	sim_exit(p);
	CHECK_EQ(get64(c, a), 2);
	CHECK_EQ(get64(c, a + 2 * PG), 0);
	sim_exit(c);
}

/* behaviour: E6 */
TEST(stack_grows_to_its_limit)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t top = sim_stack_top(m), low;

	t->limits.cur[QUIRE_RLIMIT_STACK] = 1 << 20;
	put64(t, top - 8, 1);
	put64(t, top - 500 * 1024, 2); /* far below: grows in one step */
	CHECK_EQ(get64(t, top - 500 * 1024), 2);
	CHECK_EQ(get64(t, top - 300 * 1024), 0);
	low = top - (1 << 20);
	put64(t, low, 3);
	CHECK_SIGNAL(t, sim_store64(t, low - 8, 4), SIGSEGV, QUIRE_SEGV_MAPERR,
		     low - 8);
	CHECK_EQ(get64(t, low), 3);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: E6, M1 */
TEST(stack_keeps_its_guard_gap)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t top = sim_stack_top(m);
	uaddr_t below = top - (2 << 20);
	uaddr_t gap = 256 * PG;

	REQUIRE_EQ(sim_mmap(t, below, PG, RW, ANON | MAP_FIXED, NULL, 0),
		   (sreg_t)below);
	put64(t, below + PG + gap, 1);
	CHECK_SIGNAL(t, sim_store64(t, below + PG + gap - 8, 1), SIGSEGV,
		     QUIRE_SEGV_MAPERR, below + PG + gap - 8);
	/* a mapping without rights is no obstacle of that kind */
	CHECK_EQ(sim_mprotect(t, below, PG, PROT_NONE), 0);
	put64(t, below + PG + gap - 8, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M4 */
TEST_WITH(limits_are_kept, .config = {.max_map_count = 40})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 200), used;
	unsigned i, ok = 0;

	used = (uaddr_t)mm_stats(t).total_vm * PG;
	t->limits.cur[QUIRE_RLIMIT_AS] = used + 10 * PG;
	CHECK_EQ(sim_mmap(t, 0, 11 * PG, RW, ANON, NULL, 0), -ENOMEM);
	anon(t, 10);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, ANON, NULL, 0), -ENOMEM);
	t->limits.cur[QUIRE_RLIMIT_AS] = QUIRE_RLIM_INFINITY;
	/* every other page made read-only: a split in three each time */
	for (i = 1; i < 200; i += 2) {
		int r = sim_mprotect(t, a + i * PG, PG, PROT_READ);

		if (r) {
			CHECK_EQ(r, -ENOMEM);
			break;
		}
		ok++;
	}
	CHECK(ok >= 10 && ok < 22);
	CHECK(mm_stats(t).vmas <= 40);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M2, E6, Z1 */
TEST(protection_and_unmapping_take_effect)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 6);
	uint8_t byte;

	CHECK_EQ(sim_touch_write(t, a, 6 * PG, 9), 0);
	CHECK_EQ(sim_mprotect(t, a + PG, PG, PROT_READ), 0);
	CHECK_EQ(get64(t, a + PG), 9);
	CHECK_SIGNAL(t, sim_store8(t, a + PG + 5, 1), SIGSEGV,
		     QUIRE_SEGV_ACCERR, a + PG + 5);
	CHECK_EQ(sim_mprotect(t, a + 2 * PG, PG, PROT_NONE), 0);
	CHECK_SIGNAL(t, sim_load8(t, a + 2 * PG, &byte), SIGSEGV,
		     QUIRE_SEGV_ACCERR, a + 2 * PG);
	if (TEST_HAS_NX)
		CHECK_SIGNAL(t, sim_fetch(t, a, &byte, 1), SIGSEGV,
			     QUIRE_SEGV_ACCERR, a);
	CHECK_EQ(sim_mprotect(t, a + PG, 2 * PG, RW), 0);
	CHECK_EQ(get64(t, a + 2 * PG), 9);
	put64(t, a + PG, 10);
	CHECK_EQ(sim_munmap(t, a + 3 * PG, PG), 0);
	CHECK_MAPERR(t, a + 3 * PG + 17);
	CHECK_EQ(get64(t, a + 4 * PG), 9);
	CHECK_EQ(sim_madvise(t, a + 4 * PG, PG, MADV_DONTNEED), 0);
	CHECK_EQ(get64(t, a + 4 * PG), 0);
	CHECK_EQ(get64(t, a + 5 * PG), 9);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M2 */
TEST(mremap_moves_the_contents)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 700), b;
	unsigned i;
	sreg_t r;

	for (i = 0; i < 700; i += 3)
		put64(t, a + i * PG, i + 1);
	anon(t, 1); /* below it: room to grow is taken upwards anyway */
	r = sim_mremap(t, a, 700 * PG, 900 * PG, MREMAP_MAYMOVE, 0);
	REQUIRE(mapped_at(r));
	b = (uaddr_t)r;
	for (i = 0; i < 700; i++)
		CHECK_EQ(get64(t, b + i * PG), i % 3 ? 0 : i + 1);
	CHECK_EQ(get64(t, b + 899 * PG), 0);
	if (b != a && b + 900 * PG <= a)
		CHECK_MAPERR(t, a);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_mremap(t, b, 900 * PG, 10 * PG, 0, 0), (sreg_t)b);
	CHECK_MAPERR(t, b + 10 * PG);
	r = sim_mremap(t, b, 10 * PG, 10 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
		       TEST_PLACE(0));
	CHECK_EQ(r, TEST_PLACE(0));
	CHECK_EQ(get64(t, TEST_PLACE(0) + 9 * PG), 10);
	CHECK_MAPERR(t, b);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M3, P5 (threads share; exec and exit give everything back) */
TEST(threads_exec_and_exit)
{
	struct sim_task *t = sim_task_create(m), *u;
	uint64_t free_before = sim_vmstat(m, "nr_free_pages");
	uaddr_t a = anon(t, 600);

	u = sim_thread(t);
	REQUIRE(u);
	CHECK_EQ(quire_mm_users(t->qt.mm), 2);
	CHECK_EQ(sim_touch_write(u, a, 600 * PG, 1), 0);
	CHECK_EQ(get64(t, a + 599 * PG), 1);
	/* what maps 600 pages, and the root */
	CHECK(mm_stats(t).table_bytes >= (600 * PG / PMD_SIZE + 2) * PG);
	sim_exit(u);
	CHECK_EQ(sim_execve(t), 0);
	CHECK_MAPERR(t, a);
	CHECK_SYSTEM(m);
	CHECK(sim_vmstat(m, "nr_free_pages") + 40 > free_before);
	CHECK_EQ(mm_stats(t).anon_pages, 0);
	sim_exit(t);
	CHECK_EQ(sim_vmstat(m, "nr_page_table_pages"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_anon_pages"), 0);
}

/* behaviours: F15, E7 (memory really runs out) */
TEST_WITH(memory_runs_out, .config = {.ram_bytes = 12 << 20, .overcommit = 1})
{
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	uaddr_t a = anon(t, 8192), at;
	int r = 0;

	put64(u, sim_stack_top(m) - 8, 77);
	for (at = a; at < a + 8192 * PG && !r; at += PG)
		r = sim_store64(t, at, at);
	CHECK_EQ(r, SIM_OOM);
	CHECK(at > a + 1000 * PG);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a + 500 * PG), a + 500 * PG);
	CHECK_EQ(get64(u, sim_stack_top(m) - 8), 77);
	sim_exit(t);
	/* what it had is there for the next one */
	a = anon(u, 1000);
	CHECK_EQ(sim_touch_write(u, a, 1000 * PG, 3), 0);
	sim_exit(u);
}

/* behaviours: Z3, Z1 */
TEST_WITH(pcids_keep_translations_across_switches,
	  .config = {.asids = TEST_ASIDS(6)})
{
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	uaddr_t a = anon(t, 1), b = anon(u, 1);
	struct sim_stats before, after;

	put64(t, a, 1);
	put64(u, b, 2);
	CHECK_EQ(a, b);
	put64(t, a, 3);
	sim_get_stats(m, &before);
	CHECK_EQ(get64(u, b), 2);
	CHECK_EQ(get64(t, a), 3);
	sim_get_stats(m, &after);
	if (TEST_ASIDS(6))
		CHECK_EQ(after.walks, before.walks);
	CHECK_EQ(after.table_loads, before.table_loads + 2);
	/* unmapped while u runs elsewhere in time: nothing old may be left */
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	CHECK_EQ(get64(u, b), 2);
	CHECK_MAPERR(t, a);
	sim_exit(t);
	sim_exit(u);
}

/* behaviour: Z3 (more address spaces than ids) */
TEST_WITH(more_address_spaces_than_pcids, .config = {.asids = TEST_ASIDS(6)})
{
	struct sim_task *t[12];
	unsigned i, round;
	uaddr_t a = 0;

	for (i = 0; i < 12; i++) {
		t[i] = sim_task_create(m);
		a = anon(t[i], 1);
		put64(t[i], a, i);
	}
	for (round = 0; round < 5; round++)
		for (i = 0; i < 12; i++) {
			unsigned k = (i * 5 + round) % 12;

			CHECK_EQ(get64(t[k], a), k + round * 100);
			put64(t[k], a, k + round * 100 + 100);
		}
	for (i = 0; i < 12; i++)
		sim_exit(t[i]);
}
