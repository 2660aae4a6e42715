/* SPDX-License-Identifier: MIT */
/*
 * lock.c - what happens when a lock is not free at once.
 *
 * A spinlock is one word; who finds it taken reads it until it looks free and
 * tries again, so that the line is not pulled to and fro.
 *
 * An rwsem keeps a queue of those who sleep, first come, first served:
 *
 *     state   W | Q | readers            Q set <=> the queue is not empty
 *     head -> reader -> reader -> writer -> reader <- tail
 *
 * While Q is set the fast paths let nobody in: a writer waits for the readers
 * that are inside and for nobody that came after it, and readers do not starve
 * behind writers either.  Only wait_lock's holder hands the lock on.  It takes
 * the lock *for* the sleeper and then wakes it, so no wake-up can be lost and
 * none is for nothing: who is woken has the lock.
 *
 *   - the last one out sees Q and calls rwsem_wake_slow()
 *   - who is about to sleep sets Q by compare-and-exchange on a state in which
 *     somebody is inside, so that one has yet to leave and will see Q
 *   - who gives up (a fatal signal) hands on, since it may have been the one
 *     that held the others off
 *
 * A waiter lives on its task's stack.  It is touched under wait_lock only
 * (apart from the word slept on), and its owner takes wait_lock once more
 * before it leaves; so neither it nor the rwsem goes away under the waker.
 */
#include "lock.h"

struct rwsem_waiter {
	struct rwsem_waiter *next;
	bool writer;
	uint32_t granted; /* atomic; what the owner sleeps on */
};

void spin_lock_slow(spinlock_t *l)
{
	unsigned spins = 0;

	do {
		while (READ_ONCE(l->locked))
			quire_host_relax(spins++);
	} while (__atomic_exchange_n(&l->locked, 1u, __ATOMIC_ACQUIRE));
}

void rwsem_init(struct rwsem *s, int cls)
{
	s->state = 0;
	s->cls = cls;
	spin_lock_init(&s->wait_lock, LEAF);
	s->head = NULL;
	s->tail = NULL;
}

/* wait_lock held: take the first one out of the queue. */
static struct rwsem_waiter *dequeue(struct rwsem *s)
{
	struct rwsem_waiter *w = s->head;

	s->head = w->next;
	if (!s->head)
		s->tail = NULL;
	return w;
}

/* wait_lock held: w has the lock now; let its task go on. */
static void grant(struct rwsem_waiter *w)
{
	__atomic_store_n(&w->granted, 1u, __ATOMIC_RELEASE);
	quire_host_wake(&w->granted, 1);
}

/*
 * wait_lock held: hand the lock to as many from the head of the queue as may
 * have it together.  With Q set the count inside can only fall meanwhile.
 */
static void hand_on(struct rwsem *s)
{
	while (s->head) {
		struct rwsem_waiter *w = s->head;
		uint32_t q = w->next ? RWSEM_WAITERS : 0;
		uint32_t v = READ_ONCE(s->state);

		if (v & RWSEM_WRITER)
			return;
		if (w->writer) {
			v = RWSEM_WAITERS;
			if (!__atomic_compare_exchange_n(
				    &s->state, &v, RWSEM_WRITER | q, false,
				    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				return; /* readers inside: the last one comes */
			grant(dequeue(s));
			return;
		}
		/* one reader more; Q goes with the last of the queue */
		__atomic_fetch_add(&s->state, 1u + q - RWSEM_WAITERS,
				   __ATOMIC_ACQUIRE);
		grant(dequeue(s));
	}
}

void rwsem_wake_slow(struct rwsem *s)
{
	spin_lock(&s->wait_lock);
	hand_on(s);
	spin_unlock(&s->wait_lock);
}

/*
 * wait_lock held.  Take the lock if it is free and nobody waits (true), else
 * leave Q set and w in the queue (false).
 */
static bool take_or_queue(struct rwsem *s, struct rwsem_waiter *w)
{
	uint32_t v = READ_ONCE(s->state);
	uint32_t to = v;

	do {
		if (v & RWSEM_WAITERS)
			break;
		if (w->writer)
			to = v ? v | RWSEM_WAITERS : RWSEM_WRITER;
		else
			to = v & RWSEM_WRITER ? v | RWSEM_WAITERS : v + 1;
	} while (!__atomic_compare_exchange_n(
		&s->state, &v, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	if (!(v & RWSEM_WAITERS) && !(to & RWSEM_WAITERS))
		return true;
	if (s->tail)
		s->tail->next = w;
	else
		s->head = w;
	s->tail = w;
	return false;
}

/* wait_lock held: take w, wherever it is, out of the queue. */
static void unqueue(struct rwsem *s, struct rwsem_waiter *w)
{
	struct rwsem_waiter **p = &s->head, *prev = NULL;

	while (*p != w) {
		prev = *p;
		p = &prev->next;
	}
	*p = w->next;
	if (s->tail == w)
		s->tail = prev;
	if (!s->head)
		__atomic_fetch_and(&s->state, ~RWSEM_WAITERS, __ATOMIC_RELAXED);
}

static int rwsem_down_slow(struct rwsem *s, bool writer, bool killable)
{
	struct rwsem_waiter w = {.writer = writer};
	int err = 0;

	spin_lock(&s->wait_lock);
	if (!take_or_queue(s, &w)) {
		spin_unlock(&s->wait_lock);
		while (!err && !smp_load_acquire(&w.granted))
			err = quire_host_wait(&w.granted, 0,
					      killable ? QUIRE_WAIT_KILLABLE
						       : 0);
		spin_lock(&s->wait_lock);
		if (smp_load_acquire(&w.granted)) {
			err = 0; /* it was ours before the signal came */
		} else {
			unqueue(s, &w);
			hand_on(s);
		}
	}
	spin_unlock(&s->wait_lock);
	if (!err)
		quire_debug_lock(s, s->cls, true);
	return err;
}

int rwsem_down_read_slow(struct rwsem *s, bool killable)
{
	return rwsem_down_slow(s, false, killable);
}

int rwsem_down_write_slow(struct rwsem *s, bool killable)
{
	return rwsem_down_slow(s, true, killable);
}
