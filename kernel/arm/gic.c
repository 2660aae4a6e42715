/* SPDX-License-Identifier: MIT */
/*
 * gic.c - the interrupt controller (GICv2, IHI 0048B): 0 to 15 are sent by
 * CPUs, 16 to 31 private to each CPU, the others (SPI) from devices, all of
 * which go to CPU 0.  One priority.
 */
#include "board.h"
#include "irq.h"

#define GICD_CTLR	0x000
#define GICD_TYPER	0x004
#define GICD_ISENABLER	0x100
#define GICD_ICENABLER	0x180
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR	0x800
#define GICD_ICFGR	0xc00
#define GICD_SGIR	0xf00
#define GICC_CTLR	0x00
#define GICC_PMR	0x04
#define GICC_IAR	0x0c
#define GICC_EOIR	0x10
#define SPURIOUS	1020u
#define PRIORITY	0xa0a0a0a0u

static volatile char *dist, *cpuif;

static uint32_t dist_read(unsigned reg)
{
	return *(volatile uint32_t *)(volatile void *)(dist + reg);
}
static void dist_write(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(volatile void *)(dist + reg) = v;
}
static uint32_t cpu_read(unsigned reg)
{
	return *(volatile uint32_t *)(volatile void *)(cpuif + reg);
}
static void cpu_write(unsigned reg, uint32_t v)
{
	*(volatile uint32_t *)(volatile void *)(cpuif + reg) = v;
}

static unsigned gic_init(const struct board *b)
{
	unsigned i, nr_irqs;

	dist = mmio_map(b->irq_regs, 0x1000);
	cpuif = mmio_map(b->irq_cpu_regs, 0x1000);
	dist_write(GICD_CTLR, 0);
	nr_irqs = 32 * ((dist_read(GICD_TYPER) & 31) + 1);
	nr_irqs = K_MIN(nr_irqs, SPURIOUS);
	for (i = 32; i < nr_irqs; i += 32)
		dist_write(GICD_ICENABLER + i / 8, ~0u);
	for (i = 32; i < nr_irqs; i += 4) {
		dist_write(GICD_IPRIORITYR + i, PRIORITY);
		dist_write(GICD_ITARGETSR + i, 0x01010101u);
	}
	dist_write(GICD_CTLR, 1);
	return nr_irqs;
}

static void gic_init_cpu(unsigned id)
{
	/* Each CPU reads its own bit there; where there is but one CPU, zero
	 * (IHI 0048B, 4.3.12). */
	uint32_t mask = dist_read(GICD_ITARGETSR) & 0xff;
	unsigned i;

	cpus[id].arch.gic_mask = mask ? mask : 1;

	dist_write(GICD_ICENABLER, 0xffff0000u);
	dist_write(GICD_ISENABLER, 0x0000ffffu); /* those between CPUs */
	for (i = 0; i < 32; i += 4)
		dist_write(GICD_IPRIORITYR + i, PRIORITY);
	cpu_write(GICC_PMR, 0xf0);
	cpu_write(GICC_CTLR, 1);
}

static void gic_enable(unsigned irq, bool level)
{
	unsigned reg = GICD_ICFGR + irq / 16 * 4, bit = irq % 16 * 2 + 1;
	uint32_t v = dist_read(reg);

	if (irq >= GIC_SPI)
		dist_write(reg, level ? v & ~(1u << bit) : v | 1u << bit);
	dist_write(GICD_ISENABLER + irq / 32 * 4, 1u << irq % 32);
}

static void gic_ipi(unsigned cpu, unsigned sgi)
{
	dmb(); /* what it is to see, before */
	dist_write(GICD_SGIR, cpus[cpu].arch.gic_mask << 16 | sgi);
}

static uint32_t gic_take(void)
{
	uint32_t iar = cpu_read(GICC_IAR);

	return (iar & IRQ_NUMBER) < SPURIOUS ? iar : IRQ_NONE;
}

static void gic_end(uint32_t taken)
{
	cpu_write(GICC_EOIR, taken);
}

const struct irq_chip gic = {
	.init = gic_init,
	.init_cpu = gic_init_cpu,
	.enable = gic_enable,
	.take = gic_take,
	.end = gic_end,
	.ipi = gic_ipi,
	.nr_ipis = 16,
};
