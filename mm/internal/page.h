/* SPDX-License-Identifier: MIT */
/*
 * page.h - struct page, one a physical page, and what allocates it.
 *
 *   word 0..15   flags | refcount | mapcount | order, node
 *   union        what the page is used for now:
 *       lru + mapping + index + private    anonymous and file memory
 *       ptl + table's mm and use           a page-table page
 *       slab's fields                      a page of objects
 *       lru + order                        free, in the buddy lists
 *
 * mapping's low bit says anonymous: then it is a struct anon_vma *.
 * refcount: 0 is free; each page-table entry, the page cache, each per-CPU
 * batch and each pin holds one.  mapcount: page-table entries that map it.
 */
#ifndef QUIRE_MM_PAGE_H
#define QUIRE_MM_PAGE_H

#include <quire/policy.h>

#include "base.h"
#include "lock.h"

#define PAGE_SHIFT    12
#define PAGE_SIZE     ((size_t)1 << PAGE_SHIFT)
#define PAGE_MASK     (~(uaddr_t)(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) (((uaddr_t)(x) + (uaddr_t)(PAGE_SIZE - 1)) & PAGE_MASK)

#define MAX_ORDER 11 /* orders 0 ... 10, as Linux 6.1 */

enum pageflags {
	PG_locked,   /* page lock: I/O and truncation are held off */
	PG_waiters,  /* someone may wait on flags */
	PG_uptodate, /* contents valid */
	PG_dirty,    /* contents newer than the device's */
	PG_writeback,
	PG_error,
	PG_referenced,
	PG_active,
	PG_lru,	       /* on an LRU list */
	PG_swapbacked, /* anonymous or shmem: swap is its device */
	PG_swapcache,
	PG_reclaim,
	PG_readahead,
	PG_unevictable,
	PG_mlocked,
	PG_buddy, /* free, first page of a buddy block */
	PG_slab,
	PG_table,    /* page-table page */
	PG_reserved, /* never freed: Quire's own tables, the zero page */
	PG_hwpoison,
	PG_head, /* first page of a compound (or high-order) block */
	PG_tail,
	PG_anon_exclusive, /* anonymous, never shared by fork since it was
			    * made or last reused: mprotect may make its
			    * entry writable */
	/* the architecture's (ARM): */
	PG_dcache_exec,	 /* it was made executable somewhere */
	PG_dcache_clean, /* instruction fetch sees the contents */
	PG_host,	 /* the host's own, by quire_alloc_pages (head only) */
	/* reclaim's (policy.h): PG_active is the low bit of the list */
	PG_list_high,
	PG_uses_low,
	PG_uses_high,
	PG_workingset, /* it was evicted, and came back soon */
	/* swap did not take it: in which epoch (mm/swap_refused.c) */
	PG_refused_low,
	PG_refused_high,
};

#define PAGE_MAPPING_ANON 1u
#define NODE_HOLE	  0xff

struct page {
	uint32_t flags; /* enum pageflags, atomic bit operations only */
	uint32_t _refcount;
	uint32_t _mapcount; /* number of entries mapping it: 0 = unmapped */
	uint8_t order;	    /* of a buddy or high-order block's head */
	uint8_t node;	    /* NODE_HOLE: no memory is behind it */
	uint16_t pins;	    /* references that the host holds; atomic */
	uint32_t memcg;	    /* laid out for memory control groups */
	uint32_t mlocks;    /* entries in VM_LOCKED VMAs; the node's lru_lock */
	union {
		struct {
			struct list_head lru;
			void *mapping;	/* address_space, or anon_vma | 1 */
			uint64_t index; /* in pages: file offset / linear */
			uint64_t priv;	/* swap entry, shmem state ... */
		};
		struct { /* page-table page */
			spinlock_t ptl;
			struct mm_struct *pt_mm;
			struct page *deposit;
			uint32_t pt_level;
		};
		struct { /* slab page */
			struct list_head slab_list;
			void *slab_cache;
			void *freelist;
			uint32_t inuse;
			uint32_t objects;
		};
	};
};
_Static_assert(sizeof(struct page) <= 64, "struct page grew past a line");

