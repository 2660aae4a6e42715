/* SPDX-License-Identifier: MIT */
/*
 * vmstat.c - statistics by the names of /proc/vmstat.
 *
 * Each CPU counts on lines of its own (struct quire_cpu.stat) and a reader
 * adds them up.  The sizes of lists that are kept anyway (free pages, LRU) are
 * not counted twice: they are read where they are.  No locks: a sum taken
 * while others count is one that was nearly true.
 */
#include "writeback.h"

static const char *const vmstat_names[VM_COUNT] = {
#define V(name) #name,
	QUIRE_VMSTAT(V)
#undef V
};

int64_t vmstat_sum(struct quire *q, enum vmstat_item i)
{
	int64_t sum = 0;
	unsigned cpu;

	for (cpu = 0; cpu < q->cpus; cpu++)
		sum += READ_ONCE(q->cpu[cpu]->stat[i]);
	return sum;
}

uint64_t lru_pages(struct quire *q, enum lru_list list)
{
	uint64_t sum = 0;
	unsigned n;

	for (n = 0; n < q->nodes; n++)
		sum += READ_ONCE(*lru_count(&q->node[n], list));
	return sum;
}

uint64_t lru_kind_pages(struct quire *q, enum quire_lru_kind kind)
{
	uint64_t sum = 0;
	unsigned l;

	for (l = 0; l < QUIRE_LRU_LISTS; l++)
		sum += lru_pages(q,
				 (enum lru_list)(kind * QUIRE_LRU_LISTS + l));
	return sum;
}

/* Of all the policy's lists but the first. */
static uint64_t active_pages(struct quire *q, enum quire_lru_kind kind)
{
	return lru_kind_pages(q, kind) -
	       lru_pages(q, (enum lru_list)(kind * QUIRE_LRU_LISTS));
}

const char *quire_vmstat_name(unsigned i)
{
	return i < VM_COUNT ? vmstat_names[i] : NULL;
}

uint64_t quire_vmstat(struct quire *q, unsigned i)
{
	unsigned long background, hard;
	uint64_t ns;
	int64_t v;

	if (i >= VM_COUNT)
		return 0;
	switch (i) {
	case VM_nr_free_pages:
		return nr_free_pages(q);
	case VM_nr_inactive_anon:
		return lru_pages(q, LRU_INACTIVE_ANON);
	case VM_nr_active_anon:
		return active_pages(q, QUIRE_LRU_ANON);
	case VM_nr_inactive_file:
		return lru_pages(q, LRU_INACTIVE_FILE);
	case VM_nr_active_file:
		return active_pages(q, QUIRE_LRU_FILE);
	case VM_nr_unevictable:
		return lru_pages(q, LRU_UNEVICTABLE);
	case VM_quire_direct_reclaim_ns:
		spin_lock(&q->reclaim_lock);
		ns = q->direct_reclaim_ns;
		spin_unlock(&q->reclaim_lock);
		return ns;
	case VM_nr_dirty_threshold:
		dirty_limits(q, &background, &hard);
		return hard;
	case VM_nr_dirty_background_threshold:
		dirty_limits(q, &background, &hard);
		return background;
	default:
		v = vmstat_sum(q, (enum vmstat_item)i);
		if (i >= VM_pgpgin) /* events only go up, and wrap around */
			return (unsigned long)v;
		return v > 0 ? (uint64_t)v : 0;
	}
}

void quire_get_meminfo(struct quire *q, struct quire_meminfo *out)
{
	uint64_t file = quire_vmstat(q, VM_nr_file_pages);
	uint64_t reserve = 0, swap, free;
	unsigned n;

	memset(out, 0, sizeof(*out));
	for (n = 0; n < q->nodes; n++) {
		out->total += q->node[n].managed;
		reserve += q->node[n].watermark[WMARK_MIN];
	}
	out->free = nr_free_pages(q);
	out->shmem = quire_vmstat(q, VM_nr_shmem);
	out->cached = file;
	/* what could be had without swapping: free, and clean file pages */
	out->available = out->free > reserve ? out->free - reserve : 0;
	out->available += file > out->shmem ? file - out->shmem : 0;
	out->anon = quire_vmstat(q, VM_nr_anon_pages);
	out->mapped = quire_vmstat(q, VM_nr_mapped);
	out->slab = quire_vmstat(q, VM_nr_slab);
	out->page_tables = quire_vmstat(q, VM_nr_page_table_pages);
	out->committed = (uint64_t)MAX(READ_ONCE(q->vm_committed), 0);
	quire_swap_total(q, &swap, &free);
	out->commit_limit =
		out->total * q->config.overcommit_ratio / 100 + swap;
	out->hardware_corrupted = READ_ONCE(q->nr_poisoned);
}

const char *quire_fault_kind_name(unsigned kind)
{
	static const char *const names[QF_COUNT] = QUIRE_FAULT_KIND_NAMES;

	return kind < QF_COUNT ? names[kind] : NULL;
}
