/* SPDX-License-Identifier: MIT */
/*
 * memory_failure.c - a frame is broken (R8): nobody is to use it again, and
 * nobody is to see what is in it.
 *
 *   what it is                        what becomes of it
 *   -------------------------------   --------------------------------------
 *   free                              taken out of the lists
 *   a file's, clean                   dropped: read again by the next access
 *   a file's, dirty                   lost: its users' entries are hwpoison
 *                                     entries, fsync() tells of EIO
 *   private, as its swap slot has it  dropped: swapped in again
 *   private, else                     lost: hwpoison entries; its swap slot's
 *                                     users find it in the swap cache, broken
 *   shared memory                     lost likewise; stays in its file, broken
 *   objects, tables, the host's ...   nothing can be done: -EBUSY
 *
 * Who touches a hwpoison entry, or finds a page with PG_hwpoison, gets SIGBUS,
 * BUS_MCEERR_AR.  A broken frame keeps one reference for ever: that is what
 * keeps it from being free.
 *
 * A frame that only begins to fail (soft offline) loses nothing: its page is
 * moved first.
 *
 * A page in use is taken from its LRU list: only what is there is certainly
 * user memory, and has a reference to be had.
 *
 * Locks: page lock and what try_to_unmap() takes; the zone's for a free one.
 */
#include "fault.h"
#include "filemap.h"
#include "migrate.h"
#include "reclaim.h"
#include "rmap.h"
#include "swap.h"
#include "writeback.h"
#include <quire/migrate.h>

#define TRIES 4u

/* Out of use for good; the reference that the caller has stays with it. */
static void set_poisoned(struct quire *q, struct page *page)
{
	SetPageFlag(page, PG_hwpoison);
	__atomic_fetch_add(&q->nr_poisoned, 1ul, __ATOMIC_RELAXED);
}

struct tell {
	quire_poison_fn fn;
	void *cookie;
};

static bool tell_one(struct page *page, struct vm_area_struct *vma,
		     uaddr_t addr, void *arg)
{
	const struct tell *t = arg;
	spinlock_t *ptl;

	if (!rmap_entry(page, vma, addr, &ptl))
		return true;
	t->fn(t->cookie, vma->vm_mm, addr);
	spin_unlock(ptl);
	return true;
}

/* The contents are lost: every entry says so. */
static void unmap_lost(struct quire *q, struct page *page, struct tell *t)
{
	if (t->fn && page_mapcount(page))
		(void)rmap_walk(q, page, true, tell_one, t);
	(void)try_to_unmap(q, page, TTU_HWPOISON | TTU_WAIT | TTU_IGNORE_MLOCK);
	ClearPageFlag(page, PG_anon_exclusive);
}

static void fail_file_page(struct quire *q, struct page *page, struct tell *t)
{
	struct address_space *as = page->mapping;

	if (as->shmem) {
		unmap_lost(q, page, t);
		/* zeroes in its place would be wrong data */
		ClearPageFlag(page, PG_uptodate);
		return;
	}
	/* a writable entry is only there while the page is dirty */
	if (!PageFlag(page, PG_dirty)) {
		(void)try_to_unmap(q, page, TTU_WAIT | TTU_IGNORE_MLOCK);
	} else {
		unmap_lost(q, page, t);
		mapping_set_error(as, -EIO);
	}
	delete_from_page_cache(page);
}

static void fail_anon_page(struct quire *q, struct page *page, struct tell *t)
{
	bool cached = PageFlag(page, PG_swapcache);

	/* swap entries; dirty moves from the entries to the page */
	if (cached && !PageFlag(page, PG_dirty) && PageUptodate(page) &&
	    try_to_unmap(q, page, TTU_WAIT | TTU_IGNORE_MLOCK) &&
	    !PageFlag(page, PG_dirty)) {
		delete_from_swap_cache(q, page);
		return;
	}
	unmap_lost(q, page, t);
	if (cached)
		ClearPageFlag(page, PG_uptodate);
	else
		WRITE_ONCE(page->mapping, NULL);
}

