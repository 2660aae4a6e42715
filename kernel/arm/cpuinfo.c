/* SPDX-License-Identifier: MIT */
/*
 * cpuinfo.c - what user programs are told of an ARM processor: AT_HWCAP (bits
 * of <asm/hwcap.h> of the user's headers) and /proc/cpuinfo (proc(5)), and the
 * last page of the address space in /proc/PID/maps.
 */
#include "cpu.h"
#include "exec.h"
#include "fs/proc.h"

/* The bits in their order, with the names that Linux gives them. */
enum hwcap {
	HWCAP_SWP,
	HWCAP_HALF,
	HWCAP_THUMB,
	HWCAP_26BIT,
	HWCAP_FAST_MULT,
	HWCAP_FPA,
	HWCAP_VFP,
	HWCAP_EDSP,
	HWCAP_JAVA,
	HWCAP_IWMMXT,
	HWCAP_CRUNCH,
	HWCAP_THUMBEE,
	HWCAP_NEON,
	HWCAP_VFPV3,
	HWCAP_VFPV3D16,
	HWCAP_TLS,
	HWCAP_VFPV4,
	HWCAP_IDIVA,
	HWCAP_IDIVT,
	HWCAP_VFPD32,
	NR_HWCAPS
};
static const char *const names[NR_HWCAPS] = {
	"swp",	    "half", "thumb",  "26bit",	"fastmult", "fpa",   "vfp",
	"edsp",	    "java", "iwmmxt", "crunch", "thumbee",  "neon",  "vfpv3",
	"vfpv3d16", "tls",  "vfpv4",  "idiva",	"idivt",    "vfpd32"};
#define BIT(n) (1u << HWCAP_##n)

uaddr_t exec_hwcap(void)
{
	const struct arm_cpu_features *f = &cpu_features;
	/* SWP is obsolete from v6 on, and not promised */
	uint32_t caps =
		BIT(HALF) | BIT(THUMB) | BIT(FAST_MULT) | BIT(EDSP) | BIT(TLS);

	if (f->vfp)
		caps |= BIT(VFP);
	if (f->vfp_v3)
		caps |= BIT(VFPV3) | (f->vfp_d32 ? BIT(VFPD32) : BIT(VFPV3D16));
	if (f->vfp_v4)
		caps |= BIT(VFPV4);
	if (f->neon)
		caps |= BIT(NEON);
	if (f->idiv)
		caps |= BIT(IDIVA) | BIT(IDIVT);
	return caps;
}

/* Cryptography and checksums: ARMv8's. */
uaddr_t exec_hwcap2(void)
{
	return 0;
}

static void show_one_cpu(struct text *out, unsigned cpu)
{
	uint32_t midr = cpu_features.midr, caps = exec_hwcap();
	unsigned v = cpu_features.v7 ? 7 : 6, i;

	text_printf(out, "processor\t: %u\n", cpu);
	text_printf(out, "model name\t: %s rev %u (v%ul)\n",
		    v == 7 ? "ARMv7 Processor" : "ARMv6-compatible processor",
		    midr & 15, v);
	text_printf(out, "BogoMIPS\t: 1000.00\nFeatures\t:");
	for (i = 0; i < NR_HWCAPS; i++)
		if (caps >> i & 1)
			text_printf(out, " %s", names[i]);
	text_printf(out,
		    " \nCPU implementer\t: 0x%02x\nCPU architecture: 7\n"
		    "CPU variant\t: 0x%x\nCPU part\t: 0x%03x\n"
		    "CPU revision\t: %u\n\n",
		    midr >> 24, midr >> 20 & 15, midr >> 4 & 0xfff, midr & 15);
}

void cpuinfo_text(struct text *out)
{
	unsigned i;

	for (i = 0; i < nr_cpus(); i++)
		show_one_cpu(out, i);
	text_printf(out,
		    "Hardware\t: %s\nRevision\t: 0000\n"
		    "Serial\t\t: 0000000000000000\n",
		    machine_name());
}

/* The page that programs call for the helpers is no mapping of theirs. */
void kmmio_text(struct text *out)
{
	(void)out; /* x86's */
}

void maps_text_tail(struct text *out)
{
	text_printf(out, "%08x-%08x r-xp 00000000 00:00 0          [vectors]\n",
		    VECTORS, VECTORS + QUIRE_PAGE_SIZE);
}
