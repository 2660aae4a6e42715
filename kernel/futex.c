/* SPDX-License-Identifier: MIT */
/*
 * futex.c - futex(2): sleeping until a word of user memory is woken.
 *
 * A futex is named by where its word is.  A shared one (FUTEX_PRIVATE_FLAG
 * absent) in a file's page or shared memory: the file and the offset.  All
 * others, also shared ones in memory of one process: the address space and the
 * address, because a fork may give the word another page while someone sleeps.
 * Sleepers hang in a hash of buckets; the word is compared under the bucket's
 * lock, and a waker takes the same lock, so no wake-up is lost between compare
 * and sleep.
 *
 *   wait:  fault the word in - lock bucket - read word (no fault) - enqueue
 *          - unlock - sleep
 *   wake:  lock bucket - dequeue, mark woken, wake the task - unlock
 *
 * The page of a shared futex stays pinned while someone sleeps on it.
 *
 * Locks: bucket locks, two at a time by ascending address (requeue).
 */
#include "exec.h"
#include "kerrno.h"
#include "task.h"

#define FUTEX_WAIT	     0
#define FUTEX_WAKE	     1
#define FUTEX_REQUEUE	     3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP	     5
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_PRIVATE	     128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_BITSET_ANY     0xffffffffu

#define FUTEX_WAITERS	 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK	 0x3fffffffu

#define NR_BUCKETS   256u
#define ROBUST_LIMIT 2048u /* entries of one robust list that are followed */

struct futex_key {
	uint64_t a; /* mm, or address_space when shared */
	uint64_t b; /* address, or place in the file */
};
struct futex_waiter {
	struct list_head node;
	struct futex_key key;
	struct task *task;
	uint32_t bitset;
	uint32_t woken;
	struct futex_bucket *bucket; /* changes with a requeue */
};
struct futex_bucket {
	struct spinlock lock;
	struct list_head waiters;
};
static struct futex_bucket buckets[NR_BUCKETS];

void futex_init(void);
void futex_init(void)
{
	unsigned i;

	for (i = 0; i < NR_BUCKETS; i++) {
		spin_init(&buckets[i].lock);
		list_init(&buckets[i].waiters);
	}
}

static struct futex_bucket *bucket_of(const struct futex_key *k)
{
	uint64_t h = (k->a ^ k->b >> 2) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> 56];
}

static bool same_key(const struct futex_key *x, const struct futex_key *y)
{
	return x->a == y->a && x->b == y->b;
}

/*
 * Name the futex at addr.  The page of one that others can share is pinned
 * into *page (NULL for other ones).  0, -EINVAL (not aligned), -EFAULT.
 */
static int get_key(uaddr_t addr, bool shared, struct futex_key *k,
		   struct page **page)
{
	struct address_space *as;
	paddr_t phys;

	*page = NULL;
	k->a = (uint64_t)(uintptr_t)current->qt.mm;
	k->b = addr;
	if (addr & 3)
		return -EINVAL;
	if (!access_ok(addr, 4))
		return -EFAULT;
	if (!shared)
		return 0;
	if (quire_user_word(current->qt.mm, addr, true, page, &phys) &&
	    quire_user_word(current->qt.mm, addr, false, page, &phys))
		return -EFAULT;
	as = quire_page_mapping(*page);
	if (!as) {
		quire_page_put(the_quire, *page);
		*page = NULL;
		return 0;
	}
	k->a = (uint64_t)(uintptr_t)as;
	k->b = quire_page_index(*page) << QUIRE_PAGE_SHIFT |
	       (addr & (QUIRE_PAGE_SIZE - 1));
	return 0;
}

static void put_key(struct page *page)
{
	if (page)
		quire_page_put(the_quire, page);
}

static void wake_waiter(struct futex_waiter *w)
{
	struct task *t = w->task;

	list_del(&w->node);
	/* after this store w may be gone: it is on the sleeper's stack */
	__atomic_store_n(&w->woken, 1u, __ATOMIC_RELEASE);
	wake_task(t, TASK_INTERRUPTIBLE);
}

