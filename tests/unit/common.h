/* SPDX-License-Identifier: MIT */
/* Shorthands that several test files use. */
#ifndef QUIRE_TESTS_COMMON_H
#define QUIRE_TESTS_COMMON_H

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include <asm/pgtable_types.h>

#include <tests/harness/harness.h>

#define PG     ((uaddr_t)4096)
#define RW     (PROT_READ | PROT_WRITE)
#define ANON   (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHANON (MAP_SHARED | MAP_ANONYMOUS)

/* Rounds of a racing loop: fewer where each costs much more. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ROUNDS(n) ((n) / 4)
#endif
#endif
#ifndef ROUNDS
#define ROUNDS(n) (n)
#endif

/* Tests that look for the rare moment go on for test_extra_seconds(). */
struct test_deadline {
	time_t end; /* 0: no time is set */
};
static inline struct test_deadline test_deadline(void)
{
	unsigned n = test_extra_seconds();

	return (struct test_deadline){n ? time(NULL) + (time_t)n : 0};
}
static inline bool test_time_left(const struct test_deadline *d)
{
	return d->end && time(NULL) < d->end;
}

/* Is this a map call's address?  Otherwise it is a negative errno. */
static inline bool mapped_at(sreg_t r)
{
	return (uaddr_t)r < (uaddr_t)-4095;
}

/* Map, or end the test. */
static inline uaddr_t must_map(struct sim_task *t, uaddr_t len, unsigned prot,
			       unsigned flags, struct sim_file *f, uint64_t off)
{
	sreg_t r = sim_mmap(t, 0, len, prot, flags, f, off);

	REQUIRE(mapped_at(r));
	return (uaddr_t)r;
}
static inline uaddr_t anon(struct sim_task *t, uaddr_t pages)
{
	return must_map(t, pages * PG, RW, ANON, NULL, 0);
}
static inline uint64_t get64(struct sim_task *t, uaddr_t a)
{
	uint64_t v = 0xdeadbeefdeadbeef;

	CHECK_EQ(sim_load64(t, a, &v), 0);
	return v;
}
static inline void put64(struct sim_task *t, uaddr_t a, uint64_t v)
{
	CHECK_EQ(sim_store64(t, a, v), 0);
}
/* The access ends in this signal, code and address. */
#define CHECK_SIGNAL(t, access, no, sicode, siaddr)                            \
	do {                                                                   \
		CHECK_EQ(access, no);                                          \
		CHECK_EQ((t)->sig.code, sicode);                               \
		CHECK_EQ((t)->sig.addr, siaddr);                               \
	} while (0)
#define CHECK_MAPERR(t, a)                                                     \
	CHECK_SIGNAL(t, sim_load8(t, a, &(uint8_t){0}), SIGSEGV,               \
		     QUIRE_SEGV_MAPERR, a)

/* A kernel or user address as logs have it. */
static inline const char *hex(uaddr_t a)
{
	static char text[20];

	snprintf(text, sizeof(text), "%llx", (unsigned long long)a);
	return text;
}

/* Frame that the tables have for addr now (0: none), without an access. */
static inline paddr_t frame_of(struct sim_task *t, uaddr_t a)
{
	struct sim_walk w;

	sim_run(t);
	return sim_translate(t->m, SIM_READ, 0, a, false, &w) ? w.phys : 0;
}

static inline struct quire_mm_stats mm_stats(struct sim_task *t)
{
	struct quire_mm_stats s;

	quire_mm_get_stats(t->qt.mm, &s);
	return s;
}

#endif
