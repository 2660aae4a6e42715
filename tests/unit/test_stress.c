/* SPDX-License-Identifier: MIT */
/*
 * Threads of one process that do everything at once.  Each owns a region whose
 * pages it keeps a model of (mapped, writable, contents), applies random
 * operations to both, and compares; all share the address space, its tables,
 * its lock, and the free pages, and any of them may fork at any time.
 */
#include "swap.h"

#define PAGES 48

struct region {
	struct sim_task *t;
	uaddr_t base;
	uint64_t rng;
	bool mapped[PAGES], writable[PAGES];
	uint64_t value[PAGES];
};

struct stress {
	struct sim_machine *m;
	struct region r[4];
	unsigned rounds, threads;
	uint32_t finished; /* threads; atomic */
	/* what one thread more does meanwhile, again and again */
	void (*against)(struct stress *s, unsigned turn);
	unsigned area; /* swap */
};

static unsigned rnd(struct region *r, unsigned n)
{
	r->rng = r->rng * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(r->rng >> 33) % n;
}

static uaddr_t page_addr(const struct region *r, unsigned p)
{
	return r->base + p * PG;
}

/* Compare every page of the region, as task t sees it, with the model. */
static bool matches(struct region *r, struct sim_task *t, unsigned first,
		    unsigned n)
{
	uint64_t v;
	unsigned p;
	int e;

	for (p = first; p < first + n; p++) {
		e = sim_load64(t, page_addr(r, p), &v);
		if (!CHECK_EQ(e, r->mapped[p] ? 0 : SIGSEGV))
			return false;
		if (!e && !CHECK_EQ(v, r->value[p]))
			return false;
	}
	return true;
}

static void op_write(struct region *r)
{
	unsigned p = rnd(r, PAGES);
	uint64_t v = r->rng;
	int e = sim_store64(r->t, page_addr(r, p), v);

	if (!r->mapped[p] || !r->writable[p]) {
		CHECK_EQ(e, SIGSEGV);
		CHECK_EQ(r->t->sig.code,
			 r->mapped[p] ? QUIRE_SEGV_ACCERR : QUIRE_SEGV_MAPERR);
		return;
	}
	if (CHECK_EQ(e, 0))
		r->value[p] = v;
}

static void op_range(struct region *r, unsigned op)
{
	unsigned p = rnd(r, PAGES), n = 1 + rnd(r, 8), i;
	uaddr_t a = page_addr(r, p);
	bool all = true, rw = rnd(r, 2);

	if (n > PAGES - p)
		n = PAGES - p;
	for (i = p; i < p + n; i++)
		all = all && r->mapped[i];
	switch (op) {
	case 0:
		CHECK_EQ(sim_munmap(r->t, a, n * PG), 0);
		break;
	case 1:
		CHECK_EQ(sim_mmap(r->t, a, n * PG, RW, ANON | MAP_FIXED, NULL,
				  0),
			 (sreg_t)a);
		break;
	case 2:
		if (all)
			CHECK_EQ(sim_mprotect(r->t, a, n * PG,
					      rw ? RW : PROT_READ),
				 0);
		break;
	default:
		CHECK_EQ(sim_madvise(r->t, a, n * PG, MADV_DONTNEED),
			 all ? 0 : -ENOMEM);
		break;
	}
	for (i = p; i < p + n; i++) {
		if (op < 2) {
			r->mapped[i] = op == 1;
			r->writable[i] = true;
		}
		if (op == 2 && all)
			r->writable[i] = rw;
		if (op != 2)
			r->value[i] = 0;
	}
}

static void op_move(struct region *r)
{
	unsigned from = rnd(r, PAGES), to = rnd(r, PAGES);

	if (from == to || !r->mapped[from])
		return;
	CHECK_EQ(sim_mremap(r->t, page_addr(r, from), PG, PG,
			    MREMAP_MAYMOVE | MREMAP_FIXED, page_addr(r, to)),
		 (sreg_t)page_addr(r, to));
	r->mapped[to] = true;
	r->writable[to] = r->writable[from];
	r->value[to] = r->value[from];
	r->mapped[from] = false;
}

