/* SPDX-License-Identifier: MIT */
/*
 * quire.h - the interface of a Quire memory system.
 *
 *     struct quire        one memory system: physical memory, caches, policies
 *        |                (quire_create ... quire_destroy)
 *        +-- mm_struct    one address space (quire_mm_create, _fork, _put)
 *        |     +-- mappings    quire_mmap, _munmap, _mprotect, _mremap ...
 *        +-- address_space     the cached pages of one file
 *
 * Calls that Linux also has take Linux's arguments and give Linux's result:
 * an address or 0, or a negative errno.  Unless a call says otherwise: it may
 * sleep, takes what locks it needs itself, is called with none of Quire's
 * locks held, and from any CPU of the system.
 *
 * Reading order: this file, host.h (what you supply), then mm/fault.c.
 */
#ifndef QUIRE_QUIRE_H
#define QUIRE_QUIRE_H

#include <quire/host.h>
#include <quire/linux.h>
#include <quire/migrate.h>
#include <quire/policy.h>
#include <quire/swap.h>
#include <quire/trace.h>
#include <quire/types.h>

#define QUIRE_PAGE_SHIFT 12
#define QUIRE_PAGE_SIZE	 4096u

/* ---------------------------------------------------------------- systems */

/* A run of physical memory, given to Quire whole. */
struct quire_region {
	paddr_t start;	/* page aligned */
	uint64_t bytes; /* multiple of the page size */
	unsigned node;	/* memory node; 0 on most machines */
};

struct quire_config {
	const struct quire_region *regions; /* sorted, not overlapping */
	unsigned nr_regions;
	/*
	 * Where the host has physical memory mapped: physical address p is
	 * read and written at direct_map + p.
	 */
	void *direct_map;
	unsigned cpus;	 /* 1 ... QUIRE_MAX_CPUS */
	unsigned levels; /* page-table levels: 4 or 5 on x86-64; 0: default */
	/*
	 * Top-level table that holds the kernel half (its entries are shared
	 * with every address space), or 0: Quire makes an empty one.
	 */
	paddr_t kernel_table;
	/*
	 * Kernel addresses whose upper table entries may appear in
	 * kernel_table after address spaces were made (a vmalloc area); such
	 * an entry is copied when an address space first misses it.  Formats
	 * that share the whole kernel half (x86-64) need none.
	 */
	uaddr_t vmalloc_start, vmalloc_bytes;
	unsigned overcommit; /* vm.overcommit_memory: 0 guess, 1 always, 2 never
			      */
	unsigned overcommit_ratio; /* per cent of RAM in mode 2; 0 means 50 */
	unsigned max_map_count;	   /* 0: Linux's 65530 */
	uaddr_t mmap_min_addr;	   /* 0: 65536; 1 allows page 0 */
	unsigned stack_guard_gap;  /* pages; 0: Linux's 256 */
	unsigned asids; /* hardware address-space ids usable; 0: none (flush
			 * at every switch) */
	bool nx;	/* hardware has and has enabled no-execute */
	/* x86: CR4.SMAP is set, so kernel mode may touch user pages only
	 * with EFLAGS.AC set; another touch is a bug and never answered */
	bool smap;
	/*
	 * arm: TLB operations of one CPU reach all (ARMv7 multiprocessing
	 * extensions, SMP bit set); and how many colours (pages in a way)
	 * the D-cache has where it is virtually indexed with aliases, else 0.
	 */
	bool tlb_broadcast;
	unsigned dcache_colours;
	/* policies (policy.h); NULL: the first of quire_*_policy() */
	const struct quire_readahead_policy *readahead;
	const struct quire_fault_around_policy *fault_around;
	const struct quire_reclaim_policy *reclaim;
};

/*
 * quire_create: a memory system on the given memory.  Quire keeps its own
 * tables in that memory.  Returns NULL when the configuration is not usable or
 * the memory too small (a line in the log says which).  quire_host_current()
 * is not called.  The config may be freed afterwards.
 */
struct quire *quire_create(const struct quire_config *config);

/*
 * quire_cpu_init: call once on every CPU before that CPU enters Quire in any
 * other way (quire_create does it for the calling CPU).
 */
void quire_cpu_init(struct quire *q);

/*
 * quire_destroy: end the system.  All address spaces and mappings are gone by
 * then.  Returns how many pages were still in use apart from Quire's own, 0
 * when nothing leaked.
 */
uint64_t quire_destroy(struct quire *q);

