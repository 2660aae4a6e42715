/* SPDX-License-Identifier: MIT */
/*
 * kmmio.c - a probe on device registers for whoever wants to see what the
 * kernel does to them: quire.kmmio=ADDRESS,BYTES on the command line (physical;
 * "virtio": the first virtio device), counted in /proc/kmmio.
 */
#include <asm/ptrace.h>
#include <quire/kmmio.h>
#include "cpu.h"
#include "irq.h"
#include "fs/proc.h"
#include "virtio.h"

static struct quire_kmmio_probe probe;
static uint64_t before, after; /* handlers called; atomic */
static uint64_t last;	       /* offset of the last access */
static bool on;

static void count_before(struct quire_kmmio_probe *p, struct pt_regs *regs,
			 uaddr_t addr)
{
	(void)regs;
	__atomic_fetch_add(&before, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&last, addr - p->addr, __ATOMIC_RELAXED);
}

static void count_after(struct quire_kmmio_probe *p, struct pt_regs *regs,
			uaddr_t addr)
{
	(void)p;
	(void)regs;
	(void)addr;
	__atomic_fetch_add(&after, 1, __ATOMIC_RELAXED);
}

void kmmio_init(void)
{
	struct virtio_place place;
	char text[48], *end;
	paddr_t phys;
	int err;

	if (cmdline_get("quire.kmmio", 0, text, sizeof(text)) < 0)
		return;
	phys = strtoull(text, &end, 0);
	probe.len = *end == ',' ? strtoull(end + 1, &end, 0) : 0;
	if (!strcmp(text, "virtio") && machine_virtio(0, &place)) {
		phys = place.base;
		probe.len = place.bytes;
	}
	probe.addr = (uaddr_t)mmio_map(phys, probe.len);
	probe.pre = count_before;
	probe.post = count_after;
	err = probe.addr ? quire_kmmio_register(the_quire, &probe) : -EINVAL;
	on = !err;
	printk("kmmio: probe of %llx, %llu bytes: %d", (unsigned long long)phys,
	       (unsigned long long)probe.len, err);
}

void kmmio_text(struct text *out)
{
	if (!on)
		return;
	text_printf(
		out, "before %llu after %llu last %llx\n",
		(unsigned long long)__atomic_load_n(&before, __ATOMIC_RELAXED),
		(unsigned long long)__atomic_load_n(&after, __ATOMIC_RELAXED),
		(unsigned long long)__atomic_load_n(&last, __ATOMIC_RELAXED));
}
