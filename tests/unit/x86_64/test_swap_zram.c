/* SPDX-License-Identifier: MIT */
/* Swap in compressed memory. */
#include <tests/unit/swap_devices.h>

static const enum sim_swap_algorithm algorithms[] = {SIM_SWAP_ZSTD,
						     SIM_SWAP_LZ4};

static struct sim_swap_stats stats_of(struct sim_machine *m, int area)
{
	struct sim_swap_stats s;

	sim_swap_get_stats(m, (unsigned)area, &s);
	return s;
}

/* behaviour: R4 */
TEST(swap_zram)
{
	struct sim_swap_stats s;
	unsigned i;

	for (i = 0; i < 2; i++) {
		test_context("algorithm %u", i);
		writer_on(m,
			  &(struct sim_swap_config){.kind = &sim_swap_zram,
						    .algorithm = algorithms[i],
						    .level = (int)i * 5,
						    .slots = 1024},
			  &s);
	}
}

/* behaviour: R4 (a page of one word takes nothing, one of noise its size, and
 * others less; and what is freed is given back) */
TEST(swap_zram_figures)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		int area = sim_swapon(
			m, &(struct sim_swap_config){.kind = &sim_swap_zram,
						     .algorithm = algorithms[i],
						     .slots = 1024});
		struct sim_swap_stats s;
		struct writer w;

		test_context("algorithm %u", i);
		REQUIRE(area >= 0);
		writer_start(&w, m, 400, 1);
		writer_fill_all(&w);
		writer_page_out(&w, 0, 400);
		s = stats_of(m, area);
		CHECK_EQ(s.written, 400);
		CHECK_EQ(s.orig_bytes, 400 * PG);
		CHECK_EQ(s.same_filled, 100);
		CHECK_EQ(s.incompressible, 100);
		/* 200 of them are of 64 random bytes, or one, and the rest
		 * alike */
		CHECK(s.compr_bytes > 100 * PG);
		CHECK(s.compr_bytes < 100 * PG + 200 * 300);
		CHECK(s.mem_bytes >= s.compr_bytes);
		CHECK(s.mem_bytes < s.compr_bytes * 5 / 4);
		/* a quarter of it goes */
		CHECK_EQ(sim_munmap(w.t, w.at, 100 * PG), 0);
		s = stats_of(m, area);
		CHECK_EQ(s.orig_bytes, 300 * PG);
		CHECK_EQ(s.same_filled, 75);
		CHECK_EQ(s.incompressible, 75);
		writer_end(&w);
		s = stats_of(m, area);
		CHECK_EQ(s.orig_bytes + s.compr_bytes + s.mem_bytes, 0);
		CHECK_EQ(s.same_filled + s.incompressible + s.written, 0);
		CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	}
}

/* behaviour: R4 (no memory for it: the page stays, and it is written when there
 * is) */
TEST(swap_zram_limit)
{
	int area = sim_swapon(
		m, &(struct sim_swap_config){.kind = &sim_swap_zram,
					     .slots = 1024,
					     .limit_bytes = 40 * PG});
	struct sim_swap_stats s;
	struct writer w, other;

	REQUIRE(area >= 0);
	sim_quiet(m, true);
	writer_start(&w, m, 400, 1);
	writer_fill_all(&w);
	writer_page_out(&w, 0, 400);
	s = stats_of(m, area);
	CHECK(s.refused > 0);
	CHECK_EQ(s.write_errors, s.refused);
	CHECK(s.mem_bytes <= 40 * PG);
	CHECK(s.orig_bytes > 40 * PG);
	writer_verify_all(&w);
	writer_run(&w, 200);
	writer_verify_all(&w);
	CHECK_SYSTEM(m);
	writer_end(&w);
	/* now there is room again */
	writer_start(&other, m, 32, 2);
	writer_fill_all(&other);
	writer_page_out(&other, 0, 32);
	CHECK_EQ(stats_of(m, area).orig_bytes, 32 * PG);
	writer_verify_all(&other);
	writer_end(&other);
	CHECK_EQ(stats_of(m, area).read_errors, 0);
}

static void two_writers(unsigned i, void *arg)
{
	struct sim_machine *m = arg;
	struct writer w;

	writer_start(&w, m, 256, i + 1);
	writer_fill_all(&w);
	writer_run(&w, ROUNDS(1000));
	writer_verify_all(&w);
	writer_end(&w);
}

/* behaviour: R4 (two processors at once) */
TEST_WITH(swap_zram_threads, .config = {.cpus = 2})
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		int area = sim_swapon(
			m, &(struct sim_swap_config){.kind = &sim_swap_zram,
						     .algorithm = algorithms[i],
						     .slots = 1024});

		REQUIRE(area >= 0);
		sim_parallel(m, 2, two_writers, m);
		CHECK_SYSTEM(m);
		CHECK(stats_of(m, area).reads > 100);
		CHECK_EQ(stats_of(m, area).mem_bytes, 0);
		CHECK_EQ(sim_swapoff(m, (unsigned)area), 0);
	}
}
