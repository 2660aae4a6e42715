/* SPDX-License-Identifier: MIT */
/*
 * irq.h - device interrupts and registers, the boot loader's command line.
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include <quire/types.h>

/*
 * Route interrupt `gsi` (x86: I/O APIC pin; ARM: the GIC's number) to CPU 0 and
 * call fn(arg), interrupts off, at each one.  level: level-triggered
 * (virtio-mmio on microvm is edge: the pin follows the interrupt status).  The
 * callee quiets the device; the end of interrupt is given after it.  0 or
 * -errno (no such pin, no vector left).
 */
int irq_register(unsigned gsi, bool level, void (*fn)(void *), void *arg);

/*
 * The n-th virtio-mmio transport that the machine has (virtio.c looks whether
 * a device is behind it).  False: there are no more.
 */
struct virtio_place {
	paddr_t base;
	size_t bytes;
	unsigned irq;
	bool level;
};
bool machine_virtio(unsigned n, struct virtio_place *place);

/* A device's registers at a physical address: uncached, for ever. */
void *mmio_map(paddr_t phys, size_t bytes);

/* The kernel command line, and the value of a key in it ("key=value"): bytes
 * copied (cut at cap - 1, NUL-ended), or -1 when it is not there.  n-th one,
 * from 0, for keys that come several times. */
void cmdline_set(const char *text); /* at boot */
const char *kernel_cmdline(void);
int cmdline_get(const char *key, unsigned n, char *buf, size_t cap);

#endif
