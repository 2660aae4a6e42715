/* SPDX-License-Identifier: MIT */
/*
 * P7: the processor sets neither young nor dirty, so faults do.  How many
 * faults each way costs, and what the entry says afterwards.
 */
#include <sim/mmu_arm.h>
#include <tests/unit/entries.h>

/* Faults that fn's access takes. */
#define FAULTS(t, access)                                                      \
	({                                                                     \
		uint64_t before = (t)->total_faults;                           \
                                                                               \
		CHECK_EQ(access, 0);                                           \
		(t)->total_faults - before;                                    \
	})

static pte_t entry(struct sim_task *t, uaddr_t a)
{
	return ptep_get(pte_at(t, a));
}

/* behaviour: P7 (what is installed needs no second fault) */
TEST(arm_first_touch_is_one_fault)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 4);

	CHECK_EQ(FAULTS(t, sim_store8(t, a, 1)), 1);
	CHECK_EQ(FAULTS(t, sim_store8(t, a, 2)), 0);
	CHECK(pte_young(entry(t, a)) && pte_dirty(entry(t, a)));
	/* the zero page, then its copy */
	CHECK_EQ(FAULTS(t, sim_touch_read(t, a + PG, 1)), 1);
	CHECK(pte_young(entry(t, a + PG)) && !pte_dirty(entry(t, a + PG)));
	CHECK_EQ(FAULTS(t, sim_store8(t, a + PG, 1)), 1);
	CHECK_EQ(FAULTS(t, sim_touch_read(t, a + PG, 1)), 0);
	sim_exit(t);
}

/* behaviour: P7 (a writable, clean entry: one fault more makes it dirty) */
TEST(arm_first_write_makes_dirty)
{
	struct sim_task *t = sim_task_create(m);
	struct sim_file *f = sim_file_shmem(m, "f", 4 * PG);
	uaddr_t a = must_map(t, 4 * PG, RW, MAP_SHARED, f, 0);
	pte_t e;

	CHECK_EQ(FAULTS(t, sim_touch_read(t, a, 1)), 1);
	e = entry(t, a);
	CHECK(pte_write(e) && !pte_dirty(e) && (e.v & 0x200));
	CHECK_EQ(FAULTS(t, sim_store8(t, a, 7)), 1);
	/* a permission fault of a page, domain 1, by a write */
	CHECK_EQ(t->error, 0x81f);
	e = entry(t, a);
	CHECK(pte_write(e) && pte_dirty(e) && !(e.v & 0x200));
	CHECK_EQ(FAULTS(t, sim_store8(t, a, 8)), 0);
	CHECK_EQ(FAULTS(t, sim_store8(t, a + PG, 8)), 1);
	CHECK(pte_dirty(entry(t, a + PG)));
	sim_exit(t);
	sim_file_close(f);
}

/* behaviour: P7 (old: the next access makes it young, whatever it is) */
TEST(arm_old_entries_fault_once)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2);
	uint64_t spurious = sim_vmstat(m, "quire_spurious");
	pte_t e;

	put64(t, a, 1);
	put64(t, a + PG, 2);
	CHECK_EQ(quire_clear_refs(t->qt.mm, 1), 0);
	e = entry(t, a);
	CHECK(!pte_young(e) && pte_dirty(e) && pte_write(e));
	CHECK_EQ(FAULTS(t, sim_touch_read(t, a, 1)), 1);
	CHECK_EQ(t->error, 0x16); /* Access flag fault of a page */
	CHECK(pte_young(entry(t, a)));
	CHECK_EQ(FAULTS(t, sim_store8(t, a, 1)), 0);
	CHECK_EQ(FAULTS(t, sim_store8(t, a + PG, 1)), 1);
	CHECK_EQ(t->error, 0x816);
	CHECK_EQ(sim_vmstat(m, "quire_spurious"), spurious);
	/* fork makes nothing old: it would cost the child a fault a page */
	{
		struct sim_task *c = sim_fork(t);

		CHECK(pte_young(entry(c, a)) && !pte_write(entry(c, a)));
		CHECK_EQ(FAULTS(c, sim_touch_read(c, a, 2 * PG)), 0);
		CHECK_EQ(FAULTS(c, sim_store8(c, a, 1)), 1);
		sim_exit(c);
	}
	CHECK_EQ(get64(t, a) & 0xff, 1);
	sim_exit(t);
}

/* behaviours: P7, P8 (another CPU's TLB is older than the entry) */
TEST_WITH(arm_spurious_fault, .config = {.cpus = 2, .asids = 15})
{
	struct sim_task *t = sim_task_create(m), *u = sim_thread(t);
	struct sim_file *f = sim_file_shmem(m, "f", PG);
	uaddr_t a = must_map(t, PG, RW, MAP_SHARED, f, 0);
	uint64_t spurious;

	sim_bind(m, 1);
	CHECK_EQ(sim_touch_read(u, a, 1), 0); /* CPU 1: clean, read-only */
	sim_bind(m, 0);
	CHECK_EQ(sim_touch_read(t, a, 1), 0);
	put64(t, a, 1); /* dirty; CPU 1 is not told */
	spurious = sim_vmstat(m, "quire_spurious");
	sim_bind(m, 1);
	CHECK_EQ(FAULTS(u, sim_store64(u, a, 2)), 1);
	CHECK_EQ(sim_vmstat(m, "quire_spurious"), spurious + 1);
	sim_bind(m, 0);
	CHECK_EQ(get64(t, a), 2);
	sim_exit(u);
	sim_exit(t);
	sim_file_close(f);
}

/* behaviours: P1, E12 (the user's domain shut: no access, SIGSEGV) */
TEST(arm_domain_shut)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);

	put64(t, a, 1);
	sim_arm_set_dacr(m, 0x11); /* domains 0 and 2 only */
	CHECK_EQ(sim_store8(t, a, 1), SIGSEGV);
	CHECK_EQ(t->error, 0x81b);
	CHECK_EQ(sim_touch_read(t, a, 1), SIGSEGV);
	CHECK_EQ(t->error, 0x1b);
	sim_arm_set_dacr(m, 0x15);
	CHECK_EQ(get64(t, a), 1);
	sim_exit(t);
}
