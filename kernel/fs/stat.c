/* SPDX-License-Identifier: MIT */
/*
 * What a file is: the stat family, statfs, readlink, access.
 *
 * The layouts are those of stat(2), which differs between processors
 * (arch_abi.h), and statx(2); both are filled from one struct kstat.
 */
#include "fs.h"

struct linux_statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t pad;
};

struct linux_statx { /* linux/stat.h, 256 bytes */
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad0;
	uint64_t ino, size, blocks, attributes_mask;
	struct linux_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mnt_id, pad2[13];
};
_Static_assert(sizeof(struct linux_statx) == 256, "statx(2)");

#define STATX_BASIC_STATS 0x7ffu

static uint32_t dev_major(uint64_t dev)
{
	return (uint32_t)((dev >> 8) & 0xfff);
}

static uint32_t dev_minor(uint64_t dev)
{
	return (uint32_t)((dev & 0xff) | ((dev >> 12) & 0xfff00));
}

int vfs_getattr(struct inode *inode, struct kstat *st)
{
	int err;

	/* the server's times move with each byte that is written: those that
	 * we tell are to stay */
	if (inode->sb && inode->sb->volatile_names)
		(void)inode_write_back(inode);
	if (inode->ops && inode->ops->refresh) {
		err = inode->ops->refresh(inode);
		if (err)
			return err;
	}
	*st = (struct kstat){
		.dev = inode->sb ? inode->sb->dev : 0,
		.ino = inode->ino,
		.mode = inode->mode,
		.nlink = inode->nlink,
		.uid = inode->uid,
		.gid = inode->gid,
		.rdev = inode->rdev,
		.size = inode_size(inode),
		.blksize = 4096,
		.blocks = inode->blocks,
		.atime = inode->atime,
		.mtime = inode->mtime,
		.ctime = inode->ctime,
	};
	if (inode->ops && inode->ops->getattr)
		return inode->ops->getattr(inode, st);
	return 0;
}

/* A member of a user's structure, whatever its width. */
#define SET(member, value) ((member) = (__typeof__(member))(value))

static long put_stat(const struct kstat *k, uaddr_t ubuf)
{
	struct linux_stat st;

	memset(&st, 0, sizeof(st));
	SET(st.dev, k->dev);
	SET(st.ino, k->ino);
	SET(st.nlink, k->nlink);
	SET(st.mode, k->mode);
	SET(st.uid, k->uid);
	SET(st.gid, k->gid);
	SET(st.rdev, k->rdev);
	SET(st.size, k->size);
	SET(st.blksize, k->blksize);
	SET(st.blocks, k->blocks);
	SET(st.atime, k->atime.sec);
	SET(st.atime_nsec, k->atime.nsec);
	SET(st.mtime, k->mtime.sec);
	SET(st.mtime_nsec, k->mtime.nsec);
	SET(st.ctime, k->ctime.sec);
	SET(st.ctime_nsec, k->ctime.nsec);
	abi_stat_extra(&st);
	return copy_to_user(ubuf, &st, sizeof(st)) ? -EFAULT : 0;
}

/* Attributes by path; flags: AT_* */
static long stat_at(int dirfd, uaddr_t upath, unsigned flags, struct kstat *st)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct dentry *d;
	char *path;
	long err;

	if (flags & AT_EMPTY_PATH) {
		look |= LOOKUP_EMPTY;
		if (!upath)
			return -EFAULT;
	}
	path = path_from_user(upath);
	if (IS_ERR(path))
		return PTR_ERR(path);
	d = vfs_lookup(dirfd, path, look);
	path_free(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	err = vfs_getattr(d->inode, st);
	dput(d);
	return err;
}

long sys_newfstatat(int dirfd, uaddr_t upath, uaddr_t ubuf, unsigned flags)
{
	struct kstat st;
	long err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	err = stat_at(dirfd, upath, flags, &st);
	return err ? err : put_stat(&st, ubuf);
}

long sys_stat(uaddr_t upath, uaddr_t ubuf)
{
	return sys_newfstatat(AT_FDCWD, upath, ubuf, 0);
}

long sys_lstat(uaddr_t upath, uaddr_t ubuf)
{
	return sys_newfstatat(AT_FDCWD, upath, ubuf, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(int fd, uaddr_t ubuf)
{
	struct file *f = fget_raw(fd);
	struct kstat st;
	long err;

	if (!f)
		return -EBADF;
	err = vfs_getattr(f->inode, &st);
	fput(f);
	return err ? err : put_stat(&st, ubuf);
}

static struct linux_statx_time statx_time(struct vfs_time t)
{
	return (struct linux_statx_time){t.sec, t.nsec, 0};
}

long sys_statx(int dirfd, uaddr_t upath, unsigned flags, unsigned mask,
	       uaddr_t ubuf)
{
	struct linux_statx x;
	struct kstat st;
	long err;

	if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
		       0x6000u)) ||
	    (mask & 0x80000000u))
		return -EINVAL;
	err = stat_at(dirfd, upath, flags, &st);
	if (err)
		return err;
	x = (struct linux_statx){
		.mask = STATX_BASIC_STATS,
		.blksize = (uint32_t)st.blksize,
		.nlink = st.nlink,
		.uid = st.uid,
		.gid = st.gid,
		.mode = (uint16_t)st.mode,
		.ino = st.ino,
		.size = st.size,
		.blocks = st.blocks,
		.atime = statx_time(st.atime),
		.ctime = statx_time(st.ctime),
		.mtime = statx_time(st.mtime),
		.rdev_major = dev_major(st.rdev),
		.rdev_minor = dev_minor(st.rdev),
		.dev_major = dev_major(st.dev),
		.dev_minor = dev_minor(st.dev),
	};
	return copy_to_user(ubuf, &x, sizeof(x)) ? -EFAULT : 0;
}

