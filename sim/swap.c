/* SPDX-License-Identifier: MIT */
/*
 * Swap areas of the simulated machine: what all kinds of devices share, and the
 * first of them, a simulated disk.
 *
 *   Quire --ops--> struct sim_swap (the contract is watched) --> kind->submit
 *     ^                                                           disk.c
 *     '------------- swap_end_page() <----------------------------swap/...
 *
 * What is watched, in a byte for each slot:
 *
 *            write                end                 slot_free
 *   FREE ------------> WRITING ---------> WRITTEN ------------------> FREE
 *                         ^  \--error--> FAILED    <---> READING
 *                         '--- write ----'
 *
 * A read of what is FREE or FAILED, two requests at one slot, a slot freed
 * while it is read or written, and a discard of what was not freed are
 * violations.
 *
 * Locks: none; the bytes and counters are atomic, the devices have their own.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <sim/swap_device.h>

enum {
	SLOT_FREE,
	SLOT_WRITING,
	SLOT_WRITTEN,
	SLOT_READING,
	SLOT_FAILED, /* its write was */
};

static const char *state_name(uint8_t state)
{
	static const char *const names[] = {
		[SLOT_FREE] = "free",
		[SLOT_WRITING] = "under write",
		[SLOT_WRITTEN] = "written",
		[SLOT_READING] = "under read",
		[SLOT_FAILED] = "not written, for an error",
	};

	return names[state];
}

void swap_log(struct sim_swap *s, int level, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "swap %s: ", s->kind->name);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	sim_log_line(s->m, level, text, strlen(text));
}

/* ---------------------------------------------------------------- contract */

/* The slot is in this state from now on; what it was in. */
static uint8_t set_state(struct sim_swap *s, uint64_t slot, uint8_t state)
{
	uint8_t was =
		__atomic_exchange_n(&s->state[slot], state, __ATOMIC_ACQ_REL);
	bool has = state == SLOT_WRITTEN || state == SLOT_READING;
	bool had = was == SLOT_WRITTEN || was == SLOT_READING;

	if (has != had)
		swap_count(&s->stats.written, has ? 1 : (uint64_t)-1);
	return was;
}

static void complain(struct sim_swap *s, const char *what, uint64_t slot,
		     uint8_t state)
{
	sim_violation("swap %s: %s of slot %llu, which is %s", s->kind->name,
		      what, (unsigned long long)slot, state_name(state));
}

static bool outside(struct sim_swap *s, const char *what, uint64_t slot,
		    uint64_t n)
{
	if (n && slot < s->slots && n <= s->slots - slot)
		return false;
	sim_violation("swap %s: %s of slots %llu + %llu of %llu", s->kind->name,
		      what, (unsigned long long)slot, (unsigned long long)n,
		      (unsigned long long)s->slots);
	return true;
}

static void begin_page(struct sim_swap *s, bool write, uint64_t slot)
{
	uint8_t was = set_state(s, slot, write ? SLOT_WRITING : SLOT_READING);

	if (write ? was == SLOT_WRITING || was == SLOT_READING
		  : was != SLOT_WRITTEN)
		complain(s, write ? "a write" : "a read", slot, was);
}

void swap_end_page(struct sim_swap *s, bool write, uint64_t slot,
		   struct page *page, int error)
{
	uint8_t was;

	was = set_state(s, slot, write && error ? SLOT_FAILED : SLOT_WRITTEN);
	if (was != (write ? SLOT_WRITING : SLOT_READING))
		complain(s, write ? "the end of a write" : "the end of a read",
			 slot, was);
	swap_count(write ? &s->stats.writes : &s->stats.reads, 1);
	if (error)
		swap_count(write ? &s->stats.write_errors
				 : &s->stats.read_errors,
			   1);
	if (write)
		quire_page_end_write(s->m->q, page, error);
	else
		quire_page_end_read(s->m->q, page, error);
}

/* --------------------------------------------------------------------- ops */

