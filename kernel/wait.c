/* SPDX-License-Identifier: MIT */
/*
 * wait.c - wait queues, mutexes, and Quire's futex-like wait and wake.
 *
 * A queue's lock is inside whatever the caller holds; sched_lock is inside
 * the queue's.  All may be used from interrupts except mutexes and
 * quire_host_wait().
 */
#include "task.h"

void wait_add(struct wait_queue *wq, struct waiter *w)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);

	if (!w->task)
		w->task = current;
	if (w->exclusive)
		list_add_tail(&w->node, &wq->waiters);
	else
		list_add(&w->node, &wq->waiters);
	spin_unlock_irqrestore(&wq->lock, flags);
}

void wait_prepare(struct wait_queue *wq, struct waiter *w, unsigned state)
{
	if (!w->node.next)
		list_init(&w->node);
	if (list_empty(&w->node))
		wait_add(wq, w);
	set_current_state(state);
}

void wait_finish(struct wait_queue *wq, struct waiter *w)
{
	unsigned long flags;

	set_current_state(TASK_RUNNING);
	if (!w->node.next)
		return;
	flags = spin_lock_irqsave(&wq->lock);
	list_del(&w->node);
	spin_unlock_irqrestore(&wq->lock, flags);
}

bool wait_interrupted(unsigned state)
{
	struct task *t = current;

	if (state == TASK_INTERRUPTIBLE)
		return signal_pending(t);
	return state == TASK_KILLABLE && fatal_signal_pending(t);
}

static void wake(struct wait_queue *wq, bool all)
{
	unsigned long flags = spin_lock_irqsave(&wq->lock);
	struct waiter *w, *n;

	list_for_each_entry_safe (w, n, &wq->waiters, node) {
		bool woke = true;

		if (w->func)
			w->func(w);
		else
			woke = wake_task(w->task, TASK_INTERRUPTIBLE |
							  TASK_UNINTERRUPTIBLE |
							  TASK_KILLABLE);
		if (!all && w->exclusive && woke)
			break;
	}
	spin_unlock_irqrestore(&wq->lock, flags);
}

void wake_up_all(struct wait_queue *wq)
{
	wake(wq, true);
}

void wake_up_one(struct wait_queue *wq)
{
	wake(wq, false);
}

/* -------------------------------------------------------------- mutexes */

void mutex_init(struct mutex *m)
{
	m->locked = 0;
	wait_queue_init(&m->wq);
}

bool mutex_trylock(struct mutex *m)
{
	uint32_t free = 0;

	return __atomic_compare_exchange_n(&m->locked, &free, 1, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void mutex_lock(struct mutex *m)
{
	struct waiter w = {.exclusive = true};

	if (k_likely(mutex_trylock(m)))
		return;
	for (;;) {
		wait_prepare(&m->wq, &w, TASK_UNINTERRUPTIBLE);
		if (!__atomic_exchange_n(&m->locked, 2, __ATOMIC_ACQUIRE))
			break;
		schedule();
	}
	wait_finish(&m->wq, &w);
}

void mutex_unlock(struct mutex *m)
{
	if (__atomic_exchange_n(&m->locked, 0, __ATOMIC_RELEASE) == 2)
		wake_up_one(&m->wq);
}

/* ------------------------------------------------- waiting on a word */

#define WORD_BUCKETS 64u
struct word_waiter {
	struct list_head node;
	uint32_t *word;
	struct task *task;
	bool woken;
};
static struct {
	struct spinlock lock;
	struct list_head waiters;
} word_table[WORD_BUCKETS];

static unsigned word_hash(const uint32_t *word)
{
	return (unsigned)(((uint64_t)(uintptr_t)word >> 3) * 0x9e3779b1u >>
			  16) %
	       WORD_BUCKETS;
}

void wait_init(void);
void wait_init(void)
{
	unsigned i;

	for (i = 0; i < WORD_BUCKETS; i++)
		list_init(&word_table[i].waiters);
}

int quire_host_wait(uint32_t *word, uint32_t expected, unsigned flags)
{
	unsigned h = word_hash(word);
	struct word_waiter w = {.word = word, .task = current};
	unsigned state = flags & QUIRE_WAIT_KILLABLE ? TASK_KILLABLE
						     : TASK_UNINTERRUPTIBLE;
	unsigned long irq = spin_lock_irqsave(&word_table[h].lock);
	int err = 0;

	if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != expected) {
		spin_unlock_irqrestore(&word_table[h].lock, irq);
		return 0;
	}
	list_add_tail(&w.node, &word_table[h].waiters);
	set_current_state(state);
	spin_unlock_irqrestore(&word_table[h].lock, irq);
	schedule();
	set_current_state(TASK_RUNNING);
	irq = spin_lock_irqsave(&word_table[h].lock);
	list_del(&w.node);
	if (!w.woken && wait_interrupted(state))
		err = -EINTR;
	spin_unlock_irqrestore(&word_table[h].lock, irq);
	return err;
}

void quire_host_wake(uint32_t *word, uint32_t n)
{
	unsigned h = word_hash(word);
	unsigned long irq = spin_lock_irqsave(&word_table[h].lock);
	struct word_waiter *w, *next;

	list_for_each_entry_safe (w, next, &word_table[h].waiters, node) {
		if (!n)
			break;
		if (w->word != word)
			continue;
		list_del(&w->node);
		w->woken = true;
		wake_task(w->task, TASK_UNINTERRUPTIBLE | TASK_KILLABLE);
		n--;
	}
	spin_unlock_irqrestore(&word_table[h].lock, irq);
}
