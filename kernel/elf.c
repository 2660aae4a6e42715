/* SPDX-License-Identifier: MIT */
/*
 * elf.c - what an ELF64 file's headers say, checked before anyone believes it.
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

int elf_read_header(const void *buf, size_t len, struct elf_header *h)
{
	const uint8_t *p = buf;
	uint16_t type;

	if (len < ELF_HEADER_SIZE)
		return -ENOEXEC_;
	/* magic, class 64, little-endian, version 1 */
	if (p[0] != 0x7f || p[1] != 'E' || p[2] != 'L' || p[3] != 'F' ||
	    p[4] != 2 || p[5] != 1 || p[6] != 1)
		return -ENOEXEC_;
	type = get16(p + 16);
	if ((type != 2 && type != 3) || get16(p + 18) != 62)
		return -ENOEXEC_;
	if (get16(p + 54) != ELF_PHDR_SIZE)
		return -ENOEXEC_;
	h->pie = type == 3;
	h->entry = get64(p + 24);
	h->phoff = get64(p + 32);
	h->phnum = get16(p + 56);
	if (h->phnum == 0 || h->phnum > ELF_MAX_PHDRS || h->phoff > 1ull << 62)
		return -ENOEXEC_;
	return 0;
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

	if (len / ELF_PHDR_SIZE < h->phnum)
		return -ENOEXEC_;
	im->nr_load = 0;
	im->low = im->high = 0;
	im->interp_len = im->interp_off = 0;
	im->exec_stack = false;
	for (i = 0; i < h->phnum; i++, p += ELF_PHDR_SIZE) {
		type = get32(p);
		s.flags = get32(p + 4);
		s.offset = get64(p + 8);
		s.vaddr = get64(p + 16);
		s.filesz = get64(p + 32);
		s.memsz = get64(p + 40);
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
			im->interp_len = s.filesz;
		}
	}
	if (!im->nr_load)
		return -ENOEXEC_;
	im->phdr_vaddr = find_phdrs(im, h);
	return 0;
}
