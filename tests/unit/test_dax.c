/* SPDX-License-Identifier: MIT */
/*
 * A file whose device is memory (DAX): mappings, read and write see one and the
 * same bytes, holes get blocks, truncation and punching take them away.
 */
#include <tests/unit/device.h>
#include <tests/unit/mappings.h>

#define BLOCKS 24u
#define FREED  0xf4eedf4eedf4eedfull /* in blocks that are not in the file */

/* A file system of one file, on reserved memory.  lock: the inode's. */
static struct {
	struct sim_machine *m;
	struct sim_file *f;
	struct address_space *as, *was;
	paddr_t phys;
	int block[BLOCKS]; /* of page i, or -1; atomic */
	bool used[BLOCKS];
	int error, full; /* -errno of reads, of new blocks */
	unsigned calls, writes, times;
} fs;

static uint64_t *block(unsigned n)
{
	return sim_phys(fs.m, fs.phys + n * PG);
}

static void fill(unsigned n, uint64_t v)
{
	unsigned k;

	for (k = 0; k < PG / 8; k++)
		__atomic_store_n(&block(n)[k], v, __ATOMIC_RELAXED);
}

static int fs_access(struct address_space *as, uint64_t index, bool write,
		     struct quire_frame *frame)
{
	int b = index < BLOCKS
			? __atomic_load_n(&fs.block[index], __ATOMIC_ACQUIRE)
			: -1;
	unsigned n;

	CHECK(as == fs.as);
	__atomic_fetch_add(&fs.calls, 1, __ATOMIC_RELAXED);
	if (write)
		__atomic_fetch_add(&fs.writes, 1, __ATOMIC_RELAXED);
	if (fs.error)
		return fs.error;
	if (b < 0 && write) {
		if (fs.full)
			return fs.full;
		for (n = 0; n < BLOCKS; n++)
			if (!__atomic_exchange_n(&fs.used[n], true,
						 __ATOMIC_ACQ_REL))
				break;
		if (n == BLOCKS || index >= BLOCKS)
			return -ENOSPC;
		fill(n, 0);
		b = (int)n;
		__atomic_store_n(&fs.block[index], b, __ATOMIC_RELEASE);
	}
	frame->phys =
		b < 0 ? QUIRE_NO_FRAME : fs.phys + (paddr_t)((unsigned)b * PG);
	return 0;
}

static void *fs_address(struct address_space *as, paddr_t phys)
{
	(void)as;
	return sim_phys(fs.m, phys);
}

static const struct quire_aops fs_aops = {.direct_access = fs_access,
					  .direct_address = fs_address};

/* The blocks of [first, last) leave the file, and are free once `unmap` is
 * done. */
static unsigned forget(unsigned first, unsigned last, int *taken)
{
	unsigned n = 0;

	for (; first < last; first++) {
		int b = __atomic_exchange_n(&fs.block[first], -1,
					    __ATOMIC_ACQ_REL);

		if (b >= 0)
			taken[n++] = b;
	}
	return n;
}

static void give_back(const int *taken, unsigned n)
{
	while (n--) {
		fill((unsigned)taken[n], FREED);
		__atomic_store_n(&fs.used[taken[n]], false, __ATOMIC_RELEASE);
	}
}

static void fs_truncate(uint64_t size)
{
	int taken[BLOCKS];
	unsigned n;

	quire_mapping_set_size(fs.as, size);
	n = forget((unsigned)((size + PG - 1) / PG), BLOCKS, taken);
	give_back(taken, n);
}

static void fs_punch(uint64_t start, uint64_t end)
{
	int taken[BLOCKS];
	unsigned n = forget((unsigned)((start + PG - 1) / PG),
			    (unsigned)(end / PG), taken);

	quire_mapping_punch(fs.as, start, end);
	give_back(taken, n);
}

static struct quire_file_ops file_ops;
static void count_time(struct quire_file *file)
{
	(void)file;
	__atomic_fetch_add(&fs.times, 1, __ATOMIC_RELAXED);
}

