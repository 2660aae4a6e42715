/* SPDX-License-Identifier: MIT */
/*
 * mprotect.c - other access rights for what is mapped (M2).
 *
 *   for each VMA of the range    may it?  EACCES, ENOMEM; what came before
 *                                stays changed
 *     vma_modify                 flags; split off or merged
 *     change_protection          its entries: frame, young and dirty are kept
 *                                flush of what was changed, before returning
 *
 * An entry of a private page that is this mm's alone becomes writable here and
 * not by a fault later.
 *
 * Locks: mmap_lock for write, then each table's lock.
 */
#include "fault.h"
#include "rmap.h"
#include "special.h"
#include "vma.h"
#include <asm/tlb.h>

/* The part of a range whose entries were changed; hi is 0: none. */
struct changed {
	uaddr_t lo, hi;
};

/* The mapping may be written: may this entry be, without a fault's work? */
static bool can_make_writable(struct vm_area_struct *vma, pte_t pte)
{
	struct page *page;

	if (pte_protnone(pte))
		return false;
	if (!(vma->vm_flags & VM_SOFTDIRTY) && !pte_soft_dirty(pte))
		return false; /* the first write is to be seen */
	if (vma->vm_flags & VM_SHARED)
		return pte_dirty(pte); /* the file system has been asked */
	page = vm_normal_page(vma, pte);
	return page && PageAnon(page) && PageFlag(page, PG_anon_exclusive);
}

static __always_inline pte_t pte_with_prot(struct vm_area_struct *vma,
					   pte_t pte)
{
	pte = pte_modify(pte, vma->vm_page_prot);
	if ((vma->vm_flags & VM_WRITE) && !pte_write(pte) &&
	    can_make_writable(vma, pte))
		pte = pte_mkwrite(pte);
	return pte;
}

/* An entry that is neither present nor none: what it says of rights. */
static __cold_path void protect_absent(struct vm_area_struct *vma, uaddr_t addr,
				       pte_t *ptep, pte_t pte)
{
	pte_t new;

	if (swap_entry_is_slot(pte_to_swp_entry(pte)))
		return;
	new = special_pte_protect(vma->vm_mm, pte);
	if (!pte_same(pte, new))
		set_pte_at(vma->vm_mm, addr, ptep, new);
}

static void change_pte_range(struct vm_area_struct *vma, pmd_t *pmd,
			     uaddr_t addr, uaddr_t end, struct changed *c)
{
	struct quire *q = vma->vm_mm->q;
	spinlock_t *ptl = pte_lockptr(q, pmdp_get(pmd));
	uaddr_t hi = c->hi;
	pte_t *ptep, pte, was, new;

	spin_lock(ptl);
	ptep = pte_offset_map(q, pmd, addr);
	for (; addr < end; addr += (uaddr_t)PAGE_SIZE, ptep++) {
		pte = ptep_get(ptep);
		if (!pte_present(pte)) {
			if (unlikely(is_swap_pte(pte)))
				protect_absent(vma, addr, ptep, pte);
			continue;
		}
		new = pte_with_prot(vma, pte);
		if (pte_same(pte, new))
			continue;
		was = ptep_modify_prot_start(vma, addr, ptep);
		if (unlikely(!pte_same(was, pte))) /* used meanwhile */
			new = pte_with_prot(vma, was);
		ptep_modify_prot_commit(vma, addr, ptep, new);
		if (!hi)
			c->lo = addr;
		hi = addr + (uaddr_t)PAGE_SIZE;
	}
	spin_unlock(ptl);
	c->hi = hi;
}

static void change_pmd_range(struct vm_area_struct *vma, pud_t *pud,
			     uaddr_t addr, uaddr_t end, struct changed *c)
{
	pmd_t *pmd = pmd_offset(vma->vm_mm->q, pud, addr);
	uaddr_t next;

	do {
		next = pmd_addr_end(addr, end);
		if (!pmd_none(pmdp_get(pmd)))
			change_pte_range(vma, pmd, addr, next, c);
	} while (pmd++, addr = next, addr != end);
}

static void change_pud_range(struct vm_area_struct *vma, p4d_t *p4d,
			     uaddr_t addr, uaddr_t end, struct changed *c)
{
	pud_t *pud = pud_offset(vma->vm_mm->q, p4d, addr);
	uaddr_t next;

	do {
		next = pud_addr_end(addr, end);
		if (!pud_none(pudp_get(pud)))
			change_pmd_range(vma, pud, addr, next, c);
	} while (pud++, addr = next, addr != end);
}

static void change_p4d_range(struct vm_area_struct *vma, pgd_t *pgd,
			     uaddr_t addr, uaddr_t end, struct changed *c)
{
	p4d_t *p4d = p4d_offset(vma->vm_mm->q, pgd, addr);
	uaddr_t next;

	do {
		next = p4d_addr_end(addr, end);
		if (!p4d_none(p4dp_get(p4d)))
			change_pud_range(vma, p4d, addr, next, c);
	} while (p4d++, addr = next, addr != end);
}

void change_protection(struct vm_area_struct *vma, uaddr_t start, uaddr_t end)
{
	struct changed c = {.lo = 0, .hi = 0};
	pgd_t *pgd = pgd_offset(vma->vm_mm, start);
	uaddr_t addr = start, next;

	do {
		next = pgd_addr_end(addr, end);
		if (!pgd_none(vma->vm_mm->q, pgdp_get(pgd)))
			change_p4d_range(vma, pgd, addr, next, &c);
	} while (pgd++, addr = next, addr != end);
	if (c.hi)
		flush_tlb_range(vma, c.lo, c.hi);
}

