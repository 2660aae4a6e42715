/* SPDX-License-Identifier: MIT */
/*
 * signal.c - signals: sent, held, taken, acted upon.
 *
 * A signal is pending for one thread or for the whole process; the bit in the
 * set says that it is, a queue entry what came with it.  Standard signals are
 * pending once, real-time ones (32 and up) as often as they were sent.  The
 * entries come from a fixed pool, since signals are also sent from timer
 * interrupts, where memory cannot be had.
 *
 * TIF_SIGNAL in task->work is set exactly when do_signal() would find
 * something: after every change of a set, a mask or a stop it is worked out
 * again (recalc_sigpending), under the process's siglock.
 */
#include "proc.h"
#include <arch_regs.h>

#define SA_NOCLDSTOP 1u
#define SA_SIGINFO   4u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

#define SIG_DFL 0
#define SIG_IGN 1

#define SET_STOP                                                               \
	(SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define SET_IGNORE                                                             \
	(SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))
#define SET_SYNC                                                               \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | \
	 SIGBIT(SIGFPE) | SIGBIT(SIGSYS))
#define SET_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

void notify_stop(struct process *p, bool stopped, int signo);

/* ------------------------------------------------------------- the pool */

#define POOL 2048u
static struct sigqueue pool[POOL];
static struct sigqueue *pool_free;
static unsigned pool_used;
static struct spinlock pool_lock;

static struct sigqueue *entry_alloc(void)
{
	unsigned long flags = spin_lock_irqsave(&pool_lock);
	struct sigqueue *q = pool_free;

	if (q)
		pool_free = q->next;
	else if (pool_used < POOL)
		q = &pool[pool_used++];
	spin_unlock_irqrestore(&pool_lock, flags);
	return q;
}

static void entry_free(struct sigqueue *q)
{
	unsigned long flags = spin_lock_irqsave(&pool_lock);

	q->next = pool_free;
	pool_free = q;
	spin_unlock_irqrestore(&pool_lock, flags);
}

void sigpending_init(struct sigpending *p)
{
	p->set = 0;
	p->first = NULL;
	p->last = &p->first;
}

/* Drop the entries of the signals in a set, and the bits. */
static void drop_pending(struct sigpending *p, ksigset_t set)
{
	struct sigqueue **at = &p->first;

	p->set &= ~set;
	while (*at) {
		struct sigqueue *q = *at;

		if (set & SIGBIT(q->info.signo)) {
			*at = q->next;
			entry_free(q);
		} else {
			at = &q->next;
		}
	}
	p->last = at;
}

void sigpending_flush(struct sigpending *p)
{
	drop_pending(p, ~0ull);
}

/* ---------------------------------------------------------------- state */

bool signal_pending(struct task *t)
{
	return K_READ(t->work) & TIF_SIGNAL;
}

bool fatal_signal_pending(struct task *t)
{
	struct process *p = t->proc;

	return p->group_exit || (p->exec_task && p->exec_task != t) ||
	       (t->pending.set & SIGBIT(SIGKILL));
}

bool quire_host_signal_pending(struct quire_task *qt)
{
	return signal_pending((struct task *)qt);
}

bool quire_host_fatal_signal_pending(struct quire_task *qt)
{
	struct task *t = (struct task *)qt;

	return t->proc && signal_pending(t) && fatal_signal_pending(t);
}

void recalc_sigpending(struct task *t)
{
	struct process *p = t->proc;
	ksigset_t set = (t->pending.set | p->pending.set) & ~t->blocked;

	if (set || p->group_exit || p->stopped ||
	    (p->exec_task && p->exec_task != t))
		__atomic_fetch_or(&t->work, TIF_SIGNAL, __ATOMIC_ACQ_REL);
	else
		__atomic_fetch_and(&t->work, ~TIF_SIGNAL, __ATOMIC_ACQ_REL);
}

void signal_wake(struct task *t, bool fatal)
{
	__atomic_fetch_or(&t->work, TIF_SIGNAL, __ATOMIC_ACQ_REL);
	if (!wake_task(t, TASK_INTERRUPTIBLE |
				  (fatal ? TASK_KILLABLE | TASK_STOPPED : 0)))
		sched_kick(t);
}

bool signal_ignored(struct task *t, int signo)
{
	uint64_t h;

	if (!t->sighand)
		return true;
	h = t->sighand->action[signo - 1].handler;
	return h == SIG_IGN || (h == SIG_DFL && (SET_IGNORE & SIGBIT(signo)));
}

