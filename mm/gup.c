/* SPDX-License-Identifier: MIT */
/*
 * gup.c - the kernel's own access to user memory, by walking instead of by
 * the processor (E14): pinning pages, copying to and from any address space,
 * futex words, and faulting ranges in ahead of use.
 *
 *   each page:  follow_page -- there and allowed? --> reference taken
 *                   ^ no                  |
 *                   '-- handle_mm_fault --'
 *
 * The answer of a fault is not trusted: the walk is done again, under the
 * table's lock, until it finds the page or the fault gives an error.
 *
 * Locks: mmap_lock for read, dropped whenever a fault says RETRY.  Sleeps.
 */
#include "fault.h"
#include "gather.h"

/* TRIED: a fault for this page has said RETRY before.  PIN: the reference is
 * the host's, seen under the entry's lock by who would unmap the page. */
enum {
	GUP_WRITE = 1,
	GUP_FORCE = 2,
	GUP_NO_RETRY = 4,
	GUP_POPULATE = 8,
	GUP_TRIED = 16,
	GUP_PIN = 32
};

/* May this access be made through the mapping at all? */
static bool gup_allowed(const struct vm_area_struct *vma, unsigned gup)
{
	vm_flags_t f = vma->vm_flags;

	if (f & (VM_IO | VM_PFNMAP))
		return false;
	if (gup & GUP_WRITE) {
		if (f & VM_WRITE)
			return true;
		/* a debugger writes only into private copies */
		return (gup & GUP_FORCE) &&
		       (f & (VM_MAYWRITE | VM_SHARED)) == VM_MAYWRITE;
	}
	if (f & VM_READ)
		return true;
	return (gup & GUP_FORCE) && (f & VM_MAYREAD);
}

/* Is the entry good for a write: writable, or a forced write's own copy? */
static bool gup_can_write(pte_t pte, struct page *page, unsigned gup,
			  bool faulted)
{
	if (pte_write(pte))
		return true;
	/* (mapped once is not enough: others may have it in swap) */
	return (gup & GUP_FORCE) && faulted && page && PageAnon(page) &&
	       PageFlag(page, PG_anon_exclusive) && pte_dirty(pte);
}

/*
 * The page behind addr with a reference, or NULL: a fault is needed, or it
 * cannot be had: *err, -EFAULT where a device's frame is there, as good as can
 * be, -ENOMEM where the page has more pins than can be counted.
 */
static struct page *follow_page(struct vm_area_struct *vma, uaddr_t addr,
				unsigned gup, bool faulted, int *err)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page *page = NULL;
	pmd_t *pmd = mm_find_pmd(mm, addr);
	spinlock_t *ptl;
	pte_t pte;

	if (!pmd || pmd_none(pmdp_get(pmd)))
		return NULL;
	ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	spin_lock(ptl);
	pte = ptep_get(pte_offset_map(mm->q, pmd, addr));
	if (!pte_present(pte) || (pte_protnone(pte) && !(gup & GUP_FORCE)))
		goto out;
	if ((gup & GUP_WRITE) &&
	    !gup_can_write(pte, vm_normal_page(vma, pte), gup, faulted))
		goto out;
	if (unlikely(pte_special(pte)) && !is_zero_pfn(mm->q, pte_pfn(pte))) {
		*err = -EFAULT;
		goto out;
	}
	page = pte_page(mm->q, pte);
	if (!(gup & GUP_PIN)) {
		get_page(page);
	} else if (!pin_page(mm->q, page)) {
		*err = -ENOMEM;
		page = NULL;
	}
out:
	spin_unlock(ptl);
	return page;
}

