/* SPDX-License-Identifier: MIT */
/*
 * Files of the host's through one cache: what read(), write(), mappings and
 * O_DIRECT see of each other, what becomes of dirty pages when a file is cut,
 * renamed, unlinked, closed, and what the host has afterwards.
 *
 * usage: writeback DIR             run the checks; leaves files in DIR
 *        writeback DIR big MB      write and check a file of that size
 *        writeback DIR scatter MB  the same, by stores to one mapping
 *        writeback DIR retry       writes that fail are told of, tried again
 *        writeback DIR reread      so are reads
 *        writeback DIR verify[-big, -scatter, -retry]
 *                                  are the files what they ought to be?
 *
 * `verify` runs on the host, when the machine is off.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include "check.h"

#define PAGE  4096u
#define PAGES 40u
#define BYTES (PAGES * PAGE)

#define FAILS(call, err) (errno = 0, (call) == -1 && errno == (err))

static unsigned char buf[BYTES], got[BYTES];

static unsigned char pattern(size_t i, unsigned seed)
{
	return (unsigned char)((i * 131u + seed * 17u + (i >> 12) * 7u) >> 1);
}

static void fill(unsigned char *p, size_t from, size_t n, unsigned seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = pattern(from + i, seed);
}

static int is(const unsigned char *p, size_t from, size_t n, unsigned seed)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != pattern(from + i, seed))
			return 0;
	return 1;
}

static int all(const unsigned char *p, size_t n, unsigned char c)
{
	while (n && *p == c)
		p++, n--;
	return n == 0;
}

static int make(const char *name, size_t n, unsigned seed)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	fill(buf, 0, n, seed);
	CHECK(write(fd, buf, n) == (ssize_t)n);
	return fd;
}

static unsigned char *map(int fd, size_t n, int flags)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p == MAP_FAILED ? buf : p;
}

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

/* ------------------------------------------------------------- one cache */

/* behaviours: F8, C3, M2 */
static void shared_mapping(void)
{
	int fd = make("shared", BYTES, 1), other;
	unsigned char *p = map(fd, BYTES, MAP_SHARED), *q;

	CHECK(is(p, 0, BYTES, 1));
	fill(p + 5 * PAGE, 5 * PAGE, 3 * PAGE + 100, 2);
	other = open("shared", O_RDWR);
	CHECK(pread(other, got, BYTES, 0) == BYTES);
	CHECK(is(got, 0, 5 * PAGE, 1));
	CHECK(is(got + 5 * PAGE, 5 * PAGE, 3 * PAGE + 100, 2));
	CHECK(pwrite(other, "written", 7, 100) == 7);
	CHECK(!memcmp(p + 100, "written", 7));
	q = map(other, BYTES, MAP_SHARED);
	q[20 * PAGE] = 77;
	CHECK(p[20 * PAGE] == 77);
	CHECK(IN_CHILD(p[21 * PAGE] = 78; q[22 * PAGE] = 79) == 0);
	CHECK(p[21 * PAGE] == 78 && p[22 * PAGE] == 79);
	fill(p, 0, BYTES, 3);
	CHECK(msync(p, BYTES, MS_SYNC) == 0);
	CHECK(msync(p, BYTES, MS_ASYNC) == 0);
	CHECK(FAILS(msync(p + 1, PAGE, MS_SYNC), EINVAL));
	/* written again after it was clean */
	fill(p + 7 * PAGE, 7 * PAGE, PAGE, 4);
	munmap(q, BYTES);
	munmap(p, BYTES);
	close(other);
	close(fd);
}

/* A process that dies has lost nothing that it stored. */
static void killed(void)
{
	int fd = make("killed", BYTES, 5), status;
	unsigned char *p;

	status = IN_CHILD(p = map(fd, BYTES, MAP_SHARED); fill(p, 0, BYTES, 6);
			  kill(getpid(), SIGKILL));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(pread(fd, got, BYTES, 0) == BYTES && is(got, 0, BYTES, 6));
	close(fd);
}

