/* SPDX-License-Identifier: MIT */
/*
 * syscall_table.c - the table that entry.S calls through, made of
 * syscalls.tbl.  References are weak: a call that nothing defines is left
 * NULL by the linker and gets sys_ni_syscall at boot.
 */
#include "klib.h"

typedef long (*syscall_fn)(void);

#define SYSCALL(nr, name) long sys_##name(void) __attribute__((weak));
#include <syscalls.tbl>
#undef SYSCALL

syscall_fn syscall_table[512] = {
#define SYSCALL(nr, name) [nr] = sys_##name,
#include <syscalls.tbl>
#undef SYSCALL
};

long sys_ni_syscall(void);

void syscall_init(void);
void syscall_init(void)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(syscall_table); i++)
		if (!syscall_table[i])
			syscall_table[i] = sys_ni_syscall;
}
