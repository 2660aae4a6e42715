/* SPDX-License-Identifier: MIT */
/*
 * gdb.c - GDB's remote serial protocol, as much as QEMU's stub needs:
 *
 *	$data#cs   a packet, cs: the sum of data's bytes, two hex digits
 *	+          it has come
 *
 * Numbers in registers and memory come as bytes in hex, in the target's order
 * (little-endian, on all machines here).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "gdb.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REPLY  2048
#define ANSWER 10 /* seconds that an answer may take */

static bool get_byte(struct gdb *g, unsigned seconds, char *c)
{
	struct pollfd p = {.fd = g->fd, .events = POLLIN};
	ssize_t n;

	if (g->start == g->end) {
		if (poll(&p, 1, (int)seconds * 1000) <= 0)
			return false;
		n = read(g->fd, g->in, sizeof(g->in));
		if (n <= 0)
			return false;
		g->start = 0;
		g->end = (size_t)n;
	}
	*c = (char)g->in[g->start++];
	return true;
}

/* The next packet's data, NUL-terminated. */
static bool receive(struct gdb *g, unsigned seconds, char reply[REPLY])
{
	size_t n = 0;
	char c;

	do {
		if (!get_byte(g, seconds, &c))
			return false;
	} while (c != '$');
	while (get_byte(g, ANSWER, &c) && c != '#' && n < REPLY - 1)
		reply[n++] = c;
	reply[n] = '\0';
	return c == '#' && get_byte(g, ANSWER, &c) && get_byte(g, ANSWER, &c) &&
	       write(g->fd, "+", 1) == 1;
}

static bool command(struct gdb *g, unsigned seconds, char reply[REPLY],
		    const char *text)
{
	unsigned char sum = 0;
	char packet[128];
	int n;

	for (const char *p = text; *p; p++)
		sum = (unsigned char)(sum + (unsigned char)*p);
	n = snprintf(packet, sizeof(packet), "$%s#%02x", text, sum);
	return write(g->fd, packet, (size_t)n) == n &&
	       receive(g, seconds, reply);
}

bool gdb_connect(struct gdb *g, const char *path, unsigned seconds)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timespec wait = {.tv_nsec = 20 * 1000 * 1000};
	char reply[REPLY];

	*g = (struct gdb){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (g->fd < 0 || strlen(path) >= sizeof(a.sun_path))
		return false;
	strcpy(a.sun_path, path);
	for (unsigned i = 0; i < 50 * seconds; i++) {
		if (connect(g->fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return command(g, ANSWER, reply, "?");
		nanosleep(&wait, NULL);
	}
	return false;
}

bool gdb_break(struct gdb *g, uint64_t addr, bool set)
{
	char text[64], reply[REPLY];

	snprintf(text, sizeof(text), "%c1,%llx,4", set ? 'Z' : 'z',
		 (unsigned long long)addr);
	return command(g, ANSWER, reply, text) && strcmp(reply, "OK") == 0;
}

bool gdb_continue(struct gdb *g, unsigned seconds)
{
	char reply[REPLY];

	return command(g, seconds, reply, "c") && reply[0] == 'T';
}

bool gdb_step(struct gdb *g)
{
	char reply[REPLY];

	return command(g, ANSWER, reply, "s") && reply[0] == 'T';
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

static bool bytes_of(const char *hex, unsigned char *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = digit(hex[2 * i]);
		int low = high < 0 ? -1 : digit(hex[2 * i + 1]);

		if (low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

bool gdb_registers(struct gdb *g, unsigned char *to, size_t n)
{
	char reply[REPLY];

	return command(g, ANSWER, reply, "g") && bytes_of(reply, to, n);
}

bool gdb_memory(struct gdb *g, uint64_t addr, void *to, size_t n)
{
	char text[64], reply[REPLY];

	snprintf(text, sizeof(text), "m%llx,%zx", (unsigned long long)addr, n);
	return 2 * n < REPLY && command(g, ANSWER, reply, text) &&
	       bytes_of(reply, to, n);
}

void gdb_detach(struct gdb *g)
{
	char reply[REPLY];

	(void)command(g, ANSWER, reply, "D");
	close(g->fd);
	g->fd = -1;
}
