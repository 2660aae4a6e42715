/* SPDX-License-Identifier: MIT */
/*
 * exit.c - the end of tasks and processes, and waiting for it.
 *
 * A thread that ends gives back its parts and goes.  The last one of a process
 * makes it a zombie: children go to init (which reaps them without being
 * asked), the parent hears of it, and what is left waits for wait4().
 *
 * task_lock guards the family tree and everything wait() looks at.
 */
#include "cpu.h"
#include "exec.h"
#include "oom.h"
#include "proc.h"
#include "vfs.h"

struct process *init_process;

#define WNOHANG	   1
#define WUNTRACED  2 /* also WSTOPPED */
#define WEXITED	   4
#define WCONTINUED 8
#define WNOWAIT	   0x01000000
#define W_NOTHREAD 0x20000000
#define W_ALL	   0x40000000
#define W_CLONE	   0x80000000u

#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

/* ------------------------------------------------------------ the way out */

/* The address space is no longer t's: a vfork parent goes on. */
void vfork_done(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct task *parent = t->vfork_parent;

	t->vfork_parent = NULL;
	if (parent)
		wake_task(parent, TASK_KILLABLE);
	spin_unlock_irqrestore(&task_lock, flags);
}

static void exit_mm(struct task *t)
{
	struct mm_struct *mm = t->qt.mm;
	unsigned long flags;
	bool much;

	if (!mm)
		return;
	futex_mm_release(t);
	stats_mm_gone(mm);
	much = oom_leaves(mm);
	flags = spin_lock_irqsave(&task_lock);
	t->qt.mm = NULL;
	t->qt.vma_cache = NULL;
	quire_switch_mm(the_quire, NULL);
	spin_unlock_irqrestore(&task_lock, flags);
	quire_mm_put(mm);
	if (much)
		oom_left();
	if (t->qt.oom_victim)
		oom_memory_back();
	vfork_done(t);
}

/* Tell the parent what happened to p; task_lock held. */
static void notify_parent(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	struct ksiginfo info = {.signo = SIGCHLD,
				.code = code,
				.pid = p->pid,
				.uid = p->cred.uid,
				.status = status,
				.utime = p->used.utime / NS_PER_CLK,
				.stime = p->used.stime / NS_PER_CLK};
	int signo = p->leader ? p->leader->exit_signal : SIGCHLD;

	if (code >= CLD_STOPPED)
		signo = SIGCHLD;
	info.signo = signo;
	if (signo)
		send_signal_process(parent, &info);
	wake_up(&parent->child_wait);
}

void notify_stop(struct process *p, bool stopped, int signo);
/* p stopped (or went on): the parent may be waiting for that. */
void notify_stop(struct process *p, bool stopped, int signo)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	const struct ksigaction *sa = NULL;

	if (p->parent && p->parent->leader && p->parent->leader->sighand)
		sa = &p->parent->leader->sighand->action[SIGCHLD - 1];
	if (p->parent && sa && !(sa->flags & 1 /* SA_NOCLDSTOP */))
		notify_parent(p, stopped ? CLD_STOPPED : CLD_CONTINUED, signo);
	else if (p->parent)
		wake_up(&p->parent->child_wait);
	spin_unlock_irqrestore(&task_lock, flags);
}

static bool parent_does_not_wait(struct process *parent)
{
	const struct ksigaction *sa;

	if (parent == init_process)
		return true;
	if (!parent->leader || !parent->leader->sighand)
		return false;
	sa = &parent->leader->sighand->action[SIGCHLD - 1];
	return sa->handler == 1 || (sa->flags & 2 /* SA_NOCLDWAIT */);
}

/* Take a dead process out of the world; task_lock held.  The caller drops
 * the lists' reference to the leader afterwards. */
static struct task *unlink_process(struct process *p)
{
	struct task *leader = p->leader;

	list_del(&p->sibling);
	list_del(&p->all);
	list_del(&leader->thread_node);
	task_unhash(leader);
	p->leader = NULL;
	return leader;
}

