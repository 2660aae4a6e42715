/* SPDX-License-Identifier: MIT */
/*
 * Pipes, FIFOs, socket pairs, and waiting for them: poll, select, epoll.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include "check.h"

#define FAILS(call, err) (errno = 0, (call) == -1 && errno == (err))

static volatile sig_atomic_t got;

static void on_signal(int sig)
{
	got = sig;
}

static void catch (int sig, int flags)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

	CHECK(sigaction(sig, &sa, NULL) == 0);
	got = 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int events(int fd, int want)
{
	struct pollfd p = {fd, (short)want, 0};

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void basics(void)
{
	static char big[65536];
	char buf[64];
	int p[2], n, s;

	CHECK(pipe(p) == 0);
	CHECK(write(p[1], "hello", 5) == 5);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 5);
	CHECK(read(p[0], buf, 3) == 3 && read(p[0], buf + 3, 60) == 2);
	CHECK(!memcmp(buf, "hello", 5));
	CHECK(FAILS(lseek(p[0], 0, SEEK_CUR), ESPIPE));
	CHECK(FAILS(pread(p[0], buf, 1, 0), ESPIPE));
	CHECK(FAILS(write(p[0], "x", 1), EBADF));
	CHECK(FAILS(read(p[1], buf, 1), EBADF));
	CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK(FAILS(read(p[0], buf, 1), EAGAIN));
	CHECK(fcntl(p[1], F_GETPIPE_SZ) == 65536);
	CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK) == 0);
	CHECK(write(p[1], big, 65536) == 65536);
	CHECK(FAILS(write(p[1], big, 1), EAGAIN));
	CHECK(read(p[0], big, 4096) == 4096);
	CHECK(write(p[1], big, 4096) == 4096);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 100000) == 131072);
	CHECK(write(p[1], big, 65536) == 65536);
	for (n = 0; (s = (int)read(p[0], big, sizeof(big))) > 0; n += s)
		;
	CHECK(n == 131072);
	/* at most PIPE_BUF bytes go in whole or not at all */
	CHECK(write(p[1], big, 65536) == 65536);
	CHECK(write(p[1], big, 65536 - 100) == 65536 - 100);
	CHECK(FAILS(write(p[1], big, 4096), EAGAIN));
	close(p[1]);
	while (read(p[0], big, sizeof(big)) > 0)
		;
	CHECK(read(p[0], buf, 1) == 0);
	close(p[0]);
	CHECK(FAILS(pipe2(p, 0x123456), EINVAL));
}

