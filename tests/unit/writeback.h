/* SPDX-License-Identifier: MIT */
/*
 * writeback.h - what the tests of write-back share: files on a simulated disk,
 * and what that disk has.
 */
#ifndef TESTS_UNIT_WRITEBACK_H
#define TESTS_UNIT_WRITEBACK_H

#include <mm/internal/filemap.h>
#include <tests/unit/common.h>

#define ALL 0, UINT64_MAX

static inline int fsync_all(struct sim_file *f)
{
	return quire_file_fsync(sim_file_quire(f), ALL, false);
}

static inline struct sim_file_stats stats(struct sim_file *f)
{
	struct sim_file_stats s;

	sim_file_get_stats(f, &s);
	return s;
}

static inline uint64_t disk64(struct sim_file *f, uint64_t pos)
{
	uint64_t v = 0;

	sim_file_peek(f, pos, &v, sizeof(v));
	return v;
}

static inline void set(struct sim_machine *m, enum quire_tunable which,
		       uint64_t v)
{
	CHECK_EQ(quire_set_tunable(sim_quire(m), which, v), 0);
	CHECK_EQ(quire_get_tunable(sim_quire(m), which), v);
}

static inline void disk_mode(struct sim_file *f, enum sim_disk_mode mode)
{
	struct sim_disk_config c = {.mode = mode};

	REQUIRE(sim_disk_configure(f, &c) == 0);
}

static inline struct sim_file *new_file(struct sim_machine *m, uint64_t pages)
{
	struct sim_file *f = sim_file_create(m, "f", pages * PG, 9);

	REQUIRE(f);
	return f;
}

#endif
