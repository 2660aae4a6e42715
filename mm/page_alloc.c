/* SPDX-License-Identifier: MIT */
/*
 * page_alloc.c - physical pages: the buddy lists of each node, and a small
 * stack of free pages for each CPU in front of them.
 *
 *   alloc_pages(0) <---.              .---> free, order 0
 *                   [ this CPU's stack ]          no lock, preemption off
 *                     | refill   ^ spill          a batch at a time
 *                     v          |
 *   node.free[0]  ->  page -> page                under node.lock (ZONE)
 *   node.free[1]  ->  page --- page
 *     ...                                         blocks of 2^order pages,
 *   node.free[10] ->  block of 4 MiB              aligned to their size
 *
 * A block's buddy is the one whose frame number differs in bit `order` alone;
 * when both are free they become one block of the next order.  Only a free
 * block's first page has PG_buddy, and its order with it, both under the lock.
 *
 * Pages that are freed together mostly were allocated together.  So a spill
 * looks for runs of neighbouring frames first and gives them to the lists as
 * whole blocks, which saves most of the merging.
 *
 * Watermarks, per node (vmscan.c draws them): below `low` background reclaim is
 * asked for (of several nodes all must be there first); an ordinary allocation
 * stops at `min`, and reclaims itself where it may (__GFP_RECLAIM).  What is
 * below is a reserve: most of it for those who cannot wait (__GFP_RESERVE),
 * some of the rest for a task that is to die of this shortage, the last pages
 * for reclaim itself, which needs some to free more.
 *
 * A free page has no flags (but PG_buddy), no references and no mapping, so
 * that handing one out is little more than one load.
 */
#include "migrate.h"
#include "reclaim.h"
#include <asm/pgtable.h>

/* No page may be freed with one of these.  PG_waiters may be left: who sets it
 * just after the page was unlocked does not wait. */
#define PAGE_FLAGS_AT_FREE                                                     \
	(1u << PG_locked | 1u << PG_writeback | 1u << PG_buddy |               \
	 1u << PG_slab | 1u << PG_table | 1u << PG_reserved | 1u << PG_tail)

#ifdef QUIRE_DEBUG
#define debug_pages_freed(q, page, order)                                      \
	quire_host_debug_pages_freed(page_address(q, page),                    \
				     PAGE_SIZE << (order))
#define debug_pages_taken(q, page, order)                                      \
	quire_host_debug_pages_taken(page_address(q, page),                    \
				     PAGE_SIZE << (order))
#else
#define debug_pages_freed(q, page, order)                                      \
	((void)(q), (void)(page), (void)(order))
#define debug_pages_taken(q, page, order)                                      \
	((void)(q), (void)(page), (void)(order))
#endif

/* ------------------------------------------------------------ buddy lists */

static void buddy_add(struct quire_node *n, struct page *page, unsigned order)
{
	page->order = (uint8_t)order;
	__SetPageFlag(page, PG_buddy);
	list_add(&page->lru, &n->free[order]);
	n->nr_free_order[order]++;
}

static void buddy_del(struct quire_node *n, struct page *page)
{
	list_del(&page->lru);
	WRITE_ONCE(page->flags, 0u);
	n->nr_free_order[page->order]--;
}

/* n->lock held: a block becomes free; it is joined with its free buddies. */
static void buddy_free(struct quire *q, struct quire_node *n, struct page *page,
		       unsigned order)
{
	uint64_t pfn = page_to_pfn(q, page);
	struct page *buddy;

	WRITE_ONCE(n->nr_free, n->nr_free + (1ul << order));
	for (; order < MAX_ORDER - 1; order++) {
		uint64_t other = pfn ^ (1ull << order);

		if (!pfn_valid(q, other))
			break;
		buddy = pfn_to_page(q, other);
		if (!PageFlag(buddy, PG_buddy) || buddy->order != order ||
		    buddy->node != page->node)
			break;
		buddy_del(n, buddy);
		pfn &= other;
		page = pfn_to_page(q, pfn);
	}
	buddy_add(n, page, order);
}

