/* SPDX-License-Identifier: MIT */
/*
 * Files: the calls on a tmpfs, with Linux's results and errno.  What is
 * checked here holds on the host's /tmp too, and in the directory that is named
 * as argument; a 9P server's lacks some calls.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include "check.h"

#define FAILS(call, err) (errno = 0, (call) == -1 && errno == (err))

static char base[64];
static int is_9p; /* no holes, no files without a name */
/* not to be seen through by the compiler, which knows better than to try */
static void *volatile bad_address = (void *)8;
static volatile int minus_one = -1;

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int has(const char *name, const char *text)
{
	char buf[256] = {0};
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static void opening(void)
{
	struct stat st;
	int fd;

	CHECK(FAILS(open("none", O_RDONLY), ENOENT));
	CHECK(FAILS(open("", O_RDONLY), ENOENT));
	CHECK(FAILS(open("none/x", O_RDWR | O_CREAT, 0600), ENOENT));
	fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0666);
	CHECK(fd >= 0);
	CHECK(FAILS(open("f", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST));
	CHECK(FAILS(open("f/x", O_RDONLY), ENOTDIR));
	CHECK(FAILS(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR));
	CHECK(FAILS(open(".", O_WRONLY), EISDIR));
	CHECK(FAILS(open(".", O_RDONLY | O_CREAT, 0600), EISDIR));
	CHECK(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0);
	CHECK((st.st_mode & 0777) == 0644 && st.st_nlink == 1);
	CHECK(FAILS(read(-1, &st, 1), EBADF));
	CHECK(write(fd, "0123456789", 10) == 10);
	CHECK(FAILS(write(fd, bad_address, 10), EFAULT));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(FAILS(read(fd, bad_address, 1), EFAULT));
	CHECK(lseek(fd, 0, SEEK_END) == 10);
	CHECK(lseek(fd, -3, SEEK_END) == 7);
	CHECK(FAILS(lseek(fd, -1, SEEK_SET), EINVAL));
	CHECK(FAILS(lseek(fd, 0, 99), EINVAL));
	CHECK(lseek(fd, 100, SEEK_SET) == 100);
	CHECK(write(fd, "x", 1) == 1);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 101);
	CHECK(FAILS(lseek(fd, 101, SEEK_DATA), ENXIO));
	close(fd);
	CHECK(FAILS(close(fd), EBADF));
	fd = open("f", O_RDONLY);
	CHECK(FAILS(write(fd, "x", 1), EBADF));
	CHECK(FAILS(ftruncate(fd, 0), EINVAL));
	close(fd);
	fd = open("f", O_WRONLY);
	CHECK(FAILS(read(fd, &st, 1), EBADF));
	close(fd);
	fd = open("f", O_PATH);
	CHECK(fd >= 0 && FAILS(read(fd, &st, 1), EBADF));
	CHECK(fstat(fd, &st) == 0 && st.st_size == 101);
	close(fd);
	fd = open("f", O_WRONLY | O_TRUNC);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
	close(fd);
	CHECK(unlink("f") == 0 && FAILS(unlink("f"), ENOENT));
}

static void appending(void)
{
	int a = open("a", O_CREAT | O_WRONLY | O_APPEND, 0600);
	int b = open("a", O_WRONLY);

	CHECK(write(a, "aaa", 3) == 3);
	CHECK(write(b, "b", 1) == 1);
	CHECK(write(a, "cc", 2) == 2);
	CHECK(has("a", "baacc"));
	CHECK(pwrite(b, "Z", 1, 4) == 1);
	CHECK(has("a", "baacZ"));
	CHECK(fcntl(b, F_SETFL, O_APPEND) == 0);
	CHECK(write(b, "end", 3) == 3 && has("a", "baacZend"));
	close(a);
	close(b);
	unlink("a");
}

