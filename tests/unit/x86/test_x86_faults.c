/* SPDX-License-Identifier: MIT */
/*
 * What x86's page-fault handler does before and beside the common path: NX,
 * SMAP, kmmio, interrupts.
 */
#include <asm/ptrace.h>

#include <tests/unit/entries.h>

/* behaviour: P1 (without no-execute, what can be read can be run) */
TEST_WITH(no_execute_missing, .config = {.no_nx = true})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint8_t b;

	put64(t, a, 1);
	CHECK_EQ(sim_fetch(t, a, &b, 1), 0);
	CHECK_EQ((uint64_t)pte_at(t, a)->v >> 63, 0);
	sim_exit(t);
}

static unsigned kmmio_calls;
static uaddr_t kmmio_addr;
static int kmmio_probe(struct quire *q, struct pt_regs *regs,
		       unsigned long error, uaddr_t addr)
{
	(void)error;
	pmd_t *pmd = mm_find_pmd(quire_host_current()->mm, addr);
	pte_t *ptep = pte_offset_map(q, pmd, addr);

	(void)regs;
	kmmio_calls++;
	if (addr != kmmio_addr)
		return 0;
	/* disarm: the page is there again */
	set_pte(ptep, pte_modify(ptep_get(ptep), __pgprot(_PAGE_BASE)));
	return 1;
}

/* behaviour: E2 (kmmio_fault looks first, and what it takes is done) */
TEST(kmmio_looks_first)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 2);
	uint64_t min;

	put64(t, a, 5);
	poke(t, a, pte_modify(ptep_get(pte_at(t, a)), PAGE_NONE));
	q->kmmio_fault = kmmio_probe;
	kmmio_addr = a;
	min = t->qt.min_flt;
	CHECK_EQ(get64(t, a), 5);
	CHECK_EQ(kmmio_calls, 1);
	CHECK_EQ(t->qt.min_flt, min);
	/* not its page: goes on as ever */
	put64(t, a + PG, 6);
	CHECK_EQ(kmmio_calls, 2);
	CHECK_EQ(t->qt.min_flt, min + 1);
	q->kmmio_fault = NULL;
	CHECK_EQ(sim_mprotect(t, a, PG, PROT_READ), 0);
	sim_exit(t);
}

/* behaviour: E5 (interrupts off: nothing may sleep, so nothing is answered) */
TEST(kernel_access_with_interrupts_off)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	uint64_t v = 4;

	put64(t, a, 3);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP | SIM_NOIRQ, a,
			    &v, 8),
		 0);
	CHECK_EQ(v, 3);
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL | SIM_FIXUP | SIM_NOIRQ,
			    a + PG, &v, 8),
		 SIM_EFAULT);
	CHECK_EQ(frame_of(t, a + PG), 0);
	sim_exit(t);
}

/* behaviour: E5 (SMAP) */
TEST_WITH(smap_violation, .config = {.smap = true, .smep = true})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint64_t v = 5;

	put64(t, a, 1);
	sim_quiet(m, true);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, a, &v, 8), SIM_OOPS);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP, a, &v, 8),
		 SIM_EFAULT);
	CHECK_EQ(sim_access(t, SIM_FETCH, SIM_KERNEL, a, &v, 8), SIM_OOPS);
	sim_quiet(m, false);
	CHECK_EQ(sim_copy_from_user(t, a, &v, 8), 8);
	CHECK_EQ(v, 1);
	sim_exit(t);
}

static int kmmio_claims_all(struct quire *q, struct pt_regs *regs,
			    unsigned long error, uaddr_t addr)
{
	(void)q;
	(void)error;
	(void)regs;
	(void)addr;
	return 1;
}

/* A fault that is "handled" again and again without the access working. */
TEST_WITH(checker_endless_fault, .config = {.max_faults = 50})
{
	struct sim_task *t = sim_task_create(m);
	uint8_t b;

	sim_quire(m)->kmmio_fault = kmmio_claims_all;
	sim_quiet(m, true);
	CHECK_EQ(sim_load8(t, TEST_KERNEL_HOLE, &b), SIM_LOOP);
	CHECK(sim_violations(m) > 0);
	CHECK(sim_log_contains(m, "faults for ever"));
	sim_violations_clear(m);
	sim_quiet(m, false);
	sim_quire(m)->kmmio_fault = NULL;
	sim_exit(t);
}
