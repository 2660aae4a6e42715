/* SPDX-License-Identifier: MIT */
/*
 * What the kernel counted: taken in line by line (kernel/include/protocol.h,
 * 5), printed as a table or as JSON.  The kernel is not trusted more than a
 * file would be: lines that make no sense are counted and left.
 */
#include "cmd/report.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/swap.h"

static uint64_t number(const struct json_line *l, const char *name)
{
	int64_t v = json_number(l, name);

	return v < 0 ? 0 : (uint64_t)v;
}

static void take_kind(struct report *r, const struct json_line *l)
{
	const char *name = json_text(l, "fault");
	struct report_kind *k;

	if (!name || r->nr_kinds == REPORT_KINDS) {
		r->bad_lines++;
		return;
	}
	k = &r->kind[r->nr_kinds++];
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->count = number(l, "count");
	k->minor = number(l, "minor");
	k->major = number(l, "major");
	k->kernel = number(l, "kernel");
	k->total_ns = number(l, "total_ns");
	k->max_ns = number(l, "max_ns");
}

static void take_end(struct report *r, const struct json_line *l)
{
	const char *text = NULL;

	if (json_has(l, "exit")) {
		r->end = END_EXIT;
		r->number = json_number(l, "exit");
	} else if (json_has(l, "signal")) {
		r->end = END_SIGNAL;
		r->number = json_number(l, "signal");
	} else if (json_has(l, "error")) {
		r->end = END_ERROR;
		text = json_text(l, "error");
	} else if (json_has(l, "panic")) {
		r->end = END_PANIC;
		text = json_text(l, "panic");
	} else if (json_has(l, "refused")) {
		r->end = END_REFUSED;
		text = json_text(l, "refused");
	} else {
		r->bad_lines++;
	}
	if (text)
		snprintf(r->text, sizeof(r->text), "%s", text);
}

void report_take(struct report *r, char *line)
{
	struct json_line l;

	if (!json_parse(line, &l)) {
		r->bad_lines++;
	} else if (json_has(&l, "ready")) {
		r->ready = true;
		r->cpus = number(&l, "cpus");
		r->ram = number(&l, "ram");
		r->levels = number(&l, "levels");
	} else if (json_has(&l, "fault")) {
		take_kind(r, &l);
	} else if (json_has(&l, "check")) {
		r->checked = true;
		r->check = number(&l, "check");
	} else if (json_has(&l, "readahead_windows")) {
		r->ra_windows = number(&l, "readahead_windows");
		r->ra_pages = number(&l, "readahead_pages");
		r->dirtied = number(&l, "dirtied_pages");
		r->written = number(&l, "written_pages");
	} else if (json_has(&l, "swap_ins")) {
		r->swap_ins = number(&l, "swap_ins");
		r->swap_outs = number(&l, "swap_outs");
		r->refaults_anon = number(&l, "refaults_anon");
		r->refaults_file = number(&l, "refaults_file");
		r->scanned = number(&l, "scanned");
		r->stolen = number(&l, "stolen");
		r->direct_ns = number(&l, "direct_reclaim_ns");
		r->oom_kills = number(&l, "oom_kills");
	} else if (json_has(&l, "peak_rss_bytes")) {
		r->peak_rss = number(&l, "peak_rss_bytes");
		r->peak_tables = number(&l, "peak_table_bytes");
		r->peak_vmas = number(&l, "peak_vmas");
		r->processes = number(&l, "processes");
		r->switches = number(&l, "switches");
		r->syscalls_unknown = number(&l, "syscalls_unknown");
		r->uptime_ns = number(&l, "uptime_ns");
		r->trace_lost = number(&l, "trace_lost");
	} else {
		take_end(r, &l);
	}
}

static struct report_kind sum_kinds(const struct report *r)
{
	struct report_kind all = {.name = "all"};

	for (unsigned i = 0; i < r->nr_kinds; i++) {
		const struct report_kind *k = &r->kind[i];

		all.count += k->count;
		all.minor += k->minor;
		all.major += k->major;
		all.kernel += k->kernel;
		all.total_ns += k->total_ns;
		if (k->max_ns > all.max_ns)
			all.max_ns = k->max_ns;
	}
	return all;
}

