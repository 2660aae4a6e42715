/* SPDX-License-Identifier: MIT */
/*
 * Files whose bytes live in Quire's page cache (tmpfs, 9P, disks): read and
 * write go through the same pages that mmap maps.
 *
 *     write() → pages, dirty ─ flusher, fsync, last close → aops->writepages
 *     O_DIRECT → what the cache has is written, dropped → fops->direct
 *
 * A writer holds the inode's lock, so that appends and size changes do not
 * mix; readers take none.
 */
#include "fs.h"
#include "virtio.h"

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

/* ---------------------------------------------------------------- O_DIRECT */

/*
 * A buffer of the kernel's lies between the device and the caller's memory: the
 * caller's may be swapped, mapped from the same file, or not be aligned as the
 * device wants it.
 */
#define DIRECT_ORDER 4

struct bounce {
	struct page *pages;
	unsigned order;
	char *mem;
	size_t bytes;
};

static int bounce_get(struct bounce *b)
{
	b->order = DIRECT_ORDER;
	b->pages = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, b->order);
	if (!b->pages) {
		b->order = 0;
		b->pages = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 0);
	}
	if (!b->pages)
		return -ENOMEM;
	b->mem = quire_page_address(the_quire, b->pages);
	b->bytes = (size_t)QUIRE_PAGE_SIZE << b->order;
	return 0;
}

static void bounce_put(struct bounce *b)
{
	quire_free_pages(the_quire, b->pages, b->order);
}

/* A transfer that stops early is gone on with: bytes, fewer at the file's end
 * or before an error, or that error. */
static long bounce_move(struct file *file, struct bounce *b, uint64_t pos,
			size_t n, bool write)
{
	struct vq_seg seg;
	size_t done = 0;
	long ret = 0;

	for (; done < n; done += (size_t)ret) {
		seg.phys = quire_page_phys(the_quire, b->pages) + done;
		seg.len = (uint32_t)(n - done);
		ret = file->fops->direct(file, &seg, 1, pos + done, seg.len,
					 write);
		if (ret <= 0)
			break;
	}
	return done ? (long)done : ret;
}

/* What the cache has newer than the device is written first. */
static long direct_read(struct file *file, struct iter *to, uint64_t pos)
{
	struct bounce b;
	long done = 0, n = bounce_get(&b);
	size_t want, put;

	if (n)
		return n;
	while (to->count) {
		want = to->count < b.bytes ? to->count : b.bytes;
		n = quire_mapping_sync(file->qf.mapping, pos, pos + want - 1,
				       QUIRE_SYNC_START | QUIRE_SYNC_WAIT);
		if (!n)
			n = bounce_move(file, &b, pos, want, false);
		if (n <= 0)
			break;
		put = iter_copy_to(to, b.mem, (size_t)n);
		done += (long)put;
		pos += put;
		if (put < (size_t)n)
			n = -EFAULT;
		if (put < want)
			break;
	}
	bounce_put(&b);
	return done ? done : n;
}

/* One piece, which the cache has no pages of before and after: bytes. */
static long direct_write_piece(struct file *file, struct iter *from,
			       uint64_t pos, struct bounce *b, size_t n)
{
	struct address_space *as = file->qf.mapping;
	uint64_t end = pos + n;
	long ret;

	n = iter_copy_from(from, b->mem, n);
	if (!n)
		return -EFAULT;
	/* nothing is read in meanwhile: it would be the old contents */
	quire_mapping_freeze(as);
	ret = quire_mapping_invalidate(as, pos, end - 1);
	if (!ret)
		ret = bounce_move(file, b, pos, n, true);
	quire_mapping_thaw(as);
	if (ret > 0 && pos + (uint64_t)ret > quire_mapping_get_size(as))
		quire_mapping_set_size(as, pos + (uint64_t)ret);
	return ret;
}

long generic_direct_write(struct file *file, struct iter *from, uint64_t *pos)
{
	long done = 0, n, room = generic_write_room(*pos, from->count);
	struct bounce b;

	if (room < 0)
		return room;
	n = bounce_get(&b);
	if (n)
		return n;
	while (done < room) {
		size_t left = (size_t)(room - done);
		size_t now = left < b.bytes ? left : b.bytes;

		n = direct_write_piece(file, from, *pos, &b, now);
		if (n <= 0)
			break;
		*pos += (uint64_t)n;
		done += n;
		if ((size_t)n < now || fatal_signal_pending(current))
			break;
	}
	bounce_put(&b);
	if (done)
		inode_touch(file->inode, TOUCH_M | TOUCH_C);
	return done ? done : n;
}

/* --------------------------------------------------------- read() and write()
 */

/* The inode whose bytes the file's pages are: of a disk's node, the disk's. */
static struct inode *data_inode(const struct file *file)
{
	return quire_mapping_host(file->qf.mapping);
}

static bool is_direct(const struct file *file)
{
	return (file->flags & O_DIRECT) && file->fops->direct;
}

