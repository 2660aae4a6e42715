/* SPDX-License-Identifier: MIT */
/*
 * `quire run`: the order of events.
 *
 *	options -> program found and judged, and which machine it needs ->
 *	  files opened -> machine started
 *	  -> streams until it ends -> what its end means -> report, JSON
 *
 * All that can be told before the machine starts is told then, in one line.
 */
#define _GNU_SOURCE
#include "cmd/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/init_record.h"
#include "cmd/machine.h"
#include "cmd/options.h"
#include "cmd/program.h"
#include "cmd/streams.h"
#include "cmd/swap.h"
#include "cmd/trace.h"

/* Standard descriptors that are closed would be taken by our own files. */
static void hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd >= 3)
		close(fd);
}

static FILE *open_output(const char *option, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		complain("%s %s: %s", option, path, strerror(errno));
	return f;
}

static int close_output(const char *option, const char *path, FILE *f)
{
	bool bad = ferror(f) != 0;

	if (fclose(f) != 0 || bad)
		return complain("%s %s: %s", option, path, strerror(errno));
	return 0;
}

/* The working directory in the guest: ours, when its root is ours. */
static char *guest_directory(const struct run_options *o)
{
	char *cwd = strcmp(o->root, "/") == 0 ? getcwd(NULL, 0) : NULL;

	return cwd && cwd[0] == '/' ? cwd : xasprintf("/");
}

/* The last lines of a log, indented, on stderr. */
static void show_tail(const char *title, const struct buffer *b)
{
	const char *p = buffer_at(b), *end = p + buffer_len(b), *start = end;
	unsigned lines = 0;

	if (buffer_len(b) == 0)
		return;
	while (start > p && lines < 20)
		if (*--start == '\n' && start + 1 < end)
			lines++;
	if (*start == '\n')
		start++;
	fprintf(stderr, "quire: %s:\n%.*s%s", title, (int)(end - start), start,
		end[-1] == '\n' ? "" : "\n");
}

/* What the machine's end means for ours. */
static int judge_end(const struct run_options *o, const struct found_program *p,
		     struct streams_result *r, int status)
{
	switch (r->report.end) {
	case END_EXIT:
		return (int)(r->report.number & 0xff);
	case END_SIGNAL:
		if (r->report.number == SIGILL && o->arch == ARCH_ARMV6 &&
		    p->hard_float)
			complain("%s: a hard-float program, which most often "
				 "needs --arch armv7",
				 o->program[0]);
		return 128 + (int)(r->report.number & 0x7f);
	case END_ERROR:
		complain("%s: %s", o->program[0], r->report.text);
		return EXIT_CANNOT_RUN;
	case END_REFUSED:
		return complain("%s", r->report.text);
	case END_PANIC:
		complain("the kernel failed: %s", r->report.text);
		if (!o->verbose)
			show_tail("the end of its log", &r->log);
		return EXIT_QUIRE;
	case END_NONE:
		break;
	}
	if (r->killed_by) {
		complain("the machine did not react to signal %d and was ended",
			 r->killed_by);
		return 128 + r->killed_by;
	}
	if (!r->report.ready && buffer_len(&r->errors) > 0)
		complain("QEMU could not start the machine");
	else if (WIFSIGNALED(status))
		complain("QEMU was ended by signal %d", WTERMSIG(status));
	else
		complain("the machine ended without a word (QEMU's status %d)",
			 WEXITSTATUS(status));
	show_tail("QEMU said", &r->errors);
	if (!o->verbose)
		show_tail("the end of the kernel's log", &r->log);
	return EXIT_QUIRE;
}

struct outputs {
	FILE *json, *trace; /* or NULL */
};

static int open_outputs(const struct run_options *o, struct outputs *out)
{
	*out = (struct outputs){NULL, NULL};
	if (o->json && !(out->json = open_output("--json", o->json)))
		return EXIT_QUIRE;
	if (o->trace && !(out->trace = open_output("--trace", o->trace)))
		return EXIT_QUIRE;
	if (out->trace)
		trace_begin(out->trace);
	return 0;
}

static int run_machine(const struct run_options *o,
		       const struct found_program *p, const char *cwd,
		       const char *kernel)
{
	struct streams_result r = {0};
	struct buffer init = {0};
	struct outputs out;
	struct machine m;
	int status;

	if (open_outputs(o, &out) != 0)
		return EXIT_QUIRE;
	make_init_records(o, p->path, cwd, &init);
	streams_block_signals();
	status = machine_start(o, kernel, &init, &m);
	buffer_free(&init);
	if (status != 0)
		return status;
	streams_run(&m, out.trace, o->verbose, &r);
	status = judge_end(o, p, &r, machine_end(&m));
	if (r.report.trace_lost)
		complain("--trace %s: %llu events were lost", o->trace,
			 (unsigned long long)r.report.trace_lost);
	if (!o->quiet)
		report_print(&r.report, stderr);
	if (out.json) {
		report_json(&r.report, o, out.json);
		if (close_output("--json", o->json, out.json) != 0)
			status = EXIT_QUIRE;
	}
	if (out.trace && close_output("--trace", o->trace, out.trace) != 0)
		status = EXIT_QUIRE;
	buffer_free(&r.log);
	buffer_free(&r.errors);
	return status;
}

int command_run(int argc, char **argv)
{
	struct found_program program;
	char *cwd = NULL, *kernel = NULL;
	struct run_options o;
	int status = EXIT_QUIRE;

	hold_standard_streams();
	switch (parse_run(argc, argv, &o)) {
	case PARSE_OK:
		break;
	case PARSE_HELP:
		fputs(run_help, stdout);
		return fflush(stdout) == 0 ? 0 : EXIT_QUIRE;
	case PARSE_BAD:
		return EXIT_QUIRE;
	}
	cwd = guest_directory(&o);
	status = find_program(&o, getenv("PATH"), cwd, &program);
	if (status == 0 && o.arch == ARCH_FROM_PROGRAM)
		status = settle_arch(&o, program.arch);
	if (status != 0)
		goto out;
	status = EXIT_QUIRE;
	kernel = machine_find_kernel(&o);
	if (kernel && swap_open(&o) == 0)
		status = run_machine(&o, &program, cwd, kernel);
	swap_close(&o);
out:
	free(kernel);
	free(program.path);
	free(cwd);
	return status;
}
