/* SPDX-License-Identifier: MIT */
/*
 * While the machine runs: standard input, output, error and signals.
 *
 *	stdin ----> to_guest ---\           /--> stdout
 *	signals --> to_guest ----+- console -+--> stderr
 *	                                     \--> trace records
 *	report lines --> struct report;  log, QEMU's messages --> their tails
 *
 * One poll() loop, one thread.  Nothing is read from the console while output
 * waits to be taken, and nothing from stdin while input waits to be taken, so
 * that at most one frame each way is held here and a slow reader slows the
 * program down as a pipe would.  Output goes in pieces of at most PIPE_BUF
 * bytes, which do not block after poll() said that there is room, so that
 * signals get through meanwhile (the shared descriptors are not set to
 * O_NONBLOCK: that would change them for other processes, too).
 */
#define _GNU_SOURCE
#include "cmd/streams.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/trace.h"
#include "kernel/include/protocol.h"

#define HEADER	    4u
#define PAYLOAD_MAX 65535u
#define STDIN_PIECE 16384u
#define TAIL_BYTES  8192u /* of the log and QEMU's messages kept */
#define PATIENCE    3 /* this many INT, TERM, HUP signals end a deaf machine */

struct streams {
	struct machine *m;
	FILE *trace;
	bool verbose;
	struct streams_result *result;
	int signals; /* signalfd */
	bool stdin_open;
	struct buffer to_guest, from_guest, report_lines;
	int out_fd;	 /* where the frame at from_guest's start goes: 1, 2 */
	size_t out_left; /* bytes of it still there */
	bool out_broken[3];  /* nobody reads this one any more */
	unsigned ends_asked; /* INT, TERM, HUP since it last said anything */
};

static void signal_set(sigset_t *set)
{
	static const int signals[] = {SIGINT,  SIGTERM, SIGHUP,	 SIGQUIT,
				      SIGUSR1, SIGUSR2, SIGWINCH};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
}

void streams_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* ------------------------------------------------------------ to the guest */

static void put_frame(struct streams *s, unsigned type, const void *data,
		      size_t n)
{
	const uint8_t header[HEADER] = {(uint8_t)type, 0, (uint8_t)n,
					(uint8_t)(n >> 8)};

	buffer_append(&s->to_guest, header, HEADER);
	buffer_append(&s->to_guest, data, n);
}

static void put_signal(struct streams *s, int signo)
{
	const uint8_t byte = (uint8_t)signo;

	put_frame(s, FRAME_SIGNAL, &byte, 1);
}

static void read_stdin(struct streams *s)
{
	char data[STDIN_PIECE];
	ssize_t n = read(0, data, sizeof(data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		put_frame(s, FRAME_STDIN, data, (size_t)n);
	} else {
		put_frame(s, FRAME_EOF, NULL, 0);
		s->stdin_open = false;
	}
}

static void put_window_size(struct streams *s)
{
	struct winsize size;

	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) != 0)
			continue;
		const uint8_t data[4] = {
			(uint8_t)size.ws_row, (uint8_t)(size.ws_row >> 8),
			(uint8_t)size.ws_col, (uint8_t)(size.ws_col >> 8)};

		put_frame(s, FRAME_WINSIZE, data, sizeof(data));
		return;
	}
}

static void take_signal(struct streams *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH) {
		put_window_size(s);
		return;
	}
	put_signal(s, (int)info.ssi_signo);
	if (info.ssi_signo != SIGINT && info.ssi_signo != SIGTERM &&
	    info.ssi_signo != SIGHUP)
		return;
	if (++s->ends_asked == PATIENCE) {
		s->result->killed_by = (int)info.ssi_signo;
		kill(s->m->pid, SIGKILL);
	}
}

static void write_console(struct streams *s)
{
	ssize_t n = send(s->m->console, buffer_at(&s->to_guest),
			 buffer_len(&s->to_guest), MSG_NOSIGNAL);

	if (n >= 0)
		buffer_drop(&s->to_guest, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR) /* it is gone */
		buffer_drop(&s->to_guest, buffer_len(&s->to_guest));
}

/* ---------------------------------------------------------- from the guest */

/*
 * As each write to a pipe without readers does.  The program may ignore it,
 * and then goes on writing; one signal at a time is under way.
 */
static void put_sigpipe(struct streams *s)
{
	if (buffer_len(&s->to_guest) == 0)
		put_signal(s, SIGPIPE);
}

/* Take whole frames off the start until one must wait for its reader. */
static void take_frames(struct streams *s)
{
	struct buffer *b = &s->from_guest;

	while (s->out_left == 0 && buffer_len(b) >= HEADER) {
		const uint8_t *p = (const uint8_t *)buffer_at(b);
		size_t n = (size_t)p[2] | (size_t)p[3] << 8;

		if (buffer_len(b) < HEADER + n)
			return;
		s->ends_asked = 0;
		if (p[0] == FRAME_STDOUT || p[0] == FRAME_STDERR) {
			s->out_fd = p[0] == FRAME_STDOUT ? 1 : 2;
			s->out_left = n;
			buffer_drop(b, HEADER);
			if (s->out_broken[s->out_fd]) {
				buffer_drop(b, n);
				s->out_left = 0;
				put_sigpipe(s);
			}
			continue;
		}
		if (p[0] == FRAME_TRACE && s->trace)
			s->result->trace_records +=
				trace_records(s->trace, p + HEADER, n);
		buffer_drop(b, HEADER + n);
	}
}

