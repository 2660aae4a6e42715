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

#define PT_LOAD	  1u
#define PT_INTERP 3u

/* Where the two classes of ELF keep what is read here. */
struct layout {
	uint16_t machine;
	uint8_t ehdr, phdr;	     /* sizes */
	uint8_t word;		     /* bytes of an address */
	uint8_t phoff, flags, phnum; /* in the header; phentsize before it */
	uint8_t offset, vaddr, filesz, memsz; /* in a program header */
	uint64_t top;			      /* user addresses end here */
};

static const struct layout layouts[] = {
	{
		.machine = ELF_X86_64,
		.ehdr = 64,
		.phdr = 56,
		.word = 8,
		.phoff = 32,
		.flags = 48,
		.phnum = 56,
		.offset = 8,
		.vaddr = 16,
		.filesz = 32,
		.memsz = 40,
		.top = UINT64_C(1) << 56, /* 57 bits, half of them */
	},
	{
		.machine = ELF_ARM,
		.ehdr = 52,
		.phdr = 32,
		.word = 4,
		.phoff = 28,
		.flags = 36,
		.phnum = 44,
		.offset = 4,
		.vaddr = 8,
		.filesz = 16,
		.memsz = 20,
		.top = 0xbf000000,
	},
};

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

struct phdr {
	uint32_t type;
	uint64_t offset, vaddr, filesz, memsz;
};

static struct phdr get_phdr(const struct layout *l, const uint8_t *p)
{
	return (struct phdr){
		.type = (uint32_t)get(p, 4),
		.offset = get(p + l->offset, l->word),
		.vaddr = get(p + l->vaddr, l->word),
		.filesz = get(p + l->filesz, l->word),
		.memsz = get(p + l->memsz, l->word),
	};
}

static enum elf_verdict check_ident(const uint8_t *d, size_t n,
				    unsigned *machine,
				    const struct layout **layout)
{
	static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

	if (n < sizeof(magic) || memcmp(d, magic, sizeof(magic)) != 0)
		return ELF_NOT_ELF;
	if (n < 20)
		return ELF_CUT_SHORT;
	/* e_machine is at 18 in both classes; d[5] is the byte order. */
	*machine = d[5] == 2 ? (unsigned)d[18] << 8 | d[19]
			     : (unsigned)get(d + 18, 2);
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		const struct layout *l = &layouts[i];

		/* d[4] is the class: 1 has 4-byte words, 2 has 8-byte ones. */
		if (l->machine != *machine || 4u * d[4] != l->word || d[5] != 1)
			continue;
		*layout = l;
		return n < l->ehdr ? ELF_CUT_SHORT : ELF_FINE;
	}
	return ELF_OTHER_MACHINE;
}

/* One segment: inside the file, inside the user's addresses, congruent. */
static enum elf_verdict check_load(const struct phdr *ph, uint64_t top,
				   uint64_t file_size, struct elf_summary *out)
{
	if (ph->memsz == 0)
		return ELF_FINE; /* the loader passes over it */
	if (ph->memsz < ph->filesz || ph->memsz > top ||
	    ph->vaddr > top - ph->memsz)
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
	const struct layout *l = NULL;
	unsigned ignored;
	struct elf_summary s = {0};
	uint64_t phoff, phnum;
	enum elf_verdict v;

	if (!machine)
		machine = &ignored;
	*machine = 0;
	v = check_ident(data, n, machine, &l);
	if (v != ELF_FINE)
		return v;
	s.machine = l->machine;
	s.flags = (uint32_t)get(data + l->flags, 4);
	s.type = (uint16_t)get(data + 16, 2);
	if (s.type != 2 && s.type != 3)
		return ELF_NOT_A_PROGRAM;
	s.entry = get(data + 24, l->word);
	phoff = get(data + l->phoff, l->word);
	phnum = get(data + l->phnum, 2);
	if (phnum == 0)
		return ELF_NOT_A_PROGRAM;
	if (get(data + l->phnum - 2, 2) != l->phdr)
		return ELF_BROKEN_HEADERS;
	if (phoff > n || phnum * l->phdr > n - phoff)
		return ELF_CUT_SHORT;

	for (uint64_t i = 0; i < phnum && v == ELF_FINE; i++) {
		struct phdr ph = get_phdr(l, data + phoff + i * l->phdr);

		if (ph.type == PT_LOAD)
			v = check_load(&ph, l->top, file_size, &s);
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
