/* SPDX-License-Identifier: MIT */
/*
 * Files of the simulated machine: a simulated disk (disk.c) or a host file
 * under Quire's page cache.
 *
 *   sim_file (an open: struct quire_file, counted)
 *      -> sim_inode (address_space, sim_disk)
 *
 * Locks: inode->change is what a file system's inode lock is: one write(),
 * truncation or punch at a time; it is held while Quire is called, so who
 * waits for it stops answering IPIs by himself (parks).  machine->lock guards
 * the list of files.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sim/disk.h>

struct sim_inode {
	struct sim_machine *m;
	struct address_space *as; /* NULL: /dev/zero */
	char name[4096];
	bool shmem; /* nothing is on the disk */
	uint64_t ino;
	unsigned refs; /* opens; under machine->lock */

	struct sim_disk disk;
	pthread_mutex_t change;
	uint64_t gets, puts, time_updates; /* atomic */
};

struct sim_file {
	struct quire_file qf; /* first */
	struct sim_inode *inode;
	uint32_t refs; /* atomic */
	bool closed;   /* the caller's reference is gone */
	struct sim_file *next;
};

static void change_lock(struct sim_inode *i)
{
	cpu_park(sim_self);
	pthread_mutex_lock(&i->change);
	cpu_unpark(sim_self);
}

static void change_unlock(struct sim_inode *i)
{
	pthread_mutex_unlock(&i->change);
}

/* ------------------------------------------------------- address_space ops */

static int file_readpage(struct address_space *as, struct quire_file *file,
			 struct page *page)
{
	struct sim_inode *i = quire_mapping_host(as);

	(void)file;
	disk_submit(&i->disk, false, &page, 1);
	return 0;
}

static void file_readahead(struct address_space *as, struct quire_file *file,
			   struct page **pages, unsigned n)
{
	struct sim_inode *i = quire_mapping_host(as);

	(void)file;
	disk_submit(&i->disk, false, pages, n);
}

static int file_writepage(struct address_space *as, struct page *page)
{
	struct sim_inode *i = quire_mapping_host(as);

	disk_submit(&i->disk, true, &page, 1);
	return 0;
}

static void file_writepages(struct address_space *as, struct page **pages,
			    unsigned n)
{
	struct sim_inode *i = quire_mapping_host(as);

	disk_submit(&i->disk, true, pages, n);
}

static int file_mkwrite(struct address_space *as, struct page *page)
{
	struct sim_inode *i = quire_mapping_host(as);

	(void)page;
	return disk_mkwrite(&i->disk);
}

static const struct quire_aops sim_aops = {
	.readpage = file_readpage,
	.readahead = file_readahead,
	.writepage = file_writepage,
	.writepages = file_writepages,
	.page_mkwrite = file_mkwrite,
};

/* ------------------------------------------------------------ life of files */

static void inode_free(struct sim_inode *i)
{
	if (i->as) {
		/* the last one out takes care of what is not stored yet */
		quire_mapping_sync(i->as, 0, UINT64_MAX, QUIRE_SYNC_START);
		/* what only the test would complete, it will not any more */
		disk_drain(i->m, &i->disk, DISK_ALL_MODES);
		quire_mapping_destroy(i->as);
		free(i->as);
	}
	disk_destroy(&i->disk);
	pthread_mutex_destroy(&i->change);
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
	__atomic_fetch_add(&f->inode->gets, 1, __ATOMIC_RELAXED);
}

static void file_put(struct quire_file *qf)
{
	struct sim_file *f = (struct sim_file *)(void *)qf;

#ifdef QUIRE_DEBUG
	quire_host_debug_might_sleep("quire_file_ops.put");
#endif
	__atomic_fetch_add(&f->inode->puts, 1, __ATOMIC_RELAXED);
	if (!__atomic_sub_fetch(&f->refs, 1u, __ATOMIC_ACQ_REL)) {
		if (!f->closed)
			sim_violation("file %s: more references dropped than "
				      "taken",
				      f->inode->name);
		file_free(f);
	}
}

static int file_fsync(struct quire_file *qf, uint64_t start, uint64_t end,
		      bool datasync)
{
	struct sim_inode *i = ((struct sim_file *)(void *)qf)->inode;
	int err = 0;

	(void)start;
	(void)end;
	(void)datasync;
	/* a write that made it longer may not have been stored: punched since
	 */
	if (!i->shmem)
		err = disk_grow(&i->disk, quire_mapping_get_size(i->as));
	return err ? err : disk_flush(&i->disk);
}

static void file_update_time(struct quire_file *qf)
{
	struct sim_file *f = (struct sim_file *)(void *)qf;

	__atomic_fetch_add(&f->inode->time_updates, 1, __ATOMIC_RELAXED);
}

static int file_punch(struct quire_file *qf, uint64_t start, uint64_t end)
{
	struct sim_file *f = (struct sim_file *)(void *)qf;

	sim_file_punch(f, start, end);
	return 0;
}

static const struct quire_file_ops sim_file_ops = {
	.get = file_get,
	.put = file_put,
	.fsync = file_fsync,
	.update_time = file_update_time,
	.punch = file_punch,
};

static struct sim_inode *inode_create(struct sim_machine *m, const char *name)
{
	struct sim_inode *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->m = m;
	snprintf(i->name, sizeof(i->name), "%s", name);
	disk_init(&i->disk, m, i->name);
	pthread_mutex_init(&i->change, NULL);
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
	quire_file_opened(&f->qf);
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
	i->shmem = shmem;
	if (shmem)
		quire_mapping_init_shmem(i->m->q, i->as, i, i->disk.size);
	else
		quire_mapping_init(i->m->q, i->as, &sim_aops, i, i->disk.size);
	i->disk.as = i->as;
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
		i->disk.size = size;
		i->disk.seed = seed;
	}
	return file_new(i, false);
}