static void fs_make(struct sim_machine *m, unsigned pages)
{
	struct quire_file *qf;
	uint64_t bytes;
	unsigned i;

	memset(&fs, 0, sizeof(fs));
	fs.m = m;
	fs.phys = sim_reserved(m, &bytes);
	REQUIRE(bytes >= BLOCKS * PG);
	for (i = 0; i < BLOCKS; i++) {
		fs.block[i] = -1;
		fill(i, FREED);
	}
	fs.f = sim_file_create(m, "/pmem/file", 0, 0);
	REQUIRE(fs.f);
	qf = sim_file_quire(fs.f);
	file_ops = *qf->ops;
	file_ops.update_time = count_time;
	qf->ops = &file_ops;
	fs.was = qf->mapping;
	fs.as = calloc(1, quire_mapping_size());
	REQUIRE(fs.as);
	quire_mapping_init(sim_quire(m), fs.as, &fs_aops, NULL, pages * PG);
	qf->mapping = fs.as;
}

static void fs_end(void)
{
	CHECK_EQ(quire_mapping_pages(fs.as), 0);
	quire_mapping_destroy(fs.as);
	sim_file_quire(fs.f)->mapping = fs.was;
	sim_file_close(fs.f);
	free(fs.as);
}

static uaddr_t fs_map(struct sim_task *t, unsigned flags)
{
	return must_map(t, BLOCKS * PG, RW, flags, fs.f, 0);
}

/* How many bytes the copy function moves before it fails. */
static size_t copy_most = SIZE_MAX;
struct copy {
	char *buf;
	bool out;
};
static size_t copy(void *cookie, void *kaddr, size_t done, size_t n)
{
	struct copy *c = cookie;

	if (done >= copy_most)
		return 0;
	if (n > copy_most - done)
		n = copy_most - done;
	if (c->out)
		memcpy(c->buf + done, kaddr, n);
	else
		memcpy(kaddr, c->buf + done, n);
	return n;
}
static long fs_read(uint64_t pos, void *buf, size_t n)
{
	struct copy c = {buf, true};

	return quire_mapping_read(fs.as, sim_file_quire(fs.f), pos, n, copy,
				  &c);
}
static long fs_write(uint64_t pos, const void *buf, size_t n)
{
	struct copy c = {(char *)(uintptr_t)buf, false};

	return quire_mapping_write(fs.as, sim_file_quire(fs.f), pos, n, copy,
				   &c);
}
static uint64_t fs_word(uint64_t pos)
{
	uint64_t v = 0xbad;

	CHECK_EQ(fs_read(pos, &v, 8), 8);
	return v;
}

#define CHECK_SIGBUS(t, access, a)                                             \
	CHECK_SIGNAL(t, access, SIGBUS, QUIRE_BUS_ADRERR, a)

/* behaviour: C6 (DAX: one memory, seen by mapping, read and write at once) */
TEST(dax_is_the_device_itself)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t rss, v = 0x1234;
	uaddr_t a, b;

	fs_make(m, 4);
	rss = mm_stats(t).file_pages;
	a = fs_map(t, MAP_SHARED);
	b = fs_map(t, MAP_SHARED);
	CHECK(strstr(line_at(t, a), "/pmem/file") != NULL);
	CHECK_EQ(fs_write(PG + 8, &v, 8), 8);
	CHECK_EQ(get64(t, a + PG + 8), 0x1234);
	CHECK_EQ(frame_of(t, a + PG), fs.phys + (paddr_t)fs.block[1] * PG);
	put64(t, a + PG, 5);
	CHECK_EQ(block((unsigned)fs.block[1])[0], 5);
	CHECK_EQ(fs_word(PG), 5);
	CHECK_EQ(get64(t, b + PG), 5);
	put64(t, b + PG, 6);
	CHECK_EQ(get64(t, a + PG), 6);
	CHECK_EQ(mm_stats(t).file_pages, rss);
	CHECK_EQ(quire_mapping_pages(fs.as), 0);
	/* each mapping's first write was told of, and only the first */
	CHECK_EQ(fs.times, 2);
	CHECK_EQ(fs_write(0, &v, 8), 8);
	CHECK_EQ(fs_word(0), v);
	CHECK_EQ(quire_msync(t->qt.mm, a, 4 * PG, MS_SYNC), 0);
	CHECK_SYSTEM(m);
	sim_exit(t);
	fs_end();
}

