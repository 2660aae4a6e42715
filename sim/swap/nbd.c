/* SPDX-License-Identifier: MIT */
/*
 * Swap on an NBD server (nbdkit, qemu-nbd, Ceph's ...), through libnbd.
 *
 *   submit --copy--> queue --> pending --> flying --reply--> swap_job_done()
 *           (lock)     eventfd    ^          |
 *                                 '- lost ---'   one thread owns the connection
 *
 * Many requests are in flight at once.  When the connection is lost, or gives
 * no answer for as long as is allowed, those that have no reply are sent again
 * over a new one: all of them may be done twice.  After give_up_ms without one
 * the server is gone for good: that is logged, and all I/O fails from then on.
 *
 * Writes send a copy, since the page's users may write to it meanwhile.  Of
 * each slot a sum is kept here, and what is read has to have it: a server that
 * was started anew with empty memory, or that lost a write it had confirmed,
 * gives errors and not wrong bytes.
 *
 * A request that fails is tried again page by page, so that only those pages
 * are lost that the server has lost.
 *
 * Locks: lock guards queue and stop; nothing is taken inside it.
 */
#include <libnbd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sim/swap_device.h>

#define FLYING_MAX 64u
#define JOB_PAGES  256u
#define SERVER_MAX                                                             \
	(32u << 20) /* where a server does not say (NBD protocol)              \
		     */
#define GIVE_UP_MS    10000u
#define TRIM_BYTES    (1ull << 30) /* of one request: any server takes that */
#define BAD_SUMS_TOLD 8u

struct swap_nbd {
	struct sim_swap *s;
	char *uri;
	unsigned give_up_ms;
	unsigned job_pages; /* what the server takes in one request */
	uint64_t *sum;	    /* of each slot, as it was written last */
	int event;	    /* eventfd: the queue, or stop */
	pthread_t thread;
	bool running;

	pthread_mutex_t lock;
	struct swap_job *queue, **queue_last;
	bool stop;

	/* The thread's own. */
	struct nbd_handle *h; /* NULL: no connection */
	bool can_trim, gone;
	struct swap_job *pending, **pending_last;
	struct swap_job *flying;
	unsigned nr_flying;
	unsigned bad_sums;
	char why[256];		      /* what went wrong last */
	uint64_t heard_ns;	      /* when there was an answer, or nothing to
				       * wait for */
	uint64_t lost_ns;	      /* since when there is none, whoever lets
				       * us in; 0: the last was one */
	uint64_t retries, reconnects; /* atomic */
};

/* A job's own part. */
struct nbd_io {
	bool replied;
	bool single; /* page by page: the whole failed */
	int error;   /* errno */
	char buffer[];
};

static uint64_t sum_of(const char *page)
{
	uint64_t lane[4] = {1, 2, 3, 4}, word;
	unsigned i;

	for (i = 0; i < SLOT_BYTES / sizeof(word); i++) {
		memcpy(&word, page + i * sizeof(word), sizeof(word));
		lane[i % 4] =
			(lane[i % 4] ^ word) * 0x9e3779b97f4a7c15ull + (i | 1);
		lane[i % 4] ^= lane[i % 4] >> 29;
	}
	return ((lane[0] * 3 + lane[1]) * 5 + lane[2]) * 7 + lane[3];
}

static int last_errno(void)
{
	int err = nbd_get_errno();

	return err ? -err : -EIO;
}

/* -------------------------------------------------------------- connection */

/* Is the server's export fit?  NULL, or what is wrong with it. */
static const char *judge(struct swap_nbd *n, struct nbd_handle *h)
{
	int64_t size = nbd_get_size(h);
	int64_t least = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM);
	int64_t most = nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM);
	uint64_t slots;

	if (size < 0 || least < 0 || most < 0)
		return nbd_get_error();
	slots = (uint64_t)size / SLOT_BYTES;
	if (!slots || slots < n->s->slots)
		return "it is too small";
	if (nbd_is_read_only(h) != 0)
		return "it is read-only";
	if (least > (int64_t)SLOT_BYTES)
		return "its blocks are larger than a page";
	if (!n->s->slots)
		n->s->slots = slots;
	if (!most)
		most = SERVER_MAX;
	n->can_trim = nbd_can_trim(h) == 1;
	if (!n->job_pages)
		n->job_pages = most / SLOT_BYTES >= JOB_PAGES
				       ? JOB_PAGES
				       : (unsigned)(most / SLOT_BYTES);
	return n->job_pages ? NULL : "its requests are smaller than a page";
}

static const char *handshake(struct nbd_handle *h, uint64_t until_ns)
{
	uint64_t now;

	while (nbd_aio_is_connecting(h)) {
		now = quire_host_time_ns();
		if (now >= until_ns)
			return "no answer";
		if (nbd_poll(h, (int)((until_ns - now) / 1000000) + 1) < 0)
			return nbd_get_error();
	}
	return nbd_aio_is_ready(h) ? NULL : nbd_get_error();
}

