/* SPDX-License-Identifier: MIT */
/*
 * What only programs for 32-bit ARM see of the kernel: the helpers at the end
 * of the address space, ARM's private calls, signal frames in both instruction
 * sets, arguments in pairs of registers, times of 32 and of 64 bits, and the
 * layouts of structures that other processors have otherwise.
 *
 * Raw system calls throughout: what the C library would choose is not asked.
 */
#define _GNU_SOURCE
#include "../check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <ucontext.h>

#define NR_read		     3
#define NR_kill		     37
#define NR_lseek	     19
#define NR_gettimeofday	     78
#define NR_statfs	     99
#define NR_llseek	     140
#define NR_getdents	     141
#define NR_nanosleep	     162
#define NR_rt_sigaction	     174
#define NR_pread64	     180
#define NR_pwrite64	     181
#define NR_sendfile	     187
#define NR_getrlimit	     191
#define NR_mmap2	     192
#define NR_ftruncate64	     194
#define NR_fstat64	     197
#define NR_sendfile64	     239
#define NR_fcntl64	     221
#define NR_futex	     240
#define NR_epoll_ctl	     251
#define NR_epoll_wait	     252
#define NR_clock_gettime     263
#define NR_statfs64	     266
#define NR_fadvise64_64	     270
#define NR_sync_file_range2  341
#define NR_ppoll	     336
#define NR_utimensat	     348
#define NR_timerfd_create    350
#define NR_timerfd_settime   353
#define NR_timerfd_gettime   354
#define NR_epoll_create1     357
#define NR_prlimit64	     369
#define NR_clock_gettime64   403
#define NR_clock_nanosleep64 407
#define NR_timerfd_gettime64 410
#define NR_timerfd_settime64 411
#define NR_utimensat64	     412
#define NR_ppoll64	     414
#define NR_futex64	     422
#define NR_breakpoint	     0xf0001
#define NR_cacheflush	     0xf0002
#define NR_set_tls	     0xf0005
#define NR_get_tls	     0xf0006

static int scratch_file(void)
{
	char name[] = "/tmp/armabiXXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	return fd;
}

/* For functions with code of four-byte instructions in them. */
#define ARM_STATE __attribute__((target("arm"), noinline))

/* ---------------------------------------------------------- kuser helpers */

typedef int (*kuser_cmpxchg_fn)(int old, int new, volatile int *p);
typedef int (*kuser_cmpxchg64_fn)(const int64_t *old, const int64_t *new,
				  volatile int64_t *p);
#define KUSER_VERSION	(*(const volatile int32_t *)0xffff0ffc)
#define KUSER_CMPXCHG	((kuser_cmpxchg_fn)0xffff0fc0)
#define KUSER_CMPXCHG64 ((kuser_cmpxchg64_fn)0xffff0f60)
#define KUSER_GET_TLS	((void *(*)(void))0xffff0fe0)
#define KUSER_BARRIER	((void (*)(void))0xffff0fa0)

static volatile int counter;
static volatile int64_t counter64;

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		int old;
		int64_t old64, new64;

		do {
			old = counter;
		} while (KUSER_CMPXCHG(old, old + 1, &counter));
		do {
			old64 = counter64;
			new64 = old64 + 0x100000001;
		} while (KUSER_CMPXCHG64(&old64, &new64, &counter64));
	}
	return arg;
}

static void test_kuser(void)
{
	int64_t a = 5, b = 0x123456789abcdef0, wrong = 6;
	pthread_t t[3];
	int v = 7;

	CHECK(KUSER_VERSION >= 5);
	CHECK(KUSER_GET_TLS() == (void *)syscall(NR_get_tls));
	CHECK(KUSER_CMPXCHG(8, 9, &v) != 0 && v == 7);
	CHECK(KUSER_CMPXCHG(7, 9, &v) == 0 && v == 9);
	CHECK(KUSER_CMPXCHG64(&wrong, &b, &a) != 0 && a == 5);
	wrong = 5 + (1ll << 32); /* only the upper half differs */
	CHECK(KUSER_CMPXCHG64(&wrong, &b, &a) != 0 && a == 5);
	wrong = 5;
	CHECK(KUSER_CMPXCHG64(&wrong, &b, &a) == 0 && a == b);
	KUSER_BARRIER();
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, count_up, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK(counter == 60000);
	CHECK(counter64 == 60000 * 0x100000001);
	/* The page can be read and run, not written. */
	CHECK(WTERMSIG(IN_CHILD(*(volatile int *)0xffff0ffc = 1)) == SIGSEGV);
}

