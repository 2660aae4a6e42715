/* SPDX-License-Identifier: MIT */
/*
 * numa.c - hint faults: an entry was made PROT_NONE in a VMA that allows
 * access, only to learn who uses the page (F13).
 *
 *   scanner: entry P -> PROT_NONE      next access: fault -> entry P again
 *
 * The access is restored here.  Where the page should live is a policy's
 * question; with one node, or without a policy, it stays.
 *
 * Locks: mmap_lock for read on entry; the entry's lock around the change.
 */
#include "fault.h"

vm_fault_t do_numa_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	pte_t entry;

	fault_kind(vmf, QF_NUMA);
	vmf->ptl = pte_lockptr(mm->q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (likely(pte_same(ptep_get(vmf->pte), vmf->orig_pte))) {
		quire_step("the access is given back");
		/* the processor does not look at it: no need for an exchange */
		entry = pte_modify(vmf->orig_pte, vma->vm_page_prot);
		set_pte_at(mm, vmf->address, vmf->pte, pte_mkyoung(entry));
		update_mmu_cache(vma, vmf->address, vmf->pte);
	}
	spin_unlock(vmf->ptl);
	return 0;
}
