/* SPDX-License-Identifier: MIT */
/*
 * Device memory in a program's address space: frames mapped by mmap or by
 * faults, pages of memory among them, and what the map calls do with them.
 */
#include <tests/unit/device.h>
#include <tests/unit/entries.h>
#include <tests/unit/mappings.h>

struct test_device dev;

/* ------------------------------------------------------------- the device */

static int dev_mmap(struct quire_file *file, struct quire_device_map *map)
{
	CHECK(file == sim_file_quire(dev.f));
	__atomic_fetch_add(&dev.maps, 1, __ATOMIC_RELAXED);
	dev.asked = *map;
	if (dev.refuse)
		return dev.refuse;
	map->kind = dev.kind;
	map->cache = dev.cache;
	map->phys = dev.phys + map->off;
	return 0;
}

static int dev_frame(struct quire_file *file, uint64_t off, bool write,
		     struct quire_frame *frame)
{
	(void)file;
	(void)write;
	__atomic_fetch_add(&dev.frames, 1, __ATOMIC_RELAXED);
	if (dev.broken)
		return dev.broken;
	if (__atomic_load_n(&dev.gone, __ATOMIC_ACQUIRE) ||
	    off >= DEV_PAGES * PG)
		return -ENXIO;
	frame->phys = dev.phys + off;
	frame->page = dev.page[off / PG];
	return 0;
}

static int dev_mkwrite(struct quire_file *file, uint64_t off)
{
	(void)file;
	CHECK(off < DEV_PAGES * PG && !(off % PG));
	__atomic_fetch_add(&dev.mkwrites, 1, __ATOMIC_RELAXED);
	return dev.no_write;
}

static void *dev_address(struct quire_file *file, paddr_t phys)
{
	(void)file;
	CHECK(phys >= dev.phys && phys < dev.phys + DEV_PAGES * PG);
	return dev.no_address ? NULL : sim_phys(dev.m, phys);
}

uint64_t *device_frame(unsigned n)
{
	return sim_phys(dev.m, dev.phys + n * PG);
}

void device_make(struct sim_machine *m, unsigned kind, bool mapping,
		 bool mkwrite)
{
	uint64_t bytes;
	unsigned i, k;

	memset(&dev, 0, sizeof(dev));
	dev.m = m;
	dev.phys = sim_reserved(m, &bytes);
	REQUIRE(bytes >= DEV_PAGES * PG);
	dev.kind = (uint8_t)kind;
	dev.ops.mmap = dev_mmap;
	dev.ops.frame = kind == QUIRE_DEVICE_FRAMES ? NULL : dev_frame;
	dev.ops.mkwrite = mkwrite ? dev_mkwrite : NULL;
	dev.ops.address = dev_address;
	dev.f = sim_file_create(m, "/dev/thing", 0, 0);
	REQUIRE(dev.f);
	sim_file_quire(dev.f)->device = &dev.ops;
	if (!mapping)
		sim_file_quire(dev.f)->mapping = NULL;
	for (i = 0; i < DEV_PAGES; i++)
		for (k = 0; k < PG / 8; k++)
			device_frame(i)[k] = i;
}

static const unsigned char *in_core(struct sim_task *t, uaddr_t a)
{
	static unsigned char vec[DEV_PAGES];

	memset(vec, 7, sizeof(vec));
	CHECK_EQ(sim_mincore(t, a, DEV_PAGES * PG, vec), 0);
	return vec;
}

/* Has the mapping's line of VmFlags this one? */
static bool smaps_has(struct sim_task *t, uaddr_t a, const char *flag)
{
	char *text = sim_smaps(t), *at, *end, start[24];
	bool has;

	REQUIRE(text);
	snprintf(start, sizeof(start), "%08llx-", (unsigned long long)a);
	at = strstr(text, start);
	REQUIRE(at);
	at = strstr(at, "VmFlags:");
	end = strchr(at, '\n');
	*end = 0;
	has = strstr(at, flag) != NULL;
	free(text);
	return has;
}

static uint64_t file_rss(struct sim_task *t)
{
	struct quire_mm_stats s = mm_stats(t);

	return s.anon_pages + s.file_pages + s.shmem_pages;
}

/* ------------------------------------------------------ all at once: shared */

