/* SPDX-License-Identifier: MIT */
/* Mappings and page-table entries by hand, for tests of single entries. */
#ifndef QUIRE_TESTS_ENTRIES_H
#define QUIRE_TESTS_ENTRIES_H

#include <fault.h>

#include <tests/unit/common.h>

static inline struct vm_area_struct *vma_at(struct sim_task *t, uaddr_t a)
{
	struct vm_area_struct *vma = find_vma(t->qt.mm, a);

	REQUIRE(vma && vma->vm_start <= a);
	return vma;
}

static inline pte_t *pte_at(struct sim_task *t, uaddr_t a)
{
	pmd_t *pmd = mm_find_pmd(t->qt.mm, a);

	REQUIRE(pmd);
	return pte_offset_map(t->qt.q, pmd, a);
}

/* Put an entry there by hand; no TLB keeps the old one. */
static inline void poke(struct sim_task *t, uaddr_t a, pte_t e)
{
	sim_run(t);
	set_pte(pte_at(t, a), e);
	flush_tlb_mm(t->qt.mm);
}

#endif
