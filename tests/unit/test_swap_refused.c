/* SPDX-License-Identifier: MIT */
/*
 * Swap that does not take pages: all of them, those that do not shrink, or none
 * because it is full.  Reclaim does not go on offering them; who has a place
 * for them gets them; and where there is none somebody is told, soon.
 */
#include <limits.h>

#include "swap.h"
#include "swapdev.h"

#define RAM    (8u << 20)
#define FRAMES (RAM / 4096)
#define MACHINE                                                                \
	{                                                                      \
		.ram_bytes = RAM, .overcommit = 1, .oom_kill = true, .cpus = 2 \
	}

/* Writes that fail before an area is left alone, and at the end of each of its
 * rests: that many in a run, and a batch on its way. */
#define REFUSED_MOST 800u

static uint64_t kills(struct sim_machine *m)
{
	struct sim_stats s;

	sim_get_stats(m, &s);
	return s.oom_kills;
}

/*
 * A page whose first word is odd is refused: it does not shrink.
 */
static unsigned refused;

static void picky_write(void *device, uint64_t slot, struct page **pages,
			unsigned n)
{
	struct swapdev *d = device;
	unsigned i;

	for (i = 0; i < n; i++) {
		const uint64_t *p = page_address(d->q, pages[i]);

		if (__atomic_load_n(p, __ATOMIC_RELAXED) & 1) {
			__atomic_fetch_add(&refused, 1u, __ATOMIC_RELAXED);
			quire_page_end_write(d->q, pages[i], -ENOSPC);
		} else {
			swapdev_write(d, slot + i, &pages[i], 1);
		}
	}
}

static const struct quire_swap_ops picky_ops = {
	.write = picky_write,
	.read = swapdev_read,
	.slot_free = swapdev_free,
};

static struct swapdev *picky_on(struct sim_machine *m, int priority)
{
	struct swapdev *d = swapdev_make(m);
	struct quire_swap_config c =
		swapdev_config(d, DEV_SLOTS, QUIRE_SWAP_SYNC, priority);

	refused = 0;
	c.ops = &picky_ops;
	REQUIRE(quire_swapon(d->q, &c) >= 0);
	return d;
}

static void expect(struct sim_task *t, uaddr_t a, unsigned from, unsigned to,
		   uint64_t step)
{
	for (unsigned i = from; i < to; i++)
		REQUIRE_EQ(get64(t, a + i * PG), step * i + 2);
}

/* As many as there is room for; 0, or what ended it. */
static int fill(struct sim_task *t, uaddr_t a, unsigned pages, uint64_t step)
{
	int r = 0;

	for (unsigned i = 0; i < pages && !r; i++)
		r = sim_store64(t, a + i * PG, step * i + 2);
	return r;
}

/* Twice the memory, and no page can be written: the largest dies, soon. */
static void refuse_all(struct sim_machine *m, unsigned flags)
{
	struct swapdev *d = swapdev_on(m, DEV_SLOTS, flags, 0);
	struct sim_task *big = sim_task_create(m), *own = sim_task_create(m);
	uaddr_t a = anon(big, 2 * FRAMES), b = anon(own, 128);

	memset(d->bad_write, 1, sizeof(d->bad_write));
	CHECK_EQ(fill(own, b, 128, 3), 0);
	CHECK_EQ(fill(big, a, 2 * FRAMES, 1), SIGKILL);
	CHECK_EQ(kills(m), 1);
	CHECK(d->pages_written > 0 && d->pages_written < REFUSED_MOST);
	CHECK_SYSTEM(m);
	expect(own, b, 0, 128, 3);
	sim_exit(big);
	CHECK_EQ(fill(own, b, 128, 5), 0);
	expect(own, b, 0, 128, 5);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
	CHECK_SYSTEM(m);
	sim_exit(own);
}

/* behaviours: R5, R3 */
TEST_WITH(swap_refuses_all, .config = MACHINE, .seconds = 60)
{
	refuse_all(m, 0);
}

/* behaviours: R5, R3 */
TEST_WITH(swap_refuses_all_synchronous, .config = MACHINE, .seconds = 60)
{
	refuse_all(m, QUIRE_SWAP_SYNC);
}

/* behaviours: R3 (another area of lower priority takes what the first refuses)
 */
