/* SPDX-License-Identifier: MIT */
/*
 * rmap.h - from a page back to the entries that map it.
 *
 *   page->mapping --> anon_vma (root lock) --> anon_vma_chain --> VMA
 *                 --> address_space (i_mmap) ------------------> VMA
 *
 * A VMA's own anon_vma is where its new pages go; its chain links it to that
 * one and to each of its ancestors', so that a parent's page finds the
 * children that share it.
 */
#ifndef QUIRE_MM_RMAP_H
#define QUIRE_MM_RMAP_H

#include "mm.h"

struct anon_vma {
	struct anon_vma *root; /* whose lock guards the whole family */
	struct anon_vma *parent;
	struct rwsem rwsem;    /* ANON_VMA; used in the root only */
	uint32_t refcount;     /* atomic: children roots + pins */
	uint32_t num_children; /* anon_vmas whose parent this is (+ itself) */
	uint32_t num_active_vmas; /* VMAs whose ->anon_vma is this */
	struct itree chains;	  /* by page index: anon_vma_chain.rb */
};
struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct anon_vma *anon_vma;
	struct list_head same_vma;
	struct itree_node rb; /* in anon_vma->chains, while linked */
};

/* mm/anon_vma.c; mmap_lock held (read suffices for prepare). 0 or -ENOMEM. */
int __anon_vma_prepare(struct vm_area_struct *vma);
static __always_inline int anon_vma_prepare(struct vm_area_struct *vma)
{
	/* acquire: another fault of this VMA may just have set it */
	return likely(smp_load_acquire(&vma->anon_vma))
		       ? 0
		       : __anon_vma_prepare(vma);
}
/* dst gets src's chain (split, move). / fork: and an anon_vma of its own. */
int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src);
int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma);
void unlink_anon_vmas(struct vm_area_struct *vma);
/*
 * page_get_anon_vma: the family of a locked page of private memory, which stays
 * until put_anon_vma(); NULL: nothing maps the page any more.  Neither sleeps.
 */
struct anon_vma *page_get_anon_vma(struct quire *q, struct page *page);
/* The same for a page of the swap cache that was mapped once, as long as an
 * entry maps it or names its slot. */
struct anon_vma *page_get_swapped_anon_vma(struct quire *q, struct page *page);
void put_anon_vma(struct quire *q, struct anon_vma *av);
/*
 * Around a change of vma's extent or vm_pgoff: out of the trees of all its
 * anon_vmas, and in again.  The family's lock is held for write.
 */
void anon_vma_tree_pre_update(struct vm_area_struct *vma);
void anon_vma_tree_post_update(struct vm_area_struct *vma);
/* Merge: may the two share one anon_vma (same, or one has none)? */
bool is_mergeable_anon_vma(struct anon_vma *a, struct anon_vma *b,
			   struct vm_area_struct *vma);

/*
 * mm/mlock_page.c: one entry more (less) of a VM_LOCKED VMA maps the page.  Its
 * lock is held; lru_lock is taken.  With each entry of a page that comes to
 * (goes from) vma: mlock_vma_page, munlock_vma_page.
 */
void mlock_page(struct quire *q, struct page *page);
void munlock_page(struct quire *q, struct page *page);
static __always_inline void mlock_vma_page(const struct vm_area_struct *vma,
					   struct page *page)
{
	if (unlikely(READ_ONCE(vma->vm_flags) & VM_LOCKED))
		mlock_page(vma->vm_mm->q, page);
}
static __always_inline void munlock_vma_page(const struct vm_area_struct *vma,
					     struct page *page)
{
	if (unlikely(READ_ONCE(vma->vm_flags) & VM_LOCKED))
		munlock_page(vma->vm_mm->q, page);
}

/* mm/rmap.c; ptl held in all of these. */
/*
 * add_new_anon_page: all that a fresh page needs beside its entry when it
 * becomes private memory of vma at addr, but the mm's counter and mlock: flags,
 * reverse map, LRU batch.  It is nobody else's yet, so plain stores do.  c:
 * this CPU's part.  new_anon_page: with those two.
 */
static __always_inline void add_new_anon_page(struct vm_area_struct *vma,
					      struct page *page, uaddr_t addr,
					      struct quire *q,
					      struct quire_cpu *c)
{
	WRITE_ONCE(page->flags, 1u << PG_uptodate | 1u << PG_swapbacked |
					1u << PG_anon_exclusive);
	WRITE_ONCE(page->_mapcount, 1u);
	page->index = linear_page_index(vma, addr);
	WRITE_ONCE(page->mapping,
		   (void *)((uintptr_t)vma->anon_vma | PAGE_MAPPING_ANON));
	cpu_count(c, VM_nr_anon_pages, 1);
	lru_cache_add_new(q, c, page);
}
static __always_inline void new_anon_page(struct vm_area_struct *vma,
					  struct page *page, uaddr_t addr,
					  struct quire *q, unsigned cpu)
{
	mm_counter_on(vma->vm_mm, cpu, MM_ANONPAGES, 1);
	add_new_anon_page(vma, page, addr, q, q->cpu[cpu]);
	mlock_vma_page(vma, page);
}
void page_add_anon_rmap(struct page *page, struct vm_area_struct *vma,
			uaddr_t addr);
void page_add_file_rmap(struct quire *q, struct page *page);
/* page_remove_rmap: an entry less.  page_unmapped: there were `old`: 1, or 0,
 * which must not be. */
void page_unmapped(struct quire *q, struct page *page, uint32_t old);
static __always_inline void page_remove_rmap(struct quire *q, struct page *page)
{
	uint32_t old =
		__atomic_fetch_sub(&page->_mapcount, 1u, __ATOMIC_RELEASE);

	if (old <= 1)
		page_unmapped(q, page, old);
}
static inline void page_dup_rmap(struct page *page)
{
	__atomic_fetch_add(&page->_mapcount, 1u, __ATOMIC_RELAXED);
}
void page_move_anon_rmap(struct page *page, struct vm_area_struct *vma);
/*
 * rmap_walk: call one(page, vma, addr, arg) for each VMA that may map page,
 * which is locked; false from it ends the walk.  Takes the family's or the
 * file's lock: sleeps for it where `wait`, else false comes back when it is
 * taken, and nothing was done.
 */
bool rmap_walk(struct quire *q, struct page *page, bool wait,
	       bool (*one)(struct page *page, struct vm_area_struct *vma,
			   uaddr_t addr, void *arg),
	       void *arg);
/* The same for private memory of a family whose lock is held, though nothing
 * maps the page now. */
void anon_vma_walk(struct anon_vma *av, struct page *page,
		   bool (*one)(struct page *page, struct vm_area_struct *vma,
			       uaddr_t addr, void *arg),
		   void *arg);
/* For one(): the present entry that maps the page at addr of vma, with its
 * lock in *ptl held; NULL: none does. */
pte_t *rmap_entry(struct page *page, struct vm_area_struct *vma, uaddr_t addr,
		  spinlock_t **ptl);

#endif
