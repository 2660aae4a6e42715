/* SPDX-License-Identifier: MIT */
/*
 * check_pages.c - the frames' half of quire_check().
 *
 * By the time check_frames() runs, every reference that Quire itself holds has
 * been counted per frame.  Each frame is then exactly one of
 *
 *   reserved | free (buddy or per-CPU list) | slab | table | the host's |
 *   anonymous or file memory, whose mapcount and refcount must be the counts
 *
 * and a frame that is none of these has leaked, one that is two is corrupt.
 */
#include "check.h"
#include "filemap.h"

static unsigned long long frame(const struct quire_check *c,
				const struct page *page)
{
	return page_to_pfn(c->q, page);
}

static void check_lru_list(struct quire_check *c, unsigned nid, unsigned l)
{
	struct quire_node *n = &c->q->node[nid];
	struct page *page;
	uint64_t count = 0;

	list_for_each_entry (page, &n->lru[l], struct page, lru) {
		count++;
		if (!PageFlag(page, PG_lru) || page_count(page) == 0)
			check_fail(c,
				   "frame %llx: on an LRU list, flags %x, "
				   "refcount %u",
				   frame(c, page), page->flags,
				   page_count(page));
		if (page_lru(page) != l || page->node != nid)
			check_fail(c, "frame %llx: on LRU list %u, not its own",
				   frame(c, page), l);
	}
	c->listed += count;
	if (count != n->lru_count[l])
		check_fail(c, "lru %u of node %u: %llu, counted %llu", l, nid,
			   (unsigned long long)n->lru_count[l],
			   (unsigned long long)count);
}

void check_lru(struct quire_check *c)
{
	struct quire *q = c->q;
	struct lru_batch *b;
	unsigned i, l;

	for (i = 0; i < q->nodes; i++)
		for (l = 0; l < NR_LRU_LISTS; l++)
			check_lru_list(c, i, l);
	for (i = 0; i < q->cpus; i++) {
		b = &q->cpu[i]->lru_add;
		for (l = 0; l < b->count; l++)
			check_of(c, b->pages[l])->refs++;
	}
}

/* Is the page on its way to the LRU lists? */
static bool in_batch(const struct quire *q, const struct page *page)
{
	unsigned i, l;

	for (i = 0; i < q->cpus; i++)
		for (l = 0; l < q->cpu[i]->lru_add.count; l++)
			if (q->cpu[i]->lru_add.pages[l] == page)
				return true;
	return false;
}

/*
 * Mark the free frames: maps and refs of a free frame become FREE_MARK, so a
 * frame that is also mapped or cached shows.
 */
#define FREE_MARK 0xf4eeu

static void mark_free(struct quire_check *c, struct page *page, unsigned order)
{
	uint64_t i;

	for (i = 0; i < (uint64_t)1 << order; i++) {
		struct check_count *n = check_of(c, page + i);

		if (n->maps || n->refs)
			check_fail(c, "frame %llx is free and in use",
				   (unsigned long long)page_to_pfn(c->q,
								   page + i));
		if (page_count(page + i))
			check_fail(
				c, "frame %llx is free with refcount %u",
				(unsigned long long)page_to_pfn(c->q, page + i),
				page_count(page + i));
		n->maps = FREE_MARK;
		n->refs = FREE_MARK;
	}
}

static uint64_t mark_all_free(struct quire_check *c)
{
	struct quire *q = c->q;
	struct page *page;
	uint64_t total = 0, n;
	unsigned i, o;

	for (i = 0; i < q->nodes; i++) {
		for (o = 0; o < MAX_ORDER; o++) {
			n = 0;
			list_for_each_entry (page, &q->node[i].free[o],
					     struct page, lru) {
				if (!PageFlag(page, PG_buddy) ||
				    page->order != o)
					check_fail(
						c, "frame %llx: bad block",
						(unsigned long long)page_to_pfn(
							q, page));
				mark_free(c, page, o);
				n++;
			}
			if (n != q->node[i].nr_free_order[o])
				check_fail(c,
					   "order %u: %llu free blocks, "
					   "counted %llu",
					   o,
					   (unsigned long long)q->node[i]
						   .nr_free_order[o],
					   (unsigned long long)n);
			total += n << o;
		}
	}
	for (i = 0; i < q->cpus; i++)
		for (o = 0; o < q->cpu[i]->pcp.count; o++, total++)
			mark_free(c, q->cpu[i]->pcp.pages[o], 0);
	return total;
}

