/* SPDX-License-Identifier: MIT */
/*
 * Spinlock, rwsem and page lock on several CPUs: exclusion, no lost wake-up
 * (that would be a time-out), nobody starved, a killed waiter leaves no trace.
 */
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include <mm/internal/system.h>
#include <tests/harness/harness.h>

#define CPUS 8
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(thread_sanitizer)
#define MANY 2000u
#else
#define MANY 20000u
#endif

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static spinlock_t spin;
static struct rwsem sem;
static uint64_t counter;      /* not atomic: the lock is what keeps it */
static uint64_t counter_copy; /* always the same, under the lock */
static atomic_uint readers, writers, most_readers, trouble;

static void spinner(unsigned cpu, void *arg)
{
	unsigned i;

	(void)cpu;
	(void)arg;
	for (i = 0; i < MANY; i++) {
		if (i % 7 == 0) {
			if (!spin_trylock(&spin))
				spin_lock(&spin);
		} else {
			spin_lock(&spin);
		}
		counter++;
		spin_unlock(&spin);
	}
}

TEST_WITH(spinlock_excludes, .config = {.cpus = CPUS})
{
	counter = 0;
	spin_lock_init(&spin, LEAF);
	sim_parallel(m, CPUS, spinner, NULL);
	CHECK_EQ(counter, CPUS * MANY);
	CHECK(!spin_is_locked(&spin));
}

static void read_inside(void)
{
	unsigned n = atomic_fetch_add(&readers, 1) + 1;
	unsigned most = atomic_load(&most_readers);

	while (n > most &&
	       !atomic_compare_exchange_weak(&most_readers, &most, n))
		;
	if (atomic_load(&writers) || counter != counter_copy)
		atomic_fetch_add(&trouble, 1);
	atomic_fetch_sub(&readers, 1);
}

static void write_inside(uint64_t s)
{
	if (atomic_fetch_add(&writers, 1) || atomic_load(&readers))
		atomic_fetch_add(&trouble, 1);
	counter++;
	if (s % 64 == 0) {
		sim_poll();
		usleep(20);
	}
	counter_copy++;
	atomic_fetch_sub(&writers, 1);
}

static void mixer(unsigned cpu, void *arg)
{
	uint64_t s = 1000 + cpu, writes = 0;
	unsigned i;

	for (i = 0; i < MANY / 4; i++) {
		switch (rnd(&s) % 8) {
		case 0:
			down_write(&sem);
			write_inside(s);
			writes++;
			up_write(&sem);
			break;
		case 1: /* a writer that goes on as a reader */
			down_write(&sem);
			write_inside(s);
			writes++;
			downgrade_write(&sem);
			read_inside();
			up_read(&sem);
			break;
		case 2:
			if (down_read_trylock(&sem)) {
				read_inside();
				up_read(&sem);
			}
			break;
		case 3:
			if (!down_write_killable(&sem)) {
				write_inside(s);
				writes++;
				up_write(&sem);
			}
			break;
		default:
			down_read(&sem);
			read_inside();
			up_read(&sem);
			break;
		}
	}
	__atomic_fetch_add((uint64_t *)arg, writes, __ATOMIC_RELAXED);
}

TEST_WITH(rwsem_excludes, .config = {.cpus = CPUS}, .seconds = 120)
{
	uint64_t writes = 0;

	counter = counter_copy = 0;
	rwsem_init(&sem, QUIRE_LOCK_MMAP);
	sim_parallel(m, CPUS, mixer, &writes);
	CHECK_EQ(atomic_load(&trouble), 0);
	CHECK_EQ(counter, writes);
	CHECK_EQ(sem.state, 0);
	CHECK(!sem.head && !sem.tail);
	CHECK(!rwsem_is_locked(&sem));
}

static atomic_bool stop;
static atomic_uint turns[CPUS];

/* CPU 0 writes now and then; the others never leave a moment without reader */
static void flood_of_readers(unsigned cpu, void *arg)
{
	unsigned i;

	(void)arg;
	if (cpu == 0) {
		for (i = 0; i < 50; i++) {
			down_write(&sem);
			counter++;
			up_write(&sem);
		}
		atomic_store(&stop, true);
		return;
	}
	down_read(&sem);
	while (!atomic_load(&stop)) {
		/* hand over hand with the neighbour */
		usleep(10 + cpu * 7);
		up_read(&sem);
		down_read(&sem);
		atomic_fetch_add(&turns[cpu], 1);
	}
	up_read(&sem);
}

