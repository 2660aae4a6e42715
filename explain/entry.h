/* SPDX-License-Identifier: MIT */
/*
 * entry.h - the path of one exception through the kernel (entry.c), as it was
 * followed, symbol by symbol.
 */
#ifndef QUIRE_EXPLAIN_ENTRY_H
#define QUIRE_EXPLAIN_ENTRY_H

#include <elfutils/libdwfl.h>

#include "explain.h"

/* A run of instructions of one label or function. */
struct stretch {
	char *name, *file; /* malloc'ed; file may be NULL */
	unsigned line;
	const char *mode; /* the processor's */
	bool is_c;	  /* compiled from C; otherwise assembly */
	bool begins;	  /* at the symbol's first instruction */
	unsigned depth;	  /* of calls, since C began */
	unsigned long instructions;
};

/* What is followed; the labels are the program's (program/). */
struct entry_kind {
	const char *name, *tells;
	const char *from;  /* the instruction that it begins with */
	const char *until; /* ... and ends with, when it comes there */
	unsigned visits;   /* for the so-manieth time */
};
/* One without a name ends them. */
extern const struct entry_kind entry_kinds[];

struct path {
	const struct entry_kind *kind;
	const char *arch;
	struct stretch *at;
	size_t n, cap;
	uint64_t from, until;
	char arrival[256]; /* what the processor left for the vector's code */
	unsigned long total;
};

/* entry_symbols.c: both ELF files, each at the addresses it is linked for. */
Dwfl *entry_symbols(const char *kernel, const char *program);
/* A label of the program's.  Ends the program when there is none. */
uint64_t entry_label(Dwfl *d, const char *name);
/* What pc belongs to: name, file, line, is_c, begins. */
void entry_locate(Dwfl *d, uint64_t pc, struct stretch *s);

/* entry_show.c */
void entry_show(const struct path *p, const struct options *o);

#endif
