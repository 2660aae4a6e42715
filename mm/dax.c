/* SPDX-License-Identifier: MIT */
/*
 * dax.c - files whose device is memory: mapped, read and written as it is, with
 * no page of a cache between (C6, DAX).
 *
 *   aops->direct_access(index)      -> a frame, or a hole
 *      mapped, read                    its entry, read-only; a hole: the zero
 *                                      page
 *      mapped, written, shared         direct_access(write): a block where none
 *                                      was; its entry, writable
 *      mapped, written, private        a copy, at once
 *      read(), write()                 copied from and to the memory
 *
 * A hole that gets a block.  Mappings may have the zero page there: they lose
 * it (and find the block by their next fault) before the block's own entry
 * appears, and nobody puts it in anew meanwhile: frames_lock is held for write.
 *
 * Truncation and punching take blocks away.  The file system makes
 * direct_access() forget them; then, under frames_lock for write, all entries
 * go; a fault that was given the block before has put its entry in by then.
 *
 * There is nothing to write back: what a mapping stores is in the file.  fsync
 * goes to the file's own ops->fsync.
 *
 * Locks: mmap_lock, frames_lock, i_mmap_lock, the entry's lock.
 */
#include "device.h"
#include "gather.h"

static bool is_hole(const struct quire_frame *f)
{
	return f->phys == QUIRE_NO_FRAME;
}

static int access_block(struct address_space *as, uint64_t index, bool write,
			struct quire_frame *f)
{
	*f = (struct quire_frame){.phys = QUIRE_NO_FRAME};
	return as->aops->direct_access(as, index, write, f);
}

static char *block_address(struct address_space *as,
			   const struct quire_frame *f)
{
	return as->aops->direct_address(as, f->phys);
}

/* The file has a page of that index. */
static bool within_file(struct address_space *as, uint64_t index)
{
	uint64_t size = quire_mapping_get_size(as);

	return size && index <= (size - 1) >> PAGE_SHIFT;
}

/*
 * The block of `index`, to be written: made where there is none, after which
 * nobody has the zero page in its place.  frames_lock held for read, on return
 * too.  0 or -errno; -ENOENT: the file has become shorter.
 */
static int block_for_write(struct address_space *as, uint64_t index,
			   struct quire_frame *f)
{
	int err = access_block(as, index, false, f);

	if (!err && !is_hole(f))
		return access_block(as, index, true, f);
	if (err)
		return err;
	quire_step(
		"a hole: it gets a block, and nobody its zero page any more");
	up_read(&as->frames_lock);
	down_write(&as->frames_lock);
	err = within_file(as, index) ? access_block(as, index, true, f)
				     : -ENOENT;
	if (!err)
		unmap_mapping_range(as, index, index, false);
	downgrade_write(&as->frames_lock);
	return err;
}

static vm_fault_t map_block(struct vm_fault *vmf, const struct quire_frame *f,
			    bool write)
{
	struct address_space *as = vmf->vma->vm_mapping;
	struct quire *q = as->q;
	char *to;

	if (vmf->cow_page) {
		to = page_address(q, vmf->cow_page);
		if (is_hole(f))
			clear_page(to);
		else
			copy_page(to, block_address(as, f));
		return VM_FAULT_DONE_COW;
	}
	if (is_hole(f)) {
		quire_step("a hole: the zero page");
		return insert_frame(vmf, page_to_pfn(q, q->zero_page), false);
	}
	quire_step("the file's own memory is mapped");
	if (vmf->vma->vm_flags & VM_MAYEXEC)
		arch_frame_written(block_address(as, f));
	return insert_frame(vmf, f->phys >> PAGE_SHIFT, write);
}

/* Also for the first write to an entry that is read-only (pfn_mkwrite): then
 * the entry for the same block becomes writable. */
static vm_fault_t dax_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *as = vma->vm_mapping;
	bool write =
		(vmf->flags & FAULT_FLAG_WRITE) && (vma->vm_flags & VM_SHARED);
	struct quire_frame f;
	vm_fault_t ret;
	int err;

	fault_kind(vmf, QF_DEVICE);
	if (write && vma->vm_file && vma->vm_file->ops->update_time)
		vma->vm_file->ops->update_time(vma->vm_file);
	down_read(&as->frames_lock);
	if (!within_file(as, vmf->pgoff)) {
		quire_step("beyond the end of the file");
		ret = VM_FAULT_SIGBUS;
		goto unlock;
	}
	err = write ? block_for_write(as, vmf->pgoff, &f)
		    : access_block(as, vmf->pgoff, false, &f);
	ret = err ? device_error(err) : map_block(vmf, &f, write);
