/* SPDX-License-Identifier: MIT */
/*
 * system.h - struct quire, one whole memory system, and its per-CPU part.
 *
 * There are no globals: whatever lives as long as the system hangs off here.
 * struct quire_cpu is what one CPU touches on the fault path, on cache lines
 * of its own: statistics, the page lists, the LRU batches.
 */
#ifndef QUIRE_MM_SYSTEM_H
#define QUIRE_MM_SYSTEM_H

#include <quire/quire.h>

#include <asm/pgtable_types.h>
#include <asm/tlb_types.h> /* struct arch_system, struct arch_cpu, mm_context_t */

#include "base.h"
#include "lock.h"
#include "page.h"

/*
 * Statistics by the names of /proc/vmstat.  V(name) makes the enumerator
 * VM_name and the text "name".  First the page counts (NR_*: they go up and
 * down, summed over CPUs), then the events.
 */
/* A list that clang-format would pull apart. */
/* clang-format off */
#define QUIRE_VMSTAT(V) \
	V(nr_free_pages) V(nr_inactive_anon) V(nr_active_anon) \
	V(nr_inactive_file) V(nr_active_file) V(nr_unevictable) \
	V(nr_mlock) V(nr_anon_pages) V(nr_mapped) V(nr_file_pages) \
	V(nr_dirty) V(nr_writeback) V(nr_shmem) \
	V(nr_page_table_pages) V(nr_slab) V(nr_dirtied) V(nr_written) \
	V(nr_dirty_threshold) V(nr_dirty_background_threshold) \
	V(nr_isolated_anon) V(nr_isolated_file) \
	V(nr_swapcached) \
	V(pgpgin) V(pgpgout) V(pswpin) V(pswpout) V(pgalloc) \
	V(pgfree) V(pgactivate) V(pgdeactivate) V(pglazyfree) \
	V(pgfault) V(pgmajfault) V(pgrefill) V(pgsteal_kswapd) \
	V(pgsteal_direct) V(pgscan_kswapd) V(pgscan_direct) \
	V(pgscan_anon) V(pgscan_file) V(pgsteal_anon) V(pgsteal_file) \
	V(pgrotated) V(pageoutrun) V(pglazyfreed) V(nr_vmscan_write) \
	V(nr_vmscan_immediate_reclaim) V(pgscan_direct_throttle) \
	V(workingset_refault_anon) V(workingset_refault_file) \
	V(workingset_activate_anon) V(workingset_activate_file) \
	V(quire_direct_reclaim_ns) \
	V(allocstall) V(drop_pagecache) V(oom_kill) \
	V(pgmigrate_success) V(pgmigrate_fail) \
	V(compact_migrate_scanned) V(compact_free_scanned) \
	V(compact_isolated) V(compact_stall) V(compact_fail) \
	V(compact_success) \
	V(unevictable_pgs_culled) V(unevictable_pgs_rescued) \
	V(unevictable_pgs_mlocked) V(unevictable_pgs_munlocked) \
	V(quire_anon_write) V(quire_zero_read) V(quire_file_read) \
	V(quire_file_cow) V(quire_cow_copy) V(quire_cow_reuse) \
	V(quire_spurious) V(quire_stack_growth) \
	V(quire_tlb_flush_page) V(quire_tlb_flush_all) \
	V(quire_tlb_shootdown) V(quire_asid_rollover) \
	V(quire_fault_retry) V(quire_readahead) V(quire_readahead_pages) \
	V(quire_fault_wait) V(quire_file_written) \
	V(swap_ra) V(swap_ra_hit)
/* clang-format on */

enum vmstat_item {
#define V(name) VM_##name,
	QUIRE_VMSTAT(V)
#undef V
		VM_COUNT
};

#define PCP_BATCH	 32
#define PCP_HIGH	 192
#define LRU_BATCH	 31
#define QUIRE_MAX_CACHES 32

struct pcp_list { /* order-0 free pages of one CPU, a stack */
	uint32_t count;
	struct page *pages[PCP_HIGH];
};

struct slab_cpu {	/* free objects of one cache on one CPU */
	void *freelist; /* linked through their first words */
	uint32_t count;
};

struct lru_batch { /* pages on their way to the lists, a reference each */
	uint32_t count;
	struct page *pages[LRU_BATCH];
};

/* The policy's lists of each kind, one after the other; list 0 is what vmstat
 * calls inactive, the others active. */
enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE = QUIRE_LRU_LISTS,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE = 2 * QUIRE_LRU_LISTS,
	NR_LRU_LISTS
};

struct swap_cpu { /* where this CPU puts pages that go to swap */
	uint32_t cluster[QUIRE_MAX_SWAP_AREAS]; /* its current ones, + 1; 0 */
	uint8_t area, left; /* this area, for so many slots more */
};

struct quire_cpu {
	long stat[VM_COUNT];
	/* depth of sections in which this CPU has pcp or lru_add in its hands:
	 * cpu_lists_begin(), cpu_lists_end() */
	long inside;
	struct pcp_list pcp;
	struct lru_batch lru_add;
	uint32_t dirtied;	     /* pages since its limits were looked at */
	struct mm_struct *loaded_mm; /* arch/ tlb: whose tables are loaded */
	struct arch_cpu arch;
	struct slab_cpu slab[QUIRE_MAX_CACHES]; /* by kmem_cache's index */
	struct swap_cpu swap;
} __attribute__((aligned(128)));

enum { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

/* What quire_check() has counted for one frame. */
struct check_count {
	uint32_t maps;	 /* entries found that map it */
	uint32_t refs;	 /* references accounted for */
	uint32_t mlocks; /* of the entries, in VM_LOCKED VMAs */
};

/* Tasks that wait for a page without sleeping (mm/page_lock.c). */
#define PAGE_WAIT_BUCKETS 16u
struct page_wait_bucket {
	spinlock_t lock; /* LEAF */
	struct quire_page_wait *first;
};

struct quire_node {
	spinlock_t lock; /* ZONE: the buddy lists */
	struct list_head free[MAX_ORDER];
	/* counts of pages have the machine's width: cheap to load and store */
	unsigned long nr_free_order[MAX_ORDER];
	unsigned long nr_free; /* pages in the buddy lists */
	unsigned long managed; /* pages that were ever given to the lists */
	unsigned long watermark[NR_WMARK]; /* pages; see page_alloc.c */
	spinlock_t lru_lock __attribute__((aligned(64)));
	struct list_head lru[NR_LRU_LISTS];
	unsigned long nr_unevictable;
	struct quire_lru_state state; /* the policy's; pages on each list */
};

/* How many pages are on list l. */
static __always_inline unsigned long *lru_count(struct quire_node *n,
						unsigned l)
{
	if (unlikely(l >= LRU_UNEVICTABLE))
		return &n->nr_unevictable;
	return &n->state.pages[l / QUIRE_LRU_LISTS][l % QUIRE_LRU_LISTS];
}
/* lru_lock held: take a page off its list; PG_lru is the caller's to clear. */
static __always_inline void lru_unlink(struct quire_node *n, struct page *page)
{
	unsigned long *count = lru_count(n, page_lru(page));

	list_del(&page->lru);
	WRITE_ONCE(*count, *count - 1);
}

#define QUIRE_MAX_NODES	 4
#define WORKINGSET_LOCKS 16u

struct quire {
	/* read-mostly */
	char *direct_map;
	struct page *mem_map;	   /* struct page of frame min_pfn */
	uintptr_t page_base;	   /* where that of frame 0 would be */
	uint64_t min_pfn, max_pfn; /* [min, max) */
	unsigned cpus, nodes, levels;
	struct quire_cpu *cpu[QUIRE_MAX_CPUS];
	struct page *zero_page;
	struct kmem_cache *vma_cache, *mm_cache, *anon_vma_cache, *avc_cache,
		*vtree_cache, *mapping_cache, *ptree_cache, *file_cache;
	struct slab_system *slabs;
	struct swap_system *swap;
	struct arch_system arch;
	struct quire_config config; /* regions pointer is not kept */
	/* write-back's limits (QUIRE_TUNABLE_DIRTY_*); each read alone */
	unsigned long dirty_ratio, dirty_background_ratio, dirty_bytes,
		dirty_background_bytes, dirty_expire, dirty_interval;
	uint64_t fault_around_bytes;   /* what a read fault maps around it */
	uint32_t ra_pages;	       /* the largest readahead window */
	uint32_t page_cluster;	       /* swap readahead: 2^n pages */
	uint64_t boot_start, boot_end; /* frames of Quire's own tables, [) */
	uint64_t stat_boot_pages;      /* pages Quire's own tables took */
	uint32_t pcp_high, pcp_batch;  /* PCP_*, less on a small machine */

	struct check_count *check_scratch; /* debug: one a frame (mm/check.c) */

