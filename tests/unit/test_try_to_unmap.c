/* SPDX-License-Identifier: MIT */
/*
 * From a page to its entries (behaviour: R1): page_referenced counts each
 * mapping's use once, try_to_unmap takes out each entry and no other, and what
 * must keep a page mapped does.
 */
#include <asm/tlb.h>
#include <fault.h>
#include <filemap.h>
#include <reclaim.h>
#include <rmap.h>
#include <swap.h>
#include <writeback.h>
#include <tests/unit/common.h>

/* The page that t has at a, with a reference. */
static struct page *page_of(struct sim_task *t, uaddr_t a)
{
	paddr_t at = frame_of(t, a);
	struct page *page;

	REQUIRE(at);
	page = quire_phys_page(t->qt.q, at);
	REQUIRE(page);
	lru_add_drain(t->qt.q);
	get_page(page);
	return page;
}

static void let_go(struct sim_task *t, struct page *page)
{
	put_page(t->qt.q, page);
}

static unsigned referenced_flags(struct sim_task *t, struct page *page,
				 vm_flags_t *flags)
{
	unsigned n;

	lock_page(page);
	n = page_referenced(t->qt.q, page, flags);
	unlock_page(page);
	return n;
}

static unsigned referenced(struct sim_task *t, struct page *page)
{
	vm_flags_t flags;

	return referenced_flags(t, page, &flags);
}

static bool unmap(struct sim_task *t, struct page *page, unsigned how)
{
	bool done;

	lock_page(page);
	done = try_to_unmap(t->qt.q, page, how);
	unlock_page(page);
	return done;
}

/* Forget what the TLB has, so that the next access walks. */
static void forget(struct sim_task *t)
{
	sim_run(t);
	flush_tlb_mm_range(t->qt.mm, 0, ~(uaddr_t)0);
}

/* behaviour: R1 */
TEST(page_referenced_counts_mappings)
{
	struct sim_task *t = sim_task_create(m), *child, *other;
	struct page *page;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 3);
	CHECK_EQ(sim_touch_write(t, a, 3 * PG, 1), 0);
	child = sim_fork(t);
	other = sim_fork(child);
	REQUIRE(child && other);
	page = page_of(t, a + PG);
	(void)referenced(t, page);
	forget(t);
	forget(child);
	forget(other);
	CHECK_EQ(referenced(t, page), 0);
	CHECK_EQ(sim_touch_read(t, a, 3 * PG), 0);
	CHECK_EQ(sim_touch_read(other, a, 3 * PG), 0);
	CHECK_EQ(referenced(t, page), 2);
	CHECK_EQ(referenced(t, page), 0);
	/* the entry of one who has a copy by now is not this page's */
	CHECK_EQ(sim_touch_write(child, a + PG, PG, 2), 0);
	CHECK_EQ(referenced(t, page), 0);
	CHECK_EQ(page_mapcount(page), 2);
	let_go(t, page);
	CHECK_SYSTEM(m);
	sim_exit(other);
	sim_exit(child);
	sim_exit(t);
}

/*
 * Where the processor does not set young, the use after the count is seen too:
 * no TLB has kept the entry.  (Where it does, the TLB may hide it for a while:
 * nobody is interrupted for that.)
 * behaviours: R1, P7
 */
TEST(page_referenced_and_the_tlb)
{
	struct sim_task *t = sim_task_create(m);
	struct page *page;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 1);
	put64(t, a, 1);
	page = page_of(t, a);
	CHECK_EQ(referenced(t, page), 1);
	CHECK_EQ(get64(t, a), 1);
	CHECK_EQ(referenced(t, page), TEST_HARDWARE_AD ? 0 : 1);
	let_go(t, page);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: R1, R6 */