/* ----------------------------------------------------------------- statfs */

int vfs_statfs(struct super *sb, struct kstatfs *k)
{
	*k = (struct kstatfs){
		.type = sb ? sb->magic : 0, .bsize = 4096, .namelen = NAME_MAX};
	return sb && sb->ops && sb->ops->statfs ? sb->ops->statfs(sb, k) : 0;
}

/* ST_VALID, ST_RDONLY, ST_NOEXEC */
unsigned vfs_statfs_flags(const struct super *sb)
{
	return 0x20u | (sb && sb->readonly ? 1u : 0) |
	       (sb && sb->noexec ? 8u : 0);
}

static long put_statfs(struct super *sb, uaddr_t ubuf)
{
	struct linux_statfs s;
	struct kstatfs k;
	int err = vfs_statfs(sb, &k);

	if (err)
		return err;
	memset(&s, 0, sizeof(s));
	SET(s.type, k.type);
	SET(s.bsize, k.bsize);
	SET(s.frsize, k.bsize);
	SET(s.blocks, k.blocks);
	SET(s.bfree, k.bfree);
	SET(s.bavail, k.bavail);
	SET(s.files, k.files);
	SET(s.ffree, k.ffree);
	SET(s.fsid[0], sb ? sb->dev : 0);
	SET(s.namelen, k.namelen);
	SET(s.flags, vfs_statfs_flags(sb));
	return copy_to_user(ubuf, &s, sizeof(s)) ? -EFAULT : 0;
}

long statfs_path(uaddr_t upath, statfs_put_fn put, uaddr_t ubuf)
{
	char *path = path_from_user(upath);
	struct dentry *d;
	long ret;

	if (IS_ERR(path))
		return PTR_ERR(path);
	d = vfs_lookup(AT_FDCWD, path, LOOKUP_FOLLOW);
	path_free(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = put(d->sb, ubuf);
	dput(d);
	return ret;
}

long statfs_fd(int fd, statfs_put_fn put, uaddr_t ubuf)
{
	struct file *f = fget_raw(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = put(f->inode->sb, ubuf);
	fput(f);
	return ret;
}

long sys_statfs(uaddr_t upath, uaddr_t ubuf)
{
	return statfs_path(upath, put_statfs, ubuf);
}

long sys_fstatfs(int fd, uaddr_t ubuf)
{
	return statfs_fd(fd, put_statfs, ubuf);
}

/* --------------------------------------------------------- links and access */

long sys_readlinkat(int dirfd, uaddr_t upath, uaddr_t ubuf, int size)
{
	struct dentry *d;
	char *path, *buf;
	long n;

	if (size <= 0)
		return -EINVAL;
	path = path_from_user(upath);
	if (IS_ERR(path))
		return PTR_ERR(path);
	d = vfs_lookup(dirfd, path, LOOKUP_EMPTY);
	if (!IS_ERR(d) && !path[0] && !inode_is(d->inode, S_IFLNK)) {
		dput(d);
		d = ERR_PTR(-ENOENT);
	}
	path_free(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	n = -EINVAL;
	if (!inode_is(d->inode, S_IFLNK))
		goto put;
	n = -ENOMEM;
	buf = fs_alloc(PATH_MAX);
	if (!buf)
		goto put;
	n = d->inode->ops->readlink(d->inode, buf, PATH_MAX);
	if (n > size)
		n = size;
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	fs_free(buf);
put:
	dput(d);
	return n;
}

long sys_readlink(uaddr_t upath, uaddr_t ubuf, int size)
{
	return sys_readlinkat(AT_FDCWD, upath, ubuf, size);
}

long sys_faccessat2(int dirfd, uaddr_t upath, unsigned mode, unsigned flags)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct dentry *d;
	char *path;
	long ret;

	if ((mode & ~7u) ||
	    (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
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
	ret = permission_as(d->inode, mode, !(flags & AT_EACCESS));
	dput(d);
	return ret;
}

long sys_faccessat(int dirfd, uaddr_t upath, unsigned mode)
{
	return sys_faccessat2(dirfd, upath, mode, 0);
}

long sys_access(uaddr_t upath, unsigned mode)
{
	return sys_faccessat2(AT_FDCWD, upath, mode, 0);
}
