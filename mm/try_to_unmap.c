/* SPDX-License-Identifier: MIT */
/*
 * try_to_unmap.c - one page out of every table that maps it (R1).
 *
 *   what the entry maps                       what is left in its place
 *   ---------------------------------------   ------------------------------
 *   private memory, in the swap cache         its swap entry: one user more
 *   private memory, lazily freed and clean    nothing: it reads as zeros
 *   a file's page                             nothing: dirty goes to the page
 *   any, on its way to another frame          a migration entry
 *   any, in a broken frame                    a hwpoison entry
 *
 * A page of private memory that its owner has alone (PG_anon_exclusive) is so
 * when it comes back: the swap entry keeps the bit, the page loses it.  All
 * this happens under the entry's lock, as does the taking of a pin by
 * get_user_pages; so either the pin is seen here and the page stays mapped, or
 * the entry is gone before it can be found.  (What a pin writes to must be the
 * page that its owner sees.)
 *
 * Each entry is out of every TLB before its lock is let go: nobody stores to
 * the page when this has returned, so it can be written or moved.
 *
 * Locks: the page is locked; the family's or the file's lock, by trylock
 * unless told otherwise; each entry's lock.
 */
#include "fault.h"
#include "filemap.h"
#include "reclaim.h"
#include "rmap.h"
#include "swap.h"

struct unmap {
	unsigned how; /* TTU_* */
	bool kept;    /* an entry is to stay */
};

/* Under the entry's lock: is this one to be taken out? */
static bool may_unmap(const struct unmap *u, const struct page *page,
		      const struct vm_area_struct *vma)
{
	if ((READ_ONCE(vma->vm_flags) & VM_LOCKED) &&
	    !(u->how & (TTU_IGNORE_MLOCK | TTU_MIGRATION | TTU_HWPOISON)))
		return false;
	if (!PageAnon(page) || (u->how & TTU_HWPOISON))
		return true;
	if (READ_ONCE(page->pins))
		return false;
	/* nowhere to come back from */
	return (u->how & TTU_MIGRATION) || !PageFlag(page, PG_swapbacked) ||
	       PageFlag(page, PG_swapcache);
}

/* A migration entry for what pte maps. */
static swp_entry_t migration_entry(struct page *page, pte_t pte)
{
	unsigned type = SWP_MIGRATION_READ;

	if (pte_write(pte))
		type = SWP_MIGRATION_WRITE;
	else if (PageAnon(page) && PageFlag(page, PG_anon_exclusive))
		type = SWP_MIGRATION_READ_EXCL;
	return swp_entry(type, pte_pfn(pte));
}

/* What of a present entry outlives it in the entry for e. */
static pte_t entry_left(swp_entry_t e, pte_t was)
{
	pte_t left = swp_entry_to_pte(e);

	if (pte_soft_dirty(was))
		left = pte_swp_mksoft_dirty(left);
	if (pte_uffd_wp(was))
		left = pte_swp_mkuffd_wp(left);
	return left;
}

/*
 * Lazily freed, in no TLB any more: may it be dropped?  Not when it was written
 * to after all, or when somebody else has a reference and may do so.  The
 * caller has one, each entry another.
 */
static bool may_discard(struct page *page)
{
	return !PageFlag(page, PG_dirty) &&
	       smp_load_acquire(&page->_refcount) == 1 + page_mapcount(page);
}

/*
 * The entry of private memory, pte, was taken out: what comes in its place, in
 * *left.  False: it goes back.
 */
static bool unmap_anon(struct mm_struct *mm, struct page *page, pte_t pte,
		       pte_t *left)
{
	if (!PageFlag(page, PG_swapbacked)) {
		if (!may_discard(page)) {
			/* (isolated: on no list that the flag chooses) */
			SetPageFlag(page, PG_swapbacked);
			return false;
		}
		*left = (pte_t){0};
		return true;
	}
	swap_duplicate(mm->q, page_swap_entry(page));
	*left = entry_left(page_swap_entry(page), pte);
	if (PageFlag(page, PG_anon_exclusive)) {
		ClearPageFlag(page, PG_anon_exclusive);
		*left = pte_swp_mkexclusive(*left);
	}
	inc_mm_counter(mm, MM_SWAPENTS);
	return true;
}

/* The same for any page; dirty moves to it. */
static bool unmap_entry(const struct unmap *u, struct mm_struct *mm,
			struct page *page, pte_t pte, pte_t *left)
{
	if (pte_dirty(pte))
		(void)set_page_dirty(mm->q, page);
	if (u->how & TTU_HWPOISON) {
		*left = entry_left(swp_entry(SWP_HWPOISON, pte_pfn(pte)), pte);
		return true;
	}
	if (u->how & TTU_MIGRATION) {
		*left = entry_left(migration_entry(page, pte), pte);
		return true;
	}
	if (PageAnon(page))
		return unmap_anon(mm, page, pte, left);
	*left = (pte_t){0};
	return true;
}

static bool try_to_unmap_one(struct page *page, struct vm_area_struct *vma,
			     uaddr_t addr, void *arg)
{
	struct mm_struct *mm = vma->vm_mm;
	struct unmap *u = arg;
	spinlock_t *ptl;
	pte_t *ptep = rmap_entry(page, vma, addr, &ptl), pte, left;

	if (!ptep)
		return true;
	if (!may_unmap(u, page, vma))
		goto keep;
	update_hiwater_rss(mm);
	/* the processor may set A or D until the moment of the exchange */
	pte = ptep_get_and_clear(mm, addr, ptep);
	flush_tlb_page(vma, addr);
	if (!unmap_entry(u, mm, page, pte, &left)) {
		set_pte_at(mm, addr, ptep, pte);
		goto keep;
	}
	if (!pte_none(left))
		set_pte(ptep, left);
	dec_mm_counter(mm, PageAnon(page)		   ? MM_ANONPAGES
			   : PageFlag(page, PG_swapbacked) ? MM_SHMEMPAGES
							   : MM_FILEPAGES);
	munlock_vma_page(vma, page);
	page_remove_rmap(mm->q, page);
	spin_unlock(ptl);
	put_page(mm->q, page); /* the entry's; the caller has one */
	return true;
keep:
	spin_unlock(ptl);
	u->kept = true;
	return false;
}

bool try_to_unmap(struct quire *q, struct page *page, unsigned how)
{
	struct unmap u = {.how = how};

	if (!page_mapcount(page))
		return true;
	return rmap_walk(q, page, (how & TTU_WAIT) != 0, try_to_unmap_one,
			 &u) &&
	       !u.kept && !page_mapcount(page);
}
