/* SPDX-License-Identifier: MIT */
/*
 * disk_store.h - what a simulated disk holds (sim/disk_store.c), for the
 * requests of sim/disk.c.  disk->lock is held for all of these.
 */
#ifndef QUIRE_SIM_DISK_STORE_H
#define QUIRE_SIM_DISK_STORE_H

#include <sim/disk.h>

/* Bytes [pos, pos + n), zeroes past `size` and past the disk's end; the same
 * into it, which may make it longer.  0 or -errno. */
int store_read(struct sim_disk *d, uint64_t pos, char *buf, size_t n,
	       uint64_t size);
int store_write(struct sim_disk *d, uint64_t pos, const char *buf, size_t n);
/* Contents in d->data, with zeroed space for `size` bytes: 0 or -ENOMEM. */
int store_materialise(struct sim_disk *d, uint64_t size);
/* All that is completed is safe: 0 or -ENOMEM. */
int store_make_safe(struct sim_disk *d);
/* No write is remembered any more that a power failure could undo. */
void store_forget_unsafe(struct sim_disk *d);
/* Any of the blocks of a write reach the image of *size bytes, which has room
 * for all of them. */
void store_write_blocks(struct sim_disk *d, char *image, uint64_t *size,
			uint64_t pos, const char *buf, size_t n);
/* What befalls the page at this index of a request: 0 or -errno. */
int store_page_trouble(struct sim_disk *d, bool write, uint64_t index);

#endif
