/* SPDX-License-Identifier: MIT */
/*
 * workingset.c - whether a page that comes in was here not long ago.
 *
 *   evicted: whose it was --hash--> [ tag | evictions so far ] in a set of 8
 *   wanted again:         --hash--> found: so many evictions ago
 *
 * A page that was evicted and is wanted soon after was evicted too early: the
 * policy is told how many evictions of its kind lie in between, which is how
 * much more memory it would have taken to keep it.
 *
 * The table is of fixed size and made at boot: eviction allocates nothing.  A
 * set is a cache line; the oldest in it makes room.  A tag is 30 bits of the
 * hash, so one page in a hundred million may be taken for another, which costs
 * nothing but a misplaced page.
 *
 * Locks: each lock (LEAF) guards every 16th set; lru_lock guards the counts.
 */
#include "filemap.h"
#include "reclaim.h"

#define WAYS 8u

struct ws_entry {
	uint32_t tag;	/* hash, with the node in the low two bits; 0: empty */
	uint32_t stamp; /* evictions of its kind on that node, then */
};

_Static_assert(QUIRE_MAX_NODES <= 4, "a tag has two bits for the node");

/* Sets that a machine of so many frames has: 4 to 8 bytes a frame. */
static uint64_t nr_sets(uint64_t frames)
{
	uint64_t sets = 1;

	while (sets * 2 * WAYS <= frames)
		sets *= 2;
	return sets;
}

uint64_t workingset_bytes(uint64_t frames)
{
	return nr_sets(frames) * WAYS * sizeof(struct ws_entry);
}

void workingset_init(struct quire *q, void *table)
{
	unsigned i;

	q->workingset = table;
	q->workingset_mask =
		(unsigned long)nr_sets(q->max_pfn - q->min_pfn) - 1;
	for (i = 0; i < WORKINGSET_LOCKS; i++)
		spin_lock_init(&q->workingset_lock[i], LEAF);
}

/* Mixes all bits of the two with each other. */
static uint64_t ws_hash(uint64_t key, uint64_t index)
{
	uint64_t h = key * 0x9e3779b97f4a7c15ull ^ index;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	h ^= h >> 29;
	h *= 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

struct ws_place {
	struct ws_entry *set;
	spinlock_t *lock;
	uint32_t tag; /* without node */
};

static struct ws_place ws_find(struct quire *q, uint64_t key, uint64_t index)
{
	uint64_t h = ws_hash(key, index);
	unsigned long set = (unsigned long)(h >> 32) & q->workingset_mask;
	uint32_t tag = (uint32_t)h & ~3u;

	return (struct ws_place){
		.set = (struct ws_entry *)q->workingset + set * WAYS,
		.lock = &q->workingset_lock[set % WORKINGSET_LOCKS],
		.tag = tag ? tag : 4u,
	};
}

static uint32_t evictions(struct quire *q, unsigned node,
			  enum quire_lru_kind kind)
{
	struct quire_node *n = &q->node[node];
	uint32_t v;

	spin_lock(&n->lru_lock);
	v = (uint32_t)n->state.evicted[kind];
	spin_unlock(&n->lru_lock);
	return v;
}

void workingset_eviction(struct quire *q, struct page *page, uint64_t key,
			 uint64_t index)
{
	struct ws_place p = ws_find(q, key, index);
	struct quire_node *n = &q->node[page->node];
	enum quire_lru_kind kind = page_lru_kind(page);
	struct ws_entry *e, *oldest = p.set;
	uint32_t now;

	spin_lock(&n->lru_lock);
	now = (uint32_t)++n->state.evicted[kind];
	spin_unlock(&n->lru_lock);
	spin_lock(p.lock);
	for (e = p.set; e < p.set + WAYS; e++) {
		if (!e->tag || (e->tag & ~3u) == p.tag) {
			oldest = e;
			break;
		}
		if (now - e->stamp > now - oldest->stamp)
			oldest = e;
	}
	oldest->tag = p.tag | page->node;
	oldest->stamp = now;
	spin_unlock(p.lock);
}

bool workingset_refault(struct quire *q, struct page *page, uint64_t key,
			uint64_t index, uint64_t *distance)
{
	struct ws_place p = ws_find(q, key, index);
	struct ws_entry *e, found = {0, 0};

	spin_lock(p.lock);
	for (e = p.set; e < p.set + WAYS; e++)
		if ((e->tag & ~3u) == p.tag) {
			found = *e;
			e->tag = 0;
			break;
		}
	spin_unlock(p.lock);
	if (!found.tag)
		return false;
	*distance =
		evictions(q, found.tag & 3u, page_lru_kind(page)) - found.stamp;
	return true;
}

void workingset_came_back(struct quire *q, struct page *page, uint64_t key,
			  uint64_t index)
{
	uint64_t distance;

	if (workingset_refault(q, page, key, index, &distance))
		lru_note_refault(q, page, distance);
}
