/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the `quire` command share: exit statuses and messages.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Exit statuses that are quire's own; all others are the program's (128 + n
 * when signal n ended it).  The values are those of env(1) and timeout(1).
 */
#define EXIT_QUIRE	125 /* quire, QEMU or the kernel failed; bad usage */
#define EXIT_CANNOT_RUN 126 /* the program is there but is not one */
#define EXIT_NOT_FOUND	127 /* there is no such program */

/*
 * complain: one line on stderr, "quire: " before it and a newline after it.
 * Returns EXIT_QUIRE, so that a caller may write return complain(...).
 */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* xmalloc, xasprintf: as malloc and asprintf; end the process when out of
 * memory. */
void *xmalloc(size_t n);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* QEMU's option syntax: a comma inside a value is written twice; malloc'ed. */
char *double_commas(const char *text);

/*
 * own_file: a file that belongs to this command, at the first of n places
 * (relative to the folder that the running command is in) where one can be
 * read: malloc'ed, or NULL.
 */
char *own_file(const char *const *places, size_t n);

#endif
