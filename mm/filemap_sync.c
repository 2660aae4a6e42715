/* SPDX-License-Identifier: MIT */
/*
 * filemap_sync.c - making sure: fsync, msync and sync of one file, the errors
 * that they report, and dropping pages for I/O past the cache.
 *
 *   wb_err:  | counter | seen | errno |
 *
 * A write's failure has nobody to be told to when it happens.  It is kept in
 * the mapping, as one word; each opener keeps the word that it saw last
 * (file->wb_seen) and is told when it differs.  The counter moves on only when
 * somebody has seen the last value, so that two equal errors in a row are two
 * for who saw the first, and it does not wrap for nothing.  An error that
 * nobody has seen when a file is opened is news to that opener too.
 *
 * Locks: none on entry.
 */
#include "fault.h"
#include "gather.h"
#include "writeback.h"

#define ERR_MASK 0xfffu
#define ERR_SEEN 0x1000u
#define ERR_STEP 0x2000u

#define GANG 16u

void mapping_set_error(struct address_space *as, int error)
{
	uint32_t code = error == -ENOSPC ? ENOSPC : EIO;
	uint32_t old = READ_ONCE(as->wb_err), new;

	do {
		new = (old & ~(ERR_MASK | ERR_SEEN)) | code;
		if (old & ERR_SEEN)
			new += ERR_STEP;
		if (new == old)
			return;
	} while (!__atomic_compare_exchange_n(&as->wb_err, &old, new, true,
					      __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
}

void quire_file_opened(struct quire_file *file)
{
	uint32_t err = file->mapping ? READ_ONCE(file->mapping->wb_err) : 0;

	WRITE_ONCE(file->wb_seen, err & ERR_SEEN ? err : 0);
}

int quire_file_check_error(struct quire_file *file)
{
	struct address_space *as = file->mapping;
	uint32_t err, seen;

	if (!as)
		return 0;
	for (;;) {
		seen = READ_ONCE(file->wb_seen);
		err = __atomic_load_n(&as->wb_err, __ATOMIC_ACQUIRE);
		if (err == 0 || (err | ERR_SEEN) == seen)
			return 0;
		if (!(err & ERR_SEEN) &&
		    !__atomic_compare_exchange_n(
			    &as->wb_err, &err, err | ERR_SEEN, false,
			    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue; /* a newer error, or another has seen it */
		err |= ERR_SEEN;
		/* of two threads with one open file, one is told */
		if (__atomic_compare_exchange_n(&file->wb_seen, &seen, err,
						false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return -(int)(err & ERR_MASK);
	}
}

int quire_file_peek_error(const struct quire_file *file)
{
	uint32_t err = file->mapping ? READ_ONCE(file->mapping->wb_err) : 0;

	if (err == 0 || (err | ERR_SEEN) == READ_ONCE(file->wb_seen))
		return 0;
	return -(int)(err & ERR_MASK);
}

int quire_mapping_sync(struct address_space *as, uint64_t start, uint64_t end,
		       unsigned how)
{
	struct wb_control wb = {.first = start >> PAGE_SHIFT,
				.last = end >> PAGE_SHIFT,
				.nr = UINT64_MAX,
				.again = (how & QUIRE_SYNC_WAIT) != 0};

	might_sleep();
	if (start > end || !mapping_can_writeback(as))
		return 0;
	if (how & QUIRE_SYNC_START)
		write_mapping(as, &wb);
	if (how & QUIRE_SYNC_WAIT)
		return wait_on_mapping_writeback(as, wb.first, wb.last, true);
	return 0;
}

int quire_file_fsync(struct quire_file *file, uint64_t start, uint64_t end,
		     bool datasync)
{
	int err = 0, told;

	/* as fsync(2) of what has nothing to store */
	if (file->device && !file->ops->fsync)
		return -EINVAL;
	if (file->mapping)
		err = quire_mapping_sync(file->mapping, start, end,
					 QUIRE_SYNC_START | QUIRE_SYNC_WAIT);
	if (err)
		return err; /* killed: the errors are left for another */
	if (file->ops->fsync)
		err = file->ops->fsync(file, start, end, datasync);
	told = quire_file_check_error(file);
	return told ? told : err;
}

uint64_t quire_mapping_dirty(struct address_space *as)
{
	uint64_t n;

	/* a page that goes from one to the other is not to be missed */
	spin_lock(&as->tree_lock);
	n = (uint64_t)as->nrdirty + as->nrwriteback;
	spin_unlock(&as->tree_lock);
	return n;
}

/* One page with a reference, which is dropped.  0 or -EBUSY. */
static int invalidate_page(struct address_space *as, struct page *page)
{
	int err = 0;

	lock_page(page);
	if (READ_ONCE(page->mapping) != as)
		goto unlock; /* gone already */
	(void)wait_on_page_writeback(page, false);
	while (page_mapcount(page))
		unmap_mapping_range(as, page->index, page->index, false);
	/* a pinned page may be written to at any time */
	if (__atomic_load_n(&page->pins, __ATOMIC_ACQUIRE) ||
	    !delete_clean_page(page))
		err = -EBUSY;
unlock:
	unlock_page(page);
	put_page(as->q, page);
	return err;
}

int quire_mapping_invalidate(struct address_space *as, uint64_t start,
			     uint64_t end)
{
	uint64_t first = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	struct page *pages[GANG];
	unsigned n, i;
	int err, one;

	if (start > end || as->shmem)
		return 0;
	err = quire_mapping_sync(as, start, end,
				 QUIRE_SYNC_START | QUIRE_SYNC_WAIT);
	if (err)
		return err;
	unmap_mapping_range(as, first, last, false);
	do {
		n = find_get_pages(as, first, last, pages, GANG);
		for (i = 0; i < n; i++) {
			first = pages[i]->index + 1;
			one = invalidate_page(as, pages[i]);
			if (one)
				err = one;
		}
	} while (n && first && first <= last);
	return err;
}

/* The first index from `index` on that is cached, or in swap; UINT64_MAX: none.
 */
static uint64_t next_cached(struct address_space *as, uint64_t index)
{
	uint64_t at;
	void *slot;
	unsigned n;

	spin_lock(&as->tree_lock);
	n = page_tree_gang_any(&as->pages, index, &slot, &at, 1);
	spin_unlock(&as->tree_lock);
	return n ? at : UINT64_MAX;
}

uint64_t quire_mapping_seek(struct address_space *as, uint64_t pos, bool data)
{
	uint64_t size = quire_mapping_get_size(as), index = pos >> PAGE_SHIFT;
	uint64_t end = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;

	if (data)
		index = next_cached(as, index);
	else
		while (index < end && next_cached(as, index) == index)
			index++;
	return index < end ? MAX(pos, index << PAGE_SHIFT) : size;
}
