/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include <stdio.h>

#include "cmd/options.h"

#define REPORT_KINDS 48

struct report_kind {
	char name[24];
	uint64_t count, minor, major, kernel, total_ns, max_ns;
};

enum report_end {
	END_NONE,    /* the machine stopped without a word */
	END_EXIT,    /* number: the status */
	END_SIGNAL,  /* number: the signal */
	END_ERROR,   /* text: why the program could not be started */
	END_PANIC,   /* text: what the kernel found */
	END_REFUSED, /* text: which option makes no sense to the kernel */
};

/* All that the kernel said on its report channel. */
struct report {
	bool ready; /* the kernel came up */
	uint64_t cpus, ram, levels;
	unsigned nr_kinds;
	struct report_kind kind[REPORT_KINDS];
	uint64_t peak_rss, peak_tables, peak_vmas; /* bytes, bytes, count */
	uint64_t processes, switches, syscalls_unknown, uptime_ns;
	/* files: pages, and windows that they were read in */
	uint64_t ra_windows, ra_pages, dirtied, written;
	/* memory that was short: pages; direct_ns: waited for by who wanted it
	 */
	uint64_t swap_ins, swap_outs, refaults_anon, refaults_file, scanned,
		stolen, direct_ns, oom_kills;
	uint64_t trace_lost; /* events that the kernel had no room for */
	bool checked;
	uint64_t check; /* broken invariants, when checked */
	enum report_end end;
	int64_t number;
	char text[256];
	unsigned bad_lines; /* lines that made no sense */
};

/* report_take: take in one line (it is changed in place). */
void report_take(struct report *r, char *line);

/* report_print: the table for people.  Nothing when there was no fault. */
void report_print(const struct report *r, FILE *f);

/* report_json: the same for programs; docs/report-format.md describes it. */
void report_json(const struct report *r, const struct run_options *o, FILE *f);

#endif
