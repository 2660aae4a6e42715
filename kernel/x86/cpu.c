/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - what a processor has, and the tables it needs: GDT, TSS, control
 * registers, system-call MSRs, floating-point state.
 *
 * Floating point is switched eagerly: a task's state is saved when it leaves
 * the CPU and loaded when it comes back, unless the registers still hold it
 * (only kernel threads ran in between).  Kernel code never uses it.
 */
#include "cpu.h"
#include "exec.h"
#include "kerrno.h"
#include "proc.h"

struct cpu_features cpu_features;

void syscall_entry(void);

void cpu_detect(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t r[4], max, xmax, i;

	cpuid(0, 0, r);
	max = r[0];
	memcpy(f->vendor, &r[1], 4);
	memcpy(f->vendor + 4, &r[3], 4);
	memcpy(f->vendor + 8, &r[2], 4);
	cpuid(1, 0, r);
	f->stepping = r[0] & 15;
	f->family = (r[0] >> 8) & 15;
	f->model = ((r[0] >> 4) & 15) | ((r[0] >> 12) & 0xf0);
	if (f->family == 15)
		f->family += (r[0] >> 20) & 0xff;
	f->hwcap = r[3];
	f->pge = r[3] & (1u << 13);
	f->pcid = r[2] & (1u << 17);
	f->xsave = r[2] & (1u << 26);
	f->avx = r[2] & (1u << 28);
	f->rdrand = r[2] & (1u << 30);
	if (max >= 7) {
		cpuid(7, 0, r);
		f->smep = r[1] & (1u << 7);
		f->smap = r[1] & (1u << 20);
		f->umip = r[2] & (1u << 2);
		f->la57 = r[2] & (1u << 16);
	}
	cpuid(0x80000000u, 0, r);
	xmax = r[0];
	f->phys_bits = 36;
	if (xmax >= 0x80000001u) {
		cpuid(0x80000001u, 0, r);
		f->nx = r[3] & (1u << 20);
		f->rdtscp = r[3] & (1u << 27);
	}
	for (i = 0; i < 3 && xmax >= 0x80000004u; i++) {
		cpuid(0x80000002u + i, 0, r);
		memcpy(f->brand + 16 * i, r, 16);
	}
	if (xmax >= 0x80000008u) {
		cpuid(0x80000008u, 0, r);
		f->phys_bits = r[0] & 0xff;
	}
	f->xsave_size = 512;
	if (f->xsave) {
		f->xcr0 = 3 | (f->avx ? 4 : 0);
		f->xsave_size = 576;
		if (f->avx) {
			cpuid(13, 2, r);
			f->xsave_size = r[1] + r[0];
		}
	}
	if (f->nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 0x800);
}

uaddr_t exec_hwcap(void)
{
	return cpu_features.hwcap;
}

uaddr_t exec_hwcap2(void)
{
	return 0;
}

static void load_tables(struct cpu_arch *c)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr;
	uint64_t tss = (uint64_t)&c->tss;

	c->gdt[1] = 0x00cf9b000000ffffull;
	c->gdt[2] = 0x00af9b000000ffffull; /* KERNEL_CS */
	c->gdt[3] = 0x00cf93000000ffffull; /* KERNEL_DS */
	c->gdt[4] = 0x00cffb000000ffffull;
	c->gdt[5] = 0x00cff3000000ffffull; /* USER_DS */
	c->gdt[6] = 0x00affb000000ffffull; /* USER_CS */
	c->gdt[7] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
		    0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	c->gdt[8] = tss >> 32;
	c->tss.iomap = sizeof(struct tss);
	c->tss.ist[0] = (uint64_t)(c->df_stack + ARRAY_SIZE(c->df_stack));
	c->tss.ist[1] = (uint64_t)(c->nmi_stack + ARRAY_SIZE(c->nmi_stack));
	gdtr.limit = sizeof(c->gdt) - 1;
	gdtr.base = (uint64_t)c->gdt;
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%ds\n\t"
			 "movl %2, %%es\n\t"
			 "movl %2, %%ss\n\t"
			 "ltr %w3"
			 :
			 : "m"(gdtr), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0x38)
			 : "rax", "memory");
}

void cpu_load_gs(unsigned id)
{
	__asm__ volatile("movl %0, %%gs; movl %0, %%fs" ::"r"(0));
	cpus[id].id = id;
	wrmsr(MSR_GS_BASE, (uint64_t)&cpus[id]);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
}

void cpu_init(unsigned id)
{
	struct cpu_features *f = &cpu_features;
	uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

	load_tables(&cpus[id].arch);
	cpu_load_gs(id);
	write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP | CR0_AM) &
		  ~(CR0_EM | CR0_TS));
	if (f->pge)
		cr4 |= CR4_PGE;
	if (f->smep)
		cr4 |= CR4_SMEP;
	if (f->smap)
		cr4 |= CR4_SMAP;
	if (f->umip)
		cr4 |= CR4_UMIP;
	if (f->xsave)
		cr4 |= CR4_OSXSAVE;
	if (f->pcid)
		cr4 |= CR4_PCIDE;
	write_cr4(cr4);
	if (f->xsave)
		__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)f->xcr0),
				 "d"(0));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | 1 | (f->nx ? 0x800 : 0));
	wrmsr(MSR_STAR, 0x0023001000000000ull);
	wrmsr(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
	wrmsr(MSR_SFMASK, 0x47700); /* TF IF DF IOPL NT AC */
	if (f->rdtscp)
		wrmsr(MSR_TSC_AUX, id);
	idt_load();
}