	/* E4: looks first at every fault: 1: dealt with.  NULL: none */
	int (*kmmio_fault)(struct quire *q, struct pt_regs *regs,
			   unsigned long error, uaddr_t addr);

	struct page_wait_bucket page_wait[PAGE_WAIT_BUCKETS];
	struct quire_node node[QUIRE_MAX_NODES] __attribute__((aligned(64)));
	long vm_committed __attribute__((aligned(64))); /* pages, atomic */
	struct device_memory *device_memory;		/* or NULL */
	unsigned long nr_poisoned; /* broken frames, kept from use; atomic */
	uint64_t next_anon_ino;	   /* of shared anonymous memory; atomic */
	uint32_t next_mm_id;
	spinlock_t mm_lock;	       /* LEAF: mm_list */
	struct list_head mm_list;      /* every mm_struct, for quire_check() */
	struct list_head mapping_list; /* every address_space, likewise */
	uint32_t next_mapping;	       /* mm_lock */
	spinlock_t anon_vma_gate; /* LEAF: from a page to its anon_vma, which
				   * is freed only by who has been inside */

	/* write-back (writeback.h) */
	spinlock_t wb_lock;	  /* LEAF: wb_list, what mappings have of it */
	struct list_head wb_list; /* mappings with dirty pages or pages under
				   * write-back, by dirtied_when */
	uint32_t wb_visit;	  /* number of the last walk; wb_lock */
	uint32_t flusher_woken;	  /* atomic: it is to run, do not ask again */
	uint32_t wb_wanted; /* atomic: reclaim wants to see pages written */

