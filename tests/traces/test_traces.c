/* SPDX-License-Identifier: MIT */
/*
 * Tests of the page traces that reclaim policies are compared on
 * (bench/traces): what the optimum and LRU make of sequences known from the
 * literature; the optimum against a search of all ways to evict; that the
 * recorder's filter changes neither, by recording the same made-up program with
 * and without it; what it makes of system calls; and that the recorded traces
 * are whole.
 *
 * usage: traces RECORD TRACE...
 *   RECORD   the recorder; TRACE...  those that the repository has
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bench/traces/trace.h>

static unsigned passed, failed;
static char work[] = "/tmp/quire-traces-XXXXXX";
static const char *recorder;

static void check(bool ok, const char *what, long got, long want)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAIL: %s: %ld, expected %ld\n", what, got, want);
}

static void check_eq(const char *what, uint64_t got, uint64_t want)
{
	check(got == want, what, (long)got, (long)want);
}

/* A trace of single digits: pages 0 ... 9; 'x' and a digit: dropped. */
static void make(struct trace *t, struct trace_record *r, const char *text)
{
	memset(t, 0, sizeof(*t));
	t->pages = 10;
	t->record = r;
	for (; *text; text++) {
		bool drop = *text == 'x';

		text += drop;
		r[t->records++] = (struct trace_record){
			.page = (uint32_t)(*text - '0'),
			.count = 1,
			.op = drop ? TRACE_DROP : TRACE_LOAD};
	}
}

/* ------------------------------------------------------- known sequences */

static void known(void)
{
	/* frames, misses of the optimum, of LRU */
	static const struct {
		const char *text;
		unsigned frames, min, lru;
	} seq[] = {
		/* Belady, Nelson, Shedler 1969: the anomaly's sequence */
		{"123412512345", 3, 7, 10},
		{"123412512345", 4, 6, 8},
		/* Silberschatz, Galvin, Gagne: Operating System Concepts */
		{"70120304230321201701", 3, 9, 12},
		{"0000", 1, 1, 1},
		{"0123", 4, 4, 4},
		/* a loop one page too large: the worst of LRU */
		{"012012012", 2, 6, 9},
		/* dropped: a frame is free, and the next use is a miss */
		{"01x0201", 2, 4, 5},
		{"0x00x00x00", 1, 4, 4},
	};
	struct trace_record r[64];
	struct trace_misses m;
	struct trace t;
	size_t i;

	for (i = 0; i < sizeof(seq) / sizeof(seq[0]); i++) {
		make(&t, r, seq[i].text);
		trace_min(&t, seq[i].frames, &m);
		check_eq("optimum", m.cold + m.again, seq[i].min);
		trace_lru(&t, seq[i].frames, &m);
		check_eq("LRU", m.cold + m.again, seq[i].lru);
	}
	make(&t, r, "0120x00");
	trace_min(&t, 2, &m);
	check_eq("cold misses", m.cold, 4);
	check_eq("other misses", m.again, 0);
}

/* Every way to evict: the fewest misses from record i on, with the pages of
 * `in` in memory. */
static unsigned search(const struct trace *t, size_t i, unsigned in,
		       unsigned frames)
{
	unsigned p, bit, best = 1000, n;

	if (i == t->records)
		return 0;
	bit = 1u << t->record[i].page;
	if (t->record[i].op == TRACE_DROP)
		return search(t, i + 1, in & ~bit, frames);
	if (in & bit)
		return search(t, i + 1, in, frames);
	if ((unsigned)__builtin_popcount(in) < frames)
		return 1 + search(t, i + 1, in | bit, frames);
	for (p = 0; p < 10; p++) {
		if (!(in >> p & 1))
			continue;
		n = 1 + search(t, i + 1, (in & ~(1u << p)) | bit, frames);
		best = n < best ? n : best;
	}
	return best;
}

