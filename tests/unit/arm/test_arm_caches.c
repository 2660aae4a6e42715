/* SPDX-License-Identifier: MIT */
/*
 * P8 on ARM: instruction fetch, table walks (ARMv6) and a data cache with
 * aliases (ARMv6) see what the kernel has written only if they are told.  The
 * simulated machine counts each time they are not as a violation; here is each
 * way by which contents and entries come about, and for each kind of call a
 * machine that forgets it, to show that this would be seen.
 */
#include <sim/mmu_arm.h>
#include <tests/unit/entries.h>

#define RX  (PROT_READ | PROT_EXEC)
#define RWX (RW | PROT_EXEC)

static uint64_t syncs(struct sim_machine *m)
{
	struct sim_arm_stats s;

	sim_arm_get_stats(m, &s);
	return s.sync_icache;
}

static void fetch(struct sim_task *t, uaddr_t a, uint8_t want)
{
	uint8_t byte = 0;

	CHECK_EQ(sim_fetch(t, a, &byte, 1), 0);
	CHECK_EQ(byte, want);
}

/* behaviour: P8 (a file's page; once for all who map it; written since) */
TEST(arm_fetch_from_file)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_create(m, "prog", 4 * PG, 9);
	uaddr_t a = must_map(t, 4 * PG, RX, MAP_PRIVATE, f, 0);
	uint64_t n;

	fetch(t, a + 5, sim_file_byte(9, 5));
	n = syncs(m);
	CHECK(n >= 1);
	/* the same page again: it was told */
	CHECK_EQ(sim_munmap(t, a, 4 * PG), 0);
	a = must_map(t, 4 * PG, RX, MAP_PRIVATE, f, 0);
	fetch(t, a + 5, sim_file_byte(9, 5));
	c = sim_fork(t);
	fetch(c, a + 5, sim_file_byte(9, 5));
	CHECK_EQ(syncs(m), n);
	/* write(2) while it is mapped: at once */
	CHECK_EQ(sim_file_write(f, 5, "\xaa", 1), 1);
	fetch(t, a + 5, 0xaa);
	CHECK_EQ(syncs(m), n + 1);
	/* and while it is not: when it is mapped again */
	sim_exit(c);
	CHECK_EQ(sim_munmap(t, a, 4 * PG), 0);
	CHECK_EQ(sim_file_write(f, 5, "\xbb", 1), 1);
	CHECK_EQ(syncs(m), n + 1);
	a = must_map(t, 4 * PG, RX, MAP_PRIVATE, f, 0);
	fetch(t, a + 5, 0xbb);
	CHECK(syncs(m) > n + 1);
	/* the tail of the file goes, and is zeroes */
	sim_file_truncate(f, 4);
	fetch(t, a + 5, 0);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: P8 (copies, fresh pages, other protections, pokes) */
TEST(arm_fetch_from_private)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_create(m, "prog", 4 * PG, 9);
	uaddr_t a = must_map(t, 4 * PG, RWX, MAP_PRIVATE, f, 0);
	uaddr_t b = must_map(t, 4 * PG, RW, ANON, NULL, 0);
	uint8_t poke = 0x77;
	uint64_t n;

	/* a copy of the file's page, written by the kernel; then by the user */
	CHECK_EQ(sim_store8(t, a, 0x11), 0);
	fetch(t, a, 0x11);
	fetch(t, a + 1, sim_file_byte(9, 1));
	/* a copy after fork */
	c = sim_fork(t);
	CHECK_EQ(sim_store8(c, a, 0x22), 0);
	fetch(c, a + 1, sim_file_byte(9, 1));
	fetch(t, a, 0x11);
	/* a debugger's poke, into memory that is being executed */
	CHECK_EQ(quire_mm_write(c->qt.mm, a + 2, &poke, 1, true), 1);
	fetch(c, a + 2, 0x77);
	sim_exit(c);
	/* data pages need nothing ... */
	n = syncs(m);
	CHECK_EQ(sim_touch_write(t, b, 3 * PG, 5), 0);
	CHECK_EQ(syncs(m), n);
	/* ... until they become executable, by mprotect or as a zero page */
	CHECK_EQ(sim_mprotect(t, b, 4 * PG, RX), 0);
	CHECK_EQ(syncs(m), n + 3);
	fetch(t, b + PG, 5);
	fetch(t, b + 3 * PG, 0);
	/* moved: it is told already */
	n = syncs(m);
	b = (uaddr_t)sim_mremap(t, b, 4 * PG, 4 * PG,
				MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(3));
	CHECK_EQ(b, TEST_PLACE(3));
	fetch(t, b + 2 * PG, 5);
	CHECK_EQ(syncs(m), n);
	sim_exit(t);
	sim_file_close(f);
}