/*
 * quire_check: walk the whole system and prove its invariants: reference
 * counts against mappings, reverse maps against tables, counters against
 * both, lists, free pages.  The system must be quiet (no other CPU inside).
 * Returns the number of violations; each is logged in a line.  Slow.
 */
unsigned quire_check(struct quire *q);

/*
 * Policies that may be changed while the system runs (/proc/sys/vm).  set: 0,
 * or -EINVAL when the value makes no sense.  Neither sleeps.
 */
enum quire_tunable {
	QUIRE_TUNABLE_OVERCOMMIT,	/* 0 guess, 1 always, 2 never */
	QUIRE_TUNABLE_OVERCOMMIT_RATIO, /* per cent of RAM in mode 2 */
	QUIRE_TUNABLE_MAX_MAP_COUNT,	/* mappings of one mm */
	QUIRE_TUNABLE_MMAP_MIN_ADDR,	/* bytes */
	/* write-back, as vm.dirty_*: per cent of free and file memory, or where
	 * the _BYTES are not 0, these; hundredths of a second */
	QUIRE_TUNABLE_DIRTY_RATIO,	      /* 20 */
	QUIRE_TUNABLE_DIRTY_BACKGROUND_RATIO, /* 10 */
	QUIRE_TUNABLE_DIRTY_BYTES,
	QUIRE_TUNABLE_DIRTY_BACKGROUND_BYTES,
	QUIRE_TUNABLE_DIRTY_EXPIRE_CENTISECS,	 /* 3000 */
	QUIRE_TUNABLE_DIRTY_WRITEBACK_CENTISECS, /* 500; 0: not by time */
	QUIRE_TUNABLE_FAULT_AROUND_BYTES, /* 65536; a power of two; 4096: off */
	QUIRE_TUNABLE_READAHEAD_BYTES,	  /* 131072: the largest window */
	QUIRE_TUNABLE_SWAPPINESS,      /* 60; 0 ... 200: cost of files' pages as
					* against swap's */
	QUIRE_TUNABLE_MIN_FREE_KBYTES, /* the reserve; by the memory's size */
	QUIRE_TUNABLE_PAGE_CLUSTER, /* 3: swap readahead of 2^n pages; 0: off */
};
uint64_t quire_get_tunable(struct quire *q, enum quire_tunable which);
int quire_set_tunable(struct quire *q, enum quire_tunable which, uint64_t v);

/* --------------------------------------------- memory for the host's own use
 */

#define QUIRE_GFP_KERNEL 0x1u /* may wait for reclaim */
#define QUIRE_GFP_ATOMIC 0x2u /* may not sleep; may dip into the reserve */
#define QUIRE_GFP_ZERO	 0x100u

/* Allocate 2^order pages; NULL when there are none.  Contents are undefined
 * without QUIRE_GFP_ZERO.  Sleeps only with QUIRE_GFP_KERNEL. */
struct page *quire_alloc_pages(struct quire *q, gfp_t gfp, unsigned order);
void quire_free_pages(struct quire *q, struct page *page, unsigned order);
/* kmalloc-like: up to 4 MiB, 16-byte aligned; NULL when out of memory. */
void *quire_kmalloc(struct quire *q, size_t bytes, gfp_t gfp);
void quire_kfree(struct quire *q, void *object); /* NULL is allowed */
size_t quire_kmalloc_size(struct quire *q, const void *object); /* usable */

void *quire_page_address(struct quire *q, struct page *page); /* direct map */
paddr_t quire_page_phys(struct quire *q, struct page *page);
struct page *quire_phys_page(struct quire *q, paddr_t phys); /* or NULL */
void quire_page_get(struct quire *q, struct page *page);
void quire_page_put(struct quire *q, struct page *page);

/* ---------------------------------------------------------- address spaces */

/* A fresh, empty address space (exec) with one user; NULL: out of memory. */
struct mm_struct *quire_mm_create(struct quire *q);
/*
 * quire_mm_fork: a copy of the current task's `old` (fork): private pages are
 * shared and write-protected in both.  NULL: out of memory (old unchanged in
 * what it means), or old's memory was taken (quire_oom_reap).
 */
struct mm_struct *quire_mm_fork(struct mm_struct *old);
void quire_mm_get(struct mm_struct *mm); /* one more user (thread, vfork) */
/* One user less.  The last one unmaps and frees everything; must not be
 * current on any CPU by then unless the caller switches away first. */
