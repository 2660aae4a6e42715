/* SPDX-License-Identifier: MIT */
/*
 * swap_device.h - what a kind of swap device is to sim/swap.c, and what they
 * share.
 */
#ifndef QUIRE_SIM_SWAP_DEVICE_H
#define QUIRE_SIM_SWAP_DEVICE_H

#include <sim/disk.h>
#include <sim/swap.h>

#define SLOT_BYTES 4096u

struct sim_swap {
	struct sim_machine *m;
	const struct sim_swap_kind *kind;
	void *device; /* the kind's */
	uint64_t slots;
	int area;		     /* number; -1: not one yet */
	uint32_t jobs;		     /* see struct swap_job; atomic */
	uint8_t *state;		     /* of each slot; atomic */
	struct sim_swap_stats stats; /* atomic */
};

struct sim_swap_kind {
	const char *name;
	unsigned flags; /* QUIRE_SWAP_* that go with it */
	/* Make s->device.  s->slots: as many, or 0: as many as there are, to be
	 * set.  0 or -errno, and then the reason is logged.  May sleep. */
	int (*open)(struct sim_swap *s, const struct sim_swap_config *config);
	/* No I/O is under way. */
	void (*close)(struct sim_swap *s);
	/* swap_end_page() for each page, now or later, on a bound thread. */
	void (*submit)(struct sim_swap *s, bool write, uint64_t slot,
		       struct page **pages, unsigned n);
	/* As in quire_swap_ops; may be NULL. */
	void (*slot_free)(struct sim_swap *s, uint64_t slot);
	void (*discard)(struct sim_swap *s, uint64_t slot, uint64_t n);
	/* Fill in what swap.c does not know; may be NULL. */
	void (*get_stats)(struct sim_swap *s, struct sim_swap_stats *out);
};

/* What Quire calls, of every kind; the device is a struct sim_swap. */
extern const struct quire_swap_ops sim_swap_ops;
/* One page's I/O is over: Quire is told. */
void swap_end_page(struct sim_swap *s, bool write, uint64_t slot,
		   struct page *page, int error);
/* Log a line, "swap KIND: ...", from any thread. */
void swap_log(struct sim_swap *s, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static inline void swap_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/*
 * A request of a device whose work is done by threads that are bound to no CPU
 * and so cannot call Quire: pages in, or out of, consecutive slots.
 *
 *   swap_job_new()    by the submitter; then it goes to the device's threads
 *   swap_job_done()   by one of these, with each part's error set
 *   the I/O thread ends the pages; where the machine has none the submitter
 *   does, who waits in swap_job_wait()
 */
struct swap_job {
	struct io_done io; /* first */
	struct sim_swap *s;
	struct swap_job *next; /* the device's list */
	bool write, discard;
	bool waited; /* its submitter ends it */
	bool done;   /* waited: it is; under m->io_lock */
	uint64_t slot, slots;
	unsigned n, at; /* parts; at: the device's */
	void *own;	/* the device's; free()d with the job */
	struct swap_part {
		struct page *page;
		char *mem;
		int error;
	} part[];
};
/* NULL: no memory, and the pages are ended. */
struct swap_job *swap_job_new(struct sim_swap *s, bool write, uint64_t slot,
			      struct page **pages, unsigned n);
/* A discard, which is always waited for; NULL: no memory. */
struct swap_job *swap_job_discard(struct sim_swap *s, uint64_t slot,
				  uint64_t n);
void swap_job_done(struct swap_job *job);
/* By the submitter: the device did not get it; its pages end with this. */
void swap_job_fail(struct swap_job *job, int error);
/* By the submitter, last; waited says whether there is something to do: the
 * job may be gone. */
void swap_job_wait(struct swap_job *job, bool waited);

#endif