/* behaviour: C6 (frames are there from the start, and are the device's) */
TEST(frames_are_mapped_by_mmap)
{
	struct sim_task *t = sim_task_create(m);
	uint64_t rss = file_rss(t);
	unsigned i;
	uaddr_t a;

	device_make(m, QUIRE_DEVICE_FRAMES, false, false);
	a = device_map(t, RW, MAP_SHARED);
	CHECK_EQ(dev.maps, 1);
	CHECK_EQ(dev.asked.addr, a);
	CHECK_EQ(dev.asked.len, DEV_PAGES * PG);
	CHECK_EQ(dev.asked.prot, RW);
	CHECK_EQ(dev.asked.off, 0);
	for (i = 0; i < DEV_PAGES; i++) {
		CHECK_EQ(get64(t, a + i * PG + 8), i);
		CHECK_EQ(t->faults, 0);
		put64(t, a + i * PG, 100 + i);
		CHECK_EQ(t->faults, 0);
		CHECK_EQ(device_frame(i)[0], 100 + i);
		CHECK_EQ(frame_of(t, a + i * PG), dev.phys + i * PG);
		CHECK_EQ(in_core(t, a)[i], 1);
	}
	device_frame(5)[1] = 4711; /* the device changes it */
	CHECK_EQ(get64(t, a + 5 * PG + 8), 4711);
	CHECK_EQ(file_rss(t), rss);
	CHECK(smaps_has(t, a, " pf") && smaps_has(t, a, " io") &&
	      smaps_has(t, a, " de") && smaps_has(t, a, " dd"));
	CHECK(strstr(line_at(t, a), "/dev/thing") != NULL);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
	CHECK_MAPERR(t, a);
	sim_file_close(dev.f);
	sim_exit(t);
}

/* behaviour: C6 (an offset, and the refusals of device and of mmap) */
TEST(a_device_may_refuse)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a;

	device_make(m, QUIRE_DEVICE_FRAMES, false, false);
	a = must_map(t, 2 * PG, PROT_READ, MAP_SHARED, dev.f, 7 * PG);
	CHECK_EQ(get64(t, a), 7);
	CHECK_EQ(get64(t, a + PG), 8);
	dev.refuse = -EPERM;
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, dev.f, 0), -EPERM);
	dev.refuse = -EAGAIN;
	CHECK_EQ(sim_mmap(t, a, PG, RW, MAP_SHARED | MAP_FIXED, dev.f, 7 * PG),
		 -EAGAIN);
	CHECK_EQ(get64(t, a), 7); /* what was there stands */
	dev.refuse = 0;
	dev.kind = 9; /* an answer that makes no sense */
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, dev.f, 0), -EINVAL);
	dev.kind = QUIRE_DEVICE_FRAMES;
	dev.cache = 9;
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, dev.f, 0), -EINVAL);
	dev.cache = 0;
	dev.phys += 8;
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, dev.f, 0), -EINVAL);
	dev.phys = ~(paddr_t)0 - PG + 1; /* no entry can name it */
	CHECK_EQ(sim_mmap(t, 0, PG, RW, MAP_SHARED, dev.f, 0), -EINVAL);
	CHECK_EQ(sim_mmap(t, 0, 2 * PG, RW, MAP_SHARED, dev.f, 0), -EINVAL);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(t);
}

/* The mapping has no way back to frames that are gone. */
static void device_gone(struct sim_task *t, uaddr_t a, uaddr_t len)
{
	__atomic_store_n(&dev.gone, true, __ATOMIC_RELEASE);
	sim_run(t);
	quire_mapping_revoke(sim_file_mapping(dev.f), a, a + len);
}

/* behaviour: C6 (frames can be taken back; then access is SIGBUS) */
TEST(frames_are_revoked)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a, p;

	device_make(m, QUIRE_DEVICE_FRAMES, true, false);
	a = device_map(t, RW, MAP_SHARED);
	p = device_map(t, RW, MAP_PRIVATE);
	put64(t, p + 4 * PG, 44); /* a copy: not the device's any more */
	child = sim_fork(t);
	REQUIRE(child);
	device_gone(t, 2 * PG, 4 * PG);
	CHECK_EQ(get64(t, a + PG), 1);
	CHECK_SIGNAL(t, sim_load8(t, a + 2 * PG, &(uint8_t){0}), SIGBUS,
		     QUIRE_BUS_ADRERR, a + 2 * PG);
	CHECK_SIGNAL(child, sim_store8(child, a + 5 * PG, 1), SIGBUS,
		     QUIRE_BUS_ADRERR, a + 5 * PG);
	CHECK_EQ(get64(child, a + 6 * PG), 6);
	CHECK_EQ(get64(t, p + 4 * PG), 44);
	CHECK_SIGNAL(t, sim_load8(t, p + 3 * PG, &(uint8_t){0}), SIGBUS,
		     QUIRE_BUS_ADRERR, p + 3 * PG);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(child);
	sim_exit(t);
}

/* ----------------------------------------------------- all at once: private */

