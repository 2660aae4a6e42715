/* SPDX-License-Identifier: MIT */
/*
 * lru_model.h - reclaim with nothing but a policy in it: so many frames, pages
 * that are used, and the policy's functions called as policy.h says.  One node;
 * no dirty pages, no locks.
 */
#ifndef TESTS_LRU_MODEL_H
#define TESTS_LRU_MODEL_H

#include "mappings.h"

#define MODEL_PAGES 4096u

struct model_page {
	struct quire_lru_page lru; /* as the policy left it */
	bool in, was_in;
	uint64_t evicted_at;
	unsigned prev, next; /* of its list */
};

struct model {
	const struct quire_reclaim_policy *policy;
	struct quire_lru_state s;
	unsigned frames, used;
	uint64_t misses, looks;
	/* lists are rings through MODEL_PAGES + 4 * kind + list */
	struct model_page page[MODEL_PAGES + 2 * QUIRE_LRU_LISTS];
};

static inline unsigned model_list(const struct model_page *p)
{
	return MODEL_PAGES + p->lru.kind * QUIRE_LRU_LISTS + p->lru.list;
}

static inline void model_add(struct model *m, unsigned n)
{
	struct model_page *p = &m->page[n];
	unsigned head = model_list(p);

	REQUIRE(p->lru.list < m->policy->lists && p->lru.uses <= 3);
	p->prev = head;
	p->next = m->page[head].next;
	m->page[p->next].prev = n;
	m->page[head].next = n;
	m->s.pages[p->lru.kind][p->lru.list]++;
}

static inline void model_del(struct model *m, unsigned n)
{
	struct model_page *p = &m->page[n];

	m->page[p->prev].next = p->next;
	m->page[p->next].prev = p->prev;
	m->s.pages[p->lru.kind][p->lru.list]--;
}

static inline struct model *
model_create(const struct quire_reclaim_policy *policy, unsigned frames)
{
	struct model *m = calloc(1, sizeof(*m));
	unsigned i;

	REQUIRE(m);
	m->policy = policy;
	m->frames = frames;
	m->s.can_swap = true;
	m->s.swappiness = 60;
	for (i = MODEL_PAGES; i < MODEL_PAGES + 2 * QUIRE_LRU_LISTS; i++)
		m->page[i].prev = m->page[i].next = i;
	return m;
}

/* One page goes. */
static inline void model_evict(struct model *m)
{
	unsigned looks, kind, list, n;
	struct model_page *p;

	m->s.priority = 12;
	for (looks = 0; looks < 8 * MODEL_PAGES; looks++) {
		if (m->s.priority && looks % 512 == 511)
			m->s.priority--;
		REQUIRE(m->policy->choose(&m->s, &kind, &list));
		REQUIRE(kind < 2 && list < m->policy->lists);
		n = m->page[MODEL_PAGES + kind * QUIRE_LRU_LISTS + list].prev;
		REQUIRE(n < MODEL_PAGES); /* it chose a list with pages */
		p = &m->page[n];
		model_del(m, n);
		m->looks++;
		m->s.scanned[kind]++;
		if (m->policy->judge(&m->s, &p->lru) == QUIRE_LRU_EVICT) {
			CHECK_EQ(p->lru.kind, kind);
			p->in = false;
			p->evicted_at = m->s.evicted[kind]++;
			m->used--;
			return;
		}
		p->lru.referenced = 0;
		model_add(m, n);
	}
	test_failed(__FILE__, __LINE__, "%s evicts nothing", m->policy->name);
	test_give_up();
}

static inline void model_bring_in(struct model *m, unsigned n, unsigned kind)
{
	struct model_page *p = &m->page[n];
	const struct quire_reclaim_policy *policy = m->policy;

	m->misses++;
	if (m->used == m->frames)
		model_evict(m);
	p->lru = (struct quire_lru_page){.kind = (uint8_t)kind,
					 .refault = p->was_in};
	if (p->was_in) {
		p->lru.distance = m->s.evicted[kind] - p->evicted_at;
		m->s.refaulted[kind]++;
	}
	if (p->was_in && policy->refault)
		policy->refault(&m->s, &p->lru);
	else if (policy->enter)
		policy->enter(&m->s, &p->lru);
	p->in = p->was_in = true;
	m->used++;
	model_add(m, n);
}

/* Page n is used, through a mapping, or by read(). */
static inline void model_use(struct model *m, unsigned n, unsigned kind,
			     bool mapped)
{
	struct model_page *p = &m->page[n];

	REQUIRE(n < MODEL_PAGES);
	if (!p->in)
		model_bring_in(m, n, kind);
	if (mapped) {
		p->lru.referenced = 1;
	} else if (!p->lru.touched) {
		p->lru.touched = true;
	} else if (m->policy->used && p->lru.uses < 3) {
		model_del(m, n);
		m->policy->used(&m->s, &p->lru);
		model_add(m, n);
	}
}

#endif