static void op_fork(struct region *r)
{
	struct sim_task *c = sim_fork(r->t);
	unsigned p = rnd(r, PAGES);

	if (!CHECK(c))
		return;
	if (r->mapped[p] && r->writable[p])
		CHECK_EQ(sim_store64(c, page_addr(r, p), 1), 0);
	matches(r, c, p + 1, PAGES - p - 1);
	sim_exit(c);
	matches(r, r->t, p, 1);
}

/* Something has gone out and come back, where there is somebody to take it; he
 * may begin much later than the others. */
static bool swapped(struct stress *s)
{
	return !s->against || (sim_vmstat(s->m, "pswpout") > 0 &&
			       sim_vmstat(s->m, "pswpin") > 0);
}

static bool goes_on(struct stress *s, unsigned k)
{
	if (test_failures())
		return false;
	return k < s->rounds || (k < 1000 * s->rounds && !swapped(s));
}

static void one_thread(unsigned i, void *arg)
{
	struct stress *s = arg;
	struct region *r = &s->r[i];
	unsigned k, op;

	if (i == s->threads) {
		for (k = 0; __atomic_load_n(&s->finished, __ATOMIC_ACQUIRE) < i;
		     k++)
			s->against(s, k);
		return;
	}
	for (k = 0; goes_on(s, k); k++) {
		op = rnd(r, 40);
		if (op < 18)
			op_write(r);
		else if (op < 30)
			matches(r, r->t, rnd(r, PAGES), 1);
		else if (op < 37)
			op_range(r, op % 4);
		else if (op < 39)
			op_move(r);
		else
			op_fork(r);
	}
	matches(r, r->t, 0, PAGES);
	__atomic_fetch_add(&s->finished, 1u, __ATOMIC_RELEASE);
}

static void stress_against(struct sim_machine *m, unsigned n, unsigned rounds,
			   void (*against)(struct stress *s, unsigned turn),
			   unsigned area)
{
	struct stress *s = calloc(1, sizeof(*s));
	unsigned i;

	REQUIRE(s);
	s->m = m;
	s->rounds = rounds;
	s->threads = n;
	s->against = against;
	s->area = area;
	for (i = 0; i < n; i++) {
		s->r[i].t = i ? sim_thread(s->r[0].t) : sim_task_create(m);
		/* neighbours share tables of every level but the last */
		s->r[i].base = TEST_PLACE(0) + i * PMD_SIZE;
		s->r[i].rng = i + 17;
	}
	sim_run(NULL);
	sim_parallel(m, n + (against != NULL), one_thread, s);
	CHECK_SYSTEM(m);
	for (i = 0; i < n; i++)
		sim_exit(s->r[i].t);
	free(s);
}

static void stress(struct sim_machine *m, unsigned n, unsigned rounds)
{
	stress_against(m, n, rounds, NULL, 0);
}

/* behaviours: M1, M2, M3, P6, Z4 */
TEST_WITH(stress_four_threads, .config = {.cpus = 4, .jitter = 60},
	  .seconds = 300)
{
	stress(m, 4, ROUNDS(8000));
}

/* behaviours: M1, M2, M3, P6, Z3, Z4 */
TEST_WITH(stress_four_threads_pcid,
	  .config = {.cpus = 4,
		     .asids = TEST_ASIDS(6),
		     .tlb_evict = 100,
		     .smap = true},
	  .seconds = 300)
{
	stress(m, 4, ROUNDS(8000));
}

/* Alone, with the whole system checked after each change of the map. */
TEST_WITH(stress_checked,
	  .config = {.check_ops = true,
		     .asids = TEST_ASIDS(3),
		     .ram_bytes = 16 << 20},
	  .seconds = 300)
{
	stress(m, 1, ROUNDS(6000));
}

/* Whatever touches a page after it was freed crashes at the touch. */
TEST_WITH(stress_protected_free_pages,
	  .config = {.cpus = 2, .protect_free = true, .no_poison = true},
	  .seconds = 300)
{
	stress(m, 2, ROUNDS(4000));
}

/* ---------------------------------------------------------- against reclaim */

static void swap_stress(struct sim_machine *m, unsigned flags,
			void (*against)(struct stress *s, unsigned turn))
{
	struct sim_disk_config late = {.latency_random_us = 30,
				       .reorder = true};
	unsigned area = swap_on(m, 2048, 0, flags, &late);

	stress_against(m, 2, ROUNDS(5000), against, area);
	CHECK(sim_vmstat(m, "pswpout") > 0);
	CHECK(sim_vmstat(m, "pswpin") > 0);
	swap_off(m, area);
}

