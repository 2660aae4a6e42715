/* SPDX-License-Identifier: MIT */
/*
 * arch_cpu.h - an ARM processor (v6K, v7): the coprocessor registers that C has
 * no word for, the address map, and what the files of kernel/arm share.
 * Registers: ARM ARM DDI 0406C, B3.17 and B4.1; ARM1176JZF-S TRM DDI 0301H, 3.
 *
 * An image is for ARMv6K (one CPU) or for ARMv7 (several): KERNEL_ARMV7.
 */
#ifndef KERNEL_ARCH_CPU_H
#define KERNEL_ARCH_CPU_H

#include <asm/procinfo.h>
#include <quire/quire.h>
#include "task.h"

#if __ARM_ARCH >= 7
#define KERNEL_ARMV7 1
#else
#define KERNEL_ARMV7 0
#endif

/* ARM's part of struct cpu (cpu.h). */
struct cpu_arch {
	struct exception_stacks stacks;
	uint32_t mpidr;
	uint32_t gic_mask; /* its bit in the interrupt controller */
};

static inline unsigned this_cpu_id(void)
{
	return KERNEL_ARMV7 ? current_task()->arch.cpu : 0;
}

/* Put it so that current_task() finds `t` on CPU id, which this is. */
static inline void cpu_load_current(unsigned id, struct task *t)
{
	t->arch.cpu = id;
	__asm__ volatile("mcr p15, 0, %0, c13, c0, 4" ::"r"(t) : "memory");
}

/* Features found at boot; the same on all CPUs. */
struct arm_cpu_features {
	uint32_t midr;
	bool v7, vfp, vfp_v3, vfp_v4, vfp_d32, neon, idiv, mp;
	const char *name;
};
extern struct arm_cpu_features cpu_features;

#define CP15_READ(name, crn, op1, crm, op2)                                    \
	static inline uint32_t read_##name(void)                               \
	{                                                                      \
		uint32_t v;                                                    \
                                                                               \
		__asm__ volatile("mrc p15, " #op1 ", %0, " #crn ", " #crm      \
				 ", " #op2                                     \
				 : "=r"(v));                                   \
		return v;                                                      \
	}
#define CP15_WRITE(name, crn, op1, crm, op2)                                   \
	static inline void write_##name(uint32_t v)                            \
	{                                                                      \
		__asm__ volatile("mcr p15, " #op1 ", %0, " #crn ", " #crm      \
				 ", " #op2 ::"r"(v)                            \
				 : "memory");                                  \
	}
CP15_READ(midr, c0, 0, c0, 0)
CP15_READ(ctr, c0, 0, c0, 1)
CP15_READ(mpidr, c0, 0, c0, 5)
CP15_READ(id_isar0, c0, 0, c2, 0)
CP15_READ(id_isar5, c0, 0, c2, 5)
CP15_READ(sctlr, c1, 0, c0, 0)
CP15_WRITE(sctlr, c1, 0, c0, 0)
CP15_READ(actlr, c1, 0, c0, 1)
CP15_WRITE(actlr, c1, 0, c0, 1)
CP15_READ(cpacr, c1, 0, c0, 2)
CP15_WRITE(cpacr, c1, 0, c0, 2)
CP15_WRITE(ttbr0, c2, 0, c0, 0)
CP15_READ(dacr, c3, 0, c0, 0)
CP15_WRITE(dacr, c3, 0, c0, 0)
CP15_READ(dfsr, c5, 0, c0, 0)
CP15_READ(ifsr, c5, 0, c0, 1)
CP15_READ(dfar, c6, 0, c0, 0)
CP15_WRITE(contextidr, c13, 0, c0, 1)
CP15_WRITE(tpidrurw, c13, 0, c0, 2)
CP15_READ(tpidrurw, c13, 0, c0, 2)
CP15_WRITE(tpidruro, c13, 0, c0, 3)
/* All of this CPU's translations; then isb(). */
CP15_WRITE(tlbiall, c8, 0, c7, 0)

#if KERNEL_ARMV7
#define dsb() __asm__ volatile("dsb ish" ::: "memory")
#define isb() __asm__ volatile("isb" ::: "memory")
#define dmb() __asm__ volatile("dmb ish" ::: "memory")
#else
/* DDI 0100I, B2.6.1: the same as CP15 operations. */
#define dsb() __asm__ volatile("mcr p15, 0, %0, c7, c10, 4" ::"r"(0) : "memory")
#define isb() __asm__ volatile("mcr p15, 0, %0, c7, c5, 4" ::"r"(0) : "memory")
#define dmb() __asm__ volatile("mcr p15, 0, %0, c7, c10, 5" ::"r"(0) : "memory")
#endif

/* --------------------------------------------------------- address map */
/*
 *   PAGE_OFFSET    RAM, from its first byte, LOWMEM_MAX at most
 *   MMIO_BASE      devices, a MiB at a time as mmio_map() asks for them
 *   VECTORS        the page of the vectors and of what user programs call
 */
#define PAGE_OFFSET 0xc0000000u
#define LOWMEM_MAX  0x2f800000u
#define MMIO_BASE   0xf0000000u
#define MMIO_END    0xff000000u
#define VECTORS	    0xffff0000u
#define SECTION	    0x100000u

/* virtual minus physical, modulo 2^32 (boot.S) */
extern uint32_t direct_map_offset;

static inline void *phys_to_virt(paddr_t p)
{
	return (void *)((uint32_t)p + direct_map_offset);
}
static inline paddr_t virt_to_phys(const void *v)
{
	return (uint32_t)v - direct_map_offset;
}

/* Ticks of the clock that faults are timed by; cycles_hz of them a second
 * (time.c). */
uint64_t cycles_read(void);
uint64_t cycles_hz(void);

/* ------------------------------------------------ between kernel/arm files */

/* boot.S */
extern uint32_t kernel_table[4096]; /* first level, for every address space */
extern uint32_t boot_table[4096];   /* the same, and the image one to one */
extern char vectors_page[]; /* what lies at VECTORS, in the direct map */
void secondary_start(void);

/* cpu.c: what each CPU does first; detect runs once, before. */
void cpu_detect(void);
void cpu_init(unsigned id);
/* An undefined instruction of user mode: was it the first of the floating
 * point's of this task?  Then it is to be repeated. */
bool fpu_first_use(void);
/* Put the current task's state as it is into its area (task.fpu). */
void fpu_sync(struct task *t);

/* cache.c */
unsigned dcache_colours(void);

/* irq.c */
#define IPI_RESCHED 0u
#define IPI_CALL    1u
#define IPI_HALT    2u
#define GIC_SPI	    32u /* a GIC's first interrupt of a device */
void irq_init(void);
void irq_dispatch(struct pt_regs *regs); /* from entry.S, interrupts off */

/* time.c */
void clock_start(void);	   /* once, before anyone asks for the time */
void clock_init_cpu(void); /* this CPU's timer */

/* earlycon.c */
void channels_init(void);
void semihosting_probe(void);

/* smp.c */
void halt_others(void);

/* alignment.c: do what the processor does not; once, when Quire is there. */
void alignment_init(void);

#endif
