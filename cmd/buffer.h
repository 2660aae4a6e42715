/* SPDX-License-Identifier: MIT */
#ifndef CMD_BUFFER_H
#define CMD_BUFFER_H

#include "cmd/cmd.h"

/* Bytes that grow at the end and shrink at the start.  Zeroed: empty. */
struct buffer {
	char *data;		/* malloc'ed */
	size_t start, end, cap; /* data[start ... end) is what is in it */
};

static inline size_t buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}
static inline char *buffer_at(const struct buffer *b)
{
	return b->data + b->start;
}
/* Room for n bytes more; where they go.  buffer_added() says how many came. */
char *buffer_room(struct buffer *b, size_t n);
void buffer_added(struct buffer *b, size_t n);
void buffer_append(struct buffer *b, const void *data, size_t n);
/* Drop n bytes from the start. */
void buffer_drop(struct buffer *b, size_t n);
void buffer_free(struct buffer *b);
/*
 * buffer_line: take one line off the start: NUL-terminated in place of its
 * newline, valid until the buffer changes; NULL when there is no whole line.
 */
char *buffer_line(struct buffer *b);

#endif
