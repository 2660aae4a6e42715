/* SPDX-License-Identifier: MIT */
/*
 * The host's side of durability.c: starts the machine, reads what the program
 * in it says that it has written and what msync has confirmed, and looks into
 * the file by itself.
 *
 *     durability (in the machine)        durability_host
 *       write words, msync, die
 *       said: written, synced ... ────►  what each word has to be
 *                                        read the file, compare
 *       next round                ◄────  a byte
 *
 * For each word: `conf` is the version that was confirmed, `last` the newest
 * one written.  Where both are the same the file has exactly that; otherwise
 * conf or what was written since.  A sync that failed confirms nothing, and
 * what it was to store has to be written anew before the next one can.
 *
 * usage: durability_host [-n ROUNDS] [-s SEED] [-k KILLS] [-e] [-l BYTES] [-f]
 * [-v] HOSTFILE FILE COMMAND... -k KILLS  kill the machine (the command's first
 * child) so many times, at random moments, and start another; no waiting for
 * each other -e        writes may fail; at least one has to, and be reported -l
 * BYTES  they fail because no file may be longer (RLIMIT_FSIZE): a short
 *             transfer, then none
 *   -f        the flusher comes often
 *   -v        print each record (the numbers are enum dur_op's)
 *   COMMAND   runs the program; its arguments are added
 * Last line: N passed, N failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "durability.h"

#define WILD	1u /* the file's word may be anything */
#define UNKNOWN 2u /* so may the program's */
#define START	(DUR_WORDS - DUR_PAGE_WORDS + 250) /* ends inside a page */

static uint32_t conf[DUR_WORDS], last[DUR_WORDS], from[DUR_WORDS];
static uint8_t state[DUR_WORDS];
/* The file's length in words: the program's, and the shortest and longest that
 * are allowed here. */
static uint32_t size = START, size_min = START, size_max = START;
/* the newest version that was written: lower ones that were cut off may not
 * come back */
static uint32_t newest;

static int errors_expected, verbose, file, to_machine = -1, from_machine = -1;
static unsigned passed, failed, reported, synced, told, since_held;
static pid_t machine;

static void fail(const char *what, uint32_t a, uint32_t b, uint32_t c)
{
	if (++failed <= 20)
		printf("FAIL %s: %u %u %u\n", what, a, b, c);
}

/* ---------------------------------------------------- what the records mean */

/* A program killed inside of a write has written any part of it. */
static void writing(uint32_t a, uint32_t b, uint32_t version)
{
	uint32_t i;

	for (i = a; i < b && i < DUR_WORDS; i++) {
		last[i] = version;
		state[i] |= UNKNOWN;
	}
	newest = version;
	if (b > size_max)
		size_max = b;
}

static void written(uint32_t a, uint32_t b)
{
	uint32_t i;

	for (i = a; i < b && i < DUR_WORDS; i++)
		state[i] &= (uint8_t)~UNKNOWN;
	if (b > size)
		size = b;
}

static void confirmed(uint32_t page, uint32_t end)
{
	uint32_t i,
		to = end * DUR_PAGE_WORDS < size ? end * DUR_PAGE_WORDS : size;

	for (i = page * DUR_PAGE_WORDS; i < to; i++) {
		if (state[i] & UNKNOWN)
			continue;
		conf[i] = last[i];
		state[i] = 0;
		if (i >= size_min && conf[i]) /* no hole */
			size_min = i + 1;
	}
	synced++;
}

/* Every page with something to store may be the one that was not. */
static void forget_pending(void)
{
	uint32_t i;

	for (i = 0; i < DUR_WORDS; i++)
		if (conf[i] != last[i])
			state[i] = WILD | UNKNOWN;
}

static void not_stored(uint32_t err)
{
	if (!errors_expected)
		fail("a sync failed", err, 0, 0);
	forget_pending();
	reported++;
}

/* The second opener is told of what the others were told of; and once. */
static void second_opener(const struct dur_record *r)
{
	if (since_held && !r->a)
		fail("an error that one opener was not told of", since_held, 0,
		     0);
	if (r->c)
		fail("an error reported twice", r->c, 0, 0);
}

static void cut(uint32_t to)
{
	uint32_t i;

	for (i = to; i < DUR_WORDS; i++) {
		conf[i] = last[i] = 0;
		from[i] = newest + 1;
		state[i] = 0;
	}
	size = size_min = size_max = to;
}

