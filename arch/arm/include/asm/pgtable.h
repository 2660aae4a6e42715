/* SPDX-License-Identifier: MIT */
/*
 * pgtable.h - walking ARM's short-descriptor tables and changing their
 * entries.
 *
 *    address   31      22 21      12 11     0
 *                 pmd        pte       offset
 *
 *    top table: 4096 words, 16 KiB            a table page: 1024 words
 *    +-----------------------------+          +------------------------+
 *    | pmd n:  word 4n    (1 MiB) -|--------->| 256 entries, 1st MiB   |
 *    |         word 4n+1          -|--------->| 256 entries, 2nd MiB   |
 *    |         word 4n+2          -|--------->|         3rd            |
 *    |         word 4n+3          -|--------->|         4th            |
 *    +-----------------------------+          +------------------------+
 *
 * The hardware's second-level tables have 256 entries, a quarter of a page.
 * The field keeps two of them in a page, beside two software copies that hold
 * what the hardware's format has no bits for.  Here the access flag and type
 * remapping (pgtable_types.h) leave enough bits in the hardware's own entry:
 * a page holds four of its tables and no copies.  That halves the memory of
 * tables, and an entry is changed by one store and not two, which can never
 * be seen half done.  So a pmd entry is four words, always written together;
 * pgd, p4d and pud fold away (asm-generic/pgtable-nopud.h).
 *
 * The processor never writes into tables (young and dirty are tracked by
 * faults: P7), and Quire changes entries under their table's lock only.  So
 * plain stores do where other formats need read-modify-writes; they are atomic
 * ones because walkers, the processor's and ours, read without the lock.  A
 * store that makes a page or table reachable releases: what was written to it
 * comes first.
 *
 * Then the walk must see the store.  ARMv7 walks through the data cache, so a
 * barrier does (DDI 0406C B3.10.1); ARMv6 walks in memory, so the line must be
 * cleaned too (DDI 0100I B4.9).  That is quire_host_table_written(); each
 * function here that changes an entry calls it.  Where a flush must follow,
 * the barrier is left to it: quire_host_table_changed().
 */
#ifndef QUIRE_ARM_PGTABLE_H
#define QUIRE_ARM_PGTABLE_H

#include "mm.h"
#include <asm-generic/pgtable-levels.h>
#include <asm/pgtable_types.h>

#ifdef QUIRE_TSAN
#define ENTRY_LOAD                                                             \
	__ATOMIC_ACQUIRE /* see x86's: it cannot see dependencies              \
			  */
#else
#define ENTRY_LOAD __ATOMIC_RELAXED
#endif

static __always_inline uaddr_t task_size_max(const struct quire *q)
{
	(void)q;
	return TASK_SIZE;
}

/* ------------------------------------------------------------------- pmd */

__PGTABLE_INDEX(pmd, PMD_SHIFT, PTRS_PER_PMD)
__PGTABLE_INDEX(pte, PAGE_SHIFT, PTRS_PER_PTE)
__PGTABLE_ADDR_END(pmd, PMD_SIZE)
#include <asm-generic/pgtable-nopud.h>

static __always_inline pmd_t pmdp_get(const pmd_t *p)
{
	return (pmd_t){.v = __atomic_load_n(&p->v, ENTRY_LOAD)};
}
static __always_inline bool pmd_same(pmd_t a, pmd_t b)
{
	return a.v == b.v;
}
/*
 * All four words, from the last to the first: who finds the first (mm/ looks
 * at no other) has a table behind all of them.
 */
