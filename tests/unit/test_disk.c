/* SPDX-License-Identifier: MIT */
/*
 * The simulated disk itself: that it delays, reorders, shortens, fails and
 * forgets exactly as it was asked to; tests of Quire over it mean nothing
 * otherwise.
 */
#include <fcntl.h>
#include <unistd.h>

#include "common.h"

#define SEED  21
#define PAGES 16

static struct sim_file *new_file(struct sim_machine *m, unsigned pages)
{
	struct sim_file *f = sim_file_create(m, "/disk", pages * PG, SEED);

	REQUIRE(f);
	return f;
}

static struct sim_file_stats stats_of(struct sim_file *f)
{
	struct sim_file_stats s;

	sim_file_get_stats(f, &s);
	return s;
}

/* Bytes of the file that are not what the seed gives. */
static unsigned wrong_bytes(struct sim_file *f, unsigned pages)
{
	static unsigned char buf[PAGES * PG];
	unsigned i, wrong = 0;

	CHECK_EQ(sim_file_read(f, 0, buf, pages * PG), (long)(pages * PG));
	for (i = 0; i < pages * PG; i++)
		wrong += buf[i] != sim_file_byte(SEED, i);
	return wrong;
}

/* A window of readahead is one request. */
TEST(disk_readahead_is_one_request)
{
	struct sim_file *f = new_file(m, PAGES);

	CHECK_EQ(wrong_bytes(f, PAGES), 0);
	CHECK_EQ(stats_of(f).reads, PAGES);
	CHECK(stats_of(f).read_requests < PAGES / 2);
	sim_file_close(f);
}

/* One thread alone: what it must sleep for is completed when it would. */
TEST(disk_lazy_serves_the_sleeper)
{
	struct sim_disk_config c = {.mode = SIM_DISK_LAZY, .reorder = true};
	struct sim_file *f = new_file(m, PAGES);

	CHECK_EQ(sim_disk_configure(f, &c), 0);
	CHECK_EQ(wrong_bytes(f, PAGES), 0);
	CHECK_EQ(sim_disk_step(m, 100), sim_disk_pending(m));
	sim_file_close(f);
}

/* Every short transfer goes on until all of it is there. */
TEST(disk_short_transfers_are_whole_in_the_end)
{
	struct sim_disk_config c = {.mode = SIM_DISK_LAZY, .reorder = true};
	unsigned i;

	for (i = 1; i < 5; i++) {
		struct sim_file *f = new_file(m, PAGES);
		unsigned char b = 0x5a, got = 0;

		c.short_bytes = i * 777;
		c.short_random = i & 1;
		c.seed = i;
		CHECK_EQ(sim_disk_configure(f, &c), 0);
		CHECK_EQ(wrong_bytes(f, PAGES), 0);
		CHECK_EQ(sim_file_write(f, 2 * PG + 5, &b, 1), 1);
		CHECK_EQ(sim_file_read(f, 2 * PG + 5, &got, 1), 1);
		CHECK_EQ(got, b);
		sim_file_close(f);
	}
}

struct waiter {
	struct sim_machine *m;
	struct sim_file *f;
	struct sim_task *t;
	uaddr_t a;
	uint32_t done;
};

static void held_read(unsigned i, void *arg)
{
	struct waiter *w = arg;
	uint8_t byte = 0;

	if (i == 0) {
		CHECK_EQ(sim_load8(w->t, w->a, &byte), 0);
		CHECK_EQ(byte, sim_file_byte(SEED, 0));
		__atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
		return;
	}
	while (!sim_disk_pending(w->m))
		sim_poll();
	usleep(2000);
	CHECK_EQ(__atomic_load_n(&w->done, __ATOMIC_ACQUIRE), 0);
	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
		(void)sim_disk_step(w->m, 1);
		sim_poll();
	}
}

