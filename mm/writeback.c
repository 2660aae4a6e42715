/* SPDX-License-Identifier: MIT */
/*
 * writeback.c - the states of a page that is newer than its device, and the
 * writing of one file's pages.
 *
 *   write_mapping
 *     tag what is dirty now TOWRITE     so that it ends, whoever writes on
 *     each such page, in order:
 *       page lock                       nobody truncates it or maps it writable
 *       page_mkclean                    the next store faults and dirties anew
 *       dirty -> write-back             with a reference
 *       page unlock
 *     each run of consecutive ones -> aops->writepages
 *                                        ... I/O ...
 *                                      quire_page_end_write
 *
 * A page under write-back stays in its file: truncation, invalidation and
 * reclaim wait for the end or leave it alone.  So whoever ends it still finds
 * the file.
 *
 * No lock is waited for while pages are under write-back that nobody has handed
 * to the file system yet: the run is submitted first.
 */
#include "writeback.h"
#include "fault.h"
#include "reclaim.h"
#include "swap.h"

#define GANG 16u

/* ------------------------------------------------------------ the states */

bool set_page_dirty(struct quire *q, struct page *page)
{
	struct address_space *as = READ_ONCE(page->mapping);

	if (!as || PageAnon(page) || !mapping_can_writeback(as)) {
		SetPageFlag(page, PG_dirty);
		return false;
	}
	/* a full barrier: what was stored to the page is seen by the one that
	 * clears the flag next */
	if (__atomic_fetch_or(&page->flags, 0u, __ATOMIC_SEQ_CST) >> PG_dirty &
	    1u)
		return false;
	spin_lock(&as->tree_lock);
	/* it may have left the file.  The flag comes after the tag: whoever
	 * sees it may sync, and must find the page */
	if (READ_ONCE(page->mapping) == as &&
	    page_tree_set_tag(&as->pages, page->index, PTREE_DIRTY)) {
		SetPageFlag(page, PG_dirty);
		if (as->nrdirty++ == 0)
			wb_first_dirty(as);
		mod_vmstat(q, VM_nr_dirty, 1);
		count_vm_event(q, VM_nr_dirtied);
		this_cpu(q)->dirtied++;
	}
	spin_unlock(&as->tree_lock);
	return true;
}

void quire_page_dirty(struct quire *q, struct page *page)
{
	if (PageAnon(page)) {
		/* it may be on its way to swap, or lazily freed: newer now
		 * (release: with what was stored to it) */
		(void)TestSetPageFlag(page, PG_dirty);
		return;
	}
	lock_page(page);
	/* (shared memory in the swap cache is in no file) */
	if (READ_ONCE(page->mapping) || PageFlag(page, PG_swapcache))
		(void)set_page_dirty(q, page);
	unlock_page(page);
	if (PageFlag(page, PG_swapcache)) /* its file may just have let go */
		free_swap_cache(q, page);
}

/* tree_lock held: the page is not dirty any more. */
static void drop_dirty_tags(struct address_space *as, struct page *page)
{
	(void)page_tree_clear_tag(&as->pages, page->index, PTREE_TOWRITE);
	if (!page_tree_clear_tag(&as->pages, page->index, PTREE_DIRTY))
		return;
	as->nrdirty--;
	mod_vmstat(as->q, VM_nr_dirty, -1);
}

void cancel_dirty(struct address_space *as, struct page *page)
{
	if (!TestClearPageFlag(page, PG_dirty) || !mapping_can_writeback(as))
		return;
	drop_dirty_tags(as, page);
	wb_cleaned(as);
}

void mapping_begin_write(struct address_space *as)
{
	spin_lock(&as->tree_lock);
	as->writers++;
	spin_unlock(&as->tree_lock);
}

void mapping_end_write(struct address_space *as)
{
	spin_lock(&as->tree_lock);
	as->writers--;
	spin_unlock(&as->tree_lock);
}

