/* SPDX-License-Identifier: MIT */
/* What the kernel is told about the program that it is to start. */
#define _GNU_SOURCE
#include "cmd/init_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* One record: a letter, text, a NUL.  An empty text is allowed. */
static void put(struct buffer *out, char letter, const char *text)
{
	buffer_append(out, &letter, 1);
	buffer_append(out, text, strlen(text) + 1);
}

static void put_streams(struct buffer *out)
{
	struct winsize size;
	unsigned bits = 0;
	char text[32];

	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd))
			bits |= 1u << fd;
	snprintf(text, sizeof(text), "%u", bits);
	put(out, 'I', text);
	for (int fd = 0; fd < 3; fd++) {
		if (!(bits >> fd & 1) || ioctl(fd, TIOCGWINSZ, &size) != 0)
			continue;
		snprintf(text, sizeof(text), "%u:%u", size.ws_row, size.ws_col);
		put(out, 'S', text);
		return;
	}
}

void make_init_records(const struct run_options *o, const char *path,
		       const char *cwd, struct buffer *out)
{
	struct timespec now;
	char text[64];

	put(out, 'P', path);
	for (int i = 0; i < o->nr_program; i++)
		put(out, 'A', o->program[i]);
	for (char **e = environ; *e; e++)
		put(out, 'E', *e);
	put(out, 'C', cwd);
	snprintf(text, sizeof(text), "%u:%u", (unsigned)geteuid(),
		 (unsigned)getegid());
	put(out, 'U', text);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(text, sizeof(text), "%lld%09ld", (long long)now.tv_sec,
		 now.tv_nsec);
	put(out, 'T', text);
	put_streams(out);
	if (o->share)
		put(out, 'M', SHARE_MOUNT);
}
