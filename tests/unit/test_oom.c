/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: the largest goes, at once, whatever it is doing; the others
 * run on; when nobody is left the last one is told.
 */
#include <mm.h>

#include <tests/unit/entries.h>

#define RAM (16u << 20)
#define OOM_KILL                                                               \
	{                                                                      \
		.ram_bytes = RAM, .overcommit = 1, .oom_kill = true, .cpus = 4 \
	}
#define FRAMES (RAM / 4096)

static uint64_t kills(struct sim_machine *m)
{
	struct sim_stats s;

	sim_get_stats(m, &s);
	return s.oom_kills;
}

/* A task with so many pages of its own, the i-th holding seed + i. */
static struct sim_task *fat_task(struct sim_machine *m, uaddr_t *at,
				 uaddr_t pages, uint64_t seed)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t i;

	REQUIRE(t);
	*at = anon(t, FRAMES);
	for (i = 0; i < pages; i++)
		put64(t, *at + i * PG, seed + i);
	return t;
}

static void check_pages(struct sim_task *t, uaddr_t at, uaddr_t pages,
			uint64_t seed)
{
	uaddr_t i;

	for (i = 0; i < pages; i++)
		REQUIRE_EQ(get64(t, at + i * PG), seed + i);
}

/* behaviour: R5 (what a task's end would bring: memory, swap and tables) */
TEST(oom_badness)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 3);
	uint64_t none = quire_oom_badness(t->qt.mm), tables;
	struct quire_mm_stats s = mm_stats(t);
	uaddr_t a = anon(t, 64), b;

	CHECK_EQ(none, s.table_bytes / 4096);
	b = must_map(t, 8 * PG, PROT_READ, MAP_PRIVATE, f, 0);
	CHECK_EQ(sim_touch_write(t, a, 64 * PG, 1), 0);
	CHECK_EQ(sim_touch_read(t, b, 8 * PG), 0);
	tables = mm_stats(t).table_bytes / 4096;
	CHECK_EQ(quire_oom_badness(t->qt.mm), 64 + 8 + tables);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: R5 (the largest is killed; nobody else loses a byte) */
TEST_WITH(oom_largest_is_killed, .config = OOM_KILL)
{
	uaddr_t a, b, c;
	struct sim_task *big = fat_task(m, &a, FRAMES / 2, 1000);
	struct sim_task *mid = fat_task(m, &b, FRAMES / 8, 2000);
	struct sim_task *own = fat_task(m, &c, 8, 3000);
	uint64_t v;
	uaddr_t i;

	for (i = 8; i < FRAMES / 2 && !big->killed; i++)
		put64(own, c + i * PG, 3000 + i);
	CHECK_EQ(kills(m), 1);
	CHECK(big->killed && big->qt.oom_victim);
	CHECK(!mid->killed && !own->killed);
	CHECK(i < FRAMES / 2);
	CHECK_EQ(mm_stats(big).anon_pages, 0);
	CHECK(sim_vmstat(m, "nr_free_pages") > FRAMES / 3);
	CHECK_SYSTEM(m);
	check_pages(mid, b, FRAMES / 8, 2000);
	check_pages(own, c, i, 3000);
	CHECK_EQ(sim_load64(big, a, &v), SIGKILL);
	sim_exit(big);
	CHECK_SYSTEM(m);
	sim_exit(mid);
	sim_exit(own);
}

/* behaviour: R5 (lost contents are not zeroes: SIGBUS; shared memory stays) */
TEST_WITH(oom_reaped_memory, .config = OOM_KILL)
{
	struct sim_task *t = sim_task_create(m), *peer;
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 3);
	uaddr_t a = anon(t, 8), p, s;
	struct mm_struct *mm = t->qt.mm;
	uint64_t v, old;

	p = must_map(t, 4 * PG, RW, MAP_PRIVATE, f, 0);
	s = must_map(t, 4 * PG, RW, SHANON, NULL, 0);
	CHECK_EQ(sim_touch_write(t, a, 8 * PG, 1), 0);
	put64(t, s, 77);
	CHECK_EQ(sim_load64(t, p + PG, &old), 0);
	put64(t, p + PG, ~old);
	peer = sim_fork(t);
	REQUIRE(peer);
	CHECK_EQ(quire_oom_reap(mm), 8 + 1);
	CHECK_EQ(mm_stats(t).anon_pages, 0);
	CHECK_SYSTEM(m);
	CHECK_SIGNAL(t, sim_load64(t, a, &v), SIGBUS, QUIRE_BUS_ADRERR, a);
	CHECK_SIGNAL(t, sim_store64(t, a + 8, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 8);
	/* not the file's page where the private one was; nor next to it */
	CHECK_SIGNAL(t, sim_load64(t, p + PG, &v), SIGBUS, QUIRE_BUS_ADRERR,
		     p + PG);
	CHECK_SIGNAL(t, sim_load64(t, p, &v), SIGBUS, QUIRE_BUS_ADRERR, p);
	CHECK_SIGNAL(t, sim_store64(t, p, 1), SIGBUS, QUIRE_BUS_ADRERR, p);
	CHECK_EQ(quire_mm_read(mm, a, &v, 8), 0);
	CHECK_EQ(get64(t, s), 77);
	put64(t, s, 78);
	/* the child has all of it */
	CHECK_EQ(get64(peer, a) & 0xff, 1);
	CHECK_EQ(get64(peer, p + PG), ~old);
	CHECK_EQ(get64(peer, s), 78);
	CHECK_EQ(quire_oom_reap(mm), 0);
	CHECK_SYSTEM(m);
	/* nor are they zeroes in a child, which would run on with them */
	CHECK(sim_fork(t) == NULL);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_exit(peer);
	sim_file_close(f);
}

