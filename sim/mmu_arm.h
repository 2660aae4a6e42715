/* SPDX-License-Identifier: MIT */
/*
 * mmu_arm.h - the simulated ARM's own registers, for tests; and what its two
 * files share.
 */
#ifndef QUIRE_SIM_MMU_ARM_H
#define QUIRE_SIM_MMU_ARM_H

#include <sim/internal.h>

/*
 * Of the CPU that the calling thread is bound to.  Domain access control, two
 * bits a domain; the TLB is not flushed.  TTBCR and TTBR1.  inject: the next
 * access takes an abort with this status (FS[4:0]): alignment 0x01, external
 * abort 0x08, external abort on a walk 0x0c and 0x0e, asynchronous 0x16 ...
 */
void sim_arm_set_dacr(struct sim_machine *m, uint32_t dacr);
void sim_arm_set_ttbcr(struct sim_machine *m, uint32_t ttbcr, paddr_t ttbr1);
void sim_arm_inject(struct sim_machine *m, uint32_t status);

/* Calls that Quire has made to the port's cache functions. */
struct sim_arm_stats {
	uint64_t table_written, sync_icache, flush_dcache, flush_dcache_all;
	uint64_t flush_asid, flush_asid_page;
};
void sim_arm_get_stats(struct sim_machine *m, struct sim_arm_stats *out);

/*
 * What another CPU does just after the next quire_host_sync_icache(kva), before
 * that returns: called once, by the thread that syncs, with its locks held.
 */
void sim_arm_after_sync(struct sim_machine *m,
			void (*fn)(struct sim_machine *m, void *kva));

/* mmu_arm_host.c, for mmu_arm.c: see struct sim_mmu_format. */
int sim_arm_init(struct sim_machine *m);
void sim_arm_fini(struct sim_machine *m);
void sim_arm_pages_freed(struct sim_machine *m, const void *mem, size_t bytes);
void sim_arm_used(struct sim_cpu *cpu, enum sim_access_kind kind, uaddr_t addr,
		  paddr_t phys);
/* A word of a table, as the processor's walk sees it. */
uint32_t sim_arm_table_word(struct sim_cpu *cpu, paddr_t phys, uaddr_t addr);

#endif
