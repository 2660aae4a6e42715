/* SPDX-License-Identifier: MIT */
/*
 * cache.c - cache maintenance for Quire (quire/host.h, ARM section).
 * Operations: ARM ARM DDI 0406C, B4.2.1 (by address, to the point of
 * unification or coherency); ARM1176JZF-S TRM DDI 0301H, 3.2.22, which has
 * them for ranges too, in one instruction.
 */
#include "board.h"

#if KERNEL_ARMV7
/* Bytes of the smallest data cache line (CTR.DminLine: log2 of words). */
static uint32_t line_bytes(void)
{
	return 4u << (read_ctr() >> 16 & 15);
}
#endif

#if !KERNEL_ARMV7
/*
 * All of the instruction cache and the branch predictor (ICIALLU).  On ARM1136,
 * 1156 and 1176 the operation may fail (their erratum 411920; what the BCM2835
 * of the Raspberry Pi has is among them): ARM's way around it is to do it four
 * times without an interrupt between, and nothing for 11 instructions.
 */
static void invalidate_icache(void)
{
	unsigned long flags = irq_save();

	__asm__ volatile(
		".rept 4\n\tmcr p15, 0, %0, c7, c5, 0\n\t.endr" ::"r"(0)
		: "memory");
	irq_restore(flags);
	__asm__ volatile(".rept 11\n\tnop\n\t.endr" ::: "memory");
}
#endif

void quire_host_sync_icache(void *kva, size_t bytes)
{
#if KERNEL_ARMV7
	uint32_t line = line_bytes(), a = (uint32_t)kva & ~(line - 1);

	for (; a < (uint32_t)kva + bytes; a += line)
		CP15("c7, c11, 1", a); /* DCCMVAU */
	dsb();
	CP15("c7, c1, 0", 0); /* ICIALLUIS */
	CP15("c7, c1, 6", 0); /* BPIALLIS */
#else
	quire_host_table_written(kva, bytes); /* clean the range, DSB */
	invalidate_icache();
#endif
	dsb();
	isb();
}

void quire_host_flush_dcache(void *kva, size_t bytes)
{
#if KERNEL_ARMV7
	uint32_t line = line_bytes(), a = (uint32_t)kva & ~(line - 1);

	for (; a < (uint32_t)kva + bytes; a += line)
		CP15("c7, c14, 1", a); /* DCCIMVAC */
#else
	__asm__ volatile(
		"mcrr p15, 0, %0, %1, c14" ::"r"((uint32_t)kva + bytes - 1),
		"r"(kva)
		: "memory");
#endif
	dsb();
}

void quire_host_flush_dcache_all(void)
{
#if !KERNEL_ARMV7
	CP15("c7, c14, 0", 0); /* clean and invalidate all */
#endif
	dsb();
}

/* How many pages of a virtually indexed data cache may hold the same one. */
unsigned dcache_colours(void)
{
#if KERNEL_ARMV7
	return 0; /* tagged and indexed physically, as far as anyone can see */
#else
	/* Cache type register, data part: P, size, associativity (DDI 0301H,
	 * 3.2.2): 512 bytes << size, in 2 << (assoc - 1) ways. */
	uint32_t d = read_ctr() >> 12;
	uint32_t way = (512u << (d >> 6 & 15)) >> (d >> 3 & 7);

	return d & 0x800 && way > 4096 ? way / 4096 : 0;
#endif
}
