/* SPDX-License-Identifier: MIT */
/*
 * wp.c - a write to a page whose entry does not allow it, in a mapping that
 * does (F10).
 *
 *   what the entry maps                    answer
 *   ------------------------------------   ---------------------------------
 *   anonymous page, ours alone             wp_page_reuse: make it writable
 *   page of a shared writable mapping      wp_page_shared: ask, make writable
 *   frame without struct page, shared      wp_pfn_shared: ask, make writable
 *   anything else: page shared with other  wp_page_copy: a copy of our own
 *   processes, cache page in a private
 *   mapping, the zero page
 *
 * "Ours alone": fork has not shared the page since it was made or last taken
 * over (PG_anon_exclusive; pins do not matter then: they are on our page), or
 * one entry maps the page and that entry's reference is the only one.  A page
 * fresh from its first fault may also be held by a per-CPU LRU batch; ours is
 * emptied before the question is asked a second time.  The swap cache's
 * reference is got rid of if no other process has the page in swap
 * (reuse_swap_page).  A pin (get_user_pages) counts as somebody else: then we
 * copy, which is always right.
 *
 * Copying: the old entry is taken out and every TLB that may hold it flushed
 * before the new one goes in, so that at no moment two CPUs of this mm see
 * different pages.  Making writable needs no such flush: a CPU with the old
 * entry takes a spurious fault at worst.
 *
 * Locks: do_wp_page is entered with the entry's lock held, and releases it.
 */
#include "device.h"
#include "fault.h"
#include "filemap.h"
#include "rmap.h"
#include "swap.h"

/* Make the entry writable where it is; releases the lock. */
static __always_inline void wp_page_reuse(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	pte_t entry = pte_mkyoung(vmf->orig_pte);

	entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	if (ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, true))
		update_mmu_cache(vma, vmf->address, vmf->pte);
	count_vm_event(vma->vm_mm->q, VM_quire_cow_reuse);
	spin_unlock(vmf->ptl);
}

/*
 * The swap cache's reference is one that goes if no other process has the page
 * still in swap.  Who has it locked (or writes it) is let have it: we copy.
 */
static __cold_path bool wp_leave_swap_cache(struct quire *q, struct page *page)
{
	bool ours;

	if (!trylock_page(page))
		return false;
	ours = reuse_swap_page(q, page);
	unlock_page(page);
	return ours;
}

/* Is the entry's reference the only one?  The entry's lock is held. */
static __always_inline bool only_reference(struct quire *q, struct page *page)
{
	if (page_mapcount(page) != 1) {
		quire_step("other entries map the page too");
		return false;
	}
	/* acquire: who let go of it has done copying from it */
	if (likely(smp_load_acquire(&page->_refcount) == 1))
		return true;
	if (!PageFlag(page, PG_lru))
		lru_add_drain(q);
	if (PageFlag(page, PG_swapcache) && !wp_leave_swap_cache(q, page))
		return false;
	return smp_load_acquire(&page->_refcount) == 1;
}

/*
 * Take a page over that fork had shared, if nobody else has it now.  It may
 * still belong to an ancestor's anon_vma; from now on our own finds it, so that
 * a reverse walk need not visit the whole family.  Whoever walks holds the page
 * lock; when it is taken, the page stays where it is, which is right too.
 */
static __always_inline bool wp_make_exclusive(struct vm_area_struct *vma,
					      struct page *page)
{
	void *ours = (void *)((uintptr_t)vma->anon_vma | PAGE_MAPPING_ANON);

	if (!only_reference(vma->vm_mm->q, page))
		return false;
	quire_step("the entry's reference is the only one: ours from now on");
	SetPageFlag(page, PG_anon_exclusive);
	if (READ_ONCE(page->mapping) != ours && trylock_page(page)) {
		page_move_anon_rmap(page, vma);
		unlock_page(page);
	}
	return true;
}

/* Under the lock again: the copy takes the old page's place. */
static __always_inline void wp_install_copy(struct vm_fault *vmf,
					    struct page *old, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned cpu = quire_host_cpu();
	pte_t entry;

	entry = pte_mkyoung(mk_pte(mm->q, page, vma->vm_page_prot));
	entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	ptep_get_and_clear(mm, vmf->address, vmf->pte);
	flush_tlb_page(vma, vmf->address);
	new_anon_page(vma, page, vmf->address, mm->q, cpu);
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
	cpu_count(mm->q->cpu[cpu], VM_quire_cow_copy, 1);
	if (!old)
		return;
	dec_mm_counter(mm, PageAnon(old)		  ? MM_ANONPAGES
			   : PageFlag(old, PG_swapbacked) ? MM_SHMEMPAGES
							  : MM_FILEPAGES);
	munlock_vma_page(vma, old);
	page_remove_rmap(mm->q, old);
}

