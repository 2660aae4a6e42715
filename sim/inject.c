/* SPDX-License-Identifier: MIT */
/*
 * Failing allocations on purpose, and events.  Quire asks before every
 * allocation of a debug build; a driver counts them over a scenario and then
 * runs it again once for each, making that one fail (tests/harness).
 */
#include <sim/internal.h>

void sim_inject_reset(struct sim_machine *m)
{
	m->inject.nth = 0;
	m->inject.one_in = 0;
	__atomic_store_n(&m->inject.count, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&m->inject.hits, 0, __ATOMIC_RELAXED);
}

uint64_t sim_inject_count(struct sim_machine *m)
{
	return __atomic_load_n(&m->inject.count, __ATOMIC_RELAXED);
}

uint64_t sim_inject_hits(struct sim_machine *m)
{
	return __atomic_load_n(&m->inject.hits, __ATOMIC_RELAXED);
}

void sim_inject_nth(struct sim_machine *m, uint64_t n, bool single)
{
	sim_inject_reset(m);
	m->inject.nth = n;
	m->inject.single = single;
}

void sim_inject_random(struct sim_machine *m, unsigned one_in, uint64_t seed)
{
	sim_inject_reset(m);
	m->inject.rng = seed * 2 + 1;
	m->inject.one_in = one_in;
}

bool sim_has_injection(void)
{
#ifdef QUIRE_INJECT
	return true;
#else
	return false;
#endif
}

#ifdef QUIRE_INJECT
/* Random failures follow the count, not the thread: one seed, one sequence. */
static bool chance(const struct sim_machine *m, uint64_t n)
{
	uint64_t s = (m->inject.rng ^ (n * 0x9e3779b97f4a7c15ull)) | 1;

	sim_random(&s);
	return (sim_random(&s) >> 20) % m->inject.one_in == 0;
}

bool quire_host_should_fail(int kind, size_t bytes)
{
	struct sim_machine *m = sim_self->m;
	uint64_t n;
	bool fail = false;

	(void)kind;
	(void)bytes;
	n = __atomic_add_fetch(&m->inject.count, 1, __ATOMIC_RELAXED);
	if (m->inject.nth)
		fail = m->inject.single ? n == m->inject.nth
					: n >= m->inject.nth;
	else if (m->inject.one_in)
		fail = chance(m, n);
	if (fail)
		__atomic_fetch_add(&m->inject.hits, 1, __ATOMIC_RELAXED);
	return fail;
}
#endif

/* ------------------------------------------------------------------ events */

void sim_trace(struct sim_machine *m, sim_trace_fn fn, void *cookie)
{
	m->trace_cookie = cookie;
	__atomic_store_n(&m->trace_fn, fn, __ATOMIC_RELEASE);
}

#ifdef QUIRE_TRACE
bool quire_host_trace_enabled(void)
{
	struct sim_machine *m = sim_self->m;

	return __atomic_load_n(&m->trace_fn, __ATOMIC_RELAXED);
}

void quire_host_trace(const struct quire_event *event)
{
	struct sim_machine *m = sim_self->m;
	sim_trace_fn fn = __atomic_load_n(&m->trace_fn, __ATOMIC_ACQUIRE);

	if (fn)
		fn(m->trace_cookie, event);
}
#endif
