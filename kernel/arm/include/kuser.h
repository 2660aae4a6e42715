/* SPDX-License-Identifier: MIT */
/*
 * kuser.h - the code in the page of the vectors that user programs call
 * (kuser.S tells what).
 */
#ifndef KERNEL_KUSER_H
#define KERNEL_KUSER_H

#define KUSER_SIGRETURN 0x500u /* where it lies in the page */
#define KUSER_HELPERS	0xf60u
/* In kuser_sigreturn: sigreturn's code is 8 bytes of ARM code, rt_sigreturn's
 * too, then each 4 of Thumb code. */
#define KUSER_RT    8u
#define KUSER_THUMB 16u

extern char kuser_sigreturn[], kuser_sigreturn_end[];
extern char kuser_helpers[], kuser_helpers_end[];

/* Put both into the page of the vectors, at boot. */
void kuser_install(char *page);

#endif
