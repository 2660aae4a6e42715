/* SPDX-License-Identifier: MIT */
/*
 * sys_signal.c - the system calls about signals, and siginfo_t's layout.
 */
#include "proc.h"
#include <arch_regs.h>

#define SIGSET_BYTES 8
#define UNBLOCKABLE  (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define MINSIGSTKSZ  2048

/* ------------------------------------------------------------- siginfo_t */

/*
 * After three ints come the fields, at the alignment of a word; times and
 * pointers among them are words.
 */
#define WORD   sizeof(uaddr_t)
#define FIELDS (WORD == 8 ? 16 : 12)

static void put_word(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, WORD); /* little-endian */
}

void siginfo_to_user_layout(const struct ksiginfo *i, uint8_t out[128])
{
	uint8_t *f = out + FIELDS;

	memset(out, 0, 128);
	memcpy(out, &i->signo, 4);
	memcpy(out + 4, &i->err, 4);
	memcpy(out + 8, &i->code, 4);
	if (i->signo == SIGCHLD && i->code > 0 && i->code < SI_KERNEL) {
		memcpy(f, &i->pid, 4);
		memcpy(f + 4, &i->uid, 4);
		memcpy(f + 8, &i->status, 4);
		put_word(f + 8 + WORD, i->utime);
		put_word(f + 8 + 2 * WORD, i->stime);
	} else if (i->code > 0 && (i->signo == SIGSEGV || i->signo == SIGBUS ||
				   i->signo == SIGILL || i->signo == SIGFPE ||
				   i->signo == SIGTRAP)) {
		put_word(f, i->addr);
		f[WORD] = i->addr_lsb;
		if (i->signo == SIGSEGV && i->code == QUIRE_SEGV_PKUERR)
			memcpy(f + 2 * WORD, &i->pkey, 4);
	} else {
		memcpy(f, &i->pid, 4);
		memcpy(f + 4, &i->uid, 4);
		put_word(f + 8, i->value);
	}
}

int siginfo_from_user_layout(struct ksiginfo *i, const uint8_t in[128])
{
	memset(i, 0, sizeof(*i));
	memcpy(&i->signo, in, 4);
	memcpy(&i->err, in + 4, 4);
	memcpy(&i->code, in + 8, 4);
	memcpy(&i->pid, in + FIELDS, 4);
	memcpy(&i->uid, in + FIELDS + 4, 4);
	memcpy(&i->value, in + FIELDS + 8, WORD);
	return 0;
}

/* --------------------------------------------------------------- sending */

int may_signal(struct process *p, int signo)
{
	const struct cred *me = &current->proc->cred, *it = &p->cred;

	if (me->euid == 0 || me->euid == it->suid || me->euid == it->uid ||
	    me->uid == it->suid || me->uid == it->uid)
		return 0;
	if (signo == SIGCONT && current->proc->sid == p->sid)
		return 0;
	return -EPERM;
}

static int kill_one(struct process *p, const struct ksiginfo *info, int signo)
{
	int err = may_signal(p, signo);

	if (!err && signo && !p->zombie)
		send_signal_process(p, info);
	return err;
}

/* pgid 0: everyone but init and this process */
static long kill_many(int pgid, const struct ksiginfo *info, int signo)
{
	unsigned long flags = spin_lock_irqsave(&task_lock);
	int sent = 0, tried = 0, err = 0;
	struct process *p;

	list_for_each_entry (p, &all_processes, all) {
		int e;

		if (pgid ? p->pgid != pgid : p->pid <= 1 || p == current->proc)
			continue;
		tried++;
		e = kill_one(p, info, signo);
		if (e)
			err = e;
		else
			sent++;
	}
	spin_unlock_irqrestore(&task_lock, flags);
	if (!tried)
		return -ESRCH;
	return sent ? 0 : err;
}

long sys_kill(int pid, int signo);
long sys_kill(int pid, int signo)
{
	struct ksiginfo info = {.signo = signo,
				.code = SI_USER,
				.pid = current->proc->pid,
				.uid = current->proc->cred.uid};
	struct process *p;
	int err;

	if ((unsigned)signo > KNSIG)
		return -EINVAL;
	if (pid == 0)
		return kill_many(current->proc->pgid, &info, signo);
	if (pid == -1)
		return kill_many(0, &info, signo);
	if (pid < 0)
		return pid == INT32_MIN ? -ESRCH
					: kill_many(-pid, &info, signo);
	p = find_process(pid);
	if (!p)
		return -ESRCH;
	err = kill_one(p, &info, signo);
	process_put(p);
	return err;
}

static long kill_thread(int tgid, int tid, const struct ksiginfo *info)
{
	struct task *t;
	long err;

	if (tid <= 0 || (unsigned)info->signo > KNSIG)
		return -EINVAL;
	t = find_task(tid);
	if (!t)
		return -ESRCH;
	if (tgid && t->proc->pid != tgid) {
		task_put(t);
		return -ESRCH;
	}
	err = may_signal(t->proc, info->signo);
	if (!err && info->signo)
		send_signal_task(t, info);
	task_put(t);
	return err;
}

