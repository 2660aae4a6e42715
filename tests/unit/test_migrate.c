/* SPDX-License-Identifier: MIT */
/*
 * Pages that move to another memory node: contents, rights and who shares them
 * stay as they were; what is in use stays where it is; nobody sees it happen.
 */
#include <mm.h>
#include <reclaim.h>

#include <tests/unit/swapout.h>
#include <tests/unit/writeback.h>

#define TWO_NODES                                                              \
	{                                                                      \
		.ram_bytes = 32u << 20, .nodes = 2, .cpus = 4                  \
	}
#define N0   1u
#define N1   2u
#define MOVE QUIRE_MF_MOVE
#define ALL_ QUIRE_MF_MOVE_ALL

/* The node of the page at a, or -errno. */
static int node_of(struct sim_task *t, uaddr_t a)
{
	int status = 0;

	sim_run(t);
	CHECK_EQ(quire_move_pages(t->qt.mm, 1, &a, NULL, &status, MOVE), 0);
	return status;
}

static int move_to(struct sim_task *t, uaddr_t a, int node, unsigned how)
{
	int status = 77;
	long r;

	sim_run(t);
	r = quire_move_pages(t->qt.mm, 1, &a, &node, &status, how);
	CHECK(r == 0 || (r == 1 && status < 0));
	return status;
}

static void check_all_on(struct sim_task *t, uaddr_t a, unsigned pages,
			 int node)
{
	unsigned i;

	for (i = 0; i < pages; i++)
		CHECK_EQ(node_of(t, a + i * PG), node);
}

static void fill(struct sim_task *t, uaddr_t a, unsigned pages, uint64_t seed)
{
	unsigned i;

	for (i = 0; i < pages; i++)
		put64(t, a + i * PG + 8 * (i % 512), seed + i);
}

static void check_filled(struct sim_task *t, uaddr_t a, unsigned pages,
			 uint64_t seed)
{
	unsigned i;

	for (i = 0; i < pages; i++)
		CHECK_EQ(get64(t, a + i * PG + 8 * (i % 512)), seed + i);
}

/* behaviour: R9 (private memory goes from node to node, and is ours still) */
TEST_WITH(migrate_private_memory, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 100);
	struct quire_mm_stats before;
	uint64_t copies;

	fill(t, a, 100, 5000);
	check_all_on(t, a, 100, 0);
	before = mm_stats(t);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, MOVE), 0);
	CHECK_SYSTEM(m);
	check_all_on(t, a, 100, 1);
	check_filled(t, a, 100, 5000);
	CHECK_EQ(mm_stats(t).anon_pages, before.anon_pages);
	CHECK(sim_vmstat(m, "pgmigrate_success") >= 100);
	/* writable as before, without a copy */
	copies = sim_vmstat(m, "quire_cow_copy");
	fill(t, a, 100, 6000);
	CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), copies);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N1, N0, MOVE), 0);
	check_filled(t, a, 100, 6000);
	check_all_on(t, a, 100, 0);
	/* both ways at once: nothing moves twice */
	CHECK_EQ(move_to(t, a, 1, MOVE), 1);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0 | N1, N0 | N1, MOVE), 0);
	CHECK_EQ(node_of(t, a), 1);
	CHECK_EQ(node_of(t, a + PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: R9 (shared by fork: only if asked; then for all who share) */
TEST_WITH(migrate_shared_by_fork, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 20);
	long stay;

	fill(t, a, 20, 100);
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(move_to(t, a, 1, MOVE), -EACCES);
	sim_run(t);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, MOVE), 0);
	check_all_on(t, a, 20, 0);
	stay = quire_migrate_pages(t->qt.mm, N0, N1, ALL_);
	CHECK_EQ(stay, -EPERM);
	t->qt.cap_sys_admin = true;
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, ALL_), 0);
	CHECK_SYSTEM(m);
	check_all_on(c, a, 20, 1);
	check_filled(t, a, 20, 100);
	/* still shared: each writes to a copy of his own */
	fill(c, a, 10, 900);
	check_filled(t, a, 20, 100);
	check_filled(c, a, 10, 900);
	fill(t, a, 20, 200);
	CHECK_EQ(get64(c, a + 15 * PG + 8 * 15), 115);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
}

/* behaviours: R9, C3 (pages of files: dirty stays dirty, write-back is waited
 * for, private copies and the cache's pages both go) */
