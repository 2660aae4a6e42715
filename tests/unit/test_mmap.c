/* SPDX-License-Identifier: MIT */
/*
 * The mmap family from the program's side: where mappings go, which become one
 * line of maps, what each call answers, what it does to the contents, limits.
 * The answers are Linux's (tests/diff/NOTES.md).
 */
#include <tests/unit/mappings.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED   2
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* ------------------------------------------------------------- placement */

/* behaviours: M1, M2 */
TEST(mappings_go_top_down)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4), b = anon(t, 2), c;

	CHECK_EQ(b, a - 2 * PG);
	/* the highest hole that fits */
	c = anon(t, 8);
	CHECK_EQ(c, b - 8 * PG);
	CHECK_EQ(sim_munmap(t, a, 3 * PG), 0);
	CHECK_EQ(anon(t, 2), a + PG);
	CHECK_EQ(anon(t, 2), c - 2 * PG);
	CHECK_EQ(anon(t, 1), a);
	/* a hint is rounded down, and taken where there is room */
	CHECK_EQ(sim_mmap(t, A + 5, PG, RW, ANON, NULL, 0), A);
	c = (uaddr_t)sim_mmap(t, A, PG, RW, ANON, NULL, 0);
	CHECK(c != A && c < a);
	CHECK_EQ(sim_mmap(t, A, PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0),
		 -EEXIST);
	CHECK_EQ(sim_mmap(t, A + PG, PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL,
			  0),
		 A + PG);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M1, M2 */
TEST(mappings_go_bottom_up)
{
	struct sim_task *t = sim_task_create_bare(m);
	struct quire_mm_layout l;
	uaddr_t a;

	quire_mm_get_layout(t->qt.mm, &l);
	l.topdown = false;
	l.mmap_base = TEST_PLACE(1);
	quire_mm_set_layout(t->qt.mm, &l);
	a = anon(t, 2);
	CHECK_EQ(a, l.mmap_base);
	CHECK_EQ(anon(t, 1), a + 2 * PG);
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	CHECK_EQ(anon(t, 2), a + 3 * PG);
	CHECK_EQ(anon(t, 1), a);
	sim_exit(t);
}

/* behaviours: M1, E6 (a hint or a search does not go into a stack's gap) */
TEST(the_guard_gap_is_not_given_away)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t s = A + 1000 * PG;

	CHECK_EQ(sim_mmap(t, s, PG, RW, FIX | MAP_GROWSDOWN, NULL, 0), s);
	CHECK(sim_mmap(t, s - PG, PG, RW, ANON, NULL, 0) != (sreg_t)(s - PG));
	CHECK(sim_mmap(t, s - 256 * PG, PG, RW, ANON, NULL, 0) !=
	      (sreg_t)(s - 256 * PG));
	CHECK_EQ(sim_mmap(t, s - 257 * PG, PG, RW, ANON, NULL, 0),
		 s - 257 * PG);
	/* who insists gets it; then the stack cannot grow */
	CHECK_EQ(sim_mmap(t, s - 2 * PG, PG, RW, FIX, NULL, 0), s - 2 * PG);
	CHECK_MAPERR(t, s - PG);
	sim_exit(t);
}

/* ---------------------------------------------------------------- merging */

/* behaviours: M1, M2, M5 */
TEST(anonymous_neighbours_become_one)
{
	struct sim_task *t = sim_task_create(m);

	map_at(t, 0, 2, RW, MAP_PRIVATE);
	map_at(t, 4, 2, RW, MAP_PRIVATE);
	CHECK_EQ(pieces(t), 2);
	map_at(t, 2, 2, RW, MAP_PRIVATE); /* both sides at once */
	CHECK_EQ(pieces(t), 1);
	CHECK_EQ(sim_mprotect(t, A + 2 * PG, PG, PROT_READ), 0);
	CHECK_EQ(pieces(t), 3);
	CHECK_EQ(sim_mprotect(t, A + 3 * PG, PG, PROT_READ), 0);
	CHECK_EQ(pieces(t), 3);
	CHECK_EQ(sim_mprotect(t, A, 6 * PG, PROT_READ), 0);
	CHECK_EQ(pieces(t), 1);
	CHECK_EQ(sim_mprotect(t, A, 6 * PG, RW), 0);
	CHECK_EQ(sim_madvise(t, A + PG, PG, MADV_RANDOM), 0);
	CHECK_EQ(pieces(t), 3);
	CHECK_EQ(sim_madvise(t, A, 6 * PG, MADV_NORMAL), 0);
	CHECK_EQ(pieces(t), 1);
	/* other flags, another object: none */
	map_at(t, 6, 1, RW, MAP_PRIVATE | MAP_NORESERVE);
	map_at(t, 7, 1, RW, MAP_SHARED);
	map_at(t, 8, 1, RW, MAP_SHARED);
	CHECK_EQ(pieces(t), 4);
	CHECK_SYSTEM(m);
	wipe(t);
	sim_exit(t);
}

