/* SPDX-License-Identifier: MIT */
/*
 * arch_abi.h - what differs between processors in what user programs see:
 * numbers and layouts of 32-bit ARM's EABI (section 2 of the manual pages,
 * <asm/...> of the user's headers).  What is the same everywhere but for the
 * width of a word is made of uaddr_t and sreg_t where it is used.
 */
#ifndef KERNEL_ARCH_ABI_H
#define KERNEL_ARCH_ABI_H

#include <quire/types.h>

/* uname(2)'s machine and AT_PLATFORM: by the processor (sys_arm.c) */
const char *abi_machine(void);
const char *abi_platform(void);
#define ABI_MACHINE  abi_machine()
#define ABI_PLATFORM abi_platform()

/* ---------------------------------------------------------------- programs */

#define ABI_ELF_MACHINE 40u /* EM_ARM */
/* User space ends at 0xbf000000; a page below it stays free, so that no
 * access that begins on the stack runs out of it. */
#define ABI_STACK_TOP	0xbefff000u
#define ABI_USER_LIMIT	0xbefff000u
#define ABI_PIE_BASE	0x00400000u
#define ABI_MINSIGSTKSZ 0u

/* ------------------------------------------------------------------- times */

/*
 * Whether the call that is being made has times of 32 bits: those with times
 * of 64 bits came late, with the numbers from 403 on, and every call since
 * has no others.
 */
bool abi_time32(void);

/* ------------------------------------------------------------------- files */

#define O_DIRECTORY 040000u
#define O_NOFOLLOW  0100000u
#define O_DIRECT    0200000u
#define O_LARGEFILE 0400000u

#define F_GETLK64  12
#define F_SETLK64  13
#define F_SETLKW64 14

/* epoll_ctl(2) */
#define ABI_EPOLL_EVENT

struct linux_stat { /* struct stat64 of asm/stat.h, 104 bytes */
	uint64_t dev;
	uint32_t pad0, ino32, mode, nlink, uid, gid;
	uint64_t rdev;
	uint32_t pad1;
	int64_t size;
	uint32_t blksize;
	uint64_t blocks;
	uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	uint64_t ino;
};
_Static_assert(sizeof(struct linux_stat) == 104, "stat64");
/* What is there twice. */
static inline void abi_stat_extra(struct linux_stat *st)
{
	st->ino32 = (uint32_t)st->ino;
}

struct linux_statfs { /* struct statfs64, 84 bytes */
	uint32_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	uint32_t namelen, frsize, flags, spare[4];
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct linux_statfs) == 84, "statfs64");

#endif
