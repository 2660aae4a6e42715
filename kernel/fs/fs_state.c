/* SPDX-License-Identifier: MIT */
/*
 * A task's root, working directory and umask, and the calls about them.
 * fs->lock (spinlock) guards the two pointers: they are swapped under it and
 * the old reference is dropped after it.
 */
#include "fs.h"

struct dentry *global_root;

struct fs *fs_new(void)
{
	struct fs *fs = fs_zalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	if (global_root) { /* else before the root was mounted */
		fs->root = dget(global_root);
		fs->cwd = dget(global_root);
	}
	fs->umask = 022;
	return fs;
}

struct fs *fs_copy(struct fs *old)
{
	struct fs *fs = fs_zalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	spin_lock(&old->lock);
	fs->root = dget(old->root);
	fs->cwd = dget(old->cwd);
	fs->umask = old->umask;
	spin_unlock(&old->lock);
	return fs;
}

struct fs *fs_get(struct fs *fs)
{
	__atomic_fetch_add(&fs->refs, 1, __ATOMIC_RELAXED);
	return fs;
}

void fs_put(struct fs *fs)
{
	if (!fs || __atomic_sub_fetch(&fs->refs, 1, __ATOMIC_ACQ_REL))
		return;
	dput(fs->root);
	dput(fs->cwd);
	fs_free(fs);
}

/* The working directory becomes d (takes over the reference). */
static void set_cwd(struct dentry *d)
{
	struct fs *fs = current->fs;
	struct dentry *old;

	spin_lock(&fs->lock);
	old = fs->cwd;
	fs->cwd = d;
	spin_unlock(&fs->lock);
	dput(old);
}

static struct dentry *lookup_dir(uaddr_t upath)
{
	char *path = path_from_user(upath);
	struct dentry *d;
	int err;

	if (IS_ERR(path))
		return (struct dentry *)path;
	d = vfs_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
	path_free(path);
	if (IS_ERR(d))
		return d;
	err = inode_permission(d->inode, MAY_EXEC);
	if (!err)
		return d;
	dput(d);
	return ERR_PTR(err);
}

long sys_chdir(uaddr_t upath)
{
	struct dentry *d = lookup_dir(upath);

	if (IS_ERR(d))
		return PTR_ERR(d);
	set_cwd(d);
	return 0;
}

long sys_fchdir(int fd)
{
	struct file *f = fget_raw(fd);

	if (!f)
		return -EBADF;
	if (!inode_is(f->inode, S_IFDIR)) {
		fput(f);
		return -ENOTDIR;
	}
	set_cwd(dget(f->dentry));
	fput(f);
	return 0;
}

long sys_chroot(uaddr_t upath)
{
	struct dentry *d = lookup_dir(upath), *old;
	struct fs *fs = current->fs;

	if (IS_ERR(d))
		return PTR_ERR(d);
	spin_lock(&fs->lock);
	old = fs->root;
	fs->root = d;
	spin_unlock(&fs->lock);
	dput(old);
	return 0;
}

long sys_umask(unsigned mask)
{
	struct fs *fs = current->fs;

	return (long)__atomic_exchange_n(&fs->umask, mask & 0777u,
					 __ATOMIC_RELAXED);
}

long sys_getcwd(uaddr_t ubuf, size_t size)
{
	char *buf = fs_alloc(PATH_MAX);
	struct dentry *cwd;
	struct fs *fs = current->fs;
	long n;

	if (!buf)
		return -ENOMEM;
	spin_lock(&fs->lock);
	cwd = dget(fs->cwd);
	spin_unlock(&fs->lock);
	n = cwd->dead ? -ENOENT : vfs_path(cwd, buf, PATH_MAX);
	dput(cwd);
	if (n > 0 && (size_t)n > size)
		n = -ERANGE;
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	fs_free(buf);
	return n;
}
