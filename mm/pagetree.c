/* SPDX-License-Identifier: MIT */
/*
 * pagetree.c - the pages of one file by index: a radix tree of 64 slots a node.
 *
 *   height 2:  root --slot[index >> 6]--> node --slot[index & 63]--> page
 *
 * The tree is as high as its largest index asks for and grows at the top; a
 * file of up to 64 pages is one node.  An empty node is freed at once, so an
 * empty tree holds no memory.
 *
 * In a page's place there may be a value, which says where the page is instead
 * (ptree_is_value).
 *
 * Beside its slots a node has a bitmap for each tag (PTREE_DIRTY ...).  In the
 * lowest nodes a bit is a page's, above it says that the node below has one:
 *
 *   tag  root ..1.....    so the tagged pages of a large file are found
 *               |         without looking at the others, and whether a file
 *        node .1..11..    has any is seen at the root
 *
 * Locks: the mapping's tree_lock, held by the callers; nothing here sleeps.
 */
#include "filemap.h"

#define MAX_HEIGHT 11 /* 11 * 6 bits cover a 64-bit index */

static unsigned slot_of(uint64_t index, uint32_t height)
{
	return (unsigned)(index >> ((height - 1) * PTREE_SHIFT)) &
	       (PTREE_SLOTS - 1);
}

static uint64_t slot_bit(uint64_t index, uint32_t height)
{
	return (uint64_t)1 << slot_of(index, height);
}

/* Is index beyond what a tree of this height can hold? */
static bool beyond(uint64_t index, uint32_t height)
{
	return height < MAX_HEIGHT && index >> (height * PTREE_SHIFT) != 0;
}

/* The lowest node that index has a slot in, or NULL. */
static struct ptree_node *leaf_of(const struct page_tree *t, uint64_t index)
{
	struct ptree_node *n = t->root;
	uint32_t h = t->height;

	if (!n || beyond(index, h))
		return NULL;
	for (; h > 1 && n; h--)
		n = n->slot[slot_of(index, h)];
	return n;
}

void *page_tree_get(struct page_tree *t, uint64_t index)
{
	struct ptree_node *n = leaf_of(t, index);

	return n ? n->slot[slot_of(index, 1)] : NULL;
}

struct page *page_tree_lookup(struct page_tree *t, uint64_t index)
{
	void *slot = page_tree_get(t, index);

	return unlikely(ptree_is_value(slot)) ? NULL : slot;
}

void *page_tree_replace(struct page_tree *t, uint64_t index, void *slot)
{
	void **place = &leaf_of(t, index)->slot[slot_of(index, 1)];
	void *was = *place;

	*place = slot;
	return was;
}

static struct ptree_node *node_alloc(struct quire *q)
{
	return kmem_cache_zalloc(q->ptree_cache, GFP_ATOMIC);
}

/* Free nodes on the way to index that have become empty, and the top ones
 * that a smaller tree would not have. */
static void prune(struct quire *q, struct page_tree *t, uint64_t index)
{
	struct ptree_node *path[MAX_HEIGHT], *n = t->root;
	uint32_t h, depth = 0;

	for (h = t->height; h >= 1 && n; h--) {
		path[depth++] = n;
		if (h > 1)
			n = n->slot[slot_of(index, h)];
	}
	while (depth && path[depth - 1]->used == 0) {
		depth--;
		kmem_cache_free(q->ptree_cache, path[depth]);
		if (depth == 0) {
			t->root = NULL;
			t->height = 0;
			return;
		}
		h = t->height - depth + 1;
		path[depth - 1]->slot[slot_of(index, h)] = NULL;
		path[depth - 1]->used--;
	}
	while (t->height > 1 && t->root->used == 1 && t->root->slot[0]) {
		n = t->root;
		t->root = n->slot[0];
		t->height--;
		kmem_cache_free(q->ptree_cache, n);
	}
}

