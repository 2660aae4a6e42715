/* SPDX-License-Identifier: MIT */
/*
 * migrate_calls.c - moving an address space's pages to other memory nodes:
 * migrate_pages(2) and move_pages(2).
 *
 *   each VMA: table locked: pages on the source node are isolated, 32 at most
 *             table unlocked: migrate_pages(); on from there
 *
 * Which nodes go where: the n-th of `from` to the n-th of `to`, in such an
 * order that no page moves twice where a node is in both.
 *
 * Locks: mmap_lock for read; a table's lock while its entries are looked at.
 */
#include "fault.h"
#include "gather.h"
#include "migrate.h"
#include "reclaim.h"
#include <quire/migrate.h>

#define BATCH 32u

unsigned quire_nodes(struct quire *q)
{
	return q->nodes;
}

/* Can pages of vma move at all? */
static bool vma_migratable(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_PFNMAP | VM_IO | VM_MIXEDMAP));
}

/* What of an address space is to move. */
struct move_range {
	struct mm_struct *mm;
	unsigned from; /* node */
	bool all;      /* shared pages, too */
	unsigned nr;
	struct page *pages[BATCH];
};

/* The entries of [addr, end), in one table: to r->pages until they are full.
 * Returns where it stopped. */
static uaddr_t isolate_range(struct move_range *r, struct vm_area_struct *vma,
			     pmd_t *pmd, uaddr_t addr, uaddr_t end)
{
	struct quire *q = r->mm->q;
	spinlock_t *ptl = pte_lockptr(q, pmdp_get(pmd));
	struct page *page;
	pte_t *pte;

	spin_lock(ptl);
	pte = pte_offset_map(q, pmd, addr);
	for (; addr < end && r->nr < BATCH; addr += (uaddr_t)PAGE_SIZE, pte++) {
		pte_t e = ptep_get(pte);

		page = pte_present(e) ? vm_normal_page(vma, e) : NULL;
		if (page && page->node == r->from &&
		    (r->all || page_mapcount(page) == 1) &&
		    isolate_lru_page(q, page))
			r->pages[r->nr++] = page;
	}
	spin_unlock(ptl);
	return addr;
}

static unsigned long move_batch(struct move_range *r, struct migrate_target *t)
{
	unsigned n = r->nr;

	r->nr = 0;
	return n ? migrate_pages(r->mm->q, r->pages, n, t, true, NULL) : 0;
}

/* mmap_lock held for read: how many pages of vma stayed. */
static unsigned long migrate_vma(struct move_range *r,
				 struct vm_area_struct *vma,
				 struct migrate_target *t)
{
	uaddr_t addr = vma->vm_start, next;
	unsigned long left = 0;
	pmd_t *pmd;

	while (addr < vma->vm_end) {
		next = pmd_addr_end(addr, vma->vm_end);
		pmd = mm_find_pmd(r->mm, addr);
		if (!pmd || pmd_none(pmdp_get(pmd)))
			addr = next;
		else
			addr = isolate_range(r, vma, pmd, addr, next);
		if (r->nr == BATCH)
			left += move_batch(r, t);
	}
	return left + move_batch(r, t);
}

/* All pages of mm that are on node `from` to node `to`. */
static long migrate_to_node(struct mm_struct *mm, unsigned from, unsigned to,
			    bool all)
{
	struct migrate_target t = {
		.get = migrate_get_on_node, .q = mm->q, .node = to};
	struct move_range r = {.mm = mm, .from = from, .all = all};
	struct vm_area_struct *vma;
	unsigned long left = 0;
	bool killed = false;

	down_read(&mm->mmap_lock);
	for_each_vma (mm, vma) {
		killed = quire_host_fatal_signal_pending(quire_host_current());
		if (killed)
			break;
		if (vma_migratable(vma))
			left += migrate_vma(&r, vma, &t);
	}
	up_read(&mm->mmap_lock);
	return killed ? -EINTR : (long)left;
}

