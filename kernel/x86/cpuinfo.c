/* SPDX-License-Identifier: MIT */
/*
 * cpuinfo.c - what /proc/cpuinfo says of an x86-64 processor (proc(5)), and
 * what /proc/PID/maps says beyond the process's mappings.
 */
#include "cpu.h"
#include "fs/proc.h"

/* Intel SDM vol. 2, CPUID: names of the bits of leaf 1, as Linux prints them;
 * NULL where there is none. */
static const char *const edx_names[32] = {
	"fpu",	"vme",	 "de",	 "pse",	    "tsc",  "msr", "pae",  "mce",
	"cx8",	"apic",	 NULL,	 "sep",	    "mtrr", "pge", "mca",  "cmov",
	"pat",	"pse36", "pn",	 "clflush", NULL,   "dts", "acpi", "mmx",
	"fxsr", "sse",	 "sse2", "ss",	    "ht",   "tm",  "ia64", "pbe"};
static const char *const ecx_names[32] = {
	"pni",	  "pclmulqdq", "dtes64", "monitor", "ds_cpl",
	"vmx",	  "smx",       "est",	 "tm2",	    "ssse3",
	"cid",	  "sdbg",      "fma",	 "cx16",    "xtpr",
	"pdcm",	  NULL,	       "pcid",	 "dca",	    "sse4_1",
	"sse4_2", "x2apic",    "movbe",	 "popcnt",  "tsc_deadline_timer",
	"aes",	  "xsave",     NULL,	 "avx",	    "f16c",
	"rdrand", "hypervisor"};

static void flag_names(struct text *out, uint32_t bits,
		       const char *const names[32])
{
	unsigned i;

	for (i = 0; i < 32; i++)
		if ((bits >> i & 1) && names[i])
			text_printf(out, " %s", names[i]);
}

static void show_one_cpu(struct text *out, unsigned cpu)
{
	uint32_t id[4], f[4], x[4], w[4], brand[13] = {0};
	char vendor[13] = {0};
	unsigned i, family, model;

	cpuid(0, 0, id);
	memcpy(vendor, &id[1], 4);
	memcpy(vendor + 4, &id[3], 4);
	memcpy(vendor + 8, &id[2], 4);
	cpuid(1, 0, f);
	for (i = 0; i < 3; i++)
		cpuid(0x80000002u + i, 0, brand + 4 * i);
	cpuid(0x80000001u, 0, x);
	cpuid(0x80000008u, 0, w);
	family = f[0] >> 8 & 15;
	model = f[0] >> 4 & 15;
	if (family == 15 || family == 6)
		model |= (f[0] >> 12) & 0xf0;
	if (family == 15)
		family += f[0] >> 20 & 0xff;
	text_printf(out, "processor\t: %u\nvendor_id\t: %s\n", cpu, vendor);
	text_printf(out, "cpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n",
		    family, model, (const char *)brand);
	text_printf(out, "stepping\t: %u\ncpu MHz\t\t: 1000.000\n", f[0] & 15);
	text_printf(out,
		    "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n"
		    "cpu cores\t: %u\n",
		    nr_cpus(), cpu, nr_cpus());
	text_printf(out, "fpu\t\t: yes\nwp\t\t: yes\nflags\t\t:");
	flag_names(out, f[3], edx_names);
	if (x[3] >> 11 & 1)
		text_printf(out, " syscall");
	if (x[3] >> 20 & 1)
		text_printf(out, " nx");
	if (x[3] >> 29 & 1)
		text_printf(out, " lm");
	flag_names(out, f[2], ecx_names);
	text_printf(out,
		    "\nbogomips\t: 2000.00\nclflush size\t: 64\n"
		    "cache_alignment\t: 64\n"
		    "address sizes\t: %u bits physical, %u bits virtual\n\n",
		    w[0] & 255, w[0] >> 8 & 255);
}

void cpuinfo_text(struct text *out)
{
	unsigned i;

	for (i = 0; i < nr_cpus(); i++)
		show_one_cpu(out, i);
}

void maps_text_tail(struct text *out)
{
	(void)out; /* there is no vsyscall page */
}
