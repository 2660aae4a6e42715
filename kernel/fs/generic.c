/* SPDX-License-Identifier: MIT */
/*
 * Regular files whose bytes live in Quire's page cache (tmpfs, 9P): read and
 * write go through the same pages that mmap maps.
 *
 * A writer holds the inode's lock, so that appends and size changes do not
 * mix; readers take none.
 */
#include "fs.h"

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

/* As Linux's default, relatime: only if the file changed since, or the time
 * is a day old.  A server keeps its own times. */
static void touch_atime(struct inode *inode, uint32_t flags)
{
	int64_t now;

	if ((flags & O_NOATIME) || !inode->sb || inode->sb->backed)
		return;
	if (inode->atime.sec > inode->mtime.sec &&
	    inode->atime.sec > inode->ctime.sec) {
		now = vfs_now().sec;
		if (now - inode->atime.sec < 86400)
			return;
	}
	inode_touch(inode, TOUCH_A);
}

long generic_read(struct file *file, struct iter *to, uint64_t *pos)
{
	struct inode *inode = file->inode;
	unsigned tries = 0;
	long n;

	if (*pos > INT64_MAX)
		return -EINVAL;
	do {
		n = quire_mapping_read(file->qf.mapping, &file->qf, *pos,
				       to->count, iter_copy_out, to);
	} while (n == -ENOMEM && tries++ < 3 && vfs_shrink(1024));
	if (n > 0)
		*pos += (uint64_t)n;
	touch_atime(inode, file->flags);
	return n;
}

/* RLIMIT_FSIZE: how much of n may be written at pos; 0: none (SIGXFSZ) */
static size_t size_limit(uint64_t pos, size_t n)
{
	uint64_t lim = task_rlimit(RLIMIT_FSIZE);

	if (pos >= lim) {
		send_signal_current(SIGXFSZ);
		return 0;
	}
	return n < lim - pos ? n : (size_t)(lim - pos);
}

static long write_locked(struct file *file, struct iter *from, uint64_t *pos)
{
	struct inode *inode = file->inode;
	size_t n = from->count;
	unsigned tries = 0;
	long ret;

	if (file->flags & O_APPEND)
		*pos = inode_size(inode);
	if (*pos > INT64_MAX || n > INT64_MAX - *pos)
		return -EFBIG;
	n = size_limit(*pos, n);
	if (!n)
		return -EFBIG;
	do {
		ret = quire_mapping_write(inode->mapping, &file->qf, *pos, n,
					  iter_copy_in, from);
	} while (ret == -ENOMEM && tries++ < 3 && vfs_shrink(1024));
	if (ret > 0) {
		*pos += (uint64_t)ret;
		inode_touch(inode, TOUCH_M | TOUCH_C);
	}
	return ret;
}

long generic_write(struct file *file, struct iter *from, uint64_t *pos)
{
	long ret;

	if (!from->count)
		return 0;
	mutex_lock(&file->inode->lock);
	ret = write_locked(file, from, pos);
	mutex_unlock(&file->inode->lock);
	return ret;
}

int64_t generic_llseek(struct file *file, int64_t off, int whence)
{
	int64_t size = (int64_t)inode_size(file->inode);
	int64_t to;

	switch (whence) {
	case SEEK_SET:
		to = off;
		break;
	case SEEK_CUR:
		if (off == 0)
			return (int64_t)file->pos;
		if (__builtin_add_overflow((int64_t)file->pos, off, &to))
			return -EOVERFLOW;
		break;
	case SEEK_END:
		if (__builtin_add_overflow(size, off, &to))
			return -EOVERFLOW;
		break;
	case SEEK_DATA: /* every byte is data, and a hole is at the end */
		if (off < 0 || off >= size)
			return -ENXIO;
		to = off;
		break;
	case SEEK_HOLE:
		if (off < 0 || off >= size)
			return -ENXIO;
		to = size;
		break;
	default:
		return -EINVAL;
	}
	if (to < 0)
		return -EINVAL;
	file->pos = (uint64_t)to;
	return to;
}

int generic_fsync(struct file *file)
{
	(void)file;
	return 0;
}
