/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the simulated machine: a hosted port of host.h on a machine made of
 * software, for tests, trace replay and benchmarks.
 *
 *   sim_machine   physical memory (one mapping), N CPUs, a struct quire on it
 *     sim_cpu     TLB, table register, answers IPIs
 *     sim_task    quire_task + queued signals; runs on one CPU at a time
 *     sim_file    a file in memory or over a host file, with injected errors
 *
 * How it is driven.  A host thread is *bound* to one CPU and everything it
 * does, it does there; sim_machine_create() binds its caller to CPU 0.  One
 * thread can drive many CPUs in turn by sim_bind(); or many threads one CPU
 * each (sim_parallel()).  A CPU that no thread is bound to idles: it keeps its
 * TLB and its IPIs are answered at once on its behalf.  A bound thread answers
 * IPIs whenever it enters the simulator or spins in Quire; it must therefore
 * not block outside (pthread_join ...) while bound: use sim_unbind().
 *
 * Calls that name a task first make it current on the thread's CPU (a context
 * switch: quire_switch_mm()).  Quire's own functions may be called directly
 * too, after sim_run(task).
 *
 * What it finds.  A missing TLB flush is a wrong translation, as on hardware.
 * In variants with QUIRE_DEBUG each broken rule of the host contract is a
 * *violation*: logged, counted in sim_violations(), which tests want 0.
 */
#ifndef QUIRE_SIM_H
#define QUIRE_SIM_H

#include <stdio.h>
#include <quire/quire.h>

struct sim_machine;
struct sim_cpu;
struct sim_inode;

/* ---------------------------------------------------------------- machines */

struct sim_config {
	uint64_t ram_bytes; /* 0: 64 MiB. Lazily backed: large ones are cheap */
	unsigned cpus;	    /* 0: 1 */
	unsigned levels;    /* 0: the format's; x86_64: 4 or 5 */
	unsigned asids;	    /* hardware ids (PCIDs) offered to Quire; 0: none */
	unsigned nodes;	    /* memory nodes, RAM split evenly; 0: 1 */
	unsigned tlb_sets;  /* power of two; 0: 256 */
	unsigned tlb_ways;  /* 0: 4; at most SIM_TLB_WAYS_MAX */
	unsigned tlb_evict; /* 1 in n lookups evicts a random entry; 0: never,
			     * entries stay as long as they can */
	uint64_t seed;	    /* of everything random; 0: 1 */
	bool no_nx;	    /* processor without no-execute */
	bool smep, smap;    /* CR4.SMEP, CR4.SMAP */
	bool no_wp;	    /* CR0.WP clear: kernel mode writes anywhere */
	unsigned arm_version;  /* arm: 6 or 7; 0: 7.  See mmu_arm.c */
	bool arm_no_broadcast; /* arm v7: TLB operations are this CPU's only */
	bool arm_no_afe;       /* arm: AP[0] is no access flag */
	unsigned arm_colours;  /* arm v6: colours of an aliasing D-cache */
	/* arm: broken on purpose, SIM_ARM_FORGET_*: those calls do nothing */
	unsigned arm_forget;
	bool protect_free;   /* debug: freed pages are PROT_NONE to the host */
	bool no_poison;	     /* debug: do not fill and verify freed pages */
	bool mem_hole;	     /* a hole in the middle of physical memory */
	bool check_ops;	     /* quire_check() after each sim_* map call */
	bool io_thread;	     /* file and swap I/O completes on its own thread */
	bool reclaim_thread; /* background reclaim, on a thread of its own */
	unsigned jitter;     /* 1 in n lock operations yields; 0: never */
	unsigned max_faults; /* of one access: more is a loop; 0: 2000 */
	bool oom_kill;	     /* out of memory: the largest is killed; otherwise
			      * the access ends with SIM_OOM */
	unsigned wait_seconds; /* a sleep this long is a deadlock; 0: 100 */
	/* passed on to quire_config */
	unsigned overcommit, overcommit_ratio, max_map_count, stack_guard_gap;
	uaddr_t mmap_min_addr;
	const struct quire_readahead_policy *readahead;
	const struct quire_fault_around_policy *fault_around;
	const struct quire_reclaim_policy *reclaim;
};
#define SIM_TLB_WAYS_MAX	    16
#define SIM_ARM_FORGET_ROLLOVER	    0x1u  /* flush_all(true) */
#define SIM_ARM_FORGET_TLB	    0x2u  /* flush_asid, flush_asid_range */
#define SIM_ARM_FORGET_TABLE	    0x4u  /* table_written */
#define SIM_ARM_FORGET_ICACHE	    0x8u  /* sync_icache */
#define SIM_ARM_FORGET_KERNEL_LINES 0x10u /* flush_dcache */
#define SIM_ARM_FORGET_USER_LINES   0x20u /* flush_dcache_all */

