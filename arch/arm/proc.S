/* SPDX-License-Identifier: MIT */
/*
 * proc.S - the processor table, matched by the main id register (MIDR; ARM ARM
 * DDI 0406C B4.1.105): bits 31:24 the implementer (0x41: ARM), 19:16 the
 * architecture (0xf: as the CPUID registers say), 15:4 the part: 0xb.. are the
 * ARM11s (ARMv6), 0xc.. the Cortex-A and -R (ARMv7).  The first match counts.
 */
#include <asm/procinfo.h>

	.section .rodata
	.balign 4
	.globl processor_table, processor_table_end
processor_table:
	/* ARM1136 before r1p0 (abort-v6.S): variant 0, revision 2 or less */
	.word	0x4107b360, 0xfffffffc, 0, 0, .Lname_1136
	.word	0x4100b000, 0xff00f000, v6_early_abort, v6_pabort, .Lname_v6
	.word	0x4100c000, 0xff00f000, v7_early_abort, v7_pabort, .Lname_v7
	/* other makers' */
	.word	0x000f0000, 0x000f0000, v7_early_abort, v7_pabort, .Lname_v7
processor_table_end:
.Lname_1136:
	.asciz	"ARM1136 r0"
.Lname_v6:
	.asciz	"ARM11 (ARMv6)"
.Lname_v7:
	.asciz	"ARMv7"

/* What this machine's abort stubs call: data, prefetch (entry.S). */
	.data
	.balign 8
	.globl processor_aborts
processor_aborts:
	.word	0, 0

/* const struct processor *processor_select(uint32_t midr) */
	.text
	.arm
	.globl processor_select
	.type processor_select, %function
processor_select:
	mov	ip, r0
	ldr	r0, =processor_table
	ldr	r3, =processor_table_end
1:	cmp	r0, r3
	moveq	r0, #0
	bxeq	lr
	ldr	r1, [r0, #PROC_MIDR]
	ldr	r2, [r0, #PROC_MASK]
	and	r2, r2, ip
	cmp	r1, r2
	addne	r0, r0, #PROC_SIZE
	bne	1b
	ldr	r1, [r0, #PROC_DABORT]
	ldr	r2, [r0, #PROC_PABORT]
	cmp	r1, #0
	moveq	r0, #0
	ldrne	r3, =processor_aborts
	stmne	r3, {r1, r2}
	bx	lr
	.ltorg
	.size processor_select, . - processor_select

	.section .note.GNU-stack, "", %progbits
