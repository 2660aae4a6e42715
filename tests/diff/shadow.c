/* SPDX-License-Identifier: MIT */
/*
 * The picture of pages: see shadow.h.
 *
 * A page's value is its kind; of a shared mapping of the data file it is
 * K_DATA and the page's number in the file, so that the operations on it tell
 * what is in the file's cache:
 *
 *   written, or touched through a shared mapping    '1'
 *   cut off, or punched out                         '0'
 *   and whatever reads the file may read ahead:     '0' becomes '?'
 *
 * What is in a cache may be taken away when memory is short, and no test runs
 * where it is.
 */
#define _GNU_SOURCE
#include "shadow.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum page_kind {
	K_NONE,
	K_ANON,
	K_SHM,
	K_FILE, /* a regular file's, private or read-only */
	K_DATA, /* and more: the data file's, shared: its number + K_DATA */
	K_LAST = 255
};
#define CACHE_PAGES (K_LAST - K_DATA)
#define PUNCH	    3u /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */

static struct shadow {
	unsigned char arena[ARENA_SPAN];
	unsigned char brk[BRK_PAGES + 64];
	int64_t brk_end;
	bool alive;
	unsigned parent;
	bool locks_unknown, limited;
} shadow[MAX_PROCS];
static char cache[CACHE_PAGES]; /* of the data file: '0', '1', '?' */

void shadow_init(void)
{
	shadow[0].alive = true;
	memset(cache, '?', sizeof(cache));
}

bool shadow_alive(unsigned proc)
{
	return shadow[proc].alive;
}

bool shadow_has_children(unsigned proc)
{
	for (unsigned i = 1; i < MAX_PROCS; i++)
		if (shadow[i].alive && shadow[i].parent == proc)
			return true;
	return false;
}

bool shadow_mapped(unsigned proc, unsigned page)
{
	return shadow[proc].arena[page] != K_NONE;
}

void shadow_forget_locks(unsigned proc)
{
	shadow[proc].locks_unknown = true;
}

bool shadow_locks_known(unsigned proc)
{
	return !shadow[proc].locks_unknown;
}

bool shadow_limited(unsigned proc)
{
	return shadow[proc].limited;
}

/* ------------------------------------------------------ pages of processes */

static unsigned char *shadow_page(unsigned proc, struct where w, int64_t page)
{
	int64_t i = w.off / PAGE + page;

	if (w.seg == SEG_ARENA && w.off >= 0 && i < ARENA_SPAN)
		return &shadow[proc].arena[i];
	if (w.seg == SEG_BRK && w.off >= 0 && i < BRK_PAGES + 64)
		return &shadow[proc].brk[i];
	return NULL;
}

static int64_t pages_of(struct where w, uint64_t len)
{
	uint64_t bytes = ((uint64_t)w.off & (PAGE - 1)) + len + PAGE - 1;

	/* rounds up to nothing */
	if (len + PAGE - 1 < len || (NARROW && len > 0xfffff000u))
		return 0;
	if (len > (uint64_t)(2 * ARENA_SPAN * PAGE))
		return 2 * ARENA_SPAN;
	return (int64_t)(bytes / PAGE);
}

/* The value of the page after one of this value in a mapping. */
static unsigned char next_page(unsigned char v)
{
	return v >= K_DATA && v < K_LAST ? (unsigned char)(v + 1) : v;
}

static void shadow_set(unsigned proc, struct where w, uint64_t len,
		       unsigned char value)
{
	int64_t n = pages_of(w, len);

	for (int64_t i = 0; i < n; i++, value = next_page(value)) {
		unsigned char *p = shadow_page(proc, w, i);

		if (p)
			*p = value;
	}
}

/* The highest value in a range. */
static unsigned char highest(unsigned proc, struct where w, uint64_t len)
{
	int64_t n = pages_of(w, len);
	unsigned char max = K_NONE;

	for (int64_t i = 0; i < n; i++) {
		unsigned char *p = shadow_page(proc, w, i);

		if (p && *p > max)
			max = *p;
	}
	return max;
}

bool shadow_anon(unsigned proc, struct where w, uint64_t len)
{
	return highest(proc, w, len) < K_SHM;
}

