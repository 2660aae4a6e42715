/* SPDX-License-Identifier: MIT */
/*
 * Differential tests: one stream of operations, several executors.
 *
 *     seed ──ops.c──► operation ──replay.c──► backend ──► result
 *                          │                                │
 *                          └──────────── log line ──────────┘
 *
 * A backend carries operations out: replay_linux.c by system calls of the
 * kernel it runs on (the host's Linux, or Quire's kernel in QEMU),
 * replay_sim.c by Quire's functions on the simulated machine.  What the log
 * says, and how, is in replay.c alone; so two logs of one seed are the same
 * text or one of the two systems is wrong.
 *
 * Addresses in operations are relative to an arena of ARENA_PAGES pages that
 * nothing else uses, or to the program break at the start.
 */
#ifndef DIFF_OPS_H
#define DIFF_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ll
/*
 * Programs and formats of 32 bits have streams of their own: the same kinds of
 * operations in the same places, but lengths and addresses of 32 bits.  They
 * are for 3 GiB of user addresses or a little less; so what is at the end of
 * them is relative to it (SEG_TOP).
 */
#if (defined(QUIRE_UADDR_BITS) && QUIRE_UADDR_BITS == 32) ||                   \
	__SIZEOF_POINTER__ == 4
#define NARROW	   1
#define ARENA_BASE 0x20000000ull
/* A function that returns, on x86 and on ARM: "ret", which is the low byte of
 * "mov r0, r3, asr #1"; and "bx lr". */
#define CODE "\xc3\x00\xa0\xe1\x1e\xff\x2f\xe1"
#else
#define NARROW	   0
#define ARENA_BASE 0x200000000000ull
#define CODE	   "\xc3"
#endif
#define CODE_BYTES (sizeof(CODE) - 1)
/*
 * Most operations are in the low and the high zone, so that they overlap; the
 * space between is wider than the stack guard gap (256 pages).
 */
#define ZONE_PAGES  48
#define ARENA_PAGES 640
#define ARENA_SPAN  (ARENA_PAGES + 160) /* with what mappings stick out */
#define BRK_PAGES   24
#define MAX_PROCS   4
/* Arena and break begin at a multiple of this: caches with aliases (ARMv6) make
 * a difference between addresses that a smaller one leaves open. */
#define COLOUR_SPAN (8 * PAGE)
#define TOP_SPAN    0x30000000u /* what is told from USER_TOP on */

enum op_kind {
	OP_MMAP,     /* where len prot flags file offset */
	OP_MUNMAP,   /* where len */
	OP_MPROTECT, /* where len prot */
	OP_MREMAP,   /* where old_len new_len flags where2 */
	OP_MADVISE,  /* where len advice */
	OP_MINCORE,  /* where len */
	OP_MSYNC,    /* where len flags */
	OP_MLOCK,    /* where len flags */
	OP_MUNLOCK,  /* where len */
	OP_MUNLOCKALL,
	OP_BRK,	     /* where */
	OP_LOAD,     /* where bytes */
	OP_STORE,    /* where bytes value */
	OP_FETCH,    /* where: run CODE there, if that is there */
	OP_PREAD,    /* where bytes file offset */
	OP_PWRITE,   /* where bytes file offset */
	OP_TRUNCATE, /* file: to len bytes */
	OP_FORK,     /* new process's number */
	OP_EXIT,
	OP_MAPS,
	OP_PAGEMAP,
	OP_SMAPS,
	OP_MLOCKALL, /* flags */
	/*
	 * where bytes of process `other`: process_vm_readv and writev.  Linux
	 * gives a shared anonymous page that is only read this way its own
	 * copy ("unshare"), which later fault counts show and which is not
	 * Quire's way: so OP_PEEK is not generated.
	 */
	OP_PEEK,
	OP_POKE,
	/*
	 * len bytes; flags 0: RLIMIT_STACK; 1: RLIMIT_MEMLOCK, which holds from
	 * now on (the process gives up CAP_IPC_LOCK); 2: it holds no more.
	 */
	OP_LIMIT,
	OP_FALLOC, /* file mode (flags) offset bytes: fallocate(2) */
	OP_FSYNC,  /* file; flags 1: fdatasync */
	OP_STAT,   /* file: st_size */
	OP_SUM,	   /* file: all that read(2) gives, as a checksum */
	OP_KINDS
};