/* An isolated page of user memory; its reference stays with it. */
static void fail_user_page(struct quire *q, struct page *page, struct tell *t)
{
	lock_page(page);
	if (PageFlag(page, PG_writeback))
		(void)wait_on_page_writeback(page, false);
	set_poisoned(q, page);
	if (PageAnon(page) || PageFlag(page, PG_swapcache))
		fail_anon_page(q, page, t);
	else if (page->mapping)
		fail_file_page(q, page, t);
	unlock_page(page);
}

static bool kernel_page(const struct page *page)
{
	return (READ_ONCE(page->flags) & (1u << PG_slab | 1u << PG_table |
					  1u << PG_reserved | 1u << PG_host)) !=
	       0;
}

/* Free pages and those on their way to an LRU list to where they are found. */
static void gather_pages(struct quire *q)
{
	lru_add_drain_all(q);
	pcp_drain_all(q);
}

/*
 * One try at a frame that is to be used no more: 0: it was free; IN_USE: it is
 * isolated, for the caller to deal with; -EHWPOISON: it is broken already;
 * -EBUSY: the kernel has it; -EAGAIN: it was on no list, and may be now.
 */
#define IN_USE 1
static int take_frame(struct quire *q, struct page *page)
{
	if (PageFlag(page, PG_hwpoison))
		return -EHWPOISON;
	if (kernel_page(page))
		return -EBUSY;
	if (take_free_page(q, page)) {
		set_poisoned(q, page);
		return 0;
	}
	if (isolate_lru_page(q, page))
		return IN_USE;
	gather_pages(q);
	return -EAGAIN;
}

int quire_memory_failure(struct quire *q, paddr_t phys, quire_poison_fn tell,
			 void *cookie)
{
	struct page *page = quire_phys_page(q, phys);
	struct tell t = {tell, cookie};
	int got = -EAGAIN;
	unsigned try;

	if (!page)
		return -ENXIO;
	for (try = 0; try < TRIES && got == -EAGAIN; try++)
		got = take_frame(q, page);
	if (got == IN_USE) {
		fail_user_page(q, page, &t);
		return 0;
	}
	if (got != -EAGAIN && got != -EBUSY)
		return got;
	quire_printk(3, "memory failure: frame %llx is in use by the kernel",
		     (unsigned long long)page_to_pfn(q, page));
	return -EBUSY;
}

int quire_soft_offline(struct quire *q, paddr_t phys)
{
	struct page *page = quire_phys_page(q, phys);
	struct migrate_target t = {.get = migrate_get_anywhere, .q = q};
	struct page *moving = page;
	int got = -EAGAIN;
	unsigned try;

	if (!page)
		return -ENXIO;
	for (try = 0; try < TRIES && (got == -EAGAIN || got == IN_USE); try++) {
		got = take_frame(q, page);
		if (got == IN_USE) {
			(void)migrate_pages(q, &moving, 1, &t, true, NULL);
			gather_pages(q);
		}
	}
	return got == -EAGAIN || got == IN_USE ? -EBUSY : got;
}

int madvise_inject_error(struct mm_struct *mm, uaddr_t start, uaddr_t end,
			 bool soft)
{
	struct page *page;
	paddr_t phys;
	long n;
	int err;

	if (!quire_host_current()->cap_sys_admin)
		return -EPERM;
	for (; start < end; start += (uaddr_t)PAGE_SIZE) {
		n = quire_get_user_pages(mm, start, 1, false, &page);
		if (n < 0)
			return (int)n;
		phys = quire_page_phys(mm->q, page);
		quire_page_put(mm->q, page);
		err = soft ? quire_soft_offline(mm->q, phys)
			   : quire_memory_failure(mm->q, phys, NULL, NULL);
		if (err)
			return err;
	}
	return 0;
}
