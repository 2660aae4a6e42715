/* SPDX-License-Identifier: MIT */
/*
 * task.h - tasks (threads) and processes (thread groups).
 *
 *     process ── parent, children, group, session, limits, pending signals
 *        └─ threads: task, task, ...  each with its kernel stack,
 *                    mm (in qt), files, fs, sighand, own pending signals
 *
 * Locks: task_lock guards the tree of processes (parents, children, groups,
 * threads lists, the pid table) and what wait() looks at; process->siglock
 * guards pending signals, masks and actions; both with interrupts off, in
 * this order.  sched_lock is inside both.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include <quire/quire.h>
#include <arch_task.h>
#include "klib.h"
#include "ksignal.h"
#include "ktime.h"
#include "sync.h"
#include "uaccess.h"

struct files;
struct fs;
struct file;

#define KSTACK_SIZE 16384u
#define MAX_CPUS    8u

struct rlimit64 {
	uint64_t cur, max;
};
#define RLIMIT_CPU     0
#define RLIMIT_FSIZE   1
#define RLIMIT_DATA    2
#define RLIMIT_STACK   3
#define RLIMIT_CORE    4
#define RLIMIT_NPROC   6
#define RLIMIT_NOFILE  7
#define RLIMIT_MEMLOCK 8
#define RLIMIT_AS      9

struct cred {
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint32_t ngroups;
	uint32_t groups[32];
};

typedef uint64_t ksigset_t; /* bit signo - 1 */
#define SIGBIT(n) (1ull << ((n)-1))

struct ksigaction { /* the kernel ABI's struct sigaction */
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	ksigset_t mask;
};
struct sighand {
	uint32_t refs;
	struct ksigaction action[KNSIG];
};
struct sigqueue {
	struct sigqueue *next;
	struct ksiginfo info;
};
struct sigpending {
	ksigset_t set;
	struct sigqueue *first, **last;
};

struct kusage {		       /* summed getrusage(2) figures */
	uint64_t utime, stime; /* ns */
	uint64_t min_flt, maj_flt, nvcsw, nivcsw;
	uint64_t maxrss; /* pages */
};

struct process {
	int pid; /* thread group id */
	int pgid, sid;
	uint32_t refs;
	struct process *parent;
	struct list_head children, sibling; /* task_lock */
	struct list_head threads;	    /* task.thread_node */
	struct list_head all;		    /* in all_processes */
	unsigned nr_threads;		    /* alive */
	struct task *leader;
	struct spinlock siglock;
	struct sigpending pending;
	struct wait_queue child_wait; /* wait4() sleeps here */
	struct wait_queue end_wait;   /* who polls a pidfd, until its end */
	struct cred cred;
	struct rlimit64 rlim[16];
	struct quire_limits qlimits; /* rlim's soft ones, for Quire */
	struct file *exe;	     /* what exec ran, for /proc/PID/exe */
	uaddr_t auxv;		     /* where exec put the auxiliary vector */
	struct kusage used, children_used;
	uint64_t start_time; /* ktime_ns */
	struct ktimer real_timer;
	uint64_t real_interval;
	struct timer_table *timers; /* posix_timer.c's, or NULL */
	uint64_t virt_left, virt_interval, prof_left, prof_interval; /* ns */
	int exit_code;		/* as wait4's status */
	int stop_code;		/* pending report of a stop, 0 none */
	bool group_exit;	/* all threads are to end */
	struct task *exec_task; /* exec: all other threads are to end */
	bool zombie;
	bool stopped, cont_report, did_exec;
	bool reported_stop;
	bool child_subreaper, dumpable;
	int pdeath_signal;
	uint64_t cpu_ns; /* by ticks, for RLIMIT_CPU */
	int nice;
	int oom_score_adj; /* -1000 ... 1000; -1000: never the victim */
	int oom_adj_min;   /* down to here without privilege */
	bool oom_killed;   /* oom.c has chosen it: not again */
	void *tty;	   /* kernel/dev's: the controlling terminal, or NULL */
	uint32_t membarrier;
	unsigned personality;
};

/*
 * struct task.  The first part is read by assembly through the offsets in
 * task_offsets.h; qt comes first so that the two pointers convert.
 */
