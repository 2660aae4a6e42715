/* SPDX-License-Identifier: MIT */
/*
 * iobench - what files cost: mapped, read, written, and synced.
 *
 * A static Linux program for a machine with a share (9P, /mnt/share/data) and a
 * disk (virtio, /dev/vda), each of FILE_PAGES pages at least; 9P and disk are
 * those of the same QEMU for every kernel.
 *
 * What is counted, and how, is in spans.h:
 *
 *     iobench NAME INSTRUCTIONS MIB-A-SECOND UNIT
 *
 * Three rounds, the median counts.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>

#define PROGRAM "iobench"
#include "spans.h"

#define FILE_PAGES 8192ul
#define FILE_BYTES (FILE_PAGES * PAGE)
#define WARM_PAGES 2048ul
#define STRIDE	   16ul /* pages: each in another window of 64 KiB */
#define SYNC_PAGES 64ul
#define RW	   (PROT_READ | PROT_WRITE)
#define AROUND	   "/sys/kernel/debug/fault_around_bytes"
#ifndef BLKFLSBUF
#define BLKFLSBUF 0x1261
#endif

static const char *path; /* of the file that a row is about */
static int fd;
static char *const region = (char *)REGION;

/* --------------------------------------------------------------- the file */

/* Nothing of the file is in memory afterwards. */
static void make_cold(void)
{
	if (fsync(fd))
		die("fsync");
	(void)ioctl(fd, BLKFLSBUF, 0);
	put_text("/proc/sys/vm/drop_caches", "1");
}

static void make_warm(void)
{
	static char buf[1 << 20];

	for (unsigned long at = 0; at < FILE_BYTES; at += sizeof(buf))
		if (pread(fd, buf, sizeof(buf), (off_t)at) !=
		    (ssize_t)sizeof(buf))
			die("pread");
}

static void map_file(unsigned long pages, int prot)
{
	if (mmap(region, pages * PAGE, prot, MAP_SHARED | MAP_FIXED, fd, 0) !=
	    region)
		die("mmap");
}

static void unmap_file(unsigned long pages)
{
	if (munmap(region, pages * PAGE))
		die("munmap");
}

static void touch(unsigned long pages, unsigned long step)
{
	for (unsigned long i = 0; i < pages; i += step)
		(void)*(volatile char *)(region + i * PAGE);
}

/* ------------------------------------------------------------------- rows */

static struct span warm(unsigned long step, const char *around)
{
	struct span s;

	put_text(AROUND, around);
	make_warm();
	map_file(WARM_PAGES, PROT_READ);
	/* the page tables are there already */
	for (unsigned long i = 511; i < WARM_PAGES; i += 512)
		(void)*(volatile char *)(region + i * PAGE);
	madvise(region, WARM_PAGES * PAGE, MADV_DONTNEED);
	s = span_start();
	touch(WARM_PAGES, step);
	s = span_end(s);
	unmap_file(WARM_PAGES);
	put_text(AROUND, "65536");
	return s;
}

static struct span row_warm(void)
{
	return warm(1, "65536");
}

static struct span row_warm_no_around(void)
{
	return warm(1, "4096");
}

static struct span row_strided(void)
{
	return warm(STRIDE, "65536");
}

static struct span row_strided_no_around(void)
{
	return warm(STRIDE, "4096");
}

static struct span row_cold_map(void)
{
	struct span s;

	make_cold();
	map_file(FILE_PAGES, PROT_READ);
	s = span_start();
	touch(FILE_PAGES, 1);
	s = span_end(s);
	unmap_file(FILE_PAGES);
	return s;
}

static struct span row_cold_read(void)
{
	static char buf[128 << 10];
	struct span s;

	make_cold();
	s = span_start();
	for (unsigned long at = 0; at < FILE_BYTES; at += sizeof(buf))
		if (pread(fd, buf, sizeof(buf), (off_t)at) !=
		    (ssize_t)sizeof(buf))
			die("pread");
	return span_end(s);
}

/* The first write to each page of a warm file, through a mapping. */
static struct span row_dirty(void)
{
	struct span s;

