/* SPDX-License-Identifier: MIT */
/*
 * The page allocator: blocks of every order, merging, watermarks, the CPUs'
 * lists, exhaustion, pressure on the page cache, and what it refuses.
 */

#include <mm/internal/system.h>

#include "common.h"

/* A small generator of its own, so that a run can be repeated. */
static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Free blocks by order, once nothing hides in a CPU's list. */
static void free_blocks(struct quire *q, uint64_t out[MAX_ORDER])
{
	unsigned i, o;

	pcp_drain_all(q);
	memset(out, 0, MAX_ORDER * sizeof(out[0]));
	for (i = 0; i < q->nodes; i++)
		for (o = 0; o < MAX_ORDER; o++)
			out[o] += q->node[i].nr_free_order[o];
}

static void check_same_blocks(struct quire *q, const uint64_t was[MAX_ORDER])
{
	uint64_t now[MAX_ORDER];
	unsigned o;

	free_blocks(q, now);
	for (o = 0; o < MAX_ORDER; o++)
		CHECK_EQ(now[o], was[o]);
}

TEST(pages_every_order)
{
	struct quire *q = sim_quire(m);
	uint64_t was[MAX_ORDER], before = nr_free_pages(q), i;
	struct page *page;
	unsigned order;

	free_blocks(q, was);
	for (order = 0; order < MAX_ORDER; order++) {
		page = quire_alloc_pages(q, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
					 order);
		REQUIRE(page);
		CHECK_EQ(page_count(page), 1);
		CHECK_EQ(page_mapcount(page), 0);
		CHECK(page->mapping == NULL);
		CHECK_EQ(page_to_pfn(q, page) & ((1u << order) - 1), 0);
		for (i = 0; i < (PAGE_SIZE << order) / 8; i++)
			if (((uint64_t *)quire_page_address(q, page))[i])
				break;
		CHECK_EQ(i, (PAGE_SIZE << order) / 8);
		memset(quire_page_address(q, page), 0xa5, PAGE_SIZE << order);
		CHECK(quire_phys_page(q, quire_page_phys(q, page)) == page);
		CHECK_SYSTEM(m);
		quire_free_pages(q, page, order);
	}
	CHECK(!quire_alloc_pages(q, QUIRE_GFP_KERNEL, MAX_ORDER));
	CHECK(!quire_alloc_pages(q, QUIRE_GFP_KERNEL, 40));
	CHECK_EQ(nr_free_pages(q), before);
	check_same_blocks(q, was);
}

/* Take single pages until there are none; they are linked through memory. */
static uint64_t take_all(struct quire *q, gfp_t gfp, struct page **head)
{
	struct page *page;
	uint64_t n = 0;

	while ((page = quire_alloc_pages(q, gfp, 0)) != NULL) {
		*(struct page **)quire_page_address(q, page) = *head;
		*head = page;
		n++;
	}
	return n;
}

static void give_back(struct quire *q, struct page *head)
{
	struct page *page;

	while ((page = head) != NULL) {
		head = *(struct page **)quire_page_address(q, page);
		quire_free_pages(q, page, 0);
	}
}

/* An ordinary allocation stops at the min watermark, a reserve one at a quarter
 * of it; reclaim's own, and only that, at 0. */
