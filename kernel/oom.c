/* SPDX-License-Identifier: MIT */
/*
 * oom.c - memory has run out: which process is to go.
 *
 *   a fault finds no memory -> quire_host_oom -> choose -> kill -> reaper
 *                                   |  somebody is dying: wait for that
 *                                   +-> the fault is repeated
 *
 * Chosen is, as on Linux (proc(5), oom_score_adj), the process whose end gives
 * back most: resident memory, swap and tables, plus oom_score_adj thousandths
 * of all memory and swap; never one with -1000, nor one that shares its memory
 * with a vfork parent.  All processes that share the memory are killed.
 *
 * A victim may sleep where no signal reaches it, or wait for a lock that the
 * one who needs memory holds.  So nobody waits for its end: the reaper, a
 * thread, takes its memory at once; where that does not work for a second, the
 * next one is chosen.  At most one victim is being dealt with at a time, until
 * the last of its memory is free: a process may be gone, or be without memory
 * of its own already, while the reaper still gives that back.
 *
 * Nor is anybody chosen while a process that ends by itself gives back much:
 * that is waited for, a second at most (what it frees may be others' at once,
 * or it may be stuck in a file system).
 *
 * oom_lock guards the choice; whoever finds it taken has a victim coming and
 * waits a moment.  process.oom_killed goes one way only.
 */
#include "oom.h"
#include "kerrno.h"
#include "proc.h"
#include "vfs.h"

#define PAGE_KIB    (QUIRE_PAGE_SIZE / 1024)
#define REAP_TRIES  10u
#define REAP_PAUSE  (NSEC_PER_SEC / 10)
#define ADJ_MIN	    (-1000)
#define STUCK_TRIES 16u
#define MUCH_PAGES  1024u
#define ULL(n)	    ((unsigned long long)(n))

int oom_kill_allocating_task, panic_on_oom;

static struct mutex oom_lock = MUTEX_INIT(oom_lock);
static struct wait_queue oom_wq = WAIT_QUEUE_INIT(oom_wq);
static struct wait_queue reaper_wq = WAIT_QUEUE_INIT(reaper_wq);
static uint64_t kills;

/* Large address spaces that are being freed; the time of the first of them. */
static uint32_t leaving;
static uint64_t leaving_since;

/* The victim that the reaper is to deal with; NULL: it is idle. */
static struct process *victim;
static struct mm_struct *victim_mm;

uint64_t oom_kills(void)
{
	return K_READ(kills);
}

static uint64_t all_pages(void)
{
	struct quire_meminfo mi;
	uint64_t swap, free;

	quire_get_meminfo(the_quire, &mi);
	quire_swap_total(the_quire, &swap, &free);
	return mi.total + swap;
}

/* ------------------------------------------------------------------ choice */

static bool in_vfork(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	bool yes = p->leader && p->leader->vfork_parent;

	spin_unlock_irqrestore(&task_lock, flags);
	return yes;
}

/* Points of p, more than 0; 0: never. */
static uint64_t points_of(struct process *p, uint64_t total)
{
	struct mm_struct *mm;
	int64_t points;
	int adj = K_READ(p->oom_score_adj);

	if (adj == ADJ_MIN || K_READ(p->oom_killed) || in_vfork(p))
		return 0;
	mm = process_mm(p);
	if (!mm)
		return 0;
	points = (int64_t)quire_oom_badness(mm);
	quire_mm_put(mm);
	points += adj * (int64_t)(total / 1000);
	return points > 0 ? (uint64_t)points : 1;
}

unsigned oom_score(struct process *p)
{
	uint64_t total = all_pages(), points;
	struct mm_struct *mm = process_mm(p);
	int adj = p->oom_score_adj;
	int64_t n;

	if (!mm || adj == ADJ_MIN) {
		if (mm)
			quire_mm_put(mm);
		return 0;
	}
	points = quire_oom_badness(mm);
	quire_mm_put(mm);
	n = (int64_t)mul_div(points, 1000, total) + adj;
	return n > -1000 ? (unsigned)((1000 + n) * 2 / 3) : 0;
}

/* The one to go, with a reference; NULL: there is none. */
static struct process *choose(void)
{
	uint64_t total = all_pages(), most = 0, points;
	struct process *p, *worst = NULL;
	int pid = 1;

	while ((p = next_process(pid)) != NULL) {
		pid = p->pid;
		points = points_of(p, total);
		if (points > most) {
			if (worst)
				process_put(worst);
			worst = p;
			most = points;
		} else {
			process_put(p);
		}
	}
	return worst;
}

/* -------------------------------------------------------------------- kill */

static void log_victim(struct process *p, struct mm_struct *mm)
{
	struct quire_mm_stats s;

	quire_mm_get_stats(mm, &s);
	printk("Out of memory: Killed process %d (%s) total-vm:%llukB, "
	       "anon-rss:%llukB, file-rss:%llukB, shmem-rss:%llukB, UID:%u "
	       "pgtables:%llukB oom_score_adj:%d",
	       p->pid, p->leader ? p->leader->comm : "",
	       ULL(s.total_vm * PAGE_KIB), ULL(s.anon_pages * PAGE_KIB),
	       ULL(s.file_pages * PAGE_KIB), ULL(s.shmem_pages * PAGE_KIB),
	       p->cred.uid, ULL(s.table_bytes / 1024), p->oom_score_adj);
}

static void kill_process(struct process *p)
{
	struct ksiginfo info = {.signo = SIGKILL, .code = SI_KERNEL};
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct task *t;

	list_for_each_entry (t, &p->threads, thread_node)
		t->qt.oom_victim = true;
	spin_unlock_irqrestore(&task_lock, flags);
	send_signal_process(p, &info);
}

