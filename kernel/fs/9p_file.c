/* SPDX-License-Identifier: MIT */
/*
 * The 9P file system: bytes.
 *
 *     read(), faults → page cache ─ miss ─ readahead: one Tread for up to
 *                                          P9_MAX_SEGS - 2 pages, straight
 *                                          into the pages
 *     write() → Twrite to the server, then the same bytes into the cache
 *
 * An inode keeps one fid open for reading for as long as it is in the cache,
 * whichever open file the read is for.  On the read-only root that is the
 * inode's own fid; where names may change it is a clone, because an opened
 * fid can no longer be walked from or renamed.
 */
#include "9p_fs.h"

#define BOUNCE_ORDER 4 /* 64 KiB a write */
#define DIR_ORDER    3 /* 32 KiB of names a request */

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
	if (inode->sb->volatile_names) {
		fid = p9_new_fid(c);
		err = p9_walk(c, pi->fid, fid, NULL, 0);
		if (err)
			goto out;
	}
	err = p9_lopen(c, fid, (write ? O_RDWR : O_RDONLY) | O_LARGEFILE);
	if (!err)
		__atomic_store_n(slot, fid, __ATOMIC_RELEASE);
	else if (fid != pi->fid)
		p9_clunk(c, fid);
out:
	mutex_unlock(&pi->lock);
	return err;
}

/* ---------------------------------------------------------- the page cache */

/* Read n pages (consecutive indices): bytes or -errno. */
static long read_pages(struct inode *inode, struct page **pages, unsigned n)
{
	uint64_t pos = quire_page_index(pages[0]) << QUIRE_PAGE_SHIFT;
	struct vq_seg seg[P9_MAX_SEGS - 2];
	unsigned i;
	int err;

	err = p9_open_fid(inode, false);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		seg[i].phys = quire_page_phys(the_quire, pages[i]);
		seg[i].len = QUIRE_PAGE_SIZE;
	}
	return p9_read(p9_c(inode->sb), p9_i(inode)->rfid, pos, seg, n,
		       n * QUIRE_PAGE_SIZE);
}

/* The pages that `got` bytes filled are good; a page they ended in is good
 * only at the end of the file. */
static unsigned end_pages(struct inode *inode, struct page **pages, unsigned n,
			  uint64_t got)
{
	uint64_t pos = quire_page_index(pages[0]) << QUIRE_PAGE_SHIFT;
	bool eof = pos + got >= inode_size(inode) || got == 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		char *mem = quire_page_address(the_quire, pages[i]);
		size_t have =
			got < QUIRE_PAGE_SIZE ? (size_t)got : QUIRE_PAGE_SIZE;

		if (have < QUIRE_PAGE_SIZE && !eof)
			break;
		memset(mem + have, 0, QUIRE_PAGE_SIZE - have);
		got -= have;
		quire_page_end_read(the_quire, pages[i], 0);
	}
	return i;
}

static void p9_readahead(struct address_space *as, struct quire_file *qf,
			 struct page **pages, unsigned n)
{
	struct inode *inode = quire_mapping_host(as);
	unsigned max = p9_max_io(p9_c(inode->sb)) / QUIRE_PAGE_SIZE;
	unsigned i, now, done;
	long got;

	(void)qf;
	shrinker_poke();
	while (n) {
		now = n < max ? n : max;
		got = read_pages(inode, pages, now);
		if (got < 0)
			break;
		/* at least one page ends in each round: a short read that is
		 * not at the end leaves the rest for the next */
		done = end_pages(inode, pages, now, (uint64_t)got);
		if (!done) {
			got = -EIO;
			break;
		}
		pages += done;
		n -= done;
	}
	for (i = 0; i < n; i++)
		quire_page_end_read(the_quire, pages[i], -EIO);
}

static int p9_readpage(struct address_space *as, struct quire_file *qf,
		       struct page *page)
{
	p9_readahead(as, qf, &page, 1);
	return 0;
}

/* Shared writable mappings of the host's files need write-back. */
static int p9_page_mkwrite(struct address_space *as, struct page *page)
{
	(void)as;
	(void)page;
	return -EACCES;
}

const struct quire_aops p9_aops = {
	.readpage = p9_readpage,
	.readahead = p9_readahead,
	.page_mkwrite = p9_page_mkwrite,
};

