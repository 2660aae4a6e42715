/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types.h - ARM short-descriptor table entries: the hardware's own
 * bits, and the types that keep the levels apart.
 *
 *   first level, one word a MiB (DDI 0406C B3.5.1; ARMv6: DDI 0100I B4.7)
 *     31        20 19 18 17 16 15 14..12 11 10  9  8..5   4  3  2  1 0
 *     table base .............. 31..10 ......    -  domain -  NS -  0 1  table
 *     section base NS 0  nG S  AP2  TEX   AP1:0  -  domain XN C  B  1 0 section
 *     base 31..24  NS 1  nG S  AP2  TEX   AP1:0  -  35..39 XN C  B  1 0  super-
 *                                                                      section
 *   second level, one word a page
 *     31        12 11 10  9   8   7   6   5   4   3  2  1   0
 *     page base    nG S  AP2 .. TEX ...  AP1 AP0  C  B  1  XN   small page
 *     31..16 base  nG S  AP2  0   0   0  AP1 AP0  C  B  0   1   large (64 KiB);
 *                                                  XN is 15, TEX is 14..12
 *
 * The machine runs with SCTLR.AFE = 1 and SCTLR.TRE = 1, as ARMv6K (ARM1176)
 * and all of ARMv7 can:
 *
 *  - AFE (B3.7.2): AP[0] is the access flag.  An entry without it raises an
 *    Access flag fault: that is `young`, tracked by faults (P7).  AP[1] lets
 *    user mode in, AP[2] forbids writing.
 *  - TRE (B3.8.3): TEX[0], C and B pick one of eight types in PRRR and NRRR;
 *    TEX[2:1] are left to software.  ARM_PRRR_* and ARM_NRRR below give both
 *    values of TEX[0] the same type and both values of S the same
 *    shareability, so that those two bits are software's as well.
 *
 * That makes four bits of our own, and what other formats keep in tables
 * beside the hardware's needs no room here.
 *
 *     bit 6  WRITE    the mapping may be written
 *     bit 7  DIRTY    it was
 *     bit 8  SPECIAL  no struct page stands behind it for us
 *     bit 10 SOFT_DIRTY
 *
 * The processor may write only where AP[2] is clear, and AP[2] is clear only
 * where WRITE and DIRTY are both set: so the first write to a clean page
 * faults, which is how dirty is tracked (P7).
 *
 *     AP2 WRITE DIRTY
 *      1    0     0     read-only, clean         1   1   0   writable, clean
 *      1    0     1     read-only, dirty         0   1   1   writable, dirty
 *      1    1     1     write-protected by userfaultfd (counts as dirty)
 *
 * An entry whose type is 00 is ignored whole.  Three kinds are told apart:
 *
 *   0                       nothing is there
 *   bit 5 (AP1) set:        PROT_NONE: a page is there, no access is allowed;
 *                           the frame is stored inverted
 *   bit 5 clear, not 0      a swap entry (pgtable.h)
 */
#ifndef QUIRE_ARM_PGTABLE_TYPES_H
#define QUIRE_ARM_PGTABLE_TYPES_H

#include <quire/types.h>

/*
 * One entry of the top table covers 4 MiB: four words of the hardware's, which
 * point at the four quarters of one table page.  v is the first of them.
 */
typedef struct {
	uint32_t v;
	uint32_t more[3];
} pmd_t;
#include <asm-generic/pgtable_types-nopud.h>
typedef struct {
	uint32_t v;
} pte_t;
typedef struct {
	uint32_t v;
} pgprot_t;
/* What an entry that is not present names: a swap device's slot and kin. */
typedef struct {
	uint64_t v;
} swp_entry_t;

#define __pmd(x)      ((pmd_t){.v = (x)})
#define __pte(x)      ((pte_t){(x)})
#define __pgprot(x)   ((pgprot_t){(x)})
#define pmd_val(x)    ((x).v)
#define pte_val(x)    ((x).v)
#define pgprot_val(x) ((x).v)

/* Second level, small page. */
#define _PAGE_XN	 (1u << 0) /* only while the entry is present */
#define _PAGE_PRESENT	 (1u << 1)
#define _PAGE_B		 (1u << 2)
#define _PAGE_C		 (1u << 3)
#define _PAGE_ACCESSED	 (1u << 4)  /* AP[0] */
#define _PAGE_USER	 (1u << 5)  /* AP[1]; every present user entry has it */
#define _PAGE_PROTNONE	 (1u << 5)  /* while not present */
#define _PAGE_WRITE	 (1u << 6)  /* TEX[0], ours */
#define _PAGE_DIRTY	 (1u << 7)  /* TEX[1], ours */
#define _PAGE_SPECIAL	 (1u << 8)  /* TEX[2], ours */
#define _PAGE_RO	 (1u << 9)  /* AP[2] */
#define _PAGE_SOFT_DIRTY (1u << 10) /* S, ours */
#define _PAGE_NG	 (1u << 11)
#define _PAGE_UFFD	 (_PAGE_RO | _PAGE_WRITE | _PAGE_DIRTY) /* all three */

#define PTE_PFN_MASK   0xfffff000u
#define PTE_FLAGS_MASK (~PTE_PFN_MASK)

