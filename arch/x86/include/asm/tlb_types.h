/* SPDX-License-Identifier: MIT */
/*
 * tlb_types.h - what x86's TLB keeping needs inside the general structures.
 *
 * Each address space has a number that is never used again (ctx_id) and a
 * generation that moves with every flush (tlb_gen).  Each CPU remembers, for
 * each of a few hardware ids (PCIDs), which address space and which generation
 * its TLB holds under that id; so a switch back finds its entries alive when
 * nothing was flushed meanwhile (Intel SDM vol. 3A, 4.10.1).
 */
#ifndef QUIRE_X86_TLB_TYPES_H
#define QUIRE_X86_TLB_TYPES_H

#include <asm/kmmio.h>

#include "base.h"

#define TLB_NR_DYN_ASIDS 6 /* MAX_ASIDS of a format is at most that */

typedef struct {
	uint64_t ctx_id;  /* never 0, never reused */
	uint64_t tlb_gen; /* atomic; starts at 1 */
} mm_context_t;

struct arch_system {
	paddr_t kernel_root;  /* reference table: the kernel half */
	uint64_t last_ctx_id; /* atomic */
	uint32_t nr_asids;    /* ids in use, 0: none */
	struct kmmio_system kmmio;
};

struct arch_cpu {
	struct {
		uint64_t ctx_id;
		uint64_t tlb_gen;
	} ctxs[TLB_NR_DYN_ASIDS];
	uint32_t loaded_asid;
	uint32_t next_asid;
	struct kmmio_cpu kmmio;
};

#endif
