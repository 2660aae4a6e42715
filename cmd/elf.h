/* SPDX-License-Identifier: MIT */
#ifndef CMD_ELF_H
#define CMD_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_ARM	   40u
#define ELF_X86_64 62u

/* e_flags of an ARM program that passes floating-point numbers in registers:
 * in Debian's armhf, for ARMv7. */
#define ELF_ARM_HARD_FLOAT 0x400u

enum elf_verdict {
	ELF_FINE,
	ELF_NOT_ELF,	    /* no magic */
	ELF_CUT_SHORT,	    /* the headers reach past the file's end */
	ELF_OTHER_MACHINE,  /* not 64-bit x86-64 nor 32-bit ARM */
	ELF_NOT_A_PROGRAM,  /* relocatable, a core, or nothing to load */
	ELF_BROKEN_HEADERS, /* sizes, offsets or addresses make no sense */
};

/* What the headers of a program say; only set when the verdict is ELF_FINE. */
struct elf_summary {
	uint16_t machine; /* ELF_X86_64 or ELF_ARM */
	uint32_t flags;	  /* e_flags: ELF_ARM_HARD_FLOAT ... */
	uint16_t type;	  /* ET_EXEC 2 or ET_DYN 3 */
	uint64_t entry;	  /* address, before a position-independent one moves */
	uint64_t memory;  /* bytes that its segments take */
	uint64_t interp_offset; /* PT_INTERP's string in the file */
	uint64_t interp_len;	/* with its NUL; 0: none (static) */
	unsigned loads;		/* PT_LOAD segments */
};

/*
 * elf_read: judge a program by the first n bytes of its file, which is
 * file_size bytes long (n <= file_size).  Pure: no I/O, reads nothing past
 * data + n.  Headers beyond n are ELF_CUT_SHORT.  *machine, when not NULL,
 * gets e_machine (0 when unreadable) for the message.
 * Source: System V ABI, chapters 4 and 5, its AMD64 supplement, and "ELF for
 * the Arm Architecture".
 */
enum elf_verdict elf_read(const uint8_t *data, size_t n, uint64_t file_size,
			  struct elf_summary *out, unsigned *machine);

/* elf_machine_name: "ARM" for 40 and so on, or NULL. */
const char *elf_machine_name(unsigned machine);

#endif
