/* SPDX-License-Identifier: MIT */
/*
 * vma_tree.c - the ordered tree of an address space's VMAs (M1).
 *
 * A B+-tree of up to 16 entries a node.  The key of an entry is where its
 * memory ends, so "the first VMA that ends above addr" is one search a level,
 * and unused keys are all ones, so the search needs neither a count nor a
 * branch.  30 VMAs are two levels, 65530 at most five.
 *
 *     root    key | 0x4000   | 0x9000    |          inner: end of the subtree
 *             gap | 0x1000   | 0x3000    |          and its largest gap
 *                     |           |
 *     leaf    key | 2000 4000 | | 8000 9000 |       VMA's end
 *             gap |    0 1000 | | 3000    0 |       free bytes just before it
 *                     <--- prev, next --->
 *
 * The gap before a VMA ends where its guard begins, for a stack that grows
 * down (stack_guard_gap), so that a search for room never looks at a VMA.
 *
 * Nodes for insertions are set aside beforehand (vma_tree_reserve), so that an
 * operation of several steps cannot fail in the middle.  A node that a removal
 * leaves nearly empty is joined with its neighbour.
 *
 * Locks: mmap_lock, for write in all that changes the tree.  Nodes never hold
 * what only a VMA knows, so a walk touches no VMA but the answer.
 */
#include "mm.h"

#define VMA_MAX_HEIGHT 12 /* 8^12 VMAs */
#define VMA_NODE_LOW   4  /* at most so many entries: join with a neighbour */
#define VMA_SPARE_KEEP 8  /* emptied nodes kept for the next insertion */
#define KEY_UNUSED     (~(uaddr_t)0)

/* The way from the leaf (level 0) to the root, and the slot taken in each. */
struct vma_path {
	struct vma_node *node[VMA_MAX_HEIGHT];
	unsigned idx[VMA_MAX_HEIGHT];
};

/*
 * First entry with key above addr, of 16; there is one (the callers know it
 * from the level above, or took the last one).
 */
static __always_inline unsigned node_search(const struct vma_node *n,
					    uaddr_t addr)
{
	unsigned i = (unsigned)(n->key[7] <= addr) << 3;

	i += (unsigned)(n->key[i + 3] <= addr) << 2;
	i += (unsigned)(n->key[i + 1] <= addr) << 1;
	i += (unsigned)(n->key[i] <= addr);
	return i;
}

static __always_inline uaddr_t node_end(const struct vma_node *n)
{
	return n->key[n->count - 1];
}

static uaddr_t node_max_gap(const struct vma_node *n)
{
	uaddr_t max = 0;
	unsigned i;

	for (i = 0; i < n->count; i++)
		max = MAX(max, n->gap[i]);
	return max;
}

/* Where the room before vma ends: a stack keeps its guard gap free. */
uaddr_t vm_start_gap(const struct vm_area_struct *vma)
{
	uaddr_t gap;

	if (likely(!(vma->vm_flags & VM_GROWSDOWN)))
		return vma->vm_start;
	gap = (uaddr_t)vma->vm_mm->q->config.stack_guard_gap << PAGE_SHIFT;
	return vma->vm_start > gap ? vma->vm_start - gap : 0;
}

void vma_tree_init(struct vma_tree *t)
{
	memset(t, 0, sizeof(*t));
}

/* ------------------------------------------------------------------ nodes */

int vma_tree_reserve(struct mm_struct *mm, unsigned n)
{
	struct vma_tree *t = &mm->vmas;
	/* each may split every level, and the first one the root too */
	uint32_t need = n * (t->height + 1);
	struct vma_node *node;

	while (unlikely(t->nr_spare < need)) {
		node = kmem_cache_alloc(mm->q->vtree_cache, GFP_KERNEL);
		if (!node)
			return -ENOMEM;
		node->next = t->spare;
		t->spare = node;
		t->nr_spare++;
	}
	return 0;
}

static void spare_trim(struct mm_struct *mm, uint32_t keep)
{
	struct vma_tree *t = &mm->vmas;
	struct vma_node *node;

	while (t->nr_spare > keep) {
		node = t->spare;
		t->spare = node->next;
		t->nr_spare--;
		kmem_cache_free(mm->q->vtree_cache, node);
	}
}