void quire_mm_put(struct mm_struct *mm);
unsigned quire_mm_users(struct mm_struct *mm);
uint32_t quire_mm_id(struct mm_struct *mm); /* unique in its system */
struct quire *quire_mm_system(struct mm_struct *mm);

/*
 * quire_switch_mm: make mm's tables current on this CPU (NULL: the kernel's
 * own).  Called by the host's context switch with preemption off and with
 * quire_host_cpu_call()'s callbacks held off (interrupts masked) on this CPU;
 * does not sleep.
 */
void quire_switch_mm(struct quire *q, struct mm_struct *mm);

/*
 * Limits of the user's address range and where the mmap area begins.
 * quire_mm_set_layout: exec's placement.  mmap_base: top of the top-down
 * area (or its bottom when !topdown); brk: start of the heap; stack_top.
 */
uaddr_t quire_task_size(struct quire *q);
struct quire_mm_layout {
	uaddr_t mmap_base;
	bool topdown;
	uaddr_t start_brk;
	uaddr_t start_code, end_code, start_data, end_data;
	uaddr_t start_stack, arg_start, arg_end, env_start, env_end;
};
void quire_mm_set_layout(struct mm_struct *mm, const struct quire_mm_layout *l);
void quire_mm_get_layout(struct mm_struct *mm, struct quire_mm_layout *l);

/*
 * quire_mm_stack: exec's stack: a VM_GROWSDOWN mapping [top - size, top) with
 * the given protection.  0 or -errno.
 */
int quire_mm_stack(struct mm_struct *mm, uaddr_t top, uaddr_t size,
		   unsigned prot);

/* ---------------------------------------------------------------- mappings */

/*
 * As the system calls of these names.  `task` (the current one's limits) is
 * quire_host_current().  file: NULL for anonymous; Quire takes its own
 * reference (file->ops->get).  off: bytes, page aligned.
 */
sreg_t quire_mmap(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
		  unsigned prot, unsigned flags, struct quire_file *file,
		  uint64_t off);
int quire_munmap(struct mm_struct *mm, uaddr_t addr, uaddr_t len);
uaddr_t quire_brk(struct mm_struct *mm, uaddr_t brk);
int quire_mprotect(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
		   unsigned prot);
sreg_t quire_mremap(struct mm_struct *mm, uaddr_t addr, uaddr_t old_len,
		    uaddr_t new_len, unsigned flags, uaddr_t new_addr);
int quire_madvise(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int advice);
/*
 * quire_set_fault_around: how much a read fault of these mappings maps around
 * itself: bytes, a power of two and at least a page (a page: nothing but that);
 * 0: as the system does (QUIRE_TUNABLE_FAULT_AROUND_BYTES).  Errors as
 * madvise(2)'s: -EINVAL, -ENOMEM where nothing is mapped.
 */
int quire_set_fault_around(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
			   uint64_t bytes);
int quire_msync(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int flags);
/* vec: kernel buffer of one byte a page */
int quire_mincore(struct mm_struct *mm, uaddr_t addr, uaddr_t len,
		  unsigned char *vec);
int quire_mlock(struct mm_struct *mm, uaddr_t addr, uaddr_t len, int flags);
int quire_munlock(struct mm_struct *mm, uaddr_t addr, uaddr_t len);
int quire_mlockall(struct mm_struct *mm, int flags);
int quire_munlockall(struct mm_struct *mm);

/* ------------------------------------------------- the kernel's user access */

/*
 * quire_mm_read/write: copy between a kernel buffer and any address space,
 * faulting pages in as an access by that task would (process_vm_readv(2),
 * ptrace, exec's argument pages).  force: ignore the mapping's protection,
 * breaking COW, as ptrace does.  Returns bytes done, short where an address
 * is bad.
 */
size_t quire_mm_read(struct mm_struct *mm, uaddr_t addr, void *buf, size_t n);
size_t quire_mm_write(struct mm_struct *mm, uaddr_t addr, const void *buf,
		      size_t n, bool force);

/*
 * quire_get_user_pages: pin up to n pages from addr (each page's reference is
 * dropped with quire_page_put).  write: break COW first.  Returns the pages
 * pinned, or -EFAULT / -ENOMEM when not even one was (-ENOMEM also for a page
 * that is pinned 32,768 times already).  A page of private memory that is
 * pinned stays its owner's over fork: the child gets a copy at once.
 * quire_page_dirty: something was stored to a page that is pinned, not through
 * a mapping: if it is a file's, it is to be written back.  Sleeps.
 */
