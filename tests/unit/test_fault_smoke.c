/* SPDX-License-Identifier: MIT */
#include "../harness/harness.h"
TEST(fault_smoke)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t v = 5;
	REQUIRE(t);
	sreg_t a = sim_mmap(t, 0, 64 << 12, 3, 0x22, NULL, 0);
	CHECK(a > 0);
	CHECK_EQ(sim_load64(t, (uaddr_t)a, &v), 0);
	CHECK_EQ(v, 0);
	CHECK_EQ(sim_store64(t, (uaddr_t)a, 77), 0);
	CHECK_EQ(sim_load64(t, (uaddr_t)a, &v), 0);
	CHECK_EQ(v, 77);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_touch_write(t, (uaddr_t)a, 64 << 12, 3), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}