/*
 * sim_machine_create: a machine and a Quire system on it; the calling thread
 * is bound to CPU 0 (and leaves the CPU it was bound to, if any).  config may
 * be NULL.  NULL when the host has no memory or quire_create() refused (its
 * reason is then on stderr).
 */
struct sim_machine *sim_machine_create(const struct sim_config *config);
/*
 * sim_machine_destroy: end it.  Every task must be gone (sim_exit); files that
 * are left are closed.  Returns pages and files leaked plus violations: 0 is
 * what a test wants.  Call from a thread that is bound to it or to nothing;
 * leaves the thread unbound.
 */
uint64_t sim_machine_destroy(struct sim_machine *m);
struct quire *sim_quire(struct sim_machine *m);
unsigned sim_cpus(struct sim_machine *m);
const struct sim_config *sim_get_config(struct sim_machine *m);
/* Host address of physical memory at p (no check). */
void *sim_phys(struct sim_machine *m, paddr_t p);
uint64_t sim_ram_end(struct sim_machine *m); /* first address past RAM */
/*
 * Pages of RAM that Quire does not get (below 1 MiB), for hand-built tables
 * and MMIO-like tests: [start, start + bytes).
 */
paddr_t sim_reserved(struct sim_machine *m, uint64_t *bytes);

/*
 * sim_check: quire_check() and the checker's state (locks held by this thread,
 * counters).  All other threads must be outside; I/O that does not wait for the
 * test is seen to its end first.  Returns the violations found now; 0 is clean.
 */
unsigned sim_check(struct sim_machine *m);
/* Violations of the host contract since creation / the last clear. */
unsigned sim_violations(struct sim_machine *m);
void sim_violations_clear(struct sim_machine *m);
/* Do not print violations and log lines (tests that provoke them). */
void sim_quiet(struct sim_machine *m, bool quiet);
/* Is this a build with the checker in it (QUIRE_DEBUG)? */
bool sim_has_checker(void);
bool sim_has_injection(void);

/* ------------------------------------------------------------ CPUs, threads */

/* Bind the calling thread to CPU n, waiting until it is free; the CPU it had
 * (of any machine) is left idle with the kernel's own tables loaded. */
void sim_bind(struct sim_machine *m, unsigned n);
void sim_unbind(void);
/* The machine, CPU index and task of the calling thread. */
struct sim_machine *sim_this_machine(void);
/*
 * sim_parallel: run fn(i, arg) on n threads, the i-th bound to CPU i, all let
 * go at the same moment; returns when all are done.  The caller is unbound
 * meanwhile and bound again to its CPU afterwards.  n <= CPUs.
 */
void sim_parallel(struct sim_machine *m, unsigned n,
		  void (*fn)(unsigned i, void *arg), void *arg);
/* Answer pending IPIs; for test code that spins (it sleeps a little, too). */
void sim_poll(void);

/* ------------------------------------------------------------------- tasks */

#define SIM_SIGNALS 8