long sys_tkill(int tid, int signo);
long sys_tkill(int tid, int signo)
{
	struct ksiginfo info = {.signo = signo,
				.code = SI_TKILL,
				.pid = current->proc->pid,
				.uid = current->proc->cred.uid};

	return kill_thread(0, tid, &info);
}

long sys_tgkill(int tgid, int tid, int signo);
long sys_tgkill(int tgid, int tid, int signo)
{
	struct ksiginfo info = {.signo = signo,
				.code = SI_TKILL,
				.pid = current->proc->pid,
				.uid = current->proc->cred.uid};

	if (tgid <= 0)
		return -EINVAL;
	return kill_thread(tgid, tid, &info);
}

static int user_info(struct ksiginfo *info, uaddr_t u, int signo, int to)
{
	uint8_t in[128];

	if (copy_from_user(in, u, sizeof(in)))
		return -EFAULT;
	siginfo_from_user_layout(info, in);
	info->signo = signo;
	/* Only the kernel may say that it or kill() sent it. */
	if ((info->code >= 0 || info->code == SI_TKILL) &&
	    to != current->proc->pid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(int pid, int signo, uaddr_t uinfo);
long sys_rt_sigqueueinfo(int pid, int signo, uaddr_t uinfo)
{
	struct ksiginfo info;
	struct process *p;
	int err = user_info(&info, uinfo, signo, pid);

	if (err)
		return err;
	if ((unsigned)signo > KNSIG)
		return -EINVAL;
	p = find_process(pid);
	if (!p)
		return -ESRCH;
	err = kill_one(p, &info, signo);
	process_put(p);
	return err;
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int signo, uaddr_t uinfo);
long sys_rt_tgsigqueueinfo(int tgid, int tid, int signo, uaddr_t uinfo)
{
	struct ksiginfo info;
	int err = user_info(&info, uinfo, signo, tgid);

	if (err)
		return err;
	return tgid <= 0 ? -EINVAL : kill_thread(tgid, tid, &info);
}

/* ------------------------------------------------------ masks and actions */

static void set_blocked(struct task *t, ksigset_t set)
{
	unsigned long flags = spin_lock_irqsave(&t->proc->siglock);

	t->blocked = set & ~UNBLOCKABLE;
	recalc_sigpending(t);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
}

long sys_rt_sigprocmask(int how, uaddr_t uset, uaddr_t uold, size_t size);
long sys_rt_sigprocmask(int how, uaddr_t uset, uaddr_t uold, size_t size)
{
	struct task *t = current;
	ksigset_t old = t->blocked, set;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (uset) {
		if (get_user(&set, uset))
			return -EFAULT;
		if (how == 0)
			set |= old;
		else if (how == 1)
			set = old & ~set;
		else if (how != 2)
			return -EINVAL;
		set_blocked(t, set);
	}
	return uold ? put_user(old, uold) : 0;
}

long sys_rt_sigpending(uaddr_t uset, size_t size);
long sys_rt_sigpending(uaddr_t uset, size_t size)
{
	struct task *t = current;
	ksigset_t set;

	if (size > SIGSET_BYTES)
		return -EINVAL;
	set = (t->pending.set | t->proc->pending.set) & t->blocked;
	return copy_to_user(uset, &set, size) ? -EFAULT : 0;
}

/* struct sigaction as the call has it, words and a mask */
struct user_sigaction {
	uaddr_t handler, flags, restorer;
	uint32_t mask[2];
};

static int action_from_user(struct ksigaction *sa, uaddr_t u)
{
	struct user_sigaction a;

	if (get_user(&a, u))
		return -EFAULT;
	*sa = (struct ksigaction){.handler = a.handler,
				  .flags = a.flags,
				  .restorer = a.restorer,
				  .mask = a.mask[0] | (uint64_t)a.mask[1]
							      << 32};
	return 0;
}

static int action_to_user(const struct ksigaction *sa, uaddr_t u)
{
	struct user_sigaction a = {
		.handler = (uaddr_t)sa->handler,
		.flags = (uaddr_t)sa->flags,
		.restorer = (uaddr_t)sa->restorer,
		.mask = {(uint32_t)sa->mask, (uint32_t)(sa->mask >> 32)}};

	return put_user(a, u);
}

long sys_rt_sigaction(int signo, uaddr_t unew, uaddr_t uold, size_t size);
long sys_rt_sigaction(int signo, uaddr_t unew, uaddr_t uold, size_t size)
{
	struct task *t = current;
	struct process *p = t->proc;
	struct ksigaction sa, old;
	unsigned long flags;

	if (size != SIGSET_BYTES || signo < 1 || signo > KNSIG)
		return -EINVAL;
	if (unew && (SIGBIT(signo) & UNBLOCKABLE))
		return -EINVAL;
	if (unew && action_from_user(&sa, unew))
		return -EFAULT;
	flags = spin_lock_irqsave(&p->siglock);
	old = t->sighand->action[signo - 1];
	if (unew) {
		sa.mask &= ~UNBLOCKABLE;
		t->sighand->action[signo - 1] = sa;
		/* A pending signal that is now ignored is gone. */
		if (signal_ignored(t, signo)) {
			struct ksiginfo info;
			struct task *each;

			while (dequeue_signal(t, SIGBIT(signo), &info))
				;
			list_for_each_entry (each, &p->threads, thread_node)
				recalc_sigpending(each);
		}
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return uold ? action_to_user(&old, uold) : 0;
}

bool on_altstack(const struct task *t, uaddr_t sp)
{
	return !((unsigned)t->ss_flags & SS_AUTODISARM) && sp > t->ss_sp &&
	       sp - t->ss_sp <= t->ss_size;
}

int altstack_flags(const struct task *t, uaddr_t sp)
{
	if (!t->ss_size)
		return SS_DISABLE;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

long sys_sigaltstack(uaddr_t unew, uaddr_t uold);
long sys_sigaltstack(uaddr_t unew, uaddr_t uold)
{
	struct user_stack s, old;
	struct task *t = current;
	uaddr_t sp = regs_sp(task_regs(t));

	memset(&old, 0, sizeof(old));
	old.sp = (uaddr_t)t->ss_sp;
	old.size = (uaddr_t)t->ss_size;
	old.flags = altstack_flags(t, sp) | (t->ss_flags & (int)(1u << 31));
	if (unew) {
		unsigned mode;

		if (get_user(&s, unew))
			return -EFAULT;
		if (altstack_flags(t, sp) == SS_ONSTACK)
			return -EPERM;
		mode = (unsigned)s.flags & ~(1u << 31);
		if (mode > SS_DISABLE)
			return -EINVAL;
		if (mode == SS_DISABLE) {
			s.sp = s.size = 0;
		} else if (s.size < MINSIGSTKSZ) {
			return -ENOMEM;
		}
		t->ss_sp = s.sp;
		t->ss_size = s.size;
		t->ss_flags = s.flags;
	}
	return uold ? put_user(old, uold) : 0;
}

/* ---------------------------------------------------------------- waiting */

int sigmask_for_call(uaddr_t umask, size_t size)
{
	struct task *t = current;
	ksigset_t set;

	if (!umask)
		return 0;
	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (get_user(&set, umask))
		return -EFAULT;
	t->saved_blocked = t->blocked;
	t->restore_blocked = true;
	set_blocked(t, set);
	return 0;
}

void sigmask_call_done(void)
{
	struct task *t = current;

	if (!t->restore_blocked)
		return;
	t->restore_blocked = false;
	set_blocked(t, t->saved_blocked);
}

static void wait_for_signal(void)
{
	while (!signal_pending(current)) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current))
			break;
		schedule();
	}
	set_current_state(TASK_RUNNING);
}

long sys_pause(void);
long sys_pause(void)
{
	wait_for_signal();
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(uaddr_t uset, size_t size);
long sys_rt_sigsuspend(uaddr_t uset, size_t size)
{
	int err;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (!uset)
		return -EFAULT;
	err = sigmask_for_call(uset, size);
	if (err)
		return err;
	wait_for_signal();
	return -ERESTARTNOHAND;
}

static int take(struct task *t, ksigset_t set, struct ksiginfo *info)
{
	unsigned long flags = spin_lock_irqsave(&t->proc->siglock);
	int signo = dequeue_signal(t, set, info);

	recalc_sigpending(t);
	spin_unlock_irqrestore(&t->proc->siglock, flags);
	return signo;
}

long sys_rt_sigtimedwait(uaddr_t uset, uaddr_t uinfo, uaddr_t uts, size_t size);
long sys_rt_sigtimedwait(uaddr_t uset, uaddr_t uinfo, uaddr_t uts, size_t size)
{
	struct task *t = current;
	uint64_t deadline = UINT64_MAX, ns;
	struct ksiginfo info;
	ksigset_t set;
	uint8_t out[128];
	int signo;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (get_user(&set, uset))
		return -EFAULT;
	set &= ~UNBLOCKABLE;
	if (uts) {
		int err = timespec_from_user(uts, &ns);

		if (err)
			return err;
		deadline = deadline_in(ns);
	}
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		signo = take(t, set, &info);
		if (signo)
			break;
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(t)) {
			signo = -EINTR;
			break;
		}
		if (ktime_ns() >= deadline) {
			signo = -EAGAIN;
			break;
		}
		(void)schedule_until(deadline);
	}
	set_current_state(TASK_RUNNING);
	if (signo < 0)
		return signo;
	siginfo_to_user_layout(&info, out);
	if (uinfo && copy_to_user(uinfo, out, sizeof(out)))
		return -EFAULT;
	return signo;
}

long sys_restart_syscall(void)
{
	struct task *t = current;

	return t->restart.fn ? t->restart.fn(t) : -EINTR;
}
