/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - flushing and switching; arch/arm/tlb.c has the whole story.
 */
#ifndef QUIRE_ARM_TLB_H
#define QUIRE_ARM_TLB_H

#include <asm-generic/tlb.h>

/* Past so many pages one whole flush is cheaper than single ones. */
#define TLB_FLUSH_CEILING 32

#endif
