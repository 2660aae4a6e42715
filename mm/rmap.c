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
#include "reclaim.h"
#include "writeback.h"

void page_add_anon_rmap(struct page *page, struct vm_area_struct *vma,
			uaddr_t addr)
{
	mlock_vma_page(vma, page);
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

void page_unmapped(struct quire *q, struct page *page, uint32_t old)
{
	QUIRE_BUG_ON(old == 0);
	mod_vmstat(q, PageAnon(page) ? VM_nr_anon_pages : VM_nr_mapped, -1);
}

void page_add_anon_rmap_at(struct page *page, struct vm_area_struct *vma,
			   uaddr_t addr, bool exclusive)
{
	struct anon_vma *av = vma->anon_vma;

	/*
	 * Others may map it too, now or later, by entries of theirs: parents,
	 * children, their children.  All of them are chained to the root.
	 */
	if (exclusive)
		SetPageFlag(page, PG_anon_exclusive);
	else
		av = av->root;
	mlock_vma_page(vma, page);
	if (__atomic_fetch_add(&page->_mapcount, 1u, __ATOMIC_RELAXED))
		return;
	page->index = linear_page_index(vma, addr);
	WRITE_ONCE(page->mapping, (void *)((uintptr_t)av | PAGE_MAPPING_ANON));
	mod_vmstat(vma->vm_mm->q, VM_nr_anon_pages, 1);
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

void anon_vma_walk(struct anon_vma *av, struct page *page,
		   bool (*one)(struct page *page, struct vm_area_struct *vma,
			       uaddr_t addr, void *arg),
		   void *arg)
{
	struct anon_vma_chain *avc;
	struct itree_node *n;

	itree_for_each(&av->chains, n, page->index, page->index)
	{
		avc = list_entry(n, struct anon_vma_chain, rb);
		if (!one(page, avc->vma, vma_address(avc->vma, page->index),
			 arg))
			break;
	}
}

/* Private memory's half of rmap_walk(). */
static bool rmap_walk_anon(struct quire *q, struct page *page, bool wait,
			   bool (*one)(struct page *page,
				       struct vm_area_struct *vma, uaddr_t addr,
				       void *arg),
			   void *arg)
{
	struct anon_vma *av = page_get_anon_vma(q, page);
	bool locked = true;

	if (!av)
		return true; /* nothing maps it any more */
	if (wait)
		down_read(&av->root->rwsem);
	else
		locked = down_read_trylock(&av->root->rwsem);
	if (!locked)
		goto put;
	anon_vma_walk(av, page, one, arg);
	up_read(&av->root->rwsem);
put:
	put_anon_vma(q, av);
	return locked;
}

bool rmap_walk(struct quire *q, struct page *page, bool wait,
	       bool (*one)(struct page *page, struct vm_area_struct *vma,
			   uaddr_t addr, void *arg),
	       void *arg)
{
	struct address_space *as = READ_ONCE(page->mapping);
	struct vm_area_struct *vma;
	struct itree_node *n;

	if (!as)
		return true;
	if (PageAnon(page))
		return rmap_walk_anon(q, page, wait, one, arg);
	if (wait)
		down_read(&as->i_mmap_lock);
	else if (!down_read_trylock(&as->i_mmap_lock))
		return false;
	itree_for_each(&as->i_mmap, n, page->index, page->index)
	{
		vma = list_entry(n, struct vm_area_struct, i_mmap_node);
		if (!one(page, vma, vma_address(vma, page->index), arg))
			break;
	}
	up_read(&as->i_mmap_lock);
	return true;
}

pte_t *rmap_entry(struct page *page, struct vm_area_struct *vma, uaddr_t addr,
		  spinlock_t **ptl)
{
	struct mm_struct *mm = vma->vm_mm;
	pmd_t *pmd = mm_find_pmd(mm, addr);
	pte_t *ptep, pte;

	if (!pmd || pmd_none(pmdp_get(pmd)))
		return NULL;
	*ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	spin_lock(*ptl);
	ptep = pte_offset_map(mm->q, pmd, addr);
	pte = ptep_get(ptep);
	if (pte_present(pte) && pte_pfn(pte) == page_to_pfn(mm->q, page))
		return ptep;
	spin_unlock(*ptl);
	return NULL;
}

/* ---------------------------------------------------------- page_mkclean */

/* One mapping of the page, perhaps: *arg counts the entries that changed. */
static bool page_mkclean_one(struct page *page, struct vm_area_struct *vma,
			     uaddr_t addr, void *arg)
{
	unsigned *cleaned = arg;
	spinlock_t *ptl;
	pte_t *ptep, pte;

	/* a private mapping has the file's pages read-only */
	if (!(READ_ONCE(vma->vm_flags) & VM_SHARED))
		return true;
	ptep = rmap_entry(page, vma, addr, &ptl);
	if (!ptep)
		return true;
	pte = ptep_get(ptep);
	if (pte_write(pte) || pte_dirty(pte)) {
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
		(void)rmap_walk(as->q, page, true, page_mkclean_one, &cleaned);
	return cleaned;
}

/* ------------------------------------------------------- page_referenced */

struct referenced {
	unsigned count;
	vm_flags_t flags;
};

static bool page_referenced_one(struct page *page, struct vm_area_struct *vma,
				uaddr_t addr, void *arg)
{
	vm_flags_t flags = READ_ONCE(vma->vm_flags);
	struct referenced *r = arg;
	spinlock_t *ptl;
	pte_t *ptep = rmap_entry(page, vma, addr, &ptl);
	bool young;

	if (!ptep)
		return true;
	if (flags & VM_LOCKED) {
		spin_unlock(ptl);
		r->flags |= VM_LOCKED;
		return false;
	}
	young = ptep_test_and_clear_young(vma, addr, ptep);
	/*
	 * A processor that sets the bit itself will do so again when its TLB
	 * has forgotten the entry: soon enough, and no reason to interrupt it.
	 * Where the bit is set by a fault there is none while the TLB has it.
	 */
	if (young && !ARCH_SETS_YOUNG)
		flush_tlb_page(vma, addr);
	spin_unlock(ptl);
	/* who reads once from end to end will not be back */
	if (young && !(flags & VM_SEQ_READ)) {
		r->count++;
		r->flags |= flags;
	}
	return true;
}

unsigned page_referenced(struct quire *q, struct page *page, vm_flags_t *flags)
{
	struct referenced r = {0, 0};

	if (page_mapcount(page) &&
	    !rmap_walk(q, page, false, page_referenced_one, &r))
		r.count = 1;
	*flags = r.flags;
	return r.count;
}
