/* SPDX-License-Identifier: MIT */
/*
 * Faults that wait for a disk: what they hold meanwhile (nothing), what ends
 * the waiting, how often it counts; and those of tasks that may not wait.
 */
#include <fault.h>

#include "common.h"

#define SEED 5

/* A file on a disk that does nothing but what sim_disk_step() tells it. */
static struct sim_file *held_file(struct sim_machine *m, uint64_t pages,
				  enum sim_disk_mode mode)
{
	struct sim_disk_config c = {.mode = mode};
	struct sim_file *f = sim_file_create(m, "/f", pages * PG, SEED);

	REQUIRE(f);
	REQUIRE_EQ(sim_disk_configure(f, &c), 0);
	return f;
}

struct figures {
	uint64_t min, maj, faults, majfaults, retries, waits;
};

static struct figures figures(struct sim_task *t)
{
	return (struct figures){
		.min = t->qt.min_flt,
		.maj = t->qt.maj_flt,
		.faults = sim_vmstat(t->m, "pgfault"),
		.majfaults = sim_vmstat(t->m, "pgmajfault"),
		.retries = sim_vmstat(t->m, "quire_fault_retry"),
		.waits = sim_vmstat(t->m, "quire_fault_wait"),
	};
}

/* Since `was`: one fault, which was a major one. */
static void one_major(struct sim_task *t, const struct figures *was)
{
	struct figures now = figures(t);

	CHECK_EQ(now.min - was->min, 0);
	CHECK_EQ(now.maj - was->maj, 1);
	CHECK_EQ(now.faults - was->faults, 1);
	CHECK_EQ(now.majfaults - was->majfaults, 1);
}

/* -------------------------------------------------- one waits, one acts */

struct pair {
	struct sim_machine *m;
	struct sim_task *t[2];
	struct sim_file *f;
	uaddr_t a;
	bool write;
	int result;
	void (*meanwhile)(struct pair *p);
};

/* CPU 0 faults; CPU 1 acts when the request is there, and not before. */
static void fault_and_act(unsigned cpu, void *arg)
{
	struct pair *p = arg;
	uint8_t byte = 0;

	if (cpu == 0) {
		p->result = p->write ? sim_store8(p->t[0], p->a + 9, 1)
				     : sim_load8(p->t[0], p->a + 9, &byte);
		if (!p->result && !p->write)
			CHECK_EQ(byte, sim_file_byte(SEED, 9));
		return;
	}
	while (!sim_disk_pending(p->m))
		sim_poll();
	/* it sleeps, or is about to */
	while (!__atomic_load_n(&p->t[0]->wait_word, __ATOMIC_SEQ_CST))
		sim_poll();
	p->meanwhile(p);
	while (sim_disk_step(p->m, 100))
		;
	sim_run(NULL);
}

static void run_pair(struct pair *p)
{
	p->t[0] = sim_task_create(p->m);
	REQUIRE(p->t[0]);
	p->t[1] = sim_thread(p->t[0]);
	REQUIRE(p->t[1]);
	p->f = held_file(p->m, 64, SIM_DISK_HELD);
	p->a = must_map(p->t[0], 64 * PG, RW, MAP_PRIVATE, p->f, 0);
	sim_run(NULL);
	sim_parallel(p->m, 2, fault_and_act, p);
}

static void end_pair(struct pair *p)
{
	CHECK_SYSTEM(p->m);
	sim_exit(p->t[1]);
	sim_exit(p->t[0]);
}

/* Only this thread moves the disk: it could not, if it had to wait for the
 * other one's mmap_lock. */
static void change_the_map(struct pair *p)
{
	uaddr_t b = anon(p->t[1], 4);

	CHECK_EQ(sim_mprotect(p->t[1], p->a + 32 * PG, PG, PROT_READ), 0);
	CHECK_EQ(sim_munmap(p->t[1], b, 4 * PG), 0);
	CHECK_EQ(sim_disk_pending(p->m), 1);
}

