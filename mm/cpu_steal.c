/* SPDX-License-Identifier: MIT */
/*
 * cpu_steal.c - taking what another CPU holds back: the free pages of its stack
 * and the pages in its LRU batch, when memory is so short that they matter.
 *
 *   this CPU                    the other one, interrupted
 *     quire_host_cpu_call --->  inside a section (cpu_lists_begin)? nothing,
 * missed else: its pages are linked, the counts are 0 pages <-----------------
 * into the list
 *
 * So the owner takes no lock: it only says when it is at it, which costs two
 * stores, and no CPU ever sees another's half-done change.  A CPU that was
 * inside is asked again, a few times: sections are short.
 *
 * Locks: none.  The callback takes none either (host.h).
 */
#include "reclaim.h"

#define ATTEMPTS 4u

struct steal {
	struct quire *q;
	struct list_head *pages;
	bool batch; /* the LRU batch; else the free pages */
	bool missed;
};

static void steal_here(void *arg)
{
	struct steal *s = arg;
	struct quire_cpu *c = this_cpu(s->q);
	struct page **pages = s->batch ? c->lru_add.pages : c->pcp.pages;
	uint32_t i, n = s->batch ? c->lru_add.count : c->pcp.count;

	s->missed = READ_ONCE(c->inside) != 0;
	if (s->missed)
		return;
	for (i = 0; i < n; i++) /* neither kind is on another list */
		list_add_tail(&pages[i]->lru, s->pages);
	if (s->batch)
		c->lru_add.count = 0;
	else
		WRITE_ONCE(c->pcp.count, 0u);
}

void steal_cpu_pages(struct quire *q, bool batch, struct list_head *pages)
{
	struct steal s = {.q = q, .pages = pages, .batch = batch};
	unsigned cpu, n;

	INIT_LIST_HEAD(pages);
	for (cpu = 0; cpu < q->cpus; cpu++) {
		for (n = 0; n < ATTEMPTS; n++) {
			quire_host_preempt_disable();
			s.missed = false;
			if (cpu != quire_host_cpu())
				quire_host_cpu_call((cpumask_t)1 << cpu,
						    steal_here, &s);
			quire_host_preempt_enable();
			if (!s.missed)
				break;
			quire_host_relax(n);
		}
	}
}
