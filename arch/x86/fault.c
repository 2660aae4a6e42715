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
 *         yes  do_kern_addr_fault         spurious, exception table, oops
 *         no   do_user_addr_fault
 *                reserved bit             corrupt table: report, SIGKILL
 *                SMAP, faults disabled,
 *                no mm, interrupts off    exception table, or oops
 *                mmap_lock, find_vma      below a stack: it grows
 *                access_error             the VMA's word against the access
 *                handle_mm_fault          mm/fault.c
 *                RETRY: once more         unless the task is to die
 *                error                    signal; kernel mode: exception table
 *
 * The error code (Intel SDM vol. 3A, 4.7) says what was tried and whether an
 * entry was there; the VMA says what is allowed.  "Kernel mode" here is the
 * U/S bit of the error code: it is clear, too, for the processor's own
 * accesses (descriptor tables) on behalf of user code.
 *
 * Locks: none on entry and exit; the mmap_lock for read in between.  A fault
 * in kernel mode at an instruction without an exception-table entry is a bug
 * that may have happened with any lock held, mmap_lock too: it never waits.
 */
#include "fault.h"
#include <asm/fault.h>

#define __cold_path __attribute__((noinline, cold))

/* How it ended: for the tracepoint; nothing remains of it without one. */
struct outcome {
	vm_fault_t result;
	uint8_t kind; /* enum quire_fault_kind */
	uint8_t bits; /* QUIRE_EVENT_* */
};

#ifdef QUIRE_TRACE
#define WANT_KIND(p) (p)
#else
#define WANT_KIND(p) NULL
#endif

static __always_inline struct outcome outcome(vm_fault_t result, uint8_t kind)
{
	return (struct outcome){.result = result, .kind = kind};
}

/* --------------------------------------------------- faults that fail */

/* What a signal handler finds in its context (sigcontext: cr2, err, trapno). */
static void set_signal_archinfo(struct quire_task *task, unsigned long error,
				uaddr_t address)
{
	/* do not tell user mode which kernel addresses are mapped */
	if (address >= task_size_max(task->q))
		error |= X86_PF_PROT;
	task->fault_trapno = X86_TRAP_PF;
	task->fault_error = error | X86_PF_USER;
	task->fault_address = address;
}

/* Kernel mode: the exception table answers, or the kernel is wrong. */
static __cold_path struct outcome
kernelmode_fixup_or_oops(struct quire_task *task, struct pt_regs *regs,
			 unsigned long error, uaddr_t address)
{
	if (quire_host_fixup_exception(regs))
		return outcome(0, QF_FIXUP);
	page_fault_oops(task, regs, error, address);
	return outcome(VM_FAULT_SIGSEGV, QF_OOPS);
}

/* The access is not allowed or not mapped; no lock held. */
static __cold_path struct outcome
bad_area_nosemaphore(struct quire_task *task, struct pt_regs *regs,
		     unsigned long error, uaddr_t address, int code)
{
	struct quire_signal sig = {
		.signo = SIGSEGV, .code = code, .addr = address};

	if (!(error & X86_PF_USER))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	set_signal_archinfo(task, error, address);
	quire_host_signal(task, &sig);
	return outcome(VM_FAULT_SIGSEGV, QF_SIGSEGV);
}

static struct outcome do_sigbus(struct quire_task *task, struct pt_regs *regs,
				unsigned long error, uaddr_t address,
				vm_fault_t fault)
{
	struct quire_signal sig = {
		.signo = SIGBUS, .code = QUIRE_BUS_ADRERR, .addr = address};

	if (!(error & X86_PF_USER))
		return kernelmode_fixup_or_oops(task, regs, error, address);
	if (fault & (VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE)) {
		sig.code = QUIRE_BUS_MCEERR_AR;
		sig.addr_lsb =
			fault & VM_FAULT_HWPOISON ? PAGE_SHIFT : PMD_SHIFT;
	}
	set_signal_archinfo(task, error, address);
	quire_host_signal(task, &sig);
	return outcome(fault, QF_SIGBUS);
}

