/* SPDX-License-Identifier: MIT */
/*
 * vma.h - how VMAs are split, merged and taken away: shared by the files of
 * the mmap family.  mmap_lock is held for write in all of it.
 */
#ifndef QUIRE_MM_VMA_H
#define QUIRE_MM_VMA_H

#include "mm.h"

/* A stretch of addresses and what it maps or is to map. */
struct vma_range {
	uaddr_t start, end;
	vm_flags_t flags;
	struct quire_file *file;
	struct address_space *mapping;
	uint64_t pgoff;
	struct vm_area_struct *src; /* VMA its pages come from, or NULL */
};

static inline uint32_t max_map_count(const struct quire *q)
{
	return q->config.max_map_count ? q->config.max_map_count : 65530;
}

/* Change the extent in tree, file and family at once; no neighbour is passed */
void vma_set_extent(struct vm_area_struct *vma, uaddr_t start, uaddr_t end,
		    uint64_t pgoff);
/*
 * No reverse walk looks at vma meanwhile, nor at another that shares its file
 * or family: nothing but who holds the mmap_lock changes its entries.  Sleeps.
 */
void reverse_maps_lock(struct vm_area_struct *vma);
void reverse_maps_unlock(struct vm_area_struct *vma);
/* New flags and the page protection that goes with them. */
void vma_change_flags(struct vm_area_struct *vma, vm_flags_t flags);
/* split_vma without the limit on the number of VMAs. */
int __split_vma(struct vm_area_struct *vma, uaddr_t addr, bool new_below);
/* Would prev (below) or next (above) take in r?  Either may be NULL. */
bool vma_can_merge(const struct vma_range *r, struct vm_area_struct *prev,
		   struct vm_area_struct *next);
/*
 * A new mapping of r, whose addresses are free, between prev and next: stretch
 * them over it if they allow that.  Returns the VMA that has r, or NULL: it
 * needs one of its own.  Without r->src it fails only where vma_can_merge says
 * so; with one, also when its family cannot be copied (out of memory).
 */
struct vm_area_struct *vma_merge_new(const struct vma_range *r,
				     struct vm_area_struct *prev,
				     struct vm_area_struct *next);
/*
 * Give [start, end) of vma other flags: merge with the neighbours, else split
 * off.  Returns the VMA that has the range now (it may reach further), or
 * NULL: -ENOMEM; vma may have been split then, but its flags stand.
 */
struct vm_area_struct *vma_modify(struct vm_area_struct *vma, uaddr_t start,
				  uaddr_t end, vm_flags_t flags);

/*
 * Unmapping in two steps, so that what can fail comes before what cannot be
 * undone.  unmap_prepare splits VMAs at the ends of [start, end) and adds up
 * what is there; 0 or -ENOMEM.  unmap_commit takes it all away.
 */
struct unmap_plan {
	struct mm_struct *mm;
	uaddr_t start, end;
	struct vm_area_struct *first;	    /* NULL: nothing mapped */
	struct vm_area_struct *prev, *next; /* what stays on either side */
	unsigned long pages, accounted;
};
int unmap_prepare(struct mm_struct *mm, uaddr_t start, uaddr_t end,
		  struct unmap_plan *u);
void unmap_commit(struct unmap_plan *u);

/*
 * Find room for len bytes as mmap would: an address or -errno.  flags: MAP_*.
 * With MAP_SHARED, the page there is or may be mapped elsewhere, at addresses
 * of like's colour (P8).  place_flags: that is so of a file's pages in private
 * mappings too, but these may be put anywhere by MAP_FIXED.
 */
sreg_t get_unmapped_area(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
			 unsigned flags, uaddr_t like);
static inline unsigned place_flags(unsigned flags, const void *file)
{
	return file && !(flags & MAP_FIXED) ? flags | MAP_SHARED : flags;
}
/* Within RLIMIT_MEMLOCK with `bytes` more, if flags have VM_LOCKED? */
bool mlock_future_ok(struct mm_struct *mm, vm_flags_t flags, uaddr_t bytes);
bool can_do_mlock(void);
/* mm/mlock_page.c: give vma flags that differ in VM_LOCKED: its pages are
 * counted as locked, or not any more.  Sleeps. */
void vma_change_locked(struct vm_area_struct *vma, vm_flags_t flags);
/* PROT_* to VM_READ, VM_WRITE, VM_EXEC. */
static inline vm_flags_t calc_vm_prot_bits(unsigned prot)
{
	return prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/*
 * mm/advise_pages.c: madvise's FREE, COLD, PAGEOUT for [start, end) of vma: 0
 * or -EINVAL.  mmap_lock held for read; PAGEOUT sleeps.
 */
int madvise_free(struct vm_area_struct *vma, uaddr_t start, uaddr_t end);
int madvise_cold(struct vm_area_struct *vma, uaddr_t start, uaddr_t end);
int madvise_pageout(struct vm_area_struct *vma, uaddr_t start, uaddr_t end);
/* Give the entries of [start, end) vma's protection, and flush. */
void change_protection(struct vm_area_struct *vma, uaddr_t start, uaddr_t end);
/*
 * mm/move_tables.c: move the entries of [old, old + len) to `new`; vma is the
 * one that maps either place and shares the other's file and family.  Returns
 * how far it came: less than len when there was no memory for tables.
 */
uaddr_t move_page_tables(struct vm_area_struct *vma, uaddr_t old, uaddr_t new,
			 uaddr_t len);

#ifdef QUIRE_TRACE
/* An address goes into the trace as one, an errno as a negative number. */
static inline int64_t trace_result(sreg_t ret)
{
	return QUIRE_IS_ERR(ret) ? (int64_t)ret : (int64_t)(uaddr_t)ret;
}
static inline void trace_map(struct mm_struct *mm, struct quire_event e)
{
	if (!quire_host_trace_enabled())
		return;
	e.mm = mm->id;
	e.task = quire_host_current() ? quire_host_current()->id : 0;
	e.cpu = (uint8_t)quire_host_cpu();
	quire_host_trace(&e);
}
#define TRACE_MAP(mm, ...) trace_map(mm, (struct quire_event){__VA_ARGS__})
#else
#define TRACE_MAP(mm, ...) ((void)(mm))
#endif

#endif
