/* SPDX-License-Identifier: MIT */
/*
 * cacheflush.h - P8's hooks: what caches ask for around new contents and new
 * entries.  mm/ calls them as documented here; a format whose caches are
 * coherent and physically tagged includes this file, where they are nothing.
 */
#ifndef QUIRE_GENERIC_CACHEFLUSH_H
#define QUIRE_GENERIC_CACHEFLUSH_H

#include "mm.h"

/* The entry of addr has just appeared, or allows more: its lock is held. */
static __always_inline void update_mmu_cache(struct vm_area_struct *vma,
					     uaddr_t addr, pte_t *ptep)
{
	(void)vma;
	(void)addr;
	(void)ptep;
}
/* An entry for the page is about to be made in vma. */
static __always_inline void flush_icache_page(struct vm_area_struct *vma,
					      struct page *page)
{
	(void)vma;
	(void)page;
}
/*
 * The kernel has written to the page through its direct map.  No spinlock need
 * be held; a reference is.
 */
static __always_inline void flush_dcache_page(struct quire *q,
					      struct page *page)
{
	(void)q;
	(void)page;
}
/*
 * The kernel is about to read through its direct map, or to write in part,
 * what users may have written through mappings of their own.
 */
static __always_inline void flush_user_dcache_page(struct quire *q,
						   struct page *page)
{
	(void)q;
	(void)page;
}
/*
 * Memory without struct page, a whole page at this kernel address, was written
 * by the kernel or is about to be mapped: instruction fetch is to see it.
 */
static __always_inline void arch_frame_written(void *kaddr)
{
	(void)kaddr;
}
/*
 * Address bits in which all shared mappings of a page must agree with its
 * offset in the file, or 0.
 */
static __always_inline uaddr_t arch_shared_colour(const struct quire *q)
{
	(void)q;
	return 0;
}

#endif
