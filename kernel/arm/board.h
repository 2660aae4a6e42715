/* SPDX-License-Identifier: MIT */
/*
 * board.h - what the kernel knows of the machines it runs on, and what the
 * boot loader tells about this one.
 */
#ifndef KERNEL_ARM_BOARD_H
#define KERNEL_ARM_BOARD_H

#include "cpu.h"

/* Timers besides the generic one of ARMv7. */
enum board_clock {
	CLOCK_GENERIC, /* the processor's own */
	CLOCK_SP804,   /* Dual-Timer Module (DDI 0271D), and a counter */
};

struct board {
	const char *name;
	uint32_t machine;	/* number that the boot loader gives in r1 */
	const char *compatible; /* or the root of the device tree */
	paddr_t uart;		/* PL011 */
	paddr_t rtc;		/* PL031, 0: none */
	paddr_t gic_dist, gic_cpu;
	enum board_clock clock;
	paddr_t timer;	 /* SP804 */
	paddr_t counter; /* 24 MHz, counts up */
	unsigned timer_irq;
	paddr_t virtio; /* the first transport; they lie 0x200 apart */
	unsigned nr_virtio, virtio_irq;
};
extern const struct board *board; /* never NULL: panics when not known */

#define MAX_RAM_PIECES 8u
struct boot_info {
	struct {
		paddr_t start, bytes;
	} ram[MAX_RAM_PIECES];
	unsigned nr_ram;
	paddr_t initrd, initrd_end; /* 0: none */
	const char *cmdline;	    /* in mapped memory, or NULL */
	const char *compatible;	    /* root of the tree: the first name */
	unsigned nr_cpus;
	uint32_t mpidr[MAX_CPUS];
	bool psci, psci_smc;
	uint32_t psci_cpu_on, psci_off; /* function numbers */
};
extern struct boot_info boot_info;

/*
 * fdt_read, atags_read: fill in boot_info from a description that lies, mapped,
 * at `p`.  False: it is none of that kind.  fdt_bytes: the size of a tree whose
 * head is mapped, 0: none.
 */
bool fdt_read(const void *p, struct boot_info *info);
size_t fdt_bytes(const void *p);
bool atags_read(const void *p, struct boot_info *info);

/* board.c: which of them is it? */
const struct board *board_find(uint32_t machine, const char *compatible);

/* setup.c: a physical address as this kernel sees it, before Quire is there */
void *early_map(paddr_t phys, size_t bytes);

/* psci.c: power state coordination (DEN 0022D).  0 or a negative PSCI error */
int psci_cpu_on(uint32_t mpidr, paddr_t entry, uint32_t context);
void psci_system_off(void);

#endif