/* behaviours: M1, R1 (who may share an anon_vma) */
TEST(faulted_neighbours_become_one_only_in_a_family)
{
	struct sim_task *t = sim_task_create(m), *c;

	/* written + never written: either side */
	map_at(t, 0, 1, RW, MAP_PRIVATE);
	put64(t, A, 1);
	map_at(t, 1, 1, RW, MAP_PRIVATE);
	CHECK_EQ(pieces(t), 1);
	/* two that were written apart never do; what comes between joins the
	 * lower one */
	map_at(t, 4, 1, RW, MAP_PRIVATE);
	put64(t, A + 4 * PG, 2);
	map_at(t, 2, 2, RW, MAP_PRIVATE);
	CHECK_EQ(pieces(t), 2);
	CHECK_EQ(lines(t, A + 3 * PG, A + 4 * PG), 1);
	CHECK_EQ(lines(t, A, A + 4 * PG), 1);
	CHECK_SYSTEM(m);
	/* side by side under different protection they share: one again */
	map_at(t, 10, 1, RW, MAP_PRIVATE);
	map_at(t, 11, 1, RW | PROT_EXEC, MAP_PRIVATE);
	put64(t, A + 10 * PG, 3);
	put64(t, A + 11 * PG, 4);
	CHECK_EQ(sim_mprotect(t, A + 11 * PG, PG, RW), 0);
	CHECK_EQ(lines(t, A + 10 * PG, A + 12 * PG), 1);
	/* a child's has links to its parent's: it takes in no new stretch */
	c = sim_fork(t);
	REQUIRE(c);
	map_at(c, 12, 1, RW, MAP_PRIVATE);
	CHECK_EQ(lines(c, A + 10 * PG, A + 13 * PG), 2);
	map_at(t, 12, 1, RW, MAP_PRIVATE);
	CHECK_EQ(lines(t, A + 10 * PG, A + 13 * PG), 1);
	/* ... but the halves of one go together again */
	CHECK_EQ(sim_mprotect(c, A + 10 * PG, PG, PROT_READ), 0);
	CHECK_EQ(lines(c, A + 10 * PG, A + 12 * PG), 2);
	CHECK_EQ(sim_mprotect(c, A + 10 * PG, PG, RW), 0);
	CHECK_EQ(lines(c, A + 10 * PG, A + 12 * PG), 1);
	CHECK_EQ(get64(c, A + 10 * PG), 3);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(get64(c, A + 11 * PG), 4);
	CHECK_SYSTEM(m);
	sim_exit(c);
}

/*
 * The promise of memory (VM_ACCOUNT) is a flag too: it goes from what was never
 * written, and stays with what was.
 */
/* behaviours: M2, M4 */
TEST(read_only_memory_gives_its_promise_back)
{
	struct sim_task *t = sim_task_create(m);
	struct quire_meminfo before, now;

	quire_get_meminfo(sim_quire(m), &before);
	map_at(t, 0, 2, PROT_READ, MAP_PRIVATE);
	map_at(t, 2, 2, RW, MAP_PRIVATE);
	quire_get_meminfo(sim_quire(m), &now);
	CHECK_EQ(now.committed, before.committed + 2);
	CHECK_EQ(sim_mprotect(t, A + 2 * PG, 2 * PG, PROT_READ), 0);
	quire_get_meminfo(sim_quire(m), &now);
	CHECK_EQ(now.committed, before.committed);
	CHECK_EQ(pieces(t), 1);
	CHECK_EQ(sim_mprotect(t, A + 2 * PG, 2 * PG, RW), 0);
	put64(t, A + 2 * PG, 1);
	CHECK_EQ(sim_mprotect(t, A + 2 * PG, 2 * PG, PROT_READ), 0);
	CHECK_EQ(pieces(t), 2);
	quire_get_meminfo(sim_quire(m), &now);
	CHECK_EQ(now.committed, before.committed + 2);
	/* shared memory is promised as an object, once */
	map_at(t, 10, 4, RW, MAP_SHARED);
	map_at(t, 20, 4, RW, MAP_SHARED | MAP_NORESERVE);
	quire_get_meminfo(sim_quire(m), &now);
	CHECK_EQ(now.committed, before.committed + 6);
	CHECK_EQ(sim_munmap(t, A + 10 * PG, 3 * PG), 0);
	quire_get_meminfo(sim_quire(m), &now);
	CHECK_EQ(now.committed, before.committed + 6);
	wipe(t);
	quire_get_meminfo(sim_quire(m), &now);
	CHECK_EQ(now.committed, before.committed);
	sim_exit(t);
}

/* ---------------------------------------------------------------- answers */

/* behaviour: M2 */
TEST(mmap_refuses_as_linux_does)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 3 * PG, 1);
	struct sim_file *ro = sim_file_reopen(f, true, false);
	struct sim_file *wo = sim_file_reopen(f, false, true);
	uaddr_t top = quire_task_size(sim_quire(m));

	CHECK_EQ(sim_mmap(t, 0, PG, RW, ANON, NULL, 7), -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, 0, RW, MAP_PRIVATE, NULL, 0), -EBADF);
	CHECK_EQ(sim_mmap(t, 0, 0, RW, ANON, NULL, 0), -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, (uaddr_t)-1, RW, ANON, NULL, 0), -ENOMEM);
	CHECK_EQ(sim_mmap(t, 0, top + PG, RW, ANON, NULL, 0), -ENOMEM);
	CHECK_EQ(sim_mmap(t, A + 1, PG, RW, FIX, NULL, 0), -EINVAL);
	CHECK_EQ(sim_mmap(t, top - PG, 2 * PG, RW, FIX, NULL, 0), -ENOMEM);
	CHECK_EQ(sim_mmap(t, PG, PG, RW, FIX, NULL, 0), -EPERM);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_ANONYMOUS | 3, NULL, 0), -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, SHANON | MAP_GROWSDOWN, NULL, 0),
		 -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, 2 << 20, RW, ANON | MAP_HUGETLB, NULL, 0),
		 ARCH_HUGE_SIZES != 0 ? -ENOMEM : -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, 2 << 20, RW, ANON | MAP_HUGETLB | 12 << 26,
			  NULL, 0),
		 -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, ro, 0), -EACCES);
	must_map(t, PG, RW, MAP_PRIVATE, ro, 0);
	CHECK_EQ(sim_mmap(t, 0, PG, PROT_NONE, MAP_SHARED, wo, 0), -EACCES);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_PRIVATE | MAP_GROWSDOWN, f, 0),
		 -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, 3 | 0x800000, f, 0), -EOPNOTSUPP);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, f, -(uint64_t)PG),
		 -EOVERFLOW);
	sim_file_set_perm(f, true, true, true);
	CHECK_EQ(sim_mmap(t, 0, PG, PROT_EXEC, MAP_PRIVATE, f, 0), -EPERM);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(ro);
	sim_file_close(wo);
	sim_file_close(f);
}