/* behaviours: E7, E8, C1 (the mmap_lock is let go of for the I/O; tried again,
 * the fault counts once, as a major one) */
TEST_WITH(waits_without_the_mmap_lock, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = change_the_map};
	struct figures was = {0};
	unsigned i;

	for (i = 0; i < 2; i++) {
		test_context("%s", i ? "write" : "read");
		p.write = i;
		was.faults = sim_vmstat(m, "pgfault");
		was.majfaults = sim_vmstat(m, "pgmajfault");
		was.retries = sim_vmstat(m, "quire_fault_retry");
		run_pair(&p);
		CHECK_EQ(p.result, 0);
		one_major(p.t[0], &was);
		CHECK_EQ(sim_vmstat(m, "quire_fault_retry"), was.retries + 1);
		CHECK_EQ(p.t[0]->total_faults, 1);
		end_pair(&p);
		sim_file_close(p.f);
	}
}

/* The mapping goes, and with it the last reference that the task knows of. */
static void unmap_it(struct pair *p)
{
	CHECK_EQ(sim_munmap(p->t[1], p->a, 64 * PG), 0);
	sim_file_close(p->f);
	/* the fault has one: else this would end in a sleep for ever */
}

/* behaviours: E7, C4 (what comes back finds no mapping; the file was pinned) */
TEST_WITH(the_file_is_pinned_meanwhile, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = unmap_it};

	run_pair(&p);
	CHECK_EQ(p.result, SIGSEGV);
	CHECK_EQ(p.t[0]->sig.code, QUIRE_SEGV_MAPERR);
	CHECK_EQ(p.t[0]->sig.addr, p.a + 9);
	CHECK_EQ(sim_vmstat(m, "nr_file_pages"), 0);
	end_pair(&p);
}

/* Something else is there afterwards: that is what is accessed. */
static void replace_it(struct pair *p)
{
	CHECK_EQ(
		sim_mmap(p->t[1], p->a, 64 * PG, RW, ANON | MAP_FIXED, NULL, 0),
		(sreg_t)p->a);
	CHECK_EQ(sim_store8(p->t[1], p->a + 9, sim_file_byte(SEED, 9)), 0);
}

/* behaviour: E7 */
TEST_WITH(another_mapping_meanwhile, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = replace_it};

	run_pair(&p);
	CHECK_EQ(p.result, 0);
	CHECK_EQ(mm_stats(p.t[0]).file_pages, 0);
	end_pair(&p);
	sim_file_close(p.f);
}

static void truncate_it(struct pair *p)
{
	/* (waits for the pages under I/O: they must move first) */
	while (sim_disk_step(p->m, 1))
		;
	sim_file_truncate(p->f, 0);
}

/* behaviour: C4 (beyond the new end: SIGBUS; or it was in time) */
TEST_WITH(truncated_meanwhile, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = truncate_it};

	run_pair(&p);
	CHECK(p.result == 0 || p.result == SIGBUS);
	CHECK_EQ(sim_load8(p.t[0], p.a + 9, &(uint8_t){0}), SIGBUS);
	end_pair(&p);
	sim_file_close(p.f);
}

static void kill_it(struct pair *p)
{
	sim_kill(p->t[0]);
	/* it goes without the disk's help */
	while (__atomic_load_n(&p->t[0]->wait_word, __ATOMIC_SEQ_CST))
		sim_poll();
	CHECK_EQ(sim_disk_pending(p->m), 1);
}

/* behaviour: E7 (KILLABLE: a fatal signal ends the waiting) */
TEST_WITH(killed_meanwhile, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = kill_it};

	run_pair(&p);
	CHECK_EQ(p.result, SIGKILL);
	CHECK_EQ(p.t[0]->qt.maj_flt, 0);
	end_pair(&p);
	sim_file_close(p.f);
}