struct task {
	struct quire_task qt;
	struct task_arch arch; /* the processor's part */
	uintptr_t kstack_top;  /* also where its user pt_regs end */
	uintptr_t ksp;	       /* saved stack pointer while not running */
	uint32_t work;	       /* TIF_*: something to do before user mode */
	uint32_t state;	       /* TASK_* */
	void *fpu;	       /* save area, or NULL for a kernel thread */
	uint32_t fpu_cpu;      /* CPU whose registers hold it, if any */
	uint32_t cpu;
	struct list_head run_node;
	bool on_rq, on_cpu;
	bool urgent; /* a thread that others' I/O waits for: it runs first */
	uint64_t slice_end;
	uint64_t affinity; /* mask of CPUs */
	int policy, priority;

	int tid;
	struct process *proc;
	struct list_head thread_node;
	struct task *hash_next;
	struct files *files;
	struct fs *fs;
	struct sighand *sighand;
	char comm[16];

	struct sigpending pending;
	ksigset_t blocked, saved_blocked;
	bool restore_blocked;
	uint64_t ss_sp, ss_size;
	int ss_flags;
	struct {
		long (*fn)(struct task *t);
		uint64_t a, b, c, d;
		uint32_t e;
	} restart;	  /* for restart_syscall */
	bool restart_now; /* do_signal: no handler runs, so call it */

	uaddr_t set_child_tid, clear_child_tid;
	uaddr_t robust_list;
	uaddr_t rseq;
	uint32_t rseq_len, rseq_sig, rseq_cpu; /* as last told */
	struct task *vfork_child;	       /* parent: whom it waits for */
	struct task *vfork_parent;	       /* child: whom to wake */
	bool exiting;
	bool accounted; /* ended: its figures are in its process's */
	int exit_signal;

	uint64_t utime_ticks, stime_ticks;
	uint64_t runtime, last_run; /* ns */
	uint64_t nvcsw, nivcsw;
	uint64_t start_time;
	uint64_t fault_start; /* statistics of the fault being answered */
	uint64_t oom_since; /* oom.c: ktime_ns of the first fault that found */
	unsigned oom_tries; /* no memory, and how many since */
	unsigned clone_flags; /* of the clone that made it, until it runs */
	void (*kthread_fn)(void *);
	void *kthread_arg;
	uint32_t refs;
	uint64_t kstack_canary;
};

#define TIF_SIGNAL  1u /* signals to look at */
#define TIF_RESCHED 2u /* someone else is to run */
#define TIF_NOTIFY  4u /* rseq, trace flush */
/* A system call has put other registers in place (rt_sigreturn, execve): all
 * of them are to be loaded, and the call is not to be repeated. */
#define TIF_REGS 8u

#define current current_task()

/* The caller's user registers, at the top of its kernel stack. */
static inline struct pt_regs *task_regs(struct task *t)
{
	return (struct pt_regs *)(t->kstack_top - PT_REGS_BYTES);
}

static inline uint64_t task_rlimit(int which)
{
	return current->proc->rlim[which].cur;
}

/* Kernel threads: fn(arg) in a task of its own; ends when fn returns.  NULL:
 * out of memory. */
struct task *kthread_run(void (*fn)(void *), void *arg, const char *name);

/*
 * Processes, for /proc and kill.  find_process and next_process return a
 * reference (process_put), or NULL.  next: the one with the lowest pid above.
 */
struct process *find_process(int pid);
struct process *next_process(int pid);
void process_get(struct process *p);
void process_put(struct process *p);
/* Threads likewise. */
struct task *find_task(int tid);
struct task *next_thread(struct process *p, int tid);
void task_put(struct task *t);
/* A process's address space with a user count (quire_mm_put), or NULL. */
struct mm_struct *process_mm(struct process *p);
/* The same, of tasks: task_get returns t. */
struct task *task_get(struct task *t);
/* One letter as in /proc/PID/stat */
char task_state_letter(struct task *t);
/* Figures of all of a process's threads, dead ones too. */
void process_usage(struct process *p, struct kusage *out);
unsigned nr_cpus(void);
/* ns that CPU cpu was idle, for /proc/stat and /proc/uptime */
uint64_t cpu_idle_ns(unsigned cpu);
/* Number of processes and of context switches since boot, for /proc/stat */
uint64_t nr_forks(void), nr_switches(void);

extern struct spinlock task_lock;
extern struct list_head all_processes;

/* uid 0 in effect */
static inline bool is_root(void)
{
	return current->proc->cred.euid == 0;
}

#endif
