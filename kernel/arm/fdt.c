/* SPDX-License-Identifier: MIT */
/*
 * fdt.c - what the boot loader tells about the machine: a flattened device
 * tree (Devicetree Specification v0.3, chapter 5) or a list of tags.
 *
 * The tree is read in one pass over its tokens.  Only nodes of the first two
 * levels matter, so a path is the names of those two:
 *
 *	/  compatible          /memory...  reg          /psci  method
 *	/chosen  bootargs, linux,initrd-start, -end     /cpus/cpu@N  reg
 *
 * Called at boot, once, on one CPU.
 */
#include "board.h"

#define FDT_MAGIC      0xd00dfeedu
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE   2u
#define FDT_PROP       3u
#define FDT_NOP	       4u
#define FDT_END	       9u

struct fdt_header { /* all big-endian */
	uint32_t magic, totalsize, off_dt_struct, off_dt_strings, off_rsvmap;
	uint32_t version, last_comp_version, boot_cpuid;
	uint32_t size_dt_strings, size_dt_struct;
};

static uint32_t be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

/* A number of that many cells. */
static uint64_t cells(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--) {
		v = v << 32 | be32(p);
		p += 4;
	}
	return v;
}

struct fdt_walk {
	struct boot_info *info;
	unsigned depth;
	const char *node[3]; /* names at depth 1 and 2 */
	unsigned addr_cells, size_cells;
};

static void memory_prop(struct fdt_walk *w, const uint8_t *v, uint32_t len)
{
	unsigned a = w->addr_cells, s = w->size_cells;
	struct boot_info *info = w->info;

	while (len >= 4 * (a + s) && info->nr_ram < MAX_RAM_PIECES) {
		info->ram[info->nr_ram].start = cells(v, a);
		info->ram[info->nr_ram].bytes = cells(v + 4 * a, s);
		info->nr_ram++;
		v += 4 * (a + s);
		len -= 4 * (a + s);
	}
}

static void chosen_prop(struct fdt_walk *w, const char *name, const uint8_t *v,
			uint32_t len)
{
	if (!strcmp(name, "bootargs"))
		w->info->cmdline = (const char *)v;
	if (!strcmp(name, "linux,initrd-start"))
		w->info->initrd = cells(v, len / 4);
	if (!strcmp(name, "linux,initrd-end"))
		w->info->initrd_end = cells(v, len / 4);
}

static void psci_prop(struct fdt_walk *w, const char *name, const uint8_t *v,
		      uint32_t len)
{
	struct boot_info *info = w->info;

	if (!strcmp(name, "method")) {
		info->psci = true;
		info->psci_smc = !strcmp((const char *)v, "smc");
	}
	if (!strcmp(name, "cpu_on") && len >= 4)
		info->psci_cpu_on = be32(v);
}

static void root_prop(struct fdt_walk *w, const char *name, const uint8_t *v,
		      uint32_t len)
{
	if (!strcmp(name, "#address-cells") && len >= 4)
		w->addr_cells = be32(v);
	if (!strcmp(name, "#size-cells") && len >= 4)
		w->size_cells = be32(v);
	if (!strcmp(name, "compatible"))
		w->info->compatible = (const char *)v;
}

static void cpu_prop(struct fdt_walk *w, const char *name, const uint8_t *v,
		     uint32_t len)
{
	struct boot_info *info = w->info;

	if (!strncmp(w->node[2], "cpu@", 4) && !strcmp(name, "reg") &&
	    len >= 4 && info->nr_cpus < MAX_CPUS)
		info->mpidr[info->nr_cpus++] = (uint32_t)cells(v, len / 4);
}

static void prop(struct fdt_walk *w, const char *name, const uint8_t *v,
		 uint32_t len)
{
	const char *node = w->node[1];

	if (w->depth == 1) {
		root_prop(w, name, v, len);
	} else if (w->depth == 2) {
		if (!strncmp(node, "memory", 6) && !strcmp(name, "reg"))
			memory_prop(w, v, len);
		if (!strcmp(node, "chosen"))
			chosen_prop(w, name, v, len);
		if (!strcmp(node, "psci"))
			psci_prop(w, name, v, len);
	} else if (w->depth == 3 && !strcmp(node, "cpus")) {
		cpu_prop(w, name, v, len);
	}
}

size_t fdt_bytes(const void *p)
{
	return be32(p) == FDT_MAGIC ? be32((const char *)p + 4) : 0;
}

bool fdt_read(const void *p, struct boot_info *info)
{
	const struct fdt_header *h = p;
	const char *base = p, *strings;
	struct fdt_walk w = {.info = info, .addr_cells = 2, .size_cells = 1};
	const uint8_t *t, *end;

	if (be32(&h->magic) != FDT_MAGIC || be32(&h->version) < 17)
		return false;
	strings = base + be32(&h->off_dt_strings);
	t = (const uint8_t *)base + be32(&h->off_dt_struct);
	end = t + be32(&h->size_dt_struct);
	/* PSCI 0.2's numbers, for a tree that leaves them out. */
	info->psci_cpu_on = 0x84000003u;
	info->psci_off = 0x84000008u;
	while (t + 4 <= end) {
		uint32_t token = be32(t), len;

		t += 4;
		if (token == FDT_BEGIN_NODE) {
			if (w.depth < ARRAY_SIZE(w.node))
				w.node[w.depth] = (const char *)t;
			w.depth++;
			t += K_ALIGN_UP(strlen((const char *)t) + 1, 4u);
		} else if (token == FDT_END_NODE) {
			w.depth--;
		} else if (token == FDT_PROP) {
			len = be32(t);
			prop(&w, strings + be32(t + 4), t + 8, len);
			t += 8 + K_ALIGN_UP(len, 4u);
		} else if (token != FDT_NOP) {
			break;
		}
	}
	return true;
}

/* ------------------------------------------------------------------ ATAGS */

/* A list of { size in words, tag, data }, ended by tag 0. */
#define ATAG_CORE    0x54410001u
#define ATAG_MEM     0x54410002u /* bytes, start */
#define ATAG_INITRD2 0x54420005u /* start, bytes */
#define ATAG_CMDLINE 0x54410009u

bool atags_read(const void *p, struct boot_info *info)
{
	const uint32_t *t = p;

	if (t[1] != ATAG_CORE)
		return false;
	for (; t[0] >= 2 && t[1]; t += t[0]) {
		if (t[1] == ATAG_MEM && info->nr_ram < MAX_RAM_PIECES) {
			info->ram[info->nr_ram].bytes = t[2];
			info->ram[info->nr_ram++].start = t[3];
		} else if (t[1] == ATAG_INITRD2) {
			info->initrd = t[2];
			info->initrd_end = (paddr_t)t[2] + t[3];
		} else if (t[1] == ATAG_CMDLINE) {
			info->cmdline = (const char *)&t[2];
		}
	}
	info->nr_cpus = 1;
	return true;
}
