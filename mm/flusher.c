/* SPDX-License-Identifier: MIT */
/*
 * flusher.c - when what is dirty is written: the list of files with dirty
 * pages, the limits, the flusher and the writers that are made to wait.
 *
 *   wb_list   file -> file -> file       by the time since when each has dirty
 *             oldest        newest       pages; some are only under write-back
 *
 *     dirty pages   0 .... background .... hard limit
 *     who writes      flusher,   flusher,      the writer itself, and waits
 *                     by age     oldest first
 *
 * Nothing depends on a flusher: without one, a writer that passes the hard
 * limit writes until it is below.  It never sleeps but on a page under
 * write-back, and so ends when the device answers.
 *
 * A file that is worked on is pinned, so that it stays on the list; who ends it
 * (wb_forget) waits for the pins, and no new ones come.
 *
 * Locks: wb_lock for the list and the pins, inside tree_lock.
 */
#include "writeback.h"

/* A CPU dirties so many pages between two looks at the limits, at most. */
#define RATELIMIT 32u
/* A writer over the hard limit writes so many pages at a time. */
#define WRITER_CHUNK 128u

/* --------------------------------------------------------------- the list */

static void unlink_idle(struct address_space *as)
{
	if (!as->wb_linked || as->wb_busy || as->wb_pins)
		return;
	list_del(&as->wb_list);
	as->wb_linked = false;
}

/*
 * wb_lock held: what as has dirty now came after `since`; it moves to where
 * that is in the list's order, near the end.  While somebody is at it, it stays
 * where it is: a walk goes on from there.
 */
static void requeue(struct address_space *as, uint64_t since)
{
	struct list_head *l;

	if (as->wb_pins)
		as->wb_since = MAX(as->wb_since, since);
	if (as->wb_pins || !as->wb_linked || as->dirtied_when >= since)
		return;
	as->dirtied_when = since;
	as->wb_since = 0;
	list_del(&as->wb_list);
	for (l = as->q->wb_list.prev; l != &as->q->wb_list; l = l->prev)
		if (list_entry(l, struct address_space, wb_list)
			    ->dirtied_when <= since)
			break;
	list_add(&as->wb_list, l);
}

void wb_first_dirty(struct address_space *as)
{
	struct quire *q = as->q;
	uint64_t now;

	spin_lock(&q->wb_lock);
	now = quire_host_time_ns();
	as->wb_busy = true;
	if (as->wb_linked) {
		requeue(as, now);
	} else if (!as->wb_dying) {
		as->dirtied_when = now;
		as->wb_since = 0;
		list_add_tail(&as->wb_list, &q->wb_list);
		as->wb_linked = true;
	}
	spin_unlock(&q->wb_lock);
}

void wb_cleaned(struct address_space *as)
{
	if (as->nrdirty || as->nrwriteback)
		return;
	spin_lock(&as->q->wb_lock);
	as->wb_busy = false;
	unlink_idle(as);
	spin_unlock(&as->q->wb_lock);
}

void wb_forget(struct address_space *as)
{
	struct quire *q = as->q;
	uint32_t pins;

	for (;;) {
		spin_lock(&q->wb_lock);
		as->wb_dying = true;
		pins = as->wb_pins;
		spin_unlock(&q->wb_lock);
		if (!pins)
			return;
		(void)quire_host_wait(&as->wb_pins, pins, 0);
	}
}

/* wb_lock held. */
static void unpin(struct address_space *as)
{
	WRITE_ONCE(as->wb_pins, as->wb_pins - 1);
	requeue(as, as->wb_since);
	unlink_idle(as);
	if (as->wb_dying && !as->wb_pins)
		quire_host_wake(&as->wb_pins, UINT32_MAX);
}

/* A walk along the list; files are worked on with no lock held. */
struct wb_walk {
	struct quire *q;
	struct address_space *as; /* the one it is at, pinned; or NULL */
	uint64_t until; /* those with dirty pages since later are left out */
	uint32_t visit; /* its number: no file twice */
};

static void walk_begin(struct wb_walk *w, struct quire *q, uint64_t until)
{
	w->q = q;
	w->as = NULL;
	w->until = until;
	spin_lock(&q->wb_lock);
	w->visit = ++q->wb_visit;
	spin_unlock(&q->wb_lock);
}

