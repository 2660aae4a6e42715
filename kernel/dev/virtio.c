/* SPDX-License-Identifier: MIT */
/*
 * The virtio-mmio transport and its split virtqueues.
 *
 * The two versions differ in how a queue's place is told: version 1 by the
 * page number of one block that holds everything in a fixed layout, version 2
 * by three addresses.  We lay it out as version 1 demands in both cases.
 *
 * Each queue has a spinlock, taken with interrupts off: drivers add from
 * tasks and take from the interrupt handler.
 */
#include "irq.h"
#include "klib.h"
#include "virtio.h"

enum { /* register offsets, in words of 4 bytes */
       R_MAGIC = 0x000 / 4,
       R_VERSION = 0x004 / 4,
       R_DEVICE_ID = 0x008 / 4,
       R_DEV_FEATURES = 0x010 / 4,
       R_DEV_FEATURES_SEL = 0x014 / 4,
       R_DRV_FEATURES = 0x020 / 4,
       R_DRV_FEATURES_SEL = 0x024 / 4,
       R_GUEST_PAGE_SIZE = 0x028 / 4, /* version 1 */
       R_QUEUE_SEL = 0x030 / 4,
       R_QUEUE_NUM_MAX = 0x034 / 4,
       R_QUEUE_NUM = 0x038 / 4,
       R_QUEUE_ALIGN = 0x03c / 4, /* version 1 */
       R_QUEUE_PFN = 0x040 / 4,	  /* version 1 */
       R_QUEUE_READY = 0x044 / 4,
       R_QUEUE_NOTIFY = 0x050 / 4,
       R_INT_STATUS = 0x060 / 4,
       R_INT_ACK = 0x064 / 4,
       R_STATUS = 0x070 / 4,
       R_DESC_LOW = 0x080 / 4,
       R_DESC_HIGH = 0x084 / 4,
       R_AVAIL_LOW = 0x090 / 4,
       R_AVAIL_HIGH = 0x094 / 4,
       R_USED_LOW = 0x0a0 / 4,
       R_USED_HIGH = 0x0a4 / 4,
       R_CONFIG = 0x100 / 4,
};

#define MAGIC	      0x74726976u /* "virt" */
#define S_ACKNOWLEDGE 1u
#define S_DRIVER      2u
#define S_DRIVER_OK   4u
#define S_FEATURES_OK 8u
#define F_VERSION_1   (1ull << 32)

#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u
#define NO_DESC	      0xffffu
#define MAX_DEVICES   32u

static struct virtio_dev devices[MAX_DEVICES]; /* by address */
static unsigned nr_devices;

static void probe(const struct virtio_place *place)
{
	struct virtio_dev dev = {.base = place->base};
	unsigned i;

	if (nr_devices == MAX_DEVICES || place->bytes < 0x100)
		return;
	dev.regs = mmio_map(place->base, place->bytes);
	if (!dev.regs || dev.regs[R_MAGIC] != MAGIC)
		return;
	dev.version = dev.regs[R_VERSION];
	dev.id = dev.regs[R_DEVICE_ID];
	dev.irq = place->irq;
	dev.irq_level = place->level;
	if (dev.id == 0 || dev.version < 1 || dev.version > 2)
		return;
	for (i = nr_devices++; i && devices[i - 1].base > dev.base; i--)
		devices[i] = devices[i - 1];
	devices[i] = dev;
}

int virtio_init(void)
{
	struct virtio_place place;
	unsigned i;

	for (i = 0; machine_virtio(i, &place); i++)
		probe(&place);
	return nr_devices ? 0 : -ENODEV;
}

/* QEMU fills its slots from the last to the first, so that the first device
 * of its command line has the highest address: count down. */
struct virtio_dev *virtio_find(unsigned id, unsigned n)
{
	unsigned i;

	for (i = nr_devices; i-- > 0;)
		if (devices[i].id == id && n-- == 0)
			return &devices[i];
	return NULL;
}

static void on_irq(void *arg)
{
	struct virtio_dev *dev = arg;
	uint32_t status = dev->regs[R_INT_STATUS];

	if (!status)
		return;
	dev->regs[R_INT_ACK] = status;
	dev->handler(dev);
}