/* behaviours: C6, F10 (a private write copies the device's frame) */
TEST(private_write_copies_the_frame)
{
	struct sim_task *t = sim_task_create(m), *child;
	uint64_t anon = mm_stats(t).anon_pages;
	uaddr_t a;

	device_make(m, QUIRE_DEVICE_FRAMES, false, false);
	a = device_map(t, RW, MAP_PRIVATE);
	CHECK_EQ(get64(t, a + 3 * PG), 3);
	put64(t, a + 3 * PG, 1003);
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(device_frame(3)[0], 3);
	CHECK_EQ(get64(t, a + 3 * PG + 8), 3); /* the rest is a copy */
	CHECK_EQ(mm_stats(t).anon_pages, anon + 1);
	device_frame(3)[1] = 8;
	CHECK_EQ(get64(t, a + 3 * PG + 8), 3);
	device_frame(4)[1] = 9; /* not written yet: still the device's */
	CHECK_EQ(get64(t, a + 4 * PG + 8), 9);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_EQ(get64(child, a + 3 * PG), 1003);
	CHECK_EQ(get64(child, a + 4 * PG + 8), 9);
	CHECK_EQ(child->faults, 0); /* copied by fork */
	put64(child, a + 3 * PG, 2003);
	put64(child, a + 4 * PG, 2004);
	CHECK_EQ(get64(t, a + 3 * PG), 1003);
	CHECK_EQ(get64(t, a + 4 * PG), 4);
	CHECK_EQ(device_frame(4)[0], 4);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(child);
	sim_exit(t);
}

/* behaviours: C6, F10 (a device whose frames cannot be read: SIGBUS) */
TEST(frame_without_an_address_is_not_copied)
{
	struct sim_task *t = sim_task_create(m);
	unsigned kind;
	uaddr_t a;

	for (kind = QUIRE_DEVICE_FRAMES; kind <= QUIRE_DEVICE_MIXED; kind++) {
		test_context("kind %u", kind);
		device_make(m, kind, false, false);
		a = device_map(t, RW, MAP_PRIVATE);
		dev.no_address = true;
		CHECK_SIGNAL(t, sim_store8(t, a, 1), SIGBUS, QUIRE_BUS_ADRERR,
			     a);
		CHECK_EQ(get64(t, a + PG), 1);
		CHECK_SIGNAL(t, sim_store8(t, a + PG, 1), SIGBUS,
			     QUIRE_BUS_ADRERR, a + PG);
		dev.no_address = false;
		put64(t, a + PG, 2);
		CHECK_EQ(device_frame(1)[0], 1);
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
		sim_file_close(dev.f);
	}
	sim_exit(t);
}

/* ------------------------------------------------------------ the map calls */

/* behaviour: C6 (fork shares frames; what one stores, the other sees) */
TEST(fork_shares_frames)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a;

	device_make(m, QUIRE_DEVICE_FRAMES, false, false);
	a = device_map(t, RW, MAP_SHARED);
	child = sim_fork(t);
	REQUIRE(child);
	put64(child, a + PG, 77);
	CHECK_EQ(get64(t, a + PG), 77);
	put64(t, a + 2 * PG, 78);
	CHECK_EQ(get64(child, a + 2 * PG), 78);
	CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
	CHECK_EQ(get64(child, a + 2 * PG), 78);
	CHECK_SYSTEM(m);
	sim_exit(child);
	/* and is told not to */
	a = device_map(t, RW, MAP_SHARED);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_DONTFORK), 0);
	CHECK_EQ(sim_madvise(t, a, PG, MADV_DOFORK), -EINVAL);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_MAPERR(child, a);
	CHECK_EQ(get64(child, a + PG), 77);
	sim_file_close(dev.f);
	sim_exit(child);
	sim_exit(t);
}