TEST(pages_watermarks)
{
	struct quire *q = sim_quire(m);
	struct page *head = NULL;
	uint64_t was[MAX_ORDER], before, n;

	free_blocks(q, was);
	before = nr_free_pages(q);
	CHECK(q->node[0].watermark[WMARK_MIN] > 0);
	CHECK(q->node[0].watermark[WMARK_MIN] <
	      q->node[0].watermark[WMARK_LOW]);
	CHECK(q->node[0].watermark[WMARK_LOW] <
	      q->node[0].watermark[WMARK_HIGH]);
	n = take_all(q, QUIRE_GFP_KERNEL, &head);
	CHECK_EQ(nr_free_pages(q), q->node[0].watermark[WMARK_MIN]);
	CHECK_EQ(n, before - q->node[0].watermark[WMARK_MIN]);
	CHECK_SYSTEM(m);
	n += take_all(q, QUIRE_GFP_ATOMIC, &head);
	CHECK_EQ(nr_free_pages(q), q->node[0].watermark[WMARK_MIN] / 4);
	CHECK(!quire_alloc_pages(q, QUIRE_GFP_ATOMIC, 0));
	quire_host_current()->oom_victim = true;
	n += take_all(q, QUIRE_GFP_KERNEL, &head);
	CHECK_EQ(nr_free_pages(q), q->node[0].watermark[WMARK_MIN] / 8);
	quire_host_current()->oom_victim = false;
	quire_host_current()->reclaiming++;
	n += take_all(q, QUIRE_GFP_KERNEL, &head);
	quire_host_current()->reclaiming--;
	CHECK_EQ(nr_free_pages(q), 0);
	CHECK_EQ(n, before);
	CHECK(!quire_kmalloc(q, 100, QUIRE_GFP_KERNEL));
	CHECK(!quire_kmalloc(q, 100000, QUIRE_GFP_KERNEL));
	give_back(q, head);
	CHECK_EQ(nr_free_pages(q), before);
	/* every block is whole again, whatever order they came back in */
	check_same_blocks(q, was);
}

struct block {
	struct page *page;
	unsigned order;
	uint64_t stamp;
};

static void stamp_block(struct quire *q, struct block *b, bool check)
{
	uint64_t *p = quire_page_address(q, b->page);
	size_t i, words = (PAGE_SIZE << b->order) / 8;

	/* the edges of every page tell of any overlap */
	for (i = 0; i < words; i += PAGE_SIZE / 8) {
		if (check) {
			CHECK_EQ(p[i], b->stamp + i);
			CHECK_EQ(p[i + PAGE_SIZE / 8 - 1], ~(b->stamp + i));
		}
		p[i] = b->stamp + i;
		p[i + PAGE_SIZE / 8 - 1] = ~(b->stamp + i);
	}
}

TEST_WITH(pages_random, .config = {.ram_bytes = 24u << 20, .nodes = 2})
{
	static struct block blocks[400];
	struct quire *q = sim_quire(m);
	uint64_t was[MAX_ORDER], s = 0x1234567;
	unsigned i, round;

	free_blocks(q, was);
	for (round = 0; round < 40000; round++) {
		struct block *b = &blocks[rnd(&s) % 400];

		if (b->page) {
			stamp_block(q, b, true);
			quire_free_pages(q, b->page, b->order);
			b->page = NULL;
			continue;
		}
		b->order = rnd(&s) % 8 ? (unsigned)(rnd(&s) % 4)
				       : (unsigned)(rnd(&s) % MAX_ORDER);
		b->page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, b->order);
		b->stamp = rnd(&s);
		if (b->page)
			stamp_block(q, b, false);
		if (round % 4000 == 0)
			CHECK_SYSTEM(m);
	}
	for (i = 0; i < 400; i++)
		if (blocks[i].page) {
			stamp_block(q, &blocks[i], true);
			quire_free_pages(q, blocks[i].page, blocks[i].order);
		}
	check_same_blocks(q, was);
}

/* Pages pass from CPU to CPU: freed elsewhere than taken. */
static struct page *mailbox[64];

static void pass_pages(unsigned cpu, void *arg)
{
	struct sim_machine *m = arg;
	struct quire *q = sim_quire(m);
	uint64_t s = 99 + cpu;
	unsigned round;

	for (round = 0; round < 6000; round++) {
		struct page *page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
		uint64_t *w;

		if (page) {
			w = quire_page_address(q, page);
			w[0] = (uintptr_t)page;
			w[511] = ~(uintptr_t)page;
		}
		page = __atomic_exchange_n(&mailbox[rnd(&s) % 64], page,
					   __ATOMIC_ACQ_REL);
		if (!page)
			continue;
		w = quire_page_address(q, page);
		CHECK_EQ(w[0], (uintptr_t)page);
		CHECK_EQ(w[511], ~(uintptr_t)page);
		quire_free_pages(q, page, 0);
	}
}

