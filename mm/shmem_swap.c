/* SPDX-License-Identifier: MIT */
/*
 * shmem_swap.c - shared memory's pages in swap (C5).
 *
 *   page tree:  [page][value][ ][page]      value: a swap entry, low bit set
 *                       |
 *                       '--> slot (one user) --> page of the swap cache, or
 *                                                the device
 *
 *   shmem_swap_out  reclaim: a page that no table maps any more goes to the
 *                   swap cache, its value takes its place
 *   shmem_lookup    fault, read(), write(), swapoff: the page comes back from
 *                   the cache or the device, and its slot is free
 *
 * No table ever has such an entry: shared memory is mapped by what the tree
 * says.  While a page is on its way it is locked, and in the tree as a page or
 * as a value, in neither case twice.  What cannot be read at swapoff leaves a
 * value that names no slot (SWP_HWPOISON).
 *
 * Locks: page lock; tree_lock.  The swap's own lock is outside tree_lock, so
 * its functions are called without, and the page lock, or the value's still
 * being there, keeps the slot.
 */
#include "check.h"
#include "fault.h"
#include "filemap.h"
#include "reclaim.h"
#include "swap.h"
#include "writeback.h"

_Static_assert(sizeof(void *) == 8 || SWP_OFFSET_BITS + SWP_TYPE_BITS < 32,
	       "a swap entry and a bit fit in a pointer");

static void *entry_value(swp_entry_t e)
{
	return (void *)((uintptr_t)swp_offset(e) << (SWP_TYPE_BITS + 1) |
			(uintptr_t)swp_type(e) << 1 | 1u);
}

static swp_entry_t value_entry(const void *value)
{
	uintptr_t v = (uintptr_t)value;

	return swp_entry((unsigned)(v >> 1) & ((1u << SWP_TYPE_BITS) - 1),
			 v >> (SWP_TYPE_BITS + 1));
}

/* tree_lock held: so many pages more in the file, and values less. */
static void count_pages(struct address_space *as, long n)
{
	WRITE_ONCE(as->nrpages, as->nrpages + (unsigned long)n);
	WRITE_ONCE(as->nrswapped, as->nrswapped - (unsigned long)n);
	mod_vmstat(as->q, VM_nr_file_pages, n);
	mod_vmstat(as->q, VM_nr_shmem, n);
}

bool shmem_swap_out(struct quire *q, struct page *page, int below)
{
	struct address_space *as = READ_ONCE(page->mapping);
	swp_entry_t entry;

	if (page_mapcount(page) || beyond_end(as, page->index) ||
	    !add_to_swap_below(q, page, below))
		return false;
	entry = page_swap_entry(page);
	swap_duplicate(q, entry);
	spin_lock(&as->tree_lock);
	(void)page_tree_replace(&as->pages, page->index, entry_value(entry));
	count_pages(as, -1);
	WRITE_ONCE(page->mapping, NULL);
	spin_unlock(&as->tree_lock);
	/* from here on the file may go away */
	put_page(q, page);
	return true;
}

/* What is at index: a page with a reference, a value, or NULL. */
static void *get_slot(struct address_space *as, uint64_t index)
{
	void *slot;

	spin_lock(&as->tree_lock);
	slot = page_tree_get(&as->pages, index);
	if (slot && !ptree_is_value(slot))
		get_page(slot);
	spin_unlock(&as->tree_lock);
	return slot;
}

/* Put a page, or another value, where `value` is; false: it is there no more.
 */
static bool replace_value(struct address_space *as, uint64_t index, void *value,
			  void *slot)
{
	bool same;

	spin_lock(&as->tree_lock);
	same = page_tree_get(&as->pages, index) == value;
	if (same) {
		(void)page_tree_replace(&as->pages, index, slot);
		if (!ptree_is_value(slot))
			count_pages(as, 1);
	}
	spin_unlock(&as->tree_lock);
	return same;
}

/*
 * The locked page was found for the value: from the swap cache into the file.
 * 0; -EAGAIN: it is the value's no more; -EIO: it could not be read.
 */
static int bring_back(struct address_space *as, uint64_t index, void *value,
		      struct page *page)
{
	swp_entry_t entry = value_entry(value);
	struct quire *q = as->q;

