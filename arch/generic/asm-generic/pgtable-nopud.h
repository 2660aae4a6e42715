/* SPDX-License-Identifier: MIT */
/*
 * pgtable-nopud.h - a format of two levels: pgd, p4d and pud fold away, and
 * pmd_offset() indexes the top-level table.  pgtable-nop4d.h has the story.
 */
#ifndef QUIRE_GENERIC_PGTABLE_NOPUD_H
#define QUIRE_GENERIC_PGTABLE_NOPUD_H

#include <asm-generic/pgtable-nop4d.h>

__PGTABLE_FOLD(pud)
__PGTABLE_FOLD_OFFSET(pud, p4d)
static __always_inline bool pud_none(pud_t e)
{
	(void)e;
	return false;
}
static __always_inline pmd_t *pmd_offset(struct quire *q, pud_t *pud,
					 uaddr_t addr)
{
	(void)q;
	return (pmd_t *)(void *)pud + pmd_index(addr);
}
/* The way down where nothing is absent: here nothing can be. */
static __always_inline pmd_t *walk_to_pmd(struct mm_struct *mm, uaddr_t addr)
{
	return (pmd_t *)(void *)mm->pgd + pmd_index(addr);
}

#endif
