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

#endif
