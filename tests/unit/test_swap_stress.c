/* SPDX-License-Identifier: MIT */
/*
 * More memory than there is: eight processes, born of each other by fork, write
 * and verify four times the machine's RAM at random.
 *
 *   PRIVATE   anonymous, each process its own after fork and COW
 *   COPIES    a private mapping of a file: its pages until they are written
 *   SHARED    anonymous and shared by all: each owns 512 bytes of each page
 *   FILE      a shared mapping of a file, by the same lanes
 *
 * Two threads drive four processes each, so that the lanes of a page are
 * written on two CPUs at once.  What a page (lane) must hold is told by its
 * key: who wrote it there, where and in which round; each eight bytes of it
 * depend on the key, and a child inherits its parent's keys.
 *
 * QUIRE_TEST_MINUTES=n: for so long, each.
 */
#include "swap.h"

#define SLOTS	8
#define THREADS 2
#define RAM	(8u << 20)
#define SEED	41
#define LANE	512u

enum place { PRIVATE, COPIES, SHARED, IN_FILE, PLACES };
#define MOST_PAGES 1024
static const unsigned pages_of[PLACES] = {640, 128, 1024, 1024};

/* In a key: the page may be zero instead (MADV_FREE). */
#define MAY_BE_ZERO (1ull << 63)
/* In a key: where it was written. */
#define KEY(slot, place, page, round)                                          \
	((uint64_t)((place) + 1) << 58 | (uint64_t)(slot) << 54 |              \
	 (uint64_t)(page) << 40 | (round))

struct process {
	struct sim_task *t;
	uint64_t rng, round;
	uint64_t key[PLACES][MOST_PAGES];
};

struct swap_stress {
	struct sim_machine *m;
	struct sim_file *f;
	uaddr_t at[PLACES];
	struct process p[SLOTS];
	unsigned char *file; /* what COPIES holds before it is written */
	unsigned rounds;
	struct test_deadline deadline;
	struct lossy *lossy; /* the swap device, if its reads may fail */
	uint64_t sigbus;     /* atomic */
};

/* ------------------------------------------------- a device that loses pages
 */

/*
 * Memory; of the reads one in so many fails, and what was there is noted: the
 * marks, the words that each 512 bytes of a page begin with.
 */
#define LOST_MAX 8192u
struct lossy {
	struct sim_machine *m;
	uint64_t (*data)[512]; /* by slot */
	uint64_t one_in, reads;
	uint32_t nr_lost;
	uint64_t lost[LOST_MAX];
};