/* behaviours: C6, F10 (a hole reads as zeros; its first write gives a block,
 * which every other mapping then has) */
TEST(dax_holes)
{
	struct sim_task *t = sim_task_create(m), *u = sim_task_create(m);
	uaddr_t a, b, p;
	uint64_t v = 9;

	fs_make(m, 8);
	a = fs_map(t, MAP_SHARED);
	b = fs_map(u, MAP_SHARED);
	p = fs_map(u, MAP_PRIVATE);
	CHECK_EQ(get64(t, a + PG), 0);
	CHECK_EQ(get64(u, b + PG), 0);
	CHECK_EQ(get64(u, p + PG), 0);
	CHECK_EQ(fs_word(PG), 0);
	CHECK_EQ(fs.block[1], -1);
	CHECK_SYSTEM(m);
	put64(t, a + PG + 8, 77);
	CHECK(fs.block[1] >= 0);
	CHECK_EQ(get64(u, b + PG + 8), 77);
	CHECK_EQ(get64(u, p + PG + 8), 77);
	CHECK_EQ(fs_word(PG + 8), 77);
	CHECK_EQ(get64(t, a + PG), 0);
	/* by write() */
	CHECK_EQ(get64(u, b + 2 * PG), 0);
	CHECK_EQ(fs_write(2 * PG, &v, 8), 8);
	CHECK_EQ(get64(u, b + 2 * PG), 9);
	/* private copies: of a hole, of a block */
	put64(u, p + 3 * PG, 1);
	CHECK_EQ(fs.block[3], -1);
	put64(u, p + PG, 1);
	CHECK_EQ(get64(t, a + PG), 0);
	CHECK_EQ(get64(u, p + PG + 8), 77);
	CHECK_EQ(get64(u, p + 4 * PG), 0); /* the zero page, then copied */
	put64(u, p + 4 * PG, 2);
	CHECK_EQ(fs.block[4], -1);
	/* no block to be had */
	fs.full = -ENOSPC;
	CHECK_EQ(get64(t, a + 5 * PG), 0);
	CHECK_SIGBUS(t, sim_store8(t, a + 5 * PG, 1), a + 5 * PG);
	CHECK_SIGBUS(t, sim_store8(t, a + 6 * PG, 1), a + 6 * PG);
	CHECK_EQ(fs_write(5 * PG, &v, 8), -ENOSPC);
	fs.full = -ENOMEM;
	CHECK_EQ(sim_store8(t, a + 6 * PG, 1), SIM_OOM);
	fs.full = 0;
	put64(t, a + 5 * PG, 3);
	CHECK_EQ(get64(u, b + 5 * PG), 3);
	fs.error = -EIO;
	CHECK_SIGBUS(t, sim_load8(t, a + 7 * PG, &(uint8_t){0}), a + 7 * PG);
	CHECK_EQ(fs_read(7 * PG, &v, 8), -EIO);
	fs.error = 0;
	CHECK_SYSTEM(m);
	sim_exit(t);
	sim_exit(u);
	fs_end();
}