/* Connect, until that time: NULL, or what went wrong, *err as -errno. */
static const char *try_connect(struct swap_nbd *n, uint64_t until_ns, int *err)
{
	struct nbd_handle *h = nbd_create();
	const char *why;

	*err = -EIO;
	if (!h) {
		*err = -ENOMEM;
		return "out of memory";
	}
	why = nbd_aio_connect_uri(h, n->uri) < 0 ? nbd_get_error()
						 : handshake(h, until_ns);
	if (why) {
		*err = last_errno();
	} else {
		why = judge(n, h);
		if (why)
			*err = -EINVAL;
	}
	if (!why) {
		n->h = h;
		return NULL;
	}
	snprintf(n->why, sizeof(n->why), "%s", why);
	nbd_close(h); /* and its texts */
	return n->why;
}

static void to_pending(struct swap_nbd *n, struct swap_job *job)
{
	job->next = NULL;
	*n->pending_last = job;
	n->pending_last = &job->next;
}

/* What has no reply goes back to be sent again, and the connection ends. */
static void drop(struct swap_nbd *n, const char *why)
{
	struct swap_job *job;

	swap_log(n->s, 4, "%s: the connection is lost (%s)", n->uri, why);
	/* no reply comes any more: buffers are ours again */
	nbd_close(n->h);
	n->h = NULL;
	while ((job = n->flying)) {
		n->flying = job->next;
		to_pending(n, job);
		swap_count(&n->retries, 1);
	}
	n->nr_flying = 0;
}

/*
 * A lost connection: a new one, or n->gone.  One that brings no answer counts
 * as none.
 */
static void reconnect(struct swap_nbd *n)
{
	bool pause = n->lost_ns != 0;
	unsigned pause_ms = 20;
	const char *why = n->why;
	uint64_t end;
	int err;

	if (!pause)
		n->lost_ns = quire_host_time_ns();
	end = n->lost_ns + n->give_up_ms * 1000000ull;
	for (;; pause = true) {
		if (pause) {
			if (quire_host_time_ns() + pause_ms * 1000000ull >= end)
				break;
			usleep(pause_ms * 1000);
			if (pause_ms < 1000)
				pause_ms *= 2;
		}
		why = try_connect(n, end, &err);
		if (!why) {
			swap_count(&n->reconnects, 1);
			n->heard_ns = quire_host_time_ns();
			swap_log(n->s, 6, "%s: connected again", n->uri);
			return;
		}
	}
	n->gone = true;
	swap_log(n->s, 3,
		 "%s: gone for good (%s, for %u ms): what it has is lost",
		 n->uri, why, n->give_up_ms);
}

/* ---------------------------------------------------------------- requests */

static int replied(void *arg, int *error)
{
	struct nbd_io *io = ((struct swap_job *)arg)->own;

	io->replied = true;
	io->error = *error;
	return 1; /* that is all there is to it */
}

/* Send what is to be sent of it now: 0 or -errno. */
static int send_job(struct swap_nbd *n, struct swap_job *job)
{
	nbd_completion_callback done = {.callback = replied, .user_data = job};
	struct nbd_io *io = job->own;
	size_t bytes = (io->single ? 1 : job->n) * (size_t)SLOT_BYTES;
	uint64_t pos = (job->slot + job->at) * SLOT_BYTES;
	char *buffer = io->buffer + job->at * SLOT_BYTES;
	int64_t r;

	io->replied = false;
	if (job->discard)
		r = nbd_aio_trim(n->h, job->slots * SLOT_BYTES, pos, done, 0);
	else if (job->write)
		r = nbd_aio_pwrite(n->h, buffer, bytes, pos, done, 0);
	else
		r = nbd_aio_pread(n->h, buffer, bytes, pos, done, 0);
	return r < 0 ? last_errno() : 0;
}

/* Pages [at, at + count) of a read are in the buffer. */
static void take_pages(struct swap_nbd *n, struct swap_job *job, unsigned count)
{
	struct nbd_io *io = job->own;
	unsigned i;

	for (i = job->at; i < job->at + count; i++) {
		const char *from = io->buffer + i * SLOT_BYTES;

		if (sum_of(from) == n->sum[job->slot + i]) {
			memcpy(job->part[i].mem, from, SLOT_BYTES);
			continue;
		}
		job->part[i].error = -EIO;
		if (n->bad_sums++ < BAD_SUMS_TOLD)
			swap_log(n->s, 3,
				 "%s: slot %llu is not what was written there",
				 n->uri, (unsigned long long)(job->slot + i));
	}
}

