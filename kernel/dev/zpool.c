/* SPDX-License-Identifier: MIT */
/*
 * zpool.c - a pool for pieces of less than a page, most of them some 500 to
 * 3000 bytes long, of which there are as many as pages have been swapped out.
 *
 *     one page   [header][a a a a][b b b b b b][. . .][c c] ... 64 chunks
 *                 free: a bit for each chunk (the header's is never set)
 *
 * A slab cache would need classes, with partly empty pages in each, and what is
 * longer than half a page would take a whole one.  Here a piece of any length
 * takes the page whose longest run of free chunks fits it best: lists of pages
 * by that length.  So large pieces share their page with small ones, half a
 * chunk a piece is lost on average, and a page whose last piece goes is free at
 * once: memory that swap gives back comes back.
 *
 * A piece does not cross a page's end, so it is read in place and the pool
 * never needs two pages in a row.
 *
 * lock guards all of it.  Readers of pieces take no lock: who has a piece keeps
 * it.
 */
#include "sync.h"
#include "zram.h"

#define CHUNKS 64u
#define EMPTY  (~0ull << 1) /* all is free but the header */

struct zpage { /* at the start of its page */
	struct list_head node;
	uint64_t free;
	uint32_t frame;	  /* its number */
	unsigned longest; /* run of free chunks: the list it is on */
};
_Static_assert(sizeof(struct zpage) <= ZPOOL_CHUNK, "one chunk of header");
_Static_assert(CHUNKS *ZPOOL_CHUNK == QUIRE_PAGE_SIZE, "a page");

struct zpool {
	struct spinlock lock;
	uint64_t pages;
	uint64_t filled;		 /* which lists are not empty */
	struct list_head by_run[CHUNKS]; /* pages whose longest run is that */
};

static unsigned chunks_of(size_t bytes)
{
	return (unsigned)((bytes + ZPOOL_CHUNK - 1) / ZPOOL_CHUNK);
}

/* Bits at which a run of n set ones begins, n >= 1. */
static uint64_t runs_of(uint64_t bits, unsigned n)
{
	unsigned have = 1, step;

	for (; have < n; have += step) {
		step = K_MIN(have, n - have);
		bits &= bits >> step;
	}
	return bits;
}

static unsigned longest_run(uint64_t bits)
{
	unsigned n = 0;

	for (; bits; n++)
		bits &= bits >> 1;
	return n;
}

static uint64_t mask_of(unsigned first, unsigned n)
{
	return (n < 64 ? (1ull << n) - 1 : ~0ull) << first;
}

struct zpool *zpool_create(void)
{
	struct zpool *z = kzalloc(sizeof(*z));
	unsigned i;

	for (i = 0; z && i < CHUNKS; i++)
		list_init(&z->by_run[i]);
	return z;
}

static void unlist(struct zpool *z, struct zpage *p)
{
	list_del(&p->node);
	if (list_empty(&z->by_run[p->longest]))
		z->filled &= ~(1ull << p->longest);
}

/* Its free chunks have changed: to the list where it belongs. */
static void file_page(struct zpool *z, struct zpage *p)
{
	unlist(z, p);
	p->longest = longest_run(p->free);
	list_add(&p->node, &z->by_run[p->longest]);
	z->filled |= 1ull << p->longest;
}

static struct zpage *zpage_of(uint32_t piece)
{
	paddr_t phys = (paddr_t)(piece / CHUNKS) << QUIRE_PAGE_SHIFT;

	return quire_page_address(the_quire, quire_phys_page(the_quire, phys));
}

void *zpool_at(uint32_t piece)
{
	return (char *)zpage_of(piece) + piece % CHUNKS * ZPOOL_CHUNK;
}

/* A piece of the page that fits best of those there are; 0: none does. */
static uint32_t take(struct zpool *z, unsigned n)
{
	uint64_t lists = z->filled & mask_of(n, CHUNKS - n);
	unsigned run, first;
	struct zpage *p;

	if (!lists)
		return 0;
	run = (unsigned)__builtin_ctzll(lists);
	p = list_first(&z->by_run[run], struct zpage, node);
	first = (unsigned)__builtin_ctzll(runs_of(p->free, n));
	p->free &= ~mask_of(first, n);
	file_page(z, p);
	return p->frame * CHUNKS + first;
}

static void release(struct zpage *p)
{
	paddr_t phys = (paddr_t)p->frame << QUIRE_PAGE_SHIFT;

	quire_free_pages(the_quire, quire_phys_page(the_quire, phys), 0);
}

/* One page more, all free.  False: no memory. */
static bool grow(struct zpool *z)
{
	struct page *page = quire_alloc_pages(the_quire, QUIRE_GFP_ATOMIC, 0);
	paddr_t phys;
	struct zpage *p;

	if (!page)
		return false;
	phys = quire_page_phys(the_quire, page);
	if (phys >> QUIRE_PAGE_SHIFT > UINT32_MAX / CHUNKS) {
		quire_free_pages(the_quire, page, 0); /* above 256 GiB */
		return false;
	}
	p = quire_page_address(the_quire, page);
	*p = (struct zpage){
		.free = EMPTY,
		.frame = (uint32_t)(phys >> QUIRE_PAGE_SHIFT),
	};
	list_init(&p->node);
	spin_lock(&z->lock);
	file_page(z, p);
	z->pages++;
	spin_unlock(&z->lock);
	return true;
}

uint32_t zpool_alloc(struct zpool *z, size_t bytes)
{
	uint32_t piece;

	do { /* another may be quicker to take from the new page */
		spin_lock(&z->lock);
		piece = take(z, chunks_of(bytes));
		spin_unlock(&z->lock);
	} while (!piece && grow(z));
	return piece;
}

void zpool_free(struct zpool *z, uint32_t piece, size_t bytes)
{
	struct zpage *p = zpage_of(piece);
	bool empty;

	spin_lock(&z->lock);
	p->free |= mask_of(piece % CHUNKS, chunks_of(bytes));
	empty = p->free == EMPTY;
	if (empty) {
		unlist(z, p);
		z->pages--;
	} else {
		file_page(z, p);
	}
	spin_unlock(&z->lock);
	if (empty)
		release(p);
}

uint64_t zpool_pages(struct zpool *z)
{
	return K_READ(z->pages);
}

void zpool_destroy(struct zpool *z)
{
	struct zpage *p, *next;
	unsigned i;

	for (i = 0; i < CHUNKS; i++)
		list_for_each_entry_safe (p, next, &z->by_run[i], node)
			release(p);
	kfree(z);
}
