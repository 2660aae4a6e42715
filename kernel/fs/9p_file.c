/* SPDX-License-Identifier: MIT */
/*
 * The 9P file system: open files and directories.
 *
 *     read(), write(), mappings → page cache (9p_io.c)
 *     O_DIRECT, files that may only be written → Tread, Twrite
 *
 * An inode keeps one fid open for reading, and one for writing, for as long as
 * it is in the cache, whichever open file the bytes are for.  On the read-only
 * root that is the inode's own fid; where names may change it is a clone,
 * because an opened fid can no longer be walked from or renamed.
 */
#include "9p_fs.h"

#define DIR_ORDER 3 /* 32 KiB of names a request */

/* Open fid: for writing rather so that it can be read by too. */
static int open_fid(struct inode *inode, uint32_t fid, bool write)
{
	struct p9_client *c = p9_c(inode->sb);
	int err;

	err = p9_lopen(c, fid, (write ? O_RDWR : O_RDONLY) | O_LARGEFILE,
		       inode->ino);
	if (err != -EACCES || !write)
		return err;
	err = p9_lopen(c, fid, O_WRONLY | O_LARGEFILE, inode->ino);
	p9_i(inode)->write_only = !err;
	return err;
}

int p9_open_fid(struct inode *inode, bool write)
{
	struct p9_client *c = p9_c(inode->sb);
	struct p9_inode *pi = p9_i(inode);
	uint32_t *slot = write ? &pi->wfid : &pi->rfid;
	uint32_t fid = pi->fid;
	int err = 0;

	if (__atomic_load_n(slot, __ATOMIC_ACQUIRE) != P9_NOFID)
		return 0;
	mutex_lock(&pi->lock);
	if (*slot != P9_NOFID)
		goto out;
	err = -ENOENT; /* the server would open another file */
	if (pi->nameless)
		goto out;
	err = 0;
	if (inode->sb->volatile_names) {
		fid = p9_new_fid(c);
		err = p9_walk(c, pi->fid, fid, NULL, 0);
		if (err)
			goto out;
	}
	err = open_fid(inode, fid, write);
	if (!err)
		__atomic_store_n(slot, fid, __ATOMIC_RELEASE);
	else if (fid != pi->fid)
		p9_clunk(c, fid);
out:
	mutex_unlock(&pi->lock);
	return err;
}

static int p9_open(struct inode *inode, struct file *f)
{
	int err = 0;

	if (file_can_read(f))
		err = p9_open_fid(inode, false);
	if (!err && file_can_write(f)) {
		err = p9_open_fid(inode, true);
		/* partly written pages are read first */
		if (!err)
			(void)p9_open_fid(inode, false);
	}
	return err;
}

/*
 * A file that cannot be read has no pages to write to: each write goes to the
 * server at once.  For appending, the server's idea of the end counts.
 */
static long p9_file_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct inode *inode = f->inode;
	bool append = (f->flags & O_APPEND) || from->append;
	long ret;

	if (!from->count)
		return 0;
	if (append)
		(void)p9_refresh(inode);
	if (p9_can_read(inode))
		return generic_write(f, from, pos);
	mutex_lock(&inode->lock);
	if (append)
		*pos = inode_size(inode);
	ret = generic_direct_write(f, from, pos);
	mutex_unlock(&inode->lock);
	return generic_write_sync(f, from, *pos, ret);
}

static long p9_direct(struct file *f, const struct vq_seg *seg, unsigned nr,
		      uint64_t pos, uint32_t bytes, bool write)
{
	struct inode *inode = f->inode;
	struct p9_client *c = p9_c(inode->sb);
	struct p9_inode *pi = p9_i(inode);
	uint32_t some = p9_injected(inode->sb, seg->len, write);
	struct vq_seg part = {seg->phys, some};
	long ret;

	if (!some)
		return -EIO;
	if (some < seg->len) { /* a test wants it short */
		seg = &part;
		bytes = some;
		nr = 1;
	}
	if (!write)
		return p9_read(c, pi->rfid, pos, seg, nr, bytes);
	p9_change_begin(inode);
	ret = p9_write(c, pi->wfid, pos, seg, nr, bytes);
	p9_change_end(inode);
	return ret ? ret : -EIO;
}