/* --------------------------------------------------------- private calls */

static void test_private_calls(void)
{
	uint32_t *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;

	status = IN_CHILD({
		long r = syscall(NR_set_tls, 0x12345678);

		/* no errno any more: it lies behind the pointer */
		_exit(r == 0 && KUSER_GET_TLS() == (void *)0x12345678 ? 42 : 1);
	});
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	for (unsigned i = 0; i < 50; i++) {
		code[0] = 0xe3a00000 | i; /* mov r0, #i */
		code[1] = 0xe12fff1e;	  /* bx lr */
		CHECK(syscall(NR_cacheflush, code, code + 2, 0) == 0);
		CHECK(((unsigned (*)(void))code)() == i);
	}
	CHECK(syscall(NR_cacheflush, code + 2, code, 0) == -1 &&
	      errno == EINVAL);
	CHECK(WTERMSIG(IN_CHILD(syscall(NR_breakpoint))) == SIGTRAP);
	CHECK(syscall(0xf000f) == -1 && errno == ENOSYS);
	CHECK(syscall(511) == -1 && errno == ENOSYS);
	munmap(code, 8192);
}

/* --------------------------------------------------------------- signals */

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint32_t mask[2];
};

static volatile int seen, seen_code;
static volatile uintptr_t seen_addr, seen_pc, seen_r4;
static volatile uint32_t seen_cpsr;

static void plain_handler(int signo)
{
	seen = signo;
}

static void info_handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	seen = signo;
	seen_code = info->si_code;
	seen_addr = (uintptr_t)info->si_addr;
	seen_pc = uc->uc_mcontext.arm_pc;
	seen_r4 = uc->uc_mcontext.arm_r4;
	seen_cpsr = uc->uc_mcontext.arm_cpsr;
}

/* Skip the ARM instruction that faulted, and change r4 for what comes next. */
static void skip_handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	info_handler(signo, info, context);
	uc->uc_mcontext.arm_pc += 4;
	uc->uc_mcontext.arm_r4 = 0x44444444;
}

__asm__(".text\n"
	".thumb\n"
	".thumb_func\n"
	".globl thumb_handler\n"
	"thumb_handler:\n"
	"	ldr	r1, =seen\n"
	"	str	r0, [r1]\n"
	"	bx	lr\n"
	"	.ltorg\n"
	/* int thumb_raise(int pid, int signo): kill(), in Thumb state */
	".thumb_func\n"
	".globl thumb_raise\n"
	"thumb_raise:\n"
	"	push	{r7, lr}\n"
	"	movs	r7, #37\n"
	"	svc	0\n"
	"	pop	{r7, pc}\n"
	/* long thumb_read(int fd, void *buf, size_t n) */
	".thumb_func\n"
	".globl thumb_read\n"
	"thumb_read:\n"
	"	push	{r7, lr}\n"
	"	movs	r7, #3\n"
	"	svc	0\n"
	"	pop	{r7, pc}\n"
	".arm\n"
	".globl arm_raise\n"
	".type arm_raise, %function\n"
	"arm_raise:\n"
	"	push	{r7, lr}\n"
	"	mov	r7, #37\n"
	"	svc	0\n"
	"	pop	{r7, pc}\n"
	".globl arm_read\n"
	".type arm_read, %function\n"
	"arm_read:\n"
	"	push	{r7, lr}\n"
	"	mov	r7, #3\n"
	"	svc	0\n"
	"	pop	{r7, pc}\n");
