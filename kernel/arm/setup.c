/* SPDX-License-Identifier: MIT */
/*
 * setup.c - memory at boot: what there is, the kernel's own table, and what is
 * left for Quire; and the order in which the machine is started.
 *
 *   RAM + 0 ... 64 KiB   the boot loader's: start-up code, ATAGS
 *   + 64 KiB             the image: text and read-only data, then (in the next
 *   ... kernel_end       MiB) data, among it the two tables
 *   the rest of RAM      Quire's, but for the initial records (-initrd)
 *
 * The kernel's table, kernel_table, maps RAM in sections of a MiB: text
 * read-only, all else not executable; devices in sections as mmio_map() asks
 * for them; and one small page, the vectors.  Sections are global, the user
 * half is empty.  boot_table has the image's first MiB one to one besides, for
 * CPUs that are being started.
 *
 * Descriptors: ARM ARM DDI 0406C, B3.5.1, with AFE and TRE (boot.S).  Single
 * CPU, interrupts off, but for mmio_map().
 */
#include "board.h"
#include "irq.h"
#include "kuser.h"
#include "protocol.h"

#define SECT_TYPE   0x2u
#define SECT_B	    0x4u
#define SECT_C	    0x8u
#define SECT_XN	    0x10u
#define SECT_AF	    0x400u  /* AP[0]: may be used */
#define SECT_RO	    0x8000u /* AP[2] */
#define SECT_RAM    (SECT_TYPE | SECT_C | SECT_B | SECT_AF)
#define SECT_IO	    0x40u /* domain 2 */
#define SECT_DEVICE (SECT_TYPE | SECT_B | SECT_AF | SECT_XN | SECT_IO)
#define TABLE_TYPE  0x1u
/* A small page: normal memory, user and kernel may read and execute. */
#define PAGE_VECTORS 0x23eu /* AP[2] AP[1] AP[0] C B, small page */

#define CACHE_LINE 32u /* the smallest there is */

unsigned paging_levels = 2;
uint64_t ram_bytes;
extern uint32_t boot_machine;
extern uint32_t vectors_table[256]; /* boot.S */
static struct spinlock mmio_lock;
static uint32_t mmio_next = MMIO_BASE;
static struct quire_region pieces[2 * MAX_RAM_PIECES + 4];
static unsigned nr_pieces;
static char compatible[64];

/* ------------------------------------------------------------------ tables */

/* Table words were written: where walks do not look into the cache (ARMv6),
 * it is cleaned. */
static void table_written(const void *p, size_t bytes)
{
	uintptr_t a = (uintptr_t)p & ~(uintptr_t)(CACHE_LINE - 1);

	for (; !KERNEL_ARMV7 && a < (uintptr_t)p + bytes; a += CACHE_LINE)
		__asm__ volatile("mcr p15, 0, %0, c7, c10, 1" ::"r"(a)
				 : "memory");
	dsb();
}

static void map_section(uint32_t *table, uint32_t va, uint32_t pa,
			uint32_t flags)
{
	table[va / SECTION] = (pa & ~(SECTION - 1)) | flags;
	table_written(&table[va / SECTION], 4);
}

/* The tables are the running ones: forget what they said before. */
static void flush_all(void)
{
	write_tlbiall(0);
	dsb();
	isb();
}

static bool in_lowmem(paddr_t phys, size_t bytes)
{
	uint32_t first = (uint32_t)phys + direct_map_offset;

	return phys >> 32 == 0 && first >= PAGE_OFFSET &&
	       first - PAGE_OFFSET < LOWMEM_MAX &&
	       bytes <= LOWMEM_MAX - (first - PAGE_OFFSET);
}

/* RAM that boot_table may not have yet. */
void *early_map(paddr_t phys, size_t bytes)
{
	uint32_t pa;

	if (!in_lowmem(phys, bytes))
		return NULL;
	for (pa = (uint32_t)phys & ~(SECTION - 1); pa < phys + bytes;
	     pa += SECTION)
		if (!boot_table[(pa + direct_map_offset) / SECTION])
			map_section(boot_table, pa + direct_map_offset, pa,
				    SECT_RAM | SECT_XN);
	isb();
	return phys_to_virt(phys);
}

/* Words in the vectors' page that say where each vector leads. */
#define VECTOR_SLOTS  8u
#define SLOT_PREFETCH (VECTOR_SLOTS + 3)
#define SLOT_DATA     (VECTOR_SLOTS + 4)
void vector_early(void); /* entry.S */

/* Aborts lead to their own entries, or to one that only panics. */
static void set_abort_vectors(bool early)
{
	volatile uint32_t *slots = (uint32_t *)(void *)vectors_page;
	const uint32_t *own = (const uint32_t *)(const void *)vectors_start;
	uint32_t only = (uint32_t)(uintptr_t)vector_early;

	slots[SLOT_PREFETCH] = early ? only : own[SLOT_PREFETCH];
	slots[SLOT_DATA] = early ? only : own[SLOT_DATA];
	dsb();
}

