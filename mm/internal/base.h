/* SPDX-License-Identifier: MIT */
/*
 * base.h - the few general helpers that all of mm/ and arch/ use: ordered
 * memory access, doubly linked lists, alignment, the invariant check.
 *
 * READ_ONCE/WRITE_ONCE are relaxed atomics (so ThreadSanitizer knows them),
 * smp_* their ordered kin.
 */
#ifndef QUIRE_MM_BASE_H
#define QUIRE_MM_BASE_H

#include <quire/host.h>
#include <quire/linux.h>
#include <quire/types.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#ifndef __always_inline /* a hosted build's C library may have it */
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline)) /* a slow path kept out */
#endif
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define ALIGN_UP(x, a)	 (((x) + ((a)-1)) & ~((a)-1)) /* a: power of two */
#define ALIGN_DOWN(x, a) ((x) & ~((a)-1))
#define IS_ALIGNED(x, a) (((x) & ((a)-1)) == 0)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/*
 * What a step on the fault path has decided, told to `quire explain` (explain/)
 * by a build with -DQUIRE_EXPLAIN.  In any other there is no code for it.
 */
#ifdef QUIRE_EXPLAIN
void quire_explain_step(const char *what);
#define quire_step(what) quire_explain_step(what)
#else
#define quire_step(what) ((void)0)
#endif

/*
 * n / d.  Processors without a wide divide have a library's function for it,
 * which a kernel may not have: there it is done bit by bit.  So nothing that
 * is done often divides by what is not constant.
 */
static inline uint64_t divide(uint64_t n, uint64_t d)
{
#if UINTPTR_MAX > 0xffffffffu
	return n / d;
#else
	uint64_t quotient = 0, bit = 1;

	for (; d < n && !(d >> 63); bit <<= 1)
		d <<= 1;
	for (; bit; bit >>= 1, d >>= 1)
		if (n >= d) {
			n -= d;
			quotient |= bit;
		}
	return quotient;
#endif
}

/* An invariant is broken: never for bad input or lack of memory. */
#define QUIRE_BUG_ON(cond)                                                     \
	do {                                                                   \
		if (unlikely(cond))                                            \
			quire_host_panic(__FILE__, __LINE__, #cond);           \
	} while (0)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

/*
 * Add to a counter that only this CPU writes and others may read: on x86 one
 * plain instruction, which no preemption can tear.  (The checker wants to see
 * an atomic store where another thread reads.)
 */
#if defined(__SANITIZE_THREAD__)
#define QUIRE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QUIRE_TSAN 1
#endif
#endif
static __always_inline void local_add(long *counter, long d)
{
#ifdef QUIRE_TSAN
	WRITE_ONCE(*counter, READ_ONCE(*counter) + d);
#else
	*counter += d;
#endif
}

struct list_head {
	struct list_head *next, *prev;
};

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	h->next = h;
	h->prev = h;
}
static inline bool list_empty(const struct list_head *h)
{
	return h->next == h;
}
static inline void __list_link(struct list_head *n, struct list_head *prev,
			       struct list_head *next)
{
	next->prev = n;
	n->next = next;
	n->prev = prev;
	prev->next = n;
}
static inline void list_add(struct list_head *n, struct list_head *h)
{
	__list_link(n, h, h->next);
}
static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	__list_link(n, h->prev, h);
}
static inline void list_del(struct list_head *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	n->next = NULL;
	n->prev = NULL;
}
static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	list_add_tail(n, h);
}
/* Move all of `from` to the end of `to`; from is left empty. */
static inline void list_splice_tail(struct list_head *from,
				    struct list_head *to)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	INIT_LIST_HEAD(from);
}
#define list_entry(ptr, type, member)	  container_of(ptr, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
/*
 * The loops end with pos made from the head, which lies in no `type`: it is
 * only calculated with, never taken for one.
 */
#define __list_of(pos, type, member)                                           \
	((struct list_head *)(void *)((char *)(pos) + offsetof(type, member)))
#define list_for_each_entry(pos, head, type, member)                           \
	for (pos = list_entry((head)->next, type, member);                     \
	     __list_of(pos, type, member) != (head);                           \
	     pos = list_entry(__list_of(pos, type, member)->next, type,        \
			      member))
#define list_for_each_entry_safe(pos, n, head, type, member)                   \
	for (pos = list_entry((head)->next, type, member),                     \
	    n = list_entry(__list_of(pos, type, member)->next, type, member);  \
	     __list_of(pos, type, member) != (head); pos = n,                  \
	    n = list_entry(__list_of(n, type, member)->next, type, member))

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
