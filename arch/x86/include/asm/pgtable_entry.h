/* SPDX-License-Identifier: MIT */
/*
 * pgtable_entry.h - loading, storing and reading entries: what all of x86's
 * formats share.  The format's pgtable.h includes it and adds its levels.
 *
 * The processor (or the simulated one, on another thread) sets A and D in an
 * entry at any moment while it is present, and a walker on another CPU may be
 * reading.  So every load and store here is an atomic one, an entry that may
 * be present is changed only by a read-modify-write, and nothing the processor
 * sets is lost.  Stores release, and what a reader finds behind an entry it
 * finds by the address it has loaded, so it sees the table or page as it was
 * when published (loads that depend on one another stay in order; SDM vol. 3A,
 * 8.2.2).  ThreadSanitizer cannot see that dependency: for it, loads acquire.
 *
 * Locks: none here; mm/ holds the table's.
 */
#ifndef QUIRE_X86_PGTABLE_ENTRY_H
#define QUIRE_X86_PGTABLE_ENTRY_H

#include "mm.h"
#include <asm-generic/pgtable-levels.h>
#include <asm/pgtable_types.h>

#ifdef QUIRE_TSAN
#define ENTRY_LOAD __ATOMIC_ACQUIRE
#else
#define ENTRY_LOAD __ATOMIC_RELAXED
#endif

/* pgdp_get ... ptep_get; set_pgd ... set_pte; pgd_same ... pte_same */
#define __ENTRY_OPS(level)                                                     \
	static __always_inline level##_t level##p_get(const level##_t *p)      \
	{                                                                      \
		return (level##_t){__atomic_load_n(&p->v, ENTRY_LOAD)};        \
	}                                                                      \
	static __always_inline void set_##level(level##_t *p, level##_t e)     \
	{                                                                      \
		__atomic_store_n(&p->v, e.v, __ATOMIC_RELEASE);                \
	}                                                                      \
	static __always_inline bool level##_same(level##_t a, level##_t b)     \
	{                                                                      \
		return a.v == b.v;                                             \
	}
__ENTRY_OPS(pmd)
__ENTRY_OPS(pte)

__PGTABLE_INDEX(pmd, PMD_SHIFT, PTRS_PER_PMD)
__PGTABLE_INDEX(pte, PAGE_SHIFT, PTRS_PER_PTE)
__PGTABLE_ADDR_END(pmd, PMD_SIZE)

/* ------------------------------------------------------------ upper levels */

/* The table that an upper entry points at. */
static __always_inline void *__entry_table(struct quire *q, pteval_t v)
{
	return phys_to_virt(q, v & PTE_PFN_MASK);
}

/*
 * none: no table below.  present: a table or a large page.  large: maps a
 * page at this level.  bad: not what a user's table entry looks like.
 * tbits: what an entry has that points at a table.
 */
#define __LEVEL_TESTS(level, tbits)                                            \
	static __always_inline bool level##_present(level##_t e)               \
	{                                                                      \
		return (e.v & _PAGE_PRESENT) != 0;                             \
	}                                                                      \
	static __always_inline bool level##_large(level##_t e)                 \
	{                                                                      \
		return (e.v & (_PAGE_PRESENT | _PAGE_PSE)) ==                  \
		       (_PAGE_PRESENT | _PAGE_PSE);                            \
	}                                                                      \
	static __always_inline bool level##_bad(level##_t e)                   \
	{                                                                      \
		return (e.v & (_PAGE_PRESENT | _PAGE_RW | _PAGE_USER |         \
			       _PAGE_PSE | _PAGE_NX)) !=                       \
		       ((tbits) & ~_PAGE_ACCESSED);                            \
	}                                                                      \
	static __always_inline uint64_t level##_pfn(level##_t e)               \
	{                                                                      \
		return (e.v & PTE_PFN_MASK) >> PAGE_SHIFT;                     \
	}                                                                      \
	static __always_inline struct page *level##_page(struct quire *q,      \
							 level##_t e)          \
	{                                                                      \
		return pfn_to_page(q, level##_pfn(e));                         \
	}                                                                      \
	/* Point the entry at a table page; it was ready before (release). */  \
	static __always_inline void level##_populate(                          \
		struct quire *q, level##_t *p, const struct page *table)       \
	{                                                                      \
		set_##level(p, (level##_t){(pteval_t)(page_to_pfn(q, table)    \
						      << PAGE_SHIFT) |         \
					   (tbits)});                          \
	}                                                                      \
	static __always_inline void level##_clear(level##_t *p)                \
	{                                                                      \
		set_##level(p, (level##_t){0});                                \
	}
#define __LEVEL_NONE(level)                                                    \
	static __always_inline bool level##_none(level##_t e)                  \
	{                                                                      \
		return e.v == 0;                                               \
	}
__LEVEL_TESTS(pmd, _PAGE_TABLE)
__LEVEL_NONE(pmd)

