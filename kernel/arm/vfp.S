/* SPDX-License-Identifier: MIT */
/*
 * vfp.S - the floating-point and SIMD registers to memory and back: struct
 * vfp_state (arch_task.h).  The unit is on.  DDI 0406C, A2.6 and B1.11.
 */
#define FPSCR_AT 256
	.text
	.arm
	.fpu neon

/* void vfp_store(struct vfp_state *s, bool d32): 16 or 32 registers */
	.globl vfp_store
	.type vfp_store, %function
vfp_store:
	vmrs	r2, fpscr
	str	r2, [r0, #FPSCR_AT]
	vstmia	r0!, {d0-d15}
	cmp	r1, #0
	bxeq	lr
	vstmia	r0, {d16-d31}
	bx	lr

/* void vfp_load(const struct vfp_state *s, bool d32) */
	.globl vfp_load
	.type vfp_load, %function
vfp_load:
	ldr	r2, [r0, #FPSCR_AT]
	vldmia	r0!, {d0-d15}
	vmsr	fpscr, r2
	cmp	r1, #0
	bxeq	lr
	vldmia	r0, {d16-d31}
	bx	lr

/* uint32_t vfp_fpsid(void), and its like: B6.1 */
.macro READ name, reg
	.globl vfp_\name
	.type vfp_\name, %function
vfp_\name:
	vmrs	r0, \reg
	bx	lr
.endm
	READ fpsid, fpsid
	READ mvfr0, mvfr0
	READ mvfr1, mvfr1

/* void vfp_enable(uint32_t fpexc) */
	.globl vfp_enable
	.type vfp_enable, %function
vfp_enable:
	vmsr	fpexc, r0
	bx	lr

	.section .note.GNU-stack, "", %progbits
