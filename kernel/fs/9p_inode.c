/* SPDX-License-Identifier: MIT */
/*
 * The 9P file system: names.
 *
 *     lookup: Twalk from the directory's fid to a new fid, Tgetattr
 *             → inode of (export, qid.path), which keeps the fid
 *
 * An inode owns one fid, so asking again costs one request.  The read-only
 * root is taken not to change behind our back: names (missing ones too),
 * attributes and links are kept while they are in the caches.  A writable
 * share has `volatile_names`: each lookup and open asks the server again, and
 * the pages of a file whose version changed are dropped.
 *
 * Locks: a directory's inode->lock for names (the VFS takes it); p9_inode.lock
 * for the opening of fids and the reading of a link.
 */
#include "9p_fs.h"

#define V9FS_MAGIC	0x01021997
#define P9_AT_REMOVEDIR 0x200u

static const struct inode_ops p9_dir_iops, p9_file_iops, p9_link_iops;

static int set_type(struct inode *inode, uint64_t size)
{
	switch (inode->mode & S_IFMT) {
	case S_IFDIR:
		inode->ops = &p9_dir_iops;
		inode->fops = &p9_dir_fops;
		break;
	case S_IFLNK:
		inode->ops = &p9_link_iops;
		break;
	case S_IFREG:
		inode->ops = &p9_file_iops;
		inode->fops = &p9_file_fops;
		return inode_add_mapping(inode, &p9_aops, size);
	case S_IFIFO:
		inode->ops = &p9_file_iops;
		inode->fops = &fifo_fops;
		break;
	default: /* the host's devices are not ours: fops stays NULL */
		inode->ops = &p9_file_iops;
		break;
	}
	inode->size = size;
	return 0;
}

/*
 * fid leads to an inode that is known already.  It takes the place of the
 * inode's own if that one's name has gone, or been given to another file.
 */
static void new_name(struct inode *inode, uint32_t fid)
{
	struct p9_inode *pi = p9_i(inode);
	struct p9_attr a;
	int err = 0;

	if (inode->sb->volatile_names)
		err = p9_fetch_attr(inode, &a, false);
	if (err == -ENOENT || err == -ESTALE) {
		uint32_t old;

		mutex_lock(&pi->lock);
		old = pi->fid;
		pi->fid = fid;
		pi->walked++;
		pi->nameless = false;
		mutex_unlock(&pi->lock);
		(void)p9_refresh(inode);
		fid = old;
	}
	p9_clunk(p9_c(inode->sb), fid);
}

struct inode *p9_inode_of(struct super *sb, uint32_t fid,
			  const struct p9_attr *a)
{
	struct p9_client *c = p9_c(sb);
	struct inode *inode, *known;
	struct p9_inode *pi;

	known = inode_find(sb, a->qid.path);
	if (known && (known->mode & S_IFMT) == (a->mode & S_IFMT)) {
		new_name(known, fid);
		return known;
	}
	inode = inode_new(sb, a->mode, a->qid.path);
	pi = inode ? fs_zalloc(sizeof(*pi)) : NULL;
	if (!pi) {
		inode_put(inode);
		inode_put(known);
		p9_clunk(c, fid);
		return ERR_PTR(-ENOMEM);
	}
	inode->priv = pi;
	pi->fid = fid;
	pi->walked = 1;
	pi->rfid = pi->wfid = P9_NOFID;
	pi->version = a->qid.version;
	mutex_init(&pi->lock);
	p9_copy_attr(inode, a);
	if (set_type(inode, a->size)) {
		inode_put(inode); /* clunks the fid */
		inode_put(known);
		return ERR_PTR(-ENOMEM);
	}
	if (known) { /* the number was reused for something else: the old one
		      * has its place in the hash, ours does without */
		inode_put(known);
		return inode;
	}
	known = inode_hash(inode);
	if (known != inode)
		inode_put(inode);
	return known;
}

static struct inode *inode_of_fid(struct super *sb, uint32_t fid)
{
	struct p9_attr a;
	int err = p9_getattr(p9_c(sb), fid, &a);

