/* SPDX-License-Identifier: MIT */
/*
 * tlb_types.h - what ARM's address-space ids need inside the general
 * structures; arch/arm/tlb.c has the whole story.
 */
#ifndef QUIRE_ARM_TLB_TYPES_H
#define QUIRE_ARM_TLB_TYPES_H

#include "base.h"
#include "lock.h"
#include <asm/fsr.h>

#define ARM_ASID_BITS 8
#define ARM_NR_ASIDS  (1u << ARM_ASID_BITS)
#define ARM_ASID_MASK ((uint64_t)ARM_NR_ASIDS - 1)

typedef struct {
	uint64_t id;	 /* generation | ASID; 0: none yet.  atomic */
	bool lines_left; /* see __user_lines_left() */
} mm_context_t;

struct arch_system {
	paddr_t kernel_root; /* reference table: the kernel half */
	uint32_t nr_asids;   /* ids in use with 0, the kernel's; 0: none */
	bool cpu_masks;	     /* mm->cpumask is kept: calls are needed */
	uint8_t alias_pages; /* colours of the D-cache less one; 0: no aliases
			      */
	uint64_t generation; /* multiple of ARM_NR_ASIDS; atomic */
	cpumask_t flush_pending; /* CPUs that must flush before user mode */
	uint32_t next_asid;	 /* where the search goes on */
	uint32_t asid_map[ARM_NR_ASIDS / 32]; /* taken in this generation */
	spinlock_t asid_lock;		      /* LEAF: all but the first */
	struct arch_faults faults;
};

struct arch_cpu {
	uint64_t active;   /* id loaded here; 0: a rollover took it.  atomic */
	uint64_t reserved; /* id that was loaded here at the last rollover */
};

#endif
