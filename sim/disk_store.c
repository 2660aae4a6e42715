/* SPDX-License-Identifier: MIT */
/*
 * What a simulated disk holds, in memory or in a host file; which of it a power
 * failure spares; and which pages cannot be read or written.
 *
 *   memory  ->  completed  ->  flushed       what a power failure leaves:
 *               (data,         (safe)        safe, any blocks of unsafe when
 *                unsafe)                     SIM_CRASH_LOSE, and of requests
 *                                            under way when SIM_CRASH_TEAR
 *
 * Requests, and when they are served, are sim/disk.c's.
 *
 * Locks: disk->lock guards all of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sim/disk_store.h>

/* ---------------------------------------------------------------- contents */

uint8_t sim_file_byte(uint64_t seed, uint64_t off)
{
	uint64_t x;

	if (!seed)
		return 0;
	x = (off / 8 + 1) * 0x9e3779b97f4a7c15ull ^
	    seed * 0xbf58476d1ce4e5b9ull;
	x ^= x >> 29;
	return (uint8_t)(x >> (8 * (off % 8)));
}

/* Bytes [pos, pos + n), all inside: how many could be had, or -errno. */
static ssize_t raw_read(struct sim_disk *d, uint64_t pos, char *buf, size_t n)
{
	ssize_t r;
	size_t k;

	if (d->fd >= 0) {
		do {
			r = pread(d->fd, buf, n, (off_t)pos);
		} while (r < 0 && errno == EINTR);
		return r < 0 ? -errno : r;
	}
	if (d->data)
		memcpy(buf, d->data + pos, n);
	else
		for (k = 0; k < n; k++)
			buf[k] = (char)sim_file_byte(d->seed, pos + k);
	return (ssize_t)n;
}

/* All of it; past `size` and past the device's end: zeroes. lock held. */
int store_read(struct sim_disk *d, uint64_t pos, char *buf, size_t n,
	       uint64_t size)
{
	size_t have = 0;

	memset(buf, 0, n);
	if (size > d->size)
		size = d->size;
	if (pos < size)
		have = size - pos < n ? (size_t)(size - pos) : n;
	while (have) {
		ssize_t r = raw_read(d, pos, buf, have);

		if (r < 0)
			return (int)r;
		if (!r)
			return 0; /* a host file that shrank: zeroes */
		buf += r;
		pos += (uint64_t)r;
		have -= (size_t)r;
	}
	return 0;
}

/* Contents in memory, with zeroed space for `size` bytes. lock held. */
int store_materialise(struct sim_disk *d, uint64_t size)
{
	uint64_t k, room = d->room ? d->room : d->size;
	char *p;

	if (d->data && size <= d->room)
		return 0;
	while (room < size)
		room = room ? 2 * room : DISK_PAGE;
	p = calloc(1, room ? room : 1);
	if (!p)
		return -ENOMEM;
	if (d->data)
		memcpy(p, d->data, d->size);
	else
		for (k = 0; k < d->size; k++)
			p[k] = (char)sim_file_byte(d->seed, k);
	free(d->data);
	d->data = p;
	d->room = room;
	return 0;
}

