/* SPDX-License-Identifier: MIT */
/*
 * kmmio.c - probes on device registers (E4).
 *
 *   register      the kernel's entry for the page loses P; all TLBs flushed
 *   access        page fault -> kmmio_fault
 *                    open: P is back; pre(); TF set, IF clear in the registers
 *   repeated      one instruction, then the debug exception
 *   debug trap    quire_kmmio_debug
 *                    post(); closed: P goes again; TLBs flushed; TF and IF as
 *                    they were
 *
 * The entry is otherwise left as the host made it, so the way back is one bit.
 *
 * One instruction may touch several probed pages: each faults in turn, and is
 * opened with the others.  A step may be interrupted before its instruction
 * runs (the exception turns interrupts on): what happens then ends before, so
 * the steps of a CPU form a stack.
 *
 * Two CPUs may have a page open at once: `open` counts, and the last one closes
 * it.  A CPU that finds it closed again by another's doing opens it again.
 *
 * Faults take no lock: an interrupt handler that touches a probed page may have
 * interrupted a registration on this CPU.  So pages are never forgotten, only
 * taken over, and a probe leaves its list in two steps: it is marked as dead,
 * which later accesses heed; when every CPU has been seen outside of handlers
 * and steps, it is taken out of the list, and when all have been seen outside
 * again, it is the caller's.
 *
 * Locks: kmmio.lock for registering.
 */
#include "fault.h"
#include <asm/fault.h>
#include <quire/kmmio.h>

#define STEP_FLAGS (X86_EFLAGS_TF | X86_EFLAGS_IF)

/* ------------------------------------------------------------- the pages */

static void flush_page(void *arg)
{
	quire_host_flush_page(*(uaddr_t *)arg);
}

/* No TLB has it when this returns. */
static void flush_everywhere(struct quire *q, uaddr_t addr)
{
	cpumask_t others;

	quire_host_preempt_disable();
	others = q->cpus < QUIRE_MAX_CPUS ? ((cpumask_t)1 << q->cpus) - 1
					  : ~(cpumask_t)0;
	others &= ~((cpumask_t)1 << quire_host_cpu());
	quire_host_flush_page(addr);
	if (others)
		quire_host_cpu_call(others, flush_page, &addr);
	quire_host_preempt_enable();
}

static bool is_present(const struct kmmio_page *p)
{
	return (__atomic_load_n((pteval_t *)p->entry, __ATOMIC_SEQ_CST) &
		_PAGE_PRESENT) != 0;
}

static void make_present(struct kmmio_page *p)
{
	__atomic_fetch_or((pteval_t *)p->entry, _PAGE_PRESENT,
			  __ATOMIC_SEQ_CST);
}

static void make_absent(struct quire *q, struct kmmio_page *p)
{
	__atomic_fetch_and((pteval_t *)p->entry, ~_PAGE_PRESENT,
			   __ATOMIC_SEQ_CST);
	flush_everywhere(q, p->addr);
}

static struct kmmio_page *find_page(struct kmmio_system *k, uaddr_t addr)
{
	struct kmmio_page *p;
	uaddr_t start;

	for (p = k->page; p < k->page + KMMIO_PAGES; p++) {
		start = smp_load_acquire(&p->addr);
		if (start && (addr ^ start) >> p->shift == 0)
			return p;
	}
	return NULL;
}

static void open_page(struct kmmio_page *p)
{
	__atomic_fetch_add(&p->open, 1u, __ATOMIC_SEQ_CST);
	make_present(p);
}

/*
 * Whoever opens it between our count and our clearing of P faults once more,
 * and makes it present again: kmmio_fault.
 */
static void close_page(struct quire *q, struct kmmio_page *p)
{
	if (__atomic_sub_fetch(&p->open, 1u, __ATOMIC_SEQ_CST) == 0 &&
	    __atomic_load_n(&p->armed, __ATOMIC_SEQ_CST) == KMMIO_ARMED)
		make_absent(q, p);
}

/* ------------------------------------------------------------- the probes */

static struct kmmio_cpu *cpu_enter(struct quire *q)
{
	struct kmmio_cpu *c;

