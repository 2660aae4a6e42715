/* SPDX-License-Identifier: MIT */
/*
 * A coder of the LZ4 block format (its description:
 * github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md), for compressed memory.
 *
 * Why this format.  A page is taken out while somebody waits for memory, and
 * brought back while somebody waits for the page: what counts is time, and a
 * third of the bytes less would not pay for three times of it.  LZ4 has no
 * tables to build and no bits to shift: literals and copies, whole bytes.  A
 * coder for words (WKdm) is a little quicker on pages of pointers, but does
 * nothing for text, which is what swapped-out pages of programs are full of.
 * And as the format is a public one, another's coder proves this one.
 *
 *   block     sequence ... sequence, the last without a match
 *   sequence  [literals:4 | match - 4:4] [more literals 255 ... <255]
 *             literals [offset: 2 bytes, low first] [more match 255 ... <255]
 *
 * The last 5 bytes are literals, and no match begins in the last 12.
 */
#include "lz4.h"

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);

#define MIN_MATCH  4u
#define LAST_BYTES 5u  /* of a block: always literals */
#define NO_MATCH   12u /* from its end: no match begins there */
#define SKIP_BITS  5u  /* after 2^n misses look only at every other byte ... */

static uint32_t load4(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Knuth's multiplicative hash: 2^32 / the golden ratio, a prime near it. */
static uint32_t hash4(uint32_t v)
{
	return v * 2654435761u >> (32 - LZ4_TABLE_BITS);
}

static size_t same_bytes(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	const uint8_t *start = b;

	while (end - b >= 4 && load4(a) == load4(b)) {
		a += 4;
		b += 4;
	}
	while (b < end && *a == *b) {
		a++;
		b++;
	}
	return (size_t)(b - start);
}

/* Bytes that a length takes beyond its four bits, and they. */
static size_t length_bytes(size_t len)
{
	return len < 15 ? 0 : (len - 15) / 255 + 1;
}

static uint8_t *put_length(uint8_t *out, size_t left)
{
	for (; left >= 255; left -= 255)
		*out++ = 255;
	*out++ = (uint8_t)left;
	return out;
}

/*
 * One sequence: `lits` bytes from `from`, and a match (0: none, the last
 * sequence).  Where it ends, or NULL: it goes past `end`.
 */
static uint8_t *put_sequence(uint8_t *out, const uint8_t *end,
			     const uint8_t *from, size_t lits, size_t match,
			     size_t offset)
{
	size_t more = match ? match - MIN_MATCH : 0;
	size_t bytes = 1 + length_bytes(lits) + lits +
		       (match ? 2 + length_bytes(more) : 0);

	if ((size_t)(end - out) < bytes)
		return NULL;
	*out++ = (uint8_t)((lits < 15 ? lits : 15) << 4 |
			   (more < 15 ? more : 15));
	if (lits >= 15)
		out = put_length(out, lits - 15);
	memcpy(out, from, lits);
	out += lits;
	if (!match)
		return out;
	*out++ = (uint8_t)offset;
	*out++ = (uint8_t)(offset >> 8);
	return more >= 15 ? put_length(out, more - 15) : out;
}

size_t lz4_compress(const uint8_t *in, size_t n, uint8_t *out, size_t cap,
		    struct lz4_table *table)
{
	const uint8_t *p = in, *from = in, *old, *end = in + n;
	uint8_t *to = out;
	uint32_t misses = 0, h;
	size_t match;

	memset(table, 0, sizeof(*table));
	while (n > NO_MATCH && p <= end - NO_MATCH) {
		h = hash4(load4(p));
		old = in + table->last[h];
		table->last[h] = (uint16_t)(p - in);
		if (old >= p || load4(old) != load4(p)) {
			p += 1 + (misses++ >> SKIP_BITS);
			continue;
		}
		match = MIN_MATCH + same_bytes(old + MIN_MATCH, p + MIN_MATCH,
					       end - LAST_BYTES);
		for (; p > from && old > in && p[-1] == old[-1]; match++) {
			p--;
			old--;
		}
		to = put_sequence(to, out + cap, from, (size_t)(p - from),
				  match, (size_t)(p - old));
		if (!to)
			return 0;
		p += match;
		from = p;
		misses = 0;
	}
	to = put_sequence(to, out + cap, from, (size_t)(end - from), 0, 0);
	return to ? (size_t)(to - out) : 0;
}

/* A length's further bytes; SIZE_MAX: they do not end, or are too many. */
static size_t get_length(const uint8_t **in, const uint8_t *end, size_t len)
{
	uint8_t b = 255;

	if (len < 15)
		return len;
	while (b == 255) {
		if (*in == end || len > UINT32_MAX / 2)
			return SIZE_MAX;
		b = *(*in)++;
		len += b;
	}
	return len;
}

/* A match may reach into what it makes itself: then it repeats. */
static void copy_match(uint8_t *to, size_t offset, size_t len)
{
	const uint8_t *from = to - offset;

	if (offset >= len) {
		memcpy(to, from, len);
		return;
	}
	while (len--)
		*to++ = *from++;
}

long lz4_decompress(const uint8_t *in, size_t n, uint8_t *out, size_t cap)
{
	const uint8_t *end = in + n;
	uint8_t *to = out, *limit = out + cap;
	size_t len, offset;
	uint8_t token;

	while (in < end) {
		token = *in++;
		len = get_length(&in, end, token >> 4);
		if (len > (size_t)(end - in) || len > (size_t)(limit - to))
			return -1;
		memcpy(to, in, len);
		to += len;
		in += len;
		if (in == end) /* the last sequence: as long as it says */
			return (long)(to - out);
		if (end - in < 2)
			return -1;
		offset = in[0] | (size_t)in[1] << 8;
		in += 2;
		len = get_length(&in, end, token & 15u);
		if (len == SIZE_MAX || !offset || offset > (size_t)(to - out) ||
		    len + MIN_MATCH > (size_t)(limit - to))
			return -1;
		copy_match(to, offset, len + MIN_MATCH);
		to += len + MIN_MATCH;
	}
	return -1; /* it ends with a match, or is empty */
}
