/* SPDX-License-Identifier: MIT */
/*
 * The generator of operations: random, but weighted so that calls mostly
 * succeed, overlap what is there, and that each way to fail comes up too.
 * It knows nothing of results: the n-th operation of a seed is always the
 * same, so that a failing stream can be cut off after the operation that
 * showed the failure.
 */
#include "ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define TOP 0x7ffffffff000ll

static uint64_t rnd(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)(rnd(g) % n);
}

static bool chance(struct gen *g, unsigned percent)
{
	return below(g, 100) < percent;
}

/* One of n values, each with its weight; weights end the choice at their sum.
 */
struct weighted {
	unsigned weight, value;
};

static unsigned pick(struct gen *g, const struct weighted *w, size_t n)
{
	unsigned sum = 0, r;

	for (size_t i = 0; i < n; i++)
		sum += w[i].weight;
	r = below(g, sum);
	for (size_t i = 0; i < n; i++) {
		if (r < w[i].weight)
			return w[i].value;
		r -= w[i].weight;
	}
	return w[0].value;
}
#define PICK(g, table) pick(g, table, sizeof(table) / sizeof((table)[0]))

void gen_init(struct gen *g, uint64_t seed)
{
	memset(g, 0, sizeof(*g));
	g->state = seed * 0x2545f4914f6cdd1dull + 1;
	for (int i = 1; i < MAX_PROCS; i++)
		g->parent[i] = -1;
}

unsigned char file_byte(uint64_t offset)
{
	uint64_t x = (offset + 1) * 0x9e3779b97f4a7c15ull;

	/* Some instructions to jump to. */
	if (offset % 64 < CODE_BYTES)
		return (unsigned char)CODE[offset % 64];
	return (unsigned char)(x >> 56);
}

unsigned char store_byte(const struct op *op, uint64_t at, uint64_t i)
{
	if (NARROW && op->value == 0xc3)
		return (unsigned char)CODE[(at + i) % CODE_BYTES];
	return (unsigned char)(op->value + i / 16);
}

uint64_t hash_bytes(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return h;
}

/* ------------------------------------------------------- places and lengths */

static int64_t some_page(struct gen *g)
{
	unsigned r = below(g, 100);

	if (r < 68)
		return below(g, ZONE_PAGES);
	if (r < 94)
		return ARENA_PAGES - ZONE_PAGES + below(g, ZONE_PAGES);
	return below(g, ARENA_PAGES);
}

/* Addresses that no call should like. */
static struct where bad_address(struct gen *g)
{
	static const struct where bad[] = {
#if NARROW
		{SEG_TOP, 0},
		{SEG_TOP, PAGE},
		{SEG_TOP, 0x1000000},
		{SEG_TOP, 0x10000000},
		{SEG_TOP, 0x20000000},
#else
		{SEG_ABS, TOP},
		{SEG_ABS, TOP + PAGE},
		{SEG_ABS, 0x800000000000ll},
		{SEG_ABS, -0x800000000000ll},
		{SEG_ABS, -PAGE},
		{SEG_ABS, -2 * PAGE},
		{SEG_ABS, 0x7fffffffffffffffll & -PAGE},
#endif
	};

	return bad[below(g, sizeof(bad) / sizeof(bad[0]))];
}

static struct where some_place(struct gen *g, bool may_be_odd)
{
	struct where w = {SEG_ARENA, some_page(g) * PAGE};

	if (chance(g, 4)) {
		w.seg = SEG_BRK;
		w.off = below(g, BRK_PAGES) * PAGE;
	}
	if (!may_be_odd)
		return w;
	if (chance(g, 3))
		w.off += 1 + below(g, 4095);
	else if (chance(g, 1))
		w = bad_address(g);
	return w;
}

static uint64_t some_pages(struct gen *g)
{
	unsigned r = below(g, 100);

	if (r < 75)
		return 1 + below(g, 6);
	if (r < 95)
		return 1 + below(g, 16);
	return 1 + below(g, 80);
}

