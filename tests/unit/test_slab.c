/* SPDX-License-Identifier: MIT */
/*
 * Objects and kmalloc: sizes, alignment, contents, objects that pass between
 * CPUs, empty slabs that go back, and misuse that must not go unseen.
 */
#include <mm/internal/system.h>
#include <tests/harness/harness.h>

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

TEST(kmalloc_sizes)
{
	struct quire *q = sim_quire(m);
	uint64_t slab = quire_vmstat(q, VM_nr_slab);
	size_t size;

	for (size = 1; size <= 20000; size += 1 + size / 7) {
		unsigned char *p = quire_kmalloc(q, size, QUIRE_GFP_KERNEL);
		unsigned char *z = quire_kmalloc(
			q, size, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
		size_t i;

		REQUIRE(p && z);
		CHECK_EQ((uintptr_t)p % 16, 0);
		if (size >= 64 && !(size & (size - 1)))
			CHECK_EQ((uintptr_t)p % 64, 0);
		memset(p, 0xff, size);
		for (i = 0; i < size; i++)
			if (z[i]) {
				CHECK_EQ(z[i], 0);
				break;
			}
		/* all that is usable is ours */
		REQUIRE(quire_kmalloc_size(q, p) >= size);
		memset(p, 0xfe, quire_kmalloc_size(q, p));
		memset(z, 0xee, size);
		CHECK_EQ(p[0], 0xfe);
		CHECK_EQ(p[size - 1], 0xfe);
		quire_kfree(q, p);
		quire_kfree(q, z);
	}
	quire_kfree(q, NULL);
	CHECK_SYSTEM(m);
	slab_drain_all(q);
	CHECK(quire_vmstat(q, VM_nr_slab) <= slab);
}

TEST(kmalloc_limits)
{
	struct quire *q = sim_quire(m);
	void *p = quire_kmalloc(q, 4u << 20, QUIRE_GFP_KERNEL);

	REQUIRE(p);
	CHECK_EQ(quire_kmalloc_size(q, p), 4u << 20);
	memset(p, 1, 4u << 20);
	CHECK_SYSTEM(m);
	quire_kfree(q, p);
	CHECK(!quire_kmalloc(q, (4u << 20) + 1, QUIRE_GFP_KERNEL));
	CHECK(!quire_kmalloc(q, (size_t)1 << 60, QUIRE_GFP_KERNEL));
	CHECK(!quire_kmalloc(q, SIZE_MAX, QUIRE_GFP_KERNEL));
}

struct obj {
	unsigned char *p;
	size_t n;
	unsigned char v;
};

/* No two objects overlap, and each keeps what was written to it. */
TEST(kmalloc_random)
{
	static struct obj objs[3000];
	struct quire *q = sim_quire(m);
	uint64_t s = 77, before;
	unsigned round, i;

	slab_drain_all(q);
	before = nr_free_pages(q);
	for (round = 0; round < 100000; round++) {
		struct obj *o = &objs[rnd(&s) % 3000];

		if (o->p) {
			CHECK_EQ(o->p[0], o->v);
			CHECK_EQ(o->p[o->n / 2], o->v);
			CHECK_EQ(o->p[o->n - 1], o->v);
			quire_kfree(q, o->p);
			o->p = NULL;
			continue;
		}
		o->n = 1 + rnd(&s) % (rnd(&s) % 16 ? 300 : 9000);
		o->v = (unsigned char)rnd(&s);
		o->p = quire_kmalloc(q, o->n, QUIRE_GFP_KERNEL);
		if (o->p)
			memset(o->p, o->v, o->n);
	}
	CHECK_SYSTEM(m);
	for (i = 0; i < 3000; i++)
		quire_kfree(q, objs[i].p);
	slab_drain_all(q);
	CHECK_EQ(nr_free_pages(q), before);
}

TEST(kmem_cache_counts)
{
	struct quire *q = sim_quire(m);
	struct kmem_cache *c = kmem_cache_create(q, "test", 72, 8);
	void *o[500];
	unsigned i;

	REQUIRE(c);
	CHECK_STR(kmem_cache_name(c), "test");
	for (i = 0; i < 500; i++) {
		CHECK_EQ(kmem_cache_inuse(c), i);
		o[i] = i & 1 ? kmem_cache_zalloc(c, GFP_KERNEL)
			     : kmem_cache_alloc(c, GFP_KERNEL);
		REQUIRE(o[i]);
		if (i & 1)
			CHECK(!*(char *)o[i] && !((char *)o[i])[71]);
		memset(o[i], (int)i, 72);
	}
	for (i = 0; i < 500; i++)
		kmem_cache_free(c, o[(i * 7) % 500]);
	CHECK_EQ(kmem_cache_inuse(c), 0);
	CHECK_SYSTEM(m);
}

static struct kmem_cache *shared;
static void *mailbox[32];

static void pass_objects(unsigned cpu, void *arg)
{
	uint64_t s = 5 + cpu;
	unsigned round;

	(void)arg;
	for (round = 0; round < 8000; round++) {
		uint64_t *o = kmem_cache_alloc(shared, GFP_KERNEL);

		if (o) {
			o[0] = (uintptr_t)o;
			o[9] = ~(uintptr_t)o;
		}
		o = __atomic_exchange_n(&mailbox[rnd(&s) % 32], o,
					__ATOMIC_ACQ_REL);
		if (!o)
			continue;
		CHECK_EQ(o[0], (uintptr_t)o);
		CHECK_EQ(o[9], ~(uintptr_t)o);
		kmem_cache_free(shared, o);
	}
}

TEST_WITH(kmem_cache_cross_cpu, .config = {.cpus = 4})
{
	unsigned i;

	shared = kmem_cache_create(sim_quire(m), "shared", 80, 16);
	REQUIRE(shared);
	sim_parallel(m, 4, pass_objects, m);
	for (i = 0; i < 32; i++)
		if (mailbox[i])
			kmem_cache_free(shared, mailbox[i]);
	CHECK_EQ(kmem_cache_inuse(shared), 0);
	CHECK_SYSTEM(m);
}

TEST(kmalloc_injected_failure)
{
	struct quire *q = sim_quire(m);
	void *p;

	if (!sim_has_injection())
		return;
	sim_inject_reset(m);
	sim_inject_nth(m, 2, true);
	p = quire_kmalloc(q, 40, QUIRE_GFP_KERNEL);
	CHECK(p);
	CHECK(!quire_kmalloc(q, 40, QUIRE_GFP_KERNEL));
	quire_kfree(q, p);
	sim_inject_nth(m, 1, true);
	sim_inject_reset(m);
}

/* Misuse, each in a process that must die of it. */
static void twice(struct sim_machine *m)
{
	void *p = quire_kmalloc(sim_quire(m), 40, QUIRE_GFP_KERNEL);

	quire_kfree(sim_quire(m), p);
	quire_kfree(sim_quire(m), p);
}
static void overrun(struct sim_machine *m)
{
	volatile char *p = quire_kmalloc(sim_quire(m), 48, QUIRE_GFP_KERNEL);

	p[48] = 1;
	quire_kfree(sim_quire(m), (void *)p);
}
static void use_after_free(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);
	volatile char *p = quire_kmalloc(q, 48, QUIRE_GFP_KERNEL);

	quire_kfree(q, (void *)p);
	p[20] = 1;
	(void)quire_kmalloc(q, 48, QUIRE_GFP_KERNEL);
}
static void not_an_object(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);
	char *p = quire_kmalloc(q, 48, QUIRE_GFP_KERNEL);

	quire_kfree(q, p + 8);
}
static void not_slab(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);

	quire_kfree(q, quire_page_address(
			       q, quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0)));
}

TEST(kmalloc_misuse_dies)
{
	if (!sim_has_checker())
		return;
	CHECK(test_dies(m, twice));
	CHECK(test_dies(m, overrun));
	CHECK(test_dies(m, use_after_free));
	CHECK(test_dies(m, not_an_object));
	CHECK(test_dies(m, not_slab));
}
