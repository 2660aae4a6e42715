/* SPDX-License-Identifier: MIT */
/*
 * lru.c - the order in which pages were used, for reclaim to go by.
 *
 *   fault --> this CPU's batch --(31 pages)--> node's lists, newest first
 *                                                inactive   active
 *                                        anon      [0]        [1]
 *                                        file      [2]        [3]
 *                                        unevictable   [4]
 *
 * A page in a batch has a reference for it and no PG_lru; on a list it has
 * PG_lru and no reference: who drops the last one takes it off (that is
 * free_page_batch).  A page used a second time moves to the active list.
 *
 * Locks: node.lru_lock guards the lists, PG_lru, and the flags that choose the
 * list (PG_active, PG_unevictable) once a page can be found there.  A batch is
 * its CPU's own, preemption off.
 */
#include "system.h"

static __always_inline void lru_link(struct quire_node *n, struct page *page)
{
	unsigned l = page_lru(page);

	SetPageFlag(page, PG_lru);
	list_add(&page->lru, &n->lru[l]);
	WRITE_ONCE(n->lru_count[l], n->lru_count[l] + 1);
}

static __always_inline void lru_unlink(struct quire_node *n, struct page *page)
{
	unsigned l = page_lru(page);

	list_del(&page->lru);
	WRITE_ONCE(n->lru_count[l], n->lru_count[l] - 1);
	ClearPageFlag(page, PG_lru);
}

/*
 * Preemption off (or all quiet): the batch's pages go to the lists.  Those
 * whose only reference is the batch's are not worth it: they are freed.
 * Most often all of them go to one list: the lock is kept, and the list looked
 * up again only where a page differs from the one before it.
 */
static void drain_batch(struct quire *q, struct lru_batch *b)
{
	const uint32_t which =
		1u << PG_active | 1u << PG_swapbacked | 1u << PG_unevictable;
	struct page **pages = b->pages, **end = pages + b->count, **p;
	struct page **dead = pages;
	struct quire_node *n = NULL;
	struct list_head *head = NULL;
	uint32_t f, last = 0;
	unsigned long *count = NULL;
	uint8_t node = 0;

	for (p = pages; p < end; p++) {
		struct page *page = *p;

		if (unlikely(page_count(page) == 1) &&
		    put_page_testzero(page)) {
			*dead++ = page;
			continue;
		}
		if (unlikely(!n || page->node != node)) {
			if (n)
				spin_unlock(&n->lru_lock);
			node = page->node;
			n = &q->node[node];
			spin_lock(&n->lru_lock);
			head = NULL;
		}
		f = READ_ONCE(page->flags) & which;
		if (unlikely(!head || f != last)) {
			unsigned l = page_lru(page);

			last = f;
			head = &n->lru[l];
			count = &n->lru_count[l];
		}
		SetPageFlag(page, PG_lru);
		list_add(&page->lru, head);
		WRITE_ONCE(*count, *count + 1);
		/* gone meanwhile: free_page_batch takes it off again */
		if (unlikely(put_page_testzero(page)))
			*dead++ = page;
	}
	if (n)
		spin_unlock(&n->lru_lock);
	b->count = 0;
	if (dead != pages)
		free_page_batch(q, pages, (unsigned)(dead - pages));
}

void lru_cache_add(struct quire *q, struct page *page, bool active)
{
	struct lru_batch *b;

	if (active)
		SetPageFlag(page, PG_active);
	get_page(page);
	quire_host_preempt_disable();
	b = &this_cpu(q)->lru_add;
	b->pages[b->count++] = page;
	if (unlikely(b->count == LRU_BATCH))
		drain_batch(q, b);
	quire_host_preempt_enable();
}

void lru_add_drain(struct quire *q)
{
	struct lru_batch *b;

	quire_host_preempt_disable();
	b = &this_cpu(q)->lru_add;
	if (b->count)
		drain_batch(q, b);
	quire_host_preempt_enable();
}

void lru_add_drain_all(struct quire *q)
{
	unsigned i;

	for (i = 0; i < q->cpus; i++)
		drain_batch(q, &q->cpu[i]->lru_add);
}

static __attribute__((noinline)) void activate(struct quire *q,
					       struct page *page)
{
	struct quire_node *n = &q->node[page->node];

	spin_lock(&n->lru_lock);
	if (PageFlag(page, PG_active) || PageFlag(page, PG_unevictable)) {
		spin_unlock(&n->lru_lock);
		return;
	}
	ClearPageFlag(page, PG_referenced);
	if (PageFlag(page, PG_lru)) {
		lru_unlink(n, page);
		SetPageFlag(page, PG_active);
		lru_link(n, page);
	} else { /* in a batch: it will go to the right list */
		SetPageFlag(page, PG_active);
	}
	count_vm_event(q, VM_pgactivate);
	spin_unlock(&n->lru_lock);
}

void mark_page_accessed(struct quire *q, struct page *page)
{
	uint32_t f = READ_ONCE(page->flags);

	if (!(f >> PG_referenced & 1u))
		SetPageFlag(page, PG_referenced);
	else if (!(f >> PG_active & 1u))
		activate(q, page);
}