static inline bool PageFlag(const struct page *p, enum pageflags f)
{
	return (READ_ONCE(p->flags) >> f) & 1u;
}
static inline void SetPageFlag(struct page *p, enum pageflags f)
{
	__atomic_fetch_or(&p->flags, 1u << f, __ATOMIC_RELAXED);
}
static inline void ClearPageFlag(struct page *p, enum pageflags f)
{
	__atomic_fetch_and(&p->flags, ~(1u << f), __ATOMIC_RELAXED);
}
/* Not atomic: only while nobody else can see the page. */
static inline void __SetPageFlag(struct page *p, enum pageflags f)
{
	WRITE_ONCE(p->flags, p->flags | 1u << f);
}
static inline bool TestSetPageFlag(struct page *p, enum pageflags f)
{
	return (__atomic_fetch_or(&p->flags, 1u << f, __ATOMIC_ACQ_REL) >> f) &
	       1u;
}
static inline bool TestClearPageFlag(struct page *p, enum pageflags f)
{
	return (__atomic_fetch_and(&p->flags, ~(1u << f), __ATOMIC_ACQ_REL) >>
		f) &
	       1u;
}
/* Who sees the flag sees the contents: they were written before it was set. */
static inline bool PageUptodate(const struct page *p)
{
	return (smp_load_acquire(&p->flags) >> PG_uptodate) & 1u;
}
static inline void SetPageUptodate(struct page *p)
{
	__atomic_fetch_or(&p->flags, 1u << PG_uptodate, __ATOMIC_RELEASE);
}
static inline bool PageAnon(const struct page *p)
{
	return ((uintptr_t)READ_ONCE(p->mapping) & PAGE_MAPPING_ANON) != 0;
}
static inline uint32_t page_count(const struct page *p)
{
	return READ_ONCE(p->_refcount);
}
static inline uint32_t page_mapcount(const struct page *p)
{
	return READ_ONCE(p->_mapcount);
}
static inline void get_page(struct page *p)
{
	__atomic_fetch_add(&p->_refcount, 1u, __ATOMIC_RELAXED);
}
/* One reference more unless it is free; false then. */
static inline bool try_get_page(struct page *p)
{
	uint32_t v = READ_ONCE(p->_refcount);

	while (v)
		if (__atomic_compare_exchange_n(&p->_refcount, &v, v + 1, true,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}
static inline bool put_page_testzero(struct page *p)
{
	return __atomic_sub_fetch(&p->_refcount, 1u, __ATOMIC_ACQ_REL) == 0;
}

/* ------------------------------------------------- mm/page_alloc.c (buddy) */

#define __GFP_RECLAIM	     0x1u /* may wait for reclaim (GFP_KERNEL) */
#define __GFP_RESERVE	     0x2u /* may go below the min watermark */
#define __GFP_ZERO	     0x100u
#define __GFP_MOVABLE	     0x200u
#define __GFP_NOWARN	     0x400u
#define __GFP_TABLE	     0x800u /* a page table: injection kind 2 */
#define GFP_KERNEL	     __GFP_RECLAIM
#define GFP_ATOMIC	     __GFP_RESERVE
#define GFP_HIGHUSER_MOVABLE (__GFP_RECLAIM | __GFP_MOVABLE)

/*
 * alloc_pages: 2^order contiguous pages, refcount 1 on the first; flags,
 * mapcount and mapping are clear.  NULL: none left (or injected failure).
 * May sleep with __GFP_RECLAIM.  Order 0 comes from this CPU's list with no
 * shared lock.
 */
struct page *alloc_pages(struct quire *q, gfp_t gfp, unsigned order);
/* Give back a block whose refcount is already 0 and which is on no LRU list.
 * Does not sleep. */
void free_pages_refzero(struct quire *q, struct page *page, unsigned order);
/* The same for n order-0 pages at once; they may be on the LRU lists (each
 * node's lock is taken once for a run of them).  No page twice. */
void free_page_batch(struct quire *q, struct page **pages, unsigned n);
/*
 * page_below: a fresh page (or NULL) that must be one below max_pfn: if it is
 * not, it is given back and another looked for, which may take long and find
 * none (NULL) though there is other memory.
 */
struct page *page_below(struct quire *q, struct page *page, gfp_t gfp,
			uint64_t max_pfn);
/*
 * alloc_page_on: one page of that node, or NULL; no other node's, and nothing
 * is reclaimed for it.  take_free_page: this very frame, if it is free in the
 * lists: refcount 1, contents undefined.  Any context.
 */
struct page *alloc_page_on(struct quire *q, unsigned node, gfp_t gfp);
bool take_free_page(struct quire *q, struct page *page);
/*
 * alloc_pages as the slab makes it: without the injected failure (the object's
 * own allocation was asked about already).
 */
struct page *alloc_pages_quiet(struct quire *q, gfp_t gfp, unsigned order);
/* Last reference gone: take it off the LRU and free it. */
void __put_page(struct quire *q, struct page *page);
static inline void put_page(struct quire *q, struct page *page)
{
	if (put_page_testzero(page))
		__put_page(q, page);
}
/* n references at once. */
static inline void put_page_many(struct quire *q, struct page *page, uint32_t n)
{
	if (!__atomic_sub_fetch(&page->_refcount, n, __ATOMIC_ACQ_REL))
		__put_page(q, page);
}
uint64_t nr_free_pages(struct quire *q);
/* One reference more that the host will drop with quire_page_put(): counted
 * in page->pins, so that quire_check() can account for it.  False, and none
 * taken: there are PINS_MAX already (users can ask for any number; the host's
 * own, quire_page_get(), may be as many again).  The zero page stays whatever
 * happens: its pins are not counted, nor are references taken for them.  Any
 * context. */
#define PINS_MAX 0x8000u
bool pin_page(struct quire *q, struct page *page);

/* -------------------------------------------------------------- mm/slab.c */

struct kmem_cache;
/*
 * kmem_cache_create: caches for objects of one size, named for reports.
 * Called at start of system; NULL: out of memory.
 */
struct kmem_cache *kmem_cache_create(struct quire *q, const char *name,
				     size_t size, size_t align);
/* The i-th cache of the system, NULL past the last; its name. */
struct kmem_cache *kmem_cache_at(struct quire *q, unsigned i);
const char *kmem_cache_name(struct kmem_cache *c);
/* Contents undefined. NULL: out of memory. Fast path: this CPU's list. */
void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp);
void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *c, void *obj);
/* Objects handed out and not yet freed; exact only when quiet. */
uint64_t kmem_cache_inuse(struct kmem_cache *c);

