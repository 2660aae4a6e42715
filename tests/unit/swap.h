/* SPDX-License-Identifier: MIT */
/* What the tests of swap share. */
#ifndef QUIRE_TESTS_SWAP_H
#define QUIRE_TESTS_SWAP_H

#include "common.h"

/*
 * A simulated disk of so many slots as swap: slot 0 is a header's, every 97th
 * is bad.  disk NULL: it answers at once.  Returns the area.
 */
static inline unsigned swap_on(struct sim_machine *m, uint64_t slots,
			       int priority, unsigned flags,
			       const struct sim_disk_config *disk)
{
	uint64_t *bad = calloc(slots / 97 + 1, sizeof(*bad)), i;
	struct sim_swap_config c = {.slots = slots,
				    .first = 1,
				    .priority = priority,
				    .flags = flags,
				    .bad = bad};
	int area;

	REQUIRE(bad);
	for (i = 97; i < slots; i += 97)
		bad[c.nr_bad++] = i;
	if (disk)
		c.disk = *disk;
	area = sim_swapon(m, &c);
	free(bad);
	REQUIRE(area >= 0);
	return (unsigned)area;
}

static inline struct sim_swap_stats swap_stats(struct sim_machine *m,
					       unsigned area)
{
	struct sim_swap_stats s;

	sim_swap_get_stats(m, area, &s);
	return s;
}

/* All comes back, and nothing of the area is left. */
static inline void swap_off(struct sim_machine *m, unsigned area)
{
	CHECK_EQ(sim_swapoff(m, area), 0);
	CHECK_SYSTEM(m);
}

/* Out, what can go of these pages. */
static inline void page_out(struct sim_task *t, uaddr_t a, uaddr_t pages)
{
	CHECK_EQ(sim_madvise(t, a, pages * PG, MADV_PAGEOUT), 0);
}

#endif
