/* SPDX-License-Identifier: MIT */
/*
 * Open files: made by open(2), shared by dup and fork, gone with the last
 * reference.  A mapping holds a reference through the quire_file that is
 * embedded here, so a file that is only mapped lives on after close.
 *
 * refs is atomic; pos_lock serialises users of the file's position.
 */
#include "fs.h"

static void qfile_get(struct quire_file *qf)
{
	fget_file(file_of(qf));
}

static void qfile_put(struct quire_file *qf)
{
	fput(file_of(qf));
}

static int qfile_fsync(struct quire_file *qf, uint64_t start, uint64_t end,
		       bool datasync)
{
	struct file *f = file_of(qf);

	return f->fops->fsync ? f->fops->fsync(f, start, end, datasync) : 0;
}

static void qfile_update_time(struct quire_file *qf)
{
	inode_touch(file_of(qf)->inode, TOUCH_M | TOUCH_C);
}

/* MADV_REMOVE */
static int qfile_punch(struct quire_file *qf, uint64_t start, uint64_t end)
{
	struct file *f = file_of(qf);

	if (!f->fops->fallocate)
		return -EOPNOTSUPP;
	return f->fops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  start, end - start);
}

static int qfile_mmap(struct quire_file *qf, struct mm_struct *mm, uaddr_t addr,
		      uaddr_t len, unsigned prot, unsigned flags)
{
	struct file *f = file_of(qf);

	(void)mm;
	(void)addr;
	(void)len;
	return f->fops->mmap ? f->fops->mmap(f, prot, flags) : 0;
}

static const struct quire_file_ops qfile_ops = {
	.get = qfile_get,
	.put = qfile_put,
	.mmap = qfile_mmap,
	.fsync = qfile_fsync,
	.update_time = qfile_update_time,
	.punch = qfile_punch,
};

struct file *file_of(struct quire_file *qf)
{
	return (struct file *)((char *)qf - offsetof(struct file, qf));
}

struct file *fget_file(struct file *file)
{
	__atomic_fetch_add(&file->refs, 1, __ATOMIC_RELAXED);
	return file;
}

/* The inode whose pages f may have made dirty; NULL: none that are written. */
static struct inode *written_inode(const struct file *f)
{
	struct inode *inode;

	if (!f->qf.writable || !f->qf.mapping)
		return NULL;
	inode = quire_mapping_host(f->qf.mapping);
	/* memory that is its own device has none */
	return inode && inode->written_back ? inode : NULL;
}

/*
 * f, which is on its way out, could write.  Where it was the last that could,
 * the pages go to the device now, so that whoever looks there finds what the
 * program has written.  Bytes that no name leads to are not worth it.
 */
static void end_writing(struct file *f)
{
	struct inode *inode = written_inode(f);

	if (!inode)
		return;
	if (__atomic_sub_fetch(&inode->writers, 1, __ATOMIC_ACQ_REL) ||
	    !inode->nlink)
		return;
	(void)inode_write_back(inode);
	if (f->fops->written)
		f->fops->written(inode);
}

