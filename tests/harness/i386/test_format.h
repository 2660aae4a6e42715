/* SPDX-License-Identifier: MIT */
/* What tests of every format need to know of i386's; see harness.h. */
#ifndef QUIRE_TESTS_FORMAT_H
#define QUIRE_TESTS_FORMAT_H

#include <asm/trap_pf.h>

#define TEST_SHAPES                                                            \
	{                                                                      \
		"2",                                                           \
		{                                                              \
			.levels = 2                                            \
		}                                                              \
	}

#define TEST_PLACE(n) (0x20000000u + (n)*0x04000000u)
#define TEST_LARGE    0x40000000u
#define TEST_APART    1u << 14, 1u << 23

#define TEST_KERNEL_HOLE 0xf8000008u
#define TEST_KERNEL_RAM	 0xc0000000u

#define TEST_HAS_NX	      false
#define TEST_HARDWARE_AD      true
#define TEST_ASIDS(n)	      0 /* PCIDs are for 64-bit mode only */
#define TEST_TLB_BROADCAST(m) ((void)(m), false)
#define TEST_FAULT_TRAPNO     X86_TRAP_PF

#include <tests/harness/x86_error.h>

#endif