static void vectors(void)
{
	char x[4] = {0}, y[8] = {0}, big[3] = "abc";
	struct iovec out[3] = {{big, 3}, {NULL, 0}, {(void *)"defgh", 5}};
	struct iovec in[2] = {{x, 3}, {y, 8}};
	int fd = open("v", O_CREAT | O_RDWR, 0600);

	CHECK(writev(fd, out, 3) == 8);
	CHECK(preadv(fd, in, 2, 1) == 7);
	CHECK(!memcmp(x, "bcd", 3) && !memcmp(y, "efgh", 4));
	CHECK(pwritev(fd, out, 1, 6) == 3 && has("v", "abcdefabc"));
	CHECK(FAILS(writev(fd, out, minus_one), EINVAL));
	CHECK(FAILS(pread(fd, x, 1, -1), EINVAL));
	CHECK(pread(fd, x, 1, 1000) == 0);
	out[2].iov_base = bad_address;
	lseek(fd, 0, SEEK_SET);
	CHECK(writev(fd, out, 3) == 3);
	close(fd);
	unlink("v");
}

static void directories(void)
{
	struct stat st;
	char name[300];
	DIR *dir;
	int i, n = 0, fd;

	CHECK(mkdir("d", 0777) == 0 && FAILS(mkdir("d", 0777), EEXIST));
	CHECK(mkdir("d/e/", 0700) == 0);
	CHECK(stat("d", &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(st.st_nlink == 3);
	CHECK(FAILS(rmdir("d"), ENOTEMPTY) && FAILS(unlink("d"), EISDIR));
	CHECK(FAILS(rmdir("d/."), EINVAL));
	CHECK(FAILS(rmdir("d/.."), ENOTEMPTY));
	CHECK(FAILS(mkdir("x/y", 0700), ENOENT));
	memset(name, 'n', 299);
	name[256] = 0;
	CHECK(FAILS(mkdir(name, 0700), ENAMETOOLONG));
	name[255] = 0;
	CHECK(mkdir(name, 0700) == 0 && rmdir(name) == 0);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "d/file%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		CHECK(fd >= 0);
		close(fd);
	}
	dir = opendir("d");
	CHECK(dir != NULL);
	/* removing what was read neither skips nor repeats others */
	for (struct dirent *e; dir && (e = readdir(dir));) {
		n++;
		snprintf(name, sizeof(name), "d/%s", e->d_name);
		if (e->d_type == DT_REG)
			CHECK(unlink(name) == 0);
	}
	CHECK(n == 503);
	rewinddir(dir);
	for (n = 0; readdir(dir); n++)
		;
	CHECK(n == 3);
	CHECK(rmdir("d/e") == 0 && rmdir("d") == 0);
	CHECK(readdir(dir) == NULL);
	CHECK(fstat(dirfd(dir), &st) == 0 && st.st_nlink == 0);
	CHECK(FAILS(openat(dirfd(dir), "z", O_CREAT | O_RDWR, 0600), ENOENT));
	closedir(dir);
	CHECK(FAILS(rmdir("d"), ENOENT));
}

static void links(void)
{
	char buf[64];
	struct stat st, st2;

	write_file("one", "text");
	CHECK(link("one", "two") == 0 && FAILS(link("one", "two"), EEXIST));
	CHECK(stat("one", &st) == 0 && stat("two", &st2) == 0);
	CHECK(st.st_ino == st2.st_ino && st.st_nlink == 2);
	CHECK(unlink("one") == 0 && has("two", "text"));
	CHECK(symlink("two", "sym") == 0 && has("sym", "text"));
	CHECK(FAILS(symlink("x", "sym"), EEXIST));
	CHECK(FAILS(symlink("", "sym2"), ENOENT));
	CHECK(readlink("sym", buf, sizeof(buf)) == 3 && !memcmp(buf, "two", 3));
	CHECK(readlink("sym", buf, 2) == 2);
	CHECK(FAILS(readlink("two", buf, 9), EINVAL));
	CHECK(lstat("sym", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 3);
	CHECK(FAILS(open("sym", O_RDONLY | O_NOFOLLOW), ELOOP));
	CHECK(FAILS(open("sym", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST));
	CHECK(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0);
	CHECK(FAILS(open("loop1", O_RDONLY), ELOOP));
	CHECK(unlink("loop1") == 0 && unlink("loop2") == 0);
	/* creating through a dangling link makes its target */
	CHECK(symlink("target", "dangling") == 0);
	CHECK(FAILS(open("dangling", O_RDONLY), ENOENT));
	write_file("dangling", "made");
	CHECK(has("target", "made"));
	CHECK(link("sym", "symlink") == 0);
	CHECK(lstat("symlink", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(FAILS(link(".", "dirlink"), EPERM));
	CHECK(mkdir("dir", 0700) == 0 && symlink("dir", "ds") == 0);
	CHECK(FAILS(unlink("ds/"), ENOTDIR) || errno == EISDIR);
	CHECK(FAILS(rmdir("ds"), ENOTDIR));
	CHECK(stat("ds/", &st) == 0 && S_ISDIR(st.st_mode));
	unlink("ds");
	rmdir("dir");
	unlink("target");
	unlink("dangling");
	unlink("symlink");
	unlink("sym");
	unlink("two");
}

static void renaming(void)
{
	struct stat st;

	write_file("p", "pp");
	write_file("q", "qq");
	CHECK(rename("p", "q") == 0 && has("q", "pp"));
	CHECK(FAILS(stat("p", &st), ENOENT) && FAILS(rename("p", "r"), ENOENT));
	CHECK(mkdir("d1", 0700) == 0 && mkdir("d1/d2", 0700) == 0);
	CHECK(FAILS(rename("q", "d1"), EISDIR));
	CHECK(FAILS(rename("d1", "q"), ENOTDIR));
	CHECK(FAILS(rename("d1", "d1/d2/x"), EINVAL));
	CHECK(FAILS(rename("d1/d2", "d1"), ENOTEMPTY));
	CHECK(mkdir("d3", 0700) == 0 && rename("d1", "d3") == 0);
	CHECK(stat("d3/d2", &st) == 0 && FAILS(stat("d1", &st), ENOENT));
	CHECK(rename("d3/d2", "up") == 0);
	CHECK(stat("d3", &st) == 0 && st.st_nlink == 2);
	CHECK(rename("q", "up/q") == 0 && has("up/q", "pp"));
	CHECK(link("up/q", "same") == 0 && rename("same", "up/q") == 0);
	CHECK(stat("same", &st) == 0 && st.st_nlink == 2);
	write_file("n", "nn");
	CHECK(FAILS(
		renameat2(AT_FDCWD, "n", AT_FDCWD, "same", RENAME_NOREPLACE),
		EEXIST));
	CHECK(FAILS(rename("up/.", "x"), EBUSY));
	unlink("n");
	unlink("same");
	unlink("up/q");
	CHECK(rmdir("up") == 0 && rmdir("d3") == 0);
}

static void attributes(void)
{
	struct timespec ts[2] = {{1000, 5}, {2000, 7}};
	struct statx sx;
	struct stat st;
	struct statfs fs;
	int fd;

	write_file("t", "0123456789");
	CHECK(chmod("t", 04751) == 0 && stat("t", &st) == 0);
	CHECK((st.st_mode & 07777) == 04751);
	CHECK(utimensat(AT_FDCWD, "t", ts, 0) == 0 && stat("t", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5);
	CHECK(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 7);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "t", ts, 0) == 0 && stat("t", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec > 100000);
	ts[0].tv_nsec = 2000000000;
	CHECK(FAILS(utimensat(AT_FDCWD, "t", ts, 0), EINVAL));
	CHECK(FAILS(chmod("none", 0600), ENOENT));
	CHECK(truncate("t", 4) == 0 && has("t", "0123"));
	CHECK(truncate("t", 6) == 0 && stat("t", &st) == 0 && st.st_size == 6);
	CHECK(FAILS(truncate("t", -1), EINVAL));
	CHECK(FAILS(truncate(".", 0), EISDIR));
	fd = open("t", O_RDWR);
	CHECK(fallocate(fd, 0, 0, 10000) == 0 && fstat(fd, &st) == 0);
	CHECK(st.st_size == 10000);
	CHECK(pwrite(fd, "mid", 3, 5000) == 3);
	if (!is_9p) {
		CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				4096, 4096) == 0);
		CHECK(pread(fd, &sx, 3, 5000) == 3 &&
		      !memcmp(&sx, "\0\0\0", 3));
	}
	CHECK(FAILS(fallocate(fd, 0, 0, 0), EINVAL));
	CHECK(FAILS(fallocate(-1, 0, 0, 0), EBADF));
	close(fd);
	CHECK(statx(AT_FDCWD, "t", 0, STATX_ALL, &sx) == 0);
	CHECK(sx.stx_size == 10000 && (sx.stx_mode & 07777) == 04751);
	CHECK(FAILS(fstatat(AT_FDCWD, "t", &st, 0x800000), EINVAL));
	CHECK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH) == 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK(statfs(".", &fs) == 0 && fs.f_namelen == 255 && fs.f_bsize > 0);
	CHECK(access("t", R_OK | W_OK) == 0);
	chmod("t", 0600);
	CHECK(FAILS(access("t", X_OK), EACCES));
	CHECK(FAILS(access("t", 99), EINVAL));
	CHECK(FAILS(access("none", F_OK), ENOENT));
	CHECK(chown("t", 12, 34) == 0 || geteuid());
	unlink("t");
}

static void descriptors(void)
{
	int fd = open("x", O_CREAT | O_RDWR, 0600), d, e;
	char c;

	CHECK(write(fd, "abc", 3) == 3);
	d = dup(fd);
	CHECK(d > fd && lseek(d, 0, SEEK_SET) == 0);
	CHECK(read(fd, &c, 1) == 1 && c == 'a');
	CHECK(read(d, &c, 1) == 1 && c == 'b');
	CHECK(dup2(fd, 50) == 50 && fcntl(50, F_GETFD) == 0);
	CHECK(dup3(fd, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == 1);
	CHECK(FAILS(dup3(fd, fd, 0), EINVAL) && dup2(fd, fd) == fd);
	CHECK(FAILS(dup2(-1, 5), EBADF) && FAILS(dup2(fd, -1), EBADF));
	CHECK(FAILS(dup2(fd, 1 << 30), EBADF));
	e = fcntl(fd, F_DUPFD_CLOEXEC, 100);
	CHECK(e == 100 && fcntl(e, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(e, F_SETFD, 0) == 0 && fcntl(e, F_GETFD) == 0);
	CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == O_RDWR);
	CHECK(FAILS(fcntl(fd, 12345), EINVAL) &&
	      FAILS(fcntl(99, F_GETFL), EBADF));
	CHECK(syscall(SYS_close_range, 50, 51, 0) == 0);
	CHECK(FAILS(fcntl(50, F_GETFD), EBADF));
	close(e);
	close(d);
	close(fd);
	unlink("x");
}

static void places(void)
{
	char buf[PATH_MAX], small[2];
	int fd;

	CHECK(mkdir("w", 0700) == 0 && chdir("w") == 0);
	CHECK(getcwd(buf, sizeof(buf)) && strlen(buf) > 2 &&
	      !strcmp(buf + strlen(buf) - 2, "/w"));
	errno = 0;
	CHECK(!getcwd(small, sizeof(small)) && errno == ERANGE);
	fd = open(".", O_RDONLY);
	CHECK(chdir("..") == 0 && fchdir(fd) == 0);
	CHECK(chdir("..") == 0 && rmdir("w") == 0);
	CHECK(fchdir(fd) == 0);
	errno = 0;
	CHECK(!syscall(SYS_getcwd, buf, sizeof(buf)) || errno == ENOENT);
	CHECK(FAILS(open("new", O_CREAT | O_RDWR, 0600), ENOENT));
	CHECK(chdir(base) == 0);
	close(fd);
	CHECK(FAILS(chdir("none"), ENOENT));
	write_file("nd", "");
	CHECK(FAILS(chdir("nd"), ENOTDIR));
	fd = open("nd", O_RDONLY);
	CHECK(FAILS(fchdir(fd), ENOTDIR) && FAILS(fchdir(-1), EBADF));
	close(fd);
	unlink("nd");
	CHECK(umask(077) == 022 && umask(022) == 077);
}

static int set_lock(int fd, int type, off_t start, off_t len)
{
	struct flock l = {
		.l_type = (short)type, .l_start = start, .l_len = len};

	return fcntl(fd, F_SETLK, &l);
}

static void locks(void)
{
	int fd = open("lk", O_CREAT | O_RDWR, 0600), ro, s;
	struct flock l = {.l_type = F_WRLCK, .l_start = 0, .l_len = 100};

	CHECK(set_lock(fd, F_WRLCK, 0, 100) == 0);
	CHECK(set_lock(fd, F_UNLCK, 40, 20) == 0); /* two pieces are left */
	s = IN_CHILD({
		int f = open("lk", O_RDWR);
		int ok = set_lock(f, F_WRLCK, 45, 5) == 0 &&
			 FAILS(set_lock(f, F_WRLCK, 39, 2), EAGAIN) &&
			 FAILS(set_lock(f, F_RDLCK, 99, 1), EAGAIN) &&
			 set_lock(f, F_RDLCK, 100, 0) == 0 &&
			 fcntl(f, F_GETLK, &l) == 0 && l.l_type == F_WRLCK &&
			 l.l_pid == getppid() && l.l_start == 0 &&
			 l.l_len == 40;

		_exit(ok ? 0 : 1);
	});
	CHECK(s == 0);
	ro = open("lk", O_RDONLY);
	CHECK(FAILS(set_lock(ro, F_WRLCK, 200, 1), EBADF));
	close(ro); /* closing any descriptor of the file drops the locks */
	s = IN_CHILD({
		int f = open("lk", O_RDWR);

		_exit(set_lock(f, F_WRLCK, 0, 0) == 0 ? 0 : 1);
	});
	CHECK(s == 0);
	CHECK(flock(fd, LOCK_EX) == 0);
	ro = open("lk", O_RDONLY);
	CHECK(FAILS(flock(ro, LOCK_SH | LOCK_NB), EWOULDBLOCK));
	CHECK(flock(fd, LOCK_SH) == 0 && flock(ro, LOCK_SH | LOCK_NB) == 0);
	CHECK(FAILS(flock(ro, 77), EINVAL));
	close(ro);
	close(fd);
	unlink("lk");
}

/* behaviours: C5, M2 */
static void shared_memory(void)
{
	int fd = open("shm", O_CREAT | O_RDWR, 0600), s;
	volatile char *p;
	char c;

	CHECK(ftruncate(fd, 8192) == 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK(unlink("shm") == 0);
	p[0] = 'm';
	CHECK(pread(fd, &c, 1, 0) == 1 && c == 'm'); /* one cache for both */
	CHECK(pwrite(fd, "w", 1, 5000) == 1 && p[5000] == 'w');
	s = IN_CHILD(p[1] = 'k');
	CHECK(s == 0 && p[1] == 'k');
	close(fd);
	CHECK(p[5000] == 'w'); /* without name and descriptor */
	munmap((void *)p, 8192);

	fd = memfd_create("mem", MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && p[1] == 'e' && p[5] == 0);
	munmap((void *)p, 4096);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
	CHECK(FAILS(ftruncate(fd, 4), EPERM) && FAILS(ftruncate(fd, 6), EPERM));
	CHECK(pwrite(fd, "J", 1, 0) == 1);
	CHECK(FAILS(pwrite(fd, "x", 1, 5), EPERM));
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	CHECK(FAILS(pwrite(fd, "x", 1, 0), EPERM));
	CHECK(FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM));
	CHECK(fcntl(fd, F_GET_SEALS) == 15);
	close(fd);
	CHECK(FAILS(memfd_create("x", 0x4000), EINVAL));
}

/* behaviours: C4, M2 */
static void holes(void)
{
	const off_t mb = 1 << 20;
	int fd = open("holes", O_CREAT | O_RDWR, 0600);
	unsigned char *p, b[2] = {1, 1};

	CHECK(pwrite(fd, "data", 4, mb) == 4 && ftruncate(fd, 3 * mb) == 0);
	CHECK(lseek(fd, 0, SEEK_DATA) == mb);
	CHECK(lseek(fd, mb + 1, SEEK_DATA) == mb + 1);
	CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
	CHECK(lseek(fd, mb, SEEK_HOLE) == mb + 4096);
	CHECK(FAILS(lseek(fd, 2 * mb, SEEK_DATA), ENXIO));
	p = mmap(NULL, 3 * (size_t)mb, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	CHECK(p != MAP_FAILED && p[mb] == 'd' && p[2 * mb] == 0);
	memset(p + 2 * mb, 'x', 4 * 4096);
	/* taken out of the middle, also under a mapping */
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			2 * mb + 100, 4096) == 0);
	CHECK(p[2 * mb + 99] == 'x' && p[2 * mb + 100] == 0);
	CHECK(p[2 * mb + 4195] == 0 && p[2 * mb + 4196] == 'x');
	CHECK(madvise(p + 2 * mb + 8192, 4096, MADV_REMOVE) == 0);
	CHECK(pread(fd, b, 2, 2 * mb + 8192) == 2 && !b[0] && !b[1]);
	CHECK(p[2 * mb + 12288] == 'x' && p[2 * mb + 8191] == 'x');
	CHECK(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			2 * mb + 12288, 8192) == 0);
	CHECK(p[2 * mb + 12288] == 0 && p[2 * mb + 16000] == 0);
	CHECK(FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096), EOPNOTSUPP));
	CHECK(fsync(fd) == 0 && msync(p, 3 * (size_t)mb, MS_SYNC) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	CHECK(p[mb] == 'd' && p[2 * mb] == 'x'); /* memory is all there is */
	munmap(p, 3 * (size_t)mb);
	close(fd);
	unlink("holes");
}

