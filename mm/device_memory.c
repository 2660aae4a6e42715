/* SPDX-License-Identifier: MIT */
/*
 * device_memory.c - private memory that a device has taken into its own, where
 * the processor cannot reach it (F11, device-private), until a fault asks for
 * it back.
 *
 *   quire_device_memory_take: page --unmapped--> ops->store --> the page's
 *       entries say which device frame; one user each
 *   fork: one user more     zap: one less; none is left: ops->free
 *   fault: a fresh page <-- ops->load; one user less
 *
 * The page that a fault makes belongs to its entry alone, whoever else has the
 * device's frame: what a write would have copied is copied now.  The device's
 * frame cannot be written any more, so all users read the same from it.
 *
 * RSS counts such an entry as private memory, as Linux does.
 *
 * Locks: as migrate.c to take; lock (LEAF, inside the table's lock) guards the
 * users of all frames.  A fault has a user of its own while it loads.
 */
#include "fault.h"
#include "migrate.h"
#include "reclaim.h"
#include "rmap.h"
#include "special.h"
#include <quire/migrate.h>

struct device_memory {
	const struct quire_device_memory_ops *ops;
	void *device;
	uint64_t frames, next; /* next: where to look for a free one */
	uint64_t used;	       /* users of all frames */
	spinlock_t lock;
	uint32_t users[];
};

int quire_device_memory_add(struct quire *q,
			    const struct quire_device_memory_ops *ops,
			    void *device, uint64_t frames)
{
	struct device_memory *d;

	if (!frames || frames > MIN(SWP_MAX_OFFSET, (uint64_t)1 << 19))
		return -EINVAL;
	if (q->device_memory)
		return -EBUSY;
	d = quire_kmalloc(q, sizeof(*d) + (size_t)frames * sizeof(d->users[0]),
			  GFP_KERNEL | __GFP_ZERO);
	if (!d)
		return -ENOMEM;
	d->ops = ops;
	d->device = device;
	d->frames = frames;
	spin_lock_init(&d->lock, LEAF);
	q->device_memory = d;
	return 0;
}

int quire_device_memory_remove(struct quire *q)
{
	struct device_memory *d = q->device_memory;

	if (!d || d->used)
		return d ? -EBUSY : -EINVAL;
	q->device_memory = NULL;
	quire_kfree(q, d);
	return 0;
}

uint64_t device_memory_users(struct quire *q)
{
	return q->device_memory ? q->device_memory->used : 0;
}

/* A frame with one user; false: all are taken. */
static bool get_frame(struct device_memory *d, uint64_t *frame)
{
	uint64_t i;
	bool found = false;

	spin_lock(&d->lock);
	for (i = 0; i < d->frames && !found; i++) {
		found = !d->users[d->next];
		*frame = d->next;
		d->next = d->next + 1 == d->frames ? 0 : d->next + 1;
	}
	if (found) {
		WRITE_ONCE(d->users[*frame], 1u);
		d->used++;
	}
	spin_unlock(&d->lock);
	return found;
}

void device_frame_dup(struct quire *q, uint64_t frame)
{
	struct device_memory *d = q->device_memory;

	spin_lock(&d->lock);
	WRITE_ONCE(d->users[frame], d->users[frame] + 1);
	d->used++;
	spin_unlock(&d->lock);
}

/* One user less; stored: something is there, that the device may forget. */
static void put_frame(struct device_memory *d, uint64_t frame, bool stored)
{
	spin_lock(&d->lock);
	QUIRE_BUG_ON(!d->users[frame]);
	d->used--;
	WRITE_ONCE(d->users[frame], d->users[frame] - 1);
	if (d->users[frame] == 0 && stored && d->ops->free)
		d->ops->free(d->device, frame);
	spin_unlock(&d->lock);
}

void device_frame_free(struct quire *q, uint64_t frame)
{
	put_frame(q->device_memory, frame, true);
}

bool device_frame_valid(struct quire *q, uint64_t frame)
{
	struct device_memory *d = q->device_memory;

	return d && frame < d->frames && READ_ONCE(d->users[frame]);
}

/* ------------------------------------------------------------------ take */

struct to_device {
	uint64_t from, frame;
};

/* As rmap_walk() has it: a migration entry of the page becomes the device's. */
static bool device_one(struct page *page, struct vm_area_struct *vma,
		       uaddr_t addr, void *arg)
{
	struct mm_struct *mm = vma->vm_mm;
	const struct to_device *to = arg;
	pmd_t *pmd = mm_find_pmd(mm, addr);
	swp_entry_t entry;
	spinlock_t *ptl;
	pte_t *ptep, pte, new;
	unsigned type;

	(void)page;
	if (!pmd || pmd_none(pmdp_get(pmd)))
		return true;
	ptl = pte_lockptr(mm->q, pmdp_get(pmd));
	spin_lock(ptl);
	ptep = pte_offset_map(mm->q, pmd, addr);
	pte = ptep_get(ptep);
	entry = pte_to_swp_entry(pte);
	if (is_swap_pte(pte) && is_migration_entry(entry) &&
	    swp_offset(entry) == to->from) {
		type = swp_type(entry) == SWP_MIGRATION_WRITE ? SWP_DEVICE_WRITE
							      : SWP_DEVICE_READ;
		new = swp_entry_to_pte(swp_entry(type, to->frame));
		if (pte_swp_soft_dirty(pte))
			new = pte_swp_mksoft_dirty(new);
		device_frame_dup(mm->q, to->frame);
		inc_mm_counter(mm, MM_ANONPAGES);
		set_pte_at(mm, addr, ptep, new);
	}
	spin_unlock(ptl);
	return true;
}

