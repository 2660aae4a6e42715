/* SPDX-License-Identifier: MIT */
/*
 * filemap_rw.c - read() and write() through the page cache.
 *
 *   read    page cached and up to date -> copied from, no lock
 *   write   page found, read or made   -> copied to, dirty; the writer waits
 *           when too much is dirty
 *
 * No page is locked while the host's copy function runs: the buffer may be a
 * mapping of the same file, whose fault takes page locks itself.
 */
#include "device.h"
#include "fault.h"
#include "writeback.h"

/*
 * The page to read from, with a reference, not locked.  A hole of a
 * memory-only file gives the zero page.  NULL and *err as filemap_read_page().
 */
static struct page *page_for_read(struct address_space *as,
				  struct quire_file *file, uint64_t index,
				  uint32_t count, int *err)
{
	struct page *page;

	if (!as->shmem)
		return filemap_read_page(as, file, index, count, err);
	page = shmem_find_page(as, index, err);
	if (page)
		unlock_page(page);
	if (page || *err)
		return page;
	get_page(as->q->zero_page);
	return as->q->zero_page;
}

/*
 * The page was read from: readahead remembers it, and it counts as used once
 * for as long as the reading stays in it.
 */
static void note_read(struct quire *q, struct quire_file *file,
		      struct page *page, uint64_t index)
{
	if (page == q->zero_page ||
	    (file && READ_ONCE(file->ra.prev) == index + 1))
		return;
	mark_page_accessed(q, page);
	if (file)
		WRITE_ONCE(file->ra.prev, index + 1);
}

/* How many of n bytes at pos the file has by now. */
static size_t bytes_left(struct address_space *as, uint64_t pos, size_t n)
{
	uint64_t size = quire_mapping_get_size(as);

	return pos < size ? (size_t)MIN((uint64_t)n, size - pos) : 0;
}

long quire_mapping_read(struct address_space *as, struct quire_file *file,
			uint64_t pos, size_t len, quire_copy_fn copy,
			void *cookie)
{
	size_t done = 0, off, n, got;
	uint64_t index, pages;
	struct page *page;
	int err = 0;

	len = bytes_left(as, pos, len);
	if (len && mapping_is_dax(as))
		return dax_read(as, pos, len, copy, cookie);
	while (done < len) {
		off = (size_t)(pos & (PAGE_SIZE - 1));
		n = MIN(PAGE_SIZE - off, len - done);
		index = pos >> PAGE_SHIFT;
		pages = (pos + (len - done) - 1) / PAGE_SIZE - index + 1;
		page = page_for_read(as, file, index,
				     (uint32_t)MIN(pages, UINT32_MAX), &err);
		if (!page) {
			if (err == -ENXIO)
				err = 0;
			break;
		}
		/* not what a truncation has left of it meanwhile */
		n = bytes_left(as, pos, n);
		if (unlikely(!n)) {
			put_page(as->q, page);
			break;
		}
		note_read(as->q, file, page, index);
		flush_user_dcache_page(as->q, page);
		got = copy(cookie, (char *)page_address(as->q, page) + off,
			   done, n);
		put_page(as->q, page);
		done += got;
		pos += got;
		if (got < n) {
			err = -EFAULT;
			break;
		}
	}
	return done || !err ? (long)done : err;
}

/* A page of zeros for `index`, past the end of the file: there is nothing to
 * read.  Locked, or NULL: *err is 0 when another has put one in meanwhile. */
static struct page *fresh_page_locked(struct address_space *as, uint64_t index,
				      int *err)
{
	struct page *page =
		alloc_pages(as->q, GFP_HIGHUSER_MOVABLE | __GFP_ZERO, 0);

	*err = page ? add_to_page_cache_lru(as, page, index) : -ENOMEM;
	if (!*err) {
		SetPageUptodate(page);
		return page;
	}
	if (page)
		put_page(as->q, page);
	if (*err == -EEXIST)
		*err = 0;
	else if (*err == -EAGAIN)
		*err = mapping_wait_thaw(as);
	return NULL;
}

/*
 * The page to write to, up to date, with a reference, not locked.  A page
 * inside the file is read first (write_whole_page() has done without where it
 * could).  NULL with *err 0: not cached, and need not be; -EAGAIN: to be looked
 * for again.
 */