void quire_page_dirty(struct quire *q, struct page *page);
long quire_get_user_pages(struct mm_struct *mm, uaddr_t addr, size_t n,
			  bool write, struct page **pages);
/*
 * quire_user_word: physical address of an aligned user word, for futex keys:
 * faults it in (for write when asked).  The page is pinned into *page.
 * 0 or -EFAULT.
 */
int quire_user_word(struct mm_struct *mm, uaddr_t addr, bool write,
		    struct page **page, paddr_t *phys);
/* Avoid / allow the answering of faults by the current task (they nest). */
void quire_pagefault_disable(void);
void quire_pagefault_enable(void);

/* ------------------------------------------------------------------- files */

/*
 * struct quire_file: an open file as a mapping sees it; the host embeds it in
 * its own.  One address_space is shared by all opens of one file.
 */
struct quire_file_ops {
	void (*get)(struct quire_file *file); /* one reference more */
	void (*put)(struct quire_file *file); /* one less; may sleep */
	/*
	 * mmap: may refuse (-errno).  NULL: file pages come from the cache.
	 */
	int (*mmap)(struct quire_file *file, struct mm_struct *mm, uaddr_t addr,
		    uaddr_t len, unsigned prot, unsigned flags);
	/*
	 * The four below may be NULL and may sleep; none of Quire's locks is
	 * held but, for update_time, a mapping's mmap_lock for read.
	 *
	 * fsync: what aops->writepages has written of [start, end] (bytes, both
	 * inclusive) is to survive a power failure; datasync: without the
	 * file's times.  0 or -errno.  Called by quire_file_fsync().
	 */
	int (*fsync)(struct quire_file *file, uint64_t start, uint64_t end,
		     bool datasync);
	/* The file was changed through a mapping: mtime and ctime are now. */
	void (*update_time)(struct quire_file *file);
	/* MADV_REMOVE: deallocate [start, end), page aligned; the callee calls
	 * quire_mapping_punch() itself.  NULL: -EOPNOTSUPP. */
	int (*punch)(struct quire_file *file, uint64_t start, uint64_t end);
};
struct quire_file {
	const struct quire_file_ops *ops;
	struct address_space *mapping; /* NULL: cannot be mapped (-ENODEV) */
	bool readable, writable;       /* how it was opened */
	bool noexec;		       /* PROT_EXEC is -EPERM */
	bool is_zero_dev; /* /dev/zero: a private mapping is anonymous, a
			   * shared one is shared anonymous memory */
	uint8_t ra_mode;  /* posix_fadvise(2): POSIX_FADV_NORMAL/RANDOM/... */
	struct quire_ra_state ra; /* Quire's: readahead (policy.h) */
	uint32_t wb_seen;	  /* Quire's: write errors reported so far */
	/* not NULL: what is mapped is a device's; `mapping` may be NULL, or
	 * serve quire_mapping_revoke() */
	const struct quire_device_ops *device;
};

/*
 * Device memory: frames that Quire does not own.  Their entries are special:
 * no reference, no reverse map, no RSS; the device sees to it that the frames
 * stay what they are while anything maps them (quire_mapping_revoke).  Linux's
 * rules for such mappings hold: mprotect, munmap, mremap that moves or shrinks,
 * fork and mincore work, get_user_pages does not; a private mapping's write
 * makes a copy.
 */
enum quire_device_kind {
	/* VM_PFNMAP | VM_IO: all of it by mmap, at once, from map->phys on; a
	 * frame that was revoked is asked for again, by ops->frame if there is
	 * one, else it is gone (SIGBUS) */
	QUIRE_DEVICE_FRAMES,
	/* VM_PFNMAP | VM_IO: by ops->frame, as pages are touched */
	QUIRE_DEVICE_FAULT,
	/* VM_MIXEDMAP: the same, and ops->frame may also give pages of memory
	 * (order 0, of quire_alloc_pages): counted, in RSS, to be pinned */
	QUIRE_DEVICE_MIXED,
};
/*
 * How the processor may cache what is mapped.  x86: DEVICE sets PCD and PWT
 * (UC), COMBINE only PCD (UC-, which an MTRR may turn to WC); ARM: Device, and
 * Normal non-cacheable.
 */
