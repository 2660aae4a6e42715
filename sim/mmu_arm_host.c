/* SPDX-License-Identifier: MIT */
/*
 * The ARM section of host.h on the simulated machine, and what makes a missing
 * call to it show: caches that are not coherent.
 *
 * Tables (ARMv6, debug variants).  The walk reads memory, stores stay in the
 * data cache until it is cleaned:
 *
 *     store --> RAM of the machine (the data cache)
 *                 | quire_host_table_written()
 *                 v
 *               shadow of the frame --> walk
 *
 * A walk gets the shadow's word.  While only one CPU exists, nothing can be
 * between a store and its cleaning when a walk takes place: then a difference
 * is a violation.  So is a walk through a frame that was never cleaned since
 * it was allocated.  Tables that tests build by hand, in low memory, have no
 * shadow.
 *
 * Instructions (debug variants).  For each frame: has it been synced since it
 * was last freed, and a hash of what it held then.  A fetch from a frame that
 * was not, or that has changed since, is a violation, unless the user has
 * written there: then it is the program's affair.
 *
 * Aliases (ARMv6 with arm_colours, debug variants, one CPU).  For each frame:
 * have the kernel's lines been flushed since it was allocated, and which colour
 * of user address has written to it since the cache was last flushed whole.  An
 * access under another colour than the kernel's before the first, or than the
 * last writer's, and the freeing of a frame that users' lines are left of, are
 * violations.
 *
 * TLB operations that reach all CPUs are made of calls between CPUs, which are
 * answered at the same places where a processor's broadcast takes effect at
 * the latest: before its next access.
 *
 * Locks: none; shadows are made by compare and exchange and live as long as
 * the machine.
 */
#include <stdlib.h>
#include <string.h>

#include <asm/ptrace.h>
#include <sim/internal.h>
#include <sim/mmu_arm.h>

#define TABLE_WORDS 1024u

enum { CODE_UNKNOWN, CODE_SYNCED, CODE_USER };

struct shadow {
	uint32_t valid; /* atomic; words were written since it was allocated */
	uint32_t word[TABLE_WORDS];
};

struct arm_state {
	struct shadow **shadow;	 /* one a frame; debug, ARMv6 */
	uint8_t *code;		 /* one a frame: CODE_*; debug */
	uint64_t *hash;		 /* of what it held when it was synced */
	uint64_t first;		 /* frames below are not Quire's */
	uint8_t *kernel_flushed; /* one a frame; debug, aliases */
	uint64_t *user_lines;	 /* epoch << 3 | colour of the last write */
	uint64_t epoch;		 /* moves with each whole flush */
	void (*after_sync)(struct sim_machine *m, void *kva);
	struct sim_arm_stats stats; /* atomic */
};

static struct arm_state *state_of(const struct sim_machine *m)
{
	return m->mmu_state;
}

static bool forgets(unsigned what)
{
	return (sim_self->m->config.arm_forget & what) != 0;
}

static void count(uint64_t *n)
{
	__atomic_fetch_add(n, 1u, __ATOMIC_RELAXED);
}