/* By hand: the compiler's own is a call into its library on some machines. */
static unsigned count_nodes(uint64_t mask)
{
	unsigned n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

/* The n-th bit of mask, n counted round. */
static unsigned nth_node(uint64_t mask, unsigned n)
{
	unsigned i, count = count_nodes(mask);

	while (n >= count)
		n -= count;
	for (i = 0;; i++)
		if ((mask >> i & 1) && !n--)
			return i;
}

/*
 * The next pair of nodes of what is left to do.  One whose target is no source
 * any more, so that what arrives is not moved on.  False: nothing is left.
 */
static bool next_pair(uint64_t left, uint64_t from, uint64_t to, unsigned *src,
		      unsigned *dst)
{
	bool same_size = count_nodes(from) == count_nodes(to);
	bool found = false;
	unsigned s, d, nth;

	for (s = 0; s < QUIRE_MAX_NODES; s++) {
		if (!(left >> s & 1u) || (!same_size && (to >> s & 1u)))
			continue;
		nth = count_nodes(from & (((uint64_t)1 << s) - 1));
		d = nth_node(to, nth);
		if (d == s)
			continue;
		*src = s;
		*dst = d;
		found = true;
		if (!(left >> d & 1u))
			break;
	}
	return found;
}

/* 0, -EINVAL, -EPERM. */
static int check_how(unsigned how)
{
	if (how != QUIRE_MF_MOVE && how != QUIRE_MF_MOVE_ALL)
		return -EINVAL;
	if (how == QUIRE_MF_MOVE_ALL && !quire_host_current()->cap_sys_admin)
		return -EPERM;
	return 0;
}

long quire_migrate_pages(struct mm_struct *mm, uint64_t from, uint64_t to,
			 unsigned how)
{
	uint64_t have = ((uint64_t)1 << mm->q->nodes) - 1, left;
	unsigned src = 0, dst = 0;
	long stayed = 0, n;
	int err = check_how(how);

	if (err)
		return err;
	if ((to & ~have) && !quire_host_current()->cap_sys_admin)
		return -EPERM;
	to &= have;
	if (!to)
		return -EINVAL;
	lru_add_drain_all(mm->q);
	from &= have;
	for (left = from; next_pair(left, from, to, &src, &dst);
	     left &= ~((uint64_t)1 << src)) {
		n = migrate_to_node(mm, src, dst, how == QUIRE_MF_MOVE_ALL);
		if (n < 0)
			return n;
		stayed += n;
	}
	return stayed;
}

/* ------------------------------------------------------------ move_pages */

/*
 * mmap_lock held for read: the page at addr, isolated where it is to go to
 * another node than it is on, in *page; else NULL.  The node it is on, -errno.
 */
static int look_at(struct mm_struct *mm, uaddr_t addr, int node, bool all,
		   struct page **page)
{
	struct vm_area_struct *vma = find_vma(mm, addr);
	int ret = -ENOENT;
	spinlock_t *ptl;
	struct page *p;
	pmd_t *pmd;
	pte_t pte;

	*page = NULL;
	if (!vma || vma->vm_start > addr || !vma_migratable(vma))
		return -EFAULT;
	pmd = mm_find_pmd(mm, addr);
	if (!pmd || pmd_none(pmdp_get(pmd)))
		return -ENOENT;
	ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	spin_lock(ptl);
	pte = ptep_get(pte_offset_map(mm->q, pmd, addr));
	if (!pte_present(pte))
		goto unlock;
	p = vm_normal_page(vma, pte);
	ret = -EFAULT; /* the zero page */
	if (!p)
		goto unlock;
	ret = p->node;
	if (node < 0 || node == ret)
		goto unlock;
	ret = -EACCES;
	if (!all && page_mapcount(p) > 1)
		goto unlock;
	ret = -EBUSY;
	if (isolate_lru_page(mm->q, p)) {
		*page = p;
		ret = node;
	}
unlock:
	spin_unlock(ptl);
	return ret;
}

/* One page; the result is its status. */
static int move_one(struct mm_struct *mm, uaddr_t addr, int node, bool all)
{
	struct migrate_target t = {.get = migrate_get_on_node,
				   .q = mm->q,
				   .node = node < 0 ? 0 : (unsigned)node};
	struct page *page;
	int ret, err = 0;

	down_read(&mm->mmap_lock);
	ret = look_at(mm, addr & PAGE_MASK, node, all, &page);
	if (page)
		(void)migrate_pages(mm->q, &page, 1, &t, true, &err);
	up_read(&mm->mmap_lock);
	if (!err)
		return ret;
	return err == -ENOMEM ? -ENOMEM : -EBUSY;
}

long quire_move_pages(struct mm_struct *mm, size_t n, const uaddr_t *addr,
		      const int *nodes, int *status, unsigned how)
{
	long stayed = 0;
	size_t i;
	int err = check_how(how);

	if (err)
		return err;
	for (i = 0; nodes && i < n; i++)
		if (nodes[i] < 0 || (unsigned)nodes[i] >= mm->q->nodes)
			return -ENODEV;
	if (nodes)
		lru_add_drain_all(mm->q);
	for (i = 0; i < n; i++) {
		status[i] = move_one(mm, addr[i], nodes ? nodes[i] : -1,
				     how == QUIRE_MF_MOVE_ALL);
		/* what was to go, and is there, but did not */
		stayed +=
			nodes && (status[i] == -EBUSY || status[i] == -ENOMEM);
	}
	return stayed;
}
