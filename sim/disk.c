/* SPDX-License-Identifier: MIT */
/*
 * The simulated disk: the device under a file, with a queue of requests that
 * take time, overtake each other, move less than they were asked to, fail, and
 * are cut off by a power failure; all as the test wants, from a seed.
 *
 *   submit ----> queue (of the machine) ----> transfer ----> end of each page
 *                  ^                            |
 *                  '------ short: the rest -----'
 *
 * A request is one window of readahead or one run of pages under write-back.
 * Who serves the queue (config.mode): the submitter at once, the I/O thread on
 * a CPU of its own when the request is due, a thread that would otherwise
 * sleep (so that one thread alone sees every order of events), or only
 * sim_disk_step().
 *
 * What the disk holds, and what of it is safe, is sim/disk_store.c's.
 *
 * The contract of Quire's side is checked: no page has two requests at a time.
 *
 * Locks: m->io_lock guards the queue and what decides about it (config.mode,
 * latency, order), disk->lock the contents and the trouble; io_lock is
 * outside.  Neither is held when Quire is called.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sim/disk_store.h>

struct disk_request {
	struct sim_disk *d;
	struct disk_request *next;
	bool write, busy;
	bool own;	/* its submitter serves it, nobody else */
	unsigned n, at; /* at: the page under transfer */
	size_t done;	/* bytes of it that were moved */
	uint64_t first; /* index of the first page */
	uint64_t due;	/* ns; for the I/O thread */
	struct disk_part {
		struct page *page;
		int error;
	} part[];
};

/* --------------------------------------------------------- a power failure */

static uint64_t file_size(const struct sim_disk *d)
{
	return d->as ? quire_mapping_get_size(d->as) : UINT64_MAX;
}

static size_t part_bytes(struct sim_disk *d, const struct disk_request *r,
			 unsigned i)
{
	uint64_t pos = (r->first + i) * DISK_PAGE, size;

	if (!r->write)
		return DISK_PAGE;
	/* what the file has there now is what there is to store */
	size = file_size(d);
	if (pos >= size)
		return 0;
	return size - pos < DISK_PAGE ? (size_t)(size - pos) : DISK_PAGE;
}

/* Writes under way leave some of their blocks. Both locks held. */
static void tear(struct sim_disk *d, char *image, uint64_t *size)
{
	struct disk_request *r;
	unsigned i;

	for (r = d->m->io_first; r; r = r->next) {
		if (r->d != d || !r->write)
			continue;
		for (i = r->at; i < r->n; i++)
			store_write_blocks(
				d, image, size, (r->first + i) * DISK_PAGE,
				quire_page_address(d->m->q, r->part[i].page),
				part_bytes(d, r, i));
	}
}

/* Bytes that the largest image can have. Both locks held. */
static uint64_t image_room(struct sim_disk *d)
{
	uint64_t room = d->size > d->safe_size ? d->size : d->safe_size;
	struct disk_request *r;

	for (r = d->m->io_first; r; r = r->next)
		if (r->d == d && (r->first + r->n) * DISK_PAGE > room)
			room = (r->first + r->n) * DISK_PAGE;
	return room;
}

static int crash_locked(struct sim_disk *d, unsigned how, char **image,
			uint64_t *size)
{
	bool lose = (how & SIM_CRASH_LOSE) && d->config.write_cache;
	const struct disk_unsafe *u;
	char *p;

	if (d->fd >= 0 || store_materialise(d, d->size))
		return -ENOMEM;
	p = calloc(1, image_room(d) + 1);
	if (!p)
		return -ENOMEM;
	*size = lose ? d->safe_size : d->size;
	memcpy(p, lose ? d->safe : d->data, *size);
	for (u = lose ? d->unsafe : NULL; u; u = u->next)
		store_write_blocks(d, p, size, u->pos, u->data, u->len);
	if (how & SIM_CRASH_TEAR)
		tear(d, p, size);
	d->dead = true;
	*image = p;
	return 0;
}