/* n->lock held: a block of `order`, split off a larger one if need be. */
static struct page *buddy_take(struct quire_node *n, unsigned order)
{
	struct page *page;
	unsigned o = order;

	while (list_empty(&n->free[o]))
		if (++o == MAX_ORDER)
			return NULL;
	page = list_first_entry(&n->free[o], struct page, lru);
	buddy_del(n, page);
	while (o > order) {
		o--;
		buddy_add(n, page + (1u << o), o);
	}
	page->order = (uint8_t)order;
	WRITE_ONCE(n->nr_free, n->nr_free - (1ul << order));
	return page;
}

/* In gfp, the task's own right to the reserve: who reclaims, who is to die. */
#define __GFP_RECLAIMER 0x40000000u
#define __GFP_VICTIM	0x20000000u

/* How many pages of n an allocation may take before it must stop. */
static unsigned long node_room(const struct quire_node *n, gfp_t gfp)
{
	unsigned long keep = READ_ONCE(n->watermark[WMARK_MIN]);
	unsigned long nr = READ_ONCE(n->nr_free);

	if (unlikely(gfp & __GFP_RECLAIMER))
		keep = 0;
	else if (unlikely(gfp & __GFP_VICTIM))
		keep /= 8;
	else if (gfp & __GFP_RESERVE)
		keep /= 4;
	return nr > keep ? nr - keep : 0;
}

/* As many as that, but of the reserve only what is asked for: the rest of a
 * batch would be anybody's. */
static uint32_t batch_room(const struct quire *q, const struct quire_node *n,
			   gfp_t gfp)
{
	unsigned long room = node_room(n, 0);

	if (unlikely(!room))
		return node_room(n, gfp) != 0;
	return (uint32_t)MIN(room, q->pcp_batch);
}

/* Pages were taken from n: are there few enough left for reclaim to begin? */
static void look_at_low(struct quire *q, const struct quire_node *n)
{
	if (unlikely(READ_ONCE(n->nr_free) <
		     READ_ONCE(n->watermark[WMARK_LOW])))
		wakeup_reclaim(q);
}

unsigned first_node(const struct quire *q)
{
	if (likely(q->nodes == 1))
		return 0;
	return (unsigned)divide(quire_host_cpu() * q->nodes, q->cpus);
}

static unsigned next_node(const struct quire *q, unsigned nid)
{
	return nid + 1 == q->nodes ? 0 : nid + 1;
}

/*
 * The node to look at first for so many pages: from this CPU's own on, the
 * first that keeps more than `low`.  While there is one, no other is emptied
 * further, and nothing has to be reclaimed.
 */
static unsigned roomy_node(const struct quire *q, unsigned long pages)
{
	unsigned i, own = first_node(q), nid = own;

	for (i = 0; q->nodes > 1 && i < q->nodes; i++) {
		const struct quire_node *n = &q->node[nid];

		if (READ_ONCE(n->nr_free) >=
		    READ_ONCE(n->watermark[WMARK_LOW]) + pages)
			return nid;
		nid = next_node(q, nid);
	}
	return own;
}

static struct page *rmqueue(struct quire *q, gfp_t gfp, unsigned order)
{
	unsigned i, nid = roomy_node(q, 1ul << order);
	struct page *page = NULL;

	for (i = 0; i < q->nodes && !page; i++) {
		struct quire_node *n = &q->node[nid];

		spin_lock(&n->lock);
		if (node_room(n, gfp) >= 1ull << order)
			page = buddy_take(n, order);
		if (page)
			mod_vmstat(q, VM_pgalloc, 1l << order);
		spin_unlock(&n->lock);
		look_at_low(q, n);
		nid = next_node(q, nid);
	}
	return page;
}

