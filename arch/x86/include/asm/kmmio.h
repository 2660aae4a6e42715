/* SPDX-License-Identifier: MIT */
/*
 * kmmio.h - what arch/x86/kmmio.c keeps per system and per CPU.
 */
#ifndef QUIRE_X86_KMMIO_H
#define QUIRE_X86_KMMIO_H

#include "base.h"
#include "lock.h"

#define KMMIO_PAGES 64u /* different pages at a time */
#define KMMIO_HITS  6u	/* pages that one instruction touches */
/* kmmio_page.armed; 0: no probe, or none any more */
#define KMMIO_ARMED   1u /* absent unless open */
#define KMMIO_LEAVING 2u /* its last probe is on the way out */
#define KMMIO_DEPTH   4u /* steps within steps: interrupts, handlers */

/*
 * A page of the host's, of 1 << shift bytes.  Once used it stays: a fault may
 * have been raised before its last probe went.
 */
struct kmmio_page {
	uaddr_t addr;	 /* atomic; 0: never used */
	uint8_t shift;	 /* set before addr */
	void *entry;	 /* its entry, likewise */
	uint32_t probes; /* under the lock */
	uint32_t armed;	 /* atomic: KMMIO_* */
	uint32_t open;	 /* atomic: steps that need it present */
};

struct kmmio_system {
	spinlock_t lock; /* LEAF: registering */
	uint64_t clock;	 /* atomic: moves with each change of the probes */
	uint32_t oldest; /* where to look for a page to take over */
	struct quire_kmmio_probe *probes; /* atomic links */
	struct kmmio_page page[KMMIO_PAGES];
};

/* One instruction that is stepped over. */
struct kmmio_step {
	uaddr_t ip;
	uaddr_t flags; /* its own TF and IF */
	uint32_t n;
	struct {
		struct kmmio_page *page;
		uaddr_t addr;
		uint64_t when; /* which probes were there */
	} hit[KMMIO_HITS];
};

/* Its CPU's alone, but for seq. */
struct kmmio_cpu {
	uint64_t seq; /* atomic; odd: a handler or step is under way */
	uint32_t inside, depth;
	struct kmmio_step step[KMMIO_DEPTH];
};

#endif
