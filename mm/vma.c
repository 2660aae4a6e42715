/* SPDX-License-Identifier: MIT */
/*
 * vma.c - a VMA's life, and the three ways one changes shape: split, merge,
 * and a change of flags over a part of it (vma_modify), which is both.
 *
 * Neighbours become one VMA when nothing tells them apart: same flags, same
 * open file and offsets that go on, and anonymous families (anon_vma) that
 * allow it:
 *
 *      prev      the range     next
 *    [  A   ][ will be A too ][  A  ]   ->  [            A             ]
 *
 * Of the VMAs that a merge covers whole, the one that has an anon_vma stays
 * and is stretched, so such a merge needs no memory.  Only a merge that takes
 * a part of a VMA that lives on may have to clone the anon_vma's links.
 *
 * Locks: mmap_lock for write.  A VMA's extent is also read by reverse walks,
 * which hold only its file's i_mmap_lock or its anon_vma's lock: so both are
 * taken around each change of extent (vma_set_extent).
 */
#include "vma.h"
#include "filemap.h"
#include "rmap.h"
#include <asm/pgtable.h>

/* ------------------------------------------------------------- life */

struct vm_area_struct *vm_area_alloc(struct mm_struct *mm)
{
	struct vm_area_struct *vma =
		kmem_cache_zalloc(mm->q->vma_cache, GFP_KERNEL);

	if (!vma)
		return NULL;
	vma->vm_mm = mm;
	INIT_LIST_HEAD(&vma->anon_vma_chain);
	itree_node_init(&vma->i_mmap_node);
	return vma;
}

/* What vma maps gets a reference more. */
static void vma_get_object(struct vm_area_struct *vma)
{
	if (vma->vm_file)
		vma->vm_file->ops->get(vma->vm_file);
	else if (vma->vm_mapping)
		mapping_get(vma->vm_mapping);
}

struct vm_area_struct *vm_area_dup(struct vm_area_struct *orig)
{
	struct vm_area_struct *vma =
		kmem_cache_alloc(orig->vm_mm->q->vma_cache, GFP_KERNEL);

	if (!vma)
		return NULL;
	/* all before i_mmap_node: that one its neighbours write, at any time */
	memcpy(vma, orig, offsetof(struct vm_area_struct, i_mmap_node));
	INIT_LIST_HEAD(&vma->anon_vma_chain);
	itree_node_init(&vma->i_mmap_node);
	vma->vm_lock_seq = 0;
	vma->vm_refcnt = 0;
	vma_get_object(vma);
	return vma;
}

void vm_area_free(struct vm_area_struct *vma)
{
	struct quire *q = vma->vm_mm->q;

	if (vma->vm_file)
		vma->vm_file->ops->put(vma->vm_file);
	else if (vma->vm_mapping)
		mapping_put(vma->vm_mapping);
	vma->vm_mm->seqnum++;
	kmem_cache_free(q->vma_cache, vma);
}

/* ------------------------------------------------------------ protection */

pgprot_t vm_get_page_prot(struct quire *q, vm_flags_t flags)
{
	return protection_map(q, flags);
}

/*
 * Must a write to a shared page be noticed?  The file system wants to know of
 * its first dirtying, and clear_refs of each page's first write.
 */
static bool vma_wants_writenotify(const struct vm_area_struct *vma)
{
	if ((vma->vm_flags & (VM_WRITE | VM_SHARED)) != (VM_WRITE | VM_SHARED))
		return false;
	if (!(vma->vm_flags & VM_SOFTDIRTY))
		return true;
	if (vma->vm_file && vma->vm_file->device)
		return vma->vm_file->device->mkwrite != NULL;
	return vma->vm_mapping && vma->vm_mapping->aops;
}

void vma_set_page_prot(struct vm_area_struct *vma)
{
	vm_flags_t flags = vma->vm_flags;

	if (vma_wants_writenotify(vma))
		flags &= ~VM_SHARED;
	vma->vm_page_prot = vm_get_page_prot(vma->vm_mm->q, flags);
}

void vma_change_flags(struct vm_area_struct *vma, vm_flags_t flags)
{
	WRITE_ONCE(vma->vm_flags, flags); /* reverse walks look at them */
	vma_set_page_prot(vma);
}