/* behaviour: C6 (mprotect keeps frames and their kind of memory) */
TEST(mprotect_of_frames)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, p;

	device_make(m, QUIRE_DEVICE_FRAMES, false, false);
	a = device_map(t, RW, MAP_SHARED);
	CHECK_EQ(sim_mprotect(t, a + PG, 2 * PG, PROT_READ), 0);
	CHECK_SIGNAL(t, sim_store8(t, a + PG, 1), SIGSEGV, QUIRE_SEGV_ACCERR,
		     a + PG);
	CHECK_EQ(get64(t, a + PG), 1);
	CHECK_EQ(sim_mprotect(t, a + 2 * PG, 2 * PG, PROT_NONE), 0);
	CHECK_SIGNAL(t, sim_load8(t, a + 2 * PG, &(uint8_t){0}), SIGSEGV,
		     QUIRE_SEGV_ACCERR, a + 2 * PG);
	CHECK_EQ(in_core(t, a)[2], 1);
	CHECK_SYSTEM(m);
	CHECK_EQ(sim_mprotect(t, a, DEV_PAGES * PG, RW), 0);
	put64(t, a + PG, 11);
	put64(t, a + 2 * PG, 12);
	CHECK_EQ(device_frame(1)[0], 11);
	CHECK_EQ(device_frame(2)[0], 12);
	/* read-only at first */
	p = device_map(t, PROT_READ, MAP_SHARED);
	CHECK_EQ(get64(t, p + 2 * PG), 12);
	CHECK_EQ(sim_mprotect(t, p, 4 * PG, RW), 0);
	put64(t, p + 2 * PG, 13);
	CHECK_EQ(device_frame(2)[0], 13);
	/* pieces of a device's mapping do not grow together again */
	CHECK(lines(t, a, a + DEV_PAGES * PG) > 1);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(t);
}

/* behaviour: C6 (mremap: frames move, and are not stretched) */
TEST(mremap_of_frames)
{
	struct sim_task *t = sim_task_create(m);
	uaddr_t a, to = TEST_PLACE(1);

	device_make(m, QUIRE_DEVICE_FRAMES, true, false);
	a = device_map(t, RW, MAP_SHARED);
	put64(t, a + 3 * PG, 33);
	CHECK_EQ(sim_mremap(t, a, DEV_PAGES * PG, 2 * DEV_PAGES * PG,
			    MREMAP_MAYMOVE, 0),
		 -EFAULT);
	CHECK_EQ(sim_mremap(t, a, DEV_PAGES * PG, DEV_PAGES * PG,
			    MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0),
		 -EINVAL);
	CHECK_EQ(sim_mremap(t, a, 0, PG, MREMAP_MAYMOVE, 0), -EFAULT);
	CHECK_EQ(sim_mremap(t, a, DEV_PAGES * PG, DEV_PAGES * PG,
			    MREMAP_MAYMOVE | MREMAP_FIXED, to),
		 to);
	CHECK_MAPERR(t, a);
	CHECK_EQ(get64(t, to + 3 * PG), 33);
	put64(t, to + 5 * PG, 55);
	CHECK_EQ(device_frame(5)[0], 55);
	CHECK_EQ(sim_mremap(t, to, DEV_PAGES * PG, 4 * PG, 0, 0), to);
	CHECK_MAPERR(t, to + 4 * PG);
	CHECK_EQ(get64(t, to + 3 * PG), 33);
	CHECK_SYSTEM(m);
	/* and revoke finds it at its new place */
	device_gone(t, 0, PG);
	CHECK_EQ(sim_load8(t, to, &(uint8_t){0}), SIGBUS);
	CHECK_EQ(get64(t, to + 3 * PG), 33);
	sim_file_close(dev.f);
	sim_exit(t);
}

/* behaviour: C6 (madvise, mlock, msync and populate as for any device) */
TEST(advice_about_frames)
{
	static const int refused[] = {
		MADV_DONTNEED,	    MADV_FREE,		 MADV_COLD,
		MADV_PAGEOUT,	    MADV_DODUMP,	 MADV_HUGEPAGE,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WIPEONFORK};
	struct sim_task *t = sim_task_create(m);
	uint64_t locked;
	unsigned i;
	uaddr_t a;

	device_make(m, QUIRE_DEVICE_FRAMES, true, false);
	a = must_map(t, DEV_PAGES * PG, RW,
		     MAP_SHARED | MAP_POPULATE | MAP_LOCKED, dev.f, 0);
	locked = mm_stats(t).locked_vm;
	CHECK_EQ(locked, 0);
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		test_context("advice %d", refused[i]);
		CHECK_EQ(sim_madvise(t, a, 4 * PG, refused[i]), -EINVAL);
	}
	test_context("%s", "");
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_RANDOM), 0);
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_DONTDUMP), 0);
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_MERGEABLE), 0);
	CHECK(!smaps_has(t, a, " mg"));
	sim_run(t);
	CHECK_EQ(quire_mlock(t->qt.mm, a, 4 * PG, 0), 0);
	CHECK_EQ(mm_stats(t).locked_vm, locked);
	CHECK(!smaps_has(t, a, " lo"));
	CHECK_EQ(quire_munlock(t->qt.mm, a, 4 * PG), 0);
	CHECK_EQ(quire_mlockall(t->qt.mm, MCL_CURRENT), 0);
	CHECK(!smaps_has(t, a, " lo"));
	CHECK_EQ(quire_munlockall(t->qt.mm), 0);
	CHECK_EQ(quire_msync(t->qt.mm, a, 4 * PG, MS_ASYNC), 0);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(t);
}

