/* SPDX-License-Identifier: MIT */
/*
 * Floating-point and SIMD registers, FPSCR and the thread register that user
 * mode may write: each task has its own, whoever ran on the CPU meanwhile.
 *
 * Between loading the registers and looking at them again no C code runs (a C
 * library may use them for its copies): vfp_round() does both, and in between
 * only counts, or makes one system call again and again.
 */
#define _GNU_SOURCE
#include "../check.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define HWCAP_VFP_BIT	 (1ul << 6)
#define HWCAP_VFPD32_BIT (1ul << 19)
#define ROUND_ZERO	 (3u << 22) /* FPSCR.RMode */
#define ALL_RAISED	 0x9fu	    /* IDC, IXC, UFC, OFC, DZC, IOC */
#define NOTHING		 (-1)

static bool d32;

/*
 * Load in[], FPSCR and TPIDRURW; `rounds` times make system call nr (or not:
 * NOTHING); store all to out[].  Gives the last call's result.
 */
struct vfp_image {
	uint64_t d[32];
	uint32_t fpscr, thread;
};
long vfp_round(const struct vfp_image *in, struct vfp_image *out, long wide,
	       unsigned long rounds, long nr);
__asm__(".pushsection .text\n"
	".arm\n"
	".fpu neon\n"
	".globl vfp_round\n"
	".type vfp_round, %function\n"
	"vfp_round:\n"
	"	push	{r4-r8, lr}\n"
	"	vpush	{d8-d15}\n"
	"	ldr	r7, [sp, #88]\n"
	"	mov	r8, r1\n"
	"	mov	r6, r2\n"
	"	ldr	r4, [r0, #256]\n"
	"	vmsr	fpscr, r4\n"
	"	ldr	r4, [r0, #260]\n"
	"	mcr	p15, 0, r4, c13, c0, 2\n"
	"	mov	r5, r0\n"
	"	vldmia	r5!, {d0-d15}\n"
	"	cmp	r6, #0\n"
	"	beq	1f\n"
	"	vldmia	r5, {d16-d31}\n"
	"1:	mov	r5, r3\n"
	"2:	cmp	r7, #0\n"
	"	blt	3f\n"
	"	svc	#0\n"
	"3:	subs	r5, r5, #1\n"
	"	bne	2b\n"
	"	mov	r5, r8\n"
	"	vstmia	r5!, {d0-d15}\n"
	"	cmp	r6, #0\n"
	"	beq	4f\n"
	"	vstmia	r5, {d16-d31}\n"
	"4:	vmrs	r4, fpscr\n"
	"	str	r4, [r8, #256]\n"
	"	mrc	p15, 0, r4, c13, c0, 2\n"
	"	str	r4, [r8, #260]\n"
	"	vpop	{d8-d15}\n"
	"	pop	{r4-r8, pc}\n"
	".popsection\n");

static void make_image(struct vfp_image *v, uint32_t seed)
{
	unsigned i;

	for (i = 0; i < 32; i++)
		v->d[i] = (uint64_t)seed << 32 | (seed * 2654435761u + i);
	v->fpscr = (seed & 3) << 22 | ALL_RAISED;
	v->thread = seed ^ 0x5a5a5a5a;
}

static bool same_image(const struct vfp_image *a, const struct vfp_image *b)
{
	return !memcmp(a->d, b->d, d32 ? 256 : 128) && a->fpscr == b->fpscr &&
	       a->thread == b->thread;
}

/* Rounds that did not give back what was put in. */
static int hold(uint32_t seed, unsigned times, unsigned long rounds, long nr)
{
	struct vfp_image in, out;
	int bad = 0;
	unsigned i;

	for (i = 0; i < times; i++) {
		make_image(&in, seed * 1000 + i);
		memset(&out, 0, sizeof(out));
		(void)vfp_round(&in, &out, d32, rounds, nr);
		bad += !same_image(&in, &out);
	}
	return bad;
}

/* ------------------------------------------------------------------- tests */

