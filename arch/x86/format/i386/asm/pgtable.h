/* SPDX-License-Identifier: MIT */
/*
 * pgtable.h - walking i386's two-level tables.
 *
 *   mm->pgd -> [ pmd 0 ... 767 | 768 ... 1023 ]     one page, 4 MiB an entry
 *                  |  user         kernel: copied from the reference table
 *                  '-> [ pte 0 ... 1023 ]           one page, 4 KiB an entry
 *
 * The kernel's entries are copied when an address space is made.  One that
 * comes later is copied when it is first missed (sync_kernel_entry, E3); none
 * is ever taken away, so copies do not go stale.
 *
 * Locks: those of mm/; sync_kernel_entry needs none (every CPU would store the
 * same).
 */
#ifndef QUIRE_I386_PGTABLE_H
#define QUIRE_I386_PGTABLE_H

#include <asm/pgtable_entry.h>
#include <asm-generic/pgtable-nopud.h>

static __always_inline uaddr_t task_size_max(const struct quire *q)
{
	(void)q;
	return TASK_SIZE;
}
static __always_inline bool fault_in_kernel_space(uaddr_t address)
{
	return address >= TASK_SIZE;
}

/*
 * Give a fresh top-level table the kernel half: its entries are shared, the
 * tables below them are the kernel's own (P5).
 */
static inline void pgd_copy_kernel(struct quire *q, void *top)
{
	const pmd_t *from = phys_to_virt(q, q->arch.kernel_root);
	unsigned i;

	for (i = pmd_index(TASK_SIZE); i < PTRS_PER_PMD; i++)
		set_pmd((pmd_t *)top + i, pmdp_get(from + i));
}

/*
 * E3: the reference table has a page at address, which an access through the
 * loaded table `top` did not find: copy the entry that leads to it.  Returns
 * whether the access will find it now.  The new entry needs no flush: what was
 * not present was not cached (SDM vol. 3A, 4.10.2.3).
 */
static inline bool sync_kernel_entry(struct quire *q, void *top,
				     uaddr_t address)
{
	const pmd_t *ref = phys_to_virt(q, q->arch.kernel_root);
	pmd_t *to = (pmd_t *)top + pmd_index(address);
	pmd_t e = pmdp_get(ref + pmd_index(address));
	pmd_t now = pmdp_get(to);

	if (!pmd_present(now))
		set_pmd(to, e);
	/* another CPU that runs this address space may have been faster */
	return !pmd_present(now) || pmd_pfn(now) == pmd_pfn(e);
}

/*
 * A swap entry:
 *
 *   31 ........... 12  11 10    9    8   7 .. 4   3    2    1    0
 *     offset 19 .. 0   21 20  type 4 0  type 3..0 excl uwp  sd   0
 *
 * with the offset inverted, as frames are.  Type 0 with the greatest offset
 * would be all zero, so that offset is not used.
 */
static __always_inline pte_t swp_entry_to_pte(swp_entry_t e)
{
	pteval_t inv = (pteval_t)(~e.v & SWP_OFFSET_MASK);
	pteval_t type = (pteval_t)swp_type(e);

	return (pte_t){inv << PAGE_SHIFT | inv >> 20 << 10 |
		       (type >> 4 & 1u) << 9 | (type & 15u) << 4};
}
static __always_inline swp_entry_t pte_to_swp_entry(pte_t pte)
{
	pteval_t inv = pte.v >> PAGE_SHIFT | (pte.v >> 10 & 3u) << 20;

	return swp_entry((pte.v >> 9 & 1u) << 4 | (pte.v >> 4 & 15u),
			 ~inv & SWP_OFFSET_MASK);
}

/* The number of levels for a system: as configured, 0 if that cannot be. */
static inline unsigned pgtable_levels(unsigned wanted)
{
	return wanted == 0 || wanted == 2 ? 2 : 0;
}
/* What arch/x86/walk.c has to know: shift of the top level. */
static inline unsigned walk_top_shift(const struct quire *q)
{
	(void)q;
	return PMD_SHIFT;
}

#endif
