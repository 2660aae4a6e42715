/* SPDX-License-Identifier: MIT */
/*
 * zram.h - swap in compressed memory, and the pool that it keeps pieces in.
 */
#ifndef KERNEL_ZRAM_H
#define KERNEL_ZRAM_H

#include <quire/quire.h>

/* ------------------------------------------------------- dev/zpool.c */

#define ZPOOL_CHUNK 64u /* the unit of sizes */
/* The largest piece: a page without its header. */
#define ZPOOL_MAX (QUIRE_PAGE_SIZE - ZPOOL_CHUNK)

struct zpool;
/* An empty pool; NULL: no memory.  destroy: whatever is in it goes, too. */
struct zpool *zpool_create(void);
void zpool_destroy(struct zpool *z);
/*
 * zpool_alloc: a piece of `bytes` (1 ... ZPOOL_MAX); 0: no memory.  zpool_at:
 * where it is; it does not move.  zpool_free: gives it back, with the size that
 * was asked for.  None sleeps; spinlocks of Quire's may be held; memory comes
 * and goes a page at a time.
 */
uint32_t zpool_alloc(struct zpool *z, size_t bytes);
void *zpool_at(uint32_t piece);
void zpool_free(struct zpool *z, uint32_t piece, size_t bytes);
uint64_t zpool_pages(struct zpool *z); /* that it has now */

/* -------------------------------------------------------- dev/zram.c */

struct zram;
/*
 * A device of so many slots; NULL: no memory.  Pages of its table and of the
 * pool are taken when they are written.  destroy: nobody uses it any more.
 */
struct zram *zram_create(uint64_t slots);
void zram_destroy(struct zram *z);
/* For struct quire_swap_config: the device is the struct zram. */
extern const struct quire_swap_ops zram_swap_ops;

struct zram_stats {
	uint64_t stored;  /* slots that hold something now */
	uint64_t same;	  /* of which one word says it all */
	uint64_t bytes;	  /* compressed, of the others */
	uint64_t pages;	  /* of memory, tables and pool */
	uint64_t refused; /* ever: did not shrink enough */
	uint64_t no_room; /* ever: there was no memory */
};
void zram_get_stats(struct zram *z, struct zram_stats *out);

#endif
