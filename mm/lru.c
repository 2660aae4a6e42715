/* SPDX-License-Identifier: MIT */
/*
 * lru.c - the lists that reclaim takes its pages from.
 *
 *   fault --> this CPU's batch --(31 pages)--> node's lists, newest first
 *                                                 0      1      2      3
 *                                        anon   [   ]  [   ]  [   ]  [   ]
 *                                        file   [   ]  [   ]  [   ]  [   ]
 *                                        unevictable   [   ]
 *
 * What the lists mean is the policy's (policy.h): it says which one a page
 * enters, and where it goes when it was used.  This file moves them.
 *
 * A page in a batch has a reference for it and no PG_lru; on a list it has
 * PG_lru and no reference: who drops the last one takes it off (that is
 * free_page_batch).  A page that is isolated has neither list nor batch, but a
 * reference of whoever works on it.
 *
 * Locks: node.lru_lock guards the lists, PG_lru, the policy's words of the node
 * and the flags that choose the list (PAGE_LRU_FLAGS, PG_uses_*), once a page
 * can be found there.  A batch is its CPU's own (cpu_lists_begin).
 */
#include "reclaim.h"

static __always_inline void lru_link(struct quire_node *n, struct page *page)
{
	unsigned l = page_lru(page);
	unsigned long *count = lru_count(n, l);

	SetPageFlag(page, PG_lru);
	list_add(&page->lru, &n->lru[l]);
	WRITE_ONCE(*count, *count + 1);
}

/* -------------------------------------------------- a page, to the policy */

void lru_page_get(const struct page *page, struct quire_lru_page *lp)
{
	uint32_t f = READ_ONCE(page->flags);

	*lp = (struct quire_lru_page){
		.kind = (uint8_t)page_lru_kind(page),
		.list = (uint8_t)((f >> PG_active & 1u) |
				  (f >> PG_list_high & 1u) << 1),
		.uses = (uint8_t)((f >> PG_uses_low & 1u) |
				  (f >> PG_uses_high & 1u) << 1),
		.touched = f >> PG_referenced & 1u,
	};
}

void lru_page_set(struct quire *q, struct page *page,
		  const struct quire_lru_page *lp)
{
	const uint32_t all = 1u << PG_active | 1u << PG_list_high |
			     1u << PG_uses_low | 1u << PG_uses_high |
			     1u << PG_referenced;
	uint32_t old = READ_ONCE(page->flags);
	uint32_t was = (old >> PG_active & 1u) | (old >> PG_list_high & 1u) * 2;
	uint32_t set = (uint32_t)(lp->list & 1u) << PG_active |
		       (uint32_t)(lp->list >> 1 & 1u) << PG_list_high |
		       (uint32_t)(lp->uses & 1u) << PG_uses_low |
		       (uint32_t)(lp->uses >> 1 & 1u) << PG_uses_high |
		       (uint32_t)lp->touched << PG_referenced;

	if ((old & all) != set) {
		__atomic_fetch_and(&page->flags, ~(all & ~set),
				   __ATOMIC_RELAXED);
		__atomic_fetch_or(&page->flags, set, __ATOMIC_RELAXED);
	}
	if (lp->list > was)
		count_vm_event(q, VM_pgactivate);
	else if (lp->list < was)
		count_vm_event(q, VM_pgdeactivate);
}

/* lru_lock held: a page that was never evicted, or not lately, comes in. */
static __noinline void policy_enter(struct quire *q, struct quire_node *n,
				    struct page *page)
{
	struct quire_lru_page lp;

	/* (then it was asked about already) */
	if (READ_ONCE(page->flags) &
	    (1u << PG_workingset | 1u << PG_unevictable))
		return;
	lru_page_get(page, &lp);
	q->config.reclaim->enter(&n->state, &lp);
	lru_page_set(q, page, &lp);
}

