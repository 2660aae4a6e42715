/* SPDX-License-Identifier: MIT */
/*
 * sys_other_mm.c - system calls for another process's memory: process_vm_readv
 * and _writev, process_madvise, migrate_pages and move_pages.
 *
 *     pid or pidfd -> process -> may the caller?  -> its mm -> quire_...(mm)
 *
 * Nothing here holds a lock; references keep the process and its mm.
 */
#include "kerrno.h"
#include "task.h"
#include "vfs.h"
#include <quire/migrate.h>

#define IOV_MAX 1024u
#define PAGE	4096u

/* May the caller look at what p has?  As ptrace(2) says, without its modules:
 * root, itself, or the same real ids where p has no others. */
static bool may_access(const struct process *p)
{
	const struct cred *me = &current->proc->cred, *it = &p->cred;

	if (p == current->proc || is_root())
		return true;
	return me->uid == it->uid && me->uid == it->euid &&
	       me->uid == it->suid && me->gid == it->gid &&
	       me->gid == it->egid && me->gid == it->sgid && p->dumpable;
}

/* Takes over the reference to p (NULL: -ESRCH).  0 and *mm with a user more;
 * `refused`; `none` where it has no memory any more. */
static int mm_of(struct process *p, int refused, int none,
		 struct mm_struct **mm)
{
	int err = 0;

	if (!p)
		return -ESRCH;
	if (!may_access(p))
		err = refused;
	*mm = err ? NULL : process_mm(p);
	process_put(p);
	return err ? err : *mm ? 0 : none;
}

/* ---------------------------------------------- process_vm_readv, _writev */

struct vm_iovec {
	uaddr_t base, len;
};

/* A user's iovec array in kernel memory; NULL with *err set. */
static struct vm_iovec *fetch_iov(uaddr_t uiov, unsigned long n, int *err)
{
	struct vm_iovec *v;
	unsigned long i;
	uaddr_t total = 0;

	if (n > IOV_MAX) {
		*err = -EINVAL;
		return NULL;
	}
	v = kmalloc(n * sizeof(*v) + 1);
	if (!v) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = n && copy_from_user(v, uiov, n * sizeof(*v)) ? -EFAULT : 0;
	for (i = 0; !*err && i < n; i++) {
		if (v[i].len > (uaddr_t)-1 / 2 - total)
			*err = -EINVAL;
		total += v[i].len;
	}
	if (!*err)
		return v;
	kfree(v);
	return NULL;
}

/*
 * Move bytes between our vector and the other's, through a page of kernel
 * memory.  Bytes done, or -EFAULT when the first one failed.
 */
static long vm_copy(struct mm_struct *mm, struct vm_iovec *l, unsigned long nl,
		    struct vm_iovec *r, unsigned long nr, bool write,
		    char *page)
{
	unsigned long i = 0, j = 0;
	uaddr_t n;
	size_t got;
	long done = 0;

	while (i < nl && j < nr) {
		n = K_MIN(K_MIN(l[i].len, r[j].len),
			  PAGE - (r[j].base & (PAGE - 1)));
		if (n) {
			if (write)
				got = copy_from_user(page, l[i].base, n)
					      ? 0
					      : quire_mm_write(mm, r[j].base,
							       page, n, false);
			else
				got = quire_mm_read(mm, r[j].base, page, n);
			if (!write && got)
				got -= copy_to_user(l[i].base, page, got);
			done += (long)got;
			if (got < n)
				return done ? done : -EFAULT;
		}
		l[i].base += n;
		r[j].base += n;
		l[i].len -= n;
		r[j].len -= n;
		if (!l[i].len)
			i++;
		if (!r[j].len)
			j++;
		cond_resched();
	}
	return done;
}

