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
	pteval_t *slot; /* where the last one is */
	uint8_t shift[5];
};
void x86_walk_table(struct quire *q, paddr_t root, uaddr_t addr,
		    struct x86_walk *w);
/* kernel_page_mapped: does the reference table have a page at addr? */
bool kernel_page_mapped(struct quire *q, uaddr_t addr);
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

/* The registers of a report, by the names of the manual: R(name, field) */
/* A list that clang-format would pull apart. */
/* clang-format off */
#if QUIRE_UADDR_BITS == 64
#define X86_REGS(R) \
	R("RIP", ip) R("RSP", sp) R("EFLAGS", flags) \
	R("RAX", ax) R("RBX", bx) R("RCX", cx) R("RDX", dx) \
	R("RSI", si) R("RDI", di) R("RBP", bp) \
	R("R08", r8) R("R09", r9) R("R10", r10) R("R11", r11) \
	R("R12", r12) R("R13", r13) R("R14", r14) R("R15", r15)
#else
#define X86_REGS(R) \
	R("EIP", ip) R("ESP", sp) R("EFLAGS", flags) \
	R("EAX", ax) R("EBX", bx) R("ECX", cx) R("EDX", dx) \
	R("ESI", si) R("EDI", di) R("EBP", bp) \
	R("DS", ds) R("ES", es)
#endif
/* clang-format on */

#endif
