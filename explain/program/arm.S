/* SPDX-License-Identifier: MIT */
/*
 * What `quire explain entry` runs: one store to a page that is not there yet,
 * then exit(0).  In the instructions that ARMv6 has too.
 */
	.arch armv6k
	.arm
	.text
	.globl _start
	.globl the_store
_start:
	ldr r1, =page
	mov r0, #0
the_store:
	strb r1, [r1]
	mov r7, #248		@ exit_group
	svc 0
	.ltorg

	.bss
	.balign 4096
	.skip 4096
page:	.skip 4096

	.section .note.GNU-stack, "", %progbits
