/* SPDX-License-Identifier: MIT */
/*
 * quire_host_inline.h - the hot functions of <quire/host.h> as this kernel has
 * them on ARM, inlined into mm/ and arch/arm (QUIRE_HOST_INLINE).  Included
 * from the middle of host.h, so it may use only what stands before it there.
 *
 * ARMv7: several CPUs, maintenance is broadcast to the inner shareable domain
 * (ARM ARM DDI 0406C, B3.10.5 and B4.2.2).  ARMv6: one CPU, and walks look at
 * memory, not into the cache (ARM1176JZF-S TRM DDI 0301H, 6.11.1).
 */
#ifndef KERNEL_QUIRE_HOST_INLINE_H
#define KERNEL_QUIRE_HOST_INLINE_H

#define CP15(op, value)                                                        \
	__asm__ volatile("mcr p15, 0, %0, " op ::"r"(value) : "memory")

#if __ARM_ARCH >= 7
#define QUIRE_DSB() __asm__ volatile("dsb ish" ::: "memory")
#define QUIRE_ISB() __asm__ volatile("isb" ::: "memory")
/* Walks: write-back, write-allocate, shareable (B4.1.154). */
#define TTBR_FLAGS 0x6au
#else
#define QUIRE_DSB() CP15("c7, c10, 4", 0)
#define QUIRE_ISB() CP15("c7, c5, 4", 0)
#define TTBR_FLAGS  0u
#endif

#define quire_host_current quire_host_current
static inline struct quire_task *quire_host_current(void)
{
	struct quire_task *t;

	__asm__("mrc p15, 0, %0, c13, c0, 4" : "=r"(t));
	return t;
}

#define quire_host_cpu quire_host_cpu
static inline unsigned quire_host_cpu(void)
{
#if __ARM_ARCH >= 7
	/* task.arch.cpu (checked in offsets.c) */
	return *(const uint32_t *)(const void *)(quire_host_current() + 1);
#else
	return 0;
#endif
}

/*
 * DDI 0406C, B3.10.4: the ASID goes through 0, which no user's translation
 * has, while the table changes.
 */
#define quire_host_load_table quire_host_load_table
static inline void quire_host_load_table(paddr_t root, unsigned asid,
					 bool noflush)
{
	CP15("c13, c0, 1", 0);
	QUIRE_ISB();
	CP15("c2, c0, 0", (uint32_t)root | TTBR_FLAGS);
	QUIRE_ISB();
	if (!noflush) {
		CP15("c8, c7, 2", asid); /* TLBIASID */
		QUIRE_DSB();
	}
#if __ARM_ARCH < 7
	CP15("c7, c5, 6", 0); /* branch predictor: not tagged */
#endif
	CP15("c13, c0, 1", asid);
	QUIRE_ISB();
}

#define quire_host_flush_page quire_host_flush_page
static inline void quire_host_flush_page(uaddr_t addr)
{
	uint32_t asid;

	__asm__ volatile("mrc p15, 0, %0, c13, c0, 1" : "=r"(asid));
	CP15("c8, c7, 1", (addr & 0xfffff000u) | (asid & 0xffu));
	QUIRE_DSB();
	QUIRE_ISB();
}

#define quire_host_flush_all quire_host_flush_all
static inline void quire_host_flush_all(bool global)
{
	uint32_t asid;

	__asm__ volatile("mrc p15, 0, %0, c13, c0, 1" : "=r"(asid));
	if (global)
		CP15("c8, c7, 0", 0);
	else
		CP15("c8, c7, 2", asid & 0xffu);
	CP15("c7, c5, 6", 0);
	QUIRE_DSB();
	QUIRE_ISB();
}

#define quire_host_table_written quire_host_table_written
static inline void quire_host_table_written(const void *entries, size_t bytes)
{
#if __ARM_ARCH >= 7
	(void)entries;
	(void)bytes;
	__asm__ volatile("dsb ishst" ::: "memory");
#else
	/* Clean data cache range: one instruction (DDI 0301H, 3.2.22). */
	__asm__ volatile(
		"mcrr p15, 0, %0, %1, c12" ::"r"((uint32_t)entries + bytes - 1),
		"r"(entries)
		: "memory");
	QUIRE_DSB();
#endif
}

#define quire_host_table_changed quire_host_table_changed
static inline void quire_host_table_changed(const void *entries, size_t bytes)
{
#if __ARM_ARCH >= 7
	(void)entries;
	(void)bytes;
	__asm__ volatile("" ::: "memory");
#else
	__asm__ volatile(
		"mcrr p15, 0, %0, %1, c12" ::"r"((uint32_t)entries + bytes - 1),
		"r"(entries)
		: "memory");
#endif
}

#define quire_host_flush_asid_range quire_host_flush_asid_range
static inline void quire_host_flush_asid_range(unsigned asid, uaddr_t start,
					       uaddr_t end)
{
	uaddr_t a;

	QUIRE_DSB();
	for (a = start; a < end; a += 4096) {
#if __ARM_ARCH >= 7
		CP15("c8, c3, 1", (a & 0xfffff000u) | asid); /* TLBIMVAIS */
#else
		CP15("c8, c7, 1", (a & 0xfffff000u) | asid);
#endif
	}
#if __ARM_ARCH >= 7
	CP15("c7, c1, 6", 0); /* BPIALLIS */
#else
	CP15("c7, c5, 6", 0);
#endif
	QUIRE_DSB();
	QUIRE_ISB();
}

#define quire_host_flush_asid quire_host_flush_asid
static inline void quire_host_flush_asid(unsigned asid)
{
	QUIRE_DSB();
#if __ARM_ARCH >= 7
	CP15("c8, c3, 2", asid); /* TLBIASIDIS */
	CP15("c7, c1, 6", 0);
#else
	CP15("c8, c7, 2", asid);
	CP15("c7, c5, 6", 0);
#endif
	QUIRE_DSB();
	QUIRE_ISB();
}

#include <quire_host_common.h>

#endif
