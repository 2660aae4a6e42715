/* SPDX-License-Identifier: MIT */
/*
 * The policies that a running system lets be changed: what Linux has under
 * /proc/sys/vm.  Each is one word of q->config, read without a lock by those
 * who act on it, so a change holds for decisions made after it.
 */
#include "system.h"

uint64_t quire_get_tunable(struct quire *q, enum quire_tunable which)
{
	switch (which) {
	case QUIRE_TUNABLE_OVERCOMMIT:
		return READ_ONCE(q->config.overcommit);
	case QUIRE_TUNABLE_OVERCOMMIT_RATIO:
		return READ_ONCE(q->config.overcommit_ratio);
	case QUIRE_TUNABLE_MAX_MAP_COUNT:
		return READ_ONCE(q->config.max_map_count);
	case QUIRE_TUNABLE_MMAP_MIN_ADDR:
		return READ_ONCE(q->config.mmap_min_addr);
	default:
		return 0;
	}
}

int quire_set_tunable(struct quire *q, enum quire_tunable which, uint64_t v)
{
	if (v > INT32_MAX)
		return -EINVAL;
	switch (which) {
	case QUIRE_TUNABLE_OVERCOMMIT:
		if (v > 2)
			return -EINVAL;
		WRITE_ONCE(q->config.overcommit, (unsigned)v);
		return 0;
	case QUIRE_TUNABLE_OVERCOMMIT_RATIO:
		WRITE_ONCE(q->config.overcommit_ratio, (unsigned)v);
		return 0;
	case QUIRE_TUNABLE_MAX_MAP_COUNT:
		WRITE_ONCE(q->config.max_map_count, (unsigned)v);
		return 0;
	case QUIRE_TUNABLE_MMAP_MIN_ADDR:
		WRITE_ONCE(q->config.mmap_min_addr, (uaddr_t)v);
		return 0;
	default:
		return -EINVAL;
	}
}
