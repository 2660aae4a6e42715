/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types.h - x86-64 page-table entries: the hardware's own bits, and
 * the types that keep the five levels apart.
 *
 *   63  62..59   58..52   51 .. 12   11  10   9   8  7   6  5  4  3  2  1  0
 *   XD  key     ignored     frame    sd  uwp  sp  G PS/  D  A PCD PWT US RW P
 *                                                   PAT
 *
 * (Intel SDM vol. 3A, 4.5.4, tables 4-15 to 4-20; AMD64 APM vol. 2, 5.3.)
 * Bits 9, 10 and 11 are ignored by the processor and are ours: special,
 * userfaultfd write protection, soft-dirty.
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
#ifndef QUIRE_X86_PGTABLE_TYPES_H
#define QUIRE_X86_PGTABLE_TYPES_H

#include <quire/types.h>

typedef struct {
	uint64_t v;
} pgd_t;
typedef struct {
	uint64_t v;
} p4d_t;
typedef struct {
	uint64_t v;
} pud_t;
typedef struct {
	uint64_t v;
} pmd_t;
typedef struct {
	uint64_t v;
} pte_t;
typedef struct {
	uint64_t v;
} pgprot_t;
/* What an entry that is not present names: a swap device's slot and kin. */
typedef struct {
	uint64_t v;
} swp_entry_t;

#define __pgd(x)      ((pgd_t){(x)})
#define __p4d(x)      ((p4d_t){(x)})
#define __pud(x)      ((pud_t){(x)})
#define __pmd(x)      ((pmd_t){(x)})
#define __pte(x)      ((pte_t){(x)})
#define __pgprot(x)   ((pgprot_t){(x)})
#define pgd_val(x)    ((x).v)
#define p4d_val(x)    ((x).v)
#define pud_val(x)    ((x).v)
#define pmd_val(x)    ((x).v)
#define pte_val(x)    ((x).v)
#define pgprot_val(x) ((x).v)

#define _PAGE_PRESENT	 (1ull << 0)
#define _PAGE_RW	 (1ull << 1)
#define _PAGE_USER	 (1ull << 2)
#define _PAGE_PWT	 (1ull << 3)
#define _PAGE_PCD	 (1ull << 4)
#define _PAGE_ACCESSED	 (1ull << 5)
#define _PAGE_DIRTY	 (1ull << 6)
#define _PAGE_PSE	 (1ull << 7) /* upper levels: maps a large page */
#define _PAGE_PAT	 (1ull << 7) /* lowest level */
#define _PAGE_GLOBAL	 (1ull << 8)
#define _PAGE_PROTNONE	 (1ull << 8) /* only while P is clear */
#define _PAGE_SPECIAL	 (1ull << 9)
#define _PAGE_UFFD_WP	 (1ull << 10)
#define _PAGE_SOFT_DIRTY (1ull << 11)
#define _PAGE_PKEY	 (15ull << 59)
#define _PAGE_NX	 (1ull << 63)

/* Bits 51..12; those past the processor's MAXPHYADDR are reserved. */
#define PTE_PFN_MASK   0x000ffffffffff000ull
#define PTE_FLAGS_MASK (~PTE_PFN_MASK)

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

#define PGDIR_SHIFT    48
#define P4D_SHIFT      39
#define PUD_SHIFT      30
#define PMD_SHIFT      21
#define PTRS_PER_TABLE 512u
#define PTRS_PER_PGD   512u
#define PTRS_PER_P4D   512u
#define PTRS_PER_PUD   512u
#define PTRS_PER_PMD   512u
#define PTRS_PER_PTE   512u
#define PGDIR_SIZE     ((uaddr_t)1 << PGDIR_SHIFT)
#define P4D_SIZE       ((uaddr_t)1 << P4D_SHIFT)
#define PUD_SIZE       ((uaddr_t)1 << PUD_SHIFT)
#define PMD_SIZE       ((uaddr_t)1 << PMD_SHIFT)
#define PGDIR_MASK     (~(PGDIR_SIZE - 1))
#define P4D_MASK       (~(P4D_SIZE - 1))
#define PUD_MASK       (~(PUD_SIZE - 1))
#define PMD_MASK       (~(PMD_SIZE - 1))

/*
 * End of user addresses: the lower canonical half, less one page (a SYSCALL at
 * the very end would return to a non-canonical address).
 */
#define TASK_SIZE_4LEVEL 0x00007ffffffff000ull
#define TASK_SIZE_5LEVEL 0x00fffffffffff000ull

#endif
