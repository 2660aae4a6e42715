/* SPDX-License-Identifier: MIT */
/*
 * durability.h - what durability.c, in the machine, tells durability_host.c,
 * outside of it, about the file that both have.
 *
 * The file consists of 32-bit words, each either 0 or its version with a check
 * that depends on the word's place: a word, or page, in the wrong place or of
 * another file is noticed.  A write is a run of words of one version; versions
 * only grow.
 */
#ifndef TESTS_KERNEL_DURABILITY_H
#define TESTS_KERNEL_DURABILITY_H

#include <stdint.h>

#define DUR_PAGE_WORDS	 1024u
#define DUR_PAGES	 130u /* the longest that the file gets */
#define DUR_WORDS	 (DUR_PAGES * DUR_PAGE_WORDS)
#define DUR_VERSION_BITS 18
#define DUR_STEPS	 8u /* versions that one round has */
#define DUR_ROUNDS	 ((1u << DUR_VERSION_BITS) / DUR_STEPS - 2)

static inline uint32_t dur_word(uint32_t index, uint32_t version)
{
	uint32_t h = (index * 0x9e3779b1u) ^ (version * 0x85ebca6bu);

	if (!version)
		return 0;
	h = (h ^ (h >> 15)) * 0xc2b2ae35u;
	return version | (h ^ (h >> 13)) << DUR_VERSION_BITS;
}

static inline uint32_t dur_version(uint32_t word)
{
	return word & ((1u << DUR_VERSION_BITS) - 1);
}

enum dur_op {
	DUR_WRITE = 1, /* words [a, b) get version c: sent before they do */
	DUR_WROTE,     /* words [a, b) have version c */
	DUR_UNWRITTEN, /* write() failed: errno c */
	DUR_SYNCING,   /* a sync begins */
	DUR_SYNCED,    /* pages [a, b) are said to be stored */
	DUR_FAILED,    /* pages [a, b) were not: errno c */
	DUR_SIZING,    /* the file will have a words; it had b */
	DUR_SIZED,     /* the file has a words; it had b; errno c */
	DUR_HELD,      /* a second opener */
	DUR_AGAIN,     /* its first fsync: errno a; a second one: errno c */
	DUR_BUS,       /* SIGBUS at word a */
	DUR_BAD,   /* the program saw what must not be: line a, values b, c */
	DUR_ROUND, /* the end of round a: in step, a byte is waited for */
};
struct dur_record {
	uint32_t op, a, b, c;
};

#endif
