/* SPDX-License-Identifier: MIT */
/*
 * What a fault costs on the simulated machine, in nanoseconds, beside what the
 * host takes to clear or copy one page in the same run.
 *
 * The figures include the simulator's share (the walk of the tables, the TLB,
 * the exception's frame), which the row "TLB miss" shows alone: an access that
 * walks the tables and takes no fault.  Each row is the median of several
 * rounds over many pages, of the processor's time: what else the host does does
 * not count.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <sim/sim.h>

#define PAGE   ((uaddr_t)4096)
#define PAGES  ((uaddr_t)4096)
#define SPAN   (PAGES * PAGE)
#define BASE   ((uaddr_t)(QUIRE_UADDR_BITS == 64 ? 0x200000000000 : 0x20000000))
#define ROUNDS 9

static struct sim_machine *machine;
static struct sim_task *task;
static struct sim_file *disk_file, *shm_file;

static void die(const char *what)
{
	fprintf(stderr, "hosted: %s\n", what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t writes(struct sim_task *t)
{
	uint64_t start = now_ns();

	for (uaddr_t i = 0; i < PAGES; i++)
		if (sim_store8(t, BASE + i * PAGE, 1))
			die("a store failed");
	return now_ns() - start;
}

static uint64_t reads(struct sim_task *t)
{
	uint64_t start = now_ns();
	uint8_t v;

	for (uaddr_t i = 0; i < PAGES; i++)
		if (sim_load8(t, BASE + i * PAGE, &v))
			die("a load failed");
	return now_ns() - start;
}

#define RW (PROT_READ | PROT_WRITE)

static void map(unsigned prot, unsigned flags, struct sim_file *f)
{
	sreg_t r = sim_mmap(task, BASE, SPAN, prot, flags | MAP_FIXED, f, 0);

	if (r != (sreg_t)BASE)
		die("mmap failed");
}

static void map_anon(void)
{
	map(RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
}

/* ------------------------------------------------------------------- rows */

static uint64_t row_clear(void)
{
	static char page[PAGE] __attribute__((aligned(4096)));
	uint64_t start = now_ns();

	for (uaddr_t i = 0; i < PAGES; i++) {
		memset(page, 0, PAGE);
		__asm__ volatile("" ::"r"(page) : "memory");
	}
	return now_ns() - start;
}

static uint64_t row_copy(void)
{
	static char from[PAGE] __attribute__((aligned(4096)));
	static char to[PAGE] __attribute__((aligned(4096)));
	uint64_t start = now_ns();

	for (uaddr_t i = 0; i < PAGES; i++) {
		memcpy(to, from, PAGE);
		__asm__ volatile("" ::"r"(from), "r"(to) : "memory");
	}
	return now_ns() - start;
}

static uint64_t row_walk(void)
{
	map_anon();
	writes(task);
	sim_run(NULL); /* a switch and back: the TLB is empty */
	sim_run(task);
	return reads(task);
}

static uint64_t row_anon_write(void)
{
	map_anon();
	return writes(task);
}

static uint64_t row_zero_read(void)
{
	map_anon();
	return reads(task);
}

static uint64_t row_zero_write(void)
{
	map_anon();
	reads(task);
	return writes(task);
}

static uint64_t row_shared_anon(void)
{
	map(RW, MAP_SHARED | MAP_ANONYMOUS, NULL);
	return writes(task);
}

static uint64_t row_cow_copy(void)
{
	struct sim_task *child;
	uint64_t ns;

	map_anon();
	writes(task);
	child = sim_fork(task);
	if (!child)
		die("fork failed");
	ns = writes(child);
	sim_exit(child);
	return ns;
}

static uint64_t row_cow_reuse(void)
{
	struct sim_task *child;

	map_anon();
	writes(task);
	child = sim_fork(task);
	if (!child)
		die("fork failed");
	sim_exit(child);
	sim_run(task);
	return writes(task);
}

static uint64_t row_fork_exit(void)
{
	struct sim_task *child;
	uint64_t start;

	map_anon();
	writes(task);
	start = now_ns();
	child = sim_fork(task);
	if (!child)
		die("fork failed");
	sim_exit(child);
	return now_ns() - start;
}

static uint64_t row_munmap(void)
{
	uint64_t start;

	map_anon();
	writes(task);
	start = now_ns();
	sim_munmap(task, BASE, SPAN);
	return now_ns() - start;
}

static uint64_t row_file_read(void)
{
	map(PROT_READ, MAP_PRIVATE, disk_file);
	return reads(task);
}

static void set_fault_around(uint64_t bytes)
{
	if (quire_set_tunable(sim_quire(machine),
			      QUIRE_TUNABLE_FAULT_AROUND_BYTES, bytes))
		die("no fault-around of that size");
}

/* A fault for each page: nothing is mapped around it. */
static uint64_t row_file_read_alone(void)
{
	uint64_t ns;

	set_fault_around(PAGE);
	ns = row_file_read();
	set_fault_around(65536);
	return ns;
}

static void sync_file(void)
{
	if (quire_msync(task->qt.mm, BASE, SPAN, MS_SYNC))
		die("msync failed");
}

/* The first write to each page of a cached file. */
static uint64_t row_file_shared_write(void)
{
	uint64_t ns;

	map(RW, MAP_SHARED, disk_file);
	ns = writes(task);
	sync_file();
	return ns;
}

static uint64_t row_write_back(void)
{
	uint64_t start;

	map(RW, MAP_SHARED, disk_file);
	writes(task);
	start = now_ns();
	sync_file();
	return now_ns() - start;
}

static uint64_t row_file_private_write(void)
{
	map(RW, MAP_PRIVATE, disk_file);
	return writes(task);
}