/* behaviour: R5 (its threads die with it; who has no memory is not asked) */
TEST_WITH(oom_all_threads_die, .config = OOM_KILL)
{
	uaddr_t a, b, i;
	struct sim_task *big = fat_task(m, &a, FRAMES / 2, 0);
	struct sim_task *thread = sim_thread(big);
	struct sim_task *own = fat_task(m, &b, 1, 0);

	for (i = 1; i < FRAMES / 2 && !kills(m); i++)
		put64(own, b + i * PG, i);
	CHECK_EQ(kills(m), 1);
	CHECK_EQ(sim_load8(big, a, &(uint8_t){0}), SIGKILL);
	CHECK_EQ(sim_load8(thread, a, &(uint8_t){0}), SIGKILL);
	sim_exit(big);
	sim_exit(thread);
	check_pages(own, b, i, 0);
	sim_exit(own);
}

/*
 * behaviour: R5
 * One that takes more than there is dies itself.  Then nobody is left to kill:
 * the one who asks is told, and does not hang.
 */
TEST_WITH(oom_nobody_left, .config = OOM_KILL)
{
	uaddr_t a, b, i;
	struct sim_task *t = fat_task(m, &a, 16, 0);
	struct sim_task *last = fat_task(m, &b, 16, 0);
	uaddr_t shared = must_map(last, 4 * PG, RW, SHANON, NULL, 0);
	struct page *hog[FRAMES];
	unsigned n = 0;
	int r = 0;

	for (i = 0; i < FRAMES && !r; i++)
		r = sim_store8(t, a + i * PG, 1);
	CHECK_EQ(r, SIGKILL);
	CHECK_EQ(kills(m), 1);
	/* now it is the kernel that has it all */
	while ((hog[n] = quire_alloc_pages(sim_quire(m), QUIRE_GFP_ATOMIC, 0)))
		n++;
	REQUIRE(n > FRAMES / 2);
	r = 0;
	for (i = 16; i < 40 && !r; i++)
		r = sim_store8(last, b + i * PG, 1);
	CHECK_EQ(r, SIGKILL);
	CHECK_EQ(kills(m), 2);
	CHECK(quire_oom_victim(sim_quire(m), NULL, NULL) == NULL);
	/* take what the last one gave, too, and ask once more */
	while ((hog[n] = quire_alloc_pages(sim_quire(m), QUIRE_GFP_ATOMIC, 0)))
		n++;
	last->killed = false;
	CHECK_EQ(sim_store8(last, shared, 1), SIM_OOM);
	CHECK_EQ(kills(m), 2);
	while (n)
		quire_free_pages(sim_quire(m), hog[--n], 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_exit(last);
}

/*
 * behaviour: R5 (the kernel's access for a user: goes on when memory comes
 * back, fails for the victim)
 */
TEST_WITH(oom_in_kernel_mode, .config = OOM_KILL)
{
	uaddr_t a, b;
	struct sim_task *big = fat_task(m, &a, FRAMES / 2, 0);
	struct sim_task *own = fat_task(m, &b, 1, 0);
	static char buf[FRAMES * 4096], back[FRAMES * 4096];
	size_t n = FRAMES / 8 * 5 * 4096ul, done;

	memset(buf, 0x5a, sizeof(buf));
	CHECK_EQ(sim_copy_to_user(own, b, buf, n), n);
	CHECK_EQ(kills(m), 1);
	CHECK(big->killed);
	CHECK_EQ(sim_copy_from_user(own, b, back, n), n);
	CHECK(!memcmp(buf, back, n));
	CHECK_SYSTEM(m);
	/* to die: the copy ends where memory did */
	done = sim_copy_to_user(own, b, buf, sizeof(buf));
	CHECK(done < sizeof(buf) && done >= n);
	CHECK(own->killed);
	CHECK_EQ(kills(m), 2);
	sim_exit(big);
	sim_exit(own);
}

/*
 * behaviours: R5, E7
 * The kernel's access for a user finds no memory, and when that is looked at
 * there is some: it goes on, as user mode would.  Where it never finds any it
 * ends, with EFAULT, and the next one has all tries again.
 */
TEST_WITH(oom_is_over_in_kernel_mode, .config = OOM_KILL)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 64);
	char buf[64] = "memory";
	unsigned i;

	if (!sim_has_injection())
		return;
	put64(t, a, 1); /* (tables, anon_vma) */
	for (i = 1; i < 40; i++) {
		sim_inject_reset(m);
		sim_inject_nth(m, 1, true);
		CHECK_EQ(sim_copy_to_user(t, a + i * PG, buf, 8), 8);
		CHECK_EQ(sim_inject_hits(m), 1);
	}
	sim_inject_reset(m);
	sim_inject_nth(m, 1, false);
	CHECK_EQ(sim_copy_to_user(t, a + 50 * PG, buf, 8), 0);
	CHECK(sim_inject_hits(m) > 1 && sim_inject_hits(m) < 100);
	CHECK_EQ(sim_copy_to_user(t, a + 50 * PG, buf, 8), 0);
	CHECK_EQ(sim_copy_to_user(t, a + 51 * PG, buf, 8), 0);
	sim_inject_reset(m);
	CHECK_EQ(sim_copy_to_user(t, a + 50 * PG, buf, 8), 8);
	CHECK_EQ(kills(m), 0);
	CHECK(!t->killed);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: R5 (what is not a fault gets an errno, and nobody is killed) */