TEST_WITH(pages_cross_cpu, .config = {.ram_bytes = 16u << 20, .cpus = 4})
{
	struct quire *q = sim_quire(m);
	uint64_t was[MAX_ORDER];
	unsigned i;

	free_blocks(q, was);
	sim_parallel(m, 4, pass_pages, m);
	for (i = 0; i < 64; i++)
		if (mailbox[i])
			quire_free_pages(q, mailbox[i], 0);
	CHECK_SYSTEM(m);
	check_same_blocks(q, was);
}

/* A small machine reads a file far larger than its memory. */
TEST_WITH(pages_pressure_drops_clean_cache, .config = {.ram_bytes = 8u << 20})
{
	const uint64_t size = 24u << 20;
	struct sim_file *f = sim_file_create(m, "big", size, 7);
	struct quire *q = sim_quire(m);
	static unsigned char buf[65536];
	uint64_t pos, i;
	int round;

	REQUIRE(f);
	for (round = 0; round < 2; round++)
		for (pos = 0; pos < size; pos += sizeof(buf)) {
			REQUIRE_EQ(sim_file_read(f, pos, buf, sizeof(buf)),
				   sizeof(buf));
			for (i = 0; i < sizeof(buf); i += 509)
				if (buf[i] != sim_file_byte(7, pos + i)) {
					CHECK_EQ(buf[i],
						 sim_file_byte(7, pos + i));
					break;
				}
		}
	CHECK(quire_vmstat(q, VM_allocstall) > 0);
	CHECK(quire_vmstat(q, VM_pgsteal_direct) > 1000);
	CHECK(quire_mapping_pages(sim_file_mapping(f)) <
	      (8u << 20) / PAGE_SIZE);
	CHECK_SYSTEM(m);
	/* and what the host asks for comes out of the cache, too */
	{
		struct page *head = NULL;
		uint64_t n = take_all(q, QUIRE_GFP_KERNEL, &head);

		CHECK(n > (4u << 20) / PAGE_SIZE);
		CHECK_EQ(quire_mapping_pages(sim_file_mapping(f)), 0);
		give_back(q, head);
	}
	sim_file_close(f);
}

TEST(pages_injected_failure)
{
	struct quire *q = sim_quire(m);
	struct page *page;

	if (!sim_has_injection())
		return;
	sim_inject_reset(m);
	sim_inject_nth(m, 1, true);
	CHECK(!quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0));
	page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
	CHECK(page);
	sim_inject_reset(m);
	quire_free_pages(q, page, 0);
}

/* References that the host holds are known to quire_check. */
TEST(pages_pins)
{
	struct quire *q = sim_quire(m);
	struct page *page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
	uint64_t before = nr_free_pages(q);

	REQUIRE(page);
	quire_page_get(q, page);
	quire_page_get(q, page);
	quire_free_pages(q, page, 0); /* the two others keep it */
	CHECK_EQ(nr_free_pages(q), before);
	CHECK_SYSTEM(m);
	quire_page_put(q, page);
	CHECK_SYSTEM(m);
	quire_page_put(q, page);
	CHECK_EQ(nr_free_pages(q), before + 1);
	/* without a get, put is free */
	page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
	REQUIRE(page);
	quire_page_put(q, page);
	CHECK_EQ(nr_free_pages(q), before + 1);
}

/*
 * A page has so many pins and no more: who wants another is told.  Those of
 * the zero page, which anybody can have any number of, are no matter.
 */
