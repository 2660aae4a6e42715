/* SPDX-License-Identifier: MIT */
/*
 * entry.S - vector 14 on hardware (behaviour E1).
 *
 * The IDT's entry 14 leads here with interrupts off and, on the stack, the
 * processor's frame: error code, RIP, CS, RFLAGS, RSP, SS (SDM vol. 3A,
 * 6.14.2).  The error code stays where it is: it is pt_regs.orig_ax.  CR2 is
 * read before anything can fault again; then interrupts come on again if the
 * interrupted context had them on, and C takes over.
 *
 * The host supplies ret_from_exception, which returns from a struct pt_regs
 * at %rsp.  Used by kernels only; hosted builds call do_page_fault() directly.
 */
#include <asm/entry_regs.h>

#define EFLAGS_IF 0x200

	.text
	.globl page_fault
	.type page_fault, @function
page_fault:
	ASM_CLAC
	cld
	testb $3, 16(%rsp)
	jz 1f
	swapgs
1:	PUSH_REGS
	movq %rsp, %rdi
	movq PT_ORIG_AX(%rsp), %rsi
	movq %cr2, %rdx
	testl $EFLAGS_IF, PT_FLAGS(%rsp)
	jz 2f
	sti
2:	call do_page_fault
	jmp ret_from_exception
	.size page_fault, . - page_fault

	.section .note.GNU-stack, "", @progbits
