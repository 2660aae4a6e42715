/* SPDX-License-Identifier: MIT */
/*
 * Character devices by number, as in Linux's list of devices: null, zero,
 * full, random and the terminal.  A node with such a number, on devfs or on
 * tmpfs, becomes the device when it is opened.
 */
#include "dev.h"

static long null_read(struct file *f, struct iter *to, uint64_t *pos)
{
	(void)f;
	(void)to;
	(void)pos;
	return 0;
}

static long null_write(struct file *f, struct iter *from, uint64_t *pos)
{
	(void)f;
	(void)pos;
	return (long)from->count;
}

static int64_t null_llseek(struct file *f, int64_t off, int whence)
{
	(void)off;
	(void)whence;
	f->pos = 0;
	return 0;
}

static long zero_read(struct file *f, struct iter *to, uint64_t *pos)
{
	size_t want = to->count, done = 0;

	(void)f;
	(void)pos;
	while (done < want) {
		size_t n = want - done < 65536 ? want - done : 65536;
		size_t ok = iter_zero(to, n);

		done += ok;
		if (ok < n)
			return done ? (long)done : -EFAULT;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return (long)done;
}

static int zero_open(struct inode *inode, struct file *f)
{
	(void)inode;
	f->qf.is_zero_dev = true;
	return 0;
}

static long full_write(struct file *f, struct iter *from, uint64_t *pos)
{
	(void)f;
	(void)pos;
	return from->count ? -ENOSPC : 0;
}

static long random_read(struct file *f, struct iter *to, uint64_t *pos)
{
	(void)f;
	(void)pos;
	return random_to_iter(to);
}

static const struct file_operations null_fops = {
	.read = null_read,
	.write = null_write,
	.llseek = null_llseek,
};
static const struct file_operations zero_fops = {
	.open = zero_open,
	.read = zero_read,
	.write = null_write,
	.llseek = null_llseek,
};
static const struct file_operations full_fops = {
	.read = zero_read,
	.write = full_write,
	.llseek = null_llseek,
};
static const struct file_operations random_fops = {
	.read = random_read,
	.write = null_write,
	.llseek = null_llseek,
};

static const struct {
	uint64_t rdev;
	const struct file_operations *fops;
} devices[] = {
	{RDEV(1, 1), &mem_fops},    {RDEV(259, 0), &pmem_fops},
	{RDEV(1, 3), &null_fops},   {RDEV(1, 5), &zero_fops},
	{RDEV(1, 7), &full_fops},   {RDEV(1, 8), &random_fops},
	{RDEV(1, 9), &random_fops}, {RDEV(5, 0), &tty_fops},
	{RDEV(5, 1), &tty_fops},
};

static int chrdev_open(struct inode *inode, struct file *f)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		if (devices[i].rdev != inode->rdev)
			continue;
		f->fops = devices[i].fops;
		return f->fops->open ? f->fops->open(inode, f) : 0;
	}
	return -ENXIO;
}

const struct file_operations chrdev_fops = {
	.open = chrdev_open,
};
