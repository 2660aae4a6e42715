/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs.
 *
 *     head ──────────────► tail          a ring of bytes, in pages that are
 *     [page][page][page][    ]...        allocated when first written
 *
 * head and tail count bytes for ever; their difference is what can be read.
 * A write of at most PIPE_BUF bytes goes in whole or waits (pipe(7)).
 *
 * pipe->lock (mutex) is held while bytes move, which may fault and sleep;
 * sleepers for data or room wait without it and look again.  The counts that
 * waiters and poll look at are read without the lock.
 */
#include "poll.h"

#define PIPE_BUF      4096u
#define PIPE_PAGES    16u
#define PIPE_MAX_SIZE (1u << 20)
#define PAGE	      QUIRE_PAGE_SIZE
#define FIONREAD      0x541bu

struct pipe {
	struct mutex lock;
	struct wait_queue rd, wr; /* for data, for room */
	uint32_t refs;		  /* open files; inode->lock for FIFOs */
	uint32_t readers, writers;
	uint32_t readers_ever, writers_ever;
	size_t head, tail;
	unsigned nr_pages; /* a power of two */
	void **pages;
};

static struct pipe *pipe_new(void)
{
	struct pipe *p = fs_zalloc(sizeof(*p));

	if (!p)
		return NULL;
	p->nr_pages = PIPE_PAGES;
	p->pages = fs_zalloc(p->nr_pages * sizeof(void *));
	if (!p->pages) {
		fs_free(p);
		return NULL;
	}
	mutex_init(&p->lock);
	wait_queue_init(&p->rd);
	wait_queue_init(&p->wr);
	return p;
}

static void free_pages(void **pages, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		fs_free(pages[i]);
	fs_free(pages);
}

static void pipe_free(struct pipe *p)
{
	free_pages(p->pages, p->nr_pages);
	fs_free(p);
}

static size_t pipe_bytes(struct pipe *p)
{
	return __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&p->head, __ATOMIC_ACQUIRE);
}

static size_t pipe_room(struct pipe *p)
{
	size_t cap = __atomic_load_n(&p->nr_pages, __ATOMIC_RELAXED) * PAGE;
	size_t used = pipe_bytes(p);

	return used < cap ? cap - used : 0;
}

static uint32_t count_of(uint32_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE);
}

/* Where byte `at` of the ring lies; *n cut to its page.  NULL: no memory */
static char *ring_at(struct pipe *p, size_t at, size_t *n)
{
	size_t off = at % PAGE;
	void **page = &p->pages[(at / PAGE) & (p->nr_pages - 1)];

	if (*n > PAGE - off)
		*n = PAGE - off;
	if (!*page)
		*page = fs_alloc(PAGE);
	return *page ? (char *)*page + off : NULL;
}

/* Move out what there is, under the lock: bytes, or -EFAULT. */
static long pipe_take(struct pipe *p, struct iter *to)
{
	long done = 0;

	while (to->count && pipe_bytes(p)) {
		size_t n =
			to->count < pipe_bytes(p) ? to->count : pipe_bytes(p);
		char *from = ring_at(p, p->head, &n);
		size_t ok = iter_copy_to(to, from, n);

		__atomic_store_n(&p->head, p->head + ok, __ATOMIC_RELEASE);
		done += (long)ok;
		if (ok < n)
			return done ? done : -EFAULT;
	}
	return done;
}

static bool no_wait(const struct file *f, const struct iter *it)
{
	return (f->flags & O_NONBLOCK) || it->nonblock;
}

static long pipe_read(struct file *f, struct iter *to, uint64_t *pos)
{
	struct pipe *p = f->priv;
	long ret;

	(void)pos;
	if (!to->count)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		ret = pipe_take(p, to);
		mutex_unlock(&p->lock);
		if (ret)
			break;
		if (!count_of(&p->writers))
			return pipe_bytes(p) ? -EAGAIN : 0;
		if (no_wait(f, to))
			return -EAGAIN;
		ret = wait_event_interruptible(
			&p->rd, pipe_bytes(p) || !count_of(&p->writers));
		if (ret)
			return ret;
	}
	if (ret > 0)
		wake_up(&p->wr);
	return ret;
}

/* Move in what fits, under the lock: bytes, or -EFAULT, -ENOMEM. */
static long pipe_give(struct pipe *p, struct iter *from, bool whole)
{
	long done = 0;

	if (whole && pipe_room(p) < from->count)
		return 0;
	while (from->count && pipe_room(p)) {
		size_t n =
			from->count < pipe_room(p) ? from->count : pipe_room(p);
		char *to = ring_at(p, p->tail, &n);
		size_t ok;

		if (!to)
			return done ? done : -ENOMEM;
		ok = iter_copy_from(from, to, n);
		__atomic_store_n(&p->tail, p->tail + ok, __ATOMIC_RELEASE);
		done += (long)ok;
		if (ok < n)
			return done ? done : -EFAULT;
	}
	return done;
}

