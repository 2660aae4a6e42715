/* SPDX-License-Identifier: MIT */
/* A swap device for tests: memory, that answers at once or when it is told to,
 * fails where it is told to, and writes down what it is asked; and a page's way
 * out to it without waiting for memory to be short. */
#ifndef QUIRE_TESTS_SWAPDEV_H
#define QUIRE_TESTS_SWAPDEV_H

#include <filemap.h>
#include <swap_area.h>

#include "entries.h"

#define DEV_SLOTS 4096u
#define DEV_HELD  64u

struct swapdev {
	struct swapdev *next; /* all of a test's: the machine outlives it */
	struct quire *q;
	unsigned char (*data)[4096];
	/* atomic: */
	uint8_t state[DEV_SLOTS]; /* 'w' written, 'f' freed, 'd' discarded */
	uint8_t bad_read[DEV_SLOTS], bad_write[DEV_SLOTS];
	unsigned reads, writes, pages_read, pages_written, discards;
	unsigned longest; /* run read */
	bool hold;	  /* requests wait for swapdev_end() */
	struct {
		struct page *page;
		uint64_t slot;
		bool write;
	} held[DEV_HELD];
	unsigned nr_held;
	spinlock_t lock;
};

/* The slot's transfer, now. */
static inline void swapdev_do(struct swapdev *d, uint64_t slot,
			      struct page *page, bool write)
{
	void *at = page_address(d->q, page);
	int err = 0;

	if (write ? d->bad_write[slot] : d->bad_read[slot])
		err = -EIO;
	else if (write)
		memcpy(d->data[slot], at, 4096);
	else
		memcpy(at, d->data[slot], 4096);
	if (write) {
		__atomic_store_n(&d->state[slot], 'w', __ATOMIC_RELAXED);
		quire_page_end_write(d->q, page, err);
	} else {
		quire_page_end_read(d->q, page, err);
	}
}

static inline void swapdev_io(struct swapdev *d, uint64_t slot,
			      struct page **pages, unsigned n, bool write)
{
	unsigned i;

	for (i = 0; i < n; i++, slot++) {
		REQUIRE(slot < DEV_SLOTS);
		if (!__atomic_load_n(&d->hold, __ATOMIC_ACQUIRE)) {
			swapdev_do(d, slot, pages[i], write);
			continue;
		}
		spin_lock(&d->lock);
		REQUIRE(d->nr_held < DEV_HELD);
		d->held[d->nr_held].page = pages[i];
		d->held[d->nr_held].slot = slot;
		d->held[d->nr_held].write = write;
		__atomic_store_n(&d->nr_held, d->nr_held + 1, __ATOMIC_RELEASE);
		spin_unlock(&d->lock);
	}
}

static inline void swapdev_write(void *device, uint64_t slot,
				 struct page **pages, unsigned n)
{
	struct swapdev *d = device;

	__atomic_fetch_add(&d->writes, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&d->pages_written, n, __ATOMIC_RELAXED);
	swapdev_io(d, slot, pages, n, true);
}

static inline void swapdev_read(void *device, uint64_t slot,
				struct page **pages, unsigned n)
{
	struct swapdev *d = device;

	__atomic_fetch_add(&d->reads, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&d->pages_read, n, __ATOMIC_RELAXED);
	if (n > __atomic_load_n(&d->longest, __ATOMIC_RELAXED))
		__atomic_store_n(&d->longest, n, __ATOMIC_RELAXED);
	swapdev_io(d, slot, pages, n, false);
}

static inline void swapdev_free(void *device, uint64_t slot)
{
	struct swapdev *d = device;

	if (slot < DEV_SLOTS) /* one may be said to have more */
		__atomic_store_n(&d->state[slot], 'f', __ATOMIC_RELAXED);
}

static inline void swapdev_discard(void *device, uint64_t slot, uint64_t n)
{
	struct swapdev *d = device;

	d->discards++;
	while (n--)
		__atomic_store_n(&d->state[slot++], 'd', __ATOMIC_RELAXED);
}

static const struct quire_swap_ops swapdev_ops = {
	.write = swapdev_write,
	.read = swapdev_read,
	.slot_free = swapdev_free,
	.discard = swapdev_discard,
};

/* What waits, in order, ends; returns how many that were. */
static inline unsigned swapdev_end(struct swapdev *d)
{
	unsigned i, n;

	spin_lock(&d->lock);
	n = d->nr_held;
	spin_unlock(&d->lock);
	for (i = 0; i < n; i++)
		swapdev_do(d, d->held[i].slot, d->held[i].page,
			   d->held[i].write);
	spin_lock(&d->lock);
	memmove(&d->held[0], &d->held[n],
		(d->nr_held - n) * sizeof(d->held[0]));
	d->nr_held -= n;
	spin_unlock(&d->lock);
	return n;
}

static inline unsigned swapdev_pending(struct swapdev *d)
{
	return __atomic_load_n(&d->nr_held, __ATOMIC_ACQUIRE);
}

static inline struct swapdev *swapdev_make(struct sim_machine *m)
{
	static struct swapdev *all;
	struct swapdev *d = calloc(1, sizeof(*d));

	REQUIRE(d);
	d->next = all;
	all = d;
	d->q = sim_quire(m);
	d->data = calloc(DEV_SLOTS, 4096);
	REQUIRE(d->data);
	spin_lock_init(&d->lock, LEAF);
	return d;
}

static inline struct quire_swap_config
swapdev_config(struct swapdev *d, uint64_t slots, unsigned flags, int priority)
{
	return (struct quire_swap_config){.ops = &swapdev_ops,
					  .device = d,
					  .slots = slots,
					  .first = 1,
					  .priority = priority,
					  .flags = flags};
}

/* A device and an area of so many slots (the first is a header's). */
static inline struct swapdev *swapdev_on(struct sim_machine *m, uint64_t slots,
					 unsigned flags, int priority)
{
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_config c = swapdev_config(d, slots, flags, priority);

	REQUIRE(quire_swapon(d->q, &c) >= 0);
	return d;
}

static inline struct page *page_at(struct sim_task *t, uaddr_t a)
{
	pte_t e = ptep_get(pte_at(t, a));

	REQUIRE(pte_present(e));
	return pte_page(t->qt.q, e);
}
static inline swp_entry_t entry_at(struct sim_task *t, uaddr_t a)
{
	pte_t e = ptep_get(pte_at(t, a));

	REQUIRE(!pte_present(e) && !pte_none(e));
	return pte_to_swp_entry(e);
}
static inline bool is_swapped(struct sim_task *t, uaddr_t a)
{
	pmd_t *pmd = mm_find_pmd(t->qt.mm, a);
	pte_t e = pmd ? ptep_get(pte_offset_map(t->qt.q, pmd, a)) : __pte(0);

	return !pte_none(e) && !pte_present(e) &&
	       swap_entry_is_slot(pte_to_swp_entry(e));
}

#endif
