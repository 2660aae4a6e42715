/* SPDX-License-Identifier: MIT */
/*
 * anonymous.c - the less frequent part of anonymous memory's first touch;
 * internal/anonymous.h has the whole picture and the first write itself.
 *
 * Locks: mmap_lock for read on entry, then the entry's lock.
 */
#include "anonymous.h"

pte_t *__cold_path anon_make_table(struct mm_struct *mm, uaddr_t address,
				   pmd_t *pmd)
{
	quire_step("no last-level table yet: it is made");
	if (__pte_alloc(mm, pmd))
		return NULL;
	return pte_offset_map(mm->q, pmd, address);
}

vm_fault_t __cold_path anon_give_up(struct mm_struct *mm, pte_t *ptep,
				    spinlock_t *ptl, struct page *page)
{
	vm_fault_t ret = 0; /* filled by another fault: the access repeats */

	quire_step("the entry was filled meanwhile: the page is given back");
	if (pte_none(ptep_get(ptep)))
		ret = check_stable_address_space(mm);
	spin_unlock(ptl);
	put_page(mm->q, page);
	return ret;
}

vm_fault_t anon_map_zero_page(struct vm_area_struct *vma, uaddr_t address,
			      pmd_t *pmd, pte_t *ptep)
{
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	vm_fault_t ret = 0;
	spinlock_t *ptl;
	pte_t entry;

	/* a shared mapping whose owner gave it no operations */
	if (unlikely(vma->vm_flags & VM_SHARED))
		return VM_FAULT_SIGBUS;
	entry = pte_mkspecial(
		pfn_pte(page_to_pfn(q, q->zero_page), vma->vm_page_prot));
	ptl = pte_lockptr(q, pmdp_get(pmd));
	spin_lock(ptl);
	if (unlikely(!pte_none(ptep_get(ptep))))
		goto unlock; /* another fault has filled it */
	ret = check_stable_address_space(mm);
	if (unlikely(ret))
		goto unlock;
	set_pte_at(mm, address, ptep, entry);
	update_mmu_cache(vma, address, ptep);
	count_vm_event(q, VM_quire_zero_read);
unlock:
	spin_unlock(ptl);
	return ret;
}

vm_fault_t __cold_path anon_odd_write(struct vm_area_struct *vma,
				      uaddr_t address, pmd_t *pmd, pte_t *ptep)
{
	if (vma->vm_flags & VM_SHARED)
		return VM_FAULT_SIGBUS;
	return anon_write(vma, vma->vm_mm, address, pmdp_get(pmd), ptep, true);
}
