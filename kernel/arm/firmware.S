/* SPDX-License-Identifier: MIT */
/*
 * firmware.S - int hvc_call(fn, a, b, c), int smc_call(fn, a, b, c): calls to
 * what runs beneath the kernel (SMC Calling Convention, DEN 0028B).
 */
	.text
	.arm
#if __ARM_ARCH >= 7
	.arch_extension virt
	.arch_extension sec
	.globl hvc_call
	.type hvc_call, %function
hvc_call:
	hvc	#0
	bx	lr

	.globl smc_call
	.type smc_call, %function
smc_call:
	smc	#0
	bx	lr
#endif

	.section .note.GNU-stack, "", %progbits
