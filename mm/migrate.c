/* SPDX-License-Identifier: MIT */
/*
 * migrate.c - a page moves to another frame, and nobody notices (R9).
 *
 *   isolated, locked, not under write-back
 *     try_to_unmap        each entry becomes a migration entry: an access
 *         |               faults, and waits for the page lock
 *     nobody has a reference but we and the cache that it is in?
 *         |  then it gets none: the count is frozen at 0
 *     contents, flags     to the new page
 *     page tree or swap slot: the new page instead
 *         |
 *     restore             each migration entry becomes a present one of the new
 *         |               page; of the old one where it did not work
 *     unlocked            who waited repeats his access
 *
 * The count is frozen, the contents are copied and the cache is changed under
 * the lock that a finder of the page has to take (tree_lock, the slot's
 * cluster): so he finds the old page, and the move fails, or the new one,
 * complete.
 *
 * An entry can be forked, moved and dropped while it is a migration entry.
 * Restoring finds all of them: mremap moves entries only with the family's and
 * the file's lock held for write, and a fork's child comes into their trees
 * behind its parent before its entries are copied, and trees are walked in
 * order.  A family's lock needs an entry to be reached from the page, so it is
 * kept from before the first one goes (page_get_anon_vma).
 *
 * Locks: page lock, i_mmap / anon_vma, each entry's lock; tree_lock or cluster.
 */
#include "migrate.h"
#include "fault.h"
#include "filemap.h"
#include "reclaim.h"
#include "rmap.h"
#include "special.h"
#include "swap.h"
#include "writeback.h"

/* ---------------------------------------------------------------- restore */

/* The present entry for what the migration entry stood for. */
static pte_t restored_entry(struct vm_area_struct *vma, struct page *page,
			    pte_t was, unsigned type)
{
	struct quire *q = vma->vm_mm->q;
	pte_t pte = mk_pte(q, page, vma->vm_page_prot);

	/* it was used, or would not be worth moving; and who reads it will
	 * not have to fault where the processor does not note that itself */
	pte = pte_mkyoung(pte);
	if (type != SWP_MIGRATION_WRITE)
		pte = pte_wrprotect(pte);
	else if (PageFlag(page, PG_dirty))
		pte = maybe_mkwrite(pte_mkdirty(pte), vma);
	else
		pte = maybe_mkwrite(pte, vma);
	pte = pte_swp_soft_dirty(was) ? pte_mksoft_dirty(pte)
				      : pte_clear_soft_dirty(pte);
	if (pte_swp_uffd_wp(was))
		pte = pte_mkuffd_wp(pte);
	return pte;
}

/* As rmap_walk() has it: page is the new one, *arg the frame it comes from. */
static bool restore_one(struct page *page, struct vm_area_struct *vma,
			uaddr_t addr, void *arg)
{
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	pmd_t *pmd = mm_find_pmd(mm, addr);
	const uint64_t *from = arg;
	swp_entry_t entry;
	spinlock_t *ptl;
	pte_t *ptep, pte;

	if (!pmd || pmd_none(pmdp_get(pmd)))
		return true;
	ptl = pte_lockptr(q, pmdp_get(pmd));
	spin_lock(ptl);
	ptep = pte_offset_map(q, pmd, addr);
	pte = ptep_get(ptep);
	if (!is_swap_pte(pte))
		goto unlock;
	entry = pte_to_swp_entry(pte);
	if (!is_migration_entry(entry) || swp_offset(entry) != *from)
		goto unlock;
	get_page(page);
	flush_icache_page(vma, page);
	if (PageAnon(page)) {
		page_add_anon_rmap_at(page, vma, addr,
				      swp_type(entry) != SWP_MIGRATION_READ);
		inc_mm_counter(mm, MM_ANONPAGES);
	} else {
		mlock_vma_page(vma, page);
		page_add_file_rmap(q, page);
		inc_mm_counter(mm, PageFlag(page, PG_swapbacked)
					   ? MM_SHMEMPAGES
					   : MM_FILEPAGES);
	}
	set_pte_at(mm, addr, ptep,
		   restored_entry(vma, page, pte, swp_type(entry)));
	update_mmu_cache(vma, addr, ptep);
unlock:
	spin_unlock(ptl);
	return true;
}

void migrate_restore(struct quire *q, struct page *old, struct page *page,
		     struct anon_vma *av)
{
	uint64_t from = page_to_pfn(q, old);

	if (!PageAnon(page)) {
		(void)rmap_walk(q, page, true, restore_one, &from);
	} else if (av) {
		down_read(&av->root->rwsem);
		anon_vma_walk(av, page, restore_one, &from);
		up_read(&av->root->rwsem);
	}
}

/* --------------------------------------------------------------- contents */

