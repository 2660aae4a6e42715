/* SPDX-License-Identifier: MIT */
/*
 * klib.h - what every file of the kernel may use: text, lists, bit tricks,
 * the log.  Nothing here sleeps; everything may be called from interrupts.
 */
#ifndef KERNEL_KLIB_H
#define KERNEL_KLIB_H

#include <quire/types.h>
#include <arch_lib.h>

#define container_of(p, type, member)                                          \
	((type *)(void *)((char *)(p)-offsetof(type, member)))
#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
#define K_MIN(a, b)	   ((a) < (b) ? (a) : (b))
#define K_MAX(a, b)	   ((a) > (b) ? (a) : (b))
#define K_ALIGN_UP(n, a)   (((n) + ((a)-1)) & ~((__typeof__(n))(a)-1))
#define K_ALIGN_DOWN(n, a) ((n) & ~((__typeof__(n))(a)-1))

#define k_likely(x)   __builtin_expect(!!(x), 1)
#define k_unlikely(x) __builtin_expect(!!(x), 0)
#define k_barrier()   __asm__ volatile("" ::: "memory")
#define K_READ(x)     (*(const volatile __typeof__(x) *)&(x))
#define K_WRITE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* mul_div(a, b, c): a * b / c with a product of 128 bits; the quotient must
 * fit in 64.  (arch_lib.h) */

/* klib.c: the C library's, under its names and with its meanings */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *what);
/* Copy at most cap - 1 bytes and end with NUL; returns strlen(from). */
size_t strlcpy(char *to, const char *from, size_t cap);
/* Unsigned number in text; base 0 reads a 0x or 0 prefix; *end may be NULL */
uint64_t strtoull(const char *s, char **end, int base);

/*
 * snprintf, with: %d %i %u %x %X %o %c %s %p %%, h hh l ll z, width,
 * precision, flags - 0 + space #, and *.  No floating point.  Returns the
 * length that the whole text has.
 */
int vsnprintf(char *buf, size_t cap, const char *fmt, va_list ap);
/* The same, returning how long the text in buf is; cap > 0. */
size_t vscnprintf(char *buf, size_t cap, const char *fmt, va_list ap);
int snprintf(char *buf, size_t cap, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * printk: one line to the kernel's log (debug port 0xe9), no newline in it.
 * panic: say why and end the machine with the "panicked" status.
 */
void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
#define BUG_ON(c)                                                              \
	do {                                                                   \
		if (k_unlikely(c))                                             \
			panic("%s:%d: %s", __FILE__, __LINE__, #c);            \
	} while (0)

/* ------------------------------------------------- lists, doubly linked */

struct list_head {
	struct list_head *next, *prev;
};
#define LIST_HEAD_INIT(name)                                                   \
	{                                                                      \
		&(name), &(name)                                               \
	}
static inline void list_init(struct list_head *l)
{
	l->next = l->prev = l;
}
static inline bool list_empty(const struct list_head *l)
{
	return l->next == l;
}
static inline void list_add(struct list_head *n, struct list_head *at)
{
	n->next = at->next;
	n->prev = at;
	at->next->prev = n;
	at->next = n;
}
static inline void list_add_tail(struct list_head *n, struct list_head *at)
{
	list_add(n, at->prev);
}
/* Out of its list, and a list of itself: may be removed again. */
static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
#define list_entry(p, type, member)    container_of(p, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_for_each_entry(pos, head, member)                                 \
	for (pos = list_entry((head)->next, __typeof__(*pos), member);         \
	     &pos->member != (head);                                           \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_safe(pos, n, head, member)                         \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),         \
	    n = list_entry(pos->member.next, __typeof__(*pos), member);        \
	     &pos->member != (head);                                           \
	     pos = n, n = list_entry(n->member.next, __typeof__(*n), member))

/* ------------------------------------------------------- kernel memory */

extern struct quire *the_quire; /* the machine's one memory system */
/* NULL when there is none; may sleep (kmalloc_atomic does not). */
void *kmalloc(size_t n);
void *kzalloc(size_t n);
void *kmalloc_atomic(size_t n);
void kfree(void *p); /* NULL is allowed */

#endif
