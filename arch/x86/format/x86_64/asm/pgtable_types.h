/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types.h - x86-64 page-table entries: the types that keep the five
 * levels apart, and what only this format has beside the bits common to x86
 * (asm/pgtable_bits.h).  Intel SDM vol. 3A, 4.5.4, tables 4-15 to 4-20; AMD64
 * APM vol. 2, 5.3.
 */
#ifndef QUIRE_X86_PGTABLE_TYPES_H
#define QUIRE_X86_PGTABLE_TYPES_H

#include <quire/types.h>

typedef uint64_t pteval_t;
#include <asm/pgtable_bits.h>

typedef struct {
	pteval_t v;
} pgd_t;
typedef struct {
	pteval_t v;
} p4d_t;
typedef struct {
	pteval_t v;
} pud_t;
typedef struct {
	pteval_t v;
} pmd_t;

#define __pgd(x)   ((pgd_t){(x)})
#define __p4d(x)   ((p4d_t){(x)})
#define __pud(x)   ((pud_t){(x)})
#define __pmd(x)   ((pmd_t){(x)})
#define pgd_val(x) ((x).v)
#define p4d_val(x) ((x).v)
#define pud_val(x) ((x).v)
#define pmd_val(x) ((x).v)

#define _PAGE_PKEY (15ull << 59)
#define _PAGE_NX   (1ull << 63)

/* Bits 51..12; those past the processor's MAXPHYADDR are reserved. */
#define PTE_PFN_MASK 0x000ffffffffff000ull

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
/* MAP_HUGETLB: log2 of the sizes there are, a bit each */
#define ARCH_HUGE_SIZES (1u << PMD_SHIFT | 1u << PUD_SHIFT)
#define PGDIR_SIZE	((uaddr_t)1 << PGDIR_SHIFT)
#define P4D_SIZE	((uaddr_t)1 << P4D_SHIFT)
#define PUD_SIZE	((uaddr_t)1 << PUD_SHIFT)
#define PMD_SIZE	((uaddr_t)1 << PMD_SHIFT)
#define PGDIR_MASK	(~(PGDIR_SIZE - 1))
#define P4D_MASK	(~(P4D_SIZE - 1))
#define PUD_MASK	(~(PUD_SIZE - 1))
#define PMD_MASK	(~(PMD_SIZE - 1))

#define SWP_TYPE_BITS	6
#define SWP_OFFSET_BITS 46

/*
 * End of user addresses: the lower canonical half, less one page (a SYSCALL at
 * the very end would return to a non-canonical address).
 */
#define TASK_SIZE_4LEVEL 0x00007ffffffff000ull
#define TASK_SIZE_5LEVEL 0x00fffffffffff000ull

/*
 * For arch/x86/walk.c: index bits of a level; entries up to which shift may
 * map a page; and have rights.
 */
#define WALK_INDEX_BITS	  9
#define WALK_LARGE_SHIFT  PUD_SHIFT
#define WALK_RIGHTS_SHIFT PGDIR_SHIFT
/* Process-context identifiers there may be (SDM vol. 3A, 4.10.1). */
#define MAX_ASIDS 6u

/* What mm/ asks of every format: arch/generic/asm-generic/pgtable_entry.h. */
#define PGD_ORDER	      0
#define PGD_MAX_PFN	      UINT64_MAX
#define PGD_STATIC_PUDS	      0
#define ARCH_SETS_YOUNG	      true
#define ARCH_WALKS_BY_ADDRESS false

#endif