static void fail_it(struct pair *p)
{
	sim_file_fail_reads(p->f, 0, 1000, -EIO);
}

/* behaviours: C2, E7 (the device is asked once for one fault) */
TEST_WITH(an_error_meanwhile, .config = {.cpus = 2})
{
	struct pair p = {.m = m, .meanwhile = fail_it};
	struct sim_file_stats st;
	uint8_t byte;

	run_pair(&p);
	CHECK_EQ(p.result, SIGBUS);
	CHECK_EQ(p.t[0]->sig.code, QUIRE_BUS_ADRERR);
	sim_file_get_stats(p.f, &st);
	CHECK_EQ(st.read_requests, 1);
	CHECK_EQ(sim_vmstat(m, "pgmajfault"), 0); /* not handled */
	sim_file_fail_reads(p.f, 0, 0, 0);
	REQUIRE_EQ(sim_disk_configure(p.f, &(struct sim_disk_config){0}), 0);
	CHECK_EQ(sim_load8(p.t[0], p.a + 9, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(SEED, 9));
	end_pair(&p);
	sim_file_close(p.f);
}

/* ------------------------------------------------- not by an exception */

/* behaviours: E14, C2 (pinning, copying and populating wait as well, with and
 * without the mmap_lock, and report what fails) */
TEST(gup_waits_and_reports)
{
	struct sim_task *t = sim_task_create(m), *c = sim_task_create(m);
	struct sim_file *f = held_file(m, 256, SIM_DISK_LAZY);
	uaddr_t a = must_map(t, 256 * PG, RW, MAP_PRIVATE, f, 0);
	struct page *pages[4];
	unsigned char buf[4096];
	unsigned i;

	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 4, false, pages), 4);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(*(unsigned char *)quire_page_address(sim_quire(m),
							      pages[i]),
			 sim_file_byte(SEED, i * PG));
		quire_page_put(sim_quire(m), pages[i]);
	}
	/* another's memory, and a write to it */
	sim_run(c);
	CHECK_EQ(quire_mm_read(t->qt.mm, a + 100 * PG - 7, buf, 4096), 4096);
	for (i = 0; i < 4096; i++)
		if (buf[i] != sim_file_byte(SEED, 100 * PG - 7 + i))
			break;
	CHECK_EQ(i, 4096);
	CHECK_EQ(quire_mm_write(t->qt.mm, a + 150 * PG, "x", 1, false), 1);
	CHECK_EQ(sim_madvise(t, a + 200 * PG, 20 * PG, MADV_POPULATE_READ), 0);
	CHECK_EQ(sim_madvise(t, a + 220 * PG, 9 * PG, MADV_POPULATE_WRITE), 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_mapping_drop_clean(sim_file_mapping(f), 0, UINT64_MAX) >
			 0,
		 true);
	/* nothing loops where the disk fails */
	sim_file_fail_reads(f, 0, 100000, -EIO);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + 60 * PG, 4, false, pages),
		 -EFAULT);
	CHECK_EQ(quire_mm_read(t->qt.mm, a + 62 * PG, buf, 10), 0);
	CHECK_EQ(sim_madvise(t, a + 64 * PG, PG, MADV_POPULATE_READ), -EFAULT);
	CHECK_EQ(quire_mlock(t->qt.mm, a + 66 * PG, PG, 0) < 0, true);
	CHECK_EQ(sim_copy_from_user(t, a + 68 * PG, buf, 10), 0);
	sim_file_fail_reads(f, 0, 0, 0);
	CHECK_EQ(quire_mm_read(t->qt.mm, a + 62 * PG, buf, 10), 10);
	CHECK_EQ(buf[0], sim_file_byte(SEED, 62 * PG));
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	sim_file_close(f);
}