void thumb_handler(int signo);
int thumb_raise(int pid, int signo);
int arm_raise(int pid, int signo);
long thumb_read(int fd, void *buf, size_t n);
long arm_read(int fd, void *buf, size_t n);

static void set_handler(int signo, void *handler, unsigned long flags)
{
	struct kernel_sigaction sa = {.handler = handler, .flags = flags};

	CHECK(syscall(NR_rt_sigaction, signo, &sa, NULL, 8) == 0);
}

/* Without SA_RESTORER, both kinds of frames from both kinds of handlers. */
static void test_handlers(void)
{
	struct kernel_sigaction sa = {.mask = {0, 0x80000000}}, old;
	unsigned long flags[] = {0, SA_SIGINFO};

	for (unsigned i = 0; i < 2; i++) {
		set_handler(SIGUSR1, plain_handler, flags[i]);
		seen = 0;
		CHECK(raise(SIGUSR1) == 0 && seen == SIGUSR1);
		seen = 0;
		CHECK(thumb_raise(getpid(), SIGUSR1) == 0 && seen == SIGUSR1);
		set_handler(SIGUSR1, thumb_handler, flags[i]);
		seen = 0;
		CHECK(raise(SIGUSR1) == 0 && seen == SIGUSR1);
		seen = 0;
		CHECK(thumb_raise(getpid(), SIGUSR1) == 0 && seen == SIGUSR1);
	}
	set_handler(SIGUSR1, info_handler, SA_SIGINFO);
	CHECK(thumb_raise(getpid(), SIGUSR1) == 0);
	CHECK(seen_cpsr & 0x20);
	CHECK(seen_pc - ((uintptr_t)thumb_raise & ~1u) < 16);
	CHECK(arm_raise(getpid(), SIGUSR1) == 0);
	CHECK(!(seen_cpsr & 0x20) && seen_pc - (uintptr_t)arm_raise < 16);
	/* what was set comes back, signal 64 in the mask too */
	sa.handler = plain_handler;
	CHECK(syscall(NR_rt_sigaction, SIGUSR1, &sa, NULL, 8) == 0);
	CHECK(syscall(NR_rt_sigaction, SIGUSR1, NULL, &old, 8) == 0);
	CHECK(old.handler == plain_handler && old.mask[0] == 0 &&
	      old.mask[1] == 0x80000000);
}

static ARM_STATE void test_fault_frame(void)
{
	uintptr_t at, r4;

	set_handler(SIGSEGV, skip_handler, SA_SIGINFO);
	__asm__ volatile("	mov	r4, #0x11\n"
			 "	adr	%0, 1f\n"
			 "	mov	r0, #0x30\n"
			 "1:	ldr	r0, [r0]\n"
			 "	mov	%1, r4\n"
			 : "=&r"(at), "=&r"(r4)::"r0", "r4", "memory");
	CHECK(seen == SIGSEGV && seen_code == SEGV_MAPERR);
	CHECK(seen_addr == 0x30 && seen_pc == at && seen_r4 == 0x11);
	CHECK(r4 == 0x44444444);
	signal(SIGSEGV, SIG_DFL);
}

static volatile int32_t fp_in_handler;

#define VFP ".fpu vfpv3\n"
static ARM_STATE void fp_handler(int signo)
{
	(void)signo;
	__asm__ volatile(VFP "fmrs %0, s0\n"
			     "mov r1, #0\n"
			     "fmdrr d0, r1, r1\n"
			     "fmdrr d7, r1, r1\n"
			     "fmdrr d15, r1, r1\n"
			     "fmxr fpscr, r1\n"
			 : "=r"(fp_in_handler)::"r1");
}

