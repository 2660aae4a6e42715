/* SPDX-License-Identifier: MIT */
/*
 * swap_area.h - what the files of swap share: areas, clusters, slots.
 *
 *   swap_system.area[24]
 *     swap_area.chunk --> page of pointers --> page of 64 clusters
 *       swap_cluster.slots --> page of 512 slots { users, frame }
 *
 * A slot is free when both are 0.  Clusters are on one of the area's lists, or
 * on none, by their state:
 *
 *     FREE --(a CPU takes it)--> TAKEN --> FULL --(one is freed)--> PARTIAL
 *       ^                                                    |  ^      |
 *       '---- DISCARD <--- all are free --- TAKEN, PARTIAL <-+--'------'
 *
 * Locks (mm/internal/swap.h): cluster.lock (SWAP) for the slots and `free`;
 * inside it area.lock (LEAF) for state and lists; system.lock (LEAF) for the
 * order of areas.
 *
 * An area lives while refs is not 0: one while it is on, one for each who looks
 * at slots that nothing else keeps (a fault's entry, read without lock).  A
 * user of a slot, or a page in the cache, needs none: swapoff waits for both.
 */
#ifndef QUIRE_MM_SWAP_AREA_H
#define QUIRE_MM_SWAP_AREA_H

#include "swap.h"

#define SWAP_CLUSTER_SHIFT 9
#define SWAP_CLUSTER	   (1u << SWAP_CLUSTER_SHIFT) /* slots of one */
#define SWAP_CHUNK_SHIFT   6
#define SWAP_CHUNK	   (1u << SWAP_CHUNK_SHIFT) /* clusters of a page */
#define SLOT_BAD	   UINT32_MAX /* users of a slot not to be used */

struct swap_slot {
	uint32_t users; /* table entries, shmem values; SLOT_BAD */
	uint32_t frame; /* in the cache: frame number - min_pfn + 1; or 0 */
};

enum swap_cluster_state {
	CLUSTER_FREE,	 /* on area.free: it was all free when it came there */
	CLUSTER_PARTIAL, /* on area.partial */
	CLUSTER_TAKEN,	 /* the current one of some CPU */
	CLUSTER_FULL,
	CLUSTER_DISCARD, /* on area.discard: `free` is 0, but all are */
};

struct swap_cluster {
	spinlock_t lock; /* SWAP */
	uint32_t free;	 /* slots to be had; written under lock */
	uint32_t next;	 /* where to look for one */
	uint32_t number; /* of its area's clusters */
	uint16_t usable; /* slots that are not bad */
	uint8_t state;	 /* area.lock */
	struct swap_slot *slots;
	struct list_head list; /* area.lock */
};
_Static_assert(sizeof(struct swap_cluster) << SWAP_CHUNK_SHIFT <= 4096,
	       "a page holds a chunk of clusters");

struct swap_area {
	uint32_t refs;	   /* atomic; 0: there is no such area */
	uint32_t writable; /* new slots may be taken; 0: swapoff is at it */
	const struct quire_swap_ops *ops;
	void *device;
	struct swap_cluster **chunk;
	uint64_t first, end; /* slots [0, end) have a place in a cluster; those
			      * below first are the header's */
	uint32_t nr_clusters;
	unsigned dir_order; /* of the pages at chunk */
	int priority;
	unsigned flags, nr;   /* nr: swp_type of its entries */
	bool claimed;	      /* (system.lock) it is, or is being made */
	unsigned long usable; /* slots */
	uint32_t shared;      /* ROTATIONAL: all CPUs' current cluster + 1 */
	uint32_t scan;	      /* where the search for any free slot goes on */
	/* atomic: */
	long nr_free; /* slots to be had now */
	unsigned long pages_in, pages_out, read_errors, write_errors;
	uint32_t failures;   /* of its device, in a row */
	uint32_t rests;	     /* because of these, so far */
	uint32_t rest_until; /* no slots until then; 0: it does not rest */
	uint32_t moves; /* users that came or went while not writable; waited
			 * for by swapoff */
	/* readahead by slots: pages found since the last time, the slot and the
	 * window then */
	uint32_t ra_hits, ra_window;
	unsigned long ra_prev;
	spinlock_t lock __attribute__((aligned(64))); /* LEAF: lists, state */
	struct list_head free, partial, discard;
};

struct swap_system {
	spinlock_t lock; /* LEAF: order, nr, the areas' coming and going */
	unsigned nr;
	uint8_t order[QUIRE_MAX_SWAP_AREAS]; /* by priority, highest first */
	int least; /* of priority -1 given so far: -1, -2, ... */
	/* refused pages (mm/swap_refused.c): written under lock */
	uint32_t epoch, epoch_start, epoch_ticks;
	/* in this one, atomic: pages refused, and since the first of them taken
	 */
	uint32_t refused, taken;
	uint32_t discarding; /* clusters, atomic; waited for */
	struct swap_area area[QUIRE_MAX_SWAP_AREAS];
};