void lru_note_refault(struct quire *q, struct page *page, uint64_t distance)
{
	const struct quire_reclaim_policy *policy = q->config.reclaim;
	struct quire_node *n = &q->node[page->node];
	struct quire_lru_page lp;
	unsigned kind;

	spin_lock(&n->lru_lock);
	lru_page_get(page, &lp);
	kind = lp.kind;
	lp.refault = true;
	lp.distance = distance;
	n->state.refaulted[kind]++;
	if (policy->refault)
		policy->refault(&n->state, &lp);
	else if (policy->enter)
		policy->enter(&n->state, &lp);
	lru_page_set(q, page, &lp);
	SetPageFlag(page, PG_workingset);
	mod_vmstat(q,
		   kind == QUIRE_LRU_ANON ? VM_workingset_refault_anon
					  : VM_workingset_refault_file,
		   1);
	if (lp.list)
		mod_vmstat(q,
			   kind == QUIRE_LRU_ANON ? VM_workingset_activate_anon
						  : VM_workingset_activate_file,
			   1);
	spin_unlock(&n->lru_lock);
}

/* ------------------------------------------------------------ the batches */

/*
 * Preemption off: the batch's pages go to the lists.  Those whose only
 * reference is the batch's are not worth it: they are freed.
 * Most often all of them go to one list: the lock is kept, and the list looked
 * up again only where a page differs from the one before it.
 */
static __always_inline void __drain_batch(struct quire *q, struct lru_batch *b,
					  bool ask)
{
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
		if (ask)
			policy_enter(q, n, page);
		f = READ_ONCE(page->flags) & PAGE_LRU_FLAGS;
		if (unlikely(!head || f != last)) {
			unsigned l = page_lru(page);

			last = f;
			head = &n->lru[l];
			count = lru_count(n, l);
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

static void drain_batch(struct quire *q, struct lru_batch *b)
{
	if (unlikely(q->config.reclaim->enter))
		__drain_batch(q, b, true);
	else
		__drain_batch(q, b, false);
}

void lru_cache_add(struct quire *q, struct page *page, bool active)
{
	struct quire_cpu *c;

	if (active)
		SetPageFlag(page, PG_active);
	get_page(page);
	quire_host_preempt_disable();
	c = this_cpu(q);
	cpu_lists_begin(c);
	c->lru_add.pages[c->lru_add.count++] = page;
	if (unlikely(c->lru_add.count == LRU_BATCH))
		drain_batch(q, &c->lru_add);
	cpu_lists_end(c);
	quire_host_preempt_enable();
}

void lru_add_drain(struct quire *q)
{
	struct quire_cpu *c;

	quire_host_preempt_disable();
	c = this_cpu(q);
	if (c->lru_add.count) {
		cpu_lists_begin(c);
		drain_batch(q, &c->lru_add);
		cpu_lists_end(c);
	}
	quire_host_preempt_enable();
}

void lru_add_drain_all(struct quire *q)
{
	struct lru_batch b = {.count = 0};
	struct list_head pages;
	struct page *page;

	lru_add_drain(q);
	steal_cpu_pages(q, true, &pages);
	quire_host_preempt_disable();
	while (!list_empty(&pages)) {
		page = list_first_entry(&pages, struct page, lru);
		list_del(&page->lru);
		b.pages[b.count++] = page;
		if (b.count == LRU_BATCH || list_empty(&pages))
			drain_batch(q, &b);
	}
	quire_host_preempt_enable();
}

/* ------------------------------------------------------------------- used */

static __noinline void page_used(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];
	struct quire_lru_page lp;

	spin_lock(&n->lru_lock);
	lru_page_get(page, &lp);
	if (!PageFlag(page, PG_unevictable) &&
	    q->config.reclaim->used(&n->state, &lp)) {
		/* (in a batch, or isolated: it will go to the right list) */
		bool listed = PageFlag(page, PG_lru);

		if (listed)
			lru_unlink(n, page);
		lru_page_set(q, page, &lp);
		if (listed)
			lru_link(n, page);
	}
	spin_unlock(&n->lru_lock);
}

void mark_page_accessed(struct quire *q, struct page *page)
{
	const uint32_t most = 1u << PG_uses_low | 1u << PG_uses_high;
	uint32_t f = READ_ONCE(page->flags);

	if (!(f >> PG_referenced & 1u))
		SetPageFlag(page, PG_referenced);
	else if ((f & most) != most && q->config.reclaim->used)
		page_used(q, page);
}

/* --------------------------------------------------------------- isolated */

bool isolate_lru_page(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];
	bool got;

	spin_lock(&n->lru_lock);
	got = PageFlag(page, PG_lru) && try_get_page(page);
	if (got) {
		lru_unlink(n, page);
		ClearPageFlag(page, PG_lru);
	}
	spin_unlock(&n->lru_lock);
	return got;
}

