/* SPDX-License-Identifier: MIT */
/*
 * Random bytes for read(2) of /dev/random and /dev/urandom.
 */
#include "dev.h"
#include "krandom.h"

/* Random bytes to an iterator: how many, or -EFAULT. */
long random_to_iter(struct iter *to)
{
	char buf[256];
	long done = 0;

	while (to->count) {
		size_t n = to->count < sizeof(buf) ? to->count : sizeof(buf);
		size_t ok;

		random_bytes(buf, n);
		ok = iter_copy_to(to, buf, n);
		done += (long)ok;
		if (ok < n)
			return done ? done : -EFAULT;
		if (signal_pending(current))
			break;
	}
	return done;
}
