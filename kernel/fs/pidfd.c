/* SPDX-License-Identifier: MIT */
/*
 * pidfd_open(2): a descriptor that means one process, whoever has its number
 * later.  It can be polled (the process has ended), and names the process to
 * process_madvise(2).
 *
 * It holds a reference to the process, which outlives its end.  Locks: none.
 */
#include "poll.h"

#define PIDFD_NONBLOCK O_NONBLOCK

static unsigned pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->priv;

	poll_wait(pt, &p->end_wait);
	return K_READ(p->zombie) ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_drop(void *p)
{
	process_put(p);
}

static void pidfd_release(struct file *f)
{
	process_put(f->priv);
}

static const struct file_operations pidfd_fops = {
	.poll = pidfd_poll,
	.release = pidfd_release,
};

int pidfd_process(int fd, struct process **p)
{
	struct file *f = fget(fd);

	*p = NULL;
	if (f && f->fops == &pidfd_fops) {
		*p = f->priv;
		process_get(*p);
	}
	if (f)
		fput(f);
	return *p ? 0 : -EBADF;
}

long sys_pidfd_open(int pid, unsigned flags);
long sys_pidfd_open(int pid, unsigned flags)
{
	struct process *p;
	struct task *t;

	if (flags & ~PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	p = find_process(pid);
	if (p)
		return fd_anonymous("anon_inode:[pidfd]", &pidfd_fops, p,
				    pidfd_drop, flags | O_CLOEXEC);
	t = find_task(pid); /* one that leads no group */
	if (!t)
		return -ESRCH;
	task_put(t);
	return -EINVAL;
}
