/* SPDX-License-Identifier: MIT */
/*
 * string.S - memcpy and memset by multiple-register transfers: 32 bytes a
 * round where source and destination are aligned alike, else words that the
 * processor aligns itself (SCTLR.A is 0).  What is left over, by its bits:
 * they are shifted out to C and N, two at a time.
 */
	.text
	.arm
	.syntax unified

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
	stmdb	sp!, {r4-r9, lr}
	subs	r2, r2, #32
	blo	2f
1:	ldmia	r1!, {r3-r9, lr}
	subs	r2, r2, #32
	stmia	ip!, {r3-r9, lr}
	bhs	1b
2:	lsls	r2, r2, #28
	ldmiacs	r1!, {r3-r6}
	stmiacs	ip!, {r3-r6}
	ldmiami	r1!, {r3-r4}
	stmiami	ip!, {r3-r4}
	lsls	r2, r2, #2
	ldrcs	r3, [r1], #4
	strcs	r3, [ip], #4
	ldmia	sp!, {r4-r9, lr}
	b	6f
3:	subs	r2, r2, #16
4:	ldr	r3, [r1], #4
	str	r3, [ip], #4
	ldr	r3, [r1], #4
	str	r3, [ip], #4
	ldr	r3, [r1], #4
	str	r3, [ip], #4
	ldr	r3, [r1], #4
	subs	r2, r2, #16
	str	r3, [ip], #4
	bhs	4b
5:	lsls	r2, r2, #29
	ldrcs	r3, [r1], #4
	strcs	r3, [ip], #4
	ldrcs	r3, [r1], #4
	strcs	r3, [ip], #4
	ldrmi	r3, [r1], #4
	strmi	r3, [ip], #4
	lsls	r2, r2, #1
6:	bxeq	lr
	lsls	r2, r2, #1
	ldrhcs	r3, [r1], #2
	strhcs	r3, [ip], #2
	ldrbmi	r3, [r1]
	strbmi	r3, [ip]
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
	tst	r0, #3
	orr	r1, r1, r1, lsl #16
	bne	5f
1:	mov	r3, r1
	cmp	r2, #128
	bhs	3f
	subs	r2, r2, #32
	blo	4f
2:	stmia	ip!, {r1, r3}
	stmia	ip!, {r1, r3}
	subs	r2, r2, #32
	stmia	ip!, {r1, r3}
	stmia	ip!, {r1, r3}
	bhs	2b
4:	lsls	r2, r2, #28
	stmiacs	ip!, {r1, r3}
	stmiacs	ip!, {r1, r3}
	stmiami	ip!, {r1, r3}
	lsls	r2, r2, #2
	strcs	r1, [ip], #4
	bxeq	lr
	strhmi	r1, [ip], #2
	tst	r2, #0x40000000
	strbne	r1, [ip]
	bx	lr
	/* Many. */
3:	stmdb	sp!, {r4-r8, lr}
	mov	r4, r1
	mov	r5, r1
	mov	r6, r1
	mov	r7, r1
	mov	r8, r1
	mov	lr, r1
	sub	r2, r2, #32
3:	stmia	ip!, {r1, r3-r8, lr}
	subs	r2, r2, #32
	bhs	3b
	ldmia	sp!, {r4-r8, lr}
	b	4b
	/* To the next word, or to the end. */
5:	subs	r2, r2, #1
	bxlo	lr
	strb	r1, [ip], #1
	tst	ip, #3
	beq	1b
	b	5b
	.size memset, . - memset

	.section .note.GNU-stack, "", %progbits
