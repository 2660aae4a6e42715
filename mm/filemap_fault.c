/* SPDX-License-Identifier: MIT */
/*
 * filemap_fault.c - a file mapping's ->fault and ->map_pages: the page of the
 * cache for an address, and its neighbours.
 *
 *                        cached?
 *        yes, with the mark |  no
 *      the next window is   |  a window is read with it
 *                asked for  |    |
 *                           v    v
 *                     is it read? may it be waited for?
 *   first try           mmap_lock let go of, the file pinned; RETRY when read
 *   later, or no retry  waited for with the lock held
 *   a task not to wait  noted as waiting, RETRY: its access is repeated
 *
 * The I/O itself is started without the mmap_lock too (on the first try): a
 * file system may sleep in it.  What keeps the file alive then is a reference;
 * the VMA may be gone afterwards, so nothing looks at it any more.
 *
 * A read that has failed leaves PG_error.  The first try reads such a page
 * anew; the second one, which comes from waiting for just that, reports it.
 *
 * Locks: mmap_lock for read on entry, and on return unless it is RETRY.
 */
#include "fault.h"
#include "filemap.h"
#include "rmap.h"

/* Pages that are looked up, and mapped, under one hold of a lock. */
#define MAP_BATCH 16u

/*
 * I/O is about to be started: let go of the mmap_lock if this try may.  The
 * file, which is then the caller's to put, or NULL: the lock is still held.
 */
static struct quire_file *unlock_mmap_for_io(struct vm_fault *vmf)
{
	struct quire_file *file = vmf->vma->vm_file;

	if (!fault_may_unlock(vmf->flags))
		return NULL;
	quire_step("the mmap_lock is let go of for the time of the I/O");
	file->ops->get(file);
	up_read(&vmf->vma->vm_mm->mmap_lock);
	return file;
}

/* What the fault asks readahead for. */
static struct quire_ra_request request_of(const struct vm_fault *vmf)
{
	vm_flags_t f = vmf->vma->vm_flags;

	return (struct quire_ra_request){
		.index = vmf->pgoff,
		.count = 1,
		.why = QUIRE_RA_FAULT,
		.random = (f & VM_RAND_READ) != 0,
		.sequential = (f & VM_SEQ_READ) != 0,
	};
}

/*
 * The lock was let go of: wait until the page (NULL: there is none) is read,
 * well or not, and leave.  The reference on it is dropped, then the file's,
 * with which the mapping may go.
 */
static vm_fault_t wait_and_retry(struct quire *q, struct page *page,
				 struct quire_file *pinned, unsigned flags)
{
	if (page) {
		wait_on_page_locked(page, flags & FAULT_FLAG_KILLABLE
						  ? QUIRE_WAIT_KILLABLE
						  : 0);
		put_page(q, page);
	}
	pinned->ops->put(pinned);
	return VM_FAULT_RETRY;
}

/* What was read around earlier is used, at the first try. */
static void mmap_hit(struct vm_fault *vmf)
{
	struct quire_file *file = vmf->vma->vm_file;
	uint32_t miss = file ? READ_ONCE(file->ra.mmap_miss) : 0;

	if (likely(!miss))
		return;
	fault_note_nowait(vmf); /* (the first try may have been a fault) */
	if (!(vmf->flags & FAULT_FLAG_TRIED))
		WRITE_ONCE(file->ra.mmap_miss, miss - 1);
}

/* A page that is cached.  If it has the mark, the next window is asked for;
 * returns the file when the mmap_lock was let go of for that. */
static struct quire_file *fault_hit(struct vm_fault *vmf, struct page *page)
{
	struct quire_file *file = vmf->vma->vm_file, *pinned;
	struct address_space *as = vmf->vma->vm_mapping;
	struct quire_ra_request req;

	mmap_hit(vmf);
	if (likely(!PageFlag(page, PG_readahead)))
		return NULL;
	req = request_of(vmf);
	if (req.random)
		return NULL;
	pinned = unlock_mmap_for_io(vmf);
	page_cache_read_ahead(as, file, page, &req);
	return pinned;
}