/* Types of memory: C and B as ARM_PRRR_* and ARM_NRRR assign them. */
#define _PAGE_MT_MASK	  (_PAGE_C | _PAGE_B)
#define _PAGE_MT_STRONGLY 0u		      /* Strongly-ordered */
#define _PAGE_MT_DEVICE	  _PAGE_B	      /* Device, shareable */
#define _PAGE_MT_NOCACHE  _PAGE_C	      /* Normal, non-cacheable */
#define _PAGE_MT_NORMAL	  (_PAGE_C | _PAGE_B) /* write-back, write-allocate */

/*
 * The remap registers (DDI 0406C B4.1.127 PRRR, B4.1.113 NRRR).  PRRR: two
 * bits a type (00 strongly-ordered, 01 device, 10 normal), the second four
 * types as the first; DS1 = DS0 = 1 (devices are shareable); NS1 = NS0 = 1
 * where other CPUs' caches take part, with NOS naming the inner domain.  An
 * ARM1176 does not cache shareable memory (DDI 0301H 6.6.1), and has no other
 * CPU: there NS1 = NS0 = 0.  NRRR: types 3 and 7 write-back, write-allocate,
 * inner and outer; 2 and 6 not cached.
 */
#define ARM_PRRR_UP   0x0003a4a4u
#define ARM_PRRR_SMP  0xcc0fa4a4u
#define ARM_NRRR      0x40404040u
#define ARM_SCTLR_TRE (1u << 28)
#define ARM_SCTLR_AFE (1u << 29)
/* ARMv6: SCTLR.XP, without which the tables are ARMv5's. */
#define ARM_SCTLR_XP (1u << 23)

/* Domains, and the access-control register that makes all three clients. */
#define ARM_DOMAIN_KERNEL 0u
#define ARM_DOMAIN_USER	  1u
#define ARM_DOMAIN_IO	  2u
#define ARM_DACR	  0x15u /* 01 = client, two bits a domain */

/* First level. */
#define ARM_L1_TYPE	    3u
#define ARM_L1_TABLE	    1u
#define ARM_L1_SECTION	    2u
#define ARM_L1_B	    (1u << 2)
#define ARM_L1_C	    (1u << 3)
#define ARM_L1_XN	    (1u << 4) /* section */
#define ARM_L1_DOMAIN(d)    ((uint32_t)(d) << 5)
#define ARM_L1_AP0	    (1u << 10) /* section: access flag */
#define ARM_L1_AP1	    (1u << 11) /* section: user */
#define ARM_L1_RO	    (1u << 15) /* section: AP[2] */
#define ARM_L1_NG	    (1u << 17)
#define ARM_L1_SUPER	    (1u << 18)
#define ARM_L1_TABLE_MASK   0xfffffc00u
#define ARM_L1_SECTION_MASK 0xfff00000u
#define ARM_SECTION_SHIFT   20

/* A user's table: domain 1. */
#define _PMD_TABLE (ARM_L1_TABLE | ARM_L1_DOMAIN(ARM_DOMAIN_USER))
/* A section of ordinary kernel memory / of device registers, writable. */
#define ARM_SECT_KERNEL                                                        \
	(ARM_L1_SECTION | ARM_L1_C | ARM_L1_B | ARM_L1_AP0 |                   \
	 ARM_L1_DOMAIN(ARM_DOMAIN_KERNEL))
#define ARM_SECT_IO                                                            \
	(ARM_L1_SECTION | ARM_L1_B | ARM_L1_AP0 | ARM_L1_XN |                  \
	 ARM_L1_DOMAIN(ARM_DOMAIN_IO))
/* A page of the kernel's, writable, global; with _PAGE_USER for kuser pages */
#define ARM_PAGE_KERNEL                                                        \
	(_PAGE_PRESENT | _PAGE_MT_NORMAL | _PAGE_ACCESSED | _PAGE_WRITE |      \
	 _PAGE_DIRTY)

/* What stays when an entry's protection changes. */
#define _PAGE_CHG_MASK                                                         \
	(PTE_PFN_MASK | _PAGE_MT_MASK | _PAGE_SPECIAL | _PAGE_ACCESSED |       \
	 _PAGE_DIRTY | _PAGE_SOFT_DIRTY)

#define _PAGE_BASE                                                             \
	(_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED | _PAGE_RO | _PAGE_NG |   \
	 _PAGE_MT_NORMAL)
#define PAGE_NONE                                                              \
	__pgprot(_PAGE_PROTNONE | _PAGE_ACCESSED | _PAGE_RO | _PAGE_NG |       \
		 _PAGE_MT_NORMAL)

#define PMD_SHIFT    22
#define PTRS_PER_PMD 1024u
#define PTRS_PER_PTE 1024u
#define PMD_SIZE     ((uaddr_t)1 << PMD_SHIFT)
#define PMD_MASK     (~(PMD_SIZE - 1))
/* The top table: four pages, aligned to itself. */
#define PGD_ORDER	2
#define PGD_MAX_PFN	UINT64_MAX
#define PGD_STATIC_PUDS 0

/* MAP_HUGETLB: there is no such thing on tables of this kind */
#define ARCH_HUGE_SIZES 0u

#define ARCH_SETS_YOUNG false /* P7 */
/* TLBIMVA is about one address, at all levels of its walk (DDI 0406C B3.10.1);
 * first-level words may be cached of any MiB that a table serves. */
#define ARCH_WALKS_BY_ADDRESS true

#define TASK_SIZE   0xbf000000u
#define PAGE_OFFSET 0xc0000000u

#endif