/* behaviours: C6, C4 (truncated memory is gone from all mappings at once) */
TEST(dax_truncate)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a, p;
	unsigned i;
	uint64_t v = 8;

	fs_make(m, 8);
	a = fs_map(t, MAP_SHARED);
	p = fs_map(t, MAP_PRIVATE);
	for (i = 0; i < 8; i++)
		put64(t, a + i * PG, 100 + i);
	put64(t, p + 6 * PG, 1);
	get64(t, p + 3 * PG);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_SIGBUS(t, sim_load8(t, a + 8 * PG, &(uint8_t){0}), a + 8 * PG);
	put64(t, a + 3 * PG + 2000, 12345);
	fs_truncate(3 * PG + 1000);
	CHECK_EQ(get64(t, a + 3 * PG), 103);
	CHECK_EQ(get64(t, a + 3 * PG + 2000), 0); /* past the end */
	CHECK_SIGBUS(t, sim_load8(t, a + 4 * PG, &(uint8_t){0}), a + 4 * PG);
	CHECK_SIGBUS(child, sim_store8(child, a + 4 * PG, 1), a + 4 * PG);
	CHECK_SIGBUS(child, sim_load8(child, p + 6 * PG, &(uint8_t){0}),
		     p + 6 * PG);
	CHECK_SYSTEM(m);
	/* longer again: what was stored past the end is not there */
	put64(t, a + 3 * PG + 3000, 999);
	fs_truncate(8 * PG);
	CHECK_EQ(get64(t, a + 3 * PG + 3000), 0);
	CHECK_EQ(get64(child, a + 5 * PG), 0);
	put64(child, a + 5 * PG, 5);
	CHECK_EQ(get64(t, a + 5 * PG), 5);
	fs_truncate(2 * PG + 8);
	put64(t, a + 2 * PG + 16, 999);
	CHECK_EQ(fs_write(4 * PG, &v, 8), 8); /* writes over a gap */
	CHECK_EQ(quire_mapping_get_size(fs.as), 4 * PG + 8);
	CHECK_EQ(fs_word(2 * PG + 16), 0);
	CHECK_EQ(fs_word(3 * PG), 0);
	CHECK_EQ(get64(t, a + 4 * PG), 8);
	fs_truncate(0);
	CHECK_SIGBUS(t, sim_load8(t, a, &(uint8_t){0}), a);
	CHECK_EQ(fs_read(0, &v, 8), 0);
	CHECK_SYSTEM(m);
	sim_exit(child);
	sim_exit(t);
	fs_end();
}

/* behaviours: C6, C4 (a punched hole reads as zeros, everywhere) */
TEST(dax_punch)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, p;
	unsigned i;

	fs_make(m, 8);
	a = fs_map(t, MAP_SHARED);
	p = fs_map(t, MAP_PRIVATE);
	for (i = 0; i < 8; i++) {
		put64(t, a + i * PG, 100 + i);
		put64(t, a + i * PG + 2048, 200 + i);
	}
	put64(t, p + 3 * PG, 1);
	get64(t, p + 4 * PG);
	fs_punch(PG + 1024, 5 * PG + 1024);
	CHECK_EQ(get64(t, a + PG), 101);
	CHECK_EQ(get64(t, a + PG + 2048), 0);
	for (i = 2; i < 5; i++) {
		CHECK_EQ(fs.block[i], -1);
		CHECK_EQ(get64(t, a + i * PG), 0);
		CHECK_EQ(fs_word(i * PG + 2048), 0);
	}
	CHECK_EQ(get64(t, a + 5 * PG), 0);
	CHECK_EQ(get64(t, a + 5 * PG + 2048), 205);
	CHECK_EQ(get64(t, p + 3 * PG), 1); /* a copy stays */
	CHECK_EQ(get64(t, p + 4 * PG), 0);
	fs_punch(6 * PG + 8, 6 * PG + 2048); /* within one page */
	CHECK_EQ(get64(t, a + 6 * PG), 106);
	CHECK_EQ(get64(t, a + 6 * PG + 2048), 206);
	put64(t, a + 3 * PG, 33);
	CHECK_EQ(fs_word(3 * PG), 33);
	CHECK_SYSTEM(m);
	sim_exit(t);
	fs_end();
}