struct sim_task {
	struct quire_task qt; /* first: the two pointers convert */
	struct sim_machine *m;
	struct quire_limits limits; /* all infinite, stack 8 MiB, at creation */
	struct sim_cpu *cpu;	    /* where it runs now, or NULL */
	struct quire_signal queue[SIM_SIGNALS];
	unsigned nr_queued;
	bool oom_given_up; /* sim_config.oom_kill: it cannot be reaped */
	bool killed; /* SIGKILL: every access answers SIGKILL from now on */
	/* Of the last access: */
	struct quire_signal sig; /* when the access returned a signal */
	size_t done;		 /* bytes done before it */
	unsigned faults;	 /* page faults it took */
	uint32_t error;		 /* error code of the last of these */
	bool oom, oopsed, fixed_up;
	uint64_t total_faults;
	uint32_t fault_readies; /* calls of quire_host_fault_ready(); atomic */
	/* if not NULL, called by it as well: must not call Quire */
	void (*on_fault_ready)(struct sim_task *t, void *arg);
	void *on_fault_ready_arg;
	uint32_t *wait_word;   /* what it sleeps on */
	struct sim_task *next; /* in the machine's list */
};

/*
 * sim_task_create: a task in a fresh address space with exec's layout: mmap
 * area top-down below the stack, brk area at 0x10000000, and a stack of
 * 132 KiB at the top (sim_stack_top()), growing down.  NULL: out of memory.
 * sim_task_create_bare: the same without a stack.
 */
struct sim_task *sim_task_create(struct sim_machine *m);
struct sim_task *sim_task_create_bare(struct sim_machine *m);
uaddr_t sim_stack_top(struct sim_machine *m);
/* fork(2): NULL when out of memory.  `t` becomes current first. */
struct sim_task *sim_fork(struct sim_task *t);
/* clone(CLONE_VM): another task in the same address space. */
struct sim_task *sim_thread(struct sim_task *t);
/* execve(2): a fresh address space as sim_task_create; 0 or -ENOMEM. */
int sim_execve(struct sim_task *t);
/* The task ends; `t` is freed. */
void sim_exit(struct sim_task *t);
/* Make t current on this thread's CPU; NULL: the idle task. It must not run
 * on another one. */
void sim_run(struct sim_task *t);
/* Post SIGKILL from anywhere; wakes a killable sleep. */
void sim_kill(struct sim_task *t);

/* ---------------------------------------------------------------- accesses */

/* Results below 0; above 0 is the number of the signal in t->sig. */
#define SIM_OOM	   (-1) /* quire_host_oom() was called; the task lives on */
#define SIM_LOOP   (-2) /* faulted max_faults times (and is a violation) */
#define SIM_OOPS   (-3) /* kernel mode without fixup */
#define SIM_EFAULT (-4) /* kernel mode: the fixup was taken */
#define SIM_WAITS                                                              \
	(-5) /* qt.nowait: the access is to be repeated, but not               \
	      * before qt.fault_waiting is clear (fault_readies) */

/*
 * User-mode access by t on this thread's CPU, byte ranges of any length and
 * alignment, in pieces that do not cross a page, ascending; each aligned
 * eight-byte part is one atomic load or store.  A fault goes to
 * do_page_fault() and the piece is then repeated.
 * 0, a signal number, SIM_OOM or SIM_LOOP.
 */
int sim_read(struct sim_task *t, uaddr_t addr, void *buf, size_t n);
int sim_write(struct sim_task *t, uaddr_t addr, const void *buf, size_t n);
/* Instruction fetch: error code has I/D. */
int sim_fetch(struct sim_task *t, uaddr_t addr, void *buf, size_t n);
/* One locked read-modify-write of an aligned word: a write access. */
int sim_fetch_add64(struct sim_task *t, uaddr_t addr, uint64_t v,
		    uint64_t *old);
/* One byte / one aligned word. */
int sim_load8(struct sim_task *t, uaddr_t addr, uint8_t *v);
int sim_store8(struct sim_task *t, uaddr_t addr, uint8_t v);
int sim_load64(struct sim_task *t, uaddr_t addr, uint64_t *v);
int sim_store64(struct sim_task *t, uaddr_t addr, uint64_t v);
/* Write `byte` to one byte of each page of the range; read one of each. */
int sim_touch_write(struct sim_task *t, uaddr_t addr, uaddr_t len,
		    uint8_t byte);
int sim_touch_read(struct sim_task *t, uaddr_t addr, uaddr_t len);