/* ------------------------------------------------------------------- files */

static void p9_qfile_get(struct quire_file *qf)
{
	fget_file(file_of(qf));
}

static void p9_qfile_put(struct quire_file *qf)
{
	fput(file_of(qf));
}

static int p9_qfile_mmap(struct quire_file *qf, struct mm_struct *mm,
			 uaddr_t addr, uaddr_t len, unsigned prot,
			 unsigned flags)
{
	(void)mm;
	(void)addr;
	(void)len;
	if ((flags & MAP_TYPE) != MAP_PRIVATE && (prot & PROT_WRITE) &&
	    qf->writable)
		return -ENODEV;
	return 0;
}

static const struct quire_file_ops p9_qfile_ops = {
	.get = p9_qfile_get,
	.put = p9_qfile_put,
	.mmap = p9_qfile_mmap,
};

static int p9_open(struct inode *inode, struct file *f)
{
	int err = 0;

	f->qf.ops = &p9_qfile_ops;
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

struct bounce {
	char *mem;
	size_t at;
};

static size_t from_bounce(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct bounce *b = cookie;

	memcpy(kaddr, b->mem + done, n);
	return n;
}

/* One piece of at most the bounce buffer's size: bytes or -errno. */
static long write_piece(struct file *f, struct iter *from, uint64_t pos,
			struct page *buf)
{
	struct inode *inode = f->inode;
	struct bounce b = {quire_page_address(the_quire, buf), 0};
	size_t n = (size_t)QUIRE_PAGE_SIZE << BOUNCE_ORDER;
	struct vq_seg seg;
	long put, ret;

	n = iter_copy_from(from, b.mem, n < from->count ? n : from->count);
	if (!n)
		return -EFAULT;
	seg.phys = quire_page_phys(the_quire, buf);
	seg.len = (uint32_t)n;
	put = p9_write(p9_c(inode->sb), p9_i(inode)->wfid, pos, &seg, 1,
		       (uint32_t)n);
	if (put <= 0)
		return put ? put : -EIO;
	ret = quire_mapping_write(inode->mapping, &f->qf, pos, (size_t)put,
				  from_bounce, &b);
	if (ret < 0) /* it is on the server: drop what is out of date here */
		quire_mapping_punch(inode->mapping,
				    pos & ~(uint64_t)(QUIRE_PAGE_SIZE - 1),
				    (pos + (uint64_t)put + QUIRE_PAGE_SIZE -
				     1) & ~(uint64_t)(QUIRE_PAGE_SIZE - 1));
	return put;
}

static long write_all(struct file *f, struct iter *from, uint64_t *pos,
		      struct page *buf)
{
	long done = 0, n = 0;

	while (from->count) {
		n = write_piece(f, from, *pos, buf);
		if (n < 0)
			break;
		*pos += (uint64_t)n;
		done += n;
		if (fatal_signal_pending(current))
			break;
	}
	return done ? done : n;
}

static long p9_file_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct inode *inode = f->inode;
	struct p9_attr a;
	struct page *buf;
	long ret;

	if (!from->count)
		return 0;
	buf = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, BOUNCE_ORDER);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&inode->lock);
	if (f->flags & O_APPEND) {
		(void)p9_refresh(inode);
		*pos = inode_size(inode);
	}
	ret = *pos > INT64_MAX ? -EFBIG : write_all(f, from, pos, buf);
	if (ret > 0) {
		inode_touch(inode, TOUCH_M | TOUCH_C);
		/* the version that our own write made */
		if (!p9_getattr(p9_c(inode->sb), p9_i(inode)->fid, &a) &&
		    a.qid.path == inode->ino)
			p9_i(inode)->version = a.qid.version;
	}
	mutex_unlock(&inode->lock);
	quire_free_pages(the_quire, buf, BOUNCE_ORDER);
	return ret;
}

static int p9_file_fsync(struct file *f)
{
	struct p9_inode *pi = p9_i(f->inode);

	if (pi->wfid == P9_NOFID)
		return 0;
	return p9_fsync(p9_c(f->inode->sb), pi->wfid);
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
	err = p9_lopen(c, fid, O_RDONLY | O_DIRECTORY | O_LARGEFILE);
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
