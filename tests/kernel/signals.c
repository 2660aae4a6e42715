/* SPDX-License-Identifier: MIT */
/*
 * Signals: masks, restarts, alternate stacks, stops, timers, queues, and that
 * floating-point state and registers survive them.
 */
#define _GNU_SOURCE
#include "check.h"
#include "cpu.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <ucontext.h>

static volatile int count, on_alt, order[8], nr_order;
static char alt[65536];

static void counting(int signo)
{
	if (nr_order < 8)
		order[nr_order++] = signo;
	count++;
}

static void look_at_stack(int signo, siginfo_t *info, void *uc)
{
	char here;

	(void)signo;
	(void)info;
	(void)uc;
	on_alt = &here >= alt && &here < alt + sizeof(alt);
}

static void disturbing(int signo, siginfo_t *info, void *uc)
{
	(void)signo;
	(void)info;
	disturb(uc);
	count++;
}

static void catch_it(int signo, void (*fn)(int), int flags)
{
	struct sigaction sa = {.sa_flags = flags};

	sa.sa_handler = fn;
	sigaction(signo, &sa, NULL);
}

static void masks(void)
{
	sigset_t set, old, pending;

	count = 0;
	catch_it(SIGUSR1, counting, 0);
	catch_it(SIGUSR2, counting, 0);
	raise(SIGUSR1);
	CHECK(count == 1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK(count == 1);
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK(count == 3); /* the second SIGUSR1 was merged */
	catch_it(SIGUSR1, counting, (int)SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
	CHECK(raise(SIGUSR1) == 0 && count == 4);
	CHECK(sigaction(SIGKILL, &(struct sigaction){0}, NULL) == -1 &&
	      errno == EINVAL);
}

static void queued(void)
{
	struct timespec soon = {0, 20000000};
	union sigval v = {.sival_int = 99};
	siginfo_t info;
	sigset_t set;
	int i;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	errno = 0;
	CHECK(sigtimedwait(&set, NULL, &soon) == -1 && errno == EAGAIN);
	for (i = 0; i < 3; i++) {
		v.sival_int = i;
		CHECK(sigqueue(getpid(), SIGRTMIN + 1, v) == 0);
	}
	for (i = 0; i < 3; i++)
		CHECK(sigtimedwait(&set, &info, &soon) == SIGRTMIN + 1 &&
		      info.si_value.sival_int == i &&
		      info.si_code == SI_QUEUE && info.si_pid == getpid());
	CHECK(sigtimedwait(&set, NULL, &soon) == -1);
}

static void stacks_and_registers(void)
{
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof(alt)}, old;
	struct sigaction sa = {.sa_sigaction = look_at_stack,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK};
	unsigned long in[2] = {0x11223344ul, 42}, out[2] = {0, 0};
	long double x = 1.25L;

	sigaltstack(&ss, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	CHECK(on_alt);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alt);
	sa.sa_sigaction = disturbing;
	sigaction(SIGUSR1, &sa, NULL);
	count = 0;
	/* 4242: what the handler put into its frame. */
	CHECK(signal_with(in, out, getpid(), SIGUSR1) == 4242);
	CHECK(count == 1 && out[0] == in[0] && out[1] == 42);
	CHECK(x * 2 == 2.5L);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

static void interrupted_calls(void)
{
	/* again and again: the first may come before there is a wait */
	struct itimerval t = {{0, 50000}, {0, 50000}}, off = {{0, 0}, {0, 0}};
	int fds[2], status;
	pid_t child;
	char c = 0;

	CHECK(pipe(fds) == 0);
	count = 0;
	catch_it(SIGALRM, counting, 0);
	setitimer(ITIMER_REAL, &t, NULL);
	errno = 0;
	CHECK(read(fds[0], &c, 1) == -1 && errno == EINTR && count >= 1);
	setitimer(ITIMER_REAL, &off, NULL);
	count = 1;
	catch_it(SIGALRM, counting, SA_RESTART);
	child = fork();
	if (child == 0) {
		usleep(50000);
		kill(getppid(), SIGALRM);
		usleep(100000);
		_exit(write(fds[1], "x", 1) == 1 ? 7 : 8);
	}
	CHECK(read(fds[0], &c, 1) == 1 && c == 'x' && count == 2);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
	close(fds[0]);
	errno = 0;
	catch_it(SIGPIPE, counting, 0);
	CHECK(write(fds[1], "x", 1) == -1 && errno == EPIPE && count == 3);
	close(fds[1]);
}

static void stop_and_go(void)
{
	struct timespec ts = {1, 0}, t0, t1;
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(nanosleep(&ts, NULL) ? 1 : 0);
	usleep(50000);
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child &&
	      WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK(waitpid(child, &status, WNOHANG | WUNTRACED) == 0);
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, WCONTINUED) == child &&
	      WIFCONTINUED(status));
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	      WEXITSTATUS(status) == 0);
	/* SIGTERM waits until the stopped one goes on; SIGKILL does not */
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGTERM);
	usleep(20000);
	CHECK(waitpid(child, &status, WNOHANG) == 0);
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGTERM);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGKILL);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	usleep(100000);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	CHECK((t1.tv_sec - t0.tv_sec) * 1000000000l + t1.tv_nsec - t0.tv_nsec >=
	      100000000l);
}

static void default_actions(void)
{
	int status;

	status = IN_CHILD(kill(getpid(), SIGTERM); for (;;) pause());
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	status = IN_CHILD(abort());
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(!WCOREDUMP(status));
	status = IN_CHILD(raise(SIGCHLD); raise(SIGWINCH); raise(SIGCONT);
			  _exit(5));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
	status = IN_CHILD(setpgid(0, 0); if (fork() == 0) pause();
			  usleep(20000); kill(0, SIGKILL); pause());
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void cpu_timer(void)
{
	struct itimerval it = {{0, 0}, {0, 30000}};
	volatile unsigned long n = 0;

	count = 0;
	catch_it(SIGVTALRM, counting, 0);
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	while (!count && n < 4000000000ul)
		n++;
	CHECK(count == 1);
}

static void posix_timer(void)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGUSR2};
	struct itimerspec it = {{0, 20000000}, {0, 10000000}}, left;
	timer_t t;

	count = 0;
	catch_it(SIGUSR2, counting, 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
	CHECK(timer_settime(t, 0, &it, NULL) == 0);
	while (count < 3)
		pause();
	CHECK(timer_gettime(t, &left) == 0 &&
	      left.it_interval.tv_nsec == 20000000);
	CHECK(timer_delete(t) == 0);
	CHECK(timer_delete(t) == -1 && errno == EINVAL);
}

int main(void)
{
	posix_timer();
	masks();
	queued();
	stacks_and_registers();
	interrupted_calls();
	default_actions();
	cpu_timer();
	alarm(0);
	signal(SIGALRM, SIG_DFL);
	stop_and_go();
	return check_done();
}
