/* SPDX-License-Identifier: MIT */
/*
 * How fast private memory goes out and comes back on the simulated machine,
 * by kind of swap device, in MiB a second of a program's memory.
 *
 * usage: swapdev FILE [NBD-URI]
 *   FILE     swap of the host's: made, and taken away again
 *   NBD-URI  of a server with at least 96 MiB
 *
 * All of a mapping of 64 MiB is reclaimed at once, then read in order by
 * faults, with readahead of 8 slots and then with none.  A quarter of its pages
 * have one value throughout, a half are text-like, a quarter random: what
 * compressed memory makes of it is told.  The time is the simulated machine's,
 * with all of mm/ in it; beside it stands memcpy of as many pages.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sim/sim.h>

#define PAGE   ((uaddr_t)4096)
#define PAGES  ((uaddr_t)16384)
#define SPAN   (PAGES * PAGE)
#define BASE   ((uaddr_t)0x200000000000)
#define SLOTS  24576u
#define ROUNDS 3

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "swapdev: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill_page(unsigned char *page, unsigned n)
{
	static const char words[8][8] = {"page  ", "table ", "swap  ",
					 "fault ", "write ", "entry ",
					 "slot  ", "the   "};
	unsigned i;

	srandom(n + 1);
	if (n % 4 == 0)
		memset(page, (int)(n / 4 % 256), PAGE);
	else if (n % 4 == 3)
		for (i = 0; i < PAGE; i++)
			page[i] = (unsigned char)(random() >> 8);
	else
		for (i = 0; i + 8 <= PAGE; i += 8)
			memcpy(page + i, words[random() >> 4 & 7], 8);
}

static void fill(struct sim_task *t)
{
	static unsigned char page[PAGE];
	unsigned n;

	for (n = 0; n < PAGES; n++) {
		fill_page(page, n);
		if (sim_write(t, BASE + n * PAGE, page, PAGE))
			die("a write failed");
	}
}

/* Only the first bytes: what is measured is the way of a page. */
static void come_back(struct sim_task *t)
{
	static unsigned char page[PAGE];
	unsigned char got[16];
	unsigned n;

	for (n = 0; n < PAGES; n++) {
		if (sim_read(t, BASE + n * PAGE, got, sizeof(got)))
			die("a read failed");
		if (n % 64)
			continue;
		fill_page(page, n);
		if (memcmp(page, got, sizeof(got)) != 0)
			die("a page has other contents");
	}
}

/* Private memory's pages in memory: mapped, or in the swap cache still. */
static uint64_t left(struct sim_machine *m)
{
	return sim_vmstat(m, "nr_inactive_anon") +
	       sim_vmstat(m, "nr_active_anon") + sim_vmstat(m, "nr_writeback");
}

static double go_out(struct sim_machine *m, unsigned area)
{
	struct sim_swap_stats before, s;
	double start = now();
	unsigned tries;

	sim_swap_get_stats(m, area, &before);
	for (tries = 0; tries < 10000 && left(m) > PAGES / 64; tries++)
		if (!quire_reclaim(sim_quire(m), PAGES))
			usleep(200); /* what is under way has to end */
	sim_swap_get_stats(m, area, &s);
	if (s.writes - before.writes < PAGES * 9 / 10)
		die("memory did not go out");
	return now() - start;
}

static double go_in(struct sim_machine *m, struct sim_task *t, unsigned cluster)
{
	double start;

	if (quire_set_tunable(sim_quire(m), QUIRE_TUNABLE_PAGE_CLUSTER,
			      cluster))
		die("page-cluster");
	start = now();
	come_back(t);
	return now() - start;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

static void measure(const char *name, const struct sim_swap_config *swap)
{
	struct sim_config config = {.ram_bytes = 128ull << 20,
				    .io_thread = true};
	struct sim_machine *m = sim_machine_create(&config);
	double out = 1e9, in = 1e9, alone = 1e9;
	const double mib = (double)SPAN / (1 << 20);
	struct sim_swap_stats s;
	struct sim_task *t;
	int area, i;

	if (!m)
		die("no machine");
	t = sim_task_create(m);
	area = sim_swapon(m, swap);
	if (!t || area < 0) {
		printf("%-22s not to be had here\n", name);
		exit(1);
	}
	if (sim_mmap(t, BASE, SPAN, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) < 0)
		die("mmap failed");
	for (i = 0; i < ROUNDS; i++) {
		fill(t);
		out = least(out, go_out(m, (unsigned)area));
		in = least(in, go_in(m, t, 3));
		fill(t);
		out = least(out, go_out(m, (unsigned)area));
		sim_swap_get_stats(m, (unsigned)area, &s);
		alone = least(alone, go_in(m, t, 0));
	}
	printf("%-22s %9.0f %9.0f %9.0f", name, mib / out, mib / in,
	       mib / alone);
	if (s.compr_bytes)
		printf("   %.2f of its size",
		       (double)s.mem_bytes / (double)s.orig_bytes);
	putchar('\n');
	fflush(stdout);
	sim_exit(t);
	if (sim_swapoff(m, (unsigned)area) || sim_machine_destroy(m))
		die("something is wrong with the machine");
}

static void measure_copy(void)
{
	static unsigned char from[SPAN], to[SPAN];
	double start, best = 1e9;
	int i;

	memset(from, 1, sizeof(from));
	for (i = 0; i < ROUNDS + 1; i++) {
		start = now();
		memcpy(to, from, sizeof(to));
		__asm__ volatile("" ::"r"(to) : "memory");
		best = least(best, now() - start);
	}
	printf("%-22s %9.0f\n", "memcpy", (double)SPAN / (1 << 20) / best);
}

int main(int argc, char **argv)
{
	struct sim_swap_config c;

	if (argc < 2)
		return 2;
	printf("%-22s %9s %9s %9s\n", "MiB a second", "out", "in, by 8",
	       "in, by 1");
	measure_copy();
	c = (struct sim_swap_config){.kind = &sim_swap_zram,
				     .slots = SLOTS,
				     .algorithm = SIM_SWAP_ZSTD};
	measure("zstd", &c);
	c.algorithm = SIM_SWAP_LZ4;
	measure("lz4", &c);
	c = (struct sim_swap_config){
		.kind = &sim_swap_file, .slots = SLOTS, .path = argv[1]};
	measure("file", &c);
	unlink(argv[1]);
	if (argc > 2) {
		c = (struct sim_swap_config){
			.kind = &sim_swap_nbd, .slots = SLOTS, .uri = argv[2]};
		measure("NBD", &c);
	}
	return 0;
}
