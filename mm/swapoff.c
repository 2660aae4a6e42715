/* SPDX-License-Identifier: MIT */
/*
 * swapoff.c - the end of a swap area: all that is there comes back.
 *
 *   no new slots are taken
 *   as long as some are in use:
 *     each address space   its entries for this area, one by one, as a fault on
 *                          each would bring it back
 *     shared memory        its values (shmem_unuse)
 *     the cache            pages that nobody has an entry for
 *     nothing was found?   who has a slot is on his way in (fork) or out
 *                          (exit): wait until a slot moves, and look again
 *   nobody looks at the area any more: its tables are freed
 *
 * Faults, fork, exit and reclaim go on meanwhile; each entry is looked at again
 * under its lock with the page locked, as in a fault.
 *
 * What cannot be read is lost: a marker takes the entry's place, and who
 * touches it gets SIGBUS.
 *
 * Locks: each mm's mmap_lock for read, page lock, entry's lock.
 */
#include "fault.h"
#include "filemap.h"
#include "special.h"
#include "swap_area.h"
#include "writeback.h"

struct unuse {
	struct quire *q;
	struct swap_area *a;
	unsigned long found; /* in this round */
};

/* 0; -EINTR: the task is to die. */
static int unuse_interrupted(void)
{
	return quire_host_signal_pending(quire_host_current()) ? -EINTR : 0;
}

/*
 * The page, read and locked, for the entry at vmf->pte, if it is still there
 * (its other bits may have changed).  Takes the reference, and unlocks.
 */
static void unuse_install(struct vm_fault *vmf, struct page *page,
			  swp_entry_t entry)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	pte_t pte;

	vmf->ptl = pte_lockptr(mm->q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	pte = ptep_get(vmf->pte);
	if (pte_none(pte) || pte_present(pte) ||
	    pte_to_swp_entry(pte).v != entry.v)
		goto put;
	vmf->orig_pte = pte;
	if (unlikely(!PageUptodate(page))) {
		set_pte_at(mm, vmf->address, vmf->pte,
			   pte_marker(PTE_MARKER_SWAPIN_ERROR));
		swap_free(mm->q, entry);
		dec_mm_counter(mm, MM_SWAPENTS);
		goto put;
	}
	install_swap_page(vmf, page, entry);
	spin_unlock(vmf->ptl);
	unlock_page(page);
	return;
put:
	spin_unlock(vmf->ptl);
	unlock_page(page);
	free_swap_cache(mm->q, page);
	put_page(mm->q, page);
}

/* One entry, seen without lock.  0 or -ENOMEM. */
static int unuse_entry(struct vm_fault *vmf, swp_entry_t entry)
{
	struct quire *q = vmf->vma->vm_mm->q;
	enum swap_found found;
	struct page *page;

	page = swapin_readahead(q, entry, GFP_HIGHUSER_MOVABLE, vmf->vma,
				vmf->address, &found);
	if (!page)
		return found == SWAP_NO_MEMORY && swap_users(q, entry) ? -ENOMEM
								       : 0;
	lock_page(page);
	(void)wait_on_page_writeback(page, false);
	if (PageFlag(page, PG_swapcache) &&
	    page_swap_entry(page).v == entry.v) {
		unuse_install(vmf, page, entry);
		return 0;
	}
	unlock_page(page);
	free_swap_cache(q, page);
	put_page(q, page);
	return 0;
}

/* The entries of one table in [addr, end). */
static int unuse_table(struct unuse *u, struct vm_area_struct *vma, pmd_t *pmd,
		       uaddr_t addr, uaddr_t end)
{
	struct vm_fault vmf = {.vma = vma, .pmd = pmd};
	int err = 0;

	for (; addr < end && !err; addr += (uaddr_t)PAGE_SIZE) {
		pte_t *ptep = pte_offset_map(u->q, pmd, addr);
		pte_t pte = ptep_get(ptep);
		swp_entry_t entry;

		if (pte_none(pte) || pte_present(pte))
			continue;
		entry = pte_to_swp_entry(pte);
		if (swp_type(entry) != u->a->nr)
			continue;
		u->found++;
		vmf.address = addr;
		vmf.pte = ptep;
		vmf.flags = 0;
		err = unuse_entry(&vmf, entry);
		if (!err)
			err = unuse_interrupted();
	}
	return err;
}

static int unuse_vma(struct unuse *u, struct vm_area_struct *vma)
{
	uaddr_t addr = vma->vm_start, next;
	int err = 0;
	pmd_t *pmd;

	/* only private memory has swap entries, and it has one of these */
	if (!smp_load_acquire(&vma->anon_vma))
		return 0;
	for (; addr < vma->vm_end && !err; addr = next) {
		next = pmd_addr_end(addr, vma->vm_end);
		pmd = mm_find_pmd(vma->vm_mm, addr);
		if (pmd && !pmd_none(pmdp_get(pmd)))
			err = unuse_table(u, vma, pmd, addr, next);
	}
	return err;
}