static void submit(struct sim_swap *s, bool write, uint64_t slot,
		   struct page **pages, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		check_handover(sim_self, pages[i]);
	if (outside(s, write ? "a write" : "a read", slot, n)) {
		for (i = 0; i < n; i++)
			write ? quire_page_end_write(s->m->q, pages[i], -EIO)
			      : quire_page_end_read(s->m->q, pages[i], -EIO);
		return;
	}
	for (i = 0; i < n; i++)
		begin_page(s, write, slot + i);
	swap_count(write ? &s->stats.write_requests : &s->stats.read_requests,
		   1);
	s->kind->submit(s, write, slot, pages, n);
}

static void op_write(void *device, uint64_t slot, struct page **pages,
		     unsigned n)
{
#ifdef QUIRE_DEBUG
	quire_host_debug_might_sleep("quire_swap_ops.write");
#endif
	submit(device, true, slot, pages, n);
}

static void op_read(void *device, uint64_t slot, struct page **pages,
		    unsigned n)
{
#ifdef QUIRE_DEBUG
	quire_host_debug_might_sleep("quire_swap_ops.read");
#endif
	submit(device, false, slot, pages, n);
}

static void op_slot_free(void *device, uint64_t slot)
{
	struct sim_swap *s = device;
	uint8_t was;

	if (outside(s, "slot_free", slot, 1))
		return;
	if (s->kind->slot_free)
		s->kind->slot_free(s, slot);
	was = set_state(s, slot, SLOT_FREE);
	if (was == SLOT_WRITING || was == SLOT_READING)
		complain(s, "slot_free", slot, was);
	swap_count(&s->stats.slot_frees, 1);
}

static void op_discard(void *device, uint64_t slot, uint64_t n)
{
	struct sim_swap *s = device;
	uint64_t i;
	uint8_t state;

#ifdef QUIRE_DEBUG
	quire_host_debug_might_sleep("quire_swap_ops.discard");
#endif
	if (outside(s, "a discard", slot, n))
		return;
	for (i = slot; i < slot + n; i++) {
		state = __atomic_load_n(&s->state[i], __ATOMIC_ACQUIRE);
		if (state != SLOT_FREE)
			complain(s, "a discard", i, state);
	}
	if (s->kind->discard)
		s->kind->discard(s, slot, n);
	if (s->area >= 0)
		swap_count(&s->stats.discards, n);
}

const struct quire_swap_ops sim_swap_ops = {
	.write = op_write,
	.read = op_read,
	.slot_free = op_slot_free,
	.discard = op_discard,
};

/* -------------------------------------------------------------------- jobs */

static void end_job(struct swap_job *job)
{
	struct sim_swap *s = job->s;
	struct sim_machine *m = s->m;
	unsigned i;

	for (i = 0; i < job->n; i++)
		swap_end_page(s, job->write, job->slot + i, job->part[i].page,
			      job->part[i].error);
	free(job->own);
	free(job);
	/* from here on the device may go */
	__atomic_fetch_sub(&s->jobs, 1u, __ATOMIC_RELEASE);
	pthread_mutex_lock(&m->io_lock);
	m->io_jobs--;
	pthread_cond_signal(&m->io_cond);
	pthread_mutex_unlock(&m->io_lock);
}

static void job_end(struct io_done *io)
{
	end_job((struct swap_job *)(void *)io);
}

static struct swap_job *job_new(struct sim_swap *s, unsigned n)
{
	struct swap_job *job =
		calloc(1, sizeof(*job) + n * sizeof(struct swap_part));
	struct sim_machine *m = s->m;

	if (!job)
		return NULL;
	job->io.end = job_end;
	job->s = s;
	job->n = n;
	__atomic_fetch_add(&s->jobs, 1u, __ATOMIC_RELAXED);
	pthread_mutex_lock(&m->io_lock);
	m->io_jobs++;
	job->waited = !m->io_running;
	pthread_mutex_unlock(&m->io_lock);
	return job;
}