static uint64_t some_len(struct gen *g)
{
	static const uint64_t odd[] = {
		0,
		0,
		0,
#if NARROW
		/* more than there is, but no overflow: see README.md */
		0xc8000000u,
		0xc8000000u + PAGE,
		0xd0000000u - 1,
#else
		-1ull,
		-(uint64_t)PAGE,
		TOP,
		1ull << 63,
		1ull << 47,
#endif
	};
	uint64_t len = some_pages(g) * PAGE;

	if (chance(g, 3))
		return odd[below(g, sizeof(odd) / sizeof(odd[0]))];
	if (chance(g, 4))
		return len - below(g, 4096);
	return len;
}

/* ----------------------------------------------------------- the operations */

static unsigned some_prot(struct gen *g)
{
	static const struct weighted t[] = {
		{56, PROT_READ | PROT_WRITE},
		{15, PROT_READ},
		{8, PROT_NONE},
		{8, PROT_READ | PROT_WRITE | PROT_EXEC},
		{3, PROT_WRITE},
		{3, PROT_EXEC},
		{5, PROT_READ | PROT_EXEC},
		{1, PROT_WRITE | PROT_EXEC},
		{1, PROT_READ | 0x10},
	};

	return PICK(g, t);
}

static void gen_mmap(struct gen *g, struct op *op)
{
	static const struct weighted kinds[] = {
		{50, FILE_NONE},   {10, FILE_RO},    {20, FILE_SHM},
		{4, FILE_SHM_RO},  {2, FILE_SHM_WO}, {1, FILE_BAD},
		{3, FILE_ZERO},	   {24, FILE_DATA},  {5, FILE_DATA_RO},
		{1, FILE_DATA_WO}, {6, FILE_DATA2},
	};
	unsigned r;

	op->at = some_place(g, true);
	op->len = some_len(g);
	if (chance(g, 40))
		op->len += (4 + below(g, 20)) * PAGE;
	op->prot = some_prot(g);
	op->file = PICK(g, kinds);
	op->flags = op->file == FILE_NONE ? MAP_ANONYMOUS : 0;
	/* shared: file types differ in how often */
	r = op->file == FILE_NONE ? 18 : 45;
	op->flags |= chance(g, r) ? MAP_SHARED : MAP_PRIVATE;
	/* a sharable mapping of a read-only file has to be read-only */
	if ((op->flags & MAP_SHARED) &&
	    (op->file == FILE_RO || op->file == FILE_SHM_RO ||
	     op->file == FILE_DATA_RO) &&
	    chance(g, 75))
		op->prot &= ~(unsigned)PROT_WRITE;
	if (op->file != FILE_NONE || chance(g, 5))
		op->offset = below(g, 12) * PAGE;
	if (chance(g, 72))
		op->flags |= MAP_FIXED;
	else if (chance(g, 45))
		op->flags |= MAP_FIXED_NOREPLACE;
	if (chance(g, 15))
		op->flags |= MAP_POPULATE;
	if (chance(g, 5))
		op->flags |= MAP_NORESERVE;
	if (chance(g, 3))
		op->flags |= MAP_LOCKED;
	if (chance(g, op->file == FILE_NONE ? 8 : 1))
		op->flags |= MAP_GROWSDOWN;
	if (chance(g, 97))
		return;
	/* something wrong with it */
	switch (below(g, 6)) {
	case 0:
		op->flags &= ~(unsigned)MAP_TYPE;
		break;
	case 1:
		op->flags |= MAP_TYPE & below(g, 16);
		break;
	case 2:
		op->flags |= 0x3; /* MAP_SHARED_VALIDATE */
		op->flags |= chance(g, 50) ? 0x800000 : 0;
		break;
	case 3:
		op->offset += 1 + below(g, 4095);
		break;
	case 4:
		op->offset = (uint64_t)-PAGE * (1 + below(g, 3));
		/* mmap2() counts pages, and a 64-bit kernel's does not wrap */
		if (NARROW)
			op->offset = 1ull << 43;
		break;
	case 5:
		op->flags |= 0x800000; /* no such flag */
		break;
	}
}

