/* SPDX-License-Identifier: MIT */
/*
 * The host-contract checker catches what it says it does: each rule is broken
 * on purpose.  These tests play Quire's part, by its own locks and hooks.
 */
#include "common.h"
#include <mm.h>

static void expect_violation(struct sim_machine *m, const char *text)
{
	CHECK_EQ(sim_violations(m), 1);
	if (!CHECK(sim_log_contains(m, text))) {
		char *log = sim_log_text(m);

		fprintf(stderr, "wanted \"%s\" in: %s", text, log);
		free(log);
	}
	sim_violations_clear(m);
	sim_log_clear(m);
}

TEST(checker_sleep_under_a_spinlock)
{
	spinlock_t l;
	struct rwsem s;

	sim_quiet(m, true);
	rwsem_init(&s, QUIRE_LOCK_MMAP);
	spin_lock_init(&l, PTL);
	spin_lock(&l);
	quire_host_debug_might_sleep("here");
	expect_violation(m, "here may sleep under the page-table lock");
	spin_unlock(&l);
	quire_host_preempt_disable();
	quire_host_debug_might_sleep("here");
	expect_violation(m, "here may sleep with preemption off");
	quire_host_preempt_enable();
	/* allowed: a sleeping lock inside a sleeping one */
	down_read(&s);
	quire_host_debug_might_sleep("here");
	up_read(&s);
	CHECK_EQ(sim_violations(m), 0);
}

TEST(checker_lock_order)
{
	spinlock_t zone, ptl, ptl2;
	struct rwsem mmap_lock, i_mmap;

	sim_quiet(m, true);
	rwsem_init(&mmap_lock, QUIRE_LOCK_MMAP);
	rwsem_init(&i_mmap, QUIRE_LOCK_I_MMAP);
	spin_lock_init(&zone, ZONE);
	spin_lock_init(&ptl, PTL);
	spin_lock_init(&ptl2, PTL);
	/* the right way round, with a pair that is allowed */
	down_write(&mmap_lock);
	down_write(&i_mmap);
	spin_lock(&ptl);
	spin_lock(&ptl2);
	spin_lock(&zone);
	spin_unlock(&zone);
	spin_unlock(&ptl);
	spin_unlock(&ptl2);
	up_write(&i_mmap);
	up_write(&mmap_lock);
	CHECK_EQ(sim_violations(m), 0);

	spin_lock(&zone);
	spin_lock(&ptl);
	expect_violation(m, "lock order: page-table lock");
	spin_unlock(&ptl);
	spin_unlock(&zone);
	down_write(&i_mmap);
	down_write(&mmap_lock);
	expect_violation(m, "lock order: mmap_lock");
	up_write(&mmap_lock);
	up_write(&i_mmap);
}

TEST(checker_balance)
{
	spinlock_t l;

	sim_quiet(m, true);
	spin_lock_init(&l, LRU);
	spin_lock(&l);
	sim_check(m);
	CHECK(sim_log_contains(m, "ends with the LRU lock"));
	sim_violations_clear(m);
	sim_log_clear(m);
	quire_host_debug_unlock(&l, QUIRE_LOCK_LRU);
	expect_violation(m, "released but not held");
	quire_host_preempt_disable();
	sim_check(m);
	expect_violation(m, "ends with preemption off");
	quire_host_preempt_enable();
	expect_violation(m, "enabled more often");
}

TEST(checker_write_to_a_free_page)
{
	struct page *p = quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, 0);
	uint64_t *w;
	unsigned i;

	REQUIRE(p);
	w = quire_page_address(sim_quire(m), p);
	quire_free_pages(sim_quire(m), p, 0);
#if defined(__SANITIZE_ADDRESS__)
	return; /* the write itself would be caught: next test */
#endif
	sim_quiet(m, true);
	w[77] = 1;
	for (i = 0; i < 4 * PCP_HIGH && !sim_violations(m); i++) {
		p = quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, 0);
		if (!p || quire_page_address(sim_quire(m), p) == w)
			break;
	}
	expect_violation(m, "was written while free: offset 0x268");
	/* the pages taken are not given back: the machine is given up */
	_Exit(test_failures() != 0);
}

