/* SPDX-License-Identifier: MIT */
/*
 * host.h - all that an embedder supplies.
 *
 * Quire calls these functions and nothing else outside itself and the four
 * memory routines that every freestanding compiler may emit calls to (memcpy,
 * memmove, memset, memcmp).  They are bound at link time: no table of
 * pointers, so nothing on the fault path is an indirect call.
 *
 * Tiers.  The first tier must be real on any host.  A single-CPU host without
 * sleeping tasks can answer the second with one-liners (docs/embedding.md has
 * them).  The debug tier is called only in builds with -DQUIRE_DEBUG,
 * -DQUIRE_TRACE or -DQUIRE_INJECT, and costs nothing in others.
 *
 * Contexts.  Quire is never entered from an interrupt handler, and only
 * quire_host_cpu_call()'s callback runs in one.  "may sleep" below tells
 * whether the *host* may sleep inside the function.
 *
 * Inlining.  A host that wants the hot ones inlined compiles libquire with
 * -DQUIRE_HOST_INLINE='"my_host_inline.h"'; that header defines as static
 * inline any of the functions marked [inline], and a macro of the same name
 * (#define quire_host_cpu quire_host_cpu) to suppress the declaration here.
 */
#ifndef QUIRE_HOST_H
#define QUIRE_HOST_H

#include <quire/types.h>

/*
 * The part of a task that Quire reads and writes.  The host embeds it in its
 * own task structure, zeroes it, and sets q, mm, limits and id.
 */
struct quire_limits {
	uint64_t cur[16]; /* soft limits, bytes; index QUIRE_RLIMIT_* */
};

struct quire_task {
	struct quire *q;
	struct mm_struct *mm; /* user address space, or NULL: kernel thread */
	struct quire_limits *limits;	  /* NULL: no limits */
	struct vm_area_struct *vma_cache; /* Quire's: last VMA that faulted */
	uint64_t vma_cache_seq;		  /* Quire's: mm's seqnum when cached */
	uint64_t min_flt;		  /* faults answered without I/O */
	uint64_t maj_flt;		  /* faults that waited for a device */
	uint32_t faults_disabled;	  /* depth of pagefault_disable() */
	uint32_t id;			  /* shown in logs and traces */
	bool cap_ipc_lock;		  /* CAP_IPC_LOCK: no RLIMIT_MEMLOCK */
	bool cap_sys_admin; /* CAP_SYS_ADMIN: 3 % of overcommit reserve */
	/*
	 * nowait: a fault of this task must not sleep for I/O.  When it would,
	 * do_page_fault() returns with fault_waiting set: the task must not
	 * run until quire_host_fault_ready(), before which it is cleared (that
	 * may be before do_page_fault() has returned: read it atomically).
	 * quire_fault_cancel() ends the wait of a task that is to die.
	 * (Whoever ends I/O runs as a task whose q is set.)
	 */
	bool nowait;
	bool fault_waiting;
	struct quire_page_wait {
		struct page *page; /* waited for last; NULL: none; atomic */
		struct quire_page_wait *next;
		uint64_t address; /* page address of the fault that waited */
		uint64_t faults;  /* min_flt + maj_flt then */
	} page_wait;		  /* Quire's */
	uint32_t writing;	  /* Quire's: inside aops->writepage(s) */
	uint32_t reclaiming; /* Quire's: inside reclaim: its allocations come
			      * from the reserve, and do not reclaim */
	bool oom_victim; /* the host's: it is to die so that memory comes back:
			  * it may use part of the reserve */
	/* Quire's: the kernel's last access for it that found no memory, and
	 * how often that was repeated */
	uaddr_t oom_address;
	uint32_t oom_repeats;
	uint64_t swapin_ns; /* Quire's: time in faults that waited for swap */
	/* Of the last faults that ended in a signal (sigcontext: cr2, err). */
	uint64_t fault_address, fault_error, fault_trapno;
};

/* A signal that a fault ends in (sigaction(2), siginfo_t). */
struct quire_signal {
	int signo;	  /* SIGSEGV, SIGBUS, SIGKILL; ARM: SIGTRAP too */
	int code;	  /* SEGV_*, BUS_*; 0 for SIGKILL */
	uaddr_t addr;	  /* si_addr: the faulting address, not rounded */
	uint8_t addr_lsb; /* BUS_MCEERR_AR: log2 of the poisoned size */
	uint32_t pkey;	  /* SEGV_PKUERR */
};

#ifdef QUIRE_TRACE
#include <quire/trace.h>
#endif
#ifdef QUIRE_HOST_INLINE
#include QUIRE_HOST_INLINE
#endif

