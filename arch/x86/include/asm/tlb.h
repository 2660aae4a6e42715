/* SPDX-License-Identifier: MIT */
/*
 * tlb.h - flushing and switching; arch/x86/tlb.c has the whole story.
 */
#ifndef QUIRE_X86_TLB_H
#define QUIRE_X86_TLB_H

#include <asm-generic/tlb.h>

/* Past so many pages one whole flush is cheaper than single ones. */
#define TLB_FLUSH_CEILING 33

#endif
