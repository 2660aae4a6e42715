/* SPDX-License-Identifier: MIT */
/*
 * poll, ppoll, select and pselect6.
 *
 * All four come down to an array of struct pollfd in kernel memory.  A round
 * asks every file; the first one also enters the task in their queues, after
 * it has set its state, so that no wake-up between asking and sleeping is
 * lost.
 */
#include "poll.h"

#define MAX_FDS	   65536u
#define SELECT_MAX 1024u
#define SLOTS	   30

struct pollfd {
	int32_t fd;
	int16_t events, revents;
};

struct slot {
	struct waiter w;
	struct wait_queue *wq;
};

struct chunk {
	struct chunk *next;
	unsigned used;
	struct slot slot[SLOTS];
};

struct task_poll {
	struct poll_table pt; /* first: enter() gets it */
	struct chunk *chunks, first;
	bool no_memory;
};

static void enter(struct poll_table *pt, struct wait_queue *wq)
{
	struct task_poll *tp = (struct task_poll *)pt;
	struct chunk *c = tp->chunks;
	struct slot *s;

	if (c->used == SLOTS) {
		c = kmalloc_atomic(sizeof(*c));
		if (!c) {
			tp->no_memory = true;
			return;
		}
		memset(c, 0, sizeof(*c));
		c->next = tp->chunks;
		tp->chunks = c;
	}
	s = &c->slot[c->used++];
	s->wq = wq;
	s->w.task = current;
	wait_add(wq, &s->w);
}

static void leave(struct task_poll *tp)
{
	struct chunk *c = tp->chunks, *next;
	unsigned i;

	for (; c; c = next) {
		next = c->next;
		for (i = 0; i < c->used; i++)
			wait_finish(c->slot[i].wq, &c->slot[i].w);
		if (c != &tp->first)
			kfree(c);
	}
}

unsigned file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->fops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->fops->poll(f, pt);
}

/* Ask every file once: how many have something to say. */
static unsigned ask_all(struct pollfd *fds, struct file **files, unsigned n,
			struct poll_table *pt)
{
	unsigned i, ready = 0, ev;

	for (i = 0; i < n; i++) {
		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		ev = POLLNVAL;
		if (files[i])
			ev = file_poll(files[i], ready ? NULL : pt) &
			     ((unsigned)(uint16_t)fds[i].events | POLLERR |
			      POLLHUP);
		fds[i].revents = (int16_t)ev;
		ready += ev != 0;
	}
	return ready;
}

static long poll_rounds(struct pollfd *fds, struct file **files, unsigned n,
			uint64_t deadline, struct task_poll *tp)
{
	struct poll_table *pt = &tp->pt;
	bool more = deadline != 0;
	unsigned ready;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		ready = ask_all(fds, files, n, more ? pt : NULL);
		pt = NULL;
		if (ready || !more)
			return (long)ready;
		if (tp->no_memory)
			return -ENOMEM;
		if (signal_pending(current))
			return -EINTR;
		more = schedule_until(deadline);
	}
}

/*
 * deadline: ktime_ns, 0 only ask, UINT64_MAX no limit.  Returns the number of
 * entries with revents, or -ENOMEM, -EINTR.
 */
static long do_poll(struct pollfd *fds, unsigned n, uint64_t deadline)
{
	struct file **files = NULL, *few[16];
	struct task_poll tp;
	unsigned i;
	long ret;

	tp.pt.enter = enter;
	tp.chunks = &tp.first;
	tp.no_memory = false;
	memset(&tp.first, 0, sizeof(tp.first));
	files = few;
	if (n > 16) {
		files = fs_alloc(n * sizeof(*files));
		if (!files)
			return -ENOMEM;
	}
	for (i = 0; i < n; i++)
		files[i] = fds[i].fd >= 0 ? fget(fds[i].fd) : NULL;
	ret = poll_rounds(fds, files, n, deadline, &tp);
	set_current_state(TASK_RUNNING);
	leave(&tp);
	for (i = 0; i < n; i++)
		fput(files[i]);
	if (files != few)
		fs_free(files);
	return ret;
}

