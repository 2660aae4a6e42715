/* SPDX-License-Identifier: MIT */
/*
 * pgtable-levels.h - what every format has alike: the index of an address in a
 * table, where the reach of an entry ends, a bit of the lowest level's entries.
 * The format's pgtable_types.h has said the shifts, sizes and bits.
 */
#ifndef QUIRE_GENERIC_PGTABLE_LEVELS_H
#define QUIRE_GENERIC_PGTABLE_LEVELS_H

#include "base.h"

/* name_index(addr), for a level of count entries that map 1 << shift bytes */
#define __PGTABLE_INDEX(name, shift, count)                                    \
	static __always_inline unsigned name##_index(uaddr_t addr)             \
	{                                                                      \
		return (unsigned)(addr >> (shift)) & ((count)-1u);             \
	}
/*
 * name_addr_end(addr, end): first address past the entry of addr, or end if
 * that comes first.  Either may have wrapped to 0: the end of all addresses.
 */
#define __PGTABLE_ADDR_END(name, size)                                         \
	static __always_inline uaddr_t name##_addr_end(uaddr_t addr,           \
						       uaddr_t end)            \
	{                                                                      \
		uaddr_t next = (addr + (size)) & ~((size)-1);                  \
                                                                               \
		return next - 1 < end - 1 ? next : end;                        \
	}

/* test(pte), set(pte), clear(pte) of one bit */
#define __PTE_BIT(test, set, clear, bit)                                       \
	static __always_inline bool test(pte_t e)                              \
	{                                                                      \
		return (e.v & (bit)) != 0;                                     \
	}                                                                      \
	static __always_inline pte_t set(pte_t e)                              \
	{                                                                      \
		return (pte_t){e.v | (bit)};                                   \
	}                                                                      \
	static __always_inline pte_t clear(pte_t e)                            \
	{                                                                      \
		return (pte_t){e.v & ~(bit)};                                  \
	}

#endif
