/* SPDX-License-Identifier: MIT */
/*
 * Disks as files: /dev/vda and any other node with a disk's number.
 *
 *     open of a node ─┐
 *     open of a node ─┼─→ the disk's inode ─ one page cache ─ blk.h requests
 *     mapping ────────┘                         ↑
 *                 read(), write(), faults ──────┘
 *
 * A window of readahead or of write-back is one request as long as the disk
 * takes so many pieces, and returns before the disk has answered; the pages
 * are ended in the disk's thread.
 *
 * O_DIRECT goes past the cache by way of a buffer of the kernel's: what the
 * cache has is written out before, and dropped.
 */
#include "blk.h"
#include "blkdev.h"

#define DISK_MAJOR 254u
#define DISK_MINORS                                                            \
	16u /* a disk has as many; partitions are not looked for               \
	     */

static struct super *bdev_super; /* of the disks' inodes; nobody sees it */

static struct disk *disk_of_node(const struct inode *inode)
{
	uint64_t minor = inode->rdev & 0xff;

	if (inode->rdev >> 8 != DISK_MAJOR || minor % DISK_MINORS)
		return NULL;
	return blk_disk((unsigned)(minor / DISK_MINORS));
}

/* ---------------------------------------------------------- the page cache */

static void end_read(struct blk_req *r, int error)
{
	blk_end_pages(r, error, quire_page_end_read);
}

static void end_write(struct blk_req *r, int error)
{
	if (error)
		super_note_error(bdev_super, error);
	blk_end_pages(r, error, quire_page_end_write);
}

static void blk_readahead(struct address_space *as, struct quire_file *qf,
			  struct page **pages, unsigned n)
{
	struct inode *inode = quire_mapping_host(as);
	struct disk *disk = inode->priv;
	uint64_t first = quire_page_index(pages[0]);
	uint32_t have = blk_page_bytes(disk, first + n - 1);
	char *last = quire_page_address(the_quire, pages[n - 1]);

	(void)qf;
	memset(last + have, 0, QUIRE_PAGE_SIZE - have);
	blk_pages(disk, BLK_READ, first, pages, n, end_read);
}

static int blk_readpage(struct address_space *as, struct quire_file *qf,
			struct page *page)
{
	blk_readahead(as, qf, &page, 1);
	return 0;
}

static void blk_writepages(struct address_space *as, struct page **pages,
			   unsigned n)
{
	struct inode *inode = quire_mapping_host(as);

	blk_pages(inode->priv, BLK_WRITE, quire_page_index(pages[0]), pages, n,
		  end_write);
}

static const struct quire_aops blk_aops = {
	.readpage = blk_readpage,
	.readahead = blk_readahead,
	.writepages = blk_writepages,
};

/* ------------------------------------------------------------------- files */

/* Compressed memory: only to be named to swapon(2) and swapoff(2). */
static const struct file_operations zram_fops = {0};

static int blkdev_open(struct inode *inode, struct file *f)
{
	struct disk *disk = disk_of_node(inode);
	struct inode *bdev = disk ? disk->fs : NULL;

	if (inode->rdev == ZRAM_RDEV) {
		f->fops = &zram_fops;
		return 0;
	}
	if (!bdev)
		return -ENXIO;
	f->priv = disk;
	f->qf.mapping = bdev->mapping;
	return 0;
}

static int64_t blkdev_llseek(struct file *f, int64_t off, int whence)
{
	int64_t size = (int64_t)disk_bytes(disk_of(f));
	int64_t from = whence == 1 ? (int64_t)f->pos : whence == 2 ? size : 0;

	if (whence < 0 || whence > 2 || off < -from || off > size - from)
		return -EINVAL;
	f->pos = (uint64_t)(from + off);
	return from + off;
}

/*
 * O_DIRECT: block borders, as the device's (open(2)), of the place and of every
 * piece of the caller's memory.
 */
static bool direct_ok(const struct file *f, const struct iter *it, uint64_t pos)
{
	uint64_t bits = pos | it->count;
	unsigned i;

	if (!(f->flags & O_DIRECT))
		return true;
	for (i = 0; i < it->nr; i++)
		bits |= it->vec[i].base | it->vec[i].len;
	return !(bits & (disk_of(f)->block - 1));
}

static long blkdev_read(struct file *f, struct iter *to, uint64_t *pos)
{
	if (*pos >= disk_bytes(disk_of(f)))
		return 0;
	return direct_ok(f, to, *pos) ? generic_read(f, to, pos) : -EINVAL;
}