/* handle_mm_fault() said no; the mmap_lock is released. */
static __cold_path struct outcome
mm_fault_error(struct quire_task *task, struct pt_regs *regs,
	       unsigned long error, uaddr_t address, vm_fault_t fault)
{
	if (fault & VM_FAULT_OOM) {
		if (!(error & X86_PF_USER))
			return kernelmode_fixup_or_oops(task, regs, error,
							address);
		quire_host_oom(task);
		return outcome(fault, QF_OOM);
	}
	if (fault &
	    (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE))
		return do_sigbus(task, regs, error, address, fault);
	return bad_area_nosemaphore(task, regs, error, address,
				    QUIRE_SEGV_MAPERR);
}

/* A reserved bit was set in some entry: the table is not what we wrote. */
static __cold_path struct outcome reserved_bit_fault(struct quire_task *task,
						     struct pt_regs *regs,
						     unsigned long error,
						     uaddr_t address)
{
	struct quire_signal sig = {.signo = SIGKILL, .addr = address};

	pgtable_bad(task, regs, error, address);
	set_signal_archinfo(task, error, address);
	quire_host_signal(task, &sig);
	return outcome(VM_FAULT_SIGBUS, QF_OOPS);
}

/* ------------------------------------------------------ kernel addresses */

static __cold_path struct outcome do_kern_addr_fault(struct quire_task *task,
						     struct pt_regs *regs,
						     unsigned long error,
						     uaddr_t address)
{
	struct quire *q = task->q;

	if (unlikely(error & X86_PF_RSVD))
		return reserved_bit_fault(task, regs, error, address);
	if (spurious_kernel_fault(q, error, address)) {
		quire_host_flush_page(address);
		count_vm_event(q, VM_quire_spurious);
		return outcome(0, QF_SPURIOUS);
	}
	/* a user-mode access is refused whether something is there or not */
	return bad_area_nosemaphore(task, regs, error, address,
				    QUIRE_SEGV_MAPERR);
}

/* -------------------------------------------------------- user addresses */

/* Is a kernel-mode access to a user address one that may be answered? */
static __always_inline bool kernel_access_ok(const struct quire *q,
					     const struct pt_regs *regs,
					     unsigned long error)
{
	if (error & X86_PF_INSTR) /* SMEP */
		return false;
	if (q->config.smap && !(regs->flags & X86_EFLAGS_AC))
		return false;
	/* it may be in the middle of anything: do not sleep */
	return (regs->flags & X86_EFLAGS_IF) != 0;
}

/* E6: true when the VMA does not allow this. */
static __always_inline bool access_error(unsigned long error,
					 const struct vm_area_struct *vma)
{
	if (error & X86_PF_WRITE)
		return unlikely(!(vma->vm_flags & VM_WRITE));
	if (unlikely(error & X86_PF_INSTR))
		return !(vma->vm_flags & VM_EXEC);
	/* a page is there and may not be read: never a user's own */
	if (unlikely(error & X86_PF_PROT))
		return true;
	return unlikely(!(vma->vm_flags & VM_ACCESS_FLAGS));
}

/*
 * The mmap_lock for read.  Taken at once nearly always.  A bug in kernel mode
 * must not wait for it: maybe this task itself holds it.
 */
static __cold_path int lock_mm_slow(struct mm_struct *mm,
				    const struct pt_regs *regs,
				    unsigned long error)
{
	if (!(error & X86_PF_USER) && !quire_host_has_fixup(regs))
		return -EFAULT;
	return down_read_killable(&mm->mmap_lock);
}

/*
 * Below a growing VMA: the stack grows to the address if it may.  That changes
 * the map, so the lock is retaken for write and the VMA looked up again.
 * Returns it with the lock held for read; NULL and no lock when it may not.
 */