/*
 * copy_to_user / copy_from_user of a kernel on this machine: kernel-mode
 * accesses (EFLAGS.AC set, an exception-table entry at the instruction), for
 * addresses below quire_task_size() only.  Return the bytes copied.
 */
size_t sim_copy_to_user(struct sim_task *t, uaddr_t addr, const void *buf,
			size_t n);
size_t sim_copy_from_user(struct sim_task *t, uaddr_t addr, void *buf,
			  size_t n);

/* Any access at all. */
enum sim_access_kind { SIM_READ, SIM_WRITE, SIM_FETCH };
#define SIM_KERNEL 0x1u /* supervisor mode (otherwise user mode) */
#define SIM_FIXUP  0x2u /* the instruction has an exception-table entry */
#define SIM_AC	   0x4u /* EFLAGS.AC: SMAP lets user pages through */
#define SIM_NOIRQ  0x8u /* EFLAGS.IF clear at the access */
int sim_access(struct sim_task *t, enum sim_access_kind kind, unsigned mode,
	       uaddr_t addr, void *buf, size_t n);

/*
 * One instruction that reads n bytes at `from` and writes them at `to` (MOVS),
 * each within a page.
 */
int sim_move(struct sim_task *t, unsigned mode, uaddr_t to, uaddr_t from,
	     size_t n);

/*
 * sim_translate: what the MMU answers for one access by the task that runs on
 * this CPU, without a fault being taken.  Returns true and the physical
 * address, or false and the error code (and *gp for a non-canonical address).
 * use_tlb: through the TLB, as an access; otherwise straight from the tables.
 * Sets accessed and dirty as an access does.
 */
struct sim_walk {
	paddr_t phys;
	uint32_t error; /* error code of the page fault */
	bool gp;	/* #GP instead: the address is not canonical */
	bool global, user, writable, nx, dirty;
	unsigned page_shift; /* 12, and that of each larger page */
	unsigned attr;	     /* arm: domain 3..0, AP[2:0] 6..4, PXN 7 */
};
bool sim_translate(struct sim_machine *m, enum sim_access_kind kind,
		   unsigned mode, uaddr_t addr, bool use_tlb,
		   struct sim_walk *out);
/* The table register of this CPU. */
paddr_t sim_current_root(struct sim_machine *m);
/* Load a hand-built top-level table on this CPU (tests of the MMU). */
void sim_load_table(struct sim_machine *m, paddr_t root, unsigned asid,
		    bool noflush);

/* ------------------------------------------------------------- map calls */

/* As quire_mmap() etc. by task t; they check the lock balance afterwards. */
struct sim_file;
sreg_t sim_mmap(struct sim_task *t, uaddr_t addr, uaddr_t len, unsigned prot,
		unsigned flags, struct sim_file *file, uint64_t off);
int sim_munmap(struct sim_task *t, uaddr_t addr, uaddr_t len);
int sim_mprotect(struct sim_task *t, uaddr_t addr, uaddr_t len, unsigned prot);
sreg_t sim_mremap(struct sim_task *t, uaddr_t addr, uaddr_t old_len,
		  uaddr_t new_len, unsigned flags, uaddr_t new_addr);
int sim_madvise(struct sim_task *t, uaddr_t addr, uaddr_t len, int advice);
int sim_msync(struct sim_task *t, uaddr_t addr, uaddr_t len, int flags);
int sim_mincore(struct sim_task *t, uaddr_t addr, uaddr_t len,
		unsigned char *vec);
uaddr_t sim_brk(struct sim_task *t, uaddr_t brk);
/* maps / smaps text, malloc'd; NULL: out of memory. */
char *sim_maps(struct sim_task *t);
char *sim_smaps(struct sim_task *t);
/* A counter of quire_vmstat() by name; UINT64_MAX when there is none. */
uint64_t sim_vmstat(struct sim_machine *m, const char *name);

/* ------------------------------------------------------------------- files */

