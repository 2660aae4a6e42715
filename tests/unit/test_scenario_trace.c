/* SPDX-License-Identifier: MIT */
/*
 * What an observer sees: trace events with the path of each fault, counters by
 * name, figures of an address space; and who is interrupted by a shootdown.
 */
#include "common.h"

struct record {
	struct quire_event ev[256];
	unsigned n;
};

static void on_event(void *cookie, const struct quire_event *ev)
{
	struct record *r = cookie;

	if (r->n < 256)
		r->ev[r->n++] = *ev;
}

/* The record holds one fault: begin, end of this kind; then it is emptied. */
static struct quire_event one_fault(struct record *r, unsigned kind,
				    uaddr_t addr)
{
	struct quire_event e = {0};

	if (CHECK_EQ(r->n, 2)) {
		CHECK_EQ(r->ev[0].type, QE_FAULT_BEGIN);
		CHECK_EQ(r->ev[0].addr, addr);
		e = r->ev[1];
		CHECK_EQ(e.type, QE_FAULT_END);
		CHECK_EQ(e.addr, addr);
		CHECK_STR(quire_fault_kind_name(e.kind),
			  quire_fault_kind_name(kind));
	}
	r->n = 0;
	return e;
}

static bool traced(void)
{
#ifdef QUIRE_TRACE
	return true;
#else
	return false;
#endif
}

/* behaviours: F3, F4, F10 (each kind of fault takes its own path) */
TEST(trace_tells_the_path_of_each_fault)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 4), top = sim_stack_top(m) - (600 << 10);
	struct record r = {.n = 0};
	struct quire_event e;
	uint8_t b;

	if (!traced())
		goto out;
	sim_trace(m, on_event, &r);
	put64(t, a, 1);
	e = one_fault(&r, QF_ANON_WRITE, a);
	CHECK_EQ(e.task, t->qt.id);
	CHECK_EQ(e.mm, quire_mm_id(t->qt.mm));
	CHECK(test_error_is(e.error, SIM_WRITE, 0, false));
	CHECK_EQ(e.bits, QUIRE_EVENT_USER);
	sim_load8(t, a + PG + 3, &b);
	one_fault(&r, QF_ZERO_READ, a + PG + 3);
	put64(t, a + PG, 2);
	one_fault(&r, QF_COW_ZERO, a + PG);
	put64(t, top, 2);
	e = one_fault(&r, QF_STACK_GROWTH, top);
	CHECK(e.bits & QUIRE_EVENT_STACK_GROWTH);
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(r.n, 1);
	CHECK_EQ(r.ev[0].type, QE_FORK);
	CHECK_EQ(r.ev[0].aux, quire_mm_id(c->qt.mm));
	r.n = 0;
	put64(c, a, 3);
	e = one_fault(&r, QF_COW_COPY, a);
	CHECK(test_error_is(e.error, SIM_WRITE, 0, true));
	sim_exit(c);
	r.n = 0;
	put64(t, a, 4);
	one_fault(&r, QF_COW_REUSE, a);
	CHECK_EQ(sim_load8(t, 0x1000, &b), SIGSEGV);
	one_fault(&r, QF_SIGSEGV, 0x1000);
	CHECK_EQ(sim_copy_from_user(t, 0x1000, &b, 1), 0);
	e = one_fault(&r, QF_FIXUP, 0x1000);
	CHECK_EQ(e.bits, 0);
	sim_trace(m, NULL, NULL);
out:
	sim_exit(t);
}

/* behaviours: F5, F7 */
TEST(trace_tells_the_path_of_file_faults)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", 64 * PG, 3);
	struct sim_file *g = sim_file_shmem(m, "/memfd", 2 * PG);
	uaddr_t a = must_map(t, 70 * PG, RW, MAP_PRIVATE, f, 0);
	uaddr_t s = must_map(t, 2 * PG, RW, MAP_SHARED, g, 0);
	struct record r = {.n = 0};
	struct quire_event e;
	uint8_t b;

	if (!traced())
		goto out;
	sim_trace(m, on_event, &r);
	CHECK_EQ(sim_load8(t, a, &b), 0);
	e = one_fault(&r, QF_FILE_READ, a);
	CHECK(e.bits & QUIRE_EVENT_MAJOR);
	CHECK_EQ(sim_store8(t, a + 40 * PG, 1), 0);
	one_fault(&r, QF_FILE_COW, a + 40 * PG);
	CHECK_EQ(sim_store8(t, s, 1), 0);
	one_fault(&r, QF_SHMEM, s);
	CHECK_EQ(sim_load8(t, a + 66 * PG, &b), SIGBUS);
	one_fault(&r, QF_SIGBUS, a + 66 * PG);
	sim_trace(m, NULL, NULL);
out:
	sim_exit(t);
	sim_file_close(f);
	sim_file_close(g);
}

