/* SPDX-License-Identifier: MIT */
/*
 * Unix-domain socket pairs (socketpair(2)): stream, datagram and seqpacket.
 *
 *     sock A ◄─ peer ─► sock B       each with a queue of messages received
 *     send on A: message → B's queue; B's readers and pollers are woken
 *
 * A stream's messages are pieces that readers may take in parts; the other
 * kinds keep their borders.  Each sock is kept by its file and by its peer.
 *
 * sock->lock (spinlock) guards the queue and the flags; reader (mutex) keeps
 * readers apart while they copy to user memory.  Names (bind, connect) are
 * not there: connecting to one is refused as when nobody listens.
 */
#include "poll.h"

#define AF_UNIX	       1
#define SOCK_STREAM    1u
#define SOCK_DGRAM     2u
#define SOCK_SEQPACKET 5u
#define SOCK_TYPE      0xfu
#define SOL_SOCKET     1
#define SO_TYPE	       3
#define SO_ERROR       4
#define SO_SNDBUF      7
#define SO_RCVBUF      8
#define SO_PEERCRED    17
#define SO_ACCEPTCONN  30
#define SO_PROTOCOL    38
#define SO_DOMAIN      39
#define MSG_PEEK       0x2u
#define MSG_TRUNC      0x20u
#define MSG_DONTWAIT   0x40u
#define MSG_WAITALL    0x100u
#define MSG_NOSIGNAL   0x4000u
#define FIONREAD       0x541bu
#define QUEUE_MAX      212992u /* Linux's default of SO_SNDBUF */
#define PIECE	       32768u

struct sock_msg {
	struct sock_msg *next;
	uint32_t len, off;
	char data[];
};

struct sock {
	uint32_t refs;
	unsigned type;
	struct spinlock lock;
	struct sock_msg *first, **last;
	uint32_t queued; /* bytes */
	bool shut_in, shut_out, closed;
	struct wait_queue wq; /* readers of this, writers to it */
	struct mutex reader;
	struct sock *peer; /* a reference; NULL: not connected */
	int pid;
	uint32_t uid, gid;
};

static void sock_put(struct sock *s)
{
	struct sock_msg *m;

	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	while ((m = s->first) != NULL) {
		s->first = m->next;
		fs_free(m);
	}
	fs_free(s);
}

static struct sock *sock_new(unsigned type)
{
	struct sock *s = fs_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->refs = 1;
	s->type = type;
	s->last = &s->first;
	s->pid = current->proc->pid;
	s->uid = current->proc->cred.euid;
	s->gid = current->proc->cred.egid;
	wait_queue_init(&s->wq);
	mutex_init(&s->reader);
	return s;
}

static bool keeps_borders(const struct sock *s)
{
	return s->type != SOCK_STREAM;
}

static bool peer_gone(struct sock *s)
{
	return !s->peer || __atomic_load_n(&s->peer->closed, __ATOMIC_ACQUIRE);
}

/* ----------------------------------------------------------------- sending */

static bool broken(struct sock *s)
{
	return peer_gone(s) || s->shut_out || s->peer->shut_in;
}

/* Put m in to's queue unless that is full; *dead: it will never be read. */
static bool enqueue(struct sock *to, struct sock_msg *m, bool *dead)
{
	bool ok = false;

	spin_lock(&to->lock);
	*dead = to->closed || to->shut_in;
	if (!*dead && (to->queued == 0 || to->queued + m->len <= QUEUE_MAX)) {
		*to->last = m;
		to->last = &m->next;
		to->queued += m->len;
		ok = true;
	}
	spin_unlock(&to->lock);
	return ok;
}

static bool room_or_dead(struct sock *s, uint32_t len)
{
	uint32_t queued = __atomic_load_n(&s->peer->queued, __ATOMIC_ACQUIRE);

	return broken(s) || queued == 0 || queued + len <= QUEUE_MAX;
}