/* ------------------------------------------------------- the CPUs' stacks */

/* n->lock held: take up to `want` single pages, in blocks, onto the stack. */
static void refill_from(struct quire_node *n, struct pcp_list *pcp,
			uint32_t want)
{
	while (want) {
		unsigned order = 31u - (unsigned)__builtin_clz(want);
		uint32_t i, count = pcp->count;
		struct page *page;

		order = MIN(order, MAX_ORDER - 1u);
		while (!(page = buddy_take(n, order)))
			if (order-- == 0)
				return;
		/* the lowest frame is to be popped first */
		for (i = 1u << order; i-- > 0;) {
			page[i].order = 0;
			pcp->pages[count++] = &page[i];
		}
		WRITE_ONCE(pcp->count, count);
		want -= 1u << order;
	}
}

/* Preemption off, this CPU's stack is empty: get a batch.  False: none. */
static __noinline bool pcp_refill(struct quire *q, struct pcp_list *pcp,
				  gfp_t gfp)
{
	unsigned i, nid = roomy_node(q, q->pcp_batch);

	for (i = 0; i < q->nodes && !pcp->count; i++) {
		struct quire_node *n = &q->node[nid];

		spin_lock(&n->lock);
		refill_from(n, pcp, batch_room(q, n, gfp));
		spin_unlock(&n->lock);
		look_at_low(q, n);
		nid = next_node(q, nid);
	}
	return pcp->count != 0;
}

/* Length of the run of neighbouring frames at pages[0]; *first: the lowest. */
static uint32_t run_length(struct page **pages, uint32_t n, struct page **first)
{
	ptrdiff_t step = n > 1 && pages[1] < pages[0] ? -1 : 1;
	uint32_t k = 1;

	while (k < n && pages[k] == pages[k - 1] + step &&
	       pages[k]->node == pages[0]->node)
		k++;
	*first = step > 0 ? pages[0] : pages[k - 1];
	return k;
}

/* Order-0 pages go to the buddy lists; nobody else can see them. */
static void spill(struct quire *q, struct page **pages, uint32_t count)
{
	struct quire_node *n = NULL;

	while (count) {
		struct page *page;
		uint32_t run = run_length(pages, count, &page);

		if (n != &q->node[page->node]) {
			if (n)
				spin_unlock(&n->lock);
			n = &q->node[page->node];
			spin_lock(&n->lock);
		}
		pages += run;
		count -= run;
		while (run) {
			uint64_t pfn = page_to_pfn(q, page);
			unsigned fit = 31u - (unsigned)__builtin_clz(run);
			unsigned top = (unsigned)pfn | 1u << (MAX_ORDER - 1);
			unsigned order = MIN(fit, (unsigned)__builtin_ctz(top));

			buddy_free(q, n, page, order);
			page += 1u << order;
			run -= 1u << order;
		}
	}
	if (n)
		spin_unlock(&n->lock);
}

/* Preemption off: the stack is full; its oldest pages go to the lists. */
static __noinline void pcp_spill(struct quire *q, struct pcp_list *pcp)
{
	uint32_t n = MIN(q->pcp_batch * 2, pcp->count);

	spill(q, pcp->pages, n);
	WRITE_ONCE(pcp->count, pcp->count - n);
	memmove(pcp->pages, pcp->pages + n, pcp->count * sizeof(pcp->pages[0]));
}

static __always_inline void pcp_push(struct quire *q, struct quire_cpu *c,
				     struct page *page)
{
	if (unlikely(c->pcp.count >= q->pcp_high))
		pcp_spill(q, &c->pcp);
	c->pcp.pages[c->pcp.count] = page;
	WRITE_ONCE(c->pcp.count, c->pcp.count + 1);
}

