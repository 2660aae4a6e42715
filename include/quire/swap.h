/* SPDX-License-Identifier: MIT */
/*
 * swap.h - swap areas: where memory that has no file goes when it is short.
 *
 *   reclaim --> a slot of the area with the highest priority that has room
 *           --> ops->write (a run of pages to a run of slots)
 *           --> quire_page_end_write() each page
 *   fault   --> ops->read, quire_page_end_read()
 *   nobody needs the slot any more: ops->slot_free, later ops->discard
 *
 * A device is this struct of functions and a pointer of its own.  A slot is a
 * page; an area is slots [first, slots).
 */
#ifndef QUIRE_SWAP_H
#define QUIRE_SWAP_H

#include <quire/types.h>

#define QUIRE_MAX_SWAP_AREAS 24u

struct quire_swap_ops {
	/*
	 * write: store pages[0 ... n) in slots [slot, slot + n).  Each page
	 * gets quire_page_end_write(q, page, error) once, before this returns
	 * or later, from any task.  Called in reclaim: it may sleep (for room
	 * in a queue), must not wait for memory (QUIRE_GFP_ATOMIC; what a task
	 * allocates meanwhile comes from the reserve and never enters reclaim).
	 * The pages are locked or under write-back: they stay.
	 */
	void (*write)(void *device, uint64_t slot, struct page **pages,
		      unsigned n);
	/* read: the same the other way, ended by quire_page_end_read(). */
	void (*read)(void *device, uint64_t slot, struct page **pages,
		     unsigned n);
	/*
	 * slot_free: nothing will be read from this slot before it is written
	 * again.  Must not sleep; a spinlock is held.  NULL: no interest.
	 */
	void (*slot_free)(void *device, uint64_t slot);
	/*
	 * discard: the same for a run of slots which are held back meanwhile;
	 * may sleep, but must not wait for memory, as write.  Called by
	 * background work, by who reclaims where no other slot is free, and by
	 * swapon for the whole area.  NULL, or an area without
	 * QUIRE_SWAP_DISCARD: not called.
	 */
	void (*discard)(void *device, uint64_t slot, uint64_t n);
};

#define QUIRE_SWAP_SYNC                                                        \
	1u /* read and write have ended when they return:                      \
	    * no readahead, and a page of one user does                        \
	    * not enter the swap cache */
#define QUIRE_SWAP_DISCARD 2u
#define QUIRE_SWAP_ROTATIONAL                                                  \
	4u /* neighbours are cheap: CPUs share a cluster */
#define QUIRE_SWAP_DISCARD_FREED                                               \
	8u /* with DISCARD: not the whole area at swapon */

struct quire_swap_config {
	const struct quire_swap_ops *ops;
	void *device;
	uint64_t slots; /* [first, slots) are used */
	uint64_t first; /* 1 where a header (mkswap) takes slot 0; may be 0 */
	int priority;	/* 0 ... 32767; -1: less than all before it */
	unsigned flags;
	const uint64_t *bad; /* slots not to be used, in order; NULL: none */
	unsigned nr_bad;
};

/*
 * quire_swapon: add an area.  Returns its number (0 ... QUIRE_MAX_SWAP_AREAS -
 * 1), -EINVAL (no slot, or a bad configuration), -EPERM (all areas taken),
 * -ENOMEM.  Slots beyond what the format's entries can name are left out.
 *
 * quire_swapoff: bring back everything that is there, then forget the area: its
 * device is not used any more once this has returned 0.  -EINVAL: no such area;
 * -ENOMEM: memory has no room for it, or (strict overcommit) for what has been
 * promised (some is back, the area is as before);
 * -EINTR: killed.  What cannot be read is lost: its users get SIGBUS when they
 * touch it.  Both sleep.
 */
int quire_swapon(struct quire *q, const struct quire_swap_config *config);
int quire_swapoff(struct quire *q, unsigned area);

struct quire_swap_info {
	uint64_t slots; /* that can be used */
	uint64_t used;
	int priority;
	unsigned flags;
	void *device;
	uint64_t pages_in, pages_out, read_errors, write_errors;
};
/* 0, or -EINVAL: there is no such area. */
int quire_swap_info(struct quire *q, unsigned area,
		    struct quire_swap_info *out);
/* Slots of all areas: that can be used, and that are free. */
void quire_swap_total(struct quire *q, uint64_t *total, uint64_t *free);

#endif