/*
 * The promise of memory (M4) for a part of vma that gets new flags: adds or
 * removes VM_ACCOUNT.  0 or -ENOMEM; *charge: pages newly promised.
 */
static int mprotect_account(struct vm_area_struct *vma, unsigned long pages,
			    vm_flags_t *flags, long *charge)
{
	struct mm_struct *mm = vma->vm_mm;
	vm_flags_t old = vma->vm_flags;

	*charge = 0;
	if (!(*flags & VM_WRITE)) {
		/* never written, and cannot be now: nothing to keep ready */
		if ((old & VM_ACCOUNT) && vma_is_anonymous(vma) &&
		    !vma->anon_vma)
			*flags &= ~VM_ACCOUNT;
		return 0;
	}
	if (!may_expand_vm(mm, *flags, pages) && may_expand_vm(mm, old, pages))
		return -ENOMEM;
	if (old &
	    (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE))
		return 0;
	if (security_vm_enough_memory(mm, (long)pages))
		return -ENOMEM;
	*charge = (long)pages;
	*flags |= VM_ACCOUNT;
	return 0;
}

/* [start, end) of vma gets new flags.  0 or -ENOMEM. */
static int mprotect_fixup(struct vm_area_struct *vma, uaddr_t start,
			  uaddr_t end, vm_flags_t flags)
{
	struct mm_struct *mm = vma->vm_mm;
	vm_flags_t old = vma->vm_flags;
	unsigned long pages = (end - start) >> PAGE_SHIFT;
	long charge;

	if (flags == old)
		return 0;
	if (mprotect_account(vma, pages, &flags, &charge))
		return -ENOMEM;
	vma = vma_modify(vma, start, end, flags);
	if (!vma) {
		vm_unacct_memory(mm->q, charge);
		return -ENOMEM;
	}
	if ((old & VM_ACCOUNT) && !(flags & VM_ACCOUNT))
		vm_unacct_memory(mm->q, (long)pages);
	change_protection(vma, start, end);
	vm_stat_account(mm, old, -(long)pages);
	vm_stat_account(mm, flags, (long)pages);
	return 0;
}

/* The VMA to begin with and, for PROT_GROWSDOWN, the start. 0 or -errno */
static int mprotect_first(struct mm_struct *mm, uaddr_t *start, uaddr_t *end,
			  unsigned grows)
{
	struct vm_area_struct *vma = find_vma(mm, *start);

	if (!vma)
		return -ENOMEM;
	if (grows & PROT_GROWSDOWN) {
		if (vma->vm_start >= *end)
			return -ENOMEM;
		*start = vma->vm_start;
		return vma->vm_flags & VM_GROWSDOWN ? 0 : -EINVAL;
	}
	if (vma->vm_start > *start)
		return -ENOMEM;
	/* nothing grows up on this architecture */
	return grows & PROT_GROWSUP ? -EINVAL : 0;
}

static int mprotect_locked(struct mm_struct *mm, uaddr_t start, uaddr_t end,
			   unsigned prot)
{
	struct vm_area_struct *vma;
	vm_flags_t flags, old;
	uaddr_t to;
	int err;

	for (; start < end; start = to) {
		vma = find_vma(mm, start);
		if (!vma || vma->vm_start > start)
			return -ENOMEM;
		to = MIN(end, vma->vm_end);
		old = vma->vm_flags;
		flags = calc_vm_prot_bits(prot) | (old & ~VM_ACCESS_FLAGS);
		/* VM_MAY* are four bits above what they allow */
		if (flags & ~(flags >> 4) & VM_ACCESS_FLAGS)
			return -EACCES;
		err = mprotect_fixup(vma, start, to, flags);
		if (err)
			return err;
		/* locked private memory becomes writable: made private now */
		if ((old & (VM_WRITE | VM_SHARED | VM_LOCKED |
			    VM_LOCKONFAULT)) == VM_LOCKED &&
		    (flags & VM_WRITE))
			(void)populate_vma_range(mm, start, to, true, NULL);
	}
	return 0;
}

static int do_mprotect(struct mm_struct *mm, uaddr_t start, uaddr_t len,
		       unsigned prot)
{
	const unsigned both = PROT_GROWSDOWN | PROT_GROWSUP;
	unsigned grows = prot & both;
	uaddr_t end;
	int err;

	prot &= ~both;
	if (grows == both || !IS_ALIGNED(start, (uaddr_t)PAGE_SIZE))
		return -EINVAL;
	if (!len)
		return 0;
	end = start + PAGE_ALIGN(len);
	if (end <= start)
		return -ENOMEM;
	if (prot & ~(unsigned)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	err = down_write_killable(&mm->mmap_lock);
	if (err)
		return err;
	err = mprotect_first(mm, &start, &end, grows);
	if (!err)
		err = mprotect_locked(mm, start, end, prot);
	up_write(&mm->mmap_lock);
	return err;
}

int quire_mprotect(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
		   unsigned prot)
{
	int err = do_mprotect(mm, addr, len, prot);

	TRACE_MAP(mm, .type = QE_MPROTECT, .addr = addr, .len = len,
		  .prot = prot, .result = err);
	return err;
}
