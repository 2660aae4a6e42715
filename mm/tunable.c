/* SPDX-License-Identifier: MIT */
/*
 * The policies that a running system lets be changed: what Linux has under
 * /proc/sys/vm.  Each is one word of q, read without a lock by those
 * who act on it, so a change holds for decisions made after it.
 */
#include "mm.h"

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
	case QUIRE_TUNABLE_DIRTY_RATIO:
		return READ_ONCE(q->dirty_ratio);
	case QUIRE_TUNABLE_DIRTY_BACKGROUND_RATIO:
		return READ_ONCE(q->dirty_background_ratio);
	case QUIRE_TUNABLE_DIRTY_BYTES:
		return READ_ONCE(q->dirty_bytes);
	case QUIRE_TUNABLE_DIRTY_BACKGROUND_BYTES:
		return READ_ONCE(q->dirty_background_bytes);
	case QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS:
		return READ_ONCE(q->dirty_expire);
	case QUIRE_TUNABLE_DIRTY_WRITEBACK_CENTISECS:
		return READ_ONCE(q->dirty_interval);
	case QUIRE_TUNABLE_FAULT_AROUND_BYTES:
		return READ_ONCE(q->fault_around_bytes);
	case QUIRE_TUNABLE_READAHEAD_BYTES:
		return (uint64_t)READ_ONCE(q->ra_pages) << PAGE_SHIFT;
	case QUIRE_TUNABLE_SWAPPINESS:
		return READ_ONCE(q->swappiness);
	case QUIRE_TUNABLE_MIN_FREE_KBYTES:
		return READ_ONCE(q->min_free_kbytes);
	case QUIRE_TUNABLE_PAGE_CLUSTER:
		return READ_ONCE(q->page_cluster);
	default:
		return 0;
	}
}

/* A limit in per cent, or in bytes: the one that was set last holds. */
static int set_dirty_limit(unsigned long *set, unsigned long *other,
			   unsigned long v)
{
	WRITE_ONCE(*set, v);
	WRITE_ONCE(*other, 0);
	return 0;
}

static int set_dirty_tunable(struct quire *q, enum quire_tunable which,
			     uint64_t v)
{
	unsigned long n = (unsigned long)v;

	if (n != v)
		return -EINVAL;
	switch (which) {
	case QUIRE_TUNABLE_DIRTY_RATIO:
		return v > 100 ? -EINVAL
			       : set_dirty_limit(&q->dirty_ratio,
						 &q->dirty_bytes, n);
	case QUIRE_TUNABLE_DIRTY_BACKGROUND_RATIO:
		return v > 100 ? -EINVAL
			       : set_dirty_limit(&q->dirty_background_ratio,
						 &q->dirty_background_bytes, n);
	case QUIRE_TUNABLE_DIRTY_BYTES: /* Linux: two pages at least */
		return v < 2 * PAGE_SIZE ? -EINVAL
					 : set_dirty_limit(&q->dirty_bytes,
							   &q->dirty_ratio, n);
	case QUIRE_TUNABLE_DIRTY_BACKGROUND_BYTES:
		return v < 1 ? -EINVAL
			     : set_dirty_limit(&q->dirty_background_bytes,
					       &q->dirty_background_ratio, n);
	case QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS:
		WRITE_ONCE(q->dirty_expire, n);
		return 0;
	case QUIRE_TUNABLE_DIRTY_WRITEBACK_CENTISECS:
		WRITE_ONCE(q->dirty_interval, n);
		return 0;
	default:
		return -EINVAL;
	}
}

/* The reserve; more than half of all memory is too much. */
static int set_min_free(struct quire *q, unsigned long kbytes)
{
	unsigned long total = 0;
	unsigned i;

	for (i = 0; i < q->nodes; i++)
		total += q->node[i].managed;
	if (kbytes >> (PAGE_SHIFT - 10) > total / 2)
		return -EINVAL;
	WRITE_ONCE(q->min_free_kbytes, kbytes);
	set_watermarks(q);
	return 0;
}

int quire_set_tunable(struct quire *q, enum quire_tunable which, uint64_t v)
{
	if (which >= QUIRE_TUNABLE_DIRTY_RATIO &&
	    which <= QUIRE_TUNABLE_DIRTY_WRITEBACK_CENTISECS)
		return set_dirty_tunable(q, which, v);
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
	case QUIRE_TUNABLE_FAULT_AROUND_BYTES:
		if (!fault_around_ok(v))
			return -EINVAL;
		WRITE_ONCE(q->fault_around_bytes, v);
		return 0;
	case QUIRE_TUNABLE_READAHEAD_BYTES:
		if (v > READAHEAD_MAX)
			return -EINVAL;
		WRITE_ONCE(q->ra_pages, (uint32_t)(v >> PAGE_SHIFT));
		return 0;
	case QUIRE_TUNABLE_SWAPPINESS:
		if (v > 200)
			return -EINVAL;
		WRITE_ONCE(q->swappiness, (unsigned long)v);
		return 0;
	case QUIRE_TUNABLE_MIN_FREE_KBYTES:
		return set_min_free(q, (unsigned long)v);
	case QUIRE_TUNABLE_PAGE_CLUSTER:
		if (v > 31) /* as Linux's limit; what is read has its own */
			return -EINVAL;
		WRITE_ONCE(q->page_cluster, (uint32_t)v);
		return 0;
	default:
		return -EINVAL;
	}
}
