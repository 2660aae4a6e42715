/* SPDX-License-Identifier: MIT */
/*
 * What is told about an address space: the text of maps and smaps, pagemap's
 * words, soft-dirty, peaks.  The text is Linux's, byte by byte (proc(5)).
 */
#include <tests/unit/mappings.h>

/* Names begin where Linux has them: after 25 + 6 * sizeof(long) columns. */
#define NAME_COLUMN (QUIRE_UADDR_BITS == 64 ? 73 : 49)
/* A mapping of so many pages is at addr, and its line goes on like this. */
#define CHECK_LINE(addr, pages, rest)                                          \
	do {                                                                   \
		snprintf(want, sizeof(want), "%08llx-%08llx%s",                \
			 (unsigned long long)(addr),                           \
			 (unsigned long long)((addr) + (pages)*PG), rest);     \
		CHECK_EQ(strncmp(line_at(t, addr), want, strlen(want)), 0);    \
	} while (0)

/* behaviour: M5 */
TEST(maps_text_is_as_proc_has_it)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "some/file", 4 * PG, 1);
	struct quire_mm_layout l;
	char want[300], *text;

	quire_mm_get_layout(t->qt.mm, &l);
	CHECK_EQ(sim_brk(t, l.start_brk + PG), l.start_brk + PG);
	map_at(t, 0, 1, RW, MAP_PRIVATE);
	map_at(t, 2, 1, PROT_NONE, MAP_SHARED);
	CHECK_EQ(sim_mmap(t, A + 4 * PG, 2 * PG, PROT_READ | PROT_EXEC,
			  MAP_PRIVATE | MAP_FIXED, f, PG),
		 A + 4 * PG);
	CHECK_LINE(A, 1, " rw-p 00000000 00:00 0 ");
	CHECK_LINE(A + 2 * PG, 1, " ---s 00000000 00:01 ");
	CHECK_EQ(strcspn(line_at(t, A + 2 * PG), "/"), NAME_COLUMN);
	CHECK(strstr(line_at(t, A + 2 * PG), " /dev/zero (deleted)"));
	CHECK_LINE(A + 4 * PG, 2, " r-xp 00001000 ");
	CHECK_EQ(strstr(line_at(t, A + 4 * PG), "some/file") -
			 line_at(t, A + 4 * PG),
		 NAME_COLUMN);
	CHECK_LINE(l.start_brk, 1, " rw-p 00000000 00:00 0");
	CHECK_STR(line_at(t, l.start_brk) + NAME_COLUMN, "[heap]");
	CHECK_STR(line_at(t, sim_stack_top(m) - 1) + NAME_COLUMN, "[stack]");
	/* in order, each line ended */
	text = sim_maps(t);
	REQUIRE(text);
	CHECK_EQ(text[strlen(text) - 1], '\n');
	free(text);
	sim_exit(t);
	sim_file_close(f);
}

/* The value in kB of a line of smaps for the mapping at addr. */
static long smaps_kb(struct sim_task *t, uaddr_t addr, const char *label)
{
	char *text = sim_smaps(t), *p, want[32];
	long kb = -1;

	REQUIRE(text);
	snprintf(want, sizeof(want), "%llx-", (unsigned long long)addr);
	p = strstr(text, want);
	if (p)
		p = strstr(p, label);
	if (p && p[-1] == '\n')
		kb = atol(p + strlen(label));
	free(text);
	return kb;
}

/* behaviour: M5 */
TEST(smaps_counts_true)
{
	struct sim_task *t = sim_task_create(m), *c;
	char *text;

	map_at(t, 0, 8, RW, MAP_PRIVATE);
	put64(t, A, 1);
	put64(t, A + PG, 2);
	CHECK_EQ(get64(t, A + 2 * PG), 0); /* the zero page is nobody's */
	CHECK_EQ(smaps_kb(t, A, "Size:"), 32);
	CHECK_EQ(smaps_kb(t, A, "KernelPageSize:"), 4);
	CHECK_EQ(smaps_kb(t, A, "Rss:"), 8);
	CHECK_EQ(smaps_kb(t, A, "Pss:"), 8);
	CHECK_EQ(smaps_kb(t, A, "Private_Dirty:"), 8);
	CHECK_EQ(smaps_kb(t, A, "Anonymous:"), 8);
	CHECK_EQ(smaps_kb(t, A, "Referenced:"), 8);
	c = sim_fork(t);
	REQUIRE(c);
	put64(c, A, 3);
	CHECK_EQ(smaps_kb(t, A, "Rss:"), 8);
	CHECK_EQ(smaps_kb(t, A, "Pss:"), 6);
	CHECK_EQ(smaps_kb(t, A, "Shared_Dirty:"), 4);
	CHECK_EQ(smaps_kb(t, A, "Private_Dirty:"), 4);
	sim_exit(c);
	sim_run(t);
	CHECK_EQ(quire_clear_refs(t->qt.mm, 1), 0);
	CHECK_EQ(smaps_kb(t, A, "Referenced:"), 0);
	CHECK_EQ(get64(t, A), 1);
	CHECK_EQ(smaps_kb(t, A, "Referenced:"), 4);
	CHECK_EQ(quire_mlock(t->qt.mm, A, 8 * PG, 0), 0);
	CHECK_EQ(smaps_kb(t, A, "Locked:"), 32);
	text = sim_smaps(t);
	REQUIRE(text);
	CHECK(strstr(text, "\nVmFlags: rd wr mr mw me lo ac sd \n"));
	CHECK(strstr(text, "\nSize:                 32 kB\n"
			   "KernelPageSize:        4 kB\n"
			   "MMUPageSize:           4 kB\n"));
	CHECK(strstr(text, "\nTHPeligible:           0\nVmFlags: "));
	free(text);
	sim_exit(t);
}

