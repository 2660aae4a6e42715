/* SPDX-License-Identifier: MIT */
/*
 * swap_slots.c - which slot a page goes to, and who still needs it.
 *
 *   area with the highest priority that has room; among equals this CPU takes
 *   turns, 64 slots each
 *     --> this CPU's current cluster of it: the next free slot, upwards
 *         full? a free cluster; else one with holes; else any free slot at all
 *
 * So pages that one CPU sends out together lie together, to be written in runs
 * and read back by readahead, and CPUs do not meet at one lock.  A device with
 * a head that moves (ROTATIONAL) is written in one place by all CPUs.
 *
 * A slot is given back when its users are gone and no page of the cache has it.
 * Where the device wants to know of whole free clusters, those are held back
 * until it has been told (swap_discard_work).
 *
 * Locks: internal/swap_area.h.
 */
#include "swap_area.h"

#define SWAP_TURN 64u /* slots before the next area of the same priority */

/* --------------------------------------------- clusters and their lists */

/* area.lock held. */
static void set_state(struct swap_area *a, struct swap_cluster *c,
		      enum swap_cluster_state state)
{
	if (c->state == CLUSTER_FREE || c->state == CLUSTER_PARTIAL ||
	    c->state == CLUSTER_DISCARD)
		list_del(&c->list);
	WRITE_ONCE(c->state, (uint8_t)state);
	if (state == CLUSTER_FREE)
		list_add_tail(&c->list, &a->free);
	else if (state == CLUSTER_PARTIAL)
		list_add_tail(&c->list, &a->partial);
	else if (state == CLUSTER_DISCARD)
		list_add_tail(&c->list, &a->discard);
}

void swap_slots_init(struct swap_area *a)
{
	uint32_t i;

	INIT_LIST_HEAD(&a->free);
	INIT_LIST_HEAD(&a->partial);
	INIT_LIST_HEAD(&a->discard);
	a->shared = 0;
	a->scan = 0;
	a->nr_free = (long)a->usable;
	for (i = 0; i < a->nr_clusters; i++) {
		struct swap_cluster *c = area_cluster(a, i);

		c->number = i;
		c->free = c->usable;
		c->next = 0;
		c->state = CLUSTER_FULL;
		if (c->usable)
			set_state(a, c, CLUSTER_FREE);
	}
}

void swap_slots_stop(struct swap_area *a)
{
	uint32_t i;

	WRITE_ONCE(a->writable, 0u);
	/* who looked before has done with its cluster when we have its lock */
	for (i = 0; i < a->nr_clusters; i++) {
		spin_lock(&area_cluster(a, i)->lock);
		spin_unlock(&area_cluster(a, i)->lock);
	}
}

unsigned long swap_slots_used(struct swap_area *a)
{
	unsigned long used = a->usable;
	uint32_t i;

	for (i = 0; i < a->nr_clusters; i++) {
		struct swap_cluster *c = area_cluster(a, i);

		spin_lock(&c->lock);
		used -= READ_ONCE(c->state) == CLUSTER_DISCARD ? c->usable
							       : c->free;
		spin_unlock(&c->lock);
	}
	return used;
}

/* The area is being switched off: the one who does it wants to know. */
static void slot_moved(struct swap_area *a)
{
	if (likely(READ_ONCE(a->writable)))
		return;
	__atomic_fetch_add(&a->moves, 1u, __ATOMIC_RELEASE);
	quire_host_wake(&a->moves, UINT32_MAX);
}

/* Cluster locked: its last slot was taken. */
static void cluster_filled(struct swap_area *a, struct swap_cluster *c)
{
	spin_lock(&a->lock);
	set_state(a, c, CLUSTER_FULL);
	spin_unlock(&a->lock);
}

/* Cluster locked: one slot more is free.  True: there is something to discard.
 */
static bool cluster_freed(struct swap_area *a, struct swap_cluster *c)
{
	bool empty = c->free == c->usable, discard = false;

	if (c->free > 1 && !empty)
		return false;
	spin_lock(&a->lock);
	if (empty && c->state != CLUSTER_FREE) {
		discard = (a->flags & QUIRE_SWAP_DISCARD) && a->ops->discard &&
			  READ_ONCE(a->writable);
		if (discard)
			set_state(a, c, CLUSTER_DISCARD);
		else if (c->state != CLUSTER_TAKEN)
			set_state(a, c, CLUSTER_FREE);
	} else if (c->state == CLUSTER_FULL) {
		set_state(a, c, CLUSTER_PARTIAL);
	}
	spin_unlock(&a->lock);
	if (!discard)
		return false;
	/* held back: not to be had */
	WRITE_ONCE(c->free, 0u);
	__atomic_fetch_sub(&a->nr_free, (long)c->usable, __ATOMIC_RELAXED);
	return true;
}

/* ---------------------------------------------------------------- taking */

/* Cluster locked: a slot is to be taken.  A CPU may still have it as its own
 * that gave it back (empty) itself. */
