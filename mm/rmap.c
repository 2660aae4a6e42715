/* SPDX-License-Identifier: MIT */
/*
 * rmap.c - who maps this page: counting, and walking back.
 *
 * _mapcount is the number of page-table entries that map the page; mapping and
 * index say where to look for them: a page of anon_vma A at index i can be
 * mapped only in a VMA chained to A, at vm_start + (i - vm_pgoff) pages; a
 * file page likewise in a VMA in its file's i_mmap tree.  mremap keeps this
 * true by moving vm_pgoff along with the pages.
 *
 * The counting functions are called with the page-table lock held; rmap_walk
 * takes the family's or the file's lock.
 */
#include "rmap.h"
#include "fault.h"
#include "writeback.h"

void page_add_anon_rmap(struct page *page, struct vm_area_struct *vma,
			uaddr_t addr)
{
	if (__atomic_fetch_add(&page->_mapcount, 1u, __ATOMIC_RELAXED))
		return;
	page->index = linear_page_index(vma, addr);
	WRITE_ONCE(page->mapping,
		   (void *)((uintptr_t)vma->anon_vma | PAGE_MAPPING_ANON));
	mod_vmstat(vma->vm_mm->q, VM_nr_anon_pages, 1);
}

void page_add_file_rmap(struct quire *q, struct page *page)
{
	if (!__atomic_fetch_add(&page->_mapcount, 1u, __ATOMIC_RELAXED))
		mod_vmstat(q, VM_nr_mapped, 1);
}

void page_remove_rmap(struct quire *q, struct page *page)
{
	uint32_t old =
		__atomic_fetch_sub(&page->_mapcount, 1u, __ATOMIC_RELEASE);

	QUIRE_BUG_ON(old == 0);
	if (old == 1)
		mod_vmstat(q, PageAnon(page) ? VM_nr_anon_pages : VM_nr_mapped,
			   -1);
}

void page_move_anon_rmap(struct page *page, struct vm_area_struct *vma)
{
	WRITE_ONCE(page->mapping,
		   (void *)((uintptr_t)vma->anon_vma | PAGE_MAPPING_ANON));
}

/* Where vma maps index, which it reaches. */
static uaddr_t vma_address(const struct vm_area_struct *vma, uint64_t index)
{
	return vma->vm_start + (uaddr_t)((index - vma->vm_pgoff) << PAGE_SHIFT);
}

void rmap_walk(struct quire *q, struct page *page,
	       bool (*one)(struct page *page, struct vm_area_struct *vma,
			   uaddr_t addr, void *arg),
	       void *arg)
{
	uintptr_t m = (uintptr_t)READ_ONCE(page->mapping);
	struct anon_vma_chain *avc;
	struct address_space *as;
	struct vm_area_struct *vma;
	struct itree_node *n;
	struct anon_vma *av;

	(void)q;
	if (!m)
		return;
	if (m & PAGE_MAPPING_ANON) {
		av = (struct anon_vma *)(m & ~(uintptr_t)PAGE_MAPPING_ANON);
		down_read(&av->root->rwsem);
		itree_for_each(&av->chains, n, page->index, page->index)
		{
			avc = list_entry(n, struct anon_vma_chain, rb);
			if (!one(page, avc->vma,
				 vma_address(avc->vma, page->index), arg))
				break;
		}
		up_read(&av->root->rwsem);
		return;
	}
	as = (struct address_space *)m;
	down_read(&as->i_mmap_lock);
	itree_for_each(&as->i_mmap, n, page->index, page->index)
	{
		vma = list_entry(n, struct vm_area_struct, i_mmap_node);
		if (!one(page, vma, vma_address(vma, page->index), arg))
			break;
	}
	up_read(&as->i_mmap_lock);
}

/* ---------------------------------------------------------- page_mkclean */

/* One mapping of the page, perhaps: *arg counts the entries that changed. */
static bool page_mkclean_one(struct page *page, struct vm_area_struct *vma,
			     uaddr_t addr, void *arg)
{
	struct quire *q = vma->vm_mm->q;
	unsigned *cleaned = arg;
	spinlock_t *ptl;
	pte_t *ptep, pte;
	pmd_t *pmd;

	/* a private mapping has the file's pages read-only */
	if (!(READ_ONCE(vma->vm_flags) & VM_SHARED))
		return true;
	pmd = mm_find_pmd(vma->vm_mm, addr);
	if (!pmd || pmd_none(pmdp_get(pmd)))
		return true;
	ptl = pte_lockptr(q, pmdp_get(pmd));
	spin_lock(ptl);
	ptep = pte_offset_map(q, pmd, addr);
	pte = ptep_get(ptep);
	if (pte_present(pte) && pte_pfn(pte) == page_to_pfn(q, page) &&
	    (pte_write(pte) || pte_dirty(pte))) {
		/* taken out meanwhile: no store slips in between */
		pte = ptep_modify_prot_start(vma, addr, ptep);
		pte = pte_mkclean(pte_wrprotect(pte));
		ptep_modify_prot_commit(vma, addr, ptep, pte);
		flush_tlb_page(vma, addr);
		++*cleaned;
	}
	spin_unlock(ptl);
	return true;
}

unsigned page_mkclean(struct page *page)
{
	struct address_space *as = page->mapping;
	unsigned cleaned = 0;

	/* acquire: an entry that zap has just dropped was flushed before */
	if (smp_load_acquire(&page->_mapcount))
		rmap_walk(as->q, page, page_mkclean_one, &cleaned);
	return cleaned;
}
