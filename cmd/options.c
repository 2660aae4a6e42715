/* SPDX-License-Identifier: MIT */
/*
 * The command line of `quire run`.  One table has every option; an option's
 * value may stand in the next word or after an equals sign.
 */
#include "cmd/options.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/swap.h"

const char run_help[] =
	"usage: quire run [OPTION...] [--] PROGRAM [ARG...]\n"
	"\n"
	"Boots Quire's kernel in QEMU and runs PROGRAM, an unmodified x86-64 "
	"or\n"
	"32-bit ARM Linux program, on it.  Standard input, output and error "
	"and\n"
	"the exit status are the program's; a report of its page faults "
	"follows\n"
	"on standard error.\n"
	"\n"
	"  --arch ARCH      the machine: x86_64, armv7 or armv6 (by the "
	"program:\n"
	"                   x86_64, or armv7 for ARM)\n"
	"  --cpus N         processors, 1 to 8, on armv7 to 4, on armv6 1 (1)\n"
	"  --ram SIZE       memory, as 512M or 2G (1G; on ARM 512M, at most "
	"760M)\n"
	"  --levels 4|5     page-table levels, on x86_64 (4)\n"
	"  --accel KIND     tcg (anywhere) or kvm (needs /dev/kvm) (tcg)\n"
	"  --icount         count instructions as nanoseconds: costs in the\n"
	"                   report are the same in every run; one processor\n"
	"  --root DIR       the program's root directory, read-only (/)\n"
	"  --share DIR      a directory it may write, at /mnt/share\n"
	"  --disk FILE[,ro] a disk with FILE's bytes: /dev/vda, the next one "
	"vdb\n"
	"  --swap SIZE      room for memory that does not fit, as 512M or 2G\n"
	"  --swap-device KIND\n"
	"                   where: file (a temporary one), file:PATH, zram\n"
	"                   (compressed memory) or nbd:URI (file)\n"
	"  --reclaim NAME   which pages go when memory is short: quire-run(1)\n"
	"  --fault-around SIZE, --readahead SIZE, --fault-around-policy NAME,\n"
	"  --readahead-policy NAME\n"
	"                   how files are mapped and read: quire-run(1)\n"
	"  --inject-io SEED,SHORT,WRITE,READ\n"
	"                   transfers that fail, for tests: quire-run(1)\n"
	"  --json FILE      write the report as JSON\n"
	"  --trace FILE     write every fault and every change of a map\n"
	"  --kernel FILE    boot this kernel instead of the installed one\n"
	"  -q, --quiet      no report on standard error\n"
	"  -v, --verbose    the kernel's log on standard error\n"
	"  -h, --help       this text\n"
	"\n"
	"Exit status: the program's; 128 + N when signal N ended it; 125 when\n"
	"quire itself failed, 126 when PROGRAM cannot be run, 127 when it was\n"
	"not found.\n";

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMG";
	unsigned shift = 20;
	uint64_t n = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (p == text)
		return false;
	if (*p) {
		const char *u = strchr(units, *p >= 'a' ? *p - 'a' + 'A' : *p);

		if (!u || p[1])
			return false;
		shift = 10 * (unsigned)(u - units + 1);
	}
	if (n > UINT64_MAX >> shift)
		return false;
	*bytes = n << shift;
	return true;
}

enum option_id {
	OPT_ARCH,
	OPT_CPUS,
	OPT_RAM,
	OPT_LEVELS,
	OPT_ACCEL,
	OPT_ICOUNT,
	OPT_ROOT,
	OPT_SHARE,
	OPT_DISK,
	OPT_FAULT_AROUND,
	OPT_FAULT_AROUND_POLICY,
	OPT_READAHEAD,
	OPT_READAHEAD_POLICY,
	OPT_INJECT_IO,
	OPT_SWAP,
	OPT_SWAP_DEVICE,
	OPT_RECLAIM,
	OPT_JSON,
	OPT_TRACE,
	OPT_KERNEL,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_HELP,
};