static void reclaim(struct stress *s, unsigned turn)
{
	(void)quire_reclaim(sim_quire(s->m), 1 + turn % 40);
}

/* behaviours: R1, R2, R3, F11, F12, M3, P3 */
TEST_WITH(stress_while_pages_are_reclaimed,
	  .config = {.cpus = 3, .io_thread = true, .jitter = 40},
	  .seconds = 300)
{
	swap_stress(m, 0, reclaim);
}

/* behaviours: R1, R3, F11, F12, P3 */
TEST_WITH(stress_while_pages_are_reclaimed_synchronous,
	  .config = {.cpus = 3,
		     .asids = TEST_ASIDS(6),
		     .tlb_evict = 50,
		     .jitter = 20},
	  .seconds = 300)
{
	swap_stress(m, QUIRE_SWAP_SYNC, reclaim);
}

/* Off and on again while the others swap: each time all comes back. */
static void reclaim_and_swapoff(struct stress *s, unsigned turn)
{
	reclaim(s, turn);
	if (turn % 4)
		return;
	CHECK_EQ(sim_swapoff(s->m, s->area), 0);
	CHECK_EQ(swap_on(s->m, 97 + turn, 0, 0, NULL), s->area);
}

/* behaviours: R3, M3, P3 */
TEST_WITH(stress_while_swap_goes_off,
	  .config = {.cpus = 3, .io_thread = true, .jitter = 40},
	  .seconds = 300)
{
	swap_stress(m, 0, reclaim_and_swapoff);
}

/* ------------------------------------------------------ without memory */

/* Any operation may fail for lack of memory; nothing may break or leak. */
static void starving_thread(unsigned i, void *arg)
{
	struct stress *s = arg;
	struct region *r = &s->r[i];
	struct sim_task *c;
	unsigned k, p, op;
	uint64_t v;
	int e;

	for (k = 0; k < s->rounds && !test_failures(); k++) {
		p = rnd(r, PAGES - 8);
		op = rnd(r, 32);
		e = 0;
		if (op < 14)
			e = sim_store64(r->t, page_addr(r, p), k);
		else if (op < 20)
			e = sim_load64(r->t, page_addr(r, p), &v);
		else if (op < 22)
			sim_munmap(r->t, page_addr(r, p), 5 * PG);
		else if (op < 25)
			sim_mmap(r->t, page_addr(r, p), 7 * PG, RW,
				 (op == 22 ? SHANON : ANON) | MAP_FIXED, NULL,
				 0);
		else if (op < 28)
			sim_mprotect(r->t, page_addr(r, p), 3 * PG,
				     op == 25 ? PROT_READ : RW);
		else if (op < 30)
			sim_mremap(r->t, page_addr(r, p), PG, PG,
				   MREMAP_MAYMOVE | MREMAP_FIXED,
				   page_addr(r, p + 4));
		else if ((c = sim_fork(r->t))) {
			e = sim_store64(c, page_addr(r, p), k);
			sim_exit(c);
		}
		CHECK(!e || e == SIM_OOM || e == SIGSEGV);
	}
}

/* behaviours: F15, P4, M3 */
TEST_WITH(stress_while_memory_fails, .config = {.cpus = 4, .jitter = 50},
	  .seconds = 300)
{
	struct stress *s = calloc(1, sizeof(*s));
	unsigned i;

	REQUIRE(s);
	s->m = m;
	s->rounds = ROUNDS(6000);
	for (i = 0; i < 4; i++) {
		s->r[i].t = i ? sim_thread(s->r[0].t) : sim_task_create(m);
		s->r[i].base = TEST_PLACE(0) + i * PMD_SIZE;
		s->r[i].rng = i + 1;
	}
	sim_run(NULL);
	sim_inject_random(m, 12, 5);
	sim_parallel(m, 4, starving_thread, s);
	CHECK(!sim_has_injection() || sim_inject_hits(m) > 100);
	sim_inject_reset(m);
	CHECK_SYSTEM(m);
	for (i = 0; i < 4; i++)
		sim_exit(s->r[i].t);
	free(s);
}
