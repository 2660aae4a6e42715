/* SPDX-License-Identifier: MIT */
/*
 * oops.c - what is told when a page fault cannot be answered: which access, by
 * which instruction, what the tables say, the registers (E3, E5).
 *
 * Locks: none; the report is built on the stack, since the kernel may be in
 * any state.
 */
#include "fault.h"
#include "report.h"
#include <asm/fault.h>

static const char *access_name(unsigned long error_code)
{
	if (error_code & X86_PF_INSTR)
		return "instruction fetch";
	return error_code & X86_PF_WRITE ? "write access" : "read access";
}

static const char *reason_name(unsigned long error_code)
{
	if (!(error_code & X86_PF_PROT))
		return "not-present page";
	if (error_code & X86_PF_RSVD)
		return "reserved bit violation";
	if (error_code & X86_PF_PK)
		return "protection keys violation";
	return "permissions violation";
}

/* The table that was loaded, as far down as it goes. */
static void put_table(struct report *r, struct quire_task *task,
		      uaddr_t address)
{
	static const char *const name[] = {"PTE", "PMD", "PUD", "P4D", "PGD"};
	struct quire *q = task->q;
	struct x86_walk w;
	paddr_t root = q->arch.kernel_root;
	unsigned i;

	if (task->mm)
		root = virt_to_phys(q, task->mm->pgd);
	x86_walk_table(q, root, address, &w);
	for (i = 0; i < w.n; i++)
		report_put(r, "%s %llx%s",
			   name[(w.shift[i] - PAGE_SHIFT) / WALK_INDEX_BITS],
			   (unsigned long long)w.entry[i],
			   i + 1 < w.n ? " " : "\n");
}

static void put_regs(struct report *r, const struct pt_regs *g)
{
	const struct {
		const char *name;
		uint64_t v;
	} all[] = {
#define R(name, field) {name, g->field},
		X86_REGS(R)
#undef R
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(all); i++)
		report_put(r, "%s: %llx%s", all[i].name,
			   (unsigned long long)all[i].v,
			   i % 3 == 2 ? "\n" : " ");
	report_put(r, "CS: %llx SS: %llx\n", (unsigned long long)g->cs,
		   (unsigned long long)g->ss);
}

static void put_all(struct report *r, struct quire_task *task,
		    const struct pt_regs *regs, unsigned long error_code,
		    uaddr_t address)
{
	report_put(r, "#PF: %s %s in %s mode\n",
		   error_code & X86_PF_USER ? "user" : "supervisor",
		   access_name(error_code),
		   user_mode(regs) ? "user" : "kernel");
	report_put(r, "#PF: error_code(0x%lx) - %s\n", error_code,
		   reason_name(error_code));
	put_table(r, task, address);
	report_put(r, "CPU: %u task: %u\n", quire_host_cpu(), task->id);
	put_regs(r, regs);
}

void __attribute__((noinline, cold))
page_fault_oops(struct quire_task *task, struct pt_regs *regs,
		unsigned long error_code, uaddr_t address)
{
	struct report r;

	r.len = 0;
	if (address < PAGE_SIZE)
		report_put(
			&r,
			"BUG: kernel NULL pointer dereference, address: %llx\n",
			(unsigned long long)address);
	else
		report_put(
			&r,
			"BUG: unable to handle page fault for address: %llx\n",
			(unsigned long long)address);
	if ((error_code & (X86_PF_INSTR | X86_PF_USER)) == X86_PF_INSTR &&
	    address < task_size_max(task->q))
		report_put(&r, "kernel tried to execute user code (SMEP)\n");
	put_all(&r, task, regs, error_code, address);
	quire_host_oops(regs, address, r.text);
}

void __attribute__((noinline, cold))
pgtable_bad(struct quire_task *task, struct pt_regs *regs,
	    unsigned long error_code, uaddr_t address)
{
	struct report r;

	r.len = 0;
	report_put(&r, "BUG: corrupted page table at address %llx\n",
		   (unsigned long long)address);
	put_all(&r, task, regs, error_code, address);
	report_log(&r);
}
