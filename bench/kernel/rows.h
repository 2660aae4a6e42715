/* SPDX-License-Identifier: MIT */
/*
 * rows.h - the frame of programs that count instructions by rows: a clock that
 * has been checked, the order of batches, and how to fail.  The program defines
 * PROGRAM, its name, before it includes this.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

#define PAGE 4096ul

static uint64_t ticks_per_kinsn = 1000;

static inline void die(const char *what)
{
	printf(PROGRAM ": failed: %s\n", what);
	fflush(stdout);
	_exit(1);
}

static inline int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline double per_unit(uint64_t ticks, unsigned long units)
{
	return (double)ticks * 1000.0 / (double)ticks_per_kinsn / (double)units;
}

static inline uint64_t known_loop(unsigned long n)
{
	uint64_t t = ticks();

	loop_of_two(n);
	return ticks() - t;
}

static inline uint64_t least(unsigned long n)
{
	uint64_t best = UINT64_MAX;

	/* An interrupt lengthens some. */
	for (int i = 0; i < 9; i++) {
		uint64_t t = known_loop(n);

		if (t < best)
			best = t;
	}
	return best;
}

static inline void calibrate(void)
{
	uint64_t best = least(600000) - least(100000);

	ticks_per_kinsn = (best + 500) / 1000;
	if (ticks_per_kinsn < 1)
		ticks_per_kinsn = 1;
	printf(PROGRAM " calibration %llu ticks per 1000 instructions\n",
	       (unsigned long long)ticks_per_kinsn);
	/* Not under icount: report plain ticks. */
	if (ticks_per_kinsn < 990 || ticks_per_kinsn > 1010) {
		printf(PROGRAM " note not under icount: figures are the "
			       "clock's ticks\n");
		ticks_per_kinsn = 1000;
	}
}

#endif
