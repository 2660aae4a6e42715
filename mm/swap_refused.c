/* SPDX-License-Identifier: MIT */
/*
 * swap_refused.c - pages that a swap device does not take.
 *
 * A write has failed: the page does not shrink, and the device is compressed
 * memory; or there is no room behind the slots; or the device is dead.  The
 * page in memory is the only copy, so it stays.  If it went on being written
 * reclaim would be busy with nothing else, and never say that it got nowhere.
 *
 *   page   its users get it back, as a fault of each would bring it, and the
 *          slot is free again
 *            an area of lower priority has room: it goes there, at once
 *            else it is kept off: marked with the epoch, and not offered
 *            again in this epoch; it goes from list to list
 *   epoch  ends when there is a reason to try again: an area more, one that
 *          takes pages again; or after 2 s, which become up to 64 s while
 *          more than four pages are refused for each that is taken
 *   area   whose device fails (not: has no room for this page) 64 times in a
 *          row rests: it gives no slots, so reclaim has no swap, if that was
 *          all of it.  After 1/8 s one page is tried; each rest is twice as
 *          long as the last, up to 16 s
 *
 * Whoever asks for pages to be written (MADV_PAGEOUT) ends a rest.
 *
 * Locks: page lock; for the pages of private memory the family's, by trylock,
 * and each entry's.  Marks are the page's flags, read without lock.
 */
#include "swap_area.h"
#include "fault.h"
#include "reclaim.h"
#include "rmap.h"
#include "special.h"

#define TICK_SHIFT    20u /* of the clock's ns: about a millisecond */
#define EPOCH_TICKS   2048u
#define EPOCH_LONGEST (32 * EPOCH_TICKS)
#define REST_TICKS    128u
#define REST_DOUBLED  7u
#define MOST_FAILURES 64u /* in a row */

static uint32_t now_ticks(void)
{
	return (uint32_t)(quire_host_time_ns() >> TICK_SHIFT);
}

/* ------------------------------------------------------------------ epochs */

#define MARKS (1u << PG_refused_low | 1u << PG_refused_high)

/* 1, 2 or 3: that of this epoch. */
static uint32_t mark_of(uint32_t epoch)
{
	return (1 + epoch % 3) << PG_refused_low;
}

static void mark_page(struct page *page, uint32_t mark)
{
	uint32_t old = READ_ONCE(page->flags) & MARKS;

	if (old == mark)
		return;
	if (old)
		__atomic_fetch_and(&page->flags, ~MARKS, __ATOMIC_RELAXED);
	__atomic_fetch_or(&page->flags, mark, __ATOMIC_RELAXED);
}

/* system.lock held. */
static void new_epoch(struct swap_system *s, uint32_t ticks)
{
	WRITE_ONCE(s->epoch, s->epoch + 1);
	WRITE_ONCE(s->epoch_start, now_ticks());
	WRITE_ONCE(s->epoch_ticks, ticks);
	WRITE_ONCE(s->taken, 0u);
	WRITE_ONCE(s->refused, 0u);
}

void swap_try_refused(struct quire *q)
{
	struct swap_system *s = q->swap;

	spin_lock(&s->lock);
	new_epoch(s, EPOCH_TICKS);
	spin_unlock(&s->lock);
}

/* Has this one lasted long enough?  Then the next one has begun. */
static bool epoch_over(struct swap_system *s)
{
	uint32_t longer;
	bool over;

	if (now_ticks() - READ_ONCE(s->epoch_start) < READ_ONCE(s->epoch_ticks))
		return false;
	spin_lock(&s->lock);
	over = now_ticks() - s->epoch_start >= s->epoch_ticks;
	longer = MAX(MIN(2 * s->epoch_ticks, EPOCH_LONGEST), EPOCH_TICKS);
	if (over)
		new_epoch(s, READ_ONCE(s->taken) > READ_ONCE(s->refused) / 4
				     ? EPOCH_TICKS
				     : longer);
	spin_unlock(&s->lock);
	return over;
}

bool __swap_kept_off(struct quire *q, const struct page *page)
{
	struct swap_system *s = q->swap;

	return (READ_ONCE(page->flags) & MARKS) ==
		       mark_of(READ_ONCE(s->epoch)) &&
	       !epoch_over(s);
}

/* -------------------------------------------------------------- areas' rest */