TEST_WITH(rwsem_writer_is_not_starved, .config = {.cpus = 4})
{
	counter = 0;
	rwsem_init(&sem, QUIRE_LOCK_MMAP);
	sim_parallel(m, 4, flood_of_readers, NULL);
	CHECK_EQ(counter, 50);
}

static void flood_of_writers(unsigned cpu, void *arg)
{
	unsigned i;

	(void)arg;
	if (cpu == 0) {
		for (i = 0; i < 50; i++) {
			down_read(&sem);
			up_read(&sem);
		}
		atomic_store(&stop, true);
		return;
	}
	while (!atomic_load(&stop)) {
		down_write(&sem);
		counter++;
		usleep(10);
		up_write(&sem);
	}
}

TEST_WITH(rwsem_reader_is_not_starved, .config = {.cpus = 4})
{
	rwsem_init(&sem, QUIRE_LOCK_MMAP);
	sim_parallel(m, 4, flood_of_writers, NULL);
	CHECK_EQ(sem.state, 0);
}

static void hold_together(unsigned cpu, void *arg)
{
	(void)cpu;
	(void)arg;
	down_read(&sem);
	atomic_fetch_add(&readers, 1);
	while (atomic_load(&readers) < 3)
		sim_poll();
	up_read(&sem);
}

/* Readers really are inside at the same time (else this never ends). */
TEST_WITH(rwsem_readers_share, .config = {.cpus = 3})
{
	rwsem_init(&sem, QUIRE_LOCK_MMAP);
	sim_parallel(m, 3, hold_together, NULL);
	CHECK_EQ(atomic_load(&readers), 3);
}

/*
 * CPU 0 holds the lock for read; 1 waits to write and is killed; 2 waits to
 * read behind it and must get in without the holder's leaving.
 */
static struct sim_task *victim;
static atomic_uint queued, got_in;

static uint32_t queue_length(void)
{
	uint32_t n;

	spin_lock(&sem.wait_lock);
	n = !sem.head ? 0 : sem.head == sem.tail ? 1 : 2;
	spin_unlock(&sem.wait_lock);
	return n;
}

static void killed_waiter(unsigned cpu, void *arg)
{
	struct sim_machine *m = arg;

	if (cpu == 0) {
		down_read(&sem);
		atomic_store(&queued, 1);
		while (queue_length() != 2)
			sim_poll();
		sim_kill(victim);
		while (!atomic_load(&got_in))
			sim_poll();
		up_read(&sem);
	} else if (cpu == 1) {
		sim_run(victim);
		while (!atomic_load(&queued))
			sim_poll();
		CHECK_EQ(down_write_killable(&sem), -EINTR);
		sim_run(NULL);
	} else {
		while (queue_length() != 1)
			sim_poll();
		down_read(&sem);
		atomic_store(&got_in, 1);
		up_read(&sem);
	}
	(void)m;
}

TEST_WITH(rwsem_killed_waiter_lets_others_in, .config = {.cpus = 3})
{
	rwsem_init(&sem, QUIRE_LOCK_MMAP);
	victim = sim_task_create(m);
	REQUIRE(victim);
	sim_run(NULL);
	sim_parallel(m, 3, killed_waiter, m);
	CHECK_EQ(sem.state, 0);
	CHECK(!sem.head && !sem.tail);
	/* it is as good as new */
	down_write(&sem);
	up_write(&sem);
	sim_exit(victim);
}

static struct page *locked_page;

static void page_locker(unsigned cpu, void *arg)
{
	unsigned i;

	(void)cpu;
	(void)arg;
	for (i = 0; i < MANY / 4; i++) {
		if (i % 5 || !trylock_page(locked_page))
			lock_page(locked_page);
		counter++;
		/* other flags of the word change under the sleepers */
		if (i % 3 == 0)
			SetPageFlag(locked_page, PG_referenced);
		else
			ClearPageFlag(locked_page, PG_referenced);
		unlock_page(locked_page);
	}
}

TEST_WITH(page_lock_excludes, .config = {.cpus = CPUS})
{
	struct quire *q = sim_quire(m);

	counter = 0;
	locked_page = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
	REQUIRE(locked_page);
	sim_parallel(m, CPUS, page_locker, NULL);
	CHECK_EQ(counter, CPUS * (MANY / 4));
	CHECK(!PageFlag(locked_page, PG_locked));
	quire_free_pages(q, locked_page, 0);
}
