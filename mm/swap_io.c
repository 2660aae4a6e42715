/* SPDX-License-Identifier: MIT */
/*
 * swap_io.c - pages of the swap cache to and from their device.
 *
 *   swap_writepage  locked, dirty --> PG_writeback --> ops->write ...
 *                   quire_page_end_write: clean; or dirty again, if it failed
 *   swap_readpage   locked, not up to date --> ops->read ...
 *                   quire_page_end_read: up to date; or not; unlocked
 *
 * Pages whose slots are in a row go in one request.  A page under write may be
 * mapped again and written to: it is dirty then, by its entry.  Only a device
 * that has done when ops->write returns (QUIRE_SWAP_SYNC) sees a page that
 * stays as it is: the lock is kept meanwhile.
 *
 * A page in the cache keeps its area, so nothing here counts references of it.
 *
 * Locks: page lock, by the caller; whoever ends the I/O needs none.
 */
#include "filemap.h"
#include "reclaim.h"
#include "swap_area.h"
#include "writeback.h"

static struct swap_area *page_area(struct quire *q, const struct page *page)
{
	return swap_area_of(q, page_swap_entry(page));
}

static void area_count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1ul, __ATOMIC_RELAXED);
}

/* ----------------------------------------------------------------- writing */

/* Locked: from here on it is under write-back, until quire_page_end_write. */
static void begin_write(struct quire *q, struct page *page)
{
	flush_user_dcache_page(q, page);
	get_page(page);
	/* (acquire: what made it dirty is written) */
	(void)TestClearPageFlag(page, PG_dirty);
	SetPageFlag(page, PG_writeback);
	quire_host_preempt_disable();
	mod_vmstat(q, VM_nr_writeback, 1);
	count_vm_event(q, VM_pswpout);
	quire_host_preempt_enable();
}

void swap_batch_flush(struct swap_batch *b)
{
	struct swap_area *a;
	swp_entry_t e;
	unsigned n = b->n;

	if (!n)
		return;
	b->n = 0;
	a = page_area(b->q, b->pages[0]);
	e = page_swap_entry(b->pages[0]);
	a->ops->write(a->device, swp_offset(e), b->pages, n);
}

void swap_batch_add(struct swap_batch *b, struct page *page)
{
	struct quire *q = b->q;
	struct swap_area *a = page_area(q, page);
	swp_entry_t e = page_swap_entry(page);

	if (try_to_free_swap(q, page)) {
		unlock_page(page); /* nobody needs it there */
		return;
	}
	if (b->n == SWAP_BATCH ||
	    (b->n && page_swap_entry(b->pages[b->n - 1]).v + 1 != e.v))
		swap_batch_flush(b);
	begin_write(q, page);
	if (a->flags & QUIRE_SWAP_SYNC) {
		swap_batch_flush(b);
		get_page(page);
		a->ops->write(a->device, swp_offset(e), &page, 1);
		unlock_page(page);
		free_swap_cache(q, page);
		put_page(q, page);
		return;
	}
	b->pages[b->n++] = page;
	unlock_page(page);
}

void swap_writepage(struct quire *q, struct page *page)
{
	struct swap_batch b = {.q = q};

	swap_batch_add(&b, page);
	swap_batch_flush(&b);
}

void swap_end_write(struct quire *q, struct page *page, int error)
{
	const uint32_t clear = 1u << PG_writeback | 1u << PG_waiters;
	struct swap_area *a = page_area(q, page);
	uint32_t old;

	swap_note_write(q, a, page, error);
	if (error) {
		area_count(&a->write_errors);
		SetPageFlag(page, PG_dirty); /* this is the only copy */
		ClearPageFlag(page, PG_reclaim);
	} else {
		area_count(&a->pages_out);
		quire_host_preempt_disable();
		count_vm_event(q, VM_nr_written);
		mod_vmstat(q, VM_pgpgout, PAGE_SIZE / 1024); /* in KiB */
		quire_host_preempt_enable();
	}
	if (TestClearPageFlag(page, PG_reclaim))
		rotate_reclaimable_page(q, page);
	quire_host_preempt_disable();
	mod_vmstat(q, VM_nr_writeback, -1);
	quire_host_preempt_enable();
	old = __atomic_fetch_and(&page->flags, ~clear, __ATOMIC_RELEASE);
	if (old & 1u << PG_waiters)
		wake_page_waiters(page);
	/* its last entry may have gone while it could not be freed */
	free_swap_cache(q, page);
	put_page(q, page);
}

/* ----------------------------------------------------------------- reading */

void swap_read_run(struct quire *q, struct page **pages, unsigned n)
{
	struct swap_area *a = page_area(q, pages[0]);
	swp_entry_t e = page_swap_entry(pages[0]);

	a->ops->read(a->device, swp_offset(e), pages, n);
}

void swap_readpage(struct quire *q, struct page *page)
{
	quire_debug_unlock(page, QUIRE_LOCK_PAGE);
	ClearPageFlag(page, PG_error);
	swap_read_run(q, &page, 1);
}

void swap_end_read(struct quire *q, struct page *page, int error)
{
	struct swap_area *a = page_area(q, page);

	get_page(page);
	if (error) {
		area_count(&a->read_errors);
		SetPageFlag(page, PG_error);
	} else {
		area_count(&a->pages_in);
		flush_dcache_page(q, page);
		quire_host_preempt_disable();
		mod_vmstat(q, VM_pgpgin, PAGE_SIZE / 1024); /* in KiB */
		count_vm_event(q, VM_pswpin);
		quire_host_preempt_enable();
		SetPageUptodate(page);
	}
	unlock_page_io(page);
	free_swap_cache(q, page);
	put_page(q, page);
}
