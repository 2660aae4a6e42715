/* SPDX-License-Identifier: MIT */
/*
 * sys_mm.c - the memory system calls: Quire has Linux's arguments and results,
 * so most of them only fetch the address space and the file.
 */
#include "kerrno.h"
#include "task.h"
#include "vfs.h"

#define PAGE 4096u

static struct mm_struct *mm_here(void)
{
	return current->qt.mm;
}

/* Map from byte `off` of a file; mmap(2)'s results. */
static long do_mmap(uaddr_t addr, uaddr_t len, unsigned prot, unsigned flags,
		    int fd, uint64_t off)
{
	struct file *f;
	long r;

	if (flags & MAP_ANONYMOUS)
		return quire_mmap(mm_here(), addr, len, prot, flags, NULL, off);
	f = fget(fd);
	if (!f)
		return -EBADF;
	r = quire_mmap(mm_here(), addr, len, prot, flags, &f->qf, off);
	fput(f);
	return r;
}

long sys_mmap(uaddr_t addr, uaddr_t len, unsigned prot, unsigned flags, int fd,
	      uaddr_t off);
long sys_mmap(uaddr_t addr, uaddr_t len, unsigned prot, unsigned flags, int fd,
	      uaddr_t off)
{
	return off & (PAGE - 1) ? -EINVAL
				: do_mmap(addr, len, prot, flags, fd, off);
}

/* The same with an offset in pages: where a word has 32 bits. */
long sys_mmap2(uaddr_t addr, uaddr_t len, unsigned prot, unsigned flags, int fd,
	       uaddr_t pages);
long sys_mmap2(uaddr_t addr, uaddr_t len, unsigned prot, unsigned flags, int fd,
	       uaddr_t pages)
{
	return do_mmap(addr, len, prot, flags, fd, (uint64_t)pages * PAGE);
}

long sys_munmap(uaddr_t addr, uaddr_t len);
long sys_munmap(uaddr_t addr, uaddr_t len)
{
	return quire_munmap(mm_here(), addr, len);
}

long sys_brk(uaddr_t brk);
long sys_brk(uaddr_t brk)
{
	return (long)quire_brk(mm_here(), brk);
}

long sys_mprotect(uaddr_t addr, uaddr_t len, unsigned prot);
long sys_mprotect(uaddr_t addr, uaddr_t len, unsigned prot)
{
	return quire_mprotect(mm_here(), addr, len, prot);
}

/* No protection keys here: as on a processor without them (pkeys(7)). */
long sys_pkey_mprotect(uaddr_t addr, uaddr_t len, unsigned prot, int pkey);
long sys_pkey_mprotect(uaddr_t addr, uaddr_t len, unsigned prot, int pkey)
{
	return pkey == -1 ? quire_mprotect(mm_here(), addr, len, prot)
			  : -EINVAL;
}

long sys_pkey_alloc(unsigned flags, unsigned rights);
long sys_pkey_alloc(unsigned flags, unsigned rights)
{
	return flags || rights > 3 ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(int pkey);
long sys_pkey_free(int pkey)
{
	(void)pkey;
	return -EINVAL;
}

long sys_mremap(uaddr_t addr, uaddr_t old_len, uaddr_t new_len, unsigned flags,
		uaddr_t new_addr);
long sys_mremap(uaddr_t addr, uaddr_t old_len, uaddr_t new_len, unsigned flags,
		uaddr_t new_addr)
{
	return quire_mremap(mm_here(), addr, old_len, new_len, flags, new_addr);
}

long sys_madvise(uaddr_t addr, uaddr_t len, int advice);
long sys_madvise(uaddr_t addr, uaddr_t len, int advice)
{
	return quire_madvise(mm_here(), addr, len, advice);
}

long sys_msync(uaddr_t addr, uaddr_t len, int flags);
long sys_msync(uaddr_t addr, uaddr_t len, int flags)
{
	return quire_msync(mm_here(), addr, len, flags);
}

long sys_mincore(uaddr_t addr, uaddr_t len, uaddr_t uvec);
long sys_mincore(uaddr_t addr, uaddr_t len, uaddr_t uvec)
{
	uaddr_t pages = (uaddr_t)(((uint64_t)len + PAGE - 1) / PAGE), n;
	unsigned char *vec;
	int err = 0;

	/* in this order, mincore(2)'s errors */
	if (addr & (PAGE - 1))
		return -EINVAL;
	if (!access_ok(addr, len))
		return -ENOMEM;
	if (!access_ok(uvec, pages))
		return -EFAULT;
	vec = kmalloc(PAGE);
	if (!vec)
		return -EAGAIN;
	while (pages && !err) {
		n = K_MIN(pages, PAGE);
		err = quire_mincore(mm_here(), addr, n * PAGE, vec);
		if (!err && copy_to_user(uvec, vec, n))
			err = -EFAULT;
		pages -= n;
		addr += n * PAGE;
		uvec += n;
	}
	kfree(vec);
	return err;
}

long sys_mlock(uaddr_t addr, uaddr_t len);
long sys_mlock(uaddr_t addr, uaddr_t len)
{
	return quire_mlock(mm_here(), addr, len, 0);
}

long sys_mlock2(uaddr_t addr, uaddr_t len, int flags);
long sys_mlock2(uaddr_t addr, uaddr_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return quire_mlock(mm_here(), addr, len, flags);
}

long sys_munlock(uaddr_t addr, uaddr_t len);
long sys_munlock(uaddr_t addr, uaddr_t len)
{
	return quire_munlock(mm_here(), addr, len);
}

long sys_mlockall(int flags);
long sys_mlockall(int flags)
{
	return quire_mlockall(mm_here(), flags);
}

long sys_munlockall(void);
long sys_munlockall(void)
{
	return quire_munlockall(mm_here());
}

/* ------------------------------------------------------------- membarrier */

/* membarrier(2): commands */
#define MB_QUERY		      0
#define MB_GLOBAL		      1
#define MB_GLOBAL_EXPEDITED	      2
#define MB_REGISTER_GLOBAL_EXPEDITED  4
#define MB_PRIVATE_EXPEDITED	      8
#define MB_REGISTER_PRIVATE_EXPEDITED 16
#define MB_ALL			      31

static void mb_func(void *arg)
{
	(void)arg;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

long sys_membarrier(int cmd, unsigned flags, int cpu);
long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	cpumask_t others;

	(void)cpu;
	if (flags)
		return -EINVAL;
	switch (cmd) {
	case MB_QUERY:
		return MB_ALL;
	case MB_REGISTER_GLOBAL_EXPEDITED:
	case MB_REGISTER_PRIVATE_EXPEDITED:
		current->proc->membarrier |= (uint32_t)cmd;
		return 0;
	case MB_PRIVATE_EXPEDITED:
		if (!(current->proc->membarrier &
		      MB_REGISTER_PRIVATE_EXPEDITED))
			return -EPERM;
		break;
	case MB_GLOBAL:
	case MB_GLOBAL_EXPEDITED:
		break;
	default:
		return -EINVAL;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	others = (((cpumask_t)1 << nr_cpus()) - 1) &
		 ~((cpumask_t)1 << quire_host_cpu());
	if (others)
		quire_host_cpu_call(others, mb_func, NULL);
	return 0;
}
