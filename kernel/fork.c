/* SPDX-License-Identifier: MIT */
/*
 * fork.c - new tasks: fork, vfork, clone, clone3, kernel threads.
 *
 * The child's kernel stack is laid out so that the first switch to it runs
 * ret_from_fork (entry.S), which pops a function and its argument, calls it,
 * and returns to user mode from the registers above:
 *
 *	pt_regs          the parent's, with ax = 0 and maybe another stack
 *	arg, fn          child_start and the task
 *	ret_from_fork    return address of switch_stacks
 *	zeros            the SWITCH_REGS registers that it pops
 */
#include "cpu.h"
#include "proc.h"
#include "vfs.h"
#include <arch_regs.h>

static void prepare_stack(struct task *t, const struct pt_regs *regs,
			  void (*fn)(void *), void *arg)
{
	uintptr_t *sp = (uintptr_t *)(t->kstack_top - PT_REGS_BYTES);

	if (regs)
		memcpy(sp, regs, sizeof(*regs));
	else
		memset(sp, 0, sizeof(*regs));
	*--sp = (uintptr_t)arg;
	*--sp = (uintptr_t)fn;
	*--sp = (uintptr_t)ret_from_fork;
	sp -= SWITCH_REGS;
	memset(sp, 0, SWITCH_REGS * sizeof(*sp));
	t->ksp = (uintptr_t)sp;
}

/* ------------------------------------------------------- kernel threads */

static void kthread_main(void *arg)
{
	struct task *t = arg;

	t->kthread_fn(t->kthread_arg);
	do_exit(0);
}

/* Belongs to init_process as one of its threads would, but is in no list. */
struct task *kthread_run(void (*fn)(void *), void *arg, const char *name)
{
	struct task *t = task_alloc(false);

	if (!t)
		return NULL;
	t->kthread_fn = fn;
	t->kthread_arg = arg;
	strlcpy(t->comm, name, sizeof(t->comm));
	t->blocked = ~0ull;
	t->proc = init_process;
	process_get(init_process);
	t->tid = 0; /* in no table */
	prepare_stack(t, NULL, kthread_main, t);
	sched_start(t);
	return t;
}

/*
 * The first user task: made like a kernel thread whose function (an exec)
 * leaves user registers in place, so that it "returns" to user mode.
 */
int start_program(void (*fn)(void *), void *arg);
int start_program(void (*fn)(void *), void *arg)
{
	struct task *t = task_alloc(true);
	struct process *p = process_alloc();
	unsigned long irq;
	unsigned i;

	if (!t || !p)
		return -ENOMEM;
	t->proc = p;
	t->files = files_new();
	t->fs = fs_new();
	t->sighand = kzalloc(sizeof(*t->sighand));
	if (!t->files || !t->fs || !t->sighand)
		return -ENOMEM;
	t->sighand->refs = 1;
	t->ss_flags = 2;
	t->exit_signal = SIGCHLD;
	t->tid = pid_alloc();
	t->qt.id = (uint32_t)t->tid;
	t->qt.limits = &p->qlimits;
	fpu_init_task(t->fpu);
	p->pid = p->pgid = p->sid = t->tid;
	p->leader = t;
	p->parent = init_process;
	for (i = 0; i < 16; i++)
		p->rlim[i] = init_process->rlim[i];
	p->cred = init_process->cred;
	for (i = 0; i < QUIRE_RLIM_COUNT; i++)
		p->qlimits.cur[i] = p->rlim[i].cur;
	timer_init(&p->real_timer, NULL); /* setitimer sets it */
	prepare_stack(t, NULL, fn, arg);
	irq = spin_lock_irqsave(&task_lock);
	list_add_tail(&p->sibling, &init_process->children);
	list_add_tail(&p->all, &all_processes);
	list_add_tail(&t->thread_node, &p->threads);
	p->nr_threads = 1;
	task_get(t);
	task_hash(t);
	forks_total++;
	spin_unlock_irqrestore(&task_lock, irq);
	sched_start(t);
	return 0;
}

/* ---------------------------------------------------------------- clone */

static void child_start(void *arg)
{
	struct task *t = arg;
	uint32_t tid = (uint32_t)t->tid;

	/* Written here because here the child's address space is current. */
	if (t->clone_flags & CLONE_CHILD_SETTID)
		(void)copy_to_user(t->set_child_tid, &tid, sizeof(tid));
}

static int check_flags(const struct kclone *a)
{
	uint64_t f = a->flags;

	if (f & (CLONE_NAMESPACES | CLONE_NEWTIME))
		return is_root() ? -EINVAL : -EPERM;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if (f & CLONE_PIDFD)
		return -EINVAL;
	return 0;
}

static int copy_files(struct task *t, uint64_t flags)
{
	t->files = flags & CLONE_FILES ? files_get(current->files)
				       : files_copy(current->files);
	if (!t->files)
		return -ENOMEM;
	t->fs = flags & CLONE_FS ? fs_get(current->fs) : fs_copy(current->fs);
	return t->fs ? 0 : -ENOMEM;
}

