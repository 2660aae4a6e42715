/* SPDX-License-Identifier: MIT */
/*
 * earlycon.c - what works before any driver does: the log (PL011 UART, DDI
 * 0183G, 3.3), the report and the end of the machine (semihosting, ARM
 * 100863, 2: SVC 0x123456 in ARM state, operation in r0, parameter in r1).
 *
 * Semihosting is a service of the debugger or the emulator.  Where there is
 * none the SVC reaches the kernel's own vector; semihosting_probe() finds out
 * by letting that vector lead to a stub for one call.
 */
#include "board.h"
#include "irq.h"
#include "protocol.h"

#define UART_DR	   0x00 / 4
#define UART_FR	   0x18 / 4
#define UART_LCR_H 0x2c / 4
#define UART_CR	   0x30 / 4
#define FR_RXFE	   0x10u
#define FR_TXFF	   0x20u

#define SYS_WRITE0	  0x04u
#define SYS_TIME	  0x11u
#define SYS_EXIT_EXTENDED 0x20u
#define EXIT_APPLICATION  0x20026u

static volatile uint32_t *uart;
static bool semihosting;

void semihosting_absent(void); /* entry.S */

/* -------------------------------------------------------------- semihosting */

static uint32_t semi_call(uint32_t op, const void *arg)
{
	register uint32_t r0 __asm__("r0") = op;
	register const void *r1 __asm__("r1") = arg;

	__asm__ volatile("svc #0x123456"
			 : "+r"(r0), "+r"(r1)::"r2", "r3", "ip", "lr", "memory",
			   "cc");
	return r0;
}

void semihosting_probe(void)
{
	uint32_t *slot = (uint32_t *)(void *)vectors_page + 8 + 2;
	uint32_t old = *slot;

	*(volatile uint32_t *)slot = (uint32_t)(uintptr_t)semihosting_absent;
	dsb();
	semihosting = semi_call(SYS_TIME, NULL) != ~0u;
	*(volatile uint32_t *)slot = old;
	dsb();
	if (!semihosting)
		printk("no semihosting: the report goes to the log");
}

/*
 * By SYS_WRITE0, which takes a string: QEMU 7.2 gives what is written to the
 * file ":tt" to its own standard output, and only what comes this way to the
 * character device that -semihosting-config names.
 */
void machine_report(const char *text, size_t len)
{
	char piece[128];

	if (!semihosting) {
		machine_log(text, len);
		return;
	}
	while (len > 0) {
		size_t n = len < sizeof(piece) - 1 ? len : sizeof(piece) - 1;

		memcpy(piece, text, n);
		piece[n] = '\0';
		(void)semi_call(SYS_WRITE0, piece);
		text += n;
		len -= n;
	}
	(void)semi_call(SYS_WRITE0, "\n");
}

_Noreturn void machine_exit(unsigned code)
{
	uint32_t args[2] = {EXIT_APPLICATION, code};

	irq_disable();
	if (semihosting)
		(void)semi_call(SYS_EXIT_EXTENDED, args);
	psci_system_off();
	halt_others();
	for (;;)
		__asm__ volatile("" ::: "memory");
}

/* --------------------------------------------------------------------- UART */

void channels_init(void)
{
	uart = mmio_map(board->uart, 4096);
	uart[UART_LCR_H] = 0x70; /* 8 bits, FIFOs on */
	uart[UART_CR] = 0x301;	 /* on, transmit, receive */
}

void serial_write(const void *data, unsigned long n)
{
	const uint8_t *p = data;

	for (; uart && n; n--, p++) {
		while (uart[UART_FR] & FR_TXFF)
			cpu_relax();
		uart[UART_DR] = *p;
	}
}

int serial_getc(void)
{
	if (!uart || (uart[UART_FR] & FR_RXFE))
		return -1;
	return (int)(uart[UART_DR] & 0xff);
}

void machine_log(const char *text, size_t len)
{
	serial_write(text, len);
	serial_write("\n", 1);
}
