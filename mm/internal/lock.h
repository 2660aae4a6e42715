/* SPDX-License-Identifier: MIT */
/*
 * lock.h - Quire's own locks, built on atomics and the host's wait/wake pair.
 *
 *   spinlock_t   short sections; preemption is off inside; nothing sleeps
 *   struct rwsem mmap_lock and other locks held across sleeps: many readers
 *                or one writer; writers are not starved (a waiting writer
 *                holds off new readers)
 *
 * Order (outermost first): mmap_lock, VMA lock, page lock, i_mmap / anon_vma,
 * page-table lock, then LRU / swap / cache tree, slab, zone.  In QUIRE_DEBUG
 * builds the host's checker sees every acquisition with its class.
 */
#ifndef QUIRE_MM_LOCK_H
#define QUIRE_MM_LOCK_H

#include "base.h"

#ifdef QUIRE_DEBUG
#define quire_debug_lock(l, c, s) quire_host_debug_lock(l, c, s)
#define quire_debug_unlock(l, c)  quire_host_debug_unlock(l, c)
#define might_sleep()		  quire_host_debug_might_sleep(__func__)
#else
#define quire_debug_lock(l, c, s) ((void)(l))
#define quire_debug_unlock(l, c)  ((void)(l))
#define might_sleep()		  ((void)0)
#endif

typedef struct {
	uint32_t locked;
#ifdef QUIRE_DEBUG
	int cls; /* enum quire_lock_class; 0 counts as LEAF */
#endif
} spinlock_t;

#ifdef QUIRE_DEBUG
#define spin_lock_init(l, c) (*(l) = (spinlock_t){0, QUIRE_LOCK_##c})
#define QUIRE_SPIN_CLASS(l)  ((l)->cls)
#else
#define spin_lock_init(l, c) (*(l) = (spinlock_t){0})
#define QUIRE_SPIN_CLASS(l)  0
#endif

static __always_inline bool spin_trylock(spinlock_t *l)
{
	quire_host_preempt_disable();
	if (!__atomic_exchange_n(&l->locked, 1u, __ATOMIC_ACQUIRE)) {
		quire_debug_lock(l, QUIRE_SPIN_CLASS(l), false);
		return true;
	}
	quire_host_preempt_enable();
	return false;
}

/* Contended: spin on a plain read until it looks free.  In mm/lock.c. */
void spin_lock_slow(spinlock_t *l);

static __always_inline void spin_lock(spinlock_t *l)
{
	quire_host_preempt_disable();
	if (unlikely(__atomic_exchange_n(&l->locked, 1u, __ATOMIC_ACQUIRE)))
		spin_lock_slow(l);
	quire_debug_lock(l, QUIRE_SPIN_CLASS(l), false);
}

static __always_inline void spin_unlock(spinlock_t *l)
{
	quire_debug_unlock(l, QUIRE_SPIN_CLASS(l));
	__atomic_store_n(&l->locked, 0u, __ATOMIC_RELEASE);
	quire_host_preempt_enable();
}

static inline bool spin_is_locked(spinlock_t *l)
{
	return READ_ONCE(l->locked) != 0;
}

/*
 * struct rwsem.  state: bit 31 a writer holds it, bit 30 the queue is not
 * empty (which holds everyone else off), low bits count the readers.  The
 * queue is first come, first served; mm/lock.c has the whole story.
 */
#define RWSEM_WRITER  0x80000000u
#define RWSEM_WAITERS 0x40000000u
struct rwsem_waiter;
struct rwsem {
	uint32_t state;
	int cls;
	spinlock_t wait_lock; /* LEAF: the queue, and the setting of bit 30 */
	struct rwsem_waiter *head, *tail;
};

void rwsem_init(struct rwsem *s, int cls);
/* Slow paths, mm/lock.c.  *_killable: -EINTR when a fatal signal is pending. */
int rwsem_down_read_slow(struct rwsem *s, bool killable);
int rwsem_down_write_slow(struct rwsem *s, bool killable);
void rwsem_wake_slow(struct rwsem *s);

/* tried: 0; or QUIRE_LOCK_TRY, for the checker of locks. */
static __always_inline bool rwsem_try_read(struct rwsem *s, int tried)
{
	uint32_t v = READ_ONCE(s->state);

	while (!(v & (RWSEM_WRITER | RWSEM_WAITERS)))
		if (__atomic_compare_exchange_n(&s->state, &v, v + 1, true,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED)) {
			quire_debug_lock(s, s->cls | tried, true);
			return true;
		}
	(void)tried;
	return false;
}

static __always_inline bool down_read_trylock(struct rwsem *s)
{
	return rwsem_try_read(s, QUIRE_LOCK_TRY);
}

static __always_inline void down_read(struct rwsem *s)
{
	might_sleep();
	if (unlikely(!rwsem_try_read(s, 0)))
		(void)rwsem_down_read_slow(s, false);
}

static __always_inline int down_read_killable(struct rwsem *s)
{
	might_sleep();
	if (likely(rwsem_try_read(s, 0)))
		return 0;
	return rwsem_down_read_slow(s, true);
}

static __always_inline void up_read(struct rwsem *s)
{
	quire_debug_unlock(s, s->cls);
	uint32_t v = __atomic_sub_fetch(&s->state, 1u, __ATOMIC_RELEASE);

	if (unlikely(v == RWSEM_WAITERS))
		rwsem_wake_slow(s);
}

static __always_inline void down_write(struct rwsem *s)
{
	uint32_t zero = 0;

	might_sleep();
	if (unlikely(!__atomic_compare_exchange_n(
		    &s->state, &zero, RWSEM_WRITER, false, __ATOMIC_ACQUIRE,
		    __ATOMIC_RELAXED))) {
		(void)rwsem_down_write_slow(s, false);
		return; /* the slow path told the checker */
	}
	quire_debug_lock(s, s->cls, true);
}

static __always_inline int down_write_killable(struct rwsem *s)
{
	uint32_t zero = 0;

	might_sleep();
	if (unlikely(!__atomic_compare_exchange_n(
		    &s->state, &zero, RWSEM_WRITER, false, __ATOMIC_ACQUIRE,
		    __ATOMIC_RELAXED)))
		return rwsem_down_write_slow(s, true);
	quire_debug_lock(s, s->cls, true);
	return 0;
}

static __always_inline void up_write(struct rwsem *s)
{
	quire_debug_unlock(s, s->cls);
	uint32_t v =
		__atomic_and_fetch(&s->state, ~RWSEM_WRITER, __ATOMIC_RELEASE);

	if (unlikely(v & RWSEM_WAITERS))
		rwsem_wake_slow(s);
}

/* A writer goes on as a reader. */
static __always_inline void downgrade_write(struct rwsem *s)
{
	uint32_t v = __atomic_add_fetch(&s->state, 1u - RWSEM_WRITER,
					__ATOMIC_RELEASE);

	if (unlikely(v & RWSEM_WAITERS))
		rwsem_wake_slow(s);
}

static inline bool rwsem_is_locked(struct rwsem *s)
{
	return (READ_ONCE(s->state) & ~RWSEM_WAITERS) != 0;
}

#endif
