/* SPDX-License-Identifier: MIT */
/*
 * trap.c - exceptions in C but for the aborts (arch/arm/fault.c): undefined
 * instructions, those that cannot be; the exception table; and the last words
 * of a kernel that is wrong.
 */
#include <asm/ptrace.h>
#include "board.h"

static void dump_regs(const struct pt_regs *r)
{
	unsigned i;

	for (i = 0; i < 16; i += 4)
		printk("r%-2u %08x  r%-2u %08x  r%-2u %08x  r%-2u %08x", i,
		       r->uregs[i], i + 1, r->uregs[i + 1], i + 2,
		       r->uregs[i + 2], i + 3, r->uregs[i + 3]);
	printk("psr %08x cpu %u, dfsr %x dfar %x ifsr %x", r->ARM_cpsr,
	       this_cpu_id(), read_dfsr(), read_dfar(), read_ifsr());
	if (!user_mode(r) && r->ARM_sp >= PAGE_OFFSET && !(r->ARM_sp & 3))
		show_calls((const uintptr_t *)r->ARM_sp, 400);
}

void quire_host_oops(struct pt_regs *regs, uaddr_t addr, const char *report)
{
	printk("%s", report);
	dump_regs(regs);
	panic("page fault in the kernel at %x, pc %x", addr, regs->ARM_pc);
}

/* What the vectors are for, by their number; the stubs have names of these. */
static const char *const vector_names[8] = {
	"reset",       "undefined instruction",
	"system call", "prefetch abort",
	"data abort",  "vector 5",
	"interrupt",   "fast interrupt"};

/* An exception from a mode in which there can be none. */
_Noreturn void bad_mode(struct pt_regs *regs, unsigned what);
_Noreturn void bad_mode(struct pt_regs *regs, unsigned what)
{
	irq_disable();
	if (regs)
		dump_regs(regs);
	panic("%s in mode %x", vector_names[what & 7],
	      regs ? regs->ARM_cpsr & PSR_MODE_MASK : 0);
}

void undefined_instruction(struct pt_regs *regs);
void undefined_instruction(struct pt_regs *regs)
{
	struct ksiginfo info = {.signo = SIGILL, .code = 1 /* ILL_ILLOPC */};

	/* The stub has taken 4 from the address after the instruction, which
	 * in Thumb state is 2 further (DDI 0406C, table B1-7). */
	if (thumb_mode(regs))
		regs->ARM_pc += 2;
	if (!user_mode(regs)) {
		dump_regs(regs);
		panic("undefined instruction in the kernel at %x",
		      regs->ARM_pc);
	}
	if (fpu_first_use())
		return;
	irq_enable();
	info.addr = regs->ARM_pc;
	current->qt.fault_trapno = 6;
	current->qt.fault_error = 0;
	force_signal(current, &info);
}
