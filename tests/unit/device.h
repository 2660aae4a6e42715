/* SPDX-License-Identifier: MIT */
/* A device for tests of device mappings: some frames that Quire does not own,
 * behind a file. */
#ifndef QUIRE_TESTS_DEVICE_H
#define QUIRE_TESTS_DEVICE_H

#include <tests/unit/common.h>

#define DEV_PAGES 32u

/* One device a test (each test has a process of its own). */
struct test_device {
	struct sim_machine *m;
	struct sim_file *f;
	paddr_t phys;
	uint8_t kind, cache;
	int refuse, broken; /* -errno of mmap, of frame */
	int no_write;	    /* -errno of mkwrite */
	bool no_address;
	bool gone;			 /* atomic: revoked */
	struct page *page[DEV_PAGES];	 /* MIXED: of memory */
	unsigned maps, frames, mkwrites; /* calls; atomic */
	struct quire_device_map asked;
	struct quire_device_ops ops;
};
extern struct test_device dev;

/* Make it: kind is enum quire_device_kind; without `mapping` nothing can be
 * revoked.  Frames hold their number in each word. */
void device_make(struct sim_machine *m, unsigned kind, bool mapping,
		 bool mkwrite);
uint64_t *device_frame(unsigned n);
static inline uaddr_t device_map(struct sim_task *t, unsigned prot,
				 unsigned flags)
{
	return must_map(t, DEV_PAGES * PG, prot, flags, dev.f, 0);
}
static inline unsigned device_calls(unsigned *n)
{
	return __atomic_exchange_n(n, 0, __ATOMIC_ACQ_REL);
}

#endif
