/* SPDX-License-Identifier: MIT */
/*
 * truncate.c - a file's cached pages as a whole: the mapping's life, its size,
 * and dropping pages by truncation and hole punching.
 *
 *   shrink:  size lowered -> mappings beyond removed -> pages dropped
 *                            (a fault that was under way sees the new size
 *                             once it has the page lock, and is SIGBUS)
 *
 * A write of a page that is under way ends before the page is dropped or
 * zeroed, so that nothing beyond the new end reaches the device once
 * quire_mapping_set_size() has returned.
 *
 * Locks: none on entry; the page lock, and i_mmap_lock inside it.
 */
#include "device.h"
#include "fault.h"
#include "gather.h"
#include "writeback.h"

#define GANG 16u

size_t quire_mapping_size(void)
{
	return sizeof(struct address_space);
}

void quire_mapping_init(struct quire *q, struct address_space *as,
			const struct quire_aops *aops, void *host,
			uint64_t size)
{
	memset(as, 0, sizeof(*as));
	as->q = q;
	as->aops = aops;
	as->host = host;
	as->size = size;
	as->shmem = aops == NULL;
	spin_lock_init(&as->tree_lock, CACHE);
	rwsem_init(&as->frames_lock, QUIRE_LOCK_MAPPING);
	rwsem_init(&as->i_mmap_lock, QUIRE_LOCK_I_MMAP);
	itree_init(&as->i_mmap);
	spin_lock(&q->mm_lock);
	list_add_tail(&as->mapping_list, &q->mapping_list);
	as->number = ++q->next_mapping;
	spin_unlock(&q->mm_lock);
}

void quire_mapping_init_shmem(struct quire *q, struct address_space *as,
			      void *host, uint64_t size)
{
	quire_mapping_init(q, as, NULL, host, size);
}

void *quire_mapping_host(struct address_space *as)
{
	return as->host;
}

uint64_t quire_mapping_get_size(struct address_space *as)
{
	return __atomic_load_n(&as->size, __ATOMIC_ACQUIRE);
}

uint64_t quire_mapping_pages(struct address_space *as)
{
	return READ_ONCE(as->nrpages) + READ_ONCE(as->nrswapped);
}

unsigned find_get_pages(struct address_space *as, uint64_t first, uint64_t last,
			struct page **pages, unsigned n)
{
	unsigned i;

	spin_lock(&as->tree_lock);
	n = page_tree_gang(&as->pages, first, pages, n);
	while (n && pages[n - 1]->index > last)
		n--;
	for (i = 0; i < n; i++)
		get_page(pages[i]);
	spin_unlock(&as->tree_lock);
	return n;
}

/*
 * Take one page out of the cache, unmapping it first; a write of it that is
 * under way ends before.  The caller's reference on it is dropped.  False: it
 * was shared memory and may have gone to swap instead.
 */
static bool drop_page(struct address_space *as, struct page *page)
{
	bool gone = true;

	lock_page(page);
	if (READ_ONCE(page->mapping) == as) {
		while (page_mapcount(page))
			unmap_mapping_range(as, page->index, page->index,
					    false);
		(void)wait_on_page_writeback(page, false);
		delete_from_page_cache(page);
	} else { /* someone else has dropped it */
		gone = !as->shmem;
	}
	unlock_page(page);
	put_page(as->q, page);
	return gone;
}

/* Pages, with a reference each, and values of [first, last]. */
static unsigned get_slots(struct address_space *as, uint64_t first,
			  uint64_t last, void **slots, uint64_t *at)
{
	unsigned n, i;

	spin_lock(&as->tree_lock);
	n = page_tree_gang_any(&as->pages, first, slots, at, GANG);
	while (n && at[n - 1] > last)
		n--;
	for (i = 0; i < n; i++)
		if (!ptree_is_value(slots[i]))
			get_page(slots[i]);
	spin_unlock(&as->tree_lock);
	return n;
}

/* Drop the pages of [first, last], those in swap, too. */
static void drop_pages(struct address_space *as, uint64_t first, uint64_t last)
{
	uint64_t at[GANG], next;
	void *slots[GANG];
	unsigned n, i;
	bool gone;

	do {
		n = get_slots(as, first, last, slots, at);
		if (!n)
			return;
		next = at[n - 1] + 1;
		for (i = n; i--;) {
			gone = ptree_is_value(slots[i])
				       ? shmem_drop_value(as, at[i], slots[i])
				       : drop_page(as, slots[i]);
			if (unlikely(!gone)) /* it changed meanwhile: again */
				next = at[i];
		}
		first = next;
	} while (first && first <= last);
}

#define CUT_TRIES 64 /* each of them reclaims, and calls for the OOM killer */

/*
 * The page of `index`, locked and with a reference, if there is one.  Shared
 * memory's may be in swap, and is needed: what is not zeroed now would come to
 * light when the file is longer again, so a lack of memory is not the end.
 */
static struct page *find_cut_page(struct address_space *as, uint64_t index)
{
	unsigned tries = 0;
	struct page *page;
	int err;

	if (!as->shmem)
		return find_lock_page(as, index);
	do
		page = shmem_find_page(as, index, &err);
	while (err == -ENOMEM && ++tries < CUT_TRIES);
	return page;
}

/*
 * Zero bytes [from, to) of the page of `index`, when it is cached; a write of
 * it that is under way ends before.  dirty: the device has something else.
 */
static void zero_partial(struct address_space *as, uint64_t index, size_t from,
			 size_t to, bool dirty)
{
	struct page *page = find_cut_page(as, index);

	if (!page)
		return;
	(void)wait_on_page_writeback(page, false);
	if (PageUptodate(page)) {
		flush_user_dcache_page(as->q, page);
		memset((char *)page_address(as->q, page) + from, 0, to - from);
		flush_dcache_page(as->q, page);
		if (dirty)
			(void)set_page_dirty(as->q, page);
	}
	unlock_page(page);
	put_page(as->q, page);
}

