/* SPDX-License-Identifier: MIT */
/*
 * Z3 on ARM: many more address spaces than ASIDs, on one CPU and on four; no
 * translation of one is ever used by another.  And the same on machines that
 * forget to flush, to show that these tests would notice.
 *
 * Each address space has REGION pages at the same place, and in page k of the
 * i-th the value i * REGION + k.  A visit reads some pages, gives some back and
 * writes them anew, so that frames move from one to another all the time: a
 * stale entry leads to another's value or to a free frame.
 */
#include <sim/mmu_arm.h>
#include <tests/unit/entries.h>

/*
 * What a machine that forgets leads to is caught by AddressSanitizer first: an
 * access to memory that is free.
 */
#if defined(__SANITIZE_ADDRESS__)
#define TEST_FORGETTING(id, ...)                                               \
	static void __attribute__((unused)) id(struct sim_machine *m)
#else
#define TEST_FORGETTING(...) TEST_WITH(__VA_ARGS__)
#endif

#define SPACES 320u
#define REGION 64u
#define PLACE  TEST_PLACE(1)

struct spaces {
	struct sim_task *task[SPACES];
	unsigned n, rounds;
	uint64_t wrong; /* atomic: values that were another's */
};

static uaddr_t page(unsigned k)
{
	return PLACE + k % REGION * PG;
}

static struct sim_task *make_space(struct sim_machine *m, unsigned i)
{
	struct sim_task *t = sim_task_create_bare(m);
	unsigned k;

	REQUIRE(t);
	REQUIRE(sim_mmap(t, PLACE, REGION * PG, RW, ANON | MAP_FIXED, NULL,
			 0) == (sreg_t)PLACE);
	for (k = i % 7; k < REGION; k += 7)
		put64(t, page(k), i * REGION + k);
	return t;
}

/* One turn of address space i; true: it saw what is not its own. */
static bool visit(struct sim_task *t, unsigned i, unsigned turn)
{
	unsigned k = i % 7 + turn % 9 * 7;
	uint64_t v = 0;
	bool wrong;

	wrong = sim_load64(t, page(k), &v) || v != i * REGION + k % REGION;
	if (k % REGION != k)
		wrong = false; /* not one of its pages */
	k = i % 7 + (turn + 4) % 9 * 7;
	if (k >= REGION)
		return wrong;
	if (sim_madvise(t, page(k), PG, MADV_DONTNEED))
		return true;
	if (sim_load64(t, page(k), &v) || v)
		return true;
	if (sim_store64(t, page(k), i * REGION + k))
		return true;
	return wrong || sim_load64(t, page(k), &v) || v != i * REGION + k;
}

static void visit_all(struct spaces *s, unsigned first, unsigned step)
{
	unsigned turn, i;

	for (turn = 0; turn < s->rounds; turn++)
		for (i = first; i < s->n; i += step)
			if (visit(s->task[i], i, turn))
				__atomic_fetch_add(&s->wrong, 1u,
						   __ATOMIC_RELAXED);
}

static void fill(struct spaces *s, struct sim_machine *m, unsigned n,
		 unsigned rounds)
{
	memset(s, 0, sizeof(*s));
	s->n = n;
	s->rounds = rounds;
	for (n = 0; n < s->n; n++)
		s->task[n] = make_space(m, n);
}

static void empty(struct spaces *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		sim_exit(s->task[i]);
}