int virtio_start(struct virtio_dev *dev, uint64_t want,
		 void (*handler)(struct virtio_dev *dev))
{
	volatile uint32_t *r = dev->regs;
	uint64_t offered;

	r[R_STATUS] = 0;
	r[R_STATUS] = S_ACKNOWLEDGE;
	r[R_STATUS] = S_ACKNOWLEDGE | S_DRIVER;
	r[R_DEV_FEATURES_SEL] = 0;
	offered = r[R_DEV_FEATURES];
	r[R_DEV_FEATURES_SEL] = 1;
	offered |= (uint64_t)r[R_DEV_FEATURES] << 32;
	if (dev->version == 2)
		want |= F_VERSION_1;
	dev->features = offered & want;
	r[R_DRV_FEATURES_SEL] = 0;
	r[R_DRV_FEATURES] = (uint32_t)dev->features;
	r[R_DRV_FEATURES_SEL] = 1;
	r[R_DRV_FEATURES] = (uint32_t)(dev->features >> 32);
	if (dev->version == 2) {
		r[R_STATUS] = S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK;
		if (!(r[R_STATUS] & S_FEATURES_OK))
			return -ENODEV;
	} else {
		r[R_GUEST_PAGE_SIZE] = QUIRE_PAGE_SIZE;
	}
	dev->handler = handler;
	dev->taken = true;
	return irq_register(dev->irq, dev->irq_level, on_irq, dev);
}

int virtio_ready(struct virtio_dev *dev)
{
	dev->regs[R_STATUS] = dev->regs[R_STATUS] | S_DRIVER_OK;
	return 0;
}

void virtio_config(struct virtio_dev *dev, unsigned off, void *to, size_t n)
{
	const volatile uint8_t *from =
		(const volatile uint8_t *)&dev->regs[R_CONFIG] + off;
	uint8_t *p = to;

	while (n--)
		*p++ = *from++;
}

/* ------------------------------------------------------------------ queues */

static void tell_place(struct virtio_dev *dev, struct virtqueue *vq)
{
	volatile uint32_t *r = dev->regs;
	paddr_t base = quire_page_phys(the_quire, vq->pages);
	char *start = (char *)vq->desc;
	paddr_t avail =
		base + (paddr_t)((const volatile char *)vq->avail - start);
	paddr_t used =
		base + (paddr_t)((const volatile char *)vq->used - start);

	r[R_QUEUE_NUM] = vq->num;
	if (dev->version == 1) {
		r[R_QUEUE_ALIGN] = QUIRE_PAGE_SIZE;
		r[R_QUEUE_PFN] = (uint32_t)(base >> QUIRE_PAGE_SHIFT);
		return;
	}
	r[R_DESC_LOW] = (uint32_t)base;
	r[R_DESC_HIGH] = (uint32_t)(base >> 32);
	r[R_AVAIL_LOW] = (uint32_t)avail;
	r[R_AVAIL_HIGH] = (uint32_t)(avail >> 32);
	r[R_USED_LOW] = (uint32_t)used;
	r[R_USED_HIGH] = (uint32_t)(used >> 32);
	r[R_QUEUE_READY] = 1;
}

int vq_init(struct virtio_dev *dev, struct virtqueue *vq, unsigned index)
{
	volatile uint32_t *r = dev->regs;
	unsigned i, num;
	char *mem;

	r[R_QUEUE_SEL] = index;
	num = r[R_QUEUE_NUM_MAX];
	if (num == 0)
		return -ENODEV;
	vq->dev = dev;
	vq->index = index;
	vq->num = num < VQ_MAX ? num : VQ_MAX;
	/* the descriptors and the avail ring fit into the first page, the used
	 * ring into the second: VQ_MAX * 18 + 6 bytes and VQ_MAX * 8 + 6 */
	vq->pages = quire_alloc_pages(the_quire,
				      QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO, 1);
	if (!vq->pages)
		return -ENOMEM;
	mem = quire_page_address(the_quire, vq->pages);
	vq->desc = (struct vring_desc *)(void *)mem;
	vq->avail = (volatile uint16_t *)(void *)(mem + 16 * vq->num);
	vq->used = (volatile uint16_t *)(void *)(mem + QUIRE_PAGE_SIZE);
	for (i = 0; i < vq->num; i++)
		vq->desc[i].next =
			(uint16_t)(i + 1 < vq->num ? i + 1 : NO_DESC);
	vq->free_head = 0;
	vq->nr_free = vq->num;
	tell_place(dev, vq);
	return 0;
}

