/* SPDX-License-Identifier: MIT */
/*
 * harness.h - the frame of the unit and scenario tests.
 *
 *	TEST(fault_makes_a_zeroed_page)		// behaviour: F4
 *	{
 *		struct sim_task *t = sim_task_create(m);
 *		...
 *		CHECK_EQ(sim_load64(t, a, &v), 0);
 *		sim_exit(t);
 *	}
 *
 * Each test runs in a process of its own, on a fresh machine `m`, once with
 * four and once with five levels of page tables; a crash, a time-out or a
 * failed CHECK fails it, and so do, at its end: a violation of quire_check()
 * or of the host contract, and anything that sim_machine_destroy() finds
 * leaked.  Files in tests/unit/ named test_*.c are found by the Makefile.
 *
 * usage of the program: unit.bin [-v] [-l] [-4|-5] [PART-OF-NAME...]
 * QUIRE_TEST_SEED=n gives the machines another seed (evictions, yields).
 */
#ifndef QUIRE_TESTS_HARNESS_H
#define QUIRE_TESTS_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sim/sim.h>

struct test_case {
	const char *name, *file;
	void (*fn)(struct sim_machine *m);
	struct sim_config config;
	bool plain;	  /* no machine: m is NULL, runs once */
	unsigned seconds; /* limit; 0: 60 */
	struct test_case *next;
};
void test_register(struct test_case *t);

/* Any field of struct test_case and, by .config = { ... }, of the machine. */
#define TEST_WITH(id, ...)                                                     \
	static void test_##id(struct sim_machine *m);                          \
	static struct test_case case_##id = {                                  \
		.name = #id, .file = __FILE__, .fn = test_##id, __VA_ARGS__};  \
	__attribute__((constructor)) static void register_##id(void)           \
	{                                                                      \
		test_register(&case_##id);                                     \
	}                                                                      \
	static void test_##id(struct sim_machine *m)
#define TEST(id) TEST_WITH(id, .plain = false)
/* m is NULL: data structures, text, anything without a machine. */
#define TEST_PLAIN(id) TEST_WITH(id, .plain = true)
#define UNUSED_MACHINE ((void)m)

/* A failed CHECK is told and counted; the test goes on.  REQUIRE ends it. */
void test_failed(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void test_give_up(void);
unsigned test_failures(void);
/* Shown with each failure from now on ("" for none): which round of a loop. */
void test_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(cond)                                                            \
	((cond) ? true : (test_failed(__FILE__, __LINE__, "%s", #cond), false))
#define CHECK_EQ(a, b)                                                         \
	test_eq(__FILE__, __LINE__, #a, #b, (long long)(a), (long long)(b))
#define CHECK_STR(a, b) test_str(__FILE__, __LINE__, #a, (a), (b))
#define REQUIRE(cond)                                                          \
	do {                                                                   \
		if (!CHECK(cond))                                              \
			test_give_up();                                        \
	} while (0)
#define REQUIRE_EQ(a, b)                                                       \
	do {                                                                   \
		if (!CHECK_EQ(a, b))                                           \
			test_give_up();                                        \
	} while (0)
/* quire_check() and the lock balance, now: for use after each operation. */
#define CHECK_SYSTEM(m) CHECK_EQ(sim_check(m), 0)

bool test_eq(const char *file, int line, const char *a, const char *b,
	     long long x, long long y);
bool test_str(const char *file, int line, const char *what, const char *got,
	      const char *want);

/*
 * Every allocation failed in turn.  scenario(m, arg) is run on a machine of
 * `config` (NULL: 16 MiB, quire_check() after each map call) without
 * failures, to count the allocations; then, on a fresh machine each, once for
 * every allocation with only that one failing, and once with that and all
 * later ones failing.  The scenario must take any operation's failing for lack
 * of memory, and must end its tasks and close its files.  After each round
 * nothing may be violated and nothing leaked.  Returns how many allocations
 * the scenario makes.
 * Environment: QUIRE_INJECT_STRIDE=n runs only each n-th.
 */
typedef void (*test_scenario)(struct sim_machine *m, void *arg);
unsigned test_every_failure(const struct sim_config *config,
			    test_scenario scenario, void *arg);

/*
 * Run fn(m, arg) in a child process that is expected to die: true when it was
 * ended by a signal (SIGABRT of a panic, SIGSEGV of a protected page).  Call
 * with a machine that has no other threads.
 */
bool test_dies(struct sim_machine *m, void (*fn)(struct sim_machine *m));

/* Number of levels this run has: 4 or 5. */
unsigned test_levels(struct sim_machine *m);

#endif
