/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - which address space each CPU has loaded, and how stale translations
 * are kept from being used.
 *
 *   mm->cpumask      CPUs that have mm loaded: only they are interrupted
 *   mm tlb_gen       moves, before the interrupt, with every flush
 *   cpu ctxs[asid]   { which mm, up to which generation } the CPU's TLB holds
 *
 *        changer                               switcher (interrupts off)
 *        clear entry                           set bit in mm->cpumask
 *        tlb_gen++           (full barriers)   read tlb_gen
 *        read cpumask                          load table, flush if behind
 *
 * One of the two sees the other: either the changer interrupts the switcher's
 * CPU (the interrupt is taken once the switch is complete), or the switcher
 * reads the new generation and flushes.
 *
 * A CPU that leaves mm takes its bit away and may keep entries under mm's
 * hardware id; coming back, it compares generations.  A flush that is exactly
 * one generation ahead flushes its own range; further ahead flushes all.
 *
 * Locks: none.  Per-CPU state is written by its own CPU only, in the switch
 * with interrupts off or in a flush; a flush interrupt that comes in the middle
 * of a local flush can only leave a generation recorded that is too old, and
 * so cause one flush more.
 */
#include "mm.h"
#include <asm/tlb.h>

struct flush_info {
	struct mm_struct *mm;
	uaddr_t start, end;
	uint64_t new_gen;
};

void init_mm_context(struct mm_struct *mm)
{
	mm->context.ctx_id = __atomic_add_fetch(&mm->q->arch.last_ctx_id, 1u,
						__ATOMIC_RELAXED);
	mm->context.tlb_gen = 1;
	mm->cpumask = 0;
}

/*
 * Pick the hardware id for mm on this CPU.  *noflush: the TLB is known to hold
 * nothing stale under it.
 */
static unsigned choose_asid(struct quire *q, struct arch_cpu *ac,
			    struct mm_struct *mm, uint64_t gen, bool *noflush)
{
	unsigned n = q->arch.nr_asids;
	unsigned asid;

	*noflush = false;
	if (n == 0) {
		ac->ctxs[0].ctx_id = mm->context.ctx_id;
		ac->ctxs[0].tlb_gen = gen;
		return 0;
	}
	for (asid = 0; asid < n; asid++)
		if (ac->ctxs[asid].ctx_id == mm->context.ctx_id) {
			*noflush = ac->ctxs[asid].tlb_gen >= gen;
			ac->ctxs[asid].tlb_gen = gen;
			return asid;
		}
	asid = ac->next_asid;
	ac->next_asid = asid + 1 < n ? asid + 1 : 0;
	ac->ctxs[asid].ctx_id = mm->context.ctx_id;
	ac->ctxs[asid].tlb_gen = gen;
	return asid;
}

void quire_switch_mm(struct quire *q, struct mm_struct *mm)
{
	unsigned cpu = quire_host_cpu();
	struct quire_cpu *qc = q->cpu[cpu];
	struct mm_struct *prev = qc->loaded_mm;
	unsigned asid;
	bool noflush;
	uint64_t gen;

	if (prev == mm)
		return;
	if (mm) {
		/* a full barrier: see the picture above */
		__atomic_fetch_or(&mm->cpumask, (cpumask_t)1 << cpu,
				  __ATOMIC_SEQ_CST);
		gen = __atomic_load_n(&mm->context.tlb_gen, __ATOMIC_SEQ_CST);
		asid = choose_asid(q, &qc->arch, mm, gen, &noflush);
		qc->arch.loaded_asid = asid;
		WRITE_ONCE(qc->loaded_mm, mm);
		/* id 0 is the kernel's own */
		quire_host_load_table(virt_to_phys(q, mm->pgd),
				      q->arch.nr_asids ? asid + 1 : 0, noflush);
	} else {
		WRITE_ONCE(qc->loaded_mm, NULL);
		quire_host_load_table(q->arch.kernel_root, 0, false);
	}
	if (prev)
		__atomic_fetch_and(&prev->cpumask, ~((cpumask_t)1 << cpu),
				   __ATOMIC_SEQ_CST);
}

/* Bring this CPU's TLB up to date for info->mm, if it has it loaded. */
static void flush_tlb_func(void *arg)
{
	const struct flush_info *f = arg;
	struct mm_struct *mm = f->mm;
	struct quire_cpu *qc = this_cpu(mm->q);
	struct arch_cpu *ac = &qc->arch;
	uint64_t mm_gen, local_gen;
	uaddr_t addr;

	if (READ_ONCE(qc->loaded_mm) != mm)
		return;
	local_gen = READ_ONCE(ac->ctxs[ac->loaded_asid].tlb_gen);
	mm_gen = __atomic_load_n(&mm->context.tlb_gen, __ATOMIC_SEQ_CST);
	if (local_gen == mm_gen)
		return;
	if (f->end != TLB_FLUSH_ALL && f->new_gen == local_gen + 1 &&
	    f->new_gen == mm_gen) {
		for (addr = f->start; addr < f->end; addr += (uaddr_t)PAGE_SIZE)
			quire_host_flush_page(addr);
		mod_vmstat(mm->q, VM_quire_tlb_flush_page,
			   (long)((f->end - f->start) >> PAGE_SHIFT));
	} else {
		quire_host_flush_all(false);
		count_vm_event(mm->q, VM_quire_tlb_flush_all);
	}
	WRITE_ONCE(ac->ctxs[ac->loaded_asid].tlb_gen, mm_gen);
}

/*
 * What flush_tlb_func() does in nearly all cases, where it can be seen at once:
 * one page, on a CPU that has missed nothing.  (Another flush that has moved
 * the generation meanwhile will interrupt this CPU.)
 */
static __always_inline bool flush_one_here(struct quire_cpu *qc,
					   const struct flush_info *f)
{
	struct arch_cpu *ac = &qc->arch;
	uint64_t *local = &ac->ctxs[ac->loaded_asid].tlb_gen;

	if (unlikely(READ_ONCE(qc->loaded_mm) != f->mm ||
		     f->end - f->start != (uaddr_t)PAGE_SIZE ||
		     READ_ONCE(*local) + 1 != f->new_gen))
		return false;
	quire_host_flush_page(f->start);
	cpu_count(qc, VM_quire_tlb_flush_page, 1);
	WRITE_ONCE(*local, f->new_gen);
	return true;
}

void flush_tlb_mm_range(struct mm_struct *mm, uaddr_t start, uaddr_t end)
{
	struct flush_info f = {.mm = mm, .start = start, .end = end};
	cpumask_t others;
	unsigned cpu;

	if (end != TLB_FLUSH_ALL &&
	    (end - start) >> PAGE_SHIFT > TLB_FLUSH_CEILING)
		f.end = TLB_FLUSH_ALL;
	quire_host_preempt_disable();
	cpu = quire_host_cpu();
	f.new_gen =
		__atomic_add_fetch(&mm->context.tlb_gen, 1u, __ATOMIC_SEQ_CST);
	if (!likely(flush_one_here(mm->q->cpu[cpu], &f)))
		flush_tlb_func(&f);
	others = __atomic_load_n(&mm->cpumask, __ATOMIC_SEQ_CST) &
		 ~((cpumask_t)1 << cpu);
	if (unlikely(others)) {
		count_vm_event(mm->q, VM_quire_tlb_shootdown);
		quire_host_cpu_call(others, flush_tlb_func, &f);
	}
	quire_host_preempt_enable();
}
