/* SPDX-License-Identifier: MIT */
/*
 * What the fault makes of the answers of a mapping's operations: ->fault,
 * ->page_mkwrite.  A real mapping's operations are wrapped, so that they can be
 * made to refuse, to wait, or to be overtaken.
 */
#include <fault.h>
#include <filemap.h>

#include "common.h"

/* One wrapped mapping; each test is a process of its own. */
static struct {
	const struct vm_operations_struct *real;
	struct vm_operations_struct ops;
	vm_fault_t answer; /* instead of asking the real one, if not 0 */
	unsigned times;	   /* so many times; then the real one is asked */
	unsigned calls, mkwrites;
	unsigned flags; /* of the last call */
	vm_fault_t mkwrite_answer;
	bool unlock_it;	  /* give the page back unlocked */
	bool fill_behind; /* another fault is faster */
	struct sim_task *t;
} w;

static vm_fault_t wrapped_fault(struct vm_fault *vmf)
{
	vm_fault_t ret;

	w.calls++;
	w.flags = vmf->flags;
	if (w.answer && w.times) {
		w.times--;
		if (w.answer & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))
			up_read(&vmf->vma->vm_mm->mmap_lock);
		return w.answer;
	}
	ret = w.real->fault(vmf);
	if (w.unlock_it && (ret & VM_FAULT_LOCKED)) {
		unlock_page(vmf->page);
		ret &= ~VM_FAULT_LOCKED;
	}
	if (w.fill_behind && (ret & VM_FAULT_LOCKED)) {
		/* as a second thread's fault at the same address would */
		struct page *locked = vmf->page;
		uaddr_t a = vmf->address;

		w.fill_behind = false;
		unlock_page(locked);
		CHECK_EQ(handle_mm_fault(vmf->vma, a, w.flags, NULL) &
				 VM_FAULT_ERROR,
			 0);
		lock_page(locked);
	}
	return ret;
}

static vm_fault_t wrapped_mkwrite(struct vm_fault *vmf)
{
	w.mkwrites++;
	CHECK(vmf->flags & FAULT_FLAG_MKWRITE);
	CHECK(vmf->page);
	if (w.mkwrite_answer == VM_FAULT_LOCKED)
		lock_page(vmf->page);
	return w.mkwrite_answer;
}

static struct vm_area_struct *vma_at(struct sim_task *t, uaddr_t a)
{
	struct vm_area_struct *vma = find_vma(t->qt.mm, a);

	REQUIRE(vma && vma->vm_start <= a);
	return vma;
}

/* Wrap the operations of the mapping at a; no fault-around, so that each page
 * has its own fault. */
static struct vm_area_struct *wrap(struct sim_task *t, uaddr_t a)
{
	struct vm_area_struct *vma = vma_at(t, a);

	w.real = vma->vm_ops;
	w.ops = *vma->vm_ops;
	w.ops.fault = wrapped_fault;
	w.ops.map_pages = NULL;
	w.ops.page_mkwrite = NULL;
	vma->vm_ops = &w.ops;
	w.t = t;
	return vma;
}

static void unwrap(struct vm_area_struct *vma)
{
	vma->vm_ops = w.real;
}

