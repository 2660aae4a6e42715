/* SPDX-License-Identifier: MIT */
/*
 * page.S - clearing and copying whole pages on the processor itself: 32 bytes,
 * a cache line, at a time, sixteen of them a round; eight rounds bring the
 * address to the next page, which ends the loop.  No preload: a line that is
 * written whole need not be read, and what copy_page reads comes in order.
 */
	.text
	.arm

/* void arch_clear_page(void *page) */
	.globl arch_clear_page
	.type arch_clear_page, %function
	.balign 32
arch_clear_page:
	stmdb	sp!, {r4-r6, lr}
	mov	r1, #0
	mov	r2, #0
	mov	r3, #0
	mov	r4, #0
	mov	r5, #0
	mov	r6, #0
	mov	ip, #0
	mov	lr, #0
1:
	.rept	16
	stmia	r0!, {r1-r6, ip, lr}
	.endr
	tst	r0, #0xe00
	bne	1b
	ldmia	sp!, {r4-r6, pc}
	.size arch_clear_page, . - arch_clear_page

/* void arch_copy_page(void *to, const void *from) */
	.globl arch_copy_page
	.type arch_copy_page, %function
	.balign 32
arch_copy_page:
	stmdb	sp!, {r4-r8, lr}
1:
	.rept	16
	ldmia	r1!, {r3-r8, ip, lr}
	stmia	r0!, {r3-r8, ip, lr}
	.endr
	tst	r0, #0xe00
	bne	1b
	ldmia	sp!, {r4-r8, pc}
	.size arch_copy_page, . - arch_copy_page

	.section .note.GNU-stack, "", %progbits
