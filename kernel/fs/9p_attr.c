/* SPDX-License-Identifier: MIT */
/*
 * The 9P file system: attributes.
 *
 * The server knows a file's size and times as of the last byte that was written
 * back; we know them as of the last write().  So an answer about them counts
 * only if, from before the question until it is used,
 *
 *     no page was dirty, and no request that changes the file was under way
 *
 * which p9_inode.changes and .changing tell.  Otherwise ours are newer, and the
 * next question will be answered.  stat(2) has the pages written first, as NFS
 * clients do: a file's times do not move on after a program has seen them.
 *
 * qid.version tells of changes.  Those of our own (p9_inode.own) are not told
 * from a stranger's that came between two of them.
 *
 * The server finds files by the path that a fid was walked to, also for
 * attributes of an open one (QEMU's local back end).  Once that name is gone or
 * is another file's, the fid is `nameless`: it must not be used for changes any
 * more.  Bytes still go through the open fids; the rest is kept here.
 *
 * Locks: inode->lock for the size.  Where a directory's lock is held already, a
 * try is made for it; who has it then knows better.
 */
#include "9p_fs.h"

static struct vfs_time time_of(uint64_t sec, uint64_t nsec)
{
	struct vfs_time t = {(int64_t)sec,
			     nsec < NSEC_PER_SEC ? (uint32_t)nsec : 0};

	return t;
}

static void copy_modes(struct inode *inode, const struct p9_attr *a)
{
	inode->mode = (inode->mode & S_IFMT) | (a->mode & 07777);
	inode->uid = a->uid;
	inode->gid = a->gid;
	inode->nlink = (uint32_t)a->nlink;
	inode->rdev = a->rdev;
	inode->blocks = a->blocks;
}

static void copy_times(struct inode *inode, const struct p9_attr *a)
{
	inode->atime = time_of(a->atime_sec, a->atime_nsec);
	inode->mtime = time_of(a->mtime_sec, a->mtime_nsec);
	inode->ctime = time_of(a->ctime_sec, a->ctime_nsec);
}

void p9_copy_attr(struct inode *inode, const struct p9_attr *a)
{
	copy_modes(inode, a);
	copy_times(inode, a);
}

/* Has nothing happened since changes was `seen`? */
static bool is_settled(struct inode *inode, uint32_t seen)
{
	struct p9_inode *pi = p9_i(inode);

	return !__atomic_load_n(&pi->changing, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&pi->changes, __ATOMIC_SEQ_CST) == seen &&
	       !quire_mapping_dirty(inode->mapping);
}

/* inode->lock held: version and size. */
static void take_size(struct inode *inode, const struct p9_attr *a)
{
	struct p9_inode *pi = p9_i(inode);

	if (pi->version != a->qid.version) {
		/* changed on the server by someone else: read it again */
		if (!pi->own)
			(void)quire_mapping_invalidate(inode->mapping, 0,
						       FILE_END);
		pi->version = a->qid.version;
	}
	pi->own = false;
	if (a->size != inode_size(inode))
		quire_mapping_set_size(inode->mapping, a->size);
}

int p9_fetch_attr(struct inode *inode, struct p9_attr *a, bool locked)
{
	struct p9_inode *pi = p9_i(inode);
	uint32_t seen = __atomic_load_n(&pi->changes, __ATOMIC_SEQ_CST);
	bool settled = inode->mapping && is_settled(inode, seen);
	int err = p9_getattr(p9_c(inode->sb), pi->fid, a);

	if (err)
		return err;
	if (a->qid.path != inode->ino || pi->nameless ||
	    (a->mode & S_IFMT) != (inode->mode & S_IFMT))
		return -ESTALE;
	copy_modes(inode, a);
	if (!inode->mapping) {
		copy_times(inode, a);
		inode->size = a->size;
		return 0;
	}
	if (!settled || (!locked && !mutex_trylock(&inode->lock)))
		return 0;
	if (is_settled(inode, seen)) {
		copy_times(inode, a);
		take_size(inode, a);
	}
	if (!locked)
		mutex_unlock(&inode->lock);
	return 0;
}

int p9_refresh(struct inode *inode)
{
	struct p9_attr a;
	int err;

	if (!inode->sb->volatile_names || !inode->nlink ||
	    p9_i(inode)->nameless)
		return 0;
	err = p9_fetch_attr(inode, &a, false);
	if (err == -ENOENT || err == -ESTALE)
		return 0; /* its name is gone: what we know stays */
	return err;
}

/* ---------------------------------------------------------------- changing */