	if (!PageFlag(page, PG_swapcache) || page_swap_entry(page).v != entry.v)
		return -EAGAIN;
	if (!PageUptodate(page))
		return -EIO;
	(void)wait_on_page_writeback(page, false);
	get_page(page); /* the file's */
	/* one that has not been away long may still be looked at (map_pages) */
	if (page->index != index)
		page->index = index;
	WRITE_ONCE(page->mapping, as);
	/* no other copy will be left */
	SetPageFlag(page, PG_dirty);
	if (!replace_value(as, index, value, page)) {
		WRITE_ONCE(page->mapping, NULL);
		put_page(q, page);
		return -EAGAIN;
	}
	swap_free(q, entry);
	delete_from_swap_cache(q, page);
	return 0;
}

/* The page that a value stands for, to be locked; or -errno. */
static int read_value(struct address_space *as, uint64_t index, void *value,
		      struct page **page, bool *major)
{
	swp_entry_t entry = value_entry(value);
	enum swap_found found;

	if (!swap_entry_is_slot(entry))
		return -EIO; /* lost at swapoff */
	quire_step("shared memory that is in swap");
	*page = swapin_readahead(as->q, entry, GFP_HIGHUSER_MOVABLE, NULL, 0,
				 &found);
	*major = found == SWAP_FRESH;
	if (*page)
		return 0;
	if (found == SWAP_GONE)
		return -EAGAIN;
	/* somebody else has brought it back, or there is no memory for it */
	spin_lock(&as->tree_lock);
	entry.v = page_tree_get(&as->pages, index) == value;
	spin_unlock(&as->tree_lock);
	return entry.v ? -ENOMEM : -EAGAIN;
}

int shmem_lookup(struct address_space *as, uint64_t index, struct vm_fault *vmf,
		 struct page **page, bool *major)
{
	struct quire *q = as->q;
	bool read = false;
	void *slot;
	int err;

	for (;;) {
		slot = get_slot(as, index);
		*page = slot;
		if (!slot)
			return 0;
		if (ptree_is_value(slot)) {
			err = read_value(as, index, slot, page, &read);
			*major |= read;
			if (err == -EAGAIN)
				continue;
			if (err)
				return err;
		}
		if (!vmf) {
			lock_page(*page);
		} else if (!lock_page_or_retry(*page, vmf)) {
			put_page(q, *page);
			return -EINTR;
		}
		err = -EAGAIN;
		if (ptree_is_value(slot))
			err = bring_back(as, index, slot, *page);
		else if (READ_ONCE((*page)->mapping) == as)
			err = 0;
		if (!err)
			return 0;
		unlock_page(*page);
		/* who gave its slot up meanwhile may have found it locked */
		free_swap_cache(q, *page);
		put_page(q, *page);
		if (err != -EAGAIN)
			return err;
	}
}

bool shmem_drop_value(struct address_space *as, uint64_t index, void *value)
{
	swp_entry_t entry = value_entry(value);
	bool same;

	spin_lock(&as->tree_lock);
	same = page_tree_get(&as->pages, index) == value;
	if (same) {
		(void)page_tree_remove(as->q, &as->pages, index);
		WRITE_ONCE(as->nrswapped, as->nrswapped - 1);
	}
	spin_unlock(&as->tree_lock);
	if (same && swap_entry_is_slot(entry))
		free_swap_and_cache(as->q, entry);
	return same;
}

struct page *shmem_value_cached(struct address_space *as, uint64_t index)
{
	void *slot = get_slot(as, index);

	if (!ptree_is_value(slot))
		return slot;
	if (!swap_entry_is_slot(value_entry(slot)))
		return NULL;
	return swap_cache_get(as->q, value_entry(slot));
}

void shmem_willneed(struct address_space *as, uint64_t index, uint64_t end)
{
	uint64_t at[SWAP_BATCH];
	void *slots[SWAP_BATCH];
	swp_entry_t entries[SWAP_BATCH];
	unsigned i, n, k;

	while (index < end) {
		spin_lock(&as->tree_lock);
		n = as->nrswapped ? page_tree_gang_any(&as->pages, index, slots,
						       at, SWAP_BATCH)
				  : 0;
		spin_unlock(&as->tree_lock);
		for (i = k = 0; i < n && at[i] < end; i++)
			if (ptree_is_value(slots[i]))
				entries[k++] = value_entry(slots[i]);
		if (!n || !swap_read_ahead(as->q, entries, k))
			return;
		index = at[n - 1] + 1;
		if (!index)
			return;
	}
}

/* -------------------------------------------------------------- swapoff */