static void against_search(void)
{
	struct trace_record r[64];
	struct trace_misses m;
	struct trace t;
	char text[64];
	unsigned round, frames, n;

	srandom(5);
	for (round = 0; round < 200; round++) {
		char *s = text;

		for (n = 0; n < 14; n++) {
			if (random() % 8 == 0)
				*s++ = 'x';
			*s++ = (char)('0' + random() % 5);
		}
		*s = 0;
		make(&t, r, text);
		for (frames = 1; frames <= 4; frames++) {
			trace_min(&t, frames, &m);
			check_eq("optimum of a random sequence",
				 m.cold + m.again, search(&t, 0, 0, frames));
		}
	}
}

/* ------------------------------------------------------------ the recorder */

static bool record(unsigned window, const char *input, struct trace *t)
{
	char command[600], path[200];

	snprintf(path, sizeof(path), "%s/trace", work);
	snprintf(command, sizeof(command), "'%s' %u test <'%s' >'%s'", recorder,
		 window, input, path);
	if (system(command) || trace_load(t, path)) {
		check(false, "the recorder ends well", 1, 0);
		return false;
	}
	return true;
}

/* Loops, a working set that moves, stray uses, memory given back. */
static void write_program(const char *path)
{
	static const char *const op[] = {" L", " S", " M", "I "};
	FILE *f = fopen(path, "w");
	unsigned i, page;

	srandom(11);
	for (i = 0; i < 60000; i++) {
		page = (unsigned)random() % (i % 50 ? 12 : 300) + i / 600;
		if (i % 7000 > 5000)
			page = i % 83; /* a loop */
		fprintf(f, "%s %08x,4\n", op[random() % 60 ? 0 : random() % 4],
			0x100000 + page * 4096 + (unsigned)random() % 4096);
		if (i % 9999 == 9000)
			fprintf(f,
				"SYSCALL[7,1](11) sys_munmap ( 0x%x, 40960 "
				")[sync] --> Success(0x0)\n",
				0x100000 + page * 4096);
	}
	fclose(f);
}

/* Pages that were stored to, or instructions fetched from. */
static unsigned pages_with(const struct trace *t, unsigned op)
{
	static uint8_t seen[4096];
	unsigned n = 0;
	size_t i;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < t->records; i++) {
		uint8_t *s = &seen[t->record[i].page % sizeof(seen)];

		if (t->record[i].op == op && !*s)
			n += ++*s;
	}
	return n;
}

static void filter(void)
{
	struct trace whole, small;
	struct trace_misses a, b;
	unsigned frames;
	char path[100];

	snprintf(path, sizeof(path), "%s/program", work);
	write_program(path);
	if (!record(1, path, &whole))
		return;
	if (!record(32, path, &small)) {
		trace_free(&whole);
		return;
	}
	check_eq("accesses", small.accesses, 60000);
	check_eq("pages", small.touched, whole.touched);
	check_eq("pages stored to", pages_with(&small, TRACE_STORE),
		 pages_with(&whole, TRACE_STORE));
	check(small.records * 3 < whole.records, "the filter filters",
	      (long)small.records, (long)whole.records / 3);
	for (frames = 32; frames < 300; frames += 9) {
		trace_min(&whole, frames, &a);
		trace_min(&small, frames, &b);
		check_eq("optimum, filtered", b.again, a.again);
		check_eq("cold misses, filtered", b.cold, a.cold);
		trace_lru(&whole, frames, &a);
		trace_lru(&small, frames, &b);
		check_eq("LRU, filtered", b.again, a.again);
	}
	trace_free(&whole);
	trace_free(&small);
}