/* This CPU's stack goes to the lists. */
void pcp_drain(struct quire *q)
{
	struct quire_cpu *c;

	quire_host_preempt_disable();
	c = this_cpu(q);
	cpu_lists_begin(c);
	spill(q, c->pcp.pages, c->pcp.count);
	WRITE_ONCE(c->pcp.count, 0u);
	cpu_lists_end(c);
	quire_host_preempt_enable();
}

void pcp_drain_all(struct quire *q)
{
	struct page *batch[PCP_BATCH], *page;
	struct list_head pages;
	uint32_t n = 0;

	pcp_drain(q);
	steal_cpu_pages(q, false, &pages);
	while (!list_empty(&pages)) {
		page = list_first_entry(&pages, struct page, lru);
		list_del(&page->lru);
		batch[n++] = page;
		if (n == PCP_BATCH || list_empty(&pages)) {
			spill(q, batch, n);
			n = 0;
		}
	}
}

uint64_t nr_free_pages(struct quire *q)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < q->nodes; i++)
		sum += READ_ONCE(q->node[i].nr_free);
	for (i = 0; i < q->cpus; i++)
		sum += READ_ONCE(q->cpu[i]->pcp.count);
	return sum;
}

/* -------------------------------------------------------------- allocating */

/* What the current task may have of the reserve. */
static gfp_t task_rights(gfp_t gfp)
{
	const struct quire_task *task = quire_host_current();

	if (!task) /* the system is being made */
		return gfp & ~__GFP_RECLAIM;
	if (task->reclaiming)
		gfp |= __GFP_RECLAIMER;
	if (READ_ONCE(task->oom_victim))
		gfp |= __GFP_VICTIM;
	return gfp;
}

/* Rounds of reclaim that free pages which others take first. */
#define MAX_ROUNDS 1000u

/* Memory is free, but not in one piece. */
static bool compact_for(struct quire *q, unsigned order)
{
	const struct quire_task *task = quire_host_current();
	unsigned i;

	if (!task || task->reclaiming)
		return false;
	for (i = 0; i < q->nodes; i++)
		if (compact_node(q, &q->node[i], order))
			return true;
	return false;
}

/*
 * Reclaim, and look again, for as long as that brings anything.  Then what
 * other CPUs hold back; then, for user memory, wait until some of what is dirty
 * is written.  NULL: there is nothing to be had.
 */
static struct page *reclaim_and_retry(struct quire *q, gfp_t gfp,
				      unsigned order)
{
	bool others = false;
	struct page *page;
	unsigned round;

	for (round = 0; round < MAX_ROUNDS; round++) {
		uint64_t freed = try_to_free_pages(q, gfp, order);

		pcp_drain(q); /* what was freed lies on this CPU's stack */
		page = rmqueue(q, gfp, order);
		if (!page && order && round % 16 == 15 && compact_for(q, order))
			page = rmqueue(q, gfp, order);
		if (page)
			return page;
		/* he is waited for; and what he has will be free */
		if (gfp & __GFP_VICTIM)
			break;
		if (freed)
			continue;
		if (!others) {
			others = true;
			lru_add_drain_all(q);
			pcp_drain_all(q);
		} else if (!(gfp & __GFP_MOVABLE) || !reclaim_writeback(q)) {
			break;
		}
	}
	return NULL;
}

/*
 * The lists had nothing above the watermark (or order > 0).  Give this CPU's
 * stack back so that blocks can form; use the task's rights; reclaim.
 */
static __noinline struct page *alloc_slow(struct quire *q, gfp_t gfp,
					  unsigned order)
{
	struct page *page;

	if (order >= MAX_ORDER)
		return NULL;
	gfp = task_rights(gfp);
	page = rmqueue(q, gfp, order);
	if (page || !(gfp & __GFP_RECLAIM))
		return page;
	pcp_drain(q);
	page = rmqueue(q, gfp, order);
	if (page || (gfp & __GFP_RECLAIMER))
		return page;
	if (order && compact_for(q, order)) {
		page = rmqueue(q, gfp, order);
		if (page)
			return page;
	}
	page = reclaim_and_retry(q, gfp, order);
	/*
	 * A table is wanted under locks with which nothing can be written.
	 * With it, memory is asked for that can wait for that (and a table is
	 * one page in hundreds).
	 */
	if (!page && (gfp & __GFP_TABLE))
		page = rmqueue(q, gfp | __GFP_RESERVE, order);
	return page;
}