/* ------------------------------------------------------------------ links */

/* i_mmap_lock held for write. */
static void i_mmap_insert(struct vm_area_struct *vma)
{
	itree_insert(&vma->vm_mapping->i_mmap, &vma->i_mmap_node, vma->vm_pgoff,
		     vma->vm_pgoff + vma_pages(vma) - 1);
}

void vma_link_file(struct vm_area_struct *vma)
{
	struct address_space *as = vma->vm_mapping;

	if (!as)
		return;
	down_write(&as->i_mmap_lock);
	i_mmap_insert(vma);
	if (vma->vm_flags & VM_SHARED)
		as->i_mmap_writable++;
	up_write(&as->i_mmap_lock);
}

void vma_unlink_file(struct vm_area_struct *vma)
{
	struct address_space *as = vma->vm_mapping;

	if (!as)
		return;
	down_write(&as->i_mmap_lock);
	/* neighbours change our links: even to look takes the lock */
	if (itree_linked(&vma->i_mmap_node)) {
		itree_remove(&as->i_mmap, &vma->i_mmap_node);
		if (vma->vm_flags & VM_SHARED)
			as->i_mmap_writable--;
	}
	up_write(&as->i_mmap_lock);
}

void vma_link(struct mm_struct *mm, struct vm_area_struct *vma)
{
	vma_tree_insert(mm, vma);
	vma_link_file(vma);
	mm->map_count++;
	if (mm->map_count > mm->hiwater_map_count)
		mm->hiwater_map_count = mm->map_count;
}

/*
 * Whoever walks back from a page sees vma's old extent or its new one: both
 * trees' locks are held while it is out of them.
 */
void reverse_maps_lock(struct vm_area_struct *vma)
{
	if (vma->vm_mapping)
		down_write(&vma->vm_mapping->i_mmap_lock);
	if (vma->anon_vma)
		down_write(&vma->anon_vma->root->rwsem);
}
void reverse_maps_unlock(struct vm_area_struct *vma)
{
	if (vma->anon_vma)
		up_write(&vma->anon_vma->root->rwsem);
	if (vma->vm_mapping)
		up_write(&vma->vm_mapping->i_mmap_lock);
}
static void reverse_maps_out(struct vm_area_struct *vma)
{
	if (vma->vm_mapping)
		itree_remove(&vma->vm_mapping->i_mmap, &vma->i_mmap_node);
	if (vma->anon_vma)
		anon_vma_tree_pre_update(vma);
}
static void reverse_maps_in(struct vm_area_struct *vma)
{
	if (vma->vm_mapping)
		i_mmap_insert(vma);
	if (vma->anon_vma)
		anon_vma_tree_post_update(vma);
}

void vma_set_extent(struct vm_area_struct *vma, uaddr_t start, uaddr_t end,
		    uint64_t pgoff)
{
	reverse_maps_lock(vma);
	reverse_maps_out(vma);
	vma_tree_resize(vma->vm_mm, vma, start, end);
	vma->vm_pgoff = pgoff;
	reverse_maps_in(vma);
	reverse_maps_unlock(vma);
}

/*
 * A VMA that another one takes the place of, with its pages: first out of the
 * tree, then, when the other covers its place, out of the reverse maps, so that
 * whoever walks back from a page finds the one, the other or both, never none.
 */
static void vma_take_out(struct vm_area_struct *vma)
{
	vma_tree_remove(vma->vm_mm, vma);
	vma->vm_mm->map_count--;
}
static void vma_discard(struct vm_area_struct *vma)
{
	unlink_anon_vmas(vma);
	vma_unlink_file(vma);
	vm_area_free(vma);
}

/* ------------------------------------------------------------------ split */

