/* SPDX-License-Identifier: MIT */
/*
 * The flusher: a kernel thread that writes dirty pages back.
 *
 *     a writer is over the background limit ─ quire_host_wake_flusher ┐
 *     the time that the last round named is over ─────────────────────┼→ round
 *     an inode's last reference goes while it is dirty ─ flusher_put ─┘
 *
 * Whoever drops an inode's last reference may hold locks, or be a task that is
 * to die and cannot wait: its dirty pages are the flusher's to write.
 *
 * late_lock (spinlock) guards the list of such inodes, which hold a reference
 * each.
 */
#include "fs.h"

static struct wait_queue flusher_wq = WAIT_QUEUE_INIT(flusher_wq);
static struct spinlock late_lock = SPINLOCK_INIT;
static struct inode *late;
static uint32_t wanted;

void quire_host_wake_flusher(struct quire *q)
{
	(void)q;
	__atomic_store_n(&wanted, 1, __ATOMIC_RELEASE);
	wake_up(&flusher_wq);
}

void flusher_put(struct inode *inode)
{
	spin_lock(&late_lock);
	inode->late_next = late;
	late = inode;
	spin_unlock(&late_lock);
	quire_host_wake_flusher(the_quire);
}

static struct inode *take_late(void)
{
	struct inode *inode;

	spin_lock(&late_lock);
	inode = late;
	if (inode)
		late = inode->late_next;
	spin_unlock(&late_lock);
	return inode;
}

static void flusher(void *arg)
{
	struct inode *inode;
	uint64_t next = 0;

	(void)arg;
	for (;;) {
		WAIT_EVENT_(&flusher_wq,
			    __atomic_load_n(&wanted, __ATOMIC_ACQUIRE),
			    TASK_UNINTERRUPTIBLE, next);
		__atomic_store_n(&wanted, 0, __ATOMIC_RELEASE);
		while ((inode = take_late()) != NULL) {
			(void)inode_write_back(inode);
			inode_put(inode);
		}
		next = quire_flusher_work(the_quire);
		next = next < UINT64_MAX / 2 ? ktime_ns() + next : UINT64_MAX;
	}
}

int flusher_init(void)
{
	return kthread_run(flusher, NULL, "flusher") ? 0 : -ENOMEM;
}
