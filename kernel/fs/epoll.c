/* SPDX-License-Identifier: MIT */
/*
 * epoll(7).
 *
 *     file's wait queue ── hook ──► item ──► epoll's ready list → epoll_wait
 *
 * Each watched file has an item with a waiter in the file's queues.  A wake-up
 * there calls back (perhaps in an interrupt) and puts the item on the ready
 * list; epoll_wait asks the files of that list only.  A level-triggered item
 * that still has something to say goes back on the list.
 *
 * epoll_mutex guards all structure: items, their files, their hooks.  Each
 * epoll's lock (spinlock, interrupts off) guards its ready list and is taken
 * inside a wait queue's lock.  An item does not hold its file: closing the
 * file takes the item away (epoll_forget).
 */
#include "poll.h"

#define EPOLL_CTL_ADD  1
#define EPOLL_CTL_DEL  2
#define EPOLL_CTL_MOD  3
#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET	       (1u << 31)
#define EP_FLAGS       (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
#define EP_MAX_EVENTS  (INT32_MAX / 12)
#define HOOKS	       3

struct epoll_event { /* packed on x86-64: epoll_ctl(2) */
	uint32_t events;
	uint64_t data;
} ABI_EPOLL_EVENT;

struct epoll {
	struct spinlock lock;
	struct list_head ready; /* ep_link.ready */
	struct list_head items; /* ep_link.node */
	struct wait_queue wq;
};

struct hook {
	struct waiter w; /* first: the callback gets it */
	struct wait_queue *wq;
	struct ep_link *item;
};

struct ep_link {
	struct list_head node, ready;
	struct ep_link *next; /* of the same file */
	struct epoll *ep;
	struct file *file;
	int fd;
	struct epoll_event ev;
	struct hook hook[HOOKS];
	unsigned nr_hooks;
};

struct ep_table {
	struct poll_table pt;
	struct ep_link *item;
};

static struct mutex epoll_mutex = MUTEX_INIT(epoll_mutex);

static void make_ready(struct ep_link *it)
{
	struct epoll *ep = it->ep;
	unsigned long flags = spin_lock_irqsave(&ep->lock);

	if (list_empty(&it->ready))
		list_add_tail(&it->ready, &ep->ready);
	spin_unlock_irqrestore(&ep->lock, flags);
	wake_up_all(&ep->wq);
}

static void on_wake(struct waiter *w)
{
	make_ready(((struct hook *)w)->item);
}

static void enter(struct poll_table *pt, struct wait_queue *wq)
{
	struct ep_link *it = ((struct ep_table *)pt)->item;
	struct hook *h;

	if (it->nr_hooks == HOOKS)
		return;
	h = &it->hook[it->nr_hooks++];
	h->item = it;
	h->wq = wq;
	h->w.func = on_wake;
	wait_add(wq, &h->w);
}

static unsigned ask(struct ep_link *it, struct poll_table *pt)
{
	unsigned want = (it->ev.events & ~EP_FLAGS) | POLLERR | POLLHUP;

	if (!(it->ev.events & ~EP_FLAGS))
		return 0; /* one shot, and it was fired */
	return file_poll(it->file, pt) & want;
}

/* Out of everything, and freed.  epoll_mutex held. */
static void item_free(struct ep_link *it)
{
	struct ep_link **p;
	unsigned long flags;
	unsigned i;

	for (i = 0; i < it->nr_hooks; i++)
		wait_finish(it->hook[i].wq, &it->hook[i].w);
	flags = spin_lock_irqsave(&it->ep->lock);
	list_del(&it->ready);
	spin_unlock_irqrestore(&it->ep->lock, flags);
	list_del(&it->node);
	for (p = &it->file->ep_links; *p; p = &(*p)->next) {
		if (*p == it) {
			*p = it->next;
			break;
		}
	}
	fs_free(it);
}

void epoll_forget(struct file *f)
{
	mutex_lock(&epoll_mutex);
	while (f->ep_links)
		item_free(f->ep_links);
	mutex_unlock(&epoll_mutex);
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;

	mutex_lock(&epoll_mutex);
	while (!list_empty(&ep->items))
		item_free(list_first(&ep->items, struct ep_link, node));
	mutex_unlock(&epoll_mutex);
	fs_free(ep);
}

