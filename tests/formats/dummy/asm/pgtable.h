/* SPDX-License-Identifier: MIT */
/*
 * pgtable.h - tables of a machine that does not exist (pgtable_types.h): all
 * that mm/ asks of a format, and nothing that it does not ask for.  So it is
 * also the list of what a new format has to bring.
 *
 * Never run, only compiled: entries of several words are read and written with
 * no care for who else does.
 */
#ifndef QUIRE_DUMMY_PGTABLE_H
#define QUIRE_DUMMY_PGTABLE_H

#include "mm.h"
#include <asm-generic/pgtable-levels.h>
#include <asm/pgtable_types.h>

__PGTABLE_INDEX(pud, PUD_SHIFT, PTRS_PER_PUD)
__PGTABLE_INDEX(pmd, PMD_SHIFT, PTRS_PER_PMD)
__PGTABLE_INDEX(pte, PAGE_SHIFT, PTRS_PER_PTE)
__PGTABLE_ADDR_END(pud, PUD_SIZE)
__PGTABLE_ADDR_END(pmd, PMD_SIZE)
#include <asm-generic/pgtable-nop4d.h>

static inline uaddr_t task_size_max(const struct quire *q)
{
	(void)q;
	return TASK_SIZE;
}
static inline void pgd_copy_kernel(struct quire *q, void *top)
{
	(void)q;
	(void)top;
}

/* ------------------------------------------------------------ upper levels */

static inline pud_t pudp_get(const pud_t *p)
{
	return *p;
}
static inline bool pud_none(pud_t e)
{
	return e.how == 0;
}
static inline struct page *pud_page(struct quire *q, pud_t e)
{
	return pfn_to_page(q, ~e.where);
}
static inline void pud_populate(struct quire *q, pud_t *p,
				const struct page *table)
{
	*p = (pud_t){HOW_VALID, ~page_to_pfn(q, table)};
}
static inline void pud_clear(pud_t *p)
{
	*p = (pud_t){0};
}

static inline pmd_t pmdp_get(const pmd_t *p)
{
	return *p;
}
static inline bool pmd_none(pmd_t e)
{
	return !e.valid;
}
static inline struct page *pmd_page(struct quire *q, pmd_t e)
{
	return pfn_to_page(q, e.where[2]);
}
static inline void pmd_populate(struct quire *q, pmd_t *p,
				const struct page *table)
{
	uint64_t pfn = page_to_pfn(q, table);

	*p = (pmd_t){{pfn + 2, pfn + 1, pfn}, 1};
}
static inline void pmd_clear(pmd_t *p)
{
	*p = (pmd_t){0};
}
static inline pmd_t *pmd_offset(struct quire *q, pud_t *pud, uaddr_t addr)
{
	return (pmd_t *)page_address(q, pud_page(q, *pud)) + pmd_index(addr);
}
static inline pmd_t *walk_to_pmd(struct mm_struct *mm, uaddr_t addr)
{
	pud_t *pud = (pud_t *)(void *)mm->pgd + pud_index(addr);

	return pud_none(*pud) ? NULL : pmd_offset(mm->q, pud, addr);
}
static inline pte_t *pte_offset(struct quire *q, pmd_t pmd, uaddr_t addr)
{
	return (pte_t *)page_address(q, pmd_page(q, pmd)) + pte_index(addr);
}
static inline pte_t *pte_offset_map(struct quire *q, pmd_t *pmd, uaddr_t addr)
{
	return pte_offset(q, *pmd, addr);
}

/* ------------------------------------------------------- the lowest level */

static inline pte_t ptep_get(const pte_t *p)
{
	return *p;
}
static inline bool pte_none(pte_t e)
{
	return !(e.how & (HOW_VALID | HOW_FORBIDDEN | HOW_SWAPPED));
}
static inline bool pte_present(pte_t e)
{
	return e.how & (HOW_VALID | HOW_FORBIDDEN);
}
static inline bool pte_protnone(pte_t e)
{
	return e.how & HOW_FORBIDDEN;
}
static inline bool is_swap_pte(pte_t e)
{
	return e.how & HOW_SWAPPED;
}
static inline bool pte_same(pte_t a, pte_t b)
{
	return a.where == b.where && a.how == b.how && a.ours == b.ours;
}
static inline uint64_t pte_pfn(pte_t e)
{
	return e.where << 7 | e.where >> 57;
}
static inline struct page *pte_page(struct quire *q, pte_t e)
{
	return pfn_to_page(q, pte_pfn(e));
}
static inline pte_t pfn_pte(uint64_t pfn, pgprot_t prot)
{
	return (pte_t){pfn >> 7 | pfn << 57, prot.how, 0};
}
static inline pte_t mk_pte(const struct quire *q, const struct page *page,
			   pgprot_t prot)
{
	return pfn_pte(page_to_pfn((struct quire *)(uintptr_t)q, page), prot);
}

/* test(e), set(e), clear(e), by a bit of one of the words */
#define __BIT(test, set, clear, word, bit)                                     \
	static inline bool test(pte_t e)                                       \
	{                                                                      \
		return (e.word & (bit)) != 0;                                  \
	}                                                                      \
	static inline pte_t set(pte_t e)                                       \
	{                                                                      \
		e.word |= (bit);                                               \
		return e;                                                      \
	}                                                                      \
	static inline pte_t clear(pte_t e)                                     \
	{                                                                      \
		e.word &= ~(bit);                                              \
		return e;                                                      \
	}