/* One message: 0 or -errno. */
static long send_one(struct sock *s, struct iter *from, uint32_t n,
		     bool nonblock)
{
	struct sock_msg *m = fs_alloc(sizeof(*m) + n);
	bool dead = false;
	long err = 0;

	if (!m)
		return -ENOMEM;
	*m = (struct sock_msg){.len = n};
	if (iter_copy_from(from, m->data, n) < n) {
		fs_free(m);
		return -EFAULT;
	}
	while (!err) {
		if (broken(s))
			err = -EPIPE;
		else if (enqueue(s->peer, m, &dead))
			break;
		else if (dead)
			err = -EPIPE;
		else if (nonblock)
			err = -EAGAIN;
		else
			err = wait_event_interruptible(&s->peer->wq,
						       room_or_dead(s, n));
	}
	if (err)
		fs_free(m);
	else
		wake_up_all(&s->peer->wq);
	return err;
}

static long do_send(struct sock *s, struct iter *from, unsigned flags,
		    bool nonblock)
{
	size_t left = from->count;
	long done = 0, err = 0;

	if (!s->peer)
		return -ENOTCONN;
	if (keeps_borders(s)) {
		if (left > QUEUE_MAX - 32)
			return -EMSGSIZE;
		err = send_one(s, from, (uint32_t)left, nonblock);
		done = err ? 0 : (long)left;
	}
	while (!keeps_borders(s) && left) {
		uint32_t n = left < PIECE ? (uint32_t)left : PIECE;

		err = send_one(s, from, n, nonblock);
		if (err)
			break;
		left -= n;
		done += (long)n;
	}
	if (err == -EPIPE && s->type == SOCK_DGRAM)
		err = -ECONNREFUSED;
	if (err == -EPIPE && !(flags & MSG_NOSIGNAL))
		send_signal_current(SIGPIPE);
	return done ? done : err;
}

/* --------------------------------------------------------------- receiving */

static bool input_or_end(struct sock *s)
{
	return __atomic_load_n(&s->first, __ATOMIC_ACQUIRE) || s->shut_in ||
	       peer_gone(s) || s->peer->shut_out;
}

static void take_first(struct sock *s, uint32_t bytes, bool whole)
{
	struct sock_msg *m, *gone = NULL;

	spin_lock(&s->lock);
	m = s->first;
	m->off += bytes;
	if (whole || m->off == m->len) {
		s->queued -= m->len;
		s->first = m->next;
		if (!s->first)
			s->last = &s->first;
		gone = m;
	}
	spin_unlock(&s->lock);
	if (gone) {
		fs_free(gone);
		wake_up_all(&s->wq); /* there is room for writers */
	}
}

/*
 * Copy from the first message: bytes or -EFAULT; the reader mutex is held and
 * there is a message.  *trunc: more of it was thrown away.
 */
static long recv_first(struct sock *s, struct iter *to, unsigned flags,
		       bool *trunc, uint32_t *full)
{
	struct sock_msg *m = s->first;
	uint32_t have = m->len - m->off, n = have;
	size_t ok;

	if (n > to->count)
		n = (uint32_t)to->count;
	ok = iter_copy_to(to, m->data + m->off, n);
	if (ok < n && !ok)
		return -EFAULT;
	*full = have;
	*trunc = keeps_borders(s) && ok < have;
	if (!(flags & MSG_PEEK))
		take_first(s, (uint32_t)ok, keeps_borders(s));
	return (long)ok;
}

/* Everything there is, up to the iterator's end; the mutex is held. */
static long recv_queued(struct sock *s, struct iter *to, unsigned flags,
			bool *trunc, uint32_t *full)
{
	long done = 0, n;

	do {
		n = recv_first(s, to, flags, trunc, full);
		if (n < 0)
			return done ? done : n;
		done += n;
	} while (!keeps_borders(s) && !(flags & MSG_PEEK) && to->count &&
		 s->first);
	return done;
}

