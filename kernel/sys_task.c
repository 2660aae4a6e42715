/* SPDX-License-Identifier: MIT */
/*
 * sys_task.c - what a thread says about itself: thread-id addresses, robust
 * list; and what exec resets of it.
 */
#include "cpu.h"
#include "exec.h"
#include "kerrno.h"
#include "proc.h"
#include "vfs.h"

long sys_set_tid_address(uaddr_t addr);
long sys_set_tid_address(uaddr_t addr)
{
	current->clear_child_tid = addr;
	return current->tid;
}

#define ROBUST_HEAD_BYTES (3 * sizeof(uaddr_t))

long sys_set_robust_list(uaddr_t head, size_t len);
long sys_set_robust_list(uaddr_t head, size_t len)
{
	if (len != ROBUST_HEAD_BYTES)
		return -EINVAL;
	current->robust_list = head;
	return 0;
}

long sys_get_robust_list(int tid, uaddr_t uhead, uaddr_t ulen);
long sys_get_robust_list(int tid, uaddr_t uhead, uaddr_t ulen)
{
	struct task *t = tid ? find_task(tid) : task_get(current);
	uaddr_t head, len = ROBUST_HEAD_BYTES;

	if (!t)
		return -ESRCH;
	head = t->robust_list;
	task_put(t);
	return put_user(head, uhead) || put_user(len, ulen) ? -EFAULT : 0;
}

/* See exec.h. */
void exec_reset_task(const char *comm, struct file *exe)
{
	struct task *t = current;
	struct file *old = t->proc->exe;

	posix_timers_drop(t->proc);
	signals_after_exec(t);
	strlcpy(t->comm, comm, sizeof(t->comm));
	t->proc->exe = exe;
	t->proc->did_exec = true;
	if (old)
		fput(old);
	t->robust_list = 0;
	t->clear_child_tid = 0;
	t->rseq = 0;
	t->restart.fn = NULL;
	user_state_reset(t);
	fpu_reset(t);
	vfork_done(t);
	__atomic_fetch_or(&t->work, TIF_REGS, __ATOMIC_RELAXED);
}
