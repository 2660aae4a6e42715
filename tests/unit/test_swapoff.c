/* SPDX-License-Identifier: MIT */
/* The end of a swap area: all comes back, or nothing has changed. */
#include "swapout.h"

#define SIXTY4 64u

static void fill(struct sim_task *t, uaddr_t a, unsigned n, uint64_t salt)
{
	unsigned i;

	for (i = 0; i < n; i++)
		put64(t, a + i * PG + 16, salt + i);
}
static void verify(struct sim_task *t, uaddr_t a, unsigned n, uint64_t salt)
{
	unsigned i;

	for (i = 0; i < n; i++)
		CHECK_EQ(get64(t, a + i * PG + 16), salt + i);
}

/* behaviour: R3 (swapoff brings everything back; the area is gone, its number
 * is given again) */
TEST(swapoff_brings_back)
{
	struct swapdev *d = swapdev_on(m, 600, 0, -1);
	struct sim_task *t = sim_task_create(m), *child;
	struct quire *q = sim_quire(m);
	struct quire_swap_config c = swapdev_config(d, 600, 0, -1);
	struct quire_swap_info info;
	uaddr_t a = anon(t, SIXTY4);
	unsigned i, reads;

	fill(t, a, SIXTY4, 100);
	child = sim_fork(t);
	REQUIRE(child);
	fill(child, a, 8, 900); /* its own copies */
	for (i = 0; i < SIXTY4; i++)
		swap_out(t, a + i * PG, i & 1);
	for (i = 0; i < 8; i++)
		swap_out(child, a + i * PG, i & 1);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_swap_info(q, 0, &info), 0);
	CHECK_EQ(info.used, SIXTY4 + 8);
	CHECK_EQ(info.slots, 599);
	CHECK_EQ(quire_swapoff(q, 0), 0);
	CHECK_EQ(quire_swap_info(q, 0, &info), -EINVAL);
	CHECK_EQ(quire_swapoff(q, 0), -EINVAL);
	CHECK_SYSTEM(m);
	reads = d->pages_read;
	CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 0);
	CHECK_EQ(get_mm_counter(child->qt.mm, MM_SWAPENTS), 0);
	verify(t, a, SIXTY4, 100);
	verify(child, a, 8, 900);
	for (i = 8; i < SIXTY4; i++)
		CHECK_EQ(get64(child, a + i * PG + 16), 100 + i);
	CHECK_EQ(d->pages_read, reads);
	CHECK_EQ(quire_swapon(q, &c), 0);
	CHECK_EQ(quire_swapoff(q, 0), 0);
	CHECK_EQ(sim_vmstat(m, "nr_swapcached"), 0);
	sim_exit(child);
	sim_exit(t);
}

/* behaviours: R3, F11 (what cannot be read is lost, to its users alone) */
TEST(swapoff_of_a_broken_device)
{
	struct swapdev *d = swapdev_on(m, 600, 0, -1);
	struct sim_task *t = sim_task_create(m), *child;
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 4);
	uint8_t b, in[2];

	fill(t, a, 4, 5);
	child = sim_fork(t);
	REQUIRE(child);
	swap_out(t, a, true);
	swap_out(t, a + PG, true);
	d->bad_read[swp_offset(entry_at(t, a))] = 1;
	CHECK_EQ(quire_swapoff(q, 0), 0);
	CHECK_SYSTEM(m);
	sim_quiet(m, true);
	CHECK_SIGNAL(t, sim_load8(t, a + 3, &b), SIGBUS, QUIRE_BUS_ADRERR,
		     a + 3);
	CHECK_SIGNAL(child, sim_load8(child, a + 3, &b), SIGBUS,
		     QUIRE_BUS_ADRERR, a + 3);
	sim_quiet(m, false);
	CHECK_EQ(quire_mincore(t->qt.mm, a, 2 * PG, in), 0);
	CHECK_EQ(in[0], 0);
	CHECK_EQ(in[1], 1);
	verify(t, a + PG, 3, 6);
	verify(child, a + PG, 3, 6);
	CHECK_EQ(sim_munmap(t, a, PG), 0);
	CHECK_EQ(get_mm_counter(t->qt.mm, MM_SWAPENTS), 0);
	CHECK_SYSTEM(m);
	sim_exit(child);
	sim_exit(t);
}

/* behaviour: R3 (killed in the middle: the area is as before, and in use) */
TEST(swapoff_interrupted)
{
	struct sim_task *t, *u;
	struct quire *q = sim_quire(m);
	uaddr_t a;

	swapdev_on(m, 600, 0, -1);
	t = sim_task_create(m);
	u = sim_task_create(m);
	a = anon(t, 8);
	fill(t, a, 8, 5);
	swap_out(t, a, true);
	swap_out(t, a + PG, true);
	sim_kill(u);
	sim_run(u);
	CHECK_EQ(quire_swapoff(q, 0), -EINTR);
	CHECK_SYSTEM(m);
	fill(t, a + 2 * PG, 6, 7);
	swap_out(t, a + 2 * PG, true);
	verify(t, a, 2, 5);
	verify(t, a + 2 * PG, 6, 7);
	sim_run(NULL);
	CHECK_EQ(quire_swapoff(q, 0), 0);
	sim_exit(u);
	sim_exit(t);
}

