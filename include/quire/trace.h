/* SPDX-License-Identifier: MIT */
/*
 * Tracepoints: what Quire tells a host that was built with -DQUIRE_TRACE.
 *
 * One struct for all events.  A fault gives a begin and an end; the end says
 * by which path it was answered (its kind) and with what result.  Each change
 * of the map gives one event.  Without -DQUIRE_TRACE there is no code.
 */
#ifndef QUIRE_TRACE_H
#define QUIRE_TRACE_H

#include <quire/types.h>

/* How a fault was answered.  The names are in quire_fault_kind_name(). */
enum quire_fault_kind {
	QF_NONE,	 /* no phase has claimed the fault yet */
	QF_ANON_WRITE,	 /* fresh zeroed page */
	QF_ZERO_READ,	 /* shared zero page mapped */
	QF_FILE_READ,	 /* page-cache page mapped */
	QF_FILE_COW,	 /* private write to an absent file page: copied */
	QF_FILE_SHARED,	 /* shared write to an absent file page */
	QF_SHMEM,	 /* shared anonymous memory or tmpfs */
	QF_COW_COPY,	 /* write to a shared page: copied */
	QF_COW_REUSE,	 /* write to a page owned alone: made writable */
	QF_COW_ZERO,	 /* write to the zero page: fresh page */
	QF_MKWRITE,	 /* shared file page made writable */
	QF_STACK_GROWTH, /* the stack grew, and then any of the above */
	QF_SPURIOUS,	 /* the entry already allowed it */
	QF_SWAP,	 /* swapped in */
	QF_NUMA,
	QF_HUGE,
	QF_HUGETLB,
	QF_SIGSEGV, /* ended in SIGSEGV */
	QF_SIGBUS,  /* ended in SIGBUS */
	QF_OOM,	    /* ended out of memory */
	QF_FIXUP,   /* kernel mode: the exception table answered */
	QF_OOPS,
	QF_VMALLOC,	/* kernel mode: a kernel table entry was copied (E3) */
	QF_YOUNG_DIRTY, /* the entry was marked so by software (P7) */
	QF_DEVICE,	/* a device's frame mapped, or DAX memory (C6) */
	QF_COUNT
};

/* Their names in reports and traces, as an initializer of const char *[]. */
#define QUIRE_FAULT_KIND_NAMES                                                 \
	{                                                                      \
		[QF_NONE] = "none", [QF_ANON_WRITE] = "anon_write",            \
		[QF_ZERO_READ] = "zero_read", [QF_FILE_READ] = "file_read",    \
		[QF_FILE_COW] = "file_cow", [QF_FILE_SHARED] = "file_shared",  \
		[QF_SHMEM] = "shmem", [QF_COW_COPY] = "cow_copy",              \
		[QF_COW_REUSE] = "cow_reuse", [QF_COW_ZERO] = "cow_zero",      \
		[QF_MKWRITE] = "mkwrite", [QF_STACK_GROWTH] = "stack_growth",  \
		[QF_SPURIOUS] = "spurious", [QF_SWAP] = "swap",                \
		[QF_NUMA] = "numa", [QF_HUGE] = "huge",                        \
		[QF_HUGETLB] = "hugetlb", [QF_SIGSEGV] = "sigsegv",            \
		[QF_SIGBUS] = "sigbus", [QF_OOM] = "oom",                      \
		[QF_FIXUP] = "fixup", [QF_OOPS] = "oops",                      \
		[QF_VMALLOC] = "vmalloc", [QF_YOUNG_DIRTY] = "young_dirty",    \
		[QF_DEVICE] = "device",                                        \
	}

enum quire_event_type {
	QE_FAULT_BEGIN = 1, /* addr, error */
	QE_FAULT_END,	    /* addr, error, kind, result, flags */
	QE_MMAP,     /* addr, len, prot, flags, result (address/-errno) */
	QE_MUNMAP,   /* addr, len, result */
	QE_MPROTECT, /* addr, len, prot, result */
	QE_MREMAP,   /* addr, len = old length, aux = new length, result */
	QE_MADVISE,  /* addr, len, flags = advice, result */
	QE_BRK,	     /* addr, result */
	QE_FORK,     /* aux = the child's mm id, result */
	QE_EXIT_MM,  /* the mm is gone */
};

#define QUIRE_EVENT_USER	 0x1u /* fault taken in user mode */
#define QUIRE_EVENT_MAJOR	 0x2u /* it waited for a device */
#define QUIRE_EVENT_STACK_GROWTH 0x4u /* it grew a stack first */

struct quire_event {
	uint8_t type; /* enum quire_event_type */
	uint8_t kind; /* enum quire_fault_kind */
	uint8_t bits; /* QUIRE_EVENT_* */
	uint8_t cpu;
	uint32_t task; /* quire_task.id */
	uint32_t mm;   /* quire_mm_id() */
	uint32_t prot;
	uint32_t flags;
	uint32_t error; /* the processor's error code */
	uint64_t addr;
	uint64_t len;
	uint64_t aux;
	int64_t result; /* VM_FAULT_* for faults, else address or -errno */
};

#endif