/*
 * On to the next file; NULL: there is none, or `stop`.  since: all that the
 * last one had dirty before that time is written; 0: not so.
 */
static struct address_space *walk_next(struct wb_walk *w, bool stop,
				       uint64_t since)
{
	struct address_space *as, *next = NULL;
	struct quire *q = w->q;
	struct list_head *l;

	spin_lock(&q->wb_lock);
	l = w->as ? w->as->wb_list.next : q->wb_list.next;
	for (; !stop && l != &q->wb_list; l = l->next) {
		as = list_entry(l, struct address_space, wb_list);
		if (as->dirtied_when > w->until)
			break;
		if (as->wb_dying || as->wb_visit == w->visit)
			continue;
		as->wb_visit = w->visit;
		WRITE_ONCE(as->wb_pins, as->wb_pins + 1);
		next = as;
		break;
	}
	if (w->as) {
		requeue(w->as, since);
		unpin(w->as);
	}
	w->as = next;
	spin_unlock(&q->wb_lock);
	return next;
}

/* ------------------------------------------------------------- the limits */

/* A limit given in bytes, or in per cent of what could be dirty. */
static unsigned long limit_pages(unsigned long bytes, unsigned long percent,
				 unsigned long dirtyable)
{
	if (bytes)
		return MAX(bytes >> PAGE_SHIFT, 1);
	return dirtyable / 100 * percent + dirtyable % 100 * percent / 100;
}

void dirty_limits(struct quire *q, unsigned long *background,
		  unsigned long *hard)
{
	unsigned long free = (unsigned long)nr_free_pages(q), dirtyable = 0;
	unsigned n;

	for (n = 0; n < q->nodes; n++)
		dirtyable += q->node[n].watermark[WMARK_HIGH];
	dirtyable = free > dirtyable ? free - dirtyable : 0;
	dirtyable += (unsigned long)lru_kind_pages(q, QUIRE_LRU_FILE);
	*hard = limit_pages(READ_ONCE(q->dirty_bytes),
			    READ_ONCE(q->dirty_ratio), dirtyable);
	*background =
		limit_pages(READ_ONCE(q->dirty_background_bytes),
			    READ_ONCE(q->dirty_background_ratio), dirtyable);
	if (*background >= *hard)
		*background = *hard / 2;
}

static unsigned long vm_pages(struct quire *q, enum vmstat_item i)
{
	int64_t v = vmstat_sum(q, i);

	return v > 0 ? (unsigned long)v : 0;
}

bool over_background(struct quire *q)
{
	unsigned long background, hard;

	dirty_limits(q, &background, &hard);
	return vm_pages(q, VM_nr_dirty) > background;
}

void wake_flusher(struct quire *q)
{
	if (!READ_ONCE(q->flusher_woken) &&
	    !__atomic_exchange_n(&q->flusher_woken, 1u, __ATOMIC_ACQ_REL))
		quire_host_wake_flusher(q);
}

/* ------------------------------------------------------------ the writers */

bool balance_dirty_due(struct quire *q)
{
	unsigned long background, hard;
	struct quire_cpu *c;
	uint32_t n;
	bool due;

	quire_host_preempt_disable();
	c = this_cpu(q);
	n = READ_ONCE(c->dirtied);
	due = n >= RATELIMIT;
	if (unlikely(!due && READ_ONCE(q->dirty_bytes) && n)) {
		/* a limit so low that all CPUs' shares would pass it */
		dirty_limits(q, &background, &hard);
		due = (uint64_t)n * 4 * q->cpus >= hard;
	}
	if (due)
		WRITE_ONCE(c->dirtied, 0);
	quire_host_preempt_enable();
	return due;
}

/*
 * Some of one's own file (if not NULL) first, then of others, oldest first.
 * False: all is under write-back already.
 */
static bool write_some(struct quire *q, struct address_space *own)
{
	struct wb_control wb = {.last = UINT64_MAX, .nr = WRITER_CHUNK};
	struct address_space *as;
	struct wb_walk w;

	if (own)
		write_mapping(own, &wb);
	if (wb.written)
		return true;
	walk_begin(&w, q, quire_host_time_ns());
	for (as = walk_next(&w, false, 0); as;
	     as = walk_next(&w, wb.written != 0, 0))
		write_mapping(as, &wb);
	return wb.written != 0;
}

/* Sleep until one page's write-back has ended: false when there is none, or
 * the task is to die. */
