/* SPDX-License-Identifier: MIT */
/*
 * tlb.c - ARM's address-space ids, and flushing (Z3).
 *
 * The processor tags what it caches with an 8-bit ASID, so a switch need not
 * flush.  One ASID means the same mm on all CPUs, because one CPU's flush by
 * ASID reaches all of them.  There may be more address spaces than ids; so an
 * id is good for one *generation* only:
 *
 *     mm->context.id    63 ............... 8   7 ... 0      0: never had one
 *                          generation            ASID
 *
 *     switch to mm      generation current, and no rollover took this CPU's
 *                       active id?  Then it is one exchange, no lock.
 *     else, locked      a free ASID of this generation.
 *     none free         ROLLOVER: the generation moves, every id is free again
 *                       except those that run on some CPU at this moment (they
 *                       are `reserved` and stay theirs: nobody is interrupted)
 *                       and every CPU is to flush its whole TLB before it next
 *                       loads an id.
 *
 * Why nothing stale is used: an ASID handed out in generation g was last used
 * in g-1 or before, unless it is reserved, when its owner keeps it.  A CPU may
 * have entries of that earlier use; it flushes everything before it loads any
 * id of g: either it comes by the lock, since its `active` is 0, and finds
 * flush_pending; or it had loaded its id before the rollover, and that is
 * reserved.  The exchange on `active` decides which of the two it is.
 *
 *        changer                               switcher
 *        clear entry                           mm gets a new id
 *        full barrier                          full barrier (the exchange)
 *        read mm's id, flush that ASID         load table: walks
 *
 * Either the changer reads the new id, or the switcher's walks find the entry
 * changed.  An id of a past generation is flushed as well: it may still be
 * loaded as a reserved one; if it has another owner by now, that costs it a few
 * walks.
 *
 * Where one CPU's operations do not reach the others (arch.cpu_masks),
 * mm->cpumask says which CPUs have loaded mm since its ASID was given: they are
 * called.
 *
 * Locks: arch.asid_lock (LEAF) for all but the first case.
 */
#include <asm/tlb.h>

/* What a CPU has active that runs in the kernel's own table: ASID 0. */
#define KERNEL_ID (~ARM_ASID_MASK)

void init_mm_context(struct mm_struct *mm)
{
	mm->context.id = 0;
	mm->context.lines_left = false;
	mm->cpumask = 0;
}

static bool asid_taken(const struct arch_system *a, unsigned asid)
{
	return a->asid_map[asid / 32] >> asid % 32 & 1u;
}

static void take_asid(struct arch_system *a, unsigned asid)
{
	a->asid_map[asid / 32] |= 1u << asid % 32;
}

/* asid_lock held: what is loaded anywhere stays, all else is free again. */
static void rollover(struct quire *q)
{
	struct arch_system *a = &q->arch;
	unsigned cpu;
	uint64_t id;

	__builtin_memset(a->asid_map, 0, sizeof(a->asid_map));
	take_asid(a, 0);
	__atomic_store_n(&a->generation, a->generation + ARM_NR_ASIDS,
			 __ATOMIC_RELAXED);
	for (cpu = 0; cpu < q->cpus; cpu++) {
		struct arch_cpu *ac = &q->cpu[cpu]->arch;

		id = __atomic_exchange_n(&ac->active, 0, __ATOMIC_SEQ_CST);
		/* 0: it has not been here since the rollover before */
		if (id)
			ac->reserved = id;
		take_asid(a, (unsigned)(ac->reserved & ARM_ASID_MASK));
		a->flush_pending |= (cpumask_t)1 << cpu;
	}
	count_vm_event(q, VM_quire_asid_rollover);
}

/* asid_lock held: is `id` loaded on some CPU?  Then it becomes `fresh`. */
static bool renew_reserved(struct quire *q, uint64_t id, uint64_t fresh)
{
	bool found = false;
	unsigned cpu;

	/* threads may run on several */
	for (cpu = 0; cpu < q->cpus; cpu++)
		if (q->cpu[cpu]->arch.reserved == id) {
			q->cpu[cpu]->arch.reserved = fresh;
			found = true;
		}
	return found;
}

/* asid_lock held: a free ASID from next_asid on, or 0. */
static unsigned find_asid(struct arch_system *a)
{
	unsigned asid;

	for (asid = a->next_asid; asid < a->nr_asids; asid++)
		if (!asid_taken(a, asid)) {
			a->next_asid = asid + 1;
			take_asid(a, asid);
			return asid;
		}
	return 0;
}

/* asid_lock held: an id of the current generation for mm. */
static uint64_t new_id(struct quire *q, struct mm_struct *mm)
{
	struct arch_system *a = &q->arch;
	uint64_t old = mm->context.id;
	unsigned asid = (unsigned)(old & ARM_ASID_MASK);

	if (old) {
		if (renew_reserved(q, old, a->generation | asid))
			return a->generation | asid;
		/* the old number again, if nobody was given it */
		if (!asid_taken(a, asid)) {
			take_asid(a, asid);
			return a->generation | asid;
		}
	}
	asid = find_asid(a);
	if (!asid) {
		rollover(q);
		a->next_asid = 1;
		asid = find_asid(a);
		/* there are more ids than CPUs: arch_system_init */
		QUIRE_BUG_ON(!asid);
	}
	if (a->cpu_masks)
		__atomic_store_n(&mm->cpumask, 0, __ATOMIC_RELAXED);
	return a->generation | asid;
}

