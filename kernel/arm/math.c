/* SPDX-License-Identifier: MIT */
/*
 * math.c - arithmetic that 32-bit C has no type for, and the divisions by zero
 * that libgcc reports.
 */
#include "klib.h"

/* Long division, a bit at a time: called where nobody is in a hurry. */
uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t ll = (a & UINT32_MAX) * (b & UINT32_MAX);
	uint64_t lh = (a & UINT32_MAX) * (b >> 32);
	uint64_t hl = (a >> 32) * (b & UINT32_MAX);
	uint64_t mid = (ll >> 32) + (lh & UINT32_MAX) + (hl & UINT32_MAX);
	uint64_t lo = mid << 32 | (ll & UINT32_MAX), q = 0;
	uint64_t hi =
		(a >> 32) * (b >> 32) + (lh >> 32) + (hl >> 32) + (mid >> 32);
	unsigned i;

	if (!hi)
		return lo / c;
	for (i = 0; i < 64; i++) {
		bool carry = hi >> 63;

		hi = hi << 1 | lo >> 63;
		lo <<= 1;
		q <<= 1;
		if (carry || hi >= c) {
			hi -= c;
			q |= 1;
		}
	}
	return q;
}

int __aeabi_idiv0(int v);
int __aeabi_idiv0(int v)
{
	(void)v;
	panic("division by zero");
}

long long __aeabi_ldiv0(long long v);
long long __aeabi_ldiv0(long long v)
{
	(void)v;
	panic("division by zero");
}
