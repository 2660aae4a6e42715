/* SPDX-License-Identifier: MIT */
/*
 * spans.h - what programs have in common that measure work with devices in it:
 * the time of a piece of work without what the kernel was idle, a row's median,
 * and being a kernel's first process.  PROGRAM as for rows.h.
 *
 * Under -icount shift=0,sleep=on a clock's tick is an instruction while the
 * processor runs, and the host's time while it waits for a device.  So a row is
 * the ticks that went by less those that the kernel was idle, which it tells
 * itself, in ns: instructions a page.  Without -icount the same rows say how
 * fast it was.
 */
#ifndef BENCH_SPANS_H
#define BENCH_SPANS_H

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "rows.h"

#define ROUNDS 3

/* All that the processor has been idle for, ns. */
static inline uint64_t idle_ns(void)
{
	static char text[65536];
	uint64_t sum = 0;
	ssize_t n, got = 0;
	int f = open("/proc/timer_list", O_RDONLY);

	if (f < 0)
		return 0;
	while (got < (ssize_t)sizeof(text) - 1 &&
	       (n = read(f, text + got, sizeof(text) - 1 - (size_t)got)) > 0)
		got += n;
	close(f);
	text[got] = '\0';
	for (const char *p = text; (p = strstr(p, "_sleeptime")); p++)
		sum += strtoull(p + strcspn(p, ":") + 1, NULL, 10);
	return sum;
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct span {
	uint64_t ticks, idle, ns;
};

/* Idle time is told by the kernel's clock, which may go a little faster or
 * slower than ours: the difference is taken in its ns. */

static inline struct span span_start(void)
{
	struct span s = {.idle = idle_ns()};

	s.ns = now_ns();
	s.ticks = ticks();
	return s;
}

static inline struct span span_end(struct span s)
{
	s.ticks = ticks() - s.ticks;
	s.ns = now_ns() - s.ns;
	s.idle = idle_ns() - s.idle;
	if (s.ns)
		s.ticks = (uint64_t)((double)s.ticks *
				     ((double)s.ns - (double)s.idle) /
				     (double)s.ns);
	return s;
}

static inline int by_ticks(const void *a, const void *b)
{
	return by_value(&((const struct span *)a)->ticks,
			&((const struct span *)b)->ticks);
}

/* The median of ROUNDS runs, as one line: NAME INSTRUCTIONS MIB-A-SECOND page
 */
static inline void run_spans(const char *where, const char *name,
			     struct span (*run)(void), unsigned long pages)
{
	struct span s[ROUNDS];
	double mib = (double)pages * PAGE / (1 << 20);

	for (int i = 0; i < ROUNDS; i++)
		s[i] = run();
	qsort(s, ROUNDS, sizeof(s[0]), by_ticks);
	printf(PROGRAM " %s%s %.1f %.1f page\n", where, name,
	       per_unit(s[ROUNDS / 2].ticks, pages),
	       mib * 1e9 / (double)s[ROUNDS / 2].ns);
	fflush(stdout);
}

static inline void put_text(const char *file, const char *text)
{
	int f = open(file, O_WRONLY);

	if (f < 0 || write(f, text, strlen(text)) < 0)
		die(file);
	close(f);
}

/* Linux's modules are in the archive, named in the order to load them. */
static inline void load_modules(void)
{
	char name[64];

	for (int i = 0; i < 32; i++) {
		int f;

		snprintf(name, sizeof(name), "/modules/%02d.ko", i);
		f = open(name, O_RDONLY);
		if (f < 0)
			continue;
		if (syscall(SYS_finit_module, f, "", 0))
			printf(PROGRAM " note %s is not taken\n", name);
		close(f);
	}
}

/* As a kernel's first process: what init must do. */
static inline void be_init(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/mnt", 0755);
	mkdir("/mnt/share", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	load_modules();
}

#endif