long generic_read(struct file *file, struct iter *to, uint64_t *pos)
{
	unsigned tries = 0;
	long n;

	if (*pos > INT64_MAX)
		return -EINVAL;
	if (is_direct(file)) {
		n = direct_read(file, to, *pos);
	} else {
		do {
			n = quire_mapping_read(file->qf.mapping, &file->qf,
					       *pos, to->count, iter_copy_out,
					       to);
		} while (n == -ENOMEM && tries++ < 3 && vfs_shrink(1024));
	}
	if (n > 0)
		*pos += (uint64_t)n;
	touch_atime(file->inode, file->flags);
	return n;
}

long generic_write_room(uint64_t pos, size_t n)
{
	uint64_t lim = task_rlimit(RLIMIT_FSIZE);

	if (pos > INT64_MAX)
		return -EFBIG;
	if (n > INT64_MAX - pos)
		n = (size_t)(INT64_MAX - pos);
	if (!n)
		return -EFBIG;
	if (pos >= lim) {
		send_signal_current(SIGXFSZ);
		return -EFBIG;
	}
	return (long)(n < lim - pos ? n : (size_t)(lim - pos));
}

static long cached_write(struct file *file, struct iter *from, uint64_t pos,
			 size_t n)
{
	struct iter_source source = {from, from->count};
	unsigned tries = 0;
	long ret;

	do {
		ret = quire_mapping_write(file->qf.mapping, &file->qf, pos, n,
					  iter_copy_in, &source);
	} while (ret == -ENOMEM && tries++ < 3 && vfs_shrink(1024));
	return ret;
}

static long write_locked(struct file *file, struct iter *from, uint64_t *pos)
{
	long ret;

	if ((file->flags & O_APPEND) || from->append)
		*pos = inode_size(data_inode(file));
	if (is_direct(file))
		return generic_direct_write(file, from, pos);
	ret = generic_write_room(*pos, from->count);
	if (ret < 0)
		return ret;
	ret = cached_write(file, from, *pos, (size_t)ret);
	if (ret > 0) {
		*pos += (uint64_t)ret;
		inode_touch(file->inode, TOUCH_M | TOUCH_C);
	}
	return ret;
}

long generic_write_sync(struct file *file, const struct iter *from,
			uint64_t pos, long ret)
{
	bool data = (file->flags & O_SYNC) != O_SYNC && !from->sync;
	int err;

	if (ret <= 0 || !((file->flags & O_DSYNC) || from->dsync || !data))
		return ret;
	err = vfs_fsync(file, pos - (uint64_t)ret, pos - 1, data);
	return err ? err : ret;
}

long generic_write(struct file *file, struct iter *from, uint64_t *pos)
{
	struct inode *inode = data_inode(file);
	long ret;

	if (!from->count)
		return 0;
	mutex_lock(&inode->lock);
	ret = write_locked(file, from, pos);
	mutex_unlock(&inode->lock);
	return generic_write_sync(file, from, *pos, ret);
}

/* Where a device has the bytes, all of them are data, and a hole is at the end;
 * memory has holes where nothing has been written. */
static int64_t seek_data(struct file *file, int64_t off, bool data,
			 int64_t size)
{
	int64_t to = data ? off : size;

	if (!file->inode->written_back && file->qf.mapping)
		to = (int64_t)quire_mapping_seek(file->qf.mapping,
						 (uint64_t)off, data);
	return data && to >= size ? -ENXIO : to;
}

int64_t memory_llseek(struct file *f, int64_t off, int whence)
{
	if (whence == SEEK_CUR)
		off += (int64_t)f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	f->pos = (uint64_t)off;
	return off;
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
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0 || off >= size)
			return -ENXIO;
		to = seek_data(file, off, whence == SEEK_DATA, size);
		if (to < 0)
			return to;
		break;
	default:
		return -EINVAL;
	}
	if (to < 0)
		return -EINVAL;
	file->pos = (uint64_t)to;
	return to;
}

/* -------------------------------------------------------------- durability */

int generic_fsync(struct file *file, uint64_t start, uint64_t end,
		  bool datasync)
{
	(void)file;
	(void)start;
	(void)end;
	(void)datasync;
	return 0;
}

int vfs_fsync(struct file *file, uint64_t start, uint64_t end, bool datasync)
{
	if (!file->fops->fsync)
		return -EINVAL;
	if (file->qf.mapping)
		return quire_file_fsync(&file->qf, start, end, datasync);
	return file->fops->fsync(file, start, end, datasync);
}

void super_note_error(struct super *sb, int err)
{
	uint64_t old = __atomic_load_n(&sb->write_errors, __ATOMIC_RELAXED);
	uint64_t new;

	do {
		new = ((old >> 32) + 1) << 32 | (uint32_t)-err;
	} while (!__atomic_compare_exchange_n(&sb->write_errors, &old, new,
					      true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}