/* behaviour: F7 */
static void private_mapping(void)
{
	int fd = make("private", 4 * PAGE, 7);
	unsigned char *p = map(fd, 4 * PAGE, MAP_PRIVATE);

	CHECK(p[PAGE] == pattern(PAGE, 7));
	p[0] = 1;
	CHECK(pwrite(fd, "abcd", 4, 0) == 4 && p[0] == 1);
	CHECK(pwrite(fd, "wxyz", 4, PAGE) == 4);
	CHECK(!memcmp(p + PAGE, "wxyz", 4)); /* not yet written to privately */
	p[PAGE + 1] = '!';
	CHECK(pwrite(fd, "1234", 4, PAGE) == 4);
	CHECK(!memcmp(p + PAGE, "w!yz", 4));
	CHECK(pread(fd, got, 4, PAGE) == 4 && !memcmp(got, "1234", 4));
	munmap(p, 4 * PAGE);
	close(fd);
}

static sigjmp_buf bus;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(bus, 1);
}

static int is_bus(volatile unsigned char *p)
{
	if (sigsetjmp(bus, 1))
		return 1;
	(void)*p;
	return 0;
}

/* ------------------------------------------------------------- lengths */

/* behaviour: C4 */
static void cutting(void)
{
	int fd = make("cut", BYTES, 8);
	unsigned char *p = map(fd, BYTES, MAP_SHARED);

	fill(p, 0, BYTES, 9);
	CHECK(ftruncate(fd, 3 * PAGE + 10) == 0);
	CHECK(size_of(fd) == 3 * PAGE + 10);
	CHECK(is_bus(p + 4 * PAGE) && !is_bus(p + 3 * PAGE));
	CHECK(all(p + 3 * PAGE + 10, PAGE - 10, 0));
	/* bytes beyond the end are nobody's */
	memset(p + 3 * PAGE + 10, 'x', PAGE - 10);
	CHECK(msync(p, 4 * PAGE, MS_SYNC) == 0);
	CHECK(ftruncate(fd, 10 * PAGE) == 0);
	CHECK(pread(fd, got, BYTES, 0) == 10 * PAGE);
	CHECK(is(got, 0, 3 * PAGE + 10, 9));
	CHECK(all(got + 4 * PAGE, 6 * PAGE, 0));
	p[9 * PAGE] = 'n';
	CHECK(truncate("cut", 5 * PAGE + 1) == 0);
	CHECK(truncate("cut", 10 * PAGE) == 0);
	CHECK(p[9 * PAGE] == 0);
	CHECK(pwrite(fd, "end", 3, 20 * PAGE + 5) == 3);
	CHECK(pread(fd, got, BYTES, 0) == 20 * PAGE + 8);
	CHECK(all(got + 4 * PAGE, 16 * PAGE + 5, 0));
	CHECK(!memcmp(got + 20 * PAGE + 5, "end", 3));
	munmap(p, BYTES);
	CHECK(close(fd) == 0);
	fd = open("cut", O_WRONLY | O_TRUNC);
	CHECK(size_of(fd) == 0);
	CHECK(pwrite(fd, "tail", 4, 2 * PAGE - 2) == 4);
	close(fd);
}

static void appending(void)
{
	int a = open("append", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
	int b = open("append", O_RDWR | O_APPEND), i;
	char text[16];

	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%07d\n", i);
		CHECK(write(i & 1 ? a : b, text, 8) == 8);
	}
	CHECK(size_of(a) == 8000);
	CHECK(pread(b, text, 8, 8 * 777) == 8 && !memcmp(text, "0000777\n", 8));
	close(a);
	close(b);
}

/* --------------------------------------------------------------- names */

