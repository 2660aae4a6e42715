/* SPDX-License-Identifier: MIT */
/*
 * mlock_page.c - pages that must stay, to reclaim (R6).
 *
 *   entry in a VM_LOCKED VMA appears, or the VMA becomes so    mlocks + 1
 *   entry goes, or the VMA is VM_LOCKED no more                mlocks - 1
 *
 *        mlocks 0 -> 1: PG_mlocked, PG_unevictable ("culled")
 *   lists of its kind  ------------------------------->  unevictable list
 *                      <-------------------------------
 *        mlocks 1 -> 0: "rescued"
 *
 * The count is exact: page->mlocks is the number of entries in VM_LOCKED VMAs
 * that map the page.  An entry and its count change under the entry's lock; a
 * VMA's flag and its entries' counts change with the file's and the family's
 * locks held for write, so that neither reclaim nor a truncation is between
 * them.
 *
 * The list is for the sake of time, and the figures: what makes a page stay is
 * try_to_unmap()'s look at the VMA, under the entry's lock.  A page that
 * reclaim has taken off its list when it is locked goes to the right one when
 * it comes back.
 *
 * Locks: node.lru_lock guards mlocks and both flags.
 */
#include "fault.h"
#include "reclaim.h"
#include "rmap.h"
#include "vma.h"

void mlock_page(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];

	spin_lock(&n->lru_lock);
	if (page->mlocks++ == 0) {
		SetPageFlag(page, PG_mlocked);
		mod_vmstat(q, VM_nr_mlock, 1);
		count_vm_event(q, VM_unevictable_pgs_mlocked);
		lru_set_unevictable(q, n, page, true);
	}
	spin_unlock(&n->lru_lock);
}

void munlock_page(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];

	spin_lock(&n->lru_lock);
	QUIRE_BUG_ON(page->mlocks == 0);
	if (--page->mlocks == 0) {
		ClearPageFlag(page, PG_mlocked);
		mod_vmstat(q, VM_nr_mlock, -1);
		count_vm_event(q, VM_unevictable_pgs_munlocked);
		lru_set_unevictable(q, n, page, false);
	}
	spin_unlock(&n->lru_lock);
}

/* The entries of [addr, end), which one table has. */
static void count_table(struct vm_area_struct *vma, pmd_t *pmd, uaddr_t addr,
			uaddr_t end, bool lock)
{
	struct quire *q = vma->vm_mm->q;
	spinlock_t *ptl = pte_lockptr(q, pmdp_get(pmd));
	struct page *page;
	pte_t *ptep, pte;

	spin_lock(ptl);
	ptep = pte_offset_map(q, pmd, addr);
	for (; addr < end; addr += (uaddr_t)PAGE_SIZE, ptep++) {
		pte = ptep_get(ptep);
		page = pte_present(pte) ? vm_normal_page(vma, pte) : NULL;
		if (!page)
			continue;
		if (lock)
			mlock_page(q, page);
		else
			munlock_page(q, page);
	}
	spin_unlock(ptl);
}

void vma_change_locked(struct vm_area_struct *vma, vm_flags_t flags)
{
	uaddr_t addr, next;
	pmd_t *pmd;

	reverse_maps_lock(vma);
	vma_change_flags(vma, flags);
	for (addr = vma->vm_start; addr < vma->vm_end; addr = next) {
		next = pmd_addr_end(addr, vma->vm_end);
		pmd = mm_find_pmd(vma->vm_mm, addr);
		if (pmd && !pmd_none(pmdp_get(pmd)))
			count_table(vma, pmd, addr, next,
				    (flags & VM_LOCKED) != 0);
	}
	reverse_maps_unlock(vma);
}