bool __swap_area_rests(struct swap_area *a)
{
	uint32_t until = READ_ONCE(a->rest_until);

	if (!until || (int32_t)(until - now_ticks()) > 0)
		return until != 0;
	WRITE_ONCE(a->rest_until, 0u);
	return false;
}

void swap_end_rests(struct quire *q)
{
	unsigned i;

	for (i = 0; READ_ONCE(q->swap->nr) && i < QUIRE_MAX_SWAP_AREAS; i++)
		if (READ_ONCE(q->swap->area[i].rest_until))
			WRITE_ONCE(q->swap->area[i].rest_until, 0u);
}

/* The device of an area fails; from the 64th time in a row on, it rests. */
static void device_failed(struct swap_area *a)
{
	uint32_t n = __atomic_add_fetch(&a->failures, 1u, __ATOMIC_RELAXED);
	uint32_t rests = READ_ONCE(a->rests);

	/* (what was under way when the rest began fails, too) */
	if (n < MOST_FAILURES || swap_area_rests(a))
		return;
	WRITE_ONCE(a->rest_until, (now_ticks() + (REST_TICKS << rests)) | 1u);
	WRITE_ONCE(a->rests, MIN(rests + 1, REST_DOUBLED));
}

void swap_note_write(struct quire *q, struct swap_area *a, struct page *page,
		     int error)
{
	struct swap_system *s = q->swap;

	if (!error) {
		if (unlikely(READ_ONCE(page->flags) & MARKS))
			mark_page(page, 0);
		if (unlikely(READ_ONCE(s->refused)))
			__atomic_fetch_add(&s->taken, 1u, __ATOMIC_RELAXED);
		if (likely(!READ_ONCE(a->failures)))
			return;
		WRITE_ONCE(a->failures, 0u);
		if (__atomic_exchange_n(&a->rests, 0u, __ATOMIC_RELAXED))
			swap_try_refused(q);
		return;
	}
	mark_page(page, mark_of(READ_ONCE(s->epoch)));
	__atomic_fetch_add(&s->refused, 1u, __ATOMIC_RELAXED);
	if (error != -ENOSPC && error != -ENOMEM)
		device_failed(a);
}

/* ------------------------------------------------------ back to their users */

/* As rmap_walk() has it: an entry for the page's slot maps it again. */
static bool map_again(struct page *page, struct vm_area_struct *vma,
		      uaddr_t addr, void *arg)
{
	struct vm_fault vmf = {.vma = vma, .address = addr};
	struct quire *q = vma->vm_mm->q;
	const swp_entry_t *entry = arg;
	pte_t pte;

	vmf.pmd = mm_find_pmd(vma->vm_mm, addr);
	if (!vmf.pmd || pmd_none(pmdp_get(vmf.pmd)))
		return true;
	vmf.ptl = pte_lockptr(q, pmdp_get(vmf.pmd));
	spin_lock(vmf.ptl);
	vmf.pte = pte_offset_map(q, vmf.pmd, addr);
	pte = ptep_get(vmf.pte);
	if (is_swap_pte(pte) && pte_to_swp_entry(pte).v == entry->v) {
		vmf.orig_pte = pte;
		get_page(page);
		install_swap_page(&vmf, page, *entry);
		/* nobody has used it */
		(void)ptep_test_and_clear_young(vma, addr, vmf.pte);
	}
	spin_unlock(vmf.ptl);
	return PageFlag(page, PG_swapcache);
}

bool swap_take_back(struct quire *q, struct page *page)
{
	swp_entry_t entry = page_swap_entry(page);
	struct anon_vma *av;

	if (!PageAnon(page)) {
		if (!shmem_take_back(q, page))
			(void)try_to_free_swap(q, page);
		return !PageFlag(page, PG_swapcache);
	}
	av = page_get_swapped_anon_vma(q, page);
	if (av) {
		if (down_read_trylock(&av->root->rwsem)) {
			anon_vma_walk(av, page, map_again, &entry);
			up_read(&av->root->rwsem);
		}
		put_anon_vma(q, av);
	}
	return !PageFlag(page, PG_swapcache) || try_to_free_swap(q, page);
}

int swap_page_priority(struct quire *q, const struct page *page)
{
	return swap_area_of(q, page_swap_entry(page))->priority;
}