static int unuse_mm(struct unuse *u, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	int err = 0;

	if (!get_mm_counter(mm, MM_SWAPENTS))
		return 0;
	err = down_read_killable(&mm->mmap_lock);
	if (err)
		return err;
	for_each_vma (mm, vma) {
		err = unuse_vma(u, vma);
		if (err)
			break;
	}
	up_read(&mm->mmap_lock);
	return err;
}

/* The mm after `mm` (NULL: the first) that has users, with one more. */
static struct mm_struct *next_mm(struct quire *q, struct mm_struct *mm)
{
	struct list_head *pos;

	spin_lock(&q->mm_lock);
	pos = mm ? mm->mm_list.next : q->mm_list.next;
	for (mm = NULL; pos != &q->mm_list && !mm; pos = pos->next) {
		mm = list_entry(pos, struct mm_struct, mm_list);
		if (!mm_get_unless_gone(mm))
			mm = NULL;
	}
	spin_unlock(&q->mm_lock);
	return mm;
}

static int unuse_mms(struct unuse *u)
{
	struct mm_struct *mm = NULL, *next;
	int err = 0;

	while ((next = next_mm(u->q, mm)) != NULL) {
		if (mm)
			quire_mm_put(mm);
		mm = next;
		err = unuse_mm(u, mm);
		if (err)
			break;
	}
	if (mm)
		quire_mm_put(mm);
	return err;
}

/* Pages of the cache that no entry is left for. */
static void unuse_cache(struct unuse *u)
{
	uint64_t i, n = (uint64_t)u->a->nr_clusters << SWAP_CLUSTER_SHIFT;
	struct page *page;
	swp_entry_t entry;

	for (i = 0; i < n; i++) {
		entry = swp_entry(u->a->nr, i);
		if (!READ_ONCE(area_cluster(u->a, i >> SWAP_CLUSTER_SHIFT)
				       ->slots[i & (SWAP_CLUSTER - 1)]
				       .frame))
			continue;
		page = swap_cache_get(u->q, entry);
		if (!page)
			continue;
		u->found++;
		lock_page(page);
		(void)wait_on_page_writeback(page, false);
		if (page_swap_entry(page).v == entry.v)
			(void)try_to_free_swap(u->q, page);
		unlock_page(page);
		put_page(u->q, page);
	}
}

/* All of it. 0, -ENOMEM, -EINTR. */
static int unuse_area(struct unuse *u)
{
	unsigned idle = 0;
	uint32_t moves;
	int err = 0;

	while (swap_slots_used(u->a) && !err) {
		moves = smp_load_acquire(&u->a->moves);
		u->found = 0;
		err = unuse_mms(u);
		if (!err)
			err = shmem_unuse(u->q, u->a->nr);
		if (!err)
			unuse_cache(u);
		if (!err)
			err = unuse_interrupted();
		idle = u->found ? 0 : idle + 1;
		/* found nowhere, twice: it is in somebody's hands */
		if (!err && idle > 1 && swap_slots_used(u->a))
			err = quire_host_wait(&u->a->moves, moves,
					      QUIRE_WAIT_KILLABLE);
	}
	return err;
}

/* Off the order of areas; then nobody looks at it any more. */
static void forget_area(struct quire *q, struct swap_area *a)
{
	struct swap_system *s = q->swap;
	unsigned at = 0;
	uint32_t refs;

	spin_lock(&s->lock);
	while (s->order[at] != a->nr)
		at++;
	WRITE_ONCE(s->nr, s->nr - 1);
	memmove(&s->order[at], &s->order[at + 1], s->nr - at);
	spin_unlock(&s->lock);
	swap_area_put(a);
	while ((refs = smp_load_acquire(&a->refs)) != 0)
		(void)quire_host_wait(&a->refs, refs, 0);
	swap_area_free_tables(q, a);
	swap_area_unclaim(s, a);
}

/* Has no more been promised than there is room for without the area?  0,
 * -ENOMEM; -EINVAL: there is no such area. */
static int check_promises(struct quire *q, unsigned area)
{
	const struct quire_task *task = quire_host_current();
	struct swap_area *a = swap_area_get(q, swp_entry(area, 0));
	int err = 0;

	if (!a)
		return -EINVAL;
	if (task && task->mm) {
		err = security_vm_enough_memory(task->mm, (long)a->usable);
		if (!err)
			vm_unacct_memory(q, (long)a->usable);
	}
	swap_area_put(a);
	return err;
}

int quire_swapoff(struct quire *q, unsigned area)
{
	struct unuse u = {.q = q};
	int err;

	might_sleep();
	if (area >= QUIRE_MAX_SWAP_AREAS)
		return -EINVAL;
	err = check_promises(q, area);
	if (err)
		return err;
	u.a = &q->swap->area[area];
	spin_lock(&q->swap->lock);
	err = READ_ONCE(u.a->refs) && READ_ONCE(u.a->writable) ? 0 : -EINVAL;
	if (!err)
		WRITE_ONCE(u.a->writable, 0u);
	spin_unlock(&q->swap->lock);
	if (err)
		return err;
	swap_slots_stop(u.a);
	err = unuse_area(&u);
	if (err) {
		WRITE_ONCE(u.a->writable, 1u);
		return err;
	}
	forget_area(q, u.a);
	return 0;
}
