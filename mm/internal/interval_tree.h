/* SPDX-License-Identifier: MIT */
/*
 * interval_tree.h - sets of ranges [start, last], asked which of them overlap
 * another one: the VMAs of a file by file page, of a family by page index.
 *
 * The node is part of what it stands for (list_entry finds that).  Whoever
 * owns the tree has the lock; nothing here allocates, fails or sleeps.
 */
#ifndef QUIRE_MM_INTERVAL_TREE_H
#define QUIRE_MM_INTERVAL_TREE_H

#include "base.h"

struct itree_node {
	struct itree_node *left, *right, *parent;
	uint64_t start, last; /* the range, both inclusive */
	uint64_t max;	      /* greatest last of the subtree */
	uint32_t prio;	      /* 0: in no tree */
};
struct itree {
	struct itree_node *root;
	uint32_t seed;
};

static inline void itree_init(struct itree *t)
{
	t->root = NULL;
	t->seed = 1;
}
static inline void itree_node_init(struct itree_node *n)
{
	n->prio = 0;
}
static inline bool itree_linked(const struct itree_node *n)
{
	return n->prio != 0;
}
static inline bool itree_empty(const struct itree *t)
{
	return !t->root;
}

/* Put n in with this range; it is in no tree. */
void itree_insert(struct itree *t, struct itree_node *n, uint64_t start,
		  uint64_t last);
void itree_remove(struct itree *t, struct itree_node *n);
/*
 * The first, by start, that overlaps [start, last]; and the one after it.
 * NULL: no more.  A node may be neither put in nor taken out in between.
 */
struct itree_node *itree_first(const struct itree *t, uint64_t start,
			       uint64_t last);
struct itree_node *itree_next(struct itree_node *n, uint64_t start,
			      uint64_t last);
/* Nodes whose place, links or max are wrong; *count: how many there are. */
unsigned itree_check(const struct itree *t, uint64_t *count);

#define itree_for_each(t, n, first, end)                                       \
	for (n = itree_first(t, first, end); n; n = itree_next(n, first, end))

#endif