void vma_tree_unreserve(struct mm_struct *mm)
{
	spare_trim(mm, 0);
}

static struct vma_node *node_take(struct vma_tree *t)
{
	struct vma_node *n = t->spare;
	unsigned i;

	QUIRE_BUG_ON(!n); /* the caller has not reserved */
	t->spare = n->next;
	t->nr_spare--;
	for (i = 0; i < VMA_FANOUT; i++)
		n->key[i] = KEY_UNUSED;
	n->count = 0;
	n->prev = NULL;
	n->next = NULL;
	return n;
}

static void node_give(struct mm_struct *mm, struct vma_node *n)
{
	struct vma_tree *t = &mm->vmas;

	n->next = t->spare;
	t->spare = n;
	t->nr_spare++;
	spare_trim(mm, VMA_SPARE_KEEP);
}

/* Entry i comes in; there is room. */
static void node_open(struct vma_node *n, unsigned i, uaddr_t key, void *slot,
		      uaddr_t gap)
{
	unsigned j;

	for (j = n->count; j > i; j--) {
		n->key[j] = n->key[j - 1];
		n->slot[j] = n->slot[j - 1];
		n->gap[j] = n->gap[j - 1];
	}
	n->key[i] = key;
	n->slot[i] = slot;
	n->gap[i] = gap;
	n->count++;
}

static void node_close(struct vma_node *n, unsigned i)
{
	for (n->count--; i < n->count; i++) {
		n->key[i] = n->key[i + 1];
		n->slot[i] = n->slot[i + 1];
		n->gap[i] = n->gap[i + 1];
	}
	n->key[n->count] = KEY_UNUSED;
}

/* Entries [from, count) of a go to the end of b. */
static void node_move(struct vma_node *a, unsigned from, struct vma_node *b)
{
	unsigned i;

	for (i = from; i < a->count; i++) {
		b->key[b->count] = a->key[i];
		b->slot[b->count] = a->slot[i];
		b->gap[b->count] = a->gap[i];
		b->count++;
		a->key[i] = KEY_UNUSED;
	}
	a->count = from;
}

/* ------------------------------------------------------------------ paths */

/*
 * Way to the first VMA that ends above addr.  false: there is none; the way
 * then leads to the last VMA.  The tree is not empty.
 */
static bool path_find(const struct vma_tree *t, uaddr_t addr,
		      struct vma_path *p)
{
	struct vma_node *n = t->root;
	bool found = addr < node_end(n);
	unsigned l = t->height;

	for (;;) {
		l--;
		p->node[l] = n;
		p->idx[l] = found ? node_search(n, addr) : n->count - 1;
		if (!l)
			return found;
		n = n->slot[p->idx[l]];
	}
}

/* On to the next VMA; false at the end. */
static bool path_next(const struct vma_tree *t, struct vma_path *p)
{
	unsigned l = 0;

	while (p->idx[l] + 1 == p->node[l]->count)
		if (++l == t->height)
			return false;
	p->idx[l]++;
	while (l--) {
		p->node[l] = p->node[l + 1]->slot[p->idx[l + 1]];
		p->idx[l] = 0;
	}
	return true;
}

/*
 * Gaps in the path's leaf changed, the largest of them from `was` to `is`, or
 * where it ends: bring the levels above up to date.  A node is looked through
 * only where its largest gap may have been the one that shrank.
 */
static void path_refresh(const struct vma_tree *t, struct vma_path *p,
			 uaddr_t was, uaddr_t is)
{
	unsigned l;

	for (l = 0; l + 1 < t->height; l++) {
		struct vma_node *n = p->node[l], *up = p->node[l + 1];
		unsigned i = p->idx[l + 1];
		uaddr_t end = node_end(n), old = up->gap[i], gap = old;

		if (is >= old)
			gap = is;
		else if (was >= old)
			gap = node_max_gap(n);
		if (up->key[i] == end && gap == old)
			return;
		up->key[i] = end;
		up->gap[i] = gap;
		was = old;
		is = gap;
	}
}