static long pipe_write(struct file *f, struct iter *from, uint64_t *pos)
{
	struct pipe *p = f->priv;
	bool whole = from->count <= PIPE_BUF;
	uint64_t want = whole ? from->count : 1;
	long done = 0, ret = 0;

	(void)pos;
	while (from->count) {
		if (!count_of(&p->readers)) {
			send_signal_current(SIGPIPE);
			ret = -EPIPE;
			break;
		}
		mutex_lock(&p->lock);
		ret = pipe_give(p, from, whole);
		mutex_unlock(&p->lock);
		if (ret < 0)
			break;
		if (ret > 0) {
			done += ret;
			wake_up(&p->rd);
			continue;
		}
		if (no_wait(f, from)) {
			ret = -EAGAIN;
			break;
		}
		ret = wait_event_interruptible(
			&p->wr, pipe_room(p) >= want || !count_of(&p->readers));
		if (ret)
			break;
	}
	return done ? done : ret;
}

static unsigned pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	unsigned ev = 0;

	if (file_can_read(f)) {
		poll_wait(pt, &p->rd);
		if (pipe_bytes(p))
			ev |= POLLIN | POLLRDNORM;
		if (!count_of(&p->writers) && count_of(&p->writers_ever))
			ev |= POLLHUP;
	}
	if (file_can_write(f)) {
		poll_wait(pt, &p->wr);
		if (pipe_room(p) >= PIPE_BUF)
			ev |= POLLOUT | POLLWRNORM;
		if (!count_of(&p->readers))
			ev |= POLLERR;
	}
	return ev;
}

static long pipe_ioctl(struct file *f, unsigned cmd, uaddr_t arg)
{
	int32_t n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	n = (int32_t)pipe_bytes(f->priv);
	return put_user(n, arg);
}

static void pipe_attach(struct pipe *p, struct file *f)
{
	f->priv = p;
	if (file_can_read(f)) {
		__atomic_fetch_add(&p->readers, 1, __ATOMIC_RELEASE);
		__atomic_fetch_add(&p->readers_ever, 1, __ATOMIC_RELEASE);
	}
	if (file_can_write(f)) {
		__atomic_fetch_add(&p->writers, 1, __ATOMIC_RELEASE);
		__atomic_fetch_add(&p->writers_ever, 1, __ATOMIC_RELEASE);
	}
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;
	bool last;

	if (file_can_read(f))
		__atomic_fetch_sub(&p->readers, 1, __ATOMIC_RELEASE);
	if (file_can_write(f))
		__atomic_fetch_sub(&p->writers, 1, __ATOMIC_RELEASE);
	wake_up_all(&p->rd);
	wake_up_all(&p->wr);
	mutex_lock(&f->inode->lock);
	last = --p->refs == 0;
	if (last)
		f->inode->pipe = NULL;
	mutex_unlock(&f->inode->lock);
	if (last)
		pipe_free(p);
}

static const struct file_operations pipe_fops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

/* ------------------------------------------------------------------- FIFOs */

/* Wait for the other side to come: open(2) of a FIFO. */
static long fifo_wait(struct file *f, struct pipe *p)
{
	uint32_t seen;

	if (file_can_read(f) && file_can_write(f))
		return 0;
	if (file_can_read(f)) {
		if (count_of(&p->writers) || (f->flags & O_NONBLOCK))
			return 0;
		seen = count_of(&p->writers_ever);
		return wait_event_interruptible(
			&p->rd, count_of(&p->writers_ever) != seen);
	}
	if (count_of(&p->readers))
		return 0;
	if (f->flags & O_NONBLOCK)
		return -ENXIO;
	seen = count_of(&p->readers_ever);
	return wait_event_interruptible(&p->wr,
					count_of(&p->readers_ever) != seen);
}

static int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p;
	long err;

	mutex_lock(&inode->lock);
	if (!inode->pipe)
		inode->pipe = pipe_new();
	p = inode->pipe;
	if (p)
		p->refs++;
	mutex_unlock(&inode->lock);
	if (!p)
		return -ENOMEM;
	f->fops = &pipe_fops;
	pipe_attach(p, f);
	wake_up_all(&p->rd);
	wake_up_all(&p->wr);
	err = fifo_wait(f, p);
	if (err)
		pipe_release(f);
	return (int)err;
}

const struct file_operations fifo_fops = {
	.open = fifo_open,
};

