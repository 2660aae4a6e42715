/* SPDX-License-Identifier: MIT */
#ifndef CMD_STREAMS_H
#define CMD_STREAMS_H

#include <stdio.h>

#include "cmd/machine.h"
#include "cmd/report.h"

/* What comes out of a machine besides the program's own output. */
struct streams_result {
	struct report report;
	struct buffer log;    /* the end of the kernel's log */
	struct buffer errors; /* the end of QEMU's own messages */
	uint64_t trace_records;
	int killed_by; /* signal after which QEMU was ended, or 0 */
};

/*
 * streams_run: move bytes between this process's standard streams and the
 * machine until the machine has ended; signals that come meanwhile go to the
 * program.  trace: where trace records go, or NULL; verbose: the log goes to
 * stderr as it comes.  The result is to be zeroed before.
 */
void streams_run(struct machine *m, FILE *trace, bool verbose,
		 struct streams_result *result);

/*
 * streams_block_signals: to be called before machine_start(), so that a signal
 * that comes early is kept for streams_run().
 */
void streams_block_signals(void);

#endif
