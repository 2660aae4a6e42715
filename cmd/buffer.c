/* SPDX-License-Identifier: MIT */
/* Bytes on their way from one descriptor to another. */
#include "cmd/buffer.h"

#include <stdlib.h>
#include <string.h>

char *buffer_room(struct buffer *b, size_t n)
{
	size_t len = buffer_len(b);

	if (b->start > 0 && b->cap - b->end < n) {
		memmove(b->data, b->data + b->start, len);
		b->start = 0;
		b->end = len;
	}
	if (b->cap - b->end < n) {
		size_t cap = b->cap ? b->cap : 4096;
		char *data;

		while (cap - b->end < n)
			cap *= 2;
		data = xmalloc(cap);
		if (len)
			memcpy(data, b->data, len);
		free(b->data);
		b->data = data;
		b->cap = cap;
	}
	return b->data + b->end;
}

void buffer_added(struct buffer *b, size_t n)
{
	b->end += n;
}

void buffer_append(struct buffer *b, const void *data, size_t n)
{
	if (n == 0)
		return;
	memcpy(buffer_room(b, n), data, n);
	buffer_added(b, n);
}

void buffer_drop(struct buffer *b, size_t n)
{
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

char *buffer_line(struct buffer *b)
{
	char *line = buffer_at(b), *end;

	if (buffer_len(b) == 0)
		return NULL;
	end = memchr(line, '\n', buffer_len(b));
	if (!end)
		return NULL;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	/* Not buffer_drop(): that could reuse the bytes of the line. */
	b->start += (size_t)(end - line) + 1;
	return line;
}
