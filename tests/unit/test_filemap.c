/* SPDX-License-Identifier: MIT */
/*
 * The page cache by its own calls: read and write at every alignment against a
 * plain buffer, short copies, sizes, holes, errors, and several CPUs at once.
 */
#include <fcntl.h>
#include <mm/internal/filemap.h>
#include <tests/unit/common.h>

#define MAX_BYTES (20 * PG)

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static int sync_all(struct sim_file *f)
{
	return quire_file_fsync(sim_file_quire(f), 0, UINT64_MAX, false);
}

/* Copies to or from a buffer, at most `limit` bytes in all. */
struct buffer {
	unsigned char *data;
	size_t limit;
	bool to_cache;
};

static size_t copy_some(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct buffer *b = cookie;
	size_t room = done < b->limit ? b->limit - done : 0;

	n = n < room ? n : room;
	if (b->to_cache)
		memcpy(kaddr, b->data + done, n);
	else
		memcpy(b->data + done, kaddr, n);
	return n;
}

/* What the file should be. */
static unsigned char model[MAX_BYTES + 1];
static uint64_t model_size;

static void check_contents(struct sim_file *f)
{
	static unsigned char buf[MAX_BYTES + 1];

	CHECK_EQ(quire_mapping_get_size(sim_file_mapping(f)), model_size);
	CHECK_EQ(sim_file_read(f, 0, buf, MAX_BYTES), (long)model_size);
	CHECK(!memcmp(buf, model, model_size));
}

static void random_write(struct sim_file *f, uint64_t *s)
{
	static unsigned char buf[4 * PG];
	uint64_t pos = rnd(s) % (MAX_BYTES - sizeof(buf));
	size_t len = rnd(s) % 3 ? rnd(s) % sizeof(buf) : 1 + rnd(s) % 100;
	struct buffer b = {buf, SIZE_MAX, true};
	size_t i, want = len;
	long got;

	if (rnd(s) % 4 == 0)
		pos &= ~(PG - 1);
	if (rnd(s) % 5 == 0) {
		b.limit = rnd(s) % sizeof(buf);
		want = len < b.limit ? len : b.limit;
	}
	for (i = 0; i < len; i++)
		buf[i] = (unsigned char)rnd(s);
	got = quire_mapping_write(sim_file_mapping(f), sim_file_quire(f), pos,
				  len, copy_some, &b);
	if (want == 0 && len) {
		CHECK_EQ(got, -EFAULT);
		return;
	}
	CHECK_EQ(got, (long)want);
	memcpy(model + pos, buf, want);
	if (want && pos + want > model_size)
		model_size = pos + want;
}

static void random_read(struct sim_file *f, uint64_t *s)
{
	static unsigned char buf[5 * PG];
	uint64_t pos = rnd(s) % MAX_BYTES;
	size_t len = rnd(s) % sizeof(buf);
	size_t want = 0;

	if (pos < model_size)
		want = model_size - pos < len ? (size_t)(model_size - pos)
					      : len;
	CHECK_EQ(sim_file_read(f, pos, buf, len), (long)want);
	CHECK(!memcmp(buf, model + pos, want));
}

static void resize(struct sim_file *f, uint64_t size)
{
	sim_file_truncate(f, size);
	if (size < model_size)
		memset(model + size, 0, MAX_BYTES - size);
	model_size = size;
}

static void punch(struct sim_file *f, uint64_t start, uint64_t end)
{
	quire_mapping_punch(sim_file_mapping(f), start, end);
	end = end < model_size ? end : model_size;
	if (start < end)
		memset(model + start, 0, end - start);
}

