/* SPDX-License-Identifier: MIT */
/*
 * swap_fault.c - an entry that names a slot of a swap area (F11, F12).
 *
 *   in the swap cache?
 *     yes                      minor fault, even if its read is still under way
 *     no: read it              MAJOR.  A device that answers at once gives this
 *                              page alone; any other its neighbours as well
 *   lock it (RETRY: waited for without the mmap_lock)
 *   look again: is it the entry's page still, is the entry the same, was it
 *   read?  Else: repeat the access; or SIGBUS for what could not be read
 *   install: counters, rmap, the bits that the entry kept; the slot has one
 *   user less, and is freed if that was the last and it is in the way
 *   a write that may not simply be done: do_wp_page
 *
 * The entry was read without its lock, so its slot may have been freed, used
 * for another page, even its area switched off meanwhile.  What is found by it
 * may therefore be anything; only that the entry is still the same, under its
 * lock, with the page locked and in the cache for it, says that it is ours: as
 * long as the entry is there the slot has a user, and stays what it is.
 *
 * A device that answers at once goes through the cache too: being the slot's
 * page is what keeps a second reader off, and the slot from being freed and
 * used again under the first.  That costs a field of the slot, written twice;
 * what would be in the way, a page and its copy in the device's memory, is not:
 * the slot is given up in the same fault.
 *
 * Locks: mmap_lock for read on entry; page lock, then the entry's lock.
 */
#include "fault.h"
#include "filemap.h"
#include "reclaim.h"
#include "rmap.h"
#include "special.h"
#include "swap_area.h"

void print_bad_pte(struct vm_area_struct *vma, uaddr_t addr, pte_t pte,
		   struct page *page)
{
	quire_printk(1, "BUG: bad page table entry in mm %u: pte %llx",
		     vma->vm_mm->id, (unsigned long long)pte_val(pte));
	quire_printk(1,
		     "  addr %llx vm_start %llx vm_flags %llx anon_vma %p "
		     "pgoff %llx",
		     (unsigned long long)addr,
		     (unsigned long long)vma->vm_start,
		     (unsigned long long)vma->vm_flags, (void *)vma->anon_vma,
		     (unsigned long long)linear_page_index(vma, addr));
	if (page)
		quire_printk(1, "  page flags %x refcount %u mapcount %u",
			     READ_ONCE(page->flags), page_count(page),
			     page_mapcount(page));
}

/* Take the entry's lock; false, and not taken: it has changed meanwhile. */
static bool lock_same_entry(struct vm_fault *vmf)
{
	vmf->ptl = pte_lockptr(vmf->vma->vm_mm->q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (likely(pte_same(ptep_get(vmf->pte), vmf->orig_pte)))
		return true;
	spin_unlock(vmf->ptl);
	quire_step("the entry has changed meanwhile: look again");
	return false;
}

vm_fault_t bad_swap_entry(struct vm_fault *vmf)
{
	bool good;

	if (!lock_same_entry(vmf))
		return 0;
	/* its slot may have been freed, and given to the same page again */
	good = swap_entry_valid(vmf->vma->vm_mm->q,
				pte_to_swp_entry(vmf->orig_pte));
	spin_unlock(vmf->ptl);
	if (good)
		return 0;
	quire_step("nobody wrote such an entry: it is bad");
	print_bad_pte(vmf->vma, vmf->address, vmf->orig_pte, NULL);
	return VM_FAULT_SIGBUS;
}

/*
 * The entry's page, perhaps still under read, with a reference; *since: when
 * that was begun.  NULL: *ret, which gets MAJOR too, says why there is none.
 */
static struct page *swap_fault_page(struct vm_fault *vmf, swp_entry_t entry,
				    uint64_t *since, vm_fault_t *ret)
{
	struct quire *q = vmf->vma->vm_mm->q;
	struct page *page = swap_cache_get(q, entry);
	enum swap_found found;

	if (page) {
		quire_step("in the swap cache");
		swap_readahead_hit(q, page, entry, vmf->vma, vmf->address);
		return page;
	}
	if (!swap_entry_valid(q, entry)) {
		*ret = bad_swap_entry(vmf);
		return NULL;
	}
	quire_step("not in memory: it is read from swap");
	*since = quire_host_time_ns();
	page = swapin_readahead(q, entry, GFP_HIGHUSER_MOVABLE, vmf->vma,
				vmf->address, &found);
	if (found == SWAP_FRESH)
		*ret = VM_FAULT_MAJOR;
	if (page)
		return page;
	if (found == SWAP_GONE) {
		/* (perhaps to be given to the same page again) */
		quire_step("its slot was freed meanwhile: look again");
		return NULL;
	}
	if (!lock_same_entry(vmf))
		return NULL;
	/* it has a user, so it could be read: but for memory */
	spin_unlock(vmf->ptl);
	*ret = VM_FAULT_OOM;
	return NULL;
}

/* Mapped, locked: is the slot to be given up, if this was its last entry? */
static bool should_free_swap(struct vm_fault *vmf, struct page *page)
{
	struct quire *q = vmf->vma->vm_mm->q;
	struct swap_area *a;

	if (!PageFlag(page, PG_swapcache))
		return false;
	/* it would only have to be found not to be shared a second time */
	if (vmf->flags & FAULT_FLAG_WRITE)
		return true;
	a = swap_area_of(q, page_swap_entry(page));
	/* swapoff wants it; or the device would give it again at once */
	if (!READ_ONCE(a->writable) || (a->flags & QUIRE_SWAP_SYNC))
		return true;
	return (vmf->vma->vm_flags & VM_LOCKED) || PageFlag(page, PG_mlocked) ||
	       vm_swap_full(q);
}

/* Nobody else can have the page: there is no entry, no slot, no reference. */
static bool only_ours(struct quire *q, struct page *page)
{
	if (PageFlag(page, PG_swapcache) || page_mapcount(page))
		return false;
	/* it may still be on its way to the LRU lists */
	if (page_count(page) != 1 && !PageFlag(page, PG_lru))
		lru_add_drain(q);
	return smp_load_acquire(&page->_refcount) == 1;
}

void install_swap_page(struct vm_fault *vmf, struct page *page,
		       swp_entry_t entry)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	pte_t old = vmf->orig_pte;
	bool exclusive = pte_swp_exclusive(old);
	pte_t pte = pte_mkyoung(mk_pte(q, page, vma->vm_page_prot));

	swap_free(q, entry);
	if (should_free_swap(vmf, page))
		(void)try_to_free_swap(q, page);
	exclusive = exclusive || only_ours(q, page);
	inc_mm_counter(mm, MM_ANONPAGES);
	dec_mm_counter(mm, MM_SWAPENTS);
	if (exclusive && (vmf->flags & FAULT_FLAG_WRITE)) {
		quire_step("nobody shares it: writable at once");
		pte = maybe_mkwrite(pte_mkdirty(pte), vma);
		vmf->flags &= ~(uint32_t)FAULT_FLAG_WRITE;
	}
	if (pte_swp_soft_dirty(old))
		pte = pte_mksoft_dirty(pte);
	if (pte_swp_uffd_wp(old))
		pte = pte_mkuffd_wp(pte_wrprotect(pte));
	flush_icache_page(vma, page);
	page_add_anon_rmap_at(page, vma, vmf->address, exclusive);
	set_pte_at(mm, vmf->address, vmf->pte, pte);
	update_mmu_cache(vma, vmf->address, vmf->pte);
	vmf->orig_pte = pte;
}

