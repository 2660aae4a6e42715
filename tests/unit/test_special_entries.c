/* SPDX-License-Identifier: MIT */
/*
 * Entries that are neither empty nor present and name no slot of swap: what a
 * fault makes of them, and what fork, mprotect, mremap and unmapping do.
 */
#include <filemap.h>
#include <special.h>

#include <tests/unit/entries.h>

#define CHECK_BROKEN(t, access, at)                                            \
	do {                                                                   \
		CHECK_SIGNAL(t, access, SIGBUS, QUIRE_BUS_MCEERR_AR, at);      \
		CHECK_EQ((t)->sig.addr_lsb, 12);                               \
	} while (0)

static pte_t special(unsigned type, uint64_t offset)
{
	return swp_entry_to_pte(swp_entry(type, offset));
}

/* behaviour: P3 (every kind there and back, with the bits beside it) */
TEST(special_entries_round_trip)
{
	const uint64_t offsets[] = {0, 1, 0x12345, SWP_MAX_OFFSET};
	unsigned type, i;
	swp_entry_t e;
	pte_t p;

	UNUSED_MACHINE;
	for (type = 0; type <= SWP_PTE_MARKER; type++)
		for (i = 0; i < 4; i++) {
			p = special(type, offsets[i]);
			CHECK(!pte_none(p) && !pte_present(p));
			p = pte_swp_mksoft_dirty(pte_swp_mkexclusive(p));
			CHECK(!pte_none(p) && !pte_present(p));
			CHECK(pte_swp_soft_dirty(p) && pte_swp_exclusive(p));
			e = pte_to_swp_entry(p);
			CHECK_EQ(swp_type(e), type);
			CHECK_EQ(swp_offset(e), offsets[i]);
			CHECK_EQ(swap_entry_is_slot(e), type < SWP_HWPOISON);
			CHECK_EQ(is_migration_entry(e),
				 type >= SWP_MIGRATION_READ &&
					 type <= SWP_MIGRATION_WRITE);
			CHECK_EQ(is_hwpoison_entry(e), type == SWP_HWPOISON);
			CHECK_EQ(is_pte_marker_entry(e),
				 type == SWP_PTE_MARKER);
			p = pte_swp_clear_exclusive(
				pte_swp_clear_soft_dirty(p));
			CHECK(pte_same(p, special(type, offsets[i])));
		}
}

