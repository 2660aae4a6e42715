/* SPDX-License-Identifier: MIT */
/*
 * Linux's numbers, under Linux's names, so that a kernel with a Linux ABI can
 * pass its system-call arguments straight through and a reader of Linux is at
 * home.  Sources: the man pages mmap(2), mremap(2), madvise(2), msync(2),
 * getrlimit(2), errno(3), sigaction(2) and the asm-generic ABI they describe.
 * Every name is guarded, because a hosted build may have its C library's.
 */
#ifndef QUIRE_LINUX_H
#define QUIRE_LINUX_H

/* errno(3); only those that Quire returns */
#ifndef EPERM
#define EPERM	1
#define ENOENT	2
#define ESRCH	3
#define EINTR	4
#define EIO	5
#define ENXIO	6
#define E2BIG	7
#define ENOEXEC 8
#define EBADF	9
#define ECHILD	10
#define EAGAIN	11
#define ENOMEM	12
#define EACCES	13
#define EFAULT	14
#define ENOTBLK 15
#define EBUSY	16
#define EEXIST	17
#define EXDEV	18
#define ENODEV	19
#define ENOTDIR 20
#define EISDIR	21
#define EINVAL	22
#define ENFILE	23
#define EMFILE	24
#define ENOTTY	25
#define ETXTBSY 26
#define EFBIG	27
#define ENOSPC	28
#define ESPIPE	29
#define EROFS	30
#define EMLINK	31
#define EPIPE	32
#define EDOM	33
#define ERANGE	34
#endif
#ifndef ENOSYS
#define ENOSYS 38
#endif
#ifndef EOVERFLOW
#define EOVERFLOW 75
#endif
#ifndef EOPNOTSUPP
#define EOPNOTSUPP 95
#endif
#ifndef EHWPOISON
#define EHWPOISON 133
#endif

/* mmap(2) */
#ifndef PROT_READ
#define PROT_READ      0x1
#define PROT_WRITE     0x2
#define PROT_EXEC      0x4
#define PROT_NONE      0x0
#define PROT_GROWSDOWN 0x01000000
#define PROT_GROWSUP   0x02000000
#endif
#ifndef PROT_SEM
#define PROT_SEM 0x8
#endif
#ifndef MAP_SHARED
#define MAP_SHARED  0x01
#define MAP_PRIVATE 0x02
#define MAP_FIXED   0x10
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MAP_TYPE
#define MAP_TYPE 0x0f
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS 0x20
#endif
#ifndef MAP_32BIT
#define MAP_32BIT 0x40
#endif
#ifndef MAP_GROWSDOWN
#define MAP_GROWSDOWN  0x00100
#define MAP_DENYWRITE  0x00800
#define MAP_EXECUTABLE 0x01000
#define MAP_LOCKED     0x02000
#define MAP_NORESERVE  0x04000
#define MAP_POPULATE   0x08000
#define MAP_NONBLOCK   0x10000
#define MAP_STACK      0x20000
#define MAP_HUGETLB    0x40000
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#define MAP_HUGE_MASK  0x3f
#endif

/* mremap(2) */
#ifndef MREMAP_MAYMOVE
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED   2
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* msync(2), mlock2(2), mlockall(2) */
#ifndef MS_ASYNC
#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC	      4
#endif
#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 0x01
#endif
#ifndef MCL_CURRENT
#define MCL_CURRENT 1
#define MCL_FUTURE  2
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