struct sim_file_stats {
	uint64_t reads, writes; /* pages */
	uint64_t read_requests, write_requests;
	/* Pages that ended with one; write_errors_told: counted after Quire was
	 * told, not before. */
	uint64_t read_errors, write_errors, write_errors_told;
	uint64_t flushes, flush_errors, mkwrites, time_updates;
	uint64_t gets, puts; /* references by Quire */
};

/*
 * sim_file_create: a file in memory of `size` bytes, whose byte at offset o is
 * sim_file_byte(seed, o) when seed != 0, else 0.  sim_file_shmem: a tmpfs or
 * memfd file.  sim_file_open_host: over a host file, opened read-only, or
 * read-write when `write`.  NULL: out of memory or errno of the host.
 * Each has one reference, the caller's.
 */
struct sim_file *sim_file_create(struct sim_machine *m, const char *name,
				 uint64_t size, uint64_t seed);
struct sim_file *sim_file_shmem(struct sim_machine *m, const char *name,
				uint64_t size);
struct sim_file *sim_file_open_host(struct sim_machine *m, const char *path,
				    bool write);
struct sim_file *sim_file_zero_dev(struct sim_machine *m);
/* Another open of the same file. */
struct sim_file *sim_file_reopen(struct sim_file *f, bool readable,
				 bool writable);
void sim_file_close(struct sim_file *f); /* the caller's reference */
struct quire_file *sim_file_quire(struct sim_file *f);
struct address_space *sim_file_mapping(struct sim_file *f);
uint8_t sim_file_byte(uint64_t seed, uint64_t off);
unsigned sim_file_refs(struct sim_file *f);
/* Through the page cache, kernel buffer: bytes or -errno. */
long sim_file_read(struct sim_file *f, uint64_t pos, void *buf, size_t n);
long sim_file_write(struct sim_file *f, uint64_t pos, const void *buf,
		    size_t n);
void sim_file_truncate(struct sim_file *f, uint64_t size);
/* fsync(2) or fdatasync(2) of the whole file: 0 or -errno. */
int sim_file_fsync(struct sim_file *f, bool datasync);
/* Zero [start, end) in cache and device (hole punch). */
void sim_file_punch(struct sim_file *f, uint64_t start, uint64_t end);
/* The device's part of that alone. */
void sim_disk_zero(struct sim_file *f, uint64_t start, uint64_t end);
/* What the device has (not the cache). */
void sim_file_peek(struct sim_file *f, uint64_t pos, void *buf, size_t n);
void sim_file_set_perm(struct sim_file *f, bool readable, bool writable,
		       bool noexec);
void sim_file_get_stats(struct sim_file *f, struct sim_file_stats *out);
/*
 * Injected I/O: the next `count` pages read (written) after `skip` of them fail
 * with `error` (-EIO), flushes and asks for a first write (page_mkwrite) the
 * same; latency in microseconds of each request (io_thread or not);
 * short_reads: each transfer moves at most so many bytes (0: all).
 */
void sim_file_fail_reads(struct sim_file *f, unsigned skip, unsigned count,
			 int error);
void sim_file_fail_writes(struct sim_file *f, unsigned skip, unsigned count,
			  int error);
void sim_file_fail_flushes(struct sim_file *f, unsigned skip, unsigned count,
			   int error);
void sim_file_fail_mkwrites(struct sim_file *f, unsigned skip, unsigned count,
			    int error);
void sim_file_latency(struct sim_file *f, unsigned microseconds);
void sim_file_short_reads(struct sim_file *f, unsigned bytes);

/*
 * The disk under a file (sim/disk.c): a request is what one call of aops asks
 * for.  Who completes it:
 */
enum sim_disk_mode {
	SIM_DISK_AUTO, /* the machine's I/O thread; NOW where it has none */
	SIM_DISK_NOW,  /* the thread that asks, before it goes on */
	SIM_DISK_LAZY, /* a thread that must sleep, or sim_disk_step() */
	SIM_DISK_HELD, /* sim_disk_step() only */
};
struct sim_disk_config {
	enum sim_disk_mode mode;
	unsigned latency_us, latency_random_us; /* of AUTO and NOW */
	bool reorder; /* requests end in any order, not as they came */
	/* One transfer moves at most so many bytes (random: 1 to that many),
	 * and the rest waits its turn again; 0: all. */
	unsigned short_bytes;
	bool short_random;
	/* One page in n ends with -EIO, writes also with -ENOSPC; one flush in
	 * n with -EIO; 0: none. */
	unsigned read_error_one_in, write_error_one_in, flush_error_one_in;
	bool write_cache; /* completed is not safe: only what was flushed is */
	uint64_t seed;	  /* 0: as it is */
};
/* 0 or -ENOMEM.  LAZY and HELD depend on nothing but the seed, where one thread
 * does all. */
