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
 * Each test runs in a process of its own, on a fresh machine `m`, once in each
 * of the format's shapes (x86-64: four and five levels of page tables); a
 * crash, a time-out or a failed CHECK fails it, and so do, at its end: a
 * violation of quire_check() or of the host contract, and anything that
 * sim_machine_destroy() finds leaked.
 *
 * Page-table formats.  There is one test program for each, of the files
 * test_*.c (found by tests/module.mk) in
 *	tests/unit/		every format
 *	tests/unit/x86/		x86_64, i386, i386_pae
 *	tests/unit/x86_32/	i386, i386_pae
 *	tests/unit/x86_64/ i386/ i386_pae/ arm/		that one
 * A test of every format names no bit of an entry, register or error code and
 * no address.  It maps at TEST_PLACE(n), converts by uaddr_t, tells an address
 * from an error by mapped_at() (an address may be negative as an sreg_t), and
 * takes from tests/harness/FORMAT/test_format.h, found as <test_format.h>:
 *	TEST_SHAPES	the machines each test runs on: {name, config}...
 *	TEST_PLACE(n)	n = 0...15: addresses far from all else, with 48 MiB of
 *			room, sharing no table but the root where levels allow
 *	TEST_LARGE	bytes of a mapping that needs many tables of each level
 *			(one such fits anywhere, or at TEST_PLACE(0))
 *	TEST_APART	distances so that two pages share a last-level table;
 *			none of these, but one of the next level; ...
 *	TEST_KERNEL_RAM	a kernel address with memory, TEST_KERNEL_HOLE without
 *	TEST_HAS_NX	the format can forbid execution
 *	TEST_HARDWARE_AD  the processor sets young and dirty by itself
 *	TEST_ASIDS(n)	n, or 0 where the format knows no ids
 *	TEST_TLB_BROADCAST(m)  a flush reaches all CPUs with no interrupt
 *	TEST_FAULT_TRAPNO  of the task after a fault
 *	test_error_is(error, kind, mode, present)  does the error code that came
 *			with a fault tell of such an access (SIM_READ ... and
 *			SIM_KERNEL), to a page that was there (protection) or
 *not
 *
 * usage of the program: unit.bin [-v] [-l] [-SHAPE] [PART-OF-NAME...]
 * QUIRE_TEST_SEED=n gives the machines another seed (evictions, yields).
 * QUIRE_TEST_MINUTES=n lets tests that look for rare moments (test_file_races,
 * test_durability) go on for so long, each, instead of a second or so.
 */
#ifndef QUIRE_TESTS_HARNESS_H
#define QUIRE_TESTS_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sim/sim.h>
#include <test_format.h>

/* A kind of machine that each test runs on; fields of its config that are not
 * 0 replace the test's own. */
struct test_shape {
	const char *name;
	struct sim_config config;
};

struct test_case {
	const char *name, *file;
	void (*fn)(struct sim_machine *m);
	struct sim_config config;
	bool plain;	  /* no machine: m is NULL, runs once */
	unsigned seconds; /* limit of an idle machine; 0: 60 */
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
 * `config` (NULL: 16 MiB, quire_check() after each map call) in this run's
 * shape without failures, to count the allocations; then, on a fresh machine
 * each, once for every allocation with only that one failing, and once with
 * that and all later ones failing.  The scenario must take any operation's
 * failing for lack of memory, and must end its tasks and close its files. After
 * each round nothing may be violated and nothing leaked.  Returns how many
 * allocations the scenario makes. Environment: QUIRE_INJECT_STRIDE=n runs only
 * each n-th.
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

/* The shape of this run; and its configuration added to another one's, for
 * machines that a test makes itself. */
const struct test_shape *test_shape(void);
void test_set_shape(struct sim_config *config);
/* QUIRE_TEST_MINUTES in seconds; 0: not set. */
unsigned test_extra_seconds(void);
/* Number of levels of tables that this run has. */
unsigned test_levels(struct sim_machine *m);

#endif