/* behaviours: C6, M2 (map calls on DAX memory) */
TEST(dax_and_the_map_calls)
{
	struct sim_task *t = sim_task_create(m), *child;
	unsigned char vec[BLOCKS];
	struct page *page;
	uaddr_t a, to = TEST_PLACE(1);

	fs_make(m, 8);
	a = must_map(t, 8 * PG, RW, MAP_SHARED | MAP_LOCKED, fs.f, 0);
	CHECK_EQ(mm_stats(t).locked_vm, 0);
	put64(t, a + PG, 1);
	put64(t, a + 2 * PG, 2);
	CHECK_EQ(sim_mprotect(t, a + PG, PG, PROT_READ), 0);
	CHECK_SIGNAL(t, sim_store8(t, a + PG, 1), SIGSEGV, QUIRE_SEGV_ACCERR,
		     a + PG);
	CHECK_EQ(sim_mprotect(t, a + PG, PG, RW), 0);
	put64(t, a + PG, 11);
	CHECK_EQ(sim_mincore(t, a, 8 * PG, vec), 0);
	CHECK_EQ(vec[1], 1);
	CHECK_EQ(sim_madvise(t, a, 8 * PG, MADV_DONTNEED), 0);
	CHECK_EQ(sim_mincore(t, a, 8 * PG, vec), 0);
	CHECK_EQ(vec[1], 0);
	CHECK_EQ(get64(t, a + PG), 11);
	CHECK_EQ(sim_madvise(t, a, 8 * PG, MADV_POPULATE_WRITE), 0);
	CHECK(fs.block[7] >= 0);
	CHECK_EQ(sim_madvise(t, a, 8 * PG, MADV_WILLNEED), 0);
	sim_run(t);
	CHECK_EQ(quire_mlock(t->qt.mm, a, 8 * PG, 0), 0);
	CHECK_EQ(mm_stats(t).locked_vm, 0);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + PG, 1, true, &page),
		 -EFAULT);
	child = sim_fork(t);
	REQUIRE(child);
	put64(child, a + PG, 12);
	CHECK_EQ(get64(t, a + PG), 12);
	/* pieces: mprotect has split it, so piece by piece */
	CHECK_EQ(sim_mremap(child, a + 2 * PG, 6 * PG, 6 * PG,
			    MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * PG),
		 to + 2 * PG);
	CHECK_EQ(get64(child, to + 2 * PG), 2);
	put64(child, to + 2 * PG, 3);
	CHECK_EQ(get64(t, a + 2 * PG), 3);
	fs_truncate(2 * PG);
	CHECK_SIGBUS(child, sim_load8(child, to + 2 * PG, &(uint8_t){0}),
		     to + 2 * PG);
	CHECK_EQ(get64(child, a + PG), 12);
	CHECK_SYSTEM(m);
	sim_exit(child);
	sim_exit(t);
	fs_end();
}

/* behaviours: C6, M2 (a mapping grows in place, and where it has to move) */
TEST(dax_mappings_grow)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a;
	sreg_t r;

	fs_make(m, 8);
	a = must_map(t, 8 * PG, RW, MAP_SHARED, fs.f, 0);
	put64(t, a + PG, 1);
	put64(t, a + 6 * PG, 6);
	CHECK_EQ(sim_munmap(t, a + 4 * PG, 4 * PG), 0);
	CHECK_EQ((uaddr_t)sim_mremap(t, a, 4 * PG, 8 * PG, 0, 0), a);
	CHECK_EQ(lines(t, a, a + 8 * PG), 1);
	CHECK_EQ(get64(t, a + PG), 1);
	CHECK_EQ(get64(t, a + 6 * PG), 6);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a + 4 * PG, 4 * PG), 0);
	r = sim_mmap(t, a + 4 * PG, PG, RW, ANON | MAP_FIXED, NULL, 0);
	CHECK(mapped_at(r));
	CHECK_EQ(sim_mremap(t, a, 4 * PG, 8 * PG, 0, 0), -ENOMEM);
	r = sim_mremap(t, a, 4 * PG, 8 * PG, MREMAP_MAYMOVE, 0);
	REQUIRE(mapped_at(r));
	CHECK_EQ(get64(t, (uaddr_t)r + 6 * PG), 6);
	CHECK_SYSTEM(m);
	sim_exit(t);
	fs_end();
}

/* behaviour: C6 (a copy that stops is told, and what came before stands) */
TEST(dax_short_copies)
{
	static char buf[3 * PG];
	struct sim_task *t = sim_task_create(m);

	sim_run(t);
	fs_make(m, 2);
	memset(buf, 7, sizeof(buf));
	copy_most = 5000;
	CHECK_EQ(fs_write(0, buf, sizeof(buf)), 5000);
	CHECK_EQ(quire_mapping_get_size(fs.as), 2 * PG);
	copy_most = 0;
	CHECK_EQ(fs_write(0, buf, 8), -EFAULT);
	CHECK_EQ(fs_read(0, buf, 8), -EFAULT);
	CHECK_EQ(fs_write(5 * PG, buf, 8), -EFAULT);
	CHECK_EQ(quire_mapping_get_size(fs.as), 2 * PG);
	copy_most = SIZE_MAX;
	CHECK_EQ(fs_read(0, buf, sizeof(buf)), 2 * PG);
	CHECK_EQ(buf[4999], 7);
	CHECK_EQ(buf[5000], 0);
	fs.full = -ENOSPC; /* the third page has no block */
	CHECK_EQ(fs_write(2 * PG - 8, buf, 16), 8);
	CHECK_SYSTEM(m);
	sim_exit(t);
	fs_end();
}

