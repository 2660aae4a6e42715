/* SPDX-License-Identifier: MIT */
/*
 * The calls that change directories: mkdir, mknod, symlink, link, unlink,
 * rmdir, rename.
 *
 * Each finds the parent of the last name, takes the parent's lock, looks the
 * name up under it (so that the answer stays true) and hands both to the file
 * system.  rename takes the file system's rename_lock and then both parents,
 * the ancestor first, or by address when neither is above the other.
 */
#include "fs.h"

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE	 2u

/* Where a new name is to be made. */
struct place {
	struct dentry *parent; /* locked, a reference */
	struct dentry *d;      /* negative, a reference */
};

static void place_end(struct place *pl)
{
	mutex_unlock(&pl->parent->inode->lock);
	dput(pl->d);
	dput(pl->parent);
}

/* Lock the parent and look the last name up. */
static int lock_name(struct dentry *parent, const struct last_name *last,
		     struct dentry **d)
{
	int err = 0;

	mutex_lock(&parent->inode->lock);
	if (parent->dead && parent->parent != parent)
		err = -ENOENT;
	else
		*d = d_lookup_locked(parent, last->name, last->len);
	if (!err && IS_ERR(*d))
		err = (int)PTR_ERR(*d);
	if (err)
		mutex_unlock(&parent->inode->lock);
	return err;
}

static int place_begin(int dirfd, const char *path, bool dir_wanted,
		       struct place *pl)
{
	struct last_name last;
	int err;

	pl->parent = vfs_lookup_parent(dirfd, path, &last);
	if (IS_ERR(pl->parent))
		return (int)PTR_ERR(pl->parent);
	err = last.dot ? -EEXIST : lock_name(pl->parent, &last, &pl->d);
	if (err) {
		dput(pl->parent);
		return err;
	}
	if (pl->d->inode || pl->d->mounted)
		err = -EEXIST;
	else if (last.slash && !dir_wanted)
		err = -ENOENT;
	else
		err = inode_permission(pl->parent->inode, MAY_WRITE | MAY_EXEC);
	if (err)
		place_end(pl);
	return err;
}

int vfs_mkdir(int dirfd, const char *path, uint32_t mode)
{
	const struct inode_ops *ops;
	struct place pl;
	int err = place_begin(dirfd, path, true, &pl);

	if (err)
		return err;
	ops = pl.parent->inode->ops;
	err = !ops->mkdir ? -EPERM
			  : ops->mkdir(pl.parent->inode, pl.d,
				       S_IFDIR | (mode & 01777 &
						  ~current->fs->umask));
	place_end(&pl);
	return err;
}

int vfs_mknod(int dirfd, const char *path, uint32_t mode, uint64_t rdev)
{
	const struct inode_ops *ops;
	struct place pl;
	int err;

	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	if ((mode & S_IFMT) == S_IFDIR)
		return -EPERM;
	err = place_begin(dirfd, path, false, &pl);
	if (err)
		return err;
	ops = pl.parent->inode->ops;
	mode &= ~(current->fs->umask & 0777u);
	if ((mode & S_IFMT) == S_IFREG)
		err = ops->create ? ops->create(pl.parent->inode, pl.d, mode)
				  : -EPERM;
	else
		err = ops->mknod
			      ? ops->mknod(pl.parent->inode, pl.d, mode, rdev)
			      : -EPERM;
	place_end(&pl);
	return err;
}

int vfs_symlink(const char *to, int dirfd, const char *path)
{
	const struct inode_ops *ops;
	struct place pl;
	int err;

	if (!to[0])
		return -ENOENT;
	err = place_begin(dirfd, path, false, &pl);
	if (err)
		return err;
	ops = pl.parent->inode->ops;
	err = ops->symlink ? ops->symlink(pl.parent->inode, pl.d, to) : -EPERM;
	place_end(&pl);
	return err;
}

int vfs_link(struct dentry *old, int dirfd, const char *path)
{
	const struct inode_ops *ops;
	struct place pl;
	int err = place_begin(dirfd, path, false, &pl);

	if (err)
		return err;
	ops = pl.parent->inode->ops;
	if (old->inode->sb != pl.parent->sb)
		err = -EXDEV;
	else if (inode_is(old->inode, S_IFDIR) || !ops->link)
		err = -EPERM;
	else
		err = ops->link(old->inode, pl.parent->inode, pl.d);
	place_end(&pl);
	return err;
}

/* ---------------------------------------------------------------- removing */

static int may_remove(struct dentry *parent, struct dentry *d, bool slash,
		      bool dir)
{
	if (d->mounted)
		return -EBUSY;
	if (!d->inode)
		return -ENOENT;
	if (dir && !inode_is(d->inode, S_IFDIR))
		return -ENOTDIR;
	if (!dir && inode_is(d->inode, S_IFDIR))
		return -EISDIR;
	if (!dir && slash)
		return -ENOTDIR;
	return may_remove_from(parent->inode, d->inode);
}

