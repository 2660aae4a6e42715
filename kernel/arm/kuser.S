/* SPDX-License-Identifier: MIT */
/*
 * kuser.S - code of the kernel's that user programs call in the page of the
 * vectors, so that one program runs on processors with and without the
 * instructions (Linux's Documentation/arm/kernel_user_helpers.rst has the
 * contract: addresses, registers, flags).  Both our kinds of processors have
 * exclusive loads and stores and the thread register.
 *
 *	0xffff0500  the way back from a signal handler (sigframe.c)
 *	0xffff0f60  cmpxchg64(r0 -> old, r1 -> new, r2 = ptr)
 *	0xffff0fa0  memory_barrier()
 *	0xffff0fc0  cmpxchg(r0 = old, r1 = new, r2 = ptr)
 *	0xffff0fe0  get_tls()
 *	0xffff0ffc  how many helpers there are: 5
 *
 * The exchanges give r0 = 0 and the carry set when they stored, and may change
 * r3, r12 and the flags besides, that of 64 bits r1 too; nothing else.
 */
	.arch armv6k
	.syntax unified
	.arm
	.section .rodata.kuser, "a"

/* A full barrier.  As an operation of the coprocessor it wants a zero. */
.macro BARRIER reg
#if __ARM_ARCH >= 7
	.arch armv7-a
	dmb	ish
	.arch armv6k
#else
	mov	\reg, #0
	mcr	p15, 0, \reg, c7, c10, 5
#endif
.endm

	.globl kuser_sigreturn, kuser_sigreturn_end
	.balign 4
kuser_sigreturn:
	mov	r7, #119		/* sigreturn */
	svc	0
	mov	r7, #173		/* rt_sigreturn */
	svc	0
	.thumb
	movs	r7, #119
	svc	0
	movs	r7, #173
	svc	0
	.arm
kuser_sigreturn_end:

	.globl kuser_helpers, kuser_helpers_end
	.balign 32
kuser_helpers:				/* 0xffff0f60 */
	push	{r4, r5, r6, r7}
	ldrd	r4, r5, [r0]
	ldrd	r6, r7, [r1]
	BARRIER	r3
1:	ldrexd	r0, r1, [r2]
	eor	r0, r0, r4
	eor	r1, r1, r5
	orrs	r3, r0, r1
	strexdeq r3, r6, r7, [r2]
	teqeq	r3, #1			/* someone came between */
	beq	1b
	b	.Lcmpxchg64_done
	.org	kuser_helpers + 0x40	/* 0xffff0fa0 */
.Lmemory_barrier:			/* changes no register, no flag */
#if __ARM_ARCH < 7
	push	{r3}
#endif
	BARRIER	r3
#if __ARM_ARCH < 7
	pop	{r3}
#endif
	bx	lr
.Lcmpxchg64_done:
	pop	{r4, r5, r6, r7}
	rsbs	r0, r3, #0		/* carry: nothing was borrowed */
	b	.Lmemory_barrier
	.org	kuser_helpers + 0x60	/* 0xffff0fc0 */
	BARRIER	r3
1:	ldrex	r3, [r2]
	eors	r3, r3, r0
	strexeq	r3, r1, [r2]
	teqeq	r3, #1
	beq	1b
	b	.Lcmpxchg_done
	.org	kuser_helpers + 0x80	/* 0xffff0fe0 */
	mrc	p15, 0, r0, c13, c0, 3
	bx	lr
.Lcmpxchg_done:
	rsbs	r0, r3, #0
	b	.Lmemory_barrier
	.org	kuser_helpers + 0x9c	/* 0xffff0ffc */
	.word	5
kuser_helpers_end:

	.section .note.GNU-stack, "", %progbits
