/* SPDX-License-Identifier: MIT */
/*
 * sys_time.c - clocks and sleeping: clock_gettime(2) and its kin, nanosleep,
 * interval timers.
 *
 * ITIMER_REAL is a ktimer of the process; ITIMER_VIRTUAL and _PROF are counted
 * down by the scheduler's tick (process.virt_left, prof_left).
 *
 * Lock: the process's siglock, for its interval timer.
 */
#include "kerrno.h"
#include "task.h"
#include <arch_abi.h>

enum {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_PROCESS_CPUTIME_ID,
	CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
	CLOCK_TAI = 11
};
#define TIMER_ABSTIME 1
#define TIMEVAL	      sizeof(struct ktimeval)

/* Run time of a thread, ns: what it has had and what it is having. */
static uint64_t thread_ns(struct task *t)
{
	uint64_t ns = t->runtime;

	if (t == current && t->last_run)
		ns += ktime_ns() - t->last_run;
	return ns;
}

static uint64_t process_ns(struct process *p)
{
	struct kusage u;

	process_usage(p, &u);
	return u.utime + u.stime;
}

/* 0 and *ns, or -EINVAL for a clock that there is not. */
static int clock_read(int clock, uint64_t *ns)
{
	struct process *p;
	struct task *t;
	int pid;

	if (clock < 0) { /* clock_getcpuclockid(3), pthread_getcpuclockid(3) */
		pid = ~(clock >> 3);
		if (clock & 4) {
			t = pid ? find_task(pid) : NULL;
			if (!t && pid)
				return -EINVAL;
			*ns = thread_ns(t ? t : current);
			if (t)
				task_put(t);
			return 0;
		}
		p = pid ? find_process(pid) : NULL;
		if (!p && pid)
			return -EINVAL;
		*ns = process_ns(p ? p : current->proc);
		if (p)
			process_put(p);
		return 0;
	}
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		*ns = realtime_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = ktime_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_ns(current->proc);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_ns(current);
		return 0;
	}
	return -EINVAL;
}

long sys_clock_gettime(int clock, uaddr_t uts);
long sys_clock_gettime(int clock, uaddr_t uts)
{
	uint64_t ns;
	int err = clock_read(clock, &ns);

	return err ? err : timespec_to_user(uts, ns);
}

long sys_clock_getres(int clock, uaddr_t uts);
long sys_clock_getres(int clock, uaddr_t uts)
{
	bool coarse = clock == CLOCK_REALTIME_COARSE ||
		      clock == CLOCK_MONOTONIC_COARSE;
	uint64_t ns;
	int err = clock_read(clock, &ns);

	if (err || !uts)
		return err;
	return timespec_to_user(uts, coarse ? 4000000 : 1);
}

/* Time of day is the host's: it is not set from here. */
long sys_clock_settime(int clock, uaddr_t uts);
long sys_clock_settime(int clock, uaddr_t uts)
{
	(void)uts;
	return clock == CLOCK_REALTIME ? -EPERM : -EINVAL;
}

long sys_settimeofday(uaddr_t utv, uaddr_t utz);
long sys_settimeofday(uaddr_t utv, uaddr_t utz)
{
	(void)utv;
	(void)utz;
	return -EPERM;
}

long sys_gettimeofday(uaddr_t utv, uaddr_t utz);
long sys_gettimeofday(uaddr_t utv, uaddr_t utz)
{
	static const int zone[2];

	if (utv && timeval_to_user(utv, realtime_ns()))
		return -EFAULT;
	if (utz && copy_to_user(utz, zone, sizeof(zone)))
		return -EFAULT;
	return 0;
}

long sys_time(uaddr_t ut);
long sys_time(uaddr_t ut)
{
	sreg_t t = (sreg_t)(realtime_ns() / NSEC_PER_SEC);

	if (ut && put_user(t, ut))
		return -EFAULT;
	return t;
}

/* Sleep to a deadline: 0, or -ERESTARTSYS. */
static long sleep_until(uint64_t deadline)
{
	long ret = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (ktime_ns() >= deadline)
			break;
		(void)schedule_until(deadline);
	}
	set_current_state(TASK_RUNNING);
	return ret;
}

