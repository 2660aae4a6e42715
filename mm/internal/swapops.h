/* SPDX-License-Identifier: MIT */
/*
 * swapops.h - what an entry that is neither empty nor present says (P3).
 *
 *   type < QUIRE_MAX_SWAP_AREAS   a slot of that swap area
 *   above                         one of the kinds below; the offset is a frame
 *                                 number (marker: its bits)
 */
#ifndef QUIRE_MM_SWAPOPS_H
#define QUIRE_MM_SWAPOPS_H

#include <asm/pgtable.h>
#include <quire/swap.h>

enum swap_entry_type {
	SWP_HWPOISON = QUIRE_MAX_SWAP_AREAS, /* the frame is broken */
	SWP_MIGRATION_READ,	 /* the page is on its way elsewhere: it was */
	SWP_MIGRATION_READ_EXCL, /* read-only; the same, and exclusive; */
	SWP_MIGRATION_WRITE,	 /* writable */
	SWP_DEVICE_READ,	 /* it is in a device's private memory */
	SWP_DEVICE_WRITE,
	SWP_PTE_MARKER, /* no page: the bits say something of the place */
};
_Static_assert(SWP_PTE_MARKER < 1u << SWP_TYPE_BITS, "too many entry types");

static inline bool swap_entry_is_slot(swp_entry_t e)
{
	return swp_type(e) < QUIRE_MAX_SWAP_AREAS;
}
static inline bool is_migration_entry(swp_entry_t e)
{
	return swp_type(e) >= SWP_MIGRATION_READ &&
	       swp_type(e) <= SWP_MIGRATION_WRITE;
}
static inline bool is_hwpoison_entry(swp_entry_t e)
{
	return swp_type(e) == SWP_HWPOISON;
}
static inline bool is_device_private_entry(swp_entry_t e)
{
	return swp_type(e) == SWP_DEVICE_READ ||
	       swp_type(e) == SWP_DEVICE_WRITE;
}
static inline bool is_pte_marker_entry(swp_entry_t e)
{
	return swp_type(e) == SWP_PTE_MARKER;
}

#endif