static int remove_locked(struct dentry *parent, struct dentry *d, bool dir)
{
	const struct inode_ops *ops = parent->inode->ops;
	int err;

	if (dir ? !ops->rmdir : !ops->unlink)
		return -EPERM;
	err = dir ? ops->rmdir(parent->inode, d)
		  : ops->unlink(parent->inode, d);
	if (!err)
		d_drop(d);
	return err;
}

static int do_remove(int dirfd, const char *path, bool dir)
{
	struct last_name last;
	struct dentry *parent, *d;
	int err;

	parent = vfs_lookup_parent(dirfd, path, &last);
	if (IS_ERR(parent))
		return (int)PTR_ERR(parent);
	if (last.dot)
		err = !dir	      ? -EISDIR
		      : !last.len     ? -EBUSY
		      : last.dot == 2 ? -ENOTEMPTY
				      : -EINVAL;
	else
		err = lock_name(parent, &last, &d);
	if (!err) {
		err = may_remove(parent, d, last.slash, dir);
		if (!err)
			err = remove_locked(parent, d, dir);
		mutex_unlock(&parent->inode->lock);
		dput(d);
	}
	dput(parent);
	return err;
}

/* ---------------------------------------------------------------- renaming */

struct renaming {
	struct dentry *op, *np; /* parents */
	struct dentry *od, *nd;
	struct last_name ol, nl;
	unsigned flags;
};

