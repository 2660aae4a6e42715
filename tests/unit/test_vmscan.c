/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: more memory than there is, on a simulated machine with swap; the
 * watermarks; who reclaims; what is looked at twice; that no page is lost, and
 * that it ends where nothing is to be had.
 */
#include <filemap.h>
#include <reclaim.h>
#include <sim/swap.h>
#include <tests/unit/common.h>

#define SMALL (8u << 20)

static unsigned swap_on(struct sim_machine *m, uint64_t slots, unsigned flags)
{
	struct sim_swap_config c = {.slots = slots, .flags = flags};
	int area = sim_swapon(m, &c);

	REQUIRE(area >= 0);
	return (unsigned)area;
}

static void fill(struct sim_task *t, uaddr_t a, uaddr_t pages, uint64_t seed)
{
	uaddr_t i;

	for (i = 0; i < pages; i++) {
		put64(t, a + i * PG, seed + i);
		put64(t, a + i * PG + 4088, ~(seed + i));
	}
}

static void verify(struct sim_task *t, uaddr_t a, uaddr_t pages, uint64_t seed)
{
	uaddr_t i;

	for (i = 0; i < pages; i++) {
		CHECK_EQ(get64(t, a + i * PG), seed + i);
		CHECK_EQ(get64(t, a + i * PG + 4088), ~(seed + i));
	}
}

/* Three times the memory, in two processes that share some of it by fork, and
 * shared memory; nothing is lost, and all comes back at swapoff. */
static void three_times_ram(struct sim_machine *m, unsigned flags)
{
	uaddr_t pages = (uaddr_t)sim_vmstat(m, "nr_free_pages");
	unsigned area = swap_on(m, 4 * pages, flags);
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a, s;

	REQUIRE(t);
	a = anon(t, pages);
	s = must_map(t, pages / 2 * PG, RW, SHANON, NULL, 0);
	fill(t, a, pages, 1000);
	fill(t, s, pages / 2, 5000000);
	CHECK_SYSTEM(m);
	child = sim_fork(t);
	REQUIRE(child);
	fill(child, a, pages / 2, 7000000);
	verify(t, a, pages, 1000);
	CHECK_SYSTEM(m);
	verify(child, a, pages / 2, 7000000);
	verify(child, a + pages / 2 * PG, pages - pages / 2, 1000 + pages / 2);
	verify(t, s, pages / 2, 5000000);
	CHECK(sim_vmstat(m, "pswpout") > pages);
	CHECK(sim_vmstat(m, "pswpin") > pages);
	CHECK(sim_vmstat(m, "pgsteal_anon") > pages);
	if (!sim_get_config(m)->reclaim_thread) {
		CHECK_EQ(sim_vmstat(m, "nr_isolated_anon"), 0);
		CHECK_EQ(sim_vmstat(m, "nr_isolated_file"), 0);
	}
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a, pages * PG), 0);
	sim_exit(child);
	CHECK_EQ(sim_munmap(t, s + pages / 8 * PG, pages * PG), 0);
	CHECK_EQ(sim_swapoff(m, area), 0);
	verify(t, s, pages / 8, 5000000);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: R2, R3 */
TEST_WITH(vmscan_three_times_ram, .config = {.ram_bytes = SMALL},
	  .seconds = 120)
{
	three_times_ram(m, 0);
}

/* behaviours: R2, R3 */
TEST_WITH(vmscan_three_times_ram_sync, .config = {.ram_bytes = SMALL},
	  .seconds = 120)
{
	three_times_ram(m, QUIRE_SWAP_SYNC);
}

/* The same with background reclaim and I/O on threads of their own, two memory
 * nodes, and the other policies. */
/* behaviours: R2, R3 */
TEST_WITH(vmscan_three_times_ram_threads, .plain = true, .seconds = 240)
{
	const struct quire_reclaim_policy *policy;
	struct sim_config c = {.ram_bytes = SMALL,
			       .nodes = 2,
			       .io_thread = true,
			       .reclaim_thread = true};
	struct sim_machine *own;
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; (policy = quire_reclaim_policy(i)); i++) {
		test_context("%s", policy->name);
		c.reclaim = policy;
		own = sim_machine_create(&c);
		REQUIRE(own);
		three_times_ram(own, 0);
		CHECK(sim_vmstat(own, "pgsteal_kswapd") > 0);
		CHECK_EQ(sim_machine_destroy(own), 0);
	}
	test_context("%s", "");
}