/* behaviours: E7, F5 (each error of ->fault reaches the task as its signal) */
TEST(fault_errors_become_signals)
{
	static const struct {
		vm_fault_t answer;
		int signo, code;
		unsigned lsb;
	} want[] = {
		{VM_FAULT_SIGBUS, SIGBUS, QUIRE_BUS_ADRERR, 0},
		{VM_FAULT_SIGSEGV, SIGSEGV, QUIRE_SEGV_MAPERR, 0},
		{VM_FAULT_HWPOISON, SIGBUS, QUIRE_BUS_MCEERR_AR, 12},
	};
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	struct vm_area_struct *vma = wrap(t, a);
	uint8_t byte = 0;
	unsigned i, write;

	for (i = 0; i < ARRAY_LEN(want); i++)
		for (write = 0; write < 2; write++) {
			uaddr_t at = a + PG + 0x123;
			uint64_t min = t->qt.min_flt, maj = t->qt.maj_flt;

			test_context("answer %x, write %u", want[i].answer,
				     write);
			w.answer = want[i].answer;
			w.times = 1;
			t->qt.fault_address = 0;
			CHECK_SIGNAL(t,
				     write ? sim_store8(t, at, 1)
					   : sim_load8(t, at, &byte),
				     want[i].signo, want[i].code, at);
			CHECK_EQ(t->sig.addr_lsb, want[i].lsb);
			CHECK_EQ(t->qt.fault_address, at);
			CHECK(test_error_is(t->qt.fault_error,
					    write ? SIM_WRITE : SIM_READ, 0,
					    false));
			CHECK_EQ(t->qt.fault_trapno, TEST_FAULT_TRAPNO);
			/* not handled, so not counted */
			CHECK_EQ(t->qt.min_flt, min);
			CHECK_EQ(t->qt.maj_flt, maj);
			/* the same in kernel mode: a short count */
			w.times = 1;
			CHECK_EQ(write ? sim_copy_to_user(t, at, &byte, 1)
				       : sim_copy_from_user(t, at, &byte, 1),
				 0);
			CHECK_SYSTEM(m);
		}
	test_context("%s", "");
	w.answer = VM_FAULT_OOM;
	w.times = 1;
	CHECK_EQ(sim_load8(t, a, &byte), SIM_OOM);
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(3, 0));
	unwrap(vma);
	sim_exit(t);
	sim_file_close(f);
}

/*
 * behaviours: E7, E8 (RETRY comes again once more, with TRIED, and is one
 * fault, a major one)
 */
TEST(retry_is_tried_again)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	struct vm_area_struct *vma;
	uint64_t min, maj, events;
	uint8_t byte;

	/* the page is in the cache: without RETRY it is a minor fault */
	CHECK_EQ(sim_file_read(f, 0, &byte, 1), 1);
	vma = wrap(t, a);
	w.answer = VM_FAULT_RETRY;
	w.times = 1;
	min = t->qt.min_flt;
	maj = t->qt.maj_flt;
	events = sim_vmstat(m, "pgfault");
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(3, 0));
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(w.calls, 2);
	CHECK(w.flags & FAULT_FLAG_TRIED);
	CHECK(w.flags & FAULT_FLAG_ALLOW_RETRY);
	CHECK(w.flags & FAULT_FLAG_KILLABLE);
	CHECK(w.flags & FAULT_FLAG_USER);
	CHECK_EQ(t->qt.min_flt, min);
	CHECK_EQ(t->qt.maj_flt, maj + 1);
	CHECK_EQ(sim_vmstat(m, "pgfault"), events + 1);
	CHECK_SYSTEM(m);

	/* COMPLETED: done, and the lock is gone */
	w.answer = VM_FAULT_COMPLETED;
	w.times = 1;
	w.calls = 0;
	CHECK_EQ(sim_load8(t, a + PG, &byte), 0);
	CHECK_EQ(t->faults, 2);
	CHECK_EQ(byte, sim_file_byte(3, PG));
	CHECK_SYSTEM(m);
	unwrap(vma);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: E7 (a task that is to die is not made to try again) */
TEST(retry_gives_way_to_a_fatal_signal)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	struct vm_area_struct *vma = wrap(t, a);
	uint8_t byte;

	w.answer = VM_FAULT_RETRY;
	w.times = 1000000;
	sim_kill(t);
	CHECK_EQ(sim_load8(t, a, &byte), SIGKILL);
	CHECK(w.calls <= 1);
	CHECK_EQ(sim_copy_from_user(t, a, &byte, 1), 0);
	unwrap(vma);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: F5, F9 (overtaken: nothing lost, nothing kept, table freed) */
