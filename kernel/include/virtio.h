/* SPDX-License-Identifier: MIT */
/*
 * virtio.h - devices behind the virtio-mmio transport (Virtual I/O Device
 * specification 1.1, sections 2.6 and 4.2), both its versions: 1 ("legacy",
 * which QEMU gives by default) and 2.
 *
 *     driver: vq_add() ... vq_kick()      device: fills buffers, interrupts
 *             handler(dev) ── vq_get() → the cookie that was added
 */
#ifndef KERNEL_VIRTIO_H
#define KERNEL_VIRTIO_H

#include <quire/quire.h>
#include "sync.h"

#define VIRTIO_ID_NET	  1
#define VIRTIO_ID_BLOCK	  2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_9P	  9

#define VQ_MAX 128u

/* One piece of physical memory in a request. */
struct vq_seg {
	paddr_t phys;
	uint32_t len;
};

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct virtqueue {
	struct virtio_dev *dev;
	unsigned index, num;
	struct spinlock lock; /* interrupts off */
	struct vring_desc *desc;
	volatile uint16_t *avail; /* flags, idx, ring[num] */
	volatile uint16_t *used;  /* flags, idx, {id, len} as 32 bits [num] */
	unsigned free_head, nr_free;
	uint16_t last_used;
	void *cookie[VQ_MAX];
	struct page *pages;
};

struct virtio_dev {
	volatile uint32_t *regs;
	paddr_t base;
	unsigned irq, id, version;
	bool irq_level;
	uint64_t features; /* those agreed on */
	/* Interrupt: buffers were used.  Interrupts are off. */
	void (*handler)(struct virtio_dev *dev);
	void *priv;
	bool taken; /* a driver has it */
};

/* Look at the machine's transports (machine_virtio()).  0 or -errno */
int virtio_init(void);
/* The n-th device (from 0) of that kind, or NULL. */
struct virtio_dev *virtio_find(unsigned id, unsigned n);
/*
 * Reset, and agree on features: `want` are the low 32 that the driver knows.
 * Then vq_init() for each queue, then virtio_ready().  0 or -errno.
 */
int virtio_start(struct virtio_dev *dev, uint64_t want,
		 void (*handler)(struct virtio_dev *dev));
int vq_init(struct virtio_dev *dev, struct virtqueue *vq, unsigned index);
int virtio_ready(struct virtio_dev *dev);
/* Bytes of the device's configuration. */
void virtio_config(struct virtio_dev *dev, unsigned off, void *to, size_t n);

#define VIRTIO_F_INDIRECT (1ull << 28)
/*
 * Enter a request: `out` pieces that the device reads, then `in` pieces that
 * it writes.  table: a page for the list of pieces (VIRTIO_F_INDIRECT; at
 * most 256 of them); NULL: pieces go into the ring itself.  -ENOSPC: full.
 * Any context.
 */
int vq_add(struct virtqueue *vq, const struct vq_seg *seg, unsigned out,
	   unsigned in, struct page *table, void *cookie);
void vq_kick(struct virtqueue *vq);
/* The next request that the device is done with, and the bytes it wrote; NULL:
 * none.  Any context. */
void *vq_get(struct virtqueue *vq, uint32_t *written);

#endif
