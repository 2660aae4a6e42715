/* SPDX-License-Identifier: MIT */
/*
 * disk.h - the device under a file of the simulated machine (sim/disk.c,
 * sim/disk_store.c), as sim/file.c and the sleeping of sim/host.c use it.
 */
#ifndef QUIRE_SIM_DISK_H
#define QUIRE_SIM_DISK_H

#include <sim/internal.h>

#define DISK_BLOCK  512u /* what a failing power supply leaves whole */
#define DISK_PAGE   4096u
#define DISK_RANGES 4

struct disk_trouble {
	unsigned skip, count;
	int error;
};

struct disk_range {
	uint64_t start, end; /* bytes */
	bool reads, writes;
	int error;
};

/* A completed write that a power failure may still undo. */
struct disk_unsafe {
	struct disk_unsafe *next;
	uint64_t pos;
	size_t len;
	char data[];
};

struct sim_disk {
	struct sim_machine *m;
	struct address_space *as; /* whose pages it stores; NULL: whole pages of
				   * a swap area */
	const char *name;
	/* What is told of each page; NULL: quire_page_end_write(), _read(). */
	void (*end)(struct sim_disk *d, bool write, uint64_t index,
		    struct page *page, int error);
	void *owner; /* end's */

	pthread_mutex_t lock; /* all below */
	struct sim_disk_config config;
	int fd;	       /* host file, or -1 */
	char *data;    /* contents; NULL while they are what seed gives */
	uint64_t size; /* bytes */
	uint64_t room; /* bytes that data has space for */
	uint64_t seed;
	struct disk_trouble reads, writes, flushes, mkwrites;
	struct disk_range bad[DISK_RANGES];
	unsigned ending; /* requests whose pages are being ended; io_lock */
	uint64_t rng;
	bool dead; /* no power */
	/* config.write_cache: what is safe, and what is only completed */
	char *safe;
	uint64_t safe_size;
	struct disk_unsafe *unsafe, **unsafe_last;
	struct sim_file_stats stats;
};

/* name and as stay the caller's; as may be NULL until the first request. */
void disk_init(struct sim_disk *d, struct sim_machine *m, const char *name);
/* Set it; 0 or -ENOMEM. */
int disk_configure(struct sim_disk *d, const struct sim_disk_config *config);
void disk_get_config(struct sim_disk *d, struct sim_disk_config *config);
/* None of its pages is under I/O any more. */
void disk_destroy(struct sim_disk *d);
/*
 * Move n pages with consecutive indices (write: under write-back; else locked,
 * to be filled), as one request; each ends by quire_page_end_write() or
 * quire_page_end_read(), at once or later, as the configuration says.
 * disk_submit_at: of pages that have no index; the first goes to `first`.
 */
void disk_submit(struct sim_disk *d, bool write, struct page **pages,
		 unsigned n);
void disk_submit_at(struct sim_disk *d, bool write, uint64_t first,
		    struct page **pages, unsigned n);
/* What is completed is safe from now on: 0 or -errno. */
int disk_flush(struct sim_disk *d);
/* An injected refusal of page_mkwrite: 0 or -errno. */
int disk_mkwrite(struct sim_disk *d);
/* Grow with zeroes or shrink, now and safely; zero [start, end) likewise. */
void disk_resize(struct sim_disk *d, uint64_t size);
void disk_zero(struct sim_disk *d, uint64_t start, uint64_t end);
/* Grow with zeroes, as a write does: safe when flushed.  0 or -errno. */
int disk_grow(struct sim_disk *d, uint64_t size);
/* Contents as completed; past the end zeroes. */
int disk_peek(struct sim_disk *d, uint64_t pos, void *buf, size_t n);
/*
 * The power fails: requests under way and all later ones end with -EIO.
 * *image (malloc'd) and *size: what is on the device afterwards, by
 * SIM_CRASH_*.  0 or -ENOMEM.
 */
int disk_crash(struct sim_disk *d, unsigned how, char **image, uint64_t *size);
/* which: d->reads, ->writes ...: see sim_file_fail_reads() and its like. */
void disk_set_trouble(struct sim_disk *d, struct disk_trouble *which,
		      unsigned skip, unsigned count, int error);
/* As sim_disk_fail_range(). */
int disk_fail_range(struct sim_disk *d, uint64_t start, uint64_t end,
		    bool reads, bool writes, int error);
/* Nothing moves any more: requests under way and all later ones end with -EIO.
 */
void disk_die(struct sim_disk *d);
/* For quire_host_wait(): complete one request that waits for a sleeper; false:
 * there is none.  The caller has announced itself in m->nr_sleeping. */
bool disk_serve_sleeper(struct sim_machine *m);
/* Complete all requests of d, or of the machine when d is NULL, that are of
 * these modes (bits of enum sim_disk_mode), and see them ended. */
#define DISK_ALL_MODES (~0u)
void disk_drain(struct sim_machine *m, struct sim_disk *d, unsigned modes);

#endif
