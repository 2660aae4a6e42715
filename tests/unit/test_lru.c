/* SPDX-License-Identifier: MIT */
/*
 * The LRU lists: batches, where pages go, the second use, and that a page that
 * is freed is on no list; the statistics that are read off them.
 */
#include <mm/internal/filemap.h>
#include <tests/unit/common.h>

TEST(lru_batch_and_drain)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a;

	REQUIRE(t);
	a = anon(t, 100);
	lru_add_drain(q);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_anon) +
			 quire_vmstat(q, VM_nr_active_anon),
		 0);
	CHECK_EQ(sim_touch_write(t, a, 100 * PG, 1), 0);
	/* most are on the lists by now, the rest after a drain */
	CHECK(quire_vmstat(q, VM_nr_inactive_anon) +
		      quire_vmstat(q, VM_nr_active_anon) >=
	      100 - LRU_BATCH);
	lru_add_drain(q);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_anon) +
			 quire_vmstat(q, VM_nr_active_anon),
		 100);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a, 60 * PG), 0);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_anon) +
			 quire_vmstat(q, VM_nr_active_anon),
		 40);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_anon) +
			 quire_vmstat(q, VM_nr_active_anon),
		 0);
}

/* A page freed while it is still in a batch goes when the batch does. */
TEST(lru_page_dies_in_batch)
{
	struct quire *q = sim_quire(m);
	uint64_t before;
	struct page *page;

	lru_add_drain(q);
	before = nr_free_pages(q);
	page = alloc_pages_quiet(q, GFP_KERNEL, 0);
	REQUIRE(page);
	lru_cache_add(q, page, false);
	put_page(q, page);
	CHECK_EQ(nr_free_pages(q), before - 1);
	CHECK_EQ(page_count(page), 1);
	lru_add_drain(q);
	CHECK_EQ(nr_free_pages(q), before);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_file), 0);
}

/* Each kind of page goes to its list; a second use makes it active. */
TEST(lru_lists_and_activation)
{
	struct quire *q = sim_quire(m);
	struct page *file = alloc_pages_quiet(q, GFP_KERNEL, 0);
	struct page *anon_page = alloc_pages_quiet(q, GFP_KERNEL, 0);
	struct page *locked = alloc_pages_quiet(q, GFP_KERNEL, 0);
	struct page *late = alloc_pages_quiet(q, GFP_KERNEL, 0);

	REQUIRE(file && anon_page && locked && late);
	SetPageFlag(anon_page, PG_swapbacked);
	SetPageFlag(locked, PG_unevictable);
	lru_cache_add(q, file, false);
	lru_cache_add(q, anon_page, true);
	lru_cache_add(q, locked, false);
	lru_cache_add(q, late, false);
	mark_page_accessed(q, late); /* used twice while in the batch */
	mark_page_accessed(q, late);
	lru_add_drain(q);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_file), 1);
	CHECK_EQ(quire_vmstat(q, VM_nr_active_file), 1);
	CHECK_EQ(quire_vmstat(q, VM_nr_active_anon), 1);
	CHECK_EQ(quire_vmstat(q, VM_nr_unevictable), 1);

	mark_page_accessed(q, file);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_file), 1);
	CHECK(PageFlag(file, PG_referenced));
	mark_page_accessed(q, file);
	CHECK_EQ(quire_vmstat(q, VM_nr_inactive_file), 0);
	CHECK_EQ(quire_vmstat(q, VM_nr_active_file), 2);
	CHECK(!PageFlag(file, PG_referenced));
	mark_page_accessed(q, locked);
	mark_page_accessed(q, locked);
	CHECK_EQ(quire_vmstat(q, VM_nr_unevictable), 1);
	CHECK_EQ(quire_vmstat(q, VM_pgactivate), 2);

	put_page(q, file);
	put_page(q, anon_page);
	put_page(q, locked);
	put_page(q, late);
	CHECK_EQ(quire_vmstat(q, VM_nr_active_file), 0);
	CHECK_EQ(quire_vmstat(q, VM_nr_active_anon), 0);
	CHECK_EQ(quire_vmstat(q, VM_nr_unevictable), 0);
}

