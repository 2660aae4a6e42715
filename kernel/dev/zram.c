/* SPDX-License-Identifier: MIT */
/*
 * zram.c - swap in compressed memory: a device of slots that is no device.
 *
 *     slot -> table: pages of 512 entries, made when first written
 *             entry: nothing | one word, repeated | a piece of the pool
 *                                                   (zpool.c), LZ4 (lz4.c)
 *
 * What does not shrink to three quarters of a page is refused: the page stays
 * in memory, where it takes no more room than here, and reclaim learns that
 * there is nothing to be had, instead of turning in circles.  So is a page for
 * which there is no memory; the pool takes from the reserve that reclaim may
 * use, a page for several that become free.
 *
 * The two calls have ended when they return, so a page that one process alone
 * has comes back without a detour through the swap cache.
 *
 * Locks.  Reading takes none: the core keeps a slot that is being read, and no
 * other touches its entry.  Writing compresses into one of `works`, each with a
 * mutex; table_lock guards the making of table pages, and the figures are
 * atomic.  slot_free is called under a spinlock of the core's.
 */
#include "sync.h"
#include "lz4.h"
#include "zram.h"

#define PER_TABLE (QUIRE_PAGE_SIZE / (unsigned)sizeof(struct entry))
#define WORKS	  2u
#define LIMIT	  (QUIRE_PAGE_SIZE / 4 * 3) /* bytes: more is refused */

enum kind {
	NOTHING,
	SAME,	/* of: the word that fills it */
	PACKED, /* of: a piece */
};

struct entry {
	uint32_t of;
	uint16_t bytes; /* of a piece */
	uint16_t kind;
};

struct work { /* what compressing one page takes */
	struct mutex lock;
	struct lz4_table table;
	uint8_t out[LIMIT];
};

struct zram {
	uint64_t slots;
	struct zpool *pool;
	struct work *work[WORKS];
	uint32_t turn; /* whose work is tried first */
	struct mutex table_lock;
	uint64_t stored, same, bytes, tables, refused, no_room;
	struct page **table; /* of PER_TABLE slots each, or NULL */
};