/* behaviours: C6, E14 (no page stands behind a frame: nothing to pin) */
TEST(frames_are_not_pinned)
{
	struct sim_task *t = sim_task_create(m);
	struct page *page;
	char buf[8] = {0};
	paddr_t phys;
	unsigned kind;
	uaddr_t a;

	for (kind = QUIRE_DEVICE_FRAMES; kind <= QUIRE_DEVICE_MIXED; kind++) {
		test_context("kind %u", kind);
		device_make(m, kind, false, false);
		a = device_map(t, RW, MAP_SHARED);
		put64(t, a, 5);
		CHECK_EQ(quire_get_user_pages(t->qt.mm, a, 1, false, &page),
			 -EFAULT);
		CHECK_EQ(quire_get_user_pages(t->qt.mm, a + PG, 1, true, &page),
			 -EFAULT);
		CHECK_EQ(quire_user_word(t->qt.mm, a, true, &page, &phys),
			 -EFAULT);
		CHECK_EQ(quire_mm_read(t->qt.mm, a, buf, 8), 0);
		/* the processor itself can, for the kernel as for the user */
		CHECK_EQ(sim_copy_to_user(t, a + PG, "deadbeef", 8), 8);
		CHECK_EQ(sim_copy_from_user(t, a + PG, buf, 8), 8);
		CHECK(!memcmp(buf, "deadbeef", 8));
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
		sim_file_close(dev.f);
	}
	sim_exit(t);
}

/* The entry's bits beside the frame and what accesses set. */
static uint64_t kind_of_memory(struct sim_task *t, uaddr_t a)
{
	pgprot_t none = vm_get_page_prot(t->qt.q, VM_READ);
	uint64_t may_be = 0;
	unsigned c;

	for (c = QUIRE_CACHE_NORMAL; c <= QUIRE_CACHE_DEVICE; c++)
		may_be |= pgprot_val(none) ^ pgprot_val(pgprot_cache(none, c));
	return pte_val(ptep_get(pte_at(t, a))) & may_be;
}

/* behaviours: C6, P2 (the device says how its memory is cached, and mprotect
 * and fork leave that; copies are ordinary memory) */
TEST(frames_are_cached_as_the_device_says)
{
	struct sim_task *t = sim_task_create(m), *child;
	pgprot_t r = vm_get_page_prot(sim_quire(m), VM_READ);
	uint64_t want[3], plain;
	uaddr_t a, b = anon(t, 1);
	unsigned c, kind;

	put64(t, b, 1);
	plain = kind_of_memory(t, b);
	for (c = QUIRE_CACHE_NORMAL; c <= QUIRE_CACHE_DEVICE; c++) {
		want[c] =
			plain ^ pgprot_val(r) ^ pgprot_val(pgprot_cache(r, c));
		for (kind = 0; kind <= QUIRE_DEVICE_MIXED; kind++) {
			test_context("cache %u, kind %u", c, kind);
			device_make(m, kind, false, false);
			dev.cache = (uint8_t)c;
			a = device_map(t, RW, MAP_PRIVATE);
			get64(t, a);
			CHECK_EQ(kind_of_memory(t, a), want[c]);
			CHECK(pte_special(ptep_get(pte_at(t, a))));
			CHECK_EQ(sim_mprotect(t, a, 2 * PG, PROT_NONE), 0);
			CHECK_EQ(sim_mprotect(t, a, 2 * PG, RW), 0);
			CHECK_EQ(kind_of_memory(t, a), want[c]);
			child = sim_fork(t);
			REQUIRE(child);
			CHECK_EQ(kind_of_memory(child, a), want[c]);
			sim_exit(child);
			put64(t, a, 3);
			CHECK_EQ(kind_of_memory(t, a), plain);
			CHECK(!pte_special(ptep_get(pte_at(t, a))));
			put64(t, a + PG, 3); /* never read: copied at once */
			CHECK_EQ(kind_of_memory(t, a + PG), plain);
			CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
			sim_file_close(dev.f);
		}
	}
	test_context("%s", "");
	CHECK(want[QUIRE_CACHE_DEVICE] != want[QUIRE_CACHE_NORMAL]);
	CHECK(want[QUIRE_CACHE_COMBINE] != want[QUIRE_CACHE_NORMAL]);
	CHECK(want[QUIRE_CACHE_COMBINE] != want[QUIRE_CACHE_DEVICE]);
	sim_exit(t);
}

/* --------------------------------------------------------------- by fault */

