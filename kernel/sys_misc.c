/* SPDX-License-Identifier: MIT */
/*
 * sys_misc.c - what a task asks about itself and the machine: limits, usage,
 * names, scheduling parameters, prctl.
 *
 * The machine is small: one scheduling class, one user in charge.  Calls that
 * set what has no effect here check their arguments as Linux does and remember
 * the value, so that reading it back gives what was set.
 */
#include "cpu.h"
#include "kerrno.h"
#include "proc.h"
#include "task.h"
#include <arch_abi.h>

/* ------------------------------------------------------------- the system */

struct kutsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65],
		domain[65];
};
static char node_name[65] = "quire";

long sys_uname(uaddr_t u);
long sys_uname(uaddr_t u)
{
	struct kutsname n;

	memset(&n, 0, sizeof(n));
	strlcpy(n.sysname, "Linux", sizeof(n.sysname));
	strlcpy(n.nodename, node_name, sizeof(n.nodename));
	strlcpy(n.release, "6.1.0-quire", sizeof(n.release));
	strlcpy(n.version, "#1 SMP Quire", sizeof(n.version));
	strlcpy(n.machine, ABI_MACHINE, sizeof(n.machine));
	strlcpy(n.domain, "(none)", sizeof(n.domain));
	return copy_to_user(u, &n, sizeof(n)) ? -EFAULT : 0;
}

long sys_sethostname(uaddr_t uname, int len);
long sys_sethostname(uaddr_t uname, int len)
{
	char name[65] = {0};

	if (!is_root())
		return -EPERM;
	if (len < 0 || len > 64)
		return -EINVAL;
	if (copy_from_user(name, uname, (size_t)len))
		return -EFAULT;
	memcpy(node_name, name, sizeof(name));
	return 0;
}

struct ksysinfo { /* sysinfo(2); padded to 64 bytes where it is short */
	sreg_t uptime;
	uaddr_t loads[3], totalram, freeram, sharedram, bufferram, totalswap,
		freeswap;
	uint16_t procs, pad;
	uaddr_t totalhigh, freehigh;
	uint32_t mem_unit;
	uint8_t rest[20 - 2 * sizeof(uaddr_t) - sizeof(uint32_t)];
};

long sys_sysinfo(uaddr_t u);
long sys_sysinfo(uaddr_t u)
{
	struct quire_meminfo m;
	uint64_t swap, swap_free, times;
	struct ksysinfo s;
	uint32_t unit;
	struct process *p, *next;
	unsigned n = 0;

	memset(&s, 0, sizeof(s));
	quire_get_meminfo(the_quire, &m);
	quire_swap_total(the_quire, &swap, &swap_free);
	s.uptime = (sreg_t)(ktime_ns() / NSEC_PER_SEC);
	/* bytes, unless all of it is more than a word can say */
	unit = m.total + swap > (uaddr_t)-1 / QUIRE_PAGE_SIZE ? QUIRE_PAGE_SIZE
							      : 1;
	times = QUIRE_PAGE_SIZE / unit;
	s.totalram = (uaddr_t)(m.total * times);
	s.freeram = (uaddr_t)(m.free * times);
	s.sharedram = (uaddr_t)(m.shmem * times);
	s.totalswap = (uaddr_t)(swap * times);
	s.freeswap = (uaddr_t)(swap_free * times);
	s.mem_unit = unit;
	for (p = next_process(1); p; p = next) {
		next = next_process(p->pid + 1);
		process_put(p);
		n++;
	}
	s.procs = (uint16_t)n;
	return copy_to_user(u, &s, sizeof(s)) ? -EFAULT : 0;
}

/* ----------------------------------------------------------------- limits */

