/* SPDX-License-Identifier: MIT */
/*
 * From a path to a dentry.
 *
 *     "/usr/lib/x" : root ─usr→ d ─lib→ d (a link: its text goes in front of
 *                    what is left of the path) ─x→ d
 *
 * One step is a look in the dentry cache and, when the name is not there, a
 * question to the file system under the directory's lock.  The walk holds one
 * reference at a time: to where it stands.
 *
 * Mounts: a dentry that something is mounted on leads to that file system's
 * root; ".." of that root leads back out.  Links nest at most 40 deep in one
 * walk (ELOOP), as in path_resolution(7).
 */
#include "fs.h"

#define MAX_LINKS 40

struct walk {
	struct dentry *cur;  /* where we stand; a reference */
	struct dentry *root; /* the task's root; a reference */
	const char *rest;
	char *buf; /* of a link's text and what was left; or NULL */
	unsigned links;
	unsigned flags;
};

/* Over the mounts on d and down: takes over d's reference. */
static struct dentry *cross_down(struct dentry *d)
{
	while (d->mounted) {
		struct dentry *top = dget(d->mounted->root);

		dput(d);
		d = top;
	}
	return d;
}

static struct dentry *lookup_slow(struct dentry *parent, const char *name,
				  size_t len)
{
	struct inode *dir = parent->inode;
	struct dentry *d;
	int err;

	d = d_find(parent, name, len);
	if (d)
		return d;
	d = d_alloc_child(parent, name, len);
	if (!d)
		return ERR_PTR(-ENOMEM);
	err = dir->ops->lookup ? dir->ops->lookup(dir, d) : 0;
	if (err) {
		dput(d);
		return ERR_PTR(err);
	}
	d_add(d);
	return d;
}

/* Is a cached answer still good?  If not it is dropped (also the reference) */
static bool still_good(struct dentry *d)
{
	const struct inode_ops *ops = d->parent->inode->ops;

	if (d->mounted || !ops->revalidate || ops->revalidate(d))
		return true;
	d_drop(d);
	dput(d);
	return false;
}

struct dentry *d_lookup_locked(struct dentry *parent, const char *name,
			       size_t len)
{
	struct dentry *d = d_find(parent, name, len);

	if (d && still_good(d))
		return d;
	return lookup_slow(parent, name, len);
}

static struct dentry *lookup_one(struct dentry *parent, const char *name,
				 size_t len)
{
	struct dentry *d = d_find(parent, name, len);

	if (d && still_good(d))
		return d;
	mutex_lock(&parent->inode->lock);
	if (parent->dead && parent->parent != parent)
		d = ERR_PTR(-ENOENT);
	else
		d = lookup_slow(parent, name, len);
	mutex_unlock(&parent->inode->lock);
	return d;
}

static void step_up(struct walk *w)
{
	struct dentry *d = w->cur, *up;

	while (d != w->root && d->parent == d && d->sb->covers) {
		up = dget(d->sb->covers);
		dput(d);
		d = up;
	}
	if (d != w->root && d->parent != d) {
		up = d_parent_get(d);
		dput(d);
		d = up;
	}
	w->cur = cross_down(d);
}

/* The text of link d goes in front of w->rest.  0 or -errno. */
static int expand_link(struct walk *w, struct dentry *d)
{
	size_t rest = strlen(w->rest);
	char *buf = fs_alloc(2 * PATH_MAX);
	long n;

	if (!buf)
		return -ENOMEM;
	n = d->inode->ops->readlink(d->inode, buf, PATH_MAX - 1);
	if (n == 0)
		n = -ENOENT;
	if (n > 0 && (size_t)n + rest + 2 > 2 * PATH_MAX)
		n = -ENAMETOOLONG;
	if (n < 0) {
		fs_free(buf);
		return (int)n;
	}
	if (rest && w->rest[0] != '/')
		buf[n++] = '/';
	memcpy(buf + n, w->rest, rest + 1);
	fs_free(w->buf);
	w->buf = buf;
	w->rest = buf;
	return 0;
}

/*
 * d is a symbolic link to be followed: takes over its reference.  Either
 * w->cur moves (a magic link, or to the root) or only w->rest changes.
 */
static int follow_link(struct walk *w, struct dentry *d)
{
	struct dentry *to;
	int err;

	if (++w->links > MAX_LINKS) {
		dput(d);
		return -ELOOP;
	}
	if (d->inode->ops->follow) {
		to = d->inode->ops->follow(d->inode);
		dput(d);
		if (IS_ERR(to))
			return (int)PTR_ERR(to);
		dput(w->cur);
		w->cur = to;
		return 0;
	}
	err = expand_link(w, d);
	dput(d);
	if (err)
		return err;
	if (w->rest[0] == '/') {
		dput(w->cur);
		w->cur = dget(w->root);
	}
	return 0;
}

/* Take the next name off the rest; NULL: none is left. */
static const char *next_name(struct walk *w, size_t *len)
{
	const char *name;

	while (*w->rest == '/')
		w->rest++;
	name = w->rest;
	while (*w->rest && *w->rest != '/')
		w->rest++;
	*len = (size_t)(w->rest - name);
	return *len ? name : NULL;
}

static bool rest_is_empty(const struct walk *w)
{
	const char *p = w->rest;

	while (*p == '/')
		p++;
	return *p == '\0';
}

static bool is_link(const struct dentry *d)
{
	return d->inode && inode_is(d->inode, S_IFLNK) && !d->mounted;
}