void mapping_zero_beyond_end(struct address_space *as, uint64_t pos)
{
	uint64_t size = quire_mapping_get_size(as);
	size_t from = (size_t)(size & (PAGE_SIZE - 1)), to = PAGE_SIZE;
	struct page *page;

	if (as->shmem || !from || pos <= size)
		return;
	if (pos >> PAGE_SHIFT == size >> PAGE_SHIFT)
		to = (size_t)(pos & (PAGE_SIZE - 1));
	page = find_lock_page(as, size >> PAGE_SHIFT);
	if (!page)
		return;
	flush_user_dcache_page(as->q, page);
	spin_lock(&as->tree_lock);
	/* else what is there may be a write()'s, and about to be the file's */
	if (!as->writers && PageUptodate(page))
		memset((char *)page_address(as->q, page) + from, 0, to - from);
	spin_unlock(&as->tree_lock);
	flush_dcache_page(as->q, page);
	unlock_page(page);
	put_page(as->q, page);
}

void quire_mapping_set_size(struct address_space *as, uint64_t size)
{
	uint64_t first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT, old;
	size_t part = (size_t)(size & (PAGE_SIZE - 1));

	might_sleep();
	if (mapping_is_dax(as)) {
		dax_set_size(as, size);
		return;
	}
	/* what mappings have stored there does not become part of the file */
	mapping_zero_beyond_end(as, size);
	old = __atomic_exchange_n(&as->size, size, __ATOMIC_ACQ_REL);
	/* the same size: a write that failed may have left a page beyond */
	if (size > old)
		return;
	unmap_mapping_range(as, first, UINT64_MAX, true);
	if (part)
		zero_partial(as, size >> PAGE_SHIFT, part, PAGE_SIZE, false);
	drop_pages(as, first, UINT64_MAX);
	/* private copies made while the pages were still there */
	unmap_mapping_range(as, first, UINT64_MAX, true);
}

void quire_mapping_punch(struct address_space *as, uint64_t start, uint64_t end)
{
	uint64_t first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t last = end >> PAGE_SHIFT; /* exclusive */
	size_t head = (size_t)(start & (PAGE_SIZE - 1));
	size_t tail = (size_t)(end & (PAGE_SIZE - 1));

	might_sleep();
	if (start >= end)
		return;
	if (mapping_is_dax(as)) {
		dax_punch(as, start, end);
		return;
	}
	if (start >> PAGE_SHIFT == end >> PAGE_SHIFT) {
		zero_partial(as, start >> PAGE_SHIFT, head, tail, true);
		return;
	}
	if (head)
		zero_partial(as, start >> PAGE_SHIFT, head, PAGE_SIZE, true);
	if (tail)
		zero_partial(as, end >> PAGE_SHIFT, 0, tail, true);
	if (first >= last)
		return;
	unmap_mapping_range(as, first, last - 1, false);
	drop_pages(as, first, last - 1);
}

/* The page of byte pos, when it is cached, is to be stored again. */
static void redirty_page(struct address_space *as, uint64_t pos)
{
	struct page *page = find_lock_page(as, pos >> PAGE_SHIFT);

	if (!page)
		return;
	if (PageUptodate(page))
		(void)set_page_dirty(as->q, page);
	unlock_page(page);
	put_page(as->q, page);
}

void quire_mapping_punched(struct address_space *as, uint64_t start,
			   uint64_t end)
{
	might_sleep();
	if (start >= end || as->shmem || mapping_is_dax(as))
		return;
	if (start & (PAGE_SIZE - 1))
		redirty_page(as, start);
	if (end & (PAGE_SIZE - 1))
		redirty_page(as, end);
}

void quire_mapping_freeze(struct address_space *as)
{
	spin_lock(&as->tree_lock);
	WRITE_ONCE(as->frozen, as->frozen + 1);
	spin_unlock(&as->tree_lock);
}

void quire_mapping_thaw(struct address_space *as)
{
	spin_lock(&as->tree_lock);
	WRITE_ONCE(as->frozen, as->frozen - 1);
	spin_unlock(&as->tree_lock);
	quire_host_wake(&as->frozen, UINT32_MAX);
}

int mapping_wait_thaw(struct address_space *as)
{
	uint32_t v;

	might_sleep();
	while ((v = READ_ONCE(as->frozen)))
		if (quire_host_wait(&as->frozen, v, QUIRE_WAIT_KILLABLE))
			return -EINTR;
	return 0;
}

/* The file is to go: no swapoff works on it any more. */
static void forget_swapoff(struct address_space *as)
{
	uint32_t pins;

	spin_lock(&as->q->mm_lock);
	as->dying = true;
	spin_unlock(&as->q->mm_lock);
	while ((pins = READ_ONCE(as->unuse_pins)))
		(void)quire_host_wait(&as->unuse_pins, pins, 0);
	/* who has let go of it has left the lock as well */
	spin_lock(&as->q->mm_lock);
	spin_unlock(&as->q->mm_lock);
}

void quire_mapping_destroy(struct address_space *as)
{
	struct quire *q = as->q;

	QUIRE_BUG_ON(!itree_empty(&as->i_mmap));
	wb_forget(as);
	forget_swapoff(as);
	drop_pages(as, 0, UINT64_MAX);
	QUIRE_BUG_ON(as->nrpages != 0 || as->nrswapped != 0);
	spin_lock(&q->mm_lock);
	list_del(&as->mapping_list);
	spin_unlock(&q->mm_lock);
}