void group_exit_locked(struct process *p, int status)
{
	struct task *t;

	if (p->group_exit)
		return;
	p->group_exit = true;
	p->exit_code = status;
	p->stopped = false;
	list_for_each_entry (t, &p->threads, thread_node)
		if (!t->exiting)
			signal_wake(t, true);
}

/* -------------------------------------------------------------- sending */

/* Stop and continue signals cancel each other when they are sent. */
static void before_send(struct process *p, int signo)
{
	struct task *t;

	if (SET_STOP & SIGBIT(signo)) {
		drop_pending(&p->pending, SIGBIT(SIGCONT));
		list_for_each_entry (t, &p->threads, thread_node)
			drop_pending(&t->pending, SIGBIT(SIGCONT));
	}
	if (signo == SIGCONT) {
		drop_pending(&p->pending, SET_STOP);
		list_for_each_entry (t, &p->threads, thread_node) {
			drop_pending(&t->pending, SET_STOP);
			if (p->stopped)
				wake_task(t, TASK_STOPPED);
		}
		if (p->stopped) {
			p->stopped = false;
			p->stop_code = 0;
			p->cont_report = true;
		}
	}
}

static bool kills_at_once(struct task *t, int signo)
{
	ksigset_t bit = SIGBIT(signo);

	return signo == SIGKILL ||
	       (t->sighand &&
		t->sighand->action[signo - 1].handler == SIG_DFL &&
		!((SET_IGNORE | SET_STOP | SET_SYNC) & bit));
}

/* A thread that would take the signal now, or NULL. */
static struct task *choose_thread(struct process *p, int signo)
{
	struct task *t;

	if (p->leader && !p->leader->exiting &&
	    !(p->leader->blocked & SIGBIT(signo)))
		return p->leader;
	list_for_each_entry (t, &p->threads, thread_node)
		if (!t->exiting &&
		    (signo == SIGKILL || !(t->blocked & SIGBIT(signo))))
			return t;
	return NULL;
}

static void add_pending(struct sigpending *pend, const struct ksiginfo *info)
{
	struct sigqueue *q;

	if (info->signo < 32 && (pend->set & SIGBIT(info->signo)))
		return;
	pend->set |= SIGBIT(info->signo);
	q = entry_alloc();
	if (!q)
		return;
	q->info = *info;
	q->next = NULL;
	*pend->last = q;
	pend->last = &q->next;
}

/* siglock held.  t: the one thread it is for, or NULL for the process. */
static void send_locked(struct process *p, struct task *t,
			const struct ksiginfo *info)
{
	struct task *who = t;
	int signo = info->signo;

	if (p->zombie || p->group_exit || (t && t->exiting))
		return;
	before_send(p, signo);
	if (!who)
		who = choose_thread(p, signo);
	/* Ignored and not blocked: as if it had not been sent. */
	if (who && !(who->blocked & SIGBIT(signo)) &&
	    signal_ignored(who, signo) && signo != SIGCONT)
		return;
	if (!who && p->leader && !p->leader->exiting &&
	    signal_ignored(p->leader, signo) &&
	    !(p->leader->blocked & SIGBIT(signo)))
		return;
	/* One that is stopped dies when it goes on, but SIGKILL is at once. */
	if (who && kills_at_once(who, signo) &&
	    (signo == SIGKILL || !p->stopped) &&
	    (signo == SIGKILL || !(who->blocked & SIGBIT(signo)))) {
		group_exit_locked(p, signo);
		return;
	}
	add_pending(t ? &t->pending : &p->pending, info);
	if (who && !(who->blocked & SIGBIT(signo)))
		signal_wake(who, false);
	else if (t)
		/* Blocked, but sigtimedwait() may want it. */
		wake_task(t, TASK_INTERRUPTIBLE);
	else
		list_for_each_entry (who, &p->threads, thread_node)
			wake_task(who, TASK_INTERRUPTIBLE);
}

void send_signal_task(struct task *t, const struct ksiginfo *info)
{
	struct process *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	send_locked(p, t, info);
	spin_unlock_irqrestore(&p->siglock, flags);
}

void send_signal_process(struct process *p, const struct ksiginfo *info)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	bool resumed;

	p->reported_stop = p->cont_report;
	send_locked(p, NULL, info);
	resumed = p->cont_report && !p->reported_stop && p->parent;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (resumed)
		wake_up(&p->parent->child_wait);
}