/* behaviour: Z3 (8 bits of ASID, 320 address spaces, one CPU) */
TEST_WITH(arm_asid_rollover, .config = {.asids = 255, .tlb_ways = 16})
{
	struct spaces s;
	struct sim_stats before, after;
	uint64_t rolled;

	fill(&s, m, SPACES, 12);
	rolled = sim_vmstat(m, "quire_asid_rollover");
	visit_all(&s, 0, 1);
	CHECK_EQ(s.wrong, 0);
	/* a new one only when the ids are used up */
	rolled = sim_vmstat(m, "quire_asid_rollover") - rolled;
	CHECK(rolled >= 12 && rolled <= 12 * SPACES / 255 + 1);
	/* two that change places with each other lose nothing */
	put64(s.task[0], page(0), 1);
	put64(s.task[7], page(0), 2);
	sim_get_stats(m, &before);
	CHECK_EQ(get64(s.task[0], page(0)), 1);
	CHECK_EQ(get64(s.task[7], page(0)), 2);
	CHECK_EQ(get64(s.task[0], page(0)), 1);
	sim_get_stats(m, &after);
	CHECK_EQ(after.walks, before.walks);
	CHECK_EQ(after.flush_all, before.flush_all);
	CHECK(after.table_loads >= before.table_loads + 3);
	empty(&s);
}

/* As few ids as one CPU can do with: rollover at nearly every switch. */
TEST_WITH(arm_asid_few, .config = {.asids = 2, .tlb_ways = 16})
{
	struct spaces s;

	fill(&s, m, 9, 40);
	visit_all(&s, 0, 1);
	CHECK_EQ(s.wrong, 0);
	CHECK(sim_vmstat(m, "quire_asid_rollover") > 100);
	empty(&s);
}

/* No ids at all: every switch flushes. */
TEST_WITH(arm_asid_none, .config = {.tlb_ways = 16})
{
	struct spaces s;

	fill(&s, m, 9, 20);
	visit_all(&s, 0, 1);
	CHECK_EQ(s.wrong, 0);
	CHECK_EQ(sim_vmstat(m, "quire_asid_rollover"), 0);
	empty(&s);
}

/* The machine forgets the flush of a rollover: that does not stay hidden. */
TEST_FORGETTING(arm_asid_without_flush,
		.config = {.asids = 15,
			   .tlb_ways = 16,
			   .arm_forget = SIM_ARM_FORGET_ROLLOVER})
{
	struct spaces s;

	sim_quiet(m, true);
	fill(&s, m, 60, 6);
	visit_all(&s, 0, 1);
	CHECK(s.wrong + sim_violations(m) > 0);
	empty(&s);
	sim_violations_clear(m);
}

static void visitor(unsigned cpu, void *arg)
{
	visit_all(arg, cpu, 4);
}

/* behaviour: Z3 (four CPUs roll over at once, each with its own spaces) */
TEST_WITH(arm_asid_rollover_smp,
	  .config = {.cpus = 4, .asids = 31, .tlb_ways = 16}, .seconds = 200)
{
	struct spaces s;

	fill(&s, m, SPACES, ROUNDS(12));
	sim_run(NULL);
	sim_parallel(m, 4, visitor, &s);
	CHECK_EQ(s.wrong, 0);
	CHECK(sim_vmstat(m, "quire_asid_rollover") > SPACES / 31);
	empty(&s);
}

struct stay {
	struct spaces s;
	struct sim_task *thread[2]; /* of one address space */
	uint32_t stop;
};

/* CPUs 0 and 1 stay in one address space and change it; 2 and 3 roll over. */
static void stayer(unsigned cpu, void *arg)
{
	struct stay *y = arg;
	uint64_t v, n = 0;

	if (cpu >= 2) {
		visit_all(&y->s, cpu - 2, 2);
		__atomic_fetch_add(&y->stop, 1u, __ATOMIC_RELEASE);
		return;
	}
	do {
		uaddr_t a = page(cpu);

		/* the other's page, which comes and goes */
		if (!sim_load64(y->thread[cpu], page(!cpu), &v) && v > 1u << 30)
			__atomic_fetch_add(&y->s.wrong, 1u, __ATOMIC_RELAXED);
		if (sim_madvise(y->thread[cpu], a, PG, MADV_DONTNEED) ||
		    sim_load64(y->thread[cpu], a, &v) || v ||
		    sim_store64(y->thread[cpu], a, ++n))
			__atomic_fetch_add(&y->s.wrong, 1u, __ATOMIC_RELAXED);
	} while (__atomic_load_n(&y->stop, __ATOMIC_ACQUIRE) < 2);
}