/* A fault that may not be tried again waits where it is. */
TEST(no_retry_waits_with_the_lock)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = held_file(m, 64, SIM_DISK_LAZY);
	uaddr_t a = must_map(t, 64 * PG, PROT_READ, MAP_PRIVATE, f, 0);
	struct mm_struct *mm = t->qt.mm;
	vm_fault_t ret;

	sim_run(t);
	down_read(&mm->mmap_lock);
	ret = handle_mm_fault(find_vma(mm, a), a, FAULT_FLAG_USER, NULL);
	CHECK(ret & VM_FAULT_MAJOR);
	CHECK_EQ(ret & (VM_FAULT_ERROR | VM_FAULT_RETRY), 0);
	CHECK(rwsem_is_locked(&mm->mmap_lock));
	/* the second try too */
	ret = handle_mm_fault(find_vma(mm, a), a + 50 * PG,
			      FAULT_FLAG_DEFAULT | FAULT_FLAG_TRIED, NULL);
	CHECK(ret & VM_FAULT_MAJOR);
	CHECK_EQ(ret & (VM_FAULT_ERROR | VM_FAULT_RETRY), 0);
	sim_file_fail_reads(f, 0, 1000, -EIO);
	ret = handle_mm_fault(find_vma(mm, a), a + 20 * PG, FAULT_FLAG_USER,
			      NULL);
	CHECK_EQ(ret & VM_FAULT_ERROR, 0); /* it had been read around */
	(void)quire_mapping_drop_clean(sim_file_mapping(f), 0, UINT64_MAX);
	ret = handle_mm_fault(find_vma(mm, a), a + 40 * PG, FAULT_FLAG_USER,
			      NULL);
	CHECK(ret & VM_FAULT_SIGBUS);
	CHECK(rwsem_is_locked(&mm->mmap_lock));
	up_read(&mm->mmap_lock);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* ------------------------------------------------ tasks that may not wait */

/* behaviours: E7, E8 (RETRY_NOWAIT: back at once, nothing held, nothing
 * counted; called when it is there; counted once) */