/* What there is to say about a locked page; 0: it is good. */
static vm_fault_t look_at_page(struct vm_fault *vmf, struct page *page,
			       bool was_read)
{
	struct address_space *as = vmf->vma->vm_mapping;

	if (unlikely(!PageUptodate(page))) {
		if (!was_read && !((vmf->flags & FAULT_FLAG_TRIED) &&
				   PageFlag(page, PG_error)))
			return VM_FAULT_MAJOR; /* to be read */
		quire_step("the read has failed");
		fault_wait_over(vmf); /* told now: the next one begins anew */
		return VM_FAULT_SIGBUS;
	}
	/* the file may have become shorter before we had the lock */
	return unlikely(beyond_end(as, vmf->pgoff)) ? VM_FAULT_SIGBUS : 0;
}

/*
 * The page, cached and referenced, is locked and read if it was not.  LOCKED,
 * an error, or RETRY; 0: it has left the file.  The reference is the caller's
 * to drop unless it is LOCKED.
 */
static vm_fault_t lock_and_read(struct vm_fault *vmf, struct page *page,
				bool was_read)
{
	struct quire_file *file = vmf->vma->vm_file, *pinned;
	struct address_space *as = vmf->vma->vm_mapping;
	struct quire *q = as->q;
	vm_fault_t ret, major = 0;

	for (;;) {
		if (!lock_page_or_retry(page, vmf))
			return major | VM_FAULT_RETRY;
		if (unlikely(READ_ONCE(page->mapping) != as)) {
			unlock_page(page); /* truncated meanwhile */
			return major;
		}
		ret = look_at_page(vmf, page, was_read);
		if (likely(!ret))
			return major | VM_FAULT_LOCKED;
		if (ret & VM_FAULT_ERROR) {
			unlock_page(page);
			return major | ret;
		}
		quire_step("an earlier read has failed: it is tried anew");
		major = VM_FAULT_MAJOR;
		was_read = true;
		pinned = unlock_mmap_for_io(vmf);
		start_read(as, file, page);
		if (pinned) {
			get_page(page);
			return major |
			       wait_and_retry(q, page, pinned, vmf->flags);
		}
	}
}

/* Read the page, which is not cached.  0, RETRY, NOPAGE (to be looked for again
 * by the repeated access) or OOM. */
static vm_fault_t fault_miss(struct vm_fault *vmf)
{
	struct quire_file *file = vmf->vma->vm_file, *pinned;
	struct address_space *as = vmf->vma->vm_mapping;
	struct quire_ra_request req = request_of(vmf);
	struct quire *q = as->q;
	uint64_t index = vmf->pgoff;
	int err;

	quire_step("not in the cache: it is read, with others");
	pinned = unlock_mmap_for_io(vmf);
	err = page_cache_read(as, file, &req);
	if (unlikely(err == -EAGAIN)) {
		quire_step("a hole is being punched: no page comes until then");
		/* (the end of that tells nobody who may not wait) */
		if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
			(void)mapping_wait_thaw(as);
		err = -ENXIO; /* as for one that ends before: look again */
	}
	if (unlikely(err == -ENXIO)) {
		if (!pinned)
			return VM_FAULT_NOPAGE;
		err = 0;
	}
	if (pinned) /* where memory is out, the second try says so */
		return wait_and_retry(q, find_get_page(as, index), pinned,
				      vmf->flags);
	return err ? VM_FAULT_OOM : 0;
}

vm_fault_t filemap_fault(struct vm_fault *vmf)
{
	struct address_space *as = vmf->vma->vm_mapping;
	struct quire *q = as->q;
	struct quire_file *pinned;
	vm_fault_t ret, major = 0;
	bool was_read = false;
	struct page *page;

	fault_note_nowait(vmf);
	for (;;) {
		if (beyond_end(as, vmf->pgoff)) {
			quire_step("beyond the end of the file");
			return major | VM_FAULT_SIGBUS;
		}
		page = find_get_page(as, vmf->pgoff);
		if (unlikely(!page)) {
			major = VM_FAULT_MAJOR;
			ret = fault_miss(vmf);
			if (ret)
				return major | ret;
			was_read = true;
			continue;
		}
		if (!was_read) {
			pinned = fault_hit(vmf, page);
			if (unlikely(pinned))
				return wait_and_retry(q, page, pinned,
						      vmf->flags);
		}
		ret = lock_and_read(vmf, page, was_read);
		if (likely(ret & VM_FAULT_LOCKED)) {
			vmf->page = page;
			return major | ret;
		}
		put_page(q, page);
		major |= ret & VM_FAULT_MAJOR;
		if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY))
			return major | ret;
		was_read = false;
	}
}

