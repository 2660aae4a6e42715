/* SPDX-License-Identifier: MIT */
/*
 * Carries a stream of operations out on the backend that this is linked with,
 * and writes the log.
 *
 *   replay --seed S --count N [--base HEX] [--ro FILE] [--stats]
 *   replay --ops FILE ...         operations in text, one a line
 *   replay --seed S --count N --print      the operations only
 *   replay --make-ro FILE                  the file that --ro names
 *
 * One line an operation: number, operation, "=", result.  Counts of minor
 * faults ("flt") are shown where only private anonymous memory is concerned:
 * for file pages they depend on fault-around and on what else the machine has
 * in its cache.  To know which those are, a picture of each page's kind is
 * kept here, from the results of the calls; it only decides what is shown.
 */
#define _GNU_SOURCE
#include "ops.h"
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum page_kind { K_NONE, K_ANON, K_SHM, K_FILE };

static struct shadow {
	unsigned char arena[ARENA_SPAN];
	unsigned char brk[BRK_PAGES + 64];
	int64_t brk_end;
	bool alive;
	unsigned parent;
	bool lock_count_off; /* see keep_lock_count() */
} shadow[MAX_PROCS];

static struct result res; /* of the operation now carried out */
static unsigned done_ok[OP_KINDS], done_bad[OP_KINDS];

/* ----------------------------------------------------- the picture of pages */

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

static void shadow_set(unsigned proc, struct where w, uint64_t len,
		       enum page_kind kind)
{
	int64_t n = pages_of(w, len);

	for (int64_t i = 0; i < n; i++) {
		unsigned char *p = shadow_page(proc, w, i);

		if (p)
			*p = (unsigned char)kind;
	}
}

/* Are there only private anonymous pages, or none? */
static bool shadow_anon(unsigned proc, struct where w, uint64_t len)
{
	int64_t n = pages_of(w, len);

	for (int64_t i = 0; i < n; i++) {
		unsigned char *p = shadow_page(proc, w, i);

		if (p && *p >= K_SHM)
			return false;
	}
	return true;
}

static void shadow_mremap(const struct op *op)
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
		old[i] = old[(n > 0 ? n : 1) - 1];
	if (!(op->flags & MREMAP_DONTUNMAP))
		shadow_set(op->proc, op->at, op->len, K_NONE);
	if (res.elsewhere)
		return;
	/* a hole in a range that was moved leaves what the target had */
	for (int64_t i = 0; i < m; i++)
		if (old[i] && (p = shadow_page(op->proc, res.place, i)))
			*p = old[i];
}

static void shadow_brk(const struct op *op)
{
	struct shadow *s = &shadow[op->proc];
	int64_t was = (s->brk_end + PAGE - 1) & -PAGE;
	int64_t now = (res.place.off + PAGE - 1) & -PAGE;
	struct where w = {SEG_BRK, was};

	s->brk_end = res.place.off;
	if (now > was)
		shadow_set(op->proc, w, (uint64_t)(now - was), K_ANON);
	w.off = now;
	if (now < was)
		shadow_set(op->proc, w, (uint64_t)(was - now), K_NONE);
}

static enum page_kind kind_of_mmap(const struct op *op)
{
	bool anon = op->flags & MAP_ANONYMOUS || op->file == FILE_NONE ||
		    op->file == FILE_ZERO;

	if (anon && (op->flags & MAP_TYPE) == MAP_PRIVATE)
		return K_ANON;
	return op->file == FILE_RO && !anon ? K_FILE : K_SHM;
}

static void shadow_update(const struct op *op)
{
	switch (op->kind) {
	case OP_MMAP:
		if (res.is_place && !res.elsewhere)
			shadow_set(op->proc, res.place, op->len,
				   kind_of_mmap(op));
		break;
	case OP_MUNMAP:
		if (!res.ret)
			shadow_set(op->proc, op->at, op->len, K_NONE);
		break;
	case OP_MREMAP:
		if (res.is_place) {
			shadow_mremap(op);
		} else if (res.ret == -EFAULT && op->flags & MREMAP_FIXED) {
			/* some pieces may have moved: nothing is known */
			shadow_set(op->proc, op->at, op->len, K_FILE);
			shadow_set(op->proc, op->to, op->new_len, K_FILE);
		}
		break;
	case OP_BRK:
		shadow_brk(op);
		break;
	case OP_FORK:
		if (res.ret < 0)
			break;
		shadow[op->value] = shadow[op->proc];
		shadow[op->value].lock_count_off = false;
		shadow[op->value].parent = op->proc;
		break;
	case OP_EXIT:
		shadow[op->proc].alive = false;
		break;
	default:
		break;
	}
}