static const struct option_row {
	const char *name;
	char letter; /* 0: none */
	bool takes_value;
	enum option_id id;
} option_rows[] = {
	{"arch", 0, true, OPT_ARCH},
	{"cpus", 0, true, OPT_CPUS},
	{"ram", 0, true, OPT_RAM},
	{"levels", 0, true, OPT_LEVELS},
	{"accel", 0, true, OPT_ACCEL},
	{"icount", 0, false, OPT_ICOUNT},
	{"root", 0, true, OPT_ROOT},
	{"share", 0, true, OPT_SHARE},
	{"disk", 0, true, OPT_DISK},
	{"fault-around", 0, true, OPT_FAULT_AROUND},
	{"fault-around-policy", 0, true, OPT_FAULT_AROUND_POLICY},
	{"readahead", 0, true, OPT_READAHEAD},
	{"readahead-policy", 0, true, OPT_READAHEAD_POLICY},
	{"inject-io", 0, true, OPT_INJECT_IO},
	{"swap", 0, true, OPT_SWAP},
	{"swap-device", 0, true, OPT_SWAP_DEVICE},
	{"reclaim", 0, true, OPT_RECLAIM},
	{"json", 0, true, OPT_JSON},
	{"trace", 0, true, OPT_TRACE},
	{"kernel", 0, true, OPT_KERNEL},
	{"quiet", 'q', false, OPT_QUIET},
	{"verbose", 'v', false, OPT_VERBOSE},
	{"help", 'h', false, OPT_HELP},
};

/* The row that `word` (with its dashes) names; *value is what follows '='. */
static const struct option_row *find_option(const char *word,
					    const char **value)
{
	*value = NULL;
	for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]);
	     i++) {
		const struct option_row *row = &option_rows[i];
		size_t len = strlen(row->name);

		if (row->letter && word[1] == row->letter && !word[2])
			return row;
		if (word[1] != '-' || strncmp(word + 2, row->name, len) != 0)
			continue;
		if (!word[2 + len])
			return row;
		if (word[2 + len] == '=' && row->takes_value) {
			*value = word + 2 + len + 1;
			return row;
		}
	}
	return NULL;
}

static enum parse_result set_cpus(struct run_options *o, const char *v)
{
	if (v[0] < '1' || v[0] > '0' + RUN_MAX_CPUS || v[1]) {
		complain("--cpus %s: a number from 1 to %d is expected", v,
			 RUN_MAX_CPUS);
		return PARSE_BAD;
	}
	o->cpus = (unsigned)(v[0] - '0');
	return PARSE_OK;
}

static enum parse_result set_ram(struct run_options *o, const char *v)
{
	if (!parse_size(v, &o->ram)) {
		complain("--ram %s: a size such as 512M or 2G is expected", v);
		return PARSE_BAD;
	}
	if (o->ram < RUN_MIN_RAM) {
		complain("--ram %s is too little: the kernel needs %uM", v,
			 (unsigned)(RUN_MIN_RAM >> 20));
		return PARSE_BAD;
	}
	o->ram &= ~((UINT64_C(1) << 20) - 1);
	return PARSE_OK;
}

static enum parse_result set_arch(struct run_options *o, const char *v)
{
	o->arch = board_named(v);
	if (o->arch != ARCH_FROM_PROGRAM)
		return PARSE_OK;
	complain("--arch %s: x86_64, armv7 or armv6 is expected", v);
	return PARSE_BAD;
}

static enum parse_result set_choice(const char *name, const char *v,
				    const char *a, const char *b,
				    const char **to)
{
	if (strcmp(v, a) != 0 && strcmp(v, b) != 0) {
		complain("--%s %s: %s or %s is expected", name, v, a, b);
		return PARSE_BAD;
	}
	*to = v;
	return PARSE_OK;
}

/* Options whose value is a word to keep; NULL: not one of them. */
static const char **word_of(struct run_options *o, enum option_id id)
{
	switch (id) {
	case OPT_ROOT:
		return &o->root;
	case OPT_SHARE:
		return &o->share;
	case OPT_JSON:
		return &o->json;
	case OPT_TRACE:
		return &o->trace;
	case OPT_KERNEL:
		return &o->kernel;
	default:
		return NULL;
	}
}

