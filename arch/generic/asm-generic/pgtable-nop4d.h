/* SPDX-License-Identifier: MIT */
/*
 * pgtable-nop4d.h - a format of three levels: pgd and p4d fold away (P1).
 *
 *   mm->pgd -> [ pud | pud | ... ]       pgd_offset()  one pseudo entry that
 *                |                       p4d_offset()  stands for the table
 *                '-> [ pmd | ... ]       pud_offset()  indexes it
 *
 * A folded level has one entry, which is never empty and is never stored: the
 * pointer to it is the pointer to the table itself.  Loops over it run once,
 * and all of it is gone when compiled.  The types stay apart, so that a walk
 * that mixes levels up does not compile.
 *
 * What the format supplies besides, in its pgtable.h:
 *
 *   PGD_ORDER, PGD_MAX_PFN, PGD_STATIC_PUDS    see pgtable_entry.h
 *   pgd_copy_kernel(q, top)    give a fresh, zeroed table its kernel half
 *   walk_to_pmd(mm, addr)      down to addr's pmd entry, or NULL
 */
#ifndef QUIRE_GENERIC_PGTABLE_NOP4D_H
#define QUIRE_GENERIC_PGTABLE_NOP4D_H

#include "mm.h"

/* One folded level and its way down to the child. */
#define __PGTABLE_FOLD(level)                                                  \
	static __always_inline level##_t level##p_get(const level##_t *p)      \
	{                                                                      \
		(void)p;                                                       \
		return (level##_t){0};                                         \
	}                                                                      \
	static __always_inline uaddr_t level##_addr_end(uaddr_t addr,          \
							uaddr_t end)           \
	{                                                                      \
		(void)addr;                                                    \
		return end;                                                    \
	}                                                                      \
	static __always_inline bool level##_folded(const struct quire *q)      \
	{                                                                      \
		(void)q;                                                       \
		return true;                                                   \
	}                                                                      \
	/* never asked of a folded level */                                    \
	static inline struct page *level##_page(struct quire *q, level##_t e)  \
	{                                                                      \
		(void)q;                                                       \
		(void)e;                                                       \
		return NULL;                                                   \
	}                                                                      \
	static inline void level##_clear(level##_t *p)                         \
	{                                                                      \
		(void)p;                                                       \
	}                                                                      \
	static inline void level##_populate(struct quire *q, level##_t *p,     \
					    const struct page *table)          \
	{                                                                      \
		(void)q;                                                       \
		(void)p;                                                       \
		(void)table;                                                   \
	}
#define __PGTABLE_FOLD_OFFSET(child, level)                                    \
	static __always_inline child##_t *child##_offset(                      \
		struct quire *q, level##_t *entry, uaddr_t addr)               \
	{                                                                      \
		(void)q;                                                       \
		(void)addr;                                                    \
		return (child##_t *)(void *)entry;                             \
	}

__PGTABLE_FOLD(pgd)
__PGTABLE_FOLD(p4d)
__PGTABLE_FOLD_OFFSET(p4d, pgd)
static __always_inline bool pgd_none(const struct quire *q, pgd_t e)
{
	(void)q;
	(void)e;
	return false;
}
static __always_inline bool p4d_none(p4d_t e)
{
	(void)e;
	return false;
}
static __always_inline pgd_t *pgd_offset(struct mm_struct *mm, uaddr_t addr)
{
	(void)addr;
	return mm->pgd;
}

#ifndef QUIRE_GENERIC_PGTABLE_NOPUD_H /* two levels: pud folds as well */
static __always_inline bool pud_folded(const struct quire *q)
{
	(void)q;
	return false;
}
static __always_inline pud_t *pud_offset(struct quire *q, p4d_t *p4d,
					 uaddr_t addr)
{
	(void)q;
	return (pud_t *)(void *)p4d + pud_index(addr);
}
#endif

#endif