static int fault_errno(vm_fault_t ret)
{
	if (ret & VM_FAULT_OOM)
		return -ENOMEM;
	if (ret & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
		return -EHWPOISON;
	return -EFAULT;
}

/*
 * One page of vma at addr.  0 and *page (to populate also NULL: a device's
 * frame is there), or -errno; -EAGAIN: mmap_lock was dropped (look the VMA up
 * again).
 */
static int gup_one(struct vm_area_struct *vma, uaddr_t addr, unsigned gup,
		   struct page **page)
{
	unsigned flags = (gup & GUP_WRITE ? FAULT_FLAG_WRITE : 0) |
			 (gup & GUP_NO_RETRY ? 0
					     : FAULT_FLAG_ALLOW_RETRY |
						       FAULT_FLAG_KILLABLE);
	struct quire_task *task = quire_host_current();
	bool faulted = false;
	vm_fault_t ret;
	int err = 0;

	if (gup & GUP_TRIED)
		flags |= FAULT_FLAG_TRIED;
	if (!task || task->mm != vma->vm_mm)
		flags |= FAULT_FLAG_REMOTE;
	for (;;) {
		*page = follow_page(vma, addr & PAGE_MASK, gup, faulted, &err);
		if (*page)
			return 0;
		/* (to populate it is enough that something is there) */
		if (unlikely(err))
			return gup & GUP_POPULATE ? 0 : err;
		if (task && quire_host_fatal_signal_pending(task))
			return -EINTR;
		ret = handle_mm_fault(vma, addr, flags, NULL);
		if (ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))
			return -EAGAIN; /* the lock is dropped */
		if (ret & VM_FAULT_ERROR)
			return fault_errno(ret);
		faulted = true;
	}
}

/*
 * The same from an address: finds the VMA.  mmap_lock held for read on entry
 * and exit.
 */
static int gup_addr(struct mm_struct *mm, uaddr_t addr, unsigned gup,
		    struct page **page)
{
	struct vm_area_struct *vma;
	struct quire_task *task = quire_host_current();
	int err;

	for (;;) {
		vma = find_vma(mm, addr);
		if (!vma || vma->vm_start > addr || !gup_allowed(vma, gup))
			return -EFAULT;
		err = gup_one(vma, addr, gup, page);
		if (err != -EAGAIN)
			return err;
		down_read(&mm->mmap_lock);
		gup |= GUP_TRIED;
		if (task && quire_host_fatal_signal_pending(task))
			return -EINTR;
	}
}

long quire_get_user_pages(struct mm_struct *mm, uaddr_t addr, size_t n,
			  bool write, struct page **pages)
{
	size_t i;
	int err = 0;

	down_read(&mm->mmap_lock);
	for (i = 0; i < n; i++) {
		err = gup_addr(mm, addr, GUP_PIN | (write ? GUP_WRITE : 0),
			       &pages[i]);
		if (err)
			break;
		addr = (addr & PAGE_MASK) + (uaddr_t)PAGE_SIZE;
	}
	up_read(&mm->mmap_lock);
	return i ? (long)i : err;
}

/* Copy n bytes; to_user tells the direction.  Returns bytes done. */
static size_t mm_access(struct mm_struct *mm, uaddr_t addr, void *buf, size_t n,
			bool to_user, unsigned gup)
{
	struct quire *q = mm->q;
	size_t done = 0, off, len;
	struct page *page;
	char *k;
	int err;

	while (done < n) {
		off = (size_t)(addr & (PAGE_SIZE - 1));
		len = MIN(PAGE_SIZE - off, n - done);
		/* held while it is copied: fork would share the page */
		down_read(&mm->mmap_lock);
		err = gup_addr(mm, addr, gup, &page);
		if (err) {
			up_read(&mm->mmap_lock);
			break;
		}
		k = (char *)page_address(q, page) + off;
		flush_user_dcache_page(q, page);
		if (to_user) {
			memcpy(k, (char *)buf + done, len);
			flush_dcache_page(q, page);
			quire_page_dirty(q, page);
		} else {
			memcpy((char *)buf + done, k, len);
		}
		up_read(&mm->mmap_lock);
		put_page(q, page);
		done += len;
		addr += (uaddr_t)len;
		if (addr == 0)
			break; /* past the top */
	}
	return done;
}