/* madvise(2) */
#ifndef MADV_NORMAL
#define MADV_NORMAL	 0
#define MADV_RANDOM	 1
#define MADV_SEQUENTIAL	 2
#define MADV_WILLNEED	 3
#define MADV_DONTNEED	 4
#define MADV_FREE	 8
#define MADV_REMOVE	 9
#define MADV_DONTFORK	 10
#define MADV_DOFORK	 11
#define MADV_MERGEABLE	 12
#define MADV_UNMERGEABLE 13
#define MADV_HUGEPAGE	 14
#define MADV_NOHUGEPAGE	 15
#define MADV_DONTDUMP	 16
#define MADV_DODUMP	 17
#define MADV_WIPEONFORK	 18
#define MADV_KEEPONFORK	 19
#define MADV_HWPOISON	 100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_COLD
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* posix_fadvise(2) */
#ifndef POSIX_FADV_NORMAL
#define POSIX_FADV_NORMAL     0
#define POSIX_FADV_RANDOM     1
#define POSIX_FADV_SEQUENTIAL 2
#define POSIX_FADV_WILLNEED   3
#define POSIX_FADV_DONTNEED   4
#define POSIX_FADV_NOREUSE    5
#endif

/* signal(7), sigaction(2): the codes a fault can end in */
#ifndef SIGTRAP
#define SIGTRAP 5
#endif
#ifndef SIGBUS
#define SIGBUS 7
#endif
#ifndef SIGKILL
#define SIGKILL 9
#endif
#ifndef SIGSEGV
#define SIGSEGV 11
#endif
#define QUIRE_SEGV_MAPERR   1
#define QUIRE_SEGV_ACCERR   2
#define QUIRE_SEGV_PKUERR   4
#define QUIRE_BUS_ADRALN    1
#define QUIRE_BUS_ADRERR    2
#define QUIRE_BUS_OBJERR    3
#define QUIRE_BUS_MCEERR_AR 4

/* getrlimit(2): indices into quire_limits.cur */
#define QUIRE_RLIMIT_DATA    2
#define QUIRE_RLIMIT_STACK   3
#define QUIRE_RLIMIT_MEMLOCK 8
#define QUIRE_RLIMIT_AS	     9
#define QUIRE_RLIM_COUNT     16
#define QUIRE_RLIM_INFINITY  UINT64_MAX

/* VM_FAULT_*: what a fault handler answers */
#define VM_FAULT_OOM		0x0001u
#define VM_FAULT_SIGBUS		0x0002u
#define VM_FAULT_MAJOR		0x0004u
#define VM_FAULT_HWPOISON	0x0010u
#define VM_FAULT_HWPOISON_LARGE 0x0020u
#define VM_FAULT_SIGSEGV	0x0040u
#define VM_FAULT_NOPAGE		0x0100u /* ->fault installed the entry itself */
#define VM_FAULT_LOCKED		0x0200u /* ->fault returned its page locked */
#define VM_FAULT_RETRY		0x0400u /* mmap_lock was dropped; come again */
#define VM_FAULT_FALLBACK	0x0800u /* huge fault: try the next size down */
#define VM_FAULT_DONE_COW	0x1000u /* ->fault has filled the COW page */
#define VM_FAULT_NEEDDSYNC	0x2000u
#define VM_FAULT_COMPLETED	0x4000u
#define VM_FAULT_ERROR                                                         \
	(VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV |                   \
	 VM_FAULT_HWPOISON | VM_FAULT_HWPOISON_LARGE | VM_FAULT_FALLBACK)

/* FAULT_FLAG_*: what the fault handler is asked */
#define FAULT_FLAG_WRITE	  0x01u
#define FAULT_FLAG_MKWRITE	  0x02u
#define FAULT_FLAG_ALLOW_RETRY	  0x04u
#define FAULT_FLAG_RETRY_NOWAIT	  0x08u
#define FAULT_FLAG_KILLABLE	  0x10u
#define FAULT_FLAG_TRIED	  0x20u
#define FAULT_FLAG_USER		  0x40u
#define FAULT_FLAG_REMOTE	  0x80u
#define FAULT_FLAG_INSTRUCTION	  0x100u
#define FAULT_FLAG_INTERRUPTIBLE  0x200u
#define FAULT_FLAG_UNSHARE	  0x400u
#define FAULT_FLAG_ORIG_PTE_VALID 0x800u
#define FAULT_FLAG_VMA_LOCK	  0x1000u

#endif