static long process_vm_rw(int pid, uaddr_t ul, unsigned long nl, uaddr_t ur,
			  unsigned long nr, unsigned long flags, bool write)
{
	struct vm_iovec *l, *r = NULL;
	struct mm_struct *mm = NULL;
	char *page = NULL;
	long done;
	int err;

	if (flags)
		return -EINVAL;
	l = fetch_iov(ul, nl, &err);
	if (l)
		r = fetch_iov(ur, nr, &err);
	done = err;
	if (!r)
		goto out;
	page = kmalloc(PAGE);
	done = -ENOMEM;
	if (!page)
		goto out;
	done = mm_of(find_process(pid), -EPERM, -ESRCH, &mm);
	if (!done)
		done = vm_copy(mm, l, nl, r, nr, write, page);
out:
	if (mm)
		quire_mm_put(mm);
	kfree(page);
	kfree(r);
	kfree(l);
	return done;
}

long sys_process_vm_readv(int pid, uaddr_t l, unsigned long nl, uaddr_t r,
			  unsigned long nr, unsigned long flags);
long sys_process_vm_readv(int pid, uaddr_t l, unsigned long nl, uaddr_t r,
			  unsigned long nr, unsigned long flags)
{
	return process_vm_rw(pid, l, nl, r, nr, flags, false);
}

long sys_process_vm_writev(int pid, uaddr_t l, unsigned long nl, uaddr_t r,
			   unsigned long nr, unsigned long flags);
long sys_process_vm_writev(int pid, uaddr_t l, unsigned long nl, uaddr_t r,
			   unsigned long nr, unsigned long flags)
{
	return process_vm_rw(pid, l, nl, r, nr, flags, true);
}

/* -------------------------------------------------------- process_madvise */

/* What another process may be advised of: what changes no contents. */
static bool advice_for_others(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT ||
	       advice == MADV_WILLNEED;
}

long sys_process_madvise(int pidfd, uaddr_t uvec, unsigned long n, int advice,
			 unsigned flags);
long sys_process_madvise(int pidfd, uaddr_t uvec, unsigned long n, int advice,
			 unsigned flags)
{
	struct mm_struct *mm = NULL;
	struct process *p = NULL;
	struct vm_iovec *v;
	long done = 0;
	unsigned long i;
	int err;

	if (flags)
		return -EINVAL;
	v = fetch_iov(uvec, n, &err);
	if (!v)
		return err;
	err = pidfd_process(pidfd, &p);
	if (!err && !advice_for_others(advice)) {
		process_put(p);
		err = -EINVAL;
	}
	if (!err)
		err = mm_of(p, -EACCES, -ESRCH, &mm);
	if (!err && !is_root()) /* Linux: CAP_SYS_NICE */
		err = -EPERM;
	for (i = 0; !err && i < n; i++) {
		err = quire_madvise(mm, v[i].base, v[i].len, advice);
		if (!err)
			done += (long)v[i].len;
	}
	if (mm)
		quire_mm_put(mm);
	kfree(v);
	return done ? done : err;
}

/* --------------------------------------------- migrate_pages, move_pages */

#define MAX_MASK_BITS (PAGE * 8) /* Linux: a page of them */
#define CHUNK	      64u

/*
 * A mask of nodes: maxnode - 1 bits at umask.  0; -EINVAL: too many, or a node
 * beyond what any machine has (64 here); -EFAULT.
 */
static int fetch_nodes(uaddr_t umask, unsigned long maxnode, uint64_t *mask)
{
	const unsigned word_bits = sizeof(uaddr_t) * 8;
	unsigned long bits = maxnode - 1, at;
	uaddr_t word;

	*mask = 0;
	if (!bits || !umask)
		return 0;
	if (bits > MAX_MASK_BITS)
		return -EINVAL;
	for (at = 0; at < bits; at += word_bits) {
		if (get_user(&word, umask + at / 8))
			return -EFAULT;
		if (bits - at < word_bits)
			word &= ((uaddr_t)1 << (bits - at)) - 1;
		if (word && at >= 64)
			return -EINVAL;
		if (at < 64)
			*mask |= (uint64_t)word << at;
	}
	return 0;
}

