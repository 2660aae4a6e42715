/* SPDX-License-Identifier: MIT */
/*
 * swapbench - what it costs to have a page of private memory swapped out and
 * in again.
 *
 * A static Linux program for a machine whose /dev/vda (virtio) may be
 * overwritten: it is made a swap area, and used by swapon(2).  Pages go out by
 * madvise(MADV_PAGEOUT) and come back by being touched, in order; every byte
 * that counts is checked.  What is counted, and how, is in spans.h:
 *
 *     swapbench NAME INSTRUCTIONS MIB-A-SECOND UNIT
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/swap.h>

#define PROGRAM "swapbench"
#include "spans.h"

#define PAGES 2048ul
#define DISK  "/dev/vda"
#define LAST  16383u /* page of the area: 64 MiB */
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static char *const region = (char *)REGION;

/* The number behind a name, of a file in /proc. */
static unsigned long number(const char *file, const char *name)
{
	static char text[65536];
	size_t len = strlen(name);
	ssize_t n, got = 0;
	int f = open(file, O_RDONLY);

	while (f >= 0 && got < (ssize_t)sizeof(text) - 1 &&
	       (n = read(f, text + got, sizeof(text) - 1 - (size_t)got)) > 0)
		got += n;
	close(f);
	text[got] = '\0';
	for (char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL)
		if (!strncmp(p, name, len) && p[len] == ' ')
			return strtoul(p + len, NULL, 10);
	die(name);
	return 0;
}

static unsigned long counter(const char *name)
{
	return number("/proc/vmstat", name);
}

/* mkswap(8): page 0 has the header, its last ten bytes the magic. */
static void make_swap(void)
{
	static union {
		char bytes[4096];
		struct {
			char boot[1024];
			uint32_t version, last_page, bad_pages;
		} head;
	} page;
	int f = open(DISK, O_RDWR);

	page.head.version = 1;
	page.head.last_page = LAST;
	memcpy(page.bytes + 4086, "SWAPSPACE2", 10);
	if (f < 0 || pwrite(f, page.bytes, 4096, 0) != 4096 || fsync(f))
		die(DISK);
	close(f);
	if (swapon(DISK, 0))
		die("swapon");
}

static void fill(void)
{
	for (unsigned long i = 0; i < PAGES; i++)
		*(volatile unsigned long *)(region + i * PAGE) = i + 1;
}

static void touch(void)
{
	for (unsigned long i = 0; i < PAGES; i++)
		if (*(volatile unsigned long *)(region + i * PAGE) != i + 1)
			die("a page has other contents");
}

/*
 * Out, and until the device is done with it.  Linux leaves what it has written
 * in the swap cache; memory has to be short for that to go.
 */
static void page_out(void)
{
	unsigned long short_by;
	char *p;

	if (madvise(region, PAGES * PAGE, MADV_PAGEOUT))
		die("madvise");
	for (int i = 0; counter("nr_writeback") && i < 1000; i++)
		usleep(1000);
	short_by = (number("/proc/meminfo", "MemFree:") << 10) + (40ul << 20);
	p = mmap(NULL, short_by, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	for (unsigned long i = 0; i < short_by; i += PAGE)
		p[i] = 1;
	munmap(p, short_by);
}

/* Most of the pages were really read or written since then. */
static void all_came(const char *name, unsigned long before)
{
	unsigned long n = counter(name) - before;

	if (n < PAGES * 9 / 10)
		printf("swapbench note %s: %lu of %lu pages\n", name, n, PAGES);
	if (n < PAGES * 3 / 4)
		die(name);
}

static struct span row_out(void)
{
	unsigned long before = counter("pswpout");
	struct span s;

	fill();
	s = span_start();
	if (madvise(region, PAGES * PAGE, MADV_PAGEOUT))
		die("madvise");
	/* what the device's completions cost is in it, however busy its host */
	for (int i = 0; i < 200; i++) {
		usleep(50000);
		if (!counter("nr_writeback"))
			break;
	}
	s = span_end(s);
	page_out(); /* the rest */
	all_came("pswpout", before);
	return s;
}

/* A page is read when it is touched, alone or with its neighbours. */
static struct span in(const char *cluster)
{
	unsigned long before;
	struct span s;

	put_text("/proc/sys/vm/page-cluster", cluster);
	fill();
	page_out();
	before = counter("pswpin");
	s = span_start();
	touch();
	s = span_end(s);
	all_came("pswpin", before);
	return s;
}

static struct span row_in(void)
{
	return in("0");
}

static struct span row_in_cluster(void)
{
	return in("3");
}

int main(void)
{
	bool init = getpid() == 1;

	if (init)
		be_init();
	calibrate();
	make_swap();
	if (mmap(region, PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != region)
		die("mmap");
	(void)madvise(region, PAGES * PAGE, MADV_NOHUGEPAGE);
	run_spans("", "swap_out", row_out, PAGES);
	run_spans("", "swap_in", row_in, PAGES);
	run_spans("", "swap_in_cluster", row_in_cluster, PAGES);
	if (swapoff(DISK))
		die("swapoff");
	touch();
	printf("swapbench done\n");
	fflush(stdout);
	if (init)
		reboot(RB_AUTOBOOT);
	return 0;
}