/* behaviours: C6, F5 (each frame is asked for as it is touched) */
TEST(frames_come_by_fault)
{
	struct sim_task *t = sim_task_create(m), *child;
	uaddr_t a, p;

	device_make(m, QUIRE_DEVICE_FAULT, false, false);
	a = device_map(t, RW, MAP_SHARED);
	CHECK_EQ(dev.frames, 0);
	CHECK_EQ(in_core(t, a)[3], 0);
	CHECK_EQ(get64(t, a + 3 * PG), 3);
	CHECK_EQ(device_calls(&dev.frames), 1);
	CHECK_EQ(in_core(t, a)[3], 1);
	put64(t, a + 3 * PG, 30); /* nobody wants to be asked */
	CHECK_EQ(t->faults, 0);
	put64(t, a + 4 * PG, 40);
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(device_calls(&dev.frames), 1);
	CHECK_EQ(device_frame(4)[0], 40);
	CHECK(smaps_has(t, a, " pf"));
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_EQ(get64(child, a + 4 * PG), 40);
	CHECK_EQ(device_calls(&dev.frames), 0);
	/* private: the first write is a copy, with one fault */
	p = device_map(t, RW, MAP_PRIVATE);
	put64(t, p + 4 * PG, 41);
	CHECK_EQ(t->faults, 1);
	CHECK_EQ(get64(t, p + 4 * PG + 8), 4);
	CHECK_EQ(device_frame(4)[0], 40);
	/* errors of the device */
	dev.broken = -EIO;
	CHECK_SIGNAL(t, sim_load8(t, a + 7 * PG, &(uint8_t){0}), SIGBUS,
		     QUIRE_BUS_ADRERR, a + 7 * PG);
	CHECK_SIGNAL(t, sim_store8(t, p + 7 * PG, 0), SIGBUS, QUIRE_BUS_ADRERR,
		     p + 7 * PG);
	dev.broken = -ENOMEM;
	CHECK_EQ(sim_load8(t, a + 7 * PG, &(uint8_t){0}), SIM_OOM);
	dev.broken = 0;
	CHECK_EQ(get64(t, a + 7 * PG), 7);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(child);
	sim_exit(t);
}

/* behaviours: C6, F10 (a device that wants to know of first writes) */
TEST(a_device_is_asked_before_the_first_write)
{
	struct sim_task *t = sim_task_create(m);
	unsigned kind;
	uaddr_t a, p;

	for (kind = QUIRE_DEVICE_FRAMES; kind <= QUIRE_DEVICE_MIXED; kind++) {
		test_context("kind %u", kind);
		device_make(m, kind, false, true);
		if (kind == QUIRE_DEVICE_MIXED)
			dev.page[1] = quire_alloc_pages(
				sim_quire(m), QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
				0);
		a = device_map(t, RW, MAP_SHARED);
		get64(t, a + PG);
		CHECK_EQ(device_calls(&dev.mkwrites), 0);
		dev.no_write = -EROFS;
		CHECK_SIGNAL(t, sim_store8(t, a + PG, 1), SIGBUS,
			     QUIRE_BUS_ADRERR, a + PG);
		CHECK_EQ(device_calls(&dev.mkwrites), 1);
		dev.no_write = -ENOMEM;
		CHECK_EQ(sim_store8(t, a + PG, 1), SIM_OOM);
		device_calls(&dev.mkwrites);
		dev.no_write = 0;
		put64(t, a + PG, 10);
		CHECK_EQ(device_calls(&dev.mkwrites), 1);
		put64(t, a + PG, 11);
		put64(t, a + 2 * PG, 12);
		CHECK_EQ(device_calls(&dev.mkwrites), 1);
		put64(t, a + 2 * PG, 13);
		CHECK_EQ(device_calls(&dev.mkwrites), 0);
		p = device_map(t, RW, MAP_PRIVATE);
		put64(t, p + 3 * PG, 1);
		get64(t, p + 4 * PG);
		put64(t, p + 4 * PG, 1);
		CHECK_EQ(device_calls(&dev.mkwrites), 0);
		CHECK_SYSTEM(m);
		CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
		CHECK_EQ(sim_munmap(t, p, DEV_PAGES * PG), 0);
		if (dev.page[1])
			quire_free_pages(sim_quire(m), dev.page[1], 0);
		sim_file_close(dev.f);
	}
	sim_exit(t);
}

/* ---------------------------------------------------------------- mixed */

/* behaviour: C6 (pages of memory among a device's frames are counted, pinned
 * and outlive the device's own reference) */
