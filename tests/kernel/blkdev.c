/* SPDX-License-Identifier: MIT */
/*
 * A disk as a file: /dev/vda, read, written, mapped and synced; the host
 * looks afterwards at what has arrived.
 *
 *     blkdev make FILE     on the host: bytes to begin with
 *     blkdev               in the machine: the tests, of /dev/vda, and of
 *                          /dev/vdb, which cannot be written
 *     blkdev verify FILE   on the host: what the tests left on the first
 *
 * Every 8 bytes of the disk tell where they are, and by whom they were written
 * last: `writes` lists all changes that the tests make, so that both sides know
 * what has to be there.  The last page of the disk is a short one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "check.h"

#define PAGE	4096u
#define SECTOR	512u
#define SECTORS (8u * 2048 + 3)
#define BYTES	((size_t)SECTORS * SECTOR)
#define PAGES	((BYTES + PAGE - 1) / PAGE)

enum how {
	PWRITE,	     /* write(2), then nothing but the last close */
	PWRITE_SYNC, /* and fsync(2) */
	STORE,	     /* through a mapping, then munmap */
	STORE_SYNC,  /* and msync(2) */
	DIRECT,	     /* past the cache */
	DSYNC,	     /* through an O_DSYNC descriptor */
	CHILD,	     /* a process of its own, through its mapping */
	KILLED,	     /* likewise, which is killed after msync(2) */
	ZERO,	     /* BLKZEROOUT */
};

/* Offsets and lengths in bytes, all multiples of 8. */
static const struct change {
	enum how how;
	size_t at, len;
} writes[] = {
	{PWRITE, 0, 8},
	{PWRITE, 4088, 16}, /* across a page's end */
	{PWRITE_SYNC, 100000, 40000},
	{STORE, 200704, 4096},
	{STORE, 215000, 8},
	{STORE_SYNC, 301056, 70000},
	{DIRECT, 409600, 512},
	{DIRECT, 412160, 66048},
	{DSYNC, 500008, 1000},
	{CHILD, 601088, 12288},
	{KILLED, 700000, 30008},
	{ZERO, 802816, 131072 + 512},
	{PWRITE, 1000000, 1u << 20},
	{STORE, 3u << 20, 2u << 20},
	{STORE_SYNC, BYTES - 1536, 1536}, /* the short last page */
	{PWRITE, BYTES - 8, 8},
};
#define NR_WRITES (sizeof(writes) / sizeof(writes[0]))

static uint64_t word_of(size_t at, unsigned by)
{
	return (uint64_t)(at / 8) * 0x9e3779b97f4a7c15ull ^ (uint64_t)by << 56 ^
	       by;
}

/* What the 8 bytes at `at` are after the first n changes. */
static uint64_t expected(size_t at, unsigned n)
{
	while (n--)
		if (at >= writes[n].at && at < writes[n].at + writes[n].len)
			return writes[n].how == ZERO ? 0 : word_of(at, n + 1);
	return word_of(at, 0);
}

static void fill(uint64_t *to, size_t at, size_t len, unsigned by)
{
	for (size_t i = 0; i < len / 8; i++)
		to[i] = word_of(at + i * 8, by);
}

/* How many words of [at, at + len) in buf are not what they have to be. */
static unsigned wrong(const uint64_t *buf, size_t at, size_t len, unsigned n)
{
	unsigned bad = 0;

	for (size_t i = 0; i < len / 8; i++)
		bad += buf[i] != expected(at + i * 8, n);
	return bad;
}

static uint64_t *memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("memory");
		exit(2);
	}
	return p;
}

/* ------------------------------------------------------------- on the host */

static int make(const char *file)
{
	uint64_t *buf = memory(BYTES);
	FILE *f = fopen(file, "w");

	fill(buf, 0, BYTES, 0);
	if (!f || fwrite(buf, 1, BYTES, f) != BYTES || fclose(f)) {
		perror(file);
		return 2;
	}
	return 0;
}