/* behaviour: M2 */
TEST(mprotect_answers)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 3 * PG, 1);
	struct sim_file *ro = sim_file_reopen(f, true, false);
	uaddr_t r = must_map(t, PG, PROT_READ, MAP_SHARED, ro, 0);

	map_at(t, 0, 2, RW, MAP_PRIVATE);
	map_at(t, 4, 2, RW, MAP_PRIVATE);
	CHECK_EQ(sim_mprotect(t, A + 1, PG, RW), -EINVAL);
	CHECK_EQ(sim_mprotect(t, A + 9 * PG, 0, 0xff), 0);
	CHECK_EQ(sim_mprotect(t, A, (uaddr_t)-1, RW), -ENOMEM);
	CHECK_EQ(sim_mprotect(t, A, PG, 0x10), -EINVAL);
	CHECK_EQ(sim_mprotect(t, A, PG, 0x03000000), -EINVAL);
	CHECK_EQ(sim_mprotect(t, A, PG, RW | 0x01000000), -EINVAL);
	CHECK_EQ(sim_mprotect(t, A + 2 * PG, PG, RW), -ENOMEM);
	CHECK_EQ(sim_mprotect(t, r, PG, RW), -EACCES);
	/* a hole: what is before it is changed */
	CHECK_EQ(sim_mprotect(t, A, 6 * PG, PROT_READ), -ENOMEM);
	CHECK_EQ(sim_store8(t, A, 1), SIGSEGV);
	CHECK_EQ(sim_store8(t, A + 4 * PG, 1), 0);
	/* PROT_GROWSDOWN reaches down to the start of a stack's VMA */
	map_at(t, 700, 4, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN);
	CHECK_EQ(sim_mprotect(t, A + 703 * PG, PG, RW | 0x01000000), 0);
	CHECK_EQ(sim_store8(t, A + 700 * PG, 1), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(ro);
	sim_file_close(f);
}

/* behaviours: M2, E8 (made writable by mprotect itself: no fault) */
TEST(mprotect_keeps_pages_and_their_state)
{
	struct sim_task *t = sim_task_create(m), *c;
	uint64_t min;
	paddr_t frame;

	map_at(t, 0, 4, RW, MAP_PRIVATE);
	put64(t, A, 11);
	CHECK_EQ(get64(t, A + PG), 0);
	frame = frame_of(t, A);
	CHECK_EQ(sim_mprotect(t, A, 4 * PG, PROT_NONE), 0);
	CHECK_SIGNAL(t, sim_load8(t, A, &(uint8_t){0}), SIGSEGV,
		     QUIRE_SEGV_ACCERR, A);
	CHECK_EQ(mm_stats(t).anon_pages, 1);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_mprotect(t, A, 4 * PG, RW), 0);
	min = t->qt.min_flt;
	put64(t, A, 12);
	CHECK_EQ(t->qt.min_flt, min);
	CHECK_EQ(frame_of(t, A), frame);
	put64(t, A + PG, 1); /* the zero page: must be copied */
	CHECK_EQ(t->qt.min_flt, min + 1);
	/* a page that a fork shares is not made writable */
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(sim_mprotect(t, A, 4 * PG, PROT_READ), 0);
	CHECK_EQ(sim_mprotect(t, A, 4 * PG, RW), 0);
	put64(t, A, 13);
	CHECK_EQ(get64(c, A), 12);
	/* nor, until it is reused, once the child is gone */
	sim_exit(c);
	CHECK_EQ(sim_mprotect(t, A, 4 * PG, PROT_READ), 0);
	CHECK_EQ(sim_mprotect(t, A, 4 * PG, RW), 0);
	min = t->qt.min_flt;
	put64(t, A + PG, 2);
	CHECK_EQ(t->qt.min_flt, min + 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M2, Z1 */
TEST(munmap_cuts_exactly)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t top = quire_task_size(sim_quire(m));
	unsigned i;

	map_at(t, 0, 8, RW, MAP_PRIVATE);
	for (i = 0; i < 8; i++)
		put64(t, A + i * PG, i);
	CHECK_EQ(sim_munmap(t, A + 1, PG), -EINVAL);
	CHECK_EQ(sim_munmap(t, A, 0), -EINVAL);
	CHECK_EQ(sim_munmap(t, A, (uaddr_t)-1), -EINVAL);
	CHECK_EQ(sim_munmap(t, top - PG, 2 * PG), -EINVAL);
	CHECK_EQ(sim_munmap(t, A + 100 * PG, PG), 0);
	CHECK_EQ(sim_munmap(t, A + 2 * PG, 3 * PG - 5), 0);
	CHECK_EQ(pieces(t), 2);
	for (i = 0; i < 8; i++)
		if (i < 2 || i > 4)
			CHECK_EQ(get64(t, A + i * PG), i);
		else
			CHECK_MAPERR(t, A + i * PG);
	CHECK_EQ(mm_stats(t).anon_pages, 5);
	CHECK_SYSTEM(m);
	/* MAP_FIXED replaces, over the borders of several */
	map_at(t, 1, 6, PROT_READ, MAP_PRIVATE);
	CHECK_EQ(get64(t, A + PG), 0);
	CHECK_EQ(get64(t, A), 0);
	CHECK_EQ(get64(t, A + 7 * PG), 7);
	CHECK_EQ(mm_stats(t).anon_pages, 2);
	CHECK_SYSTEM(m);
	wipe(t);
	CHECK_EQ(mm_stats(t).anon_pages, 0);
	sim_exit(t);
}

