/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables: small numbers to open files.
 *
 * A table is shared by the tasks of CLONE_FILES.  Its lock (spinlock) guards
 * the arrays; a lookup takes the file's reference under it, so that a close by
 * another thread cannot free the file between.  Growing allocates outside the
 * lock and looks again.
 */
#include "fs.h"

#define FILES_MIN 64u
#define FILES_MAX 65536u

struct fdent {
	struct file *file;
	bool cloexec;
};

struct files {
	uint32_t refs;
	struct spinlock lock;
	unsigned size;
	unsigned hint; /* no free descriptor below it */
	struct fdent *ent;
};

struct files *files_new(void)
{
	struct files *t = fs_zalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->ent = fs_zalloc(FILES_MIN * sizeof(*t->ent));
	if (!t->ent) {
		fs_free(t);
		return NULL;
	}
	t->refs = 1;
	t->size = FILES_MIN;
	return t;
}

struct files *files_get(struct files *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void files_put(struct files *t)
{
	unsigned i;

	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (i = 0; i < t->size; i++)
		if (t->ent[i].file)
			(void)file_close(t->ent[i].file, t);
	fs_free(t->ent);
	fs_free(t);
}

struct files *files_copy(struct files *old)
{
	struct fdent *ent = NULL;
	struct files *t;
	unsigned i, size;

	t = fs_zalloc(sizeof(*t));
	if (!t)
		return NULL;
	for (;;) {
		size = __atomic_load_n(&old->size, __ATOMIC_RELAXED);
		ent = fs_zalloc(size * sizeof(*ent));
		if (!ent) {
			fs_free(t);
			return NULL;
		}
		spin_lock(&old->lock);
		if (old->size == size)
			break;
		spin_unlock(&old->lock);
		fs_free(ent);
	}
	for (i = 0; i < size; i++) {
		ent[i] = old->ent[i];
		if (ent[i].file)
			fget_file(ent[i].file);
	}
	t->hint = old->hint;
	spin_unlock(&old->lock);
	t->refs = 1;
	t->size = size;
	t->ent = ent;
	return t;
}

static int files_grow(struct files *t, unsigned want)
{
	struct fdent *ent, *old;
	unsigned size = t->size, i;

	while (size <= want)
		size *= 2;
	ent = fs_zalloc(size * sizeof(*ent));
	if (!ent)
		return -ENOMEM;
	spin_lock(&t->lock);
	if (t->size >= size) {
		spin_unlock(&t->lock);
		fs_free(ent);
		return 0;
	}
	for (i = 0; i < t->size; i++)
		ent[i] = t->ent[i];
	old = t->ent;
	t->ent = ent;
	t->size = size;
	spin_unlock(&t->lock);
	fs_free(old);
	return 0;
}

static unsigned fd_limit(void)
{
	uint64_t lim = task_rlimit(RLIMIT_NOFILE);

	return lim > FILES_MAX ? FILES_MAX : (unsigned)lim;
}

int fd_install(struct file *file, int min, bool cloexec)
{
	struct files *t = current->files;
	unsigned limit = fd_limit(), fd;
	int err;

	for (;;) {
		spin_lock(&t->lock);
		fd = (unsigned)min > t->hint ? (unsigned)min : t->hint;
		while (fd < t->size && t->ent[fd].file)
			fd++;
		if (fd >= limit) {
			spin_unlock(&t->lock);
			return -EMFILE;
		}
		if (fd < t->size) {
			t->ent[fd] = (struct fdent){file, cloexec};
			if ((unsigned)min <= t->hint)
				t->hint = fd + 1;
			spin_unlock(&t->lock);
			return (int)fd;
		}
		spin_unlock(&t->lock);
		err = files_grow(t, fd);
		if (err)
			return err;
	}
}

struct file *files_fget(struct files *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size && t->ent[fd].file)
		f = fget_file(t->ent[fd].file);
	spin_unlock(&t->lock);
	return f;
}

struct file *fget_raw(int fd)
{
	return files_fget(current->files, fd);
}

struct file *fget(int fd)
{
	struct file *f = fget_raw(fd);

	if (f && (f->flags & O_PATH)) {
		fput(f);
		return NULL;
	}
	return f;
}

int files_next_fd(struct files *t, int from)
{
	int fd = -1;
	unsigned i;

	spin_lock(&t->lock);
	for (i = (unsigned)from; i < t->size; i++) {
		if (t->ent[i].file) {
			fd = (int)i;
			break;
		}
	}
	spin_unlock(&t->lock);
	return fd;
}

/* Take the file out of its place; NULL: there was none. */
static struct file *fd_remove(struct files *t, int fd)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size) {
		f = t->ent[fd].file;
		t->ent[fd].file = NULL;
		if (f && (unsigned)fd < t->hint)
			t->hint = (unsigned)fd;
	}
	spin_unlock(&t->lock);
	return f;
}

int fd_close(int fd)
{
	struct file *f = fd_remove(current->files, fd);

	if (!f)
		return -EBADF;
	return file_close(f, current->files);
}