TEST(pages_among_frames)
{
	struct sim_task *t = sim_task_create(m), *child;
	struct quire *q = sim_quire(m);
	uint64_t files = mm_stats(t).file_pages;
	struct page *pin;
	uaddr_t a, p;

	device_make(m, QUIRE_DEVICE_MIXED, true, false);
	dev.page[2] = quire_alloc_pages(q, QUIRE_GFP_KERNEL, 0);
	REQUIRE(dev.page[2]);
	*(uint64_t *)quire_page_address(q, dev.page[2]) = 22;
	a = device_map(t, RW, MAP_SHARED);
	CHECK(smaps_has(t, a, " mm") && !smaps_has(t, a, " pf"));
	CHECK_EQ(get64(t, a + PG), 1);
	CHECK_EQ(mm_stats(t).file_pages, files);
	CHECK_EQ(get64(t, a + 2 * PG), 22);
	CHECK_EQ(mm_stats(t).file_pages, files + 1);
	put64(t, a + 2 * PG, 23);
	CHECK_EQ(frame_of(t, a + 2 * PG), quire_page_phys(q, dev.page[2]));
	CHECK_SYSTEM(m);
	child = sim_fork(t);
	REQUIRE(child);
	CHECK_EQ(mm_stats(child).file_pages, files + 1);
	CHECK_EQ(get64(child, a + 2 * PG), 23);
	CHECK_SYSTEM(m);
	sim_run(t);
	CHECK_EQ(quire_get_user_pages(t->qt.mm, a + 2 * PG, 1, true, &pin), 1);
	CHECK(pin == dev.page[2]);
	quire_page_put(q, pin);
	p = device_map(t, RW, MAP_PRIVATE);
	put64(t, p + 2 * PG, 99);
	CHECK_EQ(get64(t, a + 2 * PG), 23);
	/* DONTNEED takes it out, and the device gives it again */
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_DONTNEED), 0);
	CHECK_EQ(mm_stats(t).file_pages, files);
	device_calls(&dev.frames);
	CHECK_EQ(get64(t, a + 2 * PG), 23);
	CHECK_EQ(device_calls(&dev.frames), 1);
	CHECK_EQ(sim_madvise(t, a, 4 * PG, MADV_POPULATE_READ), 0);
	CHECK_EQ(device_calls(&dev.frames), 3);
	CHECK_EQ(get64(t, a), 0);
	CHECK_EQ(t->faults, 0);
	/* the device lets go of it first */
	quire_free_pages(q, dev.page[2], 0);
	dev.page[2] = NULL;
	CHECK_EQ(get64(child, a + 2 * PG), 23);
	CHECK_SYSTEM(m);
	device_gone(t, 0, DEV_PAGES * PG);
	CHECK_EQ(sim_load8(child, a + 2 * PG, &(uint8_t){0}), SIGBUS);
	CHECK_EQ(mm_stats(child).file_pages, files);
	CHECK_EQ(get64(t, p + 2 * PG), 99);
	CHECK_SYSTEM(m);
	sim_file_close(dev.f);
	sim_exit(child);
	sim_exit(t);
}

/* behaviour: C6 (frames in a hole of memory have no page either) */
TEST_WITH(frames_in_a_hole_of_memory, .config = {.mem_hole = true})
{
	struct sim_task *t = sim_task_create(m), *child;
	struct page *page;
	unsigned kind;
	paddr_t hole;
	uaddr_t a;

	for (hole = 1 << 20; quire_phys_page(sim_quire(m), hole); hole += PG)
		;
	REQUIRE(hole < sim_ram_end(m));
	for (kind = QUIRE_DEVICE_FRAMES; kind <= QUIRE_DEVICE_MIXED; kind++) {
		test_context("kind %u", kind);
		device_make(m, kind, false, false);
		dev.phys = hole;
		device_frame(3)[0] = 3;
		device_frame(4)[0] = 4;
		a = device_map(t, RW, MAP_PRIVATE);
		CHECK_EQ(get64(t, a + 3 * PG), 3);
		child = sim_fork(t);
		REQUIRE(child);
		CHECK_EQ(quire_get_user_pages(child->qt.mm, a + 3 * PG, 1,
					      false, &page),
			 -EFAULT);
		put64(child, a + 3 * PG, 33);
		put64(child, a + 4 * PG, 44);
		CHECK_EQ(device_frame(3)[0], 3);
		CHECK_EQ(device_frame(4)[0], 4);
		CHECK_SYSTEM(m);
		sim_exit(child);
		CHECK_EQ(sim_munmap(t, a, DEV_PAGES * PG), 0);
		sim_file_close(dev.f);
	}
	sim_exit(t);
}

/* -------------------------------------------------------- out of memory */

static bool lacks_memory(sreg_t r)
{
	CHECK(mapped_at(r) || r == -ENOMEM);
	return !mapped_at(r);
}

