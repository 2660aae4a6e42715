/* SPDX-License-Identifier: MIT */
/*
 * msync.c - a shared mapping's changes go to its file (M2).
 *
 * Memory without a device has nowhere to go, so private mappings and shared
 * memory are only checked.  A file's pages are marked dirty as they are first
 * written (F8).
 *
 * Locks: mmap_lock for read.
 */
#include "filemap.h"
#include "mm.h"

int quire_msync(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int flags)
{
	struct vm_area_struct *vma;
	int err = 0;
	uaddr_t end;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    !IS_ALIGNED(addr, (uaddr_t)PAGE_SIZE) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	end = addr + PAGE_ALIGN(len);
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	down_read(&mm->mmap_lock);
	for (; addr < end; addr = vma->vm_end) {
		vma = find_vma(mm, addr);
		if (!vma) {
			err = -ENOMEM;
			break;
		}
		if (vma->vm_start > addr) {
			err = -ENOMEM;
			if (flags == MS_ASYNC || vma->vm_start >= end)
				break;
		}
		if ((flags & MS_INVALIDATE) && (vma->vm_flags & VM_LOCKED)) {
			err = -EBUSY;
			break;
		}
	}
	up_read(&mm->mmap_lock);
	return err;
}
