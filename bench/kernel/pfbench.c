/* SPDX-License-Identifier: MIT */
/*
 * pfbench - what memory management costs, in instructions.
 *
 * A static Linux program.  Run it in QEMU with `-icount shift=0,sleep=off`:
 * there time goes on by one nanosecond for each guest instruction, in user and
 * kernel mode alike, so a difference of two readings of the clock (clock.h) is
 * a count of instructions and repeats exactly.  The program first measures a
 * loop of known length, so that the claim is checked in every run; elsewhere
 * the figures are plain ticks of that clock and the first line says so.
 *
 * Each row is measured in batches.  A timer interrupt spoils a batch now and
 * then, so the median batch counts.  Output, one line a row:
 *
 *     pfbench NAME MEDIAN MINIMUM UNIT
 *
 * Regions are 2 MiB aligned with their first page touched beforehand, so that
 * the page table is there already and only the row's own work is counted.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "pfbench"
#include "rows.h"

#define PAGES	  512ul /* one page table's worth */
#define SPAN	  (PAGES * PAGE)
#define BATCHES	  15
#define FILE_NAME "/tmp/pfbench.data"

static volatile uint64_t *mailbox; /* a child's answer */

/* ------------------------------------------------------------- the regions */

static char *const region = (char *)REGION;

/* Map `pages` at the fixed region; its first page is touched. */
static void map_region(unsigned long pages, int prot, int flags, int fd)
{
	void *p = mmap(region, pages * PAGE, prot, flags | MAP_FIXED, fd, 0);

	if (p != region)
		die("mmap");
	if (prot & PROT_WRITE && !(flags & MAP_SHARED && fd >= 0))
		*(volatile char *)region = 1;
	else
		(void)*(volatile char *)region;
}

static void unmap_region(unsigned long pages)
{
	if (munmap(region, pages * PAGE))
		die("munmap");
}

/* A write to each page but the first. */
static uint64_t write_pages(unsigned long pages)
{
	uint64_t t = ticks();

	for (unsigned long i = 1; i < pages; i++)
		*(volatile char *)(region + i * PAGE) = 2;
	return ticks() - t;
}

static uint64_t read_pages(unsigned long pages)
{
	uint64_t t = ticks();

	for (unsigned long i = 1; i < pages; i++)
		(void)*(volatile char *)(region + i * PAGE);
	return ticks() - t;
}

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

/* -------------------------------------------------------------- the rows */

static uint64_t row_getppid(void)
{
	uint64_t t = ticks();

	for (int i = 0; i < 2000; i++)
		call6(SYS_getppid, 0, 0, 0, 0, 0, 0);
	return ticks() - t;
}

