/* SPDX-License-Identifier: MIT */
/*
 * fault.c - a page fault, from "this VMA, this address" to the phase that
 * answers it.  This file only dispatches; the answers are one file a kind.
 *
 * HOW A FAULT GETS HERE
 *
 *   processor -> page_fault stub -> do_page_fault      arch/x86/fault.c
 *        |                          decodes the exception
 *   handle_user_fault    finds the VMA (the stack may grow), checks the access
 *        |               against it, tries again after RETRY
 *        |     get_user_pages, populate                mm/gup.c
 *        |        |
 *   handle_mm_fault      counts the fault once, when it is complete
 *     __handle_mm_fault  walks pgd, p4d, pud, pmd; allocates what is absent
 *       handle_pte_fault looks at the entry, with no lock yet:
 *
 *          entry                      phase                 file
 *          ------------------------   -------------------   --------------
 *          none, anonymous VMA        do_anonymous_page     anonymous.[ch]
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
 *       frames_lock         a device's frames, DAX blocks stay (device.h)
 *         page lock         I/O and truncation are held off
 *           i_mmap / anon_vma   who maps this page
 *             page-table lock   upper levels: mm->page_table_lock
 *                               entries: the table page's own lock (split)
 *               LRU | swap | cache tree
 *                 slab | zone (page allocator)
 *
 * Nothing sleeps under a page-table lock.  Nothing under it is allocated.
 *
 * RESULTS are VM_FAULT_*: 0, a modifier (MAJOR), or an error that do_page_fault
 * turns into a signal.  After RETRY or COMPLETED the mmap_lock is no longer
 * held; in all other cases it still is.
 *
 * COST.  handle_user_fault down to the phase is one function once inlined, and
 * a private page's first write goes through it, do_anonymous_page and the
 * locked instructions of mmap_lock, page-table lock and LRU batch, no more.
 * What is rare is kept out of line, so that it costs the rest no registers.
 */
#include "anonymous.h"

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
	if (unlikely(!pte_same(ptep_get(vmf->pte), entry))) {
		quire_step("another fault has changed the entry: look again");
		goto unlock;
	}
	if (write) {
		if (!pte_write(entry)) {
			quire_step("present, but not writable: copy or reuse");
			return do_wp_page(vmf);
		}
		entry = pte_mkdirty(entry);
	}
	entry = pte_mkyoung(entry);
	if (ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, write)) {
		quire_step("the access is allowed: marked young, or dirty");
		update_mmu_cache(vma, vmf->address, vmf->pte);
		fault_kind(vmf, QF_YOUNG_DIRTY);
	} else {
		quire_step("the entry allowed it all along: the TLB was old");
		flush_tlb_fix_spurious_fault(vma, vmf->address);
		count_vm_event(q, VM_quire_spurious);
		fault_kind(vmf, QF_SPURIOUS);
	}
unlock:
	spin_unlock(vmf->ptl);
	return 0;
}

/*
 * F3: by what the entry says.  pmd: where its table is, or is to be; address as
 * the processor gave it.  No page-table lock held.
 */
static __always_inline vm_fault_t handle_pte_fault(struct vm_area_struct *vma,
						   struct mm_struct *mm,
						   uaddr_t address,
						   unsigned flags, pmd_t *pmd,
						   uint8_t *kind)
{
	struct vm_fault vmf; /* each phase sets what it needs: no memset */
	pmd_t table = pmdp_get(pmd);
	pte_t *ptep = NULL; /* of a missing table: the phase makes it */
	pte_t entry = {0};
	vm_fault_t ret;

	if (likely(!pmd_none(table))) {
		ptep = pte_offset(mm->q, table, address);
		entry = ptep_get(ptep);
	}
	if (pte_none(entry) && likely(vma_is_anonymous(vma))) {
		quire_step("nothing there yet, anonymous memory");
		return do_anonymous_page(vma, mm, address & PAGE_MASK, flags,
					 pmd, table, ptep, kind);
	}
	vmf.vma = vma;
	vmf.address = address & PAGE_MASK;
	vmf.real_address = address;
	vmf.flags = flags;
	vmf.pmd = pmd;
	vmf.pte = ptep;
	vmf.orig_pte = entry;
	fault_kind(&vmf, QF_NONE);
	if (pte_none(entry)) {
		quire_step("nothing there yet, memory with an owner");
		ret = do_fault(&vmf);
	} else if (unlikely(!pte_present(entry))) {
		quire_step("not present, but not empty: swapped out");
		ret = do_swap_page(&vmf);
	} else if (unlikely(pte_protnone(entry)) &&
		   (vma->vm_flags & VM_ACCESS_FLAGS)) {
		quire_step("PROT_NONE where access is allowed: a hint");
		ret = do_numa_page(&vmf);
	} else {
		ret = handle_present_pte(&vmf);
	}
	note_fault_kind(kind, fault_kind_of(&vmf));
	return ret;
}