static uaddr_t path_prev_end(const struct vma_path *p)
{
	const struct vma_node *leaf = p->node[0];

	if (p->idx[0])
		return leaf->key[p->idx[0] - 1];
	return leaf->prev ? node_end(leaf->prev) : 0;
}

/*
 * Set the gap before the VMA at p from its own and its neighbour's extent, and
 * widen *was and *is by what it was and is.
 */
static void path_set_gap(struct vma_path *p, uaddr_t *was, uaddr_t *is)
{
	struct vma_node *leaf = p->node[0];
	uaddr_t *gap = &leaf->gap[p->idx[0]];
	uaddr_t start = vm_start_gap(leaf->slot[p->idx[0]]);
	uaddr_t prev = path_prev_end(p);

	*was = MAX(*was, *gap);
	*gap = start > prev ? start - prev : 0;
	*is = MAX(*is, *gap);
}

/* The VMA at p has a new extent: its gap, the next one's, and all above. */
static void path_update(const struct vma_tree *t, struct vma_path *p)
{
	bool same_leaf = p->idx[0] + 1 < p->node[0]->count;
	uaddr_t was = 0, is = 0;

	path_set_gap(p, &was, &is);
	if (same_leaf) {
		p->idx[0]++;
		path_set_gap(p, &was, &is);
	}
	path_refresh(t, p, was, is);
	if (!same_leaf && path_next(t, p)) {
		was = 0;
		is = 0;
		path_set_gap(p, &was, &is);
		path_refresh(t, p, was, is);
	}
}

/* ------------------------------------------------------- insert and remove */

/*
 * Split the full child i of up, which has room: in the middle, or, when the
 * new VMA goes to the end of the tree (where fork builds a copy in order), so
 * that the left one stays full.
 */
static void split_child(struct vma_tree *t, struct vma_node *up, unsigned i,
			bool leaf, bool append)
{
	struct vma_node *left = up->slot[i], *right = node_take(t);

	node_move(left, append ? VMA_FANOUT - 1 : VMA_FANOUT / 2, right);
	if (leaf) {
		right->next = left->next;
		right->prev = left;
		if (left->next)
			left->next->prev = right;
		left->next = right;
	}
	up->key[i] = node_end(left);
	up->gap[i] = node_max_gap(left);
	node_open(up, i + 1, node_end(right), right, node_max_gap(right));
}

/*
 * The leaf where vma belongs, with room in it.  Full nodes are split on the
 * way down, so that a split never has to go back up.
 */
static struct vma_node *descend_for_insert(struct vma_tree *t,
					   const struct vm_area_struct *vma)
{
	struct vma_node *n = t->root, *child;
	bool append = vma->vm_start >= node_end(n);
	unsigned l, i;

	if (n->count == VMA_FANOUT) {
		t->root = node_take(t);
		node_open(t->root, 0, node_end(n), n, node_max_gap(n));
		t->height++;
		QUIRE_BUG_ON(t->height > VMA_MAX_HEIGHT);
		split_child(t, t->root, 0, t->height == 2, append);
		n = t->root;
	}
	for (l = t->height - 1; l; l--) {
		i = append ? n->count - 1 : node_search(n, vma->vm_start);
		child = n->slot[i];
		if (child->count == VMA_FANOUT) {
			split_child(t, n, i, l == 1, append);
			if (append || n->key[i] <= vma->vm_start)
				i++;
		}
		if (append)
			n->key[i] = vma->vm_end;
		n = n->slot[i];
	}
	return n;
}

void vma_tree_insert(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct vma_tree *t = &mm->vmas;
	struct vma_node *leaf;
	struct vma_path p;
	unsigned i = 0;

	if (!t->root) {
		t->root = node_take(t);
		t->height = 1;
		leaf = t->root;
	} else {
		leaf = descend_for_insert(t, vma);
		i = leaf->count;
		if (vma->vm_start < node_end(leaf))
			i = node_search(leaf, vma->vm_start);
	}
	node_open(leaf, i, vma->vm_end, vma, 0);
	(void)path_find(t, vma->vm_start, &p);
	QUIRE_BUG_ON(p.node[0]->slot[p.idx[0]] != vma);
	path_update(t, &p);
	t->count++;
	mm->seqnum++;
}