static void sized(const struct dur_record *r, int done)
{
	uint32_t i;

	if (done) {
		cut(r->a);
		return;
	}
	if (!errors_expected && r->op == DUR_SIZED)
		fail("ftruncate", r->a, r->b, r->c);
	for (i = r->a < r->b ? r->a : r->b; i < DUR_WORDS; i++)
		state[i] = WILD | UNKNOWN;
	if (size_min > r->a)
		size_min = r->a;
}

/* ------------------------------------------------------------- the comparison
 */

/* at_off: the machine died, and what it said last may not have come here. */
static int allowed(uint32_t i, uint32_t word, int at_off)
{
	uint32_t v = dur_version(word);

	if (word == dur_word(i, conf[i]))
		return 1;
	if (at_off)
		return word == dur_word(i, v) && v >= from[i] && v > conf[i];
	if (conf[i] == last[i] && !state[i])
		return 0;
	if ((state[i] & WILD) || errors_expected)
		return 1;
	return word == dur_word(i, v) && v >= from[i] && v > conf[i] &&
	       v <= last[i];
}

static void compare(uint32_t round, int at_off)
{
	static uint32_t buf[DUR_WORDS];
	ssize_t n = pread(file, buf, sizeof(buf), 0);
	uint32_t i, got = n < 0 ? 0 : (uint32_t)n / 4;
	unsigned before = failed;

	if (got < size_min || (got > size_max && !at_off && !errors_expected))
		fail("length", round, got, size_min);
	for (i = 0; i < got; i++)
		if (!allowed(i, buf[i], at_off))
			fail(at_off ? "word after the machine's end" : "word",
			     round, i, dur_version(buf[i]));
	if (before == failed)
		passed++;
	if (!at_off)
		return;
	for (i = 0; i < DUR_WORDS; i++) {
		conf[i] = last[i] = i < got ? dur_version(buf[i]) : 0;
		state[i] = 0;
	}
	size = size_min = size_max = got;
}

/* --------------------------------------------------------------- the machine
 */