static void exercise(struct sim_machine *m, struct sim_file *f, bool holes,
		     uint64_t seed)
{
	struct sim_task *t = sim_task_create(m);
	unsigned round;
	uaddr_t a;

	REQUIRE(t);
	a = must_map(t, MAX_BYTES, PROT_READ, MAP_SHARED, f, 0);
	for (round = 0; round < 1500; round++) {
		uint64_t x = rnd(&seed) % MAX_BYTES;
		uint8_t byte;

		switch (rnd(&seed) % 8) {
		case 0:
			resize(f, rnd(&seed) % 3 ? x : x & ~(PG - 1));
			break;
		case 1:
			if (holes)
				punch(f, x, x + rnd(&seed) % (6 * PG));
			break;
		case 2: /* a mapping sees the same file */
			if (x < model_size) {
				CHECK_EQ(sim_load8(t, a + (uaddr_t)x, &byte),
					 0);
				CHECK_EQ(byte, model[x]);
			} else if (x >> 12 > (model_size + PG - 1) >> 12) {
				CHECK_SIGNAL(
					t, sim_load8(t, a + (uaddr_t)x, &byte),
					SIGBUS, QUIRE_BUS_ADRERR, a + x);
			}
			break;
		case 3:
		case 4:
			random_read(f, &seed);
			break;
		case 5:
			(void)quire_reclaim(sim_quire(m), 1 + x % 8);
			break;
		default:
			random_write(f, &seed);
			break;
		}
		if (round % 50 == 0) {
			check_contents(f);
			CHECK_SYSTEM(m);
		}
	}
	check_contents(f);
	sim_exit(t);
}

/* behaviours: C1 (read, write and mappings share the cache), C4 */
TEST(filemap_file_against_a_buffer)
{
	struct sim_file *f = sim_file_create(m, "f", 7 * PG + 77, 5);
	static unsigned char device[MAX_BYTES];
	unsigned i;

	REQUIRE(f);
	model_size = 7 * PG + 77;
	memset(model, 0, sizeof(model));
	for (i = 0; i < model_size; i++)
		model[i] = sim_file_byte(5, i);
	exercise(m, f, false, 123456789);
	/* what was written is on the device once it is synced */
	CHECK_EQ(sync_all(f), 0);
	sim_file_peek(f, 0, device, model_size);
	CHECK(!memcmp(device, model, model_size));
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	sim_file_close(f);
	CHECK_EQ(sim_vmstat(m, "nr_file_pages"), 0);
}

