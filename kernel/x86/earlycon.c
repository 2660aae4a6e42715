/* SPDX-License-Identifier: MIT */
/*
 * earlycon.c - what works before any driver does: the log and report ports
 * (QEMU's isa-debugcon), the serial port, fw_cfg (QEMU docs/specs/fw_cfg.txt),
 * and the end of the machine.
 */
#include "cpu.h"
#include "irq.h"
#include "protocol.h"

static struct spinlock log_lock;
static int log_level = 7;

static void port_line(uint16_t port, const char *text, size_t len)
{
	unsigned long flags = spin_lock_irqsave(&log_lock);

	outsb(port, text, len);
	outb(port, '\n');
	spin_unlock_irqrestore(&log_lock, flags);
}

void quire_host_log(int level, const char *text, size_t len)
{
	if (level <= log_level)
		port_line(PORT_LOG, text, len);
}

void printk(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (log_level >= 6)
		port_line(PORT_LOG, line, (size_t)n);
}

void report_line(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	port_line(PORT_REPORT, line, (size_t)n);
}

void log_init(void);
void log_init(void)
{
	char text[8];

	if (cmdline_get("quire.log", 0, text, sizeof(text)) > 0)
		log_level = (int)strtoull(text, NULL, 10);
}

_Noreturn void machine_exit(unsigned code)
{
	irq_disable();
	outl(PORT_EXIT, code);
	/* No such device: stop for good. */
	for (;;)
		__asm__ volatile("cli; hlt");
}

_Noreturn void panic(const char *fmt, ...)
{
	static bool once;
	char line[256], json[300];
	va_list ap;
	size_t i, n = 0;

	irq_disable();
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_lock.locked = 0; /* whoever held it is not to stop us */
	port_line(PORT_LOG, line, strlen(line));
	if (!once) {
		uint64_t *sp = __builtin_frame_address(0);

		once = true;
		for (i = 0; i < 200 && ((uint64_t)(sp + i) & 0x3fff); i++)
			if (sp[i] >= (uint64_t)kernel_start &&
			    sp[i] < (uint64_t)kernel_text_end)
				printk("  called from %llx",
				       (unsigned long long)sp[i]);
		for (i = 0; line[i] && n < sizeof(json) - 3; i++) {
			if (line[i] == '"' || line[i] == '\\')
				json[n++] = '\\';
			json[n++] = line[i] < ' ' ? ' ' : line[i];
		}
		json[n] = 0;
		report_line("{\"panic\":\"%s\"}", json);
	}
	machine_exit(0x10);
}

_Noreturn void quire_host_panic(const char *file, int line, const char *what)
{
	panic("%s:%d: invariant broken: %s", file, line, what);
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

unsigned fw_cfg_cpus(void);
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

long fw_cfg_file(const char *name, void **data)
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