int send_signal_group(int pgid, int signo)
{
	struct ksiginfo info = {.signo = signo, .code = SI_KERNEL};
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct process *p;
	int n = 0;

	list_for_each_entry (p, &all_processes, all)
		if (p->pgid == pgid && !p->zombie) {
			if (signo)
				send_signal_process(p, &info);
			n++;
		}
	spin_unlock_irqrestore(&task_lock, flags);
	return n;
}

void send_signal_current(int signo)
{
	struct ksiginfo info = {.signo = signo,
				.code = SI_USER,
				.pid = current->proc->pid,
				.uid = current->proc->cred.uid};

	send_signal_task(current, &info);
}

void force_signal(struct task *t, const struct ksiginfo *info)
{
	struct process *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	ksigset_t bit = SIGBIT(info->signo);

	if (t->sighand) {
		struct ksigaction *sa = &t->sighand->action[info->signo - 1];

		if ((t->blocked & bit) || sa->handler == SIG_IGN) {
			sa->handler = SIG_DFL;
			t->blocked &= ~bit;
		}
	}
	add_pending(&t->pending, info);
	recalc_sigpending(t);
	spin_unlock_irqrestore(&p->siglock, flags);
}

void force_plain_signal(struct task *t, int signo)
{
	struct ksiginfo info = {.signo = signo, .code = SI_KERNEL};

	force_signal(t, &info);
}

void quire_host_signal(struct quire_task *qt, const struct quire_signal *sig)
{
	struct ksiginfo info = {.signo = sig->signo,
				.code = sig->code,
				.addr = sig->addr,
				.addr_lsb = sig->addr_lsb,
				.pkey = sig->pkey};

	if (sig->signo == SIGKILL)
		send_signal_task((struct task *)qt, &info);
	else
		force_signal((struct task *)qt, &info);
}

/* --------------------------------------------------------------- taking */

static int dequeue_from(struct sigpending *p, ksigset_t set,
			struct ksiginfo *info)
{
	ksigset_t ready = p->set & set;
	struct sigqueue **at, *q;
	bool more = false;
	int signo;

	if (!ready)
		return 0;
	if (ready & SET_SYNC)
		ready &= SET_SYNC;
	signo = __builtin_ctzll(ready) + 1;
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	for (at = &p->first; *at && (*at)->info.signo != signo;)
		at = &(*at)->next;
	q = *at;
	if (q) {
		struct sigqueue *r;

		*info = q->info;
		*at = q->next;
		if (!*at)
			p->last = at;
		for (r = *at; r; r = r->next)
			more |= r->info.signo == signo;
		entry_free(q);
	}
	if (!more)
		p->set &= ~SIGBIT(signo);
	return signo;
}

int dequeue_signal(struct task *t, ksigset_t set, struct ksiginfo *info)
{
	int signo = dequeue_from(&t->pending, set, info);

	if (!signo)
		signo = dequeue_from(&t->proc->pending, set, info);
	return signo;
}

/* The process is stopped: wait here until it is not.  siglock held on entry
 * and on return. */
static void stay_stopped(struct process *p, unsigned long *flags)
{
	while (p->stopped && !p->group_exit && !p->exec_task) {
		set_current_state(TASK_STOPPED);
		spin_unlock_irqrestore(&p->siglock, *flags);
		schedule();
		*flags = spin_lock_irqsave(&p->siglock);
	}
	set_current_state(TASK_RUNNING);
}

static void stop_process(struct process *p, int signo, unsigned long *flags)
{
	struct task *t;

	if (p->stopped)
		return;
	p->stopped = true;
	p->stop_code = signo;
	p->cont_report = false;
	list_for_each_entry (t, &p->threads, thread_node)
		if (t != current && !t->exiting)
			signal_wake(t, false);
	spin_unlock_irqrestore(&p->siglock, *flags);
	notify_stop(p, true, signo);
	*flags = spin_lock_irqsave(&p->siglock);
}

/* A system call was interrupted: what does it look like afterwards? */
static void fix_restart(struct pt_regs *regs, const struct ksigaction *sa)
{
	long ret = regs_result(regs);

	if (ret == -ERESTARTNOINTR || (ret == -ERESTARTSYS && !sa) ||
	    (ret == -ERESTARTSYS && (sa->flags & SA_RESTART)) ||
	    (ret == -ERESTARTNOHAND && !sa))
		regs_repeat_syscall(regs);
	else if (ret == -ERESTART_RESTARTBLOCK && !sa)
		current->restart_now = true;
	else if (ret == -ERESTARTSYS || ret == -ERESTARTNOHAND ||
		 ret == -ERESTART_RESTARTBLOCK)
		regs_set_result(regs, -EINTR);
}

