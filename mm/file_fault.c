/* SPDX-License-Identifier: MIT */
/*
 * file_fault.c - the first touch of a page that a file (or shared memory)
 * backs (F5 to F9).
 *
 *                  ->fault: page of the cache, locked
 *                        |
 *   read             map it as the mapping allows             do_read_fault
 *   write, private   copy it, map the copy                    do_cow_fault
 *   write, shared    page_mkwrite, map it writable and dirty  do_shared_fault
 *                        |
 *                  finish_fault: the entry, under its lock
 *
 * A table that the entry needs is made beforehand (prealloc_pte), because
 * nothing is allocated between the page lock and the entry.
 *
 * Locks: mmap_lock for read on entry, then page lock, then the entry's lock.
 * ->fault may drop the mmap_lock; it then returns RETRY and nothing else here
 * may look at the VMA.
 */
#include "fault.h"
#include "rmap.h"
#include "writeback.h"

/* ->fault gave no page to map: it has failed, or done all itself. */
#define FAULT_ENDED                                                            \
	(VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY | VM_FAULT_COMPLETED)

static bool vma_is_shmem(const struct vm_area_struct *vma)
{
	return vma->vm_mapping && vma->vm_mapping->shmem;
}

static enum rss_type mm_counter_file(const struct page *page)
{
	return PageFlag(page, PG_swapbacked) ? MM_SHMEMPAGES : MM_FILEPAGES;
}

/* A private mapping's copy: nobody else's page. */
static __noinline void set_cow_pte(struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	pte_t entry;

	flush_icache_page(vma, page);
	entry = pte_mkyoung(mk_pte(q, page, vma->vm_page_prot));
	entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	new_anon_page(vma, page, vmf->address, q, quire_host_cpu());
	set_pte_at(vma->vm_mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
}

void alloc_set_pte(struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	pte_t entry;

	flush_icache_page(vma, page);
	entry = pte_mkyoung(mk_pte(q, page, vma->vm_page_prot));
	if (vmf->flags & FAULT_FLAG_WRITE)
		entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	inc_mm_counter(mm, mm_counter_file(page));
	page_add_file_rmap(q, page);
	mlock_vma_page(vma, page);
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
}

int fault_need_table(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	if (likely(!pmd_none(pmdp_get(vmf->pmd))))
		return 0;
	if (vmf->prealloc_pte) {
		pmd_install(mm, vmf->pmd, &vmf->prealloc_pte);
		return 0;
	}
	return __pte_alloc(mm, vmf->pmd);
}

vm_fault_t finish_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	bool cow =
		(vmf->flags & FAULT_FLAG_WRITE) && !(vma->vm_flags & VM_SHARED);
	vm_fault_t ret = 0;

	if (unlikely(fault_need_table(vmf)))
		return VM_FAULT_OOM;
	vmf->pte = pte_offset_map(q, vmf->pmd, vmf->address);
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (likely(pte_none(ptep_get(vmf->pte)))) {
		/* a private mapping of a dying mm may have lost its copy */
		if (!(vma->vm_flags & VM_SHARED))
			ret = check_stable_address_space(vma->vm_mm);
		if (likely(!ret) && cow)
			set_cow_pte(vmf, vmf->cow_page);
		else if (likely(!ret))
			alloc_set_pte(vmf, vmf->page);
	} else {
		quire_step("the entry was filled meanwhile");
		ret = VM_FAULT_NOPAGE;
	}
	spin_unlock(vmf->ptl);
	return ret;
}

/*
 * Ask the mapping for the page.  On success it is in vmf->page, referenced and
 * locked.  The table is made first: see above.
 */
static vm_fault_t __do_fault(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	struct page *page;
	vm_fault_t ret;

	if (pmd_none(pmdp_get(vmf->pmd)) && !vmf->prealloc_pte) {
		quire_step("no last-level table yet: made before any lock");
		vmf->prealloc_pte = pte_alloc_one(mm);
		if (!vmf->prealloc_pte)
			return VM_FAULT_OOM;
	}
	ret = vmf->vma->vm_ops->fault(vmf);
	if (unlikely(ret & (FAULT_ENDED | VM_FAULT_DONE_COW)))
		return ret;
	page = vmf->page;
	if (unlikely(PageFlag(page, PG_hwpoison))) {
		if (ret & VM_FAULT_LOCKED)
			unlock_page(page);
		put_page(mm->q, page);
		vmf->page = NULL;
		return VM_FAULT_HWPOISON;
	}
	if (unlikely(!(ret & VM_FAULT_LOCKED)))
		lock_page(page);
	return ret | VM_FAULT_LOCKED;
}