/* Lock the bucket that w is in, which a requeue may change. */
static struct futex_bucket *lock_waiter_bucket(struct futex_waiter *w)
{
	struct futex_bucket *b;

	for (;;) {
		b = __atomic_load_n(&w->bucket, __ATOMIC_ACQUIRE);
		spin_lock(&b->lock);
		if (b == w->bucket)
			return b;
		spin_unlock(&b->lock);
	}
}

/* Enqueue if the word still has the value.  0, -EAGAIN, -EFAULT. */
static int enqueue(struct futex_waiter *w, uaddr_t addr, uint32_t val)
{
	struct futex_bucket *b = bucket_of(&w->key);
	uint32_t now;
	int err;

	for (;;) {
		spin_lock(&b->lock);
		err = get_user32_atomic(&now, addr);
		if (!err) {
			if (now != val) {
				spin_unlock(&b->lock);
				return -EAGAIN;
			}
			w->bucket = b;
			list_add_tail(&w->node, &b->waiters);
			/* before the lock goes: a waker must find us asleep */
			set_current_state(TASK_INTERRUPTIBLE);
			spin_unlock(&b->lock);
			return 0;
		}
		spin_unlock(&b->lock);
		if (get_user(&now, addr))
			return -EFAULT;
	}
}

/*
 * futex_wait: sleep until woken.  deadline in ktime_ns.  0, -EAGAIN,
 * -ETIMEDOUT, -ERESTARTSYS, -EFAULT, -EINVAL.
 */
static long futex_wait(uaddr_t addr, bool shared, uint32_t val, uint32_t bitset,
		       uint64_t deadline)
{
	struct futex_waiter w = {.task = current, .bitset = bitset};
	struct futex_bucket *b;
	struct page *page;
	bool in_time = true;
	long ret;

	if (!bitset)
		return -EINVAL;
	ret = get_key(addr, shared, &w.key, &page);
	if (ret)
		return ret;
	ret = enqueue(&w, addr, val);
	if (ret)
		goto out;
	for (;;) {
		if (__atomic_load_n(&w.woken, __ATOMIC_ACQUIRE))
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		if (!in_time) {
			ret = -ETIMEDOUT;
			break;
		}
		in_time = schedule_until(deadline);
		set_current_state(TASK_INTERRUPTIBLE);
	}
	set_current_state(TASK_RUNNING);
	/* even when woken: the waker may still hold the lock over w */
	b = lock_waiter_bucket(&w);
	if (w.woken)
		ret = 0;
	else
		list_del(&w.node);
	spin_unlock(&b->lock);
out:
	put_key(page);
	return ret;
}