static void cluster_begun(struct swap_area *a, struct swap_cluster *c)
{
	if (likely(READ_ONCE(c->state) != CLUSTER_FREE))
		return;
	spin_lock(&a->lock);
	if (c->state == CLUSTER_FREE)
		set_state(a, c, CLUSTER_TAKEN);
	spin_unlock(&a->lock);
}

/* Cluster locked, with a free slot: take it. */
static struct swap_slot *take_slot(struct swap_area *a, struct swap_cluster *c,
				   swp_entry_t *entry)
{
	uint32_t i = c->next;

	cluster_begun(a, c);
	while (c->slots[i].users || c->slots[i].frame)
		i = (i + 1) & (SWAP_CLUSTER - 1);
	c->next = (i + 1) & (SWAP_CLUSTER - 1);
	WRITE_ONCE(c->free, c->free - 1);
	__atomic_fetch_sub(&a->nr_free, 1l, __ATOMIC_RELAXED);
	if (!c->free)
		cluster_filled(a, c);
	*entry = swp_entry(a->nr,
			   ((uint64_t)c->number << SWAP_CLUSTER_SHIFT) + i);
	return &c->slots[i];
}

/* A slot of cluster `number`; NULL, and not locked: it has none. */
static struct swap_slot *try_cluster(struct swap_area *a, uint32_t number,
				     swp_entry_t *entry,
				     struct swap_cluster **cluster)
{
	struct swap_cluster *c = area_cluster(a, number);

	if (!READ_ONCE(c->free))
		return NULL;
	spin_lock(&c->lock);
	if (likely(c->free && READ_ONCE(a->writable))) {
		*cluster = c;
		return take_slot(a, c, entry);
	}
	spin_unlock(&c->lock);
	return NULL;
}

/* A cluster of this CPU's own: its number + 1; 0: there is none. */
static uint32_t new_cluster(struct swap_area *a)
{
	struct list_head *from;
	struct swap_cluster *c = NULL;

	spin_lock(&a->lock);
	from = list_empty(&a->free) ? &a->partial : &a->free;
	if (!list_empty(from)) {
		c = list_first_entry(from, struct swap_cluster, list);
		set_state(a, c, CLUSTER_TAKEN);
	}
	spin_unlock(&a->lock);
	return c ? c->number + 1 : 0;
}

static struct swap_slot *area_alloc(struct swap_area *a, struct swap_cpu *cpu,
				    swp_entry_t *entry,
				    struct swap_cluster **cluster)
{
	uint32_t *current = a->flags & QUIRE_SWAP_ROTATIONAL
				    ? &a->shared
				    : &cpu->cluster[a->nr];
	uint32_t n = READ_ONCE(*current), i;
	struct swap_slot *s;

	if (n > a->nr_clusters) /* of another area that had this number */
		n = 0;
	do {
		s = n ? try_cluster(a, n - 1, entry, cluster) : NULL;
		if (likely(s))
			return s;
		/* (swapoff leaves the lists as they are: it may fail) */
		n = READ_ONCE(a->writable) ? new_cluster(a) : 0;
		WRITE_ONCE(*current, n);
	} while (n);
	/* what other CPUs hold: any slot */
	for (i = 0; i < a->nr_clusters && READ_ONCE(a->nr_free) > 0; i++) {
		n = READ_ONCE(a->scan);
		if (n >= a->nr_clusters)
			n = 0;
		s = try_cluster(a, n, entry, cluster);
		if (s)
			return s;
		WRITE_ONCE(a->scan, n + 1);
	}
	return NULL;
}

/*
 * The area for this CPU's next page, with a reference, of those below that
 * priority and not in `tried`; NULL: none.  Among equals, the one after the
 * last.
 */
static struct swap_area *pick_area(struct swap_system *s, struct swap_cpu *cpu,
				   int below, uint32_t tried)
{
	struct swap_area *a, *first = NULL, *best = NULL;
	bool after = false;
	unsigned i;

	spin_lock(&s->lock);
	for (i = 0; i < s->nr; i++) {
		a = &s->area[s->order[i]];
		if (first && a->priority != first->priority)
			break;
		if (a->priority < below && !(tried >> a->nr & 1u) &&
		    swap_area_has_room(a)) {
			if (!first)
				first = a;
			if (a->nr == cpu->area && cpu->left) {
				best = a;
				break;
			}
			if (after && !best)
				best = a;
		}
		if (a->nr == cpu->area)
			after = true;
	}
	best = best ? best : first;
	if (best) {
		if (best->nr != cpu->area || !cpu->left)
			cpu->left = SWAP_TURN;
		cpu->left--;
		cpu->area = (uint8_t)best->nr;
		/* it is in the order: refs is not 0 */
		__atomic_fetch_add(&best->refs, 1u, __ATOMIC_RELAXED);
	}
	spin_unlock(&s->lock);
	return best;
}

