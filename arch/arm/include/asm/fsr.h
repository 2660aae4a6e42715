/* SPDX-License-Identifier: MIT */
/*
 * fsr.h - the fault status registers of the short-descriptor format (ARM ARM
 * DDI 0406C, B3.13.3 and table B3-23; ARMv6: DDI 0100I, B4.6 and table B4-1),
 * and the tables that say what is done about each status.
 *
 *    31      13 12  11  10   9  8 7    4 3     0
 *   +---------+---+---+-----+----+------+-------+
 *   |         |Ext|WnR|FS[4]|LPAE|domain|FS[3:0]|   DFSR; IFSR has no WnR,
 *   +---------+---+---+-----+----+------+-------+   and no domain
 *
 * The five FS bits index a table of 32 entries.  Bit 31 is software's: the
 * abort was a prefetch abort (as in a signal context's error_code).
 */
#ifndef QUIRE_ARM_FSR_H
#define QUIRE_ARM_FSR_H

#define FSR_FS3_0    0x0fu
#define FSR_DOMAIN   0xf0u
#define FSR_FS4	     (1u << 10)
#define FSR_WRITE    (1u << 11) /* WnR: a write caused the abort */
#define FSR_EXT	     (1u << 12) /* kind of external abort */
#define FSR_PREFETCH (1u << 31)

/* The statuses. "1" and "2": found at the first or the second level. */
#define FS_ALIGNMENT	      0x01
#define FS_DEBUG	      0x02
#define FS_ACCESS_FLAG_1      0x03
#define FS_ICACHE_MAINTENANCE 0x04
#define FS_TRANSLATION_1      0x05
#define FS_ACCESS_FLAG_2      0x06
#define FS_TRANSLATION_2      0x07
#define FS_EXTERNAL	      0x08
#define FS_DOMAIN_1	      0x09
#define FS_EXTERNAL_OLD	      0x0a /* deprecated by ARMv6 */
#define FS_DOMAIN_2	      0x0b
#define FS_WALK_EXTERNAL_1    0x0c
#define FS_PERMISSION_1	      0x0d
#define FS_WALK_EXTERNAL_2    0x0e
#define FS_PERMISSION_2	      0x0f
#define FS_TLB_CONFLICT	      0x10
#define FS_LOCKDOWN	      0x14 /* implementation's own */
#define FS_ASYNC_EXTERNAL     0x16
#define FS_ASYNC_PARITY	      0x18
#define FS_PARITY	      0x19
#define FS_COPROCESSOR	      0x1a /* implementation's own */
#define FS_WALK_PARITY_1      0x1c
#define FS_WALK_PARITY_2      0x1e
#define NR_FSR		      32

#define FSR_OF(fs) (((fs)&0xfu) | ((fs)&0x10u) << 6)

/* What sigcontext calls trap_no for both aborts, and for undefined ones. */
#define ARM_TRAP_ABORT	   14
#define ARM_TRAP_UNDEFINED 6

#ifndef __ASSEMBLER__

#include <quire/types.h>

/* Index in fsr_info and ifsr_info. */
static inline unsigned fsr_fs(uint32_t fsr)
{
	return (fsr & FSR_FS3_0) | (fsr & FSR_FS4) >> 6;
}

/* The same, and WnR as bit 5. */
static inline unsigned fsr_index(uint32_t fsr)
{
	return (fsr & FSR_FS3_0) | (fsr & (FSR_FS4 | FSR_WRITE)) >> 6;
}

/*
 * A handler's result: what became of the fault (VM_FAULT_*, and its kind for
 * the tracepoint), or this: it is none of mine, do as the table's entry says.
 */
#define QUIRE_FAULT_UNHANDLED 0x00800000u

typedef vm_fault_t (*fsr_handler_t)(struct quire_task *task, uaddr_t addr,
				    uint32_t fsr, struct pt_regs *regs);

struct fsr_info {
	fsr_handler_t fn;
	int sig, code; /* what an unhandled one is to user mode */
	const char *name;
};

/*
 * One memory system's tables: struct arch_system has one of these, named
 * faults.  plain_*: what user mode's abort of a status is for
 * handle_user_fault() (its flags), while the status's entry is still the
 * ordinary page fault's, so that the common ones need no call through a table;
 * 0: see the table.  Indexed by fsr_index() and fsr_fs().
 */
struct arch_faults {
	uint32_t plain_data[2 * NR_FSR];
	uint32_t plain_prefetch[NR_FSR];
	struct fsr_info fsr_info[NR_FSR];
	struct fsr_info ifsr_info[NR_FSR];
};

/* arch/arm/fsr.c: by arch_system_init, before any fault is taken. */
void arch_faults_init(struct arch_faults *f);

#endif
#endif
