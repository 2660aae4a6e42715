/* SPDX-License-Identifier: MIT */
/*
 * Both readers of ELF headers, the command's and the kernel's loader's, on one
 * file.  They must not read outside it, what they accept must hold what they
 * say of it, and a program that the kernel loads must not be one that the
 * command turns away (but for one without an entry point: a library).
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/elf.h"
#include "kernel/include/elf.h"

/* What the loader leaves a program, by its machine. */
static uint64_t limit_of(unsigned machine)
{
	return machine == ELF_MACHINE_ARM ? UINT64_C(0xbe000000)
					  : UINT64_C(1) << 47;
}

static void check_image(const struct elf_image *m, uint64_t size,
			uint64_t limit)
{
	FUZZ_EXPECT(m->nr_load >= 1 && m->nr_load <= ELF_MAX_PHDRS);
	FUZZ_EXPECT(m->low < m->high && m->high <= limit);
	FUZZ_EXPECT(((m->low | m->high) & 4095) == 0);
	for (unsigned i = 0; i < m->nr_load; i++) {
		const struct elf_segment *s = &m->load[i];

		FUZZ_EXPECT(s->filesz <= s->memsz);
		FUZZ_EXPECT(s->filesz <= size && s->offset <= size - s->filesz);
		FUZZ_EXPECT(s->vaddr >= m->low && s->vaddr <= m->high &&
			    s->memsz <= m->high - s->vaddr);
	}
	FUZZ_EXPECT(m->interp_len <= size &&
		    m->interp_off <= size - m->interp_len);
}

/* As the loader does it: the header, then the program headers by themselves. */
static bool kernel_takes(const uint8_t *data, size_t size, unsigned machine,
			 uint64_t *entry)
{
	size_t head = size < ELF_HEADER_SIZE ? size : ELF_HEADER_SIZE;
	uint8_t *first = malloc(head ? head : 1), *rest;
	struct elf_image *image;
	struct elf_header h;
	size_t bytes;
	bool taken = false;

	memcpy(first, data, head);
	if (elf_read_header(first, head, machine, &h) != 0)
		goto out;
	bytes = (size_t)h.phnum * h.phdr_size;
	*entry = h.entry;
	if (h.phoff > size || bytes > size - h.phoff)
		goto out;
	rest = malloc(bytes ? bytes : 1);
	image = malloc(sizeof(*image));
	memcpy(rest, data + h.phoff, bytes);
	if (elf_read_segments(rest, bytes, &h, size, limit_of(machine),
			      image) == 0) {
		check_image(image, size, limit_of(machine));
		taken = true;
	}
	free(image);
	free(rest);
out:
	free(first);
	return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned machines[] = {ELF_MACHINE_X86_64,
					    ELF_MACHINE_ARM};
	struct elf_summary s;
	uint64_t entry;
	enum elf_verdict v = elf_read(data, size, size, &s, NULL);

	if (v == ELF_FINE) {
		FUZZ_EXPECT(s.loads >= 1 && (s.type == 2 || s.type == 3));
		FUZZ_EXPECT(s.interp_len <= size &&
			    s.interp_offset <= size - s.interp_len);
	}
	for (unsigned i = 0; i < 2; i++)
		if (kernel_takes(data, size, machines[i], &entry))
			FUZZ_EXPECT(entry == 0 || (v == ELF_FINE &&
						   s.machine == machines[i]));
	return 0;
}
