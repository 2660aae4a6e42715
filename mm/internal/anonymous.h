/* SPDX-License-Identifier: MIT */
/*
 * anonymous.h - the first touch of private memory that no file backs (F4).
 *
 *   read    entry -> the zero page, read-only and special: it has no reverse
 *           map, is counted nowhere, and the first write makes a copy (wp.c)
 *   write   entry -> a fresh zeroed page, dirty and writable, known to the
 *           VMA's anon_vma and to the LRU
 *
 * The first write is what faults are most often about, so it is here in line:
 * it becomes part of handle_user_fault().  The rest is in mm/anonymous.c.
 *
 * Locks: mmap_lock for read on entry.  All that can fail or sleep (table,
 * anon_vma, page) comes before the entry's lock.
 */
#ifndef QUIRE_MM_ANONYMOUS_H
#define QUIRE_MM_ANONYMOUS_H

#include "fault.h"
#include "rmap.h"

/*
 * mm/anonymous.c: the cases that are not the first write.  address is the
 * page's, ptep its entry (the table is there).
 *
 * anon_map_zero_page: a read.  anon_odd_write: a write to locked memory, or one
 * that is forced.  anon_make_table: the entry, in a table made now, or NULL: no
 * memory.  anon_give_up: the entry was filled by another fault, or may not be:
 * ptl, its lock, is held, and page is not used.  The middle two may sleep.
 */
vm_fault_t anon_map_zero_page(struct vm_area_struct *vma, uaddr_t address,
			      pmd_t *pmd, pte_t *ptep);
vm_fault_t anon_odd_write(struct vm_area_struct *vma, uaddr_t address,
			  pmd_t *pmd, pte_t *ptep);
pte_t *anon_make_table(struct mm_struct *mm, uaddr_t address, pmd_t *pmd);
vm_fault_t anon_give_up(struct mm_struct *mm, pte_t *ptep, spinlock_t *ptl,
			struct page *page);

/* table: what the pmd holds; odd: the VMA is not just writable. */
static __always_inline vm_fault_t anon_write(struct vm_area_struct *vma,
					     struct mm_struct *mm,
					     uaddr_t address, pmd_t table,
					     pte_t *ptep, bool odd)
{
	struct quire *q = mm->q;
	struct quire_cpu *c;
	struct page *page;
	spinlock_t *ptl;
	unsigned cpu;
	uint64_t pfn;
	pte_t entry;

	if (unlikely(anon_vma_prepare(vma)))
		return VM_FAULT_OOM;
	page = alloc_page(q, GFP_HIGHUSER_MOVABLE);
	if (unlikely(!page))
		return VM_FAULT_OOM;
	pfn = page_to_pfn(q, page);
	clear_page(phys_to_virt(q, (paddr_t)pfn << PAGE_SHIFT));
	entry = pte_mkdirty(pfn_pte(pfn, vma->vm_page_prot));
	entry = odd ? maybe_mkwrite(entry, vma) : pte_mkwrite(entry);

	ptl = pte_lockptr(q, table);
	spin_lock(ptl);
	if (unlikely(!pte_none(ptep_get(ptep)) || READ_ONCE(mm->oom_reaped)))
		return anon_give_up(mm, ptep, ptl, page);
	cpu = quire_host_cpu();
	c = q->cpu[cpu];
	mm_counter_on(mm, cpu, MM_ANONPAGES, 1);
	cpu_count(c, VM_quire_anon_write, 1);
	add_new_anon_page(vma, page, address, q, c);
	if (odd)
		mlock_vma_page(vma, page);
	set_pte_at(mm, address, ptep, entry);
	update_mmu_cache(vma, address, ptep);
	spin_unlock(ptl);
	return 0;
}

/*
 * pmd, ptep: where the entry is, and NULL where there is no table yet; table:
 * what pmd held.  There is no struct vm_fault: all of it stays in registers.
 */
static __always_inline vm_fault_t do_anonymous_page(
	struct vm_area_struct *vma, struct mm_struct *mm, uaddr_t address,
	unsigned flags, pmd_t *pmd, pmd_t table, pte_t *ptep, uint8_t *kind)
{
	if (unlikely(!ptep)) {
		ptep = anon_make_table(mm, address, pmd);
		if (!ptep)
			return VM_FAULT_OOM;
		table = pmdp_get(pmd);
	}
	if (unlikely(!(flags & FAULT_FLAG_WRITE))) {
		quire_step("only read: the zero page will do");
		note_fault_kind(kind, QF_ZERO_READ);
		return anon_map_zero_page(vma, address, pmd, ptep);
	}
	quire_step("written: a zeroed page of its own");
	note_fault_kind(kind, QF_ANON_WRITE);
	if (unlikely((vma->vm_flags & (VM_SHARED | VM_LOCKED | VM_WRITE)) !=
		     VM_WRITE))
		return anon_odd_write(vma, address, pmd, ptep);
	return anon_write(vma, mm, address, table, ptep, false);
}

#endif
