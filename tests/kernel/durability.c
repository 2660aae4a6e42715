/* SPDX-License-Identifier: MIT */
/*
 * A program that writes a file of the host's through a shared mapping, is told
 * by msync that the bytes are stored, and is killed at once; many rounds of
 * it.  durability_host.c, which started the machine, compares the file.
 *
 * usage: durability FILE ROUNDS SEED FIRST step|stream [flush]
 *   FIRST   number of the first round: no version of an earlier run is used
 *           again
 *   step    tell after each round's death what was done, and wait for a byte
 *   stream  tell each thing when it is done, and wait for nothing but before
 *           the file is cut: for a machine that may be switched off any time
 *   flush   have the flusher come often
 *
 * Each round is a process.  It writes runs of words by the mapping or by
 * pwrite(), cuts the file and lets it grow again, reads back, syncs pages by
 * msync() or all by fsync(); then it kills itself, most often right behind a
 * sync, or its parent kills it wherever it is.  The parent has the file open
 * in three of four hundreds of rounds, so that the last close of a writer does
 * not store what only msync should have.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include "check.h"
#include "durability.h"

#define EPOCH	 100u
#define MAP_SIZE (DUR_WORDS * 4ul)

static struct said {
	uint32_t n;
	struct dur_record rec[64];
} * said; /* shared with the round's process */

static int stream;
static uint64_t rnd_state;
static volatile uint32_t *map;
static int fd;
static uint32_t words; /* that the file has now */

static uint32_t rnd(uint32_t n)
{
	rnd_state = rnd_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rnd_state >> 33) % n;
}

static void put(const void *data, size_t n)
{
	if (write(1, data, n) != (ssize_t)n)
		_exit(3);
}

static void await(void)
{
	char c;

	if (read(0, &c, 1) != 1)
		_exit(3);
}

static void say(enum dur_op op, uint32_t a, uint32_t b, uint32_t c)
{
	struct dur_record r = {op, a, b, c};
	uint32_t n = said->n;

	if (stream) {
		put(&r, sizeof(r));
	} else if (n < 64) {
		said->rec[n] = r;
		__atomic_store_n(&said->n, n + 1, __ATOMIC_RELEASE);
	}
}

static void die(void)
{
	kill(getpid(), SIGKILL);
}

/* A page that cannot be read or that must not be written. */
static void on_bus(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	say(DUR_BUS,
	    (uint32_t)(((uintptr_t)info->si_addr - (uintptr_t)map) / 4), 0, 0);
	die();
}

/* ------------------------------------------------------------------ a round */

static void write_run(uint32_t version)
{
	static uint32_t buf[4096];
	uint32_t a = rnd(DUR_WORDS), n = 1 + rnd(rnd(4) ? 700 : 3000), i;
	int by_map = rnd(3) != 0;

	if (by_map && !words)
		return;
	if (by_map)
		a %= words;
	else if (rnd(4)) /* one in four may make the file longer */
		a %= words + 1;
	if (n > (by_map ? words : DUR_WORDS) - a)
		n = (by_map ? words : DUR_WORDS) - a;
	say(DUR_WRITE, a, a + n, version);
	if (by_map) {
		for (i = a; i < a + n; i++)
			map[i] = dur_word(i, version);
		say(DUR_WROTE, a, a + n, version);
		return;
	}
	for (i = 0; i < n; i++)
		buf[i] = dur_word(a + i, version);
	if (pwrite(fd, buf, n * 4, (off_t)a * 4) != (ssize_t)(n * 4)) {
		say(DUR_UNWRITTEN, 0, 0, (uint32_t)errno);
		return;
	}
	say(DUR_WROTE, a, a + n, version);
	if (a + n > words)
		words = a + n;
}

/* behaviours: C3, M2 */
static void sync_some(void)
{
	uint32_t a = rnd(DUR_PAGES), n = 1 + rnd(DUR_PAGES - a);
	uint32_t pages = (words + DUR_PAGE_WORDS - 1) / DUR_PAGE_WORDS;
	unsigned way = rnd(6);
	int err;

	if (way == 0) { /* promises nothing */
		if (msync((void *)map, MAP_SIZE, MS_ASYNC))
			say(DUR_BAD, __LINE__, (uint32_t)errno, 0);
		return;
	}
	say(DUR_SYNCING, 0, 0, 0);
	switch (way) {
	case 1:
		err = fsync(fd);
		a = 0, n = DUR_PAGES;
		break;
	case 2:
		err = fdatasync(fd);
		a = 0, n = DUR_PAGES;
		break;
	case 3: /* all that the file has */
		a = 0, n = pages ? pages : 1;
		/* fall through */
	default:
		err = msync((char *)map + a * 4096ul, n * 4096ul, MS_SYNC);
	}
	if (err)
		say(DUR_FAILED, a, a + n, (uint32_t)errno);
	else
		say(DUR_SYNCED, a, a + n, 0);
}