/* ------------------------------------------------------------- watermarks */

static uint64_t free_now(struct quire *q)
{
	pcp_drain_all(q);
	return q->node[0].nr_free;
}

/*
 * Below low, background reclaim is asked for, once; nobody reclaims himself
 * before min; a round of background reclaim ends at high.
 */
/* behaviour: R2 */
TEST_WITH(vmscan_watermarks, .config = {.ram_bytes = SMALL})
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	unsigned long *wmark = q->node[0].watermark;
	struct sim_stats was, now;
	uaddr_t a, i = 0, n = 4000;

	REQUIRE(t);
	(void)swap_on(m, 8000, 0);
	/* far enough apart that a CPU's stack of pages is no matter */
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_MIN_FREE_KBYTES, 1600), 0);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_MIN_FREE_KBYTES), 1600);
	CHECK_EQ(wmark[WMARK_MIN], 400);
	CHECK_EQ(wmark[WMARK_LOW], 500);
	CHECK_EQ(wmark[WMARK_HIGH], 600);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_MIN_FREE_KBYTES, SMALL),
		 -EINVAL);
	a = anon(t, n);
	sim_get_stats(m, &was);
	for (now = was; now.reclaim_wakes == was.reclaim_wakes && i < n; i++) {
		put64(t, a + i * PG, i);
		sim_get_stats(m, &now);
	}
	CHECK_EQ(now.reclaim_wakes, was.reclaim_wakes + 1);
	CHECK(q->node[0].nr_free < wmark[WMARK_LOW]);
	CHECK(q->node[0].nr_free + PCP_BATCH >= wmark[WMARK_LOW]);
	CHECK_EQ(sim_vmstat(m, "pgscan_direct"), 0);
	quire_reclaim_work(q);
	CHECK(free_now(q) >= wmark[WMARK_HIGH]);
	CHECK(free_now(q) < wmark[WMARK_HIGH] + 3 * PCP_BATCH);
	CHECK_EQ(sim_vmstat(m, "pgscan_direct"), 0);
	CHECK_EQ(sim_vmstat(m, "pageoutrun"), 1);
	CHECK(sim_vmstat(m, "pgsteal_kswapd") >= 100);
	/* nobody answers the next call: down to min, and then by himself */
	for (; i < n && !sim_vmstat(m, "pgscan_direct"); i++)
		put64(t, a + i * PG, i);
	CHECK(i < n);
	sim_get_stats(m, &now);
	CHECK_EQ(now.reclaim_wakes, was.reclaim_wakes + 2);
	CHECK(sim_vmstat(m, "pgsteal_direct") > 0);
	CHECK(sim_vmstat(m, "quire_direct_reclaim_ns") > 0);
	for (; i < n; i++)
		put64(t, a + i * PG, i);
	CHECK(free_now(q) >= wmark[WMARK_MIN] - PCP_BATCH);
	for (i = 0; i < n; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* Nothing to be had and no swap: out of memory, soon; then there is again. */
/* behaviour: R5 */
TEST_WITH(vmscan_ends, .config = {.ram_bytes = SMALL, .overcommit = 1})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, i, n = SMALL / 4096;
	unsigned area;
	int r = 0;

	REQUIRE(t);
	a = anon(t, n);
	for (i = 0; i < n && !r; i++)
		r = sim_store64(t, a + i * PG, i);
	CHECK_EQ(r, SIM_OOM);
	CHECK_SYSTEM(m);
	/* (the area's own pages need memory) */
	i -= 100;
	CHECK_EQ(sim_munmap(t, a + i * PG, 100 * PG), 0);
	CHECK(mapped_at(sim_mmap(t, a + i * PG, 100 * PG, RW, ANON | MAP_FIXED,
				 NULL, 0)));
	area = swap_on(m, 2 * n, 0);
	for (; i < n; i++)
		put64(t, a + i * PG, i);
	for (i = 0; i < n; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a + n / 2 * PG, n * PG), 0);
	CHECK_EQ(sim_swapoff(m, area), 0);
	for (i = 0; i < n / 2; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	sim_exit(t);
}