/* Child i of up is nearly empty: join it with a neighbour if both fit well. */
static void join_child(struct mm_struct *mm, struct vma_node *up, unsigned i,
		       bool leaf)
{
	struct vma_node *left, *right;

	if (i + 1 == up->count) {
		if (!i)
			return;
		i--;
	}
	left = up->slot[i];
	right = up->slot[i + 1];
	if (left->count + right->count > VMA_FANOUT - VMA_NODE_LOW)
		return;
	node_move(right, 0, left);
	if (leaf) {
		left->next = right->next;
		if (right->next)
			right->next->prev = left;
	}
	node_close(up, i + 1);
	up->key[i] = node_end(left);
	up->gap[i] = node_max_gap(left);
	node_give(mm, right);
}

/* An entry has gone from the leaf of the path: bring all above in order. */
static void path_shrunk(struct mm_struct *mm, struct vma_path *p)
{
	struct vma_tree *t = &mm->vmas;
	struct vma_node *n, *up;
	unsigned l, i;

	for (l = 0; l + 1 < t->height; l++) {
		n = p->node[l];
		up = p->node[l + 1];
		i = p->idx[l + 1];
		if (n->count) {
			up->key[i] = node_end(n);
			up->gap[i] = node_max_gap(n);
			if (n->count <= VMA_NODE_LOW)
				join_child(mm, up, i, l == 0);
			continue;
		}
		node_close(up, i);
		if (!l && n->prev)
			n->prev->next = n->next;
		if (!l && n->next)
			n->next->prev = n->prev;
		node_give(mm, n);
	}
	while (t->height > 1 && t->root->count == 1) {
		n = t->root;
		t->root = n->slot[0];
		t->height--;
		node_give(mm, n);
	}
	if (!t->root->count) {
		node_give(mm, t->root);
		t->root = NULL;
		t->height = 0;
	}
}

void vma_tree_remove(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct vma_tree *t = &mm->vmas;
	uaddr_t was, is = 0;
	struct vma_path p;
	bool same_leaf;

	(void)path_find(t, vma->vm_start, &p);
	QUIRE_BUG_ON(p.node[0]->slot[p.idx[0]] != vma);
	was = p.node[0]->gap[p.idx[0]];
	node_close(p.node[0], p.idx[0]);
	/* its room belongs to its successor now */
	same_leaf = p.idx[0] < p.node[0]->count;
	if (same_leaf)
		path_set_gap(&p, &was, &is);
	if (p.node[0]->count > VMA_NODE_LOW)
		path_refresh(t, &p, was, is);
	else
		path_shrunk(mm, &p);
	if (!same_leaf && t->root && path_find(t, vma->vm_start, &p)) {
		was = 0;
		is = 0;
		path_set_gap(&p, &was, &is);
		path_refresh(t, &p, was, is);
	}
	t->count--;
	mm->seqnum++;
}

void vma_tree_resize(struct mm_struct *mm, struct vm_area_struct *vma,
		     uaddr_t start, uaddr_t end)
{
	struct vma_tree *t = &mm->vmas;
	struct vma_path p;

	(void)path_find(t, vma->vm_start, &p);
	QUIRE_BUG_ON(p.node[0]->slot[p.idx[0]] != vma);
	vma->vm_start = start;
	vma->vm_end = end;
	p.node[0]->key[p.idx[0]] = end;
	path_update(t, &p);
	mm->seqnum++;
}

void vma_tree_destroy(struct mm_struct *mm)
{
	struct vma_tree *t = &mm->vmas;
	struct vma_path p;
	unsigned l;

	/* leftmost first; a node goes when the way leaves it */
	if (t->root) {
		p.node[t->height - 1] = t->root;
		p.idx[t->height - 1] = 0;
		for (l = t->height - 1; l < t->height;) {
			struct vma_node *n = p.node[l];

			if (!l || p.idx[l] == n->count) {
				kmem_cache_free(mm->q->vtree_cache, n);
				l++;
				continue;
			}
			p.node[l - 1] = n->slot[p.idx[l]++];
			p.idx[l - 1] = 0;
			l--;
		}
	}
	vma_tree_unreserve(mm);
	vma_tree_init(t);
	mm->seqnum++;
}