/* behaviours: C5 (memfd and tmpfs), C4 (hole punch) */
TEST(filemap_shmem_against_a_buffer)
{
	struct sim_file *f = sim_file_shmem(m, "f", 3 * PG + 5);

	REQUIRE(f);
	model_size = 3 * PG + 5;
	memset(model, 0, sizeof(model));
	exercise(m, f, true, 987654321);
	sim_file_close(f);
	CHECK_EQ(sim_vmstat(m, "nr_shmem"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_file_pages"), 0);
}

/* Reading a hole takes no memory; writing to it takes a page. */
TEST(filemap_holes_take_no_memory)
{
	struct sim_file *f = sim_file_shmem(m, "f", 1000 * PG);
	struct address_space *as = sim_file_mapping(f);
	static unsigned char buf[100 * PG];
	char one = 1;

	memset(buf, 7, sizeof(buf));
	CHECK_EQ(sim_file_read(f, 50 * PG + 9, buf, sizeof(buf)),
		 (long)sizeof(buf));
	CHECK_EQ(buf[0] | buf[sizeof(buf) - 1] | buf[55555], 0);
	CHECK_EQ(quire_mapping_pages(as), 0);
	CHECK_EQ(sim_file_write(f, 60 * PG, &one, 1), 1);
	CHECK_EQ(quire_mapping_pages(as), 1);
	quire_mapping_punch(as, 59 * PG, 61 * PG);
	CHECK_EQ(quire_mapping_pages(as), 0);
	sim_file_close(f);
}

/*
 * A write that stops in the middle of a page that was not cached leaves the
 * rest of that page as it was on the device.
 */
TEST(filemap_short_write_keeps_the_rest)
{
	struct sim_file *f = sim_file_create(m, "f", 4 * PG, 8);
	static unsigned char buf[2 * PG], got[4 * PG];
	struct buffer b = {buf, 100, true};
	unsigned i, wrong = 0;

	memset(buf, 0xee, sizeof(buf));
	CHECK_EQ(quire_mapping_write(sim_file_mapping(f), sim_file_quire(f), PG,
				     2 * PG, copy_some, &b),
		 100);
	CHECK_EQ(sim_file_read(f, 0, got, sizeof(got)), (long)sizeof(got));
	for (i = 0; i < sizeof(got); i++)
		wrong += got[i] !=
			 (i >= PG && i < PG + 100 ? 0xee : sim_file_byte(8, i));
	CHECK_EQ(wrong, 0);
	CHECK_EQ(sync_all(f), 0);
	sim_file_peek(f, 0, got, sizeof(got));
	for (i = 0; i < sizeof(got); i++)
		wrong += got[i] !=
			 (i >= PG && i < PG + 100 ? 0xee : sim_file_byte(8, i));
	CHECK_EQ(wrong, 0);
	sim_file_close(f);
}

/* behaviour: C2 (a read error gives EIO, and a later try can succeed) */
TEST(filemap_read_errors)
{
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 8);
	unsigned char buf[64];
	static unsigned char all[8 * PG];

	sim_file_quire(f)->ra_mode = POSIX_FADV_RANDOM; /* as asked for */
	/* the third page fails when read along, and when it is wanted */
	sim_file_fail_reads(f, 2, 2, -EIO);
	/* two pages come, then the error: short first, then told */
	CHECK_EQ(sim_file_read(f, 0, all, 3 * PG), (long)(2 * PG));
	sim_file_fail_reads(f, 0, 1, -EIO);
	CHECK_EQ(sim_file_read(f, 2 * PG, buf, 64), -EIO);
	CHECK_EQ(sim_file_read(f, 2 * PG, buf, 64), 64);
	CHECK_EQ(buf[3], sim_file_byte(8, 2 * PG + 3));
	/* a write into part of a page must read it first */
	sim_file_fail_reads(f, 0, 1, -EIO);
	CHECK_EQ(sim_file_write(f, 6 * PG + 5, buf, 64), -EIO);
	CHECK_EQ(sim_file_write(f, 6 * PG + 5, buf, 64), 64);
	CHECK_EQ(sim_file_read(f, 6 * PG, all, PG), (long)PG);
	CHECK_EQ(all[4], sim_file_byte(8, 6 * PG + 4));
	CHECK_EQ(all[5], buf[0]);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}

TEST(filemap_counts_io)
{
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 8);
	static unsigned char buf[4 * PG];

	sim_file_quire(f)->ra_mode = POSIX_FADV_RANDOM;
	CHECK_EQ(sim_file_read(f, 0, buf, sizeof(buf)), (long)sizeof(buf));
	CHECK_EQ(sim_vmstat(m, "pgpgin"), 16); /* KiB */
	CHECK_EQ(sim_vmstat(m, "pgpgout"), 0);
	CHECK_EQ(sim_file_write(f, PG, buf, 2 * PG), (long)(2 * PG));
	CHECK_EQ(sim_vmstat(m, "pgpgin"), 16);
	CHECK_EQ(sim_vmstat(m, "pgpgout"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 2);
	CHECK_EQ(sync_all(f), 0);
	CHECK_EQ(sim_vmstat(m, "pgpgout"), 8);
	CHECK_EQ(sim_vmstat(m, "nr_dirtied"), 2);
	CHECK_EQ(sim_vmstat(m, "nr_written"), 2);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_file_pages"), 4);
	sim_file_fail_reads(f, 0, 1, -EIO);
	CHECK_EQ(sim_file_read(f, 5 * PG, buf, 10), -EIO);
	CHECK_EQ(sim_vmstat(m, "pgpgin"), 16);
	sim_file_close(f);
}

/* No memory at any point: the data is all there or the call says so. */
static void write_and_read(struct sim_machine *m, void *arg)
{
	struct sim_file *f = sim_file_create(m, "f", 5 * PG, 2);
	struct sim_file *s = sim_file_shmem(m, "s", 0);
	static unsigned char buf[3 * PG], back[3 * PG];
	long n;

	(void)arg;
	if (f && s) {
		memset(buf, 0x77, sizeof(buf));
		n = sim_file_write(f, PG + 50, buf, sizeof(buf));
		CHECK(n > 0 || n == -ENOMEM);
		if (n > 0) {
			long r = sim_file_read(f, PG + 50, back, (size_t)n);

			CHECK(r > 0 || r == -ENOMEM);
			if (r > 0)
				CHECK(!memcmp(back, buf, (size_t)r));
		}
		n = sim_file_write(s, 1ull << 30, buf, sizeof(buf));
		CHECK(n > 0 || n == -ENOMEM);
		if (n > 0)
			CHECK_EQ(quire_mapping_get_size(sim_file_mapping(s)),
				 (1ull << 30) + (uint64_t)n);
	}
	if (f)
		sim_file_close(f);
	if (s)
		sim_file_close(s);
}

/* behaviour: F15 */
TEST_PLAIN(filemap_every_allocation_fails)
{
	UNUSED_MACHINE;
	if (!sim_has_injection())
		return;
	CHECK(test_every_failure(NULL, write_and_read, NULL) > 5);
}

/*
 * One CPU writes whole records, one reads them, one truncates and grows, one
 * faults on them and one drops clean pages: a record is whole, absent or zero.
 */
static struct sim_file *raced;
static struct sim_task *mapper;
static uaddr_t file_map_at;

#define RECORDS 64u

/* Words one by one: two tasks may well read and write the same bytes. */
static size_t copy_words(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct buffer *b = cookie;
	uint64_t *file = kaddr, *mine = (uint64_t *)(void *)(b->data + done);
	size_t i;

	for (i = 0; i < n / 8; i++)
		if (b->to_cache)
			__atomic_store_n(&file[i], mine[i], __ATOMIC_RELAXED);
		else
			mine[i] = __atomic_load_n(&file[i], __ATOMIC_RELAXED);
	return n;
}

static long move_record(unsigned at, uint64_t *rec, size_t n, bool to_cache)
{
	struct buffer b = {(unsigned char *)rec, n, to_cache};

	return (to_cache ? quire_mapping_write : quire_mapping_read)(
		sim_file_mapping(raced), sim_file_quire(raced), at * 1024ull, n,
		copy_words, &b);
}

static void race(unsigned cpu, void *arg)
{
	struct sim_machine *m = arg;
	uint64_t s = 17 + cpu, rec[4], v;
	unsigned round, at;

	if (cpu == 3)
		sim_run(mapper);
	for (round = 0; round < 3000; round++) {
		at = (unsigned)(rnd(&s) % RECORDS);
		switch (cpu) {
		case 0:
			rec[0] = rec[1] = rec[2] = rec[3] = at + 1;
			CHECK_EQ(move_record(at, rec, 32, true), 32);
			break;
		case 1:
			memset(rec, 0, sizeof(rec));
			if (move_record(at, rec, 8, false) == 8)
				CHECK(rec[0] == 0 || rec[0] == at + 1);
			break;
		case 2:
			if (round % 8 == 0)
				sim_file_truncate(raced, at / 4 * PG);
			else
				sim_file_truncate(raced, RECORDS * 1024);
			break;
		case 3:
			if (!sim_load64(mapper, file_map_at + at * 1024u, &v))
				CHECK(v == 0 || v == at + 1);
			break;
		default:
			(void)quire_reclaim(sim_quire(m), 4);
			break;
		}
	}
	if (cpu == 3)
		sim_run(NULL);
}

static void race_on(struct sim_machine *m, struct sim_file *f)
{
	REQUIRE(f);
	raced = f;
	mapper = sim_task_create(m);
	REQUIRE(mapper);
	file_map_at =
		must_map(mapper, RECORDS * 1024, PROT_READ, MAP_SHARED, f, 0);
	sim_run(NULL);
	sim_parallel(m, 5, race, m);
	CHECK_SYSTEM(m);
	sim_exit(mapper);
	sim_file_close(f);
	CHECK_EQ(sim_vmstat(m, "nr_file_pages"), 0);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 0);
}

