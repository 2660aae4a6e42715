/* SPDX-License-Identifier: MIT */
/*
 * Compressed memory on the host: the coder against the LZ4 library and against
 * broken blocks, the pool and the device against a model.  What they want of
 * the kernel is below: pages, which may run out, and locks.
 *
 * Blocks and pages end at a page that cannot be read or written, so that a byte
 * too far is a crash.
 */
#include <lz4.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "check.h"
#include "lz4.h"
#include "zram.h"

#define PG	QUIRE_PAGE_SIZE
#define FRAMES	4096u
#define ROUNDS	20000u
#define WORST	(PG + PG / 255 + 16)
#define REFUSED 28 /* ENOSPC */
#define NO_ROOM 12 /* ENOMEM */

/* ------------------------------------------------------------- the kernel */

struct page {
	bool used;
	int error; /* of its last write or read; 1: none yet */
};
static struct page pages[FRAMES];
static uint8_t *memory; /* frame i is page i of it */
static unsigned in_use, room = FRAMES, held;
static unsigned next_frame;

struct quire *the_quire;
struct mutex;
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
void cond_resched(void);
void kspin_slow(void *lock);
void *kmalloc(size_t n);
void *kzalloc(size_t n);
void kfree(void *p);

void mutex_init(struct mutex *m)
{
	(void)m;
}
void mutex_lock(struct mutex *m)
{
	(void)m;
	held++;
}
bool mutex_trylock(struct mutex *m)
{
	mutex_lock(m);
	return true;
}
void mutex_unlock(struct mutex *m)
{
	(void)m;
	held--;
}
void cond_resched(void)
{
}
void kspin_slow(void *lock)
{
	(void)lock;
	abort();
}
void *kmalloc(size_t n)
{
	return malloc(n);
}
void *kzalloc(size_t n)
{
	return calloc(1, n);
}
void kfree(void *p)
{
	free(p);
}

struct page *quire_alloc_pages(struct quire *q, gfp_t gfp, unsigned order)
{
	(void)q;
	(void)order;
	if (in_use >= room)
		return NULL;
	do
		next_frame = next_frame % (FRAMES - 1) + 1;
	while (pages[next_frame].used);
	pages[next_frame].used = true;
	in_use++;
	memset(memory + (size_t)next_frame * PG,
	       gfp & QUIRE_GFP_ZERO ? 0 : 0xa5, PG);
	return &pages[next_frame];
}

void quire_free_pages(struct quire *q, struct page *page, unsigned order)
{
	(void)q;
	(void)order;
	CHECK(page->used);
	page->used = false;
	in_use--;
	memset(memory + (size_t)(page - pages) * PG, 0xdd, PG);
}

void *quire_page_address(struct quire *q, struct page *page)
{
	(void)q;
	return memory + (size_t)(page - pages) * PG;
}
paddr_t quire_page_phys(struct quire *q, struct page *page)
{
	(void)q;
	return (paddr_t)(page - pages) * PG;
}
struct page *quire_phys_page(struct quire *q, paddr_t phys)
{
	(void)q;
	return phys && phys / PG < FRAMES ? &pages[phys / PG] : NULL;
}
void quire_page_end_read(struct quire *q, struct page *page, int error)
{
	(void)q;
	page->error = error;
}
void quire_page_end_write(struct quire *q, struct page *page, int error)
{
	(void)q;
	page->error = error;
}

/* --------------------------------------------------------------- contents */

static uint64_t seed = 88172645463325252ull;

static uint32_t rnd(void) /* Marsaglia's xorshift */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

enum content { ZERO, WORD, TEXT, POINTERS, RUNS, RANDOM, CONTENTS };

static void make(uint8_t *p, size_t n, enum content what)
{
	static const char *const words[] = {"page ",	 "of ",	      "memory ",
					    "swap ",	 "the ",      "quire ",
					    "reclaim; ", "writes\n ", "a "};
	uint32_t same = rnd();
	size_t i, k;

	for (i = 0; i < n; i++) {
		p[i] = 0;
		if (what == WORD)
			p[i] = (uint8_t)(same >> 8 * (i % 4));
		if (what == RANDOM)
			p[i] = (uint8_t)rnd();
		if (what == RUNS && i)
			p[i] = rnd() % 64 ? p[i - 1] : (uint8_t)rnd();
		if (what == POINTERS && i % 8 < 6)
			p[i] = i % 8 < 2 ? (uint8_t)rnd()
					 : (uint8_t)(0x40 + i % 8);
	}
	for (i = 0; what == TEXT && i < n; i += k) {
		const char *w = words[rnd() % 9];

		k = strlen(w) < n - i ? strlen(w) : n - i;
		memcpy(p + i, w, k);
	}
}

/* n bytes that end at a wall. */
static uint8_t *walled(size_t n)
{
	size_t whole = (n + PG - 1) / PG * PG;
	uint8_t *p = mmap(NULL, whole + PG, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + whole, PG, PROT_NONE))
		exit(1);
	return p + whole - n;
}

/* --------------------------------------------------------------- the coder */