TEST(page_referenced_advice_and_mlock)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 7);
	struct page *page;
	vm_flags_t flags;
	uaddr_t a, b;

	REQUIRE(t && f);
	a = must_map(t, 4 * PG, PROT_READ, MAP_SHARED, f, 0);
	b = must_map(t, 2 * PG, PROT_READ, MAP_PRIVATE, f, PG);
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_SEQUENTIAL), 0);
	CHECK_EQ(sim_touch_read(t, a + 2 * PG, PG), 0);
	CHECK_EQ(sim_touch_read(t, b + PG, PG), 0);
	page = page_of(t, a + 2 * PG);
	CHECK_EQ(page_mapcount(page), 2);
	/* one who reads it once from end to end does not count */
	CHECK_EQ(referenced_flags(t, page, &flags), 1);
	CHECK(!(flags & VM_LOCKED));
	CHECK_EQ(quire_mlock(t->qt.mm, b, 2 * PG, 0), 0);
	(void)referenced_flags(t, page, &flags);
	CHECK(flags & VM_LOCKED);
	CHECK(!unmap(t, page, 0));
	CHECK(page_mapcount(page) >= 1);
	CHECK(unmap(t, page, TTU_IGNORE_MLOCK | TTU_WAIT));
	CHECK_EQ(page_mapcount(page), 0);
	let_go(t, page);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* One page of a file, mapped at three places by two processes.
 * behaviours: R1, C3 */
TEST(try_to_unmap_file)
{
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 0);
	struct page *page;
	uaddr_t a, b, c;
	paddr_t at;

	REQUIRE(t && u && f);
	a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	b = must_map(t, 2 * PG, RW, MAP_SHARED, f, 4 * PG);
	c = must_map(u, 3 * PG, PROT_READ, MAP_PRIVATE, f, 3 * PG);
	put64(t, a + 5 * PG, 0x1234);
	CHECK_EQ(get64(t, b + PG), 0x1234);
	CHECK_EQ(get64(u, c + 2 * PG), 0x1234);
	CHECK_EQ(sim_touch_read(t, a, 8 * PG), 0);
	page = page_of(t, a + 5 * PG);
	at = frame_of(t, a + 5 * PG);
	CHECK_EQ(page_mapcount(page), 3);
	CHECK(unmap(t, page, 0));
	CHECK_EQ(page_mapcount(page), 0);
	CHECK_EQ(page_count(page), 2); /* the cache's, ours */
	CHECK(PageFlag(page, PG_dirty));
	CHECK_EQ(frame_of(t, a + 5 * PG), 0);
	CHECK_EQ(frame_of(t, b + PG), 0);
	CHECK_EQ(frame_of(u, c + 2 * PG), 0);
	/* the neighbours stay */
	CHECK(frame_of(t, a + 4 * PG) != 0);
	CHECK(frame_of(t, a + 6 * PG) != 0);
	/* again: nothing to do */
	CHECK(unmap(t, page, 0));
	let_go(t, page);
	CHECK_SYSTEM(m);
	/* no TLB has it: the access faults, and finds it in the cache */
	CHECK_EQ(get64(t, a + 5 * PG), 0x1234);
	CHECK(t->faults > 0);
	CHECK_EQ(frame_of(t, a + 5 * PG), at);
	CHECK_EQ(get64(u, c + 2 * PG), 0x1234);
	CHECK_SYSTEM(m);
	sim_exit(u);
	sim_exit(t);
	sim_file_close(f);
}

/* What was stored through a mapping is dirty once no entry says so any more.
 * behaviours: R1, C3 */
TEST(try_to_unmap_moves_dirty)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", PG, 0);
	struct page *page;
	uaddr_t a;

	REQUIRE(t && f);
	a = must_map(t, PG, RW, MAP_SHARED, f, 0);
	put64(t, a, 1);
	CHECK_EQ(sim_msync(t, a, PG, MS_SYNC), 0);
	put64(t, a, 2);
	page = page_of(t, a);
	CHECK(unmap(t, page, 0));
	CHECK(PageFlag(page, PG_dirty));
	let_go(t, page);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_msync(t, a, PG, MS_SYNC), 0);
	CHECK(!PageFlag(page, PG_dirty));
	CHECK_EQ(get64(t, a), 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* Private memory that has no place to come back from, or that is pinned.
 * behaviour: R1 */
TEST(try_to_unmap_keeps_private_memory)
{
	struct sim_task *t = sim_task_create(m);
	struct page *page, *pinned;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 2);
	CHECK_EQ(sim_touch_write(t, a, 2 * PG, 3), 0);
	page = page_of(t, a);
	CHECK(!unmap(t, page, 0)); /* not in the swap cache */
	CHECK_EQ(page_mapcount(page), 1);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 1, true, &pinned), 1);
	CHECK(pinned == page);
	CHECK(!unmap(t, page, TTU_MIGRATION | TTU_WAIT));
	CHECK(PageFlag(page, PG_anon_exclusive));
	CHECK_EQ(page_mapcount(page), 1);
	quire_page_put(t->qt.q, pinned);
	let_go(t, page);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* A lock that is taken ends the walk unless it may be waited for.
 * behaviour: R1 */
