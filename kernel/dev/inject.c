/* SPDX-License-Identifier: MIT */
/*
 * Faults of devices, made up: see inject.h.
 *
 * The n-th decision is a hash of the seed and n, so that there is no state but
 * a counter, which every CPU may advance.
 */
#include "inject.h"
#include "irq.h"
#include "klib.h"

bool inject_asked;
static uint64_t seed, decisions;
static uint32_t rate_short, rate_write, rate_read; /* one in so many */

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014 */
static uint32_t next(void)
{
	uint64_t n = __atomic_add_fetch(&decisions, 1, __ATOMIC_RELAXED);
	uint64_t z = seed + n * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ (z >> 31)) >> 32);
}

uint32_t inject_part(uint32_t n)
{
	return (uint32_t)((uint64_t)next() * n >> 32);
}

static bool one_in(uint32_t rate)
{
	return rate && inject_part(rate) == 0;
}

enum inject_fault inject_io(bool write)
{
	if (!inject_asked)
		return INJECT_NONE;
	if (one_in(write ? rate_write : rate_read))
		return INJECT_ERROR;
	return one_in(rate_short) ? INJECT_SHORT : INJECT_NONE;
}

static uint32_t number(const char **text)
{
	char *end;
	uint64_t v = strtoull(*text, &end, 10);

	*text = *end == ',' ? end + 1 : end;
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

void inject_init(void)
{
	char option[64];
	const char *text = option;

	if (cmdline_get("quire.inject_io", 0, option, sizeof(option)) < 0)
		return;
	seed = number(&text);
	rate_short = number(&text);
	rate_write = number(&text);
	rate_read = number(&text);
	inject_asked = rate_short || rate_write || rate_read;
	printk("transfers fail on purpose: seed %llu, one in %u short, one in "
	       "%u writes, one in %u reads",
	       (unsigned long long)seed, rate_short, rate_write, rate_read);
}
