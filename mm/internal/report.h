/* SPDX-License-Identifier: MIT */
/*
 * report.h - a text of several lines, built on the stack: what is told when
 * the kernel or a table is wrong.  (mm/log.c)
 */
#ifndef QUIRE_MM_REPORT_H
#define QUIRE_MM_REPORT_H

#include "system.h"

struct report {
	size_t len; /* 0 to begin with */
	char text[1600];
};

/* Add to the text, as printf; what no longer fits is dropped.  Any context. */
void report_put(struct report *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Each line to the host's log, level 0. */
void report_log(const struct report *r);

#endif
