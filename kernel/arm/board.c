/* SPDX-License-Identifier: MIT */
/*
 * board.c - the boards.  Addresses: QEMU's hw/arm documentation for `virt`
 * (its device tree says the same); Versatile Express Motherboard TRM
 * DUI 0447J, 4.2 (RS1 memory map) and CoreTile A15x2 TRM DUI 0604H for
 * `vexpress-a15`; BCM2835 ARM Peripherals, 1.2.3 for the Raspberry Pi Zero (no
 * virtio there: programs come from an archive, fs/initramfs.c).
 */
#include "board.h"
#include "irq.h"

static const struct board boards[] = {
	{
		.name = "QEMU virt",
		.machine = ~0u,
		.compatible = "linux,dummy-virt",
		.uart = 0x09000000,
		.rtc = 0x09010000,
		.irqs = &gic,
		.irq_regs = 0x08000000,
		.irq_cpu_regs = 0x08010000,
		.clock = &generic_clock,
		.clock_irq = 27, /* virtual timer, private */
		.virtio = 0x0a000000,
		.nr_virtio = 32,
		.virtio_irq = GIC_SPI + 16,
	},
	{
		.name = "Versatile Express",
		.machine = 2272,
		.compatible = "arm,vexpress,v2p-ca15",
		.uart = 0x1c090000,
		.rtc = 0x1c170000,
		.irqs = &gic,
		.irq_regs = 0x2c001000,
		.irq_cpu_regs = 0x2c002000,
		.clock = &sp804_clock,
		.clock_irq = GIC_SPI + 2,
		.timer = 0x1c110000,
		.counter = 0x1c01005c,
		.virtio = 0x1c130000,
		.nr_virtio = 4,
		.virtio_irq = GIC_SPI + 40,
	},
	{
		.name = "Raspberry Pi Zero",
		.machine = 3138,
		.compatible = "raspberrypi,model-zero",
		.uart = 0x20201000,
		.irqs = &bcm2835_irqs,
		.irq_regs = 0x2000b000,
		.clock = &bcm2835_clock,
		.clock_irq = 3, /* the system timer's third compare */
		.timer = 0x20003000,
	},
};

const struct board *board;
struct boot_info boot_info;

const struct board *board_find(uint32_t machine, const char *compatible)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(boards); i++)
		if (compatible ? !strcmp(boards[i].compatible, compatible)
			       : boards[i].machine == machine)
			return &boards[i];
	return NULL;
}

bool machine_virtio(unsigned n, struct virtio_place *place)
{
	if (n >= board->nr_virtio)
		return false;
	place->base = board->virtio + 0x200 * n;
	place->bytes = 0x200;
	place->irq = board->virtio_irq + n;
	place->level = true;
	return true;
}