/* behaviours: P3, F11 (a broken frame, a note, and what nobody wrote) */
TEST(special_entries_that_end_in_sigbus)
{
	struct sim_task *t = sim_task_create(m), *c;
	uint64_t pfn = page_to_pfn(sim_quire(m), sim_quire(m)->zero_page), v;
	uaddr_t a = anon(t, 8);
	unsigned i;

	put64(t, a, 1);
	put64(t, a + 7 * PG, 8);
	poke(t, a + PG, special(SWP_HWPOISON, pfn));
	poke(t, a + 2 * PG, pte_marker(PTE_MARKER_SWAPIN_ERROR));
	poke(t, a + 3 * PG, pte_marker(1u << 5));
	/* a migration that nobody makes: the page is not locked */
	poke(t, a + 4 * PG, special(SWP_MIGRATION_WRITE, frame_of(t, a) >> 12));
	poke(t, a + 5 * PG, special(SWP_HWPOISON, SWP_MAX_OFFSET));
	c = sim_fork(t);
	REQUIRE(c);
	sim_quiet(m, true);
	for (i = 0; i < 2; i++) {
		struct sim_task *who = i ? c : t;

		CHECK_BROKEN(who, sim_load64(who, a + PG, &v), a + PG);
		CHECK_BROKEN(who, sim_store64(who, a + PG + 8, 1), a + PG + 8);
		CHECK(!sim_log_contains(m, "bad page table entry"));
		CHECK_SIGNAL(who, sim_load64(who, a + 2 * PG, &v), SIGBUS,
			     QUIRE_BUS_ADRERR, a + 2 * PG);
		CHECK(!sim_log_contains(m, "bad page table entry"));
		for (v = 3; v < 6; v++) {
			uaddr_t at = a + (uaddr_t)v * PG;
			uint64_t x;

			CHECK_SIGNAL(who, sim_load64(who, at, &x), SIGBUS,
				     QUIRE_BUS_ADRERR, at);
			CHECK(sim_log_contains(m, "bad page table entry"));
			sim_log_clear(m);
		}
	}
	sim_quiet(m, false);
	CHECK_EQ(get64(c, a), 1);
	CHECK_EQ(get64(c, a + 7 * PG), 8);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + PG, 1, false,
				      &(struct page *){NULL}),
		 -EHWPOISON);
	CHECK_EQ(sim_madvise(t, a + PG, 5 * PG, MADV_DONTNEED), 0);
	for (v = 1; v < 6; v++)
		CHECK_EQ(get64(t, a + (uaddr_t)v * PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(c);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* ------------------------------------------------------------- migration */

/* The page at a is about to move: its entry becomes a migration entry. */
struct moving {
	struct sim_task *t;
	uaddr_t a;
	struct page *page;
	pte_t was;
};

static void begin_move(struct moving *mv, struct sim_task *t, uaddr_t a,
		       unsigned type)
{
	mv->t = t;
	mv->a = a;
	mv->was = ptep_get(pte_at(t, a));
	mv->page = pte_page(t->qt.q, mv->was);
	/* (as for an I/O: whoever ends it unlocks it) */
	REQUIRE(!TestSetPageFlag(mv->page, PG_locked));
	poke(t, a, special(type, pte_pfn(mv->was)));
}

/* ... and did not move after all. */
static void end_move(struct moving *mv)
{
	spinlock_t *ptl = pte_lockptr(
		mv->t->qt.q, pmdp_get(mm_find_pmd(mv->t->qt.mm, mv->a)));

	spin_lock(ptl);
	set_pte(pte_at(mv->t, mv->a), mv->was);
	spin_unlock(ptl);
	unlock_page_io(mv->page);
}

struct waiting {
	struct moving mv;
	struct sim_task *user;
	uint32_t ready;
	bool killed;
	int r;
};

static void wait_and_end(unsigned i, void *arg)
{
	struct waiting *w = arg;

	if (i == 1) {
		__atomic_store_n(&w->ready, 1, __ATOMIC_RELEASE);
		w->r = sim_store64(w->user, w->mv.a, 77);
		return;
	}
	/* asleep on the page: it says so itself */
	while (!PageFlag(w->mv.page, PG_waiters))
		sim_poll();
	CHECK(PageFlag(w->mv.page, PG_locked));
	CHECK_EQ(page_count(w->mv.page), 1); /* the entry's, that was */
	if (w->killed) {
		sim_kill(w->user);
		while (__atomic_load_n(&w->user->wait_word, __ATOMIC_ACQUIRE))
			sim_poll();
	}
	end_move(&w->mv);
}

/* behaviours: F11, R9 (the fault waits; it holds no reference; to be killed
 * ends the wait) */
TEST_WITH(special_entries_migration_waits, .config = {.cpus = 2})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	struct waiting w = {.user = sim_thread(t)};

	REQUIRE(w.user);
	put64(t, a, 5);
	lru_add_drain(t->qt.q);
	begin_move(&w.mv, t, a, SWP_MIGRATION_WRITE);
	sim_parallel(m, 2, wait_and_end, &w);
	CHECK_EQ(w.r, 0);
	CHECK_EQ(page_count(w.mv.page), 1);
	CHECK_EQ(get64(t, a), 77);
	CHECK_SYSTEM(m);
	w.killed = true;
	begin_move(&w.mv, t, a, SWP_MIGRATION_WRITE);
	sim_parallel(m, 2, wait_and_end, &w);
	CHECK_EQ(w.r, SIGKILL);
	CHECK_EQ(get64(t, a), 77);
	CHECK_SYSTEM(m);
	sim_exit(w.user);
	sim_exit(t);
}

/* behaviour: F11 (a task that may not sleep is told when it may go on) */
TEST(special_entries_migration_nowait)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	struct moving mv;
	uint64_t v;

	put64(t, a, 5);
	t->qt.nowait = true;
	begin_move(&mv, t, a, SWP_MIGRATION_READ);
	CHECK_EQ(sim_load64(t, a, &v), SIM_WAITS);
	CHECK_EQ(t->fault_readies, 0);
	end_move(&mv);
	CHECK_EQ(t->fault_readies, 1);
	CHECK(!t->qt.fault_waiting);
	CHECK_EQ(get64(t, a), 5);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: P3 (fork and mprotect take the right to write from the entry;
 * soft-dirty stays) */
TEST(special_entries_lose_write)
{
	struct sim_task *t = sim_task_create(m);
	struct mm_struct *mm = t->qt.mm;
	uaddr_t a = anon(t, 2);
	struct moving mv;
	swp_entry_t e;
	pte_t p, child;

	put64(t, a, 5);
	begin_move(&mv, t, a, SWP_MIGRATION_WRITE);
	p = ptep_get(pte_at(t, a));
	e = pte_to_swp_entry(special_pte_protect(mm, p));
	CHECK_EQ(swp_type(e), SWP_MIGRATION_READ_EXCL);
	CHECK_EQ(swp_offset(e), pte_pfn(mv.was));
	poke(t, a, pte_swp_mksoft_dirty(p));
	child = special_pte_dup(mm, vma_at(t, a), pte_at(t, a), a);
	CHECK(pte_same(child, ptep_get(pte_at(t, a))));
	CHECK(pte_swp_soft_dirty(child));
	CHECK_EQ(swp_type(pte_to_swp_entry(child)), SWP_MIGRATION_READ);
	CHECK(pte_same(special_pte_protect(mm, child), child));
	p = special(SWP_HWPOISON, 5);
	CHECK(pte_same(special_pte_protect(mm, p), p));
	end_move(&mv);
	CHECK_EQ(get64(t, a), 5);
	CHECK_SYSTEM(m);
	sim_exit(t);
}