static uint64_t mean_ns(const struct report_kind *k)
{
	return k->count ? k->total_ns / k->count : 0;
}

static void print_kind(FILE *f, const struct report_kind *k)
{
	fprintf(f,
		"  %-16s %9" PRIu64 " %9" PRIu64 " %7" PRIu64 " %8" PRIu64
		" %9.2f %9.2f\n",
		k->name, k->count, k->minor, k->major, k->kernel,
		(double)mean_ns(k) / 1e3, (double)k->max_ns / 1e3);
}

/* A size as people read it: 1.5M. */
static void print_size(FILE *f, const char *what, uint64_t bytes)
{
	if (bytes >= 10u << 20)
		fprintf(f, "%s %.1f MiB", what, (double)bytes / (1 << 20));
	else
		fprintf(f, "%s %" PRIu64 " KiB", what, bytes >> 10);
}

static void print_reclaim(const struct report *r, FILE *f)
{
	if (!r->scanned && !r->swap_ins && !r->swap_outs)
		return;
	fprintf(f,
		"\n  reclaim: %" PRIu64 " pages scanned, %" PRIu64
		" stolen, %" PRIu64 " refaults, %.2f ms waited for it",
		r->scanned, r->stolen, r->refaults_anon + r->refaults_file,
		(double)r->direct_ns / 1e6);
	fprintf(f, "\n  swap: %" PRIu64 " pages in, %" PRIu64 " out",
		r->swap_ins, r->swap_outs);
	if (r->oom_kills)
		fprintf(f,
			"\n  %" PRIu64 " processes were killed: there was no "
			"memory left",
			r->oom_kills);
}

void report_print(const struct report *r, FILE *f)
{
	struct report_kind all = sum_kinds(r);

	if (r->nr_kinds == 0)
		return;
	fprintf(f, "\n  %-16s %9s %9s %7s %8s %9s %9s\n", "page faults",
		"count", "minor", "major", "kernel", "mean us", "worst us");
	for (unsigned i = 0; i < r->nr_kinds; i++)
		print_kind(f, &r->kind[i]);
	print_kind(f, &all);
	print_size(f, "\n  peak: resident", r->peak_rss);
	print_size(f, ", page tables", r->peak_tables);
	fprintf(f, ", VMAs %" PRIu64, r->peak_vmas);
	if (r->ra_pages || r->dirtied)
		fprintf(f,
			"\n  file pages: %" PRIu64 " read ahead in %" PRIu64
			" windows, %" PRIu64 " made dirty, %" PRIu64
			" written back",
			r->ra_pages, r->ra_windows, r->dirtied, r->written);
	print_reclaim(r, f);
	fprintf(f, "\n  %" PRIu64 " processes, %" PRIu64 " switches, %.2f s\n",
		r->processes, r->switches, (double)r->uptime_ns / 1e9);
	if (r->syscalls_unknown)
		fprintf(f,
			"  %" PRIu64 " system calls are not there "
			"(--verbose names them)\n",
			r->syscalls_unknown);
	if (r->checked)
		fprintf(f, "  quire_check: %" PRIu64 " violations\n", r->check);
}

static void json_kind(FILE *f, const struct report_kind *k)
{
	fprintf(f, "{\"kind\": ");
	json_put_string(f, k->name);
	fprintf(f,
		", \"count\": %" PRIu64 ", \"minor\": %" PRIu64
		", \"major\": %" PRIu64 ", \"kernel\": %" PRIu64
		", \"total_ns\": %" PRIu64 ", \"mean_ns\": %" PRIu64
		", \"worst_ns\": %" PRIu64 "}",
		k->count, k->minor, k->major, k->kernel, k->total_ns,
		mean_ns(k), k->max_ns);
}