/* --------------------------------------------------------------- tier one */

/*
 * quire_host_current: the task that runs on this CPU.  Never NULL once
 * quire_create() has returned; before, it may be.  [inline]
 */
#ifndef quire_host_current
struct quire_task *quire_host_current(void);
#endif

/*
 * quire_host_cpu: index of the CPU that runs this, 0 <= n < config.cpus.
 * Called with preemption off, or where a stale answer does no harm.  [inline]
 */
#ifndef quire_host_cpu
unsigned quire_host_cpu(void);
#endif

/*
 * quire_host_signal: deliver a signal that the current task's fault ended in.
 * Called from quire's exception entry with no lock held.  It must not run the
 * handler before the exception returns; it may not fail: where no memory is
 * left for it, kill the task.
 */
void quire_host_signal(struct quire_task *task, const struct quire_signal *sig);

/*
 * quire_host_oom: the fault of `task` found no memory, and reclaim none
 * either.  The host kills some task (its choice; it may be this one) so that
 * memory comes back.  The faulting access is then repeated unless the host
 * killed `task`.  Called with no lock held; may sleep.
 */
void quire_host_oom(struct quire_task *task);

/*
 * quire_host_log: print one line of text (no newline in it).  level: 0 emerg
 * ... 3 error, 4 warning, 6 info, 7 debug.  Any context, locks may be held;
 * must not sleep nor call into Quire.
 */
void quire_host_log(int level, const char *text, size_t len);

/*
 * quire_host_panic: an invariant is broken (QUIRE_BUG_ON) at file:line.  Any
 * context.  Does not return.
 */
_Noreturn void quire_host_panic(const char *file, int line, const char *what);

/*
 * quire_host_load_table: make `root` (physical address of the top-level
 * table) with hardware address-space id `asid` current on this CPU.  When
 * `noflush` is false no translation of that asid may survive.  x86: MOV to
 * CR3 (Intel SDM vol. 3, 4.10.4.1).  Preemption is off.  [inline]
 */
#ifndef quire_host_load_table
void quire_host_load_table(paddr_t root, unsigned asid, bool noflush);
#endif

/*
 * quire_host_flush_page: drop this CPU's translation of one user or kernel
 * page for the current asid (x86: INVLPG).  [inline]
 * quire_host_flush_all: drop this CPU's translations of the current asid,
 * and global ones too when `global`.  [inline]
 */
#ifndef quire_host_flush_page
void quire_host_flush_page(uaddr_t addr);
#endif
#ifndef quire_host_flush_all
void quire_host_flush_all(bool global);
#endif

/* --------------------------------------------------------------- tier two */

/*
 * quire_host_wait: sleep while *word == expected, as futex(2) FUTEX_WAIT:
 * the compare and the going to sleep are one step against quire_host_wake.
 * May return early without cause.  With QUIRE_WAIT_KILLABLE returns -EINTR
 * when a fatal signal is pending for the current task, else 0.
 * Sleeps; called with no spinlock held and preemption on.
 */
#define QUIRE_WAIT_KILLABLE 1u
int quire_host_wait(uint32_t *word, uint32_t expected, unsigned flags);

/*
 * quire_host_wake: wake at most n tasks that wait on word (UINT32_MAX: all).
 * Does not sleep; spinlocks of Quire's may be held.
 */
void quire_host_wake(uint32_t *word, uint32_t n);

/*
 * quire_host_preempt_disable/enable: between them the task stays on its CPU
 * and no other task runs there.  They nest.  Every spinlock of Quire's is
 * held inside such a pair.  A host that does not preempt kernel code (or whose
 * CPUs are threads) does nothing here.  [inline]
 */
#ifndef quire_host_preempt_disable
void quire_host_preempt_disable(void);
#endif
#ifndef quire_host_preempt_enable
void quire_host_preempt_enable(void);
#endif

/*
 * quire_host_relax: called in each round of a spin (x86: PAUSE); `spins`
 * counts them, so that a hosted port can yield after many.  On a host where
 * quire_host_cpu_call() waits for other CPUs, this must let this CPU answer
 * such calls (interrupts on, or poll).  [inline]
 */
#ifndef quire_host_relax
void quire_host_relax(unsigned spins);
#endif

/*
 * quire_host_cpu_call: run fn(arg) on every CPU of `cpus` (never this one)
 * and return when all have.  There fn runs as an interrupt handler: it takes
 * no lock.  Called with preemption off; page-table locks of Quire's may be
 * held by this CPU and by the others.
 */