static int host_write(struct sim_disk *d, uint64_t pos, const char *buf,
		      size_t n)
{
	while (n) {
		ssize_t r = pwrite(d->fd, buf, n, (off_t)pos);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r ? -errno : -ENOSPC;
		buf += r;
		pos += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

/* Remember what a power failure may undo. lock held. */
static int remember(struct sim_disk *d, uint64_t pos, const char *buf, size_t n)
{
	struct disk_unsafe *u = malloc(sizeof(*u) + n);

	if (!u)
		return -ENOSPC;
	u->next = NULL;
	u->pos = pos;
	u->len = n;
	memcpy(u->data, buf, n);
	*d->unsafe_last = u;
	d->unsafe_last = &u->next;
	return 0;
}

int store_write(struct sim_disk *d, uint64_t pos, const char *buf, size_t n)
{
	int err;

	if (d->fd >= 0) {
		err = host_write(d, pos, buf, n);
	} else {
		err = store_materialise(d, pos + n) ? -ENOSPC : 0;
		if (!err && d->config.write_cache)
			err = remember(d, pos, buf, n);
		if (!err)
			memcpy(d->data + pos, buf, n);
	}
	if (!err && pos + n > d->size)
		d->size = pos + n;
	return err;
}

/* ---------------------------------------------------------- what is safe */

void store_forget_unsafe(struct sim_disk *d)
{
	struct disk_unsafe *u;

	while ((u = d->unsafe)) {
		d->unsafe = u->next;
		free(u);
	}
	d->unsafe_last = &d->unsafe;
}

/* All that is completed is safe. lock held. */
int store_make_safe(struct sim_disk *d)
{
	char *p;

	if (!d->config.write_cache)
		return 0;
	p = realloc(d->safe, d->size ? d->size : 1);
	if (!p || store_materialise(d, d->size))
		return -ENOMEM;
	d->safe = p;
	memcpy(p, d->data, d->size);
	d->safe_size = d->size;
	store_forget_unsafe(d);
	return 0;
}

/* Any of the blocks of a write reach the image. */
void store_write_blocks(struct sim_disk *d, char *image, uint64_t *size,
			uint64_t pos, const char *buf, size_t n)
{
	while (n) {
		size_t k = DISK_BLOCK - (size_t)(pos % DISK_BLOCK);

		if (k > n)
			k = n;
		if (sim_random(&d->rng) & 0x100) {
			memcpy(image + pos, buf, k);
			if (pos + k > *size)
				*size = pos + k;
		}
		pos += k;
		buf += k;
		n -= k;
	}
}

/* ----------------------------------------------------------------- trouble */

static int next_trouble(struct disk_trouble *t)
{
	if (t->skip) {
		t->skip--;
		return 0;
	}
	if (!t->count)
		return 0;
	t->count--;
	return t->error;
}

void disk_set_trouble(struct sim_disk *d, struct disk_trouble *which,
		      unsigned skip, unsigned count, int error)
{
	pthread_mutex_lock(&d->lock);
	*which = (struct disk_trouble){skip, count, error};
	pthread_mutex_unlock(&d->lock);
}

int disk_fail_range(struct sim_disk *d, uint64_t start, uint64_t end,
		    bool reads, bool writes, int error)
{
	unsigned k;

	pthread_mutex_lock(&d->lock);
	if (start == end)
		memset(d->bad, 0, sizeof(d->bad));
	for (k = 0; start < end && k < DISK_RANGES; k++) {
		if (d->bad[k].end)
			continue;
		d->bad[k] =
			(struct disk_range){start, end, reads, writes, error};
		start = end;
	}
	pthread_mutex_unlock(&d->lock);
	return start < end ? -ENOSPC : 0;
}

/* What befalls one page of a request. lock held. */
int store_page_trouble(struct sim_disk *d, bool write, uint64_t index)
{
	unsigned i, one_in = write ? d->config.write_error_one_in
				   : d->config.read_error_one_in;
	uint64_t pos = index * DISK_PAGE;
	int err;

	if (d->dead)
		return -EIO;
	err = next_trouble(write ? &d->writes : &d->reads);
	for (i = 0; !err && i < DISK_RANGES; i++) {
		const struct disk_range *b = &d->bad[i];

		if ((write ? b->writes : b->reads) && pos < b->end &&
		    pos + DISK_PAGE > b->start)
			err = b->error;
	}
	if (!err && one_in && (sim_random(&d->rng) >> 20) % one_in == 0)
		err = sim_random(&d->rng) & 0x10000 || !write ? -EIO : -ENOSPC;
	return err;
}

int disk_mkwrite(struct sim_disk *d)
{
	int err;

	pthread_mutex_lock(&d->lock);
	err = next_trouble(&d->mkwrites);
	d->stats.mkwrites++;
	pthread_mutex_unlock(&d->lock);
	return err;
}

int disk_flush(struct sim_disk *d)
{
	unsigned one_in;
	int err;

	pthread_mutex_lock(&d->lock);
	one_in = d->config.flush_error_one_in;
	d->stats.flushes++;
	err = d->dead ? -EIO : next_trouble(&d->flushes);
	if (!err && one_in && (sim_random(&d->rng) >> 20) % one_in == 0)
		err = -EIO;
	if (!err)
		err = store_make_safe(d);
	d->stats.flush_errors += err != 0;
	pthread_mutex_unlock(&d->lock);
	return err;
}

/* -------------------------------------------------------- sizes and holes */

void disk_resize(struct sim_disk *d, uint64_t size)
{
	pthread_mutex_lock(&d->lock);
	if (d->fd >= 0)
		(void)!ftruncate(d->fd, (off_t)size);
	else if (!store_materialise(d, size) && size < d->size)
		memset(d->data + size, 0, d->size - size);
	d->size = size;
	(void)store_make_safe(d);
	pthread_mutex_unlock(&d->lock);
}

int disk_grow(struct sim_disk *d, uint64_t size)
{
	int err = 0;

	pthread_mutex_lock(&d->lock);
	if (size > d->size && !d->dead) {
		if (d->fd >= 0)
			err = ftruncate(d->fd, (off_t)size) ? -errno : 0;
		else
			err = store_materialise(d, size) ? -ENOSPC : 0;
		if (!err)
			d->size = size;
	}
	pthread_mutex_unlock(&d->lock);
	return err;
}

void disk_zero(struct sim_disk *d, uint64_t start, uint64_t end)
{
	static const char zeroes[DISK_PAGE];
	size_t n;

	pthread_mutex_lock(&d->lock);
	if (end > d->size)
		end = d->size;
	for (; start < end; start += n) {
		n = end - start < DISK_PAGE ? (size_t)(end - start) : DISK_PAGE;
		if (store_write(d, start, zeroes, n))
			break;
	}
	(void)store_make_safe(d);
	pthread_mutex_unlock(&d->lock);
}

int disk_peek(struct sim_disk *d, uint64_t pos, void *buf, size_t n)
{
	int err;

	pthread_mutex_lock(&d->lock);
	err = store_read(d, pos, buf, n, UINT64_MAX);
	pthread_mutex_unlock(&d->lock);
	return err;
}
