/* SPDX-License-Identifier: MIT */
/*
 * sys_arm.c - the system calls that 32-bit ARM has and others have not: those
 * whose arguments come in another order or are only a word wide, the ones with
 * ARM's private numbers, and what the portable ones ask of arch_abi.h.
 *
 * Source: section 2 of the manual pages (syscall(2) for the pairs of
 * registers, cacheflush(2), statfs(2)), <asm/unistd.h> of the user's headers.
 */
#include <arch_abi.h>
#include <arch_regs.h>
#include "cpu.h"
#include "fs/fs.h"
#include "kerrno.h"
#include "kuser.h"
#include "proc.h"

#define FIRST_TIME64 403u

bool abi_time32(void)
{
	return task_regs(current)->ARM_r7 < FIRST_TIME64;
}

const char *abi_machine(void)
{
	return cpu_features.v7 ? "armv7l" : "armv6l";
}

const char *abi_platform(void)
{
	return cpu_features.v7 ? "v7l" : "v6l";
}

void kuser_install(char *page)
{
	memcpy(page + KUSER_SIGRETURN, kuser_sigreturn,
	       (size_t)(kuser_sigreturn_end - kuser_sigreturn));
	memcpy(page + KUSER_HELPERS, kuser_helpers,
	       (size_t)(kuser_helpers_end - kuser_helpers));
}

/* ------------------------------------------------------- private numbers */

#define PRIVATE_CALLS  0xf0000u
#define ARM_BREAKPOINT 1u
#define ARM_CACHEFLUSH 2u
#define ARM_USR26      3u
#define ARM_USR32      4u
#define ARM_SET_TLS    5u
#define ARM_GET_TLS    6u

/*
 * Code was written at [start, end): the instruction side is to see it.  Done
 * through the kernel's own mapping of each page, so that a hole or a page that
 * goes away meanwhile is no special case.
 */