/* How much a read fault of the VMA maps around itself, at most. */
static uint64_t vma_fault_around(const struct vm_area_struct *vma)
{
	vm_flags_t own = vma->vm_flags & VM_FAULT_AROUND;

	if (likely(!own))
		return READ_ONCE(vma->vm_mm->q->fault_around_bytes);
	return (uint64_t)1 << ((own >> VM_FAULT_AROUND_SHIFT) + 11);
}

/*
 * F6: let the mapping map what is cached around the address: a window that the
 * policy chooses, within the VMA and the table.  NOPAGE: the address itself was
 * among it.
 */
static vm_fault_t do_fault_around(struct vm_fault *vmf, uint64_t bytes)
{
	struct vm_area_struct *vma = vmf->vma;
	uaddr_t table = vmf->address & PMD_MASK, start, end;
	const struct quire_fa_request req = {
		.address = vmf->address,
		.low = MAX(vma->vm_start, table),
		.high = MIN(vma->vm_end, table + PMD_SIZE),
		.bytes = bytes,
		.random = (vma->vm_flags & VM_RAND_READ) != 0,
		.sequential = (vma->vm_flags & VM_SEQ_READ) != 0,
	};

	vma->vm_mm->q->config.fault_around->window(&req, &start, &end);
	start = MAX(start, req.low);
	end = MIN(end, req.high);
	if (end <= start || end - start < 2 * PAGE_SIZE)
		return 0;
	if (fault_need_table(vmf))
		return VM_FAULT_OOM;
	return vma->vm_ops->map_pages(vmf, linear_page_index(vma, start),
				      linear_page_index(vma, end) - 1);
}

static vm_fault_t do_read_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	uint64_t around = vma_fault_around(vma);
	vm_fault_t ret;

	fault_kind(vmf, vma_is_shmem(vma) ? QF_SHMEM : QF_FILE_READ);
	if (vma->vm_ops->map_pages && around >= 2 * PAGE_SIZE) {
		ret = do_fault_around(vmf, around);
		if (ret) {
			quire_step("it was cached, and so were its neighbours");
			return ret;
		}
		quire_step("not cached: its owner must be asked");
	}
	ret = __do_fault(vmf);
	if (unlikely(ret & FAULT_ENDED))
		return ret;
	ret |= finish_fault(vmf);
	unlock_page(vmf->page);
	if (unlikely(ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)))
		put_page(q, vmf->page);
	else
		count_vm_event(q, VM_quire_file_read);
	return ret;
}

static vm_fault_t do_cow_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	vm_fault_t ret;

	fault_kind(vmf, QF_FILE_COW);
	if (unlikely(anon_vma_prepare(vma)))
		return VM_FAULT_OOM;
	vmf->cow_page = alloc_page(q, GFP_HIGHUSER_MOVABLE);
	if (unlikely(!vmf->cow_page))
		return VM_FAULT_OOM;
	ret = __do_fault(vmf);
	if (unlikely(ret & FAULT_ENDED))
		goto uncharge;
	quire_step("the owner's page is copied: the copy is private");
	if (!(ret & VM_FAULT_DONE_COW)) {
		flush_user_dcache_page(q, vmf->page);
		copy_page(page_address(q, vmf->cow_page),
			  page_address(q, vmf->page));
	}
	flush_dcache_page(q, vmf->cow_page);
	ret |= finish_fault(vmf);
	if (!(ret & VM_FAULT_DONE_COW)) {
		unlock_page(vmf->page);
		put_page(q, vmf->page);
	}
	if (unlikely(ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)))
		goto uncharge;
	count_vm_event(q, VM_quire_file_cow);
	return ret;
uncharge:
	put_page(q, vmf->cow_page);
	return ret;
}

vm_fault_t filemap_page_mkwrite(struct vm_fault *vmf)
{
	struct address_space *as = vmf->vma->vm_mapping;
	struct page *page = vmf->page;
	vm_fault_t ret = VM_FAULT_NOPAGE;
	int err = 0;

	if (!lock_page_or_retry(page, vmf))
		return VM_FAULT_RETRY;
	if (READ_ONCE(page->mapping) != as)
		goto unlock; /* truncated meanwhile: what is there now? */
	/* being truncated, which may take its time: not to be waited for */
	ret = VM_FAULT_SIGBUS;
	if (beyond_end(as, page->index))
		goto unlock;
	if (as->aops->page_mkwrite)
		err = as->aops->page_mkwrite(as, page);
	if (likely(!err))
		return VM_FAULT_LOCKED;
	quire_step("the owner does not want it written");
	ret = err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
unlock:
	unlock_page(page);
	return ret;
}

