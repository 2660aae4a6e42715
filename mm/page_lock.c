/* SPDX-License-Identifier: MIT */
/*
 * page_lock.c - the lock in every page, held across I/O.
 *
 * PG_locked is the lock, PG_waiters says that someone may sleep on the flags
 * word.  The unlocker clears both and wakes all; those who lose the race for
 * the lock set PG_waiters again.  A page whose read is under way stays locked
 * by nobody in particular: whoever completes the I/O unlocks it.
 *
 * Order: inside mmap_lock, outside i_mmap, anon_vma and every page-table lock.
 */
#include "filemap.h"

bool trylock_page(struct page *page)
{
	if (TestSetPageFlag(page, PG_locked))
		return false;
	quire_debug_lock(page, QUIRE_LOCK_PAGE, true);
	return true;
}

static int lock_page_flags(struct page *page, unsigned flags)
{
	uint32_t v;

	might_sleep();
	while (TestSetPageFlag(page, PG_locked)) {
		v = __atomic_or_fetch(&page->flags, 1u << PG_waiters,
				      __ATOMIC_RELAXED);
		if (!(v & 1u << PG_locked))
			continue;
		if (quire_host_wait(&page->flags, v, flags))
			return -EINTR;
	}
	quire_debug_lock(page, QUIRE_LOCK_PAGE, true);
	return 0;
}

void lock_page(struct page *page)
{
	(void)lock_page_flags(page, 0);
}

int lock_page_killable(struct page *page)
{
	return lock_page_flags(page, QUIRE_WAIT_KILLABLE);
}

void unlock_page_io(struct page *page)
{
	uint32_t old = __atomic_fetch_and(&page->flags,
					  ~(1u << PG_locked | 1u << PG_waiters),
					  __ATOMIC_RELEASE);

	QUIRE_BUG_ON(!(old & 1u << PG_locked));
	if (old & 1u << PG_waiters)
		quire_host_wake(&page->flags, UINT32_MAX);
}

void unlock_page(struct page *page)
{
	quire_debug_unlock(page, QUIRE_LOCK_PAGE);
	unlock_page_io(page);
}