static void gen_mremap(struct gen *g, struct op *op)
{
	static const struct weighted t[] = {
		{24, 0}, {10, 1}, {46, 3}, {12, 7}, {4, 5},
		{1, 2},	 {1, 4},  {1, 6},  {1, 8},
	};

	op->at = some_place(g, true);
	op->to = some_place(g, true);
	op->flags = PICK(g, t);
	op->len = some_len(g);
	if (chance(g, 50))
		op->new_len = op->len;
	else if (chance(g, 60))
		op->new_len = op->len + some_pages(g) * PAGE;
	else
		op->new_len = some_len(g);
	if (chance(g, 4))
		op->len = 0;
}

static void gen_madvise(struct gen *g, struct op *op)
{
	static const struct weighted t[] = {
		{36, 4 /* DONTNEED */},
		{5, 0},
		{5, 1},
		{4, 2},
		{4, 3},
		{6, 10 /* DONTFORK */},
		{5, 11},
		{6, 18 /* WIPEONFORK */},
		{5, 19},
		{10, 22 /* POPULATE_READ */},
		{11, 23 /* POPULATE_WRITE */},
		{2, 24},
		{1, 5},
		{1, 99},
		{5, 9 /* REMOVE */},
		{4, 20 /* COLD */},
		{6, 21 /* PAGEOUT */},
		{6, 8 /* FREE */},
		{2, 16},
		{2, 17},
		{2, 14},
		{2, 15},
		{1, 12},
		{1, 13},
	};

	op->at = some_place(g, true);
	op->len = some_len(g);
	op->value = PICK(g, t);
	/* it passes over holes: never up to the program's own stack */
	if (op->len > ARENA_PAGES * (uint64_t)PAGE && op->len < 0ull - 2 * PAGE)
		op->len = 0;
}

static uint64_t some_bytes(struct gen *g)
{
	unsigned r = below(g, 100);

	if (r < 55)
		return 1;
	if (r < 70)
		return 8;
	if (r < 90)
		return 1 + below(g, 64);
	return 1 + below(g, 3 * PAGE);
}

static void gen_access(struct gen *g, struct op *op)
{
	op->at = some_place(g, false);
	op->len = some_bytes(g);
	if (op->len > 1 && chance(g, 30)) /* across the page's end */
		op->at.off += PAGE - below(g, 8);
	else if (chance(g, 60))
		op->at.off += below(g, PAGE);
	if (chance(g, 1))
		op->at = bad_address(g);
	op->value = chance(g, 30) ? 0xc3 : below(g, 256);
	if (op->kind == OP_FETCH) {
		op->len = CODE_BYTES;
		op->at.off &= -64ll;
	}
}

static void gen_file_io(struct gen *g, struct op *op)
{
	static const struct weighted readers[] = {
		{20, FILE_RO},	   {25, FILE_SHM},    {2, FILE_SHM_RO},
		{40, FILE_DATA},   {8, FILE_DATA_RO}, {4, FILE_DATA2},
		{1, FILE_DATA_WO},
	};
	static const struct weighted writers[] = {
		{35, FILE_SHM},	 {2, FILE_SHM_WO},  {50, FILE_DATA},
		{8, FILE_DATA2}, {4, FILE_DATA_WO}, {1, FILE_DATA_RO},
	};

	gen_access(g, op);
	/* a 64-bit kernel tells a bad buffer only when it comes to use it */
	if (op->at.seg == SEG_TOP)
		op->at = (struct where){SEG_ARENA, 0};
	op->len = chance(g, 70) ? op->len : below(g, 4 * PAGE);
	op->file = op->kind == OP_PREAD ? PICK(g, readers) : PICK(g, writers);
	op->offset = below(g, 13 * PAGE);
	if (chance(g, 30)) /* whole pages */
		op->offset &= ~(uint64_t)(PAGE - 1);
}