int disk_crash(struct sim_disk *d, unsigned how, char **image, uint64_t *size)
{
	int err;

	pthread_mutex_lock(&d->m->io_lock);
	pthread_mutex_lock(&d->lock);
	err = crash_locked(d, how, image, size);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->m->io_lock);
	return err;
}

void disk_die(struct sim_disk *d)
{
	pthread_mutex_lock(&d->lock);
	d->dead = true;
	pthread_mutex_unlock(&d->lock);
}

/* ---------------------------------------------------------------- requests */

/* Most bytes that the device moves this time. */
static size_t transfer_limit(struct sim_disk *d)
{
	size_t n = d->config.short_bytes;

	if (!n)
		return SIZE_MAX;
	return d->config.short_random ? 1 + (size_t)(sim_random(&d->rng) % n)
				      : n;
}

static int move(struct sim_disk *d, struct disk_request *r, size_t n)
{
	struct page *page = r->part[r->at].page;
	char *kaddr = (char *)quire_page_address(d->m->q, page) + r->done;
	uint64_t pos = (r->first + r->at) * DISK_PAGE + r->done;

	/* the file may have become shorter, and the device not yet */
	return r->write ? store_write(d, pos, kaddr, n)
			: store_read(d, pos, kaddr, n, file_size(d));
}