/* One page, from this CPU's stack. */
static __always_inline struct page *alloc_one(struct quire *q, gfp_t gfp)
{
	struct page *page = NULL;
	struct quire_cpu *c;
	uint32_t n;

	quire_host_preempt_disable();
	c = this_cpu(q);
	cpu_lists_begin(c);
	n = c->pcp.count;
	if (likely(n) || pcp_refill(q, &c->pcp, gfp)) {
		n = c->pcp.count - 1;
		page = c->pcp.pages[n];
		WRITE_ONCE(c->pcp.count, n);
		WRITE_ONCE(c->stat[VM_pgalloc], c->stat[VM_pgalloc] + 1);
	}
	cpu_lists_end(c);
	quire_host_preempt_enable();
	return page;
}

static __always_inline void clear_pages(char *p, unsigned order)
{
	uint32_t i;

	clear_page(p);
	for (i = 1; unlikely(i < 1u << order); i++)
		clear_page(p + i * PAGE_SIZE);
}

static __always_inline struct page *__alloc_pages(struct quire *q, gfp_t gfp,
						  unsigned order)
{
	struct page *page = NULL;

	if (likely(order == 0))
		page = alloc_one(q, gfp);
	if (unlikely(!page)) {
		page = alloc_slow(q, gfp, order);
		if (!page)
			return NULL;
	}
	WRITE_ONCE(page->_refcount, 1u);
	debug_pages_taken(q, page, order);
	if (gfp & __GFP_ZERO)
		clear_pages(page_address(q, page), order);
	return page;
}

struct page *alloc_pages(struct quire *q, gfp_t gfp, unsigned order)
{
	if (gfp & __GFP_RECLAIM)
		might_sleep();
#ifdef QUIRE_INJECT
	if (quire_host_should_fail(gfp & __GFP_TABLE ? 2 : 0,
				   PAGE_SIZE << order))
		return NULL;
#endif
	return __alloc_pages(q, gfp, order);
}

/* n->lock held: a page below max_pfn out of any block, or NULL. */
static struct page *buddy_take_below(struct quire *q, struct quire_node *n,
				     uint64_t max_pfn)
{
	struct page *page;
	unsigned o;

	for (o = 0; o < MAX_ORDER; o++)
		list_for_each_entry (page, &n->free[o], struct page, lru) {
			if (page_to_pfn(q, page) >= max_pfn)
				continue;
			buddy_del(n, page);
			while (o--)
				buddy_add(n, page + (1u << o), o);
			page->order = 0;
			WRITE_ONCE(n->nr_free, n->nr_free - 1);
			return page;
		}
	return NULL;
}

struct page *page_below(struct quire *q, struct page *page, gfp_t gfp,
			uint64_t max_pfn)
{
	unsigned i;

	if (!page || page_to_pfn(q, page) < max_pfn)
		return page;
	put_page(q, page);
	for (i = 0, page = NULL; i < q->nodes && !page; i++) {
		struct quire_node *n = &q->node[i];

		spin_lock(&n->lock);
		if (node_room(n, gfp))
			page = buddy_take_below(q, n, max_pfn);
		spin_unlock(&n->lock);
	}
	if (!page)
		return NULL;
	quire_host_preempt_disable();
	mod_vmstat(q, VM_pgalloc, 1);
	quire_host_preempt_enable();
	WRITE_ONCE(page->_refcount, 1u);
	debug_pages_taken(q, page, 0);
	if (gfp & __GFP_ZERO)
		clear_page(page_address(q, page));
	return page;
}