static __cold_path struct vm_area_struct *grow_stack(struct mm_struct *mm,
						     const struct pt_regs *regs,
						     unsigned long error,
						     uaddr_t address)
{
	struct vm_area_struct *vma;

	up_read(&mm->mmap_lock);
	if (!(error & X86_PF_USER) && !quire_host_has_fixup(regs))
		return NULL;
	if (down_write_killable(&mm->mmap_lock))
		return NULL;
	vma = find_vma(mm, address);
	if (vma && vma->vm_start > address &&
	    (!(vma->vm_flags & VM_GROWSDOWN) || expand_stack(vma, address)))
		vma = NULL;
	if (!vma) {
		up_write(&mm->mmap_lock);
		return NULL;
	}
	count_vm_event(mm->q, VM_quire_stack_growth);
	downgrade_write(&mm->mmap_lock);
	return vma;
}

/* The VMA of the address from the task's cache, or the first that ends above */
static __always_inline struct vm_area_struct *
lookup_vma(struct quire_task *task, struct mm_struct *mm, uaddr_t address)
{
	struct vm_area_struct *vma = task->vma_cache;

	/* seqnums start apart for each mm, and move when a VMA may be freed */
	if (likely(task->vma_cache_seq == mm->seqnum) &&
	    likely(address - vma->vm_start < vma->vm_end - vma->vm_start))
		return vma;
	vma = find_vma(mm, address);
	if (likely(vma)) {
		task->vma_cache = vma;
		task->vma_cache_seq = mm->seqnum;
	}
	return vma;
}

/*
 * The VMA that the access is in and that allows it, with the mmap_lock held
 * for read.  NULL and no lock: *code is the SEGV_* to give.
 */
static __always_inline struct vm_area_struct *
lock_and_find_vma(struct quire_task *task, const struct pt_regs *regs,
		  unsigned long error, uaddr_t address, int *code,
		  uint8_t *bits)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;

	*code = QUIRE_SEGV_MAPERR;
	if (unlikely(!down_read_trylock(&mm->mmap_lock)) &&
	    lock_mm_slow(mm, regs, error))
		return NULL;
	vma = lookup_vma(task, mm, address);
	if (unlikely(!vma))
		goto unlock;
	if (unlikely(vma->vm_start > address)) {
		if (!(vma->vm_flags & VM_GROWSDOWN))
			goto unlock;
		vma = grow_stack(mm, regs, error, address);
		if (!vma)
			return NULL;
		*bits |= QUIRE_EVENT_STACK_GROWTH;
	}
	if (likely(!access_error(error, vma)))
		return vma;
	*code = QUIRE_SEGV_ACCERR;
unlock:
	up_read(&mm->mmap_lock);
	return NULL;
}

_Static_assert(X86_PF_WRITE == FAULT_FLAG_WRITE << 1 &&
		       X86_PF_USER == FAULT_FLAG_USER >> 4 &&
		       X86_PF_INSTR == FAULT_FLAG_INSTRUCTION >> 4,
	       "fault_flags() moves the bits by shifts");
static __always_inline unsigned fault_flags(unsigned long error)
{
	return FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE |
	       (unsigned)(error & X86_PF_WRITE) >> 1 |
	       (unsigned)(error & (X86_PF_USER | X86_PF_INSTR)) << 4;
}

/* No VMA, or the task is to die: then user mode needs no signal more. */
static __cold_path struct outcome no_vma(struct quire_task *task,
					 struct pt_regs *regs,
					 unsigned long error, uaddr_t address,
					 int code)
{
	if ((error & X86_PF_USER) && quire_host_fatal_signal_pending(task))
		return outcome(VM_FAULT_RETRY, QF_NONE);
	return bad_area_nosemaphore(task, regs, error, address, code);
}