TEST(try_to_unmap_does_not_wait)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", PG, 0);
	struct address_space *as;
	struct page *page;
	vm_flags_t flags;
	uaddr_t a;

	REQUIRE(t && f);
	as = sim_file_mapping(f);
	a = must_map(t, PG, RW, MAP_SHARED, f, 0);
	put64(t, a, 1);
	page = page_of(t, a);
	lock_page(page);
	down_write(&as->i_mmap_lock);
	CHECK(!try_to_unmap(t->qt.q, page, 0));
	CHECK_EQ(page_referenced(t->qt.q, page, &flags), 1);
	up_write(&as->i_mmap_lock);
	unlock_page(page);
	CHECK_EQ(page_mapcount(page), 1);
	CHECK(unmap(t, page, TTU_WAIT));
	let_go(t, page);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* ------------------------------------------------- families over many forks */

static unsigned chain_length(struct sim_task *t, uaddr_t a)
{
	struct anon_vma_chain *avc;
	struct vm_area_struct *vma;
	unsigned n = 0;

	sim_run(t);
	vma = find_vma(t->qt.mm, a);
	REQUIRE(vma);
	list_for_each_entry (avc, &vma->anon_vma_chain, struct anon_vma_chain,
			     same_vma)
		n++;
	return n;
}

/*
 * A thousand generations, each of which writes and outlives its parent, and a
 * thousand children of one parent: the chains stay short, and a page still
 * finds who maps it, and nobody else.  behaviours: R1, M3
 */
TEST_WITH(anon_vma_chains_stay_short, .seconds = 120)
{
	struct sim_task *t = sim_task_create(m), *child;
	struct kmem_cache *cache = sim_quire(m)->anon_vma_cache;
	uint64_t families = 0;
	unsigned i, longest = 0;
	struct page *page;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 4);
	put64(t, a, 1);
	put64(t, a + PG, 0);
	for (i = 1; i <= 1000; i++) {
		child = sim_fork(t);
		REQUIRE(child);
		put64(child, a + PG, i);
		put64(t, a + 2 * PG, i);
		if (i % 100 == 0)
			CHECK_SYSTEM(m);
		sim_exit(t);
		t = child;
		longest = MAX(longest, chain_length(t, a));
		if (i == 10)
			families = kmem_cache_inuse(cache);
	}
	CHECK(longest <= 4);
	CHECK(kmem_cache_inuse(cache) <= families);
	CHECK_EQ(get64(t, a), 1);
	CHECK_EQ(get64(t, a + PG), 1000);
	page = page_of(t, a);
	CHECK_EQ(page_mapcount(page), 1);
	forget(t);
	(void)referenced(t, page);
	CHECK_EQ(get64(t, a), 1);
	CHECK_EQ(referenced(t, page), 1);
	for (i = 0; i < 1000; i++) {
		child = sim_fork(t);
		REQUIRE(child);
		put64(child, a + PG, i);
		sim_exit(child);
	}
	CHECK(chain_length(t, a) <= 4);
	CHECK(kmem_cache_inuse(cache) <= families);
	let_go(t, page);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* ------------------------------------------------- private memory, to swap */

static void swap_disk(struct sim_machine *m, uint64_t slots)
{
	struct sim_swap_config c = {.slots = slots, .priority = -1};

	REQUIRE(sim_swapon(m, &c) >= 0);
}

static pte_t entry_of(struct sim_task *t, uaddr_t a)
{
	pmd_t *pmd = mm_find_pmd(t->qt.mm, a);

	REQUIRE(pmd);
	return ptep_get(pte_offset_map(t->qt.q, pmd, a));
}

/* (Our reference is none that the system knows of.) */
static void check_system(struct sim_task *t, struct page *page)
{
	put_page(t->qt.q, page);
	CHECK_SYSTEM(t->m);
	get_page(page);
}

/* The page goes to the swap cache, and out of all tables. */
static bool to_swap(struct sim_task *t, struct page *page)
{
	bool done;

	lock_page(page);
	if (!PageFlag(page, PG_swapcache))
		REQUIRE(add_to_swap(t->qt.q, page));
	done = try_to_unmap(t->qt.q, page, 0);
	unlock_page(page);
	return done;
}

