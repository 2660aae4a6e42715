/* SPDX-License-Identifier: MIT */
/*
 * madvise.c - what a program tells about its use of memory (M2).
 *
 *   advice about the VMA   (RANDOM, DONTFORK ...)  a VM_* flag: split and merge
 *   advice about pages     (DONTNEED, COLD ...)    a walk over the VMAs
 *   POPULATE_READ, _WRITE                          faults, ahead of use
 *   HWPOISON, SOFT_OFFLINE                         memory_failure.c
 *   WILLNEED, REMOVE   the file's business, done without the mmap_lock;
 *                      WILLNEED of what is in swap: swap_readahead.c
 *
 * How far a mapping's read faults map around themselves is kept as flags too.
 *
 * Holes are passed over and reported at the end (-ENOMEM); an error of one
 * VMA ends the walk.
 *
 * Locks: mmap_lock, for write where flags change, else for read.
 */
#include "filemap.h"
#include "gather.h"
#include "migrate.h"
#include "swap.h"
#include "vma.h"

enum advice_kind {
	ADV_INVALID,
	ADV_FLAGS,
	ADV_PAGES,
	ADV_POPULATE,
	ADV_INJECT
};

static enum advice_kind advice_kind(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
		return ADV_FLAGS;
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return ADV_PAGES;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return ADV_POPULATE;
	case MADV_HWPOISON:
	case MADV_SOFT_OFFLINE:
		return ADV_INJECT;
	default:
		return ADV_INVALID;
	}
}

/* ------------------------------------------------------- flags of the VMA */

/* Merging equal pages is for private memory of the ordinary kind. */
static vm_flags_t mergeable_flags(vm_flags_t f)
{
	if (f & (VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_HUGETLB))
		return f;
	return f | VM_MERGEABLE;
}