struct page *alloc_page_on(struct quire *q, unsigned node, gfp_t gfp)
{
	struct quire_node *n = &q->node[node];
	struct page *page = NULL;

#ifdef QUIRE_INJECT
	if (quire_host_should_fail(0, PAGE_SIZE))
		return NULL;
#endif
	spin_lock(&n->lock);
	if (node_room(n, gfp))
		page = buddy_take(n, 0);
	if (page)
		mod_vmstat(q, VM_pgalloc, 1);
	spin_unlock(&n->lock);
	if (!page)
		return NULL;
	WRITE_ONCE(page->_refcount, 1u);
	debug_pages_taken(q, page, 0);
	return page;
}

/* n->lock held: the first page of the free block that page is in, or NULL. */
static struct page *free_block_of(struct quire *q, struct page *page)
{
	uint64_t pfn = page_to_pfn(q, page), first;
	struct page *head;
	unsigned o;

	for (o = 0; o < MAX_ORDER; o++) {
		first = ALIGN_DOWN(pfn, 1ull << o);
		if (!pfn_valid(q, first))
			return NULL;
		head = pfn_to_page(q, first);
		if (PageFlag(head, PG_buddy))
			return head->order >= o ? head : NULL;
	}
	return NULL;
}

bool take_free_page(struct quire *q, struct page *page)
{
	struct quire_node *n = &q->node[page->node];
	struct page *block;
	unsigned o;

	spin_lock(&n->lock);
	block = free_block_of(q, page);
	if (!block) {
		spin_unlock(&n->lock);
		return false;
	}
	o = block->order;
	buddy_del(n, block);
	while (o--) { /* the half that it is not in stays free */
		struct page *half = block + (1u << o);
		bool upper = page >= half;

		buddy_add(n, upper ? block : half, o);
		block = upper ? half : block;
	}
	page->order = 0;
	WRITE_ONCE(n->nr_free, n->nr_free - 1);
	mod_vmstat(q, VM_pgalloc, 1);
	spin_unlock(&n->lock);
	WRITE_ONCE(page->_refcount, 1u);
	debug_pages_taken(q, page, 0);
	return true;
}

struct page *alloc_pages_quiet(struct quire *q, gfp_t gfp, unsigned order)
{
	return __alloc_pages(q, gfp, order);
}

/* ----------------------------------------------------------------- freeing */

/* The last look at a page that goes: it must be nobody's; wipe what it was. */
static __always_inline void free_prep(struct quire *q, struct page *page,
				      unsigned order)
{
	QUIRE_BUG_ON((READ_ONCE(page->flags) & PAGE_FLAGS_AT_FREE) |
		     READ_ONCE(page->_mapcount) | READ_ONCE(page->_refcount) |
		     READ_ONCE(page->pins));
	WRITE_ONCE(page->flags, 0u);
	WRITE_ONCE(page->mapping, NULL);
	page->priv = 0;
	debug_pages_freed(q, page, order);
}

void free_pages_refzero(struct quire *q, struct page *page, unsigned order)
{
	struct quire_node *n = &q->node[page->node];
	struct quire_cpu *c;

	QUIRE_BUG_ON(PageFlag(page, PG_lru) || page->order != order);
	free_prep(q, page, order);
	quire_host_preempt_disable();
	c = this_cpu(q);
	WRITE_ONCE(c->stat[VM_pgfree], c->stat[VM_pgfree] + (1l << order));
	if (likely(order == 0)) {
		cpu_lists_begin(c);
		pcp_push(q, c, page);
		cpu_lists_end(c);
	} else {
		spin_lock(&n->lock);
		buddy_free(q, n, page, order);
		spin_unlock(&n->lock);
	}
	quire_host_preempt_enable();
}

