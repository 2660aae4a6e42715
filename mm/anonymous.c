/* SPDX-License-Identifier: MIT */
/*
 * anonymous.c - the first touch of private memory that no file backs (F4).
 *
 *   read    entry -> the zero page, read-only and special: it has no reverse
 *           map, is counted nowhere, and the first write makes a copy (wp.c)
 *   write   entry -> a fresh zeroed page, dirty and writable, known to the
 *           VMA's anon_vma and to the LRU
 *
 * Locks: mmap_lock for read on entry.  All that can fail or sleep (table,
 * anon_vma, page) comes before the entry's lock.
 */
#include "fault.h"
#include "rmap.h"

/* Under the entry's lock: is it still empty, and may the mm still get pages? */
static __always_inline bool anon_may_install(struct vm_fault *vmf,
					     struct mm_struct *mm,
					     struct quire *q, vm_fault_t *ret)
{
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (unlikely(!pte_none(ptep_get(vmf->pte))))
		return false; /* another fault has filled it: repeat */
	*ret = check_stable_address_space(mm);
	return likely(!*ret);
}

static vm_fault_t map_zero_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	vm_fault_t ret = 0;
	pte_t entry;

	entry = pte_mkspecial(
		pfn_pte(page_to_pfn(q, q->zero_page), vma->vm_page_prot));
	fault_kind(vmf, QF_ZERO_READ);
	if (anon_may_install(vmf, vma->vm_mm, q, &ret)) {
		set_pte_at(vma->vm_mm, vmf->address, vmf->pte, entry);
		update_mmu_cache(vma, vmf->address, vmf->pte);
		count_vm_event(q, VM_quire_zero_read);
	}
	spin_unlock(vmf->ptl);
	return ret;
}

vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	vm_fault_t ret = 0;
	struct quire_cpu *c;
	struct page *page;
	uint64_t pfn;
	pte_t entry;

	/* a shared mapping whose owner gave it no operations */
	if (unlikely(vma->vm_flags & VM_SHARED))
		return VM_FAULT_SIGBUS;
	if (unlikely(!vmf->pte)) {
		if (__pte_alloc(mm, vmf->pmd))
			return VM_FAULT_OOM;
		vmf->pte = pte_offset_map(q, vmf->pmd, vmf->address);
	}
	if (!(vmf->flags & FAULT_FLAG_WRITE))
		return map_zero_page(vmf);

	if (unlikely(anon_vma_prepare(vma)))
		return VM_FAULT_OOM;
	page = alloc_page(q, GFP_HIGHUSER_MOVABLE);
	if (unlikely(!page))
		return VM_FAULT_OOM;
	pfn = page_to_pfn(q, page);
	clear_page(phys_to_virt(q, (paddr_t)pfn << PAGE_SHIFT));
	entry = pfn_pte(pfn, vma->vm_page_prot);
	if (likely(vma->vm_flags & VM_WRITE))
		entry = pte_mkwrite(pte_mkdirty(entry));
	fault_kind(vmf, QF_ANON_WRITE);

	if (unlikely(!anon_may_install(vmf, mm, q, &ret)))
		goto release;
	c = this_cpu(q);
	add_new_anon_page(vma, page, vmf->address, c);
	cpu_count(c, VM_quire_anon_write, 1);
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
	spin_unlock(vmf->ptl);
	return 0;
release:
	spin_unlock(vmf->ptl);
	put_page(q, page);
	return ret;
}