static __always_inline void set_pmd(pmd_t *p, pmd_t e)
{
	uint32_t step = e.v ? (uint32_t)(PAGE_SIZE / 4) : 0;
	unsigned i;

	/* each is one that a walk may begin with */
	for (i = 3; i; i--)
		__atomic_store_n(&p->more[i - 1], e.v + i * step,
				 __ATOMIC_RELEASE);
	__atomic_store_n(&p->v, e.v, __ATOMIC_RELEASE);
	quire_host_table_written(p, sizeof(*p));
}
static __always_inline bool pmd_none(pmd_t e)
{
	return e.v == 0;
}
static __always_inline bool pmd_present(pmd_t e)
{
	return (e.v & ARM_L1_TYPE) != 0;
}
static __always_inline bool pmd_large(pmd_t e)
{
	return (e.v & ARM_L1_TYPE) == ARM_L1_SECTION;
}
/* Not what a user's table entry looks like. */
static __always_inline bool pmd_bad(pmd_t e)
{
	return (e.v & ~PTE_PFN_MASK) != _PMD_TABLE;
}
static __always_inline uint64_t pmd_pfn(pmd_t e)
{
	return e.v >> PAGE_SHIFT;
}
static __always_inline struct page *pmd_page(struct quire *q, pmd_t e)
{
	return pfn_to_page(q, pmd_pfn(e));
}
/* Point the entry at a table page; all of it is to be seen by the walk. */
static __always_inline void pmd_populate(struct quire *q, pmd_t *p,
					 const struct page *table)
{
	uint64_t pfn = page_to_pfn(q, table);

	quire_host_table_written(phys_to_virt(q, (paddr_t)pfn << PAGE_SHIFT),
				 PAGE_SIZE);
	set_pmd(p, __pmd((uint32_t)(pfn << PAGE_SHIFT) | _PMD_TABLE));
}
static __always_inline void pmd_clear(pmd_t *p)
{
	set_pmd(p, __pmd(0));
}
/* The lowest level from an entry already read / from where it stands. */
static __always_inline pte_t *pte_offset(struct quire *q, pmd_t pmd,
					 uaddr_t addr)
{
	return (pte_t *)phys_to_virt(q, pmd.v & PTE_PFN_MASK) + pte_index(addr);
}
static __always_inline pte_t *pte_offset_map(struct quire *q, pmd_t *pmd,
					     uaddr_t addr)
{
	return pte_offset(q, pmdp_get(pmd), addr);
}

/*
 * Give a fresh top-level table the kernel half (P5), which begins where user
 * addresses end; TTBCR.N is 0, so the one table translates all addresses.
 * Sections are copied as they are; tables below are the kernel's own.
 */
static inline void pgd_copy_kernel(struct quire *q, void *top)
{
	const size_t from = (TASK_SIZE >> ARM_SECTION_SHIFT) * 4;
	const size_t bytes = PAGE_SIZE << PGD_ORDER;

	__builtin_memcpy((char *)top + from,
			 (char *)phys_to_virt(q, q->arch.kernel_root) + from,
			 bytes - from);
	quire_host_table_written(top, bytes);
}
/*
 * E13: the kernel half of `top` lacks what the reference table has for addr,
 * because the kernel has mapped it since: copy that word.  1: copied, 0: it
 * was the same already, -1: the reference table has nothing there either.
 * Any context; several CPUs may do it at once.
 */
static inline int arch_copy_kernel_entry(struct quire *q, pgd_t *top,
					 uaddr_t addr)
{
	size_t n = addr >> ARM_SECTION_SHIFT;
	uint32_t *to = (uint32_t *)(void *)top + n;
	const uint32_t *ref =
		(uint32_t *)phys_to_virt(q, q->arch.kernel_root) + n;
	uint32_t v = __atomic_load_n(ref, __ATOMIC_ACQUIRE);

	if (addr < TASK_SIZE || !(v & ARM_L1_TYPE))
		return -1;
	if (__atomic_load_n(to, __ATOMIC_RELAXED) == v)
		return 0;
	__atomic_store_n(to, v, __ATOMIC_RELEASE);
	quire_host_table_written(to, sizeof(*to));
	return 1;
}

/* ------------------------------------------------------- the lowest level */

static __always_inline pte_t ptep_get(const pte_t *p)
{
	return (pte_t){__atomic_load_n(&p->v, ENTRY_LOAD)};
}
static __always_inline bool pte_same(pte_t a, pte_t b)
{
	return a.v == b.v;
}
#include <asm-generic/pgtable_entry.h>

