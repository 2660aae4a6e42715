/* SPDX-License-Identifier: MIT */
/*
 * Assembly: exceptions on the way into the kernel and out, for aborts
 * (arch/arm/entry.S) and for what the host adds (interrupts, undefined
 * instructions).  ARM ARM DDI 0406C, B1.8 and B1.9; DDI 0100I, A2.6 (ARMv6).
 *
 * THE STACKS
 *
 * An exception enters its own mode with banked sp, lr and spsr.  sp_<mode>
 * points for good to three words of that CPU's (vector_stub stores them
 * without moving sp); everything else happens in supervisor mode, on the
 * task's kernel stack.  In user mode the supervisor's sp is a word below the
 * 8-byte aligned end of that stack, top:
 *
 *     top      +----------+
 *     top - 4  | ORIG_r0  |  <- sp_svc in user mode
 *     top - 8  | cpsr     |
 *              | pc       |     RFE takes pc and cpsr, and leaves sp_svc
 *              | lr ... r0|     where it was: no instruction to add
 *     top - 72 +----------+  <- struct pt_regs
 */
#ifndef QUIRE_ARM_ENTRY_REGS_H
#define QUIRE_ARM_ENTRY_REGS_H

#include <asm/ptrace.h>

/* Offsets in struct pt_regs. */
#define PT_R0	     0
#define PT_R1	     4
#define PT_R7	     28
#define PT_SP	     52
#define PT_LR	     56
#define PT_PC	     60
#define PT_PSR	     64
#define PT_ORIG_R0   68
#define PT_REGS_SIZE 72
/* sp_svc in user mode lies this far above the pt_regs. */
#define PT_POPPED 68

#ifdef __ASSEMBLER__
/* clang-format off */

/*
 * vector_stub NAME, CORRECTION: vector_NAME, where the vector leads, in the
 * exception's mode, interrupts off.  lr is made the address to return to (an
 * abort's is 8 beyond for data, 4 for a prefetch); r0, lr and spsr go to the
 * mode's three words; then supervisor mode, by what was interrupted:
 *
 *   user         falls through to what follows: __NAME_usr
 *   supervisor   __NAME_svc
 *   any other    __NAME_invalid: exceptions do not nest like that
 *
 * all with r0 = address of the three words, the others as they were, flags
 * and lr_<mode> lost.  CPS does not touch sp_svc or lr_svc: those are the
 * interrupted context's, if it was the supervisor's.
 */
.macro vector_stub name, correction=0
	.balign 32
	.globl vector_\name
	.type vector_\name, %function
vector_\name:
	.if \correction
	sub	lr, lr, #\correction
	.endif
	stmia	sp, {r0, lr}
	mrs	lr, spsr
	str	lr, [sp, #8]
	mov	r0, sp
	ands	lr, lr, #0xf
	bne	__\name\()_not_usr
	cps	#PSR_MODE_SVC
	.subsection 1
	.type __\name\()_not_usr, %function
__\name\()_not_usr:
	cmp	lr, #PSR_MODE_SVC & 0xf
	cps	#PSR_MODE_SVC
	beq	__\name\()_svc
	b	__\name\()_invalid
	.previous
	.type __\name\()_usr, %function
__\name\()_usr:
.endm

/*
 * usr_entry: the whole user context to a pt_regs at sp.  r0 as vector_stub
 * left it.  Then r4 is the user's pc, r5 its psr, the others but sp and lr
 * are free.
 */
.macro usr_entry
	sub	sp, sp, #PT_POPPED
	stmib	sp, {r1-r12}
	ldmia	r0, {r3-r5}
	add	r0, sp, #PT_PC
	mvn	r6, #0
	str	r3, [sp]
	stmia	r0, {r4-r6}
	stmdb	r0, {sp, lr}^
.endm

/*
 * svc_entry: the same for an interrupted supervisor context.  Code may fault
 * with sp at any word; C wants a multiple of 8.
 */
.macro svc_entry
	sub	sp, sp, #PT_REGS_SIZE
	tst	sp, #4
	subne	sp, sp, #4
	stmib	sp, {r1-r12}
	ldmia	r0, {r3-r5}
	add	r1, sp, #PT_REGS_SIZE
	addne	r1, r1, #4
	mov	r2, lr
	mvn	r6, #0
	add	r7, sp, #PT_SP
	str	r3, [sp]
	stmia	r7, {r1, r2, r4, r5, r6}
.endm

/*
 * restore_user: back to the user context of the pt_regs at sp; interrupts
 * are off.  The exclusive monitor is cleared: the kernel may have left it set
 * for something else (DDI 0406C, A3.4.4).  No instruction after it runs.
 */
.macro restore_user
	clrex
	ldmia	sp, {r0-lr}^
	add	sp, sp, #PT_PC
	rfeia	sp!
.endm

/*
 * svc_exit: back to the supervisor context of the pt_regs at sp, which may be
 * anywhere below that context's own sp: pc and cpsr move to just below that,
 * from where RFE takes them and sp together.  Nothing there is lost: those two
 * words belong to the pt_regs (cpsr, ORIG_r0, or beyond it).
 */
.macro svc_exit
	ldr	lr, [sp, #PT_SP]
	ldr	r1, [sp, #PT_PC]
	ldr	r2, [sp, #PT_PSR]
	stmdb	lr!, {r1, r2}
	str	lr, [sp, #PT_SP]
	ldr	lr, [sp, #PT_LR]
	clrex
	ldmia	sp, {r0-r12}
	ldr	sp, [sp, #PT_SP]
	rfeia	sp!
.endm

#endif
#endif
