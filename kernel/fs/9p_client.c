/* SPDX-License-Identifier: MIT */
/*
 * The 9P client: requests in, replies out, over one virtio queue.
 *
 *     task: p9_start ─ message in a slot's pages ─ p9_call ─ sleeps ...
 *     interrupt: vq_get → slot done → wake
 *
 * There are P9_SLOTS requests at once; a slot's number is its tag.  Its pages
 * hold the message, the reply and the list of descriptors; payload (file
 * data) goes straight between the device and page-cache pages.
 *
 * slot_lock guards the free slots; a request itself belongs to its task.  The
 * sleep for a reply cannot be interrupted: the device writes into our pages
 * until it has answered.
 */
#include "9p.h"

#define P9_SLOTS 32u
#define P9_MSIZE (512u * 1024)

struct p9_client {
	struct virtio_dev *dev;
	struct virtqueue vq;
	uint32_t msize;
	uint32_t next_fid;
	struct spinlock slot_lock;
	uint32_t free_slots; /* a bit each */
	struct wait_queue slot_wq;
	struct p9_req slots[P9_SLOTS];
	struct page *tables[P9_SLOTS];
};

static void on_interrupt(struct virtio_dev *dev)
{
	struct p9_client *c = dev->priv;
	struct p9_req *r;
	uint32_t written;

	while ((r = vq_get(&c->vq, &written)) != NULL) {
		r->written = written;
		__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
		wake_up_all(&r->wq);
	}
}

static bool take_slot(struct p9_client *c, unsigned *slot)
{
	bool ok = false;

	spin_lock(&c->slot_lock);
	if (c->free_slots) {
		*slot = (unsigned)__builtin_ctz(c->free_slots);
		c->free_slots &= c->free_slots - 1;
		ok = true;
	}
	spin_unlock(&c->slot_lock);
	return ok;
}

static void give_slot(struct p9_client *c, unsigned slot)
{
	spin_lock(&c->slot_lock);
	c->free_slots |= 1u << slot;
	spin_unlock(&c->slot_lock);
	wake_up(&c->slot_wq);
}

static bool slot_memory(struct p9_client *c, struct p9_req *r, unsigned slot)
{
	if (r->pages)
		return true;
	c->tables[slot] = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 0);
	if (!c->tables[slot])
		return false;
	r->pages = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 2);
	if (!r->pages) {
		quire_free_pages(the_quire, c->tables[slot], 0);
		return false;
	}
	r->out = quire_page_address(the_quire, r->pages);
	r->in = r->out + P9_OUT_BYTES;
	r->client = c;
	r->tag = (uint16_t)slot;
	wait_queue_init(&r->wq);
	return true;
}

static struct p9_req *start_in(struct p9_client *c, uint8_t type, unsigned slot)
{
	struct p9_req *r;

	r = &c->slots[slot];
	if (!slot_memory(c, r, slot)) {
		give_slot(c, slot);
		return NULL;
	}
	r->type = type;
	r->done = false;
	p9_begin(&r->msg, r->out, P9_OUT_BYTES, type,
		 type == P9_TVERSION ? (uint16_t)P9_NOTAG : r->tag);
	return r;
}

struct p9_req *p9_start(struct p9_client *c, uint8_t type)
{
	unsigned slot = 0;

	wait_event(&c->slot_wq, take_slot(c, &slot));
	return start_in(c, type, slot);
}

struct p9_req *p9_try_start(struct p9_client *c, uint8_t type)
{
	unsigned slot = 0;

	return take_slot(c, &slot) ? start_in(c, type, slot) : NULL;
}

void p9_end_call(struct p9_req *r)
{
	give_slot(r->client, r->tag);
}

static uint32_t seg_bytes(const struct vq_seg *seg, unsigned nr)
{
	uint32_t n = 0;

	while (nr--)
		n += seg++->len;
	return n;
}