size_t quire_mm_read(struct mm_struct *mm, uaddr_t addr, void *buf, size_t n)
{
	return mm_access(mm, addr, buf, n, false, 0);
}

size_t quire_mm_write(struct mm_struct *mm, uaddr_t addr, const void *buf,
		      size_t n, bool force)
{
	return mm_access(mm, addr, (void *)(uintptr_t)buf, n, true,
			 GUP_WRITE | (force ? GUP_FORCE : 0));
}

int quire_user_word(struct mm_struct *mm, uaddr_t addr, bool write,
		    struct page **page, paddr_t *phys)
{
	int err;

	down_read(&mm->mmap_lock);
	err = gup_addr(mm, addr, GUP_PIN | (write ? GUP_WRITE : 0), page);
	up_read(&mm->mmap_lock);
	if (err)
		return -EFAULT;
	*phys = ((paddr_t)page_to_pfn(mm->q, *page) << PAGE_SHIFT) |
		(addr & (PAGE_SIZE - 1));
	return 0;
}

static int populate_range(struct mm_struct *mm, uaddr_t start, uaddr_t end,
			  unsigned gup)
{
	struct vm_area_struct *vma = find_vma(mm, start);
	struct page *page;
	uaddr_t addr;
	int err;

	for (addr = start; addr < end; addr += (uaddr_t)PAGE_SIZE) {
		if (vma && addr >= vma->vm_end)
			vma = vma_next(vma);
		if (!vma || vma->vm_start > addr)
			return -ENOMEM;
		if (!gup_allowed(vma, gup))
			return -EFAULT;
		err = gup_one(vma, addr, gup, &page);
		if (err == -EAGAIN) {
			down_read(&mm->mmap_lock);
			vma = find_vma(mm, addr);
			addr -= (uaddr_t)PAGE_SIZE;
			gup |= GUP_TRIED;
			continue;
		}
		if (err)
			return err;
		gup &= ~(unsigned)GUP_TRIED;
		if (page) /* not a device's frame */
			put_page(mm->q, page);
	}
	return 0;
}

int populate_vma_range(struct mm_struct *mm, uaddr_t start, uaddr_t end,
		       bool write, bool *locked)
{
	unsigned gup = GUP_POPULATE | (write ? GUP_WRITE : 0);

	if (!locked)
		return populate_range(mm, start, end, gup | GUP_NO_RETRY);
	*locked = true;
	return populate_range(mm, start, end, gup);
}

int __mm_populate(struct mm_struct *mm, uaddr_t start, uaddr_t len,
		  vm_flags_t only, bool ignore)
{
	uaddr_t end = start + len, from, to;
	struct vm_area_struct *vma;
	unsigned gup;
	int err = 0;

	down_read(&mm->mmap_lock);
	for (from = start; from < end && !err; from = to) {
		vma = find_vma_intersection(mm, from, end);
		if (!vma)
			break;
		from = MAX(from, vma->vm_start);
		to = MIN(end, vma->vm_end);
		/* locked on fault: not now */
		if ((vma->vm_flags & (VM_IO | VM_PFNMAP | VM_LOCKONFAULT)) ||
		    (only && !(vma->vm_flags & only)))
			continue;
		gup = vma->vm_flags & VM_ACCESS_FLAGS ? GUP_FORCE : 0;
		gup |= GUP_POPULATE;
		/* private writable memory is made writable at once */
		if ((vma->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
			gup |= GUP_WRITE;
		err = populate_range(mm, from, to, gup);
		if (ignore && err != -EINTR)
			err = 0;
	}
	up_read(&mm->mmap_lock);
	return err;
}

void mm_populate(struct mm_struct *mm, uaddr_t start, uaddr_t len)
{
	/* what fails is left to faults, as mmap(2) says */
	(void)__mm_populate(mm, start, len, 0, true);
}

void quire_pagefault_disable(void)
{
	quire_host_current()->faults_disabled++;
}

void quire_pagefault_enable(void)
{
	quire_host_current()->faults_disabled--;
}