enum quire_cache {
	QUIRE_CACHE_NORMAL,
	QUIRE_CACHE_COMBINE,
	QUIRE_CACHE_DEVICE,
};
struct quire_device_map {
	/* what mmap(2) asks, checked; addr is where it will be */
	uaddr_t addr, len;
	uint64_t off;
	unsigned prot, flags;
	/* the answer: enum quire_device_kind, enum quire_cache; FRAMES: the
	 * first frame's address, page aligned */
	uint8_t kind, cache;
	paddr_t phys;
};
#define QUIRE_NO_FRAME UINT64_MAX
struct quire_frame {
	paddr_t phys;	   /* page aligned; QUIRE_NO_FRAME: a hole (DAX only) */
	struct page *page; /* MIXED: a page of memory instead, or NULL */
};
struct quire_device_ops {
	/* May refuse (-errno), else fills in the answer. mmap_lock is held. */
	int (*mmap)(struct quire_file *file, struct quire_device_map *map);
	/*
	 * The frame at byte `off` of the file; write: it is about to be written
	 * through a shared mapping.  0; -ENOMEM; any other -errno is SIGBUS.
	 * May sleep; mmap_lock is held for read.  FRAMES: may be NULL.
	 */
	int (*frame)(struct quire_file *file, uint64_t off, bool write,
		     struct quire_frame *frame);
	/* A shared frame is about to be written for the first time since it
	 * was mapped (as page_mkwrite).  NULL: no need to ask. May sleep. */
	int (*mkwrite)(struct quire_file *file, uint64_t off);
	/* Kernel address to read a whole frame at, for the copy that a private
	 * mapping's write makes.  NULL, or none: SIGBUS for the writer. */
	void *(*address)(struct quire_file *file, paddr_t phys);
};
/*
 * quire_mapping_revoke: take bytes [start, end) of the file out of all its
 * mappings, so that its device's frames can be given to another use; the
 * device must refuse them from then on (ops->frame: an error), which faults
 * under way when it is called respect, or are over.  Private copies stay.
 * Sleeps, and waits for calls of ops->frame: hold no lock that those take.
 */
void quire_mapping_revoke(struct address_space *as, uint64_t start,
			  uint64_t end);

/*
 * What a file system gives for the pages of one file.
 *
 * Reading: the page is locked; the callee (or its completion, from any CPU's
 * task context) ends the I/O by quire_page_end_read(), which unlocks it.
 *
 * Writing: the page is under write-back (not locked: it may be read, and
 * written to again, which makes it dirty anew), with a reference of Quire's;
 * the callee or its completion ends it by quire_page_end_write().  It stores
 * what lies below the file's size (quire_mapping_get_size() as it is now), and
 * ends with an error what it could not store whole: a short transfer is the
 * callee's to go on with.  A page that ended with an error is not written
 * again; the error is kept for fsync and msync (quire_file_fsync).
 */
struct quire_aops {
	/* Fill the page (zero past the end of file) from page->index.  0:
	 * started or done; -errno: could not start, and has not ended it: Quire
	 * does. */
	int (*readpage)(struct address_space *as, struct quire_file *file,
			struct page *page);
	/* Start the reads of n pages with consecutive indices, as one request
	 * where that can be; NULL: readpage in turn. */
	void (*readahead)(struct address_space *as, struct quire_file *file,
			  struct page **pages, unsigned n);
	/* Store one page.  0: started or done; -errno: could not start, Quire
	 * ends it.  NULL, with writepages NULL too: see quire_mapping_write. */
	int (*writepage)(struct address_space *as, struct page *page);
	/* The same for n pages with consecutive indices, as one request where
	 * that can be; NULL: writepage in turn. */
	void (*writepages)(struct address_space *as, struct page **pages,
			   unsigned n);
	/*
	 * Before a clean page is first written to through a shared mapping
	 * (reserve its blocks ...); the page is locked.  0 or -errno (which is
	 * SIGBUS for the writer, OOM for -ENOMEM).  NULL: allowed.
	 */
	int (*page_mkwrite)(struct address_space *as, struct page *page);
	/*
	 * DAX: the file's device is memory, and is mapped, read and written
	 * itself, without a cached page (the others are not used then).  Where
	 * byte `index` << 12 of the file lies: 0 and frame->phys, which is
	 * QUIRE_NO_FRAME in a hole; -errno is SIGBUS, OOM or read()'s error.
	 * write: the page is about to be written: a hole gets a zeroed block
	 * now (-ENOSPC ...); also called when a clean page is first written
	 * through a shared mapping.  May sleep.
	 *
	 * Blocks are freed after quire_mapping_set_size(), which leaves nobody
	 * with one past the end.  To punch, this function forgets them, then
	 * comes quire_mapping_punch(), then they may have another use.  The
	 * host keeps these two, and read and write of one file, from each other
	 * (an inode lock), as nothing pins a block while it is copied.
	 */
	int (*direct_access)(struct address_space *as, uint64_t index,
			     bool write, struct quire_frame *frame);
	/* Kernel address of that memory, a whole page; never NULL. */
	void *(*direct_address)(struct address_space *as, paddr_t phys);
};

