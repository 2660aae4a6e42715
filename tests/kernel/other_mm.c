/* SPDX-License-Identifier: MIT */
/*
 * System calls for other processes' memory: migrate_pages, move_pages,
 * process_madvise, process_vm_readv, and the pidfd that one of them takes.
 *
 * It knows one memory node only, and says the same on Linux, where it may be
 * run by root on a machine with one node: what it expects is Linux's answer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "check.h"

#define PAGE		   4096u
#define MF_MOVE		   2
#define MF_MOVE_ALL	   4
#define WORD		   ((int)sizeof(long) * 8)
#define NOBODY		   65534
#define NR_pidfd_open	   434
#define NR_process_madvise 440

static long ret(long r)
{
	return r < 0 ? -errno : r;
}

static long migrate(int pid, unsigned long maxnode, const void *from,
		    const void *to)
{
	return ret(syscall(SYS_migrate_pages, pid, maxnode, from, to));
}

static long move(int pid, unsigned long n, void *pages, const void *nodes,
		 void *status, int flags)
{
	return ret(
		syscall(SYS_move_pages, pid, n, pages, nodes, status, flags));
}

static int pidfd(int pid, unsigned flags)
{
	return (int)ret(syscall(NR_pidfd_open, pid, flags));
}

static long advise(int fd, const void *iov, unsigned long n, int advice,
		   unsigned flags)
{
	return ret(syscall(NR_process_madvise, fd, iov, n, advice, flags));
}

static char *map(unsigned pages, int prot)
{
	char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

#define NOWHERE ((void *)16)

/* One that sleeps until it is killed. */
static pid_t sleeper(unsigned uid)
{
	int ready[2];
	pid_t pid;
	char c;

	CHECK(!pipe(ready));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (uid && (setgid(uid) || setuid(uid)))
			_exit(1);
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

/* ------------------------------------------------------------ migrate_pages */

static void migrating(void)
{
	unsigned long zero[17] = {0}, one[17] = {1}, second[17] = {2}, far[17];
	pid_t other = sleeper(0);
	int status;

	memset(far, 0, sizeof(far));
	far[16] = 1; /* beyond what is asked for */
	CHECK(migrate(0, WORD + 1, one, one) == 0);
	CHECK(migrate(getpid(), 2, one, one) == 0);
	CHECK(migrate(other, WORD + 1, one, one) == 0);
	CHECK(migrate(0, WORD + 1, zero, one) == 0);
	CHECK(migrate(0, WORD + 1, NULL, one) == 0);
	CHECK(migrate(0, WORD + 1, second, one) == 0);
	CHECK(migrate(0, WORD + 1, one, zero) == -EINVAL);
	CHECK(migrate(0, WORD + 1, one, NULL) == -EINVAL);
	CHECK(migrate(0, WORD + 1, one, second) == -EINVAL);
	/* maxnode counts one too many: that bit is not looked at */
	CHECK(migrate(0, 2, one, second) == -EINVAL);
	CHECK(migrate(0, 1, one, one) == -EINVAL);
	CHECK(migrate(0, 16 * WORD + 1, far, one) == 0);
	CHECK(migrate(0, PAGE * 8 + 2, one, one) == -EINVAL);
	CHECK(migrate(0, WORD + 1, NOWHERE, one) == -EFAULT);
	CHECK(migrate(0, WORD + 1, one, NOWHERE) == -EFAULT);
	CHECK(migrate(1 << 21, WORD + 1, one, one) == -ESRCH);
	status = IN_CHILD({
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		if (migrate(0, WORD + 1, one, one) != 0)
			_exit(2);
		if (migrate(other, WORD + 1, one, one) != -EPERM)
			_exit(3);
		if (migrate(0, WORD + 1, one, second) != -EPERM)
			_exit(4);
	});
	CHECK(status == 0);
	end(other);
}

/* --------------------------------------------------------------- move_pages */

static void moving(void)
{
	int nodes[300], status[300], child;
	unsigned i;
	char *mem = map(4, PROT_READ | PROT_WRITE);
	char *gone = map(1, PROT_READ);
	void *pages[300] = {mem, mem + PAGE, gone, mem + 2 * PAGE + 5};
	volatile char look;
	pid_t other;

	mem[0] = mem[2 * PAGE] = 1;
	look = mem[3 * PAGE]; /* the zero page */
	(void)look;
	munmap(gone, PAGE);
	memset(status, 7, sizeof(status));
	CHECK(move(0, 4, pages, NULL, status, MF_MOVE) == 0);
	CHECK(status[0] == 0 && status[1] == -ENOENT);
	CHECK(status[2] == -EFAULT && status[3] == 0);
	memset(nodes, 0, sizeof(nodes));
	memset(status, 7, sizeof(status));
	CHECK(move(getpid(), 4, pages, nodes, status, MF_MOVE) == 0);
	CHECK(status[0] == 0 && status[1] == -ENOENT);
	CHECK(status[2] == -EFAULT && status[3] == 0);
	pages[0] = mem + 3 * PAGE;
	CHECK(move(0, 1, pages, NULL, status, 0) == 0);
	CHECK(status[0] == -EFAULT);
	CHECK(move(0, 0, NULL, NULL, NULL, 0) == 0);
	/* more than what is looked at in one go */
	for (i = 0; i < 300; i++)
		pages[i] = mem + (i % 2) * PAGE;
	CHECK(move(0, 300, pages, nodes, status, 0) == 0);
	for (i = 0; i < 300 && status[i] == (i % 2 ? -ENOENT : 0); i++)
		;
	CHECK(i == 300);
	/* what is wrong; what comes before it is done */
	nodes[2] = 5;
	memset(status, 7, sizeof(status));
	CHECK(move(0, 4, pages, nodes, status, MF_MOVE) == -ENODEV);
	CHECK(status[0] == 0 && status[1] == -ENOENT);
	CHECK(status[2] == 0x07070707);
	nodes[2] = -1;
	CHECK(move(0, 4, pages, nodes, status, MF_MOVE) == -ENODEV);
	nodes[2] = 0;
	CHECK(move(0, 4, pages, nodes, status, 1) == -EINVAL);
	CHECK(move(0, 4, pages, nodes, status, 8) == -EINVAL);
	CHECK(move(0, 4, pages, nodes, status, MF_MOVE | MF_MOVE_ALL) == 0);
	CHECK(move(0, 4, NOWHERE, NULL, status, 0) == -EFAULT);
	CHECK(move(0, 4, pages, NOWHERE, status, 0) == -EFAULT);
	CHECK(move(0, 4, pages, NULL, NOWHERE, 0) == -EFAULT);
	CHECK(move(1 << 21, 4, pages, NULL, status, 0) == -ESRCH);
	other = sleeper(0);
	CHECK(move(other, 2, pages, NULL, status, 0) == 0);
	CHECK(status[0] == 0 && status[1] == -ENOENT);
	child = IN_CHILD({
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		if (move(0, 2, pages, NULL, status, 0) != 0)
			_exit(2);
		if (move(0, 2, pages, NULL, status, MF_MOVE_ALL) != -EPERM)
			_exit(3);
		if (move(other, 2, pages, NULL, status, 0) != -EPERM)
			_exit(4);
	});
	CHECK(child == 0);
	end(other);
	CHECK(!munmap(mem, 4 * PAGE));
}

/* ---------------------------------------------------------- process_madvise */

static void pidfds(void)
{
	pid_t other = sleeper(0);
	int fd = pidfd(other, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(read(fd, &c, 1) < 0 && errno == EINVAL);
	CHECK(pidfd(0, 0) == -EINVAL);
	CHECK(pidfd(-1, 0) == -EINVAL);
	CHECK(pidfd(1 << 21, 0) == -ESRCH);
	CHECK(pidfd(other, 1) == -EINVAL);
	CHECK(poll(&p, 1, 0) == 0);
	kill(other, SIGKILL);
	CHECK(poll(&p, 1, 60000) == 1 && p.revents == POLLIN);
	CHECK(waitpid(other, NULL, 0) == other);
	CHECK(poll(&p, 1, 0) == 1);
	CHECK(close(fd) == 0);
}

static void advising(void)
{
	char *mem = map(8, PROT_READ | PROT_WRITE);
	char *gone = map(1, PROT_READ);
	struct iovec v[3] = {{mem, 2 * PAGE}, {mem + 4 * PAGE, PAGE}};
	pid_t other, mine;
	int fd, its, nobody, status, i;

	munmap(gone, PAGE);
	memset(mem, 'x', 8 * PAGE);
	other = sleeper(0);
	fd = pidfd(other, 0);
	mine = sleeper(NOBODY);
	its = pidfd(mine, 0);
	nobody = open("/dev/null", O_RDONLY);
	CHECK(advise(fd, v, 2, MADV_COLD, 0) == 3 * PAGE);
	CHECK(advise(fd, v, 2, MADV_PAGEOUT, 0) == 3 * PAGE);
	CHECK(advise(fd, v, 2, MADV_WILLNEED, 0) == 3 * PAGE);
	CHECK(advise(fd, v, 0, MADV_COLD, 0) == 0);
	/* up to the first that is wrong */
	v[2] = (struct iovec){gone, PAGE};
	CHECK(advise(fd, v, 3, MADV_COLD, 0) == 3 * PAGE);
	CHECK(advise(fd, v + 2, 1, MADV_COLD, 0) == -ENOMEM);
	v[2] = (struct iovec){mem + 1, PAGE};
	CHECK(advise(fd, v + 2, 1, MADV_COLD, 0) == -EINVAL);
	CHECK(advise(fd, v, 2, MADV_DONTNEED, 0) == -EINVAL);
	CHECK(advise(fd, v, 2, 12345, 0) == -EINVAL);
	CHECK(advise(fd, v, 2, MADV_COLD, 1) == -EINVAL);
	CHECK(advise(fd, v, 1025, MADV_COLD, 0) == -EINVAL);
	CHECK(advise(fd, NOWHERE, 1, MADV_COLD, 0) == -EFAULT);
	CHECK(advise(nobody, v, 2, MADV_COLD, 0) == -EBADF);
	CHECK(advise(-1, v, 2, MADV_COLD, 0) == -EBADF);
	status = IN_CHILD({
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		if (advise(fd, v, 2, MADV_COLD, 0) != -EACCES)
			_exit(2);
		if (advise(its, v, 2, MADV_COLD, 0) >= 0)
			_exit(3);
	});
	CHECK(status == 0);
	end(mine);
	close(its);
	kill(other, SIGKILL);
	CHECK(waitpid(other, NULL, 0) == other);
	CHECK(advise(fd, v, 2, MADV_COLD, 0) == -ESRCH);
	for (i = 0; i < (int)(8 * PAGE) && mem[i] == 'x'; i++)
		;
	CHECK(i == (int)(8 * PAGE));
	close(fd);
	close(nobody);
	CHECK(!munmap(mem, 8 * PAGE));
}

/* -------------------------------------------------------- process_vm_readv */

static void reading(void)
{
	static char text[] = "what it has", to[16];
	struct iovec l = {to, sizeof(text)}, r = {text, sizeof(text)};
	pid_t other = sleeper(0);
	int status;

	memset(to, 0, sizeof(to));
	CHECK(process_vm_readv(other, &l, 1, &r, 1, 0) == sizeof(text));
	CHECK(!strcmp(to, text));
	status = IN_CHILD({
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		if (process_vm_readv(other, &l, 1, &r, 1, 0) >= 0 ||
		    errno != EPERM)
			_exit(2);
		if (process_vm_readv(getpid(), &l, 1, &r, 1, 0) != sizeof(text))
			_exit(3);
	});
	CHECK(status == 0);
	end(other);
}

int main(void)
{
	migrating();
	moving();
	pidfds();
	advising();
	reading();
	return check_done();
}