/* Calls about a file as a whole, or a range of it. */
static void gen_file_call(struct gen *g, struct op *op)
{
	static const struct weighted files[] = {
		{40, FILE_SHM},	   {50, FILE_DATA},   {4, FILE_DATA2},
		{2, FILE_DATA_WO}, {1, FILE_DATA_RO}, {1, FILE_SHM_WO},
		{1, FILE_SHM_RO},  {1, FILE_BAD},
	};

	op->file = PICK(g, files);
	switch (op->kind) {
	case OP_TRUNCATE:
		op->len = below(g, 14) * PAGE;
		if (chance(g, 50))
			op->len += below(g, PAGE);
		break;
	case OP_FALLOC:
		op->flags = chance(g, 97) ? 3 : 2; /* PUNCH, KEEP_SIZE */
		op->offset = below(g, 13) * PAGE;
		op->len = below(g, 5) * PAGE;
		if (chance(g, 40))
			op->offset += below(g, PAGE);
		if (chance(g, 40))
			op->len += below(g, PAGE);
		break;
	case OP_FSYNC:
		op->flags = chance(g, 30);
		break;
	default:
		break;
	}
}

/* The stack's, or that of locked memory: held to little of it, or no more. */
static void gen_limit(struct gen *g, struct op *op)
{
	static const struct weighted t[] = {{3, 0}, {6, 1}, {3, 2}};

	op->flags = PICK(g, t);
	if (op->flags == 0)
		op->len = (uint64_t)(8 + below(g, 2048)) * PAGE;
	if (op->flags == 1 && chance(g, 85))
		op->len = below(g, 40 * PAGE);
}

static unsigned some_process(struct gen *g)
{
	unsigned n = 0, live[MAX_PROCS];

	for (unsigned i = 0; i < MAX_PROCS; i++)
		if (g->parent[i] >= 0)
			live[n++] = i;
	return live[below(g, n)];
}

/* Which process acts, and whether one comes or goes. */
static void gen_process(struct gen *g, struct op *op)
{
	unsigned n = 0, live[MAX_PROCS];

	for (unsigned i = 0; i < MAX_PROCS; i++)
		if (g->parent[i] >= 0)
			live[n++] = i;
	op->proc = live[below(g, n)];
	if (op->kind == OP_FORK) {
		for (unsigned i = 1; i < MAX_PROCS; i++) {
			if (g->parent[i] >= 0)
				continue;
			g->parent[i] = (int)op->proc;
			op->value = i;
			return;
		}
		op->kind = OP_EXIT; /* full: let one go */
	}
	if (op->kind != OP_EXIT)
		return;
	for (unsigned k = 0; k < n;
	     k++) { /* the first leaf from a random one */
		unsigned p = live[(k + op->proc) % n];
		bool leaf = p != 0;

		for (unsigned i = 1; i < MAX_PROCS; i++)
			if (g->parent[i] == (int)p && i != p)
				leaf = false;
		if (!leaf)
			continue;
		op->proc = p;
		g->parent[p] = -1;
		return;
	}
	op->kind = OP_MAPS;
}

static void gen_args(struct gen *g, struct op *op)
{
	switch (op->kind) {
	case OP_MMAP:
		gen_mmap(g, op);
		break;
	case OP_MREMAP:
		gen_mremap(g, op);
		break;
	case OP_MADVISE:
		gen_madvise(g, op);
		break;
	case OP_MPROTECT:
		op->prot = some_prot(g);
		if (chance(g, 2))
			op->prot |= 0x01000000u << below(g, 2);
		op->at = some_place(g, true);
		op->len = some_len(g);
		break;
	case OP_MSYNC:
		op->flags = chance(g, 90) ? 1u << below(g, 3) : below(g, 16);
		op->at = some_place(g, true);
		op->len = some_len(g);
		break;
	case OP_MLOCK:
		op->flags = chance(g, 30) ? 1 : chance(g, 3) ? 2 : 0;
		/* fall through */
	case OP_MUNMAP:
	case OP_MINCORE:
	case OP_MUNLOCK:
		op->at = some_place(g, true);
		op->len = some_len(g);
		break;
	case OP_BRK:
		op->at.seg = SEG_BRK;
		op->at.off = below(g, BRK_PAGES) * PAGE;
		if (chance(g, 30))
			op->at.off += below(g, PAGE);
		break;
	case OP_TRUNCATE:
	case OP_FALLOC:
	case OP_FSYNC:
	case OP_STAT:
	case OP_SUM:
		gen_file_call(g, op);
		break;
	case OP_PREAD:
	case OP_PWRITE:
		gen_file_io(g, op);
		break;
	case OP_LOAD:
	case OP_STORE:
	case OP_FETCH:
		gen_access(g, op);
		break;
	case OP_PEEK:
	case OP_POKE:
		gen_access(g, op);
		op->other = some_process(g);
		break;
	case OP_MLOCKALL:
		op->flags = chance(g, 90) ? 1 + below(g, 7) : below(g, 16);
		break;
	case OP_LIMIT:
		gen_limit(g, op);
		break;
	default:
		break;
	}
}

