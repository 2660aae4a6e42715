/* SPDX-License-Identifier: MIT */
/*
 * Disks behind virtio (Virtual I/O Device specification 1.1, 5.2).
 *
 *     blk_submit ── one descriptor ── table of pieces ─────────┐
 *                   of the ring       [header][data ...][status]
 *     interrupt: vq_get → list of what is done → wake
 *     the disk's thread: status → end(r, error) → the request is free again
 *
 * Each of BLK_REQS requests has two pages of its own, so that writing out
 * dirty memory takes no memory:
 *
 *     page 0   [table of descriptors ...... 4032][header][status][range]
 *     page 1   [the pieces, as blk_add() collects them]
 *
 * A device without VIRTIO_F_INDIRECT gets the pieces in the ring itself, and
 * fewer of them.
 *
 * Locks: free_lock (tasks) guards the free requests, done_lock (interrupts
 * off) what is done and not ended yet.  A request under way belongs to the
 * device.
 */
#include "blk.h"
#include "inject.h"
#include "ktime.h"
#include "task.h"

#define BLK_REQS  16u
#define MAX_DISKS 8u

/* 5.2.3: feature bits */
#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX  (1ull << 2)
#define F_RO	   (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH	   (1ull << 9)
#define F_TOPOLOGY (1ull << 10)
#define F_DISCARD  (1ull << 13)
#define F_ZEROES   (1ull << 14)

/* 5.2.4: the configuration's fields, bytes from its start */
#define C_CAPACITY	0
#define C_SIZE_MAX	8
#define C_SEG_MAX	12
#define C_BLK_SIZE	20
#define C_PHYSICAL_EXP	24
#define C_DISCARD_MAX	36
#define C_DISCARD_ALIGN 44
#define C_ZEROES_MAX	48

/* 5.2.6: type of request, and its end */
static const uint32_t type_of[BLK_NR_OPS] = {
	[BLK_READ] = 0,	    [BLK_WRITE] = 1, [BLK_FLUSH] = 4,
	[BLK_DISCARD] = 11, [BLK_ZERO] = 13,
};
#define S_OK	  0
#define S_UNSUPP  2
#define S_PENDING 0xff /* not the specification's: not written yet */

struct blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};
struct blk_range { /* of a discard or write zeroes */
	uint64_t sector;
	uint32_t sectors, flags;
};
#define AT_HEADER 4032u /* in page 0 */
#define AT_STATUS 4048u
#define AT_RANGE  4064u
_Static_assert((BLK_MAX_SEGS + 3) * sizeof(struct vring_desc) <= AT_HEADER,
	       "the table ends where the header begins");
_Static_assert((BLK_MAX_SEGS + 3) * sizeof(struct vq_seg) <= QUIRE_PAGE_SIZE,
	       "the pieces have one page");

struct vblk {
	struct disk disk;
	struct virtio_dev *dev;
	struct virtqueue vq;
	bool indirect;
	struct spinlock free_lock;
	uint32_t free; /* a bit each */
	struct wait_queue free_wq;
	struct spinlock done_lock;
	struct list_head done;
	struct wait_queue done_wq;
	struct blk_req req[BLK_REQS];
};

static struct vblk *disks[MAX_DISKS];
static unsigned nr_disks;

struct disk *blk_disk(unsigned n)
{
	return n < nr_disks ? &disks[n]->disk : NULL;
}

static struct vblk *vblk_of(struct disk *disk)
{
	return container_of(disk, struct vblk, disk);
}

static char *first_page(const struct blk_req *r)
{
	return quire_page_address(the_quire, r->pages);
}

/* ---------------------------------------------------------------- requests */

static bool take_req(struct vblk *b, struct blk_req **r)
{
	bool ok = false;

	spin_lock(&b->free_lock);
	if (b->free) {
		*r = &b->req[__builtin_ctz(b->free)];
		b->free &= b->free - 1;
		ok = true;
	}
	spin_unlock(&b->free_lock);
	return ok;
}

void blk_drop(struct blk_req *r)
{
	struct vblk *b = vblk_of(r->disk);

	spin_lock(&b->free_lock);
	b->free |= 1u << (unsigned)(r - b->req);
	spin_unlock(&b->free_lock);
	wake_up(&b->free_wq);
}

