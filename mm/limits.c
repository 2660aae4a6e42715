/* SPDX-License-Identifier: MIT */
/*
 * limits.c - how much address space a task may have (M4): its rlimits, and
 * the promise of memory behind private writable mappings (overcommit).
 *
 *   mode 0  any mapping not larger than all memory (a guess)
 *   mode 1  any
 *   mode 2  all mappings together stay below the commit limit
 *
 * q->vm_committed counts the pages promised, in every mode, so that meminfo
 * can show it: of VMAs with VM_ACCOUNT, and of shared memory objects.
 *
 * Locks: mmap_lock for write where an mm is given; vm_committed is atomic.
 */
#include "vma.h"

/* Kept for the administrator and for the user to recover with, in pages. */
#define ADMIN_RESERVE_PAGES ((long)(8u << 20 >> PAGE_SHIFT))
#define USER_RESERVE_PAGES  ((long)(128u << 20 >> PAGE_SHIFT))

uint64_t rlimit_of(int which)
{
	const struct quire_task *task = quire_host_current();

	if (!task || !task->limits)
		return QUIRE_RLIM_INFINITY;
	return task->limits->cur[which];
}

static bool is_data_mapping(vm_flags_t flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

bool may_expand_vm(struct mm_struct *mm, vm_flags_t flags, unsigned long pages)
{
	if (mm->total_vm + pages > rlimit_of(QUIRE_RLIMIT_AS) >> PAGE_SHIFT)
		return false;
	return !is_data_mapping(flags) ||
	       mm->data_vm + pages <= rlimit_of(QUIRE_RLIMIT_DATA) >>
		       PAGE_SHIFT;
}

void vm_stat_account(struct mm_struct *mm, vm_flags_t flags, long pages)
{
	unsigned long n = (unsigned long)pages;

	WRITE_ONCE(mm->total_vm, mm->total_vm + n);
	if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
		mm->exec_vm += n;
	else if (flags & VM_GROWSDOWN)
		mm->stack_vm += n;
	else if (is_data_mapping(flags))
		mm->data_vm += n;
}

static unsigned long total_ram(const struct quire *q)
{
	unsigned long sum = 0;
	unsigned i;

	for (i = 0; i < q->nodes; i++)
		sum += q->node[i].managed;
	return sum;
}

static unsigned long total_swap(struct quire *q)
{
	uint64_t total, free;

	quire_swap_total(q, &total, &free);
	return (unsigned long)total;
}

static uint64_t vm_commit_limit(struct quire *q)
{
	unsigned ratio = q->config.overcommit_ratio;

	return (uint64_t)total_ram(q) * (ratio ? ratio : 50) / 100 +
	       total_swap(q);
}

int security_vm_enough_memory(struct mm_struct *mm, long pages)
{
	struct quire *q = mm->q;
	const struct quire_task *task = quire_host_current();
	long now, allowed, reserve;

	now = __atomic_add_fetch(&q->vm_committed, pages, __ATOMIC_RELAXED);
	if (q->config.overcommit == 1)
		return 0;
	if (q->config.overcommit == 0) {
		if (likely(pages <= (long)total_ram(q)) ||
		    pages <= (long)(total_ram(q) + total_swap(q)))
			return 0;
		goto refuse;
	}
	allowed = (long)vm_commit_limit(q);
	reserve = (long)total_ram(q) * 3 / 100;
	if (!task || !task->cap_sys_admin)
		allowed -= MIN(reserve, ADMIN_RESERVE_PAGES);
	/* a single process does not take all, so that one can log in */
	allowed -= MIN((long)(mm->total_vm / 32),
		       MIN(reserve, USER_RESERVE_PAGES));
	if (now < allowed)
		return 0;
refuse:
	vm_unacct_memory(q, pages);
	return -ENOMEM;
}

void vm_unacct_memory(struct quire *q, long pages)
{
	if (pages)
		__atomic_fetch_sub(&q->vm_committed, pages, __ATOMIC_RELAXED);
}

bool can_do_mlock(void)
{
	const struct quire_task *task = quire_host_current();

	return rlimit_of(QUIRE_RLIMIT_MEMLOCK) != 0 ||
	       (task && task->cap_ipc_lock);
}

bool mlock_future_ok(struct mm_struct *mm, vm_flags_t flags, uaddr_t bytes)
{
	const struct quire_task *task = quire_host_current();

	if (!(flags & VM_LOCKED) || (task && task->cap_ipc_lock))
		return true;
	return mm->locked_vm + (bytes >> PAGE_SHIFT) <=
	       rlimit_of(QUIRE_RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}
