/* SPDX-License-Identifier: MIT */
/*
 * stack.c - mappings that grow down (E6).
 *
 *      what is below |  ...guard gap...  | new start <- old start | stack |
 *
 * An access below such a VMA makes it reach down to the page accessed, if
 * RLIMIT_STACK (the size of the one VMA), the limits of the address space and
 * the overcommit policy allow it, and if the gap to the mapping below stays:
 * a stack that runs over shall fault, not write into what lies there.  A
 * mapping below that allows no access, or is a stack itself, needs no gap.
 *
 * Locks: mmap_lock for write.
 */
#include "rmap.h"
#include "vma.h"

int quire_mm_stack(struct mm_struct *mm, uaddr_t top, uaddr_t size,
		   unsigned prot)
{
	vm_flags_t flags = calc_vm_prot_bits(prot) | VM_MAYREAD | VM_MAYWRITE |
			   VM_MAYEXEC | VM_GROWSDOWN | VM_ACCOUNT |
			   VM_SOFTDIRTY | mm->def_flags;
	unsigned long pages = size >> PAGE_SHIFT;
	struct vm_area_struct *vma;
	int err;

	if (!size || !IS_ALIGNED(top | size, (uaddr_t)PAGE_SIZE) ||
	    top > mm->task_size || size > top)
		return -EINVAL;
	err = down_write_killable(&mm->mmap_lock);
	if (err)
		return err;
	err = -ENOMEM;
	if (find_vma_intersection(mm, top - size, top) ||
	    !may_expand_vm(mm, flags, pages) || vma_tree_reserve(mm, 1) ||
	    security_vm_enough_memory(mm, (long)pages))
		goto unlock;
	vma = vm_area_alloc(mm);
	if (!vma) {
		vm_unacct_memory(mm->q, (long)pages);
		goto unlock;
	}
	vma->vm_start = top - size;
	vma->vm_end = top;
	vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	vma_change_flags(vma, flags);
	vma_link(mm, vma);
	vm_stat_account(mm, flags, (long)pages);
	if (flags & VM_LOCKED)
		mm->locked_vm += pages;
	err = 0;
unlock:
	up_write(&mm->mmap_lock);
	return err;
}

static bool guard_gap_ok(struct vm_area_struct *vma, uaddr_t addr)
{
	struct vm_area_struct *prev = vma_prev(vma);
	uaddr_t gap = (uaddr_t)vma->vm_mm->q->config.stack_guard_gap
		      << PAGE_SHIFT;

	if (!prev || (prev->vm_flags & VM_GROWSDOWN) ||
	    !(prev->vm_flags & VM_ACCESS_FLAGS))
		return true;
	return addr - prev->vm_end >= gap;
}

int expand_stack(struct vm_area_struct *vma, uaddr_t addr)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long pages;
	int err;

	addr &= PAGE_MASK;
	if (addr >= vma->vm_start)
		return 0; /* someone else was faster */
	if (!(vma->vm_flags & VM_GROWSDOWN) ||
	    addr < MAX((uaddr_t)PAGE_SIZE, mm->q->config.mmap_min_addr) ||
	    !guard_gap_ok(vma, addr)) {
		quire_step("too low, or too near to the mapping below");
		return -ENOMEM;
	}
	/* its pages keep their index: what grows must have a family to be in */
	err = anon_vma_prepare(vma);
	if (err)
		return err;
	pages = (vma->vm_start - addr) >> PAGE_SHIFT;
	if (pages > vma->vm_pgoff ||
	    vma->vm_end - addr > rlimit_of(QUIRE_RLIMIT_STACK) ||
	    !may_expand_vm(mm, vma->vm_flags, pages) ||
	    !mlock_future_ok(mm, vma->vm_flags, vma->vm_start - addr)) {
		quire_step("it would be larger than the task's limits allow");
		return -ENOMEM;
	}
	if ((vma->vm_flags & VM_ACCOUNT) &&
	    security_vm_enough_memory(mm, (long)pages))
		return -ENOMEM;
	if (vma->vm_flags & VM_LOCKED)
		mm->locked_vm += pages;
	vm_stat_account(mm, vma->vm_flags, (long)pages);
	vma_set_extent(vma, addr, vma->vm_end, vma->vm_pgoff - pages);
	return 0;
}