	quire_host_preempt_disable();
	c = &this_cpu(q)->arch.kmmio;
	if (c->inside++ == 0)
		__atomic_fetch_add(&c->seq, 1u, __ATOMIC_SEQ_CST);
	return c;
}

static void cpu_leave(struct kmmio_cpu *c)
{
	if (--c->inside == 0)
		__atomic_fetch_add(&c->seq, 1u, __ATOMIC_SEQ_CST);
	quire_host_preempt_enable();
}

/* Until every other CPU has been seen outside since the call. */
static void wait_for_cpus(struct quire *q)
{
	unsigned i, spins;
	uint64_t *at, seq;

	for (i = 0; i < q->cpus; i++) {
		at = &q->cpu[i]->arch.kmmio.seq;
		seq = __atomic_load_n(at, __ATOMIC_SEQ_CST);
		if (!(seq & 1))
			continue;
		for (spins = 0; __atomic_load_n(at, __ATOMIC_SEQ_CST) == seq;
		     spins++)
			quire_host_relax(spins);
	}
}

/* Call the handlers of a hit, of those probes that were there at its time. */
static void call_probes(struct kmmio_system *k, struct pt_regs *regs,
			uaddr_t addr, uint64_t when, bool post)
{
	struct quire_kmmio_probe *p;
	uint64_t died;

	for (p = smp_load_acquire(&k->probes); p;
	     p = smp_load_acquire(&p->next)) {
		died = __atomic_load_n(&p->died, __ATOMIC_ACQUIRE);
		if (p->born > when || (died && died <= when) ||
		    addr - p->addr >= p->len)
			continue;
		if (post ? !p->post : !p->pre)
			continue;
		quire_step("a probe watches this address");
		if (post)
			p->post(p, regs, addr);
		else
			p->pre(p, regs, addr);
	}
}

/* ---------------------------------------------------------------- the step */

/* The step that the instruction at regs is in, if any. */
static struct kmmio_step *step_of(struct kmmio_cpu *c,
				  const struct pt_regs *regs)
{
	struct kmmio_step *s;

	if (!c->depth || !(regs->flags & X86_EFLAGS_TF) || user_mode(regs))
		return NULL;
	s = &c->step[c->depth - 1];
	return s->ip == regs->ip ? s : NULL;
}

/* The step is over, or not to be: flags as they were, pages closed. */
static void end_step(struct quire *q, struct kmmio_cpu *c, struct kmmio_step *s,
		     struct pt_regs *regs)
{
	const uaddr_t mask = STEP_FLAGS;

	while (s->n)
		close_page(q, s->hit[--s->n].page);
	regs->flags = (regs->flags & ~mask) | s->flags;
	c->depth--;
	cpu_leave(c);
}

static bool step_has(const struct kmmio_step *s, const struct kmmio_page *p)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (s->hit[i].page == p)
			return true;
	return false;
}

/* The access to p is let through, and told; s: the step it belongs to. */
static void add_hit(struct quire *q, struct kmmio_step *s, struct kmmio_page *p,
		    struct pt_regs *regs, uaddr_t addr)
{
	uint64_t when = __atomic_load_n(&q->arch.kmmio.clock, __ATOMIC_SEQ_CST);

	s->hit[s->n].page = p;
	s->hit[s->n].addr = addr;
	s->hit[s->n].when = when;
	s->n++;
	open_page(p);
	call_probes(&q->arch.kmmio, regs, addr, when, false);
}

static struct kmmio_step *begin_step(struct kmmio_cpu *c, struct pt_regs *regs)
{
	const uaddr_t mask = STEP_FLAGS;
	struct kmmio_step *s = &c->step[c->depth++];

	s->ip = regs->ip;
	s->flags = regs->flags & mask;
	s->n = 0;
	return s;
}

/* E3: what is missing may be the way to the page, not the page. */
static void sync_loaded_table(struct quire *q, uaddr_t addr)
{
	struct mm_struct *mm = this_cpu(q)->loaded_mm;

	if (mm)
		(void)sync_kernel_entry(q, mm->pgd, addr);
}

/*
 * c was entered for this fault.  1: the instruction is to be repeated; *keep:
 * as a step, so c is left when that ends.  0: not ours.
 */