/* What must not be dropped is kept: dirty, in use by somebody.  What is only
 * mapped is unmapped. */
TEST(shrink_keeps_what_is_needed)
{
	struct sim_file *f = sim_file_create(m, "f", 64 * PG, 3);
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	struct address_space *as;
	struct page *held, *dirty;
	static char buf[64 * PG];
	uaddr_t a;

	REQUIRE(f && t);
	as = sim_file_mapping(f);
	CHECK_EQ(sim_file_read(f, 0, buf, sizeof(buf)), (long)sizeof(buf));
	CHECK_EQ(quire_mapping_pages(as), 64);
	a = must_map(t, 4 * PG, PROT_READ, MAP_SHARED, f, 8 * PG);
	CHECK_EQ(sim_touch_read(t, a, 4 * PG), 0);
	held = find_get_page(as, 20);
	dirty = find_get_page(as, 30);
	REQUIRE(held && dirty);
	set_page_dirty(q, dirty);
	put_page(q, dirty);
	CHECK_EQ(quire_reclaim(q, 10000), 64 - 1 - 1);
	CHECK_EQ(quire_mapping_pages(as), 2);
	CHECK_EQ(sim_touch_read(t, a, 4 * PG), 0);
	CHECK(find_get_page(as, 20) == held);
	put_page(q, held);
	put_page(q, held);
	CHECK_EQ(sim_munmap(t, a, 4 * PG), 0);
	CHECK_SYSTEM(m);
	(void)quire_reclaim(q, 10000);
	(void)quire_reclaim(q, 10000);
	CHECK_EQ(quire_mapping_pages(as), 1); /* the dirty one */
	CHECK_EQ(quire_reclaim(q, 10000), 0);
	sim_exit(t);
	sim_file_close(f);
}

/* Shared anonymous memory has no other copy: pressure leaves it alone. */
TEST_WITH(shrink_leaves_shmem, .config = {.ram_bytes = 8u << 20})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, i;

	REQUIRE(t);
	a = must_map(t, 200 * PG, RW, SHANON, NULL, 0);
	for (i = 0; i < 200; i++)
		put64(t, a + i * PG, 1000 + i);
	CHECK_EQ(quire_vmstat(sim_quire(m), VM_nr_shmem), 200);
	CHECK_EQ(quire_reclaim(sim_quire(m), 10000), 0);
	for (i = 0; i < 200; i++)
		CHECK_EQ(get64(t, a + i * PG), 1000 + i);
	sim_exit(t);
}

TEST(vmstat_and_meminfo)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	struct quire_meminfo was, now;
	unsigned i, known = 0;
	uaddr_t a;

	REQUIRE(t);
	for (i = 0; quire_vmstat_name(i); i++)
		known += !strcmp(quire_vmstat_name(i), "pgfault") ||
			 !strcmp(quire_vmstat_name(i), "nr_free_pages");
	CHECK_EQ(known, 2);
	CHECK_EQ(quire_vmstat(q, i), 0);
	quire_get_meminfo(q, &was);
	CHECK(was.total > 0 && was.free < was.total);
	CHECK(was.available <= was.free + was.cached);
	a = anon(t, 64);
	CHECK_EQ(sim_touch_write(t, a, 64 * PG, 1), 0);
	quire_get_meminfo(q, &now);
	CHECK_EQ(now.anon, was.anon + 64);
	CHECK(now.free <= was.free - 64);
	CHECK(now.committed >= was.committed + 64);
	CHECK_EQ(now.total, was.total);
	CHECK_EQ(now.free, sim_vmstat(m, "nr_free_pages"));
	sim_exit(t);
}
