/* SPDX-License-Identifier: MIT */
/*
 * swap_fault.c - an entry that is neither empty nor present (F11).
 *
 * Such an entry names a slot of a swap device or one of its kin.  No swap area
 * can be added to this system yet, so no entry of this sort is a right one:
 * something wrote over the table.  It is reported, and the access gets SIGBUS.
 *
 * Locks: mmap_lock for read on entry; the entry's lock for the second look.
 */
#include "special.h"

void print_bad_pte(struct vm_area_struct *vma, uaddr_t addr, pte_t pte,
		   struct page *page)
{
	quire_printk(1, "BUG: bad page table entry in mm %u: pte %llx",
		     vma->vm_mm->id, (unsigned long long)pte_val(pte));
	quire_printk(1,
		     "  addr %llx vm_start %llx vm_flags %llx anon_vma %p "
		     "pgoff %llx",
		     (unsigned long long)addr,
		     (unsigned long long)vma->vm_start,
		     (unsigned long long)vma->vm_flags, (void *)vma->anon_vma,
		     (unsigned long long)linear_page_index(vma, addr));
	if (page)
		quire_printk(1, "  page flags %x refcount %u mapcount %u",
			     READ_ONCE(page->flags), page_count(page),
			     page_mapcount(page));
}

vm_fault_t do_swap_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	swp_entry_t entry = pte_to_swp_entry(vmf->orig_pte);
	bool same;

	fault_kind(vmf, QF_SWAP);
	if (!swap_entry_is_slot(entry))
		return do_special_entry(vmf, entry);
	vmf->ptl = pte_lockptr(vma->vm_mm->q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	same = pte_same(ptep_get(vmf->pte), vmf->orig_pte);
	spin_unlock(vmf->ptl);
	if (!same)
		return 0;
	quire_step("no swap device wrote this entry: it is bad");
	print_bad_pte(vma, vmf->address, vmf->orig_pte, NULL);
	return VM_FAULT_SIGBUS;
}