/* behaviours: R3, R5 (slots that are free but for a discard are room: who
 * reclaims for himself tells the device) */
TEST_WITH(vmscan_discards_for_room,
	  .config = {.ram_bytes = SMALL, .overcommit = 1})
{
	uaddr_t n = (uaddr_t)sim_vmstat(m, "nr_free_pages"), a;
	unsigned area = swap_on(m, n, QUIRE_SWAP_DISCARD), round;
	struct sim_task *t = sim_task_create(m);

	REQUIRE(t);
	for (round = 0; round < 4; round++) {
		test_context("round %u", round);
		a = anon(t, n + n / 2);
		fill(t, a, n + n / 2, round);
		verify(t, a, n + n / 2, round);
		CHECK_EQ(sim_munmap(t, a, (n + n / 2) * PG), 0);
		CHECK_SYSTEM(m);
	}
	CHECK_EQ(sim_swapoff(m, area), 0);
	sim_exit(t);
}

/* ------------------------------------------------------------ what stays */

/* A file's pages in memory of [first, last). */
static unsigned cached(struct sim_file *f, uint64_t first, uint64_t last)
{
	struct address_space *as = sim_file_mapping(f);
	struct page *page;
	unsigned n = 0;

	for (; first < last; first++) {
		page = find_get_page(as, first);
		if (!page)
			continue;
		n++;
		put_page(sim_quire(sim_this_machine()), page);
	}
	return n;
}

/*
 * A second chance: pages read twice, and pages that a program uses through its
 * mapping, stay while pages that were read once go.
 */
/* behaviour: R2 */
TEST(vmscan_second_chance)
{
	struct sim_file *f = sim_file_create(m, "f", 512 * PG, 3);
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	static char buf[512 * 4096];
	uaddr_t a, i;

	REQUIRE(t && f);
	CHECK_EQ(sim_file_read(f, 0, buf, sizeof(buf)), (long)sizeof(buf));
	/* [0, 64) read again; [64, 128) mapped and used */
	for (i = 0; i < 64; i++)
		CHECK_EQ(sim_file_read(f, i * PG + 8 * (i & 1), buf, 8), 8);
	CHECK_EQ(sim_file_read(f, 300 * PG, buf, 8), 8);
	for (i = 0; i < 64; i++)
		CHECK_EQ(sim_file_read(f, i * PG, buf, 8), 8);
	a = must_map(t, 64 * PG, PROT_READ, MAP_SHARED, f, 64 * PG);
	lru_add_drain(q);
	for (i = 0; i < 8; i++) {
		CHECK_EQ(sim_touch_read(t, a, 64 * PG), 0);
		CHECK(quire_reclaim(q, 32) >= 32);
		CHECK_SYSTEM(m);
	}
	CHECK_EQ(cached(f, 0, 64), 64);
	CHECK_EQ(cached(f, 64, 128), 64);
	CHECK(cached(f, 128, 512) <= 384 - 8 * 32);
	CHECK(sim_vmstat(m, "pgactivate") >= 64);
	/* used no more, they go as well */
	CHECK(quire_reclaim(q, 512) >= 100);
	CHECK(quire_reclaim(q, 512) + cached(f, 0, 512) < 512);
	CHECK_EQ(cached(f, 64, 128), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/*
 * A file read from end to end does not push out a program's memory, though that
 * has not been used meanwhile: files pay first.
 */
/* behaviour: R2 */
TEST_WITH(vmscan_stream_leaves_programs, .config = {.ram_bytes = SMALL})
{
	struct sim_file *f = sim_file_create(m, "f", 6000 * PG, 3);
	struct sim_task *t = sim_task_create(m);
	static char buf[16 * 4096];
	uaddr_t a;
	uint64_t at;

	REQUIRE(t && f);
	(void)swap_on(m, 4000, 0);
	a = anon(t, 600);
	fill(t, a, 600, 1);
	for (at = 0; at < 6000; at += 16)
		CHECK_EQ(sim_file_read(f, at * PG, buf, sizeof(buf)),
			 (long)sizeof(buf));
	CHECK(sim_vmstat(m, "pgsteal_file") > 4000);
	CHECK_EQ(sim_vmstat(m, "pswpout"), 0);
	verify(t, a, 600, 1);
	sim_exit(t);
	sim_file_close(f);
}

/* Swap is to be used as the last resort with swappiness 0, and is. */
TEST_WITH(vmscan_swappiness_0, .config = {.ram_bytes = SMALL})
{
	struct sim_file *f = sim_file_create(m, "f", 1000 * PG, 3);
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	static char buf[1000 * 4096];
	uint64_t files;
	uaddr_t a;

	REQUIRE(t && f);
	(void)swap_on(m, 4000, 0);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_SWAPPINESS, 201), -EINVAL);
	CHECK_EQ(quire_set_tunable(q, QUIRE_TUNABLE_SWAPPINESS, 0), 0);
	CHECK_EQ(quire_get_tunable(q, QUIRE_TUNABLE_SWAPPINESS), 0);
	a = anon(t, 500);
	fill(t, a, 500, 1);
	CHECK_EQ(sim_file_read(f, 0, buf, sizeof(buf)), (long)sizeof(buf));
	CHECK(quire_reclaim(q, 900) >= 900);
	CHECK_EQ(sim_vmstat(m, "pswpout"), 0);
	files = quire_mapping_pages(sim_file_mapping(f));
	CHECK(files <= 100);
	CHECK(quire_reclaim(q, 400) > files);
	CHECK(sim_vmstat(m, "pswpout") > 0);
	verify(t, a, 500, 1);
	sim_exit(t);
	sim_file_close(f);
}

