/* SPDX-License-Identifier: MIT */
/*
 * eventfd(2) and timerfd_create(2): a counter, and a clock, to read and poll.
 *
 * Each has a spinlock (interrupts off: a timer fires in one).
 */
#include "poll.h"

#define EFD_SEMAPHORE	  1u
#define TFD_TIMER_ABSTIME 1u
#define CLOCK_REALTIME	  0
#define CLOCK_MONOTONIC	  1
#define CLOCK_BOOTTIME	  7

struct event {
	struct spinlock lock;
	struct wait_queue wq;
	uint64_t count;
	bool semaphore;
};

/* Take the counter's value: 0 when there is none. */
static uint64_t event_take(struct event *e)
{
	unsigned long flags = spin_lock_irqsave(&e->lock);
	uint64_t v = e->count;

	if (v && e->semaphore)
		v = 1;
	e->count -= v;
	spin_unlock_irqrestore(&e->lock, flags);
	return v;
}

static long event_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct event *e = f->priv;
	uint64_t v;
	long err;

	(void)pos;
	if (to->count < 8)
		return -EINVAL;
	for (;;) {
		v = event_take(e);
		if (v)
			break;
		if ((f->flags & O_NONBLOCK) || to->nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(
			&e->wq, __atomic_load_n(&e->count, __ATOMIC_RELAXED));
		if (err)
			return err;
	}
	wake_up(&e->wq);
	return iter_copy_to(to, &v, 8) == 8 ? 8 : -EFAULT;
}

static bool event_add(struct event *e, uint64_t v)
{
	unsigned long flags = spin_lock_irqsave(&e->lock);
	bool ok = v <= UINT64_MAX - 1 - e->count;

	if (ok)
		e->count += v;
	spin_unlock_irqrestore(&e->lock, flags);
	return ok;
}

static bool event_room(struct event *e, uint64_t v)
{
	return v <=
	       UINT64_MAX - 1 - __atomic_load_n(&e->count, __ATOMIC_RELAXED);
}

static long event_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct event *e = f->priv;
	uint64_t v;
	long err;

	(void)pos;
	if (from->count < 8)
		return -EINVAL;
	if (iter_copy_from(from, &v, 8) < 8)
		return -EFAULT;
	if (v == UINT64_MAX)
		return -EINVAL;
	while (!event_add(e, v)) {
		if ((f->flags & O_NONBLOCK) || from->nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wq, event_room(e, v));
		if (err)
			return err;
	}
	wake_up(&e->wq);
	return 8;
}

static unsigned event_poll(struct file *f, struct poll_table *pt)
{
	struct event *e = f->priv;
	unsigned ev = 0;

	poll_wait(pt, &e->wq);
	if (__atomic_load_n(&e->count, __ATOMIC_RELAXED))
		ev |= POLLIN | POLLRDNORM;
	if (event_room(e, 1))
		ev |= POLLOUT | POLLWRNORM;
	return ev;
}

static void event_release(struct file *f)
{
	fs_free(f->priv);
}

static const struct file_operations event_fops = {
	.read = event_read,
	.write = event_write,
	.poll = event_poll,
	.release = event_release,
};

long sys_eventfd2(unsigned initial, unsigned flags)
{
	struct event *e;

	if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	e = fs_zalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	wait_queue_init(&e->wq);
	e->count = initial;
	e->semaphore = flags & EFD_SEMAPHORE;
	return fd_anonymous("anon_inode:[eventfd]", &event_fops, e, fs_free,
			    flags);
}

long sys_eventfd(unsigned initial)
{
	return sys_eventfd2(initial, 0);
}

/* ----------------------------------------------------------------- timerfd */

struct timer_file {
	struct ktimer timer; /* first */
	struct spinlock lock;
	struct wait_queue wq;
	uint64_t ticks, interval, next;
	int clock;
};

#define TIMES_MAX (4000000000ull * NSEC_PER_SEC)
struct timerfd_times { /* struct itimerspec, ns */
	uint64_t interval, value;
};

static void timer_fires(struct ktimer *k)
{
	struct timer_file *t = (struct timer_file *)k;
	unsigned long flags = spin_lock_irqsave(&t->lock);
	uint64_t now = ktime_ns(), late, again = 0;

	t->ticks++;
	if (t->interval) {
		late = now > t->next ? (now - t->next) / t->interval : 0;
		t->ticks += late;
		t->next += (late + 1) * t->interval;
		again = t->next;
	} else {
		t->next = 0;
	}
	spin_unlock_irqrestore(&t->lock, flags);
	if (again)
		timer_start(k, again);
	wake_up_all(&t->wq);
}

