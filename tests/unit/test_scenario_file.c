/* SPDX-License-Identifier: MIT */
/*
 * Mapped files from the program's side: private and shared mappings, the end
 * of the file, truncation, read errors, slow disks.
 */
#include "common.h"

#define SEED 7

static void expect_bytes(struct sim_task *t, uaddr_t a, uint64_t off, size_t n)
{
	uint8_t buf[8192];
	size_t i;

	REQUIRE(n <= sizeof(buf));
	REQUIRE_EQ(sim_read(t, a, buf, n), 0);
	for (i = 0; i < n; i++)
		if (buf[i] != sim_file_byte(SEED, off + i))
			break;
	CHECK_EQ(i, n);
}

/* behaviours: F5, F9, C1 */
TEST(file_private_read)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", 10 * PG + 100, SEED);
	struct sim_file_stats st;
	uaddr_t a = must_map(t, 8 * PG, PROT_READ, MAP_PRIVATE, f, 2 * PG);
	uint8_t byte;

	expect_bytes(t, a + 100, 2 * PG + 100, 5000);
	sim_file_get_stats(f, &st);
	CHECK(st.reads >= 2);
	/* the second page came with the first, and was mapped with it */
	CHECK_EQ(t->qt.maj_flt, 1);
	CHECK_EQ(t->qt.min_flt, 0);
	CHECK_SIGNAL(t, sim_store8(t, a, 1), SIGSEGV, QUIRE_SEGV_ACCERR, a);
	/* a second mapping of a cached page needs no device */
	sim_file_get_stats(f, &st);
	CHECK_EQ(sim_munmap(t, a, 8 * PG), 0);
	a = must_map(t, 8 * PG, PROT_READ, MAP_PRIVATE, f, 2 * PG);
	CHECK_EQ(sim_load8(t, a, &byte), 0);
	CHECK_EQ(byte, sim_file_byte(SEED, 2 * PG));
	{
		struct sim_file_stats now;

		sim_file_get_stats(f, &now);
		CHECK_EQ(now.reads, st.reads);
	}
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: F7 */
TEST(file_private_write_stays_private)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_create(m, "/data", 4 * PG, SEED);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_PRIVATE, f, 0);
	uaddr_t s = must_map(t, 4 * PG, PROT_READ, MAP_SHARED, f, 0);
	uint8_t buf[16];

	/* straight to the copy, and by way of the mapped cache page */
	CHECK_EQ(sim_store8(t, a + 5, 0xee), 0);
	expect_bytes(t, a + PG, PG, 10);
	CHECK_EQ(sim_store8(t, a + PG + 5, 0xee), 0);
	expect_bytes(t, a + 6, 6, 100);
	expect_bytes(t, s, 0, 8192);
	CHECK_EQ(sim_file_read(f, 0, buf, 16), 16);
	CHECK_EQ(buf[5], sim_file_byte(SEED, 5));
	c = sim_fork(t);
	REQUIRE(c);
	CHECK_EQ(sim_store8(c, a + 5, 0xdd), 0);
	CHECK_EQ(sim_load8(t, a + 5, buf), 0);
	CHECK_EQ(buf[0], 0xee);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: M2, C5 (memory files) */
TEST(file_shared_write_is_seen_by_all)
{
	struct sim_task *t = sim_task_create(m), *c;
	struct sim_file *f = sim_file_shmem(m, "/memfd", 4 * PG);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_SHARED, f, 0);
	uint64_t v = 0;

	put64(t, a, 1);
	c = sim_fork(t);
	REQUIRE(c);
	put64(c, a + 8, 2);
	CHECK_EQ(get64(t, a + 8), 2);
	CHECK_EQ(sim_file_read(f, 8, &v, 8), 8);
	CHECK_EQ(v, 2);
	v = 3;
	CHECK_EQ(sim_file_write(f, PG, &v, 8), 8);
	CHECK_EQ(get64(t, a + PG), 3);
	CHECK_EQ(get64(c, a + PG), 3);
	sim_exit(t);
	sim_exit(c);
	/* the contents stay with the file */
	CHECK_EQ(sim_file_read(f, 8, &v, 8), 8);
	CHECK_EQ(v, 2);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

