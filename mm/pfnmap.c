/* SPDX-License-Identifier: MIT */
/*
 * pfnmap.c - a device's frames in a program's address space (C6).
 *
 *   mmap     the device says how (struct quire_device_map)
 *              FRAMES: remap_frames, every entry now
 *   fault    device_fault asks the device for the frame
 *              shared, or read     its entry, special     insert_frame
 *              MIXED, a page       an ordinary entry      insert_page
 *              private write       a copy of it, at once  file_fault.c maps it
 *   write to a read-only entry
 *              shared              ops->mkwrite, writable wp.c
 *              private             copy_frame, the copy   wp.c
 *
 * Copies are ordinary anonymous pages and have the ordinary attributes: only
 * what is the device's is cached as the device says.
 *
 * Locks: mmap_lock; frames_lock of the file's mapping (if it has one), then the
 * entry's lock.
 */
#include "device.h"
#include "gather.h"
#include "rmap.h"

/* -------------------------------------------------------------- at mmap */

/* Can an entry of this format name the frame? */
static bool frame_fits(struct quire *q, uint64_t pfn)
{
	return pte_pfn(pfn_pte(pfn, vm_get_page_prot(q, VM_READ))) == pfn;
}

int device_vm_flags(struct quire *q, const struct quire_device_map *map,
		    vm_flags_t *flags)
{
	uint64_t last = (map->phys + (map->len - 1)) >> PAGE_SHIFT;
	const vm_flags_t pfn = VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;

	if (map->cache > QUIRE_CACHE_DEVICE)
		return -EINVAL;
	*flags |= (vm_flags_t)map->cache << VM_CACHE_SHIFT;
	switch (map->kind) {
	case QUIRE_DEVICE_FRAMES:
		*flags |= pfn;
		if (!IS_ALIGNED(map->phys, (paddr_t)PAGE_SIZE) ||
		    last < map->phys >> PAGE_SHIFT || !frame_fits(q, last))
			return -EINVAL;
		return 0;
	case QUIRE_DEVICE_FAULT:
		*flags |= pfn;
		return 0;
	case QUIRE_DEVICE_MIXED:
		*flags |= VM_MIXEDMAP;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Is vma's own frame to be writable from the start? */
static bool writable_at_once(const struct vm_area_struct *vma)
{
	const struct quire_device_ops *d = vma->vm_file->device;

	return (vma->vm_flags & (VM_WRITE | VM_SHARED)) ==
		       (VM_WRITE | VM_SHARED) &&
	       !d->mkwrite && (vma->vm_flags & VM_SOFTDIRTY);
}

/* The entry of a frame in vma. */
static pte_t frame_pte(const struct vm_area_struct *vma, uint64_t pfn,
		       bool write)
{
	unsigned cache =
		(unsigned)((vma->vm_flags & VM_CACHE_MASK) >> VM_CACHE_SHIFT);
	pte_t entry = pfn_pte(pfn, pgprot_cache(vma->vm_page_prot, cache));

	entry = pte_mkspecial(entry);
	return write ? maybe_mkwrite(pte_mkdirty(entry), vma) : entry;
}

int remap_frames(struct vm_area_struct *vma, paddr_t phys)
{
	struct mm_struct *mm = vma->vm_mm;
	uint64_t pfn = phys >> PAGE_SHIFT;
	bool write = writable_at_once(vma);
	uaddr_t addr, end;
	spinlock_t *ptl;
	pte_t *pte;

	for (addr = vma->vm_start; addr < vma->vm_end; addr = end) {
		end = pmd_addr_end(addr, vma->vm_end);
		pte = get_locked_pte(mm, addr, &ptl);
		if (!pte)
			return -ENOMEM;
		for (; addr < end; addr += (uaddr_t)PAGE_SIZE)
			set_pte_at(mm, addr, pte++,
				   frame_pte(vma, pfn++, write));
		spin_unlock(ptl);
	}
	return 0;
}

/* -------------------------------------------------------------- at a fault */

/* vmf->pte with its lock held; 0 or VM_FAULT_OOM. */
static vm_fault_t lock_entry(struct vm_fault *vmf)
{
	struct quire *q = vmf->vma->vm_mm->q;

	if (fault_need_table(vmf))
		return VM_FAULT_OOM;
	vmf->pte = pte_offset_map(q, vmf->pmd, vmf->address);
	vmf->ptl = pte_lockptr(q, pmdp_get(vmf->pmd));
	spin_lock(vmf->ptl);
	return 0;
}

vm_fault_t insert_frame(struct vm_fault *vmf, uint64_t pfn, bool write)
{
	struct vm_area_struct *vma = vmf->vma;
	pte_t entry = frame_pte(vma, pfn, write), old;

	if (lock_entry(vmf))
		return VM_FAULT_OOM;
	old = ptep_get(vmf->pte);
	if (pte_none(old)) {
		set_pte_at(vma->vm_mm, vmf->address, vmf->pte, entry);
		update_mmu_cache(vma, vmf->address, vmf->pte);
	} else if (write && pte_present(old) && pte_special(old) &&
		   pte_pfn(old) == pfn) {
		quire_step("the same frame is there: it becomes writable");
		old = maybe_mkwrite(pte_mkdirty(pte_mkyoung(old)), vma);
		if (ptep_set_access_flags(vma, vmf->address, vmf->pte, old,
					  true))
			update_mmu_cache(vma, vmf->address, vmf->pte);
	} else {
		quire_step("the entry was filled meanwhile");
	}
	spin_unlock(vmf->ptl);
	return VM_FAULT_NOPAGE;
}

/* A page of memory, of a MIXED mapping: with a reference, and counted. */
static vm_fault_t insert_page(struct vm_fault *vmf, struct page *page,
			      bool write)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	pte_t entry = mk_pte(mm->q, page, vma->vm_page_prot);

	if (lock_entry(vmf))
		return VM_FAULT_OOM;
	if (pte_none(ptep_get(vmf->pte))) {
		if (write)
			entry = maybe_mkwrite(pte_mkdirty(entry), vma);
		get_page(page);
		inc_mm_counter(mm, MM_FILEPAGES);
		page_add_file_rmap(mm->q, page);
		set_pte_at(mm, vmf->address, vmf->pte, entry);
		update_mmu_cache(vma, vmf->address, vmf->pte);
	}
	spin_unlock(vmf->ptl);
	return VM_FAULT_NOPAGE;
}

/* The frame is known, and stays. */
static vm_fault_t map_answer(struct vm_fault *vmf, const struct quire_frame *f)
{
	struct vm_area_struct *vma = vmf->vma;
	bool shared = (vma->vm_flags & VM_SHARED) != 0;
	bool write = shared &&
		     ((vmf->flags & FAULT_FLAG_WRITE) || writable_at_once(vma));
	uint64_t pfn = f->phys >> PAGE_SHIFT;
	struct quire *q = vma->vm_mm->q;

	if (f->page && !(vma->vm_flags & VM_MIXEDMAP))
		return VM_FAULT_SIGBUS;
	if ((vmf->flags & FAULT_FLAG_WRITE) && !shared) {
		quire_step("private and written: its contents are copied");
		if (f->page)
			copy_page(page_address(q, vmf->cow_page),
				  page_address(q, f->page));
		else if (copy_frame(vma, pfn, vmf->cow_page))
			return VM_FAULT_SIGBUS;
		return VM_FAULT_DONE_COW;
	}
	if (f->page) {
		quire_step("the device gives a page of memory");
		return insert_page(vmf, f->page, write);
	}
	if (!IS_ALIGNED(f->phys, (paddr_t)PAGE_SIZE) || !frame_fits(q, pfn))
		return VM_FAULT_SIGBUS;
	quire_step("the device gives a frame: a special entry for it");
	return insert_frame(vmf, pfn, write);
}

static vm_fault_t device_fault(struct vm_fault *vmf)
{
	struct quire_file *file = vmf->vma->vm_file;
	const struct quire_device_ops *d = file->device;
	struct address_space *as = vmf->vma->vm_mapping;
	bool write = (vmf->flags & FAULT_FLAG_WRITE) &&
		     (vmf->vma->vm_flags & VM_SHARED);
	struct quire_frame f = {.phys = 0};
	uint64_t off = vmf->pgoff << PAGE_SHIFT;
	vm_fault_t ret;
	int err;

	fault_kind(vmf, QF_DEVICE);
	if (as)
		down_read(&as->frames_lock);
	err = d->frame(file, off, write, &f);
	if (!err && write && d->mkwrite)
		err = d->mkwrite(file, off);
	ret = err ? device_error(err) : map_answer(vmf, &f);
	if (as)
		up_read(&as->frames_lock);
	return ret;
}

/* ------------------------------------------------------------ at a write */

static vm_fault_t device_pfn_mkwrite(struct vm_fault *vmf)
{
	struct quire_file *file = vmf->vma->vm_file;
	int err = 0;

	if (file->device->mkwrite)
		err = file->device->mkwrite(file, vmf->pgoff << PAGE_SHIFT);
	return err ? device_error(err) : 0;
}

/* A page of a MIXED mapping: vmf->page, not locked. */
static vm_fault_t device_page_mkwrite(struct vm_fault *vmf)
{
	vm_fault_t ret = device_pfn_mkwrite(vmf);

	if (ret)
		return ret;
	lock_page(vmf->page);
	return VM_FAULT_LOCKED;
}

int copy_frame(struct vm_area_struct *vma, uint64_t pfn, struct page *page)
{
	struct address_space *as = vma->vm_mapping;
	struct quire_file *file = vma->vm_file;
	paddr_t phys = (paddr_t)pfn << PAGE_SHIFT;
	const void *from = NULL;

	if (file && file->device) {
		if (file->device->address)
			from = file->device->address(file, phys);
	} else if (as && mapping_is_dax(as)) {
		from = as->aops->direct_address(as, phys);
	}
	if (!from)
		return -EFAULT;
	copy_page(page_address(vma->vm_mm->q, page), from);
	return 0;
}

/* -------------------------------------------------------- taken away again */

void quire_mapping_revoke(struct address_space *as, uint64_t start,
			  uint64_t end)
{
	if (start >= end)
		return;
	/* who has been given a frame puts its entry in before we look */
	down_write(&as->frames_lock);
	unmap_mapping_range(as, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT,
			    false);
	up_write(&as->frames_lock);
}

static const struct vm_operations_struct frames_vm_ops = {
	.pfn_mkwrite = device_pfn_mkwrite,
};
static const struct vm_operations_struct frame_fault_vm_ops = {
	.fault = device_fault,
	.page_mkwrite = device_page_mkwrite,
	.pfn_mkwrite = device_pfn_mkwrite,
};

const struct vm_operations_struct *device_vm_ops(const struct quire_file *file)
{
	return file->device->frame ? &frame_fault_vm_ops : &frames_vm_ops;
}