TEST_WITH(migrate_file_pages, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 32);
	uaddr_t a = must_map(t, 32 * PG, RW, MAP_SHARED, f, 0);
	uaddr_t b = must_map(t, 32 * PG, RW, MAP_PRIVATE, f, 0);
	unsigned i;

	t->qt.cap_sys_admin = true;
	for (i = 0; i < 8; i++)
		put64(t, a + i * PG, 7000 + i); /* dirty */
	for (i = 8; i < 32; i++)
		CHECK_EQ(get64(t, a + i * PG), disk64(f, i * PG));
	CHECK_EQ(sim_touch_read(t, b, 32 * PG), 0);
	put64(t, b + 20 * PG, 1234);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 8);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, ALL_), 0);
	CHECK_SYSTEM(m);
	check_all_on(t, a, 32, 1);
	check_all_on(t, b, 32, 1);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 8);
	CHECK_EQ(get64(t, b + 20 * PG), 1234);
	for (i = 0; i < 32; i++)
		CHECK_EQ(get64(t, a + i * PG),
			 i < 8 ? 7000 + i : disk64(f, i * PG));
	/* a store after the move is seen by the next sync */
	put64(t, a + 3 * PG + 8, 42);
	CHECK_EQ(fsync_all(f), 0);
	for (i = 0; i < 8; i++)
		CHECK_EQ(disk64(f, i * PG), 7000 + i);
	CHECK_EQ(disk64(f, 3 * PG + 8), 42);
	put64(t, a + 3 * PG + 8, 43);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 1);
	/* under write-back: waited for */
	disk_mode(f, SIM_DISK_LAZY);
	CHECK_EQ(quire_mapping_sync(sim_file_mapping(f), ALL, QUIRE_SYNC_START),
		 0);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 1);
	CHECK_EQ(move_to(t, a + 3 * PG, 0, ALL_), 0);
	CHECK_EQ(sim_vmstat(m, "nr_writeback"), 0);
	CHECK_EQ(disk64(f, 3 * PG + 8), 43);
	CHECK_EQ(get64(t, b + 3 * PG + 8), 43);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: R9, C5 (shared memory, mapped twice and not at all) */
TEST_WITH(migrate_shared_memory, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = must_map(t, 16 * PG, RW, SHANON, NULL, 0);

	t->qt.cap_sys_admin = true;
	fill(t, a, 16, 300);
	c = sim_fork(t);
	REQUIRE(c);
	check_filled(c, a, 16, 300);
	sim_run(t);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, ALL_), 0);
	CHECK_SYSTEM(m);
	check_all_on(t, a, 16, 1);
	fill(c, a, 16, 400);
	check_filled(t, a, 16, 400);
	sim_exit(c);
	sim_exit(t);
}

/* behaviours: R9, F11 (in the swap cache: entries and cache have the new one)
 */
TEST_WITH(migrate_swap_cache, .config = TWO_NODES)
{
	struct swapdev *d = swapdev_on(m, 64, 0, 1);
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 4);
	unsigned reads;

	t->qt.cap_sys_admin = true;
	fill(t, a, 4, 50);
	c = sim_fork(t);
	REQUIRE(c);
	/* out in both, and back in one: cached, mapped once, one slot user */
	swap_out(t, a, false);
	CHECK_EQ(get64(t, a), 50);
	reads = d->reads;
	CHECK_EQ(move_to(t, a, 1, ALL_), 1);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(t, a), 50);
	CHECK_EQ(get64(c, a), 50);
	CHECK_EQ(node_of(c, a), 1);
	CHECK_EQ(frame_of(t, a), frame_of(c, a));
	CHECK_EQ(d->reads, reads);
	put64(t, a, 51);
	CHECK_EQ(get64(c, a), 50);
	CHECK_SYSTEM(m);
	/* out, in another's entry only, and moved: the contents come along */
	swap_out(c, a + PG, true);
	CHECK_EQ(get64(c, a + PG + 8), 51);
	CHECK_EQ(move_to(c, a + PG, 1, ALL_), 1);
	CHECK_EQ(get64(t, a + PG + 8), 51);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
}

