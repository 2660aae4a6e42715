/* SPDX-License-Identifier: MIT */
/*
 * apic.c - the local APIC (SDM vol. 3A, chapter 10: interrupts between CPUs,
 * one-shot timer) and the I/O APIC (82093AA data sheet: device interrupts).
 * The 8259s are masked off for good.
 */
#include "cpu.h"
#include "irq.h"
#include <quire/linux.h>

#define APIC_ID	       0x20
#define APIC_TPR       0x80
#define APIC_EOI       0xb0
#define APIC_SVR       0xf0
#define APIC_ICR       0x300
#define APIC_ICR2      0x310
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_TMICT     0x380
#define APIC_TMCCT     0x390
#define APIC_TDCR      0x3e0
#define LVT_MASKED     0x10000u

#define IOAPIC_PINS 24u
#define APIC_PHYS   0xfee00000ull
#define IOAPIC_PHYS 0xfec00000ull

static volatile uint32_t *const lapic =
	(volatile uint32_t *)(MMIO_BASE + (APIC_PHYS - MMIO_PHYS));
static volatile uint32_t *const ioapic =
	(volatile uint32_t *)(MMIO_BASE + (IOAPIC_PHYS - MMIO_PHYS));
static uint64_t apic_hz;

static struct {
	void (*fn)(void *arg);
	void *arg;
} handlers[IOAPIC_PINS];
static struct spinlock ioapic_lock;

static void apic_write(unsigned reg, uint32_t v)
{
	lapic[reg / 4] = v;
}
static uint32_t apic_read(unsigned reg)
{
	return lapic[reg / 4];
}

static void ioapic_write(uint32_t reg, uint32_t v)
{
	ioapic[0] = reg;
	ioapic[4] = v;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_init(bool first)
{
	unsigned i;

	if (first) {
		outb(0x21, 0xff);
		outb(0xa1, 0xff);
		for (i = 0; i < IOAPIC_PINS; i++) {
			ioapic_write(0x10 + 2 * i, LVT_MASKED);
			ioapic_write(0x11 + 2 * i, 0);
		}
	}
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0x800);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, 0x400); /* NMI */
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	apic_write(APIC_TDCR, 0xb); /* divide by 1 */
	apic_write(APIC_LVT_TIMER, VEC_TIMER);
	apic_write(APIC_SVR, 0x100 | VEC_SPURIOUS);
	this_cpu()->arch.apic_id = apic_read(APIC_ID) >> 24;
}

static void icr(uint32_t dest, uint32_t command)
{
	unsigned long flags = irq_save();

	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, command);
	while (apic_read(APIC_ICR) & 0x1000)
		cpu_relax();
	irq_restore(flags);
}

void apic_ipi(unsigned cpu, unsigned vector)
{
	icr(cpus[cpu].arch.apic_id, vector);
}

void ipi_resched(unsigned cpu)
{
	apic_ipi(cpu, VEC_RESCHED);
}

void ipi_call(unsigned cpu)
{
	apic_ipi(cpu, VEC_CALL);
}

void apic_ipi_others(unsigned vector)
{
	icr(0, 0xc0000u | vector);
}

static void delay_ns(uint64_t ns)
{
	uint64_t end = rdtsc() + ns * tsc_hz / NSEC_PER_SEC;

	while (rdtsc() < end)
		cpu_relax();
}

/* INIT, start-up, start-up to everyone else (SDM vol. 3A, 8.4.4.1). */
void apic_start_others(paddr_t trampoline)
{
	icr(0, 0xc4500u);
	delay_ns(200000);
	icr(0, 0xc4600u | (uint32_t)(trampoline >> 12));
	delay_ns(200000);
}

void apic_timer_calibrate(void)
{
	uint64_t t0, t1;
	uint32_t left;

	apic_write(APIC_LVT_TIMER, LVT_MASKED | VEC_TIMER);
	apic_write(APIC_TMICT, ~0u);
	t0 = rdtsc();
	delay_ns(2000000);
	left = apic_read(APIC_TMCCT);
	t1 = rdtsc();
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, VEC_TIMER);
	apic_hz = mul_div(~0u - left, tsc_hz, t1 - t0);
}

void timer_hw_arm(uint64_t ns)
{
	uint64_t n;

	/* An early interrupt does no harm, so a long wait may be cut. */
	ns = K_MIN(ns, 4 * NSEC_PER_SEC);
	n = mul_div(ns, apic_hz, NSEC_PER_SEC) + 1;
	apic_write(APIC_TMICT, n > ~0u ? ~0u : (uint32_t)n);
}

int irq_register(unsigned gsi, bool level, void (*fn)(void *), void *arg)
{
	unsigned long flags;

	if (gsi >= IOAPIC_PINS)
		return -ENXIO;
	flags = spin_lock_irqsave(&ioapic_lock);
	if (handlers[gsi].fn) {
		spin_unlock_irqrestore(&ioapic_lock, flags);
		return -EBUSY;
	}
	handlers[gsi].arg = arg;
	handlers[gsi].fn = fn;
	ioapic_write(0x11 + 2 * gsi, cpus[0].arch.apic_id << 24);
	ioapic_write(0x10 + 2 * gsi,
		     (level ? 0x8000u : 0) | (VEC_DEVICE + gsi));
	spin_unlock_irqrestore(&ioapic_lock, flags);
	return 0;
}

void device_interrupt(unsigned vector)
{
	unsigned pin = vector - VEC_DEVICE;

	if (pin < IOAPIC_PINS && handlers[pin].fn)
		handlers[pin].fn(handlers[pin].arg);
}