static int verify(const char *file)
{
	uint64_t *buf = memory(BYTES);
	int fd = open(file, O_RDONLY);
	unsigned i;

	CHECK(fd >= 0 && read(fd, buf, BYTES) == (ssize_t)BYTES);
	for (i = 0; i < NR_WRITES; i++) {
		const struct change *w = &writes[i];

		CHECK(wrong(buf + w->at / 8, w->at, w->len, NR_WRITES) == 0);
	}
	CHECK(wrong(buf, 0, BYTES, NR_WRITES) == 0);
	return check_done();
}

/* ------------------------------------------------------------- the machine */

static const char disk[] = "/dev/vda";

static void what_it_is(int fd)
{
	uint64_t size = 0;
	unsigned long sectors = 0;
	int block = 0, physical = 0;
	char line[256];
	bool listed = false;
	struct stat st;
	FILE *f;

	CHECK(fstat(fd, &st) == 0 && S_ISBLK(st.st_mode));
	CHECK(st.st_size == 0);
	CHECK(lseek(fd, 0, SEEK_END) == (off_t)BYTES);
	CHECK(lseek(fd, 1, SEEK_END) == -1 && errno == EINVAL);
	CHECK(lseek(fd, (off_t)BYTES + 1, SEEK_SET) == -1 && errno == EINVAL);
	CHECK(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(ioctl(fd, BLKGETSIZE64, &size) == 0 && size == BYTES);
	CHECK(ioctl(fd, BLKGETSIZE, &sectors) == 0 && sectors == SECTORS);
	CHECK(ioctl(fd, BLKSSZGET, &block) == 0 && block == (int)SECTOR);
	CHECK(ioctl(fd, BLKPBSZGET, &physical) == 0 && physical >= block);
	CHECK(ioctl(fd, BLKFLSBUF, 0) == 0);
	CHECK(ioctl(fd, 0x12ff, 0) == -1 && errno == ENOTTY);
	f = fopen("/proc/partitions", "r");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned major, minor;
		unsigned long kib;

		if (sscanf(line, "%u %u %lu", &major, &minor, &kib) == 3 &&
		    major == major(st.st_rdev) && minor == minor(st.st_rdev))
			listed = kib == BYTES / 1024;
	}
	CHECK(listed);
	if (f)
		fclose(f);
}

static uint64_t read_requests(const char *name)
{
	unsigned long long requests = 0;
	char line[256], dev[32];
	FILE *f = fopen("/proc/diskstats", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*u %*u %31s %llu", dev, &requests) == 2 &&
		    !strcmp(dev, name))
			break;
	if (f)
		fclose(f);
	return requests;
}

/* Reads past the end; a window is one request. */
static void reading(int fd)
{
	uint64_t *buf = memory(BYTES + PAGE);
	uint64_t before = read_requests("vda"), requests;

	CHECK(read(fd, buf, BYTES + PAGE) == (ssize_t)BYTES);
	CHECK(wrong(buf, 0, BYTES, 0) == 0);
	requests = read_requests("vda") - before;
	CHECK(requests >= 1 && requests <= PAGES / 8);
	CHECK(read(fd, buf, 1) == 0);
	CHECK(pread(fd, buf, PAGE, (off_t)BYTES - 8) == 8);
	CHECK(pread(fd, buf, PAGE, (off_t)BYTES + PAGE) == 0);
	CHECK(pread(fd, buf, 1000, 4090) == 1000);
	CHECK(munmap(buf, BYTES + PAGE) == 0);
}

static void mapping(int fd)
{
	char *m = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	bool zero = true;
	int status;

	CHECK(m != MAP_FAILED);
	CHECK(wrong((uint64_t *)(void *)m, 0, BYTES, 0) == 0);
	for (size_t i = BYTES; i < PAGES * PAGE; i++)
		zero &= m[i] == 0;
	CHECK(zero);
	status = IN_CHILD((void)*(volatile char *)(m + PAGES * PAGE));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	CHECK(munmap(m, (PAGES + 1) * PAGE) == 0);
	/* a private one keeps its writes */
	m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(m != MAP_FAILED);
	memset(m, 1, PAGE);
	CHECK(munmap(m, PAGE) == 0);
}