static void start_machine(char **argv, rlim_t limit)
{
	struct rlimit rl = {limit, limit};
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		exit(125);
	machine = fork();
	if (machine == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		signal(SIGXFSZ, SIG_IGN);
		if (limit)
			setrlimit(RLIMIT_FSIZE, &rl);
		execv(argv[0], argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	to_machine = in[1];
	from_machine = out[0];
}

/* Its status once it has ended by itself. */
static int end_machine(void)
{
	int status = -1;

	close(to_machine);
	close(from_machine);
	waitpid(machine, &status, 0);
	return status;
}

/* The emulator is a child of the command. */
static void kill_emulator(void)
{
	char name[64], text[32] = {0};
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", machine,
		 machine);
	fd = open(name, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		kill(atoi(text), SIGKILL);
	close(fd);
}

static int next_record(struct dur_record *r)
{
	size_t have = 0;
	ssize_t n;

	while (have < sizeof(*r)) {
		n = read(from_machine, (char *)r + have, sizeof(*r) - have);
		if (n <= 0)
			return 0;
		have += (size_t)n;
	}
	return 1;
}

static int answer(void)
{
	return write(to_machine, "", 1) == 1;
}

/* Resizing waits for us, so what it will do is known before it is done. */
static struct dur_record sizing;
static int syncing;

/* Returns 0 when the connection is lost. */
static int take(const struct dur_record *r, int step)
{
	struct stat st;

	told++;
	if (r->op == DUR_SYNCED || r->op == DUR_FAILED)
		syncing = 0;
	if (verbose)
		fprintf(stderr, "%u: %u %u %u\n", r->op, r->a, r->b, r->c);
	switch (r->op) {
	case DUR_WRITE:
		writing(r->a, r->b, r->c);
		break;
	case DUR_WROTE:
		written(r->a, r->b);
		break;
	case DUR_SYNCING:
		syncing = 1;
		return 1;
	case DUR_SYNCED:
		confirmed(r->a, r->b);
		break;
	case DUR_FAILED:
		since_held++;
		not_stored(r->c);
		break;
	case DUR_UNWRITTEN:
		if (!errors_expected)
			fail("write()", r->c, 0, 0);
		forget_pending();
		break;
	case DUR_HELD:
		since_held = 0;
		break;
	case DUR_AGAIN:
		second_opener(r);
		break;
	case DUR_SIZING:
		sizing = *r;
		return answer();
	case DUR_SIZED:
		sizing.op = 0;
		sized(r, !r->c || (!fstat(file, &st) &&
				   st.st_size == (off_t)r->a * 4));
		break;
	case DUR_BUS:
		if (!errors_expected)
			fail("SIGBUS at word", r->a, size, 0);
		break;
	case DUR_ROUND:
		/* who died in a sync may have been told of an error */
		if (syncing && errors_expected)
			forget_pending();
		syncing = 0;
		if (!step)
			break;
		compare(r->a, 0);
		return answer();
	default:
		fail("the program says, at line", r->a, r->b, r->c);
	}
	return 1;
}

/* In step: one machine, ROUNDS rounds. */
static void in_step(char **argv, rlim_t limit)
{
	struct dur_record r;
	uint32_t ended = 0;
	int status;

	start_machine(argv, limit);
	while (next_record(&r)) {
		if (!take(&r, 1))
			break;
		if (r.op == DUR_ROUND)
			ended = r.a;
	}
	status = end_machine();
	if (status)
		fail("the machine ended early: status, round", (uint32_t)status,
		     ended, 0);
	compare(ended, 0);
}

/* A machine that is switched off so many ms after its first word. */
static uint32_t switched_off(char **argv, unsigned ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
	struct dur_record r;
	uint32_t round = 0;
	pid_t watch;

	start_machine(argv, 0);
	sizing.op = 0;
	if (!next_record(&r) || !take(&r, 0)) /* it has begun */
		fail("the machine does not start", 0, 0, 0);
	watch = fork();
	if (watch == 0) {
		nanosleep(&t, NULL);
		kill_emulator();
		_exit(0);
	}
	while (next_record(&r) && take(&r, 0))
		if (r.op == DUR_ROUND)
			round = r.a;
	end_machine();
	waitpid(watch, NULL, 0);
	if (sizing.op)
		sized(&sizing, 0);
	compare(round, 1);
	return round;
}

static void many_machines(char **argv, char *seed, char *first, unsigned kills)
{
	unsigned i;
	uint32_t round, start = 1;

	for (i = 0; i < kills; i++) {
		sprintf(first, "%u", start);
		round = switched_off(argv, (unsigned)rand() % 600);
		if (round >= start)
			start = round;
		/* rounds whose end was not heard of may have begun */
		start += 200;
		if (failed)
			return;
		sprintf(seed, "%u", (unsigned)rand());
	}
}

/* The file is all zeroes, and as long as the program will find it. */
static int make_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)START * 4) || fsync(fd)) {
		perror(name);
		exit(125);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static char rounds[12] = "1000", seed[12] = "1", first[12] = "1";
	unsigned kills = 0, n;
	rlim_t limit = 0;
	int c, flush = 0;
	char **args;

	while ((c = getopt(argc, argv, "+n:s:k:el:fv")) != -1) {
		switch (c) {
		case 'n':
			snprintf(rounds, sizeof(rounds), "%s", optarg);
			break;
		case 's':
			snprintf(seed, sizeof(seed), "%s", optarg);
			break;
		case 'k':
			kills = (unsigned)atoi(optarg);
			break;
		case 'e':
			errors_expected = 1;
			break;
		case 'l':
			limit = (rlim_t)atol(optarg);
			break;
		case 'f':
			flush = 1;
			break;
		case 'v':
			verbose = 1;
			break;
		default:
			return 125;
		}
	}
	n = (unsigned)(argc - optind);
	args = calloc(n + 8, sizeof(*args));
	if (n < 3 || !args || (unsigned)atoi(rounds) > DUR_ROUNDS)
		return 125;
	file = make_file(argv[optind]);
	memcpy(args, argv + optind + 2, (n - 2) * sizeof(*args));
	n -= 2;
	args[n++] = argv[optind + 1];
	args[n++] = rounds;
	args[n++] = seed;
	args[n++] = first;
	args[n++] = kills ? (char *)"stream" : (char *)"step";
	args[n] = flush ? (char *)"flush" : NULL;
	signal(SIGPIPE, SIG_IGN);
	srand((unsigned)atoi(seed));
	if (kills)
		many_machines(args, seed, first, kills);
	else
		in_step(args, limit);
	if (errors_expected && !reported)
		fail("no error was reported", synced, 0, 0);
	if (synced < 2)
		fail("nothing was synced", synced, told, 0);
	printf("%u syncs, %u failed ones, %u records\n", synced, reported,
	       told);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
