/* SPDX-License-Identifier: MIT */
/*
 * fcntl(2) and ioctl(2): the parts that are the same for every file; the rest
 * goes to the file's own operations.
 */
#include "fs.h"

enum {
	F_DUPFD = 0,
	F_GETFD = 1,
	F_SETFD = 2,
	F_GETFL = 3,
	F_SETFL = 4,
	F_GETLK = 5, /* and F_GETLK64: arch_abi.h */
	F_SETLKW = 7,
	F_SETOWN = 8,
	F_GETOWN = 9,
	F_OFD_GETLK = 36,
	F_OFD_SETLKW = 38,
	F_DUPFD_CLOEXEC = 1030,
	F_SETPIPE_SZ = 1031,
	F_GETPIPE_SZ = 1032,
	F_ADD_SEALS = 1033,
	F_GET_SEALS = 1034,
};
#define FD_CLOEXEC 1u
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

#define FIONREAD 0x541bu
#define FIONBIO	 0x5421u
#define FIONCLEX 0x5450u
#define FIOCLEX	 0x5451u
#define FIOASYNC 0x5452u

static void set_flags(struct file *f, uint32_t mask, uint32_t bits)
{
	uint32_t old = __atomic_load_n(&f->flags, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(
		&f->flags, &old, (old & ~mask) | (bits & mask), false,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static long file_fcntl(struct file *f, unsigned cmd, uaddr_t arg)
{
	switch (cmd) {
	case F_GETFL:
		return (long)(f->flags | (f->flags & O_PATH ? 0 : O_LARGEFILE));
	case F_SETFL:
		if (f->flags & O_PATH)
			return -EBADF;
		if (!file_allows(f, (uint32_t)arg))
			return -EINVAL;
		set_flags(f, SETFL_MASK, (uint32_t)arg);
		return 0;
	case F_SETOWN:
		f->owner = (int32_t)arg;
		return 0;
	case F_GETOWN:
		return f->owner;
	case F_SETPIPE_SZ:
		return pipe_set_size(f, arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_ADD_SEALS:
		return memfd_add_seals(f, (uint32_t)arg);
	case F_GET_SEALS:
		return memfd_get_seals(f);
	default:
		break;
	}
	if ((cmd >= F_GETLK && cmd <= F_SETLKW) ||
	    (cmd >= F_GETLK64 && cmd <= F_SETLKW64) ||
	    (cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW))
		return f->flags & O_PATH ? -EBADF : locks_fcntl(f, cmd, arg);
	return -EINVAL;
}

long sys_fcntl(int fd, unsigned cmd, uaddr_t arg)
{
	struct file *f;
	long ret;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return fd_dup_from(fd, (int)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_cloexec(fd);
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	default:
		break;
	}
	f = fget_raw(fd);
	if (!f)
		return -EBADF;
	ret = file_fcntl(f, cmd, arg);
	fput(f);
	return ret;
}

static long file_ioctl(struct file *f, int fd, unsigned cmd, uaddr_t arg)
{
	int32_t value;

	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(fd, true);
	case FIONCLEX:
		return fd_set_cloexec(fd, false);
	case FIONBIO:
	case FIOASYNC:
		if (copy_from_user(&value, arg, sizeof(value)))
			return -EFAULT;
		if (cmd == FIONBIO)
			set_flags(f, O_NONBLOCK, value ? O_NONBLOCK : 0);
		return 0;
	case FIONREAD:
		if (!inode_is(f->inode, S_IFREG))
			break;
		value = (int32_t)(inode_size(f->inode) - f->pos);
		return copy_to_user(arg, &value, sizeof(value)) ? -EFAULT : 0;
	default:
		break;
	}
	return f->fops->ioctl ? f->fops->ioctl(f, cmd, arg) : -ENOTTY;
}

long sys_ioctl(int fd, unsigned cmd, uaddr_t arg)
{
	struct file *f = fget(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = file_ioctl(f, fd, cmd, arg);
	fput(f);
	return ret;
}