TEST(pages_pins_have_an_end)
{
	struct sim_task *t = sim_task_create(m);
	struct quire *q = sim_quire(m);
	uaddr_t a = anon(t, 2);
	struct page *page, *zero, *last;
	long n, pinned, got = 1;

	put64(t, a, 1);
	CHECK_EQ(get64(t, a + PG), 0);
	REQUIRE_EQ(quire_get_user_pages(t->qt.mm, a, 1, true, &page), 1);
	for (n = 1; n < 70000 && got == 1; n++)
		got = quire_get_user_pages(t->qt.mm, a, 1, true, &last);
	CHECK_EQ(got, -ENOMEM);
	pinned = n - 1;
	CHECK_EQ(page->pins, pinned);
	CHECK_SYSTEM(m);
	/* one less: one more */
	quire_page_put(q, page);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 1, false, &last), 1);
	for (n = 0; n < 70000; n++)
		REQUIRE_EQ(
			quire_get_user_pages(t->qt.mm, a + PG, 1, false, &zero),
			1);
	CHECK_SYSTEM(m);
	while (n--)
		quire_page_put(q, zero);
	while (pinned--)
		quire_page_put(q, page);
	CHECK_EQ(page->pins, 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
}

/*
 * Of two nodes the CPU's own is used first, and the other before the own one
 * goes below `low`: only when both are there is reclaim woken.
 */
TEST_WITH(pages_of_all_nodes_before_reclaim,
	  .config = {.ram_bytes = 24u << 20, .nodes = 2, .cpus = 2})
{
	struct quire *q = sim_quire(m);
	unsigned own = first_node(q), other = !own, n = 0;
	struct quire_node *node = q->node;
	struct page *page[6144];
	struct sim_stats st;

	for (; node[other].nr_free >
	       node[other].watermark[WMARK_LOW] + q->pcp_batch;
	     n++) {
		page[n] = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
		REQUIRE(page[n]);
		CHECK(node[own].nr_free >= node[own].watermark[WMARK_LOW]);
	}
	CHECK(node[own].nr_free <
	      node[own].watermark[WMARK_LOW] + q->pcp_batch);
	CHECK_EQ(page[0]->node, own);
	CHECK_EQ(page[n - 1]->node, other);
	sim_get_stats(m, &st);
	CHECK_EQ(st.reclaim_wakes, 0);
	while (!st.reclaim_wakes && n < 6144) {
		page[n] = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
		REQUIRE(page[n++]);
		sim_get_stats(m, &st);
	}
	CHECK_EQ(st.reclaim_wakes, 1);
	CHECK(node[own].nr_free >= node[own].watermark[WMARK_MIN]);
	while (n)
		quire_free_pages(q, page[--n], 0);
	CHECK_SYSTEM(m);
}

static void free_twice(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);
	struct page *page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);

	quire_free_pages(q, page, 0);
	quire_free_pages(q, page, 0);
}
static void free_wrong_order(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);

	quire_free_pages(q, quire_alloc_pages(q, QUIRE_GFP_KERNEL, 2), 1);
}
static void free_locked(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);
	struct page *page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);

	lock_page(page);
	quire_free_pages(q, page, 0);
}
static void free_mapped(struct sim_machine *m)
{
	struct quire *q = sim_quire(m);
	struct page *page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);

	page->_mapcount = 1;
	quire_free_pages(q, page, 0);
}

TEST(pages_bad_frees_die)
{
	CHECK(test_dies(m, free_twice));
	CHECK(test_dies(m, free_wrong_order));
	CHECK(test_dies(m, free_locked));
	CHECK(test_dies(m, free_mapped));
}

/* What is still allocated at the end is told. */
TEST_PLAIN(pages_leak_is_counted)
{
	struct sim_config config = {.ram_bytes = 8u << 20};

	UNUSED_MACHINE;
	m = sim_machine_create(&config);
	REQUIRE(m);
	sim_quiet(m, true);
	CHECK(quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, 3));
	CHECK(quire_kmalloc(sim_quire(m), 40, QUIRE_GFP_KERNEL));
	CHECK(sim_machine_destroy(m) >= 9);
}

