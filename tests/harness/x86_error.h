/* SPDX-License-Identifier: MIT */
/* test_error_is() for the error code of x86's page fault. */
#ifndef QUIRE_TESTS_X86_ERROR_H
#define QUIRE_TESTS_X86_ERROR_H

#include <stdbool.h>
#include <asm/trap_pf.h>
#include <sim/sim.h>

static inline bool test_error_is(uint64_t error, enum sim_access_kind kind,
				 unsigned mode, bool present)
{
	uint64_t want = (mode & SIM_KERNEL ? 0 : X86_PF_USER) |
			(kind == SIM_WRITE ? X86_PF_WRITE : 0) |
			(present ? X86_PF_PROT : 0);

	/* fetches are told apart only by a processor with NX or SMEP */
	return (error & ~(uint64_t)(kind == SIM_FETCH ? X86_PF_INSTR : 0)) ==
	       want;
}

#endif
