/* SPDX-License-Identifier: MIT */
/*
 * Assembly: struct pt_regs (asm/ptrace.h) on the way into the kernel and out.
 * PUSH_REGS comes when the processor's frame and the error code are pushed.
 */
#ifndef QUIRE_X86_ENTRY_REGS_H
#define QUIRE_X86_ENTRY_REGS_H

#ifdef __ASSEMBLER__
/* clang-format off */

#define PT_R11 48
#define PT_R10 56
#define PT_R9 64
#define PT_R8 72
#define PT_AX 80
#define PT_CX 88
#define PT_DX 96
#define PT_SI 104
#define PT_DI 112
#define PT_ORIG_AX 120
#define PT_IP 128
#define PT_CS 136
#define PT_FLAGS 144
#define PT_SP 152
#define PT_SS 160

.macro PUSH_REGS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

/*
 * CLAC where SMAP is on: three bytes of nothing, which the host overwrites at
 * boot when the processor has it (the places are listed in .smap_patch).
 */
.macro ASM_CLAC
771:	nopl (%rax)
	.pushsection .smap_patch, "a"
	.quad 771b
	.quad 0
	.popsection
.endm
.macro ASM_STAC
771:	nopl (%rax)
	.pushsection .smap_patch, "a"
	.quad 771b
	.quad 1
	.popsection
.endm

#endif
#endif
