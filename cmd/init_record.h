/* SPDX-License-Identifier: MIT */
#ifndef CMD_INIT_RECORD_H
#define CMD_INIT_RECORD_H

#include "cmd/buffer.h"
#include "cmd/options.h"

/* Where --share's directory stands for the program. */
#define SHARE_MOUNT "/mnt/share"

/*
 * make_init_records: what the kernel is to start and as whom, in the records
 * of kernel/include/protocol.h (3).  path: the program, absolute in the root.
 * cwd: its working directory.  The environment, the identity, the time and
 * what the standard streams are, are this process's.
 */
void make_init_records(const struct run_options *o, const char *path,
		       const char *cwd, struct buffer *out);

#endif
