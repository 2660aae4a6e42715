/* SPDX-License-Identifier: MIT */
/*
 * The 9P file system: pages to and from the server.
 *
 *     readahead:  a window of pages ─ one Tread each P9_IO_PAGES of them ─┐
 *     writepages: a run of dirty pages ─ one Twrite likewise ─────────────┤
 *        return at once                                                   │
 *     the client's thread: reply → pages ended; a short one: the rest ────┘
 *
 * The pages themselves are the payload: nothing is copied here.
 *
 * What is stored is what lies below the file's size when the request is made;
 * p9_setattr() lowers the size, waits for the requests under way, and only then
 * has the server cut the file, so that none of them makes it longer again.
 *
 * A read that the server answers with nothing has come to the end of what the
 * server has.  Our size may be larger: a byte further on has been written here
 * and not yet there.  What is between is zeros.
 *
 * p9_inode.changing and .changes tell whether attributes that the server sent
 * are those of a file that nobody here was changing meanwhile (9p_inode.c).
 */
#include "9p_fs.h"
#include "inject.h"

void p9_change_begin(struct inode *inode)
{
	__atomic_fetch_add(&p9_i(inode)->changing, 1, __ATOMIC_SEQ_CST);
}

void p9_change_end(struct inode *inode)
{
	struct p9_inode *pi = p9_i(inode);

	__atomic_store_n(&pi->own, true, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pi->changes, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&pi->changing, 1, __ATOMIC_SEQ_CST);
}

uint32_t p9_injected(struct super *sb, uint32_t bytes, bool write)
{
	if (!inject_on() || !sb->volatile_names)
		return bytes;
	switch (inject_io(write)) {
	case INJECT_ERROR:
		return 0;
	case INJECT_SHORT:
		return 1 + inject_part(bytes);
	default:
		return bytes;
	}
}

/* Pages up to byte `done` of the request are through. */
static void end_pages(struct p9_io *io, uint32_t done,
		      void (*end)(struct quire *, struct page *, int))
{
	while (io->ended < io->nr && (io->ended + 1) * QUIRE_PAGE_SIZE <= done)
		end(the_quire, io->page[io->ended++], 0);
}

/* The request is over.  The inode may be gone with the last page's end. */
static void end_rest(struct p9_io *io, int err,
		     void (*end)(struct quire *, struct page *, int))
{
	while (io->ended < io->nr)
		end(the_quire, io->page[io->ended++], err);
}

/* Ask for what is not done yet. */
static int send(struct p9_req *r)
{
	struct p9_io *io = &r->io;
	bool write = r->type == P9_TWRITE;
	struct vq_seg seg[P9_IO_PAGES];
	uint32_t at = io->done, end, len;
	unsigned n = 0;

	len = p9_injected(io->inode->sb, io->bytes - at, write);
	if (!len)
		return -EIO;
	end = at + len;
	p9_u32(&r->msg, io->fid);
	p9_u64(&r->msg, io->pos + at);
	p9_u32(&r->msg, len);
	for (; at < end; at += len) {
		uint32_t off = at % QUIRE_PAGE_SIZE;
		struct page *page = io->page[at / QUIRE_PAGE_SIZE];

		len = QUIRE_PAGE_SIZE - off;
		if (len > end - at)
			len = end - at;
		seg[n].phys = quire_page_phys(the_quire, page) + off;
		seg[n++].len = len;
	}
	return p9_queue(r, seg, n, write);
}

/* In the client's thread: the rest of a request that was cut short. */
static int send_rest(struct p9_req *r)
{
	int err;

	p9_again(r);
	err = send(r);
	if (!err)
		p9_kick(r->client);
	return err;
}

/* ----------------------------------------------------------------- reading */

/* Zeros from byte `done` on. */
static void zero_rest(struct p9_io *io)
{
	uint32_t off = io->done % QUIRE_PAGE_SIZE;
	unsigned i;

	for (i = io->done / QUIRE_PAGE_SIZE; i < io->nr; i++) {
		char *mem = quire_page_address(the_quire, io->page[i]);

		memset(mem + off, 0, QUIRE_PAGE_SIZE - off);
		off = 0;
	}
	io->done = io->bytes;
}

/*
 * The file's end is in what has come, or nothing has: zeros from there on.  A
 * server that is still to be told of a truncation has more than the file.
 */
static void check_end(struct p9_io *io, uint32_t got)
{
	uint64_t size = inode_size(io->inode);
	uint64_t here = size > io->pos ? size - io->pos : 0;
	uint32_t given = io->ended * QUIRE_PAGE_SIZE; /* not ours any more */

	if (got && io->done < here)
		return;
	if (here < io->done)
		io->done = here > given ? (uint32_t)here : given;
	zero_rest(io);
}

static void read_done(struct p9_req *r)
{
	struct p9_io *io = &r->io;
	struct p9_reply reply;
	int err = p9_wait(r, &reply);
	uint32_t got = err ? 0 : reply.data.count;

	if (got > io->bytes - io->done)
		err = -EIO;
	if (!err) {
		io->done += got;
		check_end(io, got);
		end_pages(io, io->done, quire_page_end_read);
		if (io->done < io->bytes) {
			err = send_rest(r);
			if (!err)
				return;
		}
	}
	end_rest(io, err, quire_page_end_read);
	p9_end_call(r);
}

