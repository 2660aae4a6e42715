/* SPDX-License-Identifier: MIT */
/*
 * vmscan.c - reclaim: when, how hard, and on which node.
 *
 *   free pages of a node
 *   high ----------------------------- background reclaim ends
 *   low  ----------------------------- who allocates wakes it
 *   min  ----------------------------- who allocates reclaims himself (direct)
 *   0    the rest: for reclaim itself, for whoever is to die, for those that
 *        may not wait
 *
 *   priority 12 ... 0: look at 1/4096 of the pages, 1/2048 ..., all of them;
 *   so little is looked at while pages are easy to come by
 *     the policy says which list's tail (choose)
 *     up to 32 pages are isolated
 *     shrink_pages                        (shrink.c)
 *     the rest goes back, to the head of where the policy wants it
 *
 * Who reclaims has task->reclaiming set: what he allocates meanwhile comes from
 * the reserve, and never reclaims.  He waits for nothing but a device: for one
 * page's write, where most of what he finds is under write-back.
 *
 * Locks: any sleeping lock may be held by the caller; see shrink.c.
 */
#include "vmscan.h"
#include "writeback.h"

/* Rounds of background reclaim without a page, after which nobody asks for
 * more until direct reclaim has found some. */
#define MAX_FAILURES 16u

static struct quire_task *reclaim_begin(struct quire *q)
{
	struct quire_task *task = quire_host_current();

	task->reclaiming++;
	/* what lies in batches cannot be found */
	lru_add_drain(q);
	return task;
}

/* ------------------------------------------------------------- one node */

static void count_scan(struct scan_control *sc, unsigned kind,
		       unsigned long scanned, unsigned long refill,
		       unsigned long freed)
{
	struct quire *q = sc->q;

	quire_host_preempt_disable();
	mod_vmstat(q, VM_pgrefill, (long)refill);
	mod_vmstat(q, sc->background ? VM_pgscan_kswapd : VM_pgscan_direct,
		   (long)scanned);
	mod_vmstat(q, sc->background ? VM_pgsteal_kswapd : VM_pgsteal_direct,
		   (long)freed);
	mod_vmstat(q, kind == QUIRE_LRU_ANON ? VM_pgscan_anon : VM_pgscan_file,
		   (long)scanned);
	mod_vmstat(q,
		   kind == QUIRE_LRU_ANON ? VM_pgsteal_anon : VM_pgsteal_file,
		   (long)freed);
	quire_host_preempt_enable();
}

/*
 * Take up to SWAP_CLUSTER_MAX pages off the tail that the policy names; -1: it
 * names none.
 */
static int isolate_tail(struct scan_control *sc, struct quire_node *n,
			struct page **pages, unsigned *kind, unsigned *list)
{
	const struct quire_reclaim_policy *policy = sc->q->config.reclaim;
	struct quire_lru_state *s = &n->state;
	struct list_head *head, *l, *prev;
	unsigned nr = 0, seen = 0;
	struct page *page;
	bool more;

	spin_lock(&n->lru_lock);
	s->swappiness = (uint8_t)READ_ONCE(sc->q->swappiness);
	s->priority = sc->priority;
	s->can_swap = sc->has_anon;
	more = policy->choose(s, kind, list);
	head = &n->lru[more ? *kind * QUIRE_LRU_LISTS + *list : 0];
	for (l = head->prev; more && l != head && nr < SWAP_CLUSTER_MAX &&
			     seen < 2 * SWAP_CLUSTER_MAX;
	     l = prev, seen++) {
		prev = l->prev;
		page = list_entry(l, struct page, lru);
		if (!try_get_page(page))
			continue; /* its last user is about to take it off */
		lru_unlink(n, page);
		ClearPageFlag(page, PG_lru);
		pages[nr++] = page;
	}
	if (nr) {
		s->scanned[*kind] += nr;
		mod_vmstat(sc->q,
			   *kind == QUIRE_LRU_ANON ? VM_nr_isolated_anon
						   : VM_nr_isolated_file,
			   (long)nr);
	}
	spin_unlock(&n->lru_lock);
	return more ? (int)nr : -1;
}

/* One batch; how many pages were looked at, or -1: the policy has none. */
static int shrink_some(struct scan_control *sc, struct quire_node *n)
{
	struct page *pages[SWAP_CLUSTER_MAX];
	unsigned long freed = sc->freed, refill = 0;
	unsigned kind = 0, list = 0, kept;
	int nr = isolate_tail(sc, n, pages, &kind, &list);

	if (nr <= 0)
		return nr;
	if (kind == QUIRE_LRU_ANON)
		sc->anon += (unsigned)nr;
	kept = shrink_pages(sc, pages, (unsigned)nr);
	freed = sc->freed - freed;
	/* of the lists behind the first, what stays in memory was only moved */
	if (list)
		refill = kept;
	sc->scanned += (unsigned)nr - refill;
	count_scan(sc, kind, (unsigned)nr - refill, refill, freed);
	quire_host_preempt_disable();
	mod_vmstat(sc->q,
		   kind == QUIRE_LRU_ANON ? VM_nr_isolated_anon
					  : VM_nr_isolated_file,
		   -(long)nr);
	quire_host_preempt_enable();
	putback_lru_pages(sc->q, pages, kept);
	return nr;
}