TEST(nowait_is_called_back)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = held_file(m, 64, SIM_DISK_HELD);
	uaddr_t a = must_map(t, 64 * PG, RW, MAP_PRIVATE, f, 0);
	struct figures was = figures(t);
	uint8_t byte = 0;
	unsigned i;

	t->qt.nowait = true;
	for (i = 1; i < 4; i++) {
		/* an access before its time finds nothing, and is harmless */
		CHECK_EQ(sim_load8(t, a + 9, &byte), SIM_WAITS);
		CHECK(t->qt.fault_waiting);
		CHECK(!rwsem_is_locked(&t->qt.mm->mmap_lock));
		CHECK_EQ(t->fault_readies, 0);
		CHECK_EQ(figures(t).faults, was.faults);
		CHECK_EQ(figures(t).maj, was.maj);
		CHECK_EQ(figures(t).waits, was.waits + i);
		quire_fault_cancel(&t->qt);
		CHECK(!t->qt.fault_waiting);
	}
	CHECK_EQ(sim_disk_pending(m), 1);
	CHECK_EQ(sim_load8(t, a + 9, &byte), SIM_WAITS);
	CHECK(sim_disk_step(m, 1000) > 0);
	CHECK_EQ(t->fault_readies, 1);
	CHECK(!t->qt.fault_waiting);
	CHECK_EQ(sim_load8(t, a + 9, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(SEED, 9));
	one_major(t, &was);
	/* its neighbours came along */
	was = figures(t);
	CHECK_EQ(sim_load8(t, a + 20 * PG, &byte), 0);
	CHECK_EQ(figures(t).maj, was.maj);
	CHECK_EQ(figures(t).waits, was.waits);
	/* a write to a private page waits for the one it copies */
	was = figures(t);
	CHECK_EQ(sim_store8(t, a + 60 * PG, 7), SIM_WAITS);
	CHECK(sim_disk_step(m, 1000) > 0);
	CHECK_EQ(t->fault_readies, 2);
	CHECK_EQ(sim_store8(t, a + 60 * PG, 7), 0);
	one_major(t, &was);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* A host whose disk is done before readpage returns never waits. */
TEST(nowait_with_a_disk_that_is_done_at_once)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = held_file(m, 256, SIM_DISK_NOW);
	uaddr_t a = must_map(t, 256 * PG, PROT_READ, MAP_SHARED, f, 0);
	uint8_t byte;
	unsigned i;

	t->qt.nowait = true;
	for (i = 0; i < 256; i++) {
		CHECK_EQ(sim_load8(t, a + i * PG, &byte), 0);
		CHECK_EQ(byte, sim_file_byte(SEED, i * PG));
	}
	CHECK_EQ(t->fault_readies, 0);
	CHECK_EQ(sim_vmstat(m, "quire_fault_wait"), 0);
	CHECK_EQ(sim_vmstat(m, "quire_fault_retry"), 0);
	CHECK(t->qt.maj_flt >= 1);
	CHECK_EQ(t->qt.maj_flt + t->qt.min_flt, sim_vmstat(m, "pgfault"));
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* Who is cancelled is called no more; the others are. */
TEST(nowait_can_be_cancelled)
{
	struct sim_task *t[3] = {sim_task_create(m)};
	struct sim_file *f = held_file(m, 64, SIM_DISK_HELD);
	uaddr_t a = must_map(t[0], 64 * PG, PROT_READ, MAP_SHARED, f, 0);
	uint8_t byte;
	unsigned i;

	t[1] = sim_thread(t[0]);
	t[2] = sim_fork(t[0]);
	for (i = 0; i < 3; i++) {
		t[i]->qt.nowait = true;
		CHECK_EQ(sim_load8(t[i], a, &byte), SIM_WAITS);
	}
	CHECK_SYSTEM(m);
	quire_fault_cancel(&t[1]->qt);
	quire_fault_cancel(&t[1]->qt); /* harmless */
	CHECK(!t[1]->qt.fault_waiting);
	CHECK(t[0]->qt.fault_waiting && t[2]->qt.fault_waiting);
	sim_exit(t[1]);
	CHECK(sim_disk_step(m, 1000) > 0);
	CHECK_EQ(t[0]->fault_readies, 1);
	CHECK_EQ(t[2]->fault_readies, 1);
	CHECK(!t[0]->qt.fault_waiting && !t[2]->qt.fault_waiting);
	for (i = 0; i < 3; i += 2) {
		CHECK_EQ(sim_load8(t[i], a, &byte), 0);
		CHECK_EQ(t[i]->qt.maj_flt, 1);
		CHECK_EQ(t[i]->qt.min_flt, 0);
	}
	CHECK_SYSTEM(m);
	sim_exit(t[2]);
	sim_exit(t[0]);
	sim_file_close(f);
}

/* One CPU ends the I/O, and takes its time to tell the host; another cancels
 * the wait, and then frees the task. */
struct cancelling {
	struct sim_machine *m;
	struct sim_task *t;
	uint32_t telling, cancelled;
};

static void slow_to_tell(struct sim_task *t, void *arg)
{
	struct cancelling *c = arg;
	unsigned i;

	(void)t;
	__atomic_store_n(&c->telling, 1u, __ATOMIC_RELEASE);
	for (i = 0; i < 20000; i++) {
		if (__atomic_load_n(&c->cancelled, __ATOMIC_ACQUIRE))
			break;
		sim_poll();
	}
	CHECK(!__atomic_load_n(&c->cancelled, __ATOMIC_ACQUIRE));
}

static void step_or_cancel(unsigned cpu, void *arg)
{
	struct cancelling *c = arg;

	if (cpu == 0) {
		CHECK(sim_disk_step(c->m, 1000) > 0);
		return;
	}
	while (!__atomic_load_n(&c->telling, __ATOMIC_ACQUIRE))
		sim_poll();
	quire_fault_cancel(&c->t->qt);
	__atomic_store_n(&c->cancelled, 1u, __ATOMIC_RELEASE);
	CHECK(!c->t->qt.fault_waiting);
}

/* A host that is being told is waited for: after that the task may go. */
TEST_WITH(nowait_cancelled_while_told, .config = {.cpus = 2})
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = held_file(m, 64, SIM_DISK_HELD);
	uaddr_t a = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, f, 0);
	struct cancelling c = {.m = m, .t = t};
	uint8_t byte;

	t->qt.nowait = true;
	t->on_fault_ready = slow_to_tell;
	t->on_fault_ready_arg = &c;
	CHECK_EQ(sim_load8(t, a, &byte), SIM_WAITS);
	sim_run(NULL);
	sim_parallel(m, 2, step_or_cancel, &c);
	CHECK_EQ(t->fault_readies, 1);
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: C2, E7 (it is told of the error, and a later try succeeds) */
TEST(nowait_meets_an_error)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = held_file(m, 64, SIM_DISK_HELD);
	uaddr_t a = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, f, 0);
	struct sim_file_stats st;
	uint8_t byte;
	unsigned i;

	t->qt.nowait = true;
	sim_file_fail_reads(f, 0, 1000, -EIO);
	for (i = 1; i < 4; i++) {
		CHECK_EQ(sim_load8(t, a + 9, &byte), SIM_WAITS);
		CHECK(sim_disk_step(m, 1000) > 0);
		CHECK_EQ(t->fault_readies, i);
		CHECK_SIGNAL(t, sim_load8(t, a + 9, &byte), SIGBUS,
			     QUIRE_BUS_ADRERR, a + 9);
		sim_file_get_stats(f, &st);
		CHECK_EQ(st.read_requests, i);
		CHECK_EQ(t->qt.maj_flt + t->qt.min_flt, 0);
	}
	sim_file_fail_reads(f, 0, 0, 0);
	CHECK_EQ(sim_load8(t, a + 9, &byte), SIM_WAITS);
	CHECK(sim_disk_step(m, 1000) > 0);
	CHECK_EQ(sim_load8(t, a + 9, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(SEED, 9));
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* The kernel's own access on behalf of such a task comes back, too; what is
 * read by a call instead of an access may sleep. */
TEST(nowait_in_kernel_mode)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = held_file(m, 64, SIM_DISK_HELD);
	struct sim_file *g = held_file(m, 64, SIM_DISK_LAZY);
	uaddr_t a = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, f, 0);
	uaddr_t b = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, g, 0);
	unsigned char buf[100];

	t->qt.nowait = true;
	CHECK_EQ(sim_copy_from_user(t, a, buf, 100), 0);
	CHECK(t->qt.fault_waiting);
	CHECK(sim_disk_step(m, 1000) > 0);
	CHECK_EQ(t->fault_readies, 1);
	CHECK_EQ(sim_copy_from_user(t, a, buf, 100), 100);
	CHECK_EQ(buf[99], sim_file_byte(SEED, 99));
	sim_run(t);
	CHECK_EQ(quire_mm_read(t->qt.mm, b, buf, 100), 100);
	CHECK_EQ(t->fault_readies, 1);
	CHECK_EQ(sim_file_read(g, 50 * PG, buf, 100), 100);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
	sim_file_close(g);
}

