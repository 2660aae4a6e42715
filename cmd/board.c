/* SPDX-License-Identifier: MIT */
/*
 * The machines that `quire run` knows.  One table: what is true of a machine
 * and is text or a number stands here, machine.c has what differs in kind.
 *
 * The ARMv6 machine is an ARM1176 on a board made for Cortex-A15: QEMU lets
 * the two meet, and the board has the virtio transports that ARMv6 boards
 * lack.  ARM kernels use memory that their direct map reaches, 760 MiB.
 */
#include "cmd/board.h"

#include <string.h>

#define MIB (UINT64_C(1) << 20)

static const struct board boards[NR_ARCHES] = {
	[ARCH_X86_64] =
		{
			.name = "x86_64",
			.runs = "64-bit x86-64",
			.qemu = "qemu-system-x86_64",
			.package = "qemu-system-x86",
			.machine = "microvm,acpi=off,pic=on,pit=on,rtc=on,"
				   "isa-serial=off",
			.built = "../kernel/quire.elf",
			.installed = "../lib/quire/quire.elf",
			.max_cpus = 8,
			.levels = 4,
			.ram = 1024 * MIB,
			.max_ram = 65536 * MIB,
			.devices = 8,
		},
	[ARCH_ARMV7] =
		{
			.name = "armv7",
			.runs = "32-bit ARM",
			.qemu = "qemu-system-arm",
			.package = "qemu-system-arm",
			.machine = "virt",
			.cpu = "cortex-a15",
			.built = "../kernel-armv7/quire.img",
			.installed = "../lib/quire/quire-armv7.img",
			.max_cpus = 4,
			.levels = 2,
			.ram = 512 * MIB,
			.max_ram = 760 * MIB,
			.devices = 32,
		},
	[ARCH_ARMV6] =
		{
			.name = "armv6",
			.runs = "32-bit ARM",
			.qemu = "qemu-system-arm",
			.package = "qemu-system-arm",
			.machine = "vexpress-a15",
			.cpu = "arm1176",
			.built = "../kernel-armv6/quire.img",
			.installed = "../lib/quire/quire-armv6.img",
			.max_cpus = 1,
			.levels = 2,
			.ram = 512 * MIB,
			.max_ram = 760 * MIB,
			.devices = 4,
		},
};

const struct board *board_of(enum arch arch)
{
	return &boards[arch];
}

enum arch board_named(const char *name)
{
	for (enum arch a = ARCH_X86_64; a < NR_ARCHES; a++)
		if (strcmp(boards[a].name, name) == 0)
			return a;
	return ARCH_FROM_PROGRAM;
}
