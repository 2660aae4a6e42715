/* SPDX-License-Identifier: MIT */
/* What tests of every format need to know of ARM's; see harness.h. */
#ifndef QUIRE_TESTS_FORMAT_H
#define QUIRE_TESTS_FORMAT_H

#include <stdbool.h>
#include <sim/sim.h>

#define TEST_SHAPES                                                            \
	{"v7", {.arm_version = 7}},                                            \
	{                                                                      \
		"v6",                                                          \
		{                                                              \
			.arm_version = 6, .arm_colours = 4                     \
		}                                                              \
	}

#define TEST_PLACE(n) (0x20000000u + (n)*0x04000000u)
#define TEST_LARGE    0x40000000u
#define TEST_APART    1u << 14, 1u << 23

#define TEST_KERNEL_HOLE 0xf8000008u
#define TEST_KERNEL_RAM	 0xc0000000u

#define TEST_HAS_NX	      true
#define TEST_HARDWARE_AD      false
#define TEST_ASIDS(n)	      (n)
#define TEST_TLB_BROADCAST(m) (sim_get_config(m)->arm_version == 7)
#define TEST_FAULT_TRAPNO     14

/*
 * Of a fault status register (ARM DDI 0406C, B3.13.3, short descriptors): the
 * status in bits 10 and 3:0, WnR in bit 11.  It does not tell the processor's
 * mode; bit 31 is what the entry adds to an instruction fault's.
 */
static inline bool test_error_is(uint64_t error, enum sim_access_kind kind,
				 unsigned mode, bool present)
{
	unsigned status = (error & 0xf) | (error >> 6 & 0x10);
	/* permission and access-flag faults, of a section or a page */
	bool found = status == 0x0d || status == 0x0f || status == 0x03 ||
		     status == 0x06;
	bool missing = status == 0x05 || status == 0x07;

	(void)mode;
	if ((error >> 11 & 1) != (kind == SIM_WRITE))
		return false;
	return present ? found : missing;
}

#endif