struct sim_file *sim_file_shmem(struct sim_machine *m, const char *name,
				uint64_t size)
{
	struct sim_inode *i = inode_create(m, name);

	if (i)
		i->disk.size = size;
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
	i->disk.fd = fd;
	i->disk.size = (uint64_t)st.st_size;
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
	long r;

	change_lock(f->inode);
	r = quire_mapping_write(f->inode->as, &f->qf, pos, n, copy_from_buf,
				(void *)(uintptr_t)buf);
	change_unlock(f->inode);
	check_balance(sim_self, "quire_mapping_write");
	return r;
}

/*
 * Shorter: the cache first, so that no write-back that is still under way makes
 * the device longer again.  Longer: the device first, so that what is read of
 * the new part is there.
 */
void sim_file_truncate(struct sim_file *f, uint64_t size)
{
	struct sim_inode *i = f->inode;

	change_lock(i);
	if (size > quire_mapping_get_size(i->as)) {
		disk_resize(&i->disk, size);
		quire_mapping_set_size(i->as, size);
	} else {
		quire_mapping_set_size(i->as, size);
		disk_resize(&i->disk, size);
	}
	change_unlock(i);
	check_balance(sim_self, "quire_mapping_set_size");
}

int sim_file_fsync(struct sim_file *f, bool datasync)
{
	int r = quire_file_fsync(&f->qf, 0, UINT64_MAX, datasync);

	check_balance(sim_self, "quire_file_fsync");
	return r;
}

void sim_file_punch(struct sim_file *f, uint64_t start, uint64_t end)
{
	struct sim_inode *i = f->inode;

	change_lock(i);
	quire_mapping_freeze(i->as);
	quire_mapping_punch(i->as, start, end);
	disk_zero(&i->disk, start, end);
	quire_mapping_punched(i->as, start, end);
	quire_mapping_thaw(i->as);
	change_unlock(i);
	check_balance(sim_self, "quire_mapping_punch");
}

void sim_disk_zero(struct sim_file *f, uint64_t start, uint64_t end)
{
	disk_zero(&f->inode->disk, start, end);
}

void sim_file_peek(struct sim_file *f, uint64_t pos, void *buf, size_t n)
{
	(void)disk_peek(&f->inode->disk, pos, buf, n);
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
	struct sim_inode *i = f->inode;

	pthread_mutex_lock(&i->disk.lock);
	*out = i->disk.stats;
	pthread_mutex_unlock(&i->disk.lock);
	out->gets = __atomic_load_n(&i->gets, __ATOMIC_RELAXED);
	out->puts = __atomic_load_n(&i->puts, __ATOMIC_RELAXED);
	out->time_updates = __atomic_load_n(&i->time_updates, __ATOMIC_RELAXED);
}

/* ----------------------------------------------------------------- trouble */

static void set_trouble(struct sim_file *f, struct disk_trouble *t,
			unsigned skip, unsigned count, int error)
{
	disk_set_trouble(&f->inode->disk, t, skip, count, error);
}

void sim_file_fail_reads(struct sim_file *f, unsigned skip, unsigned count,
			 int error)
{
	set_trouble(f, &f->inode->disk.reads, skip, count, error);
}

void sim_file_fail_writes(struct sim_file *f, unsigned skip, unsigned count,
			  int error)
{
	set_trouble(f, &f->inode->disk.writes, skip, count, error);
}

void sim_file_fail_flushes(struct sim_file *f, unsigned skip, unsigned count,
			   int error)
{
	set_trouble(f, &f->inode->disk.flushes, skip, count, error);
}

void sim_file_fail_mkwrites(struct sim_file *f, unsigned skip, unsigned count,
			    int error)
{
	set_trouble(f, &f->inode->disk.mkwrites, skip, count, error);
}

int sim_disk_fail_range(struct sim_file *f, uint64_t start, uint64_t end,
			bool reads, bool writes, int error)
{
	return disk_fail_range(&f->inode->disk, start, end, reads, writes,
			       error);
}

int sim_disk_configure(struct sim_file *f, const struct sim_disk_config *config)
{
	return disk_configure(&f->inode->disk, config);
}

void sim_file_latency(struct sim_file *f, unsigned microseconds)
{
	struct sim_disk_config c;

	disk_get_config(&f->inode->disk, &c);
	c.latency_us = microseconds;
	c.seed = 0;
	(void)disk_configure(&f->inode->disk, &c);
}

void sim_file_short_reads(struct sim_file *f, unsigned bytes)
{
	struct sim_disk_config c;

	disk_get_config(&f->inode->disk, &c);
	c.short_bytes = bytes;
	c.seed = 0;
	(void)disk_configure(&f->inode->disk, &c);
}

struct sim_file *sim_disk_crash(struct sim_file *f, unsigned how)
{
	struct sim_inode *i;
	uint64_t size = 0;
	char *image = NULL;

	if (disk_crash(&f->inode->disk, how, &image, &size))
		return NULL;
	i = inode_create(f->inode->m, f->inode->name);
	if (!i) {
		free(image);
		return NULL;
	}
	i->disk.data = image;
	i->disk.size = i->disk.room = size;
	return file_new(i, false);
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