/* A frame of anonymous or file memory, or one that nobody accounts for. */
static void check_frame(struct quire_check *c, struct page *page,
			uint64_t *anon, uint64_t *mapped)
{
	struct check_count *n = check_of(c, page);
	unsigned long long pfn = page_to_pfn(c->q, page);

	if (page_count(page) == 0) {
		check_fail(c, "frame %llx: refcount 0 but on no free list",
			   pfn);
		return;
	}
	if (page_mapcount(page) != n->maps)
		check_fail(c, "frame %llx: mapcount %u, %u entries map it", pfn,
			   page_mapcount(page), n->maps);
	if (page_count(page) != n->refs + page->pins)
		check_fail(c,
			   "frame %llx: refcount %u, %u accounted for, %u pins "
			   "(flags %x)",
			   pfn, page_count(page), n->refs, page->pins,
			   page->flags);
	if (n->maps)
		++*(PageAnon(page) ? anon : mapped);
	if (PageFlag(page, PG_lru))
		c->on_lru++;
	else if ((n->maps || page->mapping) && !in_batch(c->q, page))
		check_fail(c, "frame %llx: reclaim would never find it", pfn);
}

void check_frames(struct quire_check *c)
{
	struct quire *q = c->q;
	uint64_t anon = 0, mapped = 0, free = mark_all_free(c), pfn, step;
	struct page *page;

	for (pfn = q->min_pfn; pfn < q->max_pfn; pfn += step) {
		page = pfn_to_page(q, pfn);
		step = 1;
		if (PageFlag(page, PG_reserved))
			continue;
		if (check_of(c, page)->refs == FREE_MARK &&
		    check_of(c, page)->maps == FREE_MARK)
			continue;
		if (PageFlag(page, PG_host) || PageFlag(page, PG_slab)) {
			step = (uint64_t)1 << page->order;
			if (PageFlag(page, PG_slab))
				c->slab += step;
			if (page_count(page) != page->pins + 1u)
				check_fail(c,
					   "frame %llx: a kernel page with "
					   "refcount %u, %u pins",
					   (unsigned long long)pfn,
					   page_count(page), page->pins);
			if (check_of(c, page)->maps)
				check_fail(c,
					   "frame %llx: a kernel page is "
					   "mapped",
					   (unsigned long long)pfn);
			continue;
		}
		if (PageFlag(page, PG_table)) {
			if (check_of(c, page)->refs != 1)
				check_fail(c,
					   "frame %llx: a table that is in "
					   "%u tables",
					   (unsigned long long)pfn,
					   check_of(c, page)->refs);
			continue;
		}
		check_frame(c, page, &anon, &mapped);
	}
	if ((int64_t)anon != vmstat_sum(q, VM_nr_anon_pages))
		check_fail(c, "nr_anon_pages %lld, found %llu",
			   (long long)vmstat_sum(q, VM_nr_anon_pages),
			   (unsigned long long)anon);
	if ((int64_t)mapped != vmstat_sum(q, VM_nr_mapped))
		check_fail(c, "nr_mapped %lld, found %llu",
			   (long long)vmstat_sum(q, VM_nr_mapped),
			   (unsigned long long)mapped);
	if (c->on_lru != c->listed)
		check_fail(c, "%llu pages with PG_lru, %llu listed",
			   (unsigned long long)c->on_lru,
			   (unsigned long long)c->listed);
	if ((int64_t)c->slab != vmstat_sum(q, VM_nr_slab))
		check_fail(c, "nr_slab %lld, found %llu",
			   (long long)vmstat_sum(q, VM_nr_slab),
			   (unsigned long long)c->slab);
	if (free != nr_free_pages(q))
		check_fail(c, "nr_free_pages %llu, found %llu",
			   (unsigned long long)nr_free_pages(q),
			   (unsigned long long)free);
}
