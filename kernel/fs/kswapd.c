/* SPDX-License-Identifier: MIT */
/*
 * kswapd: the kernel thread that frees memory before anybody has to wait for
 * it.
 *
 *     free memory below a low watermark ─ quire_host_wake_reclaim ─→ round
 *         pages of files and programs      quire_reclaim_work()
 *         names and inodes that nobody uses, with the pages of their files:
 *             some of them when there are many, or when that was not enough
 *
 * An inode that is forgotten takes all its pages with it, whatever reclaim
 * knows of their use; so it does not happen as long as reclaim gets what it
 * needs and the kernel's objects are less than an eighth of memory.
 *
 * Who frees memory must not wait for memory: quire_reclaim_work() sees to that
 * itself; what vfs_shrink() does may wait for the 9P server (a fid is given
 * back), whose client has its requests' memory from the beginning.
 */
#include "fs.h"
#include "swapon.h"

#define SOME 64u /* pages, of inodes and names, in one round */

static struct wait_queue kswapd_wq = WAIT_QUEUE_INIT(kswapd_wq);
static uint32_t wanted;
static struct mutex round_lock = MUTEX_INIT(round_lock);

void quire_host_wake_reclaim(struct quire *q)
{
	(void)q;
	__atomic_store_n(&wanted, 1, __ATOMIC_RELEASE);
	wake_up(&kswapd_wq);
}

static bool many_objects(void)
{
	struct quire_meminfo mi;

	quire_get_meminfo(the_quire, &mi);
	return mi.slab > mi.total / 8;
}

static void kswapd(void *arg)
{
	(void)arg;
	for (;;) {
		wait_event(&kswapd_wq,
			   __atomic_load_n(&wanted, __ATOMIC_ACQUIRE));
		__atomic_store_n(&wanted, 0, __ATOMIC_RELEASE);
		mutex_lock(&round_lock);
		quire_reclaim_work(the_quire);
		if (many_objects() || quire_memory_short(the_quire))
			(void)vfs_shrink(SOME);
		mutex_unlock(&round_lock);
	}
}

void kswapd_stop(void)
{
	mutex_lock(&round_lock);
}

int kswapd_init(void)
{
	return kthread_run(kswapd, NULL, "kswapd0") ? 0 : -ENOMEM;
}