static bool wait_for_some(struct quire *q)
{
	struct address_space *as;
	struct page *page = NULL;
	struct wb_walk w;
	int err = 0;

	walk_begin(&w, q, UINT64_MAX);
	for (as = walk_next(&w, false, 0); as;
	     as = walk_next(&w, page != NULL, 0)) {
		spin_lock(&as->tree_lock);
		if (page_tree_gang_tag(&as->pages, 0, UINT64_MAX,
				       PTREE_WRITEBACK, &page, 1))
			get_page(page);
		spin_unlock(&as->tree_lock);
	}
	if (!page)
		return false;
	err = wait_on_page_writeback(page, true);
	put_page(q, page);
	return !err;
}

void balance_dirty_pages(struct address_space *as)
{
	struct quire *q = as->q;
	unsigned long background, hard, dirty;

	might_sleep();
	for (;;) {
		dirty_limits(q, &background, &hard);
		dirty = vm_pages(q, VM_nr_dirty);
		if (dirty > background)
			wake_flusher(q);
		if (dirty + vm_pages(q, VM_nr_writeback) <= hard)
			return;
		quire_step("too much is dirty: the writer writes and waits");
		if (!write_some(q, as) && !wait_for_some(q))
			return;
	}
}

bool reclaim_writeback(struct quire *q)
{
	struct quire_task *task = quire_host_current();

	if (!vm_pages(q, VM_nr_dirty) && !vm_pages(q, VM_nr_writeback))
		return false;
	/* inside aops->writepage the pages waited for could be its own */
	if (task->nowait || task->writing)
		return false;
	return wait_for_some(q) ||
	       (!quire_host_fatal_signal_pending(task) && write_some(q, NULL));
}

/* ------------------------------------------------------------ the flusher */

/* Everything that is dirty since before `until`; again: as wb_control's. */
static void write_older(struct quire *q, uint64_t until, bool again)
{
	struct wb_control wb = {
		.last = UINT64_MAX, .nr = UINT64_MAX, .again = again};
	uint64_t now = 0;
	struct address_space *as;
	struct wb_walk w;

	walk_begin(&w, q, until);
	while ((as = walk_next(&w, false, now)) != NULL) {
		now = quire_host_time_ns();
		write_mapping(as, &wb);
		if (wb.left)
			now = 0; /* these stay as old as they are */
	}
}

/* Oldest first, until no more is dirty than the background limit. */
static void write_background(struct quire *q)
{
	struct wb_control wb = {
		.last = UINT64_MAX, .nr = UINT64_MAX, .background = true};
	struct address_space *as;
	uint64_t now, written;
	struct wb_walk w;

	do {
		now = quire_host_time_ns();
		written = 0;
		walk_begin(&w, q, now);
		for (as = walk_next(&w, !over_background(q), 0); as;
		     as = walk_next(&w, !over_background(q), 0)) {
			write_mapping(as, &wb);
			written += wb.written;
		}
	} while (written && over_background(q));
}

/* Reclaim found nothing but dirty pages: the oldest, some at a time. */
static void write_for_reclaim(struct quire *q)
{
	if (__atomic_exchange_n(&q->wb_wanted, 0u, __ATOMIC_RELAXED))
		(void)write_some(q, NULL);
}

uint64_t quire_flusher_work(struct quire *q)
{
	uint64_t expire, interval, now = quire_host_time_ns();

	might_sleep();
	__atomic_store_n(&q->flusher_woken, 0u, __ATOMIC_SEQ_CST);
	/* hundredths of a second */
	expire = (uint64_t)READ_ONCE(q->dirty_expire) * 10000000u;
	interval = (uint64_t)READ_ONCE(q->dirty_interval) * 10000000u;
	if (interval && now >= expire)
		write_older(q, now - expire, false);
	write_background(q);
	write_for_reclaim(q);
	return interval ? interval : UINT64_MAX;
}

void quire_sync(struct quire *q)
{
	struct address_space *as;
	struct wb_walk w;

	might_sleep();
	write_older(q, quire_host_time_ns(), true);
	/* others may have begun a write of what was dirty */
	walk_begin(&w, q, UINT64_MAX);
	while ((as = walk_next(&w, false, 0)) != NULL)
		(void)wait_on_mapping_writeback(as, 0, UINT64_MAX, true);
}
