/* SPDX-License-Identifier: MIT */
/*
 * The TLB of a simulated CPU.
 *
 *   set = virtual page number mod sets        ways
 *     +------------------------------------+--------+
 *     | vpn | ctx | frame | W U NX D G     |  ...   |
 *     +------------------------------------+--------+
 *
 * Each address-space id has, at any time, a context number that was never used
 * before; entries carry the one they were made under, so flushing an id is
 * taking a new number for it.  Global entries carry the global number.  Large
 * pages are cut to 4 KiB entries, as a processor may do (SDM vol. 3A 4.10.2.2).
 *
 * Permissions and the dirty flag are cached with the frame, and nothing but a
 * flush, a fault on the page or the loss of the way to another entry ends an
 * entry: a translation that Quire forgot to flush keeps working, wrongly.
 *
 * A small paging-structure cache keeps where last-level tables are, so that a
 * table freed without a flush is found too.
 */
#include <stdlib.h>
#include <string.h>

#include <sim/internal.h>

int tlb_init(struct sim_tlb *tlb, unsigned sets, unsigned ways)
{
	memset(tlb, 0, sizeof(*tlb));
	tlb->entry = calloc((size_t)sets * ways, sizeof(*tlb->entry));
	if (!tlb->entry)
		return -ENOMEM;
	tlb->set_mask = sets - 1;
	tlb->ways = ways;
	tlb->ctx_next = 1;
	tlb->ctx_global = tlb->ctx_next++;
	tlb_switch(tlb, 0, false);
	return 0;
}

void tlb_destroy(struct sim_tlb *tlb)
{
	free(tlb->entry);
	tlb->entry = NULL;
}

void tlb_switch(struct sim_tlb *tlb, unsigned asid, bool keep)
{
	if (!keep || !tlb->ctx[asid])
		tlb->ctx[asid] = tlb->ctx_next++;
	tlb->ctx_current = tlb->ctx[asid];
}

void tlb_flush_all(struct sim_tlb *tlb, unsigned asid, bool global)
{
	if (global) {
		tlb->ctx_global = tlb->ctx_next++;
		memset(tlb->ctx, 0, sizeof(tlb->ctx));
	}
	tlb_switch(tlb, asid, false);
}

void tlb_flush_asid(struct sim_tlb *tlb, unsigned asid)
{
	bool current = tlb->ctx[asid] == tlb->ctx_current;

	tlb->ctx[asid] = tlb->ctx_next++;
	if (current)
		tlb->ctx_current = tlb->ctx[asid];
}

void tlb_flush_asid_page(struct sim_tlb *tlb, unsigned asid, uaddr_t addr)
{
	uint64_t current = tlb->ctx_current;

	/* an id never loaded here has no context, and no entry */
	tlb->ctx_current = tlb->ctx[asid] ? tlb->ctx[asid] : ~0ull;
	tlb_flush_page(tlb, addr);
	tlb->ctx_current = current;
}

static bool entry_live(const struct sim_tlb *tlb, const struct sim_tlb_entry *e)
{
	return e->ctx == tlb->ctx_current || e->ctx == tlb->ctx_global;
}

/* A large page may have many entries: all of them go. */
static void flush_large(struct sim_tlb *tlb, uint64_t vpn)
{
	size_t i, n = ((size_t)tlb->set_mask + 1) * tlb->ways;

	for (i = 0; i < n; i++) {
		struct sim_tlb_entry *e = &tlb->entry[i];
		unsigned s = e->shift > 12 ? e->shift - 12u : 0;

		if (s && entry_live(tlb, e) && e->vpn >> s == vpn >> s)
			e->ctx = 0;
	}
}

void tlb_flush_page(struct sim_tlb *tlb, uaddr_t addr)
{
	uint64_t vpn = addr >> 12;
	struct sim_tlb_entry *e =
		&tlb->entry[(vpn & tlb->set_mask) * tlb->ways];
	unsigned i;

	for (i = 0; i < tlb->ways; i++)
		if (e[i].vpn == vpn && entry_live(tlb, &e[i]))
			e[i].ctx = 0;
	if (tlb->nr_large)
		flush_large(tlb, vpn);
	for (i = 0; i < SIM_PWC_SIZE; i++)
		if (tlb->pwc[i].ctx == tlb->ctx_current &&
		    (!sim_mmu.walk_shift ||
		     tlb->pwc[i].tag == addr >> sim_mmu.walk_shift))
			tlb->pwc[i].ctx = 0;
}

/*
 * Room in the set: the page's own old entry, else one that can never match
 * again under the present contexts of any id, else a random victim.
 */
static struct sim_tlb_entry *tlb_victim(struct sim_cpu *cpu, uint64_t vpn)
{
	struct sim_tlb *tlb = &cpu->tlb;
	struct sim_tlb_entry *set =
		&tlb->entry[(vpn & tlb->set_mask) * tlb->ways];
	struct sim_tlb_entry *empty = NULL;
	unsigned i;

	for (i = 0; i < tlb->ways; i++) {
		if (set[i].vpn == vpn && entry_live(tlb, &set[i]))
			return &set[i];
		if (!set[i].ctx)
			empty = &set[i];
	}
	if (empty)
		return empty;
	return &set[sim_random(&cpu->rng) % tlb->ways];
}

void tlb_insert(struct sim_cpu *cpu, uaddr_t addr, const struct sim_walk *w)
{
	struct sim_tlb *tlb = &cpu->tlb;
	struct sim_tlb_entry *e = tlb_victim(cpu, addr >> 12);

	e->vpn = addr >> 12;
	e->ctx = w->global ? tlb->ctx_global : tlb->ctx_current;
	e->frame = w->phys & ~(paddr_t)0xfff;
	e->shift = (uint8_t)w->page_shift;
	e->attr = (uint16_t)w->attr;
	e->flags = (uint8_t)((w->writable ? TLB_WRITE : 0) |
			     (w->user ? TLB_USER : 0) | (w->nx ? TLB_NX : 0) |
			     (w->dirty ? TLB_DIRTY : 0) |
			     (w->global ? TLB_GLOBAL : 0));
	if (w->page_shift > 12)
		tlb->nr_large = 1;
}

void tlb_evict_random(struct sim_cpu *cpu)
{
	struct sim_tlb *tlb = &cpu->tlb;
	size_t n = ((size_t)tlb->set_mask + 1) * tlb->ways;

	tlb->entry[sim_random(&cpu->rng) % n].ctx = 0;
	tlb->pwc[sim_random(&cpu->rng) % SIM_PWC_SIZE].ctx = 0;
}
