/* SPDX-License-Identifier: MIT */
/*
 * fault_signal.c - the ends of a fault that no page answers (E5, E7), the same
 * on every architecture:
 *
 *   user mode     a signal with the address and the reason; or the host looks
 *                 for a victim, when memory has run out
 *   kernel mode   the exception table's answer, or the report of a bug
 *
 * What differs is handed through: `error` is the architecture's word for what
 * was tried (x86's error code, ARM's fault status), which its arch_fault_info()
 * and page_fault_oops() understand.
 *
 * Locks: none is held here.
 */
#include "fault.h"

/* How often the kernel's access is repeated without memory being short. */
#define OOM_REPEATS 16u

vm_fault_t __cold_path kernelmode_fixup_or_oops(struct quire_task *task,
						struct pt_regs *regs,
						unsigned long error,
						uaddr_t address)
{
	if (quire_host_fixup_exception(regs)) {
		quire_step("the exception table knows the instruction");
		return fault_outcome(0, QF_FIXUP);
	}
	quire_step("the kernel itself is wrong");
	page_fault_oops(task, regs, error, address);
	return fault_outcome(VM_FAULT_SIGSEGV, QF_OOPS);
}

void __cold_path fault_signal(struct quire_task *task, unsigned long error,
			      const struct quire_signal *sig)
{
	arch_fault_info(task, error, sig->addr);
	quire_host_signal(task, sig);
}

vm_fault_t __cold_path bad_area_nosemaphore(struct quire_task *task,
					    struct pt_regs *regs,
					    unsigned long error,
					    uaddr_t address, unsigned flags,
					    int code)
{
	struct quire_signal sig = {
		.signo = SIGSEGV, .code = code, .addr = address};

	if (!(flags & FAULT_FLAG_USER))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	quire_step("user mode: the task gets SIGSEGV");
	fault_signal(task, error, &sig);
	return fault_outcome(VM_FAULT_SIGSEGV, QF_SIGSEGV);
}

static vm_fault_t do_sigbus(struct quire_task *task, struct pt_regs *regs,
			    unsigned long error, uaddr_t address,
			    unsigned flags, vm_fault_t fault)
{
	struct quire_signal sig = {
		.signo = SIGBUS, .code = QUIRE_BUS_ADRERR, .addr = address};

	if (!(flags & FAULT_FLAG_USER))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	quire_step("user mode: the task gets SIGBUS");
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
		sig.code = QUIRE_BUS_MCEERR_AR;
		sig.addr_lsb =
			fault & VM_FAULT_HWPOISON ? PAGE_SHIFT : PMD_SHIFT;
	}
	fault_signal(task, error, &sig);
	return fault_outcome(fault, QF_SIGBUS);
}

/*
 * An access of the kernel's for a user found no memory, and there is some by
 * now (others have let go of it): true: it is repeated.  Where there never is
 * any for this fault (a reserve, another node) that comes to an end.
 */
static bool repeat_without_victim(struct quire_task *task, uaddr_t address)
{
	if (task->oom_address != address)
		task->oom_repeats = 0;
	task->oom_address = address;
	if (task->oom_repeats++ < OOM_REPEATS) {
		quire_step("there is memory again: repeat the access");
		return true;
	}
	task->oom_repeats = 0;
	return false;
}

/*
 * No lock is held any more: whoever is to die can let go of what he has.  An
 * access of the kernel's for a user goes on likewise when memory comes back; it
 * fails where the task itself is the victim, or there is memory again and again
 * and yet none for this fault.
 */
static vm_fault_t out_of_memory(struct quire_task *task, struct pt_regs *regs,
				unsigned long error, uaddr_t address,
				unsigned flags, vm_fault_t fault)
{
	bool user = (flags & FAULT_FLAG_USER) != 0;

	if (!user && (!quire_host_has_fixup(regs) ||
		      quire_host_fatal_signal_pending(task)))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	if (!user && !quire_memory_short(task->q)) {
		if (!repeat_without_victim(task, address))
			return kernelmode_fixup_or_oops(task, regs, error,
							address);
		return fault_outcome(fault, QF_OOM);
	}
	quire_step("no memory: the host picks a victim");
	count_vm_event(task->q, VM_oom_kill);
	quire_host_oom(task);
	if (!user && quire_host_fatal_signal_pending(task))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	return fault_outcome(fault, QF_OOM);
}

vm_fault_t __cold_path user_fault_failed(struct quire_task *task,
					 struct pt_regs *regs,
					 unsigned long error, uaddr_t address,
					 unsigned flags, vm_fault_t fault)
{
	/* to die: user mode does so before it runs again */
	if ((flags & FAULT_FLAG_USER) && quire_host_fatal_signal_pending(task))
		return fault;
	if (fault & VM_FAULT_OOM)
		return out_of_memory(task, regs, error, address, flags, fault);
	if (fault &
	    (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
		return do_sigbus(task, regs, error, address, flags, fault);
	return bad_area_nosemaphore(task, regs, error, address, flags,
				    fault & VM_FAULT_BADACCESS
					    ? QUIRE_SEGV_ACCERR
					    : QUIRE_SEGV_MAPERR);
}

#ifdef QUIRE_TRACE
void trace_fault(struct quire_task *task, int type, unsigned long error,
		 unsigned flags, uaddr_t address, vm_fault_t ret)
{
	struct quire_event e = {
		.type = (uint8_t)type,
		.kind = (uint8_t)(ret >> VM_FAULT_KIND_SHIFT),
		.cpu = (uint8_t)quire_host_cpu(),
		.task = task->id,
		.mm = task->mm ? task->mm->id : 0,
		.error = (uint32_t)error,
		.addr = address,
		.result = ret & ~fault_kind_bits(0xff),
	};

	if (flags & FAULT_FLAG_USER)
		e.bits |= QUIRE_EVENT_USER;
	if (ret & VM_FAULT_MAJOR)
		e.bits |= QUIRE_EVENT_MAJOR;
	if (e.kind == QF_STACK_GROWTH)
		e.bits |= QUIRE_EVENT_STACK_GROWTH;
	quire_host_trace(&e);
}
#endif
