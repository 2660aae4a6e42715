/* SPDX-License-Identifier: MIT */
/*
 * swap_readahead.c - reading from swap what a fault wants, and what will be
 * wanted next.
 *
 *   by address  the swap entries around the faulting address, in the direction
 *               that the faults of this mapping go.  Neighbours in memory are
 *               wanted together, wherever their slots are
 *   by slot     the slots around the wanted one, where a slot is near another
 *               (ROTATIONAL), or no address is known (shared memory)
 *   not at all  a device that answers at once (SYNC), or page_cluster 0
 *
 * The window is a power of two, at most 2^page_cluster pages, by what the last
 * one was good for: its pages that were found in the cache (hits).  None, and
 * not next to the last one: one page alone.  It shrinks by halves.
 *
 * Pages read ahead have PG_readahead until they are found.  They are allocated
 * without reclaim: they are not worth it.  Slots in a row go in one request.
 *
 *   vma->swap_ra   | page address | window: 6 bits | hits: 6 bits |
 *
 * Locks: none (mmap_lock for read, if there is a vma); it sleeps.
 */
#include "fault.h"
#include "reclaim.h"
#include "swap_area.h"

#define RA_BITS	    6
#define RA_MASK	    ((1u << RA_BITS) - 1)
#define RA_HITS(v)  ((unsigned)(v)&RA_MASK)
#define RA_WIN(v)   ((unsigned)((v) >> RA_BITS) & RA_MASK)
#define RA_MAX_HITS RA_MASK
_Static_assert(SWAP_BATCH <= RA_MASK, "a window fits its bits");

/* Pages of the cache, locked, to be read, their slots in a row; a reference of
 * ours on each. */
struct ra_run {
	struct quire *q;
	unsigned n;
	struct page *pages[SWAP_BATCH];
};

static void run_submit(struct ra_run *r)
{
	unsigned i, n = r->n;

	if (!n)
		return;
	r->n = 0;
	swap_read_run(r->q, r->pages, n);
	for (i = 0; i < n; i++)
		put_page(r->q, r->pages[i]);
}

static void run_add(struct ra_run *r, struct page *page)
{
	if (r->n == SWAP_BATCH ||
	    (r->n && page_swap_entry(r->pages[r->n - 1]).v + 1 != page->priv))
		run_submit(r);
	r->pages[r->n++] = page;
}

/* The page, just put in, was in memory before: reclaim hears of it. */
static void new_page(struct quire *q, struct page *page)
{
	workingset_came_back(q, page, page->priv, WORKINGSET_SWAP);
	lru_cache_add(q, page, false);
}

/* One that may be wanted; false: there is no memory for such. */
static bool run_ahead(struct ra_run *r, swp_entry_t entry, gfp_t gfp)
{
	enum swap_found found;
	struct page *page;

	page = swap_cache_add(r->q, entry,
			      (gfp & ~__GFP_RECLAIM) | __GFP_NOWARN, &found);
	if (!page)
		return found == SWAP_GONE;
	if (found != SWAP_FRESH) {
		put_page(r->q, page);
		return true;
	}
	SetPageFlag(page, PG_readahead);
	count_vm_event(r->q, VM_swap_ra);
	new_page(r->q, page);
	run_add(r, page);
	return true;
}

/* ------------------------------------------------------------- the window */

/* Pages to read now: near: next to the last wanted one. */
static unsigned window_size(struct quire *q, unsigned hits, unsigned last,
			    bool near)
{
	unsigned max = 1u << READ_ONCE(q->page_cluster), n = 4;

	max = MIN(max, SWAP_BATCH);
	if (!hits)
		n = near ? 2 : 1;
	while (hits && n < hits + 2)
		n *= 2;
	n = MAX(n, last / 2);
	return MIN(n, max);
}

/* [*first, *first + n) around index, as the last one, prev, says. */
static void window_place(uint64_t index, uint64_t prev, unsigned n,
			 uint64_t *first)
{
	unsigned before = (n - 1) / 2;

	if (index == prev + 1)
		before = 0;
	else if (index + 1 == prev)
		before = n - 1;
	*first = index > before ? index - before : 0;
}

void swap_readahead_hit(struct quire *q, struct page *page, swp_entry_t entry,
			struct vm_area_struct *vma, uaddr_t addr)
{
	uaddr_t v;

	if (!PageFlag(page, PG_readahead) ||
	    !TestClearPageFlag(page, PG_readahead))
		return;
	count_vm_event(q, VM_swap_ra_hit);
	if (vma) {
		v = READ_ONCE(vma->swap_ra);
		WRITE_ONCE(vma->swap_ra,
			   (addr & PAGE_MASK) | RA_WIN(v) << RA_BITS |
				   MIN(RA_HITS(v) + 1u, RA_MAX_HITS));
	}
	/* (the area may just be going: it is only a figure) */
	if (swap_entry_is_slot(entry))
		__atomic_fetch_add(&swap_area_of(q, entry)->ra_hits, 1u,
				   __ATOMIC_RELAXED);
}

/* --------------------------------------------------------------- by slot */

static void read_slots(struct ra_run *r, struct swap_area *a,
		       struct page *target, gfp_t gfp)
{
	uint64_t wanted = swp_offset(page_swap_entry(target)), slot, end;
	unsigned long prev = READ_ONCE(a->ra_prev);
	unsigned hits = __atomic_exchange_n(&a->ra_hits, 0u, __ATOMIC_RELAXED);
	unsigned n = window_size(r->q, hits, READ_ONCE(a->ra_window),
				 wanted == prev + 1 || wanted + 1 == prev);