static int copy_sighand(struct task *t, uint64_t flags)
{
	if (flags & CLONE_SIGHAND) {
		t->sighand = current->sighand;
		__atomic_fetch_add(&t->sighand->refs, 1, __ATOMIC_RELAXED);
		return 0;
	}
	t->sighand = sighand_copy(current->sighand);
	if (t->sighand && (flags & CLONE_CLEAR_SIGHAND)) {
		unsigned i;

		for (i = 0; i < KNSIG; i++)
			if (t->sighand->action[i].handler != 1)
				t->sighand->action[i].handler = 0;
	}
	return t->sighand ? 0 : -ENOMEM;
}

static int copy_mm(struct task *t, uint64_t flags)
{
	if (flags & CLONE_VM) {
		t->qt.mm = current->qt.mm;
		quire_mm_get(t->qt.mm);
		return 0;
	}
	t->qt.mm = quire_mm_fork(current->qt.mm);
	return t->qt.mm ? 0 : -ENOMEM;
}

static int copy_process_struct(struct task *t, uint64_t flags)
{
	struct process *old = current->proc, *p;
	unsigned i;

	if (flags & CLONE_THREAD) {
		t->proc = old;
		process_get(old);
		t->qt.limits = &old->qlimits;
		return 0;
	}
	p = process_alloc();
	if (!p)
		return -ENOMEM;
	t->proc = p;
	p->cred = old->cred;
	memcpy(p->rlim, old->rlim, sizeof(p->rlim));
	for (i = 0; i < QUIRE_RLIM_COUNT; i++)
		p->qlimits.cur[i] = p->rlim[i].cur;
	t->qt.limits = &p->qlimits;
	p->exe = old->exe ? fget_file(old->exe) : NULL;
	p->auxv = old->auxv;
	p->pgid = old->pgid;
	p->sid = old->sid;
	p->tty = old->tty;
	p->nice = old->nice;
	p->oom_score_adj = old->oom_score_adj;
	p->oom_adj_min = old->oom_adj_min;
	p->dumpable = old->dumpable;
	p->personality = old->personality;
	p->leader = t;
	timer_init(&p->real_timer, NULL); /* setitimer sets it */
	return 0;
}