static struct lz4_table table;

static void coder_one(const uint8_t *in, size_t n)
{
	uint8_t block[WORST], back[PG];
	uint8_t *tight;
	size_t len = lz4_compress(in, n, block, sizeof(block), &table);

	CHECK(len > 0);
	CHECK(lz4_decompress(block, len, back, n) == (long)n);
	CHECK(!memcmp(in, back, n));
	memset(back, 0, sizeof(back));
	/* another's decoder takes it, and we take another's blocks */
	CHECK(LZ4_decompress_safe((char *)block, (char *)back, (int)len,
				  (int)n) == (int)n);
	CHECK(!memcmp(in, back, n));
	/* the room is kept, to the byte */
	tight = malloc(len);
	CHECK(lz4_compress(in, n, tight, len, &table) == len);
	CHECK(!memcmp(tight, block, len));
	CHECK(lz4_compress(in, n, tight, len - 1, &table) == 0);
	free(tight);
	len = (size_t)LZ4_compress_default((const char *)in, (char *)block,
					   (int)n, sizeof(block));
	memset(back, 0, sizeof(back));
	CHECK(lz4_decompress(block, len, back, n) == (long)n);
	CHECK(!memcmp(in, back, n));
}

static void test_coder(void)
{
	uint8_t *in = malloc(PG);
	enum content what;
	size_t n;

	for (what = 0; what < CONTENTS; what++) {
		for (n = 1; n < 300; n++) {
			uint8_t *cut = malloc(n); /* ASan: to the byte */

			make(cut, n, what);
			coder_one(cut, n);
			free(cut);
		}
		for (n = 0; n < 50; n++) {
			make(in, PG, what);
			coder_one(in, PG);
		}
	}
	/* what it is there for */
	make(in, PG, TEXT);
	CHECK(lz4_compress(in, PG, (uint8_t[WORST]){0}, PG / 2, &table));
	make(in, PG, POINTERS);
	CHECK(lz4_compress(in, PG, (uint8_t[WORST]){0}, PG * 3 / 4, &table));
	make(in, PG, RANDOM);
	CHECK(!lz4_compress(in, PG, (uint8_t[WORST]){0}, PG, &table));
	free(in);
}

/* Whatever comes in: within bounds, and the same as the library where both take
 * it (it takes offset 0 and is stricter about the end). */
static void fuzz_one(const uint8_t *block, size_t n, uint8_t *out, size_t cap)
{
	uint8_t lib[PG];
	int want = LZ4_decompress_safe((const char *)block, (char *)lib, (int)n,
				       (int)cap);
	long got = lz4_decompress(block, n, out, cap);

	CHECK(got >= -1 && got <= (long)cap);
	if (want >= 0 && got >= 0 && n)
		CHECK(got == want && !memcmp(out, lib, (size_t)want));
}

static void test_fuzz(void)
{
	uint8_t *wall_in = walled(WORST) + WORST, *wall_out = walled(PG) + PG;
	uint8_t page[PG], block[WORST];
	unsigned i, k, flips;
	size_t len, cap;

	for (i = 0; i < ROUNDS; i++) {
		make(page, PG, rnd() % CONTENTS);
		len = lz4_compress(page, rnd() % 2 ? PG : 1 + rnd() % 200,
				   block, sizeof(block), &table);
		if (rnd() % 8 == 0)
			make(block, len, RANDOM);
		flips = rnd() % 4;
		for (k = 0; k < flips; k++)
			block[rnd() % (rnd() % 2 ? len : 1 + len / 16)] =
				rnd() % 3 ? (uint8_t)rnd() : 255;
		if (rnd() % 4 == 0)
			len = rnd() % (len + 1);
		cap = rnd() % 4 ? PG : rnd() % PG;
		memcpy(wall_in - len, block, len);
		fuzz_one(wall_in - len, len, wall_out - cap, cap);
	}
}

/* ---------------------------------------------------------------- the pool */

#define PIECES 3000u
static struct {
	uint32_t piece;
	uint16_t bytes;
	uint8_t tag;
} model[PIECES];

static void pool_check(unsigned i)
{
	const uint8_t *p = zpool_at(model[i].piece);
	size_t k;

	for (k = 0; k < model[i].bytes; k++)
		if (p[k] != model[i].tag)
			break;
	CHECK(k == model[i].bytes);
}

static void pool_put(struct zpool *z, unsigned i, size_t bytes)
{
	uint32_t piece = zpool_alloc(z, bytes);

	model[i].piece = piece;
	model[i].bytes = (uint16_t)bytes;
	model[i].tag = (uint8_t)rnd();
	if (piece)
		memset(zpool_at(piece), model[i].tag, bytes);
}

static void pool_drop(struct zpool *z, unsigned i)
{
	if (!model[i].piece)
		return;
	pool_check(i);
	zpool_free(z, model[i].piece, model[i].bytes);
	model[i].piece = 0;
}

