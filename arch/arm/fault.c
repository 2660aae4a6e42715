/* SPDX-License-Identifier: MIT */
/*
 * fault.c - the two aborts: what the processor says, and what the task is told.
 *
 *   vector_dabt, vector_pabt (entry.S)      or a simulated machine
 *   the processor's abort function          reads status and address
 *        |
 *   do_DataAbort, do_PrefetchAbort
 *     fsr_info, ifsr_info [status]          fsr.c: 32 entries each
 *       do_translation_fault                kernel address: the first-level
 *         |                                 entry is copied from the reference
 *         v                                 table, if that has it
 *       arm_do_page_fault
 *         user address, allowed now         __do_page_fault: handle_user_fault
 *                                             (mm/fault.c: VMA, access, page)
 *         else user mode                    __do_user_fault: SIGSEGV
 *              kernel mode                  __do_kernel_fault: exception
 *                                             table, or oops
 *       do_sect_fault                       as a bad user or kernel access
 *       do_bad, and what others refuse      arm_notify_die: the entry's signal,
 *                                             or exception table, or oops
 *
 * The status (ARM ARM DDI 0406C, B3.13.3) says what stopped the access.  Three
 * of them are the ordinary page fault: translation (nothing there), permission
 * (a write to what is read-only or clean), access flag (the page is old).
 *
 * Unlike x86's error code the status does not tell the processor's mode: that
 * is in the interrupted context's psr.  A kernel access on behalf of the user
 * (LDRT, STRT) is one of kernel mode here.
 *
 * Locks: none on entry and exit.  A fault in kernel mode at an instruction
 * without an exception-table entry is a bug that may have happened with any
 * lock held: it waits for none.
 */
#include "fault.h"
#include <asm/fault.h>

static __always_inline unsigned user_flag(const struct pt_regs *regs)
{
	return user_mode(regs) ? FAULT_FLAG_USER : 0;
}

/* What was tried, as a fault's flags say it. */
static __always_inline unsigned access_flags(uint32_t fsr)
{
	if (fsr & FSR_PREFETCH)
		return FAULT_ACCESS_EXEC;
	return fsr & FSR_WRITE ? FAULT_ACCESS_WRITE : FAULT_ACCESS_READ;
}

/* sigcontext's trap_no, error_code and fault_address. */
void arch_fault_info(struct quire_task *task, unsigned long error,
		     uaddr_t address)
{
	task->fault_trapno = ARM_TRAP_ABORT;
	task->fault_error = error;
	task->fault_address = address;
}

/* ------------------------------------------------------ bad accesses (E13) */

static __cold_path vm_fault_t __do_kernel_fault(struct quire_task *task,
						uaddr_t addr, uint32_t fsr,
						struct pt_regs *regs)
{
	return kernelmode_fixup_or_oops(task, regs, fsr, addr);
}

static __cold_path vm_fault_t __do_user_fault(struct quire_task *task,
					      uaddr_t addr, uint32_t fsr,
					      int code, struct pt_regs *regs)
{
	return bad_area_nosemaphore(task, regs, fsr, addr, FAULT_FLAG_USER,
				    code);
}

/* Nothing that mm/ could answer. */
static __cold_path vm_fault_t do_bad_area(struct quire_task *task, uaddr_t addr,
					  uint32_t fsr, struct pt_regs *regs)
{
	if (!user_mode(regs))
		return __do_kernel_fault(task, addr, fsr, regs);
	return __do_user_fault(task, addr, fsr, QUIRE_SEGV_MAPERR, regs);
}

/* ---------------------------------------------------------- the handlers */

static __always_inline vm_fault_t __do_page_fault(struct quire_task *task,
						  uaddr_t addr, uint32_t fsr,
						  struct pt_regs *regs)
{
	return handle_user_fault(task, regs, fsr, addr,
				 FAULT_FLAG_DEFAULT | access_flags(fsr) |
					 user_flag(regs));
}

/* Is a kernel-mode access to a user address one that may be answered? */
static bool kernel_access_ok(uint32_t fsr, const struct pt_regs *regs)
{
	/* the kernel executes no user code */
	if (fsr & FSR_PREFETCH)
		return false;
	/* it may be in the middle of anything: do not sleep */
	return interrupts_enabled(regs);
}

vm_fault_t arm_do_page_fault(struct quire_task *task, uaddr_t addr,
			     uint32_t fsr, struct pt_regs *regs)
{
	if (addr >= task_size_max(task->q)) {
		quire_step("a kernel address");
		return do_bad_area(task, addr, fsr, regs);
	}
	if (!user_mode(regs)) {
		quire_step("kernel mode, a user address");
		if (!kernel_access_ok(fsr, regs))
			return __do_kernel_fault(task, addr, fsr, regs);
	}
	if (task->faults_disabled || !task->mm) {
		quire_step("no fault may be answered now");
		return do_bad_area(task, addr, fsr, regs);
	}
	return __do_page_fault(task, addr, fsr, regs);
}

/*
 * Nothing at the first level.  For a kernel address that may be because the
 * kernel has mapped it since this address space was made: its entry is copied
 * from the reference table.  Kernel mode only: user mode may not be there in
 * any case.
 */
