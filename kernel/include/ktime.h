/* SPDX-License-Identifier: MIT */
/*
 * ktime.h - time and timers.
 *
 * ktime_ns() counts from boot and never goes back (CLOCK_MONOTONIC);
 * realtime_ns() is that plus an offset that settimeofday may move.
 */
#ifndef KERNEL_KTIME_H
#define KERNEL_KTIME_H

#include "sync.h"

#define NSEC_PER_SEC 1000000000ull

uint64_t ktime_ns(void);
uint64_t realtime_ns(void);

struct ktimespec { /* struct timespec with times of 64 bits */
	int64_t sec, nsec;
};
struct ktimeval { /* struct timeval: as wide as a user's word */
	sreg_t sec, usec;
};
/*
 * A struct timespec of the user's, which has times of 64 or of 32 bits as the
 * call that is being made has them (abi_time32()): timespec_bytes() of them.
 * get_timespec: as it is; 0 or -EFAULT.  timespec_from_user: *ns gets it,
 * UINT64_MAX / 2 at most; 0, -EFAULT or -EINVAL.  timespec_to_user_as: with
 * times of 32 bits or not, whatever the call is.
 */
size_t timespec_bytes(void);
int get_timespec(uaddr_t uts, struct ktimespec *ts);
int timespec_from_user(uaddr_t uts, uint64_t *ns);
int timespec_to_user(uaddr_t uts, uint64_t ns);
int timespec_to_user_as(bool time32, uaddr_t uts, uint64_t ns);
struct ktimeval to_timeval(uint64_t ns);
int timeval_from_user(uaddr_t utv, uint64_t *ns);
int timeval_to_user(uaddr_t utv, uint64_t ns);
/* now + ns without overflow */
static inline uint64_t deadline_in(uint64_t ns)
{
	uint64_t t = ktime_ns() + ns;

	return t < ns ? UINT64_MAX : t;
}

/*
 * struct ktimer: calls fn in an interrupt when ktime_ns() reaches expires.
 * timer_start on one that runs moves it.  timer_cancel: true when it had not
 * fired; on return fn is not running.
 */
struct ktimer {
	struct list_head node;
	uint64_t expires;
	void (*fn)(struct ktimer *t);
	uint32_t cpu; /* 1 + CPU whose list has it; 0: not started */
	bool running;
};
void timer_init(struct ktimer *t, void (*fn)(struct ktimer *));
void timer_start(struct ktimer *t, uint64_t expires);
bool timer_cancel(struct ktimer *t);

#endif
