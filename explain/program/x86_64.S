/* SPDX-License-Identifier: MIT */
/*
 * What `quire explain entry` runs: a store to a page that is not there yet; a
 * jump to one of the file that is cached but not mapped; a system call, uname,
 * that writes to a page that is not there yet; then exit(0).
 */
	.text
	.globl _start, the_store, the_jump, the_page, the_call, after_call
_start:
	leaq page(%rip), %rax
the_store:
	movb $1, (%rax)
	/*
	 * Read from the device and mapped, then mapped no more: it stays in the
	 * page cache.  A neighbour's fault, which brings it there too, may map
	 * it at once (fault-around): nothing would be left for the jump.
	 */
	movb the_page(%rip), %al
	movl $28, %eax		/* madvise */
	leaq the_page(%rip), %rdi
	movl $4096, %esi
	movl $4, %edx		/* MADV_DONTNEED */
	syscall
the_jump:
	call the_page
	movl $63, %eax
	leaq buffer(%rip), %rdi
the_call:
	syscall
after_call:
	xorl %edi, %edi
	movl $231, %eax		/* exit_group */
	syscall

	.skip 0x40000
	.balign 4096
the_page:
	ret
	.skip 0x40000

	.bss
	.balign 4096
	.skip 4096
page:	.skip 4096
	.skip 4096
buffer:	.skip 4096

	.section .note.GNU-stack, "", @progbits
