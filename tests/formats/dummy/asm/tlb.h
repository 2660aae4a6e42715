/* SPDX-License-Identifier: MIT */
/* tlb.h - flushing on a machine that does not exist; see pgtable_types.h. */
#ifndef QUIRE_DUMMY_TLB_H
#define QUIRE_DUMMY_TLB_H

#include "mm.h"

void init_mm_context(struct mm_struct *mm);
void flush_tlb_mm(struct mm_struct *mm);
void flush_tlb_mm_range(struct mm_struct *mm, uaddr_t start, uaddr_t end);
void flush_tlb_range(struct vm_area_struct *vma, uaddr_t start, uaddr_t end);
void flush_tlb_page(struct vm_area_struct *vma, uaddr_t addr);

#endif
