/* SPDX-License-Identifier: MIT */
/*
 * tmpfs: files that live in memory only.
 *
 *     directory inode → tdir → entries, in order of making:
 *                              [cookie 3 "a" → inode] [cookie 4 "b" → inode]
 *
 * An entry holds a reference to its inode, so that what has a name stays; an
 * unlinked file lives as long as someone has it open or mapped.  The bytes are
 * a shmem mapping of Quire's.  readdir's position is the cookie of the next
 * entry, which never changes while the entry lives: removing names while
 * reading neither skips nor repeats others.
 *
 * A directory's entries are guarded by its inode's lock; the hash over all
 * entries by a spinlock.
 */
#include "fs.h"

#define TMPFS_MAGIC 0x01021994
#define TNAME_HASH  4096u

struct tentry {
	struct tentry *hash_next, *next, *prev;
	struct inode *dir, *inode;
	uint64_t cookie;
	uint32_t hash;
	uint16_t len;
	char name[];
};

struct tdir {
	struct tentry *first, *last;
	struct inode *parent; /* no reference: it cannot go before us */
	uint64_t next_cookie;
	unsigned count;
};

static struct spinlock hash_lock = SPINLOCK_INIT;
static struct tentry *names[TNAME_HASH];

static const struct inode_ops tmpfs_dir_iops, tmpfs_file_iops, tmpfs_link_iops;
static const struct file_operations tmpfs_dir_fops, tmpfs_file_fops;

/* ----------------------------------------------------------------- entries */

static struct tentry **name_bucket(const struct inode *dir, uint32_t hash)
{
	uint64_t h = ((uint64_t)(uintptr_t)dir >> 5) + hash;

	return &names[(h * 0x9e3779b97f4a7c15ull >> 40) & (TNAME_HASH - 1)];
}

static struct tentry *entry_find(struct inode *dir, const struct dentry *d)
{
	struct tentry *e;

	spin_lock(&hash_lock);
	for (e = *name_bucket(dir, d->hash); e; e = e->hash_next)
		if (e->dir == dir && e->hash == d->hash && e->len == d->len &&
		    memcmp(e->name, d->name, d->len) == 0)
			break;
	spin_unlock(&hash_lock);
	return e;
}

/* A new entry for d's name; it takes over one reference to the inode. */
static int entry_add(struct inode *dir, const struct dentry *d,
		     struct inode *inode)
{
	struct tentry *e = fs_zalloc(sizeof(*e) + d->len + 1u);
	struct tdir *t = dir->priv;
	struct tentry **b;

	if (!e)
		return -ENOMEM;
	e->dir = dir;
	e->inode = inode;
	e->hash = d->hash;
	e->len = d->len;
	memcpy(e->name, d->name, d->len);
	e->cookie = t->next_cookie++;
	e->prev = t->last;
	if (t->last)
		t->last->next = e;
	else
		t->first = e;
	t->last = e;
	t->count++;
	spin_lock(&hash_lock);
	b = name_bucket(dir, e->hash);
	e->hash_next = *b;
	*b = e;
	spin_unlock(&hash_lock);
	inode_touch(dir, TOUCH_M | TOUCH_C);
	return 0;
}

/* Forget an entry and its reference. */
static void entry_remove(struct tentry *e)
{
	struct tdir *t = e->dir->priv;
	struct tentry **p;

	spin_lock(&hash_lock);
	for (p = name_bucket(e->dir, e->hash); *p != e; p = &(*p)->hash_next)
		;
	*p = e->hash_next;
	spin_unlock(&hash_lock);
	if (e->prev)
		e->prev->next = e->next;
	else
		t->first = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		t->last = e->prev;
	t->count--;
	inode_touch(e->dir, TOUCH_M | TOUCH_C);
	inode_put(e->inode);
	fs_free(e);
}

/* ------------------------------------------------------------------ inodes */

