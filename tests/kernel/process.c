/* SPDX-License-Identifier: MIT */
/*
 * Processes and threads: fork and what it shares, vfork, exec (also from a
 * thread), waiting, orphans, limits on addresses.
 */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>

#define PAGE 4096ul
static char *self;

/* behaviours: M3, F10 */
static void fork_memory(void)
{
	char *priv = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *shared = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, i, bad = 0;

	memset(priv, 1, 64 * PAGE);
	memset(shared, 1, 32 * PAGE);
	status = IN_CHILD(for (i = 0; i < 64; i++) {
		bad += priv[(unsigned)i * PAGE] != 1;
		priv[(unsigned)i * PAGE] = 2;
		shared[(unsigned)i * PAGE] = 3;
	} _exit(bad));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (i = 0; i < 64; i++)
		bad += priv[(unsigned)i * PAGE] != 1 ||
		       shared[(unsigned)i * PAGE] != 3;
	CHECK(bad == 0);
	priv[0] = 9; /* alone again: no copy, but certainly writable */
	CHECK(priv[0] == 9 && priv[1] == 1);
}

static void exec_kinds(void)
{
	char *argv[] = {self, "args", "two words", "", NULL};
	char *env[] = {"QUIRE=yes", NULL};
	char *many[2002];
	int status, fd, i;
	pid_t child;

	status = IN_CHILD(execve(self, argv, env); _exit(99));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	status = IN_CHILD(syscall(SYS_execveat, fd, "", argv, env, 0x1000);
			  _exit(99));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
	close(fd);
	child = vfork();
	if (child == 0) {
		execve(self, argv, env);
		_exit(98);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 4);
	status = IN_CHILD(execve("/nonexistent", argv, env); _exit(errno));
	CHECK(WEXITSTATUS(status) == ENOENT);
	status = IN_CHILD(execve("/etc/passwd", argv, env); _exit(errno));
	CHECK(WEXITSTATUS(status) == EACCES);
	for (i = 0; i < 2001; i++)
		many[i] = i == 0 ? self : i == 1 ? "args" : "0123456789";
	many[2001] = NULL;
	status = IN_CHILD(execve(self, many, env); _exit(99));
	CHECK(WEXITSTATUS(status) == 2001 % 256);
}

static void *exec_in_thread(void *arg)
{
	char *argv[] = {self, "pid", arg, NULL};

	execve(self, argv, NULL);
	_exit(99);
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* A thread that is not the leader execs: the others go, the id stays. */
static void exec_from_thread(void)
{
	pthread_t a, b;
	char pid[16];
	int status;

	status = IN_CHILD(snprintf(pid, sizeof(pid), "%d", getpid());
			  pthread_create(&a, NULL, wait_for_ever, NULL);
			  pthread_create(&b, NULL, exec_in_thread, pid);
			  for (;;) pause());
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void waiting(void)
{
	int status, fds[2], i;
	siginfo_t info;
	pid_t child, other;
	char c = 0;

	errno = 0;
	CHECK(wait(&status) == -1 && errno == ECHILD);
	child = fork();
	if (child == 0)
		_exit(3);
	memset(&info, 0, sizeof(info));
	CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_code == CLD_EXITED && info.si_status == 3 &&
	      info.si_pid == child);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
	CHECK(waitpid(child, &status, 0) == -1 && errno == ECHILD);
	/* an orphan goes on and its pipe tells us so */
	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		other = fork();
		if (other == 0) {
			for (i = 0; i < 3000 && getppid() != 1; i++)
				usleep(10000);
			c = (char)(getppid() == 1 ? 'y' : 'n');
			_exit(write(fds[1], &c, 1) != 1);
		}
		_exit(0);
	}
	waitpid(child, &status, 0);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'y');
	/* children that nobody waits for leave nothing behind */
	signal(SIGCHLD, SIG_IGN);
	for (i = 0; i < 20; i++)
		if (fork() == 0)
			_exit(0);
	while (wait(NULL) > 0)
		;
	CHECK(errno == ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

static volatile int turns;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static __thread int mine;

static void *take_turns(void *arg)
{
	int me = (int)(long)arg;

	for (mine = 0; mine < 200; mine++) {
		pthread_mutex_lock(&mutex);
		while (turns % 3 != me)
			pthread_cond_wait(&cond, &mutex);
		turns++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return (void *)(long)mine;
}

static void threads(void)
{
	pthread_t t[3];
	void *r;
	long i;

	for (i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, take_turns, (void *)i) == 0);
	for (i = 0; i < 3; i++)
		CHECK(pthread_join(t[i], &r) == 0 && r == (void *)200l);
	CHECK(turns == 600 && mine == 0);
}

static void *fork_and_end(void *arg)
{
	return IN_CHILD((void)arg) == 0 ? arg : NULL;
}

/*
 * pthread_join() sleeps on a shared futex in memory that is the process's own
 * and which the thread's fork gives another page meanwhile.
 */
static void forking_thread(void)
{
	pthread_t t;
	void *r;
	int i;

	for (i = 0; i < 20; i++) {
		alarm(120);
		CHECK(pthread_create(&t, NULL, fork_and_end, &i) == 0);
		CHECK(pthread_join(t, &r) == 0 && r == &i);
	}
	alarm(0);
}

/* A mutex whose owner died: found through the robust list. */
static void robust(void)
{
	pthread_mutex_t *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	int status;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(m, &a);
	status = IN_CHILD(pthread_mutex_lock(m));
	CHECK(status == 0);
	CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(m) == 0 && pthread_mutex_unlock(m) == 0);
}

/* behaviours: M4 */
static void limits(void)
{
	struct rlimit lim = {64ul << 20, 64ul << 20};
	int status;

	status = IN_CHILD(
		setrlimit(RLIMIT_AS, &lim);
		_exit(mmap(NULL, 128ul << 20, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
		      errno == ENOMEM));
	CHECK(WEXITSTATUS(status) == 1);
}

static void calls(void)
{
	cpu_set_t set;
	int status;

	errno = 0;
	CHECK(syscall(511) == -1 && errno == ENOSYS);
	CHECK(syscall(100000) == -1 && errno == ENOSYS);
#ifdef __arm__
	/* ARM's own calls start at 0xf0000; far beyond them is no call at all
	 */
	CHECK(syscall(0xf07ff) == -1 && errno == ENOSYS);
	status = IN_CHILD(syscall(-1l));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
#else
	status = IN_CHILD(_exit(syscall(-1l) == -1 && errno == ENOSYS));
	CHECK(WEXITSTATUS(status) == 1);
#endif
	CHECK(getpid() == syscall(SYS_gettid));
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0 &&
	      CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(kill(999999, 0) == -1 && errno == ESRCH);
}

int main(int argc, char **argv)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (argc > 2 && !strcmp(argv[1], "args")) {
		if (argc == 4)
			return strcmp(argv[2], "two words") || argv[3][0] ||
					       strcmp(getenv("QUIRE"), "yes")
				       ? 50
				       : argc;
		return argc % 256;
	}
	if (argc == 3 && !strcmp(argv[1], "pid"))
		return atoi(argv[2]) == getpid() && getpid() == gettid() ? 7
									 : 8;
	if (n < 0)
		return 97;
	path[n] = 0;
	self = path;
	fork_memory();
	exec_kinds();
	exec_from_thread();
	waiting();
	threads();
	forking_thread();
	robust();
	limits();
	calls();
	return check_done();
}
