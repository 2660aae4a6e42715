/* SPDX-License-Identifier: MIT */
/*
 * lru_balance.c - which kind of memory gives the next page: for policies that
 * only want to say which page of a kind.
 *
 * Each kind has a price, which rises with what reclaim of it has cost lately
 * (pages that were wanted back, pages that had to be written) and falls with
 * time; the cheaper one gives more.  swappiness weighs them: 100 says that both
 * devices are as fast, 0 that nothing is swapped while there are files' pages.
 *
 *	cost[kind] += pages that came back, or went to swap
 *	both halved while they are more than a quarter of all pages
 *	turns in the proportion   pages * swappiness * (1 / cost)
 *
 * State: the node's balance[] words; its lru_lock is held.
 */
#include "system.h"

#define BATCH 32u /* pages that a list must have to be worth a look */

enum {
	COST,		     /* 2 words: what reclaim of each kind has cost */
	SEEN = COST + 2,     /* 2 words: refaults of each kind that are in it */
	SEEN_OUT = SEEN + 2, /* the same of evictions to swap */
	TURN,		     /* signed: how much more private memory is due */
	COMING_BACK, /* files' pages have come back since it was asked */
};

static uint64_t kind_pages(const struct quire_lru_state *s, unsigned kind)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < QUIRE_LRU_LISTS; i++)
		n += s->pages[kind][i];
	return n;
}

/* Bring the prices up to date. */
static void note_costs(struct quire_lru_state *s, uint64_t all)
{
	uint64_t *b = s->balance;
	unsigned kind;

	for (kind = 0; kind < 2; kind++) {
		b[COST + kind] += s->refaulted[kind] - b[SEEN + kind];
		if (kind == QUIRE_LRU_FILE &&
		    s->refaulted[kind] != b[SEEN + kind])
			b[COMING_BACK] = 1;
		b[SEEN + kind] = s->refaulted[kind];
	}
	b[COST + QUIRE_LRU_ANON] += s->evicted[QUIRE_LRU_ANON] - b[SEEN_OUT];
	b[SEEN_OUT] = s->evicted[QUIRE_LRU_ANON];
	/* what is long ago does not count */
	while (b[COST] + b[COST + 1] > all / 4 + BATCH) {
		b[COST] /= 2;
		b[COST + 1] /= 2;
	}
}

/* Whose turn is it, both kinds having pages?  By turns, in the proportion of
 * the weights: pages of the kind, times swappiness, by its price. */
static unsigned weigh(struct quire_lru_state *s, uint64_t anon, uint64_t file)
{
	uint64_t cost[2] = {s->balance[COST], s->balance[COST + 1]};
	int64_t turn = (int64_t)s->balance[TURN], sum;

	/* (scaled so that no product passes 63 bits) */
	while (anon >> 24 || file >> 24) {
		anon >>= 1;
		file >>= 1;
	}
	while (cost[0] >> 20 || cost[1] >> 20) {
		cost[0] >>= 1;
		cost[1] >>= 1;
	}
	if (s->priority || !s->swappiness) { /* else only sizes count */
		anon *= s->swappiness * (cost[0] + 2 * cost[1] + 1);
		file *= (200u - s->swappiness) * (cost[1] + 2 * cost[0] + 1);
	}
	sum = (int64_t)(anon + file);
	turn = MAX(MIN(turn, sum), -sum) + (int64_t)anon;
	if (turn > 0 && anon)
		turn -= sum;
	else
		anon = 0;
	s->balance[TURN] = (uint64_t)turn;
	return anon ? QUIRE_LRU_ANON : QUIRE_LRU_FILE;
}

/*
 * Files' pages that were read once, and plenty of it, of which none comes back:
 * nothing else need go.  Plenty is what shows at this priority, or where memory
 * is small an eighth of it.
 */
static bool file_alone(const struct quire_lru_state *s, uint64_t all)
{
	unsigned long once = s->pages[QUIRE_LRU_FILE][0];

	return s->swappiness < 200 && s->priority && once >= BATCH &&
	       (once >> s->priority || once * 8ull >= all) &&
	       !s->balance[COMING_BACK];
}

bool quire_lru_balance(struct quire_lru_state *s, unsigned *kind)
{
	uint64_t anon = s->can_swap ? kind_pages(s, QUIRE_LRU_ANON) : 0;
	uint64_t file = kind_pages(s, QUIRE_LRU_FILE);

	note_costs(s, anon + file);
	if (!anon || !file) {
		*kind = anon ? QUIRE_LRU_ANON : QUIRE_LRU_FILE;
		return anon || file;
	}
	if (file < BATCH && s->priority)
		*kind = QUIRE_LRU_ANON; /* files have next to nothing left */
	else if (file_alone(s, anon + file))
		*kind = QUIRE_LRU_FILE;
	else
		*kind = weigh(s, anon, file);
	if (*kind == QUIRE_LRU_FILE)
		s->balance[COMING_BACK] = 0;
	return true;
}
