/* SPDX-License-Identifier: MIT */
/*
 * klib.c - the few routines of the C library that a kernel uses, and kernel
 * memory.  memcpy and memset are what the compiler calls too.
 */
#include <quire/quire.h>
#include "klib.h"

void *memmove(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (d <= s || d >= s + n)
		return memcpy(to, from, n);
	while (n--)
		d[n] = s[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *p, int c, size_t n)
{
	const uint8_t *s = p;

	for (; n; n--, s++)
		if (*s == (uint8_t)c)
			return (void *)(uintptr_t)s;
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (!*a)
			break;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)(uintptr_t)found;
	}
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (; *s; s++)
		if (!strncmp(s, what, n))
			return (char *)(uintptr_t)s;
	return n ? NULL : (char *)(uintptr_t)s;
}

size_t strlcpy(char *to, const char *from, size_t cap)
{
	size_t n = strlen(from);

	if (cap) {
		size_t m = n < cap ? n : cap - 1;

		memcpy(to, from, m);
		to[m] = 0;
	}
	return n;
}

uint64_t strtoull(const char *s, char **end, int base)
{
	uint64_t v = 0;

	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 32) == 'x') {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = s[0] == '0' ? 8 : 10;
	}
	for (;; s++) {
		int d;

		if (*s >= '0' && *s <= '9')
			d = *s - '0';
		else if ((*s | 32) >= 'a' && (*s | 32) <= 'z')
			d = (*s | 32) - 'a' + 10;
		else
			break;
		if (d >= base)
			break;
		v = v * (unsigned)base + (unsigned)d;
	}
	if (end)
		*end = (char *)(uintptr_t)s;
	return v;
}

/* ------------------------------------------------------- kernel memory */

void *kmalloc(size_t n)
{
	return quire_kmalloc(the_quire, n, QUIRE_GFP_KERNEL);
}

void *kzalloc(size_t n)
{
	return quire_kmalloc(the_quire, n, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
}

void *kmalloc_atomic(size_t n)
{
	return quire_kmalloc(the_quire, n, QUIRE_GFP_ATOMIC);
}

void kfree(void *p)
{
	quire_kfree(the_quire, p);
}
