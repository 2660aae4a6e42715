/* SPDX-License-Identifier: MIT */
/*
 * setup.c - memory at boot: what the start information says there is, the
 * kernel's own page tables, and what is left for Quire.
 *
 *   physical 0 ... 2 MiB     firmware, start information, AP trampoline
 *   2 MiB ... kernel_end     the image
 *   ... early_next           page tables made here
 *   the rest of RAM          Quire's
 *
 * Single CPU, interrupts off; nothing here is called after boot.
 */
#include "cpu.h"
#include "irq.h"

/* Xen's public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};
#define START_MAGIC 0x336ec578u
struct memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved;
};
#define MEMMAP_RAM 1u

#define PG_P	 0x1ull
#define PG_W	 0x2ull
#define PG_PWT	 0x8ull
#define PG_PCD	 0x10ull
#define PG_A	 0x20ull
#define PG_D	 0x40ull
#define PG_PS	 0x80ull
#define PG_G	 0x100ull
#define PG_NX	 (1ull << 63)
#define PG_TABLE (PG_P | PG_W | PG_A)
#define SIZE_2M	 0x200000ull

paddr_t kernel_root, boot_root;
unsigned paging_levels = 4;
uint64_t ram_bytes;
static struct memmap_entry ram[32];
static unsigned nr_ram;
static paddr_t early_next;

/* A zeroed page for tables, in the first 4 GiB (the boot tables reach it). */
static paddr_t early_page(void)
{
	paddr_t p = early_next;

	early_next += 4096;
	memset(phys_to_virt(p), 0, 4096);
	return p;
}

static uint64_t *early_table(uint64_t *table, unsigned index)
{
	if (!(table[index] & PG_P))
		table[index] = early_page() | PG_TABLE;
	return phys_to_virt(table[index] & 0x000ffffffffff000ull);
}

/* The third-level (page directory pointer) table for a kernel address. */
static uint64_t *early_pdpt(paddr_t root, uint64_t va)
{
	uint64_t *t = phys_to_virt(root);

	if (paging_levels == 5)
		t = early_table(t, (va >> 48) & 511);
	return early_table(t, (va >> 39) & 511);
}

static void map_2m(paddr_t root, uint64_t va, paddr_t pa, uint64_t flags)
{
	uint64_t *pd = early_table(early_pdpt(root, va), (va >> 30) & 511);

	pd[(va >> 21) & 511] = pa | flags | PG_PS | PG_P | PG_A | PG_D;
}

static void map_4k(paddr_t root, uint64_t va, paddr_t pa, uint64_t flags)
{
	uint64_t *pd = early_table(early_pdpt(root, va), (va >> 30) & 511);
	uint64_t *pt = early_table(pd, (va >> 21) & 511);

	pt[(va >> 12) & 511] = pa | flags | PG_P | PG_A | PG_D;
}

/* The image: text read-only, data not executable. */
static void map_image(uint64_t nx)
{
	uint64_t va;

	for (va = (uint64_t)kernel_start; va < (uint64_t)kernel_end;
	     va += 4096) {
		uint64_t flags = PG_G;

		if (va >= (uint64_t)kernel_text_end)
			flags |= nx;
		if (va >= (uint64_t)kernel_rodata_end)
			flags |= PG_W;
		map_4k(kernel_root, va, va - KERNEL_BASE, flags);
	}
}

static void build_tables(uint64_t top)
{
	uint64_t nx = cpu_features.nx ? PG_NX : 0;
	uint64_t pa;

	kernel_root = early_page();
	for (pa = 0; pa < top; pa += SIZE_2M)
		map_2m(kernel_root, DIRECT_MAP + pa, pa, PG_W | PG_G | nx);
	map_image(nx);
	for (pa = MMIO_PHYS; pa < 0x100000000ull; pa += SIZE_2M)
		map_2m(kernel_root, MMIO_BASE + (pa - MMIO_PHYS), pa,
		       PG_W | PG_G | PG_PCD | PG_PWT | nx);

	/* For the change to five levels and the start of the other CPUs. */
	boot_root = early_page();
	memcpy(phys_to_virt(boot_root), phys_to_virt(kernel_root), 4096);
	for (pa = 0; pa < 4 * SIZE_2M; pa += SIZE_2M)
		map_2m(boot_root, pa, pa, PG_W);
}

static void read_memmap(const struct start_info *si)
{
	const struct memmap_entry *map = phys_to_virt(si->memmap);
	uint64_t low = virt_to_phys(kernel_end);
	unsigned i;

	for (i = 0; i < si->memmap_entries && nr_ram < ARRAY_SIZE(ram); i++) {
		uint64_t start = K_ALIGN_UP(map[i].addr, 4096ull);
		uint64_t end = K_ALIGN_DOWN(map[i].addr + map[i].size, 4096ull);

		if (map[i].type != MEMMAP_RAM)
			continue;
		ram_bytes += map[i].size;
		if (start < low)
			start = low;
		if (start >= end)
			continue;
		ram[nr_ram].addr = start;
		ram[nr_ram++].size = end - start;
	}
}

