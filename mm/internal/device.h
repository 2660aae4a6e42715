/* SPDX-License-Identifier: MIT */
/*
 * device.h - mappings of memory that Quire does not own (C6): a device's frames
 * (mm/pfnmap.c), and files whose device is memory itself (mm/dax.c).
 *
 *                 VMA flags               how entries come
 *   FRAMES        VM_IO | VM_PFNMAP       all by mmap          remap_frames
 *   FAULT         VM_IO | VM_PFNMAP       one by one           insert_frame
 *   MIXED         VM_MIXEDMAP             one by one, some     insert_frame or
 *                                         of them pages        insert_page
 *   DAX           VM_MIXEDMAP             one by one           insert_frame
 *
 * An entry of a frame is special: vm_normal_page() finds nothing behind it, so
 * zap, fork, mprotect and mremap leave all books alone.  What keeps such an
 * entry from outliving its frame is frames_lock (of the file's mapping, where
 * it has one): read from asking for the frame until the entry is there, write
 * where frames are taken away; then unmap_mapping_range() finds every entry.
 */
#ifndef QUIRE_MM_DEVICE_H
#define QUIRE_MM_DEVICE_H

#include "fault.h"
#include "filemap.h"

/* ------------------------------------------------------------ mm/pfnmap.c */

/* The VM_* flags that the device's answer means, added to *flags: 0, or
 * -EINVAL when it makes no sense (or the format cannot name the frames). */
int device_vm_flags(struct quire *q, const struct quire_device_map *map,
		    vm_flags_t *flags);
/* The operations of a VMA of `file`. */
const struct vm_operations_struct *device_vm_ops(const struct quire_file *file);
/*
 * Map all of vma at once, to the frames from phys on; vma is fresh.  0 or
 * -ENOMEM (some of it may be mapped then).  mmap_lock held for write.  Sleeps.
 */
int remap_frames(struct vm_area_struct *vma, paddr_t phys);
/*
 * The entry of vmf->address for a frame: writable (and dirty) when `write`.
 * An entry that is there for the same frame becomes writable; any other stands.
 * NOPAGE, or OOM.  mmap_lock held for read; no page-table lock.
 */
vm_fault_t insert_frame(struct vm_fault *vmf, uint64_t pfn, bool write);
/*
 * Copy what a special entry of vma maps to a fresh page: 0, or -EFAULT where
 * the frame cannot be read.  mmap_lock held for read.
 */
int copy_frame(struct vm_area_struct *vma, uint64_t pfn, struct page *page);

/* What the faulting program gets for a device's -errno. */
static inline vm_fault_t device_error(int err)
{
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/* --------------------------------------------------------------- mm/dax.c */

static inline bool mapping_is_dax(const struct address_space *as)
{
	return as->aops && as->aops->direct_access;
}
extern const struct vm_operations_struct dax_vm_ops;
/* quire_mapping_read and its kin for a DAX mapping: quire.h. */
long dax_read(struct address_space *as, uint64_t pos, size_t len,
	      quire_copy_fn copy, void *cookie);
long dax_write(struct address_space *as, uint64_t pos, size_t len,
	       quire_copy_fn copy, void *cookie);
void dax_set_size(struct address_space *as, uint64_t size);
void dax_punch(struct address_space *as, uint64_t start, uint64_t end);

#endif