static int fault_in_page(struct quire *q, struct kmmio_cpu *c,
			 struct kmmio_page *p, struct pt_regs *regs,
			 uaddr_t addr, bool *keep)
{
	struct kmmio_step *s = step_of(c, regs);

	uint32_t armed = __atomic_load_n(&p->armed, __ATOMIC_SEQ_CST);

	if (!armed && !is_present(p))
		return 0; /* it was probed once; the host has changed it */
	if (armed != KMMIO_ARMED || (s && step_has(s, p))) {
		quire_step("its probe has gone, or another CPU has closed it");
		if (armed)
			make_present(p);
		sync_loaded_table(q, addr);
		return 1;
	}
	if (s ? s->n == KMMIO_HITS : c->depth == KMMIO_DEPTH)
		return 0;
	if (!s) {
		s = begin_step(c, regs);
		*keep = true;
	}
	quire_step("probed memory: opened for this one instruction");
	add_hit(q, s, p, regs, addr);
	regs->flags =
		(regs->flags & ~(uaddr_t)STEP_FLAGS) | (uaddr_t)X86_EFLAGS_TF;
	return 1;
}

static int kmmio_fault(struct quire *q, struct pt_regs *regs,
		       unsigned long error, uaddr_t addr)
{
	struct kmmio_step *s;
	struct kmmio_page *p;
	struct kmmio_cpu *c;
	bool keep = false;
	int ret = 0;

	if (user_mode(regs) || (error & X86_PF_USER))
		return 0;
	c = cpu_enter(q);
	p = error & X86_PF_PROT ? NULL : find_page(&q->arch.kmmio, addr);
	if (p) {
		ret = fault_in_page(q, c, p, regs, addr, &keep);
	} else {
		/* it needs something else first, and may sleep for it */
		s = step_of(c, regs);
		if (s)
			end_step(q, c, s, regs);
	}
	if (!keep)
		cpu_leave(c);
	return ret;
}

bool quire_kmmio_debug(struct pt_regs *regs)
{
	struct quire *q = quire_host_current()->q;
	struct kmmio_cpu *c = &this_cpu(q)->arch.kmmio;
	struct kmmio_step *s;
	uint32_t i;

	if (user_mode(regs) || !c->depth || !(regs->flags & X86_EFLAGS_TF))
		return false;
	s = &c->step[c->depth - 1];
	for (i = s->n; i--;)
		call_probes(&q->arch.kmmio, regs, s->hit[i].addr,
			    s->hit[i].when, true);
	end_step(q, c, s, regs);
	/* it was being stepped already: its debugger wants to know */
	return !(regs->flags & X86_EFLAGS_TF);
}

void quire_kmmio_cancel(struct pt_regs *regs)
{
	struct quire_task *task = quire_host_current();
	struct kmmio_cpu *c;
	struct kmmio_step *s;

	if (!task || !task->q)
		return;
	c = &this_cpu(task->q)->arch.kmmio;
	s = step_of(c, regs);
	if (s)
		end_step(task->q, c, s, regs);
}

/* ------------------------------------------------------------- registering */

/* The host's page at addr, as a page of ours that has no probe yet. */
static int take_page(struct quire *q, uaddr_t addr)
{
	struct kmmio_system *k = &q->arch.kmmio;
	struct kmmio_page *p = find_page(k, addr), *end = k->page + KMMIO_PAGES;
	struct x86_walk w;
	uint32_t i;

	if (p)
		return 0;
	x86_walk_table(q, q->arch.kernel_root, addr, &w);
	if (!w.n || !(w.entry[w.n - 1] & _PAGE_PRESENT))
		return -EFAULT;
	if (w.n < 2) /* each address space has a copy of that entry */
		return -EINVAL;
	for (p = k->page; p < end && p->addr; p++)
		;
	for (i = 0; p == end && i < KMMIO_PAGES; i++) {
		k->oldest = (k->oldest + 1) % KMMIO_PAGES;
		if (!k->page[k->oldest].probes)
			p = &k->page[k->oldest];
	}
	if (p == end)
		return -ENOSPC;
	__atomic_store_n(&p->addr, 0, __ATOMIC_SEQ_CST);
	p->shift = w.shift[w.n - 1];
	p->entry = w.slot;
	smp_store_release(&p->addr, addr & ~(((uaddr_t)1 << p->shift) - 1));
	return 0;
}

