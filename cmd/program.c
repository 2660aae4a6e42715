/* SPDX-License-Identifier: MIT */
/*
 * Finds the program that `quire run` is to run, and says in one line why a
 * file will not run, before a machine is started.
 *
 *	name -- in $PATH? -- in the root? -- a file, executable? --+
 *	                                                          |
 *	   ELF: its headers, then its interpreter (ld.so)  <------+
 *	   #!:  its interpreter, which must be there       <------+
 *
 * The kernel looks again when it execs; what it sees is the same files.
 */
#define _GNU_SOURCE
#include "cmd/program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/elf.h"
#include "cmd/init_record.h"

#define HEAD_BYTES  65536u /* of a file, for its headers */
#define MAX_SCRIPTS 4u	   /* whose interpreters are scripts: as Linux */
#define DEFAULT_PATH                                                           \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Open `path` as a process whose root is `root` would.  A descriptor or -1
 * with errno. */
static int open_in_root(const char *root, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_IN_ROOT,
	};
	int dir, fd, err;

	if (strcmp(root, "/") == 0)
		return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS) /* before Linux 5.6: links may escape */
		fd = openat(dir, path + strspn(path, "/"),
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	err = errno;
	close(dir);
	errno = err;
	return fd;
}

/* As open_in_root, with --share's directory where it will be mounted. */
static int open_guest(const struct run_options *o, const char *path)
{
	if (o->share &&
	    strncmp(path, SHARE_MOUNT "/", sizeof(SHARE_MOUNT)) == 0)
		return open_in_root(o->share, path + sizeof(SHARE_MOUNT) - 1);
	return open_in_root(o->root, path);
}

static bool exists(const struct run_options *o, const char *path)
{
	int fd = open_guest(o, path);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == EACCES;
}

static int cannot_run(const char *path, const char *why)
{
	complain("%s: %s", path, why);
	return EXIT_CANNOT_RUN;
}

static int check_interpreter(const struct run_options *o, const char *path,
			     const char *interp)
{
	if (interp[0] == '/' && exists(o, interp))
		return 0;
	complain("%s: its interpreter %s is not there", path, interp);
	return EXIT_NOT_FOUND;
}

static int judge_file(const struct run_options *o, const char *path, int fd,
		      unsigned depth, struct found_program *found);

/* The interpreter is judged as a program: it is what says which machine. */
static int judge_script(const struct run_options *o, const char *path,
			const char *head, size_t n, unsigned depth,
			struct found_program *found)
{
	char interp[256];
	size_t at = 2, len = 0;
	int status, fd;

	while (at < n && (head[at] == ' ' || head[at] == '\t'))
		at++;
	while (at < n && !strchr(" \t\r\n", head[at]) &&
	       len < sizeof(interp) - 1)
		interp[len++] = head[at++];
	interp[len] = '\0';
	status = check_interpreter(o, path, interp);
	if (status != 0)
		return status;
	if (depth == MAX_SCRIPTS)
		return cannot_run(path, "too many interpreters in a row");
	fd = open_guest(o, interp);
	if (fd < 0)
		return cannot_run(interp, strerror(errno));
	return judge_file(o, interp, fd, depth + 1, found);
}

static int other_machine(const char *path, unsigned machine)
{
	const char *name = elf_machine_name(machine);

	complain("%s: a program for %s; quire runs %s and %s programs", path,
		 name ? name : "another machine", board_of(ARCH_X86_64)->runs,
		 board_of(ARCH_ARMV7)->runs);
	return EXIT_CANNOT_RUN;
}

/*
 * Which machine runs it: the one that was asked for, if it can.  An ARM
 * program gets the newer one by default, which also runs what was made for
 * ARMv6 and older.
 */
static int settle_machine(const struct run_options *o, const char *path,
			  const struct elf_summary *s,
			  struct found_program *found)
{
	bool arm = s->machine == ELF_ARM;

	found->arch = arm ? ARCH_ARMV7 : ARCH_X86_64;
	found->hard_float = arm && s->flags & ELF_ARM_HARD_FLOAT;
	if (o->arch == ARCH_FROM_PROGRAM)
		return 0;
	if (arm == (o->arch == ARCH_X86_64)) {
		complain("%s: a program for %s; --arch %s runs %s", path,
			 elf_machine_name(s->machine), board_of(o->arch)->name,
			 board_of(o->arch)->runs);
		return EXIT_CANNOT_RUN;
	}
	found->arch = o->arch;
	return 0;
}

