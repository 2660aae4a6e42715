/* SPDX-License-Identifier: MIT */
/*
 * exec.h - starting programs, and what exec asks of the task code.
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include "task.h"

/*
 * Arguments and environment, gathered in kernel memory: argc + envc strings
 * one after the other, each with its NUL.
 */
struct exec_args {
	char *buf;
	size_t len, cap;
	unsigned argc, envc;
	size_t env_at; /* offset of the first environment string */
};
/* Append one string as an argument (all of these first) or environment
 * string: 0, -ENOMEM, -E2BIG. */
int exec_add_arg(struct exec_args *a, const char *s, size_t n);
int exec_add_env(struct exec_args *a, const char *s, size_t n);
void exec_free_args(struct exec_args *a);

/*
 * do_execve: replace the current task's program.  0: its user registers are
 * those of the new program.  -errno: nothing has changed, or (after the point
 * of no return) the task has been sent SIGKILL.  args stay the caller's.
 * May sleep; no lock held.
 */
int do_execve(int dirfd, const char *path, struct exec_args *args,
	      unsigned flags);

/* The processor's features, for AT_HWCAP and AT_HWCAP2 (its cpu.c) */
uaddr_t exec_hwcap(void);
uaddr_t exec_hwcap2(void);

/* ------------------------------------------- supplied by the task code */

/* End the other threads of the process and wait until they are gone; the
 * caller is then the leader.  0, or -EAGAIN when it is itself to die. */
int exec_dethread(void);
/*
 * The program is new: caught signals to default, alternate stack, pending
 * restart, rseq and robust list forgotten; FPU and TLS registers as at start;
 * a vfork parent goes on; comm and exe set (takes over the reference on exe).
 */
void exec_reset_task(const char *comm, struct file *exe);
/* Before the old address space goes: robust futexes, clear_child_tid. */
void futex_mm_release(struct task *t);

#endif
