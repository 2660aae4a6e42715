/* SPDX-License-Identifier: MIT */
/*
 * board.h - what the kernel knows of the machines it runs on, and what the
 * boot loader tells about this one.
 */
#ifndef KERNEL_ARM_BOARD_H
#define KERNEL_ARM_BOARD_H

#include "cpu.h"

struct board;

/* What there is instead of an interrupt: see take. */
#define IRQ_NONE (~0u)
/* Bits of what take returns that are the interrupt's number. */
#define IRQ_NUMBER 1023u

/*
 * An interrupt controller (gic.c, bcm2835.c).  All of them are called with
 * interrupts off.
 */
struct irq_chip {
	/* Everything off; how many interrupts there are. */
	unsigned (*init)(const struct board *b);
	void (*init_cpu)(unsigned id);
	/* Let `irq` in: on this CPU (private ones) or on CPU 0. */
	void (*enable)(unsigned irq, bool level);
	/* The interrupt that is there now, or IRQ_NONE; it is given to end()
	 * when its cause has been dealt with. */
	uint32_t (*take)(void);
	void (*end)(uint32_t taken);
	/* Interrupt another CPU; `what` is IPI_*, which is what take gives
	 * there.  NULL where there is one CPU. */
	void (*ipi)(unsigned cpu, unsigned what);
	unsigned nr_ipis; /* numbers below are what other CPUs send */
};
extern const struct irq_chip gic, bcm2835_irqs;

/* A counter and a timer (time.c, bcm2835.c); interrupts are off. */
struct clock_source {
	uint32_t (*start)(const struct board *b); /* ticks a second */
	void (*init_cpu)(void);			  /* may be NULL */
	uint64_t (*read)(void);
	void (*arm)(uint64_t ns); /* one interrupt; early does no harm */
	void (*quiet)(void);	  /* it has been taken */
};
extern const struct clock_source generic_clock, sp804_clock, bcm2835_clock;

struct board {
	const char *name;
	uint32_t machine;	/* number that the boot loader gives in r1 */
	const char *compatible; /* or the root of the device tree */
	paddr_t uart;		/* PL011 */
	paddr_t rtc;		/* PL031, 0: none */
	const struct irq_chip *irqs;
	paddr_t irq_regs, irq_cpu_regs;
	const struct clock_source *clock;
	unsigned clock_irq;
	paddr_t timer, counter;
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