/* behaviours: E7, C4 */
TEST(beyond_the_end_is_sigbus)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", PG + 100, SEED);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_PRIVATE, f, 0);
	uint8_t byte = 1;

	expect_bytes(t, a, 0, PG + 100);
	CHECK_EQ(sim_load8(t, a + PG + 100, &byte), 0);
	CHECK_EQ(byte, 0);
	CHECK_SIGNAL(t, sim_load8(t, a + 2 * PG + 3, &byte), SIGBUS,
		     QUIRE_BUS_ADRERR, a + 2 * PG + 3);
	CHECK_SIGNAL(t, sim_store8(t, a + 3 * PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 3 * PG);
	/* truncation takes away what is mapped, private copies too */
	CHECK_EQ(sim_store8(t, a + PG, 0x11), 0);
	sim_file_truncate(f, 50);
	CHECK_SYSTEM(m);
	CHECK_SIGNAL(t, sim_load8(t, a + PG, &byte), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	expect_bytes(t, a, 0, 50);
	CHECK_EQ(sim_load8(t, a + 50, &byte), 0);
	CHECK_EQ(byte, 0);
	sim_file_truncate(f, 2 * PG);
	CHECK_EQ(sim_load8(t, a + PG, &byte), 0);
	CHECK_EQ(byte, 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: C2, E7 */
TEST(read_error_is_sigbus_and_passes)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", 4 * PG, SEED);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_PRIVATE, f, 0);
	uint8_t byte;

	sim_file_fail_reads(f, 0, 1000, -EIO);
	CHECK_SIGNAL(t, sim_load8(t, a + 9, &byte), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 9);
	CHECK_SIGNAL(t, sim_store8(t, a + PG, 1), SIGBUS, QUIRE_BUS_ADRERR,
		     a + PG);
	CHECK_EQ(sim_file_read(f, 0, &byte, 1), -EIO);
	CHECK_SYSTEM(m);
	sim_file_fail_reads(f, 0, 0, 0);
	expect_bytes(t, a, 0, 8192);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: E7, E8 (a fault that waited for the disk counts once) */
TEST_WITH(slow_disk, .config = {.io_thread = true, .cpus = 2})
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", 4 * PG, SEED);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_PRIVATE, f, 0);
	uint64_t before = t->qt.maj_flt + t->qt.min_flt;

	sim_file_latency(f, 3000);
	sim_file_short_reads(f, 100);
	expect_bytes(t, a, 0, 100);
	CHECK_EQ(t->qt.maj_flt + t->qt.min_flt, before + 1);
	CHECK(t->qt.maj_flt >= 1);
	CHECK_EQ(sim_store8(t, a + PG, 9), 0);
	CHECK_EQ(t->qt.maj_flt + t->qt.min_flt, before + 2);
	expect_bytes(t, a + PG + 1, PG + 1, 100);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_file_close(f);
}

struct slow {
	struct sim_task *t[2];
	uaddr_t a;
	int result[2];
};

static void slow_reader(unsigned i, void *arg)
{
	struct slow *s = arg;
	uint8_t byte;

	s->result[i] = sim_load8(s->t[i], s->a, &byte);
	if (!s->result[i])
		CHECK_EQ(byte, sim_file_byte(SEED, 0));
}

/* behaviours: C1, E7 (two threads wait for one page; one read is enough) */
TEST_WITH(two_wait_for_one_page, .config = {.io_thread = true, .cpus = 2})
{
	struct sim_file *f = sim_file_create(m, "/data", 4 * PG, SEED);
	struct slow s = {.t = {sim_task_create(m)}};
	struct sim_file_stats st;

	s.t[1] = sim_thread(s.t[0]);
	s.a = must_map(s.t[0], 4 * PG, PROT_READ, MAP_SHARED, f, 0);
	sim_run(NULL);
	sim_file_latency(f, 20000);
	sim_parallel(m, 2, slow_reader, &s);
	CHECK_EQ(s.result[0], 0);
	CHECK_EQ(s.result[1], 0);
	sim_file_get_stats(f, &st);
	CHECK(st.reads <= 4);
	CHECK_SYSTEM(m);
	sim_exit(s.t[0]);
	sim_exit(s.t[1]);
	sim_file_close(f);
}

static void killed_reader(unsigned i, void *arg)
{
	struct slow *s = arg;
	uint8_t byte;

	if (i == 0) {
		s->result[0] = sim_load8(s->t[0], s->a, &byte);
		return;
	}
	while (!__atomic_load_n(&s->t[0]->wait_word, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&s->result[0], __ATOMIC_RELAXED))
		sim_poll();
	sim_kill(s->t[0]);
}

/* behaviour: E7 (a fatal signal ends the wait) */
TEST_WITH(a_killed_task_does_not_wait_for_the_disk,
	  .config = {.io_thread = true, .cpus = 2})
{
	struct sim_file *f = sim_file_create(m, "/data", 4 * PG, SEED);
	struct sim_disk_config held = {.mode = SIM_DISK_HELD};
	struct slow s = {.t = {sim_task_create(m)}};

	s.a = must_map(s.t[0], 4 * PG, PROT_READ, MAP_SHARED, f, 0);
	sim_run(NULL);
	REQUIRE_EQ(sim_disk_configure(f, &held), 0);
	sim_parallel(m, 2, killed_reader, &s);
	CHECK_EQ(s.result[0], SIGKILL);
	CHECK_EQ(sim_disk_pending(m), 1);
	while (sim_disk_step(m, 100))
		;
	sim_exit(s.t[0]);
	sim_file_close(f);
}

/* behaviour: M2 (a host's file, mapped) */
TEST(host_file)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_open_host(m, "/proc/self/exe", false);
	uint8_t magic[4];
	uaddr_t a;

	REQUIRE(f);
	a = must_map(t, PG, PROT_READ | PROT_EXEC, MAP_PRIVATE, f, 0);
	CHECK_EQ(sim_fetch(t, a, magic, 4), 0);
	CHECK(!memcmp(magic, "\177ELF", 4));
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, f, 0), -EACCES);
	sim_exit(t);
	sim_file_close(f);
	CHECK(!sim_file_open_host(m, "/no/such/file", false));
}