/*
 * The cached pages of one file.  The host embeds it or allocates it with
 * quire_mapping_size() bytes; opaque otherwise.
 */
size_t quire_mapping_size(void);
/* host: an opaque pointer, back from quire_mapping_host().  size: file length
 * in bytes, kept current by quire_mapping_set_size(). */
void quire_mapping_init(struct quire *q, struct address_space *as,
			const struct quire_aops *aops, void *host,
			uint64_t size);
/* shmem: pages are memory only (tmpfs, memfd, shared anonymous). */
void quire_mapping_init_shmem(struct quire *q, struct address_space *as,
			      void *host, uint64_t size);
/* Drop all pages, dirty ones too (quire_mapping_sync() first, unless nobody
 * will ask for them any more); the mapping has no users.  It may then be freed.
 */
void quire_mapping_destroy(struct address_space *as);
void *quire_mapping_host(struct address_space *as);
uint64_t quire_mapping_get_size(struct address_space *as);
uint64_t quire_mapping_pages(struct address_space *as); /* cached pages */
/* Grow or shrink: shrinking unmaps and drops the pages beyond, and zeroes the
 * rest of the last one. */
void quire_mapping_set_size(struct address_space *as, uint64_t size);
/* Drop (hole punch) whole pages in [start, end), zero the partial ones. */
void quire_mapping_punch(struct address_space *as, uint64_t start,
			 uint64_t end);
/*
 * Between the two no page of the file enters the cache: reads and faults that
 * need one wait.  For a hole that the device has too: freeze, punch, deallocate
 * it there, punched, thaw; otherwise what a fault read in between would be the
 * old contents.  Not around anything that reads the file itself.  Nests.
 */
void quire_mapping_freeze(struct address_space *as);
void quire_mapping_thaw(struct address_space *as);
/*
 * The device has zeroed the same [start, end).  A page that the hole covers in
 * part is still cached: what was stored there since the punch may have been
 * written back before the device's zeroes, so it becomes dirty once more.  Not
 * needed where both ends are whole pages.  Takes the page lock; may sleep.
 */
void quire_mapping_punched(struct address_space *as, uint64_t start,
			   uint64_t end);
/*
 * read() and write() through the cache, bounded by the size (read) or growing
 * it (write).  `copy` moves n bytes between kernel memory at `kaddr` and the
 * caller's buffer at offset `done` (0 ... len); returns how many it could
 * (fewer: stop, a fault).  Returns bytes moved or -errno (-EIO, -ENOMEM,
 * -EFAULT when none).
 *
 * A write to a mapping whose aops have neither writepage nor writepages is for
 * hosts that have stored the data themselves: it only brings the pages that are
 * cached up to date.  Otherwise the pages become dirty, and are written by the
 * flusher, fsync, or the writer itself when too much is dirty
 * (balance_dirty_pages).
 * No page is locked while copy() runs, so it may fault on any address; a page
 * that left the cache meanwhile is copied to again: the same `done` once more.
 */
typedef size_t (*quire_copy_fn)(void *cookie, void *kaddr, size_t done,
				size_t n);
long quire_mapping_read(struct address_space *as, struct quire_file *file,
			uint64_t pos, size_t len, quire_copy_fn copy,
			void *cookie);
long quire_mapping_write(struct address_space *as, struct quire_file *file,
			 uint64_t pos, size_t len, quire_copy_fn copy,
			 void *cookie);
/* For quire_aops: the page's place in its file, and the end of its I/O. */
uint64_t quire_page_index(struct page *page);
struct address_space *quire_page_mapping(struct page *page);
void quire_page_end_read(struct quire *q, struct page *page, int error);
void quire_page_end_write(struct quire *q, struct page *page, int error);

/*
 * Advice about a file's pages; each sleeps, and fails at nothing.
 *
 * quire_mapping_readahead: readahead(2), POSIX_FADV_WILLNEED: start to read
 * what is not cached of [pos, pos + len), as far as the file goes and memory is
 * easily had.  file may be NULL.
 * quire_mapping_drop_clean: POSIX_FADV_DONTNEED, after a quire_mapping_sync:
 * drop the pages that lie whole in [start, end) (the file's last one as far as
 * it goes) and can be had from the device again: clean, mapped nowhere, not in
 * use. Returns how many.
 */
