/* SPDX-License-Identifier: MIT */
/*
 * oops.c - what is told when an abort in kernel mode cannot be answered: which
 * access, by which instruction, what the tables say, the registers (E13).
 *
 * Locks: none; the report is built on the stack, since the kernel may be in
 * any state.
 */
#include "fault.h"
#include "report.h"
#include <asm/fault.h>

static const char *access_name(uint32_t fsr)
{
	if (fsr & FSR_PREFETCH)
		return "instruction fetch";
	return fsr & FSR_WRITE ? "write access" : "read access";
}

static const char *mode_name(const struct pt_regs *regs)
{
	switch (regs->ARM_cpsr & PSR_MODE_MASK) {
	case PSR_MODE_USR:
		return "user";
	case PSR_MODE_SVC:
		return "supervisor";
	case PSR_MODE_FIQ:
		return "fast interrupt";
	case PSR_MODE_IRQ:
		return "interrupt";
	case PSR_MODE_ABT:
		return "abort";
	case PSR_MODE_UND:
		return "undefined";
	case PSR_MODE_SYS:
		return "system";
	}
	return "unknown";
}

/* The table that was loaded, as far down as it goes. */
static void put_table(struct report *r, struct quire_task *task,
		      uaddr_t address)
{
	struct quire *q = task->q;
	struct arm_walk w;
	paddr_t root = q->arch.kernel_root;

	if (task->mm)
		root = virt_to_phys(q, task->mm->pgd);
	arm_walk_table(q, root, address, &w);
	report_put(r, "table %llx", (unsigned long long)root);
	if (w.n > 0)
		report_put(r, " level 1: %08x", w.desc[0]);
	if (w.n > 1)
		report_put(r, " level 2: %08x", w.desc[1]);
	report_put(r, "\n");
}

static void put_regs(struct report *r, const struct pt_regs *regs)
{
	static const char name[][4] = {"r0", "r1", "r2", "r3", "r4",  "r5",
				       "r6", "r7", "r8", "r9", "r10", "fp",
				       "ip", "sp", "lr", "pc"};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(name); i++)
		report_put(r, "%s: %08x%s", name[i], regs->uregs[i],
			   i % 4 == 3 ? "\n" : " ");
	report_put(r, "psr: %08x (%s mode, %s state, interrupts %s)\n",
		   regs->ARM_cpsr, mode_name(regs),
		   thumb_mode(regs) ? "Thumb" : "ARM",
		   interrupts_enabled(regs) ? "on" : "off");
}

void __cold_path page_fault_oops(struct quire_task *task, struct pt_regs *regs,
				 unsigned long error, uaddr_t address)
{
	uint32_t fsr = (uint32_t)error;
	const struct arch_faults *f = &task->q->arch.faults;
	const struct fsr_info *info =
		fsr & FSR_PREFETCH ? f->ifsr_info : f->fsr_info;
	struct report r;

	r.len = 0;
	if (address < PAGE_SIZE)
		report_put(&r,
			   "BUG: kernel NULL pointer dereference, address: "
			   "%08llx\n",
			   (unsigned long long)address);
	else
		report_put(&r,
			   "BUG: unable to handle abort for address: %08llx\n",
			   (unsigned long long)address);
	if ((fsr & FSR_PREFETCH) && address < TASK_SIZE && !user_mode(regs))
		report_put(&r, "kernel tried to execute user code\n");
	report_put(&r, "%s, fsr %03x: %s\n", access_name(fsr),
		   fsr & ~FSR_PREFETCH, info[fsr_fs(fsr)].name);
	put_table(&r, task, address);
	report_put(&r, "CPU: %u task: %u\n", quire_host_cpu(), task->id);
	put_regs(&r, regs);
	quire_host_oops(regs, address, r.text);
}
