/* SPDX-License-Identifier: MIT */
/*
 * A reclaim policy of one's own, as small as one gets: the clock.
 *
 * All pages of a kind are on one list, in the order in which they came.  The
 * oldest is looked at; if it was used since the last look it goes round once
 * more, else it is evicted.  docs/policies.md tells the rest.
 *
 *	struct quire_config config = {..., .reclaim = &clock_policy};
 */
#include <quire/policy.h>

extern const struct quire_reclaim_policy clock_policy;

/* There is one list; of which kind of memory is left to Quire. */
static bool clock_choose(struct quire_lru_state *s, unsigned *kind,
			 unsigned *list)
{
	*list = 0;
	return quire_lru_balance(s, kind);
}

static enum quire_lru_verdict clock_judge(struct quire_lru_state *s,
					  struct quire_lru_page *page)
{
	(void)s;
	if (!page->referenced && !page->touched)
		return QUIRE_LRU_EVICT;
	page->touched = false; /* (Quire has cleared the accessed bits) */
	return QUIRE_LRU_KEEP;
}

const struct quire_reclaim_policy clock_policy = {
	.name = "clock",
	.lists = 1,
	.choose = clock_choose,
	.judge = clock_judge,
};
