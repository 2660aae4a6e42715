/* SPDX-License-Identifier: MIT */
/*
 * Swap in compressed memory, by Debian's libzstd or liblz4.
 *
 *   page -copy-> all words the same?  that word, no memory
 *                compress             its bytes, malloc'd
 *                hardly smaller?      the page as it is
 *
 * The page is copied first: its users may write to it meanwhile (then it is
 * dirty, and written again), and a compressor wants its input to stay.
 *
 * Locks: slot i is guarded by lock[i % LOCKS]; pool_lock guards the list of
 * work areas (contexts of the library and buffers), of which there are as many
 * as threads were at work at once.  None is taken inside another.
 */
#include <lz4.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <sim/swap_device.h>

#define LOCKS 64u
/* More than that is not worth its decompression. */
#define WORTH (SLOT_BYTES - SLOT_BYTES / 8)
#define ROOM  (SLOT_BYTES + SLOT_BYTES / 2) /* of any compressor's output */

enum { ZRAM_NONE, ZRAM_SAME, ZRAM_RAW, ZRAM_COMPRESSED };

struct zram_slot {
	union {
		char *mem;
		uint64_t word;
	};
	uint16_t size; /* bytes at mem */
	uint8_t kind;
};

struct zram_work {
	struct zram_work *next;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	char *lz4;
	uint64_t page[SLOT_BYTES / sizeof(uint64_t)];
	char out[ROOM];
};

struct zram {
	enum sim_swap_algorithm algorithm;
	int level;
	uint64_t limit;
	struct zram_slot *slot;
	pthread_mutex_t lock[LOCKS];
	pthread_mutex_t pool_lock;
	struct zram_work *pool;
	/* atomic */
	uint64_t stored, compr, mem, same, raw, refused;
};

/* ------------------------------------------------------------- compressors */

static void work_free(struct zram_work *w)
{
	ZSTD_freeCCtx(w->cctx);
	ZSTD_freeDCtx(w->dctx);
	free(w->lz4);
	free(w);
}

static struct zram_work *work_new(struct zram *z)
{
	struct zram_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (z->algorithm == SIM_SWAP_ZSTD) {
		w->cctx = ZSTD_createCCtx();
		w->dctx = ZSTD_createDCtx();
		if (w->cctx && w->dctx)
			return w;
	} else {
		w->lz4 = malloc((size_t)LZ4_sizeofState());
		if (w->lz4)
			return w;
	}
	work_free(w);
	return NULL;
}

static struct zram_work *work_get(struct zram *z)
{
	struct zram_work *w;

	pthread_mutex_lock(&z->pool_lock);
	w = z->pool;
	if (w)
		z->pool = w->next;
	pthread_mutex_unlock(&z->pool_lock);
	return w ? w : work_new(z);
}

static void work_put(struct zram *z, struct zram_work *w)
{
	pthread_mutex_lock(&z->pool_lock);
	w->next = z->pool;
	z->pool = w;
	pthread_mutex_unlock(&z->pool_lock);
}

/* w->page to w->out: bytes, or 0: not worth it. */
static size_t compress(struct zram *z, struct zram_work *w)
{
	size_t n;

	if (z->algorithm == SIM_SWAP_ZSTD) {
		n = ZSTD_compressCCtx(
			w->cctx, w->out, ROOM, w->page, SLOT_BYTES,
			z->level ? z->level : ZSTD_CLEVEL_DEFAULT);
		if (ZSTD_isError(n))
			return 0;
	} else {
		int k = LZ4_compress_fast_extState(
			w->lz4, (const char *)w->page, w->out, SLOT_BYTES, ROOM,
			z->level ? z->level : 1);

		n = k > 0 ? (size_t)k : 0;
	}
	return n <= WORTH ? n : 0;
}

static int decompress(struct zram *z, struct zram_work *w, const char *mem,
		      size_t n, char *to)
{
	if (z->algorithm == SIM_SWAP_ZSTD) {
		if (ZSTD_decompressDCtx(w->dctx, to, SLOT_BYTES, mem, n) ==
		    SLOT_BYTES)
			return 0;
	} else if (LZ4_decompress_safe(mem, to, (int)n, SLOT_BYTES) ==
		   (int)SLOT_BYTES) {
		return 0;
	}
	return -EIO;
}

/* ------------------------------------------------------------------- slots */

static uint64_t footprint(const struct zram_slot *t)
{
	return t->kind >= ZRAM_RAW ? malloc_usable_size(t->mem) + sizeof(size_t)
				   : 0;
}

/* `by` 1: it is stored, -1: it is not any more. */
static void account(struct zram *z, const struct zram_slot *t, uint64_t by)
{
	swap_count(&z->stored, t->kind != ZRAM_NONE ? by : 0);
	swap_count(&z->same, t->kind == ZRAM_SAME ? by : 0);
	swap_count(&z->raw, t->kind == ZRAM_RAW ? by : 0);
	swap_count(&z->compr, t->size * by);
}

/* Let new_slot be what is in the slot; what was there goes. */
static void replace(struct zram *z, uint64_t slot, struct zram_slot new_slot)
{
	pthread_mutex_t *lock = &z->lock[slot % LOCKS];
	struct zram_slot old;

	pthread_mutex_lock(lock);
	old = z->slot[slot];
	z->slot[slot] = new_slot;
	pthread_mutex_unlock(lock);
	account(z, &new_slot, 1);
	account(z, &old, (uint64_t)-1);
	if (old.kind >= ZRAM_RAW) {
		swap_count(&z->mem, -footprint(&old));
		free(old.mem);
	}
}

