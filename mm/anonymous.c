/* SPDX-License-Identifier: MIT */
/*
 * anonymous.c - the less frequent part of anonymous memory's first touch;
 * internal/anonymous.h has the whole picture and the first write itself.
 *
 * Locks: mmap_lock for read on entry, then the entry's lock.
 */
#include "anonymous.h"

vm_fault_t __cold_path anon_make_table(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	quire_step("no last-level table yet: it is made");
	if (__pte_alloc(mm, vmf->pmd))
		return VM_FAULT_OOM;
	vmf->pte = pte_offset_map(mm->q, vmf->pmd, vmf->address);
	return 0;
}

vm_fault_t __cold_path anon_give_up(struct vm_fault *vmf, struct page *page)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	vm_fault_t ret = 0; /* filled by another fault: the access repeats */

	quire_step("the entry was filled meanwhile: the page is given back");
	if (pte_none(ptep_get(vmf->pte)))
		ret = check_stable_address_space(mm);
	spin_unlock(vmf->ptl);
	put_page(mm->q, page);
	return ret;
}

vm_fault_t anon_map_zero_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	vm_fault_t ret = 0;
	pte_t entry;

	entry = pte_mkspecial(
		pfn_pte(page_to_pfn(q, q->zero_page), vma->vm_page_prot));
	fault_kind(vmf, QF_ZERO_READ);
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (unlikely(!pte_none(ptep_get(vmf->pte))))
		goto unlock; /* another fault has filled it */
	ret = check_stable_address_space(mm);
	if (unlikely(ret))
		goto unlock;
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
	count_vm_event(q, VM_quire_zero_read);
unlock:
	spin_unlock(vmf->ptl);
	return ret;
}
