/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes: no file system here has any.  Each call still finds
 * its file first, so that a wrong path or descriptor is told as such.
 */
#include "fs.h"

static long at_path(uaddr_t upath, unsigned look, long answer)
{
	char *path = path_from_user(upath);
	struct dentry *d;

	if (IS_ERR(path))
		return PTR_ERR(path);
	d = vfs_lookup(AT_FDCWD, path, look);
	path_free(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	dput(d);
	return answer;
}

static long at_fd(int fd, long answer)
{
	struct file *f = fget(fd);

	if (!f)
		return -EBADF;
	fput(f);
	return answer;
}

long sys_getxattr(uaddr_t upath)
{
	return at_path(upath, LOOKUP_FOLLOW, -EOPNOTSUPP);
}

long sys_lgetxattr(uaddr_t upath)
{
	return at_path(upath, 0, -EOPNOTSUPP);
}

long sys_fgetxattr(int fd)
{
	return at_fd(fd, -EOPNOTSUPP);
}

long sys_listxattr(uaddr_t upath)
{
	return at_path(upath, LOOKUP_FOLLOW, 0);
}

long sys_llistxattr(uaddr_t upath)
{
	return at_path(upath, 0, 0);
}

long sys_flistxattr(int fd)
{
	return at_fd(fd, 0);
}

long sys_setxattr(uaddr_t upath)
{
	return at_path(upath, LOOKUP_FOLLOW, -EOPNOTSUPP);
}

long sys_lsetxattr(uaddr_t upath)
{
	return at_path(upath, 0, -EOPNOTSUPP);
}

long sys_fsetxattr(int fd)
{
	return at_fd(fd, -EOPNOTSUPP);
}

long sys_removexattr(uaddr_t upath)
{
	return at_path(upath, LOOKUP_FOLLOW, -EOPNOTSUPP);
}

long sys_lremovexattr(uaddr_t upath)
{
	return at_path(upath, 0, -EOPNOTSUPP);
}

long sys_fremovexattr(int fd)
{
	return at_fd(fd, -EOPNOTSUPP);
}
