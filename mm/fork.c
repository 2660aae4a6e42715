/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a second address space like the first (M3).
 *
 *   dup_mmap:  for each VMA    account, copy, chain to the family, link
 *                              copy_page_range: copy its tables
 *              at the end      flush the parent's TLB, once
 *
 *   one private entry:   parent  W page ----.      parent  R page --.
 *                        child              |  =>                   +-> page
 *                                           page   child   R page --'
 *
 * Both lose the write permission; the first write in either is a copy-on-write
 * fault.  Memory that the child can find again by a fault (file and shared
 * mappings without private copies) is not copied at all.
 *
 * A page that is pinned by get_user_pages stays the parent's alone, and
 * writable: after a copy-on-write fault a device would go on with a page that
 * its owner does not see any more.  The child gets its copy here.
 *
 * Locks: parent's mmap_lock for write, child's nested inside (swapoff and the
 * OOM reaper find it on the list of all); per table the child's lock, then the
 * parent's.
 */
#include "fault.h"
#include "filemap.h"
#include "gather.h"
#include "rmap.h"
#include "swap.h"

/* Entries copied so far, by kind, to be added to the child's counters. */
struct copy_count {
	int rss[NR_MM_COUNTERS];
};

/* False: the page is pinned, nothing was done. */
static __always_inline bool copy_present_pte(struct vm_area_struct *src,
					     pte_t *dst_pte, pte_t *src_pte,
					     pte_t pte, uaddr_t addr,
					     struct copy_count *n)
{
	struct page *page = vm_normal_page(src, pte);
	vm_flags_t flags = src->vm_flags;

