/* SPDX-License-Identifier: MIT */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "cmd/board.h"

#define RUN_MAX_CPUS 8			  /* of any machine */
#define RUN_MIN_RAM  (UINT64_C(24) << 20) /* the kernel boots; a shell runs */

#define RUN_MAX_DISKS 8
#define RUN_DEFAULT   UINT64_MAX

/* --disk FILE[,ro] */
struct run_disk {
	const char *file; /* not ended by a NUL: */
	int len;
	bool readonly;
};

/* --swap, --swap-device */
enum swap_kind { SWAP_NONE, SWAP_FILE, SWAP_ZRAM, SWAP_NBD };
struct run_swap {
	enum swap_kind kind;
	uint64_t bytes;	   /* 0: what is there */
	const char *where; /* a path or URI; NULL: a temporary file */
	int fd;		   /* see swap.h; -1: none */
};

/* The options of `quire run`. */
struct run_options {
	enum arch arch;	   /* the machine's */
	unsigned cpus;	   /* 1 ... RUN_MAX_CPUS */
	uint64_t ram;	   /* bytes, a multiple of 1 MiB; 0: the machine's */
	unsigned levels;   /* page-table levels: 4 or 5; 0: the machine's */
	const char *accel; /* "tcg" or "kvm" */
	bool icount;	   /* count instructions as time; one CPU */
	const char *root;  /* the program's /, read-only */
	const char *share; /* a directory it may write, or NULL */
	struct run_disk disk[RUN_MAX_DISKS];
	unsigned nr_disks;
	/* bytes, or RUN_DEFAULT */
	uint64_t fault_around, readahead;
	/* or NULL; inject_io: four numbers, as the kernel takes them */
	const char *fault_around_policy, *readahead_policy, *inject_io;
	const char *reclaim; /* a policy's name, or NULL */
	struct run_swap swap;
	const char *json;  /* where the report goes as JSON; or NULL */
	const char *trace; /* where the events go; or NULL */
	const char
		*kernel; /* the kernel's image; NULL: the one built with us */
	bool quiet;	 /* no report on stderr */
	bool verbose;	 /* the kernel's log on stderr */
	char **program;	 /* program and its arguments, NULL at the end */
	int nr_program;
};

enum parse_result {
	PARSE_OK,
	PARSE_HELP, /* --help was asked for */
	PARSE_BAD,  /* a line about it has been printed */
};

/*
 * parse_run: argv[0] is "run".  Options end at the first word that is not one
 * or at "--"; what follows is the program's.  Fills in the defaults.  Reads
 * no file and starts nothing.
 */
enum parse_result parse_run(int argc, char **argv, struct run_options *o);

/*
 * settle_arch: once, when the machine is known: by --arch (parse_run does it
 * then) or by the program.  Sets o->arch and the defaults that depend on it. 0,
 * or EXIT_QUIRE after a line that says what that machine cannot do.
 */
int settle_arch(struct run_options *o, enum arch arch);

/*
 * parse_size: a number with K, M or G (powers of 1024; none: MiB, as QEMU's
 * -m), nothing else around it.  Returns false when it is not one, or when it
 * does not fit 64 bits.
 */
bool parse_size(const char *text, uint64_t *bytes);

/*
 * io_options.c: those about disks, files and transfers.  Each takes the
 * option's value in and returns what parse_run() does.
 */
enum parse_result set_disk(struct run_options *o, const char *v);
enum parse_result set_fault_around(struct run_options *o, const char *v);
enum parse_result set_readahead(struct run_options *o, const char *v);
enum parse_result set_policy(const char *option, const char *v,
			     const char **to);
enum parse_result set_inject_io(struct run_options *o, const char *v);
/* The machine has room for the disks, and for swap: 0, or EXIT_QUIRE after a
 * line. */
int check_disks(const struct run_options *o);
/* Words for the kernel's command line, each after a blank; malloc'ed. */
char *io_words(const struct run_options *o);

extern const char run_help[];

#endif