/* ----------------------------------------------------------------- races */

struct waiters {
	struct sim_machine *m;
	struct sim_task *t[4];
	struct sim_file *f;
	uaddr_t a;
	uint32_t stop;
};

#define WAITED_PAGES 256u

/* Access page by page as a host would: repeated when it is called. */
static void waiter(unsigned cpu, void *arg)
{
	struct waiters *w = arg;
	struct sim_task *t = w->t[cpu];
	uint64_t s = 99 + cpu;
	unsigned round, i;
	uint8_t byte;
	int r;

	for (round = 0; round < ROUNDS(400); round++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		i = (unsigned)(s >> 40) % WAITED_PAGES;
		if (cpu == 3) { /* and somebody takes the pages away */
			(void)quire_mapping_drop_clean(sim_file_mapping(w->f),
						       0, UINT64_MAX);
			CHECK_EQ(sim_madvise(t, w->a, WAITED_PAGES * PG,
					     MADV_DONTNEED),
				 0);
			continue;
		}
		for (;;) {
			uint32_t before = __atomic_load_n(&t->fault_readies,
							  __ATOMIC_ACQUIRE);

			r = sim_load8(t, w->a + i * PG, &byte);
			if (r != SIM_WAITS)
				break;
			while (__atomic_load_n(&t->qt.fault_waiting,
					       __ATOMIC_ACQUIRE))
				sim_poll();
			while (__atomic_load_n(&t->fault_readies,
					       __ATOMIC_ACQUIRE) == before)
				sim_poll();
		}
		CHECK_EQ(r, 0);
		CHECK_EQ(byte, sim_file_byte(SEED, i * PG));
	}
	sim_run(NULL);
}

