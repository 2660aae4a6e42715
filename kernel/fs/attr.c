/* SPDX-License-Identifier: MIT */
/*
 * Changing what a file is: modes, owners, times, lengths, and the calls that
 * make data durable or give advice about it.
 */
#include "fs.h"

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static int inode_change(struct inode *inode, const struct iattr *a)
{
	int err;

	if (inode->sb && inode->sb->readonly)
		return -EROFS;
	mutex_lock(&inode->lock);
	err = may_change(inode, a);
	if (err)
		;
	else if (inode->ops && inode->ops->setattr)
		err = inode->ops->setattr(inode, a);
	else
		err = inode->sb ? -EPERM : inode_setattr(inode, a);
	mutex_unlock(&inode->lock);
	return err;
}

static long change_at(int dirfd, uaddr_t upath, unsigned flags,
		      const struct iattr *a)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct dentry *d;
	char *path;
	long ret;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		look |= LOOKUP_EMPTY;
	path = path_from_user(upath);
	if (IS_ERR(path))
		return PTR_ERR(path);
	d = vfs_lookup(dirfd, path, look);
	path_free(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	if ((a->valid & ATTR_MODE) && inode_is(d->inode, S_IFLNK))
		ret = -EOPNOTSUPP;
	else
		ret = inode_change(d->inode, a);
	dput(d);
	return ret;
}

