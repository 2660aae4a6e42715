/* SPDX-License-Identifier: MIT */
/*
 * shmem.c - memory that is a file without a device: tmpfs, memfd, and
 * MAP_SHARED | MAP_ANONYMOUS.
 *
 * Its pages live in the page cache, or in swap (shmem_swap.c); an absent one
 * reads as zeros and is made when first touched through a mapping or written.
 * They are PG_swapbacked, which is how the rest tells them from a file's pages.
 *
 * Shared anonymous memory has an address_space of Quire's own, counted by the
 * VMAs that hold it and freed with the last.
 */
#include "fault.h"
#include "filemap.h"

const struct vm_operations_struct shmem_vm_ops = {
	.fault = shmem_fault,
	.map_pages = filemap_map_pages,
};

struct page *shmem_find_page(struct address_space *as, uint64_t index, int *err)
{
	struct page *page = NULL;
	bool major = false;

	*err = shmem_lookup(as, index, NULL, &page, &major);
	if (*err)
		return NULL;
	if (page && unlikely(PageFlag(page, PG_hwpoison))) {
		unlock_page(page);
		put_page(as->q, page);
		*err = -EIO;
		return NULL;
	}
	return page;
}

/* A page of zeros at index, as shmem_lookup(); -EEXIST: another was faster. */
static int make_page(struct address_space *as, uint64_t index,
		     struct page **page)
{
	int err;

	quire_step("never touched yet: a zeroed page for everyone");
	*page = alloc_page(as->q, GFP_HIGHUSER_MOVABLE);
	if (unlikely(!*page))
		return -ENOMEM;
	clear_page(page_address(as->q, *page));
	WRITE_ONCE((*page)->flags, (*page)->flags | 1u << PG_swapbacked |
					   1u << PG_uptodate | 1u << PG_dirty);
	err = add_to_page_cache_lru(as, *page, index);
	if (unlikely(err))
		put_page(as->q, *page);
	return err;
}

struct page *shmem_get_page(struct address_space *as, uint64_t index, int *err)
{
	struct page *page;

	do {
		page = shmem_find_page(as, index, err);
		if (page || *err)
			return page;
		*err = make_page(as, index, &page);
		if (unlikely(*err == -EAGAIN) && mapping_wait_thaw(as))
			*err = -EINTR;
	} while (*err == -EEXIST || *err == -EAGAIN);
	return *err ? NULL : page;
}

/*
 * The locked page is past the end of the file: ours to take out again, unless
 * it is a write()'s, which is about to make the file longer.  (One that begins
 * now waits for the page lock.)
 */
static void drop_beyond_end(struct address_space *as, struct page *page)
{
	bool beyond;

	spin_lock(&as->tree_lock);
	beyond = !as->writers && beyond_end(as, page->index);
	spin_unlock(&as->tree_lock);
	if (beyond && !page_mapcount(page))
		delete_from_page_cache(page);
}

vm_fault_t shmem_fault(struct vm_fault *vmf)
{
	struct address_space *as = vmf->vma->vm_mapping;
	vm_fault_t major;
	struct page *page;
	bool read = false;
	int err;

	fault_kind(vmf, QF_SHMEM);
	if (beyond_end(as, vmf->pgoff)) {
		quire_step("beyond the end of the file");
		return VM_FAULT_SIGBUS;
	}
	do {
		err = shmem_lookup(as, vmf->pgoff, vmf, &page, &read);
		if (!err && !page)
			err = make_page(as, vmf->pgoff, &page);
	} while (unlikely(err == -EEXIST));
	major = read ? VM_FAULT_MAJOR : 0;
	if (unlikely(err == -EAGAIN)) {
		quire_step("a hole is being punched: no page comes until then");
		if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
			(void)mapping_wait_thaw(as);
		return major | VM_FAULT_NOPAGE;
	}
	if (unlikely(err))
		return major | (err == -EINTR ? VM_FAULT_RETRY
				: err == -EIO ? VM_FAULT_SIGBUS
					      : VM_FAULT_OOM);
	/* truncated before we had the lock */
	if (unlikely(beyond_end(as, vmf->pgoff))) {
		drop_beyond_end(as, page);
		unlock_page(page);
		put_page(as->q, page);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return VM_FAULT_LOCKED | major;
}

struct address_space *shmem_create_anon(struct quire *q, uint64_t size)
{
	struct address_space *as =
		kmem_cache_alloc(q->mapping_cache, GFP_KERNEL);

	if (!as)
		return NULL;
	quire_mapping_init_shmem(q, as, NULL, size);
	as->allocated = true;
	as->refs = 1;
	as->ino = __atomic_add_fetch(&q->next_anon_ino, 1u, __ATOMIC_RELAXED);
	return as;
}

void mapping_get(struct address_space *as)
{
	if (as->allocated)
		__atomic_fetch_add(&as->refs, 1u, __ATOMIC_RELAXED);
}

void mapping_put(struct address_space *as)
{
	struct quire *q = as->q;

	if (!as->allocated ||
	    __atomic_sub_fetch(&as->refs, 1u, __ATOMIC_ACQ_REL))
		return;
	quire_mapping_destroy(as);
	vm_unacct_memory(q, (long)as->accounted);
	kmem_cache_free(q->mapping_cache, as);
}
