/* SPDX-License-Identifier: MIT */
/*
 * elf.h - reading ELF64 headers out of a buffer, and nothing else.
 *
 * Pure functions without kernel dependencies, so that a fuzzer can link them.
 * Source of the formats: System V ABI, chapters 4 and 5; AMD64 supplement.
 */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_HEADER_SIZE 64u
#define ELF_PHDR_SIZE	56u
#define ELF_MAX_PHDRS	64u /* more is refused */

#define ELF_PF_X 1u
#define ELF_PF_W 2u
#define ELF_PF_R 4u

struct elf_header {
	bool pie; /* ET_DYN */
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
	uint64_t interp_off, interp_len; /* len 0: no interpreter */
	bool exec_stack;
	uint64_t phdr_vaddr; /* where the program headers will be, or 0 */
};

/*
 * elf_read_header: the first ELF_HEADER_SIZE bytes of a file.  0; -ENOEXEC (8,
 * negative) when it is not an ELF64 x86-64 program.
 */
int elf_read_header(const void *buf, size_t len, struct elf_header *h);
/*
 * elf_read_segments: phnum program headers in buf, against the file's size.
 * 0, or -ENOEXEC where they contradict each other or leave the user range
 * [0, limit).
 */
int elf_read_segments(const void *buf, size_t len, const struct elf_header *h,
		      uint64_t file_size, uint64_t limit,
		      struct elf_image *image);

#endif