	if (!err)
		return p9_inode_of(sb, fid, &a);
	p9_clunk(p9_c(sb), fid);
	return ERR_PTR(err);
}

static void p9_evict(struct inode *inode)
{
	struct p9_client *c = p9_c(inode->sb);
	struct p9_inode *pi = p9_i(inode);

	if (!pi)
		return;
	if (pi->rfid != P9_NOFID && pi->rfid != pi->fid)
		p9_clunk(c, pi->rfid);
	if (pi->wfid != P9_NOFID && pi->wfid != pi->rfid)
		p9_clunk(c, pi->wfid);
	p9_clunk(c, pi->fid);
	fs_free(pi->link);
	fs_free(pi->names);
	fs_free(pi);
}

/* ----------------------------------------------------------------- looking */

static int p9_lookup(struct inode *dir, struct dentry *d)
{
	struct p9_client *c = p9_c(dir->sb);
	uint32_t fid = p9_new_fid(c);
	struct inode *inode;
	int err;

	err = p9_walk(c, p9_i(dir)->fid, fid, d->name, d->len);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	inode = inode_of_fid(dir->sb, fid);
	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	d->stamp = p9_i(inode)->fid == fid ? p9_i(inode)->walked : 0;
	d_set_inode(d, inode);
	if (p9_i(dir)->names)
		p9_prefetch(d->parent);
	return 0;
}

/*
 * The inode's fid tells of the name that it was walked to, and of no other: a
 * second one (d->stamp is not pi->walked) is looked up each time.
 */
static bool p9_revalidate(struct dentry *d)
{
	struct p9_attr a;

	if (!d->sb->volatile_names)
		return true;
	if (!d->inode)
		return false;
	if (p9_i(d->inode)->nameless || d->stamp != p9_i(d->inode)->walked)
		return false;
	return !p9_fetch_attr(d->inode, &a, false);
}

static int read_link(struct inode *inode)
{
	struct p9_inode *pi = p9_i(inode);
	struct p9_req *r = p9_start(p9_c(inode->sb), P9_TREADLINK);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, pi->fid);
	err = p9_call(r, &reply);
	if (!err) {
		fs_free(pi->link);
		pi->link = fs_alloc(reply.link.len + 1u);
		if (pi->link) {
			memcpy(pi->link, reply.link.text, reply.link.len);
			pi->link_len = reply.link.len;
		} else {
			err = -ENOMEM;
		}
	}
	p9_end_call(r);
	return err;
}

static long p9_readlink(struct inode *inode, char *buf, size_t cap)
{
	struct p9_inode *pi = p9_i(inode);
	long n = 0;

	mutex_lock(&pi->lock);
	if (!pi->link || inode->sb->volatile_names)
		n = read_link(inode);
	if (!n) {
		n = (long)(pi->link_len < cap ? pi->link_len : cap);
		memcpy(buf, pi->link, (size_t)n);
	}
	mutex_unlock(&pi->lock);
	return n;
}

/* ---------------------------------------------------------------- changing */

/* The directory changed by our own doing: its times and version with it. */
static void refresh_dir(struct inode *dir)
{
	struct p9_attr a;

	(void)p9_fetch_attr(dir, &a, true);
}

/* After a successful making of a name: what is it? */
static int made(struct inode *dir, struct dentry *d, int err)
{
	if (err)
		return err;
	refresh_dir(dir);
	err = p9_lookup(dir, d);
	if (!err && !d->inode)
		err = -EIO;
	return err;
}

static uint32_t my_gid(void)
{
	return current->proc->cred.fsgid;
}

static int simple_call(struct p9_req *r)
{
	struct p9_reply reply;
	int err = p9_call(r, &reply);

	p9_end_call(r);
	return err;
}

/* The fid that made the file is open for reading and writing, which its mode
 * may forbid to anyone who comes later.  False: there is one already. */
