/* SPDX-License-Identifier: MIT */
/*
 * lz4.h - the LZ4 block format, for what is not longer than 64 KiB.
 *
 * Nothing else of the kernel's is needed: the tests compile it for the host.
 */
#ifndef KERNEL_LZ4_H
#define KERNEL_LZ4_H

#include <stddef.h>
#include <stdint.h>

#define LZ4_TABLE_BITS 11u
/* The compressor's memory: where a hash of four bytes was seen last. */
struct lz4_table {
	uint16_t last[1u << LZ4_TABLE_BITS];
};

/*
 * lz4_compress: n bytes (at most 65535) as one block; its length, or 0 when it
 * would be longer than cap.  The table's contents do not matter.
 * lz4_decompress: the n bytes of a block; how many bytes it made, or -1: it is
 * no block, or makes more than cap.  Whatever the block says, nothing outside
 * in[0 ... n) is read, nor outside out[0 ... cap) written.
 * Neither sleeps; in and out do not overlap.
 */
size_t lz4_compress(const uint8_t *in, size_t n, uint8_t *out, size_t cap,
		    struct lz4_table *table);
long lz4_decompress(const uint8_t *in, size_t n, uint8_t *out, size_t cap);

#endif
