/* SPDX-License-Identifier: MIT */
/*
 * oom.c - memory has run out: who is to go, and his memory at once (R5).
 *
 *   fault: VM_FAULT_OOM --> user_fault_failed --> quire_host_oom(task)
 *                                                   |  the host:
 *        quire_memory_short    no longer?  repeat <-+
 *        quire_oom_victim      the largest          |
 *           its tasks are killed                    |
 *        quire_oom_reap        its private memory --+--> repeat
 *
 * The victim itself may take long to die: it sleeps in a fault, waits for a
 * lock that the one who needs memory has ... So it is not waited for: its
 * memory is taken while it still is there.  Private memory only: nobody but
 * the dying would miss it.  What is shared others may need, and clean pages of
 * files reclaim has had already.
 *
 * What was taken must not be found again as zeroes or as the file has it:
 * mm->oom_reaped is set before the first entry goes, and who fills an entry
 * looks at it under the same table's lock (check_stable_address_space), or
 * before it has a page that the reaper could still come by.
 *
 * Nothing here waits for a lock that a victim could hold: the mmap_lock is only
 * tried.  Who has it for write holds the reaper off, for as long as one system
 * call takes; being a victim, he may use the reserve to get there.
 */
#include "fault.h"
#include "gather.h"

bool quire_memory_short(struct quire *q)
{
	unsigned i;

	for (i = 0; i < q->nodes; i++) {
		const struct quire_node *n = &q->node[i];

		if (READ_ONCE(n->nr_free) >
		    READ_ONCE(n->watermark[WMARK_MIN]) + q->pcp_batch)
			return false;
	}
	return true;
}

uint64_t quire_oom_badness(struct mm_struct *mm)
{
	return (uint64_t)get_mm_rss(mm) + get_mm_counter(mm, MM_SWAPENTS) +
	       ((uint64_t)READ_ONCE(mm->pgtables_bytes) >> PAGE_SHIFT);
}

/* q->mm_lock held: the mm with the most points; NULL. */
static struct mm_struct *worst_mm(struct quire *q,
				  uint64_t (*points)(struct mm_struct *mm,
						     uint64_t badness,
						     void *cookie),
				  void *cookie)
{
	struct mm_struct *mm, *worst = NULL;
	uint64_t most = 0, n;

	list_for_each_entry (mm, &q->mm_list, struct mm_struct, mm_list) {
		/* what it had is taken already, or is just going */
		if (READ_ONCE(mm->oom_reaped) || !READ_ONCE(mm->mm_users))
			continue;
		n = quire_oom_badness(mm);
		if (points)
			n = points(mm, n, cookie);
		if (n > most) {
			most = n;
			worst = mm;
		}
	}
	return worst;
}

struct mm_struct *quire_oom_victim(struct quire *q,
				   uint64_t (*points)(struct mm_struct *mm,
						      uint64_t badness,
						      void *cookie),
				   void *cookie)
{
	struct mm_struct *mm;

	spin_lock(&q->mm_lock);
	do { /* the last user of one may just be gone: then the next */
		mm = worst_mm(q, points, cookie);
	} while (mm && !mm_get_unless_gone(mm));
	spin_unlock(&q->mm_lock);
	return mm;
}

static uint64_t private_pages(struct mm_struct *mm)
{
	return (uint64_t)get_mm_counter(mm, MM_ANONPAGES) +
	       get_mm_counter(mm, MM_SWAPENTS);
}

uint64_t quire_oom_reap(struct mm_struct *mm)
{
	const vm_flags_t keep =
		VM_SHARED | VM_HUGETLB | VM_PFNMAP | VM_MIXEDMAP;
	struct vm_area_struct *vma;
	uint64_t before, after;

	if (!down_read_trylock(&mm->mmap_lock))
		return 0;
	WRITE_ONCE(mm->oom_reaped, true);
	before = private_pages(mm);
	for_each_vma (mm, vma)
		if (!(vma->vm_flags & keep))
			zap_page_range(vma, vma->vm_start,
				       vma->vm_end - vma->vm_start);
	after = private_pages(mm);
	up_read(&mm->mmap_lock);
	return before > after ? before - after : 0;
}
