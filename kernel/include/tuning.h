/* SPDX-License-Identifier: MIT */
/*
 * tuning.h - Quire's policies and limits as the kernel's command line has them
 * (kernel/tuning.c).
 */
#ifndef KERNEL_TUNING_H
#define KERNEL_TUNING_H

#include <quire/quire.h>

/* Before quire_create(): the policies.  Ends the machine at an unknown name. */
void tuning_policies(struct quire_config *config);
/* After it: the limits. */
void tuning_limits(void);

#endif