/* What a relative address is relative to. */
enum seg { SEG_ARENA, SEG_BRK, SEG_ABS, SEG_TOP };

/* Files that a mapping can name; opened by the backend. */
enum file_id {
	FILE_NONE,   /* descriptor -1 */
	FILE_RO,     /* a regular file of RO_SIZE bytes, opened read-only */
	FILE_SHM,    /* a file in memory, of SHM_SIZE bytes at first, RDWR */
	FILE_SHM_RO, /* the same file, opened read-only */
	FILE_SHM_WO, /* and write-only */
	FILE_BAD,    /* a descriptor that is not open */
	FILE_ZERO,   /* /dev/zero, RDWR */
	FILE_DATA,   /* a regular file on a disk, DATA_SIZE bytes at first */
	FILE_DATA_RO,
	FILE_DATA_WO,
	FILE_DATA2, /* a second RDWR open of it: mappings do not merge */
	FILE_IDS
};
#define RO_SIZE	  (9 * PAGE + 1234)
#define SHM_SIZE  (10 * PAGE + 100)
#define DATA_SIZE (11 * PAGE + 700)

struct where {
	enum seg seg;
	int64_t off; /* bytes; SEG_ABS: the address itself */
		     /* SEG_TOP: from the end of user addresses */
};

struct op {
	enum op_kind kind;
	unsigned proc; /* which process does it */
	struct where at, to;
	uint64_t len, new_len;
	unsigned prot, flags, value;
	unsigned other; /* another process */
	enum file_id file;
	uint64_t offset;
};

/* What came of it. */
struct result {
	int64_t ret;	/* 0, an errno below 0, a count, or a place: */
	bool is_place;	/* ret is an address, and `place` tells which */
	bool elsewhere; /* outside arena and break; it was unmapped again */
	struct where place;
	int sig, code; /* signal that ended an access, 0: none */
	struct where sig_at;
	uint64_t done, hash; /* bytes accessed, and of loads their hash */
	unsigned minflt;
	unsigned char vec[ARENA_SPAN]; /* mincore, pagemap */
	unsigned nvec;
	char *text;	 /* maps: lines of "start end perms offset name" */
	unsigned locked; /* maps: pages of VmLck */
};

/* Generator: a pure function of the seed. */
struct gen {
	uint64_t state;
	int parent[MAX_PROCS]; /* -1: not alive; itself: the first */
	unsigned since_maps;
	unsigned long nr;
	struct op then; /* what has to follow at once, if pending */
	bool pending;
};
void gen_init(struct gen *g, uint64_t seed);
void gen_next(struct gen *g, struct op *op);
/* MADV_FREE is followed by the same with MADV_DONTNEED, as its effect is
 * nobody's to know. */
bool gen_after(const struct op *op, struct op *then);
/*
 * With little memory: sometimes one operation more, after one of g's, that
 * takes memory away: false: none.  A matter of own's state.
 */
bool gen_pressure(const struct gen *g, struct gen *own, struct op *op);
/* Text form of an operation, and back; op_parse returns false on nonsense. */
void op_print(const struct op *op, char *buf, size_t cap);
bool op_parse(const char *line, struct op *op);

/* The byte of a fresh file at an offset. */
unsigned char file_byte(uint64_t offset);
/* What OP_STORE puts at the i-th byte from address `at` on. */
unsigned char store_byte(const struct op *op, uint64_t at, uint64_t i);
uint64_t hash_bytes(uint64_t h, const void *p, size_t n);
#define HASH_START 0xcbf29ce484222325ull

/*
 * A backend.  init: one process, number 0, with an empty arena.  run: carry
 * out an operation of process op->proc; OP_FORK makes process op->value,
 * OP_EXIT ends one that has no children.  finish: end all; returns faults
 * found in itself (0: none).
 */
struct backend_options {
	uint64_t base;	       /* arena's address, 0: the default */
	const char *ro_path;   /* the read-only file, made by the caller */
	const char *data_path; /* and FILE_DATA; NULL: the backend makes one in
				* memory (tmpfs, shmem) */
};
void backend_init(const struct backend_options *opt);
void backend_run(const struct op *op, struct result *res);
unsigned backend_finish(void);

#endif
