/* SPDX-License-Identifier: MIT */
/*
 * posix_timer.c - timer_create(2) and its kin.
 *
 * A process has a table of timers; each is a ktimer that sends its signal
 * from the timer interrupt.  While the signal of one is still pending further
 * expiries are only counted (timer_getoverrun), so a slow receiver has one
 * signal of each timer at most.
 *
 * Lock: timers_lock, interrupts off, guards the table and every timer in it;
 * the process's siglock is inside it.  A timer is freed only after
 * timer_cancel() has made sure that its function does not run.
 */
#include "kerrno.h"
#include "proc.h"

#define MAX_TIMERS	256
#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD_ID 4
#define TIMER_ABSTIME	1
#define CLOCK_REALTIME	0
#define CLOCK_MONOTONIC 1
#define CLOCK_BOOTTIME	7

struct posix_timer {
	struct ktimer timer;
	struct process *proc;
	struct task *thread; /* SIGEV_THREAD_ID: whom, with a reference */
	int id, clock, notify, signo;
	uint64_t value;
	uint64_t interval; /* ns, 0: once */
	int overrun;
};
struct timer_table {
	struct posix_timer *slot[MAX_TIMERS];
};
static struct spinlock timers_lock;

struct usigevent { /* struct sigevent's first part */
	uaddr_t value;
	int32_t signo, notify, tid, pad[11];
};
struct times { /* struct itimerspec, ns */
	uint64_t interval, value;
};

static void fire(struct ktimer *k)
{
	struct posix_timer *t = container_of(k, struct posix_timer, timer);
	struct ksiginfo info = {.signo = t->signo,
				.code = SI_TIMER,
				.pid = t->id,
				.value = t->value};
	uint64_t bit = SIGBIT(t->signo), missed, now = ktime_ns();
	bool waiting;

	if (t->interval) {
		missed = (now - k->expires) / t->interval;
		t->overrun += (int)missed;
		timer_start(k, k->expires + (missed + 1) * t->interval);
	}
	if (t->notify == SIGEV_NONE)
		return;
	waiting = t->thread ? t->thread->pending.set & bit
			    : t->proc->pending.set & bit;
	if (waiting) {
		t->overrun++;
		return;
	}
	if (t->thread)
		send_signal_task(t->thread, &info);
	else
		send_signal_process(t->proc, &info);
}

static struct posix_timer *find(int id)
{
	struct timer_table *table = current->proc->timers;

	if (!table || id < 0 || id >= MAX_TIMERS)
		return NULL;
	return table->slot[id];
}

static int read_event(struct posix_timer *t, uaddr_t uevent)
{
	struct usigevent e;

	t->signo = SIGALRM;
	t->value = (uint64_t)t->id;
	if (!uevent)
		return 0;
	if (get_user(&e, uevent))
		return -EFAULT;
	if (e.notify != SIGEV_SIGNAL && e.notify != SIGEV_NONE &&
	    e.notify != SIGEV_THREAD_ID)
		return -EINVAL;
	if (e.notify != SIGEV_NONE && (e.signo < 1 || e.signo > KNSIG))
		return -EINVAL;
	t->notify = e.notify;
	t->signo = e.notify == SIGEV_NONE ? SIGALRM : e.signo;
	t->value = e.value;
	if (e.notify == SIGEV_THREAD_ID) {
		t->thread = find_task(e.tid);
		if (t->thread && t->thread->proc == t->proc)
			return 0;
		if (t->thread)
			task_put(t->thread);
		t->thread = NULL;
		return -EINVAL;
	}
	return 0;
}

/* A free place in the process's table; -EAGAIN, -ENOMEM. */
static int take_slot(struct process *p, struct posix_timer *t)
{
	struct timer_table *fresh = NULL;
	unsigned long flags;
	int i;

	if (!p->timers) {
		fresh = kzalloc(sizeof(*fresh));
		if (!fresh)
			return -ENOMEM;
	}
	flags = spin_lock_irqsave(&timers_lock);
	if (!p->timers) {
		p->timers = fresh;
		fresh = NULL;
	}
	for (i = 0; i < MAX_TIMERS && p->timers->slot[i]; i++)
		;
	if (i < MAX_TIMERS)
		p->timers->slot[i] = t;
	spin_unlock_irqrestore(&timers_lock, flags);
	kfree(fresh);
	return i < MAX_TIMERS ? i : -EAGAIN;
}