/* The flags that vma gets by this advice, in *flags. 0 or -EINVAL. */
static int advice_flags(const struct vm_area_struct *vma, int advice,
			vm_flags_t *flags)
{
	vm_flags_t f = vma->vm_flags;

	switch (advice) {
	case MADV_NORMAL:
		*flags = f & ~(VM_RAND_READ | VM_SEQ_READ);
		return 0;
	case MADV_RANDOM:
		*flags = (f & ~VM_SEQ_READ) | VM_RAND_READ;
		return 0;
	case MADV_SEQUENTIAL:
		*flags = (f & ~VM_RAND_READ) | VM_SEQ_READ;
		return 0;
	case MADV_DONTFORK:
		*flags = f | VM_DONTCOPY;
		return 0;
	case MADV_DOFORK:
		*flags = f & ~VM_DONTCOPY;
		return f & VM_IO ? -EINVAL : 0;
	case MADV_WIPEONFORK:
		*flags = f | VM_WIPEONFORK;
		return vma->vm_file || vma->vm_mapping || (f & VM_SHARED)
			       ? -EINVAL
			       : 0;
	case MADV_KEEPONFORK:
		*flags = f & ~VM_WIPEONFORK;
		return 0;
	case MADV_DONTDUMP:
		*flags = f | VM_DONTDUMP;
		return 0;
	case MADV_DODUMP:
		*flags = f & ~VM_DONTDUMP;
		return f & VM_SPECIAL ? -EINVAL : 0;
	case MADV_MERGEABLE:
		*flags = mergeable_flags(f);
		return 0;
	case MADV_UNMERGEABLE:
		*flags = f & ~VM_MERGEABLE;
		return 0;
	case MADV_HUGEPAGE:
		*flags = (f & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
		return f & (VM_SPECIAL | VM_HUGETLB) ? -EINVAL : 0;
	default: /* MADV_NOHUGEPAGE */
		*flags = (f & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
		return f & (VM_SPECIAL | VM_HUGETLB) ? -EINVAL : 0;
	}
}

static int set_flags(struct vm_area_struct *vma, uaddr_t start, uaddr_t end,
		     vm_flags_t flags)
{
	if (flags == vma->vm_flags)
		return 0;
	/* a shortage of VMAs is one that may pass */
	return vma_modify(vma, start, end, flags) ? 0 : -EAGAIN;
}

static int madvise_flags(struct vm_area_struct *vma, uaddr_t start, uaddr_t end,
			 unsigned advice)
{
	vm_flags_t flags;
	int err = advice_flags(vma, (int)advice, &flags);

	return err ? err : set_flags(vma, start, end, flags);
}

/* code: what VM_FAULT_AROUND has for it */
static int madvise_fault_around(struct vm_area_struct *vma, uaddr_t start,
				uaddr_t end, unsigned code)
{
	vm_flags_t flags = vma->vm_flags & ~VM_FAULT_AROUND;

	return set_flags(vma, start, end,
			 flags | (vm_flags_t)code << VM_FAULT_AROUND_SHIFT);
}

/* ---------------------------------------------------------------- pages */

static int madvise_dontneed(struct vm_area_struct *vma, uaddr_t start,
			    uaddr_t end, int advice)
{
	vm_flags_t bad = VM_PFNMAP | VM_HUGETLB;

	if (advice != MADV_DONTNEED_LOCKED)
		bad |= VM_LOCKED;
	if (vma->vm_flags & bad)
		return -EINVAL;
	if (advice == MADV_FREE)
		return madvise_free(vma, start, end);
	zap_page_range(vma, start, end - start);
	return 0;
}

/*
 * The rest of a file's advice is carried out without the mmap_lock, which is
 * taken again afterwards: a reference on the file, or on the memory that is
 * one, keeps it.
 */
struct pinned_file {
	struct mm_struct *mm;
	struct quire_file *file;
	struct address_space *as;
};

static struct pinned_file pin_and_unlock(struct vm_area_struct *vma)
{
	struct pinned_file p = {vma->vm_mm, vma->vm_file, vma->vm_mapping};

	if (p.file)
		p.file->ops->get(p.file);
	else
		mapping_get(p.as);
	up_read(&p.mm->mmap_lock);
	return p;
}

static void unpin_and_lock(const struct pinned_file *p)
{
	if (p->file)
		p->file->ops->put(p->file);
	else
		mapping_put(p->as);
	down_read(&p->mm->mmap_lock);
}

/* Read what is not cached of it, or begin to bring it back from swap. */
static int madvise_willneed(struct vm_area_struct *vma, uaddr_t start,
			    uaddr_t end)
{
	uint64_t from = linear_page_index(vma, start) << PAGE_SHIFT;
	struct pinned_file p;

	if (vma->vm_flags & VM_SPECIAL)
		return 0;
	if (!vma->vm_mapping) {
		swap_willneed(vma, start, end);
		return 0;
	}
	if (vma->vm_mapping->shmem) {
		shmem_willneed(vma->vm_mapping, from >> PAGE_SHIFT,
			       (from + (end - start)) >> PAGE_SHIFT);
		return 0;
	}
	/* memory without a device is there already */
	if (!vma->vm_mapping->aops)
		return 0;
	p = pin_and_unlock(vma);
	quire_mapping_readahead(p.as, p.file, from, end - start);
	unpin_and_lock(&p);
	return 0;
}

/* Punch a hole in the memory that is shared. */
static int madvise_remove(struct vm_area_struct *vma, uaddr_t start,
			  uaddr_t end)
{
	const vm_flags_t shared = VM_SHARED | VM_MAYWRITE;
	uint64_t from = linear_page_index(vma, start) << PAGE_SHIFT;
	uint64_t to = from + (end - start);
	struct pinned_file p;
	int err = 0;

	if ((vma->vm_flags & VM_LOCKED) || !(vma->vm_mapping || vma->vm_file))
		return -EINVAL;
	if ((vma->vm_flags & shared) != shared)
		return -EACCES; /* a private one of /dev/zero as well */
	p = pin_and_unlock(vma);
	if (p.file && p.file->ops->punch)
		err = p.file->ops->punch(p.file, from, to);
	else if (p.as && p.as->shmem)
		quire_mapping_punch(p.as, from, to);
	else
		err = -EOPNOTSUPP; /* its file system cannot */
	unpin_and_lock(&p);
	return err;
}

/* May let go of the mmap_lock and take it again. */
static int madvise_pages(struct vm_area_struct *vma, uaddr_t start, uaddr_t end,
			 unsigned advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return madvise_dontneed(vma, start, end, (int)advice);
	case MADV_REMOVE:
		return madvise_remove(vma, start, end);
	case MADV_COLD:
		return madvise_cold(vma, start, end);
	case MADV_PAGEOUT:
		return madvise_pageout(vma, start, end);
	default:
		return madvise_willneed(vma, start, end);
	}
}

/* one(): what is done with each VMA's part; arg is handed on. */
static int madvise_walk(struct mm_struct *mm, uaddr_t start, uaddr_t end,
			int (*one)(struct vm_area_struct *vma, uaddr_t start,
				   uaddr_t end, unsigned arg),
			unsigned arg)
{
	struct vm_area_struct *vma;
	int hole = 0, err;
	uaddr_t to;

	for (; start < end; start = to) {
		vma = find_vma(mm, start);
		if (!vma)
			return -ENOMEM;
		if (vma->vm_start > start) {
			hole = -ENOMEM;
			start = vma->vm_start;
			if (start >= end)
				break;
		}
		to = MIN(end, vma->vm_end);
		err = one(vma, start, to, arg);
		if (err)
			return err;
	}
	return hole;
}

/* ------------------------------------------------------------- populate */

/* mmap_lock held for read. */
static int madvise_populate(struct mm_struct *mm, uaddr_t start, uaddr_t end,
			    bool write)
{
	vm_flags_t need = write ? VM_WRITE : VM_READ;
	struct vm_area_struct *vma;
	bool locked;
	uaddr_t to;
	int err;

	for (; start < end; start = to) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start > start)
			return -ENOMEM;
		if (!(vma->vm_flags & need) ||
		    (vma->vm_flags & (VM_IO | VM_PFNMAP)))
			return -EINVAL;
		to = MIN(end, vma->vm_end);
		err = populate_vma_range(mm, start, to, write, &locked);
		if (err)
			return err;
	}
	return 0;
}

