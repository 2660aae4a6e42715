/* SPDX-License-Identifier: MIT */
/*
 * krandom.h - random bytes, for getrandom(2), /dev/urandom and exec's
 * AT_RANDOM (kernel/random.c).
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <quire/types.h>

/* n random bytes.  Any context, does not sleep; seeds itself at first use. */
void random_bytes(void *to, size_t n);

#endif