	WRITE_ONCE(a->ra_prev, (unsigned long)wanted);
	WRITE_ONCE(a->ra_window, n);
	slot = wanted & ~(uint64_t)(n - 1);
	end = MIN(slot + n, a->end);
	for (slot = MAX(slot, a->first); slot < end; slot++)
		if (slot == wanted)
			run_add(r, target);
		else if (!run_ahead(r, swp_entry(a->nr, slot), gfp))
			break;
	if (slot <= wanted)
		run_add(r, target);
}

/* ------------------------------------------------------------- by address */

static void read_around(struct ra_run *r, struct vm_area_struct *vma,
			uaddr_t addr, struct page *target, gfp_t gfp)
{
	uaddr_t v = READ_ONCE(vma->swap_ra), table = addr & PMD_MASK;
	uint64_t index = addr >> PAGE_SHIFT, prev = v >> (2 * RA_BITS), i, end;
	unsigned n = window_size(r->q, RA_HITS(v), RA_WIN(v),
				 index == prev + 1 || index + 1 == prev);
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	bool added = false, more = true;
	swp_entry_t entry;
	pte_t *ptep, pte;

	WRITE_ONCE(vma->swap_ra, (addr & PAGE_MASK) | (uaddr_t)n << RA_BITS);
	window_place(index, prev, n, &i);
	end = ((uint64_t)(table + (uaddr_t)(PMD_SIZE - 1)) >> PAGE_SHIFT) + 1;
	end = MIN(end, i + n);
	end = MIN(end, (uint64_t)((vma->vm_end - 1) >> PAGE_SHIFT) + 1);
	i = MAX(i, (uint64_t)MAX(table, vma->vm_start) >> PAGE_SHIFT);
	if (!pmd || pmd_none(pmdp_get(pmd)))
		end = i;
	for (; i < end && more; i++) {
		if (i == index) {
			run_add(r, target);
			added = true;
			continue;
		}
		ptep = pte_offset_map(r->q, pmd, (uaddr_t)i << PAGE_SHIFT);
		pte = ptep_get(ptep);
		if (pte_none(pte) || pte_present(pte))
			continue;
		entry = pte_to_swp_entry(pte);
		if (swap_entry_is_slot(entry))
			more = run_ahead(r, entry, gfp);
	}
	if (!added)
		run_add(r, target);
}

struct page *swapin_readahead(struct quire *q, swp_entry_t entry, gfp_t gfp,
			      struct vm_area_struct *vma, uaddr_t addr,
			      enum swap_found *found)
{
	struct ra_run r = {.q = q};
	struct swap_area *a;
	struct page *page;

	page = swap_cache_add(q, entry, gfp, found);
	if (!page)
		return NULL;
	if (*found != SWAP_FRESH) {
		swap_readahead_hit(q, page, entry, vma, addr);
		return page;
	}
	new_page(q, page);
	get_page(page); /* the run's */
	a = swap_area_of(q, entry);
	if ((a->flags & QUIRE_SWAP_SYNC) || !READ_ONCE(q->page_cluster))
		run_add(&r, page);
	else if (vma && !(a->flags & QUIRE_SWAP_ROTATIONAL))
		read_around(&r, vma, addr, page, gfp);
	else
		read_slots(&r, a, page, gfp);
	run_submit(&r);
	return page;
}

/* ---------------------------------------------------------------- advice */

bool swap_read_ahead(struct quire *q, const swp_entry_t *entries, unsigned n)
{
	struct ra_run r = {.q = q};
	bool more = true;
	unsigned i;

	for (i = 0; i < n && more; i++)
		more = run_ahead(&r, entries[i], GFP_HIGHUSER_MOVABLE);
	run_submit(&r);
	return more;
}

/* The entries of one table in [addr, end). */
static bool willneed_table(struct vm_area_struct *vma, pmd_t *pmd, uaddr_t addr,
			   uaddr_t end)
{
	struct quire *q = vma->vm_mm->q;
	swp_entry_t entries[SWAP_BATCH], e;
	bool more = true;
	unsigned n = 0;
	pte_t pte;

	for (; addr < end && more; addr += (uaddr_t)PAGE_SIZE) {
		/* (without its lock: who has come back is passed over) */
		pte = ptep_get(pte_offset_map(q, pmd, addr));
		if (!is_swap_pte(pte))
			continue;
		e = pte_to_swp_entry(pte);
		if (!swap_entry_is_slot(e))
			continue;
		entries[n++] = e;
		if (n == SWAP_BATCH) {
			more = swap_read_ahead(q, entries, n);
			n = 0;
		}
	}
	return more && swap_read_ahead(q, entries, n);
}

void swap_willneed(struct vm_area_struct *vma, uaddr_t start, uaddr_t end)
{
	bool more = smp_load_acquire(&vma->anon_vma) != NULL;
	uaddr_t next;
	pmd_t *pmd;

	for (; start < end && more; start = next) {
		next = pmd_addr_end(start, end);
		pmd = mm_find_pmd(vma->vm_mm, start);
		if (pmd && !pmd_none(pmdp_get(pmd)))
			more = willneed_table(vma, pmd, start, next);
	}
}
