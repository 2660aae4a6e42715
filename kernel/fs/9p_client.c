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
 * Reads ahead and write-back do not wait: their replies are dealt with by a
 * thread of the client's own, which starts no request and so never waits for a
 * slot; P9_OTHER_SLOTS slots are left to those who do wait.
 *
 *     interrupt: vq_get → list of done requests → thread: r->complete(r)
 *
 * Memory must not be needed to write pages back, for that is how memory comes
 * free: P9_READY_SLOTS slots have theirs from the beginning, and whoever finds
 * none for another slot waits for one of those that have.
 *
 * slot_lock guards the free slots; a request itself belongs to its task.  The
 * sleep for a reply cannot be interrupted: the device writes into our pages
 * until it has answered.  done_lock, with interrupts off, guards the list of
 * done requests.
 */
#include "9p.h"

#define P9_SLOTS       32u
#define P9_MSIZE       (512u * 1024)
#define P9_OTHER_SLOTS 0xff000000u
#define P9_READY_SLOTS 4u
#define EASY	       0u /* memory without reclaim and reserve: there are others */

struct p9_client {
	struct virtio_dev *dev;
	struct virtqueue vq;
	uint32_t msize;
	uint32_t next_fid;
	struct spinlock slot_lock;
	uint32_t free_slots; /* a bit each */
	uint32_t ready;	     /* they have their memory; atomic */
	struct spinlock done_lock;
	struct p9_req *done_first, **done_last;
	struct wait_queue done_wq;
	struct wait_queue slot_wq;
	struct p9_req slots[P9_SLOTS];
	struct page *tables[P9_SLOTS];
};

/* In the interrupt. */
static void push_done(struct p9_client *c, struct p9_req *r)
{
	spin_lock(&c->done_lock);
	r->next_done = NULL;
	*c->done_last = r;
	c->done_last = &r->next_done;
	spin_unlock(&c->done_lock);
	wake_up_all(&c->done_wq);
}

static void on_interrupt(struct virtio_dev *dev)
{
	struct p9_client *c = dev->priv;
	struct p9_req *r;
	uint32_t written;

	while ((r = vq_get(&c->vq, &written)) != NULL) {
		r->written = written;
		/* afterwards a request that is waited for is not ours */
		if (r->complete) {
			r->done = true;
			push_done(c, r);
			continue;
		}
		__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
		wake_up_all(&r->wq);
	}
}

static struct p9_req *pop_done(struct p9_client *c)
{
	unsigned long flags = spin_lock_irqsave(&c->done_lock);
	struct p9_req *r = c->done_first;

	if (r) {
		c->done_first = r->next_done;
		if (!c->done_first)
			c->done_last = &c->done_first;
	}
	spin_unlock_irqrestore(&c->done_lock, flags);
	return r;
}

static void completer(void *arg)
{
	struct p9_client *c = arg;
	struct p9_req *r;

	current->urgent = true;
	current->qt.reclaiming = 1; /* others write pages back through it */
	for (;;) {
		wait_event(&c->done_wq, (r = pop_done(c)) != NULL);
		r->complete(r);
	}
}

/* One of the slots of `may`, rather one that has its memory. */
static bool take_slot(struct p9_client *c, uint32_t may, unsigned *slot)
{
	uint32_t from;

	spin_lock(&c->slot_lock);
	may &= c->free_slots;
	from = may & __atomic_load_n(&c->ready, __ATOMIC_ACQUIRE);
	if (!from)
		from = may;
	if (from) {
		*slot = (unsigned)__builtin_ctz(from);
		c->free_slots &= ~(1u << *slot);
	}
	spin_unlock(&c->slot_lock);
	return from != 0;
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
	c->tables[slot] = quire_alloc_pages(the_quire, EASY, 0);
	if (!c->tables[slot])
		return false;
	r->pages = quire_alloc_pages(the_quire, EASY, 2);
	if (!r->pages) {
		quire_free_pages(the_quire, c->tables[slot], 0);
		return false;
	}
	r->out = quire_page_address(the_quire, r->pages);
	r->in = r->out + P9_OUT_BYTES;
	r->client = c;
	r->tag = (uint16_t)slot;
	wait_queue_init(&r->wq);
	__atomic_fetch_or(&c->ready, 1u << slot, __ATOMIC_RELEASE);
	return true;
}

void p9_again(struct p9_req *r)
{
	r->done = false;
	p9_begin(&r->msg, r->out, P9_OUT_BYTES, r->type,
		 r->type == P9_TVERSION ? (uint16_t)P9_NOTAG : r->tag);
}

/* NULL: out of memory before the first slots had theirs, or !wait. */
static struct p9_req *start_in(struct p9_client *c, uint8_t type, uint32_t may,
			       bool wait)
{
	unsigned slot = 0;
	struct p9_req *r;

	for (;;) {
		if (wait)
			wait_event(&c->slot_wq, take_slot(c, may, &slot));
		else if (!take_slot(c, may, &slot))
			return NULL;
		r = &c->slots[slot];
		if (slot_memory(c, r, slot))
			break;
		give_slot(c, slot);
		may &= __atomic_load_n(&c->ready, __ATOMIC_ACQUIRE);
		if (!may)
			return NULL;
	}
	r->type = type;
	r->complete = NULL;
	p9_again(r);
	return r;
}

struct p9_req *p9_start(struct p9_client *c, uint8_t type)
{
	return start_in(c, type, UINT32_MAX, true);
}

struct p9_req *p9_try_start(struct p9_client *c, uint8_t type)
{
	return start_in(c, type, UINT32_MAX, false);
}

struct p9_req *p9_start_io(struct p9_client *c, uint8_t type)
{
	return start_in(c, type, ~P9_OTHER_SLOTS, true);
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
	uint32_t most = P9_IO_PAGES * QUIRE_PAGE_SIZE;
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

int p9_lopen(struct p9_client *c, uint32_t fid, uint32_t flags, uint64_t path)
{
	struct p9_req *r = p9_start(c, P9_TLOPEN);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u32(&r->msg, flags);
	err = p9_call(r, &reply);
	if (!err && reply.open.qid.path != path)
		err = -ENOENT;
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

int p9_fsync(struct p9_client *c, uint32_t fid, bool datasync)
{
	struct p9_req *r = p9_start(c, P9_TFSYNC);
	struct p9_reply reply;
	int err;

	if (!r)
		return -ENOMEM;
	p9_u32(&r->msg, fid);
	p9_u32(&r->msg, datasync);
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

/* What must be there before anything is written. */
static int get_ready(struct p9_client *c)
{
	unsigned i;

	for (i = 0; i < P9_READY_SLOTS; i++)
		if (!slot_memory(c, &c->slots[i], i))
			return -ENOMEM;
	return kthread_run(completer, c, "9p") ? 0 : -ENOMEM;
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
	wait_queue_init(&c->done_wq);
	c->done_last = &c->done_first;
	dev->priv = c;
	err = virtio_start(dev, VIRTIO_F_INDIRECT, on_interrupt);
	if (!err && !(dev->features & VIRTIO_F_INDIRECT))
		err = -ENODEV;
	if (!err)
		err = vq_init(dev, &c->vq, 0);
	if (!err)
		err = virtio_ready(dev);
	if (!err)
		err = get_ready(c);
	if (!err)
		err = do_version(c);
	*root_fid = p9_new_fid(c);
	if (!err)
		err = do_attach(c, *root_fid, qid);
	/* on an error the device keeps its (silent) client: the next boot */
	return err ? ERR_PTR(err) : c;
}
