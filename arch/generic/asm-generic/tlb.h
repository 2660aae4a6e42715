/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - flushing and switching; arch/ARCH/tlb.c has the whole story.
 *
 * Every flush_* returns only when no CPU can use the old translation any more.
 * Page-table locks may be held; none of them sleeps.
 */
#ifndef QUIRE_GENERIC_TLB_H
#define QUIRE_GENERIC_TLB_H

#include "mm.h"

#define TLB_FLUSH_ALL (~(uaddr_t)0)

/* A fresh address space's context; never fails. */
void init_mm_context(struct mm_struct *mm);
/*
 * Flush [start, end) of mm on every CPU that may hold it; end ==
 * TLB_FLUSH_ALL: all of it.
 */
void flush_tlb_mm_range(struct mm_struct *mm, uaddr_t start, uaddr_t end);

static inline void flush_tlb_mm(struct mm_struct *mm)
{
	flush_tlb_mm_range(mm, 0, TLB_FLUSH_ALL);
}
static inline void flush_tlb_range(struct vm_area_struct *vma, uaddr_t start,
				   uaddr_t end)
{
	flush_tlb_mm_range(vma->vm_mm, start, end);
}
static inline void flush_tlb_page(struct vm_area_struct *vma, uaddr_t addr)
{
	flush_tlb_mm_range(vma->vm_mm, addr, addr + (uaddr_t)PAGE_SIZE);
}

#endif