__BIT(__pte_readonly, pte_wrprotect, pte_mkwrite, how, HOW_READ_ONLY)
__BIT(pte_young, pte_mkyoung, pte_mkold, how, HOW_YOUNG)
__BIT(pte_dirty, pte_mkdirty, pte_mkclean, how, HOW_DIRTY)
__BIT(pte_special, pte_mkspecial, pte_clear_special, ours, OURS_SPECIAL)
__BIT(pte_soft_dirty, pte_mksoft_dirty, pte_clear_soft_dirty, ours, OURS_SOFT)
__BIT(pte_uffd_wp, pte_mkuffd_wp, pte_clear_uffd_wp, ours, OURS_UFFD)
__BIT(pte_swp_soft_dirty, pte_swp_mksoft_dirty, pte_swp_clear_soft_dirty, ours,
      OURS_SOFT)
__BIT(pte_swp_uffd_wp, pte_swp_mkuffd_wp, pte_swp_clear_uffd_wp, ours,
      OURS_UFFD)
__BIT(pte_swp_exclusive, pte_swp_mkexclusive, pte_swp_clear_exclusive, ours,
      OURS_ALONE)
#undef __BIT
static inline bool pte_write(pte_t e)
{
	return !__pte_readonly(e);
}
static inline bool pte_exec(pte_t e)
{
	return e.how & HOW_EXEC;
}
static inline pte_t pte_modify(pte_t e, pgprot_t prot)
{
	e.how = (e.how & ~HOW_CHANGES) | (prot.how & HOW_CHANGES);
	return e;
}

static inline void set_pte(pte_t *p, pte_t e)
{
	*p = e;
}
static inline void set_pte_at(struct mm_struct *mm, uaddr_t addr, pte_t *p,
			      pte_t e)
{
	(void)mm;
	(void)addr;
	*p = e;
}
static inline void pte_clear(struct mm_struct *mm, uaddr_t addr, pte_t *p)
{
	set_pte_at(mm, addr, p, (pte_t){0});
}
static inline pte_t ptep_get_and_clear(struct mm_struct *mm, uaddr_t addr,
				       pte_t *p)
{
	pte_t e = *p;

	pte_clear(mm, addr, p);
	return e;
}
static inline pte_t ptep_modify_prot_start(struct vm_area_struct *vma,
					   uaddr_t addr, pte_t *p)
{
	return ptep_get_and_clear(vma->vm_mm, addr, p);
}
static inline void ptep_modify_prot_commit(struct vm_area_struct *vma,
					   uaddr_t addr, pte_t *p, pte_t e)
{
	set_pte_at(vma->vm_mm, addr, p, e);
}
static inline void ptep_set_wrprotect(struct mm_struct *mm, uaddr_t addr,
				      pte_t *p)
{
	set_pte_at(mm, addr, p, pte_wrprotect(*p));
}
static inline bool ptep_test_and_clear_young(struct vm_area_struct *vma,
					     uaddr_t addr, pte_t *p)
{
	pte_t e = *p;

	set_pte_at(vma->vm_mm, addr, p, pte_mkold(e));
	return pte_young(e);
}
static inline bool ptep_set_access_flags(struct vm_area_struct *vma,
					 uaddr_t addr, pte_t *p, pte_t e,
					 bool dirty)
{
	bool change = !pte_same(*p, e);

	(void)dirty;
	set_pte_at(vma->vm_mm, addr, p, e);
	return change;
}

/* ---------------------------------------------- entries that are not present
 */

static inline swp_entry_t swp_entry(unsigned type, uint64_t offset)
{
	return (swp_entry_t){offset << SWP_TYPE_BITS | type};
}
static inline unsigned swp_type(swp_entry_t e)
{
	return e.v & ((1u << SWP_TYPE_BITS) - 1);
}
static inline uint64_t swp_offset(swp_entry_t e)
{
	return e.v >> SWP_TYPE_BITS;
}
static inline pte_t swp_entry_to_pte(swp_entry_t e)
{
	return (pte_t){~e.v, HOW_SWAPPED, 0};
}
static inline swp_entry_t pte_to_swp_entry(pte_t e)
{
	return (swp_entry_t){~e.where};
}

/* --------------------------------------------------------- protections, hooks
 */

static inline pgprot_t protection_map(const struct quire *q, vm_flags_t flags)
{
	(void)q;
	if (!(flags & VM_ACCESS_FLAGS))
		return (pgprot_t){HOW_FORBIDDEN | HOW_READ_ONLY};
	return (pgprot_t){HOW_VALID | (flags & VM_EXEC ? HOW_EXEC : 0) |
			  ((flags & VM_SHARED) && (flags & VM_WRITE)
				   ? 0
				   : HOW_READ_ONLY)};
}
static inline pgprot_t pgprot_cache(pgprot_t prot, unsigned cache)
{
	(void)cache; /* all of its memory is alike */
	return prot;
}
static inline bool arch_vma_access_permitted(const struct vm_area_struct *vma,
					     unsigned flags)
{
	(void)vma;
	(void)flags;
	return true;
}
static inline bool is_zero_pfn(struct quire *q, uint64_t pfn)
{
	return pfn == page_to_pfn(q, q->zero_page);
}

/* Elsewhere: a call from mm/ to one of these must compile, no more. */
void update_mmu_cache(struct vm_area_struct *vma, uaddr_t addr, pte_t *ptep);
void flush_icache_page(struct vm_area_struct *vma, struct page *page);
void flush_dcache_page(struct quire *q, struct page *page);
void flush_user_dcache_page(struct quire *q, struct page *page);
void arch_frame_written(void *kaddr);
uaddr_t arch_shared_colour(const struct quire *q);
void flush_tlb_fix_spurious_fault(struct vm_area_struct *vma, uaddr_t addr);
void clear_page(void *page);
void copy_page(void *to, const void *from);

#endif