/* The lowest level from an entry already read / from where it stands. */
static __always_inline pte_t *pte_offset(struct quire *q, pmd_t pmd,
					 uaddr_t addr)
{
	return (pte_t *)__entry_table(q, pmd.v) + pte_index(addr);
}
static __always_inline pte_t *pte_offset_map(struct quire *q, pmd_t *pmd,
					     uaddr_t addr)
{
	return pte_offset(q, pmdp_get(pmd), addr);
}

/* ------------------------------------------------------- the lowest level */

#include <asm-generic/pgtable_entry.h>

/* Inverts the frame bits when the entry (or its prot) is not present. */
static __always_inline pteval_t __frame_mask(pteval_t flags)
{
	return ((flags & _PAGE_PRESENT) - 1) & PTE_PFN_MASK;
}
static __always_inline uint64_t pte_pfn(pte_t e)
{
	pteval_t v = likely(e.v & _PAGE_PRESENT) ? e.v : ~e.v;

	return (v & PTE_PFN_MASK) >> PAGE_SHIFT;
}
static __always_inline struct page *pte_page(struct quire *q, pte_t e)
{
	return pfn_to_page(q, pte_pfn(e));
}
static __always_inline pte_t pfn_pte(uint64_t pfn, pgprot_t prot)
{
	pteval_t v = (pteval_t)(pfn << PAGE_SHIFT) | prot.v;

	return (pte_t){likely(v & _PAGE_PRESENT) ? v : v ^ PTE_PFN_MASK};
}
static __always_inline pte_t mk_pte(const struct quire *q,
				    const struct page *page, pgprot_t prot)
{
	return pfn_pte(page_to_pfn((struct quire *)q, page), prot);
}

__PTE_BIT(pte_write, pte_mkwrite, pte_wrprotect, _PAGE_RW)
__PTE_BIT(pte_young, pte_mkyoung, pte_mkold, _PAGE_ACCESSED)
__PTE_BIT(pte_special, pte_mkspecial, pte_clear_special, _PAGE_SPECIAL)
__PTE_BIT(pte_soft_dirty, pte_mksoft_dirty, pte_clear_soft_dirty,
	  _PAGE_SOFT_DIRTY)
__PTE_BIT(pte_uffd_wp, pte_mkuffd_wp, pte_clear_uffd_wp, _PAGE_UFFD_WP)
/* The same three for an entry that is not present (its swap entry's bits). */
__PTE_BIT(pte_swp_soft_dirty, pte_swp_mksoft_dirty, pte_swp_clear_soft_dirty,
	  _PAGE_SWP_SOFT_DIRTY)
__PTE_BIT(pte_swp_uffd_wp, pte_swp_mkuffd_wp, pte_swp_clear_uffd_wp,
	  _PAGE_SWP_UFFD_WP)
__PTE_BIT(pte_swp_exclusive, pte_swp_mkexclusive, pte_swp_clear_exclusive,
	  _PAGE_SWP_EXCLUSIVE)
static __always_inline bool pte_dirty(pte_t e)
{
	return (e.v & _PAGE_DIRTY) != 0;
}
/* Written to now: also newer than the last clear_refs. */
static __always_inline pte_t pte_mkdirty(pte_t e)
{
	return (pte_t){e.v | _PAGE_DIRTY | _PAGE_SOFT_DIRTY};
}
static __always_inline pte_t pte_mkclean(pte_t e)
{
	return (pte_t){e.v & ~_PAGE_DIRTY};
}
static __always_inline bool pte_exec(pte_t e)
{
	return (e.v & _PAGE_NX) == 0;
}
/* The same page under another protection; turns to and from PROT_NONE. */
static __always_inline pte_t pte_modify(pte_t e, pgprot_t prot)
{
	pteval_t v = (e.v & _PAGE_CHG_MASK) | (prot.v & ~_PAGE_CHG_MASK);

	return (pte_t){v ^ __frame_mask(e.v) ^ __frame_mask(v)};
}

static __always_inline void set_pte_at(struct mm_struct *mm, uaddr_t addr,
				       pte_t *ptep, pte_t pte)
{
	(void)mm;
	(void)addr;
	set_pte(ptep, pte);
}
/* Clear an entry that is not present (one that is: ptep_get_and_clear). */
static __always_inline void pte_clear(struct mm_struct *mm, uaddr_t addr,
				      pte_t *ptep)
{
	set_pte_at(mm, addr, ptep, (pte_t){0});
}
/* Take the entry out, with what the processor has set in it to the last. */
static __always_inline pte_t ptep_get_and_clear(struct mm_struct *mm,
						uaddr_t addr, pte_t *ptep)
{
	(void)mm;
	(void)addr;
	return (pte_t){__atomic_exchange_n(&ptep->v, 0, __ATOMIC_ACQ_REL)};
}
/* Change protection: start takes the entry out, commit puts the new one in. */
static __always_inline pte_t ptep_modify_prot_start(struct vm_area_struct *vma,
						    uaddr_t addr, pte_t *ptep)
{
	return ptep_get_and_clear(vma->vm_mm, addr, ptep);
}
static __always_inline void ptep_modify_prot_commit(struct vm_area_struct *vma,
						    uaddr_t addr, pte_t *ptep,
						    pte_t pte)
{
	set_pte_at(vma->vm_mm, addr, ptep, pte);
}
static __always_inline void ptep_set_wrprotect(struct mm_struct *mm,
					       uaddr_t addr, pte_t *ptep)
{
	(void)mm;
	(void)addr;
	__atomic_fetch_and(&ptep->v, ~_PAGE_RW, __ATOMIC_ACQ_REL);
}
static __always_inline bool
ptep_test_and_clear_young(struct vm_area_struct *vma, uaddr_t addr, pte_t *ptep)
{
	(void)vma;
	(void)addr;
	return (__atomic_fetch_and(&ptep->v, ~_PAGE_ACCESSED,
				   __ATOMIC_ACQ_REL) &
		_PAGE_ACCESSED) != 0;
}
/*
 * Give a present entry what `entry` has more than it: A, and for a write D and
 * the write permission.  Returns whether anything was missing; a more
 * permissive entry needs no flush (SDM vol. 3A, 4.10.4.3).  When not dirty
 * nothing is stored: the processor sets A itself.
 */