/* Run the handler: siglock held on entry, not on return. */
static void deliver(struct pt_regs *regs, struct ksigaction *act,
		    const struct ksiginfo *info, unsigned long flags)
{
	struct task *t = current;
	struct ksigaction sa = *act;
	ksigset_t old = t->restore_blocked ? t->saved_blocked : t->blocked;

	if (sa.flags & SA_RESETHAND)
		act->handler = SIG_DFL;
	spin_unlock_irqrestore(&t->proc->siglock, flags);
	if (t->rseq)
		rseq_resume(regs);
	if (!setup_frame(regs, &sa, info, old)) {
		if (info->signo == SIGSEGV) {
			flags = spin_lock_irqsave(&t->proc->siglock);
			act->handler = SIG_DFL;
			spin_unlock_irqrestore(&t->proc->siglock, flags);
		}
		force_plain_signal(t, SIGSEGV);
		return;
	}
	flags = spin_lock_irqsave(&t->proc->siglock);
	t->restore_blocked = false;
	t->blocked |= sa.mask & ~SET_UNBLOCKABLE;
	if (!(sa.flags & SA_NODEFER))
		t->blocked |= SIGBIT(info->signo);
	recalc_sigpending(t);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
}

/* The one line that a program's crash leaves in the log. */
static void tell_death(const struct pt_regs *regs, const struct ksiginfo *info)
{
	printk("%s[%d]: signal %d code %d at %llx ip %llx sp %llx error %llx",
	       current->comm, current->tid, info->signo, info->code,
	       (unsigned long long)info->addr,
	       (unsigned long long)regs_ip(regs),
	       (unsigned long long)regs_sp(regs),
	       (unsigned long long)current->qt.fault_error);
}

void do_signal(struct pt_regs *regs, bool syscall)
{
	struct task *t = current;
	struct process *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	struct ksiginfo info;

	for (;;) {
		struct ksigaction *sa;
		int signo;

		if (p->group_exit || (p->exec_task && p->exec_task != t)) {
			spin_unlock_irqrestore(&p->siglock, flags);
			do_exit(p->exit_code);
		}
		if (p->stopped) {
			stay_stopped(p, &flags);
			continue;
		}
		signo = dequeue_signal(t, ~t->blocked, &info);
		if (!signo)
			break;
		sa = &t->sighand->action[signo - 1];
		if (sa->handler > SIG_IGN) {
			if (syscall)
				fix_restart(regs, sa);
			deliver(regs, sa, &info, flags);
			return;
		}
		if (signal_ignored(t, signo))
			continue;
		if (SET_STOP & SIGBIT(signo)) {
			stop_process(p, signo, &flags);
			continue;
		}
		if (SET_SYNC & SIGBIT(signo))
			tell_death(regs, &info);
		/* no core is ever written, so the status never says so */
		group_exit_locked(p, signo);
	}
	if (t->restore_blocked) {
		t->restore_blocked = false;
		t->blocked = t->saved_blocked;
	}
	recalc_sigpending(t);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (syscall)
		fix_restart(regs, NULL);
}

/* ------------------------------------------------------- actions and exec */

struct sighand *sighand_copy(const struct sighand *old)
{
	struct sighand *s = kmalloc(sizeof(*s));

	if (s) {
		memcpy(s, old, sizeof(*s));
		s->refs = 1;
	}
	return s;
}

void sighand_put(struct sighand *s)
{
	if (!__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		kfree(s);
}

/* Handlers go, what is ignored stays ignored; no alternate stack. */
void signals_after_exec(struct task *t)
{
	struct process *p = t->proc;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	unsigned i;

	for (i = 0; i < KNSIG; i++) {
		struct ksigaction *sa = &t->sighand->action[i];
		uint64_t keep = sa->handler == SIG_IGN ? SIG_IGN : SIG_DFL;

		memset(sa, 0, sizeof(*sa));
		sa->handler = keep;
	}
	t->ss_sp = t->ss_size = 0;
	t->ss_flags = 2;
	t->restore_blocked = false;
	recalc_sigpending(t);
	spin_unlock_irqrestore(&p->siglock, flags);
}
