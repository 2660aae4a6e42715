/* SPDX-License-Identifier: MIT */
/*
 * poll.h - waiting for one of many files.
 *
 * A file's poll operation calls poll_wait() for each queue that is woken when
 * its answer may change, and returns the events that hold now.  It must not
 * sleep: it runs with the task's state already set for waiting.
 */
#ifndef KERNEL_FS_POLL_H
#define KERNEL_FS_POLL_H

#include "fs.h"

#define POLLIN	   0x001u
#define POLLPRI	   0x002u
#define POLLOUT	   0x004u
#define POLLERR	   0x008u
#define POLLHUP	   0x010u
#define POLLNVAL   0x020u
#define POLLRDNORM 0x040u
#define POLLRDBAND 0x080u
#define POLLWRNORM 0x100u
#define POLLWRBAND 0x200u
#define POLLRDHUP  0x2000u

struct poll_table {
	/* Enter the caller in a queue; NULL: only asking. */
	void (*enter)(struct poll_table *pt, struct wait_queue *wq);
};

static inline void poll_wait(struct poll_table *pt, struct wait_queue *wq)
{
	if (pt && pt->enter)
		pt->enter(pt, wq);
}

/* The events of a file; a file without poll is always ready. */
unsigned file_poll(struct file *f, struct poll_table *pt);

#endif