unlock:
	up_read(&as->frames_lock);
	return ret;
}

static vm_fault_t dax_pfn_mkwrite(struct vm_fault *vmf)
{
	vmf->cow_page = NULL;
	return dax_fault(vmf);
}

const struct vm_operations_struct dax_vm_ops = {
	.fault = dax_fault,
	.pfn_mkwrite = dax_pfn_mkwrite,
};

/* --------------------------------------------------------- read, write */

long dax_read(struct address_space *as, uint64_t pos, size_t len,
	      quire_copy_fn copy, void *cookie)
{
	uint64_t size = quire_mapping_get_size(as);
	size_t done = 0, off, n, got;
	struct quire_frame f;
	char *from;
	int err;

	if (pos >= size)
		return 0;
	len = (size_t)MIN((uint64_t)len, size - pos);
	for (; done < len; done += got, pos += got) {
		off = (size_t)(pos & (PAGE_SIZE - 1));
		n = MIN(PAGE_SIZE - off, len - done);
		err = access_block(as, pos >> PAGE_SHIFT, false, &f);
		if (err)
			return done ? (long)done : err;
		from = is_hole(&f) ? page_address(as->q, as->q->zero_page)
				   : block_address(as, &f);
		got = copy(cookie, from + off, done, n);
		if (got < n)
			return done + got ? (long)(done + got) : -EFAULT;
	}
	return (long)done;
}

/*
 * Zero [from, to) of a page that has a block; what lies past the end of the
 * file is zero when the file grows over it, whatever a mapping stored there.
 */
static void zero_part(struct address_space *as, uint64_t index, size_t from,
		      size_t to)
{
	struct quire_frame f;

	if (from < to && !access_block(as, index, false, &f) && !is_hole(&f))
		memset(block_address(as, &f) + from, 0, to - from);
}

static void zero_tail(struct address_space *as, uint64_t size)
{
	size_t part = (size_t)(size & (PAGE_SIZE - 1));

	if (part)
		zero_part(as, size >> PAGE_SHIFT, part, PAGE_SIZE);
}

/* Of a page that write() goes to: its block, made if there is none. */
static int write_block(struct address_space *as, uint64_t index,
		       struct quire_frame *f)
{
	int err = access_block(as, index, false, f);
	bool hole = is_hole(f);

	if (err)
		return err;
	if (!hole)
		return access_block(as, index, true, f);
	down_write(&as->frames_lock);
	err = access_block(as, index, true, f);
	if (!err)
		unmap_mapping_range(as, index, index, false);
	up_write(&as->frames_lock);
	return err;
}

long dax_write(struct address_space *as, uint64_t pos, size_t len,
	       quire_copy_fn copy, void *cookie)
{
	size_t done = 0, off, n, got;
	struct quire_frame f;
	int err;

	if (len && pos > quire_mapping_get_size(as))
		zero_tail(as, quire_mapping_get_size(as));
	for (; done < len; done += got, pos += got) {
		off = (size_t)(pos & (PAGE_SIZE - 1));
		n = MIN(PAGE_SIZE - off, len - done);
		err = write_block(as, pos >> PAGE_SHIFT, &f);
		if (err)
			return done ? (long)done : err;
		got = copy(cookie, block_address(as, &f) + off, done, n);
		arch_frame_written(block_address(as, &f));
		/* the host keeps other changes of the size away */
		if (got && pos + got > quire_mapping_get_size(as))
			__atomic_store_n(&as->size, pos + got,
					 __ATOMIC_RELEASE);
		if (got < n)
			return done + got ? (long)(done + got) : -EFAULT;
	}
	return (long)done;
}

/* ---------------------------------------------------------- truncate, punch */

void dax_set_size(struct address_space *as, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT, old;

	down_write(&as->frames_lock);
	old = __atomic_exchange_n(&as->size, size, __ATOMIC_ACQ_REL);
	zero_tail(as, MIN(old, size));
	if (size <= old)
		unmap_mapping_range(as, first, UINT64_MAX, true);
	up_write(&as->frames_lock);
}

void dax_punch(struct address_space *as, uint64_t start, uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	size_t head = (size_t)(start & (PAGE_SIZE - 1));
	size_t tail = (size_t)(end & (PAGE_SIZE - 1));

	down_write(&as->frames_lock);
	if (first == last) {
		zero_part(as, first, head, tail);
	} else {
		if (head)
			zero_part(as, first++, head, PAGE_SIZE);
		zero_part(as, last, 0, tail);
		if (first < last)
			unmap_mapping_range(as, first, last - 1, false);
	}
	up_write(&as->frames_lock);
}
