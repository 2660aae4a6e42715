/* SPDX-License-Identifier: MIT */
/*
 * check_writeback.c - the part of quire_check() that is about write-back: tags
 * against flags, counts against tags, the list of files against counts, and
 * that nothing can be written to unnoticed.
 *
 *   page flag  <=>  tag in the lowest node  =>  tag of each node above
 *     sum = as->nrdirty ... sum = nr_dirty, nr_writeback
 *     some <=> the file is on wb_list, which is sorted by age
 *
 * The system is quiet, but I/O may be under way: its pages have a reference.
 */
#include "check.h"
#include "writeback.h"

static unsigned long long index_of(const struct page *page)
{
	return page->index;
}

/* Does a bit of n say of each slot what is below? Pages with tag are counted.
 */
static bool tags_match(const struct ptree_node *n, uint32_t height,
		       unsigned tag, uint64_t *count)
{
	uint64_t before;
	bool match = true;
	unsigned i;

	for (i = 0; i < PTREE_SLOTS; i++) {
		bool bit = n->tag[tag] >> i & 1u;

		if (height == 1) {
			*count += bit;
			match &= !bit || n->slot[i];
			continue;
		}
		before = *count;
		if (n->slot[i])
			match &= tags_match(n->slot[i], height - 1, tag, count);
		match &= bit == (*count != before);
	}
	return match;
}

void check_page_writeback(struct quire_check *c, struct address_space *as,
			  struct page *page)
{
	struct page_tree *t = &as->pages;
	bool dirty = page_tree_has_tag(t, page->index, PTREE_DIRTY);
	bool wb = page_tree_has_tag(t, page->index, PTREE_WRITEBACK);

	if (wb)
		check_of(c, page)->refs++;
	if (wb != PageFlag(page, PG_writeback))
		check_fail(c, "cached page %llx: write-back tag %u, flags %x",
			   index_of(page), wb, page->flags);
	if (page_tree_has_tag(t, page->index, PTREE_TOWRITE) && !dirty)
		check_fail(c, "cached page %llx: to be written, but clean",
			   index_of(page));
	if (mapping_can_writeback(as) ? dirty != PageFlag(page, PG_dirty)
				      : dirty)
		check_fail(c, "cached page %llx: dirty tag %u, flags %x",
			   index_of(page), dirty, page->flags);
}

void check_mapping_writeback(struct quire_check *c, struct address_space *as)
{
	uint64_t count[PTREE_TAGS] = {0, 0, 0};
	unsigned tag;

	for (tag = 0; as->pages.root && tag < PTREE_TAGS; tag++)
		if (!tags_match(as->pages.root, as->pages.height, tag,
				&count[tag]))
			check_fail(c, "file %llx: its tree's tag %u is wrong",
				   (unsigned long long)as->ino, tag);
	if (count[PTREE_DIRTY] != as->nrdirty ||
	    count[PTREE_WRITEBACK] != as->nrwriteback)
		check_fail(c,
			   "file has %llu dirty pages and %llu under "
			   "write-back, counted %lu and %lu",
			   (unsigned long long)count[PTREE_DIRTY],
			   (unsigned long long)count[PTREE_WRITEBACK],
			   as->nrdirty, as->nrwriteback);
	if (as->wb_busy != (as->nrdirty || as->nrwriteback) ||
	    as->wb_linked != as->wb_busy || as->wb_pins || as->writers)
		check_fail(c,
			   "file with %lu dirty pages: busy %u, on the list "
			   "%u, pins %u, writers %u",
			   as->nrdirty, as->wb_busy, as->wb_linked, as->wb_pins,
			   as->writers);
	c->listed_files += as->wb_linked;
	c->dirty += as->nrdirty;
	c->writeback += as->nrwriteback;
}

void check_wb_list(struct quire_check *c)
{
	struct address_space *as;
	uint64_t last = 0, n = 0;

	list_for_each_entry (as, &c->q->wb_list, struct address_space,
			     wb_list) {
		if (as->dirtied_when < last)
			check_fail(c, "wb_list: a file is not in its place");
		if (!as->wb_linked || as->q != c->q)
			check_fail(c, "wb_list: a file that is not on it");
		last = as->dirtied_when;
		n++;
	}
	check_sum(c, "files on wb_list", c->listed_files, (int64_t)n);
	check_sum(c, "nr_dirty", c->dirty, vmstat_sum(c->q, VM_nr_dirty));
	check_sum(c, "nr_writeback", c->writeback,
		  vmstat_sum(c->q, VM_nr_writeback));
}
