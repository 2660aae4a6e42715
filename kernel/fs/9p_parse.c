/* SPDX-License-Identifier: MIT */
/*
 * The 9P2000.L messages: decoding of replies and encoding of requests.
 *
 *     size[4] type[1] tag[2] body...        all little-endian
 *
 * The reply comes from outside the machine, so nothing in it is believed:
 * every field is taken through a cursor that knows how many bytes are left,
 * and once a field does not fit, the whole message is bad.  Pure functions, no
 * locks, no allocation, no kernel headers: fuzz/ links this file hosted.
 */
#include "p9.h"

#define P9_EIO (-5)

struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static uint64_t take(struct cursor *c, unsigned bytes)
{
	uint64_t v = 0;
	unsigned i;

	if (c->left < bytes) {
		c->bad = true;
		c->left = 0;
		return 0;
	}
	for (i = 0; i < bytes; i++)
		v |= (uint64_t)c->p[i] << (8 * i);
	c->p += bytes;
	c->left -= bytes;
	return v;
}

static uint8_t take8(struct cursor *c)
{
	return (uint8_t)take(c, 1);
}

static uint16_t take16(struct cursor *c)
{
	return (uint16_t)take(c, 2);
}

static uint32_t take32(struct cursor *c)
{
	return (uint32_t)take(c, 4);
}

static uint64_t take64(struct cursor *c)
{
	return take(c, 8);
}

static void take_qid(struct cursor *c, struct p9_qid *qid)
{
	qid->type = take8(c);
	qid->version = take32(c);
	qid->path = take64(c);
}

static void take_str(struct cursor *c, struct p9_str *s)
{
	uint16_t len = take16(c);

	s->text = "";
	s->len = 0;
	if (c->left < len) {
		c->bad = true;
		c->left = 0;
		return;
	}
	if (len == 0)
		return;
	s->text = (const char *)c->p;
	s->len = len;
	c->p += len;
	c->left -= len;
}

static void take_attr(struct cursor *c, struct p9_attr *a)
{
	a->valid = take64(c);
	take_qid(c, &a->qid);
	a->mode = take32(c);
	a->uid = take32(c);
	a->gid = take32(c);
	a->nlink = take64(c);
	a->rdev = take64(c);
	a->size = take64(c);
	a->blksize = take64(c);
	a->blocks = take64(c);
	a->atime_sec = take64(c);
	a->atime_nsec = take64(c);
	a->mtime_sec = take64(c);
	a->mtime_nsec = take64(c);
	a->ctime_sec = take64(c);
	a->ctime_nsec = take64(c);
	/* btime, gen and data_version follow: nobody asks for them */
	(void)take64(c);
	(void)take64(c);
	(void)take64(c);
	(void)take64(c);
	if (a->size > INT64_MAX || a->blocks > INT64_MAX)
		c->bad = true;
}

static void take_statfs(struct cursor *c, struct p9_statfs *s)
{
	s->type = take32(c);
	s->bsize = take32(c);
	s->blocks = take64(c);
	s->bfree = take64(c);
	s->bavail = take64(c);
	s->files = take64(c);
	s->ffree = take64(c);
	s->fsid = take64(c);
	s->namelen = take32(c);
}

static void take_walk(struct cursor *c, struct p9_reply *out)
{
	unsigned i;

	out->walk.nwqid = take16(c);
	if (out->walk.nwqid > P9_MAX_WALK) {
		out->walk.nwqid = 0;
		c->bad = true;
		return;
	}
	for (i = 0; i < out->walk.nwqid; i++)
		take_qid(c, &out->walk.wqid[i]);
}

static void take_data(struct cursor *c, size_t elsewhere, struct p9_reply *out)
{
	out->data.count = take32(c);
	out->data.data = NULL;
	if (elsewhere) {
		if (out->data.count > elsewhere)
			c->bad = true;
		return;
	}
	if (out->data.count > c->left) {
		c->bad = true;
		return;
	}
	out->data.data = c->p;
}