/* Another CPU's kernel writes to the page, as filemap.c and gup.c do. */
static void other_cpu_writes(struct sim_machine *m, void *kva)
{
	*(volatile uint8_t *)kva = 0xee;
	flush_dcache_page(m->q, virt_to_page(m->q, kva));
}

/* behaviour: P8 (a write between the sync for an entry and what notes it) */
TEST(arm_fetch_written_meanwhile)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "prog", PG, 9);
	uaddr_t a = must_map(t, PG, RX, MAP_PRIVATE, f, 0);

	sim_arm_after_sync(m, other_cpu_writes);
	fetch(t, a + 1, sim_file_byte(9, 1));
	fetch(t, a, 0xee);
	/* as is whoever maps it next */
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	a = must_map(t, PG, RX, MAP_PRIVATE, f, 0);
	fetch(t, a, 0xee);
	CHECK_EQ(sim_violations(m), 0);
	sim_exit(t);
	sim_file_close(f);
}

TEST_WITH(arm_fetch_unsynced, .config = {.arm_forget = SIM_ARM_FORGET_ICACHE})
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "prog", PG, 9);
	uaddr_t a = must_map(t, PG, RX, MAP_PRIVATE, f, 0);

	sim_quiet(m, true);
	fetch(t, a, sim_file_byte(9, 0));
	if (sim_has_checker())
		CHECK(sim_log_contains(m, "has not been told of"));
	sim_violations_clear(m);
	sim_exit(t);
	sim_file_close(f);
}

/* Everything that changes entries, once; the walks are checked throughout. */
static void change_tables(struct sim_machine *m)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_create(m, "data", 40 * PG, 9);
	uaddr_t a = anon(t, 1200), b;
	uint64_t v;

	(void)sim_touch_write(t, a, 1200 * PG, 1); /* tables, words */
	b = must_map(t, 40 * PG, RW, MAP_SHARED, f, 0);
	(void)sim_touch_read(t, b, 40 * PG); /* fault-around */
	(void)sim_touch_write(t, b, 20 * PG, 2);
	c = sim_fork(t);
	(void)sim_touch_write(t, a, 30 * PG, 3);
	(void)sim_touch_write(c, a + 10 * PG, 30 * PG, 4);
	(void)sim_mprotect(t, a, 50 * PG, PROT_NONE);
	(void)sim_load64(t, a, &v);
	(void)sim_mprotect(t, a, 50 * PG, RW);
	(void)sim_touch_read(t, a, 50 * PG);
	(void)sim_mremap(t, a + 100 * PG, 20 * PG, 20 * PG,
			 MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(5));
	(void)sim_touch_read(t, TEST_PLACE(5), 20 * PG);
	(void)sim_load64(t, a + 100 * PG, &v);
	(void)quire_clear_refs(t->qt.mm, 1);
	(void)sim_touch_read(t, a, 100 * PG);
	(void)quire_clear_refs(t->qt.mm, 4);
	(void)sim_touch_write(t, a, 100 * PG, 6);
	(void)sim_madvise(t, a, 60 * PG, MADV_DONTNEED);
	(void)sim_touch_read(t, a, 60 * PG);
	sim_file_truncate(f, 10 * PG);
	(void)sim_load64(t, b + 15 * PG, &v);
	(void)sim_munmap(t, a, 1200 * PG);
	(void)sim_load64(t, a, &v);
	sim_exit(c);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: P8 (every store to a table is told: ARMv6 walks in memory) */
