/* SPDX-License-Identifier: MIT */
/* What each fuzz target defines, and how it says that something is wrong. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_EXPECT(what)                                                      \
	((what) ? (void)0                                                      \
		: (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,  \
			   #what),                                             \
		   abort()))

#endif
