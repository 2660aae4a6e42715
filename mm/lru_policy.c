/* SPDX-License-Identifier: MIT */
/*
 * lru_policy.c - the reclaim policies (policy.h), and the first of them.
 *
 * second-chance: what Linux has without multi-generation LRU.  Of each kind an
 * inactive list (0), where pages come in and are taken from, and an active list
 * (1) of those that were used twice:
 *
 *      refault soon after eviction --> head [ active ] tail
 *                                       ^                 | the inactive list
 *          used twice; program text ----|                 v is too short
 *      new --------------------------> head [ inactive ] tail --> evict
 *                                       ^                 |
 *                                       '--- used once ---'
 *
 * The page used once gets a second look, and only then goes: so a file read
 * from end to end passes through the inactive list and leaves the active one
 * as it was.
 *
 * Between the kinds quire_lru_balance() decides.
 *
 * No state but the node's own[] words; its lock is held.
 */
#include "reclaim.h"

/* Refaults of each kind so far, when the active list was looked at last: more
 * of them say that it holds pages that are used less than those. */
#define own_seen(s, kind) ((s)->own[kind])

static unsigned long kind_pages(const struct quire_lru_state *s, unsigned kind)
{
	return s->pages[kind][0] + s->pages[kind][1];
}

/*
 * Is the inactive list too short to tell pages that are used from others?  The
 * active one may be sqrt(10 * GiB of the kind) times as long, at least as long.
 */
static bool inactive_is_low(const struct quire_lru_state *s, unsigned kind)
{
	unsigned long gib = kind_pages(s, kind) >> (30 - PAGE_SHIFT);
	unsigned long ratio = 1;

	while ((ratio + 1) * (ratio + 1) <= 10 * gib)
		ratio++;
	return s->pages[kind][0] * ratio < s->pages[kind][1] ||
	       !s->pages[kind][0];
}

static bool sc_choose(struct quire_lru_state *s, unsigned *kind, unsigned *list)
{
	if (!quire_lru_balance(s, kind))
		return false;
	*list = inactive_is_low(s, *kind);
	if (s->refaulted[*kind] != own_seen(s, *kind)) {
		own_seen(s, *kind) = s->refaulted[*kind];
		*list = s->pages[*kind][1] != 0;
	}
	return true;
}

static void activate(struct quire_lru_page *page)
{
	page->list = 1;
	page->uses = 3; /* nothing to tell the policy of until it is judged */
	page->touched = false;
}

static enum quire_lru_verdict sc_judge(struct quire_lru_state *s,
				       struct quire_lru_page *page)
{
	bool file = page->kind == QUIRE_LRU_FILE;

	(void)s;
	if (page->list) {
		/* a program's text in use stays; others show what they are
		 * worth on the inactive list */
		if (!(page->referenced && page->exec && file)) {
			page->list = 0;
			page->uses = 0;
		}
		page->touched = false;
		return QUIRE_LRU_KEEP;
	}
	if (page->referenced) {
		if (page->touched || page->referenced > 1 ||
		    (page->exec && file))
			activate(page);
		else
			page->touched = true; /* the next look will tell */
		return QUIRE_LRU_KEEP;
	}
	/* read() that touched it once is not enough */
	page->touched = false;
	return QUIRE_LRU_EVICT;
}

static bool sc_used(struct quire_lru_state *s, struct quire_lru_page *page)
{
	(void)s;
	if (page->list)
		return false;
	activate(page);
	return true;
}

/*
 * It would not have been evicted, had the inactive list been longer by as many
 * pages as were evicted since.  If the active pages and those of the other kind
 * are that many, it competes with them.
 */
static void sc_refault(struct quire_lru_state *s, struct quire_lru_page *page)
{
	uint64_t rivals = s->pages[QUIRE_LRU_FILE][1];

	if (page->kind == QUIRE_LRU_ANON)
		rivals += s->pages[QUIRE_LRU_FILE][0];
	if (s->can_swap) {
		rivals += s->pages[QUIRE_LRU_ANON][1];
		if (page->kind == QUIRE_LRU_FILE)
			rivals += s->pages[QUIRE_LRU_ANON][0];
	}
	if (page->distance <= rivals)
		activate(page);
}

static const struct quire_reclaim_policy second_chance = {
	.name = "second-chance",
	.lists = 2,
	.refault = sc_refault,
	.used = sc_used,
	.choose = sc_choose,
	.judge = sc_judge,
};

const struct quire_reclaim_policy *quire_reclaim_policy(unsigned i)
{
	static const struct quire_reclaim_policy *const policies[] = {
		&second_chance,
		&s3fifo_policy,
	};

	return i < ARRAY_LEN(policies) ? policies[i] : NULL;
}