TEST(pages_config_refused)
{
	/* nobody's memory: what is refused is refused before it is used, but
	 * for the frame table of the one that is refused last */
	char *room = malloc(1 << 20);
	char *dm = (char *)((uintptr_t)room - 0x100000);
	struct quire_region one[] = {{0x100000, 1 << 20, 0}};
	struct quire_region odd[] = {{0x100010, 1 << 20, 0}};
	struct quire_region empty[] = {{0x100000, 0, 0}};
	struct quire_region node[] = {{0x100000, 1 << 20, 9}};
	struct quire_region back[] = {{0x180000, 0x80000, 0},
				      {0x100000, 0x80000, 0}};
	struct quire_config ok = {
		.regions = one, .nr_regions = 1, .direct_map = dm, .cpus = 1};
	struct quire_config c;

	sim_quiet(m, true);
#define REFUSED(...)                                                           \
	do {                                                                   \
		c = ok;                                                        \
		__VA_ARGS__;                                                   \
		CHECK(!quire_create(&c));                                      \
	} while (0)
	REFUSED(c.nr_regions = 0);
	REFUSED(c.cpus = 0);
	REFUSED(c.cpus = QUIRE_MAX_CPUS + 1);
	REFUSED(c.levels = 9);
	REFUSED(c.overcommit = 3);
	REFUSED(c.regions = odd);
	REFUSED(c.regions = empty);
	REFUSED(c.regions = node);
	REFUSED(c.regions = back, c.nr_regions = 2);
	REFUSED(c.kernel_table = 123);
	one[0].bytes = 65536;
	REFUSED((void)0);
	CHECK(sim_log_contains(m, "too small"));
	free(room);
}

/*
 * Four CPUs read, map and write one file three times as large as memory, and
 * take anonymous memory besides, so that dropping pages races with finding,
 * mapping and truncating them.
 */
#define FILE_PAGES 6000u
static struct sim_file *pressed;
static struct sim_task *presser[4];

static void press(unsigned cpu, void *arg)
{
	struct sim_task *t = presser[cpu];
	uint64_t s = 31337 + cpu;
	unsigned round, i;
	uint64_t pos;
	uint8_t byte;
	uaddr_t a;

	(void)arg;
	sim_run(t);
	for (round = 0; round < 150; round++) {
		sreg_t r;

		pos = rnd(&s) % (FILE_PAGES - 32) * PAGE_SIZE;
		r = sim_mmap(t, 0, 32 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, pressed, pos);
		if (!mapped_at(r))
			continue;
		a = (uaddr_t)r;
		for (i = 0; i < 32; i++) {
			if (sim_load8(t, a + i * PG + 77, &byte))
				continue; /* no memory just now */
			CHECK_EQ(byte, sim_file_byte(9, pos + i * PG + 77));
			if (i % 5 == 0 && !sim_store8(t, a + i * PG, 0x5a)) {
				CHECK_EQ(sim_load8(t, a + i * PG, &byte), 0);
				CHECK_EQ(byte, 0x5a);
			}
		}
		(void)sim_munmap(t, a, 32 * PAGE_SIZE);
		pos = rnd(&s) % (FILE_PAGES - 4) * PAGE_SIZE + rnd(&s) % 4096;
		if (sim_file_read(pressed, pos, &byte, 1) == 1)
			CHECK_EQ(byte, sim_file_byte(9, pos));
	}
	sim_run(NULL);
}

TEST_WITH(pages_pressure_on_all_cpus,
	  .config = {.ram_bytes = 8u << 20, .cpus = 4, .jitter = 50},
	  .seconds = 120)
{
	unsigned i;

	pressed = sim_file_create(m, "big", FILE_PAGES * PAGE_SIZE, 9);
	REQUIRE(pressed);
	for (i = 0; i < 4; i++) {
		presser[i] = sim_task_create(m);
		REQUIRE(presser[i]);
	}
	sim_run(NULL);
	sim_parallel(m, 4, press, m);
	CHECK(sim_vmstat(m, "pgsteal_direct") > 1000);
	CHECK_SYSTEM(m);
	sim_file_truncate(pressed, 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 4; i++)
		sim_exit(presser[i]);
	sim_file_close(pressed);
}
