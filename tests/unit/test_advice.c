/* SPDX-License-Identifier: MIT */
/*
 * Advice to reclaim (behaviour: M2): MADV_FREE, MADV_COLD, MADV_PAGEOUT: what
 * happens to the pages, what smaps says of it, and who may not say it.
 */
#include <fault.h>
#include <filemap.h>
#include <reclaim.h>
#include <rmap.h>
#include <swap.h>
#include <tests/unit/common.h>
#include <writeback.h>

static void swap_disk(struct sim_machine *m, uint64_t slots)
{
	struct sim_swap_config c = {.slots = slots, .priority = -1};

	REQUIRE(sim_swapon(m, &c) >= 0);
}

static uint64_t used_slots(struct sim_machine *m)
{
	uint64_t total, free;

	quire_swap_total(sim_quire(m), &total, &free);
	return total - free;
}

static struct page *page_at(struct sim_task *t, uaddr_t a)
{
	/* (an entry that is old translates nothing on some processors) */
	pmd_t *pmd = mm_find_pmd(t->qt.mm, a);
	pte_t pte;

	sim_run(t);
	REQUIRE(pmd);
	pte = ptep_get(pte_offset_map(t->qt.q, pmd, a));
	REQUIRE(pte_present(pte));
	lru_add_drain(t->qt.q);
	return pte_page(t->qt.q, pte);
}

/* kB of a row of smaps, of the mapping at a. */
static unsigned long smaps_row(struct sim_task *t, uaddr_t a, const char *row)
{
	char *text = sim_smaps(t), *at, start[20];
	unsigned long kb = ~0ul;

	REQUIRE(text);
	snprintf(start, sizeof(start), "%08llx-", (unsigned long long)a);
	at = strstr(text, start);
	if (at)
		at = strstr(at, row);
	if (at)
		kb = strtoul(at + strlen(row), NULL, 10);
	free(text);
	return kb;
}

/*
 * Reclaim, of the page that t has at a; swap_out: to swap, if it is not lazily
 * freed.  True: it is in no table any more.
 */
static bool take(struct sim_task *t, uaddr_t a, bool swap_out)
{
	struct page *page = page_at(t, a);
	struct quire *q = t->qt.q;
	bool gone;

	REQUIRE(isolate_lru_page(q, page));
	lock_page(page);
	if (swap_out && PageFlag(page, PG_swapbacked))
		REQUIRE(add_to_swap(q, page));
	gone = try_to_unmap(q, page, 0);
	unlock_page(page);
	putback_lru_page(q, page);
	return gone;
}