/* -------------------------------------------------------------- neighbours */

/*
 * One cached page into its empty entry, without waiting: false where that
 * cannot be.  The caller's reference passes to the entry.  A page with the
 * mark gets a fault of its own, which asks for the next window.
 */
static bool map_cached_page(struct vm_fault *vmf, struct address_space *as,
			    struct page *page, pte_t *pte, uaddr_t addr,
			    uint64_t end_index)
{
	struct vm_area_struct *vma = vmf->vma;
	pte_t entry;

	if (!pte_none(ptep_get(pte)) || !PageUptodate(page) ||
	    (READ_ONCE(page->flags) & (1u << PG_hwpoison | 1u << PG_readahead)))
		return false;
	if (!trylock_page(page))
		return false;
	/* truncation takes the page lock: what is true now stays true */
	if (READ_ONCE(page->mapping) != as || page->index >= end_index) {
		unlock_page(page);
		return false;
	}
	flush_icache_page(vma, page);
	entry = mk_pte(as->q, page, vma->vm_page_prot);
	entry = addr == vmf->address || !ARCH_SETS_YOUNG ? pte_mkyoung(entry)
							 : pte_mkold(entry);
	page_add_file_rmap(as->q, page);
	mlock_vma_page(vma, page);
	set_pte_at(vma->vm_mm, addr, pte, entry);
	update_mmu_cache(vma, addr, pte);
	unlock_page(page);
	return true;
}

/* Map these n cached pages, and drop the references of those that cannot be
 * mapped. True: the fault's own page is mapped. */
static bool map_batch(struct vm_fault *vmf, struct page **pages, unsigned n)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *as = vma->vm_mapping;
	struct quire *q = as->q;
	uint64_t end_index = file_pages(as);
	unsigned i, mapped = 0;
	bool own = false, lost;
	pte_t *table;
	uaddr_t addr;

	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	table = pte_offset_map(q, vmf->pmd, vmf->address);
	/* of private copies, perhaps: then the file's pages are no answer */
	lost = !(vma->vm_flags & VM_SHARED) &&
	       check_stable_address_space(vma->vm_mm);
	for (i = 0; i < n && likely(!lost); i++) {
		struct page *page = pages[i];
		int64_t off = (int64_t)(page->index - vmf->pgoff);

		addr = vmf->address + (uaddr_t)(off * (int64_t)PAGE_SIZE);
		if (!map_cached_page(vmf, as, page, table + off, addr,
				     end_index))
			continue;
		pages[i] = NULL;
		mapped++;
		own |= off == 0;
	}
	if (mapped)
		add_mm_counter(vma->vm_mm,
			       as->shmem ? MM_SHMEMPAGES : MM_FILEPAGES,
			       (long)mapped);
	spin_unlock(vmf->ptl);
	for (i = 0; i < n; i++)
		if (pages[i])
			put_page(q, pages[i]);
	return own;
}

vm_fault_t filemap_map_pages(struct vm_fault *vmf, uint64_t start, uint64_t end)
{
	struct quire *q = vmf->vma->vm_mm->q;
	struct page *pages[MAP_BATCH];
	bool own = false, any = false;
	uint64_t last;
	unsigned n;

	while (start <= end) {
		n = find_get_pages(vmf->vma->vm_mapping, start, end, pages,
				   MAP_BATCH);
		if (!n)
			break;
		any = true;
		last = pages[n - 1]->index;
		own |= map_batch(vmf, pages, n);
		if (n < MAP_BATCH)
			break;
		start = last + 1;
	}
	if (!any)
		quire_step("nothing is cached around the address");
	if (!own)
		return 0;
	mmap_hit(vmf);
	count_vm_event(q, VM_quire_file_read);
	return VM_FAULT_NOPAGE;
}
