/* SPDX-License-Identifier: MIT */
/*
 * Record locks (fcntl), open-file-description locks and flock(2).
 *
 *     inode->locks → [0,9] read, A → [20,29] write, B → ...  sorted by start
 *
 * A record lock belongs to a process (its descriptor table) or, for the
 * F_OFD_ kind, to an open file.  Setting a range cuts what the same owner has
 * there and puts the new one in; equal neighbours are joined.  flock's locks
 * are kept the same way on a list of their own, over the whole file and owned
 * by the open file.
 *
 * One mutex guards all lists: contention is rare, and a closing file must not
 * need the inode's lock.  Waiters sleep on one queue and look again whenever
 * any lock is dropped.
 */
#include "fs.h"

#define F_RDLCK	     0
#define F_WRLCK	     1
#define F_UNLCK	     2
#define F_GETLK	     5
#define F_SETLK	     6
#define F_SETLKW     7
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38
#define LOCK_SH	     1u
#define LOCK_EX	     2u
#define LOCK_NB	     4u
#define LOCK_UN	     8u

struct file_lock {
	struct file_lock *next;
	const void *owner;
	uint64_t start, end; /* inclusive */
	int type;
	int pid; /* -1: an open file's */
};

struct linux_flock {
	int16_t type, whence;
	int32_t pad0;
	int64_t start, len;
	int32_t pid, pad1;
};

struct narrow_flock { /* with offsets of 32 bits, where those are numbered */
	int16_t type, whence;
	int32_t start, len;
	int32_t pid;
};

static struct mutex locks_mutex = MUTEX_INIT(locks_mutex);
static struct wait_queue locks_wq = WAIT_QUEUE_INIT(locks_wq);
static uint32_t locks_gen; /* counts changes, for the waiters */

static struct file_lock *find_conflict(struct file_lock *list,
				       const struct file_lock *want)
{
	struct file_lock *l;

	for (l = list; l; l = l->next)
		if (l->owner != want->owner && l->start <= want->end &&
		    l->end >= want->start &&
		    (l->type == F_WRLCK || want->type == F_WRLCK))
			return l;
	return NULL;
}

/* Cut [start, end] out of what owner holds.  spare: memory for a split. */
static void cut(struct file_lock **list, const struct file_lock *range,
		struct file_lock **spare)
{
	struct file_lock **p = list, *l, *s;

	while ((l = *p) != NULL) {
		if (l->owner != range->owner || l->start > range->end ||
		    l->end < range->start) {
			p = &l->next;
		} else if (l->start < range->start && l->end > range->end) {
			s = *spare;
			*spare = NULL;
			*s = *l;
			s->start = range->end + 1;
			l->end = range->start - 1;
			l->next = s;
			p = &s->next;
		} else if (l->start < range->start) {
			l->end = range->start - 1;
			p = &l->next;
		} else if (l->end > range->end) {
			l->start = range->end + 1;
			p = &l->next;
		} else {
			*p = l->next;
			fs_free(l);
		}
	}
}

/* Put n in by start; join equal neighbours that touch it. */
static void insert(struct file_lock **list, struct file_lock *n)
{
	struct file_lock **p = list, *l;

	while ((l = *p) != NULL) {
		bool same = l->owner == n->owner && l->type == n->type;

		if (same && l->end + 1 == n->start && n->start) {
			n->start = l->start;
		} else if (same && n->end + 1 == l->start && l->start) {
			n->end = l->end;
		} else {
			p = &l->next;
			continue;
		}
		*p = l->next;
		fs_free(l);
	}
	for (p = list; *p && (*p)->start < n->start; p = &(*p)->next)
		;
	n->next = *p;
	*p = n;
}

static void locks_changed(void)
{
	__atomic_fetch_add(&locks_gen, 1, __ATOMIC_SEQ_CST);
	wake_up_all(&locks_wq);
}

/*
 * Set (or with F_UNLCK clear) a range.  0, -EAGAIN when another's lock is in
 * the way, -ENOMEM.
 */
static int set_lock(struct file_lock **list, const struct file_lock *want)
{
	struct file_lock *n = fs_zalloc(sizeof(*n));
	struct file_lock *spare = fs_zalloc(sizeof(*spare));
	int err = 0;

	if (!n || !spare) {
		err = -ENOMEM;
		goto out;
	}
	mutex_lock(&locks_mutex);
	if (want->type != F_UNLCK && find_conflict(*list, want)) {
		err = -EAGAIN;
	} else {
		cut(list, want, &spare);
		if (want->type != F_UNLCK) {
			*n = *want;
			insert(list, n);
			n = NULL;
		}
	}
	mutex_unlock(&locks_mutex);
	if (!err)
		locks_changed();
out:
	fs_free(n);
	fs_free(spare);
	return err;
}

/* As set_lock, but wait until it can be had. */
static int set_lock_wait(struct file_lock **list, const struct file_lock *want)
{
	uint32_t seen;
	long err;

	for (;;) {
		seen = __atomic_load_n(&locks_gen, __ATOMIC_SEQ_CST);
		err = set_lock(list, want);
		if (err != -EAGAIN)
			return (int)err;
		err = wait_event_interruptible(
			&locks_wq,
			__atomic_load_n(&locks_gen, __ATOMIC_SEQ_CST) != seen);
		if (err)
			return (int)err;
	}
}