void sim_arm_get_stats(struct sim_machine *m, struct sim_arm_stats *out)
{
	size_t words = sizeof(*out) / sizeof(uint64_t), i;
	const uint64_t *from = (const uint64_t *)&state_of(m)->stats;

	for (i = 0; i < words; i++)
		((uint64_t *)out)[i] =
			__atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

int sim_arm_init(struct sim_machine *m)
{
	struct arm_state *s = calloc(1, sizeof(*s));
	size_t frames = m->ram_end >> 12;
	uint64_t low;

	m->mmu_state = s;
	if (!s)
		return -ENOMEM;
	s->first = (sim_reserved(m, &low) + low) >> 12;
	if (!sim_has_checker())
		return 0;
	s->code = calloc(frames, sizeof(*s->code));
	s->hash = calloc(frames, sizeof(*s->hash));
	if (m->config.arm_version < 7)
		s->shadow = calloc(frames, sizeof(*s->shadow));
	if (m->config.arm_colours > 1 && m->nr_cpus == 1) {
		s->epoch = 1;
		s->kernel_flushed = calloc(frames, sizeof(*s->kernel_flushed));
		s->user_lines = calloc(frames, sizeof(*s->user_lines));
		if (!s->kernel_flushed || !s->user_lines)
			return -ENOMEM;
	}
	if (!s->code || !s->hash || (m->config.arm_version < 7 && !s->shadow))
		return -ENOMEM;
	return 0;
}

void sim_arm_fini(struct sim_machine *m)
{
	struct arm_state *s = state_of(m);
	size_t i;

	if (!s)
		return;
	for (i = 0; s->shadow && i < m->ram_end >> 12; i++)
		free(s->shadow[i]);
	free(s->shadow);
	free(s->kernel_flushed);
	free(s->user_lines);
	free(s->code);
	free(s->hash);
	free(s);
	m->mmu_state = NULL;
}

/* ------------------------------------------------------------------ tables */

/* The shadow of a frame, made on first use. */
static struct shadow *shadow_make(struct shadow **slot)
{
	struct shadow *old = NULL, *fresh;

	fresh = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (fresh)
		return fresh;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		abort();
	if (__atomic_compare_exchange_n(slot, &old, fresh, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return fresh;
	free(fresh);
	return old;
}

void quire_host_table_written(const void *entries, size_t bytes)
{
	struct sim_machine *m = sim_self->m;
	struct arm_state *s = state_of(m);
	uint64_t at = (uint64_t)((const char *)entries - m->ram), end;

	count(&s->stats.table_written);
	if (!s->shadow || forgets(SIM_ARM_FORGET_TABLE))
		return;
	for (end = at + bytes; at < end; at += 4) {
		struct shadow *sh = shadow_make(&s->shadow[at >> 12]);
		uint32_t v = __atomic_load_n((uint32_t *)(void *)(m->ram + at),
					     __ATOMIC_RELAXED);

		__atomic_store_n(&sh->word[at >> 2 & (TABLE_WORDS - 1)], v,
				 __ATOMIC_RELEASE);
		__atomic_store_n(&sh->valid, 1, __ATOMIC_RELEASE);
	}
}

/* The barrier that this one leaves out has no part in the model. */
void quire_host_table_changed(const void *entries, size_t bytes)
{
	quire_host_table_written(entries, bytes);
}

uint32_t sim_arm_table_word(struct sim_cpu *cpu, paddr_t phys, uaddr_t addr)
{
	struct sim_machine *m = cpu->m;
	struct arm_state *s = state_of(m);
	uint32_t real = __atomic_load_n((uint32_t *)(void *)(m->ram + phys),
					__ATOMIC_ACQUIRE);
	struct shadow *sh;
	uint32_t seen;

	if (!s->shadow || phys >> 12 < s->first)
		return real;
	sh = __atomic_load_n(&s->shadow[phys >> 12], __ATOMIC_ACQUIRE);
	if (!sh || !__atomic_load_n(&sh->valid, __ATOMIC_ACQUIRE)) {
		sim_violation("walk for %#llx reads table frame %#llx, which "
			      "was never cleaned",
			      (unsigned long long)addr,
			      (unsigned long long)(phys >> 12));
		return real;
	}
	seen = __atomic_load_n(&sh->word[phys >> 2 & (TABLE_WORDS - 1)],
			       __ATOMIC_ACQUIRE);
	if (seen != real && m->nr_cpus == 1)
		sim_violation("walk for %#llx sees %#x, the word was changed "
			      "to %#x and not cleaned",
			      (unsigned long long)addr, seen, real);
	return seen;
}

/* ------------------------------------------------------------ instructions */

SIM_NO_TSAN static uint64_t frame_hash(const struct sim_machine *m,
				       uint64_t frame)
{
	const volatile uint64_t *w =
		(const volatile uint64_t *)(void *)(m->ram + (frame << 12));
	uint64_t h = 1;
	unsigned i;

	for (i = 0; i < 512; i++)
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ull + (h >> 32);
	return h;
}

void quire_host_sync_icache(void *kva, size_t bytes)
{
	struct sim_machine *m = sim_self->m;
	struct arm_state *s = state_of(m);
	uint64_t frame = (uint64_t)((char *)kva - m->ram) >> 12;
	uint64_t end = frame + (bytes >> 12);
	void (*fn)(struct sim_machine * m, void *kva);

	count(&s->stats.sync_icache);
	if (forgets(SIM_ARM_FORGET_ICACHE))
		return;
	for (; s->code && frame < end; frame++) {
		__atomic_store_n(&s->hash[frame], frame_hash(m, frame),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&s->code[frame], CODE_SYNCED,
				 __ATOMIC_RELEASE);
	}
	fn = s->after_sync;
	s->after_sync = NULL;
	if (fn)
		fn(m, kva);
}

void sim_arm_after_sync(struct sim_machine *m,
			void (*fn)(struct sim_machine *m, void *kva))
{
	state_of(m)->after_sync = fn;
}

/* A user's access under addr: does the cache hold the frame elsewhere? */
static void check_alias(struct sim_machine *m, enum sim_access_kind kind,
			uaddr_t addr, uint64_t frame)
{
	struct arm_state *s = state_of(m);
	uint64_t mask = m->config.arm_colours - 1;
	uint64_t colour = addr >> 12 & mask, lines = s->user_lines[frame];

	if (colour != (frame & mask) && !s->kernel_flushed[frame])
		sim_violation("access to %#llx: the kernel's lines of frame "
			      "%#llx are still in the cache, under another "
			      "colour",
			      (unsigned long long)addr,
			      (unsigned long long)frame);
	if (lines >> 3 == s->epoch && (lines & 7) != colour)
		sim_violation("access to %#llx: frame %#llx was written under "
			      "colour %u",
			      (unsigned long long)addr,
			      (unsigned long long)frame, (unsigned)(lines & 7));
	if (kind == SIM_WRITE)
		s->user_lines[frame] = s->epoch << 3 | colour;
}

void sim_arm_used(struct sim_cpu *cpu, enum sim_access_kind kind, uaddr_t addr,
		  paddr_t phys)
{
	struct sim_machine *m = cpu->m;
	struct arm_state *s = state_of(m);
	uint64_t frame = phys >> 12;
	unsigned code;

	if (!s->code || frame < s->first || addr >= 0xc0000000u)
		return;
	if (s->user_lines)
		check_alias(m, kind, addr, frame);
	if (kind == SIM_READ)
		return;
	code = __atomic_load_n(&s->code[frame], __ATOMIC_ACQUIRE);
	if (kind == SIM_WRITE) {
		if (code == CODE_SYNCED)
			__atomic_store_n(&s->code[frame], CODE_USER,
					 __ATOMIC_RELAXED);
		return;
	}
	if (code == CODE_UNKNOWN)
		sim_violation("fetch at %#llx from frame %#llx, which the "
			      "instruction cache has not been told of",
			      (unsigned long long)addr,
			      (unsigned long long)frame);
	/* other CPUs' kernels may be about to change and sync it */
	else if (code == CODE_SYNCED && m->nr_cpus == 1 &&
		 __atomic_load_n(&s->hash[frame], __ATOMIC_RELAXED) !=
			 frame_hash(m, frame))
		sim_violation("fetch at %#llx from frame %#llx, written since "
			      "the instruction cache was told of it",
			      (unsigned long long)addr,
			      (unsigned long long)frame);
}

void sim_arm_pages_freed(struct sim_machine *m, const void *mem, size_t bytes)
{
	struct arm_state *s = state_of(m);
	uint64_t frame = (uint64_t)((const char *)mem - m->ram) >> 12;
	uint64_t end = frame + (bytes >> 12);

	for (; s->code && frame < end; frame++) {
		struct shadow *sh = NULL;

		__atomic_store_n(&s->code[frame], CODE_UNKNOWN,
				 __ATOMIC_RELAXED);
		if (s->user_lines) {
			if (s->user_lines[frame] >> 3 == s->epoch)
				sim_violation("frame %#llx is freed, and lines "
					      "of it are in the cache",
					      (unsigned long long)frame);
			s->kernel_flushed[frame] = 0;
			s->user_lines[frame] = 0;
		}
		if (s->shadow)
			sh = __atomic_load_n(&s->shadow[frame],
					     __ATOMIC_ACQUIRE);
		if (sh)
			__atomic_store_n(&sh->valid, 0, __ATOMIC_RELEASE);
	}
}

/* ----------------------------------------------------------- TLB operations */

struct tlb_op {
	unsigned asid;
	uaddr_t start, end; /* end 0: the whole asid */
};

static void tlb_op(void *arg)
{
	const struct tlb_op *op = arg;
	struct sim_tlb *tlb = &sim_self->tlb;
	uaddr_t addr;

	if (!op->end) {
		tlb_flush_asid(tlb, op->asid);
		return;
	}
	for (addr = op->start; addr < op->end; addr += 4096)
		tlb_flush_asid_page(tlb, op->asid, addr);
}

/* On this CPU, and where the machine broadcasts on all others. */
static void do_tlb_op(struct tlb_op *op)
{
	struct sim_machine *m = sim_self->m;
	const struct sim_config *c = &m->config;

	if (forgets(SIM_ARM_FORGET_TLB))
		return;
	tlb_op(op);
	if (c->arm_version < 7 || c->arm_no_broadcast || !m->cpu[1])
		return;
	cpu_call(~(cpumask_t)0, tlb_op, op);
}

void quire_host_flush_asid_range(unsigned asid, uaddr_t start, uaddr_t end)
{
	struct tlb_op op = {asid, start, end};

	count(&state_of(sim_self->m)->stats.flush_asid_page);
	sim_self->stats.flush_page += (end - start) >> 12;
	do_tlb_op(&op);
}

void quire_host_flush_asid(unsigned asid)
{
	struct tlb_op op = {.asid = asid};

	count(&state_of(sim_self->m)->stats.flush_asid);
	sim_self->stats.flush_all++;
	do_tlb_op(&op);
}

/* ------------------------------------------------------------- aliases, fixup
 */

void quire_host_flush_dcache(void *kva, size_t bytes)
{
	struct sim_machine *m = sim_self->m;
	struct arm_state *s = state_of(m);
	uint64_t frame = (uint64_t)((char *)kva - m->ram) >> 12;

	count(&s->stats.flush_dcache);
	if (s->kernel_flushed && !forgets(SIM_ARM_FORGET_KERNEL_LINES))
		memset(s->kernel_flushed + frame, 1, bytes >> 12);
}

void quire_host_flush_dcache_all(void)
{
	struct arm_state *s = state_of(sim_self->m);

	count(&s->stats.flush_dcache_all);
	if (forgets(SIM_ARM_FORGET_USER_LINES))
		return;
	__atomic_fetch_add(&s->epoch, 1u, __ATOMIC_RELAXED);
}

/* The exception table: the one instruction of sim_copy_to/from_user. */
bool quire_host_has_fixup(const struct pt_regs *regs)
{
	return regs->uregs[15] == SIM_IP_FIXABLE;
}

bool quire_host_fixup_exception(struct pt_regs *regs)
{
	if (!quire_host_has_fixup(regs))
		return false;
	regs->uregs[15] = SIM_IP_FIXUP;
	sim_self->task->fixed_up = true;
	return true;
}
