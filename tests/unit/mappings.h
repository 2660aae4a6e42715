/* SPDX-License-Identifier: MIT */
/* Mappings at a place of their own, and their lines in maps, for tests. */
#ifndef QUIRE_TESTS_MAPPINGS_H
#define QUIRE_TESTS_MAPPINGS_H

#include <tests/unit/common.h>

#define FIX (ANON | MAP_FIXED)
#define A   TEST_PLACE(0) /* far from everything else */

/* How many mappings there are in [start, end). */
static inline unsigned lines(struct sim_task *t, uaddr_t start, uaddr_t end)
{
	char *text = sim_maps(t), *line;
	unsigned long long from, to;
	unsigned n = 0;

	REQUIRE(text);
	for (line = text; *line; line = strchr(line, '\n') + 1)
		if (sscanf(line, "%llx-%llx", &from, &to) == 2 && from < end &&
		    to > start)
			n++;
	free(text);
	return n;
}

/* Its line of maps from the protection on, without the newline. */
static inline const char *line_at(struct sim_task *t, uaddr_t addr)
{
	static char found[256];
	char *text = sim_maps(t), *line, *end;
	unsigned long long from, to;

	REQUIRE(text);
	found[0] = 0;
	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		*end = 0;
		if (sscanf(line, "%llx-%llx", &from, &to) == 2 &&
		    from <= addr && addr < to)
			snprintf(found, sizeof(found), "%s", line);
	}
	free(text);
	return found;
}

static inline void map_at(struct sim_task *t, uaddr_t page, uaddr_t pages,
			  unsigned prot, unsigned flags)
{
	CHECK_EQ(sim_mmap(t, A + page * PG, pages * PG, prot,
			  flags | MAP_FIXED | MAP_ANONYMOUS, NULL, 0),
		 A + page * PG);
}

static inline unsigned pieces(struct sim_task *t)
{
	return lines(t, A, A + 1000 * PG);
}

static inline void wipe(struct sim_task *t)
{
	CHECK_EQ(sim_munmap(t, A, 1000 * PG), 0);
	CHECK_EQ(pieces(t), 0);
}

#endif
