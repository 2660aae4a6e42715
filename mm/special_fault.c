/* SPDX-License-Identifier: MIT */
/*
 * special_fault.c - faults on, and copies of, entries that are not present and
 * name no slot of a swap area (P3, F11).
 *
 *   migration   the page is on its way to another frame: its lock is held until
 *               the entry is a present one again; wait for that
 *   hwpoison    the frame is broken and its contents are lost
 *   device      a device has the page in memory of its own: it gives it back
 *               (device_memory.c)
 *   marker      nothing was there but a note
 *   any other   nobody wrote it: the table is damaged; reported
 *
 * A migration entry holds no reference (whoever moves the page does) and is not
 * in RSS, so that it may come and go without a trace.  It says what the present
 * entry was: writable, or the only one (exclusive).  Fork takes both away; in
 * the child and in the parent, as for a present entry.
 *
 * Locks: mmap_lock for read in a fault; the table's lock for the look at it.
 */
#include "special.h"

/* Is what the entry says of its offset possible? */
static bool special_entry_valid(struct quire *q, swp_entry_t entry)
{
	uint64_t pfn = swp_offset(entry);

	if (is_migration_entry(entry))
		return pfn_valid(q, pfn) &&
		       PageFlag(pfn_to_page(q, pfn), PG_locked);
	if (is_hwpoison_entry(entry))
		return pfn_valid(q, pfn);
	if (is_device_private_entry(entry))
		return device_frame_valid(q, pfn);
	return is_pte_marker_entry(entry) && pfn == PTE_MARKER_SWAPIN_ERROR;
}

vm_fault_t do_special_entry(struct vm_fault *vmf, swp_entry_t entry)
{
	struct vm_area_struct *vma = vmf->vma;
	struct quire *q = vma->vm_mm->q;
	bool valid;

	fault_note_nowait(vmf);
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	if (!pte_same(ptep_get(vmf->pte), vmf->orig_pte)) {
		quire_step("another fault has changed the entry: look again");
		spin_unlock(vmf->ptl);
		return 0;
	}
	valid = special_entry_valid(q, entry);
	if (valid && is_migration_entry(entry)) {
		quire_step("the page is moving to another frame: wait for it");
		return migration_entry_wait(vmf,
					    pfn_to_page(q, swp_offset(entry)));
	}
	if (valid && is_device_private_entry(entry))
		return device_private_fault(vmf, swp_offset(entry));
	spin_unlock(vmf->ptl);
	if (!valid) {
		quire_step("nobody wrote this entry: it is bad");
		print_bad_pte(vma, vmf->address, vmf->orig_pte, NULL);
		return VM_FAULT_SIGBUS;
	}
	if (is_hwpoison_entry(entry)) {
		quire_step("the frame is broken, its contents are lost");
		return VM_FAULT_HWPOISON;
	}
	quire_step("what was here could not be read from its swap area");
	return VM_FAULT_SIGBUS;
}

/* ----------------------------------------------------------------- tables */

/* The same page, without write permission and shared; the entry's own bits. */
static pte_t share_entry(pte_t pte, swp_entry_t entry)
{
	unsigned type = is_migration_entry(entry) ? SWP_MIGRATION_READ
						  : SWP_DEVICE_READ;
	pte_t new = swp_entry_to_pte(swp_entry(type, swp_offset(entry)));

	return pte_swp_soft_dirty(pte) ? pte_swp_mksoft_dirty(new) : new;
}

pte_t special_pte_dup(struct mm_struct *dst, struct vm_area_struct *src,
		      pte_t *src_pte, uaddr_t addr)
{
	pte_t pte = ptep_get(src_pte);
	swp_entry_t entry = pte_to_swp_entry(pte);

	if (is_device_private_entry(entry)) {
		if (!device_frame_valid(dst->q, swp_offset(entry)))
			return pte;
		device_frame_dup(dst->q, swp_offset(entry));
		inc_mm_counter(dst, MM_ANONPAGES);
	}
	if (!is_migration_entry(entry) && !is_device_private_entry(entry))
		return pte;
	pte = share_entry(pte, entry);
	set_pte_at(src->vm_mm, addr, src_pte, pte);
	return pte;
}

void special_pte_free(struct mm_struct *mm, pte_t pte)
{
	swp_entry_t entry = pte_to_swp_entry(pte);

	if (!is_device_private_entry(entry) ||
	    !device_frame_valid(mm->q, swp_offset(entry)))
		return;
	device_frame_free(mm->q, swp_offset(entry));
	dec_mm_counter(mm, MM_ANONPAGES);
}

/*
 * Whether a page may be written at once depends on more than the entry knows:
 * without the permission a fault finds out.
 */
pte_t special_pte_protect(struct mm_struct *mm, pte_t pte)
{
	swp_entry_t entry = pte_to_swp_entry(pte);
	unsigned type = swp_type(entry);
	pte_t new;

	if (type == SWP_MIGRATION_WRITE)
		type = PageAnon(pfn_to_page(mm->q, swp_offset(entry)))
			       ? SWP_MIGRATION_READ_EXCL
			       : SWP_MIGRATION_READ;
	else if (type == SWP_DEVICE_WRITE)
		type = SWP_DEVICE_READ;
	else
		return pte;
	new = swp_entry_to_pte(swp_entry(type, swp_offset(entry)));
	return pte_swp_soft_dirty(pte) ? pte_swp_mksoft_dirty(new) : new;
}