/* Zeros on the server from `pos` to `end`, through the open fid. */
static int zero_server(struct inode *inode, uint64_t pos, uint64_t end)
{
	struct page *page = quire_alloc_pages(
		the_quire, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, 0);
	struct p9_inode *pi = p9_i(inode);
	struct vq_seg seg[16];
	uint32_t bytes;
	unsigned n;
	long put;

	if (!page)
		return -ENOMEM;
	for (; pos < end; pos += (uint64_t)put) {
		for (n = 0, bytes = 0; n < 16 && bytes < end - pos; n++) {
			uint64_t left = end - pos - bytes;

			seg[n].phys = quire_page_phys(the_quire, page);
			seg[n].len = left < QUIRE_PAGE_SIZE ? (uint32_t)left
							    : QUIRE_PAGE_SIZE;
			bytes += seg[n].len;
		}
		put = p9_write(p9_c(inode->sb), pi->wfid, pos, seg, n, bytes);
		if (put <= 0)
			break;
	}
	quire_free_pages(the_quire, page, 0);
	return pos < end ? (put ? (int)put : -EIO) : 0;
}

/*
 * A file without a name cannot be cut on the server.  What lies beyond its new
 * size becomes zeros there, so that it reads so if the file grows again.
 */
static int setattr_nameless(struct inode *inode, const struct iattr *a)
{
	uint64_t old;
	int err = 0;

	if ((a->valid & ATTR_SIZE) && inode->mapping) {
		old = inode_size(inode);
		quire_mapping_set_size(inode->mapping, a->size);
		if (a->size < old && p9_i(inode)->wfid != P9_NOFID) {
			p9_change_begin(inode);
			err = zero_server(inode, a->size, old);
			p9_change_end(inode);
		}
		inode_touch(inode, TOUCH_M | TOUCH_C);
	}
	if (!err && (a->valid & ~ATTR_SIZE))
		err = inode_setattr(inode, a);
	return err;
}

/* ATTR_* and P9_SETATTR_* have the same bits. */
static int tell_server(struct inode *inode, const struct iattr *a)
{
	struct p9_req *r = p9_start(p9_c(inode->sb), P9_TSETATTR);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, p9_i(inode)->fid);
	p9_u32(&r->msg, a->valid);
	p9_u32(&r->msg, a->mode);
	p9_u32(&r->msg, a->uid);
	p9_u32(&r->msg, a->gid);
	p9_u64(&r->msg, a->size);
	p9_u64(&r->msg, (uint64_t)a->atime.sec);
	p9_u64(&r->msg, a->atime.nsec);
	p9_u64(&r->msg, (uint64_t)a->mtime.sec);
	p9_u64(&r->msg, a->mtime.nsec);
	p9_change_begin(inode);
	err = p9_call(r, &reply);
	p9_change_end(inode);
	p9_end_call(r);
	return err;
}

/*
 * A new size, here and there.  Shorter: here first, and no write of what is cut
 * off may be under way when the server cuts; its bytes are on the server, so
 * that nothing is lost if the server will not.
 */
static int set_size(struct inode *inode, const struct iattr *a)
{
	struct address_space *as = inode->mapping;
	uint64_t old = inode_size(inode);
	uint64_t page = a->size & ~(uint64_t)(QUIRE_PAGE_SIZE - 1);
	int err;

	if (a->size < old) {
		quire_mapping_set_size(as, a->size);
		err = quire_mapping_sync(as, page, FILE_END, QUIRE_SYNC_WAIT);
		if (err) {
			quire_mapping_set_size(as, old);
			quire_mapping_punch(as, page, INODE_ALL_PAGES);
			return err;
		}
	}
	err = tell_server(inode, a);
	if (!err && a->size >= old) {
		quire_mapping_set_size(as, a->size);
	} else if (err && a->size < old) {
		quire_mapping_set_size(as, old);
		quire_mapping_punch(as, page, INODE_ALL_PAGES);
	}
	return err;
}

int p9_setattr(struct inode *inode, const struct iattr *a)
{
	struct p9_inode *pi = p9_i(inode);
	struct p9_attr now;
	int err;

	/* what was written before it is told of the times; and the server may
	 * take set-user-ID off a file with each write */
	err = inode_write_back(inode);
	if (err)
		return err;
	if (inode->sb->volatile_names && !pi->nameless) {
		err = p9_getattr(p9_c(inode->sb), pi->fid, &now);
		if (err == -ENOENT || (!err && now.qid.path != inode->ino))
			pi->nameless = true;
		else if (err)
			return err;
	}
	if (pi->nameless)
		return setattr_nameless(inode, a);
	if ((a->valid & ATTR_SIZE) && inode->mapping)
		err = set_size(inode, a);
	else
		err = tell_server(inode, a);
	if (!err)
		(void)p9_fetch_attr(inode, &now, true);
	return err;
}

_Static_assert(ATTR_MODE == P9_SETATTR_MODE && ATTR_UID == P9_SETATTR_UID &&
		       ATTR_GID == P9_SETATTR_GID &&
		       ATTR_SIZE == P9_SETATTR_SIZE &&
		       ATTR_ATIME == P9_SETATTR_ATIME &&
		       ATTR_MTIME == P9_SETATTR_MTIME &&
		       ATTR_ATIME_SET == P9_SETATTR_ATIME_SET &&
		       ATTR_MTIME_SET == P9_SETATTR_MTIME_SET,
	       "the bits go over the wire as they are");
