/* SPDX-License-Identifier: MIT */
/*
 * Many at once: threads that fault in one address space while it changes, and
 * processes whose registers are not to be mixed up by preemption.
 */
#define _GNU_SOURCE
#include "check.h"
#include "cpu.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE	4096ul
#define THREADS 4
#define PAGES	1000u
#define ROUNDS	10

static char *mem;
static pthread_barrier_t bar;
static int bad;

/* behaviours: F4, F15, Z4 */
static void *fault_together(void *arg)
{
	unsigned id = (unsigned)(long)arg, round, i;

	for (round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&bar);
		for (i = 0; i < PAGES; i++)
			mem[(i * THREADS + id) * PAGE] = (char)(id + round + 1);
		pthread_barrier_wait(&bar);
		for (i = 0; i < PAGES; i++) {
			unsigned o = (id + 1) % THREADS;

			if (mem[(i * THREADS + o) * PAGE] !=
			    (char)(o + round + 1))
				__atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
		}
		pthread_barrier_wait(&bar);
		if (id == 0)
			madvise(mem, PAGES * THREADS * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

static void one_mm(void)
{
	pthread_t t[THREADS];
	long i;

	mem = mmap(NULL, PAGES * THREADS * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_barrier_init(&bar, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, fault_together, (void *)i);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK(bad == 0);
	CHECK(mem[0] == 0);
}

static __thread sigjmp_buf back;
static volatile int stop_writing;
static long trapped, written;

static void on_segv(int signo)
{
	(void)signo;
	siglongjmp(back, 1);
}

static void *write_always(void *arg)
{
	volatile char *p = arg;

	while (!stop_writing) {
		if (sigsetjmp(back, 1)) {
			__atomic_fetch_add(&trapped, 1, __ATOMIC_RELAXED);
			continue;
		}
		*p = 1;
		__atomic_fetch_add(&written, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static long trapped_now(void)
{
	return __atomic_load_n(&trapped, __ATOMIC_RELAXED);
}

/*
 * After mprotect(PROT_READ) has returned nobody can write any more, on any
 * CPU: a stale TLB entry would let the value change.
 *
 * behaviours: Z2, Z4
 */
static void shootdown(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec pause_ = {0, 200000};
	pthread_t t[3];
	int i, leaks = 0;

	signal(SIGSEGV, on_segv);
	for (i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, write_always, p);
	/* (until somebody was there to try) */
	for (i = 0; i < 100 || (!trapped_now() && i < 100000); i++) {
		long before, after;

		mprotect(p, PAGE, PROT_READ);
		before = __atomic_load_n(&written, __ATOMIC_RELAXED);
		nanosleep(&pause_, NULL);
		after = __atomic_load_n(&written, __ATOMIC_RELAXED);
		/* each may have had one store counted late */
		leaks += after - before > 3;
		mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	}
	stop_writing = 1;
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(leaks == 0);
	CHECK(trapped_now() > 0);
}

static int keep_registers(unsigned long seed)
{
	unsigned long in[2] = {seed, ~seed}, out[2];
	struct timespec t0, t1;
	double sum = 0, want = 0;
	unsigned n = 0;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		unsigned i;

		hold(in, out);
		if (out[0] != in[0] || out[1] != in[1])
			return 1;
		for (i = 0; i < 100; i++) {
			sum += (double)seed / 4;
			want = (double)++n * ((double)seed / 4);
		}
		if (sum != want)
			return 2;
		clock_gettime(CLOCK_MONOTONIC, &t1);
	} while ((t1.tv_sec - t0.tv_sec) * 1000 +
			 (t1.tv_nsec - t0.tv_nsec) / 1000000 <
		 400);
	return 0;
}

static void preemption(void)
{
	int i, status, wrong = 0;

	for (i = 0; i < 6; i++)
		if (fork() == 0)
			_exit(keep_registers((unsigned long)i + 3));
	while (wait(&status) > 0)
		wrong += status != 0;
	CHECK(wrong == 0);
}

/* fork in one thread while others fault: the child has one true picture. */
static void *touch(void *arg)
{
	unsigned i;

	while (!stop_writing)
		for (i = 0; i < 256; i++)
			((volatile char *)arg)[i * PAGE]++;
	return NULL;
}

static void fork_under_fire(void)
{
	char *p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t[2];
	int i, status, wrong = 0;

	stop_writing = 0;
	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, touch, p);
	for (i = 0; i < 30; i++) {
		status = IN_CHILD(
			char c = p[0]; usleep(1000);
			_exit(p[0] != c)); /* nobody else writes here */
		wrong += status != 0;
	}
	stop_writing = 1;
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK(wrong == 0);
}

int main(void)
{
	one_mm();
	shootdown();
	preemption();
	fork_under_fire();
	return check_done();
}