static void map_vectors(void)
{
	uint32_t pa = (uint32_t)virt_to_phys(vectors_page);

	memcpy(vectors_page, vectors_start,
	       (size_t)(vectors_end - vectors_start));
	kuser_install(vectors_page);
	set_abort_vectors(true);
	vectors_table[(VECTORS >> 12) & 255] = pa | PAGE_VECTORS;
	quire_host_sync_icache(vectors_page, 4096);
	table_written(vectors_table, sizeof(vectors_table));
	kernel_table[VECTORS / SECTION] =
		(uint32_t)virt_to_phys(vectors_table) | TABLE_TYPE;
}

static void build_table(void)
{
	unsigned i;

	for (i = 0; i < boot_info.nr_ram; i++) {
		uint32_t pa = (uint32_t)boot_info.ram[i].start;
		uint32_t end = pa + (uint32_t)boot_info.ram[i].bytes;

		for (; pa < end; pa += SECTION) {
			uint32_t va = pa + direct_map_offset;
			uint32_t flags = SECT_RAM | SECT_XN;

			if (va < (uint32_t)kernel_rodata_end)
				flags = SECT_RAM | SECT_RO;
			kernel_table[va / SECTION] =
				(va - direct_map_offset) | flags;
		}
	}
	map_vectors();
	/* Devices that are mapped already, and the one-to-one MiB. */
	for (i = MMIO_BASE / SECTION; i < mmio_next / SECTION; i++)
		kernel_table[i] = boot_table[i];
	i = (uint32_t)virt_to_phys(kernel_start) / SECTION;
	boot_table[i] &= ~SECT_XN;
	memcpy(&boot_table[PAGE_OFFSET / SECTION],
	       &kernel_table[PAGE_OFFSET / SECTION],
	       4 * (4096 - PAGE_OFFSET / SECTION));
	table_written(kernel_table, sizeof(kernel_table));
	table_written(boot_table, sizeof(boot_table));
}

void *mmio_map(paddr_t phys, size_t bytes)
{
	uint32_t pa = (uint32_t)phys & ~(SECTION - 1), va;
	uint32_t n =
		(uint32_t)((phys + bytes - 1) / SECTION - pa / SECTION) + 1;
	unsigned long flags;

	if ((phys + bytes) >> 32 || !bytes)
		return NULL;
	flags = spin_lock_irqsave(&mmio_lock);
	for (va = MMIO_BASE; va < mmio_next; va += SECTION)
		if (n == 1 && (boot_table[va / SECTION] & ~(SECTION - 1)) == pa)
			goto out;
	if (n * SECTION > MMIO_END - mmio_next) {
		spin_unlock_irqrestore(&mmio_lock, flags);
		return NULL;
	}
	mmio_next += n * SECTION;
	while (n--) {
		map_section(boot_table, va + n * SECTION, pa + n * SECTION,
			    SECT_DEVICE);
		map_section(kernel_table, va + n * SECTION, pa + n * SECTION,
			    SECT_DEVICE);
	}
	isb();
out:
	spin_unlock_irqrestore(&mmio_lock, flags);
	return (void *)(va + ((uint32_t)phys & (SECTION - 1)));
}

/* ---------------------------------------------------------------- free RAM */

/* Take [start, end) out of the pieces. */
static void reserve(paddr_t start, paddr_t end)
{
	unsigned i;

	start = K_ALIGN_DOWN(start, 4096ull);
	end = K_ALIGN_UP(end, 4096ull);
	for (i = 0; i < nr_pieces; i++) {
		paddr_t s = pieces[i].start, e = s + pieces[i].bytes;

		if (end <= s || start >= e)
			continue;
		if (start > s && end < e && nr_pieces < ARRAY_SIZE(pieces)) {
			memmove(&pieces[i + 1], &pieces[i],
				(nr_pieces - i) * sizeof(pieces[0]));
			nr_pieces++;
			pieces[i + 1].start = end;
			pieces[i + 1].bytes = e - end;
		}
		if (start > s) {
			pieces[i].bytes = start - s;
		} else {
			pieces[i].start = K_MIN(end, e);
			pieces[i].bytes = e - pieces[i].start;
		}
	}
}

/* What lies in the direct map, in whole MiB (sections). */
static void list_ram(void)
{
	unsigned i;

	for (i = 0; i < boot_info.nr_ram; i++) {
		paddr_t s =
			K_ALIGN_UP(boot_info.ram[i].start, (paddr_t)SECTION);
		paddr_t e = boot_info.ram[i].start + boot_info.ram[i].bytes;
		paddr_t top = virt_to_phys((void *)PAGE_OFFSET) + LOWMEM_MAX;

		if (e > top) {
			printk("%llu MiB of RAM above the direct map not used",
			       (unsigned long long)((e - K_MAX(s, top)) >> 20));
			e = top;
		}
		e = K_ALIGN_DOWN(e, (paddr_t)SECTION);
		if (s >= e || !in_lowmem(s, 1))
			e = s;
		boot_info.ram[i].start = s;
		boot_info.ram[i].bytes = e - s;
		ram_bytes += e - s;
		if (e == s)
			continue;
		pieces[nr_pieces].start = s;
		pieces[nr_pieces++].bytes = e - s;
	}
	reserve(virt_to_phys((void *)PAGE_OFFSET), virt_to_phys(kernel_end));
	if (boot_info.initrd_end > boot_info.initrd)
		reserve(boot_info.initrd, boot_info.initrd_end + 1);
}