static int judge_elf(const struct run_options *o, const char *path,
		     const uint8_t *head, size_t n, uint64_t size,
		     struct found_program *found)
{
	struct elf_summary s;
	unsigned machine;
	char interp[4096];
	int status;

	switch (elf_read(head, n, size, &s, &machine)) {
	case ELF_FINE:
		break;
	case ELF_NOT_ELF:
		return cannot_run(path, "not an ELF program nor a #! script");
	case ELF_CUT_SHORT:
		return cannot_run(path, "an ELF file that is cut short");
	case ELF_NOT_A_PROGRAM:
		return cannot_run(path, "an ELF file, but not a program");
	case ELF_BROKEN_HEADERS:
		return cannot_run(path, "its ELF headers make no sense");
	case ELF_OTHER_MACHINE:
		return other_machine(path, machine);
	}
	status = settle_machine(o, path, &s, found);
	if (status != 0 || s.interp_len == 0)
		return status;
	if (s.interp_offset + s.interp_len > n)
		return 0; /* far into the file; the kernel will look */
	memcpy(interp, head + s.interp_offset, (size_t)s.interp_len);
	interp[s.interp_len - 1] = '\0';
	return check_interpreter(o, path, interp);
}

/* Read up to cap bytes from the start; the count, or -1. */
static ssize_t read_head(int fd, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = pread(fd, buf + n, cap - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* Judge an open file; closes it. */
static int judge_file(const struct run_options *o, const char *path, int fd,
		      unsigned depth, struct found_program *found)
{
	uint8_t *head = xmalloc(HEAD_BYTES);
	struct stat st;
	ssize_t n = 0;
	int status;

	if (fstat(fd, &st) != 0)
		status = cannot_run(path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		status = cannot_run(path, "a directory");
	else if (!S_ISREG(st.st_mode))
		status = cannot_run(path, "not a regular file");
	else if (!(st.st_mode & 0111))
		status = cannot_run(path, "not executable (see chmod +x)");
	else if ((n = read_head(fd, head, HEAD_BYTES)) < 0)
		status = cannot_run(path, strerror(errno));
	else if (n >= 2 && head[0] == '#' && head[1] == '!')
		status = judge_script(o, path, (char *)head, (size_t)n, depth,
				      found);
	else
		status = judge_elf(o, path, head, (size_t)n,
				   (uint64_t)st.st_size, found);
	free(head);
	close(fd);
	return status;
}

/* The directory in *list (as in $PATH) and the rest; NULL at the end. */
static char *next_directory(const char **list)
{
	const char *start = *list;
	size_t len;

	if (!start)
		return NULL;
	len = strcspn(start, ":");
	*list = start[len] ? start + len + 1 : NULL;
	return xasprintf("%.*s", (int)len, start);
}

/* A path from cwd, or itself when it is absolute; malloc'ed. */
static char *from_directory(const char *cwd, const char *path)
{
	size_t n = strlen(cwd);

	if (path[0] == '/')
		return xasprintf("%s", path);
	if (n > 0 && cwd[n - 1] == '/')
		n--;
	return xasprintf("%.*s/%s", (int)n, cwd, path);
}

static int search(const struct run_options *o, const char *list,
		  const char *cwd, struct found_program *found)
{
	const char *name = o->program[0];
	char *dir;

	while ((dir = next_directory(&list))) {
		char *word = xasprintf("%s%s%s", dir, dir[0] ? "/" : "", name);
		char *p = from_directory(cwd, word);
		int fd = open_guest(o, p);
		struct stat st;

		free(dir);
		free(word);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    (st.st_mode & 0111)) {
			found->path = p;
			return judge_file(o, p, fd, 0, found);
		}
		if (fd >= 0)
			close(fd);
		free(p);
	}
	complain("%s: not found in the search path", name);
	return EXIT_NOT_FOUND;
}

int find_program(const struct run_options *o, const char *search_path,
		 const char *cwd, struct found_program *found)
{
	const char *name = o->program[0];
	int fd, status;

	*found = (struct found_program){NULL, ARCH_FROM_PROGRAM, false};
	if (!strchr(name, '/')) {
		status = search(o, search_path ? search_path : DEFAULT_PATH,
				cwd, found);
	} else {
		found->path = from_directory(cwd, name);
		fd = open_guest(o, found->path);
		if (fd >= 0) {
			status = judge_file(o, found->path, fd, 0, found);
		} else {
			status = errno == EACCES ? EXIT_CANNOT_RUN
						 : EXIT_NOT_FOUND;
			complain("%s: %s", name, strerror(errno));
		}
	}
	if (status != 0) {
		free(found->path);
		found->path = NULL;
	}
	return status;
}