/* behaviour: Z3 (an id that is loaded stays its owner's, and is flushed) */
TEST_WITH(arm_asid_reserved, .config = {.cpus = 4, .asids = 7, .tlb_ways = 16},
	  .seconds = 200)
{
	struct stay y = {.stop = 0};
	uint64_t id;

	fill(&y.s, m, 40, ROUNDS(20));
	y.thread[0] = sim_task_create_bare(m);
	REQUIRE(sim_mmap(y.thread[0], PLACE, REGION * PG, RW, ANON | MAP_FIXED,
			 NULL, 0) == (sreg_t)PLACE);
	y.thread[1] = sim_thread(y.thread[0]);
	sim_run(y.thread[0]);
	id = y.thread[0]->qt.mm->context.id;
	CHECK(id != 0);
	sim_run(NULL);
	sim_parallel(m, 4, stayer, &y);
	CHECK_EQ(y.s.wrong, 0);
	CHECK(sim_vmstat(m, "quire_asid_rollover") > 10);
	sim_exit(y.thread[1]);
	sim_exit(y.thread[0]);
	empty(&y.s);
}

/* A flush that reaches nobody is found out too. */
TEST_FORGETTING(arm_asid_without_shootdown,
		.config = {.cpus = 2,
			   .asids = 7,
			   .arm_forget = SIM_ARM_FORGET_TLB})
{
	struct sim_task *t = sim_task_create_bare(m);
	uint64_t v = 0;

	sim_quiet(m, true);
	REQUIRE(sim_mmap(t, PLACE, PG, RW, ANON | MAP_FIXED, NULL, 0) ==
		(sreg_t)PLACE);
	put64(t, PLACE, 5);
	CHECK_EQ(sim_madvise(t, PLACE, PG, MADV_DONTNEED), 0);
	CHECK(sim_load64(t, PLACE, &v) || v != 0 || sim_violations(m));
	quire_host_flush_all(true);
	sim_exit(t);
	sim_violations_clear(m);
}

/*
 * behaviour: Z4 (a flush reaches every CPU that may hold an entry: by the
 * processor's broadcast with no interrupt, without it by calls to those only)
 */
TEST_WITH(arm_flush_reaches_all, .config = {.cpus = 4, .asids = 31})
{
	struct sim_task *t = sim_task_create_bare(m), *u[4];
	struct sim_stats before, after;
	unsigned i;

	REQUIRE(sim_mmap(t, PLACE, PG, RW, ANON | MAP_FIXED, NULL, 0) ==
		(sreg_t)PLACE);
	for (i = 0; i < 3; i++) {
		sim_bind(m, i);
		u[i] = i ? sim_thread(t) : t;
		put64(u[i], PLACE, 5);
	}
	/* CPU 2 has it loaded, 0 and 1 have left it, 3 never saw it */
	sim_get_stats(m, &before);
	CHECK_EQ(sim_madvise(u[2], PLACE, PG, MADV_DONTNEED), 0);
	sim_get_stats(m, &after);
	CHECK_EQ(after.ipis - before.ipis, TEST_TLB_BROADCAST(m) ? 0 : 2);
	for (i = 0; i < 3; i++) {
		sim_bind(m, i);
		CHECK_EQ(get64(u[i], PLACE), 0);
	}
	/* those that have left it have forgotten it: not called twice */
	CHECK_EQ(sim_madvise(u[2], PLACE, PG, MADV_DONTNEED), 0);
	sim_get_stats(m, &before);
	CHECK_EQ(sim_madvise(u[2], PLACE, PG, MADV_DONTNEED), 0);
	put64(u[2], PLACE, 1);
	CHECK_EQ(sim_madvise(u[2], PLACE, PG, MADV_DONTNEED), 0);
	sim_get_stats(m, &after);
	CHECK_EQ(after.ipis - before.ipis, 0);
	sim_bind(m, 0);
	for (i = 3; i-- > 0;)
		sim_exit(u[i]);
}