/* behaviour: R9 (what is in use stays: pins; what is locked moves) */
TEST_WITH(migrate_pinned_and_locked, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 4);
	uaddr_t a = anon(t, 8), b;
	struct page *pin[2];
	uint64_t locked;

	fill(t, a, 8, 10);
	b = must_map(t, 4 * PG, RW, MAP_SHARED, f, 0);
	fill(t, b, 4, 20);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 1, true, &pin[0]), 1);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, b, 1, true, &pin[1]), 1);
	CHECK_EQ(quire_mlock(t->qt.mm, a + 4 * PG, 2 * PG, 0), 0);
	locked = sim_vmstat(m, "nr_mlock");
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, MOVE), 2);
	CHECK_SYSTEM(m);
	CHECK_EQ(node_of(t, a), 0);
	CHECK_EQ(node_of(t, b), 0);
	check_all_on(t, a + PG, 7, 1);
	check_all_on(t, b + PG, 3, 1);
	CHECK_EQ(move_to(t, a, 1, MOVE), -EBUSY);
	/* what the pin's owner stores is what the task reads */
	memcpy(quire_page_address(sim_quire(m), pin[0]), &(uint64_t){99}, 8);
	CHECK_EQ(get64(t, a), 99);
	put64(t, a, 98);
	CHECK_EQ(*(uint64_t *)quire_page_address(sim_quire(m), pin[0]), 98);
	quire_page_put(sim_quire(m), pin[0]);
	quire_page_put(sim_quire(m), pin[1]);
	CHECK_EQ(sim_vmstat(m, "nr_mlock"), locked);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, N1, MOVE), 0);
	CHECK_EQ(node_of(t, a), 1);
	CHECK_EQ(get64(t, a), 98);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_munlock(t->qt.mm, a + 4 * PG, 2 * PG), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: R9 (results as move_pages(2) and migrate_pages(2) give them) */
TEST_WITH(migrate_results, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4), addr[4];
	int to[4] = {1, 1, 1, 0}, status[4];

	put64(t, a, 1);
	CHECK_EQ(get64(t, a + PG), 0); /* the zero page */
	put64(t, a + 3 * PG, 4);
	addr[0] = a + 17; /* within the page */
	addr[1] = a + PG;
	addr[2] = a + 2 * PG;
	addr[3] = a + 3 * PG;
	CHECK_EQ(quire_move_pages(t->qt.mm, 4, addr, to, status, MOVE), 0);
	CHECK_EQ(status[0], 1);
	CHECK_EQ(status[1], -EFAULT);
	CHECK_EQ(status[2], -ENOENT);
	CHECK_EQ(status[3], 0);
	addr[1] = TEST_PLACE(3); /* nothing is mapped */
	CHECK_EQ(quire_move_pages(t->qt.mm, 2, addr, NULL, status, MOVE), 0);
	CHECK_EQ(status[0], 1);
	CHECK_EQ(status[1], -EFAULT);
	CHECK_EQ(quire_move_pages(t->qt.mm, 1, addr, to, status, 0), -EINVAL);
	CHECK_EQ(quire_move_pages(t->qt.mm, 1, addr, to, status, ALL_), -EPERM);
	to[2] = 2;
	CHECK_EQ(quire_move_pages(t->qt.mm, 3, addr, to, status, MOVE),
		 -ENODEV);
	to[2] = -1;
	CHECK_EQ(quire_move_pages(t->qt.mm, 3, addr, to, status, MOVE),
		 -ENODEV);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, 0, MOVE), -EINVAL);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, 4, MOVE), -EPERM);
	t->qt.cap_sys_admin = true;
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, 4, MOVE), -EINVAL);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, N0, 6, MOVE), 0);
	CHECK_EQ(node_of(t, a + 3 * PG), 1);
	CHECK_EQ(quire_migrate_pages(t->qt.mm, 0, N1, MOVE), 0);
	CHECK_EQ(quire_nodes(sim_quire(m)), 2);
	sim_exit(t);
}

