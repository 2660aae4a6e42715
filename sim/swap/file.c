/* SPDX-License-Identifier: MIT */
/*
 * Swap on a file or block device of the host.
 *
 *   submit --> job --> io_uring: one entry and one submission a batch
 *                  \-> or a list that a few threads take it from
 *   completion: step() --rest or next page--> again
 *                      \--whole--> swap_job_done()
 *
 * A job is a vector of pages.  What moves less than asked is continued where it
 * stopped.  When a vector fails, its pages are tried one by one, so that only
 * those are lost that the device has lost.
 *
 * Hosts forbid io_uring here and there (seccomp in containers,
 * kernel.io_uring_disabled); then threads with preadv() and pwritev() do the
 * same, and the log says so.
 *
 * Locks: file->lock guards the ring's submission side and the threads' list; it
 * is held from before a job is handed over until it is, so whoever completes it
 * sees all of it.  Nothing is taken inside it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <sim/swap_device.h>

#define DEPTH	  64u  /* jobs under way */
#define JOB_PAGES 256u /* of one vector, at most */
#define THREADS	  4u

struct swap_file {
	struct sim_swap *s;
	int fd;
	bool block, no_discard;
	bool uring;
	pthread_mutex_t lock;
	pthread_cond_t room;  /* under_way became less */
	pthread_cond_t added; /* threads: to the list, or stop */
	unsigned under_way;
	struct io_uring ring;
	struct swap_job *first, **last;
	bool stop;
	pthread_t thread[THREADS];
	unsigned nr_threads;
	uint64_t retries; /* atomic */
};

/* A job's own part. */
struct file_io {
	bool single;  /* page by page: the vector failed */
	size_t moved; /* bytes of the page job->at */
	struct iovec iov[];
};

/* ----------------------------------------------------- one job, step by step
 */

/* What is to be moved now. */
static unsigned next_vector(struct swap_job *job, struct iovec **iov,
			    off_t *pos)
{
	struct file_io *io = job->own;

	*iov = &io->iov[job->at];
	**iov = (struct iovec){job->part[job->at].mem + io->moved,
			       SLOT_BYTES - io->moved};
	*pos = (off_t)((job->slot + job->at) * SLOT_BYTES + io->moved);
	return io->single ? 1 : job->n - job->at;
}

/* That gave `res`, bytes or -errno.  True: the job is at its end. */
static bool step(struct swap_file *f, struct swap_job *job, ssize_t res)
{
	struct file_io *io = job->own;
	size_t left;

	if (res == -EINTR || res == -EAGAIN)
		return false;
	if (res == 0)
		res = job->write ? -ENOSPC : -EIO; /* past the end */
	if (res < 0) {
		if (!io->single && job->at + 1 < job->n) {
			io->single = true;
			swap_count(&f->retries, 1);
			return false;
		}
		job->part[job->at++].error = (int)res;
		io->moved = 0;
		return job->at == job->n;
	}
	for (left = (size_t)res; left;) {
		size_t n = SLOT_BYTES - io->moved;

		if (left < n) {
			io->moved += left;
			break;
		}
		left -= n;
		io->moved = 0;
		job->at++;
	}
	if (job->at < job->n)
		swap_count(&f->retries, io->single ? 0 : 1);
	return job->at == job->n;
}

static void finish(struct swap_file *f, struct swap_job *job)
{
	pthread_mutex_lock(&f->lock);
	f->under_way--;
	pthread_cond_signal(&f->room);
	pthread_mutex_unlock(&f->lock);
	swap_job_done(job);
}

/* ---------------------------------------------------------------- io_uring */

/* lock held: into the ring, which has room for DEPTH. */
static void ring_add(struct swap_file *f, struct swap_job *job)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);
	struct iovec *iov;
	off_t pos;
	unsigned n = next_vector(job, &iov, &pos);

	if (!sqe)
		abort(); /* it has more entries than jobs are allowed */
	if (job->write)
		io_uring_prep_writev(sqe, f->fd, iov, n, (uint64_t)pos);
	else
		io_uring_prep_readv(sqe, f->fd, iov, n, (uint64_t)pos);
	io_uring_sqe_set_data(sqe, job);
}

/* lock held: what was added goes. */
static void ring_submit(struct swap_file *f)
{
	int err;

	/* EAGAIN, EBUSY: the kernel is short of something for a moment */
	while ((err = io_uring_submit(&f->ring)) < 0)
		if (err != -EINTR)
			usleep(100);
}