void quire_mapping_readahead(struct address_space *as, struct quire_file *file,
			     uint64_t pos, uint64_t len);
uint64_t quire_mapping_drop_clean(struct address_space *as, uint64_t start,
				  uint64_t end);

/*
 * Write-back.
 *
 * quire_mapping_sync: [start, end] in bytes, both inclusive.  QUIRE_SYNC_START:
 * start writing what is dirty; QUIRE_SYNC_WAIT: wait for all writes under way
 * there, those just started among them.  Returns 0; errors wait for the next
 * quire_file_fsync() of each open file.  -EINTR: a fatal signal came.
 *
 * quire_mapping_invalidate: for I/O past the cache (O_DIRECT) that has changed
 * or will change [start, end]: writes what is dirty, unmaps, drops.  0, or
 * -EBUSY when a page could not be dropped (it is pinned or was dirtied anew).
 *
 * quire_file_opened: call at open: from then on this opener is told of write
 * errors (also of an earlier one that nobody has been told of yet).
 * quire_file_fsync: fsync(2), fdatasync(2), the part of MS_SYNC: sync, then
 * ops->fsync, then quire_file_check_error().  quire_file_check_error: -EIO or
 * -ENOSPC when a write of the file has failed since this opener was last told,
 * once; else 0.
 */
#define QUIRE_SYNC_START 1u
#define QUIRE_SYNC_WAIT	 2u
int quire_mapping_sync(struct address_space *as, uint64_t start, uint64_t end,
		       unsigned how);
int quire_mapping_invalidate(struct address_space *as, uint64_t start,
			     uint64_t end);
uint64_t quire_mapping_dirty(struct address_space *as); /* pages, or soon */
/* The first byte from pos on that is in a cached page (data), or in none: at
 * the end of the file at the latest.  For memory-only files: lseek(2)'s
 * SEEK_DATA and SEEK_HOLE.  pos is below the size. */
uint64_t quire_mapping_seek(struct address_space *as, uint64_t pos, bool data);
void quire_file_opened(struct quire_file *file);
int quire_file_fsync(struct quire_file *file, uint64_t start, uint64_t end,
		     bool datasync);
int quire_file_check_error(struct quire_file *file);
/* The same, but nobody counts as told: for a close whose result may go nowhere
 * (a program's end).  Does not sleep. */
int quire_file_peek_error(const struct quire_file *file);

/*
 * quire_flusher_work: one round of the flusher, which the host calls from a
 * task of its own when quire_host_wake_flusher() asked for it and when the time
 * that the last call returned (ns) is over: writes what has been dirty longer
 * than dirty_expire, and while more is dirty than the background limit, the
 * oldest of the rest.  Sleeps.  A host without flusher loses nothing but
 * evenness: writers over the limit write themselves.
 * quire_sync: sync(2): start, then wait for, all writes.
 */
uint64_t quire_flusher_work(struct quire *q);
void quire_sync(struct quire *q);

/* ------------------------------------------- memory is short (swap.h, too) */

/*
 * quire_reclaim_work: one round of background reclaim, which the host calls
 * from a task of its own (not the flusher's) when quire_host_wake_reclaim()
 * asked for it: frees pages until every node has its high watermark, or nothing
 * is to be had.  Sleeps.  A host without such a task loses nothing but time:
 * who allocates below the min watermark reclaims himself.
 *
 * quire_reclaim: free up to n pages now (a host's own shortage; a test); how
 * many were.  Sleeps.
 */
void quire_reclaim_work(struct quire *q);
uint64_t quire_reclaim(struct quire *q, uint64_t n);

/*
 * Out of memory, for the host's quire_host_oom().
 *
 * quire_oom_badness: pages that the end of mm would free: its memory, swap and
 * tables.
 * quire_oom_reap: mm's users are all to die: take its private memory at once,
 * though they still run or sleep.  From then on an access of theirs that would
 * find lost contents is SIGBUS.  Returns the pages that were taken; 0 when
 * somebody keeps mm's map locked (try again later), or nothing is there.
 * Sleeps; mm must not go away meanwhile.
 * quire_oom_victim: the address space with the most points that was not reaped
 * yet, with a user more (quire_mm_put() when it is dealt with); NULL: there is
 * none.  points: of one whose badness this is (0: it is not to go); NULL: its
 * badness.  It is called with a spinlock held: must not sleep nor call Quire.
 * quire_memory_short: is there still none?  If not, somebody has given some
 * back meanwhile, and nobody has to die.  Any context.
 */
