/* SPDX-License-Identifier: MIT */
/*
 * check_swap.c - swap's part of quire_check(): every slot has as many users as
 * there are entries and values that name it; the cached pages know their slots;
 * clusters, lists and counts agree.
 *
 * The system is quiet, so what is found is counted in the slots themselves: in
 * the upper half of `users`, which is cleared again in the end.  (Slots with
 * more users than fit the lower half are not looked at.)
 */
#include "check.h"
#include "swap_area.h"

#define FOUND_SHIFT 16
#define USERS_MASK  ((1u << FOUND_SHIFT) - 1)

bool check_swap_entry(struct quire_check *c, swp_entry_t entry)
{
	struct swap_cluster *cluster;
	struct swap_slot *slot;

	if (!swap_entry_is_slot(entry) || !swap_in_range(c->q, entry))
		return false;
	slot = lock_slot(c->q, entry, &cluster);
	spin_unlock(&cluster->lock);
	if (!(slot->users & USERS_MASK) || slot->users == SLOT_BAD)
		return false; /* a test's own: not one that swap gave */
	slot->users += 1u << FOUND_SHIFT;
	return true;
}

struct area_count {
	uint64_t used, held, cached;
};

static void check_cached(struct quire_check *c, swp_entry_t entry,
			 struct page *page)
{
	check_of(c, page)->refs++;
	/* its write-back holds one more */
	if (PageFlag(page, PG_writeback)) {
		check_of(c, page)->refs++;
		c->writeback++;
	}
	if (!PageFlag(page, PG_swapcache) || page->priv != entry.v)
		check_fail(c, "slot %u:%llx: its page says otherwise",
			   swp_type(entry),
			   (unsigned long long)swp_offset(entry));
	c->swapcached++;
}

/* One slot; true: it is in use. */
static bool check_slot(struct quire_check *c, swp_entry_t entry,
		       struct swap_slot *slot)
{
	struct page *page = slot_page(c->q, slot);
	uint32_t users = slot->users & USERS_MASK;

	if (slot->users == SLOT_BAD)
		return false;
	if (slot->users >> FOUND_SHIFT != users)
		check_fail(c, "slot %u:%llx has %u users, found %u",
			   swp_type(entry),
			   (unsigned long long)swp_offset(entry), users,
			   slot->users >> FOUND_SHIFT);
	slot->users = users;
	if (page)
		check_cached(c, entry, page);
	return users || page;
}

static void check_cluster(struct quire_check *c, struct swap_area *a,
			  struct swap_cluster *cl, struct area_count *n)
{
	uint64_t base = (uint64_t)cl->number << SWAP_CLUSTER_SHIFT;
	uint32_t i, used = 0;

	check_of(c, virt_to_page(c->q, cl->slots))->refs++;
	for (i = 0; i < SWAP_CLUSTER; i++)
		used += check_slot(c, swp_entry(a->nr, base + i),
				   &cl->slots[i]);
	n->used += used;
	if (cl->state == CLUSTER_DISCARD) {
		n->held += cl->usable;
		used = cl->usable;
	}
	if (cl->free != cl->usable - used)
		check_fail(c, "swap area %u, cluster %u: %u free, found %u",
			   a->nr, cl->number, cl->free, cl->usable - used);
	if ((cl->state == CLUSTER_FULL) != (cl->free == 0) &&
	    cl->state != CLUSTER_DISCARD)
		check_fail(c, "swap area %u, cluster %u: state %u, %u free",
			   a->nr, cl->number, cl->state, cl->free);
}

static void check_list(struct quire_check *c, struct swap_area *a,
		       struct list_head *list, enum swap_cluster_state state)
{
	struct swap_cluster *cl;

	list_for_each_entry (cl, list, struct swap_cluster, list)
		if (cl->state != state)
			check_fail(c, "swap area %u, cluster %u: on list %u",
				   a->nr, cl->number, state);
}

static void check_area(struct quire_check *c, struct swap_area *a)
{
	struct area_count n = {0, 0, 0};
	uint32_t i;

	check_of(c, virt_to_page(c->q, a->chunk))->refs++;
	for (i = 0; i < a->nr_clusters; i++) {
		if (!(i & (SWAP_CHUNK - 1)))
			check_of(c, virt_to_page(c->q, area_cluster(a, i)))
				->refs++;
		check_cluster(c, a, area_cluster(a, i), &n);
	}
	check_list(c, a, &a->free, CLUSTER_FREE);
	check_list(c, a, &a->partial, CLUSTER_PARTIAL);
	check_list(c, a, &a->discard, CLUSTER_DISCARD);
	check_sum(c, "swap area's free slots", a->usable - n.used - n.held,
		  a->nr_free);
	if (a->refs != 1)
		check_fail(c, "swap area %u: %u references", a->nr, a->refs);
}

void check_swap(struct quire_check *c)
{
	unsigned i;

	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		if (c->q->swap->area[i].refs)
			check_area(c, &c->q->swap->area[i]);
	check_sum(c, "nr_swapcached", c->swapcached,
		  vmstat_sum(c->q, VM_nr_swapcached));
}
