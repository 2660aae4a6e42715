/* SPDX-License-Identifier: MIT */
/*
 * procinfo.h - the processor table: what differs between the processors that
 * take the same exceptions (arch/arm/proc.S).
 */
#ifndef QUIRE_ARM_PROCINFO_H
#define QUIRE_ARM_PROCINFO_H

/* Offsets in struct processor. */
#define PROC_MIDR   0
#define PROC_MASK   4
#define PROC_DABORT 8
#define PROC_PABORT 12
#define PROC_NAME   16
#define PROC_SIZE   20

#ifndef __ASSEMBLER__

#include <quire/types.h>

struct processor {
	uint32_t midr, mask; /* it is this one if (MIDR & mask) == midr */
	/*
	 * What the abort stubs call: reads the fault's status and address and
	 * goes on to do_DataAbort or do_PrefetchAbort (abort-v6.S).
	 */
	void (*data_abort)(void);
	void (*prefetch_abort)(void);
	const char *name;
};
extern const struct processor processor_table[], processor_table_end[];

/*
 * processor_select: find this CPU's entry by its main id register (MIDR) and
 * use its abort functions from now on.  Called once at boot, before the first
 * abort, with the MMU on.  Returns the entry, or NULL: not known, and aborts
 * cannot be taken.
 */
const struct processor *processor_select(uint32_t midr);

/*
 * exception_stacks_init: give this CPU's abort, undefined, interrupt and fast
 * interrupt modes their three words each.  Called once on every CPU in
 * supervisor mode with interrupts off, before the first exception.
 */
struct exception_stacks {
	uint32_t abt[3], und[3], irq[3], fiq[3];
};
void exception_stacks_init(struct exception_stacks *stacks);

/*
 * The vectors' page, for both places of the vectors (SCTLR.V): eight branches
 * and the addresses they go to; copied by the host to the start of the page.
 */
extern const char vectors_start[], vectors_end[];

#endif
#endif
