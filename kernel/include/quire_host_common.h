/* SPDX-License-Identifier: MIT */
/*
 * quire_host_common.h - those of the hot functions of <quire/host.h> that are
 * this kernel's on every processor; included by quire_host_inline.h.
 */
#ifndef QUIRE_HOST_COMMON_H
#define QUIRE_HOST_COMMON_H

/* The kernel is not preemptive. */
#define quire_host_preempt_disable quire_host_preempt_disable
static inline void quire_host_preempt_disable(void)
{
	__asm__ volatile("" ::: "memory");
}
#define quire_host_preempt_enable quire_host_preempt_enable
static inline void quire_host_preempt_enable(void)
{
	__asm__ volatile("" ::: "memory");
}

#define quire_host_relax quire_host_relax
void kernel_relax(void); /* answers other CPUs' calls */
static inline void quire_host_relax(unsigned spins)
{
	(void)spins;
	kernel_relax();
}

#ifdef QUIRE_TRACE
/* On while the kernel counts faults (always, but for boot). */
extern uint32_t kernel_trace_on;
void kernel_trace(const struct quire_event *event);
#define quire_host_trace_enabled quire_host_trace_enabled
static inline bool quire_host_trace_enabled(void)
{
	return kernel_trace_on != 0;
}
#define quire_host_trace quire_host_trace
static inline void quire_host_trace(const struct quire_event *event)
{
	kernel_trace(event);
}
#endif

#endif