/* The first use of an id, or a rollover came between. */
static __noinline uint64_t switch_slow(struct quire *q, struct mm_struct *mm,
				       unsigned cpu)
{
	struct arch_system *a = &q->arch;
	cpumask_t me = (cpumask_t)1 << cpu;
	uint64_t id = KERNEL_ID;

	spin_lock(&a->asid_lock);
	if (mm) {
		id = mm->context.id;
		if ((id & ~ARM_ASID_MASK) != a->generation) {
			id = new_id(q, mm);
			__atomic_store_n(&mm->context.id, id, __ATOMIC_RELAXED);
		}
	}
	if (a->flush_pending & me) {
		a->flush_pending &= ~me;
		quire_host_flush_all(true);
		count_vm_event(q, VM_quire_tlb_flush_all);
	}
	__atomic_store_n(&q->cpu[cpu]->arch.active, id, __ATOMIC_SEQ_CST);
	spin_unlock(&a->asid_lock);
	return id;
}

/* Make mm's id this CPU's active one. */
static unsigned choose_asid(struct quire *q, struct mm_struct *mm, unsigned cpu)
{
	uint64_t *active = &q->cpu[cpu]->arch.active;
	uint64_t id = KERNEL_ID, was;

	if (mm)
		id = __atomic_load_n(&mm->context.id, __ATOMIC_RELAXED);
	was = __atomic_load_n(active, __ATOMIC_RELAXED);
	if (likely(was) &&
	    likely(!mm || (id & ~ARM_ASID_MASK) ==
				  __atomic_load_n(&q->arch.generation,
						  __ATOMIC_RELAXED)) &&
	    /* fails only if a rollover has just set it to 0 */
	    likely(__atomic_compare_exchange_n(active, &was, id, false,
					       __ATOMIC_SEQ_CST,
					       __ATOMIC_RELAXED)))
		return (unsigned)(id & ARM_ASID_MASK);
	return (unsigned)(switch_slow(q, mm, cpu) & ARM_ASID_MASK);
}

void quire_switch_mm(struct quire *q, struct mm_struct *mm)
{
	unsigned cpu = quire_host_cpu(), asid = 0;
	struct quire_cpu *qc = q->cpu[cpu];
	bool ids = q->arch.nr_asids != 0;

	if (qc->loaded_mm == mm)
		return;
	if (likely(ids))
		asid = choose_asid(q, mm, cpu);
	if (mm && q->arch.cpu_masks)
		__atomic_fetch_or(&mm->cpumask, (cpumask_t)1 << cpu,
				  __ATOMIC_SEQ_CST);
	if (!ids && q->arch.cpu_masks && qc->loaded_mm)
		__atomic_fetch_and(&qc->loaded_mm->cpumask,
				   ~((cpumask_t)1 << cpu), __ATOMIC_SEQ_CST);
	WRITE_ONCE(qc->loaded_mm, mm);
	quire_host_load_table(
		mm ? virt_to_phys(q, mm->pgd) : q->arch.kernel_root, asid, ids);
}

struct flush_info {
	struct mm_struct *mm;
	unsigned asid;
	uaddr_t start, end;
};

static void flush_tlb_func(void *arg)
{
	const struct flush_info *f = arg;

	if (f->end == TLB_FLUSH_ALL)
		quire_host_flush_asid(f->asid);
	else
		quire_host_flush_asid_range(f->asid, f->start, f->end);
}

/*
 * Called on another CPU.  If it has left mm, it forgets all of it and will not
 * be called again before it comes back; the switch holds calls off, so it is
 * one or the other.
 */
static void flush_tlb_other(void *arg)
{
	const struct flush_info *f = arg;
	unsigned cpu = quire_host_cpu();

	if (READ_ONCE(f->mm->q->cpu[cpu]->loaded_mm) == f->mm) {
		flush_tlb_func(arg);
		return;
	}
	quire_host_flush_asid(f->asid);
	__atomic_fetch_and(&f->mm->cpumask, ~((cpumask_t)1 << cpu),
			   __ATOMIC_SEQ_CST);
}

/* The other CPUs that may have entries of mm, and cannot be reached from here.
 */
static __noinline void flush_others(struct mm_struct *mm, struct flush_info *f)
{
	cpumask_t others = __atomic_load_n(&mm->cpumask, __ATOMIC_SEQ_CST) &
			   ~((cpumask_t)1 << quire_host_cpu());

	if (!others)
		return;
	count_vm_event(mm->q, VM_quire_tlb_shootdown);
	quire_host_cpu_call(others, flush_tlb_other, f);
}

void flush_tlb_mm_range(struct mm_struct *mm, uaddr_t start, uaddr_t end)
{
	struct quire *q = mm->q;
	struct flush_info f = {.mm = mm, .start = start, .end = end};
	uaddr_t pages = (end - start) >> PAGE_SHIFT;
	uint64_t id;

	smp_mb(); /* see the second picture above */
	id = __atomic_load_n(&mm->context.id, __ATOMIC_RELAXED);
	if (!id && q->arch.nr_asids) {
		/* never loaded: only its entries must be there once it is */
		quire_host_table_written(mm->pgd, sizeof(uint32_t));
		return;
	}
	f.asid = (unsigned)(id & ARM_ASID_MASK);
	quire_host_preempt_disable();
	if (end == TLB_FLUSH_ALL || pages > TLB_FLUSH_CEILING) {
		f.end = TLB_FLUSH_ALL;
		count_vm_event(q, VM_quire_tlb_flush_all);
	} else {
		mod_vmstat(q, VM_quire_tlb_flush_page, (long)pages);
	}
	flush_tlb_func(&f);
	if (unlikely(q->arch.cpu_masks))
		flush_others(mm, &f);
	if (unlikely(mm->context.lines_left)) {
		mm->context.lines_left = false;
		quire_host_flush_dcache_all();
	}
	quire_host_preempt_enable();
}
