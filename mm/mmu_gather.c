/* SPDX-License-Identifier: MIT */
/*
 * mmu_gather.c - what an unmap has taken out, kept until no TLB can reach it.
 *
 *   entry cleared -> page into the batch -> ... -> TLB flush -> pages freed
 *                    table page into tables[]               -> tables freed
 *
 * Pages go first into the batch inside struct mmu_gather (the caller's stack),
 * then into whole pages of pointers; when no such page can be had, the batch
 * is flushed early instead: gathering needs no memory to make progress.
 *
 * Locks: the caller's mmap_lock.  tlb_remove_page may be called under a
 * page-table lock; flushing and freeing need it released, since the pages that
 * are freed may be table pages.
 */
#include "gather.h"
#include "fault.h"
#include "swap.h"
#include <asm/tlb.h>

/* Batches of one page each; more would hold too much memory back. */
#define MAX_GATHER_BATCHES 16

static void tlb_reset_range(struct mmu_gather *tlb)
{
	tlb->start = ~(uaddr_t)0;
	tlb->end = 0;
	tlb->cleared = false;
	tlb->freed_tables = false;
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb->mm = mm;
	tlb->fullmm = false;
	tlb->nr_tables = 0;
	tlb->batch_count = 0;
	tlb->local.next = NULL;
	tlb->local.nr = 0;
	tlb->local.max = MMU_GATHER_BUNDLE;
	tlb->active = (struct mmu_gather_batch *)(void *)&tlb->local;
	tlb_reset_range(tlb);
}

void tlb_gather_mmu_fullmm(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb_gather_mmu(tlb, mm);
	tlb->fullmm = true;
}

/* Make room for the next page: false when there is none to be had. */
static bool tlb_next_batch(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *b = tlb->active->next;
	struct quire *q = tlb->mm->q;
	struct page *page;

	if (b) {
		tlb->active = b;
		return true;
	}
	if (tlb->batch_count == MAX_GATHER_BATCHES)
		return false;
	page = alloc_pages(q, GFP_ATOMIC | __GFP_NOWARN, 0);
	if (!page)
		return false;
	b = page_address(q, page);
	b->next = NULL;
	b->nr = 0;
	b->max = (uint32_t)((PAGE_SIZE - sizeof(*b)) / sizeof(b->pages[0]));
	tlb->batch_count++;
	tlb->active->next = b;
	tlb->active = b;
	return true;
}

bool tlb_remove_page(struct mmu_gather *tlb, struct page *page)
{
	struct mmu_gather_batch *b = tlb->active;

	b->pages[b->nr++] = page;
	if (likely(b->nr < b->max))
		return false;
	return !tlb_next_batch(tlb);
}

void tlb_remove_table(struct mmu_gather *tlb, struct page *table)
{
	tlb->freed_tables = true;
	tlb->tables[tlb->nr_tables++] = table;
	if (tlb->nr_tables == ARRAY_LEN(tlb->tables))
		tlb_flush_mmu(tlb);
}

void tlb_flush_tlbonly(struct mmu_gather *tlb)
{
	if (!tlb->cleared && !tlb->freed_tables)
		return;
	if (tlb->fullmm || !tlb->cleared ||
	    (ARCH_WALKS_BY_ADDRESS && tlb->freed_tables))
		flush_tlb_mm(tlb->mm);
	else
		flush_tlb_mm_range(tlb->mm, tlb->start, tlb->end);
	tlb_reset_range(tlb);
}

void tlb_flush_mmu(struct mmu_gather *tlb)
{
	struct mm_struct *mm = tlb->mm;
	struct mmu_gather_batch *b;
	uint32_t i, n;

	tlb_flush_tlbonly(tlb);
	for (b = (struct mmu_gather_batch *)(void *)&tlb->local; b && b->nr;
	     b = b->next) {
		/* drop the references; free those that were the last */
		for (i = 0, n = 0; i < b->nr; i++) {
			if (unlikely(PageFlag(b->pages[i], PG_swapcache)))
				free_swap_cache(mm->q, b->pages[i]);
			if (put_page_testzero(b->pages[i]))
				b->pages[n++] = b->pages[i];
		}
		if (n)
			free_page_batch(mm->q, b->pages, n);
		b->nr = 0;
	}
	tlb->active = (struct mmu_gather_batch *)(void *)&tlb->local;
	for (i = 0; i < tlb->nr_tables; i++)
		pte_free(mm, tlb->tables[i]);
	tlb->nr_tables = 0;
}

void tlb_finish_mmu(struct mmu_gather *tlb)
{
	struct mmu_gather_batch *b, *next;
	struct quire *q = tlb->mm->q;

	tlb_flush_mmu(tlb);
	for (b = tlb->local.next; b; b = next) {
		next = b->next;
		put_page(q, virt_to_page(q, b));
	}
	tlb->local.next = NULL;
}
