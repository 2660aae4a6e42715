/* SPDX-License-Identifier: MIT */
/*
 * The reclaim policies against each other and against the optimum, on page
 * traces of real programs (bench/traces).
 *
 * usage: reclaim TRACE...
 *
 * Each trace is played on the simulated machine, once for each policy and
 * amount of memory: loads and stores of a mapping, reads of a file, memory
 * given back.  What is counted is pages that had to be read again, from swap or
 * a file, after they had been in memory.
 *
 * What makes these comparable with the optimum, which needs as many frames as
 * the trace's pages had at most while it was played, and no time: no readahead
 * of files or swap, no fault-around, and devices that answer at once.  All
 * reclaim is direct, so a run repeats exactly.  The TLB has 64 entries, since
 * the memory is small, too: what stays in it is not seen to be used.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bench/traces/trace.h>
#include <sim/sim.h>

#define PAGE   ((uaddr_t)4096)
#define BASE   ((uaddr_t)0x200000000000)
#define SAMPLE 64u /* records between looks at how much is resident */

struct result {
	uint64_t again, frames;
	uint64_t scanned, stolen;
	uint64_t tables; /* pages that are none of the trace's, at most */
};

struct player {
	const struct trace *t;
	struct sim_machine *m;
	struct sim_task *task;
	struct sim_file *file[TRACE_FILES];
	uaddr_t at[TRACE_FILES];
	uint8_t *used;	 /* by page: since it was dropped */
	uint32_t *owner; /* by page: its file */
	int swap;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "reclaim: %s\n", what);
	exit(1);
}

static void set(struct player *p, enum quire_tunable which, uint64_t v)
{
	if (quire_set_tunable(sim_quire(p->m), which, v))
		die("a tunable is refused");
}

/* The mappings: what a file may be used for is what the trace does with it. */
static void map_all(struct player *p)
{
	const struct trace *t = p->t;
	unsigned prot[TRACE_FILES] = {0};
	uaddr_t at = BASE;
	uint32_t i, n;
	size_t r;

	for (i = 0; i < t->files; i++)
		for (n = 0; n < t->length[i]; n++)
			p->owner[t->first[i] + n] = i;
	for (r = 0; r < t->records; r++) {
		if (t->record[r].page < t->anon)
			continue;
		i = p->owner[t->record[r].page];
		prot[i] |= t->record[r].op == TRACE_FETCH   ? PROT_EXEC
			   : t->record[r].op == TRACE_STORE ? PROT_WRITE
							    : 0;
	}
	if (sim_mmap(p->task, at, t->anon * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) < 0)
		die("mmap failed");
	at += (t->anon + 1) * PAGE;
	for (i = 0; i < t->files; i++) {
		p->file[i] = sim_file_create(p->m, t->name[i],
					     t->length[i] * PAGE, i + 1);
		p->at[i] = at;
		if (!p->file[i] ||
		    sim_mmap(p->task, at, t->length[i] * PAGE,
			     PROT_READ | prot[i], MAP_SHARED | MAP_FIXED,
			     p->file[i], 0) < 0)
			die("mmap of a file failed");
		at += (t->length[i] + 1) * PAGE;
	}
}

static void start(struct player *p, const struct trace *t, uint64_t frames,
		  const struct quire_reclaim_policy *policy)
{
	struct sim_config config = {.ram_bytes = frames * PAGE,
				    .tlb_sets = 16,
				    .overcommit = 1,
				    .reclaim = policy};
	struct sim_swap_config swap = {.slots = t->anon + 1024,
				       .flags = QUIRE_SWAP_SYNC};

	memset(p, 0, sizeof(*p));
	p->t = t;
	p->used = calloc(t->pages, 1);
	p->owner = calloc(t->pages, sizeof(*p->owner));
	p->m = sim_machine_create(&config);
	if (!p->m || !p->used || !p->owner)
		die("no machine");
	set(p, QUIRE_TUNABLE_FAULT_AROUND_BYTES, PAGE);
	set(p, QUIRE_TUNABLE_READAHEAD_BYTES, 0);
	set(p, QUIRE_TUNABLE_PAGE_CLUSTER, 0);
	set(p, QUIRE_TUNABLE_MIN_FREE_KBYTES, 128);
	p->swap = sim_swapon(p->m, &swap);
	p->task = sim_task_create(p->m);
	if (p->swap < 0 || !p->task)
		die("no swap, or no task");
	map_all(p);
}

static void file_record(struct player *p, const struct trace_record *r)
{
	uint32_t i = p->owner[r->page];
	uint64_t pos = (r->page - p->t->first[i]) * PAGE;
	uint8_t byte = 1;
	int failed = 0;

	switch (r->op) {
	case TRACE_LOAD:
		failed = sim_load8(p->task, p->at[i] + pos, &byte);
		break;
	case TRACE_STORE:
		failed = sim_store8(p->task, p->at[i] + pos, 1);
		break;
	case TRACE_FETCH:
		failed = sim_fetch(p->task, p->at[i] + pos, &byte, 1);
		break;
	case TRACE_READ:
		failed = sim_file_read(p->file[i], pos, &byte, 1) != 1;
		break;
	case TRACE_WRITE:
		failed = sim_file_write(p->file[i], pos, &byte, 1) != 1;
		break;
	default:
		break;
	}
	if (failed)
		die("an access to a file failed");
	p->used[r->page] = 1;
}