/* Where the page after addr's begins. */
static uaddr_t next_page(const struct kmmio_page *p, uaddr_t addr)
{
	return (addr | (((uaddr_t)1 << p->shift) - 1)) + 1;
}

static bool covers(uaddr_t at, const struct quire_kmmio_probe *probe)
{
	return at - probe->addr < probe->len;
}

static void put_pages(struct quire *q, const struct quire_kmmio_probe *probe,
		      uaddr_t end)
{
	struct kmmio_page *p;
	uaddr_t at;

	for (at = probe->addr; at != end && covers(at, probe);
	     at = next_page(p, at)) {
		p = find_page(&q->arch.kmmio, at);
		if (--p->probes)
			continue;
		__atomic_store_n(&p->armed, KMMIO_LEAVING, __ATOMIC_SEQ_CST);
		make_present(p);
	}
}

/* Nobody is in the middle of opening or closing: pages without probe rest. */
static void rest_pages(struct quire *q)
{
	struct kmmio_page *p = q->arch.kmmio.page;

	for (; p < q->arch.kmmio.page + KMMIO_PAGES; p++) {
		if (p->probes || p->armed != KMMIO_LEAVING)
			continue;
		make_present(p);
		__atomic_store_n(&p->armed, 0, __ATOMIC_SEQ_CST);
	}
}

static int get_pages(struct quire *q, const struct quire_kmmio_probe *probe)
{
	struct kmmio_page *p;
	uaddr_t at;
	int err;

	for (at = probe->addr; covers(at, probe); at = next_page(p, at)) {
		err = take_page(q, at);
		if (err) {
			put_pages(q, probe, at);
			return err;
		}
		p = find_page(&q->arch.kmmio, at);
		if (p->probes++)
			continue;
		__atomic_store_n(&p->armed, KMMIO_ARMED, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&p->open, __ATOMIC_SEQ_CST))
			make_absent(q, p);
	}
	return 0;
}

static struct quire_kmmio_probe **find_probe(struct kmmio_system *k,
					     struct quire_kmmio_probe *probe)
{
	struct quire_kmmio_probe **at = &k->probes;

	while (*at && *at != probe)
		at = &(*at)->next;
	return at;
}

int quire_kmmio_register(struct quire *q, struct quire_kmmio_probe *probe)
{
	struct kmmio_system *k = &q->arch.kmmio;
	int err = -EBUSY;

	if (!probe->len || probe->addr + (probe->len - 1) < probe->addr ||
	    !fault_in_kernel_space(probe->addr))
		return -EINVAL;
	spin_lock(&k->lock);
	if (*find_probe(k, probe))
		goto unlock;
	WRITE_ONCE(q->kmmio_fault, kmmio_fault);
	err = get_pages(q, probe);
	if (err)
		goto unlock;
	/* armed first: what faults before it is in the list has no handler */
	probe->died = 0;
	probe->born = k->clock + 1;
	probe->next = k->probes;
	smp_store_release(&k->probes, probe);
	__atomic_store_n(&k->clock, probe->born, __ATOMIC_SEQ_CST);
unlock:
	spin_unlock(&k->lock);
	return err;
}

void quire_kmmio_unregister(struct quire *q, struct quire_kmmio_probe *probe)
{
	struct kmmio_system *k = &q->arch.kmmio;
	struct quire_kmmio_probe **at;

	spin_lock(&k->lock);
	at = find_probe(k, probe);
	if (!*at || probe->died) {
		spin_unlock(&k->lock);
		return;
	}
	__atomic_store_n(&probe->died, k->clock + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&k->clock, k->clock + 1, __ATOMIC_SEQ_CST);
	put_pages(q, probe, 0);
	spin_unlock(&k->lock);
	wait_for_cpus(q);
	spin_lock(&k->lock);
	rest_pages(q);
	smp_store_release(find_probe(k, probe), probe->next);
	spin_unlock(&k->lock);
	/* who has come upon it in the list is still to read its next */
	wait_for_cpus(q);
}