/* Inverts the frame bits when the entry (or its prot) is not present. */
static __always_inline uint32_t __frame_mask(uint32_t flags)
{
	return flags & _PAGE_PRESENT ? 0 : PTE_PFN_MASK;
}
static __always_inline uint64_t pte_pfn(pte_t e)
{
	return (e.v ^ __frame_mask(e.v)) >> PAGE_SHIFT;
}
static __always_inline struct page *pte_page(struct quire *q, pte_t e)
{
	return pfn_to_page(q, pte_pfn(e));
}
static __always_inline pte_t pfn_pte(uint64_t pfn, pgprot_t prot)
{
	uint32_t v = (uint32_t)(pfn << PAGE_SHIFT) | prot.v;

	return (pte_t){v ^ __frame_mask(prot.v)};
}
static __always_inline pte_t mk_pte(const struct quire *q,
				    const struct page *page, pgprot_t prot)
{
	return pfn_pte(page_to_pfn((struct quire *)(uintptr_t)q, page), prot);
}

__PTE_BIT(pte_young, pte_mkyoung, pte_mkold, _PAGE_ACCESSED)
__PTE_BIT(pte_special, pte_mkspecial, pte_clear_special, _PAGE_SPECIAL)
__PTE_BIT(pte_soft_dirty, pte_mksoft_dirty, pte_clear_soft_dirty,
	  _PAGE_SOFT_DIRTY)

/*
 * WRITE, DIRTY and the hardware's RO as the table in pgtable_types.h has them.
 * An entry under userfaultfd's protection stays so, and stays dirty, until
 * that is lifted.
 */
static __always_inline bool pte_uffd_wp(pte_t e)
{
	return (e.v & _PAGE_UFFD) == _PAGE_UFFD;
}
static __always_inline pte_t pte_mkuffd_wp(pte_t e)
{
	return (pte_t){e.v | _PAGE_UFFD};
}
static __always_inline pte_t pte_clear_uffd_wp(pte_t e)
{
	return pte_uffd_wp(e) ? (pte_t){e.v & ~_PAGE_WRITE} : e;
}
static __always_inline bool pte_write(pte_t e)
{
	return (e.v & _PAGE_WRITE) && !pte_uffd_wp(e);
}
static __always_inline bool pte_dirty(pte_t e)
{
	return (e.v & _PAGE_DIRTY) != 0;
}
static __always_inline pte_t pte_mkwrite(pte_t e)
{
	if (e.v & _PAGE_WRITE)
		return e;
	if (e.v & _PAGE_DIRTY)
		e.v &= ~_PAGE_RO;
	e.v |= _PAGE_WRITE;
	return e;
}
static __always_inline pte_t pte_wrprotect(pte_t e)
{
	if (pte_uffd_wp(e))
		return e;
	return (pte_t){(e.v & ~_PAGE_WRITE) | _PAGE_RO};
}
/* Written to now: also newer than the last clear_refs. */
static __always_inline pte_t pte_mkdirty(pte_t e)
{
	if (!(e.v & _PAGE_DIRTY) && (e.v & _PAGE_WRITE))
		e.v &= ~_PAGE_RO;
	return (pte_t){e.v | _PAGE_DIRTY | _PAGE_SOFT_DIRTY};
}
static __always_inline pte_t pte_mkclean(pte_t e)
{
	if (pte_uffd_wp(e))
		return e;
	return (pte_t){(e.v & ~_PAGE_DIRTY) | _PAGE_RO};
}
static __always_inline bool pte_exec(pte_t e)
{
	return (e.v & (_PAGE_PRESENT | _PAGE_XN)) == _PAGE_PRESENT;
}
/* The same page under another protection; turns to and from PROT_NONE. */
static __always_inline pte_t pte_modify(pte_t e, pgprot_t prot)
{
	uint32_t v = (e.v & _PAGE_CHG_MASK) | (prot.v & ~_PAGE_CHG_MASK);

	if (pte_uffd_wp(e))
		v |= _PAGE_UFFD;
	else if ((v & (_PAGE_WRITE | _PAGE_DIRTY)) ==
		 (_PAGE_WRITE | _PAGE_DIRTY))
		v &= ~_PAGE_RO;
	return (pte_t){v ^ __frame_mask(e.v) ^ __frame_mask(v)};
}

