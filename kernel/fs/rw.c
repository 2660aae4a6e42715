/* SPDX-License-Identifier: MIT */
/*
 * read, write and their kin, lseek, sendfile, copy_file_range.
 *
 * A file that has a position keeps pos_lock while it is used, so that threads
 * that share a descriptor see whole writes one after the other; pipes and
 * sockets (no llseek) have none, for they may sleep long.
 */
#include "fs.h"

#define MAX_RW	 0x7ffff000ul
#define IOV_MAX	 1024
#define UIO_FAST 8

static bool has_pos(const struct file *f)
{
	return f->fops->llseek != NULL;
}

static long file_read_at(struct file *f, struct iter *it, uint64_t *pos)
{
	if (!file_can_read(f))
		return -EBADF;
	if (inode_is(f->inode, S_IFDIR))
		return -EISDIR;
	if (!f->fops->read)
		return -EINVAL;
	return f->fops->read(f, it, pos);
}

static long file_write_at(struct file *f, struct iter *it, uint64_t *pos)
{
	if (!file_can_write(f))
		return -EBADF;
	if (!f->fops->write)
		return -EINVAL;
	return f->fops->write(f, it, pos);
}

long file_rw(struct file *f, struct iter *it, bool write)
{
	long ret;

	if (!has_pos(f)) {
		uint64_t none = 0;

		return write ? file_write_at(f, it, &none)
			     : file_read_at(f, it, &none);
	}
	mutex_lock(&f->pos_lock);
	ret = write ? file_write_at(f, it, &f->pos)
		    : file_read_at(f, it, &f->pos);
	mutex_unlock(&f->pos_lock);
	return ret;
}

static long check_range(uaddr_t buf, size_t n)
{
	return access_ok(buf, n) ? 0 : -EFAULT;
}

static long do_rw(int fd, uaddr_t buf, size_t n, bool write)
{
	struct file *f = fget(fd);
	struct kiovec one;
	struct iter it;
	long ret;

	if (!f)
		return -EBADF;
	if (!(write ? file_can_write(f) : file_can_read(f))) {
		fput(f);
		return -EBADF;
	}
	ret = check_range(buf, n);
	if (!ret) {
		iter_init_user(&it, &one, buf, n < MAX_RW ? n : MAX_RW);
		ret = file_rw(f, &it, write);
	}
	fput(f);
	return ret;
}

long sys_read(int fd, uaddr_t buf, size_t n)
{
	return do_rw(fd, buf, n, false);
}

long sys_write(int fd, uaddr_t buf, size_t n)
{
	return do_rw(fd, buf, n, true);
}

static long do_prw(int fd, struct iter *it, int64_t pos, bool write)
{
	struct file *f;
	uint64_t at = (uint64_t)pos;
	long ret;

	if (pos < 0)
		return -EINVAL;
	f = fget(fd);
	if (!f)
		return -EBADF;
	if (!has_pos(f))
		ret = -ESPIPE;
	else
		ret = write ? file_write_at(f, it, &at)
			    : file_read_at(f, it, &at);
	fput(f);
	return ret;
}

static long do_prw1(int fd, uaddr_t buf, size_t n, int64_t pos, bool write)
{
	struct kiovec one;
	struct iter it;

	if (!access_ok(buf, n))
		return -EFAULT;
	iter_init_user(&it, &one, buf, n < MAX_RW ? n : MAX_RW);
	return do_prw(fd, &it, pos, write);
}

long sys_pread64(int fd, uaddr_t buf, size_t n, int64_t pos)
{
	return do_prw1(fd, buf, n, pos, false);
}

long sys_pwrite64(int fd, uaddr_t buf, size_t n, int64_t pos)
{
	return do_prw1(fd, buf, n, pos, true);
}

/* ------------------------------------------------------- vectors of buffers */

long iter_from_user(struct iter *it, struct user_vec *uv, uaddr_t uvec,
		    unsigned long nr)
{
	size_t total = 0;
	unsigned long i;

	uv->vec = uv->fast;
	if (nr > IOV_MAX)
		return -EINVAL;
	if (nr > UIO_FAST) {
		uv->vec = fs_alloc(nr * sizeof(struct kiovec));
		if (!uv->vec)
			return -ENOMEM;
	}
	if (copy_from_user(uv->vec, uvec, nr * sizeof(struct kiovec)))
		goto fault;
	for (i = 0; i < nr; i++) {
		struct kiovec *v = &uv->vec[i];

		if ((sreg_t)v->len < 0) {
			user_vec_free(uv);
			return -EINVAL;
		}
		if (!access_ok(v->base, v->len))
			goto fault;
		if (v->len > MAX_RW - total)
			v->len = MAX_RW - total;
		total += v->len;
	}
	*it = (struct iter){.vec = uv->vec, .nr = (unsigned)nr, .count = total};
	return 0;
fault:
	user_vec_free(uv);
	return -EFAULT;
}

