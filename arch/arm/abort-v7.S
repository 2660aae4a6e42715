/* SPDX-License-Identifier: MIT */
/*
 * abort-v7.S - what an ARMv7 processor says about an abort (E11; ARM ARM
 * DDI 0406C, B3.13 and B4.1.51, .52, .95, .96).  In and out: see abort-v6.S.
 *
 * IFAR and not the pc is a prefetch abort's address: a Thumb instruction of 32
 * bits may begin in one page and end in the next, the one that is missing.
 */
#include <asm/ptrace.h>

	.text
	.arm
	.globl v7_early_abort
	.type v7_early_abort, %function
v7_early_abort:
	mrc	p15, 0, r1, c5, c0, 0		@ DFSR
	mrc	p15, 0, r0, c6, c0, 0		@ DFAR
	tst	r5, #PSR_I_BIT
	bne	do_DataAbort
	cpsie	i
	b	do_DataAbort
	.size v7_early_abort, . - v7_early_abort

	.globl v7_pabort
	.type v7_pabort, %function
v7_pabort:
	mrc	p15, 0, r1, c5, c0, 1		@ IFSR
	mrc	p15, 0, r0, c6, c0, 2		@ IFAR
	tst	r5, #PSR_I_BIT
	bne	do_PrefetchAbort
	cpsie	i
	b	do_PrefetchAbort
	.size v7_pabort, . - v7_pabort

	.section .note.GNU-stack, "", %progbits
