/* SPDX-License-Identifier: MIT */
/*
 * arch_cpu.h - an x86-64 processor: its private data behind %gs, the
 * instructions that C has no word for, and what the files of kernel/x86 share.
 * Register and bit numbers: Intel SDM vol. 3A 2.5 (control registers), vol. 4
 * (MSRs); AMD APM vol. 2 for EFER and STAR.
 */
#ifndef KERNEL_ARCH_CPU_H
#define KERNEL_ARCH_CPU_H

#include <quire/quire.h>
#include "klib.h"

struct task;

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_DS	  0x2b
#define USER_CS	  0x33

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap;
} __attribute__((packed));

/* x86's part of struct cpu (cpu.h). */
struct cpu_arch {
	uint32_t apic_id;
	uint64_t fsbase, gsbase; /* what the MSRs hold */
	struct tss tss;
	uint64_t gdt[10];
	uint64_t df_stack[512], nmi_stack[512];
};

/* %gs:24 is struct cpu's id (checked in offsets.c). */
static inline unsigned this_cpu_id(void)
{
	uint32_t id;

	__asm__("movl %%gs:24, %0" : "=r"(id));
	return id;
}

/* Put it so that current_task() finds `t` on CPU id, which this is: struct
 * cpu names it already. */
static inline void cpu_load_current(unsigned id, struct task *t)
{
	(void)id;
	(void)t;
}

/* Features found at boot; the same on all CPUs. */
struct cpu_features {
	bool nx, smep, smap, umip, la57, pcid, pge, xsave, avx, rdrand;
	bool rdtscp;
	uint32_t xsave_size;
	uint64_t xcr0;
	uint32_t hwcap; /* CPUID 1 EDX, AT_HWCAP */
	uint32_t phys_bits;
	char vendor[13], brand[49];
	uint32_t family, model, stepping;
};
extern struct cpu_features cpu_features;

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v),
			 "d"((uint32_t)(v >> 32))
			 : "memory");
}
#define MSR_EFER	   0xc0000080u
#define MSR_STAR	   0xc0000081u
#define MSR_LSTAR	   0xc0000082u
#define MSR_CSTAR	   0xc0000083u
#define MSR_SFMASK	   0xc0000084u
#define MSR_FS_BASE	   0xc0000100u
#define MSR_GS_BASE	   0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX	   0xc0000103u
#define MSR_APIC_BASE	   0x1bu

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}
static inline uint64_t read_cr0(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr0, %0" : "=r"(v));
	return v;
}
static inline void write_cr0(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr0" ::"r"(v) : "memory");
}
static inline uint64_t read_cr3(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr3, %0" : "=r"(v));
	return v;
}
static inline void write_cr3(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}
static inline uint64_t read_cr4(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr4, %0" : "=r"(v));
	return v;
}
static inline void write_cr4(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr4" ::"r"(v) : "memory");
}
#define CR0_MP	       0x2ull
#define CR0_EM	       0x4ull
#define CR0_TS	       0x8ull
#define CR0_NE	       0x20ull
#define CR0_WP	       0x10000ull
#define CR0_AM	       0x40000ull
#define CR4_PGE	       (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]),
			   "=d"(out[3])
			 : "a"(leaf), "c"(sub));
}
static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port));
}
static inline void outsb(uint16_t port, const void *p, size_t n)
{
	__asm__ volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(port) : "memory");
}

/* --------------------------------------------------------- address map */
/*
 * Both with four and with five levels the kernel keeps to the top 2^47 bytes:
 *   DIRECT_MAP    all RAM, physical address p at DIRECT_MAP + p
 *   KERNEL_BASE   the image: physical 0 ... 1 GiB
 *   MMIO_BASE     physical 3 ... 4 GiB, uncached: APICs and devices
 */
#define DIRECT_MAP  0xffff888000000000ull
#define KERNEL_BASE 0xffffffff80000000ull
#define MMIO_BASE   0xffffffffc0000000ull
#define MMIO_PHYS   0xc0000000ull

static inline void *phys_to_virt(paddr_t p)
{
	return (void *)(DIRECT_MAP + p);
}
static inline paddr_t virt_to_phys(const void *v)
{
	uint64_t a = (uint64_t)(uintptr_t)v;

	return a >= KERNEL_BASE ? a - KERNEL_BASE : a - DIRECT_MAP;
}

/* Ticks of the clock that faults are timed by; cycles_hz of them a second. */
extern uint64_t tsc_hz;
static inline uint64_t cycles_read(void)
{
	return rdtsc();
}
static inline uint64_t cycles_hz(void)
{
	return tsc_hz;
}

/* ------------------------------------------------- between kernel/x86 files */

/* boot.S, setup.c */
/* Read the start information, build the page tables, list free memory. */
void setup_memory(uint32_t start_info);
extern paddr_t kernel_root; /* top-level table with the kernel half */
extern paddr_t boot_root;   /* the same, and an identity map below */
unsigned fw_cfg_cpus(void);
/* Switch from the boot tables to `root` with LA57 on (boot.S). */
void enter_la57(paddr_t root);
extern char ap_trampoline[], ap_trampoline_end[];

/* cpu.c: what each CPU does first; detect runs once, before. */
void cpu_detect(void);
void cpu_init(unsigned id);
/* The kernel's private copy of %gs points to cpus[id]. */
void cpu_load_gs(unsigned id);

/* trap.c */
void idt_init(void);
void idt_load(void);
void smap_patch(void);

/* apic.c */
#define VEC_TIMER    0xf0
#define VEC_RESCHED  0xf1
#define VEC_CALL     0xf2
#define VEC_HALT     0xf3
#define VEC_SPURIOUS 0xff
#define VEC_DEVICE   0x30 /* and up: I/O APIC pins */
void apic_init(bool first);
void apic_eoi(void);
void apic_ipi(unsigned cpu, unsigned vector);
void apic_ipi_others(unsigned vector);
void apic_timer_calibrate(void);
/* kmmio.c: the probe that the command line asks for */
void kmmio_init(void);
void apic_start_others(paddr_t trampoline);
void device_interrupt(unsigned vector);

#endif