struct blk_req *blk_start(struct disk *disk, enum blk_op op)
{
	struct vblk *b = vblk_of(disk);
	struct blk_req *r = NULL;

	wait_event(&b->free_wq, take_req(b, &r));
	r->op = op;
	r->nr = r->pieces = 0;
	r->bytes = 0;
	r->sector = 0;
	r->sectors = 0;
	r->end = NULL;
	r->cookie = NULL;
	r->whole_nr = 0;
	r->error = 0;
	return r;
}

bool blk_add(struct blk_req *r, paddr_t phys, uint32_t bytes)
{
	struct vq_seg *last = &r->seg[r->nr];

	if (r->nr && last->phys + last->len == phys &&
	    last->len <= r->disk->max_seg_bytes - bytes) {
		last->len += bytes;
	} else {
		if (r->nr == r->disk->max_segs)
			return false;
		*++last = (struct vq_seg){phys, bytes};
		r->nr++;
	}
	r->pieces++;
	r->bytes += bytes;
	return true;
}

static void finish(struct vblk *b, struct blk_req *r)
{
	unsigned long flags = spin_lock_irqsave(&b->done_lock);

	list_add_tail(&r->node, &b->done);
	spin_unlock_irqrestore(&b->done_lock, flags);
	wake_up(&b->done_wq);
}

static void on_interrupt(struct virtio_dev *dev)
{
	struct vblk *b = dev->priv;
	struct blk_req *r;

	while ((r = vq_get(&b->vq, NULL)) != NULL)
		finish(b, r);
}

/* The pieces that go before and behind the payload; how many the device reads
 * and writes. */
static void frame(struct blk_req *r, unsigned *out, unsigned *in)
{
	paddr_t base = quire_page_phys(the_quire, r->pages);
	char *mem = first_page(r);

	*(struct blk_header *)(void *)(mem + AT_HEADER) = (struct blk_header){
		.type = type_of[r->op],
		.sector = r->sector,
	};
	*(volatile uint8_t *)(mem + AT_STATUS) = S_PENDING;
	r->seg[0] = (struct vq_seg){base + AT_HEADER, 16};
	if (r->op == BLK_DISCARD || r->op == BLK_ZERO) {
		*(struct blk_range *)(void *)(mem + AT_RANGE) =
			(struct blk_range){r->sector, r->sectors, 0};
		((struct blk_header *)(void *)(mem + AT_HEADER))->sector = 0;
		r->seg[1] = (struct vq_seg){base + AT_RANGE, 16};
		r->nr = 1;
	}
	r->seg[r->nr + 1] = (struct vq_seg){base + AT_STATUS, 1};
	*out = 1 + (r->op == BLK_READ ? 0 : r->nr);
	*in = 1 + (r->op == BLK_READ ? r->nr : 0);
}

static void send(struct vblk *b, struct blk_req *r)
{
	unsigned out, in;

	frame(r, &out, &in);
	/* without indirect descriptors the ring may be full of others' */
	while (vq_add(&b->vq, r->seg, out, in, b->indirect ? r->pages : NULL,
		      r))
		yield();
	vq_kick(&b->vq);
}

/* Send only the first `keep` bytes of the payload; end_req() takes it back. */
static void cut(struct blk_req *r, uint32_t keep)
{
	uint32_t left = keep;
	unsigned n = 1;

	while (r->seg[n].len < left)
		left -= r->seg[n++].len;
	r->whole_nr = r->nr;
	r->whole_bytes = r->bytes;
	memcpy(r->whole, &r->seg[n], sizeof(r->whole));
	r->seg[n].len = left;
	r->nr = n;
	r->bytes = keep;
}

static void uncut(struct blk_req *r)
{
	memcpy(&r->seg[r->nr], r->whole, sizeof(r->whole));
	r->nr = r->whole_nr;
	r->bytes = r->whole_bytes;
	r->whole_nr = 0;
}

/*
 * A fault asked for by a test.  Short: the device does a part, and the request
 * is sent once more, whole.  Error: at once, or after a part (torn).  True:
 * there is nothing to send.
 */