static uint64_t row_anon_write(void)
{
	uint64_t t;

	map_region(PAGES, RW, ANON, -1);
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static uint64_t row_zero_read(void)
{
	uint64_t t;

	map_region(PAGES, RW, ANON, -1);
	t = read_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static uint64_t row_zero_then_write(void)
{
	uint64_t t;

	map_region(PAGES, RW, ANON, -1);
	read_pages(PAGES);
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static uint64_t row_shared_anon_write(void)
{
	uint64_t t;

	map_region(PAGES, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

/* The child writes what parent and child share. */
static uint64_t row_cow_child(void)
{
	pid_t pid;

	map_region(PAGES, RW, ANON, -1);
	write_pages(PAGES);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		*(volatile char *)region = 3;
		*mailbox = write_pages(PAGES);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	unmap_region(PAGES);
	return *mailbox;
}

/* The parent writes after the child is gone: nothing is left to copy for. */
static uint64_t row_cow_reuse(void)
{
	uint64_t t;
	pid_t pid;

	map_region(PAGES, RW, ANON, -1);
	write_pages(PAGES);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	*(volatile char *)region = 3;
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static uint64_t row_munmap_page(void)
{
	uint64_t t;

	map_region(PAGES, RW, ANON, -1);
	write_pages(PAGES);
	t = ticks();
	call6(SYS_munmap, (long)region, SPAN, 0, 0, 0, 0);
	return ticks() - t;
}

static uint64_t fork_exit(unsigned long pages)
{
	uint64_t t;
	pid_t pid;

	map_region(pages, RW, ANON, -1);
	write_pages(pages);
	t = ticks();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	t = ticks() - t;
	unmap_region(pages);
	return t;
}

/* fork + exit + wait of a process with hardly any memory of its own */
static uint64_t row_fork_exit_base(void)
{
	return fork_exit(1);
}

/* The same, the difference that 2048 more touched pages make. */
static uint64_t row_fork_exit_page(void)
{
	uint64_t small = fork_exit(PAGES), large = fork_exit(5 * PAGES);

	return large > small ? large - small : 0;
}

static uint64_t row_mmap_touch_munmap(void)
{
	uint64_t t = ticks();

	for (int i = 0; i < 20; i++) {
		long p = call6(CALL_MMAP, 0, PAGE, RW, ANON, -1, 0);

		*(volatile char *)p = 1;
		call6(SYS_munmap, p, PAGE, 0, 0, 0, 0);
	}
	return ticks() - t;
}

/* Two calls a round: one touched page in the middle, to R and back to RW. */
static uint64_t row_mprotect(void)
{
	long p = (long)(region + 100 * PAGE);
	uint64_t t;

	map_region(PAGES, RW, ANON, -1);
	write_pages(PAGES);
	t = ticks();
	for (int i = 0; i < 50; i++) {
		call6(SYS_mprotect, p, PAGE, PROT_READ, 0, 0, 0);
		call6(SYS_mprotect, p, PAGE, RW, 0, 0, 0);
	}
	t = ticks() - t;
	unmap_region(PAGES);
	return t;
}

/* One call over all the touched pages, per page. */
static uint64_t row_mprotect_page(void)
{
	uint64_t t;

	map_region(PAGES, RW, ANON, -1);
	write_pages(PAGES);
	t = ticks();
	call6(SYS_mprotect, (long)region, SPAN, PROT_READ, 0, 0, 0);
	t = ticks() - t;
	unmap_region(PAGES);
	return t;
}

static void on_segv(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	call6(SYS_mprotect, (long)si->si_addr & -(long)PAGE, PAGE, RW, 0, 0, 0);
}

/* A write barrier by protection: SIGSEGV, mprotect in the handler, again. */
static uint64_t row_segv_mprotect(void)
{
	struct sigaction sa = {0};
	uint64_t t;

	sa.sa_sigaction = on_segv;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGSEGV, &sa, NULL);
	map_region(PAGES, RW, ANON, -1);
	write_pages(PAGES);
	if (mprotect(region, SPAN, PROT_READ))
		die("mprotect");
	*(volatile char *)region = 1;
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static int file_fd;

static uint64_t row_file_read(void)
{
	uint64_t t;

	map_region(PAGES, PROT_READ, MAP_SHARED, file_fd);
	t = read_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static uint64_t row_file_private_write(void)
{
	uint64_t t;

	map_region(PAGES, RW, MAP_PRIVATE, file_fd);
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static uint64_t row_file_shared_write(void)
{
	uint64_t t;

	map_region(PAGES, RW, MAP_SHARED, file_fd);
	t = write_pages(PAGES);
	unmap_region(PAGES);
	return t;
}

static const struct row {
	const char *name;
	uint64_t (*run)(void);
	unsigned long units;
	const char *unit;
} rows[] = {
	{"anon_write", row_anon_write, PAGES - 1, "page"},
	{"zero_read", row_zero_read, PAGES - 1, "page"},
	{"zero_then_write", row_zero_then_write, PAGES - 1, "page"},
	{"shared_anon_write", row_shared_anon_write, PAGES - 1, "page"},
	{"cow_child", row_cow_child, PAGES - 1, "page"},
	{"cow_reuse", row_cow_reuse, PAGES - 1, "page"},
	{"munmap_page", row_munmap_page, PAGES, "page"},
	{"fork_exit_page", row_fork_exit_page, 4 * PAGES, "page"},
	{"fork_exit_base", row_fork_exit_base, 1, "pair"},
	{"file_read", row_file_read, PAGES - 1, "page"},
	{"file_private_write", row_file_private_write, PAGES - 1, "page"},
	{"file_shared_write", row_file_shared_write, PAGES - 1, "page"},
	{"mmap_touch_munmap", row_mmap_touch_munmap, 20, "round"},
	{"mprotect", row_mprotect, 100, "call"},
	{"mprotect_page", row_mprotect_page, PAGES, "page"},
	{"segv_mprotect", row_segv_mprotect, PAGES - 1, "page"},
	{"getppid", row_getppid, 2000, "call"},
};

/* ---------------------------------------------------------------- running */

static void make_file(void)
{
	static char page[PAGE];

	file_fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file_fd < 0)
		die("open " FILE_NAME);
	memset(page, 'q', sizeof(page));
	for (unsigned long i = 0; i < PAGES; i++)
		if (write(file_fd, page, PAGE) != (ssize_t)PAGE)
			die("write");
}

static void run_row(const struct row *row)
{
	uint64_t t[BATCHES];

	row->run(); /* warm */
	for (int i = 0; i < BATCHES; i++)
		t[i] = row->run();
	qsort(t, BATCHES, sizeof(t[0]), by_value);
	printf("pfbench %s %.1f %.1f %s\n", row->name,
	       per_unit(t[BATCHES / 2], row->units), per_unit(t[0], row->units),
	       row->unit);
	fflush(stdout);
}

/*
 * As a kernel's first process: do what init must, run the benchmark in a child
 * (the first process is special to signals), then end the machine.
 */
static void be_init(void)
{
	pid_t pid;

	mkdir("/tmp", 01777);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	pid = fork();
	if (!pid)
		return;
	waitpid(pid, NULL, 0);
	reboot(RB_AUTOBOOT);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (getpid() == 1 && argc < 2)
		be_init();
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	mailbox = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mailbox == MAP_FAILED)
		die("mmap mailbox");
	*mailbox = 0;
	make_file();
	calibrate();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (argc < 2 || !strcmp(argv[1], rows[i].name))
			run_row(&rows[i]);
	unlink(FILE_NAME);
	printf("pfbench done\n");
	return 0;
}
