/* SPDX-License-Identifier: MIT */
#ifndef CMD_MACHINE_H
#define CMD_MACHINE_H

#include <sys/types.h>

#include "cmd/buffer.h"
#include "cmd/options.h"

/* A running QEMU and our ends of its channels. */
struct machine {
	pid_t pid;
	int console; /* frames, both ways; non-blocking */
	int report;  /* lines of JSON */
	int log;     /* the kernel's log, text */
	int errors;  /* QEMU's own stdout and stderr */
};

/*
 * machine_start: start QEMU as kernel/include/protocol.h (1) describes it,
 * with `kernel` as its image and `init` as the init records.  It dies with
 * this process.  0, or EXIT_QUIRE after one line on stderr (no QEMU, no
 * /dev/kvm, no kernel image).
 */
int machine_start(const struct run_options *o, const char *kernel,
		  const struct buffer *init, struct machine *m);

/* machine_end: wait for QEMU's end and close the channels.  Its wait status. */
int machine_end(struct machine *m);

/* machine_find_kernel: the image to boot (malloc'ed): --kernel's,
 * $QUIRE_KERNEL, or the one beside this command, built or installed.  NULL
 * after a line. */
char *machine_find_kernel(const struct run_options *o);

#endif
