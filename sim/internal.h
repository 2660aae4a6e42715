/* SPDX-License-Identifier: MIT */
/*
 * internal.h - what the files of sim/ share.
 *
 * Who may touch what.  A CPU's TLB, table register, preemption count and held
 * locks belong to the thread bound to it while `busy`, and to whoever has
 * cpu->lock while not: so an idle CPU's IPIs are run on its behalf.  Physical
 * memory is everyone's; page-table entries are read and written atomically.
 */
#ifndef QUIRE_SIM_INTERNAL_H
#define QUIRE_SIM_INTERNAL_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sim/sim.h>

#define SIM_ASIDS_MAX 4096
#define SIM_PWC_SIZE  64
#define SIM_HELD_MAX  64
#define SIM_BUCKETS   64
#define SIM_LOG_BYTES (256u << 10)

/* No data-race reports for what a program does to its own memory. */
#if defined(__clang__)
#define SIM_NO_TSAN                                                            \
	__attribute__((no_sanitize("thread"),                                  \
		       disable_sanitizer_instrumentation, noinline))
#else
#define SIM_NO_TSAN __attribute__((no_sanitize_thread))
#endif
#define sim_likely(x)	__builtin_expect(!!(x), 1)
#define sim_unlikely(x) __builtin_expect(!!(x), 0)

/* ---------------------------------------------------------------- the TLB */

#define TLB_WRITE  0x1u
#define TLB_USER   0x2u
#define TLB_NX	   0x4u
#define TLB_DIRTY  0x8u
#define TLB_GLOBAL 0x10u

struct sim_tlb_entry {
	uint64_t vpn;
	uint64_t ctx;  /* number of the asid's present life; 0: invalid */
	paddr_t frame; /* of this 4 KiB part */
	uint8_t flags; /* TLB_* */
	uint8_t shift; /* size of the page it was cut from */
	uint16_t attr; /* what else the format's check() wants to know */
};

/* Paging-structure cache: where the last-level table of 2 MiB is. */
struct sim_pwc_entry {
	uint64_t tag; /* address >> what one stands for */
	uint64_t ctx;
	paddr_t table;
	uint8_t flags; /* TLB_WRITE, TLB_USER, TLB_NX so far */
};

struct sim_tlb {
	struct sim_tlb_entry *entry; /* sets * ways */
	uint32_t set_mask, ways;
	uint32_t nr_large;    /* entries cut from large pages ever put in */
	uint64_t ctx_current; /* ctx[asid] of the loaded asid */
	uint64_t ctx_global;
	uint64_t ctx_next;
	uint64_t ctx[SIM_ASIDS_MAX];
	struct sim_pwc_entry pwc[SIM_PWC_SIZE];
};

/* tlb.c: all act on one CPU's TLB; see the ownership rule above. */
int tlb_init(struct sim_tlb *tlb, unsigned sets, unsigned ways); /* -ENOMEM */
void tlb_destroy(struct sim_tlb *tlb);
/* Make asid current; its entries go unless keep. */
void tlb_switch(struct sim_tlb *tlb, unsigned asid, bool keep);
void tlb_insert(struct sim_cpu *cpu, uaddr_t addr, const struct sim_walk *w);
/* INVLPG: this page of the current asid, global or not, and the whole
 * paging-structure cache of the asid (SDM vol. 3A 4.10.4.1). */
void tlb_flush_page(struct sim_tlb *tlb, uaddr_t addr);
/* The same of an asid that need not be current. */
void tlb_flush_asid_page(struct sim_tlb *tlb, unsigned asid, uaddr_t addr);
/* All of one asid, not the global entries. */
void tlb_flush_asid(struct sim_tlb *tlb, unsigned asid);
/* All of the current asid; global: all of every asid, and global entries. */
void tlb_flush_all(struct sim_tlb *tlb, unsigned asid, bool global);
void tlb_evict_random(struct sim_cpu *cpu);

