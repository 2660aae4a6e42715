/* SPDX-License-Identifier: MIT */
/*
 * irq.c - what an interrupt is for: the timer, another CPU, or a device whose
 * driver has asked for it.  Interrupts stay off while one is handled.
 *
 * Lock: irq_lock guards handlers[], which only grows.
 */
#include "board.h"
#include "irq.h"

#define MAX_IRQS 256u

static struct spinlock irq_lock;
static unsigned nr_irqs;
static struct {
	void (*fn)(void *arg);
	void *arg;
} handlers[MAX_IRQS];

void irq_init(void)
{
	nr_irqs = board->irqs->init(board);
	nr_irqs = K_MIN(nr_irqs, MAX_IRQS);
	board->irqs->init_cpu(0);
}

int irq_register(unsigned irq, bool level, void (*fn)(void *), void *arg)
{
	unsigned long flags;

	if (irq < board->irqs->nr_ipis || irq >= nr_irqs)
		return -ENXIO;
	flags = spin_lock_irqsave(&irq_lock);
	if (handlers[irq].fn || irq == board->clock_irq) {
		spin_unlock_irqrestore(&irq_lock, flags);
		return -EBUSY;
	}
	handlers[irq].arg = arg;
	handlers[irq].fn = fn;
	board->irqs->enable(irq, level);
	spin_unlock_irqrestore(&irq_lock, flags);
	return 0;
}

static void take_ipi(unsigned what)
{
	if (what == IPI_CALL)
		cpu_call_answer();
	if (what == IPI_HALT)
		for (;;)
			cpu_relax();
}

void irq_dispatch(struct pt_regs *regs)
{
	const struct irq_chip *chip = board->irqs;
	uint32_t taken;

	idle_end();
	while ((taken = chip->take()) != IRQ_NONE) {
		unsigned n = taken & IRQ_NUMBER;

		if (n < chip->nr_ipis) {
			chip->end(taken);
			take_ipi(n);
		} else if (n == board->clock_irq) {
			board->clock->quiet();
			chip->end(taken);
			timer_interrupt(regs);
		} else {
			if (n < MAX_IRQS && handlers[n].fn)
				handlers[n].fn(handlers[n].arg);
			chip->end(taken);
		}
	}
}

void ipi_resched(unsigned cpu)
{
	board->irqs->ipi(cpu, IPI_RESCHED);
}

void ipi_call(unsigned cpu)
{
	board->irqs->ipi(cpu, IPI_CALL);
}