/* Programs may store to a page while it is written: atomic words. */
static void copy_page(uint64_t *to, uint64_t *from)
{
	for (unsigned i = 0; i < 512; i++)
		__atomic_store_n(&to[i],
				 __atomic_load_n(&from[i], __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
}

static bool lossy_lost(struct lossy *d, uint64_t mark)
{
	uint32_t n = __atomic_load_n(&d->nr_lost, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n && i < LOST_MAX; i++)
		if (__atomic_load_n(&d->lost[i], __ATOMIC_RELAXED) == mark)
			return true;
	return false;
}

static void lossy_lose(struct lossy *d, const uint64_t *data)
{
	for (unsigned i = 0; i < 512; i += LANE / 8) {
		uint32_t n = __atomic_load_n(&d->nr_lost, __ATOMIC_RELAXED);

		if (lossy_lost(d, data[i]))
			continue;
		n = __atomic_fetch_add(&d->nr_lost, 1u, __ATOMIC_ACQ_REL);
		REQUIRE(n < LOST_MAX);
		__atomic_store_n(&d->lost[n], data[i], __ATOMIC_RELEASE);
	}
}

static void lossy_write(void *device, uint64_t slot, struct page **pages,
			unsigned n)
{
	struct lossy *d = device;
	struct quire *q = sim_quire(d->m);

	for (unsigned i = 0; i < n; i++) {
		copy_page(d->data[slot + i], quire_page_address(q, pages[i]));
		quire_page_end_write(q, pages[i], 0);
	}
}

static void lossy_read(void *device, uint64_t slot, struct page **pages,
		       unsigned n)
{
	struct lossy *d = device;
	struct quire *q = sim_quire(d->m);

	for (unsigned i = 0; i < n; i++) {
		uint64_t nr =
			__atomic_add_fetch(&d->reads, 1u, __ATOMIC_RELAXED);

		if (nr % d->one_in) {
			copy_page(quire_page_address(q, pages[i]),
				  d->data[slot + i]);
			quire_page_end_read(q, pages[i], 0);
		} else {
			lossy_lose(d, d->data[slot + i]);
			quire_page_end_read(q, pages[i], -EIO);
		}
	}
}

static const struct quire_swap_ops lossy_ops = {
	.write = lossy_write,
	.read = lossy_read,
};

static unsigned rnd(struct process *p, unsigned n)
{
	p->rng = p->rng * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(p->rng >> 33) % n;
}

/* ------------------------------------------------------- what must be there */

static size_t bytes_of(enum place where)
{
	return where >= SHARED ? LANE : (size_t)PG;
}

static uaddr_t address(struct swap_stress *s, unsigned slot, enum place where,
		       unsigned page)
{
	return s->at[where] + page * PG +
	       (where >= SHARED ? slot * (uaddr_t)LANE : 0);
}

static void content(struct swap_stress *s, enum place where, unsigned page,
		    uint64_t key, unsigned char *buf)
{
	size_t n = bytes_of(where), i;
	uint64_t v = key;

	if (!key) {
		if (where == COPIES)
			memcpy(buf, s->file + page * PG, n);
		else
			memset(buf, 0, n);
		return;
	}
	for (i = 0; i < n; i += 8) {
		/* the mark at the start of each 512 bytes; some pages repeat
		 * one word */
		v = i % LANE == 0 || key % 8 == 3
			    ? key
			    : v * 6364136223846793005ull + key;
		memcpy(buf + i, &v, 8);
	}
}

/* An access ended in SIGBUS: right where the device has lost the page. */
static void lost(struct swap_stress *s, unsigned slot, enum place where,
		 unsigned page)
{
	struct process *p = &s->p[slot];
	uint64_t key = p->key[where][page] & ~MAY_BE_ZERO;

	__atomic_fetch_add(&s->sigbus, 1u, __ATOMIC_RELAXED);
	if (!s->lossy || !lossy_lost(s->lossy, key))
		test_failed(__FILE__, __LINE__,
			    "SIGBUS at page %u of place %u, process %u: its "
			    "key %#llx was not lost",
			    page, where, slot, (unsigned long long)key);
	if (where == PRIVATE || where == COPIES) {
		CHECK_EQ(sim_madvise(p->t, address(s, slot, where, page), PG,
				     MADV_DONTNEED),
			 0);
		p->key[where][page] = 0;
	}
}

/* Read it in one of three ways and compare. */
static bool verify(struct swap_stress *s, unsigned slot, enum place where,
		   unsigned page)
{
	unsigned char got[4096], want[4096];
	struct process *p = &s->p[slot];
	uint64_t *key = &p->key[where][page];
	uaddr_t a = address(s, slot, where, page);
	size_t n = bytes_of(where), i;
	int e = 0;

	if (s->lossy || rnd(p, 8))
		e = sim_read(p->t, a, got, n);
	else if (rnd(p, 2))
		CHECK_EQ(sim_copy_from_user(p->t, a, got, n), n);
	else
		CHECK_EQ(quire_mm_read(p->t->qt.mm, a, got, n), n);
	if (e == SIGBUS) {
		lost(s, slot, where, page);
		return true;
	}
	if (!CHECK_EQ(e, 0))
		return false;
	content(s, where, page, *key & ~MAY_BE_ZERO, want);
	if (!memcmp(got, want, n))
		return true;
	if (*key & MAY_BE_ZERO) {
		*key = 0;
		content(s, where, page, 0, want);
		if (!memcmp(got, want, n))
			return true;
	}
	for (i = 0; i < n && got[i] == want[i];)
		i++;
	test_failed(__FILE__, __LINE__,
		    "process %u, place %u, page %u: byte %zu is %#x, not %#x "
		    "(key %#llx)",
		    slot, where, page, i, got[i], want[i],
		    (unsigned long long)*key);
	return false;
}

/* ----------------------------------------------------------- the operations */

static void store(struct swap_stress *s, unsigned slot, enum place where,
		  unsigned page)
{
	unsigned char buf[4096];
	struct process *p = &s->p[slot];
	uint64_t key = KEY(slot, where, page, ++p->round);
	int e;

	content(s, where, page, key, buf);
	e = sim_write(p->t, address(s, slot, where, page), buf,
		      bytes_of(where));
	if (e == SIGBUS)
		lost(s, slot, where, page);
	else if (CHECK_EQ(e, 0))
		p->key[where][page] = key;
}

/* Another process takes the slot: a child of one of this thread's. */
static void fork_anew(struct swap_stress *s, unsigned slot)
{
	unsigned from = (slot + THREADS * (1 + rnd(&s->p[slot], 3))) % SLOTS;
	struct sim_task *c = sim_fork(s->p[from].t);

	if (!CHECK(c))
		return;
	sim_exit(s->p[slot].t);
	s->p[slot].t = c;
	memcpy(s->p[slot].key[PRIVATE], s->p[from].key[PRIVATE],
	       sizeof(s->p[slot].key[PRIVATE]));
	memcpy(s->p[slot].key[COPIES], s->p[from].key[COPIES],
	       sizeof(s->p[slot].key[COPIES]));
}

static void advise(struct swap_stress *s, unsigned slot)
{
	static const int advice[] = {MADV_PAGEOUT,  MADV_COLD, MADV_WILLNEED,
				     MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT};
	struct process *p = &s->p[slot];
	int what = advice[rnd(p, sizeof(advice) / sizeof(int))];
	enum place where = rnd(p, PLACES);
	unsigned page, n = 1 + rnd(p, 32), i;

	if (what == MADV_DONTNEED || what == MADV_FREE) {
		where = PRIVATE;
		n = 1 + n / 8;
	}
	page = rnd(p, pages_of[where] - n);
	CHECK_EQ(sim_madvise(p->t, s->at[where] + page * PG, n * PG, what), 0);
	for (i = page; i < page + n; i++) {
		if (what == MADV_DONTNEED)
			p->key[PRIVATE][i] = 0;
		if (what == MADV_FREE && p->key[PRIVATE][i])
			p->key[PRIVATE][i] |= MAY_BE_ZERO;
	}
}

/* Locked for a moment, and of another protection: the map is cut there. */
static void lock_and_protect(struct swap_stress *s, unsigned slot)
{
	struct process *p = &s->p[slot];
	unsigned page = rnd(p, pages_of[PRIVATE] - 8);
	uaddr_t a = s->at[PRIVATE] + page * PG;
	bool lock = !s->lossy && rnd(p, 2);

	if (lock) {
		sim_run(p->t);
		CHECK_EQ(quire_mlock(p->t->qt.mm, a, 8 * PG, 0), 0);
	}
	CHECK_EQ(sim_mprotect(p->t, a + 2 * PG, 3 * PG, PROT_READ), 0);
	verify(s, slot, PRIVATE, page + 3);
	CHECK_EQ(sim_mprotect(p->t, a, 8 * PG, RW), 0);
	if (lock)
		CHECK_EQ(quire_munlock(p->t->qt.mm, a, 8 * PG), 0);
}

static void stress_op(struct swap_stress *s, unsigned slot)
{
	struct process *p = &s->p[slot];
	enum place where = rnd(p, PLACES);
	unsigned k = rnd(p, 400);

	if (k < 180)
		store(s, slot, where, rnd(p, pages_of[where]));
	else if (k < 380)
		verify(s, slot, where, rnd(p, pages_of[where]));
	else if (k < 392)
		advise(s, slot);
	else if (k < 397)
		lock_and_protect(s, slot);
	else
		fork_anew(s, slot);
}

/* Everything that a process has, in order. */
static void verify_all(struct swap_stress *s, unsigned slot)
{
	unsigned where, page;

	for (where = 0; where < PLACES; where++)
		for (page = 0; page < pages_of[where]; page++)
			if (!verify(s, slot, where, page))
				return;
}

static void stress_thread(unsigned i, void *arg)
{
	struct swap_stress *s = arg;
	unsigned k, slot;

	/* three times the memory, once */
	for (slot = i; slot < SLOTS; slot += THREADS)
		for (k = 0; k < pages_of[PRIVATE] + pages_of[COPIES]; k++)
			if (k < pages_of[PRIVATE])
				store(s, slot, PRIVATE, k);
			else
				store(s, slot, COPIES, k - pages_of[PRIVATE]);
	for (k = 0; k < s->rounds || test_time_left(&s->deadline); k++) {
		stress_op(s, i + THREADS * rnd(&s->p[i], SLOTS / THREADS));
		if (test_failures())
			return;
	}
	for (slot = i; slot < SLOTS; slot += THREADS)
		verify_all(s, slot);
}

/* ----------------------------------------------------------------- the frame
 */

static struct swap_stress *stress_begin(struct sim_machine *m, unsigned rounds)
{
	struct swap_stress *s = calloc(1, sizeof(*s));
	struct sim_file *copies;
	struct sim_task *t = sim_task_create(m);
	size_t i;

	REQUIRE(s && t);
	s->m = m;
	s->rounds = rounds;
	s->file = malloc(pages_of[COPIES] * PG);
	s->f = sim_file_create(m, "/shared", pages_of[IN_FILE] * PG, 0);
	copies = sim_file_create(m, "/copied", pages_of[COPIES] * PG, SEED);
	REQUIRE(s->file && s->f && copies);
	for (i = 0; i < pages_of[COPIES] * PG; i++)
		s->file[i] = sim_file_byte(SEED, i);
	t->qt.cap_ipc_lock = true;
	s->at[PRIVATE] = anon(t, pages_of[PRIVATE]);
	s->at[COPIES] =
		must_map(t, pages_of[COPIES] * PG, RW, MAP_PRIVATE, copies, 0);
	s->at[SHARED] = must_map(t, pages_of[SHARED] * PG, RW, SHANON, NULL, 0);
	s->at[IN_FILE] =
		must_map(t, pages_of[IN_FILE] * PG, RW, MAP_SHARED, s->f, 0);
	sim_file_close(copies);
	s->p[0].t = t;
	for (i = 0; i < SLOTS; i++) {
		s->p[i].rng = (i + 1) * 0x9e3779b97f4a7c15ull;
		if (!i)
			continue;
		s->p[i].t = sim_fork(t);
		REQUIRE(s->p[i].t);
		s->p[i].t->qt.cap_ipc_lock = true;
	}
	return s;
}

/* Everything but one process, and what fits into memory of that one. */
static void leave_a_little(struct swap_stress *s)
{
	struct sim_task *t = s->p[0].t;
	unsigned i;

	for (i = 1; i < SLOTS; i++)
		sim_exit(s->p[i].t);
	CHECK_EQ(sim_munmap(t, s->at[PRIVATE] + 200 * PG, 440 * PG), 0);
	CHECK_EQ(sim_munmap(t, s->at[SHARED] + 512 * PG, 512 * PG), 0);
	CHECK_EQ(sim_munmap(t, s->at[IN_FILE], pages_of[IN_FILE] * PG), 0);
}

static void verify_the_rest(struct swap_stress *s)
{
	unsigned i;

	for (i = 0; i < 200; i++)
		verify(s, 0, PRIVATE, i);
	for (i = 0; i < pages_of[COPIES]; i++)
		verify(s, 0, COPIES, i);
	for (i = 0; i < 512; i++)
		verify(s, 0, SHARED, i);
}

/* All is quiet: without swap there is no room, until most of it is gone. */
static void stress_end(struct swap_stress *s, unsigned area)
{
	uint64_t total, free_slots, in = sim_vmstat(s->m, "pswpin");
	unsigned i;

	CHECK(sim_vmstat(s->m, "pswpout") > ROUNDS(2000u));
	CHECK(in > ROUNDS(1000u));
	if (test_extra_seconds())
		printf("%llu pages in, %llu out, %llu refaults\n",
		       (unsigned long long)in,
		       (unsigned long long)sim_vmstat(s->m, "pswpout"),
		       (unsigned long long)sim_vmstat(
			       s->m, "workingset_refault_anon"));
	CHECK_SYSTEM(s->m);
	CHECK_EQ(sim_swapoff(s->m, area), -ENOMEM);
	/* what it brings back is not sent away for the next */
	CHECK(sim_vmstat(s->m, "pswpin") - in <= 4 * RAM / 4096);
	CHECK_SYSTEM(s->m);
	for (i = 0; i < 100; i++)
		verify(s, i % SLOTS, PRIVATE, i);
	leave_a_little(s);
	CHECK_SYSTEM(s->m);
	CHECK_EQ(sim_swapoff(s->m, area), 0);
	quire_swap_total(sim_quire(s->m), &total, &free_slots);
	CHECK_EQ(total, 0);
	CHECK_EQ(mm_stats(s->p[0].t).swap_entries, 0);
	CHECK_SYSTEM(s->m);
	verify_the_rest(s);
	sim_exit(s->p[0].t);
	sim_file_close(s->f);
	free(s->file);
	free(s);
}

static void swap_stress(struct sim_machine *m, unsigned flags,
			const struct sim_disk_config *disk, unsigned rounds)
{
	unsigned area = swap_on(m, 4 * RAM / 4096, 0, flags, disk);
	struct swap_stress *s = stress_begin(m, rounds);

	s->deadline = test_deadline();
	sim_run(NULL);
	sim_parallel(m, THREADS, stress_thread, s);
	stress_end(s, area);
}

/* behaviours: R1, R2, R3, F11, F12, C5, C4 (no byte is lost, no slot leaks) */
TEST_WITH(swap_stress,
	  .config = {.ram_bytes = RAM,
		     .cpus = THREADS,
		     .io_thread = true,
		     .reclaim_thread = true},
	  .seconds = 300)
{
	struct sim_disk_config disk = {
		.latency_us = 5, .latency_random_us = 30, .reorder = true};

	swap_stress(m, 0, &disk, ROUNDS(8000));
}

/* A device that needs no swap cache, and entries that leave the TLB. */
/* behaviours: R1, R3, F11, F12 */
TEST_WITH(swap_stress_synchronous,
	  .config = {.ram_bytes = RAM,
		     .cpus = THREADS,
		     .asids = TEST_ASIDS(6),
		     .tlb_sets = 4,
		     .tlb_evict = 50},
	  .seconds = 300)
{
	swap_stress(m, QUIRE_SWAP_SYNC | QUIRE_SWAP_DISCARD, NULL,
		    ROUNDS(8000));
}

/* Yields in the locks, transfers in pieces. */
/* behaviours: R1, R3, F11 */
TEST_WITH(swap_stress_short_transfers,
	  .config = {.ram_bytes = RAM,
		     .cpus = THREADS,
		     .io_thread = true,
		     .jitter = 30},
	  .seconds = 300)
{
	struct sim_disk_config disk = {
		.reorder = true, .short_bytes = 3000, .short_random = true};

	swap_stress(m, QUIRE_SWAP_ROTATIONAL, &disk, ROUNDS(6000));
}

/*
 * One read in a hundred fails: who has that page, and nobody else, gets SIGBUS.
 *
 * behaviours: R3, F11
 */
TEST_WITH(swap_stress_read_errors,
	  .config = {.ram_bytes = RAM, .cpus = THREADS}, .seconds = 300)
{
	static struct lossy d = {.one_in = 100};
	struct quire_swap_config c = {
		.ops = &lossy_ops, .device = &d, .slots = 4 * RAM / 4096};
	struct swap_stress *s;

	d.m = m;
	d.data = calloc(c.slots, 4096);
	REQUIRE(d.data);
	REQUIRE_EQ(quire_swapon(sim_quire(m), &c), 0);
	s = stress_begin(m, ROUNDS(6000));
	s->lossy = &d;
	sim_run(NULL);
	sim_parallel(m, THREADS, stress_thread, s);
	CHECK(d.nr_lost > 0 && s->sigbus > 0);
	CHECK_SYSTEM(m);
	leave_a_little(s);
	CHECK_EQ(quire_swapoff(sim_quire(m), 0), 0);
	CHECK_SYSTEM(m);
	verify_the_rest(s);
	sim_exit(s->p[0].t);
	sim_file_close(s->f);
	free(s->file);
	free(s);
	free(d.data);
}