/* The first use is a store: what was read only would be the zero page. */
static void private_record(struct player *p, const struct trace_record *r)
{
	uaddr_t addr = BASE + r->page * PAGE;
	uint8_t v;

	if (r->op == TRACE_DROP) {
		if (sim_madvise(p->task, addr, r->count * PAGE, MADV_DONTNEED))
			die("madvise failed");
		memset(p->used + r->page, 0, r->count);
		return;
	}
	if (r->op == TRACE_STORE || !p->used[r->page]
		    ? sim_store8(p->task, addr, (uint8_t)(r->page % 255 + 1))
		    : sim_load8(p->task, addr, &v) || v != r->page % 255 + 1)
		die("an access to memory failed, or its contents are wrong");
	p->used[r->page] = 1;
}

static void sample(struct player *p, struct result *out)
{
	uint64_t now = sim_vmstat(p->m, "nr_anon_pages") +
		       sim_vmstat(p->m, "nr_file_pages");

	out->frames = now > out->frames ? now : out->frames;
}

static void finish(struct player *p, struct result *out)
{
	struct sim_swap_stats swap;
	struct sim_file_stats file;
	uint64_t first_reads = 0;
	uint32_t i;

	sim_swap_get_stats(p->m, (unsigned)p->swap, &swap);
	out->again = swap.reads;
	for (i = p->t->anon; i < p->t->pages; i++)
		first_reads += p->used[i];
	for (i = 0; i < p->t->files; i++) {
		sim_file_get_stats(p->file[i], &file);
		out->again += file.reads;
	}
	out->again -= first_reads;
	out->scanned = sim_vmstat(p->m, "pgscan_direct");
	out->stolen = sim_vmstat(p->m, "pgsteal_direct");
	out->tables = sim_vmstat(p->m, "nr_page_table_pages") +
		      sim_vmstat(p->m, "nr_slab");
	sim_exit(p->task);
	for (i = 0; i < p->t->files; i++)
		sim_file_close(p->file[i]);
	if (sim_machine_destroy(p->m))
		die("something is wrong with the machine");
	free(p->used);
	free(p->owner);
}

static void play(const struct trace *t, uint64_t frames,
		 const struct quire_reclaim_policy *policy, struct result *out)
{
	struct player p;
	size_t i;

	memset(out, 0, sizeof(*out));
	start(&p, t, frames, policy);
	for (i = 0; i < t->records; i++) {
		if (t->record[i].page < t->anon)
			private_record(&p, &t->record[i]);
		else
			file_record(&p, &t->record[i]);
		if (i % SAMPLE == 0)
			sample(&p, out);
	}
	finish(&p, out);
}

/* Frames of RAM that leave `want` for the trace's pages: the machine's own
 * and Quire's tables come on top. */
static uint64_t own_frames(const struct trace *t)
{
	const uint64_t plenty = 4ull * t->pages + 8192;
	struct result r;
	struct player p;
	uint64_t free;

	start(&p, t, plenty, NULL);
	free = sim_vmstat(p.m, "nr_free_pages");
	finish(&p, &r);
	/* what is not free in an empty machine, less what of it is struct page
	 * of memory that the smaller one does not have; tables as the trace
	 * needs them at most; less what they get of the reserve at first */
	play(t, plenty, NULL, &r);
	return plenty - free - (plenty - t->touched) / 64 + r.tables - 32;
}

#define POLICIES 8u
extern const struct quire_reclaim_policy clock_policy; /* examples/ */

/* Those of the library, then the example; NULL past the last. */
static const struct quire_reclaim_policy *policy_at(unsigned i)
{
	const struct quire_reclaim_policy *p = quire_reclaim_policy(i);

	if (p || !i)
		return p;
	return quire_reclaim_policy(i - 1) ? &clock_policy : NULL;
}

static void headings(void)
{
	unsigned i;

	printf("%-8s %6s %8s %8s", "memory", "frames", "optimum", "LRU");
	for (i = 0; policy_at(i); i++)
		printf(" %14s", policy_at(i)->name);
	printf("    pages looked at for each that went\n");
}

static void row(const struct trace *t, uint64_t own, unsigned part)
{
	struct trace_misses min, lru;
	struct result r[POLICIES];
	uint64_t frames = 0;
	unsigned n, i;

	for (n = 0; n < POLICIES && policy_at(n); n++) {
		play(t, t->touched * part / 100 + own, policy_at(n), &r[n]);
		frames = r[n].frames > frames ? r[n].frames : frames;
	}
	if (trace_min(t, (uint32_t)frames, &min) ||
	    trace_lru(t, (uint32_t)frames, &lru))
		die("out of memory");
	printf("%6u %% %6" PRIu64 " %8" PRIu64 " %8" PRIu64, part, frames,
	       min.again, lru.again);
	for (i = 0; i < n; i++)
		printf(" %14" PRIu64, r[i].again);
	printf("   ");
	for (i = 0; i < n; i++)
		printf(" %.1f", (double)r[i].scanned /
					(double)(r[i].stolen + !r[i].stolen));
	putchar('\n');
	fflush(stdout);
}

static void compare(const char *path)
{
	unsigned part;
	struct trace t;
	uint64_t own;

	if (trace_load(&t, path))
		exit(1);
	own = own_frames(&t);
	printf("%s: %u pages\n", t.program, t.touched);
	for (part = 25; part <= 75; part += 25)
		row(&t, own, part);
	trace_free(&t);
}

int main(int argc, char **argv)
{
	int i;

	headings();
	for (i = 1; i < argc; i++)
		compare(argv[i]);
	return argc < 2;
}