/* Unmapped and locked; av: its family.  True: the device has it. */
static bool store_page(struct quire *q, struct page *page, struct anon_vma *av,
		       uint64_t frame)
{
	struct device_memory *d = q->device_memory;
	struct to_device to = {page_to_pfn(q, page), frame};

	if (page_mapcount(page) || page_count(page) != 1)
		return false;
	flush_user_dcache_page(q, page);
	if (d->ops->store(d->device, frame, page))
		return false;
	down_read(&av->root->rwsem);
	anon_vma_walk(av, page, device_one, &to);
	up_read(&av->root->rwsem);
	return true;
}

/* One isolated page.  True: it is gone, and so is the reference. */
static bool take_page(struct quire *q, struct page *page)
{
	struct anon_vma *av;
	uint64_t frame;
	bool taken = false;

	lock_page(page);
	av = PageAnon(page) && !PageFlag(page, PG_swapcache) &&
			     PageFlag(page, PG_swapbacked)
		     ? page_get_anon_vma(q, page)
		     : NULL;
	if (av && get_frame(q->device_memory, &frame)) {
		(void)try_to_unmap(q, page,
				   TTU_MIGRATION | TTU_WAIT | TTU_IGNORE_MLOCK);
		if (!page_mapcount(page))
			ClearPageFlag(page, PG_anon_exclusive);
		taken = store_page(q, page, av, frame);
		if (!taken)
			migrate_restore(q, page, page, av);
		/* ours: the entries have theirs */
		put_frame(q->device_memory, frame, taken);
	}
	if (av)
		put_anon_vma(q, av);
	unlock_page(page);
	if (taken)
		put_page(q, page);
	else
		putback_lru_page(q, page);
	return taken;
}

/* The page of private memory at addr, isolated; NULL. */
static struct page *isolate_at(struct vm_area_struct *vma, uaddr_t addr)
{
	struct page *page = NULL;
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, addr);
	struct quire *q = vma->vm_mm->q;
	spinlock_t *ptl;
	pte_t pte;

	if (!pmd || pmd_none(pmdp_get(pmd)))
		return NULL;
	ptl = pte_lockptr(q, pmdp_get(pmd));
	spin_lock(ptl);
	pte = ptep_get(pte_offset_map(q, pmd, addr));
	if (pte_present(pte))
		page = vm_normal_page(vma, pte);
	if (page && (!PageAnon(page) || !isolate_lru_page(q, page)))
		page = NULL;
	spin_unlock(ptl);
	return page;
}

long quire_device_memory_take(struct mm_struct *mm, uaddr_t addr, uaddr_t len)
{
	uaddr_t end = addr + PAGE_ALIGN(len);
	struct vm_area_struct *vma;
	struct page *page;
	long taken = 0;

	if (!mm->q->device_memory || !IS_ALIGNED(addr, (uaddr_t)PAGE_SIZE) ||
	    end < addr)
		return -EINVAL;
	lru_add_drain_all(mm->q);
	down_read(&mm->mmap_lock);
	for (; addr < end; addr += (uaddr_t)PAGE_SIZE) {
		vma = find_vma_intersection(mm, addr, end);
		if (!vma)
			break;
		addr = MAX(addr, vma->vm_start);
		page = isolate_at(vma, addr);
		taken += page && take_page(mm->q, page);
	}
	up_read(&mm->mmap_lock);
	return taken;
}

/* ----------------------------------------------------------------- fault */

/* Loaded: it becomes the entry's, unless that has changed.  False: it has. */
static bool install_loaded(struct vm_fault *vmf, struct page *page)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct quire *q = mm->q;
	pte_t entry;

	spin_lock(vmf->ptl);
	if (!pte_same(ptep_get(vmf->pte), vmf->orig_pte)) {
		spin_unlock(vmf->ptl);
		return false;
	}
	entry = pte_mkyoung(mk_pte(q, page, vma->vm_page_prot));
	entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	if (!pte_swp_soft_dirty(vmf->orig_pte) &&
	    !(vmf->flags & FAULT_FLAG_WRITE))
		entry = pte_wrprotect(pte_clear_soft_dirty(entry));
	special_pte_free(mm, vmf->orig_pte);
	new_anon_page(vma, page, vmf->address, q, quire_host_cpu());
	flush_icache_page(vma, page);
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
	spin_unlock(vmf->ptl);
	return true;
}

vm_fault_t device_private_fault(struct vm_fault *vmf, uint64_t frame)
{
	struct quire *q = vmf->vma->vm_mm->q;
	struct device_memory *d = q->device_memory;
	vm_fault_t ret = VM_FAULT_MAJOR;
	struct page *page;
	int err = -ENOMEM;

	device_frame_dup(q, frame);
	spin_unlock(vmf->ptl);
	quire_step("a device has it: it gives it back");
	page = anon_vma_prepare(vmf->vma) ? NULL
					  : alloc_page(q, GFP_HIGHUSER_MOVABLE);
	if (page)
		err = d->ops->load(d->device, frame, page);
	if (!err)
		flush_dcache_page(q, page);
	if (err)
		ret |= err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	if (page && (err || !install_loaded(vmf, page)))
		put_page(q, page);
	device_frame_free(q, frame);
	return ret;
}