static long do_recv(struct sock *s, struct iter *to, unsigned flags,
		    bool nonblock, bool *trunc)
{
	uint32_t full = 0;
	long done = 0, n;

	*trunc = false;
	for (;;) {
		mutex_lock(&s->reader);
		n = s->first ? recv_queued(s, to, flags, trunc, &full)
			     : -EAGAIN;
		mutex_unlock(&s->reader);
		if (n >= 0) {
			done += n;
			if (keeps_borders(s) || !(flags & MSG_WAITALL) ||
			    !to->count)
				break;
			continue;
		}
		if (n != -EAGAIN || done)
			return done ? done : n;
		if (input_or_end(s)) {
			if (__atomic_load_n(&s->first, __ATOMIC_ACQUIRE))
				continue;
			return s->peer ? 0 : -ENOTCONN;
		}
		if (nonblock)
			return -EAGAIN;
		n = wait_event_interruptible(&s->wq, input_or_end(s));
		if (n)
			return n;
	}
	return (flags & MSG_TRUNC) && keeps_borders(s) ? (long)full : done;
}

/* -------------------------------------------------------------------- files */

static long sock_read(struct file *f, struct iter *to, uint64_t *pos)
{
	bool trunc;

	(void)pos;
	if (!to->count)
		return 0;
	return do_recv(f->priv, to, 0, (f->flags & O_NONBLOCK) || to->nonblock,
		       &trunc);
}

static long sock_write(struct file *f, struct iter *from, uint64_t *pos)
{
	(void)pos;
	return do_send(f->priv, from, 0,
		       (f->flags & O_NONBLOCK) || from->nonblock);
}

static unsigned sock_poll(struct file *f, struct poll_table *pt)
{
	struct sock *s = f->priv;
	unsigned ev = 0;

	poll_wait(pt, &s->wq);
	if (s->peer)
		poll_wait(pt, &s->peer->wq);
	if (__atomic_load_n(&s->first, __ATOMIC_ACQUIRE))
		ev |= POLLIN | POLLRDNORM;
	if (!s->peer)
		return ev | POLLOUT | POLLHUP;
	if (s->shut_in || peer_gone(s) || s->peer->shut_out)
		ev |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (peer_gone(s) || (s->shut_in && s->shut_out))
		ev |= POLLHUP;
	if (broken(s) || room_or_dead(s, QUEUE_MAX / 2))
		ev |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return ev;
}

static long sock_ioctl(struct file *f, unsigned cmd, uaddr_t arg)
{
	struct sock *s = f->priv;
	int32_t n;

	if (cmd != FIONREAD)
		return -ENOTTY;
	spin_lock(&s->lock);
	n = (int32_t)s->queued;
	if (s->first && keeps_borders(s))
		n = (int32_t)s->first->len;
	else if (s->first)
		n -= (int32_t)s->first->off;
	spin_unlock(&s->lock);
	return put_user(n, arg);
}

static void sock_release(struct file *f)
{
	struct sock *s = f->priv;

	spin_lock(&s->lock);
	s->closed = true;
	spin_unlock(&s->lock);
	wake_up_all(&s->wq);
	if (s->peer)
		wake_up_all(&s->peer->wq);
	sock_put(s->peer);
	sock_put(s);
}

static const struct file_operations sock_fops = {
	.read = sock_read,
	.write = sock_write,
	.poll = sock_poll,
	.ioctl = sock_ioctl,
	.release = sock_release,
};

/* A file for s, which is put when that fails. */
static struct file *sock_file(struct sock *s, unsigned flags)
{
	struct inode *inode = inode_anonymous(S_IFSOCK | 0777);
	struct file *f;
	char name[32];

	if (!inode) {
		sock_put(s);
		return ERR_PTR(-ENOMEM);
	}
	snprintf(name, sizeof(name), "socket:[%llu]",
		 (unsigned long long)inode->ino);
	f = file_anonymous(inode, name, &sock_fops,
			   O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(f))
		sock_put(s);
	else
		f->priv = s;
	return f;
}