TEST_WITH(arm_tables_are_cleaned, .config = {.max_faults = 30})
{
	change_tables(m);
	CHECK_EQ(sim_violations(m), 0);
}

TEST_WITH(arm_tables_uncleaned,
	  .config = {.max_faults = 30, .arm_forget = SIM_ARM_FORGET_TABLE})
{
	struct sim_task *t;

	if (sim_get_config(m)->arm_version > 6 || !sim_has_checker())
		return;
	sim_quiet(m, true);
	t = sim_task_create(m);
	put64(t, anon(t, 1), 1);
	CHECK(sim_log_contains(m, "never cleaned"));
	sim_exit(t);
	sim_violations_clear(m);
}

/*
 * behaviour: P5 (a table is freed when no CPU can walk it any more).  The
 * processor may have the first-level word of any MiB of a table cached, also
 * where nothing was ever mapped, and an operation by address drops only its
 * own; a walk into a page that is free is a violation.
 */
TEST(arm_tables_freed)
{
	const uaddr_t mib = (uaddr_t)1 << 20, place = TEST_PLACE(2) & PMD_MASK;
	struct sim_task *t = sim_task_create(m);
	uint64_t v;

	/* one page in the table's first MiB, a miss in its third */
	CHECK_EQ(sim_mmap(t, place, PG, RW, ANON | MAP_FIXED, NULL, 0), place);
	put64(t, place, 1);
	CHECK(sim_load64(t, place + 2 * mib, &v));
	CHECK_EQ(sim_munmap(t, place, PG), 0);
	CHECK(sim_load64(t, place + 2 * mib, &v));
	CHECK(sim_load64(t, place, &v));
	/* two tables, of which the second has no page left */
	CHECK_EQ(sim_mmap(t, place, 8 * mib, RW, ANON | MAP_FIXED, NULL, 0),
		 place);
	put64(t, place, 1);
	put64(t, place + 5 * mib, 1);
	CHECK_EQ(sim_mprotect(t, place + 4 * mib, 4 * mib, PROT_NONE), 0);
	CHECK_EQ(sim_madvise(t, place + 4 * mib, 4 * mib, MADV_DONTNEED), 0);
	CHECK(sim_load64(t, place + 6 * mib, &v));
	CHECK_EQ(sim_munmap(t, place, 8 * mib), 0);
	CHECK(sim_load64(t, place + 6 * mib, &v));
	CHECK_EQ(sim_violations(m), 0);
	sim_exit(t);
}

