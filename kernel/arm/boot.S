/* SPDX-License-Identifier: MIT */
/*
 * From the boot loader to kernel_main(), and from PSCI's CPU_ON to ap_main().
 *
 * The protocol (arm32 boot protocol as QEMU's -kernel follows it for a raw
 * image): the image lies 64 KiB into RAM, wherever RAM is; MMU and data cache
 * off, interrupts off; r1 has the machine's number, r2 the physical address of
 * its description (flattened device tree, or ATAGS).  The code here runs at
 * the physical address, knows its distance to the virtual one in r6, and
 * makes the first table: RAM that the image covers at its virtual address, and
 * the MiB of this code one to one, in sections.  setup.c makes better ones.
 *
 * Memory types (TEX remap, DDI 0406C B3.8.3): C and B choose, TEX[0] and S
 * say nothing, so that both are software's: 00 strongly ordered, 01 device,
 * 10 normal uncached, 11 normal write-back.  ARMv7 caches are coherent between
 * CPUs for shareable memory; the ARM1176 does not cache that, so there normal
 * memory is not shareable.
 */
#include <asm/entry_regs.h>

#define PAGE_OFFSET 0xc0000000
#define LOAD_OFFSET 0x10000
#define SECT_NORMAL 0x40e		/* access flag, C, B, section */
#define DOMAINS 0x15			/* 0, 1, 2: client */

#if __ARM_ARCH >= 7
#define PRRR 0xcc0fa4a4			/* NOS, NS1 NS0 DS1 DS0 */
#define NRRR 0x40404040			/* CB = 11: write-back, allocate */
#define TTBR_FLAGS 0x6a			/* walks: the same, shareable */
#define SCTLR_SET 0x30003c05		/* AFE TRE V I Z SW C M */
#else
#define PRRR 0x0003a4a4
#define NRRR 0x40404040
#define TTBR_FLAGS 0			/* walks go to memory: 0301H 6.11 */
#define SCTLR_SET 0x30c03805		/* AFE TRE XP U V I Z C M */
#endif
#define SCTLR_CLEAR 0x43008302		/* TE EE VE L4 R S A */

/* What both kinds of CPU do: MMU on with boot_table, go on at \to. */
.macro mmu_on to
	mov	r0, #0
	mcr	p15, 0, r0, c7, c5, 0		/* instruction cache */
	mcr	p15, 0, r0, c8, c7, 0		/* TLB */
	mcr	p15, 0, r0, c2, c0, 2		/* TTBCR: TTBR0 for all */
	mcr	p15, 0, r0, c13, c0, 1		/* ASID 0 */
	ldr	r0, =PRRR
	mcr	p15, 0, r0, c10, c2, 0
	ldr	r0, =NRRR
	mcr	p15, 0, r0, c10, c2, 1
	mov	r0, #DOMAINS
	mcr	p15, 0, r0, c3, c0, 0
	ldr	r0, =boot_table
	sub	r0, r0, r6
	orr	r0, r0, #TTBR_FLAGS
	mcr	p15, 0, r0, c2, c0, 0
	mrc	p15, 0, r0, c1, c0, 0
	ldr	r1, =SCTLR_CLEAR
	bic	r0, r0, r1
	ldr	r1, =SCTLR_SET
	orr	r0, r0, r1
	ldr	r2, =\to
	mov	r1, #0
	mcr	p15, 0, r1, c7, c10, 4		/* DSB */
	mcr	p15, 0, r1, c7, c5, 4		/* ISB */
	mcr	p15, 0, r0, c1, c0, 0
	mcr	p15, 0, r1, c7, c5, 4
	mov	pc, r2
.endm

/* Supervisor mode with everything masked; from hypervisor mode, where some
 * firmware starts us, by an exception return (DDI 0406C, B9.3.3). */
.macro to_svc
#if __ARM_ARCH >= 7
	.arch_extension virt
	mrs	r0, cpsr
	and	r0, r0, #0x1f
	cmp	r0, #0x1a
	bne	1f
	mrc	p15, 4, r0, c14, c1, 0		/* CNTHCTL: PL1 may */
	orr	r0, r0, #3
	mcr	p15, 4, r0, c14, c1, 0
	mov	r0, #0
	mcrr	p15, 4, r0, r0, c14		/* CNTVOFF */
	mov	r0, #(PSR_MODE_SVC | PSR_I_BIT | PSR_F_BIT | PSR_A_BIT)
	msr	spsr_cxsf, r0
	adr	r0, 1f
	msr	elr_hyp, r0
	eret
1:
#endif
	cpsid	aif, #PSR_MODE_SVC
#if __ARM_ARCH >= 7
	/* Take part in coherency (Cortex-A15 TRM DDI 0438I, 4.3.28). */
	mrc	p15, 0, r0, c1, c0, 1
	tst	r0, #0x40
	orreq	r0, r0, #0x40
	mcreq	p15, 0, r0, c1, c0, 1
#endif
.endm

	.section .boot.text, "ax"
	.arm
	.globl _start
_start:
	mov	r10, r1
	mov	r11, r2
	to_svc
	adr	r4, _start
	ldr	r5, =_start
	sub	r6, r5, r4			/* virtual minus physical */

	ldr	r0, =bss_start
	ldr	r1, =kernel_end
	sub	r0, r0, r6
	sub	r1, r1, r6
	mov	r2, #0
1:	cmp	r0, r1
	strlo	r2, [r0], #4
	blo	1b

	ldr	r7, =boot_table
	sub	r7, r7, r6
	ldr	r3, =SECT_NORMAL
	mov	r8, r4, lsr #20
	orr	r2, r3, r8, lsl #20
	str	r2, [r7, r8, lsl #2]		/* this MiB, one to one */
	ldr	r0, =PAGE_OFFSET
	ldr	r1, =kernel_end - 1
	mov	r1, r1, lsr #20
	mov	r0, r0, lsr #20
2:	str	r2, [r7, r0, lsl #2]
	add	r2, r2, #0x100000
	add	r0, r0, #1
	cmp	r0, r1
	bls	2b
	mmu_on	started

	.ltorg

/* CPU_ON's entry point; r0: the CPU's number. */
	.globl secondary_start
secondary_start:
	mov	r10, r0
	to_svc
	adr	r4, secondary_start
	ldr	r5, =secondary_start
	sub	r6, r5, r4
	mmu_on	secondary_started

	.ltorg

	.text
started:
	ldr	sp, =boot_stack_top
	ldr	r0, =direct_map_offset
	str	r6, [r0]
	ldr	r0, =boot_machine
	str	r10, [r0]
	mov	r0, r11
	mov	fp, #0
	bl	kernel_main
3:	b	3b

secondary_started:
	ldr	r0, =secondary_sp
	ldr	sp, [r0, r10, lsl #2]
	mov	fp, #0
	mov	r0, r10
	bl	ap_main
4:	b	4b

	.data
	.balign 4
	.globl direct_map_offset, boot_machine, secondary_sp
direct_map_offset: .word 0
boot_machine: .word 0
secondary_sp: .fill 8, 4, 0

	.bss
	.globl kernel_table, boot_table, vectors_page, vectors_table
	.balign 16384
kernel_table: .space 16384
boot_table: .space 16384
/* Seen at 0xffff0000 too: the same place in a virtually indexed cache. */
vectors_page: .space 4096
vectors_table: .space 1024
	.balign 8
	.space 16384
boot_stack_top:

	.section .note.GNU-stack, "", %progbits