TEST(trace_tells_each_change_of_the_map)
{
	struct sim_task *t = sim_task_create(m);
	struct record r = {.n = 0};
	static const uint8_t want[] = {QE_MMAP,	  QE_MPROTECT, QE_MADVISE,
				       QE_MREMAP, QE_MUNMAP,   QE_BRK};
	uaddr_t a;
	sreg_t n;
	unsigned i;

	if (!traced())
		goto out;
	sim_trace(m, on_event, &r);
	a = anon(t, 8);
	CHECK_EQ(sim_mprotect(t, a, PG, PROT_READ), 0);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_DONTNEED), 0);
	n = sim_mremap(t, a + PG, 7 * PG, 6 * PG, 0, 0);
	CHECK_EQ(n, (sreg_t)(a + PG));
	CHECK_EQ(sim_munmap(t, a, 2 * PG), 0);
	sim_brk(t, 0x10002000);
	sim_trace(m, NULL, NULL);
	if (CHECK_EQ(r.n, sizeof(want))) {
		for (i = 0; i < sizeof(want); i++)
			CHECK_EQ(r.ev[i].type, want[i]);
		CHECK_EQ(r.ev[0].result, (int64_t)a);
		CHECK_EQ(r.ev[0].len, 8 * PG);
		CHECK_EQ(r.ev[3].aux, 6 * PG);
		CHECK_EQ(r.ev[4].addr, a);
	}
out:
	sim_exit(t);
}

/* behaviours: M5, E8 */
TEST(figures_of_an_address_space)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", 8 * PG, 3);
	struct sim_file *g = sim_file_shmem(m, "/memfd", 8 * PG);
	struct quire_mm_stats a = mm_stats(t), b;
	uaddr_t x = anon(t, 100), y, z;
	uint64_t faults = sim_vmstat(m, "pgfault");

	y = must_map(t, 8 * PG, PROT_READ, MAP_SHARED, f, 0);
	z = must_map(t, 8 * PG, RW, MAP_SHARED, g, 0);
	CHECK_EQ(sim_touch_write(t, x, 50 * PG, 1), 0);
	CHECK_EQ(sim_touch_write(t, z, 3 * PG, 1), 0);
	CHECK_EQ(sim_touch_read(t, y, 8 * PG), 0);
	b = mm_stats(t);
	CHECK_EQ(b.anon_pages, a.anon_pages + 50);
	CHECK_EQ(b.file_pages, a.file_pages + 8);
	CHECK(b.shmem_pages >= a.shmem_pages + 3);
	CHECK_EQ(b.total_vm, a.total_vm + 116);
	CHECK_EQ(b.vmas, a.vmas + 3);
	CHECK(sim_vmstat(m, "pgfault") >= faults + 54);
	CHECK_EQ(sim_munmap(t, x, 100 * PG), 0);
	b = mm_stats(t);
	CHECK_EQ(b.anon_pages, a.anon_pages);
	/* the high-water mark stays */
	CHECK(b.hiwater_rss >= 61);
	CHECK(b.hiwater_vm >= a.total_vm + 116);
	CHECK_EQ(sim_vmstat(m, "no_such_counter"), UINT64_MAX);
	sim_exit(t);
	sim_file_close(f);
	sim_file_close(g);
}

/* ------------------------------------------------------------- shootdown */

struct shoot {
	struct sim_task *t[2];
	uaddr_t a;
	uint32_t up, stop;
};

static void shooter(unsigned i, void *arg)
{
	struct shoot *s = arg;
	unsigned k;

	if (i == 1) {
		while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
			put64(s->t[1], s->a + 200 * PG, 1);
			__atomic_store_n(&s->up, 1, __ATOMIC_RELEASE);
		}
		return;
	}
	sim_run(s->t[0]);
	while (!__atomic_load_n(&s->up, __ATOMIC_ACQUIRE))
		sim_poll();
	for (k = 0; k < 100; k++) {
		put64(s->t[0], s->a + k * PG, 1);
		CHECK_EQ(sim_munmap(s->t[0], s->a + k * PG, PG), 0);
	}
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELEASE);
}

static uint64_t shoot(struct sim_machine *m, bool same)
{
	struct shoot s = {.t = {sim_task_create(m)}};
	struct sim_stats before, after;

	s.a = anon(s.t[0], 300);
	s.t[1] = same ? sim_thread(s.t[0]) : sim_fork(s.t[0]);
	REQUIRE(s.t[1]);
	sim_run(NULL);
	sim_get_stats(m, &before);
	sim_parallel(m, 2, shooter, &s);
	sim_get_stats(m, &after);
	sim_exit(s.t[0]);
	sim_exit(s.t[1]);
	return after.ipis - before.ipis;
}

/* behaviour: Z4 (only processors that may hold an entry are interrupted) */
TEST_WITH(shootdown_interrupts_only_whom_it_must, .config = {.cpus = 4})
{
	uint64_t ipis = shoot(m, true);

	if (TEST_TLB_BROADCAST(m)) {
		CHECK_EQ(ipis, 0);
		CHECK_EQ(shoot(m, false), 0);
		return;
	}
	CHECK(ipis >= 100 && ipis <= 110);
	CHECK_EQ(shoot(m, false), 0);
}