static void names(void)
{
	int fd = make("old-name", 2 * PAGE, 10), fresh;
	unsigned char *p = map(fd, 2 * PAGE, MAP_SHARED);

	fill(p, 0, PAGE, 11);
	CHECK(rename("old-name", "new-name") == 0);
	fill(p + PAGE, PAGE, PAGE, 11);
	CHECK(size_of(fd) == 2 * PAGE);
	munmap(p, 2 * PAGE);
	close(fd);

	/* a file without a name, and another that takes it */
	fd = make("gone", 3 * PAGE, 12);
	p = map(fd, 3 * PAGE, MAP_SHARED);
	CHECK(unlink("gone") == 0);
	fill(p, 0, PAGE, 13);
	fresh = make("gone", 2 * PAGE, 14);
	CHECK(ftruncate(fd, PAGE) == 0 && size_of(fd) == PAGE);
	CHECK(size_of(fresh) == 2 * PAGE);
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	CHECK(pread(fd, got, BYTES, 0) == 3 * PAGE);
	CHECK(is(got, 0, PAGE, 13) && all(got + PAGE, 2 * PAGE, 0));
	CHECK(msync(p, 3 * PAGE, MS_SYNC) == 0 && fsync(fd) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	CHECK(is(p, 0, PAGE, 13) && all(p + PAGE, 2 * PAGE, 0));
	CHECK(fchmod(fd, 0600) == 0);
	munmap(p, 3 * PAGE);
	close(fd);
	CHECK(pread(fresh, got, BYTES, 0) == 2 * PAGE);
	CHECK(is(got, 0, 2 * PAGE, 14));
	close(fresh);

	/* renamed over while it is open, and two names of one file */
	fd = make("target", PAGE, 15);
	close(make("source", PAGE, 16));
	CHECK(link("source", "source2") == 0);
	CHECK(rename("source", "target") == 0);
	CHECK(pwrite(fd, "late", 4, 0) == 4 && fsync(fd) == 0);
	close(fd);
	fd = open("source2", O_RDWR);
	CHECK(pwrite(fd, "both", 4, 8) == 4);
	CHECK(truncate("target", PAGE - 1) == 0 && size_of(fd) == PAGE - 1);
	close(fd);
}

/* ------------------------------------------------------------ O_DIRECT */

static void direct(void)
{
	int fd = make("direct", BYTES, 17), d;
	unsigned char *mem, *p = map(fd, BYTES, MAP_SHARED);

	mem = aligned_alloc(PAGE, 8 * PAGE);
	CHECK(mem != NULL);
	d = open("direct", O_RDWR | O_DIRECT);
	if (d < 0 && errno == EINVAL) { /* not on every file system */
		munmap(p, BYTES);
		close(fd);
		return;
	}
	CHECK(d >= 0);
	fill(p + 2 * PAGE, 2 * PAGE, PAGE, 18);
	CHECK(pread(d, mem, 8 * PAGE, 0) == 8 * PAGE);
	CHECK(is(mem, 0, 2 * PAGE, 17) &&
	      is(mem + 2 * PAGE, 2 * PAGE, PAGE, 18));
	fill(mem, 4 * PAGE, 8 * PAGE, 19);
	CHECK(pwrite(d, mem, 8 * PAGE, 4 * PAGE) == 8 * PAGE);
	CHECK(is(p + 4 * PAGE, 4 * PAGE, 8 * PAGE, 19));
	CHECK(pread(fd, got, BYTES, 0) == BYTES);
	CHECK(is(got + 4 * PAGE, 4 * PAGE, 8 * PAGE, 19));
	CHECK(is(got + 12 * PAGE, 12 * PAGE, PAGE, 17));
	/* it may make the file longer */
	fill(mem, BYTES, 2 * PAGE, 19);
	CHECK(pwrite(d, mem, 2 * PAGE, BYTES) == 2 * PAGE);
	CHECK(size_of(fd) == BYTES + 2 * PAGE);
	CHECK(pread(d, mem, 8 * PAGE, BYTES + 2 * PAGE) == 0);
	munmap(p, BYTES);
	free(mem);
	close(d);
	close(fd);
}

/* -------------------------------------------------------- attributes */

static long long mtime_of(int fd)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	return st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
}