static void *holder(void *arg)
{
	uint32_t n = (uint32_t)(uintptr_t)arg;

	/* Half of them are switched away from by the tick, half by themselves.
	 */
	return (void *)(intptr_t)(n & 1 ? hold(n, 20, 500000, NOTHING)
					: hold(n, 20, 300, SYS_sched_yield));
}

static void threads(void)
{
	pthread_t t[6];
	unsigned i;
	void *bad;

	for (i = 0; i < 6; i++)
		CHECK(!pthread_create(&t[i], NULL, holder,
				      (void *)(uintptr_t)(i + 1)));
	for (i = 0; i < 6; i++) {
		CHECK(!pthread_join(t[i], &bad));
		CHECK(bad == NULL);
	}
}

static void processes(void)
{
	pid_t child[4];
	int status;
	unsigned i;

	for (i = 0; i < 4; i++) {
		child[i] = fork();
		if (!child[i])
			_exit(hold(100 + i, 15, 300000, NOTHING) +
			      hold(200 + i, 15, 300, SYS_sched_yield));
	}
	for (i = 0; i < 4; i++) {
		CHECK(waitpid(child[i], &status, 0) == child[i]);
		CHECK(status == 0);
	}
}

/* A child begins with its parent's registers. */
static void inherited(void)
{
	static struct vfp_image in, out;
	int status;
	long pid;

	make_image(&in, 77);
	pid = vfp_round(&in, &out, d32, 1, SYS_fork);
	if (!pid)
		_exit(!same_image(&in, &out));
	CHECK(pid > 0 && same_image(&in, &out));
	CHECK(waitpid((pid_t)pid, &status, 0) == pid && status == 0);
}

static volatile sig_atomic_t alarms;
static void on_alarm(int signo)
{
	struct vfp_image in, out;

	(void)signo;
	alarms++;
	make_image(&in, 4242);
	in.fpscr = ROUND_ZERO;
	/* The thread register is not part of a signal's frame. */
	__asm__ volatile("mrc p15, 0, %0, c13, c0, 2" : "=r"(in.thread));
	(void)vfp_round(&in, &out, d32, 10, NOTHING);
}

static void in_handlers(void)
{
	struct itimerval fast = {{0, 5000}, {0, 5000}}, off = {0};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &fast, NULL);
	CHECK(hold(300, 40, 1000000, NOTHING) == 0);
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(alarms > 0);
}

/* What exec starts has none of it. */
static void fresh(const char *self)
{
	struct vfp_image in, out;
	int status;

	make_image(&in, 3);
	in.fpscr = ROUND_ZERO;
	(void)vfp_round(&in, &out, d32, 1, NOTHING);
	status = IN_CHILD(execl(self, self, "fresh", (char *)NULL); _exit(99));
	CHECK(status == 0);
}

static int started_fresh(void)
{
	uint32_t fpscr, thread;

	__asm__ volatile("mrc p10, 7, %0, c1, c0, 0" : "=r"(fpscr));
	__asm__ volatile("mrc p15, 0, %0, c13, c0, 2" : "=r"(thread));
	return (fpscr & ROUND_ZERO) || thread;
}

/* A task that has never computed works, too; and its first such instruction
 * may be in a child of it. */
static void *idle_thread(void *arg)
{
	return arg;
}

static void first_use(void)
{
	pthread_t t;
	int status = IN_CHILD(_exit(hold(9, 3, 1000, NOTHING)));

	CHECK(status == 0);
	CHECK(!pthread_create(&t, NULL, idle_thread, NULL));
	CHECK(!pthread_join(t, NULL));
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "fresh"))
		return started_fresh();
	if (!(getauxval(AT_HWCAP) & HWCAP_VFP_BIT)) {
		printf("no floating point unit\n");
		return check_done();
	}
	d32 = getauxval(AT_HWCAP) & HWCAP_VFPD32_BIT;
	first_use();
	inherited();
	fresh("/proc/self/exe");
	threads();
	processes();
	in_handlers();
	return check_done();
}