/*
 * An i386 program's arguments are added up in 64 bits by a 64-bit kernel: what
 * would overflow in 32 is another error there, or none.
 */
static void no_overflow(struct op *op)
{
	uint64_t most = ARENA_PAGES * PAGE;

	if (op->at.seg == SEG_TOP && op->len > most)
		op->len = PAGE;
	if ((op->at.seg == SEG_TOP || op->to.seg == SEG_TOP) &&
	    op->new_len > most)
		op->new_len = PAGE;
}

void gen_next(struct gen *g, struct op *op)
{
	static const struct weighted t[] = {
		{150, OP_MMAP},	    {20, OP_MUNMAP},   {75, OP_MPROTECT},
		{45, OP_MREMAP},    {70, OP_MADVISE},  {15, OP_MINCORE},
		{20, OP_MSYNC},	    {14, OP_MLOCK},    {9, OP_MUNLOCK},
		{2, OP_MUNLOCKALL}, {14, OP_BRK},      {170, OP_LOAD},
		{260, OP_STORE},    {20, OP_FETCH},    {30, OP_PREAD},
		{36, OP_PWRITE},    {12, OP_TRUNCATE}, {14, OP_FORK},
		{13, OP_EXIT},	    {25, OP_PAGEMAP},  {10, OP_SMAPS},
		{2, OP_MLOCKALL},   {12, OP_POKE},     {12, OP_LIMIT},
		{10, OP_FALLOC},    {8, OP_FSYNC},     {3, OP_STAT},
		{6, OP_SUM},
	};

	if (g->pending) {
		*op = g->then;
		g->pending = false;
		return;
	}
	memset(op, 0, sizeof(*op));
	op->kind = PICK(g, t);
	if (g->nr++ < 24) /* something to work on */
		op->kind = OP_MMAP;
	if (++g->since_maps >= 12) {
		g->since_maps = 0;
		op->kind = OP_MAPS;
	}
	gen_process(g, op);
	gen_args(g, op);
	if (NARROW)
		no_overflow(op);
	g->pending = gen_after(op, &g->then);
}

bool gen_after(const struct op *op, struct op *then)
{
	if (op->kind != OP_MADVISE || op->value != 8 /* FREE */)
		return false;
	*then = *op;
	then->value = 4; /* DONTNEED */
	return true;
}

bool gen_pressure(const struct gen *g, struct gen *own, struct op *op)
{
	static const struct weighted t[] = {{70, 21 /* PAGEOUT */},
					    {15, 20 /* COLD */},
					    {15, 8 /* FREE */}};

	memcpy(own->parent, g->parent, sizeof(own->parent));
	if (!chance(own, 40))
		return false;
	memset(op, 0, sizeof(*op));
	op->kind = OP_MADVISE;
	gen_process(own, op);
	op->at = some_place(own, true);
	op->len = (1 + below(own, ZONE_PAGES)) * PAGE;
	op->value = PICK(own, t);
	return true;
}

/* ------------------------------------------------------------ text of an op */