static void limits(int fd)
{
	char buf[SECTOR] = {0};
	uint64_t range[2] = {1, 512};

	CHECK(pwrite(fd, buf, 1, (off_t)BYTES) == -1 && errno == ENOSPC);
	CHECK(pwrite(fd, buf, 0, (off_t)BYTES) == 0);
	CHECK(ftruncate(fd, 0) == -1 && errno == EINVAL);
	CHECK(ioctl(fd, BLKDISCARD, range) == -1 && errno == EINVAL);
	CHECK(ioctl(fd, BLKZEROOUT, range) == -1 && errno == EINVAL);
	range[0] = BYTES;
	CHECK(ioctl(fd, BLKZEROOUT, range) == -1 && errno == EINVAL);
	range[0] = UINT64_MAX - 511;
	CHECK(ioctl(fd, BLKDISCARD, range) == -1 && errno == EINVAL);
}

static void do_pwrite(int fd, const struct change *w, const uint64_t *buf)
{
	CHECK(pwrite(fd, buf, w->len, (off_t)w->at) == (ssize_t)w->len);
}

/* behaviours: F8, C4 */
static void do_store(int fd, const struct change *w, const uint64_t *buf,
		     bool sync)
{
	size_t from = w->at & ~(size_t)(PAGE - 1);
	size_t len = w->at + w->len - from;
	char *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       (off_t)from);

	CHECK(m != MAP_FAILED);
	memcpy(m + (w->at - from), buf, w->len);
	if (sync)
		CHECK(msync(m, len, MS_SYNC) == 0);
	CHECK(munmap(m, len) == 0);
}

static void do_direct(const struct change *w, const uint64_t *buf)
{
	int fd = open(disk, O_RDWR | O_DIRECT);
	uint64_t *back = memory(w->len);

	CHECK(fd >= 0);
	CHECK(pwrite(fd, buf, w->len, (off_t)w->at) == (ssize_t)w->len);
	CHECK(pread(fd, back, w->len, (off_t)w->at) == (ssize_t)w->len);
	CHECK(memcmp(back, buf, w->len) == 0);
	CHECK(pread(fd, back, w->len, (off_t)w->at + 8) == -1 &&
	      errno == EINVAL);
	CHECK(pwrite(fd, back, 8, (off_t)w->at) == -1 && errno == EINVAL);
	CHECK(close(fd) == 0);
	CHECK(munmap(back, w->len) == 0);
}

static void do_dsync(const struct change *w, const uint64_t *buf)
{
	int fd = open(disk, O_RDWR | O_DSYNC);

	CHECK(fd >= 0);
	do_pwrite(fd, w, buf);
	CHECK(close(fd) == 0);
}

static void do_zero(int fd, const struct change *w)
{
	uint64_t range[2] = {w->at, w->len};

	CHECK(ioctl(fd, BLKZEROOUT, range) == 0);
}

static void do_change(int fd, const struct change *w, const uint64_t *buf)
{
	int status;

	switch (w->how) {
	case PWRITE:
		do_pwrite(fd, w, buf);
		break;
	case PWRITE_SYNC:
		do_pwrite(fd, w, buf);
		CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
		break;
	case STORE:
	case STORE_SYNC:
		do_store(fd, w, buf, w->how == STORE_SYNC);
		break;
	case DIRECT:
		do_direct(w, buf);
		break;
	case DSYNC:
		do_dsync(w, buf);
		break;
	case CHILD:
	case KILLED:
		status =
			IN_CHILD(do_store(fd, w, buf, w->how == KILLED);
				 if (w->how == KILLED) kill(getpid(), SIGKILL));
		CHECK(w->how == KILLED ? WIFSIGNALED(status) : status == 0);
		break;
	case ZERO:
		do_zero(fd, w);
		break;
	}
}

/*
 * Each change is seen at once by another open file, by a mapping that was there
 * before, and past the cache.
 */
