/* SPDX-License-Identifier: MIT */
/* tlb_types.h - what a machine that does not exist keeps; see pgtable_types.h.
 */
#ifndef QUIRE_DUMMY_TLB_TYPES_H
#define QUIRE_DUMMY_TLB_TYPES_H

#include "base.h"

typedef struct {
	char name[5];
} mm_context_t;
struct arch_system {
	uint16_t stations;
};
struct arch_cpu {
	uint8_t colour;
};

#endif