static void copy_task(struct task *t, const struct kclone *a)
{
	struct task *me = current;

	t->cpu = me->cpu;
	t->affinity = me->affinity;
	t->policy = me->policy;
	t->priority = me->priority;
	user_state_fork(t, me, a->flags & CLONE_SETTLS, a->tls);
	memcpy(t->comm, me->comm, sizeof(t->comm));
	t->blocked = me->blocked;
	if (!(a->flags & CLONE_VM) || (a->flags & CLONE_VFORK)) {
		t->ss_sp = me->ss_sp;
		t->ss_size = me->ss_size;
		t->ss_flags = me->ss_flags;
	} else {
		t->ss_flags = 2; /* SS_DISABLE */
	}
	if (!(a->flags & CLONE_VM)) {
		t->rseq = me->rseq;
		t->rseq_len = me->rseq_len;
		t->rseq_sig = me->rseq_sig;
		t->rseq_cpu = me->rseq_cpu;
	}
	t->exit_signal = a->exit_signal;
	t->clone_flags = (unsigned)a->flags;
	if (a->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = a->ctid;
	if (a->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = a->ctid;
	t->qt.cap_ipc_lock = me->qt.cap_ipc_lock;
	t->qt.cap_sys_admin = me->qt.cap_sys_admin;
	fpu_copy(t, me);
}

/* Undo what was made of a task that never ran. */
static void drop_task(struct task *t)
{
	if (t->qt.mm)
		quire_mm_put(t->qt.mm);
	if (t->sighand)
		sighand_put(t->sighand);
	if (t->fs)
		fs_put(t->fs);
	if (t->files)
		files_put(t->files);
	if (t->proc && t->proc->leader == t && t->proc->exe)
		fput(t->proc->exe);
	task_put(t);
}

/* Enter it in the lists; -EINTR when this process is being killed. */
static int publish(struct task *t, uint64_t flags)
{
	struct process *me = current->proc, *p = t->proc;
	unsigned long irq = spin_lock_irqsave(&task_lock);

	spin_lock(&me->siglock);
	if (me->group_exit || me->exec_task) {
		spin_unlock(&me->siglock);
		spin_unlock_irqrestore(&task_lock, irq);
		return -EINTR;
	}
	if (!(flags & CLONE_THREAD)) {
		p->pid = t->tid;
		p->parent = flags & CLONE_PARENT ? me->parent : me;
		list_add_tail(&p->sibling, &p->parent->children);
		list_add_tail(&p->all, &all_processes);
	}
	list_add_tail(&t->thread_node, &p->threads);
	p->nr_threads++;
	task_get(t); /* the lists' own */
	task_hash(t);
	forks_total++;
	spin_unlock(&me->siglock);
	spin_unlock_irqrestore(&task_lock, irq);
	return 0;
}

static void wait_vfork(struct task *child)
{
	/* The child has the address space; only its end or exec gives it
	 * back.  A fatal signal may end the wait. */
	while (K_READ(child->vfork_parent)) {
		set_current_state(TASK_KILLABLE);
		if (!K_READ(child->vfork_parent))
			break;
		if (fatal_signal_pending(current)) {
			unsigned long irq = spin_lock_irqsave(&task_lock);

			child->vfork_parent = NULL;
			spin_unlock_irqrestore(&task_lock, irq);
			break;
		}
		schedule();
	}
	set_current_state(TASK_RUNNING);
}

long do_clone(const struct kclone *a)
{
	int err = check_flags(a);
	struct pt_regs *regs;
	struct task *t;
	long tid;

	if (err)
		return err;
	t = task_alloc(true);
	if (!t)
		return -ENOMEM;
	err = copy_process_struct(t, a->flags);
	if (!err)
		err = copy_files(t, a->flags);
	if (!err)
		err = copy_sighand(t, a->flags);
	if (!err)
		err = copy_mm(t, a->flags);
	if (err)
		goto fail;
	copy_task(t, a);
	t->tid = pid_alloc();
	t->qt.id = (uint32_t)t->tid;
	prepare_stack(t, task_regs(current), child_start, t);
	regs = task_regs(t);
	regs_set_result(regs, 0);
	if (a->stack)
		regs_set_sp(regs, a->stack);
	err = publish(t, a->flags);
	if (err)
		goto fail;
	tid = t->tid;
	if (a->flags & CLONE_PARENT_SETTID) {
		uint32_t v = (uint32_t)tid;

		(void)copy_to_user(a->ptid, &v, sizeof(v));
	}
	if (a->flags & CLONE_VFORK) {
		t->vfork_parent = current;
		task_get(t);
	}
	sched_start(t);
	if (a->flags & CLONE_VFORK) {
		wait_vfork(t);
		task_put(t);
	}
	return tid;
fail:
	drop_task(t);
	return err;
}

long sys_fork(void);
long sys_fork(void)
{
	struct kclone a = {.exit_signal = SIGCHLD};

	return do_clone(&a);
}

long sys_vfork(void);
long sys_vfork(void)
{
	struct kclone a = {.flags = CLONE_VM | CLONE_VFORK,
			   .exit_signal = SIGCHLD};

	return do_clone(&a);
}

long sys_clone(unsigned long flags, uaddr_t stack, uaddr_t ptid, uaddr_t ctid,
	       uaddr_t tls);
long sys_clone(unsigned long flags, uaddr_t stack, uaddr_t ptid, uaddr_t ctid,
	       uaddr_t tls)
{
	struct kclone a = {.flags = flags & 0xffffff00u,
			   .stack = stack,
			   .ptid = ptid,
			   .ctid = ctid,
			   .tls = tls,
			   .exit_signal = (int)(flags & 0xff)};

	return do_clone(&a);
}

/* struct clone_args, clone(2), its first published size */
struct user_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack,
		stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* The same with the last two exchanged, as several processors have it. */
long sys_clone_tls_first(unsigned long flags, uaddr_t stack, uaddr_t ptid,
			 uaddr_t tls, uaddr_t ctid);
long sys_clone_tls_first(unsigned long flags, uaddr_t stack, uaddr_t ptid,
			 uaddr_t tls, uaddr_t ctid)
{
	return sys_clone(flags, stack, ptid, ctid, tls);
}

long sys_clone3(uaddr_t uargs, size_t size);
long sys_clone3(uaddr_t uargs, size_t size)
{
	struct user_clone_args u = {0};
	struct kclone a = {0};

	if (size < 64 || size > 4096)
		return size < 64 ? -EINVAL : -E2BIG;
	if (copy_from_user(&u, uargs, K_MIN(size, sizeof(u))))
		return -EFAULT;
	if (u.exit_signal > KNSIG || (u.flags & 0xff) || u.set_tid_size ||
	    (u.stack && !u.stack_size) || (!u.stack && u.stack_size))
		return -EINVAL;
	if ((u.flags & (CLONE_THREAD | CLONE_PARENT)) && u.exit_signal)
		return -EINVAL;
	a.flags = u.flags;
	a.stack = u.stack ? (uaddr_t)(u.stack + u.stack_size) : 0;
	a.ptid = (uaddr_t)u.parent_tid;
	a.ctid = (uaddr_t)u.child_tid;
	a.tls = (uaddr_t)u.tls;
	a.exit_signal = (int)u.exit_signal;
	return do_clone(&a);
}
