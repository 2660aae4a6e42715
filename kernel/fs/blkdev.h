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
/* /proc/partitions and /proc/diskstats */
int show_partitions(struct text *out, struct process *p, struct task *t);
int show_diskstats(struct text *out, struct process *p, struct task *t);

#endif