TEST_WITH(swap_refused_goes_elsewhere, .config = MACHINE, .seconds = 60)
{
	struct swapdev *bad = swapdev_on(m, DEV_SLOTS, QUIRE_SWAP_SYNC, 10);
	struct swapdev *good = swapdev_on(m, DEV_SLOTS, 0, 5);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = anon(t, 2 * FRAMES);

	memset(bad->bad_write, 1, sizeof(bad->bad_write));
	CHECK_EQ(fill(t, a, 2 * FRAMES, 1), 0);
	expect(t, a, 0, 2 * FRAMES, 1);
	CHECK_EQ(kills(m), 0);
	CHECK(bad->pages_written > 0 && bad->pages_written < REFUSED_MOST);
	CHECK(good->pages_written > FRAMES);
	/* what was refused did not stay behind */
	CHECK(good->pages_written > FRAMES + bad->pages_written);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a + FRAMES / 2 * PG,
			    (2 * FRAMES - FRAMES / 2) * PG),
		 0);
	CHECK_EQ(quire_swapoff(good->q, 0), 0);
	CHECK_EQ(quire_swapoff(good->q, 1), 0);
	CHECK_SYSTEM(m);
	expect(t, a, 0, FRAMES / 2, 1);
	sim_exit(t);
}

/*
 * behaviours: R3, R2
 * Every other page does not shrink, and nobody else takes it: it stays, for
 * once offered now and then, and does not keep the others from going.
 */
TEST_WITH(swap_refuses_some, .config = MACHINE, .seconds = 60)
{
	struct swapdev *d = picky_on(m, 0);
	struct sim_task *t = sim_task_create(m);
	const unsigned n = FRAMES + FRAMES / 2;
	uaddr_t a = anon(t, n);
	unsigned seconds;
	time_t start = time(NULL);

	CHECK_EQ(fill(t, a, n, 1), 0);
	expect(t, a, 0, n, 1);
	for (unsigned i = 0; i < n; i += 2)
		put64(t, a + i * PG, i + 2);
	expect(t, a, 0, n, 1);
	CHECK_EQ(kills(m), 0);
	seconds = (unsigned)(time(NULL) - start) + 1;
	/* each page once a period of two seconds */
	CHECK(refused > 0 && refused <= n / 2 * (1 + seconds));
	CHECK(d->pages_written > FRAMES / 2);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}

/* behaviours: R5, R3 (none shrinks: each is tried, and then somebody is told)
 */
TEST_WITH(swap_takes_none_of_them, .config = MACHINE, .seconds = 60)
{
	struct swapdev *d = picky_on(m, 0);
	struct sim_task *big = sim_task_create(m), *own = sim_task_create(m);
	uaddr_t a = anon(big, 2 * FRAMES), b = anon(own, 128);
	time_t start = time(NULL);
	unsigned i, seconds;
	int r = 0;

	CHECK_EQ(fill(own, b, 128, 2), 0);
	for (i = 0; i < 2 * FRAMES && !r; i++)
		r = sim_store64(big, a + i * PG, 2 * i + 1);
	CHECK_EQ(r, SIGKILL);
	CHECK_EQ(kills(m), 1);
	seconds = (unsigned)(time(NULL) - start) + 1;
	CHECK(refused > 0 && refused <= FRAMES * (1 + seconds / 2));
	CHECK_SYSTEM(m);
	expect(own, b, 0, 128, 2);
	sim_exit(big);
	CHECK_EQ(fill(own, b, 128, 4), 0);
	expect(own, b, 0, 128, 4);
	sim_exit(own);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}

/* behaviour: R3 (and with a second area those go there) */
TEST_WITH(swap_refuses_some_others_take_them, .config = MACHINE, .seconds = 60)
{
	struct swapdev *d = picky_on(m, 10), *low;
	struct sim_task *t = sim_task_create(m);
	const unsigned n = 2 * FRAMES;
	uaddr_t a = anon(t, n);

	low = swapdev_on(m, DEV_SLOTS, 0, 5);
	CHECK_EQ(fill(t, a, n, 1), 0);
	expect(t, a, 0, n, 1);
	expect(t, a, 0, n, 1);
	CHECK_EQ(kills(m), 0);
	CHECK(d->pages_written > FRAMES / 3);
	CHECK(low->pages_written > FRAMES / 3);
	CHECK_SYSTEM(m);
	sim_exit(t);
	CHECK_EQ(quire_swapoff(d->q, 1), 0);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}