int __split_vma(struct vm_area_struct *vma, uaddr_t addr, bool new_below)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t upper = linear_page_index(vma, addr);
	struct vm_area_struct *new;

	if (vma_tree_reserve(mm, 1))
		return -ENOMEM;
	new = vm_area_dup(vma);
	if (!new)
		return -ENOMEM;
	if (new_below) {
		new->vm_end = addr;
	} else {
		new->vm_start = addr;
		new->vm_pgoff = upper;
	}
	/*
	 * From here on a reverse walk may see both for a page of the new one;
	 * that does no harm, missing it would.
	 */
	if (anon_vma_clone(new, vma)) {
		vm_area_free(new);
		return -ENOMEM;
	}
	vma_link_file(new);
	if (new_below)
		vma_set_extent(vma, addr, vma->vm_end, upper);
	else
		vma_set_extent(vma, vma->vm_start, addr, vma->vm_pgoff);
	vma_tree_insert(mm, new);
	mm->map_count++;
	if (mm->map_count > mm->hiwater_map_count)
		mm->hiwater_map_count = mm->map_count;
	if (new->vm_ops &&new->vm_ops->open)
		new->vm_ops->open(new);
	return 0;
}

int split_vma(struct mm_struct *mm, struct vm_area_struct *vma, uaddr_t addr,
	      bool new_below)
{
	if (mm->map_count >= max_map_count(mm->q))
		return -ENOMEM;
	return __split_vma(vma, addr, new_below);
}

/* ------------------------------------------------------------------ merge */

/*
 * May two stretches with these anon_vmas be one VMA?  One without takes the
 * other's, unless a fork has chained that VMA to more than its own.  a or b
 * may be NULL: a new stretch.
 */
static bool anon_vma_mergeable(struct vm_area_struct *a,
			       struct vm_area_struct *b)
{
	struct anon_vma *x = a ? a->anon_vma : NULL;
	struct anon_vma *y = b ? b->anon_vma : NULL;

	if (x == y)
		return true;
	if (x && y)
		return false;
	return is_mergeable_anon_vma(x, y, x ? a : b);
}

static bool same_object(const struct vm_area_struct *vma,
			const struct vma_range *r)
{
	return !((vma->vm_flags ^ r->flags) & ~VM_SOFTDIRTY) &&
	       vma->vm_file == r->file && vma->vm_mapping == r->mapping &&
	       !(vma->vm_ops && vma->vm_ops->close) &&
	       !(vma->vm_flags & VM_SPECIAL);
}

/*
 * Which of a range's neighbours join it: the others are set to NULL.
 */
static void merge_neighbours(const struct vma_range *r,
			     struct vm_area_struct **prev,
			     struct vm_area_struct **next)
{
	struct vm_area_struct *p = *prev, *n = *next;
	unsigned long pages = (r->end - r->start) >> PAGE_SHIFT;

	if (p && (p->vm_end != r->start || !same_object(p, r) ||
		  p->vm_pgoff + vma_pages(p) != r->pgoff ||
		  !anon_vma_mergeable(p, r->src)))
		p = NULL;
	if (n &&
	    (n->vm_start != r->end || !same_object(n, r) ||
	     n->vm_pgoff != r->pgoff + pages || !anon_vma_mergeable(r->src, n)))
		n = NULL;
	if (p && n && !anon_vma_mergeable(p, n))
		n = NULL; /* the lower one has the preference */
	*prev = p;
	*next = n;
}

/* `to` gets from's family if it has none; 0 or -ENOMEM. */
static int take_anon_vma(struct vm_area_struct *to, struct vm_area_struct *from)
{
	if (to->anon_vma || !from->anon_vma)
		return 0;
	to->anon_vma = from->anon_vma;
	return anon_vma_clone(to, from);
}

bool vma_can_merge(const struct vma_range *r, struct vm_area_struct *prev,
		   struct vm_area_struct *next)
{
	merge_neighbours(r, &prev, &next);
	return prev || next;
}

struct vm_area_struct *vma_merge_new(const struct vma_range *r,
				     struct vm_area_struct *prev,
				     struct vm_area_struct *next)
{
	struct vm_area_struct *keep, *gone = NULL;
	uaddr_t start, end;
	uint64_t pgoff;