/*
 * One page of four generations, of which one has moved it, one has cut its
 * mapping up, and one has a copy: the entries of three are found and no other,
 * and found again when the page is back, whoever fetched it first.
 * behaviours: R1, F12, M5
 */
TEST(try_to_unmap_family)
{
	struct sim_task *t[4] = {sim_task_create(m)};
	uaddr_t a, at[4];
	struct page *page;
	vm_flags_t flags;
	sreg_t moved;
	unsigned i;

	swap_disk(m, 64);
	REQUIRE(t[0]);
	a = anon(t[0], 9);
	for (i = 0; i < 9; i++)
		put64(t[0], a + i * PG, 10 + i);
	for (i = 1; i < 4; i++) {
		t[i] = sim_fork(t[i - 1]);
		REQUIRE(t[i]);
	}
	for (i = 0; i < 4; i++)
		at[i] = a + 4 * PG;
	moved = sim_mremap(t[1], a + 3 * PG, 3 * PG, 3 * PG,
			   MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(3));
	REQUIRE(mapped_at(moved));
	at[1] = TEST_PLACE(3) + PG;
	CHECK_EQ(sim_mprotect(t[2], a + 4 * PG, PG, PROT_READ), 0);
	put64(t[3], at[3], 99);
	page = page_of(t[0], at[0]);
	CHECK_EQ(page_mapcount(page), 3);
	CHECK(to_swap(t[0], page));
	CHECK_EQ(swap_users(t[0]->qt.q, page_swap_entry(page)), 3);
	for (i = 0; i < 3; i++) {
		pte_t e = entry_of(t[i], at[i]);

		CHECK(is_swap_pte(e));
		CHECK_EQ(pte_to_swp_entry(e).v, page_swap_entry(page).v);
		CHECK(!pte_swp_exclusive(e));
		CHECK(pte_swp_soft_dirty(e));
		CHECK_EQ(mm_stats(t[i]).swap_entries, 1);
		CHECK_EQ(mm_stats(t[i]).anon_pages, 8);
		CHECK(mm_stats(t[i]).hiwater_rss >= 9);
	}
	CHECK_EQ(mm_stats(t[3]).swap_entries, 0);
	check_system(t[0], page);
	/* the youngest of them is the first to want it back */
	for (i = 3; i--;)
		CHECK_EQ(get64(t[i], at[i]), 14);
	CHECK_EQ(get64(t[3], at[3]), 99);
	CHECK_EQ(page_mapcount(page), 3);
	lock_page(page);
	CHECK_EQ(page_referenced(t[0]->qt.q, page, &flags), 3);
	unlock_page(page);
	check_system(t[0], page);
	/* locked in one of them: there it stays */
	CHECK_EQ(quire_mlock(t[2]->qt.mm, at[2], PG, 0), 0);
	CHECK(!to_swap(t[0], page));
	CHECK(pte_present(entry_of(t[2], at[2])));
	check_system(t[0], page);
	let_go(t[0], page);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(get64(t[i], at[i]), i == 3 ? 99 : 14);
		sim_exit(t[i]);
	}
}

/* Whose page it is alone says its entry, there and back: no copy is made.
 * behaviours: R1, F10, F12 */
TEST(try_to_unmap_exclusive)
{
	struct sim_task *t = sim_task_create(m), *child;
	struct page *page, *pinned;
	uint64_t copies;
	uaddr_t a;

	swap_disk(m, 64);
	REQUIRE(t);
	a = anon(t, 2);
	put64(t, a, 1);
	page = page_of(t, a);
	CHECK(PageFlag(page, PG_anon_exclusive));
	CHECK(to_swap(t, page));
	CHECK(pte_swp_exclusive(entry_of(t, a)));
	CHECK(!PageFlag(page, PG_anon_exclusive));
	check_system(t, page);
	copies = sim_vmstat(m, "quire_cow_copy");
	put64(t, a, 2);
	CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), copies);
	CHECK(PageFlag(page, PG_anon_exclusive));
	CHECK_EQ(frame_of(t, a) & ~(paddr_t)4095,
		 quire_page_phys(t->qt.q, page));
	/* pinned: what the pin stores must be what t sees */
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 1, true, &pinned), 1);
	CHECK(!to_swap(t, page));
	CHECK(pte_present(entry_of(t, a)));
	CHECK(PageFlag(page, PG_anon_exclusive));
	quire_page_put(t->qt.q, pinned);
	CHECK(to_swap(t, page));
	/* fork shares the entry: no longer anybody's alone */
	child = sim_fork(t);
	REQUIRE(child);
	CHECK(!pte_swp_exclusive(entry_of(t, a)));
	CHECK(!pte_swp_exclusive(entry_of(child, a)));
	CHECK_EQ(get64(child, a), 2);
	put64(t, a, 3);
	CHECK_EQ(get64(child, a), 2);
	check_system(t, page);
	let_go(t, page);
	sim_exit(child);
	sim_exit(t);
}