/* One name.  0 or -errno (w->cur stays valid). */
static int walk_name(struct walk *w, const char *name, size_t len)
{
	struct dentry *d;
	bool last, slash;
	int err;

	if (!w->cur->inode)
		return -ENOENT;
	if (!inode_is(w->cur->inode, S_IFDIR))
		return -ENOTDIR;
	err = inode_permission(w->cur->inode, MAY_EXEC);
	if (err)
		return err;
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		step_up(w);
		return 0;
	}
	d = lookup_one(w->cur, name, len);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	last = rest_is_empty(w);
	slash = *w->rest == '/';
	if (is_link(d) && (!last || slash || (w->flags & LOOKUP_FOLLOW)))
		return follow_link(w, d);
	if (!d->inode && !d->mounted &&
	    !(last && (w->flags & LOOKUP_NEGATIVE))) {
		dput(d);
		return -ENOENT;
	}
	dput(w->cur);
	w->cur = cross_down(d);
	if (last && slash && w->cur->inode && !inode_is(w->cur->inode, S_IFDIR))
		return -ENOTDIR;
	return 0;
}

static int walk_all(struct walk *w)
{
	const char *name;
	size_t len;
	int err;

	while ((name = next_name(w, &len)) != NULL) {
		err = walk_name(w, name, len);
		if (err)
			return err;
	}
	return 0;
}

static int walk_start(struct walk *w, int dirfd, const char *path)
{
	struct fs *fs = current->fs;
	struct file *f;

	*w = (struct walk){.rest = path};
	spin_lock(&fs->lock);
	w->root = dget(fs->root);
	if (path[0] == '/')
		w->cur = dget(fs->root);
	else if (dirfd == AT_FDCWD)
		w->cur = dget(fs->cwd);
	spin_unlock(&fs->lock);
	if (w->cur)
		return 0;
	f = fget_raw(dirfd);
	if (!f)
		return -EBADF;
	if (path[0] && !inode_is(f->inode, S_IFDIR)) {
		fput(f);
		return -ENOTDIR;
	}
	w->cur = dget(f->dentry);
	fput(f);
	return 0;
}

static void walk_end(struct walk *w)
{
	fs_free(w->buf);
	dput(w->root);
	dput(w->cur);
}

struct dentry *vfs_lookup(int dirfd, const char *path, unsigned flags)
{
	struct dentry *d;
	struct walk w;
	int err;

	if (!path[0] && !(flags & LOOKUP_EMPTY))
		return ERR_PTR(-ENOENT);
	err = walk_start(&w, dirfd, path);
	if (!err) {
		w.flags = flags;
		err = walk_all(&w);
	}
	if (!err && (flags & LOOKUP_DIRECTORY) &&
	    !(w.cur->inode && inode_is(w.cur->inode, S_IFDIR)))
		err = w.cur->inode ? -ENOTDIR : -ENOENT;
	d = w.cur;
	if (!err)
		w.cur = NULL;
	walk_end(&w);
	return err ? ERR_PTR(err) : d;
}

/* Where the last name of a path begins; *len without trailing slashes. */
static const char *last_of(const char *path, size_t *len, bool *slash)
{
	size_t end = strlen(path), start;

	*slash = false;
	while (end && path[end - 1] == '/') {
		end--;
		*slash = true;
	}
	start = end;
	while (start && path[start - 1] != '/')
		start--;
	*len = end - start;
	return path + start;
}

struct dentry *vfs_lookup_parent(int dirfd, const char *path,
				 struct last_name *last)
{
	const char *name;
	struct dentry *d;
	struct walk w;
	char *prefix;
	size_t n;
	int err;

	if (!path[0])
		return ERR_PTR(-ENOENT);
	name = last_of(path, &last->len, &last->slash);
	if (last->len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	n = (size_t)(name - path);
	prefix = fs_alloc(n + 1);
	if (!prefix)
		return ERR_PTR(-ENOMEM);
	memcpy(prefix, path, n);
	prefix[n] = '\0';
	memcpy(last->name, name, last->len);
	last->name[last->len] = '\0';
	last->dot = !last->len				     ? 1
		    : last->name[0] != '.'		     ? 0
		    : last->len == 1			     ? 1
		    : last->len == 2 && last->name[1] == '.' ? 2
							     : 0;
	err = walk_start(&w, dirfd, path);
	if (!err) {
		w.rest = prefix;
		w.flags = LOOKUP_FOLLOW;
		err = walk_all(&w);
	}
	if (!err && !(w.cur->inode && inode_is(w.cur->inode, S_IFDIR)))
		err = w.cur->inode ? -ENOTDIR : -ENOENT;
	d = w.cur;
	if (!err)
		w.cur = NULL;
	walk_end(&w);
	fs_free(prefix);
	return err ? ERR_PTR(err) : d;
}

char *path_from_user(uaddr_t upath)
{
	char *buf = fs_alloc(PATH_MAX);
	long n;

	if (!buf)
		return ERR_PTR(-ENOMEM);
	n = strncpy_from_user(buf, upath, PATH_MAX);
	if (n >= 0 && n < PATH_MAX)
		return buf;
	fs_free(buf);
	return ERR_PTR(n < 0 ? n : -ENAMETOOLONG);
}

void path_free(char *path)
{
	fs_free(path);
}

long vfs_path(struct dentry *d, char *buf, size_t cap)
{
	struct fs *fs = current->fs;
	struct dentry *root;
	long n;

	if (!fs)
		return d_path_from(d, global_root, buf, cap);
	spin_lock(&fs->lock);
	root = dget(fs->root);
	spin_unlock(&fs->lock);
	n = d_path_from(d, root, buf, cap);
	dput(root);
	return n;
}
