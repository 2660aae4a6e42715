/* SPDX-License-Identifier: MIT */
/* kerrno.h - errno(3) numbers beyond those that Quire itself returns. */
#ifndef KERNEL_KERRNO_H
#define KERNEL_KERRNO_H

#include <quire/linux.h>

#ifndef EDEADLK
#define EDEADLK 35
#endif
#ifndef ENAMETOOLONG
#define ENAMETOOLONG 36
#endif
#ifndef ELOOP
#define ELOOP 40
#endif
#ifndef ETIMEDOUT
#define ETIMEDOUT 110
#endif

#endif