TEST(fault_overtaken)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	unsigned i;

	for (i = 0; i < 3; i++) {
		/* an address of its own, so that the table is absent too */
		unsigned share = i == 2 ? MAP_SHARED : MAP_PRIVATE;
		uaddr_t a = TEST_PLACE(i);
		struct quire_mm_stats before, after;
		struct vm_area_struct *vma;
		uint64_t v = 0;

		test_context("%s",
			     (const char *[]){"read", "cow", "shared"}[i]);
		CHECK_EQ(sim_mmap(t, a, 8 * PG, RW, share | MAP_FIXED, f, 0),
			 a);
		before = mm_stats(t);
		vma = wrap(t, a);
		w.fill_behind = true;
		if (i == 0)
			CHECK_EQ(sim_load64(t, a, &v), 0);
		else
			CHECK_EQ(sim_store64(t, a, 0x1122334455667788), 0);
		if (i)
			CHECK_EQ(get64(t, a), 0x1122334455667788);
		else
			CHECK_EQ((uint8_t)v, sim_file_byte(3, 0));
		unwrap(vma);
		after = mm_stats(t);
		CHECK_EQ(after.anon_pages - before.anon_pages, i == 1);
		CHECK_EQ(after.file_pages - before.file_pages, i != 1);
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_munmap(t, a, 8 * PG), 0);
		after = mm_stats(t);
		CHECK_EQ(after.table_bytes + 3 * PG,
			 before.table_bytes + 3 * PG);
		CHECK_SYSTEM(m);
	}
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: F9 (an unlocked page is locked before it is mapped) */
TEST(fault_gives_an_unlocked_page)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	struct vm_area_struct *vma = wrap(t, a);
	uint8_t byte;

	w.unlock_it = true;
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(3, 0));
	CHECK_EQ(sim_store8(t, a + PG, 9), 0);
	CHECK_EQ(sim_load8(t, a + PG + 1, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(3, PG + 1));
	CHECK_SYSTEM(m);
	unwrap(vma);
	sim_exit(t);
	sim_file_close(f);
}

static vm_fault_t done_cow_fault(struct vm_fault *vmf)
{
	struct quire *q = vmf->vma->vm_mm->q;

	w.calls++;
	memset(page_address(q, vmf->cow_page), 0x5a, PG);
	return VM_FAULT_DONE_COW;
}

