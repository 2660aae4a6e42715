/* SPDX-License-Identifier: MIT */
/*
 * Reads a program's ELF headers, so that `quire run` can say in one line why
 * a file will not run before it starts a machine.  The kernel has its own
 * loader; this one only judges.
 *
 * The bytes are not trusted: every offset is checked against the buffer, every
 * sum against wrap-around.  It is a fuzz target (fuzz/elf.c).
 */
#include "cmd/elf.h"

#include <string.h>

#define EHDR_SIZE 64u
#define PHDR_SIZE 56u
#define PT_LOAD	  1u
#define PT_INTERP 3u
#define EM_X86_64 62u
#define USER_TOP  (UINT64_C(1) << 56) /* five levels: 57 bits, half of them */

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

struct phdr {
	uint32_t type;
	uint64_t offset, vaddr, filesz, memsz, align;
};

static struct phdr get_phdr(const uint8_t *p)
{
	return (struct phdr){
		.type = (uint32_t)get(p, 4),
		.offset = get(p + 8, 8),
		.vaddr = get(p + 16, 8),
		.filesz = get(p + 32, 8),
		.memsz = get(p + 40, 8),
		.align = get(p + 48, 8),
	};
}

static enum elf_verdict check_ident(const uint8_t *d, size_t n,
				    unsigned *machine)
{
	static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

	if (n < sizeof(magic) || memcmp(d, magic, sizeof(magic)) != 0)
		return ELF_NOT_ELF;
	if (n < 20)
		return ELF_CUT_SHORT;
	/* e_machine is at 18 in both classes; d[5] is the byte order. */
	*machine = d[5] == 2 ? (unsigned)d[18] << 8 | d[19]
			     : (unsigned)get(d + 18, 2);
	if (d[4] != 2 || d[5] != 1 || *machine != EM_X86_64)
		return ELF_OTHER_MACHINE;
	if (n < EHDR_SIZE)
		return ELF_CUT_SHORT;
	return ELF_FINE;
}

/* One segment: inside the file, inside the user's addresses, congruent. */
static enum elf_verdict check_load(const struct phdr *ph, uint64_t file_size,
				   struct elf_summary *out)
{
	if (ph->memsz == 0)
		return ELF_FINE; /* the loader passes over it */
	if (ph->memsz < ph->filesz || ph->memsz > USER_TOP ||
	    ph->vaddr > USER_TOP - ph->memsz)
		return ELF_BROKEN_HEADERS;
	if ((ph->offset ^ ph->vaddr) & 4095)
		return ELF_BROKEN_HEADERS;
	if (ph->offset > file_size || ph->filesz > file_size - ph->offset)
		return ELF_CUT_SHORT;
	/* Each addend is at most 2^56 and there are fewer than 2^16. */
	if (out->memory > UINT64_MAX - ph->memsz)
		return ELF_BROKEN_HEADERS;
	out->memory += ph->memsz;
	out->loads++;
	return ELF_FINE;
}

static enum elf_verdict check_interp(const struct phdr *ph, uint64_t file_size,
				     struct elf_summary *out)
{
	if (out->interp_len)
		return ELF_FINE; /* the first one counts */
	if (ph->filesz < 2 || ph->filesz > 4096)
		return ELF_BROKEN_HEADERS;
	if (ph->offset > file_size || ph->filesz > file_size - ph->offset)
		return ELF_CUT_SHORT;
	out->interp_offset = ph->offset;
	out->interp_len = ph->filesz;
	return ELF_FINE;
}

enum elf_verdict elf_read(const uint8_t *data, size_t n, uint64_t file_size,
			  struct elf_summary *out, unsigned *machine)
{
	unsigned ignored;
	struct elf_summary s = {0};
	uint64_t phoff, phnum;
	enum elf_verdict v;

	if (!machine)
		machine = &ignored;
	*machine = 0;
	v = check_ident(data, n, machine);
	if (v != ELF_FINE)
		return v;
	s.type = (uint16_t)get(data + 16, 2);
	if (s.type != 2 && s.type != 3)
		return ELF_NOT_A_PROGRAM;
	s.entry = get(data + 24, 8);
	phoff = get(data + 32, 8);
	phnum = get(data + 56, 2);
	if (phnum == 0)
		return ELF_NOT_A_PROGRAM;
	if (get(data + 54, 2) != PHDR_SIZE)
		return ELF_BROKEN_HEADERS;
	if (phoff > n || phnum * PHDR_SIZE > n - phoff)
		return ELF_CUT_SHORT;

	for (uint64_t i = 0; i < phnum && v == ELF_FINE; i++) {
		struct phdr ph = get_phdr(data + phoff + i * PHDR_SIZE);

		if (ph.type == PT_LOAD)
			v = check_load(&ph, file_size, &s);
		else if (ph.type == PT_INTERP)
			v = check_interp(&ph, file_size, &s);
	}
	if (v != ELF_FINE)
		return v;
	if (s.loads == 0 || s.entry == 0)
		return ELF_NOT_A_PROGRAM; /* a library, or nothing at all */
	*out = s;
	return ELF_FINE;
}

const char *elf_machine_name(unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} names[] = {
		{2, "SPARC"},	  {3, "i386"},	     {8, "MIPS"},
		{20, "PowerPC"},  {21, "PowerPC64"}, {22, "S/390"},
		{40, "ARM"},	  {43, "SPARC64"},   {62, "x86-64"},
		{183, "AArch64"}, {243, "RISC-V"},   {258, "LoongArch"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return NULL;
}