/* Floating-point registers live through a handler that overwrites them. */
static ARM_STATE void test_fp(void)
{
	uint32_t a = 0x3f800000, b = 0x40000000, rm = 0x00c00000, r[4], scr;
	int pid = getpid();

	if (!(getauxval(AT_HWCAP) & 64))
		return;
	set_handler(SIGUSR2, fp_handler, 0);
	__asm__ volatile(VFP "fmsr s0, %5\n"
			     "fmdrr d7, %6, %5\n"
			     "fmdrr d15, %5, %6\n"
			     "fmxr fpscr, %7\n"
			     "mov r0, %8\n"
			     "mov r1, #12\n"
			     "mov r7, #37\n"
			     "svc 0\n"
			     "fmrs %0, s0\n"
			     "fmrrd %1, %2, d7\n"
			     "fmrdl %3, d15\n"
			     "fmrx %4, fpscr\n"
			 : "=&r"(r[0]), "=&r"(r[1]), "=&r"(r[2]), "=&r"(r[3]),
			   "=&r"(scr)
			 : "r"(a), "r"(b), "r"(rm), "r"(pid)
			 : "r0", "r1", "r7", "memory");
	CHECK(r[0] == a && r[1] == b && r[2] == a && r[3] == a);
	CHECK((scr & 0x00c00000) == rm);
	CHECK(fp_in_handler == (int32_t)a);
}

/* struct vfp_sigframe at the start of uc_regspace */
struct vfp_frame {
	uint32_t magic, size;
	uint64_t d[32];
	uint32_t fpscr;
};

static volatile uint32_t frame_magic, frame_size, frame_fpscr;
static volatile uint64_t frame_d9;

static void change_fp(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	struct vfp_frame *f = (void *)uc->uc_regspace;

	(void)signo;
	(void)info;
	frame_magic = f->magic;
	frame_size = f->size;
	frame_fpscr = f->fpscr;
	frame_d9 = f->d[9];
	f->d[9] = 0x1111222233334444;
	f->fpscr = 0x00400000;
}

/* A handler sees the interrupted code's registers, and what it writes there is
 * what that code goes on with. */
static ARM_STATE void test_fp_frame(void)
{
	uint32_t a = 0x55556666, b = 0x77778888, r[2], scr;
	int pid = getpid();

	if (!(getauxval(AT_HWCAP) & 64))
		return;
	set_handler(SIGUSR2, (void *)change_fp, SA_SIGINFO);
	__asm__ volatile(VFP "fmdrr d9, %3, %4\n"
			     "mov r1, #0x00800000\n"
			     "fmxr fpscr, r1\n"
			     "mov r0, %5\n"
			     "mov r1, #12\n"
			     "mov r7, #37\n"
			     "svc 0\n"
			     "fmrrd %0, %1, d9\n"
			     "fmrx %2, fpscr\n"
			     "mov r1, #0\n"
			     "fmxr fpscr, r1\n"
			 : "=&r"(r[0]), "=&r"(r[1]), "=&r"(scr)
			 : "r"(a), "r"(b), "r"(pid)
			 : "r0", "r1", "r7", "memory");
	CHECK(frame_magic == 0x56465001 && frame_size == 288);
	CHECK(frame_d9 == 0x7777888855556666 && frame_fpscr == 0x00800000);
	CHECK(r[0] == 0x33334444 && r[1] == 0x11112222 && scr == 0x00400000);
}

static void on_alarm(int signo)
{
	seen = signo;
}

/* A call that a signal broke is made again, in either state, or ends. */
static void test_restart(void)
{
	long (*reads[])(int, void *, size_t) = {arm_read, thumb_read};

	for (unsigned i = 0; i < 2; i++) {
		int fds[2], status;
		char c = 0;
		pid_t child;

		CHECK(pipe(fds) == 0);
		set_handler(SIGUSR1, on_alarm, SA_RESTART);
		fflush(stdout);
		child = fork();
		if (!child) {
			usleep(50000);
			kill(getppid(), SIGUSR1);
			usleep(50000);
			_exit(write(fds[1], "x", 1) != 1);
		}
		seen = 0;
		CHECK(reads[i](fds[0], &c, 1) == 1 && c == 'x');
		CHECK(seen == SIGUSR1);
		waitpid(child, &status, 0);
		set_handler(SIGUSR1, on_alarm, 0);
		child = fork();
		if (!child) {
			/* the first may come before there is a wait */
			do
				usleep(50000);
			while (kill(getppid(), SIGUSR1) == 0);
			_exit(1);
		}
		CHECK(reads[i](fds[0], &c, 1) == -EINTR);
		kill(child, SIGKILL);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		/* -1 as first argument is no mark of anything */
		CHECK(reads[i](-1, &c, 1) == -EBADF);
		close(fds[0]);
		close(fds[1]);
	}
}

