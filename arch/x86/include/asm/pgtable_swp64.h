/* SPDX-License-Identifier: MIT */
/*
 * pgtable_swp64.h - swap entries in the lowest-level entries of 64 bits
 * (x86-64, i386 PAE).
 */
#ifndef QUIRE_X86_PGTABLE_SWP64_H
#define QUIRE_X86_PGTABLE_SWP64_H

/*
 *   63 .. 58   57 .......... 12   11 .. 9   8   7 .. 4   3    2    1    0
 *     type       offset, inverted     0     0      0    excl  uwp  sd   0
 *
 * Type 0 with the greatest offset would be all zero, so that offset is not
 * used.
 */
static __always_inline pte_t swp_entry_to_pte(swp_entry_t e)
{
	uint64_t inv = ~e.v & SWP_OFFSET_MASK;

	return (pte_t){(e.v & ~SWP_OFFSET_MASK) | inv << PAGE_SHIFT};
}
static __always_inline swp_entry_t pte_to_swp_entry(pte_t pte)
{
	return swp_entry((unsigned)(pte.v >> (SWP_TYPE_SHIFT)),
			 ~pte.v >> PAGE_SHIFT);
}

#endif