static long blkdev_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct disk *disk = disk_of(f);
	uint64_t size = disk_bytes(disk);

	if (disk->readonly)
		return -EPERM;
	if (!from->count)
		return 0;
	if (*pos >= size || (f->flags & O_APPEND))
		return -ENOSPC;
	if (!direct_ok(f, from, *pos))
		return -EINVAL;
	if (from->count > size - *pos)
		from->count = (size_t)(size - *pos);
	return generic_write(f, from, pos);
}

/* Whole blocks (blkdev_read, blkdev_write); a read may reach past the end. */
static long blkdev_direct(struct file *f, const struct vq_seg *seg, unsigned nr,
			  uint64_t pos, uint32_t bytes, bool write)
{
	struct disk *disk = disk_of(f);
	uint64_t left = disk_bytes(disk) - pos;
	struct blk_req *r;
	uint32_t off, n;

	if (pos >= disk_bytes(disk))
		return 0;
	if (bytes > left)
		bytes = (uint32_t)left;
	r = blk_start(disk, write ? BLK_WRITE : BLK_READ);
	r->sector = pos / BLK_SECTOR;
	for (; nr && r->bytes < bytes; seg++, nr--) {
		for (off = 0; off < seg->len && r->bytes < bytes; off += n) {
			n = K_MIN(seg->len - off, QUIRE_PAGE_SIZE);
			n = K_MIN(n, bytes - r->bytes);
			if (!blk_add(r, seg->phys + off, n))
				goto send;
		}
	}
send:
	bytes = r->bytes;
	n = (uint32_t)blk_wait(r);
	return n ? (long)(int32_t)n : (long)bytes;
}

int blkdev_flush(struct disk *disk)
{
	return disk->flush ? blk_wait(blk_start(disk, BLK_FLUSH)) : 0;
}

static int blkdev_fsync(struct file *f, uint64_t start, uint64_t end,
			bool datasync)
{
	(void)start;
	(void)end;
	(void)datasync;
	return blkdev_flush(disk_of(f));
}

/* ----------------------------------------------- zeroes and unwanted blocks */

/* Zeroes for a disk that cannot make them itself. */
static int zero_piece(struct disk *disk, struct page *zeroes, uint64_t *sector,
		      uint64_t end)
{
	struct blk_req *r = blk_start(disk, BLK_WRITE);
	uint64_t left;
	uint32_t n;

	r->sector = *sector;
	for (; *sector < end; *sector += n / BLK_SECTOR) {
		left = (end - *sector) * BLK_SECTOR;
		n = left < QUIRE_PAGE_SIZE ? (uint32_t)left : QUIRE_PAGE_SIZE;
		if (!blk_add(r, quire_page_phys(the_quire, zeroes), n))
			break;
	}
	return blk_wait(r);
}

static int write_zeroes(struct disk *disk, uint64_t sector, uint64_t end)
{
	struct page *zeroes;
	int err = 0;

	if (disk->zero_sectors)
		return blk_range(disk, BLK_ZERO, sector, end);
	zeroes = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
				   0);
	if (!zeroes)
		return -ENOMEM;
	while (!err && sector < end)
		err = zero_piece(disk, zeroes, &sector, end);
	quire_free_pages(the_quire, zeroes, 0);
	return err;
}

/* Bytes [start, start + len), whole blocks: the disk and the cache. */
int blkdev_range(struct file *f, uint64_t start, uint64_t len, bool zero)
{
	struct disk *disk = disk_of(f);
	struct inode *bdev = disk->fs;
	uint64_t from = start / BLK_SECTOR, to = (start + len) / BLK_SECTOR;
	int err;

	mutex_lock(&bdev->lock);
	/* nothing is read in meanwhile: it would be the old contents */
	quire_mapping_freeze(bdev->mapping);
	err = quire_mapping_invalidate(bdev->mapping, start, start + len - 1);
	if (!err)
		err = zero ? write_zeroes(disk, from, to)
			   : blk_range(disk, BLK_DISCARD, from, to);
	quire_mapping_thaw(bdev->mapping);
	mutex_unlock(&bdev->lock);
	return err;
}

/* PUNCH_HOLE leaves zeroes, too; what cannot be is the length (fallocate(2)) */
static int blkdev_fallocate(struct file *f, int mode, uint64_t off,
			    uint64_t len)
{
	const struct disk *disk = disk_of(f);
	uint64_t size = disk_bytes(disk), end = off + len;
	int keep = mode & FALLOC_FL_KEEP_SIZE;

	if (disk->readonly)
		return -EPERM;
	if (off >= size)
		return -EINVAL;
	if (end > size) {
		if (!keep)
			return -EINVAL;
		end = size;
	}
	if ((off | end) & (disk->block - 1))
		return -EINVAL;
	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) &&
	    (mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_ZERO_RANGE)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !disk->zero_sectors)
		return -EOPNOTSUPP;
	return blkdev_range(f, off, end - off, true);
}

