/* SPDX-License-Identifier: MIT */
/*
 * What pfbench needs of a processor: a clock that counts instructions under
 * QEMU's -icount, a loop of known length, a system call without libc around
 * it, and where its regions lie.
 *
 * x86-64: the time-stamp counter.  ARM: CLOCK_MONOTONIC, because no counter can
 * be read from user mode on every machine; one reading costs up to a few
 * hundred instructions, as the kernel has a vDSO for it or not, and the clock
 * steps by up to 1 us (1,000 instructions, the BCM2835's timer).  Each batch
 * is long enough for that: rows of 511 pages, or of 2,000 calls.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#if defined(__x86_64__)
#define REGION	  0x300000000000ul
#define CALL_MMAP SYS_mmap

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

/* 2 * n + 1 instructions. */
static inline void loop_of_two(unsigned long n)
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n)::"cc");
}

static inline long call6(long nr, long a, long b, long c, long d, long e,
			 long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__arm__)
#define REGION	  0x40000000ul
#define CALL_MMAP SYS_mmap2

static inline uint64_t ticks(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* 2 * n + 1 instructions. */
static inline void loop_of_two(unsigned long n)
{
	__asm__ volatile("1: subs %0, %0, #1\n\tbne 1b" : "+r"(n)::"cc");
}

static inline long call6(long nr, long a, long b, long c, long d, long e,
			 long f)
{
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	register long r4 __asm__("r4") = e;
	register long r5 __asm__("r5") = f;
	register long r7 __asm__("r7") = nr;

	__asm__ volatile("svc #0"
			 : "+r"(r0)
			 : "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5), "r"(r7)
			 : "memory");
	return r0;
}
#else
#error "pfbench has no clock for this processor"
#endif

#endif
