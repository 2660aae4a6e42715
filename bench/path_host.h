/* SPDX-License-Identifier: MIT */
/*
 * path_host.h - the hot host functions of bench/path.c, inlined as a
 * preemptible kernel on x86-64 would have them: the current task, the CPU's
 * index and the preemption count are each one access to memory (there by %gs).
 */
#ifndef BENCH_PATH_HOST_H
#define BENCH_PATH_HOST_H

extern struct quire_task *path_current;
extern unsigned path_cpu, path_preempt;
void path_reschedule(void);

static inline struct quire_task *quire_host_current(void)
{
	struct quire_task *t;

	__asm__("movq path_current, %0" : "=r"(t));
	return t;
}
#define quire_host_current quire_host_current

static inline unsigned quire_host_cpu(void)
{
	unsigned cpu;

	__asm__ volatile("movl path_cpu, %0" : "=r"(cpu));
	return cpu;
}
#define quire_host_cpu quire_host_cpu

static inline void quire_host_preempt_disable(void)
{
	__asm__ volatile("incl path_preempt" ::: "memory", "cc");
}
#define quire_host_preempt_disable quire_host_preempt_disable

static inline void quire_host_preempt_enable(void)
{
	__asm__ goto("decl path_preempt\n\tjz %l0" ::
			     : "memory", "cc"
		     : reschedule);
	return;
reschedule:
	path_reschedule();
}
#define quire_host_preempt_enable quire_host_preempt_enable

/* Stands for INVLPG. */
static inline void quire_host_flush_page(uaddr_t addr)
{
	__asm__ volatile("nop" ::"r"(addr) : "memory");
}
#define quire_host_flush_page quire_host_flush_page

#endif
