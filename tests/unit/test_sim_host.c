/* SPDX-License-Identifier: MIT */
/*
 * The simulated machine's own workings: sleeping and waking, calls between
 * CPUs, injection, files, several machines in one process.
 */
#include "common.h"

struct pingpong {
	uint32_t word;
	uint64_t total;
};

static void pingpong(unsigned i, void *arg)
{
	struct pingpong *p = arg;
	unsigned k;

	for (k = 0; k < 500; k++) {
		uint32_t v;

		while (((v = __atomic_load_n(&p->word, __ATOMIC_ACQUIRE)) &
			1) != i)
			CHECK_EQ(quire_host_wait(&p->word, v, 0), 0);
		p->total++;
		__atomic_store_n(&p->word, v + 1, __ATOMIC_RELEASE);
		quire_host_wake(&p->word, UINT32_MAX);
	}
}

TEST_WITH(host_wait_and_wake, .config = {.cpus = 2})
{
	struct pingpong p = {0, 0};

	sim_parallel(m, 2, pingpong, &p);
	CHECK_EQ(p.total, 1000);
}

struct calls {
	struct sim_machine *m;
	uint64_t hits[4];
};

static void count_call(void *arg)
{
	struct calls *c = arg;

	/* no two calls run on one CPU at a time: a plain increment suffices */
	c->hits[quire_host_cpu()]++;
}

static void caller(unsigned i, void *arg)
{
	struct calls *c = arg;
	unsigned k;

	for (k = 0; k < 300; k++) {
		quire_host_preempt_disable();
		quire_host_cpu_call(0xf & ~(1u << i), count_call, c);
		quire_host_preempt_enable();
	}
}

TEST_WITH(host_calls_between_cpus, .config = {.cpus = 4})
{
	struct calls c = {.m = m};

	/* three call each other and an idle one */
	sim_parallel(m, 3, caller, &c);
	CHECK_EQ(c.hits[0], 600);
	CHECK_EQ(c.hits[1], 600);
	CHECK_EQ(c.hits[2], 600);
	CHECK_EQ(c.hits[3], 900);
}

TEST(several_machines_in_one_process)
{
	struct sim_config c = {.ram_bytes = 16 << 20};
	struct sim_machine *n = sim_machine_create(&c);
	struct sim_task *t, *u;
	uaddr_t a, b;

	REQUIRE(n);
	u = sim_task_create(n);
	b = anon(u, 2);
	put64(u, b, 1);
	sim_bind(m, 0);
	t = sim_task_create(m);
	a = anon(t, 2);
	put64(t, a, 2);
	sim_bind(n, 0);
	CHECK_EQ(get64(u, b), 1);
	sim_exit(u);
	CHECK_EQ(sim_machine_destroy(n), 0);
	sim_bind(m, 0);
	CHECK_EQ(get64(t, a), 2);
	sim_exit(t);
}

TEST(injection_counts_and_fails)
{
	void *p;

	if (!sim_has_injection())
		return;
	sim_inject_reset(m);
	p = quire_kmalloc(sim_quire(m), 100, QUIRE_GFP_KERNEL);
	CHECK(p);
	CHECK(sim_inject_count(m) >= 1);
	quire_kfree(sim_quire(m), p);
	sim_inject_nth(m, 1, true);
	CHECK(!quire_kmalloc(sim_quire(m), 100, QUIRE_GFP_KERNEL));
	p = quire_kmalloc(sim_quire(m), 100, QUIRE_GFP_KERNEL);
	CHECK(p);
	quire_kfree(sim_quire(m), p);
	CHECK_EQ(sim_inject_hits(m), 1);
	sim_inject_nth(m, 1, false);
	CHECK(!quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, 0));
	CHECK(!quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, 3));
	CHECK_EQ(sim_inject_hits(m), 2);
	sim_inject_reset(m);
}

TEST(machine_refuses_too_little_memory)
{
	struct sim_config c = {.ram_bytes = 8 << 10};

	CHECK(!sim_machine_create(&c));
	sim_bind(m, 0);
}

TEST_WITH(machine_with_a_hole_and_nodes,
	  .config = {.mem_hole = true, .nodes = 2, .cpus = 2})
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 6000);

	CHECK_EQ(sim_touch_write(t, a, 6000 * PG, 5), 0);
	CHECK_EQ(get64(t, a + 5999 * PG), 5);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

TEST(file_contents_and_device)
{
	struct sim_file *f = sim_file_create(m, "/x", 3 * PG + 10, 5);
	uint8_t buf[100];
	unsigned i;

	CHECK_EQ(sim_file_read(f, PG - 50, buf, 100), 100);
	for (i = 0; i < 100; i++)
		CHECK_EQ(buf[i], sim_file_byte(5, PG - 50 + i));
	CHECK_EQ(sim_file_read(f, 3 * PG, buf, 100), 10);
	CHECK_EQ(sim_file_read(f, 3 * PG + 10, buf, 100), 0);
	memset(buf, 0xaa, sizeof(buf));
	CHECK_EQ(sim_file_write(f, PG, buf, 100), 100);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(sim_file_read(f, PG, buf, 100), 100);
	CHECK_EQ(buf[99], 0xaa);
	CHECK_EQ(quire_mapping_get_size(sim_file_mapping(f)), 3 * PG + 10);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}
