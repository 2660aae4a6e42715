/* SPDX-License-Identifier: MIT */
/*
 * Carries a stream of operations out on the backend that this is linked with,
 * and writes the log.
 *
 *   replay --seed S --count N [--base HEX] [--ro FILE] [--data FILE] [--stats]
 *   replay --ops FILE ...         operations in text, one a line
 *   replay --seed S --count N --print      the operations only
 *   replay --make-ro FILE                  the file that --ro names
 *
 * --data: where the data file is made; afterwards it has what the stream left
 * in it.  Without: it is one in memory, as the shm file is.
 * QDIFF_SHARE=1: the data file is on a 9P share, or is to be used as if it
 * were: nothing is punched out of it (9P has no such request), and what is
 * dirty is written before its size is asked for or set, as a network file
 * system does.
 *
 * QDIFF_SWAP=1: memory is short: pages are paged out between the operations,
 * and what tells which of them are in memory is not logged (fault counts,
 * mincore, pagemap, the figures of smaps).
 *
 * One line an operation: number, operation, "=", result.  Counts of minor
 * faults ("flt") are shown where only private anonymous memory is concerned:
 * for file pages they depend on fault-around and on what else the machine has
 * in its cache.  shadow.c knows which those are.
 */
#define _GNU_SOURCE
#include "ops.h"
#include "replay.h"
#include "shadow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct options {
	struct backend_options backend;
	uint64_t seed;
	unsigned long count;
	const char *ops_file;
	bool stats, print;
} opt = {.seed = 1, .count = 1000};

static struct result res; /* of the operation now carried out */
static unsigned done_ok[OP_KINDS], done_bad[OP_KINDS];

/* ------------------------------------------------------------------ the log */

static const char *error_name(int64_t e)
{
	static const struct {
		int e;
		const char *name;
	} t[] = {
		{EPERM, "EPERM"},	  {ENOENT, "ENOENT"},
		{EBADF, "EBADF"},	  {EAGAIN, "EAGAIN"},
		{ENOMEM, "ENOMEM"},	  {EACCES, "EACCES"},
		{EFAULT, "EFAULT"},	  {EBUSY, "EBUSY"},
		{EEXIST, "EEXIST"},	  {ENODEV, "ENODEV"},
		{EINVAL, "EINVAL"},	  {EFBIG, "EFBIG"},
		{EOVERFLOW, "EOVERFLOW"}, {EOPNOTSUPP, "EOPNOTSUPP"},
		{ENOSYS, "ENOSYS"},	  {EIO, "EIO"},
		{EINTR, "EINTR"},
	};
	static char other[24];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (t[i].e == -e)
			return t[i].name;
	snprintf(other, sizeof(other), "errno %d", (int)-e);
	return other;
}

static void print_where(struct where w)
{
	printf("%c%" PRIx64, "AB@T"[w.seg], (uint64_t)w.off);
}

/* May pages be swapped out at any time? */
static bool memory_short(void)
{
	static int s = -1;

	if (s < 0)
		s = getenv("QDIFF_SWAP") != NULL;
	return s;
}

static void print_vec(const struct op *op)
{
	unsigned i, run;

	if (memory_short())
		return;
	/* What of a regular file is in the cache is not ours alone to say. */
	for (i = 0; op->kind == OP_MINCORE && i < res.nvec; i++) {
		char known = shadow_in_cache(op->proc, op->at, i);

		/* (what must be so is not left out when it is not) */
		if (known == '?')
			res.vec[i] = '?';
	}
	printf(" vec ");
	for (i = 0; i < res.nvec; i += run) {
		for (run = 1; i + run < res.nvec; run++)
			if (res.vec[i + run] != res.vec[i])
				break;
		if (run > 3)
			printf("%c*%u ", res.vec[i], run);
		else
			printf("%.*s ", (int)run, (char *)res.vec + i);
	}
}