static void take_body(struct cursor *c, uint8_t request, size_t elsewhere,
		      struct p9_reply *out)
{
	switch (request) {
	case P9_TVERSION:
		out->version.msize = take32(c);
		take_str(c, &out->version.version);
		break;
	case P9_TATTACH:
	case P9_TSYMLINK:
	case P9_TMKNOD:
	case P9_TMKDIR:
		take_qid(c, &out->qid);
		break;
	case P9_TWALK:
		take_walk(c, out);
		break;
	case P9_TLOPEN:
	case P9_TLCREATE:
		take_qid(c, &out->open.qid);
		out->open.iounit = take32(c);
		break;
	case P9_TGETATTR:
		take_attr(c, &out->attr);
		break;
	case P9_TSTATFS:
		take_statfs(c, &out->statfs);
		break;
	case P9_TREADLINK:
		take_str(c, &out->link);
		break;
	case P9_TREAD:
	case P9_TREADDIR:
		take_data(c, elsewhere, out);
		break;
	case P9_TWRITE:
		out->count = take32(c);
		break;
	default: /* the rest have no body */
		break;
	}
}

int p9_parse_reply(const void *buf, size_t len, uint8_t request, uint16_t tag,
		   size_t elsewhere, struct p9_reply *out)
{
	struct cursor c = {buf, len, false};
	uint32_t size, ecode;

	size = take32(&c);
	out->type = take8(&c);
	out->tag = take16(&c);
	if (c.bad || size < P9_HEADER || out->tag != tag)
		return P9_EIO;
	if (size > len + elsewhere)
		return P9_EIO;
	if (size - P9_HEADER < c.left)
		c.left = size - P9_HEADER;
	if (out->type == P9_RLERROR) {
		ecode = take32(&c);
		if (c.bad || ecode == 0 || ecode > 4095)
			return P9_EIO;
		return -(int)ecode;
	}
	if (out->type != request + 1)
		return P9_EIO;
	take_body(&c, request, elsewhere, out);
	return c.bad ? P9_EIO : 0;
}

static bool name_ok(const struct p9_str *name)
{
	unsigned i;

	if (name->len == 0 || name->len > 255)
		return false;
	for (i = 0; i < name->len; i++)
		if (name->text[i] == '\0' || name->text[i] == '/')
			return false;
	return true;
}

long p9_parse_dirent(const uint8_t *data, size_t len, struct p9_dirent *out)
{
	struct cursor c = {data, len, false};

	if (len == 0)
		return 0;
	take_qid(&c, &out->qid);
	out->offset = take64(&c);
	out->type = take8(&c);
	take_str(&c, &out->name);
	if (c.bad || !name_ok(&out->name))
		return P9_EIO;
	return (long)(len - c.left);
}

/* ---------------------------------------------------------------- encoding */

static void put(struct p9_msg *m, uint64_t v, unsigned bytes)
{
	unsigned i;

	if (m->cap - m->len < bytes) {
		m->full = true;
		return;
	}
	for (i = 0; i < bytes; i++)
		m->buf[m->len++] = (uint8_t)(v >> (8 * i));
}

void p9_begin(struct p9_msg *m, void *buf, size_t cap, uint8_t type,
	      uint16_t tag)
{
	m->buf = buf;
	m->cap = cap;
	m->len = 0;
	m->full = false;
	put(m, 0, 4);
	put(m, type, 1);
	put(m, tag, 2);
}

void p9_u8(struct p9_msg *m, uint8_t v)
{
	put(m, v, 1);
}

void p9_u16(struct p9_msg *m, uint16_t v)
{
	put(m, v, 2);
}

void p9_u32(struct p9_msg *m, uint32_t v)
{
	put(m, v, 4);
}

void p9_u64(struct p9_msg *m, uint64_t v)
{
	put(m, v, 8);
}

void p9_string(struct p9_msg *m, const char *text, size_t len)
{
	size_t i;

	if (len > UINT16_MAX || m->cap - m->len < len + 2) {
		m->full = true;
		return;
	}
	put(m, len, 2);
	for (i = 0; i < len; i++)
		m->buf[m->len++] = (uint8_t)text[i];
}

size_t p9_end(struct p9_msg *m, size_t extra)
{
	size_t total = m->len + extra;
	unsigned i;

	if (m->full || total > UINT32_MAX)
		return 0;
	for (i = 0; i < 4; i++)
		m->buf[i] = (uint8_t)(total >> (8 * i));
	return m->len;
}