/* ------------------------------------------------------- changing entries */

/* arch/arm/cache.c: what must happen before an executable entry appears / any
 * entry at addr, where the D-cache has aliases. */
void arch_sync_exec(struct quire *q, pte_t pte);
void arch_flush_kernel_alias(struct quire *q, uaddr_t addr, pte_t pte);

/*
 * Does the D-cache have aliases?  From ARMv7 on it behaves as one that is
 * indexed physically (DDI 0406C A3.9.1, B2.2.6).
 */
static __always_inline bool arch_has_aliases(const struct quire *q)
{
#if defined(__ARM_ARCH) && __ARM_ARCH >= 7
	(void)q;
	return false;
#else
	return unlikely(q->arch.alias_pages);
#endif
}

/*
 * The D-cache has aliases, and the entry allowed writing: lines under the
 * user's address must leave the cache before the page can be another's.  The
 * flush of the TLB that follows does it.
 */
static __always_inline void __user_lines_left(struct mm_struct *mm, pte_t old)
{
	if (arch_has_aliases(mm->q) && !(old.v & _PAGE_RO))
		mm->context.lines_left = true;
}

/* The bare store: the entry makes something reachable. */
static __always_inline void set_pte(pte_t *p, pte_t e)
{
	__atomic_store_n(&p->v, e.v, __ATOMIC_RELEASE);
	quire_host_table_written(p, sizeof(*p));
}
/* The bare store of an entry that gives nothing new; a flush follows. */
static __always_inline void __pte_restrict(pte_t *p, pte_t e)
{
	__atomic_store_n(&p->v, e.v, __ATOMIC_RELAXED);
	quire_host_table_changed(p, sizeof(*p));
}
/*
 * P8: instruction fetch does not see what the kernel has written through the
 * data cache (DDI 0406C A3.5.4), so that is settled before a page can be
 * executed.  Here, and not in flush_icache_page(), because every way to an
 * executable entry comes through here: first touch, copy, mprotect, mremap.
 */
static __always_inline void set_pte_at(struct mm_struct *mm, uaddr_t addr,
				       pte_t *ptep, pte_t pte)
{
	if (arch_has_aliases(mm->q))
		arch_flush_kernel_alias(mm->q, addr, pte);
	if (unlikely(pte_exec(pte)))
		arch_sync_exec(mm->q, pte);
	set_pte(ptep, pte);
}
/* Clear an entry that is not present (one that is: ptep_get_and_clear). */
static __always_inline void pte_clear(struct mm_struct *mm, uaddr_t addr,
				      pte_t *ptep)
{
	(void)mm;
	(void)addr;
	__pte_restrict(ptep, (pte_t){0});
}
/* Take the entry out. */
static __always_inline pte_t ptep_get_and_clear(struct mm_struct *mm,
						uaddr_t addr, pte_t *ptep)
{
	pte_t e = ptep_get(ptep);

	__user_lines_left(mm, e);
	pte_clear(mm, addr, ptep);
	return e;
}
/*
 * Change protection.  The processor sets nothing in the entry meanwhile, so it
 * can stay in place until commit puts the new one over it.
 */
