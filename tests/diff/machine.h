/* SPDX-License-Identifier: MIT */
/*
 * What replay_linux.c needs of the processor and of its Linux: system calls
 * that leave errno and all memory but their arguments alone, and jumping to an
 * address.  In 32-bit ABIs a file offset is two words, in ARM's from an even
 * register on (syscall(2)); mmap2() counts its offset in pages of 4096 bytes.
 * A call's result is the kernel's: an errno is negative.
 */
#ifndef DIFF_MACHINE_H
#define DIFF_MACHINE_H

#include <errno.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where user addresses end. */
#if defined(__arm__)
#define USER_TOP 0xbf000000ull
#elif defined(__i386__)
#define USER_TOP 0xc0000000ull
#else
#define USER_TOP 0x7ffffffff000ull
#endif

#if defined(__x86_64__)

static inline long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long call_mmap(uint64_t addr, uint64_t len, unsigned prot,
			     unsigned flags, int fd, uint64_t offset)
{
	return call(SYS_mmap, addr, len, prot, flags, (uint64_t)fd, offset);
}
static inline long call_pread(int fd, uint64_t buf, uint64_t n, uint64_t offset)
{
	return call(SYS_pread64, (uint64_t)fd, buf, n, offset, 0, 0);
}
static inline long call_pwrite(int fd, uint64_t buf, uint64_t n,
			       uint64_t offset)
{
	return call(SYS_pwrite64, (uint64_t)fd, buf, n, offset, 0, 0);
}
static inline long call_ftruncate(int fd, uint64_t size)
{
	return call(SYS_ftruncate, (uint64_t)fd, size, 0, 0, 0, 0);
}
static inline long call_fallocate(int fd, unsigned mode, uint64_t offset,
				  uint64_t len)
{
	return call(SYS_fallocate, (uint64_t)fd, mode, offset, len, 0, 0);
}

#else

/* args: the number, then six arguments. */
long raw_call(const uint32_t *args);
#if defined(__i386__)
__asm__(".pushsection .text\n"
	"raw_call:\n"
	"	push	%ebp\n"
	"	push	%ebx\n"
	"	push	%esi\n"
	"	push	%edi\n"
	"	mov	20(%esp), %edi\n"
	"	mov	0(%edi), %eax\n"
	"	mov	4(%edi), %ebx\n"
	"	mov	8(%edi), %ecx\n"
	"	mov	12(%edi), %edx\n"
	"	mov	16(%edi), %esi\n"
	"	mov	24(%edi), %ebp\n"
	"	mov	20(%edi), %edi\n"
	"	int	$0x80\n"
	"	pop	%edi\n"
	"	pop	%esi\n"
	"	pop	%ebx\n"
	"	pop	%ebp\n"
	"	ret\n"
	".popsection\n");
#define PAIR_PAD
#else
__asm__(".pushsection .text\n"
	"	.arm\n"
	"raw_call:\n"
	"	push	{r4-r8, lr}\n"
	"	mov	r8, r0\n"
	"	ldr	r7, [r8]\n"
	"	ldmib	r8, {r0-r5}\n"
	"	svc	#0\n"
	"	pop	{r4-r8, pc}\n"
	".popsection\n");
#define PAIR_PAD 0,
#endif

static inline long call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			uint64_t e, uint64_t f)
{
	uint32_t args[] = {(uint32_t)nr, (uint32_t)a, (uint32_t)b, (uint32_t)c,
			   (uint32_t)d,	 (uint32_t)e, (uint32_t)f};

	return raw_call(args);
}

static inline long call_words(const uint32_t *words)
{
	return raw_call(words);
}

static inline long call_mmap(uint64_t addr, uint64_t len, unsigned prot,
			     unsigned flags, int fd, uint64_t offset)
{
	if (offset & 4095) /* mmap2() cannot be asked for it */
		return -EINVAL;
	return call(SYS_mmap2, addr, len, prot, flags, (uint64_t)fd,
		    offset >> 12);
}

static inline long call_pread(int fd, uint64_t buf, uint64_t n, uint64_t offset)
{
	const uint32_t words[8] = {SYS_pread64,
				   (uint32_t)fd,
				   (uint32_t)buf,
				   (uint32_t)n,
				   PAIR_PAD(uint32_t) offset,
				   (uint32_t)(offset >> 32)};

	return call_words(words);
}

static inline long call_pwrite(int fd, uint64_t buf, uint64_t n,
			       uint64_t offset)
{
	const uint32_t words[8] = {SYS_pwrite64,
				   (uint32_t)fd,
				   (uint32_t)buf,
				   (uint32_t)n,
				   PAIR_PAD(uint32_t) offset,
				   (uint32_t)(offset >> 32)};

	return call_words(words);
}

static inline long call_ftruncate(int fd, uint64_t size)
{
	const uint32_t words[8] = {SYS_ftruncate64, (uint32_t)fd,
				   PAIR_PAD(uint32_t) size,
				   (uint32_t)(size >> 32)};

	return call_words(words);
}

static inline long call_fallocate(int fd, unsigned mode, uint64_t offset,
				  uint64_t len)
{
	/* two pairs from an even register on: no padding in either ABI */
	const uint32_t words[8] = {SYS_fallocate,
				   (uint32_t)fd,
				   mode,
				   (uint32_t)offset,
				   (uint32_t)(offset >> 32),
				   (uint32_t)len,
				   (uint32_t)(len >> 32)};

	return call_words(words);
}

#endif

/*
 * One byte.  Not through RBP, which a compiler may choose: that is an access to
 * the stack segment, whose bad addresses are another exception (SIGBUS).
 */
static inline unsigned char load(volatile unsigned char *p)
{
#if defined(__x86_64__)
	unsigned char v;

	__asm__ volatile("movb (%1), %0" : "=q"(v) : "S"(p) : "memory");
	return v;
#else
	return *p;
#endif
}
static inline void store(volatile unsigned char *p, unsigned char v)
{
#if defined(__x86_64__)
	__asm__ volatile("movb %0, (%1)" ::"q"(v), "D"(p) : "memory");
#else
	*p = v;
#endif
}

/* Call the function at p. */
static inline void call_code(volatile unsigned char *p)
{
#if defined(__arm__)
	/* written through the data cache perhaps */
	__builtin___clear_cache((char *)(uintptr_t)p, (char *)(uintptr_t)p + 8);
	__asm__ volatile("blx %0" ::"r"(p) : "r0", "lr", "memory");
#else
	__asm__ volatile("call *%0" ::"r"(p) : "memory");
#endif
}

#if defined(__i386__)
/* On a 64-bit kernel an i386 program has 4 GiB; the other systems' have 3. */
__attribute__((constructor)) static void three_gigabytes(int argc, char **argv,
							 char **envp)
{
	int now = personality(0xffffffff);

	(void)argc;
	if (now & ADDR_LIMIT_3GB)
		return;
	personality((unsigned long)(unsigned)now | ADDR_LIMIT_3GB);
	execve("/proc/self/exe", argv, envp);
}
#endif

#endif
