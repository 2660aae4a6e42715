/* SPDX-License-Identifier: MIT */
/*
 * brk.c - the heap: a mapping that ends where the program says.
 *
 *   start_brk            brk (to the byte)
 *      |  [heap] VMA      |..| rounded up to a page
 *
 * Locks: mmap_lock for write.
 */
#include "vma.h"

#define VM_BRK_FLAGS                                                           \
	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |          \
	 VM_ACCOUNT | VM_SOFTDIRTY)

/* The heap VMA grows from start to end, both page aligned. */
static int do_brk_flags(struct mm_struct *mm, uaddr_t start, uaddr_t end)
{
	struct vma_range r = {.start = start,
			      .end = end,
			      .flags = VM_BRK_FLAGS | mm->def_flags,
			      .pgoff = start >> PAGE_SHIFT};
	unsigned long pages = (end - start) >> PAGE_SHIFT;
	struct vm_area_struct *vma, *prev;

	if (!may_expand_vm(mm, r.flags, pages) ||
	    mm->map_count > max_map_count(mm->q) ||
	    security_vm_enough_memory(mm, (long)pages))
		return -ENOMEM;
	(void)find_vma_prev(mm, start, &prev);
	if (!vma_merge_new(&r, prev, NULL)) {
		if (vma_tree_reserve(mm, 1))
			goto nomem;
		vma = vm_area_alloc(mm);
		if (!vma)
			goto nomem;
		vma->vm_start = start;
		vma->vm_end = end;
		vma->vm_pgoff = r.pgoff;
		vma_change_flags(vma, r.flags);
		vma_link(mm, vma);
	}
	vm_stat_account(mm, r.flags, (long)pages);
	if (r.flags & VM_LOCKED)
		mm->locked_vm += pages;
	return 0;
nomem:
	vm_unacct_memory(mm->q, (long)pages);
	return -ENOMEM;
}

static int brk_shrink(struct mm_struct *mm, uaddr_t from, uaddr_t to)
{
	if (!find_vma_intersection(mm, to, from))
		return -EINVAL; /* the program has unmapped its heap */
	return do_munmap_locked(mm, to, from - to);
}

static int brk_grow(struct mm_struct *mm, uaddr_t from, uaddr_t to)
{
	uaddr_t page = (uaddr_t)PAGE_SIZE;
	struct vm_area_struct *next;

	if (to > mm->task_size - page || to < from)
		return -ENOMEM;
	if (!mlock_future_ok(mm, mm->def_flags, to - from))
		return -EAGAIN;
	/* a free page stays between the heap and what is above */
	next = find_vma(mm, from);
	if (next && to + page > vm_start_gap(next))
		return -ENOMEM;
	return do_brk_flags(mm, from, to);
}

/* RLIMIT_DATA also bounds the heap and the program's data together. */
static bool brk_over_limit(const struct mm_struct *mm, uaddr_t brk)
{
	uint64_t limit = rlimit_of(QUIRE_RLIMIT_DATA);
	const struct quire_mm_layout *l = &mm->layout;

	return limit != QUIRE_RLIM_INFINITY &&
	       (uint64_t)(brk - l->start_brk) + (l->end_data - l->start_data) >
		       limit;
}

uaddr_t quire_brk(struct mm_struct *mm, uaddr_t brk)
{
	uaddr_t from, to, ret, populate = 0;
	int err = 0;

	if (down_write_killable(&mm->mmap_lock))
		return mm->brk;
	from = PAGE_ALIGN(mm->brk);
	to = PAGE_ALIGN(brk);
	/* to < brk: past the last page there is */
	if (brk < mm->layout.start_brk || to < brk || brk_over_limit(mm, brk)) {
		err = -ENOMEM;
	} else if (to < from) {
		err = brk_shrink(mm, from, to);
	} else if (to > from) {
		err = brk_grow(mm, from, to);
		if (!err && (mm->def_flags & VM_LOCKED))
			populate = to - from;
	}
	if (!err)
		mm->brk = brk;
	ret = mm->brk;
	up_write(&mm->mmap_lock);
	if (populate)
		mm_populate(mm, from, populate);
	TRACE_MAP(mm, .type = QE_BRK, .addr = brk, .result = (int64_t)ret);
	return ret;
}