uint64_t quire_oom_badness(struct mm_struct *mm);
uint64_t quire_oom_reap(struct mm_struct *mm);
struct mm_struct *quire_oom_victim(struct quire *q,
				   uint64_t (*points)(struct mm_struct *mm,
						      uint64_t badness,
						      void *cookie),
				   void *cookie);
bool quire_memory_short(struct quire *q);

/* ---------------------------------------------------------------- figures */

struct quire_mm_stats {
	uint64_t anon_pages, file_pages, shmem_pages, swap_entries; /* RSS */
	uint64_t hiwater_rss, hiwater_vm, total_vm, locked_vm, data_vm,
		stack_vm, exec_vm;
	uint64_t table_bytes; /* page-table pages of this mm */
	uint64_t hiwater_table_bytes;
	uint32_t vmas, hiwater_vmas;
};
void quire_mm_get_stats(struct mm_struct *mm, struct quire_mm_stats *out);

struct quire_meminfo {
	uint64_t total, free, available, cached, shmem, anon, mapped, slab,
		page_tables, committed, commit_limit, /* pages */
		hardware_corrupted; /* frames out of use: broken */
};
void quire_get_meminfo(struct quire *q, struct quire_meminfo *out);

/* /proc/vmstat: item i's name and value; NULL past the last. */
const char *quire_vmstat_name(unsigned i);
uint64_t quire_vmstat(struct quire *q, unsigned i);
/* enum quire_fault_kind as reports name it; NULL when there is none. */
const char *quire_fault_kind_name(unsigned kind);

/*
 * maps(5) and smaps text: emit() gets pieces of text in order; a negative
 * return from it ends the walk and is returned.
 */
typedef int (*quire_emit_fn)(void *cookie, const char *text, size_t len);
int quire_maps(struct mm_struct *mm, quire_emit_fn emit, void *cookie);
int quire_smaps(struct mm_struct *mm, quire_emit_fn emit, void *cookie);
/* pagemap(5): n entries of 64 bits from the page of addr; returns n. */
size_t quire_pagemap(struct mm_struct *mm, uaddr_t addr, size_t n,
		     uint64_t *out);
/* /proc/PID/clear_refs */
int quire_clear_refs(struct mm_struct *mm, int what);

/* ---------------------------------------------------------- exception entry */

/*
 * The architecture's page fault: the host's vector calls it with interrupts on
 * (when the faulting context had them on) and the trap's registers.
 * x86: error code as pushed by the processor, address from CR2.
 */
void do_page_fault(struct pt_regs *regs, unsigned long error_code,
		   uaddr_t address);
/*
 * quire_fault_cancel: a task with fault_waiting set will not repeat its access
 * (it is to die): after this quire_host_fault_ready() is not called for it any
 * more.  Does not sleep.
 */
void quire_fault_cancel(struct quire_task *task);
/*
 * ARM: the two aborts.  addr: DFAR or IFAR (or the pc, where a processor has no
 * IFAR); fsr, ifsr: DFSR or IFSR as read (ARM ARM DDI 0406C, B3.13.3).
 */
void do_DataAbort(uaddr_t addr, uint32_t fsr, struct pt_regs *regs);
void do_PrefetchAbort(uaddr_t addr, uint32_t ifsr, struct pt_regs *regs);
/*
 * hook_fault_code, hook_ifault_code (ARM): replace what system q does about
 * aborts of status nr (0 ... 31: the FS bits).  fn returns 0 when it has dealt
 * with the abort (the instruction is repeated), or QUIRE_FAULT_UNHANDLED
 * (asm/fsr.h): user mode gets signal sig with si_code code, kernel mode is an
 * oops with `name`.  Called before q takes faults, or with no other CPU inside.
 */
void hook_fault_code(struct quire *q, unsigned nr,
		     vm_fault_t (*fn)(struct quire_task *task, uaddr_t addr,
				      uint32_t fsr, struct pt_regs *regs),
		     int sig, int code, const char *name);
void hook_ifault_code(struct quire *q, unsigned nr,
		      vm_fault_t (*fn)(struct quire_task *task, uaddr_t addr,
				       uint32_t fsr, struct pt_regs *regs),
		      int sig, int code, const char *name);

#endif
