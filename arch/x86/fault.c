/* SPDX-License-Identifier: MIT */
/*
 * fault.c - exception 14: what the processor says, and what the task is told.
 *
 *   page_fault stub (host): error code, CR2
 *        |
 *   do_page_fault
 *     handle_page_fault
 *       kmmio_fault?                      probes on device memory look first
 *       address above user space?
 *         yes  do_kern_addr_fault         vmalloc, spurious, exception
 *                                         table, oops
 *         no   do_user_addr_fault
 *                reserved bit             corrupt table: report, SIGKILL
 *                SMAP, faults disabled,
 *                no mm, interrupts off    exception table, or oops
 *                handle_user_fault        mm/fault.c: VMA, access, page
 *                error                    signal; kernel mode: exception table
 *
 * The error code (Intel SDM vol. 3A, 4.7) says what was tried and whether an
 * entry was there; the VMA says what is allowed.  "Kernel mode" here is the
 * U/S bit of the error code: it is clear, too, for the processor's own
 * accesses (descriptor tables) on behalf of user code.
 *
 * Locks: none on entry and exit.  A fault in kernel mode at an instruction
 * without an exception-table entry is a bug that may have happened with any
 * lock held: it waits for none.
 */
#include "fault.h"
#include <asm/fault.h>

/* --------------------------------------------------- faults that fail */

/* Whose access it was, as a fault's flags say it. */
static __always_inline unsigned user_flag(unsigned long error)
{
	return error & X86_PF_USER ? FAULT_FLAG_USER : 0;
}

/* What a signal handler finds in its context (sigcontext: cr2, err, trapno). */
void arch_fault_info(struct quire_task *task, unsigned long error,
		     uaddr_t address)
{
	/* do not tell user mode which kernel addresses are mapped */
	if (address >= task_size_max(task->q))
		error |= X86_PF_PROT;
	task->fault_trapno = X86_TRAP_PF;
	task->fault_error = error | X86_PF_USER;
	task->fault_address = address;
}

/* The access is not allowed or not mapped; no lock held. */
static __cold_path vm_fault_t bad_area(struct quire_task *task,
				       struct pt_regs *regs,
				       unsigned long error, uaddr_t address,
				       int code)
{
	return bad_area_nosemaphore(task, regs, error, address,
				    user_flag(error), code);
}

/*
 * The protection key of the page at address refuses the access; the key is in
 * bits 62..59 of its entry (SDM vol. 3A, 4.6.2).
 */
static __cold_path vm_fault_t pkey_fault(struct quire_task *task,
					 struct pt_regs *regs,
					 unsigned long error, uaddr_t address)
{
	struct quire_signal sig = {
		.signo = SIGSEGV, .code = QUIRE_SEGV_PKUERR, .addr = address};
	struct x86_walk w;

	if (!(error & X86_PF_USER))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	quire_step("the page's protection key refuses");
	x86_walk_table(task->q, virt_to_phys(task->q, task->mm->pgd), address,
		       &w);
	sig.pkey = w.n ? (uint32_t)(w.entry[w.n - 1] >> 59) & 15 : 0;
	fault_signal(task, error, &sig);
	return fault_outcome(VM_FAULT_SIGSEGV, QF_SIGSEGV);
}

/* A reserved bit was set in some entry: the table is not what we wrote. */
static __cold_path vm_fault_t reserved_bit_fault(struct quire_task *task,
						 struct pt_regs *regs,
						 unsigned long error,
						 uaddr_t address)
{
	struct quire_signal sig = {.signo = SIGKILL, .addr = address};

	quire_step("a reserved bit is set: nobody here wrote this entry");
	pgtable_bad(task, regs, error, address);
	fault_signal(task, error, &sig);
	return fault_outcome(VM_FAULT_SIGBUS, QF_OOPS);
}

/* ------------------------------------------------------ kernel addresses */

/*
 * Kernel mode has missed a page that the reference table has: the table that
 * is loaded was made before the kernel mapped it, and the way down to it is
 * copied now (E3).  Which entries are copied is the format's business.  Only
 * for the host's vmalloc area: elsewhere a missing page is a bug.
 */
static __cold_path bool vmalloc_fault(struct quire *q, unsigned long error,
				      uaddr_t address)
{
	struct mm_struct *mm;
	bool copied;

	if ((error & (X86_PF_PROT | X86_PF_USER | X86_PF_RSVD)) ||
	    address < q->config.vmalloc_start ||
	    address - q->config.vmalloc_start >= q->config.vmalloc_bytes ||
	    !kernel_page_mapped(q, address))
		return false;
	quire_host_preempt_disable();
	mm = this_cpu(q)->loaded_mm;
	copied = mm && sync_kernel_entry(q, mm->pgd, address);
	quire_host_preempt_enable();
	return copied;
}

static __cold_path vm_fault_t do_kern_addr_fault(struct quire_task *task,
						 struct pt_regs *regs,
						 unsigned long error,
						 uaddr_t address)
{
	struct quire *q = task->q;

	if (unlikely(error & X86_PF_RSVD))
		return reserved_bit_fault(task, regs, error, address);
	quire_step("a kernel address");
	if (vmalloc_fault(q, error, address)) {
		quire_step("the reference table has it: its entry is copied");
		return fault_outcome(0, QF_VMALLOC);
	}
	if (spurious_kernel_fault(q, error, address)) {
		quire_step("the kernel's table allows it: the TLB was old");
		quire_host_flush_page(address);
		count_vm_event(q, VM_quire_spurious);
		return fault_outcome(0, QF_SPURIOUS);
	}
	/* a user-mode access is refused whether something is there or not */
	return bad_area(task, regs, error, address, QUIRE_SEGV_MAPERR);
}