static long change_fd(int fd, const struct iattr *a)
{
	struct file *f = fget(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = inode_change(f->inode, a);
	fput(f);
	return ret;
}

long sys_fchmodat(int dirfd, uaddr_t path, uint32_t mode)
{
	struct iattr a = {.valid = ATTR_MODE, .mode = mode & 07777};

	return change_at(dirfd, path, 0, &a);
}

long sys_chmod(uaddr_t path, uint32_t mode)
{
	return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_fchmod(int fd, uint32_t mode)
{
	struct iattr a = {.valid = ATTR_MODE, .mode = mode & 07777};

	return change_fd(fd, &a);
}

static struct iattr owner_attr(uint32_t uid, uint32_t gid)
{
	struct iattr a = {.uid = uid, .gid = gid};

	if (uid != UINT32_MAX)
		a.valid |= ATTR_UID;
	if (gid != UINT32_MAX)
		a.valid |= ATTR_GID;
	return a;
}

long sys_fchownat(int dirfd, uaddr_t path, uint32_t uid, uint32_t gid,
		  unsigned flags)
{
	struct iattr a = owner_attr(uid, gid);

	return change_at(dirfd, path, flags, &a);
}

long sys_chown(uaddr_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(uaddr_t path, uint32_t uid, uint32_t gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	struct iattr a = owner_attr(uid, gid);

	return change_fd(fd, &a);
}

/* ------------------------------------------------------------------- times */

static int time_attr(struct ktimespec t, uint32_t bit, uint32_t set,
		     uint32_t *valid, struct vfs_time *out)
{
	if (t.nsec == UTIME_OMIT)
		return 0;
	*valid |= bit;
	if (t.nsec == UTIME_NOW)
		return 0;
	if (t.nsec < 0 || t.nsec > 999999999)
		return -EINVAL;
	*valid |= set;
	*out = (struct vfs_time){t.sec, (uint32_t)t.nsec};
	return 0;
}

static long do_utimens(int dirfd, uaddr_t upath, const struct ktimespec t[2],
		       unsigned flags)
{
	struct iattr a = {0};
	int err;

	err = time_attr(t[0], ATTR_ATIME, ATTR_ATIME_SET, &a.valid, &a.atime);
	if (!err)
		err = time_attr(t[1], ATTR_MTIME, ATTR_MTIME_SET, &a.valid,
				&a.mtime);
	if (err || !a.valid)
		return err;
	if (!upath && dirfd != AT_FDCWD)
		return change_fd(dirfd, &a);
	return change_at(dirfd, upath, flags, &a);
}

long sys_utimensat(int dirfd, uaddr_t upath, uaddr_t utimes, unsigned flags)
{
	struct ktimespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

	if (utimes && (get_timespec(utimes, &t[0]) ||
		       get_timespec(utimes + timespec_bytes(), &t[1])))
		return -EFAULT;
	return do_utimens(dirfd, upath, t, flags);
}

long sys_futimesat(int dirfd, uaddr_t upath, uaddr_t utimeval)
{
	struct ktimespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	struct ktimeval tv[2];
	unsigned i;

	if (utimeval) {
		if (copy_from_user(tv, utimeval, sizeof(tv)))
			return -EFAULT;
		for (i = 0; i < 2; i++) {
			if (tv[i].usec < 0 || tv[i].usec > 999999)
				return -EINVAL;
			t[i] = (struct ktimespec){tv[i].sec, tv[i].usec * 1000};
		}
	}
	return do_utimens(dirfd, upath, t, 0);
}

long sys_utimes(uaddr_t upath, uaddr_t utimeval)
{
	return sys_futimesat(AT_FDCWD, upath, utimeval);
}

long sys_utime(uaddr_t upath, uaddr_t utimbuf)
{
	struct ktimespec t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	sreg_t secs[2];

	if (utimbuf) {
		if (copy_from_user(secs, utimbuf, sizeof(secs)))
			return -EFAULT;
		t[0] = (struct ktimespec){secs[0], 0};
		t[1] = (struct ktimespec){secs[1], 0};
	}
	return do_utimens(AT_FDCWD, upath, t, 0);
}

/* ----------------------------------------------------------------- lengths */

int inode_truncate(struct inode *inode, uint64_t size)
{
	struct iattr a = {.valid = ATTR_SIZE, .size = size};

	if (inode_is(inode, S_IFDIR))
		return -EISDIR;
	if (!inode_is(inode, S_IFREG))
		return -EINVAL;
	return inode_change(inode, &a);
}

static long check_length(int64_t length)
{
	if (length < 0)
		return -EINVAL;
	if ((uint64_t)length > task_rlimit(RLIMIT_FSIZE)) {
		send_signal_current(SIGXFSZ);
		return -EFBIG;
	}
	return 0;
}

long sys_truncate(uaddr_t upath, int64_t length)
{
	long ret = check_length(length);
	struct dentry *d;
	char *path;

	if (ret)
		return ret;
	path = path_from_user(upath);
	if (IS_ERR(path))
		return PTR_ERR(path);
	d = vfs_lookup(AT_FDCWD, path, LOOKUP_FOLLOW);
	path_free(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = inode_permission(d->inode, MAY_WRITE);
	if (!ret || inode_is(d->inode, S_IFDIR))
		ret = inode_truncate(d->inode, (uint64_t)length);
	dput(d);
	return ret;
}

long sys_ftruncate(int fd, int64_t length)
{
	struct file *f;
	long ret;

	if (length < 0)
		return -EINVAL;
	f = fget(fd);
	if (!f)
		return -EBADF;
	if (!file_can_write(f) || !inode_is(f->inode, S_IFREG))
		ret = -EINVAL;
	else
		ret = check_length(length);
	if (!ret)
		ret = memfd_check_resize(f->inode, (uint64_t)length);
	if (!ret)
		ret = inode_truncate(f->inode, (uint64_t)length);
	fput(f);
	return ret;
}

long sys_fallocate(int fd, int mode, int64_t off, int64_t len)
{
	struct file *f = fget(fd);
	long ret;

	if (!f)
		return -EBADF;
	if (off < 0 || len <= 0)
		ret = -EINVAL;
	else if (!file_can_write(f))
		ret = -EBADF;
	else if (inode_is(f->inode, S_IFIFO))
		ret = -ESPIPE;
	else if (inode_is(f->inode, S_IFDIR))
		ret = -EISDIR;
	else if (!inode_is(f->inode, S_IFREG))
		ret = -ENODEV;
	else if (len > INT64_MAX - off)
		ret = -EFBIG;
	else if (!f->fops->fallocate)
		ret = -EOPNOTSUPP;
	else
		ret = f->fops->fallocate(f, mode, (uint64_t)off, (uint64_t)len);
	fput(f);
	return ret;
}

/* ------------------------------------------------------- stable and advised */

static long do_fsync(int fd, bool datasync)
{
	struct file *f = fget(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = vfs_fsync(f, 0, FILE_END, datasync);
	fput(f);
	return ret;
}

long sys_fsync(int fd)
{
	return do_fsync(fd, false);
}

long sys_fdatasync(int fd)
{
	return do_fsync(fd, true);
}

void vfs_sync(void)
{
	struct super *sb;

	quire_sync(the_quire);
	for (sb = first_super; sb; sb = sb->next)
		if (sb->ops && sb->ops->sync)
			(void)sb->ops->sync(sb);
}

long sys_sync(void)
{
	vfs_sync();
	return 0;
}

/* An error since this opener was last told of one, as syncfs(2) has it. */
static int sb_error(struct file *f, struct super *sb)
{
	uint64_t now = __atomic_load_n(&sb->write_errors, __ATOMIC_RELAXED);
	uint64_t seen =
		__atomic_exchange_n(&f->sb_errors_seen, now, __ATOMIC_RELAXED);

	return now == seen ? 0 : -(int)(uint32_t)now;
}

long sys_syncfs(int fd)
{
	struct file *f = fget(fd);
	struct super *sb;
	int err = 0;

	if (!f)
		return -EBADF;
	sb = f->inode->sb;
	if (sb) {
		inodes_write_back(sb);
		if (sb->ops && sb->ops->sync)
			err = sb->ops->sync(sb);
		if (!err)
			err = sb_error(f, sb);
	}
	fput(f);
	return err;
}

#define SYNC_FILE_RANGE_WAIT_BEFORE 1u
#define SYNC_FILE_RANGE_WRITE	    2u
#define SYNC_FILE_RANGE_WAIT_AFTER  4u

static int sync_range(struct file *f, uint64_t start, uint64_t end,
		      unsigned flags)
{
	struct address_space *as = f->qf.mapping;
	int err = 0;

	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		err = quire_mapping_sync(as, start, end, QUIRE_SYNC_WAIT);
	if (!err && (flags & SYNC_FILE_RANGE_WRITE))
		err = quire_mapping_sync(as, start, end, QUIRE_SYNC_START);
	if (!err && (flags & SYNC_FILE_RANGE_WAIT_AFTER))
		err = quire_mapping_sync(as, start, end, QUIRE_SYNC_WAIT);
	if (!err && (flags & (SYNC_FILE_RANGE_WAIT_BEFORE |
			      SYNC_FILE_RANGE_WAIT_AFTER)))
		err = quire_file_check_error(&f->qf);
	return err;
}

/* n 0: to the end of the file */
long sys_sync_file_range(int fd, int64_t off, int64_t n, unsigned flags)
{
	struct file *f;
	long ret = 0;

	if (off < 0 || n < 0 || (flags & ~7u) || n > INT64_MAX - off)
		return -EINVAL;
	f = fget(fd);
	if (!f)
		return -EBADF;
	if (!inode_is(f->inode, S_IFREG) && !inode_is(f->inode, S_IFBLK) &&
	    !inode_is(f->inode, S_IFDIR) && !inode_is(f->inode, S_IFLNK))
		ret = -ESPIPE;
	else if (f->qf.mapping)
		ret = sync_range(f, (uint64_t)off,
				 n ? (uint64_t)off + (uint64_t)n - 1 : FILE_END,
				 flags);
	fput(f);
	return ret;
}

#define POSIX_FADV_SEQUENTIAL 2
#define POSIX_FADV_WILLNEED   3
#define POSIX_FADV_DONTNEED   4
#define POSIX_FADV_NOREUSE    5

/* DONTNEED: what is dirty is on its way out then, for the next time. */
static void give_advice(struct file *f, uint64_t off, uint64_t end, int advice)
{
	struct address_space *as = f->qf.mapping;

	if (advice <= POSIX_FADV_SEQUENTIAL)
		f->qf.ra_mode = (uint8_t)advice;
	if (!as)
		return;
	if (advice == POSIX_FADV_WILLNEED)
		quire_mapping_readahead(as, &f->qf, off, end - off + 1);
	if (advice == POSIX_FADV_DONTNEED) {
		(void)quire_mapping_sync(as, off, end, QUIRE_SYNC_START);
		(void)quire_mapping_drop_clean(
			as, off, end == UINT64_MAX ? end : end + 1);
	}
}

/* len 0: to the end of the file */
long sys_fadvise64(int fd, int64_t off, int64_t len, int advice)
{
	struct file *f = fget(fd);
	long ret = 0;
	uint64_t end = FILE_END;

	if (!f)
		return -EBADF;
	if (len > 0 && off >= 0 && len <= INT64_MAX - off)
		end = (uint64_t)off + (uint64_t)len - 1;
	if (inode_is(f->inode, S_IFIFO))
		ret = -ESPIPE;
	else if (len < 0 || advice < 0 || advice > POSIX_FADV_NOREUSE)
		ret = -EINVAL;
	else if (off >= 0)
		give_advice(f, (uint64_t)off, end, advice);
	fput(f);
	return ret;
}

long sys_readahead(int fd, int64_t off, size_t n)
{
	struct file *f = fget(fd);
	long ret = 0;

	if (!f)
		return -EBADF;
	if (!file_can_read(f))
		ret = -EBADF;
	else if (!f->qf.mapping)
		ret = -EINVAL;
	else if (off >= 0)
		quire_mapping_readahead(f->qf.mapping, &f->qf, (uint64_t)off,
					n);
	fput(f);
	return ret;
}
