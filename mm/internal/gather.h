/* SPDX-License-Identifier: MIT */
/*
 * gather.h - mmu_gather: pages and table pages that an unmap has taken out of
 * the tables, kept until no TLB can reach them any more (Z1, Z2).
 *
 *   tlb_gather_mmu -> (clear entries, tlb_remove_page ...)* -> tlb_finish_mmu
 *
 * Nothing is freed before the flush that covers it.
 */
#ifndef QUIRE_MM_GATHER_H
#define QUIRE_MM_GATHER_H

#include "mm.h"

#define MMU_GATHER_BUNDLE 62
struct mmu_gather_batch {
	struct mmu_gather_batch *next;
	uint32_t nr, max;
	struct page *pages[];
};
struct mmu_gather {
	struct mm_struct *mm;
	uaddr_t start, end; /* range whose entries were cleared */
	bool fullmm;	    /* exit: the whole address space goes */
	bool freed_tables;
	bool cleared; /* some entry was present */
	uint32_t batch_count;
	struct mmu_gather_batch *active;
	struct page *tables[16]; /* table pages, freed after the flush */
	uint32_t nr_tables;
	struct {
		struct mmu_gather_batch *next;
		uint32_t nr, max;
		struct page *pages[MMU_GATHER_BUNDLE];
	} local;
};
void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm);
void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm);
/* Entry of [addr, addr + size) was cleared. */
static __always_inline void tlb_track(struct mmu_gather *tlb, uaddr_t addr,
				      uaddr_t size)
{
	tlb->start = MIN(tlb->start, addr);
	tlb->end = MAX(tlb->end, addr + size);
	tlb->cleared = true;
}
/* The page's rmap and counters are done; its reference passes to the gather.
 * true: the batch is full, the caller must tlb_flush_mmu() once it has let go
 * of the page-table lock. */
bool tlb_remove_page(struct mmu_gather *tlb, struct page *page);
void tlb_remove_table(struct mmu_gather *tlb, struct page *table);
void tlb_flush_mmu(struct mmu_gather *tlb);
/* Only the TLBs: no CPU uses what was cleared so far. A page-table lock may be
 * held. */
void tlb_flush_tlbonly(struct mmu_gather *tlb);
void tlb_finish_mmu(struct mmu_gather *tlb);

/* mm/zap.c: remove the entries and pages of [start, end); mmap_lock held. */
void unmap_vmas(struct mmu_gather *tlb, struct vm_area_struct *vma,
		uaddr_t start, uaddr_t end);
void zap_page_range(struct vm_area_struct *vma, uaddr_t start, uaddr_t size);
/* All mappings of file pages [first, last] (last: UINT64_MAX for the rest);
 * even_cows: private copies too (truncate). Takes i_mmap lock. */
void unmap_mapping_range(struct address_space *as, uint64_t first,
			 uint64_t last, bool even_cows);
/* mm/fork.c: 0 or -ENOMEM; both mmap_locks held for write. */
int copy_page_range(struct vm_area_struct *dst, struct vm_area_struct *src);

#endif
