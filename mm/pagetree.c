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
 * Locks: the mapping's tree_lock, held by the callers; nothing here sleeps.
 */
#include "filemap.h"

#define MAX_HEIGHT 11 /* 11 * 6 bits cover a 64-bit index */

static unsigned slot_of(uint64_t index, uint32_t height)
{
	return (unsigned)(index >> ((height - 1) * PTREE_SHIFT)) &
	       (PTREE_SLOTS - 1);
}

/* Is index beyond what a tree of this height can hold? */
static bool beyond(uint64_t index, uint32_t height)
{
	return height < MAX_HEIGHT && index >> (height * PTREE_SHIFT) != 0;
}

struct page *page_tree_lookup(struct page_tree *t, uint64_t index)
{
	struct ptree_node *n = t->root;
	uint32_t h = t->height;

	if (!n || beyond(index, h))
		return NULL;
	for (; h > 1 && n; h--)
		n = n->slot[slot_of(index, h)];
	return n ? n->slot[slot_of(index, 1)] : NULL;
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

struct page *page_tree_remove(struct quire *q, struct page_tree *t,
			      uint64_t index)
{
	struct ptree_node *n = t->root;
	struct page *page;
	uint32_t h;

	if (!n || beyond(index, t->height))
		return NULL;
	for (h = t->height; h > 1; h--) {
		n = n->slot[slot_of(index, h)];
		if (!n)
			return NULL;
	}
	page = n->slot[slot_of(index, 1)];
	if (!page)
		return NULL;
	n->slot[slot_of(index, 1)] = NULL;
	n->used--;
	prune(q, t, index);
	return page;
}

/*
 * The leaf that holds the first page at index >= *from, and that index; NULL:
 * there is none.  One walk down for each empty subtree on the way.
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
			if (leaf->slot[s])
				pages[got++] = leaf->slot[s];
		index = (index | (PTREE_SLOTS - 1)) + 1;
		if (!index)
			break;
	}
	return got;
}