static void use_device(struct sim_task *t, unsigned flags)
{
	sreg_t r = sim_mmap(t, TEST_PLACE(1), DEV_PAGES * PG, RW,
			    flags | MAP_FIXED, dev.f, 0);
	uaddr_t a = (uaddr_t)r;
	struct sim_task *child;
	unsigned i;
	int e;

	if (lacks_memory(r))
		return;
	for (i = 0; i < 4; i++) {
		e = i & 1 ? sim_store64(t, a + i * PG, 8)
			  : sim_load8(t, a + i * PG, &(uint8_t){0});
		CHECK(e == 0 || e == SIM_OOM);
	}
	child = sim_fork(t);
	if (child) {
		e = sim_store64(child, a, 9);
		CHECK(e == 0 || e == SIM_OOM);
		sim_exit(child);
	}
	r = sim_mremap(t, a + 2 * PG, 2 * PG, 2 * PG,
		       MREMAP_MAYMOVE | MREMAP_FIXED, TEST_PLACE(2) + 2 * PG);
	if (!lacks_memory(r))
		sim_mprotect(t, TEST_PLACE(2) + 2 * PG, PG, PROT_READ);
}

static void device_without_memory(struct sim_machine *m, void *arg)
{
	struct sim_task *t;
	unsigned kind;

	(void)arg;
	for (kind = QUIRE_DEVICE_FRAMES; kind <= QUIRE_DEVICE_MIXED; kind++) {
		t = sim_task_create(m);
		if (!t)
			return;
		device_make(m, kind, false, kind == QUIRE_DEVICE_FAULT);
		if (kind == QUIRE_DEVICE_MIXED)
			dev.page[1] =
				quire_alloc_pages(t->qt.q, QUIRE_GFP_KERNEL, 0);
		use_device(t, MAP_SHARED);
		use_device(t, MAP_PRIVATE);
		sim_exit(t);
		if (dev.page[1])
			quire_free_pages(sim_quire(m), dev.page[1], 0);
		sim_file_close(dev.f);
	}
}

/* behaviours: C6, F15 */
TEST_WITH(device_every_failure, .seconds = 240)
{
	struct sim_config c = {.ram_bytes = 16 << 20, .check_ops = true};

	if (sim_has_injection())
		CHECK(test_every_failure(&c, device_without_memory, NULL) > 30);
	sim_bind(m, 0);
}

/* ------------------------------------------------------------------ races */

struct revoking {
	struct sim_task *t[2];
	uaddr_t a;
	unsigned rounds, lost;
};

/* One revokes and gives back; the other touches.  What is revoked is never
 * seen: the frame is filled with another number meanwhile. */
static void revoke_race(unsigned i, void *arg)
{
	struct revoking *r = arg;
	struct address_space *as = sim_file_mapping(dev.f);
	unsigned k;
	uint64_t v;
	int e;

	sim_run(r->t[i]);
	for (k = 0; k < r->rounds; k++) {
		if (i == 0) {
			__atomic_store_n(&dev.gone, true, __ATOMIC_RELEASE);
			quire_mapping_revoke(as, 0, DEV_PAGES * PG);
			__atomic_store_n(device_frame(k % 4), 666,
					 __ATOMIC_RELAXED);
			sim_poll();
			__atomic_store_n(device_frame(k % 4), k % 4,
					 __ATOMIC_RELAXED);
			__atomic_store_n(&dev.gone, false, __ATOMIC_RELEASE);
			continue;
		}
		e = sim_load64(r->t[1], r->a + k % 4 * PG, &v);
		if (e == SIGBUS)
			continue;
		CHECK_EQ(e, 0);
		if (!e && v == 666)
			r->lost++;
	}
	sim_run(NULL);
}

/* behaviour: C6 (an entry never outlives its frame) */
TEST_WITH(revoke_against_faults, .config = {.cpus = 2, .jitter = 40},
	  .seconds = 120)
{
	struct revoking r = {.rounds = ROUNDS(4000)};
	unsigned shared;

	device_make(m, QUIRE_DEVICE_FAULT, true, false);
	r.t[0] = sim_task_create(m);
	r.t[1] = sim_task_create(m);
	for (shared = 0; shared < 2; shared++) {
		r.a = device_map(r.t[1], RW, shared ? MAP_SHARED : MAP_PRIVATE);
		sim_run(NULL);
		sim_parallel(m, 2, revoke_race, &r);
		CHECK_EQ(r.lost, 0);
		CHECK_SYSTEM(m);
	}
	sim_file_close(dev.f);
	sim_exit(r.t[0]);
	sim_exit(r.t[1]);
}
