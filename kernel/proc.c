/* SPDX-License-Identifier: MIT */
/*
 * proc.c - tasks and processes as things to be found and counted: allocation,
 * ids, the table by id, references, figures.
 *
 *	one 16 KiB block:  struct task | floating point | ... kernel stack
 *	                   low                                        high
 *
 * task_lock (interrupts off) guards the table and all lists of processes.
 */
#include "cpu.h"
#include "proc.h"
#include "vfs.h"

#define HASH	512u
#define PID_MAX 32768

struct spinlock task_lock;
struct list_head all_processes = LIST_HEAD_INIT(all_processes);
static struct task *by_tid[HASH];
static int last_pid;
uint64_t forks_total;

uint64_t nr_forks(void)
{
	return forks_total;
}

struct task *task_alloc(bool user)
{
	struct page *page = quire_alloc_pages(the_quire, QUIRE_GFP_KERNEL, 2);
	struct task *t;
	uintptr_t base;

	if (!page)
		return NULL;
	base = (uintptr_t)quire_page_address(the_quire, page);
	t = (struct task *)base;
	memset(t, 0, sizeof(*t));
	t->kstack_top = base + KSTACK_SIZE;
	t->kstack_canary = 0x51ed5afe57ac0000ull;
	t->qt.q = the_quire;
	t->refs = 1;
	t->state = TASK_UNINTERRUPTIBLE;
	t->affinity = (1ull << cpu_count) - 1;
	t->fpu_cpu = ~0u;
	t->start_time = ktime_ns();
	list_init(&t->thread_node);
	list_init(&t->run_node);
	sigpending_init(&t->pending);
	if (user)
		t->fpu = (void *)K_ALIGN_UP(base + sizeof(*t), 64u);
	return t;
}

struct task *task_get(struct task *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void task_put(struct task *t)
{
	struct process *p = t->proc;
	unsigned i;

	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	/* No CPU's registers are this task's any more, whoever comes next at
	 * this address. */
	for (i = 0; i < cpu_count; i++) {
		struct task *me = t;

		__atomic_compare_exchange_n(&cpus[i].fpu_owner, &me, NULL,
					    false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
	quire_free_pages(the_quire, quire_phys_page(the_quire, virt_to_phys(t)),
			 2);
	if (p)
		process_put(p);
}

struct process *process_alloc(void)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->threads);
	list_init(&p->all);
	sigpending_init(&p->pending);
	wait_queue_init(&p->child_wait);
	wait_queue_init(&p->end_wait);
	p->start_time = ktime_ns();
	p->dumpable = true;
	return p;
}

void process_get(struct process *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}

void process_put(struct process *p)
{
	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	sigpending_flush(&p->pending);
	kfree(p);
}

/* ------------------------------------------------------------------- ids */

static bool pid_in_use(int pid)
{
	struct process *p;

	if (task_lookup(pid))
		return true;
	list_for_each_entry (p, &all_processes, all)
		if (p->pgid == pid || p->sid == pid)
			return true;
	return false;
}

int pid_alloc(void)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	int tries;

	for (tries = 0; tries < PID_MAX; tries++) {
		if (++last_pid >= PID_MAX)
			last_pid = 300;
		/* Until the first round is over none can be in use. */
		if (forks_total < PID_MAX / 2 || !pid_in_use(last_pid))
			break;
	}
	tries = last_pid;
	spin_unlock_irqrestore(&task_lock, flags);
	return tries;
}

void task_hash(struct task *t)
{
	struct task **slot = &by_tid[(unsigned)t->tid % HASH];

	t->hash_next = *slot;
	*slot = t;
}

void task_unhash(struct task *t)
{
	struct task **slot = &by_tid[(unsigned)t->tid % HASH];

	for (; *slot; slot = &(*slot)->hash_next)
		if (*slot == t) {
			*slot = t->hash_next;
			break;
		}
}

struct task *task_lookup(int tid)
{
	struct task *t = by_tid[(unsigned)tid % HASH];

	while (t && t->tid != tid)
		t = t->hash_next;
	return t;
}

struct process *process_lookup(int pid)
{
	struct task *t = task_lookup(pid);

	return t && t->proc && t->proc->pid == pid ? t->proc : NULL;
}

struct process *find_process(int pid)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct process *p = process_lookup(pid);

	if (p)
		process_get(p);
	spin_unlock_irqrestore(&task_lock, flags);
	return p;
}

struct process *next_process(int pid)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct process *p, *best = NULL;

	list_for_each_entry (p, &all_processes, all)
		if (p->pid > pid && (!best || p->pid < best->pid))
			best = p;
	if (best)
		process_get(best);
	spin_unlock_irqrestore(&task_lock, flags);
	return best;
}

struct task *find_task(int tid)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct task *t = task_lookup(tid);

	if (t)
		task_get(t);
	spin_unlock_irqrestore(&task_lock, flags);
	return t;
}

struct task *next_thread(struct process *p, int tid)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct task *t, *best = NULL;

	list_for_each_entry (t, &p->threads, thread_node)
		if (t->tid > tid && (!best || t->tid < best->tid))
			best = t;
	if (best)
		task_get(best);
	spin_unlock_irqrestore(&task_lock, flags);
	return best;
}

struct mm_struct *process_mm(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct mm_struct *mm = NULL;
	struct task *t;

	list_for_each_entry (t, &p->threads, thread_node)
		if (t->qt.mm && !t->exiting) {
			mm = t->qt.mm;
			quire_mm_get(mm);
			break;
		}
	spin_unlock_irqrestore(&task_lock, flags);
	return mm;
}

char task_state_letter(struct task *t)
{
	if (t->proc && t->proc->zombie)
		return 'Z';
	switch (t->state) {
	case TASK_RUNNING:
		return 'R';
	case TASK_INTERRUPTIBLE:
		return 'S';
	case TASK_STOPPED:
		return 'T';
	case TASK_DEAD:
		return 'Z';
	default:
		return 'D';
	}
}

/* --------------------------------------------------------------- figures */

/* A task's time is exact; its two parts are in the proportion in which ticks
 * hit user and kernel mode. */
void usage_of_task(struct task *t, struct kusage *u)
{
	uint64_t total = t->runtime, ticks = t->utime_ticks + t->stime_ticks;

	if (t == current)
		total += ktime_ns() - t->last_run;
	memset(u, 0, sizeof(*u));
	if (ticks)
		u->stime = mul_div(total, t->stime_ticks, ticks);
	else
		u->stime = total / 2;
	u->utime = total - u->stime;
	u->min_flt = t->qt.min_flt;
	u->maj_flt = t->qt.maj_flt;
	u->nvcsw = t->nvcsw;
	u->nivcsw = t->nivcsw;
}

void usage_add(struct kusage *to, const struct kusage *from)
{
	to->utime += from->utime;
	to->stime += from->stime;
	to->min_flt += from->min_flt;
	to->maj_flt += from->maj_flt;
	to->nvcsw += from->nvcsw;
	to->nivcsw += from->nivcsw;
	to->maxrss = K_MAX(to->maxrss, from->maxrss);
}

void process_usage(struct process *p, struct kusage *out)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct task *t;

	*out = p->used;
	list_for_each_entry (t, &p->threads, thread_node) {
		struct kusage u;

		if (t->accounted) /* already in p->used */
			continue;
		usage_of_task(t, &u);
		usage_add(out, &u);
	}
	spin_unlock_irqrestore(&task_lock, flags);
}
