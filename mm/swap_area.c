/* SPDX-License-Identifier: MIT */
/*
 * swap_area.c - swap areas: added, told about; the way from an entry to its
 * area.  (Their end: swapoff.c.)
 *
 * All that an area needs is allocated when it is added: a page of slots for
 * each cluster (2 MiB of swap), so that nothing is allocated when a page goes
 * out, which happens because there is no memory.
 *
 * An area's reference count works like that of an object found without a lock:
 * it can be raised only while it is not 0, and the area's tables are freed when
 * it has become 0.  See internal/swap_area.h.
 *
 * Locks: system.lock while the order of areas changes.
 */
#include "check.h"
#include "swap_area.h"

/* ---------------------------------------------------------- references */

static bool area_tryget(struct swap_area *a)
{
	uint32_t v = READ_ONCE(a->refs);

	while (v)
		if (__atomic_compare_exchange_n(&a->refs, &v, v + 1, true,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

struct swap_area *swap_area_get(struct quire *q, swp_entry_t entry)
{
	struct swap_area *a;

	if (!swap_entry_is_slot(entry))
		return NULL;
	a = swap_area_of(q, entry);
	if (!area_tryget(a))
		return NULL;
	if (likely(swp_offset(entry) < a->end))
		return a;
	swap_area_put(a); /* another one by now, and smaller */
	return NULL;
}

void swap_area_put(struct swap_area *a)
{
	if (!__atomic_sub_fetch(&a->refs, 1u, __ATOMIC_ACQ_REL))
		quire_host_wake(&a->refs, UINT32_MAX);
}

/* ---------------------------------------------------------------- tables */

static uint32_t nr_chunks(const struct swap_area *a)
{
	return (a->nr_clusters + SWAP_CHUNK - 1) >> SWAP_CHUNK_SHIFT;
}

void swap_area_free_tables(struct quire *q, struct swap_area *a)
{
	uint32_t i, k;

	for (i = 0; a->chunk && i < nr_chunks(a); i++) {
		struct swap_cluster *c = a->chunk[i];

		if (!c)
			continue;
		for (k = 0; k < SWAP_CHUNK; k++)
			if (c[k].slots)
				put_page(q, virt_to_page(q, c[k].slots));
		put_page(q, virt_to_page(q, c));
	}
	if (a->chunk)
		put_page(q, virt_to_page(q, a->chunk));
	a->chunk = NULL;
}

static void *zeroed(struct quire *q, unsigned order)
{
	struct page *page =
		alloc_pages(q, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, order);

	return page ? page_address(q, page) : NULL;
}

/* 0, or -ENOMEM and what there is is the caller's to free. */
static int alloc_tables(struct quire *q, struct swap_area *a)
{
	uint32_t i, chunks = nr_chunks(a);

	a->dir_order = 0;
	while ((PAGE_SIZE << a->dir_order) / sizeof(a->chunk[0]) < chunks)
		if (++a->dir_order == MAX_ORDER)
			return -ENOMEM;
	a->chunk = zeroed(q, a->dir_order);
	if (!a->chunk)
		return -ENOMEM;
	for (i = 0; i < a->nr_clusters; i++) {
		struct swap_cluster **chunk = &a->chunk[i >> SWAP_CHUNK_SHIFT];
		struct swap_cluster *c;

		if (!*chunk)
			*chunk = zeroed(q, 0);
		if (!*chunk)
			return -ENOMEM;
		c = area_cluster(a, i);
		spin_lock_init(&c->lock, SWAP);
		c->slots = zeroed(q, 0);
		if (!c->slots)
			return -ENOMEM;
	}
	return 0;
}

static void mark_bad(struct swap_area *a, uint64_t slot)
{
	struct swap_cluster *c = area_cluster(a, slot >> SWAP_CLUSTER_SHIFT);
	struct swap_slot *s = &c->slots[slot & (SWAP_CLUSTER - 1)];

	if (s->users == SLOT_BAD)
		return;
	s->users = SLOT_BAD;
	c->usable--;
	a->usable--;
}

/* What there is to write to: all but the header, the end and the bad ones. */
static void mark_slots(struct swap_area *a, const struct quire_swap_config *c)
{
	uint64_t slot, all = (uint64_t)a->nr_clusters << SWAP_CLUSTER_SHIFT;
	unsigned i;

	for (i = 0; i < a->nr_clusters; i++)
		area_cluster(a, i)->usable = SWAP_CLUSTER;
	a->usable = (unsigned long)all;
	for (slot = 0; slot < c->first; slot++)
		mark_bad(a, slot);
	for (slot = a->end; slot < all; slot++)
		mark_bad(a, slot);
	for (i = 0; i < c->nr_bad; i++)
		if (c->bad[i] < a->end)
			mark_bad(a, c->bad[i]);
}

/* -------------------------------------------------------------- swapon */

static bool config_good(const struct quire_swap_config *c)
{
	return c && c->ops && c->ops->read && c->ops->write &&
	       c->first < c->slots && c->priority >= -1 &&
	       c->priority <= 32767 && (c->bad || !c->nr_bad);
}

/* An area that is not there, marked as being made (refs stays 0); or NULL. */
static struct swap_area *claim_area(struct swap_system *s)
{
	struct swap_area *a = NULL;
	unsigned i;

	spin_lock(&s->lock);
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS && !a; i++)
		if (!s->area[i].claimed)
			a = &s->area[i];
	if (a)
		a->claimed = true;
	spin_unlock(&s->lock);
	return a;
}

void swap_area_unclaim(struct swap_system *s, struct swap_area *a)
{
	spin_lock(&s->lock);
	a->claimed = false;
	spin_unlock(&s->lock);
}

/* From now on pages go there, and entries are known. */
static void publish(struct swap_system *s, struct swap_area *a, int priority)
{
	unsigned at = 0;

	spin_lock(&s->lock);
	a->priority = priority < 0 ? --s->least : priority;
	while (at < s->nr && s->area[s->order[at]].priority >= a->priority)
		at++;
	memmove(&s->order[at + 1], &s->order[at], s->nr - at);
	s->order[at] = (uint8_t)a->nr;
	WRITE_ONCE(s->nr, s->nr + 1); /* looked at without the lock */
	WRITE_ONCE(a->writable, 1u);
	smp_store_release(&a->refs, 1u);
	spin_unlock(&s->lock);
}

int quire_swapon(struct quire *q, const struct quire_swap_config *config)
{
	struct swap_area *a;
	int err = -EINVAL;
	uint64_t end;

	might_sleep();
	if (!config_good(config))
		return -EINVAL;
	end = MIN(config->slots, (uint64_t)SWP_MAX_OFFSET + 1);
	a = claim_area(q->swap);
	if (!a)
		return -EPERM;
	a->ops = config->ops;
	a->device = config->device;
	a->flags = config->flags;
	a->first = config->first;
	a->end = end;
	a->nr_clusters =
		(uint32_t)((end + SWAP_CLUSTER - 1) >> SWAP_CLUSTER_SHIFT);
	a->pages_in = a->pages_out = a->read_errors = a->write_errors = 0;
	a->failures = a->rests = 0;
	WRITE_ONCE(a->rest_until, 0u);
	if (config->first >= end ||
	    (uint64_t)a->nr_clusters << SWAP_CLUSTER_SHIFT < end)
		goto unclaim;
	err = -ENOMEM;
	if (alloc_tables(q, a))
		goto free;
	err = -EINVAL;
	mark_slots(a, config);
	if (!a->usable)
		goto free;
	swap_slots_init(a);
	if (a->ops->discard && (a->flags & QUIRE_SWAP_DISCARD) &&
	    !(a->flags & QUIRE_SWAP_DISCARD_FREED))
		a->ops->discard(a->device, config->first, end - config->first);
	publish(q->swap, a, config->priority);
	swap_try_refused(q);
	return (int)a->nr;
free:
	swap_area_free_tables(q, a);
unclaim:
	swap_area_unclaim(q->swap, a);
	return err;
}

/* --------------------------------------------------------------- figures */

/* The n-th area, with a reference; NULL. */
static struct swap_area *nth_area(struct quire *q, unsigned n)
{
	if (n >= QUIRE_MAX_SWAP_AREAS || !area_tryget(&q->swap->area[n]))
		return NULL;
	return &q->swap->area[n];
}

int quire_swap_info(struct quire *q, unsigned area, struct quire_swap_info *out)
{
	struct swap_area *a = nth_area(q, area);
	long free;

	if (!a)
		return -EINVAL;
	free = READ_ONCE(a->nr_free);
	out->slots = a->usable;
	out->used = a->usable - (unsigned long)MAX(free, 0);
	out->priority = a->priority;
	out->flags = a->flags;
	out->device = a->device;
	out->pages_in = READ_ONCE(a->pages_in);
	out->pages_out = READ_ONCE(a->pages_out);
	out->read_errors = READ_ONCE(a->read_errors);
	out->write_errors = READ_ONCE(a->write_errors);
	swap_area_put(a);
	return 0;
}

void quire_swap_total(struct quire *q, uint64_t *total, uint64_t *free)
{
	struct swap_system *s = q->swap;
	unsigned i;

	*total = 0;
	*free = 0;
	if (!READ_ONCE(s->nr))
		return;
	spin_lock(&s->lock);
	for (i = 0; i < s->nr; i++) {
		struct swap_area *a = &s->area[s->order[i]];

		if (!READ_ONCE(a->writable))
			continue; /* on its way out */
		*total += a->usable;
		*free += (uint64_t)MAX(READ_ONCE(a->nr_free), 0l);
	}
	spin_unlock(&s->lock);
}

bool swap_has_room(struct quire *q)
{
	struct swap_system *s = q->swap;
	bool room = false;
	unsigned i;

	if (!READ_ONCE(s->nr))
		return false;
	spin_lock(&s->lock);
	for (i = 0; i < s->nr && !room; i++)
		room = swap_area_has_room(&s->area[s->order[i]]);
	spin_unlock(&s->lock);
	return room;
}

bool vm_swap_full(struct quire *q)
{
	struct swap_system *s = q->swap;
	uint64_t total = 0, free = 0;
	unsigned i;

	spin_lock(&s->lock);
	for (i = 0; i < s->nr; i++) {
		struct swap_area *a = &s->area[s->order[i]];

		/* (one that does not take pages has no room) */
		total += a->usable;
		if (swap_area_has_room(a))
			free += (uint64_t)MAX(READ_ONCE(a->nr_free), 0l);
	}
	spin_unlock(&s->lock);
	return free * 2 < total;
}

/* ------------------------------------------------------ bring-up and end */

int swap_init(struct quire *q)
{
	struct swap_system *s = q->swap;
	unsigned i;

	spin_lock_init(&s->lock, LEAF);
	s->least = -1;
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++) {
		spin_lock_init(&s->area[i].lock, LEAF);
		s->area[i].nr = i;
	}
	return 0;
}

/* Pages that nobody uses any more may still be in the cache. */
static void empty_cache(struct quire *q, struct swap_cluster *c)
{
	struct page *page;
	unsigned i;

	for (i = 0; c->slots && i < SWAP_CLUSTER; i++) {
		page = slot_page(q, &c->slots[i]);
		if (!page)
			continue;
		get_page(page);
		lock_page(page);
		delete_from_swap_cache(q, page);
		unlock_page(page);
		put_page(q, page);
	}
}

void swap_exit(struct quire *q)
{
	struct swap_area *a;
	unsigned i, k;

	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++) {
		a = &q->swap->area[i];
		if (!a->refs)
			continue;
		for (k = 0; k < a->nr_clusters; k++)
			empty_cache(q, area_cluster(a, k));
		swap_area_free_tables(q, a);
	}
}
