/* SPDX-License-Identifier: MIT */
/*
 * earlycon.c - what works before any driver does: the log and report ports
 * (QEMU's isa-debugcon), the serial port, fw_cfg (QEMU docs/specs/fw_cfg.txt),
 * and the end of the machine.
 */
#include "cpu.h"
#include "irq.h"
#include "protocol.h"

void machine_log(const char *text, size_t len)
{
	outsb(PORT_LOG, text, len);
	outb(PORT_LOG, '\n');
}

void machine_report(const char *text, size_t len)
{
	outsb(PORT_REPORT, text, len);
	outb(PORT_REPORT, '\n');
}

_Noreturn void machine_exit(unsigned code)
{
	irq_disable();
	outl(PORT_EXIT, code);
	/* No such device: stop for good. */
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* --------------------------------------------------------- serial port */

#define COM1 0x3f8

void serial_write(const void *data, unsigned long n)
{
	const uint8_t *p = data;

	for (; n; n--, p++) {
		while (!(inb(COM1 + 5) & 0x20))
			cpu_relax();
		outb(COM1, *p);
	}
}

int serial_getc(void)
{
	uint8_t status = inb(COM1 + 5);

	if (status == 0xff || !(status & 1))
		return -1;
	return inb(COM1);
}

/* -------------------------------------------------------------- fw_cfg */

#define FW_CTL	    0x510
#define FW_DATA	    0x511
#define FW_NB_CPUS  0x05
#define FW_FILE_DIR 0x19

static void fw_select(uint16_t key)
{
	outw(FW_CTL, key);
}

static void fw_read(void *buf, size_t n)
{
	__asm__ volatile("rep insb"
			 : "+D"(buf), "+c"(n)
			 : "d"((uint16_t)FW_DATA)
			 : "memory");
}

unsigned fw_cfg_cpus(void)
{
	uint16_t n = 0;

	fw_select(FW_NB_CPUS);
	fw_read(&n, sizeof(n));
	return n;
}

/* Find a file: its key and size; -1: none. */
static long fw_find(const char *name, uint16_t *key)
{
	struct {
		uint32_t size;
		uint16_t select, reserved;
		char name[56];
	} entry;
	char sig[4];
	uint32_t count, i;

	fw_select(0);
	fw_read(sig, 4);
	if (memcmp(sig, "QEMU", 4))
		return -1;
	fw_select(FW_FILE_DIR);
	fw_read(&count, 4);
	count = __builtin_bswap32(count);
	for (i = 0; i < count; i++) {
		fw_read(&entry, sizeof(entry));
		if (strncmp(entry.name, name, sizeof(entry.name)))
			continue;
		*key = __builtin_bswap16(entry.select);
		return (long)__builtin_bswap32(entry.size);
	}
	return -1;
}

static long fw_cfg_file(const char *name, void **data)
{
	uint16_t key;
	long size = fw_find(name, &key);
	char *p;

	if (size < 0)
		return -1;
	p = kmalloc((size_t)size + 1);
	if (!p)
		return -1;
	fw_select(key);
	fw_read(p, (size_t)size);
	p[size] = 0;
	*data = p;
	return size;
}

long machine_init_blob(void **data)
{
	return fw_cfg_file("opt/quire/init", data);
}
