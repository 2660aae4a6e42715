/* SPDX-License-Identifier: MIT */
/*
 * gdb.h - a processor in QEMU, held and moved on one instruction at a time:
 * the client's half of GDB's remote serial protocol (GDB manual, appendix E).
 */
#ifndef QUIRE_EXPLAIN_GDB_H
#define QUIRE_EXPLAIN_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gdb {
	int fd;
	unsigned char in[4096]; /* received, not yet looked at */
	size_t start, end;
};

/*
 * gdb_connect: to the Unix socket at `path`, waiting up to `seconds` for
 * somebody to listen there.  The processor stands still afterwards.  All calls
 * return false when the other side is gone or does not answer as it should.
 */
bool gdb_connect(struct gdb *g, const char *path, unsigned seconds);
/* Stop before the instruction at addr is executed; or no longer. */
bool gdb_break(struct gdb *g, uint64_t addr, bool set);
/* Run until a breakpoint; at most `seconds`. */
bool gdb_continue(struct gdb *g, unsigned seconds);
/* One instruction (an exception taken counts as one). */
bool gdb_step(struct gdb *g);
/* The first n bytes of the registers, in GDB's order, little-endian. */
bool gdb_registers(struct gdb *g, unsigned char *to, size_t n);
bool gdb_memory(struct gdb *g, uint64_t addr, void *to, size_t n);
/* Let go of it: it runs on. */
void gdb_detach(struct gdb *g);

#endif