/* Nobody but the test completes what is held. */
TEST_WITH(disk_held_until_stepped, .config = {.cpus = 2})
{
	struct sim_disk_config c = {.mode = SIM_DISK_HELD};
	struct waiter w = {.m = m, .f = new_file(m, 1)};

	w.t = sim_task_create(m);
	w.a = must_map(w.t, PG, PROT_READ, MAP_PRIVATE, w.f, 0);
	CHECK_EQ(sim_disk_configure(w.f, &c), 0);
	sim_run(NULL);
	sim_parallel(m, 2, held_read, &w);
	sim_exit(w.t);
	sim_file_close(w.f);
}

/* A bad range fails where it is and nowhere else; mended, it reads. */
TEST(disk_bad_range)
{
	struct sim_file *f = new_file(m, PAGES);
	unsigned char buf[8];
	unsigned i;

	sim_file_quire(f)->ra_mode = POSIX_FADV_RANDOM;
	CHECK_EQ(
		sim_disk_fail_range(f, 3 * PG + 100, 5 * PG, true, false, -EIO),
		0);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(sim_file_read(f, i * PG, buf, 8),
			 i == 3 || i == 4 ? -EIO : 8);
	CHECK_EQ(stats_of(f).read_errors, 2);
	CHECK_EQ(sim_disk_fail_range(f, 0, 0, false, false, 0), 0);
	CHECK_EQ(wrong_bytes(f, PAGES), 0);
	sim_file_close(f);
}

TEST(disk_random_errors)
{
	struct sim_disk_config c = {.read_error_one_in = 4, .seed = 5};
	struct sim_file *f = new_file(m, PAGES);
	unsigned bad = 0, i;
	uint8_t byte = 0;

	sim_file_quire(f)->ra_mode = POSIX_FADV_RANDOM;
	CHECK_EQ(sim_disk_configure(f, &c), 0);
	for (i = 0; i < 8 * PAGES; i++)
		bad += sim_file_read(f, i % PAGES * PG, &byte, 1) != 1;
	CHECK(bad > 0);
	CHECK(stats_of(f).read_errors >= bad);
	c.read_error_one_in = 0;
	CHECK_EQ(sim_disk_configure(f, &c), 0);
	CHECK_EQ(wrong_bytes(f, PAGES), 0);
	sim_file_close(f);
}

/* Truncation and punching are what the device has too. */
TEST(disk_truncate_and_punch)
{
	struct sim_file *f = new_file(m, 4);
	unsigned char buf[4 * PG];
	unsigned i, wrong = 0;

	CHECK_EQ(wrong_bytes(f, 4), 0);
	sim_file_punch(f, PG + 10, 3 * PG + 20);
	sim_file_truncate(f, 3 * PG + 30);
	sim_file_truncate(f, 4 * PG);
	sim_file_peek(f, 0, buf, sizeof(buf));
	for (i = 0; i < sizeof(buf); i++) {
		bool hole =
			(i >= PG + 10 && i < 3 * PG + 20) || i >= 3 * PG + 30;

		wrong += buf[i] != (hole ? 0 : sim_file_byte(SEED, i));
	}
	CHECK_EQ(wrong, 0);
	CHECK_EQ(sim_file_read(f, 0, buf, sizeof(buf)), (long)sizeof(buf));
	for (i = 0; i < sizeof(buf); i++)
		if (buf[i] && buf[i] != sim_file_byte(SEED, i))
			wrong++;
	CHECK_EQ(wrong, 0);
	sim_file_close(f);
}

/* The power fails: nothing works any more, what was stored is there. */
TEST(disk_power_failure)
{
	struct sim_file *f = new_file(m, 4), *after;
	unsigned char buf[8];

	after = sim_disk_crash(f, 0);
	REQUIRE(after);
	CHECK_EQ(wrong_bytes(after, 4), 0);
	CHECK_EQ(sim_file_read(f, 0, buf, 8), -EIO);
	sim_file_close(f);
	sim_file_close(after);
}
