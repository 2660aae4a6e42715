/* SPDX-License-Identifier: MIT */
/*
 * uaccess.c - user memory from the kernel: address checks around the copies
 * of entry.S, and the time structures that many calls take.
 */
#include "kerrno.h"
#include "task.h"
#include <arch_abi.h>

size_t user_copy(void *to, const void *from, size_t n);
size_t user_clear(void *to, size_t n);
long user_strncpy(char *to, const char *from, size_t cap);
int user_cmpxchg(uint32_t *p, uint32_t old, uint32_t new_, uint32_t *was);
int user_load32(uint32_t *v, const uint32_t *p);

static uaddr_t user_size; /* quire_task_size(), which does not change */

void uaccess_init(void);
void uaccess_init(void)
{
	user_size = quire_task_size(the_quire);
}

bool access_ok(uaddr_t addr, size_t n)
{
	return n <= user_size && addr <= user_size - n;
}

size_t copy_from_user(void *to, uaddr_t from, size_t n)
{
	if (!access_ok(from, n))
		return n;
	return user_copy(to, (const void *)from, n);
}

size_t copy_to_user(uaddr_t to, const void *from, size_t n)
{
	if (!access_ok(to, n))
		return n;
	return user_copy((void *)to, from, n);
}

size_t clear_user(uaddr_t to, size_t n)
{
	if (!access_ok(to, n))
		return n;
	return user_clear((void *)to, n);
}

long strncpy_from_user(char *to, uaddr_t from, size_t cap)
{
	uaddr_t size = user_size;
	long n;

	if (from >= size)
		return -EFAULT;
	if (cap > size - from) {
		n = user_strncpy(to, (const char *)from, size - from);
		return n == (long)(size - from) ? -EFAULT : n;
	}
	return user_strncpy(to, (const char *)from, cap);
}

size_t strnlen_user(uaddr_t s, size_t max)
{
	char part[256];
	size_t done = 0;

	while (done < max) {
		size_t want = K_MIN(sizeof(part), max - done);
		long n = strncpy_from_user(part, s + done, want);

		if (n < 0)
			return 0;
		if ((size_t)n < want)
			return done + (size_t)n + 1;
		done += want;
	}
	return max + 1;
}

int cmpxchg_user32(uaddr_t p, uint32_t old, uint32_t new_, uint32_t *was)
{
	if (!access_ok(p, 4) || (p & 3))
		return -EFAULT;
	return user_cmpxchg((uint32_t *)p, old, new_, was);
}

int get_user32_atomic(uint32_t *v, uaddr_t p)
{
	int err;

	if (!access_ok(p, 4))
		return -EFAULT;
	quire_pagefault_disable();
	err = user_load32(v, (const uint32_t *)p);
	quire_pagefault_enable();
	return err;
}

/* ----------------------------------------------------------------- times */

static int to_ns(int64_t sec, int64_t frac, int64_t unit, uint64_t *ns)
{
	if (sec < 0 || frac < 0 || frac >= (int64_t)NSEC_PER_SEC / unit)
		return -EINVAL;
	if ((uint64_t)sec >= (UINT64_MAX / 2) / NSEC_PER_SEC)
		*ns = UINT64_MAX / 2;
	else
		*ns = (uint64_t)sec * NSEC_PER_SEC + (uint64_t)(frac * unit);
	return 0;
}

struct timespec32 {
	int32_t sec, nsec;
};

size_t timespec_bytes(void)
{
	return abi_time32() ? sizeof(struct timespec32)
			    : sizeof(struct ktimespec);
}

int get_timespec(uaddr_t uts, struct ktimespec *ts)
{
	struct timespec32 t;

	if (!abi_time32()) {
		if (get_user(ts, uts))
			return -EFAULT;
		/* where a word has 32 bits, nsec is one and its padding */
		ts->nsec = (sreg_t)ts->nsec;
		return 0;
	}
	if (get_user(&t, uts))
		return -EFAULT;
	*ts = (struct ktimespec){t.sec, t.nsec};
	return 0;
}

int timespec_from_user(uaddr_t uts, uint64_t *ns)
{
	struct ktimespec ts;

	if (get_timespec(uts, &ts))
		return -EFAULT;
	return to_ns(ts.sec, ts.nsec, 1, ns);
}

int timeval_from_user(uaddr_t utv, uint64_t *ns)
{
	struct ktimeval tv;

	if (get_user(&tv, utv))
		return -EFAULT;
	return to_ns(tv.sec, tv.usec, 1000, ns);
}

int timespec_to_user_as(bool time32, uaddr_t uts, uint64_t ns)
{
	struct ktimespec ts = {(int64_t)(ns / NSEC_PER_SEC),
			       (int64_t)(ns % NSEC_PER_SEC)};
	struct timespec32 t = {(int32_t)ts.sec, (int32_t)ts.nsec};

	return time32 ? put_user(t, uts) : put_user(ts, uts);
}

int timespec_to_user(uaddr_t uts, uint64_t ns)
{
	return timespec_to_user_as(abi_time32(), uts, ns);
}

struct ktimeval to_timeval(uint64_t ns)
{
	return (struct ktimeval){(sreg_t)(ns / NSEC_PER_SEC),
				 (sreg_t)(ns % NSEC_PER_SEC / 1000)};
}

int timeval_to_user(uaddr_t utv, uint64_t ns)
{
	struct ktimeval tv = to_timeval(ns);

	return put_user(tv, utv);
}