void fput(struct file *f)
{
	if (!f || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	end_writing(f);
	if (f->ep_links)
		epoll_forget(f);
	if (f->has_locks)
		locks_release(f->inode, f, true);
	if (f->fops && f->fops->release && !(f->flags & O_PATH))
		f->fops->release(f);
	dput(f->dentry);
	fs_free(f);
}

int file_close(struct file *f, struct files *owner)
{
	struct inode *inode = written_inode(f);
	int err = 0;

	if (f->inode->locks)
		locks_release(f->inode, owner, false);
	/* fput() is about to write: before f is gone it can tell of errors.
	 * At a program's end nobody listens, so they stay for others. */
	if (inode && inode->nlink &&
	    __atomic_load_n(&f->refs, __ATOMIC_ACQUIRE) == 1 &&
	    __atomic_load_n(&inode->writers, __ATOMIC_ACQUIRE) == 1 &&
	    !inode_write_back(inode))
		err = quire_file_peek_error(&f->qf);
	fput(f);
	return err;
}

static void set_access(struct file *f)
{
	unsigned acc = f->flags & O_ACCMODE;

	if (f->flags & O_PATH)
		return;
	f->qf.readable = acc == O_RDONLY || acc == O_RDWR;
	f->qf.writable = acc == O_WRONLY || acc == O_RDWR;
	if (!inode_is(f->inode, S_IFREG))
		return;
	f->qf.mapping = f->inode->mapping;
	f->qf.noexec = f->inode->sb && f->inode->sb->noexec;
}

bool file_allows(const struct file *f, uint32_t flags)
{
	return !(flags & O_DIRECT) || !f->qf.mapping || !f->fops ||
	       f->fops->direct;
}

/* fops->open has been: f takes part in what becomes of its pages. */
static void begin_writing(struct file *f)
{
	struct inode *inode = written_inode(f);

	if (f->qf.mapping)
		quire_file_opened(&f->qf);
	if (f->inode->sb)
		f->sb_errors_seen = __atomic_load_n(&f->inode->sb->write_errors,
						    __ATOMIC_RELAXED);
	if (inode)
		__atomic_add_fetch(&inode->writers, 1, __ATOMIC_ACQ_REL);
}

struct file *file_open_dentry(struct dentry *d, uint32_t flags)
{
	struct file *f = fs_zalloc(sizeof(*f));
	int err = 0;

	if (!f)
		return ERR_PTR(-ENOMEM);
	f->refs = 1;
	f->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	f->dentry = dget(d);
	f->inode = d->inode;
	f->fops = d->inode->fops;
	f->qf.ops = &qfile_ops;
	mutex_init(&f->pos_lock);
	set_access(f);
	if (f->flags & O_PATH)
		f->fops = NULL;
	else if (f->fops && f->fops->open)
		err = f->fops->open(d->inode, f);
	else if (!f->fops)
		err = -ENXIO;
	if (!err && !file_allows(f, f->flags)) {
		if (f->fops->release)
			f->fops->release(f);
		err = -EINVAL;
	}
	if (!err) {
		begin_writing(f);
		return f;
	}
	dput(f->dentry);
	fs_free(f);
	return ERR_PTR(err);
}

struct inode *inode_anonymous(uint32_t mode)
{
	struct inode *inode = inode_new(NULL, mode, inode_fresh_number());

	return inode;
}

struct file *file_anonymous(struct inode *inode, const char *name,
			    const struct file_operations *fops, uint32_t flags)
{
	struct dentry *d;
	struct file *f;

	inode->fops = fops;
	d = d_anonymous(inode, name);
	if (!d)
		return ERR_PTR(-ENOMEM);
	f = file_open_dentry(d, flags);
	inode->fops = NULL; /* not to be opened again through /proc */
	dput(d);
	return f;
}

long fd_give(struct file *f, bool cloexec)
{
	int fd = fd_install(f, 0, cloexec);

	if (fd < 0)
		fput(f);
	return fd;
}

long fd_anonymous(const char *name, const struct file_operations *fops,
		  void *priv, void (*drop)(void *priv), uint32_t flags)
{
	struct inode *inode = inode_anonymous(0600);
	struct file *f = ERR_PTR(-ENOMEM);

	if (inode)
		f = file_anonymous(inode, name, fops,
				   O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(f)) {
		drop(priv);
		return PTR_ERR(f);
	}
	f->priv = priv;
	return fd_give(f, flags & O_CLOEXEC);
}

/* ----------------------------------------------------------------- opening */

/*
 * Make the missing name that d stands for.  Its parent's lock is not held.
 * *made: false when somebody else has made it in the meantime.
 */
static int create_missing(struct dentry *d, uint32_t flags, uint32_t mode,
			  bool *made)
{
	struct dentry *parent = d->parent;
	struct inode *dir = parent->inode;
	int err;

	if (d->sb->readonly)
		return -EROFS;
	mutex_lock(&dir->lock);
	if (d->inode)
		err = flags & O_EXCL ? -EEXIST : 0;
	else if (!d->hashed || parent->dead)
		err = -ESTALE; /* another change came between: look again */
	else if (!dir->ops->create)
		err = -EACCES;
	else
		err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (!err && !d->inode) {
		*made = true;
		err = dir->ops->create(
			dir, d, S_IFREG | (mode & 07777 & ~current->fs->umask));
	}
	mutex_unlock(&dir->lock);
	return err;
}

static int check_open(struct dentry *d, uint32_t flags, bool created)
{
	struct inode *inode = d->inode;
	unsigned mask = 0, acc = flags & O_ACCMODE;

	if ((flags & O_DIRECTORY) && !inode_is(inode, S_IFDIR))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (inode_is(inode, S_IFLNK))
		return -ELOOP;
	if (inode_is(inode, S_IFDIR) &&
	    (acc != O_RDONLY || (flags & (O_CREAT | O_TRUNC))))
		return -EISDIR;
	if (inode_is(inode, S_IFSOCK))
		return -ENXIO;
	if (created)
		return 0;
	if (acc == O_RDONLY || acc == O_RDWR)
		mask |= MAY_READ;
	if (acc == O_WRONLY || acc == O_RDWR || (flags & O_TRUNC))
		mask |= MAY_WRITE;
	return inode_permission(inode, mask);
}

static bool ends_in_slash(const char *path)
{
	size_t n = strlen(path);

	return n && path[n - 1] == '/';
}

/* The dentry to open, made if asked for; *created tells. */
static struct dentry *open_lookup(int dirfd, const char *path, uint32_t flags,
				  uint32_t mode, bool *created)
{
	unsigned look = 0;
	struct dentry *d;
	int err;

	if (!(flags & O_NOFOLLOW) &&
	    (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		look |= LOOKUP_FOLLOW;
	if (flags & O_CREAT)
		look |= LOOKUP_NEGATIVE;
	for (;;) {
		*created = false;
		d = vfs_lookup(dirfd, path, look);
		if (IS_ERR(d) || !(flags & O_CREAT))
			return d;
		if (d->inode && (flags & O_EXCL)) {
			dput(d);
			return ERR_PTR(-EEXIST);
		}
		if (d->inode)
			return d;
		err = ends_in_slash(path)
			      ? -EISDIR
			      : create_missing(d, flags, mode, created);
		if (!err)
			return d;
		dput(d);
		if (err != -ESTALE)
			return ERR_PTR(err);
	}
}

static struct file *open_found(struct dentry *d, uint32_t flags, bool created)
{
	struct inode *inode = d->inode;
	struct file *f;
	int err;

	if (!inode)
		return ERR_PTR(-ENOENT);
	err = check_open(d, flags, created);
	if (!err && inode->ops && inode->ops->refresh)
		err = inode->ops->refresh(inode);
	if (err)
		return ERR_PTR(err);
	f = file_open_dentry(d, flags);
	if (IS_ERR(f))
		return f;
	if ((flags & O_TRUNC) && !created && !(flags & O_PATH) &&
	    inode_is(inode, S_IFREG)) {
		err = inode_truncate(inode, 0);
		if (err) {
			fput(f);
			return ERR_PTR(err);
		}
	}
	return f;
}

/* O_TMPFILE: a file that never had a name, on the directory's file system. */
static struct file *open_tmpfile(int dirfd, const char *path, uint32_t flags,
				 uint32_t mode)
{
	struct dentry *dir, *d;
	struct file *f;
	struct inode *inode;

	if ((flags & O_ACCMODE) == O_RDONLY)
		return ERR_PTR(-EINVAL);
	dir = vfs_lookup(dirfd, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
	if (IS_ERR(dir))
		return (struct file *)dir;
	if (dir->sb->readonly)
		inode = ERR_PTR(-EROFS);
	else if (!dir->inode->ops->tmpfile)
		inode = ERR_PTR(-EOPNOTSUPP);
	else
		inode = dir->inode->ops->tmpfile(
			dir->inode,
			S_IFREG | (mode & 07777 & ~current->fs->umask));
	dput(dir);
	if (IS_ERR(inode))
		return (struct file *)inode;
	d = d_anonymous(inode, "/ (deleted)");
	if (!d)
		return ERR_PTR(-ENOMEM);
	f = file_open_dentry(d, flags & ~(O_TMPFILE & ~O_DIRECTORY) &
					~O_DIRECTORY);
	dput(d);
	return f;
}

struct file *vfs_open(int dirfd, const char *path, uint32_t flags,
		      uint32_t mode)
{
	struct dentry *d;
	struct file *f;
	unsigned tries = 0;
	bool created;

	if ((flags & O_TMPFILE) == O_TMPFILE && !(flags & O_PATH))
		return open_tmpfile(dirfd, path, flags, mode);
	if ((flags & O_CREAT) && (flags & O_DIRECTORY))
		return ERR_PTR(-EINVAL);
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	do {
		d = open_lookup(dirfd, path, flags, mode, &created);
		if (IS_ERR(d))
			return (struct file *)d;
		f = open_found(d, flags, created);
		dput(d);
		/* what was found has lost its name since, so that a server no
		 * longer finds it: it is as if it had not been there */
	} while (PTR_ERR(f) == -ENOENT && (flags & O_CREAT) && tries++ < 100);
	return f;
}

struct file *vfs_open_exec(int dirfd, const char *path, unsigned flags)
{
	unsigned look = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct dentry *d;
	struct file *f;
	int err;

	if (flags & AT_EMPTY_PATH)
		look |= LOOKUP_EMPTY;
	d = vfs_lookup(dirfd, path, look);
	if (IS_ERR(d))
		return (struct file *)d;
	if (inode_is(d->inode, S_IFLNK))
		err = -ELOOP;
	else if (!inode_is(d->inode, S_IFREG) || d->sb->noexec)
		err = -EACCES;
	else
		err = inode_permission(d->inode, MAY_EXEC);
	f = err ? ERR_PTR(err) : file_open_dentry(d, O_RDONLY);
	dput(d);
	return f;
}

long kernel_read(struct file *file, void *buf, size_t n, uint64_t pos)
{
	struct kiovec one;
	struct iter it;

	if (!file->fops || !file->fops->read)
		return -EINVAL;
	iter_init_kernel(&it, &one, buf, n);
	return file->fops->read(file, &it, &pos);
}

long kernel_write(struct file *file, const void *buf, size_t n, uint64_t pos)
{
	struct kiovec one;
	struct iter it;

	if (!file->fops || !file->fops->write)
		return -EINVAL;
	iter_init_kernel(&it, &one, (void *)(uintptr_t)buf, n);
	return file->fops->write(file, &it, &pos);
}

/* ------------------------------------------------------------ system calls */

static long do_open(int dirfd, uaddr_t upath, uint32_t flags, uint32_t mode)
{
	char *path = path_from_user(upath);
	struct file *f;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if ((flags & O_ACCMODE) == O_ACCMODE && !(flags & O_PATH))
		f = ERR_PTR(-EINVAL);
	else
		f = vfs_open(dirfd, path, flags, mode);
	path_free(path);
	if (IS_ERR(f))
		return PTR_ERR(f);
	return fd_give(f, flags & O_CLOEXEC);
}

long sys_open(uaddr_t path, uint32_t flags, uint32_t mode)
{
	return do_open(AT_FDCWD, path, flags, mode);
}

long sys_openat(int dirfd, uaddr_t path, uint32_t flags, uint32_t mode)
{
	return do_open(dirfd, path, flags, mode);
}

long sys_creat(uaddr_t path, uint32_t mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* openat2(2), without the restrictions of `resolve`. */
long sys_openat2(int dirfd, uaddr_t path, uaddr_t uhow, size_t size)
{
	uint64_t how[3]; /* flags, mode, resolve */

	if (size < sizeof(how))
		return -EINVAL;
	if (size > sizeof(how))
		return -E2BIG;
	if (copy_from_user(how, uhow, sizeof(how)))
		return -EFAULT;
	if (how[0] > UINT32_MAX || (how[1] & ~07777ull) || how[2] ||
	    (how[1] && !(how[0] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))))
		return -EINVAL;
	return do_open(dirfd, path, (uint32_t)how[0], (uint32_t)how[1]);
}