/* ------------------------------------------------------------ system calls */

static struct file *pipe_end(struct dentry *d, struct pipe *p, uint32_t flags)
{
	struct file *f = file_open_dentry(d, flags);

	if (IS_ERR(f))
		return f;
	p->refs++;
	pipe_attach(p, f);
	return f;
}

static int make_pipe(uint32_t flags, struct file *end[2])
{
	struct inode *inode = inode_anonymous(S_IFIFO | 0600);
	char name[32];
	struct dentry *d;
	struct pipe *p;

	if (!inode)
		return -ENOMEM;
	p = pipe_new();
	if (!p) {
		inode_put(inode);
		return -ENOMEM;
	}
	inode->pipe = p;
	inode->fops = &pipe_fops;
	snprintf(name, sizeof(name), "pipe:[%llu]",
		 (unsigned long long)inode->ino);
	d = d_anonymous(inode, name);
	if (!d) {
		pipe_free(p);
		return -ENOMEM;
	}
	end[0] = pipe_end(d, p, O_RDONLY | (flags & O_NONBLOCK));
	if (IS_ERR(end[0])) {
		dput(d);
		pipe_free(p);
		return -ENOMEM;
	}
	end[1] = pipe_end(d, p, O_WRONLY | (flags & O_NONBLOCK));
	inode->fops = &fifo_fops; /* opened again through /proc/self/fd */
	dput(d);
	if (IS_ERR(end[1])) {
		fput(end[0]);
		return -ENOMEM;
	}
	return 0;
}

/* Give both files descriptors and tell the user which; all or nothing. */
long fd_give_pair(struct file *f[2], bool cloexec, uaddr_t ufds)
{
	int fds[2];

	fds[0] = fd_install(f[0], 0, cloexec);
	if (fds[0] < 0) {
		fput(f[0]);
		fput(f[1]);
		return fds[0];
	}
	fds[1] = fd_install(f[1], 0, cloexec);
	if (fds[1] < 0) {
		fd_close(fds[0]);
		fput(f[1]);
		return fds[1];
	}
	if (copy_to_user(ufds, fds, sizeof(fds))) {
		fd_close(fds[0]);
		fd_close(fds[1]);
		return -EFAULT;
	}
	return 0;
}

long sys_pipe2(uaddr_t ufds, uint32_t flags)
{
	struct file *end[2];
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = make_pipe(flags, end);
	if (err)
		return err;
	return fd_give_pair(end, flags & O_CLOEXEC, ufds);
}

long sys_pipe(uaddr_t ufds)
{
	return sys_pipe2(ufds, 0);
}

/* ------------------------------------------------------------------- sizes */

static struct pipe *pipe_of(struct file *f)
{
	return f->fops == &pipe_fops ? f->priv : NULL;
}

long pipe_get_size(struct file *f)
{
	struct pipe *p = pipe_of(f);

	return p ? (long)p->nr_pages * (long)PAGE : -EBADF;
}

/* Copy the ring's bytes to the start of another one. */
static long ring_move(struct pipe *p, void **pages, unsigned nr)
{
	size_t n = pipe_bytes(p), i;

	if (n > (uint64_t)nr * PAGE)
		return -EBUSY;
	for (i = 0; i < n;) {
		size_t piece = n - i, off = i % PAGE;
		char *from;

		if (piece > PAGE - off)
			piece = PAGE - off;
		from = ring_at(p, p->head + i, &piece);
		if (!pages[i / PAGE])
			pages[i / PAGE] = fs_alloc(PAGE);
		if (!pages[i / PAGE])
			return -ENOMEM;
		memcpy((char *)pages[i / PAGE] + off, from, piece);
		i += piece;
	}
	free_pages(p->pages, p->nr_pages);
	p->pages = pages;
	p->nr_pages = nr;
	p->head = 0;
	p->tail = n;
	return 0;
}

long pipe_set_size(struct file *f, uint64_t size)
{
	struct pipe *p = pipe_of(f);
	unsigned nr = 1;
	void **pages;
	long ret;

	if (!p)
		return -EBADF;
	if (size > 0x80000000u || !size)
		return -EINVAL;
	if (size > PIPE_MAX_SIZE)
		return -EPERM;
	while ((uint64_t)nr * PAGE < size)
		nr *= 2;
	pages = fs_zalloc(nr * sizeof(void *));
	if (!pages)
		return -ENOMEM;
	mutex_lock(&p->lock);
	ret = ring_move(p, pages, nr);
	mutex_unlock(&p->lock);
	if (ret) {
		free_pages(pages, nr);
		return ret;
	}
	wake_up_all(&p->wr);
	return (long)nr * (long)PAGE;
}
