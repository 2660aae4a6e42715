/* SPDX-License-Identifier: MIT */
/* The figures of an address space: what it has, and the most it ever had. */
#include "common.h"

/* Peaks stay when what made them is gone. */
TEST(high_water_marks)
{
	struct sim_task *t = sim_task_create(m);
	struct quire_mm_stats now, peak;
	uaddr_t a = anon(t, 4 * 512);
	unsigned i;

	for (i = 0; i < 4; i++)
		put64(t, a + i * 512 * PG, i);
	/* every other page another VMA */
	for (i = 1; i < 8; i += 2)
		CHECK_EQ(sim_mprotect(t, a + i * PG, PG, PROT_READ), 0);
	peak = mm_stats(t);
	CHECK_EQ(peak.hiwater_table_bytes, peak.table_bytes);
	CHECK_EQ(peak.hiwater_vmas, peak.vmas);

	CHECK_EQ(sim_munmap(t, a, 4 * 512 * PG), 0);
	now = mm_stats(t);
	CHECK(now.table_bytes + 3 * PG <= peak.table_bytes);
	CHECK(now.vmas + 8 <= peak.vmas);
	CHECK_EQ(now.hiwater_table_bytes, peak.table_bytes);
	CHECK_EQ(now.hiwater_vmas, peak.vmas);
	CHECK(now.hiwater_rss >= 4);
	CHECK(now.anon_pages < now.hiwater_rss);
	CHECK_SYSTEM(m);
	sim_exit(t);
}
