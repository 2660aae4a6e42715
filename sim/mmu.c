/* SPDX-License-Identifier: MIT */
/*
 * The part of the MMU that every page-table format shares: TLB first, then the
 * format's walk.
 *
 *   access -> TLB hit, rights cached suffice ---------------> physical address
 *               | rights do not: entry dropped, page fault
 *               | write through a clean entry: walk again, to set dirty
 *             miss -> walk -> insert ----------------------> physical address
 *                       | page fault, error code
 *
 * A processor raises the fault on the cached rights, without looking at the
 * tables again (SDM vol. 3A 4.10.4.3: a cached entry with too few rights gives
 * a spurious fault), and on x86 the fault ends the entry (4.10.4.1).  That is
 * how a spurious fault comes about, and why it needs no flush on this CPU.  An
 * ARM keeps the entry (fault_keeps_entry).
 */
#include <sim/internal.h>

/* The TLB's answer; NULL: none. */
static inline struct sim_tlb_entry *tlb_lookup(struct sim_tlb *tlb,
					       uaddr_t addr)
{
	uint64_t vpn = addr >> 12;
	struct sim_tlb_entry *e =
		&tlb->entry[(vpn & tlb->set_mask) * tlb->ways];
	struct sim_tlb_entry *end = e + tlb->ways;

	for (; e < end; e++)
		if (e->vpn == vpn &&
		    (e->ctx == tlb->ctx_current || e->ctx == tlb->ctx_global))
			return e;
	return NULL;
}

static bool translate_miss(struct sim_cpu *cpu, enum sim_access_kind kind,
			   unsigned mode, uaddr_t addr, paddr_t *phys,
			   struct sim_walk *w)
{
	cpu->stats.walks++;
	if (!cpu->m->mmu->walk(cpu, kind, mode, addr, w)) {
		if (!cpu->m->mmu->fault_keeps_entry)
			tlb_flush_page(&cpu->tlb, addr);
		return false;
	}
	check_frame(cpu, w->phys, addr, "entry in the tables");
	tlb_insert(cpu, addr, w);
	*phys = w->phys;
	if (cpu->m->mmu->used)
		cpu->m->mmu->used(cpu, kind, addr, *phys);
	return true;
}

bool mmu_translate(struct sim_cpu *cpu, enum sim_access_kind kind,
		   unsigned mode, uaddr_t addr, paddr_t *phys,
		   struct sim_walk *w)
{
	struct sim_machine *m = cpu->m;
	struct sim_tlb_entry *e;
	uint32_t error;

	if (sim_unlikely(m->config.tlb_evict) &&
	    sim_random(&cpu->rng) % m->config.tlb_evict == 0)
		tlb_evict_random(cpu);
	e = tlb_lookup(&cpu->tlb, addr);
	if (sim_unlikely(!e))
		return translate_miss(cpu, kind, mode, addr, phys, w);
	error = m->mmu->check(cpu, kind, mode, e);
	if (sim_unlikely(error)) {
		if (!m->mmu->fault_keeps_entry)
			tlb_flush_page(&cpu->tlb, addr);
		*w = (struct sim_walk){.error = error};
		return false;
	}
	if (kind == SIM_WRITE && !(e->flags & TLB_DIRTY))
		return translate_miss(cpu, kind, mode, addr, phys, w);
	cpu->stats.tlb_hits++;
	*phys = e->frame | (addr & 0xfff);
	check_frame(cpu, *phys, addr, "stale TLB entry");
	if (m->mmu->used)
		m->mmu->used(cpu, kind, addr, *phys);
	return true;
}

bool sim_translate(struct sim_machine *m, enum sim_access_kind kind,
		   unsigned mode, uaddr_t addr, bool use_tlb,
		   struct sim_walk *out)
{
	struct sim_cpu *cpu = sim_self;
	struct sim_tlb_entry *e;
	paddr_t phys;
	bool ok;

	*out = (struct sim_walk){0};
	cpu_poll(cpu);
	if (!use_tlb)
		return m->mmu->walk(cpu, kind, mode, addr, out);
	ok = mmu_translate(cpu, kind, mode, addr, &phys, out);
	e = ok ? tlb_lookup(&cpu->tlb, addr) : NULL;
	if (e) {
		out->phys = phys;
		out->page_shift = e->shift;
		out->global = e->flags & TLB_GLOBAL;
		out->user = e->flags & TLB_USER;
		out->writable = e->flags & TLB_WRITE;
		out->nx = e->flags & TLB_NX;
		out->dirty = e->flags & TLB_DIRTY;
		out->attr = e->attr;
	}
	return ok;
}

void sim_load_table(struct sim_machine *m, paddr_t root, unsigned asid,
		    bool noflush)
{
	(void)m;
	quire_host_load_table(root, asid, noflush);
}

paddr_t sim_current_root(struct sim_machine *m)
{
	(void)m;
	return sim_self->root;
}