	/* reclaim (vmscan.c) */
	unsigned long swappiness;      /* 0 ... 200 */
	unsigned long min_free_kbytes; /* 0: by the memory's size */
	uint32_t reclaim_woken;	   /* atomic: background reclaim is to run */
	uint32_t reclaim_failures; /* its rounds without a page */
	spinlock_t reclaim_lock;   /* LEAF: direct_reclaim_ns */
	uint64_t direct_reclaim_ns;
	/* evicted pages (workingset.c) */
	void *workingset;
	unsigned long workingset_mask;
	spinlock_t workingset_lock[WORKINGSET_LOCKS]; /* LEAF */
};

#define READAHEAD_MAX (4u << 20) /* bytes of a window */

static __always_inline struct quire_cpu *this_cpu(struct quire *q)
{
	return q->cpu[quire_host_cpu()];
}

/*
 * Count: preemption need not be off; a lost increment on a preemptible host is
 * avoided by the callers' being inside a preempt-off section wherever the
 * number must be exact (NR_*).
 */
static __always_inline void mod_vmstat(struct quire *q, enum vmstat_item i,
				       long d)
{
	local_add(&this_cpu(q)->stat[i], d);
}
static __always_inline void count_vm_event(struct quire *q, enum vmstat_item i)
{
	mod_vmstat(q, i, 1);
}
/* The same with preemption on: none is lost. */
static inline void count_vm_events(struct quire *q, enum vmstat_item i, long n)
{
	quire_host_preempt_disable();
	mod_vmstat(q, i, n);
	quire_host_preempt_enable();
}
/* The same by a caller that has its CPU's part at hand, preemption off. */
static __always_inline void cpu_count(struct quire_cpu *c, enum vmstat_item i,
				      long d)
{
	local_add(&c->stat[i], d);
}
int64_t vmstat_sum(struct quire *q, enum vmstat_item i); /* all CPUs */
uint64_t lru_pages(struct quire *q, enum lru_list list); /* all nodes */
/* Of one kind: on all its lists. */
uint64_t lru_kind_pages(struct quire *q, enum quire_lru_kind kind);

/* The direct map and the frame table. */
#ifdef QUIRE_DIRECT_MAP_BASE
#define q_direct_map(q) ((void)(q), (char *)(QUIRE_DIRECT_MAP_BASE))
#else
#define q_direct_map(q) ((q)->direct_map)
#endif
static __always_inline void *phys_to_virt(struct quire *q, paddr_t p)
{
	return q_direct_map(q) + p;
}
static __always_inline paddr_t virt_to_phys(struct quire *q, const void *v)
{
	/* unsigned: physical addresses fill all of a 32-bit host's pointers */
	return (uintptr_t)v - (uintptr_t)q_direct_map(q);
}
static __always_inline struct page *pfn_to_page(struct quire *q, uint64_t pfn)
{
	return (struct page *)(q->page_base +
			       (uintptr_t)pfn * sizeof(struct page));
}
static __always_inline uint64_t page_to_pfn(struct quire *q,
					    const struct page *p)
{
	return ((uintptr_t)p - q->page_base) / sizeof(struct page);
}
static __always_inline bool pfn_valid(struct quire *q, uint64_t pfn)
{
	return pfn >= q->min_pfn && pfn < q->max_pfn;
}
static __always_inline void *page_address(struct quire *q, const struct page *p)
{
	return phys_to_virt(q, (paddr_t)page_to_pfn(q, p) << PAGE_SHIFT);
}
static __always_inline struct page *virt_to_page(struct quire *q, const void *v)
{
	return pfn_to_page(q, virt_to_phys(q, v) >> PAGE_SHIFT);
}

/*
 * Around each use of a CPU's page stack and LRU batch, by itself, preemption
 * off.  What another CPU has this one interrupted for (cpu_steal.c) then leaves
 * them alone.  Only an interrupt looks: it is the compiler that must not move
 * anything across.
 */
static __always_inline void cpu_lists_begin(struct quire_cpu *c)
{
	local_add(&c->inside, 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static __always_inline void cpu_lists_end(struct quire_cpu *c)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	local_add(&c->inside, -1);
}

/*
 * alloc_page: alloc_pages(q, gfp, 0) with this CPU's stack looked at in place.
 */
static __always_inline struct page *alloc_page(struct quire *q, gfp_t gfp)
{
#if !defined(QUIRE_DEBUG) && !defined(QUIRE_INJECT)
	struct quire_cpu *c;
	struct page *page;
	uint32_t n;

	quire_host_preempt_disable();
	c = this_cpu(q);
	cpu_lists_begin(c);
	n = c->pcp.count;
	if (likely(n) && !(gfp & __GFP_ZERO)) {
		page = c->pcp.pages[n - 1];
		WRITE_ONCE(c->pcp.count, n - 1);
		cpu_lists_end(c);
		cpu_count(c, VM_pgalloc, 1);
		WRITE_ONCE(page->_refcount, 1u);
		quire_host_preempt_enable();
		return page;
	}
	cpu_lists_end(c);
	quire_host_preempt_enable();
#endif
	return alloc_pages(q, gfp, 0);
}

/*
 * lru_cache_add for a page that nobody else can see yet, on this CPU's part c,
 * preemption off.
 */
static __always_inline void
lru_cache_add_new(struct quire *q, struct quire_cpu *c, struct page *page)
{
	struct lru_batch *b = &c->lru_add;

	WRITE_ONCE(page->_refcount, 2u); /* its maker's and the batch's */
	cpu_lists_begin(c);
	b->pages[b->count] = page;
	if (unlikely(++b->count == LRU_BATCH))
		lru_add_drain(q);
	cpu_lists_end(c);
}

/*
 * Bring-up, by quire_create in mm/system.c, once each, on one CPU.
 * page_alloc_init: the frame table (q->mem_map points at raw memory for it)
 * and the free lists.  slab_init: the kmalloc caches, in memory of
 * slab_system_size() bytes at q->slabs.  arch_system_init: levels, hardware
 * ids, the kernel's table.  0, or -EINVAL / -ENOMEM.
 */
int page_alloc_init(struct quire *q, const struct quire_config *config);
size_t slab_system_size(void);
int slab_init(struct quire *q);
int arch_system_init(struct quire *q, const struct quire_config *config);
void arch_system_exit(struct quire *q);

/*
 * For quire_destroy and quire_check; the system is quiet.  slab_drain_all:
 * every object in a CPU's list goes back to its page, empty pages to the page
 * allocator.  pcp_drain_all: the CPUs' free pages go to the buddy lists.
 */
void slab_drain_all(struct quire *q);
void pcp_drain_all(struct quire *q);
/* mm/page_alloc.c: this CPU's; the watermarks, from q->min_free_kbytes; the
 * node whose memory is near this CPU. */
void pcp_drain(struct quire *q);
void set_watermarks(struct quire *q);
unsigned first_node(const struct quire *q);

/* mm/log.c: a line for the host's log; printf's %s %d %u %x %lx %llx %p %c */
void quire_printk(int level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
size_t quire_vsnprintf(char *buf, size_t cap, const char *fmt, va_list ap);
size_t quire_snprintf(char *buf, size_t cap, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