/* ------------------------------------------------------------- other CPUs */

static void leave_pages(unsigned cpu, void *arg)
{
	struct sim_task **t = arg;
	uaddr_t a;

	if (!cpu)
		return;
	a = anon(t[cpu], 60);
	CHECK_EQ(sim_touch_write(t[cpu], a, 40 * PG, 1), 0);
	CHECK_EQ(sim_munmap(t[cpu], a, 40 * PG), 0);
	CHECK_EQ(sim_touch_write(t[cpu], a + 40 * PG, 20 * PG, 1), 0);
	sim_run(NULL);
}

/* What other CPUs hold back is there for an allocation that would fail, and
 * their batches are drained when asked for. */
/* behaviour: R2 (batches drained on demand) */
TEST_WITH(vmscan_other_cpus, .config = {.ram_bytes = SMALL, .cpus = 3})
{
	struct quire *q = sim_quire(m);
	struct sim_task *t[3] = {NULL, sim_task_create(m), sim_task_create(m)};
	struct page *page, *head = NULL;

	REQUIRE(t[1] && t[2]);
	sim_parallel(m, 3, leave_pages, t);
	CHECK(q->cpu[1]->pcp.count > 0 && q->cpu[2]->pcp.count > 0);
	CHECK(q->cpu[1]->lru_add.count > 0 && q->cpu[2]->lru_add.count > 0);
	lru_add_drain_all(q);
	CHECK_EQ(q->cpu[1]->lru_add.count, 0);
	CHECK_EQ(q->cpu[2]->lru_add.count, 0);
	CHECK_EQ(sim_vmstat(m, "nr_inactive_anon"),
		 sim_vmstat(m, "nr_anon_pages"));
	CHECK_SYSTEM(m);
	while ((page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0)) != NULL) {
		*(struct page **)quire_page_address(q, page) = head;
		head = page;
	}
	CHECK_EQ(nr_free_pages(q), q->node[0].watermark[WMARK_MIN]);
	while ((page = head) != NULL) {
		head = *(struct page **)quire_page_address(q, page);
		quire_free_pages(q, page, 0);
	}
	CHECK_SYSTEM(m);
	sim_exit(t[1]);
	sim_exit(t[2]);
}

struct steal_race {
	struct sim_task *t[4];
	uint32_t done;
};