static void choose_levels(void)
{
	char text[8];

	if (cmdline_get("quire.levels", 0, text, sizeof(text)) < 0)
		return;
	if (text[0] != '5')
		return;
	if (cpu_features.la57)
		paging_levels = 5;
	else
		printk("quire.levels=5: the processor has no LA57; using 4");
}

void setup_memory(uint32_t start_info)
{
	const struct start_info *si = phys_to_virt(start_info);
	uint64_t top = 0, tables;
	unsigned i;

	if (si->magic != START_MAGIC || si->version < 1)
		panic("no PVH start information (version 1) at %x", start_info);
	if (si->cmdline)
		cmdline_set(phys_to_virt(si->cmdline));
	read_memmap(si);
	if (!nr_ram)
		panic("no memory");
	for (i = 0; i < nr_ram; i++)
		top = K_MAX(top, ram[i].addr + ram[i].size);
	top = K_ALIGN_UP(top, SIZE_2M);
	choose_levels();

	/* Tables come from the first piece, right after the image. */
	early_next = ram[0].addr;
	tables = (top / SIZE_2M / 512 + 64) * 4096;
	if (ram[0].size < tables + 0x400000)
		panic("too little memory: %llu bytes",
		      (unsigned long long)ram_bytes);
	build_tables(top);
	if (early_next > ram[0].addr + tables)
		panic("early page tables overflow");
	ram[0].size -= early_next - ram[0].addr;
	ram[0].addr = early_next;

	if (paging_levels == 5) {
		/* Paging cannot go off while there are PCIDs (SDM 4.10.1). */
		write_cr4(read_cr4() & ~CR4_PCIDE);
		enter_la57(boot_root);
	}
	write_cr3(kernel_root);
	if (cpu_features.pcid)
		write_cr4(read_cr4() | CR4_PCIDE);
}

unsigned free_regions(struct quire_region *out, unsigned max)
{
	unsigned i;

	for (i = 0; i < nr_ram && i < max; i++) {
		out[i].start = ram[i].addr;
		out[i].bytes = ram[i].size;
		out[i].node = 0;
	}
	return i;
}

paddr_t machine_ram_start(void)
{
	return 0;
}

void *mmio_map(paddr_t phys, size_t bytes)
{
	if (phys < MMIO_PHYS || phys + bytes > 0x100000000ull)
		return NULL;
	return (void *)(MMIO_BASE + (phys - MMIO_PHYS));
}

/* ------------------------------------------------------ order of the start */

void machine_init(uintptr_t start_info)
{
	cpu_detect();
	idt_init();
	cpu_init(0);
	setup_memory((uint32_t)start_info);
}

void machine_start(void)
{
	smap_patch();
	cpu_count = fw_cfg_cpus();
	cpu_count = K_MIN(K_MAX(cpu_count, 1u), MAX_CPUS);
	apic_init(true);
}

void machine_config(struct quire_config *config)
{
	config->direct_map = (void *)DIRECT_MAP;
	config->levels = paging_levels;
	config->kernel_table = kernel_root;
	config->asids = cpu_features.pcid ? 6 : 0;
	config->nx = cpu_features.nx;
	config->smap = cpu_features.smap;
}

void machine_ready(void)
{
	apic_timer_calibrate();
	kmmio_init();
}

void machine_cpu(unsigned id)
{
	cpu_init(id);
	write_cr3(kernel_root);
	apic_init(false);
}

void cpu_wait_interrupt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

const char *machine_name(void)
{
	return cpu_features.brand;
}

/* On the command line: virtio_mmio.device=512@0xfeb00e00:12, that is size (K
 * may follow), registers, interrupt.  microvm's are edge-triggered. */
bool machine_virtio(unsigned n, struct virtio_place *place)
{
	char text[64], *end;

	if (cmdline_get("virtio_mmio.device", n, text, sizeof(text)) < 0)
		return false;
	memset(place, 0, sizeof(*place));
	place->bytes = (size_t)strtoull(text, &end, 0);
	if (*end == 'K' || *end == 'k') {
		place->bytes <<= 10;
		end++;
	}
	if (*end == '@')
		place->base = strtoull(end + 1, &end, 0);
	if (*end == ':')
		place->irq = (unsigned)strtoull(end + 1, &end, 0);
	else
		place->bytes = 0; /* not one of ours: virtio.c passes it by */
	return true;
}