/* behaviour: C4 (races with faults lose nothing) */
TEST_WITH(filemap_races, .config = {.cpus = 5, .jitter = 40}, .seconds = 120)
{
	race_on(m, sim_file_create(m, "f", RECORDS * 1024, 0));
}

/* behaviours: C4, C5 */
TEST_WITH(filemap_races_shmem, .config = {.cpus = 5, .jitter = 40},
	  .seconds = 120)
{
	race_on(m, sim_file_shmem(m, "f", RECORDS * 1024));
}

/* -------------------------------------------------------- whole pages */

static uint64_t on_disk(struct sim_file *f, uint64_t pos)
{
	uint64_t v = 0;

	sim_file_peek(f, pos, &v, sizeof(v));
	return v;
}

static uint64_t reads_of(struct sim_file *f)
{
	struct sim_file_stats s;

	sim_file_get_stats(f, &s);
	return s.reads;
}

struct source {
	const char *bytes;
	size_t most;   /* the caller's buffer is bad from there on */
	unsigned asks; /* pieces asked for */
};

static size_t copy_source(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct source *s = cookie;
	size_t can = s->most > done ? s->most - done : 0;

	if (can > n)
		can = n;
	memcpy(kaddr, s->bytes + done, can);
	s->asks++;
	return can;
}

