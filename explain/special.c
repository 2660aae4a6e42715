/* SPDX-License-Identifier: MIT */
/*
 * special.c - stages for faults on entries that are neither present nor name a
 * slot of swap: memory that is broken, lost, a device's, or on its way.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <fault.h>
#include <filemap.h>
#include <swapops.h>

#include <sim/disk.h>

#include "explain.h"

#define PG ((uaddr_t)4096)

/* The frame breaks: its contents are lost. */
void stage_broken_memory(struct stage *s)
{
	stage_anonymous_written(s);
	s->t->qt.cap_sys_admin = true;
	if (sim_madvise(s->t, s->addr, PG, MADV_HWPOISON))
		die("the frame does not break");
}

/* swapoff cannot read the page: it leaves a note. */
void stage_lost_at_swapoff(struct stage *s)
{
	stage_swapped_out(s);
	sim_swap_fail_reads(s->m, (unsigned)s->area, 0, 64, -EIO);
	if (sim_swapoff(s->m, (unsigned)s->area))
		die("swapoff fails");
}

/* ------------------------------------------------------- a device's memory */

static char device_frame[4096];

static int device_store(void *device, uint64_t frame, struct page *page)
{
	(void)frame;
	memcpy(device_frame, quire_page_address(device, page), PG);
	return 0;
}

static int device_load(void *device, uint64_t frame, struct page *page)
{
	(void)frame;
	memcpy(quire_page_address(device, page), device_frame, PG);
	return 0;
}

static void device_release(void *device, uint64_t frame)
{
	(void)device;
	(void)frame;
}

void stage_device_memory(struct stage *s)
{
	static const struct quire_device_memory_ops ops = {
		device_store, device_load, device_release};
	struct quire *q = s->t->qt.q;

	stage_anonymous_written(s);
	if (quire_device_memory_add(q, &ops, q, 1) ||
	    quire_device_memory_take(s->t->qt.mm, s->addr, PG) != 1)
		die("the device does not take the page");
}

/* ------------------------------------------------------------ on its way */

static struct mover {
	struct sim_disk disk;
	struct stage *s;
	pte_t was;
} mover;

/* The page stays where it was, after all. */
static void end_of_move(struct sim_disk *d, bool write, uint64_t index,
			struct page *page, int error)
{
	struct stage *s = mover.s;
	spinlock_t *ptl = pte_lockptr(
		s->t->qt.q, pmdp_get(mm_find_pmd(s->t->qt.mm, s->addr)));

	(void)d;
	(void)write;
	(void)index;
	(void)error;
	spin_lock(ptl);
	set_pte(stage_entry(s), mover.was);
	spin_unlock(ptl);
	unlock_page_io(page);
}

/* Somebody moves the page, and ends with it when the fault waits for that: a
 * request of a disk stands for him. */
void stage_migrating(struct stage *s)
{
	const struct sim_disk_config lazy = {.mode = SIM_DISK_LAZY};
	struct page *page;

	stage_anonymous_written(s);
	mover.s = s;
	mover.was = ptep_get(stage_entry(s));
	page = pte_page(s->t->qt.q, mover.was);
	if (TestSetPageFlag(page, PG_locked))
		die("the page is locked");
	set_pte(stage_entry(s),
		swp_entry_to_pte(
			swp_entry(SWP_MIGRATION_WRITE, pte_pfn(mover.was))));
	flush_tlb_mm(s->t->qt.mm);
	disk_init(&mover.disk, s->m, "the mover");
	if (disk_configure(&mover.disk, &lazy))
		die("out of memory");
	mover.disk.end = end_of_move;
	disk_submit_at(&mover.disk, true, 0, &page, 1);
}
