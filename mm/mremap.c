/* SPDX-License-Identifier: MIT */
/*
 * mremap.c - a mapping gets another size or another place (M2).
 *
 *   check_args     what is wrong whatever is mapped           EINVAL
 *   shrink         the tail is unmapped
 *   grow           in place if the VMA ends there and room follows; or moved
 *   move_vma       room; a VMA there with the same offsets; entries moved;
 *                  the old place unmapped, or with DONTUNMAP left empty
 *
 * A VMA whose pages have a family (anon_vma) keeps its vm_pgoff, so that each
 * page keeps its index.  An anonymous one that has none gets the offset of its
 * new address, and so may merge there.  With MREMAP_FIXED and one length a
 * range of several VMAs and holes moves piece by piece.
 *
 * Locks: mmap_lock for write.
 */
#include "fault.h"
#include "rmap.h"
#include "vma.h"

struct remap {
	struct mm_struct *mm;
	uaddr_t addr, old_len, new_len, new_addr;
	unsigned flags;
	/* to be faulted in when the lock is dropped: locked memory that grew */
	uaddr_t populate, populate_len;
};

static int check_args(const struct remap *r)
{
	const unsigned known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	uaddr_t size = r->mm->task_size;

	if ((r->flags & ~known) || !IS_ALIGNED(r->addr, (uaddr_t)PAGE_SIZE) ||
	    !r->new_len || r->new_len > size)
		return -EINVAL;
	if (!(r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return 0;
	if (!(r->flags & MREMAP_MAYMOVE) || r->new_addr > size - r->new_len ||
	    !IS_ALIGNED(r->new_addr, (uaddr_t)PAGE_SIZE))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && r->old_len != r->new_len)
		return -EINVAL;
	if (r->addr + r->old_len > r->new_addr &&
	    r->new_addr + r->new_len > r->addr)
		return -EINVAL;
	return 0;
}

/* May [addr, addr + old_len) of vma become new_len bytes? 0 or -errno. */
static int check_vma(const struct remap *r, struct vm_area_struct *vma)
{
	struct mm_struct *mm = r->mm;
	uaddr_t delta;
	uint64_t pgoff;

	if (!r->old_len && !(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) &&
	    (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP)))
		return -EINVAL;
	/* a shrink cuts the tail off first; what is left must be one VMA's */
	if (MIN(r->old_len, r->new_len) > vma->vm_end - r->addr)
		return -EFAULT;
	if (r->new_len <= r->old_len)
		return 0;
	if (r->old_len > vma->vm_end - r->addr)
		return -EFAULT;
	delta = r->new_len - r->old_len;
	pgoff = linear_page_index(vma, r->addr);
	if (pgoff + (r->new_len >> PAGE_SHIFT) < pgoff)
		return -EINVAL;
	if (vma->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
		return -EFAULT;
	if (!mlock_future_ok(mm, vma->vm_flags, delta))
		return -EAGAIN;
	return may_expand_vm(mm, vma->vm_flags, delta >> PAGE_SHIFT) ? 0
								     : -ENOMEM;
}

/* ------------------------------------------------------------------ grow */

/* The VMA ends where the old range does; is there room behind it? */
static bool vma_expandable(struct vm_area_struct *vma, uaddr_t delta)
{
	struct mm_struct *mm = vma->vm_mm;
	uaddr_t end = vma->vm_end;

	return delta <= mm->task_size - end &&
	       !find_vma_intersection(mm, end, end + delta);
}

static int expand_in_place(struct remap *r, struct vm_area_struct *vma)
{
	struct mm_struct *mm = r->mm;
	uaddr_t delta = r->new_len - r->old_len;
	long pages = (long)(delta >> PAGE_SHIFT);
	vm_flags_t flags = vma->vm_flags;
	struct vma_range g = {vma->vm_end,
			      vma->vm_end + delta,
			      flags,
			      vma->vm_file,
			      vma->vm_mapping,
			      linear_page_index(vma, vma->vm_end),
			      vma};

	if ((flags & VM_ACCOUNT) && security_vm_enough_memory(mm, pages))
		return -ENOMEM;
	if (flags & VM_SPECIAL) { /* which merges with nothing: stretched */
		vma_set_extent(vma, vma->vm_start, g.end, vma->vm_pgoff);
	} else if (!vma_merge_new(&g, vma, vma_next(vma))) {
		if (flags & VM_ACCOUNT)
			vm_unacct_memory(mm->q, pages);
		return -ENOMEM;
	}
	vm_stat_account(mm, flags, pages);
	if (flags & VM_LOCKED) {
		mm->locked_vm += (unsigned long)pages;
		r->populate = r->addr + r->old_len;
		r->populate_len = delta;
	}
	return 0;
}

/* ------------------------------------------------------------------ move */

/*
 * A VMA for new_len bytes at new_addr, which are free, with what vma has from
 * addr on: a neighbour stretched, or a copy.  NULL: out of memory.  vma may
 * have become part of another.
 */
static struct vm_area_struct *copy_vma(struct vm_area_struct *vma,
				       const struct remap *r)
{
	struct mm_struct *mm = r->mm;
	struct vma_range n = {r->new_addr,
			      r->new_addr + r->new_len,
			      vma->vm_flags,
			      vma->vm_file,
			      vma->vm_mapping,
			      linear_page_index(vma, r->addr),
			      vma};
	struct vm_area_struct *new, *prev, *next;

	if (vma_is_anonymous(vma) && !vma->anon_vma)
		n.pgoff = r->new_addr >> PAGE_SHIFT;
	next = find_vma_prev(mm, r->new_addr, &prev);
	new = vma_merge_new(&n, prev, next);
	if (new)
		return new;
	if (vma_tree_reserve(mm, 1))
		return NULL;
	new = vm_area_dup(vma);
	if (!new)
		return NULL;
	new->vm_start = n.start;
	new->vm_end = n.end;
	new->vm_pgoff = n.pgoff;
	if (anon_vma_clone(new, vma)) {
		vm_area_free(new);
		return NULL;
	}
	vma_link(mm, new);
	if (new->vm_ops &&new->vm_ops->open)
		new->vm_ops->open(new);
	return new;
}

/* The moved range is taken away; its promise of memory went with the pages. */
static void unmap_moved(struct mm_struct *mm, uaddr_t start, uaddr_t len)
{
	struct unmap_plan u;

	/*
	 * Out of memory for a split: it stays, and is empty; so its promise
	 * must be made again.
	 */
	if (unmap_prepare(mm, start, start + len, &u)) {
		struct vm_area_struct *vma = find_vma(mm, start);

		if (vma->vm_flags & VM_ACCOUNT)
			__atomic_fetch_add(&mm->q->vm_committed,
					   (long)(len >> PAGE_SHIFT),
					   __ATOMIC_RELAXED);
		return;
	}
	u.accounted = 0;
	unmap_commit(&u);
}

/* DONTUNMAP: the old place stays, without pages. */
static void leave_empty(struct vm_area_struct *vma, const struct remap *r)
{
	if (vma->vm_flags & VM_LOCKED) {
		r->mm->locked_vm -= vma_pages(vma);
		vma_change_locked(vma, vma->vm_flags &
					       ~(VM_LOCKED | VM_LOCKONFAULT));
	}
	if (vma->vm_start == r->addr && vma->vm_end == r->addr + r->old_len)
		unlink_anon_vmas(vma);
}

/* new_addr is free.  The new address is r->new_addr. 0 or -errno */
static int move_vma(struct remap *r, struct vm_area_struct *vma)
{
	struct mm_struct *mm = r->mm;
	vm_flags_t flags = vma->vm_flags;
	long new_pages = (long)(r->new_len >> PAGE_SHIFT), charge = 0;
	unsigned long hiwater = MAX(mm->hiwater_vm, mm->total_vm);
	bool keep = r->flags & MREMAP_DONTUNMAP || !r->old_len;
	struct vm_area_struct *new;
	uaddr_t moved;

	if (mm->map_count >= max_map_count(mm->q) - 3)
		return -ENOMEM;
	if (flags & VM_ACCOUNT) {
		charge = new_pages;
		if (!keep)
			charge -= (long)(r->old_len >> PAGE_SHIFT);
		if (charge && security_vm_enough_memory(mm, charge))
			return -ENOMEM;
	}
	new = copy_vma(vma, r);
	if (!new)
		goto unaccount;
	vm_stat_account(mm, flags, new_pages);
	if (flags & VM_LOCKED)
		mm->locked_vm += (unsigned long)new_pages;
	moved = move_page_tables(new, r->addr, r->new_addr, r->old_len);
	if (moved < r->old_len) {
		/* all back: those tables exist, so it cannot fail */
		(void)move_page_tables(new, r->new_addr, r->addr, moved);
		unmap_moved(mm, r->new_addr, r->new_len);
		goto unaccount;
	}
	/* vma may have been merged with the new place */
	vma = find_vma(mm, r->addr);
	if (!keep)
		unmap_moved(mm, r->addr, r->old_len);
	else if (r->old_len)
		leave_empty(vma, r);
	mm->hiwater_vm = MAX(hiwater, mm->total_vm);
	if ((flags & VM_LOCKED) && r->new_len > r->old_len) {
		r->populate = r->new_addr + r->old_len;
		r->populate_len = r->new_len - r->old_len;
	}
	return 0;
unaccount:
	vm_unacct_memory(mm->q, charge);
	return -ENOMEM;
}

/* To a place that the caller named, or near it (DONTUNMAP alone). */
static int mremap_to(struct remap *r, struct vm_area_struct *vma)
{
	struct mm_struct *mm = r->mm;
	vm_flags_t vm_flags = vma->vm_flags; /* unmapping may free vma */
	unsigned flags = vm_flags & VM_MAYSHARE ? MAP_SHARED : MAP_PRIVATE;
	sreg_t place;
	int err;

	flags = place_flags(flags | (r->flags & MREMAP_FIXED ? MAP_FIXED : 0),
			    vma->vm_file);
	if (r->flags & MREMAP_FIXED) {
		place = get_unmapped_area(mm, r->new_addr, r->new_len, flags,
					  r->addr);
		if (QUIRE_IS_ERR(place))
			return (int)place;
		err = do_munmap_locked(mm, r->new_addr, r->new_len);
		if (err)
			return err;
	}
	if (r->old_len > r->new_len) {
		err = do_munmap_locked(mm, r->addr + r->new_len,
				       r->old_len - r->new_len);
		if (err)
			return err;
		r->old_len = r->new_len;
	}
	if ((r->flags & MREMAP_DONTUNMAP) &&
	    !may_expand_vm(mm, vm_flags, r->old_len >> PAGE_SHIFT))
		return -ENOMEM;
	place = get_unmapped_area(mm, r->new_addr, r->new_len, flags, r->addr);
	if (QUIRE_IS_ERR(place))
		return (int)place;
	r->new_addr = (uaddr_t)place;
	/* what was unmapped for it may have been the source: old_len is 0 */
	vma = find_vma(mm, r->addr);
	if (!vma || vma->vm_start > r->addr)
		return -EFAULT;
	return move_vma(r, vma);
}

/* MREMAP_FIXED without a change of size: piece by piece, holes are kept. */
static int mremap_pieces(struct remap *r)
{
	uaddr_t addr = r->addr, end = addr + r->old_len, to;
	struct vm_area_struct *vma;
	struct remap one;
	int err;

	for (; addr < end; addr = to) {
		vma = find_vma_intersection(r->mm, addr, end);
		if (!vma)
			break;
		addr = MAX(addr, vma->vm_start);
		to = MIN(end, vma->vm_end);
		/* Linux: /dev/zero has its own idea of where to be mapped,
		 * and such a mapping moves alone or not at all. */
		if (vma->vm_file && vma->vm_file->is_zero_dev &&
		    (addr != r->addr || to != end))
			return -EFAULT;
		one = *r;
		one.addr = addr;
		one.new_addr = r->new_addr + (addr - r->addr);
		one.old_len = to - addr;
		one.new_len = one.old_len;
		err = check_vma(&one, vma);
		if (!err)
			err = mremap_to(&one, vma);
		if (err)
			return err;
	}
	return 0;
}

static int mremap_grow(struct remap *r, struct vm_area_struct *vma)
{
	sreg_t place;

	if (r->old_len == vma->vm_end - r->addr &&
	    vma_expandable(vma, r->new_len - r->old_len)) {
		r->new_addr = r->addr;
		return expand_in_place(r, vma);
	}
	if (!(r->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	place = get_unmapped_area(r->mm, 0, r->new_len,
				  place_flags(vma->vm_flags & VM_MAYSHARE
						      ? MAP_SHARED
						      : MAP_PRIVATE,
					      vma->vm_file),
				  r->addr);
	if (QUIRE_IS_ERR(place))
		return (int)place;
	r->new_addr = (uaddr_t)place;
	return move_vma(r, vma);
}

/* The new address is r->new_addr. 0 or -errno */
static int mremap_locked(struct remap *r)
{
	bool to = (r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0;
	struct vm_area_struct *vma = find_vma(r->mm, r->addr);
	int err;

	if (!vma || vma->vm_start > r->addr)
		return -EFAULT;
	/* a move may make three VMAs more than there are */
	if (to && r->mm->map_count + 2 >= max_map_count(r->mm->q) - 3)
		return -ENOMEM;
	if (!to && r->old_len >= r->new_len) {
		r->new_addr = r->addr;
		if (r->old_len == r->new_len)
			return 0;
		return do_munmap_locked(r->mm, r->addr + r->new_len,
					r->old_len - r->new_len);
	}
	if ((r->flags & MREMAP_FIXED) && r->old_len == r->new_len)
		return mremap_pieces(r);
	err = check_vma(r, vma);
	if (err)
		return err;
	return to ? mremap_to(r, vma) : mremap_grow(r, vma);
}

static sreg_t do_mremap(struct remap *r)
{
	int err = check_args(r);

	if (err)
		return err;
	err = down_write_killable(&r->mm->mmap_lock);
	if (err)
		return err;
	err = mremap_locked(r);
	up_write(&r->mm->mmap_lock);
	if (err)
		return err;
	if (r->populate_len)
		mm_populate(r->mm, r->populate, r->populate_len);
	return (sreg_t)r->new_addr;
}

sreg_t quire_mremap(struct mm_struct *mm, uaddr_t addr, uaddr_t old_len,
		    uaddr_t new_len, unsigned flags, uaddr_t new_addr)
{
	struct remap r = {.mm = mm,
			  .addr = addr,
			  .old_len = PAGE_ALIGN(old_len),
			  .new_len = PAGE_ALIGN(new_len),
			  .new_addr = new_addr,
			  .flags = flags};
	sreg_t ret = do_mremap(&r);

	TRACE_MAP(mm, .type = QE_MREMAP, .addr = addr, .len = old_len,
		  .aux = new_len, .flags = flags, .result = trace_result(ret));
	return ret;
}