/* The request was answered, by errno. */
static void answer(struct swap_nbd *n, struct swap_job *job, int error)
{
	struct nbd_io *io = job->own;
	unsigned count = io->single ? 1 : job->n;

	if (job->discard) {
		swap_job_done(job);
		return;
	}
	if (error && !io->single && job->n > 1) {
		io->single = true;
		swap_count(&n->retries, 1);
		to_pending(n, job);
		return;
	}
	if (error)
		job->part[job->at].error = -error;
	else if (!job->write)
		take_pages(n, job, count);
	job->at += count;
	if (job->at < job->n)
		to_pending(n, job);
	else
		swap_job_done(job);
}

static bool lost(struct swap_nbd *n)
{
	return nbd_aio_is_dead(n->h) == 1 || nbd_aio_is_closed(n->h) == 1;
}

static void send_pending(struct swap_nbd *n)
{
	struct swap_job *job;
	int err;

	while ((job = n->pending) && n->nr_flying < FLYING_MAX) {
		n->pending = job->next;
		if (!n->pending)
			n->pending_last = &n->pending;
		if (job->discard && !n->can_trim) {
			n->lost_ns = 0; /* nothing is asked of the server */
			swap_job_done(job);
			continue;
		}
		err = send_job(n, job);
		if (!err) {
			if (!n->nr_flying++)
				n->heard_ns = quire_host_time_ns();
			job->next = n->flying;
			n->flying = job;
		} else if (lost(n)) {
			to_pending(n, job);
			return;
		} else {
			answer(n, job, -err);
		}
	}
}

/* Those that have a reply leave; a server that is about to end has none. */
static void reap(struct swap_nbd *n)
{
	struct swap_job **p = &n->flying, *job;
	bool dead = lost(n), leaving = false;

	while ((job = *p)) {
		struct nbd_io *io = job->own;

		if (!io->replied ||
		    (io->error && (dead || io->error == ESHUTDOWN))) {
			leaving |= io->replied;
			p = &job->next;
			continue;
		}
		*p = job->next;
		n->nr_flying--;
		n->heard_ns = quire_host_time_ns();
		n->lost_ns = 0;
		answer(n, job, io->error);
	}
	if (dead || leaving)
		drop(n, n->why);
}

/* ------------------------------------------------------------- the thread */