/* behaviours: M2, R1, M5 */
TEST(advice_free_drops_what_is_not_written)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t i, free;
	uaddr_t a;

	REQUIRE(t);
	a = must_map(t, 8 * PG, RW, ANON, NULL, 0);
	for (i = 0; i < 8; i++)
		put64(t, a + (uaddr_t)i * PG, i + 1);
	CHECK_EQ(smaps_row(t, a, "LazyFree:"), 0);
	CHECK_EQ(sim_madvise(t, a + PG, 6 * PG, MADV_FREE), 0);
	CHECK_EQ(sim_vmstat(m, "pglazyfree"), 6);
	CHECK_EQ(smaps_row(t, a, "LazyFree:"), 24);
	CHECK_EQ(smaps_row(t, a, "Anonymous:"), 32);
	CHECK_SYSTEM(m);
	/* until memory is short it is there; a read does not keep it */
	CHECK_EQ(get64(t, a + 3 * PG), 4);
	put64(t, a + 4 * PG + 8, 99);
	CHECK_EQ(smaps_row(t, a, "LazyFree:"), 20);
	free = sim_vmstat(m, "nr_free_pages");
	for (i = 1; i < 7; i++)
		CHECK_EQ(take(t, a + (uaddr_t)i * PG, false), i != 4);
	CHECK_EQ(sim_vmstat(m, "nr_free_pages"), free + 5);
	CHECK_EQ(mm_stats(t).anon_pages, 3);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a), 1);
	CHECK_EQ(get64(t, a + 3 * PG), 0);
	CHECK_EQ(get64(t, a + 4 * PG), 5);
	CHECK_EQ(get64(t, a + 4 * PG + 8), 99);
	/* it is as any other again: not to be dropped */
	CHECK(PageFlag(page_at(t, a + 4 * PG), PG_swapbacked));
	CHECK_EQ(smaps_row(t, a, "LazyFree:"), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* A store by the kernel, or by a device through a pin, counts as well.
 * behaviours: M2, E14 */
TEST(advice_free_and_kernel_stores)
{
	struct sim_task *t = sim_task_create(m);
	struct page *pinned;
	uint64_t v = 7;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 3);
	CHECK_EQ(sim_touch_write(t, a, 3 * PG, 1), 0);
	CHECK_EQ(sim_madvise(t, a, 3 * PG, MADV_FREE), 0);
	CHECK_EQ(quire_mm_write(t->qt.mm, a, &v, 8, false), 8);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + PG, 1, true, &pinned), 1);
	CHECK(!take(t, a, false));
	CHECK(!take(t, a + PG, false));
	CHECK(take(t, a + 2 * PG, false));
	quire_page_put(t->qt.q, pinned);
	CHECK_EQ(get64(t, a), 7);
	CHECK_EQ(get64(t, a + PG) & 0xff, 1);
	CHECK_EQ(get64(t, a + 2 * PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* What is in swap is given up at once; what came back leaves the cache.
 * behaviours: M2, R3 */
TEST(advice_free_and_swap)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t i;
	uaddr_t a;

	REQUIRE(t);
	swap_disk(m, 64);
	a = anon(t, 6);
	for (i = 0; i < 6; i++)
		put64(t, a + (uaddr_t)i * PG, i + 1);
	for (i = 0; i < 6; i++)
		CHECK(take(t, a + (uaddr_t)i * PG, true));
	CHECK_EQ(used_slots(m), 6);
	CHECK_EQ(mm_stats(t).swap_entries, 6);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a + 4 * PG), 5);
	CHECK_EQ(get64(t, a + 5 * PG), 6);
	CHECK_EQ(sim_madvise(t, a + PG, 5 * PG, MADV_FREE), 0);
	CHECK_EQ(mm_stats(t).swap_entries, 1);
	CHECK_EQ(used_slots(m), 1);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a + 2 * PG), 0);
	CHECK(take(t, a + 4 * PG, false));
	CHECK_EQ(get64(t, a + 4 * PG), 0);
	CHECK_EQ(get64(t, a), 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(used_slots(m), 0);
}

/* The child has not said that it may go.  behaviours: M2, M3 */
TEST(advice_free_after_fork)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 2);
	put64(t, a, 11);
	put64(t, a + PG, 12);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_EQ(sim_madvise(t, a, 2 * PG, MADV_FREE), 0);
	CHECK(!take(child, a, false));
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(child, a), 11);
	CHECK_EQ(sim_munmap(t, a, 2 * PG), 0);
	CHECK(!take(child, a + PG, false));
	CHECK_EQ(get64(child, a + PG), 12);
	CHECK_SYSTEM(m);
	sim_exit(child);
	sim_exit(t);
}