static void *ring_main(void *arg)
{
	struct swap_file *f = arg;
	struct io_uring_cqe *cqe;
	struct swap_job *job;
	ssize_t res;
	bool whole;

	for (;;) {
		if (io_uring_wait_cqe(&f->ring, &cqe))
			continue; /* EINTR */
		job = io_uring_cqe_get_data(cqe);
		res = cqe->res;
		io_uring_cqe_seen(&f->ring, cqe);
		if (!job)
			return NULL;
		pthread_mutex_lock(&f->lock);
		whole = step(f, job, res);
		if (!whole) {
			ring_add(f, job);
			ring_submit(f);
		}
		pthread_mutex_unlock(&f->lock);
		if (whole)
			finish(f, job);
	}
}

static int ring_start(struct swap_file *f)
{
	int err = io_uring_queue_init(2 * DEPTH, &f->ring, 0);

	if (err)
		return err;
	if (pthread_create(&f->thread[0], NULL, ring_main, f)) {
		io_uring_queue_exit(&f->ring);
		return -ENOMEM;
	}
	f->uring = true;
	f->nr_threads = 1;
	return 0;
}

static void ring_stop(struct swap_file *f)
{
	struct io_uring_sqe *sqe;

	pthread_mutex_lock(&f->lock);
	sqe = io_uring_get_sqe(&f->ring);
	if (!sqe)
		abort();
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, NULL);
	ring_submit(f);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread[0], NULL);
	io_uring_queue_exit(&f->ring);
}

/* ----------------------------------------------------------------- threads */

static struct swap_job *next_job(struct swap_file *f)
{
	struct swap_job *job;

	pthread_mutex_lock(&f->lock);
	while (!f->first && !f->stop)
		pthread_cond_wait(&f->added, &f->lock);
	job = f->first;
	if (job) {
		f->first = job->next;
		if (!f->first)
			f->last = &f->first;
	}
	pthread_mutex_unlock(&f->lock);
	return job;
}

static void *thread_main(void *arg)
{
	struct swap_file *f = arg;
	struct swap_job *job;
	struct iovec *iov;
	ssize_t res;
	off_t pos;
	int n;

	while ((job = next_job(f))) {
		do {
			n = (int)next_vector(job, &iov, &pos);
			res = job->write ? pwritev(f->fd, iov, n, pos)
					 : preadv(f->fd, iov, n, pos);
		} while (!step(f, job, res < 0 ? -errno : res));
		finish(f, job);
	}
	return NULL;
}

static void threads_stop(struct swap_file *f)
{
	unsigned i;

	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->added);
	pthread_mutex_unlock(&f->lock);
	for (i = 0; i < f->nr_threads; i++)
		pthread_join(f->thread[i], NULL);
}

static int threads_start(struct swap_file *f)
{
	while (f->nr_threads < THREADS) {
		if (pthread_create(&f->thread[f->nr_threads], NULL, thread_main,
				   f)) {
			threads_stop(f);
			return -ENOMEM;
		}
		f->nr_threads++;
	}
	return 0;
}

/* ---------------------------------------------------------------- requests */

static struct swap_job *make_job(struct sim_swap *s, bool write, uint64_t slot,
				 struct page **pages, unsigned n)
{
	struct swap_job *job = swap_job_new(s, write, slot, pages, n);
	struct file_io *io;
	unsigned i;

	if (!job)
		return NULL;
	io = calloc(1, sizeof(*io) + n * sizeof(struct iovec));
	job->own = io;
	for (i = 0; io && i < n; i++)
		io->iov[i] = (struct iovec){job->part[i].mem, SLOT_BYTES};
	if (io)
		return job;
	swap_job_fail(job, -ENOMEM);
	return NULL;
}

/* A job to the device, which may have to wait for room. */
static void hand_over(struct swap_file *f, struct swap_job *job)
{
	cpu_park(sim_self);
	pthread_mutex_lock(&f->lock);
	while (f->under_way >= DEPTH)
		pthread_cond_wait(&f->room, &f->lock);
	f->under_way++;
	if (f->uring) {
		ring_add(f, job);
		ring_submit(f);
	} else {
		job->next = NULL;
		*f->last = job;
		f->last = &job->next;
		pthread_cond_signal(&f->added);
	}
	pthread_mutex_unlock(&f->lock);
	cpu_unpark(sim_self);
}