/* Make the tree high enough for index. */
static int grow(struct quire *q, struct page_tree *t, uint64_t index)
{
	struct ptree_node *n;
	unsigned tag;

	if (!t->root) {
		t->root = node_alloc(q);
		if (!t->root)
			return -ENOMEM;
		t->height = 1;
		while (beyond(index, t->height))
			t->height++; /* nothing is below yet: no levels to add
				      */
		return 0;
	}
	while (beyond(index, t->height)) {
		n = node_alloc(q);
		if (!n)
			return -ENOMEM;
		n->slot[0] = t->root;
		n->used = 1;
		for (tag = 0; tag < PTREE_TAGS; tag++)
			n->tag[tag] = t->root->tag[tag] != 0;
		t->root = n;
		t->height++;
	}
	return 0;
}

int page_tree_insert(struct quire *q, struct page_tree *t, uint64_t index,
		     struct page *page)
{
	struct ptree_node *n, **down;
	uint32_t h;

	if (grow(q, t, index))
		goto nomem;
	n = t->root;
	for (h = t->height; h > 1; h--) {
		down = (struct ptree_node **)&n->slot[slot_of(index, h)];
		if (!*down) {
			*down = node_alloc(q);
			if (!*down)
				goto nomem;
			n->used++;
		}
		n = *down;
	}
	if (n->slot[slot_of(index, 1)])
		return -EEXIST;
	n->slot[slot_of(index, 1)] = page;
	n->used++;
	return 0;
nomem:
	prune(q, t, index);
	return -ENOMEM;
}

void *page_tree_remove(struct quire *q, struct page_tree *t, uint64_t index)
{
	struct ptree_node *n = leaf_of(t, index);
	void *slot = n ? n->slot[slot_of(index, 1)] : NULL;
	unsigned tag;

	if (!slot)
		return NULL;
	for (tag = 0; tag < PTREE_TAGS; tag++)
		if (n->tag[tag] & slot_bit(index, 1))
			(void)page_tree_clear_tag(t, index,
						  (enum ptree_tag)tag);
	n->slot[slot_of(index, 1)] = NULL;
	n->used--;
	prune(q, t, index);
	return slot;
}

/*
 * The leaf that holds the first page or value at index >= *from, and that
 * index; NULL: there is none.  One walk down for each empty subtree on the way.
 */
static struct ptree_node *next_leaf(struct page_tree *t, uint64_t *from)
{
	uint64_t step, index = *from;
	struct ptree_node *n;
	uint32_t h;

again:
	n = t->root;
	if (!n || beyond(index, t->height))
		return NULL;
	for (h = t->height; n->slot[slot_of(index, h)]; h--) {
		if (h == 1) {
			*from = index;
			return n;
		}
		n = n->slot[slot_of(index, h)];
	}
	/* on to the next slot of this node's level, at its first index */
	step = (uint64_t)1 << ((h - 1) * PTREE_SHIFT);
	index = (index & ~(step - 1)) + step;
	if (index)
		goto again;
	return NULL;
}

unsigned page_tree_gang(struct page_tree *t, uint64_t start,
			struct page **pages, unsigned n)
{
	struct ptree_node *leaf;
	uint64_t index = start;
	unsigned got = 0, s;

	while (got < n) {
		leaf = next_leaf(t, &index);
		if (!leaf)
			break;
		for (s = slot_of(index, 1); s < PTREE_SLOTS && got < n; s++)
			if (leaf->slot[s] && !ptree_is_value(leaf->slot[s]))
				pages[got++] = leaf->slot[s];
		index = (index | (PTREE_SLOTS - 1)) + 1;
		if (!index)
			break;
	}
	return got;
}

unsigned page_tree_gang_any(struct page_tree *t, uint64_t start, void **slots,
			    uint64_t *indices, unsigned n)
{
	struct ptree_node *leaf;
	uint64_t index = start;
	unsigned got = 0;
	void *slot;

	while (got < n) {
		leaf = next_leaf(t, &index);
		if (!leaf)
			break;
		do {
			slot = leaf->slot[slot_of(index, 1)];
			if (slot) {
				slots[got] = slot;
				indices[got++] = index;
			}
		} while (++index % PTREE_SLOTS && got < n);
		if (!index)
			break;
	}
	return got;
}

