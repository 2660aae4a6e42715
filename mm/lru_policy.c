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
 * Between the kinds: each has a price, which rises with what reclaim of it has
 * cost lately (pages that were wanted back, pages that had to be written) and
 * falls with time; the cheaper one gives more.  swappiness weighs them: 100
 * says that both devices are as fast, 0 that nothing is swapped while there are
 * files' pages.
 *
 * No state but the node's own[] words; its lock is held.
 */
#include "reclaim.h"

#define BATCH 32u /* pages that a list must have to be worth a look */

/* s->own[] */
enum {
	COST = 0,     /* a kind each: what reclaim of it has cost lately */
	SEEN = 2,     /* a kind each: its refaults that are in COST */
	SEEN_OUT = 4, /* evictions to swap that are */
	BALANCE = 5,  /* signed: how much more anonymous memory is due */
	CHALLENGE =
		6, /* bit a kind: pages come back: look at the active ones */
};

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

/* Bring the prices up to date. */
static void note_costs(struct quire_lru_state *s)
{
	uint64_t all =
		kind_pages(s, QUIRE_LRU_ANON) + kind_pages(s, QUIRE_LRU_FILE);
	uint64_t *cost = &s->own[COST], new;
	unsigned kind;

	for (kind = 0; kind < 2; kind++) {
		new = s->refaulted[kind] - s->own[SEEN + kind];
		s->own[SEEN + kind] = s->refaulted[kind];
		cost[kind] += new;
		if (new)
			s->own[CHALLENGE] |= 1u << kind;
	}
	cost[QUIRE_LRU_ANON] += s->evicted[QUIRE_LRU_ANON] - s->own[SEEN_OUT];
	s->own[SEEN_OUT] = s->evicted[QUIRE_LRU_ANON];
	/* what is long ago does not count */
	while (cost[0] + cost[1] > all / 4 + BATCH) {
		cost[0] /= 2;
		cost[1] /= 2;
	}
}

/*
 * Whose turn is it, both kinds having pages?  By turns, in the proportion of
 * the weights: pages of the kind, times swappiness, by its price.
 */
static unsigned weigh(struct quire_lru_state *s)
{
	uint64_t anon = kind_pages(s, QUIRE_LRU_ANON);
	uint64_t file = kind_pages(s, QUIRE_LRU_FILE);
	uint64_t anon_cost = s->own[COST + QUIRE_LRU_ANON];
	uint64_t file_cost = s->own[COST + QUIRE_LRU_FILE];
	int64_t balance = (int64_t)s->own[BALANCE], sum;
	bool take_anon;

	/* (scaled so that no product passes 63 bits) */
	for (; (anon | file) >> 24; anon >>= 1)
		file >>= 1;
	for (; (anon_cost | file_cost) >> 20; anon_cost >>= 1)
		file_cost >>= 1;
	if (s->priority || !s->swappiness) { /* else only sizes count */
		anon *= s->swappiness * (anon_cost + 2 * file_cost + 1);
		file *= (200u - s->swappiness) *
			(2 * anon_cost + file_cost + 1);
	}
	sum = (int64_t)(anon + file);
	balance = MAX(MIN(balance, sum), -sum) + (int64_t)anon;
	take_anon = anon && balance > 0;
	s->own[BALANCE] = (uint64_t)(take_anon ? balance - sum : balance);
	return take_anon ? QUIRE_LRU_ANON : QUIRE_LRU_FILE;
}

/* Files' pages that were read once, and enough of them, and none of that kind
 * comes back: nothing else need go. */
static bool file_alone(const struct quire_lru_state *s)
{
	return s->priority && s->swappiness < 200 &&
	       s->pages[QUIRE_LRU_FILE][0] >> s->priority >= BATCH &&
	       !(s->own[CHALLENGE] & 1u << QUIRE_LRU_FILE);
}

static bool sc_choose(struct quire_lru_state *s, unsigned *kind, unsigned *list)
{
	unsigned long anon = kind_pages(s, QUIRE_LRU_ANON);
	unsigned long file = kind_pages(s, QUIRE_LRU_FILE);

	note_costs(s);
	if (!s->can_swap)
		anon = 0;
	if (!anon && !file)
		return false;
	if (!anon || !file)
		*kind = anon ? QUIRE_LRU_ANON : QUIRE_LRU_FILE;
	else if (file < BATCH && s->priority)
		*kind = QUIRE_LRU_ANON; /* files have next to nothing left */
	else
		*kind = file_alone(s) ? QUIRE_LRU_FILE : weigh(s);
	*list = inactive_is_low(s, *kind);
	if (s->own[CHALLENGE] & 1u << *kind) {
		s->own[CHALLENGE] &= ~(1ull << *kind);
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
	};

	return i < ARRAY_LEN(policies) ? policies[i] : NULL;
}