static void broken(void)
{
	int p[2], s;

	CHECK(pipe(p) == 0);
	close(p[0]);
	catch (SIGPIPE, 0);
	CHECK(FAILS(write(p[1], "x", 1), EPIPE) && got == SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	CHECK(FAILS(write(p[1], "x", 1), EPIPE));
	signal(SIGPIPE, SIG_DFL);
	s = IN_CHILD({ (void)!write(p[1], "x", 1); });
	CHECK(WIFSIGNALED(s) && WTERMSIG(s) == SIGPIPE);
	close(p[1]);
}

static void between_processes(void)
{
	static char buf[8192];
	long total = 0;
	int p[2], s, i;
	ssize_t n;
	pid_t pid;

	CHECK(pipe(p) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		for (i = 0; i < 500; i++) {
			memset(buf, i, sizeof(buf));
			if (write(p[1], buf, 5000) != 5000)
				_exit(1);
		}
		_exit(0);
	}
	close(p[1]);
	while ((n = read(p[0], buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != (char)((total + i) / 5000))
				break;
		if (i < n)
			break;
		total += n;
	}
	CHECK(total == 2500000);
	close(p[0]);
	CHECK(waitpid(pid, &s, 0) == pid && s == 0);
}

static void interrupted(void)
{
	/* again and again: the first may come before there is a wait */
	struct itimerval t = {{0, 50000}, {0, 50000}}, off = {0};
	char c;
	int p[2];

	CHECK(pipe(p) == 0);
	catch (SIGALRM, 0);
	CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
	CHECK(FAILS(read(p[0], &c, 1), EINTR) && got == SIGALRM);
	got = 0;
	CHECK(FAILS(events(-1, 0) ? -1 : poll(NULL, 0, 60000), EINTR));
	CHECK(got == SIGALRM);
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	/* SA_RESTART: the read goes on, and gets what comes later */
	catch (SIGALRM, SA_RESTART);
	fflush(stdout);
	if (fork() == 0) {
		usleep(50000);
		kill(getppid(), SIGALRM);
		usleep(50000);
		(void)!write(p[1], "z", 1);
		_exit(0);
	}
	CHECK(read(p[0], &c, 1) == 1 && c == 'z' && got == SIGALRM);
	wait(NULL);
	close(p[0]);
	close(p[1]);
}

static void fifos(void)
{
	char name[64], buf[8];
	struct stat st;
	int r, w, s;

	snprintf(name, sizeof(name), "/tmp/fifo.%d", getpid());
	CHECK(mkfifo(name, 0600) == 0 && stat(name, &st) == 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK(FAILS(open(name, O_WRONLY | O_NONBLOCK), ENXIO));
	r = open(name, O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0 && read(r, buf, 8) == 0);
	w = open(name, O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0 && write(w, "abc", 3) == 3 && read(r, buf, 8) == 3);
	CHECK(FAILS(read(r, buf, 8), EAGAIN));
	close(w);
	CHECK(read(r, buf, 8) == 0);
	close(r);
	fflush(stdout);
	if (fork() == 0) {
		w = open(name, O_WRONLY); /* each waits for the other */
		(void)!write(w, "child", 5);
		_exit(0);
	}
	r = open(name, O_RDONLY);
	CHECK(read(r, buf, 8) == 5 && !memcmp(buf, "child", 5));
	CHECK(wait(&s) > 0 && s == 0 && read(r, buf, 8) == 0);
	close(r);
	CHECK(unlink(name) == 0);
}

static void polling(void)
{
	struct pollfd f[3];
	struct timeval tv = {0, 30000};
	struct timespec ts = {0, 30000000};
	double t;
	fd_set in, out;
	char c;
	int p[2];

	CHECK(pipe(p) == 0);
	CHECK(events(p[0], POLLIN) == 0 && events(p[1], POLLOUT) == POLLOUT);
	CHECK(write(p[1], "x", 1) == 1 && events(p[0], POLLIN) == POLLIN);
	CHECK(events(99, POLLIN) == POLLNVAL && events(-5, POLLIN) == 0);
	f[0] = (struct pollfd){p[0], POLLIN, 0};
	f[1] = (struct pollfd){p[1], POLLOUT, 0};
	f[2] = (struct pollfd){-1, POLLIN, 0};
	CHECK(poll(f, 3, -1) == 2);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	CHECK(select(p[1] + 1, &in, &out, NULL, NULL) == 2);
	CHECK(FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
	CHECK(read(p[0], &c, 1) == 1);
	t = now();
	CHECK(poll(f, 1, 30) == 0 && now() - t > 0.025);
	FD_SET(p[0], &in);
	t = now();
	CHECK(select(p[0] + 1, &in, NULL, NULL, &tv) == 0);
	CHECK(now() - t > 0.025 && !FD_ISSET(p[0], &in));
	CHECK(ppoll(f, 1, &ts, NULL) == 0);
	FD_SET(p[0], &in);
	CHECK(pselect(p[0] + 1, &in, NULL, NULL, &ts, NULL) == 0);
	/* beyond the table's size nothing is looked at: let it grow */
	CHECK(dup2(p[0], 100) == 100 && close(100) == 0);
	FD_ZERO(&in);
	FD_SET(77, &in);
	CHECK(FAILS(select(78, &in, NULL, NULL, &tv), EBADF));
	fflush(stdout);
	if (fork() == 0) {
		usleep(40000);
		(void)!write(p[1], "y", 1);
		_exit(0);
	}
	CHECK(poll(f, 1, 60000) == 1 && f[0].revents == POLLIN);
	wait(NULL);
	close(p[1]);
	CHECK(events(p[0], POLLIN) == (POLLIN | POLLHUP));
	CHECK(read(p[0], &c, 1) == 1 && events(p[0], POLLIN) == POLLHUP);
	close(p[0]);
}

static void masked_poll(void)
{
	struct timespec ts = {2, 0};
	sigset_t block, none;
	int p[2];
	struct pollfd f;

	CHECK(pipe(p) == 0);
	f = (struct pollfd){p[0], POLLIN, 0};
	catch (SIGUSR1, 0);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, NULL);
	kill(getpid(), SIGUSR1);
	CHECK(got == 0);
	CHECK(FAILS(ppoll(&f, 1, &ts, &none), EINTR) && got == SIGUSR1);
	got = 0;
	kill(getpid(), SIGUSR1);
	CHECK(got == 0); /* the mask is back */
	sigprocmask(SIG_UNBLOCK, &block, NULL);
	CHECK(got == SIGUSR1);
	close(p[0]);
	close(p[1]);
}

static void epolling(void)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 42}, out[4];
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2];
	char c;

	CHECK(ep >= 0 && pipe(p) == 0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
	CHECK(FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST));
	CHECK(FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &ev), ENOENT));
	CHECK(FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL));
	CHECK(epoll_wait(ep, out, 4, 0) == 0);
	CHECK(write(p[1], "ab", 2) == 2);
	CHECK(epoll_wait(ep, out, 4, -1) == 1 && out[0].data.u64 == 42);
	CHECK(out[0].events == EPOLLIN);
	CHECK(epoll_wait(ep, out, 4, 0) == 1); /* level-triggered */
	ev.events = EPOLLIN | EPOLLET;
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0);
	CHECK(epoll_wait(ep, out, 4, 0) == 1);
	CHECK(epoll_wait(ep, out, 4, 0) == 0); /* no new edge */
	CHECK(write(p[1], "c", 1) == 1 && epoll_wait(ep, out, 4, 0) == 1);
	ev.events = EPOLLIN | EPOLLONESHOT;
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0);
	CHECK(epoll_wait(ep, out, 4, 0) == 1 && epoll_wait(ep, out, 4, 0) == 0);
	CHECK(write(p[1], "d", 1) == 1 && epoll_wait(ep, out, 4, 10) == 0);
	CHECK(read(p[0], &c, 1) == 1);
	fflush(stdout);
	ev.events = EPOLLIN | EPOLLET;
	CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0);
	while (epoll_wait(ep, out, 4, 0) > 0)
		;
	if (fork() == 0) {
		usleep(40000);
		(void)!write(p[1], "e", 1);
		_exit(0);
	}
	CHECK(epoll_wait(ep, out, 4, 60000) == 1);
	wait(NULL);
	CHECK(events(ep, POLLIN) == 0);
	CHECK(write(p[1], "f", 1) == 1 && events(ep, POLLIN) == POLLIN);
	close(p[0]); /* takes itself off the list */
	close(p[1]);
	CHECK(epoll_wait(ep, out, 4, 0) == 0);
	close(ep);
}

