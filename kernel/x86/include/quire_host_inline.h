/* SPDX-License-Identifier: MIT */
/*
 * quire_host_inline.h - the hot functions of <quire/host.h> as this kernel
 * has them, inlined into mm/ and arch/x86 (QUIRE_HOST_INLINE).  Included from
 * the middle of host.h, so it may use only what stands before it there.
 *
 * %gs:0 is the current task (whose first member is its quire_task), %gs:24
 * the CPU's index (cpu.h).
 */
#ifndef KERNEL_QUIRE_HOST_INLINE_H
#define KERNEL_QUIRE_HOST_INLINE_H

#define quire_host_current quire_host_current
static inline struct quire_task *quire_host_current(void)
{
	struct quire_task *t;

	__asm__("movq %%gs:0, %0" : "=r"(t));
	return t;
}

#define quire_host_cpu quire_host_cpu
static inline unsigned quire_host_cpu(void)
{
	unsigned id;

	__asm__ volatile("movl %%gs:24, %0" : "=r"(id));
	return id;
}

#define quire_host_load_table quire_host_load_table
static inline void quire_host_load_table(paddr_t root, unsigned asid,
					 bool noflush)
{
	__asm__ volatile(
		"movq %0, %%cr3" ::"r"(root | asid | (uint64_t)noflush << 63)
		: "memory");
}

#define quire_host_flush_page quire_host_flush_page
static inline void quire_host_flush_page(uaddr_t addr)
{
	__asm__ volatile("invlpg (%0)" ::"r"(addr) : "memory");
}

#define quire_host_flush_all quire_host_flush_all
static inline void quire_host_flush_all(bool global)
{
	uint64_t v;

	if (global) {
		__asm__ volatile("movq %%cr4, %0\n\t"
				 "xorq $0x80, %0\n\t"
				 "movq %0, %%cr4\n\t"
				 "xorq $0x80, %0\n\t"
				 "movq %0, %%cr4"
				 : "=&r"(v)::"memory");
		return;
	}
	__asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(v)::"memory");
}

#include <quire_host_common.h>

#endif
