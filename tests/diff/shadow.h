/* SPDX-License-Identifier: MIT */
/*
 * A picture of what each page of each process is, and of what is known of the
 * cache of the data file, from the results of the calls alone.  It only decides
 * what of an operation's result is shown, and so compared.
 */
#ifndef DIFF_SHADOW_H
#define DIFF_SHADOW_H

#include "ops.h"

/* Process 0 is there, and nothing is mapped. */
void shadow_init(void);
bool shadow_alive(unsigned proc);
/* Has `proc` children? */
bool shadow_has_children(unsigned proc);
/* Is there anything at page `page` of the arena? */
bool shadow_mapped(unsigned proc, unsigned page);
/* Are there only private anonymous pages, or none? */
bool shadow_anon(unsigned proc, struct where w, uint64_t len);
/* Is any page of shared memory, or of a file in memory, there? */
bool shadow_shm(unsigned proc, struct where w, uint64_t len);
/* Is any page of a regular file there? */
bool shadow_file(unsigned proc, struct where w, uint64_t len);
/* Does what Linux counts as minor faults not depend on its cache? */
bool shadow_counts_faults(const struct op *op);
/*
 * What mincore(2) must say of a page: '0', '1', '?' where that is not ours
 * alone to say, or 0: whatever it says is compared.
 */
char shadow_in_cache(unsigned proc, struct where w, unsigned page);
/* The operation was carried out with this result. */
void shadow_update(const struct op *op, const struct result *res);
/* The lock count of the process is not compared any more, or is it not? */
void shadow_forget_locks(unsigned proc);
bool shadow_locks_known(unsigned proc);
/* Does RLIMIT_MEMLOCK hold for the process? */
bool shadow_limited(unsigned proc);

#endif
