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
	if (count != *lru_count(n, l))
		check_fail(c, "lru %u of node %u: %llu, counted %llu", l, nid,
			   (unsigned long long)*lru_count(n, l),
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

/* A page that so many entries of VM_LOCKED VMAs map. */
static void check_mlocked(struct quire_check *c, const struct page *page,
			  uint32_t mlocks)
{
	bool mlocked = PageFlag(page, PG_mlocked);

	c->mlocked += mlocked;
	if (page->mlocks != mlocks || mlocked != (mlocks != 0) ||
	    PageFlag(page, PG_unevictable) != mlocked)
		check_fail(c, "frame %llx: %u mlocks, found %u (flags %x)",
			   frame(c, page), page->mlocks, mlocks, page->flags);
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
	if (PageFlag(page, PG_hwpoison)) {
		n->refs++; /* what keeps it from use */
		c->poisoned++;
	}
	if (page_count(page) != n->refs + page->pins)
		check_fail(c,
			   "frame %llx: refcount %u, %u accounted for, %u pins "
			   "(flags %x)",
			   pfn, page_count(page), n->refs, page->pins,
			   page->flags);
	check_mlocked(c, page, n->mlocks);
	if (n->maps)
		++*(PageAnon(page) ? anon : mapped);
	if (PageFlag(page, PG_lru))
		c->on_lru++;
	else if (page->mapping && !PageFlag(page, PG_hwpoison) &&
		 !in_batch(c->q, page))
		check_fail(c, "frame %llx: reclaim would never find it", pfn);
}

/* A block of the host's or of objects; returns its length in frames. */
static uint64_t check_kernel_block(struct quire_check *c, struct page *page,
				   uint64_t *mapped)
{
	const struct check_count *n = check_of(c, page);
	uint64_t frames = (uint64_t)1 << page->order;

	if (PageFlag(page, PG_slab))
		c->slab += frames;
	if (page_count(page) != n->refs + page->pins + 1u)
		check_fail(c,
			   "frame %llx: a kernel page with refcount %u, "
			   "%u pins, %u accounted for",
			   frame(c, page), page_count(page), page->pins,
			   n->refs);
	/* only what a device gives to its mappings (MIXED) is in a table */
	if (page_mapcount(page) != n->maps ||
	    (n->maps && !PageFlag(page, PG_host)))
		check_fail(c, "frame %llx: a kernel page is mapped %u times",
			   frame(c, page), n->maps);
	if (n->maps)
		++*mapped;
	return frames;
}

/* Whatever block begins at page; returns its length in frames. */
static uint64_t check_block(struct quire_check *c, struct page *page,
			    uint64_t *anon, uint64_t *mapped)
{
	struct check_count *n = check_of(c, page);

	if (PageFlag(page, PG_reserved) ||
	    (n->refs == FREE_MARK && n->maps == FREE_MARK))
		return 1;
	if (PageFlag(page, PG_host) || PageFlag(page, PG_slab))
		return check_kernel_block(c, page, mapped);
	if (PageFlag(page, PG_table)) {
		if (n->refs != 1)
			check_fail(c,
				   "frame %llx: a table that is in %u tables",
				   frame(c, page), n->refs);
		return (uint64_t)1 << page->order;
	}
	check_frame(c, page, anon, mapped);
	/* the counters of this very check may be such a block */
	return page_count(page) ? (uint64_t)1 << page->order : 1;
}

static void check_stat(struct quire_check *c, const char *name, uint64_t found,
		       int64_t stat)
{
	if ((int64_t)found != stat)
		check_fail(c, "%s %lld, found %llu", name, (long long)stat,
			   (unsigned long long)found);
}

void check_frames(struct quire_check *c)
{
	struct quire *q = c->q;
	uint64_t anon = 0, mapped = 0, free = mark_all_free(c);
	uint64_t pfn = q->min_pfn;

	while (pfn < q->max_pfn)
		pfn += check_block(c, pfn_to_page(q, pfn), &anon, &mapped);
	check_stat(c, "nr_anon_pages", anon, vmstat_sum(q, VM_nr_anon_pages));
	check_stat(c, "nr_mapped", mapped, vmstat_sum(q, VM_nr_mapped));
	check_stat(c, "nr_mlock", c->mlocked, vmstat_sum(q, VM_nr_mlock));
	check_stat(c, "pages with PG_lru", c->listed, (int64_t)c->on_lru);
	check_stat(c, "broken frames", c->poisoned,
		   (int64_t)READ_ONCE(q->nr_poisoned));
	check_stat(c, "nr_slab", c->slab, vmstat_sum(q, VM_nr_slab));
	check_stat(c, "nr_free_pages", free, (int64_t)nr_free_pages(q));
}
