/* SPDX-License-Identifier: MIT */
/*
 * anonymous.h - the first touch of private memory that no file backs (F4).
 *
 *   read    entry -> the zero page, read-only and special: it has no reverse
 *           map, is counted nowhere, and the first write makes a copy (wp.c)
 *   write   entry -> a fresh zeroed page, dirty and writable, known to the
 *           VMA's anon_vma and to the LRU
 *
 * The first write is what faults are most often about, so it is here in line:
 * it becomes part of handle_user_fault().  The rest is in mm/anonymous.c.
 *
 * Locks: mmap_lock for read on entry.  All that can fail or sleep (table,
 * anon_vma, page) comes before the entry's lock.
 */
#ifndef QUIRE_MM_ANONYMOUS_H
#define QUIRE_MM_ANONYMOUS_H

#include "fault.h"
#include "rmap.h"

/* mm/anonymous.c: the cases that are not the first write; the table is there */
vm_fault_t anon_map_zero_page(struct vm_fault *vmf);
/* vmf->pte from a table made now. 0 or VM_FAULT_OOM. May sleep. */
vm_fault_t anon_make_table(struct vm_fault *vmf);
/* The entry was filled by another fault, or may not be: vmf->ptl is held. */
vm_fault_t anon_give_up(struct vm_fault *vmf, struct page *page);

static __always_inline vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	struct quire_cpu *c;
	struct page *page;
	spinlock_t *ptl;
	uint64_t pfn;
	pte_t entry;

	/* a shared mapping whose owner gave it no operations */
	if (unlikely(vma->vm_flags & VM_SHARED))
		return VM_FAULT_SIGBUS;
	if (unlikely(!vmf->pte) && anon_make_table(vmf))
		return VM_FAULT_OOM;
	if (unlikely(!(vmf->flags & FAULT_FLAG_WRITE))) {
		quire_step("only read: the zero page will do");
		return anon_map_zero_page(vmf);
	}
	quire_step("written: a zeroed page of its own");
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

	ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	vmf->ptl = ptl;
	spin_lock(ptl);
	if (unlikely(!pte_none(ptep_get(vmf->pte)) ||
		     READ_ONCE(mm->oom_reaped)))
		return anon_give_up(vmf, page);
	c = this_cpu(q);
	add_new_anon_page(vma, page, vmf->address, c);
	cpu_count(c, VM_quire_anon_write, 1);
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
	spin_unlock(ptl);
	return 0;
}

#endif
