/* SPDX-License-Identifier: MIT */
/*
 * Files of the simulated machine: a "disk" of memory or a host file under
 * Quire's page cache, with errors, latency and short reads on request.
 *
 *   sim_file (an open: struct quire_file, counted)
 *      -> sim_inode (address_space, device contents, injected trouble)
 *
 * With config.io_thread a read is queued and a thread of its own, bound to an
 * extra CPU, completes it, as a disk's interrupt does; otherwise readpage
 * completes before it returns.
 *
 * Locks: inode->lock guards the device's contents and the injection counters;
 * machine->lock the list of files.  Neither is held when Quire is called.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sim/internal.h>

struct sim_trouble {
	unsigned skip, count;
	int error;
};

struct sim_inode {
	struct sim_machine *m;
	struct address_space *as; /* NULL: /dev/zero */
	char name[4096];
	uint64_t ino;
	unsigned refs; /* opens; under machine->lock */

	pthread_mutex_t lock;
	int fd;	       /* host file, or -1 */
	char *data;    /* contents; NULL while they are what seed gives */
	uint64_t size; /* of the device */
	uint64_t seed;
	struct sim_trouble read_trouble, write_trouble;
	unsigned latency_us, short_bytes;
	struct sim_file_stats stats;
};

struct sim_file {
	struct quire_file qf; /* first */
	struct sim_inode *inode;
	uint32_t refs; /* atomic */
	bool closed;   /* the caller's reference is gone */
	struct sim_file *next;
};

struct sim_io {
	struct sim_inode *inode;
	struct page *page;
	struct sim_io *next;
};

/* -------------------------------------------------------------- the device */

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

static int trouble(struct sim_trouble *t)
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

/* Bytes [pos, pos + n) of the device as it is: what could be had, or -errno. */
static ssize_t raw_read(struct sim_inode *i, uint64_t pos, char *buf, size_t n)
{
	ssize_t r;
	size_t k;

	if (i->fd >= 0) {
		do {
			r = pread(i->fd, buf, n, (off_t)pos);
		} while (r < 0 && errno == EINTR);
		return r < 0 ? -errno : r;
	}
	if (i->data)
		memcpy(buf, i->data + pos, n);
	else
		for (k = 0; k < n; k++)
			buf[k] = (char)sim_file_byte(i->seed, pos + k);
	return (ssize_t)n;
}

/* A whole read, in pieces of at most short_bytes; past the end: zeroes.
 * lock held. */
