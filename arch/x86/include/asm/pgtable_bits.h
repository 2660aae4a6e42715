/* SPDX-License-Identifier: MIT */
/*
 * pgtable_bits.h - the bits of an entry, which all of x86's formats have at
 * the same places, and the types of the lowest level.
 *
 *   63  62..59  58..52  51 .. 12   11  10   9   8  7   6  5  4  3  2  1  0
 *   XD  key     ignored    frame   sd  uwp  sp  G PS/  D  A PCD PWT US RW P
 *                                                 PAT
 *
 * (Intel SDM vol. 3A, 4.3 to 4.5.)  The format has defined pteval_t, an
 * entry's number: 64 bits, or 32 in two-level tables, which have no upper half
 * and so neither XD nor keys.  Bits 9, 10 and 11 are ignored by the processor
 * and are ours: special, userfaultfd write protection, soft-dirty.
 *
 * An entry with P clear is ignored whole by the processor.  Three kinds of it
 * are told apart:
 *
 *   0                                    nothing is there
 *   bit 8 (G) set: PROT_NONE             a page is there, but no access is
 *                                        allowed; the frame is stored inverted
 *   bit 8 clear, not 0                   a swap entry (pgtable.h)
 *
 * Frames of entries that are not present are inverted so that a processor that
 * reads ahead through such an entry (L1 terminal fault) finds no memory there.
 */
#ifndef QUIRE_X86_PGTABLE_BITS_H
#define QUIRE_X86_PGTABLE_BITS_H

typedef struct {
	pteval_t v;
} pte_t;
typedef struct {
	pteval_t v;
} pgprot_t;
/* What an entry that is not present names: a swap device's slot and kin. */
typedef struct {
	uint64_t v;
} swp_entry_t;

#define __pte(x)      ((pte_t){(x)})
#define __pgprot(x)   ((pgprot_t){(x)})
#define pte_val(x)    ((x).v)
#define pgprot_val(x) ((x).v)

#define __PAGE_BIT(n)	 ((pteval_t)1 << (n))
#define _PAGE_PRESENT	 __PAGE_BIT(0)
#define _PAGE_RW	 __PAGE_BIT(1)
#define _PAGE_USER	 __PAGE_BIT(2)
#define _PAGE_PWT	 __PAGE_BIT(3)
#define _PAGE_PCD	 __PAGE_BIT(4)
#define _PAGE_ACCESSED	 __PAGE_BIT(5)
#define _PAGE_DIRTY	 __PAGE_BIT(6)
#define _PAGE_PSE	 __PAGE_BIT(7) /* upper levels: maps a large page */
#define _PAGE_PAT	 __PAGE_BIT(7) /* lowest level */
#define _PAGE_GLOBAL	 __PAGE_BIT(8)
#define _PAGE_PROTNONE	 __PAGE_BIT(8) /* only while P is clear */
#define _PAGE_SPECIAL	 __PAGE_BIT(9)
#define _PAGE_UFFD_WP	 __PAGE_BIT(10)
#define _PAGE_SOFT_DIRTY __PAGE_BIT(11)

/* The same and "exclusive" in a swap entry; P and bit 8 stay clear there. */
#define _PAGE_SWP_SOFT_DIRTY __PAGE_BIT(1)
#define _PAGE_SWP_UFFD_WP    __PAGE_BIT(2)
#define _PAGE_SWP_EXCLUSIVE  __PAGE_BIT(3)

/* The same and "exclusive" in a swap entry; P and bit 8 stay clear there. */
#define _PAGE_SWP_SOFT_DIRTY __PAGE_BIT(1)
#define _PAGE_SWP_UFFD_WP    __PAGE_BIT(2)
#define _PAGE_SWP_EXCLUSIVE  __PAGE_BIT(3)

/* What stays when an entry's protection changes. */
#define _PAGE_CHG_MASK                                                         \
	(PTE_PFN_MASK | _PAGE_PCD | _PAGE_PWT | _PAGE_PAT | _PAGE_SPECIAL |    \
	 _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_SOFT_DIRTY | _PAGE_UFFD_WP)

/*
 * An entry that points at a table.  Permissions are decided at the lowest
 * level; A is set at once, which spares the processor a locked write.
 */
#define _PAGE_TABLE (_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED)

#define _PAGE_BASE (_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED)
#define PAGE_NONE  __pgprot(_PAGE_PROTNONE | _PAGE_ACCESSED)

#define PTE_FLAGS_MASK (~PTE_PFN_MASK)

#endif
