/* SPDX-License-Identifier: MIT */
/*
 * pgtable_entry.h - the lowest level's entries, where a format has bits
 * _PAGE_PRESENT and, for what PROT_NONE keeps the processor from,
 * _PAGE_PROTNONE.
 *
 * Beside its types every format defines, in its pgtable_types.h; there are no
 * defaults, so that a new format has to answer:
 *
 *   PGD_ORDER        log2 of the pages that the top-level table takes, aligned
 *                    to its size
 *   PGD_MAX_PFN      it must lie in a frame below that (UINT64_MAX: anywhere)
 *   PGD_STATIC_PUDS  so many puds, from address 0 on, get their tables with it
 *                    and keep them as long as the address space lives
 *   ARCH_SETS_YOUNG  the processor sets young by itself.  Where it does not,
 *                    an old entry costs a fault (P7), so none is made old
 *                    before anyone asks
 *   ARCH_WALKS_BY_ADDRESS
 *                    a flush of single pages leaves what the processor has
 *                    cached of the tables for all other addresses; so where a
 *                    table is freed, everything is to be flushed
 */
#ifndef QUIRE_GENERIC_PGTABLE_ENTRY_H
#define QUIRE_GENERIC_PGTABLE_ENTRY_H

#include "mm.h"
#include <asm/pgtable_types.h>

static __always_inline bool pte_none(pte_t e)
{
	return e.v == 0;
}
/* A page is there, even if PROT_NONE keeps the processor from it. */
static __always_inline bool pte_present(pte_t e)
{
	return (e.v & (_PAGE_PRESENT | _PAGE_PROTNONE)) != 0;
}
static __always_inline bool pte_protnone(pte_t e)
{
	return (e.v & (_PAGE_PRESENT | _PAGE_PROTNONE)) == _PAGE_PROTNONE;
}
static __always_inline bool is_swap_pte(pte_t e)
{
	return !pte_none(e) && !pte_present(e);
}

#endif