static void nameless(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	struct stat st;
	char path[64], buf[8];

	if (!is_9p) {
		CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
		CHECK(write(fd, "tmp", 3) == 3);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		CHECK(has(path, "tmp")); /* opened again, without a name */
		close(fd);
	}
	write_file("gone", "still");
	fd = open("gone", O_RDWR);
	CHECK(unlink("gone") == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(read(fd, buf, 5) == 5 && !memcmp(buf, "still", 5));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(has(path, "still"));
	close(fd);
}

static void copies(void)
{
	off_t off = 2;
	loff_t io = 0, oo = 3;
	int in, out;

	write_file("src", "0123456789");
	in = open("src", O_RDONLY);
	out = open("dst", O_CREAT | O_TRUNC | O_RDWR, 0600);
	CHECK(sendfile(out, in, &off, 5) == 5 && off == 7);
	CHECK(has("dst", "23456") && lseek(in, 0, SEEK_CUR) == 0);
	CHECK(sendfile(out, in, NULL, 100) == 10);
	CHECK(has("dst", "234560123456789") && lseek(in, 0, SEEK_CUR) == 10);
	CHECK(copy_file_range(in, &io, out, &oo, 4, 0) == 4 && io == 4);
	CHECK(has("dst", "234012323456789"));
	CHECK(FAILS(sendfile(in, out, NULL, 1), EBADF));
	close(in);
	close(out);
	unlink("src");
	unlink("dst");
}

static void *make_many(void *arg)
{
	char name[32];
	long id = (long)arg;
	int i, fd;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "t%ld-%d", id, i);
		fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
		if (fd < 0 || write(fd, name, strlen(name)) < 0)
			return (void *)1;
		close(fd);
		if (!has(name, name) || unlink(name))
			return (void *)1;
		/* everybody fights for this one */
		fd = open("common", O_CREAT | O_RDWR, 0600);
		if (fd < 0)
			return (void *)1;
		close(fd);
		unlink("common");
	}
	return NULL;
}