/* The first value of the area at *index or after it; false: there is none. */
static bool next_value(struct address_space *as, unsigned area, uint64_t *index,
		       void **value)
{
	uint64_t at[16];
	void *slots[16];
	unsigned i, n;

	do {
		spin_lock(&as->tree_lock);
		n = as->nrswapped ? page_tree_gang_any(&as->pages, *index,
						       slots, at, 16)
				  : 0;
		spin_unlock(&as->tree_lock);
		for (i = 0; i < n; i++) {
			*index = at[i];
			*value = slots[i];
			if (ptree_is_value(slots[i]) &&
			    swp_type(value_entry(slots[i])) == area)
				return true;
		}
	} while (n && ++*index);
	return false;
}

uint64_t shmem_swapped(struct address_space *as, uint64_t index, uint64_t end)
{
	uint64_t at[SWAP_BATCH], sum = 0;
	void *slots[SWAP_BATCH];
	unsigned i, n;

	do {
		spin_lock(&as->tree_lock);
		n = as->nrswapped ? page_tree_gang_any(&as->pages, index, slots,
						       at, SWAP_BATCH)
				  : 0;
		spin_unlock(&as->tree_lock);
		for (i = 0; i < n && at[i] < end; i++)
			sum += ptree_is_value(slots[i]) &&
			       swap_entry_is_slot(value_entry(slots[i]));
		index = n ? at[n - 1] + 1 : end;
	} while (index && index < end);
	return sum;
}

static int unuse_mapping(struct address_space *as, unsigned area)
{
	struct quire_task *task = quire_host_current();
	swp_entry_t lost = swp_entry(SWP_HWPOISON, 0);
	uint64_t index = 0;
	struct page *page;
	bool major = false;
	void *value;
	int err;

	while (next_value(as, area, &index, &value)) {
		if (task && quire_host_fatal_signal_pending(task))
			return -EINTR;
		err = shmem_lookup(as, index, NULL, &page, &major);
		if (err == -ENOMEM)
			return err;
		if (err) {
			if (replace_value(as, index, value, entry_value(lost)))
				free_swap_and_cache(as->q, value_entry(value));
		} else if (page) {
			unlock_page(page);
			put_page(as->q, page);
		}
	}
	return 0;
}

/* The shared memory after `done` (NULL: the first), pinned, `done` no more. */
static struct address_space *next_shmem(struct quire *q,
					struct address_space *done, bool end)
{
	struct address_space *as = NULL;
	struct list_head *pos;

	spin_lock(&q->mm_lock);
	/* (a pinned one stays on the list) */
	pos = done ? done->mapping_list.next : q->mapping_list.next;
	for (; pos != &q->mapping_list && !end; pos = pos->next) {
		as = list_entry(pos, struct address_space, mapping_list);
		if (as->shmem && !as->dying)
			break;
		as = NULL;
	}
	if (as)
		WRITE_ONCE(as->unuse_pins, as->unuse_pins + 1);
	if (done) {
		WRITE_ONCE(done->unuse_pins, done->unuse_pins - 1);
		quire_host_wake(&done->unuse_pins, UINT32_MAX);
	}
	spin_unlock(&q->mm_lock);
	return as;
}

int shmem_unuse(struct quire *q, unsigned area)
{
	struct address_space *as = NULL;
	int err = 0;

	while ((as = next_shmem(q, as, err != 0)) != NULL)
		err = unuse_mapping(as, area);
	return err;
}

bool shmem_take_back(struct quire *q, struct page *page)
{
	void *value = entry_value(page_swap_entry(page));
	struct address_space *as = NULL;
	bool back = false, here;

	while ((as = next_shmem(q, as, back)) != NULL) {
		spin_lock(&as->tree_lock);
		here = page_tree_get(&as->pages, page->index) == value;
		spin_unlock(&as->tree_lock);
		back = here && !bring_back(as, page->index, value, page);
	}
	return back;
}

/* ------------------------------------------------------------- quire_check */

void check_shmem_values(struct quire_check *c, struct address_space *as)
{
	uint64_t index = 0, at, n = 0;
	void *slot;

	while (page_tree_gang_any(&as->pages, index, &slot, &at, 1)) {
		index = at + 1;
		if (ptree_is_value(slot)) {
			n++;
			if (swap_entry_is_slot(value_entry(slot)) &&
			    !check_swap_entry(c, value_entry(slot)))
				check_fail(c, "a value at %llx is no slot",
					   (unsigned long long)at);
		}
		if (!index)
			break;
	}
	if (n != as->nrswapped || (n && !as->shmem))
		check_fail(c, "file has %llu values, nrswapped %llu",
			   (unsigned long long)n,
			   (unsigned long long)as->nrswapped);
}
