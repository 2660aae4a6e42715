/* SPDX-License-Identifier: MIT */
/*
 * struct pt_regs: the registers of the context that an exception interrupted,
 * as the entry code has them on the supervisor stack; and the bits of a
 * program status register (ARM ARM DDI 0406C, B1.3.3; DDI 0100I, A2.5).
 *
 * The pc is that of the instruction to run when the exception is over: for an
 * abort, the one that was aborted.
 */
#ifndef QUIRE_ARM_PTRACE_H
#define QUIRE_ARM_PTRACE_H

/* The mode that the context ran in: the five low bits. */
#define PSR_MODE_MASK 0x1f
#define PSR_MODE_USR  0x10
#define PSR_MODE_FIQ  0x11
#define PSR_MODE_IRQ  0x12
#define PSR_MODE_SVC  0x13
#define PSR_MODE_ABT  0x17
#define PSR_MODE_UND  0x1b
#define PSR_MODE_SYS  0x1f
#define PSR_T_BIT     0x20  /* Thumb state */
#define PSR_F_BIT     0x40  /* fast interrupts are off */
#define PSR_I_BIT     0x80  /* interrupts are off */
#define PSR_A_BIT     0x100 /* asynchronous aborts are off */
#define PSR_E_BIT     0x200 /* data accesses are big-endian (SETEND) */
#define PSR_J_BIT     0x01000000
#define PSR_Q_BIT     0x08000000
#define PSR_V_BIT     0x10000000
#define PSR_C_BIT     0x20000000
#define PSR_Z_BIT     0x40000000
#define PSR_N_BIT     0x80000000
#define PSR_IT_MASK   0x0600fc00 /* Thumb's IF-THEN state */
#define PSR_GE_MASK   0x000f0000
/* What a user program may choose itself: flags, Q, GE, IT, E, T. */
#define PSR_USER_BITS                                                          \
	(PSR_N_BIT | PSR_Z_BIT | PSR_C_BIT | PSR_V_BIT | PSR_Q_BIT |           \
	 PSR_GE_MASK | PSR_IT_MASK | PSR_E_BIT | PSR_T_BIT)

#ifndef __ASSEMBLER__

#include <quire/types.h>

struct pt_regs {
	uint32_t uregs[18];
};

#define ARM_r0	    uregs[0]
#define ARM_r1	    uregs[1]
#define ARM_r2	    uregs[2]
#define ARM_r3	    uregs[3]
#define ARM_r4	    uregs[4]
#define ARM_r5	    uregs[5]
#define ARM_r6	    uregs[6]
#define ARM_r7	    uregs[7]
#define ARM_r8	    uregs[8]
#define ARM_r9	    uregs[9]
#define ARM_r10	    uregs[10]
#define ARM_fp	    uregs[11]
#define ARM_ip	    uregs[12]
#define ARM_sp	    uregs[13]
#define ARM_lr	    uregs[14]
#define ARM_pc	    uregs[15]
#define ARM_cpsr    uregs[16]
#define ARM_ORIG_r0 uregs[17] /* of a system call; exceptions: ~0 */

/* User mode is the one mode whose four low bits are clear. */
static inline bool user_mode(const struct pt_regs *regs)
{
	return (regs->ARM_cpsr & 0xf) == 0;
}
static inline bool thumb_mode(const struct pt_regs *regs)
{
	return (regs->ARM_cpsr & PSR_T_BIT) != 0;
}
static inline bool interrupts_enabled(const struct pt_regs *regs)
{
	return !(regs->ARM_cpsr & PSR_I_BIT);
}
static inline uint32_t instruction_pointer(const struct pt_regs *regs)
{
	return regs->ARM_pc;
}

#endif
#endif