/* mm/swap_area.c */
/* A reference on the area whose slot the entry names; NULL: there is none. */
struct swap_area *swap_area_get(struct quire *q, swp_entry_t entry);
void swap_area_put(struct swap_area *a);
/* swapoff: nobody looks at it any more; and its number may be given again. */
void swap_area_free_tables(struct quire *q, struct swap_area *a);
void swap_area_unclaim(struct swap_system *s, struct swap_area *a);

static inline struct swap_area *swap_area_of(struct quire *q, swp_entry_t e)
{
	return &q->swap->area[swp_type(e)];
}
static inline struct swap_cluster *area_cluster(const struct swap_area *a,
						uint64_t i)
{
	return &a->chunk[i >> SWAP_CHUNK_SHIFT][i & (SWAP_CHUNK - 1)];
}
static inline struct swap_cluster *swap_cluster_of(struct quire *q,
						   swp_entry_t e)
{
	return area_cluster(swap_area_of(q, e),
			    swp_offset(e) >> SWAP_CLUSTER_SHIFT);
}
/* The entry's slot, not locked.  The area is known to stay. */
static inline struct swap_slot *swap_slot_of(struct quire *q, swp_entry_t e)
{
	return &swap_cluster_of(q, e)
			->slots[swp_offset(e) & (SWAP_CLUSTER - 1)];
}
/* The same, its cluster locked. */
static inline struct swap_slot *lock_slot(struct quire *q, swp_entry_t e,
					  struct swap_cluster **c)
{
	*c = swap_cluster_of(q, e);
	spin_lock(&(*c)->lock);
	return &(*c)->slots[swp_offset(e) & (SWAP_CLUSTER - 1)];
}
/* Could the entry be a slot of an area that is on?  (A look, no promise.) */
static inline bool swap_in_range(struct quire *q, swp_entry_t e)
{
	return swap_entry_is_slot(e) && READ_ONCE(swap_area_of(q, e)->refs) &&
	       swp_offset(e) < swap_area_of(q, e)->end;
}
static inline uint32_t page_to_slot_frame(struct quire *q,
					  const struct page *page)
{
	return (uint32_t)(page_to_pfn(q, page) - q->min_pfn) + 1u;
}
static inline struct page *slot_page(struct quire *q, const struct swap_slot *s)
{
	uint32_t frame = READ_ONCE(s->frame);

	return frame ? pfn_to_page(q, q->min_pfn + frame - 1u) : NULL;
}

/* mm/swap_slots.c */
/*
 * swap_alloc_slot: a free slot for a page, in an area with a priority less than
 * `below`: *entry and its slot, with its cluster locked (the caller sets frame
 * or users, and unlocks).  NULL: none is free.  Preemption off; does not sleep.
 */
struct swap_slot *swap_alloc_slot(struct quire *q, int below,
				  swp_entry_t *entry,
				  struct swap_cluster **cluster);
/* Cluster locked: neither users nor a page are left. */
void swap_slot_free(struct quire *q, swp_entry_t entry, struct swap_cluster *c);
/* Give area a's clusters their lists; swapoff: nobody allocates any more; slots
 * in use, when nobody does. */
void swap_slots_init(struct swap_area *a);
void swap_slots_stop(struct swap_area *a);
unsigned long swap_slots_used(struct swap_area *a);

/* mm/swap_cache.c */
/*
 * swap_cache_add: the entry's page in the cache, or a fresh one, put in locked
 * (SWAP_FRESH), with a reference for the caller.  NULL: *found says why.
 */
struct page *swap_cache_add(struct quire *q, swp_entry_t entry, gfp_t gfp,
			    enum swap_found *found);
/* mm/swap_readahead.c: entry's page in the cache was found by a fault at addr
 * of vma (NULL: by its slot): if it was read ahead, that was worth it. */
void swap_readahead_hit(struct quire *q, struct page *page, swp_entry_t entry,
			struct vm_area_struct *vma, uaddr_t addr);

/* mm/swap_refused.c */
/*
 * swap_note_write: a page's write to its area has ended.  Any context.
 * swap_area_rests: its device failed so often that it is to be left alone now.
 */
void swap_note_write(struct quire *q, struct swap_area *a, struct page *page,
		     int error);
bool __swap_area_rests(struct swap_area *a);
static inline bool swap_area_rests(struct swap_area *a)
{
	return unlikely(READ_ONCE(a->rest_until)) && __swap_area_rests(a);
}
/* May a page go there now?  (A look, no promise.) */
static inline bool swap_area_has_room(struct swap_area *a)
{
	return READ_ONCE(a->writable) && READ_ONCE(a->nr_free) > 0 &&
	       !swap_area_rests(a);
}
/* A reason to offer once more what was refused: there is an area more. */
void swap_try_refused(struct quire *q);

/* mm/swap_io.c */
/* Read these locked pages of the cache, whose slots are in a row. */
void swap_read_run(struct quire *q, struct page **pages, unsigned n);

#endif
