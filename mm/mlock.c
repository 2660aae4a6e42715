/* SPDX-License-Identifier: MIT */
/*
 * mlock.c - memory that must stay (M4, R6): mlock, mlock2, munlock, mlockall.
 *
 *   VM_LOCKED on the VMAs (split and merged), locked_vm counts their pages
 *   against RLIMIT_MEMLOCK, then every page is faulted in with the lock
 *   dropped.  VM_LOCKONFAULT: pages are locked as they come.
 *
 * Locks: mmap_lock for write to mark, for read to populate.
 */
#include "vma.h"

#define LOCKED_MASK (VM_LOCKED | VM_LOCKONFAULT)

/* [start, end) of vma is locked, or not, as `lock` says.  0 or -ENOMEM */
static int mlock_fixup(struct vm_area_struct *vma, uaddr_t start, uaddr_t end,
		       vm_flags_t lock)
{
	struct mm_struct *mm = vma->vm_mm;
	vm_flags_t old = vma->vm_flags, flags = (old & ~LOCKED_MASK) | lock;
	unsigned long pages = (end - start) >> PAGE_SHIFT;

	/* device memory stays anyway */
	if (flags == old || (old & (VM_SPECIAL | VM_HUGETLB)))
		return 0;
	if (!((flags ^ old) & VM_LOCKED))
		return vma_modify(vma, start, end, flags) ? 0 : -ENOMEM;
	/* a VMA of its own, so that flag and pages change at one moment */
	if ((start > vma->vm_start && split_vma(mm, vma, start, true)) ||
	    (end < vma->vm_end && split_vma(mm, vma, end, false)))
		return -ENOMEM;
	vma_change_locked(vma, flags);
	if (flags & VM_LOCKED)
		mm->locked_vm += pages;
	else
		mm->locked_vm -= pages;
	/* with its neighbours, if it can be */
	(void)vma_modify(vma, start, end, flags);
	return 0;
}

/* A hole ends it with -ENOMEM; what came before is done. */
static int apply_vma_lock_flags(struct mm_struct *mm, uaddr_t start,
				uaddr_t len, vm_flags_t lock)
{
	struct vm_area_struct *vma;
	uaddr_t end = start + len, to;
	int err;

	if (end < start)
		return -EINVAL;
	for (; start < end; start = to) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start > start)
			return -ENOMEM;
		to = MIN(end, vma->vm_end);
		err = mlock_fixup(vma, start, to, lock);
		if (err)
			return err;
	}
	return 0;
}

/* Pages of the range that are locked already, and so are counted already. */
static uint64_t count_mlocked(struct mm_struct *mm, uaddr_t start, uaddr_t len)
{
	struct vm_area_struct *vma;
	uaddr_t end = start + len < start ? ~(uaddr_t)0 : start + len;
	uint64_t n = 0;

	for (vma = find_vma(mm, start); vma && vma->vm_start < end;
	     vma = vma_next(vma))
		if (vma->vm_flags & VM_LOCKED)
			n += (MIN(end, vma->vm_end) -
			      MAX(start, vma->vm_start)) >>
			     PAGE_SHIFT;
	return n;
}

static bool mlock_over_limit(struct mm_struct *mm, uaddr_t start, uaddr_t len)
{
	const struct quire_task *task = quire_host_current();
	uint64_t limit = rlimit_of(QUIRE_RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	uint64_t locked = mm->locked_vm + (len >> PAGE_SHIFT);

	if (locked <= limit || (task && task->cap_ipc_lock))
		return false;
	return locked - count_mlocked(mm, start, len) > limit;
}

int quire_mlock(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int flags)
{
	vm_flags_t lock = VM_LOCKED;
	uaddr_t start = addr & PAGE_MASK;
	int err;

	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	if (flags & MLOCK_ONFAULT)
		lock |= VM_LOCKONFAULT;
	if (!can_do_mlock())
		return -EPERM;
	len = PAGE_ALIGN(len + (addr - start));
	err = down_write_killable(&mm->mmap_lock);
	if (err)
		return err;
	err = -ENOMEM;
	if (!mlock_over_limit(mm, start, len))
		err = apply_vma_lock_flags(mm, start, len, lock);
	up_write(&mm->mmap_lock);
	if (err)
		return err;
	err = __mm_populate(mm, start, len, 0, false);
	/* POSIX: what cannot be locked is ENOMEM, a shortage EAGAIN */
	if (err == -EFAULT)
		return -ENOMEM;
	return err == -ENOMEM ? -EAGAIN : err;
}

int quire_munlock(struct mm_struct *mm, uaddr_t addr, uaddr_t len)
{
	uaddr_t start = addr & PAGE_MASK;
	int err = down_write_killable(&mm->mmap_lock);

	if (err)
		return err;
	len = PAGE_ALIGN(len + (addr - start));
	err = apply_vma_lock_flags(mm, start, len, 0);
	up_write(&mm->mmap_lock);
	return err;
}

/* mlockall's flags, or none for munlockall; refusals of one VMA are passed. */
static void apply_mlockall_flags(struct mm_struct *mm, int flags)
{
	vm_flags_t lock = VM_LOCKED;
	struct vm_area_struct *vma;
	uaddr_t addr, end;

	if (flags & MCL_ONFAULT)
		lock |= VM_LOCKONFAULT;
	mm->def_flags &= ~LOCKED_MASK;
	if (flags & MCL_FUTURE) {
		mm->def_flags |= lock;
		if (!(flags & MCL_CURRENT))
			return;
	}
	if (!(flags & MCL_CURRENT))
		lock = 0;
	/* by address: a VMA may become part of another under way */
	for (addr = 0; (vma = find_vma(mm, addr)); addr = end) {
		end = vma->vm_end;
		(void)mlock_fixup(vma, vma->vm_start, end, lock);
	}
}

int quire_mlockall(struct mm_struct *mm, int flags)
{
	const struct quire_task *task = quire_host_current();
	int err;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	if (!can_do_mlock())
		return -EPERM;
	err = down_write_killable(&mm->mmap_lock);
	if (err)
		return err;
	if (!(flags & MCL_CURRENT) ||
	    mm->total_vm <= rlimit_of(QUIRE_RLIMIT_MEMLOCK) >> PAGE_SHIFT ||
	    (task && task->cap_ipc_lock))
		apply_mlockall_flags(mm, flags);
	else
		err = -ENOMEM;
	up_write(&mm->mmap_lock);
	if (!err && (flags & MCL_CURRENT))
		mm_populate(mm, 0, mm->task_size);
	return err;
}

int quire_munlockall(struct mm_struct *mm)
{
	int err = down_write_killable(&mm->mmap_lock);

	if (err)
		return err;
	apply_mlockall_flags(mm, 0);
	up_write(&mm->mmap_lock);
	return 0;
}
