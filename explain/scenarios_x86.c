/* SPDX-License-Identifier: MIT */
/*
 * scenarios_x86.c - faults that only x86 has: reserved bits, a kernel entry
 * that is stale in the TLB or missing in one address space (E3).
 */
#include <string.h>

#include <fault.h>

#include "explain.h"

/* A bit that the processor wants clear, past its physical addresses. */
static void reserved_bit(struct stage *s)
{
	pte_t *pte, e;

	stage_anonymous_written(s);
	pte = stage_entry(s);
	e = ptep_get(pte);
	memset((char *)&e + 6, 0x08, 1); /* bit 51 */
	set_pte(pte, e);
	flush_tlb_mm(s->t->qt.mm);
}

const struct scenario arch_scenarios[] = {
	{"reserved_bit", "an entry with a reserved bit set: corrupt tables",
	 ON_X86_64 | ON_PAE, QF_OOPS, SIM_READ, 0, reserved_bit, NULL},
	{NULL, NULL, 0, QF_NONE, SIM_READ, 0, NULL, NULL},
};
