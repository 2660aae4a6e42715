/* SPDX-License-Identifier: MIT */
/*
 * proc.h - between the files that make, end and signal tasks: proc.c, fork.c,
 * exit.c, exec.c, signal.c, and the processor's part of them in kernel/x86 or
 * kernel/arm.  Nothing elsewhere includes it.
 */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <asm/ptrace.h>
#include "task.h"

/* clone(2) */
#define CLONE_VM	     0x00000100u
#define CLONE_FS	     0x00000200u
#define CLONE_FILES	     0x00000400u
#define CLONE_SIGHAND	     0x00000800u
#define CLONE_VFORK	     0x00004000u
#define CLONE_PARENT	     0x00008000u
#define CLONE_THREAD	     0x00010000u
#define CLONE_SYSVSEM	     0x00040000u
#define CLONE_SETTLS	     0x00080000u
#define CLONE_PARENT_SETTID  0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_CHILD_SETTID   0x01000000u
#define CLONE_NAMESPACES     0x7e020000u
#define CLONE_NEWTIME	     0x00000080u
#define CLONE_PIDFD	     0x00001000u
#define CLONE_CLEAR_SIGHAND  0x100000000ull

/* proc.c.  task_lock is held where told. */
/* A task with a kernel stack, one reference, nothing else; NULL: no memory.
 * user: with a floating-point area. */
struct task *task_alloc(bool user);
struct process *process_alloc(void);
int pid_alloc(void);
void task_hash(struct task *t);		 /* task_lock */
void task_unhash(struct task *t);	 /* task_lock */
struct task *task_lookup(int tid);	 /* task_lock; no reference */
struct process *process_lookup(int pid); /* task_lock; no reference */
void usage_of_task(struct task *t, struct kusage *u);
void usage_add(struct kusage *to, const struct kusage *from);

/* sched.c */
void sched_start(struct task *t);
void sched_kick(struct task *t);
void sched_affinity_changed(struct task *t);

/* fork.c */
struct kclone {
	uint64_t flags;
	uaddr_t stack, ptid, ctid, tls;
	int exit_signal;
};
int start_program(void (*fn)(void *), void *arg);
/* The new tid or -errno. */
long do_clone(const struct kclone *args);

/* exit.c */
_Noreturn void do_exit(int status); /* wait4's status */
_Noreturn void do_group_exit(int status);
void reap_orphans(void);
void vfork_done(struct task *t); /* its mm is no longer the parent's */
extern struct process *init_process;
/* The program that was asked for has ended. */
void report_program_end(int status);

/* signal.c; siglock is the process's. */
void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p);
void recalc_sigpending(struct task *t);	      /* siglock */
void signal_wake(struct task *t, bool fatal); /* siglock */
void sighand_put(struct sighand *s);
struct sighand *sighand_copy(const struct sighand *old);
void signals_after_exec(struct task *t);
void group_exit_locked(struct process *p, int status); /* siglock */
/* Take one of the signals in `set`; 0: none.  siglock */
int dequeue_signal(struct task *t, ksigset_t set, struct ksiginfo *info);
/* Deliver pending signals; `syscall`: regs->ax may say to restart it. */
void do_signal(struct pt_regs *regs, bool syscall);
long sys_restart_syscall(void);
bool signal_ignored(struct task *t, int signo);
void siginfo_to_user_layout(const struct ksiginfo *info, uint8_t out[128]);
int siginfo_from_user_layout(struct ksiginfo *info, const uint8_t in[128]);
/* Is t, with this stack pointer, on its alternate stack?  Never so with
 * SS_AUTODISARM.  And sigaltstack(2)'s flags for it. */
bool on_altstack(const struct task *t, uaddr_t sp);
int altstack_flags(const struct task *t, uaddr_t sp);
/* May the current task signal p?  0, -EPERM */
int may_signal(struct process *p, int signo);

/* The processor's sigframe.c: build the frame; false: no room (then SIGSEGV)
 */
bool setup_frame(struct pt_regs *regs, const struct ksigaction *sa,
		 const struct ksiginfo *info, ksigset_t oldset);

/* futex.c */
void futex_init(void);

/* The processor's cpu.c */
void fpu_copy(struct task *to, struct task *from);
void fpu_reset(struct task *t); /* the current one: a fresh state (exec) */
void fpu_read(struct task *t, void *out);
void fpu_write(struct task *t, const void *in, bool extended);

/* posix_timer.c */
void posix_timers_drop(struct process *p);

/* rseq.c: for a task that has registered one */
void rseq_resume(struct pt_regs *regs);

/* The processor's entry.S */
void ret_from_fork(void);

/* report.c */
void stats_mm_gone(struct mm_struct *mm); /* note its peaks */
void trace_flush(void);
void note_unknown_syscall(long nr);
extern uint64_t forks_total;

/* A user-visible clock tick: 1/100 s */
#define NS_PER_CLK 10000000ull

#endif
