/* SPDX-License-Identifier: MIT */
/*
 * Who sees whose stores: two processes, each with its own mapping of a file of
 * DIR's, of /dev/zero and of shared anonymous memory; and private mappings,
 * which nobody else sees, and which see no more of the file once written to.
 *
 * usage: sharing [DIR]   (/tmp)
 *
 * The two take turns by a word of one more shared page, so that each look is
 * at a known time after each store.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include "check.h"

#define PAGE  4096u
#define PAGES 20u
#define BYTES (PAGES * PAGE)
#define TURNS 60u

static volatile uint32_t *turn; /* even: the parent's, odd: the child's */
static volatile uint32_t *seen_wrong;

static void await(uint32_t n)
{
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != n)
		sched_yield();
}

static void next_turn(void)
{
	__atomic_add_fetch(turn, 1, __ATOMIC_RELEASE);
}

static void *map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, BYTES, prot, flags, fd, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static uint32_t value(uint32_t n, uint32_t page)
{
	return n * 1000003u + page * 4099u + 1;
}

static uint32_t place(uint32_t n, uint32_t page)
{
	return page * (PAGE / 4) + n * 7 % (PAGE / 4);
}

/* In turn n: what the other wrote in turn n - 1 is there; then ours. */
static void take_turn(volatile uint32_t *p, int fd, uint32_t n)
{
	uint32_t i, v, wrong = 0;

	for (i = 0; n && i < PAGES; i++) {
		wrong += p[place(n - 1, i)] != value(n - 1, i);
		if (fd < 0)
			continue;
		v = 0;
		wrong += pread(fd, &v, 4, 4 * (off_t)place(n - 1, i)) != 4 ||
			 v != value(n - 1, i);
	}
	for (i = 0; i < PAGES; i++) {
		v = value(n, i);
		if (fd >= 0 && n % 5 == 3)
			wrong += pwrite(fd, &v, 4, 4 * (off_t)place(n, i)) != 4;
		else
			p[place(n, i)] = v;
	}
	if (n % 7 == 2)
		madvise((void *)p, BYTES, MADV_DONTNEED);
	if (n % 9 == 4)
		wrong += msync((void *)p, BYTES, MS_SYNC) != 0;
	*seen_wrong += wrong;
}

static void take_turns(volatile uint32_t *p, int fd, uint32_t first)
{
	uint32_t n;

	for (n = first; n < TURNS; n += 2) {
		await(n);
		take_turn(p, fd, n);
		next_turn();
	}
}

/* name: each opens it by itself; NULL: p is what fork left them both. */
static void two_processes(const char *name, volatile uint32_t *p)
{
	int fd = name ? open(name, O_RDWR) : -1, status;
	pid_t pid;

	CHECK(!name || fd >= 0);
	*turn = *seen_wrong = 0;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(300);
		if (name) {
			fd = open(name, O_RDWR);
			p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
		}
		take_turns(p, fd, 1);
		_exit(0);
	}
	alarm(300);
	if (name)
		p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	take_turns(p, fd, 0);
	alarm(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(*seen_wrong == 0);
	if (name) {
		munmap((void *)p, BYTES);
		close(fd);
	}
}

/* behaviours: F8, C5 */
static void shared(const char *name)
{
	volatile uint32_t *p;
	int fd;

	two_processes(name, NULL);
	p = map(-1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	two_processes(NULL, p);
	p = mremap((void *)p, BYTES, 2 * BYTES, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p[place(TURNS - 1, 3)] == value(TURNS - 1, 3));
	munmap((void *)p, 2 * BYTES);
	fd = open("/dev/zero", O_RDWR);
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(fd);
	two_processes(NULL, p);
	munmap((void *)p, BYTES);
	fd = memfd_create("sharing", 0);
	CHECK(fd >= 0 && ftruncate(fd, BYTES) == 0);
	p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(fd);
	two_processes(NULL, p);
	munmap((void *)p, BYTES);
}

/* behaviours: F7, F10, M3 */
static void private(const char *name)
{
	int fd = open(name, O_RDWR), status, i;
	volatile uint32_t *all = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint32_t *own = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	uint32_t v;

	for (i = 0; i < (int)PAGES; i++) {
		all[i * (int)PAGE / 4] = 100;
		all[i * (int)PAGE / 4 + 1] = 200;
	}
	CHECK(own[0] == 100);
	all[0] = 101; /* nothing of this page is ours yet */
	CHECK(own[0] == 101);
	own[0] = 1;
	CHECK(all[0] == 101 && pread(fd, &v, 4, 0) == 4 && v == 101);
	all[1] = 201; /* the page's other words are ours by now, too */
	CHECK(own[1] == 200);
	v = 202;
	CHECK(pwrite(fd, &v, 4, 4) == 4 && own[1] == 200 && all[1] == 202);
	/* neither do parent and child see each other's */
	own[PAGE / 4] = 5;
	status = IN_CHILD(
		if (own[0] != 1 || own[1] != 200 || own[PAGE / 4] != 5)
			_exit(1);
		own[0] = 2; own[PAGE / 4] = 6; own[PAGE / 2] = 7;
		all[PAGE / 2 + 1] = 8; if (own[0] != 2 || own[PAGE / 4] != 6 ||
					   own[PAGE / 2] != 7) _exit(2);
		if (all[0] != 101 || all[PAGE / 2] != 100) _exit(3);
		if (msync((void *)own, BYTES, MS_SYNC)) _exit(4));
	CHECK(status == 0);
	CHECK(own[0] == 1 && own[PAGE / 4] == 5 && own[PAGE / 2] == 100);
	CHECK(own[PAGE / 2 + 1] == 8 && all[PAGE / 4] == 100);
	/* dropped, it is the file's again */
	CHECK(madvise((void *)own, PAGE, MADV_DONTNEED) == 0);
	CHECK(own[0] == 101 && own[1] == 202 && own[PAGE / 4] == 5);
	munmap((void *)own, BYTES);
	CHECK(pread(fd, &v, 4, PAGE) == 4 && v == 100);
	munmap((void *)all, BYTES);
	close(fd);
}

int main(int argc, char **argv)
{
	char name[512];
	int fd;

	snprintf(name, sizeof(name), "%s/sharing.%d",
		 argc > 1 ? argv[1] : "/tmp", getpid());
	fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && ftruncate(fd, BYTES) == 0);
	close(fd);
	turn = map(-1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	seen_wrong = turn + 1;
	shared(name);
	private(name);
	CHECK(unlink(name) == 0);
	return check_done();
}
