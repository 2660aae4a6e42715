/* SPDX-License-Identifier: MIT */
/*
 * sync.h - the kernel's own locks and sleeping.
 *
 * The kernel is not preemptive: a task in the kernel gives its CPU away only
 * where it sleeps or says cond_resched().  So
 *   struct spinlock   guards short sections that do not sleep and call
 *                     nothing of Quire's that may; spin_lock() when only
 *                     tasks take it, spin_lock_irqsave() when interrupt
 *                     handlers (timers, devices) take it too
 *   struct mutex      may be held across sleeps; tasks only
 *   struct wait_queue where tasks sleep until a condition holds
 *
 * No lock of these is taken while one of Quire's spinlocks is held, and
 * quire_host_cpu_call() is reached with interrupts off only where a probed
 * device register is stepped over (kmmio): all that spin answer calls.
 */
#ifndef KERNEL_SYNC_H
#define KERNEL_SYNC_H

#include "klib.h"

struct task;

/*
 * Interrupts of this CPU: irq_save() turns them off and tells how they were;
 * irq_restore() turns them on again if they had been; irq_enable(),
 * irq_disable(); cpu_relax() is for the body of a spin.  (arch_lib.h)
 */

/* ----------------------------------------------------------- spinlocks */

struct spinlock {
	uint32_t locked;
};
#define SPINLOCK_INIT                                                          \
	{                                                                      \
		0                                                              \
	}
void kspin_slow(struct spinlock *l); /* sched.c */
static inline void spin_init(struct spinlock *l)
{
	l->locked = 0;
}
static inline bool spin_trylock(struct spinlock *l)
{
	return !__atomic_exchange_n(&l->locked, 1u, __ATOMIC_ACQUIRE);
}
static inline void spin_lock(struct spinlock *l)
{
	if (k_unlikely(__atomic_exchange_n(&l->locked, 1u, __ATOMIC_ACQUIRE)))
		kspin_slow(l);
}
static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->locked, 0u, __ATOMIC_RELEASE);
}
static inline unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();

	spin_lock(l);
	return flags;
}
static inline void spin_unlock_irqrestore(struct spinlock *l,
					  unsigned long flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

/* --------------------------------------------------------- wait queues */

struct wait_queue {
	struct spinlock lock;
	struct list_head waiters;
};
#define WAIT_QUEUE_INIT(name)                                                  \
	{                                                                      \
		SPINLOCK_INIT, LIST_HEAD_INIT((name).waiters)                  \
	}
static inline void wait_queue_init(struct wait_queue *wq)
{
	spin_init(&wq->lock);
	list_init(&wq->waiters);
}

/* One task's entry in one queue; on its stack.  To wait in several queues at
 * once (poll), use several. */
struct waiter {
	struct list_head node;
	struct task *task;
	bool exclusive; /* wake_up_one() ends with the first of these */
	/* Not NULL: called (queue lock held, maybe in an interrupt) instead of
	 * waking the task. */
	void (*func)(struct waiter *w);
};

#define TASK_RUNNING	     0u
#define TASK_INTERRUPTIBLE   1u /* any signal ends the sleep */
#define TASK_UNINTERRUPTIBLE 2u
#define TASK_KILLABLE	     4u /* a fatal signal ends the sleep */
#define TASK_STOPPED	     8u
#define TASK_DEAD	     32u

/*
 * The pattern, which the macros below spell out:
 *
 *	struct waiter w = {0};
 *	for (;;) {
 *		wait_prepare(&wq, &w, TASK_INTERRUPTIBLE);
 *		if (condition) break;
 *		if (signal_pending(current)) { err = -ERESTARTSYS; break; }
 *		schedule();            (or schedule_until(deadline))
 *	}
 *	wait_finish(&wq, &w);
 *
 * A wake-up between prepare and schedule is not lost.
 */
void wait_prepare(struct wait_queue *wq, struct waiter *w, unsigned state);
void wait_finish(struct wait_queue *wq, struct waiter *w);
/* Enter a waiter without touching the task's state (poll). */
void wait_add(struct wait_queue *wq, struct waiter *w);
void wake_up_all(struct wait_queue *wq); /* from any context */
void wake_up_one(struct wait_queue *wq); /* the first exclusive one, and all
					  * that are not */
static inline void wake_up(struct wait_queue *wq)
{
	if (!list_empty(&wq->waiters))
		wake_up_all(wq);
}
/* Wake a task that sleeps in one of the states of the mask; true if it did */
bool wake_task(struct task *task, unsigned states);
void set_current_state(unsigned state);

/* Give the CPU away: returns when this task runs again.  With a state other
 * than TASK_RUNNING set, only after a wake-up (or a signal it admits). */
void schedule(void);
/* The same, and no later than `deadline` (ktime_ns; UINT64_MAX: never). False:
 * the time came first. */
bool schedule_until(uint64_t deadline);
/* In long work in the kernel: let others run if it is time. */
void cond_resched(void);
void yield(void);

#define ERESTARTSYS	      512 /* restart if SA_RESTART, else EINTR */
#define ERESTARTNOINTR	      513 /* always restart */
#define ERESTARTNOHAND	      514 /* restart only if no handler runs */
#define ERESTART_RESTARTBLOCK 516

/* 0, or -ERESTARTSYS (signal), or -ETIMEDOUT (deadline in ktime_ns) */
#define WAIT_EVENT_(wq, cond, state, deadline)                                 \
	({                                                                     \
		struct waiter w_ = {0};                                        \
		long ret_ = 0;                                                 \
		bool more_ = true;                                             \
		for (;;) {                                                     \
			wait_prepare(wq, &w_, state);                          \
			if (cond)                                              \
				break;                                         \
			if (wait_interrupted(state)) {                         \
				ret_ = -ERESTARTSYS;                           \
				break;                                         \
			}                                                      \
			if (!more_) {                                          \
				ret_ = -110;                                   \
				break;                                         \
			}                                                      \
			more_ = schedule_until(deadline);                      \
		}                                                              \
		wait_finish(wq, &w_);                                          \
		ret_;                                                          \
	})
#define wait_event(wq, cond)                                                   \
	((void)WAIT_EVENT_(wq, cond, TASK_UNINTERRUPTIBLE, UINT64_MAX))
#define wait_event_interruptible(wq, cond)                                     \
	WAIT_EVENT_(wq, cond, TASK_INTERRUPTIBLE, UINT64_MAX)
#define wait_event_killable(wq, cond)                                          \
	WAIT_EVENT_(wq, cond, TASK_KILLABLE, UINT64_MAX)
#define wait_event_interruptible_until(wq, cond, deadline)                     \
	WAIT_EVENT_(wq, cond, TASK_INTERRUPTIBLE, deadline)
/* Whether a pending signal ends a sleep of that state. */
bool wait_interrupted(unsigned state);

/* -------------------------------------------------------------- mutexes */

struct mutex {
	uint32_t locked; /* 0 free, 1 held, 2 held and waited for */
	struct wait_queue wq;
};
#define MUTEX_INIT(name)                                                       \
	{                                                                      \
		0, WAIT_QUEUE_INIT((name).wq)                                  \
	}
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m); /* sleeps, not to be interrupted */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

#endif
