/* SPDX-License-Identifier: MIT */
/*
 * string.S - memcpy and memset by multiple-register transfers: 32 bytes a
 * round where source and destination are aligned alike, else words that the
 * processor aligns itself (SCTLR.A is 0), else bytes.
 */
	.text
	.arm

/* void *memcpy(void *to, const void *from, size_t n) */
	.globl memcpy
	.type memcpy, %function
	.balign 32
memcpy:
	cmp	r2, #16
	mov	ip, r0
	blo	5f
	orr	r3, r0, r1
	tst	r3, #3
	bne	3f
	subs	r2, r2, #32
	blo	2f
	stmdb	sp!, {r4-r9, lr}
1:	ldmia	r1!, {r3-r9, lr}
	subs	r2, r2, #32
	stmia	ip!, {r3-r9, lr}
	bhs	1b
	ldmia	sp!, {r4-r9, lr}
2:	add	r2, r2, #32
3:	subs	r2, r2, #4
	blo	4f
	ldr	r3, [r1], #4
	str	r3, [ip], #4
	b	3b
4:	add	r2, r2, #4
5:	subs	r2, r2, #1
	ldrhsb	r3, [r1], #1
	strhsb	r3, [ip], #1
	bhs	5b
	bx	lr
	.size memcpy, . - memcpy

/* void *memset(void *to, int c, size_t n) */
	.globl memset
	.type memset, %function
	.balign 32
memset:
	and	r1, r1, #0xff
	mov	ip, r0
	orr	r1, r1, r1, lsl #8
	orr	r1, r1, r1, lsl #16
1:	tst	ip, #3
	beq	2f
	subs	r2, r2, #1
	bxlo	lr
	strb	r1, [ip], #1
	b	1b
2:	subs	r2, r2, #32
	blo	4f
	stmdb	sp!, {r4-r8, lr}
	mov	r3, r1
	mov	r4, r1
	mov	r5, r1
	mov	r6, r1
	mov	r7, r1
	mov	r8, r1
	mov	lr, r1
3:	stmia	ip!, {r1, r3-r8, lr}
	subs	r2, r2, #32
	bhs	3b
	ldmia	sp!, {r4-r8, lr}
4:	add	r2, r2, #32
5:	subs	r2, r2, #4
	strhs	r1, [ip], #4
	bhs	5b
	add	r2, r2, #4
6:	subs	r2, r2, #1
	strhsb	r1, [ip], #1
	bhs	6b
	bx	lr
	.size memset, . - memset

	.section .note.GNU-stack, "", %progbits
