/* SPDX-License-Identifier: MIT */
/*
 * migrate.h - pages that change their frame: to another memory node, out of a
 * frame that is broken, into a device's own memory and back.
 *
 * All calls sleep and take what locks they need themselves, unless they say
 * otherwise.  A page that is in use in a way that no fault can interrupt (a pin
 * of quire_get_user_pages(), I/O under way) stays where it is.
 */
#ifndef QUIRE_MIGRATE_H
#define QUIRE_MIGRATE_H

#include <quire/types.h>

/* How many memory nodes there are: 0 ... n - 1. */
unsigned quire_nodes(struct quire *q);

/* mbind(2)'s flags for pages that are to move. */
#define QUIRE_MF_MOVE	  2u /* those that only this address space maps */
#define QUIRE_MF_MOVE_ALL 4u /* shared ones, too (needs cap_sys_admin) */
/*
 * quire_migrate_pages: migrate_pages(2): mm's pages on the nodes of mask `from`
 * go to those of mask `to`, the n-th to the n-th.  Returns how many could not
 * be moved; -EINVAL: `to` has no node with memory, bad flags; -EPERM: it has
 * one that does not exist, or MOVE_ALL, without cap_sys_admin; -EINTR: killed.
 *
 * quire_move_pages: move_pages(2) for n addresses: to nodes[i], or where nodes
 * is NULL only asked where they are.  status[i]: the node it is on, or why it
 * is not where it was to be: -EFAULT (nothing is mapped, a device's frame, the
 * zero page), -ENOENT (no page there), -EACCES (shared, without MOVE_ALL),
 * -EBUSY (in use), -ENOMEM (no room there).  Returns 0; how many did not move;
 * -EINVAL, -EPERM as above; -ENODEV: there is no such node.
 */
long quire_migrate_pages(struct mm_struct *mm, uint64_t from, uint64_t to,
			 unsigned how);
long quire_move_pages(struct mm_struct *mm, size_t n, const uaddr_t *addr,
		      const int *nodes, int *status, unsigned how);

/*
 * quire_compact: move pages together on all nodes until a block of 2^order is
 * free (order: up to 10); true: there is one.
 */
bool quire_compact(struct quire *q, unsigned order);

/*
 * A frame of memory at `phys` is broken.  quire_memory_failure: nobody uses it
 * any more: what can be had again (clean pages of files, what is in swap) is
 * dropped, what cannot is lost: who touches it gets SIGBUS, BUS_MCEERR_AR.
 * tell (may be NULL) is called for each place that maps lost contents, for
 * tasks that want BUS_MCEERR_AO at once; with spinlocks held: it must not sleep
 * nor call Quire.  quire_soft_offline: the frame still works, but is not to be
 * trusted: its page moves, nothing is lost.
 * 0: the frame is out of use for good; -ENXIO: no memory is there; -EHWPOISON:
 * it is so already; -EBUSY: it is the kernel's (tables, objects, the host's) or
 * cannot be had now: nothing has changed.
 */
typedef void (*quire_poison_fn)(void *cookie, struct mm_struct *mm,
				uaddr_t addr);
int quire_memory_failure(struct quire *q, paddr_t phys, quire_poison_fn tell,
			 void *cookie);
int quire_soft_offline(struct quire *q, paddr_t phys);

/*
 * Memory of a device that the processor cannot reach (Linux's device-private
 * memory): private pages can be put there, and come back when a program touches
 * them.  One device a system.  Frames are 0 ... frames - 1, a page each.
 */
struct quire_device_memory_ops {
	/*
	 * store: the page's contents to a frame; load: to a fresh page from it.
	 * 0 or -errno (load: -ENOMEM is OOM, any other is SIGBUS for who
	 * touched it).  May sleep; a page lock or the mmap_lock is held.
	 */
	int (*store)(void *device, uint64_t frame, struct page *page);
	int (*load)(void *device, uint64_t frame, struct page *page);
	/* Nobody needs any more what was stored there: spinlocks are held.
	 * NULL: no interest. */
	void (*free)(void *device, uint64_t frame);
};
/*
 * add: 0, -EINVAL (0 or more than 524288 frames), -EBUSY (there is one),
 * -ENOMEM.  remove: before quire_destroy(); 0, -EINVAL (there is none), -EBUSY
 * (something is in it).
 * take: mm's private pages in [addr, addr + len) go to the device; returns how
 * many went (those in use, in swap, or without a free frame stay), or -EINVAL.
 */
int quire_device_memory_add(struct quire *q,
			    const struct quire_device_memory_ops *ops,
			    void *device, uint64_t frames);
int quire_device_memory_remove(struct quire *q);
long quire_device_memory_take(struct mm_struct *mm, uaddr_t addr, uaddr_t len);

#endif