/* What is left goes to the user's rem, when a signal came. */
static long sleep_rest(struct task *t, long ret)
{
	uint64_t now = ktime_ns(), left;

	if (ret != -ERESTARTSYS)
		return ret;
	left = t->restart.a > now ? t->restart.a - now : 0;
	if (t->restart.b &&
	    timespec_to_user_as(t->restart.e, (uaddr_t)t->restart.b, left))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_restart(struct task *t)
{
	return sleep_rest(t, sleep_until(t->restart.a));
}

static long sleep_relative(uint64_t ns, uaddr_t urem)
{
	struct task *t = current;

	t->restart.fn = sleep_restart;
	t->restart.a = deadline_in(ns);
	t->restart.b = urem;
	t->restart.e = abi_time32();
	return sleep_restart(t);
}

long sys_nanosleep(uaddr_t uts, uaddr_t urem);
long sys_nanosleep(uaddr_t uts, uaddr_t urem)
{
	uint64_t ns;
	int err = timespec_from_user(uts, &ns);

	return err ? err : sleep_relative(ns, urem);
}

long sys_clock_nanosleep(int clock, int flags, uaddr_t uts, uaddr_t urem);
long sys_clock_nanosleep(int clock, int flags, uaddr_t uts, uaddr_t urem)
{
	uint64_t ns, now;
	long ret;
	int err = clock_read(clock, &now);

	if (err || clock == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	err = timespec_from_user(uts, &ns);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME))
		return sleep_relative(ns, urem);
	ret = sleep_until(ns > now ? deadline_in(ns - now) : 0);
	return ret == -ERESTARTSYS ? -ERESTARTNOHAND : ret;
}

/* -------------------------------------------------------- interval timers */

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

/* The process's real timer fired: interrupt context. */
static void real_timer_fired(struct ktimer *timer)
{
	struct process *p = container_of(timer, struct process, real_timer);
	struct ksiginfo info = {.signo = SIGALRM, .code = SI_KERNEL};
	uint64_t interval = K_READ(p->real_interval);

	if (interval)
		timer_start(timer, deadline_in(interval));
	send_signal_process(p, &info);
}

/* Value and interval of one timer, ns. */
static void itimer_get(struct process *p, int which, uint64_t *value,
		       uint64_t *interval)
{
	uint64_t now = ktime_ns();

	if (which == ITIMER_REAL) {
		*value = p->real_timer.cpu && p->real_timer.expires > now
				 ? p->real_timer.expires - now
				 : 0;
		*interval = p->real_interval;
	} else if (which == ITIMER_VIRTUAL) {
		*value = p->virt_left;
		*interval = p->virt_interval;
	} else {
		*value = p->prof_left;
		*interval = p->prof_interval;
	}
}

static void itimer_set(struct process *p, int which, uint64_t value,
		       uint64_t interval)
{
	if (which == ITIMER_REAL) {
		(void)timer_cancel(&p->real_timer);
		p->real_timer.fn = real_timer_fired;
		p->real_interval = interval;
		if (value)
			timer_start(&p->real_timer, deadline_in(value));
	} else if (which == ITIMER_VIRTUAL) {
		p->virt_left = value;
		p->virt_interval = interval;
	} else {
		p->prof_left = value;
		p->prof_interval = interval;
	}
}

static int itimer_to_user(uaddr_t u, uint64_t value, uint64_t interval)
{
	return timeval_to_user(u, interval) ||
			       timeval_to_user(u + TIMEVAL, value)
		       ? -EFAULT
		       : 0;
}

long sys_getitimer(int which, uaddr_t ucur);
long sys_getitimer(int which, uaddr_t ucur)
{
	uint64_t value, interval;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	itimer_get(current->proc, which, &value, &interval);
	return itimer_to_user(ucur, value, interval);
}

long sys_setitimer(int which, uaddr_t unew, uaddr_t uold);
long sys_setitimer(int which, uaddr_t unew, uaddr_t uold)
{
	uint64_t value = 0, interval = 0, old_value, old_interval;
	struct process *p = current->proc;
	int err;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	if (unew) {
		err = timeval_from_user(unew, &interval);
		if (!err)
			err = timeval_from_user(unew + TIMEVAL, &value);
		if (err)
			return err;
	}
	itimer_get(p, which, &old_value, &old_interval);
	itimer_set(p, which, value, interval);
	return uold ? itimer_to_user(uold, old_value, old_interval) : 0;
}

long sys_alarm(unsigned seconds);
long sys_alarm(unsigned seconds)
{
	struct process *p = current->proc;
	uint64_t left, interval;

	itimer_get(p, ITIMER_REAL, &left, &interval);
	itimer_set(p, ITIMER_REAL, seconds * NSEC_PER_SEC, 0);
	/* whole seconds, but not 0 while one is running: alarm(2) */
	if (left && left < NSEC_PER_SEC)
		return 1;
	return (long)((left + NSEC_PER_SEC / 2) / NSEC_PER_SEC);
}