/* fid to read by, open: 0 or -errno */
static int read_fid(struct inode *inode, uint32_t *fid)
{
	struct p9_inode *pi = p9_i(inode);
	int err = p9_open_fid(inode, false);

	*fid = pi->rfid;
	if (err && pi->wfid != P9_NOFID && !pi->write_only) {
		*fid = pi->wfid;
		err = 0;
	}
	return err;
}

bool p9_can_read(struct inode *inode)
{
	uint32_t fid;

	return !read_fid(inode, &fid);
}

/* A request for n pages in a row, not yet sent; NULL: no memory. */
static struct p9_req *start_io(struct inode *inode, uint8_t type, uint32_t fid,
			       struct page **pages, unsigned n)
{
	struct p9_req *r = p9_start_io(p9_c(inode->sb), type);
	struct p9_io *io;

	if (!r)
		return NULL;
	io = &r->io;
	io->inode = inode;
	io->fid = fid;
	io->pos = quire_page_index(pages[0]) << QUIRE_PAGE_SHIFT;
	io->bytes = n * QUIRE_PAGE_SIZE;
	io->done = 0;
	io->nr = n;
	io->ended = 0;
	memcpy(io->page, pages, n * sizeof(*pages));
	return r;
}

static int start_read(struct inode *inode, uint32_t fid, struct page **pages,
		      unsigned n)
{
	struct p9_req *r = start_io(inode, P9_TREAD, fid, pages, n);
	int err;

	if (!r)
		return -ENOMEM;
	r->complete = read_done;
	err = send(r);
	if (err)
		p9_end_call(r);
	return err;
}

static void p9_readahead(struct address_space *as, struct quire_file *qf,
			 struct page **pages, unsigned n)
{
	struct inode *inode = quire_mapping_host(as);
	struct p9_client *c = p9_c(inode->sb);
	unsigned max = p9_max_io(c) / QUIRE_PAGE_SIZE, now, i;
	uint32_t fid;
	int err = read_fid(inode, &fid);

	(void)qf;
	for (; n && !err; pages += now, n -= now) {
		now = n < max ? n : max;
		err = start_read(inode, fid, pages, now);
		if (err)
			break;
		p9_kick(c);
	}
	for (i = 0; i < n; i++)
		quire_page_end_read(the_quire, pages[i], err);
}

static int p9_readpage(struct address_space *as, struct quire_file *qf,
		       struct page *page)
{
	p9_readahead(as, qf, &page, 1);
	return 0;
}

/* ----------------------------------------------------------------- writing */

static void end_write(struct p9_req *r, int err)
{
	struct p9_io *io = &r->io;

	if (err)
		super_note_error(io->inode->sb, err);
	p9_change_end(io->inode);
	end_rest(io, err, quire_page_end_write);
	p9_end_call(r);
}

static void write_done(struct p9_req *r)
{
	struct p9_io *io = &r->io;
	struct p9_reply reply;
	int err = p9_wait(r, &reply);

	/* a server that takes nothing is not asked for ever */
	if (!err && (!reply.count || reply.count > io->bytes - io->done))
		err = -EIO;
	if (!err) {
		io->done += reply.count;
		if (io->done < io->bytes) {
			end_pages(io, io->done, quire_page_end_write);
			err = send_rest(r);
			if (!err)
				return;
		}
	}
	end_write(r, err);
}

/* The first n of the pages, as far as the file reaches. */
static void start_write(struct inode *inode, struct page **pages, unsigned n)
{
	uint64_t pos = quire_page_index(pages[0]) << QUIRE_PAGE_SHIFT;
	struct p9_req *r;
	uint64_t size;
	unsigned i;
	int err;

	p9_change_begin(inode);
	r = start_io(inode, P9_TWRITE, p9_i(inode)->wfid, pages, n);
	if (!r) {
		p9_change_end(inode);
		for (i = 0; i < n; i++)
			quire_page_end_write(the_quire, pages[i], -ENOMEM);
		return;
	}
	size = inode_size(inode);
	if (pos + r->io.bytes > size)
		r->io.bytes = size > pos ? (uint32_t)(size - pos) : 0;
	r->complete = write_done;
	if (r->io.bytes) {
		err = send(r);
		if (err)
			end_write(r, err);
	} else { /* the file has become shorter meanwhile */
		end_write(r, 0);
	}
}

static void p9_writepages(struct address_space *as, struct page **pages,
			  unsigned n)
{
	struct inode *inode = quire_mapping_host(as);
	struct p9_client *c = p9_c(inode->sb);
	unsigned max = p9_max_io(c) / QUIRE_PAGE_SIZE, now;

	/* the last page's end may be the inode's: not looked at afterwards */
	for (; n; pages += now, n -= now) {
		now = n < max ? n : max;
		start_write(inode, pages, now);
		p9_kick(c);
	}
}

const struct quire_aops p9_aops = {
	.readpage = p9_readpage,
	.readahead = p9_readahead,
	.writepages = p9_writepages,
};
