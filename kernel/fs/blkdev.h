/* SPDX-License-Identifier: MIT */
/*
 * blkdev.h - between the files of disks, their ioctls, and the rest of the
 * file system.
 */
#ifndef KERNEL_FS_BLKDEV_H
#define KERNEL_FS_BLKDEV_H

#include "blk.h"
#include "proc.h"

/* Find the machine's disks, and make their nodes in /dev: once, after /dev is
 * there.  0 or -errno; the log says more. */
int blkdev_init(void);
/* The number of /dev/zram0, which is no disk (swapon.c). */
#define ZRAM_RDEV RDEV(253, 0)
/* blkdev_ioctl.c: ioctl(2) of a disk's file */
long blkdev_ioctl(struct file *f, unsigned cmd, uaddr_t arg);

/* For it, of a file that is open on a disk: */
static inline struct disk *disk_of(const struct file *f)
{
	return f->priv;
}
static inline uint64_t disk_bytes(const struct disk *disk)
{
	return disk->sectors * BLK_SECTOR;
}
/* Bytes [start, start + len), whole blocks below the end, become zeroes, or are
 * not wanted any more; the cache follows.  0 or -errno. */
int blkdev_range(struct file *f, uint64_t start, uint64_t len, bool zero);
/* What has been written back survives a power failure: 0 or -errno */
int blkdev_flush(struct disk *disk);

/* /proc/partitions and /proc/diskstats */
int show_partitions(struct text *out, struct process *p, struct task *t);
int show_diskstats(struct text *out, struct process *p, struct task *t);
/* swapon.c: /proc/swaps */
int show_swaps(struct text *out, struct process *p, struct task *t);

#endif
