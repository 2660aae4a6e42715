/* SPDX-License-Identifier: MIT */
/*
 * swap.h - swap areas of the simulated machine.
 *
 *   sim_swap_disk   a disk in memory (sim/disk.c): slow, out of order, failing,
 *                   dying, as the test wants
 *   sim_swap_file   a file or block device of the host
 *   sim_swap_zram   memory, compressed
 *   sim_swap_nbd    what an NBD server has
 *
 * Whatever the device, sim/swap.c watches the contract of swap.h: a broken rule
 * is a violation.  The last three are in an archive of their own and need
 * libraries: sim/module.mk.
 */
#ifndef QUIRE_SIM_SWAP_H
#define QUIRE_SIM_SWAP_H

#include <sim/sim.h> /* which includes this one */

struct sim_swap_kind;
extern const struct sim_swap_kind sim_swap_disk, sim_swap_file, sim_swap_zram,
	sim_swap_nbd;

enum sim_swap_engine {
	SIM_SWAP_ANY, /* io_uring; threads where the host forbids it */
	SIM_SWAP_URING,
	SIM_SWAP_THREADS,
};
enum sim_swap_algorithm { SIM_SWAP_ZSTD, SIM_SWAP_LZ4 };

struct sim_swap_config {
	const struct sim_swap_kind *kind; /* NULL: sim_swap_disk */
	/* As in struct quire_swap_config.  slots 0: what the device has (file,
	 * NBD).  flags: what the kind implies is added (zram: SYNC). */
	uint64_t slots, first;
	int priority;
	unsigned flags;
	const uint64_t *bad;
	unsigned nr_bad;
	/* disk.  With QUIRE_SWAP_SYNC in flags its mode is SIM_DISK_NOW. */
	struct sim_disk_config disk;
	/* file: a path; it is made, `slots` long, if it is not there.  direct:
	 * past the host's page cache. */
	const char *path;
	enum sim_swap_engine engine;
	bool direct;
	/* zram: level 0: the library's default.  limit_bytes: of compressed
	 * memory, beyond which writes fail; 0: none. */
	enum sim_swap_algorithm algorithm;
	int level;
	uint64_t limit_bytes;
	/* NBD: a URI as nbdinfo(1) takes it; how long a lost connection is
	 * tried again before its pages are given up, 0: 10 s. */
	const char *uri;
	unsigned give_up_ms;
};

/*
 * sim_swapon: a device and quire_swapon().  The area's number, what
 * quire_swapon answers, or -errno of the device, the reason in the log.
 * sim_swapoff: quire_swapoff(), and the device goes if that returns 0.
 * Areas that are left when the machine ends are taken off then.
 */
int sim_swapon(struct sim_machine *m, const struct sim_swap_config *config);
int sim_swapoff(struct sim_machine *m, unsigned area);

/* Pages, but for requests. */
struct sim_swap_stats {
	uint64_t reads, writes, read_requests, write_requests;
	uint64_t read_errors, write_errors;
	uint64_t slot_frees;
	uint64_t discards; /* slots, without those of swapon */
	uint64_t written;  /* slots that have contents now */
	uint64_t retries;  /* requests, or parts of one, that were sent again */
	uint64_t reconnects;		  /* NBD */
	uint64_t orig_bytes, compr_bytes; /* zram: stored now, before and after,
					   * */
	uint64_t mem_bytes; /* ... and what that takes of memory */
	uint64_t same_filled, incompressible; /* zram: of them (pages) */
	uint64_t refused;		      /* zram: writes over the limit */
};
void sim_swap_get_stats(struct sim_machine *m, unsigned area,
			struct sim_swap_stats *out);

/*
 * Trouble, of a simulated disk: as sim_file_fail_reads() and its like; a range
 * is slots [start, end).  sim_swap_die: from now on all I/O ends with -EIO.
 */
int sim_swap_configure(struct sim_machine *m, unsigned area,
		       const struct sim_disk_config *config);
void sim_swap_fail_reads(struct sim_machine *m, unsigned area, unsigned skip,
			 unsigned count, int error);
void sim_swap_fail_writes(struct sim_machine *m, unsigned area, unsigned skip,
			  unsigned count, int error);
int sim_swap_fail_range(struct sim_machine *m, unsigned area, uint64_t start,
			uint64_t end, bool reads, bool writes, int error);
void sim_swap_die(struct sim_machine *m, unsigned area);

#endif