static void attributes(void)
{
	const struct timespec then[2] = {{1000000000, 5}, {1000000001, 0}},
			      nap = {0, 30000000};
	int fd = make("times", 2 * PAGE, 20);
	unsigned char *p = map(fd, 2 * PAGE, MAP_SHARED);
	long long before = mtime_of(fd), after;
	struct stat st;

	nanosleep(&nap, NULL);
	CHECK(mtime_of(fd) == before);
	p[0] = 1;
	CHECK(msync(p, 2 * PAGE, MS_SYNC) == 0);
	after = mtime_of(fd);
	CHECK(after > before);
	nanosleep(&nap, NULL);
	CHECK(pwrite(fd, "x", 1, 2 * PAGE) == 1);
	CHECK(size_of(fd) == 2 * PAGE + 1 && mtime_of(fd) > after);
	/* set while pages are dirty: it stays */
	p[0] = 2;
	CHECK(pwrite(fd, "y", 1, 2 * PAGE) == 1);
	CHECK(futimens(fd, then) == 0);
	munmap(p, 2 * PAGE);
	close(fd);
	CHECK(stat("times", &st) == 0 && st.st_mtim.tv_sec == 1000000001);
	CHECK(st.st_size == 2 * PAGE + 1);
	/* a mode that forbids what is open already */
	fd = open("modes", O_RDWR | O_CREAT | O_EXCL, 0444);
	CHECK(fd >= 0 && write(fd, "read only", 9) == 9);
	CHECK(fchmod(fd, 0400) == 0 && pwrite(fd, "R", 1, 0) == 1);
	CHECK(pread(fd, got, 9, 0) == 9 && !memcmp(got, "Read only", 9));
	close(fd);
	/* to be written only: parts of pages all the same */
	fd = make("writeonly", 2 * PAGE, 21);
	CHECK(fchmod(fd, 0200) == 0);
	close(fd);
	fd = open("writeonly", O_WRONLY);
	CHECK(fd >= 0 && pwrite(fd, "part", 4, PAGE - 2) == 4);
	CHECK(FAILS(read(fd, got, 1), EBADF));
	CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK(close(fd) == 0 && chmod("writeonly", 0644) == 0);
}

/* ------------------------------------------------------------- the calls */

static void calls(void)
{
	int fd = make("calls", BYTES, 22), pipes[2], dir;

	CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && syncfs(fd) == 0);
	CHECK(FAILS(fsync(-1), EBADF) && FAILS(syncfs(-1), EBADF));
	sync();
	CHECK(pipe(pipes) == 0 && FAILS(fsync(pipes[0]), EINVAL));
	CHECK(FAILS(sync_file_range(pipes[0], 0, 0, 0), ESPIPE));
	CHECK(posix_fadvise(pipes[0], 0, 0, 0) == ESPIPE);
	CHECK(pwrite(fd, "range", 5, 3 * PAGE) == 5);
	CHECK(sync_file_range(fd, 3 * PAGE, PAGE, 7) == 0);
	CHECK(sync_file_range(fd, 0, 0, 0) == 0);
	CHECK(FAILS(sync_file_range(fd, -1, 0, 2), EINVAL));
	CHECK(FAILS(sync_file_range(fd, 0, 0, 8), EINVAL));
	CHECK(readahead(fd, 0, BYTES) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	CHECK(posix_fadvise(fd, 0, 0, 99) == EINVAL);
	CHECK(pread(fd, got, BYTES, 0) == BYTES && is(got, 0, 3 * PAGE, 22));
	CHECK(posix_fallocate(fd, 0, BYTES + 10) == 0);
	CHECK(size_of(fd) == BYTES + 10);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fsync(dir) == 0);
	close(dir);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	fd = open("osync", O_RDWR | O_CREAT | O_TRUNC | O_SYNC, 0644);
	CHECK(write(fd, "synchronous", 11) == 11);
	close(fd);
}

