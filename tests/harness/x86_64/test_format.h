/* SPDX-License-Identifier: MIT */
/* What tests of every format need to know of x86-64's; see harness.h. */
#ifndef QUIRE_TESTS_FORMAT_H
#define QUIRE_TESTS_FORMAT_H

#include <asm/trap_pf.h>

#define TEST_SHAPES                                                            \
	{"4", {.levels = 4}},                                                  \
	{                                                                      \
		"5",                                                           \
		{                                                              \
			.levels = 5                                            \
		}                                                              \
	}

#define TEST_PLACE(n) (0x200000000000ull + (n)*0x10000000000ull)
#define TEST_LARGE    (64ull << 30)
/* a table of each level; and nothing but the root */
#define TEST_APART 1ull << 14, 1ull << 22, 1ull << 31, 1ull << 40

#define TEST_KERNEL_HOLE 0xffffc90000000008ull
#define TEST_KERNEL_RAM	 0xffff888000000000ull

#define TEST_HAS_NX	      true
#define TEST_HARDWARE_AD      true
#define TEST_ASIDS(n)	      (n)
#define TEST_TLB_BROADCAST(m) ((void)(m), false)
#define TEST_FAULT_TRAPNO     X86_TRAP_PF

#include <tests/harness/x86_error.h>

#endif
