/* SPDX-License-Identifier: MIT */
/*
 * check.h - the frame of the programs that test the kernel from the inside.
 * Each is one static Linux program: it also runs on the host, where it has to
 * pass too.  Its last line is "N passed, N failed".
 */
#ifndef TESTS_KERNEL_CHECK_H
#define TESTS_KERNEL_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int check_passed, check_failed;

#define CHECK(c)                                                               \
	do {                                                                   \
		if (c) {                                                       \
			check_passed++;                                        \
		} else {                                                       \
			check_failed++;                                        \
			printf("FAIL %s:%d: %s (errno %d)\n", __FILE__,        \
			       __LINE__, #c, errno);                           \
		}                                                              \
	} while (0)

static inline int check_done(void)
{
	printf("%d passed, %d failed\n", check_passed, check_failed);
	return check_failed != 0;
}

/* Run in a child; its wait status. */
#define IN_CHILD(...)                                                          \
	({                                                                     \
		int status_ = -1;                                              \
		pid_t child_;                                                  \
		fflush(stdout);                                                \
		child_ = fork();                                               \
		if (child_ == 0) {                                             \
			__VA_ARGS__;                                           \
			_exit(0);                                              \
		}                                                              \
		if (waitpid(child_, &status_, 0) != child_)                    \
			status_ = -1;                                          \
		status_;                                                       \
	})

#endif