static bool same_filled(const uint64_t *words)
{
	/* every word is as the one before it */
	return !memcmp(words, words + 1, SLOT_BYTES - sizeof(*words));
}

/* What w->page is to be stored as; 0 or -errno. */
static int make_slot(struct zram *z, struct zram_work *w, struct zram_slot *out)
{
	struct zram_slot t = {.kind = ZRAM_COMPRESSED};
	const void *from = w->out;
	uint64_t bytes;
	size_t n;

	if (same_filled(w->page)) {
		*out = (struct zram_slot){.kind = ZRAM_SAME,
					  .word = w->page[0]};
		return 0;
	}
	n = compress(z, w);
	if (!n) {
		t.kind = ZRAM_RAW;
		from = w->page;
		n = SLOT_BYTES;
	}
	t.mem = malloc(n);
	if (!t.mem)
		return -ENOMEM;
	t.size = (uint16_t)n;
	bytes = footprint(&t);
	if (__atomic_add_fetch(&z->mem, bytes, __ATOMIC_RELAXED) > z->limit &&
	    z->limit) {
		swap_count(&z->mem, -bytes);
		swap_count(&z->refused, 1);
		free(t.mem);
		return -ENOSPC;
	}
	memcpy(t.mem, from, n);
	*out = t;
	return 0;
}

static int zram_write(struct zram *z, uint64_t slot, const void *page)
{
	struct zram_slot t = {.kind = ZRAM_NONE};
	struct zram_work *w = work_get(z);
	int err = -ENOMEM;

	/* what was there is old: its memory may be what is needed now */
	replace(z, slot, t);
	if (!w)
		return err;
	memcpy(w->page, page, SLOT_BYTES);
	err = make_slot(z, w, &t);
	work_put(z, w);
	if (!err)
		replace(z, slot, t);
	return err;
}

static int zram_read(struct zram *z, uint64_t slot, char *page)
{
	struct zram_slot *t = &z->slot[slot];
	struct zram_work *w = work_get(z);
	int err = 0;
	size_t i;

	if (!w)
		return -ENOMEM;
	pthread_mutex_lock(&z->lock[slot % LOCKS]);
	switch (t->kind) {
	case ZRAM_SAME:
		for (i = 0; i < SLOT_BYTES; i += sizeof(t->word))
			memcpy(page + i, &t->word, sizeof(t->word));
		break;
	case ZRAM_RAW:
		memcpy(page, t->mem, SLOT_BYTES);
		break;
	case ZRAM_COMPRESSED:
		err = decompress(z, w, t->mem, t->size, page);
		break;
	default:
		err = -EIO; /* never written: swap.c has said so */
	}
	pthread_mutex_unlock(&z->lock[slot % LOCKS]);
	work_put(z, w);
	return err;
}

/* --------------------------------------------------------------------- ops */

static void zram_submit(struct sim_swap *s, bool write, uint64_t slot,
			struct page **pages, unsigned n)
{
	unsigned i;
	int err;

	for (i = 0; i < n; i++) {
		char *mem = quire_page_address(s->m->q, pages[i]);

		err = write ? zram_write(s->device, slot + i, mem)
			    : zram_read(s->device, slot + i, mem);
		swap_end_page(s, write, slot + i, pages[i], err);
	}
}

static void zram_slot_free(struct sim_swap *s, uint64_t slot)
{
	replace(s->device, slot, (struct zram_slot){.kind = ZRAM_NONE});
}

static void zram_stats(struct sim_swap *s, struct sim_swap_stats *out)
{
	struct zram *z = s->device;

	out->orig_bytes =
		__atomic_load_n(&z->stored, __ATOMIC_RELAXED) * SLOT_BYTES;
	out->compr_bytes = __atomic_load_n(&z->compr, __ATOMIC_RELAXED);
	out->mem_bytes = __atomic_load_n(&z->mem, __ATOMIC_RELAXED);
	out->same_filled = __atomic_load_n(&z->same, __ATOMIC_RELAXED);
	out->incompressible = __atomic_load_n(&z->raw, __ATOMIC_RELAXED);
	out->refused = __atomic_load_n(&z->refused, __ATOMIC_RELAXED);
}

static void zram_close(struct sim_swap *s)
{
	struct zram *z = s->device;
	struct zram_work *w;
	uint64_t i;

	for (i = 0; z->slot && i < s->slots; i++)
		if (z->slot[i].kind >= ZRAM_RAW)
			free(z->slot[i].mem);
	while ((w = z->pool)) {
		z->pool = w->next;
		work_free(w);
	}
	for (i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&z->lock[i]);
	pthread_mutex_destroy(&z->pool_lock);
	free(z->slot);
	free(z);
}

static int zram_open(struct sim_swap *s, const struct sim_swap_config *config)
{
	struct zram *z = calloc(1, sizeof(*z));
	unsigned i;

	if (!z)
		return -ENOMEM;
	s->device = z;
	z->algorithm = config->algorithm;
	z->level = config->level;
	z->limit = config->limit_bytes;
	for (i = 0; i < LOCKS; i++)
		pthread_mutex_init(&z->lock[i], NULL);
	pthread_mutex_init(&z->pool_lock, NULL);
	if (!s->slots) {
		swap_log(s, 3, "its size has to be said");
		return -EINVAL;
	}
	z->slot = calloc(s->slots, sizeof(*z->slot));
	return z->slot ? 0 : -ENOMEM;
}

const struct sim_swap_kind sim_swap_zram = {
	.name = "zram",
	.flags = QUIRE_SWAP_SYNC,
	.open = zram_open,
	.close = zram_close,
	.submit = zram_submit,
	.slot_free = zram_slot_free,
	.get_stats = zram_stats,
};