static __always_inline pte_t ptep_modify_prot_start(struct vm_area_struct *vma,
						    uaddr_t addr, pte_t *ptep)
{
	(void)vma;
	(void)addr;
	return ptep_get(ptep);
}
static __always_inline void ptep_modify_prot_commit(struct vm_area_struct *vma,
						    uaddr_t addr, pte_t *ptep,
						    pte_t pte)
{
	struct mm_struct *mm = vma->vm_mm;

	(void)addr;
	/* the page was at this address: the kernel's lines have gone already */
	if (pte.v & _PAGE_RO)
		__user_lines_left(mm, ptep_get(ptep));
	if (unlikely(pte_exec(pte)))
		arch_sync_exec(mm->q, pte);
	__pte_restrict(ptep, pte);
}
static __always_inline void ptep_set_wrprotect(struct mm_struct *mm,
					       uaddr_t addr, pte_t *ptep)
{
	pte_t e = ptep_get(ptep);

	(void)addr;
	__user_lines_left(mm, e);
	__pte_restrict(ptep, pte_wrprotect(e));
}
static __always_inline bool
ptep_test_and_clear_young(struct vm_area_struct *vma, uaddr_t addr, pte_t *ptep)
{
	pte_t e = ptep_get(ptep);

	(void)vma;
	(void)addr;
	if (!pte_young(e))
		return false;
	__pte_restrict(ptep, pte_mkold(e));
	return true;
}
/*
 * Give a present entry what `entry` has more than it: young, and for a write
 * dirty and the write permission.  Returns whether anything was missing.  An
 * entry that is old is in no TLB (DDI 0406C B3.7.2); one that was read-only
 * may be in this CPU's, which does not drop it for having faulted.  Other
 * CPUs' find out by a fault (flush_tlb_fix_spurious_fault).
 */
static __always_inline bool ptep_set_access_flags(struct vm_area_struct *vma,
						  uaddr_t addr, pte_t *ptep,
						  pte_t entry, bool dirty)
{
	const uint32_t more =
		_PAGE_ACCESSED | _PAGE_WRITE | _PAGE_DIRTY | _PAGE_SOFT_DIRTY;
	uint32_t old = ptep_get(ptep).v;
	uint32_t v = (old | (entry.v & more)) & (entry.v | ~_PAGE_RO);

	(void)vma;
	(void)dirty;
	if (v == old)
		return false;
	set_pte(ptep, (pte_t){v});
	if ((old ^ v) & _PAGE_RO)
		quire_host_flush_page(addr);
	return true;
}

/* ---------------------------------------------- entries that are not present
 */

/*
 *   31 .......... 11   10 .. 6   5   4     3    2   1 0
 *   offset, inverted    type     0  excl  uwp  sd   0 0
 *
 * Type 0 with the greatest offset would be all zero, so that offset is not
 * used.  21 bits of offset are 8 GiB of swap a device.  swp_entry_t is the
 * same kind of thing on all formats: type above, offset below.
 */
#define SWP_TYPE_BITS	     5
#define SWP_OFFSET_BITS	     21
#define SWP_OFFSET_MASK	     ((1ull << SWP_OFFSET_BITS) - 1)
#define SWP_MAX_OFFSET	     (SWP_OFFSET_MASK - 1)
#define __SWP_TYPE_SHIFT     6
#define __SWP_OFFSET_SHIFT   11
#define _PAGE_SWP_SOFT_DIRTY (1u << 2)
#define _PAGE_SWP_UFFD_WP    (1u << 3)
#define _PAGE_SWP_EXCLUSIVE  (1u << 4)

static __always_inline swp_entry_t swp_entry(unsigned type, uint64_t offset)
{
	return (swp_entry_t){(uint64_t)type << (64 - SWP_TYPE_BITS) |
			     (offset & SWP_OFFSET_MASK)};
}
static __always_inline unsigned swp_type(swp_entry_t e)
{
	return (unsigned)(e.v >> (64 - SWP_TYPE_BITS));
}
static __always_inline uint64_t swp_offset(swp_entry_t e)
{
	return e.v & SWP_OFFSET_MASK;
}
static __always_inline pte_t swp_entry_to_pte(swp_entry_t e)
{
	uint32_t inv = (uint32_t)(~e.v & SWP_OFFSET_MASK);

	return (pte_t){inv << __SWP_OFFSET_SHIFT | swp_type(e)
							   << __SWP_TYPE_SHIFT};
}
static __always_inline swp_entry_t pte_to_swp_entry(pte_t pte)
{
	return swp_entry(pte.v >> __SWP_TYPE_SHIFT &
				 ((1u << SWP_TYPE_BITS) - 1),
			 ~pte.v >> __SWP_OFFSET_SHIFT);
}
__PTE_BIT(pte_swp_soft_dirty, pte_swp_mksoft_dirty, pte_swp_clear_soft_dirty,
	  _PAGE_SWP_SOFT_DIRTY)
