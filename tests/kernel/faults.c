/* SPDX-License-Identifier: MIT */
/*
 * Faults that end in signals, as a handler sees them, and those that the
 * kernel takes on behalf of a program.
 */
#define _GNU_SOURCE
#include "check.h"
#include "cpu.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#define PAGE 4096ul
static sigjmp_buf back;
static siginfo_t got;
static struct cpu_fault seen;

static void handler(int signo, siginfo_t *info, void *uc)
{
	const ucontext_t *c = uc;

	(void)signo;
	got = *info;
	seen = cpu_fault_of(c);
	siglongjmp(back, 1);
}

/* Whether the statement ended in this signal, code and address. */
#define TRAPS(stmt, sig, sicode, address)                                      \
	({                                                                     \
		memset(&got, 0, sizeof(got));                                  \
		if (!sigsetjmp(back, 1)) {                                     \
			stmt;                                                  \
		}                                                              \
		got.si_signo == (sig) && got.si_code == (sicode) &&            \
			got.si_addr == (void *)(address);                      \
	})

static char *map(size_t pages, int prot)
{
	char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	if (p == MAP_FAILED)
		exit(99);
	return p;
}

/* behaviours: E1, E6, E7 */
static void signals(void)
{
	char *p = map(4, PROT_READ);
	volatile char *v = p;
	int (*code)(void);

	CHECK(TRAPS(v[5] = 1, SIGSEGV, SEGV_ACCERR, p + 5));
	/* a page fault, write, as the processor saw it */
	CHECK(seen.trap == 14 && seen.addr == (unsigned long)p + 5);
	CHECK(was_write(seen) && !was_present(seen) && !was_fetch(seen));
	CHECK(v[PAGE] == 0); /* the zero page is there now ... */
	CHECK(TRAPS(v[PAGE] = 1, SIGSEGV, SEGV_ACCERR, p + PAGE));
	/* ... so this one was a protection fault */
	CHECK(was_write(seen) && was_present(seen));
	code = (int (*)(void))(void *)p;
	CHECK(TRAPS(code(), SIGSEGV, SEGV_ACCERR, p));
	CHECK(was_fetch(seen) && !was_write(seen));
	munmap(p, 4 * PAGE);
	CHECK(TRAPS((void)v[7], SIGSEGV, SEGV_MAPERR, p + 7));
	CHECK(!was_write(seen) && !was_present(seen) && !was_fetch(seen));
	v = map(1, PROT_NONE);
	CHECK(TRAPS((void)v[3], SIGSEGV, SEGV_ACCERR, v + 3));
	CHECK(TRAPS((void)*(volatile char *)KERNEL_ADDRESS, SIGSEGV,
		    SEGV_MAPERR, KERNEL_ADDRESS));
	CHECK(TRAPS(*(volatile char *)KERNEL_ADDRESS = 1, SIGSEGV, SEGV_MAPERR,
		    KERNEL_ADDRESS));
#ifdef NO_ADDRESS
	/* not canonical: a general protection fault */
	CHECK(TRAPS((void)*(volatile char *)NO_ADDRESS, SIGSEGV, SI_KERNEL, 0));
	CHECK(seen.trap == 13);
#endif
}

/* behaviours: E7, C4 */
static void bus(void)
{
	int fd = memfd_create("t", 0);
	char *p;
	volatile char *v;

	CHECK(ftruncate(fd, 100) == 0);
	v = p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	v[50] = 1;
	CHECK(TRAPS(v[PAGE + 9] = 1, SIGBUS, BUS_ADRERR, p + PAGE + 9));
	CHECK(TRAPS((void)v[PAGE], SIGBUS, BUS_ADRERR, p + PAGE));
	CHECK(ftruncate(fd, 0) == 0);
	CHECK(TRAPS((void)v[50], SIGBUS, BUS_ADRERR, p + 50));
	close(fd);
}

/* behaviours: E14 */
static void kernel_access(void)
{
	char *p = map(3, PROT_READ | PROT_WRITE), buf[64] = "x";
	int fds[2];
	struct iovec in, out;

	munmap(p + PAGE, PAGE);
	CHECK(pipe(fds) == 0);
	errno = 0;
	CHECK(write(fds[1], p + PAGE, 10) == -1 && errno == EFAULT);
	/* the part before the hole goes through, or nothing does */
	CHECK(write(fds[1], p + PAGE - 10, 20) <= 10);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (read(fds[0], buf, sizeof(buf)) > 0)
		;
	CHECK(write(fds[1], buf, 30) == 30);
	errno = 0;
	CHECK(read(fds[0], p + PAGE + 1, 30) == -1 && errno == EFAULT);
	errno = 0;
	CHECK(syscall(SYS_pipe, (void *)KERNEL_ADDRESS) == -1 &&
	      errno == EFAULT);
	CHECK(syscall(SYS_open, (char *)p + PAGE, 0) == -1 && errno == EFAULT);
	/* a copy that needs COW and zero pages made on the way */
	memset(p, 7, PAGE);
	in.iov_base = p;
	out.iov_base = map(2, PROT_READ | PROT_WRITE);
	in.iov_len = out.iov_len = PAGE;
	CHECK(process_vm_readv(getpid(), &out, 1, &in, 1, 0) == (ssize_t)PAGE);
	CHECK(memcmp(p, out.iov_base, PAGE) == 0);
	in.iov_base = p + PAGE;
	CHECK(process_vm_readv(getpid(), &out, 1, &in, 1, 0) == -1);
	close(fds[0]);
	close(fds[1]);
}

static void __attribute__((noinline)) deep(unsigned kib)
{
	volatile char part[1024];

	part[0] = part[1023] = (char)kib;
	if (kib)
		deep(kib - 1);
	part[1] = part[0];
}

/* behaviours: E6, M4 */
static void stack(void)
{
	static char alt[65536];
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)};
	struct rlimit lim = {1 << 20, 1 << 20};
	struct sigaction sa = {.sa_sigaction = handler,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK};
	int status;

	status = IN_CHILD(signal(SIGSEGV, SIG_DFL);
			  setrlimit(RLIMIT_STACK, &lim); deep(3000));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	status = IN_CHILD(setrlimit(RLIMIT_STACK, &lim); sigaltstack(&ss, NULL);
			  sigaction(SIGSEGV, &sa, NULL); got.si_signo = 0;
			  if (!sigsetjmp(back, 1)) deep(3000);
			  _exit(got.si_signo == SIGSEGV ? 17 : 1));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 17);
	/* last: what has grown stays */
	deep(3000);
	CHECK(1);
}

/* behaviours: E8 */
static void counts(void)
{
	struct rusage a, b;
	char *p = map(64, PROT_READ | PROT_WRITE);
	unsigned i;

	getrusage(RUSAGE_SELF, &a);
	for (i = 0; i < 64; i++)
		p[i * PAGE] = 1;
	getrusage(RUSAGE_SELF, &b);
	CHECK(b.ru_minflt - a.ru_minflt == 64);
	CHECK(b.ru_majflt == a.ru_majflt);
	getrusage(RUSAGE_SELF, &a);
	for (i = 0; i < 64; i++)
		p[i * PAGE] = 2;
	getrusage(RUSAGE_SELF, &b);
	CHECK(b.ru_minflt == a.ru_minflt);
}

int main(void)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	signals();
	bus();
	kernel_access();
	stack();
	counts();
	return check_done();
}
