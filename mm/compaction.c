/* SPDX-License-Identifier: MIT */
/*
 * compaction.c - a large free block out of many small ones (R9).
 *
 *   frames of a node   | low -> movable pages            free pages <- high |
 *                         `------------------------------>'
 *   until the scanners meet, or a block of the order is free
 *
 * Pages are taken from below a block at a time, and only from blocks where all
 * could move: a page of objects or tables in it makes the work in vain.
 *
 * Who allocates under a lock that a page's mapping needs must not wait for it:
 * all locks are tried but the one for putting back what was taken out, which
 * was had a moment before.
 *
 * Locks: none is held on entry but those of who allocates; see migrate.c.
 */
#include "migrate.h"
#include "reclaim.h"
#include <quire/migrate.h>

#define BATCH 32u

struct compact {
	struct quire *q;
	struct quire_node *n;
	unsigned nid, order;
	uint64_t low, high; /* the scanners; frames */
	unsigned nr, nr_free;
	struct page *pages[BATCH], *free[BATCH];
};

/* Is a block of the order free? */
static bool block_free(const struct quire_node *n, unsigned order)
{
	for (; order < MAX_ORDER; order++)
		if (READ_ONCE(n->nr_free_order[order]))
			return true;
	return false;
}

/* Could all of the block that begins at pfn be free? */
static bool block_suits(const struct compact *c, uint64_t pfn)
{
	const uint32_t unmovable = 1u << PG_slab | 1u << PG_table |
				   1u << PG_reserved | 1u << PG_host |
				   1u << PG_hwpoison | 1u << PG_unevictable;
	uint64_t end = pfn + (1ull << c->order);
	const struct page *page;

	if (!pfn_valid(c->q, pfn) || !pfn_valid(c->q, end - 1))
		return false;
	for (; pfn < end; pfn++) {
		page = pfn_to_page(c->q, pfn);
		if (page->node != c->nid || READ_ONCE(page->pins) ||
		    (READ_ONCE(page->flags) & unmovable))
			return false;
	}
	return true;
}

/* Up to BATCH pages from the low end of what is left. */
static void take_pages(struct compact *c)
{
	struct page *page;
	uint64_t scanned = 0;

	while (c->low < c->high && c->nr < BATCH) {
		if (IS_ALIGNED(c->low, 1ull << c->order) &&
		    !block_suits(c, c->low)) {
			c->low += 1ull << c->order;
			continue;
		}
		page = pfn_to_page(c->q, c->low++);
		scanned++;
		if (page->node == c->nid && isolate_lru_page(c->q, page))
			c->pages[c->nr++] = page;
	}
	count_vm_events(c->q, VM_compact_migrate_scanned, (long)scanned);
	count_vm_events(c->q, VM_compact_isolated, (long)c->nr);
}

/* As many free pages from the high end. */
static void take_free_pages(struct compact *c)
{
	uint64_t scanned = 0;
	struct page *page;

	while (c->high > c->low && c->nr_free < c->nr) {
		page = pfn_to_page(c->q, --c->high);
		scanned++;
		if (page->node == c->nid && take_free_page(c->q, page))
			c->free[c->nr_free++] = page;
	}
	count_vm_events(c->q, VM_compact_free_scanned, (long)scanned);
}

static struct page *get_taken(struct migrate_target *t)
{
	struct compact *c = t->arg;

	return c->nr_free ? c->free[--c->nr_free] : NULL;
}

/* One batch.  False: the scanners have met. */
static bool compact_batch(struct compact *c)
{
	struct migrate_target t = {.get = get_taken, .q = c->q, .arg = c};

	c->nr = 0;
	take_pages(c);
	if (!c->nr)
		return false;
	take_free_pages(c);
	(void)migrate_pages(c->q, c->pages, c->nr, &t, false, NULL);
	while (c->nr_free)
		put_page(c->q, c->free[--c->nr_free]);
	/* what they left is on this CPU's stack */
	pcp_drain(c->q);
	return c->low < c->high;
}

bool compact_node(struct quire *q, struct quire_node *n, unsigned order)
{
	struct compact c = {.q = q,
			    .n = n,
			    .nid = (unsigned)(n - q->node),
			    .order = order,
			    .low = ALIGN_UP(q->min_pfn, 1ull << order),
			    .high = q->max_pfn};
	struct quire_task *task = quire_host_current();
	bool done;

	/* with fewer there is nothing to put them in, or no block in the end */
	if (order >= MAX_ORDER ||
	    READ_ONCE(n->nr_free) < n->watermark[WMARK_MIN] + (2ul << order))
		return false;
	count_vm_events(q, VM_compact_stall, 1);
	lru_add_drain_all(q);
	pcp_drain_all(q);
	done = block_free(n, order);
	task->reclaiming++; /* it must not come here again */
	while (!done && compact_batch(&c))
		done = block_free(n, order);
	task->reclaiming--;
	done = done || block_free(n, order);
	count_vm_events(q, done ? VM_compact_success : VM_compact_fail, 1);
	return done;
}

bool quire_compact(struct quire *q, unsigned order)
{
	bool done = false;
	unsigned i;

	for (i = 0; i < q->nodes; i++)
		done |= compact_node(q, &q->node[i], order);
	return done;
}