/* Until something is to be done; then what the connection is about is. */
static void wait_and_notify(struct swap_nbd *n)
{
	unsigned dir = n->h ? nbd_aio_get_direction(n->h) : 0;
	short want = (short)((dir & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
			     (dir & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
	struct pollfd fds[2] = {
		{.fd = n->event, .events = POLLIN},
		{.fd = n->h ? nbd_aio_get_fd(n->h) : -1, .events = want},
	};
	uint64_t count;
	int err = 0;

	if (poll(fds, 2, n->nr_flying ? (int)n->give_up_ms : -1) < 0)
		return;
	if (fds[0].revents)
		(void)!read(n->event, &count, sizeof(count));
	if (!n->h)
		return;
	if (fds[1].revents & (POLLHUP | POLLERR))
		fds[1].revents |= want;
	if (fds[1].revents & want & POLLIN)
		err = nbd_aio_notify_read(n->h);
	else if (fds[1].revents & want & POLLOUT)
		err = nbd_aio_notify_write(n->h);
	snprintf(n->why, sizeof(n->why), "%s",
		 err < 0 ? nbd_get_error() : "closed by the server");
}

/* New jobs to pending; false: there are none, and the end is near. */
static bool fetch(struct swap_nbd *n)
{
	bool stop;

	pthread_mutex_lock(&n->lock);
	if (n->queue) {
		*n->pending_last = n->queue;
		n->pending_last = n->queue_last;
		n->queue = NULL;
		n->queue_last = &n->queue;
	}
	stop = n->stop;
	pthread_mutex_unlock(&n->lock);
	return !stop || n->pending || n->flying;
}

static void fail_pending(struct swap_nbd *n)
{
	struct swap_job *job;

	while ((job = n->pending)) {
		n->pending = job->next;
		for (; job->at < job->n; job->at++)
			job->part[job->at].error = -EIO;
		swap_job_done(job);
	}
	n->pending_last = &n->pending;
}

static void *nbd_main(void *arg)
{
	struct swap_nbd *n = arg;

	while (fetch(n)) {
		if (!n->h && n->pending && !n->gone)
			reconnect(n);
		if (n->gone)
			fail_pending(n);
		if (n->h)
			send_pending(n);
		if (!n->h || !lost(n))
			wait_and_notify(n);
		if (!n->h)
			continue;
		reap(n);
		if (n->h && n->nr_flying &&
		    quire_host_time_ns() - n->heard_ns >
			    n->give_up_ms * 1000000ull)
			drop(n, "no answer");
	}
	return NULL;
}

/* --------------------------------------------------------------------- ops */

static void hand_over(struct swap_nbd *n, struct swap_job *job)
{
	uint64_t one = 1;

	job->next = NULL;
	pthread_mutex_lock(&n->lock);
	*n->queue_last = job;
	n->queue_last = &job->next;
	pthread_mutex_unlock(&n->lock);
	(void)!write(n->event, &one, sizeof(one));
}

/* A request's copy of the pages. */
static int fill(struct swap_nbd *n, struct swap_job *job)
{
	struct nbd_io *io = malloc(sizeof(*io) + job->n * (size_t)SLOT_BYTES);
	unsigned i;

	if (!io)
		return -ENOMEM;
	memset(io, 0, sizeof(*io));
	job->own = io;
	for (i = 0; job->write && i < job->n; i++) {
		char *to = io->buffer + i * SLOT_BYTES;

		memcpy(to, job->part[i].mem, SLOT_BYTES);
		n->sum[job->slot + i] = sum_of(to);
	}
	return 0;
}

static void nbd_submit(struct sim_swap *s, bool write, uint64_t slot,
		       struct page **pages, unsigned n)
{
	struct swap_nbd *nbd = s->device;
	struct swap_job *job;
	bool waited;
	unsigned k;

	for (; n; n -= k, pages += k, slot += k) {
		k = n < nbd->job_pages ? n : nbd->job_pages;
		job = swap_job_new(s, write, slot, pages, k);
		if (!job)
			continue;
		if (fill(nbd, job)) {
			swap_job_fail(job, -ENOMEM);
			continue;
		}
		waited = job->waited;
		hand_over(nbd, job);
		swap_job_wait(job, waited);
	}
}

static void nbd_discard(struct sim_swap *s, uint64_t slot, uint64_t n)
{
	struct swap_job *job;
	uint64_t k;

	for (; n; n -= k, slot += k) {
		k = n < TRIM_BYTES / SLOT_BYTES ? n : TRIM_BYTES / SLOT_BYTES;
		job = swap_job_discard(s, slot, k);
		if (!job)
			return;
		if (fill(s->device, job)) {
			swap_job_fail(job, -ENOMEM);
			return;
		}
		hand_over(s->device, job);
		swap_job_wait(job, true);
	}
}

static void nbd_stats(struct sim_swap *s, struct sim_swap_stats *out)
{
	struct swap_nbd *n = s->device;

	out->retries = __atomic_load_n(&n->retries, __ATOMIC_RELAXED);
	out->reconnects = __atomic_load_n(&n->reconnects, __ATOMIC_RELAXED);
}

/* -------------------------------------------------------------------- life */

static void swap_nbd_close(struct sim_swap *s)
{
	struct swap_nbd *n = s->device;
	uint64_t one = 1;

	if (n->running) {
		pthread_mutex_lock(&n->lock);
		n->stop = true;
		pthread_mutex_unlock(&n->lock);
		(void)!write(n->event, &one, sizeof(one));
		pthread_join(n->thread, NULL);
	}
	if (n->h)
		nbd_close(n->h);
	if (n->event >= 0)
		close(n->event);
	pthread_mutex_destroy(&n->lock);
	free(n->sum);
	free(n->uri);
	free(n);
}

static int swap_nbd_open(struct sim_swap *s,
			 const struct sim_swap_config *config)
{
	struct swap_nbd *n = calloc(1, sizeof(*n));
	const char *why;
	int err;

	if (!n)
		return -ENOMEM;
	s->device = n;
	n->s = s;
	n->give_up_ms = config->give_up_ms ? config->give_up_ms : GIVE_UP_MS;
	n->queue_last = &n->queue;
	n->pending_last = &n->pending;
	pthread_mutex_init(&n->lock, NULL);
	n->event = eventfd(0, EFD_CLOEXEC);
	n->uri = config->uri ? strdup(config->uri) : NULL;
	if (!n->uri || n->event < 0)
		return config->uri ? -ENOMEM : -EINVAL;
	why = try_connect(n, quire_host_time_ns() + n->give_up_ms * 1000000ull,
			  &err);
	if (why) {
		swap_log(s, 3, "%s: %s", n->uri, why);
		return err;
	}
	n->sum = calloc(s->slots, sizeof(*n->sum));
	if (!n->sum || pthread_create(&n->thread, NULL, nbd_main, n))
		return -ENOMEM;
	n->running = true;
	return 0;
}

const struct sim_swap_kind sim_swap_nbd = {
	.name = "nbd",
	.open = swap_nbd_open,
	.close = swap_nbd_close,
	.submit = nbd_submit,
	.discard = nbd_discard,
	.get_stats = nbd_stats,
};
