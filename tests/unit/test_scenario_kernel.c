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
	CHECK_EQ(sim_copy_from_user(t, TEST_KERNEL_RAM, buf, 8), 0);
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
	CHECK_EQ(sim_access(t, SIM_WRITE, SIM_KERNEL, TEST_KERNEL_HOLE, &v, 8),
		 SIM_OOPS);
	CHECK(sim_log_contains(m, hex(TEST_KERNEL_HOLE)));
	/* with an entry it is only an error */
	CHECK_EQ(sim_access(t, SIM_READ, SIM_KERNEL | SIM_FIXUP,
			    TEST_KERNEL_HOLE, &v, 8),
		 SIM_EFAULT);
	/* a user program that goes there gets SIGSEGV */
	CHECK_SIGNAL(t, sim_load8(t, TEST_KERNEL_RAM, (uint8_t *)&v), SIGSEGV,
		     QUIRE_SEGV_MAPERR, TEST_KERNEL_RAM);
	sim_quiet(m, false);
	CHECK_SYSTEM(m);
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
