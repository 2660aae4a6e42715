/* SPDX-License-Identifier: MIT */
/*
 * mincore.c - which pages of a range are in memory (M2).
 *
 * A page counts when an entry maps it (the zero page too, and whatever its
 * protection), or when its file's cache, or the swap cache, has it up to date.
 *
 * Locks: mmap_lock for read, each table's lock, then the cache's.
 */
#include "fault.h"
#include "filemap.h"
#include "swap.h"

/* A page from some cache (NULL: it has none): can it be used at once? */
static unsigned char usable(struct quire *q, struct page *page)
{
	unsigned char in;

	if (!page)
		return 0;
	in = PageUptodate(page);
	put_page(q, page);
	return in;
}

/* What pte does not map. */
static unsigned char cached(struct vm_area_struct *vma, uaddr_t addr, pte_t pte)
{
	struct quire *q = vma->vm_mm->q;
	swp_entry_t entry;

	if (!pte_none(pte)) {
		entry = pte_to_swp_entry(pte);
		if (swap_entry_is_slot(entry))
			return usable(q, swap_cache_get(q, entry));
		/* (what is in no swap area is somewhere in memory) */
		if (!is_pte_marker_entry(entry))
			return 1;
	}
	if (!vma->vm_mapping)
		return 0;
	return usable(q, shmem_value_cached(vma->vm_mapping,
					    linear_page_index(vma, addr)));
}

/* The part of a VMA that one table maps (or would map). */
static void mincore_table(struct vm_area_struct *vma, uaddr_t addr, uaddr_t end,
			  unsigned char *vec)
{
	struct quire *q = vma->vm_mm->q;
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	spinlock_t *ptl = NULL;
	pte_t *ptep = NULL, pte = __pte(0);

	if (pmd) {
		ptl = pte_lockptr(q, pmdp_get(pmd));
		spin_lock(ptl);
		ptep = pte_offset_map(q, pmd, addr);
	}
	for (; addr < end; addr += (uaddr_t)PAGE_SIZE) {
		if (ptep)
			pte = ptep_get(ptep++);
		*vec++ = pte_present(pte) || cached(vma, addr, pte);
	}
	if (pmd)
		spin_unlock(ptl);
}

int quire_mincore(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
		  unsigned char *vec)
{
	struct vm_area_struct *vma;
	uaddr_t end, to;
	int err = 0;

	if (!IS_ALIGNED(addr, (uaddr_t)PAGE_SIZE))
		return -EINVAL;
	if (addr > mm->task_size || len > mm->task_size - addr)
		return -ENOMEM;
	end = addr + PAGE_ALIGN(len);
	down_read(&mm->mmap_lock);
	for (; addr < end; addr = to) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start > addr) {
			err = -ENOMEM;
			break;
		}
		to = pmd_addr_end(addr, MIN(end, vma->vm_end));
		mincore_table(vma, addr, to, vec);
		vec += (to - addr) >> PAGE_SHIFT;
	}
	up_read(&mm->mmap_lock);
	return err;
}
