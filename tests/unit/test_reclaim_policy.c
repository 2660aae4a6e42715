/* SPDX-License-Identifier: MIT */
/*
 * The reclaim policies: what each of them must do by any reading of its name,
 * in a model with nothing else in it; and on the simulated machine, where no
 * byte may be lost whoever chooses.
 */
#include "lru_model.h"

#include "../../examples/clock_policy.c"

static const struct quire_reclaim_policy *policy_at(unsigned i)
{
	const struct quire_reclaim_policy *p = quire_reclaim_policy(i);

	if (p)
		return p;
	return i && quire_reclaim_policy(i - 1) ? &clock_policy : NULL;
}

static const struct quire_reclaim_policy *policy_named(const char *name)
{
	const struct quire_reclaim_policy *p;
	unsigned i;

	for (i = 0; (p = policy_at(i)); i++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

TEST_PLAIN(reclaim_policies_have_names_and_lists)
{
	const struct quire_reclaim_policy *p;
	unsigned i, j;

	UNUSED_MACHINE;
	for (i = 0; (p = policy_at(i)); i++) {
		CHECK(p->lists >= 1 && p->lists <= QUIRE_LRU_LISTS);
		CHECK(p->choose && p->judge);
		for (j = 0; j < i; j++)
			CHECK(strcmp(policy_at(j)->name, p->name) != 0);
	}
	CHECK(i >= 3);
	CHECK_STR(quire_reclaim_policy(0)->name, "second-chance");
	CHECK(policy_named("s3-fifo"));
	CHECK(!quire_reclaim_policy(i));
}

/*
 * 40 pages that are used all the time, in 100 frames, while a thousand others
 * pass through, once each: the former stay.
 */
static uint64_t hot_misses(const struct quire_reclaim_policy *policy,
			   unsigned kind, bool mapped)
{
	struct model *m = model_create(policy, 100);
	uint64_t misses = 0, before;
	unsigned round, i;

	for (round = 0; round < 100; round++) {
		for (i = 0; i < 40; i++) {
			before = m->misses;
			model_use(m, i, kind, mapped);
			if (round > 20)
				misses += m->misses - before;
		}
		for (i = 0; i < 10; i++)
			model_use(m, 100 + round * 10 + i, kind, mapped);
	}
	CHECK(m->looks >= 900);
	free(m);
	return misses;
}

/* behaviour: R2 (what is used stays, what is used once goes) */
TEST_PLAIN(what_is_used_stays_under_every_policy)
{
	const struct quire_reclaim_policy *p;
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; (p = policy_at(i)); i++) {
		test_context("%s", p->name);
		CHECK_EQ(hot_misses(p, QUIRE_LRU_ANON, true), 0);
		CHECK_EQ(hot_misses(p, QUIRE_LRU_FILE, true), 0);
		CHECK_EQ(hot_misses(p, QUIRE_LRU_FILE, false), 0);
	}
}

/*
 * The same with 50 that are used once each time that 55 others were: a clock
 * loses all of them, a policy that tells them from those used once does not.
 */
static uint64_t scan_misses(const struct quire_reclaim_policy *policy)
{
	struct model *m = model_create(policy, 100);
	unsigned round, i, next = 100;
	uint64_t misses = 0, before;

	for (round = 0; round < 40; round++) {
		for (i = 0; i < 50; i++) {
			before = m->misses;
			model_use(m, i, QUIRE_LRU_FILE, true);
			misses += round > 28 ? m->misses - before : 0;
		}
		for (i = 0; i < 55; i++)
			model_use(m, next++, QUIRE_LRU_FILE, true);
	}
	free(m);
	return misses;
}

/* behaviour: R2 (a scan does not push out what is used again) */
TEST_PLAIN(s3_fifo_keeps_its_pages_from_a_scan)
{
	UNUSED_MACHINE;
	CHECK_EQ(scan_misses(&clock_policy), 11 * 50);
	CHECK(scan_misses(policy_named("s3-fifo")) < 11 * 10);
}

/* With no room in swap, private memory is not chosen; with none of either kind
 * that could go, nothing is. */
TEST_PLAIN(reclaim_policies_know_when_there_is_nothing)
{
	const struct quire_reclaim_policy *p;
	unsigned i, n, kind, list;

	UNUSED_MACHINE;
	for (i = 0; (p = policy_at(i)); i++) {
		struct model *lm = model_create(p, 1000);

		test_context("%s", p->name);
		lm->s.priority = 12;
		CHECK(!p->choose(&lm->s, &kind, &list));
		for (n = 0; n < 50; n++)
			model_use(lm, n, QUIRE_LRU_ANON, true);
		CHECK(p->choose(&lm->s, &kind, &list));
		CHECK_EQ(kind, QUIRE_LRU_ANON);
		lm->s.can_swap = false;
		CHECK(!p->choose(&lm->s, &kind, &list));
		for (n = 50; n < 60; n++)
			model_use(lm, n, QUIRE_LRU_FILE, true);
		CHECK(p->choose(&lm->s, &kind, &list));
		CHECK_EQ(kind, QUIRE_LRU_FILE);
		free(lm);
	}
}

/* ------------------------------------------------------- s3-fifo's own rules
 */

enum { SMALL, MAIN };

static enum quire_lru_verdict judge(struct quire_lru_page *page)
{
	struct quire_lru_state s = {.can_swap = true};

	return policy_named("s3-fifo")->judge(&s, page);
}

TEST_PLAIN(s3_fifo_judges)
{
	struct quire_lru_page p = {.kind = QUIRE_LRU_FILE, .list = SMALL};
	unsigned i;

	UNUSED_MACHINE;
	/* never used: out; used once (which brought it in) and not again: out
	 */
	CHECK_EQ(judge(&p), QUIRE_LRU_EVICT);
	p.referenced = 1;
	CHECK_EQ(judge(&p), QUIRE_LRU_KEEP);
	CHECK_EQ(p.list, SMALL);
	p.referenced = 0;
	CHECK_EQ(judge(&p), QUIRE_LRU_EVICT);
	/* used again: main */
	p.touched = true;
	CHECK_EQ(judge(&p), QUIRE_LRU_KEEP);
	CHECK_EQ(p.list, MAIN);
	/* used for long: it takes as many looks for it to go, three at most */
	for (i = 0; i < 10; i++) {
		p.referenced = 1;
		p.touched = false;
		CHECK_EQ(judge(&p), QUIRE_LRU_KEEP);
		CHECK_EQ(p.list, MAIN);
	}
	p.referenced = 0;
	for (i = 0; i < 3; i++)
		CHECK_EQ(judge(&p), QUIRE_LRU_KEEP);
	CHECK_EQ(judge(&p), QUIRE_LRU_EVICT);
}

static unsigned comes_back_to(uint64_t distance)
{
	struct quire_lru_state s = {.pages = {{40, 60}, {0, 0}}};
	struct quire_lru_page p = {
		.kind = QUIRE_LRU_ANON, .refault = true, .distance = distance};

	policy_named("s3-fifo")->refault(&s, &p);
	return p.list;
}

TEST_PLAIN(s3_fifo_knows_what_comes_back_soon)
{
	UNUSED_MACHINE;
	CHECK_EQ(comes_back_to(1), MAIN);
	CHECK_EQ(comes_back_to(33), MAIN);
	CHECK_EQ(comes_back_to(34), SMALL);
}

TEST_PLAIN(s3_fifo_takes_from_the_small_queue_while_it_is_large)
{
	const struct quire_reclaim_policy *p = policy_named("s3-fifo");
	struct quire_lru_state s = {.can_swap = true, .priority = 12};
	unsigned kind, list;

	UNUSED_MACHINE;
	s.pages[QUIRE_LRU_FILE][SMALL] = 101;
	s.pages[QUIRE_LRU_FILE][MAIN] = 900;
	CHECK(p->choose(&s, &kind, &list));
	CHECK_EQ(list, SMALL);
	s.pages[QUIRE_LRU_FILE][SMALL] = 99;
	CHECK(p->choose(&s, &kind, &list));
	CHECK_EQ(list, MAIN);
	s.pages[QUIRE_LRU_FILE][MAIN] = 0;
	CHECK(p->choose(&s, &kind, &list));
	CHECK_EQ(list, SMALL);
}
/* ------------------------------------------------------------ on the machine
 */

#define ANON_PAGES 3000u
#define FILE_PAGES 1000u
#define SEED	   77

/* Four times the memory there is, used in a way that has a hot part. */
static void use_memory(struct sim_task *t, struct sim_file *f, uaddr_t file_at)
{
	uint64_t v, i, n, x = 1;
	uint8_t byte;
	char buf[1];

	for (i = 0; i < ANON_PAGES; i++)
		CHECK_EQ(sim_store64(t, TEST_PLACE(0) + (uaddr_t)i * PG,
				     i * 7 + 1),
			 0);
	for (n = 0; n < 6000; n++) {
		x = (x * 1103515245 + 12345) & 0x7fffffff;
		i = (x >> 8) % (n % 4 ? 200 : ANON_PAGES);
		CHECK_EQ(sim_load64(t, TEST_PLACE(0) + (uaddr_t)i * PG, &v), 0);
		CHECK_EQ(v, i * 7 + 1);
		i = (x >> 9) % FILE_PAGES;
		CHECK_EQ(sim_load8(t, file_at + (uaddr_t)i * PG, &byte), 0);
		CHECK_EQ(byte, sim_file_byte(SEED, (uaddr_t)i * PG));
		i = n % FILE_PAGES;
		CHECK_EQ(sim_file_read(f, (uaddr_t)i * PG, buf, 1), 1);
	}
}

/* behaviours: R2, R3 */
TEST_PLAIN(no_byte_is_lost_whoever_chooses)
{
	const struct quire_reclaim_policy *p;
	unsigned i;

	UNUSED_MACHINE;
	for (i = 0; (p = policy_at(i)); i++) {
		struct sim_config config = {.ram_bytes = 4 << 20, .reclaim = p};
		struct sim_swap_config swap = {.slots = 2 * ANON_PAGES};
		struct sim_file *f;
		struct sim_task *t;
		uaddr_t file_at = TEST_PLACE(1);

		test_context("%s", p->name);
		test_set_shape(&config);
		m = sim_machine_create(&config);
		REQUIRE(m);
		REQUIRE(sim_swapon(m, &swap) >= 0);
		t = sim_task_create(m);
		f = sim_file_create(m, "/f", FILE_PAGES * PG, SEED);
		REQUIRE(t && f);
		REQUIRE(mapped_at(sim_mmap(
			t, TEST_PLACE(0), ANON_PAGES * PG,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0)));
		REQUIRE(mapped_at(sim_mmap(t, file_at, FILE_PAGES * PG,
					   PROT_READ, MAP_SHARED | MAP_FIXED, f,
					   0)));
		use_memory(t, f, file_at);
		CHECK(sim_vmstat(m, "pswpout") > ANON_PAGES / 2);
		CHECK(sim_vmstat(m, "pswpin") > 100);
		CHECK_SYSTEM(m);
		sim_exit(t);
		sim_file_close(f);
		CHECK_EQ(sim_machine_destroy(m), 0);
	}
}
