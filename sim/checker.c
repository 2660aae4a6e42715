/* SPDX-License-Identifier: MIT */
/*
 * checker.c - the host-contract checker.
 *
 * Quire's debug builds report each lock, each place that may sleep and each
 * range of pages freed or handed out.  From that the checker tells:
 *
 *   - sleeping with a spinlock held or preemption off;
 *   - a lock taken that is held, or released that is not;
 *   - locks taken against the documented order (by class; two of one class
 *     only where the order has such a pair: mmap_lock of parent and child,
 *     two page-table locks, several pages);
 *   - locks held, or preemption off, when a public call ends;
 *   - a write to a free page (poison destroyed), and a use of one through the
 *     tables or a stale TLB entry (frame state);
 *   - with config.protect_free any touch of a free page: it is PROT_NONE.
 *     Under AddressSanitizer free pages are poisoned for it as well.
 *
 * A sleeping lock that is *tried* under a spinlock cannot deadlock, so for
 * these the order counts only when no spinlock is held; might_sleep() finds
 * those that would wait.
 */
#include <stdlib.h>
#include <stdarg.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include <sim/disk.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define ASAN_FREE(p, n) __asan_poison_memory_region(p, n)
#define ASAN_TAKE(p, n) __asan_unpoison_memory_region(p, n)
#else
#define ASAN_FREE(p, n) ((void)0)
#define ASAN_TAKE(p, n) ((void)0)
#endif

void sim_violation(const char *fmt, ...)
{
	struct sim_machine *m = sim_self ? sim_self->m : NULL;
	char text[512];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "VIOLATION: ");
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	quire_host_log(3, text, strlen(text));
	if (!m)
		return;
	__atomic_fetch_add(&m->violations, 1u, __ATOMIC_RELAXED);
	if (!__atomic_load_n(&m->quiet, __ATOMIC_RELAXED) &&
	    getenv("QUIRE_SIM_ABORT"))
		abort();
}

unsigned sim_violations(struct sim_machine *m)
{
	return __atomic_load_n(&m->violations, __ATOMIC_RELAXED);
}

void sim_violations_clear(struct sim_machine *m)
{
	__atomic_store_n(&m->violations, 0, __ATOMIC_RELAXED);
}

unsigned sim_check(struct sim_machine *m)
{
	unsigned before = sim_violations(m), n;

	if (sim_self)
		check_balance(sim_self, "sim_check");
	/* the threads of reclaim and I/O are to be outside too */
	sim_reclaim_hold(m, true);
	if (sim_self)
		disk_drain(m, NULL, 1u << SIM_DISK_AUTO | 1u << SIM_DISK_NOW);
	n = quire_check(m->q);
	sim_reclaim_hold(m, false);
	if (n)
		__atomic_fetch_add(&m->violations, n, __ATOMIC_RELAXED);
	return sim_violations(m) - before;
}

void check_frame_slow(struct sim_cpu *cpu, paddr_t phys, uaddr_t addr,
		      const char *what)
{
	if (phys >= cpu->m->ram_end) {
		sim_violation("%s: address %#llx leads beyond RAM: %#llx", what,
			      (unsigned long long)addr,
			      (unsigned long long)phys);
		quire_host_panic(__FILE__, __LINE__, "access beyond RAM");
	}
	sim_violation("%s: address %#llx leads to the free frame %#llx "
		      "(cpu %u, asid %u)",
		      what, (unsigned long long)addr,
		      (unsigned long long)(phys >> 12), cpu->index, cpu->asid);
}

void checker_init(struct sim_machine *m)
{
	(void)m;
}

void checker_fini(struct sim_machine *m)
{
	if (m->ram)
		ASAN_TAKE(m->ram, m->ram_end);
}

bool sim_has_checker(void)
{
#ifdef QUIRE_DEBUG
	return true;
#else
	return false;
#endif
}

#ifndef QUIRE_DEBUG
void check_balance(struct sim_cpu *cpu, const char *where)
{
	(void)cpu;
	(void)where;
}
void check_handover(struct sim_cpu *cpu, const void *lock)
{
	(void)cpu;
	(void)lock;
}
#else