/* ------------------------------------------------------------------ tags */

bool page_tree_set_tag(struct page_tree *t, uint64_t index, enum ptree_tag tag)
{
	struct ptree_node *n = t->root;
	uint64_t bit;
	uint32_t h;
	bool was;

	for (h = t->height;; h--) {
		bit = slot_bit(index, h);
		was = (n->tag[tag] & bit) != 0;
		n->tag[tag] |= bit;
		if (h == 1)
			return !was;
		n = n->slot[slot_of(index, h)];
	}
}

bool page_tree_clear_tag(struct page_tree *t, uint64_t index,
			 enum ptree_tag tag)
{
	struct ptree_node *path[MAX_HEIGHT + 1], *n = t->root;
	uint32_t h;

	for (h = t->height;; h--) {
		if (!(n->tag[tag] & slot_bit(index, h)))
			return false;
		path[h] = n;
		if (h == 1)
			break;
		n = n->slot[slot_of(index, h)];
	}
	for (; h <= t->height; h++) {
		path[h]->tag[tag] &= ~slot_bit(index, h);
		if (path[h]->tag[tag])
			break;
	}
	return true;
}

bool page_tree_has_tag(const struct page_tree *t, uint64_t index,
		       enum ptree_tag tag)
{
	const struct ptree_node *n = t->root;
	uint32_t h;

	if (!n || beyond(index, t->height))
		return false;
	for (h = t->height; n->tag[tag] & slot_bit(index, h); h--) {
		if (h == 1)
			return true;
		n = n->slot[slot_of(index, h)];
	}
	return false;
}

/* Number of the lowest bit that is set; bits is not 0. */
static unsigned lowest_bit(uint64_t bits)
{
	uint32_t low = (uint32_t)bits;

	return low ? (unsigned)__builtin_ctz(low)
		   : 32u + (unsigned)__builtin_ctz((uint32_t)(bits >> 32));
}

/*
 * The lowest node of the first page at index >= *from with the tag, and that
 * index; NULL: there is none.
 */
static struct ptree_node *next_tagged(const struct page_tree *t, uint64_t *from,
				      enum ptree_tag tag)
{
	uint64_t bits, span, index = *from;
	struct ptree_node *n;
	unsigned shift, z;
	uint32_t h;

again:
	n = t->root;
	if (!n || beyond(index, t->height))
		return NULL;
	for (h = t->height;; h--) {
		shift = (h - 1) * PTREE_SHIFT;
		bits = n->tag[tag] >> slot_of(index, h);
		if (!bits)
			break;
		z = lowest_bit(bits);
		if (z) { /* the first index of a later slot */
			index = ((index >> shift) + z) << shift;
		}
		if (h == 1) {
			*from = index;
			return n;
		}
		n = n->slot[slot_of(index, h)];
	}
	/* none is left in this node: on to what comes after it */
	if (h == t->height)
		return NULL;
	span = (uint64_t)1 << (h * PTREE_SHIFT);
	index = (index & ~(span - 1)) + span;
	if (index)
		goto again;
	return NULL;
}

unsigned page_tree_gang_tag(const struct page_tree *t, uint64_t start,
			    uint64_t last, enum ptree_tag tag,
			    struct page **pages, unsigned n)
{
	struct ptree_node *leaf;
	uint64_t index = start;
	unsigned got = 0;

	while (got < n) {
		leaf = next_tagged(t, &index, tag);
		if (!leaf || index > last)
			break;
		pages[got++] = leaf->slot[slot_of(index, 1)];
		if (index++ == last)
			break;
	}
	return got;
}

bool page_tree_retag(struct page_tree *t, uint64_t *index, uint64_t last,
		     enum ptree_tag from, enum ptree_tag to, unsigned max)
{
	while (max--) {
		if (!next_tagged(t, index, from) || *index > last)
			return false;
		(void)page_tree_set_tag(t, *index, to);
		if ((*index)++ == last)
			return false;
	}
	return true;
}