static long poll_user(uaddr_t ufds, unsigned n, uint64_t deadline)
{
	struct pollfd few[16], *fds = few;
	unsigned i;
	long ret = -EFAULT;

	if (n > MAX_FDS || n > task_rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (n > 16) {
		fds = fs_alloc(n * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
	}
	if (copy_from_user(fds, ufds, n * sizeof(*fds)))
		goto out;
	ret = do_poll(fds, n, deadline);
	if (ret < 0)
		goto out;
	for (i = 0; i < n; i++) {
		uaddr_t at = ufds + i * sizeof(*fds) +
			     offsetof(struct pollfd, revents);

		if (put_user(fds[i].revents, at))
			ret = -EFAULT;
	}
out:
	if (fds != few)
		fs_free(fds);
	return ret;
}

long sys_poll(uaddr_t ufds, unsigned n, int timeout_ms)
{
	uint64_t deadline = UINT64_MAX;

	if (timeout_ms == 0)
		deadline = 0;
	else if (timeout_ms > 0)
		deadline = deadline_in((uint64_t)timeout_ms * 1000000u);
	return poll_user(ufds, n, deadline);
}

/* A timespec of the user's as a deadline; *start for telling what is left. */
static int get_deadline(uaddr_t uts, uint64_t *deadline)
{
	uint64_t ns;
	int err;

	*deadline = UINT64_MAX;
	if (!uts)
		return 0;
	err = timespec_from_user(uts, &ns);
	if (err)
		return err;
	*deadline = ns ? deadline_in(ns) : 0;
	return 0;
}

/* What is left of the time, back to the user; a bad address is ignored as
 * the call has had its effect. */
static uint64_t time_left(uint64_t deadline)
{
	uint64_t now = ktime_ns();

	return deadline > now ? deadline - now : 0;
}

long sys_ppoll(uaddr_t ufds, unsigned n, uaddr_t uts, uaddr_t umask,
	       size_t masksize)
{
	uint64_t deadline;
	long ret = get_deadline(uts, &deadline);

	if (ret)
		return ret;
	if (umask) {
		ret = sigmask_for_call(umask, masksize);
		if (ret)
			return ret;
	}
	ret = poll_user(ufds, n, deadline);
	if (ret == -EINTR)
		ret = -ERESTARTNOHAND;
	else if (umask)
		sigmask_call_done();
	if (uts && deadline != UINT64_MAX)
		(void)timespec_to_user(uts, time_left(deadline));
	return ret;
}

/* ------------------------------------------------------------------ select */

struct fdsets {
	uint64_t in[SELECT_MAX / 64], out[SELECT_MAX / 64], ex[SELECT_MAX / 64];
};

#define SEL_IN	(POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SEL_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SEL_EX	POLLPRI

static bool bit(const uint64_t *set, unsigned i)
{
	return set[i / 64] >> (i % 64) & 1;
}

/* A set has as many words as it needs. */
static size_t set_bytes(unsigned n)
{
	return K_ALIGN_UP((n + 7) / 8, sizeof(uaddr_t));
}

static int get_set(uaddr_t u, uint64_t *set, unsigned n)
{
	return u && copy_from_user(set, u, set_bytes(n)) ? -EFAULT : 0;
}

static int put_set(uaddr_t u, const uint64_t *set, unsigned n)
{
	return u && copy_to_user(u, set, set_bytes(n)) ? -EFAULT : 0;
}

static unsigned sets_to_fds(const struct fdsets *s, unsigned n,
			    struct pollfd *fds)
{
	unsigned i, k = 0;

	for (i = 0; i < n; i++) {
		unsigned ev = 0;

		if (bit(s->in, i))
			ev |= SEL_IN;
		if (bit(s->out, i))
			ev |= SEL_OUT;
		if (bit(s->ex, i))
			ev |= SEL_EX;
		if (ev)
			fds[k++] = (struct pollfd){(int32_t)i, (int16_t)ev, 0};
	}
	return k;
}

/* The answers into fresh sets: how many bits; -EBADF for a closed one. */
static long fds_to_sets(const struct fdsets *want, const struct pollfd *fds,
			unsigned k, struct fdsets *s)
{
	long bits = 0;
	unsigned j;

	memset(s, 0, sizeof(*s));
	for (j = 0; j < k; j++) {
		unsigned i = (unsigned)fds[j].fd;
		unsigned ev = (uint16_t)fds[j].revents;
		uint64_t m = 1ull << (i % 64);

		if (ev & POLLNVAL)
			return -EBADF;
		if ((ev & SEL_IN) && bit(want->in, i)) {
			s->in[i / 64] |= m;
			bits++;
		}
		if ((ev & SEL_OUT) && bit(want->out, i)) {
			s->out[i / 64] |= m;
			bits++;
		}
		if ((ev & SEL_EX) && bit(want->ex, i)) {
			s->ex[i / 64] |= m;
			bits++;
		}
	}
	return bits;
}

static long do_select(int n, uaddr_t uin, uaddr_t uout, uaddr_t uex,
		      uint64_t deadline)
{
	struct fdsets *s;
	struct pollfd *fds;
	unsigned k, un;
	long ret = -ENOMEM;

	if (n < 0)
		return -EINVAL;
	un = n > (int)SELECT_MAX ? SELECT_MAX : (unsigned)n;
	s = fs_zalloc(2 * sizeof(*s));
	fds = fs_alloc((un + 1) * sizeof(*fds));
	if (!s || !fds)
		goto out;
	ret = -EFAULT;
	if (get_set(uin, s->in, un) || get_set(uout, s->out, un) ||
	    get_set(uex, s->ex, un))
		goto out;
	k = sets_to_fds(s, un, fds);
	ret = do_poll(fds, k, deadline);
	if (ret >= 0)
		ret = fds_to_sets(s, fds, k, s + 1);
	if (ret >= 0 &&
	    (put_set(uin, s[1].in, un) || put_set(uout, s[1].out, un) ||
	     put_set(uex, s[1].ex, un)))
		ret = -EFAULT;
out:
	fs_free(fds);
	fs_free(s);
	return ret == -EINTR ? -ERESTARTNOHAND : ret;
}

long sys_select(int n, uaddr_t uin, uaddr_t uout, uaddr_t uex, uaddr_t utv)
{
	uint64_t deadline = UINT64_MAX, ns;
	long ret;

	if (utv) {
		ret = timeval_from_user(utv, &ns);
		if (ret)
			return ret;
		deadline = ns ? deadline_in(ns) : 0;
	}
	ret = do_select(n, uin, uout, uex, deadline);
	if (utv)
		(void)timeval_to_user(utv, time_left(deadline));
	return ret;
}

long sys_pselect6(int n, uaddr_t uin, uaddr_t uout, uaddr_t uex, uaddr_t uts,
		  uaddr_t usig)
{
	uaddr_t sig[2] = {0, 0};
	uint64_t deadline;
	long ret = get_deadline(uts, &deadline);

	if (ret)
		return ret;
	if (usig && copy_from_user(sig, usig, sizeof(sig)))
		return -EFAULT;
	if (sig[0]) {
		ret = sigmask_for_call(sig[0], sig[1]);
		if (ret)
			return ret;
	}
	ret = do_select(n, uin, uout, uex, deadline);
	if (sig[0] && ret != -ERESTARTNOHAND)
		sigmask_call_done();
	if (uts && deadline != UINT64_MAX)
		(void)timespec_to_user(uts, time_left(deadline));
	return ret;
}
