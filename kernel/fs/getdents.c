/* SPDX-License-Identifier: MIT */
/*
 * Reading directories: getdents64(2) and the older getdents(2).
 *
 * The file system emits names from file->pos on, each with the position that
 * follows it; entries are put together in a kernel buffer and copied out
 * whole, so that the file system's lock is never held over a user fault.
 */
#include "fs.h"

#define DENTS_MAX 32768u
/* Positions of file systems are below: they have to fit into an off_t. */
#define MOUNT_POS (1ull << 63)

struct dents {
	struct dir_ctx ctx;
	char *buf;
	size_t cap, len;
	bool old, overflow, full;
	uint64_t pos;
};

/* linux_dirent64: ino 8, off 8, reclen 2, type 1, name.  The old one has words
 * for the first two, and the type in its last byte instead. */
static bool emit(struct dir_ctx *ctx, const char *name, size_t len,
		 uint64_t ino, unsigned type, uint64_t next)
{
	struct dents *d = (struct dents *)ctx;
	size_t word = d->old ? sizeof(uaddr_t) : sizeof(uint64_t);
	size_t head = 2 * word + (d->old ? 2 : 3);
	size_t rec = K_ALIGN_UP(head + len + 1 + (d->old ? 1 : 0), word);
	uint16_t rec16 = (uint16_t)rec;
	char *p = d->buf + d->len;

	if (rec > d->cap - d->len) {
		d->overflow = d->len == 0;
		d->full = true;
		return false;
	}
	memset(p, 0, rec);
	/* little-endian: the low part of a number comes first */
	memcpy(p, &ino, word);
	memcpy(p + word, &next, word);
	memcpy(p + 2 * word, &rec16, 2);
	if (d->old)
		p[rec - 1] = (char)type;
	else
		p[18] = (char)type;
	memcpy(p + head, name, len);
	d->len += rec;
	d->pos = next;
	return true;
}

/*
 * Mount points that the directory below does not have: after its own names,
 * at positions from MOUNT_POS on.
 */
static void emit_mounts(struct file *f, struct dents *d)
{
	uint64_t at = MOUNT_POS;
	struct super *sb;

	for (sb = first_super; sb && !d->full; sb = sb->next) {
		struct dentry *c = sb->covers;

		if (!c || c->inode || c->parent != f->dentry)
			continue;
		if (at >= d->pos || d->pos < MOUNT_POS)
			(void)emit(&d->ctx, c->name, c->len,
				   sb->root->inode->ino, DT_DIR, at + 1);
		at++;
	}
}

static long read_dents(struct file *f, struct dents *d, uaddr_t ubuf)
{
	long ret = 0;

	mutex_lock(&f->pos_lock);
	d->pos = f->pos;
	mutex_lock(&f->inode->lock);
	if (f->dentry->dead)
		ret = -ENOENT;
	else if (d->pos < MOUNT_POS)
		ret = f->fops->readdir(f, &d->ctx);
	if (!ret && !d->full && f->dentry->sb->readonly)
		emit_mounts(f, d);
	mutex_unlock(&f->inode->lock);
	if (d->overflow)
		ret = -EINVAL;
	if (d->len)
		ret = 0; /* an error comes back with the next call */
	if (!ret && copy_to_user(ubuf, d->buf, d->len))
		ret = -EFAULT;
	if (!ret) {
		f->pos = d->pos;
		ret = (long)d->len;
	}
	mutex_unlock(&f->pos_lock);
	return ret;
}

static long do_getdents(int fd, uaddr_t ubuf, unsigned n, bool old)
{
	struct dents d = {.ctx = {emit}, .old = old};
	struct file *f = fget(fd);
	long ret;

	if (!f)
		return -EBADF;
	if (!f->fops->readdir) {
		fput(f);
		return -ENOTDIR;
	}
	d.cap = n < DENTS_MAX ? n : DENTS_MAX;
	d.buf = fs_alloc(d.cap ? d.cap : 1);
	ret = -ENOMEM;
	if (d.buf)
		ret = read_dents(f, &d, ubuf);
	fs_free(d.buf);
	fput(f);
	return ret;
}

long sys_getdents64(int fd, uaddr_t ubuf, unsigned n)
{
	return do_getdents(fd, ubuf, n, false);
}

long sys_getdents(int fd, uaddr_t ubuf, unsigned n)
{
	return do_getdents(fd, ubuf, n, true);
}

/* For directories whose positions are plain numbers. */
int64_t dir_llseek(struct file *file, int64_t off, int whence)
{
	if (whence == 1)
		off += (int64_t)file->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	file->pos = (uint64_t)off;
	return off;
}