void free_page_batch(struct quire *q, struct page **pages, unsigned count)
{
	struct quire_node *n = NULL;
	struct quire_cpu *c;
	unsigned i;

	quire_host_preempt_disable();
	c = this_cpu(q);
	cpu_lists_begin(c);
	for (i = 0; i < count; i++) {
		struct page *page = pages[i];

		if (PageFlag(page, PG_lru)) {
			if (unlikely(n != &q->node[page->node])) {
				if (n)
					spin_unlock(&n->lru_lock);
				n = &q->node[page->node];
				spin_lock(&n->lru_lock);
			}
			lru_unlink(n, page);
		}
		free_prep(q, page, 0);
		/* a spill takes node.lock inside lru_lock: that is the order */
		pcp_push(q, c, page);
	}
	if (n)
		spin_unlock(&n->lru_lock);
	cpu_lists_end(c);
	WRITE_ONCE(c->stat[VM_pgfree], c->stat[VM_pgfree] + (long)count);
	quire_host_preempt_enable();
}

void __put_page(struct quire *q, struct page *page)
{
	if (page->order)
		free_pages_refzero(q, page, page->order);
	else
		free_page_batch(q, &page, 1);
}

/* ---------------------------------------------------------------- bring-up */

static uint64_t isqrt(uint64_t v)
{
	uint64_t r = v, next = (v + 1) / 2;

	while (next < r) {
		r = next;
		next = (r + divide(v, r)) / 2;
	}
	return r;
}

void set_watermarks(struct quire *q)
{
	uint64_t total = 0, min = READ_ONCE(q->min_free_kbytes);
	unsigned i;

	min >>= PAGE_SHIFT - 10;
	for (i = 0; i < q->nodes; i++)
		total += q->node[i].managed;
	for (i = 0; i < q->nodes; i++) {
		struct quire_node *n = &q->node[i];
		unsigned long own =
			(unsigned long)divide(min * n->managed, total);

		WRITE_ONCE(n->watermark[WMARK_MIN], own);
		WRITE_ONCE(n->watermark[WMARK_LOW], own * 5 / 4);
		WRITE_ONCE(n->watermark[WMARK_HIGH], own * 3 / 2);
	}
}

/*
 * Linux's rule of thumb for min: 4 * sqrt(KiB of memory) KiB, at most 256 MiB,
 * shared out by the nodes' sizes; low and high a quarter and a half above.
 */
static void set_limits(struct quire *q)
{
	uint64_t total = 0;
	unsigned i;

	for (i = 0; i < q->nodes; i++)
		total += q->node[i].managed;
	q->min_free_kbytes = (unsigned long)MIN(
		4 * isqrt(total << (PAGE_SHIFT - 10)), (uint64_t)262144);
	set_watermarks(q);
	/* what the CPUs may hold back together: a thirty-second */
	q->pcp_high = (uint32_t)MIN(divide(total / 32, q->cpus), PCP_HIGH);
	q->pcp_high = MAX(q->pcp_high, 4u);
	q->pcp_batch = MAX(MIN(q->pcp_high / 2, (uint32_t)PCP_BATCH), 1u);
}

/* Give frames [pfn, end) of one node to the lists, in the largest blocks. */
static void free_range(struct quire *q, uint64_t pfn, uint64_t end)
{
	struct quire_node *n;

	if (pfn >= end)
		return;
	n = &q->node[pfn_to_page(q, pfn)->node];
	spin_lock(&n->lock);
	n->managed += (unsigned long)(end - pfn);
	while (pfn < end) {
		unsigned order = MAX_ORDER - 1;

		while (!IS_ALIGNED(pfn, 1ull << order) ||
		       end - pfn < 1ull << order)
			order--;
		buddy_free(q, n, pfn_to_page(q, pfn), order);
		pfn += 1ull << order;
	}
	spin_unlock(&n->lock);
}