/*
 * tree_lock held, page locked and mapped writable nowhere: what a mapping has
 * stored beyond the end of the file is no part of it.
 */
static void clear_beyond_end(struct address_space *as, struct page *page)
{
	uint64_t size = quire_mapping_get_size(as);
	size_t part = (size_t)(size & (PAGE_SIZE - 1));

	if (!part || page->index != size >> PAGE_SHIFT || as->writers)
		return;
	memset((char *)page_address(as->q, page) + part, 0, PAGE_SIZE - part);
	flush_dcache_page(as->q, page);
}

/* Page locked, and not under write-back. False: it is not dirty. */
static bool begin_writeback(struct address_space *as, struct page *page)
{
	bool dirty;

	if (!PageFlag(page, PG_dirty))
		return false;
	(void)page_mkclean(page);
	flush_user_dcache_page(as->q, page);
	spin_lock(&as->tree_lock);
	dirty = TestClearPageFlag(page, PG_dirty);
	if (dirty) {
		drop_dirty_tags(as, page);
		clear_beyond_end(as, page);
		get_page(page);
		SetPageFlag(page, PG_writeback);
		(void)page_tree_set_tag(&as->pages, page->index,
					PTREE_WRITEBACK);
		as->nrwriteback++;
		mod_vmstat(as->q, VM_nr_writeback, 1);
	}
	spin_unlock(&as->tree_lock);
	return dirty;
}

void quire_page_end_write(struct quire *q, struct page *page, int error)
{
	const uint32_t clear = 1u << PG_writeback | 1u << PG_waiters;
	struct address_space *as = READ_ONCE(page->mapping);
	uint32_t old;

	QUIRE_BUG_ON(!PageFlag(page, PG_writeback));
	if (PageFlag(page, PG_swapcache)) {
		swap_end_write(q, page, error);
		return;
	}
	QUIRE_BUG_ON(!as);
	if (error)
		mapping_set_error(as, error);
	spin_lock(&as->tree_lock);
	(void)page_tree_clear_tag(&as->pages, page->index, PTREE_WRITEBACK);
	as->nrwriteback--;
	mod_vmstat(q, VM_nr_writeback, -1);
	if (!error) {
		count_vm_event(q, VM_nr_written);
		count_vm_event(q, VM_quire_file_written);
		mod_vmstat(q, VM_pgpgout, PAGE_SIZE / 1024); /* in KiB */
	}
	wb_cleaned(as);
	old = __atomic_fetch_and(&page->flags, ~clear, __ATOMIC_RELEASE);
	spin_unlock(&as->tree_lock);
	/* the file may be gone by now */
	if (old & 1u << PG_waiters)
		wake_page_waiters(page);
	/* reclaim came by meanwhile: now it can go */
	if (unlikely(old & 1u << PG_reclaim)) {
		ClearPageFlag(page, PG_reclaim);
		rotate_reclaimable_page(q, page);
	}
	put_page(q, page);
}

int wait_on_page_writeback(struct page *page, bool killable)
{
	uint32_t v;

	might_sleep();
	while (smp_load_acquire(&page->flags) >> PG_writeback & 1u) {
		v = __atomic_or_fetch(&page->flags, 1u << PG_waiters,
				      __ATOMIC_RELAXED);
		if (!(v & 1u << PG_writeback))
			continue;
		if (quire_host_wait(&page->flags, v,
				    killable ? QUIRE_WAIT_KILLABLE : 0))
			return -EINTR;
	}
	return 0;
}

/* ------------------------------------------------------------ one file */

/* Up to GANG pages of [*index, last] with the tag, a reference each. */
static unsigned get_tagged(struct address_space *as, uint64_t index,
			   uint64_t last, enum ptree_tag tag,
			   struct page **pages)
{
	unsigned n, i;

	spin_lock(&as->tree_lock);
	n = page_tree_gang_tag(&as->pages, index, last, tag, pages, GANG);
	for (i = 0; i < n; i++)
		get_page(pages[i]);
	spin_unlock(&as->tree_lock);
	return n;
}

