/* SPDX-License-Identifier: MIT */
/*
 * page_lock.c - the lock in every page, held across I/O, and those who wait
 * for it.
 *
 * PG_locked is the lock, PG_waiters says that someone may sleep on the flags
 * word.  The unlocker clears both and wakes all; those who lose the race for
 * the lock set PG_waiters again.  A page whose read is under way stays locked
 * by nobody in particular: whoever completes the I/O unlocks it.
 *
 * A task that may not sleep in a fault (quire_task.nowait) leaves a note in a
 * hash instead, by the page's address, and goes away; the unlocker takes the
 * note out and calls the host:
 *
 *   task: bucket lock, PG_waiters set, still locked? noted, bucket unlocked
 *   unlocker: PG_locked and PG_waiters cleared; there were waiters? bucket
 *             lock, notes of this page out, quire_host_fault_ready() each
 *
 * The task's look at PG_locked comes after its setting of PG_waiters: either it
 * sees the page unlocked, or the unlocker sees the waiters, and the bucket's
 * lock keeps it from looking before the note is there.  A note holds no
 * reference: the page is locked, so it will be unlocked.
 *
 * Order: inside mmap_lock, outside i_mmap, anon_vma and every page-table lock.
 * A bucket's lock is inside everything.
 */
#include "check.h"
#include "fault.h"
#include "filemap.h"
#include "special.h"

bool trylock_page(struct page *page)
{
	if (TestSetPageFlag(page, PG_locked))
		return false;
	quire_debug_lock(page, QUIRE_LOCK_PAGE | QUIRE_LOCK_TRY, true);
	return true;
}

/* Sleep until the page is, or was, unlocked; or killed: -EINTR. */
static __cold_path int wait_page_unlock(struct page *page, unsigned flags)
{
	uint32_t v = __atomic_or_fetch(&page->flags, 1u << PG_waiters,
				       __ATOMIC_RELAXED);

	if (!(v & 1u << PG_locked))
		return 0;
	return quire_host_wait(&page->flags, v, flags);
}

static int lock_page_flags(struct page *page, unsigned flags)
{
	might_sleep();
	while (TestSetPageFlag(page, PG_locked))
		if (wait_page_unlock(page, flags))
			return -EINTR;
	quire_debug_lock(page, QUIRE_LOCK_PAGE, true);
	return 0;
}

void lock_page(struct page *page)
{
	(void)lock_page_flags(page, 0);
}

int lock_page_killable(struct page *page)
{
	return lock_page_flags(page, QUIRE_WAIT_KILLABLE);
}

void wait_on_page_locked(struct page *page, unsigned flags)
{
	might_sleep();
	while (PageFlag(page, PG_locked))
		if (wait_page_unlock(page, flags))
			return;
}

/* ------------------------------------------------- tasks that do not sleep */

static struct page_wait_bucket *page_bucket(struct quire *q,
					    const struct page *page)
{
	return &q->page_wait[(uintptr_t)page / sizeof(struct page) %
			     PAGE_WAIT_BUCKETS];
}

static struct quire_task *waiting_task(struct quire_page_wait *w)
{
	return container_of(w, struct quire_task, page_wait);
}

/*
 * bucket locked: *link's note is done with; its task waits no more.  The note
 * still tells the page, and so the bucket under whose lock the host is told:
 * quire_fault_cancel() waits for that.
 */
static struct quire_task *unlink_wait(struct quire_page_wait **link)
{
	struct quire_page_wait *w = *link;
	struct quire_task *task = waiting_task(w);

	*link = w->next;
	w->next = NULL;
	__atomic_store_n(&task->fault_waiting, false, __ATOMIC_RELEASE);
	return task;
}

/* The note of a task that is to wait for page. False: no need to wait. */
static bool note_wait(struct quire_task *task, struct page *page,
		      uaddr_t address)
{
	struct page_wait_bucket *b = page_bucket(task->q, page);
	struct quire_page_wait *w = &task->page_wait;
	bool locked;

	spin_lock(&b->lock);
	/* the next line orders against the unlocker's clearing of both */
	locked = __atomic_or_fetch(&page->flags, 1u << PG_waiters,
				   __ATOMIC_ACQ_REL) &
		 1u << PG_locked;
	if (locked) {
		w->address = address;
		w->faults = task->min_flt + task->maj_flt;
		WRITE_ONCE(w->page, page);
		w->next = b->first;
		b->first = w;
		__atomic_store_n(&task->fault_waiting, true, __ATOMIC_RELEASE);
	}
	spin_unlock(&b->lock);
	return locked;
}

static __cold_path void wake_noted(struct quire *q, struct page *page)
{
	struct page_wait_bucket *b = page_bucket(q, page);
	struct quire_page_wait **link;

	spin_lock(&b->lock);
	link = &b->first;
	while (*link)
		if ((*link)->page == page)
			quire_host_fault_ready(unlink_wait(link));
		else
			link = &(*link)->next;
	spin_unlock(&b->lock);
}

void __cold_path wake_page_waiters(struct page *page)
{
	struct quire *q = quire_host_current()->q;

	quire_host_wake(&page->flags, UINT32_MAX);
	if (q)
		wake_noted(q, page);
}

