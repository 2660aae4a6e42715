/* SPDX-License-Identifier: MIT */
/*
 * trap.c - exceptions and interrupts in C: the IDT, what each exception means
 * for a user program (SDM vol. 3A, table 6-1), the exception table, and the
 * last words of a kernel that is wrong.
 */
#include <asm/ptrace.h>
#include <quire/kmmio.h>
#include "cpu.h"

extern const uint64_t trap_stubs[22];
extern char irq_stubs[];
extern char iret_user[], iret_failed[];

struct idt_gate {
	uint16_t low, cs;
	uint8_t ist, type;
	uint16_t mid;
	uint32_t high, zero;
} __attribute__((packed));
static struct idt_gate idt[256];

struct patch_entry {
	uint64_t at, stac;
};
extern const struct patch_entry smap_patch_start[], smap_patch_end[];

static void set_gate(unsigned vector, uint64_t to, unsigned ist, unsigned dpl)
{
	idt[vector].low = (uint16_t)to;
	idt[vector].cs = KERNEL_CS;
	idt[vector].ist = (uint8_t)ist;
	idt[vector].type = (uint8_t)(0x8e | dpl << 5); /* interrupt gate */
	idt[vector].mid = (uint16_t)(to >> 16);
	idt[vector].high = (uint32_t)(to >> 32);
}

void idt_init(void)
{
	unsigned v;

	for (v = 0; v < ARRAY_SIZE(trap_stubs); v++)
		set_gate(v, trap_stubs[v], 0, v == 3 || v == 4 ? 3 : 0);
	set_gate(8, trap_stubs[8], 1, 0);
	set_gate(2, trap_stubs[2], 2, 0);
	set_gate(18, trap_stubs[18], 2, 0);
	for (v = 32; v < 256; v++)
		set_gate(v, (uint64_t)(irq_stubs + (v - 32) * 16), 0, 0);
}

void idt_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" ::"m"(idtr));
}

/* Overwrite the prepared no-ops: CLAC is 0f 01 ca, STAC 0f 01 cb. */
void smap_patch(void)
{
	const struct patch_entry *p;

	if (!cpu_features.smap)
		return;
	for (p = smap_patch_start; p < smap_patch_end; p++) {
		/* Through the direct map, where text is writable. */
		uint8_t *at = phys_to_virt(p->at - KERNEL_BASE);

		at[0] = 0x0f;
		at[1] = 0x01;
		at[2] = p->stac ? 0xcb : 0xca;
	}
}

static void dump_regs(const struct pt_regs *r)
{
	printk("ip %04llx:%016llx flags %llx sp %llx code %llx cpu %u",
	       (unsigned long long)r->cs, (unsigned long long)r->ip,
	       (unsigned long long)r->flags, (unsigned long long)r->sp,
	       (unsigned long long)r->orig_ax, this_cpu()->id);
	printk("ax %llx bx %llx cx %llx dx %llx si %llx di %llx bp %llx",
	       (unsigned long long)r->ax, (unsigned long long)r->bx,
	       (unsigned long long)r->cx, (unsigned long long)r->dx,
	       (unsigned long long)r->si, (unsigned long long)r->di,
	       (unsigned long long)r->bp);
	if (user_mode(r) || r->sp < DIRECT_MAP)
		return;
	show_calls((const uintptr_t *)r->sp, 400);
}

void quire_host_oops(struct pt_regs *regs, uaddr_t addr, const char *report)
{
	printk("%s", report);
	dump_regs(regs);
	panic("page fault in the kernel at %llx, ip %llx",
	      (unsigned long long)addr, (unsigned long long)regs->ip);
}

static void send_fault(int signo, int code, uint64_t addr, unsigned vector,
		       uint64_t error)
{
	struct ksiginfo info = {.signo = signo, .code = code, .addr = addr};

	current->qt.fault_trapno = vector;
	current->qt.fault_error = error;
	force_signal(current, &info);
}

static void user_trap(struct pt_regs *regs, unsigned vector)
{
	uint64_t e = regs->orig_ax;

	switch (vector) {
	case 0:
		send_fault(SIGFPE, 1 /* FPE_INTDIV */, regs->ip, vector, e);
		break;
	case 1:
		send_fault(SIGTRAP, 2 /* TRAP_TRACE */, regs->ip, vector, e);
		break;
	case 3:
		send_fault(SIGTRAP, SI_KERNEL, 0, vector, e);
		break;
	case 6:
		send_fault(SIGILL, 2 /* ILL_ILLOPN */, regs->ip, vector, e);
		break;
	case 16:
	case 19:
		send_fault(SIGFPE, 3 /* FPE_FLTDIV, or some other */, regs->ip,
			   vector, e);
		break;
	case 17:
		send_fault(SIGBUS, QUIRE_BUS_ADRALN, 0, vector, e);
		break;
	case 12:
		send_fault(SIGBUS, SI_KERNEL, 0, vector, e);
		break;
	default:
		send_fault(SIGSEGV, SI_KERNEL, 0, vector, e);
		break;
	}
}

/* The debug exception is a single step's (SDM vol. 3B, 17.2.3: DR6.BS). */
static bool single_stepped(void)
{
	uint64_t dr6;

	__asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%dr6" ::"r"(dr6 & ~(1ull << 14)));
	return dr6 & 1u << 14;
}

void trap_dispatch(struct pt_regs *regs, unsigned vector);
void trap_dispatch(struct pt_regs *regs, unsigned vector)
{
	if (vector == 1 && single_stepped() && !user_mode(regs) &&
	    quire_kmmio_debug(regs))
		return;
	if (user_mode(regs) && vector != 2 && vector != 8 && vector != 18) {
		irq_enable();
		user_trap(regs, vector);
		return;
	}
	if (vector != 2) {
		quire_kmmio_cancel(regs);
		if (quire_host_fixup_exception(regs))
			return;
	}
	dump_regs(regs);
	panic("exception %u in the kernel at %llx", vector,
	      (unsigned long long)regs->ip);
}

/* The user context could not be returned to: its ip or selectors are bad. */
void bad_iret(struct pt_regs *regs);
void bad_iret(struct pt_regs *regs)
{
	irq_enable();
	regs->cs = USER_CS;
	regs->ss = USER_DS;
	regs->flags = 0x202;
	send_fault(SIGSEGV, SI_KERNEL, 0, 13, 0);
}

void irq_dispatch(struct pt_regs *regs);
void irq_dispatch(struct pt_regs *regs)
{
	unsigned vector = (unsigned)regs->orig_ax;

	regs->orig_ax = ~0ull;
	idle_end();
	switch (vector) {
	case VEC_TIMER:
		apic_eoi();
		timer_interrupt(regs);
		break;
	case VEC_RESCHED:
		apic_eoi();
		break;
	case VEC_CALL:
		apic_eoi();
		cpu_call_answer();
		break;
	case VEC_HALT:
		for (;;)
			__asm__ volatile("cli; hlt");
	case VEC_SPURIOUS:
		break;
	default:
		device_interrupt(vector);
		apic_eoi();
		break;
	}
}
