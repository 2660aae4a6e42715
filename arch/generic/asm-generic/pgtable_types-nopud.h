/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types-nopud.h - types of the levels that a two-level format folds
 * away (pgtable-nopud.h).  The format has defined pmd_t.
 */
#ifndef QUIRE_GENERIC_PGTABLE_TYPES_NOPUD_H
#define QUIRE_GENERIC_PGTABLE_TYPES_NOPUD_H

typedef struct {
	pmd_t pmd;
} pud_t;
#define PUD_SIZE ((uaddr_t)0) /* as in pgtable_types-nop4d.h */

#include <asm-generic/pgtable_types-nop4d.h>

#endif
