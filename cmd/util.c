/* SPDX-License-Identifier: MIT */
/* Messages and memory for the command's other parts. */
#define _GNU_SOURCE
#include "cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int complain(const char *format, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n < 0)
		line[0] = '\0';
	/* One call, so that it stays one line among the program's output. */
	fprintf(stderr, "quire: %s\n", line);
	return EXIT_QUIRE;
}

void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (!p)
		exit(complain("out of memory"));
	return p;
}

char *xasprintf(const char *format, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, format);
	n = vasprintf(&s, format, ap);
	va_end(ap);
	if (n < 0)
		exit(complain("out of memory"));
	return s;
}
