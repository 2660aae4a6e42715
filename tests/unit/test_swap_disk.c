/* SPDX-License-Identifier: MIT */
/*
 * The simulated swap disk: what is asked of it is seen to, in time, and each
 * broken rule of the contract is a violation.
 */
#include <filemap.h>
#include <sim/swap_device.h>

#include "swap_devices.h"

/* behaviour: R3 */
TEST(swap_disk_at_once)
{
	struct sim_swap_stats s;

	writer_on(m,
		  &(struct sim_swap_config){.slots = 1024,
					    .flags = QUIRE_SWAP_SYNC},
		  &s);
}

/* behaviour: R3 (requests overtake each other, and move in parts) */
TEST_WITH(swap_disk_out_of_order, .config = {.io_thread = true})
{
	struct sim_swap_stats s;

	writer_on(m,
		  &(struct sim_swap_config){.slots = 1024,
					    .first = 1,
					    .disk = {.reorder = true,
						     .latency_random_us = 100,
						     .short_bytes = 6000,
						     .short_random = true,
						     .seed = 5}},
		  &s);
}

/* behaviour: R3 (only who sleeps for it gets it done) */
TEST(swap_disk_lazy)
{
	struct sim_swap_stats s;

	writer_on(m,
		  &(struct sim_swap_config){
			  .slots = 1024,
			  .disk = {.mode = SIM_DISK_LAZY, .reorder = true}},
		  &s);
}

/* behaviour: R3 (several areas, one of them dies: only what was there is
 * lost) */
TEST(swap_disk_dies)
{
	int a = sim_swapon(
		m, &(struct sim_swap_config){.slots = 64, .priority = 5});
	int b = sim_swapon(
		m, &(struct sim_swap_config){.slots = 1024, .priority = 4});
	struct writer w;
	struct sim_swap_stats s;
	unsigned lost;

	REQUIRE(a >= 0 && b >= 0);
	CHECK_EQ(quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER, 0),
		 0);
	writer_start(&w, m, 256, 1);
	writer_fill_all(&w);
	writer_page_out(&w, 0, w.pages);
	sim_swap_get_stats(m, (unsigned)a, &s);
	CHECK_EQ(s.written, 64);
	sim_quiet(m, true);
	sim_swap_die(m, (unsigned)a);
	lost = writer_lost(&w);
	CHECK_EQ(lost, 64);
	sim_swap_get_stats(m, (unsigned)b, &s);
	CHECK_EQ(s.read_errors, 0);
	CHECK_SYSTEM(m);
	/* what is left goes out to the other one, and comes back */
	CHECK_EQ(sim_swapoff(m, (unsigned)a), 0);
	writer_page_out(&w, 0, w.pages);
	CHECK_EQ(writer_lost(&w), lost);
	CHECK_SYSTEM(m);
	writer_end(&w);
}

/* A device's user that breaks the rules. */
static struct sim_swap_stats stats_of(struct sim_machine *m, int area)
{
	struct sim_swap_stats s;

	sim_swap_get_stats(m, (unsigned)area, &s);
	return s;
}

/* behaviour: R3 (a freed slot is told to the device) */
TEST(swap_disk_counts)
{
	int area = sim_swapon(m, &(struct sim_swap_config){.slots = 256});
	struct writer w;

	REQUIRE(area >= 0);
	writer_start(&w, m, 32, 1);
	writer_fill_all(&w);
	writer_page_out(&w, 0, 32);
	CHECK_EQ(stats_of(m, area).written, 32);
	CHECK_EQ(stats_of(m, area).writes, 32);
	CHECK_EQ(stats_of(m, area).slot_frees, 0);
	writer_end(&w);
	CHECK_EQ(stats_of(m, area).written, 0);
	CHECK_EQ(stats_of(m, area).slot_frees, 32);
	CHECK_EQ(stats_of(m, area).reads, 0);
	CHECK_SYSTEM(m);
}

/* Violations since the last call. */
static unsigned broken(struct sim_machine *m)
{
	unsigned n = sim_violations(m);

	sim_violations_clear(m);
	return n;
}

/* What a core would do wrong, done in its place. */
TEST(swap_contract_is_watched)
{
	int area = sim_swapon(
		m, &(struct sim_swap_config){.slots = 256,
					     .disk = {.mode = SIM_DISK_HELD}});
	struct quire_swap_info info;
	struct page *page[2];
	unsigned i;

	if (!sim_has_checker())
		return;
	REQUIRE(area >= 0);
	CHECK_EQ(quire_swap_info(sim_quire(m), (unsigned)area, &info), 0);
	sim_quiet(m, true);
	for (i = 0; i < 2; i++) {
		page[i] = alloc_page(sim_quire(m), GFP_KERNEL);
		REQUIRE(page[i]);
	}
	/* nothing was written there; then it is under read */
	lock_page(page[0]);
	sim_swap_ops.read(info.device, 5, &page[0], 1);
	CHECK_EQ(broken(m), 1);
	sim_swap_ops.slot_free(info.device, 5);
	CHECK_EQ(broken(m), 1);
	/* free now, but its read goes on */
	CHECK_EQ(sim_disk_step(m, 1), 1);
	CHECK_EQ(broken(m), 1);
	CHECK(!PageFlag(page[0], PG_locked));
	/* it has contents, nobody freed it */
	sim_swap_ops.discard(info.device, 5, 1);
	CHECK_EQ(broken(m), 1);
	sim_swap_ops.slot_free(info.device, 5);
	sim_swap_ops.discard(info.device, 5, 1);
	CHECK_EQ(broken(m), 0);
	/* the device ends before that */
	lock_page(page[1]);
	sim_swap_ops.read(info.device, 256, &page[1], 1);
	CHECK_EQ(broken(m), 1);
	CHECK(!PageFlag(page[1], PG_locked));
	CHECK(!PageFlag(page[1], PG_uptodate));
	put_page(sim_quire(m), page[0]);
	put_page(sim_quire(m), page[1]);
}