/* --------------------------------------------------------------- mm/lru.c */

/*
 * lru_cache_add: put a fresh page on this CPU's batch (which takes a
 * reference); full batches go to the node's lists.  Does not sleep.
 */
void lru_cache_add(struct quire *q, struct page *page, bool active);
/* Empty this CPU's batches into the lists. */
void lru_add_drain(struct quire *q);
/* Every CPU's, while they run: they are interrupted for it.  Preemption on, no
 * spinlock held; does not sleep. */
void lru_add_drain_all(struct quire *q);
/* Used once more: the second time the policy is asked what that means.  Any
 * context in which the caller has a reference; takes the LRU lock at most. */
void mark_page_accessed(struct quire *q, struct page *page);
/* Which list a page belongs on, by its flags: enum lru_list.  What of these
 * flags changes once it can be found on a list does so under lru_lock. */
#define PAGE_LRU_FLAGS                                                         \
	(1u << PG_active | 1u << PG_list_high | 1u << PG_swapbacked |          \
	 1u << PG_unevictable)
static __always_inline unsigned page_lru(const struct page *p)
{
	uint32_t f = READ_ONCE(p->flags);

	if (unlikely(f >> PG_unevictable & 1u))
		return 2 * QUIRE_LRU_LISTS;
	return (f >> PG_swapbacked & 1u ? 0u : QUIRE_LRU_LISTS) +
	       (f >> PG_active & 1u) + (f >> PG_list_high & 1u) * 2;
}
/*
 * reclaim_writeback (mm/flusher.c): nothing clean is left: write pages of files
 * so that there is, or wait for those under way.  False: there are none, or the
 * task is to die, or may not wait.  For allocations of user memory, whose
 * callers may wait for write-back (balance_dirty_pages).
 */
bool reclaim_writeback(struct quire *q);

/* ------------------------------------------------------ mm/filemap.c: lock */

/* Page lock: sleeps. Fails never / when a fatal signal comes (-EINTR). */
void lock_page(struct page *page);
int lock_page_killable(struct page *page);
bool trylock_page(struct page *page);
void unlock_page(struct page *page);
/* Sleep until nobody has it locked; flags: QUIRE_WAIT_KILLABLE ends it early.
 * The caller has a reference. */
void wait_on_page_locked(struct page *page, unsigned flags);
/* PG_waiters was set and has been cleared: wake who sleeps on the flags word,
 * and tell the host of the tasks that wait without sleeping.  Any context; the
 * page itself may be gone already. */
void wake_page_waiters(struct page *page);

#endif