/* Who takes over p's children: the nearest ancestor that has asked for it
 * (PR_SET_CHILD_SUBREAPER), else init. */
static struct process *new_parent(struct process *p)
{
	for (p = p->parent; p && p != init_process; p = p->parent)
		if (p->child_subreaper && !p->zombie && !p->group_exit)
			return p;
	return init_process;
}

static void reparent_children(struct process *p)
{
	struct process *to = new_parent(p), *c, *n;

	list_for_each_entry_safe (c, n, &p->children, sibling) {
		struct ksiginfo info = {.signo = c->pdeath_signal,
					.code = SI_USER,
					.pid = p->pid};

		list_del(&c->sibling);
		c->parent = to;
		list_add_tail(&c->sibling, &to->children);
		if (c->zombie)
			wake_up(&to->child_wait);
		else if (c->pdeath_signal)
			send_signal_process(c, &info);
	}
}

/* The last thread of p ends: task_lock held.  The leader to be released, when
 * nobody will wait for it. */
static struct task *process_dies(struct process *p)
{
	int sig = p->exit_code & 0x7f;

	p->zombie = true;
	wake_up_all(&p->end_wait);
	reparent_children(p);
	if (p->leader->exit_signal == SIGCHLD &&
	    parent_does_not_wait(p->parent)) {
		notify_parent(p, sig ? CLD_KILLED : CLD_EXITED,
			      sig ? sig : p->exit_code >> 8);
		return unlink_process(p);
	}
	if (sig)
		notify_parent(p, p->exit_code & 0x80 ? CLD_DUMPED : CLD_KILLED,
			      sig);
	else
		notify_parent(p, CLD_EXITED, p->exit_code >> 8 & 0xff);
	return NULL;
}

static void note_maxrss(struct task *t)
{
	struct quire_mm_stats s;

	if (!t->qt.mm)
		return;
	quire_mm_get_stats(t->qt.mm, &s);
	t->proc->used.maxrss = K_MAX(t->proc->used.maxrss, s.hiwater_rss);
}

static void drop_parts(struct task *t)
{
	task_exit_files(t);
}

/* What is to be let go of once no lock is held. */
struct remains {
	struct file *exe;
	struct task *dead; /* a reference of the lists' */
	bool last;	   /* it was the process's last thread */
};

/* Out of the lists, and with the last thread the process ends; task_lock
 * held, interrupts off. */
static void leave_process(struct task *t, int status, struct remains *r)
{
	struct process *p = t->proc;
	struct kusage u;

	usage_of_task(t, &u);
	spin_lock(&p->siglock);
	usage_add(&p->used, &u);
	r->last = --p->nr_threads == 0;
	if (!p->group_exit && t == p->leader)
		p->exit_code = status;
	sigpending_flush(&t->pending);
	t->accounted = true;
	if (t != p->leader) {
		list_del(&t->thread_node);
		task_unhash(t);
		r->dead = t;
	}
	spin_unlock(&p->siglock);
	if (r->last) {
		struct task *leader;

		timer_cancel(&p->real_timer);
		r->exe = p->exe;
		p->exe = NULL;
		if (p->pid == 2)
			report_program_end(p->exit_code);
		leader = process_dies(p);
		if (leader && leader != t)
			task_put(leader);
		else if (leader)
			r->dead = leader;
	} else {
		wake_up(&p->child_wait); /* exec_dethread */
	}
}

_Noreturn void do_exit(int status)
{
	struct task *t = current;
	struct sighand *sighand = t->sighand;
	struct remains r = {0};

	t->exiting = true;
	note_maxrss(t);
	exit_mm(t);
	drop_parts(t);
	irq_disable();
	spin_lock(&task_lock);
	if (!list_empty(&t->thread_node))
		leave_process(t, status, &r);
	/* Senders look at it under siglock, parents' waits under task_lock. */
	spin_lock(&t->proc->siglock);
	t->sighand = NULL;
	spin_unlock(&t->proc->siglock);
	spin_unlock(&task_lock);
	irq_enable();
	if (r.last)
		posix_timers_drop(t->proc);
	if (r.exe)
		fput(r.exe);
	if (sighand)
		sighand_put(sighand);
	if (r.dead)
		task_put(r.dead); /* ours, the running one's, is left */
	irq_disable();
	t->state = TASK_DEAD;
	schedule();
	panic("a dead task runs");
}