static int p9_file_fsync(struct file *f, uint64_t start, uint64_t end,
			 bool datasync)
{
	struct p9_inode *pi = p9_i(f->inode);

	(void)start;
	(void)end;
	if (pi->wfid == P9_NOFID)
		return 0;
	return p9_fsync(p9_c(f->inode->sb), pi->wfid, datasync);
}

/* What the server knows of the file after the last write of ours. */
static void p9_written(struct inode *inode)
{
	(void)p9_refresh(inode);
}

static int p9_fallocate(struct file *f, int mode, uint64_t off, uint64_t len)
{
	struct iattr a = {.valid = ATTR_SIZE, .size = off + len};
	int err = 0;

	if (mode)
		return -EOPNOTSUPP;
	mutex_lock(&f->inode->lock);
	if (a.size > inode_size(f->inode))
		err = f->inode->ops->setattr(f->inode, &a);
	mutex_unlock(&f->inode->lock);
	return err;
}

const struct file_operations p9_file_fops = {
	.open = p9_open,
	.read = generic_read,
	.write = p9_file_write,
	.llseek = generic_llseek,
	.fsync = p9_file_fsync,
	.fallocate = p9_fallocate,
	.direct = p9_direct,
	.written = p9_written,
};

/* -------------------------------------------------------------- directories */

static int p9_dir_open(struct inode *inode, struct file *f)
{
	struct p9_client *c = p9_c(inode->sb);
	uint32_t fid = p9_new_fid(c);
	int err;

	err = p9_walk(c, p9_i(inode)->fid, fid, NULL, 0);
	if (err)
		return err;
	err = p9_lopen(c, fid, O_RDONLY | O_DIRECTORY | O_LARGEFILE,
		       inode->ino);
	if (err) {
		p9_clunk(c, fid);
		return err;
	}
	f->dir_fid = fid;
	return 0;
}

static void p9_dir_release(struct file *f)
{
	p9_clunk(p9_c(f->inode->sb), f->dir_fid);
}

/* One Treaddir from *pos on: 1 go on, 0 the end or no more room, -errno. */
static int read_names(struct file *f, struct page *buf, uint64_t *pos,
		      struct dir_ctx *ctx)
{
	struct p9_req *r = p9_start(p9_c(f->inode->sb), P9_TREADDIR);
	uint32_t cap = QUIRE_PAGE_SIZE << DIR_ORDER;
	struct vq_seg seg = {quire_page_phys(the_quire, buf), cap};
	const uint8_t *p = quire_page_address(the_quire, buf);
	struct p9_reply reply;
	struct p9_dirent e;
	size_t left = 0;
	long n;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, f->dir_fid);
	p9_u64(&r->msg, *pos);
	p9_u32(&r->msg, cap);
	err = p9_call_data(r, &reply, &seg, 1, false);
	if (!err)
		left = reply.data.count;
	p9_end_call(r);
	if (err || !left)
		return err;
	for (; left; left -= (size_t)n, p += n) {
		n = p9_parse_dirent(p, left, &e);
		if (n < 0)
			return (int)n;
		if (!ctx->emit(ctx, e.name.text, e.name.len, e.qid.path, e.type,
			       e.offset))
			return 0;
		if (!f->inode->sb->volatile_names)
			p9_note_name(p9_i(f->inode), e.name.text, e.name.len,
				     *pos == 0);
		*pos = e.offset;
	}
	return 1;
}

static int p9_readdir(struct file *f, struct dir_ctx *ctx)
{
	struct page *buf =
		quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, DIR_ORDER);
	uint64_t pos = f->pos;
	int ret;

	if (!buf)
		return -ENOMEM;
	do {
		ret = read_names(f, buf, &pos, ctx);
	} while (ret > 0);
	quire_free_pages(the_quire, buf, DIR_ORDER);
	return ret;
}

const struct file_operations p9_dir_fops = {
	.open = p9_dir_open,
	.release = p9_dir_release,
	.readdir = p9_readdir,
	.llseek = dir_llseek,
	.fsync = generic_fsync,
};