static unsigned epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;

	poll_wait(pt, &ep->wq);
	return list_empty(&ep->ready) ? 0 : POLLIN | POLLRDNORM;
}

static const struct file_operations epoll_fops = {
	.release = epoll_release,
	.poll = epoll_poll,
};

long sys_epoll_create1(unsigned flags)
{
	struct inode *inode;
	struct epoll *ep;
	struct file *f;

	if (flags & ~O_CLOEXEC)
		return -EINVAL;
	ep = fs_zalloc(sizeof(*ep));
	inode = inode_anonymous(0600);
	if (!ep || !inode) {
		fs_free(ep);
		inode_put(inode);
		return -ENOMEM;
	}
	list_init(&ep->ready);
	list_init(&ep->items);
	wait_queue_init(&ep->wq);
	f = file_anonymous(inode, "anon_inode:[eventpoll]", &epoll_fops,
			   O_RDWR);
	if (IS_ERR(f)) {
		fs_free(ep);
		return PTR_ERR(f);
	}
	f->priv = ep;
	return fd_give(f, flags & O_CLOEXEC);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

/* ------------------------------------------------------------------ control */

static struct ep_link *find(struct epoll *ep, struct file *f, int fd)
{
	struct ep_link *it;

	for (it = f->ep_links; it; it = it->next)
		if (it->ep == ep && it->fd == fd)
			return it;
	return NULL;
}

static long ep_add(struct epoll *ep, struct file *f, int fd,
		   const struct epoll_event *ev)
{
	struct ep_table table = {.pt = {enter}};
	struct ep_link *it = fs_zalloc(sizeof(*it));

	if (!it)
		return -ENOMEM;
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->ev = *ev;
	list_init(&it->ready);
	list_add_tail(&it->node, &ep->items);
	it->next = f->ep_links;
	f->ep_links = it;
	table.item = it;
	if (ask(it, &table.pt))
		make_ready(it);
	return 0;
}

static long control(struct epoll *ep, int op, struct file *f, int fd,
		    const struct epoll_event *ev)
{
	struct ep_link *it = find(ep, f, fd);

	switch (op) {
	case EPOLL_CTL_ADD:
		return it ? -EEXIST : ep_add(ep, f, fd, ev);
	case EPOLL_CTL_DEL:
		if (!it)
			return -ENOENT;
		item_free(it);
		return 0;
	case EPOLL_CTL_MOD:
		if (!it)
			return -ENOENT;
		it->ev = *ev;
		if (ask(it, NULL))
			make_ready(it);
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_epoll_ctl(int epfd, int op, int fd, uaddr_t uev)
{
	struct epoll_event ev = {0};
	struct file *epf, *f;
	long ret = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, uev, sizeof(ev)))
		return -EFAULT;
	epf = fget(epfd);
	f = fget(fd);
	if (!epf || !f)
		goto put;
	ret = -EINVAL;
	if (epf->fops != &epoll_fops || epf == f)
		goto put;
	ret = -EPERM;
	if (!f->fops->poll)
		goto put;
	mutex_lock(&epoll_mutex);
	ret = control(epf->priv, op, f, fd, &ev);
	mutex_unlock(&epoll_mutex);
put:
	fput(f);
	fput(epf);
	return ret;
}

/* ------------------------------------------------------------------ waiting */

static struct ep_link *take_ready(struct epoll *ep, struct list_head *from)
{
	unsigned long flags = spin_lock_irqsave(&ep->lock);
	struct ep_link *it = NULL;

	if (!list_empty(from)) {
		it = list_first(from, struct ep_link, ready);
		list_del(&it->ready);
	}
	spin_unlock_irqrestore(&ep->lock, flags);
	return it;
}

/* Everything that is ready now, moved to `to`. */
static void splice_ready(struct epoll *ep, struct list_head *to)
{
	unsigned long flags = spin_lock_irqsave(&ep->lock);

	list_init(to);
	if (!list_empty(&ep->ready)) {
		to->next = ep->ready.next;
		to->prev = ep->ready.prev;
		to->next->prev = to;
		to->prev->next = to;
		list_init(&ep->ready);
	}
	spin_unlock_irqrestore(&ep->lock, flags);
}

static void back_to_ready(struct ep_link *it)
{
	unsigned long flags = spin_lock_irqsave(&it->ep->lock);

	if (list_empty(&it->ready))
		list_add_tail(&it->ready, &it->ep->ready);
	spin_unlock_irqrestore(&it->ep->lock, flags);
}

/* Give out up to max events: how many, or -EFAULT. */
static long harvest(struct epoll *ep, uaddr_t uev, int max)
{
	struct list_head now;
	struct ep_link *it;
	long n = 0;

	mutex_lock(&epoll_mutex);
	splice_ready(ep, &now);
	while (n >= 0 && n < max && (it = take_ready(ep, &now)) != NULL) {
		struct epoll_event out = it->ev;

		out.events = ask(it, NULL);
		if (!out.events)
			continue;
		if (copy_to_user(uev + (uaddr_t)n * sizeof(out), &out,
				 sizeof(out))) {
			back_to_ready(it);
			n = n ? n : -EFAULT;
			break;
		}
		n++;
		if (it->ev.events & EPOLLONESHOT)
			it->ev.events &= EP_FLAGS;
		else if (!(it->ev.events & EPOLLET))
			back_to_ready(it);
	}
	while ((it = take_ready(ep, &now)) != NULL)
		back_to_ready(it);
	mutex_unlock(&epoll_mutex);
	return n;
}

/* deadline: 0 only look, UINT64_MAX no limit */
static long do_wait(int epfd, uaddr_t uev, int max, uint64_t deadline)
{
	struct file *f;
	struct epoll *ep;
	long ret;

	if (max <= 0 || max > EP_MAX_EVENTS)
		return -EINVAL;
	f = fget(epfd);
	if (!f)
		return -EBADF;
	ret = -EINVAL;
	if (f->fops != &epoll_fops)
		goto put;
	ep = f->priv;
	for (;;) {
		ret = harvest(ep, uev, max);
		if (ret || !deadline)
			break;
		ret = wait_event_interruptible_until(
			&ep->wq, !list_empty(&ep->ready), deadline);
		if (ret == -ETIMEDOUT)
			deadline = 0; /* one more look */
		else if (ret) {
			ret = -EINTR;
			break;
		}
	}
put:
	fput(f);
	return ret;
}

static uint64_t ms_deadline(int ms)
{
	if (ms < 0)
		return UINT64_MAX;
	return ms ? deadline_in((uint64_t)ms * 1000000u) : 0;
}

long sys_epoll_wait(int epfd, uaddr_t uev, int max, int timeout_ms)
{
	return do_wait(epfd, uev, max, ms_deadline(timeout_ms));
}

static long masked_wait(int epfd, uaddr_t uev, int max, uint64_t deadline,
			uaddr_t umask, size_t masksize)
{
	long ret;

	if (umask) {
		ret = sigmask_for_call(umask, masksize);
		if (ret)
			return ret;
	}
	ret = do_wait(epfd, uev, max, deadline);
	if (umask && ret != -EINTR)
		sigmask_call_done();
	return ret;
}

long sys_epoll_pwait(int epfd, uaddr_t uev, int max, int timeout_ms,
		     uaddr_t umask, size_t masksize)
{
	return masked_wait(epfd, uev, max, ms_deadline(timeout_ms), umask,
			   masksize);
}

long sys_epoll_pwait2(int epfd, uaddr_t uev, int max, uaddr_t uts,
		      uaddr_t umask, size_t masksize)
{
	uint64_t deadline = UINT64_MAX, ns;
	long ret;

	if (uts) {
		ret = timespec_from_user(uts, &ns);
		if (ret)
			return ret;
		deadline = ns ? deadline_in(ns) : 0;
	}
	return masked_wait(epfd, uev, max, deadline, umask, masksize);
}
