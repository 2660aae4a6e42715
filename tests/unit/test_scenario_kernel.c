/* SPDX-License-Identifier: MIT */
/*
 * Faults in kernel mode: copies to and from user memory, the exception table,
 * the oops, spurious faults, corrupt tables.
 */
#include "common.h"

/* behaviour: E14 */
TEST(copies_fault_pages_in)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	char buf[3 * PG];
	size_t i;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7);
	CHECK_EQ(sim_copy_to_user(t, a + 100, buf, sizeof(buf)), sizeof(buf));
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(sim_copy_from_user(t, a + 100, buf, sizeof(buf)), sizeof(buf));
	for (i = 0; i < sizeof(buf); i++)
		if (buf[i] != (char)(i * 7))
			break;
	CHECK_EQ(i, sizeof(buf));
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviours: E14, E5, E7 */
TEST(copies_stop_where_they_may_not_go)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);
	char buf[4 * PG];

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(sim_munmap(t, a + 2 * PG, 2 * PG), 0);
	CHECK_EQ(sim_copy_to_user(t, a + 10, buf, sizeof(buf)), 2 * PG - 10);
	CHECK(t->fixed_up);
	CHECK_EQ(t->nr_queued, 0);
	CHECK_EQ(sim_copy_from_user(t, a + 2 * PG, buf, 10), 0);
	CHECK_EQ(sim_mprotect(t, a + PG, PG, PROT_READ), 0);
	CHECK_EQ(sim_copy_to_user(t, a, buf, 2 * PG), PG);
	CHECK_EQ(sim_copy_from_user(t, a, buf, 2 * PG), 2 * PG);
	/* never past user space */
	CHECK_EQ(sim_copy_from_user(t, 0xffff888000000000, buf, 8), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E5 (faults disabled) */
TEST(copies_with_faults_disabled)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	char buf[2 * PG] = {0};

	put64(t, a, 1);
	quire_pagefault_disable();
	CHECK_EQ(sim_copy_from_user(t, a, buf, 2 * PG), PG);
	CHECK_EQ(sim_copy_to_user(t, a + PG, buf, 8), 0);
	quire_pagefault_enable();
	CHECK_EQ(sim_copy_to_user(t, a + PG, buf, 8), 8);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E5 (no exception-table entry: oops, not a deadlock) */
TEST(wild_kernel_access_oopses)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t v = 0;

	sim_quiet(m, true);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, 0x1234, &v, 8), SIM_OOPS);
	CHECK(sim_log_contains(m, "1234"));
	sim_log_clear(m);
	/* behaviours: E2, E3 */
	CHECK_EQ(
		sim_access(t, SIM_WRITE, SIM_KERNEL, 0xffffc90000000008, &v, 8),
		SIM_OOPS);
	CHECK(sim_log_contains(m, "ffffc90000000008"));
	/* with an entry it is only an error */
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP,
			    0xffffc90000000008, &v, 8),
		 SIM_EFAULT);
	/* a user program that goes there gets SIGSEGV */
	CHECK_SIGNAL(t, sim_load8(t, 0xffff888000000000, (uint8_t *)&v),
		     SIGSEGV, QUIRE_SEGV_MAPERR, 0xffff888000000000);
	sim_quiet(m, false);
	CHECK_SYSTEM(m);
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

/* The entry of the last level for addr, found as the processor does. */
static uint64_t *pte_of(struct sim_machine *m, paddr_t root, uaddr_t addr)
{
	unsigned l = test_levels(m);
	paddr_t table = root;
	uint64_t *e;

	for (;; l--) {
		e = (uint64_t *)sim_phys(m, table) +
		    ((addr >> (12 + 9 * (l - 1))) & 511);
		if (l == 1)
			return e;
		table = *e & 0x000ffffffffff000;
	}
}

/* behaviour: E3 (stale entry in the TLB: dropped without a word) */
TEST(spurious_kernel_fault)
{
	uaddr_t a =
		test_levels(m) == 5 ? 0xff91000000000000 : 0xffffc90000000000;
	struct sim_task *t = sim_task_create(m);
	uint64_t bytes, v = 77, *e;
	paddr_t base = sim_reserved(m, &bytes), root;
	unsigned l;

	/* a kernel mapping of one page, by hand, in the reference table */
	memset(sim_phys(m, base), 0, 8 * PG);
	root = 0x1000;
	for (l = test_levels(m); l > 1; l--) {
		e = (uint64_t *)sim_phys(m, root) +
		    ((a >> (12 + 9 * (l - 1))) & 511);
		CHECK_EQ(*e, 0);
		*e = (base + (l - 2) * PG) | 3;
		root = base + (l - 2) * PG;
	}
	e = pte_of(m, 0x1000, a);
	*e = (base + 7 * PG) | 1;
	/* t was made before: take an address space made since */
	sim_exit(t);
	t = sim_task_create(m);
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL, a, &v, 8), 0);
	CHECK_EQ(v, 0);
	*e |= 2;
	v = 78;
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL, a, &v, 8), 0);
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(t->error, 3);
	CHECK(!t->oopsed);
	sim_exit(t);
}

/* behaviours: E5, E7 (a reserved bit in a table is no program's fault) */
TEST(corrupt_table_kills)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	uint64_t *e, was;
	struct sim_walk w;
	paddr_t root;

	put64(t, a, 1);
	REQUIRE(sim_translate(m, SIM_READ, 0, a, false, &w));
	root = sim_current_root(m);
	e = pte_of(m, root, a);
	was = *e;
	CHECK_EQ(was & 0x000ffffffffff000, w.phys);
	*e |= 1ull << 51;
	quire_host_flush_page(a);
	sim_quiet(m, true);
	CHECK(sim_store64(t, a, 2) > 0);
	CHECK(t->sig.signo == SIGKILL || t->sig.signo == SIGSEGV);
	CHECK(sim_log_contains(m, "orrupt"));
	sim_quiet(m, false);
	*e = was;
	quire_host_flush_page(a);
	t->killed = false;
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/* behaviour: E1 (an address that is not canonical is another exception) */
TEST(not_canonical)
{
	struct sim_task *t = sim_task_create(m);
	uint8_t v;

	CHECK_SIGNAL(t, sim_load8(t, 0x0100000000000000, &v), SIGSEGV, 0x80, 0);
	CHECK_EQ(t->faults, 0);
	sim_exit(t);
}

/* behaviours: E14, F10 */
TEST(access_to_another_address_space)
{
	struct sim_task *t = sim_task_create(m), *c;
	uaddr_t a = anon(t, 3);
	uint64_t v = 9;
	char buf[4 * PG];

	put64(t, a, 1);
	c = sim_fork(t);
	REQUIRE(c);
	sim_run(c);
	CHECK_EQ(quire_mm_write(t->qt.mm, a, &v, 8, false), 8);
	CHECK_EQ(get64(c, a), 1);
	CHECK_EQ(get64(t, a), 9);
	CHECK_EQ(quire_mm_read(t->qt.mm, a + 8, buf, sizeof(buf)), 3 * PG - 8);
	CHECK_EQ(sim_mprotect(t, a, PG, PROT_READ), 0);
	CHECK_EQ(quire_mm_write(t->qt.mm, a, &v, 8, false), 0);
	v = 10;
	CHECK_EQ(quire_mm_write(t->qt.mm, a, &v, 8, true), 8);
	CHECK_EQ(get64(t, a), 10);
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_exit(c);
}
