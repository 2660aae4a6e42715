/* SPDX-License-Identifier: MIT */
#ifndef CMD_TRACE_H
#define CMD_TRACE_H

#include <stdio.h>

#include "cmd/cmd.h"

#define TRACE_RECORD_BYTES 64 /* sizeof(struct trace_record) */

/* The first line of a trace file. */
void trace_begin(FILE *f);
/*
 * trace_records: write n bytes of the kernel's records, a line each
 * (docs/trace-format.md).  What does not make a whole record is dropped.
 * Returns the records written.
 */
size_t trace_records(FILE *f, const uint8_t *data, size_t n);

#endif
