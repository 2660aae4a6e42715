/* SPDX-License-Identifier: MIT */
/*
 * zap.c - taking entries and their pages out of the tables.
 *
 *   zap_page_range      madvise(DONTNEED): one range of one VMA
 *   unmap_vmas          munmap, exit: a run of VMAs
 *   unmap_mapping_range truncate, hole punch: one file, all its mappers
 *        \     |     /
 *     unmap_single_vma -> unmap_page_range -> p4d -> pud -> pmd -> pte
 *                                                             |
 *                          entry cleared, A and D moved to the page,
 *                          rmap and counters down, page -> mmu_gather
 *
 * Locks: mmap_lock for read at least (the tables do not go away below us), or
 * for unmap_mapping_range the file's i_mmap_lock, which keeps its VMAs from
 * leaving; each table's own lock while its entries change.  Pages and tables
 * are freed by the gather, after the flush.
 *
 * A page of a file that the entry has made dirty stays counted as mapped until
 * the TLBs are flushed, and the table locked: another CPU may store to it until
 * then, so write-back must find the mapping (page_mkclean) and wait at its
 * lock.
 */
#include "fault.h"
#include "filemap.h"
#include "gather.h"
#include "rmap.h"
#include "swap.h"

/* What unmap_mapping_range wants of zap_pte_range; NULL: everything goes. */
struct zap_details {
	struct address_space *as;
	bool even_cows;
};

/* Pages that are counted as mapped until the TLBs are flushed. */
struct zap_late {
	unsigned n;
	struct page *pages[32];
};

static __cold_path void zap_flush_late(struct mmu_gather *tlb,
				       struct zap_late *late)
{
	tlb_flush_tlbonly(tlb);
	while (late->n)
		page_remove_rmap(tlb->mm->q, late->pages[--late->n]);
}

/* The entry was dirty. True: the page is counted as mapped till later. */
static bool zap_dirty_page(struct mmu_gather *tlb, struct page *page,
			   struct zap_late *late)
{
	struct address_space *as = READ_ONCE(page->mapping);

	(void)set_page_dirty(tlb->mm->q, page);
	/* nobody runs in an address space that is at its end */
	if (tlb->fullmm || !as || !mapping_can_writeback(as))
		return false;
	late->pages[late->n++] = page;
	return true;
}

/*
 * One present entry: clear it, settle the page.  Returns true when the gather
 * is full and must be flushed before the next one.
 */
static __always_inline bool
zap_present_pte(struct mmu_gather *tlb, struct vm_area_struct *vma, pte_t *ptep,
		pte_t pte, uaddr_t addr, int *rss, const struct zap_details *d,
		struct zap_late *late)
{
	struct page *page = vm_normal_page(vma, pte);
	struct quire *q = tlb->mm->q;
	bool mapped = false;

	if (unlikely(d) && page && PageAnon(page) && !d->even_cows)
		return false;
	/* the processor may set A or D until the moment of the exchange */
	pte = ptep_get_and_clear(tlb->mm, addr, ptep);
	tlb_track(tlb, addr, (uaddr_t)PAGE_SIZE);
	if (!page)
		return false;
	munlock_vma_page(vma, page);
	if (PageAnon(page)) {
		rss[MM_ANONPAGES]--;
	} else {
		if (pte_dirty(pte))
			mapped = zap_dirty_page(tlb, page, late);
		if (pte_young(pte) && !(READ_ONCE(vma->vm_flags) & VM_SEQ_READ))
			mark_page_accessed(q, page);
		rss[PageFlag(page, PG_swapbacked) ? MM_SHMEMPAGES
						  : MM_FILEPAGES]--;
	}
	if (!mapped)
		page_remove_rmap(q, page);
	return tlb_remove_page(tlb, page);
}

static __cold_path void zap_swap_pte(struct mm_struct *mm, uaddr_t addr,
				     pte_t *ptep, pte_t pte)
{
	pte_clear(mm, addr, ptep);
	swap_pte_free(mm, pte);
}

/*
 * The entries of [addr, end) inside one table.  Returns where it stopped: end,
 * or earlier when the gather was full (it has been flushed by then).
 */
static uaddr_t zap_pte_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			     pmd_t *pmd, uaddr_t addr, uaddr_t end,
			     const struct zap_details *d)
{
	struct mm_struct *mm = tlb->mm;
	int rss[NR_MM_COUNTERS] = {0, 0, 0, 0};
	spinlock_t *ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	struct zap_late late;
	bool full = false;
	pte_t *pte;
	unsigned i;

	late.n = 0;
	spin_lock(ptl);
	pte = pte_offset_map(mm->q, pmd, addr);
	for (; addr < end && !full; addr += (uaddr_t)PAGE_SIZE, pte++) {
		pte_t v = ptep_get(pte);

		if (pte_none(v))
			continue;
		if (likely(pte_present(v)))
			full = zap_present_pte(tlb, vma, pte, v, addr, rss, d,
					       &late);
		else if (!d || d->even_cows)
			zap_swap_pte(mm, addr, pte, v);
		if (unlikely(late.n == ARRAY_LEN(late.pages)))
			zap_flush_late(tlb, &late);
	}
	if (unlikely(late.n))
		zap_flush_late(tlb, &late);
	for (i = 0; i < NR_MM_COUNTERS; i++)
		if (rss[i])
			add_mm_counter(mm, (enum rss_type)i, rss[i]);
	spin_unlock(ptl);
	if (full)
		tlb_flush_mmu(tlb);
	return addr;
}

