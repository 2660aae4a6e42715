/* SPDX-License-Identifier: MIT */
/*
 * Where an instrumented function returns to when its result is wanted
 * (record.c): the result is in the return registers, the stack as it was
 * before the call (System V ABI for AMD64, 3.2.3).
 */
	.text
	.globl explain_return
	.type explain_return, @function
explain_return:
	pushq %rax
	pushq %rdx
	movq %rax, %rdi
	call explain_returned
	movq %rax, %rcx
	popq %rdx
	popq %rax
	jmp *%rcx
	.size explain_return, . - explain_return

	.section .note.GNU-stack, "", @progbits
