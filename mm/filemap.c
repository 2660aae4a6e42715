/* SPDX-License-Identifier: MIT */
/*
 * filemap.c - the page cache: finding, filling and dropping the pages of files.
 *
 *   filemap_fault ---.                         .--> aops->readahead (many)
 *                     >-- page_cache_read ----<
 *   mapping_read  ---'                         '--> aops->readpage  (each)
 *                         (readahead.c)                ... I/O ...
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
#include "reclaim.h"
#include "rmap.h"
#include "swap.h"

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
	err = unlikely(as->frozen)
		      ? -EAGAIN
		      : page_tree_insert(q, &as->pages, index, page);
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
	if (!as->shmem)
		workingset_came_back(q, page, as->number, index);
	lru_cache_add(q, page, false);
	return 0;
}

static void remove_page(struct address_space *as, struct page *page)
{
	struct quire *q = as->q;

	(void)page_tree_remove(q, &as->pages, page->index);
	WRITE_ONCE(page->mapping, NULL);
	WRITE_ONCE(as->nrpages, as->nrpages - 1);
	mod_vmstat(q, VM_nr_file_pages, -1);
	if (as->shmem)
		mod_vmstat(q, VM_nr_shmem, -1);
}

void delete_from_page_cache(struct page *page)
{
	struct address_space *as = page->mapping;

	spin_lock(&as->tree_lock);
	cancel_dirty(as, page);
	remove_page(as, page);
	spin_unlock(&as->tree_lock);
	put_page(as->q, page);
}

bool delete_clean_page(struct page *page)
{
	struct address_space *as = page->mapping;
	bool clean;

	/* a write() that is under way marks it dirty without its lock */
	spin_lock(&as->tree_lock);
	clean = !PageFlag(page, PG_dirty);
	if (clean)
		remove_page(as, page);
	spin_unlock(&as->tree_lock);
	if (clean)
		put_page(as->q, page);
	return clean;
}

bool drop_cached_page(struct page *page)
{
	const uint32_t unfit =
		1u << PG_dirty | 1u << PG_writeback | 1u << PG_swapbacked;
	struct address_space *as = READ_ONCE(page->mapping);
	bool dropped = false;

	if (!as || PageAnon(page) || page_mapcount(page) ||
	    (READ_ONCE(page->flags) & unfit))
		return false;
	spin_lock(&as->tree_lock);
	/* two references: the cache's and ours */
	if (page_count(page) == 2 && !(READ_ONCE(page->flags) & unfit)) {
		remove_page(as, page);
		dropped = true;
	}
	spin_unlock(&as->tree_lock);
	return dropped;
}

/* -------------------------------------------------------------- filling */

/* The page of req->index as get_uptodate_locked() gives it; req says what may
 * be read with it. */
static struct page *read_locked(struct address_space *as,
				struct quire_file *file,
				struct quire_ra_request *req, bool *major,
				int *err)
{
	struct page *page;
	bool tried = false;

	for (;;) {
		page = find_get_page(as, req->index);
		if (!page) {
			quire_step("not in the cache: it is read, with others");
			*major = true;
			*err = page_cache_read(as, file, req);
			if (unlikely(*err == -EAGAIN))
				*err = mapping_wait_thaw(as);
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

struct page *get_uptodate_locked(struct address_space *as,
				 struct quire_file *file, uint64_t index,
				 bool *major, int *err)
{
	struct quire_ra_request req = {.index = index,
				       .count = 1,
				       .why = QUIRE_RA_MISS,
				       .random = true};

	return read_locked(as, file, &req, major, err);
}

struct page *filemap_read_page(struct address_space *as,
			       struct quire_file *file, uint64_t index,
			       uint32_t count, int *err)
{
	struct quire_ra_request req = {
		.index = index, .count = count, .why = QUIRE_RA_MISS};
	struct page *page = find_get_page(as, index);
	bool major = false;

	if (likely(page)) {
		if (unlikely(PageFlag(page, PG_readahead)))
			page_cache_read_ahead(as, file, page, &req);
		if (likely(PageUptodate(page)))
			return page;
		put_page(as->q, page);
		req.why = QUIRE_RA_MISS;
	}
	page = read_locked(as, file, &req, &major, err);
	if (page)
		unlock_page(page);
	return page;
}

void quire_page_end_read(struct quire *q, struct page *page, int error)
{
	if (PageFlag(page, PG_swapcache)) {
		swap_end_read(q, page, error);
		return;
	}
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