/* Linux: nobody may write to a read-only disk by a mapping, now or later. */
static int blkdev_mmap(struct file *f, unsigned prot, unsigned flags)
{
	(void)prot;
	if (disk_of(f)->readonly && f->qf.writable &&
	    (flags & MAP_TYPE) != MAP_PRIVATE)
		return -EINVAL;
	return 0;
}

const struct file_operations blkdev_fops = {
	.open = blkdev_open,
	.read = blkdev_read,
	.write = blkdev_write,
	.llseek = blkdev_llseek,
	.ioctl = blkdev_ioctl,
	.fsync = blkdev_fsync,
	.fallocate = blkdev_fallocate,
	.direct = blkdev_direct,
	.mmap = blkdev_mmap,
};

/* ------------------------------------------------------------------- start */

/* The disk's own inode, which holds its cache, for ever. */
static int make_inode(struct disk *disk, uint64_t rdev)
{
	struct inode *inode = inode_new(bdev_super, S_IFBLK | 0660, rdev);

	if (!inode)
		return -ENOMEM;
	inode->rdev = rdev;
	inode->priv = disk;
	if (inode_add_mapping(inode, &blk_aops, disk_bytes(disk))) {
		inode_put(inode);
		return -ENOMEM;
	}
	disk->fs = inode_hash(inode);
	return 0;
}

int blkdev_init(void)
{
	char path[16];
	struct disk *disk;
	unsigned i;
	int err;

	err = virtio_blk_init();
	if (err || !blk_disk(0))
		return err;
	bdev_super = super_new("bdev", "none", NULL, 0x62646576);
	if (!bdev_super)
		return -ENOMEM;
	bdev_super->backed = true;
	for (i = 0; !err && (disk = blk_disk(i)) != NULL; i++) {
		uint64_t rdev = RDEV(DISK_MAJOR, i * DISK_MINORS);

		err = make_inode(disk, rdev);
		snprintf(path, sizeof(path), "/dev/%s", disk->name);
		if (!err)
			err = vfs_mknod(AT_FDCWD, path, S_IFBLK | 0660, rdev);
	}
	return err;
}

/* -------------------------------------------------------------------- /proc */

int show_partitions(struct text *out, struct process *p, struct task *t)
{
	struct disk *disk;
	unsigned i;

	(void)p;
	(void)t;
	text_printf(out, "major minor  #blocks  name\n\n");
	for (i = 0; (disk = blk_disk(i)) != NULL; i++)
		text_printf(out, "%4u  %7u %10llu %s\n", DISK_MAJOR,
			    i * DISK_MINORS,
			    (unsigned long long)disk->sectors / 2, disk->name);
	return 0;
}

/* One kind's fields of /proc/diskstats: requests, merged, sectors, ms */
static void show_op(struct text *out, const struct blk_stats *s, enum blk_op op)
{
	text_printf(out, " %llu %llu %llu %llu",
		    (unsigned long long)s->requests[op],
		    (unsigned long long)s->merged[op],
		    (unsigned long long)s->sectors[op],
		    (unsigned long long)s->ns[op] / 1000000);
}

/* As Linux's Documentation/admin-guide/iostats.rst says, to the 20th field. */
int show_diskstats(struct text *out, struct process *p, struct task *t)
{
	struct disk *disk;
	unsigned i;

	(void)p;
	(void)t;
	for (i = 0; (disk = blk_disk(i)) != NULL; i++) {
		const struct blk_stats *s = &disk->stats;
		uint64_t ms = (s->ns[BLK_READ] + s->ns[BLK_WRITE]) / 1000000;

		text_printf(out, "%4u %7u %s", DISK_MAJOR, i * DISK_MINORS,
			    disk->name);
		show_op(out, s, BLK_READ);
		show_op(out, s, BLK_WRITE);
		text_printf(out, " %u %llu %llu", s->in_flight,
			    (unsigned long long)ms, (unsigned long long)ms);
		show_op(out, s, BLK_DISCARD);
		text_printf(out, " %llu %llu\n",
			    (unsigned long long)s->requests[BLK_FLUSH],
			    (unsigned long long)s->ns[BLK_FLUSH] / 1000000);
	}
	return 0;
}