static uint64_t row_shm_write(void)
{
	map(RW, MAP_SHARED, shm_file);
	return writes(task);
}

/* ---------------------------------------------------------------- reclaim */

/* A swap device that takes no time but for the copying. */
static unsigned char *swap_memory;

static void swap_write(void *device, uint64_t slot, struct page **pages,
		       unsigned n)
{
	struct quire *q = device;

	for (unsigned i = 0; i < n; i++) {
		memcpy(swap_memory + (slot + i) * PAGE,
		       quire_page_address(q, pages[i]), PAGE);
		quire_page_end_write(q, pages[i], 0);
	}
}

static void swap_read(void *device, uint64_t slot, struct page **pages,
		      unsigned n)
{
	struct quire *q = device;

	for (unsigned i = 0; i < n; i++) {
		memcpy(quire_page_address(q, pages[i]),
		       swap_memory + (slot + i) * PAGE, PAGE);
		quire_page_end_read(q, pages[i], 0);
	}
}

static void add_swap(void)
{
	static const struct quire_swap_ops ops = {.write = swap_write,
						  .read = swap_read};
	struct quire_swap_config config = {
		.ops = &ops, .device = sim_quire(machine), .slots = 4 * PAGES};

	swap_memory = malloc(config.slots * PAGE);
	if (!swap_memory || quire_swapon(sim_quire(machine), &config) < 0)
		die("no swap");
}

static uint64_t anon_pages(void)
{
	return sim_vmstat(machine, "nr_anon_pages");
}

static uint64_t file_pages(void)
{
	return quire_mapping_pages(sim_file_mapping(disk_file));
}

/* Until no more than a hundredth of the pages is left. */
static uint64_t reclaim(uint64_t (*left)(void))
{
	uint64_t start = now_ns();
	unsigned tries;

	for (tries = 0; tries < 100; tries++) {
		quire_reclaim(sim_quire(machine), PAGES);
		if (left() <= PAGES / 100)
			return now_ns() - start;
	}
	die("memory is not given back");
	return 0;
}

/* To a device that takes no time; out of the tables, and freed. */
static uint64_t row_swap_out(void)
{
	map_anon();
	writes(task);
	return reclaim(anon_pages);
}

static uint64_t swap_in(uint64_t cluster)
{
	if (quire_set_tunable(sim_quire(machine), QUIRE_TUNABLE_PAGE_CLUSTER,
			      cluster))
		die("no cluster of that size");
	row_swap_out();
	return reads(task);
}

static uint64_t row_swap_in(void)
{
	return swap_in(0);
}

static uint64_t row_swap_in_cluster(void)
{
	return swap_in(3);
}

/* Mapped, clean: out of the tables, and freed. */
static uint64_t row_reclaim_mapped(void)
{
	row_file_read();
	return reclaim(file_pages);
}

/* Only cached. */
static uint64_t row_reclaim_cached(void)
{
	row_file_read();
	sim_munmap(task, BASE, SPAN);
	return reclaim(file_pages);
}

static uint64_t row_segv(void)
{
	uint64_t start;

	map(PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	start = now_ns();
	for (uaddr_t i = 0; i < PAGES; i++)
		if (sim_store8(task, BASE + i * PAGE, 1) != SIGSEGV)
			die("no SIGSEGV");
	return now_ns() - start;
}

static const struct row {
	const char *name;
	uint64_t (*run)(void);
} rows[] = {
	{"clear a page (host)", row_clear},
	{"copy a page (host)", row_copy},
	{"TLB miss, no fault", row_walk},
	{"anonymous write", row_anon_write},
	{"zero-page read", row_zero_read},
	{"zero page, then write", row_zero_write},
	{"shared anonymous write", row_shared_anon},
	{"COW copy (child)", row_cow_copy},
	{"COW reuse (last owner)", row_cow_reuse},
	{"fork + exit", row_fork_exit},
	{"munmap of a touched page", row_munmap},
	{"cached file read", row_file_read},
	{"file read, no fault-around", row_file_read_alone},
	{"shared file write", row_file_shared_write},
	{"write-back (msync)", row_write_back},
	{"private file write", row_file_private_write},
	{"shm file write", row_shm_write},
	{"SIGSEGV", row_segv},
	{"swap out", row_swap_out},
	{"swap in", row_swap_in},
	{"swap in, 8 at once", row_swap_in_cluster},
	{"reclaim, file mapped", row_reclaim_mapped},
	{"reclaim, file cached", row_reclaim_cached},
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void run_row(const struct row *row)
{
	uint64_t ns[ROUNDS];

	row->run(); /* warm: caches, and the files' pages */
	for (int i = 0; i < ROUNDS; i++) {
		ns[i] = row->run();
		sim_run(task);
		sim_munmap(task, BASE, SPAN);
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("%-26s %8.1f ns a page\n", row->name,
	       (double)ns[ROUNDS / 2] / (double)PAGES);
}

int main(void)
{
	struct sim_config config = {.ram_bytes = 128ull << 20, .cpus = 1};
	uint64_t left;

	machine = sim_machine_create(&config);
	if (!machine)
		die("no machine");
	task = sim_task_create(machine);
	disk_file = sim_file_create(machine, "disk", SPAN, 7);
	shm_file = sim_file_shmem(machine, "shm", SPAN);
	if (!task || !disk_file || !shm_file)
		die("out of memory");
	add_swap();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i]);
	sim_exit(task);
	sim_file_close(disk_file);
	sim_file_close(shm_file);
	left = sim_machine_destroy(machine);
	if (left)
		printf("%llu pages or files left over\n",
		       (unsigned long long)left);
	return left != 0;
}