static uint64_t *victim;

static void touch_victim(struct sim_machine *m)
{
	(void)m;
	*(volatile uint64_t *)victim = 1;
}

static void take_and_free(struct sim_machine *m)
{
	struct page *p = quire_alloc_pages(sim_quire(m), QUIRE_GFP_KERNEL, 0);

	REQUIRE(p);
	victim = quire_page_address(sim_quire(m), p);
	victim[3] = 5;
	quire_free_pages(sim_quire(m), p, 0);
}

TEST_WITH(checker_protected_free_pages, .config = {.protect_free = true})
{
	take_and_free(m);
	CHECK(test_dies(m, touch_victim));
}

TEST(checker_free_pages_under_asan)
{
	take_and_free(m);
#if defined(__SANITIZE_ADDRESS__)
	CHECK(test_dies(m, touch_victim));
#else
	CHECK(!test_dies(m, touch_victim));
#endif
}

TEST(checker_page_freed_twice)
{
	uint64_t bytes;
	void *mem = sim_phys(m, sim_reserved(m, &bytes));

	sim_quiet(m, true);
	quire_host_debug_pages_taken(mem, PG);
	CHECK_EQ(sim_violations(m), 0);
	quire_host_debug_pages_taken(mem, PG);
	expect_violation(m, "handed out twice");
	quire_host_debug_pages_freed(mem, PG);
	quire_host_debug_pages_freed(mem, PG);
	expect_violation(m, "freed twice");
	quire_host_debug_pages_taken(mem, PG);
}

/*
 * A page freed while a TLB still has it: what a forgotten flush looks like.
 * The table entry is cleared by hand and the page handed back.
 */
TEST(checker_stale_tlb_entry)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 1);
	struct sim_walk w;
	void *mem;

#if defined(__SANITIZE_ADDRESS__)
	sim_exit(t);
	return; /* the copy of the user's data would be caught first */
#endif
	if (sim_get_config(m)->arm_colours) {
		sim_exit(t);
		return; /* so would the lines in the data cache */
	}
	put64(t, a, 1);
	REQUIRE(sim_translate(m, SIM_READ, 0, a, true, &w));
	mem = sim_phys(m, w.phys);
	quire_host_debug_pages_freed(mem, PG);
	sim_quiet(m, true);
	(void)get64(t, a);
	expect_violation(m, "stale TLB entry: address");
	sim_quiet(m, false);
	quire_host_debug_pages_taken(mem, PG);
	put64(t, a, 1);
	sim_exit(t);
}

static void do_panic(void *arg)
{
	(void)arg;
	quire_host_panic("file.c", 7, "broken");
}

TEST(checker_panic_is_caught)
{
	struct sim_config c = {.ram_bytes = 16 << 20};
	struct sim_machine *n;

	n = sim_machine_create(&c);
	REQUIRE(n);
	sim_quiet(n, true);
	CHECK(sim_catch_panic(n, do_panic, NULL));
	CHECK(sim_log_contains(n, "panic: file.c:7: broken"));
	sim_machine_abandon(n);
	sim_bind(m, 0);
}

static void sleep_for_ever(void *arg)
{
	uint32_t word = 5;

	(void)arg;
	quire_host_wait(&word, 5, 0);
}

TEST_WITH(checker_lost_wakeup, .config = {.ram_bytes = 16 << 20})
{
	struct sim_config c = {.ram_bytes = 16 << 20, .wait_seconds = 1};
	struct sim_machine *n = sim_machine_create(&c);

	REQUIRE(n);
	sim_quiet(n, true);
	CHECK(sim_catch_panic(n, sleep_for_ever, NULL));
	CHECK(sim_log_contains(n, "deadlock or lost wake-up"));
	sim_machine_abandon(n);
	sim_bind(m, 0);
}