/* Which of our names a mapping's path is. */
static const char *short_name(const char *path)
{
	static const struct {
		const char *part, *name;
	} t[] = {
		{"qdiff-ro", "ro"},	{"qdiff-shm", "shm"},
		{"qdiff-data", "data"}, {"/dev/zero (deleted)", "shared"},
		{"/dev/zero", "zero"},	{"[heap]", "heap"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (strstr(path, t[i].part))
			return t[i].name;
	return path;
}

static void print_maps_line(const char *line)
{
	uint64_t start, end, off;
	struct where from, to;
	const char *path;
	char perms[8];
	int name = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*u %n",
		   &start, &end, perms, &off, &name) < 4)
		return;
	from = backend_where(start);
	to = backend_where(end - 1);
	if (to.seg >= SEG_ABS)
		return;
	if (from.seg >= SEG_ABS) /* the heap from before the first brk */
		from = (struct where){to.seg, 0};
	to.off++;
	printf("    ");
	print_where(from);
	printf("-");
	print_where(to);
	path = name ? short_name(line + name) : "";
	if (!strcmp(path, "zero"))
		off = 0; /* shown is an address: it is anonymous memory */
	printf(" %s %" PRIx64 " %s\n", perms, off, path);
}

/* Soft-dirty tracking is a matter of configuration: without it. */
static void print_flags(const char *s)
{
	for (; *s; s++)
		if (!strncmp(s, " sd", 3))
			s += 2;
		else if (*s != ' ' || s[1] > ' ')
			putchar(*s);
	putchar('\n');
}

/*
 * smaps: of each mapping its flags, and what it costs where that is a matter
 * of this test's processes alone.
 */
static void print_smaps_line(unsigned proc, const char *line)
{
	static const char *const shown[] = {
		"Rss:",		  "Pss:",	   "Anonymous:",
		"Shared_Clean:",  "Shared_Dirty:", "Private_Clean:",
		"Private_Dirty:",
	};
	static uint64_t clean;
	static bool ours, anon;
	uint64_t start, end, kib = 0;
	struct where from;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
		from = backend_where(start);
		ours = from.seg < SEG_ABS;
		if (!ours)
			return;
		anon = shadow_anon(proc, from, end - start);
		printf("    ");
		print_where(from);
		return;
	}
	if (ours && !strncmp(line, "VmFlags:", 8)) {
		print_flags(line + 8);
		return;
	}
	if (memory_short())
		return;
	for (size_t i = 0; ours && i < sizeof(shown) / sizeof(*shown); i++) {
		if ((!anon && i != 2) ||
		    strncmp(line, shown[i], strlen(shown[i])))
			continue;
		sscanf(strchr(line, ':') + 1, "%" SCNu64, &kib);
		/* clean and dirty together: MADV_FREE makes clean pages */
		if (strstr(line, "_Clean"))
			clean = kib;
		else
			printf(" %" PRIu64, kib + clean);
		if (!strstr(line, "_Clean"))
			clean = 0;
	}
}

static void print_smaps(unsigned proc)
{
	printf("\n");
	for (char *s = res.text, *nl; s && *s; s = nl + 1) {
		nl = strchr(s, '\n');
		if (!nl)
			break;
		*nl = 0;
		print_smaps_line(proc, s);
	}
}

static void print_maps(unsigned proc)
{
	if (!shadow_locks_known(proc))
		printf("\n");
	else
		printf(" locked %u\n", res.locked);
	for (char *s = res.text, *nl; s && *s; s = nl + 1) {
		nl = strchr(s, '\n');
		if (!nl)
			break;
		*nl = 0;
		print_maps_line(s);
	}
}

static void print_result(const struct op *op)
{
	if (res.elsewhere)
		printf(" elsewhere");
	else if (res.is_place) {
		printf(" ");
		print_where(res.place);
	} else if (res.ret < 0)
		printf(" %s", error_name(res.ret));
	else
		printf(" %" PRId64, res.ret);
	if (op->kind == OP_LOAD || op->kind == OP_STORE || op->kind == OP_FETCH)
		printf(" done %" PRIu64, res.done);
	if (op->kind == OP_LOAD || op->kind == OP_FETCH ||
	    op->kind == OP_PEEK || op->kind == OP_SUM)
		printf(" hash %08x", (unsigned)(res.hash ^ res.hash >> 32));
	if (res.sig) {
		printf(" sig %d code %d at ", res.sig, res.code);
		print_where(res.sig_at);
	}
}

/* Operations from a file keep to what the generator guarantees. */
static bool out_of_place(const struct op *op)
{
	if (op->kind == OP_FORK)
		return shadow_alive(op->value % MAX_PROCS);
	if (op->kind != OP_EXIT)
		return false;
	return op->proc == 0 || shadow_has_children(op->proc);
}

/*
 * Linux's VmLck counts a locked mapping twice when MREMAP_DONTUNMAP has moved
 * it, and never comes down again; from then on the process's is not compared.
 */
