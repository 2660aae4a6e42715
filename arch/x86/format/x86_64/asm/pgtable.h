/* SPDX-License-Identifier: MIT */
/*
 * pgtable.h - walking x86-64 tables and changing their entries.
 *
 *   levels 5   pgd[56..48] -> p4d[47..39] -> pud[38..30] -> pmd[29..21] -> pte
 *   levels 4                  p4d[47..39] -> pud ...
 *
 * The number of levels is the system's (q->levels).  With four, the pgd folds
 * away: pgd_offset() gives one pseudo entry that is never empty and stands for
 * the whole top table, and p4d_offset() indexes that table itself.  PGDIR_SIZE
 * then is the whole address space, so loops over pgd entries run once.
 *
 * Entries themselves are asm/pgtable_entry.h's; swap entries' layout is
 * asm/pgtable_swp64.h's.
 */
#ifndef QUIRE_X86_64_PGTABLE_H
#define QUIRE_X86_64_PGTABLE_H

#include <asm/pgtable_entry.h>
#include <asm/pgtable_swp64.h>

__ENTRY_OPS(pgd)
__ENTRY_OPS(p4d)
__ENTRY_OPS(pud)

__PGTABLE_INDEX(pgd, PGDIR_SHIFT, PTRS_PER_PGD)
__PGTABLE_INDEX(p4d, P4D_SHIFT, PTRS_PER_P4D)
__PGTABLE_INDEX(pud, PUD_SHIFT, PTRS_PER_PUD)
__PGTABLE_ADDR_END(pgd, PGDIR_SIZE)
__PGTABLE_ADDR_END(p4d, P4D_SIZE)
__PGTABLE_ADDR_END(pud, PUD_SIZE)

static __always_inline bool pgtable_l5_enabled(const struct quire *q)
{
	return q->levels == 5;
}
/* End of user addresses, by the number of levels. */
static __always_inline uaddr_t task_size_max(const struct quire *q)
{
	return pgtable_l5_enabled(q) ? TASK_SIZE_5LEVEL : TASK_SIZE_4LEVEL;
}

/* Entry of addr in a top-level table / in an address space's. */
static __always_inline pgd_t *pgd_offset_pgd(const struct quire *q, pgd_t *pgd,
					     uaddr_t addr)
{
	return unlikely(pgtable_l5_enabled(q)) ? pgd + pgd_index(addr) : pgd;
}
static __always_inline pgd_t *pgd_offset(struct mm_struct *mm, uaddr_t addr)
{
	return pgd_offset_pgd(mm->q, mm->pgd, addr);
}
static __always_inline p4d_t *p4d_offset(struct quire *q, pgd_t *pgd,
					 uaddr_t addr)
{
	p4d_t *table = (p4d_t *)(void *)pgd;

	if (unlikely(pgtable_l5_enabled(q)))
		table = __entry_table(q, pgdp_get(pgd).v);
	return table + p4d_index(addr);
}
/* The same from an entry already read. */
static __always_inline pud_t *pud_offset_p4d(struct quire *q, p4d_t p4d,
					     uaddr_t addr)
{
	return (pud_t *)__entry_table(q, p4d.v) + pud_index(addr);
}
static __always_inline pmd_t *pmd_offset_pud(struct quire *q, pud_t pud,
					     uaddr_t addr)
{
	return (pmd_t *)__entry_table(q, pud.v) + pmd_index(addr);
}
static __always_inline pud_t *pud_offset(struct quire *q, p4d_t *p4d,
					 uaddr_t addr)
{
	return (pud_t *)__entry_table(q, p4dp_get(p4d).v) + pud_index(addr);
}
static __always_inline pmd_t *pmd_offset(struct quire *q, pud_t *pud,
					 uaddr_t addr)
{
	return (pmd_t *)__entry_table(q, pudp_get(pud).v) + pmd_index(addr);
}
/* Is the pgd a pseudo entry, with no table of its own below? */
static __always_inline bool pgd_folded(const struct quire *q)
{
	return !pgtable_l5_enabled(q);
}
/* The p4d entry of an address: 0 where there is no table for it. */
static __always_inline p4d_t p4dp_get_walk(struct quire *q, pgd_t *top,
					   uaddr_t addr)
{
	p4d_t *table = (p4d_t *)(void *)top;
	pgd_t e;

	if (unlikely(pgtable_l5_enabled(q))) {
		e = pgdp_get(top + pgd_index(addr));
		if (e.v == 0)
			return (p4d_t){0};
		table = __entry_table(q, e.v);
	}
	return p4dp_get(table + p4d_index(addr));
}
static __always_inline bool pgd_none(const struct quire *q, pgd_t pgd)
{
	return unlikely(pgtable_l5_enabled(q)) && pgd.v == 0;
}
/* The levels below never fold here. */
static __always_inline bool p4d_folded(const struct quire *q)
{
	(void)q;
	return false;
}
static __always_inline bool pud_folded(const struct quire *q)
{
	(void)q;
	return false;
}

__LEVEL_TESTS(pgd, _PAGE_TABLE)
__LEVEL_TESTS(p4d, _PAGE_TABLE)
__LEVEL_TESTS(pud, _PAGE_TABLE)
__LEVEL_NONE(p4d)
__LEVEL_NONE(pud)

/* The way down where nothing is absent; NULL: something is. */
static __always_inline pmd_t *walk_to_pmd(struct mm_struct *mm, uaddr_t addr)
{
	struct quire *q = mm->q;
	p4d_t p4d;
	pud_t pud;

	p4d = p4dp_get_walk(q, mm->pgd, addr);
	if (unlikely(p4d_none(p4d)))
		return NULL;
	pud = pudp_get(pud_offset_p4d(q, p4d, addr));
	if (unlikely(pud_none(pud)))
		return NULL;
	return pmd_offset_pud(q, pud, addr);
}

/*
 * Give a fresh top-level table the kernel half: its entries are shared, the
 * tables below them are the kernel's own (P5).
 */
static inline void pgd_copy_kernel(struct quire *q, void *top)
{
	const size_t half = PAGE_SIZE / 2;

	__builtin_memcpy((char *)top + half,
			 (char *)phys_to_virt(q, q->arch.kernel_root) + half,
			 half);
}

/*
 * Is it the upper half?  (The page between the end of user space and the end of
 * the lower half belongs to nobody: do_user_addr_fault finds no VMA there.
 * Other addresses in the middle are not canonical and give #GP, not #PF.)
 */
static __always_inline bool fault_in_kernel_space(uaddr_t address)
{
	return (int64_t)address < 0;
}
/* E3: the kernel half's top-level entries are all there from the start. */
static __always_inline bool sync_kernel_entry(struct quire *q, void *top,
					      uaddr_t address)
{
	(void)q;
	(void)top;
	(void)address;
	return false;
}

/* The number of levels for a system: as configured, 0 if that cannot be. */
static inline unsigned pgtable_levels(unsigned wanted)
{
	if (!wanted)
		return 4;
	return wanted == 4 || wanted == 5 ? wanted : 0;
}
/* What arch/x86/walk.c has to know: shift of the top level. */
static inline unsigned walk_top_shift(const struct quire *q)
{
	return pgtable_l5_enabled(q) ? PGDIR_SHIFT : P4D_SHIFT;
}

#endif
