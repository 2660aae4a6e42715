/* SPDX-License-Identifier: MIT */
/*
 * scenarios_x86.c - faults that only x86 has: reserved bits, a kernel page
 * that is stale in the TLB or missing in one address space (E3).
 */
#include <string.h>

#include <fault.h>

#include "explain.h"

/* Kernel addresses that nothing uses. */
static uaddr_t free_kernel_address(struct stage *s)
{
	uaddr_t given = s->t->qt.q->config.vmalloc_start;

	if (given)
		return given + 8;
	return (uaddr_t)(sim_get_config(s->m)->levels == 5
				 ? 0xff91000000000008ull
				 : 0xffffc90000000008ull);
}

/*
 * A page there in the reference table, by hand, with these bits in its entry.
 * Tables and page come from memory that is not Quire's.  Returns the entry.
 */
static pte_t *map_kernel_page(struct stage *s, uint64_t bits)
{
	struct level level[MAX_LEVELS];
	uint64_t bytes, e;
	paddr_t spare = sim_reserved(s->m, &bytes);
	unsigned i, n = MAX_LEVELS;

	for (i = 0; i < n; i++) {
		n = tables_walk_from(s->m, s->t->qt.q->arch.kernel_root,
				     s->addr, level);
		if (level[i].folded || (level[i].raw & _PAGE_PRESENT))
			continue;
		memset(sim_phys(s->m, spare), 0, 4096);
		/* PDPTEs of PAE have no R/W bit (SDM vol. 3A, table 4-8) */
		e = spare | _PAGE_PRESENT |
		    (this_format == ON_PAE && i == 2 ? 0 : _PAGE_RW);
		if (i == n - 1)
			e = spare | bits;
		memcpy(sim_phys(s->m, level[i].at), &e, tables_entry_bytes);
		spare += 4096;
	}
	return sim_phys(s->m, level[n - 1].at);
}

/* The kernel maps a page after this address space was made. */
static void mapped_since(struct stage *s)
{
	struct level level[MAX_LEVELS];
	paddr_t root = sim_current_root(s->m);
	unsigned top = 0;

	s->addr = free_kernel_address(s);
	(void)map_kernel_page(s, _PAGE_PRESENT | _PAGE_RW);
	tables_walk(s->m, s->addr, level);
	while (level[top].folded)
		top++;
	/* (all of PAE's address spaces share a directory: not even that yet) */
	memset(sim_phys(s->m, level[top].at), 0, tables_entry_bytes);
	sim_load_table(s->m, root, 0, false);
}

/* The TLB has a kernel page read-only that was made writable since. */
static void stale_kernel_tlb(struct stage *s)
{
	uint8_t byte;
	pte_t *pte;

	s->addr = free_kernel_address(s);
	pte = map_kernel_page(s, _PAGE_PRESENT);
	if (sim_execve(s->t) ||
	    sim_access(s->t, SIM_READ, SIM_KERNEL, s->addr, &byte, 1))
		die("the kernel's page cannot be read");
	pte->v |= _PAGE_RW;
}

/* A bit that the processor wants clear, past its physical addresses. */
static void reserved_bit(struct stage *s)
{
	pte_t *pte, e;

	stage_anonymous_written(s);
	pte = stage_entry(s);
	e = ptep_get(pte);
	e.v |= (__typeof__(e.v))(1ull << 51);
	set_pte(pte, e);
	flush_tlb_mm(s->t->qt.mm);
}

const struct scenario arch_scenarios[] = {
	{"spurious_kernel",
	 "the TLB is older than the kernel's own entry, which allows it",
	 ON_X86, QF_SPURIOUS, SIM_WRITE, SIM_KERNEL, stale_kernel_tlb, NULL},
	{"vmalloc", "a kernel mapping that this address space lacks: copied",
	 ON_I386 | ON_PAE, QF_VMALLOC, SIM_READ, SIM_KERNEL, mapped_since,
	 NULL},
	{"smap", "the kernel touches a program's memory without leave",
	 ON_X86_64, QF_OOPS, SIM_READ, SIM_KERNEL, stage_anonymous_written,
	 NULL},
	{"smep", "the kernel executes a program's memory", ON_X86_64, QF_OOPS,
	 SIM_FETCH, SIM_KERNEL, stage_anonymous_written, NULL},
	{"reserved_bit", "an entry with a reserved bit set: corrupt tables",
	 ON_X86_64 | ON_PAE, QF_OOPS, SIM_READ, 0, reserved_bit, NULL},
	{NULL, NULL, 0, QF_NONE, SIM_READ, 0, NULL, NULL},
};