static bool injected(struct blk_req *r)
{
	enum inject_fault fault = INJECT_NONE;
	uint32_t keep;

	if (r->op == BLK_READ || r->op == BLK_WRITE)
		fault = inject_io(r->op == BLK_WRITE);
	if (fault == INJECT_NONE)
		return false;
	keep = inject_part(r->bytes / r->disk->block) * r->disk->block;
	if (fault == INJECT_ERROR)
		r->error = -EIO;
	if (keep == 0)
		return fault == INJECT_ERROR;
	cut(r, keep);
	return false;
}

void blk_submit(struct blk_req *r)
{
	struct vblk *b = vblk_of(r->disk);

	r->started = ktime_ns();
	__atomic_fetch_add(&r->disk->stats.in_flight, 1, __ATOMIC_RELAXED);
	if (inject_on() && injected(r))
		finish(b, r);
	else
		send(b, r);
}

/* ------------------------------------------------------------------- ends */

static void count(struct disk *disk, const struct blk_req *r)
{
	bool ranged = r->op == BLK_DISCARD || r->op == BLK_ZERO;
	struct blk_stats *s = &disk->stats;

	s->requests[r->op]++; /* only the disk's thread writes these */
	s->sectors[r->op] += ranged ? r->sectors : r->bytes / BLK_SECTOR;
	if (!ranged)
		s->merged[r->op] += r->pieces - r->nr;
	s->ns[r->op] += ktime_ns() - r->started;
	if (r->error)
		s->errors++;
	__atomic_fetch_sub(&s->in_flight, 1, __ATOMIC_RELAXED);
}

static void end_req(struct vblk *b, struct blk_req *r)
{
	uint8_t status = *(volatile uint8_t *)(first_page(r) + AT_STATUS);

	if (!r->error && status != S_OK)
		r->error = status == S_UNSUPP ? -EOPNOTSUPP : -EIO;
	if (r->whole_nr) {
		uncut(r);
		if (!r->error) {
			send(b, r);
			return;
		}
	}
	count(&b->disk, r);
	if (r->end) {
		r->end(r, r->error);
		blk_drop(r);
	} else { /* blk_wait() */
		__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
		wake_up_all(&r->wq);
	}
}

static struct blk_req *next_done(struct vblk *b)
{
	unsigned long flags = spin_lock_irqsave(&b->done_lock);
	struct blk_req *r = NULL;

	if (!list_empty(&b->done)) {
		r = list_first(&b->done, struct blk_req, node);
		list_del(&r->node);
	}
	spin_unlock_irqrestore(&b->done_lock, flags);
	return r;
}

static void disk_thread(void *arg)
{
	struct vblk *b = arg;
	struct blk_req *r;

	current->urgent = true;
	current->qt.reclaiming = 1; /* it must not wait for a request */
	for (;;) {
		wait_event(&b->done_wq, (r = next_done(b)) != NULL);
		end_req(b, r);
	}
}

int blk_wait(struct blk_req *r)
{
	int error;

	r->end = NULL;
	r->done = false;
	blk_submit(r);
	wait_event(&r->wq, __atomic_load_n(&r->done, __ATOMIC_ACQUIRE));
	error = r->error;
	blk_drop(r);
	return error;
}

/* ------------------------------------------------------------------- start */

static uint32_t config32(struct virtio_dev *dev, unsigned off)
{
	uint32_t v;

	virtio_config(dev, off, &v, sizeof(v));
	return v;
}