void user_vec_free(struct user_vec *uv)
{
	if (uv->vec != uv->fast)
		fs_free(uv->vec);
	uv->vec = uv->fast;
}

/* preadv2(2).  RWF_HIPRI and RWF_NOWAIT change no result here: the latter may
 * wait all the same. */
#define RWF_DSYNC  2u
#define RWF_SYNC   4u
#define RWF_APPEND 16u
#define RWF_KNOWN  31u

static void set_rwf(struct iter *it, unsigned flags)
{
	it->dsync = flags & RWF_DSYNC;
	it->sync = flags & RWF_SYNC;
	it->append = flags & RWF_APPEND;
}

static long do_rwv(int fd, uaddr_t uvec, unsigned long nr, bool write,
		   unsigned flags)
{
	struct file *f = fget(fd);
	struct user_vec uv;
	struct iter it;
	long ret;

	if (!f)
		return -EBADF;
	ret = iter_from_user(&it, &uv, uvec, nr);
	if (!ret) {
		set_rwf(&it, flags);
		ret = file_rw(f, &it, write);
		user_vec_free(&uv);
	}
	fput(f);
	return ret;
}

static long do_prwv(int fd, uaddr_t uvec, unsigned long nr, int64_t pos,
		    bool write, unsigned flags)
{
	struct user_vec uv;
	struct iter it;
	long ret = iter_from_user(&it, &uv, uvec, nr);

	if (ret)
		return ret;
	set_rwf(&it, flags);
	ret = do_prw(fd, &it, pos, write);
	user_vec_free(&uv);
	return ret;
}

long sys_readv(int fd, uaddr_t vec, unsigned long nr)
{
	return do_rwv(fd, vec, nr, false, 0);
}

long sys_writev(int fd, uaddr_t vec, unsigned long nr)
{
	return do_rwv(fd, vec, nr, true, 0);
}

/* A position in two words: where a word has 64 bits the second is void. */
static int64_t pos_of(unsigned long low, unsigned long high)
{
	const unsigned half = sizeof(long) * 4;

	return (int64_t)((uint64_t)high << half << half | low);
}

long sys_preadv(int fd, uaddr_t vec, unsigned long nr, unsigned long low,
		unsigned long high)
{
	return do_prwv(fd, vec, nr, pos_of(low, high), false, 0);
}

long sys_pwritev(int fd, uaddr_t vec, unsigned long nr, unsigned long low,
		 unsigned long high)
{
	return do_prwv(fd, vec, nr, pos_of(low, high), true, 0);
}