struct swap_slot *swap_alloc_slot(struct quire *q, int below,
				  swp_entry_t *entry,
				  struct swap_cluster **cluster)
{
	struct swap_cpu *cpu = &this_cpu(q)->swap;
	struct swap_slot *slot = NULL;
	struct swap_area *a;
	uint32_t tried = 0;

	while (!slot) {
		a = pick_area(q->swap, cpu, below, tried);
		if (!a)
			break;
		tried |= 1u << a->nr;
		slot = area_alloc(a, cpu, entry, cluster);
		/* (with a slot taken the cluster's lock keeps it) */
		swap_area_put(a);
	}
	return slot;
}

/* ----------------------------------------------------------- users, freeing */

void swap_slot_free(struct quire *q, swp_entry_t entry, struct swap_cluster *c)
{
	struct swap_area *a = swap_area_of(q, entry);

	if (a->ops->slot_free)
		a->ops->slot_free(a->device, swp_offset(entry));
	WRITE_ONCE(c->free, c->free + 1);
	__atomic_fetch_add(&a->nr_free, 1l, __ATOMIC_RELAXED);
	if (cluster_freed(a, c))
		quire_host_wake_reclaim(q);
	slot_moved(a);
}

void swap_duplicate(struct quire *q, swp_entry_t entry)
{
	struct swap_cluster *c;
	struct swap_slot *s = lock_slot(q, entry, &c);

	WRITE_ONCE(s->users, s->users + 1);
	slot_moved(swap_area_of(q, entry));
	spin_unlock(&c->lock);
}

void swap_free(struct quire *q, swp_entry_t entry)
{
	struct swap_cluster *c;
	struct swap_slot *s = lock_slot(q, entry, &c);

	QUIRE_BUG_ON(s->users == 0 || s->users == SLOT_BAD);
	WRITE_ONCE(s->users, s->users - 1);
	if (!s->users && !s->frame)
		swap_slot_free(q, entry, c);
	spin_unlock(&c->lock);
}

uint32_t swap_users(struct quire *q, swp_entry_t entry)
{
	struct swap_area *a = swap_area_get(q, entry);
	struct swap_cluster *c;
	uint32_t users;

	if (!a)
		return 0;
	users = lock_slot(q, entry, &c)->users;
	spin_unlock(&c->lock);
	swap_area_put(a);
	return users == SLOT_BAD ? 0 : users;
}

bool swap_entry_valid(struct quire *q, swp_entry_t entry)
{
	return swap_users(q, entry) != 0;
}

/* --------------------------------------------------------------- discard */

/* The next cluster that the device is to be told of; NULL: none. */
static struct swap_cluster *next_discard(struct swap_system *s,
					 struct swap_area *a)
{
	struct swap_cluster *c = NULL;

	spin_lock(&a->lock);
	if (!list_empty(&a->discard)) {
		c = list_first_entry(&a->discard, struct swap_cluster, list);
		set_state(a, c, CLUSTER_FULL); /* on no list meanwhile */
		__atomic_fetch_add(&s->discarding, 1u, __ATOMIC_RELAXED);
	}
	spin_unlock(&a->lock);
	return c;
}

static void discard_cluster(struct swap_system *s, struct swap_area *a,
			    struct swap_cluster *c)
{
	uint64_t slot = (uint64_t)c->number << SWAP_CLUSTER_SHIFT;
	uint64_t end = MIN(slot + SWAP_CLUSTER, a->end);

	slot = MAX(slot, a->first);
	a->ops->discard(a->device, slot, end - slot);
	spin_lock(&c->lock);
	WRITE_ONCE(c->free, c->usable);
	__atomic_fetch_add(&a->nr_free, (long)c->usable, __ATOMIC_RELAXED);
	spin_lock(&a->lock);
	set_state(a, c, CLUSTER_FREE);
	spin_unlock(&a->lock);
	slot_moved(a);
	spin_unlock(&c->lock);
	__atomic_fetch_sub(&s->discarding, 1u, __ATOMIC_RELEASE);
	quire_host_wake(&s->discarding, UINT32_MAX);
}

static void discard_clusters(struct quire *q, bool all)
{
	struct swap_cluster *c;
	struct swap_area *a;
	unsigned i;

	for (i = 0; READ_ONCE(q->swap->nr) && i < QUIRE_MAX_SWAP_AREAS; i++) {
		a = swap_area_get(q, swp_entry(i, 0));
		if (!a)
			continue;
		while ((a->flags & QUIRE_SWAP_DISCARD) &&
		       (all || !swap_has_room(q)) &&
		       (c = next_discard(q->swap, a)) != NULL)
			discard_cluster(q->swap, a, c);
		swap_area_put(a);
	}
}

void swap_discard_work(struct quire *q, bool all)
{
	struct swap_system *s = q->swap;
	uint32_t n;

	might_sleep();
	discard_clusters(q, all);
	/* the last of what is free others may be at: it will be room */
	while (!all && (n = smp_load_acquire(&s->discarding)) != 0 &&
	       !swap_has_room(q)) {
		(void)quire_host_wait(&s->discarding, n, 0);
		discard_clusters(q, false);
	}
}
