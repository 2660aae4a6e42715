/* SPDX-License-Identifier: MIT */
/*
 * system.c - one memory system: made from the host's regions, ended.
 *
 *   largest region:  [ free memory ............. | Quire's own tables ]
 *                                                  struct quire
 *                                                  struct quire_cpu, each
 *                                                  slab's table of caches
 *                                                  struct swap_system
 *                                                  workingset's table
 *                                                  struct page, one a frame
 *                                                  (debug: check's counters)
 *
 * All of it is carved out before there is an allocator, and is reserved for
 * good.  After that the order is: frame table and free lists, objects, the
 * architecture, the zero page, the caches of mm/'s objects.
 *
 * No locks: one CPU builds the system before anyone knows it, and the last
 * one out ends it.
 */
#include "filemap.h"
#include "reclaim.h"
#include "rmap.h"
#include "swap_area.h"
#include <asm/pgtable.h>

#define MIN_PAGES_LEFT 64u /* less is too little to run anything in */

/* Where the parts lie, as offsets from the start of Quire's own tables. */
struct boot_layout {
	uint64_t min_pfn, max_pfn; /* of all regions */
	uint64_t cpu[QUIRE_MAX_CPUS], slabs, swap, workingset, mem_map, check;
	uint64_t bytes; /* whole pages */
};

static struct quire *refuse(const char *why)
{
	quire_printk(3, "quire_create: %s", why);
	return NULL;
}

/* Why the configuration cannot be used, or NULL. */
static const char *config_fault(const struct quire_config *c)
{
	uint64_t end = 0;
	unsigned i;

	if (!c->regions || !c->nr_regions)
		return "no memory regions";
	if (c->cpus < 1 || c->cpus > QUIRE_MAX_CPUS)
		return "the number of CPUs is not 1 to 64";
	if (c->overcommit > 2)
		return "overcommit is not 0, 1 or 2";
	for (i = 0; i < c->nr_regions; i++) {
		const struct quire_region *r = &c->regions[i];

		if (!IS_ALIGNED(r->start | r->bytes, (uint64_t)PAGE_SIZE))
			return "a memory region is not page aligned";
		if (!r->bytes || r->start + r->bytes < r->start)
			return "a memory region is empty or wraps around";
		if (r->start < end)
			return "memory regions are not sorted, or overlap";
		if (r->node >= QUIRE_MAX_NODES)
			return "a memory region's node is not 0 to 3";
		end = r->start + r->bytes;
	}
	return NULL;
}

/* Take n bytes of the layout, aligned to a page_table_page's worth of lines. */
static uint64_t carve(struct boot_layout *l, uint64_t n)
{
	uint64_t at = ALIGN_UP(l->bytes, (uint64_t)128);

	l->bytes = at + n;
	return at;
}

static void plan_layout(struct boot_layout *l, const struct quire_config *c)
{
	const struct quire_region *last = &c->regions[c->nr_regions - 1];
	uint64_t frames;
	unsigned i;

	l->min_pfn = c->regions[0].start >> PAGE_SHIFT;
	l->max_pfn = (last->start + last->bytes) >> PAGE_SHIFT;
	l->bytes = 0;
	frames = l->max_pfn - l->min_pfn;
	(void)carve(l, sizeof(struct quire));
	for (i = 0; i < c->cpus; i++)
		l->cpu[i] = carve(l, sizeof(struct quire_cpu));
	l->slabs = carve(l, slab_system_size());
	l->swap = carve(l, sizeof(struct swap_system));
	l->workingset = carve(l, workingset_bytes(frames));
	l->mem_map = carve(l, frames * sizeof(struct page));
#ifdef QUIRE_DEBUG
	l->check = carve(l, frames * sizeof(struct check_count));
#else
	l->check = 0;
#endif
	l->bytes = ALIGN_UP(l->bytes, (uint64_t)PAGE_SIZE);
}

static const struct quire_region *largest(const struct quire_config *c)
{
	const struct quire_region *best = &c->regions[0];
	unsigned i;

	for (i = 1; i < c->nr_regions; i++)
		if (c->regions[i].bytes > best->bytes)
			best = &c->regions[i];
	return best;
}

/* What the caller left to us. */
static void set_defaults(struct quire *q, const struct quire_config *c)
{
	q->config = *c;
	q->config.regions = NULL;
	if (!q->config.overcommit_ratio)
		q->config.overcommit_ratio = 50;
	if (!q->config.max_map_count)
		q->config.max_map_count = 65530;
	if (!q->config.mmap_min_addr)
		q->config.mmap_min_addr = 65536;
	if (!q->config.stack_guard_gap)
		q->config.stack_guard_gap = 256;
	q->fault_around_bytes = 65536;
	q->dirty_ratio = 20;
	q->dirty_background_ratio = 10;
	q->dirty_expire = 3000;
	q->dirty_interval = 500;
	q->ra_pages = 131072 / PAGE_SIZE;
	q->page_cluster = 3;
	q->swappiness = 60;
	if (!q->config.readahead)
		q->config.readahead = quire_readahead_policy(0);
	if (!q->config.fault_around)
		q->config.fault_around = quire_fault_around_policy(0);
	if (!q->config.reclaim)
		q->config.reclaim = quire_reclaim_policy(0);
}

