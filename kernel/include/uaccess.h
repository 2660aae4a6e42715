/* SPDX-License-Identifier: MIT */
/*
 * uaccess.h - user memory from the kernel (behaviour E14).
 *
 * User pointers are uaddr_t, never C pointers.  All of these may sleep (the
 * access may fault), so no spinlock is held.  A bad address gives a short
 * count or -EFAULT, never a crash: each access instruction has an entry in the
 * exception table (quire_host_fixup_exception).
 */
#ifndef KERNEL_UACCESS_H
#define KERNEL_UACCESS_H

#include "klib.h"

/* A result that is an address or a negative errno: of a machine word's values
 * the last 4095 are the latter, whatever its width. */
static inline bool is_errno(long result)
{
	return (unsigned long)result > -4096ul;
}

/* Bytes NOT copied: 0 is success. */
size_t copy_from_user(void *to, uaddr_t from, size_t n);
size_t copy_to_user(uaddr_t to, const void *from, size_t n);
size_t clear_user(uaddr_t to, size_t n);
/*
 * strncpy_from_user: copy a string with its NUL, at most cap bytes of it.
 * Its length without NUL; cap when there is no NUL within cap bytes; -EFAULT.
 */
long strncpy_from_user(char *to, uaddr_t from, size_t cap);
/* Length with NUL, max + 1 when longer, 0 when the address is bad */
size_t strnlen_user(uaddr_t s, size_t max);

/* 0 or -EFAULT; the width is that of *p or v. */
#define get_user(p, uaddr)                                                     \
	(copy_from_user((p), (uaddr), sizeof(*(p))) ? -14 : 0)
#define put_user(v, uaddr)                                                     \
	({                                                                     \
		__typeof__(v) v_ = (v);                                        \
		copy_to_user((uaddr), &v_, sizeof(v_)) ? -14 : 0;              \
	})
/* [addr, addr + n) lies in the user half */
bool access_ok(uaddr_t addr, size_t n);
/* *p = new where it is old; *was gets what it had been.  0 or -EFAULT */
int cmpxchg_user32(uaddr_t p, uint32_t old, uint32_t new_, uint32_t *was);
/* A 32-bit word without sleeping: -EFAULT where that would need a fault */
int get_user32_atomic(uint32_t *v, uaddr_t p);

#endif
