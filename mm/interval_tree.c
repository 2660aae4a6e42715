/* SPDX-License-Identifier: MIT */
/*
 * interval_tree.c - ranges in a search tree that knows how far they reach.
 *
 *	            [4,9] max 20
 *	           /            \
 *	    [1,20] max 20     [6,7] max 15      ordered by start; max is the
 *	                            \           greatest end in the subtree
 *	                          [8,15] max 15
 *
 * A question for [a, b] leaves out each subtree whose max is below a and all
 * that starts past b; so the k overlapping ranges of n cost O(k + log n).
 *
 * Balance: a treap.  Each node draws a random priority as it comes in, and no
 * node has a lower one than its children; the shape is that of a tree built in
 * random order, whatever the order was.  (The numbers are a plain xorshift of
 * the tree's own: nothing depends on their being secret, a bad run costs time
 * only.)  A node goes in as a leaf and is rotated up, and leaves by being
 * rotated down until it is a leaf.
 *
 * Locks: the tree's owner's.
 */
#include "interval_tree.h"

static uint64_t subtree_max(const struct itree_node *n)
{
	uint64_t max = n->last;

	if (n->left && n->left->max > max)
		max = n->left->max;
	if (n->right && n->right->max > max)
		max = n->right->max;
	return max;
}

/* The link that points at n. */
static struct itree_node **link_to(struct itree *t, struct itree_node *n)
{
	if (!n->parent)
		return &t->root;
	return n->parent->left == n ? &n->parent->left : &n->parent->right;
}

/* n changes places with its parent, which becomes its child. */
static void rotate_up(struct itree *t, struct itree_node *n)
{
	struct itree_node *p = n->parent, *moved;
	struct itree_node **link = link_to(t, p);

	if (p->left == n) {
		moved = n->right;
		p->left = moved;
		n->right = p;
	} else {
		moved = n->left;
		p->right = moved;
		n->left = p;
	}
	if (moved)
		moved->parent = p;
	n->parent = p->parent;
	p->parent = n;
	*link = n;
	n->max = p->max;
	p->max = subtree_max(p);
}

/* From n up: max again, until one is right already. */
static void fix_max(struct itree_node *n)
{
	for (; n; n = n->parent) {
		uint64_t max = subtree_max(n);

		if (n->max == max)
			return;
		n->max = max;
	}
}

static uint32_t draw_priority(struct itree *t)
{
	uint32_t x = t->seed;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	t->seed = x; /* never 0 */
	return x;
}

void itree_insert(struct itree *t, struct itree_node *n, uint64_t start,
		  uint64_t last)
{
	struct itree_node **link = &t->root, *parent = NULL;

	QUIRE_BUG_ON(start > last || itree_linked(n));
	while (*link) {
		parent = *link;
		if (parent->max < last)
			parent->max = last;
		link = start < parent->start ? &parent->left : &parent->right;
	}
	*n = (struct itree_node){.parent = parent,
				 .start = start,
				 .last = last,
				 .max = last,
				 .prio = draw_priority(t)};
	*link = n;
	while (n->parent && n->parent->prio < n->prio)
		rotate_up(t, n);
}

void itree_remove(struct itree *t, struct itree_node *n)
{
	struct itree_node *child, *parent;

	QUIRE_BUG_ON(!itree_linked(n));
	while (n->left && n->right)
		rotate_up(t,
			  n->left->prio > n->right->prio ? n->left : n->right);
	child = n->left ? n->left : n->right;
	parent = n->parent;
	*link_to(t, n) = child;
	if (child)
		child->parent = parent;
	fix_max(parent);
	n->prio = 0;
}

/* The first in n's subtree, whose max is at least `start`. */
static struct itree_node *first_below(struct itree_node *n, uint64_t start,
				      uint64_t last)
{
	for (;;) {
		/* what overlaps at all overlaps there, or starts past `last` */
		if (n->left && n->left->max >= start) {
			n = n->left;
			continue;
		}
		if (n->start > last)
			return NULL;
		if (n->last >= start)
			return n;
		if (!n->right || n->right->max < start)
			return NULL;
		n = n->right;
	}
}

struct itree_node *itree_first(const struct itree *t, uint64_t start,
			       uint64_t last)
{
	if (!t->root || t->root->max < start)
		return NULL;
	return first_below(t->root, start, last);
}

struct itree_node *itree_next(struct itree_node *n, uint64_t start,
			      uint64_t last)
{
	struct itree_node *from;

	for (;;) {
		if (n->right && n->right->max >= start)
			return first_below(n->right, start, last);
		/* up to the first ancestor that comes after */
		do {
			from = n;
			n = n->parent;
			if (!n)
				return NULL;
		} while (n->right == from);
		if (n->start > last)
			return NULL;
		if (n->last >= start)
			return n;
	}
}

/* The leftmost of a subtree / the next one in order, whatever it spans. */
static const struct itree_node *leftmost(const struct itree_node *n)
{
	while (n && n->left)
		n = n->left;
	return n;
}
static const struct itree_node *in_order_next(const struct itree_node *n)
{
	const struct itree_node *from;

	if (n->right)
		return leftmost(n->right);
	do {
		from = n;
		n = n->parent;
	} while (n && n->right == from);
	return n;
}

unsigned itree_check(const struct itree *t, uint64_t *count)
{
	const struct itree_node *n, *prev = NULL;
	unsigned bad = 0;

	*count = 0;
	if (t->root && t->root->parent)
		bad++;
	for (n = leftmost(t->root); n; prev = n, n = in_order_next(n)) {
		++*count;
		bad += n->start > n->last || n->max != subtree_max(n);
		bad += n->prio == 0;
		bad += (n->left &&
			(n->left->parent != n || n->left->prio > n->prio));
		bad += (n->right &&
			(n->right->parent != n || n->right->prio > n->prio));
		bad += prev && prev->start > n->start;
	}
	return bad;
}