int p9_queue(struct p9_req *r, const struct vq_seg *data, unsigned nr,
	     bool write)
{
	struct vq_seg seg[P9_MAX_SEGS + 2];
	paddr_t base = quire_page_phys(the_quire, r->pages);
	struct p9_client *c = r->client;
	unsigned n = 0, out;
	uint32_t payload = seg_bytes(data, nr);
	size_t len;

	len = p9_end(&r->msg, write ? payload : 0);
	if (!len)
		return -ENAMETOOLONG;
	seg[n++] = (struct vq_seg){base, (uint32_t)len};
	if (write && nr) {
		memcpy(&seg[n], data, nr * sizeof(*data));
		n += nr;
	}
	out = n;
	r->head = !write && nr ? P9_READ_HEADER : P9_IN_BYTES;
	r->payload = write ? 0 : payload;
	seg[n++] = (struct vq_seg){base + P9_OUT_BYTES, r->head};
	if (!write && nr) {
		memcpy(&seg[n], data, nr * sizeof(*data));
		n += nr;
	}
	while (vq_add(&c->vq, seg, out, n - out, c->tables[r->tag], r))
		yield(); /* fewer slots than ring entries: does not happen */
	return 0;
}

void p9_kick(struct p9_client *c)
{
	vq_kick(&c->vq);
}

int p9_wait(struct p9_req *r, struct p9_reply *reply)
{
	uint16_t tag = r->type == P9_TVERSION ? (uint16_t)P9_NOTAG : r->tag;
	uint32_t head = r->head;

	wait_event(&r->wq, __atomic_load_n(&r->done, __ATOMIC_ACQUIRE));
	if (head > r->written)
		head = r->written;
	return p9_parse_reply(r->in, head, r->type, tag, r->payload, reply);
}

int p9_call_data(struct p9_req *r, struct p9_reply *reply,
		 const struct vq_seg *data, unsigned nr, bool write)
{
	int err = p9_queue(r, data, nr, write);

	if (err)
		return err;
	p9_kick(r->client);
	return p9_wait(r, reply);
}

int p9_call(struct p9_req *r, struct p9_reply *reply)
{
	return p9_call_data(r, reply, NULL, 0, false);
}

uint32_t p9_max_io(struct p9_client *c)
{
	uint32_t most = (P9_MAX_SEGS - 2) * QUIRE_PAGE_SIZE;
	uint32_t fits = (c->msize - 24) & ~(QUIRE_PAGE_SIZE - 1);

	return fits < most ? fits : most;
}

uint32_t p9_new_fid(struct p9_client *c)
{
	uint32_t fid;

	do {
		fid = __atomic_fetch_add(&c->next_fid, 1, __ATOMIC_RELAXED);
	} while (fid == P9_NOFID);
	return fid;
}

/* ------------------------------------------------------------- whole calls */

int p9_walk(struct p9_client *c, uint32_t fid, uint32_t newfid,
	    const char *name, size_t len)
{
	struct p9_req *r = p9_start(c, P9_TWALK);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u32(&r->msg, newfid);
	p9_u16(&r->msg, len ? 1 : 0);
	if (len)
		p9_string(&r->msg, name, len);
	err = p9_call(r, &reply);
	if (!err && reply.walk.nwqid != (len ? 1 : 0))
		err = -ENOENT;
	p9_end_call(r);
	return err;
}

int p9_getattr(struct p9_client *c, uint32_t fid, struct p9_attr *attr)
{
	struct p9_req *r = p9_start(c, P9_TGETATTR);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u64(&r->msg, P9_GETATTR_BASIC);
	err = p9_call(r, &reply);
	if (!err)
		*attr = reply.attr;
	p9_end_call(r);
	return err;
}

int p9_lopen(struct p9_client *c, uint32_t fid, uint32_t flags)
{
	struct p9_req *r = p9_start(c, P9_TLOPEN);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u32(&r->msg, flags);
	err = p9_call(r, &reply);
	p9_end_call(r);
	return err;
}

void p9_clunk(struct p9_client *c, uint32_t fid)
{
	struct p9_req *r = p9_start(c, P9_TCLUNK);
	struct p9_reply reply;

	if (!r)
		return; /* the server keeps the fid: nothing is wrong but it */
	p9_u32(&r->msg, fid);
	(void)p9_call(r, &reply);
	p9_end_call(r);
}

