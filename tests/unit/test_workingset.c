/* SPDX-License-Identifier: MIT */
/*
 * Refaults: an evicted page that is wanted again is known, with how many
 * evictions ago; it competes with the active pages if that is few enough.
 */
#include <reclaim.h>
#include <tests/unit/common.h>

/* behaviour: R2 (refault detection) */
TEST(workingset_distance)
{
	struct quire *q = sim_quire(m);
	struct page *page = alloc_pages_quiet(q, GFP_KERNEL, 0);
	uint64_t distance = 0, i;

	REQUIRE(page);
	CHECK(!workingset_refault(q, page, 7, 1, &distance));
	for (i = 0; i < 1000; i++)
		workingset_eviction(q, page, 7, i);
	CHECK_EQ(q->node[0].state.evicted[QUIRE_LRU_FILE], 1000);
	CHECK(workingset_refault(q, page, 7, 999, &distance));
	CHECK_EQ(distance, 0);
	CHECK(workingset_refault(q, page, 7, 900, &distance));
	CHECK_EQ(distance, 99);
	CHECK(workingset_refault(q, page, 7, 0, &distance));
	CHECK_EQ(distance, 999);
	/* it came back: it is not out any more; others are not it */
	CHECK(!workingset_refault(q, page, 7, 900, &distance));
	CHECK(!workingset_refault(q, page, 7, 1000, &distance));
	CHECK(!workingset_refault(q, page, 8, 500, &distance));
	/* the same page out twice: the later time counts */
	workingset_eviction(q, page, 7, 500);
	CHECK(workingset_refault(q, page, 7, 500, &distance));
	CHECK_EQ(distance, 0);
	/* swap's evictions are counted apart */
	SetPageFlag(page, PG_swapbacked);
	workingset_eviction(q, page, 7, WORKINGSET_SWAP);
	CHECK(workingset_refault(q, page, 7, WORKINGSET_SWAP, &distance));
	CHECK_EQ(distance, 0);
	CHECK_EQ(q->node[0].state.evicted[QUIRE_LRU_ANON], 1);
	ClearPageFlag(page, PG_swapbacked);
	put_page(q, page);
}

/* More evictions than the table has room for: the latest are those it knows. */
TEST_WITH(workingset_forgets_the_oldest, .config = {.ram_bytes = 8u << 20})
{
	struct quire *q = sim_quire(m);
	struct page *page = alloc_pages_quiet(q, GFP_KERNEL, 0);
	uint64_t frames = q->max_pfn - q->min_pfn, i, distance = 0;
	unsigned early = 0, late = 0;

	REQUIRE(page);
	for (i = 0; i < 16 * frames; i++)
		workingset_eviction(q, page, 3, i);
	for (i = 0; i < frames; i++)
		early += workingset_refault(q, page, 3, i, &distance);
	for (i = 16 * frames - frames / 4; i < 16 * frames; i++) {
		if (!workingset_refault(q, page, 3, i, &distance))
			continue;
		late++;
		CHECK_EQ(distance, 16 * frames - 1 - i);
	}
	CHECK_EQ(early, 0);
	CHECK(late > frames / 4 * 9 / 10);
	put_page(q, page);
}

/*
 * A file's pages that are evicted and come back soon go to the active list, and
 * stay then; what comes back after very many evictions does not.
 */
/* behaviour: R2 */
TEST_WITH(workingset_activates, .config = {.ram_bytes = 8u << 20})
{
	struct sim_file *f = sim_file_create(m, "f", 6000 * PG, 3);
	struct quire *q = sim_quire(m);
	uint64_t was, i;
	char c;

	REQUIRE(f);
	for (i = 0; i < 64; i++)
		CHECK_EQ(sim_file_read(f, i * PG, &c, 1), 1);
	for (i = 0; i < 64; i++) /* an active list to compete with */
		CHECK_EQ(sim_file_read(f, i * PG, &c, 1), 1);
	lru_add_drain(q);
	CHECK(sim_vmstat(m, "nr_active_file") >= 60);
	for (i = 1000; i < 1032; i++)
		CHECK_EQ(sim_file_read(f, i * PG, &c, 1), 1);
	lru_add_drain(q);
	was = sim_vmstat(m, "workingset_refault_file");
	/* all of the inactive list but the last, or nearly */
	i = sim_vmstat(m, "nr_inactive_file") - 4;
	CHECK(quire_reclaim(q, i) >= i);
	for (i = 1000; i < 1032; i++)
		CHECK_EQ(sim_file_read(f, i * PG, &c, 1), 1);
	CHECK(sim_vmstat(m, "workingset_refault_file") >= was + 20);
	CHECK(sim_vmstat(m, "workingset_activate_file") >= 20);
	lru_add_drain(q);
	CHECK_SYSTEM(m);
	/* 5000 pages later nobody remembers that */
	was = sim_vmstat(m, "workingset_activate_file");
	CHECK(quire_reclaim(q, 10000) > 0);
	CHECK(quire_reclaim(q, 10000) + 1 > 0);
	for (i = 1200; i < 6000; i++)
		CHECK_EQ(sim_file_read(f, i * PG, &c, 1), 1);
	for (i = 1000; i < 1008; i++)
		CHECK_EQ(sim_file_read(f, i * PG, &c, 1), 1);
	CHECK_EQ(sim_vmstat(m, "workingset_activate_file"), was);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}
