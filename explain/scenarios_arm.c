/* SPDX-License-Identifier: MIT */
/*
 * scenarios_arm.c - faults that only ARM has: young and dirty are kept by
 * them (P7), a kernel mapping is missing in one address space (E13), the
 * statuses that no table can mend (E12).
 */
#include <fault.h>

#include <sim/mmu_arm.h>

#include "explain.h"

static void old_page(struct stage *s)
{
	pte_t *pte;

	stage_anonymous_written(s);
	pte = stage_entry(s);
	set_pte_at(s->t->qt.mm, s->addr, pte, pte_mkold(ptep_get(pte)));
	flush_tlb_mm(s->t->qt.mm);
}

static void clean_page(struct stage *s)
{
	stage_shared_anonymous(s);
	stage_read(s);
}

/* The kernel maps a section after this address space was made. */
static void mapped_since(struct stage *s)
{
	struct quire *q = s->t->qt.q;
	uint32_t *word;

	s->addr = 0xf8000008u;
	word = (uint32_t *)sim_phys(s->m, q->arch.kernel_root) +
	       (s->addr >> ARM_SECTION_SHIFT);
	*word = ARM_SECT_KERNEL | 0x00100000u;
	quire_host_table_written(word, sizeof(*word));
}

static void kernel_section(struct stage *s)
{
	s->addr = PAGE_OFFSET + 8;
}

/* The user's domain is closed. */
static void close_domain(struct stage *s)
{
	sim_arm_set_dacr(s->m, ARM_DACR & ~(3u << 2 * ARM_DOMAIN_USER));
}

static void align(struct stage *s)
{
	sim_arm_inject(s->m, FS_ALIGNMENT);
}

static void external(struct stage *s)
{
	sim_arm_inject(s->m, FS_EXTERNAL);
}

static void walk_external(struct stage *s)
{
	sim_arm_inject(s->m, FS_WALK_EXTERNAL_1);
}

const struct scenario arch_scenarios[] = {
	{"young", "access to a page that was made old: marked young", ON_ARM,
	 QF_YOUNG_DIRTY, SIM_READ, 0, old_page, NULL},
	{"dirty", "first write to a clean page: marked dirty, made writable",
	 ON_ARM, QF_YOUNG_DIRTY, SIM_WRITE, 0, clean_page, NULL},
	{"vmalloc", "a kernel mapping that this address space lacks: copied",
	 ON_ARM, QF_VMALLOC, SIM_READ, SIM_KERNEL, mapped_since, NULL},
	{"section", "a program reads the kernel's sections", ON_ARM, QF_SIGSEGV,
	 SIM_READ, 0, kernel_section, NULL},
	{"domain", "the access is to a domain without access", ON_ARM,
	 QF_SIGSEGV, SIM_READ, 0, stage_anonymous_written, close_domain},
	{"alignment", "an alignment fault", ON_ARM, QF_SIGBUS, SIM_READ, 0,
	 stage_anonymous_written, align},
	{"external", "the memory system reports an error", ON_ARM, QF_SIGBUS,
	 SIM_READ, 0, stage_anonymous_written, external},
	{"walk_external", "the same, on the walk through the tables", ON_ARM,
	 QF_SIGBUS, SIM_READ, 0, stage_anonymous_written, walk_external},
	{NULL, NULL, 0, QF_NONE, SIM_READ, 0, NULL, NULL},
};