_Noreturn void do_group_exit(int status)
{
	struct process *p = current->proc;
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	group_exit_locked(p, status);
	status = p->exit_code;
	spin_unlock_irqrestore(&p->siglock, flags);
	do_exit(status);
}

/* Every other thread of the process ends; this one takes the leader's place
 * and id. */
int exec_dethread(void)
{
	struct task *me = current, *leader, *t;
	struct process *p = me->proc;
	unsigned long flags = spin_lock_irqsave(&task_lock);

	spin_lock(&p->siglock);
	if (p->group_exit || (p->exec_task && p->exec_task != me)) {
		spin_unlock(&p->siglock);
		spin_unlock_irqrestore(&task_lock, flags);
		return -EAGAIN;
	}
	p->exec_task = me;
	list_for_each_entry (t, &p->threads, thread_node)
		if (t != me && !t->exiting)
			signal_wake(t, true);
	spin_unlock(&p->siglock);
	spin_unlock_irqrestore(&task_lock, flags);

	wait_event(&p->child_wait, K_READ(p->nr_threads) == 1);

	flags = spin_lock_irqsave(&task_lock);
	leader = p->leader;
	spin_lock(&p->siglock);
	if (leader != me) {
		list_del(&leader->thread_node);
		task_unhash(leader);
		task_unhash(me);
		me->tid = p->pid;
		me->qt.id = (uint32_t)me->tid;
		task_hash(me);
		p->leader = me;
	}
	spin_unlock(&p->siglock);
	me->exit_signal = SIGCHLD;
	p->exec_task = NULL;
	spin_unlock_irqrestore(&task_lock, flags);
	if (leader != me)
		task_put(leader);
	return 0;
}

long sys_exit(int status);
long sys_exit(int status)
{
	do_exit((status & 0xff) << 8);
}

long sys_exit_group(int status);
long sys_exit_group(int status)
{
	do_group_exit((status & 0xff) << 8);
}

/* --------------------------------------------------------------- waiting */

struct wait_args {
	int pid; /* as wait4's */
	unsigned options;
	/* results */
	int got, code, status;
	uint32_t uid;
	struct kusage usage;
};

static bool wait_matches(const struct wait_args *w, const struct process *p)
{
	bool clone = p->leader && p->leader->exit_signal != SIGCHLD;

	if (w->pid > 0 && p->pid != w->pid)
		return false;
	if (w->pid == 0 && p->pgid != current->proc->pgid)
		return false;
	if (w->pid < -1 && p->pgid != -w->pid)
		return false;
	return (w->options & W_ALL) || clone == !!(w->options & W_CLONE);
}

static bool look_at_child(struct wait_args *w, struct process *p)
{
	if (p->zombie) {
		if (!(w->options & WEXITED))
			return false;
		w->status = p->exit_code;
		w->code = !(p->exit_code & 0x7f) ? CLD_EXITED
			  : p->exit_code & 0x80	 ? CLD_DUMPED
						 : CLD_KILLED;
	} else if (p->stopped && p->stop_code && (w->options & WUNTRACED)) {
		w->status = p->stop_code << 8 | 0x7f;
		w->code = CLD_STOPPED;
		if (!(w->options & WNOWAIT))
			p->stop_code = 0;
	} else if (p->cont_report && (w->options & WCONTINUED)) {
		w->status = 0xffff;
		w->code = CLD_CONTINUED;
		if (!(w->options & WNOWAIT))
			p->cont_report = false;
	} else {
		return false;
	}
	w->got = p->pid;
	w->uid = p->cred.uid;
	w->usage = p->used;
	usage_add(&w->usage, &p->children_used);
	return true;
}