static void fill(struct vring_desc *d, const struct vq_seg *s, bool in)
{
	d->addr = s->phys;
	d->len = s->len;
	d->flags = in ? DESC_WRITE : 0;
}

static unsigned take_desc(struct virtqueue *vq)
{
	unsigned i = vq->free_head;

	vq->free_head = vq->desc[i].next;
	vq->nr_free--;
	return i;
}

static unsigned add_indirect(struct virtqueue *vq, const struct vq_seg *seg,
			     unsigned out, unsigned in, struct page *table)
{
	struct vring_desc *t = quire_page_address(the_quire, table);
	unsigned i, head = take_desc(vq);

	for (i = 0; i < out + in; i++) {
		fill(&t[i], &seg[i], i >= out);
		if (i + 1 < out + in)
			t[i].flags |= DESC_NEXT;
		t[i].next = (uint16_t)(i + 1);
	}
	vq->desc[head].addr = quire_page_phys(the_quire, table);
	vq->desc[head].len = (out + in) * (uint32_t)sizeof(*t);
	vq->desc[head].flags = DESC_INDIRECT;
	return head;
}

static unsigned add_direct(struct virtqueue *vq, const struct vq_seg *seg,
			   unsigned out, unsigned in)
{
	unsigned i, d, prev = NO_DESC, head = NO_DESC;

	for (i = 0; i < out + in; i++) {
		d = take_desc(vq);
		fill(&vq->desc[d], &seg[i], i >= out);
		if (prev == NO_DESC) {
			head = d;
		} else {
			vq->desc[prev].flags |= DESC_NEXT;
			vq->desc[prev].next = (uint16_t)d;
		}
		prev = d;
	}
	return head;
}

int vq_add(struct virtqueue *vq, const struct vq_seg *seg, unsigned out,
	   unsigned in, struct page *table, void *cookie)
{
	unsigned long flags = spin_lock_irqsave(&vq->lock);
	unsigned need = table ? 1 : out + in, head;
	uint16_t idx;

	if (vq->nr_free < need) {
		spin_unlock_irqrestore(&vq->lock, flags);
		return -ENOSPC;
	}
	head = table ? add_indirect(vq, seg, out, in, table)
		     : add_direct(vq, seg, out, in);
	vq->cookie[head] = cookie;
	idx = vq->avail[1];
	vq->avail[2 + idx % vq->num] = (uint16_t)head;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	vq->avail[1] = (uint16_t)(idx + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	spin_unlock_irqrestore(&vq->lock, flags);
	return 0;
}

void vq_kick(struct virtqueue *vq)
{
	vq->dev->regs[R_QUEUE_NOTIFY] = vq->index;
}

static void free_chain(struct virtqueue *vq, unsigned head)
{
	unsigned last = head;

	vq->nr_free++;
	while (vq->desc[last].flags & DESC_NEXT) {
		last = vq->desc[last].next;
		vq->nr_free++;
	}
	vq->desc[last].next = (uint16_t)vq->free_head;
	vq->free_head = head;
}

void *vq_get(struct virtqueue *vq, uint32_t *written)
{
	unsigned long flags = spin_lock_irqsave(&vq->lock);
	const volatile uint32_t *elem;
	void *cookie = NULL;
	uint32_t head;

	if (vq->last_used != vq->used[1]) {
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		elem = (const volatile uint32_t *)(const volatile void *)&vq
			       ->used[2] +
		       2 * (vq->last_used % vq->num);
		head = elem[0];
		if (written)
			*written = elem[1];
		vq->last_used++;
		if (head < vq->num) {
			cookie = vq->cookie[head];
			vq->cookie[head] = NULL;
			free_chain(vq, head);
		}
	}
	spin_unlock_irqrestore(&vq->lock, flags);
	return cookie;
}