static __always_inline bool ptep_set_access_flags(struct vm_area_struct *vma,
						  uaddr_t addr, pte_t *ptep,
						  pte_t entry, bool dirty)
{
	pteval_t more =
		entry.v & ~ptep_get(ptep).v &
		(_PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_SOFT_DIRTY);

	(void)vma;
	(void)addr;
	if (more && dirty)
		__atomic_fetch_or(&ptep->v, more, __ATOMIC_ACQ_REL);
	return more != 0;
}

/* ---------------------------------------------- entries that are not present
 */

/*
 * swp_entry_t is the same on all formats, type above and offset below; the
 * format says how they are packed into an entry (swp_entry_to_pte), and so how
 * many bits they may have.
 */
#define SWP_TYPE_SHIFT	58
#define SWP_OFFSET_MASK ((1ull << SWP_OFFSET_BITS) - 1)
#define SWP_MAX_OFFSET	(SWP_OFFSET_MASK - 1)

static __always_inline swp_entry_t swp_entry(unsigned type, uint64_t offset)
{
	return (swp_entry_t){(uint64_t)type << (SWP_TYPE_SHIFT) |
			     (offset & SWP_OFFSET_MASK)};
}
static __always_inline unsigned swp_type(swp_entry_t e)
{
	return (unsigned)(e.v >> (SWP_TYPE_SHIFT));
}
static __always_inline uint64_t swp_offset(swp_entry_t e)
{
	return e.v & SWP_OFFSET_MASK;
}

/* --------------------------------------------------------- protections, hooks
 */

/*
 * protection_map: the entry bits for VM_READ, VM_WRITE, VM_EXEC, VM_SHARED.
 * The format cannot express write-only or execute-only: both also read.  A
 * private mapping gets no write permission here: the first write must fault
 * (copy-on-write).
 */
static inline pgprot_t protection_map(const struct quire *q, vm_flags_t flags)
{
	pteval_t v = _PAGE_BASE;

	if (!(flags & VM_ACCESS_FLAGS))
		return PAGE_NONE;
	if ((flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED))
		v |= _PAGE_RW;
	if (!(flags & VM_EXEC) && q->config.nx)
		v |= _PAGE_NX;
	return (pgprot_t){v};
}

/*
 * The protection for memory of enum quire_cache `cache`.  With the PAT as it is
 * after reset PCD and PWT give UC, PCD alone UC- (SDM vol. 3A, 11.12.4).
 */
static inline pgprot_t pgprot_cache(pgprot_t prot, unsigned cache)
{
	if (cache != QUIRE_CACHE_NORMAL)
		prot.v |= _PAGE_PCD;
	if (cache == QUIRE_CACHE_DEVICE)
		prot.v |= _PAGE_PWT;
	return prot;
}

/* F1's seam: protection keys.  This format has them; nobody uses them yet. */
static __always_inline bool
arch_vma_access_permitted(const struct vm_area_struct *vma, unsigned flags)
{
	(void)vma;
	(void)flags;
	return true;
}

static __always_inline bool is_zero_pfn(struct quire *q, uint64_t pfn)
{
	return pfn == page_to_pfn(q, q->zero_page);
}

/*
 * P8: nothing to do (SDM vol. 3A, 11.3, 11.6: caches are physically tagged and
 * instruction fetch snoops).
 */
#include <asm-generic/cacheflush.h>

/*
 * The entry allows what has just faulted: this CPU's TLB is older than the
 * entry.  Real processors drop the entry as they raise the fault (SDM vol. 3A,
 * 4.10.4.1); some virtual ones do not, and the case is rare enough to do it.
 */
static __always_inline void
flush_tlb_fix_spurious_fault(struct vm_area_struct *vma, uaddr_t addr)
{
	(void)vma;
	quire_host_flush_page(addr);
}

/* Whole pages, by their address in the direct map. */
static __always_inline void clear_page(void *page)
{
	__builtin_memset(page, 0, PAGE_SIZE);
}
static __always_inline void copy_page(void *to, const void *from)
{
	__builtin_memcpy(to, from, PAGE_SIZE);
}

#endif