/* behaviours: E7, E8 (no wake-up is lost, whoever is faster) */
TEST_WITH(nowait_races, .config = {.cpus = 4, .io_thread = true, .jitter = 20},
	  .seconds = 120)
{
	struct waiters w = {.m = m};
	unsigned i;

	w.f = sim_file_create(m, "/f", WAITED_PAGES * PG, SEED);
	REQUIRE(w.f);
	sim_file_latency(w.f, 20);
	w.t[0] = sim_task_create(m);
	w.a = must_map(w.t[0], WAITED_PAGES * PG, PROT_READ, MAP_SHARED, w.f,
		       0);
	for (i = 1; i < 4; i++)
		w.t[i] = sim_thread(w.t[0]);
	for (i = 0; i < 3; i++) /* two that may not wait, one that may */
		w.t[i]->qt.nowait = i < 2;
	sim_run(NULL);
	sim_parallel(m, 4, waiter, &w);
	CHECK_SYSTEM(m);
	for (i = 4; i-- > 0;)
		sim_exit(w.t[i]);
	sim_file_close(w.f);
	CHECK_EQ(sim_vmstat(m, "nr_file_pages"), 0);
}

/* ---------------------------------------------------------------- memory */

static void wait_in_all_ways(struct sim_machine *m, void *arg)
{
	struct sim_disk_config lazy = {.mode = SIM_DISK_LAZY};
	struct sim_file *f = sim_file_create(m, "/f", 64 * PG, SEED);
	struct sim_task *t = sim_task_create(m);
	uint8_t byte;
	unsigned i, k;
	sreg_t a;
	int r;

	(void)arg;
	if (f && t && !sim_disk_configure(f, &lazy)) {
		a = sim_mmap(t, 0, 64 * PG, RW, MAP_PRIVATE, f, 0);
		for (i = 0; mapped_at(a) && i < 64; i += 20) {
			t->qt.nowait = i >= 40;
			for (k = 0; k < 3; k++) {
				r = i % 40 ? sim_store8(t, (uaddr_t)a + i * PG,
							1)
					   : sim_load8(t, (uaddr_t)a + i * PG,
						       &byte);
				CHECK(r == 0 || r == SIM_OOM || r == SIGBUS ||
				      r == SIM_WAITS);
				(void)sim_disk_step(m, 100);
				CHECK(!t->qt.fault_waiting);
			}
		}
	}
	if (t)
		sim_exit(t);
	if (f)
		sim_file_close(f);
}

/* behaviour: F15 */
TEST_WITH(waiting_when_every_allocation_fails, .plain = true, .seconds = 300)
{
	UNUSED_MACHINE;
	if (!sim_has_injection())
		return;
	CHECK(test_every_failure(NULL, wait_in_all_ways, NULL) > 20);
}
