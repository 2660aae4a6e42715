/* SPDX-License-Identifier: MIT */
/*
 * special.h - entries that are neither empty nor present and name no slot of a
 * swap area (P3): migration, hwpoison, device memory, markers.
 *
 *   kind         offset             RSS      reference   who waits for whom
 *   migration    the old frame      -        none        the frame is locked
 *   hwpoison     the broken frame   -        none
 *   device       device frame       anon     one user
 *   marker       PTE_MARKER_*       -        none
 */
#ifndef QUIRE_MM_SPECIAL_H
#define QUIRE_MM_SPECIAL_H

#include "fault.h"
#include "swapops.h"

/* What a marker says of its place. */
#define PTE_MARKER_UFFD_WP 1u /* (Linux's; nothing makes it here) */
#define PTE_MARKER_SWAPIN_ERROR                                                \
	2u /* what was here could not be read: SIGBUS                          \
	    */

static inline pte_t pte_marker(unsigned bits)
{
	return swp_entry_to_pte(swp_entry(SWP_PTE_MARKER, bits));
}

/*
 * mm/special_fault.c.  do_special_entry: do_swap_page() for an entry that names
 * no slot (vmf->orig_pte; no page-table lock held): waits for a migration,
 * brings back a device's page, or says what is wrong: HWPOISON, SIGBUS, OOM;
 * RETRY: the mmap_lock was dropped for a task that may not wait.
 */
vm_fault_t do_special_entry(struct vm_fault *vmf, swp_entry_t entry);
/*
 * For tables, as swap_pte_dup and swap_pte_free (swap.h), which call them; RSS
 * is kept right.  Table locks held (dup: of both).
 * special_pte_protect: what mprotect() leaves there.
 */
pte_t special_pte_dup(struct mm_struct *dst, struct vm_area_struct *src,
		      pte_t *src_pte, uaddr_t addr);
void special_pte_free(struct mm_struct *mm, pte_t pte);
pte_t special_pte_protect(struct mm_struct *mm, pte_t pte);

/* mm/page_lock.c: vmf->ptl is held, and an entry keeps `page` locked as long as
 * it is; the lock is dropped, and the page waited for: 0, or RETRY (as above).
 */
vm_fault_t migration_entry_wait(struct vm_fault *vmf, struct page *page);

/*
 * mm/device_memory.c.  device_private_fault: the entry's page, back from the
 * device; vmf->ptl is held, and is dropped.  Sleeps.  The others: a frame's
 * users, any context that may take a LEAF lock.
 */
vm_fault_t device_private_fault(struct vm_fault *vmf, uint64_t frame);
bool device_frame_valid(struct quire *q, uint64_t frame);
void device_frame_dup(struct quire *q, uint64_t frame);
void device_frame_free(struct quire *q, uint64_t frame);
uint64_t device_memory_users(struct quire *q); /* for quire_check() */

#endif
