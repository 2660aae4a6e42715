/* SPDX-License-Identifier: MIT */
/*
 * /proc: what it says has to agree with what the program knows itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include "check.h"

#define FAILS(call, err) (errno = 0, (call) == -1 && errno == (err))

static char text[262144];

static ssize_t slurp(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = 0, k;

	if (fd < 0)
		return -1;
	while ((k = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += k;
	close(fd);
	text[n] = 0;
	return n;
}

/* The number after a key, or -1. */
static long value(const char *name, const char *key)
{
	char *at;

	if (slurp(name) < 0)
		return -1;
	at = strstr(text, key);
	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void identity(void)
{
	char buf[PATH_MAX], path[64], name[32];
	int pid = getpid();
	struct utsname u;

	CHECK(value("/proc/self/status", "\nPid:\t") == pid);
	CHECK(value("/proc/self/status", "\nPPid:\t") == getppid());
	CHECK(value("/proc/self/stat", "") == pid);
	CHECK(readlink("/proc/self", buf, sizeof(buf)) > 0 && atoi(buf) == pid);
	CHECK(slurp("/proc/self/comm") == 7 && !strcmp(text, "procfs\n"));
	CHECK(readlink("/proc/self/exe", buf, sizeof(buf)) > 6);
	CHECK(strstr(buf, "/procfs") != NULL);
	CHECK(chdir("/tmp") == 0);
	CHECK(readlink("/proc/self/cwd", buf, 64) == 4 &&
	      !memcmp(buf, "/tmp", 4));
	CHECK(readlink("/proc/self/root", buf, 64) == 1 && buf[0] == '/');
	CHECK(slurp("/proc/self/cmdline") > 0 && strstr(text, "procfs"));
	setenv("NEW", "x", 1); /* not on the stack: not to be seen */
	CHECK(slurp("/proc/self/environ") >= 0);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(value(path, "\nTgid:\t") == pid);
	CHECK(FAILS(open("/proc/99999999/status", O_RDONLY), ENOENT));
	CHECK(FAILS(open("/proc/nothing", O_RDONLY), ENOENT));
	CHECK(FAILS(open("/proc/new", O_RDWR | O_CREAT, 0600), EACCES) ||
	      errno == ENOENT);
	CHECK(uname(&u) == 0 && slurp("/proc/sys/kernel/osrelease") > 0);
	snprintf(name, sizeof(name), "%.30s\n", u.release);
	CHECK(!strncmp(name, text, strlen(name) - 1));
}

static void auxiliary(void)
{
	unsigned long *v = (unsigned long *)(void *)text;
	ssize_t n = slurp("/proc/self/auxv"), i;
	int seen = 0;

	CHECK(n >= 32);
	for (i = 0; i + 2 <= n / (ssize_t)sizeof(*v) && v[i]; i += 2) {
		if (v[i] == AT_PAGESZ)
			seen += v[i + 1] == 4096;
		if (v[i] == AT_PHDR)
			seen += v[i + 1] == getauxval(AT_PHDR);
		if (v[i] == AT_RANDOM)
			seen += v[i + 1] == getauxval(AT_RANDOM);
	}
	CHECK(seen == 3);
}

/* behaviour: M5 */
static void memory(void)
{
	size_t size = 8 << 20, page;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long rss, anon, stat_rss;
	char want[64], *at;
	uint64_t e[3];
	int fd;

	CHECK(p != MAP_FAILED);
	rss = value("/proc/self/status", "\nVmRSS:\t");
	anon = value("/proc/self/status", "\nRssAnon:\t");
	memset(p, 1, size);
	CHECK(value("/proc/self/status", "\nVmRSS:\t") - rss >= 8000);
	CHECK(value("/proc/self/status", "\nRssAnon:\t") - anon >= 8000);
	CHECK(value("/proc/self/status", "\nVmHWM:\t") - rss >= 8000);
	CHECK(slurp("/proc/self/statm") > 0);
	stat_rss = strtol(strchr(text, ' '), NULL, 10);
	CHECK(stat_rss * 4 >= rss + 8000);
	CHECK(slurp("/proc/self/maps") > 0 && strstr(text, "[stack]"));
	snprintf(want, sizeof(want), "%lx-", (unsigned long)p);
	CHECK(strstr(text, want) || strstr(text, "rw-p")); /* may have merged */
	CHECK(strstr(text, "r-xp") && strstr(text, "/procfs\n"));
	CHECK(slurp("/proc/self/smaps") > 0 && strstr(text, "Rss:"));
	at = strstr(text, "Private_Dirty:");
	CHECK(at != NULL);

	fd = open("/proc/self/pagemap", O_RDONLY);
	page = (size_t)p / 4096;
	CHECK(pread(fd, e, 16, (off_t)(page * 8)) == 16);
	CHECK((e[0] >> 63) && (e[1] >> 63)); /* present */
	CHECK(madvise(p, 4096, MADV_DONTNEED) == 0);
	CHECK(pread(fd, e, 16, (off_t)(page * 8)) == 16);
	CHECK(!(e[0] >> 62) && (e[1] >> 63));
	CHECK(FAILS(pread(fd, e, 7, 0), EINVAL));
	close(fd);
	munmap(p, size);
	CHECK(value("/proc/self/status", "\nVmRSS:\t") - rss < 4000);
}

static void mem_file(void)
{
	char secret[16] = "read me";
	char buf[16] = {0};
	int fd = open("/proc/self/mem", O_RDONLY);

	CHECK(pread64(fd, buf, 7, (off64_t)(uintptr_t)secret) == 7);
	CHECK(!memcmp(buf, "read me", 7));
	CHECK(FAILS(pread(fd, buf, 7, 8), EIO));
	close(fd);
}

static void descriptors(void)
{
	char path[64], buf[64];
	int fd = open("/tmp", O_RDONLY), p[2], seen = 0;
	struct stat st;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, buf, 64) == 4 && !memcmp(buf, "/tmp", 4));
	CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(stat(path, &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(pipe(p) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	CHECK(readlink(path, buf, 64) > 6 && !memcmp(buf, "pipe:[", 6));
	d = opendir("/proc/self/fd");
	for (struct dirent *e; (e = readdir(d));) {
		if (atoi(e->d_name) == fd && e->d_name[0] != '.')
			seen++;
		if (atoi(e->d_name) == dirfd(d) && e->d_name[0] != '.')
			seen++;
	}
	closedir(d);
	CHECK(seen == 2);
	close(p[0]);
	close(p[1]);
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(FAILS(stat(path, &st), ENOENT));
}

static pthread_barrier_t barrier;
static int thread_tid;

static void *sleeper(void *arg)
{
	thread_tid = (int)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void threads_and_children(void)
{
	int n = 0, found = 0, pid;
	char path[64];
	pthread_t t;
	DIR *d;

	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&t, NULL, sleeper, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(value("/proc/self/status", "\nThreads:\t") == 2);
	d = opendir("/proc/self/task");
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	CHECK(n == 2);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread_tid);
	CHECK(value(path, "\nPid:\t") == thread_tid);
	CHECK(value(path, "\nTgid:\t") == getpid());
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(value(path, "\nPPid:\t") == getpid());
	d = opendir("/proc");
	for (struct dirent *e; (e = readdir(d));)
		found += atoi(e->d_name) == pid;
	closedir(d);
	CHECK(found == 1);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	CHECK(chdir(path) == 0);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	CHECK(access(path, F_OK) == -1 && errno == ENOENT);
	CHECK(FAILS(open("status", O_RDONLY), ENOENT) || errno == ESRCH);
	CHECK(chdir("/") == 0);
}

static void machine(void)
{
	long total = value("/proc/meminfo", "MemTotal:");
	long freed = value("/proc/meminfo", "MemFree:"), n = 0;
	char buf[64];
	char *at;

	CHECK(total > 10000 && freed > 0 && freed < total);
	CHECK(value("/proc/meminfo", "MemAvailable:") > 0);
	CHECK(value("/proc/vmstat", "pgfault ") > 0);
	CHECK(slurp("/proc/cpuinfo") > 0);
	for (at = text; (at = strstr(at, "processor\t")); at++)
		n++;
	CHECK(n == sysconf(_SC_NPROCESSORS_CONF));
	CHECK(slurp("/proc/stat") > 0 && !strncmp(text, "cpu ", 4));
	CHECK(slurp("/proc/uptime") > 0 && strchr(text, '.'));
	CHECK(slurp("/proc/loadavg") > 0 && slurp("/proc/version") > 0);
	CHECK(slurp("/proc/filesystems") > 0 && strstr(text, "tmpfs"));
	CHECK(slurp("/proc/self/mounts") > 0 && strstr(text, " /proc "));
	CHECK(slurp("/proc/mounts") > 0 && strstr(text, " / "));
	CHECK(slurp("/proc/self/limits") > 0 && strstr(text, "Max stack size"));
	CHECK(value("/proc/sys/vm/max_map_count", "") >= 65530);
	CHECK(value("/proc/sys/vm/overcommit_memory", "") >= 0);
	CHECK(slurp("/proc/sys/kernel/random/boot_id") == 37);
	memcpy(buf, text, 36);
	CHECK(slurp("/proc/sys/kernel/random/boot_id") == 37);
	CHECK(!memcmp(buf, text, 36));
	CHECK(slurp("/proc/sys/kernel/random/uuid") == 37);
	CHECK(memcmp(buf, text, 36));
	CHECK(slurp("/sys/devices/system/cpu/online") > 0);
}

/* Read in small pieces, and again from the start. */
static void pieces(void)
{
	char a[8192], b[8192];
	ssize_t n = 0, k;
	int fd = open("/proc/self/limits", O_RDONLY);

	while ((k = read(fd, a + n, 7)) > 0)
		n += k;
	CHECK(n > 500 && slurp("/proc/self/limits") == n);
	CHECK(!memcmp(a, text, (size_t)n));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(read(fd, b, sizeof(b)) == n && !memcmp(a, b, (size_t)n));
	CHECK(pread(fd, b, 10, 5) == 10 && !memcmp(a + 5, b, 10));
	close(fd);
}

int main(void)
{
	identity();
	auxiliary();
	memory();
	mem_file();
	descriptors();
	threads_and_children();
	machine();
	pieces();
	return check_done();
}