/* behaviour: M2 (files that refuse) */
TEST(file_permissions)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_create(m, "/data", PG, SEED);
	struct sim_file *z = sim_file_zero_dev(m);
	uaddr_t a;

	sim_file_set_perm(f, false, true, false);
	CHECK_EQ(sim_mmap(t, 0, PG, PROT_READ, MAP_PRIVATE, f, 0), -EACCES);
	sim_file_set_perm(f, true, false, true);
	CHECK_EQ(sim_mmap(t, 0, PG, PROT_READ | PROT_EXEC, MAP_PRIVATE, f, 0),
		 -EPERM);
	CHECK_EQ(sim_mmap(t, 0, PG, PROT_READ, MAP_PRIVATE, f, 5), -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, 0, PROT_READ, MAP_PRIVATE, f, 0), -EINVAL);
	CHECK_EQ(sim_file_refs(f), 1);
	/* mapped read-only shared: write access cannot be had later */
	a = must_map(t, PG, PROT_READ, MAP_SHARED, f, 0);
	CHECK_EQ(sim_mprotect(t, a, PG, RW), -EACCES);
	CHECK(sim_file_refs(f) == 2);
	a = must_map(t, 2 * PG, RW, MAP_PRIVATE, z, 0);
	CHECK_EQ(get64(t, a), 0);
	put64(t, a, 5);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(sim_file_refs(f), 1);
	sim_file_close(f);
	sim_file_close(z);
}