static unsigned long node_pages(struct quire_node *n, bool anon)
{
	unsigned long sum = 0;
	unsigned l;

	for (l = anon ? 0 : QUIRE_LRU_LISTS; l < 2 * QUIRE_LRU_LISTS; l++)
		sum += READ_ONCE(*lru_count(n, l));
	return sum;
}

/* Can private memory go at all?  Where swap is full, what has a slot there and
 * has not changed since it was read. */
static bool any_anon(struct scan_control *sc)
{
	return sc->can_swap ||
	       vmstat_sum(sc->q, VM_nr_swapcached) > (long)SWAP_CLUSTER_MAX;
}

/* Of a good part of private memory, looked at so far, swap has refused nearly
 * all: the rest has its turn the next time. */
static bool all_kept_off(const struct scan_control *sc)
{
	return sc->priority < 2 && sc->kept_off > sc->anon / 16 * 15;
}

/* One node at this priority, until enough is free. */
static void shrink_node(struct scan_control *sc, struct quire_node *n)
{
	unsigned long budget, all;
	int nr;

	sc->can_swap = swap_has_room(sc->q);
	sc->has_anon = any_anon(sc) && !all_kept_off(sc);
	all = node_pages(n, sc->has_anon);
	/* at the end of it each page is judged twice: a second chance is not a
	 * third */
	budget = sc->priority ? all >> sc->priority : 2 * all;
	if (!budget)
		return; /* so few pages: they are looked at harder */
	budget = MAX(budget, (unsigned long)SWAP_CLUSTER_MAX);
	while (sc->freed < sc->want) {
		nr = shrink_some(sc, n);
		if (nr < 0)
			break;
		/* (pages that are on their way out are none to look at) */
		nr = MAX(nr, 8);
		if ((unsigned long)nr >= budget)
			break;
		budget -= (unsigned long)nr;
	}
}

/* ------------------------------------------------------------- throttling */

/* May the task sleep until this page is written? */
static bool may_wait(const struct scan_control *sc, const struct page *page)
{
	const struct quire_task *task = quire_host_current();

	/* inside aops->writepage it could be its own */
	if (task->nowait || task->writing)
		return false;
	/* swap's device needs nothing that a caller could hold; a file system
	 * may: so only who allocates user memory, or its tables */
	return sc->file_wait || PageFlag(page, PG_swapbacked);
}

/*
 * After a pass: where most of what it found is under write-back, looking harder
 * would find more of the same: wait for one page's end.
 */
static void throttle(struct scan_control *sc)
{
	struct page *page = sc->waited;

	if (!page)
		return;
	if (sc->nr_writeback * 2 >= sc->scanned && sc->freed < sc->want &&
	    may_wait(sc, page)) {
		count_vm_events(sc->q, VM_pgscan_direct_throttle, 1);
		(void)wait_on_page_writeback(page, true);
	}
	put_page(sc->q, page);
	sc->waited = NULL;
	sc->nr_writeback = 0;
	sc->scanned = 0;
}

/* What is dirty can be had once it is written. */
static void want_clean_pages(struct scan_control *sc)
{
	if (sc->freed >= sc->want || (!sc->nr_dirty && !sc->background))
		return;
	if (vmstat_sum(sc->q, VM_nr_dirty) <= 0)
		return;
	__atomic_fetch_or(&sc->q->wb_wanted, 1u, __ATOMIC_RELAXED);
	wake_flusher(sc->q);
}

/* ---------------------------------------------------------- direct reclaim */

/* All nodes, harder and harder, until sc->want pages are free. */
static void shrink_nodes(struct scan_control *sc)
{
	struct quire *q = sc->q;
	unsigned p, i, nid;

	for (p = DEF_PRIORITY + 1; p-- > 0 && sc->freed < sc->want;) {
		sc->priority = (uint8_t)p;
		nid = first_node(q);
		for (i = 0; i < q->nodes && sc->freed < sc->want; i++) {
			shrink_node(sc, &q->node[nid]);
			nid = nid + 1 == q->nodes ? 0 : nid + 1;
		}
		throttle(sc);
	}
	want_clean_pages(sc);
}