int sim_disk_configure(struct sim_file *f,
		       const struct sim_disk_config *config);
/* Each page that has bytes in [start, end) fails; at most four ranges (else
 * -ENOSPC), and start == end forgets them all. */
int sim_disk_fail_range(struct sim_file *f, uint64_t start, uint64_t end,
			bool reads, bool writes, int error);
/* Serve at most n requests (one that is moved only in part counts) of LAZY and
 * HELD disks; how many there were.  And how many requests are under way. */
unsigned sim_disk_step(struct sim_machine *m, unsigned n);
unsigned sim_disk_pending(struct sim_machine *m);
/*
 * Power failure: nothing moves any more, all I/O of the file ends with -EIO.
 * Returns a new file, the caller's, with what is on the device afterwards:
 * all completed writes; LOSE: of those not flushed since any 512-byte blocks
 * (needs write_cache); TEAR: of those under way too.  Changes of the size by
 * sim_file_truncate() and punches are safe at once.  NULL: out of memory, or
 * the file is a host file.
 */
#define SIM_CRASH_LOSE 0x1u
#define SIM_CRASH_TEAR 0x2u
struct sim_file *sim_disk_crash(struct sim_file *f, unsigned how);

/* -------------------------------------------------------------------- swap */

#include <sim/swap.h>

/* --------------------------------------------------------------- injection */

/*
 * Failing allocations (variants with QUIRE_INJECT).  Allocations of this
 * machine are counted from 1 since sim_inject_reset(), which also ends all
 * injection.  single: only the n-th fails; otherwise it and all after it.
 * random: each fails with probability 1 / one_in.
 */
void sim_inject_reset(struct sim_machine *m);
uint64_t sim_inject_count(struct sim_machine *m); /* allocations counted */
uint64_t sim_inject_hits(struct sim_machine *m);  /* of these, made to fail */
void sim_inject_nth(struct sim_machine *m, uint64_t n, bool single);
void sim_inject_random(struct sim_machine *m, unsigned one_in, uint64_t seed);

/* -------------------------------------------------------- logs and tracing */

/* What Quire and the checker logged since the last clear: is `text` in it? */
bool sim_log_contains(struct sim_machine *m, const char *text);
void sim_log_clear(struct sim_machine *m);
/* The whole log kept (the last 256 KiB), malloc'd. */
char *sim_log_text(struct sim_machine *m);

/*
 * Run fn(arg); when it panics (QUIRE_BUG_ON, quire_host_panic), come back and
 * return true.  The machine is then fit for nothing but
 * sim_machine_abandon(), which frees its host memory without any check.
 */
bool sim_catch_panic(struct sim_machine *m, void (*fn)(void *arg), void *arg);
void sim_machine_abandon(struct sim_machine *m);

/*
 * Events (variants with QUIRE_TRACE): fn is called for each one, on the thread
 * it happens on; NULL ends it.
 */
typedef void (*sim_trace_fn)(void *cookie, const struct quire_event *ev);
void sim_trace(struct sim_machine *m, sim_trace_fn fn, void *cookie);

/* Figures of the machine. */
struct sim_stats {
	uint64_t accesses, tlb_hits, walks, page_faults, ipis;
	uint64_t flush_page, flush_all, table_loads;
	uint64_t debug_traps; /* x86: single steps */
	uint64_t oom_kills;   /* by sim_config.oom_kill */
	uint64_t oom_calls, oopses, waits, log_lines, flusher_wakes,
		reclaim_wakes;
};
void sim_get_stats(struct sim_machine *m, struct sim_stats *out);

#endif
