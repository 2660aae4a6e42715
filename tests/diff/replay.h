/* SPDX-License-Identifier: MIT */
/* What replay.c needs of a backend besides ops.h's functions. */
#ifndef DIFF_REPLAY_H
#define DIFF_REPLAY_H

#include "ops.h"

/* Where an address of the backend's is; SEG_ABS: nowhere of ours. */
struct where backend_where(uint64_t addr);

#endif
