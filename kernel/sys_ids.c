/* SPDX-License-Identifier: MIT */
/*
 * sys_ids.c - who a process is: process, group, session, user and group ids
 * (credentials(7)).
 *
 * Lock: task_lock for groups and sessions.  Credentials are the process's, as
 * POSIX has them, and only its own threads change them.
 */
#include "kerrno.h"
#include "task.h"

long sys_getpid(void);
long sys_getpid(void)
{
	return current->proc->pid;
}

long sys_gettid(void);
long sys_gettid(void)
{
	return current->tid;
}

long sys_getppid(void);
long sys_getppid(void)
{
	struct process *parent = K_READ(current->proc->parent);

	return parent ? parent->pid : 0;
}

/* ------------------------------------------------------ groups and sessions */

long sys_getpgid(int pid);
long sys_getpgid(int pid)
{
	struct process *p = pid ? find_process(pid) : NULL;
	long r;

	if (pid && !p)
		return -ESRCH;
	r = p ? p->pgid : current->proc->pgid;
	if (p)
		process_put(p);
	return r;
}

long sys_getpgrp(void);
long sys_getpgrp(void)
{
	return current->proc->pgid;
}

long sys_getsid(int pid);
long sys_getsid(int pid)
{
	struct process *p = pid ? find_process(pid) : NULL;
	long r;

	if (pid && !p)
		return -ESRCH;
	r = p ? p->sid : current->proc->sid;
	if (p)
		process_put(p);
	return r;
}

/* Is there a group pgid in session sid? */
static bool group_in_session(int pgid, int sid)
{
	struct process *p, *next;
	bool found = false;

	for (p = next_process(1); p; p = next) {
		found |= p->pgid == pgid && p->sid == sid;
		next = found ? NULL : next_process(p->pid + 1);
		process_put(p);
	}
	return found;
}

long sys_setpgid(int pid, int pgid);
long sys_setpgid(int pid, int pgid)
{
	struct process *me = current->proc, *p;
	long err = 0;

	if (pgid < 0)
		return -EINVAL;
	p = find_process(pid ? pid : me->pid);
	if (!p)
		return -ESRCH;
	if (!pgid)
		pgid = p->pid;
	/* setpgid(2)'s errors, in its order */
	if (p != me && p->parent != me)
		err = -ESRCH;
	else if (p != me && p->sid != me->sid)
		err = -EPERM;
	else if (p != me && p->did_exec)
		err = -EACCES;
	else if (p->sid == p->pid)
		err = -EPERM;
	else if (pgid != p->pid && !group_in_session(pgid, me->sid))
		err = -EPERM;
	else
		K_WRITE(p->pgid, pgid);
	process_put(p);
	return err;
}

long sys_setsid(void);
long sys_setsid(void)
{
	struct process *p = current->proc, *q, *next;
	bool leads = false;

	for (q = next_process(1); q; q = next) {
		leads |= q->pgid == p->pid;
		next = leads ? NULL : next_process(q->pid + 1);
		process_put(q);
	}
	if (leads)
		return -EPERM;
	p->sid = p->pid;
	p->pgid = p->pid;
	p->tty = NULL;
	return p->pid;
}

/* ------------------------------------------------------------ credentials */

static struct cred *cred(void)
{
	return &current->proc->cred;
}

/* Quire asks these of the task (mlock, overcommit). */
static void cred_changed(void)
{
	current->qt.cap_ipc_lock = cred()->euid == 0;
	current->qt.cap_sys_admin = cred()->euid == 0;
}

#define GETTER(name, field)                                                    \
	long sys_##name(void);                                                 \
	long sys_##name(void)                                                  \
	{                                                                      \
		return (long)cred()->field;                                    \
	}
GETTER(getuid, uid)
GETTER(geteuid, euid)
GETTER(getgid, gid)
GETTER(getegid, egid)

static bool uid_known(uint32_t id)
{
	return id == cred()->uid || id == cred()->euid || id == cred()->suid;
}
static bool gid_known(uint32_t id)
{
	return id == cred()->gid || id == cred()->egid || id == cred()->sgid;
}

long sys_setresuid(uint32_t r, uint32_t e, uint32_t s);
long sys_setresuid(uint32_t r, uint32_t e, uint32_t s)
{
	struct cred *c = cred();
	const uint32_t no = 0xffffffffu;

	if (!is_root() &&
	    ((r != no && !uid_known(r)) || (e != no && !uid_known(e)) ||
	     (s != no && !uid_known(s))))
		return -EPERM;
	if (r != no)
		c->uid = r;
	if (e != no)
		c->euid = c->fsuid = e;
	if (s != no)
		c->suid = s;
	cred_changed();
	return 0;
}