void quire_host_cpu_call(cpumask_t cpus, void (*fn)(void *arg), void *arg);

/*
 * quire_host_fatal_signal_pending: whether the current task is to die (so a
 * fault should not be repeated).  [inline]
 */
#ifndef quire_host_fatal_signal_pending
bool quire_host_fatal_signal_pending(struct quire_task *task);
#endif
/*
 * quire_host_signal_pending: whether any signal waits for the current task
 * (so an interruptible long operation should end with -EINTR).
 */
bool quire_host_signal_pending(struct quire_task *task);

/*
 * quire_host_fixup_exception: a fault in kernel mode at regs' instruction
 * cannot be answered.  If the host's exception table has that instruction,
 * set regs to its fixup and return true.
 * quire_host_has_fixup: the same question, without changing regs.
 * quire_host_oops: no fixup either: the kernel itself is wrong.  `report` is
 * a text of several lines.  Ends the task (or the machine); if it returns,
 * the faulting instruction is repeated.
 */
bool quire_host_fixup_exception(struct pt_regs *regs);
bool quire_host_has_fixup(const struct pt_regs *regs);
void quire_host_oops(struct pt_regs *regs, uaddr_t addr, const char *report);

/* quire_host_time_ns: time since some fixed point, ns; never goes back. */
uint64_t quire_host_time_ns(void);

/*
 * quire_host_wake_flusher: there is work for quire_flusher_work(q); call it
 * soon, from a task that may sleep.  May do nothing on a host that calls it
 * often enough or has no flusher.  Any context, spinlocks of Quire's may be
 * held; must not sleep nor call into Quire.
 */
void quire_host_wake_flusher(struct quire *q);

/*
 * quire_host_wake_reclaim: free memory is below a node's low watermark; call
 * quire_reclaim_work(q) soon, from a task that may sleep and that may use the
 * reserve.  May do nothing on a host without such a task.  Any context,
 * spinlocks of Quire's may be held; must not sleep nor call into Quire.
 */
void quire_host_wake_reclaim(struct quire *q);

/*
 * quire_host_fault_ready: what the fault of `task` (with task->nowait) waited
 * for has come: its access may be repeated.  Called once for each time that
 * task->fault_waiting was set, from whoever ended the I/O: any task context,
 * page locks and spinlocks of Quire's may be held; must not sleep nor call into
 * Quire.  A host that sets nowait for no task does nothing here.
 */
void quire_host_fault_ready(struct quire_task *task);

/*
 * quire_host_maps_name: name to show in the maps text for a VMA that Quire
 * itself cannot name (a file's path).  Writes at most cap bytes, no NUL;
 * returns the length.  quire_host_file_id fills the device and inode columns.
 */
size_t quire_host_maps_name(struct quire_file *file, char *buf, size_t cap);
void quire_host_file_id(struct quire_file *file, uint32_t *major,
			uint32_t *minor, uint64_t *inode);

/* -------------------------------------------------------------------- ARM
 *
 * Only a port of the arm format supplies these, and Quire calls them in no
 * other.  None sleeps; page-table locks may be held and preemption may be on,
 * unless it says otherwise.  "All CPUs": where config.tlb_broadcast is set the
 * operation must be one that reaches every CPU of the system (the Inner
 * Shareable forms of ARMv7 MP); where it is not, only this CPU, and Quire
 * reaches the others by quire_host_cpu_call().
 *
 * What the functions of tier one mean here:
 *   quire_host_load_table  TTBR0 and CONTEXTIDR in the order that lets no walk
 *       of the new table be tagged with the old ASID nor the other way round
 *       (ARM DDI 0406C B3.10.4), an ISB, and with noflush false TLBIASID of
 *       `asid` first.  Branch predictors that are not tagged with an ASID are
 *       invalidated (ARMv6).  root is 16 KiB aligned.  The CPU's `asid` is 0
 *       until the first call; 0 is the kernel's own table.
 *   quire_host_flush_page  TLBIMVA of addr with the current ASID, this CPU;
 *       complete on return (DSB, ISB).
 *   quire_host_flush_all   TLBIASID of the current ASID, this CPU; with
 *       `global` everything, of all ASIDs (TLBIALL), and the branch predictor;
 *       complete on return.
 */

/*
 * quire_host_table_written: words in [entries, entries + bytes) of a
 * translation table have been stored to; make walks by the processors see
 * them.  ARMv7 (walks are coherent): DSB ISHST.  ARMv6: clean the D-cache lines
 * of the range to memory, then DSB.  No ISB: the walk that matters comes after
 * a return from exception or a flush.  [inline]
 */