static void keep_lock_count(const struct op *op)
{
	struct op look = {.kind = OP_MAPS, .proc = op->proc};

	/* the program's own pages would count */
	if (op->kind == OP_MLOCKALL)
		shadow_forget_locks(op->proc);
	if (op->kind != OP_MREMAP || !(op->flags & MREMAP_DONTUNMAP))
		return;
	memset(&res, 0, sizeof(res));
	backend_run(&look, &res);
	if (res.locked)
		shadow_forget_locks(op->proc);
}

static bool on_share(void)
{
	static int share = -1;

	if (share < 0)
		share = getenv("QDIFF_SHARE") && opt.backend.data_path;
	return share;
}

/*
 * Is it a matter of how much memory of the program's own is locked, or of a
 * count that is not Linux's and ours (keep_lock_count())?
 */
static bool limit_unknown(const struct op *op)
{
	if (op->kind == OP_LIMIT)
		return op->flags == 1 && !shadow_locks_known(op->proc);
	if (!shadow_limited(op->proc))
		return false;
	return op->kind == OP_MLOCKALL ||
	       (op->kind == OP_MREMAP && op->flags & MREMAP_DONTUNMAP);
}

/* What this run leaves out, on every system. */
static bool left_out(const struct op *op)
{
	if (limit_unknown(op))
		return true;
	/*
	 * Linux drops pages of shared memory that nobody has written, and has
	 * no use for them in swap; here they are like others.  mincore tells.
	 */
	if (op->kind == OP_MADVISE && op->value == MADV_PAGEOUT &&
	    !memory_short() && shadow_shm(op->proc, op->at, op->len))
		return true;
	/* A Linux of 64 bits lets a 32-bit program ask for nothing up there. */
	if (op->kind == OP_MINCORE && op->at.seg == SEG_TOP && !op->len)
		return true;
	if (!on_share())
		return false;
	if (op->kind == OP_FALLOC)
		return op->file >= FILE_DATA;
	return op->kind == OP_MADVISE && op->value == MADV_REMOVE &&
	       shadow_file(op->proc, op->at, op->len);
}

/* Write what a network file system writes at this point.  It shows in the rest
 * of the last page, past the end. */
static void write_first(const struct op *op)
{
	struct op sync = {.kind = OP_FSYNC, .proc = op->proc, .file = op->file};

	if (!on_share() || op->file < FILE_DATA ||
	    (op->kind != OP_STAT && op->kind != OP_TRUNCATE &&
	     op->kind != OP_PWRITE))
		return;
	memset(&res, 0, sizeof(res));
	backend_run(&sync, &res);
}

static void run_op(unsigned long nr, const struct op *op)
{
	char text[256];
	bool flt;

	op_print(op, text, sizeof(text));
	if (!shadow_alive(op->proc) || !shadow_alive(op->other)) {
		printf("%lu %s = no such process\n", nr, text);
		return;
	}
	if (left_out(op)) {
		printf("%lu %s = left out\n", nr, text);
		return;
	}
	flt = !memory_short() && shadow_counts_faults(op);
	keep_lock_count(op);
	write_first(op);
	memset(&res, 0, sizeof(res));
	backend_run(op, &res);
	printf("%lu %s =", nr, text);
	print_result(op);
	if (flt)
		printf(" flt %u", res.minflt);
	if (res.nvec)
		print_vec(op);
	if (op->kind == OP_MAPS)
		print_maps(op->proc);
	else if (op->kind == OP_SMAPS)
		print_smaps(op->proc);
	else
		printf("\n");
	if (res.ret < 0 || res.sig)
		done_bad[op->kind]++;
	else
		done_ok[op->kind]++;
	shadow_update(op, &res);
}

/* ------------------------------------------------------------------ running */

/* What the files hold, and that it is on the disk. */
static void final_files(unsigned long nr)
{
	static const enum op_kind calls[] = {OP_FSYNC, OP_STAT, OP_SUM};
	static const enum file_id files[] = {FILE_SHM, FILE_DATA};
	struct op op = {0};

	for (unsigned i = 0; i < 6; i++) {
		op.kind = calls[i % 3];
		op.file = files[i / 3];
		run_op(nr, &op);
	}
}