/* One look at all children: >0 something was got, 0 nothing yet, -ECHILD */
static int wait_once(struct wait_args *w)
{
	struct process *me = current->proc, *p;
	unsigned long flags = spin_lock_irqsave(&task_lock);
	struct task *leader = NULL;
	int result = -ECHILD;

	list_for_each_entry (p, &me->children, sibling) {
		if (!wait_matches(w, p))
			continue;
		result = 0;
		if (!look_at_child(w, p))
			continue;
		result = 1;
		if (p->zombie && !(w->options & WNOWAIT)) {
			usage_add(&me->children_used, &w->usage);
			leader = unlink_process(p);
		}
		break;
	}
	spin_unlock_irqrestore(&task_lock, flags);
	if (leader)
		task_put(leader);
	return result;
}

static long do_wait(struct wait_args *w)
{
	struct process *me = current->proc;
	long err = 0;
	int got = 0;

	w->got = 0;
	if (w->options & WNOHANG) {
		got = wait_once(w);
		return got < 0 ? got : 0;
	}
	err = wait_event_interruptible(&me->child_wait,
				       (got = wait_once(w)) != 0);
	return got < 0 ? got : err;
}

void reap_orphans(void);
/* init's own waiting: zombies that were left to it. */
void reap_orphans(void)
{
	struct wait_args w = {.pid = -1, .options = WEXITED | W_ALL};

	while (wait_once(&w) > 0)
		;
}

long usage_to_user(const struct kusage *k, uaddr_t u); /* sys_misc.c */

long sys_wait4(int pid, uaddr_t ustatus, int options, uaddr_t urusage);
long sys_wait4(int pid, uaddr_t ustatus, int options, uaddr_t urusage)
{
	struct wait_args w = {.pid = pid,
			      .options = (unsigned)options | WEXITED};
	long err;

	if ((unsigned)options &
	    ~(WNOHANG | WUNTRACED | WCONTINUED | W_NOTHREAD | W_ALL | W_CLONE))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	err = do_wait(&w);
	if (err || !w.got)
		return err;
	if (ustatus && put_user(w.status, ustatus))
		return -EFAULT;
	if (urusage && usage_to_user(&w.usage, urusage))
		return -EFAULT;
	return w.got;
}

long sys_waitid(int which, int id, uaddr_t uinfo, int options, uaddr_t uru);
long sys_waitid(int which, int id, uaddr_t uinfo, int options, uaddr_t uru)
{
	struct wait_args w = {.options = (unsigned)options};
	struct ksiginfo info = {0};
	uint8_t out[128];
	long err;

	if ((unsigned)options & ~(WNOHANG | WUNTRACED | WEXITED | WCONTINUED |
				  WNOWAIT | W_NOTHREAD | W_ALL | W_CLONE))
		return -EINVAL;
	if (!((unsigned)options & (WEXITED | WUNTRACED | WCONTINUED)))
		return -EINVAL;
	switch (which) {
	case 0: /* P_ALL */
		w.pid = -1;
		break;
	case 1: /* P_PID */
		if (id <= 0)
			return -EINVAL;
		w.pid = id;
		break;
	case 2: /* P_PGID */
		if (id < 0)
			return -EINVAL;
		w.pid = id ? -id : 0;
		break;
	default:
		return -EINVAL;
	}
	err = do_wait(&w);
	if (err)
		return err;
	if (w.got) {
		info.signo = SIGCHLD;
		info.code = w.code;
		info.pid = w.got;
		info.uid = w.uid;
		info.status = w.code == CLD_EXITED	? w.status >> 8 & 0xff
			      : w.code == CLD_STOPPED	? w.status >> 8 & 0xff
			      : w.code == CLD_CONTINUED ? SIGCONT
							: w.status & 0x7f;
	}
	siginfo_to_user_layout(&info, out);
	if (uinfo && copy_to_user(uinfo, out, sizeof(out)))
		return -EFAULT;
	if (uru && w.got && usage_to_user(&w.usage, uru))
		return -EFAULT;
	return 0;
}