bool page_freeze_refs(struct page *page, uint32_t expected)
{
	return __atomic_compare_exchange_n(&page->_refcount, &expected, 0u,
					   false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

void page_unfreeze_refs(struct page *page, uint32_t count)
{
	__atomic_store_n(&page->_refcount, count, __ATOMIC_RELEASE);
}

/*
 * Nobody can find old, nor does anybody know new: contents, and what its owner
 * and reclaim know of it.  Exclusive and mlocked are the entries' affair.
 */
void migrate_contents(struct quire *q, struct page *old, struct page *new)
{
	const uint32_t moves =
		1u << PG_uptodate | 1u << PG_dirty | 1u << PG_referenced |
		1u << PG_active | 1u << PG_list_high | 1u << PG_uses_low |
		1u << PG_uses_high | 1u << PG_workingset | 1u << PG_swapbacked |
		1u << PG_swapcache | 1u << PG_readahead | 1u << PG_reclaim;

	flush_user_dcache_page(q, old);
	copy_page(page_address(q, new), page_address(q, old));
	flush_dcache_page(q, new);
	new->index = old->index;
	new->priv = old->priv;
	WRITE_ONCE(new->mapping, READ_ONCE(old->mapping));
	__atomic_fetch_or(&new->flags, READ_ONCE(old->flags) & moves,
			  __ATOMIC_RELEASE);
	__atomic_fetch_and(&old->flags, ~(1u << PG_dirty | 1u << PG_swapcache),
			   __ATOMIC_RELAXED);
	old->priv = 0;
}

/* A page of a file: the cache has new from now on. */
static bool move_file_page(struct address_space *as, struct page *old,
			   struct page *new)
{
	bool moved;

	spin_lock(&as->tree_lock);
	moved = page_freeze_refs(old, 2); /* ours and the cache's */
	if (moved) {
		migrate_contents(as->q, old, new);
		get_page(new);
		(void)page_tree_replace(&as->pages, new->index, new);
		WRITE_ONCE(old->mapping, NULL);
		page_unfreeze_refs(old, 1);
	}
	spin_unlock(&as->tree_lock);
	return moved;
}

/* Both locked, old mapped nowhere: new has its contents and its place. */
static bool move_page(struct quire *q, struct page *old, struct page *new)
{
	if (page_mapcount(old))
		return false;
	if (!PageAnon(old) && old->mapping)
		return move_file_page(old->mapping, old, new);
	if (PageFlag(old, PG_swapcache))
		return swap_cache_replace(q, old, new);
	if (!page_freeze_refs(old, 1))
		return false;
	migrate_contents(q, old, new);
	page_unfreeze_refs(old, 1);
	return true;
}

/* ------------------------------------------------------------- one page */

/* Locked, and nothing that an I/O has at work: 0, else -EBUSY. */
static int lock_to_move(struct page *page, bool wait)
{
	if (wait)
		lock_page(page);
	else if (!trylock_page(page))
		return -EBUSY;
	if (!PageFlag(page, PG_writeback))
		return 0;
	if (wait) {
		(void)wait_on_page_writeback(page, false);
		return 0;
	}
	unlock_page(page);
	return -EBUSY;
}

/* old is locked: to new, a fresh page; 0 or -EAGAIN. */
static int move_locked(struct quire *q, struct page *old, struct page *new,
		       bool wait)
{
	struct anon_vma *av = NULL;
	bool moved;

	/* cached and not read yet, or taken out of its file */
	if (!PageUptodate(old) || PageFlag(old, PG_hwpoison) ||
	    !(old->mapping || PageFlag(old, PG_swapcache)))
		return -EAGAIN;
	if (PageAnon(old))
		av = page_get_anon_vma(q, old);
	(void)trylock_page(new); /* nobody knows it */
	if (page_mapcount(old))
		(void)try_to_unmap(q, old,
				   TTU_MIGRATION | TTU_IGNORE_MLOCK |
					   (wait ? TTU_WAIT : 0));
	/* the only entry is gone: it tells itself now */
	if (!page_mapcount(old))
		ClearPageFlag(old, PG_anon_exclusive);
	moved = move_page(q, old, new);
	migrate_restore(q, old, moved ? new : old, av);
	unlock_page(new);
	if (av)
		put_anon_vma(q, av);
	return moved ? 0 : -EAGAIN;
}

/*
 * One isolated page.  0: it has moved (or was nobody's any more): the reference
 * is dropped; else -errno, and nothing has changed.
 */
static int migrate_one(struct quire *q, struct page *old,
		       struct migrate_target *t, bool wait)
{
	struct page *new;
	int err;

	if (page_count(old) == 1) {
		put_page(q, old);
		return 0;
	}
	err = lock_to_move(old, wait);
	if (err)
		return err;
	new = t->get(t);
	if (!new) {
		unlock_page(old);
		return -ENOMEM;
	}
	err = move_locked(q, old, new, wait);
	unlock_page(old);
	/* who dropped its last swap entry meanwhile found it locked */
	if (PageFlag(err ? old : new, PG_swapcache))
		free_swap_cache(q, err ? old : new);
	if (err) {
		put_page(q, new);
		return err;
	}
	put_page(q, old);
	putback_lru_page(q, new);
	return 0;
}

#define MIGRATE_TRIES 3u

unsigned migrate_pages(struct quire *q, struct page **pages, unsigned n,
		       struct migrate_target *t, bool wait, int *status)
{
	unsigned i, try, left = 0;
	int err;

	for (i = 0; i < n; i++) {
		err = -EAGAIN;
		/* a reference is often held for a moment only */
		for (try = 0;
		     err == -EAGAIN && try < (wait ? MIGRATE_TRIES : 1);
		     try++) {
			if (try)
				lru_add_drain_all(q);
			err = migrate_one(q, pages[i], t, wait);
		}
		if (status)
			status[i] = err;
		if (err) {
			putback_lru_page(q, pages[i]);
			left++;
		}
	}
	count_vm_events(q, VM_pgmigrate_success, (long)(n - left));
	count_vm_events(q, VM_pgmigrate_fail, (long)left);
	return left;
}

struct page *migrate_get_on_node(struct migrate_target *t)
{
	return alloc_page_on(t->q, t->node, GFP_HIGHUSER_MOVABLE);
}

struct page *migrate_get_anywhere(struct migrate_target *t)
{
	/*
	 * The old page is locked: others may be reclaimed for the new one, but
	 * user memory's way of waiting until what is dirty is written could
	 * come by the old one.
	 */
	return alloc_page(t->q, GFP_KERNEL);
}