void putback_lru_pages(struct quire *q, struct page **pages, unsigned nr)
{
	struct quire_node *n = NULL;
	unsigned i, dead = 0;

	for (i = 0; i < nr; i++) {
		struct page *page = pages[i];

		if (n != &q->node[page->node]) {
			if (n)
				spin_unlock(&n->lru_lock);
			n = &q->node[page->node];
			spin_lock(&n->lru_lock);
		}
		lru_link(n, page);
		if (put_page_testzero(page))
			pages[dead++] = page;
	}
	if (n)
		spin_unlock(&n->lru_lock);
	if (dead)
		free_page_batch(q, pages, dead);
}

void putback_lru_page(struct quire *q, struct page *page)
{
	putback_lru_pages(q, &page, 1);
}

void rotate_reclaimable_page(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];

	spin_lock(&n->lru_lock);
	if (PageFlag(page, PG_lru) && !PageFlag(page, PG_unevictable)) {
		list_move_tail(&page->lru, &n->lru[page_lru(page)]);
		count_vm_event(q, VM_pgrotated);
	}
	spin_unlock(&n->lru_lock);
}

/* lru_lock held: to list 0 of its kind, not used; tail: the next to go. */
static void to_list_0(struct quire *q, struct quire_node *n, struct page *page,
		      bool tail)
{
	struct quire_lru_page lp;

	lru_page_get(page, &lp);
	lp.list = 0;
	lp.uses = 0;
	lp.touched = false;
	lru_page_set(q, page, &lp);
	if (!PageFlag(page, PG_lru))
		return;
	lru_link(n, page);
	if (tail)
		list_move_tail(&page->lru, &n->lru[page_lru(page)]);
}

void deactivate_page(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];

	spin_lock(&n->lru_lock);
	if (!PageFlag(page, PG_unevictable)) {
		if (PageFlag(page, PG_lru))
			lru_unlink(n, page);
		to_list_0(q, n, page, true);
	}
	spin_unlock(&n->lru_lock);
}

void lru_keep_off(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];
	struct quire_lru_page lp;

	if (q->config.reclaim->lists < 2)
		return;
	spin_lock(&n->lru_lock);
	lru_page_get(page, &lp);
	lp.list = !lp.list;
	lru_page_set(q, page, &lp);
	spin_unlock(&n->lru_lock);
}

void mark_page_lazyfree(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];

	spin_lock(&n->lru_lock);
	if (PageFlag(page, PG_swapbacked) && !PageFlag(page, PG_unevictable)) {
		if (PageFlag(page, PG_lru))
			lru_unlink(n, page);
		ClearPageFlag(page, PG_swapbacked);
		to_list_0(q, n, page, false);
		count_vm_event(q, VM_pglazyfree);
	}
	spin_unlock(&n->lru_lock);
}

void lru_set_unevictable(struct quire *q, struct quire_node *n,
			 struct page *page, bool on)
{
	/* (in a batch, or isolated: it will go to the right list) */
	bool listed = PageFlag(page, PG_lru);

	if (listed)
		lru_unlink(n, page);
	if (on)
		SetPageFlag(page, PG_unevictable);
	else
		ClearPageFlag(page, PG_unevictable);
	if (listed)
		lru_link(n, page);
	count_vm_event(q, on ? VM_unevictable_pgs_culled
			     : VM_unevictable_pgs_rescued);
}