static __always_inline struct outcome
do_user_addr_fault(struct quire_task *task, struct pt_regs *regs,
		   unsigned long error, uaddr_t address)
{
	struct mm_struct *mm = task->mm;
	struct vm_area_struct *vma;
	unsigned flags = fault_flags(error);
	struct outcome out = {0};
	vm_fault_t fault;
	int code;

	if (unlikely((error & (X86_PF_USER | X86_PF_RSVD)) != X86_PF_USER)) {
		if (error & X86_PF_RSVD)
			return reserved_bit_fault(task, regs, error, address);
		if (!kernel_access_ok(task->q, regs, error))
			return kernelmode_fixup_or_oops(task, regs, error,
							address);
	}
	if (unlikely(task->faults_disabled || !mm))
		return bad_area_nosemaphore(task, regs, error, address,
					    QUIRE_SEGV_MAPERR);
	for (;;) {
		vma = lock_and_find_vma(task, regs, error, address, &code,
					&out.bits);
		if (unlikely(!vma))
			return no_vma(task, regs, error, address, code);
		fault = handle_mm_fault(vma, address, flags,
					WANT_KIND(&out.kind));
		if (likely(!(fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))))
			break;
		/* the lock is released already */
		if (!(fault & VM_FAULT_RETRY))
			return out;
		count_vm_event(mm->q, VM_quire_fault_retry);
		if (quire_host_fatal_signal_pending(task))
			return no_vma(task, regs, error, address, code);
		flags |= FAULT_FLAG_TRIED;
	}
	up_read(&mm->mmap_lock);
	if (unlikely(fault & VM_FAULT_ERROR))
		return mm_fault_error(task, regs, error, address, fault);
	out.result = fault;
	if (unlikely(out.bits))
		out.kind = QF_STACK_GROWTH;
	return out;
}

/*
 * Is it the upper half?  (The page between the end of user space and the end of
 * the lower half belongs to nobody: do_user_addr_fault finds no VMA there.
 * Other addresses in the middle are not canonical and give #GP, not #PF.)
 */
static __always_inline bool fault_in_kernel_space(uaddr_t address)
{
	return (sreg_t)address < 0;
}

static __always_inline struct outcome handle_page_fault(struct quire_task *task,
							struct pt_regs *regs,
							unsigned long error,
							uaddr_t address)
{
	struct quire *q = task->q;

	if (unlikely(q->kmmio_fault) && q->kmmio_fault(q, regs, address) > 0)
		return outcome(0, QF_NONE);
	if (unlikely(fault_in_kernel_space(address)))
		return do_kern_addr_fault(task, regs, error, address);
	return do_user_addr_fault(task, regs, error, address);
}

#ifdef QUIRE_TRACE
static __cold_path void trace_fault(struct quire_task *task,
				    unsigned long error, uaddr_t address,
				    int type, struct outcome out)
{
	struct quire_event e = {
		.type = (uint8_t)type,
		.kind = out.kind,
		.bits = out.bits,
		.cpu = (uint8_t)quire_host_cpu(),
		.task = task->id,
		.mm = task->mm ? task->mm->id : 0,
		.error = (uint32_t)error,
		.addr = address,
		.result = out.result,
	};

	if (error & X86_PF_USER)
		e.bits |= QUIRE_EVENT_USER;
	if (out.result & VM_FAULT_MAJOR)
		e.bits |= QUIRE_EVENT_MAJOR;
	quire_host_trace(&e);
}
#define trace_fault(task, error, address, type, out)                           \
	do {                                                                   \
		if (unlikely(quire_host_trace_enabled()))                      \
			trace_fault(task, error, address, type, out);          \
	} while (0)
#else
#define trace_fault(task, error, address, type, out) ((void)(out))
#endif

void do_page_fault(struct pt_regs *regs, unsigned long error_code,
		   uaddr_t address)
{
	struct quire_task *task = quire_host_current();
	struct outcome out = {0};

	trace_fault(task, error_code, address, QE_FAULT_BEGIN, out);
	out = handle_page_fault(task, regs, error_code, address);
	trace_fault(task, error_code, address, QE_FAULT_END, out);
}
