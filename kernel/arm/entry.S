/* SPDX-License-Identifier: MIT */
/*
 * entry.S - into the kernel and out again, apart from the aborts
 * (arch/arm/entry.S): system calls, interrupts, undefined instructions; and
 * the switch between tasks.
 */
#include <asm/entry_regs.h>
#include "task_offsets.h"

#define ENOSYS 38
#define NR_SYSCALLS 512
#define PRIVATE_CALLS 0xf0000		/* ARM's own: 0xf0001 ... */

	.text
	.arm

/*
 * SVC from user mode (the kernel has none of its own, but see earlycon.c):
 * EABI, the number in r7, up to seven arguments in r0 to r6, of which C wants
 * the fifth to seventh on the stack.  pt_regs.r0 is written only where somebody
 * may look at it: the common way out leaves the result in r0.
 *
 * The monitor needs no clearing on this way: user code that has it set and
 * makes a system call cannot rely on it.
 */
	.globl vector_swi
	.balign 32
vector_swi:
	sub	sp, sp, #PT_POPPED
	stmia	sp, {r0-r12}
	add	r8, sp, #PT_PC
	stmdb	r8, {sp, lr}^
	mrs	r9, spsr
	str	lr, [sp, #PT_PC]
	str	r9, [sp, #PT_PSR]
	str	r0, [sp, #PT_ORIG_R0]
	cpsie	i
	cmp	r7, #NR_SYSCALLS
	ldr	r8, =syscall_table
	stmdb	sp!, {r4-r7}
	bhs	other_call
	adr	lr, syscall_done
	ldr	pc, [r8, r7, lsl #2]
syscall_done:
	cpsid	i
	mrc	p15, 0, r1, c13, c0, 4
	add	sp, sp, #16
	ldr	r1, [r1, #TASK_WORK]
	cmp	r1, #0
	bne	syscall_work
	ldmib	sp, {r1-lr}^
	add	sp, sp, #PT_PC
	rfeia	sp!

syscall_work:
	str	r0, [sp, #PT_R0]
	mov	r0, sp
	bl	syscall_exit_work
	restore_user

other_call:
	adr	lr, syscall_done
	cmp	r7, #PRIVATE_CALLS
	addhs	r0, sp, #16
	bhs	arm_syscall
	mvn	r0, #(ENOSYS - 1)
	b	syscall_done
	.ltorg

/* Where the SVC vector leads while semihosting_probe() asks: nobody answered. */
	.globl semihosting_absent
	.type semihosting_absent, %function
semihosting_absent:
	mvn	r0, #0
	movs	pc, lr

	vector_stub irq, 4
	usr_entry
	mov	r0, sp
	bl	irq_dispatch
	b	ret_from_exception
__irq_svc:
	svc_entry
	mov	r0, sp
	bl	irq_dispatch
	svc_exit
__irq_invalid:
	svc_entry
	mov	r0, sp
	mov	r1, #6
	b	bad_mode

	vector_stub und, 4
	usr_entry
	mov	r0, sp
	bl	undefined_instruction
	b	ret_from_exception
__und_svc:
	svc_entry
	mov	r0, sp
	bl	undefined_instruction
	svc_exit
__und_invalid:
	svc_entry
	mov	r0, sp
	mov	r1, #1
	b	bad_mode

	/* Nothing makes a fast interrupt. */
	vector_stub fiq, 4
__fiq_svc:
__fiq_invalid:
	svc_entry
	mov	r0, sp
	mov	r1, #7
	b	bad_mode

	/*
	 * Aborts before there is a memory system to answer them: the vectors
	 * lead here until machine_ready().
	 */
	vector_stub early, 8
__early_svc:
__early_invalid:
	svc_entry
	mov	r0, sp
	mov	r1, #4
	b	bad_mode

	.globl vector_rst
vector_rst:
	mov	r0, #0
	mov	r1, #0
	b	bad_mode

/* The first instructions of a fresh task; its stack: fn, arg, pt_regs.  r0
 * has the task that ran before. */
	.globl ret_from_fork
	.type ret_from_fork, %function
ret_from_fork:
	bl	schedule_tail
	ldmia	sp!, {r1, r2}
	mov	r0, r2
	cmp	r1, #0
	blxne	r1
	cpsid	i
	mov	r0, sp
	bl	exit_to_user_work
	restore_user

/* struct task *switch_stacks(struct task *prev, struct task *next) */
	.globl switch_stacks
	.type switch_stacks, %function
switch_stacks:
	stmdb	sp!, {r4-r11, lr}
	str	sp, [r0, #TASK_KSP]
	ldr	sp, [r1, #TASK_KSP]
	ldmia	sp!, {r4-r11, pc}

	.section .note.GNU-stack, "", %progbits