static int set_type(struct inode *inode, struct inode *dir)
{
	struct tdir *t;

	if (inode_is(inode, S_IFDIR)) {
		t = fs_zalloc(sizeof(*t));
		if (!t)
			return -ENOMEM;
		t->next_cookie = 2; /* 0 and 1 are "." and ".." */
		t->parent = dir;
		inode->priv = t;
		inode->nlink = 2;
		inode->ops = &tmpfs_dir_iops;
		inode->fops = &tmpfs_dir_fops;
		return 0;
	}
	inode->ops = &tmpfs_file_iops;
	if (inode_is(inode, S_IFREG)) {
		inode->fops = &tmpfs_file_fops;
		return inode_add_mapping(inode, NULL, 0);
	}
	if (inode_is(inode, S_IFIFO))
		inode->fops = &fifo_fops;
	else if (inode_is(inode, S_IFCHR))
		inode->fops = &chrdev_fops;
	else if (inode_is(inode, S_IFBLK))
		inode->fops = &blkdev_fops;
	return 0;
}

static struct inode *tmpfs_inode(struct super *sb, struct inode *dir,
				 uint32_t mode)
{
	struct inode *inode = inode_new(sb, mode, inode_fresh_number());

	if (!inode)
		return NULL;
	inode->uid = current->proc->cred.fsuid;
	inode->gid = current->proc->cred.fsgid;
	if (dir && (dir->mode & 02000)) {
		inode->gid = dir->gid;
		if (inode_is(inode, S_IFDIR))
			inode->mode |= 02000;
	}
	if (set_type(inode, dir)) {
		inode_put(inode);
		return NULL;
	}
	return inode;
}

static void tmpfs_evict(struct inode *inode)
{
	if (inode_is(inode, S_IFDIR) || inode_is(inode, S_IFLNK))
		fs_free(inode->priv);
}

/* -------------------------------------------------------------- directories */

static int tmpfs_lookup(struct inode *dir, struct dentry *d)
{
	struct tentry *e = entry_find(dir, d);

	if (e)
		d_set_inode(d, inode_get(e->inode));
	return 0;
}

/* A new inode gets d's name; the reference goes over in any case. */
static int add_new(struct inode *dir, struct dentry *d, struct inode *inode)
{
	int err;

	if (!inode)
		return -ENOSPC;
	err = entry_add(dir, d, inode_get(inode));
	if (err) {
		inode_put(inode);
		inode_put(inode);
		return err;
	}
	d_set_inode(d, inode);
	return 0;
}

static int tmpfs_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
	return add_new(dir, d, tmpfs_inode(dir->sb, dir, mode));
}

static int tmpfs_mknod(struct inode *dir, struct dentry *d, uint32_t mode,
		       uint64_t rdev)
{
	struct inode *inode = tmpfs_inode(dir->sb, dir, mode);

	if (inode)
		inode->rdev = rdev;
	return add_new(dir, d, inode);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, uint32_t mode)
{
	int err = add_new(dir, d, tmpfs_inode(dir->sb, dir, mode));

	if (!err)
		dir->nlink++;
	return err;
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *to)
{
	struct inode *inode = tmpfs_inode(dir->sb, dir, S_IFLNK | 0777);
	size_t n = strlen(to);

	if (!inode)
		return -ENOSPC;
	inode->priv = fs_alloc(n + 1);
	if (!inode->priv) {
		inode_put(inode);
		return -ENOSPC;
	}
	memcpy(inode->priv, to, n + 1);
	inode->size = n;
	inode->ops = &tmpfs_link_iops;
	return add_new(dir, d, inode);
}

static int tmpfs_link(struct inode *inode, struct inode *dir, struct dentry *d)
{
	int err;

	if (!inode->nlink)
		return -ENOENT;
	err = add_new(dir, d, inode_get(inode));
	if (!err) {
		inode->nlink++;
		inode_touch(inode, TOUCH_C);
	}
	return err;
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct tentry *e = entry_find(dir, d);

	if (!e)
		return -ENOENT;
	d->inode->nlink--;
	inode_touch(d->inode, TOUCH_C);
	entry_remove(e);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	struct tentry *e = entry_find(dir, d);
	struct tdir *t = d->inode->priv;

	if (!e)
		return -ENOENT;
	mutex_lock(&d->inode->lock);
	if (t->count) {
		mutex_unlock(&d->inode->lock);
		return -ENOTEMPTY;
	}
	/* nobody can add to it any more: its dentry is dead before the
	 * parent's lock is given up */
	d->dead = true;
	d->inode->nlink = 0;
	mutex_unlock(&d->inode->lock);
	dir->nlink--;
	entry_remove(e);
	return 0;
}