static bool keep_open(struct inode *inode, uint32_t fid)
{
	struct p9_inode *pi = p9_i(inode);
	bool keep;

	mutex_lock(&pi->lock);
	keep = inode_is(inode, S_IFREG) && pi->wfid == P9_NOFID;
	if (keep)
		__atomic_store_n(&pi->wfid, fid, __ATOMIC_RELEASE);
	if (keep && pi->rfid == P9_NOFID)
		__atomic_store_n(&pi->rfid, fid, __ATOMIC_RELEASE);
	mutex_unlock(&pi->lock);
	return keep;
}

static int p9_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
	struct p9_client *c = p9_c(dir->sb);
	uint32_t fid = p9_new_fid(c);
	struct p9_req *r;
	int err;

	/* Tlcreate turns the directory's fid into the open file's: a clone */
	err = p9_walk(c, p9_i(dir)->fid, fid, NULL, 0);
	if (err)
		return err;
	r = p9_start(c, P9_TLCREATE);
	err = -ENOMEM;
	if (r) {
		p9_u32(&r->msg, fid);
		p9_string(&r->msg, d->name, d->len);
		p9_u32(&r->msg, O_RDWR | O_CREAT | O_EXCL);
		p9_u32(&r->msg, mode & 07777);
		p9_u32(&r->msg, my_gid());
		err = simple_call(r);
	}
	err = made(dir, d, err);
	if (err || !keep_open(d->inode, fid))
		p9_clunk(c, fid);
	return err;
}

static int p9_mkdir(struct inode *dir, struct dentry *d, uint32_t mode)
{
	struct p9_req *r = p9_start(p9_c(dir->sb), P9_TMKDIR);

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(dir)->fid);
	p9_string(&r->msg, d->name, d->len);
	p9_u32(&r->msg, mode & 07777);
	p9_u32(&r->msg, my_gid());
	return made(dir, d, simple_call(r));
}

static int p9_mknod(struct inode *dir, struct dentry *d, uint32_t mode,
		    uint64_t rdev)
{
	struct p9_req *r = p9_start(p9_c(dir->sb), P9_TMKNOD);

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(dir)->fid);
	p9_string(&r->msg, d->name, d->len);
	p9_u32(&r->msg, mode);
	p9_u32(&r->msg, (uint32_t)(rdev >> 8) & 0xfff);
	p9_u32(&r->msg, (uint32_t)(rdev & 0xff));
	p9_u32(&r->msg, my_gid());
	return made(dir, d, simple_call(r));
}

static int p9_symlink(struct inode *dir, struct dentry *d, const char *to)
{
	struct p9_req *r = p9_start(p9_c(dir->sb), P9_TSYMLINK);

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(dir)->fid);
	p9_string(&r->msg, d->name, d->len);
	p9_string(&r->msg, to, strlen(to));
	p9_u32(&r->msg, my_gid());
	return made(dir, d, simple_call(r));
}

static int p9_link(struct inode *inode, struct inode *dir, struct dentry *d)
{
	struct p9_req *r = p9_start(p9_c(dir->sb), P9_TLINK);
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(dir)->fid);
	p9_u32(&r->msg, p9_i(inode)->fid);
	p9_string(&r->msg, d->name, d->len);
	err = made(dir, d, simple_call(r));
	if (!err)
		(void)p9_refresh(inode);
	return err;
}

/* A name of inode's is gone.  Was it the one that its fid was walked to? */
static void name_gone(struct inode *inode)
{
	struct p9_attr a;
	int err = -ENOENT;

	if (inode->nlink)
		inode->nlink--;
	if (inode_is(inode, S_IFDIR))
		inode->nlink = 0;
	if (inode->nlink)
		err = p9_fetch_attr(inode, &a, false);
	if (err == -ENOENT || err == -ESTALE)
		p9_i(inode)->nameless = true;
}