/*
 * behaviours: R3, F10
 * Of two users' common pages and one's own: refused, they are mapped as they
 * were; the slots are free.  Once the device takes pages again they go.
 */
TEST_WITH(swap_refused_pages_are_mapped_again,
	  .config = {.ram_bytes = 16 << 20})
{
	struct swapdev *d = swapdev_on(m, 1024, 0, 0);
	struct sim_task *p = sim_task_create(m), *c;
	uaddr_t a = anon(p, 8);
	struct quire_swap_info info;
	struct page *page;
	uint64_t since;
	unsigned i;

	memset(d->bad_write, 1, sizeof(d->bad_write));
	CHECK_EQ(fill(p, a, 8, 1), 0);
	c = sim_fork(p);
	REQUIRE(c);
	put64(p, a + PG, 71); /* from here on each has his own */
	put64(c, a + 2 * PG, 72);
	page = page_at(p, a);
	sim_run(p);
	lru_add_drain_all(d->q);
	/*
	 * Four passes do.  Only where they took so long that the pages were
	 * offered again, on a machine that stood still, it takes another four.
	 */
	do {
		since = quire_host_time_ns();
		for (i = 0; i < 4; i++)
			(void)quire_reclaim(d->q, 64);
		since = quire_host_time_ns() - since;
	} while (since > 500000000 &&
		 (mm_stats(p).swap_entries || mm_stats(c).swap_entries));
	CHECK(d->pages_written > 0);
	/* (those that were written, and found unwritten, are back) */
	CHECK_EQ(mm_stats(p).swap_entries, 0);
	CHECK_EQ(mm_stats(c).swap_entries, 0);
	CHECK_EQ(mm_stats(p).anon_pages, 8);
	CHECK_EQ(mm_stats(c).anon_pages, 8);
	CHECK(page_at(p, a) == page && page_at(c, a) == page);
	CHECK_EQ(page_mapcount(page), 2);
	CHECK(PageFlag(page_at(p, a + PG), PG_anon_exclusive));
	CHECK(!PageFlag(page, PG_anon_exclusive));
	CHECK_EQ(quire_swap_info(d->q, 0, &info), 0);
	CHECK_EQ(info.used, 0);
	CHECK_SYSTEM(m);
	put64(c, a, 99);
	expect(p, a, 0, 1, 1);
	CHECK_EQ(get64(p, a + PG), 71);
	CHECK_EQ(get64(c, a + PG), 3);
	CHECK_EQ(get64(c, a + 2 * PG), 72);
	expect(p, a, 2, 8, 1);
	memset(d->bad_write, 0, sizeof(d->bad_write));
	/* whoever asks for it is a reason to try again */
	CHECK_EQ(sim_madvise(c, a, 3 * PG, MADV_PAGEOUT), 0);
	CHECK(mm_stats(c).swap_entries > 0);
	CHECK_EQ(get64(c, a), 99);
	CHECK_SYSTEM(m);
	sim_exit(c);
	sim_exit(p);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}

/* behaviours: R3, C5 (shared memory that is refused) */
TEST_WITH(swap_refuses_shared_memory, .config = MACHINE, .seconds = 60)
{
	struct swapdev *bad = swapdev_on(m, DEV_SLOTS, QUIRE_SWAP_SYNC, 10);
	struct swapdev *good = swapdev_on(m, DEV_SLOTS, 0, 5);
	struct sim_task *t = sim_task_create(m);
	uaddr_t a = must_map(t, 2 * FRAMES * PG, RW, SHANON, NULL, 0);

	memset(bad->bad_write, 1, sizeof(bad->bad_write));
	CHECK_EQ(fill(t, a, 2 * FRAMES, 1), 0);
	expect(t, a, 0, 2 * FRAMES, 1);
	CHECK_EQ(kills(m), 0);
	CHECK(bad->pages_written < REFUSED_MOST);
	CHECK(good->pages_written > FRAMES);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a, 2 * FRAMES * PG), 0);
	CHECK_EQ(quire_swapoff(good->q, 0), 0);
	CHECK_EQ(quire_swapoff(good->q, 1), 0);
	sim_exit(t);
}