/*
 * F2: down to the lowest level's table, which the phase makes itself if it is
 * absent.  No level here holds a large page yet; where huge pages come in,
 * they are tried between the steps.
 */
static __cold_path pmd_t *fault_alloc_pmd(struct mm_struct *mm, uaddr_t address)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, address), address);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, address) : NULL;

	return pud ? pmd_alloc(mm, pud, address) : NULL;
}

static __always_inline vm_fault_t __handle_mm_fault(struct vm_area_struct *vma,
						    struct mm_struct *mm,
						    uaddr_t address,
						    unsigned flags,
						    uint8_t *kind)
{
	pmd_t *pmd = walk_to_pmd(mm, address);

	if (unlikely(!pmd)) {
		quire_step("an upper table is absent: it is made");
		pmd = fault_alloc_pmd(mm, address);
		if (!pmd)
			return VM_FAULT_OOM;
	}
	return handle_pte_fault(vma, mm, address, flags, pmd, kind);
}

/* The fault was not a plain minor one. */
static __cold_path void account_slow(struct quire_task *task, vm_fault_t ret,
				     unsigned flags, uaddr_t address)
{
	struct quire *q = task->q;

	if (ret & VM_FAULT_RETRY)
		return;
	count_vm_event(q, VM_pgfault);
	if (ret & VM_FAULT_ERROR)
		return;
	if ((ret & VM_FAULT_MAJOR) || (flags & FAULT_FLAG_TRIED) ||
	    (unlikely(task->nowait) && fault_has_waited(task, address))) {
		task->maj_flt++;
		count_vm_event(q, VM_pgmajfault);
	} else {
		task->min_flt++;
	}
}

/* With a result: that of a file's page is LOCKED, or NOPAGE, and no more. */
static __noinline void account_result(struct quire_task *task, vm_fault_t ret,
				      unsigned flags, uaddr_t address)
{
	const vm_fault_t slow =
		VM_FAULT_RETRY | VM_FAULT_ERROR | VM_FAULT_MAJOR;

	if (unlikely((ret & slow) | (flags & FAULT_FLAG_TRIED) |
		     task->nowait)) {
		account_slow(task, ret, flags, address);
		return;
	}
	count_vm_event(task->q, VM_pgfault);
	task->min_flt++;
}

/*
 * E8: once a fault, when it is complete.  One that had to be tried again
 * waited for something, even if the second try found everything in place.
 */
static __always_inline void mm_account_fault(struct quire_task *task,
					     vm_fault_t ret, unsigned flags,
					     uaddr_t address)
{
	if (unlikely(ret | (flags & FAULT_FLAG_TRIED))) {
		account_result(task, ret, flags, address);
		return;
	}
	count_vm_event(task->q, VM_pgfault);
	task->min_flt++;
}

static __always_inline vm_fault_t __fault_in_vma(struct quire_task *task,
						 struct vm_area_struct *vma,
						 struct mm_struct *mm,
						 uaddr_t address,
						 unsigned flags, uint8_t *kind)
{
	vm_fault_t ret = VM_FAULT_SIGSEGV;

	might_sleep();
	*kind = QF_NONE;
	if (likely(arch_vma_access_permitted(vma, flags)))
		ret = __handle_mm_fault(vma, mm, address, flags, kind);
	mm_account_fault(task, ret, flags, address);
	return ret;
}

vm_fault_t handle_mm_fault(struct vm_area_struct *vma, uaddr_t address,
			   unsigned flags, uint8_t *kind)
{
	uint8_t unused;

	return __fault_in_vma(quire_host_current(), vma, vma->vm_mm, address,
			      flags, kind ? kind : &unused);
}

/* ------------------------------------------- from an address to its VMA */

/*
 * The mmap_lock for read.  Taken at once nearly always.  A bug in kernel mode
 * must not wait for it: maybe this task itself holds it.
 */
static __cold_path int lock_mm_slow(struct mm_struct *mm, unsigned flags,
				    const struct pt_regs *regs)
{
	if (!(flags & FAULT_FLAG_USER) && !quire_host_has_fixup(regs))
		return -EFAULT;
	return down_read_killable(&mm->mmap_lock);
}