/* behaviour: R9 (no room there: what does not fit stays, whole) */
TEST_WITH(migrate_to_a_full_node, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m), *hog = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 400), h = anon(hog, 4096);
	unsigned i, there = 0;
	long stay;

	t->qt.cap_sys_admin = true;
	fill(t, a, 400, 1);
	/* node 1 is left with less than it takes */
	for (i = 0; i < 4096 &&
		    q->node[1].nr_free > q->node[1].watermark[WMARK_MIN] + 200;
	     i++) {
		put64(hog, h + i * PG, i);
		CHECK_EQ(move_to(hog, h + i * PG, 1, MOVE), 1);
	}
	sim_run(t);
	stay = quire_migrate_pages(t->qt.mm, N0, N1, MOVE);
	CHECK(stay > 100 && stay < 400);
	for (i = 0; i < 400; i++)
		there += node_of(t, a + i * PG) == 1;
	CHECK(there >= 400 - (unsigned)stay && there < 400);
	check_filled(t, a, 400, 1);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_exit(hog);
}

/* behaviour: R9 (a failed move leaves everything as it was) */
TEST_WITH(migrate_gives_up, .config = TWO_NODES)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = new_file(m, 2);
	uaddr_t a = anon(t, 2), b;
	struct page *page[3];
	uint64_t copies;
	unsigned i;

	b = must_map(t, 2 * PG, RW, MAP_SHARED, f, 0);
	put64(t, a, 1);
	put64(t, a + PG, 2);
	CHECK_EQ(sim_mprotect(t, a + PG, PG, PROT_READ), 0);
	put64(t, b, 3);
	page[0] = quire_phys_page(sim_quire(m), frame_of(t, a));
	page[1] = quire_phys_page(sim_quire(m), frame_of(t, a + PG));
	page[2] = quire_phys_page(sim_quire(m), frame_of(t, b));
	for (i = 0; i < 3; i++)
		REQUIRE(pin_page(sim_quire(m), page[i]));
	page[0]->pins--; /* a reference that nobody declared */
	page[1]->pins--;
	CHECK_EQ(move_to(t, a, 1, MOVE), -EBUSY);
	CHECK_EQ(move_to(t, a + PG, 1, MOVE), -EBUSY);
	CHECK_EQ(move_to(t, b, 1, MOVE), -EBUSY);
	page[0]->pins++;
	page[1]->pins++;
	CHECK_SYSTEM(m);
	copies = sim_vmstat(m, "quire_cow_copy");
	put64(t, a, 11);
	CHECK_EQ(get64(t, a + PG), 2);
	CHECK_EQ(sim_mprotect(t, a + PG, PG, RW), 0);
	put64(t, a + PG, 12);
	put64(t, b, 13);
	CHECK_EQ(sim_vmstat(m, "quire_cow_copy"), copies);
	for (i = 0; i < 3; i++)
		quire_page_put(sim_quire(m), page[i]);
	CHECK_EQ(move_to(t, a, 1, MOVE), 1);
	CHECK_EQ(move_to(t, b, 1, MOVE), 1);
	CHECK_EQ(get64(t, a), 11);
	CHECK_EQ(get64(t, b), 13);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* ------------------------------------------------------------------- races */

struct race {
	struct sim_machine *m;
	struct sim_task *t[4];
	struct sim_file *f;
	uaddr_t a, b, s; /* private, a file's, shared: 16 pages each */
	uint32_t started, over;
};

static void migrator(struct race *r)
{
	struct test_deadline d = test_deadline();
	unsigned round;

	while (__atomic_load_n(&r->started, __ATOMIC_ACQUIRE) < 2)
		sim_poll();
	sim_run(r->t[0]);
	for (round = 0; round < ROUNDS(120) || test_time_left(&d); round++)
		CHECK(quire_migrate_pages(r->t[1]->qt.mm, round & 1 ? N1 : N0,
					  round & 1 ? N0 : N1, ALL_) >= 0);
	__atomic_store_n(&r->over, 1, __ATOMIC_RELEASE);
}

/* Its own word of each page counts up; nobody else's store is lost. */
static void user(struct race *r, unsigned i)
{
	struct sim_task *t = r->t[i];
	uint64_t n = 0, v = 0;
	unsigned p, k;

	while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)) {
		n++;
		for (p = 0; p < 16; p++)
			for (k = 0; k < 3; k++) {
				uaddr_t w = (k == 0   ? r->a
					     : k == 1 ? r->b
						      : r->s) +
					    p * PG + i * 8;

				if (n > 1) {
					REQUIRE_EQ(sim_load64(t, w, &v), 0);
					REQUIRE_EQ(v, n - 1);
				}
				REQUIRE_EQ(sim_store64(t, w, n), 0);
			}
		if (n == 1)
			__atomic_fetch_add(&r->started, 1, __ATOMIC_RELEASE);
	}
}