/* ------------------------------------------------------------------- CPUs */

struct sim_ipi {
	void (*fn)(void *arg);
	void *arg;
	uint32_t *left; /* decremented when done */
	struct sim_ipi *next;
};

struct sim_held {
	const void *lock;
	int cls;
	bool sleeping;
};

/* The arm format's registers besides the table's: see mmu_arm.c. */
struct sim_arm_regs {
	uint32_t dacr;	   /* domain access control */
	uint32_t ttbcr;	   /* N, PD0, PD1 */
	paddr_t ttbr1;	   /* table of the addresses above TTBR0's */
	uint32_t injected; /* status of the abort that the next access takes */
};

struct sim_cpu {
	struct sim_machine *m;
	unsigned index;
	struct sim_task *task; /* never NULL: idle when nothing else */
	struct sim_task idle;
	paddr_t root;
	unsigned asid;
	uint32_t ipi_flag; /* atomic: pending is not empty */
	uint64_t rng;
	uint64_t jitter_after; /* ns: no yield before */
	unsigned preempt;      /* depth */
	unsigned nr_held;
	struct sim_held held[SIM_HELD_MAX];
	uint64_t kernel_ip;  /* of the access under way, for the fixup */
	unsigned exceptions; /* under way: handlers may fault themselves */
	bool tf; /* x86: EFLAGS.TF is set: a debug exception after it */
	struct sim_stats stats;
	struct sim_arm_regs arm;
	uint64_t pdpte[4]; /* i386_pae: as the load of the root found them */
	struct sim_tlb tlb;

	pthread_mutex_t lock __attribute__((aligned(64)));
	pthread_cond_t freed; /* bound became false */
	bool bound;	      /* a thread has it */
	bool busy; /* ... and is not asleep: it answers IPIs itself */
	struct sim_ipi *pending;
};

extern _Thread_local struct sim_cpu *sim_self;

struct sim_bucket {
	pthread_mutex_t lock;
	struct sim_sleeper *first;
};

/* A page-table format: one file each (mmu_x86_64.c ...); the one of the format
 * that the core is compiled for is linked in. */
struct sim_mmu_format {
	const char *name;
	unsigned levels; /* what sim_config.levels == 0 means */
	bool no_nx;	 /* no entry can forbid execution */
	/* Kernel addresses that kernel_tables leaves free, for a vmalloc area
	 * (quire_config); 0: none. */
	uaddr_t vmalloc_start, vmalloc_bytes;
	/* A fault does not end the TLB entry that it was raised from. */
	bool fault_keeps_entry;
	/*
	 * What a flush of one page does to table entries that are cached on
	 * their own: 0: all of them go; else only that of the page, where each
	 * stands for 1 << walk_shift bytes.
	 */
	unsigned walk_shift;
	/*
	 * Walk the tables at cpu->root for one access.  Sets accessed (and
	 * dirty, for a write) where the access is allowed.  true: *w is the
	 * translation; false: w->error, or w->gp.
	 */
	bool (*walk)(struct sim_cpu *cpu, enum sim_access_kind kind,
		     unsigned mode, uaddr_t addr, struct sim_walk *w);
	/* Which error an access through this TLB entry gives: 0 or the code. */
	uint32_t (*check)(struct sim_cpu *cpu, enum sim_access_kind kind,
			  unsigned mode, const struct sim_tlb_entry *e);
	/* Tables for the kernel half, in the machine's own low memory. */
	paddr_t (*kernel_tables)(struct sim_machine *m);
	/* Call the architecture's exception entry; *ip is the instruction. */
	void (*fault)(struct sim_cpu *cpu, unsigned mode, uaddr_t addr,
		      uint32_t error, uint64_t *ip);
	/*
	 * Any of these may be NULL.  debug: cpu->tf was set as an instruction
	 * ended (SDM vol. 3B, 17.3.1.4).  init: before the CPUs are made; 0 or
	 * -ENOMEM.  pages_freed: Quire has freed that memory.  used: an access
	 * is about to go to phys.
	 */
	void (*debug)(struct sim_cpu *cpu, unsigned mode, uint64_t ip);
	int (*init)(struct sim_machine *m);
	void (*fini)(struct sim_machine *m);
	void (*cpu_init)(struct sim_cpu *cpu);
	void (*load)(struct sim_cpu *cpu); /* cpu->root was written */
	void (*pages_freed)(struct sim_machine *m, const void *mem,
			    size_t bytes);
	void (*used)(struct sim_cpu *cpu, enum sim_access_kind kind,
		     uaddr_t addr, paddr_t phys);
};
extern const struct sim_mmu_format sim_mmu;