static void test_pool(void)
{
	struct zpool *z = zpool_create();
	uint64_t bytes = 0;
	unsigned i, k;

	memset(model, 0, sizeof(model));
	for (i = 0; i < PIECES; i++) { /* as swapped-out pages are */
		pool_put(z, i, 500 + rnd() % 2500);
		CHECK(model[i].piece);
		bytes += model[i].bytes;
	}
	CHECK(zpool_pages(z) == in_use);
	/* little is wasted: at least 85 % of its pages is what was put there */
	CHECK(bytes * 100 >= zpool_pages(z) * PG * 85);
	for (k = 0; k < ROUNDS; k++) {
		i = rnd() % PIECES;
		pool_drop(z, i);
		if (rnd() % 3)
			pool_put(z, i,
				 1 + rnd() % (rnd() % 4 ? 3000 : ZPOOL_MAX));
	}
	room = in_use; /* no page more: refused, or from what there is */
	for (k = 0; k < 2000; k++) {
		i = rnd() % PIECES;
		pool_drop(z, i);
		pool_put(z, i, 1 + rnd() % ZPOOL_MAX);
		CHECK(in_use <= room);
	}
	CHECK(zpool_alloc(z, ZPOOL_MAX) == 0 || in_use <= room);
	room = FRAMES;
	for (i = 0; i < PIECES; i++)
		pool_drop(z, i);
	for (i = 0; i < PIECES; i++)
		pool_put(z, i, 1000);
	zpool_destroy(z); /* with all that is in it */
	CHECK(in_use == 0);
}

/* -------------------------------------------------------------- the device */

#define SLOTS 1500u

static uint8_t shadow[SLOTS][PG];
static bool full[SLOTS];

static int device_io(struct zram *z, unsigned slot, struct page *page,
		     bool write)
{
	page->error = 1;
	if (write)
		zram_swap_ops.write(z, slot, &page, 1);
	else
		zram_swap_ops.read(z, slot, &page, 1);
	CHECK(page->error != 1); /* ended when it returns: QUIRE_SWAP_SYNC */
	return page->error;
}

static void device_step(struct zram *z, struct page *page)
{
	uint8_t *mem = quire_page_address(NULL, page);
	unsigned slot = rnd() % SLOTS;
	enum content what = rnd() % CONTENTS;
	int err;

	if (rnd() % 3 == 0) {
		zram_swap_ops.slot_free(z, slot);
		full[slot] = false;
	} else if (full[slot] && rnd() % 2) {
		memset(mem, 0x77, PG);
		CHECK(device_io(z, slot, page, false) == 0);
		CHECK(!memcmp(mem, shadow[slot], PG));
	} else {
		make(mem, PG, what);
		err = device_io(z, slot, page, true);
		CHECK(err == 0 || (what == RANDOM && err == -REFUSED) ||
		      (err == -NO_ROOM && in_use == room));
		CHECK(what != RANDOM || err);
		full[slot] = err == 0;
		memcpy(shadow[slot], mem, PG);
	}
}

/* What is stored at all times, and what it takes. */
static void device_figures(struct zram *z)
{
	struct zram_stats s;
	uint64_t stored = 0;
	unsigned i;

	for (i = 0; i < SLOTS; i++)
		stored += full[i];
	zram_get_stats(z, &s);
	CHECK(s.stored == stored);
	CHECK(s.pages == in_use - 1); /* and the page for the transfers */
	CHECK(s.pages < stored / 2 && s.same < s.stored);
	CHECK(s.refused > 0);
}

/* behaviour: R4 */
static void test_device(void)
{
	struct page *page = quire_alloc_pages(NULL, 0, 0);
	struct zram *z = zram_create(SLOTS);
	struct page *several[3];
	unsigned i;

	for (i = 0; i < ROUNDS; i++)
		device_step(z, page);
	device_figures(z);
	room = in_use; /* memory runs out: pages are refused, none is lost */
	for (i = 0; i < ROUNDS / 2; i++)
		device_step(z, page);
	room = FRAMES;
	for (i = 0; i < SLOTS; i++)
		zram_swap_ops.slot_free(z, i);
	CHECK(device_io(z, 0, page, false) < 0);
	memset(full, 0, sizeof(full));
	for (i = 0; i < 3; i++) { /* a run of slots */
		several[i] = quire_alloc_pages(NULL, 0, 0);
		make(quire_page_address(NULL, several[i]), PG, i ? TEXT : ZERO);
		memcpy(shadow[i], quire_page_address(NULL, several[i]), PG);
	}
	zram_swap_ops.write(z, 511, several, 3);
	for (i = 0; i < 3; i++) {
		CHECK(device_io(z, 511 + i, page, false) == 0);
		CHECK(!memcmp(quire_page_address(NULL, page), shadow[i], PG));
		quire_free_pages(NULL, several[i], 0);
	}
	zram_destroy(z);
	quire_free_pages(NULL, page, 0);
	CHECK(in_use == 0 && held == 0);
}

int main(void)
{
	memory = mmap(NULL, (size_t)FRAMES * PG, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	test_coder();
	test_fuzz();
	test_pool();
	test_device();
	return check_done();
}