static void forker(struct race *r)
{
	struct sim_task *t = r->t[3], *c;
	uaddr_t own = anon(t, 8), at = own;
	sreg_t moved;
	unsigned p;

	while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE)) {
		fill(t, at, 8, 1000);
		c = sim_fork(t);
		REQUIRE(c);
		CHECK_EQ(sim_mprotect(t, at, 4 * PG, PROT_READ), 0);
		check_filled(c, at, 8, 1000);
		fill(c, at, 8, 2000);
		moved = sim_mremap(t, at, 8 * PG, 8 * PG,
				   MREMAP_MAYMOVE | MREMAP_FIXED,
				   TEST_PLACE(at == TEST_PLACE(5) ? 6 : 5));
		REQUIRE(mapped_at(moved));
		at = (uaddr_t)moved;
		check_filled(t, at, 8, 1000);
		CHECK_EQ(sim_mprotect(t, at, 8 * PG, RW), 0);
		CHECK_EQ(sim_madvise(t, at, 2 * PG, MADV_DONTNEED), 0);
		for (p = 0; p < 2; p++)
			CHECK_EQ(get64(t, at + p * PG + 8 * p), 0);
		sim_exit(c);
	}
}

static void racer(unsigned i, void *arg)
{
	struct race *r = arg;

	if (i == 0)
		migrator(r);
	else if (i == 3)
		forker(r);
	else
		user(r, i);
}

/*
 * behaviours: R9, F11 (a fault on a page that moves waits, and goes on)
 * Two threads store to private, file and shared pages while these go to and
 * fro; a third one's are forked, protected, moved and dropped meanwhile.
 */
TEST_WITH(
	migrate_against_faults,
	.config = {.ram_bytes = 32u << 20, .nodes = 2, .cpus = 4, .jitter = 50},
	.seconds = 240)
{
	struct race r = {.m = m};

	r.f = new_file(m, 16);
	r.t[0] = sim_task_create(m);
	r.a = anon(r.t[0], 16);
	r.b = must_map(r.t[0], 16 * PG, RW, MAP_SHARED, r.f, 0);
	r.s = must_map(r.t[0], 16 * PG, RW, SHANON, NULL, 0);
	REQUIRE(r.t[0]);
	r.t[0]->qt.cap_sys_admin = true;
	r.t[1] = sim_thread(r.t[0]);
	r.t[2] = sim_thread(r.t[0]);
	r.t[3] = sim_thread(r.t[0]);
	REQUIRE(r.t[1] && r.t[2] && r.t[3]);
	sim_parallel(m, 4, racer, &r);
	CHECK(sim_vmstat(m, "pgmigrate_success") > 100);
	CHECK_SYSTEM(m);
	sim_exit(r.t[0]);
	sim_exit(r.t[1]);
	sim_exit(r.t[2]);
	sim_exit(r.t[3]);
	sim_file_close(r.f);
}

/* ------------------------------------------------------- lack of memory */

static void move_them(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t addr[6], i;
	int to[6], status[6], r;
	sreg_t a;

	(void)arg;
	if (!t)
		return;
	a = sim_mmap(t, 0, 6 * PG, RW, ANON, NULL, 0);
	for (i = 0; i < 6 && mapped_at(a); i++) {
		addr[i] = (uaddr_t)a + i * PG;
		to[i] = 1;
		r = sim_store64(t, addr[i], i);
		CHECK(r == 0 || r == SIM_OOM);
		if (r)
			goto out;
	}
	if (mapped_at(a)) {
		sim_run(t);
		CHECK(quire_move_pages(t->qt.mm, 6, addr, to, status, MOVE) >=
		      0);
		for (i = 0; i < 6; i++)
			CHECK(status[i] == 1 || status[i] == -ENOMEM);
		CHECK_SYSTEM(m);
		for (i = 0; i < 6; i++)
			CHECK_EQ(get64(t, addr[i]), i);
	}
out:
	sim_exit(t);
}

/* behaviour: R9 (every allocation failed in turn) */
TEST_WITH(migrate_every_failure, .plain = true, .seconds = 240)
{
	struct sim_config c = {.ram_bytes = 32u << 20, .nodes = 2};

	UNUSED_MACHINE;
	CHECK(test_every_failure(&c, move_them, NULL) > 10);
}