static enum parse_result set_option(struct run_options *o, enum option_id id,
				    const char *v)
{
	const char **word = word_of(o, id), *levels;

	if (word) {
		*word = v;
		return PARSE_OK;
	}
	switch (id) {
	case OPT_ARCH:
		return set_arch(o, v);
	case OPT_CPUS:
		return set_cpus(o, v);
	case OPT_RAM:
		return set_ram(o, v);
	case OPT_LEVELS:
		if (set_choice("levels", v, "4", "5", &levels) != PARSE_OK)
			return PARSE_BAD;
		o->levels = levels[0] == '4' ? 4 : 5;
		return PARSE_OK;
	case OPT_ACCEL:
		return set_choice("accel", v, "tcg", "kvm", &o->accel);
	case OPT_ICOUNT:
		o->icount = true;
		return PARSE_OK;
	case OPT_DISK:
		return set_disk(o, v);
	case OPT_FAULT_AROUND:
		return set_fault_around(o, v);
	case OPT_READAHEAD:
		return set_readahead(o, v);
	case OPT_FAULT_AROUND_POLICY:
		return set_policy("fault-around-policy", v,
				  &o->fault_around_policy);
	case OPT_READAHEAD_POLICY:
		return set_policy("readahead-policy", v, &o->readahead_policy);
	case OPT_INJECT_IO:
		return set_inject_io(o, v);
	case OPT_SWAP:
		return set_swap(o, v);
	case OPT_SWAP_DEVICE:
		return set_swap_device(o, v);
	case OPT_RECLAIM:
		return set_policy("reclaim", v, &o->reclaim);
	case OPT_QUIET:
		o->quiet = true;
		return PARSE_OK;
	case OPT_VERBOSE:
		o->verbose = true;
		return PARSE_OK;
	case OPT_HELP:
		return PARSE_HELP;
	default:
		break;
	}
	return PARSE_BAD;
}

/* 2G or 760M, for messages; the caller frees it. */
static char *size_text(uint64_t bytes)
{
	uint64_t mib = bytes >> 20;

	if (mib % 1024 == 0)
		return xasprintf("%lluG", (unsigned long long)mib >> 10);
	return xasprintf("%lluM", (unsigned long long)mib);
}

int settle_arch(struct run_options *o, enum arch arch)
{
	const struct board *b = board_of(arch);
	char *asked, *most;

	o->arch = arch;
	if (o->cpus > b->max_cpus)
		return complain("--cpus %u: the %s machine has at most %u",
				o->cpus, b->name, b->max_cpus);
	if (o->ram > b->max_ram) {
		asked = size_text(o->ram);
		most = size_text(b->max_ram);
		complain("--ram %s is too much: %s is the most on %s", asked,
			 most, b->name);
		free(asked);
		free(most);
		return EXIT_QUIRE;
	}
	if (o->levels && arch != ARCH_X86_64)
		return complain("--levels %u: page tables have %u levels on %s",
				o->levels, b->levels, b->name);
	if (strcmp(o->accel, "kvm") == 0 && arch != ARCH_X86_64)
		return complain("--accel kvm: there is only tcg for %s",
				b->name);
	if (check_disks(o) != 0)
		return EXIT_QUIRE;
	if (!o->ram)
		o->ram = b->ram;
	if (!o->levels)
		o->levels = b->levels;
	return 0;
}

/* What no single option can tell. */
static enum parse_result check_together(struct run_options *o)
{
	if (o->nr_program == 0) {
		complain("which program? (quire run --help tells more)");
		return PARSE_BAD;
	}
	if (o->icount && o->cpus > 1) {
		complain(
			"--icount counts for one processor: not with --cpus %u",
			o->cpus);
		return PARSE_BAD;
	}
	if (o->icount && strcmp(o->accel, "tcg") != 0) {
		complain("--icount needs --accel tcg");
		return PARSE_BAD;
	}
	if (check_swap_options(o) != PARSE_OK)
		return PARSE_BAD;
	if (o->arch != ARCH_FROM_PROGRAM && settle_arch(o, o->arch) != 0)
		return PARSE_BAD;
	return PARSE_OK;
}

enum parse_result parse_run(int argc, char **argv, struct run_options *o)
{
	int i = 1;

	*o = (struct run_options){
		.cpus = 1,
		.accel = "tcg",
		.root = "/",
		.fault_around = RUN_DEFAULT,
		.readahead = RUN_DEFAULT,
		.swap = {.fd = -1},
	};
	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		const char *word = argv[i++], *value;
		const struct option_row *row;
		enum parse_result r;

		if (strcmp(word, "--") == 0)
			break;
		row = find_option(word, &value);
		if (!row) {
			complain("run has no option %s (quire run --help "
				 "lists them)",
				 word);
			return PARSE_BAD;
		}
		if (row->takes_value && !value) {
			if (i == argc) {
				complain("%s needs a value", word);
				return PARSE_BAD;
			}
			value = argv[i++];
		}
		r = set_option(o, row->id, value);
		if (r != PARSE_OK)
			return r;
	}
	o->program = argv + i;
	o->nr_program = argc - i;
	return check_together(o);
}
