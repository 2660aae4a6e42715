/* SPDX-License-Identifier: MIT */
/*
 * fault.c - a page fault, from "this VMA, this address" to the phase that
 * answers it.  This file only dispatches; the answers are one file a kind.
 *
 * HOW A FAULT GETS HERE
 *
 *   processor -> page_fault stub -> do_page_fault      arch/x86/fault.c
 *     find the VMA (the stack may grow), check the access against it
 *   get_user_pages, populate                           mm/gup.c
 *        |
 *   handle_mm_fault      counts the fault once, when it is complete
 *     __handle_mm_fault  walks pgd, p4d, pud, pmd; allocates what is absent
 *       handle_pte_fault looks at the entry, with no lock yet:
 *
 *          entry                      phase                 file
 *          ------------------------   -------------------   --------------
 *          none, anonymous VMA        do_anonymous_page     anonymous.c
 *             read                      the shared zero page, read-only
 *             write                     a fresh zeroed page
 *          none, file or shmem VMA    do_fault              file_fault.c
 *             read                      do_read_fault:   cache page, as is
 *             write, private            do_cow_fault:    a copy of it
 *             write, shared             do_shared_fault: it, made dirty
 *          not present                do_swap_page          swap_fault.c
 *          PROT_NONE in a VMA that
 *             allows access           do_numa_page          numa.c
 *          present, write, read-only  do_wp_page            wp.c
 *             anonymous, ours alone     wp_page_reuse:   made writable
 *             shared and writable       wp_page_shared:  made writable, dirty
 *             else                      wp_page_copy:    a copy of it
 *          present, access allowed    young / dirty set; or the fault was
 *                                     spurious: this CPU's TLB was stale
 *
 * HOW THE PHASES STAY RIGHT
 *
 * The entry is read first without its lock.  A phase does what may sleep
 * (allocate, read the file), then takes the lock, and reads the entry again:
 * if it is not what it was (P6), another fault has been here; this one gives
 * back all that it has and returns 0, and the access is simply repeated.
 * Each phase therefore either installs exactly one entry, with its reference,
 * reverse map and counters, or changes nothing.
 *
 * LOCK ORDER (outermost first)
 *
 *   mmap_lock               read for the whole fault; the map does not change
 *     VMA lock              (per-VMA locks: laid out, not used yet)
 *       i_mmap / anon_vma   who maps this page
 *         page lock         I/O and truncation are held off
 *           page-table lock upper levels: mm->page_table_lock
 *                           entries: the table page's own lock (split)
 *             LRU | swap | cache tree
 *               slab | zone (page allocator)
 *
 * Nothing sleeps under a page-table lock.  Nothing under it is allocated.
 *
 * RESULTS are VM_FAULT_*: 0, a modifier (MAJOR), or an error that do_page_fault
 * turns into a signal.  After RETRY or COMPLETED the mmap_lock is no longer
 * held; in all other cases it still is.
 */
#include "fault.h"

/*
 * The entry is there and not a case of its own, or the write needs a new page.
 * Everything from here on is under the entry's lock.
 */
static __always_inline vm_fault_t handle_present_pte(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	pte_t entry = vmf->orig_pte;
	bool write = (vmf->flags & FAULT_FLAG_WRITE) != 0;

	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (unlikely(!pte_same(ptep_get(vmf->pte), entry)))
		goto unlock; /* somebody was faster: look again */
	if (write) {
		if (!pte_write(entry))
			return do_wp_page(vmf);
		entry = pte_mkdirty(entry);
	}
	entry = pte_mkyoung(entry);
	if (ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, write)) {
		update_mmu_cache(vma, vmf->address, vmf->pte);
	} else {
		flush_tlb_fix_spurious_fault(vma, vmf->address);
		count_vm_event(q, VM_quire_spurious);
	}
	vmf->kind = QF_SPURIOUS;
unlock:
	spin_unlock(vmf->ptl);
	return 0;
}

/* F3: by what the entry says.  vmf->pmd is set; no page-table lock held. */
static __always_inline vm_fault_t handle_pte_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	pmd_t pmd = pmdp_get(vmf->pmd);

	if (unlikely(pmd_none(pmd))) {
		vmf->pte = NULL; /* the phase makes the table */
	} else {
		vmf->pte = pte_offset(q, pmd, vmf->address);
		vmf->orig_pte = ptep_get(vmf->pte);
	}
	if (!vmf->pte || pte_none(vmf->orig_pte)) {
		if (likely(vma_is_anonymous(vma)))
			return do_anonymous_page(vmf);
		return do_fault(vmf);
	}
	if (unlikely(!pte_present(vmf->orig_pte)))
		return do_swap_page(vmf);
	if (unlikely(pte_protnone(vmf->orig_pte)) &&
	    (vma->vm_flags & VM_ACCESS_FLAGS))
		return do_numa_page(vmf);
	return handle_present_pte(vmf);
}

/*
 * F2: down to the lowest level's table.  No level here holds a large page yet;
 * where huge pages come in, they are tried between the steps.
 */
static __always_inline vm_fault_t __handle_mm_fault(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	uaddr_t address = vmf->address;
	p4d_t *p4d;

	p4d = p4d_alloc(mm, pgd_offset(mm, address), address);
	if (unlikely(!p4d))
		return VM_FAULT_OOM;
	vmf->pud = pud_alloc(mm, p4d, address);
	if (unlikely(!vmf->pud))
		return VM_FAULT_OOM;
	vmf->pmd = pmd_alloc(mm, vmf->pud, address);
	if (unlikely(!vmf->pmd))
		return VM_FAULT_OOM;
	return handle_pte_fault(vmf);
}

/*
 * E8: once a fault, when it is complete.  One that had to be tried again
 * waited for something, even if the second try found everything in place.
 */
static __always_inline void mm_account_fault(struct quire *q, vm_fault_t ret,
					     unsigned flags)
{
	struct quire_task *task = quire_host_current();

	if (unlikely(ret & VM_FAULT_RETRY))
		return;
	count_vm_event(q, VM_pgfault);
	if (unlikely(ret & VM_FAULT_ERROR))
		return;
	if (unlikely((ret & VM_FAULT_MAJOR) || (flags & FAULT_FLAG_TRIED))) {
		task->maj_flt++;
		count_vm_event(q, VM_pgmajfault);
	} else {
		task->min_flt++;
	}
}

vm_fault_t handle_mm_fault(struct vm_area_struct *vma, uaddr_t address,
			   unsigned flags, uint8_t *kind)
{
	struct quire *q = vma->vm_mm->q;
	struct vm_fault vmf; /* each phase sets what it needs: no memset */
	vm_fault_t ret;

	might_sleep();
	vmf.vma = vma;
	vmf.real_address = address;
	vmf.address = address & PAGE_MASK;
	vmf.flags = flags;
	vmf.kind = QF_NONE;
	if (likely(arch_vma_access_permitted(vma, flags)))
		ret = __handle_mm_fault(&vmf);
	else
		ret = VM_FAULT_SIGSEGV;
	if (kind)
		*kind = vmf.kind;
	mm_account_fault(q, ret, flags);
	return ret;
}