/* The program itself, written a moment ago. */
static void run_copy(void)
{
	int from = open("/proc/self/exe", O_RDONLY), to, status, round;
	ssize_t n;

	for (round = 0; round < 3; round++) {
		to = open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755);
		CHECK(to >= 0 && lseek(from, 0, SEEK_SET) == 0);
		while ((n = read(from, got, sizeof(got))) > 0)
			CHECK(write(to, got, (size_t)n) == n);
		close(to);
		status = IN_CHILD(execl("./program", "program", NULL));
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	}
	close(from);
	unlink("program");
}

/* ------------------------------------------------------------- afterwards */

static ssize_t load(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, got, BYTES);

	close(fd);
	return n;
}

static void verify(void)
{
	struct stat st;
	int i;

	CHECK(load("shared") == BYTES && is(got, 0, 7 * PAGE, 3));
	CHECK(is(got + 7 * PAGE, 7 * PAGE, PAGE, 4));
	CHECK(is(got + 8 * PAGE, 8 * PAGE, BYTES - 8 * PAGE, 3));
	CHECK(load("killed") == BYTES && is(got, 0, BYTES, 6));
	CHECK(load("private") == 4 * PAGE && !memcmp(got, "abcd", 4));
	CHECK(!memcmp(got + PAGE, "1234", 4));
	CHECK(load("cut") == 2 * PAGE + 2 && all(got, 2 * PAGE - 2, 0));
	CHECK(!memcmp(got + 2 * PAGE - 2, "tail", 4));
	CHECK(load("append") == 8000);
	for (i = 0; i < 1000; i++)
		if (atoi((char *)got + 8 * i) != i)
			break;
	CHECK(i == 1000);
	CHECK(load("new-name") == 2 * PAGE && is(got, 0, 2 * PAGE, 11));
	CHECK(access("old-name", F_OK) != 0);
	CHECK(load("gone") == 2 * PAGE && is(got, 0, 2 * PAGE, 14));
	CHECK(load("target") == PAGE - 1 && is(got, 0, 8, 16));
	CHECK(!memcmp(got + 8, "both", 4) && load("source2") == PAGE - 1);
	CHECK(load("direct") == BYTES && is(got, 0, 2 * PAGE, 17));
	CHECK(stat("times", &st) == 0 && st.st_mtim.tv_sec == 1000000001);
	CHECK(st.st_size == 2 * PAGE + 1);
	CHECK(load("times") == 2 * PAGE + 1 && got[0] == 2 &&
	      got[2 * PAGE] == 'y');
	CHECK(load("modes") == 9 && !memcmp(got, "Read only", 9));
	CHECK(load("writeonly") == 2 * PAGE && is(got, 0, PAGE - 2, 21));
	CHECK(!memcmp(got + PAGE - 2, "part", 4));
	CHECK(load("calls") == BYTES && !memcmp(got + 3 * PAGE, "range", 5));
	CHECK(stat("calls", &st) == 0 && st.st_size == BYTES + 10);
	CHECK(load("osync") == 11 && !memcmp(got, "synchronous", 11));
	CHECK(load("open-at-exit") == BYTES && is(got, 0, BYTES, 24));
}

/* --------------------------------------------------------------- much data */

/* Half of it by write(), half by stores; all is read again. */
static void big(size_t mb)
{
	const size_t piece = 1u << 20;
	int fd = open("big", O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char *mem = malloc(piece), *p;
	size_t i;

	CHECK(fd >= 0 && mem && ftruncate(fd, (off_t)(mb * piece)) == 0);
	for (i = 0; i < mb; i++) {
		off_t at = (off_t)(i * piece);

		if (i & 1) {
			fill(mem, i * piece, piece, 30);
			CHECK(pwrite(fd, mem, piece, at) == (ssize_t)piece);
			continue;
		}
		p = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 at);
		CHECK(p != MAP_FAILED);
		fill(p, i * piece, piece, 30);
		munmap(p, piece);
	}
	for (i = 0; i < mb; i++) {
		CHECK(pread(fd, mem, piece, (off_t)(i * piece)) ==
		      (ssize_t)piece);
		CHECK(is(mem, i * piece, piece, 30));
	}
	free(mem);
	CHECK(close(fd) == 0);
}