static void add(uint64_t *figure, uint64_t n)
{
	(void)__atomic_fetch_add(figure, n, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------- table */

static struct entry *entry_of(struct zram *z, uint64_t slot)
{
	struct page *page =
		__atomic_load_n(&z->table[slot / PER_TABLE], __ATOMIC_ACQUIRE);
	struct entry *e;

	if (!page)
		return NULL;
	e = quire_page_address(the_quire, page);
	return &e[slot % PER_TABLE];
}

/* The same for a slot that is about to be written; NULL: no memory. */
static struct entry *make_entry(struct zram *z, uint64_t slot)
{
	struct page **at = &z->table[slot / PER_TABLE], *page;
	struct entry *e = entry_of(z, slot);

	if (e)
		return e;
	mutex_lock(&z->table_lock);
	if (!*at) {
		page = quire_alloc_pages(the_quire,
					 QUIRE_GFP_ATOMIC | QUIRE_GFP_ZERO, 0);
		z->tables += page != NULL;
		__atomic_store_n(at, page, __ATOMIC_RELEASE);
	}
	mutex_unlock(&z->table_lock);
	return entry_of(z, slot);
}

static void forget(struct zram *z, struct entry *e)
{
	if (e->kind == NOTHING)
		return;
	if (e->kind == PACKED) {
		zpool_free(z->pool, e->of, e->bytes);
		add(&z->bytes, -(uint64_t)e->bytes);
	} else {
		add(&z->same, -1ull);
	}
	add(&z->stored, -1ull);
	e->kind = NOTHING;
}

static void zram_slot_free(void *device, uint64_t slot)
{
	struct zram *z = device;
	struct entry *e = entry_of(z, slot);

	if (e)
		forget(z, e);
}

/* ----------------------------------------------------------------- writing */

static bool is_same(const uint32_t *words)
{
	unsigned i;

	for (i = 1; i < QUIRE_PAGE_SIZE / sizeof(*words); i++)
		if (words[i] != words[0])
			return false;
	return true;
}

static struct work *take_work(struct zram *z)
{
	uint32_t turn = __atomic_fetch_add(&z->turn, 1, __ATOMIC_RELAXED);
	unsigned i;

	for (i = 0; i < WORKS; i++)
		if (mutex_trylock(&z->work[(turn + i) % WORKS]->lock))
			return z->work[(turn + i) % WORKS];
	mutex_lock(&z->work[turn % WORKS]->lock);
	return z->work[turn % WORKS];
}

/* A piece with the page in it: 0, or why not. */
static int pack(struct zram *z, const void *from, struct entry *e)
{
	struct work *w = take_work(z);
	size_t n =
		lz4_compress(from, QUIRE_PAGE_SIZE, w->out, LIMIT, &w->table);
	uint32_t piece = n ? zpool_alloc(z->pool, n) : 0;

	if (piece)
		memcpy(zpool_at(piece), w->out, n);
	mutex_unlock(&w->lock);
	add(&z->refused, !n);
	add(&z->no_room, n && !piece);
	if (!piece)
		return n ? -ENOMEM : -ENOSPC;
	*e = (struct entry){piece, (uint16_t)n, PACKED};
	add(&z->bytes, n);
	return 0;
}

static int write_page(struct zram *z, uint64_t slot, const void *from)
{
	struct entry *e = make_entry(z, slot);
	int err = 0;

	if (!e) {
		add(&z->no_room, 1);
		return -ENOMEM;
	}
	forget(z, e); /* written again: what it was is not wanted */
	if (is_same(from)) {
		*e = (struct entry){*(const uint32_t *)from, 0, SAME};
		add(&z->same, 1);
	} else {
		err = pack(z, from, e);
	}
	add(&z->stored, !err);
	return err;
}

static void zram_write(void *device, uint64_t slot, struct page **pages,
		       unsigned n)
{
	unsigned i;
	int err;

	for (i = 0; i < n; i++) {
		err = write_page(device, slot + i,
				 quire_page_address(the_quire, pages[i]));
		quire_page_end_write(the_quire, pages[i], err);
		cond_resched();
	}
}

/* ----------------------------------------------------------------- reading */

static void fill(uint32_t *to, uint32_t word)
{
	unsigned i;

	for (i = 0; i < QUIRE_PAGE_SIZE / sizeof(*to); i++)
		to[i] = word;
}

static int read_page(struct zram *z, uint64_t slot, void *to)
{
	const struct entry *e = entry_of(z, slot);

	if (!e || e->kind == NOTHING)
		return -EIO; /* never written: the core does not ask */
	if (e->kind == SAME) {
		fill(to, e->of);
		return 0;
	}
	return lz4_decompress(zpool_at(e->of), e->bytes, to, QUIRE_PAGE_SIZE) ==
			       QUIRE_PAGE_SIZE
		       ? 0
		       : -EIO;
}

static void zram_read(void *device, uint64_t slot, struct page **pages,
		      unsigned n)
{
	unsigned i;
	int err;

	for (i = 0; i < n; i++) {
		err = read_page(device, slot + i,
				quire_page_address(the_quire, pages[i]));
		quire_page_end_read(the_quire, pages[i], err);
	}
}

const struct quire_swap_ops zram_swap_ops = {
	.write = zram_write,
	.read = zram_read,
	.slot_free = zram_slot_free,
};

/* ----------------------------------------------------------- start and end */

struct zram *zram_create(uint64_t slots)
{
	uint64_t tables = (slots + PER_TABLE - 1) / PER_TABLE;
	struct zram *z = kzalloc(sizeof(*z));
	bool ok;
	unsigned i;

	if (!z)
		return NULL;
	z->slots = slots;
	mutex_init(&z->table_lock);
	z->pool = zpool_create();
	if (tables <= SIZE_MAX / sizeof(*z->table))
		z->table = kzalloc((size_t)tables * sizeof(*z->table));
	ok = z->pool && z->table;
	for (i = 0; i < WORKS; i++) {
		z->work[i] = kmalloc(sizeof(*z->work[i]));
		ok = ok && z->work[i];
		if (z->work[i])
			mutex_init(&z->work[i]->lock);
	}
	if (ok)
		return z;
	zram_destroy(z);
	return NULL;
}

static void free_tables(struct zram *z)
{
	uint64_t i;

	for (i = 0; i < (z->slots + PER_TABLE - 1) / PER_TABLE; i++)
		if (z->table[i])
			quire_free_pages(the_quire, z->table[i], 0);
	kfree(z->table);
}

void zram_destroy(struct zram *z)
{
	unsigned i;

	if (z->table)
		free_tables(z);
	if (z->pool)
		zpool_destroy(z->pool);
	for (i = 0; i < WORKS; i++)
		kfree(z->work[i]);
	kfree(z);
}

void zram_get_stats(struct zram *z, struct zram_stats *out)
{
	*out = (struct zram_stats){
		.stored = K_READ(z->stored),
		.same = K_READ(z->same),
		.bytes = K_READ(z->bytes),
		.pages = K_READ(z->tables) + zpool_pages(z->pool),
		.refused = K_READ(z->refused),
		.no_room = K_READ(z->no_room),
	};
}