/* Out with it, now.  behaviours: M2, R3 */
TEST(advice_pageout)
{
	struct sim_task *t = sim_task_create(m), *child;
	uint64_t i;
	uaddr_t a;

	REQUIRE(t);
	swap_disk(m, 64);
	a = anon(t, 40);
	for (i = 0; i < 40; i++)
		put64(t, a + (uaddr_t)i * PG, i + 1);
	CHECK_EQ(sim_madvise(t, a, 36 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(mm_stats(t).swap_entries, 36);
	CHECK_EQ(frame_of(t, a + 10 * PG), 0);
	CHECK(frame_of(t, a + 37 * PG) != 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 40; i++)
		CHECK_EQ(get64(t, a + (uaddr_t)i * PG), i + 1);
	CHECK_EQ(mm_stats(t).swap_entries, 0);
	/* what others map as well stays */
	child = sim_fork(t);
	REQUIRE(child);
	put64(child, a, 1);
	CHECK_EQ(sim_madvise(t, a, 2 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(mm_stats(t).swap_entries, 1);
	CHECK(frame_of(t, a + PG) != 0);
	CHECK_SYSTEM(m);
	sim_exit(child);
	sim_exit(t);
	CHECK_EQ(used_slots(m), 0);
}

/*
 * A file's pages: clean ones are dropped, if the file may be written to; else
 * only the private copies of them go.  behaviour: M2
 */
TEST(advice_pageout_of_files)
{
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 5), *ro;
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, b;

	REQUIRE(f && t);
	swap_disk(m, 64);
	ro = sim_file_reopen(f, true, false);
	REQUIRE(ro);
	a = must_map(t, 8 * PG, PROT_READ, MAP_SHARED, ro, 0);
	CHECK_EQ(sim_touch_read(t, a, 8 * PG), 0);
	CHECK_EQ(sim_madvise(t, a, 8 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(mm_stats(t).file_pages, 8);
	CHECK_EQ(sim_munmap(t, a, 8 * PG), 0);
	b = must_map(t, 8 * PG, RW, MAP_PRIVATE, ro, 0);
	CHECK_EQ(sim_touch_read(t, b, 8 * PG), 0);
	put64(t, b + 2 * PG, 77);
	CHECK_EQ(sim_madvise(t, b, 8 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(mm_stats(t).file_pages, 7);
	CHECK_EQ(mm_stats(t).anon_pages, 0);
	CHECK_EQ(mm_stats(t).swap_entries, 1);
	CHECK_EQ(get64(t, b + 2 * PG), 77);
	CHECK_EQ(sim_munmap(t, b, 8 * PG), 0);
	a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	CHECK_EQ(sim_touch_read(t, a, 8 * PG), 0);
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_PAGEOUT), 0);
	CHECK_EQ(mm_stats(t).file_pages, 4);
	CHECK_EQ(quire_mapping_pages(sim_file_mapping(f)), 4);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(ro);
	sim_file_close(f);
}

/* Without any swap lazily freed memory is what reclaim can have.
 * behaviours: M2, R2 */
TEST_WITH(advice_free_without_swap, .config = {.ram_bytes = 16u << 20})
{
	struct sim_task *t = sim_task_create(m);
	uint64_t i, n = sim_vmstat(m, "nr_free_pages") * 3 / 4;
	uaddr_t a, b;

	REQUIRE(t);
	a = anon(t, (uaddr_t)n);
	CHECK_EQ(sim_touch_write(t, a, (uaddr_t)n * PG, 1), 0);
	CHECK_EQ(sim_madvise(t, a, (uaddr_t)n * PG, MADV_FREE), 0);
	for (i = 0; i < 50; i++)
		put64(t, a + (uaddr_t)i * PG, i + 1000);
	b = anon(t, (uaddr_t)n);
	CHECK_EQ(sim_touch_write(t, b, (uaddr_t)n * PG, 2), 0);
	for (i = 0; i < 50; i++)
		CHECK_EQ(get64(t, a + (uaddr_t)i * PG), i + 1000);
	CHECK(sim_vmstat(m, "pglazyfreed") > n / 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: M2, R2 */
TEST(advice_cold)
{
	struct sim_task *t = sim_task_create(m);
	struct page *page, *last;
	vm_flags_t flags;
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 64);
	CHECK_EQ(sim_touch_write(t, a, 64 * PG, 1), 0);
	lru_add_drain(t->qt.q);
	page = page_at(t, a + 40 * PG);
	SetPageFlag(page, PG_referenced);
	CHECK_EQ(sim_madvise(t, a + 40 * PG, PG, MADV_COLD), 0);
	CHECK(!PageFlag(page, PG_referenced));
	lock_page(page);
	CHECK_EQ(page_referenced(t->qt.q, page, &flags), 0);
	unlock_page(page);
	last = list_entry(t->qt.q->node[page->node].lru[page_lru(page)].prev,
			  struct page, lru);
	CHECK(last == page); /* the first that reclaim looks at */
	CHECK_EQ(get64(t, a + 40 * PG) & 0xff, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* Who may say what of which memory.  behaviour: M2 */
TEST(advice_errors)
{
	static const int all[] = {MADV_FREE, MADV_COLD, MADV_PAGEOUT};
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 1);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, shared, file;
	unsigned i;

	REQUIRE(t && f);
	a = must_map(t, 8 * PG, RW, ANON, NULL, 0);
	shared = must_map(t, 2 * PG, RW, SHANON, NULL, 0);
	file = must_map(t, 4 * PG, RW, MAP_PRIVATE, f, 0);
	CHECK_EQ(sim_touch_write(t, a, 8 * PG, 1), 0);
	CHECK_EQ(sim_touch_write(t, shared, 2 * PG, 1), 0);
	CHECK_EQ(sim_touch_read(t, file, 4 * PG), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(sim_madvise(t, a + 1, PG, all[i]), -EINVAL);
		CHECK_EQ(sim_madvise(t, a, 0, all[i]), 0);
	}
	CHECK_EQ(sim_madvise(t, shared, 2 * PG, MADV_FREE), -EINVAL);
	CHECK_EQ(sim_madvise(t, file, 4 * PG, MADV_FREE), -EINVAL);
	CHECK_EQ(sim_madvise(t, shared, 2 * PG, MADV_COLD), 0);
	CHECK_EQ(sim_madvise(t, file, 4 * PG, MADV_COLD), 0);
	CHECK_EQ(quire_mlock(t->qt.mm, a, 2 * PG, 0), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(sim_madvise(t, a, 4 * PG, all[i]), -EINVAL);
		CHECK_EQ(sim_madvise(t, a + 2 * PG, PG, all[i]), 0);
	}
	CHECK_EQ(sim_munmap(t, a + 4 * PG, PG), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(sim_madvise(t, a + 3 * PG, 4 * PG, all[i]), -ENOMEM);
	CHECK_EQ(get64(t, a) & 0xff, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* ------------------------------------------------------------------- races */

struct race {
	struct sim_machine *m;
	struct sim_task *t, *other;
	uaddr_t a;
	uint32_t stop;
};

/* Advised again and again; after each store the contents are right. */
static void advise_and_store(struct race *r)
{
	uint64_t v, i, k;

	for (i = 1; i < ROUNDS(3000); i++) {
		k = i * 5 % 16;
		CHECK_EQ(sim_madvise(r->t, r->a, 16 * PG, MADV_FREE), 0);
		CHECK_EQ(sim_store64(r->t, r->a + (uaddr_t)k * PG, i), 0);
		CHECK_EQ(sim_load64(r->t, r->a + (uaddr_t)k * PG, &v), 0);
		CHECK_EQ(v, i);
		CHECK_EQ(
			sim_load64(r->t, r->a + (uaddr_t)(k + 1) % 16 * PG, &v),
			0);
		CHECK(v <= i);
	}
	__atomic_store_n(&r->stop, 1u, __ATOMIC_RELEASE);
}

static void take_pages(struct race *r)
{
	struct quire *q = sim_quire(r->m);
	struct quire_node *n = &q->node[0];
	struct page *page;

	sim_run(r->other);
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		/* lazily freed pages are among the files' */
		spin_lock(&n->lru_lock);
		page = list_entry(n->lru[LRU_INACTIVE_FILE].prev, struct page,
				  lru);
		if (&page->lru == &n->lru[LRU_INACTIVE_FILE] ||
		    !try_get_page(page))
			page = NULL;
		spin_unlock(&n->lru_lock);
		if (!page) {
			sim_poll();
			continue;
		}
		if (!isolate_lru_page(q, page)) {
			put_page(q, page);
			continue;
		}
		put_page(q, page); /* one reference is left of ours */
		if (trylock_page(page)) {
			(void)try_to_unmap(q, page, 0);
			unlock_page(page);
		}
		putback_lru_page(q, page);
	}
}

static void race_side(unsigned i, void *arg)
{
	if (i == 0)
		advise_and_store(arg);
	else
		take_pages(arg);
}

/* behaviours: M2, R1 */
TEST_WITH(advice_free_races_reclaim, .config = {.cpus = 2, .jitter = 64},
	  .seconds = 120)
{
	struct race r = {.m = m};

	r.t = sim_task_create(m);
	r.other = sim_task_create(m);
	REQUIRE(r.t && r.other);
	r.a = anon(r.t, 16);
	sim_run(NULL);
	sim_parallel(m, 2, race_side, &r);
	CHECK_SYSTEM(m);
	sim_exit(r.t);
	sim_exit(r.other);
}
