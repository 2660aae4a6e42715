/* SPDX-License-Identifier: MIT */
/*
 * Kernel-mode faults that need x86-64's tables built by hand, corrupt entries,
 * addresses that are none, and the low gigabytes of MAP_32BIT.
 */
#include <tests/unit/common.h>

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

/* behaviours: M1, M2 */
TEST(the_low_gigabytes)
{
	struct sim_task *t = sim_task_create_bare(m);
	uaddr_t a;

	a = must_map(t, 4 * PG, RW, ANON | MAP_32BIT, NULL, 0);
	CHECK_EQ(a, 0x40000000);
	a = must_map(t, 4 * PG, PROT_READ, ANON | MAP_32BIT, NULL, 0);
	CHECK_EQ(a, 0x40000000 + 4 * PG);
	CHECK_EQ(sim_mmap(t, 0, 0x40000000, RW, ANON | MAP_32BIT, NULL, 0),
		 -ENOMEM);
	sim_exit(t);
}
