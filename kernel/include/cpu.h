/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - one processor as the portable kernel sees it, and what each kind of
 * processor (kernel/x86, kernel/arm) supplies to it.
 *
 * arch_cpu.h is the processor's own part, found by the -I order as arch_task.h
 * (included by task.h), arch_lib.h (by klib.h) and quire_host_inline.h are.
 */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "task.h"
#include <arch_cpu.h>

/*
 * The first members are known to x86's entry.S by offset (x86/offsets.c).
 */
struct cpu {
	struct task *curr;    /* current */
	uintptr_t kstack_top; /* of current, for the entry from user mode */
	uintptr_t user_sp;    /* scratch of x86's system-call entry */
	uint32_t id;
	struct task *idle;
	struct task *fpu_owner; /* whose state the FPU registers hold */
	struct list_head queue; /* runnable tasks, sched_lock */
	unsigned nr_queued;
	bool online, tick_on;
	bool waiting; /* for an interrupt, since idle_since */
	uint64_t idle_ns, idle_since;
	uint64_t switches;
	/* timers, timer lock */
	struct spinlock timer_lock;
	struct list_head timers;
	uint64_t timer_armed; /* ktime the hardware timer fires; 0: not */
	uint64_t next_tick;
	/* quire_host_cpu_call */
	cpumask_t call_pending; /* bit n: CPU n waits for us to run its call */
	void (*call_fn)(void *arg);
	void *call_arg;
	cpumask_t call_left; /* CPUs that have not answered our call yet */
	struct cpu_arch arch;
};
extern struct cpu cpus[MAX_CPUS];
extern unsigned cpu_count;

static inline struct cpu *this_cpu(void)
{
	return &cpus[this_cpu_id()];
}

/* ----------------------------------------- what the processor supplies */

extern char kernel_start[], kernel_text_end[], kernel_rodata_end[],
	kernel_end[];

/*
 * The start, on CPU 0, interrupts off, in this order; start_info is what the
 * boot loader left.
 *   machine_init   exceptions, page tables, the command line, free memory;
 *                  the log works after it
 *   machine_start  cpu_count, the interrupt controller
 *   machine_config fills in what quire_create() must know of the tables
 *   machine_ready  what needs memory or the clock; before the other CPUs
 *   machine_cpu    the same for each other CPU, on it, from ap_main()
 */
void machine_init(uintptr_t start_info);
void machine_start(void);
void machine_config(struct quire_config *config);
void machine_ready(void);
void machine_cpu(unsigned id);
/* The INIT records (protocol.h): their size, or -1; *data stays, and a NUL
 * byte follows it. */
long machine_init_blob(void **data);
/* The kernel is about to run `t` on c: its kernel stack, where the processor
 * has a place to be told (also for the first task, from main.c). */
void machine_set_stack(struct cpu *c, struct task *t);
/* End the machine: `code` is what protocol.h says. */
_Noreturn void machine_exit(unsigned code);
/* One line of text to a channel, whole or not at all; any context. */
void machine_log(const char *text, size_t len);
void machine_report(const char *text, size_t len);
/* A model name for the log. */
const char *machine_name(void);
extern unsigned paging_levels;
extern uint64_t ram_bytes;
unsigned free_regions(struct quire_region *out, unsigned max);
paddr_t machine_ram_start(void); /* of all of it, the kernel's image as well */
/* dev/mem.c.  mem_reserve: with the regions that Quire is to get, before it
 * does: memory for /dev/pmem0 is taken from them.  pmem_init: once it has. */
void mem_reserve(struct quire_region *regions, unsigned n);
void pmem_init(void);

/* Start CPUs 1 ... count - 1, each to run ap_main(id) on its idle task's
 * stack; returns when all are online. */
void smp_start(unsigned count);
/* Interrupt another CPU: so that it looks at its work; so that it answers
 * calls (cpu_call_answer()). */
void ipi_resched(unsigned cpu);
void ipi_call(unsigned cpu);
/* Sleep until an interrupt comes; entered with interrupts off, so that none is
 * missed; left with them on. */
void cpu_wait_interrupt(void);

/* An interrupt has ended the idle task's wait, as far as there was one: what
 * follows is work.  The first thing in every interrupt handler. */
void idle_waited(struct cpu *c); /* sched.c */
static inline void idle_end(void)
{
	struct cpu *c = this_cpu();

	if (k_unlikely(c->waiting))
		idle_waited(c);
}

/* struct cpu_arch, struct task_arch: user registers that are not in pt_regs
 * (thread pointers), at a switch to `next`. */
void user_state_switch(struct cpu *c, struct task *next);
/* fork: the child's, with CLONE_SETTLS `tls` as thread pointer; exec: fresh */
void user_state_fork(struct task *t, const struct task *from, bool settls,
		     uaddr_t tls);
void user_state_reset(struct task *t);

/* Floating point and SIMD: fpu_area_bytes() is the size of task.fpu's. */
size_t fpu_area_bytes(void);
void fpu_init_task(void *area);
void fpu_save(struct task *t);
void fpu_restore(struct task *t);
/* Forget that any CPU's registers hold t's state (memory was changed). */
void fpu_invalidate(struct task *t);

/* The clock behind ktime_ns(): clock_init() starts it; timer_hw_arm: one
 * interrupt on this CPU in about ns, which ends in timer_interrupt().
 * rtc_seconds: seconds since 1970, 0: there is no such clock. */
void clock_init(void);
void timer_hw_arm(uint64_t ns);
uint64_t rtc_seconds(void);

/* ------------------------------------------ between the portable files */

/* call.c */
void cpu_call_answer(void); /* run what other CPUs want of this one */

/* timer.c */
void time_init(void);
void timer_interrupt(struct pt_regs *regs);
void timer_rearm(void);

/* sched.c */
void sched_init(void);
void sched_init_cpu(unsigned id);
_Noreturn void idle_loop(void);
void sched_tick(struct pt_regs *regs);
void schedule_tail(struct task *prev);
void exit_to_user_work(struct pt_regs *regs);
void syscall_exit_work(struct pt_regs *regs);

/* log.c */
void log_init(void);
/* Frames of the kernel's stack from `sp` up that look like return addresses */
void show_calls(const uintptr_t *sp, unsigned words);

/* main.c */
_Noreturn void kernel_main(uintptr_t start_info);
_Noreturn void ap_main(unsigned id);

#endif