static int stop_at_second(void *cookie, const char *text, size_t len)
{
	(void)text;
	(void)len;
	return ++*(int *)cookie == 2 ? -77 : 0;
}

/* behaviour: M5 */
TEST(maps_stops_when_the_reader_does)
{
	struct sim_task *t = sim_task_create(m);
	int n = 0;

	map_at(t, 0, 1, RW, MAP_PRIVATE);
	map_at(t, 2, 1, RW, MAP_PRIVATE);
	sim_run(t);
	CHECK_EQ(quire_maps(t->qt.mm, stop_at_second, &n), -77);
	CHECK_EQ(n, 2);
	if (sim_has_injection()) {
		sim_inject_nth(m, 1, false);
		CHECK_EQ(quire_maps(t->qt.mm, stop_at_second, &n), -ENOMEM);
		sim_inject_reset(m);
	}
	sim_exit(t);
}

#define PM_PRESENT    (1ull << 63)
#define PM_FILE	      (1ull << 61)
#define PM_EXCLUSIVE  (1ull << 56)
#define PM_SOFT_DIRTY (1ull << 55)

/* behaviour: M5 */
TEST(pagemap_and_soft_dirty)
{
	struct sim_task *t = sim_task_create(m), *c;
	uint64_t e[8];
	unsigned i;

	map_at(t, 1, 3, RW, MAP_PRIVATE);
	map_at(t, 5, 2, RW, MAP_SHARED);
	put64(t, A + PG, 1);
	CHECK_EQ(get64(t, A + 2 * PG), 0);
	put64(t, A + 5 * PG, 1);
	sim_run(t);
	CHECK_EQ(quire_pagemap(t->qt.mm, A, 8, e), 8);
	CHECK_EQ(e[0], 0);
	CHECK_EQ(e[1], PM_PRESENT | PM_EXCLUSIVE | PM_SOFT_DIRTY);
	CHECK_EQ(e[2], PM_PRESENT | PM_SOFT_DIRTY);
	CHECK_EQ(e[3], PM_SOFT_DIRTY);
	CHECK_EQ(e[4], 0);
	CHECK_EQ(e[5], PM_PRESENT | PM_FILE | PM_EXCLUSIVE | PM_SOFT_DIRTY);
	CHECK_EQ(quire_pagemap(t->qt.mm, quire_task_size(sim_quire(m)) - PG, 8,
			       e),
		 1);
	/* from now on only what is written is dirty */
	CHECK_EQ(quire_clear_refs(t->qt.mm, 4), 0);
	CHECK_EQ(quire_pagemap(t->qt.mm, A, 8, e), 8);
	for (i = 0; i < 8; i++)
		CHECK_EQ(e[i] & PM_SOFT_DIRTY, 0);
	CHECK_EQ(get64(t, A + PG), 1);
	put64(t, A + 3 * PG, 2);
	put64(t, A + 5 * PG, 2);
	CHECK_EQ(sim_mprotect(t, A + PG, PG, PROT_READ), 0);
	CHECK_EQ(sim_mprotect(t, A + PG, PG, RW), 0);
	CHECK_EQ(quire_pagemap(t->qt.mm, A, 8, e), 8);
	CHECK_EQ(e[1] & PM_SOFT_DIRTY, 0);
	CHECK(e[3] & PM_SOFT_DIRTY);
	CHECK(e[5] & PM_SOFT_DIRTY);
	put64(t, A + PG, 3);
	CHECK_EQ(quire_pagemap(t->qt.mm, A, 8, e), 8);
	CHECK(e[1] & PM_SOFT_DIRTY);
	/* shared by a fork; the frame is for the administrator */
	c = sim_fork(t);
	REQUIRE(c);
	sim_run(t);
	t->qt.cap_sys_admin = true;
	CHECK_EQ(quire_pagemap(t->qt.mm, A, 8, e), 8);
	CHECK_EQ(e[1] & PM_EXCLUSIVE, 0);
	CHECK_EQ(e[1] & ((1ull << 55) - 1), frame_of(t, A + PG) / PG);
	CHECK_EQ(quire_clear_refs(t->qt.mm, 0), -EINVAL);
	CHECK_EQ(quire_clear_refs(t->qt.mm, 6), -EINVAL);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
}

/* behaviour: M5 */
TEST(high_water_marks)
{
	struct sim_task *t = sim_task_create(m);
	struct quire_mm_stats s;

	map_at(t, 0, 30, RW, MAP_PRIVATE | MAP_POPULATE);
	CHECK_EQ(sim_munmap(t, A + 10 * PG, 20 * PG), 0);
	s = mm_stats(t);
	CHECK_EQ(s.anon_pages, 10);
	CHECK_EQ(s.hiwater_rss, 30);
	CHECK_EQ(s.hiwater_vm, s.total_vm + 20);
	sim_run(t);
	CHECK_EQ(quire_clear_refs(t->qt.mm, 5), 0);
	CHECK_EQ(mm_stats(t).hiwater_rss, 10);
	sim_exit(t);
}