static void zap_pmd_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			  pud_t *pud, uaddr_t addr, uaddr_t end,
			  const struct zap_details *d)
{
	pmd_t *pmd = pmd_offset(tlb->mm->q, pud, addr);
	uaddr_t next;

	do {
		next = pmd_addr_end(addr, end);
		while (!pmd_none(pmdp_get(pmd)) && addr < next)
			addr = zap_pte_range(tlb, vma, pmd, addr, next, d);
	} while (pmd++, addr = next, addr != end);
}

static void zap_pud_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			  p4d_t *p4d, uaddr_t addr, uaddr_t end,
			  const struct zap_details *d)
{
	pud_t *pud = pud_offset(tlb->mm->q, p4d, addr);
	uaddr_t next;

	do {
		next = pud_addr_end(addr, end);
		if (!pud_none(pudp_get(pud)))
			zap_pmd_range(tlb, vma, pud, addr, next, d);
	} while (pud++, addr = next, addr != end);
}

static void zap_p4d_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			  pgd_t *pgd, uaddr_t addr, uaddr_t end,
			  const struct zap_details *d)
{
	p4d_t *p4d = p4d_offset(tlb->mm->q, pgd, addr);
	uaddr_t next;

	do {
		next = p4d_addr_end(addr, end);
		if (!p4d_none(p4dp_get(p4d)))
			zap_pud_range(tlb, vma, p4d, addr, next, d);
	} while (p4d++, addr = next, addr != end);
}

static void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			     uaddr_t addr, uaddr_t end,
			     const struct zap_details *d)
{
	pgd_t *pgd = pgd_offset(tlb->mm, addr);
	uaddr_t next;

	do {
		next = pgd_addr_end(addr, end);
		if (!pgd_none(tlb->mm->q, pgdp_get(pgd)))
			zap_p4d_range(tlb, vma, pgd, addr, next, d);
	} while (pgd++, addr = next, addr != end);
}

static void unmap_single_vma(struct mmu_gather *tlb, struct vm_area_struct *vma,
			     uaddr_t start, uaddr_t end,
			     const struct zap_details *d)
{
	start = MAX(start, vma->vm_start);
	end = MIN(end, vma->vm_end);
	if (start < end)
		unmap_page_range(tlb, vma, start, end, d);
}

void unmap_vmas(struct mmu_gather *tlb, struct vm_area_struct *vma,
		uaddr_t start, uaddr_t end)
{
	for (; vma && vma->vm_start < end; vma = vma_next(vma)) {
		unmap_single_vma(tlb, vma, start, end, NULL);
		if (vma->vm_end >= end)
			break;
	}
}

void zap_page_range(struct vm_area_struct *vma, uaddr_t start, uaddr_t size)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_gather tlb;

	lru_add_drain(mm->q);
	tlb_gather_mmu(&tlb, mm);
	update_hiwater_rss(mm);
	unmap_single_vma(&tlb, vma, start, start + size, NULL);
	tlb_finish_mmu(&tlb);
}

void unmap_mapping_range(struct address_space *as, uint64_t first,
			 uint64_t last, bool even_cows)
{
	struct zap_details d = {.as = as, .even_cows = even_cows};
	struct vm_area_struct *vma;
	struct itree_node *n;
	struct mmu_gather tlb;
	uint64_t from, to; /* page indices, both inclusive */

	if (first > last)
		return;
	down_read(&as->i_mmap_lock);
	itree_for_each(&as->i_mmap, n, first, last)
	{
		vma = list_entry(n, struct vm_area_struct, i_mmap_node);
		from = MAX(first, vma->vm_pgoff);
		to = MIN(last, vma->vm_pgoff + vma_pages(vma) - 1);
		tlb_gather_mmu(&tlb, vma->vm_mm);
		unmap_single_vma(
			&tlb, vma,
			vma->vm_start +
				(uaddr_t)((from - vma->vm_pgoff) << PAGE_SHIFT),
			vma->vm_start + (uaddr_t)((to - vma->vm_pgoff + 1)
						  << PAGE_SHIFT),
			&d);
		tlb_finish_mmu(&tlb);
	}
	up_read(&as->i_mmap_lock);
}