/* ----------------------------------------------------- thread pointers */

void machine_set_stack(struct cpu *c, struct task *t)
{
	c->kstack_top = t->kstack_top;
	c->arch.tss.rsp[0] = t->kstack_top;
}

void user_state_switch(struct cpu *c, struct task *next)
{
	if (next->arch.fsbase != c->arch.fsbase) {
		wrmsr(MSR_FS_BASE, next->arch.fsbase);
		c->arch.fsbase = next->arch.fsbase;
	}
	if (next->arch.gsbase != c->arch.gsbase) {
		wrmsr(MSR_KERNEL_GS_BASE, next->arch.gsbase);
		c->arch.gsbase = next->arch.gsbase;
	}
}

void user_state_fork(struct task *t, const struct task *from, bool settls,
		     uaddr_t tls)
{
	t->arch = from->arch;
	if (settls)
		t->arch.fsbase = tls;
}

/* Bases other than the registers' reach them here and at each switch. */
static void set_bases(struct task *t, uint64_t fs, uint64_t gs)
{
	unsigned long flags = irq_save();

	t->arch.fsbase = fs;
	t->arch.gsbase = gs;
	user_state_switch(this_cpu(), t);
	irq_restore(flags);
}

void user_state_reset(struct task *t)
{
	set_bases(t, 0, 0);
}

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

long sys_arch_prctl(int op, uint64_t arg);
long sys_arch_prctl(int op, uint64_t arg)
{
	struct task *t = current;

	switch (op) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (arg >= quire_task_size(the_quire))
			return -EPERM;
		if (op == ARCH_SET_FS)
			set_bases(t, arg, t->arch.gsbase);
		else
			set_bases(t, t->arch.fsbase, arg);
		return 0;
	case ARCH_GET_FS:
		return put_user(t->arch.fsbase, arg);
	case ARCH_GET_GS:
		return put_user(t->arch.gsbase, arg);
	}
	return -EINVAL;
}

/* ------------------------------------------------------- floating point */

void fpu_init_task(void *area)
{
	memset(area, 0, cpu_features.xsave_size);
	*(uint16_t *)area = 0x37f;		   /* x87 control word */
	*(uint32_t *)((char *)area + 24) = 0x1f80; /* MXCSR */
}

size_t fpu_area_bytes(void)
{
	return cpu_features.xsave_size;
}

static void area_save(void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" ::"r"(area),
				 "a"((uint32_t)cpu_features.xcr0), "d"(0)
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static void area_restore(void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" ::"r"(area),
				 "a"((uint32_t)cpu_features.xcr0), "d"(0)
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

/* The registers of this CPU into t's area, if it has one and they are t's. */
void fpu_save(struct task *t)
{
	if (t->fpu && this_cpu()->fpu_owner == t)
		area_save(t->fpu);
}

/* t is about to run here. */
void fpu_restore(struct task *t)
{
	struct cpu *c = this_cpu();

	if (!t->fpu || (c->fpu_owner == t && t->fpu_cpu == c->id))
		return;
	area_restore(t->fpu);
	c->fpu_owner = t;
	t->fpu_cpu = c->id;
}

void fpu_invalidate(struct task *t)
{
	t->fpu_cpu = ~0u;
}

/* Fork: the state of `from`, the current task, as it is now. */
void fpu_copy(struct task *to, struct task *from)
{
	unsigned long flags;

	if (!from->fpu) {
		fpu_init_task(to->fpu);
		return;
	}
	flags = irq_save();
	fpu_save(from);
	irq_restore(flags);
	memcpy(to->fpu, from->fpu, cpu_features.xsave_size);
}

void fpu_reset(struct task *t)
{
	unsigned long flags = irq_save();

	fpu_init_task(t->fpu);
	area_restore(t->fpu);
	this_cpu()->fpu_owner = t;
	t->fpu_cpu = this_cpu()->id;
	irq_restore(flags);
}

/* The current task's state as it is, into memory (signal frames). */
void fpu_read(struct task *t, void *out)
{
	unsigned long flags = irq_save();

	fpu_save(t);
	memcpy(out, t->fpu, cpu_features.xsave_size);
	irq_restore(flags);
}

/*
 * And from memory that came from the user: bits that XRSTOR would refuse are
 * taken out (SDM vol. 1, 13.8: XSTATE_BV within XCR0, XCOMP_BV and the rest of
 * the header zero, no reserved bits in MXCSR).
 */
void fpu_write(struct task *t, const void *in, bool extended)
{
	unsigned long flags = irq_save();
	char *area = t->fpu;

	memcpy(area, in, extended ? cpu_features.xsave_size : 512);
	*(uint32_t *)(area + 24) &= 0xffffu;
	if (cpu_features.xsave) {
		uint64_t *header = (uint64_t *)(area + 512);

		header[0] = extended ? header[0] & cpu_features.xcr0 : 3;
		memset(header + 1, 0, 56);
	}
	area_restore(area);
	this_cpu()->fpu_owner = t;
	t->fpu_cpu = this_cpu()->id;
	irq_restore(flags);
}
