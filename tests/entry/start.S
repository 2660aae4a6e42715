/* SPDX-License-Identifier: MIT */
/*
 * start.S - the test's own assembly: from reset to main(), into a context and
 * out of it, and the code that runs in those contexts.
 *
 * run_context(regs) starts a context; it ends by SVC (user mode) or by
 * finish_svc (supervisor), which store all of its registers in `final` and
 * return from run_context.  All between is arch/arm/entry.S's.
 */
#include <asm/entry_regs.h>

	.text
	.arm
	.globl _start
_start:
	ldr	sp, =driver_stack_top
	ldr	r0, =bss_start
	ldr	r1, =bss_end
	mov	r2, #0
1:	cmp	r0, r1
	strlo	r2, [r0], #4
	blo	1b
	bl	main
1:	b	1b

/* long semihost(unsigned op, void *arg) */
	.globl semihost
semihost:
	mov	r2, lr
	svc	0x123456
	bx	r2

/* void mmu_on(uint32_t ttbr, uint32_t sctlr) */
	.globl mmu_on
mmu_on:
	mov	r2, #0
	mcr	p15, 0, r2, c2, c0, 2		@ TTBCR
	mcr	p15, 0, r0, c2, c0, 0		@ TTBR0
	mcr	p15, 0, r2, c8, c7, 0		@ TLBIALL
	mcr	p15, 0, r1, c1, c0, 0		@ SCTLR
	mcr	p15, 0, r2, c7, c5, 4		@ ISB
	bx	lr

/* void run_context(const struct pt_regs *regs) */
	.globl run_context
run_context:
	stmdb	sp!, {r4-r11, lr}
	cpsid	i
	ldr	r1, =driver_sp
	str	sp, [r1]
	ldr	r1, [r0, #PT_PSR]
	tst	r1, #0xf
	ldreq	sp, =kernel_stack_top - PT_REGS_SIZE
	ldrne	sp, [r0, #PT_SP]
	subne	sp, sp, #PT_REGS_SIZE + 12
	mov	r2, sp
	mov	r3, #PT_REGS_SIZE
2:	subs	r3, r3, #4
	ldr	ip, [r0, r3]
	str	ip, [r2, r3]
	bne	2b
	tst	r1, #0xf
	bne	1f
	restore_user
1:	svc_exit

	.globl vector_swi
vector_swi:
	sub	sp, sp, #PT_POPPED
	stmia	sp, {r0-r12}
	add	r8, sp, #PT_PC
	stmdb	r8, {sp, lr}^
	str	lr, [sp, #PT_PC]
	mrs	r9, spsr
	str	r9, [sp, #PT_PSR]
	ldr	r1, =user_end_sp
	add	r0, sp, #PT_POPPED
	str	r0, [r1]
	b	store_final

	.globl finish_svc
finish_svc:
	sub	sp, sp, #PT_POPPED
	stmia	sp, {r0-r12}
	mrs	r9, cpsr
	add	r0, sp, #PT_POPPED
	str	r0, [sp, #PT_SP]
	str	lr, [sp, #PT_LR]
	str	r9, [sp, #PT_PSR]
store_final:
	ldr	r0, =final
	mov	r3, #PT_POPPED
1:	subs	r3, r3, #4
	ldr	ip, [sp, r3]
	str	ip, [r0, r3]
	bne	1b
/* void leave_context(void): back to run_context's caller. */
	.globl leave_context
leave_context:
	cps	#PSR_MODE_SVC
	ldr	r0, =driver_sp
	ldr	sp, [r0]
	ldmia	sp!, {r4-r11, pc}

/* The other vectors.  und is there to see that vector_stub is good for it. */
	vector_stub und, 4
	usr_entry
	mov	r0, sp
	bl	undefined
	b	ret_from_exception
__und_svc:
__und_invalid:
	b	__und_svc

	.globl vector_rst, vector_irq, vector_fiq
vector_rst:
vector_irq:
vector_fiq:
	b	vector_rst

/* -------------------------------------------- what runs in the contexts */

/* r0: address of the access.  One instruction, so that pc is known. */
	.globl arm_load, arm_store, arm_exclusive, arm_jump, arm_break
	.globl arm_undefined, svc_load, svc_store, svc_jump, svc_ldrt
	.globl svc_ldrt_fixup, be_load, be_done, thumb_load, thumb_it
arm_load:
	ldr	r1, [r0]
	svc	0
arm_store:
	str	r1, [r0]
	svc	0
arm_exclusive:
	ldrex	r1, [r0]
	svc	0
arm_jump:
	bx	r0
arm_break:
	bkpt	0
	svc	0
arm_undefined:
	.word	0xe7f000f0
	svc	0
/* Big-endian from here on: also the load after the one that faults. */
be_load:
	setend	be
	ldr	r1, [r0]
	ldr	r2, [r0]
	svc	0

svc_load:
	ldr	r1, [r0]
	b	finish_svc
svc_store:
	str	r1, [r0]
	b	finish_svc
svc_jump:
	bx	r0
svc_ldrt:
	ldrt	r1, [r0]
	b	finish_svc
svc_ldrt_fixup:
	mvn	r1, #13
	b	finish_svc

	.thumb
	.balign 2
	.thumb_func
thumb_load:
	ldr	r1, [r0]
	svc	0
#if __ARM_ARCH >= 7
	.syntax unified
	.thumb_func
thumb_it:			@ flags: Z set
	ittee	eq
	ldreq	r1, [r0]
	moveq	r2, #1
	movne	r2, #2
	movne	r3, #3
	svc	0
#endif
	.arm

/*
 * void abort_in_mode(uint32_t psr, uint32_t addr): in a mode of the exceptions,
 * where nothing may abort.
 */
	.globl abort_in_mode
abort_in_mode:
	stmdb	sp!, {r4-r11, lr}
	ldr	r2, =driver_sp
	str	sp, [r2]
	msr	cpsr_c, r0
	ldr	r0, [r1]
	b	.			@ not reached
	.globl jump_in_mode
jump_in_mode:
	stmdb	sp!, {r4-r11, lr}
	ldr	r2, =driver_sp
	str	sp, [r2]
	msr	cpsr_c, r0
	bx	r1
	.ltorg

	.bss
	.balign 8
	.space	4096
	.globl driver_stack_top, kernel_stack_top
driver_stack_top:
	.space	4096
kernel_stack_top:
	.globl driver_sp, user_end_sp, final
driver_sp:
	.word	0
user_end_sp:
	.word	0
final:
	.space	PT_REGS_SIZE

	.section .note.GNU-stack, "", %progbits