long sys_setresgid(uint32_t r, uint32_t e, uint32_t s);
long sys_setresgid(uint32_t r, uint32_t e, uint32_t s)
{
	struct cred *c = cred();
	const uint32_t no = 0xffffffffu;

	if (!is_root() &&
	    ((r != no && !gid_known(r)) || (e != no && !gid_known(e)) ||
	     (s != no && !gid_known(s))))
		return -EPERM;
	if (r != no)
		c->gid = r;
	if (e != no)
		c->egid = c->fsgid = e;
	if (s != no)
		c->sgid = s;
	return 0;
}

long sys_setuid(uint32_t id);
long sys_setuid(uint32_t id)
{
	const uint32_t no = 0xffffffffu;

	if (id == no)
		return -EINVAL;
	return is_root() ? sys_setresuid(id, id, id)
			 : sys_setresuid(no, id, no);
}

long sys_setgid(uint32_t id);
long sys_setgid(uint32_t id)
{
	const uint32_t no = 0xffffffffu;

	if (id == no)
		return -EINVAL;
	return is_root() ? sys_setresgid(id, id, id)
			 : sys_setresgid(no, id, no);
}

long sys_setreuid(uint32_t r, uint32_t e);
long sys_setreuid(uint32_t r, uint32_t e)
{
	const uint32_t no = 0xffffffffu;
	bool saved = r != no || (e != no && e != cred()->uid);
	long err = sys_setresuid(r, e, no);

	if (!err && saved)
		cred()->suid = cred()->euid;
	return err;
}

long sys_setregid(uint32_t r, uint32_t e);
long sys_setregid(uint32_t r, uint32_t e)
{
	const uint32_t no = 0xffffffffu;
	bool saved = r != no || (e != no && e != cred()->gid);
	long err = sys_setresgid(r, e, no);

	if (!err && saved)
		cred()->sgid = cred()->egid;
	return err;
}

static long put3(uaddr_t ua, uint32_t a, uaddr_t ub, uint32_t b, uaddr_t uc,
		 uint32_t c)
{
	return put_user(a, ua) || put_user(b, ub) || put_user(c, uc) ? -EFAULT
								     : 0;
}

long sys_getresuid(uaddr_t r, uaddr_t e, uaddr_t s);
long sys_getresuid(uaddr_t r, uaddr_t e, uaddr_t s)
{
	return put3(r, cred()->uid, e, cred()->euid, s, cred()->suid);
}

long sys_getresgid(uaddr_t r, uaddr_t e, uaddr_t s);
long sys_getresgid(uaddr_t r, uaddr_t e, uaddr_t s)
{
	return put3(r, cred()->gid, e, cred()->egid, s, cred()->sgid);
}

long sys_setfsuid(uint32_t id);
long sys_setfsuid(uint32_t id)
{
	long old = (long)cred()->fsuid;

	if (is_root() || uid_known(id) || id == cred()->fsuid)
		cred()->fsuid = id;
	return old;
}

long sys_setfsgid(uint32_t id);
long sys_setfsgid(uint32_t id)
{
	long old = (long)cred()->fsgid;

	if (is_root() || gid_known(id) || id == cred()->fsgid)
		cred()->fsgid = id;
	return old;
}

long sys_getgroups(int n, uaddr_t u);
long sys_getgroups(int n, uaddr_t u)
{
	struct cred *c = cred();

	if (n < 0)
		return -EINVAL;
	if (n == 0)
		return (long)c->ngroups;
	if ((unsigned)n < c->ngroups)
		return -EINVAL;
	return copy_to_user(u, c->groups, c->ngroups * 4) ? -EFAULT
							  : (long)c->ngroups;
}

long sys_setgroups(int n, uaddr_t u);
long sys_setgroups(int n, uaddr_t u)
{
	struct cred *c = cred();
	uint32_t g[32];

	if (!is_root())
		return -EPERM;
	if (n < 0 || (unsigned)n > ARRAY_SIZE(g))
		return -EINVAL;
	if (copy_from_user(g, u, (size_t)n * 4))
		return -EFAULT;
	memcpy(c->groups, g, (size_t)n * 4);
	c->ngroups = (uint32_t)n;
	return 0;
}