void quire_fault_cancel(struct quire_task *task)
{
	struct quire_page_wait **link;
	struct page_wait_bucket *b;
	struct page *page = READ_ONCE(task->page_wait.page);

	if (!page)
		return;
	b = page_bucket(task->q, page);
	spin_lock(&b->lock);
	for (link = &b->first; *link; link = &(*link)->next)
		if (*link == &task->page_wait) {
			(void)unlink_wait(link);
			break;
		}
	spin_unlock(&b->lock);
}

void check_page_waits(struct quire_check *c)
{
	const uint32_t both = 1u << PG_locked | 1u << PG_waiters;
	struct page_wait_bucket *b = c->q->page_wait;
	struct quire_page_wait *w;
	unsigned i;

	for (i = 0; i < PAGE_WAIT_BUCKETS; i++)
		for (w = b[i].first; w; w = w->next)
			if (page_bucket(c->q, w->page) != &b[i] ||
			    (READ_ONCE(w->page->flags) & both) != both ||
			    !waiting_task(w)->fault_waiting)
				check_fail(c, "task %u waits for nothing",
					   waiting_task(w)->id);
}

bool fault_has_waited(const struct quire_task *task, uaddr_t address)
{
	const struct quire_page_wait *w = &task->page_wait;

	return w->address == (address & PAGE_MASK) &&
	       w->faults == task->min_flt + task->maj_flt;
}

void fault_wait_over(const struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		quire_host_current()->page_wait.faults = UINT64_MAX;
}

void fault_note_nowait(struct vm_fault *vmf)
{
	struct quire_task *task = quire_host_current();

	/* only a fault of the task's own access comes again by itself */
	if (likely(!task->nowait) || !(vmf->flags >> FAULT_NEED_SHIFT))
		return;
	vmf->flags |= FAULT_FLAG_RETRY_NOWAIT;
	if (fault_has_waited(task, vmf->address))
		vmf->flags |= FAULT_FLAG_TRIED;
}

/* ------------------------------------------------------------ in a fault */

/* The lock was taken: get it all the same, or leave a note and the mm. */
static bool lock_page_nowait(struct page *page, struct vm_fault *vmf)
{
	while (!note_wait(quire_host_current(), page, vmf->address))
		if (trylock_page(page))
			return true;
	quire_step("this task may not wait: its access will be repeated");
	count_vm_event(vmf->vma->vm_mm->q, VM_quire_fault_wait);
	up_read(&vmf->vma->vm_mm->mmap_lock);
	return false;
}

static __cold_path bool lock_page_wait(struct page *page, struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	unsigned wait =
		vmf->flags & FAULT_FLAG_KILLABLE ? QUIRE_WAIT_KILLABLE : 0;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return lock_page_nowait(page, vmf);
	if (fault_may_unlock(vmf->flags)) {
		quire_step("locked: waited for without the mmap_lock");
		up_read(&mm->mmap_lock);
		wait_on_page_locked(page, wait);
		return false;
	}
	quire_step("locked: waited for");
	if (!lock_page_flags(page, wait))
		return true;
	up_read(&mm->mmap_lock); /* to die: let go of everything */
	return false;
}

bool lock_page_or_retry(struct page *page, struct vm_fault *vmf)
{
	return likely(trylock_page(page)) || lock_page_wait(page, vmf);
}

/*
 * The entry goes before the page is unlocked, and only under the table's lock:
 * so the page is locked here, and will be unlocked, and no reference is needed
 * (which would keep it from being moved).  One wait: what the frame is used for
 * afterwards is not this fault's affair.
 */
vm_fault_t __cold_path migration_entry_wait(struct vm_fault *vmf,
					    struct page *page)
{
	unsigned wait =
		vmf->flags & FAULT_FLAG_KILLABLE ? QUIRE_WAIT_KILLABLE : 0;
	struct mm_struct *mm = vmf->vma->vm_mm;
	uint32_t v;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		bool noted =
			note_wait(quire_host_current(), page, vmf->address);

		spin_unlock(vmf->ptl);
		if (!noted)
			return 0;
		quire_step("this task may not wait: its access will be "
			   "repeated");
		count_vm_event(mm->q, VM_quire_fault_wait);
		up_read(&mm->mmap_lock);
		return VM_FAULT_RETRY;
	}
	v = __atomic_or_fetch(&page->flags, 1u << PG_waiters, __ATOMIC_RELAXED);
	spin_unlock(vmf->ptl);
	might_sleep();
	if (v & 1u << PG_locked)
		(void)quire_host_wait(&page->flags, v, wait);
	return 0;
}

/* -------------------------------------------------------------- unlocking */

void unlock_page_io(struct page *page)
{
	uint32_t old = __atomic_fetch_and(&page->flags,
					  ~(1u << PG_locked | 1u << PG_waiters),
					  __ATOMIC_RELEASE);

	QUIRE_BUG_ON(!(old & 1u << PG_locked));
	if (old & 1u << PG_waiters)
		wake_page_waiters(page);
}

void unlock_page(struct page *page)
{
	quire_debug_unlock(page, QUIRE_LOCK_PAGE);
	unlock_page_io(page);
}