#ifndef quire_host_table_written
void quire_host_table_written(const void *entries, size_t bytes);
#endif

/*
 * quire_host_table_changed: the same, but one of the two flushes below follows
 * before it matters, and its first DSB is enough: ARMv7: nothing.  ARMv6: clean
 * the lines.  [inline]
 */
#ifndef quire_host_table_changed
void quire_host_table_changed(const void *entries, size_t bytes);
#endif

/*
 * quire_host_flush_asid_range: no CPU (see above) uses a translation made for
 * `asid` of a page in [start, end) after this returns, nor what its branch
 * predictor remembers of them.  quire_host_flush_asid: of any page.  Entries
 * were changed and quire_host_table_written() or _changed() before.
 * DSB; TLBIMVA(IS) each page, or TLBIASID(IS); BPIALL(IS); DSB; ISB.  [inline]
 */
#ifndef quire_host_flush_asid_range
void quire_host_flush_asid_range(unsigned asid, uaddr_t start, uaddr_t end);
#endif
#ifndef quire_host_flush_asid
void quire_host_flush_asid(unsigned asid);
#endif

/*
 * quire_host_sync_icache: memory at kernel address kva (direct map; whole
 * pages) is about to be executed at some user address: clean its D-cache lines
 * to the point of unification, DSB, invalidate the instruction caches (all
 * CPUs; all of them where they may alias: ICIALLU, on ARMv6 with the erratum
 * that needs it repeated) and branch predictors, DSB, ISB.
 */
void quire_host_sync_icache(void *kva, size_t bytes);

/*
 * Only called where config.dcache_colours says that the D-cache has aliases.
 * quire_host_flush_dcache: clean and invalidate the lines of whole pages at a
 * kernel address.  quire_host_flush_dcache_all: of the whole D-cache.  Complete
 * on return (DSB).
 */
void quire_host_flush_dcache(void *kva, size_t bytes);
void quire_host_flush_dcache_all(void);

/* ------------------------------------------------------------- debug tier */

/* The lock order, outermost first (mm/fault.c draws it). */
enum quire_lock_class {
	QUIRE_LOCK_MMAP = 1,
	QUIRE_LOCK_VMA,
	QUIRE_LOCK_MAPPING, /* a device's frames or DAX blocks stay */
	QUIRE_LOCK_PAGE,
	QUIRE_LOCK_I_MMAP,
	QUIRE_LOCK_ANON_VMA,
	QUIRE_LOCK_PTL,
	QUIRE_LOCK_LRU,
	QUIRE_LOCK_SWAP,
	QUIRE_LOCK_CACHE,
	QUIRE_LOCK_SLAB,
	QUIRE_LOCK_ZONE,
	QUIRE_LOCK_LEAF, /* nothing is taken inside it */
};

/* See quire_host_debug_lock(). */
#define QUIRE_LOCK_TRY 0x100

#ifdef QUIRE_DEBUG
/*
 * Each lock taken and released, in a checker's reach.  cls is one of
 * QUIRE_LOCK_* in the documented order (mm/fault.c), or'ed with QUIRE_LOCK_TRY
 * where the lock was only tried: that waits for nobody, so it may be taken in
 * any order.  sleeping: the lock may be held across a sleep.
 */
void quire_host_debug_lock(const void *lock, int cls, bool sleeping);
void quire_host_debug_unlock(const void *lock, int cls);
/* About to do something that may sleep; a checker complains under a spinlock.
 */
void quire_host_debug_might_sleep(const char *where);
/* A page range was freed (may be poisoned) or handed out (poison verified). */
void quire_host_debug_pages_freed(void *mem, size_t bytes);
void quire_host_debug_pages_taken(void *mem, size_t bytes);
#endif

#ifdef QUIRE_INJECT
/*
 * quire_host_should_fail: asked before every allocation; true makes it fail
 * as if memory had run out.  kind: 0 pages, 1 objects, 2 page tables.
 */
bool quire_host_should_fail(int kind, size_t bytes);
#endif

#ifdef QUIRE_TRACE
/* quire_host_trace: one event; called in the task's context, no lock order
 * beyond mmap_lock may be assumed; must not sleep nor fault.  [inline] */
#ifndef quire_host_trace
void quire_host_trace(const struct quire_event *event);
#endif
/* quire_host_trace_enabled: cheap test before an event is built.  [inline] */
#ifndef quire_host_trace_enabled
bool quire_host_trace_enabled(void);
#endif
#endif

#endif
