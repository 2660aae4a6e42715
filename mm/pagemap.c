/* SPDX-License-Identifier: MIT */
/*
 * pagemap.c - each page's state for programs that look (M5): pagemap and
 * clear_refs of proc(5).
 *
 *   63 present   62 swapped   61 file or shared   56 mapped once   55
 * soft-dirty 54..0 frame number (to CAP_SYS_ADMIN only), or swap type and
 * offset
 *
 * Soft-dirty: clear_refs(4) takes the bit and the write permission from every
 * entry, and VM_SOFTDIRTY from every VMA; the next write faults and sets the
 * bit again, and a VMA made since then counts as dirty as a whole.
 *
 * Locks: mmap_lock, for write in clear_refs; each table's lock.
 */
#include "fault.h"
#include "vma.h"
#include <asm/tlb.h>

#define PM_PRESENT    (1ull << 63)
#define PM_SWAP	      (1ull << 62)
#define PM_FILE	      (1ull << 61)
#define PM_EXCLUSIVE  (1ull << 56)
#define PM_SOFT_DIRTY (1ull << 55)
#define PM_FRAME_MASK ((1ull << 55) - 1)

/* What may be written to clear_refs. */
#define CLEAR_REFS_ALL	       1
#define CLEAR_REFS_ANON	       2
#define CLEAR_REFS_MAPPED      3
#define CLEAR_REFS_SOFT_DIRTY  4
#define CLEAR_REFS_HIWATER_RSS 5

static uint64_t pagemap_entry(struct vm_area_struct *vma, pte_t pte,
			      bool frames)
{
	uint64_t e = 0;

	if (pte_present(pte)) {
		struct page *page = vm_normal_page(vma, pte);

		e |= PM_PRESENT;
		if (frames)
			e |= pte_pfn(pte) & PM_FRAME_MASK;
		if (pte_soft_dirty(pte))
			e |= PM_SOFT_DIRTY;
		if (page && !PageAnon(page))
			e |= PM_FILE;
		if (page && page_mapcount(page) == 1)
			e |= PM_EXCLUSIVE;
	} else if (is_swap_pte(pte)) {
		swp_entry_t swp = pte_to_swp_entry(pte);

		e |= PM_SWAP;
		if (frames)
			e |= (swp_type(swp) | swp_offset(swp) << 5) &
			     PM_FRAME_MASK;
		if (pte_swp_soft_dirty(pte))
			e |= PM_SOFT_DIRTY;
	}
	if (vma->vm_flags & VM_SOFTDIRTY)
		e |= PM_SOFT_DIRTY;
	return e;
}

/* [addr, end) lies in vma, within what one lowest table maps. */
static void pagemap_table(struct vm_area_struct *vma, uaddr_t addr, uaddr_t end,
			  bool frames, uint64_t *out)
{
	struct quire *q = vma->vm_mm->q;
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	spinlock_t *ptl = NULL;
	pte_t *ptep = NULL;

	if (pmd) {
		ptl = pte_lockptr(q, pmdp_get(pmd));
		spin_lock(ptl);
		ptep = pte_offset_map(q, pmd, addr);
	}
	for (; addr < end; addr += (uaddr_t)PAGE_SIZE)
		*out++ = pagemap_entry(vma, ptep ? ptep_get(ptep++) : __pte(0),
				       frames);
	if (pmd)
		spin_unlock(ptl);
}

size_t quire_pagemap(struct mm_struct *mm, uaddr_t addr, size_t n,
		     uint64_t *out)
{
	const struct quire_task *task = quire_host_current();
	bool frames = task && task->cap_sys_admin;
	struct vm_area_struct *vma;
	uaddr_t end, next;

	addr &= PAGE_MASK;
	if (addr >= mm->task_size)
		return 0;
	n = MIN(n, (size_t)((mm->task_size - addr) >> PAGE_SHIFT));
	end = addr + ((uaddr_t)n << PAGE_SHIFT);
	down_read(&mm->mmap_lock);
	for (; addr < end; addr = next) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start > addr) {
			next = vma ? MIN(end, vma->vm_start) : end;
			memset(out, 0,
			       ((next - addr) >> PAGE_SHIFT) * sizeof(*out));
		} else {
			next = pmd_addr_end(addr, MIN(end, vma->vm_end));
			pagemap_table(vma, addr, next, frames, out);
		}
		out += (next - addr) >> PAGE_SHIFT;
	}
	up_read(&mm->mmap_lock);
	return n;
}

/* ------------------------------------------------------------ clear_refs */

static void clear_one(struct vm_area_struct *vma, uaddr_t addr, pte_t *ptep,
		      bool soft)
{
	pte_t pte = ptep_get(ptep);
	struct page *page;

	if (soft && is_swap_pte(pte)) {
		set_pte_at(vma->vm_mm, addr, ptep,
			   pte_swp_clear_soft_dirty(pte));
		return;
	}
	if (!pte_present(pte))
		return;
	if (soft) {
		pte = ptep_modify_prot_start(vma, addr, ptep);
		pte = pte_clear_soft_dirty(pte_wrprotect(pte));
		ptep_modify_prot_commit(vma, addr, ptep, pte);
		return;
	}
	(void)ptep_test_and_clear_young(vma, addr, ptep);
	page = vm_normal_page(vma, pte);
	if (page)
		ClearPageFlag(page, PG_referenced);
}

static void clear_refs_vma(struct vm_area_struct *vma, bool soft)
{
	struct quire *q = vma->vm_mm->q;
	uaddr_t addr = vma->vm_start, next;
	spinlock_t *ptl;
	pmd_t *pmd;
	pte_t *ptep;

	for (; addr < vma->vm_end; addr = next) {
		next = pmd_addr_end(addr, vma->vm_end);
		pmd = mm_find_pmd(vma->vm_mm, addr);
		if (!pmd)
			continue;
		ptl = pte_lockptr(q, pmdp_get(pmd));
		spin_lock(ptl);
		ptep = pte_offset_map(q, pmd, addr);
		for (; addr < next; addr += (uaddr_t)PAGE_SIZE)
			clear_one(vma, addr, ptep++, soft);
		spin_unlock(ptl);
	}
}

int quire_clear_refs(struct mm_struct *mm, int what)
{
	bool soft = what == CLEAR_REFS_SOFT_DIRTY;
	struct vm_area_struct *vma;
	int err;

	if (what < CLEAR_REFS_ALL || what > CLEAR_REFS_HIWATER_RSS)
		return -EINVAL;
	err = down_write_killable(&mm->mmap_lock);
	if (err)
		return err;
	if (what == CLEAR_REFS_HIWATER_RSS) {
		mm->hiwater_rss = get_mm_rss(mm);
		goto unlock;
	}
	for_each_vma (mm, vma) {
		if (what == CLEAR_REFS_ANON && vma->vm_mapping)
			continue;
		if (what == CLEAR_REFS_MAPPED && !vma->vm_mapping)
			continue;
		if (soft)
			vma_change_flags(vma, vma->vm_flags & ~VM_SOFTDIRTY);
		clear_refs_vma(vma, soft);
	}
	/* what a TLB still has would hide the next access or write */
	flush_tlb_mm(mm);
unlock:
	up_write(&mm->mmap_lock);
	return err;
}
