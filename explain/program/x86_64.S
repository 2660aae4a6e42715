/* SPDX-License-Identifier: MIT */
/*
 * What `quire explain entry` runs: one store to a page that is not there yet,
 * then exit(0).
 */
	.text
	.globl _start
	.globl the_store
_start:
	xorl %edi, %edi
	leaq page(%rip), %rax
the_store:
	movb $1, (%rax)
	movl $231, %eax		/* exit_group */
	syscall

	.bss
	.balign 4096
	.skip 4096
page:	.skip 4096

	.section .note.GNU-stack, "", @progbits
