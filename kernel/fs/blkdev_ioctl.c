/* SPDX-License-Identifier: MIT */
/*
 * ioctl(2) of disks: what they are like, and what is neither read nor written.
 * Numbers and errors are those of linux/fs.h and of Linux.
 */
#include "blkdev.h"

#define BLKROGET	 0x125eu
#define BLKGETSIZE	 0x1260u
#define BLKFLSBUF	 0x1261u
#define BLKRAGET	 0x1263u
#define BLKSECTGET	 0x1267u
#define BLKSSZGET	 0x1268u
#define BLKDISCARD	 0x1277u
#define BLKIOMIN	 0x1278u
#define BLKIOOPT	 0x1279u
#define BLKALIGNOFF	 0x127au
#define BLKPBSZGET	 0x127bu
#define BLKDISCARDZEROES 0x127cu
#define BLKROTATIONAL	 0x127eu
#define BLKZEROOUT	 0x127fu
/* _IOR(0x12, 112 and 114, size_t): the size is that of the user's word */
#define IOR_WORD(nr)                                                           \
	(2u << 30 | (unsigned)sizeof(uaddr_t) << 16 | 0x12u << 8 | (nr))
#define BLKBSZGET    IOR_WORD(112u)
#define BLKGETSIZE64 IOR_WORD(114u)

static long put_int(uaddr_t arg, uint32_t v)
{
	return copy_to_user(arg, &v, sizeof(v)) ? -EFAULT : 0;
}

static long put_short(uaddr_t arg, uint16_t v)
{
	return copy_to_user(arg, &v, sizeof(v)) ? -EFAULT : 0;
}

static long put_word(uaddr_t arg, uint64_t v)
{
	uaddr_t word = (uaddr_t)v;

	if (word != v)
		return -EFBIG;
	return copy_to_user(arg, &word, sizeof(word)) ? -EFAULT : 0;
}

static long put_long(uaddr_t arg, uint64_t v)
{
	return copy_to_user(arg, &v, sizeof(v)) ? -EFAULT : 0;
}

/* Write what is dirty, forget what is not mapped or in use. */
static long flush_buffers(struct disk *disk)
{
	struct inode *bdev = disk->fs;

	if (!is_root())
		return -EACCES;
	(void)inode_write_back(bdev);
	(void)quire_mapping_invalidate(bdev->mapping, 0, FILE_END);
	return 0;
}

/* BLKDISCARD, BLKZEROOUT: a range in bytes, { start, length } at arg */
static long range_ioctl(struct file *f, uaddr_t arg, bool zero)
{
	const struct disk *disk = disk_of(f);
	uint64_t range[2], unit = zero ? BLK_SECTOR : disk->block, end;

	if (!file_can_write(f))
		return -EBADF;
	if (!zero && !disk->discard_sectors)
		return -EOPNOTSUPP;
	if (copy_from_user(range, arg, sizeof(range)))
		return -EFAULT;
	if (((range[0] | range[1]) & (unit - 1)) ||
	    __builtin_add_overflow(range[0], range[1], &end) ||
	    end > disk_bytes(disk) || !range[1])
		return -EINVAL;
	if (disk->readonly)
		return -EPERM;
	if ((range[0] | range[1]) & (disk->block - 1))
		return -EINVAL;
	return blkdev_range(f, range[0], range[1], zero);
}

/* Figures that nothing has to be looked up for. */
static long plain_ioctl(const struct disk *disk, unsigned cmd, uaddr_t arg)
{
	switch (cmd) {
	case BLKROGET:
		return put_int(arg, disk->readonly);
	case BLKSSZGET:
		return put_int(arg, disk->block);
	case BLKBSZGET:
		return put_int(arg, QUIRE_PAGE_SIZE);
	case BLKPBSZGET:
	case BLKIOMIN:
		return put_int(arg, disk->physical);
	case BLKIOOPT:
	case BLKALIGNOFF:
	case BLKDISCARDZEROES:
		return put_int(arg, 0);
	case BLKROTATIONAL:
		return put_short(arg, 1);
	case BLKSECTGET:
		return put_short(arg,
				 (uint16_t)K_MIN(disk->max_segs * 8, 65535u));
	default:
		return -ENOTTY;
	}
}

long blkdev_ioctl(struct file *f, unsigned cmd, uaddr_t arg)
{
	struct disk *disk = disk_of(f);
	uint64_t readahead;

	switch (cmd) {
	case BLKGETSIZE:
		return put_word(arg, disk->sectors);
	case BLKGETSIZE64:
		return put_long(arg, disk_bytes(disk));
	case BLKRAGET:
		readahead = quire_get_tunable(the_quire,
					      QUIRE_TUNABLE_READAHEAD_BYTES);
		return put_word(arg, readahead / BLK_SECTOR);
	case BLKFLSBUF:
		return flush_buffers(disk);
	case BLKDISCARD:
		return range_ioctl(f, arg, false);
	case BLKZEROOUT:
		return range_ioctl(f, arg, true);
	default:
		return plain_ioctl(disk, cmd, arg);
	}
}
