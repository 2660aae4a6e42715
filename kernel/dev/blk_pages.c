/* SPDX-License-Identifier: MIT */
/*
 * blk_pages.c - whole pages to and from a disk, for the page cache and for
 * swap.
 *
 *     pages   [a][b][c][d] ... one run of the disk
 *     requests  r1 = a b c     (as many as the disk takes in one)
 *               r2 = d ...     under way at the same time
 *
 * Nothing here takes memory: blk_start() waits for one of the disk's requests,
 * which are freed by the disk's thread alone.
 */
#include "blk.h"

void blk_end_pages(struct blk_req *r, int error,
		   void (*end)(struct quire *, struct page *, int))
{
	unsigned i;
	uint32_t off;

	for (i = 1; i <= r->nr; i++)
		for (off = 0; off < r->seg[i].len; off += QUIRE_PAGE_SIZE)
			end(the_quire,
			    quire_phys_page(the_quire, r->seg[i].phys + off),
			    error);
}

uint32_t blk_page_bytes(const struct disk *disk, uint64_t n)
{
	uint64_t left = disk->sectors * BLK_SECTOR - (n << QUIRE_PAGE_SHIFT);

	return left < QUIRE_PAGE_SIZE ? (uint32_t)left : QUIRE_PAGE_SIZE;
}

void blk_pages(struct disk *disk, enum blk_op op, uint64_t first,
	       struct page **pages, unsigned n,
	       void (*end)(struct blk_req *r, int error))
{
	struct blk_req *r = NULL;
	unsigned i;

	for (i = 0; i < n; i++) {
		paddr_t phys = quire_page_phys(the_quire, pages[i]);
		uint32_t bytes = blk_page_bytes(disk, first + i);

		if (r && blk_add(r, phys, bytes))
			continue;
		if (r)
			blk_submit(r);
		r = blk_start(disk, op);
		r->end = end;
		r->sector = (first + i) << (QUIRE_PAGE_SHIFT - 9);
		(void)blk_add(r, phys, bytes);
	}
	if (r)
		blk_submit(r);
}

int blk_range(struct disk *disk, enum blk_op op, uint64_t sector, uint64_t end)
{
	uint32_t max =
		op == BLK_ZERO ? disk->zero_sectors : disk->discard_sectors;
	int err = max ? 0 : -EOPNOTSUPP;
	struct blk_req *r;
	uint64_t n;

	for (; !err && sector < end; sector += n) {
		n = K_MIN(end - sector, (uint64_t)max);
		r = blk_start(disk, op);
		r->sector = sector;
		r->sectors = (uint32_t)n;
		err = blk_wait(r);
	}
	return err;
}