/* A page with the contents of what orig_pte maps; NULL: *ret says why not. */
static __always_inline struct page *
wp_make_copy(struct vm_fault *vmf, struct page *old, vm_fault_t *ret)
{
	struct quire *q = vmf->vma->vm_mm->q;
	struct page *page;

	*ret = VM_FAULT_OOM;
	if (unlikely(anon_vma_prepare(vmf->vma)))
		return NULL;
	page = alloc_page(q, GFP_HIGHUSER_MOVABLE);
	if (unlikely(!page))
		return NULL;
	if (likely(old)) {
		flush_user_dcache_page(q, old);
		copy_page(page_address(q, page), page_address(q, old));
	} else if (is_zero_pfn(q, pte_pfn(vmf->orig_pte))) {
		clear_page(page_address(q, page));
	} else {
		quire_step("a device's frame: read at the device's address");
		fault_kind(vmf, QF_COW_COPY);
		if (copy_frame(vmf->vma, pte_pfn(vmf->orig_pte), page)) {
			put_page(q, page);
			*ret = VM_FAULT_SIGBUS;
			return NULL;
		}
	}
	flush_dcache_page(q, page);
	return page;
}

/*
 * old: the page that the entry maps, with a reference of ours, or NULL for one
 * that has none (the zero page).  No lock held.
 */
static __always_inline vm_fault_t wp_page_copy(struct vm_fault *vmf,
					       struct page *old)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	struct quire *q = mm->q;
	uint32_t refs = 1; /* of old: ours; the entry's when it is replaced */
	struct page *page;
	bool installed;
	vm_fault_t ret;

	fault_kind(vmf, old ? QF_COW_COPY : QF_COW_ZERO);
	page = wp_make_copy(vmf, old, &ret);
	if (unlikely(!page))
		goto put_old;
	spin_lock(vmf->ptl);
	installed = pte_same(ptep_get(vmf->pte), vmf->orig_pte);
	if (likely(installed))
		wp_install_copy(vmf, old, page);
	else
		quire_step("the entry has changed meanwhile: copy given back");
	spin_unlock(vmf->ptl);
	ret = 0;
	if (likely(installed))
		refs = 2;
	else
		put_page(q, page);
put_old:
	if (old)
		put_page_many(q, old, refs);
	return ret;
}

/*
 * A frame of a device, shared: nobody keeps books of it, but its owner may want
 * to know.
 */
static vm_fault_t wp_pfn_shared(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	vm_fault_t ret;

	fault_kind(vmf, QF_MKWRITE);
	if (!vma->vm_ops || !vma->vm_ops->pfn_mkwrite) {
		wp_page_reuse(vmf);
		return 0;
	}
	quire_step("a device's frame: its owner is asked, then it is writable");
	vmf->pgoff = linear_page_index(vma, vmf->address);
	vmf->prealloc_pte = NULL; /* the table is there */
	spin_unlock(vmf->ptl);
	ret = vma->vm_ops->pfn_mkwrite(vmf);
	if (ret)
		return ret & ~(vm_fault_t)VM_FAULT_NOPAGE;
	spin_lock(vmf->ptl);
	if (pte_same(ptep_get(vmf->pte), vmf->orig_pte))
		wp_page_reuse(vmf);
	else
		spin_unlock(vmf->ptl);
	return 0;
}

/*
 * A page of a shared writable mapping.  Its owner is asked with no page-table
 * lock held, so the entry is compared again afterwards.
 */
static vm_fault_t wp_page_shared(struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	vm_fault_t ret;

	fault_kind(vmf, QF_MKWRITE);
	quire_step("shared memory: its owner is asked, then it is writable");
	vmf->page = page;
	vmf->pgoff = linear_page_index(vma, vmf->address);
	get_page(page);
	spin_unlock(vmf->ptl);
	if (vma->vm_ops && vma->vm_ops->page_mkwrite) {
		ret = do_page_mkwrite(vmf);
		if (!(ret & VM_FAULT_LOCKED))
			goto put; /* refused, or the page left its file */
	} else {
		lock_page(page);
	}
	spin_lock(vmf->ptl);
	if (pte_same(ptep_get(vmf->pte), vmf->orig_pte)) {
		wp_page_reuse(vmf);
		ret = fault_dirty_shared_page(vmf);
	} else {
		spin_unlock(vmf->ptl);
		unlock_page(page);
		ret = 0;
	}
put:
	put_page(q, page);
	return ret;
}

vm_fault_t do_wp_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct page *page = vm_normal_page(vma, vmf->orig_pte);
	bool shared = (vma->vm_flags & (VM_WRITE | VM_SHARED)) ==
		      (VM_WRITE | VM_SHARED);

	if (unlikely(!page)) {
		if (shared)
			return wp_pfn_shared(vmf);
		quire_step("the zero page or a device's: a page of its own");
		spin_unlock(vmf->ptl);
		return wp_page_copy(vmf, NULL);
	}
	if (likely(PageAnon(page))) {
		if (PageFlag(page, PG_anon_exclusive) ||
		    wp_make_exclusive(vma, page)) {
			quire_step("the page is ours alone: reuse it");
			fault_kind(vmf, QF_COW_REUSE);
			wp_page_reuse(vmf);
			return 0;
		}
	} else if (shared) {
		return wp_page_shared(vmf, page);
	}
	quire_step("the page is shared: copy it");
	get_page(page);
	spin_unlock(vmf->ptl);
	return wp_page_copy(vmf, page);
}
