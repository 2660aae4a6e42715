/* SPDX-License-Identifier: MIT */
/*
 * elf.h - reading ELF headers out of a buffer, and nothing else.
 *
 * Pure functions without kernel dependencies, so that a fuzzer can link them.
 * Source of the formats: System V ABI, chapters 4 and 5; AMD64 supplement; ELF
 * for the ARM architecture (ARM IHI 0044).
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_HEADER_SIZE 64u /* what is read; a 32-bit file's has 52 */
#define ELF_PHDR_SIZE	56u /* at most; a 32-bit file's has 32 */
#define ELF_MAX_PHDRS	64u /* more is refused */

#define ELF_PF_X 1u
#define ELF_PF_W 2u
#define ELF_PF_R 4u

#define ELF_MACHINE_ARM	   40u
#define ELF_MACHINE_X86_64 62u

struct elf_header {
	bool pie;	    /* ET_DYN */
	bool is32;	    /* ELFCLASS32 */
	unsigned phdr_size; /* of one program header in the file */
	uint64_t entry;
	uint64_t phoff;
	unsigned phnum;
};

struct elf_segment {
	uint64_t offset, vaddr, filesz, memsz;
	uint32_t flags; /* ELF_PF_* */
};

struct elf_image {
	struct elf_segment load[ELF_MAX_PHDRS];
	unsigned nr_load;
	uint64_t low, high; /* page-aligned extent of all segments */
	uint64_t interp_off;
	size_t interp_len; /* 0: no interpreter */
	bool exec_stack;
	uint64_t phdr_vaddr; /* where the program headers will be, or 0 */
};

/*
 * elf_read_header: the first ELF_HEADER_SIZE bytes of a file, or all of a
 * shorter one.  0; -ENOEXEC (8, negative) when it is not a program for that
 * machine (ELF_MACHINE_*), of its usual class.
 */
int elf_read_header(const void *buf, size_t len, unsigned machine,
		    struct elf_header *h);
/*
 * elf_read_segments: phnum program headers in buf, against the file's size.
 * 0, or -ENOEXEC where they contradict each other or leave the user range
 * [0, limit).
 */
int elf_read_segments(const void *buf, size_t len, const struct elf_header *h,
		      uint64_t file_size, uint64_t limit,
		      struct elf_image *image);

#endif