static long futex_wake(uaddr_t addr, bool shared, int n, uint32_t bitset)
{
	struct futex_waiter *w, *next;
	struct futex_bucket *b;
	struct futex_key key;
	struct page *page;
	long woken = 0;
	int err;

	if (!bitset)
		return -EINVAL;
	err = get_key(addr, shared, &key, &page);
	if (err)
		return err;
	b = bucket_of(&key);
	spin_lock(&b->lock);
	list_for_each_entry_safe (w, next, &b->waiters, node) {
		if (!same_key(&w->key, &key) || !(w->bitset & bitset))
			continue;
		wake_waiter(w);
		if (++woken >= n)
			break;
	}
	spin_unlock(&b->lock);
	put_key(page);
	return woken;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b) {
		struct futex_bucket *t = a;

		a = b;
		b = t;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock(&b->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* The word at addr, with both buckets locked on success.  0 or -EFAULT. */
static int lock_two_and_read(struct futex_bucket *a, struct futex_bucket *b,
			     uaddr_t addr, uint32_t *now)
{
	for (;;) {
		lock_two(a, b);
		if (!get_user32_atomic(now, addr))
			return 0;
		unlock_two(a, b);
		if (get_user(now, addr))
			return -EFAULT;
	}
}

static long futex_requeue(uaddr_t addr, uaddr_t addr2, bool shared, int wake,
			  int move, const uint32_t *cmp)
{
	struct futex_bucket *b1, *b2;
	struct futex_waiter *w, *next;
	struct futex_key k1, k2;
	struct page *p1 = NULL, *p2 = NULL;
	long n = 0;
	uint32_t now;
	int err;

	if (wake < 0 || move < 0)
		return -EINVAL;
	err = get_key(addr, shared, &k1, &p1);
	if (!err)
		err = get_key(addr2, shared, &k2, &p2);
	if (err)
		goto out;
	b1 = bucket_of(&k1);
	b2 = bucket_of(&k2);
	if (cmp) {
		err = lock_two_and_read(b1, b2, addr, &now);
		if (err)
			goto out;
		if (now != *cmp) {
			unlock_two(b1, b2);
			err = -EAGAIN;
			goto out;
		}
	} else {
		lock_two(b1, b2);
	}
	list_for_each_entry_safe (w, next, &b1->waiters, node) {
		if (!same_key(&w->key, &k1))
			continue;
		if (n < wake) {
			wake_waiter(w);
		} else if (n - wake < move) {
			/* the key's page stays pinned by the sleeper through
			 * k1's; the word at k2 is the caller's to keep */
			list_del(&w->node);
			w->key = k2;
			list_add_tail(&w->node, &b2->waiters);
			__atomic_store_n(&w->bucket, b2, __ATOMIC_RELEASE);
		} else {
			break;
		}
		n++;
		if (b1 == b2 && n >= (long)wake + move)
			break;
	}
	unlock_two(b1, b2);
out:
	put_key(p1);
	put_key(p2);
	return err ? err : n;
}

/* FUTEX_WAKE_OP's operation on the second word: 0 and *old, or -errno. */
static int wake_op(uaddr_t addr, uint32_t op, uint32_t *old)
{
	uint32_t arg = (op >> 12) & 0xfff, v, was;
	int err;

	if (op & (8u << 28))
		arg = 1u << (arg & 31);
	for (;;) {
		err = get_user(old, addr);
		if (err)
			return err;
		switch ((op >> 28) & 7) {
		case 0:
			v = arg;
			break;
		case 1:
			v = *old + arg;
			break;
		case 2:
			v = *old | arg;
			break;
		case 3:
			v = *old & ~arg;
			break;
		case 4:
			v = *old ^ arg;
			break;
		default:
			return -ENOSYS;
		}
		err = cmpxchg_user32(addr, *old, v, &was);
		if (err)
			return err;
		if (was == *old)
			return 0;
	}
}

static bool wake_op_cmp(uint32_t op, uint32_t old)
{
	int32_t cmp = (int32_t)(op << 20) >> 20, v = (int32_t)old;

	switch ((op >> 24) & 15) {
	case 0:
		return v == cmp;
	case 1:
		return v != cmp;
	case 2:
		return v < cmp;
	case 3:
		return v <= cmp;
	case 4:
		return v > cmp;
	case 5:
		return v >= cmp;
	}
	return false;
}

static long futex_wake_op(uaddr_t addr, uaddr_t addr2, bool shared, int n1,
			  int n2, uint32_t op)
{
	uint32_t old;
	long a, b;
	int err = wake_op(addr2, op, &old);

	if (err)
		return err;
	a = futex_wake(addr, shared, n1, FUTEX_BITSET_ANY);
	if (a < 0 || !wake_op_cmp(op, old))
		return a;
	b = futex_wake(addr2, shared, n2, FUTEX_BITSET_ANY);
	return b < 0 ? b : a + b;
}

/* The time argument as a deadline of ktime_ns. */
static int futex_deadline(uaddr_t uts, int cmd, bool realtime,
			  uint64_t *deadline)
{
	uint64_t ns, now;
	int err;

	*deadline = UINT64_MAX;
	if (!uts)
		return 0;
	err = timespec_from_user(uts, &ns);
	if (err)
		return err;
	if (cmd == FUTEX_WAIT) { /* a span of time */
		*deadline = deadline_in(ns);
		return 0;
	}
	*deadline = ns;
	if (realtime) {
		now = realtime_ns();
		*deadline = ns > now ? deadline_in(ns - now) : ktime_ns();
	}
	return 0;
}

/* A timed wait that a signal broke goes on with the same deadline. */
static long futex_restart(struct task *t)
{
	long ret = futex_wait((uaddr_t)t->restart.a, t->restart.e & 1,
			      (uint32_t)t->restart.b, (uint32_t)t->restart.c,
			      t->restart.d);

	return ret == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : ret;
}

long sys_futex(uaddr_t addr, int op, uint32_t val, uaddr_t time, uaddr_t addr2,
	       uint32_t val3);
long sys_futex(uaddr_t addr, int op, uint32_t val, uaddr_t time, uaddr_t addr2,
	       uint32_t val3)
{
	int cmd = op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
	bool shared = !(op & FUTEX_PRIVATE);
	struct task *t = current;
	uint64_t deadline;
	long ret;

	switch (cmd) {
	case FUTEX_WAIT:
		val3 = FUTEX_BITSET_ANY;
		/* fallthrough */
	case FUTEX_WAIT_BITSET:
		ret = futex_deadline(time, cmd, op & FUTEX_CLOCK_REALTIME,
				     &deadline);
		if (ret)
			return ret;
		ret = futex_wait(addr, shared, val, val3, deadline);
		if (ret == -ERESTARTSYS && deadline != UINT64_MAX) {
			t->restart.fn = futex_restart;
			t->restart.a = addr;
			t->restart.b = val;
			t->restart.c = val3;
			t->restart.d = deadline;
			t->restart.e = shared;
			return -ERESTART_RESTARTBLOCK;
		}
		return ret;
	case FUTEX_WAKE:
		return futex_wake(addr, shared, (int)val, FUTEX_BITSET_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(addr, shared, (int)val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, (int)time,
				     NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, shared, (int)val, (int)time,
				     &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, shared, (int)val, (int)time,
				     val3);
	}
	return -ENOSYS; /* priority inheritance: glibc does without */
}

/* --------------------------------------------------- a thread that ends */

/* set_robust_list(2): one lock word of a dead owner. */
static void robust_death(uaddr_t addr, uint32_t tid)
{
	uint32_t v, was;

	if ((addr & 3) || get_user(&v, addr))
		return;
	while ((v & FUTEX_TID_MASK) == tid) {
		if (cmpxchg_user32(addr, v,
				   (v & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
				   &was))
			return;
		if (was == v) {
			if (v & FUTEX_WAITERS)
				(void)futex_wake(addr, true, 1,
						 FUTEX_BITSET_ANY);
			(void)futex_wake(addr, false, 1, FUTEX_BITSET_ANY);
			return;
		}
		v = was;
	}
}

static void robust_walk(struct task *t)
{
	uaddr_t head = t->robust_list, entry, next, pending;
	uaddr_t off; /* may be negative */
	unsigned n;

	if (get_user(&entry, head) || get_user(&off, head + sizeof(off)) ||
	    get_user(&pending, head + 2 * sizeof(off)))
		return;
	for (n = 0; entry != head && n < ROBUST_LIMIT; n++) {
		/* read on before the entry is given away */
		bool bad = get_user(&next, entry & ~(uaddr_t)1) != 0;

		if (entry != pending)
			robust_death((entry & ~(uaddr_t)1) + off,
				     (uint32_t)t->tid);
		if (bad)
			return;
		entry = next;
	}
	if (pending)
		robust_death((pending & ~(uaddr_t)1) + off, (uint32_t)t->tid);
}

void futex_mm_release(struct task *t)
{
	uint32_t zero = 0;

	if (t->robust_list) {
		robust_walk(t);
		t->robust_list = 0;
	}
	if (t->clear_child_tid) {
		if (quire_mm_users(t->qt.mm) > 1 &&
		    !put_user(zero, t->clear_child_tid)) {
			(void)futex_wake(t->clear_child_tid, true, 1,
					 FUTEX_BITSET_ANY);
			(void)futex_wake(t->clear_child_tid, false, 1,
					 FUTEX_BITSET_ANY);
		}
		t->clear_child_tid = 0;
	}
}