vm_fault_t do_page_mkwrite(struct vm_fault *vmf)
{
	struct page *page = vmf->page;
	unsigned old_flags = vmf->flags;
	vm_fault_t ret;

	fault_note_nowait(vmf);
	vmf->flags |= FAULT_FLAG_MKWRITE;
	ret = vmf->vma->vm_ops->page_mkwrite(vmf);
	vmf->flags = old_flags;
	if (unlikely(ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)))
		return ret;
	if (unlikely(!(ret & VM_FAULT_LOCKED))) {
		lock_page(page);
		if (!READ_ONCE(page->mapping)) { /* truncated meanwhile */
			unlock_page(page);
			return 0;
		}
		ret |= VM_FAULT_LOCKED;
	}
	return ret;
}

/*
 * Much has been dirtied since the limits were looked at: do that, and wait if
 * need be, with the mmap_lock dropped where the fault may drop it.
 */
static __cold_path vm_fault_t throttle_writer(struct vm_fault *vmf,
					      struct address_space *as)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire_file *file = vma->vm_file;

	fault_note_nowait(vmf);
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		quire_step("this task may not wait: the flusher is to hurry");
		if (over_background(as->q))
			wake_flusher(as->q);
		return 0;
	}
	if (!fault_may_unlock(vmf->flags) || !file) {
		balance_dirty_pages(as);
		return 0;
	}
	quire_step("the limits of dirty memory are looked at, with no lock");
	file->ops->get(file);
	up_read(&vma->vm_mm->mmap_lock);
	balance_dirty_pages(as);
	file->ops->put(file);
	return VM_FAULT_COMPLETED;
}

vm_fault_t fault_dirty_shared_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *as = vma->vm_mapping;
	struct quire_file *file = vma->vm_file;

	/* under the page lock, so that neither truncation nor write-back comes
	 * between the entry and the mark */
	(void)set_page_dirty(vma->vm_mm->q, vmf->page);
	unlock_page(vmf->page);
	if (file && file->ops->update_time)
		file->ops->update_time(file);
	if (as && mapping_can_writeback(as) && balance_dirty_due(as->q))
		return throttle_writer(vmf, as);
	return 0;
}

static vm_fault_t do_shared_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	vm_fault_t ret, tmp;

	fault_kind(vmf, vma_is_shmem(vma) ? QF_SHMEM : QF_FILE_SHARED);
	ret = __do_fault(vmf);
	if (unlikely(ret & FAULT_ENDED))
		return ret;
	if (vma->vm_ops->page_mkwrite) {
		quire_step("the owner is asked whether it may be written");
		unlock_page(vmf->page); /* it may block for long */
		tmp = do_page_mkwrite(vmf);
		if (unlikely(!(tmp & VM_FAULT_LOCKED))) {
			put_page(q, vmf->page);
			return tmp;
		}
	}
	ret |= finish_fault(vmf);
	if (unlikely(ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE))) {
		unlock_page(vmf->page);
		put_page(q, vmf->page);
		return ret;
	}
	return ret | fault_dirty_shared_page(vmf);
}

/* A mapping whose owner has nothing to give. */
static vm_fault_t fault_without_owner(struct vm_fault *vmf)
{
	struct quire *q = vmf->vma->vm_mm->q;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (pmd_none(pmdp_get(vmf->pmd)))
		return VM_FAULT_SIGBUS;
	vmf->pte = pte_offset_map(q, vmf->pmd, vmf->address);
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (!pte_none(ptep_get(vmf->pte)))
		ret = VM_FAULT_NOPAGE; /* its owner has filled it meanwhile */
	spin_unlock(vmf->ptl);
	return ret;
}

vm_fault_t do_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm; /* vma may be gone after RETRY */
	vm_fault_t ret;

	vmf->prealloc_pte = NULL;
	vmf->page = NULL;
	vmf->cow_page = NULL;
	vmf->pgoff = linear_page_index(vma, vmf->address);
	if (unlikely(!vma->vm_ops->fault))
		return fault_without_owner(vmf);
	if (!(vmf->flags & FAULT_FLAG_WRITE)) {
		quire_step("read: map the owner's page as it is");
		ret = do_read_fault(vmf);
	} else if (!(vma->vm_flags & VM_SHARED)) {
		quire_step("private and written: map a copy");
		ret = do_cow_fault(vmf);
	} else {
		quire_step("shared and written: map it writable");
		ret = do_shared_fault(vmf);
	}
	if (unlikely(vmf->prealloc_pte))
		pte_free(mm, vmf->prealloc_pte);
	return ret;
}
