/* SPDX-License-Identifier: MIT */
/*
 * Random bytes: ChaCha20 (RFC 8439, section 2.3) keyed from the processor's
 * own source (RDRAND, when CPUID has it) and its cycle counter, and keyed anew
 * from its own output after every use, so that a later look at the key tells
 * nothing of what was given out.
 *
 * One spinlock, interrupts off, for the key.
 */
#include "../fs/fs.h"
#include "krandom.h"

static struct spinlock lock = SPINLOCK_INIT;
static uint32_t key[8];
static uint64_t counter;
static bool seeded;

static uint32_t rotl(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotl(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotl(s[b] ^ s[c], 7);
}

static void block(uint32_t out[16])
{
	uint32_t s[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	unsigned i;

	memcpy(s + 4, key, sizeof(key));
	s[12] = (uint32_t)counter;
	s[13] = (uint32_t)(counter >> 32);
	counter++;
	memcpy(out, s, sizeof(s));
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
		out[i] += s[i];
}

static bool hardware(uint64_t *v)
{
	uint32_t a = 1, b, c = 0, d;
	uint8_t ok;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c >> 30 & 1)) /* CPUID.01H:ECX.RDRAND */
		return false;
	__asm__ volatile("rdrand %0; setc %1" : "=r"(*v), "=qm"(ok)::"cc");
	return ok;
}

static void stir(void)
{
	uint32_t lo, hi;
	uint64_t v;
	unsigned i;

	for (i = 0; i < 8; i += 2) {
		__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
		if (!hardware(&v))
			v = ktime_ns() * 0x9e3779b97f4a7c15ull;
		key[i] ^= (uint32_t)v ^ lo;
		key[i + 1] ^= (uint32_t)(v >> 32) ^ hi;
	}
	seeded = true;
}

void random_bytes(void *to, size_t n)
{
	unsigned long flags = spin_lock_irqsave(&lock);
	uint32_t out[16];
	char *p = to;

	if (!seeded)
		stir();
	while (n) {
		size_t now = n < sizeof(out) ? n : sizeof(out);

		block(out);
		memcpy(p, out, now);
		p += now;
		n -= now;
	}
	block(out);
	memcpy(key, out, sizeof(key));
	spin_unlock_irqrestore(&lock, flags);
}

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

long sys_getrandom(uaddr_t ubuf, size_t n, unsigned flags)
{
	struct kiovec one;
	struct iter it;

	if (flags & ~7u)
		return -EINVAL;
	if (n > INT32_MAX)
		n = INT32_MAX;
	iter_init_user(&it, &one, ubuf, n);
	return random_to_iter(&it);
}