/* ----------------------------------------------------------------- lookup */

static __always_inline struct vma_node *find_leaf(const struct vma_tree *t,
						  uaddr_t addr)
{
	struct vma_node *n = t->root;
	unsigned l = t->height;

	while (--l)
		n = n->slot[node_search(n, addr)];
	return n;
}

struct vm_area_struct *find_vma(struct mm_struct *mm, uaddr_t addr)
{
	const struct vma_node *n = mm->vmas.root;

	if (unlikely(!n) || addr >= node_end(n))
		return NULL;
	n = find_leaf(&mm->vmas, addr);
	return n->slot[node_search(n, addr)];
}

struct vm_area_struct *find_vma_prev(struct mm_struct *mm, uaddr_t addr,
				     struct vm_area_struct **prev)
{
	struct vm_area_struct *vma = NULL;
	const struct vma_node *leaf;
	struct vma_path p;
	unsigned i;

	*prev = NULL;
	if (!mm->vmas.root)
		return NULL;
	if (!path_find(&mm->vmas, addr, &p)) {
		*prev = p.node[0]->slot[p.idx[0]];
		return NULL;
	}
	leaf = p.node[0];
	i = p.idx[0];
	vma = leaf->slot[i];
	if (i)
		*prev = leaf->slot[i - 1];
	else if (leaf->prev)
		*prev = leaf->prev->slot[leaf->prev->count - 1];
	return vma;
}

struct vm_area_struct *find_vma_intersection(struct mm_struct *mm,
					     uaddr_t start, uaddr_t end)
{
	struct vm_area_struct *vma = find_vma(mm, start);

	return vma && vma->vm_start < end ? vma : NULL;
}

struct vm_area_struct *vma_next(struct vm_area_struct *vma)
{
	const struct vma_node *n = find_leaf(&vma->vm_mm->vmas, vma->vm_start);
	unsigned i = node_search(n, vma->vm_start) + 1;

	if (i < n->count)
		return n->slot[i];
	return n->next ? n->next->slot[0] : NULL;
}

struct vm_area_struct *vma_prev(struct vm_area_struct *vma)
{
	const struct vma_node *n = find_leaf(&vma->vm_mm->vmas, vma->vm_start);
	unsigned i = node_search(n, vma->vm_start);

	if (i)
		return n->slot[i - 1];
	return n->prev ? n->prev->slot[n->prev->count - 1] : NULL;
}

struct vm_area_struct *vma_first(struct mm_struct *mm)
{
	return find_vma(mm, 0);
}

/* ------------------------------------------------------------- free memory */

/*
 * Lowest fit in the subtree n at level; its first VMA's room begins at
 * `prev`.  0: none.  Only the gaps cut by low and high can disappoint, so the
 * walk goes down at most two subtrees in vain.
 */
static uaddr_t gap_bottomup(const struct vma_node *n, unsigned level,
			    uaddr_t prev, uaddr_t len, uaddr_t low,
			    uaddr_t high)
{
	uaddr_t start, end, found;
	unsigned i;

	for (i = 0; i < n->count && prev < high; prev = n->key[i++]) {
		if (n->gap[i] < len || n->key[i] <= low)
			continue;
		if (level) {
			found = gap_bottomup(n->slot[i], level - 1, prev, len,
					     low, high);
			if (found)
				return found;
			continue;
		}
		start = MAX(prev, low);
		end = MIN(prev + n->gap[i], high);
		if (end > start && end - start >= len)
			return start;
	}
	return 0;
}

