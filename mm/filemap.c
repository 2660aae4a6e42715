/* SPDX-License-Identifier: MIT */
/*
 * filemap.c - the page cache: finding, filling and dropping the pages of files.
 *
 *   filemap_fault ---.                      .--> aops->readahead (many)
 *                     >-- read_cluster ----<
 *   mapping_read  ---'                      '--> aops->readpage  (each)
 *                                                   ... I/O ...
 *                     quire_page_end_read: uptodate or error, unlocked
 *
 * A page enters the cache locked and empty; its read fills it and unlocks it.
 * Who finds it not up to date locks it (so waits for the read) and looks again:
 * an error leaves it not up to date, the finder reports SIGBUS or EIO, and the
 * next one to come tries the read anew.
 *
 * Truncation takes a page out under its lock, after unmapping it; so who holds
 * the lock and sees page->mapping still set may map the page.
 */
#include "fault.h"
#include "filemap.h"
#include "gather.h"
#include "rmap.h"

/* How many pages around a missing one are asked for in one go. */
#define READ_CLUSTER 32u
/* Most pages that one fault maps around itself. */
#define MAP_BATCH 16u

const struct vm_operations_struct filemap_vm_ops = {
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = filemap_page_mkwrite,
};

struct page *find_get_page(struct address_space *as, uint64_t index)
{
	struct page *page;

	spin_lock(&as->tree_lock);
	page = page_tree_lookup(&as->pages, index);
	if (page)
		get_page(page);
	spin_unlock(&as->tree_lock);
	return page;
}

struct page *find_lock_page(struct address_space *as, uint64_t index)
{
	struct page *page;

	for (;;) {
		page = find_get_page(as, index);
		if (!page)
			return NULL;
		lock_page(page);
		if (READ_ONCE(page->mapping) == as)
			return page;
		unlock_page(page); /* truncated meanwhile */
		put_page(as->q, page);
	}
}

int add_to_page_cache_lru(struct address_space *as, struct page *page,
			  uint64_t index)
{
	struct quire *q = as->q;
	int err;

	/* nobody knows the page yet: locking it cannot fail */
	__SetPageFlag(page, PG_locked);
	get_page(page);
	page->index = index;
	spin_lock(&as->tree_lock);
	err = page_tree_insert(q, &as->pages, index, page);
	if (likely(!err)) {
		WRITE_ONCE(page->mapping, as);
		WRITE_ONCE(as->nrpages, as->nrpages + 1);
		mod_vmstat(q, VM_nr_file_pages, 1);
		if (as->shmem)
			mod_vmstat(q, VM_nr_shmem, 1);
	}
	spin_unlock(&as->tree_lock);
	if (unlikely(err)) {
		WRITE_ONCE(page->flags, page->flags & ~(1u << PG_locked));
		WRITE_ONCE(page->_refcount, page->_refcount - 1);
		return err;
	}
	quire_debug_lock(page, QUIRE_LOCK_PAGE, true);
	lru_cache_add(q, page, false);
	return 0;
}

void delete_from_page_cache(struct page *page)
{
	struct address_space *as = page->mapping;
	struct quire *q = as->q;

	spin_lock(&as->tree_lock);
	cancel_dirty(as, page);
	(void)page_tree_remove(q, &as->pages, page->index);
	WRITE_ONCE(page->mapping, NULL);
	WRITE_ONCE(as->nrpages, as->nrpages - 1);
	mod_vmstat(q, VM_nr_file_pages, -1);
	if (as->shmem)
		mod_vmstat(q, VM_nr_shmem, -1);
	spin_unlock(&as->tree_lock);
	put_page(q, page);
}

/* -------------------------------------------------------------- filling */

/* Hand a locked page to the file system; it is unlocked by the I/O's end. */
static void start_read(struct address_space *as, struct quire_file *file,
		       struct page *page)
{
	int err;

	quire_debug_unlock(page, QUIRE_LOCK_PAGE);
	ClearPageFlag(page, PG_error);
	err = as->aops->readpage(as, file, page);
	/* an operation that could not even start may leave the page to us */
	if (err && PageFlag(page, PG_locked))
		quire_page_end_read(as->q, page, err);
}

/*
 * Bring in the page of `index` and its absent neighbours of one cluster.
 * Returns 0 when the read was started or another has it, -ENOMEM when not
 * even the wanted page could be allocated.
 */