__PTE_BIT(pte_swp_uffd_wp, pte_swp_mkuffd_wp, pte_swp_clear_uffd_wp,
	  _PAGE_SWP_UFFD_WP)
__PTE_BIT(pte_swp_exclusive, pte_swp_mkexclusive, pte_swp_clear_exclusive,
	  _PAGE_SWP_EXCLUSIVE)

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
	uint32_t v = _PAGE_BASE;

	if (!(flags & VM_ACCESS_FLAGS))
		return PAGE_NONE;
	if ((flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED))
		v |= _PAGE_WRITE;
	if (!(flags & VM_EXEC) && q->config.nx)
		v |= _PAGE_XN;
	return __pgprot(v);
}

/* The protection for memory of enum quire_cache `cache`. */
static inline pgprot_t pgprot_cache(pgprot_t prot, unsigned cache)
{
	if (cache == QUIRE_CACHE_NORMAL)
		return prot;
	prot.v &= ~_PAGE_MT_MASK;
	prot.v |= cache == QUIRE_CACHE_DEVICE ? _PAGE_MT_DEVICE
					      : _PAGE_MT_NOCACHE;
	return prot;
}

/* F1's seam: this format has no protection keys. */
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

/* P8.  After an entry has appeared: the walk fills the TLB by itself. */
static __always_inline void update_mmu_cache(struct vm_area_struct *vma,
					     uaddr_t addr, pte_t *ptep)
{
	(void)vma;
	(void)addr;
	(void)ptep;
}
/* P8.  Done by set_pte_at, for every way to an executable entry. */
static __always_inline void flush_icache_page(struct vm_area_struct *vma,
					      struct page *page)
{
	(void)vma;
	(void)page;
}
/*
 * P8: see asm-generic/cacheflush.h.  For a page that nobody has ever mapped to
 * execute there is nothing to do: what the caches need is left until somebody
 * does.  The barrier: arch/arm/cache.c.
 */
void arch_page_written(struct quire *q, struct page *page);
void arch_flush_user_lines(struct quire *q, struct page *page);
static __always_inline void flush_dcache_page(struct quire *q,
					      struct page *page)
{
	smp_mb();
	if (unlikely(PageFlag(page, PG_dcache_exec)) || arch_has_aliases(q))
		arch_page_written(q, page);
}
static __always_inline void flush_user_dcache_page(struct quire *q,
						   struct page *page)
{
	if (arch_has_aliases(q))
		arch_flush_user_lines(q, page);
}
/* P8: memory without struct page, a whole page at this kernel address, was
 * written or is about to be mapped: instruction fetch is to see it. */
static inline void arch_frame_written(void *kaddr)
{
	quire_host_sync_icache(kaddr, PAGE_SIZE);
}
static __always_inline uaddr_t arch_shared_colour(const struct quire *q)
{
	return (uaddr_t)q->arch.alias_pages << PAGE_SHIFT;
}
/*
 * The entry allows what has just faulted: this CPU's TLB is older than the
 * entry, and an ARM does not drop it because it faulted.
 */
static __always_inline void
flush_tlb_fix_spurious_fault(struct vm_area_struct *vma, uaddr_t addr)
{
	(void)vma;
	quire_host_flush_page(addr);
}

/* Whole pages, by their address in the direct map; page.S on an ARM. */
#ifdef __arm__
void arch_clear_page(void *page);
void arch_copy_page(void *to, const void *from);
#define clear_page(page)    arch_clear_page(page)
#define copy_page(to, from) arch_copy_page(to, from)
#else
static __always_inline void clear_page(void *page)
{
	__builtin_memset(page, 0, PAGE_SIZE);
}
static __always_inline void copy_page(void *to, const void *from)
{
	__builtin_memcpy(to, from, PAGE_SIZE);
}
#endif

#endif
