/* SPDX-License-Identifier: MIT */
/*
 * blk.h - disks, as those who keep bytes on them see them.
 *
 *     blk_start(disk, op)       waits for a free request
 *     blk_add(r, phys, bytes)   pieces of memory, in order
 *     blk_submit(r)             returns at once; many may be under way
 *        ... the disk's thread: r->end(r, error), and the request is free
 *
 *     blk_wait() is the same for one request that the caller waits for.
 *
 * A sector is 512 bytes whatever the disk's block is (Virtio 1.1, 5.2.6: the
 * unit of capacity and of requests); requests begin and end on block borders.
 */
#ifndef KERNEL_BLK_H
#define KERNEL_BLK_H

#include "virtio.h"

#define BLK_SECTOR   512u
#define BLK_MAX_SEGS 248u /* pieces of payload in one request, at most */

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,   /* what has been written survives a power failure */
	BLK_DISCARD, /* the contents are not wanted any more */
	BLK_ZERO,    /* write zeroes, without payload */
	BLK_NR_OPS,
};

/* What a disk has done; each read whole. */
struct blk_stats {
	uint64_t requests[BLK_NR_OPS], sectors[BLK_NR_OPS], ns[BLK_NR_OPS];
	uint64_t merged[BLK_NR_OPS]; /* pieces that made no segment */
	uint64_t errors;
	uint32_t in_flight;
};

struct disk {
	char name[8];		  /* vda, vdb ... */
	uint64_t sectors;	  /* capacity */
	uint32_t block;		  /* bytes, logical: the unit of requests */
	uint32_t physical;	  /* bytes, at least as many */
	uint32_t max_segs;	  /* pieces in one request */
	uint32_t max_seg_bytes;	  /* in one piece, a multiple of block */
	uint32_t discard_sectors; /* in one discard; 0: it has none */
	uint32_t zero_sectors;	  /* in one BLK_ZERO; 0: it has none */
	uint32_t discard_align;	  /* bytes: what is discarded at best */
	bool readonly;
	bool flush; /* it has a cache that BLK_FLUSH empties */
	struct blk_stats stats;
	void *fs; /* blkdev.c's */
};

struct blk_req {
	struct disk *disk;
	enum blk_op op;
	uint64_t sector; /* the caller sets it, and for DISCARD and ZERO: */
	uint32_t sectors;
	void (*end)(struct blk_req *r, int error); /* see blk_submit() */
	void *cookie;
	/* payload so far: seg[1 ... nr]; [0] and [nr + 1] are the driver's */
	struct vq_seg *seg;
	unsigned nr, pieces;
	uint32_t bytes;
	/* the driver's */
	struct list_head node;
	struct page *pages;
	struct vq_seg whole[2]; /* of a request that a test cuts short */
	unsigned whole_nr;
	uint32_t whole_bytes;
	uint64_t started;
	struct wait_queue wq; /* blk_wait() */
	bool done;
	int error;
};

/* Look for disks and start them.  0, or -errno: a disk that is there could not
 * be started (the others are).  May sleep. */
int virtio_blk_init(void);
/* The n-th disk, from 0; NULL: there are no more. */
struct disk *blk_disk(unsigned n);

/* A request, when one is free: sleeps until then, needs no memory. */
struct blk_req *blk_start(struct disk *disk, enum blk_op op);
/*
 * Add a piece of memory (whole blocks, physically contiguous, not across a
 * page's end) to the payload of a read or write.  False: the request is full.
 */
bool blk_add(struct blk_req *r, paddr_t phys, uint32_t bytes);
/*
 * Send it.  r->end is called in the disk's own thread (it may wake, and take
 * locks that are never held while waiting for the disk; it must not start
 * requests) with 0, -EIO or -EOPNOTSUPP; the request is free afterwards.
 */
void blk_submit(struct blk_req *r);
/* Send it and sleep until it is done, not to be interrupted: its error. */
int blk_wait(struct blk_req *r);
/* An empty request's end without sending it. */
void blk_drop(struct blk_req *r);

/* dev/blk_pages.c: for those who keep pages on a disk, page n of it being the
 * bytes from n * QUIRE_PAGE_SIZE on. */

/*
 * blk_pages: start op on n pages of memory that are a run of the disk's, from
 * `first` on, in as few requests as can be; r->end is `end`.  Sleeps until
 * there are requests for all of them; needs no memory. blk_end_pages: for such
 * an end: tells each of the request's pages.
 */
void blk_pages(struct disk *disk, enum blk_op op, uint64_t first,
	       struct page **pages, unsigned n,
	       void (*end)(struct blk_req *r, int error));
void blk_end_pages(struct blk_req *r, int error,
		   void (*end)(struct quire *, struct page *, int));
/* Bytes of that page that are on the disk: its last one may be short. */
uint32_t blk_page_bytes(const struct disk *disk, uint64_t n);
/* BLK_DISCARD or BLK_ZERO of sectors [sector, end), on block borders: waits.
 * 0, -EOPNOTSUPP (the disk has no such request), -EIO. */
int blk_range(struct disk *disk, enum blk_op op, uint64_t sector, uint64_t end);

/* dev/swap_blk.c: swap on a disk; the device is the struct disk, slot n is page
 * n of it. */
extern const struct quire_swap_ops blk_swap_ops;

#endif
