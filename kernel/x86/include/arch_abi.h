/* SPDX-License-Identifier: MIT */
/*
 * arch_abi.h - what differs between processors in what user programs see:
 * numbers and layouts of x86-64 (section 2 of the manual pages, <asm/...> of
 * the user's headers).  What is the same everywhere but for the width of a
 * word is made of uaddr_t and sreg_t where it is used.
 */
#ifndef KERNEL_ARCH_ABI_H
#define KERNEL_ARCH_ABI_H

#include <quire/types.h>

#define ABI_MACHINE  "x86_64" /* uname(2) */
#define ABI_PLATFORM "x86_64" /* AT_PLATFORM */

/* ---------------------------------------------------------------- programs */

#define ABI_ELF_MACHINE 62u /* EM_X86_64 */
#define ABI_STACK_TOP	0x00007ffffffff000ull
#define ABI_USER_LIMIT	0x00007ffffffff000ull
#define ABI_PIE_BASE	0x0000555555554000ull
/* AT_MINSIGSTKSZ; 0: this processor's frames fit into MINSIGSTKSZ */
#define ABI_MINSIGSTKSZ 4096u

/* ------------------------------------------------------------------- times */

/* Whether the call that is being made has times of 32 bits. */
static inline bool abi_time32(void)
{
	return false;
}

/* ------------------------------------------------------------------- files */

#define O_DIRECT    040000u
#define O_LARGEFILE 0100000u
#define O_DIRECTORY 0200000u
#define O_NOFOLLOW  0400000u

#define F_GETLK64  5
#define F_SETLK64  6
#define F_SETLKW64 7

/* epoll_ctl(2) */
#define ABI_EPOLL_EVENT __attribute__((packed))

struct linux_stat { /* asm/stat.h, 144 bytes */
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "stat(2)");
/* What is there twice. */
static inline void abi_stat_extra(struct linux_stat *st)
{
	(void)st;
}

struct linux_statfs { /* statfs(2) on 64-bit machines */
	int64_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	int64_t namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "statfs(2)");

#endif
