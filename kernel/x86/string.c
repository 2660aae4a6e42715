/* SPDX-License-Identifier: MIT */
/*
 * string.c - the two routines that are worth the processor's own string
 * instructions; the rest are in klib.c.
 */
#include "klib.h"

void *memcpy(void *to, const void *from, size_t n)
{
	void *d = to;
	size_t words = n >> 3, rest = n & 7;

	__asm__ volatile("rep movsq"
			 : "+D"(d), "+S"(from), "+c"(words)::"memory");
	__asm__ volatile("rep movsb"
			 : "+D"(d), "+S"(from), "+c"(rest)::"memory");
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *d = to;
	size_t words = n >> 3, rest = n & 7;
	uint64_t v = (uint8_t)c * 0x0101010101010101ull;

	__asm__ volatile("rep stosq"
			 : "+D"(d), "+c"(words)
			 : "a"(v)
			 : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(v) : "memory");
	return to;
}