static void write_output(struct streams *s)
{
	size_t piece = s->out_left < PIPE_BUF ? s->out_left : PIPE_BUF;
	ssize_t n = write(s->out_fd, buffer_at(&s->from_guest), piece);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		if (errno == EPIPE)
			put_sigpipe(s);
		else
			complain("%s: %s",
				 s->out_fd == 1 ? "standard output"
						: "standard error",
				 strerror(errno));
		s->out_broken[s->out_fd] = true;
		n = (ssize_t)s->out_left;
	}
	buffer_drop(&s->from_guest, (size_t)n);
	s->out_left -= (size_t)n;
	take_frames(s);
}

/* Read what is there; false at the end, when *fd has been closed. */
static bool read_more(int *fd, struct buffer *b)
{
	const size_t room = HEADER + PAYLOAD_MAX;
	ssize_t n = read(*fd, buffer_room(b, room), room);

	if (n > 0) {
		buffer_added(b, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

static void read_report(struct streams *s)
{
	char *line;

	read_more(&s->m->report, &s->report_lines);
	while ((line = buffer_line(&s->report_lines)))
		report_take(&s->result->report, line);
}

static void keep_tail(struct buffer *b)
{
	if (buffer_len(b) > TAIL_BYTES)
		buffer_drop(b, buffer_len(b) - TAIL_BYTES);
}

static void read_log(struct streams *s)
{
	struct buffer *b = &s->result->log;
	size_t before = buffer_len(b);

	if (read_more(&s->m->log, b) && s->verbose)
		fwrite(buffer_at(b) + before, 1, buffer_len(b) - before,
		       stderr);
	keep_tail(b);
}

/* ---------------------------------------------------------------- the loop */

enum { P_CONSOLE, P_REPORT, P_LOG, P_ERRORS, P_SIGNALS, P_STDIN, P_OUT, NR_P };

static void set_poll(struct streams *s, struct pollfd *p)
{
	struct machine *m = s->m;
	bool room = s->out_left == 0;
	bool idle = buffer_len(&s->to_guest) == 0;

	p[P_CONSOLE] = (struct pollfd){
		.fd = room || !idle ? m->console : -1,
		.events = (short)((room ? POLLIN : 0) | (idle ? 0 : POLLOUT)),
	};
	p[P_REPORT] = (struct pollfd){.fd = m->report, .events = POLLIN};
	p[P_LOG] = (struct pollfd){.fd = m->log, .events = POLLIN};
	p[P_ERRORS] = (struct pollfd){.fd = m->errors, .events = POLLIN};
	p[P_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	p[P_STDIN] = (struct pollfd){
		.fd = s->stdin_open && idle && m->console >= 0 ? 0 : -1,
		.events = POLLIN,
	};
	p[P_OUT] =
		(struct pollfd){.fd = room ? -1 : s->out_fd, .events = POLLOUT};
}

static void serve(struct streams *s, const struct pollfd *p)
{
	if (p[P_SIGNALS].revents)
		take_signal(s);
	if (p[P_OUT].revents)
		write_output(s);
	if (p[P_CONSOLE].revents & POLLOUT)
		write_console(s);
	if (p[P_CONSOLE].revents & (POLLIN | POLLHUP | POLLERR) &&
	    s->out_left == 0) {
		read_more(&s->m->console, &s->from_guest);
		take_frames(s);
	}
	if (p[P_REPORT].revents)
		read_report(s);
	if (p[P_LOG].revents)
		read_log(s);
	if (p[P_ERRORS].revents) {
		read_more(&s->m->errors, &s->result->errors);
		keep_tail(&s->result->errors);
	}
	if (p[P_STDIN].revents)
		read_stdin(s);
}

void streams_run(struct machine *m, FILE *trace, bool verbose,
		 struct streams_result *result)
{
	struct streams s = {
		.m = m,
		.trace = trace,
		.verbose = verbose,
		.result = result,
		.stdin_open = true,
	};
	struct pollfd p[NR_P];
	sigset_t set;

	signal_set(&set);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	while (m->console >= 0 || m->report >= 0 || m->log >= 0 ||
	       m->errors >= 0 || s.out_left > 0) {
		set_poll(&s, p);
		if (poll(p, NR_P, -1) > 0)
			serve(&s, p);
		else if (errno != EINTR)
			break;
	}
	close(s.signals);
	buffer_free(&s.to_guest);
	buffer_free(&s.from_guest);
	buffer_free(&s.report_lines);
}