/* What valgrind prints of calls, and the records that come of it. */
static void calls(void)
{
	static const char program[] =
		"SYSCALL[7,1](257) sys_openat ( 4294967196, 0x4034bb0(/a/b), "
		"0 ) --> [async] ... \n"
		"SYSCALL[7,1](257) ... [async] --> Success(0x4) \n"
		" L 00700000,4\n"
		"SYSCALL[7,1](9) sys_mmap ( 0x0, 8192, 3, 2, 4, 4096 ) --> "
		"[pre-success] Success(0x800000) \n"
		" L 00800010,8\n"
		" L 00801010,8\n"
		" S 00801018,4\n" /* a private copy of it */
		" L 00801ffe,4\n" /* and the page behind */
		"SYSCALL[7,1](0) sys_read ( 4, 0x700000, 4096 ) --> [async] "
		"... \n"
		"SYSCALL[7,1](0) ... [async] --> Success(0x1000) \n"
		"SYSCALL[7,1](17) sys_pread64 ( 4, 0x700000, 10, 0x2000 ) --> "
		"[async] ... \n"
		"SYSCALL[7,1](17) ... [async] --> Failure(0x5) \n"
		"SYSCALL[7,1](11) sys_munmap ( 0x800000, 8192 )[sync] --> "
		"Success(0x0) \n";
	/* private: 0x700, 0x801, 0x802; the file: pages 3, 4, 5 */
	static const struct trace_record want[] = {
		{0, 1, TRACE_LOAD}, {4, 1, TRACE_LOAD},	 {5, 1, TRACE_LOAD},
		{5, 1, TRACE_LOAD}, {1, 1, TRACE_STORE}, {1, 1, TRACE_LOAD},
		{2, 1, TRACE_LOAD}, {0, 1, TRACE_STORE}, {3, 1, TRACE_READ},
		{1, 1, TRACE_DROP},
	};
	struct trace t;
	char path[100];
	size_t i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/calls", work);
	f = fopen(path, "w");
	fwrite(program, 1, sizeof(program) - 1, f);
	fclose(f);
	if (!record(1, path, &t))
		return;
	check_eq("private pages", t.anon, 3);
	check_eq("files", t.files, 1);
	check_eq("pages of the file", t.length[0], 3);
	check(!strcmp(t.name[0], "b"), "the file's name", 0, 0);
	check_eq("records", t.records, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < t.records && i < sizeof(want) / sizeof(want[0]); i++) {
		check_eq("page", t.record[i].page, want[i].page);
		check_eq("operation", t.record[i].op, want[i].op);
	}
	trace_free(&t);
}

/* A trace that is cut short, or names a page that is not there, is refused. */
static void refused(void)
{
	static const char *const text[] = {
		"quire page trace 2\n\n",
		"quire page trace 1\nrecords 1\nanon 1\n",
		"quire page trace 1\nrecords 1\nanon 1\n\n",
		"quire page trace 1\nrecords 1\nanon 1\n\n\x10", /* page 1 */
		"quire page trace 1\nrecords 1\nanon 1\n\n\x07", /* no such op
								  */
		"quire page trace 1\nrecords 1\nanon 1\n\n\x01\x01", /* too long
								      */
		"quire page trace 1\nrecords 1\nanon 1\n\n\x05\x02",
	};
	struct trace t;
	char path[100];
	size_t i;
	FILE *f;

	snprintf(path, sizeof(path), "%s/bad", work);
	fflush(stderr);
	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		f = fopen(path, "w");
		fputs(text[i], f);
		fclose(f);
		if (!freopen("/dev/null", "w", stderr))
			continue;
		check(trace_load(&t, path) < 0, "a bad trace is refused",
		      (long)i, -1);
	}
}

static void recorded(const char *path)
{
	struct trace_misses min, lru;
	struct trace t;
	unsigned part;

	if (trace_load(&t, path)) {
		check(false, path, -1, 0);
		return;
	}
	check(t.touched > 1000 && t.anon && t.files, path, t.touched, 1000);
	for (part = 1; part <= 4; part++) {
		trace_min(&t, t.touched * part / 4, &min);
		trace_lru(&t, t.touched * part / 4, &lru);
		check(min.again <= lru.again, "the optimum is the least",
		      (long)min.again, (long)lru.again);
		check_eq("cold misses", min.cold, lru.cold);
	}
	check_eq("misses in a memory that is large enough", lru.again, 0);
	trace_free(&t);
}

int main(int argc, char **argv)
{
	char command[100];
	int i;

	if (argc < 2 || !mkdtemp(work))
		return 2;
	recorder = argv[1];
	known();
	against_search();
	filter();
	calls();
	for (i = 2; i < argc; i++)
		recorded(argv[i]);
	refused();
	snprintf(command, sizeof(command), "rm -rf '%s'", work);
	if (system(command))
		failed++;
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