/* behaviour: P8 (shared mappings of one page have one colour) */
TEST(arm_shared_colour)
{
	uaddr_t mask = sim_get_config(m)->arm_colours
			       ? (sim_get_config(m)->arm_colours - 1) * PG
			       : 0;
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	struct sim_file *f = sim_file_shmem(m, "f", 16 * PG);
	uaddr_t a, b, i;
	sreg_t r;

	for (i = 0; i < 8; i++) {
		(void)anon(u, 1); /* other places each time */
		a = must_map(t, 2 * PG, RW, MAP_SHARED, f, i * PG);
		b = must_map(u, 2 * PG, RW, MAP_SHARED, f, i * PG);
		CHECK_EQ((a ^ i * PG) & mask, 0);
		CHECK_EQ((b ^ i * PG) & mask, 0);
		put64(t, a + 8, i);
		CHECK_EQ(get64(u, b + 8), i);
		put64(u, b + PG, i + 100);
		CHECK_EQ(get64(t, a + PG), i + 100);
		/* a private mapping looks at the same page */
		b = must_map(u, 2 * PG, PROT_READ, MAP_PRIVATE, f, i * PG);
		CHECK_EQ((b ^ i * PG) & mask, 0);
		CHECK_EQ(get64(u, b + PG), i + 100);
		put64(t, a + PG, i + 200);
		CHECK_EQ(get64(u, b + PG), i + 200);
		r = sim_mremap(u, b, 2 * PG, 64 * PG, MREMAP_MAYMOVE, 0);
		CHECK(mapped_at(r) && !(((uaddr_t)r ^ b) & mask));
	}
	/* a hint that does not fit is no more than that; MAP_FIXED is refused
	 */
	a = TEST_PLACE(6) + PG;
	r = sim_mmap(t, a, PG, RW, MAP_SHARED, f, 0);
	CHECK(mapped_at(r) && (mask ? (uaddr_t)r != a : (uaddr_t)r == a));
	r = sim_mmap(t, a, PG, RW, MAP_SHARED | MAP_FIXED, f, 0);
	CHECK_EQ(r, mask ? -EINVAL : (sreg_t)a);
	CHECK_EQ(sim_mmap(t, a, PG, RW, MAP_SHARED | MAP_FIXED, f, PG), a);
	CHECK_EQ(sim_mmap(t, a, PG, RW, MAP_PRIVATE | MAP_FIXED, f, 0), a);
	/* a second view of a shared mapping */
	a = must_map(t, PG, RW, SHANON, NULL, 0);
	put64(t, a, 5);
	r = sim_mremap(t, a, 0, PG, MREMAP_MAYMOVE, 0);
	CHECK(mapped_at(r));
	CHECK_EQ(((uaddr_t)r ^ a) & mask, 0);
	put64(t, (uaddr_t)r, 6);
	CHECK_EQ(get64(t, a), 6);
	sim_exit(u);
	sim_exit(t);
	sim_file_close(f);
}

/* The kernel's own reading and writing of what users have in their lines. */
TEST(arm_kernel_reads_users_lines)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_shmem(m, "f", 4 * PG);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_SHARED, f, 0);
	struct sim_arm_stats before, after;
	char buf[16] = "";

	put64(t, a, 0x6c6c6568);
	sim_arm_get_stats(m, &before);
	CHECK_EQ(sim_file_read(f, 0, buf, 4), 4);
	CHECK_EQ(strcmp(buf, "hell"), 0);
	CHECK_EQ(sim_file_write(f, 4, "o", 1), 1);
	CHECK_EQ(quire_mm_read(t->qt.mm, a, buf, 8), 8);
	CHECK_EQ(strcmp(buf, "hello"), 0);
	sim_arm_get_stats(m, &after);
	/* before each of the three; after the one that wrote */
	CHECK_EQ(after.flush_dcache_all - before.flush_dcache_all,
		 sim_get_config(m)->arm_colours ? 3 : 0);
	/* what was writable and is to be copied has left the cache by then */
	a = anon(t, 1);
	put64(t, a, 1);
	sim_arm_get_stats(m, &before);
	c = sim_fork(t);
	sim_arm_get_stats(m, &after);
	CHECK_EQ(after.flush_dcache_all - before.flush_dcache_all,
		 sim_get_config(m)->arm_colours ? 1 : 0);
	put64(c, a, 2);
	CHECK_EQ(get64(t, a), 1);
	sim_exit(c);
	sim_exit(t);
	sim_file_close(f);
}

static void lines_forgotten(struct sim_machine *m, const char *text)
{
	struct sim_task *t;
	unsigned i;

	if (!sim_get_config(m)->arm_colours || !sim_has_checker())
		return;
	sim_quiet(m, true);
	t = sim_task_create(m);
	/* downwards, frames go upwards: not all of them fit by chance */
	for (i = 0; i < 8; i++)
		put64(t, anon(t, 1), 1);
	sim_exit(t);
	CHECK(sim_log_contains(m, text));
	sim_violations_clear(m);
}

TEST_WITH(arm_kernel_lines_forgotten,
	  .config = {.arm_forget = SIM_ARM_FORGET_KERNEL_LINES})
{
	lines_forgotten(m, "the kernel's lines of frame");
}

TEST_WITH(arm_user_lines_forgotten,
	  .config = {.arm_forget = SIM_ARM_FORGET_USER_LINES})
{
	lines_forgotten(m, "is freed, and lines of it");
}