static int tmpfs_rename(struct inode *odir, struct dentry *od,
			struct inode *ndir, struct dentry *nd, unsigned flags)
{
	struct tentry *oe = entry_find(odir, od);
	bool dir = inode_is(od->inode, S_IFDIR);
	struct tentry *ne = entry_find(ndir, nd);
	int err;

	(void)flags;
	if (!oe)
		return -ENOENT;
	if (ne && dir) {
		err = tmpfs_rmdir(ndir, nd);
		if (err)
			return err;
	}
	err = entry_add(ndir, nd, inode_get(od->inode));
	if (err) { /* an emptied directory is gone then; the file is not */
		inode_put(od->inode);
		return err;
	}
	if (ne && !dir) {
		nd->inode->nlink--;
		inode_touch(nd->inode, TOUCH_C);
		entry_remove(ne);
	}
	entry_remove(oe);
	if (dir && odir != ndir) {
		odir->nlink--;
		ndir->nlink++;
		((struct tdir *)od->inode->priv)->parent = ndir;
	}
	inode_touch(od->inode, TOUCH_C);
	return 0;
}

static struct inode *tmpfs_tmpfile(struct inode *dir, uint32_t mode)
{
	struct inode *inode = tmpfs_inode(dir->sb, dir, mode);

	if (!inode)
		return ERR_PTR(-ENOSPC);
	inode->nlink = 0;
	return inode;
}

unsigned dt_of(uint32_t mode)
{
	return (mode & S_IFMT) >> 12;
}

static int tmpfs_readdir(struct file *f, struct dir_ctx *ctx)
{
	struct tdir *t = f->inode->priv;
	struct tentry *e;
	uint64_t up = t->parent ? t->parent->ino : f->inode->ino;

	if (f->pos == 0 && !ctx->emit(ctx, ".", 1, f->inode->ino, DT_DIR, 1))
		return 0;
	if (f->pos <= 1 && !ctx->emit(ctx, "..", 2, up, DT_DIR, 2))
		return 0;
	for (e = t->first; e; e = e->next) {
		if (e->cookie < f->pos)
			continue;
		if (!ctx->emit(ctx, e->name, e->len, e->inode->ino,
			       dt_of(e->inode->mode), e->cookie + 1))
			break;
	}
	return 0;
}

/* ------------------------------------------------------------------- files */

static int tmpfs_getattr(struct inode *inode, struct kstat *st)
{
	if (inode->mapping)
		st->blocks = quire_mapping_pages(inode->mapping) * 8;
	if (inode_is(inode, S_IFDIR))
		st->size = 20 * (((struct tdir *)inode->priv)->count + 2);
	return 0;
}

static int tmpfs_setattr(struct inode *inode, const struct iattr *a)
{
	if ((a->valid & ATTR_SIZE) && inode->mapping) {
		quire_mapping_set_size(inode->mapping, a->size);
		inode_touch(inode, TOUCH_M);
	}
	return inode_setattr(inode, a);
}

static long tmpfs_readlink(struct inode *inode, char *buf, size_t cap)
{
	size_t n = inode->size < cap ? (size_t)inode->size : cap;

	memcpy(buf, inode->priv, n);
	return (long)n;
}

/* Keep an eighth of the memory for everybody else. */
static bool room_for(uint64_t bytes)
{
	struct quire_meminfo mi;

	quire_get_meminfo(the_quire, &mi);
	return mi.available > mi.total / 8 + bytes / QUIRE_PAGE_SIZE;
}

static long tmpfs_write(struct file *f, struct iter *from, uint64_t *pos)
{
	uint64_t end = *pos + from->count;
	long n;

	if (f->inode->seals) {
		n = memfd_check_write(f->inode, *pos, from->count);
		if (n)
			return n;
	}
	if (end > inode_size(f->inode) && from->count >= QUIRE_PAGE_SIZE &&
	    !room_for(from->count))
		return -ENOSPC;
	n = generic_write(f, from, pos);
	return n == -ENOMEM ? -ENOSPC : n;
}

static size_t give_zeroes(void *cookie, void *kaddr, size_t done, size_t n)
{
	(void)cookie;
	(void)done;
	memset(kaddr, 0, n);
	return n;
}