static void counters(void)
{
	struct itimerspec its = {{0, 20000000}, {0, 20000000}};
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t v = 4;

	CHECK(write(fd, &v, 8) == 8 && read(fd, &v, 8) == 8 && v == 7);
	CHECK(FAILS(read(fd, &v, 8), EAGAIN) && FAILS(read(fd, &v, 4), EINVAL));
	CHECK(events(fd, POLLIN | POLLOUT) == POLLOUT);
	v = UINT64_MAX;
	CHECK(FAILS(write(fd, &v, 8), EINVAL));
	v = UINT64_MAX - 1;
	CHECK(write(fd, &v, 8) == 8);
	v = 1;
	CHECK(FAILS(write(fd, &v, 8), EAGAIN));
	CHECK(events(fd, POLLIN | POLLOUT) == POLLIN);
	close(fd);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	CHECK(read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) == 8);
	CHECK(FAILS(read(fd, &v, 8), EAGAIN));
	close(fd);
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	CHECK(timerfd_settime(fd, 0, &its, NULL) == 0);
	CHECK(read(fd, &v, 8) == 8 && v >= 1);
	usleep(70000);
	CHECK(events(fd, POLLIN) == POLLIN && read(fd, &v, 8) == 8 && v >= 3);
	CHECK(timerfd_gettime(fd, &its) == 0);
	CHECK(its.it_interval.tv_nsec == 20000000);
	close(fd);
}

