/* SPDX-License-Identifier: MIT */
/*
 * advise_pages.c - what a program tells reclaim about its pages (M2).
 *
 *   MADV_FREE      private memory may be dropped unwritten: its entries become
 *                  clean, it leaves the swap cache, and is PG_swapbacked no
 *                  more.  A store makes the entry dirty, and reclaim, which
 *                  looks, keeps it.  What is in swap is given up at once
 *   MADV_COLD      not used lately: first to be looked at
 *   MADV_PAGEOUT   out with it, now
 *
 * Only pages that one entry maps: what others use is not for us to say.
 *
 * Locks: mmap_lock for read; each table's; inside it page locks by trylock.
 */
#include "fault.h"
#include "filemap.h"
#include "gather.h"
#include "reclaim.h"
#include "rmap.h"
#include "swap.h"
#include "vma.h"
#include <asm/tlb.h>

#define PAGEOUT_BATCH 32u

struct advice {
	struct vm_area_struct *vma;
	int advice;
	bool anon_only;	     /* PAGEOUT: the file's pages are not ours */
	unsigned n;	     /* PAGEOUT: isolated pages */
	uaddr_t first, last; /* entries that changed: to be flushed */
	struct page *pages[PAGEOUT_BATCH];
};

/*
 * The entry becomes old, and for MADV_FREE clean, if it is not.  What the
 * processor sets until the moment of the exchange is older than the advice.
 */
static void age_entry(struct advice *a, uaddr_t addr, pte_t *ptep, pte_t pte)
{
	bool free = a->advice == MADV_FREE;

	if (!pte_young(pte) && !(free && pte_dirty(pte)))
		return;
	pte = ptep_modify_prot_start(a->vma, addr, ptep);
	pte = pte_mkold(pte);
	if (free)
		pte = pte_mkclean(pte);
	ptep_modify_prot_commit(a->vma, addr, ptep, pte);
	a->first = MIN(a->first, addr);
	a->last = MAX(a->last, addr);
}

/*
 * Nothing that could be written anywhere is left of the page but itself: it is
 * in no swap cache, and clean.  False: others use it, or somebody works on it.
 */
static bool make_clean(struct quire *q, struct page *page)
{
	bool clean = false;

	if (!PageFlag(page, PG_swapcache) && !PageFlag(page, PG_dirty))
		return true;
	if (!trylock_page(page))
		return false;
	if (page_mapcount(page) == 1 &&
	    (!PageFlag(page, PG_swapcache) || try_to_free_swap(q, page))) {
		ClearPageFlag(page, PG_dirty);
		clean = true;
	}
	unlock_page(page);
	return clean;
}

static void free_present(struct advice *a, uaddr_t addr, pte_t *ptep, pte_t pte)
{
	struct page *page = vm_normal_page(a->vma, pte);
	struct quire *q = a->vma->vm_mm->q;

	if (!page || !PageAnon(page) || !make_clean(q, page))
		return;
	age_entry(a, addr, ptep, pte);
	mark_page_lazyfree(q, page);
}

/* An entry that is neither empty nor present: what is in swap goes. */
static void free_swapped(struct advice *a, uaddr_t addr, pte_t *ptep, pte_t pte)
{
	struct mm_struct *mm = a->vma->vm_mm;

	if (is_migration_entry(pte_to_swp_entry(pte)))
		return;
	swap_pte_free(mm, pte);
	pte_clear(mm, addr, ptep);
}

/* COLD, PAGEOUT */
static void age_present(struct advice *a, uaddr_t addr, pte_t *ptep, pte_t pte)
{
	struct page *page = vm_normal_page(a->vma, pte);
	struct quire *q = a->vma->vm_mm->q;

	if (!page || page_mapcount(page) != 1 ||
	    (a->anon_only && !PageAnon(page)))
		return;
	age_entry(a, addr, ptep, pte);
	ClearPageFlag(page, PG_referenced);
	if (a->advice == MADV_COLD)
		deactivate_page(q, page);
	else if (isolate_lru_page(q, page))
		a->pages[a->n++] = page;
}

/* The entries of [addr, end) in one table; returns where it stopped. */
static uaddr_t advise_table(struct advice *a, pmd_t *pmd, uaddr_t addr,
			    uaddr_t end)
{
	struct mm_struct *mm = a->vma->vm_mm;
	spinlock_t *ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	pte_t *ptep, pte;

	a->first = ~(uaddr_t)0;
	a->last = 0;
	spin_lock(ptl);
	ptep = pte_offset_map(mm->q, pmd, addr);
	for (; addr < end && a->n < PAGEOUT_BATCH;
	     addr += (uaddr_t)PAGE_SIZE, ptep++) {
		pte = ptep_get(ptep);
		if (pte_none(pte))
			continue;
		if (a->advice != MADV_FREE) {
			if (pte_present(pte))
				age_present(a, addr, ptep, pte);
		} else if (pte_present(pte)) {
			free_present(a, addr, ptep, pte);
		} else {
			free_swapped(a, addr, ptep, pte);
		}
	}
	/* from now on a use, and a store, shows */
	if (a->last)
		flush_tlb_range(a->vma, a->first, a->last + (uaddr_t)PAGE_SIZE);
	spin_unlock(ptl);
	if (a->n)
		(void)reclaim_pages(mm->q, a->pages, a->n);
	a->n = 0;
	return addr;
}

static void advise_range(struct advice *a, uaddr_t start, uaddr_t end)
{
	struct mm_struct *mm = a->vma->vm_mm;
	uaddr_t addr = start, next;
	pmd_t *pmd;

	lru_add_drain(mm->q);
	if (a->advice == MADV_FREE)
		update_hiwater_rss(mm);
	for (; addr < end; addr = next) {
		next = pmd_addr_end(addr, end);
		pmd = mm_find_pmd(mm, addr);
		while (pmd && !pmd_none(pmdp_get(pmd)) && addr < next)
			addr = advise_table(a, pmd, addr, next);
	}
}

int madvise_free(struct vm_area_struct *vma, uaddr_t start, uaddr_t end)
{
	struct advice a = {.vma = vma, .advice = MADV_FREE};

	if (!vma_is_anonymous(vma))
		return -EINVAL;
	advise_range(&a, start, end);
	return 0;
}

int madvise_cold(struct vm_area_struct *vma, uaddr_t start, uaddr_t end)
{
	struct advice a = {.vma = vma, .advice = MADV_COLD};

	if (vma->vm_flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB))
		return -EINVAL;
	advise_range(&a, start, end);
	return 0;
}

int madvise_pageout(struct vm_area_struct *vma, uaddr_t start, uaddr_t end)
{
	struct advice a = {.vma = vma, .advice = MADV_PAGEOUT};

	if (vma->vm_flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB))
		return -EINVAL;
	/*
	 * When the pages of a file that one may only read are there tells of
	 * others' doings: only who may write it has a say.
	 */
	a.anon_only = vma->vm_file && !vma->vm_file->writable;
	if (a.anon_only && (vma->vm_flags & VM_MAYSHARE))
		return 0;
	advise_range(&a, start, end);
	return 0;
}
