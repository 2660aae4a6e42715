/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types.h - entries of a machine that does not exist.
 *
 * mm/ is compiled against it to prove that it knows of an entry only what the
 * format's functions tell: here every entry is two words or more, the frame is
 * rotated, valid means a bit at an odd place, read-only and executable are said
 * where others say writable and not executable, and tables of each level have
 * another size.
 *
 *   addr   ... 27   26 ... 20   19 ... 12   11 ... 0
 *          pud         pmd         pte       offset
 */
#ifndef QUIRE_DUMMY_PGTABLE_TYPES_H
#define QUIRE_DUMMY_PGTABLE_TYPES_H

#include <quire/types.h>

typedef struct {
	uint32_t how;
	uint64_t where;
} pud_t;
typedef struct {
	uint64_t where[3];
	uint8_t valid;
} pmd_t;
typedef struct {
	uint64_t where;
	uint32_t how;
	uint32_t ours;
} pte_t;
typedef struct {
	uint32_t how;
} pgprot_t;
/* One word, which mm/ keeps and compares, but does not look into; here the
 * offset is above the type. */
typedef struct {
	uint64_t v;
} swp_entry_t;
#include <asm-generic/pgtable_types-nop4d.h>

#define __pte(x)   ((pte_t){.where = (x)})
#define pte_val(x) ((x).where ^ (x).how) /* for logs */

#define HOW_READ_ONLY (1u << 11)
#define HOW_YOUNG     (1u << 3)
#define HOW_DIRTY     (1u << 17)
#define HOW_EXEC      (1u << 22)
#define HOW_VALID     (1u << 29)
#define HOW_FORBIDDEN (1u << 30) /* PROT_NONE */
#define HOW_SWAPPED   (1u << 31)
#define HOW_CHANGES   (HOW_READ_ONLY | HOW_EXEC | HOW_VALID | HOW_FORBIDDEN)
#define OURS_SPECIAL  1u
#define OURS_SOFT     2u
#define OURS_UFFD     4u
#define OURS_ALONE    8u

#define SWP_TYPE_BITS	7
#define SWP_OFFSET_BITS 41
#define SWP_MAX_OFFSET	(((uint64_t)1 << SWP_OFFSET_BITS) - 1)

#define PUD_SHIFT    27
#define PMD_SHIFT    20
#define PTRS_PER_PUD 8192u
#define PTRS_PER_PMD 128u
#define PTRS_PER_PTE 256u
#define PUD_SIZE     ((uaddr_t)1 << PUD_SHIFT)
#define PMD_SIZE     ((uaddr_t)1 << PMD_SHIFT)
#define PUD_MASK     (~(PUD_SIZE - 1))
#define PMD_MASK     (~(PMD_SIZE - 1))

#define ARCH_HUGE_SIZES	      0u
#define ARCH_SETS_YOUNG	      false
#define ARCH_WALKS_BY_ADDRESS true
#define PGD_ORDER	      5
#define PGD_MAX_PFN	      ((uint64_t)1 << 33)
#define PGD_STATIC_PUDS	      1

#if QUIRE_UADDR_BITS == 32
#define TASK_SIZE 0x98765000u
#else
#define TASK_SIZE 0x000000fedcb98000ull
#endif

#endif
