/* SPDX-License-Identifier: MIT */
/*
 * fsr.c - what is done about each fault status (E12): the two tables of 32
 * entries, indexed by the FS bits of DFSR and IFSR.
 *
 * The statuses are those of ARM ARM DDI 0406C, table B3-23 (short descriptors;
 * what only a data or only a prefetch abort can have is told by B3.13.3), and
 * of ARMv6's table B4-1 (DDI 0100I), which lacks the later ones.  All others
 * are reserved.  do_bad takes what no software can mend: the task, or the
 * kernel, ends as the entry says.
 *
 *   status                        handler              unhandled
 *   translation, level 1          do_translation_fault SIGSEGV, SEGV_MAPERR
 *   translation, level 2          arm_do_page_fault    SIGSEGV, SEGV_MAPERR
 *   access flag, permission       arm_do_page_fault    SIGSEGV, SEGV_ACCERR
 *     (permission of a section)   do_sect_fault
 *   domain                        do_bad               SIGSEGV, SEGV_ACCERR
 *   alignment                     do_bad               SIGBUS, BUS_ADRALN
 *   external abort, parity        do_bad               SIGBUS, BUS_OBJERR
 *   debug event (BKPT)            do_bad               SIGTRAP, TRAP_HWBKPT
 *   reserved                      do_bad               SIGKILL
 *
 * Each system has tables of its own, copied from here, so that a host may
 * replace entries (hook_fault_code: alignment fixed up by software, a
 * debugger's events, a board's external aborts) in one of them.
 *
 * Locks: none.  The tables are written before faults are taken.
 */
#include "fault.h"
#include <asm/fault.h>

#define TRAP_HWBKPT 4 /* si_code of SIGTRAP (sigaction(2)) */

#define PAGE(code, name)                                                       \
	{                                                                      \
		arm_do_page_fault, SIGSEGV, code, name                         \
	}
#define BAD(signo, code, name)                                                 \
	{                                                                      \
		do_bad, signo, code, name                                      \
	}
#define BUS(name) BAD(SIGBUS, QUIRE_BUS_OBJERR, name)

/* What both registers may say. */
#define COMMON                                                                 \
	[FS_DEBUG] = BAD(SIGTRAP, TRAP_HWBKPT, "debug event"),                 \
	[FS_ACCESS_FLAG_1] =                                                   \
		PAGE(QUIRE_SEGV_ACCERR, "access flag fault, section"),         \
	[FS_TRANSLATION_1] = {do_translation_fault, SIGSEGV,                   \
			      QUIRE_SEGV_MAPERR,                               \
			      "translation fault, section"},                   \
	[FS_ACCESS_FLAG_2] =                                                   \
		PAGE(QUIRE_SEGV_ACCERR, "access flag fault, page"),            \
	[FS_TRANSLATION_2] =                                                   \
		PAGE(QUIRE_SEGV_MAPERR, "translation fault, page"),            \
	[FS_EXTERNAL] = BUS("synchronous external abort"),                     \
	[FS_DOMAIN_1] =                                                        \
		BAD(SIGSEGV, QUIRE_SEGV_ACCERR, "domain fault, section"),      \
	[FS_EXTERNAL_OLD] = BUS("external abort (before ARMv6)"),              \
	[FS_DOMAIN_2] = BAD(SIGSEGV, QUIRE_SEGV_ACCERR, "domain fault, page"), \
	[FS_WALK_EXTERNAL_1] = BUS("external abort on walk, level 1"),         \
	[FS_PERMISSION_1] = {do_sect_fault, SIGSEGV, QUIRE_SEGV_ACCERR,        \
			     "permission fault, section"},                     \
	[FS_WALK_EXTERNAL_2] = BUS("external abort on walk, level 2"),         \
	[FS_PERMISSION_2] = PAGE(QUIRE_SEGV_ACCERR, "permission fault, page"), \
	[FS_TLB_CONFLICT] = BUS("TLB conflict abort"),                         \
	[FS_LOCKDOWN] = BUS("lockdown fault"),                                 \
	[FS_PARITY] = BUS("synchronous parity error"),                         \
	[FS_COPROCESSOR] = BUS("coprocessor data abort"),                      \
	[FS_WALK_PARITY_1] = BUS("parity error on walk, level 1"),             \
	[FS_WALK_PARITY_2] = BUS("parity error on walk, level 2")

static const struct fsr_info data_info[NR_FSR] = {
	COMMON,
	[FS_ALIGNMENT] = BAD(SIGBUS, QUIRE_BUS_ADRALN, "alignment fault"),
	[FS_ICACHE_MAINTENANCE] = BAD(SIGSEGV, QUIRE_SEGV_MAPERR,
				      "instruction cache maintenance fault"),
	[FS_ASYNC_EXTERNAL] = BUS("asynchronous external abort"),
	[FS_ASYNC_PARITY] = BUS("asynchronous parity error"),
};

static const struct fsr_info prefetch_info[NR_FSR] = {
	COMMON,
};

static void fill(struct fsr_info *to, const struct fsr_info *from)
{
	static const struct fsr_info reserved = BAD(SIGKILL, 0, "reserved");
	unsigned i;

	for (i = 0; i < NR_FSR; i++)
		to[i] = from[i].fn ? from[i] : reserved;
}

/* Statuses that need no look at the table while its entries are these. */
static const uint8_t plain[] = {FS_TRANSLATION_1, FS_TRANSLATION_2,
				FS_ACCESS_FLAG_2, FS_PERMISSION_2};

void arch_faults_init(struct arch_faults *f)
{
	const unsigned user = FAULT_FLAG_DEFAULT | FAULT_FLAG_USER;
	unsigned i;

	memset(f, 0, sizeof(*f));
	fill(f->fsr_info, data_info);
	fill(f->ifsr_info, prefetch_info);
	for (i = 0; i < ARRAY_LEN(plain); i++) {
		f->plain_data[plain[i]] = user | FAULT_ACCESS_READ;
		f->plain_data[NR_FSR + plain[i]] = user | FAULT_ACCESS_WRITE;
		f->plain_prefetch[plain[i]] = user | FAULT_ACCESS_EXEC;
	}
}

void hook_fault_code(struct quire *q, unsigned nr,
		     vm_fault_t (*fn)(struct quire_task *task, uaddr_t addr,
				      uint32_t fsr, struct pt_regs *regs),
		     int sig, int code, const char *name)
{
	struct arch_faults *f = &q->arch.faults;

	QUIRE_BUG_ON(nr >= NR_FSR);
	f->plain_data[nr] = 0;
	f->plain_data[NR_FSR + nr] = 0;
	f->fsr_info[nr] = (struct fsr_info){fn, sig, code, name};
}

void hook_ifault_code(struct quire *q, unsigned nr,
		      vm_fault_t (*fn)(struct quire_task *task, uaddr_t addr,
				       uint32_t fsr, struct pt_regs *regs),
		      int sig, int code, const char *name)
{
	struct arch_faults *f = &q->arch.faults;

	QUIRE_BUG_ON(nr >= NR_FSR);
	f->plain_prefetch[nr] = 0;
	f->ifsr_info[nr] = (struct fsr_info){fn, sig, code, name};
}