static long check_type(int domain, unsigned type, int protocol)
{
	if (type & ~(SOCK_TYPE | O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	if (domain != AF_UNIX)
		return -EAFNOSUPPORT;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	type &= SOCK_TYPE;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	return 0;
}

long sys_socketpair(int domain, unsigned type, int protocol, uaddr_t ufds)
{
	long err = check_type(domain, type, protocol);
	struct sock *a, *b;
	struct file *f[2];

	if (err)
		return err;
	a = sock_new(type & SOCK_TYPE);
	b = sock_new(type & SOCK_TYPE);
	if (!a || !b) {
		sock_put(a);
		sock_put(b);
		return -ENOMEM;
	}
	f[0] = sock_file(a, type);
	if (IS_ERR(f[0])) {
		sock_put(b);
		return PTR_ERR(f[0]);
	}
	f[1] = sock_file(b, type);
	if (IS_ERR(f[1])) {
		fput(f[0]);
		return PTR_ERR(f[1]);
	}
	a->refs++;
	b->refs++;
	a->peer = b;
	b->peer = a;
	return fd_give_pair(f, type & O_CLOEXEC, ufds);
}

long sys_socket(int domain, unsigned type, int protocol)
{
	long err = check_type(domain, type, protocol);
	struct sock *s;
	struct file *f;

	if (err)
		return err;
	s = sock_new(type & SOCK_TYPE);
	if (!s)
		return -ENOMEM;
	f = sock_file(s, type);
	return IS_ERR(f) ? PTR_ERR(f) : fd_give(f, type & O_CLOEXEC);
}

/* ----------------------------------------------------------- system calls */

static struct file *sock_get(int fd, long *err)
{
	struct file *f = fget(fd);

	*err = -EBADF;
	if (f && f->fops != &sock_fops) {
		fput(f);
		*err = -ENOTSOCK;
		return NULL;
	}
	return f;
}

/* Nobody listens anywhere: but a missing name is told as such. */
long sys_connect(int fd, uaddr_t uaddr, unsigned len)
{
	struct {
		uint16_t family;
		char path[109];
	} sun = {0};
	struct dentry *d;
	struct file *f;
	long err;

	if (len > 110)
		return -EINVAL;
	if (copy_from_user(&sun, uaddr, len))
		return -EFAULT;
	f = sock_get(fd, &err);
	if (!f)
		return err;
	fput(f);
	if (sun.family != AF_UNIX || len <= 2)
		return -EINVAL;
	if (!sun.path[0])
		return -ECONNREFUSED;
	d = vfs_lookup(AT_FDCWD, sun.path, LOOKUP_FOLLOW);
	if (IS_ERR(d))
		return PTR_ERR(d);
	dput(d);
	return -ECONNREFUSED;
}

static bool must_not_wait(const struct file *f, unsigned flags)
{
	return (f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT);
}

long sys_sendto(int fd, uaddr_t ubuf, size_t n, unsigned flags, uaddr_t uaddr,
		unsigned len)
{
	struct kiovec one;
	struct iter it;
	struct file *f;
	long ret;

	(void)len;
	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	iter_init_user(&it, &one, ubuf, n);
	ret = uaddr ? -EISCONN
		    : do_send(f->priv, &it, flags, must_not_wait(f, flags));
	fput(f);
	return ret;
}

/* The sender of a pair has no name: its address has no bytes. */
static long no_name(uaddr_t ulen)
{
	uint32_t zero = 0;

	return ulen ? put_user(zero, ulen) : 0;
}

long sys_recvfrom(int fd, uaddr_t ubuf, size_t n, unsigned flags, uaddr_t uaddr,
		  uaddr_t ulen)
{
	struct kiovec one;
	struct iter it;
	struct file *f;
	bool trunc;
	long ret;

	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	iter_init_user(&it, &one, ubuf, n);
	ret = do_recv(f->priv, &it, flags, must_not_wait(f, flags), &trunc);
	fput(f);
	if (ret >= 0 && uaddr && no_name(ulen))
		ret = -EFAULT;
	return ret;
}

struct linux_msghdr { /* recvmsg(2) */
	uaddr_t name;
	uint32_t namelen;
	uaddr_t iov, iovlen, control, controllen;
	uint32_t flags;
};

long sys_sendmsg(int fd, uaddr_t umsg, unsigned flags)
{
	struct linux_msghdr msg;
	struct user_vec uv;
	struct iter it;
	struct file *f;
	long ret;

	if (copy_from_user(&msg, umsg, sizeof(msg)))
		return -EFAULT;
	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	ret = msg.control && msg.controllen ? -EOPNOTSUPP : 0;
	if (!ret)
		ret = iter_from_user(&it, &uv, msg.iov, msg.iovlen);
	if (!ret) {
		ret = do_send(f->priv, &it, flags, must_not_wait(f, flags));
		user_vec_free(&uv);
	}
	fput(f);
	return ret;
}

long sys_recvmsg(int fd, uaddr_t umsg, unsigned flags)
{
	struct linux_msghdr msg;
	struct user_vec uv;
	struct iter it;
	struct file *f;
	bool trunc;
	long ret;

	if (copy_from_user(&msg, umsg, sizeof(msg)))
		return -EFAULT;
	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	ret = iter_from_user(&it, &uv, msg.iov, msg.iovlen);
	if (!ret) {
		ret = do_recv(f->priv, &it, flags, must_not_wait(f, flags),
			      &trunc);
		user_vec_free(&uv);
	}
	fput(f);
	if (ret < 0)
		return ret;
	msg.namelen = 0;
	msg.controllen = 0;
	msg.flags = trunc ? MSG_TRUNC : 0;
	return copy_to_user(umsg, &msg, sizeof(msg)) ? -EFAULT : ret;
}

long sys_shutdown(int fd, int how)
{
	struct file *f;
	struct sock *s;
	long ret;

	if (how < 0 || how > 2)
		return -EINVAL;
	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	s = f->priv;
	ret = s->peer ? 0 : -ENOTCONN;
	if (!ret) {
		spin_lock(&s->lock);
		s->shut_in |= how != 1;
		s->shut_out |= how != 0;
		spin_unlock(&s->lock);
		wake_up_all(&s->wq);
		wake_up_all(&s->peer->wq);
	}
	fput(f);
	return ret;
}

static long name_of(int fd, uaddr_t uaddr, uaddr_t ulen, bool peer)
{
	uint16_t family = AF_UNIX;
	uint32_t len;
	struct file *f;
	long ret;

	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	ret = peer && !((struct sock *)f->priv)->peer ? -ENOTCONN : 0;
	fput(f);
	if (ret)
		return ret;
	if (get_user(&len, ulen))
		return -EFAULT;
	if (copy_to_user(uaddr, &family, len < 2 ? len : 2))
		return -EFAULT;
	len = 2;
	return put_user(len, ulen);
}

long sys_getsockname(int fd, uaddr_t uaddr, uaddr_t ulen)
{
	return name_of(fd, uaddr, ulen, false);
}

long sys_getpeername(int fd, uaddr_t uaddr, uaddr_t ulen)
{
	return name_of(fd, uaddr, ulen, true);
}

long sys_setsockopt(int fd, int level, int name, uaddr_t uval, unsigned len)
{
	struct file *f;
	int32_t value;
	long ret;

	(void)name;
	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	fput(f);
	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	if (len < sizeof(value))
		return -EINVAL;
	return get_user(&value, uval);
}

long sys_getsockopt(int fd, int level, int name, uaddr_t uval, uaddr_t ulen)
{
	int32_t v[3] = {0};
	uint32_t len, have = 4;
	struct sock *s, *peer;
	struct file *f;
	long ret;

	f = sock_get(fd, &ret);
	if (!f)
		return ret;
	s = f->priv;
	peer = s->peer ? s->peer : s;
	ret = level == SOL_SOCKET ? 0 : -EOPNOTSUPP;
	switch (name) {
	case SO_TYPE:
		v[0] = (int32_t)s->type;
		break;
	case SO_SNDBUF:
	case SO_RCVBUF:
		v[0] = (int32_t)QUEUE_MAX;
		break;
	case SO_DOMAIN:
		v[0] = AF_UNIX;
		break;
	case SO_PEERCRED:
		v[0] = peer->pid;
		v[1] = (int32_t)peer->uid;
		v[2] = (int32_t)peer->gid;
		have = 12;
		break;
	case SO_ERROR:
	case SO_ACCEPTCONN:
	case SO_PROTOCOL:
		break;
	default:
		ret = ret ? ret : -ENOPROTOOPT;
	}
	fput(f);
	if (ret)
		return ret;
	if (get_user(&len, ulen))
		return -EFAULT;
	if (len > have)
		len = have;
	if (copy_to_user(uval, v, len))
		return -EFAULT;
	return put_user(len, ulen);
}
