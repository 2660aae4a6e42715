/* SPDX-License-Identifier: MIT */
/*
 * mm.c - the life of an address space: made for exec or fork, shared by
 * threads, torn down by the last user; and its figures.
 *
 *   quire_mm_create --.                        .-- quire_mm_get / _put
 *                      >-- mm_struct, users 1 -<
 *   quire_mm_fork ----'                        '-- 0: exit_mmap, freed
 *
 * Locks: q->mm_lock for the list of all mms; the teardown needs none, since
 * the last user is alone.
 */
#include "fault.h"
#include "gather.h"
#include "rmap.h"
#include <asm/tlb.h>

/* A mm with tables but without VMAs, not yet on the list; NULL: no memory. */
static struct mm_struct *mm_init(struct quire *q)
{
	struct mm_struct *mm = kmem_cache_zalloc(q->mm_cache, GFP_KERNEL);

	if (!mm)
		return NULL;
	mm->q = q;
	mm->mm_users = 1;
	mm->mm_count = 1;
	mm->task_size = quire_task_size(q);
	vma_tree_init(&mm->vmas);
	rwsem_init(&mm->mmap_lock, QUIRE_LOCK_MMAP);
	spin_lock_init(&mm->page_table_lock, PTL);
	init_mm_context(mm);
	mm->cpu = quire_kmalloc(q, q->cpus * sizeof(struct mm_cpu),
				GFP_KERNEL | __GFP_ZERO);
	if (!mm->cpu)
		goto free;
	if (pgd_alloc(mm))
		goto free_cpu;
	mm->id = __atomic_add_fetch(&q->next_mm_id, 1u, __ATOMIC_RELAXED);
	/* a VMA cached for another mm must not look current in this one */
	mm->seqnum = (uint64_t)mm->id << 32;
	spin_lock(&q->mm_lock);
	list_add_tail(&mm->mm_list, &q->mm_list);
	spin_unlock(&q->mm_lock);
	return mm;
free_cpu:
	quire_kfree(q, mm->cpu);
free:
	kmem_cache_free(q->mm_cache, mm);
	return NULL;
}

struct mm_struct *quire_mm_create(struct quire *q)
{
	struct mm_struct *mm = mm_init(q);
	uaddr_t top;

	if (!mm)
		return NULL;
	/* a placement that works until exec gives its own */
	top = mm->task_size - (uaddr_t)(16u << 20);
	mm->layout.topdown = true;
	mm->layout.mmap_base = top & PAGE_MASK;
	mm->layout.start_stack = mm->task_size;
	return mm;
}

struct mm_struct *quire_mm_fork(struct mm_struct *old)
{
	struct mm_struct *mm = mm_init(old->q);
	int err;

	if (mm) {
		mm->def_flags = 0; /* mlockall is not inherited */
		err = dup_mmap(mm, old);
		if (err) {
			quire_mm_put(mm);
			mm = NULL;
		}
	}
#ifdef QUIRE_TRACE
	if (quire_host_trace_enabled()) {
		struct quire_event e = {.type = QE_FORK};

		e.mm = old->id;
		e.aux = mm ? mm->id : 0;
		e.result = mm ? 0 : -ENOMEM;
		e.task = quire_host_current()->id;
		e.cpu = (uint8_t)quire_host_cpu();
		quire_host_trace(&e);
	}
#endif
	return mm;
}

void quire_mm_get(struct mm_struct *mm)
{
	__atomic_fetch_add(&mm->mm_users, 1u, __ATOMIC_RELAXED);
}

unsigned quire_mm_users(struct mm_struct *mm)
{
	return READ_ONCE(mm->mm_users);
}

uint32_t quire_mm_id(struct mm_struct *mm)
{
	return mm->id;
}

struct quire *quire_mm_system(struct mm_struct *mm)
{
	return mm->q;
}

/* Free one VMA of a mm that is going: its pages are gone already. */
static void exit_vma(struct mm_struct *mm, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_ACCOUNT)
		vm_unacct_memory(mm->q, (long)vma_pages(vma));
	if (vma->vm_ops && vma->vm_ops->close)
		vma->vm_ops->close(vma);
	vm_area_free(vma);
}

