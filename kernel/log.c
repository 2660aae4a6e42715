/* SPDX-License-Identifier: MIT */
/*
 * log.c - the kernel's log and its report, line by line, and its last words.
 * The channels are the machine's (machine_log, machine_report in cpu.h).
 */
#include "cpu.h"
#include "irq.h"
#include "protocol.h"

static struct spinlock log_lock;
static int log_level = 7;

static void log_line(const char *text, size_t len)
{
	unsigned long flags = spin_lock_irqsave(&log_lock);

	machine_log(text, len);
	spin_unlock_irqrestore(&log_lock, flags);
}

void quire_host_log(int level, const char *text, size_t len)
{
	if (level <= log_level)
		log_line(text, len);
}

void printk(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = vscnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (log_level >= 6)
		log_line(line, n);
}

void report_line(const char *fmt, ...)
{
	char line[512];
	unsigned long flags;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = vscnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	flags = spin_lock_irqsave(&log_lock);
	machine_report(line, n);
	spin_unlock_irqrestore(&log_lock, flags);
}

void log_init(void)
{
	char text[8];

	if (cmdline_get("quire.log", 0, text, sizeof(text)) > 0)
		log_level = (int)strtoull(text, NULL, 10);
}

void show_calls(const uintptr_t *sp, unsigned words)
{
	unsigned i, shown = 0;

	for (i = 0; i < words && shown < 24; i++) {
		if (((uintptr_t)(sp + i) & (KSTACK_SIZE - 1)) == 0 && i)
			break;
		if (sp[i] >= (uintptr_t)kernel_start &&
		    sp[i] < (uintptr_t)kernel_text_end) {
			printk("  called from %llx", (unsigned long long)sp[i]);
			shown++;
		}
	}
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
	log_line(line, strlen(line));
	if (!once) {
		once = true;
		show_calls(__builtin_frame_address(0), 200);
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