static void verify_big(void)
{
	int fd = open("big", O_RDONLY);
	size_t at = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, got, BYTES)) > 0) {
		CHECK(is(got, at, (size_t)n, 30));
		at += (size_t)n;
	}
	CHECK(n == 0 && at > 0);
	close(fd);
}

/* One mapping of all of it, stored to here and there: more than the machine can
 * have mapped at once. */
static void scatter(size_t mb)
{
	size_t pages = mb << 8, bytes = pages * PAGE, i, at;
	int fd = open("scatter", O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char *p;

	CHECK(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (i = 0; i < pages; i++) {
		at = i * 7919 % pages * PAGE;
		memcpy(p + at + at / PAGE % 4000, &at, sizeof(at));
	}
	for (i = 0; i < pages; i++) {
		at = i * PAGE;
		if (memcmp(p + at + at / PAGE % 4000, &at, sizeof(at)))
			break;
	}
	CHECK(i == pages);
	CHECK(msync(p, bytes, MS_SYNC) == 0);
	munmap(p, bytes);
	close(fd);
}

static void verify_scatter(void)
{
	size_t at = 0, page = 0;
	int fd = open("scatter", O_RDONLY);

	CHECK(fd >= 0);
	for (; read(fd, got, PAGE) == PAGE; page++) {
		at = 0;
		memcpy(&at, got + page % 4000, 4);
		if (at != page * PAGE || !all(got, page % 4000, 0))
			break;
	}
	CHECK(page > 0 && read(fd, got, 1) == 0);
	close(fd);
}

/* ----------------------------------------------------------- the flusher */

static long meminfo(const char *name)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			kib = atol(line + strlen(name) + 1);
	if (f)
		fclose(f);
	return kib;
}

static void set_vm(const char *name, const char *value)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	f = fopen(path, "w");
	CHECK(f && fputs(value, f) >= 0 && fclose(f) == 0);
}

/* What is dirty is written when it is old enough, by whom nobody waits for;
 * only on a machine of our own.  behaviour: C3 */
static void flusher(void)
{
	const struct timespec nap = {0, 100000000};
	struct utsname u;
	int fd, i;

	if (uname(&u) || !strstr(u.release, "quire"))
		return;
	fd = make("flushed", BYTES, 31);
	CHECK(meminfo("Dirty") >= (long)BYTES / 1024);
	set_vm("dirty_expire_centisecs", "20");
	set_vm("dirty_writeback_centisecs", "10");
	/* the period that has begun may be the old one */
	for (i = 0; i < 600 && meminfo("Dirty"); i++)
		nanosleep(&nap, NULL);
	CHECK(meminfo("Dirty") == 0);
	/* and much before it is old */
	set_vm("dirty_expire_centisecs", "360000");
	set_vm("dirty_background_bytes", "65536");
	CHECK(pwrite(fd, buf, BYTES, 0) == BYTES);
	for (i = 0; i < 600 && meminfo("Dirty") > 64; i++)
		nanosleep(&nap, NULL);
	CHECK(meminfo("Dirty") <= 64);
	close(fd);
}

/* ------------------------------------------------- transfers that fail */