/* Is [start, start + len) one that advice can be given for?  Its end. */
static bool range_ok(uaddr_t start, uaddr_t len, uaddr_t *end)
{
	*end = start + PAGE_ALIGN(len);
	return IS_ALIGNED(start, (uaddr_t)PAGE_SIZE) &&
	       !(len && !PAGE_ALIGN(len)) && *end >= start;
}

static int do_madvise(struct mm_struct *mm, uaddr_t start, uaddr_t len,
		      int advice)
{
	enum advice_kind kind = advice_kind(advice);
	uaddr_t end;
	int err;

	if (kind == ADV_INVALID || !range_ok(start, len, &end))
		return -EINVAL;
	if (end == start)
		return 0;
	if (kind == ADV_INJECT)
		return madvise_inject_error(mm, start, end,
					    advice == MADV_SOFT_OFFLINE);
	if (kind == ADV_FLAGS) {
		err = down_write_killable(&mm->mmap_lock);
		if (err)
			return err;
		err = madvise_walk(mm, start, end, madvise_flags,
				   (unsigned)advice);
		up_write(&mm->mmap_lock);
		return err;
	}
	down_read(&mm->mmap_lock);
	if (kind == ADV_PAGES)
		err = madvise_walk(mm, start, end, madvise_pages,
				   (unsigned)advice);
	else
		err = madvise_populate(mm, start, end,
				       advice == MADV_POPULATE_WRITE);
	up_read(&mm->mmap_lock);
	return err;
}

int quire_madvise(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int advice)
{
	int err = do_madvise(mm, addr, len, advice);

	TRACE_MAP(mm, .type = QE_MADVISE, .addr = addr, .len = len,
		  .flags = (uint32_t)advice, .result = err);
	return err;
}

int quire_set_fault_around(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
			   uint64_t bytes)
{
	unsigned code = 0;
	uaddr_t end;
	int err;

	if ((bytes && !fault_around_ok(bytes)) || !range_ok(addr, len, &end))
		return -EINVAL;
	for (; bytes >= PAGE_SIZE; bytes >>= 1)
		code++;
	err = down_write_killable(&mm->mmap_lock);
	if (err)
		return err;
	err = end == addr
		      ? 0
		      : madvise_walk(mm, addr, end, madvise_fault_around, code);
	up_write(&mm->mmap_lock);
	return err;
}