static int dev_read(struct sim_inode *i, uint64_t pos, char *buf, size_t n)
{
	size_t have = 0;

	memset(buf, 0, n);
	if (pos < i->size)
		have = i->size - pos < n ? (size_t)(i->size - pos) : n;
	while (have) {
		size_t piece = have;
		ssize_t r;

		if (i->short_bytes && piece > i->short_bytes)
			piece = i->short_bytes;
		r = raw_read(i, pos, buf, piece);
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

/* Contents in memory, at least so large. lock held. */
static int materialise(struct sim_inode *i, uint64_t size)
{
	uint64_t k, want = size > i->size ? size : i->size;
	char *p = calloc(1, want ? want : 1);

	if (!p)
		return -ENOMEM;
	if (i->data)
		memcpy(p, i->data, i->size);
	else
		for (k = 0; k < i->size; k++)
			p[k] = (char)sim_file_byte(i->seed, k);
	free(i->data);
	i->data = p;
	i->size = want;
	return 0;
}

static int dev_write(struct sim_inode *i, uint64_t pos, const char *buf,
		     size_t n)
{
	if (i->fd >= 0) {
		if (pwrite(i->fd, buf, n, (off_t)pos) != (ssize_t)n)
			return -EIO;
		if (pos + n > i->size)
			i->size = pos + n;
		return 0;
	}
	if ((!i->data || pos + n > i->size) && materialise(i, pos + n))
		return -ENOSPC;
	memcpy(i->data + pos, buf, n);
	return 0;
}

/* ------------------------------------------------------- address_space ops */

static void complete_read(struct sim_inode *i, struct page *page)
{
	struct quire *q = i->m->q;
	int error;

	if (i->latency_us)
		usleep(i->latency_us);
	pthread_mutex_lock(&i->lock);
	i->stats.reads++;
	error = trouble(&i->read_trouble);
	if (!error)
		error = dev_read(i, quire_page_index(page) * 4096,
				 quire_page_address(q, page), 4096);
	pthread_mutex_unlock(&i->lock);
	quire_page_end_read(q, page, error);
}

static int file_readpage(struct address_space *as, struct quire_file *file,
			 struct page *page)
{
	struct sim_inode *i = quire_mapping_host(as);
	struct sim_machine *m = i->m;
	struct sim_io *io;

	(void)file;
	if (!m->io_running) {
		complete_read(i, page);
		return 0;
	}
	io = malloc(sizeof(*io));
	if (!io) {
		quire_page_end_read(m->q, page, -ENOMEM);
		return 0;
	}
	*io = (struct sim_io){i, page, NULL};
	check_handover(sim_self, page);
	pthread_mutex_lock(&m->io_lock);
	*m->io_last = io;
	m->io_last = &io->next;
	pthread_cond_signal(&m->io_cond);
	pthread_mutex_unlock(&m->io_lock);
	return 0;
}

static int file_writepage(struct address_space *as, struct page *page)
{
	struct sim_inode *i = quire_mapping_host(as);
	uint64_t pos = quire_page_index(page) * 4096;
	uint64_t size = quire_mapping_get_size(as);
	size_t n = 0;
	int error;

	if (pos < size)
		n = size - pos < 4096 ? (size_t)(size - pos) : 4096;
	pthread_mutex_lock(&i->lock);
	i->stats.writes++;
	error = trouble(&i->write_trouble);
	if (!error && n)
		error = dev_write(i, pos, quire_page_address(i->m->q, page), n);
	pthread_mutex_unlock(&i->lock);
	quire_page_end_write(i->m->q, page, error);
	return 0;
}

static const struct quire_aops sim_aops = {
	.readpage = file_readpage,
	.writepage = file_writepage,
};

/* ----------------------------------------------------------- the I/O thread */

static struct sim_io *next_io(struct sim_machine *m)
{
	struct sim_io *io;

	cpu_park(sim_self);
	pthread_mutex_lock(&m->io_lock);
	while (!m->io_first && !m->io_stop)
		pthread_cond_wait(&m->io_cond, &m->io_lock);
	io = m->io_first;
	if (io) {
		m->io_first = io->next;
		if (!m->io_first)
			m->io_last = &m->io_first;
	}
	pthread_mutex_unlock(&m->io_lock);
	cpu_unpark(sim_self);
	return io;
}

static void *io_main(void *arg)
{
	struct sim_machine *m = arg;
	struct sim_io *io;

	sim_bind(m, m->nr_cpus);
	while ((io = next_io(m))) {
		complete_read(io->inode, io->page);
		check_balance(sim_self, "quire_page_end_read");
		free(io);
	}
	sim_unbind();
	return NULL;
}

int sim_io_start(struct sim_machine *m)
{
	m->io_last = &m->io_first;
	m->io_stop = false;
	if (pthread_create(&m->io_thread, NULL, io_main, m))
		return -ENOMEM;
	m->io_running = true;
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
	pthread_join(m->io_thread, NULL);
	m->io_running = false;
}

/* ------------------------------------------------------------ life of files */

static void inode_free(struct sim_inode *i)
{
	if (i->as) {
		quire_mapping_destroy(i->as);
		free(i->as);
	}
	if (i->fd >= 0)
		close(i->fd);
	pthread_mutex_destroy(&i->lock);
	free(i->data);
	free(i);
}

static void file_free(struct sim_file *f)
{
	struct sim_machine *m = f->inode->m;
	struct sim_file **p;
	bool last;

	pthread_mutex_lock(&m->lock);
	for (p = &m->files; *p != f; p = &(*p)->next)
		;
	*p = f->next;
	last = --f->inode->refs == 0;
	pthread_mutex_unlock(&m->lock);
	if (last)
		inode_free(f->inode);
	free(f);
}

static void file_get(struct quire_file *qf)
{
	struct sim_file *f = (struct sim_file *)(void *)qf;

	if (!__atomic_fetch_add(&f->refs, 1u, __ATOMIC_RELAXED))
		sim_violation("file %s: reference taken after the last was "
			      "dropped",
			      f->inode->name);
	__atomic_fetch_add(&f->inode->stats.gets, 1, __ATOMIC_RELAXED);
}

static void file_put(struct quire_file *qf)
{
	struct sim_file *f = (struct sim_file *)(void *)qf;

#ifdef QUIRE_DEBUG
	quire_host_debug_might_sleep("quire_file_ops.put");
#endif
	__atomic_fetch_add(&f->inode->stats.puts, 1, __ATOMIC_RELAXED);
	if (!__atomic_sub_fetch(&f->refs, 1u, __ATOMIC_ACQ_REL)) {
		if (!f->closed)
			sim_violation("file %s: more references dropped than "
				      "taken",
				      f->inode->name);
		file_free(f);
	}
}

static const struct quire_file_ops sim_file_ops = {
	.get = file_get,
	.put = file_put,
};

static struct sim_inode *inode_create(struct sim_machine *m, const char *name)
{
	struct sim_inode *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->m = m;
	i->fd = -1;
	snprintf(i->name, sizeof(i->name), "%s", name);
	pthread_mutex_init(&i->lock, NULL);
	return i;
}

static struct sim_file *file_open(struct sim_inode *i)
{
	struct sim_machine *m = i->m;
	struct sim_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->qf.ops = &sim_file_ops;
	f->qf.mapping = i->as;
	f->qf.readable = true;
	f->qf.writable = true;
	f->inode = i;
	f->refs = 1;
	pthread_mutex_lock(&m->lock);
	i->refs++;
	if (!i->ino)
		i->ino = ++m->next_inode;
	f->next = m->files;
	m->files = f;
	pthread_mutex_unlock(&m->lock);
	return f;
}

/* An inode with an address_space and its first open; i may be NULL. */
static struct sim_file *file_new(struct sim_inode *i, bool shmem)
{
	struct sim_file *f;

	if (!i)
		return NULL;
	i->as = calloc(1, quire_mapping_size());
	if (!i->as) {
		inode_free(i);
		return NULL;
	}
	if (shmem)
		quire_mapping_init_shmem(i->m->q, i->as, i, i->size);
	else
		quire_mapping_init(i->m->q, i->as, &sim_aops, i, i->size);
	f = file_open(i);
	if (!f)
		inode_free(i);
	return f;
}

struct sim_file *sim_file_create(struct sim_machine *m, const char *name,
				 uint64_t size, uint64_t seed)
{
	struct sim_inode *i = inode_create(m, name);

	if (i) {
		i->size = size;
		i->seed = seed;
	}
	return file_new(i, false);
}

struct sim_file *sim_file_shmem(struct sim_machine *m, const char *name,
				uint64_t size)
{
	struct sim_inode *i = inode_create(m, name);

	if (i)
		i->size = size;
	return file_new(i, true);
}

struct sim_file *sim_file_open_host(struct sim_machine *m, const char *path,
				    bool write)
{
	int fd = open(path, write ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC);
	struct sim_inode *i;
	struct sim_file *f;
	struct stat st;

	if (fd < 0)
		return NULL;
	i = fstat(fd, &st) ? NULL : inode_create(m, path);
	if (!i) {
		close(fd);
		return NULL;
	}
	i->fd = fd;
	i->size = (uint64_t)st.st_size;
	i->ino = (uint64_t)st.st_ino;
	f = file_new(i, false);
	if (f)
		f->qf.writable = write;
	return f;
}

struct sim_file *sim_file_zero_dev(struct sim_machine *m)
{
	struct sim_inode *i = inode_create(m, "/dev/zero");
	struct sim_file *f;

	if (!i)
		return NULL;
	f = file_open(i);
	if (f)
		f->qf.is_zero_dev = true;
	else
		inode_free(i);
	return f;
}

struct sim_file *sim_file_reopen(struct sim_file *f, bool readable,
				 bool writable)
{
	struct sim_file *n = file_open(f->inode);

	if (!n)
		return NULL;
	n->qf.readable = readable;
	n->qf.writable = writable;
	return n;
}

void sim_file_close(struct sim_file *f)
{
	f->closed = true;
	if (!__atomic_sub_fetch(&f->refs, 1u, __ATOMIC_ACQ_REL))
		file_free(f);
}

unsigned sim_files_close_all(struct sim_machine *m)
{
	unsigned leaked = 0;

	while (m->files) {
		struct sim_file *f = m->files;

		if (f->closed || f->refs != 1) {
			fprintf(stderr, "sim: %u references to %s leaked\n",
				f->refs - !f->closed, f->inode->name);
			leaked++;
		}
		file_free(f);
	}
	return leaked;
}

/* ---------------------------------------------------------------- accessors */

struct quire_file *sim_file_quire(struct sim_file *f)
{
	return &f->qf;
}
struct address_space *sim_file_mapping(struct sim_file *f)
{
	return f->inode->as;
}
unsigned sim_file_refs(struct sim_file *f)
{
	return __atomic_load_n(&f->refs, __ATOMIC_RELAXED);
}

static size_t copy_to_buf(void *cookie, void *kaddr, size_t done, size_t n)
{
	sim_copy_out((char *)cookie + done, kaddr, n);
	return n;
}

static size_t copy_from_buf(void *cookie, void *kaddr, size_t done, size_t n)
{
	sim_copy_in(kaddr, (char *)cookie + done, n);
	return n;
}

long sim_file_read(struct sim_file *f, uint64_t pos, void *buf, size_t n)
{
	long r = quire_mapping_read(f->inode->as, &f->qf, pos, n, copy_to_buf,
				    buf);

	check_balance(sim_self, "quire_mapping_read");
	return r;
}

long sim_file_write(struct sim_file *f, uint64_t pos, const void *buf, size_t n)
{
	long r = quire_mapping_write(f->inode->as, &f->qf, pos, n,
				     copy_from_buf, (void *)(uintptr_t)buf);

	check_balance(sim_self, "quire_mapping_write");
	return r;
}

void sim_file_truncate(struct sim_file *f, uint64_t size)
{
	struct sim_inode *i = f->inode;

	pthread_mutex_lock(&i->lock);
	if (i->fd >= 0)
		(void)!ftruncate(i->fd, (off_t)size);
	else if (size > i->size || !i->data)
		(void)materialise(i, size);
	if (i->data && size < i->size)
		memset(i->data + size, 0, i->size - size);
	i->size = size;
	pthread_mutex_unlock(&i->lock);
	quire_mapping_set_size(i->as, size);
	check_balance(sim_self, "quire_mapping_set_size");
}

void sim_file_peek(struct sim_file *f, uint64_t pos, void *buf, size_t n)
{
	pthread_mutex_lock(&f->inode->lock);
	(void)dev_read(f->inode, pos, buf, n);
	pthread_mutex_unlock(&f->inode->lock);
}

void sim_file_set_perm(struct sim_file *f, bool readable, bool writable,
		       bool noexec)
{
	f->qf.readable = readable;
	f->qf.writable = writable;
	f->qf.noexec = noexec;
}

void sim_file_get_stats(struct sim_file *f, struct sim_file_stats *out)
{
	pthread_mutex_lock(&f->inode->lock);
	out->reads = f->inode->stats.reads;
	out->writes = f->inode->stats.writes;
	out->gets = __atomic_load_n(&f->inode->stats.gets, __ATOMIC_RELAXED);
	out->puts = __atomic_load_n(&f->inode->stats.puts, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&f->inode->lock);
}

void sim_file_fail_reads(struct sim_file *f, unsigned skip, unsigned count,
			 int error)
{
	pthread_mutex_lock(&f->inode->lock);
	f->inode->read_trouble = (struct sim_trouble){skip, count, error};
	pthread_mutex_unlock(&f->inode->lock);
}

void sim_file_fail_writes(struct sim_file *f, unsigned skip, unsigned count,
			  int error)
{
	pthread_mutex_lock(&f->inode->lock);
	f->inode->write_trouble = (struct sim_trouble){skip, count, error};
	pthread_mutex_unlock(&f->inode->lock);
}

void sim_file_latency(struct sim_file *f, unsigned microseconds)
{
	f->inode->latency_us = microseconds;
}

void sim_file_short_reads(struct sim_file *f, unsigned bytes)
{
	f->inode->short_bytes = bytes;
}

/* ------------------------------------------------------- host.h: the names */

size_t quire_host_maps_name(struct quire_file *file, char *buf, size_t cap)
{
	struct sim_file *f = (struct sim_file *)(void *)file;
	size_t n = strlen(f->inode->name);

	if (n > cap)
		n = cap;
	memcpy(buf, f->inode->name, n);
	return n;
}

void quire_host_file_id(struct quire_file *file, uint32_t *major,
			uint32_t *minor, uint64_t *inode)
{
	struct sim_file *f = (struct sim_file *)(void *)file;

	*major = 8;
	*minor = 1;
	*inode = f->inode->ino;
}