/* The pages of a range exist afterwards.  Existing bytes stay. */
static long tmpfs_allocate(struct file *f, uint64_t off, uint64_t len,
			   bool keep_size)
{
	uint64_t size = inode_size(f->inode);
	uint64_t end = off + len;
	long n = 0;

	if (keep_size || end <= size)
		return 0;
	if (!room_for(len))
		return -ENOSPC;
	if (off < size)
		off = size;
	while (off < end && n >= 0) {
		size_t piece = end - off > 65536 ? 65536 : (size_t)(end - off);

		n = quire_mapping_write(f->inode->mapping, &f->qf, off, piece,
					give_zeroes, NULL);
		if (n > 0)
			off += (uint64_t)n;
		if (fatal_signal_pending(current))
			n = -EINTR;
	}
	return n < 0 ? (n == -ENOMEM ? -ENOSPC : n) : 0;
}

static int tmpfs_fallocate(struct file *f, int mode, uint64_t off, uint64_t len)
{
	struct inode *inode = f->inode;
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	uint64_t end = off + len;
	long err = 0;

	if (inode->seals) {
		err = memfd_check_write(inode, off, len);
		if (err)
			return (int)err;
	}
	mutex_lock(&inode->lock);
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case FALLOC_FL_PUNCH_HOLE:
		err = keep ? 0 : -EOPNOTSUPP;
		if (!err)
			quire_mapping_punch(inode->mapping, off, end);
		break;
	case FALLOC_FL_ZERO_RANGE:
		quire_mapping_punch(inode->mapping, off, end);
		if (!keep && end > inode_size(inode))
			quire_mapping_set_size(inode->mapping, end);
		break;
	case 0:
		err = tmpfs_allocate(f, off, len, keep);
		break;
	default:
		err = -EOPNOTSUPP;
	}
	if (!err)
		inode_touch(inode, TOUCH_M | TOUCH_C);
	mutex_unlock(&inode->lock);
	return (int)err;
}

static const struct inode_ops tmpfs_dir_iops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
};
static const struct inode_ops tmpfs_file_iops = {
	.getattr = tmpfs_getattr,
	.setattr = tmpfs_setattr,
};
static const struct inode_ops tmpfs_link_iops = {
	.readlink = tmpfs_readlink,
	.setattr = tmpfs_setattr,
};
static const struct file_operations tmpfs_dir_fops = {
	.readdir = tmpfs_readdir,
	.llseek = dir_llseek,
	.fsync = generic_fsync,
};
static const struct file_operations tmpfs_file_fops = {
	.read = generic_read,
	.write = tmpfs_write,
	.llseek = generic_llseek,
	.fsync = generic_fsync,
	.fallocate = tmpfs_fallocate,
};

/* ---------------------------------------------------------- the file system */

static int tmpfs_statfs(struct super *sb, struct kstatfs *out)
{
	struct quire_meminfo mi;

	(void)sb;
	quire_get_meminfo(the_quire, &mi);
	out->blocks = mi.total - mi.total / 8;
	out->bfree =
		mi.available > mi.total / 8 ? mi.available - mi.total / 8 : 0;
	out->bavail = out->bfree;
	out->files = out->ffree = mi.total;
	return 0;
}

static const struct super_ops tmpfs_ops = {
	.evict = tmpfs_evict,
	.statfs = tmpfs_statfs,
};

struct super *tmpfs_new(const char *type, uint32_t mode)
{
	struct super *sb = super_new(type, "none", &tmpfs_ops, TMPFS_MAGIC);
	struct inode *root;

	if (!sb)
		return NULL;
	root = tmpfs_inode(sb, NULL, S_IFDIR | mode);
	if (root)
		sb->root = d_root(sb, root);
	if (!sb->root) {
		fs_free(sb);
		return NULL;
	}
	return sb;
}

/* A nameless regular file in memory: memfd and the like.  NULL: no memory */
struct inode *tmpfs_file_inode(struct super *sb, uint32_t mode)
{
	struct inode *inode = tmpfs_inode(sb, NULL, S_IFREG | mode);

	if (inode)
		inode->nlink = 0;
	return inode;
}