/* A sleep that a stop interrupts goes on after it; no register changes but
 * that of the result. */
static ARM_STATE void test_sleep_restart(void)
{
	struct {
		int32_t sec, nsec;
	} t = {0, 300000000};
	register long r0 __asm__("r0") = (long)&t;
	register long r1 __asm__("r1") = 0;
	register long r7 __asm__("r7") = NR_nanosleep;
	struct timespec a, b;
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child) {
		usleep(50000);
		kill(getppid(), SIGSTOP);
		usleep(50000);
		_exit(kill(getppid(), SIGCONT) != 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	r0 = (long)&t;
	r1 = 0;
	r7 = NR_nanosleep;
	__asm__ volatile("svc 0" : "+r"(r0), "+r"(r1), "+r"(r7)::"memory");
	CHECK(r0 == 0 && r1 == 0 && r7 == NR_nanosleep);
	clock_gettime(CLOCK_MONOTONIC, &b);
	CHECK((b.tv_sec - a.tv_sec) * 1000 +
		      (b.tv_nsec - a.tv_nsec) / 1000000 >=
	      299);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static char alt_stack[16384];
static volatile uintptr_t handler_sp;

static void note_sp(int signo)
{
	char here;

	seen = signo;
	handler_sp = (uintptr_t)&here;
}

static void test_alt_stack(void)
{
	stack_t ss = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)}, old;

	CHECK(sizeof(ss) == 12);
	CHECK(sigaltstack(&ss, NULL) == 0);
	set_handler(SIGUSR1, note_sp, SA_ONSTACK);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(handler_sp - (uintptr_t)alt_stack < sizeof(alt_stack));
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECK(old.ss_sp == alt_stack && old.ss_size == sizeof(alt_stack) &&
	      old.ss_flags == 0);
}

/* ---------------------------------------------------------- files and maps */

/* Offsets in two registers, and what does not fit into one. */
static void test_large_files(void)
{
	const int64_t far = 5ll << 30, size = far + 8192;
	struct {
		uint64_t dev;
		uint32_t pad0, ino32, mode, nlink, uid, gid;
		uint64_t rdev;
		uint32_t pad1;
		int64_t size;
		uint32_t blksize;
		uint64_t blocks;
		uint32_t times[6];
		uint64_t ino;
	} st;
	int fd = scratch_file();
	char text[] = "beyond four gigabytes", got[32] = {0}, *map;
	int64_t pos = 0;

	CHECK(sizeof(st) == 104);
	/* the pair begins with an even register: one lies idle before it */
	CHECK(syscall(NR_ftruncate64, fd, 0, (uint32_t)size, 1) == 0);
	CHECK(syscall(NR_fstat64, fd, &st) == 0);
	CHECK(st.size == size && st.nlink == 0 && st.ino32 == (uint32_t)st.ino);
	CHECK(syscall(NR_pwrite64, fd, text, sizeof(text), 0, (uint32_t)far,
		      1) == sizeof(text));
	CHECK(syscall(NR_pread64, fd, got, sizeof(text), 0, (uint32_t)far, 1) ==
	      sizeof(text));
	CHECK(!strcmp(got, text));
	map = (char *)syscall(NR_mmap2, NULL, 4096, PROT_READ, MAP_SHARED, fd,
			      (uint32_t)(far >> 12));
	CHECK(map != MAP_FAILED && !strcmp(map, text));
	munmap(map, 4096);
	CHECK(syscall(NR_llseek, fd, 0, 0, &pos, SEEK_END) == 0 && pos == size);
	CHECK(syscall(NR_llseek, fd, 1, 5, &pos, SEEK_SET) == 0 &&
	      pos == 0x100000005);
	CHECK(syscall(NR_lseek, fd, 0, SEEK_CUR) == -1 && errno == EOVERFLOW);
	CHECK(syscall(NR_lseek, fd, 7, SEEK_SET) == 7);
	CHECK(syscall(NR_fadvise64_64, fd, 1, 0, 0, (uint32_t)size, 1) == 0);
	CHECK(syscall(NR_fadvise64_64, fd, 9, 0, 0, 0, 0) == -1 &&
	      errno == EINVAL);
	CHECK(syscall(NR_sync_file_range2, fd, 0, 0, 0, 4096, 0) == 0);
	close(fd);
}