/* ------------------------------------------------------------------ races */

struct race {
	struct sim_machine *m;
	struct sim_task *t, *other;
	uaddr_t a;
	uint32_t stop;
};
#define RACE_PAGES 12u

/* Generations that write, move and leave; each sees its own contents. */
static void live(struct race *r)
{
	struct sim_task *t = r->t, *child;
	uaddr_t a = r->a;
	uint64_t v;
	unsigned i, k;
	sreg_t moved;

	for (k = 0; k < RACE_PAGES; k++)
		CHECK_EQ(sim_store64(t, a + k * PG, k), 0);
	for (i = 1; i < ROUNDS(400); i++) {
		child = sim_fork(t);
		REQUIRE(child);
		k = i % RACE_PAGES;
		CHECK_EQ(sim_store64(child, a + k * PG, 1000000 + i), 0);
		CHECK_EQ(sim_store64(t, a + (k + 1) % RACE_PAGES * PG,
				     (uint64_t)i << 32 | (k + 1) % RACE_PAGES),
			 0);
		CHECK_EQ(sim_load64(child, a + k * PG, &v), 0);
		CHECK_EQ(v, 1000000 + i);
		if (i % 8 == 0) {
			moved = sim_mremap(t, a, RACE_PAGES * PG,
					   RACE_PAGES * PG,
					   MREMAP_MAYMOVE | MREMAP_FIXED,
					   TEST_PLACE(2 + i / 8 % 2));
			REQUIRE(mapped_at(moved));
			sim_exit(child);
			a = (uaddr_t)moved;
		} else {
			sim_exit(child);
		}
		for (k = 0; k < RACE_PAGES; k++) {
			CHECK_EQ(sim_load64(t, a + k * PG, &v), 0);
			CHECK_EQ(v & 0xffffffff, k);
		}
	}
	__atomic_store_n(&r->stop, 1u, __ATOMIC_RELEASE);
}

static void take_pages(struct race *r)
{
	struct quire *q = sim_quire(r->m);
	struct quire_node *n = &q->node[0];
	struct page *page;
	vm_flags_t flags;
	unsigned i;

	sim_run(r->other);
	for (i = 0; !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE); i++) {
		sim_poll();
		spin_lock(&n->lru_lock);
		page = list_entry(n->lru[LRU_INACTIVE_ANON].prev, struct page,
				  lru);
		if (&page->lru == &n->lru[LRU_INACTIVE_ANON] ||
		    !try_get_page(page))
			page = NULL;
		spin_unlock(&n->lru_lock);
		if (!page)
			continue;
		if (isolate_lru_page(q, page)) {
			if (trylock_page(page)) {
				(void)page_referenced(q, page, &flags);
				if (PageFlag(page, PG_swapcache) ||
				    add_to_swap(q, page))
					(void)try_to_unmap(
						q, page, i & 1 ? TTU_WAIT : 0);
				unlock_page(page);
				free_swap_cache(q, page);
			}
			putback_lru_page(q, page);
		}
		put_page(q, page);
	}
}

static void race_side(unsigned i, void *arg)
{
	if (i == 0)
		live(arg);
	else
		take_pages(arg);
}

/* behaviours: R1, M3, F11 */
TEST_WITH(try_to_unmap_races, .config = {.cpus = 2, .jitter = 64},
	  .seconds = 120)
{
	struct race r = {.m = m};

	swap_disk(m, 4096);
	r.t = sim_task_create(m);
	r.other = sim_task_create(m);
	REQUIRE(r.t && r.other);
	r.a = anon(r.t, RACE_PAGES);
	sim_run(NULL);
	sim_parallel(m, 2, race_side, &r);
	CHECK_SYSTEM(m);
	sim_exit(r.t);
	sim_exit(r.other);
}