/* ---------------------------------------------------------------- mremap */

static sreg_t remap(struct sim_task *t, uaddr_t page, uaddr_t old, uaddr_t new,
		    unsigned flags, uaddr_t to)
{
	sreg_t r = sim_mremap(t, A + page * PG, old * PG, new *PG, flags,
			      A + to * PG);

	return mapped_at(r) ? (sreg_t)((uaddr_t)r - A) / (sreg_t)PG : r;
}

/* behaviour: M2 */
TEST(mremap_answers)
{
	const unsigned move = MREMAP_MAYMOVE, fix = move | MREMAP_FIXED;
	struct sim_task *t = sim_task_create(m);

	map_at(t, 10, 4, RW, MAP_PRIVATE);
	map_at(t, 20, 4, RW, MAP_SHARED);
	CHECK_EQ(remap(t, 10, 4, 4, 8, 0), -EINVAL);
	CHECK_EQ(remap(t, 10, 4, 0, move, 0), -EINVAL);
	CHECK_EQ(sim_mremap(t, A + 10 * PG + 1, PG, PG, move, 0), -EINVAL);
	CHECK_EQ(remap(t, 10, 4, 4, MREMAP_FIXED, 50), -EINVAL);
	CHECK_EQ(remap(t, 10, 4, 5, move | MREMAP_DONTUNMAP, 50), -EINVAL);
	CHECK_EQ(remap(t, 10, 4, 4, fix, 12), -EINVAL);
	CHECK_EQ(sim_mremap(t, A + 10 * PG, PG, PG, fix, A + 3), -EINVAL);
	CHECK_EQ(remap(t, 14, 1, 1, move, 0), -EFAULT);
	CHECK_EQ(remap(t, 12, 4, 5, move, 0), -EFAULT);
	CHECK_EQ(remap(t, 12, 1, 9, 0, 0), -ENOMEM);
	CHECK_EQ(remap(t, 10, 0, 2, move, 0), -EINVAL);
	CHECK_EQ(remap(t, 20, 0, 2, 0, 0), -ENOMEM);
	CHECK_EQ(remap(t, 10, 8, 6, fix, 200), -EFAULT);
	CHECK_EQ(lines(t, A + 200 * PG, A + 210 * PG), 0);
	/* the same size, the tail off, and old length 0: a second view */
	CHECK_EQ(remap(t, 10, 9, 9, 0, 0), 10);
	CHECK_EQ(remap(t, 10, 9, 3, 0, 0), 10);
	CHECK_EQ(lines(t, A + 13 * PG, A + 19 * PG), 0);
	put64(t, A + 20 * PG, 77);
	CHECK_EQ(remap(t, 20, 0, 2, fix, 32), 32);
	CHECK_EQ(get64(t, A + 32 * PG), 77);
	put64(t, A + 32 * PG, 78);
	CHECK_EQ(get64(t, A + 20 * PG), 78);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M2, R1 */
TEST(mremap_grows_in_place_and_joins)
{
	struct sim_task *t = sim_task_create(m);

	map_at(t, 0, 2, RW, MAP_PRIVATE);
	map_at(t, 6, 2, RW, MAP_PRIVATE);
	put64(t, A, 1);
	CHECK_EQ(remap(t, 0, 2, 4, 0, 0), 0);
	CHECK_EQ(pieces(t), 2);
	put64(t, A + 3 * PG, 2);
	CHECK_EQ(remap(t, 0, 4, 6, 0, 0), 0);
	CHECK_EQ(pieces(t), 1);
	CHECK_EQ(remap(t, 0, 8, 9, 0, 0), 0);
	CHECK_EQ(get64(t, A), 1);
	CHECK_EQ(get64(t, A + 3 * PG), 2);
	CHECK_EQ(mm_stats(t).total_vm * PG, 9 * PG + 33 * PG);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M2, R1 (a page keeps its index and its family) */
TEST(mremap_moves_and_comes_back)
{
	const unsigned fix = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct sim_task *t = sim_task_create(m), *c;
	unsigned i;

	map_at(t, 0, 6, RW, MAP_PRIVATE);
	for (i = 0; i < 6; i++)
		put64(t, A + i * PG, 50 + i);
	CHECK_EQ(remap(t, 2, 2, 2, fix, 600), 600);
	CHECK_SYSTEM(m);
	CHECK_EQ(pieces(t), 3);
	CHECK_MAPERR(t, A + 2 * PG);
	CHECK_EQ(get64(t, A + 600 * PG), 52);
	CHECK_EQ(get64(t, A + 601 * PG), 53);
	c = sim_fork(t);
	REQUIRE(c);
	put64(c, A + 600 * PG, 1);
	CHECK_EQ(get64(t, A + 600 * PG), 52);
	CHECK_SYSTEM(m);
	sim_exit(c);
	CHECK_EQ(remap(t, 600, 2, 2, fix, 2), 2);
	CHECK_EQ(pieces(t), 1);
	for (i = 0; i < 6; i++)
		CHECK_EQ(get64(t, A + i * PG), 50 + i);
	/* never written: its offset is its address, so it merges there */
	map_at(t, 100, 2, RW, MAP_PRIVATE);
	CHECK_EQ(remap(t, 100, 2, 2, fix, 6), 6);
	CHECK_EQ(pieces(t), 1);
	/* beside itself, and with its new place merged with the old */
	map_at(t, 300, 3, RW, MAP_PRIVATE);
	CHECK_EQ(remap(t, 300, 3, 3, fix | MREMAP_DONTUNMAP, 303), 303);
	CHECK_EQ(lines(t, A + 300 * PG, A + 306 * PG), 1);
	CHECK_EQ(remap(t, 300, 3, 3, fix, 306), 306);
	CHECK_EQ(lines(t, A + 300 * PG, A + 310 * PG), 1);
	/* what DONTUNMAP leaves is not locked, though it be one with the new */
	CHECK_EQ(quire_mlock(t->qt.mm, A + 306 * PG, 3 * PG, MLOCK_ONFAULT), 0);
	CHECK_EQ(remap(t, 306, 3, 3, fix | MREMAP_DONTUNMAP, 309), 309);
	CHECK_EQ(mm_stats(t).locked_vm, 0);
	CHECK_EQ(lines(t, A + 306 * PG, A + 312 * PG), 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M2 */
TEST(mremap_of_several_and_dontunmap)
{
	const unsigned fix = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct sim_task *t = sim_task_create(m);

	map_at(t, 0, 2, RW, MAP_PRIVATE);
	map_at(t, 3, 2, RW | PROT_EXEC, MAP_PRIVATE);
	put64(t, A + PG, 1);
	put64(t, A + 3 * PG, 2);
	/* pieces and holes keep their places; a hole replaces nothing */
	map_at(t, 102, 1, PROT_READ, MAP_PRIVATE);
	CHECK_EQ(remap(t, 0, 5, 5, fix, 100), 100);
	CHECK_EQ(lines(t, A, A + 10 * PG), 0);
	CHECK_EQ(lines(t, A + 100 * PG, A + 105 * PG), 3);
	CHECK_EQ(get64(t, A + 101 * PG), 1);
	CHECK_EQ(get64(t, A + 103 * PG), 2);
	CHECK_SYSTEM(m);
	/* DONTUNMAP: the old place is there and empty */
	CHECK_EQ(remap(t, 103, 2, 2, fix | MREMAP_DONTUNMAP, 200), 200);
	CHECK_EQ(get64(t, A + 200 * PG), 2);
	CHECK_EQ(get64(t, A + 103 * PG), 0);
	put64(t, A + 103 * PG, 5);
	CHECK_EQ(get64(t, A + 200 * PG), 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* --------------------------------------------------- advice and residence */

/* behaviours: M2, C5 */
TEST(madvise_does_what_it_says)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_create(m, "f", 2 * PG, 9);
	uaddr_t p = must_map(t, 2 * PG, RW, MAP_PRIVATE, f, 0);
	uint8_t was;

	map_at(t, 0, 2, RW, MAP_PRIVATE);
	map_at(t, 3, 2, RW, MAP_SHARED);
	put64(t, A, 1);
	put64(t, A + 3 * PG, 2);
	CHECK_EQ(sim_load8(t, p, &was), 0);
	CHECK_EQ(sim_store8(t, p, (uint8_t)~was), 0);
	CHECK_EQ(sim_madvise(t, A, PG, 99), -EINVAL);
	CHECK_EQ(sim_madvise(t, A + 1, PG, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(sim_madvise(t, A, (uaddr_t)-1, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(sim_madvise(t, 0, 0, MADV_DONTNEED), 0);
	/* over a hole: all the rest is done */
	CHECK_EQ(sim_madvise(t, A, 5 * PG, MADV_DONTNEED), -ENOMEM);
	CHECK_EQ(get64(t, A), 0);
	CHECK_EQ(get64(t, A + 3 * PG), 2); /* shared: still in its file */
	CHECK_EQ(sim_madvise(t, p, 2 * PG, MADV_DONTNEED), 0);
	CHECK_EQ(sim_load8(t, p, &was), 0);
	CHECK_EQ(was, sim_file_byte(9, 0));
	CHECK_EQ(sim_madvise(t, A + 3 * PG, PG, MADV_REMOVE), 0);
	CHECK_EQ(get64(t, A + 3 * PG), 0);
	CHECK_EQ(sim_madvise(t, A, PG, MADV_REMOVE), -EINVAL);
	CHECK_EQ(sim_madvise(t, p, PG, MADV_FREE), -EINVAL);
	put64(t, A, 7);
	CHECK_EQ(sim_madvise(t, A, PG, MADV_FREE), 0);
	CHECK_EQ(get64(t, A), 7);
	CHECK_EQ(sim_madvise(t, p, PG, MADV_WIPEONFORK), -EINVAL);
	/* inherited or not */
	put64(t, A + PG, 8);
	CHECK_EQ(sim_madvise(t, A, PG, MADV_WIPEONFORK), 0);
	CHECK_EQ(sim_madvise(t, A + PG, PG, MADV_DONTFORK), 0);
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(get64(c, A), 0);
	CHECK_MAPERR(c, A + PG);
	CHECK_EQ(get64(t, A), 7);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: M2, E8 */
TEST(populate_faults_ahead)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", PG + 1, 9);
	uaddr_t p = must_map(t, 4 * PG, PROT_READ, MAP_PRIVATE, f, 0);
	uint64_t min = t->qt.min_flt;

	map_at(t, 0, 4, RW, MAP_PRIVATE | MAP_POPULATE);
	CHECK_EQ(t->qt.min_flt, min + 4);
	CHECK_EQ(mm_stats(t).anon_pages, 4);
	put64(t, A, 1);
	CHECK_EQ(t->faults, 0);
	map_at(t, 4, 4, RW, MAP_PRIVATE);
	CHECK_EQ(sim_madvise(t, A + 4 * PG, 2 * PG, MADV_POPULATE_READ), 0);
	CHECK_EQ(mm_stats(t).anon_pages, 4);
	CHECK_EQ(sim_madvise(t, A + 4 * PG, 4 * PG, MADV_POPULATE_WRITE), 0);
	CHECK_EQ(mm_stats(t).anon_pages, 8);
	CHECK_EQ(sim_madvise(t, A + 7 * PG, 4 * PG, MADV_POPULATE_READ),
		 -ENOMEM);
	CHECK_EQ(sim_madvise(t, p, PG, MADV_POPULATE_WRITE), -EINVAL);
	CHECK_EQ(sim_madvise(t, p, 4 * PG, MADV_POPULATE_READ), -EFAULT);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: M2 */
TEST(mincore_tells_what_is_there)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 3);
	uaddr_t p = must_map(t, 4 * PG, PROT_READ, MAP_PRIVATE, f, 0);
	unsigned char v[8];
	uint8_t byte;

	map_at(t, 0, 3, RW, MAP_PRIVATE);
	map_at(t, 3, 2, RW, MAP_SHARED);
	put64(t, A, 1);
	CHECK_EQ(get64(t, A + 2 * PG), 0);
	put64(t, A + 3 * PG, 1);
	CHECK_EQ(sim_madvise(t, A + 3 * PG, PG, MADV_DONTNEED), 0);
	CHECK_EQ(sim_mprotect(t, A, PG, PROT_NONE), 0);
	memset(v, 9, sizeof(v));
	CHECK_EQ(sim_mincore(t, A, 5 * PG, v), 0);
	CHECK_EQ(memcmp(v, "\1\0\1\1\0\11", 6), 0);
	CHECK_EQ(sim_mincore(t, A + 1, PG, v), -EINVAL);
	CHECK_EQ(sim_mincore(t, (uaddr_t)-PG, PG, v), -ENOMEM);
	memset(v, 9, sizeof(v));
	CHECK_EQ(sim_mincore(t, A + 4 * PG, 3 * PG, v), -ENOMEM);
	CHECK_EQ(memcmp(v, "\0\11\11", 3), 0);
	/* a file's pages count while the cache has them, mapped or not */
	CHECK_EQ(sim_file_read(f, 2 * PG, &byte, 1), 1);
	CHECK_EQ(sim_mincore(t, p + 2 * PG, PG, v), 0);
	CHECK_EQ(v[0], 1);
	sim_exit(t);
	sim_file_close(f);
}

/* -------------------------------------------------------- limits, locking */

/* behaviour: M4 */
TEST(locked_memory_is_counted_and_limited)
{
	struct sim_task *t = sim_task_create(m);
	struct mm_struct *mm = t->qt.mm;

	t->limits.cur[QUIRE_RLIMIT_MEMLOCK] = 8 * PG;
	map_at(t, 0, 20, RW, MAP_PRIVATE);
	sim_run(t);
	CHECK_EQ(quire_mlock(mm, A + 1, 4 * PG, 0), 0); /* five pages */
	CHECK_EQ(mm_stats(t).locked_vm, 5);
	CHECK_EQ(mm_stats(t).anon_pages, 5);
	CHECK_EQ(pieces(t), 2);
	CHECK_EQ(quire_mlock(mm, A, 9 * PG, 0), -ENOMEM);
	/* what is locked already is not counted twice */
	CHECK_EQ(quire_mlock(mm, A, 8 * PG, 0), 0);
	CHECK_EQ(mm_stats(t).locked_vm, 8);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, ANON | MAP_LOCKED, NULL, 0), -EAGAIN);
	CHECK_EQ(sim_madvise(t, A, PG, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(quire_msync(mm, A, PG, MS_INVALIDATE), -EBUSY);
	CHECK_EQ(quire_munlock(mm, A + 4 * PG, 2 * PG), 0);
	CHECK_EQ(mm_stats(t).locked_vm, 6);
	CHECK_EQ(pieces(t), 4);
	CHECK_EQ(sim_munmap(t, A, 2 * PG), 0);
	CHECK_EQ(mm_stats(t).locked_vm, 4);
	CHECK_EQ(quire_mlock(mm, A, 4 * PG, 0), -ENOMEM); /* a hole */
	CHECK_EQ(quire_mlock(mm, A + 10 * PG, PG, 2), -EINVAL);
	CHECK_EQ(quire_mlock(mm, A + 10 * PG, 2 * PG, MLOCK_ONFAULT), 0);
	CHECK_EQ(mm_stats(t).anon_pages, 6);
	CHECK_EQ(quire_mlockall(mm, 0), -EINVAL);
	CHECK_EQ(quire_mlockall(mm, MCL_CURRENT), -ENOMEM);
	CHECK_EQ(quire_munlockall(mm), 0);
	CHECK_EQ(mm_stats(t).locked_vm, 0);
	CHECK_EQ(pieces(t), 1);
	t->limits.cur[QUIRE_RLIMIT_MEMLOCK] = 0;
	CHECK_EQ(quire_mlock(mm, A, PG, 0), -EPERM);
	CHECK_EQ(sim_mmap(t, 0, PG, RW, ANON | MAP_LOCKED, NULL, 0), -EPERM);
	t->qt.cap_ipc_lock = true;
	CHECK_EQ(quire_mlockall(mm, MCL_CURRENT | MCL_FUTURE), 0);
	map_at(t, 50, 2, RW, MAP_PRIVATE);
	CHECK_EQ(mm_stats(t).locked_vm, mm_stats(t).total_vm);
	CHECK_EQ(mm_stats(t).anon_pages, mm_stats(t).total_vm);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M4 */
TEST(address_space_and_data_limits)
{
	struct sim_task *t = sim_task_create_bare(m);
	struct quire_mm_layout l;
	uaddr_t brk;

	t->limits.cur[QUIRE_RLIMIT_AS] = 20 * PG;
	t->limits.cur[QUIRE_RLIMIT_DATA] = 10 * PG;
	map_at(t, 0, 8, RW, MAP_PRIVATE);
	CHECK_EQ(sim_mmap(t, 0, 3 * PG, RW, ANON, NULL, 0), -ENOMEM);
	map_at(t, 100, 8, PROT_READ, MAP_PRIVATE);
	CHECK_EQ(sim_mmap(t, 0, 5 * PG, PROT_READ, ANON, NULL, 0), -ENOMEM);
	/* what MAP_FIXED takes the place of does not count */
	map_at(t, 104, 8, PROT_READ, MAP_PRIVATE);
	CHECK_EQ(mm_stats(t).total_vm, 20);
	t->limits.cur[QUIRE_RLIMIT_AS] = 100 * PG;
	CHECK_EQ(sim_mprotect(t, A + 100 * PG, 3 * PG, RW), -ENOMEM);
	CHECK_EQ(sim_mprotect(t, A + 100 * PG, 2 * PG, RW), 0);
	CHECK_EQ(sim_mremap(t, A, 8 * PG, 9 * PG, 0, 0), -ENOMEM);
	quire_mm_get_layout(t->qt.mm, &l);
	brk = l.start_brk;
	CHECK_EQ(sim_brk(t, brk + PG), brk);
	wipe(t);
	CHECK_EQ(sim_brk(t, brk + 10 * PG), brk + 10 * PG);
	CHECK_EQ(sim_brk(t, brk + 10 * PG + 1), brk + 10 * PG);
	CHECK_EQ(mm_stats(t).data_vm, 10);
	CHECK_EQ(mm_stats(t).hiwater_vm, 20);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M4 */
TEST_WITH(map_count_is_kept, .config = {.max_map_count = 12})
{
	struct sim_task *t = sim_task_create(m); /* the stack is one */
	unsigned i;

	for (i = 0; i < 5; i++)
		map_at(t, 4 * i, 3, i & 1 ? RW : PROT_READ, MAP_PRIVATE);
	CHECK_EQ(mm_stats(t).vmas, 6);
	/* a middle piece makes two more each */
	for (i = 0; i < 3; i++)
		CHECK_EQ(sim_mprotect(t, A + (4 * i + 1) * PG, PG, PROT_NONE),
			 0);
	CHECK_EQ(mm_stats(t).vmas, 12);
	CHECK_EQ(sim_mprotect(t, A + 13 * PG, PG, PROT_NONE), -ENOMEM);
	CHECK_EQ(sim_munmap(t, A + 13 * PG, PG), -ENOMEM);
	CHECK_EQ(sim_munmap(t, A + 12 * PG, PG), 0); /* an end costs nothing */
	CHECK_EQ(sim_madvise(t, A + 17 * PG, PG, MADV_RANDOM), -EAGAIN);
	CHECK_EQ(remap(t, 17, 1, 1, MREMAP_MAYMOVE | MREMAP_FIXED, 90),
		 -ENOMEM);
	map_at(t, 60, 1, RW, MAP_PRIVATE); /* one above the limit is allowed */
	CHECK_EQ(sim_mmap(t, 0, PG, PROT_READ, ANON, NULL, 0), -ENOMEM);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M4 (guess: only what could never be is refused) */
TEST(overcommit_guess)
{
	struct sim_task *t = sim_task_create(m);
	struct quire_meminfo i;
	uaddr_t more, less;

	quire_get_meminfo(sim_quire(m), &i);
	more = (uaddr_t)(i.total + 1) * PG;
	less = more - 9 * PG;
	CHECK_EQ(sim_mmap(t, 0, more, RW, ANON, NULL, 0), -ENOMEM);
	must_map(t, less, RW, ANON, NULL, 0);
	must_map(t, less, RW, ANON, NULL, 0);
	must_map(t, more, RW, ANON | MAP_NORESERVE, NULL, 0);
	must_map(t, more, PROT_READ, ANON, NULL, 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: M4 (never: the promises stay below the limit) */
TEST_WITH(overcommit_never, .config = {.overcommit = 2, .overcommit_ratio = 30})
{
	struct sim_task *t = sim_task_create(m), *c;
	struct quire_meminfo before, i;
	uaddr_t room;

	quire_get_meminfo(sim_quire(m), &before);
	CHECK_EQ(before.commit_limit, before.total * 30 / 100);
	room = (uaddr_t)(before.commit_limit - before.committed);
	CHECK_EQ(sim_mmap(t, 0, room * PG, RW, ANON, NULL, 0), -ENOMEM);
	/* NORESERVE is not heard */
	CHECK_EQ(sim_mmap(t, 0, room * PG, RW, ANON | MAP_NORESERVE, NULL, 0),
		 -ENOMEM);
	CHECK_EQ(sim_mmap(t, 0, room * PG, RW, SHANON, NULL, 0), -ENOMEM);
	must_map(t, room * PG, PROT_READ, ANON, NULL, 0);
	map_at(t, 0, room / 2, RW, MAP_PRIVATE);
	c = sim_fork(t); /* as much once more: there is not enough */
	CHECK(!c);
	if (c)
		sim_exit(c);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, A, room / 2 * PG), 0);
	quire_get_meminfo(sim_quire(m), &i);
	CHECK_EQ(i.committed, before.committed);
	sim_exit(t);
}

/* behaviour: M2 */
TEST(brk_moves_to_the_byte)
{
	struct sim_task *t = sim_task_create(m);
	struct quire_mm_layout l;
	uaddr_t b;

	quire_mm_get_layout(t->qt.mm, &l);
	b = l.start_brk;
	CHECK_EQ(sim_brk(t, 0), b);
	CHECK_EQ(lines(t, b, b + PG), 0);
	CHECK_EQ(sim_brk(t, b + 5), b + 5);
	put64(t, b + 8, 1);
	CHECK_EQ(sim_brk(t, b + 2 * PG + 7), b + 2 * PG + 7);
	/* rounded up, the last page's bytes are address 0: not a shrink */
	CHECK_EQ(sim_brk(t, ~(uaddr_t)0), b + 2 * PG + 7);
	CHECK_EQ(sim_brk(t, (uaddr_t)0 - PG + 1), b + 2 * PG + 7);
	CHECK_EQ(sim_store8(t, b, 1), 0);
	CHECK_EQ(lines(t, b, b + 9 * PG), 1);
	CHECK_EQ(get64(t, b + 8), 1);
	CHECK_MAPERR(t, b + 3 * PG);
	CHECK_EQ(sim_brk(t, b - 1), b + 2 * PG + 7);
	CHECK_EQ(sim_brk(t, b + PG), b + PG);
	CHECK_MAPERR(t, b + PG);
	/* a free page stays to the next mapping */
	CHECK_EQ(sim_mmap(t, b + 4 * PG, PG, RW, FIX, NULL, 0), b + 4 * PG);
	CHECK_EQ(sim_brk(t, b + 3 * PG), b + 3 * PG);
	CHECK_EQ(sim_brk(t, b + 4 * PG), b + 3 * PG);
	CHECK_EQ(sim_brk(t, b), b);
	CHECK_EQ(lines(t, b, b + 4 * PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* --------------------------------------------------------------- failures */

/* The page, when it is there and holds what was put there, or zero. */
static void expect(struct sim_task *t, uaddr_t page, uint64_t v)
{
	uint64_t got = 0;
	int r = sim_load64(t, A + page * PG, &got);

	if (r == 0)
		CHECK(got == v || got == 0);
	else
		CHECK(r == SIM_OOM || r == SIGSEGV);
}

static void map_changes(struct sim_machine *m, void *arg)
{
	const unsigned fix = MREMAP_MAYMOVE | MREMAP_FIXED;
	struct sim_task *t = sim_task_create(m), *c = NULL;
	unsigned i;

	(void)arg;
	if (!t)
		return;
	for (i = 0; i < 12; i += 2)
		(void)sim_mmap(t, A + i * PG, 2 * PG, i & 2 ? PROT_READ : RW,
			       FIX, NULL, 0);
	for (i = 0; i < 12; i++)
		(void)sim_store64(t, A + i * PG, i);
	(void)sim_mprotect(t, A, 12 * PG, RW);
	for (i = 0; i < 12; i++)
		(void)sim_store64(t, A + i * PG, i);
	(void)sim_mprotect(t, A + 3 * PG, 4 * PG, PROT_READ);
	c = sim_fork(t);
	(void)sim_madvise(t, A + PG, PG, MADV_RANDOM);
	(void)remap(t, 4, 2, 2, fix, 513); /* another table */
	(void)remap(t, 8, 1, 3, MREMAP_MAYMOVE, 0);
	(void)sim_munmap(t, A + 10 * PG, PG);
	for (i = 0; i < 4; i++)
		expect(t, i, i);
	expect(t, 513, 4);
	expect(t, 514, 5);
	sim_run(t);
	(void)quire_mlock(t->qt.mm, A, 4 * PG, 0);
	(void)quire_munlock(t->qt.mm, A + PG, PG);
	(void)sim_mmap(t, A + PG, 2 * PG, RW, SHANON | MAP_FIXED, NULL, 0);
	(void)sim_brk(t, 0x10000000 + 5 * PG);
	(void)sim_madvise(t, A, 12 * PG, MADV_DONTNEED);
	free(sim_smaps(t));
	if (c) {
		for (i = 0; i < 12; i++)
			expect(c, i, i);
		sim_exit(c);
	}
	sim_exit(t);
}

/* behaviours: F15, M2 (nothing half done, nothing leaked, nothing lost) */
TEST_WITH(every_allocation_fails_map_changes, .plain = true, .seconds = 500)
{
	UNUSED_MACHINE;
	CHECK(test_every_failure(NULL, map_changes, NULL) > 60);
}
