/* SPDX-License-Identifier: MIT */
#ifndef CMD_SWAP_H
#define CMD_SWAP_H

#include "cmd/options.h"

/* The options: each takes its value in and returns what parse_run() does. */
enum parse_result set_swap(struct run_options *o, const char *v);
enum parse_result set_swap_device(struct run_options *o, const char *v);
/* Do the two go together? */
enum parse_result check_swap_options(struct run_options *o);

/*
 * swap_open: what the swap device needs of this machine before QEMU starts, so
 * that what is wrong is told in a line: 0, or EXIT_QUIRE.  Makes the file, if
 * it is one, and writes a Linux swap header to it.  swap_close: after its end.
 */
int swap_open(struct run_options *o);
void swap_close(struct run_options *o);
/* Is there a drive for it? */
bool swap_has_drive(const struct run_options *o);
/* QEMU's -drive, without "if=none,id=..."; malloc'ed.  Needs swap_open(). */
char *swap_drive(const struct run_options *o);
/* The kernel's words, each after a blank; malloc'ed. */
char *swap_words(const struct run_options *o);
/* Its name in the report; NULL: there is none. */
static inline const char *swap_kind_name(const struct run_options *o)
{
	static const char *const names[] = {
		[SWAP_NONE] = NULL,
		[SWAP_FILE] = "file",
		[SWAP_ZRAM] = "zram",
		[SWAP_NBD] = "nbd",
	};

	return names[o->swap.kind];
}

#endif