/* behaviours: R3, R5 (a full swap, private memory only: no long search) */
TEST_WITH(swap_full_is_told_soon, .config = MACHINE, .seconds = 60)
{
	struct swapdev *d = swapdev_on(m, FRAMES / 4, 0, 0);
	struct sim_task *big = sim_task_create(m), *own = sim_task_create(m);
	uaddr_t a = anon(big, 2 * FRAMES), b = anon(own, 128);
	uint64_t scanned;
	unsigned i;
	int r = 0;

	CHECK_EQ(fill(own, b, 128, 3), 0);
	CHECK_EQ(fill(big, a, FRAMES, 1), 0);
	scanned = sim_vmstat(m, "pgscan_anon");
	for (i = FRAMES; i < 2 * FRAMES && !r; i++)
		r = sim_store64(big, a + i * PG, i);
	CHECK_EQ(r, SIGKILL);
	CHECK_EQ(kills(m), 1);
	/* (what is looked at is there to go, until nothing is) */
	CHECK(sim_vmstat(m, "pgscan_anon") - scanned < 64 * FRAMES);
	CHECK_SYSTEM(m);
	expect(own, b, 0, 128, 3);
	sim_exit(big);
	sim_exit(own);
	CHECK_EQ(quire_swapoff(d->q, 0), 0);
}

/* -------------------------------------------------------------------- races */

#define LOT 96u
struct refusal {
	struct sim_machine *m;
	struct swapdev *d;
	struct sim_task *t[2];
	uaddr_t a;
};

/* One refuses at times and reclaims; both use, fork and drop what comes back.
 */
static void use_refused(unsigned i, void *arg)
{
	struct refusal *r = arg;
	struct sim_task *t = r->t[i], *c;
	unsigned round, k;

	for (round = 0; round < ROUNDS(200); round++) {
		for (k = 0; k < LOT; k++)
			put64(t, r->a + k * PG, round * 1000 + k + i);
		__atomic_store_n(&r->d->bad_write[round % 64], 0,
				 __ATOMIC_RELAXED);
		(void)quire_reclaim(r->d->q, LOT);
		c = round % 4 ? NULL : sim_fork(t);
		if (c)
			CHECK_EQ(sim_madvise(c, r->a, LOT * PG, MADV_PAGEOUT),
				 0);
		for (k = 0; k < LOT; k++)
			REQUIRE_EQ(get64(t, r->a + k * PG),
				   round * 1000 + k + i);
		if (c) {
			for (k = 0; k < LOT; k++)
				REQUIRE_EQ(get64(c, r->a + k * PG),
					   round * 1000 + k + i);
			sim_exit(c);
		}
		CHECK_EQ(sim_madvise(t, r->a, LOT / 2 * PG, MADV_PAGEOUT), 0);
		if (round % 8 == 5)
			CHECK_EQ(sim_madvise(t, r->a, LOT * PG, MADV_DONTNEED),
				 0);
	}
}

/* behaviours: R3, R1 (pages that are refused, on two CPUs) */
TEST_WITH(swap_refused_races, .config = {.ram_bytes = 16 << 20, .cpus = 2},
	  .seconds = 120)
{
	struct refusal r = {.m = m};

	r.d = swapdev_on(m, 1024, QUIRE_SWAP_SYNC, 0);
	for (unsigned i = 0; i < sizeof(r.d->bad_write); i++)
		r.d->bad_write[i] = i % 3 != 0;
	r.t[0] = sim_task_create(m);
	r.a = anon(r.t[0], LOT);
	CHECK_EQ(fill(r.t[0], r.a, LOT, 1), 0);
	r.t[1] = sim_fork(r.t[0]);
	REQUIRE(r.t[1]);
	sim_parallel(m, 2, use_refused, &r);
	CHECK(r.d->pages_written > 0);
	CHECK_SYSTEM(m);
	CHECK_EQ(quire_swapoff(r.d->q, 0), 0);
	CHECK_SYSTEM(m);
	sim_exit(r.t[0]);
	sim_exit(r.t[1]);
}