static void lock_parents(struct renaming *r)
{
	struct dentry *a = r->op, *b = r->np;

	if (a == b) {
		mutex_lock(&a->inode->lock);
		return;
	}
	if (d_is_ancestor(b, a) || (!d_is_ancestor(a, b) && b < a)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	mutex_lock(&a->inode->lock);
	mutex_lock(&b->inode->lock);
}

static void unlock_parents(struct renaming *r)
{
	mutex_unlock(&r->op->inode->lock);
	if (r->np != r->op)
		mutex_unlock(&r->np->inode->lock);
}

static int may_rename(const struct renaming *r)
{
	bool odir, ndir;
	int err;

	if (!r->od->inode)
		return -ENOENT;
	err = may_remove_from(r->op->inode, r->od->inode);
	if (!err)
		err = r->nd->inode ? may_remove_from(r->np->inode, r->nd->inode)
				   : inode_permission(r->np->inode,
						      MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (r->od->mounted || r->nd->mounted)
		return -EBUSY;
	odir = inode_is(r->od->inode, S_IFDIR);
	if ((r->ol.slash || r->nl.slash) && !odir)
		return -ENOTDIR;
	if (d_is_ancestor(r->od, r->np))
		return -EINVAL;
	if (!r->nd->inode)
		return r->flags & RENAME_EXCHANGE ? -ENOENT : 0;
	if (r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (d_is_ancestor(r->nd, r->op))
		return -ENOTEMPTY;
	ndir = inode_is(r->nd->inode, S_IFDIR);
	if (odir && !ndir)
		return -ENOTDIR;
	if (!odir && ndir)
		return -EISDIR;
	return 0;
}

static int rename_locked(struct renaming *r)
{
	const struct inode_ops *ops = r->op->inode->ops;
	char *name = NULL;
	int err;

	err = may_rename(r);
	if (err || r->od->inode == r->nd->inode)
		return err;
	if (!ops->rename || (r->flags & RENAME_EXCHANGE))
		return ops->rename ? -EINVAL : -EPERM;
	if (r->nd->len >= sizeof(r->nd->small)) {
		name = fs_alloc(r->nd->len + 1u);
		if (!name)
			return -ENOMEM;
	}
	err = ops->rename(r->op->inode, r->od, r->np->inode, r->nd, r->flags);
	if (err)
		fs_free(name);
	else
		d_move(r->od, r->nd, name);
	return err;
}

static int rename_names(struct renaming *r)
{
	int err = 0;

	if (r->op->dead || r->np->dead)
		return -ENOENT;
	r->od = d_lookup_locked(r->op, r->ol.name, r->ol.len);
	if (IS_ERR(r->od))
		return (int)PTR_ERR(r->od);
	r->nd = d_lookup_locked(r->np, r->nl.name, r->nl.len);
	if (IS_ERR(r->nd)) {
		err = (int)PTR_ERR(r->nd);
	} else {
		err = rename_locked(r);
		dput(r->nd);
	}
	dput(r->od);
	return err;
}

static int do_rename(int ofd, const char *from, int nfd, const char *to,
		     unsigned flags)
{
	struct renaming r = {.flags = flags};
	struct super *sb;
	int err;

	r.op = vfs_lookup_parent(ofd, from, &r.ol);
	if (IS_ERR(r.op))
		return (int)PTR_ERR(r.op);
	r.np = vfs_lookup_parent(nfd, to, &r.nl);
	if (IS_ERR(r.np)) {
		dput(r.op);
		return (int)PTR_ERR(r.np);
	}
	sb = r.op->sb;
	if (sb != r.np->sb) {
		err = -EXDEV;
	} else if (r.ol.dot || r.nl.dot) {
		err = -EBUSY;
	} else {
		mutex_lock(&sb->rename_lock);
		lock_parents(&r);
		err = rename_names(&r);
		unlock_parents(&r);
		mutex_unlock(&sb->rename_lock);
	}
	dput(r.op);
	dput(r.np);
	return err;
}

/* ------------------------------------------------------------ system calls */

long sys_mkdirat(int dirfd, uaddr_t upath, uint32_t mode)
{
	char *path = path_from_user(upath);
	long ret;

	if (IS_ERR(path))
		return PTR_ERR(path);
	ret = vfs_mkdir(dirfd, path, mode);
	path_free(path);
	return ret;
}

long sys_mkdir(uaddr_t upath, uint32_t mode)
{
	return sys_mkdirat(AT_FDCWD, upath, mode);
}

long sys_mknodat(int dirfd, uaddr_t upath, uint32_t mode, uint64_t rdev)
{
	char *path = path_from_user(upath);
	long ret;

	if (IS_ERR(path))
		return PTR_ERR(path);
	ret = vfs_mknod(dirfd, path, mode, rdev);
	path_free(path);
	return ret;
}

long sys_mknod(uaddr_t upath, uint32_t mode, uint64_t rdev)
{
	return sys_mknodat(AT_FDCWD, upath, mode, rdev);
}

long sys_symlinkat(uaddr_t uto, int dirfd, uaddr_t upath)
{
	char *to = path_from_user(uto), *path;
	long ret;

	if (IS_ERR(to))
		return PTR_ERR(to);
	path = path_from_user(upath);
	if (IS_ERR(path)) {
		path_free(to);
		return PTR_ERR(path);
	}
	ret = vfs_symlink(to, dirfd, path);
	path_free(path);
	path_free(to);
	return ret;
}

long sys_symlink(uaddr_t uto, uaddr_t upath)
{
	return sys_symlinkat(uto, AT_FDCWD, upath);
}

long sys_linkat(int ofd, uaddr_t uold, int nfd, uaddr_t unew, unsigned flags)
{
	unsigned look = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
	char *old, *path;
	struct dentry *d;
	long ret;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH)
		look |= LOOKUP_EMPTY;
	old = path_from_user(uold);
	if (IS_ERR(old))
		return PTR_ERR(old);
	path = path_from_user(unew);
	if (IS_ERR(path)) {
		path_free(old);
		return PTR_ERR(path);
	}
	d = vfs_lookup(ofd, old, look);
	ret = IS_ERR(d) ? PTR_ERR(d) : vfs_link(d, nfd, path);
	if (!IS_ERR(d))
		dput(d);
	path_free(path);
	path_free(old);
	return ret;
}

long sys_link(uaddr_t uold, uaddr_t unew)
{
	return sys_linkat(AT_FDCWD, uold, AT_FDCWD, unew, 0);
}

long sys_unlinkat(int dirfd, uaddr_t upath, unsigned flags)
{
	char *path;
	long ret;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	path = path_from_user(upath);
	if (IS_ERR(path))
		return PTR_ERR(path);
	ret = do_remove(dirfd, path, flags & AT_REMOVEDIR);
	path_free(path);
	return ret;
}

long sys_unlink(uaddr_t upath)
{
	return sys_unlinkat(AT_FDCWD, upath, 0);
}

long sys_rmdir(uaddr_t upath)
{
	return sys_unlinkat(AT_FDCWD, upath, AT_REMOVEDIR);
}

long sys_renameat2(int ofd, uaddr_t uold, int nfd, uaddr_t unew, unsigned flags)
{
	char *old, *path;
	long ret;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	old = path_from_user(uold);
	if (IS_ERR(old))
		return PTR_ERR(old);
	path = path_from_user(unew);
	if (IS_ERR(path)) {
		path_free(old);
		return PTR_ERR(path);
	}
	ret = do_rename(ofd, old, nfd, path, flags);
	path_free(path);
	path_free(old);
	return ret;
}

long sys_renameat(int ofd, uaddr_t uold, int nfd, uaddr_t unew)
{
	return sys_renameat2(ofd, uold, nfd, unew, 0);
}

long sys_rename(uaddr_t uold, uaddr_t unew)
{
	return sys_renameat2(AT_FDCWD, uold, AT_FDCWD, unew, 0);
}