static void free_timer(struct process *p, int id)
{
	unsigned long flags = spin_lock_irqsave(&timers_lock);
	struct posix_timer *t = p->timers->slot[id];

	p->timers->slot[id] = NULL;
	spin_unlock_irqrestore(&timers_lock, flags);
	if (!t)
		return;
	t->interval = 0;
	timer_cancel(&t->timer);
	timer_cancel(&t->timer); /* its function may have started it again */
	if (t->thread)
		task_put(t->thread);
	kfree(t);
}

/* exec and the end of a process: no timers are left. */
void posix_timers_drop(struct process *p)
{
	int i;

	if (!p->timers)
		return;
	for (i = 0; i < MAX_TIMERS; i++)
		free_timer(p, i);
	kfree(p->timers);
	p->timers = NULL;
}

long sys_timer_create(int clock, uaddr_t uevent, uaddr_t uid);
long sys_timer_create(int clock, uaddr_t uevent, uaddr_t uid)
{
	struct process *p = current->proc;
	struct posix_timer *t;
	int id, err;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC &&
	    clock != CLOCK_BOOTTIME)
		return clock == 2 || clock == 3 ? -EOPNOTSUPP : -EINVAL;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	timer_init(&t->timer, fire);
	t->proc = p;
	t->clock = clock;
	id = take_slot(p, t);
	if (id < 0) {
		kfree(t);
		return id;
	}
	t->id = id;
	err = read_event(t, uevent);
	if (!err && put_user(id, uid))
		err = -EFAULT;
	if (err)
		free_timer(p, id);
	return err;
}

static void get_times(struct posix_timer *t, struct times *out)
{
	uint64_t now = ktime_ns(), left = 0;

	if (t->timer.cpu)
		left = t->timer.expires > now ? t->timer.expires - now : 1;
	out->value = left;
	out->interval = t->interval;
}

static int put_times(const struct times *t, uaddr_t u)
{
	return timespec_to_user(u, t->interval) ||
			       timespec_to_user(u + timespec_bytes(), t->value)
		       ? -EFAULT
		       : 0;
}

long sys_timer_settime(int id, int flags, uaddr_t unew, uaddr_t uold);
long sys_timer_settime(int id, int flags, uaddr_t unew, uaddr_t uold)
{
	struct posix_timer *t = find(id);
	struct times old;
	uint64_t value, interval, now;
	int err;

	if (!t || !unew)
		return -EINVAL;
	err = timespec_from_user(unew, &interval);
	if (!err)
		err = timespec_from_user(unew + timespec_bytes(), &value);
	if (err)
		return err;
	get_times(t, &old);
	t->interval = 0;
	timer_cancel(&t->timer);
	timer_cancel(&t->timer);
	t->interval = interval;
	t->overrun = 0;
	if (value) {
		now = t->clock == CLOCK_REALTIME ? realtime_ns() : ktime_ns();
		if (flags & TIMER_ABSTIME)
			value = value > now ? value - now : 0;
		timer_start(&t->timer, deadline_in(value));
	}
	return uold ? put_times(&old, uold) : 0;
}

long sys_timer_gettime(int id, uaddr_t ucur);
long sys_timer_gettime(int id, uaddr_t ucur)
{
	struct posix_timer *t = find(id);
	struct times now;

	if (!t)
		return -EINVAL;
	get_times(t, &now);
	return put_times(&now, ucur);
}

long sys_timer_getoverrun(int id);
long sys_timer_getoverrun(int id)
{
	struct posix_timer *t = find(id);

	return t ? t->overrun : -EINVAL;
}

long sys_timer_delete(int id);
long sys_timer_delete(int id)
{
	if (!find(id))
		return -EINVAL;
	free_timer(current->proc, id);
	return 0;
}