/* Position -1 means the file's own. */
long sys_preadv2(int fd, uaddr_t vec, unsigned long nr, unsigned long low,
		 unsigned long high, unsigned flags)
{
	int64_t pos = pos_of(low, high);

	if (flags & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	return pos == -1 ? do_rwv(fd, vec, nr, false, flags)
			 : do_prwv(fd, vec, nr, pos, false, flags);
}

long sys_pwritev2(int fd, uaddr_t vec, unsigned long nr, unsigned long low,
		  unsigned long high, unsigned flags)
{
	int64_t pos = pos_of(low, high);

	if (flags & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	return pos == -1 ? do_rwv(fd, vec, nr, true, flags)
			 : do_prwv(fd, vec, nr, pos, true, flags);
}

int64_t vfs_llseek(int fd, int64_t off, int whence)
{
	struct file *f = fget(fd);
	int64_t ret;

	if (!f)
		return -EBADF;
	if (!f->fops->llseek) {
		ret = -ESPIPE;
	} else {
		mutex_lock(&f->pos_lock);
		ret = f->fops->llseek(f, off, whence);
		mutex_unlock(&f->pos_lock);
	}
	fput(f);
	return ret;
}

long sys_lseek(int fd, long off, int whence)
{
	int64_t ret = vfs_llseek(fd, off, whence);

	return ret == (long)ret ? (long)ret : -EOVERFLOW;
}

/* ------------------------------------------------------- file to file copies
 */

#define COPY_CHUNK 65536u

/* One piece through `buf`: bytes, 0 at the end of input, or -errno. */
static long copy_piece(struct file *in, uint64_t *ipos, struct file *out,
		       uint64_t *opos, char *buf, size_t n)
{
	struct kiovec one;
	struct iter it;
	long got, put, done = 0;
	uint64_t from = ipos ? *ipos : 0;

	iter_init_kernel(&it, &one, buf, n);
	got = ipos ? file_read_at(in, &it, ipos) : file_rw(in, &it, false);
	if (got <= 0)
		return got;
	while (done < got) {
		iter_init_kernel(&it, &one, buf + done, (size_t)(got - done));
		put = opos ? file_write_at(out, &it, opos)
			   : file_rw(out, &it, true);
		if (put <= 0) {
			if (ipos)
				*ipos = from + (uint64_t)done;
			return done ? done : put;
		}
		done += put;
	}
	return done;
}

long file_copy(struct file *in, uint64_t *ipos, struct file *out,
	       uint64_t *opos, uint64_t n)
{
	char *buf = fs_alloc(COPY_CHUNK);
	uint64_t done = 0;
	long ret = 0;

	if (!buf)
		return -ENOMEM;
	while (done < n) {
		size_t now =
			n - done < COPY_CHUNK ? (size_t)(n - done) : COPY_CHUNK;

		ret = copy_piece(in, ipos, out, opos, buf, now);
		if (ret <= 0)
			break;
		done += (uint64_t)ret;
		if ((size_t)ret < now || signal_pending(current))
			break;
	}
	fs_free(buf);
	return done ? (long)done : ret;
}

/* Position words in user memory, for sendfile and copy_file_range. */
static long get_pos(uaddr_t upos, uint64_t *pos)
{
	if (upos && copy_from_user(pos, upos, sizeof(*pos)))
		return -EFAULT;
	return upos && *pos > INT64_MAX ? -EINVAL : 0;
}

/* The two files of a copy; -EBADF leaves neither. */
static long copy_files(int ifd, int ofd, struct file **in, struct file **out)
{
	*in = fget(ifd);
	*out = fget(ofd);
	if (*in && *out && file_can_read(*in) && file_can_write(*out))
		return 0;
	fput(*in);
	fput(*out);
	return -EBADF;
}

long file_send(int ofd, int ifd, uint64_t *pos, size_t n)
{
	struct file *in, *out;
	long ret = copy_files(ifd, ofd, &in, &out);

	if (ret)
		return ret;
	ret = has_pos(in)
		      ? file_copy(in, pos, out, NULL, n < MAX_RW ? n : MAX_RW)
		      : -EINVAL;
	fput(in);
	fput(out);
	return ret;
}

long sys_sendfile(int ofd, int ifd, uaddr_t upos, size_t n)
{
	uint64_t pos = 0;
	long ret = get_pos(upos, &pos);

	if (!ret)
		ret = file_send(ofd, ifd, upos ? &pos : NULL, n);
	if (ret > 0 && upos && put_user(pos, upos))
		ret = -EFAULT;
	return ret;
}

long sys_copy_file_range(int ifd, uaddr_t uipos, int ofd, uaddr_t uopos,
			 size_t n, unsigned flags)
{
	uint64_t ipos = 0, opos = 0;
	struct file *in, *out;
	long ret;

	if (flags)
		return -EINVAL;
	ret = copy_files(ifd, ofd, &in, &out);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (out->flags & O_APPEND)
		ret = -EBADF;
	else if (has_pos(in) && has_pos(out))
		ret = get_pos(uipos, &ipos);
	if (!ret)
		ret = get_pos(uopos, &opos);
	if (!ret)
		ret = file_copy(in, uipos ? &ipos : NULL, out,
				uopos ? &opos : NULL, n < MAX_RW ? n : MAX_RW);
	if (ret > 0 && uipos && put_user(ipos, uipos))
		ret = -EFAULT;
	if (ret > 0 && uopos && put_user(opos, uopos))
		ret = -EFAULT;
	fput(in);
	fput(out);
	return ret;
}

/*
 * splice(2): one end is a pipe.  The bytes are copied; what a program can see
 * of the difference to moved pages is only the time.
 */
long sys_splice(int ifd, uaddr_t uipos, int ofd, uaddr_t uopos, size_t n,
		unsigned flags)
{
	struct file *in = fget(ifd), *out = fget(ofd);
	uint64_t ipos = 0, opos = 0;
	long ret = -EBADF;

	if (!in || !out || !file_can_read(in) || !file_can_write(out))
		goto put;
	ret = -EINVAL;
	if (flags & ~0xfu)
		goto put;
	if (!inode_is(in->inode, S_IFIFO) && !inode_is(out->inode, S_IFIFO))
		goto put;
	ret = -ESPIPE;
	if ((uipos && !has_pos(in)) || (uopos && !has_pos(out)))
		goto put;
	ret = get_pos(uipos, &ipos);
	if (!ret)
		ret = get_pos(uopos, &opos);
	if (!ret)
		ret = file_copy(in, uipos ? &ipos : NULL, out,
				uopos ? &opos : NULL,
				n < COPY_CHUNK ? n : COPY_CHUNK);
	if (ret > 0 && uipos && copy_to_user(uipos, &ipos, sizeof(ipos)))
		ret = -EFAULT;
	if (ret > 0 && uopos && copy_to_user(uopos, &opos, sizeof(opos)))
		ret = -EFAULT;
put:
	fput(in);
	fput(out);
	return ret;
}