static const char *const kind_name[OP_KINDS] = {
	"mmap",	 "munmap", "mprotect", "mremap",     "madvise",	 "mincore",
	"msync", "mlock",  "munlock",  "munlockall", "brk",	 "load",
	"store", "fetch",  "pread",    "pwrite",     "truncate", "fork",
	"exit",	 "maps",   "pagemap",  "smaps",	     "mlockall", "peek",
	"poke",	 "limit",  "falloc",   "fsync",	     "stat",	 "sum",
};

/*
 * One fixed form for all: readable enough, and trivial to read back:
 *   NAME pPROC at SEG+OFF len LEN to SEG+OFF new LEN prot flags value file off
 * Fields that are zero are left out.
 */
void op_print(const struct op *op, char *buf, size_t cap)
{
	static const char seg[] = "AB@T";
	size_t n = 0;

#define ADD(...)                                                               \
	(n += (size_t)snprintf(buf + n, n < cap ? cap - n : 0, __VA_ARGS__))
	ADD("%s p%u", kind_name[op->kind], op->proc);
	if (op->at.seg || op->at.off)
		ADD(" at=%c%" PRIx64, seg[op->at.seg], (uint64_t)op->at.off);
	if (op->len)
		ADD(" len=%" PRIx64, op->len);
	if (op->to.seg || op->to.off)
		ADD(" to=%c%" PRIx64, seg[op->to.seg], (uint64_t)op->to.off);
	if (op->new_len)
		ADD(" new=%" PRIx64, op->new_len);
	if (op->prot)
		ADD(" prot=%x", op->prot);
	if (op->flags)
		ADD(" flags=%x", op->flags);
	if (op->value)
		ADD(" value=%x", op->value);
	if (op->other)
		ADD(" other=%u", op->other);
	if (op->file)
		ADD(" file=%x", (unsigned)op->file);
	if (op->offset)
		ADD(" off=%" PRIx64, op->offset);
#undef ADD
}

static bool parse_where(const char *s, struct where *w)
{
	static const char seg[] = "AB@T";
	const char *is = *s ? strchr(seg, *s) : NULL;

	if (!is)
		return false;
	w->seg = (enum seg)(is - seg);
	return sscanf(s + 1, "%" SCNx64, (uint64_t *)&w->off) == 1;
}

static bool parse_field(const char *s, struct op *op)
{
	unsigned u;

	if (*s == 'p' && sscanf(s, "p%u", &op->proc) == 1)
		return op->proc < MAX_PROCS;
	if (!strncmp(s, "at=", 3))
		return parse_where(s + 3, &op->at);
	if (!strncmp(s, "to=", 3))
		return parse_where(s + 3, &op->to);
	if (sscanf(s, "len=%" SCNx64, &op->len) == 1 ||
	    sscanf(s, "new=%" SCNx64, &op->new_len) == 1 ||
	    sscanf(s, "prot=%x", &op->prot) == 1 ||
	    sscanf(s, "flags=%x", &op->flags) == 1 ||
	    sscanf(s, "value=%x", &op->value) == 1 ||
	    (sscanf(s, "other=%u", &op->other) == 1 && op->other < MAX_PROCS) ||
	    sscanf(s, "off=%" SCNx64, &op->offset) == 1)
		return true;
	if (sscanf(s, "file=%x", &u) == 1 && u < FILE_IDS) {
		op->file = u;
		return true;
	}
	return false;
}

bool op_parse(const char *line, struct op *op)
{
	char copy[512], *word, *save;

	memset(op, 0, sizeof(*op));
	if (strlen(line) >= sizeof(copy))
		return false;
	strcpy(copy, line);
	word = strtok_r(copy, " \n", &save);
	if (!word)
		return false;
	while (op->kind < OP_KINDS && strcmp(word, kind_name[op->kind]))
		op->kind++;
	if (op->kind == OP_KINDS)
		return false;
	while ((word = strtok_r(NULL, " \n", &save)))
		if (!parse_field(word, op))
			return false;
	return true;
}