	if (likely(page)) {
		if (PageAnon(page)) {
			if (PageFlag(page, PG_anon_exclusive)) {
				/* pins are taken under the entry's lock */
				if (unlikely(READ_ONCE(page->pins)))
					return false;
				ClearPageFlag(page, PG_anon_exclusive);
			}
			n->rss[MM_ANONPAGES]++;
		} else if (PageFlag(page, PG_swapbacked)) {
			n->rss[MM_SHMEMPAGES]++;
		} else {
			n->rss[MM_FILEPAGES]++;
		}
		get_page(page);
		page_dup_rmap(page);
	}
	if ((flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE) {
		if (pte_write(pte)) {
			ptep_set_wrprotect(src->vm_mm, addr, src_pte);
			pte = pte_wrprotect(pte);
		}
	} else if (flags & VM_SHARED) {
		pte = pte_mkclean(pte);
	}
	if (ARCH_SETS_YOUNG)
		pte = pte_mkold(pte);
	/* the parent has it at this address: there is nothing new to caches */
	set_pte(dst_pte, pte);
	return true;
}

/* The child's own copy, in `page`, of the pinned page that pte maps. */
static __noinline void copy_pinned_page(struct vm_area_struct *dst,
					struct page *page, pte_t *dst_pte,
					pte_t pte, uaddr_t addr)
{
	struct quire *q = dst->vm_mm->q;
	struct page *old = pte_page(q, pte);
	pte_t entry;

	flush_user_dcache_page(q, old);
	copy_page(page_address(q, page), page_address(q, old));
	flush_dcache_page(q, page);
	entry = pte_mkyoung(mk_pte(q, page, dst->vm_page_prot));
	entry = maybe_mkwrite(pte_mkdirty(entry), dst);
	if (pte_uffd_wp(pte))
		entry = pte_mkuffd_wp(pte_wrprotect(entry));
	new_anon_page(dst, page, addr, q, quire_host_cpu());
	set_pte_at(dst->vm_mm, addr, dst_pte, entry);
}

/*
 * Entries from addr on, of one table.  How far it got: at a pinned page it
 * needs *fresh, which is NULL again when it was used.
 */
static uaddr_t copy_ptes(struct vm_area_struct *dst, struct vm_area_struct *src,
			 pmd_t *dst_pmd, pmd_t *src_pmd, uaddr_t addr,
			 uaddr_t end, struct page **fresh)
{
	struct mm_struct *mm = dst->vm_mm;
	struct quire *q = mm->q;
	struct copy_count n = {{0, 0, 0, 0}};
	spinlock_t *dst_ptl, *src_ptl;
	pte_t *dst_pte, *src_pte;
	unsigned i;

	dst_ptl = pte_lockptr(q, pmdp_get(dst_pmd));
	src_ptl = pte_lockptr(q, pmdp_get(src_pmd));
	spin_lock(dst_ptl);
	spin_lock(src_ptl);
	dst_pte = pte_offset_map(q, dst_pmd, addr);
	src_pte = pte_offset_map(q, src_pmd, addr);
	for (; addr < end; addr += (uaddr_t)PAGE_SIZE, dst_pte++, src_pte++) {
		pte_t pte = ptep_get(src_pte);

		if (pte_none(pte))
			continue;
		if (unlikely(!pte_present(pte))) {
			set_pte_at(mm, addr, dst_pte,
				   swap_pte_dup(mm, src, src_pte, addr));
		} else if (unlikely(!copy_present_pte(src, dst_pte, src_pte,
						      pte, addr, &n))) {
			if (!*fresh)
				break;
			copy_pinned_page(dst, *fresh, dst_pte, pte, addr);
			*fresh = NULL;
		}
	}
	for (i = 0; i < NR_MM_COUNTERS; i++)
		if (n.rss[i])
			add_mm_counter(mm, (enum rss_type)i, n.rss[i]);
	spin_unlock(src_ptl);
	spin_unlock(dst_ptl);
	return addr;
}

static int copy_pte_range(struct vm_area_struct *dst,
			  struct vm_area_struct *src, pmd_t *dst_pmd,
			  pmd_t *src_pmd, uaddr_t addr, uaddr_t end)
{
	struct mm_struct *mm = dst->vm_mm;
	struct page *fresh = NULL;

	if (pmd_none(pmdp_get(dst_pmd)) && __pte_alloc(mm, dst_pmd))
		return -ENOMEM;
	for (;;) {
		addr = copy_ptes(dst, src, dst_pmd, src_pmd, addr, end, &fresh);
		if (likely(addr == end))
			break;
		fresh = alloc_page(mm->q, GFP_HIGHUSER_MOVABLE);
		if (!fresh)
			return -ENOMEM;
	}
	if (unlikely(fresh))
		put_page(mm->q, fresh); /* it is not pinned any more */
	return 0;
}

static int copy_pmd_range(struct vm_area_struct *dst,
			  struct vm_area_struct *src, pud_t *dst_pud,
			  pud_t *src_pud, uaddr_t addr, uaddr_t end)
{
	pmd_t *src_pmd = pmd_offset(src->vm_mm->q, src_pud, addr);
	pmd_t *dst_pmd = pmd_alloc(dst->vm_mm, dst_pud, addr);
	uaddr_t next;

	if (!dst_pmd)
		return -ENOMEM;
	do {
		next = pmd_addr_end(addr, end);
		if (!pmd_none(pmdp_get(src_pmd)) &&
		    copy_pte_range(dst, src, dst_pmd, src_pmd, addr, next))
			return -ENOMEM;
	} while (dst_pmd++, src_pmd++, addr = next, addr != end);
	return 0;
}

static int copy_pud_range(struct vm_area_struct *dst,
			  struct vm_area_struct *src, p4d_t *dst_p4d,
			  p4d_t *src_p4d, uaddr_t addr, uaddr_t end)
{
	pud_t *src_pud = pud_offset(src->vm_mm->q, src_p4d, addr);
	pud_t *dst_pud = pud_alloc(dst->vm_mm, dst_p4d, addr);
	uaddr_t next;

	if (!dst_pud)
		return -ENOMEM;
	do {
		next = pud_addr_end(addr, end);
		if (!pud_none(pudp_get(src_pud)) &&
		    copy_pmd_range(dst, src, dst_pud, src_pud, addr, next))
			return -ENOMEM;
	} while (dst_pud++, src_pud++, addr = next, addr != end);
	return 0;
}

static int copy_p4d_range(struct vm_area_struct *dst,
			  struct vm_area_struct *src, pgd_t *dst_pgd,
			  pgd_t *src_pgd, uaddr_t addr, uaddr_t end)
{
	p4d_t *src_p4d = p4d_offset(src->vm_mm->q, src_pgd, addr);
	p4d_t *dst_p4d = p4d_alloc(dst->vm_mm, dst_pgd, addr);
	uaddr_t next;

	if (!dst_p4d)
		return -ENOMEM;
	do {
		next = p4d_addr_end(addr, end);
		if (!p4d_none(p4dp_get(src_p4d)) &&
		    copy_pud_range(dst, src, dst_p4d, src_p4d, addr, next))
			return -ENOMEM;
	} while (dst_p4d++, src_p4d++, addr = next, addr != end);
	return 0;
}

int copy_page_range(struct vm_area_struct *dst, struct vm_area_struct *src)
{
	uaddr_t addr = src->vm_start, end = src->vm_end, next;
	pgd_t *src_pgd = pgd_offset(src->vm_mm, addr);
	pgd_t *dst_pgd = pgd_offset(dst->vm_mm, addr);

	/* what a fault can bring back need not be copied */
	if (!src->anon_vma && !(src->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)))
		return 0;
	do {
		next = pgd_addr_end(addr, end);
		if (!pgd_none(src->vm_mm->q, pgdp_get(src_pgd)) &&
		    copy_p4d_range(dst, src, dst_pgd, src_pgd, addr, next))
			return -ENOMEM;
	} while (dst_pgd++, src_pgd++, addr = next, addr != end);
	return 0;
}