/* behaviours: F7 (DONE_COW: the owner has filled the copy itself) */
TEST(fault_fills_the_copy)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	struct vm_area_struct *vma = wrap(t, a);
	uint8_t byte;

	w.ops.fault = done_cow_fault;
	CHECK_EQ(sim_store8(t, a, 1), 0);
	CHECK_EQ(w.calls, 1);
	CHECK_EQ(sim_load8(t, a + 1, &byte), 0);
	CHECK_EQ(byte, 0x5a);
	CHECK_EQ(mm_stats(t).anon_pages, 1);
	CHECK_SYSTEM(m);
	unwrap(vma);
	/* the file has not heard of it */
	CHECK_EQ(sim_file_read(f, 0, &byte, 1), 1);
	CHECK_EQ(byte, sim_file_byte(3, 0));
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: F5 (nobody to ask: SIGBUS, also where a table is there) */
TEST(mapping_without_fault)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_PRIVATE, f, 0);
	struct vm_area_struct *vma = wrap(t, a);

	w.ops.fault = NULL;
	CHECK_SIGNAL(t, sim_store8(t, a + 5, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 5);
	w.ops.fault = wrapped_fault;
	put64(t, a, 7);
	w.ops.fault = NULL;
	CHECK_EQ(get64(t, a), 7);
	CHECK_SIGNAL(t, sim_store8(t, a + PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	CHECK_SYSTEM(m);
	unwrap(vma);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: F8, F10 (page_mkwrite: asked once a page, may refuse) */
TEST(page_mkwrite_decides)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_shmem(m, "s", 8 * PG);
	uaddr_t a = must_map(t, 8 * PG, RW, MAP_SHARED, f, 0);
	struct vm_area_struct *vma = wrap(t, a);
	pgprot_t prot = vma->vm_page_prot;
	unsigned step;

	w.ops.page_mkwrite = wrapped_mkwrite;
	/* dirty tracking: the first write faults */
	vma->vm_page_prot = vm_get_page_prot(
		sim_quire(m), vma->vm_flags & ~(vm_flags_t)VM_WRITE);
	for (step = 0; step < 2; step++) {
		/* 0: do_shared_fault, 1: wp_page_shared after a read */
		uaddr_t at = a + step * PG;

		test_context("step %u", step);
		if (step)
			CHECK_EQ(get64(t, at), 0);
		w.mkwrites = 0;
		w.mkwrite_answer = VM_FAULT_SIGBUS;
		CHECK_SIGNAL(t, sim_store8(t, at + 8, 1), SIGBUS,
			     QUIRE_BUS_ADRERR, at + 8);
		CHECK_EQ(w.mkwrites, 1);
		CHECK_EQ(get64(t, at), 0);
		CHECK_SYSTEM(m);
		/* LOCKED: yes */
		w.mkwrite_answer = VM_FAULT_LOCKED;
		put64(t, at, 5);
		CHECK_EQ(w.mkwrites, 2);
		put64(t, at, 6);
		CHECK_EQ(w.mkwrites, 2);
		CHECK_EQ(get64(t, at), 6);
		CHECK_SYSTEM(m);
	}
	/* 0: yes, but the lock is left to us */
	w.mkwrite_answer = 0;
	put64(t, a + 2 * PG, 5);
	CHECK_EQ(get64(t, a + 2 * PG), 5);
	CHECK_SYSTEM(m);
	vma->vm_page_prot = prot;
	unwrap(vma);
	sim_exit(t);
	sim_file_close(f);
}

/* The operations fail at every allocation: F5 with a table to be made. */
static void absent_table(struct sim_machine *m, void *arg)
{
	unsigned kind = *(unsigned *)arg;
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f;
	uint64_t v;
	sreg_t a;

	if (!t)
		return;
	f = kind == 3 ? NULL : sim_file_create(m, "f", 8 * PG, 3);
	a = sim_mmap(t, TEST_PLACE(1), 8 * PG, RW,
		     (kind == 2 ? MAP_SHARED : MAP_PRIVATE) |
			     (f ? 0 : MAP_ANONYMOUS),
		     f, 0);
	if (mapped_at(a)) {
		int r = kind ? sim_store64(t, (uaddr_t)a, 4)
			     : sim_load64(t, (uaddr_t)a, &v);

		CHECK(r == 0 || r == SIM_OOM);
		/* the access again: by then memory may be back */
		r = sim_store64(t, (uaddr_t)a, 4);
		CHECK(r == 0 || r == SIM_OOM);
		if (!r)
			CHECK_EQ(get64(t, (uaddr_t)a), 4);
		CHECK_SYSTEM(m);
	}
	sim_exit(t);
	if (f)
		sim_file_close(f);
}

/* behaviours: F15, F5, P4 (the table too; prealloc_pte is given back) */
TEST_PLAIN(every_allocation_fails_above_the_page)
{
	unsigned kind;

	UNUSED_MACHINE;
	for (kind = 0; kind < 4; kind++)
		CHECK(test_every_failure(NULL, absent_table, &kind) > 4);
}

/* Which of n pages from a are mapped: the number, and from which to which. */
static unsigned mapped(struct sim_task *t, uaddr_t a, unsigned n,
		       unsigned *first, unsigned *last)
{
	unsigned i, count = 0;

	for (i = 0; i < n; i++)
		if (frame_of(t, a + i * PG)) {
			*first = count++ ? *first : i;
			*last = i;
		}
	return count;
}

/* behaviour: F6 (what is cached around, in the window, the VMA, the table) */
TEST(fault_around)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 64 * PG, 3);
	const uaddr_t edge = TEST_PLACE(1); /* a table ends here */
	unsigned first = 0, last = 0;
	uint64_t min, v;
	uint8_t byte;
	uaddr_t a;

	REQUIRE_EQ(sim_quire(m)->fault_around_bytes, 16 * PG);
	/* all of the file is cached, and a window of 16 pages is mapped */
	for (v = 0; v < 64; v++)
		CHECK_EQ(sim_file_read(f, v * PG, &byte, 1), 1);
	a = edge - 0x100000;
	CHECK_EQ(sim_mmap(t, a, 64 * PG, RW, MAP_PRIVATE | MAP_FIXED, f, 0), a);
	min = t->qt.min_flt;
	CHECK_EQ(sim_load8(t, a + 20 * PG, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(3, 20 * PG));
	CHECK_EQ(mapped(t, a, 64, &first, &last), 16);
	CHECK_EQ(first, 16);
	CHECK_EQ(last, 31);
	for (v = 16; v < 32; v++) {
		CHECK_EQ(sim_load8(t, a + (uaddr_t)v * PG + 7, &byte), 0);
		CHECK_EQ(byte, sim_file_byte(3, v * PG + 7));
	}
	CHECK_EQ(t->qt.min_flt, min + 1);
	CHECK_EQ(mm_stats(t).file_pages, 16);
	CHECK_SYSTEM(m);
	/* mapped read-only: a private write still makes a copy */
	CHECK_EQ(sim_store8(t, a + 17 * PG, 1), 0);
	CHECK_EQ(mm_stats(t).file_pages, 15);
	CHECK_EQ(mm_stats(t).anon_pages, 1);
	CHECK_EQ(sim_munmap(t, a, 64 * PG), 0);

	/* no further than the VMA: pages 3 to 9 of a window */
	a += 3 * PG;
	CHECK_EQ(sim_mmap(t, a, 7 * PG, RW, MAP_PRIVATE | MAP_FIXED, f, 0), a);
	CHECK_EQ(sim_load8(t, a + PG, &byte), 0);
	CHECK_EQ(mapped(t, a - 3 * PG, 16, &first, &last), 7);
	CHECK_EQ(first, 3);
	CHECK_EQ(last, 9);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a, 7 * PG), 0);

	/* nor than the table */
	a = edge - 5 * PG;
	CHECK_EQ(sim_mmap(t, a, 20 * PG, RW, MAP_PRIVATE | MAP_FIXED, f, 0), a);
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK_EQ(mapped(t, a, 20, &first, &last), 5);
	CHECK_EQ(last, 4);
	CHECK_EQ(sim_munmap(t, a, 20 * PG), 0);
	CHECK_SYSTEM(m);

	/* of a window that is not cached, nothing; the fault is answered */
	sim_file_truncate(f, 32 * PG);
	sim_file_truncate(f, 64 * PG);
	a = edge - 0x100000;
	CHECK_EQ(sim_mmap(t, a, 64 * PG, RW, MAP_PRIVATE | MAP_FIXED, f, 0), a);
	v = t->qt.maj_flt;
	CHECK_EQ(sim_load8(t, a + 40 * PG, &byte), 0);
	CHECK_EQ(byte, 0);
	CHECK(frame_of(t, a + 40 * PG));
	CHECK_EQ(frame_of(t, a + 20 * PG), 0);
	CHECK_EQ(t->qt.maj_flt, v + 1);
	CHECK_EQ(sim_munmap(t, a, 64 * PG), 0);

	/* turned off: page by page */
	sim_quire(m)->fault_around_bytes = PG;
	CHECK_EQ(sim_mmap(t, a, 64 * PG, RW, MAP_PRIVATE | MAP_FIXED, f, 0), a);
	CHECK_EQ(sim_load8(t, a + 20 * PG, &byte), 0);
	CHECK_EQ(mapped(t, a, 64, &first, &last), 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}
