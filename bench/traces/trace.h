/* SPDX-License-Identifier: MIT */
/*
 * trace.h - page traces: which pages a program used, in order.
 *
 * A file starts with lines of text, up to an empty one:
 *
 *	quire page trace 1
 *	program sort -o sorted input    (what was recorded; for people)
 *	window 64                       (of the filter, see record.c)
 *	accesses 31337421               (of memory, before it)
 *	records 81234                   (that follow)
 *	anon 2103                       (pages of private memory)
 *	file 482 libc.so.6              (pages of a file, and its name; any
 *	                                number of such lines)
 *
 * Pages are numbered from 0: those of private memory, in the order of their
 * addresses, then those of each file.  A record is one number or two, each in
 * groups of 7 bits, the lowest first, all but the last with bit 7 set (LEB128):
 *
 *	zigzag(page - page of the record before, 0 at first) * 8 + operation
 *	DROP only: pages
 *
 * where zigzag(d) is 2d, or -2d - 1 for d < 0.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trace_op {
	TRACE_LOAD,  /* through a mapping */
	TRACE_STORE, /* the same; only pages of private memory and of files
		      * that are mapped shared */
	TRACE_FETCH, /* of an instruction */
	TRACE_READ,  /* read(2) of some of a file's page */
	TRACE_WRITE, /* write(2) to it */
	TRACE_DROP,  /* munmap(2), or as good as that: private memory's
		      * contents are gone */
	TRACE_OPS
};

struct trace_record {
	uint32_t page;
	uint32_t count; /* DROP: pages from there on; else 1 */
	uint8_t op;
};

#define TRACE_FILES 256

struct trace {
	char program[128];
	uint32_t window;
	uint64_t accesses;
	uint32_t pages, anon; /* all; those of private memory */
	uint32_t files;
	uint32_t first[TRACE_FILES]; /* first page of each */
	uint32_t length[TRACE_FILES];
	char name[TRACE_FILES][64];
	size_t records;
	struct trace_record *record;
	uint32_t touched; /* pages that some record but DROP names */
};

/*
 * trace_load: read a trace; a name that ends in .xz is unpacked with xz(1).
 * 0, or -1 with a line on stderr: it is not there, or not a whole trace.
 * trace_free: what it holds.
 */
int trace_load(struct trace *t, const char *path);
void trace_free(struct trace *t);

/*
 * What demand paging costs in a memory of so many frames, all of them for the
 * trace's pages: a miss for each use of a page that is not in memory.  cold:
 * misses on a page's first use, or its first since it was dropped; again: all
 * others.
 */
struct trace_misses {
	uint64_t cold, again;
};
/*
 * trace_min: by the rule that evicts the page that is used again last (or
 * never, or after it is dropped), which is the least that there can be
 * (Belady, "A study of replacement algorithms for a virtual-storage computer",
 * 1966).  trace_lru: the least recently used.  0, or -1: out of memory.
 */
int trace_min(const struct trace *t, uint32_t frames, struct trace_misses *out);
int trace_lru(const struct trace *t, uint32_t frames, struct trace_misses *out);

#endif