/*
 * Guards task->files and task->fs against being looked at by others (/proc)
 * while the task lets go of them.
 */
static struct spinlock task_lock_files = SPINLOCK_INIT;

struct files *task_files_get(struct task *task)
{
	struct files *t;

	spin_lock(&task_lock_files);
	t = task->files;
	if (t)
		files_get(t);
	spin_unlock(&task_lock_files);
	return t;
}

struct fs *task_fs_get(struct task *task)
{
	struct fs *fs;

	spin_lock(&task_lock_files);
	fs = task->fs;
	if (fs)
		fs_get(fs);
	spin_unlock(&task_lock_files);
	return fs;
}

static struct files *swap_files(struct task *task, struct files *with)
{
	struct files *old;

	spin_lock(&task_lock_files);
	old = task->files;
	task->files = with;
	spin_unlock(&task_lock_files);
	return old;
}

void task_exit_files(struct task *task)
{
	struct fs *fs;

	files_put(swap_files(task, NULL));
	spin_lock(&task_lock_files);
	fs = task->fs;
	task->fs = NULL;
	spin_unlock(&task_lock_files);
	fs_put(fs);
}

int files_exec(struct task *task)
{
	struct files *t = task->files, *mine;
	unsigned i;

	if (__atomic_load_n(&t->refs, __ATOMIC_ACQUIRE) > 1) {
		mine = files_copy(t);
		if (!mine)
			return -ENOMEM;
		files_put(swap_files(task, mine));
		t = mine;
	}
	for (i = 0; i < t->size; i++) {
		struct file *f = t->ent[i].file;

		if (!f || !t->ent[i].cloexec)
			continue;
		f = fd_remove(t, (int)i);
		(void)file_close(f, t);
	}
	return 0;
}

/* ------------------------------------------------------------ system calls */

long sys_close(int fd)
{
	return fd_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	struct files *t = current->files;
	unsigned i;

	if (first > last || (flags & ~6u))
		return -EINVAL;
	for (i = first; i <= last && i < t->size; i++) {
		if (flags & 4u) { /* CLOSE_RANGE_CLOEXEC */
			spin_lock(&t->lock);
			t->ent[i].cloexec = true;
			spin_unlock(&t->lock);
		} else {
			fd_close((int)i);
		}
	}
	return 0;
}

long sys_dup(int fd)
{
	struct file *f = fget_raw(fd);
	int n;

	if (!f)
		return -EBADF;
	n = fd_install(f, 0, false);
	if (n < 0)
		fput(f);
	return n;
}

/* Put f (its reference) at exactly fd, closing what was there. */
static long put_at(struct files *t, struct file *f, int fd, bool cloexec)
{
	struct file *old;
	int err;

	while ((unsigned)fd >= __atomic_load_n(&t->size, __ATOMIC_RELAXED)) {
		err = files_grow(t, (unsigned)fd);
		if (err)
			return err;
	}
	spin_lock(&t->lock);
	old = t->ent[fd].file;
	t->ent[fd] = (struct fdent){f, cloexec};
	spin_unlock(&t->lock);
	if (old)
		(void)file_close(old, t);
	return fd;
}

int files_install(struct files *t, struct file *f, int fd)
{
	long ret = put_at(t, f, fd, false);

	return ret < 0 ? (int)ret : 0;
}

long sys_dup3(int oldfd, int newfd, unsigned flags)
{
	struct file *f;
	long ret;

	if ((flags & ~O_CLOEXEC) || oldfd == newfd)
		return -EINVAL;
	f = fget_raw(oldfd);
	if (!f)
		return -EBADF;
	ret = -EBADF;
	if (newfd >= 0 && (unsigned)newfd < fd_limit())
		ret = put_at(current->files, f, newfd, flags & O_CLOEXEC);
	if (ret < 0)
		fput(f);
	return ret;
}

long sys_dup2(int oldfd, int newfd)
{
	struct file *f;

	if (oldfd != newfd)
		return sys_dup3(oldfd, newfd, 0);
	f = fget_raw(oldfd);
	if (!f)
		return -EBADF;
	fput(f);
	return newfd;
}

long fd_dup_from(int fd, int min, bool cloexec)
{
	struct file *f;
	int n;

	if (min < 0 || (unsigned)min >= fd_limit())
		return -EINVAL;
	f = fget_raw(fd);
	if (!f)
		return -EBADF;
	n = fd_install(f, min, cloexec);
	if (n < 0)
		fput(f);
	return n;
}

long fd_get_cloexec(int fd)
{
	struct files *t = current->files;
	long ret = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size && t->ent[fd].file)
		ret = t->ent[fd].cloexec;
	spin_unlock(&t->lock);
	return ret;
}

long fd_set_cloexec(int fd, bool on)
{
	struct files *t = current->files;
	long ret = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->size && t->ent[fd].file) {
		t->ent[fd].cloexec = on;
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}
