/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types.h - i386's two-level page tables: entries of 32 bits, 1024 of
 * them in a table (Intel SDM vol. 3A, 4.3, tables 4-3 to 4-6).
 *
 *   31 ............. 22 21 ............ 12 11 .......... 0
 *      page directory       page table         offset
 *
 * The directory is our pmd; the levels above it fold away.  Frames have 20
 * bits: 4 GiB.  There is no XD bit: what can be read can be executed.
 */
#ifndef QUIRE_I386_PGTABLE_TYPES_H
#define QUIRE_I386_PGTABLE_TYPES_H

#include <quire/types.h>

typedef uint32_t pteval_t;
#include <asm/pgtable_bits.h>

typedef struct {
	pteval_t v;
} pmd_t;
#include <asm-generic/pgtable_types-nopud.h>

#define __pmd(x)   ((pmd_t){(x)})
#define pmd_val(x) ((x).v)

#define _PAGE_NX ((pteval_t)0) /* this format cannot forbid it */

#define PTE_PFN_MASK 0xfffff000u

#define PMD_SHIFT    22
#define PTRS_PER_PMD 1024u
#define PTRS_PER_PTE 1024u
#define PMD_SIZE     ((uaddr_t)1 << PMD_SHIFT)
#define PMD_MASK     (~(PMD_SIZE - 1))

/* MAP_HUGETLB: log2 of the sizes there are, a bit each */
#define ARCH_HUGE_SIZES (1u << PMD_SHIFT)

#define SWP_TYPE_BITS	5
#define SWP_OFFSET_BITS 22

/* Three gigabytes for the user, one for the kernel. */
#define TASK_SIZE 0xc0000000u

/*
 * For arch/x86/walk.c: index bits of a level; entries up to which shift may
 * map a page; and have rights.
 */
#define WALK_INDEX_BITS	  10
#define WALK_LARGE_SHIFT  PMD_SHIFT
#define WALK_RIGHTS_SHIFT PMD_SHIFT
/* Process-context identifiers are for 64-bit mode only. */
#define MAX_ASIDS 0u

/* What mm/ asks of every format: arch/generic/asm-generic/pgtable_entry.h. */
#define PGD_ORDER	      0
#define PGD_MAX_PFN	      UINT64_MAX
#define PGD_STATIC_PUDS	      0
#define ARCH_SETS_YOUNG	      true
#define ARCH_WALKS_BY_ADDRESS false

#endif
