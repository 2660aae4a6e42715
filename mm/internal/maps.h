/* SPDX-License-Identifier: MIT */
/*
 * maps.h - text about VMAs, shared by maps and smaps.
 */
#ifndef QUIRE_MM_MAPS_H
#define QUIRE_MM_MAPS_H

#include "mm.h"

/* A path of 4096 bytes, the line before it, and smaps' lines after it. */
#define VMA_TEXT_MAX 6144u

struct text {
	char *buf;
	size_t len, cap;
};

/* Append; what does not fit is cut. */
void text_printf(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The line of maps; mmap_lock held. */
void text_vma_line(struct text *t, struct vm_area_struct *vma);
/*
 * Call one() for each VMA, under mmap_lock for read, and give its text to
 * emit() with no lock held.  0, -ENOMEM, -EINTR or what emit returned.
 */
int emit_vmas(struct mm_struct *mm,
	      void (*one)(struct text *t, struct vm_area_struct *vma),
	      quire_emit_fn emit, void *cookie);

#endif
