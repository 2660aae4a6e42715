/* SPDX-License-Identifier: MIT */
/*
 * munmap.c - taking mappings away (M2, Z1).
 *
 *   prepare   split at both ends, add up           may fail; nothing is lost
 *   commit    clear the entries                    cannot fail
 *             unlink from families and files       (no reverse walk comes now)
 *             free the table pages between the neighbours that stay
 *             flush, then free the pages
 *             free the VMAs
 *
 * mmap with MAP_FIXED, mremap and brk use the same two steps with their own
 * allocations in between, so that a failure leaves the old mapping alone.
 *
 * Locks: mmap_lock for write.
 */
#include "fault.h"
#include "gather.h"
#include "rmap.h"
#include "vma.h"

int unmap_prepare(struct mm_struct *mm, uaddr_t start, uaddr_t end,
		  struct unmap_plan *u)
{
	struct vm_area_struct *vma;

	u->mm = mm;
	u->start = start;
	u->end = end;
	u->pages = 0;
	u->accounted = 0;
	vma = find_vma_prev(mm, start, &u->prev);
	u->first = NULL;
	u->next = vma;
	if (!vma || vma->vm_start >= end)
		return 0;
	if (vma->vm_start < start) {
		/* a hole in its middle makes one VMA more, a cut end does not
		 */
		if (vma->vm_end > end && mm->map_count >= max_map_count(mm->q))
			return -ENOMEM;
		if (__split_vma(vma, start, true))
			return -ENOMEM;
		u->prev = vma_prev(vma);
	}
	u->first = vma;
	for (; vma && vma->vm_start < end; vma = vma_next(vma)) {
		if (vma->vm_end > end && __split_vma(vma, end, false))
			return -ENOMEM;
		u->pages += vma_pages(vma);
		if (vma->vm_flags & VM_ACCOUNT)
			u->accounted += vma_pages(vma);
	}
	u->next = vma;
	return 0;
}

/* The VMA after vma in the plan, or u->next; most often there is but one. */
static struct vm_area_struct *plan_next(const struct unmap_plan *u,
					struct vm_area_struct *vma)
{
	return vma->vm_end < u->end ? vma_next(vma) : u->next;
}

/* Free the tables that lie wholly between what stays below and above. */
static void unmap_tables(struct mmu_gather *tlb, const struct unmap_plan *u)
{
	uaddr_t floor = u->prev ? u->prev->vm_end : 0;
	uaddr_t ceiling = u->next ? u->next->vm_start : 0;

	if (plan_next(u, u->first) == u->next)
		free_pgd_range(tlb, u->first->vm_start, u->first->vm_end, floor,
			       ceiling);
	else
		free_pgtables(tlb, u->first, floor, ceiling);
}

void unmap_commit(struct unmap_plan *u)
{
	struct mm_struct *mm = u->mm;
	struct vm_area_struct *vma, *next;
	struct mmu_gather tlb;

	if (!u->first)
		return;
	lru_add_drain(mm->q);
	update_hiwater_rss(mm);
	update_hiwater_vm(mm);
	tlb_gather_mmu(&tlb, mm);
	unmap_vmas(&tlb, u->first, u->start, u->end);
	for (vma = u->first; vma != u->next; vma = plan_next(u, vma)) {
		unlink_anon_vmas(vma);
		vma_unlink_file(vma);
	}
	unmap_tables(&tlb, u);
	tlb_finish_mmu(&tlb);
	for (vma = u->first; vma != u->next; vma = next) {
		long pages = (long)vma_pages(vma);

		next = plan_next(u, vma);
		if (vma->vm_flags & VM_LOCKED)
			mm->locked_vm -= (unsigned long)pages;
		vm_stat_account(mm, vma->vm_flags, -pages);
		vma_tree_remove(mm, vma);
		mm->map_count--;
		if (vma->vm_ops && vma->vm_ops->close)
			vma->vm_ops->close(vma);
		vm_area_free(vma);
	}
	vm_unacct_memory(mm->q, (long)u->accounted);
	u->first = NULL;
}

int do_munmap_locked(struct mm_struct *mm, uaddr_t start, uaddr_t len)
{
	struct unmap_plan u;

	if (!IS_ALIGNED(start, (uaddr_t)PAGE_SIZE) || start > mm->task_size ||
	    len > mm->task_size - start)
		return -EINVAL;
	len = PAGE_ALIGN(len);
	if (!len)
		return -EINVAL;
	if (unmap_prepare(mm, start, start + len, &u))
		return -ENOMEM;
	unmap_commit(&u);
	return 0;
}

int quire_munmap(struct mm_struct *mm, uaddr_t addr, uaddr_t len)
{
	int err = down_write_killable(&mm->mmap_lock);

	if (!err) {
		err = do_munmap_locked(mm, addr, len);
		up_write(&mm->mmap_lock);
	}
	TRACE_MAP(mm, .type = QE_MUNMAP, .addr = addr, .len = len,
		  .result = err);
	return err;
}