bool shadow_shm(unsigned proc, struct where w, uint64_t len)
{
	for (int64_t i = 0; i < pages_of(w, len); i++) {
		unsigned char *p = shadow_page(proc, w, i);

		if (p && *p == K_SHM)
			return true;
	}
	return false;
}

bool shadow_file(unsigned proc, struct where w, uint64_t len)
{
	return highest(proc, w, len) >= K_FILE;
}

static void shadow_mremap(const struct op *op, const struct result *res)
{
	unsigned char old[2 * ARENA_SPAN] = {0}, *p;
	int64_t n = pages_of(op->at, op->len),
		m = pages_of(op->at, op->new_len);

	for (int64_t i = 0; i < n; i++)
		if ((p = shadow_page(op->proc, op->at, i)))
			old[i] = *p;
	if (!n && (p = shadow_page(op->proc, op->at, 0)))
		old[0] = *p;
	for (int64_t i = n > 0 ? n : 1; i < m; i++)
		old[i] = next_page(old[i - 1]);
	if (!(op->flags & MREMAP_DONTUNMAP))
		shadow_set(op->proc, op->at, op->len, K_NONE);
	if (res->elsewhere)
		return;
	/* a hole in a range that was moved leaves what the target had */
	for (int64_t i = 0; i < m; i++)
		if (old[i] && (p = shadow_page(op->proc, res->place, i)))
			*p = old[i];
}

static void shadow_brk(const struct op *op, const struct result *res)
{
	struct shadow *s = &shadow[op->proc];
	int64_t was = (s->brk_end + PAGE - 1) & -PAGE;
	int64_t now = (res->place.off + PAGE - 1) & -PAGE;
	struct where w = {SEG_BRK, was};

	s->brk_end = res->place.off;
	if (now > was)
		shadow_set(op->proc, w, (uint64_t)(now - was), K_ANON);
	w.off = now;
	if (now < was)
		shadow_set(op->proc, w, (uint64_t)(was - now), K_NONE);
}

static bool is_data(enum file_id f)
{
	return f >= FILE_DATA && f <= FILE_DATA2;
}

static unsigned char kind_of_mmap(const struct op *op)
{
	bool anon = op->flags & MAP_ANONYMOUS || op->file == FILE_NONE ||
		    op->file == FILE_ZERO;
	bool private = (op->flags & MAP_TYPE) == MAP_PRIVATE;
	uint64_t first = op->offset / PAGE;

	if (anon && private)
		return K_ANON;
	if (anon || (op->file != FILE_RO && !is_data(op->file)))
		return K_SHM;
	if (private || op->file == FILE_RO)
		return K_FILE;
	return first < CACHE_PAGES ? (unsigned char)(K_DATA + first) : K_LAST;
}

bool shadow_counts_faults(const struct op *op)
{
	switch (op->kind) {
	case OP_MMAP:
		return kind_of_mmap(op) == K_ANON;
	case OP_MPROTECT:
	case OP_MADVISE:
	case OP_MLOCK:
	case OP_LOAD:
	case OP_STORE:
	case OP_FETCH:
	case OP_PREAD:
	case OP_PWRITE:
		return shadow_anon(op->proc, op->at, op->len);
	case OP_MREMAP:
		return shadow_anon(op->proc, op->at, op->len) &&
		       shadow_anon(op->proc, op->at, op->new_len);
	default:
		return false;
	}
}

static void shadow_pages(const struct op *op, const struct result *res)
{
	switch (op->kind) {
	case OP_MMAP:
		if (res->is_place && !res->elsewhere)
			shadow_set(op->proc, res->place, op->len,
				   kind_of_mmap(op));
		break;
	case OP_MUNMAP:
		if (!res->ret)
			shadow_set(op->proc, op->at, op->len, K_NONE);
		break;
	case OP_MREMAP:
		if (res->is_place) {
			shadow_mremap(op, res);
		} else if (res->ret == -EFAULT && op->flags & MREMAP_FIXED) {
			/* some pieces may have moved: nothing is known */
			shadow_set(op->proc, op->at, op->len, K_FILE);
			shadow_set(op->proc, op->to, op->new_len, K_FILE);
		}
		break;
	case OP_BRK:
		shadow_brk(op, res);
		break;
	case OP_FORK:
		if (res->ret < 0)
			break;
		shadow[op->value] = shadow[op->proc];
		shadow[op->value].locks_unknown = false;
		shadow[op->value].parent = op->proc;
		break;
	case OP_EXIT:
		shadow[op->proc].alive = false;
		break;
	case OP_LIMIT:
		if (op->flags)
			shadow[op->proc].limited = op->flags == 1;
		break;
	default:
		break;
	}
}