static void json_end(const struct report *r, FILE *f)
{
	static const char *const how[] = {
		[END_NONE] = "crash",	 [END_EXIT] = "exit",
		[END_SIGNAL] = "signal", [END_ERROR] = "error",
		[END_PANIC] = "panic",	 [END_REFUSED] = "error",
	};

	fprintf(f, "  \"end\": {\"how\": \"%s\"", how[r->end]);
	if (r->end == END_EXIT || r->end == END_SIGNAL)
		fprintf(f, ", \"number\": %" PRId64, r->number);
	if (r->end == END_ERROR || r->end == END_PANIC ||
	    r->end == END_REFUSED) {
		fprintf(f, ", \"text\": ");
		json_put_string(f, r->text);
	}
	fprintf(f, "},\n");
}

static void json_reclaim(const struct report *r, const struct run_options *o,
			 FILE *f)
{
	const char *kind = swap_kind_name(o);

	fprintf(f,
		"  \"reclaim\": {\"scanned\": %" PRIu64 ", \"stolen\": %" PRIu64
		", \"refaults_anon\": %" PRIu64 ", \"refaults_file\": %" PRIu64
		", \"direct_ns\": %" PRIu64 ", \"oom_kills\": %" PRIu64 "},\n",
		r->scanned, r->stolen, r->refaults_anon, r->refaults_file,
		r->direct_ns, r->oom_kills);
	fprintf(f, "  \"swap\": {");
	if (kind)
		fprintf(f, "\"device\": \"%s\", ", kind);
	fprintf(f,
		"\"bytes\": %" PRIu64 ", \"ins\": %" PRIu64
		", \"outs\": %" PRIu64 "},\n",
		o->swap.bytes, r->swap_ins, r->swap_outs);
}

void report_json(const struct report *r, const struct run_options *o, FILE *f)
{
	struct report_kind all = sum_kinds(r);

	fprintf(f, "{\n  \"format\": 1,\n  \"quire\": \"%s\",\n",
		QUIRE_VERSION);
	fprintf(f, "  \"program\": [");
	for (int i = 0; i < o->nr_program; i++) {
		fprintf(f, "%s", i ? ", " : "");
		json_put_string(f, o->program[i]);
	}
	fprintf(f, "],\n");
	json_end(r, f);
	fprintf(f,
		"  \"machine\": {\"arch\": \"%s\", \"cpus\": %u, "
		"\"ram_bytes\": %" PRIu64
		", \"levels\": %u, \"accel\": \"%s\", \"icount\": %s},\n",
		board_of(o->arch)->name, o->cpus, o->ram, o->levels, o->accel,
		o->icount ? "true" : "false");
	fprintf(f, "  \"faults\": [");
	for (unsigned i = 0; i < r->nr_kinds; i++) {
		fprintf(f, "%s\n    ", i ? "," : "");
		json_kind(f, &r->kind[i]);
	}
	fprintf(f, "%s],\n  \"all_faults\": ", r->nr_kinds ? "\n  " : "");
	json_kind(f, &all);
	fprintf(f,
		",\n  \"peak\": {\"rss_bytes\": %" PRIu64
		", \"table_bytes\": %" PRIu64 ", \"vmas\": %" PRIu64 "},\n",
		r->peak_rss, r->peak_tables, r->peak_vmas);
	fprintf(f,
		"  \"file_pages\": {\"readahead\": %" PRIu64
		", \"readahead_windows\": %" PRIu64 ", \"dirtied\": %" PRIu64
		", \"written\": %" PRIu64 "},\n",
		r->ra_pages, r->ra_windows, r->dirtied, r->written);
	json_reclaim(r, o, f);
	if (r->checked)
		fprintf(f, "  \"check_violations\": %" PRIu64 ",\n", r->check);
	fprintf(f,
		"  \"processes\": %" PRIu64 ",\n  \"switches\": %" PRIu64
		",\n  \"unknown_calls\": %" PRIu64
		",\n  \"trace_lost\": %" PRIu64 ",\n  \"uptime_ns\": %" PRIu64
		"\n}\n",
		r->processes, r->switches, r->syscalls_unknown, r->trace_lost,
		r->uptime_ns);
}