static uaddr_t gap_topdown(const struct vma_node *n, unsigned level,
			   uaddr_t first, uaddr_t len, uaddr_t low,
			   uaddr_t high)
{
	uaddr_t prev, start, end, found;
	unsigned i = n->count;

	while (i--) {
		if (n->key[i] <= low)
			break;
		prev = i ? n->key[i - 1] : first;
		if (n->gap[i] < len || prev >= high)
			continue;
		if (level) {
			found = gap_topdown(n->slot[i], level - 1, prev, len,
					    low, high);
			if (found)
				return found;
			continue;
		}
		start = MAX(prev, low);
		end = MIN(prev + n->gap[i], high);
		if (end > start && end - start >= len)
			return end - len;
	}
	return 0;
}

uaddr_t vma_tree_gap_bottomup(struct mm_struct *mm, uaddr_t len, uaddr_t low,
			      uaddr_t high)
{
	const struct vma_tree *t = &mm->vmas;
	uaddr_t last = low, found;

	if (t->root) {
		found = gap_bottomup(t->root, t->height - 1, 0, len, low, high);
		if (found)
			return found;
		last = MAX(low, node_end(t->root));
	}
	return high > last && high - last >= len ? last : 0;
}

uaddr_t vma_tree_gap_topdown(struct mm_struct *mm, uaddr_t len, uaddr_t low,
			     uaddr_t high)
{
	const struct vma_tree *t = &mm->vmas;
	uaddr_t last = low;

	if (t->root)
		last = MAX(low, node_end(t->root));
	if (high > last && high - last >= len)
		return high - len;
	if (!t->root)
		return 0;
	return gap_topdown(t->root, t->height - 1, 0, len, low, high);
}

/* ------------------------------------------------------------------ check */

struct check {
	struct mm_struct *mm;
	const struct vma_node *last_leaf;
	uaddr_t end; /* of the VMA before */
	uint32_t vmas;
	unsigned bad;
};

static void check_fail(struct check *c, const char *what, uaddr_t addr)
{
	quire_printk(3, "vma tree of mm %u: %s at %llx", c->mm->id, what,
		     (unsigned long long)addr);
	c->bad++;
}

static void check_leaf(struct check *c, const struct vma_node *n)
{
	unsigned i;

	if (n->prev != c->last_leaf ||
	    (c->last_leaf && c->last_leaf->next != n))
		check_fail(c, "leaf links", n->key[0]);
	c->last_leaf = n;
	for (i = 0; i < n->count; i++) {
		const struct vm_area_struct *vma = n->slot[i];
		uaddr_t start = vm_start_gap(vma);

		if (vma->vm_mm != c->mm || vma->vm_end != n->key[i] ||
		    vma->vm_start >= vma->vm_end ||
		    !IS_ALIGNED(vma->vm_start | vma->vm_end,
				(uaddr_t)PAGE_SIZE))
			check_fail(c, "extent of the VMA", vma->vm_start);
		if (vma->vm_start < c->end)
			check_fail(c, "overlap", vma->vm_start);
		if (n->gap[i] != (start > c->end ? start - c->end : 0))
			check_fail(c, "gap", vma->vm_start);
		c->end = vma->vm_end;
		c->vmas++;
	}
}

static void check_node(struct check *c, const struct vma_node *n,
		       unsigned level)
{
	unsigned i;

	if (!n->count || n->count > VMA_FANOUT) {
		check_fail(c, "count of a node", c->end);
		return;
	}
	for (i = n->count; i < VMA_FANOUT; i++)
		if (n->key[i] != KEY_UNUSED)
			check_fail(c, "unused key", n->key[i]);
	if (!level) {
		check_leaf(c, n);
		return;
	}
	for (i = 0; i < n->count; i++) {
		const struct vma_node *child = n->slot[i];

		check_node(c, child, level - 1);
		if (n->key[i] != node_end(child) ||
		    n->gap[i] != node_max_gap(child))
			check_fail(c, "summary of a node", n->key[i]);
	}
}

unsigned vma_tree_check(struct mm_struct *mm)
{
	struct check c = {.mm = mm};

	if (mm->vmas.root)
		check_node(&c, mm->vmas.root, mm->vmas.height - 1);
	if (c.last_leaf && c.last_leaf->next)
		check_fail(&c, "leaf past the last", c.end);
	if (c.vmas != mm->vmas.count || c.vmas != mm->map_count)
		check_fail(&c, "number of VMAs", c.vmas);
	return c.bad;
}