enum { FRAME_UNUSED, FRAME_TAKEN, FRAME_FREE };

struct sim_machine {
	struct sim_config config;
	struct quire *q;
	const struct sim_mmu_format *mmu;
	void *mmu_state; /* the format's */
	unsigned levels;
	char *ram;
	uint64_t ram_end;
	uint64_t ram_total;   /* bytes handed to Quire */
	uint8_t *frame_state; /* atomic; debug variants */
	bool creating;
	bool has_nx;
	paddr_t kernel_root;
	unsigned nr_cpus; /* without the I/O CPU */
	struct sim_cpu *cpu[QUIRE_MAX_CPUS];
	struct sim_bucket bucket[SIM_BUCKETS];

	pthread_mutex_t lock; /* tasks, files, log */
	struct sim_task *tasks;
	unsigned nr_tasks;
	uint32_t next_task_id;
	struct sim_file *files;
	uint64_t next_inode;
	char *log;
	size_t log_len;
	uint64_t log_lines;  /* atomic */
	unsigned violations; /* atomic */
	bool quiet;

	struct {
		uint64_t count, hits; /* atomic */
		uint64_t nth;	      /* 0: off */
		bool single;
		unsigned one_in; /* 0: off */
		uint64_t rng;
	} inject;

	sim_trace_fn trace_fn; /* atomic */
	void *trace_cookie;

	sigjmp_buf *panic_jmp; /* sim_catch_panic */
	pthread_t panic_thread;

	/* disk.c: the queue of all disks, and the I/O thread */
	pthread_t io_thread;
	pthread_mutex_t io_lock;
	pthread_cond_t io_cond;
	bool io_running, io_stop;
	struct disk_request *io_first, **io_last;
	unsigned io_ending; /* requests off the queue whose pages are not ended
			     * yet */
	uint64_t io_rng;
	/* What threads that are bound to no CPU have done: its end is told by
	 * the I/O thread, or (io_job_cond) by who waits for it. */
	struct io_done {
		struct io_done *next;
		void (*end)(struct io_done *done);
	} * io_done, **io_done_last;
	pthread_cond_t io_job_cond;
	unsigned io_jobs; /* such requests, that are not ended yet */
	struct sim_swap *swap[QUIRE_MAX_SWAP_AREAS];
	struct sim_reclaim {
		pthread_t thread;
		pthread_mutex_t lock;
		pthread_cond_t cond;
		bool running, stop, wanted, busy, held;
	} reclaim;

	uint32_t nr_sleeping; /* threads in quire_host_wait(); atomic */

	pthread_mutex_t oom_lock; /* one victim at a time; m->lock inside it */
	uint64_t oom_kills;	  /* atomic */
};

static inline uint64_t sim_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* cpu.c: user data out of / into simulated memory, by words, not instrumented:
 * what programs race on is their affair. */
void sim_copy_out(void *dst, const void *src, size_t n);
void sim_copy_in(void *dst, const void *src, size_t n);

/* machine.c: make CPU cpu's thread stop / start answering for itself. */
void cpu_park(struct sim_cpu *cpu);
void cpu_unpark(struct sim_cpu *cpu);
/* ipi.c: quire_host_cpu_call() without being counted as interrupts: for what
 * processors do among themselves. */