static struct page *page_for_write(struct address_space *as,
				   struct quire_file *file, uint64_t index,
				   int *err)
{
	struct page *page;
	bool major = false;

	*err = 0;
	if (as->shmem) {
		page = shmem_get_page(as, index, err);
		if (page)
			unlock_page(page);
		return page;
	}
	page = find_lock_page(as, index);
	if (!page && mapping_can_writeback(as) &&
	    index << PAGE_SHIFT >= quire_mapping_get_size(as)) {
		page = fresh_page_locked(as, index, err);
		if (*err)
			return NULL;
	}
	if (page) {
		unlock_page(page);
		if (!mapping_can_writeback(as) || PageUptodate(page))
			return page;
		put_page(as->q, page);
	}
	if (!mapping_can_writeback(as))
		return NULL;
	page = get_uptodate_locked(as, file, index, &major, err);
	if (page)
		unlock_page(page);
	else if (unlikely(*err == -ENXIO)) /* it has become shorter */
		*err = -EAGAIN;
	return page;
}

/* The file reaches at least to `end`. */
static void grow_size(struct address_space *as, uint64_t end)
{
	uint64_t size = quire_mapping_get_size(as);

	while (size < end &&
	       !__atomic_compare_exchange_n(&as->size, &size, end, true,
					    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		;
}

/*
 * A whole page that is not cached: filled before anyone can see it, so that
 * what is on the device need not be read.  False: it was cached, or memory or
 * the caller's buffer had less to give; nothing has changed, and `done` is
 * copied from once more.
 */
static bool write_whole_page(struct address_space *as, uint64_t pos,
			     size_t done, quire_copy_fn copy, void *cookie)
{
	struct page *page = find_get_page(as, pos >> PAGE_SHIFT);

	if (page) {
		put_page(as->q, page);
		return false;
	}
	page = alloc_pages(as->q, GFP_HIGHUSER_MOVABLE, 0);
	if (!page)
		return false;
	if (copy(cookie, page_address(as->q, page), done, PAGE_SIZE) <
		    PAGE_SIZE ||
	    add_to_page_cache_lru(as, page, pos >> PAGE_SHIFT)) {
		put_page(as->q, page);
		return false;
	}
	flush_dcache_page(as->q, page);
	SetPageUptodate(page);
	/* the size first: what is written back ends there */
	grow_size(as, pos + PAGE_SIZE);
	(void)set_page_dirty(as->q, page);
	unlock_page(page);
	put_page(as->q, page);
	return true;
}

/*
 * n bytes into the page of pos, at once dirty.  Returns the bytes moved; *err:
 * -ENOMEM, -EIO, -EINTR.  A page that left the file while it was written to
 * (truncation, invalidation) is not the file's any more: once again.
 */
static size_t write_one_page(struct address_space *as, struct quire_file *file,
			     uint64_t pos, size_t n, size_t done,
			     quire_copy_fn copy, void *cookie, int *err)
{
	size_t off = (size_t)(pos & (PAGE_SIZE - 1)), got;
	bool cache_only = as->aops && !mapping_can_writeback(as);
	struct page *page;
	bool gone;

	if (n == PAGE_SIZE && mapping_can_writeback(as) &&
	    write_whole_page(as, pos, done, copy, cookie))
		return n;
	do {
		do
			page = page_for_write(as, file, pos >> PAGE_SHIFT, err);
		while (unlikely(*err == -EAGAIN));
		if (!page) /* nobody has cached it: nothing to bring up to date
			    */
			return cache_only && !*err ? n : 0;
		flush_user_dcache_page(as->q, page);
		got = copy(cookie, (char *)page_address(as->q, page) + off,
			   done, n);
		flush_dcache_page(as->q, page);
		/* the size first: what is written back ends there */
		if (got)
			grow_size(as, pos + got);
		if (got && !cache_only)
			(void)set_page_dirty(as->q, page);
		gone = READ_ONCE(page->mapping) != as;
		put_page(as->q, page);
	} while (unlikely(gone && got));
	return got;
}

long quire_mapping_write(struct address_space *as, struct quire_file *file,
			 uint64_t pos, size_t len, quire_copy_fn copy,
			 void *cookie)
{
	struct quire_task *task = quire_host_current();
	size_t done = 0, n, got;
	int err = 0;

	if (mapping_is_dax(as))
		return dax_write(as, pos, len, copy, cookie);
	might_sleep();
	mapping_zero_beyond_end(as, pos);
	mapping_begin_write(as);
	while (done < len && !err) {
		/* it is not waited for below, and could pass every limit */
		if (unlikely(quire_host_fatal_signal_pending(task))) {
			err = -EINTR;
			break;
		}
		n = MIN(PAGE_SIZE - (size_t)(pos & (PAGE_SIZE - 1)),
			len - done);
		got = write_one_page(as, file, pos, n, done, copy, cookie,
				     &err);
		done += got;
		pos += got;
		if (got)
			grow_size(as, pos);
		/* a short copy is tried once more: the file is longer now,
		 * and the buffer may be a mapping of it */
		if (!got && !err)
			err = -EFAULT;
		if (mapping_can_writeback(as))
			balance_dirty_pages_ratelimited(as);
	}
	mapping_end_write(as);
	return done ? (long)done : err;
}
