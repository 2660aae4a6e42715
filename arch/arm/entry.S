/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the two aborts as the processor takes them, and the way back
 * (behaviours E9, E10).
 *
 *   vectors page      ldr pc, =vector_dabt          (0xffff0010)
 *   abort mode        vector_stub: r0, lr - 8 and spsr to the 12-byte stack
 *   supervisor mode     from user:        __dabt_usr: usr_entry
 *                       from supervisor:  __dabt_svc: svc_entry
 *                       from elsewhere:   __dabt_invalid
 *                     the processor's abort function: status and address;
 *                       interrupts on again if they were
 *                     do_DataAbort
 *                     ret_from_exception (user), svc_exit (supervisor)
 *
 * and the same with pabt, lr - 4 and do_PrefetchAbort.  On entry the processor
 * has turned interrupts and asynchronous aborts off, and taken the byte order
 * and the instruction set from SCTLR.EE and .TE, both 0 here: little-endian
 * data and ARM instructions, whatever the user program had chosen by SETEND or
 * BX (DDI 0406C, B1.8.3).  RFE puts all of it back with the psr.
 *
 * Macros and the layout of the stacks: asm/entry_regs.h.  A user fault costs
 * 27 instructions on the way in and 9 on the way out.
 *
 * The host supplies entry_host.h with exception_work; exit_to_user_work(regs),
 * which does pending work (signals, another task's turn), called and returning
 * with interrupts off; bad_mode(regs, vector), which does not return; and
 * vector_und, _swi, _irq, _fiq, _rst.  For kernels only: hosted builds call
 * do_DataAbort() themselves.
 */
#include <asm/entry_regs.h>
#include <asm/procinfo.h>
#include "entry_host.h"

	.text
	.arm

/*
 * abort_function WHICH, RETURN: to the processor's function, which goes on to
 * do_..Abort(address, status, regs), and that returns to RETURN.  r4 and r5
 * are the interrupted context's pc and psr; interrupts are off.
 */
.macro abort_function which, return
	ldr	r6, .Lprocessor_aborts
	mov	r2, sp
	adr	lr, \return
	ldr	pc, [r6, #\which]
.endm

	vector_stub dabt, 8
	usr_entry
	abort_function 0, ret_from_exception

	vector_stub pabt, 4
	usr_entry
	abort_function 4, ret_from_exception

/*
 * ret_from_exception: return to user mode from the pt_regs at sp, after
 * pending work.  Interrupts stay off from the look at the work to the return,
 * so that none comes in between unseen.
 */
	.globl ret_from_exception
	.type ret_from_exception, %function
ret_from_exception:
	cpsid	i
	exception_work r1
	cmp	r1, #0
	bne	1f
	restore_user
1:	mov	r0, sp
	bl	exit_to_user_work
	restore_user
	.size ret_from_exception, . - ret_from_exception

	.type __dabt_svc, %function
__dabt_svc:
	svc_entry
	abort_function 0, return_to_svc
	.type __pabt_svc, %function
__pabt_svc:
	svc_entry
	abort_function 4, return_to_svc
return_to_svc:
	svc_exit

/*
 * An abort of a mode that runs nothing but the first instructions of an
 * exception: the kernel is wrong.  The host is told; sp and lr are those of
 * supervisor mode.
 */
	.type __dabt_invalid, %function
__dabt_invalid:
	svc_entry
	mov	r1, #4
	b	1f
	.type __pabt_invalid, %function
__pabt_invalid:
	svc_entry
	mov	r1, #3
1:	mov	r0, sp
	b	bad_mode

.Lprocessor_aborts:
	.word	processor_aborts

/* void exception_stacks_init(struct exception_stacks *stacks) */
	.globl exception_stacks_init
	.type exception_stacks_init, %function
exception_stacks_init:
	cps	#PSR_MODE_ABT
	mov	sp, r0
	cps	#PSR_MODE_UND
	add	sp, r0, #12
	cps	#PSR_MODE_IRQ
	add	sp, r0, #24
	cps	#PSR_MODE_FIQ
	add	sp, r0, #36
	cps	#PSR_MODE_SVC
	bx	lr
	.size exception_stacks_init, . - exception_stacks_init

/*
 * The start of the vectors page, in the order of the hardware (DDI 0406C,
 * B1.8.1): at address n, a load of pc from n + 32, for the kernel is too far
 * away for a branch.
 */
	.section .rodata
	.balign 4
	.globl vectors_start, vectors_end
vectors_start:
	.rept	8
	ldr	pc, [pc, #24]
	.endr
	.word	vector_rst, vector_und, vector_swi, vector_pabt
	.word	vector_dabt, vector_rst, vector_irq, vector_fiq
vectors_end:

	.section .note.GNU-stack, "", %progbits
