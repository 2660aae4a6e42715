/* SPDX-License-Identifier: MIT */
/*
 * swap_blk.c - swap on a disk.
 *
 *     write(slots) -> requests of up to BLK_MAX_SEGS pages, sent at once
 *                        ... the disk's thread: quire_page_end_write() each
 *
 * A batch is one request as long as the disk takes so many pieces, and several
 * batches are under way at once: BLK_REQS of them.  Who wants another waits for
 * one to end, and none of them needs memory to end: the disk's thread allocates
 * nothing, and is marked as part of reclaim, so that it never waits for itself.
 */
#include "blk.h"

static void end_write(struct blk_req *r, int error)
{
	blk_end_pages(r, error, quire_page_end_write);
}

static void end_read(struct blk_req *r, int error)
{
	blk_end_pages(r, error, quire_page_end_read);
}

static void swap_blk_write(void *device, uint64_t slot, struct page **pages,
			   unsigned n)
{
	blk_pages(device, BLK_WRITE, slot, pages, n, end_write);
}

static void swap_blk_read(void *device, uint64_t slot, struct page **pages,
			  unsigned n)
{
	blk_pages(device, BLK_READ, slot, pages, n, end_read);
}

/* Only advice: whether it works changes nothing. */
static void swap_blk_discard(void *device, uint64_t slot, uint64_t n)
{
	unsigned shift = QUIRE_PAGE_SHIFT - 9;

	(void)blk_range(device, BLK_DISCARD, slot << shift,
			(slot + n) << shift);
}

const struct quire_swap_ops blk_swap_ops = {
	.write = swap_blk_write,
	.read = swap_blk_read,
	.discard = swap_blk_discard,
};