/* The child's copy of one VMA, linked, its pages shared. 0 or -ENOMEM. */
static int dup_vma(struct mm_struct *mm, struct vm_area_struct *src)
{
	long charge = 0;
	struct vm_area_struct *vma;

	if (src->vm_flags & VM_ACCOUNT) {
		charge = (long)vma_pages(src);
		if (security_vm_enough_memory(mm, charge))
			return -ENOMEM;
	}
	vma = vm_area_dup(src);
	if (!vma)
		goto unaccount;
	vma->vm_mm = mm;
	vma->vm_flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
	vma->anon_vma = NULL;
	if (!(src->vm_flags & VM_WIPEONFORK) && anon_vma_fork(vma, src))
		goto free;
	if (vma_tree_reserve(mm, 1))
		goto unlink;
	vma_link(mm, vma);
	vm_stat_account(mm, vma->vm_flags, (long)vma_pages(vma));
	if (vma->vm_ops && vma->vm_ops->open)
		vma->vm_ops->open(vma);
	/* linked by now: if copying fails, exit_mmap undoes all of it */
	if (src->vm_flags & VM_WIPEONFORK)
		return 0;
	return copy_page_range(vma, src);
unlink:
	unlink_anon_vmas(vma);
free:
	vm_area_free(vma);
unaccount:
	vm_unacct_memory(mm->q, charge);
	return -ENOMEM;
}

int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm)
{
	struct vm_area_struct *vma;
	int err = 0;

	if (down_write_killable(&oldmm->mmap_lock))
		return -EINTR;
	/* a copy would find zeroes where the reaper has been */
	if (unlikely(READ_ONCE(oldmm->oom_reaped))) {
		up_write(&oldmm->mmap_lock);
		return -ENOMEM;
	}
	down_write(&mm->mmap_lock);
	mm->layout = oldmm->layout;
	mm->brk = oldmm->brk;
	mm->task_size = oldmm->task_size;
	for_each_vma (oldmm, vma) {
		if (vma->vm_flags & VM_DONTCOPY)
			continue;
		err = dup_vma(mm, vma);
		if (err)
			break;
	}
	vma_tree_unreserve(mm);
	/* entries that lost their write permission may be in a TLB */
	flush_tlb_mm(oldmm);
	up_write(&mm->mmap_lock);
	up_write(&oldmm->mmap_lock);
	return err;
}