void locks_release(struct inode *inode, const void *owner, bool flocks)
{
	struct file_lock range = {.owner = owner, .end = UINT64_MAX};
	struct file_lock *no_split = NULL;

	mutex_lock(&locks_mutex);
	cut(flocks ? &inode->flocks : &inode->locks, &range, &no_split);
	if (flocks) /* the open file's record locks go with it too */
		cut(&inode->locks, &range, &no_split);
	mutex_unlock(&locks_mutex);
	locks_changed();
}

static int range_from_user(struct file *f, const struct linux_flock *u,
			   struct file_lock *l)
{
	int64_t start = u->start, end;

	if (u->type < F_RDLCK || u->type > F_UNLCK)
		return -EINVAL;
	if (u->whence == 1)
		start += (int64_t)f->pos;
	else if (u->whence == 2)
		start += (int64_t)inode_size(f->inode);
	else if (u->whence != 0)
		return -EINVAL;
	end = INT64_MAX;
	if (u->len > 0) {
		if (__builtin_add_overflow(start, u->len - 1, &end))
			return -EOVERFLOW;
	} else if (u->len < 0) {
		end = start - 1;
		start += u->len;
	}
	if (start < 0)
		return -EINVAL;
	l->start = (uint64_t)start;
	l->end = (uint64_t)end;
	l->type = u->type;
	return 0;
}

/* Of the lock calls only the oldest three have narrow offsets, and only where
 * there are others for wide ones. */
static bool is_narrow(unsigned cmd)
{
	return F_GETLK != F_GETLK64 && cmd <= F_SETLKW;
}

static int flock_from_user(unsigned cmd, struct linux_flock *u, uaddr_t arg)
{
	struct narrow_flock n;

	if (!is_narrow(cmd))
		return get_user(u, arg);
	if (get_user(&n, arg))
		return -EFAULT;
	*u = (struct linux_flock){.type = n.type,
				  .whence = n.whence,
				  .start = n.start,
				  .len = n.len,
				  .pid = n.pid};
	return 0;
}

static int flock_to_user(unsigned cmd, const struct linux_flock *u, uaddr_t arg)
{
	struct narrow_flock n = {.type = u->type,
				 .whence = u->whence,
				 .start = (int32_t)u->start,
				 .len = (int32_t)u->len,
				 .pid = u->pid};

	if (!is_narrow(cmd))
		return put_user(*u, arg);
	if (n.start != u->start || n.len != u->len)
		return -EOVERFLOW;
	return put_user(n, arg);
}

static void get_lock(struct file *f, struct linux_flock *u,
		     const struct file_lock *want)
{
	struct file_lock *l;

	mutex_lock(&locks_mutex);
	l = find_conflict(f->inode->locks, want);
	if (l) {
		u->type = (int16_t)l->type;
		u->whence = 0;
		u->start = (int64_t)l->start;
		u->len = l->end >= INT64_MAX ? 0
					     : (int64_t)(l->end - l->start + 1);
		u->pid = l->pid;
	} else {
		u->type = F_UNLCK;
	}
	mutex_unlock(&locks_mutex);
}

long locks_fcntl(struct file *f, unsigned cmd, uaddr_t arg)
{
	bool ofd = cmd >= F_OFD_GETLK;
	struct linux_flock u;
	struct file_lock want = {0};
	int err;

	if (flock_from_user(cmd, &u, arg))
		return -EFAULT;
	if (ofd && u.pid)
		return -EINVAL;
	want.owner = ofd ? (const void *)f : (const void *)current->files;
	want.pid = ofd ? -1 : current->proc->pid;
	err = range_from_user(f, &u, &want);
	if (err)
		return err;
	if (cmd == F_GETLK || cmd == F_GETLK64 || cmd == F_OFD_GETLK) {
		if (want.type == F_UNLCK)
			return -EINVAL;
		get_lock(f, &u, &want);
		return flock_to_user(cmd, &u, arg);
	}
	if ((want.type == F_RDLCK && !file_can_read(f)) ||
	    (want.type == F_WRLCK && !file_can_write(f)))
		return -EBADF;
	if (ofd) /* so that fput() knows that there is something to drop */
		f->has_locks = true;
	if (cmd == F_SETLK || cmd == F_SETLK64 || cmd == F_OFD_SETLK)
		return set_lock(&f->inode->locks, &want);
	return set_lock_wait(&f->inode->locks, &want);
}

long sys_flock(int fd, unsigned op)
{
	struct file_lock want = {.end = UINT64_MAX, .pid = -1};
	struct file *f = fget(fd);
	long ret;

	if (!f)
		return -EBADF;
	want.owner = f;
	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		want.type = F_RDLCK;
		break;
	case LOCK_EX:
		want.type = F_WRLCK;
		break;
	case LOCK_UN:
		want.type = F_UNLCK;
		break;
	default:
		fput(f);
		return -EINVAL;
	}
	f->has_locks = true;
	if (op & LOCK_NB || want.type == F_UNLCK)
		ret = set_lock(&f->inode->flocks, &want);
	else
		ret = set_lock_wait(&f->inode->flocks, &want);
	fput(f);
	return ret;
}
