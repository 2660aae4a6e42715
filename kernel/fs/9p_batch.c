/* SPDX-License-Identifier: MIT */
/*
 * Looking up many names at once.
 *
 *     readdir of a directory notes its names; a second lookup that misses
 *     afterwards means that someone goes through them (ls -l, find -size, rm):
 *
 *     Twalk a ┐            ┌ Rwalk a      Tgetattr a ┐
 *     Twalk b ├ one notify ┤ Rwalk b  →   Tgetattr b ├ one notify → inodes
 *     Twalk c ┘            └ Rwalk c      Tgetattr c ┘
 *
 * so that the round trips to the server are paid once for P9_BATCH names.
 * Only for exports whose names do not change behind our back.  All of it runs
 * under the directory's inode->lock, which keeps others from looking the same
 * names up.
 */
#include "9p_fs.h"

#define P9_BATCH 24u

struct batch_name {
	struct dentry *d; /* a reference; negative so far, not hashed */
	uint32_t fid;
	struct p9_req *req;
};

void p9_drop_names(struct p9_inode *pi)
{
	fs_free(pi->names);
	pi->names = NULL;
	pi->names_len = pi->names_at = 0;
	pi->missed = false;
}

void p9_note_name(struct p9_inode *pi, const char *name, size_t len, bool first)
{
	uint16_t n = (uint16_t)len;

	if (first)
		p9_drop_names(pi);
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return;
	if (!pi->names) {
		if (pi->names_len) /* it was full, or is used up */
			return;
		pi->names = fs_alloc(P9_NAMES_MAX);
		if (!pi->names)
			return;
	}
	if (pi->names_len + 2 + len > P9_NAMES_MAX)
		return;
	memcpy(pi->names + pi->names_len, &n, 2);
	memcpy(pi->names + pi->names_len + 2, name, len);
	pi->names_len += 2 + n;
}

/* The next names that the cache does not have: how many were put in b. */
static unsigned choose(struct dentry *parent, struct batch_name *b)
{
	struct p9_inode *pi = p9_i(parent->inode);
	unsigned n = 0;

	while (n < P9_BATCH && pi->names_at < pi->names_len) {
		const char *name = pi->names + pi->names_at + 2;
		struct dentry *d;
		uint16_t len;

		memcpy(&len, name - 2, 2);
		pi->names_at += 2u + len;
		d = d_find(parent, name, len);
		if (d) {
			dput(d);
			continue;
		}
		d = d_alloc_child(parent, name, len);
		if (!d)
			break;
		b[n++] = (struct batch_name){.d = d};
	}
	return n;
}

static void ask_walk(struct p9_client *c, uint32_t dir, struct batch_name *b)
{
	b->req = p9_try_start(c, P9_TWALK);
	if (!b->req)
		return;
	b->fid = p9_new_fid(c);
	p9_u32(&b->req->msg, dir);
	p9_u32(&b->req->msg, b->fid);
	p9_u16(&b->req->msg, 1);
	p9_string(&b->req->msg, b->d->name, b->d->len);
	if (p9_queue(b->req, NULL, 0, false)) {
		p9_end_call(b->req);
		b->req = NULL;
	}
}

/* Wait for the walk, and queue the getattr of what it found. */
static void ask_attr(struct p9_client *c, struct batch_name *b)
{
	struct p9_reply reply;
	int err = p9_wait(b->req, &reply);

	if (!err && reply.walk.nwqid != 1)
		err = -ENOENT;
	p9_end_call(b->req);
	b->req = NULL;
	if (err)
		return;
	b->req = p9_try_start(c, P9_TGETATTR);
	if (b->req) {
		p9_u32(&b->req->msg, b->fid);
		p9_u64(&b->req->msg, P9_GETATTR_BASIC);
		if (!p9_queue(b->req, NULL, 0, false))
			return;
		p9_end_call(b->req);
		b->req = NULL;
	}
	p9_clunk(c, b->fid);
}

/* Wait for the attributes: the name has its inode, and goes into the cache. */
static void finish(struct super *sb, struct batch_name *b)
{
	struct p9_reply reply;
	struct inode *inode;
	int err = p9_wait(b->req, &reply);

	p9_end_call(b->req);
	if (err) {
		p9_clunk(p9_c(sb), b->fid);
		return;
	}
	inode = p9_inode_of(sb, b->fid, &reply.attr);
	if (IS_ERR(inode))
		return;
	d_set_inode(b->d, inode);
	d_add(b->d);
}

void p9_prefetch(struct dentry *parent)
{
	struct p9_inode *pi = p9_i(parent->inode);
	struct p9_client *c = p9_c(parent->sb);
	struct batch_name b[P9_BATCH];
	unsigned n, i;

	if (!pi->missed) { /* one name alone may be all that is wanted */
		pi->missed = true;
		return;
	}
	n = choose(parent, b);
	for (i = 0; i < n; i++)
		ask_walk(c, pi->fid, &b[i]);
	p9_kick(c);
	for (i = 0; i < n; i++)
		if (b[i].req)
			ask_attr(c, &b[i]);
	p9_kick(c);
	for (i = 0; i < n; i++) {
		if (b[i].req)
			finish(parent->sb, &b[i]);
		dput(b[i].d);
	}
	if (pi->names_at >= pi->names_len) {
		fs_free(pi->names); /* names_len stays: the list is used up */
		pi->names = NULL;
	}
}
