/* SPDX-License-Identifier: MIT */
/*
 * fault.h - between the files of arch/x86 that answer exception 14.
 */
#ifndef QUIRE_X86_FAULT_H
#define QUIRE_X86_FAULT_H

#include "mm.h"
#include <asm/pgtable.h>
#include <asm/ptrace.h>
#include <asm/trap_pf.h>

/*
 * arch/x86/walk.c: the entries on the way to an address, raw, top first.
 * entry[i] belongs to shift[i]; n of them were read: the last one is not
 * present, or maps a page (its shift tells the size).  Reads only; no lock:
 * a table freed meanwhile is at worst misread, so for reports and for the
 * kernel's half, which is never freed.
 */
struct x86_walk {
	unsigned n;
	uint64_t entry[5];
	uint8_t shift[5];
};
void x86_walk_table(struct quire *q, paddr_t root, uaddr_t addr,
		    struct x86_walk *w);
/*
 * spurious_kernel_fault: does the kernel's table allow by now what faulted?
 * Only permission faults of kernel mode can be spurious.
 */
bool spurious_kernel_fault(struct quire *q, unsigned long error_code,
			   uaddr_t address);

/*
 * arch/x86/oops.c: log a table with reserved bits set.  Any context; does not
 * sleep.
 */
void pgtable_bad(struct quire_task *task, struct pt_regs *regs,
		 unsigned long error_code, uaddr_t address);

#endif