struct swap_job *swap_job_new(struct sim_swap *s, bool write, uint64_t slot,
			      struct page **pages, unsigned n)
{
	struct swap_job *job = job_new(s, n);
	unsigned i;

	if (!job) {
		for (i = 0; i < n; i++)
			swap_end_page(s, write, slot + i, pages[i], -ENOMEM);
		return NULL;
	}
	job->write = write;
	job->slot = slot;
	job->slots = n;
	for (i = 0; i < n; i++) {
		job->part[i].page = pages[i];
		job->part[i].mem = quire_page_address(s->m->q, pages[i]);
	}
	return job;
}

struct swap_job *swap_job_discard(struct sim_swap *s, uint64_t slot, uint64_t n)
{
	struct swap_job *job = job_new(s, 0);

	if (!job)
		return NULL;
	job->discard = true;
	job->waited = true;
	job->slot = slot;
	job->slots = n;
	return job;
}

void swap_job_done(struct swap_job *job)
{
	struct sim_machine *m = job->s->m;

	pthread_mutex_lock(&m->io_lock);
	if (job->waited) {
		job->done = true;
		pthread_cond_broadcast(&m->io_job_cond);
	} else {
		job->io.next = NULL;
		*m->io_done_last = &job->io;
		m->io_done_last = &job->io.next;
		pthread_cond_signal(&m->io_cond);
	}
	pthread_mutex_unlock(&m->io_lock);
}

void swap_job_fail(struct swap_job *job, int error)
{
	unsigned i;

	for (i = 0; i < job->n; i++)
		job->part[i].error = error;
	end_job(job);
}

void swap_job_wait(struct swap_job *job, bool waited)
{
	struct sim_machine *m;

	if (!waited)
		return;
	m = job->s->m;
	cpu_park(sim_self);
	pthread_mutex_lock(&m->io_lock);
	while (!job->done)
		pthread_cond_wait(&m->io_job_cond, &m->io_lock);
	pthread_mutex_unlock(&m->io_lock);
	cpu_unpark(sim_self);
	end_job(job);
}

/* -------------------------------------------------------------------- life */

static void swap_free_device(struct sim_swap *s)
{
	/* whoever has ended the last page is about to leave */
	while (__atomic_load_n(&s->jobs, __ATOMIC_ACQUIRE))
		sim_poll();
	if (s->device)
		s->kind->close(s);
	free(s->state);
	free(s);
}

int sim_swapon(struct sim_machine *m, const struct sim_swap_config *config)
{
	struct quire_swap_config qc = {
		.ops = &sim_swap_ops,
		.first = config->first,
		.priority = config->priority,
		.bad = config->bad,
		.nr_bad = config->nr_bad,
	};
	struct sim_swap *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->m = m;
	s->kind = config->kind ? config->kind : &sim_swap_disk;
	s->slots = config->slots;
	s->area = -1;
	err = s->kind->open(s, config);
	if (err)
		goto fail;
	err = -ENOMEM;
	s->state = calloc(s->slots ? s->slots : 1, 1);
	if (!s->state)
		goto fail;
	qc.device = s;
	qc.slots = s->slots;
	qc.flags = config->flags | s->kind->flags;
	err = quire_swapon(m->q, &qc);
	if (err < 0)
		goto fail;
	s->area = err;
	m->swap[s->area] = s;
	return s->area;
fail:
	swap_free_device(s);
	return err;
}

int sim_swapoff(struct sim_machine *m, unsigned area)
{
	struct sim_swap *s = area < QUIRE_MAX_SWAP_AREAS ? m->swap[area] : NULL;
	int err;

	err = quire_swapoff(m->q, area);
	if (err || !s)
		return err;
	m->swap[area] = NULL;
	swap_free_device(s);
	return 0;
}

unsigned sim_swap_close_all(struct sim_machine *m)
{
	unsigned i, left = 0;

	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		if (m->swap[i] && sim_swapoff(m, i))
			left++;
	return left;
}

