/* SPDX-License-Identifier: MIT */
/*
 * Private memory in a device's own memory: it comes back when it is touched.
 */
#include <mm.h>

#include <tests/unit/entries.h>

#define FRAMES 16u

struct device {
	struct quire *q;
	char data[FRAMES][4096];
	unsigned stores, loads, frees;
	int error; /* of store and load; 0: none */
};

static int store(void *device, uint64_t frame, struct page *page)
{
	struct device *d = device;

	if (d->error)
		return d->error;
	d->stores++;
	memcpy(d->data[frame], quire_page_address(d->q, page), 4096);
	return 0;
}

static int load(void *device, uint64_t frame, struct page *page)
{
	struct device *d = device;

	if (d->error)
		return d->error;
	__atomic_fetch_add(&d->loads, 1, __ATOMIC_RELAXED);
	memcpy(quire_page_address(d->q, page), d->data[frame], 4096);
	return 0;
}

static void release(void *device, uint64_t frame)
{
	struct device *d = device;

	d->frees++;
	memset(d->data[frame], 0xee, 4096);
}

static const struct quire_device_memory_ops ops = {store, load, release};

static struct device *add_device(struct sim_machine *m)
{
	static struct device d;

	memset(&d, 0, sizeof(d));
	d.q = sim_quire(m);
	REQUIRE(quire_device_memory_add(d.q, &ops, &d, FRAMES) == 0);
	return &d;
}

static long take(struct sim_task *t, uaddr_t a, uaddr_t pages)
{
	sim_run(t);
	return quire_device_memory_take(t->qt.mm, a, pages * PG);
}

/* behaviours: F11, P3 (device-private memory: there, and back by a fault) */
TEST(device_memory_and_back)
{
	struct device *d = add_device(m);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 8), i;
	uint64_t maj, rss;

	for (i = 0; i < 8; i++)
		put64(t, a + i * PG, 100 + i);
	rss = mm_stats(t).anon_pages;
	CHECK_EQ(take(t, a, 8), 8);
	CHECK_EQ(d->stores, 8);
	CHECK_EQ(mm_stats(t).anon_pages, rss);
	CHECK_EQ(frame_of(t, a), 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_device_memory_remove(d->q), -EBUSY);
	maj = t->qt.maj_flt;
	for (i = 0; i < 4; i++)
		CHECK_EQ(get64(t, a + i * PG), 100 + i);
	CHECK_EQ(t->qt.maj_flt, maj + 4);
	CHECK_EQ(d->loads, 4);
	CHECK_EQ(d->frees, 4);
	put64(t, a + 4 * PG, 7);
	CHECK_EQ(get64(t, a + 4 * PG), 7);
	CHECK_EQ(sim_mprotect(t, a, 8 * PG, PROT_READ), 0);
	CHECK_EQ(get64(t, a + 5 * PG), 105);
	CHECK_EQ(sim_mprotect(t, a, 8 * PG, RW), 0);
	CHECK_EQ(sim_mremap(t, a, 8 * PG, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
			    TEST_PLACE(3)),
		 (sreg_t)TEST_PLACE(3));
	CHECK_EQ(get64(t, TEST_PLACE(3) + 6 * PG), 106);
	CHECK_SYSTEM(m);
	CHECK_EQ(mm_stats(t).anon_pages, rss);
	/* one is still there: unmapped, it is gone */
	CHECK_EQ(sim_munmap(t, TEST_PLACE(3), 8 * PG), 0);
	CHECK_EQ(d->frees, 8);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_device_memory_remove(d->q), 0);
	CHECK_EQ(quire_device_memory_remove(d->q), -EINVAL);
	CHECK_EQ(take(t, a, 1), -EINVAL);
	sim_exit(t);
}