struct meeting {
	struct sim_file *f;
	struct sim_task *t;
	uaddr_t addr;	  /* where t has f */
	unsigned arrived; /* atomic */
};

/* Both go on when both are here. */
static void meet(struct meeting *w, unsigned round)
{
	__atomic_fetch_add(&w->arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&w->arrived, __ATOMIC_ACQUIRE) < 2 * round)
		sim_poll();
}

static void write_absent(unsigned i, void *arg)
{
	static _Thread_local char buf[16 * PG];
	struct meeting *w = arg;
	unsigned round, met = 0;

	memset(buf, 1, sizeof(buf));
	for (round = 0; round < ROUNDS(1000); round++) {
		meet(w, ++met);
		if (i)
			CHECK_EQ(sim_touch_write(w->t, w->addr, 16 * PG, 2), 0);
		else
			CHECK_EQ(sim_file_write(w->f, 0, buf, sizeof(buf)),
				 sizeof(buf));
		meet(w, ++met);
		if (i == 0)
			sim_file_punch(w->f, 0, sizeof(buf));
	}
}

/* behaviour: C5 (a write and a store to pages that are not there yet) */
TEST_WITH(filemap_shmem_write_and_store, .config = {.cpus = 2, .jitter = 10},
	  .seconds = 120)
{
	struct meeting w = {.f = sim_file_shmem(m, "f", 16 * PG)};

	REQUIRE(w.f);
	w.t = sim_task_create(m);
	w.addr = must_map(w.t, 16 * PG, RW, MAP_SHARED, w.f, 0);
	sim_run(NULL);
	sim_parallel(m, 2, write_absent, &w);
	CHECK_SYSTEM(m);
	sim_exit(w.t);
	sim_file_close(w.f);
}

/*
 * behaviour: C3
 * A write of whole pages reads none of them from the disk; where the buffer
 * ends in the middle of one, the rest of that page is what the disk has.
 */
TEST(filemap_whole_pages)
{
	struct sim_file *f = sim_file_create(m, "f", 8 * PG, 9);
	struct address_space *as;
	static char bytes[4 * PG];
	struct source s = {.bytes = bytes, .most = sizeof(bytes)};
	uint64_t want, got = 0;

	REQUIRE(f);
	as = sim_file_mapping(f);
	want = on_disk(f, 7 * PG - 8);
	memset(bytes, 'w', sizeof(bytes));
	CHECK_EQ(quire_mapping_write(as, sim_file_quire(f), PG, sizeof(bytes),
				     copy_source, &s),
		 (long)sizeof(bytes));
	CHECK_EQ(s.asks, 4);
	CHECK_EQ(reads_of(f), 0);
	CHECK_EQ(sim_vmstat(m, "nr_dirty"), 4);
	s = (struct source){.bytes = bytes, .most = PG + 100};
	CHECK_EQ(quire_mapping_write(as, sim_file_quire(f), 5 * PG, 2 * PG,
				     copy_source, &s),
		 PG + 100);
	CHECK_EQ(sim_file_read(f, 7 * PG - 8, &got, 8), 8);
	CHECK_EQ(got, want);
	CHECK_EQ(quire_file_fsync(sim_file_quire(f), 0, UINT64_MAX, false), 0);
	CHECK_EQ(on_disk(f, 7 * PG - 8), want);
	CHECK_EQ(on_disk(f, 6 * PG + 92), 0x7777777777777777);
	CHECK_EQ(on_disk(f, PG), 0x7777777777777777);
	CHECK_EQ(on_disk(f, 5 * PG - 8), 0x7777777777777777);
	CHECK_SYSTEM(m);
	sim_file_close(f);
}
