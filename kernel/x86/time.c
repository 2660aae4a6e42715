/* SPDX-License-Identifier: MIT */
/*
 * time.c - the clocks: the TSC, measured against the 8254 at boot, and the
 * battery-backed one.
 */
#include "cpu.h"

#define PIT_HZ	1193182ull
#define SAMPLES 5u

uint64_t tsc_hz;
static uint64_t tsc_boot, ns_per_tick_fp; /* ns per TSC tick, 32.32 */

uint64_t ktime_ns(void)
{
	return (uint64_t)((__uint128_t)(rdtsc() - tsc_boot) * ns_per_tick_fp >>
			  32);
}

static uint32_t pit_read(void)
{
	uint32_t lo;

	outb(0x43, 0); /* latch channel 0 */
	lo = inb(0x40);
	return lo | (uint32_t)inb(0x40) << 8;
}

/* The TSC's rate over 5 ms of the 8254's channel 0; 0: that cannot be told. */
static uint64_t measure(void)
{
	uint32_t want = (uint32_t)(PIT_HZ / 200), seen, rounds = 0;
	uint64_t t0, t1;

	outb(0x43, 0x30); /* channel 0, both bytes, mode 0: count down once */
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	while (pit_read() > 0xfff0 && ++rounds < 100000)
		;
	seen = pit_read();
	t0 = rdtsc();
	for (rounds = 0; seen - pit_read() < want && rounds < 10000000;
	     rounds++)
		;
	t1 = rdtsc();
	seen -= pit_read();
	if (seen < want || seen > 0xffff)
		return 0;
	return (t1 - t0) * PIT_HZ / seen;
}

/*
 * A virtual processor may stand still between two reads, even until the
 * counter, of 16 bits, has come round: the middle one of several is good.
 */
static void calibrate(void)
{
	uint64_t hz[SAMPLES] = {0}, t;
	unsigned i, j, failed = 0;

	for (i = 0; i < SAMPLES && failed < 2; i++) {
		t = measure();
		failed += !t;
		for (j = i; j > 0 && hz[j - 1] > t; j--)
			hz[j] = hz[j - 1];
		hz[j] = t;
	}
	tsc_hz = hz[SAMPLES / 2];
	if (failed > 1) {
		printk("no 8254 to measure the TSC by: taking it for 1 GHz");
		tsc_hz = NSEC_PER_SEC;
	}
}

static unsigned cmos(unsigned reg)
{
	unsigned v;

	outb(0x70, (uint8_t)reg);
	v = inb(0x71);
	return (v >> 4) * 10 + (v & 15);
}

/* Seconds since 1970 from the MC146818 (BCD, UTC); 0: there is none. */
uint64_t rtc_seconds(void)
{
	unsigned sec, min, hour, day, mon, year, tries = 0;
	int64_t y, era, yoe, doy, days;

	do {
		sec = cmos(0);
		min = cmos(2);
		hour = cmos(4);
		day = cmos(7);
		mon = cmos(8);
		year = cmos(9);
	} while (sec != cmos(0) && ++tries < 100);
	if (mon < 1 || mon > 12 || day < 1 || day > 31)
		return 0;
	/* Days of the civil calendar, years counted from March. */
	y = 2000 + year - (mon <= 2);
	era = y / 400;
	yoe = y - era * 400;
	doy = (153 * ((int)mon + (mon > 2 ? -3 : 9)) + 2) / 5 + (int)day - 1;
	days = era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
	return (uint64_t)days * 86400 + hour * 3600 + min * 60 + sec;
}

void clock_init(void)
{
	calibrate();
	ns_per_tick_fp = (NSEC_PER_SEC << 32) / tsc_hz;
	tsc_boot = rdtsc();
	printk("TSC %llu kHz", (unsigned long long)(tsc_hz / 1000));
}