static int remove_name(struct inode *dir, struct dentry *d, uint32_t flags)
{
	struct inode *inode = d->inode;
	struct p9_req *r;
	int err;

	/* The server finds files by name: what is open here must be open
	 * there before the name goes. */
	if (inode_is(inode, S_IFREG))
		(void)p9_open_fid(inode, false);
	r = p9_start(p9_c(dir->sb), P9_TUNLINKAT);
	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(dir)->fid);
	p9_string(&r->msg, d->name, d->len);
	p9_u32(&r->msg, flags);
	err = simple_call(r);
	if (err)
		return err;
	name_gone(inode);
	refresh_dir(dir);
	return 0;
}

static int p9_unlink(struct inode *dir, struct dentry *d)
{
	return remove_name(dir, d, 0);
}

static int p9_rmdir(struct inode *dir, struct dentry *d)
{
	return remove_name(dir, d, P9_AT_REMOVEDIR);
}

static int p9_rename(struct inode *odir, struct dentry *od, struct inode *ndir,
		     struct dentry *nd, unsigned flags)
{
	struct p9_req *r;
	int err;

	(void)flags;
	if (nd->inode && inode_is(nd->inode, S_IFREG))
		(void)p9_open_fid(nd->inode, false);
	r = p9_start(p9_c(odir->sb), P9_TRENAMEAT);
	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(odir)->fid);
	p9_string(&r->msg, od->name, od->len);
	p9_u32(&r->msg, p9_i(ndir)->fid);
	p9_string(&r->msg, nd->name, nd->len);
	err = simple_call(r);
	if (err)
		return err;
	if (nd->inode)
		name_gone(nd->inode);
	refresh_dir(odir);
	if (ndir != odir)
		refresh_dir(ndir);
	return 0;
}

static const struct inode_ops p9_dir_iops = {
	.lookup = p9_lookup,
	.revalidate = p9_revalidate,
	.create = p9_create,
	.mkdir = p9_mkdir,
	.mknod = p9_mknod,
	.symlink = p9_symlink,
	.link = p9_link,
	.unlink = p9_unlink,
	.rmdir = p9_rmdir,
	.rename = p9_rename,
	.setattr = p9_setattr,
	.refresh = p9_refresh,
};
static const struct inode_ops p9_file_iops = {
	.setattr = p9_setattr,
	.refresh = p9_refresh,
};
static const struct inode_ops p9_link_iops = {
	.readlink = p9_readlink,
	.setattr = p9_setattr,
};

/* ---------------------------------------------------------- the file system */

static int p9_statfs(struct super *sb, struct kstatfs *out)
{
	struct p9_req *r = p9_start(p9_c(sb), P9_TSTATFS);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(sb->root->inode)->fid);
	err = p9_call(r, &reply);
	if (!err) {
		out->type = V9FS_MAGIC;
		out->bsize = reply.statfs.bsize;
		out->blocks = reply.statfs.blocks;
		out->bfree = reply.statfs.bfree;
		out->bavail = reply.statfs.bavail;
		out->files = reply.statfs.files;
		out->ffree = reply.statfs.ffree;
		out->namelen = reply.statfs.namelen;
	}
	p9_end_call(r);
	return err;
}

static const struct super_ops p9_ops = {
	.evict = p9_evict,
	.statfs = p9_statfs,
};

struct super *p9_mount(const char *tag, bool writable)
{
	struct super *sb = super_new("9p", tag, &p9_ops, V9FS_MAGIC);
	struct p9_client *c;
	struct inode *root;
	struct p9_qid qid;
	uint32_t fid;

	if (!sb)
		return ERR_PTR(-ENOMEM);
	sb->readonly = !writable;
	sb->backed = true;
	sb->volatile_names = writable;
	c = p9_connect(tag, &fid, &qid);
	if (IS_ERR(c)) {
		fs_free(sb);
		return (struct super *)c;
	}
	sb->priv = c;
	root = inode_of_fid(sb, fid);
	if (IS_ERR(root)) {
		fs_free(sb);
		return (struct super *)root;
	}
	sb->root = d_root(sb, root);
	return sb->root ? sb : ERR_PTR(-ENOMEM);
}