int wait_on_mapping_writeback(struct address_space *as, uint64_t first,
			      uint64_t last, bool killable)
{
	struct page *pages[GANG];
	unsigned n, i;
	int err = 0;

	while (!err) {
		n = get_tagged(as, first, last, PTREE_WRITEBACK, pages);
		if (!n)
			return 0;
		first = pages[n - 1]->index + 1;
		for (i = 0; i < n; i++) {
			if (!err)
				err = wait_on_page_writeback(pages[i],
							     killable);
			put_page(as->q, pages[i]);
		}
		if (first == 0 || first > last)
			return err;
	}
	return err;
}

/* Pages under write-back with consecutive indices, not yet submitted. */
struct wb_run {
	struct page *pages[WB_BATCH];
	uint64_t next; /* index that would continue it */
	unsigned n;
};

static void submit(struct address_space *as, struct wb_run *run)
{
	struct quire_task *task = quire_host_current();
	unsigned i;
	int err;

	if (!run->n)
		return;
	task->writing++;
	if (as->aops->writepages) {
		as->aops->writepages(as, run->pages, run->n);
	} else {
		for (i = 0; i < run->n; i++) {
			err = as->aops->writepage(as, run->pages[i]);
			if (err)
				quire_page_end_write(as->q, run->pages[i], err);
		}
	}
	task->writing--;
	run->n = 0;
}

/* One page that was dirty, with a reference of the caller's. */
static void write_page(struct address_space *as, struct page *page,
		       uint64_t index, struct wb_control *wb,
		       struct wb_run *run)
{
	if (run->n == WB_BATCH || (run->n && run->next != index))
		submit(as, run);
	if (!trylock_page(page)) {
		submit(as, run);
		lock_page(page);
	}
	if (READ_ONCE(page->mapping) != as)
		goto unlock;
	if (PageFlag(page, PG_writeback)) {
		if (!wb->again) {
			wb->left |= PageFlag(page, PG_dirty);
			goto unlock;
		}
		submit(as, run);
		(void)wait_on_page_writeback(page, false);
	}
	if (!begin_writeback(as, page))
		goto unlock;
	run->pages[run->n++] = page;
	run->next = index + 1;
	wb->written++;
unlock:
	unlock_page(page);
}

static void tag_towrite(struct address_space *as, const struct wb_control *wb)
{
	uint64_t index = wb->first;
	bool more;

	do {
		spin_lock(&as->tree_lock);
		more = page_tree_retag(&as->pages, &index, wb->last,
				       PTREE_DIRTY, PTREE_TOWRITE, 256);
		spin_unlock(&as->tree_lock);
	} while (more);
}

static bool wb_enough(struct address_space *as, const struct wb_control *wb)
{
	return wb->written >= wb->nr ||
	       (wb->background && !over_background(as->q));
}

void write_mapping(struct address_space *as, struct wb_control *wb)
{
	/* a part of it comes to its end by itself: no look at all of it */
	bool part = wb->nr != UINT64_MAX;
	enum ptree_tag tag = part ? PTREE_DIRTY : PTREE_TOWRITE;
	struct page *pages[GANG];
	struct wb_run run = {.n = 0};
	uint64_t index = wb->first, at;
	unsigned n, i;

	might_sleep();
	wb->written = 0;
	wb->left = false;
	if (!mapping_can_writeback(as) || wb->first > wb->last)
		return;
	if (!part)
		tag_towrite(as, wb);
	do {
		n = get_tagged(as, index, wb->last, tag, pages);
		for (i = 0; i < n; i++) {
			at = pages[i]->index;
			if (!wb_enough(as, wb))
				write_page(as, pages[i], at, wb, &run);
			put_page(as->q, pages[i]);
			index = at + 1;
		}
	} while (n && index && index <= wb->last && !wb_enough(as, wb));
	submit(as, &run);
}