static void file_submit(struct sim_swap *s, bool write, uint64_t slot,
			struct page **pages, unsigned n)
{
	struct swap_job *job;
	bool waited;
	unsigned k;

	for (; n; n -= k, pages += k, slot += k) {
		k = n < JOB_PAGES ? n : JOB_PAGES;
		job = make_job(s, write, slot, pages, k);
		if (!job)
			continue;
		waited = job->waited;
		hand_over(s->device, job);
		swap_job_wait(job, waited);
	}
}

static void file_discard(struct sim_swap *s, uint64_t slot, uint64_t n)
{
	struct swap_file *f = s->device;
	uint64_t range[2] = {slot * SLOT_BYTES, n * SLOT_BYTES};
	int err;

	if (__atomic_load_n(&f->no_discard, __ATOMIC_RELAXED))
		return;
	cpu_park(sim_self);
	err = f->block ? ioctl(f->fd, BLKDISCARD, range)
		       : fallocate(f->fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)range[0], (off_t)range[1]);
	err = err ? errno : 0;
	cpu_unpark(sim_self);
	if (err && !__atomic_exchange_n(&f->no_discard, true, __ATOMIC_RELAXED))
		swap_log(s, 6, "no discards: %s", strerror(err));
}

static void file_stats(struct sim_swap *s, struct sim_swap_stats *out)
{
	struct swap_file *f = s->device;

	out->retries = __atomic_load_n(&f->retries, __ATOMIC_RELAXED);
}

/* -------------------------------------------------------------------- life */

static void file_close(struct sim_swap *s)
{
	struct swap_file *f = s->device;

	if (f->uring)
		ring_stop(f);
	else
		threads_stop(f);
	if (f->fd >= 0)
		close(f->fd);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->room);
	pthread_cond_destroy(&f->added);
	free(f);
}

/* Open the path; *what: the step that failed.  0 or -errno. */
static int file_size(struct swap_file *f, const struct sim_swap_config *c,
		     const char **what)
{
	uint64_t bytes = c->slots * SLOT_BYTES, have;
	int flags = O_RDWR | O_CLOEXEC | (c->direct ? O_DIRECT : 0);
	struct stat st;

	*what = "open";
	f->fd = open(c->path, flags | (bytes ? O_CREAT : 0), 0600);
	if (f->fd < 0 || fstat(f->fd, &st))
		return -errno;
	f->block = S_ISBLK(st.st_mode);
	have = (uint64_t)st.st_size;
	*what = "size";
	if (f->block ? ioctl(f->fd, BLKGETSIZE64, &have) != 0
		     : have < bytes && ftruncate(f->fd, (off_t)bytes) != 0)
		return -errno;
	if (!f->block && have < bytes)
		have = bytes;
	if (!c->slots)
		f->s->slots = have / SLOT_BYTES;
	if (!f->s->slots || f->s->slots > have / SLOT_BYTES)
		return -ENOSPC;
	return 0;
}

static int engine_start(struct swap_file *f, enum sim_swap_engine engine)
{
	int err;

	if (engine == SIM_SWAP_THREADS)
		return threads_start(f);
	err = ring_start(f);
	if (!err)
		return 0;
	swap_log(f->s, engine == SIM_SWAP_URING ? 3 : 6, "io_uring: %s%s",
		 strerror(-err),
		 engine == SIM_SWAP_URING ? "" : "; threads do its work");
	return engine == SIM_SWAP_URING ? err : threads_start(f);
}

static int file_open(struct sim_swap *s, const struct sim_swap_config *config)
{
	struct swap_file *f = calloc(1, sizeof(*f));
	const char *what;
	int err;

	if (!f)
		return -ENOMEM;
	s->device = f;
	f->s = s;
	f->fd = -1;
	f->last = &f->first;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->room, NULL);
	pthread_cond_init(&f->added, NULL);
	if (!config->path)
		return -EINVAL;
	err = file_size(f, config, &what);
	if (err) {
		swap_log(s, 3, "%s: %s: %s", config->path, what,
			 strerror(-err));
		return err;
	}
	return engine_start(f, config->engine);
}

const struct sim_swap_kind sim_swap_file = {
	.name = "file",
	.open = file_open,
	.close = file_close,
	.submit = file_submit,
	.discard = file_discard,
	.get_stats = file_stats,
};