static void test_sendfile(void)
{
	int in = scratch_file(), out = scratch_file();
	int32_t pos = 2;
	int64_t pos64 = 4;
	char got[16] = {0};

	CHECK(write(in, "0123456789", 10) == 10);
	CHECK(syscall(NR_sendfile, out, in, &pos, 3) == 3 && pos == 5);
	CHECK(syscall(NR_sendfile64, out, in, &pos64, 4) == 4 && pos64 == 8);
	CHECK(pread(out, got, 16, 0) == 7 && !strcmp(got, "2344567"));
	close(in);
	close(out);
}

static void test_statfs(void)
{
	struct {
		uint32_t type, bsize;
		uint64_t blocks, bfree, bavail, files, ffree;
		uint32_t fsid[2], namelen, frsize, flags, spare[4];
	} __attribute__((packed, aligned(4))) s = {0};
	uint32_t narrow[16] = {0};

	CHECK(sizeof(s) == 84);
	CHECK(syscall(NR_statfs64, "/proc", 84, &s) == 0);
	CHECK(s.type == 0x9fa0 && s.bsize == 4096 && s.namelen >= 255);
	CHECK(syscall(NR_statfs64, "/proc", 88, &s) == 0);
	CHECK(syscall(NR_statfs64, "/proc", 80, &s) == -1 && errno == EINVAL);
	CHECK(syscall(NR_statfs, "/proc", narrow) == 0);
	CHECK(narrow[0] == 0x9fa0 && narrow[1] == 4096);
}

struct flock64_abi {
	int16_t type, whence;
	int64_t start, len;
	int32_t pid;
};
struct flock_abi {
	int16_t type, whence;
	int32_t start, len, pid;
};

static void test_locks(void)
{
	struct flock64_abi w = {.type = F_WRLCK, .start = 6ll << 30, .len = 10};
	struct flock_abi n = {.type = F_WRLCK, .start = 100, .len = 10};
	int fd = scratch_file(), status;

	CHECK(sizeof(w) == 32 && sizeof(n) == 16);
	CHECK(syscall(NR_fcntl64, fd, 13 /* F_SETLK64 */, &w) == 0);
	CHECK(syscall(NR_fcntl64, fd, 6 /* F_SETLK */, &n) == 0);
	status = IN_CHILD({
		struct flock64_abi q = {.type = F_RDLCK, .start = 6ll << 30};
		struct flock_abi r = {.type = F_RDLCK, .len = 200};
		int bad = 0;

		bad |= syscall(NR_fcntl64, fd, 12, &q) != 0;
		bad |= q.type != F_WRLCK || q.start != 6ll << 30 ||
		       q.len != 10 || q.pid != getppid();
		bad |= syscall(NR_fcntl64, fd, 5, &r) != 0;
		bad |= r.type != F_WRLCK || r.start != 100 || r.len != 10;
		r = (struct flock_abi){.type = F_RDLCK, .start = 200};
		/* the lock in its way lies where 32 bits do not reach */
		bad |= syscall(NR_fcntl64, fd, 5, &r) != -1 ||
		       errno != EOVERFLOW;
		_exit(bad);
	});
	CHECK(status == 0);
	close(fd);
}