/* behaviours: F11, P3 (shared by fork: each gets its own contents back) */
TEST(device_memory_and_fork)
{
	struct device *d = add_device(m);
	struct sim_task *t = sim_task_create(m), *c, *e;
	uaddr_t a = anon(t, 4);
	struct page *pin;

	put64(t, a, 1);
	put64(t, a + PG, 2);
	put64(t, a + 2 * PG, 3);
	CHECK_EQ(take(t, a, 1), 1);
	c = sim_fork(t); /* one there, two here */
	REQUIRE(c);
	CHECK_SYSTEM(m);
	CHECK_EQ(take(c, a + PG, 1), 1);
	e = sim_fork(c);
	REQUIRE(e);
	CHECK_SYSTEM(m);
	put64(c, a, 11);
	CHECK_EQ(d->frees, 0);
	CHECK_EQ(get64(t, a), 1);
	CHECK_EQ(get64(e, a), 1);
	CHECK_EQ(d->frees, 1);
	put64(t, a + PG, 22);
	CHECK_EQ(get64(c, a + PG), 2);
	sim_exit(e);
	CHECK_SYSTEM(m);
	CHECK_EQ(get64(c, a), 11);
	/* pinned: it stays */
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 1, true, &pin), 1);
	CHECK_EQ(take(t, a, 1), 0);
	put64(t, a, 5);
	quire_page_put(d->q, pin);
	CHECK_EQ(get64(t, a), 5);
	sim_exit(c);
	sim_exit(t);
	CHECK_EQ(quire_device_memory_remove(d->q), 0);
}

/* behaviour: F11 (the device fails, or is full) */
TEST(device_memory_errors)
{
	struct device *d = add_device(m);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, FRAMES + 4), i;
	uint64_t v;

	CHECK_EQ(quire_device_memory_add(d->q, &ops, d, FRAMES), -EBUSY);
	for (i = 0; i < FRAMES + 4; i++)
		put64(t, a + i * PG, i);
	d->error = -EIO;
	CHECK_EQ(take(t, a, 2), 0);
	CHECK_EQ(d->frees, 0); /* nothing is there */
	put64(t, a, 9);
	put64(t, a, 0);
	CHECK_SYSTEM(m);
	d->error = 0;
	CHECK_EQ(take(t, a, FRAMES + 4), FRAMES);
	d->error = -EIO;
	CHECK_SIGNAL(t, sim_load64(t, a, &v), SIGBUS, QUIRE_BUS_ADRERR, a);
	d->error = -ENOMEM;
	CHECK_EQ(sim_load64(t, a, &v), SIM_OOM);
	CHECK_SYSTEM(m);
	d->error = 0;
	for (i = 0; i < FRAMES + 4; i++)
		CHECK_EQ(get64(t, a + i * PG), i);
	CHECK_EQ(quire_device_memory_take(t->qt.mm, a + 1, PG), -EINVAL);
	sim_exit(t);
	CHECK_EQ(quire_device_memory_remove(d->q), 0);
	CHECK_EQ(quire_device_memory_add(d->q, &ops, d, 0), -EINVAL);
	CHECK_EQ(quire_device_memory_add(d->q, &ops, d, UINT64_MAX), -EINVAL);
}

struct race {
	struct sim_task *t[3];
	uaddr_t a;
	uint32_t over;
};

static void racer(unsigned i, void *arg)
{
	struct race *r = arg;
	struct sim_task *t = r->t[i];
	uint64_t n, v;
	unsigned p, k;

	if (i == 0) {
		sim_run(t);
		for (k = 0; k < ROUNDS(200); k++)
			CHECK(quire_device_memory_take(t->qt.mm, r->a,
						       FRAMES * PG) >= 0);
		__atomic_store_n(&r->over, 1, __ATOMIC_RELEASE);
		return;
	}
	for (n = 1; !__atomic_load_n(&r->over, __ATOMIC_ACQUIRE); n++)
		for (p = 0; p < FRAMES; p++) {
			uaddr_t at = r->a + p * PG + 8 * i;

			CHECK_EQ(sim_load64(t, at, &v), 0);
			CHECK_EQ(v, n - 1);
			CHECK_EQ(sim_store64(t, at, n), 0);
		}
}

/* behaviour: F11 (pages go while two threads store to them) */
TEST_WITH(device_memory_races, .config = {.cpus = 3, .jitter = 40},
	  .seconds = 120)
{
	struct device *d = add_device(m);
	struct race r = {.over = 0};
	unsigned i;

	r.t[0] = sim_task_create(m);
	r.a = anon(r.t[0], FRAMES);
	for (i = 0; i < FRAMES; i++)
		put64(r.t[0], r.a + i * PG, 1);
	r.t[1] = sim_thread(r.t[0]);
	r.t[2] = sim_thread(r.t[0]);
	REQUIRE(r.t[1] && r.t[2]);
	sim_parallel(m, 3, racer, &r);
	CHECK(d->stores > 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 3; i++)
		sim_exit(r.t[i]);
	CHECK_EQ(quire_device_memory_remove(d->q), 0);
}