/* move_pages(2) and migrate_pages(2): the caller's own for 0 */
static int mm_to_move(int pid, struct mm_struct **mm)
{
	return mm_of(find_process(pid ? pid : current->proc->pid), -EPERM,
		     -EINVAL, mm);
}

long sys_migrate_pages(int pid, unsigned long maxnode, uaddr_t ufrom,
		       uaddr_t uto);
long sys_migrate_pages(int pid, unsigned long maxnode, uaddr_t ufrom,
		       uaddr_t uto)
{
	struct mm_struct *mm = NULL;
	uint64_t from, to;
	long ret = fetch_nodes(ufrom, maxnode, &from);

	if (!ret)
		ret = fetch_nodes(uto, maxnode, &to);
	if (!ret)
		ret = mm_to_move(pid, &mm);
	if (!ret)
		ret = quire_migrate_pages(mm, from, to,
					  is_root() ? QUIRE_MF_MOVE_ALL
						    : QUIRE_MF_MOVE);
	if (mm)
		quire_mm_put(mm);
	return ret;
}

/* Some of move_pages(2)'s arrays. */
struct move_chunk {
	uaddr_t addr[CHUNK];
	int node[CHUNK], status[CHUNK];
};

/* Entries [at, at + n) of the user's arrays: how many are in order before the
 * first that is not, and *err is what is wrong with that one. */
static size_t fetch_chunk(struct move_chunk *c, size_t n, uaddr_t upages,
			  uaddr_t unodes, int *err)
{
	size_t i;

	*err = 0;
	for (i = 0; i < n; i++) {
		if (get_user(&c->addr[i], upages + i * sizeof(uaddr_t)) ||
		    (unodes && get_user(&c->node[i], unodes + i * 4)))
			*err = -EFAULT;
		else if (unodes &&
			 (c->node[i] < 0 ||
			  (unsigned)c->node[i] >= quire_nodes(the_quire)))
			*err = -ENODEV;
		if (*err)
			break;
	}
	return i;
}

/* How many stayed, or -errno; what comes before an entry that is wrong is
 * done, and told. */
static long move_all(struct mm_struct *mm, struct move_chunk *c, size_t n,
		     uaddr_t upages, uaddr_t unodes, uaddr_t ustatus,
		     unsigned how)
{
	long stayed = 0, ret;
	size_t at, got;
	int err = 0;

	for (at = 0; at < n && !err; at += got) {
		got = fetch_chunk(c, K_MIN(n - at, CHUNK),
				  upages + at * sizeof(uaddr_t),
				  unodes ? unodes + at * 4 : 0, &err);
		ret = quire_move_pages(mm, got, c->addr,
				       unodes ? c->node : NULL, c->status, how);
		if (ret < 0)
			return ret;
		stayed += ret;
		if (copy_to_user(ustatus + at * 4, c->status, got * 4))
			return -EFAULT;
		if (!err && quire_host_fatal_signal_pending(&current->qt))
			err = -EINTR;
	}
	return err ? err : stayed;
}

long sys_move_pages(int pid, unsigned long n, uaddr_t upages, uaddr_t unodes,
		    uaddr_t ustatus, int flags);
long sys_move_pages(int pid, unsigned long n, uaddr_t upages, uaddr_t unodes,
		    uaddr_t ustatus, int flags)
{
	bool all = flags & (int)QUIRE_MF_MOVE_ALL;
	struct mm_struct *mm = NULL;
	struct move_chunk *c;
	long ret;

	if (flags & ~(int)(QUIRE_MF_MOVE | QUIRE_MF_MOVE_ALL))
		return -EINVAL;
	if (all && !is_root()) /* Linux: CAP_SYS_NICE */
		return -EPERM;
	ret = mm_to_move(pid, &mm);
	if (ret)
		return ret;
	c = kmalloc(sizeof(*c));
	ret = -ENOMEM;
	if (c)
		ret = move_all(mm, c, n, upages, unodes, ustatus,
			       all ? QUIRE_MF_MOVE_ALL : QUIRE_MF_MOVE);
	kfree(c);
	quire_mm_put(mm);
	return ret;
}