/* behaviour: R3 (no memory: -ENOMEM, what is back stays back, nothing lost) */
TEST(swapoff_without_memory)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 8);
	unsigned i, n;
	int err;

	swapdev_on(m, 600, 0, -1);
	for (n = 1; n < 8; n++) {
		test_context("allocation %u", n);
		fill(t, a, 8, n);
		for (i = 0; i < 8; i++)
			swap_out(t, a + i * PG, true);
		sim_inject_reset(m);
		sim_inject_nth(m, n, false);
		err = quire_swapoff(q, 0);
		sim_inject_reset(m);
		CHECK_SYSTEM(m);
		if (sim_has_injection())
			CHECK_EQ(err, -ENOMEM);
		verify(t, a, 8, n);
		if (!err)
			swapdev_on(m, 600, 0, -1);
	}
	sim_exit(t);
}

/* -------------------------------------------------------------- two CPUs */

struct race {
	struct sim_machine *m;
	struct swapdev *d;
	struct sim_task *t[2];
	uaddr_t a;
	bool done;
};

/* CPU 0 switches off and on; CPU 1 stores, forks, reads, exits. */
static void off_and_use(unsigned cpu, void *arg)
{
	struct race *r = arg;
	struct quire *q = sim_quire(r->m);
	struct quire_swap_config c = swapdev_config(r->d, 2000, 0, -1);
	unsigned i, k;

	if (cpu == 0) {
		for (i = 0; i < ROUNDS(60); i++) {
			for (k = 0; k < 64; k++) {
				uaddr_t at = r->a + k * PG;

				sim_run(r->t[0]);
				(void)quire_madvise(r->t[0]->qt.mm, at, PG,
						    MADV_PAGEOUT);
			}
			sim_run(NULL);
			CHECK_EQ(quire_swapoff(q, 0), 0);
			CHECK_EQ(quire_swapon(q, &c), 0);
		}
		__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
		return;
	}
	for (i = 0; !__atomic_load_n(&r->done, __ATOMIC_ACQUIRE); i++) {
		struct sim_task *child = i % 4 ? NULL : sim_fork(r->t[1]);

		for (k = 0; k < 64; k++) {
			uaddr_t at = r->a + k * PG;

			CHECK_EQ(get64(r->t[1], at) % 1000, k);
			if (k % 3 == 0)
				put64(r->t[1], at, i * 1000 + k);
			if (child && k % 2)
				CHECK_EQ(get64(child, at) % 1000, k);
		}
		if (child)
			sim_exit(child);
	}
	sim_run(NULL);
}

/* behaviour: R3 (swapoff beside faults, fork and exit) */
TEST_WITH(swapoff_beside_faults_and_fork, .config = {.cpus = 2})
{
	struct race r = {.m = m, .d = swapdev_on(m, 2000, 0, -1)};
	unsigned k;

	r.t[0] = sim_task_create(m);
	REQUIRE(r.t[0]);
	r.t[1] = sim_thread(r.t[0]);
	r.a = anon(r.t[0], 64);
	for (k = 0; k < 64; k++)
		put64(r.t[0], r.a + k * PG, k);
	sim_run(NULL);
	sim_parallel(m, 2, off_and_use, &r);
	CHECK_SYSTEM(m);
	sim_exit(r.t[1]);
	sim_exit(r.t[0]);
}

/* A fork is at this mapping: the OOM reaper comes by, as swapoff would. */
static void reap_child(struct vm_area_struct *vma)
{
	CHECK_EQ(quire_oom_reap(vma->vm_mm), 0);
}

/* behaviours: M3, R3, R5 (nobody comes into a child's address space before it
 * is complete) */
TEST(fork_keeps_others_out)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t b = must_map(t, PG, RW, SHANON, NULL, 0), a = anon(t, 4);
	struct vm_operations_struct ops = shmem_vm_ops;
	struct vm_area_struct *vma = find_vma(t->qt.mm, MAX(a, b));

	ops.open = reap_child;
	fill(t, a, 4, 5);
	fill(t, b, 1, 9);
	REQUIRE(vma->vm_mapping && "the shared mapping is the last");
	vma->vm_ops = &ops;
	child = sim_fork(t);
	vma->vm_ops = &shmem_vm_ops;
	REQUIRE(child);
	find_vma(child->qt.mm, b)->vm_ops = &shmem_vm_ops;
	verify(child, a, 4, 5);
	verify(child, b, 1, 9);
	CHECK_SYSTEM(m);
	sim_exit(child);
	sim_exit(t);
}
