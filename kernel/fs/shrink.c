/* SPDX-License-Identifier: MIT */
/*
 * Room for those who need memory: a kernel thread gives back what the caches
 * hold when less than a sixteenth of memory is free.
 *
 * Readers poke it now and then; between pokes it sleeps.  What it drops can
 * be read again from the host; tmpfs files stay.
 */
#include "fs.h"

#define POKES 16u /* looks at the figures every so many pokes */

static struct wait_queue shrink_wq = WAIT_QUEUE_INIT(shrink_wq);
static uint32_t pokes, wanted;

static bool memory_short(uint64_t *missing)
{
	struct quire_meminfo mi;
	uint64_t low;

	quire_get_meminfo(the_quire, &mi);
	low = mi.total / 16;
	*missing = 2 * low > mi.free ? 2 * low - mi.free : 0;
	return mi.free < low;
}

void shrinker_poke(void)
{
	uint64_t missing;

	if (__atomic_add_fetch(&pokes, 1, __ATOMIC_RELAXED) % POKES)
		return;
	if (memory_short(&missing)) {
		__atomic_store_n(&wanted, 1, __ATOMIC_RELEASE);
		wake_up(&shrink_wq);
	}
}

static void shrinker(void *arg)
{
	uint64_t missing;

	(void)arg;
	for (;;) {
		wait_event(&shrink_wq,
			   __atomic_load_n(&wanted, __ATOMIC_ACQUIRE));
		__atomic_store_n(&wanted, 0, __ATOMIC_RELEASE);
		if (memory_short(&missing))
			(void)vfs_shrink((size_t)missing);
	}
}

int shrinker_init(void)
{
	return kthread_run(shrinker, NULL, "shrinker") ? 0 : -ENOMEM;
}