static bool counts_faults(const struct op *op)
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

static void print_vec(const struct op *op)
{
	unsigned i, run;

	/* What of a regular file is in the cache is not ours alone to say. */
	for (i = 0; op->kind == OP_MINCORE && i < res.nvec; i++) {
		unsigned char *p = shadow_page(op->proc, op->at, i);

		if (p && *p == K_FILE)
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
		{"qdiff-ro", "ro"},
		{"qdiff-shm", "shm"},
		{"/dev/zero (deleted)", "shared"},
		{"/dev/zero", "zero"},
		{"[heap]", "heap"},
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
	if (shadow[proc].lock_count_off)
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
	if (op->kind == OP_LOAD || op->kind == OP_FETCH || op->kind == OP_PEEK)
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
		return shadow[op->value % MAX_PROCS].alive;
	if (op->kind != OP_EXIT)
		return false;
	for (unsigned i = 1; i < MAX_PROCS; i++)
		if (shadow[i].alive && shadow[i].parent == op->proc)
			return true;
	return op->proc == 0;
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
		shadow[op->proc].lock_count_off = true;
	if (op->kind != OP_MREMAP || !(op->flags & MREMAP_DONTUNMAP))
		return;
	memset(&res, 0, sizeof(res));
	backend_run(&look, &res);
	if (res.locked)
		shadow[op->proc].lock_count_off = true;
}

static void run_op(unsigned long nr, const struct op *op)
{
	char text[256];
	bool flt;

	op_print(op, text, sizeof(text));
	if (!shadow[op->proc].alive || !shadow[op->other].alive) {
		printf("%lu %s = no such process\n", nr, text);
		return;
	}
	flt = counts_faults(op);
	keep_lock_count(op);
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
	shadow_update(op);
}

/* ------------------------------------------------------------------ running */

static struct options {
	struct backend_options backend;
	uint64_t seed;
	unsigned long count;
	const char *ops_file;
	bool stats, print;
} opt = {.seed = 1, .count = 1000};

/* What every page holds at the end, in every process. */
static void final_state(unsigned long nr)
{
	struct op op = {.len = 8};

	for (op.proc = 0; op.proc < MAX_PROCS; op.proc++) {
		if (!shadow[op.proc].alive)
			continue;
		op.kind = OP_PAGEMAP;
		run_op(nr, &op);
		op.kind = OP_LOAD;
		op.at.seg = SEG_ARENA;
		for (op.at.off = 0; op.at.off < ARENA_SPAN * PAGE;
		     op.at.off += PAGE)
			if (shadow[op.proc].arena[op.at.off / PAGE])
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

static unsigned long run_generated(void)
{
	char text[256];
	struct gen g;
	struct op op;

	gen_init(&g, opt.seed);
	for (unsigned long i = 1; i <= opt.count; i++) {
		gen_next(&g, &op);
		if (opt.print) {
			op_print(&op, text, sizeof(text));
			puts(text);
		} else {
			run_op(i, &op);
		}
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

/* The read-only file's contents are a matter of file_byte() too. */
static void make_ro(const char *path)
{
	FILE *f = fopen(path, "w");

	for (uint64_t i = 0; f && i < RO_SIZE; i++)
		putc(file_byte(i), f);
	if (!f || fclose(f)) {
		perror(path);
		exit(2);
	}
	exit(0);
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
		else if (!strcmp(a, "--make-ro"))
			make_ro(v);
		else {
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
	if (!opt.print)
		backend_init(&opt.backend);
	shadow[0].alive = true;
	if (opt.ops_file && opt.count == 1000)
		opt.count = (unsigned long)-1;
	nr = opt.ops_file ? run_file() : run_generated();
	if (!opt.print) {
		final_state(nr + 1);
		bad = backend_finish();
		printf("end\n");
	}
	fflush(stdout);
	if (opt.stats)
		print_stats();
	return bad ? 1 : 0;
}