static void read_limits(struct vblk *b)
{
	struct disk *d = &b->disk;
	uint64_t f = b->dev->features;
	uint32_t ring = b->indirect ? BLK_MAX_SEGS : b->vq.num - 2;
	uint8_t exp = 0;

	d->block = f & F_BLK_SIZE ? config32(b->dev, C_BLK_SIZE) : BLK_SECTOR;
	if (f & F_TOPOLOGY)
		virtio_config(b->dev, C_PHYSICAL_EXP, &exp, 1);
	d->physical = d->block << (exp < 8 ? exp : 0);
	d->max_segs = f & F_SEG_MAX ? config32(b->dev, C_SEG_MAX) : 1;
	d->max_segs = K_MIN(d->max_segs, K_MIN(ring, BLK_MAX_SEGS));
	d->max_seg_bytes =
		f & F_SIZE_MAX ? config32(b->dev, C_SIZE_MAX) : 1u << 30;
	d->readonly = f & F_RO;
	d->flush = f & F_FLUSH;
	d->discard_align = d->block;
	if (f & F_DISCARD) {
		d->discard_sectors = config32(b->dev, C_DISCARD_MAX);
		d->discard_align =
			config32(b->dev, C_DISCARD_ALIGN) * BLK_SECTOR;
	}
	if (f & F_ZEROES)
		d->zero_sectors = config32(b->dev, C_ZEROES_MAX);
}

/* What the device says has to make sense: 0 or -ENODEV */
static int check_limits(struct disk *d)
{
	uint32_t per_block = d->block / BLK_SECTOR;

	if (d->block < BLK_SECTOR || d->block > QUIRE_PAGE_SIZE ||
	    (d->block & (d->block - 1)) || d->max_segs == 0 ||
	    d->max_seg_bytes < QUIRE_PAGE_SIZE || d->sectors % per_block ||
	    d->sectors > INT64_MAX / BLK_SECTOR)
		return -ENODEV;
	d->max_seg_bytes = K_ALIGN_DOWN(d->max_seg_bytes, QUIRE_PAGE_SIZE);
	d->discard_sectors = K_ALIGN_DOWN(d->discard_sectors, per_block);
	d->zero_sectors = K_ALIGN_DOWN(d->zero_sectors, per_block);
	return 0;
}

static int make_requests(struct vblk *b)
{
	unsigned i;

	for (i = 0; i < BLK_REQS; i++) {
		struct blk_req *r = &b->req[i];

		r->pages = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 1);
		if (!r->pages)
			return -ENOMEM;
		r->disk = &b->disk;
		r->seg = (struct vq_seg *)(void *)(first_page(r) +
						   QUIRE_PAGE_SIZE);
		wait_queue_init(&r->wq);
		b->free |= 1u << i;
	}
	return 0;
}

static int start_device(struct vblk *b)
{
	struct virtio_dev *dev = b->dev;
	int err;

	err = virtio_start(dev,
			   F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE |
				   F_FLUSH | F_TOPOLOGY | F_DISCARD | F_ZEROES |
				   VIRTIO_F_INDIRECT,
			   on_interrupt);
	if (!err)
		err = vq_init(dev, &b->vq, 0);
	if (err)
		return err;
	b->indirect = dev->features & VIRTIO_F_INDIRECT;
	virtio_config(dev, C_CAPACITY, &b->disk.sectors, 8);
	read_limits(b);
	err = check_limits(&b->disk);
	if (!err)
		err = make_requests(b);
	if (!err && !kthread_run(disk_thread, b, b->disk.name))
		err = -ENOMEM;
	return err ? err : virtio_ready(dev);
}

static int add_disk(struct virtio_dev *dev)
{
	struct vblk *b = kzalloc(sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	snprintf(b->disk.name, sizeof(b->disk.name), "vd%c", 'a' + nr_disks);
	b->dev = dev;
	dev->priv = b;
	wait_queue_init(&b->free_wq);
	wait_queue_init(&b->done_wq);
	list_init(&b->done);
	err = start_device(b);
	if (err) { /* its memory stays: the device may know of it */
		printk("%s: error %d", b->disk.name, -err);
		return err;
	}
	disks[nr_disks++] = b;
	printk("%s: %llu sectors, blocks of %u%s", b->disk.name,
	       (unsigned long long)b->disk.sectors, b->disk.block,
	       b->disk.readonly ? ", read-only" : "");
	return 0;
}

int virtio_blk_init(void)
{
	struct virtio_dev *dev;
	int err = 0, one;
	unsigned i;

	for (i = 0; nr_disks < MAX_DISKS &&
		    (dev = virtio_find(VIRTIO_ID_BLOCK, i)) != NULL;
	     i++) {
		one = add_disk(dev);
		if (one)
			err = one;
	}
	return err;
}