static void reserve_frames(struct quire *q, uint64_t pfn, uint64_t end,
			   uint8_t node)
{
	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(q, pfn);

		page->flags = 1u << PG_reserved;
		page->_refcount = 1;
		page->node = node;
	}
}

int page_alloc_init(struct quire *q, const struct quire_config *config)
{
	uint64_t pfn, start, end, done = q->min_pfn;
	unsigned i, o;

	memset(q->mem_map, 0,
	       (size_t)(q->max_pfn - q->min_pfn) * sizeof(struct page));
	for (i = 0; i < q->nodes; i++) {
		spin_lock_init(&q->node[i].lock, ZONE);
		spin_lock_init(&q->node[i].lru_lock, LRU);
		for (o = 0; o < MAX_ORDER; o++)
			INIT_LIST_HEAD(&q->node[i].free[o]);
		for (o = 0; o < NR_LRU_LISTS; o++)
			INIT_LIST_HEAD(&q->node[i].lru[o]);
	}
	for (i = 0; i < config->nr_regions; i++) {
		const struct quire_region *r = &config->regions[i];

		start = r->start >> PAGE_SHIFT;
		end = start + (r->bytes >> PAGE_SHIFT);
		reserve_frames(q, done, start, NODE_HOLE);
		for (pfn = start; pfn < end; pfn++)
			pfn_to_page(q, pfn)->node = (uint8_t)r->node;
		done = end;
		if (q->boot_start >= start && q->boot_start < end) {
			reserve_frames(q, q->boot_start, q->boot_end,
				       (uint8_t)r->node);
			free_range(q, start, q->boot_start);
			start = q->boot_end;
		}
		free_range(q, start, end);
	}
	if (!nr_free_pages(q))
		return -ENOMEM;
	set_limits(q);
	return 0;
}

/* ------------------------------------------------------- the host's pages */

struct page *quire_alloc_pages(struct quire *q, gfp_t gfp, unsigned order)
{
	struct page *page = alloc_pages(q, gfp, order);

	if (page)
		__SetPageFlag(page, PG_host);
	return page;
}

void quire_free_pages(struct quire *q, struct page *page, unsigned order)
{
	QUIRE_BUG_ON(!PageFlag(page, PG_host) || page->order != order);
	ClearPageFlag(page, PG_host);
	put_page(q, page);
}

void *quire_page_address(struct quire *q, struct page *page)
{
	return page_address(q, page);
}

paddr_t quire_page_phys(struct quire *q, struct page *page)
{
	return (paddr_t)page_to_pfn(q, page) << PAGE_SHIFT;
}

struct page *quire_phys_page(struct quire *q, paddr_t phys)
{
	uint64_t pfn = phys >> PAGE_SHIFT;

	if (!pfn_valid(q, pfn) || pfn_to_page(q, pfn)->node == NODE_HOLE)
		return NULL;
	return pfn_to_page(q, pfn);
}

static bool is_zero_page(struct quire *q, const struct page *page)
{
	return is_zero_pfn(q, page_to_pfn(q, page));
}

bool pin_page(struct quire *q, struct page *page)
{
	if (unlikely(READ_ONCE(page->pins) >= PINS_MAX))
		return false;
	quire_page_get(q, page);
	return true;
}

void quire_page_get(struct quire *q, struct page *page)
{
	if (is_zero_page(q, page))
		return;
	get_page(page);
	QUIRE_BUG_ON(__atomic_fetch_add(&page->pins, (uint16_t)1,
					__ATOMIC_RELAXED) == UINT16_MAX);
}

void quire_page_put(struct quire *q, struct page *page)
{
	uint16_t pins = READ_ONCE(page->pins);

	if (is_zero_page(q, page))
		return;
	do {
		if (!pins) { /* the allocation's own reference */
			ClearPageFlag(page, PG_host);
			break;
		}
	} while (!__atomic_compare_exchange_n(
		&page->pins, &pins, (uint16_t)(pins - 1), false,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED));
	put_page(q, page);
}