static long cache_flush(uaddr_t start, uaddr_t end, uint32_t flags)
{
	struct mm_struct *mm = current->qt.mm;
	struct page *page;
	long err = 0;

	if (end < start || flags)
		return -EINVAL;
	if (!access_ok(start, end - start))
		return -EFAULT;
	start = K_ALIGN_DOWN(start, QUIRE_PAGE_SIZE);
	for (; start < end; start += QUIRE_PAGE_SIZE) {
		if (quire_get_user_pages(mm, start, 1, false, &page) != 1) {
			err = -EFAULT; /* the rest is done all the same */
			continue;
		}
		quire_host_sync_icache(quire_page_address(the_quire, page),
				       QUIRE_PAGE_SIZE);
		quire_page_put(the_quire, page);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return err;
}

static long breakpoint(struct pt_regs *regs)
{
	struct ksiginfo info = {.signo = SIGTRAP,
				.code = 1 /* TRAP_BRKPT */,
				.addr = regs_ip(regs)};

	force_signal(current, &info);
	return (long)regs->ARM_r0;
}

/*
 * Calls from 0xf0000 up, from entry.S: the number is in r7.  The first 0x800
 * are ARM's, whether they exist or not; others are no calls at all.
 */
long arm_syscall(struct pt_regs *regs);
long arm_syscall(struct pt_regs *regs)
{
	struct ksiginfo ill = {.signo = SIGILL, .code = 4 /* ILL_ILLTRP */};
	struct task *t = current;
	uint32_t nr = regs->ARM_r7 - PRIVATE_CALLS;

	if (nr >= 0x800) {
		ill.addr = regs_ip(regs) - (regs->ARM_cpsr & PSR_T_BIT ? 2 : 4);
		force_signal(t, &ill);
		return (long)regs->ARM_r0;
	}
	switch (nr) {
	case ARM_BREAKPOINT:
		return breakpoint(regs);
	case ARM_CACHEFLUSH:
		return cache_flush(regs->ARM_r0, regs->ARM_r1, regs->ARM_r2);
	case ARM_USR26: /* there is no 26-bit mode to go to */
	case ARM_USR32:
		return (long)regs->ARM_r0;
	case ARM_SET_TLS:
		t->arch.tp = regs->ARM_r0;
		write_tpidruro(t->arch.tp);
		return 0;
	case ARM_GET_TLS:
		return (long)t->arch.tp;
	}
	return -ENOSYS;
}

/* ----------------------------------------------- offsets that are words */

long sys_llseek(int fd, uint32_t high, uint32_t low, uaddr_t uresult,
		int whence);
long sys_llseek(int fd, uint32_t high, uint32_t low, uaddr_t uresult,
		int whence)
{
	int64_t pos =
		vfs_llseek(fd, (int64_t)((uint64_t)high << 32 | low), whence);

	return pos < 0 ? (long)pos : put_user(pos, uresult);
}

long sys_truncate(uaddr_t upath, int64_t length);
long sys_truncate_word(uaddr_t upath, long length);
long sys_truncate_word(uaddr_t upath, long length)
{
	return sys_truncate(upath, length);
}

long sys_ftruncate(int fd, int64_t length);
long sys_ftruncate_word(int fd, long length);
long sys_ftruncate_word(int fd, long length)
{
	return sys_ftruncate(fd, length);
}

long sys_sendfile_word(int ofd, int ifd, uaddr_t upos, size_t n);
long sys_sendfile_word(int ofd, int ifd, uaddr_t upos, size_t n)
{
	uint64_t pos;
	int32_t word;
	long ret;

	if (upos && get_user(&word, upos))
		return -EFAULT;
	if (upos && word < 0)
		return -EINVAL;
	pos = upos ? (uint64_t)word : 0;
	ret = file_send(ofd, ifd, upos ? &pos : NULL, n);
	word = (int32_t)pos;
	return ret > 0 && upos && put_user(word, upos) ? -EFAULT : ret;
}

/* -------------------------------------------- 64-bit arguments first */

long sys_fadvise64(int fd, int64_t off, int64_t len, int advice);
long sys_fadvise64_advice_first(int fd, int advice, int64_t off, int64_t len);
long sys_fadvise64_advice_first(int fd, int advice, int64_t off, int64_t len)
{
	return sys_fadvise64(fd, off, len, advice);
}

long sys_sync_file_range(int fd, int64_t off, int64_t n, unsigned flags);
long sys_sync_file_range_flags_first(int fd, unsigned flags, int64_t off,
				     int64_t n);
long sys_sync_file_range_flags_first(int fd, unsigned flags, int64_t off,
				     int64_t n)
{
	return sys_sync_file_range(fd, off, n, flags);
}

/* -------------------------------------------------------------- sockets */

long sys_sendto(int fd, uaddr_t ubuf, size_t n, unsigned flags, uaddr_t uaddr,
		unsigned len);
long sys_send(int fd, uaddr_t ubuf, size_t n, unsigned flags);
long sys_send(int fd, uaddr_t ubuf, size_t n, unsigned flags)
{
	return sys_sendto(fd, ubuf, n, flags, 0, 0);
}

long sys_recvfrom(int fd, uaddr_t ubuf, size_t n, unsigned flags, uaddr_t uaddr,
		  uaddr_t ulen);
long sys_recv(int fd, uaddr_t ubuf, size_t n, unsigned flags);
long sys_recv(int fd, uaddr_t ubuf, size_t n, unsigned flags)
{
	return sys_recvfrom(fd, ubuf, n, flags, 0, 0);
}

/* --------------------------------------------------------------- statfs */

/* The size that a program compiled for the EABI gives: its alignment of the
 * 64-bit members makes four bytes of padding at the end. */
static bool statfs64_size(size_t size)
{
	return size == sizeof(struct linux_statfs) ||
	       size == sizeof(struct linux_statfs) + 4;
}

long sys_statfs(uaddr_t upath, uaddr_t ubuf);
long sys_statfs64(uaddr_t upath, size_t size, uaddr_t ubuf);
long sys_statfs64(uaddr_t upath, size_t size, uaddr_t ubuf)
{
	return statfs64_size(size) ? sys_statfs(upath, ubuf) : -EINVAL;
}

long sys_fstatfs(int fd, uaddr_t ubuf);
long sys_fstatfs64(int fd, size_t size, uaddr_t ubuf);
long sys_fstatfs64(int fd, size_t size, uaddr_t ubuf)
{
	return statfs64_size(size) ? sys_fstatfs(fd, ubuf) : -EINVAL;
}

struct narrow_statfs {
	uint32_t type, bsize, blocks, bfree, bavail, files, ffree;
	int32_t fsid[2];
	uint32_t namelen, frsize, flags, spare[4];
};

static long put_narrow_statfs(struct super *sb, uaddr_t ubuf)
{
	struct kstatfs k;
	struct narrow_statfs s = {0};
	int err = vfs_statfs(sb, &k);

	if (err)
		return err;
	if ((k.blocks | k.bfree | k.bavail | k.files | k.ffree) > UINT32_MAX)
		return -EOVERFLOW;
	s.type = (uint32_t)k.type;
	s.bsize = s.frsize = (uint32_t)k.bsize;
	s.blocks = (uint32_t)k.blocks;
	s.bfree = (uint32_t)k.bfree;
	s.bavail = (uint32_t)k.bavail;
	s.files = (uint32_t)k.files;
	s.ffree = (uint32_t)k.ffree;
	s.fsid[0] = (int32_t)(sb ? sb->dev : 0);
	s.namelen = (uint32_t)k.namelen;
	s.flags = vfs_statfs_flags(sb);
	return put_user(s, ubuf);
}

long sys_statfs_narrow(uaddr_t upath, uaddr_t ubuf);
long sys_statfs_narrow(uaddr_t upath, uaddr_t ubuf)
{
	return statfs_path(upath, put_narrow_statfs, ubuf);
}

long sys_fstatfs_narrow(int fd, uaddr_t ubuf);
long sys_fstatfs_narrow(int fd, uaddr_t ubuf)
{
	return statfs_fd(fd, put_narrow_statfs, ubuf);
}