static void writing(int fd)
{
	uint64_t *buf = memory(BYTES), *back = memory(BYTES + PAGE);
	char *seen = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	int other = open(disk, O_RDONLY | O_EXCL);
	int direct = open(disk, O_RDONLY | O_DIRECT);
	unsigned i;

	CHECK(seen != MAP_FAILED && other >= 0 && direct >= 0);
	for (i = 0; i < NR_WRITES; i++) {
		const struct change *w = &writes[i];
		size_t from = w->at & ~(size_t)(SECTOR - 1);
		size_t len = (w->at + w->len - from + SECTOR - 1) &
			     ~(size_t)(SECTOR - 1);

		fill(buf, w->at, w->len, i + 1);
		do_change(fd, w, buf);
		CHECK(wrong((uint64_t *)(void *)(seen + from), from, len,
			    i + 1) == 0);
		CHECK(pread(other, back, len, (off_t)from) == (ssize_t)len);
		CHECK(wrong(back, from, len, i + 1) == 0);
		memset(back, 0xff, len);
		CHECK(pread(direct, back, len, (off_t)from) == (ssize_t)len);
		CHECK(wrong(back, from, len, i + 1) == 0);
	}
	CHECK(wrong((uint64_t *)(void *)seen, 0, BYTES, NR_WRITES) == 0);
	CHECK(munmap(seen, PAGES * PAGE) == 0);
	CHECK(close(direct) == 0 && close(other) == 0);
	CHECK(munmap(buf, BYTES) == 0 && munmap(back, BYTES + PAGE) == 0);
}

/* Several processes at once, each with a part of the disk of its own. */
#define WORKERS 4
#define PART	(256u << 10)
static void work(unsigned me)
{
	size_t at = (6u << 20) + (size_t)me * PART;
	uint64_t *buf = memory(PART);
	int fd = open(disk, O_RDWR), bad = 0;
	unsigned x = me + 1;

	for (int round = 0; round < 50; round++) {
		size_t off, len;

		x = x * 1103515245u + 12345u;
		off = (x >> 8) % PART & ~7u;
		len = 8 + ((x >> 3) % 20000 & ~7u);
		if (off + len > PART)
			len = PART - off;
		bad += pread(fd, buf, len, (off_t)(at + off)) != (ssize_t)len;
		bad += wrong(buf, at + off, len, 0) != 0;
		/* the same bytes again: nothing to remember */
		bad += pwrite(fd, buf, len, (off_t)(at + off)) != (ssize_t)len;
		if (round % 10 == 9)
			bad += fsync(fd) != 0;
		if (round % 17 == 16)
			bad += ioctl(fd, BLKFLSBUF, 0) != 0;
	}
	_exit(bad != 0);
}

static void together(void)
{
	pid_t pid[WORKERS];
	int status;

	fflush(stdout);
	for (unsigned i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			work(i);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(waitpid(pid[i], &status, 0) == pid[i] && status == 0);
}

static void read_only(const char *name)
{
	int fd = open(name, O_RDONLY), rw;
	char buf[SECTOR] = {0};
	void *m;

	CHECK(fd >= 0);
	CHECK(pread(fd, buf, sizeof(buf), 0) == (ssize_t)sizeof(buf));
	rw = open(name, O_RDWR);
	CHECK(rw >= 0);
	CHECK(pwrite(rw, buf, sizeof(buf), 0) == -1 && errno == EPERM);
	m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0);
	CHECK(m == MAP_FAILED && errno == EINVAL);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED && munmap(m, PAGE) == 0);
	close(rw);
	close(fd);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc == 3 && !strcmp(argv[1], "make"))
		return make(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "verify"))
		return verify(argv[2]);
	fd = open(disk, O_RDWR);
	CHECK(fd >= 0);
	what_it_is(fd);
	reading(fd);
	mapping(fd);
	limits(fd);
	writing(fd);
	together();
	if (access("/dev/vdb", F_OK) == 0)
		read_only("/dev/vdb");
	CHECK(close(fd) == 0);
	return check_done();
}