/* ------------------------------------------------------ the file's cache */

static void cache_set(uint64_t first, uint64_t end, char value)
{
	for (; first < end && first < CACHE_PAGES; first++)
		cache[first] = value;
}

/* Something was read, and perhaps more than that. */
static void cache_read(void)
{
	for (unsigned i = 0; i < CACHE_PAGES; i++)
		if (cache[i] == '0')
			cache[i] = '?';
}

/* Pages of a range, from the first byte of it, that were touched. */
static void cache_touched(unsigned proc, struct where w, uint64_t len)
{
	int64_t n = len ? pages_of(w, len) : 0;

	cache_read();
	for (int64_t i = 0; i < n; i++) {
		unsigned char *p = shadow_page(proc, w, i);

		if (p && *p >= K_DATA && *p < K_LAST)
			cache[*p - K_DATA] = '1';
	}
}

static void cache_file_call(const struct op *op, const struct result *res)
{
	uint64_t from = op->offset, to = from + op->len;

	if (res->ret < 0)
		return;
	cache_read(); /* the page that is cut, or filled up */
	if (op->kind == OP_TRUNCATE) {
		cache_set((op->len + PAGE - 1) / PAGE, CACHE_PAGES, '0');
	} else if (op->kind == OP_PWRITE && res->ret > 0) {
		to = from + (uint64_t)res->ret;
		cache_set(from / PAGE, (to + PAGE - 1) / PAGE, '1');
	} else if (op->kind == OP_FALLOC && op->flags == PUNCH && op->len) {
		/* (the page of the file's end may go or stay) */
		cache_set(from / PAGE, (to + PAGE - 1) / PAGE, '?');
		cache_set((from + PAGE - 1) / PAGE, to / PAGE, '0');
	}
}

/*
 * MADV_REMOVE; one that failed may have done a part.  MADV_PAGEOUT: some of
 * them, perhaps.
 */
static void cache_removed(const struct op *op, const struct result *res)
{
	bool sure = op->value == 9 && !res->ret;
	int64_t n = pages_of(op->at, op->len);

	for (int64_t i = 0; i < n; i++) {
		unsigned char *p = shadow_page(op->proc, op->at, i);

		if (p && *p >= K_DATA && *p < K_LAST)
			cache[*p - K_DATA] = sure ? '0' : '?';
	}
}

static void shadow_cache(const struct op *op, const struct result *res)
{
	switch (op->kind) {
	case OP_LOAD:
	case OP_STORE:
	case OP_FETCH:
		if (shadow_anon(op->proc, op->at, op->len))
			return;
		/* (FETCH: one more than bytes) */
		cache_touched(op->proc, op->at,
			      res->done < op->len ? res->done : op->len);
		return;
	case OP_MADVISE:
		if (op->value == 9 /* REMOVE */ || op->value == 21)
			cache_removed(op, res);
		else if (op->value == 22 || op->value == 23)
			cache_touched(op->proc, op->at, res->ret ? 0 : op->len);
		else
			cache_read();
		return;
	case OP_PWRITE:
	case OP_TRUNCATE:
	case OP_FALLOC:
		if (is_data(op->file))
			cache_file_call(op, res);
		else
			cache_read(); /* the buffer */
		return;
	case OP_MUNMAP:
	case OP_MINCORE:
	case OP_MSYNC:
	case OP_FSYNC:
	case OP_STAT:
	case OP_MAPS:
	case OP_SMAPS:
	case OP_PAGEMAP:
	case OP_EXIT:
	case OP_FORK:
		return;
	default:
		cache_read();
	}
}

char shadow_in_cache(unsigned proc, struct where w, unsigned page)
{
	unsigned char *p = shadow_page(proc, w, page);

	if (!p || *p < K_FILE)
		return 0;
	return *p < K_DATA || *p == K_LAST ? '?' : cache[*p - K_DATA];
}

void shadow_update(const struct op *op, const struct result *res)
{
	shadow_cache(op, res);
	shadow_pages(op, res);
}