/* The page is locked: the rest of the fault.  The reference is the entry's in
 * the end, or dropped; unlocks. */
static vm_fault_t map_swap_page(struct vm_fault *vmf, struct page *page,
				swp_entry_t entry)
{
	struct quire *q = vmf->vma->vm_mm->q;
	vm_fault_t ret = 0;

	if (unlikely(!PageFlag(page, PG_swapcache) ||
		     page_swap_entry(page).v != entry.v)) {
		quire_step("it has left the swap cache: look again");
		goto unlock;
	}
	if (unlikely(!lock_same_entry(vmf)))
		goto unlock;
	if (unlikely(!PageUptodate(page))) {
		quire_step("it could not be read, or its frame is broken");
		fault_wait_over(vmf);
		spin_unlock(vmf->ptl);
		ret = PageFlag(page, PG_hwpoison) ? VM_FAULT_HWPOISON
						  : VM_FAULT_SIGBUS;
		goto unlock;
	}
	install_swap_page(vmf, page, entry);
	mark_page_accessed(q, page);
	unlock_page(page); /* it is the entry's, so it stays */
	if (vmf->flags & FAULT_FLAG_WRITE)
		return do_wp_page(vmf); /* lets go of the entry's lock */
	spin_unlock(vmf->ptl);
	return 0;
unlock:
	unlock_page(page);
	free_swap_cache(q, page);
	put_page(q, page);
	return ret;
}

vm_fault_t do_swap_page(struct vm_fault *vmf)
{
	struct quire *q = vmf->vma->vm_mm->q;
	swp_entry_t entry = pte_to_swp_entry(vmf->orig_pte);
	uint64_t since = 0; /* the wait is accounted */
	vm_fault_t ret = 0;
	struct page *page;
	bool locked;

	fault_kind(vmf, QF_SWAP);
	if (unlikely(!swap_entry_is_slot(entry)))
		return do_special_entry(vmf, entry);
	if (unlikely(anon_vma_prepare(vmf->vma)))
		return VM_FAULT_OOM;
	fault_note_nowait(vmf);
	page = swap_fault_page(vmf, entry, &since, &ret);
	if (unlikely(!page))
		return ret;
	locked = trylock_page(page);
	if (!locked) {
		since = since ? since : quire_host_time_ns();
		locked = lock_page_or_retry(page, vmf);
	}
	if (since)
		quire_host_current()->swapin_ns += quire_host_time_ns() - since;
	if (locked)
		return ret | map_swap_page(vmf, page, entry);
	free_swap_cache(q, page);
	put_page(q, page);
	return ret | VM_FAULT_RETRY;
}