static long do_prlimit(struct process *p, unsigned which,
		       const struct rlimit64 *set, struct rlimit64 *old)
{
	struct rlimit64 *r;
	unsigned long flags;
	long err = 0;

	if (which >= 16)
		return -EINVAL;
	r = &p->rlim[which];
	if (set) {
		if (set->cur > set->max)
			return -EINVAL;
		/* fs.nr_open's default bounds the table of descriptors */
		if (which == RLIMIT_NOFILE && set->max > 1048576)
			return -EPERM;
	}
	flags = spin_lock_irqsave(&p->siglock);
	if (old)
		*old = *r;
	if (set) {
		if (set->max > r->max && !is_root()) {
			err = -EPERM;
		} else {
			*r = *set;
			p->qlimits.cur[which] = set->cur;
		}
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

long sys_prlimit64(int pid, unsigned which, uaddr_t unew, uaddr_t uold);
long sys_prlimit64(int pid, unsigned which, uaddr_t unew, uaddr_t uold)
{
	struct rlimit64 set, old;
	struct process *p;
	long err;

	if (unew && copy_from_user(&set, unew, sizeof(set)))
		return -EFAULT;
	p = find_process(pid ? pid : current->proc->pid);
	if (!p)
		return -ESRCH;
	err = do_prlimit(p, which, unew ? &set : NULL, &old);
	process_put(p);
	if (!err && uold && copy_to_user(uold, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}

struct krlimit { /* getrlimit(2): words, all ones for infinity */
	uaddr_t cur, max;
};

static uaddr_t limit_to_user(uint64_t v)
{
	return v > (uaddr_t)-1 ? (uaddr_t)-1 : (uaddr_t)v;
}

static uint64_t limit_from_user(uaddr_t v)
{
	return v == (uaddr_t)-1 ? QUIRE_RLIM_INFINITY : v;
}

long sys_getrlimit(unsigned which, uaddr_t u);
long sys_getrlimit(unsigned which, uaddr_t u)
{
	struct rlimit64 now;
	struct krlimit r;
	long err = do_prlimit(current->proc, which, NULL, &now);

	if (err)
		return err;
	r.cur = limit_to_user(now.cur);
	r.max = limit_to_user(now.max);
	return put_user(r, u);
}

long sys_setrlimit(unsigned which, uaddr_t u);
long sys_setrlimit(unsigned which, uaddr_t u)
{
	struct rlimit64 set;
	struct krlimit r;

	if (get_user(&r, u))
		return -EFAULT;
	set.cur = limit_from_user(r.cur);
	set.max = limit_from_user(r.max);
	return do_prlimit(current->proc, which, &set, NULL);
}

/* ------------------------------------------------------------------ usage */

struct krusage { /* getrusage(2) */
	struct ktimeval utime, stime;
	sreg_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock,
		oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};

long usage_to_user(const struct kusage *k, uaddr_t u);
long usage_to_user(const struct kusage *k, uaddr_t u)
{
	struct krusage r;

	memset(&r, 0, sizeof(r));
	r.utime = to_timeval(k->utime);
	r.stime = to_timeval(k->stime);
	r.maxrss = (sreg_t)(k->maxrss * 4); /* KiB */
	r.minflt = (sreg_t)k->min_flt;
	r.majflt = (sreg_t)k->maj_flt;
	r.nvcsw = (sreg_t)k->nvcsw;
	r.nivcsw = (sreg_t)k->nivcsw;
	return copy_to_user(u, &r, sizeof(r)) ? -EFAULT : 0;
}

long sys_getrusage(int who, uaddr_t u);
long sys_getrusage(int who, uaddr_t u)
{
	struct task *t = current;
	struct quire_mm_stats st;
	struct kusage k;

	switch (who) {
	case 0:
		process_usage(t->proc, &k);
		break;
	case -1:
		k = t->proc->children_used;
		break;
	case 1: /* RUSAGE_THREAD */
		process_usage(t->proc, &k);
		k.min_flt = t->qt.min_flt;
		k.maj_flt = t->qt.maj_flt;
		k.nvcsw = t->nvcsw;
		k.nivcsw = t->nivcsw;
		break;
	default:
		return -EINVAL;
	}
	if (who != -1 && t->qt.mm) {
		quire_mm_get_stats(t->qt.mm, &st);
		k.maxrss = K_MAX(k.maxrss, st.hiwater_rss);
	}
	return usage_to_user(&k, u);
}

long sys_times(uaddr_t u);
long sys_times(uaddr_t u)
{
	struct process *p = current->proc;
	struct kusage k;
	sreg_t t[4];

	process_usage(p, &k);
	t[0] = (sreg_t)(k.utime / 10000000);
	t[1] = (sreg_t)(k.stime / 10000000);
	t[2] = (sreg_t)(p->children_used.utime / 10000000);
	t[3] = (sreg_t)(p->children_used.stime / 10000000);
	if (u && copy_to_user(u, t, sizeof(t)))
		return -EFAULT;
	return (long)(ktime_ns() / 10000000);
}

/* -------------------------------------------------------------- scheduling */

long sys_sched_yield(void);
long sys_sched_yield(void)
{
	yield();
	return 0;
}

long sys_getcpu(uaddr_t ucpu, uaddr_t unode, uaddr_t cache);
long sys_getcpu(uaddr_t ucpu, uaddr_t unode, uaddr_t cache)
{
	uint32_t cpu = quire_host_cpu(), node = 0;

	(void)cache;
	if ((ucpu && put_user(cpu, ucpu)) || (unode && put_user(node, unode)))
		return -EFAULT;
	return 0;
}

long sys_sched_getaffinity(int pid, unsigned len, uaddr_t umask);
long sys_sched_getaffinity(int pid, unsigned len, uaddr_t umask)
{
	struct task *t = pid ? find_task(pid) : NULL;
	uint64_t mask;
	uaddr_t word;

	if (pid && !t)
		return -ESRCH;
	mask = t ? t->affinity : current->affinity;
	if (t)
		task_put(t);
	word = (uaddr_t)(mask & ((1ull << nr_cpus()) - 1));
	if (len < sizeof(word) || (len & (sizeof(word) - 1)))
		return -EINVAL;
	return put_user(word, umask) ? -EFAULT : (long)sizeof(word);
}

long sys_sched_setaffinity(int pid, unsigned len, uaddr_t umask);
long sys_sched_setaffinity(int pid, unsigned len, uaddr_t umask)
{
	uint64_t mask = 0, usable = (1ull << nr_cpus()) - 1;
	struct task *t;

	if (copy_from_user(&mask, umask, K_MIN(len, 8u)))
		return -EFAULT;
	t = pid ? find_task(pid) : NULL;
	if (pid && !t)
		return -ESRCH;
	if (!(mask & usable)) {
		if (t)
			task_put(t);
		return -EINVAL;
	}
	if (!t)
		t = task_get(current);
	K_WRITE(t->affinity, mask & usable);
	sched_affinity_changed(t); /* at the latest on the way out */
	task_put(t);
	return 0;
}

long sys_sched_getscheduler(int pid);
long sys_sched_getscheduler(int pid)
{
	(void)pid;
	return 0; /* SCHED_OTHER */
}

long sys_sched_setscheduler(int pid, int policy, uaddr_t param);
long sys_sched_setscheduler(int pid, int policy, uaddr_t param)
{
	int prio;

	(void)pid;
	if (get_user(&prio, param))
		return -EFAULT;
	if (policy == 0 || policy == 3 || policy == 5) /* OTHER BATCH IDLE */
		return prio ? -EINVAL : 0;
	return policy == 1 || policy == 2 ? -EPERM : -EINVAL;
}

long sys_sched_getparam(int pid, uaddr_t param);
long sys_sched_getparam(int pid, uaddr_t param)
{
	int prio = 0;

	(void)pid;
	return put_user(prio, param);
}

long sys_sched_setparam(int pid, uaddr_t param);
long sys_sched_setparam(int pid, uaddr_t param)
{
	return sys_sched_setscheduler(pid, 0, param);
}

long sys_sched_get_priority_max(int policy);
long sys_sched_get_priority_max(int policy)
{
	return policy == 1 || policy == 2   ? 99
	       : policy >= 0 && policy <= 6 ? 0
					    : -EINVAL;
}

long sys_sched_get_priority_min(int policy);
long sys_sched_get_priority_min(int policy)
{
	return policy == 1 || policy == 2   ? 1
	       : policy >= 0 && policy <= 6 ? 0
					    : -EINVAL;
}

long sys_sched_rr_get_interval(int pid, uaddr_t uts);
long sys_sched_rr_get_interval(int pid, uaddr_t uts)
{
	(void)pid;
	return timespec_to_user(uts, 10000000);
}

long sys_getpriority(int which, int who);
long sys_getpriority(int which, int who)
{
	struct process *p;
	long nice;

	if (which != 0)
		return which == 1 || which == 2 ? 20 : -EINVAL;
	p = find_process(who ? who : current->proc->pid);
	if (!p)
		return -ESRCH;
	nice = p->nice;
	process_put(p);
	return 20 - nice;
}

long sys_setpriority(int which, int who, int nice);
long sys_setpriority(int which, int who, int nice)
{
	struct process *p;
	long err = 0;

	if (which != 0)
		return which == 1 || which == 2 ? 0 : -EINVAL;
	p = find_process(who ? who : current->proc->pid);
	if (!p)
		return -ESRCH;
	nice = K_MAX(-20, K_MIN(19, nice));
	if (nice < p->nice && !is_root())
		err = -EACCES;
	else
		p->nice = nice;
	process_put(p);
	return err;
}

/* ------------------------------------------------------------ prctl and kin */

#define PR_SET_PDEATHSIG       1
#define PR_GET_PDEATHSIG       2
#define PR_GET_DUMPABLE	       3
#define PR_SET_DUMPABLE	       4
#define PR_GET_KEEPCAPS	       7
#define PR_SET_KEEPCAPS	       8
#define PR_SET_NAME	       15
#define PR_GET_NAME	       16
#define PR_CAPBSET_READ	       23
#define PR_SET_TIMERSLACK      29
#define PR_GET_TIMERSLACK      30
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#define PR_SET_NO_NEW_PRIVS    38
#define PR_GET_NO_NEW_PRIVS    39
#define PR_SET_THP_DISABLE     41
#define PR_GET_THP_DISABLE     42

static long prctl_name(bool set, uaddr_t u)
{
	struct task *t = current;
	char name[16] = {0};
	long n;

	if (!set)
		return copy_to_user(u, t->comm, sizeof(t->comm)) ? -EFAULT : 0;
	n = strncpy_from_user(name, u, sizeof(name));
	if (n < 0)
		return n;
	name[15] = 0;
	memcpy(t->comm, name, sizeof(name));
	return 0;
}

long sys_prctl(int op, uaddr_t a, uaddr_t b, uaddr_t c, uaddr_t d);
long sys_prctl(int op, uaddr_t a, uaddr_t b, uaddr_t c, uaddr_t d)
{
	struct process *p = current->proc;
	int v;

	(void)b;
	(void)c;
	(void)d;
	switch (op) {
	case PR_SET_PDEATHSIG:
		if (a > KNSIG)
			return -EINVAL;
		p->pdeath_signal = (int)a;
		return 0;
	case PR_GET_PDEATHSIG:
		v = p->pdeath_signal;
		return put_user(v, a);
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_DUMPABLE:
		if (a > 1)
			return -EINVAL;
		p->dumpable = a != 0;
		return 0;
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name(op == PR_SET_NAME, a);
	case PR_SET_CHILD_SUBREAPER:
		p->child_subreaper = a != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		v = p->child_subreaper;
		return put_user(v, a);
	case PR_GET_TIMERSLACK:
		return 50000;
	case PR_SET_TIMERSLACK:
	case PR_SET_KEEPCAPS:
	case PR_SET_NO_NEW_PRIVS:
	case PR_SET_THP_DISABLE:
		return 0;
	case PR_CAPBSET_READ:
		return a > 40 ? -EINVAL : 1;
	case PR_GET_KEEPCAPS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_GET_THP_DISABLE:
		return 0;
	}
	return -EINVAL;
}

long sys_personality(unsigned long persona);
long sys_personality(unsigned long persona)
{
	struct process *p = current->proc;
	long old = (long)p->personality;

	if ((uint32_t)persona != 0xffffffffu)
		p->personality = (unsigned)persona;
	return old;
}

struct kcap_header {
	uint32_t version;
	int pid;
};

/* Three words each, of the low and of the high 32 capabilities. */
#define CAP_WORDS	  6u
#define CAP_LOW_EFFECTIVE 0u
#define CAP_IPC_LOCK_BIT  14u
#define CAP_ALL_LOW	  0xffffffffu
#define CAP_ALL_HIGH	  0x1ffu

/* The header of version 3; another is answered with it, and an error where
 * more than the version was asked for. */
static long check_cap_header(uaddr_t uhead, bool only_version)
{
	struct kcap_header h;

	if (copy_from_user(&h, uhead, sizeof(h)))
		return -EFAULT;
	if (h.version == 0x20080522)
		return 0;
	h.version = 0x20080522;
	if (copy_to_user(uhead, &h, sizeof(h)))
		return -EFAULT;
	return only_version ? 1 : -EINVAL;
}

/*
 * capget(2): root has all that there is, others nothing; but of CAP_IPC_LOCK,
 * without which RLIMIT_MEMLOCK holds, root may give up the use (capset(2)).
 */
long sys_capget(uaddr_t uhead, uaddr_t udata);
long sys_capget(uaddr_t uhead, uaddr_t udata)
{
	uint32_t data[CAP_WORDS] = {0};
	long err = check_cap_header(uhead, !udata);
	unsigned i;

	if (err || !udata)
		return err < 0 ? err : 0;
	for (i = 0; i < CAP_WORDS && is_root(); i++)
		data[i] = i % 3 == 2 ? 0 : i < 3 ? CAP_ALL_LOW : CAP_ALL_HIGH;
	if (!current->qt.cap_ipc_lock)
		data[CAP_LOW_EFFECTIVE] &= ~(1u << CAP_IPC_LOCK_BIT);
	return copy_to_user(udata, data, sizeof(data)) ? -EFAULT : 0;
}

long sys_capset(uaddr_t uhead, uaddr_t udata);
long sys_capset(uaddr_t uhead, uaddr_t udata)
{
	uint32_t data[CAP_WORDS];
	long err = check_cap_header(uhead, false);

	if (err)
		return err;
	if (copy_from_user(data, udata, sizeof(data)))
		return -EFAULT;
	if (!is_root())
		return -EPERM;
	current->qt.cap_ipc_lock =
		data[CAP_LOW_EFFECTIVE] >> CAP_IPC_LOCK_BIT & 1u;
	return 0;
}