/* -------------------------------------------------------- out of memory */

static void dax_without_memory(struct sim_machine *m, void *arg)
{
	struct sim_task *t = sim_task_create(m), *child;
	unsigned i, flags;
	sreg_t r;
	int e;

	(void)arg;
	if (!t)
		return;
	fs_make(m, 8);
	for (flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
		r = sim_mmap(t, TEST_PLACE(flags), 8 * PG, RW,
			     flags | MAP_FIXED, fs.f, 0);
		if (!mapped_at(r)) {
			CHECK_EQ(r, -ENOMEM);
			continue;
		}
		for (i = 0; i < 6; i++) {
			uaddr_t a = TEST_PLACE(flags) + i / 2 * PG;

			e = i & 1 ? sim_store64(t, a, i)
				  : sim_load8(t, a, &(uint8_t){0});
			CHECK(e == 0 || e == SIM_OOM);
		}
		child = sim_fork(t);
		if (child)
			sim_exit(child);
	}
	fs_truncate(PG);
	sim_exit(t);
	fs_end();
}

/* behaviours: C6, F15 */
TEST_WITH(dax_every_failure, .seconds = 240)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};

	if (sim_has_injection())
		CHECK(test_every_failure(&c, dax_without_memory, NULL) > 20);
	sim_bind(m, 0);
}

/* ------------------------------------------------------------------ races */

struct dax_race {
	struct sim_task *t[3];
	uaddr_t a;
	unsigned rounds;
	uint64_t bad;
	uint32_t done;
};

static uint32_t ended(struct dax_race *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);
}

/*
 * 0: truncates and punches (the host's inode lock keeps it from writers).
 * 1, 2: load and store through mappings.  A block that is not in the file is
 * full of FREED: nobody may ever see that.
 */
static void dax_racer(unsigned i, void *arg)
{
	struct dax_race *r = arg;
	unsigned k;

	sim_run(r->t[i]);
	for (k = 0; i == 0 && ended(r) < 2; k++) {
		sim_poll();
		switch (k % 4) {
		case 0:
			fs_truncate(PG);
			break;
		case 1:
			fs_truncate(8 * PG);
			break;
		default:
			fs_punch((k % 7) * PG, (k % 7 + 2) * PG);
			break;
		}
	}
	for (k = 0; i && k < r->rounds; k++) {
		uaddr_t a = r->a + k % 8 * PG + i * 8;
		uint64_t v = 0;
		int e;

		e = k % 3 ? sim_load64(r->t[i], a, &v)
			  : sim_store64(r->t[i], a, i);
		CHECK(e == 0 || e == SIGBUS);
		if (!e && v != 0 && v != i)
			__atomic_fetch_add(&r->bad, 1, __ATOMIC_RELAXED);
	}
	if (i)
		__atomic_fetch_add(&r->done, 1, __ATOMIC_ACQ_REL);
	sim_run(NULL);
}

/* behaviours: C6, C4 (no access reaches a block that is not the file's) */
TEST_WITH(dax_truncate_against_faults, .config = {.cpus = 3, .jitter = 40},
	  .seconds = 120)
{
	struct dax_race r = {.rounds = ROUNDS(20000)};
	unsigned i;

	fs_make(m, 8);
	r.t[0] = sim_task_create(m);
	r.t[1] = sim_task_create(m);
	r.a = fs_map(r.t[1], MAP_SHARED);
	r.t[2] = sim_thread(r.t[1]);
	sim_run(NULL);
	sim_parallel(m, 3, dax_racer, &r);
	CHECK_EQ(r.bad, 0);
	CHECK_SYSTEM(m);
	for (i = 0; i < 3; i++)
		sim_exit(r.t[i]);
	fs_end();
}
