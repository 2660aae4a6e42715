/* SPDX-License-Identifier: MIT */
/*
 * uaccess.S - user memory (behaviour E14): any access to it may fault, and the
 * exception table says where to go on when nobody answers the fault.
 *
 * Single accesses are LDRT and STRT, which the processor checks as user mode's
 * own.  Where there is much to copy, whole blocks go by LDM and STM, for which
 * there is no such form: the caller has checked that all of it lies below the
 * kernel (access_ok), and in that half privileged code has no more rights than
 * user mode, since every page there is user mode's.
 */
	.text
	.arm

/* The exception table: where a fault may happen, where to go on. */
.macro FIXUP at, to
	.pushsection .extable, "a"
	.word \at, \to
	.popsection
.endm
/* An instruction that may fault; its fixup is \to. */
.macro MAY to, insn:vararg
771:	\insn
	FIXUP 771b, \to
.endm

/*
 * size_t user_copy(void *to, const void *from, size_t n): the bytes that could
 * not be copied.  One of the two is the kernel's.  Where a block faults the
 * rest goes word by word, where a word does byte by byte, up to the exact end.
 */
	.globl user_copy
	.type user_copy, %function
	.balign 32
user_copy:
	cmp	r0, #0xc0000000
	blo	copy_out
	subs	r2, r2, #32
	orr	ip, r0, r1
	blo	3f
	tst	ip, #3
	bne	3f
	stmdb	sp!, {r4-r9, lr}
1:	MAY	2f, ldmia r1, {r3-r9, lr}
	add	r1, r1, #32
	subs	r2, r2, #32
	stmia	r0!, {r3-r9, lr}
	bhs	1b
2:	ldmia	sp!, {r4-r9, lr}
3:	add	r2, r2, #32
4:	subs	r2, r2, #4
	blo	5f
	MAY	5f, ldrt r3, [r1], #4
	str	r3, [r0], #4
	b	4b
5:	add	r2, r2, #4
6:	subs	r2, r2, #1
	blo	8f
	MAY	7f, ldrbt r3, [r1], #1
	strb	r3, [r0], #1
	b	6b
7:	add	r0, r2, #1
	bx	lr
8:	mov	r0, #0
	bx	lr

copy_out:
	subs	r2, r2, #32
	orr	ip, r0, r1
	blo	3f
	tst	ip, #3
	bne	3f
	stmdb	sp!, {r4-r9, lr}
1:	ldmia	r1, {r3-r9, lr}
	MAY	2f, stmia r0, {r3-r9, lr}
	add	r0, r0, #32
	add	r1, r1, #32
	subs	r2, r2, #32
	bhs	1b
2:	ldmia	sp!, {r4-r9, lr}
3:	add	r2, r2, #32
4:	subs	r2, r2, #4
	blo	5f
	ldr	r3, [r1]
	MAY	5f, strt r3, [r0], #4
	add	r1, r1, #4
	b	4b
5:	add	r2, r2, #4
6:	subs	r2, r2, #1
	blo	8b
	ldrb	r3, [r1], #1
	MAY	7b, strbt r3, [r0], #1
	b	6b
	.size user_copy, . - user_copy

/* size_t user_clear(void *to, size_t n) */
	.globl user_clear
	.type user_clear, %function
user_clear:
	mov	r3, #0
1:	tst	r0, #3
	beq	2f
	subs	r1, r1, #1
	blo	8b
	MAY	6f, strbt r3, [r0], #1
	b	1b
2:	subs	r1, r1, #4
	blo	4f
	MAY	4f, strt r3, [r0], #4
	b	2b
4:	add	r1, r1, #4
5:	subs	r1, r1, #1
	blo	8b
	MAY	6f, strbt r3, [r0], #1
	b	5b
6:	add	r0, r1, #1
	bx	lr
	.size user_clear, . - user_clear

/* long user_strncpy(char *to, const char *from, size_t cap): length, cap, or
 * -EFAULT */
	.globl user_strncpy
	.type user_strncpy, %function
user_strncpy:
	mov	ip, r1
	add	r2, r2, r1
1:	cmp	r1, r2
	beq	2f
	MAY	3f, ldrbt r3, [r1], #1
	strb	r3, [r0], #1
	cmp	r3, #0
	bne	1b
	sub	r1, r1, #1
2:	sub	r0, r1, ip
	bx	lr
3:	mvn	r0, #13			/* -EFAULT */
	bx	lr
	.size user_strncpy, . - user_strncpy

/* int user_cmpxchg(uint32_t *p, uint32_t old, uint32_t new, uint32_t *was).
 * Exclusive accesses have no user form either. */
	.globl user_cmpxchg
	.type user_cmpxchg, %function
user_cmpxchg:
	str	lr, [sp, #-8]!
#if __ARM_ARCH >= 7
	dmb	ish
#else
	mov	ip, #0
	mcr	p15, 0, ip, c7, c10, 5
#endif
1:	MAY	3f, ldrex ip, [r0]
	cmp	ip, r1
	bne	2f
	MAY	3f, strex lr, r2, [r0]
	cmp	lr, #0
	bne	1b
2:	str	ip, [r3]
#if __ARM_ARCH >= 7
	dmb	ish
#else
	mov	ip, #0
	mcr	p15, 0, ip, c7, c10, 5
#endif
	mov	r0, #0
	ldr	pc, [sp], #8
3:	clrex
	mvn	r0, #13
	ldr	pc, [sp], #8
	.size user_cmpxchg, . - user_cmpxchg

/* int user_load32(uint32_t *v, const uint32_t *p) */
	.globl user_load32
	.type user_load32, %function
user_load32:
	MAY	1f, ldrt r2, [r1]
	str	r2, [r0]
	mov	r0, #0
	bx	lr
1:	mvn	r0, #13
	bx	lr
	.size user_load32, . - user_load32

	.section .note.GNU-stack, "", %progbits
