/* SPDX-License-Identifier: MIT */
/*
 * msync.c - a shared mapping's changes go to its file (M2).
 *
 *   MS_SYNC         the range of each shared file mapping, as fdatasync(2)
 *                   would: written, waited for, made safe; errors are told
 *   MS_ASYNC        nothing to do: the pages are known to be dirty since they
 *                   were first written to (F8), and are written in time
 *   MS_INVALIDATE   nothing either: all mappings of a file share its cache;
 *                   but locked memory refuses
 *
 * Private mappings and memory without a device are only checked.
 *
 * Locks: mmap_lock for read, dropped while a file is written; the file is kept
 * by a reference meanwhile, the map may be another afterwards.
 */
#include "mm.h"

/*
 * Write what vma, which holds addr, maps of [addr, end).  The mmap_lock is
 * released.  0 or the file's error.
 */
static int sync_and_unlock(struct mm_struct *mm, struct vm_area_struct *vma,
			   uaddr_t addr, uaddr_t end)
{
	struct quire_file *file = vma->vm_file;
	uint64_t first = linear_page_index(vma, addr) << PAGE_SHIFT;
	uint64_t bytes = MIN(end, vma->vm_end) - addr;
	int err;

	file->ops->get(file);
	up_read(&mm->mmap_lock);
	err = quire_file_fsync(file, first, first + bytes - 1, true);
	file->ops->put(file);
	return err;
}

/* [addr, end), not empty. */
static int msync_range(struct mm_struct *mm, uaddr_t addr, uaddr_t end,
		       int flags)
{
	struct vm_area_struct *vma;
	int err = 0, failed;
	uaddr_t next;

	down_read(&mm->mmap_lock);
	for (; addr < end; addr = next) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start >= end) {
			err = -ENOMEM;
			break;
		}
		if (vma->vm_start > addr) {
			err = -ENOMEM; /* told when the rest is done */
			if (flags == MS_ASYNC)
				break;
			addr = vma->vm_start;
		}
		next = vma->vm_end;
		if ((flags & MS_INVALIDATE) && (vma->vm_flags & VM_LOCKED)) {
			err = -EBUSY;
			break;
		}
		if (!(flags & MS_SYNC) || !vma->vm_file ||
		    !(vma->vm_flags & VM_SHARED))
			continue;
		failed = sync_and_unlock(mm, vma, addr, end);
		if (failed || next >= end)
			return failed ? failed : err;
		down_read(&mm->mmap_lock);
	}
	up_read(&mm->mmap_lock);
	return err;
}

int quire_msync(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int flags)
{
	uaddr_t end;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    !IS_ALIGNED(addr, (uaddr_t)PAGE_SIZE) ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	end = addr + PAGE_ALIGN(len);
	if (end < addr)
		return -ENOMEM;
	return end == addr ? 0 : msync_range(mm, addr, end, flags);
}