/* A read that fails is told of, and can be tried again.  behaviour: C2 */
static void reread(void)
{
	int fd = make("reread", BYTES, 32), failed = 0, killed = 0, i, round;
	unsigned char *p = map(fd, BYTES, MAP_SHARED);

	CHECK(fsync(fd) == 0);
	signal(SIGBUS, on_bus);
	for (round = 0; round < 40; round++) {
		CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
		for (i = 0; i < 100 && pread(fd, got, BYTES, 0) != BYTES; i++)
			failed++;
		CHECK(i < 100 && is(got, 0, BYTES, 32));
		CHECK(madvise(p, BYTES, MADV_DONTNEED) == 0);
		CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
		for (i = 0; i < 100 && is_bus(p + 5 * PAGE); i++)
			killed++;
		CHECK(i < 100 && p[5 * PAGE] == pattern(5 * PAGE, 32));
	}
	printf("%d reads failed, %d faults\n", failed, killed);
	munmap(p, BYTES);
	close(fd);
}

/*
 * Every failure is told once to each opener, by fsync; what was written again
 * after it is there in the end.  behaviour: C3
 */
static void retry(void)
{
	int a = open("retry", O_RDWR | O_CREAT | O_TRUNC, 0644);
	int b = open("retry", O_RDWR), round, told = 0, told_b = 0, i;

	for (round = 0; round < 60; round++) {
		for (i = 0; i < 100; i++) {
			fill(buf, 0, BYTES, 40 + (unsigned)round);
			CHECK(pwrite(a, buf, BYTES, 0) == BYTES);
			if (fsync(a) == 0)
				break;
			CHECK(errno == EIO);
			told++;
			CHECK(fsync(b) == -1 && errno == EIO);
			told_b++;
		}
		CHECK(i < 100);
	}
	printf("told of %d failures\n", told);
	CHECK(told == told_b);
	CHECK(close(b) == 0 && close(a) == 0);
	/* close(2) tells too, when it is the last */
	for (told = 0, i = 0; i < 100; i++) {
		a = open("retry2", O_RDWR | O_CREAT | O_TRUNC, 0644);
		CHECK(pwrite(a, buf, BYTES, 0) == BYTES);
		if (close(a) == 0)
			break;
		CHECK(errno == EIO);
	}
	CHECK(i < 100);
}

static void verify_retry(void)
{
	CHECK(load("retry") == BYTES && is(got, 0, BYTES, 99));
	CHECK(load("retry2") == BYTES && is(got, 0, BYTES, 99));
}

static void checks(void)
{
	signal(SIGBUS, on_bus);
	shared_mapping();
	killed();
	private_mapping();
	cutting();
	appending();
	names();
	direct();
	attributes();
	calls();
	run_copy();
	flusher();
	/* left dirty, mapped and open, when the program ends */
	fill(map(make("open-at-exit", BYTES, 23), BYTES, MAP_SHARED), 0, BYTES,
	     24);
}

static const struct mode {
	const char *name;
	void (*run)(void);
	void (*run_mb)(size_t mb);
} modes[] = {
	{"verify", verify, NULL},
	{"big", NULL, big},
	{"verify-big", verify_big, NULL},
	{"scatter", NULL, scatter},
	{"verify-scatter", verify_scatter, NULL},
	{"retry", retry, NULL},
	{"verify-retry", verify_retry, NULL},
	{"reread", reread, NULL},
};

int main(int argc, char **argv)
{
	const struct mode *m = modes;

	if (argc == 1 && !strcmp(argv[0], "program"))
		return 3; /* run_copy() */
	if (argc < 2 || chdir(argv[1])) {
		printf("FAIL usage: writeback DIR [MODE [MB]]\n");
		return 1;
	}
	umask(022);
	if (argc == 2) {
		checks();
		return check_done();
	}
	while (m < modes + sizeof(modes) / sizeof(*modes) &&
	       strcmp(m->name, argv[2]))
		m++;
	CHECK(m < modes + sizeof(modes) / sizeof(*modes));
	if (m->run)
		m->run();
	else
		m->run_mb(argc > 3 ? (size_t)atoi(argv[3]) : 8);
	return check_done();
}
