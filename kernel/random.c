/* SPDX-License-Identifier: MIT */
/*
 * random.c - bytes for getrandom(2), /dev/urandom and AT_RANDOM.
 *
 * ChaCha20's block function (RFC 8439, 2.3) over a key stirred from the time
 * stamp counter at each request.  Good enough for what programs do with it on
 * a machine that lives for one run; not a source of keys.
 *
 * Lock: random_lock, interrupts off.
 */
#include "cpu.h"
#include "task.h"

static struct spinlock random_lock;
static uint32_t state[16] = {
	0x61707865, 0x3320646e, 0x79622d32,
	0x6b206574, /* the RFC's constants */
};

void random_bytes(void *buf, size_t n);

static uint32_t rotl(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void quarter(uint32_t *x, int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

static void block(uint32_t out[16])
{
	int i;

	memcpy(out, state, sizeof(state));
	for (i = 0; i < 10; i++) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (i = 0; i < 16; i++)
		out[i] += state[i];
	state[12]++;
}

void random_bytes(void *buf, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&random_lock);
	uint64_t t = cycles_read();
	uint8_t *p = buf;
	uint32_t out[16];
	size_t k;

	state[4] ^= (uint32_t)t;
	state[5] ^= (uint32_t)(t >> 32);
	while (n) {
		block(out);
		k = K_MIN(n, sizeof(out));
		memcpy(p, out, k);
		p += k;
		n -= k;
	}
	block(out); /* what was given out cannot be computed back */
	memcpy(&state[4], out, 32);
	spin_unlock_irqrestore(&random_lock, flags);
}

long sys_getrandom(uaddr_t ubuf, size_t n, unsigned flags);
long sys_getrandom(uaddr_t ubuf, size_t n, unsigned flags)
{
	uint8_t tmp[256];
	size_t done = 0, k, left;

	if (flags & ~7u)
		return -EINVAL;
	while (done < n) {
		k = K_MIN(n - done, sizeof(tmp));
		random_bytes(tmp, k);
		left = copy_to_user(ubuf + done, tmp, k);
		done += k - left;
		if (left)
			return done ? (long)done : -EFAULT;
		if (signal_pending(current))
			break;
		cond_resched();
	}
	return (long)done;
}