/* All that share the memory: it comes back only with the last of them. */
static void kill_sharers(struct mm_struct *mm)
{
	struct mm_struct *other;
	struct process *p;
	int pid = 1;

	while ((p = next_process(pid)) != NULL) {
		pid = p->pid;
		other = process_mm(p);
		if (other == mm) {
			K_WRITE(p->oom_killed, true);
			kill_process(p);
		}
		if (other)
			quire_mm_put(other);
		process_put(p);
	}
}

/* oom_lock held, the reaper is idle.  Takes over the reference; false: it has
 * ended meanwhile. */
static bool kill_victim(struct process *p)
{
	struct mm_struct *mm = process_mm(p);

	if (!mm) {
		process_put(p);
		return false;
	}
	log_victim(p, mm);
	__atomic_fetch_add(&kills, 1, __ATOMIC_RELAXED);
	kill_sharers(mm);
	victim_mm = mm;
	__atomic_store_n(&victim, p, __ATOMIC_RELEASE);
	wake_up(&reaper_wq);
	return true;
}

/* ------------------------------------------------------------------ reaper */

static void reap(struct process *p, struct mm_struct *mm)
{
	struct quire_mm_stats s;
	uint64_t got = 0;
	unsigned i;

	for (i = 0; i < REAP_TRIES && !got && quire_mm_users(mm) > 1; i++) {
		got = quire_oom_reap(mm);
		if (!got)
			(void)WAIT_EVENT_(&oom_wq, quire_mm_users(mm) == 1,
					  TASK_UNINTERRUPTIBLE,
					  ktime_ns() + REAP_PAUSE);
	}
	quire_mm_get_stats(mm, &s);
	if (got)
		printk("oom_reaper: reaped process %d, now anon-rss:%llukB, "
		       "file-rss:%llukB, shmem-rss:%llukB",
		       p->pid, ULL(s.anon_pages * PAGE_KIB),
		       ULL(s.file_pages * PAGE_KIB),
		       ULL(s.shmem_pages * PAGE_KIB));
}

void oom_memory_back(void)
{
	wake_up(&oom_wq);
}

bool oom_leaves(struct mm_struct *mm)
{
	if (quire_mm_users(mm) > 1 || quire_oom_badness(mm) < MUCH_PAGES)
		return false;
	if (!K_READ(leaving))
		K_WRITE(leaving_since, ktime_ns());
	__atomic_fetch_add(&leaving, 1, __ATOMIC_RELEASE);
	return true;
}

void oom_left(void)
{
	__atomic_fetch_sub(&leaving, 1, __ATOMIC_RELEASE);
	wake_up_all(&oom_wq);
}

/* Memory is coming back: nobody need be killed for it. */
static bool somebody_leaves(void)
{
	return __atomic_load_n(&leaving, __ATOMIC_ACQUIRE) &&
	       ktime_ns() - K_READ(leaving_since) < NSEC_PER_SEC;
}

static void reaper(void *arg)
{
	struct process *p;

	(void)arg;
	for (;;) {
		wait_event(&reaper_wq,
			   (p = __atomic_load_n(&victim, __ATOMIC_ACQUIRE)));
		reap(p, victim_mm);
		quire_mm_put(victim_mm); /* the last one frees all of it */
		__atomic_store_n(&victim, NULL, __ATOMIC_RELEASE);
		process_put(p);
		wake_up_all(&oom_wq);
	}
}

int oom_init(void)
{
	return kthread_run(reaper, NULL, "oom_reaper") ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------ the question */

static void kill_current(void)
{
	struct process *p = current->proc;

	process_get(p);
	if (!kill_victim(p)) {
		struct ksiginfo info = {.signo = SIGKILL, .code = SI_KERNEL};

		send_signal_process(current->proc, &info);
	}
}

static void find_victim(void)
{
	struct process *p;

	if (__atomic_load_n(&victim, __ATOMIC_ACQUIRE) || somebody_leaves() ||
	    quire_host_fatal_signal_pending(&current->qt))
		return;
	p = choose();
	printk("%s invoked oom-killer: order=0, oom_score_adj=%d",
	       current->comm, current->proc->oom_score_adj);
	if (panic_on_oom)
		panic("out of memory: panic_on_oom is set");
	if (!p || oom_kill_allocating_task) {
		if (p)
			process_put(p);
		kill_current();
		return;
	}
	(void)kill_victim(p);
}

/*
 * Again and again within a second, though memory is not short as such: what is
 * free may be for others (a reserve, another node), or go to them at once, as
 * the pages of a program's text do that are read and dropped in turn.  So
 * somebody has to go.
 */
static bool stuck(struct task *t)
{
	uint64_t now = ktime_ns();

	if (now - t->oom_since > NSEC_PER_SEC) {
		t->oom_since = now;
		t->oom_tries = 0;
	}
	if (++t->oom_tries < STUCK_TRIES)
		return false;
	t->oom_tries = 0;
	return true;
}

/*
 * Whoever is to die himself goes on at once, with the reserve open to him; the
 * others give the victim time, and then try their luck again.
 */
void quire_host_oom(struct quire_task *qt)
{
	if (quire_host_fatal_signal_pending(qt)) {
		qt->oom_victim = true;
		return;
	}
	if (vfs_shrink(256))
		return;
	if (mutex_trylock(&oom_lock)) {
		if (quire_memory_short(the_quire) || stuck(current))
			find_victim();
		mutex_unlock(&oom_lock);
	}
	if (quire_memory_short(the_quire))
		(void)WAIT_EVENT_(&oom_wq, !quire_memory_short(the_quire),
				  TASK_KILLABLE, ktime_ns() + REAP_PAUSE);
}