/* ------------------------------------------------------------------- locks */

static const char *class_name(int cls)
{
	static const char *const names[] = {
		[0] = "unnamed",
		[QUIRE_LOCK_MMAP] = "mmap_lock",
		[QUIRE_LOCK_VMA] = "VMA lock",
		[QUIRE_LOCK_MAPPING] = "frames lock",
		[QUIRE_LOCK_I_MMAP] = "i_mmap lock",
		[QUIRE_LOCK_ANON_VMA] = "anon_vma lock",
		[QUIRE_LOCK_PAGE] = "page lock",
		[QUIRE_LOCK_PTL] = "page-table lock",
		[QUIRE_LOCK_LRU] = "LRU lock",
		[QUIRE_LOCK_SWAP] = "swap lock",
		[QUIRE_LOCK_CACHE] = "cache tree lock",
		[QUIRE_LOCK_SLAB] = "slab lock",
		[QUIRE_LOCK_ZONE] = "zone lock",
		[QUIRE_LOCK_LEAF] = "leaf lock",
	};

	if (cls < 0 || cls > QUIRE_LOCK_LEAF)
		return "lock of no class";
	return names[cls];
}

static const struct sim_held *spinlock_held(const struct sim_cpu *cpu)
{
	unsigned i;

	for (i = 0; i < cpu->nr_held; i++)
		if (!cpu->held[i].sleeping)
			return &cpu->held[i];
	return NULL;
}

/*
 * Gives way to other threads, here and there.  At most half of the time: on a
 * busy machine somebody else's whole time slice passes before we are back.
 */
static void jitter(struct sim_cpu *cpu)
{
	unsigned n = cpu->m->config.jitter;
	uint64_t before, after;

	if (!n || sim_random(&cpu->rng) % n)
		return;
	before = quire_host_time_ns();
	if (before < cpu->jitter_after)
		return;
	sched_yield();
	after = quire_host_time_ns();
	cpu->jitter_after = after + (after - before);
}

/* May a second lock of this class be taken? */
static bool may_nest(int cls)
{
	return cls == QUIRE_LOCK_MMAP || cls == QUIRE_LOCK_PAGE ||
	       cls == QUIRE_LOCK_PTL;
}

static void check_order(struct sim_cpu *cpu, const void *lock, int cls)
{
	unsigned i;

	for (i = 0; i < cpu->nr_held; i++) {
		const struct sim_held *h = &cpu->held[i];
		int c = h->cls ? h->cls : QUIRE_LOCK_LEAF;

		if (h->lock == lock)
			sim_violation("%s %p taken twice by CPU %u",
				      class_name(cls), lock, cpu->index);
		else if (c > cls || (c == cls && !may_nest(cls)))
			sim_violation("lock order: %s %p taken inside %s %p",
				      class_name(cls), lock, class_name(c),
				      h->lock);
	}
}

void quire_host_debug_lock(const void *lock, int cls, bool sleeping)
{
	struct sim_cpu *cpu = sim_self;

	bool tried = cls & QUIRE_LOCK_TRY;

	cls &= ~QUIRE_LOCK_TRY;
	if (!cls)
		cls = QUIRE_LOCK_LEAF;
	if (!tried && (!sleeping || !spinlock_held(cpu)))
		check_order(cpu, lock, cls);
	if (cpu->nr_held == SIM_HELD_MAX) {
		sim_violation("more than %u locks held", SIM_HELD_MAX);
		return;
	}
	cpu->held[cpu->nr_held++] = (struct sim_held){lock, cls, sleeping};
	jitter(cpu);
}

static bool forget(struct sim_cpu *cpu, const void *lock)
{
	unsigned i = cpu->nr_held;

	while (i-- > 0) {
		if (cpu->held[i].lock != lock)
			continue;
		cpu->nr_held--;
		memmove(&cpu->held[i], &cpu->held[i + 1],
			(cpu->nr_held - i) * sizeof(cpu->held[0]));
		return true;
	}
	return false;
}