/*
 * Below a growing VMA: the stack grows to the address if it may.  That changes
 * the map, so the lock is retaken for write and the VMA looked up again.
 * Returns it with the lock held for read; NULL and no lock when it may not.
 */
static __cold_path struct vm_area_struct *grow_stack(struct mm_struct *mm,
						     uaddr_t address,
						     unsigned flags,
						     const struct pt_regs *regs)
{
	struct vm_area_struct *vma;

	up_read(&mm->mmap_lock);
	if (!(flags & FAULT_FLAG_USER) && !quire_host_has_fixup(regs))
		return NULL;
	quire_step("below a stack: it may grow, with the lock held for write");
	if (down_write_killable(&mm->mmap_lock))
		return NULL;
	vma = find_vma(mm, address);
	if (vma && vma->vm_start > address &&
	    (!(vma->vm_flags & VM_GROWSDOWN) || expand_stack(vma, address)))
		vma = NULL;
	if (!vma) {
		quire_step("it may not grow there");
		up_write(&mm->mmap_lock);
		return NULL;
	}
	quire_step("the stack has grown to the address");
	count_vm_event(mm->q, VM_quire_stack_growth);
	downgrade_write(&mm->mmap_lock);
	return vma;
}

/*
 * The VMA that the address is in, found past the task's cache; the stack may
 * grow.  NULL: there is none; the mmap_lock is released then.
 */
static __attribute__((noinline)) struct vm_area_struct *
find_vma_slow(struct quire_task *task, struct mm_struct *mm, uaddr_t address,
	      unsigned flags, const struct pt_regs *regs, uint8_t *kind)
{
	struct vm_area_struct *vma = find_vma(mm, address);

	if (unlikely(!vma))
		goto unlock;
	task->vma_cache = vma;
	task->vma_cache_seq = mm->seqnum;
	if (likely(vma->vm_start <= address))
		return vma;
	if (vma->vm_flags & VM_GROWSDOWN) {
		*kind = QF_STACK_GROWTH;
		return grow_stack(mm, address, flags, regs);
	}
unlock:
	quire_step("no mapping holds the address");
	up_read(&mm->mmap_lock);
	return NULL;
}

vm_fault_t handle_user_fault(struct quire_task *task, struct pt_regs *regs,
			     unsigned long error, uaddr_t address,
			     unsigned flags)
{
	struct mm_struct *mm = task->mm;
	uint8_t kind, grown = QF_NONE;
	struct vm_area_struct *vma;
	vm_fault_t ret;

retry:
	if (unlikely(!down_read_trylock(&mm->mmap_lock)) &&
	    lock_mm_slow(mm, flags, regs))
		goto no_vma;
	vma = task->vma_cache;
	/* seqnums start apart for each mm, and move when a VMA may be freed */
	if (unlikely(task->vma_cache_seq != mm->seqnum) ||
	    unlikely(address - vma->vm_start >= vma->vm_end - vma->vm_start)) {
		vma = find_vma_slow(task, mm, address, flags, regs, &grown);
		if (unlikely(!vma))
			goto no_vma;
	} else {
		quire_step("the mapping is the one of the task's last fault");
	}
	ret = VM_FAULT_BADACCESS;
	if (unlikely(!(vma->vm_flags & (flags >> FAULT_NEED_SHIFT)))) {
		quire_step("the mapping does not allow this access");
		goto unlock;
	}
	ret = __fault_in_vma(task, vma, mm, address, flags, &kind);
	ret |= fault_kind_bits(grown ? grown : kind) | fault_major_bit(flags);
	if (unlikely(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))) {
		/* the lock is released already */
		if (!(ret & VM_FAULT_RETRY) || task->nowait)
			return ret; /* the access will be repeated */
		quire_step("the lock was let go of meanwhile: all over again");
		count_vm_event(mm->q, VM_quire_fault_retry);
		if (quire_host_fatal_signal_pending(task))
			goto failed;
		flags |= FAULT_FLAG_TRIED;
		goto retry;
	}
unlock:
	up_read(&mm->mmap_lock);
	if (likely(!(ret & (VM_FAULT_ERROR | VM_FAULT_BADACCESS))))
		return ret;
failed:
	return user_fault_failed(task, regs, error, address, flags, ret);
no_vma:
	ret = VM_FAULT_BADMAP;
	goto failed;
}