TEST_WITH(oom_without_a_fault, .config = OOM_KILL)
{
	uaddr_t a;
	struct sim_task *t = fat_task(m, &a, FRAMES / 2, 0);
	struct page *pages[1], *hog[FRAMES];
	unsigned n = 0;

	while ((hog[n] = quire_alloc_pages(sim_quire(m), QUIRE_GFP_ATOMIC, 0)))
		n++;
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + (FRAMES - 1) * PG, 1, true,
				      pages),
		 -ENOMEM);
	CHECK_EQ(sim_madvise(t, a, FRAMES * PG, MADV_POPULATE_WRITE), -ENOMEM);
	CHECK_EQ(quire_mm_write(t->qt.mm, a + (FRAMES - 1) * PG, "x", 1, false),
		 0);
	CHECK_EQ(kills(m), 0);
	CHECK(!t->killed);
	while (n)
		quire_free_pages(sim_quire(m), hog[--n], 0);
	CHECK_SYSTEM(m);
	check_pages(t, a, FRAMES / 2, 0);
	sim_exit(t);
}

/* ---------------------------------------------------- what it is busy with */

struct busy {
	struct sim_machine *m;
	struct sim_task *big, *own;
	uaddr_t a, file, b;
	bool write; /* the mmap_lock is held for write */
	int r;
	uint32_t ready, over;
	uaddr_t grown;
};

static void wait_for(uint32_t *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		sim_poll();
}

static bool is_killed(const struct sim_task *t)
{
	return __atomic_load_n(&t->killed, __ATOMIC_RELAXED);
}

static void grow_until_a_kill(struct busy *b)
{
	int r = 0;

	for (; b->grown < FRAMES / 2 && !r && !is_killed(b->big); b->grown++)
		r = sim_store64(b->own, b->b + b->grown * PG, b->grown);
	CHECK_EQ(r, 0);
}

static void in_a_fault(unsigned i, void *arg)
{
	struct busy *b = arg;

	if (i == 0) {
		__atomic_store_n(&b->ready, 1, __ATOMIC_RELEASE);
		b->r = sim_load8(b->big, b->file, &(uint8_t){0});
		return;
	}
	wait_for(&b->ready);
	grow_until_a_kill(b);
}

/* behaviour: R5 (a task that sleeps in a fault gets out and dies) */
TEST_WITH(oom_victim_sleeps_in_a_fault, .config = OOM_KILL)
{
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 3);
	struct sim_disk_config c = {.mode = SIM_DISK_HELD};
	struct busy b = {.m = m};

	b.big = fat_task(m, &b.a, FRAMES / 2, 0);
	b.own = fat_task(m, &b.b, 1, 0);
	b.grown = 1;
	REQUIRE(sim_disk_configure(f, &c) == 0);
	b.file = must_map(b.big, 4 * PG, PROT_READ, MAP_PRIVATE, f, 0);
	sim_parallel(m, 2, in_a_fault, &b);
	CHECK_EQ(b.r, SIGKILL);
	CHECK_EQ(kills(m), 1);
	CHECK_EQ(mm_stats(b.big).anon_pages, 0);
	check_pages(b.own, b.b, b.grown, 0);
	while (sim_disk_step(m, 8))
		;
	sim_exit(b.big);
	sim_exit(b.own);
	sim_file_close(f);
}