void quire_host_debug_unlock(const void *lock, int cls)
{
	struct sim_cpu *cpu = sim_self;

	/* A page may be unlocked by the end of its I/O, elsewhere. */
	if (!forget(cpu, lock) && cls != QUIRE_LOCK_PAGE)
		sim_violation("%s %p released but not held by CPU %u",
			      class_name(cls), lock, cpu->index);
	jitter(cpu);
}

void check_handover(struct sim_cpu *cpu, const void *lock)
{
	(void)forget(cpu, lock);
}

void quire_host_debug_might_sleep(const char *where)
{
	struct sim_cpu *cpu = sim_self;
	const struct sim_held *h = spinlock_held(cpu);

	if (h)
		sim_violation("%s may sleep under the %s %p", where,
			      class_name(h->cls), h->lock);
	else if (cpu->preempt)
		sim_violation("%s may sleep with preemption off", where);
}

void check_balance(struct sim_cpu *cpu, const char *where)
{
	if (sim_likely(!cpu->nr_held && !cpu->preempt))
		return;
	while (cpu->nr_held) {
		struct sim_held *h = &cpu->held[--cpu->nr_held];

		sim_violation("%s ends with the %s %p held", where,
			      class_name(h->cls), h->lock);
	}
	if (cpu->preempt) {
		sim_violation("%s ends with preemption off (%u)", where,
			      cpu->preempt);
		cpu->preempt = 0;
	}
}

/* ------------------------------------------------------------------- pages */

#define POISON 0x6b6b6b6b6b6b6b6bull

static void set_state(struct sim_machine *m, void *mem, size_t bytes, int state)
{
	size_t first = (size_t)((char *)mem - m->ram) >> 12, i;

	for (i = 0; i < bytes >> 12; i++)
		__atomic_store_n(&m->frame_state[first + i], (uint8_t)state,
				 __ATOMIC_RELAXED);
}

void quire_host_debug_pages_freed(void *mem, size_t bytes)
{
	struct sim_machine *m = sim_self->m;
	size_t i;

	/* At creation all of memory is freed once: it stays untouched. */
	if (m->creating)
		return;
	if (__atomic_load_n(
		    &m->frame_state[(size_t)((char *)mem - m->ram) >> 12],
		    __ATOMIC_RELAXED) == FRAME_FREE) {
		sim_violation("frame %#zx freed twice",
			      (size_t)((char *)mem - m->ram) >> 12);
		return;
	}
	if (!m->config.no_poison)
		for (i = 0; i < bytes / 8; i++)
			((uint64_t *)mem)[i] = POISON;
	if (m->mmu->pages_freed)
		m->mmu->pages_freed(m, mem, bytes);
	ASAN_FREE(mem, bytes);
	if (m->config.protect_free)
		mprotect(mem, bytes, PROT_NONE);
	set_state(m, mem, bytes, FRAME_FREE);
}

static void verify_poison(struct sim_machine *m, const char *mem)
{
	const uint64_t *w = (const uint64_t *)(const void *)mem;
	unsigned i;

	for (i = 0; i < 512; i++) {
		if (w[i] == POISON)
			continue;
		sim_violation("frame %#zx was written while free: offset %#x "
			      "has %#llx",
			      (size_t)(mem - m->ram) >> 12, i * 8,
			      (unsigned long long)w[i]);
		return;
	}
}

void quire_host_debug_pages_taken(void *mem, size_t bytes)
{
	struct sim_machine *m = sim_self->m;
	size_t off;

	for (off = 0; off < bytes; off += 4096) {
		char *p = (char *)mem + off;
		uint8_t *state = &m->frame_state[(size_t)(p - m->ram) >> 12];
		uint8_t was = __atomic_load_n(state, __ATOMIC_RELAXED);

		if (was == FRAME_TAKEN)
			sim_violation("frame %#zx handed out twice",
				      (size_t)(p - m->ram) >> 12);
		if (was == FRAME_FREE) {
			if (m->config.protect_free)
				mprotect(p, 4096, PROT_READ | PROT_WRITE);
			ASAN_TAKE(p, 4096);
			if (!m->config.no_poison)
				verify_poison(m, p);
		}
		__atomic_store_n(state, FRAME_TAKEN, __ATOMIC_RELAXED);
	}
}

#endif