/* What every page holds at the end, in every process. */
static void final_state(unsigned long nr)
{
	struct op op = {.len = 8};

	for (op.proc = 0; op.proc < MAX_PROCS; op.proc++) {
		if (!shadow_alive(op.proc))
			continue;
		op.kind = OP_PAGEMAP;
		run_op(nr, &op);
		op.kind = OP_LOAD;
		op.at.seg = SEG_ARENA;
		for (op.at.off = 0; op.at.off < ARENA_SPAN * PAGE;
		     op.at.off += PAGE)
			if (shadow_mapped(op.proc,
					  (unsigned)(op.at.off / PAGE)))
				run_op(nr, &op);
		op.at.seg = SEG_BRK;
		for (op.at.off = 0; op.at.off < BRK_PAGES * PAGE;
		     op.at.off += PAGE)
			run_op(nr, &op);
		op.at = (struct where){SEG_ARENA, 0};
		op.kind = OP_MAPS;
		run_op(nr, &op);
	}
}

static void run_or_print(unsigned long nr, const struct op *op)
{
	char text[256];

	if (!opt.print) {
		run_op(nr, op);
		return;
	}
	op_print(op, text, sizeof(text));
	puts(text);
}

static unsigned long run_generated(void)
{
	struct gen g, own;
	struct op op, then;

	gen_init(&g, opt.seed);
	gen_init(&own, ~opt.seed);
	for (unsigned long i = 1; i <= opt.count; i++) {
		gen_next(&g, &op);
		run_or_print(i, &op);
		if (!memory_short() || !gen_pressure(&g, &own, &op))
			continue;
		run_or_print(i, &op);
		if (gen_after(&op, &then))
			run_or_print(i, &then);
	}
	return opt.count;
}

static unsigned long run_file(void)
{
	FILE *f = fopen(opt.ops_file, "r");
	unsigned long nr = 0;
	char line[512];
	struct op op;

	if (!f) {
		perror(opt.ops_file);
		exit(2);
	}
	while (nr < opt.count && fgets(line, sizeof(line), f)) {
		if (*line == '#' || *line == '\n')
			continue;
		if (!op_parse(line, &op)) {
			fprintf(stderr, "cannot read: %s", line);
			exit(2);
		}
		nr++;
		if (!out_of_place(&op))
			run_op(nr, &op);
	}
	fclose(f);
	return nr;
}

/* The files' contents are a matter of file_byte() too. */
static void make_file(const char *path, uint64_t size)
{
	FILE *f = fopen(path, "w");

	for (uint64_t i = 0; f && i < size; i++)
		putc(file_byte(i), f);
	if (!f || fclose(f)) {
		perror(path);
		exit(2);
	}
}

static void parse_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(a, "--stats")) {
			opt.stats = true;
			continue;
		} else if (!strcmp(a, "--print")) {
			opt.print = true;
			continue;
		} else if (!strcmp(a, "--seed"))
			opt.seed = strtoull(v, NULL, 0);
		else if (!strcmp(a, "--count"))
			opt.count = strtoul(v, NULL, 0);
		else if (!strcmp(a, "--ops"))
			opt.ops_file = v;
		else if (!strcmp(a, "--base"))
			opt.backend.base = strtoull(v, NULL, 16);
		else if (!strcmp(a, "--ro"))
			opt.backend.ro_path = v;
		else if (!strcmp(a, "--data"))
			opt.backend.data_path = v;
		else if (!strcmp(a, "--make-ro")) {
			make_file(v, RO_SIZE);
			exit(0);
		} else {
			fprintf(stderr, "unknown option %s\n", a);
			exit(2);
		}
		i++;
	}
}

static void print_stats(void)
{
	char text[64];

	for (unsigned k = 0; k < OP_KINDS; k++) {
		struct op op = {.kind = k};

		op_print(&op, text, sizeof(text));
		*strchr(text, ' ') = 0;
		fprintf(stderr, "%-10s %6u well %6u ill\n", text, done_ok[k],
			done_bad[k]);
	}
}

int main(int argc, char **argv)
{
	unsigned long nr;
	unsigned bad = 0;

	parse_options(argc, argv);
	if (opt.backend.data_path)
		make_file(opt.backend.data_path, DATA_SIZE);
	if (!opt.print)
		backend_init(&opt.backend);
	shadow_init();
	if (opt.ops_file && opt.count == 1000)
		opt.count = (unsigned long)-1;
	nr = opt.ops_file ? run_file() : run_generated();
	if (!opt.print) {
		final_state(nr + 1);
		final_files(nr + 1);
		bad = backend_finish();
		printf("end\n");
	}
	fflush(stdout);
	if (opt.stats)
		print_stats();
	return bad ? 1 : 0;
}
