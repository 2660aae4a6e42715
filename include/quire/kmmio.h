/* SPDX-License-Identifier: MIT */
/*
 * kmmio.h - probes on the kernel's accesses to device registers (x86).
 *
 *   access to a probed page  ->  page fault    pre(); the page is opened, the
 *                                              instruction single-stepped
 *                            ->  debug trap    post(); the page is closed again
 *
 * A host needs beside quire/host.h: its vector 1 calls quire_kmmio_debug(), and
 * other exceptions of kernel mode quire_kmmio_cancel() before anything else.
 *
 * A probed page must not be one that the way into and out of an exception, or
 * quire_host_cpu_call(), touches itself (stacks, descriptor tables, the local
 * APIC).  The whole page that the host's table maps there is closed (4 KiB, 2
 * MiB ...), so what else lies in it becomes slow, but has no handler called.
 * An access by another CPU goes unnoticed while one is stepping over its own in
 * the same page; nothing else is missed, and no access is lost or done twice.
 */
#ifndef QUIRE_KMMIO_H
#define QUIRE_KMMIO_H

#include <quire/types.h>

struct pt_regs;

struct quire_kmmio_probe {
	uaddr_t addr; /* kernel address of the first byte */
	uaddr_t len;  /* bytes; accesses that begin within are told */
	/*
	 * addr: the byte that faulted; regs: of the instruction that makes the
	 * access, before and after it.  Called on the CPU of the access, in its
	 * context, with preemption off: no sleep, no lock that the probed code
	 * may hold, no (un)registering.  Their own accesses to the page are not
	 * told.  Either may be NULL.  An access that faults for another reason
	 * as well is repeated, with another pre(), and no post() for the first.
	 */
	void (*pre)(struct quire_kmmio_probe *probe, struct pt_regs *regs,
		    uaddr_t addr);
	void (*post)(struct quire_kmmio_probe *probe, struct pt_regs *regs,
		     uaddr_t addr);
	void *cookie; /* the host's */
	/* Quire's: */
	struct quire_kmmio_probe *next;
	uint64_t born, died;
};

/*
 * quire_kmmio_register: 0; -EINVAL (no length, not all of it kernel addresses,
 * or mapped by the top-level table itself); -EFAULT (some of it not mapped);
 * -EBUSY (registered already); -ENOSPC (too many pages).  The probe stays the
 * caller's memory.  From task context, interrupts on; does not sleep.
 * quire_kmmio_unregister: when it returns no handler runs nor will.
 */
int quire_kmmio_register(struct quire *q, struct quire_kmmio_probe *probe);
void quire_kmmio_unregister(struct quire *q, struct quire_kmmio_probe *probe);

/*
 * quire_kmmio_debug: the debug exception (vector 1) with DR6.BS set, interrupts
 * off.  true: it was a step over a probed access and is dealt with; false: it
 * is somebody else's (too).  quire_kmmio_cancel: the instruction at regs raises
 * another exception: if it was being stepped over, that ends (its pages are
 * closed, its flags are its own again).
 */
bool quire_kmmio_debug(struct pt_regs *regs);
void quire_kmmio_cancel(struct pt_regs *regs);

#endif