/* Move what the device moves at one time; true: the request is at its end. */
static bool transfer(struct sim_disk *d, struct disk_request *r)
{
	size_t left, n, bytes;
	int err;

	pthread_mutex_lock(&d->lock);
	for (left = transfer_limit(d); r->at < r->n && left;) {
		bytes = part_bytes(d, r, r->at);
		n = r->done < bytes ? bytes - r->done : 0;
		if (n > left)
			n = left;
		err = r->done ? 0
			      : store_page_trouble(d, r->write,
						   r->first + r->at);
		if (!err && n)
			err = move(d, r, n);
		r->done += n;
		left -= n;
		if (!err && r->done < bytes)
			break;
		r->part[r->at].error = err;
		if (r->write)
			d->stats.writes++;
		else
			d->stats.reads++;
		r->at++;
		r->done = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return r->at == r->n;
}

static void unqueue(struct disk_request *r)
{
	struct sim_machine *m = r->d->m;
	struct disk_request **p;

	for (p = &m->io_first; *p != r; p = &(*p)->next)
		;
	*p = r->next;
	if (!*p)
		m->io_last = p;
}

static void count_errors(struct sim_disk *d, bool write, unsigned n, bool told)
{
	pthread_mutex_lock(&d->lock);
	if (!write)
		d->stats.read_errors += told ? 0 : n;
	else if (told)
		d->stats.write_errors_told += n;
	else
		d->stats.write_errors += n;
	pthread_mutex_unlock(&d->lock);
}

static void end_page(struct sim_disk *d, bool write, uint64_t index,
		     struct page *page, int error)
{
	if (d->end)
		d->end(d, write, index, page, error);
	else if (write)
		quire_page_end_write(d->m->q, page, error);
	else
		quire_page_end_read(d->m->q, page, error);
}

/* Tell Quire. */
static void end_request(struct sim_machine *m, struct disk_request *r)
{
	struct sim_disk *d = r->d;
	unsigned i, errors = 0;

	for (i = 0; i < r->n; i++)
		errors += r->part[i].error != 0;
	count_errors(d, r->write, errors, false);
	for (i = 0; i < r->n; i++)
		end_page(d, r->write, r->first + i, r->part[i].page,
			 r->part[i].error);
	count_errors(d, r->write, errors, true);
	free(r);
	pthread_mutex_lock(&m->io_lock);
	d->ending--;
	m->io_ending--;
	pthread_mutex_unlock(&m->io_lock);
}

/* Serve a request that is marked busy; false: there is a rest of it. */
static bool serve(struct sim_machine *m, struct disk_request *r)
{
	bool whole = transfer(r->d, r);

	pthread_mutex_lock(&m->io_lock);
	if (whole) {
		unqueue(r);
		m->io_ending++;
		r->d->ending++;
	} else {
		r->busy = r->own;
		pthread_cond_signal(&m->io_cond);
	}
	pthread_mutex_unlock(&m->io_lock);
	if (whole)
		end_request(m, r);
	return whole;
}

/* Who is to serve r? io_lock held. */
static enum sim_disk_mode mode_of(const struct disk_request *r)
{
	if (r->d->config.mode == SIM_DISK_AUTO)
		return r->d->m->io_running ? SIM_DISK_AUTO : SIM_DISK_NOW;
	return r->d->config.mode;
}

struct choice {
	unsigned modes; /* bits of enum sim_disk_mode */
	const struct sim_disk *d;
	uint64_t now;  /* only what is due; UINT64_MAX: all */
	uint64_t next; /* out: when the next is due */
};

static bool eligible(const struct disk_request *r, struct choice *c)
{
	if (r->busy || !(c->modes & 1u << mode_of(r)) || (c->d && r->d != c->d))
		return false;
	if (r->due <= c->now)
		return true;
	if (r->due < c->next)
		c->next = r->due;
	return false;
}

/* Take a request, marked busy, or NULL.  In the order of submission, but for
 * disks that reorder. io_lock held. */
static struct disk_request *take(struct sim_machine *m, struct choice *c)
{
	struct disk_request *r, *found = NULL;
	uint64_t seen = 0;

	c->next = UINT64_MAX;
	for (r = m->io_first; r; r = r->next) {
		if (!eligible(r, c))
			continue;
		if (!found) {
			found = r;
			seen = 1;
		} else if (r->d->config.reorder && found->d->config.reorder &&
			   (sim_random(&m->io_rng) >> 20) % ++seen == 0) {
			found = r;
		}
	}
	if (found)
		found->busy = true;
	return found;
}

static struct disk_request *take_locked(struct sim_machine *m, unsigned modes,
					const struct sim_disk *d)
{
	struct choice c = {.modes = modes, .d = d, .now = UINT64_MAX};
	struct disk_request *r;

	pthread_mutex_lock(&m->io_lock);
	r = take(m, &c);
	pthread_mutex_unlock(&m->io_lock);
	return r;
}

static struct disk_request *make_request(struct sim_disk *d, bool write,
					 uint64_t first, struct page **pages,
					 unsigned n)
{
	struct disk_request *r =
		calloc(1, sizeof(*r) + n * sizeof(struct disk_part));
	unsigned i;

	if (!r)
		return NULL;
	r->d = d;
	r->write = write;
	r->n = n;
	r->first = first;
	for (i = 0; i < n; i++) {
		r->part[i].page = pages[i];
		if (d->as && quire_page_index(pages[i]) != first + i)
			sim_violation("file %s: a request of pages that are "
				      "not consecutive",
				      d->name);
	}
	return r;
}

static void check_overlap(const struct disk_request *r)
{
	const struct disk_request *o;

	for (o = r->d->m->io_first; o; o = o->next)
		if (o->d == r->d && o->first < r->first + r->n &&
		    r->first < o->first + o->n)
			sim_violation("file %s: page %llu has a %s under way "
				      "and gets a %s",
				      r->d->name,
				      (unsigned long long)(o->first > r->first
								   ? o->first
								   : r->first),
				      o->write ? "write" : "read",
				      r->write ? "write" : "read");
}

/* Into the queue; how it is to be served. */
static enum sim_disk_mode enqueue(struct disk_request *r)
{
	struct sim_disk *d = r->d;
	struct sim_machine *m = d->m;
	const struct sim_disk_config *c = &d->config;
	enum sim_disk_mode mode;
	unsigned us;

	pthread_mutex_lock(&m->io_lock);
	mode = mode_of(r);
	us = c->latency_us;
	if (c->latency_random_us)
		us += (unsigned)(sim_random(&m->io_rng) % c->latency_random_us);
	if (mode <= SIM_DISK_NOW)
		r->due = quire_host_time_ns() + us * 1000ull;
	r->busy = r->own = mode == SIM_DISK_NOW;
	check_overlap(r);
	r->next = NULL;
	*m->io_last = r;
	m->io_last = &r->next;
	pthread_cond_signal(&m->io_cond);
	pthread_mutex_unlock(&m->io_lock);
	if (mode == SIM_DISK_NOW && us) {
		cpu_park(sim_self);
		usleep(us);
		cpu_unpark(sim_self);
	}
	return mode;
}

void disk_submit(struct sim_disk *d, bool write, struct page **pages,
		 unsigned n)
{
	disk_submit_at(d, write, quire_page_index(pages[0]), pages, n);
}

void disk_submit_at(struct sim_disk *d, bool write, uint64_t first,
		    struct page **pages, unsigned n)
{
	struct disk_request *r = make_request(d, write, first, pages, n);
	struct sim_machine *m = d->m;
	enum sim_disk_mode mode;
	unsigned i;

	if (!r) {
		for (i = 0; i < n; i++)
			end_page(d, write, first + i, pages[i], -ENOMEM);
		return;
	}
	for (i = 0; i < n; i++)
		check_handover(sim_self, pages[i]);
	pthread_mutex_lock(&d->lock);
	if (write)
		d->stats.write_requests++;
	else
		d->stats.read_requests++;
	pthread_mutex_unlock(&d->lock);
	mode = enqueue(r);
	if (mode == SIM_DISK_NOW) {
		while (!serve(m, r))
			;
	} else if (mode == SIM_DISK_LAZY &&
		   __atomic_load_n(&m->nr_sleeping, __ATOMIC_SEQ_CST)) {
		/* someone sleeps already, perhaps for this */
		while (disk_serve_sleeper(m))
			;
	}
}

bool disk_serve_sleeper(struct sim_machine *m)
{
	struct disk_request *r;

	r = take_locked(m, 1u << SIM_DISK_LAZY, NULL);
	if (!r)
		return false;
	(void)serve(m, r);
	return true;
}

void disk_drain(struct sim_machine *m, struct sim_disk *d, unsigned modes)
{
	struct disk_request *r;
	bool left;

	do {
		while ((r = take_locked(m, modes, d)))
			(void)serve(m, r);
		/* what others serve just now */
		pthread_mutex_lock(&m->io_lock);
		left = m->io_ending || (!d && m->io_jobs);
		for (r = m->io_first; r; r = r->next)
			if ((!d || r->d == d) && (modes & 1u << mode_of(r)))
				left = true;
		pthread_mutex_unlock(&m->io_lock);
		sim_poll();
	} while (left);
}

unsigned sim_disk_step(struct sim_machine *m, unsigned n)
{
	struct disk_request *r;
	unsigned done = 0;

	while (done < n &&
	       (r = take_locked(m, 1u << SIM_DISK_LAZY | 1u << SIM_DISK_HELD,
				NULL))) {
		(void)serve(m, r);
		done++;
	}
	check_balance(sim_self, "sim_disk_step");
	return done;
}

unsigned sim_disk_pending(struct sim_machine *m)
{
	struct disk_request *r;
	unsigned n = 0;

	pthread_mutex_lock(&m->io_lock);
	for (r = m->io_first; r; r = r->next)
		n++;
	pthread_mutex_unlock(&m->io_lock);
	return n;
}

/* ----------------------------------------------------------- the I/O thread */

/* Wait until the time `ns` of quire_host_time_ns(), or a signal. */
static void io_wait(struct sim_machine *m, uint64_t ns)
{
	struct timespec end = {(time_t)(ns / 1000000000),
			       (long)(ns % 1000000000)};

	if (ns == UINT64_MAX)
		pthread_cond_wait(&m->io_cond, &m->io_lock);
	else
		pthread_cond_timedwait(&m->io_cond, &m->io_lock, &end);
}

/* io_lock held: take all that other threads have done. */
static struct io_done *take_done(struct sim_machine *m)
{
	struct io_done *done = m->io_done;

	m->io_done = NULL;
	m->io_done_last = &m->io_done;
	return done;
}

/* What there is to do: a request of a disk, or a list of *done.  False: the end
 * is near, and nothing is left. */
static bool next_work(struct sim_machine *m, struct disk_request **r,
		      struct io_done **done)
{
	struct choice c = {.modes = 1u << SIM_DISK_AUTO};

	cpu_park(sim_self);
	pthread_mutex_lock(&m->io_lock);
	for (;;) {
		*done = take_done(m);
		c.now = m->io_stop ? UINT64_MAX : quire_host_time_ns();
		*r = *done ? NULL : take(m, &c);
		if (*r || *done || (m->io_stop && !m->io_jobs))
			break;
		io_wait(m, c.next);
	}
	pthread_mutex_unlock(&m->io_lock);
	cpu_unpark(sim_self);
	return *r || *done;
}

static void *io_main(void *arg)
{
	struct sim_machine *m = arg;
	struct disk_request *r;
	struct io_done *done, *next;

	sim_bind(m, m->nr_cpus);
	while (next_work(m, &r, &done)) {
		if (r)
			(void)serve(m, r);
		for (; done; done = next) {
			next = done->next;
			done->end(done);
		}
		check_balance(sim_self, "the end of a request");
	}
	sim_unbind();
	return NULL;
}

int sim_io_start(struct sim_machine *m)
{
	m->io_stop = false;
	if (pthread_create(&m->io_thread, NULL, io_main, m))
		return -ENOMEM;
	pthread_mutex_lock(&m->io_lock);
	m->io_running = true;
	pthread_mutex_unlock(&m->io_lock);
	return 0;
}

void sim_io_stop(struct sim_machine *m)
{
	if (!m->io_running)
		return;
	pthread_mutex_lock(&m->io_lock);
	m->io_stop = true;
	pthread_cond_signal(&m->io_cond);
	pthread_mutex_unlock(&m->io_lock);
	if (sim_self)
		cpu_park(sim_self);
	pthread_join(m->io_thread, NULL);
	if (sim_self)
		cpu_unpark(sim_self);
	m->io_running = false;
}

void sim_io_forget(struct sim_machine *m)
{
	struct disk_request *r;

	while ((r = m->io_first)) {
		m->io_first = r->next;
		free(r);
	}
	m->io_last = &m->io_first;
}

/* -------------------------------------------------------------------- life */

void disk_init(struct sim_disk *d, struct sim_machine *m, const char *name)
{
	memset(d, 0, sizeof(*d));
	d->m = m;
	d->name = name;
	d->fd = -1;
	d->rng = 1;
	d->unsafe_last = &d->unsafe;
	pthread_mutex_init(&d->lock, NULL);
}

void disk_destroy(struct sim_disk *d)
{
	unsigned left;

	/* whoever has ended the last page is about to leave */
	do {
		pthread_mutex_lock(&d->m->io_lock);
		left = d->ending;
		pthread_mutex_unlock(&d->m->io_lock);
		sim_poll();
	} while (left);
	store_forget_unsafe(d);
	if (d->fd >= 0)
		close(d->fd);
	pthread_mutex_destroy(&d->lock);
	free(d->data);
	free(d->safe);
}

int disk_configure(struct sim_disk *d, const struct sim_disk_config *config)
{
	int err = 0;

	pthread_mutex_lock(&d->m->io_lock);
	pthread_mutex_lock(&d->lock);
	d->config = *config;
	if (config->seed) {
		d->rng = config->seed * 2 + 1;
		d->m->io_rng = config->seed * 0x9e3779b97f4a7c15ull | 1;
	}
	if (config->write_cache && !d->safe)
		err = store_make_safe(d);
	pthread_cond_signal(&d->m->io_cond);
	pthread_mutex_unlock(&d->lock);
	pthread_mutex_unlock(&d->m->io_lock);
	return err;
}

void disk_get_config(struct sim_disk *d, struct sim_disk_config *config)
{
	pthread_mutex_lock(&d->lock);
	*config = d->config;
	pthread_mutex_unlock(&d->lock);
}
