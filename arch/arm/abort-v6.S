/* SPDX-License-Identifier: MIT */
/*
 * abort-v6.S - what an ARMv6 processor says about an abort (E11; ARM ARM
 * DDI 0100I, B4.6 and B4.9.6 to B4.9.8).
 *
 * In: r2 struct pt_regs, r4 the aborted context's pc, r5 its psr, lr where
 * do_..Abort is to return; interrupts off.  They come on here, if the context
 * had them on, once the registers that the next abort overwrites are read.
 *
 * DFSR bit 11 tells writes, as on ARMv7.  ARM1136 before r1p0 sets it wrongly
 * for a SWP to a read-only page: it says "read".  User programs of ARMv6 use
 * LDREX instead, and what is answered as a read would fault again for ever:
 * those revisions need this function to decode the instruction, and are not in
 * the processor table.
 *
 * An access that is not aligned faults at its first page first; FAR is in the
 * page that lacks something, and so the second page's fault comes as its own.
 *
 * IFAR is optional in ARMv6, and a prefetch abort's address is always that of
 * the instruction: Thumb instructions have 16 bits each here, so none lies in
 * two pages.
 */
#include <asm/ptrace.h>

	.text
	.arm
	.globl v6_early_abort
	.type v6_early_abort, %function
v6_early_abort:
	mrc	p15, 0, r1, c5, c0, 0		@ DFSR
	mrc	p15, 0, r0, c6, c0, 0		@ FAR
	tst	r5, #PSR_I_BIT
	bne	do_DataAbort
	cpsie	i
	b	do_DataAbort
	.size v6_early_abort, . - v6_early_abort

	.globl v6_pabort
	.type v6_pabort, %function
v6_pabort:
	mrc	p15, 0, r1, c5, c0, 1		@ IFSR
	mov	r0, r4
	tst	r5, #PSR_I_BIT
	bne	do_PrefetchAbort
	cpsie	i
	b	do_PrefetchAbort
	.size v6_pabort, . - v6_pabort

	.section .note.GNU-stack, "", %progbits