void exit_mmap(struct mm_struct *mm)
{
	struct vm_area_struct *vma, *next;
	struct mmu_gather tlb;

	lru_add_drain(mm->q);
	update_hiwater_rss(mm);
	vma = vma_first(mm);
	tlb_gather_mmu_fullmm(&tlb, mm);
	if (vma) {
		unmap_vmas(&tlb, vma, 0, mm->task_size);
		/* a truncation must find no table that is being freed */
		for_each_vma (mm, next) {
			unlink_anon_vmas(next);
			vma_unlink_file(next);
		}
		/* by the VMAs, not by all 512 entries of each table */
		free_pgtables(&tlb, vma, 0, 0);
	}
	tlb_finish_mmu(&tlb);
	for (; vma; vma = next) {
		next = vma_next(vma);
		exit_vma(mm, vma);
	}
	vma_tree_destroy(mm);
	mm->map_count = 0;
}

void quire_mm_put(struct mm_struct *mm)
{
	struct quire *q = mm->q;

	if (__atomic_sub_fetch(&mm->mm_users, 1u, __ATOMIC_ACQ_REL))
		return;
	might_sleep();
	exit_mmap(mm);
#ifdef QUIRE_TRACE
	if (quire_host_trace_enabled()) {
		struct quire_event e = {.type = QE_EXIT_MM};

		e.mm = mm->id;
		e.task = quire_host_current()->id;
		e.cpu = (uint8_t)quire_host_cpu();
		quire_host_trace(&e);
	}
#endif
	spin_lock(&q->mm_lock);
	list_del(&mm->mm_list);
	spin_unlock(&q->mm_lock);
	pgd_free(mm);
	quire_kfree(q, mm->cpu);
	kmem_cache_free(q->mm_cache, mm);
}

void quire_mm_set_layout(struct mm_struct *mm, const struct quire_mm_layout *l)
{
	mm->layout = *l;
	mm->brk = l->start_brk;
}

void quire_mm_get_layout(struct mm_struct *mm, struct quire_mm_layout *l)
{
	*l = mm->layout;
}

unsigned long get_mm_counter(struct mm_struct *mm, enum rss_type t)
{
	long sum = 0;
	unsigned i;

	for (i = 0; i < mm->q->cpus; i++)
		sum += READ_ONCE(mm->cpu[i].rss[t]);
	return sum > 0 ? (unsigned long)sum : 0;
}

unsigned long get_mm_rss(struct mm_struct *mm)
{
	return get_mm_counter(mm, MM_FILEPAGES) +
	       get_mm_counter(mm, MM_ANONPAGES) +
	       get_mm_counter(mm, MM_SHMEMPAGES);
}

void update_hiwater_rss(struct mm_struct *mm)
{
	unsigned long rss = get_mm_rss(mm);

	if (rss > READ_ONCE(mm->hiwater_rss))
		WRITE_ONCE(mm->hiwater_rss, rss);
}

void update_hiwater_vm(struct mm_struct *mm)
{
	if (mm->total_vm > mm->hiwater_vm)
		mm->hiwater_vm = mm->total_vm;
}

void quire_mm_get_stats(struct mm_struct *mm, struct quire_mm_stats *out)
{
	unsigned long rss = get_mm_rss(mm);

	out->anon_pages = get_mm_counter(mm, MM_ANONPAGES);
	out->file_pages = get_mm_counter(mm, MM_FILEPAGES);
	out->shmem_pages = get_mm_counter(mm, MM_SHMEMPAGES);
	out->swap_entries = get_mm_counter(mm, MM_SWAPENTS);
	out->hiwater_rss = MAX(READ_ONCE(mm->hiwater_rss), rss);
	out->total_vm = READ_ONCE(mm->total_vm);
	out->hiwater_vm = MAX(READ_ONCE(mm->hiwater_vm), out->total_vm);
	out->locked_vm = READ_ONCE(mm->locked_vm);
	out->data_vm = READ_ONCE(mm->data_vm);
	out->stack_vm = READ_ONCE(mm->stack_vm);
	out->exec_vm = READ_ONCE(mm->exec_vm);
	out->table_bytes = (uint64_t)READ_ONCE(mm->pgtables_bytes);
	out->hiwater_table_bytes =
		(uint64_t)READ_ONCE(mm->hiwater_pgtables_bytes);
	out->vmas = READ_ONCE(mm->map_count);
	out->hiwater_vmas = READ_ONCE(mm->hiwater_map_count);
}