	make_warm();
	map_file(WARM_PAGES, RW);
	touch(WARM_PAGES, 1);
	s = span_start();
	for (unsigned long i = 0; i < WARM_PAGES; i++)
		*(volatile char *)(region + i * PAGE) = 1;
	s = span_end(s);
	unmap_file(WARM_PAGES);
	if (fsync(fd))
		die("fsync");
	return s;
}

/* All pages are dirty: what it costs to have them written. */
static struct span row_write_back(void)
{
	struct span s;

	make_warm();
	map_file(FILE_PAGES, RW);
	for (unsigned long i = 0; i < FILE_PAGES; i++)
		*(volatile char *)(region + i * PAGE) = 2;
	s = span_start();
	if (fsync(fd))
		die("fsync");
	s = span_end(s);
	unmap_file(FILE_PAGES);
	return s;
}

/* write(2) in pieces of 128 KiB, and fsync(2). */
static struct span row_write(void)
{
	static char buf[128 << 10];
	struct span s;

	memset(buf, 3, sizeof(buf));
	make_warm();
	s = span_start();
	for (unsigned long at = 0; at < FILE_BYTES; at += sizeof(buf))
		if (pwrite(fd, buf, sizeof(buf), (off_t)at) !=
		    (ssize_t)sizeof(buf))
			die("pwrite");
	if (fsync(fd))
		die("fsync");
	return span_end(s);
}

/* A store, and msync(2) of its page. */
static struct span row_msync(void)
{
	struct span s;

	make_warm();
	map_file(SYNC_PAGES, RW);
	touch(SYNC_PAGES, 1);
	s = span_start();
	for (unsigned long i = 0; i < SYNC_PAGES; i++) {
		region[i * PAGE] = 4;
		if (msync(region + i * PAGE, PAGE, MS_SYNC))
			die("msync");
	}
	s = span_end(s);
	unmap_file(SYNC_PAGES);
	return s;
}

static const struct row {
	const char *name;
	struct span (*run)(void);
	unsigned long units;
	bool disk, share; /* which files it is about */
} rows[] = {
	{"warm", row_warm, WARM_PAGES, false, true},
	{"warm_no_around", row_warm_no_around, WARM_PAGES, false, true},
	{"strided", row_strided, WARM_PAGES / STRIDE, false, true},
	{"strided_no_around", row_strided_no_around, WARM_PAGES / STRIDE, false,
	 true},
	{"cold_map", row_cold_map, FILE_PAGES, true, true},
	{"cold_read", row_cold_read, FILE_PAGES, true, true},
	{"dirty", row_dirty, WARM_PAGES, true, true},
	{"write_back", row_write_back, FILE_PAGES, true, true},
	{"write_fsync", row_write, FILE_PAGES, true, true},
	{"msync", row_msync, SYNC_PAGES, true, true},
};

/* ---------------------------------------------------------------- running */

static void run_rows(const char *file, bool disk)
{
	path = file;
	fd = open(path, O_RDWR);
	if (fd < 0)
		die(path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (disk ? rows[i].disk : rows[i].share)
			run_spans(disk ? "disk_" : "share_", rows[i].name,
				  rows[i].run, rows[i].units);
	close(fd);
}

static void mount_share(void)
{
	if (mount("share", "/mnt/share", "9p", 0,
		  "trans=virtio,version=9p2000.L,cache=loose,msize=524288"))
		die("mount of the share");
}

int main(int argc, char **argv)
{
	bool init = getpid() == 1;

	(void)argc;
	(void)argv;
	if (init) {
		be_init();
		mount_share();
	}
	calibrate();
	/* the rows themselves say when something is written */
	put_text("/proc/sys/vm/dirty_background_ratio", "50");
	put_text("/proc/sys/vm/dirty_ratio", "60");
	put_text("/proc/sys/vm/dirty_writeback_centisecs", "0");
	run_rows("/mnt/share/data", false);
	run_rows("/dev/vda", true);
	printf("iobench done\n");
	fflush(stdout);
	if (init)
		reboot(RB_AUTOBOOT);
	return 0;
}
