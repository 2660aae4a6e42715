/* SPDX-License-Identifier: MIT */
/*
 * ksignal.h - signals: who may be sent one, and how.
 *
 * Numbers and layouts are those of signal(7) and sigaction(2).
 */
#ifndef KERNEL_KSIGNAL_H
#define KERNEL_KSIGNAL_H

#include "sync.h"

#define SIGHUP	1
#define SIGINT	2
#define SIGQUIT 3
#define SIGILL	4
#define SIGTRAP 5
#define SIGABRT 6
#ifndef SIGBUS
#define SIGBUS 7
#endif
#define SIGFPE 8
#ifndef SIGKILL
#define SIGKILL 9
#endif
#define SIGUSR1 10
#ifndef SIGSEGV
#define SIGSEGV 11
#endif
#define SIGUSR2	  12
#define SIGPIPE	  13
#define SIGALRM	  14
#define SIGTERM	  15
#define SIGSTKFLT 16
#define SIGCHLD	  17
#define SIGCONT	  18
#define SIGSTOP	  19
#define SIGTSTP	  20
#define SIGTTIN	  21
#define SIGTTOU	  22
#define SIGURG	  23
#define SIGXCPU	  24
#define SIGXFSZ	  25
#define SIGVTALRM 26
#define SIGPROF	  27
#define SIGWINCH  28
#define SIGIO	  29
#define SIGPWR	  30
#define SIGSYS	  31
#define KNSIG	  64

#define SI_USER	  0
#define SI_KERNEL 128
#define SI_QUEUE  (-1)
#define SI_TIMER  (-2)
#define SI_TKILL  (-6)

/* What comes with a signal; becomes siginfo_t. */
struct ksiginfo {
	int signo, err, code;
	int pid; /* SI_USER, SIGCHLD */
	uint32_t uid;
	int status;	/* SIGCHLD */
	uint64_t value; /* SI_QUEUE */
	uint64_t addr;	/* faults */
	uint8_t addr_lsb;
	uint32_t pkey;
	uint64_t utime, stime; /* SIGCHLD, clock ticks */
};

/* stack_t: sigaltstack(2) */
struct user_stack {
	uaddr_t sp;
	int32_t flags;
	uaddr_t size;
};

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM (1u << 31)

struct process;
/* All of these may be called from any context, and never sleep. */
void send_signal_task(struct task *t, const struct ksiginfo *info);
void send_signal_process(struct process *p, const struct ksiginfo *info);
/* To every process of the group; number of processes it went to. */
int send_signal_group(int pgid, int signo);
/* SI_KERNEL to the current thread */
void send_signal_current(int signo);
/* A signal that cannot be blocked or ignored (faults) */
void force_signal(struct task *t, const struct ksiginfo *info);
/* The same with SI_KERNEL and nothing more to say. */
void force_plain_signal(struct task *t, int signo);

/* An unblocked signal waits for the task.  Cheap. */
bool signal_pending(struct task *t);
bool fatal_signal_pending(struct task *t);

/*
 * Replace the blocked mask for one call (ppoll, pselect6, sigsuspend,
 * epoll_pwait): the old one comes back when the call returns to user mode
 * or, when a handler runs, after the handler.  0, -EFAULT, -EINVAL.
 */
int sigmask_for_call(uaddr_t umask, size_t sigsetsize);
/* The call ended without a signal: put the old mask back now. */
void sigmask_call_done(void);

#endif
