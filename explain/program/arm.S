/* SPDX-License-Identifier: MIT */
/*
 * What `quire explain entry` runs: a store to a page that is not there yet; a
 * jump to one of the file that is cached but not mapped; a system call, uname,
 * that writes to a page that is not there yet; then exit(0).  In instructions
 * that ARMv6 has too.
 */
	.arch armv6k
	.arm
	.text
	.globl _start, the_store, the_jump, the_page, the_call, after_call
_start:
	ldr r1, =page
the_store:
	strb r1, [r1]
	/*
	 * Read from the device and mapped, then mapped no more: it stays in the
	 * page cache.  A neighbour's fault, which brings it there too, may map
	 * it at once (fault-around): nothing would be left for the jump.
	 */
	ldr r0, =the_page
	ldrb r1, [r0]
	mov r1, #4096
	mov r2, #4		@ MADV_DONTNEED
	mov r7, #220		@ madvise
	svc 0
the_jump:
	bl the_page
	mov r7, #122		@ uname
	ldr r0, =buffer
the_call:
	svc 0
after_call:
	mov r0, #0
	mov r7, #248		@ exit_group
	svc 0
	.ltorg

	.skip 0x40000
	.balign 4096
the_page:
	bx lr
	.skip 0x40000

	.bss
	.balign 4096
	.skip 4096
page:	.skip 4096
	.skip 4096
buffer:	.skip 4096

	.section .note.GNU-stack, "", %progbits
