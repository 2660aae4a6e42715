/* SPDX-License-Identifier: MIT */
/*
 * move_tables.c - mremap's move of pages: their entries go to other addresses.
 *
 *   old table   [..][ A ][ B ][..]        per piece that lies in one table on
 *                     |    |              either side: both locks, move, flush
 *   new table   [ A ][ B ][..][..]
 *
 * The two VMAs share file or anon_vma, and the new one's vm_pgoff is such that
 * each page keeps its index; so a reverse walk finds a page at either place.
 * While entries are on the way it must not look: the file's and the family's
 * locks are held, as by split and merge.
 *
 * Locks: mmap_lock for write; i_mmap_lock, anon_vma, both tables' locks.
 */
#include "fault.h"
#include "filemap.h"
#include "rmap.h"
#include "vma.h"
#include <asm/tlb.h>

/* The entry of addr's lowest table, made if absent; NULL: out of memory. */
static pmd_t *alloc_new_pmd(struct mm_struct *mm, uaddr_t addr)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;
	pmd_t *pmd = pud ? pmd_alloc(mm, pud, addr) : NULL;

	if (!pmd || (pmd_none(pmdp_get(pmd)) && __pte_alloc(mm, pmd)))
		return NULL;
	return pmd;
}

/* len bytes, within one table on each side. */
static void move_ptes(struct vm_area_struct *vma, pmd_t *old_pmd, uaddr_t old,
		      pmd_t *new_pmd, uaddr_t new, uaddr_t len)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *old_ptl = pte_lockptr(mm->q, pmdp_get(old_pmd));
	spinlock_t *new_ptl = pte_lockptr(mm->q, pmdp_get(new_pmd));
	uaddr_t lo = ~(uaddr_t)0, hi = 0, end = old + len, addr;
	pte_t *from, *to, pte;

	reverse_maps_lock(vma);
	spin_lock(old_ptl);
	if (new_ptl != old_ptl)
		spin_lock(new_ptl);
	from = pte_offset_map(mm->q, old_pmd, old);
	to = pte_offset_map(mm->q, new_pmd, new);
	for (addr = old; addr < end; addr += (uaddr_t)PAGE_SIZE,
	    new += (uaddr_t)PAGE_SIZE, from++, to++) {
		if (pte_none(ptep_get(from)))
			continue;
		pte = ptep_get_and_clear(mm, addr, from);
		if (pte_present(pte)) {
			/* what is there now was not before: that is a change */
			pte = pte_mksoft_dirty(pte);
			lo = MIN(lo, addr);
			hi = addr + (uaddr_t)PAGE_SIZE;
		} else {
			pte = pte_swp_mksoft_dirty(pte);
		}
		set_pte_at(mm, new, to, pte);
	}
	/*
	 * Before the locks go: from then on the page can be taken away at its
	 * new place, where no flush would reach the old one.
	 */
	if (hi)
		flush_tlb_range(vma, lo, hi);
	if (new_ptl != old_ptl)
		spin_unlock(new_ptl);
	spin_unlock(old_ptl);
	reverse_maps_unlock(vma);
}

uaddr_t move_page_tables(struct vm_area_struct *vma, uaddr_t old, uaddr_t new,
			 uaddr_t len)
{
	struct mm_struct *mm = vma->vm_mm;
	uaddr_t done, n, end = old + len;
	pmd_t *old_pmd, *new_pmd;

	for (done = 0; done < len; done += n) {
		n = pmd_addr_end(old + done, end) - (old + done);
		old_pmd = mm_find_pmd(mm, old + done);
		if (!old_pmd)
			continue;
		n = MIN(n, PMD_SIZE - ((new + done) & ~PMD_MASK));
		new_pmd = alloc_new_pmd(mm, new + done);
		if (!new_pmd)
			break;
		move_ptes(vma, old_pmd, old + done, new_pmd, new + done, n);
	}
	return done;
}