unsigned free_regions(struct quire_region *out, unsigned max)
{
	unsigned i, n = 0;

	for (i = 0; i < nr_pieces && n < max; i++)
		if (pieces[i].bytes)
			out[n++] = pieces[i];
	return n;
}

paddr_t machine_ram_start(void)
{
	return virt_to_phys((void *)PAGE_OFFSET);
}

/* ------------------------------------------------------ order of the start */

/* `at`: device tree or ATAGS, or 0: then they are where QEMU and the old
 * convention have them, 256 bytes into RAM. */
static void read_boot_info(paddr_t at)
{
	const char *p;
	size_t bytes;

	if (!at)
		at = virt_to_phys((void *)PAGE_OFFSET) + 0x100;
	p = early_map(at, 4096);
	if (!p)
		panic("boot information at %llx", (unsigned long long)at);
	bytes = fdt_bytes(p);
	if (bytes)
		early_map(at, bytes);
	if (!fdt_read(p, &boot_info) && !atags_read(p, &boot_info))
		panic("no device tree nor ATAGS at %llx",
		      (unsigned long long)at);
	if (boot_info.compatible)
		strlcpy(compatible, boot_info.compatible, sizeof(compatible));
	board = board_find(boot_machine,
			   boot_info.compatible ? compatible : NULL);
	if (!board)
		panic("unknown board: machine %u, %s", boot_machine,
		      compatible);
	if (boot_info.cmdline)
		cmdline_set(boot_info.cmdline);
}

void machine_init(uintptr_t start_info)
{
	const struct processor *proc;

	cpu_detect();
	read_boot_info(start_info);
	channels_init();
	/* DDI 0406C, B4.1.106: without them there is no broadcast maintenance,
	 * and this image knows no other. */
	if (KERNEL_ARMV7 && !(read_mpidr() >> 31))
		panic("a processor without the Multiprocessing Extensions");
	list_ram();
	if (!nr_pieces)
		panic("no memory");
	build_table();
	write_ttbr0((uint32_t)virt_to_phys(kernel_table) | TTBR_FLAGS);
	isb();
	flush_all();
	cpu_init(0);
	proc = processor_select(cpu_features.midr);
	if (!proc)
		panic("unknown processor %x", cpu_features.midr);
	cpu_features.name = proc->name;
	semihosting_probe();
}

/* CPU 0 is the one that runs this; the others by their number. */
static void order_cpus(void)
{
	uint32_t me = read_mpidr() & 0xffffffu, t;
	unsigned i, j;

	for (i = 0; i < boot_info.nr_cpus; i++)
		for (j = i + 1; j < boot_info.nr_cpus; j++) {
			uint32_t a = boot_info.mpidr[i], b = boot_info.mpidr[j];

			if (a == me || (b != me && a < b))
				continue;
			t = boot_info.mpidr[i];
			boot_info.mpidr[i] = boot_info.mpidr[j];
			boot_info.mpidr[j] = t;
		}
}

void machine_start(void)
{
	clock_start();
	irq_init();
	order_cpus();
	cpu_count = KERNEL_ARMV7 && boot_info.psci ? boot_info.nr_cpus : 1;
	cpu_count = K_MIN(K_MAX(cpu_count, 1u), MAX_CPUS);
}

void machine_config(struct quire_config *config)
{
	config->direct_map = (void *)direct_map_offset;
	config->levels = paging_levels;
	config->kernel_table = virt_to_phys(kernel_table);
	config->asids = 256;
	config->nx = true;
	config->tlb_broadcast = cpu_features.mp;
	config->dcache_colours = dcache_colours();
}

void machine_ready(void)
{
	alignment_init();
	set_abort_vectors(false);
}

void machine_cpu(unsigned id)
{
	cpu_init(id);
	write_ttbr0((uint32_t)virt_to_phys(kernel_table) | TTBR_FLAGS);
	isb();
	flush_all();
	board->irqs->init_cpu(id);
	clock_init_cpu();
}

long machine_init_blob(void **data)
{
	paddr_t n = boot_info.initrd_end - boot_info.initrd;
	char *p;

	if (boot_info.initrd_end <= boot_info.initrd ||
	    !in_lowmem(boot_info.initrd, (size_t)n + 1))
		return -1;
	p = phys_to_virt(boot_info.initrd);
	p[n] = 0;
	*data = p;
	return (long)n;
}

const char *machine_name(void)
{
	return cpu_features.name;
}

void cpu_wait_interrupt(void)
{
	/* An interrupt that is off ends the wait all the same. */
	dsb();
#if KERNEL_ARMV7
	__asm__ volatile("wfi" ::: "memory");
#else
	__asm__ volatile("mcr p15, 0, %0, c7, c0, 4" ::"r"(0) : "memory");
#endif
	irq_enable();
}
