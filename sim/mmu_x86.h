/* SPDX-License-Identifier: MIT */
/*
 * mmu_x86.h - what the walks of x86's page-table formats share (mmu_x86_64.c,
 * mmu_i386.c, mmu_i386_pae.c).  All numbers are the manual's, not mm/'s or
 * arch/'s: Intel SDM vol. 3A, 4.3 to 4.8.
 */
#ifndef QUIRE_SIM_MMU_X86_H
#define QUIRE_SIM_MMU_X86_H

#include <sim/internal.h>

#define E_P	   (1ull << 0)
#define E_RW	   (1ull << 1)
#define E_US	   (1ull << 2)
#define E_A	   (1ull << 5)
#define E_D	   (1ull << 6)
#define E_PS	   (1ull << 7)
#define E_G	   (1ull << 8)
#define E_XD	   (1ull << 63)
#define E_FRAME	   0x000ffffffffff000ull
#define MAXPHYADDR 46

#define PF_P	0x01u
#define PF_W	0x02u
#define PF_U	0x04u
#define PF_RSVD 0x08u
#define PF_I	0x10u

/* One access, and where its answer goes. */
struct x86_access {
	struct sim_cpu *cpu;
	enum sim_access_kind kind;
	unsigned mode;
	uaddr_t addr;
	struct sim_walk *out;
};

/* Bits that every page fault of this kind of access has (4.7). */
uint32_t x86_base_error(const struct sim_machine *m, enum sim_access_kind kind,
			unsigned mode);
/* 4.6.1: an access by rights of TLB_*: 0, or its error code. */
uint32_t x86_rights_error(const struct sim_machine *m,
			  enum sim_access_kind kind, unsigned mode,
			  unsigned flags);
/* struct sim_mmu_format's check and fault */
uint32_t x86_check(struct sim_cpu *cpu, enum sim_access_kind kind,
		   unsigned mode, const struct sim_tlb_entry *e);
void x86_fault(struct sim_cpu *cpu, unsigned mode, uaddr_t addr, uint32_t error,
	       uint64_t *ip);
/* and its debug. */
void x86_debug(struct sim_cpu *cpu, unsigned mode, uint64_t ip);

/* The rights so far with those of one entry more. */
unsigned x86_fold(unsigned flags, uint64_t e);
/* Set bits in an entry of 64 unless it has changed; false: walk again. */
bool x86_mark(uint64_t *p, uint64_t seen, uint64_t bits);
/* The access is allowed, by an entry e for the page at phys: fill x->out. */
void x86_found(struct x86_access *x, paddr_t phys, unsigned shift,
	       unsigned flags, uint64_t e);
/*
 * The leaf e of 64 bits is found at *p, for a page of 1 << shift bytes: rights,
 * accessed and dirty, result.  1 found, 0 fault, -1 walk again.
 */
int x86_finish(struct x86_access *x, uint64_t *p, uint64_t e, unsigned shift,
	       unsigned flags);

#endif