static void test_getdents(void)
{
	struct {
		uint32_t ino, off;
		uint16_t len;
		char name[];
	} * d;
	char buf[2048] __attribute__((aligned(8)));
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
	bool found = false;
	long n;

	while ((n = syscall(NR_getdents, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; at += d->len) {
			d = (void *)(buf + at);
			CHECK(d->len % 4 == 0 && d->len >= 12);
			found |= !strcmp(d->name, "maps") &&
				 buf[at + d->len - 1] == 8 /* DT_REG */;
		}
	CHECK(n == 0 && found);
	close(fd);
}

static void test_epoll(void)
{
	struct {
		uint32_t events;
		uint64_t data;
	} ev = {1, 0x1122334455667788}, out[2] = {0};
	int ep = (int)syscall(NR_epoll_create1, 0), fds[2][2];

	CHECK(sizeof(ev) == 16);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(pipe(fds[i]) == 0);
		ev.data += i;
		CHECK(syscall(NR_epoll_ctl, ep, 1, fds[i][0], &ev) == 0);
		CHECK(write(fds[i][1], "x", 1) == 1);
	}
	CHECK(syscall(NR_epoll_wait, ep, out, 2, 1000) == 2);
	CHECK(out[0].data + out[1].data == 2 * 0x1122334455667788 + 1);
	close(ep);
}

/* ----------------------------------------------------------------- times */

static void test_times(void)
{
	struct {
		int32_t sec, nsec;
	} t32 = {0, 20000000}, one[2] = {{1000000, 5}, {2000000, 6}}, it32[2];
	struct {
		int64_t sec, nsec;
	} t64 = {0}, a = {0}, b = {0}, it64[2] = {{0, 0}, {7000000000, 0}};
	int32_t tv[2], word = 1;
	struct stat st;
	int fd = scratch_file(), tfd;

	CHECK(syscall(NR_clock_gettime64, 0, &t64) == 0);
	CHECK(syscall(NR_gettimeofday, tv, NULL) == 0);
	CHECK(tv[0] - t64.sec >= 0 && tv[0] - t64.sec < 5);
	CHECK(syscall(NR_clock_gettime64, 1, &a) == 0);
	CHECK(syscall(NR_nanosleep, &t32, NULL) == 0);
	t64.sec = 0;
	t64.nsec = 20000000;
	CHECK(syscall(NR_clock_nanosleep64, 1, 0, &t64, NULL) == 0);
	CHECK(syscall(NR_futex, &word, 0, 1, &t32) == -1 && errno == ETIMEDOUT);
	CHECK(syscall(NR_futex64, &word, 0, 1, &t64) == -1 &&
	      errno == ETIMEDOUT);
	CHECK(syscall(NR_ppoll, NULL, 0, &t32, NULL, 8) == 0);
	CHECK(syscall(NR_ppoll64, NULL, 0, &t64, NULL, 8) == 0);
	CHECK(syscall(NR_clock_gettime64, 1, &b) == 0);
	t64.nsec = (b.sec - a.sec) * 1000000000 + b.nsec - a.nsec;
	CHECK(t64.nsec >= 120000000 && t64.nsec < 20000000000);
	CHECK(syscall(NR_clock_gettime, 1, &t32) == 0);
	CHECK(t32.sec - b.sec >= 0 && t32.sec - b.sec < 5);
	/* the upper half of the nanoseconds is padding */
	t64.sec = 0;
	t64.nsec = 1000 + (77ll << 32);
	CHECK(syscall(NR_clock_nanosleep64, 1, 0, &t64, NULL) == 0);

	CHECK(syscall(NR_utimensat, fd, NULL, one, 0) == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_atime == 1000000 &&
	      st.st_mtime == 2000000 && st.st_mtim.tv_nsec == 6);
	a.sec = 3000000;
	a.nsec = b.nsec = 0;
	b.sec = 4000000;
	CHECK(syscall(NR_utimensat64, fd, NULL, (int64_t[]){a.sec, 1, b.sec, 2},
		      0) == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_atime == 3000000 &&
	      st.st_mtim.tv_nsec == 2);
	close(fd);

	tfd = (int)syscall(NR_timerfd_create, 1, 0);
	CHECK(syscall(NR_timerfd_settime64, tfd, 0, it64, NULL) == 0);
	CHECK(syscall(NR_timerfd_gettime64, tfd, it64) == 0);
	CHECK(it64[1].sec > 0);
	memset(it32, 0, sizeof(it32));
	it32[1].sec = 100;
	CHECK(syscall(NR_timerfd_settime, tfd, 0, it32, NULL) == 0);
	CHECK(syscall(NR_timerfd_gettime, tfd, it32) == 0);
	CHECK(it32[1].sec >= 98 && it32[1].sec <= 100 && it32[0].sec == 0);
	close(tfd);
}

/* ----------------------------------------------------- the process's own */

static void test_limits(void)
{
	uint32_t r[2] = {0};
	uint64_t r64[2] = {0};

	CHECK(syscall(NR_getrlimit, 0 /* CPU */, r) == 0);
	CHECK(syscall(NR_prlimit64, 0, 0, NULL, r64) == 0);
	CHECK(r64[0] == UINT64_MAX ? r[0] == UINT32_MAX : r[0] == r64[0]);
	CHECK(syscall(NR_getrlimit, 3 /* STACK */, r) == 0);
	CHECK(syscall(NR_prlimit64, 0, 3, NULL, r64) == 0);
	CHECK(r64[0] == UINT64_MAX ? r[0] == UINT32_MAX : r[0] == r64[0]);
}

static void test_identity(void)
{
	const char *platform = (const char *)getauxval(AT_PLATFORM);
	struct utsname u;

	CHECK(uname(&u) == 0 && !strncmp(u.machine, "armv", 4));
	CHECK(platform && platform[0] == 'v' && platform[1] == u.machine[4] &&
	      platform[2] == 'l');
	CHECK((getauxval(AT_HWCAP) & 0x8006) == 0x8006); /* half thumb tls */
	CHECK(getauxval(AT_PHENT) == 32 && getauxval(AT_PAGESZ) == 4096);
}

/* Addresses whose sign bit is set are no errors. */
static void test_high_addresses(void)
{
	char *high = (char *)0xb0000000, *more;
	unsigned long top;

	CHECK(mmap(high, 8192, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == high);
	high[0] = high[4096] = 5;
	more = mremap(high, 4096, 8192, MREMAP_MAYMOVE);
	CHECK(more != MAP_FAILED && more[0] == 5);
	CHECK(munmap(high, 8192) == 0);
	/* an automatic place, and the end of what there is */
	more = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(more != MAP_FAILED);
	more[(1 << 20) - 1] = 1;
	munmap(more, 1 << 20);
	top = (unsigned long)mmap((void *)0xc0000000, 4096, PROT_READ,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0);
	CHECK(top == (unsigned long)MAP_FAILED && errno == ENOMEM);
}

static void test_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	bool vectors = false, stack = false, eight = true;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		eight &= line[8] == '-' && line[17] == ' ';
		vectors |= !strcmp(line, "ffff0000-ffff1000 r-xp 00000000 "
					 "00:00 0          [vectors]\n");
		stack |= !strncmp(line + 49, "[stack]", 7);
	}
	CHECK(vectors && stack && eight);
	if (f)
		fclose(f);
}

int main(void)
{
	test_kuser();
	test_private_calls();
	test_handlers();
	test_fault_frame();
	test_fp();
	test_fp_frame();
	test_restart();
	test_sleep_restart();
	test_alt_stack();
	test_large_files();
	test_sendfile();
	test_statfs();
	test_locks();
	test_getdents();
	test_epoll();
	test_times();
	test_limits();
	test_identity();
	test_high_addresses();
	test_maps();
	return check_done();
}
