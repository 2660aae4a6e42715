/* SPDX-License-Identifier: MIT */
/*
 * pgtable_types-nop4d.h - types of the levels that a format without pgd and
 * p4d folds away (pgtable-nop4d.h).  The format has defined pud_t.
 */
#ifndef QUIRE_GENERIC_PGTABLE_TYPES_NOP4D_H
#define QUIRE_GENERIC_PGTABLE_TYPES_NOP4D_H

typedef struct {
	pud_t pud;
} p4d_t;
typedef struct {
	p4d_t p4d;
} pgd_t;

/* The whole address space: 2 to the power of its width, which reads as 0. */
#define P4D_SIZE   ((uaddr_t)0)
#define PGDIR_SIZE ((uaddr_t)0)

#endif
