/* SPDX-License-Identifier: MIT */
#ifndef CMD_BOARD_H
#define CMD_BOARD_H

#include "cmd/cmd.h"

/* What `--arch` names; ARCH_FROM_PROGRAM until the program's file is read. */
enum arch {
	ARCH_FROM_PROGRAM,
	ARCH_X86_64,
	ARCH_ARMV7,
	ARCH_ARMV6,
	NR_ARCHES,
};

/* A machine that a kernel of ours boots on, and its limits. */
struct board {
	const char *name;    /* as in --arch */
	const char *runs;    /* what programs it is for */
	const char *qemu;    /* the emulator */
	const char *package; /* Debian's package of it */
	const char *machine; /* its -M and -cpu; cpu NULL: accel's */
	const char *cpu;
	const char *built;     /* the kernel's image, from build/bin */
	const char *installed; /* and from PREFIX/bin */
	unsigned max_cpus;
	unsigned levels; /* page-table levels unless --levels */
	uint64_t ram;	 /* bytes unless --ram */
	uint64_t max_ram;
	unsigned devices; /* virtio devices that it has room for */
};

/* board_of: never NULL for an arch but ARCH_FROM_PROGRAM. */
const struct board *board_of(enum arch arch);

/* board_named: ARCH_FROM_PROGRAM when there is no such name. */
enum arch board_named(const char *name);

#endif