static void together(void)
{
	pthread_t t[4];
	void *bad;
	long i;

	for (i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, make_many, (void *)i) == 0);
	for (i = 0; i < 4; i++)
		CHECK(pthread_join(t[i], &bad) == 0 && !bad);
}

static void devices(void)
{
	char buf[64];
	struct stat st;
	int fd = open("/dev/null", O_RDWR);
	char *p;

	CHECK(read(fd, buf, 9) == 0 && write(fd, buf, 9) == 9);
	CHECK(fstat(fd, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(st.st_rdev == makedev(1, 3) && !isatty(fd) && errno == ENOTTY);
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	memset(buf, 1, sizeof(buf));
	CHECK(read(fd, buf, 64) == 64 && !buf[0] && !buf[63]);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && p[7] == 0 && (p[7] = 3) == 3);
	munmap(p, 4096);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	CHECK(FAILS(write(fd, "x", 1), ENOSPC));
	close(fd);
	fd = open("/dev/urandom", O_RDONLY);
	CHECK(read(fd, buf, 32) == 32 && read(fd, buf + 32, 32) == 32);
	CHECK(memcmp(buf, buf + 32, 32));
	close(fd);
}

/* On Quire's root every change is refused; elsewhere there is nothing to try */
static void read_only_root(void)
{
	struct statfs fs;

	if (statfs("/", &fs) || !(fs.f_flags & 1))
		return;
	CHECK(FAILS(open("/newfile", O_CREAT | O_WRONLY, 0600), EROFS));
	CHECK(FAILS(open("/etc/passwd", O_RDWR), EROFS));
	CHECK(FAILS(mkdir("/newdir", 0700), EROFS));
	CHECK(FAILS(mkdir("/etc", 0700), EEXIST));
	CHECK(FAILS(unlink("/etc/passwd"), EROFS));
	CHECK(FAILS(unlink("/etc/nothing"), ENOENT));
	CHECK(FAILS(chmod("/etc/passwd", 0600), EROFS));
	CHECK(FAILS(access("/etc/passwd", W_OK), EROFS));
	CHECK(FAILS(rename("/etc/passwd", "/tmp/x"), EXDEV));
	CHECK(FAILS(rmdir("/tmp"), EBUSY));
	CHECK(FAILS(truncate("/etc/passwd", 0), EROFS));
}

int main(int argc, char **argv)
{
	struct statfs fs;

	snprintf(base, sizeof(base), "%s/files.%d", argc > 1 ? argv[1] : "/tmp",
		 getpid());
	umask(022);
	if (mkdir(base, 0700) || chdir(base) || statfs(base, &fs)) {
		perror(base);
		return 1;
	}
	is_9p = fs.f_type == 0x01021997; /* linux/magic.h */
	opening();
	appending();
	vectors();
	directories();
	links();
	renaming();
	attributes();
	descriptors();
	places();
	locks();
	shared_memory();
	if (!is_9p)
		holes();
	nameless();
	copies();
	together();
	devices();
	read_only_root();
	CHECK(chdir("/") == 0 && rmdir(base) == 0);
	return check_done();
}