static uint64_t direct_reclaim(struct quire *q, unsigned long want,
			       bool file_wait)
{
	struct scan_control sc = {
		.q = q, .want = want, .file_wait = file_wait, .swap = {.q = q}};
	uint64_t start = quire_host_time_ns();
	struct quire_task *task = reclaim_begin(q);

	/* slots may be free but for that, and nobody else about to do it */
	swap_discard_work(q, false);
	shrink_nodes(&sc);
	task->reclaiming--;
	if (sc.freed)
		WRITE_ONCE(q->reclaim_failures, 0u);
	spin_lock(&q->reclaim_lock);
	q->direct_reclaim_ns += quire_host_time_ns() - start;
	spin_unlock(&q->reclaim_lock);
	return sc.freed;
}

uint64_t try_to_free_pages(struct quire *q, gfp_t gfp, unsigned order)
{
	might_sleep();
	if (quire_host_current()->reclaiming)
		return 0;
	count_vm_events(q, VM_allocstall, 1);
	return direct_reclaim(q, MAX(SWAP_CLUSTER_MAX, 1ul << order),
			      (gfp & (__GFP_MOVABLE | __GFP_TABLE)) != 0);
}

uint64_t quire_reclaim(struct quire *q, uint64_t n)
{
	might_sleep();
	if (quire_host_current()->reclaiming || !n)
		return 0;
	return direct_reclaim(q, (unsigned long)MIN(n, (uint64_t)(~0ul >> 1)),
			      true);
}

uint64_t reclaim_pages(struct quire *q, struct page **pages, unsigned n)
{
	struct scan_control sc = {
		.q = q, .want = n, .take_all = true, .swap = {.q = q}};
	struct quire_task *task = quire_host_current();
	unsigned at, chunk, kept;

	task->reclaiming++;
	swap_end_rests(q);
	for (at = 0; at < n; at += chunk) {
		chunk = MIN(n - at, SWAP_CLUSTER_MAX);
		sc.can_swap = swap_has_room(q);
		kept = shrink_pages(&sc, pages + at, chunk);
		putback_lru_pages(q, pages + at, kept);
	}
	task->reclaiming--;
	if (sc.waited)
		put_page(q, sc.waited);
	return sc.freed;
}

/* ------------------------------------------------------ background reclaim */

void wakeup_reclaim(struct quire *q)
{
	/* hopeless: until direct reclaim gets somewhere again */
	if (READ_ONCE(q->reclaim_failures) >= MAX_FAILURES)
		return;
	if (!READ_ONCE(q->reclaim_woken) &&
	    !__atomic_exchange_n(&q->reclaim_woken, 1u, __ATOMIC_ACQ_REL))
		quire_host_wake_reclaim(q);
}

/* One pass over the nodes that are short.  True: none is any more. */
static bool balance_nodes(struct scan_control *sc)
{
	struct quire *q = sc->q;
	bool balanced = true;
	unsigned i;

	for (i = 0; i < q->nodes; i++) {
		struct quire_node *n = &q->node[i];
		unsigned long high = READ_ONCE(n->watermark[WMARK_HIGH]);
		unsigned long free = READ_ONCE(n->nr_free);

		if (free >= high)
			continue;
		sc->want = sc->freed + MAX(high - free, SWAP_CLUSTER_MAX);
		shrink_node(sc, n);
		pcp_drain(q); /* what was freed lies on this CPU's stack */
		if (READ_ONCE(n->nr_free) < high)
			balanced = false;
	}
	return balanced;
}

void quire_reclaim_work(struct quire *q)
{
	struct scan_control sc = {.q = q,
				  .background = true,
				  .file_wait = true,
				  .swap = {.q = q}};
	unsigned p = DEF_PRIORITY;
	struct quire_task *task;
	unsigned long freed;
	bool balanced;

	might_sleep();
	__atomic_store_n(&q->reclaim_woken, 0u, __ATOMIC_SEQ_CST);
	task = reclaim_begin(q);
	swap_discard_work(q, true); /* slots that this round may need */
	pcp_drain(q);
	count_vm_events(q, VM_pageoutrun, 1);
	do {
		sc.priority = (uint8_t)p;
		freed = sc.freed;
		balanced = balance_nodes(&sc);
		throttle(&sc);
		/* as long as it brings something, not harder */
		if (sc.freed - freed < SWAP_CLUSTER_MAX)
			p--;
	} while (!balanced && p);
	if (sc.freed || balanced) {
		WRITE_ONCE(q->reclaim_failures, 0u);
	} else {
		WRITE_ONCE(q->reclaim_failures,
			   READ_ONCE(q->reclaim_failures) + 1);
		want_clean_pages(&sc);
	}
	if (!balanced && sc.nr_dirty)
		(void)reclaim_writeback(q);
	task->reclaiming--;
}
