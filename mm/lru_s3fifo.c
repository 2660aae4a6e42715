/* SPDX-License-Identifier: MIT */
/*
 * lru_s3fifo.c - the reclaim policy "s3-fifo".
 *
 * Most pages that a program uses it uses only within a short time.  Such a page
 * should leave soon, rather than push out one that is used again and again; and
 * it is known by not being used while it passes through a short queue:
 *
 *	new --> [ small: a tenth ] --> not used, or only by what brought it
 *	             |                 in: evicted
 *	             | used again           .-- used, or was so lately --.
 *	             v                      v                            |
 *	wanted -> [ main: the rest            ] --> evicted, if neither -'
 *	back soon
 *
 * After Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache
 * eviction" (SOSP 2023), where small, main and the remembered evictions (ghost)
 * are those queues.  Why this one and not generations: what it decides by, a
 * bit a page and one count of two bits, is what a page table tells anyway; a
 * page that is used is not moved; and it needs no walk of the tables.
 *
 * What differs: a processor notes that a page was used, not how often, and the
 * access that brought a page in is noted as well.  So a page is looked at twice
 * in the small queue, and only the second look counts.  The ghost queue is the
 * distance that Quire's table of evictions gives.  It is a third as long as
 * there are pages, not as long as main: with more, pages of a loop that does
 * not fit push each other out of main (docs/policies.md has the traces on which
 * that was chosen).  Each kind of memory has its own queues, and which of the
 * two gives a page is quire_lru_balance()'s.
 *
 * State: none but `uses` of a page.  Locks: the node's lru_lock is held.
 */
#include "reclaim.h"

enum { SMALL, MAIN };
#define MAX_USES 3u

static void s3_refault(struct quire_lru_state *s, struct quire_lru_page *page)
{
	const unsigned long *pages = s->pages[page->kind];
	unsigned long all = pages[SMALL] + pages[MAIN];

	if (page->distance <= all / 3)
		page->list = MAIN;
}

static bool s3_choose(struct quire_lru_state *s, unsigned *kind, unsigned *list)
{
	const unsigned long *pages;

	if (!quire_lru_balance(s, kind))
		return false;
	pages = s->pages[*kind];
	*list = pages[SMALL] > pages[MAIN] / 9 ? SMALL : MAIN;
	return true;
}

static enum quire_lru_verdict s3_judge(struct quire_lru_state *s,
				       struct quire_lru_page *page)
{
	bool used = page->referenced || page->touched;

	(void)s;
	page->touched = false;
	if (page->list == SMALL) {
		if (!used)
			return QUIRE_LRU_EVICT;
		if (page->uses) { /* not only by what brought it in */
			page->list = MAIN;
			page->uses = 0;
		} else {
			page->uses = 1;
		}
		return QUIRE_LRU_KEEP;
	}
	if (used)
		page->uses = (uint8_t)MIN(page->uses + 1u, MAX_USES);
	else if (page->uses)
		page->uses--;
	else
		return QUIRE_LRU_EVICT;
	return QUIRE_LRU_KEEP;
}

const struct quire_reclaim_policy s3fifo_policy = {
	.name = "s3-fifo",
	.lists = 2,
	.refault = s3_refault,
	.choose = s3_choose,
	.judge = s3_judge,
};