static int read_cluster(struct address_space *as, struct quire_file *file,
			uint64_t index)
{
	struct page *pages[READ_CLUSTER], *page;
	uint64_t end =
		(quire_mapping_get_size(as) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t i = index;
	unsigned n = 0, k;
	int err = 0;

	if (as->aops->readahead && !(file && file->ra_mode == 1))
		end = MIN(end, index + READ_CLUSTER);
	else
		end = index + 1;
	do {
		page = alloc_pages(as->q, GFP_HIGHUSER_MOVABLE, 0);
		err = page ? add_to_page_cache_lru(as, page, i) : -ENOMEM;
		if (err) {
			if (page)
				put_page(as->q, page);
			break;
		}
		quire_debug_unlock(page, QUIRE_LOCK_PAGE);
		pages[n++] = page;
	} while (++i < end);

	if (n == 0)
		return err == -EEXIST ? 0 : err;
	if (n > 1 && as->aops->readahead) {
		as->aops->readahead(as, file, pages, n);
	} else {
		for (k = 0; k < n; k++) {
			quire_debug_lock(pages[k], QUIRE_LOCK_PAGE, true);
			start_read(as, file, pages[k]);
		}
	}
	for (k = 0; k < n; k++)
		put_page(as->q, pages[k]);
	return 0;
}

struct page *get_uptodate_locked(struct address_space *as,
				 struct quire_file *file, uint64_t index,
				 bool *major, int *err)
{
	struct page *page;
	bool tried = false;

	for (;;) {
		page = find_get_page(as, index);
		if (!page) {
			quire_step("not in the cache: it is read, with others");
			*major = true;
			*err = read_cluster(as, file, index);
			if (*err)
				return NULL;
			tried = true;
			continue;
		}
		*err = lock_page_killable(page);
		if (*err)
			break;
		if (unlikely(READ_ONCE(page->mapping) != as)) {
			unlock_page(page);
			put_page(as->q, page);
			tried = false;
			continue;
		}
		if (likely(PageUptodate(page)))
			return page;
		*major = true;
		if (tried) { /* our own read failed */
			quire_step("the read has failed");
			unlock_page(page);
			*err = -EIO;
			break;
		}
		start_read(as, file, page); /* a fresh try */
		tried = true;
		put_page(as->q, page);
	}
	put_page(as->q, page);
	return NULL;
}

vm_fault_t filemap_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *as = vma->vm_mapping;
	bool major = false;
	struct page *page;
	vm_fault_t ret;
	int err = 0;

	if (vmf->pgoff >= (quire_mapping_get_size(as) + PAGE_SIZE - 1) >>
	    PAGE_SHIFT) {
		quire_step("beyond the end of the file");
		return VM_FAULT_SIGBUS;
	}
	page = get_uptodate_locked(as, vma->vm_file, vmf->pgoff, &major, &err);
	ret = major ? VM_FAULT_MAJOR : 0;
	if (unlikely(!page)) {
		if (err == -EINTR) { /* to die: let go of everything */
			up_read(&vma->vm_mm->mmap_lock);
			return ret | VM_FAULT_RETRY;
		}
		return ret | (err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS);
	}
	/* the file may have become shorter before we had the lock */
	if (unlikely(vmf->pgoff >=
		     (quire_mapping_get_size(as) + PAGE_SIZE - 1) >>
		     PAGE_SHIFT)) {
		unlock_page(page);
		put_page(as->q, page);
		return ret | VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return ret | VM_FAULT_LOCKED;
}

/*
 * One cached page into its empty entry, without waiting: false where that
 * cannot be.  The caller's reference passes to the entry.
 */
static bool map_cached_page(struct vm_fault *vmf, struct address_space *as,
			    struct page *page, pte_t *pte, uaddr_t addr,
			    uint64_t end_index)
{
	struct vm_area_struct *vma = vmf->vma;
	pte_t entry;

	if (!pte_none(ptep_get(pte)) || !PageUptodate(page) ||
	    PageFlag(page, PG_hwpoison) || !trylock_page(page))
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
	set_pte_at(vma->vm_mm, addr, pte, entry);
	update_mmu_cache(vma, addr, pte);
	unlock_page(page);
	return true;
}

vm_fault_t filemap_map_pages(struct vm_fault *vmf, uint64_t start, uint64_t end)
{
	struct vm_area_struct *vma = vmf->vma;
	struct address_space *as = vma->vm_mapping;
	struct quire *q = as->q;
	uint64_t size = quire_mapping_get_size(as);
	uint64_t end_index = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	struct page *pages[MAP_BATCH];
	unsigned n, i, mapped = 0;
	vm_fault_t ret = 0;
	pte_t *table;
	uaddr_t addr;

	spin_lock(&as->tree_lock);
	n = page_tree_gang(&as->pages, start, pages, MAP_BATCH);
	while (n && pages[n - 1]->index > end)
		n--;
	for (i = 0; i < n; i++)
		get_page(pages[i]);
	spin_unlock(&as->tree_lock);
	if (!n) {
		quire_step("nothing is cached around the address");
		return 0;
	}
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	table = pte_offset_map(q, vmf->pmd, vmf->address);
	for (i = 0; i < n; i++) {
		struct page *page = pages[i];
		int64_t off = (int64_t)(page->index - vmf->pgoff);

		addr = vmf->address + (uaddr_t)(off * (int64_t)PAGE_SIZE);
		if (!map_cached_page(vmf, as, page, table + off, addr,
				     end_index))
			continue;
		pages[i] = NULL;
		mapped++;
		if (off == 0)
			ret = VM_FAULT_NOPAGE;
	}
	if (mapped)
		add_mm_counter(vma->vm_mm,
			       as->shmem ? MM_SHMEMPAGES : MM_FILEPAGES,
			       (long)mapped);
	spin_unlock(vmf->ptl);
	for (i = 0; i < n; i++)
		if (pages[i])
			put_page(q, pages[i]);
	if (ret)
		count_vm_event(q, VM_quire_file_read);
	return ret;
}

void quire_page_end_read(struct quire *q, struct page *page, int error)
{
	if (error) {
		SetPageFlag(page, PG_error);
	} else {
		SetPageUptodate(page);
		mod_vmstat(q, VM_pgpgin, PAGE_SIZE / 1024); /* in KiB */
	}
	unlock_page_io(page);
}

uint64_t quire_page_index(struct page *page)
{
	return page->index;
}

struct address_space *quire_page_mapping(struct page *page)
{
	return PageAnon(page) ? NULL : READ_ONCE(page->mapping);
}