void sim_swap_forget(struct sim_machine *m)
{
	unsigned i;

	/* its threads may still be at work: theirs is never freed */
	for (i = 0; i < QUIRE_MAX_SWAP_AREAS; i++)
		if (m->swap[i] && m->swap[i]->kind == &sim_swap_disk)
			swap_free_device(m->swap[i]);
}

void sim_swap_get_stats(struct sim_machine *m, unsigned area,
			struct sim_swap_stats *out)
{
	struct sim_swap *s = m->swap[area];
	const uint64_t *from = (const uint64_t *)(const void *)&s->stats;
	uint64_t *to = (uint64_t *)(void *)out;
	size_t i;

	for (i = 0; i < sizeof(*out) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	if (s->kind->get_stats)
		s->kind->get_stats(s, out);
}

/* ------------------------------------------------------- the simulated disk */

static void disk_swap_end(struct sim_disk *d, bool write, uint64_t index,
			  struct page *page, int error)
{
	swap_end_page(d->owner, write, index, page, error);
}

static int disk_swap_open(struct sim_swap *s,
			  const struct sim_swap_config *config)
{
	struct sim_disk_config c = config->disk;
	struct sim_disk *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (!s->slots)
		s->slots = 4096;
	if (config->flags & QUIRE_SWAP_SYNC)
		c.mode = SIM_DISK_NOW;
	disk_init(d, s->m, "swap");
	d->owner = s;
	d->end = disk_swap_end;
	s->device = d;
	d->size = d->room = s->slots * SLOT_BYTES;
	d->data = calloc(s->slots, SLOT_BYTES);
	return d->data ? disk_configure(d, &c) : -ENOMEM;
}

static void disk_swap_close(struct sim_swap *s)
{
	struct sim_disk *d = s->device;

	disk_destroy(d);
	free(d);
}

static void disk_swap_submit(struct sim_swap *s, bool write, uint64_t slot,
			     struct page **pages, unsigned n)
{
	disk_submit_at(s->device, write, slot, pages, n);
}

static void disk_swap_discard(struct sim_swap *s, uint64_t slot, uint64_t n)
{
	disk_zero(s->device, slot * SLOT_BYTES, (slot + n) * SLOT_BYTES);
}

const struct sim_swap_kind sim_swap_disk = {
	.name = "disk",
	.open = disk_swap_open,
	.close = disk_swap_close,
	.submit = disk_swap_submit,
	.discard = disk_swap_discard,
};

static struct sim_disk *disk_of(struct sim_machine *m, unsigned area)
{
	struct sim_swap *s = area < QUIRE_MAX_SWAP_AREAS ? m->swap[area] : NULL;

	if (!s || s->kind != &sim_swap_disk)
		abort();
	return s->device;
}

int sim_swap_configure(struct sim_machine *m, unsigned area,
		       const struct sim_disk_config *config)
{
	return disk_configure(disk_of(m, area), config);
}

void sim_swap_fail_reads(struct sim_machine *m, unsigned area, unsigned skip,
			 unsigned count, int error)
{
	struct sim_disk *d = disk_of(m, area);

	disk_set_trouble(d, &d->reads, skip, count, error);
}

void sim_swap_fail_writes(struct sim_machine *m, unsigned area, unsigned skip,
			  unsigned count, int error)
{
	struct sim_disk *d = disk_of(m, area);

	disk_set_trouble(d, &d->writes, skip, count, error);
}

int sim_swap_fail_range(struct sim_machine *m, unsigned area, uint64_t start,
			uint64_t end, bool reads, bool writes, int error)
{
	return disk_fail_range(disk_of(m, area), start * SLOT_BYTES,
			       end * SLOT_BYTES, reads, writes, error);
}

void sim_swap_die(struct sim_machine *m, unsigned area)
{
	disk_die(disk_of(m, area));
}