static void resize(uint32_t to)
{
	uint32_t was = words;

	if (stream) {
		say(DUR_SIZING, to, was, 0);
		await();
	}
	if (ftruncate(fd, (off_t)to * 4)) {
		say(DUR_SIZED, to, was, (uint32_t)errno);
		die();
	}
	words = to;
	say(DUR_SIZED, to, was, 0);
}

/* Both ways of reading see the same. */
static void read_back(void)
{
	static uint32_t buf[256];
	uint32_t a = words > 256 ? rnd(words - 256) : 0, i;
	ssize_t n = pread(fd, buf, sizeof(buf), (off_t)a * 4);

	for (i = 0; n > 0 && i < (uint32_t)n / 4; i++) {
		if (buf[i] == map[a + i])
			continue;
		say(DUR_BAD, __LINE__, buf[i], map[a + i]);
		return;
	}
}

/* Who does it may outlive the round that began it: at once, or not at all. */
static void store_the_same(void)
{
	uint32_t is = map[0];

	__atomic_compare_exchange_n(map, &is, is, 0, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
}

static void round_of(const char *file, uint32_t round, int may_cut)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	uint32_t step, steps = 2 + rnd(DUR_STEPS - 2);
	struct stat st;
	void *p;

	sigaction(SIGBUS, &sa, NULL);
	fd = open(file, O_RDWR);
	p = mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || p == MAP_FAILED || fstat(fd, &st)) {
		say(DUR_BAD, __LINE__, (uint32_t)errno, 0);
		die();
	}
	map = p;
	words = (uint32_t)(st.st_size / 4);
	if (rnd(8) == 0) /* write-protected by fork, seen by both */
		(void)IN_CHILD(if (words) store_the_same());
	for (step = 0; step < steps; step++) {
		switch (rnd(10)) {
		case 0:
			if (may_cut && rnd(2))
				resize(rnd(DUR_WORDS));
			else if (may_cut && words < DUR_WORDS)
				resize(words + rnd(DUR_WORDS - words));
			break;
		case 1:
			read_back();
			break;
		case 2:
			madvise(p, MAP_SIZE, MADV_DONTNEED);
			break;
		case 3:
		case 4:
			sync_some();
			break;
		default:
			write_run(round * DUR_STEPS + step + 1);
		}
	}
	if (rnd(4))
		sync_some();
	die();
}

/* --------------------------------------------------------------- all rounds */

static void tell_and_wait(uint32_t round)
{
	say(DUR_ROUND, round, 0, 0);
	if (stream)
		return;
	put(said->rec, said->n * sizeof(said->rec[0]));
	said->n = 0;
	await();
}

static void pause_for(uint32_t us)
{
	struct timespec t = {0, (long)us * 1000};

	nanosleep(&t, NULL);
}

static void one_round(const char *file, uint32_t round)
{
	int status, parents = rnd(4) == 0;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		round_of(file, round, !parents);
	if (parents)
		pause_for(rnd(3000));
	if (pid > 0 && parents)
		kill(pid, SIGKILL);
	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
	    !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		say(DUR_BAD, __LINE__, 0, 0);
	tell_and_wait(round);
}

/* A second opener, told of what failed since it was last told, once. */
static void end_epoch(int held, uint32_t round)
{
	int err;

	if (held < 0)
		return;
	err = fsync(held) ? errno : 0;
	say(err ? DUR_FAILED : DUR_SYNCED, 0, DUR_PAGES, (uint32_t)err);
	say(DUR_AGAIN, (uint32_t)err, 0, fsync(held) ? (uint32_t)errno : 0);
	close(held);
	tell_and_wait(round);
}

static int begin_epoch(const char *file)
{
	int held = open(file, O_RDWR);

	if (held < 0)
		say(DUR_BAD, __LINE__, (uint32_t)errno, 0);
	say(DUR_HELD, 0, 0, 0);
	return held;
}

/* What there is not to tune stays as it is. */
static void tune(const char *name, const char *value)
{
	int f = open(name, O_WRONLY);

	if (f >= 0 && write(f, value, strlen(value)) < 0)
		put("", 0);
	close(f);
}

int main(int argc, char **argv)
{
	uint32_t n, rounds, first;
	int held = -1;

	if (argc < 6)
		return 2;
	rounds = (uint32_t)strtoul(argv[2], NULL, 0);
	first = (uint32_t)strtoul(argv[4], NULL, 0);
	rnd_state = strtoul(argv[3], NULL, 0) * 1000003ull + first;
	stream = !strcmp(argv[5], "stream");
	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED)
		return 3;
	if (argc > 6) {
		tune("/proc/sys/vm/dirty_writeback_centisecs", "10");
		tune("/proc/sys/vm/dirty_expire_centisecs", "20");
	}
	for (n = 0; n < rounds; n++) {
		if (n % EPOCH == 0) {
			end_epoch(held, first + n);
			held = n / EPOCH % 4 ? begin_epoch(argv[1]) : -1;
		}
		one_round(argv[1], first + n);
		rnd_state +=
			0x9e3779b97f4a7c15ull; /* the child's went with it */
	}
	end_epoch(held, first + n);
	return 0;
}