/* struct quire at the start of [start, start + l->bytes), all zero but this. */
static struct quire *lay_out(const struct quire_config *c,
			     const struct boot_layout *l, paddr_t start)
{
	char *base = (char *)c->direct_map + start;
	struct quire *q = (struct quire *)(void *)base;
	unsigned i;

	/* the frame table and check's counters are cleared by their users */
	memset(base, 0, (size_t)l->mem_map);
	q->direct_map = c->direct_map;
	q->min_pfn = l->min_pfn;
	q->max_pfn = l->max_pfn;
	q->boot_start = start >> PAGE_SHIFT;
	q->boot_end = (start + l->bytes) >> PAGE_SHIFT;
	q->stat_boot_pages = l->bytes >> PAGE_SHIFT;
	q->cpus = c->cpus;
	for (i = 0; i < c->cpus; i++)
		q->cpu[i] = (struct quire_cpu *)(void *)(base + l->cpu[i]);
	for (i = 0; i < c->nr_regions; i++)
		q->nodes = MAX(q->nodes, c->regions[i].node + 1);
	q->slabs = (struct slab_system *)(void *)(base + l->slabs);
	q->swap = (struct swap_system *)(void *)(base + l->swap);
	q->mem_map = (struct page *)(void *)(base + l->mem_map);
	q->page_base = (uintptr_t)q->mem_map -
		       (uintptr_t)l->min_pfn * sizeof(struct page);
	if (l->check)
		q->check_scratch =
			(struct check_count *)(void *)(base + l->check);
	spin_lock_init(&q->mm_lock, LEAF);
	spin_lock_init(&q->anon_vma_gate, LEAF);
	for (i = 0; i < PAGE_WAIT_BUCKETS; i++)
		spin_lock_init(&q->page_wait[i].lock, LEAF);
	INIT_LIST_HEAD(&q->mm_list);
	INIT_LIST_HEAD(&q->mapping_list);
	spin_lock_init(&q->wb_lock, LEAF);
	INIT_LIST_HEAD(&q->wb_list);
	spin_lock_init(&q->reclaim_lock, LEAF);
	workingset_init(q, base + l->workingset);
	set_defaults(q, c);
	return q;
}

/* A cache for objects of a type, with the type's alignment. */
#define CACHE(q, type)                                                         \
	kmem_cache_create(q, #type, sizeof(struct type), _Alignof(struct type))

static int make_caches(struct quire *q)
{
	q->vma_cache = CACHE(q, vm_area_struct);
	q->mm_cache = CACHE(q, mm_struct);
	q->anon_vma_cache = CACHE(q, anon_vma);
	q->avc_cache = CACHE(q, anon_vma_chain);
	q->vtree_cache = CACHE(q, vma_node);
	q->mapping_cache = CACHE(q, address_space);
	q->ptree_cache = CACHE(q, ptree_node);
	if (!q->vma_cache || !q->mm_cache || !q->anon_vma_cache ||
	    !q->avc_cache || !q->vtree_cache || !q->mapping_cache ||
	    !q->ptree_cache)
		return -ENOMEM;
	q->zero_page = alloc_pages_quiet(q, __GFP_ZERO | __GFP_RESERVE, 0);
	if (!q->zero_page)
		return -ENOMEM;
	__SetPageFlag(q->zero_page, PG_reserved);
	__SetPageFlag(q->zero_page, PG_uptodate);
	return 0;
}

struct quire *quire_create(const struct quire_config *config)
{
	const char *why = config_fault(config);
	const struct quire_region *r;
	struct boot_layout l;
	struct quire *q;

	if (why)
		return refuse(why);
	r = largest(config);
	plan_layout(&l, config);
	if (l.bytes + MIN_PAGES_LEFT * PAGE_SIZE > r->bytes)
		return refuse("the largest memory region is too small");
	q = lay_out(config, &l, r->start + r->bytes - l.bytes);
	if (page_alloc_init(q, config) || slab_init(q))
		return refuse("no memory is left for use");
	if (arch_system_init(q, config))
		return refuse("levels, kernel table or memory do not suit the "
			      "format");
	if (make_caches(q) || swap_init(q))
		return refuse("no memory for the first objects");
	quire_cpu_init(q);
	return q;
}

void quire_cpu_init(struct quire *q)
{
	struct quire_cpu *c = this_cpu(q);

	/* nothing of ours is loaded, and no hardware id is known to be clean */
	memset(&c->arch, 0, sizeof(c->arch));
	c->loaded_mm = NULL;
}

/* Name what a leak consists of, as far as it is known. */
static void report_leaks(struct quire *q, uint64_t pages)
{
	struct kmem_cache *c;
	unsigned i;

	quire_printk(4, "quire_destroy: %llu pages are still in use",
		     (unsigned long long)pages);
	for (i = 0; (c = kmem_cache_at(q, i)) != NULL; i++)
		if (kmem_cache_inuse(c))
			quire_printk(4, "quire_destroy: %s: %llu objects",
				     kmem_cache_name(c),
				     (unsigned long long)kmem_cache_inuse(c));
}

uint64_t quire_destroy(struct quire *q)
{
	uint64_t managed = 0, leaked;
	unsigned i;

	lru_add_drain_all(q);
	swap_exit(q);
	ClearPageFlag(q->zero_page, PG_reserved);
	WRITE_ONCE(q->zero_page->_refcount, 1u);
	put_page(q, q->zero_page);
	arch_system_exit(q);
	slab_drain_all(q);
	pcp_drain_all(q);
	for (i = 0; i < q->nodes; i++)
		managed += q->node[i].managed;
	leaked = managed - nr_free_pages(q) - q->nr_poisoned;
	if (leaked)
		report_leaks(q, leaked);
	return leaked;
}

uaddr_t quire_task_size(struct quire *q)
{
	return task_size_max(q);
}