/* -------------------------------------------------------- user addresses */

/* Is a kernel-mode access to a user address one that may be answered? */
static __always_inline bool kernel_access_ok(const struct quire *q,
					     const struct pt_regs *regs,
					     unsigned long error)
{
	if (error & X86_PF_INSTR) {
		quire_step("the kernel executes no user code (SMEP)");
		return false;
	}
	if (q->config.smap && !(regs->flags & X86_EFLAGS_AC)) {
		quire_step("it had no leave to touch user memory (SMAP)");
		return false;
	}
	/* it may be in the middle of anything: do not sleep */
	return (regs->flags & X86_EFLAGS_IF) != 0;
}

/*
 * What the lower five bits of the error code ask of the VMA.  0: not a plain
 * fault of user mode.  A page that is there (P) and was not allowed to be read
 * as data is none of the user's own, so that is not plain either.
 */
#define PLAIN(access) (FAULT_FLAG_DEFAULT | FAULT_FLAG_USER | (access))
static const uint32_t plain_fault[32] = {
	[X86_PF_USER] = PLAIN(FAULT_ACCESS_READ),
	[X86_PF_USER | X86_PF_WRITE] = PLAIN(FAULT_ACCESS_WRITE),
	[X86_PF_USER | X86_PF_WRITE | X86_PF_PROT] = PLAIN(FAULT_ACCESS_WRITE),
	[X86_PF_USER | X86_PF_INSTR] = PLAIN(FAULT_ACCESS_EXEC),
	[X86_PF_USER | X86_PF_INSTR | X86_PF_PROT] = PLAIN(FAULT_ACCESS_EXEC),
};

/* The others. */
static __cold_path vm_fault_t unusual_fault(struct quire_task *task,
					    struct pt_regs *regs,
					    unsigned long error,
					    uaddr_t address)
{
	unsigned flags = FAULT_FLAG_DEFAULT;

	if (error & X86_PF_RSVD)
		return reserved_bit_fault(task, regs, error, address);
	if (error & X86_PF_USER)
		quire_step("user mode, but not a plain access");
	else
		quire_step("kernel mode, a user address");
	if (!(error & X86_PF_USER) && !kernel_access_ok(task->q, regs, error))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	if (task->faults_disabled || !task->mm) {
		quire_step("no fault may be answered now");
		return bad_area(task, regs, error, address, QUIRE_SEGV_MAPERR);
	}
	if (error & X86_PF_PK)
		return pkey_fault(task, regs, error, address);
	if (error & X86_PF_WRITE)
		flags |= FAULT_ACCESS_WRITE;
	else if (error & X86_PF_INSTR)
		flags |= FAULT_ACCESS_EXEC;
	else if (!(error & X86_PF_PROT))
		flags |= FAULT_ACCESS_READ;
	else
		return bad_area(task, regs, error, address, QUIRE_SEGV_ACCERR);
	if (error & X86_PF_USER)
		flags |= FAULT_FLAG_USER;
	return handle_user_fault(task, regs, error, address, flags);
}

static __always_inline vm_fault_t do_user_addr_fault(struct quire_task *task,
						     struct pt_regs *regs,
						     unsigned long error,
						     uaddr_t address)
{
	unsigned flags =
		likely(error < ARRAY_LEN(plain_fault)) ? plain_fault[error] : 0;

	if (unlikely(!flags || task->faults_disabled || !task->mm))
		return unusual_fault(task, regs, error, address);
	return handle_user_fault(task, regs, error, address, flags);
}

/* A probe on device memory may be registered (E4): it looks first. */
static __cold_path vm_fault_t kmmio_first_look(struct quire_task *task,
					       struct pt_regs *regs,
					       unsigned long error,
					       uaddr_t address)
{
	struct quire *q = task->q;

	if (READ_ONCE(q->kmmio_fault)(q, regs, error, address) > 0)
		return 0;
	if (fault_in_kernel_space(address))
		return do_kern_addr_fault(task, regs, error, address);
	return do_user_addr_fault(task, regs, error, address);
}

static __always_inline vm_fault_t handle_page_fault(struct quire_task *task,
						    struct pt_regs *regs,
						    unsigned long error,
						    uaddr_t address)
{
	if (unlikely(READ_ONCE(task->q->kmmio_fault)))
		return kmmio_first_look(task, regs, error, address);
	if (unlikely(fault_in_kernel_space(address)))
		return do_kern_addr_fault(task, regs, error, address);
	return do_user_addr_fault(task, regs, error, address);
}

#ifdef QUIRE_TRACE
/* Somebody listens: the same, between a begin and an end. */
static __cold_path void traced_page_fault(struct quire_task *task,
					  struct pt_regs *regs,
					  unsigned long error, uaddr_t address)
{
	vm_fault_t ret;

	trace_fault(task, QE_FAULT_BEGIN, error, user_flag(error), address, 0);
	ret = handle_page_fault(task, regs, error, address);
	trace_fault(task, QE_FAULT_END, error, user_flag(error), address, ret);
}
#endif

void do_page_fault(struct pt_regs *regs, unsigned long error_code,
		   uaddr_t address)
{
	struct quire_task *task = quire_host_current();

#ifdef QUIRE_TRACE
	if (unlikely(quire_host_trace_enabled())) {
		traced_page_fault(task, regs, error_code, address);
		return;
	}
#endif
	(void)handle_page_fault(task, regs, error_code, address);
}
