/* SPDX-License-Identifier: MIT */
/*
 * The options of `quire run` about disks, files and transfers.
 *
 * All but --disk become words of the kernel's command line; which policies
 * there are is the kernel's to know.
 */
#include "cmd/options.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/swap.h"

#define PAGE	    4096u
#define MAX_AROUND  (UINT64_C(2) << 20)	 /* what one page table maps */
#define MAX_AHEAD   (UINT64_C(64) << 20) /* far more than any device gains */
#define MAX_NAME    31
#define OTHER_SLOTS 2 /* devices of every machine: console, root */

enum parse_result set_disk(struct run_options *o, const char *v)
{
	size_t len = strlen(v);
	struct run_disk *d;

	if (o->nr_disks == RUN_MAX_DISKS) {
		complain("--disk %s: %d disks are the most", v, RUN_MAX_DISKS);
		return PARSE_BAD;
	}
	d = &o->disk[o->nr_disks++];
	d->file = v;
	d->readonly = len >= 3 && strcmp(v + len - 3, ",ro") == 0;
	d->len = (int)(d->readonly ? len - 3 : len);
	if (d->len > 0)
		return PARSE_OK;
	complain("--disk %s: a file is expected", v);
	return PARSE_BAD;
}

int check_disks(const struct run_options *o)
{
	const struct board *b = board_of(o->arch);
	unsigned swap = swap_has_drive(o) ? 1u : 0u;
	unsigned others = OTHER_SLOTS + (o->share ? 1u : 0u) + swap;

	if (o->nr_disks + others <= b->devices)
		return 0;
	return complain("--disk: the %s machine has room for %u%s%s", b->name,
			b->devices - others, o->share ? " beside --share" : "",
			!swap	   ? ""
			: o->share ? " and --swap"
				   : " beside --swap");
}

enum parse_result set_fault_around(struct run_options *o, const char *v)
{
	uint64_t bytes;

	if (!parse_size(v, &bytes) || bytes > MAX_AROUND ||
	    (bytes & (bytes - 1)) || (bytes && bytes < PAGE)) {
		complain("--fault-around %s: a power of two from 4K (which is "
			 "none) to 2M is expected",
			 v);
		return PARSE_BAD;
	}
	o->fault_around = bytes ? bytes : PAGE;
	return PARSE_OK;
}

enum parse_result set_readahead(struct run_options *o, const char *v)
{
	uint64_t bytes;

	if (!parse_size(v, &bytes) || bytes > MAX_AHEAD || bytes % PAGE) {
		complain("--readahead %s: a multiple of 4K up to 64M is "
			 "expected, or 0",
			 v);
		return PARSE_BAD;
	}
	o->readahead = bytes;
	return PARSE_OK;
}

enum parse_result set_policy(const char *option, const char *v, const char **to)
{
	size_t len = strlen(v);

	if (len == 0 || len > MAX_NAME ||
	    strspn(v, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len) {
		complain("--%s %s: the name of a policy is expected", option,
			 v);
		return PARSE_BAD;
	}
	*to = v;
	return PARSE_OK;
}

/* How many numbers of at most nine digits with commas between them, or -1. */
static int count_numbers(const char *v)
{
	int n = 0;

	for (;; v++) {
		size_t digits = strspn(v, "0123456789");

		if (digits == 0 || digits > 9)
			return -1;
		n++;
		v += digits;
		if (!*v)
			return n;
		if (*v != ',')
			return -1;
	}
}

enum parse_result set_inject_io(struct run_options *o, const char *v)
{
	if (count_numbers(v) != 4) {
		complain("--inject-io %s: SEED,SHORT,WRITE,READ is expected: "
			 "four numbers",
			 v);
		return PARSE_BAD;
	}
	o->inject_io = v;
	return PARSE_OK;
}

/* Add " quire.NAME=VALUE" to the words; NULL: nothing to tell. */
static char *add_text(char *words, const char *name, const char *value)
{
	char *more;

	if (!value)
		return words;
	more = xasprintf("%s quire.%s=%s", words, name, value);
	free(words);
	return more;
}

static char *add_size(char *words, const char *name, uint64_t bytes)
{
	char *value;

	if (bytes == RUN_DEFAULT)
		return words;
	value = xasprintf("%llu", (unsigned long long)bytes);
	words = add_text(words, name, value);
	free(value);
	return words;
}

char *io_words(const struct run_options *o)
{
	char *w = swap_words(o);

	w = add_size(w, "fault_around", o->fault_around);
	w = add_size(w, "readahead", o->readahead);
	w = add_text(w, "fault_around_policy", o->fault_around_policy);
	w = add_text(w, "readahead_policy", o->readahead_policy);
	w = add_text(w, "reclaim_policy", o->reclaim);
	return add_text(w, "inject_io", o->inject_io);
}
