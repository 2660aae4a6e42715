/* SPDX-License-Identifier: MIT */
/*
 * elf.c - what an ELF file's headers say, checked before anyone believes it.
 *
 * The file is user's data: each number is bounded here, so that the loader
 * (exec.c) can add and map without overflow.  No locks, no allocation.
 */
#include "elf.h"

#define ENOEXEC_ 8
#define PAGE	 4096ull

#define PT_LOAD	     1u
#define PT_INTERP    3u
#define PT_PHDR	     6u
#define PT_GNU_STACK 0x6474e551u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/*
 * Where the fields lie.  The classes differ in the width of addresses and
 * offsets, and a program header of 64 bits has its flags further up.
 */
#define EHDR32_SIZE 52u
#define PHDR32_SIZE 32u

int elf_read_header(const void *buf, size_t len, unsigned machine,
		    struct elf_header *h)
{
	const uint8_t *p = buf, *tail;
	uint16_t type;

	h->is32 = machine == ELF_MACHINE_ARM;
	h->phdr_size = h->is32 ? PHDR32_SIZE : ELF_PHDR_SIZE;
	if (len < (h->is32 ? EHDR32_SIZE : ELF_HEADER_SIZE))
		return -ENOEXEC_;
	/* magic, class, little-endian, version 1 */
	if (p[0] != 0x7f || p[1] != 'E' || p[2] != 'L' || p[3] != 'F' ||
	    p[4] != (h->is32 ? 1 : 2) || p[5] != 1 || p[6] != 1)
		return -ENOEXEC_;
	type = get16(p + 16);
	if ((type != 2 && type != 3) || get16(p + 18) != machine)
		return -ENOEXEC_;
	tail = p + (h->is32 ? 42 : 54); /* phentsize, phnum */
	if (get16(tail) != h->phdr_size)
		return -ENOEXEC_;
	h->pie = type == 3;
	h->entry = h->is32 ? get32(p + 24) : get64(p + 24);
	h->phoff = h->is32 ? get32(p + 28) : get64(p + 32);
	h->phnum = get16(tail + 2);
	if (h->phnum == 0 || h->phnum > ELF_MAX_PHDRS || h->phoff > 1ull << 62)
		return -ENOEXEC_;
	/* ARM: bit 0 means Thumb code, other code lies at words */
	if (machine == ELF_MACHINE_ARM && (h->entry & 3) == 2)
		return -ENOEXEC_;
	return 0;
}

/* One program header: its type. */
static uint32_t read_phdr(const uint8_t *p, bool is32, struct elf_segment *s)
{
	if (is32) {
		s->offset = get32(p + 4);
		s->vaddr = get32(p + 8);
		s->filesz = get32(p + 16);
		s->memsz = get32(p + 20);
		s->flags = get32(p + 24);
	} else {
		s->flags = get32(p + 4);
		s->offset = get64(p + 8);
		s->vaddr = get64(p + 16);
		s->filesz = get64(p + 32);
		s->memsz = get64(p + 40);
	}
	return get32(p);
}

/* One PT_LOAD.  They come in ascending order and do not overlap. */
static int add_load(struct elf_image *im, const struct elf_segment *s,
		    uint64_t file_size, uint64_t limit)
{
	uint64_t start = s->vaddr & ~(PAGE - 1);
	uint64_t end;

	if (s->memsz == 0)
		return 0;
	if (s->filesz > s->memsz || s->vaddr >= limit ||
	    s->memsz > limit - s->vaddr)
		return -ENOEXEC_;
	if (s->offset > file_size || s->filesz > file_size - s->offset)
		return -ENOEXEC_;
	/* the page must begin at the same place in both */
	if ((s->vaddr ^ s->offset) & (PAGE - 1))
		return -ENOEXEC_;
	end = (s->vaddr + s->memsz + PAGE - 1) & ~(PAGE - 1);
	if (end > limit)
		return -ENOEXEC_;
	if (im->nr_load && s->vaddr < im->load[im->nr_load - 1].vaddr +
					      im->load[im->nr_load - 1].memsz)
		return -ENOEXEC_;
	if (!im->nr_load)
		im->low = start;
	im->high = end;
	im->load[im->nr_load++] = *s;
	return 0;
}

/* The address at which file offset phoff is mapped, or 0. */
static uint64_t find_phdrs(const struct elf_image *im,
			   const struct elf_header *h)
{
	unsigned i;

	for (i = 0; i < im->nr_load; i++) {
		const struct elf_segment *s = &im->load[i];

		if (h->phoff >= s->offset && h->phoff - s->offset < s->filesz)
			return s->vaddr + (h->phoff - s->offset);
	}
	return 0;
}

int elf_read_segments(const void *buf, size_t len, const struct elf_header *h,
		      uint64_t file_size, uint64_t limit, struct elf_image *im)
{
	const uint8_t *p = buf;
	struct elf_segment s;
	uint32_t type;
	unsigned i;

	if (len / h->phdr_size < h->phnum)
		return -ENOEXEC_;
	im->nr_load = 0;
	im->low = im->high = 0;
	im->interp_len = 0;
	im->interp_off = 0;
	im->exec_stack = false;
	for (i = 0; i < h->phnum; i++, p += h->phdr_size) {
		type = read_phdr(p, h->is32, &s);
		if (type == PT_LOAD && add_load(im, &s, file_size, limit))
			return -ENOEXEC_;
		if (type == PT_GNU_STACK)
			im->exec_stack = (s.flags & ELF_PF_X) != 0;
		if (type == PT_INTERP && !im->interp_len) {
			/* a path with its NUL */
			if (s.filesz < 2 || s.filesz > 4096 ||
			    s.offset > file_size ||
			    s.filesz > file_size - s.offset)
				return -ENOEXEC_;
			im->interp_off = s.offset;
			im->interp_len = (size_t)s.filesz;
		}
	}
	if (!im->nr_load)
		return -ENOEXEC_;
	im->phdr_vaddr = find_phdrs(im, h);
	return 0;
}