static void race_faults(unsigned cpu, void *arg)
{
	struct steal_race *r = arg;
	struct quire *q = sim_quire(sim_this_machine());
	unsigned round;
	uaddr_t a;

	for (round = 0; cpu && round < ROUNDS(120u); round++) {
		a = anon(r->t[cpu], 30 + round % 17);
		fill(r->t[cpu], a, 30, round);
		verify(r->t[cpu], a, 30, round);
		CHECK_EQ(sim_munmap(r->t[cpu], a, (30 + round % 17) * PG), 0);
	}
	if (cpu) {
		sim_run(NULL);
		__atomic_fetch_add(&r->done, 1u, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&r->done, __ATOMIC_ACQUIRE) < 3) {
		lru_add_drain_all(q);
		pcp_drain_all(q);
		(void)quire_reclaim(q, 8);
		sim_poll();
	}
}

/* behaviour: R2 */
TEST_WITH(vmscan_race_steal,
	  .config = {.ram_bytes = SMALL, .cpus = 4, .jitter = 20},
	  .seconds = 120)
{
	struct steal_race r = {.done = 0};
	unsigned i;

	(void)swap_on(m, 4000, 0);
	for (i = 1; i < 4; i++) {
		r.t[i] = sim_task_create(m);
		REQUIRE(r.t[i]);
	}
	sim_parallel(m, 4, race_faults, &r);
	CHECK_SYSTEM(m);
	for (i = 1; i < 4; i++)
		sim_exit(r.t[i]);
	CHECK_SYSTEM(m);
}

/* Four CPUs that need more than there is at once. */
static void race_more(unsigned cpu, void *arg)
{
	struct steal_race *r = arg;
	uaddr_t a = anon(r->t[cpu], 1000);
	unsigned round;

	for (round = 0; round < 2; round++) {
		fill(r->t[cpu], a, 1000, cpu * 10000 + round);
		verify(r->t[cpu], a, 1000, cpu * 10000 + round);
	}
	sim_run(NULL);
}

/* behaviours: R2, R3 */
TEST_WITH(vmscan_race_reclaim,
	  .config = {.ram_bytes = SMALL,
		     .cpus = 4,
		     .io_thread = true,
		     .reclaim_thread = true},
	  .seconds = 240)
{
	struct steal_race r = {.done = 0};
	unsigned i, area = swap_on(m, 8000, 0);

	for (i = 0; i < 4; i++) {
		r.t[i] = sim_task_create(m);
		REQUIRE(r.t[i]);
	}
	sim_parallel(m, 4, race_more, &r);
	CHECK(sim_vmstat(m, "pswpout") > 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 4; i++)
		sim_exit(r.t[i]);
	CHECK_EQ(sim_swapoff(m, area), 0);
	CHECK_SYSTEM(m);
}

/* --------------------------------------------------------- out of memory */

static void every_failure(struct sim_machine *m, void *arg)
{
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	struct sim_task *t = sim_task_create(m);
	struct sim_swap_config swap = {.slots = 100};
	struct quire *q = sim_quire(m);
	uint64_t v;
	sreg_t a, b;
	int i, r;

	(void)arg;
	if (sim_swapon(m, &swap) < 0 || !t || !f)
		goto out;
	sim_run(t);
	a = sim_mmap(t, 0, 8 * PG, RW, ANON, NULL, 0);
	b = sim_mmap(t, 0, 8 * PG, RW, MAP_SHARED, f, 0);
	if (!mapped_at(a) || !mapped_at(b))
		goto out;
	for (i = 0; i < 8; i++) {
		r = sim_store64(t, (uaddr_t)a + (uaddr_t)i * PG,
				(uint64_t)i + 3);
		(void)sim_load64(t, (uaddr_t)b + (uaddr_t)i * PG, &v);
		lru_add_drain(q);
		/* twice: a page that was used is spared once */
		(void)quire_reclaim(q, 100);
		(void)quire_reclaim(q, 100);
		if (!r && !sim_load64(t, (uaddr_t)a + (uaddr_t)i * PG, &v))
			CHECK_EQ(v, (uint64_t)i + 3);
	}
out:
	if (t)
		sim_exit(t);
	if (f)
		sim_file_close(f);
}

/* Reclaim itself needs no memory; what it took comes back or is reported. */
TEST_WITH(vmscan_every_failure, .plain = true, .seconds = 240)
{
	UNUSED_MACHINE;
	CHECK(test_every_failure(NULL, every_failure, NULL) > 20);
}
