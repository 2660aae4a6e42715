/* SPDX-License-Identifier: MIT */
/*
 * The page-fault error code as the processor pushes it (Intel SDM vol. 3A,
 * 4.7 and 6.15, interrupt 14).
 */
#ifndef QUIRE_X86_TRAP_PF_H
#define QUIRE_X86_TRAP_PF_H

#define X86_TRAP_PF 14

#define X86_PF_PROT  (1ul << 0) /* 0: no page found, 1: protection */
#define X86_PF_WRITE (1ul << 1) /* 0: read, 1: write */
#define X86_PF_USER  (1ul << 2) /* 1: the access was a user-mode one */
#define X86_PF_RSVD  (1ul << 3) /* a reserved bit was 1 in some entry */
#define X86_PF_INSTR (1ul << 4) /* instruction fetch (needs NX or SMEP) */
#define X86_PF_PK    (1ul << 5) /* protection key */
#define X86_PF_SHSTK (1ul << 6) /* shadow-stack access */

#endif