static void pairs(void)
{
	struct msghdr m = {0};
	struct iovec v[2];
	char a[8] = {0}, b[8] = {0};
	int s[2], type;
	socklen_t len = sizeof(type);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	CHECK(write(s[0], "hello", 5) == 5 && write(s[0], "world", 5) == 5);
	CHECK(recv(s[1], a, 7, MSG_PEEK) > 0 && a[0] == 'h');
	CHECK(recv(s[1], a, 7, MSG_WAITALL) == 7 && !memcmp(a, "hellowo", 7));
	CHECK(send(s[1], "back", 4, 0) == 4 && read(s[0], b, 8) == 4);
	CHECK(FAILS(recv(s[0], b, 1, MSG_DONTWAIT), EAGAIN));
	CHECK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len) == 0);
	CHECK(type == SOCK_STREAM);
	CHECK(shutdown(s[0], SHUT_WR) == 0 && read(s[1], a, 8) == 3);
	CHECK(read(s[1], a, 8) == 0);
	CHECK(FAILS(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE));
	CHECK(write(s[1], "one way", 7) == 7);
	close(s[1]);
	CHECK(read(s[0], a, 8) == 7 && read(s[0], a, 8) == 0);
	close(s[0]);

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s) == 0);
	CHECK(write(s[0], "first", 5) == 5 && write(s[0], "second", 6) == 6);
	v[0] = (struct iovec){a, 2};
	v[1] = (struct iovec){b, 2};
	m.msg_iov = v;
	m.msg_iovlen = 2;
	CHECK(recvmsg(s[1], &m, 0) == 4 && (m.msg_flags & MSG_TRUNC));
	CHECK(!memcmp(a, "fi", 2) && !memcmp(b, "rs", 2));
	CHECK(recv(s[1], a, 8, 0) == 6 && !memcmp(a, "second", 6));
	CHECK(FAILS(read(s[1], a, 8), EAGAIN));
	CHECK(sendmsg(s[0], &m, 0) == 4 && recv(s[1], a, 8, 0) == 4);
	close(s[0]);
	CHECK(events(s[1], POLLIN) == (POLLIN | POLLHUP));
	close(s[1]);
	CHECK(FAILS(socketpair(AF_UNIX, 7, 0, s), ESOCKTNOSUPPORT));
	CHECK(FAILS(recv(0, a, 1, 0), ENOTSOCK));
	CHECK(FAILS(recv(99, a, 1, 0), EBADF));
}

static void *pump(void *arg)
{
	int *s = arg;
	char buf[3000];
	ssize_t n;

	while ((n = read(s[0], buf, sizeof(buf))) > 0)
		for (ssize_t done = 0, k; done < n; done += k) {
			k = write(s[1], buf + done, (size_t)(n - done));
			if (k <= 0)
				return (void *)1;
		}
	close(s[1]);
	return NULL;
}

/* main → pipe → thread → socket → thread → pipe → main */
static void chain(void)
{
	int a[2], b[2], c[2], first[2], second[2], i, s;
	pthread_t t1, t2;
	static char buf[4096];
	long sum = 0;
	ssize_t n;
	void *bad;
	pid_t pid;

	CHECK(pipe(a) == 0 && pipe(c) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
	first[0] = a[0];
	first[1] = b[0];
	second[0] = b[1];
	second[1] = c[1];
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(a[0]);
		for (i = 0; i < 300; i++)
			if (write(a[1], buf, 4096) != 4096)
				_exit(1);
		_exit(0);
	}
	close(a[1]);
	CHECK(pthread_create(&t1, NULL, pump, first) == 0);
	CHECK(pthread_create(&t2, NULL, pump, second) == 0);
	while ((n = read(c[0], buf, sizeof(buf))) > 0)
		sum += n;
	CHECK(sum == 300 * 4096);
	CHECK(pthread_join(t1, &bad) == 0 && !bad);
	CHECK(pthread_join(t2, &bad) == 0 && !bad);
	CHECK(waitpid(pid, &s, 0) == pid && s == 0);
	close(a[0]);
	close(b[1]);
	close(c[0]);
}

static void spliced(void)
{
	int p[2], fd = memfd_create("s", 0);
	char buf[8] = {0};
	loff_t off = 1;

	CHECK(pipe(p) == 0 && write(fd, "abcdef", 6) == 6);
	CHECK(splice(fd, &off, p[1], NULL, 4, 0) == 4 && off == 5);
	CHECK(read(p[0], buf, 8) == 4 && !memcmp(buf, "bcde", 4));
	CHECK(FAILS(splice(fd, &off, fd, NULL, 4, 0), EINVAL));
	CHECK(write(p[1], "XY", 2) == 2);
	off = 2;
	CHECK(splice(p[0], NULL, fd, &off, 2, 0) == 2);
	CHECK(pread(fd, buf, 8, 0) == 6 && !memcmp(buf, "abXYef", 6));
	close(fd);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	basics();
	broken();
	between_processes();
	interrupted();
	fifos();
	polling();
	masked_poll();
	epolling();
	counters();
	pairs();
	chain();
	spliced();
	return check_done();
}