vm_fault_t do_translation_fault(struct quire_task *task, uaddr_t addr,
				uint32_t fsr, struct pt_regs *regs)
{
	struct quire *q = task->q;
	struct mm_struct *loaded;
	int copied;

	if (addr < task_size_max(q))
		return arm_do_page_fault(task, addr, fsr, regs);
	quire_step("a kernel address with nothing at the first level");
	if (user_mode(regs))
		return do_bad_area(task, addr, fsr, regs);
	quire_host_preempt_disable();
	loaded = this_cpu(q)->loaded_mm;
	/* with no mm's table loaded the reference table itself is */
	copied = loaded ? arch_copy_kernel_entry(q, loaded->pgd, addr) : -1;
	quire_host_preempt_enable();
	if (copied < 0)
		return do_bad_area(task, addr, fsr, regs);
	quire_step("the reference table has it: the entry is copied");
	return fault_outcome(0, QF_VMALLOC);
}

/* User mode at the kernel's sections, or the kernel at read-only ones. */
vm_fault_t do_sect_fault(struct quire_task *task, uaddr_t addr, uint32_t fsr,
			 struct pt_regs *regs)
{
	return do_bad_area(task, addr, fsr, regs);
}

vm_fault_t do_bad(struct quire_task *task, uaddr_t addr, uint32_t fsr,
		  struct pt_regs *regs)
{
	(void)task;
	(void)addr;
	(void)fsr;
	(void)regs;
	return QUIRE_FAULT_UNHANDLED;
}

/* ------------------------------------------------------------ the entries */

/* No handler wanted it: the signal of its table entry, or the kernel's end. */
static __cold_path vm_fault_t arm_notify_die(struct quire_task *task,
					     uaddr_t addr, uint32_t fsr,
					     struct pt_regs *regs,
					     const struct fsr_info *info)
{
	struct quire_signal sig = {
		.signo = info->sig, .code = info->code, .addr = addr};

	quire_step("no handler answers this status");
	if (!user_mode(regs))
		return __do_kernel_fault(task, addr, fsr, regs);
	quire_printk(4, "unhandled abort: %s (%03x) at %08llx, task %u",
		     info->name, fsr & ~FSR_PREFETCH, (unsigned long long)addr,
		     task->id);
	fault_signal(task, fsr, &sig);
	return info->sig == SIGSEGV
		       ? fault_outcome(VM_FAULT_SIGSEGV, QF_SIGSEGV)
		       : fault_outcome(VM_FAULT_SIGBUS, QF_SIGBUS);
}

/* E12: as the table's entry says. */
static __attribute__((noinline)) vm_fault_t
abort_by_table(struct quire_task *task, uaddr_t addr, uint32_t fsr,
	       struct pt_regs *regs)
{
	const struct arch_faults *f = &task->q->arch.faults;
	const struct fsr_info *info =
		(fsr & FSR_PREFETCH ? f->ifsr_info : f->fsr_info) + fsr_fs(fsr);
	vm_fault_t ret = info->fn(task, addr, fsr, regs);

	if (unlikely(ret & QUIRE_FAULT_UNHANDLED))
		return arm_notify_die(task, addr, fsr, regs, info);
	return ret;
}

/*
 * User mode at a user address with one of the ordinary statuses (`flags` is
 * not 0): the same as through the table, without its calls.  User mode always
 * has an address space, and faults enabled.
 */
static __always_inline vm_fault_t handle_abort(struct quire_task *task,
					       uaddr_t addr, uint32_t fsr,
					       struct pt_regs *regs,
					       uint32_t flags)
{
	if (unlikely(!flags))
		return abort_by_table(task, addr, fsr, regs);
	if (unlikely(!user_mode(regs)))
		return abort_by_table(task, addr, fsr, regs);
	if (unlikely(addr >= task_size_max(task->q)))
		return abort_by_table(task, addr, fsr, regs);
	return handle_user_fault(task, regs, fsr, addr, flags);
}

#ifdef QUIRE_TRACE
/* Somebody listens: the same, between a begin and an end. */
static __cold_path void traced_abort(struct quire_task *task, uaddr_t addr,
				     uint32_t fsr, struct pt_regs *regs)
{
	unsigned flags = user_flag(regs);
	vm_fault_t ret;

	trace_fault(task, QE_FAULT_BEGIN, fsr, flags, addr, 0);
	ret = abort_by_table(task, addr, fsr, regs);
	trace_fault(task, QE_FAULT_END, fsr, flags, addr, ret);
}
#endif

void do_DataAbort(uaddr_t addr, uint32_t fsr, struct pt_regs *regs)
{
	struct quire_task *task = quire_host_current();

	fsr &= ~FSR_PREFETCH;
#ifdef QUIRE_TRACE
	if (unlikely(quire_host_trace_enabled())) {
		traced_abort(task, addr, fsr, regs);
		return;
	}
#endif
	(void)handle_abort(task, addr, fsr, regs,
			   task->q->arch.faults.plain_data[fsr_index(fsr)]);
}

void do_PrefetchAbort(uaddr_t addr, uint32_t ifsr, struct pt_regs *regs)
{
	struct quire_task *task = quire_host_current();

	/* IFSR bit 11 is not WnR (DDI 0406C B4.1.96) */
	ifsr = (ifsr & ~FSR_WRITE) | FSR_PREFETCH;
#ifdef QUIRE_TRACE
	if (unlikely(quire_host_trace_enabled())) {
		traced_abort(task, addr, ifsr, regs);
		return;
	}
#endif
	(void)handle_abort(task, addr, ifsr, regs,
			   task->q->arch.faults.plain_prefetch[fsr_fs(ifsr)]);
}