int p9_fsync(struct p9_client *c, uint32_t fid)
{
	struct p9_req *r = p9_start(c, P9_TFSYNC);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u32(&r->msg, 0);
	err = p9_call(r, &reply);
	p9_end_call(r);
	return err;
}

static long read_write(struct p9_client *c, uint8_t type, uint32_t fid,
		       uint64_t pos, const struct vq_seg *seg, unsigned nr,
		       uint32_t bytes)
{
	struct p9_req *r = p9_start(c, type);
	bool write = type == P9_TWRITE;
	struct p9_reply reply;
	long ret;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u64(&r->msg, pos);
	p9_u32(&r->msg, bytes);
	ret = p9_call_data(r, &reply, seg, nr, write);
	if (!ret)
		ret = (long)(write ? reply.count : reply.data.count);
	if (ret > (long)bytes)
		ret = -EIO;
	p9_end_call(r);
	return ret;
}

long p9_read(struct p9_client *c, uint32_t fid, uint64_t pos,
	     const struct vq_seg *seg, unsigned nr, uint32_t bytes)
{
	return read_write(c, P9_TREAD, fid, pos, seg, nr, bytes);
}

long p9_write(struct p9_client *c, uint32_t fid, uint64_t pos,
	      const struct vq_seg *seg, unsigned nr, uint32_t bytes)
{
	return read_write(c, P9_TWRITE, fid, pos, seg, nr, bytes);
}

/* -------------------------------------------------------------- connecting */

/* The device whose configuration names the tag: le16 length, bytes. */
static struct virtio_dev *find_tag(const char *tag)
{
	struct virtio_dev *dev;
	size_t want = strlen(tag);
	char name[64];
	uint16_t len;
	unsigned i;

	for (i = 0; (dev = virtio_find(VIRTIO_ID_9P, i)) != NULL; i++) {
		virtio_config(dev, 0, &len, 2);
		if (len != want || len > sizeof(name))
			continue;
		virtio_config(dev, 2, name, len);
		if (memcmp(name, tag, len) == 0)
			return dev;
	}
	return NULL;
}

static int do_version(struct p9_client *c)
{
	struct p9_req *r = p9_start(c, P9_TVERSION);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, P9_MSIZE);
	p9_string(&r->msg, "9P2000.L", 8);
	err = p9_call(r, &reply);
	if (!err && (reply.version.version.len != 8 ||
		     memcmp(reply.version.version.text, "9P2000.L", 8)))
		err = -EPROTONOSUPPORT;
	if (!err &&
	    (reply.version.msize < 16384 || reply.version.msize > P9_MSIZE))
		err = -EIO;
	if (!err)
		c->msize = reply.version.msize;
	p9_end_call(r);
	return err;
}

static int do_attach(struct p9_client *c, uint32_t fid, struct p9_qid *qid)
{
	struct p9_req *r = p9_start(c, P9_TATTACH);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u32(&r->msg, P9_NOFID);
	p9_string(&r->msg, "root", 4);
	p9_string(&r->msg, "", 0);
	p9_u32(&r->msg, 0);
	err = p9_call(r, &reply);
	if (!err)
		*qid = reply.qid;
	p9_end_call(r);
	return err;
}

struct p9_client *p9_connect(const char *tag, uint32_t *root_fid,
			     struct p9_qid *qid)
{
	struct virtio_dev *dev = find_tag(tag);
	struct p9_client *c;
	int err;

	if (!dev || dev->taken)
		return ERR_PTR(-ENODEV);
	c = fs_zalloc(sizeof(*c));
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->dev = dev;
	c->free_slots = UINT32_MAX;
	wait_queue_init(&c->slot_wq);
	dev->priv = c;
	err = virtio_start(dev, VIRTIO_F_INDIRECT, on_interrupt);
	if (!err && !(dev->features & VIRTIO_F_INDIRECT))
		err = -ENODEV;
	if (!err)
		err = vq_init(dev, &c->vq, 0);
	if (!err)
		err = virtio_ready(dev);
	if (!err)
		err = do_version(c);
	*root_fid = p9_new_fid(c);
	if (!err)
		err = do_attach(c, *root_fid, qid);
	/* on an error the device keeps its (silent) client: the next boot */
	return err ? ERR_PTR(err) : c;
}
