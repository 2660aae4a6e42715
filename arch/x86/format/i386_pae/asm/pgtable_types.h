/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types.h - i386's PAE page tables: entries of 64 bits in three levels
 * (Intel SDM vol. 3A, 4.4, tables 4-8 to 4-11).
 *
 *   31 30 29 ........... 21 20 ............ 12 11 .......... 0
 *   PDPTE   page directory      page table         offset
 *
 * The page-directory-pointer table is our pud; the levels above it fold away.
 * Its four entries have no RW, US, A and XD bits: those are reserved there.
 */
#ifndef QUIRE_I386_PAE_PGTABLE_TYPES_H
#define QUIRE_I386_PAE_PGTABLE_TYPES_H

#include <quire/types.h>

typedef uint64_t pteval_t;
#include <asm/pgtable_bits.h>

typedef struct {
	pteval_t v;
} pud_t;
typedef struct {
	pteval_t v;
} pmd_t;
#include <asm-generic/pgtable_types-nop4d.h>

#define __pud(x)   ((pud_t){(x)})
#define __pmd(x)   ((pmd_t){(x)})
#define pud_val(x) ((x).v)
#define pmd_val(x) ((x).v)

#define _PAGE_NX (1ull << 63)

/* Bits 51..12; those past the processor's MAXPHYADDR are reserved. */
#define PTE_PFN_MASK 0x000ffffffffff000ull

#define PUD_SHIFT    30
#define PMD_SHIFT    21
#define PTRS_PER_PUD 4u
#define PTRS_PER_PMD 512u
#define PTRS_PER_PTE 512u
#define PUD_SIZE     ((uaddr_t)1 << PUD_SHIFT)
#define PMD_SIZE     ((uaddr_t)1 << PMD_SHIFT)
#define PUD_MASK     (~(PUD_SIZE - 1))
#define PMD_MASK     (~(PMD_SIZE - 1))

/* MAP_HUGETLB: log2 of the sizes there are, a bit each */
#define ARCH_HUGE_SIZES (1u << PMD_SHIFT)

#define SWP_TYPE_BITS	6
#define SWP_OFFSET_BITS 46

/* Three gigabytes for the user, one for the kernel: whole PDPTEs. */
#define TASK_SIZE 0xc0000000u

/*
 * For arch/x86/walk.c: index bits of a level; entries up to which shift may
 * map a page; and have rights.
 */
#define WALK_INDEX_BITS	  9
#define WALK_LARGE_SHIFT  PMD_SHIFT
#define WALK_RIGHTS_SHIFT PMD_SHIFT
/* Process-context identifiers are for 64-bit mode only. */
#define MAX_ASIDS 0u

/*
 * What mm/ asks of every format.  The top page's frame has to fit in CR3, and
 * the user's directories are there as long as the address space is.
 */
#define PGD_ORDER	      0
#define PGD_MAX_PFN	      ((uint64_t)1 << (32 - PAGE_SHIFT))
#define PGD_STATIC_PUDS	      (TASK_SIZE >> PUD_SHIFT)
#define ARCH_SETS_YOUNG	      true
#define ARCH_WALKS_BY_ADDRESS false

#endif