void cpu_call(cpumask_t cpus, void (*fn)(void *arg), void *arg);
/* Run what is pending (cpu is this thread's). */
void cpu_poll_slow(struct sim_cpu *cpu);
static inline void cpu_poll(struct sim_cpu *cpu)
{
	if (sim_unlikely(__atomic_load_n(&cpu->ipi_flag, __ATOMIC_RELAXED)))
		cpu_poll_slow(cpu);
}

/* mmu.c: through the TLB; true and the physical address in *phys. */
bool mmu_translate(struct sim_cpu *cpu, enum sim_access_kind kind,
		   unsigned mode, uaddr_t addr, paddr_t *phys,
		   struct sim_walk *w);

/* Instruction addresses that a simulated kernel access appears to be at. */
#if QUIRE_UADDR_BITS == 32
#define SIM_IP_PLAIN   0xc0100100u
#define SIM_IP_FIXABLE 0xc0100200u
#define SIM_IP_FIXUP   0xc0100300u
#else
#define SIM_IP_PLAIN   0xffffffff81000100ull
#define SIM_IP_FIXABLE 0xffffffff81000200ull
#define SIM_IP_FIXUP   0xffffffff81000300ull
#endif

/* checker.c */
void sim_violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* At the ends of public calls: no lock held, preemption on. */
void check_balance(struct sim_cpu *cpu, const char *where);
/* The lock was handed to another context (a page under I/O). */
void check_handover(struct sim_cpu *cpu, const void *lock);
/* A frame is about to be used by the MMU for `what`. */
void check_frame_slow(struct sim_cpu *cpu, paddr_t phys, uaddr_t addr,
		      const char *what);
static inline void check_frame(struct sim_cpu *cpu, paddr_t phys, uaddr_t addr,
			       const char *what)
{
#ifdef QUIRE_DEBUG
	struct sim_machine *m = cpu->m;

	if (sim_unlikely(phys >= m->ram_end ||
			 __atomic_load_n(&m->frame_state[phys >> 12],
					 __ATOMIC_RELAXED) == FRAME_FREE))
		check_frame_slow(cpu, phys, addr, what);
#else
	if (sim_unlikely(phys >= cpu->m->ram_end))
		check_frame_slow(cpu, phys, addr, what);
#endif
}
void checker_init(struct sim_machine *m);
void checker_fini(struct sim_machine *m);

/* disk.c: the I/O thread; forget: free what is queued, for a machine whose
 * Quire cannot be called any more. */
int sim_io_start(struct sim_machine *m);
void sim_io_stop(struct sim_machine *m);
void sim_io_forget(struct sim_machine *m);
/* swap.c: take off what areas are left: those that it cannot be done for;
 * forget: as above. */
unsigned sim_swap_close_all(struct sim_machine *m);
void sim_swap_forget(struct sim_machine *m);
/* reclaim.c: the thread of background reclaim, on this CPU. */
int sim_reclaim_start(struct sim_machine *m);
void sim_reclaim_stop(struct sim_machine *m);
/* Until it is let go again, no round of background reclaim begins; the one that
 * is under way is over. */
void sim_reclaim_hold(struct sim_machine *m, bool hold);
/* file.c */
/* Close what is left; returns how many had references of Quire's. */
unsigned sim_files_close_all(struct sim_machine *m);

/* oom.c: kill the largest until there is memory; false: there is none. */
bool sim_oom_kill(struct sim_machine *m);
/* host.c */
/* A condition whose timed waits end at times of quire_host_time_ns(): setting
 * the host's clock ends none early, nor late. */
void sim_cond_init(pthread_cond_t *cond);
void sim_log_line(struct sim_machine *m, int level, const char *text,
		  size_t len);
void sim_task_init(struct sim_machine *m, struct sim_task *t);

#endif