static uint64_t timer_take(struct timer_file *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	uint64_t v = t->ticks;

	t->ticks = 0;
	spin_unlock_irqrestore(&t->lock, flags);
	return v;
}

static long timer_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct timer_file *t = f->priv;
	uint64_t v;
	long err;

	(void)pos;
	if (to->count < 8)
		return -EINVAL;
	for (;;) {
		v = timer_take(t);
		if (v)
			break;
		if ((f->flags & O_NONBLOCK) || to->nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(
			&t->wq, __atomic_load_n(&t->ticks, __ATOMIC_RELAXED));
		if (err)
			return err;
	}
	return iter_copy_to(to, &v, 8) == 8 ? 8 : -EFAULT;
}

static unsigned timer_poll(struct file *f, struct poll_table *pt)
{
	struct timer_file *t = f->priv;

	poll_wait(pt, &t->wq);
	return __atomic_load_n(&t->ticks, __ATOMIC_RELAXED)
		       ? POLLIN | POLLRDNORM
		       : 0;
}

static void timer_release(struct file *f)
{
	struct timer_file *t = f->priv;

	timer_cancel(&t->timer);
	fs_free(t);
}

static const struct file_operations timer_fops = {
	.read = timer_read,
	.poll = timer_poll,
	.release = timer_release,
};

long sys_timerfd_create(int clock, unsigned flags)
{
	struct timer_file *t;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC &&
	    clock != CLOCK_BOOTTIME)
		return -EINVAL;
	t = fs_zalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	timer_init(&t->timer, timer_fires);
	wait_queue_init(&t->wq);
	t->clock = clock;
	return fd_anonymous("anon_inode:[timerfd]", &timer_fops, t, fs_free,
			    flags);
}

static struct timerfd_times timer_now(struct timer_file *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	uint64_t now = ktime_ns();
	struct timerfd_times s = {.interval = t->interval};

	if (t->next)
		s.value = t->next > now ? t->next - now : 1;
	spin_unlock_irqrestore(&t->lock, flags);
	return s;
}

static void timer_set(struct timer_file *t, const struct timerfd_times *s,
		      unsigned flags)
{
	uint64_t value = K_MIN(s->value, TIMES_MAX), ahead;
	unsigned long irq;

	timer_cancel(&t->timer);
	if (value && (flags & TFD_TIMER_ABSTIME)) {
		ahead = t->clock == CLOCK_REALTIME ? realtime_ns() - ktime_ns()
						   : 0;
		value = value > ahead ? value - ahead : 1;
	} else if (value) {
		value = deadline_in(value);
	}
	irq = spin_lock_irqsave(&t->lock);
	t->ticks = 0;
	t->interval = K_MIN(s->interval, TIMES_MAX);
	t->next = value;
	spin_unlock_irqrestore(&t->lock, irq);
	if (value)
		timer_start(&t->timer, value);
}

static int times_to_user(uaddr_t u, const struct timerfd_times *s)
{
	return timespec_to_user(u, s->interval) ||
			       timespec_to_user(u + timespec_bytes(), s->value)
		       ? -EFAULT
		       : 0;
}

static struct file *timer_file(int fd, long *err)
{
	struct file *f = fget(fd);

	*err = -EBADF;
	if (f && f->fops != &timer_fops) {
		fput(f);
		f = NULL;
		*err = -EINVAL;
	}
	return f;
}

long sys_timerfd_settime(int fd, unsigned flags, uaddr_t unew, uaddr_t uold)
{
	struct timerfd_times s, old;
	struct file *f;
	long ret;

	if (flags & ~3u)
		return -EINVAL;
	ret = timespec_from_user(unew, &s.interval);
	if (!ret)
		ret = timespec_from_user(unew + timespec_bytes(), &s.value);
	if (ret)
		return ret;
	f = timer_file(fd, &ret);
	if (!f)
		return ret;
	old = timer_now(f->priv);
	timer_set(f->priv, &s, flags);
	ret = uold ? times_to_user(uold, &old) : 0;
	fput(f);
	return ret;
}

long sys_timerfd_gettime(int fd, uaddr_t uold)
{
	struct timerfd_times s;
	struct file *f;
	long ret;

	f = timer_file(fd, &ret);
	if (!f)
		return ret;
	s = timer_now(f->priv);
	fput(f);
	return times_to_user(uold, &s);
}