static void with_the_map_locked(unsigned i, void *arg)
{
	struct busy *b = arg;
	struct rwsem *lock = &b->big->qt.mm->mmap_lock;

	if (i == 0) {
		sim_run(b->big);
		if (b->write)
			down_write(lock);
		else
			down_read(lock);
		__atomic_store_n(&b->ready, 1, __ATOMIC_RELEASE);
		wait_for(&b->over);
		if (b->write)
			up_write(lock);
		else
			up_read(lock);
		return;
	}
	wait_for(&b->ready);
	if (b->write) { /* its memory cannot be had: the next one's is */
		int r = 0;

		for (; !r && b->grown < FRAMES; b->grown++)
			r = sim_store8(b->own, b->b + b->grown * PG, 1);
		CHECK_EQ(r, SIGKILL);
	} else {
		grow_until_a_kill(b);
	}
	__atomic_store_n(&b->over, 1, __ATOMIC_RELEASE);
}

/* behaviour: R5 (the victim keeps its map locked for read: reaped all the same)
 */
TEST_WITH(oom_victim_holds_its_map, .config = OOM_KILL)
{
	struct busy b = {.m = m};

	b.big = fat_task(m, &b.a, FRAMES / 2, 0);
	b.own = fat_task(m, &b.b, 1, 0);
	b.grown = 1;
	sim_parallel(m, 2, with_the_map_locked, &b);
	CHECK(b.big->killed && !b.own->killed);
	CHECK_EQ(mm_stats(b.big).anon_pages, 0);
	check_pages(b.own, b.b, b.grown, 0);
	sim_exit(b.big);
	sim_exit(b.own);
}

/* behaviour: R5 (for write: it is passed over after a while; nobody hangs) */
TEST_WITH(oom_victim_changes_its_map, .config = OOM_KILL)
{
	struct busy b = {.m = m, .write = true};

	b.big = fat_task(m, &b.a, FRAMES / 2, 0);
	b.own = fat_task(m, &b.b, 1, 0);
	b.grown = 1;
	sim_parallel(m, 2, with_the_map_locked, &b);
	CHECK(b.big->killed && b.own->killed);
	CHECK_EQ(kills(m), 2);
	CHECK_EQ(mm_stats(b.big).anon_pages, FRAMES / 2);
	CHECK_EQ(mm_stats(b.own).anon_pages, 0);
	sim_exit(b.big);
	sim_exit(b.own);
}

/* ------------------------------------------------------------------- races */

struct feast {
	struct sim_machine *m;
	uint32_t full; /* shares taken, or not to be had */
};

/* Everybody takes more than a quarter, and keeps it until all have tried, or
 * where threads run one after the other nobody would be short. */
static void glutton(unsigned i, void *arg)
{
	struct feast *f = arg;
	struct sim_machine *m = f->m;
	unsigned round, n;

	for (round = 0; round < ROUNDS(8); round++) {
		struct sim_task *t = sim_task_create(m);
		uaddr_t a, pages = FRAMES / 3 + i * 8;
		sreg_t at = t ? sim_mmap(t, 0, pages * PG, RW, ANON, NULL, 0)
			      : -ENOMEM;
		uint64_t v;
		int r = 0;

		if (!mapped_at(at)) { /* a shortage is not the test's affair */
			__atomic_fetch_add(&f->full, 1u, __ATOMIC_ACQ_REL);
			if (t)
				sim_exit(t);
			continue;
		}
		a = (uaddr_t)at;
		for (n = 0; n < pages && !r; n++)
			r = sim_store64(t, a + n * PG, round + n);
		__atomic_fetch_add(&f->full, 1u, __ATOMIC_ACQ_REL);
		while (__atomic_load_n(&f->full, __ATOMIC_ACQUIRE) <
		       4 * (round + 1))
			sim_poll();
		for (; n-- > 0 && !r;) {
			r = sim_load64(t, a + n * PG, &v);
			CHECK(r || v == round + n);
		}
		CHECK(r == 0 || r == SIGKILL);
		sim_exit(t);
	}
}

/* behaviour: R5 (four CPUs run out at once) */
TEST_WITH(oom_gluttons, .config = OOM_KILL, .seconds = 120)
{
	struct feast f = {.m = m};

	sim_quiet(m, true);
	sim_parallel(m, 4, glutton, &f);
	CHECK(kills(m) > 0);
	CHECK_SYSTEM(m);
}
