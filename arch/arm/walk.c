/* SPDX-License-Identifier: MIT */
/*
 * walk.c - reading a table as the processor does, whatever is in it (ARM ARM
 * DDI 0406C, B3.5.1 and B3.5.4): for reports.
 *
 *   first level:  4096 words, one for each 1 MiB
 *                   00 nothing, 01 a second-level table, 1x a section
 *   second level:  256 words, one for each page
 *
 * Locks: none; see asm/fault.h.
 */
#include "fault.h"
#include <asm/fault.h>

/* The word at phys, or 0 where there is no memory to read. */
static bool read_word(struct quire *q, paddr_t phys, uint32_t *word)
{
	if (!pfn_valid(q, phys >> PAGE_SHIFT))
		return false;
	*word = __atomic_load_n((uint32_t *)phys_to_virt(q, phys),
				__ATOMIC_ACQUIRE);
	return true;
}

void arm_walk_table(struct quire *q, paddr_t root, uaddr_t addr,
		    struct arm_walk *w)
{
	paddr_t table;

	w->n = 0;
	if (!read_word(q, root + (addr >> ARM_SECTION_SHIFT) * 4, &w->desc[0]))
		return;
	w->n = 1;
	if ((w->desc[0] & ARM_L1_TYPE) != ARM_L1_TABLE)
		return;
	table = w->desc[0] & ARM_L1_TABLE_MASK;
	if (read_word(q, table + ((addr >> PAGE_SHIFT) & 255) * 4, &w->desc[1]))
		w->n = 2;
}