	merge_neighbours(r, &prev, &next);
	keep = prev ? prev : next;
	if (!keep)
		return NULL;
	if (prev && next) {
		gone = next;
		if (!prev->anon_vma && next->anon_vma) {
			keep = next;
			gone = prev;
		}
	}
	if (r->src && take_anon_vma(keep, r->src))
		return NULL;
	start = prev ? prev->vm_start : r->start;
	end = next ? next->vm_end : r->end;
	pgoff = prev ? prev->vm_pgoff : r->pgoff;
	if (gone) {
		WRITE_ONCE(keep->vm_flags,
			   keep->vm_flags | (gone->vm_flags & VM_SOFTDIRTY));
		vma_take_out(gone);
	}
	vma_set_extent(keep, start, end, pgoff);
	if (gone)
		vma_discard(gone);
	return keep;
}

/* All of vma joins with prev, next or both: the one with an anon_vma stays. */
static struct vm_area_struct *merge_whole(struct vm_area_struct *vma,
					  struct vm_area_struct *prev,
					  struct vm_area_struct *next,
					  vm_flags_t flags)
{
	struct vm_area_struct *all[3] = {prev, vma, next};
	struct vm_area_struct *first = prev ? prev : vma;
	struct vm_area_struct *last = next ? next : vma;
	struct vm_area_struct *keep = NULL;
	uaddr_t start = first->vm_start, end = last->vm_end;
	uint64_t pgoff = first->vm_pgoff;
	unsigned i;

	for (i = 0; i < 3 && !keep; i++)
		if (all[i] && all[i]->anon_vma)
			keep = all[i];
	if (!keep)
		keep = first;
	for (i = 0; i < 3; i++) {
		if (!all[i] || all[i] == keep)
			continue;
		flags |= all[i]->vm_flags & VM_SOFTDIRTY;
		vma_take_out(all[i]);
	}
	if (keep != vma)
		flags = keep->vm_flags | (flags & VM_SOFTDIRTY);
	vma_change_flags(keep, flags);
	vma_set_extent(keep, start, end, pgoff);
	for (i = 0; i < 3; i++)
		if (all[i] && all[i] != keep)
			vma_discard(all[i]);
	return keep;
}

/*
 * Neighbours of one object and family: the border between them moves, in one
 * step for whoever looks through the file or the family.
 */
static void vma_move_border(struct vm_area_struct *lower,
			    struct vm_area_struct *upper, uaddr_t border)
{
	struct mm_struct *mm = lower->vm_mm;
	struct vm_area_struct *family = lower->anon_vma ? lower : upper;
	uint64_t pgoff =
		lower->vm_pgoff + ((border - lower->vm_start) >> PAGE_SHIFT);

	/* one object, and one family if both have one */
	reverse_maps_lock(family);
	reverse_maps_out(lower);
	reverse_maps_out(upper);
	if (border > lower->vm_end) {
		vma_tree_resize(mm, upper, border, upper->vm_end);
		vma_tree_resize(mm, lower, lower->vm_start, border);
	} else {
		vma_tree_resize(mm, lower, lower->vm_start, border);
		vma_tree_resize(mm, upper, border, upper->vm_end);
	}
	upper->vm_pgoff = pgoff;
	reverse_maps_in(lower);
	reverse_maps_in(upper);
	reverse_maps_unlock(family);
}

struct vm_area_struct *vma_modify(struct vm_area_struct *vma, uaddr_t start,
				  uaddr_t end, vm_flags_t flags)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vma_range r = {start,
			      end,
			      flags,
			      vma->vm_file,
			      vma->vm_mapping,
			      linear_page_index(vma, start),
			      vma};
	struct vm_area_struct *prev = NULL, *next = NULL;

	if (start == vma->vm_start)
		prev = vma_prev(vma);
	if (end == vma->vm_end)
		next = vma_next(vma);
	merge_neighbours(&r, &prev, &next);
	if ((prev || next) && end - start == vma->vm_end - vma->vm_start)
		return merge_whole(vma, prev, next, flags);
	if (prev) {
		if (take_anon_vma(prev, vma))
			return NULL;
		vma_move_border(prev, vma, end);
		return prev;
	}
	if (next) {
		if (take_anon_vma(next, vma))
			return NULL;
		vma_move_border(vma, next, start);
		return next;
	}
	if (start > vma->vm_start && split_vma(mm, vma, start, true))
		return NULL;
	if (end < vma->vm_end && split_vma(mm, vma, end, false))
		return NULL;
	vma_change_flags(vma, flags);
	return vma;
}
