/* SPDX-License-Identifier: MIT */
/*
 * fault.h - between the files of arch/arm that answer aborts.
 */
#ifndef QUIRE_ARM_FAULT_H
#define QUIRE_ARM_FAULT_H

#include "mm.h"
#include <asm/fsr.h>
#include <asm/pgtable.h>
#include <asm/ptrace.h>

/*
 * arch/arm/fault.c: the handlers that the tables of fsr.c name.  Each is
 * called with no lock held, interrupts as the aborted context had them, and
 * may sleep if that context may.  fsr: with FSR_PREFETCH for a prefetch abort.
 */
vm_fault_t arm_do_page_fault(struct quire_task *task, uaddr_t addr,
			     uint32_t fsr, struct pt_regs *regs);
vm_fault_t do_translation_fault(struct quire_task *task, uaddr_t addr,
				uint32_t fsr, struct pt_regs *regs);
vm_fault_t do_sect_fault(struct quire_task *task, uaddr_t addr, uint32_t fsr,
			 struct pt_regs *regs);
vm_fault_t do_bad(struct quire_task *task, uaddr_t addr, uint32_t fsr,
		  struct pt_regs *regs);

/*
 * arch/arm/walk.c: the descriptors on the way to an address, raw: first level,
 * then second if the first says that there is one.  Reads only; no lock: for
 * reports.
 */
struct arm_walk {
	unsigned n; /* descriptors read */
	uint32_t desc[2];
};
void arm_walk_table(struct quire *q, paddr_t root, uaddr_t addr,
		    struct arm_walk *w);

#endif
